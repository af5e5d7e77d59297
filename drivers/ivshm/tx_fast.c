// SPDX-License-Identifier: GPL-2.0
/*
 * The straight way for most frames: a run for one receiver, each frame of few
 * segments, into one buffer, all of them within two pages each; or a run for the
 * uplink, of few segments, with the same Ethernet header.  Whatever is not so, and
 * whatever needs more than that, is left in the rings for tx.c.
 *
 * The rules are those of deliver.h: heads are claimed under the receiver's
 * lock, what is copied was mapped in the same read section, and what the
 * decision was made by is delivered from a private copy.
 */
#include <linux/if_ether.h>
#include <linux/if_vlan.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "addr.h"
#include "capture.h"
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

/* @max: chains to be taken at once. @full: the receiver has no buffers. */
struct ivshm_tx_fast {
	u32 max;
	bool full;
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
	struct ivshm_tx_fast *fast = kvzalloc(sizeof(*fast), GFP_KERNEL_ACCOUNT);

	if (fast)
		fast->max = IVSHM_BATCH;
	return fast;
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
		n = ivshm_vring_pop_few(ring, fast->tx, fast->max, false);
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
static __always_inline bool ivshm_tx_fast_header(const struct virtio_net_hdr *raw, u32 len,
						 bool le, bool csum,
						 struct virtio_net_hdr_mrg_rxbuf *hdr)
{
	u32 start, offset;

	*hdr = (struct virtio_net_hdr_mrg_rxbuf){};
	if (unlikely(READ_ONCE(raw->gso_type)))
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

/*
 * Look up the frames of up to @n chains: as far as they are for us, up to @max
 * bytes with the vnet header, and have the addresses and the protocol of the
 * run. Read section. Returns how many.  This and what follows are kept apart for
 * the sake of their registers.
 */
static noinline u32 ivshm_tx_fast_sources(struct ivshm_qp *qp, struct ivshm_tx_fast *fast,
					  u32 n, u32 max, bool csum)
{
	struct ivshm_tx_key run = ivshm_tx_key(&fast->eth), key;
	bool le = qp->vq[IVSHM_VQ_TX].ring.le;
	struct ivshm_tx_copy *copy = fast->copy;
	const struct ivshm_vring_few *tx = fast->tx;
	u32 hdr_len = qp->hdr_len, i, j, bytes = 0;
	struct ivshm_gmem_window win = {};
	struct ivshm_gmem *gm = qp->gm;

	for (i = 0; i < n && bytes < IVSHM_BATCH_BYTES; i++, tx++, copy++) {
		if (unlikely(tx->len > max ||
			     !ivshm_gmem_peek_near(gm, &win, tx->seg[0].addr, tx->seg[0].len,
						   false, &copy->src[0]) ||
			     copy->src[0].len < hdr_len + ETH_HLEN))
			break;
		for (j = 1; unlikely(j < tx->nr); j++)
			if (!ivshm_gmem_peek_near(gm, &win, tx->seg[j].addr, tx->seg[j].len,
						  false, &copy->src[j]))
				return i;
		/* Once compared it is not looked at again. */
		key = ivshm_tx_key(copy->src[0].addr + hdr_len);
		if (key.lo != run.lo || key.hi != run.hi ||
		    unlikely(!ivshm_tx_fast_header(copy->src[0].addr, tx->len - hdr_len, le,
						   csum, &copy->hdr)))
			break;
		bytes += tx->len;
	}
	return i;
}

/* Claim buffers for up to @n frames, each with one; fast->nr are claimed then. */
static noinline bool ivshm_tx_fast_claim(struct ivshm_qp *qp, struct ivshm_qp *dst,
					 struct ivshm_tx_fast *fast, u32 n)
{
	u32 i, bytes = 0, more = dst->hdr_len - qp->hdr_len, least = dst->hdr_len + ETH_HLEN;
	struct ivshm_vring *ring = &dst->vq[IVSHM_VQ_RX].ring;
	__virtio16 one = __cpu_to_virtio16(ring->le, 1);
	struct ivshm_tx_copy *copy = fast->copy;
	const struct ivshm_vring_few *rx = fast->rx;
	struct ivshm_gmem_window win = {};

	lockdep_assert_held(&dst->rx_lock);

	if (!dst->rx_open || ring->broken || dst->bounce_nr ||
	    ivshm_gmem_logged(dst->gm) || ivshm_gmem_translated(dst->gm) ||
	    ivshm_vring_begin(ring, ivshm_gmem_generation(dst->gm)))
		return false;
	n = ivshm_vring_pop_few(ring, fast->rx, n, true);
	fast->full = !n && ivshm_vring_drained(ring);
	for (i = 0; i < n; i++, rx++, copy++) {
		/* The headers may differ in length: modulo 2^32, but at least @least. */
		u32 len = fast->tx[i].len + more;

		if (unlikely(rx->nr != 1 || rx->len < len ||
			     !ivshm_gmem_peek_near(dst->gm, &win, rx->seg[0].addr, len, true,
						   &copy->dst) ||
			     copy->dst.len < least))
			break;
		copy->hdr.num_buffers = one;
		fast->used[i].id = rx->head;
		fast->used[i].len = len;
		bytes += len;
	}
	fast->nr = i;
	fast->bytes = bytes - i * dst->hdr_len;
	ivshm_vring_unpop(ring, n - i);
	if (!i || !dst->rx_kick_on)
		return false;
	/* As in ivshm_deliver(). */
	dst->rx_kick_on = false;
	ivshm_vring_disable_kick(ring);
	return true;
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

/* A frame in pieces. */
static noinline void ivshm_tx_fast_pieces(const struct ivshm_vring_few *tx,
					  struct ivshm_tx_copy *copy, u32 skip)
{
	u32 i;

	for (i = 0; i < tx->nr; i++) {
		struct ivshm_gmem_span *s = &copy->src[i];

		ivshm_tx_fast_put(&copy->dst, s->addr + skip, s->len - skip);
		if (unlikely(s->len < tx->seg[i].len))
			ivshm_tx_fast_put(&copy->dst, s->next, tx->seg[i].len - s->len);
		skip = 0;
	}
}

static noinline void ivshm_tx_fast_copy(const struct ivshm_qp *src, const struct ivshm_qp *dst,
					struct ivshm_tx_fast *fast)
{
	u32 from = src->hdr_len + ETH_HLEN, hdr_len = dst->hdr_len, to = hdr_len + ETH_HLEN, i;
	const struct ivshm_vring_few *tx = fast->tx;
	struct ivshm_tx_copy *copy = fast->copy;
	const struct ethhdr eth = fast->eth;

	for (i = 0; i < fast->nr; i++, tx++, copy++) {
		void *p = copy->dst.addr;

		if (likely(hdr_len == sizeof(copy->hdr)))
			memcpy(p, &copy->hdr, sizeof(copy->hdr));
		else
			memcpy(p, &copy->hdr, sizeof(copy->hdr.hdr));
		memcpy(p + hdr_len, &eth, ETH_HLEN);
		if (likely(copy->src[0].len == tx->len && copy->dst.len == fast->used[i].len)) {
			memcpy(p + to, copy->src[0].addr + from, tx->len - from);
			continue;
		}
		copy->dst.addr += to;
		copy->dst.len -= to;
		ivshm_tx_fast_pieces(tx, copy, from);
	}
}

/*
 * Deliver up to @n of the frames taken, or drop them, as ivshm_tx_park() does, if
 * the receiver takes none for long, or they do not wait for it.  Returns how many.
 */
static u32 ivshm_tx_fast_to(struct ivshm_qp *qp, struct ivshm_qp *dst,
			    const struct ivshm_decision *d, struct ivshm_tx_fast *fast,
			    u32 n, u32 max)
{
	struct ivshm_vring *ring = &dst->vq[IVSHM_VQ_RX].ring;
	bool csum = ivshm_uplink_features(dst) & NETIF_F_HW_CSUM;
	bool wake = false, signal;

	fast->nr = 0;
	fast->full = false;
	ivshm_gmem_read_lock2(qp->gm, dst->gm);
	n = ivshm_tx_fast_sources(qp, fast, n, max, csum);
	if (n) {
		spin_lock(&dst->rx_lock);
		wake = ivshm_tx_fast_claim(qp, dst, fast, n);
		spin_unlock(&dst->rx_lock);
	}
	if (!fast->nr) {
		ivshm_gmem_read_unlock2(qp->gm, dst->gm);
		if (!fast->full || !(d->drops || READ_ONCE(dst->rx_stalled)))
			return 0;
		ivshm_qp_drop(qp, IVSHM_A_STAT_DROP_FULL, n);
		return n;
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
	ivshm_tx_count_direct(qp, dst, d->pair, fast->nr, fast->bytes, true);
	qp->linger.bytes += fast->bytes;
	if (wake)
		ivshm_qp_tell_buffers(dst);
	return fast->nr;
}

/* The receiver's queue pair, if it is the same for all frames. */
static struct ivshm_qp *ivshm_tx_fast_queue(struct ivshm_qp *qp, const struct ivshm_decision *d)
{
	struct ivshm_map map;
	struct ivshm_qp *dst;

	dst = ivshm_queue_pick(qp, d->dst, 0, &map);
	if (unlikely(map.index == IVSHM_QUEUE_HASH) ||
	    unlikely(!ivshm_tx_way_open(qp, d->index, d->pair, &map)))
		return NULL;
	return dst;
}

/*
 * Whether all frames with the Ethernet header of the first take the uplink, and no more
 * is to be done about them: what tells of its sender's IP addresses is looked into.
 */
static bool ivshm_tx_fast_leaves(struct ivshm_qp *qp, const struct ethhdr *eth)
{
	return !ivshm_addr_tells((const u8 *)eth, sizeof(*eth)) && ivshm_tx_announce(qp);
}

/*
 * How many are worth taking next time, as @done of @n went by the uplink.  One tells
 * whether it goes on as last time.
 */
static u32 ivshm_tx_fast_next(u32 n, u32 done)
{
	return done == n ? IVSHM_BATCH : clamp_t(u32, 2 * done, 1, IVSHM_BATCH);
}

u32 ivshm_tx_fast(struct ivshm_qp *qp)
{
	struct ivshm_tx_fast *fast = qp->fast;
	struct ivshm_vring_used *used;
	struct ivshm_decision d = {};
	struct ivshm_qp *dst = NULL;
	u32 n, i, max = 0, done = 0;
	bool uplink = true;

	/*
	 * Nothing overtakes what waits, what is watched takes a kernel buffer, and who
	 * traces decisions wants to see each.
	 */
	if (ivshm_capture_on() || trace_ivshm_decide_enabled() || qp->nr_parked ||
	    !list_empty(&qp->redo) || ivshm_gmem_translated(qp->gm))
		return 0;
	n = ivshm_tx_fast_take(qp, fast);
	if (!n)
		return 0;

	rcu_read_lock();
	if (eth_type_vlan(fast->eth.h_proto))
		uplink = false;
	else if (qp->port)
		max = ivshm_detector_direct(qp->port, (const u8 *)&fast->eth, &d, &uplink);
	if (max)
		dst = ivshm_tx_fast_queue(qp, &d);
	if (dst && dst != qp) {
		max = min_t(u32, max, IVSHM_FRAME_MAX) + qp->hdr_len;
		done = ivshm_tx_fast_to(qp, dst, &d, fast, n, max);
	}
	uplink = uplink && ivshm_tx_fast_leaves(qp, &fast->eth);
	rcu_read_unlock();
	if (uplink) {
		done = ivshm_uplink_send_few(qp, fast->tx, n, &fast->eth);
		/* After the last frame was sent. */
		smp_store_release(&qp->tx_uplink, false);
	}
	fast->max = dst ? IVSHM_BATCH : ivshm_tx_fast_next(n, done);

	ivshm_vring_unpop(&qp->vq[IVSHM_VQ_TX].ring, n - done);
	used = qp->tx_used + qp->nr_tx_used;
	for (i = 0; i < done; i++, used++) {
		used->id = fast->tx[i].head;
		used->len = 0;
	}
	qp->nr_tx_used += done;
	return done;
}
