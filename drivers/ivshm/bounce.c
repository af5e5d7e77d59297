// SPDX-License-Identifier: GPL-2.0
/*
 * Bounced frames: left by others in kernel buffers, delivered by the receiver's
 * own worker; see deliver.h.
 */
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "deliver.h"
#include "ivshm.h"
#include "qp.h"

static void ivshm_ways_free(struct kref *ref)
{
	kfree(container_of(ref, struct ivshm_ways, ref));
}

void ivshm_ways_put(struct ivshm_ways *ways)
{
	kref_put(&ways->ref, ivshm_ways_free);
}

enum ivshm_delivery ivshm_bounce(struct ivshm_qp *src, u32 index, struct ivshm_qp *dst,
				 struct list_head *bufs)
{
	enum ivshm_delivery why = IVSHM_DELIVERED;
	u64 now = ktime_get_ns();
	struct ivshm_buf *buf;
	u32 nr = 0, bytes = 0;

	list_for_each_entry(buf, bufs, list) {
		nr++;
		bytes += buf->len;
	}

	spin_lock(&dst->bounce_lock);
	/* One frame always fits, however many segments it became. */
	if (!READ_ONCE(dst->rx_open))
		why = IVSHM_DELIVER_HELD;
	else if (dst->bounce_nr && (dst->bounce_nr + nr > IVSHM_BOUNCE_MAX ||
				    dst->bounce_bytes + bytes > IVSHM_BOUNCE_BYTES))
		why = IVSHM_DELIVER_FULL;
	if (why == IVSHM_DELIVERED) {
		list_for_each_entry(buf, bufs, list) {
			kref_get(&src->ways->ref);
			buf->ways = src->ways;
			buf->index = index;
			buf->at = now;
		}
		atomic_add(nr, &src->ways->way[index].left);
		list_splice_tail_init(bufs, &dst->bounce);
		WRITE_ONCE(dst->bounce_nr, dst->bounce_nr + nr);
		dst->bounce_bytes += bytes;
	}
	spin_unlock(&dst->bounce_lock);

	if (why == IVSHM_DELIVERED)
		ivshm_worker_wake(&dst->worker, IVSHM_WORK_BOUNCE);
	return why;
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
	/* It is with the guest; pairs with ivshm_tx_way_open(). */
	smp_mb__before_atomic();
	atomic_dec(&buf->ways->way[buf->index].left);
	ivshm_ways_put(buf->ways);
	kvfree(buf);
}

void ivshm_bounce_purge(struct ivshm_qp *qp)
{
	struct ivshm_buf *buf;

	while ((buf = ivshm_bounce_peek(qp))) {
		ivshm_qp_drop(qp, IVSHM_A_STAT_DROP_MEMORY, 1);
		ivshm_bounce_release(qp, buf);
	}
}

void ivshm_bounce_move(struct ivshm_qp *qp, struct ivshm_qp *to)
{
	/* One at a time moves, so that the order of the two locks is no matter. */
	lockdep_assert_held(&ivshm_mutex);

	spin_lock(&qp->bounce_lock);
	spin_lock_nested(&to->bounce_lock, SINGLE_DEPTH_NESTING);
	list_splice_tail_init(&qp->bounce, &to->bounce);
	WRITE_ONCE(to->bounce_nr, to->bounce_nr + qp->bounce_nr);
	to->bounce_bytes += qp->bounce_bytes;
	WRITE_ONCE(qp->bounce_nr, 0);
	qp->bounce_bytes = 0;
	spin_unlock(&to->bounce_lock);
	spin_unlock(&qp->bounce_lock);
	ivshm_worker_wake(&to->worker, IVSHM_WORK_BOUNCE);
}

bool ivshm_bounce_between(struct ivshm_qp *qp, u64 past, u64 at)
{
	struct ivshm_buf *buf;
	bool found = false;

	if (!READ_ONCE(qp->bounce_nr))
		return false;
	spin_lock(&qp->bounce_lock);
	list_for_each_entry(buf, &qp->bounce, list)
		found = found || (buf->at > past && buf->at <= at);
	spin_unlock(&qp->bounce_lock);
	return found;
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
				ivshm_qp_drop(qp, IVSHM_A_STAT_DROP_TOO_BIG, 1);
				ivshm_bounce_release(qp, buf);
				done++;
				continue;
			}
		}
		WRITE_ONCE(qp->rx_want, false);
		rcu_read_lock();
		ivshm_stats_dev(qp->port, false, 1, buf->len);
		rcu_read_unlock();
		ivshm_qp_count(qp, IVSHM_A_STAT_RX_DIRECT_FRAMES);
		ivshm_qp_count_n(qp, IVSHM_A_STAT_RX_DIRECT_BYTES, buf->len);
		ivshm_qp_count_n(qp, IVSHM_A_STAT_COPIED_BYTES, buf->len);
		ivshm_bounce_release(qp, buf);
		done++;
	}
	f->buf = tap;
	if (done) {
		ivshm_deliver_flush(qp);
		ivshm_qp_wake_port(qp);
	}
	return !buf;
}
