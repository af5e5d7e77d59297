// SPDX-License-Identifier: GPL-2.0
/* What can be declared. */
#include <string.h>

#include "address.h"
#include "coupling.h"
#include "decl.h"
#include "nl.h"
#include "output.h"

const struct decl_ops decl_ops[DECL_KINDS] = {
	[DECL_ADDRESS] = {
		.word = "address",
		.list = "addresses",
		.kind = &ivnl_kind_address,
		.declared = address_declared,
		.same = address_same,
		.msg_new = address_msg_new,
		.msg_del = address_msg_del,
		.print_words = address_print_words,
		.write = address_write,
	},
	[DECL_COUPLING] = {
		.word = "coupling",
		.list = "couplings",
		.kind = &ivnl_kind_coupling,
		.declared = coupling_declared,
		.same = coupling_same,
		.can_change = coupling_can_change,
		.difference = coupling_difference,
		.msg_new = coupling_msg_new,
		.msg_set = coupling_msg_set,
		.msg_del = coupling_msg_del,
		.print_words = coupling_print_words,
		.print_changes = coupling_print_changes,
		.write = coupling_write,
	},
};

json_t *decl_table_new(void)
{
	json_t *table = check_alloc(json_object());
	int kind;

	for (kind = 0; kind < DECL_KINDS; kind++)
		json_object_set_new(table, decl_ops[kind].word, check_alloc(json_object()));
	return table;
}

json_t *decl_table_kind(const json_t *table, enum decl_kind kind)
{
	return json_object_get(table, decl_ops[kind].word);
}

void decl_table_add(json_t *table, enum decl_kind kind, const char *name, json_t *value)
{
	json_object_set_new(decl_table_kind(table, kind), name, check_alloc(value));
}

json_t *decl_table_get(const json_t *table, enum decl_kind kind, const char *name)
{
	return json_object_get(decl_table_kind(table, kind), name);
}

static bool fetch_kind(struct ctx *ctx, json_t *table, enum decl_kind kind)
{
	json_t *objects, *object, *decl;
	size_t i;

	if (ivnl_fetch(ctx, decl_ops[kind].kind, NULL, &objects))
		return false;
	json_array_foreach(objects, i, object) {
		decl = decl_ops[kind].declared(object);
		if (decl)
			decl_table_add(table, kind, json_str(decl, "name"), decl);
	}
	json_decref(objects);
	return true;
}

json_t *decl_table_fetch(struct ctx *ctx)
{
	json_t *table = decl_table_new();
	int kind;

	for (kind = 0; kind < DECL_KINDS; kind++) {
		if (fetch_kind(ctx, table, kind))
			continue;
		json_decref(table);
		return NULL;
	}
	return table;
}

void decl_print_word(FILE *f, const char *word)
{
	const char *quote = "";

	if (strpbrk(word, "'"))
		quote = "\"";
	else if (strpbrk(word, "\"") || *word == '#')
		quote = "'";
	fprintf(f, "%s%s%s", quote, word, quote);
}
