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

/*
 * The queue pair that takes @f at the member with index @i, or NULL; *@denied: that one
 * may not have it. Under RCU.
 */
static struct ivshm_qp *ivshm_tx_peer(struct ivshm_qp *qp, const struct ivshm_frame *f, u32 i,
				      struct ivshm_map *map, bool *denied)
{
	struct ivshm_member *self = rcu_dereference(qp->port->member);
	struct ivshm_port *peer;

	*denied = false;
	if (!self || i >= self->coupling->nr || i == self->index)
		return NULL;
	peer = rcu_dereference(self->coupling->member[i].port);
	if (!peer)
		return NULL;
	*denied = ivshm_pair_denied(&self->pair[i]);
	return *denied ? NULL : ivshm_queue_pick(qp, peer, f->hash, map);
}

/*
 * Leave @bufs, a copy of @f, with the member of index @i, and show @skbs to those who
 * watch that or @from.  Flooded frames wait for none that were left by another map,
 * but those for one address do, then, for all of them.
 */
static bool ivshm_tx_flood_one(struct ivshm_qp *qp, const struct ivshm_frame *f, u32 i,
			       struct list_head *bufs, const struct ivshm_port *from,
			       struct sk_buff_head *skbs)
{
	struct ivshm_way *way = &qp->ways->way[i];
	struct ivshm_qp *dst;
	struct ivshm_map map;
	bool ok, denied;

	/* Open under RCU means that its worker is there to be woken. */
	rcu_read_lock();
	dst = ivshm_tx_peer(qp, f, i, &map, &denied);
	if (dst && !ivshm_map_same(&way->map, &map))
		way->map = atomic_read(&way->left) ? (struct ivshm_map){} : map;
	ok = dst && ivshm_bounce(qp, i, dst, bufs) == IVSHM_DELIVERED;
	if (ok)
		ivshm_capture_show(from, dst->port, skbs);
	rcu_read_unlock();
	return ok;
}

/* To all other running members of a static coupling. May sleep. */
static int ivshm_tx_flood(struct ivshm_qp *qp, struct ivshm_frame *f)
{
	struct sk_buff_head skbs;
	u32 n = 0, i, sent = 0, nr_denied = 0;
	LIST_HEAD(bufs);
	int err;

	err = ivshm_frame_linearise(qp, f);
	if (!err)
		err = ivshm_frame_need_hash(qp, f);
	if (err)
		return err;

	__skb_queue_head_init(&skbs);
	if (ivshm_capture_on())
		ivshm_capture_take(f, &skbs);
	for (i = 0; i < IVSHM_MEMBERS_MAX; i++) {
		netdev_features_t features = 0;
		struct ivshm_qp *dst;
		struct ivshm_map map;
		bool denied;

		rcu_read_lock();
		dst = ivshm_tx_peer(qp, f, i, &map, &denied);
		if (dst)
			features = ivshm_uplink_features(dst);
		rcu_read_unlock();
		nr_denied += denied;
		if (!dst)
			continue;
		n++;
		err = ivshm_vnet_convert(qp, f->buf, features, &bufs);
		if (!err && ivshm_tx_flood_one(qp, f, i, &bufs, sent ? NULL : qp->port, &skbs)) {
			sent++;
			continue;
		}
		ivshm_qp_drop(qp, err ? IVSHM_A_STAT_DROP_OFFLOAD : IVSHM_A_STAT_DROP_FULL, 1);
		ivshm_bufs_free(&bufs);
	}
	__skb_queue_purge(&skbs);

	if (sent) {
		ivshm_qp_count(qp, IVSHM_A_STAT_TX_DIRECT_FRAMES);
		ivshm_qp_count_n(qp, IVSHM_A_STAT_TX_DIRECT_BYTES, f->len);
		ivshm_qp_count_n(qp, IVSHM_A_STAT_TX_FLOODED, sent - 1);
		rcu_read_lock();
		ivshm_stats_dev(qp->port, true, 1, f->len);
		rcu_read_unlock();
	} else if (!n) {
		ivshm_qp_drop(qp, nr_denied ? IVSHM_A_STAT_DROP_DENIED :
					      IVSHM_A_STAT_DROP_NO_PEER, 1);
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
		ivshm_qp_drop(qp, IVSHM_A_STAT_DROP_UPLINK, 1);
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

/* All of them, so that this is done once. 0 when @f has its hash. */
static int ivshm_tx_hash(struct ivshm_qp *qp, struct ivshm_frame *f, struct list_head *frames)
{
	int err = ivshm_frame_need_hash(qp, f);

	if (err)
		return err;
	list_for_each_entry(f, frames, list)
		if (ivshm_frame_need_hash(qp, f))
			break;
	return 0;
}

/*
 * What @f, taken from @frames, waits for that may sleep.  0, or why not as
 * ivshm_frame_read().
 */
static int ivshm_tx_prepare(struct ivshm_qp *qp, struct ivshm_frame *f,
			    struct list_head *frames)
{
	int err;

	switch (f->want) {
	case IVSHM_WANT_HASH:
		return ivshm_tx_hash(qp, f, frames);
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
		case IVSHM_PATH_DENY:
			ivshm_tx_drop(qp, f, IVSHM_A_STAT_DROP_DENIED);
			err = 0;
			break;
		case IVSHM_PATH_REFUSE:
			ivshm_tx_drop(qp, f, IVSHM_A_STAT_DROP_SPOOFED);
			err = 0;
			break;
		default:
			err = ivshm_tx_prepare(qp, f, frames);
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
		ivshm_uplink_end(qp);
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
