// SPDX-License-Identifier: GPL-2.0
/*
 * Changes of what is declared.
 *
 * Only what differs is touched. What cannot be changed while it is there is deleted
 * and made anew; all that is to go goes first, since a port, say, may move from one
 * coupling to another.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "change.h"
#include "nl.h"
#include "output.h"

/* In this order, and in the order of the list within each. */
static const struct step {
	enum decl_kind kind;
	bool del;
} steps[] = {
	{ DECL_COUPLING, true },
	{ DECL_ADDRESS, true },
	{ DECL_ADDRESS, false },
	{ DECL_COUPLING, false },
};

/* Whether a request that changes it will do. */
static bool is_set(enum decl_kind kind, const json_t *from, const json_t *to)
{
	return from && to && decl_ops[kind].can_change && decl_ops[kind].can_change(from, to);
}

/* Whether there is something to do for @change at @step. */
static bool is_due(const struct change *change, const struct step *step, bool undo)
{
	const json_t *from = undo ? change->after : change->before;
	const json_t *to = undo ? change->before : change->after;

	if (change->kind != step->kind)
		return false;
	return step->del ? from && !is_set(change->kind, from, to) : !!to;
}

/*
 * Finding
 */

static struct change *change_new(struct changes *changes, enum decl_kind kind,
				 const char *name)
{
	struct change *change = &changes->list[changes->nr++];

	memset(change, 0, sizeof(*change));
	change->kind = kind;
	change->name = name;
	return change;
}

static void find_deleted(struct changes *changes, const struct conf *conf,
			 const json_t *table, enum decl_kind kind, bool keep)
{
	const char *name;
	json_t *decl;

	json_object_foreach(decl_table_kind(table, kind), name, decl) {
		if (conf_find(conf, kind, name))
			continue;
		if (keep)
			changes->kept++;
		else
			change_new(changes, kind, json_str(decl, "name"))->before =
				json_incref(decl);
	}
}

/* Of those declared, the ones that are there but differ, or are not there. */
static void find_declared(struct changes *changes, const struct conf *conf,
			  const json_t *table, bool there)
{
	struct change *change;
	size_t i;

	for (i = 0; i < conf->nr; i++) {
		const struct conf_decl *decl = &conf->decls[i];
		const char *name = json_str(decl->decl, "name");
		json_t *before = decl_table_get(table, decl->kind, name);

		if (there != !!before)
			continue;
		if (before && decl_ops[decl->kind].same(before, decl->decl)) {
			changes->same++;
			continue;
		}
		change = change_new(changes, decl->kind, name);
		change->before = json_incref(before);
		change->after = json_incref(decl->decl);
		change->file = decl->file;
		change->line = decl->line;
	}
}

static int find(struct ctx *ctx, struct changes *changes, const struct conf *conf,
		bool keep)
{
	json_t *table = decl_table_fetch(ctx);
	size_t room = conf->nr;
	int kind;

	if (!table)
		return RC_REFUSED;
	for (kind = 0; kind < DECL_KINDS; kind++)
		room += json_object_size(decl_table_kind(table, kind));
	/* One more, as none at all need not be an allocation. */
	changes->list = check_alloc(calloc(room + 1, sizeof(*changes->list)));
	for (kind = 0; kind < DECL_KINDS; kind++)
		find_deleted(changes, conf, table, kind, keep);
	find_declared(changes, conf, table, true);
	find_declared(changes, conf, table, false);
	json_decref(table);
	return RC_OK;
}

int changes_read(struct ctx *ctx, struct changes *changes, struct conf *conf,
		 char **paths, int nr, bool keep)
{
	int rc;

	memset(changes, 0, sizeof(*changes));
	conf_init(conf);
	rc = conf_read(ctx, conf, paths, nr);
	return rc ? rc : find(ctx, changes, conf, keep);
}

void changes_free(struct changes *changes)
{
	size_t i;

	for (i = 0; i < changes->nr; i++) {
		json_decref(changes->list[i].before);
		json_decref(changes->list[i].after);
	}
	free(changes->list);
}

/*
 * Making
 */

/* The request for @change at @step; @full if it did not fit. */
static struct nl_msg *make_msg(const struct ivnl *nl, const struct change *change,
			       const struct step *step, bool undo, bool *full)
{
	const struct decl_ops *ops = &decl_ops[change->kind];
	const json_t *from = undo ? change->after : change->before;
	const json_t *to = undo ? change->before : change->after;
	struct nl_msg *msg;
	json_t *difference;

	if (step->del)
		return ops->msg_del(nl, change->name, full);
	if (!is_set(change->kind, from, to))
		return ops->msg_new(nl, to, full);
	difference = ops->difference(from, to);
	msg = ops->msg_set(nl, difference, full);
	json_decref(difference);
	return msg;
}

/* Send the requests: go from @before to @after, or back if @undo. */
static bool send_all(struct ivnl *nl, const struct change *list, size_t nr,
		     bool undo, struct ivnl_fault *fault)
{
	struct ivnl_batch *batch = ivnl_batch_new(nl, fault);
	struct nl_msg *msg;
	bool more = true;
	size_t i, step;
	bool full;

	for (step = 0; step < ARRAY_SIZE(steps); step++) {
		for (i = 0; i < nr && more; i++) {
			if (!is_due(&list[i], &steps[step], undo))
				continue;
			msg = make_msg(nl, &list[i], &steps[step], undo, &full);
			more = ivnl_batch_add(batch, msg, full);
		}
	}
	return ivnl_batch_end(batch);
}

/* Which change the request number @index of send_all() was for, and its step. */
static const struct change *change_of(const struct change *list, size_t nr, bool undo,
				      size_t index, const struct step **step)
{
	size_t i, s;

	for (s = 0; s < ARRAY_SIZE(steps); s++) {
		*step = &steps[s];
		for (i = 0; i < nr; i++)
			if (is_due(&list[i], *step, undo) && !index--)
				return &list[i];
	}
	return NULL;
}

static void tell_fault(const struct ctx *ctx, const struct change *list, size_t nr,
		       bool undo, const struct ivnl_fault *fault)
{
	const struct change *change;
	const char *verb = "add";
	const struct step *step;
	const char *word;

	change = change_of(list, nr, undo, fault->index, &step);
	if (!change) {
		complain(ctx, "%s", fault->why);
		return;
	}
	word = decl_ops[change->kind].word;
	if (step->del)
		verb = "delete";
	else if (is_set(change->kind, change->before, change->after))
		verb = "change";
	if (change->file && !step->del)
		fprintf(stderr, "%s:%u: cannot %s %s %s: %s\n", change->file, change->line,
			verb, word, change->name, fault->why);
	else
		complain(ctx, "cannot %s %s %s: %s", verb, word, change->name, fault->why);
}

/*
 * Of a list of changes of which some were made, those that were: what is to be
 * undone. Returns how many; @list has room for all.
 */
static size_t find_made(const struct ctx *ctx, const struct changes *changes,
			const json_t *table, struct change *list)
{
	size_t i, nr = 0;

	for (i = 0; i < changes->nr; i++) {
		const struct change *change = &changes->list[i];
		const struct decl_ops *ops = &decl_ops[change->kind];
		json_t *now = decl_table_get(table, change->kind, change->name);

		if (now && change->before && ops->same(now, change->before))
			continue;
		if (!now && !change->before)
			continue;
		if (now && !(change->after && ops->same(now, change->after))) {
			complain(ctx, "%s %s was changed by somebody else and stays as it is",
				 ops->word, change->name);
			continue;
		}
		list[nr] = *change;
		list[nr].after = now;
		list[nr++].file = NULL;
	}
	return nr;
}

static void block_signals(sigset_t *old)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, old);
}

int changes_undo(struct ctx *ctx, const struct changes *changes)
{
	struct ivnl *nl = ivnl_get(ctx);
	struct ivnl_fault fault = { 0 };
	struct change *list;
	json_t *table;
	sigset_t old;
	size_t nr;

	block_signals(&old);
	table = nl ? decl_table_fetch(ctx) : NULL;
	if (table) {
		list = check_alloc(calloc(changes->nr + 1, sizeof(*list)));
		nr = find_made(ctx, changes, table, list);
		if (!send_all(nl, list, nr, true, &fault))
			tell_fault(ctx, list, nr, true, &fault);
		free(list);
		json_decref(table);
	}
	sigprocmask(SIG_SETMASK, &old, NULL);
	return table && !fault.found ? RC_OK : RC_REFUSED;
}

int changes_make(struct ctx *ctx, const struct changes *changes)
{
	struct ivnl *nl = ivnl_get(ctx);
	struct ivnl_fault fault;
	int rc = RC_OK;
	sigset_t old;

	if (!nl)
		return RC_REFUSED;

	block_signals(&old);
	if (!send_all(nl, changes->list, changes->nr, false, &fault)) {
		tell_fault(ctx, changes->list, changes->nr, false, &fault);
		rc = RC_REFUSED;
		if (changes_undo(ctx, changes))
			complain(ctx, "not everything could be undone, see ivmctl diff");
		else
			complain(ctx, "nothing was changed: what had been done was undone");
	}
	sigprocmask(SIG_SETMASK, &old, NULL);
	return rc;
}

/*
 * Showing
 */

static void print_line(const struct ctx *ctx, const struct change *change,
		       const struct step *step)
{
	const struct decl_ops *ops = &decl_ops[change->kind];
	json_t *difference;
	char *text;
	size_t len;
	FILE *f;

	f = check_alloc(open_memstream(&text, &len));
	fprintf(f, "%s ", ops->word);
	if (step->del) {
		fputs("del ", f);
		decl_print_word(f, change->name);
	} else if (is_set(change->kind, change->before, change->after)) {
		difference = ops->difference(change->before, change->after);
		fputs("change ", f);
		ops->print_changes(f, difference);
		json_decref(difference);
	} else {
		fputs("add ", f);
		ops->print_words(f, change->after);
	}
	fclose(f);
	print_color(ctx, step->del ? COLOR_BAD : COLOR_GOOD, text);
	fputc('\n', ctx->out);
	free(text);
}

void changes_print(const struct ctx *ctx, const struct changes *changes)
{
	size_t i, step;

	for (step = 0; step < ARRAY_SIZE(steps); step++)
		for (i = 0; i < changes->nr; i++)
			if (is_due(&changes->list[i], &steps[step], false))
				print_line(ctx, &changes->list[i], &steps[step]);
}

enum action {
	ACTION_ADD,
	ACTION_CHANGE,
	ACTION_REPLACE,
	ACTION_DELETE,
	ACTIONS,
};

static enum action action(const struct change *change)
{
	if (!change->before)
		return ACTION_ADD;
	if (!change->after)
		return ACTION_DELETE;
	return is_set(change->kind, change->before, change->after) ? ACTION_CHANGE :
								    ACTION_REPLACE;
}

json_t *changes_json(const struct changes *changes)
{
	static const char *const words[] = {
		[ACTION_ADD] = "add",
		[ACTION_CHANGE] = "change",
		[ACTION_REPLACE] = "replace",
		[ACTION_DELETE] = "delete",
	};
	json_t *array = json_array();
	size_t i;

	for (i = 0; i < changes->nr; i++) {
		const struct change *change = &changes->list[i];
		json_t *object;

		object = json_pack("{s:s, s:s, s:O*, s:O*}",
				   "action", words[action(change)],
				   decl_ops[change->kind].word, change->name,
				   "before", change->before, "after", change->after);
		if (change->file) {
			json_object_set_new(object, "file",
					    json_text(change->file, strlen(change->file)));
			json_object_set_new(object, "line", json_integer(change->line));
		}
		json_array_append_new(array, object);
	}
	return array;
}

void changes_print_sum(FILE *f, const struct changes *changes)
{
	size_t count[ACTIONS] = { 0 };
	size_t i;

	for (i = 0; i < changes->nr; i++)
		count[action(&changes->list[i])]++;
	fprintf(f, "%zu added, %zu changed, %zu replaced, %zu deleted, %zu unchanged",
		count[ACTION_ADD], count[ACTION_CHANGE], count[ACTION_REPLACE],
		count[ACTION_DELETE], changes->same);
	if (changes->kept)
		fprintf(f, ", %zu kept that no file declares", changes->kept);
	fputc('\n', f);
}
