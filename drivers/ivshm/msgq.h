/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Message queues of regions.
 *
 *   open file of the sender's region        open file of the receiver's region
 *        |                                        |
 *   ivshm_msgq <---- from, if it is told ---- ivshm_msgq
 *                           |                  |      |
 *                       ivshm_msg (waiting, or held by the receiver)
 *                        |        |                   |
 *                   ivshm_peer   ivshm_landing   ivshm_landing (posted)
 *
 * - A sender does all the work: it reserves a place and a landing slot, brings the
 *   data there (msgq_data.c), and only then puts the message into the queue.
 * - What is posted, waits, or is held is the receiving queue's; what was counted for
 *   it is given back to the ivshm_peer that allowed the message.
 * - The file has the queue from ATTACH to its end.  Senders that found it before are
 *   waited for (active), then it is emptied.  The memory stays for those who are to
 *   tell it something (ref).
 *
 * - A guest asks by rings (msgq_ring.h), which a thread of their own serves.
 *
 * Locks: ivshm_msgq.lock, of one queue at a time, around ivshm_peer.lock; both with
 * softirqs off.  Around them, for rings that begin or end, ivshm_msgq.rings_mutex.
 * Region claims and the lock of ivshm_msgq.held stand for themselves.
 */
#ifndef _IVSHM_MSGQ_H
#define _IVSHM_MSGQ_H

#include <linux/completion.h>
#include <linux/hrtimer.h>
#include <linux/ivshm_msgq.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/poll.h>
#include <linux/rcupdate.h>
#include <linux/refcount.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/uidgid.h>
#include <linux/wait.h>
#include <linux/xarray.h>

#include "msgq_peer.h"
#include "region_exchange.h"

struct cred;
struct eventfd_ctx;
struct ivshm_region;
struct ivshm_region_file;
struct ivshm_rings;
struct pid;

/**
 * struct ivshm_landing - a landing slot
 * @list:	in ivshm_msgq.slots while it is posted
 * @claim:	of its range
 * @offset:	bytes
 * @len:	bytes
 * @cookie:	the receiver's
 */
struct ivshm_landing {
	struct list_head list;
	struct ivshm_claim claim;
	u64 offset;
	u64 len;
	u64 cookie;
};

/**
 * struct ivshm_loan - pages that are shared
 * @from:	region that lends them, with a reference
 * @source:	claim of their range there, to the end of the loan
 * @nr:		number of slots
 * @kept:	pages that the landing slot had before
 */
struct ivshm_loan {
	struct ivshm_region *from;
	struct ivshm_claim source;
	unsigned long nr;
	struct page *kept[];
};

/**
 * struct ivshm_msg - a message
 * @list:	in ivshm_msgq.queue of the receiver, or in ivshm_msgq.done of @from
 * @peer:	what allowed it, with a reference
 * @amount:	what was counted for it there
 * @pid:	process that sent it, with a reference
 * @uid:	its effective user
 * @number:	of the sender's region
 * @to:		of the receiver's
 * @how:	what was done
 * @landing:	where its range is, NULL without one
 * @len:	of the range, bytes
 * @loan:	while pages are shared, or NULL
 * @id:		in ivshm_msgq.held of the receiver, while pages are shared
 * @taken:	received, and the pages are still to be released; under the lock of
 *		ivshm_msgq.held
 * @from:	who is told of its end, with a reference, or NULL
 * @cookie:	for that
 * @status:	likewise, once it is known
 * @deferred:	the receiver was not told at once
 * @inline_len:	bytes of @data
 * @data:	the message's own
 */
struct ivshm_msg {
	struct list_head list;
	struct ivshm_peer *peer;
	struct ivshm_peer_amount amount;
	struct pid *pid;
	kuid_t uid;
	u32 number;
	u32 to;
	u32 how;
	struct ivshm_landing *landing;
	u64 len;
	struct ivshm_loan *loan;
	u32 id;
	bool taken;
	struct ivshm_msgq *from;
	u64 cookie;
	u32 status;
	bool deferred;
	u32 inline_len;
	u8 data[IVSHM_MSGQ_INLINE_MAX];
};

/**
 * struct ivshm_msgq - the message queue of a region
 * @ref:	the file's, and of those who are to tell it something
 * @rcu:	to be freed by
 * @active:	the file, and senders that are at it
 * @idle:	when @active is 0
 * @closing:	the file waits for that; written without a lock
 * @region:	whose it is; there while @active is not 0, and to its file
 * @depth:	most messages that wait, or that it is to be told of
 * @most_slots:	most landing slots that wait
 * @wait:	for poll()
 * @timer:	when deferred messages are told of
 * @held:	ivshm_msg by id: those whose pages are shared
 * @next_id:	for @held
 * @rings:	of a guest, or NULL; written under @rings_mutex and @lock
 * @rings_mutex: taken by ioctls and by the end, outside of everything here
 * @lock:	of the following; taken with softirqs off
 * @slots:	ivshm_landing that are posted, the first posted first
 * @nr_slots:	their number, with those that senders have taken and may bring back
 * @queue:	ivshm_msg that wait
 * @nr_msgs:	their number, with those on their way
 * @told:	the receiver was told that messages are there
 * @urgent:	it was not, and is to be told at once
 * @timed:	by the timer
 * @stalled:	ivshm_peer whose senders wait for room
 * @done:	ivshm_msg that this queue had sent, and that ended
 * @nr_told:	messages that it is to be told of, or that are in @done
 * @closed:	nobody wants to know any more
 * @full:	no room since the last EAGAIN; written without the lock
 * @event:	by enum ivshm_msgq_event, or NULL
 */
struct ivshm_msgq {
	struct kref ref;
	struct rcu_head rcu;
	refcount_t active;
	struct completion idle;
	bool closing;
	struct ivshm_region *region;
	u32 depth;
	u32 most_slots;
	wait_queue_head_t wait;
	struct hrtimer timer;
	struct xarray held;
	u32 next_id;
	struct ivshm_rings *rings;
	struct mutex rings_mutex;	/* rings */
	spinlock_t lock;		/* slots to event, and who reads rings */
	struct list_head slots;
	u32 nr_slots;
	struct list_head queue;
	u32 nr_msgs;
	bool told;
	bool urgent;
	bool timed;
	struct list_head stalled;
	struct list_head done;
	u32 nr_told;
	bool closed;
	bool full;
	struct eventfd_ctx *event[IVSHM_MSGQ_EVENTS];
};

/**
 * ivshm_msgq_new() - a queue for a region
 * @region:	the region, which the caller uses until ivshm_msgq_end()
 * @depth:	most messages that wait
 * @slots:	most landing slots that wait
 *
 * Sleeps.
 *
 * Return: the queue, which senders find, or an ERR_PTR(): -EBUSY if the region has
 * one, or -ENOMEM.
 */
struct ivshm_msgq *ivshm_msgq_new(struct ivshm_region *region, u32 depth, u32 slots);
/* No sender is at it any more, and nothing is left in it. Sleeps. */
void ivshm_msgq_end(struct ivshm_msgq *q);

/**
 * ivshm_msgq_post() - a landing slot
 * @q:		the queue
 * @slot:	as the receiver asks for it
 *
 * Sleeps.
 *
 * Return: 0, or an error as IVSHM_MSGQ_POST has them.
 */
int ivshm_msgq_post(struct ivshm_msgq *q, const struct ivshm_msgq_slot *slot);

/**
 * struct ivshm_msgq_who - on whose behalf something is done
 * @pid:	process
 * @cred:	its effective user, and who users are to it
 */
struct ivshm_msgq_who {
	struct pid *pid;
	const struct cred *cred;
};

/**
 * ivshm_msgq_send() - a message
 * @q:		the sender's queue
 * @to:		the receiver's
 * @who:	the sender
 * @arg:	as the sender asks for it; how is set to what was done
 *
 * The receiver is told by ivshm_msgq_tell().  Sleeps.
 *
 * Return: 0, or an error as IVSHM_MSGQ_SEND has them.
 */
int ivshm_msgq_send(struct ivshm_msgq *q, struct ivshm_msgq *to,
		    const struct ivshm_msgq_who *who, struct ivshm_msgq_send *arg);
/* Tell the receiver of messages that are to be told of at once. */
void ivshm_msgq_tell(struct ivshm_msgq *q);
/* The receiver came by itself: tell it of those that wait for that. */
void ivshm_msgq_came(struct ivshm_msgq *q);

/* The next message, which is the caller's, or NULL. */
struct ivshm_msg *ivshm_msgq_take(struct ivshm_msgq *q);
/* It could not be received after all. */
void ivshm_msgq_untake(struct ivshm_msgq *q, struct ivshm_msg *msg);
/* It was received; the caller has it no more. Sleeps. */
void ivshm_msgq_taken(struct ivshm_msgq *q, struct ivshm_msg *msg);
/* 0, or -ENOENT. Sleeps. */
int ivshm_msgq_release(struct ivshm_msgq *q, u64 id);
/* There is room: tell senders that wait for it. Sleeps. */
void ivshm_msgq_room(struct ivshm_msgq *q);

/* The next message sent that has ended, likewise. */
struct ivshm_msg *ivshm_msgq_done(struct ivshm_msgq *q);
void ivshm_msgq_undone(struct ivshm_msgq *q, struct ivshm_msg *msg);

/*
 * One thing after the other, for ioctls and for rings (msgq_turn.c)
 */

/**
 * struct ivshm_msgq_turn - several things that are asked of a queue
 * @q:		the queue
 * @who:	on whose behalf
 * @to:		number of the receiver of the last message sent, who is still to be
 *		told, or -1
 */
struct ivshm_msgq_turn {
	struct ivshm_msgq *q;
	struct ivshm_msgq_who who;
	s64 to;
};

/* As IVSHM_MSGQ_SEND: 0, or an error. Sleeps. */
int ivshm_msgq_turn_send(struct ivshm_msgq_turn *turn, struct ivshm_msgq_send *send);
/* Everybody was told when this returns. */
void ivshm_msgq_turn_end(struct ivshm_msgq_turn *turn);
/* What a message is to those who receive it, or sent it. */
void ivshm_msgq_turn_recv(const struct ivshm_msgq_turn *turn, const struct ivshm_msg *msg,
			  struct ivshm_msgq_recv *recv);
void ivshm_msgq_turn_done(const struct ivshm_msg *msg, struct ivshm_msgq_done *done);

/* A message that is in no list, or none. */
void ivshm_msg_free(struct ivshm_msg *msg);

/**
 * ivshm_msgq_enter() - the queue of a region
 * @number:	of the region
 *
 * Does not sleep.
 *
 * Return: the queue, which does not end before ivshm_msgq_leave(), or NULL.
 */
struct ivshm_msgq *ivshm_msgq_enter(u32 number);
void ivshm_msgq_leave(struct ivshm_msgq *q);

/* Whoever polls is told that the region was deleted. */
void ivshm_msgq_region_gone(const struct ivshm_region *region);

/* Find out what takes how long here. Takes some milliseconds; sleeps. */
void ivshm_msgq_cost_init(void);

/* Of a file of a region: ioctls, poll(), and its end. */
long ivshm_msgq_ioctl(struct file *file, unsigned int cmd, void __user *argp);
__poll_t ivshm_msgq_poll(struct file *file, struct poll_table_struct *wait);
void ivshm_msgq_file_end(struct ivshm_region_file *rf);

/*
 * Between msgq.c, msgq_send.c and msgq_data.c
 */

/* Bring the range of @arg to where @msg is to land: 0, or an error. Sleeps. */
int ivshm_msgq_bring(struct ivshm_msgq *q, struct ivshm_msgq *to,
		     struct ivshm_msg *msg, const struct ivshm_msgq_send *arg);
/* Give back what was shared. Sleeps. */
void ivshm_msgq_take_back(struct ivshm_msgq *to, struct ivshm_msg *msg);
/* How @len bytes, whole pages of @unit bytes, take the least time. */
enum ivshm_msgq_how ivshm_msgq_cost_choose(u64 len, u64 unit, bool may_share);
/* The sender is told, if it wants to be, and @msg is gone. Sleeps. */
void ivshm_msg_end(struct ivshm_msg *msg, enum ivshm_msgq_status status);
void ivshm_landing_free(struct ivshm_msgq *q, struct ivshm_landing *landing);
void ivshm_msgq_put(struct ivshm_msgq *q);

#endif /* _IVSHM_MSGQ_H */
