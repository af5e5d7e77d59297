// SPDX-License-Identifier: GPL-2.0
/* When a transmit ring is looked at without being asked; see tx.h. */
#include <linux/ktime.h>
#include <linux/math64.h>
#include <linux/module.h>
#include <linux/sizes.h>

#include "qp.h"
#include "tx.h"

/*
 * A guest that sends frame after frame puts some more into the ring while the worker
 * wakes up, and for each of these little rounds it pays a kick and an interrupt, which
 * cost it more than the frames do.  So a ring that fills by itself is looked at by time
 * instead: when so many frames, or bytes, are due.  It goes on as long as each look
 * finds LINGER_MIN frames, and for LINGER_MISSES looks more, as a guest may have been
 * without a processor.  Who sends one frame at a time, or large ones, never waits.
 */
#define LINGER_FRAMES	16
#define LINGER_BYTES	SZ_64K
#define LINGER_MIN	2
#define LINGER_MISSES	8

static unsigned int tx_linger_us = 200;
module_param(tx_linger_us, uint, 0644);
MODULE_PARM_DESC(tx_linger_us,
		 "Longest time between two looks at a transmit ring that fills by itself, microseconds; 0: guests notify each time (default 200)");

bool ivshm_tx_linger(struct ivshm_qp *qp)
{
	const struct ivshm_vq *vq = &qp->vq[IVSHM_VQ_TX];
	u64 max = (u64)READ_ONCE(tx_linger_us) * NSEC_PER_USEC;
	struct ivshm_linger *l = &qp->linger;
	u64 now = ktime_get_ns(), took = now - l->since;
	u16 n = vq->ring.last_avail - l->idx;
	u64 due;

	due = min_t(u64, LINGER_FRAMES, div_u64((u64)LINGER_BYTES * n, l->bytes ?: 1));
	l->since = now;
	l->idx = vq->ring.last_avail;
	l->bytes = 0;
	/* Who polls, or has frames that wait, looks at other times. */
	if (!max || qp->nr_parked || READ_ONCE(vq->busyloop))
		return false;
	if (n >= LINGER_MIN && due >= LINGER_MIN && took <= max * n / LINGER_MIN) {
		l->misses = 0;
		l->until = now + min(max, div_u64(took * due, n));
	} else if (n < LINGER_MIN && l->on && l->misses < LINGER_MISSES) {
		l->misses++;
		l->until = now + max;
	} else {
		return false;
	}
	l->on = true;
	return true;
}

bool ivshm_tx_hold_signal(const struct ivshm_qp *qp)
{
	const struct ivshm_vring *ring = &qp->vq[IVSHM_VQ_TX].ring;

	return qp->linger.on && !qp->linger.misses && ring->signalled_used_valid &&
	       (u16)(ring->last_used - ring->signalled_used) < ring->num / 4;
}
