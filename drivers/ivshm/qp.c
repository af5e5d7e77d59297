// SPDX-License-Identifier: GPL-2.0
/* Queue pairs: what an open file of /dev/ivshm-net stands for. */
#include <linux/eventfd.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "deliver.h"
#include "port.h"
#include "qp.h"
#include "trace.h"
#include "tx.h"

#define IVSHM_QP_FRAMES		(IVSHM_PARK_MAX + IVSHM_BATCH)

u32 ivshm_vq_used_size(const struct ivshm_vq *vq)
{
	return sizeof(struct vring_used) + vq->num * sizeof(struct vring_used_elem) +
	       (vq->ring.event_idx ? sizeof(__virtio16) : 0);
}

static u32 ivshm_vq_avail_size(const struct ivshm_vq *vq)
{
	return sizeof(struct vring_avail) + vq->num * sizeof(__virtio16) +
	       (vq->ring.event_idx ? sizeof(__virtio16) : 0);
}

static u32 ivshm_vq_desc_size(const struct ivshm_vq *vq)
{
	return vq->num * sizeof(struct vring_desc);
}

u64 ivshm_vq_log_addr(const struct ivshm_vq *vq)
{
	return ivshm_gmem_translated(vq->qp->gm) ? vq->addr.used_user_addr :
						   vq->addr.log_guest_addr;
}

/* Bytes of the ring from @addr on, up to the end of the page. */
static u32 ivshm_vq_rest(const struct ivshm_vq *vq, u64 addr, bool write)
{
	u32 avail = ivshm_vq_avail_size(vq), desc = ivshm_vq_desc_size(vq), rest = 0;

	/* Of the ring the used ring alone is written. */
	if (write)
		rest = ivshm_vq_used_size(vq) - (addr - vq->addr.used_user_addr);
	else if (addr - vq->addr.avail_user_addr < avail)
		rest = avail - (addr - vq->addr.avail_user_addr);
	if (!write && addr - vq->addr.desc_user_addr < desc)
		rest = max_t(u32, rest, desc - (addr - vq->addr.desc_user_addr));
	return min_t(u32, rest, PAGE_SIZE - offset_in_page(addr));
}

/*
 * A used ring that is logged is there when its part of the log is there, too:
 * then ivshm_qp_used_written() cannot fail in the same generation.
 */
static void *ivshm_qp_ring_page(void *priv, u64 addr, bool write)
{
	struct ivshm_vq *vq = priv;
	struct ivshm_gmem *gm = vq->qp->gm;
	u32 len = ivshm_vq_rest(vq, addr, write);
	void *page;
	u64 hva;

	if (ivshm_gmem_ring_hva(gm, addr, len, write, &hva))
		return NULL;
	page = ivshm_gmem_page(gm, hva, write);
	if (write && unlikely(vq->ring.log_used)) {
		u32 off = addr - vq->addr.used_user_addr;

		if (ivshm_gmem_log_prepare(gm, ivshm_vq_log_addr(vq) + off, len))
			return NULL;
	}
	return page;
}

static int ivshm_qp_ring_read(void *priv, u64 gpa, void *buf, u32 len)
{
	struct ivshm_vq *vq = priv;

	return ivshm_gmem_read(vq->qp->gm, gpa, buf, len);
}

static void ivshm_qp_used_written(void *priv, u32 off, u32 len)
{
	struct ivshm_vq *vq = priv;

	ivshm_gmem_log(vq->qp->gm, ivshm_vq_log_addr(vq) + off, len);
	ivshm_qp_logged(vq->qp);
}

const struct ivshm_vring_ops ivshm_qp_ring_ops = {
	.page = ivshm_qp_ring_page,
	.read = ivshm_qp_ring_read,
	.used_written = ivshm_qp_used_written,
};

/* Nothing is signalled in a read section: the worker does it. */
void ivshm_qp_logged(struct ivshm_qp *qp)
{
	if (unlikely(READ_ONCE(qp->log_ctx)))
		ivshm_worker_wake(&qp->worker, IVSHM_WORK_LOG);
}

void ivshm_qp_tell_logged(struct ivshm_qp *qp)
{
	if (qp->log_ctx)
		eventfd_signal(qp->log_ctx);
}

static void ivshm_qp_free(struct ivshm_qp *qp)
{
	if (qp->tap_frame.buf)
		kvfree(qp->tap_frame.buf);
	kvfree(qp->line);
	ivshm_uplink_batch_free(qp->uplink);
	kfree(qp->pull);
	ivshm_tx_fast_free(qp->fast);
	ivshm_scratch_free(qp->scratch);
	kvfree(qp->segs);
	kvfree(qp->tx_used);
	if (qp->ways)
		ivshm_ways_put(qp->ways);
	kvfree(qp->parks);
	kvfree(qp->frames);
	free_percpu(qp->own_stats);
	kfree_rcu(qp, rcu);
}

struct ivshm_qp *ivshm_qp_alloc(void)
{
	struct ivshm_qp *qp;
	u32 i;

	qp = kzalloc(sizeof(*qp), GFP_KERNEL_ACCOUNT);
	if (!qp)
		return ERR_PTR(-ENOMEM);

	qp->own_stats = alloc_percpu_gfp(struct ivshm_stats, GFP_KERNEL_ACCOUNT);
	qp->frames = kvcalloc(IVSHM_QP_FRAMES, sizeof(*qp->frames), GFP_KERNEL_ACCOUNT);
	qp->parks = kvcalloc(IVSHM_PARKS, sizeof(*qp->parks), GFP_KERNEL_ACCOUNT);
	qp->ways = kzalloc(sizeof(*qp->ways), GFP_KERNEL_ACCOUNT);
	if (qp->ways)
		kref_init(&qp->ways->ref);
	qp->tx_used = kvcalloc(IVSHM_QP_FRAMES, sizeof(*qp->tx_used), GFP_KERNEL_ACCOUNT);
	qp->segs = kvcalloc(IVSHM_VRING_MAX_SEGS, sizeof(*qp->segs), GFP_KERNEL_ACCOUNT);
	qp->scratch = ivshm_scratch_alloc();
	qp->line = kvmalloc(IVSHM_LINE_MAX, GFP_KERNEL_ACCOUNT);
	qp->fast = ivshm_tx_fast_alloc();
	qp->uplink = ivshm_uplink_batch_alloc();
	qp->pull = kzalloc(sizeof(*qp->pull), GFP_KERNEL_ACCOUNT);
	qp->tap_frame.buf = ivshm_buf_alloc(IVSHM_FRAME_MAX);
	if (!qp->own_stats || !qp->frames || !qp->parks || !qp->ways || !qp->tx_used ||
	    !qp->segs || !qp->scratch || !qp->line || !qp->fast || !qp->uplink || !qp->pull ||
	    !qp->tap_frame.buf) {
		ivshm_qp_free(qp);
		return ERR_PTR(-ENOMEM);
	}

	kref_init(&qp->ref);
	mutex_init(&qp->mutex);
	qp->stats = qp->own_stats;
	spin_lock_init(&qp->rx_lock);
	seqcount_init(&qp->tap_seq);
	ivshm_iotlb_init(&qp->iotlb);
	spin_lock_init(&qp->wait_lock);
	INIT_LIST_HEAD(&qp->waiters);
	spin_lock_init(&qp->bounce_lock);
	INIT_LIST_HEAD(&qp->bounce);
	INIT_LIST_HEAD(&qp->redo);
	INIT_LIST_HEAD(&qp->free);
	INIT_LIST_HEAD(&qp->port_list);
	INIT_LIST_HEAD(&qp->tap_frame.bufs);
	for (i = 0; i < IVSHM_VQ_MAX; i++)
		qp->vq[i].qp = qp;
	for (i = 0; i < IVSHM_QP_FRAMES; i++) {
		INIT_LIST_HEAD(&qp->frames[i].bufs);
		list_add_tail(&qp->frames[i].list, &qp->free);
	}
	qp->rate_at = U64_MAX;
	qp->linger.until = U64_MAX;
	for (i = 0; i < IVSHM_PARKS; i++) {
		INIT_LIST_HEAD(&qp->parks[i].frames);
		INIT_LIST_HEAD(&qp->parks[i].wait);
		qp->parks[i].self = qp;
	}
	return qp;
}

bool ivshm_qp_tryget(struct ivshm_qp *qp)
{
	return kref_get_unless_zero(&qp->ref);
}

static void ivshm_qp_release(struct kref *ref)
{
	ivshm_qp_free(container_of(ref, struct ivshm_qp, ref));
}

void ivshm_qp_put(struct ivshm_qp *qp)
{
	kref_put(&qp->ref, ivshm_qp_release);
}

void ivshm_qp_drop(struct ivshm_qp *qp, enum ivshm_attr_stat why, u32 frames)
{
	ivshm_qp_count_n(qp, why, frames);
	trace_ivshm_drop(qp, why, frames);
}

void ivshm_qp_report(struct ivshm_qp *qp, u32 index)
{
	struct ivshm_vq *vq = &qp->vq[index];

	if (!READ_ONCE(vq->ring.broken))
		return;
	/* Swapped under the same lock, and several senders may find out. */
	spin_lock(&qp->rx_lock);
	if (!vq->reported) {
		vq->reported = true;
		ivshm_qp_count(qp, IVSHM_A_STAT_RING_ERRORS);
		trace_ivshm_ring_error(qp, index);
		if (vq->err)
			eventfd_signal(vq->err);
		ivshm_port_tell();
	}
	spin_unlock(&qp->rx_lock);
}

void ivshm_qp_ring_error(struct ivshm_qp *qp, u32 index)
{
	WRITE_ONCE(qp->vq[index].ring.broken, true);
	ivshm_qp_report(qp, index);
}

void ivshm_qp_interrupt(struct ivshm_qp *qp, u32 index)
{
	struct ivshm_vq *vq = &qp->vq[index];

	if (!vq->call)
		return;
	eventfd_signal(vq->call);
	ivshm_qp_count(qp, index == IVSHM_VQ_RX ? IVSHM_A_STAT_INTERRUPTS_RX :
						  IVSHM_A_STAT_INTERRUPTS_TX);
}

void ivshm_qp_wake_waiters(struct ivshm_qp *qp)
{
	struct ivshm_park *park;
	unsigned long flags;

	spin_lock_irqsave(&qp->wait_lock, flags);
	list_for_each_entry(park, &qp->waiters, wait)
		ivshm_worker_wake(&park->self->worker, IVSHM_WORK_PARK);
	spin_unlock_irqrestore(&qp->wait_lock, flags);
}

void ivshm_qp_tell_buffers(struct ivshm_qp *qp)
{
	/* Pairs with ivshm_deliver_want(): the ring was changed before. */
	if (READ_ONCE(qp->rx_want))
		ivshm_worker_wake(&qp->worker, IVSHM_WORK_RX);
	ivshm_qp_wake_waiters(qp);
}

void ivshm_qp_wake_port(struct ivshm_qp *qp)
{
	struct ivshm_port *port = READ_ONCE(qp->port);
	struct ivshm_qp *other;

	if (likely(!port || READ_ONCE(port->nr_qps) == 1)) {
		ivshm_qp_wake_waiters(qp);
		return;
	}
	rcu_read_lock();
	list_for_each_entry_rcu(other, &port->qps, port_list) {
		ivshm_qp_wake_waiters(other);
		if (READ_ONCE(other->tap_since))
			ivshm_worker_wake(&other->worker, IVSHM_WORK_TAP_IN);
	}
	rcu_read_unlock();
}

void ivshm_qp_hold(struct ivshm_qp *qp)
{
	lockdep_assert_held(&qp->mutex);

	if (!qp->worker.task)
		return;
	spin_lock(&qp->rx_lock);
	WRITE_ONCE(qp->rx_open, false);
	spin_unlock(&qp->rx_lock);
	ivshm_worker_pause(&qp->worker);
	/* Deliveries that found it open run under RCU. */
	synchronize_rcu();
}

void ivshm_qp_go(struct ivshm_qp *qp)
{
	lockdep_assert_held(&qp->mutex);

	if (!qp->vq[IVSHM_VQ_RX].sock && !qp->vq[IVSHM_VQ_TX].sock)
		return;
	spin_lock(&qp->rx_lock);
	WRITE_ONCE(qp->rx_open, qp->vq[IVSHM_VQ_RX].started);
	spin_unlock(&qp->rx_lock);
	ivshm_worker_resume(&qp->worker);
	ivshm_qp_wake_waiters(qp);
}

/*
 * Is there memory behind a part of a ring? Pages to come count as such.  0, or
 * -EINPROGRESS if a translation is yet to come, or another error.
 */
static int ivshm_qp_area_check(struct ivshm_qp *qp, u64 addr, u32 len, bool write)
{
	u32 done, n;
	int err = 0;
	u64 hva;

	for (done = 0; done < len && (!err || err == -EAGAIN); done += n) {
		n = min_t(u32, len - done, PAGE_SIZE - offset_in_page(addr + done));
		err = ivshm_gmem_ring_hva(qp->gm, addr + done, n, write, &hva);
		if (!err)
			err = ivshm_gmem_check(qp->gm, hva, n, write);
	}
	return err == -EAGAIN ? 0 : err;
}

/* The same of the log, as far as the used ring is logged. */
static int ivshm_qp_log_check(const struct ivshm_vq *vq)
{
	int err = 0;

	if (vq->ring.log_used)
		err = ivshm_gmem_log_prepare(vq->qp->gm, ivshm_vq_log_addr(vq),
					     ivshm_vq_used_size(vq));
	return err == -EAGAIN ? 0 : err;
}

int ivshm_qp_fault(struct ivshm_qp *qp, u32 index)
{
	struct ivshm_vq *vq = &qp->vq[index];
	int err = ivshm_gmem_fault(qp->gm);

	if (err)
		return err;
	if (vq->ring.broken)
		return -EFAULT;
	ivshm_gmem_read_lock(qp->gm);
	err = ivshm_qp_area_check(qp, vq->addr.desc_user_addr, ivshm_vq_desc_size(vq), false);
	if (!err)
		err = ivshm_qp_area_check(qp, vq->addr.avail_user_addr,
					  ivshm_vq_avail_size(vq), false);
	if (!err)
		err = ivshm_qp_area_check(qp, vq->addr.used_user_addr,
					  ivshm_vq_used_size(vq), true);
	if (!err)
		err = ivshm_qp_log_check(vq);
	ivshm_gmem_read_unlock(qp->gm);
	if (!err || err == -EINPROGRESS)
		return err;
	ivshm_qp_ring_error(qp, index);
	return -EFAULT;
}

/*
 * Take up a ring that was set running. 0, or -EINTR to try again later; other errors:
 * when there is another reason to.
 */
static int ivshm_qp_start(struct ivshm_qp *qp, u32 index)
{
	struct ivshm_vq *vq = &qp->vq[index];
	bool missing;
	int err;

	for (;;) {
		ivshm_gmem_read_lock(qp->gm);
		spin_lock(&qp->rx_lock);
		missing = ivshm_vring_begin(&vq->ring, ivshm_gmem_generation(qp->gm));
		if (!missing) {
			ivshm_vring_start(&vq->ring, vq->base);
			vq->started = true;
			vq->reported = false;
			if (index == IVSHM_VQ_RX)
				WRITE_ONCE(qp->rx_open, true);
		}
		spin_unlock(&qp->rx_lock);
		ivshm_gmem_read_unlock(qp->gm);
		if (!missing)
			break;
		err = ivshm_qp_fault(qp, index);
		if (err)
			return err;
	}
	ivshm_qp_wake_waiters(qp);
	return 0;
}

/*
 * A guest may leave a queue without buffers that it does not use yet: it gets
 * no frames of others as long as the port has another one.
 */
static void ivshm_qp_look_ready(struct ivshm_qp *qp)
{
	if (qp->vq[IVSHM_VQ_RX].kick && !ivshm_deliver_ready(qp))
		return;
	WRITE_ONCE(qp->rx_ready, true);
	ivshm_port_tell();
	/* Our own may have waited for them as well. */
	ivshm_worker_wake(&qp->worker, IVSHM_WORK_RX);
}

static unsigned long ivshm_qp_work(struct ivshm_qp *qp, unsigned long bits, u64 *deadline)
{
	struct ivshm_vq *rx = &qp->vq[IVSHM_VQ_RX], *tx = &qp->vq[IVSHM_VQ_TX];
	unsigned long again = 0;
	u32 i;

	if (bits & BIT(IVSHM_WORK_LOG))
		ivshm_qp_tell_logged(qp);
	for (i = 0; i < IVSHM_VQ_MAX; i++)
		if (qp->vq[i].sock && !qp->vq[i].started &&
		    ivshm_qp_start(qp, i) == -EINTR)
			return bits;

	if (rx->started) {
		if (!qp->rx_ready)
			ivshm_qp_look_ready(qp);
		if (bits & BIT(IVSHM_WORK_PARK))
			ivshm_uplink_look(qp);
		if (bits & BIT(IVSHM_WORK_FAULT)) {
			ivshm_qp_fault(qp, IVSHM_VQ_RX);
			ivshm_deliver_prefault(qp);
			ivshm_gmem_fault(qp->gm);
			ivshm_qp_wake_waiters(qp);
		}
		if (bits & (BIT(IVSHM_WORK_RX) | BIT(IVSHM_WORK_BOUNCE) |
			    BIT(IVSHM_WORK_FAULT)))
			ivshm_bounce_work(qp);
		if (bits & (BIT(IVSHM_WORK_RX) | BIT(IVSHM_WORK_TAP_IN) |
			    BIT(IVSHM_WORK_FAULT)) ||
		    (bits & BIT(IVSHM_WORK_PARK) && qp->tap_since))
			again |= ivshm_uplink_receive(qp);
		/* There is more: no time for polling. */
		if (again)
			ivshm_worker_wake(&qp->worker, IVSHM_WORK_TAP_IN);
	}
	if (tx->started) {
		if (bits & (BIT(IVSHM_WORK_PARK) | BIT(IVSHM_WORK_TAP_OUT)))
			ivshm_park_retry(qp);
		if (bits & (BIT(IVSHM_WORK_TX) | BIT(IVSHM_WORK_PARK) |
			    BIT(IVSHM_WORK_TAP_OUT)))
			again |= ivshm_tx_work(qp);
	}
	/* What came from the tap may be answered soon. */
	if (rx->started && tx->started && !again && bits & BIT(IVSHM_WORK_TAP_IN) &&
	    ivshm_tx_poll(qp, IVSHM_VQ_RX))
		again |= BIT(IVSHM_WORK_TX);
	/* Without a ring nothing can be done about them. */
	if (tx->started)
		*deadline = min(ivshm_park_deadline(qp), qp->linger.until);
	if (rx->started && qp->isolating && qp->isolating != qp->isolated)
		*deadline = min(*deadline, qp->isolate_at);
	if (rx->started && qp->tap_since)
		*deadline = min(*deadline, qp->tap_since + IVSHM_HOLD_NS);
	return again;
}

unsigned long ivshm_qp_run(void *priv, unsigned long bits, u64 *deadline)
{
	struct ivshm_qp *qp = priv;
	unsigned long again = ivshm_qp_work(qp, bits, deadline);

	/* What this round did not find, or others found missing and woke us for. */
	ivshm_iotlb_tell(&qp->iotlb);
	return again;
}
