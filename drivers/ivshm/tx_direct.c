// SPDX-License-Identifier: GPL-2.0
/* Deciding and sending direct: what does not sleep; see tx.h. */
#include <linux/etherdevice.h>
#include <linux/if_vlan.h>

#include "capture.h"
#include "coupling.h"
#include "deliver.h"
#include "detector.h"
#include "port.h"
#include "qp.h"
#include "trace.h"
#include "tx.h"

bool ivshm_tx_announce(struct ivshm_qp *qp)
{
	WRITE_ONCE(qp->tx_uplink, true);
	/* Before the port's coupling is looked at; see ivshm_uplink_quiet(). */
	smp_mb();
	if (!qp->port || !ivshm_port_isolated(qp->port))
		return true;
	WRITE_ONCE(qp->tx_uplink, false);
	return false;
}

static void ivshm_tx_set_macs(struct ivshm_frame *f, const u8 *macs)
{
	memcpy(f->copy, macs, sizeof(f->macs));
	if (f->buf)
		memcpy(f->buf->data, macs, sizeof(f->macs));
}

/* The frame was for a gateway: it comes from there, and goes to @lladdr. */
static void ivshm_tx_route(struct ivshm_frame *f, const u8 *lladdr)
{
	u8 macs[sizeof(f->macs)];

	memcpy(f->macs, f->copy, sizeof(f->macs));
	memcpy(macs, lladdr, ETH_ALEN);
	memcpy(macs + ETH_ALEN, f->macs, ETH_ALEN);
	ivshm_tx_set_macs(f, macs);
	f->routed = true;
}

/* Whose frames are these? Fills in the decision; under RCU. */
static void ivshm_tx_decide(struct ivshm_qp *qp, struct ivshm_frame *f)
{
	struct ivshm_decision d = { .path = IVSHM_PATH_UPLINK };
	struct ivshm_port *port = qp->port;

	/* As the guest sent it, if it was decided before. */
	if (unlikely(f->routed)) {
		ivshm_tx_set_macs(f, f->macs);
		f->routed = false;
	}
	if (port)
		ivshm_detector_decide(port, f->copy, f->copy_len, f->len, f->gso_len, &d);
	if (!f->plain && (d.path == IVSHM_PATH_DIRECT || d.path == IVSHM_PATH_HOLD ||
			  d.path == IVSHM_PATH_FLOOD))
		d.path = ivshm_port_isolated(port) ? IVSHM_PATH_DROP : IVSHM_PATH_UPLINK;

	if (d.path == IVSHM_PATH_UPLINK && qp->cut_off)
		d.path = IVSHM_PATH_DROP;
	/* The coupling that ivshm_tx_announce() saw may be gone by now. */
	if (d.path == IVSHM_PATH_UPLINK && !qp->tx_uplink)
		WRITE_ONCE(qp->tx_uplink, true);
	f->path = d.path;
	f->dst = d.dst;
	f->pair = d.pair;
	f->dst_id = d.dst ? d.dst->id : 0;
	f->index = d.index;
	f->park_us = d.park_us;
	f->drops = d.drops;
	f->bucket = d.bucket;
	if (d.path != IVSHM_PATH_DIRECT && d.path != IVSHM_PATH_HOLD)
		f->held = false;
	f->by_ip = d.by_ip;
	trace_ivshm_decide(qp, f);
	if (unlikely(d.lladdr) &&
	    (d.path == IVSHM_PATH_DIRECT || d.path == IVSHM_PATH_HOLD))
		ivshm_tx_route(f, d.lladdr);
}

/* Has a queue pair of the receiver consumed what was in its tap when @f asked first? */
static bool ivshm_tx_queue_drained(struct ivshm_qp *dst, struct ivshm_frame *f)
{
	u32 queued, seq;
	u64 in, done;

	seq = raw_read_seqcount(&dst->tap_seq);
	queued = ivshm_uplink_queued(dst);
	done = READ_ONCE(dst->tap_done);
	in = READ_ONCE(dst->tap_in);
	/* Frames are on their way from one to the other: we are woken after. */
	if (seq & 1 || read_seqcount_retry(&dst->tap_seq, seq))
		return false;
	if (!queued && done == in)
		return true;
	if (!f->target) {
		f->target = in + queued;
		return false;
	}
	return done >= f->target;
}

/* All of them, one after the other; whoever does not wakes us. Under RCU. */
static bool ivshm_tx_drained(struct ivshm_frame *f)
{
	struct ivshm_qp *dst;

	list_for_each_entry_rcu(dst, &f->dst->qps, port_list) {
		if (dst->id < f->awaited)
			continue;
		if (dst->id > f->awaited) {
			f->awaited = dst->id;
			f->target = 0;
		}
		if (!ivshm_tx_queue_drained(dst, f))
			return false;
		f->awaited++;
		f->target = 0;
	}
	return true;
}

/*
 * A worker's frames for a receiver all come behind each other.  What is to be
 * waited for when they take another way is
 * - what the worker sent by its uplink before the pair was coupled,
 * - what it left in a kernel buffer with another of the receiver's queues.
 * All other frames that went direct are with the guest, those in parks go first.
 */
static bool ivshm_tx_joins(const struct ivshm_qp *qp, u32 index, const struct ivshm_pair *pair)
{
	return qp->ways->way[index].epoch != READ_ONCE(pair->epoch);
}

bool ivshm_tx_way_open(struct ivshm_qp *qp, u32 index, const struct ivshm_pair *pair,
		       const struct ivshm_map *map)
{
	struct ivshm_way *way = &qp->ways->way[index];

	if (unlikely(ivshm_tx_joins(qp, index, pair)))
		return false;
	if (likely(ivshm_map_same(&way->map, map)))
		return true;
	/* Pairs with ivshm_bounce_release(). */
	if (atomic_read_acquire(&way->left))
		return false;
	way->map = *map;
	return true;
}

void ivshm_tx_count_direct(struct ivshm_qp *qp, struct ivshm_qp *dst,
			   const struct ivshm_pair *pair, u32 n, u64 bytes,
			   bool delivered)
{
	ivshm_qp_count_n(qp, IVSHM_A_STAT_TX_DIRECT_FRAMES, n);
	ivshm_qp_count_n(qp, IVSHM_A_STAT_TX_DIRECT_BYTES, bytes);
	if (pair) {
		this_cpu_add(pair->stats->frames, n);
		this_cpu_add(pair->stats->bytes, bytes);
	}
	ivshm_stats_dev(qp->port, true, n, bytes);
	if (!delivered)
		return;
	ivshm_stats_dev(READ_ONCE(dst->port), false, n, bytes);
	ivshm_qp_count_n(dst, IVSHM_A_STAT_RX_DIRECT_FRAMES, n);
	ivshm_qp_count_n(dst, IVSHM_A_STAT_RX_DIRECT_BYTES, bytes);
	ivshm_qp_count_n(qp, IVSHM_A_STAT_COPIED_BYTES, bytes);
}

/* To those who watch; @skbs is empty then. */
static void ivshm_tx_show(struct ivshm_qp *qp, struct ivshm_qp *dst, struct sk_buff_head *skbs)
{
	if (likely(skb_queue_empty(skbs)))
		return;
	ivshm_capture_show(qp->port, dst->port, skbs);
	__skb_queue_purge(skbs);
}

/* The first @n frames of a run were delivered. */
static void ivshm_tx_delivered(struct ivshm_qp *qp, struct ivshm_qp *dst,
			       struct ivshm_frame **run, u32 n)
{
	const struct ivshm_pair *pair = run[0]->pair;
	struct sk_buff_head skbs;
	u64 bytes = 0;
	u32 i;

	if (!n)
		return;
	__skb_queue_head_init(&skbs);
	for (i = 0; i < n; i++) {
		if (ivshm_capture_on())
			ivshm_capture_take(run[i], &skbs);
		bytes += run[i]->len;
		list_del(&run[i]->list);
		ivshm_tx_done(qp, run[i]);
	}
	ivshm_tx_count_direct(qp, dst, pair, n, bytes, true);
	ivshm_tx_show(qp, dst, &skbs);
}

/* Collect, from @f on, what is left in @frames for the same queue of a receiver. */
static u32 ivshm_tx_run(struct list_head *frames, struct ivshm_frame *f,
			const struct ivshm_map *map, netdev_features_t features,
			struct ivshm_frame **run)
{
	u32 id = f->dst_id, queue = ivshm_queue_index(map, f->hash), n = 0;
	bool hashed = map->index == IVSHM_QUEUE_HASH;

	list_for_each_entry_from(f, frames, list) {
		if (f->dst_id != id)
			continue;
		if (unlikely(hashed)) {
			if (!f->hashed)
				break;
			if (ivshm_queue_index(map, f->hash) != queue)
				continue;
		}
		if (f->path != IVSHM_PATH_DIRECT || f->want || ivshm_capture_lacks(f) ||
		    !ivshm_vnet_fits(&f->hdr, features) || !list_empty(&f->bufs))
			break;
		run[n++] = f;
		if (n == IVSHM_BATCH)
			break;
	}
	return n;
}

/*
 * The receiver's memory is not there.  Its worker brings it in meanwhile, or has its
 * VMM asked where it is; a
 * frame that misses too often, or for too long, is left there in a kernel buffer
 * and is not lost for it: the guest did have buffers.
 */
static void ivshm_tx_missed(struct ivshm_qp *qp, struct ivshm_qp *dst, struct ivshm_frame *f)
{
	struct list_head *before = f->list.prev;
	bool limit;

	ivshm_park_open(qp, dst, f->dst_id);
	ivshm_worker_wake(&dst->worker, IVSHM_WORK_FAULT);
	if (++f->misses < IVSHM_MISSES) {
		list_del(&f->list);
		if (ivshm_tx_wait(qp, f, (u64)f->park_us * NSEC_PER_USEC, &limit))
			return;
		list_add(&f->list, before);
		f->misses = IVSHM_MISSES;
	}
	f->want = IVSHM_WANT_LINEAR;
}

/*
 * The frame in front cannot be delivered just now, and so none of those behind
 * it for the same receiver.  Either it is given up here or they all wait.
 */
static void ivshm_tx_blocked(struct ivshm_qp *qp, struct ivshm_qp *dst,
			     struct ivshm_frame *f, enum ivshm_delivery why)
{
	switch (why) {
	case IVSHM_DELIVER_MISS_SRC:
		f->want = IVSHM_WANT_FAULT;
		return;
	case IVSHM_DELIVER_IOTLB_SRC:
		f->want = IVSHM_WANT_TRANSLATION;
		return;
	case IVSHM_DELIVER_USER_SRC:
	case IVSHM_DELIVER_USER_DST:
		f->want = IVSHM_WANT_LINEAR;
		return;
	case IVSHM_DELIVER_MISS_DST:
	case IVSHM_DELIVER_IOTLB_DST:
		ivshm_tx_missed(qp, dst, f);
		return;
	case IVSHM_DELIVER_FULL:
	case IVSHM_DELIVER_HELD:
		list_del(&f->list);
		ivshm_tx_park(qp, dst, f, why == IVSHM_DELIVER_HELD);
		return;
	case IVSHM_DELIVER_BAD_SRC:
		ivshm_qp_ring_error(qp, IVSHM_VQ_TX);
		list_del(&f->list);
		ivshm_tx_drop(qp, f, IVSHM_A_STAT_DROP_MALFORMED);
		return;
	case IVSHM_DELIVER_TOO_BIG:
		list_del(&f->list);
		ivshm_tx_drop(qp, f, IVSHM_A_STAT_DROP_TOO_BIG);
		return;
	case IVSHM_DELIVER_BROKEN:
	default:
		list_del(&f->list);
		ivshm_tx_drop(qp, f, IVSHM_A_STAT_DROP_NO_PEER);
		return;
	}
}

/* Frames that must take a kernel buffer to @dst. */
static enum ivshm_delivery ivshm_tx_bounce(struct ivshm_qp *qp, struct ivshm_qp *dst,
					   struct ivshm_frame *f)
{
	struct ivshm_buf *buf = f->buf;
	enum ivshm_delivery why;
	LIST_HEAD(bufs);

	/* Converted: those go, and the original is not needed any more. */
	if (!list_empty(&f->bufs))
		return ivshm_bounce(qp, f->index, dst, &f->bufs);

	list_add(&buf->list, &bufs);
	why = ivshm_bounce(qp, f->index, dst, &bufs);
	if (why == IVSHM_DELIVERED)
		f->buf = NULL;
	return why;
}

/*
 * Send what can be sent to the receiver of @f right away, @f first.
 * Frames dealt with leave @frames.
 */
static void ivshm_tx_to(struct ivshm_qp *qp, struct ivshm_qp *dst, const struct ivshm_map *map,
			struct list_head *frames, struct ivshm_frame *f)
{
	netdev_features_t features = ivshm_uplink_features(dst);
	struct ivshm_frame *run[IVSHM_BATCH];
	bool arm = false, fits = ivshm_vnet_fits(&f->hdr, features);
	struct sk_buff_head skbs;
	enum ivshm_delivery why;
	u32 n, done;

	if (ivshm_capture_lacks(f)) {
		f->want = IVSHM_WANT_LINEAR;
		return;
	}
	/* Nothing overtakes what waits in a kernel buffer. */
	if (f->misses >= IVSHM_MISSES || !fits || !list_empty(&f->bufs) ||
	    READ_ONCE(dst->bounce_nr)) {
		if (!fits && list_empty(&f->bufs)) {
			f->want = IVSHM_WANT_CONVERT;
			f->features = features;
			return;
		}
		if (!f->buf && list_empty(&f->bufs)) {
			f->want = IVSHM_WANT_LINEAR;
			return;
		}
		list_del(&f->list);
		__skb_queue_head_init(&skbs);
		if (ivshm_capture_on())
			ivshm_capture_take(f, &skbs);
		why = ivshm_tx_bounce(qp, dst, f);
		if (why != IVSHM_DELIVERED && ivshm_park_open(qp, dst, f->dst_id))
			why = ivshm_tx_bounce(qp, dst, f);
		if (why != IVSHM_DELIVERED) {
			__skb_queue_purge(&skbs);
			ivshm_tx_park(qp, dst, f, why == IVSHM_DELIVER_HELD);
			return;
		}
		ivshm_tx_show(qp, dst, &skbs);
		ivshm_tx_count_direct(qp, dst, f->pair, 1, f->len, false);
		ivshm_tx_done(qp, f);
		return;
	}

	n = ivshm_tx_run(frames, f, map, features, run);
	while (n) {
		done = ivshm_deliver(qp, dst, run, n, arm, false, &why);
		ivshm_tx_delivered(qp, dst, run, done);
		n -= done;
		if (!n)
			return;
		memmove(run, run + done, n * sizeof(*run));
		if (why == IVSHM_DELIVER_MORE)
			continue;
		if (why == IVSHM_DELIVER_USER_DST)
			run[0]->misses = IVSHM_MISSES;
		if (!arm && (why == IVSHM_DELIVER_HELD ||
			     (why == IVSHM_DELIVER_FULL && !run[0]->drops))) {
			/* Once more: we are woken now, and the guest notifies. */
			ivshm_park_open(qp, dst, run[0]->dst_id);
			arm = true;
			continue;
		}
		ivshm_tx_blocked(qp, dst, run[0], why);
		return;
	}
}

/* Is everything that @f has to come behind with the receiver's guest? */
static bool ivshm_tx_may_join(struct ivshm_qp *qp, struct ivshm_frame *f, bool joins)
{
	if (ivshm_park_busy(qp, f->dst_id) ||
	    atomic_read_acquire(&qp->ways->way[f->index].left))
		return false;
	return !joins || (!ivshm_park_busy(qp, IVSHM_PARK_UPLINK) && ivshm_tx_drained(f));
}

/*
 * A pair is joining, or frames for the receiver take another way now: @f goes by
 * it, or waits, or it waited long enough and is decided anew with those behind
 * it for the same receiver.
 */
static void ivshm_tx_hold(struct ivshm_qp *qp, struct ivshm_qp *dst, const struct ivshm_map *map,
			  struct list_head *frames, struct ivshm_frame *f)
{
	bool joins = f->path == IVSHM_PATH_HOLD || ivshm_tx_joins(qp, f->index, f->pair);
	struct ivshm_way *way = &qp->ways->way[f->index];
	/* Else it cannot go by the uplink instead. */
	bool dynamic = joins && !ivshm_port_isolated(qp->port);
	bool done, limit = false;
	u32 id = f->dst_id;

	/* How long it waited for buffers is another matter. */
	if (!f->held) {
		f->held = true;
		f->deadline = 0;
		f->awaited = 0;
	}
	ivshm_park_open(qp, dst, id);
	done = ivshm_tx_may_join(qp, f, joins);
	if (!done) {
		list_del(&f->list);
		if (ivshm_tx_wait(qp, f, dynamic ? IVSHM_HOLD_NS : IVSHM_MOVE_NS, &limit))
			return;
		/* Rather lost than out of order. */
		if (limit && !dynamic) {
			ivshm_tx_drop(qp, f, IVSHM_A_STAT_DROP_PARK_LIMIT);
			return;
		}
		list_add(&f->list, frames);
	}
	if (joins)
		ivshm_detector_joined(qp->port, f->pair, done);
	way->epoch = READ_ONCE(f->pair->epoch);
	way->map = *map;
	list_for_each_entry_from(f, frames, list) {
		if (f->dst_id == id) {
			f->deadline = 0;
			f->held = false;
			ivshm_tx_decide(qp, f);
		}
	}
}

/*
 * Whether @f goes where @last before it in the batch goes, direct or to nobody
 * that the pairs know of: the same addresses and protocol, and no larger.  A tag
 * hides the protocol.
 */
static bool ivshm_tx_like(const struct ivshm_frame *f, const struct ivshm_frame *last)
{
	const struct ethhdr *eth = (const void *)f->copy, *old = (const void *)last->copy;

	return (last->path == IVSHM_PATH_DIRECT ||
		(last->path == IVSHM_PATH_UPLINK && !last->pair)) && f->plain &&
	       !last->by_ip && !f->routed &&
	       ether_addr_equal_unaligned(eth->h_dest, old->h_dest) &&
	       ether_addr_equal_unaligned(eth->h_source, old->h_source) &&
	       eth->h_proto == old->h_proto && !eth_type_vlan(eth->h_proto) &&
	       f->gso_len <= last->gso_len;
}

void ivshm_tx_direct(struct ivshm_qp *qp, struct list_head *frames)
{
	bool uplink = false, hashing = false, limited = false;
	struct ivshm_frame *f, *last = NULL;
	struct ivshm_qp *dst;
	LIST_HEAD(left);

	rcu_read_lock();
	ivshm_tx_announce(qp);
	list_for_each_entry(f, frames, list) {
		f->want = IVSHM_WANT_NOTHING;
		if (last && ivshm_tx_like(f, last)) {
			f->path = last->path;
			f->dst = last->dst;
			f->pair = last->pair;
			f->dst_id = last->dst_id;
			f->index = last->index;
			f->park_us = last->park_us;
			f->drops = last->drops;
			f->bucket = last->bucket;
			trace_ivshm_decide(qp, f);
			continue;
		}
		ivshm_tx_decide(qp, f);
		limited |= !!f->bucket;
		last = f;
	}
	if (unlikely(limited))
		ivshm_tx_meter(qp, frames);

	while ((f = list_first_entry_or_null(frames, struct ivshm_frame, list))) {
		struct ivshm_map map;

		if (f->path != IVSHM_PATH_DIRECT && f->path != IVSHM_PATH_HOLD) {
			uplink |= f->path == IVSHM_PATH_UPLINK;
			list_move_tail(&f->list, &left);
			continue;
		}
		dst = ivshm_queue_pick(qp, f->dst, f->hash, &map);
		if (!dst) {
			/* Stopped a moment ago: what does the detector say now? */
			ivshm_tx_decide(qp, f);
			if (f->path == IVSHM_PATH_DIRECT || f->path == IVSHM_PATH_HOLD) {
				list_del(&f->list);
				ivshm_tx_drop(qp, f, IVSHM_A_STAT_DROP_NO_PEER);
			}
			continue;
		}
		if (unlikely(map.index == IVSHM_QUEUE_HASH)) {
			hashing = true;
			if (!f->hashed) {
				f->want = IVSHM_WANT_HASH;
				break;
			}
		}
		if (f->path == IVSHM_PATH_HOLD ||
		    !ivshm_tx_way_open(qp, f->index, f->pair, &map)) {
			/* A tap is not drained of what is yet to be sent to it. */
			if (uplink)
				break;
			ivshm_tx_hold(qp, dst, &map, frames, f);
			continue;
		}
		if (unlikely(f->held)) {
			f->held = false;
			f->deadline = 0;
		}
		if (ivshm_park_busy(qp, f->dst_id)) {
			list_del(&f->list);
			ivshm_tx_park(qp, dst, f, !READ_ONCE(dst->rx_open));
			continue;
		}
		ivshm_tx_to(qp, dst, &map, frames, f);
		if (list_first_entry_or_null(frames, struct ivshm_frame, list) != f)
			continue;
		if (f->want)
			break;
	}
	rcu_read_unlock();
	qp->hashing = hashing;
	list_splice(&left, frames);
}
