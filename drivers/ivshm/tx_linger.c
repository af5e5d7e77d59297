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
 * instead: when so many frames, or bytes, are due.
 *
 * That goes on as long as they keep coming at the pace that they had when the guest
 * notified us.  A guest that waits for what comes of a few frames before it sends more
 * falls behind it at once; then it is tried again only after some notifications, more
 * each time.  Looks in a row may find too little, LINGER_TRIES of them at first and
 * LINGER_MISSES later, as a guest may have been without a processor.  After LINGER_LOOKS
 * the guest has to notify us for a while, to see what its pace is.
 *
 * Who sends one frame at a time, or large ones, or many at once, never waits.
 */
#define LINGER_FRAMES	16
#define LINGER_BYTES	SZ_64K
#define LINGER_MIN	2
#define LINGER_MISSES	8
#define LINGER_TRIES	3
#define LINGER_LOOKS	1023
#define LINGER_LEARN	4
#define LINGER_SKIP	511
#define LINGER_MAX_US	10000U
/* Of ivshm_linger.pace_frames, for eighths of a frame to be seen. */
#define LINGER_SCALE	16

static unsigned int tx_linger_us = 200;
module_param(tx_linger_us, uint, 0644);
MODULE_PARM_DESC(tx_linger_us,
		 "Longest time between two looks at a transmit ring that fills by itself, microseconds; 0: guests notify each time (default 200)");

/* The ring is empty @now; 0: nobody knows when that was. */
static void ivshm_tx_linger_since(struct ivshm_qp *qp, u64 now)
{
	qp->linger.since = now;
	qp->linger.idx = qp->vq[IVSHM_VQ_TX].ring.last_avail;
	qp->linger.bytes = 0;
}

/* The guest notified us of @n frames, @took ns after the ring was empty: as below. */
static u64 ivshm_tx_linger_begin(struct ivshm_linger *l, u16 n, u64 due, u64 took, u64 max)
{
	u64 pace;

	/* Of the last eight times or so. */
	l->pace_ns += min(took, max * n) - l->pace_ns / 8;
	l->pace_frames += n * LINGER_SCALE - l->pace_frames / 8;
	if (l->skip) {
		l->skip--;
		return 0;
	}
	if (n < LINGER_MIN || took > max * n)
		return 0;
	pace = div_u64((u64)l->pace_ns * LINGER_SCALE, l->pace_frames);
	took = div_u64(took, n);
	/* A pause not long ago makes nobody slow. */
	l->pace = min(pace, 2 * took);
	l->on = true;
	l->pays = false;
	l->misses = 0;
	l->looks = 0;
	return min(max, due * min(pace, took));
}

/* A look by time found @n frames of @took ns: in how many is the next? 0: there is none. */
static u64 ivshm_tx_linger_look(struct ivshm_linger *l, u16 n, u64 due, u64 took, u64 max)
{
	u64 pace = l->pace;

	if (l->looks++ == LINGER_LOOKS) {
		l->skip = LINGER_LEARN;
		return 0;
	}
	if (n >= LINGER_MIN && due >= LINGER_MIN && took * 4 <= pace * n * 5) {
		l->pays = true;
		l->misses = 0;
		l->back = 0;
		return min(max, due * min(pace, div_u64(took, n)));
	}
	if (l->misses < (l->pays ? LINGER_MISSES : LINGER_TRIES)) {
		l->misses++;
		return l->pays ? max : min(max, due * pace);
	}
	if (!l->pays)
		l->back = min(2 * l->back + 1, LINGER_SKIP);
	l->skip = l->back;
	return 0;
}

bool ivshm_tx_linger(struct ivshm_qp *qp)
{
	const struct ivshm_vq *vq = &qp->vq[IVSHM_VQ_TX];
	u64 max = min(READ_ONCE(tx_linger_us), LINGER_MAX_US) * NSEC_PER_USEC;
	struct ivshm_linger *l = &qp->linger;
	u64 due = LINGER_FRAMES, now, since = l->since, wait;
	u16 n = vq->ring.last_avail - l->idx;

	if (l->bytes > LINGER_BYTES / LINGER_FRAMES * n)
		due = div_u64((u64)LINGER_BYTES * n, l->bytes);
	/* Who polls, or has frames that wait, looks at other times. */
	if (!max || qp->nr_parked || READ_ONCE(vq->busyloop) || (!l->on && n >= due)) {
		ivshm_tx_linger_since(qp, 0);
		return false;
	}
	if (!l->on && !n)
		return false;
	now = ktime_get_ns();
	if (l->on)
		wait = ivshm_tx_linger_look(l, n, due, now - since, max);
	else
		wait = since ? ivshm_tx_linger_begin(l, n, due, now - since, max) : 0;
	/* What finds too little is judged with what comes after it. */
	if (!l->on || !l->misses)
		ivshm_tx_linger_since(qp, now);
	if (!wait)
		return false;
	l->until = now + wait;
	return true;
}

bool ivshm_tx_hold_signal(const struct ivshm_qp *qp)
{
	const struct ivshm_vring *ring = &qp->vq[IVSHM_VQ_TX].ring;

	return qp->linger.on && !qp->linger.misses && ring->signalled_used_valid &&
	       (u16)(ring->last_used - ring->signalled_used) < ring->num / 4;
}
