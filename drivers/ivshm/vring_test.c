// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of the ring: what it does for a guest that keeps the rules.
 * For the other kind see vring_hostile_test.c.
 */
#include "vring_test.h"

/* Set-up */

static void set_num(struct kunit *test)
{
	static const u32 bad[] = { 0, 3, 24, 32767, 32769, 65536, U32_MAX };
	struct mock_ring *r = test->priv;
	u32 i;

	mock_ring_init(r, 1, 0);
	KUNIT_EXPECT_EQ(test, ivshm_vring_begin(&r->vr, 1), -EINVAL);
	KUNIT_EXPECT_EQ(test, ivshm_vring_set_addr(&r->vr, 0, 0, 0), -EINVAL);
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		KUNIT_EXPECT_EQ(test, ivshm_vring_set_num(&r->vr, bad[i]),
				-EINVAL);
	for (i = 1; i <= IVSHM_VRING_MAX_NUM; i *= 2)
		KUNIT_EXPECT_EQ(test, ivshm_vring_set_num(&r->vr, i), 0);

	/* The addresses set before go. */
	KUNIT_EXPECT_EQ(test, mock_ring_map(r), 0);
	KUNIT_EXPECT_EQ(test, ivshm_vring_set_num(&r->vr, 2), 0);
	KUNIT_EXPECT_EQ(test, ivshm_vring_begin(&r->vr, 1), -EINVAL);
}

static void set_addr(struct kunit *test)
{
	struct mock_ring *r = ring(test, 256, 0, 0);
	struct ivshm_vring *vr = &r->vr;
	u64 d = mock_hva(MOCK_DESC);
	u64 a = mock_hva(MOCK_AVAIL);
	u64 u = mock_hva(MOCK_USED);

	KUNIT_EXPECT_EQ(test, ivshm_vring_set_addr(vr, d + 8, a, u), -EINVAL);
	KUNIT_EXPECT_EQ(test, ivshm_vring_set_addr(vr, d, a + 1, u), -EINVAL);
	KUNIT_EXPECT_EQ(test, ivshm_vring_set_addr(vr, d, a, u + 2), -EINVAL);
	/* Past the end of the address space */
	KUNIT_EXPECT_EQ(test, ivshm_vring_set_addr(vr, -4080ULL, a, u), -EINVAL);
	KUNIT_EXPECT_EQ(test, ivshm_vring_set_addr(vr, d, -516ULL, u), -EINVAL);
	KUNIT_EXPECT_EQ(test, ivshm_vring_set_addr(vr, d, a, -2052ULL), -EINVAL);

	/* After a refusal the ring is as it was. */
	KUNIT_EXPECT_EQ(test, ivshm_vring_begin(vr, 1), 0);
	mock_offer_one(&r->m, 7, 1, 0);
	KUNIT_EXPECT_EQ(test, mock_ring_pop(r), 0);

	/* Least alignment */
	KUNIT_EXPECT_EQ(test, ivshm_vring_set_addr(vr, d + 16, a + 2, u + 4), 0);
	KUNIT_EXPECT_EQ(test, ivshm_vring_begin(vr, 1), 0);
}

static void start(struct kunit *test)
{
	struct mock_ring *r = ring(test, 8, ALL_FEATURES, 0);

	mock_set_used_idx(&r->m, 40);
	mock_put16(&r->m, r->m.used, 0xffff);
	mock_set_avail_idx(&r->m, 50);
	mock_offer_one(&r->m, 3, 64, 0);
	ivshm_vring_start(&r->vr, 50);
	KUNIT_EXPECT_EQ(test, r->vr.last_avail, 50);
	KUNIT_EXPECT_EQ(test, r->vr.last_used, 40);
	KUNIT_EXPECT_EQ(test, mock_used_flags(&r->m), 0);
	KUNIT_EXPECT_EQ(test, mock_avail_event(&r->m), 50);

	/* Available before the start */
	KUNIT_EXPECT_TRUE(test, ivshm_vring_pending(&r->vr));
	KUNIT_EXPECT_EQ(test, mock_ring_pop(r), 0);
	KUNIT_EXPECT_EQ(test, r->chain.head, 3);
	mock_ring_push(r, 3, 0);
	KUNIT_EXPECT_EQ(test, mock_used_idx(&r->m), 41);
	KUNIT_EXPECT_EQ(test, mock_used_id(&r->m, 40), 3);

	/*
	 * Who served the ring before may have left a signal undone: the first
	 * one is not suppressed, nor is the first after another start.
	 */
	mock_set_used_event(&r->m, 1000);
	KUNIT_EXPECT_TRUE(test, ivshm_vring_should_signal(&r->vr));
	mock_ring_push(r, 3, 0);
	KUNIT_EXPECT_FALSE(test, ivshm_vring_should_signal(&r->vr));
	ivshm_vring_start(&r->vr, 51);
	mock_ring_push(r, 3, 0);
	KUNIT_EXPECT_TRUE(test, ivshm_vring_should_signal(&r->vr));
}

/* Taking buffers */

static void direct(struct kunit *test)
{
	struct mock_ring *r = ring(test, 8, MOCK_LE, 0);

	KUNIT_EXPECT_FALSE(test, ivshm_vring_pending(&r->vr));
	KUNIT_EXPECT_EQ(test, mock_ring_pop(r), -ENOENT);

	mock_desc(&r->m, 5, MOCK_DATA + 77, 1514, 0, 0xffff);
	mock_offer(&r->m, 5);
	KUNIT_EXPECT_TRUE(test, ivshm_vring_pending(&r->vr));
	KUNIT_ASSERT_EQ(test, mock_ring_pop(r), 0);
	KUNIT_EXPECT_EQ(test, r->chain.head, 5);
	KUNIT_EXPECT_EQ(test, r->chain.nr_out, 1);
	KUNIT_EXPECT_EQ(test, r->chain.nr_in, 0);
	KUNIT_EXPECT_EQ(test, r->chain.out_len, 1514);
	KUNIT_EXPECT_EQ(test, r->chain.in_len, 0);
	KUNIT_EXPECT_EQ(test, r->chain.nr_desc, 1);
	expect_seg(test, 0, MOCK_DATA + 77, 1514);

	KUNIT_EXPECT_FALSE(test, ivshm_vring_pending(&r->vr));
	KUNIT_EXPECT_EQ(test, mock_ring_pop(r), -ENOENT);
}

static void chained(struct kunit *test)
{
	struct mock_ring *r = ring(test, 8, MOCK_LE, 0);

	/* All the entries of the ring, in no order */
	mock_desc(&r->m, 6, 0x1000, 10, D_NEXT, 2);
	mock_desc(&r->m, 2, 0x2000, 20, D_NEXT, 7);
	mock_desc(&r->m, 7, 0x3000, 30, D_NEXT | D_WRITE, 0);
	mock_desc(&r->m, 0, 0x4000, 40, D_NEXT | D_WRITE, 1);
	mock_desc(&r->m, 1, 0x5000, 50, D_NEXT | D_WRITE, 3);
	mock_desc(&r->m, 3, 0x6000, 60, D_NEXT | D_WRITE, 5);
	mock_desc(&r->m, 5, 0x7000, 70, D_NEXT | D_WRITE, 4);
	mock_desc(&r->m, 4, 0x8000, 80, D_WRITE, 6);
	mock_offer(&r->m, 6);
	KUNIT_ASSERT_EQ(test, mock_ring_pop(r), 0);
	KUNIT_EXPECT_EQ(test, r->chain.head, 6);
	KUNIT_EXPECT_EQ(test, r->chain.nr_out, 2);
	KUNIT_EXPECT_EQ(test, r->chain.nr_in, 6);
	KUNIT_EXPECT_EQ(test, r->chain.out_len, 30);
	KUNIT_EXPECT_EQ(test, r->chain.in_len, 330);
	KUNIT_EXPECT_EQ(test, r->chain.nr_desc, 8);
	expect_seg(test, 0, 0x1000, 10);
	expect_seg(test, 1, 0x2000, 20);
	expect_seg(test, 2, 0x3000, 30);
	expect_seg(test, 7, 0x8000, 80);
}

static void zero_length(struct kunit *test)
{
	struct mock_ring *r = ring(test, 8, MOCK_LE, 0);

	mock_desc(&r->m, 0, 0, 0, D_NEXT, 1);
	mock_desc(&r->m, 1, 0x1000, 10, D_NEXT, 2);
	mock_desc(&r->m, 2, ~0ULL, 0, D_NEXT | D_WRITE, 3);
	mock_desc(&r->m, 3, 0x2000, 20, D_NEXT | D_WRITE, 4);
	mock_desc(&r->m, 4, 0x3000, 0, D_WRITE, 0);
	mock_offer(&r->m, 0);
	KUNIT_ASSERT_EQ(test, mock_ring_pop(r), 0);
	KUNIT_EXPECT_EQ(test, r->chain.nr_out, 1);
	KUNIT_EXPECT_EQ(test, r->chain.nr_in, 1);
	KUNIT_EXPECT_EQ(test, r->chain.nr_desc, 5);
	expect_seg(test, 0, 0x1000, 10);
	expect_seg(test, 1, 0x2000, 20);
}

static void indirect(struct kunit *test)
{
	struct mock_ring *r = ring(test, 8, ALL_FEATURES, 0);
	/* The second entry lies across the edge of a page. */
	u64 table = MOCK_TABLE + PAGE_SIZE - 25;

	mock_write_desc(&r->m, table, 0x1000, 10, D_NEXT, 2);
	mock_write_desc(&r->m, table + 16, 0x3000, 30, D_WRITE, 0);
	mock_write_desc(&r->m, table + 32, 0x2000, 20, D_NEXT, 1);
	/* The flag WRITE of the referring descriptor means nothing. */
	mock_desc(&r->m, 3, table, 48, D_INDIRECT | D_WRITE, 0xffff);
	mock_offer(&r->m, 3);
	KUNIT_ASSERT_EQ(test, mock_ring_pop(r), 0);
	KUNIT_EXPECT_EQ(test, r->chain.head, 3);
	KUNIT_EXPECT_EQ(test, r->chain.nr_out, 2);
	KUNIT_EXPECT_EQ(test, r->chain.nr_in, 1);
	KUNIT_EXPECT_EQ(test, r->chain.nr_desc, 3);
	expect_seg(test, 0, 0x1000, 10);
	expect_seg(test, 1, 0x2000, 20);
	expect_seg(test, 2, 0x3000, 30);

	/* As the end of a chain of direct descriptors */
	mock_desc(&r->m, 0, 0x9000, 90, D_NEXT, 4);
	mock_desc(&r->m, 4, table, 48, D_INDIRECT, 0);
	mock_offer(&r->m, 0);
	KUNIT_ASSERT_EQ(test, mock_ring_pop(r), 0);
	KUNIT_EXPECT_EQ(test, r->chain.nr_out, 3);
	KUNIT_EXPECT_EQ(test, r->chain.nr_in, 1);
	expect_seg(test, 0, 0x9000, 90);
	expect_seg(test, 1, 0x1000, 10);
}

/* A table is fetched a number of entries at a time. */
static void indirect_pieces(struct kunit *test)
{
	struct mock_ring *r = ring(test, 8, ALL_FEATURES, 0);
	u32 i;

	for (i = 0; i < 100; i++)
		mock_write_desc(&r->m, MOCK_TABLE + 16 * i, 0x1000 * i, i + 1,
				i < 99 ? D_NEXT : 0, i + 1);
	mock_desc(&r->m, 0, MOCK_TABLE, 1600, D_INDIRECT, 0);
	mock_offer(&r->m, 0);
	KUNIT_ASSERT_EQ(test, mock_ring_pop(r), 0);
	KUNIT_EXPECT_EQ(test, r->chain.nr_out, 100);
	KUNIT_EXPECT_EQ(test, r->chain.out_len, 5050);
	for (i = 0; i < 100; i++)
		expect_seg(test, i, 0x1000 * i, i + 1);
	KUNIT_EXPECT_LE(test, r->m.reads, 7);
	KUNIT_EXPECT_EQ(test, r->m.read_bytes, 1600);

	/* Backwards, which no driver does */
	for (i = 0; i < 100; i++)
		mock_write_desc(&r->m, MOCK_TABLE + 16 * i, 0x1000 * i, i + 1,
				i != 1 ? D_NEXT : 0, i ? i - 1 : 99);
	mock_offer(&r->m, 0);
	KUNIT_ASSERT_EQ(test, mock_ring_pop(r), 0);
	KUNIT_EXPECT_EQ(test, r->chain.nr_out, 100);
	expect_seg(test, 0, 0, 1);
	for (i = 1; i < 100; i++)
		expect_seg(test, i, 0x1000 * (100 - i), 101 - i);
}

static void unpop(struct kunit *test)
{
	struct mock_ring *r = ring(test, 4, MOCK_LE, 65534);
	u16 i;

	for (i = 0; i < 4; i++)
		mock_offer_one(&r->m, i, 1 + i, 0);
	for (i = 0; i < 4; i++) {
		KUNIT_ASSERT_EQ(test, mock_ring_pop(r), 0);
		KUNIT_EXPECT_EQ(test, r->chain.head, i);
	}
	ivshm_vring_unpop(&r->vr, 3);
	KUNIT_EXPECT_EQ(test, r->vr.last_avail, 65535);
	KUNIT_EXPECT_TRUE(test, ivshm_vring_pending(&r->vr));
	for (i = 1; i < 4; i++) {
		KUNIT_ASSERT_EQ(test, mock_ring_pop(r), 0);
		KUNIT_EXPECT_EQ(test, r->chain.head, i);
		expect_seg(test, 0, MOCK_DATA + ((u64)i << 20), 1 + i);
	}
	KUNIT_EXPECT_EQ(test, mock_ring_pop(r), -ENOENT);
}

/* Short chains of all kinds, up to the first that is none. */
static void few(struct kunit *test)
{
	struct mock_ring *r = ring(test, 16, MOCK_LE | MOCK_INDIRECT, 65530);
	struct ivshm_vring_few f[8];
	u32 i;

	mock_offer_one(&r->m, 0, 100, 0);
	mock_desc(&r->m, 1, 0x1000, 10, D_NEXT, 7);
	mock_desc(&r->m, 7, 0x2000, 20, 0, 0);
	mock_offer(&r->m, 1);
	for (i = 0; i < 4; i++)
		mock_write_desc(&r->m, MOCK_TABLE + 16 * i, 0x1000 * (i + 1), i + 1,
				i < 3 ? D_NEXT : 0, i + 1);
	mock_desc(&r->m, 2, MOCK_TABLE, 64, D_INDIRECT, 0);
	mock_offer(&r->m, 2);
	mock_offer_one(&r->m, 3, 100, D_WRITE);
	mock_offer_one(&r->m, 4, 100, 0);

	KUNIT_EXPECT_EQ(test, ivshm_vring_pop_few(&r->vr, f, 8, true), 0);
	KUNIT_EXPECT_EQ(test, ivshm_vring_pop_few(&r->vr, f, 2, false), 2);
	ivshm_vring_unpop(&r->vr, 2);
	KUNIT_ASSERT_EQ(test, ivshm_vring_pop_few(&r->vr, f, 8, false), 3);
	for (i = 0; i < 3; i++)
		KUNIT_EXPECT_EQ(test, f[i].head, i);
	KUNIT_EXPECT_EQ(test, f[0].nr, 1);
	KUNIT_EXPECT_EQ(test, f[0].seg[0].addr, MOCK_DATA);
	KUNIT_EXPECT_EQ(test, f[1].nr, 2);
	KUNIT_EXPECT_EQ(test, f[1].len, 30);
	KUNIT_EXPECT_EQ(test, f[1].seg[1].addr, 0x2000);
	KUNIT_EXPECT_EQ(test, f[2].nr, 4);
	KUNIT_EXPECT_EQ(test, f[2].len, 1 + 2 + 3 + 4);
	KUNIT_EXPECT_EQ(test, f[2].seg[3].addr, 0x4000);

	/* The other direction, and what is broken is for pop() to say. */
	KUNIT_EXPECT_EQ(test, ivshm_vring_pop_few(&r->vr, f, 8, true), 1);
	KUNIT_EXPECT_EQ(test, f[0].head, 3);
	mock_offer(&r->m, 16);
	KUNIT_EXPECT_EQ(test, ivshm_vring_pop_few(&r->vr, f, 8, false), 1);
	KUNIT_EXPECT_EQ(test, ivshm_vring_pop_few(&r->vr, f, 8, false), 0);
	KUNIT_EXPECT_FALSE(test, r->vr.broken);
	KUNIT_EXPECT_EQ(test, mock_ring_pop(r), -EINVAL);
	KUNIT_EXPECT_EQ(test, ivshm_vring_pop_few(&r->vr, f, 8, false), 0);
}

static void no_space(struct kunit *test)
{
	struct mock_ring *r = ring(test, 2048, MOCK_LE, 0);
	u32 i;

	for (i = 0; i < IVSHM_VRING_MAX_SEGS; i++)
		mock_desc(&r->m, i, 0x1000 * i, 8,
			  i < IVSHM_VRING_MAX_SEGS - 1 ? D_NEXT : 0, i + 1);
	mock_offer(&r->m, 0);

	for (i = 0; i < IVSHM_VRING_MAX_SEGS; i += 31) {
		/* KASAN or ASan sees a write behind the first i. */
		struct ivshm_vring_seg *segs = r->segs + IVSHM_VRING_MAX_SEGS - i;

		KUNIT_ASSERT_EQ(test, ivshm_vring_pop(&r->vr, &r->chain, segs, i),
				-ENOSPC);
		KUNIT_ASSERT_EQ(test, r->vr.last_avail, 0);
		KUNIT_ASSERT_FALSE(test, r->vr.broken);
	}
	KUNIT_ASSERT_EQ(test, mock_ring_pop(r), 0);
	KUNIT_EXPECT_EQ(test, r->chain.nr_out, IVSHM_VRING_MAX_SEGS);
	expect_seg(test, IVSHM_VRING_MAX_SEGS - 1,
		   0x1000ULL * (IVSHM_VRING_MAX_SEGS - 1), 8);
	KUNIT_EXPECT_EQ(test, mock_ring_pop(r), -ENOENT);
}

/* Giving buffers back */

static void push_log(struct vring_mock *m, u32 off, u32 len)
{
	/* No entry is visible before all of them are there. */
	if (off >= 4 && m->on_log_arg != mock_used_idx(m))
		m->on_log_arg = U32_MAX;
}

static void push(struct kunit *test)
{
	struct mock_ring *r = ring(test, 8, MOCK_LE, 2);
	struct ivshm_vring_used used[4];
	u32 i;

	for (i = 0; i < 4; i++) {
		used[i].id = 7 - i;
		used[i].len = 0x10000 + i;
	}
	r->m.on_log = push_log;
	r->m.on_log_arg = 2;
	ivshm_vring_push(&r->vr, used, 4);
	KUNIT_EXPECT_EQ(test, r->m.on_log_arg, 2);
	KUNIT_EXPECT_EQ(test, mock_used_idx(&r->m), 6);
	for (i = 0; i < 4; i++) {
		KUNIT_EXPECT_EQ(test, mock_used_id(&r->m, 2 + i), 7 - i);
		KUNIT_EXPECT_EQ(test, mock_used_len(&r->m, 2 + i), 0x10000 + i);
	}
	/* One run of entries, one index */
	KUNIT_EXPECT_EQ(test, r->m.log_calls, 2);
	KUNIT_EXPECT_TRUE(test, r->m.logged[2] && r->m.logged[3]);
	memset(r->m.logged + 2, 0, 2);
	expect_logged(test, 4 + 8 * 2, 8 * 4);

	mock_clear_log(&r->m);
	ivshm_vring_push(&r->vr, used, 0);
	KUNIT_EXPECT_EQ(test, r->m.log_calls, 0);
}

static void push_wrap(struct kunit *test)
{
	struct mock_ring *r = ring(test, 8, MOCK_LE, 65534);
	struct ivshm_vring_used used[5];
	u32 i;

	for (i = 0; i < 5; i++) {
		used[i].id = i;
		used[i].len = 100 + i;
	}
	r->m.on_log = push_log;
	r->m.on_log_arg = 65534;
	ivshm_vring_push(&r->vr, used, 5);
	KUNIT_EXPECT_EQ(test, r->m.on_log_arg, 65534);
	KUNIT_EXPECT_EQ(test, mock_used_idx(&r->m), 3);
	for (i = 0; i < 5; i++) {
		KUNIT_EXPECT_EQ(test, mock_used_id(&r->m, 65534 + i), i);
		KUNIT_EXPECT_EQ(test, mock_used_len(&r->m, 65534 + i), 100 + i);
	}
	/* Entries 6 and 7, then 0 to 2, then the index */
	KUNIT_EXPECT_EQ(test, r->m.log_calls, 3);
	memset(r->m.logged + 4 + 8 * 6, 0, 16);
	expect_logged(test, 2, 2 + 8 * 3);
}

/* Does the guest want to hear of [@old, @old + @n)? */
static bool signal_after(struct mock_ring *r, u16 old, u16 event, u16 n)
{
	struct ivshm_vring_used used[64] = { };

	mock_ring_start(r, old);
	ivshm_vring_should_signal(&r->vr);
	mock_set_used_event(&r->m, event);
	while (n > 64) {
		ivshm_vring_push(&r->vr, used, 64);
		n -= 64;
	}
	ivshm_vring_push(&r->vr, used, n);
	return ivshm_vring_should_signal(&r->vr);
}

/* All events near the entries from @old on, for all short runs */
static void signal_events_from(struct kunit *test, u16 old)
{
	int ahead, n;

	for (n = 1; n <= 10; n++)
		for (ahead = -3; ahead <= 13; ahead++)
			KUNIT_EXPECT_EQ_MSG(test,
					    signal_after(test->priv, old,
							 old + ahead, n),
					    ahead >= 0 && ahead < n,
					    "old %u n %d event %+d",
					    old, n, ahead);
}

static void signal_event(struct kunit *test)
{
	static const u16 from[] = { 0, 1, 100, 32766, 32767, 32768, 65530,
				    65533, 65534, 65535 };
	struct mock_ring *r = ring(test, 8, MOCK_LE | MOCK_EVENT_IDX, 0);
	u32 i;

	for (i = 0; i < ARRAY_SIZE(from); i++)
		signal_events_from(test, from[i]);

	/* NO_INTERRUPT is for rings without events (2.7.7.2) */
	mock_set_avail_flags(&r->m, VRING_AVAIL_F_NO_INTERRUPT);
	KUNIT_EXPECT_TRUE(test, signal_after(r, 5, 5, 1));
}

/* Pushing may go on for long without a question. */
static void signal_event_late(struct kunit *test)
{
	struct mock_ring *r = ring(test, 64, MOCK_LE | MOCK_EVENT_IDX, 0);
	struct ivshm_vring_used used[2] = { };

	KUNIT_EXPECT_TRUE(test, signal_after(r, 9, 7, 65535));
	KUNIT_EXPECT_FALSE(test, signal_after(r, 9, 8, 65535));

	/* Round to the same index: that is not "nothing new". */
	signal_after(r, 9, 8, 65535);
	mock_ring_start(r, 9);
	ivshm_vring_should_signal(&r->vr);
	r->vr.last_used = 8;
	ivshm_vring_push(&r->vr, used, 1);
	KUNIT_EXPECT_EQ(test, mock_used_idx(&r->m), 9);
	KUNIT_EXPECT_TRUE(test, ivshm_vring_should_signal(&r->vr));

	/* Further than that: there is no telling, so signal. */
	mock_ring_start(r, 9);
	ivshm_vring_should_signal(&r->vr);
	mock_set_used_event(&r->m, 11);
	r->vr.last_used = 8;
	ivshm_vring_push(&r->vr, used, 2);
	KUNIT_EXPECT_TRUE(test, ivshm_vring_should_signal(&r->vr));
	/* and from there on the rule holds again */
	ivshm_vring_push(&r->vr, used, 1);
	KUNIT_EXPECT_FALSE(test, ivshm_vring_should_signal(&r->vr));
	ivshm_vring_push(&r->vr, used, 1);
	KUNIT_EXPECT_TRUE(test, ivshm_vring_should_signal(&r->vr));
}

static void signal_flags(struct kunit *test)
{
	struct mock_ring *r = ring(test, 8, MOCK_LE, 65535);

	mock_ring_push(r, 1, 1);
	KUNIT_EXPECT_TRUE(test, ivshm_vring_should_signal(&r->vr));
	/* Once for each publication */
	KUNIT_EXPECT_FALSE(test, ivshm_vring_should_signal(&r->vr));

	mock_set_avail_flags(&r->m, VRING_AVAIL_F_NO_INTERRUPT);
	mock_ring_push(r, 2, 1);
	KUNIT_EXPECT_FALSE(test, ivshm_vring_should_signal(&r->vr));

	mock_set_avail_flags(&r->m, 0xfffe);
	mock_ring_push(r, 3, 1);
	KUNIT_EXPECT_TRUE(test, ivshm_vring_should_signal(&r->vr));
}

static void notify_on_empty(struct kunit *test)
{
	struct mock_ring *r = ring(test, 8, MOCK_LE | MOCK_ON_EMPTY, 0);

	mock_set_avail_flags(&r->m, VRING_AVAIL_F_NO_INTERRUPT);
	mock_offer_one(&r->m, 0, 1, 0);
	mock_offer_one(&r->m, 1, 1, 0);
	KUNIT_ASSERT_EQ(test, mock_ring_pop(r), 0);
	mock_ring_push(r, 0, 0);
	KUNIT_EXPECT_FALSE(test, ivshm_vring_should_signal(&r->vr));
	KUNIT_ASSERT_EQ(test, mock_ring_pop(r), 0);
	mock_ring_push(r, 1, 0);
	KUNIT_EXPECT_TRUE(test, ivshm_vring_should_signal(&r->vr));

	r = ring(test, 8, MOCK_LE | MOCK_ON_EMPTY | MOCK_EVENT_IDX, 0);
	ivshm_vring_should_signal(&r->vr);
	mock_set_used_event(&r->m, 20);
	mock_offer_one(&r->m, 0, 1, 0);
	mock_offer_one(&r->m, 1, 1, 0);
	KUNIT_ASSERT_EQ(test, mock_ring_pop(r), 0);
	mock_ring_push(r, 0, 0);
	KUNIT_EXPECT_FALSE(test, ivshm_vring_should_signal(&r->vr));
	KUNIT_ASSERT_EQ(test, mock_ring_pop(r), 0);
	mock_ring_push(r, 1, 0);
	KUNIT_EXPECT_TRUE(test, ivshm_vring_should_signal(&r->vr));

	/* Not negotiated: being empty is no reason. */
	r->vr.notify_on_empty = false;
	mock_offer_one(&r->m, 0, 1, 0);
	KUNIT_ASSERT_EQ(test, mock_ring_pop(r), 0);
	mock_ring_push(r, 0, 0);
	KUNIT_EXPECT_FALSE(test, ivshm_vring_should_signal(&r->vr));
}

/* Notifications from the guest */

/* The guest adds a buffer just after it sees our wish change. */
static void offer_on_log(struct vring_mock *m, u32 off, u32 len)
{
	if (off == m->on_log_arg)
		mock_offer_one(m, 0, 1, 0);
}

static void kick_flags(struct kunit *test)
{
	struct mock_ring *r = ring(test, 8, MOCK_LE, 0);

	KUNIT_EXPECT_FALSE(test, ivshm_vring_enable_kick(&r->vr));
	KUNIT_EXPECT_EQ(test, r->m.log_calls, 0);

	ivshm_vring_disable_kick(&r->vr);
	KUNIT_EXPECT_EQ(test, mock_used_flags(&r->m), VRING_USED_F_NO_NOTIFY);
	KUNIT_EXPECT_EQ(test, r->m.log_calls, 1);
	expect_logged(test, 0, 2);
	ivshm_vring_disable_kick(&r->vr);
	KUNIT_EXPECT_EQ(test, r->m.log_calls, 1);

	KUNIT_EXPECT_FALSE(test, ivshm_vring_enable_kick(&r->vr));
	KUNIT_EXPECT_EQ(test, mock_used_flags(&r->m), 0);
	KUNIT_EXPECT_EQ(test, r->m.log_calls, 2);

	/* A buffer that came while notifications were off */
	ivshm_vring_disable_kick(&r->vr);
	mock_offer_one(&r->m, 0, 1, 0);
	KUNIT_EXPECT_TRUE(test, ivshm_vring_enable_kick(&r->vr));
	KUNIT_EXPECT_EQ(test, mock_ring_pop(r), 0);

	/* and in the very moment they went on */
	ivshm_vring_disable_kick(&r->vr);
	KUNIT_EXPECT_EQ(test, mock_ring_pop(r), -ENOENT);
	r->m.on_log_arg = 0;
	r->m.on_log = offer_on_log;
	KUNIT_EXPECT_TRUE(test, ivshm_vring_enable_kick(&r->vr));
}

static void kick_event(struct kunit *test)
{
	struct mock_ring *r = ring(test, 8, MOCK_LE | MOCK_EVENT_IDX, 65534);
	u32 event = 4 + 8 * 8;
	u32 i;

	for (i = 0; i < 4; i++) {
		mock_clear_log(&r->m);
		KUNIT_EXPECT_FALSE(test, ivshm_vring_enable_kick(&r->vr));
		KUNIT_EXPECT_EQ(test, mock_avail_event(&r->m), (u16)(65534 + i));
		expect_logged(test, event, 2);
		mock_clear_log(&r->m);
		ivshm_vring_disable_kick(&r->vr);
		KUNIT_EXPECT_EQ(test, mock_used_flags(&r->m), 0);
		KUNIT_EXPECT_EQ(test, r->m.log_calls, 0);

		mock_offer_one(&r->m, 0, 1, 0);
		KUNIT_EXPECT_TRUE(test, ivshm_vring_enable_kick(&r->vr));
		KUNIT_EXPECT_EQ(test, mock_ring_pop(r), 0);
	}

	r->m.on_log_arg = event;
	r->m.on_log = offer_on_log;
	KUNIT_EXPECT_TRUE(test, ivshm_vring_enable_kick(&r->vr));
}

/* No log, no call; whoever wants one says so while the ring runs. */
static void log_off(struct kunit *test)
{
	struct mock_ring *r = ring(test, 8, MOCK_LE | MOCK_EVENT_IDX, 0);
	u32 i;

	for (i = 0; i < 2; i++) {
		r->vr.log_used = i;
		mock_offer_one(&r->m, 0, 1, D_WRITE);
		KUNIT_EXPECT_EQ(test, mock_ring_pop(r), 0);
		mock_ring_push(r, 0, 1);
		KUNIT_EXPECT_FALSE(test, ivshm_vring_enable_kick(&r->vr));
		/* An entry, the index, the event index. */
		KUNIT_EXPECT_EQ(test, r->m.log_calls, i ? 3 : 0);
	}
}

/* Two buffers do not suffice: wait for a third without spinning. */
static void kick_for_more(struct kunit *test)
{
	struct mock_ring *r = ring(test, 8, MOCK_LE | MOCK_EVENT_IDX, 10);

	mock_offer_one(&r->m, 0, 1, D_WRITE);
	mock_offer_one(&r->m, 1, 1, D_WRITE);
	KUNIT_ASSERT_EQ(test, mock_ring_pop(r), 0);
	KUNIT_ASSERT_EQ(test, mock_ring_pop(r), 0);
	KUNIT_ASSERT_EQ(test, mock_ring_pop(r), -ENOENT);
	ivshm_vring_unpop(&r->vr, 2);

	KUNIT_EXPECT_FALSE(test, ivshm_vring_enable_kick(&r->vr));
	KUNIT_EXPECT_EQ(test, mock_avail_event(&r->m), 12);
	mock_offer_one(&r->m, 2, 1, D_WRITE);
	KUNIT_EXPECT_TRUE(test, ivshm_vring_enable_kick(&r->vr));
	KUNIT_EXPECT_EQ(test, mock_ring_pop(r), 0);
	KUNIT_EXPECT_EQ(test, r->chain.head, 0);
	KUNIT_EXPECT_EQ(test, mock_ring_pop(r), 0);
	KUNIT_EXPECT_EQ(test, mock_ring_pop(r), 0);
	KUNIT_EXPECT_EQ(test, r->chain.head, 2);
}

static struct kunit_case vring_test_cases[] = {
	KUNIT_CASE(set_num),
	KUNIT_CASE(set_addr),
	KUNIT_CASE(start),
	KUNIT_CASE(direct),
	KUNIT_CASE(chained),
	KUNIT_CASE(zero_length),
	KUNIT_CASE(indirect),
	KUNIT_CASE(indirect_pieces),
	KUNIT_CASE(unpop),
	KUNIT_CASE(few),
	KUNIT_CASE(no_space),
	KUNIT_CASE(push),
	KUNIT_CASE(push_wrap),
	KUNIT_CASE(signal_event),
	KUNIT_CASE(signal_event_late),
	KUNIT_CASE(signal_flags),
	KUNIT_CASE(notify_on_empty),
	KUNIT_CASE(kick_flags),
	KUNIT_CASE(kick_event),
	KUNIT_CASE(log_off),
	KUNIT_CASE(kick_for_more),
	{ }
};

static struct kunit_suite vring_test_suite = {
	.name = "ivshm-vring",
	.init = vring_test_init,
	.exit = vring_test_exit,
	.test_cases = vring_test_cases,
};

kunit_test_suite(vring_test_suite);
