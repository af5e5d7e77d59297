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
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "conf.h"
#include "conf_section.h"
#include "decl.h"
#include "output.h"

#define COMMENT	";#"
#define BOM	"\xef\xbb\xbf"

/* The sections that there are. */
static const struct conf_section *const sections[] = {
	&conf_section_coupling,
	&conf_section_address,
};

void conf_wrong(struct conf_parser *p, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	conf_complain(p->conf, p->file, p->line, fmt, ap);
	va_end(ap);
}

void conf_wrong_at(struct conf_parser *p, unsigned int line, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	conf_complain(p->conf, p->file, line, fmt, ap);
	va_end(ap);
}

/*
 * Sections
 */

static void section_end(struct conf_parser *p)
{
	if (!p->decl)
		return;
	p->section->end(p);
	p->conf->decls[p->conf->nr - 1].decl = p->decl;
	p->decl = NULL;
}

static bool is_new(struct conf_parser *p, const struct conf_section *section,
		   const char *name)
{
	const struct conf_decl *other = conf_find(p->conf, section->kind, name);

	if (!other)
		return true;
	conf_wrong(p, "%s %s is declared a second time, expected another %s (first: %s:%u)",
		   decl_ops[section->kind].word, name, section->name, other->file,
		   other->line);
	return false;
}

/* Takes @decl, which has a name that is new. */
static void section_new(struct conf_parser *p, const struct conf_section *section,
			json_t *decl)
{
	struct conf *conf = p->conf;

	if (conf->nr == conf->room) {
		conf->room = conf->room ? 2 * conf->room : 64;
		conf->decls = check_alloc(reallocarray(conf->decls, conf->room,
						       sizeof(*conf->decls)));
	}
	p->section = section;
	p->decl = decl;
	p->head = p->line;
	conf->decls[conf->nr] = (struct conf_decl) {
		.kind = section->kind,
		.file = p->file,
		.line = p->line,
	};
	decl_table_add(conf->names, section->kind, json_str(decl, "name"),
		       json_integer((json_int_t)conf->nr));
	conf->nr++;
}

/* The section that is called @kind, or NULL after a complaint. */
static const struct conf_section *find_section(struct conf_parser *p, const char *kind)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(sections); i++)
		if (!strcmp(kind, decl_ops[sections[i]->kind].word))
			return sections[i];
	conf_wrong(p, "unknown section \"%s\", expected %s or %s", kind,
		   sections[0]->heading, sections[1]->heading);
	return NULL;
}

/* What is between the brackets. */
static void read_heading(struct conf_parser *p, char *text)
{
	const struct conf_section *section;
	char *kind, *name, *rest = NULL;
	json_t *decl;

	kind = strtok_r(text, BLANKS, &rest);
	name = kind ? strtok_r(NULL, BLANKS, &rest) : NULL;
	section = find_section(p, kind ? kind : "");
	if (!section)
		return;
	if (!name) {
		conf_wrong(p, "%s without %s, expected %s", section->one, section->a_name,
			   section->heading);
		return;
	}
	if (rest[strspn(rest, BLANKS)]) {
		conf_wrong(p, "\"%s\" after the %s, expected %s", rest + strspn(rest, BLANKS),
			   section->name, section->heading);
		return;
	}
	decl = section->begin(p, name);
	if (decl && is_new(p, section, json_str(decl, "name"))) {
		section_new(p, section, decl);
		p->skip = false;
	} else {
		json_decref(decl);
	}
}

/* The line @text is a heading: "[coupling NAME]", say. */
static void section_begin(struct conf_parser *p, const char *text)
{
	char *copy = check_alloc(strdup(text + 1));
	char *end = strchr(copy, ']');
	char *after;

	section_end(p);
	memset(p->seen, 0, sizeof(p->seen));
	p->skip = true;

	if (!end) {
		conf_wrong(p, "the heading is not closed, expected ]");
		goto out;
	}
	*end = '\0';
	after = end + 1 + strspn(end + 1, BLANKS);
	if (*after)
		conf_wrong(p, "\"%s\" after the heading, expected the end of the line",
			   after);
	else
		read_heading(p, copy);
out:
	free(copy);
}

/*
 * Lines
 */

/* What is in no text. Tabs are blanks. */
static bool check_bytes(struct conf_parser *p, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++) {
		unsigned char c = (unsigned char)p->buf[i];

		if ((c >= ' ' && c <= '~') || c == '\t' || !text_is_control(&p->buf[i]))
			continue;
		if (c == '\r' && i + 2 >= len)
			continue;
		if (c == '\n' && i + 1 == len)
			continue;
		conf_wrong(p, "a byte 0x%02x, expected text", c);
		return false;
	}
	return true;
}

/* Where a comment begins: at the beginning of a word. */
static void cut_comment(char *text)
{
	char *c;

	for (c = strpbrk(text, COMMENT); c; c = strpbrk(c + 1, COMMENT))
		if (c == text || isblank((unsigned char)c[-1]))
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
static char *clean_line(struct conf_parser *p, size_t len)
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
		conf_wrong(p, "\"%s\", expected KEY = VALUE", begin);
		return NULL;
	}
	return text;
}

/* Called by libinih for the next line, as fgets() is. */
static char *next_line(char *line, int room, void *stream)
{
	struct conf_parser *p = stream;
	ssize_t len = getline(&p->buf, &p->size, p->f);
	char *text;

	if (len < 0)
		return NULL;
	p->line++;
	p->continued = false;
	text = clean_line(p, (size_t)len);
	if (text && strlen(text) >= (size_t)room) {
		conf_wrong(p,
			   "a line of %zu bytes, expected at most %d (members may go on in further lines, indented)",
			   strlen(text), room - 1);
		text = NULL;
	}
	if (text)
		memcpy(line, text, strlen(text) + 1);
	else
		*line = '\0';
	return line;
}

/*
 * Keys
 */

static void unknown_key(struct conf_parser *p, const char *word)
{
	const char *words[CONF_KEYS_MAX + 1] = { NULL };
	const char *suggestion, *hint = NULL;
	char list[256] = "";
	size_t len = 0;
	int i;

	if (p->section->kind == DECL_COUPLING)
		hint = hint_option(word);
	for (i = 0; i < CONF_KEYS_MAX && p->section->key(i); i++) {
		words[i] = p->section->key(i);
		len += (size_t)snprintf(list + len, sizeof(list) - len, "%s%s",
					i ? ", " : "", words[i]);
	}
	suggestion = word_suggest(word, words);
	if (suggestion)
		conf_wrong(p, "unknown key \"%s\", expected one of: %s; did you mean \"%s\"?",
			   word, list, suggestion);
	else
		conf_wrong(p, "unknown key \"%s\", expected one of: %s%s%s", word, list,
			   hint ? "; " : "", hint ? hint : "");
}

static int find_key(struct conf_parser *p, const char *word)
{
	int i;

	for (i = 0; i < CONF_KEYS_MAX && p->section->key(i); i++)
		if (!strcmp(word, p->section->key(i)))
			return i;
	unknown_key(p, word);
	return -1;
}

/* Called by libinih for a key and its value, and for each further line of it. */
static int key_value(void *user, const char *section, const char *word,
		     const char *value)
{
	struct conf_parser *p = user;
	bool list;
	int key;

	(void)section;
	if (p->skip)
		return 1;
	if (!p->decl) {
		conf_wrong(p, "\"%s\" before the first section, expected %s", word,
			   sections[0]->heading);
		return 1;
	}
	key = find_key(p, word);
	if (key < 0)
		return 1;
	list = p->section->is_list && p->section->is_list(key);
	if (p->continued && !list) {
		conf_wrong(p,
			   "\"%s\" goes on with %s, expected KEY = VALUE (only members, upper and deny may go on)",
			   value, word);
		return 1;
	}
	if (p->seen[key] && !p->continued) {
		conf_wrong(p, "%s is given twice, expected it once (first: line %u)",
			   word, p->seen[key]);
		return 1;
	}
	if (!p->seen[key])
		p->seen[key] = p->line;

	if (!*value && !list)
		conf_wrong(p, "%s has no value, expected KEY = VALUE", word);
	else
		p->section->value(p, key, value);
	return 1;
}

void conf_read_file(struct conf *conf, FILE *f, const char *name)
{
	struct conf_parser p = { .conf = conf, .f = f };
	int line;

	conf->files = check_alloc(reallocarray(conf->files, conf->nr_files + 1,
					       sizeof(*conf->files)));
	p.file = check_alloc(strdup(name));
	conf->files[conf->nr_files++] = (char *)p.file;

	errno = 0;
	line = ini_parse_stream(next_line, &p, key_value, &p);
	if (ferror(f)) {
		p.line++;
		conf_wrong(&p, "cannot read: %s", strerror(errno));
	} else if (line > 0 && !conf->errors) {
		/* Whatever libinih does not like that is not known above. */
		conf_wrong_at(&p, (unsigned int)line, "expected KEY = VALUE or [coupling NAME]");
	} else if (line < 0) {
		check_alloc(NULL);
	}
	section_end(&p);
	free(p.buf);
}
