// SPDX-License-Identifier: GPL-2.0
/* The transmit ring: taking frames and giving them back; see tx.h. */
#include <linux/if_ether.h>
#include <linux/mm.h>
#include <linux/sched/clock.h>
#include <linux/sched/signal.h>
#include <linux/sched/stat.h>
#include <linux/slab.h>

#include "port.h"
#include "qp.h"
#include "trace.h"
#include "tx.h"

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

void ivshm_tx_drop(struct ivshm_qp *qp, struct ivshm_frame *f,
		   enum ivshm_attr_stat why)
{
	ivshm_qp_drop(qp, why, 1);
	ivshm_tx_done(qp, f);
}

/* Give back what is completed, as far as there is a ring. False: it has to be brought in. */
static bool ivshm_tx_try_publish(struct ivshm_qp *qp)
{
	struct ivshm_vring *ring = &qp->vq[IVSHM_VQ_TX].ring;
	bool missing, signal = false, hold = false;

	ivshm_gmem_read_lock(qp->gm);
	missing = ivshm_vring_begin(ring, ivshm_gmem_generation(qp->gm));
	if (!missing && !ring->broken) {
		ivshm_vring_push(ring, qp->tx_used, qp->nr_tx_used);
		hold = ivshm_tx_hold_signal(qp);
		signal = !hold && ivshm_vring_should_signal(ring);
	}
	ivshm_gmem_read_unlock(qp->gm);
	if (missing)
		return false;
	qp->nr_tx_used = 0;
	qp->linger.owes = hold;
	if (signal)
		ivshm_qp_interrupt(qp, IVSHM_VQ_TX);
	return true;
}

static void ivshm_tx_publish(struct ivshm_qp *qp)
{
	int err = 0;

	while (!err && !ivshm_tx_try_publish(qp))
		err = ivshm_qp_fault(qp, IVSHM_VQ_TX);
	switch (err) {
	case 0:
		return;
	case -EINTR:
		/* After the pause that we are asked for. */
		ivshm_worker_wake(&qp->worker, IVSHM_WORK_TX);
		return;
	case -EINPROGRESS:
		/* Once the VMM has said where the ring is. */
		return;
	default:
		qp->nr_tx_used = 0;
		qp->linger.owes = false;
		return;
	}
}

void ivshm_tx_complete(struct ivshm_qp *qp)
{
	if (qp->nr_tx_used)
		ivshm_tx_publish(qp);
}

void ivshm_tx_abandon(struct ivshm_qp *qp)
{
	bool owes = qp->linger.owes;
	struct ivshm_frame *f, *next;
	LIST_HEAD(frames);

	list_splice_init(&qp->redo, &frames);
	ivshm_park_clear(qp, &frames);
	list_for_each_entry_safe(f, next, &frames, list) {
		list_del(&f->list);
		ivshm_tx_drop(qp, f, IVSHM_A_STAT_DROP_MEMORY);
	}
	ivshm_park_tidy(qp);
	qp->linger = (struct ivshm_linger){ .until = U64_MAX };
	/* Nobody waits for the memory of the ring here. */
	if (qp->vq[IVSHM_VQ_TX].started && (owes || qp->nr_tx_used))
		ivshm_tx_try_publish(qp);
	qp->nr_tx_used = 0;
}

/* How much of a frame the detector wants to see. */
static u32 ivshm_tx_copy_len(const struct ivshm_qp *qp)
{
	const struct ivshm_port *port = READ_ONCE(qp->port);

	return unlikely(port && READ_ONCE(port->look_ip)) ? IVSHM_FRAME_COPY_IP :
							    IVSHM_FRAME_COPY;
}

/* Read and check the headers of a chain with segments @seg. Read section. */
static int ivshm_tx_headers(struct ivshm_qp *qp, struct ivshm_frame *f,
			    const struct ivshm_vring_seg *seg, u32 nr)
{
	u32 at, copy = ivshm_tx_copy_len(qp);
	bool le = qp->vq[IVSHM_VQ_TX].ring.le;
	struct ivshm_gmem_span span;
	u8 doff;
	int err;

	if (nr == 1 && f->len >= copy &&
	    ivshm_gmem_peek(qp->gm, seg->addr, seg->len, false, &span) &&
	    span.len == seg->len) {
		f->page = span.addr;
		f->page_gen = ivshm_gmem_generation(qp->gm);
		f->copy_len = copy;
		memcpy(&f->raw, f->page, sizeof(f->raw));
		if (likely(copy == IVSHM_FRAME_COPY))
			memcpy(f->copy, f->page + qp->hdr_len, IVSHM_FRAME_COPY);
		else
			memcpy(f->copy, f->page + qp->hdr_len, IVSHM_FRAME_COPY_IP);
	} else {
		f->copy_len = min_t(u32, f->len, copy);
		err = ivshm_segs_read(qp->gm, seg, nr, 0, &f->raw, sizeof(f->raw));
		if (!err)
			err = ivshm_segs_read(qp->gm, seg, nr, qp->hdr_len, f->copy,
					      f->copy_len);
		if (err)
			return err;
	}
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
	f->hashed = false;
	f->held = false;
	f->paid = false;
	f->paused = false;
	f->by_ip = false;
	f->routed = false;
	f->page = NULL;
	f->len = chain->out_len > hdr_len ? chain->out_len - hdr_len : 0;
	f->deadline = 0;
	f->target = 0;
}

/*
 * A chain of more segments than a frame keeps, or in memory that cannot be
 * mirrored: into a kernel buffer at once. May sleep.
 * 0 with the frame taken or dropped, -ENOENT if there is none any more, -EINPROGRESS if
 * a translation is missing, -EINTR to be tried again.
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
	if (err == -EINPROGRESS || err == -EINTR) {
		kvfree(f->buf);
		f->buf = NULL;
		list_add(&f->list, &qp->free);
		ivshm_vring_unpop(ring, 1);
		return err;
	}
	if (err) {
		if (err == -EFAULT)
			ivshm_qp_ring_error(qp, IVSHM_VQ_TX);
		goto drop;
	}
	f->copy_len = min_t(u32, f->len, ivshm_tx_copy_len(qp));
	memcpy(f->copy, f->buf->data, f->copy_len);
	at = ivshm_vnet_check(f, ring->le);
	if (at)
		ivshm_vnet_check_tcp(f, ring->le, f->buf->data[at]);
	f->buf->hdr = f->hdr;
	ivshm_qp_count(qp, IVSHM_A_STAT_BOUNCED);
	qp->linger.bytes += f->len;
	list_add_tail(&f->list, frames);
	return 0;
drop:
	ivshm_tx_drop(qp, f, IVSHM_A_STAT_DROP_MALFORMED);
	return 0;
}

/*
 * Take up to a batch of chains.  Returns 0, or why no more were taken:
 * -ENOENT none available, -EAGAIN memory to be faulted in, -ENOSPC the next is
 * for ivshm_tx_fetch_long(), -ENOBUFS all frames are in use, -EINPROGRESS translations
 * to be waited for, -EINVAL broken.
 */
static int ivshm_tx_fetch(struct ivshm_qp *qp, struct list_head *frames, u32 *bytes)
{
	struct ivshm_vring *ring = &qp->vq[IVSHM_VQ_TX].ring;
	struct ivshm_vring_chain chain;
	struct ivshm_frame *f;
	u32 n, descs = 0;
	int err;

	ivshm_gmem_read_lock(qp->gm);
	err = ring->broken ? -EINVAL :
	      ivshm_vring_begin(ring, ivshm_gmem_generation(qp->gm));
	if (err)
		goto unlock;
	ivshm_vring_disable_kick(ring);

	for (n = 0; n < IVSHM_BATCH && descs < IVSHM_BATCH_DESCS &&
	     *bytes < IVSHM_TX_WEIGHT_BYTES; n++) {
		f = list_first_entry_or_null(&qp->free, struct ivshm_frame, list);
		if (!f) {
			err = -ENOBUFS;
			break;
		}
		err = ivshm_vring_pop(ring, &chain, f->seg, IVSHM_FRAME_SEGS);
		if (err)
			break;
		ivshm_tx_reset(f, &chain, qp->hdr_len);
		/* Descriptors are work, too, however little is behind them. */
		*bytes += chain.nr_desc * sizeof(struct vring_desc);
		descs += chain.nr_desc;
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
		if (qp->hashing)
			ivshm_frame_hash(qp, f);
		*bytes += f->len;
		qp->linger.bytes += f->len;
		list_move_tail(&f->list, frames);
	}
unlock:
	ivshm_gmem_read_unlock(qp->gm);
	return err;
}

bool ivshm_tx_poll(struct ivshm_qp *qp, u32 index)
{
	struct ivshm_vq *vq = &qp->vq[IVSHM_VQ_TX];
	u64 us = READ_ONCE(qp->vq[index].busyloop), end;
	bool found = false;

	/* Frames that wait have their time. */
	if (!us || qp->nr_parked)
		return false;
	end = local_clock() + us * NSEC_PER_USEC;
	while (!found && single_task_running() && !need_resched() &&
	       !READ_ONCE(qp->worker.pending) && !signal_pending(current) &&
	       local_clock() < end) {
		cpu_relax();
		/* For moments: invalidations are not to wait for the guest. */
		ivshm_gmem_read_lock(qp->gm);
		found = ivshm_vring_begin(&vq->ring, ivshm_gmem_generation(qp->gm)) ||
			ivshm_vring_pending(&vq->ring);
		ivshm_gmem_read_unlock(qp->gm);
	}
	return found;
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

/* The ring is empty: true if it is not to be looked at before its time, or a kick. */
static bool ivshm_tx_idle(struct ivshm_qp *qp)
{
	return ivshm_tx_linger(qp) ||
	       (!ivshm_tx_poll(qp, IVSHM_VQ_TX) && !ivshm_tx_enable_kick(qp));
}

static unsigned long ivshm_tx_rounds(struct ivshm_qp *qp)
{
	LIST_HEAD(frames);
	u32 bytes = 0, round;
	int err = 0;

	list_splice_init(&qp->redo, &frames);
	ivshm_tx_dispatch(qp, &frames);
	/* Those of the parks too: there is room for each frame once. */
	ivshm_tx_complete(qp);
	if (READ_ONCE(qp->stopping) || qp->cut_off)
		return 0;

	for (round = 0; round < IVSHM_TX_WEIGHT / IVSHM_BATCH; round++) {
		/*
		 * Nothing overtakes these.  They are done again after the pause that
		 * the worker is asked for, or with the translations that they lack.
		 */
		if (!list_empty(&qp->redo) || qp->nr_tx_used)
			return 0;
		/* Nothing is lost for want of room in the tap: the ring fills. */
		if (qp->nr_parked > IVSHM_PARK_MAX - IVSHM_BATCH &&
		    ivshm_park_busy(qp, IVSHM_PARK_UPLINK))
			return 0;
		if (ivshm_tx_fast(qp)) {
			ivshm_tx_complete(qp);
			if (ivshm_vring_drained(&qp->vq[IVSHM_VQ_TX].ring) && ivshm_tx_idle(qp))
				return 0;
			continue;
		}
		err = ivshm_tx_fetch(qp, &frames, &bytes);
		if (err == -ENOSPC && list_empty(&frames))
			err = ivshm_tx_fetch_long(qp, &frames);
		trace_ivshm_tx(qp, bytes, err);
		ivshm_tx_dispatch(qp, &frames);
		ivshm_tx_complete(qp);

		switch (err) {
		case -ENOENT:
			if (ivshm_tx_idle(qp))
				return 0;
			break;
		case -EAGAIN:
			err = ivshm_qp_fault(qp, IVSHM_VQ_TX);
			if (err == -ESRCH || err == -EFAULT || err == -EINPROGRESS)
				return 0;
			if (err)
				return BIT(IVSHM_WORK_TX);
			break;
		case -ENOBUFS:
			/* Frames come free as parks empty. */
			return 0;
		case -EINPROGRESS:
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

unsigned long ivshm_tx_work(struct ivshm_qp *qp)
{
	struct ivshm_linger *l = &qp->linger;
	unsigned long again;

	l->until = U64_MAX;
	again = ivshm_tx_rounds(qp);
	if (!again && l->until == U64_MAX)
		l->on = false;
	/* Of what is done the guest was not told: it may be what it waits for. */
	if (l->owes && !again && (!l->on || l->misses))
		ivshm_tx_publish(qp);
	return again;
}
