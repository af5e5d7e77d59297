// SPDX-License-Identifier: GPL-2.0
/* Declarations of couplings. */
#include <linux/ivshm_netlink.h>
#include <netlink/attr.h>
#include <stdlib.h>
#include <string.h>

#include "attr.h"
#include "coupling.h"
#include "decl.h"
#include "nl.h"
#include "output.h"

static const char *const match_words[] = {
	[IVSHM_MATCH_MAC] = "mac",
	[IVSHM_MATCH_IP] = "ip",
	NULL
};

static const char *const full_words[] = {
	[IVSHM_FULL_PARK] = "park",
	[IVSHM_FULL_DROP] = "drop",
	NULL
};

const struct coupling_option coupling_options[COUPLING_OPTIONS] = {
	{
		.word = "threshold",
		.key = "threshold",
		.unit = "frames per second",
		.attr = IVSHM_A_COUPLING_THRESHOLD,
		.dynamic = true,
		.change = true,
		.min = 1,
		.max = IVSHM_THRESHOLD_MAX,
		.preset = IVSHM_THRESHOLD_DEFAULT,
	}, {
		.word = "idle",
		.key = "idle",
		.unit = "seconds",
		.attr = IVSHM_A_COUPLING_IDLE,
		.dynamic = true,
		.change = true,
		.max = IVSHM_IDLE_MAX,
		.preset = IVSHM_IDLE_DEFAULT,
		.zero = "never",
	}, {
		.word = "park-us",
		.key = "park_us",
		.unit = "microseconds",
		.attr = IVSHM_A_COUPLING_PARK_US,
		.change = true,
		.max = IVSHM_PARK_US_MAX,
		.preset = IVSHM_PARK_US_DEFAULT,
	}, {
		.word = "bypass",
		.key = "bypass",
		.attr = IVSHM_A_COUPLING_BYPASS,
		.dynamic = true,
	}, {
		.word = "strict",
		.key = "strict",
		.attr = IVSHM_A_COUPLING_STRICT,
	}, {
		.word = "match",
		.key = "match",
		.words = match_words,
		.attr = IVSHM_A_COUPLING_MATCH,
		.dynamic = true,
		.preset = IVSHM_MATCH_MAC,
	}, {
		.word = "disabled",
		.key = "disabled",
		.attr = IVSHM_A_COUPLING_DISABLED,
		.change = true,
	}, {
		.word = "full",
		.key = "full",
		.words = full_words,
		.attr = IVSHM_A_COUPLING_FULL,
		.change = true,
		.preset = IVSHM_FULL_PARK,
	}, {
		.word = "rate-bytes",
		.key = "rate_bytes",
		.unit = "bytes per second",
		.scaled = true,
		.wide = true,
		.attr = IVSHM_A_COUPLING_RATE_BYTES,
		.change = true,
		.max = IVSHM_RATE_BYTES_MAX,
		.zero = "none",
	}, {
		.word = "rate-frames",
		.key = "rate_frames",
		.unit = "frames per second",
		.scaled = true,
		.attr = IVSHM_A_COUPLING_RATE_FRAMES,
		.change = true,
		.max = IVSHM_RATE_FRAMES_MAX,
		.zero = "none",
	},
};

const char *const coupling_type_words[] = {
	[IVSHM_COUPLING_STATIC] = "static",
	[IVSHM_COUPLING_DYNAMIC] = "dynamic",
	NULL
};

json_t *coupling_new(const char *name, uint32_t type)
{
	return json_pack("{s:o, s:s, s:[], s:[]}", "name",
			 json_string_nocheck(name), "type",
			 value_name(&coupling_types, type), "members", "rules");
}

bool coupling_is_dynamic(const json_t *decl)
{
	return !strcmp(json_str(decl, "type"),
		       coupling_type_words[IVSHM_COUPLING_DYNAMIC]);
}

void coupling_set(json_t *decl, const struct coupling_option *option,
		  uint64_t value)
{
	json_t *json;

	if (option->words)
		json = json_string(option->words[value]);
	else
		json = option->unit ? json_integer((json_int_t)value) : json_boolean(value);
	json_object_set_new(decl, option->key, json);
}

/* The number that an option has. */
static uint64_t option_number(const struct coupling_option *option, const json_t *value)
{
	uint32_t i;

	if (option->unit)
		return (uint64_t)json_integer_value(value);
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

void coupling_add_rule(json_t *decl, const char *key, const char *value)
{
	json_array_append_new(json_object_get(decl, "rules"),
			      json_pack("{s:o}", key, json_string_nocheck(value)));
}

bool coupling_word_is_rule(const char *word)
{
	struct word_addr addr;

	return strpbrk(word, "*?[") || word_addr(word, &addr);
}

void coupling_add_word(json_t *decl, const char *word)
{
	char text[WORD_ADDR_TEXT];
	struct word_addr addr;

	if (!coupling_word_is_rule(word)) {
		coupling_add_member(decl, word);
	} else if (word_addr(word, &addr)) {
		word_addr_text(&addr, text);
		coupling_add_rule(decl, addr.kind == WORD_MAC ? "mac" : "ip", text);
	} else {
		coupling_add_rule(decl, "glob", word);
	}
}

bool coupling_has_members(const json_t *decl)
{
	return json_array_size(json_object_get(decl, "members")) >= 2 ||
	       json_array_size(json_object_get(decl, "rules"));
}

json_t *coupling_declared(const json_t *coupling)
{
	json_t *decl = json_pack("{s:O, s:O, s:[], s:[]}",
				 "name", json_object_get(coupling, "name"),
				 "type", json_object_get(coupling, "type"),
				 "members", "rules");
	json_t *member, *value;
	size_t i;

	/* Those by a rule follow from the rule, and come and go. */
	json_array_foreach(json_object_get(coupling, "members"), i, member)
		if (!json_is_true(json_object_get(member, "implicit")))
			coupling_add_member(decl, json_str(member, "name"));
	json_array_extend(json_object_get(decl, "rules"), json_object_get(coupling, "rules"));
	value = json_object_get(coupling, "deny");
	if (json_array_size(value))
		json_object_set(decl, "deny", value);
	for (i = 0; i < COUPLING_OPTIONS; i++) {
		value = json_object_get(coupling, coupling_options[i].key);
		if (value)
			json_object_set(decl, coupling_options[i].key, value);
	}
	return decl;
}

/* What a member or rule says, and of what kind it is. */
static const char *place_value(const json_t *place, const char **key)
{
	void *first = json_object_iter((json_t *)place);

	*key = json_object_iter_key(first);
	return json_string_value(json_object_iter_value(first));
}

/* Members and rules as the keys of an object, whatever their order. */
static json_t *place_set(const json_t *decl)
{
	static const char *const lists[] = { "members", "rules" };
	json_t *set = json_object();
	const char *key, *value;
	char text[128];
	json_t *place;
	size_t i, j;

	for (i = 0; i < ARRAY_SIZE(lists); i++) {
		json_array_foreach(json_object_get(decl, lists[i]), j, place) {
			value = place_value(place, &key);
			snprintf(text, sizeof(text), "%s %s", key, value);
			json_object_set_new(set, text, json_null());
		}
	}
	return set;
}

static bool same_places(const json_t *a, const json_t *b)
{
	json_t *places_a = place_set(a), *places_b = place_set(b);
	bool same = json_equal(places_a, places_b);

	json_decref(places_a);
	json_decref(places_b);
	return same;
}

static bool same_option(const json_t *a, const json_t *b,
			const struct coupling_option *option)
{
	const json_t *value_a = json_object_get(a, option->key);
	const json_t *value_b = json_object_get(b, option->key);

	return value_a == value_b || json_equal(value_a, value_b);
}

/* The same, but for options that can be changed if @change is set. */
static bool same_but(const json_t *a, const json_t *b, bool change)
{
	size_t i;

	for (i = 0; i < COUPLING_OPTIONS; i++)
		if (!(change && coupling_options[i].change) &&
		    !same_option(a, b, &coupling_options[i]))
			return false;
	return json_equal(json_object_get(a, "type"), json_object_get(b, "type")) &&
	       same_places(a, b) && (change || coupling_same_denials(a, b));
}

bool coupling_same(const json_t *a, const json_t *b)
{
	return same_but(a, b, false);
}

bool coupling_can_change(const json_t *before, const json_t *after)
{
	return same_but(before, after, true);
}

json_t *coupling_difference(const json_t *before, const json_t *after)
{
	json_t *decl = json_pack("{s:O}", "name", json_object_get(after, "name"));
	size_t i;

	for (i = 0; i < COUPLING_OPTIONS; i++)
		if (!same_option(before, after, &coupling_options[i]))
			json_object_set(decl, coupling_options[i].key,
					json_object_get(after, coupling_options[i].key));
	coupling_difference_denials(decl, before, after);
	return decl;
}

/* Attributes report that the message is full by anything but 0. */
static bool put_place(struct nl_msg *msg, const json_t *place)
{
	static const int addr_attrs[] = {
		[WORD_MAC] = IVSHM_A_MEMBER_MAC,
		[WORD_IPV4] = IVSHM_A_MEMBER_IPV4,
		[WORD_IPV6] = IVSHM_A_MEMBER_IPV6,
	};
	const char *key, *value = place_value(place, &key);
	struct word_addr addr;

	if (!strcmp(key, "name"))
		return nla_put_string(msg, IVSHM_A_MEMBER_NAME, value);
	if (!strcmp(key, "upper"))
		return nla_put_string(msg, IVSHM_A_MEMBER_UPPER, value);
	if (strcmp(key, "glob") && word_addr(value, &addr))
		return nla_put(msg, addr_attrs[addr.kind], addr.len, addr.bytes);
	return nla_put_string(msg, IVSHM_A_MEMBER_GLOB, value);
}

static bool put_places(struct nl_msg *msg, int attr, const json_t *places)
{
	struct nlattr *nest;
	json_t *place;
	bool full;
	size_t i;

	if (!json_array_size(places))
		return false;
	nest = ivnl_nest(msg, attr);
	full = !nest;
	json_array_foreach(places, i, place) {
		struct nlattr *member = NULL;

		if (!full)
			member = ivnl_nest(msg, IVSHM_A_COUPLING_MEMBER);
		full = full || !member || put_place(msg, place);
		if (!full)
			nla_nest_end(msg, member);
	}
	return full || nla_nest_end(msg, nest);
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
		if (option->wide)
			full = nla_put_u64(msg, option->attr, option_number(option, value));
		else if (option->unit || option->words)
			full = nla_put_u32(msg, option->attr,
					   (uint32_t)option_number(option, value));
		else
			full = nla_put_u8(msg, option->attr, json_is_true(value));
	}
	return full;
}

struct nl_msg *coupling_msg_new(const struct ivnl *nl, const json_t *decl,
				bool *full)
{
	struct nl_msg *msg = ivnl_msg_new_for(nl, IVSHM_CMD_COUPLING_NEW, NLM_F_ACK, decl);
	struct nlattr *nest = ivnl_nest(msg, IVSHM_A_COUPLING);

	*full = !nest ||
		nla_put_string(msg, IVSHM_A_COUPLING_NAME,
			       json_str(decl, "name")) ||
		nla_put_u32(msg, IVSHM_A_COUPLING_TYPE,
			    coupling_is_dynamic(decl) ? IVSHM_COUPLING_DYNAMIC :
							IVSHM_COUPLING_STATIC) ||
		put_places(msg, IVSHM_A_COUPLING_MEMBERS, json_object_get(decl, "members")) ||
		put_places(msg, IVSHM_A_COUPLING_RULES, json_object_get(decl, "rules")) ||
		put_options(msg, decl) || coupling_put_denials(msg, decl) ||
		nla_nest_end(msg, nest);
	return msg;
}

struct nl_msg *coupling_msg_set(const struct ivnl *nl, const json_t *difference,
				bool *full)
{
	struct nl_msg *msg = ivnl_msg_new_for(nl, IVSHM_CMD_COUPLING_SET, NLM_F_ACK, difference);
	struct nlattr *nest = ivnl_nest(msg, IVSHM_A_COUPLING);

	*full = !nest ||
		nla_put_string(msg, IVSHM_A_COUPLING_NAME, json_str(difference, "name")) ||
		put_options(msg, difference) || coupling_put_denials(msg, difference) ||
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

void coupling_print_changes(FILE *f, const json_t *difference)
{
	char buf[COUPLING_VALUE];
	size_t i;

	decl_print_word(f, json_str(difference, "name"));
	for (i = 0; i < COUPLING_OPTIONS; i++) {
		const struct coupling_option *option = &coupling_options[i];
		const char *value = coupling_value(difference, option, buf, sizeof(buf));

		if (value)
			fprintf(f, " %s %s", option->word, value);
	}
	coupling_print_denials(f, difference);
}

void coupling_print_words(FILE *f, const json_t *decl)
{
	const char *key, *value;
	json_t *place;
	char buf[COUPLING_VALUE];
	size_t i;

	decl_print_word(f, json_str(decl, "name"));
	fprintf(f, " %s", json_str(decl, "type"));
	json_array_foreach(json_object_get(decl, "members"), i, place) {
		value = json_str(place, "name");

		/* Without a digit it might look like an option. */
		fputs(strpbrk(value, "0123456789") && !strpbrk(value, ",=") &&
		      !coupling_word_is_rule(value) ? " " : " port ", f);
		decl_print_word(f, value);
	}
	json_array_foreach(json_object_get(decl, "rules"), i, place) {
		value = place_value(place, &key);
		fputs(strcmp(key, "upper") ? " " : " upper ", f);
		decl_print_word(f, value);
	}
	for (i = 0; i < COUPLING_OPTIONS; i++) {
		const struct coupling_option *option = &coupling_options[i];
		const json_t *given = json_object_get(decl, option->key);

		value = coupling_value(decl, option, buf, sizeof(buf));
		if (!value || option_number(option, given) == option->preset)
			continue;
		fprintf(f, " %s %s", option->word, value);
	}
	coupling_print_denials(f, decl);
}

/* Columns of what is written. */
#define WIDTH	76

/* One of the values of @key; *@column is 0 before the first. */
static void write_value(FILE *f, const char *key, const char *value, int *column)
{
	if (!*column) {
		*column = fprintf(f, "%s =", key);
	/* A line that begins with a bracket would be a heading. */
	} else if (*column + (int)strlen(value) >= WIDTH && *value != '[') {
		fputs("\n\t", f);
		*column = 8;
	}
	*column += fprintf(f, " %s", value);
}

static void write_words(FILE *f, const char *key, const json_t *places, int *column, bool upper)
{
	const char *kind, *value;
	json_t *place;
	size_t i;

	json_array_foreach(places, i, place) {
		value = place_value(place, &kind);
		if (!strcmp(kind, "upper") == upper)
			write_value(f, key, value, column);
	}
}

static void end_line(FILE *f, int *column)
{
	if (*column)
		fputc('\n', f);
	*column = 0;
}

void coupling_write(FILE *f, const json_t *decl)
{
	const json_t *rules = json_object_get(decl, "rules");
	char buf[COUPLING_VALUE], *pair;
	const char *value;
	json_t *denial;
	int column = 0, len;
	size_t i;

	fprintf(f, "[coupling %s]\ntype = %s\n", json_str(decl, "name"),
		json_str(decl, "type"));
	write_words(f, "members", json_object_get(decl, "members"), &column, false);
	write_words(f, "members", rules, &column, false);
	end_line(f, &column);
	write_words(f, "upper", rules, &column, true);
	end_line(f, &column);
	for (i = 0; i < COUPLING_OPTIONS; i++) {
		const struct coupling_option *option = &coupling_options[i];

		value = coupling_value(decl, option, buf, sizeof(buf));
		if (value)
			fprintf(f, "%s = %s\n", option->word, value);
	}
	json_array_foreach(json_object_get(decl, "deny"), i, denial) {
		len = asprintf(&pair, "%s:%s", json_str(denial, "src"), json_str(denial, "dst"));
		check_alloc(len < 0 ? NULL : pair);
		write_value(f, "deny", pair, &column);
		free(pair);
	}
	end_line(f, &column);
}
