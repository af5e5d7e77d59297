// SPDX-License-Identifier: GPL-2.0
/* ivmctl apply, diff, save */
#include <stdlib.h>
#include <string.h>

#include "change.h"
#include "conf.h"
#include "decl.h"
#include "file.h"
#include "nl.h"
#include "output.h"

static int print_changes(const struct ctx *ctx, const struct changes *changes)
{
	if (ctx->json)
		return print_json(ctx, changes_json(changes));
	changes_print(ctx, changes);
	return RC_OK;
}

static int apply(struct ctx *ctx, const struct changes *changes, bool dry_run)
{
	int rc;

	if (dry_run)
		return print_changes(ctx, changes);
	rc = changes_make(ctx, changes);
	if (rc)
		return rc;
	if (ctx->json)
		return print_json(ctx, changes_json(changes));
	changes_print_sum(ctx->out, changes);
	return RC_OK;
}

static int apply_run(struct ctx *ctx, int argc, char **argv)
{
	bool dry_run = false, keep = false;
	const struct word_option options[] = {
		{ .name = "dry-run", .flag = &dry_run },
		{ .name = "keep", .flag = &keep },
		{ .name = NULL }
	};
	struct changes changes;
	struct conf conf;
	int rc;

	if (word_options(ctx, options, &argc, argv))
		return RC_USAGE;
	rc = changes_read(ctx, &changes, &conf, argv, argc, keep);
	if (!rc)
		rc = apply(ctx, &changes, dry_run);
	changes_free(&changes);
	conf_free(&conf);
	return rc;
}

/* As diff(1): 0 for no difference, 1 for some, 2 for trouble. */
static int diff_run(struct ctx *ctx, int argc, char **argv)
{
	bool keep = false;
	const struct word_option options[] = {
		{ .name = "keep", .flag = &keep },
		{ .name = NULL }
	};
	struct changes changes;
	struct conf conf;
	int rc;

	if (word_options(ctx, options, &argc, argv))
		return RC_USAGE;
	rc = changes_read(ctx, &changes, &conf, argv, argc, keep);
	if (!rc)
		rc = print_changes(ctx, &changes);
	if (rc)
		rc = RC_USAGE;
	else if (changes.nr)
		rc = RC_REFUSED;
	changes_free(&changes);
	conf_free(&conf);
	return rc;
}

/* Whether @decl is still the same when it is read from a file again. */
static bool reads_back(enum decl_kind kind, const json_t *decl)
{
	const struct conf_decl *found;
	struct conf conf;
	char *text;
	size_t len;
	bool same;
	FILE *f;

	f = check_alloc(open_memstream(&text, &len));
	decl_ops[kind].write(f, decl);
	fclose(f);

	conf_init(&conf);
	conf.quiet = true;
	f = check_alloc(fmemopen(text, len, "r"));
	conf_read_file(&conf, f, json_str(decl, "name"));
	fclose(f);
	found = conf.errors ? NULL : conf_find(&conf, kind, json_str(decl, "name"));
	same = found && decl_ops[kind].same(found->decl, decl);
	conf_free(&conf);
	free(text);
	return same;
}

static int save_kind(const struct ctx *ctx, enum decl_kind kind, const json_t *decls, FILE *f)
{
	json_t *decl;
	size_t i;

	json_array_foreach(decls, i, decl) {
		/* There are names that the kernel takes and a file cannot have. */
		if (!reads_back(kind, decl)) {
			complain(ctx, "%s %s cannot be saved: its names do not fit into a file",
				 decl_ops[kind].word, json_str(decl, "name"));
			return RC_REFUSED;
		}
		fputc('\n', f);
		decl_ops[kind].write(f, decl);
	}
	return RC_OK;
}

static int save_text(const struct ctx *ctx, const json_t *lists, FILE *f)
{
	int kind, rc = RC_OK;

	fputs("# Couplings of virtual machines, see ivmctl-conf(5).\n", f);
	for (kind = 0; kind < DECL_KINDS && !rc; kind++)
		rc = save_kind(ctx, kind, json_object_get(lists, decl_ops[kind].list), f);
	return rc;
}

/* An array for each kind, in order for those who compare two files. */
static json_t *sorted_lists(const json_t *table)
{
	json_t *lists = check_alloc(json_object());
	json_t *list, *decl;
	const char *name;
	int kind;

	for (kind = 0; kind < DECL_KINDS; kind++) {
		list = check_alloc(json_array());
		json_object_foreach(decl_table_kind(table, kind), name, decl)
			json_array_append(list, decl);
		json_object_set_new(lists, decl_ops[kind].list,
				    json_sorted(list, json_by_name));
	}
	return lists;
}

static int save(struct ctx *ctx, const json_t *lists, const char *path)
{
	char *text;
	size_t len;
	FILE *f;
	int rc;

	f = check_alloc(open_memstream(&text, &len));
	rc = save_text(ctx, lists, f);
	fclose(f);
	if (!rc && path)
		rc = file_replace(ctx, path, text, len);
	else if (!rc)
		fwrite(text, 1, len, ctx->out);
	free(text);
	return rc;
}

static int save_run(struct ctx *ctx, int argc, char **argv)
{
	static const struct word_option options[] = { { .name = NULL } };
	json_t *table, *lists;
	int rc;

	if (word_options(ctx, options, &argc, argv))
		return RC_USAGE;
	if (argc > 1)
		return usage_extra(ctx, argv[1]);
	table = decl_table_fetch(ctx);
	if (!table)
		return RC_REFUSED;
	lists = sorted_lists(table);
	json_decref(table);

	if (ctx->json && !argc)
		return print_json(ctx, lists);
	rc = save(ctx, lists, argc && strcmp(argv[0], "-") ? argv[0] : NULL);
	json_decref(lists);
	return rc;
}

#define PATHS	"[FILE|DIRECTORY]..."
#define PATHS_HELP \
	"Without a file or directory: " CONF_DIR ", of which it reads *" CONF_SUFFIX ".\n" \
	"See ivmctl-conf(5).\n"

static const struct verb apply_verbs[] = {
	{ "", NULL, "[--dry-run] [--keep] " PATHS, "", apply_run },
	{ .name = NULL }
};

const struct object command_apply = {
	.name = "apply",
	.help = "make couplings and addresses what files declare",
	.verbs = apply_verbs,
	.more =
	"All or nothing; what does not differ is not touched, what no file declares\n"
	"is deleted.\n"
	"  --dry-run  print what would be done, as commands for -batch\n"
	"  --keep     let be what no file declares\n"
	PATHS_HELP,
};

static const struct verb diff_verbs[] = {
	{ "", NULL, "[--keep] " PATHS, "", diff_run },
	{ .name = NULL }
};

const struct object command_diff = {
	.name = "diff",
	.help = "compare couplings and addresses with what files declare",
	.verbs = diff_verbs,
	.more =
	"Prints what apply would do. Exit status: 0 no difference, 1 some, 2 trouble.\n"
	"  --keep     let be what no file declares\n"
	PATHS_HELP,
};

static const struct verb save_verbs[] = {
	{ "", NULL, "[FILE]", "", save_run },
	{ .name = NULL }
};

const struct object command_save = {
	.name = "save",
	.help = "write the couplings and addresses that there are as a file for apply",
	.verbs = save_verbs,
};
