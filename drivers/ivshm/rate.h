/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Rates: how much somebody may send in a second.
 *
 * A bucket has tokens for bytes and for frames, which come at the two rates and of
 * which it holds so many.  A frame goes as long as there is any token of both kinds,
 * and may leave a debt: so the largest frame goes by the smallest rate, and what goes
 * in a long time is what the rates say.
 */
#ifndef _IVSHM_RATE_H
#define _IVSHM_RATE_H

#include <linux/spinlock.h>
#include <linux/types.h>

/**
 * struct ivshm_tokens - of one kind
 * @rate:	that come in a second, 0 for no limit
 * @burst:	most that there are; like
 * @left:	in units of 10^-9, below 0 for a debt
 */
struct ivshm_tokens {
	u64 rate;
	s64 burst;
	s64 left;
};

/**
 * struct ivshm_bucket - what somebody may still send
 * @lock:	protects it; a leaf
 * @at:		ktime, ns, when tokens were added last
 * @bytes:	of frames without their vnet headers
 * @frames:	one for each, whatever it is segmented into later
 */
struct ivshm_bucket {
	spinlock_t lock;	/* all of it */
	u64 at;
	struct ivshm_tokens bytes;
	struct ivshm_tokens frames;
};

void ivshm_bucket_init(struct ivshm_bucket *b);
/* Other rates, 0 for none; the bucket is full. @now: ktime, ns. Does not sleep. */
void ivshm_bucket_set(struct ivshm_bucket *b, u64 bytes, u64 frames, u64 now);
/*
 * Tokens for frames of @len[0] to @len[@nr - 1] bytes, in order.  Returns how many of them
 * may go; if not all, *@at is when the next may.  Any worker; does not sleep.
 */
u32 ivshm_bucket_take(struct ivshm_bucket *b, const u32 *len, u32 nr, u64 now, u64 *at);

#endif /* _IVSHM_RATE_H */
