/* SPDX-License-Identifier: GPL-2.0 */
/* What is wrong with this host, and what to do. */
#ifndef _IVMCTL_DOCTOR_H
#define _IVMCTL_DOCTOR_H

#include <jansson.h>
#include <stdbool.h>

#include "ivmctl.h"

/*
 * Findings are an array of objects: severity, object, text, advice. A problem
 * is something that does not work; a hint, something that may be as it should.
 */
#define PROBLEM	"problem"
#define HINT	"hint"

/**
 * struct doctor - an examination
 * @ctx:       of the run
 * @findings:  so far
 * @ports:     list of ports
 * @couplings: list of couplings
 * @taps:      taps in use: by name, an object with pid, process, and how many
 *             files of each device the process has
 */
struct doctor {
	struct ctx *ctx;
	json_t *findings;
	const json_t *ports;
	const json_t *couplings;
	json_t *taps;
};

/* Add a finding about @object; @advice has no full stop. */
void doctor_find(struct doctor *doctor, const char *severity, const char *object,
		 const char *text, const char *advice);
/* The same, with a text by a format. */
void doctor_findf(struct doctor *doctor, const char *severity, const char *object,
		  const char *advice, const char *fmt, ...) __printf(5, 6);

/* The port of that name, or NULL. */
const json_t *doctor_port(const struct doctor *doctor, const char *name);

/* doctor_host.c: module, device, kernel. Returns whether the module is there. */
bool doctor_host(struct doctor *doctor);
/* doctor_taps.c: which processes use which taps. */
void doctor_scan_taps(struct doctor *doctor);
/* doctor_taps.c: ports, and taps that should be some. */
void doctor_taps(struct doctor *doctor);
/* doctor_couplings.c: couplings and pairs that do not engage. */
void doctor_couplings(struct doctor *doctor);

#endif /* _IVMCTL_DOCTOR_H */
