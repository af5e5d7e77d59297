// SPDX-License-Identifier: GPL-2.0
/* Frames that cannot go just now: they wait, or are dropped; see tx.h. */
#include <linux/ktime.h>

#include "detector.h"
#include "port.h"
#include "qp.h"
#include "rate.h"
#include "tx.h"

bool ivshm_tx_wait(struct ivshm_qp *qp, struct ivshm_frame *f, u64 ns, bool *full)
{
	u64 now = ktime_get_ns();

	*full = false;
	if (!f->deadline) {
		f->deadline = now + ns;
		ivshm_qp_count(qp, IVSHM_A_STAT_PARKED);
	} else if (now >= f->deadline && !ivshm_park_busy(qp, f->dst_id)) {
		return false;
	}
	if (qp->stopping)
		return false;
	if (ivshm_park_add(qp, f->dst_id, f))
		return true;
	*full = true;
	return false;
}

void ivshm_tx_park(struct ivshm_qp *qp, struct ivshm_qp *dst, struct ivshm_frame *f, bool held)
{
	bool limit = false;
	u64 ns = held ? IVSHM_HELD_NS : (u64)f->park_us * NSEC_PER_USEC;
	/* Of those that drop, the frames in the park do not wait for buffers. */
	bool waits = held || (f->drops ? ivshm_park_busy(qp, f->dst_id) :
					 !READ_ONCE(dst->rx_stalled));

	/* However long it waited for buffers, or behind others that do. */
	if (held && !f->paused) {
		f->paused = true;
		f->deadline = 0;
	}
	/* A receiver that let one frame wait in vain lets none wait after it. */
	if (waits) {
		if (ivshm_tx_wait(qp, f, ns, &limit))
			return;
		if (!held && !limit && !qp->stopping)
			WRITE_ONCE(dst->rx_stalled, true);
	}
	ivshm_tx_drop(qp, f, limit ? IVSHM_A_STAT_DROP_PARK_LIMIT : IVSHM_A_STAT_DROP_FULL);
}

/* There are no tokens for @f until @at, or others wait for some. */
static void ivshm_tx_late(struct ivshm_qp *qp, struct ivshm_frame *f, u64 at)
{
	bool full;

	list_del(&f->list);
	f->dst_id = IVSHM_PARK_RATE;
	if (!f->drops) {
		ivshm_park_open(qp, NULL, f->dst_id);
		if (ivshm_tx_wait(qp, f, (u64)f->park_us * NSEC_PER_USEC, &full)) {
			qp->rate_at = min(qp->rate_at, at);
			return;
		}
	}
	ivshm_tx_drop(qp, f, IVSHM_A_STAT_DROP_RATE);
}

/* The first frames of @frames that need tokens, of one bucket, and their lengths. */
static u32 ivshm_tx_unpaid(struct list_head *frames, struct ivshm_frame **run, u32 *len)
{
	struct ivshm_frame *f;
	u32 n = 0;

	list_for_each_entry(f, frames, list) {
		if (!f->bucket || f->paid ||
		    (f->path != IVSHM_PATH_DIRECT && f->path != IVSHM_PATH_HOLD &&
		     f->path != IVSHM_PATH_FLOOD))
			continue;
		if (n && f->bucket != run[0]->bucket)
			break;
		run[n] = f;
		len[n++] = f->len;
		if (n == IVSHM_BATCH)
			break;
	}
	return n;
}

void ivshm_tx_meter(struct ivshm_qp *qp, struct list_head *frames)
{
	bool late = ivshm_park_busy(qp, IVSHM_PARK_RATE);
	u64 now = ktime_get_ns(), at = U64_MAX;
	struct ivshm_frame *run[IVSHM_BATCH];
	u32 len[IVSHM_BATCH], nr, n, i;

	while ((nr = ivshm_tx_unpaid(frames, run, len))) {
		n = late ? 0 : ivshm_bucket_take(run[0]->bucket, len, nr, now, &at);
		for (i = 0; i < n; i++) {
			run[i]->paid = true;
			/* How long it may wait for buffers is another matter. */
			run[i]->deadline = 0;
		}
		late = late || n < nr;
		for (; i < nr; i++)
			ivshm_tx_late(qp, run[i], max(at, now + IVSHM_RATE_WAIT_NS));
	}
}
