// SPDX-License-Identifier: GPL-2.0
/* Tables, colour and JSON. */
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "output.h"

struct cell {
	char *text;
	unsigned int width;
	enum color color;
};

struct table {
	unsigned int indent;
	const char *const *heads;
	unsigned int columns;
	unsigned int nr;
	unsigned int room;
	struct cell *cells;
};

static const char *const color_codes[] = {
	[COLOR_NONE] = "",
	[COLOR_HEAD] = "\033[1m",
	[COLOR_NAME] = "\033[36m",
	[COLOR_GOOD] = "\033[32m",
	[COLOR_WAIT] = "\033[33m",
	[COLOR_BAD] = "\033[31m",
};

void *check_alloc(void *p)
{
	if (!p) {
		fputs("ivmctl: out of memory\n", stderr);
		exit(RC_REFUSED);
	}
	return p;
}

bool text_is_control(const char *text)
{
	const unsigned char *c = (const unsigned char *)text;

	return c[0] < ' ' || c[0] == 0x7f ||
	       (c[0] == 0xc2 && c[1] >= 0x80 && c[1] < 0xa0);
}

json_t *json_text(const char *text, size_t len)
{
	char *safe, *p;
	json_t *value;
	bool plain;
	size_t i;

	value = json_stringn(text, len);	/* NULL if not UTF-8 */
	plain = value;
	for (i = 0; i < len && plain; i++)
		plain = !text_is_control(&text[i]);
	if (plain)
		return value;
	json_decref(value);

	safe = check_alloc(malloc(4 * len + 1));
	for (p = safe, i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c >= ' ' && c < 0x7f)
			*p++ = (char)c;
		else
			p += sprintf(p, "\\x%02x", c);
	}
	value = json_stringn(safe, (size_t)(p - safe));
	free(safe);
	return value;
}

const char *json_str(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "-";
}

json_int_t json_int(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

int json_by_name(const void *a, const void *b)
{
	static const char *const keys[] = { "name", "coupling", "src", "dst" };
	const json_t *x = *(const json_t *const *)a, *y = *(const json_t *const *)b;
	size_t i;
	int diff;

	for (i = 0; i < ARRAY_SIZE(keys); i++) {
		diff = strcmp(json_str(x, keys[i]), json_str(y, keys[i]));
		if (diff)
			return diff;
	}
	return 0;
}

json_t *json_sorted(json_t *list, int (*compare)(const void *a, const void *b))
{
	size_t i, nr = json_array_size(list);
	json_t **items = check_alloc(calloc(nr + 1, sizeof(*items)));
	json_t *sorted = check_alloc(json_array());

	for (i = 0; i < nr; i++)
		items[i] = json_array_get(list, i);
	qsort(items, nr, sizeof(*items), compare);
	for (i = 0; i < nr; i++)
		json_array_append(sorted, items[i]);
	free(items);
	json_decref(list);
	return sorted;
}

void format_time(const struct timespec *when, char *buf, size_t size)
{
	char date[32], zone[8];
	struct tm tm;

	localtime_r(&when->tv_sec, &tm);
	strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm);
	strftime(zone, sizeof(zone), "%z", &tm);
	snprintf(buf, size, "%s.%06ld%.3s:%s", date, when->tv_nsec / 1000, zone,
		 zone + 3);
}

int print_json(const struct ctx *ctx, json_t *value)
{
	size_t flags = ctx->pretty ? JSON_INDENT(4) : JSON_COMPACT;
	int err;

	err = json_dumpf(value, ctx->out, flags);
	json_decref(value);
	if (err) {
		complain(ctx, "cannot write the output");
		return RC_REFUSED;
	}
	fputc('\n', ctx->out);
	return RC_OK;
}

void print_color(const struct ctx *ctx, enum color color, const char *text)
{
	if (ctx->color && color != COLOR_NONE)
		fprintf(ctx->out, "%s%s\033[0m", color_codes[color], text);
	else
		fputs(text, ctx->out);
}

enum color color_state(const char *state)
{
	static const struct {
		const char *state;
		enum color color;
	} colors[] = {
		{ "running", COLOR_GOOD },
		{ "coupled", COLOR_GOOD },
		{ "joining", COLOR_WAIT },
		{ "ready", COLOR_WAIT },
		{ "waiting", COLOR_WAIT },
		{ "broken", COLOR_BAD },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(colors); i++)
		if (!strcmp(state, colors[i].state))
			return colors[i].color;
	return COLOR_NONE;
}

/* Characters, as each takes a column: bytes that do not continue another. */
static unsigned int text_width(const char *text)
{
	unsigned int width = 0;

	for (; *text; text++)
		width += (*text & 0xc0) != 0x80;
	return width;
}

struct table *table_new(unsigned int indent, const char *const *heads)
{
	struct table *table = check_alloc(calloc(1, sizeof(*table)));

	table->indent = indent;
	table->heads = heads;
	while (heads[table->columns])
		table->columns++;
	return table;
}

void table_add(struct table *table, enum color color, const char *fmt, ...)
{
	struct cell *cell;
	va_list ap;

	if (table->nr == table->room) {
		table->room = table->room ? 2 * table->room : 64;
		table->cells = check_alloc(reallocarray(table->cells, table->room,
							sizeof(*table->cells)));
	}

	cell = &table->cells[table->nr++];
	va_start(ap, fmt);
	if (vasprintf(&cell->text, fmt, ap) < 0)
		check_alloc(NULL);
	va_end(ap);
	cell->width = text_width(cell->text);
	cell->color = color;
}

static void table_print_cell(const struct ctx *ctx, const struct cell *cell,
			     bool right, bool last, unsigned int width)
{
	int pad = (int)(width - cell->width);

	if (right)
		fprintf(ctx->out, "%*s", pad, "");
	print_color(ctx, cell->color, cell->text);
	/* No blanks at the end of a line. */
	if (!right && !last)
		fprintf(ctx->out, "%*s", pad, "");
	fputs(last ? "\n" : "  ", ctx->out);
}

static void table_print_rows(const struct ctx *ctx, const struct table *table,
			     const unsigned int *width)
{
	unsigned int i, column;

	for (i = 0; i < table->nr; i++) {
		column = i % table->columns;
		if (!column)
			fprintf(ctx->out, "%*s", (int)table->indent, "");
		table_print_cell(ctx, &table->cells[i],
				 *table->heads[column] == '>',
				 column == table->columns - 1, width[column]);
	}
}

void table_print(const struct ctx *ctx, struct table *table)
{
	unsigned int *width = check_alloc(calloc(table->columns, sizeof(*width)));
	unsigned int i, column;

	for (column = 0; column < table->columns; column++) {
		const char *head = table->heads[column];

		width[column] = text_width(head + (*head == '>'));
	}
	for (i = 0; i < table->nr; i++) {
		column = i % table->columns;
		if (table->cells[i].width > width[column])
			width[column] = table->cells[i].width;
	}

	if (table->nr) {
		fprintf(ctx->out, "%*s", (int)table->indent, "");
		for (column = 0; column < table->columns; column++) {
			const char *head = table->heads[column];
			bool right = *head == '>';
			struct cell cell = {
				.text = (char *)head + right,
				.width = text_width(head + right),
				.color = COLOR_HEAD,
			};

			table_print_cell(ctx, &cell, right,
					 column == table->columns - 1,
					 width[column]);
		}
		table_print_rows(ctx, table, width);
	}

	for (i = 0; i < table->nr; i++)
		free(table->cells[i].text);
	free(table->cells);
	free(table);
	free(width);
}
