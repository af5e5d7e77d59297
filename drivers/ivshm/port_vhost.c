// SPDX-License-Identifier: GPL-2.0
/*
 * /dev/ivshm-net: the vhost-net ioctl ABI of <linux/vhost.h>.
 *
 * A file is a queue pair; what makes it run is in backend.c.  Each ioctl
 * validates before it changes anything; what the worker or other workers look
 * at is changed only while the queue pair is held, see ivshm_qp_hold().
 */
#include <linux/compat.h>
#include <linux/eventfd.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/nospec.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/vhost.h>
#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <linux/virtio_ring.h>

#include "backend.h"
#include "port.h"
#include "port_iotlb.h"
#include "port_vhost.h"
#include "qp.h"

/* What vhost-net of Linux 6.1 offers. */
#define IVSHM_FEATURES	(BIT_ULL(VIRTIO_F_NOTIFY_ON_EMPTY) |		\
			 BIT_ULL(VIRTIO_RING_F_INDIRECT_DESC) |		\
			 BIT_ULL(VIRTIO_RING_F_EVENT_IDX) |		\
			 BIT_ULL(VIRTIO_F_ANY_LAYOUT) |			\
			 BIT_ULL(VIRTIO_F_VERSION_1) |			\
			 BIT_ULL(VIRTIO_F_ACCESS_PLATFORM) |		\
			 BIT_ULL(VHOST_F_LOG_ALL) |			\
			 BIT_ULL(VHOST_NET_F_VIRTIO_NET_HDR) |		\
			 BIT_ULL(VIRTIO_NET_F_MRG_RXBUF))
#define IVSHM_BACKEND_FEATURES	BIT_ULL(VHOST_BACKEND_F_IOTLB_MSG_V2)

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

static bool ivshm_vq_access_ok(const struct ivshm_vq *vq, const struct vhost_vring_addr *a)
{
	u64 num = vq->num;

	/* Those are IOVAs: whether there is memory is seen when it is needed. */
	if (ivshm_qp_has_iotlb(vq->qp))
		return true;
	return access_ok((void __user *)a->desc_user_addr, num * sizeof(struct vring_desc)) &&
	       access_ok((void __user *)a->avail_user_addr,
			 sizeof(struct vring_avail) + (num + 1) * sizeof(__virtio16)) &&
	       access_ok((void __user *)a->used_user_addr,
			 sizeof(struct vring_used) + num * sizeof(struct vring_used_elem) +
			 sizeof(__virtio16));
}

/*
 * The dirty log, for live migration.  The VMM does not say how long it is; as
 * vhost-net we look whether there is room in the address space for as much as
 * the memory table and the used rings need.  Whether there is memory is seen
 * when it is needed.
 */

/* Bytes of the log up to the end of [@gpa, @gpa + @size), not too exactly. */
static u64 ivshm_log_bytes(u64 gpa, u64 size)
{
	const u64 span = VHOST_PAGE_SIZE * BITS_PER_BYTE;

	return gpa / span + size / span + !!(size % span);
}

static bool ivshm_log_access_ok(u64 base, u64 bytes)
{
	return !bytes || access_ok((void __user *)base, bytes);
}

static bool ivshm_vq_log_used_ok(const struct ivshm_vq *vq, u64 base,
				 const struct vhost_vring_addr *a)
{
	/* With an IOTLB the log goes by the used ring's own address. */
	return !(a->flags & BIT(VHOST_VRING_F_LOG)) || ivshm_qp_has_iotlb(vq->qp) ||
	       ivshm_log_access_ok(base, ivshm_log_bytes(a->log_guest_addr,
							 ivshm_vq_used_size(vq)));
}

static bool ivshm_vq_log_ok(const struct ivshm_vq *vq, u64 base)
{
	const struct ivshm_qp *qp = vq->qp;

	return (!(qp->features & BIT_ULL(VHOST_F_LOG_ALL)) ||
		ivshm_log_access_ok(base, qp->log_need)) &&
	       ivshm_vq_log_used_ok(vq, base, &vq->addr);
}

static bool ivshm_qp_running(const struct ivshm_qp *qp)
{
	return qp->vq[IVSHM_VQ_RX].sock || qp->vq[IVSHM_VQ_TX].sock;
}

/*
 * Have writes logged as features and log base say, from now on.  Queues may
 * run, and nothing stops for it: it takes effect between two read sections.
 */
static void ivshm_qp_set_log(struct ivshm_qp *qp)
{
	u64 base = qp->log_base;

	lockdep_assert_held(&qp->mutex);

	if (!qp->gm)
		return;
	if (base >= TASK_SIZE_MAX)
		base = 0;
	ivshm_gmem_set_log(qp->gm, base, base ? TASK_SIZE_MAX - base : 0,
			   qp->features & BIT_ULL(VHOST_F_LOG_ALL));
}

static long ivshm_net_set_log_base(struct ivshm_qp *qp, const u64 __user *argp)
{
	u64 base;
	u32 i;

	if (copy_from_user(&base, argp, sizeof(base)))
		return -EFAULT;
	if ((u64)(unsigned long)base != base)
		return -EFAULT;
	/* If a queue does not run, it is looked at when it begins to. */
	for (i = 0; i < IVSHM_VQ_MAX; i++)
		if (qp->vq[i].sock && !ivshm_vq_log_ok(&qp->vq[i], base))
			return -EFAULT;
	qp->log_base = base;
	ivshm_qp_set_log(qp);
	return 0;
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
		ivshm_backend_stop(qp, index, IVSHM_REASON_NOT_RUNNING);
		ivshm_iotlb_forget(&qp->iotlb);
		return 0;
	}
	if (!qp->has_table || !vq->addr_set || !ivshm_vq_access_ok(vq, &vq->addr) ||
	    !ivshm_vq_log_ok(vq, qp->log_base))
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
	ivshm_backend_stop(qp, index, IVSHM_REASON_NOT_RUNNING);
	err = ivshm_backend_run(qp, index, file, sock);
	if (err) {
		fput(file);
		return err;
	}
	ivshm_backend_attach(qp);
	return 0;
}

static long ivshm_net_set_features(struct ivshm_qp *qp, u64 __user *argp)
{
	const u64 log = BIT_ULL(VHOST_F_LOG_ALL);
	struct ivshm_iotlb_map *pool = NULL;
	u64 features;

	if (copy_from_user(&features, argp, sizeof(features)))
		return -EFAULT;
	if (features & ~IVSHM_FEATURES)
		return -EOPNOTSUPP;
	if (features & log && ivshm_qp_running(qp) &&
	    !ivshm_log_access_ok(qp->log_base, qp->log_need))
		return -EFAULT;
	if (features & BIT_ULL(VIRTIO_F_ACCESS_PLATFORM)) {
		pool = ivshm_iotlb_pool_alloc();
		/* What vhost-net says of it. */
		if (!pool)
			return -EFAULT;
	}
	/* A migration begins or ends under traffic: no frame is to be lost for it. */
	if ((features & ~log) == (qp->features & ~log)) {
		WRITE_ONCE(qp->features, features);
		/* As with vhost the VMM has to tell all translations anew. */
		if (pool)
			ivshm_qp_set_iotlb(qp, pool);
	} else {
		ivshm_qp_hold(qp);
		ivshm_qp_set_features(qp, features);
		ivshm_qp_set_iotlb(qp, pool);
		ivshm_qp_go(qp);
	}
	if (qp->port)
		WRITE_ONCE(qp->port->features, features);
	ivshm_qp_set_log(qp);
	return 0;
}

static long ivshm_net_set_mem_table(struct ivshm_qp *qp, struct vhost_memory __user *argp)
{
	struct vhost_memory_region *regions;
	struct vhost_memory mem;
	u64 need = 0;
	long err;
	u32 i;

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
	for (i = 0; i < mem.nregions; i++)
		need = max(need, ivshm_log_bytes(regions[i].guest_phys_addr,
						 regions[i].memory_size));
	if (qp->features & BIT_ULL(VHOST_F_LOG_ALL) && ivshm_qp_running(qp) &&
	    !ivshm_log_access_ok(qp->log_base, need))
		goto free;
	ivshm_qp_hold(qp);
	err = ivshm_gmem_set_table(qp->gm, regions, mem.nregions);
	if (!err) {
		qp->log_need = need;
		qp->has_table = true;
	}
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
		ivshm_backend_stop(qp, i, IVSHM_REASON_EXIT);
	ivshm_worker_stop(&qp->worker);
	for (i = 0; i < IVSHM_VQ_MAX; i++)
		ivshm_vq_reset(&qp->vq[i]);
	if (qp->log_ctx)
		eventfd_ctx_put(qp->log_ctx);
	qp->log_ctx = NULL;
	qp->log_base = 0;
	qp->log_need = 0;
	/* As with vhost-net, the next owner begins with an empty one. */
	qp->has_table = true;
	qp->tap_held = false;
	qp->tap_copied = false;
	WRITE_ONCE(qp->tap_done, qp->tap_in);
	qp->rx_want = false;
	ivshm_gmem_destroy(qp->gm);
	qp->gm = NULL;
	qp->owner = NULL;
	ivshm_qp_set_iotlb(qp, NULL);
	ivshm_iotlb_forget(&qp->iotlb);
	wake_up_interruptible_poll(&qp->iotlb.wait, EPOLLIN | EPOLLRDNORM);
	WRITE_ONCE(qp->backend_features, 0);
	ivshm_qp_set_features(qp, 0);
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
		ivshm_vring_init(&qp->vq[i].ring, &ivshm_qp_ring_ops, &qp->vq[i]);
	ivshm_qp_set_features(qp, qp->features);
	if (ivshm_qp_has_iotlb(qp))
		ivshm_gmem_set_iotlb(gm, &qp->iotlb);
	ivshm_qp_set_log(qp);
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

/*
 * Only the logging of a running queue's used ring changes: as for LOG_ALL,
 * nothing stops for it.
 */
static bool ivshm_vring_relog(struct ivshm_qp *qp, struct ivshm_vq *vq,
			      const struct vhost_vring_addr *a)
{
	/* Given the same addresses a broken ring begins again. */
	if (!vq->started || READ_ONCE(vq->ring.broken) ||
	    a->desc_user_addr != vq->addr.desc_user_addr ||
	    a->avail_user_addr != vq->addr.avail_user_addr ||
	    a->used_user_addr != vq->addr.used_user_addr)
		return false;
	ivshm_gmem_write_lock(qp->gm);
	vq->addr = *a;
	vq->ring.log_used = a->flags & BIT(VHOST_VRING_F_LOG);
	ivshm_gmem_write_unlock(qp->gm);
	return true;
}

static long ivshm_vring_set_addr_ioctl(struct ivshm_qp *qp, struct ivshm_vq *vq,
				       void __user *argp)
{
	struct vhost_vring_addr a, old;
	long err;

	if (copy_from_user(&a, argp, sizeof(a)))
		return -EFAULT;
	if (a.flags & ~BIT(VHOST_VRING_F_LOG))
		return -EOPNOTSUPP;
	if (a.desc_user_addr & (VRING_DESC_ALIGN_SIZE - 1) ||
	    a.avail_user_addr & (VRING_AVAIL_ALIGN_SIZE - 1) ||
	    a.used_user_addr & (VRING_USED_ALIGN_SIZE - 1) ||
	    a.log_guest_addr & (VRING_USED_ALIGN_SIZE - 1))
		return -EINVAL;

	if (!vq->sock) {
		vq->addr = a;
		vq->addr_set = true;
		return 0;
	}
	/* The size is known by now, and it is in use. */
	if (!ivshm_vq_access_ok(vq, &a) || !ivshm_vq_log_used_ok(vq, qp->log_base, &a))
		return -EINVAL;
	if (ivshm_vring_relog(qp, vq, &a))
		return 0;
	ivshm_qp_hold(qp);
	old = vq->addr;
	vq->addr = a;
	vq->base = vq->started ? vq->ring.last_avail : vq->base;
	err = ivshm_backend_setup(vq);
	if (err) {
		vq->addr = old;
		/* The ring is not there any more. */
		vq->ring.broken = true;
	} else {
		vq->started = false;
	}
	ivshm_qp_go(qp);
	ivshm_port_tell_broken();
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
	ivshm_backend_unwatch(qp, index);
	swap(file, vq->kick);
	ivshm_backend_watch(qp, index);
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
		WRITE_ONCE(vq->busyloop, s.num);
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
		return ivshm_net_set_log_base(qp, argp);
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
		if (features & ~IVSHM_BACKEND_FEATURES)
			return -EOPNOTSUPP;
		mutex_lock(&qp->mutex);
		WRITE_ONCE(qp->backend_features, features);
		mutex_unlock(&qp->mutex);
		return 0;
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
		ivshm_vring_init(&qp->vq[i].ring, &ivshm_qp_ring_ops, &qp->vq[i]);
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
	.read_iter = ivshm_net_read_iter,
	.write_iter = ivshm_net_write_iter,
	.poll = ivshm_net_poll,
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
