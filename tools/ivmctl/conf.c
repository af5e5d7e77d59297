// SPDX-License-Identifier: GPL-2.0
/*
 * Reading configuration files.
 *
 * libinih takes lines apart. It asks for one line after the other, so whoever
 * hands them out knows their numbers; headings are looked at there as well, since
 * libinih neither tells of sections without keys nor sees what follows a "]".
 */
#include <ctype.h>
#include <errno.h>
#include <ini.h>
#include <linux/ivshm_netlink.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "conf.h"
#include "coupling.h"
#include "output.h"

#define BLANKS	" \t\r\n\v\f"
#define COMMENT	";#"
#define BOM	"\xef\xbb\xbf"

/* Keys of a section: its options, and these. */
#define KEY_TYPE	COUPLING_OPTIONS
#define KEY_MEMBERS	(COUPLING_OPTIONS + 1)
#define KEYS		(COUPLING_OPTIONS + 2)

/**
 * struct parser - a file being read
 * @conf:      gets what is read
 * @f:         the file
 * @file:      its name
 * @line:      number of the line that libinih has
 * @buf:       that line
 * @size:      of @buf
 * @decl:      of the section, NULL outside of one; not complete before its end
 * @head:      line of its heading
 * @skip:      the heading was wrong, so nothing is said of what follows
 * @seen:      lines on which its keys stand, 0 for not yet
 * @continued: the line goes on with the value before it
 */
struct parser {
	struct conf *conf;
	FILE *f;
	const char *file;
	unsigned int line;
	char *buf;
	size_t size;
	json_t *decl;
	unsigned int head;
	bool skip;
	unsigned int seen[KEYS];
	bool continued;
};

static const char *key_word(int key)
{
	if (key == KEY_TYPE)
		return "type";
	if (key == KEY_MEMBERS)
		return "members";
	return coupling_options[key].word;
}

/* A complaint about the line at hand. */
static void __printf(2, 3) wrong(struct parser *p, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	conf_wrong(p->conf, p->file, p->line, fmt, ap);
	va_end(ap);
}

/* The same, about line @line. */
static void __printf(3, 4) wrong_at(struct parser *p, unsigned int line,
				    const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	conf_wrong(p->conf, p->file, line, fmt, ap);
	va_end(ap);
}

/*
 * Sections
 */

/* Options of a type that was not known when they were read. */
static void check_options(struct parser *p)
{
	int i;

	if (!p->seen[KEY_TYPE] || coupling_is_dynamic(p->decl))
		return;
	for (i = 0; i < COUPLING_OPTIONS; i++)
		if (p->seen[i] && coupling_options[i].dynamic)
			wrong_at(p, p->seen[i],
				 "%s is for dynamic couplings, expected type = dynamic (line %u says static)",
				 key_word(i), p->seen[KEY_TYPE]);
}

static void check_members(struct parser *p)
{
	size_t nr = json_array_size(json_object_get(p->decl, "members"));

	if (nr > IVSHM_MEMBERS_MAX)
		wrong_at(p, p->seen[KEY_MEMBERS],
			 "%zu members, expected at most %u", nr, IVSHM_MEMBERS_MAX);
	else if (nr < 2)
		wrong_at(p, p->seen[KEY_MEMBERS],
			 "%zu member%s, expected at least two interfaces", nr,
			 nr == 1 ? "" : "s");
}

static void section_end(struct parser *p)
{
	struct conf *conf = p->conf;
	const char *name = json_str(p->decl, "name");
	json_t *decl = p->decl;

	if (!decl)
		return;

	if (!p->seen[KEY_TYPE])
		wrong_at(p, p->head,
			 "coupling %s has no type, expected type = static or type = dynamic",
			 name);
	if (!p->seen[KEY_MEMBERS])
		wrong_at(p, p->head,
			 "coupling %s has no members, expected members = INTERFACE INTERFACE...",
			 name);
	else
		check_members(p);
	check_options(p);

	coupling_complete(decl);
	conf->couplings[conf->nr - 1].decl = decl;
	p->decl = NULL;
}

static bool check_name(struct parser *p, const char *name)
{
	const struct conf_coupling *other;
	const char *expected = conf_bad_name(name);

	if (expected) {
		wrong(p, "bad name of a coupling \"%s\", expected %s", name, expected);
		return false;
	}
	other = conf_find(p->conf, name);
	if (other) {
		wrong(p,
		      "coupling %s is declared a second time, expected another name (first: %s:%u)",
		      name, other->file, other->line);
		return false;
	}
	return true;
}

static void section_new(struct parser *p, const char *name)
{
	struct conf *conf = p->conf;

	if (conf->nr == conf->room) {
		conf->room = conf->room ? 2 * conf->room : 64;
		conf->couplings = check_alloc(reallocarray(conf->couplings,
							   conf->room,
							   sizeof(*conf->couplings)));
	}
	p->decl = coupling_new(name, IVSHM_COUPLING_STATIC);
	p->head = p->line;
	conf->couplings[conf->nr] = (struct conf_coupling) {
		.file = p->file,
		.line = p->line,
	};
	json_object_set_new(conf->names, name, json_integer((json_int_t)conf->nr));
	conf->nr++;
}

/* The line @text is a heading: "[coupling NAME]". */
static void section_begin(struct parser *p, const char *text)
{
	static const char *const kinds[] = { "coupling", NULL };
	char *copy = check_alloc(strdup(text + 1));
	char *end = strchr(copy, ']');
	char *kind, *name, *rest;

	section_end(p);
	memset(p->seen, 0, sizeof(p->seen));
	p->skip = true;

	if (!end) {
		wrong(p, "the heading is not closed, expected ]");
		goto out;
	}
	*end = '\0';
	if (end[1 + strspn(end + 1, BLANKS)]) {
		wrong(p, "\"%s\" after the heading, expected the end of the line",
		      end + 1 + strspn(end + 1, BLANKS));
		goto out;
	}
	kind = strtok_r(copy, BLANKS, &rest);
	name = strtok_r(NULL, BLANKS, &rest);
	if (!kind || strcmp(kind, kinds[0])) {
		wrong(p, "unknown section \"%s\", expected [coupling NAME]",
		      kind ? kind : "");
	} else if (!name) {
		wrong(p, "a coupling without a name, expected [coupling NAME]");
	} else if (rest[strspn(rest, BLANKS)]) {
		wrong(p, "\"%s\" after the name, expected [coupling NAME]",
		      rest + strspn(rest, BLANKS));
	} else if (check_name(p, name)) {
		section_new(p, name);
		p->skip = false;
	}
out:
	free(copy);
}

/*
 * Lines
 */

/* What is in no text. Tabs are blanks. */
static bool check_bytes(struct parser *p, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++) {
		unsigned char c = (unsigned char)p->buf[i];

		if (c == '\t' || !text_is_control(&p->buf[i]))
			continue;
		if (c == '\r' && i + 2 >= len)
			continue;
		if (c == '\n' && i + 1 == len)
			continue;
		wrong(p, "a byte 0x%02x, expected text", c);
		return false;
	}
	return true;
}

/* Where a comment begins: at the beginning of a word. */
static void cut_comment(char *text)
{
	char *c;

	for (c = text; *c; c++)
		if (strchr(COMMENT, *c) && (c == text || isblank((unsigned char)c[-1])))
			*c = '\0';
}

static bool is_assignment(const char *text)
{
	size_t word = strcspn(text, BLANKS "=");

	return word && text[word + strspn(text + word, BLANKS)] == '=';
}

/*
 * The line in the buffer without what libinih shall not see: NULL if there is
 * nothing in it.  An indented line goes on with the value before it, unless it
 * is an assignment or a heading, which many people indent.
 */
static char *clean_line(struct parser *p, size_t len)
{
	char *text = p->buf, *begin;

	if (!check_bytes(p, len))
		return NULL;
	if (p->line == 1 && !strncmp(text, BOM, strlen(BOM)))
		text += strlen(BOM);
	cut_comment(text);
	for (len = strlen(text); len && strchr(BLANKS, text[len - 1]); len--)
		text[len - 1] = '\0';
	begin = text + strspn(text, BLANKS);
	if (!*begin)
		return NULL;
	if (*begin == '[') {
		section_begin(p, begin);
		return begin;
	}
	if (is_assignment(begin))
		return begin;
	p->continued = begin > text;
	if (!p->continued) {
		wrong(p, "\"%s\", expected KEY = VALUE", begin);
		return NULL;
	}
	return text;
}

/* Called by libinih for the next line, as fgets() is. */
static char *next_line(char *line, int room, void *stream)
{
	struct parser *p = stream;
	ssize_t len = getline(&p->buf, &p->size, p->f);
	char *text;

	if (len < 0)
		return NULL;
	p->line++;
	p->continued = false;
	text = clean_line(p, (size_t)len);
	if (text && strlen(text) >= (size_t)room) {
		wrong(p,
		      "a line of %zu bytes, expected at most %d (members may go on in further lines, indented)",
		      strlen(text), room - 1);
		text = NULL;
	}
	snprintf(line, (size_t)room, "%s", text ? text : "");
	return line;
}

/*
 * Keys
 */

static void read_type(struct parser *p, const char *value)
{
	const char *suggestion = word_suggest(value, coupling_type_words);
	int i;

	for (i = 0; coupling_type_words[i]; i++) {
		if (strcmp(value, coupling_type_words[i]))
			continue;
		json_object_set_new(p->decl, "type", json_string(value));
		return;
	}
	wrong(p, "unknown type \"%s\", expected static or dynamic%s%s%s", value,
	      suggestion ? ", did you mean \"" : "", suggestion ? suggestion : "",
	      suggestion ? "\"?" : "");
	/* The type that all options fit: no complaint shall follow from this one. */
	json_object_set_new(p->decl, "type",
			    json_string(coupling_type_words[IVSHM_COUPLING_DYNAMIC]));
}

static void read_number(struct parser *p, const struct coupling_option *option,
			const char *value)
{
	size_t digits = strspn(value, "0123456789");
	unsigned long long n;

	if (option->zero && !strcmp(value, option->zero)) {
		coupling_set(p->decl, option, 0);
		return;
	}
	n = strtoull(value, NULL, 10);
	if (!value[digits] && digits && n >= option->min && n <= option->max) {
		coupling_set(p->decl, option, (uint32_t)n);
		return;
	}
	wrong(p, "%s = \"%s\", expected %u to %u %s%s%s", option->word, value,
	      option->min, option->max, option->unit,
	      option->zero ? ", or " : "", option->zero ? option->zero : "");
}

static void read_word(struct parser *p, const struct coupling_option *option,
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
	wrong(p, "%s = \"%s\", expected %s", option->word, value, list);
}

static void read_member(struct parser *p, const char *name)
{
	const char *expected = conf_bad_interface(name);
	json_t *members = p->conf->members;
	const json_t *other = json_object_get(members, name);

	if (expected)
		wrong(p, "bad member \"%s\", expected %s", name, expected);
	else if (other)
		wrong(p,
		      "%s is a member already, expected an interface in one coupling only (first: %s)",
		      name, json_string_value(other));
	else
		json_object_set_new(members, name,
				    json_sprintf("%s:%u, coupling %s", p->file,
						 p->line, json_str(p->decl, "name")));
	/* Also if it is wrong: it was meant to be one. */
	coupling_add_member(p->decl, name);
}

static void read_members(struct parser *p, const char *value)
{
	char *copy = check_alloc(strdup(value));
	char *name, *rest;

	for (name = strtok_r(copy, BLANKS, &rest); name;
	     name = strtok_r(NULL, BLANKS, &rest))
		read_member(p, name);
	free(copy);
}

static int find_key(struct parser *p, const char *word)
{
	const char *words[KEYS + 1] = { NULL };
	const char *suggestion;
	char list[128] = "";
	size_t len = 0;
	int i;

	for (i = 0; i < KEYS; i++) {
		words[i] = key_word(i);
		if (!strcmp(word, words[i]))
			return i;
		len += (size_t)snprintf(list + len, sizeof(list) - len, "%s%s",
					i ? ", " : "", words[i]);
	}
	suggestion = word_suggest(word, words);
	if (suggestion)
		wrong(p, "unknown key \"%s\", expected one of: %s; did you mean \"%s\"?",
		      word, list, suggestion);
	else
		wrong(p, "unknown key \"%s\", expected one of: %s", word, list);
	return -1;
}

/* Called by libinih for a key and its value, and for each further line of it. */
static int key_value(void *user, const char *section, const char *word,
		     const char *value)
{
	struct parser *p = user;
	int key;

	(void)section;
	if (p->skip)
		return 1;
	if (!p->decl) {
		wrong(p, "\"%s\" before the first section, expected [coupling NAME]",
		      word);
		return 1;
	}
	key = find_key(p, word);
	if (key < 0)
		return 1;
	if (p->continued && key != KEY_MEMBERS) {
		wrong(p, "\"%s\" goes on with %s, expected KEY = VALUE (only members may go on)",
		      value, word);
		return 1;
	}
	if (p->seen[key] && !p->continued) {
		wrong(p, "%s is given twice, expected it once (first: line %u)",
		      word, p->seen[key]);
		return 1;
	}
	if (!p->seen[key])
		p->seen[key] = p->line;

	if (!*value && key != KEY_MEMBERS)
		wrong(p, "%s has no value, expected KEY = VALUE", word);
	else if (key == KEY_TYPE)
		read_type(p, value);
	else if (key == KEY_MEMBERS)
		read_members(p, value);
	else if (coupling_options[key].unit)
		read_number(p, &coupling_options[key], value);
	else
		read_word(p, &coupling_options[key], value);
	return 1;
}

void conf_read_file(struct conf *conf, FILE *f, const char *name)
{
	struct parser p = { .conf = conf, .f = f };
	int line;

	conf->files = check_alloc(reallocarray(conf->files, conf->nr_files + 1,
					       sizeof(*conf->files)));
	p.file = check_alloc(strdup(name));
	conf->files[conf->nr_files++] = (char *)p.file;

	errno = 0;
	line = ini_parse_stream(next_line, &p, key_value, &p);
	if (ferror(f)) {
		p.line++;
		wrong(&p, "cannot read: %s", strerror(errno));
	} else if (line > 0 && !conf->errors) {
		/* Whatever libinih does not like that is not known above. */
		wrong_at(&p, (unsigned int)line, "expected KEY = VALUE or [coupling NAME]");
	} else if (line < 0) {
		check_alloc(NULL);
	}
	section_end(&p);
	free(p.buf);
}
