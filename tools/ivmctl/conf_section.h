/* SPDX-License-Identifier: GPL-2.0 */
/* Sections of configuration files, for conf.c and those that know their keys. */
#ifndef _IVMCTL_CONF_SECTION_H
#define _IVMCTL_CONF_SECTION_H

#include <jansson.h>
#include <stdio.h>

#include "conf.h"
#include "ivmctl.h"

#define BLANKS	" \t\r\n\v\f"

/* Most keys of a section. */
#define CONF_KEYS_MAX	16

struct conf_section;

/**
 * struct conf_parser - a file being read
 * @conf:      gets what is read
 * @f:         the file
 * @file:      its name
 * @line:      number of the line that libinih has
 * @buf:       that line
 * @size:      of @buf
 * @section:   that it is in
 * @decl:      of the section, NULL outside of one; not complete before its end
 * @head:      line of its heading
 * @skip:      the heading was wrong, so nothing is said of what follows
 * @seen:      lines on which its keys stand, 0 for not yet
 * @continued: the line goes on with the value before it
 */
struct conf_parser {
	struct conf *conf;
	FILE *f;
	const char *file;
	unsigned int line;
	char *buf;
	size_t size;
	const struct conf_section *section;
	json_t *decl;
	unsigned int head;
	bool skip;
	unsigned int seen[CONF_KEYS_MAX];
	bool continued;
};

/**
 * struct conf_section - a kind of section
 * @kind:    what it declares
 * @heading: as it is to be written
 * @one:     what it declares, with an article
 * @name:    what stands after the kind
 * @a_name:  the same with an article
 * @key:     the word before "=" of that number, NULL after the last
 * @is_list: whether the value of that key is words, none or many, which may go on
 *           in further lines; NULL for none
 * @begin:   a declaration of that name, or NULL after a complaint
 * @value:   of a key has been read; not empty unless it is a list
 * @end:     of the section: what is missing, and what does not fit together
 */
struct conf_section {
	enum decl_kind kind;
	const char *heading;
	const char *one;
	const char *name;
	const char *a_name;
	const char *(*key)(int key);
	bool (*is_list)(int key);
	json_t *(*begin)(struct conf_parser *p, const char *name);
	void (*value)(struct conf_parser *p, int key, const char *value);
	void (*end)(struct conf_parser *p);
};

extern const struct conf_section conf_section_coupling;
extern const struct conf_section conf_section_address;

/* A complaint about the line at hand. */
void conf_wrong(struct conf_parser *p, const char *fmt, ...) __printf(2, 3);
/* The same, about line @line. */
void conf_wrong_at(struct conf_parser *p, unsigned int line, const char *fmt, ...)
	__printf(3, 4);

#endif /* _IVMCTL_CONF_SECTION_H */
