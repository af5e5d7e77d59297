// SPDX-License-Identifier: GPL-2.0
/* Rates: how much somebody may send in a second; see rate.h. */
#include <linux/ktime.h>
#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/overflow.h>
#include <linux/ivshm_netlink.h>

#include "rate.h"

static void tokens_set(struct ivshm_tokens *t, u64 rate, u64 least)
{
	t->rate = rate;
	/* At most 10^18, as IVSHM_RATE_BYTES_MAX is 10^11. */
	t->burst = max(rate * IVSHM_RATE_BURST_MS * NSEC_PER_MSEC, least * NSEC_PER_SEC);
	t->left = t->burst;
}

static void tokens_add(struct ivshm_tokens *t, u64 ns)
{
	u64 room = t->burst - t->left, add;

	if (check_mul_overflow(ns, t->rate, &add) || add >= room)
		t->left = t->burst;
	else
		t->left += add;
}

/* Nanoseconds until there is one; 0 for now. */
static u64 tokens_wait(const struct ivshm_tokens *t)
{
	if (!t->rate || t->left > 0)
		return 0;
	return div64_u64(-t->left, t->rate) + 1;
}

static void tokens_take(struct ivshm_tokens *t, u32 nr)
{
	if (t->rate)
		t->left -= (s64)nr * NSEC_PER_SEC;
}

void ivshm_bucket_init(struct ivshm_bucket *b)
{
	spin_lock_init(&b->lock);
}

void ivshm_bucket_set(struct ivshm_bucket *b, u64 bytes, u64 frames, u64 now)
{
	spin_lock(&b->lock);
	tokens_set(&b->bytes, bytes, IVSHM_RATE_BURST_BYTES);
	tokens_set(&b->frames, frames, IVSHM_RATE_BURST_FRAMES);
	b->at = now;
	spin_unlock(&b->lock);
}

u32 ivshm_bucket_take(struct ivshm_bucket *b, const u32 *len, u32 nr, u64 now, u64 *at)
{
	u64 wait;
	u32 n;

	spin_lock(&b->lock);
	/* Another worker may have come with a later time. */
	if (now > b->at) {
		tokens_add(&b->bytes, now - b->at);
		tokens_add(&b->frames, now - b->at);
		b->at = now;
	}
	for (n = 0; n < nr; n++) {
		wait = max(tokens_wait(&b->bytes), tokens_wait(&b->frames));
		if (wait) {
			*at = now + wait;
			break;
		}
		tokens_take(&b->bytes, len[n]);
		tokens_take(&b->frames, 1);
	}
	spin_unlock(&b->lock);
	return n;
}
