// SPDX-License-Identifier: GPL-2.0
/* What several objects' verbs have in common. */
#include "nl.h"
#include "output.h"
#include "verbs.h"

int verb_show(struct ctx *ctx, int argc, char **argv, const struct ivnl_kind *kind,
	      void (*show)(const struct ctx *ctx, const json_t *objects))
{
	const char *name = NULL;
	json_t *objects;

	if (argc) {
		name = argv[0];
		if (word_name(ctx, "NAME", name))
			return RC_USAGE;
	}
	if (argc > 1)
		return usage_extra(ctx, argv[1]);

	if (ivnl_fetch(ctx, kind, name, &objects))
		return RC_REFUSED;
	if (ctx->json)
		return print_json(ctx, objects);
	show(ctx, objects);
	json_decref(objects);
	return RC_OK;
}

int verb_send(struct ctx *ctx, const json_t *decl,
	      struct nl_msg *(*make)(const struct ivnl *nl, const json_t *decl, bool *full),
	      const char *doing)
{
	const struct ivnl *nl = ivnl_get(ctx);
	struct nl_msg *msg;
	char what[128];
	bool full;

	if (!nl)
		return RC_REFUSED;
	msg = make(nl, decl, &full);
	snprintf(what, sizeof(what), "cannot %s %s", doing, json_str(decl, "name"));
	return ivnl_request(ctx, nl, msg, full, NULL, what);
}

int verb_each(struct ctx *ctx, int argc, char **argv, const char *word,
	      int (*check)(const struct ctx *ctx, const char *what, const char *word),
	      int (*one)(const struct ctx *ctx, const struct ivnl *nl, const char *name))
{
	int rc = RC_OK;
	struct ivnl *nl;
	int i;

	if (!argc)
		return usage_missing(ctx, word);
	for (i = 0; i < argc; i++)
		if (check(ctx, word, argv[i]))
			return RC_USAGE;

	nl = ivnl_get(ctx);
	if (!nl)
		return RC_REFUSED;
	for (i = 0; i < argc; i++)
		if (one(ctx, nl, argv[i]))
			rc = RC_REFUSED;
	return rc;
}
