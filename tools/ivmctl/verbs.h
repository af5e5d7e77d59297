/* SPDX-License-Identifier: GPL-2.0 */
/* What several objects' verbs have in common. */
#ifndef VERBS_H
#define VERBS_H

#include <jansson.h>

#include "ivmctl.h"

struct ivnl;
struct ivnl_kind;
struct nl_msg;

/* "show [NAME]": fetch one object or all, and print them as JSON or by @show. */
int verb_show(struct ctx *ctx, int argc, char **argv, const struct ivnl_kind *kind,
	      void (*show)(const struct ctx *ctx, const json_t *objects));
/* Send what @make makes of @decl; "cannot @doing" and its name if that is refused. */
int verb_send(struct ctx *ctx, const json_t *decl,
	      struct nl_msg *(*make)(const struct ivnl *nl, const json_t *decl, bool *full),
	      const char *doing);
/* "@word...": @check for all of them before; then @one for all, even if one fails. */
int verb_each(struct ctx *ctx, int argc, char **argv, const char *word,
	      int (*check)(const struct ctx *ctx, const char *what, const char *word),
	      int (*one)(const struct ctx *ctx, const struct ivnl *nl, const char *name));

#endif /* VERBS_H */
