// SPDX-License-Identifier: GPL-2.0
/* Delivery into a receive ring; see deliver.h. */
#include <linux/eventfd.h>
#include <linux/if_ether.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "deliver_priv.h"
#include "qp.h"
#include "trace.h"

/* Times to look for more buffers before a frame counts as not deliverable. */
#define IVSHM_RX_LOOKS		4

struct ivshm_scratch *ivshm_scratch_alloc(void)
{
	return kvzalloc(sizeof(struct ivshm_scratch), GFP_KERNEL_ACCOUNT);
}

void ivshm_scratch_free(struct ivshm_scratch *s)
{
	kvfree(s);
}

static enum ivshm_delivery ivshm_deliver_src_error(int err)
{
	switch (err) {
	case -EAGAIN:
		return IVSHM_DELIVER_MISS_SRC;
	case -EINPROGRESS:
		return IVSHM_DELIVER_IOTLB_SRC;
	case -EOPNOTSUPP:
		return IVSHM_DELIVER_USER_SRC;
	case -ENOSPC:
		return IVSHM_DELIVER_MORE;
	default:
		return IVSHM_DELIVER_BAD_SRC;
	}
}

/* Name the pieces of @f: rebuilt header, checked copy, the rest. */
static enum ivshm_delivery ivshm_plan_src(struct ivshm_qp *src, struct ivshm_qp *dst,
					  struct ivshm_scratch *s,
					  struct ivshm_plan *p,
					  const struct ivshm_frame *f)
{
	struct kvec *vec = &s->src[s->nr_src];
	u32 room = IVSHM_SCRATCH_VECS - s->nr_src;
	u32 skip, i, n = 0;
	int got;

	if (room < IVSHM_FRAME_SEGS)
		return IVSHM_DELIVER_MORE;

	memset(&p->hdr, 0, sizeof(p->hdr));
	p->hdr.hdr = f->buf ? f->buf->hdr : f->hdr;
	vec[n].iov_base = &p->hdr;
	vec[n++].iov_len = dst->hdr_len;

	if (f->buf) {
		vec[n].iov_base = f->buf->data;
		vec[n++].iov_len = f->buf->len;
		goto out;
	}

	vec[n].iov_base = (void *)f->copy;
	vec[n++].iov_len = f->copy_len;

	skip = src->hdr_len + f->copy_len;
	if (f->page && f->page_gen == ivshm_gmem_generation(src->gm)) {
		if (f->len > f->copy_len) {
			vec[n].iov_base = (void *)f->page + skip;
			vec[n++].iov_len = f->len - f->copy_len;
		}
		goto out;
	}
	for (i = 0; i < f->nr_segs; i++) {
		u32 len = f->seg[i].len;

		if (skip >= len) {
			skip -= len;
			continue;
		}
		got = ivshm_gmem_map(src->gm, f->seg[i].addr + skip, len - skip,
				     false, &vec[n], room - n);
		if (got < 0)
			return ivshm_deliver_src_error(got);
		n += got;
		skip = 0;
	}
out:
	p->src = s->nr_src;
	p->nr_src = n;
	s->nr_src += n;
	return IVSHM_DELIVERED;
}

static enum ivshm_delivery ivshm_deliver_dst_error(struct ivshm_qp *dst, int err)
{
	switch (err) {
	case -ENOENT:
		return IVSHM_DELIVER_FULL;
	case -EAGAIN:
		return IVSHM_DELIVER_MISS_DST;
	case -EINPROGRESS:
		return IVSHM_DELIVER_IOTLB_DST;
	case -EOPNOTSUPP:
		return IVSHM_DELIVER_USER_DST;
	case -ENOSPC:
		return IVSHM_DELIVER_MORE;
	default:
		dst->vq[IVSHM_VQ_RX].ring.broken = true;
		return IVSHM_DELIVER_BROKEN;
	}
}

/*
 * Map @use bytes of the chain in s->seg.  All of it is looked up even when a
 * page is missing, so that every missing page is known at once.
 */
static int ivshm_plan_chain(struct ivshm_qp *dst, struct ivshm_scratch *s,
			    const struct ivshm_vring_chain *chain, u32 use)
{
	int got, err = 0;
	u32 i;

	for (i = 0; i < chain->nr_in && use; i++) {
		u32 len = min(use, s->seg[i].len);

		got = ivshm_gmem_map(dst->gm, s->seg[i].addr, len, true,
				     &s->dst[s->nr_dst],
				     IVSHM_SCRATCH_VECS - s->nr_dst);
		if (got < 0 && got != -EAGAIN && got != -EINPROGRESS)
			return got;
		if (got >= 0)
			s->nr_dst += got;
		else if (err != -EINPROGRESS)
			err = got;
		use -= len;
		if (likely(!ivshm_gmem_logged(dst->gm)))
			continue;
		if (s->nr_log == IVSHM_SCRATCH_VECS)
			return -ENOSPC;
		s->log[s->nr_log++] = (struct ivshm_vring_seg) {
			.addr = s->seg[i].addr, .len = len,
		};
	}
	return err;
}

/* Claim receive buffers for @p->total bytes; nothing is claimed on failure. */
static enum ivshm_delivery ivshm_plan_dst(struct ivshm_qp *dst,
					  struct ivshm_scratch *s,
					  struct ivshm_plan *p)
{
	struct ivshm_vring *ring = &dst->vq[IVSHM_VQ_RX].ring;
	bool mergeable = dst->features & BIT_ULL(VIRTIO_NET_F_MRG_RXBUF);
	u32 nr_dst = s->nr_dst, nr_log = s->nr_log, nr_used = s->nr_used;
	enum ivshm_delivery why;
	struct ivshm_vring_chain chain;
	u32 left = p->total, use;
	u16 popped = 0;
	int err;

	lockdep_assert_held(&dst->rx_lock);

	while (left) {
		err = ivshm_vring_pop(ring, &chain, s->seg, ARRAY_SIZE(s->seg));
		if (err) {
			why = ivshm_deliver_dst_error(dst, err);
			goto undo;
		}
		popped++;
		s->descs += chain.nr_desc;
		if (chain.nr_out || !chain.in_len) {
			why = ivshm_deliver_dst_error(dst, -EINVAL);
			goto undo;
		}
		use = min(left, chain.in_len);
		if ((use < left && !mergeable) || popped > IVSHM_RX_CHAINS) {
			why = IVSHM_DELIVER_TOO_BIG;
			goto undo;
		}
		if (s->nr_used == ARRAY_SIZE(s->used)) {
			why = IVSHM_DELIVER_MORE;
			goto undo;
		}
		err = ivshm_plan_chain(dst, s, &chain, use);
		if (err) {
			why = ivshm_deliver_dst_error(dst, err);
			goto undo;
		}
		s->used[s->nr_used].id = chain.head;
		s->used[s->nr_used++].len = use;
		left -= use;
	}

	p->dst = nr_dst;
	p->nr_dst = s->nr_dst - nr_dst;
	p->used = nr_used;
	p->nr_used = popped;
	/* num_buffers is there in 12-byte headers only, virtio 1.2 section 5.1.6. */
	p->hdr.num_buffers = ring->le ? (__force __virtio16)cpu_to_le16(popped) :
					(__force __virtio16)popped;
	return IVSHM_DELIVERED;

undo:
	ivshm_vring_unpop(ring, popped);
	s->nr_dst = nr_dst;
	s->nr_log = nr_log;
	s->nr_used = nr_used;
	return why;
}

/* @f is NULL for a frame of @len bytes that somebody else will write. */
static enum ivshm_delivery ivshm_plan_frame(struct ivshm_qp *src, struct ivshm_qp *dst,
					    struct ivshm_scratch *s,
					    const struct ivshm_frame *f, u32 len)
{
	struct ivshm_plan *p = &s->plan[s->nr_plans];
	enum ivshm_delivery why = IVSHM_DELIVERED;
	u32 nr_src = s->nr_src;

	if (s->bytes >= IVSHM_BATCH_BYTES || s->descs >= IVSHM_BATCH_DESCS)
		return IVSHM_DELIVER_MORE;
	if (f) {
		why = ivshm_plan_src(src, dst, s, p, f);
		len = f->buf ? f->buf->len : f->len;
	}
	if (why == IVSHM_DELIVERED) {
		p->total = dst->hdr_len + len;
		why = ivshm_plan_dst(dst, s, p);
	}
	if (why != IVSHM_DELIVERED) {
		s->nr_src = nr_src;
		return why;
	}
	s->bytes += p->total;
	s->nr_plans++;
	return IVSHM_DELIVERED;
}

enum ivshm_delivery ivshm_claim(struct ivshm_qp *src, struct ivshm_qp *dst,
				struct ivshm_scratch *s, struct ivshm_frame **frame,
				const struct ivshm_pull *pull, u32 n, bool arm)
{
	struct ivshm_vring *ring = &dst->vq[IVSHM_VQ_RX].ring;
	enum ivshm_delivery why = IVSHM_DELIVERED;
	u32 looks = 0;

	lockdep_assert_held(&dst->rx_lock);

	if (!dst->rx_open)
		return src == dst ? IVSHM_DELIVER_FULL : IVSHM_DELIVER_HELD;
	if (ring->broken)
		return IVSHM_DELIVER_BROKEN;
	if (ivshm_vring_begin(ring, ivshm_gmem_generation(dst->gm)))
		return IVSHM_DELIVER_MISS_DST;

	while (s->nr_plans < n) {
		why = pull ? ivshm_plan_frame(src, dst, s, NULL, pull->len[s->nr_plans]) :
			     ivshm_plan_frame(src, dst, s, frame[s->nr_plans], 0);
		if (why == IVSHM_DELIVERED)
			continue;
		/*
		 * Ask for a notification, then look again: buffers that came
		 * in between would come without one.
		 */
		if (why != IVSHM_DELIVER_FULL || !arm)
			break;
		dst->rx_kick_on = true;
		if (!ivshm_vring_enable_kick(ring))
			break;
		/*
		 * A guest that adds one small buffer at a time could keep us
		 * here, with its lock held: others first, then once more.
		 */
		if (++looks == IVSHM_RX_LOOKS) {
			s->look_again = true;
			break;
		}
	}
	/* A frame alone in its read section that is too much will always be. */
	if (why == IVSHM_DELIVER_MORE && !s->nr_plans)
		why = IVSHM_DELIVER_TOO_BIG;
	return why;
}

static void ivshm_copy_plan(const struct ivshm_scratch *s, const struct ivshm_plan *p)
{
	const struct kvec *src = &s->src[p->src], *dst = &s->dst[p->dst];
	size_t soff = 0, doff = 0;
	u32 left = p->total, i;

	/* The ordinary frame: into one buffer. */
	if (p->nr_dst == 1) {
		void *to = dst->iov_base;

		for (i = 0; i < p->nr_src; i++) {
			memcpy(to, src[i].iov_base, src[i].iov_len);
			to += src[i].iov_len;
		}
		return;
	}
	while (left) {
		size_t n = min3(src->iov_len - soff, dst->iov_len - doff, (size_t)left);

		memcpy(dst->iov_base + doff, src->iov_base + soff, n);
		left -= n;
		soff += n;
		doff += n;
		if (soff == src->iov_len) {
			src++;
			soff = 0;
		}
		if (doff == dst->iov_len) {
			dst++;
			doff = 0;
		}
	}
}

void ivshm_log_all(struct ivshm_qp *dst, const struct ivshm_scratch *s)
{
	u32 i;

	for (i = 0; i < s->nr_log; i++)
		ivshm_gmem_log(dst->gm, s->log[i].addr, s->log[i].len);
	if (unlikely(s->nr_log))
		ivshm_qp_logged(dst);
}

static void ivshm_copy_all(struct ivshm_qp *dst, const struct ivshm_scratch *s)
{
	u32 i;

	for (i = 0; i < s->nr_plans; i++)
		ivshm_copy_plan(s, &s->plan[i]);
	ivshm_log_all(dst, s);
}

u32 ivshm_deliver(struct ivshm_qp *src, struct ivshm_qp *dst,
		  struct ivshm_frame **frame, u32 n, bool arm, bool quiet,
		  enum ivshm_delivery *why)
{
	struct ivshm_scratch *s = src->scratch;
	struct ivshm_vring *ring = &dst->vq[IVSHM_VQ_RX].ring;
	bool wake = false;

	ivshm_scratch_reset(s);

	ivshm_gmem_read_lock2(src->gm, dst->gm);
	spin_lock(&dst->rx_lock);
	*why = ivshm_claim(src, dst, s, frame, NULL, n, arm);
	if (s->nr_plans && dst->rx_kick_on && !arm) {
		/*
		 * Whoever waits armed the notification that we now switch off,
		 * perhaps before the guest saw it: wake them in its place.
		 */
		dst->rx_kick_on = false;
		ivshm_vring_disable_kick(ring);
		wake = true;
	}
	spin_unlock(&dst->rx_lock);

	if (!s->nr_plans) {
		ivshm_gmem_read_unlock2(src->gm, dst->gm);
		goto out;
	}

	ivshm_copy_all(dst, s);
	if (READ_ONCE(dst->rx_stalled))
		WRITE_ONCE(dst->rx_stalled, false);

	spin_lock(&dst->rx_lock);
	ivshm_vring_push(ring, s->used, s->nr_used);
	quiet = quiet || !ivshm_vring_should_signal(ring);
	/* Signalled under the lock of the call eventfd, but of no mirror. */
	ivshm_gmem_read_unlock2(src->gm, dst->gm);
	if (!quiet)
		ivshm_qp_interrupt(dst, IVSHM_VQ_RX);
	spin_unlock(&dst->rx_lock);
	trace_ivshm_deliver(src, dst, s->nr_plans, s->bytes);
out:
	if (wake)
		ivshm_qp_tell_buffers(dst);
	if (*why == IVSHM_DELIVER_BROKEN)
		ivshm_qp_report(dst, IVSHM_VQ_RX);
	if (s->look_again)
		ivshm_worker_wake(&src->worker,
				  src == dst ? IVSHM_WORK_RX : IVSHM_WORK_PARK);
	return s->nr_plans;
}

void ivshm_deliver_flush(struct ivshm_qp *qp)
{
	struct ivshm_vring *ring = &qp->vq[IVSHM_VQ_RX].ring;
	bool signal;

	ivshm_gmem_read_lock(qp->gm);
	spin_lock(&qp->rx_lock);
	/* A ring page that went away meanwhile is no reason to lose an interrupt. */
	signal = qp->rx_open && !ring->broken &&
		 (ivshm_vring_begin(ring, ivshm_gmem_generation(qp->gm)) ||
		  ivshm_vring_should_signal(ring));
	ivshm_gmem_read_unlock(qp->gm);
	if (signal)
		ivshm_qp_interrupt(qp, IVSHM_VQ_RX);
	spin_unlock(&qp->rx_lock);
}

/* Copy a buffer to the chains of @s->seg and so on by user access. */
static int ivshm_user_copy_chain(struct ivshm_qp *qp, const struct ivshm_vring_seg *seg,
				 u32 nr, const struct virtio_net_hdr_mrg_rxbuf *hdr,
				 const struct ivshm_buf *buf)
{
	u32 pos = 0, total = qp->hdr_len + buf->len, i;
	int err;

	for (i = 0; i < nr && pos < total; i++) {
		u32 len = min(seg[i].len, total - pos), done = 0;

		while (done < len) {
			bool in_hdr = pos < qp->hdr_len;
			const void *from = in_hdr ? (const void *)hdr + pos :
						    buf->data + pos - qp->hdr_len;
			u32 n = min(len - done, in_hdr ? qp->hdr_len - pos : total - pos);

			err = ivshm_gmem_user_copy(qp->gm, seg[i].addr + done,
						   (void *)from, n, true);
			if (err)
				return err;
			done += n;
			pos += n;
		}
	}
	return 0;
}

enum ivshm_delivery ivshm_deliver_user(struct ivshm_qp *qp, struct ivshm_buf *buf)
{
	struct ivshm_scratch *s = qp->scratch;
	struct ivshm_vring *ring = &qp->vq[IVSHM_VQ_RX].ring;
	struct virtio_net_hdr_mrg_rxbuf hdr = { .hdr = buf->hdr };
	bool mergeable = qp->features & BIT_ULL(VIRTIO_NET_F_MRG_RXBUF);
	enum ivshm_delivery why = IVSHM_DELIVERED;
	u32 left = qp->hdr_len + buf->len, nr_seg = 0;
	struct ivshm_vring_chain chain;
	u16 popped = 0, pushed;
	int err = 0;

	ivshm_gmem_read_lock(qp->gm);
	spin_lock(&qp->rx_lock);
	if (!qp->rx_open || ivshm_vring_begin(ring, ivshm_gmem_generation(qp->gm)))
		why = IVSHM_DELIVER_MISS_DST;
	while (why == IVSHM_DELIVERED && left) {
		err = ivshm_vring_pop(ring, &chain, s->seg + nr_seg,
				      ARRAY_SIZE(s->seg) - nr_seg);
		if (err == -ENOENT) {
			qp->rx_kick_on = true;
			if (ivshm_vring_enable_kick(ring))
				continue;
		}
		if (err) {
			why = err == -ENOSPC ? IVSHM_DELIVER_TOO_BIG :
					       ivshm_deliver_dst_error(qp, err);
			break;
		}
		popped++;
		if (chain.nr_out || !chain.in_len) {
			why = ivshm_deliver_dst_error(qp, -EINVAL);
			break;
		}
		nr_seg += chain.nr_in;
		s->used[popped - 1].id = chain.head;
		s->used[popped - 1].len = min(left, chain.in_len);
		left -= s->used[popped - 1].len;
		if (left && (!mergeable || popped == IVSHM_RX_CHAINS))
			why = IVSHM_DELIVER_TOO_BIG;
	}
	if (why != IVSHM_DELIVERED)
		ivshm_vring_unpop(ring, popped);
	spin_unlock(&qp->rx_lock);
	ivshm_gmem_read_unlock(qp->gm);
	if (why == IVSHM_DELIVER_BROKEN)
		ivshm_qp_report(qp, IVSHM_VQ_RX);
	if (why != IVSHM_DELIVERED)
		return why;

	hdr.num_buffers = ring->le ? (__force __virtio16)cpu_to_le16(popped) :
				     (__force __virtio16)popped;
	err = ivshm_user_copy_chain(qp, s->seg, nr_seg, &hdr, buf);
	/* No such memory, or no log of it; as ivshm_deliver_dst_error(). */
	if (err == -EFAULT || err == -EOPNOTSUPP) {
		ivshm_qp_ring_error(qp, IVSHM_VQ_RX);
		return IVSHM_DELIVER_BROKEN;
	}
	pushed = popped;

	/*
	 * The chains are ours and must go back, with no data if that failed.
	 * Ring pages are ordinary memory: to be faulted in by the same worker.
	 */
	for (;;) {
		bool ready;

		ivshm_gmem_read_lock(qp->gm);
		spin_lock(&qp->rx_lock);
		ready = !ivshm_vring_begin(ring, ivshm_gmem_generation(qp->gm));
		if (ready) {
			if (err)
				for (popped = 0; popped < pushed; popped++)
					s->used[popped].len = 0;
			ivshm_vring_push(ring, s->used, pushed);
		}
		spin_unlock(&qp->rx_lock);
		ivshm_gmem_read_unlock(qp->gm);
		if (ready || ivshm_qp_fault(qp, IVSHM_VQ_RX))
			break;
	}
	ivshm_qp_logged(qp);
	return err ? IVSHM_DELIVER_TOO_BIG : IVSHM_DELIVERED;
}

void ivshm_deliver_prefault(struct ivshm_qp *qp)
{
	struct ivshm_scratch *s = qp->scratch;
	struct ivshm_vring *ring = &qp->vq[IVSHM_VQ_RX].ring;
	struct ivshm_vring_chain chain;
	u16 max, popped = 0;

	ivshm_gmem_read_lock(qp->gm);
	max = ivshm_gmem_translated(qp->gm) ? IVSHM_PRETRANSLATE : IVSHM_PREFAULT;
	spin_lock(&qp->rx_lock);
	if (qp->rx_open && !ring->broken &&
	    !ivshm_vring_begin(ring, ivshm_gmem_generation(qp->gm))) {
		while (popped < max && !ivshm_iotlb_crowded(&qp->iotlb) &&
		       !ivshm_vring_pop(ring, &chain, s->seg, ARRAY_SIZE(s->seg))) {
			popped++;
			s->nr_dst = 0;
			s->nr_log = 0;
			ivshm_plan_chain(qp, s, &chain, chain.in_len);
		}
		ivshm_vring_unpop(ring, popped);
	}
	spin_unlock(&qp->rx_lock);
	ivshm_gmem_read_unlock(qp->gm);
	ivshm_qp_report(qp, IVSHM_VQ_RX);
}

bool ivshm_deliver_want(struct ivshm_qp *qp)
{
	if (READ_ONCE(qp->rx_want))
		return false;
	/* Pairs with the guest's kick, which reads it after the ring changed. */
	smp_store_mb(qp->rx_want, true);
	return true;
}

bool ivshm_deliver_ready(struct ivshm_qp *qp)
{
	struct ivshm_vring *ring = &qp->vq[IVSHM_VQ_RX].ring;
	bool ready = false;

	/* Before the ring is looked at; pairs as above. */
	smp_store_mb(qp->rx_want, true);
	ivshm_gmem_read_lock(qp->gm);
	spin_lock(&qp->rx_lock);
	if (!ring->broken && !ivshm_vring_begin(ring, ivshm_gmem_generation(qp->gm))) {
		qp->rx_kick_on = true;
		ready = ivshm_vring_enable_kick(ring);
	}
	spin_unlock(&qp->rx_lock);
	ivshm_gmem_read_unlock(qp->gm);
	if (ready)
		WRITE_ONCE(qp->rx_want, false);
	return ready;
}
