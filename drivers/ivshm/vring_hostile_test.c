// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of the ring with a guest that breaks the rules: the ring says so
 * within bounded time and memory, and touches nothing any more.
 */
#include "vring_test.h"

/* The next chain breaks the ring. */
static void expect_broken(struct kunit *test, const char *why)
{
	struct mock_ring *r = test->priv;
	u16 last_avail = r->vr.last_avail;

	KUNIT_EXPECT_EQ_MSG(test, mock_ring_pop(r), -EINVAL, "%s", why);
	KUNIT_EXPECT_TRUE_MSG(test, r->vr.broken, "%s", why);
	KUNIT_EXPECT_EQ_MSG(test, r->vr.last_avail, last_avail, "%s", why);
}

/* Entries i of [0, n) lead to i + 1; all the same but the last one. */
static void line(struct kunit *test, u64 gpa, u32 n, u32 len, u16 flags)
{
	struct mock_ring *r = test->priv;
	u32 i;

	for (i = 0; i < n; i++)
		mock_write_desc(&r->m, gpa + 16 * i, 0x1000, len,
				flags | (i < n - 1 ? D_NEXT : 0), i + 1);
}

/* Descriptors of length zero are legal (CVE-2019-14835, CVE-2023-5158) */
static void zero_chains(struct kunit *test)
{
	static const u32 lens[] = { 1, 2, 15, 16, 17, 1024, 1025, 4096, 32767,
				    32768, 65535, 65536 };
	struct mock_ring *r = ring(test, 32768, ALL_FEATURES, 0);
	u32 i, n;

	for (i = 0; i < 2 * ARRAY_SIZE(lens); i++) {
		u16 flags = i & 1 ? D_WRITE : 0;

		n = lens[i / 2];
		if (n <= 32768) {
			line(test, r->m.desc, n, 0, flags);
			mock_offer(&r->m, 0);
			KUNIT_ASSERT_EQ(test, mock_ring_pop(r), 0);
			KUNIT_EXPECT_EQ(test, r->chain.nr_desc, n);
			KUNIT_EXPECT_EQ(test, r->chain.nr_out, 0);
			KUNIT_EXPECT_EQ(test, r->chain.nr_in, 0);
			mock_ring_push(r, 0, 0);
		}

		line(test, MOCK_TABLE, n, 0, flags);
		mock_write_desc(&r->m, MOCK_TABLE + 16 * (n - 1), 0x2000, 5,
				flags, 0);
		mock_desc(&r->m, 0, MOCK_TABLE, 16 * n, D_INDIRECT, 0);
		mock_offer(&r->m, 0);
		KUNIT_ASSERT_EQ(test, mock_ring_pop(r), 0);
		KUNIT_EXPECT_EQ(test, r->chain.nr_desc, n);
		KUNIT_EXPECT_EQ(test, r->chain.nr_out, !flags);
		KUNIT_EXPECT_EQ(test, r->chain.nr_in, !!flags);
		KUNIT_EXPECT_EQ(test, r->chain.in_len, flags ? 5U : 0U);
		expect_seg(test, 0, 0x2000, 5);
		mock_ring_push(r, 0, 0);
	}
}

/* A tail of @tail entries, then a cycle of @cycle; none has a length. */
static void loop(struct kunit *test, u64 gpa, u32 tail, u32 cycle)
{
	line(test, gpa, tail + cycle, 0, 0);
	mock_write_desc(&((struct mock_ring *)test->priv)->m,
			gpa + 16 * (tail + cycle - 1), 0, 0, D_NEXT, tail);
}

static void loops(struct kunit *test)
{
	static const struct { u32 tail, cycle; } loops[] = {
		{ 0, 1 }, { 0, 2 }, { 0, 3 }, { 1, 1 }, { 5, 2 }, { 100, 17 },
		{ 0, 255 }, { 0, 256 }, { 255, 1 }, { 128, 128 },
	};
	struct mock_ring *r;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(loops); i++) {
		r = ring(test, 256, ALL_FEATURES, 0);
		loop(test, r->m.desc, loops[i].tail, loops[i].cycle);
		mock_offer(&r->m, 0);
		expect_broken(test, "ring");
		KUNIT_EXPECT_LE(test, r->chain.nr_desc, 256);

		r = ring(test, 256, ALL_FEATURES, 0);
		loop(test, MOCK_TABLE, loops[i].tail, loops[i].cycle);
		mock_desc(&r->m, 0, MOCK_TABLE, 16 * 256, D_INDIRECT, 0);
		mock_offer(&r->m, 0);
		expect_broken(test, "table");
		KUNIT_EXPECT_LE(test, r->chain.nr_desc, 256);
		KUNIT_EXPECT_LE(test, r->m.reads, 256);
	}

	/* The smallest ring and table, the largest table at its worst */
	r = ring(test, 1, ALL_FEATURES, 0);
	loop(test, r->m.desc, 0, 1);
	mock_offer(&r->m, 0);
	expect_broken(test, "ring of 1");

	r = ring(test, 1, ALL_FEATURES, 0);
	loop(test, MOCK_TABLE, 0, 1);
	mock_desc(&r->m, 0, MOCK_TABLE, 16, D_INDIRECT, 0);
	mock_offer(&r->m, 0);
	expect_broken(test, "table of 1");
	KUNIT_EXPECT_EQ(test, r->m.reads, 1);

	r = ring(test, 1, ALL_FEATURES, 0);
	mock_write_desc(&r->m, MOCK_TABLE, 0, 0, D_NEXT, 65535);
	mock_write_desc(&r->m, MOCK_TABLE + 16 * 65535, 0, 0, D_NEXT, 0);
	mock_desc(&r->m, 0, MOCK_TABLE, 16 * 65536, D_INDIRECT, 0);
	mock_offer(&r->m, 0);
	expect_broken(test, "far jumps");
	KUNIT_EXPECT_LE(test, r->m.reads, 65536);
	KUNIT_EXPECT_LE(test, r->m.read_bytes, 65536 * 256);
}

struct abuse {
	const char *why;
	u64 addr;
	u32 len;
	u16 flags;
	u32 features;
	/* Is it so good that the table is looked at? */
	u32 reads;
};

static void indirect_abuse(struct kunit *test)
{
	static const struct abuse abuse[] = {
		{ "length 0", MOCK_TABLE, 0, D_INDIRECT, ALL_FEATURES },
		{ "length 1", MOCK_TABLE, 1, D_INDIRECT, ALL_FEATURES },
		{ "length 15", MOCK_TABLE, 15, D_INDIRECT, ALL_FEATURES },
		{ "length 17", MOCK_TABLE, 17, D_INDIRECT, ALL_FEATURES },
		{ "length 31", MOCK_TABLE, 31, D_INDIRECT, ALL_FEATURES },
		{ "65537 entries", MOCK_TABLE, 65537 * 16, D_INDIRECT,
		  ALL_FEATURES },
		{ "4 GiB", MOCK_TABLE, 0xfffffff0, D_INDIRECT, ALL_FEATURES },
		{ "also NEXT", MOCK_TABLE, 16, D_INDIRECT | D_NEXT,
		  ALL_FEATURES },
		{ "no memory", MOCK_GPA + MOCK_SIZE, 16, D_INDIRECT,
		  ALL_FEATURES, 1 },
		{ "memory ends", MOCK_GPA + MOCK_SIZE - 16, 64, D_INDIRECT,
		  ALL_FEATURES, 1 },
		{ "addresses end", -16ULL, 32, D_INDIRECT, ALL_FEATURES },
		{ "not negotiated", MOCK_TABLE, 16, D_INDIRECT, MOCK_LE },
	};
	struct mock_ring *r;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(abuse); i++) {
		r = ring(test, 4, abuse[i].features, 0);
		line(test, MOCK_TABLE, 1, 5, 0);
		mock_write_desc(&r->m, MOCK_GPA + MOCK_SIZE - 16, 0, 0, D_NEXT, 1);
		mock_desc(&r->m, 1, abuse[i].addr, abuse[i].len,
			  abuse[i].flags, 2);
		mock_desc(&r->m, 2, 0x1000, 5, 0, 0);
		mock_offer(&r->m, 1);
		expect_broken(test, abuse[i].why);
		KUNIT_EXPECT_EQ_MSG(test, r->m.reads, abuse[i].reads, "%s",
				    abuse[i].why);
	}
}

static void indirect_entries(struct kunit *test)
{
	static const struct abuse abuse[] = {
		{ "nested", MOCK_TABLE, 16, D_INDIRECT, ALL_FEATURES, 1 },
		{ "nested WRITE", MOCK_TABLE, 16, D_INDIRECT | D_WRITE,
		  ALL_FEATURES, 1 },
		{ "nested, more", MOCK_TABLE, 16, D_INDIRECT | D_NEXT,
		  ALL_FEATURES, 1 },
		{ "next is outside", 0x1000, 5, D_NEXT, ALL_FEATURES, 1 },
		{ "address wraps", -4ULL, 5, 0, ALL_FEATURES, 1 },
	};
	struct mock_ring *r;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(abuse); i++) {
		r = ring(test, 32, abuse[i].features, 0);
		mock_write_desc(&r->m, MOCK_TABLE, 0x1000, 1, D_NEXT, 3);
		mock_write_desc(&r->m, MOCK_TABLE + 48, abuse[i].addr,
				abuse[i].len, abuse[i].flags, 4);
		/* What lies behind the table is a good descriptor. */
		mock_write_desc(&r->m, MOCK_TABLE + 64, 0x1000, 1, 0, 0);
		mock_desc(&r->m, 0, MOCK_TABLE, 64, D_INDIRECT, 0);
		mock_offer(&r->m, 0);
		expect_broken(test, abuse[i].why);
		KUNIT_EXPECT_LE_MSG(test, r->chain.nr_desc, 2, "%s",
				    abuse[i].why);
	}
}

/* The table's memory is not there just now: later it works. */
static void indirect_absent(struct kunit *test)
{
	struct mock_ring *r = ring(test, 4, ALL_FEATURES, 0);
	u32 first = (MOCK_TABLE - MOCK_GPA) >> PAGE_SHIFT;
	u32 i;

	line(test, MOCK_TABLE + 8, 600, 1, D_WRITE);
	mock_desc(&r->m, 2, MOCK_TABLE + 8, 600 * 16, D_INDIRECT, 0);
	mock_offer(&r->m, 2);
	for (i = 0; i < 3; i++)
		r->m.absent[first + i] = true;
	for (i = 0; i < 3; i++) {
		KUNIT_EXPECT_EQ(test, mock_ring_pop(r), -EAGAIN);
		KUNIT_EXPECT_FALSE(test, r->vr.broken);
		KUNIT_EXPECT_EQ(test, r->vr.last_avail, 0);
		KUNIT_EXPECT_TRUE(test, ivshm_vring_pending(&r->vr));
		r->m.absent[first + i] = false;
	}
	KUNIT_EXPECT_EQ(test, mock_ring_pop(r), 0);
	KUNIT_EXPECT_EQ(test, r->chain.head, 2);
	KUNIT_EXPECT_EQ(test, r->chain.nr_in, 600);
}

static void indices(struct kunit *test)
{
	static const u16 next[] = { 4, 5, 255, 4096, 32768, 65535 };
	struct mock_ring *r;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(next); i++) {
		r = ring(test, 4, ALL_FEATURES, 0);
		mock_offer(&r->m, next[i]);
		expect_broken(test, "head");

		r = ring(test, 4, ALL_FEATURES, 0);
		mock_desc(&r->m, 3, 0x1000, 5, D_NEXT, next[i]);
		mock_offer(&r->m, 3);
		expect_broken(test, "next");
	}
}

/* The available index says more than there can be. */
static void avail_jumps(struct kunit *test)
{
	static const u32 nums[] = { 1, 2, 256, 16384, 32768 };
	struct mock_ring *r;
	u32 i, j;

	for (i = 0; i < ARRAY_SIZE(nums); i++) {
		u16 wild[] = { nums[i] + 1, -1, -2, 32769, 65000 };

		for (j = 0; j < ARRAY_SIZE(wild); j++) {
			r = ring(test, nums[i], ALL_FEATURES, 65530);
			mock_set_avail_idx(&r->m, (u16)(65530 + wild[j]));
			KUNIT_EXPECT_TRUE(test, ivshm_vring_pending(&r->vr));
			expect_broken(test, "jump");
		}

		/* All of them at once is fine. */
		r = ring(test, nums[i], ALL_FEATURES, 65530);
		mock_set_avail_idx(&r->m, (u16)(65530 + nums[i]));
		mock_desc(&r->m, 0, 0x1000, 1, 0, 0);
		for (j = 0; j < nums[i]; j++)
			KUNIT_ASSERT_EQ(test, mock_ring_pop(r), 0);
		KUNIT_EXPECT_EQ(test, mock_ring_pop(r), -ENOENT);

		/* Back by one, after all were taken */
		mock_set_avail_idx(&r->m, r->m.avail_idx - 1);
		expect_broken(test, "back");
	}
}

/* More on their way than the ring has entries, then given back. */
static void overcommit(struct kunit *test)
{
	struct ivshm_vring_used used[11];
	struct mock_ring *r = ring(test, 4, ALL_FEATURES, 0);
	u32 i;

	for (i = 0; i < 11; i++) {
		mock_offer_one(&r->m, 1, 9, 0);
		KUNIT_ASSERT_EQ(test, mock_ring_pop(r), 0);
		used[i].id = i;
		used[i].len = 0;
	}
	ivshm_vring_push(&r->vr, used, 11);
	KUNIT_EXPECT_EQ(test, mock_used_idx(&r->m), 11);
	for (i = 7; i < 11; i++)
		KUNIT_EXPECT_EQ(test, mock_used_id(&r->m, i), i);

	/* unpop finds them beyond what the guest may offer at a time */
	for (i = 0; i < 8; i++) {
		mock_offer_one(&r->m, 1, 9, 0);
		if (i < 4)
			KUNIT_ASSERT_EQ(test, mock_ring_pop(r), 0);
	}
	KUNIT_ASSERT_EQ(test, mock_ring_pop(r), 0);
	ivshm_vring_unpop(&r->vr, 5);
	expect_broken(test, "unpop");
}

static void order(struct kunit *test)
{
	u32 len;

	for (len = 0; len < 2; len++) {
		struct mock_ring *r = ring(test, 4, ALL_FEATURES, 0);

		mock_desc(&r->m, 0, 0x1000, len, D_NEXT | D_WRITE, 1);
		mock_desc(&r->m, 1, 0x1000, 1, 0, 0);
		mock_offer(&r->m, 0);
		expect_broken(test, "readable after writable");

		r = ring(test, 4, ALL_FEATURES, 0);
		mock_desc(&r->m, 0, 0x1000, 1, D_NEXT | D_WRITE, 1);
		mock_desc(&r->m, 1, MOCK_TABLE, 16, D_INDIRECT, 0);
		mock_write_desc(&r->m, MOCK_TABLE, 0x1000, len, 0, 0);
		mock_offer(&r->m, 0);
		expect_broken(test, "readable after writable in a table");
	}
}

struct lengths {
	const char *why;
	u32 out[2], in[2];
	bool good;
};

static void lengths(struct kunit *test)
{
	static const struct lengths lens[] = {
		{ "64 KiB", { 65536, 65535 }, { 65536, 1 << 30 }, true },
		{ "most", { U32_MAX - 3, 1 }, { 1, 1 }, true },
		{ "one more", { U32_MAX - 3, 1 }, { 1, 2 }, false },
		{ "out", { U32_MAX, 1 }, { 0, 0 }, false },
		{ "in", { 0, 0 }, { 1, U32_MAX }, false },
		{ "both", { U32_MAX, 0 }, { U32_MAX, 0 }, false },
		{ "2 + 2 GiB", { 1U << 31, 0 }, { 0, 1U << 31 }, false },
	};
	struct mock_ring *r;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(lens); i++) {
		const struct lengths *l = &lens[i];

		r = ring(test, 4, ALL_FEATURES, 0);
		mock_desc(&r->m, 0, 0x1000, l->out[0], D_NEXT, 1);
		mock_desc(&r->m, 1, 0x1000, l->out[1], D_NEXT, 2);
		mock_desc(&r->m, 2, 0x1000, l->in[0], D_NEXT | D_WRITE, 3);
		mock_desc(&r->m, 3, 0x1000, l->in[1], D_WRITE, 0);
		mock_offer(&r->m, 0);
		if (!l->good) {
			expect_broken(test, l->why);
			continue;
		}
		KUNIT_EXPECT_EQ_MSG(test, mock_ring_pop(r), 0, "%s", l->why);
		KUNIT_EXPECT_EQ(test, r->chain.out_len, l->out[0] + l->out[1]);
		KUNIT_EXPECT_EQ(test, r->chain.in_len, l->in[0] + l->in[1]);
	}

	/* Around the end of the address space */
	r = ring(test, 4, ALL_FEATURES, 0);
	mock_desc(&r->m, 0, -8ULL, 8, 0, 0);
	mock_offer(&r->m, 0);
	KUNIT_EXPECT_EQ(test, mock_ring_pop(r), 0);
	mock_desc(&r->m, 0, -8ULL, 9, 0, 0);
	mock_offer(&r->m, 0);
	expect_broken(test, "address wraps");
}

static void too_many_segs(struct kunit *test)
{
	struct mock_ring *r = ring(test, 2048, ALL_FEATURES, 0);

	line(test, r->m.desc, IVSHM_VRING_MAX_SEGS + 1, 1, 0);
	mock_offer(&r->m, 0);
	expect_broken(test, "direct");

	r = ring(test, 4, ALL_FEATURES, 0);
	line(test, MOCK_TABLE, IVSHM_VRING_MAX_SEGS + 1, 1, 0);
	mock_desc(&r->m, 0, MOCK_TABLE, 16 * (IVSHM_VRING_MAX_SEGS + 1),
		  D_INDIRECT, 0);
	mock_offer(&r->m, 0);
	expect_broken(test, "table");

	/* No room for a chain that is bad anyway: -ENOSPC would be a lie. */
	r = ring(test, 2048, ALL_FEATURES, 0);
	line(test, r->m.desc, IVSHM_VRING_MAX_SEGS + 1, 1, 0);
	mock_offer(&r->m, 0);
	KUNIT_EXPECT_EQ(test, ivshm_vring_pop(&r->vr, &r->chain, r->segs, 4),
			-EINVAL);
	KUNIT_EXPECT_TRUE(test, r->vr.broken);
}

/* A broken ring is neither read nor written until it is started again. */
static void stays_broken(struct kunit *test)
{
	struct mock_ring *r = ring(test, 8, ALL_FEATURES, 0);
	u32 i;

	for (i = 0; i < 2; i++) {
		mock_offer_one(&r->m, 0, 5, 0);
		mock_offer(&r->m, 8);
		KUNIT_EXPECT_EQ(test, mock_ring_pop(r), 0);
		expect_broken(test, "head");

		/* Good again, but too late */
		mock_set_avail_idx(&r->m, r->m.avail_idx - 1);
		mock_offer_one(&r->m, 1, 5, 0);
		mock_clear_log(&r->m);
		KUNIT_EXPECT_FALSE(test, ivshm_vring_pending(&r->vr));
		KUNIT_EXPECT_EQ(test, mock_ring_pop(r), -EINVAL);
		mock_ring_push(r, 0, 0);
		KUNIT_EXPECT_FALSE(test, ivshm_vring_should_signal(&r->vr));
		KUNIT_EXPECT_FALSE(test, ivshm_vring_enable_kick(&r->vr));
		ivshm_vring_disable_kick(&r->vr);
		KUNIT_EXPECT_EQ(test, ivshm_vring_begin(&r->vr, 2 + i), 0);
		KUNIT_EXPECT_EQ(test, mock_ring_pop(r), -EINVAL);
		KUNIT_EXPECT_EQ(test, r->m.log_calls, 0);
		KUNIT_EXPECT_EQ(test, mock_used_idx(&r->m), 0);

		/* Without events there are flags that must not be written. */
		r->vr.event_idx = false;
		KUNIT_EXPECT_EQ(test, ivshm_vring_begin(&r->vr, 2 + i), 0);
		ivshm_vring_disable_kick(&r->vr);
		KUNIT_EXPECT_FALSE(test, ivshm_vring_enable_kick(&r->vr));
		KUNIT_EXPECT_FALSE(test, ivshm_vring_should_signal(&r->vr));
		KUNIT_EXPECT_EQ(test, r->m.log_calls, 0);
		r->vr.event_idx = true;
		KUNIT_EXPECT_EQ(test, ivshm_vring_begin(&r->vr, 2 + i), 0);

		ivshm_vring_start(&r->vr, r->vr.last_avail);
		KUNIT_EXPECT_FALSE(test, r->vr.broken);
		KUNIT_EXPECT_EQ(test, mock_ring_pop(r), 0);
		KUNIT_EXPECT_EQ(test, r->chain.head, 1);
	}
}

/* What the device wrote is not what it believes. */
static void used_rewritten(struct kunit *test)
{
	struct mock_ring *r = ring(test, 8, MOCK_LE, 0);

	mock_ring_push(r, 1, 1);
	memset(mock_at(&r->m, r->m.used), 0xff, MOCK_USED_SIZE(8));
	mock_ring_push(r, 2, 2);
	KUNIT_EXPECT_EQ(test, mock_used_idx(&r->m), 2);
	KUNIT_EXPECT_EQ(test, mock_used_id(&r->m, 1), 2);
	ivshm_vring_disable_kick(&r->vr);
	KUNIT_EXPECT_EQ(test, mock_used_flags(&r->m), VRING_USED_F_NO_NOTIFY);
	ivshm_vring_enable_kick(&r->vr);
	KUNIT_EXPECT_EQ(test, mock_used_flags(&r->m), 0);
}

static u32 random_next(u32 *state)
{
	*state = *state * 1664525 + 1013904223;
	return *state >> 8;
}

/* Garbage, with enough sense in it to get far. */
static void garbage(struct kunit *test)
{
	struct mock_ring *r = ring(test, 32, ALL_FEATURES, 0);
	u32 i, j, taken = 0, state = 1;
	int err;

	for (i = 0; i < 20000; i++) {
		for (j = 0; j < 8; j++) {
			u32 n = random_next(&state);
			u32 len = n & 0x300 ? n >> 10 & 0x3ff : n << 16;
			u16 flags = n >> 20 & (n & 0x1000 ? 1 : 7);

			mock_desc(&r->m, n % 32, MOCK_TABLE, len & ~15U, flags,
				  random_next(&state) % 34);
			mock_write_desc(&r->m, MOCK_TABLE + 16 * (n % 64),
					0x1000, n % 5000, n >> 18 & 3, n % 48);
		}
		mock_offer(&r->m, random_next(&state) % 33);
		if (!(random_next(&state) % 128))
			mock_set_avail_idx(&r->m, random_next(&state));

		err = mock_ring_pop(r);
		if (!err) {
			u64 sum = 0;

			for (j = 0; j < r->chain.nr_out + r->chain.nr_in; j++)
				sum += r->segs[j].len;
			KUNIT_ASSERT_EQ(test, sum, (u64)r->chain.out_len +
						   r->chain.in_len);
			KUNIT_ASSERT_LT(test, r->chain.head, 32);
			mock_ring_push(r, r->chain.head, r->chain.in_len);
			taken++;
		} else {
			KUNIT_ASSERT_EQ(test, err, -EINVAL);
			mock_ring_start(r, random_next(&state));
		}
		ivshm_vring_should_signal(&r->vr);
		ivshm_vring_enable_kick(&r->vr);
	}
	/* Neither all refused nor all taken, or this tests nothing. */
	KUNIT_EXPECT_GT(test, taken, 2000);
	KUNIT_EXPECT_LT(test, taken, 18000);
}

/* A descriptor of a short chain, most of them as they should be. */
static u16 few_flags(u32 n)
{
	static const u16 flags[] = { D_NEXT, D_NEXT, D_NEXT, 0, 0, D_WRITE, D_NEXT | D_WRITE,
				     D_INDIRECT };

	return flags[n % ARRAY_SIZE(flags)];
}

/* What is taken in short is what is taken in full. */
static void few_agrees(struct kunit *test)
{
	struct mock_ring *r = ring(test, 8, ALL_FEATURES, 0);
	static const u32 lens[] = { 16, 32, 48, 64, 17, 31, 33, 63, 65, 79, 80, 0 };
	u32 i, j, n, taken = 0, tables = 0, state = 7;
	struct ivshm_vring_few few;

	for (i = 0; i < 20000; i++) {
		u16 flags = i & 1 ? D_WRITE : 0;

		for (j = 0; j < 6; j++) {
			n = random_next(&state);
			mock_write_desc(&r->m, MOCK_TABLE + 16 * j, 0x1000 * (j + 1),
					n >> 8 & 15 ? 10 + j : 0, few_flags(n >> 16),
					n & 0x10 ? j + 1 : n % 8);
		}
		for (j = 0; j < 8; j++) {
			n = random_next(&state);
			mock_desc(&r->m, j, 0x1000 * j, n >> 8 & 15 ? 20 + j : 0,
				  few_flags(n >> 16) | flags, n % 9);
		}
		n = random_next(&state);
		if (n & 1)
			mock_desc(&r->m, 0, MOCK_TABLE, lens[(n >> 8) % ARRAY_SIZE(lens)],
				  D_INDIRECT, 0);
		mock_offer(&r->m, 0);

		n = ivshm_vring_pop_few(&r->vr, &few, 1, flags);
		ivshm_vring_unpop(&r->vr, n);
		if (mock_ring_pop(r)) {
			KUNIT_ASSERT_EQ(test, n, 0);
			mock_ring_start(r, random_next(&state));
			continue;
		}
		mock_ring_push(r, r->chain.head, 0);
		if (!n)
			continue;
		KUNIT_ASSERT_EQ(test, few.nr, flags ? r->chain.nr_in : r->chain.nr_out);
		KUNIT_ASSERT_EQ(test, flags ? r->chain.nr_out : r->chain.nr_in, 0);
		KUNIT_ASSERT_EQ(test, few.len, flags ? r->chain.in_len : r->chain.out_len);
		for (j = 0; j < few.nr; j++) {
			KUNIT_ASSERT_EQ(test, few.seg[j].addr, r->segs[j].addr);
			KUNIT_ASSERT_EQ(test, few.seg[j].len, r->segs[j].len);
		}
		taken++;
		/* Where the table's are. */
		tables += few.seg[0].addr == 0x1000;
	}
	KUNIT_EXPECT_GT(test, taken, 2000);
	KUNIT_EXPECT_GT(test, tables, 200);
}

static struct kunit_case vring_hostile_test_cases[] = {
	KUNIT_CASE(zero_chains),
	KUNIT_CASE(loops),
	KUNIT_CASE(indirect_abuse),
	KUNIT_CASE(indirect_entries),
	KUNIT_CASE(indirect_absent),
	KUNIT_CASE(indices),
	KUNIT_CASE(avail_jumps),
	KUNIT_CASE(overcommit),
	KUNIT_CASE(order),
	KUNIT_CASE(lengths),
	KUNIT_CASE(too_many_segs),
	KUNIT_CASE(stays_broken),
	KUNIT_CASE(used_rewritten),
	KUNIT_CASE(garbage),
	KUNIT_CASE(few_agrees),
	{ }
};

static struct kunit_suite vring_hostile_test_suite = {
	.name = "ivshm-vring-hostile",
	.init = vring_test_init,
	.exit = vring_test_exit,
	.test_cases = vring_hostile_test_cases,
};

kunit_test_suite(vring_hostile_test_suite);
