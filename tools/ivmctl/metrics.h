/* SPDX-License-Identifier: GPL-2.0 */
/* Figures for Prometheus. */
#ifndef _IVMCTL_METRICS_H
#define _IVMCTL_METRICS_H

#include <jansson.h>
#include <stdio.h>

/*
 * What the lists say, as an object with each metric by its name. The lists may
 * be NULL; @ports is if nothing could be read. The caller owns the object.
 */
json_t *metrics_collect(const json_t *ports, const json_t *couplings,
			const json_t *addresses);
/* In Prometheus' text format. */
void metrics_print(FILE *f, json_t *metrics);

#endif /* _IVMCTL_METRICS_H */
