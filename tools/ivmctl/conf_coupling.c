// SPDX-License-Identifier: GPL-2.0
/* Sections that declare couplings. */
#include <linux/ivshm_netlink.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#include "conf_section.h"
#include "coupling.h"
#include "decl.h"
#include "output.h"

/* Keys after the options. */
enum {
	KEY_TYPE = COUPLING_OPTIONS,
	KEY_MEMBERS,
	KEY_UPPER,
	KEY_DENY,
};

static const char *key_word(int key)
{
	static const char *const words[] = { "type", "members", "upper", "deny", NULL };

	return key < COUPLING_OPTIONS ? coupling_options[key].word :
					words[key - COUPLING_OPTIONS];
}

static bool is_list(int key)
{
	return key == KEY_MEMBERS || key == KEY_UPPER || key == KEY_DENY;
}

static json_t *begin(struct conf_parser *p, const char *name)
{
	const char *expected = conf_bad_name(name);

	if (!expected)
		return coupling_new(name, IVSHM_COUPLING_STATIC);
	conf_wrong(p, "bad name of a coupling \"%s\", expected %s", name, expected);
	return NULL;
}

/*
 * Values
 */

static void read_type(struct conf_parser *p, const char *value)
{
	const char *suggestion = word_suggest(value, coupling_type_words);
	int i;

	for (i = 0; coupling_type_words[i]; i++) {
		if (strcmp(value, coupling_type_words[i]))
			continue;
		json_object_set_new(p->decl, "type", json_string(value));
		return;
	}
	conf_wrong(p, "unknown type \"%s\", expected static or dynamic%s%s%s", value,
		   suggestion ? ", did you mean \"" : "", suggestion ? suggestion : "",
		   suggestion ? "\"?" : "");
	/* The type that all options fit: no complaint shall follow from this one. */
	json_object_set_new(p->decl, "type",
			    json_string(coupling_type_words[IVSHM_COUPLING_DYNAMIC]));
}

static void read_number(struct conf_parser *p, const struct coupling_option *option,
			const char *value)
{
	uint64_t n;

	if (option->zero && !strcmp(value, option->zero)) {
		coupling_set(p->decl, option, 0);
		return;
	}
	if (word_number(value, option->scaled, &n) && n >= option->min && n <= option->max) {
		coupling_set(p->decl, option, n);
		return;
	}
	conf_wrong(p, "%s = \"%s\", expected %llu to %llu %s%s%s", option->word, value,
		   (unsigned long long)option->min, (unsigned long long)option->max, option->unit,
		   option->zero ? ", or " : "", option->zero ? option->zero : "");
}

static void read_word(struct conf_parser *p, const struct coupling_option *option,
		      const char *value)
{
	static const char *const no_yes[] = { "no", "yes", NULL };
	const char *const *words = option->words ? option->words : no_yes;
	char list[64] = "";
	uint32_t i;

	for (i = 0; words[i]; i++) {
		size_t len = strlen(list);

		if (!strcmp(value, words[i])) {
			coupling_set(p->decl, option, i);
			return;
		}
		snprintf(list + len, sizeof(list) - len, "%s%s", i ? " or " : "",
			 words[i]);
	}
	conf_wrong(p, "%s = \"%s\", expected %s", option->word, value, list);
}

static void read_named(struct conf_parser *p, const char *name)
{
	const char *expected = conf_bad_interface(name);
	json_t *members = p->conf->members;
	const json_t *other = json_object_get(members, name);

	if (expected)
		conf_wrong(p, "bad member \"%s\", expected %s", name, expected);
	else if (other)
		conf_wrong(p,
			   "%s is a member already, expected an interface in one coupling only (first: %s)",
			   name, json_string_value(other));
	else
		json_object_set_new(members, name,
				    json_sprintf("%s:%u, coupling %s", p->file,
						 p->line, json_str(p->decl, "name")));
}

static void read_member(struct conf_parser *p, const char *word)
{
	struct word_addr addr;

	if (!coupling_word_is_rule(word))
		read_named(p, word);
	else if (!word_addr(word, &addr) && strlen(word) >= IF_NAMESIZE)
		conf_wrong(p, "bad pattern \"%s\", expected at most %d bytes", word,
			   IF_NAMESIZE - 1);
	else if (!word_addr(word, &addr) && strchr(word, '/'))
		conf_wrong(p, "bad pattern \"%s\", expected one for names of interfaces",
			   word);
	/* Also if it is wrong: it was meant to be one. */
	coupling_add_word(p->decl, word);
}

static void read_upper(struct conf_parser *p, const char *word)
{
	const char *expected = conf_bad_interface(word);

	if (expected)
		conf_wrong(p, "bad upper device \"%s\", expected %s", word, expected);
	coupling_add_rule(p->decl, "upper", word);
}

static void read_denial(struct conf_parser *p, const char *word)
{
	char src[IF_NAMESIZE];
	const char *dst;

	/* The names themselves are for the kernel: patterns may be among them. */
	if (coupling_word_denial(word, src, sizeof(src), &dst) && strlen(dst) < IF_NAMESIZE)
		coupling_add_denial(p->decl, "deny", src, dst);
	else
		conf_wrong(p, "\"%s\", expected SENDER:RECEIVER, interfaces or patterns for them",
			   word);
}

static void read_list(struct conf_parser *p, const char *text,
		      void (*read)(struct conf_parser *p, const char *word))
{
	char *copy = check_alloc(strdup(text));
	char *word, *rest;

	for (word = strtok_r(copy, BLANKS, &rest); word;
	     word = strtok_r(NULL, BLANKS, &rest))
		read(p, word);
	free(copy);
}

static void value(struct conf_parser *p, int key, const char *text)
{
	if (key == KEY_TYPE)
		read_type(p, text);
	else if (key == KEY_MEMBERS)
		read_list(p, text, read_member);
	else if (key == KEY_UPPER)
		read_list(p, text, read_upper);
	else if (key == KEY_DENY)
		read_list(p, text, read_denial);
	else if (coupling_options[key].unit)
		read_number(p, &coupling_options[key], text);
	else
		read_word(p, &coupling_options[key], text);
}

/*
 * The section as a whole
 */

/* Options of a type that was not known when they were read. */
static void check_options(struct conf_parser *p)
{
	int i;

	if (!p->seen[KEY_TYPE] || coupling_is_dynamic(p->decl))
		return;
	for (i = 0; i < COUPLING_OPTIONS; i++)
		if (p->seen[i] && coupling_options[i].dynamic)
			conf_wrong_at(p, p->seen[i],
				      "%s is for dynamic couplings, expected type = dynamic (line %u says static)",
				      key_word(i), p->seen[KEY_TYPE]);
}

static void check_members(struct conf_parser *p)
{
	unsigned int line = p->seen[p->seen[KEY_MEMBERS] ? KEY_MEMBERS : KEY_UPPER];
	size_t named = json_array_size(json_object_get(p->decl, "members"));
	size_t rules = json_array_size(json_object_get(p->decl, "rules"));

	if (!line)
		conf_wrong_at(p, p->head,
			      "coupling %s has no members, expected members = INTERFACE INTERFACE...",
			      json_str(p->decl, "name"));
	else if (named + rules > IVSHM_MEMBERS_MAX)
		conf_wrong_at(p, line, "%zu members, expected at most %u", named + rules,
			      IVSHM_MEMBERS_MAX);
	else if (!coupling_has_members(p->decl))
		conf_wrong_at(p, line, "%zu member%s, expected at least two interfaces",
			      named, named == 1 ? "" : "s");
}

/* Who gets packets that were meant for a gateway is to be written down. */
static void check_match(struct conf_parser *p)
{
	size_t i;
	json_t *rule;

	if (strcmp(json_str(p->decl, "match"), "ip"))
		return;
	json_array_foreach(json_object_get(p->decl, "rules"), i, rule) {
		const char *kind = json_object_get(rule, "glob") ? "glob" : "upper";

		if (!json_object_get(rule, kind))
			continue;
		conf_wrong_at(p, p->seen[*kind == 'g' ? KEY_MEMBERS : KEY_UPPER],
			      "\"%s\" in a coupling with match = ip, expected names and addresses",
			      json_str(rule, kind));
	}
}

static void end(struct conf_parser *p)
{
	if (!p->seen[KEY_TYPE])
		conf_wrong_at(p, p->head,
			      "coupling %s has no type, expected type = static or type = dynamic",
			      json_str(p->decl, "name"));
	check_members(p);
	check_options(p);
	check_match(p);
	coupling_complete(p->decl);
}

const struct conf_section conf_section_coupling = {
	.kind = DECL_COUPLING,
	.heading = "[coupling NAME]",
	.one = "a coupling",
	.name = "name",
	.a_name = "a name",
	.key = key_word,
	.is_list = is_list,
	.begin = begin,
	.value = value,
	.end = end,
};
