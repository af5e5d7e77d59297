// SPDX-License-Identifier: GPL-2.0
/* Message queues: what programs ask of /dev/ivshmN. */
#include <linux/cred.h>
#include <linux/eventfd.h>
#include <linux/fs.h>
#include <linux/nospec.h>
#include <linux/sched/signal.h>
#include <linux/uaccess.h>

#include "msgq.h"
#include "msgq_ring.h"
#include "region.h"

/**
 * struct batch - a batch at work
 * @turn:	the file's queue, and what was asked of it before
 * @size:	bytes of an entry
 */
struct batch {
	struct ivshm_msgq_turn turn;
	size_t size;
};

/* Give an entry of @size bytes to a caller who knows it shorter or longer. */
static int batch_put(const struct batch *b, void __user *at, const void *entry,
		     size_t size)
{
	size_t both = min(size, b->size);

	if (copy_to_user(at, entry, both) || clear_user(at + both, b->size - both))
		return -EFAULT;
	return 0;
}

/*
 * One entry of each kind
 */

static int do_post(struct batch *b, void __user *at)
{
	struct ivshm_msgq_slot slot;

	return copy_struct_from_user(&slot, sizeof(slot), at, b->size) ?:
	       ivshm_msgq_post(b->turn.q, &slot);
}

static int do_send(struct batch *b, void __user *at)
{
	struct ivshm_msgq_send __user *user = at;
	struct ivshm_msgq_send send;
	int err;

	err = copy_struct_from_user(&send, sizeof(send), at, b->size) ?:
	      ivshm_msgq_turn_send(&b->turn, &send);
	if (err)
		return err;
	/* It is sent, whether the sender hears how or not. */
	put_user(send.how, &user->how);
	return 0;
}

static int do_recv(struct batch *b, void __user *at)
{
	struct ivshm_msgq_recv recv;
	struct ivshm_msg *msg;
	int err;

	msg = ivshm_msgq_take(b->turn.q);
	if (!msg)
		return -EAGAIN;
	ivshm_msgq_turn_recv(&b->turn, msg, &recv);
	err = batch_put(b, at, &recv, sizeof(recv));
	if (err)
		ivshm_msgq_untake(b->turn.q, msg);
	else
		ivshm_msgq_taken(b->turn.q, msg);
	return err;
}

static int do_release(struct batch *b, void __user *at)
{
	u64 id;

	return copy_struct_from_user(&id, sizeof(id), at, b->size) ?:
	       ivshm_msgq_release(b->turn.q, id);
}

static int do_done(struct batch *b, void __user *at)
{
	struct ivshm_msgq_done done;
	struct ivshm_msg *msg;
	int err;

	msg = ivshm_msgq_done(b->turn.q);
	if (!msg)
		return -EAGAIN;
	ivshm_msgq_turn_done(msg, &done);
	err = batch_put(b, at, &done, sizeof(done));
	if (err)
		ivshm_msgq_undone(b->turn.q, msg);
	else
		ivshm_msg_free(msg);
	return err;
}

/**
 * struct kind - what a batch is of
 * @cmd:	the ioctl
 * @least:	bytes that an entry has at least
 * @one:	does one
 * @room:	others may find room afterwards
 */
struct kind {
	unsigned int cmd;
	size_t least;
	int (*one)(struct batch *b, void __user *at);
	bool room;
};

static const struct kind kinds[] = {
	{ IVSHM_MSGQ_POST, sizeof(struct ivshm_msgq_slot), do_post, true },
	{ IVSHM_MSGQ_SEND, sizeof(struct ivshm_msgq_send), do_send, false },
	{ IVSHM_MSGQ_RECV, sizeof(struct ivshm_msgq_recv), do_recv, true },
	{ IVSHM_MSGQ_RELEASE, sizeof(u64), do_release, true },
	{ IVSHM_MSGQ_DONE, sizeof(struct ivshm_msgq_done), do_done, false },
};

static long msgq_batch(struct ivshm_msgq *q, const struct kind *kind,
		       void __user *argp)
{
	struct batch b = {
		.turn = { q, { task_tgid(current), current_cred() }, -1 },
	};
	struct ivshm_msgq_batch arg;
	u32 done;
	int err;

	err = ivshm_region_get_arg(&arg, sizeof(arg), sizeof(arg), argp);
	if (err)
		return err;
	if (arg.flags || arg.reserved || !arg.count ||
	    arg.count > IVSHM_MSGQ_BATCH_MAX || arg.entry_size % 8 ||
	    arg.entry_size < kind->least || arg.entry_size > PAGE_SIZE)
		return -EINVAL;
	b.size = arg.entry_size;
	/* Whoever is here does not have to be fetched. */
	if (kind->cmd != IVSHM_MSGQ_RECV)
		ivshm_msgq_came(q);
	for (done = 0; done < arg.count; done++) {
		err = kind->one(&b, u64_to_user_ptr(arg.addr) + done * b.size);
		if (err)
			break;
		cond_resched();
	}
	ivshm_msgq_turn_end(&b.turn);
	if (done && kind->room)
		ivshm_msgq_room(q);
	if (put_user(done, &((struct ivshm_msgq_batch __user *)argp)->done))
		return -EFAULT;
	return done ? 0 : err;
}

/*
 * The queue itself
 */

static long msgq_attach(struct file *file, void __user *argp)
{
	struct ivshm_region_file *rf = file->private_data;
	struct ivshm_msgq_attach arg;
	struct ivshm_msgq *q;
	int err;

	err = ivshm_region_get_arg(&arg, sizeof(arg), sizeof(arg), argp);
	if (err)
		return err;
	if (arg.flags || arg.depth > IVSHM_MSGQ_DEPTH_MAX ||
	    arg.slots > IVSHM_MSGQ_SLOTS_MAX)
		return -EINVAL;
	if ((file->f_mode & (FMODE_READ | FMODE_WRITE)) != (FMODE_READ | FMODE_WRITE))
		return -EACCES;
	/* Pairs with the release below. */
	if (smp_load_acquire(&rf->msgq))
		return -EALREADY;
	/* Of two threads that come here one finds that there is a queue. */
	q = ivshm_msgq_new(rf->region, arg.depth ?: IVSHM_MSGQ_DEPTH,
			   arg.slots ?: IVSHM_MSGQ_SLOTS);
	if (IS_ERR(q))
		return PTR_ERR(q);
	/* It is complete: others find it from now on. */
	smp_store_release(&rf->msgq, q);
	return 0;
}

static long msgq_bind(struct ivshm_msgq *q, void __user *argp)
{
	struct eventfd_ctx *event = NULL;
	struct ivshm_msgq_bind arg;
	int err;

	err = ivshm_region_get_arg(&arg, sizeof(arg), sizeof(arg), argp);
	if (err)
		return err;
	if (arg.flags || arg.event >= IVSHM_MSGQ_EVENTS || arg.fd < -1)
		return -EINVAL;
	arg.event = array_index_nospec(arg.event, IVSHM_MSGQ_EVENTS);
	if (arg.fd != -1) {
		event = eventfd_ctx_fdget(arg.fd);
		if (IS_ERR(event))
			return PTR_ERR(event);
	}
	spin_lock_bh(&q->lock);
	if (event && ((arg.event == IVSHM_MSGQ_EVENT_RECV && q->told) ||
		      (arg.event == IVSHM_MSGQ_EVENT_DONE && !list_empty(&q->done))))
		eventfd_signal(event);
	swap(event, q->event[arg.event]);
	spin_unlock_bh(&q->lock);
	if (event)
		eventfd_ctx_put(event);
	return 0;
}

long ivshm_msgq_ioctl(struct file *file, unsigned int cmd, void __user *argp)
{
	struct ivshm_region_file *rf = file->private_data;
	struct ivshm_msgq *q;
	int i;

	if (cmd == IVSHM_MSGQ_ATTACH)
		return msgq_attach(file, argp);
	/* Pairs with the release in msgq_attach(). */
	q = smp_load_acquire(&rf->msgq);
	if (cmd == IVSHM_MSGQ_BIND)
		return q ? msgq_bind(q, argp) : -ENOTCONN;
	if (cmd == IVSHM_MSGQ_RINGS)
		return q ? ivshm_rings_ioctl(q, argp) : -ENOTCONN;
	for (i = 0; i < ARRAY_SIZE(kinds); i++)
		if (cmd == kinds[i].cmd)
			return q ? msgq_batch(q, &kinds[i], argp) : -ENOTCONN;
	return -ENOTTY;
}

__poll_t ivshm_msgq_poll(struct file *file, struct poll_table_struct *wait)
{
	struct ivshm_region_file *rf = file->private_data;
	struct ivshm_msgq *q;
	__poll_t events = 0;

	/* Pairs with the release in msgq_attach(). */
	q = smp_load_acquire(&rf->msgq);
	/* As a file is that cannot be polled. */
	if (!q)
		return DEFAULT_POLLMASK;
	poll_wait(file, &q->wait, wait);
	if (!ivshm_region_alive(rf->region))
		return EPOLLHUP | EPOLLERR;
	spin_lock_bh(&q->lock);
	if (q->told)
		events |= EPOLLIN | EPOLLRDNORM;
	if (!list_empty(&q->done))
		events |= EPOLLPRI;
	if (!READ_ONCE(q->full))
		events |= EPOLLOUT | EPOLLWRNORM;
	spin_unlock_bh(&q->lock);
	return events;
}

void ivshm_msgq_file_end(struct ivshm_region_file *rf)
{
	if (rf->msgq)
		ivshm_msgq_end(rf->msgq);
}
