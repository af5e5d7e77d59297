/* SPDX-License-Identifier: GPL-2.0 */
/* From what there is to what is declared, and back. */
#ifndef _IVMCTL_CHANGE_H
#define _IVMCTL_CHANGE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "conf.h"
#include "decl.h"
#include "ivmctl.h"

/**
 * struct change - of one coupling, or address
 * @kind:   enum decl_kind
 * @name:   its name
 * @before: what the kernel has, NULL if it is to be added
 * @after:  what is declared, NULL if it is to be deleted
 * @file:   where @after is declared, NULL if nowhere
 * @line:   of @file
 */
struct change {
	enum decl_kind kind;
	const char *name;
	json_t *before;
	json_t *after;
	const char *file;
	unsigned int line;
};

/**
 * struct changes - what lies between two states
 * @list: deletions, then replacements, then additions
 * @nr:   number of @list
 * @same: how many stay untouched
 * @kept: how many stay although no file declares them
 */
struct changes {
	struct change *list;
	size_t nr;
	size_t same;
	size_t kept;
};

/**
 * changes_read() - compare what the kernel has with what files declare
 * @ctx:     complaints go by it
 * @changes: set to the difference
 * @conf:    set to what is declared, to which @changes refer; both are to be
 *           freed also after an error
 * @paths:   as conf_read() takes them
 * @nr:      number of @paths
 * @keep:    let be what is not declared
 *
 * Return: enum rc.
 */
int changes_read(struct ctx *ctx, struct changes *changes, struct conf *conf,
		 char **paths, int nr, bool keep);
void changes_free(struct changes *changes);

/**
 * changes_make() - send them to the kernel
 * @ctx:     complaints go by it
 * @changes: what to do
 *
 * All or nothing: if the kernel refuses one, those before it are undone.
 * Signals that would end the program wait meanwhile.
 *
 * Return: RC_OK, or RC_REFUSED after a complaint.
 */
int changes_make(struct ctx *ctx, const struct changes *changes);
/*
 * Undo them, however many were made. What somebody else changed since then is
 * let be, with a complaint. Returns enum rc.
 */
int changes_undo(struct ctx *ctx, const struct changes *changes);

/* The commands that make them, one a line. */
void changes_print(const struct ctx *ctx, const struct changes *changes);
/* The same as JSON, which the caller owns. */
json_t *changes_json(const struct changes *changes);
/* "2 added, 1 replaced, ..." */
void changes_print_sum(FILE *f, const struct changes *changes);

#endif /* _IVMCTL_CHANGE_H */
