/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Pairs of guests, each in a coupling of its own:
 *
 *   guest g[0] --- tap ---+
 *                         +--- a bridge, or the lower device of macvtaps
 *   guest g[1] --- tap ---+
 *
 * What takes a while is done for many of them at once.
 */
#ifndef PAIR_H
#define PAIR_H

#include <linux/types.h>
#include <stdbool.h>

#include "guest.h"

/**
 * struct pair - two guests
 * @g:        of which the first sends
 * @name:     of the guests' interfaces
 * @coupling: its name
 * @lower:    name of the bridge or lower device
 * @want:     enum ivshm_reason for which it shall be on the uplink
 * @seq:      number of the last frame
 * @direct:   frames that had gone direct before
 * @done:     it is as it shall be
 */
struct pair {
	struct guest g[2];
	char name[2][16];
	char coupling[16];
	char lower[16];
	__u32 want;
	__u32 seq;
	__u64 direct;
	bool done;
};

/* Taps on the bridge @bridge, which is there; coupled. Number @nr is in the names. */
int pair_taps(struct pair *p, int nr, const char *bridge);
/* Macvtaps in bridge mode on a new dummy. -ENOPKG if this kernel has none. */
int pair_macvtaps(struct pair *p, int nr);
/* Stop and close what is open. The faults of both. */
int pair_close(struct pair *p);

/* A broadcast of a guest, so that bridges learn where it is. */
void pair_call(struct guest *g);
/* A frame to the second guest, whatever becomes of it. */
int pair_send(struct pair *p);
/* Whether the second guest gets the last one within @ms. */
bool pair_heard(struct pair *p, int ms);
/* Take what has arrived. */
void pair_drain(struct guest *g);
/* Nothing of the two is on its way any more. */
int pair_settle(struct pair *p);
/* Frames of the first guest that took the uplink, or were refused by it. */
__u64 pair_uplink(const struct pair *p);
__u64 pair_direct(const struct pair *p);

/* All know each other, and frames go direct; says which do not. */
bool pairs_join(struct pair *p, unsigned int n);
/* All have left the direct path for the reason that they want, and ivmctl says so. */
bool pairs_part(struct pair *p, unsigned int n);

#endif /* PAIR_H */
