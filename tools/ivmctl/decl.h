/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Declarations: what configuration files ask for, and what the kernel has of it, in
 * one form that can be compared. Each is a JSON object with a name; coupling.h and
 * address.h say what else is in it.
 */
#ifndef _IVMCTL_DECL_H
#define _IVMCTL_DECL_H

#include <jansson.h>
#include <netlink/msg.h>
#include <stdbool.h>
#include <stdio.h>

#include "ivmctl.h"

struct ivnl;
struct ivnl_kind;

/* In the order in which they are added: who is strict needs the addresses first. */
enum decl_kind {
	DECL_ADDRESS,
	DECL_COUPLING,
	DECL_KINDS,
};

/**
 * struct decl_ops - what can be declared
 * @word:        what it is called, in commands and headings
 * @list:        what a list of them is called in JSON
 * @kind:        how the kernel's are read
 * @declared:    the declaration in what the kernel says of one, which the caller
 *               owns; NULL if nobody declared it
 * @same:        both declare the same
 * @can_change:  one can become the other by @msg_set, which gets their
 *               @difference; all three NULL if there is no such request
 * @msg_new:     a request; like the others, with whether it did not fit
 * @print_words: the words after "add"
 * @print_changes: the words after "change"
 * @write:       the section of a file
 */
struct decl_ops {
	const char *word;
	const char *list;
	const struct ivnl_kind *kind;
	json_t *(*declared)(const json_t *object);
	bool (*same)(const json_t *a, const json_t *b);
	bool (*can_change)(const json_t *before, const json_t *after);
	json_t *(*difference)(const json_t *before, const json_t *after);
	struct nl_msg *(*msg_new)(const struct ivnl *nl, const json_t *decl, bool *full);
	struct nl_msg *(*msg_set)(const struct ivnl *nl, const json_t *difference,
				  bool *full);
	struct nl_msg *(*msg_del)(const struct ivnl *nl, const char *name, bool *full);
	void (*print_words)(FILE *f, const json_t *decl);
	void (*print_changes)(FILE *f, const json_t *difference);
	void (*write)(FILE *f, const json_t *decl);
};

extern const struct decl_ops decl_ops[DECL_KINDS];

/*
 * Declarations by kind and name: a JSON object with an object for each kind. The
 * caller owns it.
 */
json_t *decl_table_new(void);
/* Put @value there, which is released. */
void decl_table_add(json_t *table, enum decl_kind kind, const char *name, json_t *value);
/* What is there of that name, or NULL. */
json_t *decl_table_get(const json_t *table, enum decl_kind kind, const char *name);
/* Those of one kind by their names. */
json_t *decl_table_kind(const json_t *table, enum decl_kind kind);
/* What the kernel has. NULL after a complaint. */
json_t *decl_table_fetch(struct ctx *ctx);

/* A word for a line of a batch. */
void decl_print_word(FILE *f, const char *word);

#endif /* _IVMCTL_DECL_H */
