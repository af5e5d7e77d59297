// SPDX-License-Identifier: GPL-2.0
/* Sending what needs to sleep: uplink, flooding, conversions; see tx.h. */
#include <linux/slab.h>

#include "addr.h"
#include "capture.h"
#include "coupling.h"
#include "deliver.h"
#include "detector.h"
#include "port.h"
#include "qp.h"
#include "tx.h"

/* References to the queue pairs of all other running members; their number. */
static u32 ivshm_tx_peers(struct ivshm_port *port, struct ivshm_qp **dst)
{
	struct ivshm_member *self;
	u32 i, n = 0;

	rcu_read_lock();
	self = rcu_dereference(port->member);
	for (i = 0; self && i < self->coupling->nr; i++) {
		struct ivshm_member *m = &self->coupling->member[i];
		struct ivshm_port *peer = rcu_dereference(m->port);

		if (m == self || !peer)
			continue;
		dst[n] = rcu_dereference(peer->qp);
		if (dst[n] && ivshm_qp_tryget(dst[n]))
			n++;
	}
	rcu_read_unlock();
	return n;
}

/* To all other running members of a static coupling. May sleep. */
static int ivshm_tx_flood(struct ivshm_qp *qp, struct ivshm_frame *f)
{
	struct sk_buff_head skbs;
	struct ivshm_qp **dst;
	u32 n = 0, i, sent = 0;
	LIST_HEAD(bufs);
	int err;

	err = ivshm_frame_linearise(qp, f);
	if (err)
		return err;
	dst = kcalloc(IVSHM_MEMBERS_MAX, sizeof(*dst), GFP_KERNEL_ACCOUNT);
	if (!dst)
		return -ENOMEM;

	__skb_queue_head_init(&skbs);
	if (ivshm_capture_on())
		ivshm_capture_take(f, &skbs);
	n = ivshm_tx_peers(qp->port, dst);
	for (i = 0; i < n; i++) {
		netdev_features_t features;
		bool ok;

		rcu_read_lock();
		features = ivshm_uplink_features(dst[i]);
		rcu_read_unlock();
		err = ivshm_vnet_convert(qp, f->buf, features, &bufs);
		/* Open under RCU means that its worker is there to be woken. */
		rcu_read_lock();
		ok = !err && ivshm_bounce(dst[i], &bufs);
		if (ok)
			ivshm_capture_show(sent ? NULL : qp->port, dst[i]->port, &skbs);
		rcu_read_unlock();
		if (ok) {
			sent++;
		} else {
			ivshm_qp_count(qp, err ? IVSHM_A_STAT_DROP_OFFLOAD :
						 IVSHM_A_STAT_DROP_FULL);
			ivshm_bufs_free(&bufs);
		}
		ivshm_qp_put(dst[i]);
	}
	kfree(dst);
	__skb_queue_purge(&skbs);

	if (sent) {
		ivshm_qp_count(qp, IVSHM_A_STAT_TX_DIRECT_FRAMES);
		ivshm_qp_count_n(qp, IVSHM_A_STAT_TX_DIRECT_BYTES, f->len);
		ivshm_qp_count_n(qp, IVSHM_A_STAT_TX_FLOODED, sent - 1);
		rcu_read_lock();
		ivshm_stats_dev(qp->port, true, 1, f->len);
		rcu_read_unlock();
	} else if (!n) {
		ivshm_qp_count(qp, IVSHM_A_STAT_DROP_NO_PEER);
	}
	return 0;
}

/* By the uplink. 0 when @f is dealt with, else as ivshm_frame_read(). */
static int ivshm_tx_uplink(struct ivshm_qp *qp, struct ivshm_frame *f)
{
	int err = -EAGAIN;

	if (!ivshm_park_busy(qp, IVSHM_PARK_UPLINK))
		err = ivshm_uplink_send(qp, f);
	switch (err) {
	case 0:
		break;
	case -EAGAIN:
		/* As long as it takes, like vhost-net: the guest's queue fills. */
		f->deadline = U64_MAX;
		f->dst_id = IVSHM_PARK_UPLINK;
		if (!qp->stopping && ivshm_park_open(qp, NULL, f->dst_id) &&
		    ivshm_park_add(qp, f->dst_id, f))
			return 0;
		fallthrough;
	case -EIO:
		ivshm_qp_count(qp, IVSHM_A_STAT_DROP_UPLINK);
		break;
	default:
		return err;
	}
	ivshm_tx_done(qp, f);
	return 0;
}

/* What a guest says of its IP addresses in ARP and neighbour discovery. May sleep. */
static void ivshm_tx_learn(struct ivshm_qp *qp, const struct ivshm_frame *f)
{
	u32 len = min_t(u32, f->len, IVSHM_ADDR_LOOK);
	const struct ivshm_member *member;
	u8 head[IVSHM_ADDR_LOOK];

	if (likely(!ivshm_addr_tells(f->copy, f->copy_len)) || !qp->port ||
	    ivshm_frame_head(qp, f, head, len))
		return;
	rcu_read_lock();
	member = rcu_dereference(qp->port->member);
	if (!member || !member->coupling->strict)
		ivshm_addr_learn_from(qp->port, head, len);
	rcu_read_unlock();
}

/* What @f waits for that may sleep. 0, or why not as ivshm_frame_read(). */
static int ivshm_tx_prepare(struct ivshm_qp *qp, struct ivshm_frame *f)
{
	int err;

	switch (f->want) {
	case IVSHM_WANT_FAULT:
		return ivshm_gmem_fault(qp->gm);
	case IVSHM_WANT_LINEAR:
		return ivshm_frame_linearise(qp, f);
	case IVSHM_WANT_CONVERT:
		err = ivshm_frame_linearise(qp, f);
		if (err)
			return err;
		err = ivshm_vnet_convert(qp, f->buf, f->features, &f->bufs);
		return err;
	case IVSHM_WANT_TRANSLATION:
		return -EINPROGRESS;
	default:
		return 0;
	}
}

/*
 * Kernel buffers for direct frames that are watched, in one go: each would come
 * back alone for its own.  One for which it fails is seen to when its turn comes.
 */
static void ivshm_tx_show_ready(struct ivshm_qp *qp, struct list_head *frames)
{
	struct ivshm_frame *f;

	if (!ivshm_capture_on())
		return;
	list_for_each_entry(f, frames, list)
		if (f->path == IVSHM_PATH_DIRECT && ivshm_capture_lacks(f) &&
		    ivshm_frame_linearise(qp, f))
			break;
}

/*
 * The part that may sleep, in order and no further than the first frame that
 * is ready to go direct.  Frames dealt with leave @frames; the others are to be
 * decided again. -EINTR: the worker is asked to pause.  -EINPROGRESS: a translation
 * is missing that the VMM was asked for.
 */
static int ivshm_tx_rest(struct ivshm_qp *qp, struct list_head *frames)
{
	struct ivshm_frame *f;
	int err;

	while ((f = list_first_entry_or_null(frames, struct ivshm_frame, list))) {
		list_del(&f->list);
		switch (f->path) {
		case IVSHM_PATH_UPLINK:
			ivshm_tx_learn(qp, f);
			/* Frames that wait for this address go first, once. */
			if (qp->nr_parked && !f->flushed) {
				f->flushed = true;
				list_add(&f->list, frames);
				if (ivshm_park_release(qp, f))
					return 0;
				list_del(&f->list);
			}
			err = ivshm_tx_uplink(qp, f);
			break;
		case IVSHM_PATH_FLOOD:
			ivshm_tx_learn(qp, f);
			err = ivshm_tx_flood(qp, f);
			if (!err)
				ivshm_tx_done(qp, f);
			break;
		case IVSHM_PATH_DROP:
			ivshm_tx_drop(qp, f, f->plain ? IVSHM_A_STAT_DROP_NO_PEER :
							IVSHM_A_STAT_DROP_OFFLOAD);
			err = 0;
			break;
		case IVSHM_PATH_REFUSE:
			ivshm_tx_drop(qp, f, IVSHM_A_STAT_DROP_SPOOFED);
			err = 0;
			break;
		default:
			err = ivshm_tx_prepare(qp, f);
			if (err)
				break;
			list_add(&f->list, frames);
			ivshm_tx_show_ready(qp, frames);
			return 0;
		}
		switch (err) {
		case 0:
			break;
		case -EINPROGRESS:
			if (qp->stopping) {
				ivshm_tx_drop(qp, f, IVSHM_A_STAT_DROP_MEMORY);
				break;
			}
			fallthrough;
		case -EINTR:
			list_add(&f->list, frames);
			return err;
		case -EFAULT:
			ivshm_qp_ring_error(qp, IVSHM_VQ_TX);
			ivshm_tx_drop(qp, f, IVSHM_A_STAT_DROP_MALFORMED);
			break;
		case -EINVAL:
			ivshm_tx_drop(qp, f, IVSHM_A_STAT_DROP_OFFLOAD);
			break;
		default:
			ivshm_tx_drop(qp, f, IVSHM_A_STAT_DROP_MEMORY);
			break;
		}
	}
	return 0;
}

void ivshm_tx_dispatch(struct ivshm_qp *qp, struct list_head *frames)
{
	while (!list_empty(frames)) {
		int err;

		ivshm_tx_direct(qp, frames);
		err = ivshm_tx_rest(qp, frames);
		ivshm_uplink_flush(qp);
		/* In front: what is there was taken later than what was parked. */
		if (err)
			list_splice_init(frames, &qp->redo);
		if (err == -EINTR)
			ivshm_worker_wake(&qp->worker, IVSHM_WORK_TX);
	}
	/* After the last frame was sent. */
	smp_store_release(&qp->tx_uplink, false);
	ivshm_park_tidy(qp);
}
