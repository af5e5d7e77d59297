// SPDX-License-Identifier: GPL-2.0
/* Delivery of what the tap writes to the guest's buffers itself; see deliver.h. */
#include <linux/mm.h>

#include "deliver_priv.h"

/*
 * The ordinary case: one buffer for each frame, within two pages.  As many as that goes
 * for; the next frame is for ivshm_claim().
 */
static noinline void ivshm_pull_claim(struct ivshm_qp *qp, struct ivshm_scratch *s,
				      const struct ivshm_pull *pull)
{
	struct ivshm_vring *ring = &qp->vq[IVSHM_VQ_RX].ring;
	__virtio16 one = __cpu_to_virtio16(ring->le, 1);
	struct ivshm_vring_few *few = s->few;
	struct ivshm_gmem_window win = {};
	struct kvec *vec = s->dst;
	struct ivshm_gmem_span span;
	struct ivshm_plan *p;
	u32 n, i, len;

	lockdep_assert_held(&qp->rx_lock);

	if (!qp->rx_open || ring->broken || ivshm_gmem_logged(qp->gm) ||
	    ivshm_gmem_translated(qp->gm) ||
	    ivshm_vring_begin(ring, ivshm_gmem_generation(qp->gm)))
		return;
	n = ivshm_vring_pop_few(ring, few, pull->nr, true);
	for (i = 0; i < n && s->bytes < IVSHM_BATCH_BYTES; i++, few++) {
		len = qp->hdr_len + pull->len[i];
		if (unlikely(few->nr != 1 || few->len < len ||
			     !ivshm_gmem_peek_near(qp->gm, &win, few->seg[0].addr, len, true,
						   &span)))
			break;
		p = &s->plan[i];
		p->hdr.num_buffers = one;
		p->dst = vec - s->dst;
		p->used = i;
		p->nr_used = 1;
		p->total = len;
		s->used[i].id = few->head;
		s->used[i].len = len;
		s->bytes += len;
		vec->iov_base = span.addr;
		vec++->iov_len = span.len;
		if (unlikely(span.len < len)) {
			vec->iov_base = span.next;
			vec++->iov_len = len - span.len;
		}
		p->nr_dst = vec - s->dst - p->dst;
	}
	ivshm_vring_unpop(ring, n - i);
	s->nr_plans = i;
	s->nr_used = i;
	s->nr_dst = vec - s->dst;
}

/* A frame of @pull, its vnet header completed; false if it is lost. */
static bool ivshm_pull_plan(struct ivshm_qp *qp, const struct ivshm_scratch *s,
			    const struct ivshm_pull *pull, u32 i)
{
	const u32 at = offsetof(struct virtio_net_hdr_mrg_rxbuf, num_buffers);
	const struct ivshm_plan *p = &s->plan[i];
	const struct kvec *dst = &s->dst[p->dst];
	struct iov_iter to;

	iov_iter_kvec(&to, ITER_DEST, dst, p->nr_dst, p->total);
	if (pull->read(qp, i, &to))
		return false;
	if (qp->hdr_len < sizeof(p->hdr))
		return true;
	if (likely(dst->iov_len >= sizeof(p->hdr))) {
		memcpy(dst->iov_base + at, &p->hdr.num_buffers, sizeof(p->hdr.num_buffers));
		return true;
	}
	iov_iter_kvec(&to, ITER_DEST, dst, p->nr_dst, p->total);
	iov_iter_advance(&to, at);
	return copy_to_iter(&p->hdr.num_buffers, sizeof(p->hdr.num_buffers), &to) ==
	       sizeof(p->hdr.num_buffers);
}

u32 ivshm_deliver_pull(struct ivshm_qp *qp, const struct ivshm_pull *pull, u32 *failed,
		       enum ivshm_delivery *why)
{
	struct ivshm_vring *ring = &qp->vq[IVSHM_VQ_RX].ring;
	struct ivshm_scratch *s = qp->scratch;
	u32 i, j;

	ivshm_scratch_reset(s);
	*why = IVSHM_DELIVER_MORE;
	*failed = 0;

	ivshm_gmem_read_lock(qp->gm);
	spin_lock(&qp->rx_lock);
	ivshm_pull_claim(qp, s, pull);
	if (!s->nr_plans)
		*why = ivshm_claim(qp, qp, s, NULL, pull, pull->nr, true);
	spin_unlock(&qp->rx_lock);
	for (i = 0; i < s->nr_plans; i++) {
		const struct ivshm_plan *p = &s->plan[i];

		if (ivshm_pull_plan(qp, s, pull, i))
			continue;
		/* Too short for any frame: the guest takes its buffers back. */
		for (j = 0; j < p->nr_used; j++)
			s->used[p->used + j].len = 0;
		++*failed;
	}
	if (s->nr_plans) {
		ivshm_log_all(qp, s);
		spin_lock(&qp->rx_lock);
		ivshm_vring_push(ring, s->used, s->nr_used);
		spin_unlock(&qp->rx_lock);
		if (READ_ONCE(qp->rx_stalled))
			WRITE_ONCE(qp->rx_stalled, false);
	}
	ivshm_gmem_read_unlock(qp->gm);

	if (*why == IVSHM_DELIVER_BROKEN)
		ivshm_qp_report(qp, IVSHM_VQ_RX);
	if (s->look_again)
		ivshm_worker_wake(&qp->worker, IVSHM_WORK_RX);
	return s->nr_plans;
}
