// SPDX-License-Identifier: GPL-2.0
/*
 * Backends: what makes a queue run, and what stops it.
 *
 * A queue runs while it has the socket of a tap.  Its kick and its tap are
 * watched then, and the pair serves a port while both queues run on the same
 * interface.
 */
#include <linux/eventfd.h>
#include <linux/if_packet.h>
#include <linux/if_tap.h>
#include <linux/if_tun.h>
#include <linux/netdevice.h>
#include <linux/sched/mm.h>
#include <linux/uaccess.h>
#include <linux/virtio_ring.h>
#include <net/sock.h>

#include "backend.h"
#include "coupling.h"
#include "deliver.h"
#include "port.h"
#include "qp.h"
#include "tx.h"

static void ivshm_poll_kick_tx(struct ivshm_qp *qp, __poll_t events)
{
	ivshm_qp_count(qp, IVSHM_A_STAT_KICKS_TX);
	ivshm_worker_wake(&qp->worker, IVSHM_WORK_TX);
}

static void ivshm_poll_kick_rx(struct ivshm_qp *qp, __poll_t events)
{
	ivshm_qp_count(qp, IVSHM_A_STAT_KICKS_RX);
	ivshm_qp_tell_buffers(qp);
}

static void ivshm_poll_tap(struct ivshm_qp *qp, __poll_t events)
{
	/* A held frame waits for the guest, not for more frames. */
	if (events & ~EPOLLOUT && !READ_ONCE(qp->tap_held))
		ivshm_worker_wake(&qp->worker, IVSHM_WORK_TAP_IN);
	if (events & EPOLLOUT)
		ivshm_worker_wake(&qp->worker, IVSHM_WORK_TAP_OUT);
}

static int ivshm_poll_func(wait_queue_entry_t *wait, unsigned int mode, int sync, void *key)
{
	struct ivshm_poll *poll = container_of(wait, struct ivshm_poll, wait);
	__poll_t events = key_to_poll(key);

	events &= EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP;
	if (events)
		poll->wake(poll->qp, events);
	return 0;
}

static void ivshm_poll_queue(struct file *file, wait_queue_head_t *wqh, poll_table *pt)
{
	struct ivshm_poll *poll = container_of(pt, struct ivshm_poll, pt);

	/* Some files have several queues; the first is the one of their data. */
	if (poll->wqh)
		return;
	poll->wqh = wqh;
	add_wait_queue(wqh, &poll->wait);
}

static void ivshm_poll_start(struct ivshm_poll *poll, struct ivshm_qp *qp, struct file *file,
			     void (*wake)(struct ivshm_qp *, __poll_t))
{
	poll->qp = qp;
	poll->wake = wake;
	poll->wqh = NULL;
	init_waitqueue_func_entry(&poll->wait, ivshm_poll_func);
	init_poll_funcptr(&poll->pt, ivshm_poll_queue);
	/* The worker looks at everything when it is resumed: no event is lost. */
	vfs_poll(file, &poll->pt);
}

static void ivshm_poll_stop(struct ivshm_poll *poll)
{
	if (poll->wqh)
		remove_wait_queue(poll->wqh, &poll->wait);
	poll->wqh = NULL;
}

void ivshm_backend_unwatch(struct ivshm_qp *qp, u32 index)
{
	if (qp->vq[index].sock)
		ivshm_poll_stop(&qp->vq[index].poll);
}

void ivshm_backend_watch(struct ivshm_qp *qp, u32 index)
{
	struct ivshm_vq *vq = &qp->vq[index];

	if (vq->kick && vq->sock)
		ivshm_poll_start(&vq->poll, qp, vq->kick,
				 index == IVSHM_VQ_TX ? ivshm_poll_kick_tx :
							ivshm_poll_kick_rx);
}

int ivshm_backend_setup(struct ivshm_vq *vq)
{
	struct ivshm_qp *qp = vq->qp;
	u64 hva;
	int err;

	if (vq == &qp->vq[IVSHM_VQ_RX]) {
		ivshm_gmem_read_lock(qp->gm);
		/* By a device IOTLB that does not know it yet it stays unknown. */
		err = ivshm_gmem_ring_hva(qp->gm, vq->addr.desc_user_addr,
					  sizeof(struct vring_desc), false, &hva);
		WRITE_ONCE(qp->rx_gpa, err ? U64_MAX : ivshm_gmem_gpa(qp->gm, hva));
		ivshm_gmem_read_unlock(qp->gm);
	}
	vq->ring.broken = false;
	vq->ring.log_used = vq->addr.flags & BIT(VHOST_VRING_F_LOG);
	vq->reported = false;
	err = ivshm_vring_set_num(&vq->ring, vq->num);
	if (err)
		return err;
	return ivshm_vring_set_addr(&vq->ring, vq->addr.desc_user_addr,
				    vq->addr.avail_user_addr, vq->addr.used_user_addr);
}

struct socket *ivshm_backend_socket(struct file *file)
{
	struct socket *sock;

	/* Raw packet sockets are for the uplink only. */
	sock = sock_from_file(file);
	if (sock)
		return sock->sk->sk_type == SOCK_RAW && sock->sk->sk_family == AF_PACKET ?
		       sock : NULL;
	sock = tun_get_socket(file);
	if (IS_ERR(sock))
		sock = tap_get_socket(file);
	return IS_ERR(sock) ? NULL : sock;
}

static struct ptr_ring *ivshm_backend_ring(struct file *file)
{
	struct ptr_ring *ring = tun_get_tx_ring(file);

	if (IS_ERR(ring))
		ring = tap_get_ptr_ring(file);
	return IS_ERR(ring) ? NULL : ring;
}

/* Whether the tap is that of a member of a static coupling, which it never is to see. */
static bool ivshm_backend_is_cut_off(const struct ivshm_qp *qp, struct file *file,
				     struct socket *sock)
{
	enum ivshm_port_kind kind;
	struct net_device *dev;
	bool cut;

	/* The same that become ports, see below. */
	dev = qp->sock_hdr ? ivshm_port_resolve(file, sock, &kind) : NULL;
	cut = dev && ivshm_port_is_cut_off(dev, kind);
	dev_put(dev);
	return cut;
}

/*
 * Both queues have their tap, and what is to be a port is one: what the tap holds from
 * before is not for the guest, and what the guest has sent goes by the coupling.
 */
static void ivshm_backend_join(struct ivshm_qp *qp)
{
	struct ivshm_vq *rx = &qp->vq[IVSHM_VQ_RX], *tx = &qp->vq[IVSHM_VQ_TX];

	if (!qp->cut_off || !rx->sock || !tx->sock || (!qp->port && rx->tap != tx->tap))
		return;
	ivshm_qp_hold(qp);
	qp->cut_off = false;
	ivshm_uplink_begin(qp);
	ivshm_qp_go(qp);
}

static void ivshm_backend_find_port(struct ivshm_qp *qp)
{
	struct ivshm_vq *rx = &qp->vq[IVSHM_VQ_RX], *tx = &qp->vq[IVSHM_VQ_TX];
	enum ivshm_port_kind kind, other;
	struct net_device *dev, *same;

	if (!rx->sock || !tx->sock || !qp->sock_hdr || qp->port)
		return;
	dev = ivshm_port_resolve(rx->tap, rx->sock, &kind);
	if (!dev)
		return;
	same = tx->tap == rx->tap ? dev : ivshm_port_resolve(tx->tap, tx->sock, &other);
	/* Without a port it works as vhost-net does, on the uplink only. */
	if (same == dev)
		ivshm_port_attach(qp, dev, kind);
	if (same && tx->tap != rx->tap)
		dev_put(same);
	dev_put(dev);
}

void ivshm_backend_attach(struct ivshm_qp *qp)
{
	ivshm_backend_find_port(qp);
	ivshm_backend_join(qp);
}

/* The port, if any, is served no more; the queue pair may go on without. */
static void ivshm_backend_detach(struct ivshm_qp *qp, enum ivshm_reason reason)
{
	struct ivshm_port *port = qp->port;

	if (!port)
		return;
	ivshm_port_detach(qp, reason);
	ivshm_qp_hold(qp);
	ivshm_bounce_purge(qp);
	WRITE_ONCE(qp->port, NULL);
	qp->stats = qp->own_stats;
	qp->worker.stats = qp->own_stats;
	ivshm_gmem_set_stats(qp->gm, qp->own_stats);
	ivshm_port_put(port);
	ivshm_qp_go(qp);
}

void ivshm_backend_stop(struct ivshm_qp *qp, u32 index, enum ivshm_reason reason)
{
	struct ivshm_vq *vq = &qp->vq[index];

	if (!vq->sock)
		return;
	ivshm_port_leave(qp);
	/* What waits for receivers goes by the uplink, or nowhere. */
	WRITE_ONCE(qp->stopping, true);
	ivshm_worker_wake(&qp->worker, IVSHM_WORK_PARK);
	ivshm_qp_hold(qp);
	ivshm_poll_stop(&vq->poll);
	if (index == IVSHM_VQ_RX)
		ivshm_poll_stop(&qp->tap_poll);
	/* Also when it is a port no more, as long as the other queue runs. */
	rcu_read_lock();
	if (qp->port && ivshm_port_isolated(qp->port))
		qp->cut_off = true;
	rcu_read_unlock();
	ivshm_qp_go(qp);
	ivshm_backend_detach(qp, reason);

	ivshm_qp_hold(qp);
	if (index == IVSHM_VQ_TX)
		ivshm_tx_abandon(qp);
	if (vq->started)
		vq->base = vq->ring.last_avail;
	vq->started = false;
	WRITE_ONCE(vq->sock, NULL);
	if (index == IVSHM_VQ_RX) {
		WRITE_ONCE(qp->rx_ready, false);
		ivshm_uplink_unpull(qp);
		WRITE_ONCE(qp->tap_ring, NULL);
		qp->isolated = 0;
		qp->isolating = 0;
		qp->tap_stale = 0;
		qp->tap_fresh = 0;
	}
	fput(vq->tap);
	vq->tap = NULL;
	if (!qp->vq[!index].sock)
		qp->cut_off = false;
	WRITE_ONCE(qp->stopping, false);
	/* The worker may have no work any more. */
	if (test_and_clear_bit(IVSHM_WORK_LOG, &qp->worker.pending))
		ivshm_qp_tell_logged(qp);
	ivshm_qp_go(qp);
}

/* As vhost-net does at the start: are flags and index of the used ring there? */
static int ivshm_backend_init_used(struct ivshm_vq *vq)
{
	struct ivshm_qp *qp = vq->qp;
	struct vring_used __user *used;
	u64 addr;
	u16 idx;
	int err;

	/* With an IOTLB the VMM has to tell where they are before. */
	ivshm_gmem_read_lock(qp->gm);
	err = ivshm_gmem_ring_hva(qp->gm, vq->addr.used_user_addr,
				  offsetof(struct vring_used, ring), true, &addr);
	ivshm_gmem_read_unlock(qp->gm);
	if (err) {
		ivshm_iotlb_tell(&qp->iotlb);
		return -EFAULT;
	}
	used = (void __user *)addr;
	if (put_user(0, (u16 __user *)&used->flags) ||
	    copy_from_user(&idx, &used->idx, sizeof(idx)))
		return -EFAULT;
	/* A log that is not there, the worker finds out; also as vhost-net. */
	if (vq->addr.flags & BIT(VHOST_VRING_F_LOG))
		ivshm_gmem_log_wait(qp->gm, ivshm_vq_log_addr(vq), sizeof(used->flags));
	return 0;
}

int ivshm_backend_run(struct ivshm_qp *qp, u32 index, struct file *file, struct socket *sock)
{
	struct ivshm_vq *vq = &qp->vq[index];
	bool first = !qp->vq[!index].sock, cut_off;
	int err;

	err = ivshm_backend_init_used(vq);
	if (err)
		return err;
	cut_off = first && ivshm_backend_is_cut_off(qp, file, sock);
	if (!qp->worker.task) {
		char name[IFNAMSIZ];
		struct net_device *dev;
		enum ivshm_port_kind kind;

		snprintf(name, sizeof(name), "%d", task_tgid_nr(current));
		dev = ivshm_port_resolve(file, sock, &kind);
		if (dev)
			strscpy(name, dev->name, sizeof(name));
		dev_put(dev);
		err = ivshm_worker_start(&qp->worker, name);
		if (err)
			return err;
	} else {
		ivshm_qp_hold(qp);
	}
	err = ivshm_backend_setup(vq);
	if (err)
		goto go;

	vq->tap = file;		/* our reference from now on */
	if (first)
		qp->cut_off = cut_off;
	WRITE_ONCE(vq->sock, sock);
	vq->started = false;
	if (index == IVSHM_VQ_TX)
		qp->tx_batched = ivshm_backend_ring(file);
	if (index == IVSHM_VQ_RX) {
		WRITE_ONCE(qp->tap_ring, ivshm_backend_ring(file));
		ivshm_poll_start(&qp->tap_poll, qp, file, ivshm_poll_tap);
	}
	ivshm_backend_watch(qp, index);
go:
	ivshm_qp_go(qp);
	return err;
}
