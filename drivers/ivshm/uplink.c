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
#include <linux/netdevice.h>
#include <linux/ptr_ring.h>
#include <linux/rtnetlink.h>
#include <linux/socket.h>
#include <net/sock.h>

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

int ivshm_uplink_send(struct ivshm_qp *qp, struct ivshm_frame *f)
{
	struct socket *sock = qp->vq[IVSHM_VQ_TX].sock;
	struct msghdr msg = { .msg_flags = MSG_DONTWAIT };
	struct kvec vec;
	int err;

	if (!sock)
		return -EIO;
	memset(qp->line, 0, qp->sock_hdr);
	memcpy(qp->line, &f->raw, min_t(u32, qp->sock_hdr, sizeof(f->raw)));
	err = ivshm_frame_read(qp, f, qp->line + qp->sock_hdr);
	if (err)
		return err;

	vec.iov_base = qp->line;
	vec.iov_len = qp->sock_hdr + f->len;
	iov_iter_kvec(&msg.msg_iter, ITER_SOURCE, &vec, 1, vec.iov_len);
	err = sock->ops->sendmsg(sock, &msg, vec.iov_len);
	if (err == -EAGAIN || err == -ENOBUFS) {
		/* Arms the wake-up; room may have come up before it was armed. */
		if (vfs_poll(qp->vq[IVSHM_VQ_TX].tap, NULL) & EPOLLOUT)
			ivshm_worker_wake(&qp->worker, IVSHM_WORK_TAP_OUT);
		return -EAGAIN;
	}
	return err < 0 ? -EIO : 0;
}

/* The next frame of the tap into qp->tap_frame. False if there is none. */
static bool ivshm_uplink_fetch(struct ivshm_qp *qp)
{
	struct socket *sock = qp->vq[IVSHM_VQ_RX].sock;
	struct ivshm_frame *f = &qp->tap_frame;
	struct virtio_net_hdr_mrg_rxbuf hdr = {};
	int max = qp->sock_hdr + IVSHM_FRAME_MAX;
	int min = qp->sock_hdr + ETH_HLEN;
	int len;

	if (!sock)
		return false;
	do {
		struct msghdr msg = { .msg_flags = MSG_DONTWAIT };
		struct kvec vec[2] = {
			{ .iov_base = &hdr, .iov_len = qp->sock_hdr },
			{ .iov_base = f->buf->data, .iov_len = IVSHM_FRAME_MAX },
		};
		u32 from = qp->sock_hdr ? 0 : 1;

		/*
		 * Counted before it leaves the queue, so that whoever looks at
		 * the queue first and at the count then never misses it.
		 */
		WRITE_ONCE(qp->tap_in, qp->tap_in + 1);
		smp_wmb();	/* pairs with smp_rmb() in ivshm_tx_drained() */
		iov_iter_kvec(&msg.msg_iter, ITER_DEST, vec + from, 2 - from, max);
		len = sock->ops->recvmsg(sock, &msg, max, MSG_DONTWAIT | MSG_TRUNC);
		if (len < min || len > max)
			WRITE_ONCE(qp->tap_done, qp->tap_done + 1);
		if (len <= 0)
			return false;
	} while (len < min || len > max);

	f->buf->hdr = hdr.hdr;
	f->buf->len = len - qp->sock_hdr;
	return true;
}

static void ivshm_uplink_done(struct ivshm_qp *qp)
{
	WRITE_ONCE(qp->tap_held, false);
	/* After the delivery; whoever sees it also takes wait_lock first. */
	smp_store_release(&qp->tap_done, qp->tap_done + 1);
}

/* @held: frames in hand that count with those in the tap's queue. */
static void ivshm_uplink_isolate(struct ivshm_qp *qp, u32 held)
{
	bool isolated;

	rcu_read_lock();
	isolated = qp->port && ivshm_port_isolated(qp->port);
	rcu_read_unlock();

	if (isolated && !qp->isolated)
		qp->tap_skip = ivshm_uplink_queued(qp) + held;
	qp->isolated = isolated;
}

void ivshm_uplink_look(struct ivshm_qp *qp)
{
	ivshm_uplink_isolate(qp, 0);
}

/* A member of a static coupling gets nothing from its tap but what was there. */
static bool ivshm_uplink_discards(struct ivshm_qp *qp)
{
	ivshm_uplink_isolate(qp, 1);
	if (!qp->isolated)
		return false;
	if (!qp->tap_skip)
		return true;
	qp->tap_skip--;
	return false;
}

/* Deliver the held frame. False: it has to wait. */
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
		if (why == IVSHM_DELIVER_USER_DST)
			why = ivshm_deliver_user(qp, f->buf);
		if (why == IVSHM_DELIVERED)
			break;
		if (why == IVSHM_DELIVER_FULL || why == IVSHM_DELIVER_BROKEN ||
		    why == IVSHM_DELIVER_MISS_DST) {
			if (ivshm_deliver_want(qp))
				continue;
			return false;
		}
		ivshm_qp_count(qp, IVSHM_A_STAT_DROP_TOO_BIG);
		return true;
	}
	WRITE_ONCE(qp->rx_want, false);
	ivshm_qp_count(qp, IVSHM_A_STAT_RX_UPLINK_FRAMES);
	ivshm_qp_count_n(qp, IVSHM_A_STAT_RX_UPLINK_BYTES, f->buf->len);
	return true;
}

unsigned long ivshm_uplink_receive(struct ivshm_qp *qp)
{
	unsigned long again = 0;
	u32 n = 0;

	for (;;) {
		if (!qp->tap_held) {
			if (!ivshm_uplink_fetch(qp))
				break;
			WRITE_ONCE(qp->tap_held, true);
			if (ivshm_uplink_discards(qp)) {
				ivshm_qp_count(qp, IVSHM_A_STAT_DROP_ISOLATED);
				ivshm_uplink_done(qp);
				continue;
			}
		}
		if (!ivshm_uplink_deliver(qp))
			break;
		ivshm_uplink_done(qp);
		if (++n == IVSHM_TX_WEIGHT) {
			again = BIT(IVSHM_WORK_TAP_IN);
			break;
		}
	}
	if (n)
		ivshm_deliver_flush(qp);
	/* Those who join wait for an empty queue, too. */
	ivshm_qp_wake_waiters(qp);
	return again;
}
