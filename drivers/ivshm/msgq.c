// SPDX-License-Identifier: GPL-2.0
/* Message queues: life cycle, landing slots, what a receiver does. */
#include <linux/eventfd.h>
#include <linux/mm.h>
#include <linux/pid.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "msgq.h"
#include "msgq_ring.h"
#include "region.h"

/* By number of the region; read under RCU. */
static DEFINE_XARRAY(msgqs);

/*
 * Finding a queue, and its end
 */

static void msgq_release(struct kref *ref)
{
	struct ivshm_msgq *q = container_of(ref, struct ivshm_msgq, ref);

	kfree_rcu(q, rcu);
}

void ivshm_msgq_put(struct ivshm_msgq *q)
{
	kref_put(&q->ref, msgq_release);
}

struct ivshm_msgq *ivshm_msgq_enter(u32 number)
{
	struct ivshm_msgq *q;

	rcu_read_lock();
	q = xa_load(&msgqs, number);
	if (q && !refcount_inc_not_zero(&q->active))
		q = NULL;
	rcu_read_unlock();
	return q;
}

void ivshm_msgq_leave(struct ivshm_msgq *q)
{
	if (refcount_dec_and_test(&q->active))
		complete(&q->idle);
}

/* The receiver is told that messages are there. */
static void msgq_announce(struct ivshm_msgq *q, bool timed)
{
	lockdep_assert_held(&q->lock);

	q->told = true;
	q->urgent = false;
	q->timed = timed;
	if (q->event[IVSHM_MSGQ_EVENT_RECV])
		eventfd_signal(q->event[IVSHM_MSGQ_EVENT_RECV]);
	wake_up_poll(&q->wait, EPOLLIN | EPOLLRDNORM);
}

static enum hrtimer_restart msgq_timeout(struct hrtimer *timer)
{
	struct ivshm_msgq *q = container_of(timer, struct ivshm_msgq, timer);

	spin_lock(&q->lock);
	/* While it waited for the lock all may have been taken, and others have come. */
	if (!hrtimer_is_queued(timer) && !q->told && !list_empty(&q->queue))
		msgq_announce(q, true);
	spin_unlock(&q->lock);
	return HRTIMER_NORESTART;
}

struct ivshm_msgq *ivshm_msgq_new(struct ivshm_region *region, u32 depth, u32 slots)
{
	struct ivshm_msgq *q;
	int err;

	q = kzalloc(sizeof(*q), GFP_KERNEL_ACCOUNT);
	if (!q)
		return ERR_PTR(-ENOMEM);
	kref_init(&q->ref);
	refcount_set(&q->active, 1);
	init_completion(&q->idle);
	q->region = region;
	q->depth = depth;
	q->most_slots = slots;
	init_waitqueue_head(&q->wait);
	hrtimer_setup(&q->timer, msgq_timeout, CLOCK_MONOTONIC, HRTIMER_MODE_ABS_SOFT);
	xa_init_flags(&q->held, XA_FLAGS_ALLOC1);
	mutex_init(&q->rings_mutex);
	spin_lock_init(&q->lock);
	INIT_LIST_HEAD(&q->slots);
	INIT_LIST_HEAD(&q->queue);
	INIT_LIST_HEAD(&q->stalled);
	INIT_LIST_HEAD(&q->done);

	err = xa_insert(&msgqs, region->number, q, GFP_KERNEL);
	if (err) {
		kfree(q);
		return ERR_PTR(err);
	}
	return q;
}

void ivshm_landing_free(struct ivshm_msgq *q, struct ivshm_landing *landing)
{
	if (!landing)
		return;
	ivshm_region_unclaim(q->region, &landing->claim);
	kfree(landing);
}

/* What came to the receiver is its own now, and what was shared goes back. */
static void msgq_finish(struct ivshm_msgq *q, struct ivshm_msg *msg,
			enum ivshm_msgq_status status)
{
	if (msg->loan)
		ivshm_msgq_take_back(q, msg);
	ivshm_landing_free(q, msg->landing);
	msg->landing = NULL;
	ivshm_msg_end(msg, status);
}

static void msgq_drop(struct ivshm_msgq *q, struct ivshm_msg *msg)
{
	ivshm_peer_count(msg->peer, IVSHM_A_PEER_STAT_LOST, 1);
	msgq_finish(q, msg, IVSHM_MSGQ_LOST);
}

void ivshm_msgq_end(struct ivshm_msgq *q)
{
	struct ivshm_landing *landing, *next_landing;
	struct ivshm_msg *msg, *next;
	struct eventfd_ctx *event;
	unsigned long id;
	int i;

	ivshm_rings_end(q);
	xa_erase(&msgqs, q->region->number);
	/* Who copies to it stops at the next page: we cannot be killed here. */
	WRITE_ONCE(q->closing, true);
	ivshm_msgq_leave(q);
	wait_for_completion(&q->idle);
	hrtimer_cancel(&q->timer);

	/* From here on others can only tell it that messages have ended. */
	list_for_each_entry_safe(landing, next_landing, &q->slots, list)
		ivshm_landing_free(q, landing);
	list_for_each_entry_safe(msg, next, &q->queue, list) {
		list_del(&msg->list);
		if (msg->id)
			xa_erase(&q->held, msg->id);
		/* Received by nobody, whether it was to be released or not. */
		msgq_drop(q, msg);
	}
	xa_for_each(&q->held, id, msg) {
		xa_erase(&q->held, id);
		msgq_finish(q, msg, IVSHM_MSGQ_TAKEN);
	}
	xa_destroy(&q->held);
	ivshm_msgq_room(q);

	spin_lock_bh(&q->lock);
	q->closed = true;
	spin_unlock_bh(&q->lock);
	list_for_each_entry_safe(msg, next, &q->done, list) {
		list_del(&msg->list);
		ivshm_msg_free(msg);
	}
	for (i = 0; i < IVSHM_MSGQ_EVENTS; i++) {
		spin_lock_bh(&q->lock);
		event = q->event[i];
		q->event[i] = NULL;
		spin_unlock_bh(&q->lock);
		if (event)
			eventfd_ctx_put(event);
	}
	ivshm_msgq_put(q);
}

void ivshm_msgq_region_gone(const struct ivshm_region *region)
{
	struct ivshm_msgq *q = ivshm_msgq_enter(region->number);

	if (!q)
		return;
	wake_up_poll(&q->wait, EPOLLHUP | EPOLLERR);
	ivshm_rings_wake(q);
	ivshm_msgq_leave(q);
}

/*
 * What a receiver does
 */

int ivshm_msgq_post(struct ivshm_msgq *q, const struct ivshm_msgq_slot *slot)
{
	struct ivshm_region *region = q->region;
	struct ivshm_landing *landing;
	int err;

	if (!slot->len || !PAGE_ALIGNED(slot->offset) || !PAGE_ALIGNED(slot->len) ||
	    slot->offset > region->size || slot->len > region->size - slot->offset)
		return -EINVAL;
	landing = kmalloc(sizeof(*landing), GFP_KERNEL_ACCOUNT);
	if (!landing)
		return -ENOMEM;
	landing->offset = slot->offset;
	landing->len = slot->len;
	landing->cookie = slot->cookie;
	err = ivshm_region_claim(region, &landing->claim, IVSHM_CLAIM_LANDING,
				 slot->offset >> PAGE_SHIFT, slot->len >> PAGE_SHIFT);
	if (err) {
		kfree(landing);
		return err;
	}
	spin_lock_bh(&q->lock);
	if (q->nr_slots < q->most_slots) {
		q->nr_slots++;
		list_add_tail(&landing->list, &q->slots);
		landing = NULL;
	}
	spin_unlock_bh(&q->lock);
	ivshm_landing_free(q, landing);
	return landing ? -EAGAIN : 0;
}

void ivshm_msgq_came(struct ivshm_msgq *q)
{
	spin_lock_bh(&q->lock);
	if (!q->told && !list_empty(&q->queue))
		msgq_announce(q, false);
	spin_unlock_bh(&q->lock);
}

void ivshm_msgq_tell(struct ivshm_msgq *q)
{
	spin_lock_bh(&q->lock);
	if (q->urgent)
		msgq_announce(q, false);
	spin_unlock_bh(&q->lock);
}

struct ivshm_msg *ivshm_msgq_take(struct ivshm_msgq *q)
{
	struct ivshm_msg *msg;

	spin_lock_bh(&q->lock);
	msg = list_first_entry_or_null(&q->queue, struct ivshm_msg, list);
	if (msg) {
		list_del(&msg->list);
		q->nr_msgs--;
		if (msg->deferred)
			ivshm_peer_count(msg->peer, q->timed ?
					 IVSHM_A_PEER_STAT_DEFERRED_TIMED :
					 IVSHM_A_PEER_STAT_DEFERRED_OWN, 1);
	}
	if (list_empty(&q->queue)) {
		q->told = false;
		q->urgent = false;
		q->timed = false;
		hrtimer_try_to_cancel(&q->timer);
	}
	spin_unlock_bh(&q->lock);
	return msg;
}

void ivshm_msgq_untake(struct ivshm_msgq *q, struct ivshm_msg *msg)
{
	spin_lock_bh(&q->lock);
	list_add(&msg->list, &q->queue);
	q->nr_msgs++;
	/* It is not deferred any more: the receiver has come. */
	msg->deferred = false;
	if (!q->told)
		msgq_announce(q, false);
	spin_unlock_bh(&q->lock);
}

void ivshm_msgq_taken(struct ivshm_msgq *q, struct ivshm_msg *msg)
{
	if (!msg->id) {
		msgq_finish(q, msg, IVSHM_MSGQ_TAKEN);
		return;
	}
	xa_lock(&q->held);
	msg->taken = true;
	xa_unlock(&q->held);
}

int ivshm_msgq_release(struct ivshm_msgq *q, u64 id)
{
	struct ivshm_msg *msg = NULL;

	if (id && id <= U32_MAX) {
		xa_lock(&q->held);
		msg = xa_load(&q->held, id);
		if (msg && msg->taken)
			__xa_erase(&q->held, id);
		else
			msg = NULL;
		xa_unlock(&q->held);
	}
	if (!msg)
		return -ENOENT;
	msgq_finish(q, msg, IVSHM_MSGQ_TAKEN);
	return 0;
}

void ivshm_msgq_room(struct ivshm_msgq *q)
{
	struct ivshm_peer *peer;
	struct ivshm_msgq *from;
	LIST_HEAD(stalled);

	/*
	 * Only those that wait now: senders that stall again as fast as they are told
	 * must not keep us here.
	 */
	spin_lock_bh(&q->lock);
	list_splice_init(&q->stalled, &stalled);
	spin_unlock_bh(&q->lock);
	for (;;) {
		from = NULL;
		spin_lock_bh(&q->lock);
		peer = list_first_entry_or_null(&stalled, struct ivshm_peer, stall);
		if (peer) {
			list_del_init(&peer->stall);
			from = peer->stalled;
			peer->stalled = NULL;
		}
		spin_unlock_bh(&q->lock);
		if (!peer)
			break;
		/* It may stall again before it is told: then it is told once too often. */
		spin_lock_bh(&from->lock);
		WRITE_ONCE(from->full, false);
		if (from->event[IVSHM_MSGQ_EVENT_ROOM])
			eventfd_signal(from->event[IVSHM_MSGQ_EVENT_ROOM]);
		wake_up_poll(&from->wait, EPOLLOUT | EPOLLWRNORM);
		spin_unlock_bh(&from->lock);
		ivshm_msgq_put(from);
		ivshm_peer_put(peer);
		cond_resched();
	}
}

/*
 * The end of a message
 */

void ivshm_msg_free(struct ivshm_msg *msg)
{
	if (!msg)
		return;
	put_pid(msg->pid);
	if (msg->peer)
		ivshm_peer_put(msg->peer);
	kfree(msg);
}

void ivshm_msg_end(struct ivshm_msg *msg, enum ivshm_msgq_status status)
{
	struct ivshm_msgq *from = msg->from;

	ivshm_peer_uncharge(msg->peer, &msg->amount);
	if (!from) {
		ivshm_msg_free(msg);
		return;
	}
	msg->from = NULL;
	msg->status = status;
	spin_lock_bh(&from->lock);
	if (!from->closed) {
		if (list_empty(&from->done) && from->event[IVSHM_MSGQ_EVENT_DONE])
			eventfd_signal(from->event[IVSHM_MSGQ_EVENT_DONE]);
		list_add_tail(&msg->list, &from->done);
		wake_up_poll(&from->wait, EPOLLPRI);
		msg = NULL;
	}
	spin_unlock_bh(&from->lock);
	ivshm_msg_free(msg);
	ivshm_msgq_put(from);
}

struct ivshm_msg *ivshm_msgq_done(struct ivshm_msgq *q)
{
	struct ivshm_msg *msg;

	spin_lock_bh(&q->lock);
	msg = list_first_entry_or_null(&q->done, struct ivshm_msg, list);
	if (msg) {
		list_del(&msg->list);
		q->nr_told--;
	}
	spin_unlock_bh(&q->lock);
	return msg;
}

void ivshm_msgq_undone(struct ivshm_msgq *q, struct ivshm_msg *msg)
{
	spin_lock_bh(&q->lock);
	list_add(&msg->list, &q->done);
	q->nr_told++;
	spin_unlock_bh(&q->lock);
}
