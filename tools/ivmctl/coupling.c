// SPDX-License-Identifier: GPL-2.0
/* Declarations of couplings. */
#include <linux/ivshm_netlink.h>
#include <netlink/attr.h>
#include <stdlib.h>
#include <string.h>

#include "attr.h"
#include "coupling.h"
#include "nl.h"
#include "output.h"

const struct coupling_option coupling_options[COUPLING_OPTIONS] = {
	{
		.word = "threshold",
		.key = "threshold",
		.unit = "frames per second",
		.attr = IVSHM_A_COUPLING_THRESHOLD,
		.dynamic = true,
		.min = 1,
		.max = IVSHM_THRESHOLD_MAX,
		.preset = IVSHM_THRESHOLD_DEFAULT,
	}, {
		.word = "idle",
		.key = "idle",
		.unit = "seconds",
		.attr = IVSHM_A_COUPLING_IDLE,
		.dynamic = true,
		.max = IVSHM_IDLE_MAX,
		.preset = IVSHM_IDLE_DEFAULT,
		.zero = "never",
	}, {
		.word = "park-us",
		.key = "park_us",
		.unit = "microseconds",
		.attr = IVSHM_A_COUPLING_PARK_US,
		.max = IVSHM_PARK_US_MAX,
		.preset = IVSHM_PARK_US_DEFAULT,
	}, {
		.word = "bypass",
		.key = "bypass",
		.attr = IVSHM_A_COUPLING_BYPASS,
		.dynamic = true,
	},
};

const char *const coupling_type_words[] = {
	[IVSHM_COUPLING_STATIC] = "static",
	[IVSHM_COUPLING_DYNAMIC] = "dynamic",
	NULL
};

json_t *coupling_new(const char *name, uint32_t type)
{
	return json_pack("{s:o, s:s, s:[]}", "name",
			 json_string_nocheck(name), "type",
			 value_name(&coupling_types, type), "members");
}

bool coupling_is_dynamic(const json_t *decl)
{
	return !strcmp(json_str(decl, "type"),
		       coupling_type_words[IVSHM_COUPLING_DYNAMIC]);
}

void coupling_set(json_t *decl, const struct coupling_option *option,
		  uint32_t value)
{
	json_t *json;

	if (option->words)
		json = json_string(option->words[value]);
	else
		json = option->unit ? json_integer(value) : json_boolean(value);
	json_object_set_new(decl, option->key, json);
}

/* The number that an option has. */
static uint32_t option_number(const struct coupling_option *option, const json_t *value)
{
	uint32_t i;

	if (option->unit)
		return (uint32_t)json_integer_value(value);
	if (!option->words)
		return json_is_true(value);
	for (i = 0; option->words[i]; i++)
		if (!strcmp(option->words[i], json_string_value(value)))
			return i;
	/* One of a newer module: to be refused, not to be taken for another. */
	return UINT32_MAX;
}

static bool option_fits(const json_t *decl, const struct coupling_option *option)
{
	return !option->dynamic || coupling_is_dynamic(decl);
}

void coupling_complete(json_t *decl)
{
	size_t i;

	for (i = 0; i < COUPLING_OPTIONS; i++) {
		const struct coupling_option *option = &coupling_options[i];

		if (option_fits(decl, option) && !json_object_get(decl, option->key))
			coupling_set(decl, option, option->preset);
	}
}

void coupling_add_member(json_t *decl, const char *name)
{
	json_array_append_new(json_object_get(decl, "members"),
			      json_pack("{s:o}", "name",
					json_string_nocheck(name)));
}

json_t *coupling_declared(const json_t *coupling)
{
	json_t *decl = json_pack("{s:O, s:O, s:[]}",
				 "name", json_object_get(coupling, "name"),
				 "type", json_object_get(coupling, "type"),
				 "members");
	json_t *member, *value;
	size_t i;

	json_array_foreach(json_object_get(coupling, "members"), i, member)
		coupling_add_member(decl, json_str(member, "name"));
	for (i = 0; i < COUPLING_OPTIONS; i++) {
		value = json_object_get(coupling, coupling_options[i].key);
		if (value)
			json_object_set(decl, coupling_options[i].key, value);
	}
	return decl;
}

/* The names of the members as the keys of an object. */
static json_t *member_set(const json_t *decl)
{
	json_t *set = json_object();
	json_t *member;
	size_t i;

	json_array_foreach(json_object_get(decl, "members"), i, member)
		json_object_set_new(set, json_str(member, "name"), json_null());
	return set;
}

bool coupling_same(const json_t *a, const json_t *b)
{
	json_t *members_a, *members_b;
	bool same;
	size_t i;

	if (!json_equal(json_object_get(a, "type"), json_object_get(b, "type")))
		return false;
	for (i = 0; i < COUPLING_OPTIONS; i++) {
		const json_t *value_a = json_object_get(a, coupling_options[i].key);
		const json_t *value_b = json_object_get(b, coupling_options[i].key);

		if (value_a != value_b && !json_equal(value_a, value_b))
			return false;
	}
	members_a = member_set(a);
	members_b = member_set(b);
	same = json_equal(members_a, members_b);
	json_decref(members_a);
	json_decref(members_b);
	return same;
}

/* Attributes report that the message is full by anything but 0. */
static bool put_members(struct nl_msg *msg, const json_t *decl)
{
	struct nlattr *members = ivnl_nest(msg, IVSHM_A_COUPLING_MEMBERS);
	bool full = !members;
	json_t *name;
	size_t i;

	json_array_foreach(json_object_get(decl, "members"), i, name) {
		struct nlattr *member = NULL;

		if (!full)
			member = ivnl_nest(msg, IVSHM_A_COUPLING_MEMBER);
		full = full || !member ||
		       nla_put_string(msg, IVSHM_A_MEMBER_NAME,
				      json_str(name, "name"));
		if (!full)
			nla_nest_end(msg, member);
	}
	return full || nla_nest_end(msg, members);
}

static bool put_options(struct nl_msg *msg, const json_t *decl)
{
	bool full = false;
	size_t i;

	for (i = 0; i < COUPLING_OPTIONS && !full; i++) {
		const struct coupling_option *option = &coupling_options[i];
		const json_t *value = json_object_get(decl, option->key);

		if (!value)
			continue;
		if (option->unit || option->words)
			full = nla_put_u32(msg, option->attr, option_number(option, value));
		else
			full = nla_put_u8(msg, option->attr, json_is_true(value));
	}
	return full;
}

struct nl_msg *coupling_msg_new(const struct ivnl *nl, const json_t *decl,
				bool *full)
{
	struct nl_msg *msg = ivnl_msg_new(nl, IVSHM_CMD_COUPLING_NEW, NLM_F_ACK);
	struct nlattr *nest = ivnl_nest(msg, IVSHM_A_COUPLING);

	*full = !nest ||
		nla_put_string(msg, IVSHM_A_COUPLING_NAME,
			       json_str(decl, "name")) ||
		nla_put_u32(msg, IVSHM_A_COUPLING_TYPE,
			    coupling_is_dynamic(decl) ? IVSHM_COUPLING_DYNAMIC :
							IVSHM_COUPLING_STATIC) ||
		put_members(msg, decl) || put_options(msg, decl) ||
		nla_nest_end(msg, nest);
	return msg;
}

struct nl_msg *coupling_msg_del(const struct ivnl *nl, const char *name,
				bool *full)
{
	struct nl_msg *msg = ivnl_msg_new(nl, IVSHM_CMD_COUPLING_DEL, NLM_F_ACK);
	struct nlattr *nest = ivnl_nest(msg, IVSHM_A_COUPLING);

	*full = !nest || nla_put_string(msg, IVSHM_A_COUPLING_NAME, name) ||
		nla_nest_end(msg, nest);
	return msg;
}

const char *coupling_value(const json_t *decl,
			   const struct coupling_option *option, char *buf,
			   size_t size)
{
	const json_t *value = json_object_get(decl, option->key);

	if (!value)
		return NULL;
	if (option->words)
		return json_string_value(value);
	if (!option->unit)
		return json_is_true(value) ? "yes" : "no";
	if (option->zero && !json_integer_value(value))
		return option->zero;
	snprintf(buf, size, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
	return buf;
}

/* A word for a line of a batch. */
static void print_word(FILE *f, const char *word)
{
	const char *quote = "";

	if (strpbrk(word, "'"))
		quote = "\"";
	else if (strpbrk(word, "\"") || *word == '#')
		quote = "'";
	fprintf(f, "%s%s%s", quote, word, quote);
}

void coupling_print_name(FILE *f, const json_t *decl)
{
	print_word(f, json_str(decl, "name"));
}

void coupling_print_words(FILE *f, const json_t *decl)
{
	const char *value;
	json_t *member;
	char buf[16];
	size_t i;

	print_word(f, json_str(decl, "name"));
	fprintf(f, " %s", json_str(decl, "type"));
	json_array_foreach(json_object_get(decl, "members"), i, member) {
		const char *name = json_str(member, "name");

		/* Without a digit it might look like an option. */
		fputs(strpbrk(name, "0123456789") ? " " : " port ", f);
		print_word(f, name);
	}
	for (i = 0; i < COUPLING_OPTIONS; i++) {
		const struct coupling_option *option = &coupling_options[i];
		const json_t *given = json_object_get(decl, option->key);

		value = coupling_value(decl, option, buf, sizeof(buf));
		if (!value || option_number(option, given) == option->preset)
			continue;
		fprintf(f, " %s %s", option->word, value);
	}
}
