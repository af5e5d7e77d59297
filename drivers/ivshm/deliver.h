/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Delivery into a receive ring.
 *
 *   sender's buffers --(the one copy)--> receiver's buffers
 *
 * claim heads under the receiver's rx_lock, unlock, copy, lock, publish and
 * signal: all of it in one read section of both mirrors, so that nothing that
 * was mapped at the claim can go away before it is published.
 */
#ifndef _IVSHM_DELIVER_H
#define _IVSHM_DELIVER_H

#include <linux/types.h>

struct ivshm_buf;
struct ivshm_frame;
struct ivshm_qp;
struct ivshm_scratch;
struct ivshm_ways;
struct iov_iter;
struct list_head;

/* Why the first frame that was not delivered was not. */
enum ivshm_delivery {
	IVSHM_DELIVERED,	/* all were */
	IVSHM_DELIVER_MORE,	/* a limit of one read section was reached */
	IVSHM_DELIVER_FULL,	/* no receive buffers, or the worker's own guest paused */
	IVSHM_DELIVER_HELD,	/* receiver paused */
	IVSHM_DELIVER_MISS_SRC,	/* sender's memory is to be faulted in */
	IVSHM_DELIVER_MISS_DST,	/* receiver's memory is to be faulted in */
	IVSHM_DELIVER_IOTLB_SRC, /* a translation of the sender's is missing */
	IVSHM_DELIVER_IOTLB_DST, /* one of the receiver's */
	IVSHM_DELIVER_USER_SRC,	/* sender's memory cannot be mirrored */
	IVSHM_DELIVER_USER_DST,	/* receiver's memory cannot be mirrored */
	IVSHM_DELIVER_BAD_SRC,	/* sender named memory that it does not have */
	IVSHM_DELIVER_BROKEN,	/* the receive ring is in error */
	IVSHM_DELIVER_TOO_BIG,	/* no buffer of the receiver is large enough */
};

struct ivshm_scratch *ivshm_scratch_alloc(void);
void ivshm_scratch_free(struct ivshm_scratch *s);

/**
 * ivshm_deliver - hand frames to a receiver
 * @src:	the sender, whose worker calls and whose scratch space is used
 * @dst:	the receiver, may be @src
 * @frame:	frames in order
 * @n:		number of frames, up to IVSHM_BATCH
 * @arm:	if the receiver has no buffers, have its guest notify of new ones
 * @quiet:	no interrupt now; ivshm_deliver_flush() follows
 * @why:	why the next frame was not delivered
 *
 * Returns the number of frames delivered, from the first on.  Under RCU or
 * with a reference to both; does not sleep.
 */
u32 ivshm_deliver(struct ivshm_qp *src, struct ivshm_qp *dst,
		  struct ivshm_frame **frame, u32 n, bool arm, bool quiet,
		  enum ivshm_delivery *why);

/**
 * struct ivshm_pull - frames that somebody else writes to the guest's buffers
 * @len:	bytes of each, without the vnet header
 * @nr:		number of frames, up to IVSHM_BATCH
 * @read:	writes frame @i with its vnet header to @to; may not sleep.
 *		Returns 0 or an error, which costs the frame
 */
struct ivshm_pull {
	u32 len[64];
	u32 nr;
	int (*read)(struct ivshm_qp *qp, u32 i, struct iov_iter *to);
};

/*
 * As ivshm_deliver() for the worker's own guest, quietly, with frames from
 * @pull.  @failed: how many of those returned were lost.
 */
u32 ivshm_deliver_pull(struct ivshm_qp *qp, const struct ivshm_pull *pull, u32 *failed,
		       enum ivshm_delivery *why);

/* Interrupt @qp's guest for what was delivered quietly. */
void ivshm_deliver_flush(struct ivshm_qp *qp);

/*
 * As ivshm_deliver() for one frame in a kernel buffer, by user access, for the
 * worker's own guest. May sleep.
 */
enum ivshm_delivery ivshm_deliver_user(struct ivshm_qp *qp, struct ivshm_buf *buf);

/*
 * Note what is missing behind the next receive buffers, so that one fault
 * serves many frames. The worker's own guest only.
 */
void ivshm_deliver_prefault(struct ivshm_qp *qp);

/*
 * Our own worker waits for receive buffers from now on. True if that is new:
 * then it has to try once more, as a notification may have come before.
 */
bool ivshm_deliver_want(struct ivshm_qp *qp);

/*
 * Whether the guest has put buffers into the receive ring of our own worker; if
 * not it will notify, and the worker is woken.
 */
bool ivshm_deliver_ready(struct ivshm_qp *qp);

/*
 * Leave frames, a list of struct ivshm_buf, for the receiver's worker.  @src is
 * the caller's queue pair, @index that of the receiver in the coupling.  All or
 * none: IVSHM_DELIVERED, or IVSHM_DELIVER_FULL or _HELD, and they are still the
 * caller's.
 */
enum ivshm_delivery ivshm_bounce(struct ivshm_qp *src, u32 index, struct ivshm_qp *dst,
				 struct list_head *bufs);
/* One frame less is left by a way, or the worker that owned it is gone. */
void ivshm_ways_put(struct ivshm_ways *ways);
/*
 * What others left with @qp, which is held, is now left with @to behind what is
 * there. Under ivshm_mutex.
 */
void ivshm_bounce_move(struct ivshm_qp *qp, struct ivshm_qp *to);
/* Whether something is there that was left after @past, up to @at; ktime, ns. */
bool ivshm_bounce_between(struct ivshm_qp *qp, u64 past, u64 at);
/* Drop what others left. */
void ivshm_bounce_purge(struct ivshm_qp *qp);
/* The receiver's worker delivers what others left; false if some must wait. May sleep. */
bool ivshm_bounce_work(struct ivshm_qp *qp);

#endif /* _IVSHM_DELIVER_H */
