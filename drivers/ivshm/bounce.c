// SPDX-License-Identifier: GPL-2.0
/*
 * Bounced frames: left by others in kernel buffers, delivered by the receiver's
 * own worker; see deliver.h.
 */
#include <linux/mm.h>
#include <linux/slab.h>

#include "deliver.h"
#include "qp.h"

bool ivshm_bounce(struct ivshm_qp *dst, struct list_head *bufs)
{
	struct ivshm_buf *buf;
	u32 nr = 0, bytes = 0;
	bool room;

	list_for_each_entry(buf, bufs, list) {
		nr++;
		bytes += buf->len;
	}

	spin_lock(&dst->bounce_lock);
	/* One frame always fits, however many segments it became. */
	room = READ_ONCE(dst->rx_open) &&
	       (!dst->bounce_nr ||
		(dst->bounce_nr + nr <= IVSHM_BOUNCE_MAX &&
		 dst->bounce_bytes + bytes <= IVSHM_BOUNCE_BYTES));
	if (room) {
		list_splice_tail_init(bufs, &dst->bounce);
		WRITE_ONCE(dst->bounce_nr, dst->bounce_nr + nr);
		dst->bounce_bytes += bytes;
	}
	spin_unlock(&dst->bounce_lock);

	if (room)
		ivshm_worker_wake(&dst->worker, IVSHM_WORK_BOUNCE);
	return room;
}

/* The first frame left by others; it stays counted until it is released. */
static struct ivshm_buf *ivshm_bounce_peek(struct ivshm_qp *qp)
{
	struct ivshm_buf *buf;

	spin_lock(&qp->bounce_lock);
	buf = list_first_entry_or_null(&qp->bounce, struct ivshm_buf, list);
	spin_unlock(&qp->bounce_lock);
	return buf;
}

static void ivshm_bounce_release(struct ivshm_qp *qp, struct ivshm_buf *buf)
{
	spin_lock(&qp->bounce_lock);
	list_del(&buf->list);
	WRITE_ONCE(qp->bounce_nr, qp->bounce_nr - 1);
	qp->bounce_bytes -= buf->len;
	spin_unlock(&qp->bounce_lock);
	kvfree(buf);
}

void ivshm_bounce_purge(struct ivshm_qp *qp)
{
	struct ivshm_buf *buf;

	while ((buf = ivshm_bounce_peek(qp))) {
		ivshm_qp_count(qp, IVSHM_A_STAT_DROP_MEMORY);
		ivshm_bounce_release(qp, buf);
	}
}

bool ivshm_bounce_work(struct ivshm_qp *qp)
{
	struct ivshm_frame *f = &qp->tap_frame;
	enum ivshm_delivery why;
	struct ivshm_buf *buf, *tap = f->buf;
	u32 done = 0;

	while ((buf = ivshm_bounce_peek(qp))) {
		f->buf = buf;
		if (!ivshm_deliver(qp, qp, &f, 1, true, true, &why)) {
			if (why == IVSHM_DELIVER_MISS_DST && qp->worker.task &&
			    !ivshm_qp_fault(qp, IVSHM_VQ_RX))
				continue;
			if (why == IVSHM_DELIVER_USER_DST)
				why = ivshm_deliver_user(qp, buf);
			if (why == IVSHM_DELIVER_FULL || why == IVSHM_DELIVER_MISS_DST ||
			    why == IVSHM_DELIVER_IOTLB_DST) {
				if (ivshm_deliver_want(qp))
					continue;
				break;
			}
			if (why != IVSHM_DELIVERED) {
				ivshm_qp_count(qp, IVSHM_A_STAT_DROP_TOO_BIG);
				ivshm_bounce_release(qp, buf);
				continue;
			}
		}
		WRITE_ONCE(qp->rx_want, false);
		ivshm_qp_count(qp, IVSHM_A_STAT_RX_DIRECT_FRAMES);
		ivshm_qp_count_n(qp, IVSHM_A_STAT_RX_DIRECT_BYTES, buf->len);
		ivshm_qp_count_n(qp, IVSHM_A_STAT_COPIED_BYTES, buf->len);
		ivshm_bounce_release(qp, buf);
		done++;
	}
	f->buf = tap;
	if (done) {
		ivshm_deliver_flush(qp);
		ivshm_qp_wake_waiters(qp);
	}
	return !buf;
}
