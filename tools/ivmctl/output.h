/* SPDX-License-Identifier: GPL-2.0 */
/* Tables, colour and JSON. */
#ifndef _IVMCTL_OUTPUT_H
#define _IVMCTL_OUTPUT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>

#include "ivmctl.h"

enum color {
	COLOR_NONE,
	COLOR_HEAD,	/* column heads */
	COLOR_NAME,	/* names of ports, couplings and addresses */
	COLOR_GOOD,
	COLOR_WAIT,
	COLOR_BAD,
};

/* @p; the program ends if it is NULL for want of memory. */
void *check_alloc(void *p);

/*
 * Whether a control character begins at @text: of ASCII, or of the second set at
 * U+0080, two bytes in UTF-8.
 */
bool text_is_control(const char *text);

/*
 * @len bytes that came from outside as a JSON string. Control characters and
 * what is not UTF-8 become \xNN: names must not steer a terminal.
 */
json_t *json_text(const char *text, size_t len);

/* Members of @object, "-" or 0 if there is no such. */
const char *json_str(const json_t *object, const char *key);
json_int_t json_int(const json_t *object, const char *key);

/* For json_sorted(): objects by their names, or those of a pair. */
int json_by_name(const void *a, const void *b);
/* @list, which is released, in order. The caller owns it. */
json_t *json_sorted(json_t *list, int (*compare)(const void *a, const void *b));

/* RFC 3339, local time, microseconds. */
void format_time(const struct timespec *when, char *buf, size_t size);

/* Print and release @value. Returns enum rc. */
int print_json(const struct ctx *ctx, json_t *value);
/* Print @text in @color if colour is on. */
void print_color(const struct ctx *ctx, enum color color, const char *text);
/* The colour for the name of a state. */
enum color color_state(const char *state);

/* A table whose columns are as wide as their widest cell. */
struct table;

/**
 * table_new() - begin a table
 * @indent: spaces before each line
 * @heads:  a head for each column, ends with NULL; a head that begins with
 *          '>' makes the column align to the right
 * Return: the table, for table_print() to release
 */
struct table *table_new(unsigned int indent, const char *const *heads);
/* The next cell, from left to right, row after row. */
void table_add(struct table *table, enum color color, const char *fmt, ...)
	__printf(3, 4);
/* Print and release. A table without rows prints nothing. */
void table_print(const struct ctx *ctx, struct table *table);

/* show.c: each reads as text what attr_decode() made. */
void show_ports(const struct ctx *ctx, const json_t *ports);
void show_ports_stats(const struct ctx *ctx, const json_t *ports);
void show_couplings(const struct ctx *ctx, const json_t *couplings);
void show_overview(const struct ctx *ctx, const json_t *ports,
		   const json_t *couplings, const json_t *regions);
void show_addresses(const struct ctx *ctx, const json_t *addresses);
void show_regions(const struct ctx *ctx, const json_t *regions);
/* What is swapped in them, if anything. */
void show_swaps(const struct ctx *ctx, const json_t *regions);
void show_peers(const struct ctx *ctx, const json_t *peers);
void show_peers_stats(const struct ctx *ctx, const json_t *peers);
/* An event as made by event_decode(). */
void show_event(const struct ctx *ctx, const json_t *event);

#endif /* _IVMCTL_OUTPUT_H */
