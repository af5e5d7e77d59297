// SPDX-License-Identifier: GPL-2.0
/* The transmit side; see tx.h. */
#include <linux/if_ether.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "coupling.h"
#include "deliver.h"
#include "detector.h"
#include "port.h"
#include "qp.h"
#include "trace.h"
#include "tx.h"

struct ivshm_buf *ivshm_buf_alloc(u32 len)
{
	struct ivshm_buf *buf;

	buf = kvmalloc(struct_size(buf, data, len), GFP_KERNEL_ACCOUNT);
	if (buf) {
		memset(&buf->hdr, 0, sizeof(buf->hdr));
		buf->len = len;
	}
	return buf;
}

void ivshm_bufs_free(struct list_head *bufs)
{
	struct ivshm_buf *buf, *next;

	list_for_each_entry_safe(buf, next, bufs, list) {
		list_del(&buf->list);
		kvfree(buf);
	}
}

/* Copy of @len bytes from offset @skip of the chain in @seg. Read section. */
static int ivshm_segs_read(struct ivshm_gmem *gm, const struct ivshm_vring_seg *seg,
			   u32 nr, u32 skip, void *to, u32 len)
{
	u32 i, n;
	int err;

	for (i = 0; i < nr && len; i++) {
		if (skip >= seg[i].len) {
			skip -= seg[i].len;
			continue;
		}
		n = min(len, seg[i].len - skip);
		err = ivshm_gmem_read(gm, seg[i].addr + skip, to, n);
		if (err)
			return err;
		to += n;
		len -= n;
		skip = 0;
	}
	return len ? -EFAULT : 0;
}

/* The same by user access, for memory that cannot be mirrored. May sleep. */
static int ivshm_segs_user_read(struct ivshm_gmem *gm, const struct ivshm_vring_seg *seg,
				u32 nr, u32 skip, void *to, u32 len)
{
	u32 i, n;
	int err;

	for (i = 0; i < nr && len; i++) {
		if (skip >= seg[i].len) {
			skip -= seg[i].len;
			continue;
		}
		n = min(len, seg[i].len - skip);
		err = ivshm_gmem_user_copy(gm, seg[i].addr + skip, to, n, false);
		if (err)
			return err;
		to += n;
		len -= n;
		skip = 0;
	}
	return len ? -EFAULT : 0;
}

static int ivshm_segs_copy(struct ivshm_qp *qp, const struct ivshm_vring_seg *seg,
			   u32 nr, u32 skip, void *to, u32 len)
{
	int err;

	for (;;) {
		ivshm_gmem_read_lock(qp->gm);
		err = ivshm_segs_read(qp->gm, seg, nr, skip, to, len);
		ivshm_gmem_read_unlock(qp->gm);
		if (err == -EOPNOTSUPP)
			return ivshm_segs_user_read(qp->gm, seg, nr, skip, to, len);
		if (err != -EAGAIN)
			return err;
		err = ivshm_gmem_fault(qp->gm);
		if (err)
			return err;
	}
}

int ivshm_frame_read(struct ivshm_qp *qp, const struct ivshm_frame *f, u8 *to)
{
	if (f->buf) {
		memcpy(to, f->buf->data, f->buf->len);
		return 0;
	}
	memcpy(to, f->copy, f->copy_len);
	return ivshm_segs_copy(qp, f->seg, f->nr_segs, qp->hdr_len + f->copy_len,
			       to + f->copy_len, f->len - f->copy_len);
}

int ivshm_frame_linearise(struct ivshm_qp *qp, struct ivshm_frame *f)
{
	struct ivshm_buf *buf;
	int err;

	if (f->buf)
		return 0;
	buf = ivshm_buf_alloc(f->len);
	if (!buf)
		return -ENOMEM;
	err = ivshm_frame_read(qp, f, buf->data);
	if (err) {
		kvfree(buf);
		return err;
	}
	buf->hdr = f->hdr;
	f->buf = buf;
	ivshm_qp_count(qp, IVSHM_A_STAT_BOUNCED);
	return 0;
}

void ivshm_tx_done(struct ivshm_qp *qp, struct ivshm_frame *f)
{
	/* As many entries as there are frames: there is always room. */
	qp->tx_used[qp->nr_tx_used].id = f->head;
	qp->tx_used[qp->nr_tx_used++].len = 0;
	ivshm_bufs_free(&f->bufs);
	kvfree(f->buf);
	f->buf = NULL;
	list_add(&f->list, &qp->free);
}

static void ivshm_tx_drop(struct ivshm_qp *qp, struct ivshm_frame *f,
			  enum ivshm_attr_stat why)
{
	ivshm_qp_count(qp, why);
	ivshm_tx_done(qp, f);
}

void ivshm_tx_complete(struct ivshm_qp *qp)
{
	struct ivshm_vring *ring = &qp->vq[IVSHM_VQ_TX].ring;
	bool missing, signal = false;

	if (!qp->nr_tx_used)
		return;
	do {
		ivshm_gmem_read_lock(qp->gm);
		missing = ivshm_vring_begin(ring, ivshm_gmem_generation(qp->gm));
		if (!missing && !ring->broken) {
			ivshm_vring_push(ring, qp->tx_used, qp->nr_tx_used);
			signal = ivshm_vring_should_signal(ring);
		}
		ivshm_gmem_read_unlock(qp->gm);
		/* A signal: the VMM stops us and will not look at the ring. */
	} while (missing && !ivshm_gmem_fault(qp->gm));
	qp->nr_tx_used = 0;
	if (signal)
		ivshm_qp_interrupt(qp, IVSHM_VQ_TX);
}

/* Whose frames are these? Fills in the decision; under RCU. */
static void ivshm_tx_decide(struct ivshm_qp *qp, struct ivshm_frame *f)
{
	struct ivshm_decision d = { .path = IVSHM_PATH_UPLINK };
	struct ivshm_port *port = qp->port;

	if (port)
		ivshm_detector_decide(port, f->copy, f->copy_len, f->len, f->gso_len, &d);
	if (!f->plain && (d.path == IVSHM_PATH_DIRECT || d.path == IVSHM_PATH_HOLD ||
			  d.path == IVSHM_PATH_FLOOD))
		d.path = ivshm_port_isolated(port) ? IVSHM_PATH_DROP : IVSHM_PATH_UPLINK;

	f->path = d.path;
	f->dst = d.dst;
	f->pair = d.pair;
	f->dst_id = d.dst ? d.dst->id : 0;
	f->park_us = d.park_us;
}

/*
 * Has the receiver consumed what was in its tap when the pair began to join?
 * The queue is looked at before the position: a frame on its way from one to
 * the other counts twice rather than not at all.
 */
static bool ivshm_tx_drained(struct ivshm_qp *dst, struct ivshm_frame *f)
{
	u32 queued = ivshm_uplink_queued(dst);
	u64 in, done;

	smp_rmb();	/* pairs with smp_wmb() in ivshm_uplink_fetch() */
	done = READ_ONCE(dst->tap_done);
	in = READ_ONCE(dst->tap_in);
	if (!queued && done == in)
		return true;
	if (!f->target) {
		f->target = in + queued;
		return false;
	}
	return done >= f->target;
}

/*
 * Let @f wait in the park of its receiver, opened before; false if it waited
 * long enough or, with *@full, if there is no room.
 */
static bool ivshm_tx_wait(struct ivshm_qp *qp, struct ivshm_frame *f, u64 ns, bool *full)
{
	u64 now = ktime_get_ns();

	*full = false;
	if (!f->deadline) {
		f->deadline = now + ns;
		ivshm_qp_count(qp, IVSHM_A_STAT_PARKED);
	} else if (now >= f->deadline) {
		return false;
	}
	if (qp->stopping)
		return false;
	if (ivshm_park_add(qp, f->dst_id, f))
		return true;
	*full = true;
	return false;
}

static void ivshm_tx_park(struct ivshm_qp *qp, struct ivshm_qp *dst, struct ivshm_frame *f)
{
	bool limit = false;

	/* A receiver that let one frame wait in vain lets none wait after it. */
	if (!READ_ONCE(dst->rx_stalled)) {
		if (ivshm_tx_wait(qp, f, (u64)f->park_us * NSEC_PER_USEC, &limit))
			return;
		if (!limit)
			WRITE_ONCE(dst->rx_stalled, true);
	}
	ivshm_tx_drop(qp, f, limit ? IVSHM_A_STAT_DROP_PARK_LIMIT : IVSHM_A_STAT_DROP_FULL);
}

static void ivshm_tx_count_direct(struct ivshm_qp *qp, struct ivshm_qp *dst,
				  struct ivshm_frame *f, bool delivered)
{
	ivshm_qp_count(qp, IVSHM_A_STAT_TX_DIRECT_FRAMES);
	ivshm_qp_count_n(qp, IVSHM_A_STAT_TX_DIRECT_BYTES, f->len);
	if (f->pair) {
		this_cpu_inc(f->pair->stats->frames);
		this_cpu_add(f->pair->stats->bytes, f->len);
	}
	if (!delivered)
		return;
	ivshm_qp_count(dst, IVSHM_A_STAT_RX_DIRECT_FRAMES);
	ivshm_qp_count_n(dst, IVSHM_A_STAT_RX_DIRECT_BYTES, f->len);
	ivshm_qp_count_n(qp, IVSHM_A_STAT_COPIED_BYTES, f->len);
}

/* Collect, from @f on, what is left in @frames for the same receiver. */
static u32 ivshm_tx_run(struct list_head *frames, struct ivshm_frame *f,
			netdev_features_t features, struct ivshm_frame **run)
{
	u32 id = f->dst_id, n = 0;

	list_for_each_entry_from(f, frames, list) {
		if (f->dst_id != id)
			continue;
		if (f->path != IVSHM_PATH_DIRECT || f->want ||
		    !ivshm_vnet_fits(&f->hdr, features) || !list_empty(&f->bufs))
			break;
		run[n++] = f;
		if (n == IVSHM_BATCH)
			break;
	}
	return n;
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
	case IVSHM_DELIVER_USER_SRC:
	case IVSHM_DELIVER_USER_DST:
		f->want = IVSHM_WANT_LINEAR;
		return;
	case IVSHM_DELIVER_MISS_DST:
		ivshm_park_open(qp, dst, f->dst_id);
		ivshm_worker_wake(&dst->worker, IVSHM_WORK_FAULT);
		if (++f->misses > 2) {
			f->want = IVSHM_WANT_LINEAR;
			return;
		}
		fallthrough;
	case IVSHM_DELIVER_FULL:
		list_del(&f->list);
		ivshm_tx_park(qp, dst, f);
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

/* Frames that must take a kernel buffer to @dst. False: not possible now. */
static bool ivshm_tx_bounce(struct ivshm_qp *qp, struct ivshm_qp *dst,
			    struct ivshm_frame *f)
{
	struct ivshm_buf *buf = f->buf;
	LIST_HEAD(bufs);

	/* Converted: those go, and the original is not needed any more. */
	if (!list_empty(&f->bufs))
		return ivshm_bounce(dst, &f->bufs);

	list_add(&buf->list, &bufs);
	if (!ivshm_bounce(dst, &bufs))
		return false;
	f->buf = NULL;
	return true;
}

/*
 * Send what can be sent to the receiver of @f right away, @f first.
 * Frames dealt with leave @frames.
 */
static void ivshm_tx_to(struct ivshm_qp *qp, struct ivshm_qp *dst,
			struct list_head *frames, struct ivshm_frame *f)
{
	netdev_features_t features = ivshm_uplink_features(dst);
	struct ivshm_frame *run[IVSHM_BATCH];
	bool arm = false, fits = ivshm_vnet_fits(&f->hdr, features);
	enum ivshm_delivery why;
	u32 n, done, i;

	/* Nothing overtakes what waits in a kernel buffer. */
	if (f->misses > 2 || !fits || !list_empty(&f->bufs) ||
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
		if (!ivshm_tx_bounce(qp, dst, f) &&
		    !(ivshm_park_open(qp, dst, f->dst_id) &&
		      ivshm_tx_bounce(qp, dst, f))) {
			ivshm_tx_park(qp, dst, f);
			return;
		}
		ivshm_tx_count_direct(qp, dst, f, false);
		ivshm_tx_done(qp, f);
		return;
	}

	n = ivshm_tx_run(frames, f, features, run);
	while (n) {
		done = ivshm_deliver(qp, dst, run, n, arm, false, &why);
		for (i = 0; i < done; i++) {
			list_del(&run[i]->list);
			ivshm_tx_count_direct(qp, dst, run[i], true);
			ivshm_tx_done(qp, run[i]);
		}
		n -= done;
		memmove(run, run + done, n * sizeof(*run));
		if (!n)
			return;
		if (why == IVSHM_DELIVER_MORE)
			continue;
		if (why == IVSHM_DELIVER_USER_DST)
			run[0]->misses = 3;
		if (why == IVSHM_DELIVER_FULL && !arm) {
			/* Once more: we are woken now, and the guest notifies. */
			ivshm_park_open(qp, dst, f->dst_id);
			arm = true;
			continue;
		}
		ivshm_tx_blocked(qp, dst, run[0], why);
		return;
	}
}

/*
 * A pair is joining: @f goes direct, or waits, or it waited long enough and is
 * decided anew with those behind it for the same receiver.
 */
static void ivshm_tx_hold(struct ivshm_qp *qp, struct ivshm_qp *dst,
			  struct list_head *frames, struct ivshm_frame *f)
{
	u32 id = f->dst_id;
	bool limit;

	ivshm_park_open(qp, dst, id);
	if (!ivshm_park_busy(qp, IVSHM_PARK_UPLINK) && ivshm_tx_drained(dst, f)) {
		ivshm_detector_joined(qp->port, f->pair, true);
		f->path = IVSHM_PATH_DIRECT;
		return;
	}
	list_del(&f->list);
	if (ivshm_tx_wait(qp, f, IVSHM_HOLD_NS, &limit))
		return;
	list_add(&f->list, frames);
	ivshm_detector_joined(qp->port, f->pair, false);
	list_for_each_entry_from(f, frames, list) {
		if (f->dst_id == id) {
			f->deadline = 0;
			f->target = 0;
			ivshm_tx_decide(qp, f);
		}
	}
}

/*
 * One look at each frame that is to go direct.  On return @frames holds, in
 * order, what needs to sleep: other paths, faults, buffers, and what comes
 * behind such a frame for the same receiver.
 */
static void ivshm_tx_direct(struct ivshm_qp *qp, struct list_head *frames)
{
	struct ivshm_frame *f, *next;
	struct ivshm_qp *dst;
	LIST_HEAD(left);

	rcu_read_lock();
	list_for_each_entry(f, frames, list) {
		ivshm_tx_decide(qp, f);
		f->want = IVSHM_WANT_NOTHING;
	}

	while ((f = list_first_entry_or_null(frames, struct ivshm_frame, list))) {
		u32 id = f->dst_id;

		if (f->path != IVSHM_PATH_DIRECT && f->path != IVSHM_PATH_HOLD) {
			list_move_tail(&f->list, &left);
			continue;
		}
		dst = rcu_dereference(f->dst->qp);
		if (!dst) {
			/* Stopped a moment ago: what does the detector say now? */
			ivshm_tx_decide(qp, f);
			if (f->path == IVSHM_PATH_DIRECT || f->path == IVSHM_PATH_HOLD) {
				list_del(&f->list);
				ivshm_tx_drop(qp, f, IVSHM_A_STAT_DROP_NO_PEER);
			}
			continue;
		}
		if (ivshm_park_busy(qp, id)) {
			list_del(&f->list);
			ivshm_tx_park(qp, dst, f);
			continue;
		}
		if (f->path == IVSHM_PATH_HOLD) {
			ivshm_tx_hold(qp, dst, frames, f);
			continue;
		}
		ivshm_tx_to(qp, dst, frames, f);
		if (list_first_entry_or_null(frames, struct ivshm_frame, list) != f)
			continue;
		if (!f->want)
			continue;
		/* It must sleep; all behind it for the same receiver follow it. */
		list_for_each_entry_safe_from(f, next, frames, list)
			if (f->dst_id == id)
				list_move_tail(&f->list, &left);
	}
	rcu_read_unlock();
	list_splice(&left, frames);
}

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

	if (sent) {
		ivshm_qp_count(qp, IVSHM_A_STAT_TX_DIRECT_FRAMES);
		ivshm_qp_count_n(qp, IVSHM_A_STAT_TX_DIRECT_BYTES, f->len);
		ivshm_qp_count_n(qp, IVSHM_A_STAT_TX_FLOODED, sent - 1);
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
		ivshm_qp_count(qp, IVSHM_A_STAT_TX_UPLINK_FRAMES);
		ivshm_qp_count_n(qp, IVSHM_A_STAT_TX_UPLINK_BYTES, f->len);
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
	default:
		return 0;
	}
}

/*
 * The part that may sleep. Frames dealt with leave @frames; the others are to
 * be decided again. -EINTR: the worker is asked to pause.
 */
static int ivshm_tx_rest(struct ivshm_qp *qp, struct list_head *frames)
{
	struct ivshm_frame *f, *next;
	int err;

	list_for_each_entry_safe(f, next, frames, list) {
		list_del(&f->list);
		switch (f->path) {
		case IVSHM_PATH_UPLINK:
			/* Frames that wait for this address go first, once. */
			if (qp->nr_parked && !f->flushed) {
				f->flushed = true;
				list_add_tail(&f->list, &next->list);
				if (ivshm_park_release(qp, f))
					return 0;
				list_del(&f->list);
			}
			err = ivshm_tx_uplink(qp, f);
			break;
		case IVSHM_PATH_FLOOD:
			err = ivshm_tx_flood(qp, f);
			if (!err)
				ivshm_tx_done(qp, f);
			break;
		case IVSHM_PATH_DROP:
			ivshm_tx_drop(qp, f, IVSHM_A_STAT_DROP_NO_PEER);
			err = 0;
			break;
		default:
			err = ivshm_tx_prepare(qp, f);
			if (!err)
				list_add_tail(&f->list, &next->list);
			break;
		}
		switch (err) {
		case 0:
			break;
		case -EINTR:
			list_add_tail(&f->list, &next->list);
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
		ivshm_tx_direct(qp, frames);
		if (ivshm_tx_rest(qp, frames) == -EINTR) {
			list_splice_tail_init(frames, &qp->redo);
			ivshm_worker_wake(&qp->worker, IVSHM_WORK_TX);
		}
	}
	ivshm_park_tidy(qp);
}

/* Read and check the headers of a chain with segments @seg. Read section. */
static int ivshm_tx_headers(struct ivshm_qp *qp, struct ivshm_frame *f,
			    const struct ivshm_vring_seg *seg, u32 nr)
{
	bool le = qp->vq[IVSHM_VQ_TX].ring.le;
	u32 at;
	u8 doff;
	int err;

	f->copy_len = min_t(u32, f->len, IVSHM_FRAME_COPY);
	err = ivshm_segs_read(qp->gm, seg, nr, 0, &f->raw, sizeof(f->raw));
	if (!err)
		err = ivshm_segs_read(qp->gm, seg, nr, qp->hdr_len, f->copy, f->copy_len);
	if (err)
		return err;
	at = ivshm_vnet_check(f, le);
	if (!at)
		return 0;
	err = ivshm_segs_read(qp->gm, seg, nr, qp->hdr_len + at, &doff, sizeof(doff));
	if (!err)
		ivshm_vnet_check_tcp(f, le, doff);
	return err;
}

static void ivshm_tx_reset(struct ivshm_frame *f, const struct ivshm_vring_chain *chain,
			   u32 hdr_len)
{
	f->head = chain->head;
	f->want = IVSHM_WANT_NOTHING;
	f->misses = 0;
	f->nr_segs = chain->nr_out;
	f->flushed = false;
	f->len = chain->out_len > hdr_len ? chain->out_len - hdr_len : 0;
	f->deadline = 0;
	f->target = 0;
}

/*
 * A chain of more segments than a frame keeps, or in memory that cannot be
 * mirrored: into a kernel buffer at once. May sleep.
 * 0 with the frame taken or dropped, -ENOENT if there is none any more.
 */
static int ivshm_tx_fetch_long(struct ivshm_qp *qp, struct list_head *frames)
{
	struct ivshm_vring *ring = &qp->vq[IVSHM_VQ_TX].ring;
	struct ivshm_vring_chain chain;
	struct ivshm_frame *f;
	u32 at;
	int err;

	ivshm_gmem_read_lock(qp->gm);
	err = ivshm_vring_begin(ring, ivshm_gmem_generation(qp->gm));
	if (!err)
		err = ivshm_vring_pop(ring, &chain, qp->segs, IVSHM_VRING_MAX_SEGS);
	ivshm_gmem_read_unlock(qp->gm);
	if (err)
		return err;

	f = list_first_entry(&qp->free, struct ivshm_frame, list);
	list_del(&f->list);
	ivshm_tx_reset(f, &chain, qp->hdr_len);
	f->nr_segs = 0;
	if (chain.nr_in || f->len < ETH_HLEN || f->len > IVSHM_FRAME_MAX)
		goto drop;

	f->buf = ivshm_buf_alloc(f->len);
	if (!f->buf) {
		ivshm_tx_drop(qp, f, IVSHM_A_STAT_DROP_MEMORY);
		return 0;
	}
	err = ivshm_segs_copy(qp, qp->segs, chain.nr_out, 0, &f->raw, sizeof(f->raw));
	if (!err)
		err = ivshm_segs_copy(qp, qp->segs, chain.nr_out, qp->hdr_len,
				      f->buf->data, f->len);
	if (err) {
		if (err == -EFAULT)
			ivshm_qp_ring_error(qp, IVSHM_VQ_TX);
		goto drop;
	}
	f->copy_len = min_t(u32, f->len, IVSHM_FRAME_COPY);
	memcpy(f->copy, f->buf->data, f->copy_len);
	at = ivshm_vnet_check(f, ring->le);
	if (at)
		ivshm_vnet_check_tcp(f, ring->le, f->buf->data[at]);
	f->buf->hdr = f->hdr;
	ivshm_qp_count(qp, IVSHM_A_STAT_BOUNCED);
	list_add_tail(&f->list, frames);
	return 0;
drop:
	ivshm_tx_drop(qp, f, IVSHM_A_STAT_DROP_MALFORMED);
	return 0;
}

/*
 * Take up to a batch of chains.  Returns 0, or why no more were taken:
 * -ENOENT none available, -EAGAIN memory to be faulted in, -ENOSPC the next is
 * for ivshm_tx_fetch_long(), -ENOBUFS all frames are in use, -EINVAL broken.
 */
static int ivshm_tx_fetch(struct ivshm_qp *qp, struct list_head *frames, u32 *bytes)
{
	struct ivshm_vring *ring = &qp->vq[IVSHM_VQ_TX].ring;
	struct ivshm_vring_chain chain;
	struct ivshm_frame *f;
	u32 n;
	int err;

	ivshm_gmem_read_lock(qp->gm);
	err = ring->broken ? -EINVAL :
	      ivshm_vring_begin(ring, ivshm_gmem_generation(qp->gm));
	if (err)
		goto unlock;
	ivshm_vring_disable_kick(ring);

	for (n = 0; n < IVSHM_BATCH && *bytes < IVSHM_TX_WEIGHT_BYTES; n++) {
		f = list_first_entry_or_null(&qp->free, struct ivshm_frame, list);
		if (!f) {
			err = -ENOBUFS;
			break;
		}
		err = ivshm_vring_pop(ring, &chain, f->seg, IVSHM_FRAME_SEGS);
		if (err)
			break;
		ivshm_tx_reset(f, &chain, qp->hdr_len);
		if (chain.nr_in) {
			/* A queue the guest only writes to, virtio 1.2 section 5.1.6. */
			ring->broken = true;
			err = -EINVAL;
			break;
		}
		if (f->len < ETH_HLEN || f->len > IVSHM_FRAME_MAX) {
			list_del(&f->list);
			ivshm_tx_drop(qp, f, IVSHM_A_STAT_DROP_MALFORMED);
			continue;
		}
		err = ivshm_tx_headers(qp, f, f->seg, f->nr_segs);
		if (err) {
			if (err == -EFAULT) {
				ring->broken = true;
				err = -EINVAL;
				break;
			}
			ivshm_vring_unpop(ring, 1);
			if (err == -EOPNOTSUPP)
				err = -ENOSPC;
			break;
		}
		*bytes += f->len;
		list_move_tail(&f->list, frames);
	}
unlock:
	ivshm_gmem_read_unlock(qp->gm);
	return err;
}

/* Ask for notifications; true if there is something to do already. */
static bool ivshm_tx_enable_kick(struct ivshm_qp *qp)
{
	struct ivshm_vring *ring = &qp->vq[IVSHM_VQ_TX].ring;
	bool again = true;

	ivshm_gmem_read_lock(qp->gm);
	if (!ivshm_vring_begin(ring, ivshm_gmem_generation(qp->gm)))
		again = ivshm_vring_enable_kick(ring);
	ivshm_gmem_read_unlock(qp->gm);
	return again;
}

unsigned long ivshm_tx_work(struct ivshm_qp *qp)
{
	LIST_HEAD(frames);
	u32 bytes = 0, round;
	int err = 0;

	list_splice_init(&qp->redo, &frames);
	ivshm_tx_dispatch(qp, &frames);
	if (READ_ONCE(qp->stopping)) {
		ivshm_tx_complete(qp);
		return 0;
	}

	for (round = 0; round < IVSHM_TX_WEIGHT / IVSHM_BATCH; round++) {
		err = ivshm_tx_fetch(qp, &frames, &bytes);
		if (err == -ENOSPC && list_empty(&frames))
			err = ivshm_tx_fetch_long(qp, &frames);
		trace_ivshm_tx(qp, bytes, err);
		ivshm_tx_dispatch(qp, &frames);
		ivshm_tx_complete(qp);

		switch (err) {
		case -ENOENT:
			if (!ivshm_tx_enable_kick(qp))
				return 0;
			break;
		case -EAGAIN:
			err = ivshm_gmem_fault(qp->gm);
			if (err == -ESRCH)
				return 0;
			if (err)
				return BIT(IVSHM_WORK_TX);
			break;
		case -ENOBUFS:
			/* Frames come free as parks empty. */
			return 0;
		case -EINVAL:
			ivshm_qp_report(qp, IVSHM_VQ_TX);
			return 0;
		default:
			break;
		}
		if (bytes >= IVSHM_TX_WEIGHT_BYTES)
			break;
	}
	return BIT(IVSHM_WORK_TX);
}
