/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Declarations of couplings: what commands and configuration files ask for, and
 * what the kernel has, in one form that can be compared.
 *
 * A declaration is a JSON object with the members that attr_decode() gives
 * those of a coupling: name, type, members (an array of objects with a name),
 * rules (of objects with a glob, mac, ip or upper), deny (of objects with src and dst,
 * if there are any), and options by their keys. It has nothing that changes by
 * itself: members by a rule are not in it.
 */
#ifndef _IVMCTL_COUPLING_H
#define _IVMCTL_COUPLING_H

#include <jansson.h>
#include <netlink/msg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "ivmctl.h"

/**
 * struct coupling_option - an option of a coupling
 * @word:    what a user writes
 * @key:     in JSON
 * @unit:    what its number counts, NULL if it is none
 * @scaled:  its number may have a unit prefix, as 10M
 * @wide:    its attribute has 64 bits
 * @words:   its values by number, NULL if it is a number, or yes or no
 * @attr:    attribute of enum ivshm_attr_coupling
 * @dynamic: for dynamic couplings only
 * @change:  can be changed while frames flow
 * @min:     least number
 * @max:     greatest number
 * @preset:  what the kernel takes if it is not given
 * @zero:    word for 0, or NULL
 */
struct coupling_option {
	const char *word;
	const char *key;
	const char *unit;
	bool scaled;
	bool wide;
	const char *const *words;
	uint16_t attr;
	bool dynamic;
	bool change;
	uint64_t min;
	uint64_t max;
	uint64_t preset;
	const char *zero;
};

#define COUPLING_OPTIONS	10
/* Room for a value as text. */
#define COUPLING_VALUE		24

extern const struct coupling_option coupling_options[COUPLING_OPTIONS];

/* "static", "dynamic", NULL; the index is enum ivshm_coupling_type. */
extern const char *const coupling_type_words[];

/* A declaration with a name and a type, without members. The caller owns it. */
json_t *coupling_new(const char *name, uint32_t type);
bool coupling_is_dynamic(const json_t *decl);
/* Give @decl the value of @option. */
void coupling_set(json_t *decl, const struct coupling_option *option,
		  uint64_t value);
/* Set options that are not given to what the kernel takes for them. */
void coupling_complete(json_t *decl);
void coupling_add_member(json_t *decl, const char *name);
/* @key is "glob", "mac", "ip" or "upper". */
void coupling_add_rule(json_t *decl, const char *key, const char *value);
/* Whether a word for a member is a pattern or an address, and no name. */
bool coupling_word_is_rule(const char *word);
/* Add what @word stands for: a member, or a rule. */
void coupling_add_word(json_t *decl, const char *word);
/* Two members, or a rule. */
bool coupling_has_members(const json_t *decl);

/* denial.c: to the array @list, "deny" or, of a difference, "allow". */
void coupling_add_denial(json_t *decl, const char *list, const char *src, const char *dst);
/* Take "SRC:DST" apart, @size bytes for @src; false if it is not that. */
bool coupling_word_denial(const char *word, char *src, size_t size, const char **dst);
bool coupling_same_denials(const json_t *a, const json_t *b);
void coupling_difference_denials(json_t *difference, const json_t *before, const json_t *after);
/* True if they did not fit. */
bool coupling_put_denials(struct nl_msg *msg, const json_t *decl);
/* The words of commands. */
void coupling_print_denials(FILE *f, const json_t *decl);

/* The declaration in what the kernel says of a coupling. The caller owns it. */
json_t *coupling_declared(const json_t *coupling);
/* Whether both declare the same; the order of members does not matter. */
bool coupling_same(const json_t *a, const json_t *b);
/* Whether one can become the other without being dissolved. */
bool coupling_can_change(const json_t *before, const json_t *after);
/* The name, and the options that differ, as in @after. The caller owns it. */
json_t *coupling_difference(const json_t *before, const json_t *after);

/* A request that makes, changes or dissolves it; @full if it did not fit. */
struct ivnl;
struct nl_msg *coupling_msg_new(const struct ivnl *nl, const json_t *decl,
				bool *full);
struct nl_msg *coupling_msg_set(const struct ivnl *nl, const json_t *difference,
				bool *full);
struct nl_msg *coupling_msg_del(const struct ivnl *nl, const char *name,
				bool *full);

/* The value of @option as a user writes it, NULL if @decl has none. */
const char *coupling_value(const json_t *decl,
			   const struct coupling_option *option, char *buf,
			   size_t size);
/* The words after "coupling change". */
void coupling_print_changes(FILE *f, const json_t *difference);
/* The words after "coupling add" that make it; options by default are left out. */
void coupling_print_words(FILE *f, const json_t *decl);
/* The section of a file that declares it. */
void coupling_write(FILE *f, const json_t *decl);

#endif /* _IVMCTL_COUPLING_H */
