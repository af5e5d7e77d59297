/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Rings: what a guest asks of its message queue without its VMM.
 *
 *   region:  head | requests | results          claimed, mapped as long as they are there
 *                      |          ^
 *                      v          |
 *   worker:  copy, check, do, put the result    woken by the doorbell
 *
 * - Whatever the guest may write is read once.  What the kernel has to know is in
 *   struct ivshm_rings, and never read back.
 * - A round is some requests at most; then others have the processor.
 * - The thread runs in the cgroups of whoever asked for the rings, and what it
 *   allocates is accounted there.
 */
#ifndef _IVSHM_MSGQ_RING_H
#define _IVSHM_MSGQ_RING_H

#include <linux/ivshm_msgq.h>
#include <linux/poll.h>
#include <linux/types.h>
#include <linux/wait.h>

#include "msgq.h"
#include "region_exchange.h"
#include "worker.h"

struct eventfd_ctx;
struct file;
struct mem_cgroup;
struct page;

/**
 * struct ivshm_rings - rings of a queue
 * @q:		the queue
 * @who:	on whose behalf, with references
 * @memcg:	whose memory, with a reference, or NULL
 * @claim:	of the range
 * @pages:	with references
 * @nr_pages:	their number
 * @head:	where they are mapped
 * @request:	likewise, @entries
 * @result:	likewise
 * @entries:	a power of two
 * @done:	requests that have a result; the worker's
 * @broken:	nothing is done any more; likewise
 * @kick:	eventfd of the doorbell, with a reference, or NULL
 * @pt:		to find its wait queue with
 * @wqh:	the wait queue that @wait is in, or NULL
 * @wait:	called with each kick
 * @call:	eventfd that is signalled when there are results, or NULL
 * @worker:	the thread
 */
struct ivshm_rings {
	struct ivshm_msgq *q;
	struct ivshm_msgq_who who;
	struct mem_cgroup *memcg;
	struct ivshm_claim claim;
	struct page **pages;
	unsigned int nr_pages;
	struct ivshm_ring_head *head;
	struct ivshm_ring_request *request;
	struct ivshm_ring_result *result;
	u32 entries;
	u32 done;
	bool broken;
	struct file *kick;
	poll_table pt;
	wait_queue_head_t *wqh;
	wait_queue_entry_t wait;
	struct eventfd_ctx *call;
	struct ivshm_worker worker;
};

/* IVSHM_MSGQ_RINGS. Sleeps; takes ivshm_msgq.rings_mutex. */
long ivshm_rings_ioctl(struct ivshm_msgq *q, void __user *argp);
/* The queue has no rings any more, if it had some. Likewise. */
void ivshm_rings_end(struct ivshm_msgq *q);
/* The thread looks at the rings, if there are some. Takes ivshm_msgq.lock. */
void ivshm_rings_wake(struct ivshm_msgq *q);

/*
 * Between msgq_ring.c and msgq_round.c, and for tests
 */

/**
 * ivshm_rings_new() - rings that nobody serves yet
 * @q:		the queue
 * @offset:	where, in bytes, whole pages
 * @entries:	a power of two
 *
 * Sleeps.
 *
 * Return: the rings, or an ERR_PTR() as IVSHM_MSGQ_RINGS has them.
 */
struct ivshm_rings *ivshm_rings_new(struct ivshm_msgq *q, u64 offset, u32 entries);
/* Sleeps. */
void ivshm_rings_free(struct ivshm_rings *r);

/**
 * ivshm_rings_todo() - requests that are to be done
 * @entries:	of the rings
 * @done:	those that have a result
 * @tail:	those that the guest says there are
 * @taken:	results that it says it has taken
 *
 * Return: how many, or -EINVAL if that cannot be.
 */
int ivshm_rings_todo(u32 entries, u32 done, u32 tail, u32 taken);

/**
 * ivshm_rings_round() - do some of what there is
 * @r:		the rings
 *
 * For the worker.  Sleeps.
 *
 * Return: whether there is more.
 */
bool ivshm_rings_round(struct ivshm_rings *r);

#endif /* _IVSHM_MSGQ_RING_H */
