// SPDX-License-Identifier: GPL-2.0
/*
 * The straight way for most frames: a run for one receiver, each frame of few
 * segments, into one buffer, all of them within two pages each.  Whatever is not
 * so, and whatever needs more than that, is left in the rings for tx.c.
 *
 * The rules are those of deliver.h: heads are claimed under the receiver's
 * lock, what is copied was mapped in the same read section, and what the
 * decision was made by is delivered from a private copy.
 */
#include <linux/etherdevice.h>
#include <linux/if_vlan.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "coupling.h"
#include "deliver.h"
#include "detector.h"
#include "port.h"
#include "qp.h"
#include "trace.h"
#include "tx.h"

/* A frame: where its segments are, and where it goes; with the vnet header. */
struct ivshm_tx_copy {
	struct ivshm_gmem_span src[IVSHM_VRING_FEW];
	struct ivshm_gmem_span dst;
	struct virtio_net_hdr_mrg_rxbuf hdr;
};

struct ivshm_tx_fast {
	struct ethhdr eth;
	u32 nr;
	u64 bytes;
	struct ivshm_vring_few tx[IVSHM_BATCH];
	struct ivshm_vring_few rx[IVSHM_BATCH];
	struct ivshm_vring_used used[IVSHM_BATCH];
	struct ivshm_tx_copy copy[IVSHM_BATCH];
};

struct ivshm_tx_fast *ivshm_tx_fast_alloc(void)
{
	return kvzalloc(sizeof(struct ivshm_tx_fast), GFP_KERNEL_ACCOUNT);
}

void ivshm_tx_fast_free(struct ivshm_tx_fast *fast)
{
	kvfree(fast);
}

/* Take chains, and the Ethernet header of the first. Returns how many. */
static u32 ivshm_tx_fast_take(struct ivshm_qp *qp, struct ivshm_tx_fast *fast)
{
	struct ivshm_vring *ring = &qp->vq[IVSHM_VQ_TX].ring;
	u32 n = 0, head = qp->hdr_len + ETH_HLEN;
	struct ivshm_gmem_span span;
	bool ok;

	ivshm_gmem_read_lock(qp->gm);
	if (!ring->broken && !ivshm_vring_begin(ring, ivshm_gmem_generation(qp->gm))) {
		ivshm_vring_disable_kick(ring);
		n = ivshm_vring_pop_few(ring, fast->tx, IVSHM_BATCH, false);
	}
	ok = n && fast->tx[0].seg[0].len >= head &&
	     ivshm_gmem_peek(qp->gm, fast->tx[0].seg[0].addr, head, false, &span) &&
	     span.len == head;
	if (ok)
		memcpy(&fast->eth, span.addr + qp->hdr_len, ETH_HLEN);
	else
		ivshm_vring_unpop(ring, n);
	ivshm_gmem_read_unlock(qp->gm);
	return ok ? n : 0;
}

/* The vnet header anew, of what asks for no more than a checksum. */
static bool ivshm_tx_fast_header(const struct virtio_net_hdr *raw, u32 len, bool le, bool csum,
				 struct virtio_net_hdr_mrg_rxbuf *hdr)
{
	u32 start, offset;

	hdr->hdr.flags = 0;
	hdr->hdr.gso_type = VIRTIO_NET_HDR_GSO_NONE;
	hdr->hdr.hdr_len = 0;
	hdr->hdr.gso_size = 0;
	hdr->hdr.csum_start = 0;
	hdr->hdr.csum_offset = 0;
	if (READ_ONCE(raw->gso_type))
		return false;
	if (!(READ_ONCE(raw->flags) & VIRTIO_NET_HDR_F_NEEDS_CSUM))
		return true;
	hdr->hdr.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	hdr->hdr.csum_start = READ_ONCE(raw->csum_start);
	hdr->hdr.csum_offset = READ_ONCE(raw->csum_offset);
	start = __virtio16_to_cpu(le, hdr->hdr.csum_start);
	offset = __virtio16_to_cpu(le, hdr->hdr.csum_offset);
	return csum && start >= ETH_HLEN && start + offset + sizeof(__sum16) <= len;
}

/* The same addresses and protocol, at @p, as those of the run. */
static bool ivshm_tx_fast_same(const struct ivshm_tx_fast *fast, const void *p)
{
	const struct ethhdr *eth = p;

	return ether_addr_equal_unaligned(eth->h_dest, fast->eth.h_dest) &&
	       ether_addr_equal_unaligned(eth->h_source, fast->eth.h_source) &&
	       eth->h_proto == fast->eth.h_proto;
}

/* One more frame for @dst; false if it is not for us. In both read sections. */
static bool ivshm_tx_fast_plan(struct ivshm_qp *qp, struct ivshm_qp *dst,
			       struct ivshm_tx_fast *fast, u32 max, bool csum)
{
	const struct ivshm_vring_few *tx = &fast->tx[fast->nr], *rx = &fast->rx[fast->nr];
	bool le = qp->vq[IVSHM_VQ_TX].ring.le;
	struct ivshm_tx_copy *copy = &fast->copy[fast->nr];
	u32 len = tx->len - qp->hdr_len, i;

	if (tx->len < qp->hdr_len + ETH_HLEN || len > max || rx->nr != 1 ||
	    rx->len < dst->hdr_len + len)
		return false;
	for (i = 0; i < tx->nr; i++)
		if (!ivshm_gmem_peek(qp->gm, tx->seg[i].addr, tx->seg[i].len, false,
				     &copy->src[i]))
			return false;
	/* Once compared it is not looked at again. */
	if (copy->src[0].len < qp->hdr_len + ETH_HLEN ||
	    !ivshm_tx_fast_header(copy->src[0].addr, len, le, csum, &copy->hdr) ||
	    !ivshm_tx_fast_same(fast, copy->src[0].addr + qp->hdr_len))
		return false;
	if (!ivshm_gmem_peek(dst->gm, rx->seg[0].addr, dst->hdr_len + len, true, &copy->dst) ||
	    copy->dst.len < dst->hdr_len + ETH_HLEN)
		return false;
	copy->hdr.num_buffers = __cpu_to_virtio16(dst->vq[IVSHM_VQ_RX].ring.le, 1);
	fast->used[fast->nr].id = rx->head;
	fast->used[fast->nr].len = dst->hdr_len + len;
	fast->bytes += len;
	fast->nr++;
	return true;
}

/* Claim buffers for up to @n frames; fast->nr are claimed then. */
static bool ivshm_tx_fast_claim(struct ivshm_qp *qp, struct ivshm_qp *dst,
				struct ivshm_tx_fast *fast, u32 n, u32 max, bool csum)
{
	struct ivshm_vring *ring = &dst->vq[IVSHM_VQ_RX].ring;
	bool wake = false;

	lockdep_assert_held(&dst->rx_lock);

	if (!dst->rx_open || ring->broken || dst->bounce_nr ||
	    ivshm_gmem_logged(dst->gm) ||
	    ivshm_vring_begin(ring, ivshm_gmem_generation(dst->gm)))
		return false;
	n = ivshm_vring_pop_few(ring, fast->rx, n, true);
	while (fast->nr < n && fast->bytes < IVSHM_BATCH_BYTES)
		if (!ivshm_tx_fast_plan(qp, dst, fast, max, csum))
			break;
	ivshm_vring_unpop(ring, n - fast->nr);
	if (fast->nr && dst->rx_kick_on) {
		/* As in ivshm_deliver(). */
		dst->rx_kick_on = false;
		ivshm_vring_disable_kick(ring);
		wake = true;
	}
	return wake;
}

static __always_inline void ivshm_tx_fast_put(struct ivshm_gmem_span *to, const void *from, u32 n)
{
	u32 first = min(n, to->len);

	memcpy(to->addr, from, first);
	to->addr += first;
	to->len -= first;
	if (likely(first == n))
		return;
	memcpy(to->next, from + first, n - first);
	to->addr = to->next + (n - first);
	to->len = U32_MAX;
}

static void ivshm_tx_fast_copy(const struct ivshm_qp *src, const struct ivshm_qp *dst,
			       struct ivshm_tx_fast *fast)
{
	u32 from = src->hdr_len + ETH_HLEN, to = dst->hdr_len + ETH_HLEN, i, j;

	for (i = 0; i < fast->nr; i++) {
		const struct ivshm_vring_few *tx = &fast->tx[i];
		struct ivshm_tx_copy *copy = &fast->copy[i];
		u32 skip = from;

		if (likely(dst->hdr_len == sizeof(copy->hdr)))
			memcpy(copy->dst.addr, &copy->hdr, sizeof(copy->hdr));
		else
			memcpy(copy->dst.addr, &copy->hdr, sizeof(copy->hdr.hdr));
		memcpy(copy->dst.addr + dst->hdr_len, &fast->eth, ETH_HLEN);
		copy->dst.addr += to;
		copy->dst.len -= to;
		for (j = 0; j < tx->nr; j++) {
			struct ivshm_gmem_span *s = &copy->src[j];

			ivshm_tx_fast_put(&copy->dst, s->addr + skip, s->len - skip);
			if (unlikely(s->len < tx->seg[j].len))
				ivshm_tx_fast_put(&copy->dst, s->next, tx->seg[j].len - s->len);
			skip = 0;
		}
	}
}

/* Deliver up to @n of the frames taken. Returns how many. */
static u32 ivshm_tx_fast_to(struct ivshm_qp *qp, struct ivshm_qp *dst,
			    struct ivshm_tx_fast *fast, u32 n, u32 max)
{
	struct ivshm_vring *ring = &dst->vq[IVSHM_VQ_RX].ring;
	bool csum = ivshm_uplink_features(dst) & NETIF_F_HW_CSUM;
	bool wake, signal;

	fast->nr = 0;
	fast->bytes = 0;
	ivshm_gmem_read_lock2(qp->gm, dst->gm);
	spin_lock(&dst->rx_lock);
	wake = ivshm_tx_fast_claim(qp, dst, fast, n, max, csum);
	spin_unlock(&dst->rx_lock);
	if (!fast->nr) {
		ivshm_gmem_read_unlock2(qp->gm, dst->gm);
		return 0;
	}
	ivshm_tx_fast_copy(qp, dst, fast);
	if (READ_ONCE(dst->rx_stalled))
		WRITE_ONCE(dst->rx_stalled, false);

	spin_lock(&dst->rx_lock);
	ivshm_vring_push(ring, fast->used, fast->nr);
	signal = ivshm_vring_should_signal(ring);
	/* As in ivshm_deliver(): signalled under no mirror's lock. */
	ivshm_gmem_read_unlock2(qp->gm, dst->gm);
	if (signal)
		ivshm_qp_interrupt(dst, IVSHM_VQ_RX);
	spin_unlock(&dst->rx_lock);
	trace_ivshm_deliver(qp, dst, fast->nr, fast->bytes);
	if (wake)
		ivshm_qp_wake_waiters(dst);
	return fast->nr;
}

u32 ivshm_tx_fast(struct ivshm_qp *qp)
{
	struct ivshm_tx_fast *fast = qp->fast;
	struct ivshm_decision d = {};
	struct ivshm_qp *dst = NULL;
	u32 n, i, done = 0, max = 0;

	/* Nothing overtakes what waits. */
	if (qp->nr_parked || !list_empty(&qp->redo) || !qp->port)
		return 0;
	n = ivshm_tx_fast_take(qp, fast);
	if (!n)
		return 0;
	for (i = 0; i < n; i++)
		max = max(max, fast->tx[i].len);
	max -= qp->hdr_len;

	rcu_read_lock();
	if (max <= IVSHM_FRAME_MAX && !eth_type_vlan(fast->eth.h_proto) &&
	    ivshm_detector_direct(qp->port, (const u8 *)&fast->eth, max, &d))
		dst = rcu_dereference(d.dst->qp);
	if (dst && dst != qp) {
		done = ivshm_tx_fast_to(qp, dst, fast, n, max);
		if (done)
			ivshm_tx_count_direct(qp, dst, d.pair, done, fast->bytes, true);
	}
	rcu_read_unlock();

	ivshm_vring_unpop(&qp->vq[IVSHM_VQ_TX].ring, n - done);
	for (i = 0; i < done; i++) {
		qp->tx_used[qp->nr_tx_used].id = fast->tx[i].head;
		qp->tx_used[qp->nr_tx_used++].len = 0;
	}
	return done;
}
