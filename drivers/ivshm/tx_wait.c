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

void ivshm_tx_park(struct ivshm_qp *qp, struct ivshm_qp *dst, struct ivshm_frame *f)
{
	bool limit = false, held = !READ_ONCE(dst->rx_open);
	u64 ns = held ? IVSHM_HELD_NS : (u64)f->park_us * NSEC_PER_USEC;
	/* Of those that drop, the frames in the park do not wait for buffers. */
	bool waits = held || (f->drops ? ivshm_park_busy(qp, f->dst_id) :
					 !READ_ONCE(dst->rx_stalled));

	/* A receiver that let one frame wait in vain lets none wait after it. */
	if (waits) {
		if (ivshm_tx_wait(qp, f, ns, &limit))
			return;
		if (!held && !limit && !qp->stopping)
			WRITE_ONCE(dst->rx_stalled, true);
	}
	ivshm_tx_drop(qp, f, limit ? IVSHM_A_STAT_DROP_PARK_LIMIT : IVSHM_A_STAT_DROP_FULL);
}

bool ivshm_tx_meter(struct ivshm_qp *qp, struct ivshm_frame *f)
{
	u64 now = ktime_get_ns(), at = 0;
	bool full;

	if (f->paid || (f->path != IVSHM_PATH_DIRECT && f->path != IVSHM_PATH_HOLD &&
			f->path != IVSHM_PATH_FLOOD))
		return true;
	if (!ivshm_park_busy(qp, IVSHM_PARK_RATE)) {
		at = ivshm_bucket_take(f->bucket, f->len, now);
		if (!at) {
			f->paid = true;
			/* How long it may wait for buffers is another matter. */
			f->deadline = 0;
			return true;
		}
	}
	list_del(&f->list);
	f->dst_id = IVSHM_PARK_RATE;
	if (!f->drops) {
		ivshm_park_open(qp, NULL, f->dst_id);
		if (ivshm_tx_wait(qp, f, (u64)f->park_us * NSEC_PER_USEC, &full)) {
			if (at)
				qp->rate_at = max(at, now + IVSHM_RATE_WAIT_NS);
			return false;
		}
	}
	ivshm_tx_drop(qp, f, IVSHM_A_STAT_DROP_RATE);
	return false;
}
