// SPDX-License-Identifier: GPL-2.0
/* KUnit tests of rates. */
#include <kunit/test.h>
#include <linux/bits.h>
#include <linux/ktime.h>
#include <linux/ivshm_netlink.h>

#include "qp.h"
#include "rate.h"

/* A frame of @len: 0, it went, or when it may. */
static u64 rate_take(struct ivshm_bucket *b, u32 len, u64 now)
{
	u64 at = 0;

	return ivshm_bucket_take(b, &len, 1, now, &at) ? 0 : at;
}

/* Frames of @len that go until @end, tried whenever the bucket says so. */
static u64 rate_greedy(struct ivshm_bucket *b, u32 len, u64 now, u64 end)
{
	u64 nr = 0, at;

	while (now < end) {
		at = rate_take(b, len, now);
		if (at)
			now = at;
		else
			nr++;
	}
	return nr;
}

static void rate_none_test(struct kunit *test)
{
	struct ivshm_bucket b = {};
	u32 i;

	ivshm_bucket_init(&b);
	/* As for a coupling that never had one, and one that lost it. */
	for (i = 0; i < 10000; i++)
		KUNIT_ASSERT_EQ(test, rate_take(&b, IVSHM_FRAME_MAX, 5), 0ULL);
	ivshm_bucket_set(&b, 1, 1, 5);
	ivshm_bucket_set(&b, 0, 0, 5);
	for (i = 0; i < 10000; i++)
		KUNIT_ASSERT_EQ(test, rate_take(&b, IVSHM_FRAME_MAX, 5), 0ULL);
}

static void rate_burst_test(struct kunit *test)
{
	struct ivshm_bucket b = {};

	ivshm_bucket_init(&b);
	/* At least so much, however low the rate is. */
	ivshm_bucket_set(&b, 0, 1, 1000);
	KUNIT_EXPECT_EQ(test, rate_greedy(&b, 60, 1000, 1001), (u64)IVSHM_RATE_BURST_FRAMES);
	KUNIT_EXPECT_EQ(test, rate_take(&b, 60, 1000), 1000ULL + 1);
	KUNIT_EXPECT_EQ(test, rate_take(&b, 60, 1001), 0ULL);
	/* That one was not quite there: the rest of it is to come first. */
	KUNIT_EXPECT_EQ(test, rate_take(&b, 60, 1001), 1001ULL + NSEC_PER_SEC);

	ivshm_bucket_set(&b, 1000, 0, 1000);
	KUNIT_EXPECT_EQ(test, rate_greedy(&b, 1024, 1000, 1001),
			(u64)IVSHM_RATE_BURST_BYTES / 1024);
	/* Else that of some milliseconds, and no more after a long pause. */
	ivshm_bucket_set(&b, 100000000, 0, 1000);
	KUNIT_EXPECT_EQ(test, rate_greedy(&b, 1000, 1000, 1001), 1000ULL);
	KUNIT_EXPECT_EQ(test, rate_greedy(&b, 1000, NSEC_PER_SEC, NSEC_PER_SEC + 1), 1000ULL);
	KUNIT_EXPECT_EQ(test, rate_greedy(&b, 1000, NSEC_PER_SEC + 15000000,
					  NSEC_PER_SEC + 15000001), 1000ULL);
	ivshm_bucket_set(&b, 0, 1000000, 1000);
	KUNIT_EXPECT_EQ(test, rate_greedy(&b, 1, 1000, 1001), 10000ULL);
}

/* In two seconds: what the rate says and the burst, to less than a frame. */
static void rate_exact_test(struct kunit *test)
{
	static const u64 rates[] = { 1, 7, 1000, 65557, 1000003, 12500000, 1000000000 };
	static const u32 lens[] = { 14, 1514, IVSHM_FRAME_MAX };
	struct ivshm_bucket b = {};
	u64 sent, most, burst;
	int i, j;

	ivshm_bucket_init(&b);
	for (i = 0; i < ARRAY_SIZE(rates); i++) {
		for (j = 0; j < ARRAY_SIZE(lens); j++) {
			if (rates[i] / lens[j] > 20000)
				continue;
			ivshm_bucket_set(&b, rates[i], 0, 0);
			burst = max_t(u64, rates[i] * IVSHM_RATE_BURST_MS / MSEC_PER_SEC,
				      IVSHM_RATE_BURST_BYTES);
			most = rates[i] * 2 + burst;
			sent = lens[j] * rate_greedy(&b, lens[j], 0, 2ULL * NSEC_PER_SEC);
			KUNIT_EXPECT_LT(test, sent, most + lens[j]);
			KUNIT_EXPECT_GT(test, sent + lens[j], most - 1);
		}
	}
	ivshm_bucket_set(&b, 0, 12345, 0);
	sent = rate_greedy(&b, 60, 0, 2ULL * NSEC_PER_SEC);
	KUNIT_EXPECT_GE(test, sent, 2 * 12345ULL + 123);
	KUNIT_EXPECT_LE(test, sent, 2 * 12345ULL + 124);
}

/* The scarcer of both counts, and a frame that does not go takes nothing. */
static void rate_both_test(struct kunit *test)
{
	struct ivshm_bucket b = {};
	u64 now = 0, sent;
	int i;

	ivshm_bucket_init(&b);
	ivshm_bucket_set(&b, 1000000, 1000, 0);
	/* Bytes: a hundred large frames a second. */
	rate_greedy(&b, 10000, 0, NSEC_PER_SEC);
	sent = rate_greedy(&b, 10000, NSEC_PER_SEC, 3ULL * NSEC_PER_SEC);
	KUNIT_EXPECT_GE(test, sent, 199ULL);
	KUNIT_EXPECT_LE(test, sent, 201ULL);
	/* Frames: a thousand small ones, but for a burst once. */
	rate_greedy(&b, 60, 3ULL * NSEC_PER_SEC, 4ULL * NSEC_PER_SEC);
	sent = rate_greedy(&b, 60, 4ULL * NSEC_PER_SEC, 6ULL * NSEC_PER_SEC);
	KUNIT_EXPECT_GE(test, sent, 1999ULL);
	KUNIT_EXPECT_LE(test, sent, 2001ULL);
	/* Asking often changes nothing, nor does a clock that is behind. */
	ivshm_bucket_set(&b, 0, 1000, 0);
	rate_greedy(&b, 60, 0, 1);
	for (i = 0, sent = 0; i < 100000; i++) {
		now += 10000;
		sent += !rate_take(&b, 60, now);
		sent += !rate_take(&b, 60, now / 2);
	}
	KUNIT_EXPECT_LE(test, sent, 1001ULL);
	KUNIT_EXPECT_GE(test, sent, 999ULL);
}

/* Of several at once those in front go, as they would one by one. */
static void rate_run_test(struct kunit *test)
{
	struct ivshm_bucket b = {}, one = {};
	u64 now, at, next;
	u32 len[40], i, n;

	ivshm_bucket_init(&b);
	ivshm_bucket_init(&one);
	for (i = 0; i < ARRAY_SIZE(len); i++)
		len[i] = 60 + 700 * (i % 5);
	ivshm_bucket_set(&b, 1000000, 1000, 0);
	ivshm_bucket_set(&one, 1000000, 1000, 0);
	for (now = 0; now < NSEC_PER_SEC; now += 7 * NSEC_PER_MSEC) {
		at = 0;
		n = ivshm_bucket_take(&b, len, ARRAY_SIZE(len), now, &at);
		for (i = 0, next = 0; i < ARRAY_SIZE(len) && !next; i += !next)
			next = rate_take(&one, len[i], now);
		KUNIT_ASSERT_EQ(test, n, i);
		KUNIT_ASSERT_EQ(test, at, next);
		KUNIT_ASSERT_EQ(test, b.bytes.left, one.bytes.left);
		KUNIT_ASSERT_EQ(test, b.frames.left, one.frames.left);
	}
	KUNIT_EXPECT_LT(test, n, (u32)ARRAY_SIZE(len));
	/* No frames, no tokens. */
	at = 5;
	KUNIT_EXPECT_EQ(test, ivshm_bucket_take(&b, len, 0, now, &at), 0U);
	KUNIT_EXPECT_EQ(test, at, 5ULL);
}

/* Nothing overflows at the ends of what can be asked for. */
static void rate_limits_test(struct kunit *test)
{
	struct ivshm_bucket b = {};
	u64 now = U64_MAX / 2;

	ivshm_bucket_init(&b);
	ivshm_bucket_set(&b, IVSHM_RATE_BYTES_MAX, IVSHM_RATE_FRAMES_MAX, 0);
	KUNIT_EXPECT_GT(test, b.bytes.burst, 0LL);
	KUNIT_EXPECT_EQ(test, rate_take(&b, IVSHM_FRAME_MAX, now), 0ULL);
	KUNIT_EXPECT_GT(test, b.bytes.left, 0LL);
	KUNIT_EXPECT_LE(test, b.bytes.left, b.bytes.burst);
	/* Tokens of a pause whose number is just too large to be counted. */
	ivshm_bucket_set(&b, BIT_ULL(30), 0, 0);
	rate_greedy(&b, IVSHM_FRAME_MAX, 0, 1);
	KUNIT_EXPECT_EQ(test, rate_take(&b, 0, BIT_ULL(34)), 0ULL);
	KUNIT_EXPECT_EQ(test, b.bytes.left, b.bytes.burst);
	ivshm_bucket_set(&b, 1, 1, 0);
	rate_greedy(&b, IVSHM_FRAME_MAX, 0, 1);
	KUNIT_EXPECT_GT(test, rate_take(&b, IVSHM_FRAME_MAX, 0), (u64)NSEC_PER_SEC);
	/* A year later. */
	now = 31536000ULL * NSEC_PER_SEC;
	KUNIT_EXPECT_EQ(test, rate_take(&b, 1, now), 0ULL);
}

static struct kunit_case rate_cases[] = {
	KUNIT_CASE(rate_none_test),
	KUNIT_CASE(rate_burst_test),
	KUNIT_CASE(rate_exact_test),
	KUNIT_CASE(rate_both_test),
	KUNIT_CASE(rate_run_test),
	KUNIT_CASE(rate_limits_test),
	{}
};

static struct kunit_suite rate_suite = {
	.name = "ivshm-rate",
	.test_cases = rate_cases,
};

kunit_test_suite(rate_suite);
