/* SPDX-License-Identifier: GPL-2.0 */
/* What ports and pairs do in a second. */
#ifndef _IVMCTL_RATES_H
#define _IVMCTL_RATES_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "ivmctl.h"

/**
 * struct sample - the counters at one time
 * @ports:     list of ports
 * @couplings: list of couplings
 * @ns:        when they were read, CLOCK_MONOTONIC
 */
struct sample {
	json_t *ports;
	json_t *couplings;
	int64_t ns;
};

/* Returns enum rc. */
int sample_take(struct ctx *ctx, struct sample *sample);
void sample_free(struct sample *sample);

/**
 * rates_find() - what happened between two samples, in a second
 * @before:  the first
 * @after:   the second
 * @by_name: sort by name, else the busiest first
 *
 * What was not in the first is left out: there is no rate yet. So is what
 * began to count anew.
 *
 * Return: an object with the arrays "ports" and "pairs", which the caller owns.
 */
json_t *rates_find(const struct sample *before, const struct sample *after,
		   bool by_name);
/* As tables. */
void rates_show(const struct ctx *ctx, const json_t *rates);
/* As lines of comma-separated values, with the time. */
void rates_csv_head(FILE *f);
void rates_csv(FILE *f, const json_t *rates, const char *time);

#endif /* _IVMCTL_RATES_H */
