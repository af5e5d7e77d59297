/* SPDX-License-Identifier: GPL-2.0 */
/* Configuration files, see ivmctl-conf(5). */
#ifndef _IVMCTL_CONF_H
#define _IVMCTL_CONF_H

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>

#include "decl.h"
#include "ivmctl.h"

#define CONF_DIR	"/etc/ivshm/couplings.d"
#define CONF_SUFFIX	".conf"

/**
 * struct conf_decl - a section
 * @kind: enum decl_kind
 * @decl: what it declares, complete
 * @file: where, owned by the struct conf
 * @line: of its heading
 */
struct conf_decl {
	enum decl_kind kind;
	json_t *decl;
	const char *file;
	unsigned int line;
};

/**
 * struct conf - what some files declare together
 * @decls:    in the order of the files
 * @nr:       number of @decls
 * @room:     for so many in @decls
 * @names:    the index of each, see decl_table_new()
 * @members:  JSON object: the place of each member of a coupling as "FILE:LINE" by
 *            its name
 * @files:    names of the files
 * @nr_files: number of @files
 * @errors:   complaints so far
 * @quiet:    count them only
 */
struct conf {
	struct conf_decl *decls;
	size_t nr;
	size_t room;
	json_t *names;
	json_t *members;
	char **files;
	size_t nr_files;
	unsigned int errors;
	bool quiet;
};

void conf_init(struct conf *conf);
void conf_free(struct conf *conf);

/**
 * conf_read() - read files, and what is in directories
 * @ctx:   complaints go by it
 * @conf:  initialised; gets what is read
 * @paths: files and directories; of a directory, the files with CONF_SUFFIX in
 *         the order of their names; "-" is standard input
 * @nr:    number of @paths; 0 means CONF_DIR
 *
 * Every mistake is complained about, with its file and line.
 *
 * Return: RC_OK; RC_USAGE if there is a mistake; RC_REFUSED if a file cannot be
 * read. Unless RC_OK, @conf is not fit for use.
 */
int conf_read(const struct ctx *ctx, struct conf *conf, char **paths, int nr);
/* One open file, which complaints call @name. Mistakes are counted in @conf. */
void conf_read_file(struct conf *conf, FILE *f, const char *name);
/* The declaration of that name, or NULL. */
const struct conf_decl *conf_find(const struct conf *conf, enum decl_kind kind,
				  const char *name);

/* conf_check.c, for those who read sections */

/* Complain about a line. */
void conf_complain(struct conf *conf, const char *file, unsigned int line,
		   const char *fmt, va_list ap) __printf(4, 0);
/* Whether @name may be that of a coupling, or of an interface; else what it must be. */
const char *conf_bad_name(const char *name);
const char *conf_bad_interface(const char *name);

#endif /* _IVMCTL_CONF_H */
