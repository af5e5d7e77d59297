/* SPDX-License-Identifier: GPL-2.0 */
/* What several objects' verbs have in common. */
#ifndef VERBS_H
#define VERBS_H

#include <jansson.h>

#include "ivmctl.h"

struct ivnl;
struct ivnl_kind;

/* "show [NAME]": fetch one object or all, and print them as JSON or by @show. */
int verb_show(struct ctx *ctx, int argc, char **argv, const struct ivnl_kind *kind,
	      void (*show)(const struct ctx *ctx, const json_t *objects));
/* "NAME...": all names are checked before; then @one for all, even if one fails. */
int verb_each(struct ctx *ctx, int argc, char **argv,
	      int (*one)(const struct ctx *ctx, const struct ivnl *nl, const char *name));

#endif /* VERBS_H */
