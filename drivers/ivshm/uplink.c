// SPDX-License-Identifier: GPL-2.0
/*
 * The uplink: a port's own tap, where its frames went before ivshm.
 *
 * All of it runs in the worker, outside any read section of guest memory: the
 * tap allocates and may sleep.
 */
#include <linux/if_ether.h>
#include <linux/if_tap.h>
#include <linux/if_tun.h>
#include <linux/ktime.h>
#include <linux/netdevice.h>
#include <linux/ptr_ring.h>
#include <linux/rtnetlink.h>
#include <linux/socket.h>
#include <net/sock.h>
#include <net/xdp.h>

#include "coupling.h"
#include "deliver.h"
#include "port.h"
#include "qp.h"
#include "tx.h"

netdev_features_t ivshm_uplink_features(struct ivshm_qp *qp)
{
	struct ivshm_port *port = READ_ONCE(qp->port);
	struct net_device *dev;

	if (!port)
		return 0;
	if (port->kind == IVSHM_PORT_MACVTAP) {
		struct socket *sock = READ_ONCE(qp->vq[IVSHM_VQ_RX].sock);
		struct tap_dev *tap;

		/* Once closed, a grace period passes before the tap may go. */
		if (!sock || !READ_ONCE(qp->rx_open))
			return 0;
		tap = rcu_dereference(container_of(sock, struct tap_queue, sock)->tap);
		return tap ? READ_ONCE(tap->tap_features) : 0;
	}
	dev = rcu_dereference(port->dev);
	return dev ? READ_ONCE(dev->features) : 0;
}

u32 ivshm_uplink_queued(struct ivshm_qp *qp)
{
	struct ptr_ring *r = READ_ONCE(qp->tap_ring);
	u32 n = 0;

	if (!r)
		return 0;
	spin_lock_bh(&r->consumer_lock);
	spin_lock(&r->producer_lock);
	if (r->size && READ_ONCE(r->queue[r->consumer_head])) {
		n = r->producer > r->consumer_head ?
			r->producer - r->consumer_head :
			r->size - r->consumer_head + r->producer;
	}
	spin_unlock(&r->producer_lock);
	spin_unlock_bh(&r->consumer_lock);
	return n;
}

/* Frames in hand, taken from the tap's queue and not dealt with. */
static u32 ivshm_uplink_hand(const struct ivshm_qp *qp)
{
	return qp->tap_nr - qp->tap_at;
}

/* The same after more were taken if there were none. */
static u32 ivshm_uplink_pull(struct ivshm_qp *qp)
{
	if (!ivshm_uplink_hand(qp) && qp->tap_ring) {
		raw_write_seqcount_begin(&qp->tap_seq);
		qp->tap_at = 0;
		qp->tap_nr = ptr_ring_consume_batched(qp->tap_ring, qp->tap, IVSHM_BATCH);
		qp->tap_clear = false;
		WRITE_ONCE(qp->tap_in, qp->tap_in + qp->tap_nr);
		raw_write_seqcount_end(&qp->tap_seq);
	}
	return ivshm_uplink_hand(qp);
}

void ivshm_uplink_unpull(struct ivshm_qp *qp)
{
	u32 n = ivshm_uplink_hand(qp);

	WRITE_ONCE(qp->tap_since, 0);
	if (!n)
		return;
	raw_write_seqcount_begin(&qp->tap_seq);
	ptr_ring_unconsume(qp->tap_ring, qp->tap + qp->tap_at, n, tun_ptr_free);
	qp->tap_nr = qp->tap_at;
	WRITE_ONCE(qp->tap_in, qp->tap_in - n);
	raw_write_seqcount_end(&qp->tap_seq);
}

/* @n frames were delivered or dropped. */
static void ivshm_uplink_done(struct ivshm_qp *qp, u32 n)
{
	/* After the delivery; whoever sees it also takes wait_lock first. */
	smp_store_release(&qp->tap_done, qp->tap_done + n);
}

static u32 ivshm_uplink_len(void *ptr)
{
	const struct sk_buff *skb = ptr;

	if (tun_is_xdp_frame(ptr))
		return tun_ptr_to_xdp(ptr)->len;
	return skb->len + (skb_vlan_tag_present(skb) ? VLAN_HLEN : 0);
}

/*
 * Copy the first frame in hand, or the next of a socket without a queue that we
 * know, to qp->tap_frame.  False if there is none, or it is lost.
 */
static bool ivshm_uplink_copy(struct ivshm_qp *qp, bool *lost)
{
	struct socket *sock = qp->vq[IVSHM_VQ_RX].sock;
	struct ivshm_frame *f = &qp->tap_frame;
	struct virtio_net_hdr_mrg_rxbuf hdr = {};
	struct msghdr msg = { .msg_flags = MSG_DONTWAIT };
	struct kvec vec[2] = {
		{ .iov_base = &hdr, .iov_len = qp->sock_hdr },
		{ .iov_base = f->buf->data, .iov_len = IVSHM_FRAME_MAX },
	};
	int max = qp->sock_hdr + IVSHM_FRAME_MAX;
	u32 from = qp->sock_hdr ? 0 : 1;
	int len;

	*lost = false;
	if (!sock)
		return false;
	if (ivshm_uplink_hand(qp))
		msg.msg_control = qp->tap[qp->tap_at++];
	iov_iter_kvec(&msg.msg_iter, ITER_DEST, vec + from, 2 - from, max);
	len = sock->ops->recvmsg(sock, &msg, max, MSG_DONTWAIT | MSG_TRUNC);
	if (len < (int)qp->sock_hdr + ETH_HLEN || len > max) {
		*lost = msg.msg_control || len > 0;
		if (*lost)
			ivshm_qp_drop(qp, IVSHM_A_STAT_DROP_UPLINK, 1);
		if (msg.msg_control)
			ivshm_uplink_done(qp, 1);
		return false;
	}
	if (!msg.msg_control)
		WRITE_ONCE(qp->tap_in, qp->tap_in + 1);
	f->buf->hdr = hdr.hdr;
	f->buf->len = len - qp->sock_hdr;
	return true;
}

/*
 * No other member of the static coupling has frames in hand that it decided
 * for its uplink before it knew of the coupling.  Under RCU.
 */
static bool ivshm_uplink_quiet(const struct ivshm_port *port)
{
	const struct ivshm_member *self = rcu_dereference(port->member);
	const struct ivshm_port *peer;
	const struct ivshm_qp *qp;
	u32 i;

	/* After the coupling was seen; pairs with that in ivshm_tx_announce(). */
	smp_mb();
	for (i = 0; self && i < self->coupling->nr; i++) {
		peer = rcu_dereference(self->coupling->member[i].port);
		if (!peer || peer == port)
			continue;
		list_for_each_entry_rcu(qp, &peer->qps, port_list)
			/* What it sent before it said so is in our queue by now. */
			if (smp_load_acquire(&qp->tx_uplink))
				return false;
	}
	return true;
}

void ivshm_uplink_mark(struct ivshm_qp *qp)
{
	u64 in = READ_ONCE(qp->tap_in);

	/* In this order: rather too few than one that comes later. */
	smp_rmb();
	WRITE_ONCE(qp->tap_mark, in + ivshm_uplink_queued(qp));
}

/* A static coupling is over; what came meanwhile may still be there. */
static void ivshm_uplink_open(struct ivshm_qp *qp)
{
	/* Some from the one before are still there, and those since then with them. */
	if (qp->tap_done >= qp->tap_fresh)
		qp->tap_stale = qp->tap_keep;
	/* Pairs with coupling_end() and coupling_unbind(). */
	smp_rmb();
	qp->tap_fresh = READ_ONCE(qp->tap_mark);
}

void ivshm_uplink_look(struct ivshm_qp *qp)
{
	u64 isolated, now;

	rcu_read_lock();
	isolated = qp->port ? ivshm_port_isolated(qp->port) : 0;
	if (qp->isolated && isolated != qp->isolated)
		ivshm_uplink_open(qp);
	if (!isolated)
		qp->isolating = 0;
	/* A coupling made anew may come without its end having been seen. */
	if (isolated && isolated != qp->isolated) {
		now = ktime_get_ns();
		if (isolated != qp->isolating)
			qp->isolate_at = now + IVSHM_MOVE_NS;
		qp->isolating = isolated;
		/* A member that never comes to an end does not keep it open. */
		if (ivshm_uplink_quiet(qp->port) || now >= qp->isolate_at)
			qp->tap_keep = qp->tap_in + ivshm_uplink_queued(qp);
		else
			isolated = 0;
	}
	rcu_read_unlock();
	qp->isolated = isolated;
}

void ivshm_uplink_begin(struct ivshm_qp *qp)
{
	rcu_read_lock();
	qp->isolated = qp->port ? ivshm_port_isolated(qp->port) : 0;
	rcu_read_unlock();
	qp->isolating = qp->isolated;
	qp->tap_keep = qp->tap_in;
}

/*
 * How many of @n frames in hand go to the guest; if none, the first is to be dropped.  A
 * member of a static coupling gets nothing from its tap but what was there before, also
 * when it is a member no longer.
 */
static u32 ivshm_uplink_passes(struct ivshm_qp *qp, u32 n)
{
	u64 next = qp->tap_done, end = next + n;

	ivshm_uplink_look(qp);
	if (next < qp->tap_stale)
		end = min(end, qp->tap_stale);
	else if (next < qp->tap_fresh)
		return 0;
	if (qp->isolated)
		end = min(end, max(next, qp->tap_keep));
	return end - next;
}

/* The tap writes a frame in hand to the guest's buffers; see struct ivshm_pull. */
static int ivshm_uplink_read(struct ivshm_qp *qp, u32 i, struct iov_iter *to)
{
	struct socket *sock = qp->vq[IVSHM_VQ_RX].sock;
	struct msghdr msg = {
		.msg_control = qp->tap[qp->tap_at + i],
		.msg_flags = MSG_DONTWAIT,
		.msg_iter = *to,
	};
	size_t len = iov_iter_count(to);

	if (sock->ops->recvmsg(sock, &msg, len, MSG_DONTWAIT | MSG_TRUNC) == len)
		return 0;
	/* Not to be counted. */
	qp->pull->len[i] = 0;
	return -EIO;
}

/* Straight to the guest's buffers: up to @n frames in hand. Returns how many. */
static u32 ivshm_uplink_straight(struct ivshm_qp *qp, u32 n, enum ivshm_delivery *why)
{
	struct ivshm_pull *pull = qp->pull;
	u32 i, done, failed;
	u64 bytes = 0;

	*why = IVSHM_DELIVER_TOO_BIG;
	/* The tap speaks of headers as the guest does, or not at all. */
	if (qp->sock_hdr != qp->hdr_len)
		return 0;
	for (i = 0; i < n; i++) {
		pull->len[i] = ivshm_uplink_len(qp->tap[qp->tap_at + i]);
		if (pull->len[i] < ETH_HLEN || pull->len[i] > IVSHM_FRAME_MAX)
			break;
	}
	pull->nr = i;
	pull->read = ivshm_uplink_read;
	if (!i)
		return 0;
	done = ivshm_deliver_pull(qp, pull, &failed, why);
	for (i = 0; i < done; i++)
		bytes += pull->len[i];
	qp->tap_at += done;
	ivshm_qp_count_n(qp, IVSHM_A_STAT_RX_UPLINK_FRAMES, done - failed);
	ivshm_qp_count_n(qp, IVSHM_A_STAT_RX_UPLINK_BYTES, bytes);
	if (failed)
		ivshm_qp_drop(qp, IVSHM_A_STAT_DROP_UPLINK, failed);
	return done;
}

/* Deliver the frame in the kernel buffer. False: it has to wait. */
static bool ivshm_uplink_deliver(struct ivshm_qp *qp)
{
	struct ivshm_frame *f = &qp->tap_frame;
	enum ivshm_delivery why;

	while (!ivshm_deliver(qp, qp, &f, 1, true, true, &why)) {
		if (why == IVSHM_DELIVER_MISS_DST) {
			ivshm_deliver_prefault(qp);
			if (!ivshm_qp_fault(qp, IVSHM_VQ_RX))
				continue;
			why = IVSHM_DELIVER_FULL;
		}
		/* Ask for what the next frames need, too. */
		if (why == IVSHM_DELIVER_IOTLB_DST)
			ivshm_deliver_prefault(qp);
		if (why == IVSHM_DELIVER_USER_DST)
			why = ivshm_deliver_user(qp, f->buf);
		if (why == IVSHM_DELIVERED)
			break;
		if (why == IVSHM_DELIVER_FULL || why == IVSHM_DELIVER_BROKEN ||
		    why == IVSHM_DELIVER_MISS_DST || why == IVSHM_DELIVER_IOTLB_DST) {
			if (ivshm_deliver_want(qp))
				continue;
			return false;
		}
		ivshm_qp_drop(qp, IVSHM_A_STAT_DROP_TOO_BIG, 1);
		return true;
	}
	ivshm_qp_count(qp, IVSHM_A_STAT_RX_UPLINK_FRAMES);
	ivshm_qp_count_n(qp, IVSHM_A_STAT_RX_UPLINK_BYTES, f->buf->len);
	return true;
}

enum ivshm_uplink_step {
	IVSHM_UPLINK_EMPTY,
	IVSHM_UPLINK_BLOCKED,	/* frames wait for receive buffers */
	IVSHM_UPLINK_GO_ON,
};

/* Deal with @pass frames in hand, or some of them; @n: how many were delivered. */
static enum ivshm_uplink_step ivshm_uplink_hand_over(struct ivshm_qp *qp, u32 pass, u32 *n)
{
	enum ivshm_delivery why;
	bool lost;

	*n = ivshm_uplink_straight(qp, pass, &why);
	if (*n) {
		ivshm_uplink_done(qp, *n);
		return IVSHM_UPLINK_GO_ON;
	}
	if (why == IVSHM_DELIVER_FULL || why == IVSHM_DELIVER_BROKEN)
		return ivshm_deliver_want(qp) ? IVSHM_UPLINK_GO_ON : IVSHM_UPLINK_BLOCKED;
	/* What needs more care goes by a kernel buffer. */
	qp->tap_copied = ivshm_uplink_copy(qp, &lost);
	return IVSHM_UPLINK_GO_ON;
}

/*
 * Whether frames in hand have to wait for what was left with other queue pairs
 * of the port before: the tap chooses queues in its own way.
 */
static bool ivshm_uplink_behind(struct ivshm_qp *qp)
{
	struct ivshm_port *port = qp->port;
	struct ivshm_qp *other;
	bool found = false;
	u64 now;

	qp->tap_clear = true;
	if (!port || READ_ONCE(port->nr_qps) == 1)
		return false;
	now = ktime_get_ns();
	if (!qp->tap_since)
		WRITE_ONCE(qp->tap_since, now);
	rcu_read_lock();
	/* The lock in there orders; see ivshm_qp_wake_port(). */
	list_for_each_entry_rcu(other, &port->qps, port_list)
		found = found ||
			ivshm_bounce_between(other, qp->tap_past, qp->tap_since);
	rcu_read_unlock();
	if (found && now - qp->tap_since < IVSHM_HOLD_NS) {
		qp->tap_clear = false;
		return true;
	}
	/* A queue whose guest never takes them does not stop the others. */
	qp->tap_past = qp->tap_since;
	WRITE_ONCE(qp->tap_since, 0);
	return false;
}

static enum ivshm_uplink_step ivshm_uplink_step(struct ivshm_qp *qp, u32 *n)
{
	u32 hand = qp->tap_copied ? 0 : ivshm_uplink_pull(qp), pass = 0;
	bool lost;

	*n = 0;
	if (!qp->tap_copied && !hand) {
		if (qp->tap_ring)
			return IVSHM_UPLINK_EMPTY;
		if (!ivshm_uplink_copy(qp, &lost))
			return lost ? IVSHM_UPLINK_GO_ON : IVSHM_UPLINK_EMPTY;
		qp->tap_copied = true;
	}
	if (hand)
		pass = ivshm_uplink_passes(qp, hand);
	/* For that nobody needs buffers. */
	if (hand && !pass) {
		tun_ptr_free(qp->tap[qp->tap_at++]);
		ivshm_qp_drop(qp, IVSHM_A_STAT_DROP_ISOLATED, 1);
		ivshm_uplink_done(qp, 1);
		return IVSHM_UPLINK_GO_ON;
	}
	/* Their senders may have gone direct before. */
	if (READ_ONCE(qp->bounce_nr) && !ivshm_bounce_work(qp))
		return IVSHM_UPLINK_BLOCKED;
	if (!qp->tap_clear && ivshm_uplink_behind(qp))
		return IVSHM_UPLINK_BLOCKED;
	if (hand)
		return ivshm_uplink_hand_over(qp, pass, n);
	if (!ivshm_uplink_deliver(qp))
		return IVSHM_UPLINK_BLOCKED;
	qp->tap_copied = false;
	ivshm_uplink_done(qp, 1);
	*n = 1;
	return IVSHM_UPLINK_GO_ON;
}

unsigned long ivshm_uplink_receive(struct ivshm_qp *qp)
{
	enum ivshm_uplink_step step;
	u32 total = 0, steps = 0, n;

	if (qp->cut_off)
		return 0;
	/*
	 * Before the queue is looked at: from now on we are told of frames.
	 * Pairs with the tap's lock of its wait queue, see ivshm_poll_tap().
	 */
	if (qp->tap_held) {
		WRITE_ONCE(qp->tap_held, false);
		smp_mb();	/* see above */
	}
	do {
		step = ivshm_uplink_step(qp, &n);
		total += n;
		if (n)
			WRITE_ONCE(qp->rx_want, false);
	} while (step == IVSHM_UPLINK_GO_ON && total < IVSHM_TX_WEIGHT &&
		 ++steps < IVSHM_TX_WEIGHT);

	if (step == IVSHM_UPLINK_BLOCKED)
		WRITE_ONCE(qp->tap_held, true);
	if (total)
		ivshm_deliver_flush(qp);
	/* Those who join wait for an empty queue, too. */
	ivshm_qp_wake_port(qp);
	return step == IVSHM_UPLINK_GO_ON ? BIT(IVSHM_WORK_TAP_IN) : 0;
}
