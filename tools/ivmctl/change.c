// SPDX-License-Identifier: GPL-2.0
/*
 * Changes of couplings.
 *
 * Only couplings that differ are touched. The kernel has no request that changes
 * a coupling, so one that differs is dissolved and made anew; all that is to go
 * goes first, since a port may move from one coupling to another.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "change.h"
#include "coupling.h"
#include "nl.h"
#include "output.h"

/*
 * Finding
 */

static struct change *change_new(struct changes *changes, const char *name)
{
	struct change *change = &changes->list[changes->nr++];

	memset(change, 0, sizeof(*change));
	change->name = name;
	return change;
}

/* What the kernel has, as declarations by name. NULL after a complaint. */
static json_t *fetch_declared(struct ctx *ctx)
{
	json_t *couplings, *coupling, *decls;
	size_t i;

	if (ivnl_fetch(ctx, &ivnl_kind_coupling, NULL, &couplings))
		return NULL;
	decls = check_alloc(json_object());
	json_array_foreach(couplings, i, coupling)
		json_object_set_new(decls, json_str(coupling, "name"),
				    coupling_declared(coupling));
	json_decref(couplings);
	return decls;
}

static void find_deleted(struct changes *changes, const struct conf *conf,
			 json_t *decls, bool keep)
{
	const char *name;
	json_t *decl;

	json_object_foreach(decls, name, decl) {
		if (conf_find(conf, name))
			continue;
		if (keep)
			changes->kept++;
		else
			change_new(changes, json_str(decl, "name"))->before =
				json_incref(decl);
	}
}

/* Of those declared, the ones that are there but differ, or are not there. */
static void find_declared(struct changes *changes, const struct conf *conf,
			  const json_t *decls, bool there)
{
	struct change *change;
	size_t i;

	for (i = 0; i < conf->nr; i++) {
		const struct conf_coupling *coupling = &conf->couplings[i];
		const char *name = json_str(coupling->decl, "name");
		json_t *before = json_object_get(decls, name);

		if (there != !!before)
			continue;
		if (before && coupling_same(before, coupling->decl)) {
			changes->same++;
			continue;
		}
		change = change_new(changes, name);
		change->before = json_incref(before);
		change->after = json_incref(coupling->decl);
		change->file = coupling->file;
		change->line = coupling->line;
	}
}

static int find(struct ctx *ctx, struct changes *changes, const struct conf *conf,
		bool keep)
{
	json_t *decls = fetch_declared(ctx);

	if (!decls)
		return RC_REFUSED;
	/* One more, as none at all need not be an allocation. */
	changes->list = check_alloc(calloc(json_object_size(decls) + conf->nr + 1,
					   sizeof(*changes->list)));
	find_deleted(changes, conf, decls, keep);
	find_declared(changes, conf, decls, true);
	find_declared(changes, conf, decls, false);
	json_decref(decls);
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

/* Send the requests: go from @before to @after, or back if @undo. */
static bool send_all(struct ivnl *nl, const struct change *list, size_t nr,
		     bool undo, struct ivnl_fault *fault)
{
	struct ivnl_batch *batch = ivnl_batch_new(nl, fault);
	struct nl_msg *msg;
	bool more = true;
	bool full;
	size_t i;

	for (i = 0; i < nr && more; i++) {
		if (!(undo ? list[i].after : list[i].before))
			continue;
		msg = coupling_msg_del(nl, list[i].name, &full);
		more = ivnl_batch_add(batch, msg, full);
	}
	for (i = 0; i < nr && more; i++) {
		const json_t *decl = undo ? list[i].before : list[i].after;

		if (!decl)
			continue;
		msg = coupling_msg_new(nl, decl, &full);
		more = ivnl_batch_add(batch, msg, full);
	}
	return ivnl_batch_end(batch);
}

/* Which change the request number @index of send_all() was for. */
static const struct change *change_of(const struct change *list, size_t nr,
				      bool undo, size_t index, bool *del)
{
	int pass;
	size_t i;

	for (pass = 0; pass < 2; pass++) {
		*del = !pass;
		for (i = 0; i < nr; i++) {
			if (!(*del == undo ? list[i].after : list[i].before))
				continue;
			if (!index--)
				return &list[i];
		}
	}
	return NULL;
}

static void tell_fault(const struct ctx *ctx, const struct change *list, size_t nr,
		       bool undo, const struct ivnl_fault *fault)
{
	const struct change *change;
	bool del;

	change = change_of(list, nr, undo, fault->index, &del);
	if (!change)
		complain(ctx, "%s", fault->why);
	else if (change->file && !del)
		fprintf(stderr, "%s:%u: cannot add coupling %s: %s\n", change->file,
			change->line, change->name, fault->why);
	else
		complain(ctx, "cannot %s coupling %s: %s", del ? "delete" : "add",
			 change->name, fault->why);
}

/*
 * Of a list of changes of which some were made, those that were: what is to be
 * undone. Returns how many; @list has room for all.
 */
static size_t find_made(const struct ctx *ctx, const struct changes *changes,
			const json_t *decls, struct change *list)
{
	size_t i, nr = 0;

	for (i = 0; i < changes->nr; i++) {
		const struct change *change = &changes->list[i];
		json_t *now = json_object_get(decls, change->name);

		if (now && change->before && coupling_same(now, change->before))
			continue;
		if (!now && !change->before)
			continue;
		if (now && !(change->after && coupling_same(now, change->after))) {
			complain(ctx, "coupling %s was changed by somebody else and stays as it is",
				 change->name);
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
	json_t *decls;
	sigset_t old;
	size_t nr;

	block_signals(&old);
	decls = nl ? fetch_declared(ctx) : NULL;
	if (decls) {
		list = check_alloc(calloc(changes->nr + 1, sizeof(*list)));
		nr = find_made(ctx, changes, decls, list);
		if (!send_all(nl, list, nr, true, &fault))
			tell_fault(ctx, list, nr, true, &fault);
		free(list);
		json_decref(decls);
	}
	sigprocmask(SIG_SETMASK, &old, NULL);
	return decls && !fault.found ? RC_OK : RC_REFUSED;
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

static void print_line(const struct ctx *ctx, enum color color, const json_t *decl,
		       bool del)
{
	char *text;
	size_t len;
	FILE *f;

	f = check_alloc(open_memstream(&text, &len));
	fputs(del ? "coupling del " : "coupling add ", f);
	if (del)
		coupling_print_name(f, decl);
	else
		coupling_print_words(f, decl);
	fclose(f);
	print_color(ctx, color, text);
	fputc('\n', ctx->out);
	free(text);
}

void changes_print(const struct ctx *ctx, const struct changes *changes)
{
	size_t i;

	for (i = 0; i < changes->nr; i++)
		if (changes->list[i].before)
			print_line(ctx, COLOR_BAD, changes->list[i].before, true);
	for (i = 0; i < changes->nr; i++)
		if (changes->list[i].after)
			print_line(ctx, COLOR_GOOD, changes->list[i].after, false);
}

static const char *action(const struct change *change)
{
	if (!change->before)
		return "add";
	return change->after ? "replace" : "delete";
}

json_t *changes_json(const struct changes *changes)
{
	json_t *array = json_array();
	size_t i;

	for (i = 0; i < changes->nr; i++) {
		const struct change *change = &changes->list[i];
		json_t *object;

		object = json_pack("{s:s, s:s, s:O*, s:O*}",
				   "action", action(change), "coupling", change->name,
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
	size_t count[3] = { 0 };
	size_t i;

	for (i = 0; i < changes->nr; i++)
		count[!changes->list[i].before ? 0 : !!changes->list[i].after ? 1 : 2]++;
	fprintf(f, "%zu added, %zu replaced, %zu deleted, %zu unchanged",
		count[0], count[1], count[2], changes->same);
	if (changes->kept)
		fprintf(f, ", %zu kept that no file declares", changes->kept);
	fputc('\n', f);
}
