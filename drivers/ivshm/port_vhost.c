// SPDX-License-Identifier: GPL-2.0
/*
 * /dev/ivshm-net: the vhost-net ioctl ABI of <linux/vhost.h>.
 *
 * A file is a queue pair.  A queue runs while it has a backend; the pair
 * serves a port while both queues run on the same interface.  Each ioctl
 * validates before it changes anything; what the worker or other workers look
 * at is changed only while the queue pair is held, see ivshm_qp_hold().
 */
#include <linux/compat.h>
#include <linux/eventfd.h>
#include <linux/fs.h>
#include <linux/if_packet.h>
#include <linux/if_tap.h>
#include <linux/if_tun.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/nospec.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/vhost.h>
#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <linux/virtio_ring.h>
#include <net/sock.h>

#include "deliver.h"
#include "port.h"
#include "port_vhost.h"
#include "qp.h"
#include "tx.h"

/*
 * What vhost-net of Linux 6.1 offers, except VIRTIO_F_ACCESS_PLATFORM and
 * VHOST_F_LOG_ALL.
 */
#define IVSHM_FEATURES	(BIT_ULL(VIRTIO_F_NOTIFY_ON_EMPTY) |		\
			 BIT_ULL(VIRTIO_RING_F_INDIRECT_DESC) |		\
			 BIT_ULL(VIRTIO_RING_F_EVENT_IDX) |		\
			 BIT_ULL(VIRTIO_F_ANY_LAYOUT) |			\
			 BIT_ULL(VIRTIO_F_VERSION_1) |			\
			 BIT_ULL(VHOST_NET_F_VIRTIO_NET_HDR) |		\
			 BIT_ULL(VIRTIO_NET_F_MRG_RXBUF))
/* Of enum vhost backend features: none, they are about the device IOTLB. */
#define IVSHM_BACKEND_FEATURES	0ULL

static void ivshm_poll_kick_tx(struct ivshm_qp *qp, __poll_t events)
{
	ivshm_qp_count(qp, IVSHM_A_STAT_KICKS_TX);
	ivshm_worker_wake(&qp->worker, IVSHM_WORK_TX);
}

static void ivshm_poll_kick_rx(struct ivshm_qp *qp, __poll_t events)
{
	ivshm_qp_count(qp, IVSHM_A_STAT_KICKS_RX);
	/* Pairs with ivshm_deliver_want(): the guest changed the ring before. */
	if (READ_ONCE(qp->rx_want))
		ivshm_worker_wake(&qp->worker, IVSHM_WORK_RX);
	ivshm_qp_wake_waiters(qp);
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

static void ivshm_vq_watch(struct ivshm_qp *qp, u32 index)
{
	struct ivshm_vq *vq = &qp->vq[index];

	if (vq->kick && vq->sock)
		ivshm_poll_start(&vq->poll, qp, vq->kick,
				 index == IVSHM_VQ_TX ? ivshm_poll_kick_tx :
							ivshm_poll_kick_rx);
}

/* Header lengths that the features ask for, as vhost-net has them. */
static void ivshm_qp_set_features(struct ivshm_qp *qp, u64 features)
{
	bool modern = features & BIT_ULL(VIRTIO_F_VERSION_1);
	u32 i;

	qp->features = features;
	qp->hdr_len = modern || features & BIT_ULL(VIRTIO_NET_F_MRG_RXBUF) ?
		      sizeof(struct virtio_net_hdr_mrg_rxbuf) :
		      sizeof(struct virtio_net_hdr);
	qp->sock_hdr = features & BIT_ULL(VHOST_NET_F_VIRTIO_NET_HDR) ? 0 : qp->hdr_len;
	for (i = 0; i < IVSHM_VQ_MAX; i++) {
		struct ivshm_vring *ring = &qp->vq[i].ring;

		ring->le = modern || virtio_legacy_is_little_endian();
		ring->event_idx = features & BIT_ULL(VIRTIO_RING_F_EVENT_IDX);
		ring->indirect = features & BIT_ULL(VIRTIO_RING_F_INDIRECT_DESC);
		ring->notify_on_empty = features & BIT_ULL(VIRTIO_F_NOTIFY_ON_EMPTY);
	}
}

static bool ivshm_vq_access_ok(const struct ivshm_vq *vq)
{
	u64 num = vq->num;

	return vq->addr_set &&
	       access_ok((void __user *)vq->addr.desc_user_addr,
			 num * sizeof(struct vring_desc)) &&
	       access_ok((void __user *)vq->addr.avail_user_addr,
			 sizeof(struct vring_avail) + (num + 1) * sizeof(__virtio16)) &&
	       access_ok((void __user *)vq->addr.used_user_addr,
			 sizeof(struct vring_used) + num * sizeof(struct vring_used_elem) +
			 sizeof(__virtio16));
}

/* Make the ring what the ioctls said. The queue pair is held. */
static int ivshm_vq_setup(struct ivshm_vq *vq)
{
	int err;

	err = ivshm_vring_set_num(&vq->ring, vq->num);
	if (err)
		return err;
	return ivshm_vring_set_addr(&vq->ring, vq->addr.desc_user_addr,
				    vq->addr.avail_user_addr, vq->addr.used_user_addr);
}

static struct socket *ivshm_backend_socket(struct file *file)
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

/* Both queues run: if on one interface, it is a port. */
static void ivshm_qp_attach(struct ivshm_qp *qp)
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

/* The port, if any, is served no more; the queue pair may go on without. */
static void ivshm_qp_detach(struct ivshm_qp *qp)
{
	struct ivshm_port *port = qp->port;

	if (!port)
		return;
	ivshm_port_detach(qp, IVSHM_REASON_EXIT);
	ivshm_qp_hold(qp);
	ivshm_bounce_purge(qp);
	WRITE_ONCE(qp->port, NULL);
	qp->stats = qp->own_stats;
	qp->worker.stats = qp->own_stats;
	ivshm_gmem_set_stats(qp->gm, qp->own_stats);
	ivshm_port_put(port);
	ivshm_qp_go(qp);
}

/* Stop a queue. Never fails. */
static void ivshm_vq_stop(struct ivshm_qp *qp, u32 index)
{
	struct ivshm_vq *vq = &qp->vq[index];

	if (!vq->sock)
		return;
	/* What waits for receivers goes by the uplink, or nowhere. */
	WRITE_ONCE(qp->stopping, true);
	ivshm_worker_wake(&qp->worker, IVSHM_WORK_PARK);
	ivshm_qp_hold(qp);
	ivshm_poll_stop(&vq->poll);
	if (index == IVSHM_VQ_RX)
		ivshm_poll_stop(&qp->tap_poll);
	ivshm_qp_go(qp);
	ivshm_qp_detach(qp);

	ivshm_qp_hold(qp);
	if (vq->started)
		vq->base = vq->ring.last_avail;
	vq->started = false;
	WRITE_ONCE(vq->sock, NULL);
	if (index == IVSHM_VQ_RX) {
		WRITE_ONCE(qp->tap_ring, NULL);
		qp->isolated = false;
		qp->tap_skip = 0;
	}
	fput(vq->tap);
	vq->tap = NULL;
	WRITE_ONCE(qp->stopping, false);
	ivshm_qp_go(qp);
}

/* As vhost-net does at the start: are flags and index of the used ring there? */
static int ivshm_vq_init_used(struct ivshm_vq *vq)
{
	struct vring_used __user *used = (void __user *)vq->addr.used_user_addr;
	u16 idx;

	if (put_user(0, (u16 __user *)&used->flags) ||
	    copy_from_user(&idx, &used->idx, sizeof(idx)))
		return -EFAULT;
	return 0;
}

static int ivshm_vq_run(struct ivshm_qp *qp, u32 index, struct file *file, struct socket *sock)
{
	struct ivshm_vq *vq = &qp->vq[index];
	int err;

	err = ivshm_vq_init_used(vq);
	if (err)
		return err;
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
	err = ivshm_vq_setup(vq);
	if (err)
		goto go;

	vq->tap = file;		/* our reference from now on */
	WRITE_ONCE(vq->sock, sock);
	vq->started = false;
	if (index == IVSHM_VQ_RX) {
		WRITE_ONCE(qp->tap_ring, ivshm_backend_ring(file));
		ivshm_poll_start(&qp->tap_poll, qp, file, ivshm_poll_tap);
	}
	ivshm_vq_watch(qp, index);
go:
	ivshm_qp_go(qp);
	return err;
}

static long ivshm_net_set_backend(struct ivshm_qp *qp, u32 index, int fd)
{
	struct ivshm_vq *vq;
	struct socket *sock;
	struct file *file;
	int err;

	lockdep_assert_held(&qp->mutex);

	if (index >= IVSHM_VQ_MAX)
		return -ENOBUFS;
	index = array_index_nospec(index, IVSHM_VQ_MAX);
	vq = &qp->vq[index];

	if (fd == -1) {
		ivshm_vq_stop(qp, index);
		return 0;
	}
	if (!ivshm_vq_access_ok(vq))
		return -EFAULT;
	file = fget(fd);
	if (!file)
		return -ENOTSOCK;
	/* Whatever the caller does to the descriptor, this file is the one. */
	sock = ivshm_backend_socket(file);
	if (!sock) {
		fput(file);
		return -ENOTSOCK;
	}
	if (vq->tap == file) {
		fput(file);
		return 0;
	}
	/* A tap without an interface, or one that went; as vhost-net. */
	if (vfs_poll(file, NULL) & EPOLLERR) {
		fput(file);
		return -EINVAL;
	}
	ivshm_vq_stop(qp, index);
	err = ivshm_vq_run(qp, index, file, sock);
	if (err) {
		fput(file);
		return err;
	}
	ivshm_qp_attach(qp);
	return 0;
}

static long ivshm_net_set_features(struct ivshm_qp *qp, u64 __user *argp)
{
	u64 features;

	if (copy_from_user(&features, argp, sizeof(features)))
		return -EFAULT;
	if (features & ~IVSHM_FEATURES)
		return -EOPNOTSUPP;
	ivshm_qp_hold(qp);
	ivshm_qp_set_features(qp, features);
	if (qp->port)
		WRITE_ONCE(qp->port->features, features);
	ivshm_qp_go(qp);
	return 0;
}

static long ivshm_net_set_mem_table(struct ivshm_qp *qp, struct vhost_memory __user *argp)
{
	struct vhost_memory_region *regions;
	struct vhost_memory mem;
	long err;

	if (copy_from_user(&mem, argp, offsetof(struct vhost_memory, regions)))
		return -EFAULT;
	if (mem.padding)
		return -EOPNOTSUPP;
	if (mem.nregions > IVSHM_GMEM_MAX_REGIONS)
		return -E2BIG;
	regions = kvcalloc(mem.nregions, sizeof(*regions), GFP_KERNEL_ACCOUNT);
	if (!regions)
		return -ENOMEM;
	err = -EFAULT;
	if (copy_from_user(regions, argp->regions, mem.nregions * sizeof(*regions)))
		goto free;
	ivshm_qp_hold(qp);
	err = ivshm_gmem_set_table(qp->gm, regions, mem.nregions);
	ivshm_qp_go(qp);
free:
	kvfree(regions);
	return err;
}

static void ivshm_vq_reset(struct ivshm_vq *vq)
{
	if (vq->kick)
		fput(vq->kick);
	if (vq->call)
		eventfd_ctx_put(vq->call);
	if (vq->err)
		eventfd_ctx_put(vq->err);
	vq->kick = NULL;
	vq->call = NULL;
	vq->err = NULL;
	vq->num = 1;
	vq->base = 0;
	vq->addr_set = false;
	vq->busyloop = 0;
	ivshm_vring_cleanup(&vq->ring);
}

/* Back to how it was opened. */
static void ivshm_qp_reset(struct ivshm_qp *qp)
{
	u32 i;

	for (i = 0; i < IVSHM_VQ_MAX; i++)
		ivshm_vq_stop(qp, i);
	ivshm_worker_stop(&qp->worker);
	for (i = 0; i < IVSHM_VQ_MAX; i++)
		ivshm_vq_reset(&qp->vq[i]);
	if (qp->log_ctx)
		eventfd_ctx_put(qp->log_ctx);
	qp->log_ctx = NULL;
	qp->tap_held = false;
	qp->rx_want = false;
	ivshm_gmem_destroy(qp->gm);
	qp->gm = NULL;
	qp->owner = NULL;
}

static long ivshm_net_set_owner(struct ivshm_qp *qp)
{
	struct ivshm_gmem *gm;
	u32 i;

	if (qp->owner)
		return -EBUSY;
	gm = ivshm_gmem_create(current->mm, qp->stats);
	if (IS_ERR(gm))
		return PTR_ERR(gm);
	qp->gm = gm;
	qp->owner = current->mm;
	for (i = 0; i < IVSHM_VQ_MAX; i++)
		ivshm_vring_init(&qp->vq[i].ring, &ivshm_qp_ring_ops, qp);
	ivshm_qp_set_features(qp, qp->features);
	return 0;
}

static long ivshm_vring_set_num_ioctl(struct ivshm_vq *vq, void __user *argp)
{
	struct vhost_vring_state s;

	if (vq->sock)
		return -EBUSY;
	if (copy_from_user(&s, argp, sizeof(s)))
		return -EFAULT;
	if (!s.num || s.num > IVSHM_VRING_MAX_NUM || !is_power_of_2(s.num))
		return -EINVAL;
	vq->num = s.num;
	return 0;
}

static long ivshm_vring_set_addr_ioctl(struct ivshm_qp *qp, struct ivshm_vq *vq,
				       void __user *argp)
{
	struct vhost_vring_addr a, old = vq->addr;
	bool was_set = vq->addr_set;
	long err = 0;

	if (copy_from_user(&a, argp, sizeof(a)))
		return -EFAULT;
	if (a.flags & ~BIT(VHOST_VRING_F_LOG))
		return -EOPNOTSUPP;
	if (a.desc_user_addr & (VRING_DESC_ALIGN_SIZE - 1) ||
	    a.avail_user_addr & (VRING_AVAIL_ALIGN_SIZE - 1) ||
	    a.used_user_addr & (VRING_USED_ALIGN_SIZE - 1) ||
	    a.log_guest_addr & (VRING_USED_ALIGN_SIZE - 1))
		return -EINVAL;

	vq->addr = a;
	vq->addr_set = true;
	if (!vq->sock)
		return 0;
	/* The size is known by now, and it is in use. */
	if (!ivshm_vq_access_ok(vq)) {
		err = -EINVAL;
		goto undo;
	}
	ivshm_qp_hold(qp);
	vq->base = vq->started ? vq->ring.last_avail : vq->base;
	err = ivshm_vq_setup(vq);
	if (!err)
		vq->started = false;
	ivshm_qp_go(qp);
undo:
	if (err) {
		vq->addr = old;
		vq->addr_set = was_set;
	}
	return err;
}

static long ivshm_vring_set_kick(struct ivshm_qp *qp, u32 index, int fd)
{
	struct ivshm_vq *vq = &qp->vq[index];
	struct file *file = NULL;

	if (fd != VHOST_FILE_UNBIND) {
		file = eventfd_fget(fd);
		if (IS_ERR(file))
			return PTR_ERR(file);
	}
	ivshm_qp_hold(qp);
	if (vq->sock)
		ivshm_poll_stop(&vq->poll);
	swap(file, vq->kick);
	ivshm_vq_watch(qp, index);
	ivshm_qp_go(qp);
	if (file)
		fput(file);
	return 0;
}

static long ivshm_vring_set_eventfd(struct ivshm_qp *qp, struct eventfd_ctx **where, int fd)
{
	struct eventfd_ctx *ctx = NULL;

	if (fd != VHOST_FILE_UNBIND) {
		ctx = eventfd_ctx_fdget(fd);
		if (IS_ERR(ctx))
			return PTR_ERR(ctx);
	}
	/* The transmit side's is used by the worker without a lock. */
	ivshm_qp_hold(qp);
	swap(ctx, *where);
	ivshm_qp_go(qp);
	if (ctx)
		eventfd_ctx_put(ctx);
	return 0;
}

static long ivshm_net_vring_ioctl(struct ivshm_qp *qp, unsigned int cmd, void __user *argp)
{
	struct vhost_vring_state s;
	struct vhost_vring_file f;
	struct ivshm_vq *vq;
	u32 index;

	if (get_user(index, (u32 __user *)argp))
		return -EFAULT;
	if (index >= IVSHM_VQ_MAX)
		return -ENOBUFS;
	index = array_index_nospec(index, IVSHM_VQ_MAX);
	vq = &qp->vq[index];

	switch (cmd) {
	case VHOST_SET_VRING_NUM:
		return ivshm_vring_set_num_ioctl(vq, argp);
	case VHOST_SET_VRING_ADDR:
		return ivshm_vring_set_addr_ioctl(qp, vq, argp);
	case VHOST_SET_VRING_BASE:
		if (vq->sock)
			return -EBUSY;
		if (copy_from_user(&s, argp, sizeof(s)))
			return -EFAULT;
		if (s.num > 0xffff)
			return -EINVAL;
		vq->base = s.num;
		return 0;
	case VHOST_GET_VRING_BASE:
		s.index = index;
		s.num = vq->sock && vq->started ? READ_ONCE(vq->ring.last_avail) : vq->base;
		return copy_to_user(argp, &s, sizeof(s)) ? -EFAULT : 0;
	case VHOST_SET_VRING_BUSYLOOP_TIMEOUT:
		if (copy_from_user(&s, argp, sizeof(s)))
			return -EFAULT;
		vq->busyloop = s.num;
		return 0;
	case VHOST_GET_VRING_BUSYLOOP_TIMEOUT:
		s.index = index;
		s.num = vq->busyloop;
		return copy_to_user(argp, &s, sizeof(s)) ? -EFAULT : 0;
	case VHOST_SET_VRING_KICK:
	case VHOST_SET_VRING_CALL:
	case VHOST_SET_VRING_ERR:
		if (copy_from_user(&f, argp, sizeof(f)))
			return -EFAULT;
		if (cmd == VHOST_SET_VRING_KICK)
			return ivshm_vring_set_kick(qp, index, f.fd);
		return ivshm_vring_set_eventfd(qp, cmd == VHOST_SET_VRING_CALL ?
					       &vq->call : &vq->err, f.fd);
	default:
		return -ENOIOCTLCMD;
	}
}

/* What only the owner may do. */
static long ivshm_net_owner_ioctl(struct ivshm_qp *qp, unsigned int cmd, void __user *argp)
{
	struct vhost_vring_file backend;
	u64 log;
	int fd;

	if (!qp->owner || qp->owner != current->mm)
		return -EPERM;

	switch (cmd) {
	case VHOST_RESET_OWNER:
		ivshm_qp_reset(qp);
		return 0;
	case VHOST_NET_SET_BACKEND:
		if (copy_from_user(&backend, argp, sizeof(backend)))
			return -EFAULT;
		return ivshm_net_set_backend(qp, backend.index, backend.fd);
	case VHOST_SET_MEM_TABLE:
		return ivshm_net_set_mem_table(qp, argp);
	case VHOST_SET_LOG_BASE:
		if (copy_from_user(&log, argp, sizeof(log)))
			return -EFAULT;
		if ((u64)(unsigned long)log != log)
			return -EFAULT;
		qp->log_base = log;
		return 0;
	case VHOST_SET_LOG_FD:
		if (get_user(fd, (int __user *)argp))
			return -EFAULT;
		return ivshm_vring_set_eventfd(qp, &qp->log_ctx, fd);
	default:
		return ivshm_net_vring_ioctl(qp, cmd, argp);
	}
}

static long ivshm_net_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct ivshm_qp *qp = file->private_data;
	void __user *argp = (void __user *)arg;
	u64 features;
	long ret;

	switch (cmd) {
	case VHOST_GET_FEATURES:
	case VHOST_GET_BACKEND_FEATURES:
		features = cmd == VHOST_GET_FEATURES ? IVSHM_FEATURES : IVSHM_BACKEND_FEATURES;
		return copy_to_user(argp, &features, sizeof(features)) ? -EFAULT : 0;
	case VHOST_SET_BACKEND_FEATURES:
		if (copy_from_user(&features, argp, sizeof(features)))
			return -EFAULT;
		return features & ~IVSHM_BACKEND_FEATURES ? -EOPNOTSUPP : 0;
	}

	mutex_lock(&qp->mutex);
	switch (cmd) {
	case VHOST_SET_FEATURES:
		ret = ivshm_net_set_features(qp, argp);
		break;
	case VHOST_SET_OWNER:
		ret = ivshm_net_set_owner(qp);
		break;
	default:
		ret = ivshm_net_owner_ioctl(qp, cmd, argp);
		break;
	}
	mutex_unlock(&qp->mutex);
	return ret;
}

static int ivshm_net_open(struct inode *inode, struct file *file)
{
	struct ivshm_qp *qp;
	u32 i;

	qp = ivshm_qp_alloc();
	if (IS_ERR(qp))
		return PTR_ERR(qp);
	ivshm_worker_init(&qp->worker, ivshm_qp_run, qp);
	qp->worker.stats = qp->own_stats;
	for (i = 0; i < IVSHM_VQ_MAX; i++) {
		ivshm_vring_init(&qp->vq[i].ring, &ivshm_qp_ring_ops, qp);
		qp->vq[i].num = 1;
	}
	ivshm_qp_set_features(qp, 0);
	file->private_data = qp;
	return 0;
}

static int ivshm_net_release(struct inode *inode, struct file *file)
{
	struct ivshm_qp *qp = file->private_data;

	mutex_lock(&qp->mutex);
	ivshm_qp_reset(qp);
	mutex_unlock(&qp->mutex);
	ivshm_qp_put(qp);
	return 0;
}

static const struct file_operations ivshm_net_fops = {
	.owner = THIS_MODULE,
	.open = ivshm_net_open,
	.release = ivshm_net_release,
	.unlocked_ioctl = ivshm_net_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.llseek = noop_llseek,
};

/* A misc device: DPDK's virtio-user looks for major 10. */
static struct miscdevice ivshm_net_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "ivshm-net",
	.mode = 0660,
	.fops = &ivshm_net_fops,
};

int ivshm_net_init(void)
{
	return misc_register(&ivshm_net_misc);
}

void ivshm_net_exit(void)
{
	misc_deregister(&ivshm_net_misc);
}
