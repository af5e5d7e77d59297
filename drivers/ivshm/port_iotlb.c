// SPDX-License-Identifier: GPL-2.0
/*
 * The messages of the device IOTLB, as vhost has them in <linux/vhost_types.h>: the
 * VMM reads misses and writes updates and invalidations.  As with vhost whoever has
 * the file may do so.
 */
#include <linux/fs.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uio.h>
#include <linux/vhost.h>

#include "port_iotlb.h"
#include "qp.h"

/* Both kinds of messages have the same size, which is all that can be read at once. */
static_assert(sizeof(struct vhost_msg) == sizeof(struct vhost_msg_v2));
static_assert(offsetof(struct vhost_msg, iotlb) == offsetof(struct vhost_msg_v2, iotlb));

bool ivshm_qp_has_iotlb(const struct ivshm_qp *qp)
{
	return qp->iotlb.pool;
}

void ivshm_qp_set_iotlb(struct ivshm_qp *qp, struct ivshm_iotlb_map *pool)
{
	lockdep_assert_held(&qp->mutex);

	if (qp->gm)
		ivshm_gmem_write_lock(qp->gm);
	pool = ivshm_iotlb_reset(&qp->iotlb, pool);
	if (qp->gm)
		ivshm_gmem_write_unlock(qp->gm);
	if (qp->gm)
		ivshm_gmem_set_iotlb(qp->gm, ivshm_qp_has_iotlb(qp) ? &qp->iotlb : NULL);
	kvfree(pool);
}

__poll_t ivshm_net_poll(struct file *file, poll_table *wait)
{
	struct ivshm_qp *qp = file->private_data;

	poll_wait(file, &qp->iotlb.wait, wait);
	return READ_ONCE(qp->iotlb.nr) ? EPOLLIN | EPOLLRDNORM : 0;
}

/* The queues that wait for a translation look again. */
static void ivshm_net_retry(struct ivshm_qp *qp)
{
	lockdep_assert_held(&qp->mutex);

	if (!qp->worker.task)
		return;
	ivshm_worker_wake(&qp->worker, IVSHM_WORK_TX);
	ivshm_worker_wake(&qp->worker, IVSHM_WORK_FAULT);
}

/* Wait for a miss. 0, -EAGAIN, -ERESTARTSYS, or -EBADFD without a table. */
static int ivshm_net_wait_miss(struct ivshm_qp *qp, bool block, struct ivshm_iotlb_miss *miss)
{
	bool again = false;
	DEFINE_WAIT(wait);
	int err = 0;

	for (;;) {
		if (block)
			prepare_to_wait(&qp->iotlb.wait, &wait, TASK_INTERRUPTIBLE);
		if (ivshm_iotlb_take(&qp->iotlb, miss, &again))
			break;
		if (!block)
			err = -EAGAIN;
		else if (signal_pending(current))
			err = -ERESTARTSYS;
		else if (!READ_ONCE(qp->iotlb.pool))
			err = -EBADFD;
		if (err)
			break;
		schedule();
	}
	finish_wait(&qp->iotlb.wait, &wait);
	if (again) {
		mutex_lock(&qp->mutex);
		ivshm_net_retry(qp);
		mutex_unlock(&qp->mutex);
	}
	return err;
}

ssize_t ivshm_net_read_iter(struct kiocb *iocb, struct iov_iter *to)
{
	struct file *file = iocb->ki_filp;
	struct ivshm_qp *qp = file->private_data;
	struct vhost_msg_v2 msg = {};
	struct ivshm_iotlb_miss miss;
	int err;

	if (iov_iter_count(to) < sizeof(msg))
		return 0;
	err = ivshm_net_wait_miss(qp, !(file->f_flags & O_NONBLOCK), &miss);
	if (err)
		return err;
	msg.type = READ_ONCE(qp->backend_features) & BIT_ULL(VHOST_BACKEND_F_IOTLB_MSG_V2) ?
		   VHOST_IOTLB_MSG_V2 : VHOST_IOTLB_MSG;
	msg.iotlb.type = VHOST_IOTLB_MISS;
	msg.iotlb.iova = miss.iova;
	msg.iotlb.perm = miss.perm;
	/* What cannot be copied is lost, as with vhost; it is asked for again. */
	return copy_to_iter(&msg, sizeof(msg), to);
}

static bool ivshm_net_uaddr_ok(const struct vhost_iotlb_msg *msg)
{
	/* What may not be accessed may be anywhere. */
	if (!(msg->perm & VHOST_ACCESS_RW))
		return msg->uaddr + (msg->size - 1) >= msg->uaddr;
	/* Not access_ok(), see ivshm_gmem_set_table(). */
	return msg->uaddr < TASK_SIZE_MAX && msg->size <= TASK_SIZE_MAX - msg->uaddr;
}

static int ivshm_net_message(struct ivshm_qp *qp, const struct vhost_iotlb_msg *msg)
{
	u64 last = msg->iova + (msg->size - 1);
	bool update = msg->type == VHOST_IOTLB_UPDATE;

	lockdep_assert_held(&qp->mutex);

	if (!update && msg->type != VHOST_IOTLB_INVALIDATE)
		return -EFAULT;
	if (!ivshm_qp_has_iotlb(qp))
		return -EFAULT;
	if (update && (last < msg->iova || !ivshm_net_uaddr_ok(msg)))
		return -EFAULT;

	/* Between two read sections: later ones see what it is by then. */
	if (qp->gm)
		ivshm_gmem_write_lock(qp->gm);
	if (update)
		ivshm_iotlb_update(&qp->iotlb, msg->iova, last, msg->uaddr, msg->perm);
	else
		ivshm_iotlb_invalidate(&qp->iotlb, msg->iova, last);
	if (qp->gm)
		ivshm_gmem_write_unlock(qp->gm);
	if (update)
		ivshm_net_retry(qp);
	return 0;
}

ssize_t ivshm_net_write_iter(struct kiocb *iocb, struct iov_iter *from)
{
	struct ivshm_qp *qp = iocb->ki_filp->private_data;
	struct vhost_iotlb_msg msg;
	u32 head[2];
	int err;

	/* The type, and as many bytes that mean nothing here. */
	if (!copy_from_iter_full(&head[0], sizeof(head[0]), from))
		return -EINVAL;
	if (head[0] != VHOST_IOTLB_MSG && head[0] != VHOST_IOTLB_MSG_V2)
		return -EINVAL;
	if (!copy_from_iter_full(&head[1], sizeof(head[1]), from) ||
	    !copy_from_iter_full(&msg, sizeof(msg), from))
		return -EINVAL;
	if (msg.type == VHOST_IOTLB_UPDATE && !msg.size)
		return -EINVAL;

	mutex_lock(&qp->mutex);
	err = ivshm_net_message(qp, &msg);
	mutex_unlock(&qp->mutex);
	/* The size of a message, even if its end was left out; as vhost. */
	return err ?: (ssize_t)sizeof(struct vhost_msg);
}
