// SPDX-License-Identifier: GPL-2.0
/* Declarations of couplings: directions that are denied. */
#include <linux/ivshm_netlink.h>
#include <netlink/attr.h>
#include <string.h>

#include "coupling.h"
#include "decl.h"
#include "nl.h"
#include "output.h"

void coupling_add_denial(json_t *decl, const char *list, const char *src, const char *dst)
{
	json_t *array = json_object_get(decl, list);

	if (!array) {
		array = json_array();
		json_object_set_new(decl, list, array);
	}
	json_array_append_new(array, json_pack("{s:o, s:o}", "src", json_string_nocheck(src),
					       "dst", json_string_nocheck(dst)));
}

bool coupling_word_denial(const char *word, char *src, size_t size, const char **dst)
{
	size_t len = strcspn(word, ":");

	if (!len || len >= size || !word[len] || !word[len + 1] || strchr(word + len + 1, ':'))
		return false;
	memcpy(src, word, len);
	src[len] = '\0';
	*dst = word + len + 1;
	return true;
}

/* Those of @a's that are not among @b's, as the array @list of @difference. */
static void add_others(json_t *difference, const char *list, const json_t *a, const json_t *b)
{
	json_t *denial, *other;
	size_t i, j;

	json_array_foreach(json_object_get(a, "deny"), i, denial) {
		bool found = false;

		json_array_foreach(json_object_get(b, "deny"), j, other)
			found = found || json_equal(denial, other);
		if (!found)
			coupling_add_denial(difference, list, json_str(denial, "src"),
					    json_str(denial, "dst"));
	}
}

void coupling_difference_denials(json_t *difference, const json_t *before, const json_t *after)
{
	add_others(difference, "allow", before, after);
	add_others(difference, "deny", after, before);
}

bool coupling_same_denials(const json_t *a, const json_t *b)
{
	json_t *difference = json_object();
	bool same;

	coupling_difference_denials(difference, a, b);
	same = !json_object_size(difference);
	json_decref(difference);
	return same;
}

/* As in coupling.c: anything but 0 is that the message is full. */
static bool put_list(struct nl_msg *msg, int attr, const json_t *list)
{
	struct nlattr *nest, *pair;
	json_t *denial;
	bool full;
	size_t i;

	if (!json_array_size(list))
		return false;
	nest = ivnl_nest(msg, attr);
	full = !nest;
	json_array_foreach(list, i, denial) {
		pair = full ? NULL : ivnl_nest(msg, IVSHM_A_COUPLING_PAIR);
		full = full || !pair ||
		       nla_put_string(msg, IVSHM_A_PAIR_SRC, json_str(denial, "src")) ||
		       nla_put_string(msg, IVSHM_A_PAIR_DST, json_str(denial, "dst"));
		if (!full)
			nla_nest_end(msg, pair);
	}
	return full || nla_nest_end(msg, nest);
}

bool coupling_put_denials(struct nl_msg *msg, const json_t *decl)
{
	return put_list(msg, IVSHM_A_COUPLING_ALLOW, json_object_get(decl, "allow")) ||
	       put_list(msg, IVSHM_A_COUPLING_DENY, json_object_get(decl, "deny"));
}

void coupling_print_denials(FILE *f, const json_t *decl)
{
	static const char *const lists[] = { "allow", "deny" };
	json_t *denial;
	size_t i, j;

	for (i = 0; i < ARRAY_SIZE(lists); i++) {
		json_array_foreach(json_object_get(decl, lists[i]), j, denial) {
			fprintf(f, " %s ", lists[i]);
			decl_print_word(f, json_str(denial, "src"));
			fputc(' ', f);
			decl_print_word(f, json_str(denial, "dst"));
		}
	}
}
