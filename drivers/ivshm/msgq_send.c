// SPDX-License-Identifier: GPL-2.0
/* Message queues: what a sender does. */
#include <linux/cred.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/pid.h>
#include <linux/slab.h>

#include "msgq.h"
#include "region.h"

/* Bytes of what pages of a region come in. */
static u64 region_unit(const struct ivshm_region *region)
{
	return PAGE_SIZE << region->order;
}

static bool by_pages(u32 how)
{
	return how == IVSHM_MSGQ_MOVE || how == IVSHM_MSGQ_SHARE;
}

static int send_check(const struct ivshm_msgq *q, const struct ivshm_msgq *to,
		      const struct ivshm_msgq_send *arg)
{
	const struct ivshm_region *region = q->region;

	if (arg->flags & ~(IVSHM_MSGQ_TELL | IVSHM_MSGQ_MAY_SHARE) || arg->reserved ||
	    arg->how > IVSHM_MSGQ_SHARE || arg->defer_us > IVSHM_MSGQ_DEFER_US_MAX ||
	    arg->inline_len > IVSHM_MSGQ_INLINE_MAX || q == to)
		return -EINVAL;
	if (arg->flags & IVSHM_MSGQ_MAY_SHARE && arg->how != IVSHM_MSGQ_AUTO)
		return -EINVAL;
	if (arg->offset > region->size || arg->len > region->size - arg->offset ||
	    (!arg->len && (arg->offset || by_pages(arg->how))))
		return -EINVAL;
	if (by_pages(arg->how) &&
	    (region->order != to->region->order ||
	     !IS_ALIGNED(arg->offset | arg->len, region_unit(region))))
		return -EINVAL;
	return ivshm_region_alive(to->region) ? 0 : -ENXIO;
}

static struct ivshm_msg *send_alloc(const struct ivshm_msgq *q,
				    const struct ivshm_msgq *to,
				    const struct ivshm_msgq_who *who,
				    const struct ivshm_msgq_send *arg)
{
	struct ivshm_msg *msg;

	msg = kzalloc(sizeof(*msg), GFP_KERNEL_ACCOUNT);
	if (!msg)
		return NULL;
	msg->amount.messages = 1;
	msg->amount.pages = DIV_ROUND_UP(offset_in_page(arg->offset) + arg->len, PAGE_SIZE);
	msg->amount.bytes = arg->len + arg->inline_len;
	msg->pid = get_pid(who->pid);
	msg->uid = who->cred->euid;
	msg->number = q->region->number;
	msg->to = to->region->number;
	msg->how = IVSHM_MSGQ_COPY;
	msg->len = arg->len;
	msg->cookie = arg->cookie;
	msg->deferred = arg->defer_us;
	msg->inline_len = arg->inline_len;
	memcpy(msg->data, arg->data, arg->inline_len);
	return msg;
}

/* The first landing slot that will do, or NULL. */
static struct ivshm_landing *send_find_landing(struct ivshm_msgq *to,
					       const struct ivshm_msgq_send *arg)
{
	u64 unit = by_pages(arg->how) ? region_unit(to->region) : PAGE_SIZE;
	struct ivshm_landing *landing;

	lockdep_assert_held(&to->lock);

	list_for_each_entry(landing, &to->slots, list)
		if (landing->len >= arg->len && IS_ALIGNED(landing->offset, unit))
			return landing;
	return NULL;
}

/* @q's owner is to be told when there is room in @to. */
static void send_stall(struct ivshm_msgq *q, struct ivshm_msgq *to,
		       struct ivshm_peer *peer)
{
	lockdep_assert_held(&to->lock);

	WRITE_ONCE(q->full, true);
	if (peer->stalled == q)
		return;
	kref_get(&q->ref);
	if (peer->stalled) {
		/* A queue that the region had before. */
		ivshm_msgq_put(peer->stalled);
	} else {
		kref_get(&peer->ref);
		list_add_tail(&peer->stall, &to->stalled);
	}
	peer->stalled = q;
}

/* Reserve a place in the queue, and a landing slot. */
static int send_reserve(struct ivshm_msgq *q, struct ivshm_msgq *to,
			struct ivshm_msg *msg, const struct ivshm_msgq_send *arg)
{
	enum ivshm_attr_peer_stat why = IVSHM_A_PEER_STAT_REFUSED_FULL;
	struct ivshm_peer *peer = msg->peer;
	int err;

	spin_lock_bh(&to->lock);
	err = to->nr_msgs < to->depth ? ivshm_peer_charge(peer, &msg->amount) : -EAGAIN;
	if (!err && arg->len) {
		msg->landing = send_find_landing(to, arg);
		if (msg->landing) {
			list_del(&msg->landing->list);
		} else {
			why = IVSHM_A_PEER_STAT_REFUSED_SLOT;
			ivshm_peer_uncharge(peer, &msg->amount);
			err = -EAGAIN;
		}
	}
	if (!err)
		to->nr_msgs++;
	if (err == -EAGAIN) {
		ivshm_peer_count(peer, why, 1);
		send_stall(q, to, peer);
	}
	spin_unlock_bh(&to->lock);
	return err;
}

static void send_unreserve(struct ivshm_msgq *to, struct ivshm_msg *msg)
{
	spin_lock_bh(&to->lock);
	to->nr_msgs--;
	if (msg->landing)
		list_add(&msg->landing->list, &to->slots);
	spin_unlock_bh(&to->lock);
	msg->landing = NULL;
	ivshm_peer_uncharge(msg->peer, &msg->amount);
	/* Others may have missed what we had. */
	ivshm_msgq_room(to);
}

/* The sender is told what becomes of it, if it wants that. */
static int send_track(struct ivshm_msgq *q, struct ivshm_msg *msg, u32 flags)
{
	int err = 0;

	if (!(flags & IVSHM_MSGQ_TELL))
		return 0;
	spin_lock_bh(&q->lock);
	if (q->nr_told < q->depth)
		q->nr_told++;
	else
		err = -ENOBUFS;
	spin_unlock_bh(&q->lock);
	if (err)
		return err;
	kref_get(&q->ref);
	msg->from = q;
	return 0;
}

static void send_untrack(struct ivshm_msgq *q, struct ivshm_msg *msg)
{
	if (!msg->from)
		return;
	msg->from = NULL;
	spin_lock_bh(&q->lock);
	q->nr_told--;
	spin_unlock_bh(&q->lock);
	ivshm_msgq_put(q);
}

static void send_count(const struct ivshm_msg *msg)
{
	struct ivshm_peer *peer = msg->peer;
	static const enum ivshm_attr_peer_stat how[] = {
		[IVSHM_MSGQ_COPY]  = IVSHM_A_PEER_STAT_COPIED,
		[IVSHM_MSGQ_MOVE]  = IVSHM_A_PEER_STAT_MOVED,
		[IVSHM_MSGQ_SHARE] = IVSHM_A_PEER_STAT_SHARED,
	};

	spin_lock_bh(&peer->lock);
	peer->stat[IVSHM_A_PEER_STAT_MESSAGES]++;
	peer->stat[IVSHM_A_PEER_STAT_BYTES] += msg->amount.bytes;
	if (msg->len)
		peer->stat[how[msg->how]]++;
	spin_unlock_bh(&peer->lock);
}

/* Into the queue, in which the receiver may have it at once. */
static void send_commit(struct ivshm_msgq *to, struct ivshm_msg *msg, u32 defer_us)
{
	ktime_t due = defer_us ? ktime_add_us(ktime_get(), defer_us) : 0;

	spin_lock_bh(&to->lock);
	if (msg->landing)
		to->nr_slots--;
	list_add_tail(&msg->list, &to->queue);
	if (!to->told && !msg->deferred && !to->urgent) {
		to->urgent = true;
		ivshm_peer_count(msg->peer, IVSHM_A_PEER_STAT_SIGNALS, 1);
	}
	/* The first that is due counts. */
	if (!to->told && msg->deferred &&
	    (!hrtimer_is_queued(&to->timer) ||
	     ktime_before(due, hrtimer_get_expires(&to->timer))))
		hrtimer_start(&to->timer, due, HRTIMER_MODE_ABS_SOFT);
	spin_unlock_bh(&to->lock);
}

int ivshm_msgq_send(struct ivshm_msgq *q, struct ivshm_msgq *to,
		    const struct ivshm_msgq_who *who, struct ivshm_msgq_send *arg)
{
	struct ivshm_msg *msg;
	int err;

	err = send_check(q, to, arg);
	if (err)
		return err;
	msg = send_alloc(q, to, who, arg);
	if (!msg)
		return -ENOMEM;
	msg->peer = ivshm_peer_get(q->region->name, to->region->name);
	err = msg->peer ? send_track(q, msg, arg->flags) : -EACCES;
	if (err)
		goto free;
	err = send_reserve(q, to, msg, arg);
	if (err)
		goto untrack;
	if (arg->len)
		err = ivshm_msgq_bring(q, to, msg, arg);
	/* The receiver's region went meanwhile, as if it had gone before. */
	if (err == -ENODEV && ivshm_region_alive(q->region))
		err = -ENXIO;
	if (err)
		goto unreserve;
	arg->how = msg->how;
	send_count(msg);
	send_commit(to, msg, arg->defer_us);
	return 0;

unreserve:
	if (err == -EBUSY)
		ivshm_peer_count(msg->peer, IVSHM_A_PEER_STAT_REFUSED_BUSY, 1);
	send_unreserve(to, msg);
untrack:
	send_untrack(q, msg);
free:
	ivshm_msg_free(msg);
	return err;
}
