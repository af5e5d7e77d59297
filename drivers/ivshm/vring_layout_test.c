// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of the ring: sizes, byte order, places in memory, and memory
 * that comes and goes.
 */
#include "vring_test.h"

static void byte_order(struct kunit *test)
{
	static const u8 le_desc[16] = { 0x88, 0x77, 0x66, 0x55, 0x44, 0x33,
					0x22, 0x11, 0x04, 0x03, 0x02, 0x01,
					0x02, 0x00, 0x00, 0x00 };
	struct mock_ring *r = ring(test, 8, MOCK_LE, 0x0102);
	const u8 *used = mock_at(&r->m, r->m.used);
	u16 idx;

	/* Little-endian (virtio 1) by bytes */
	memcpy(mock_at(&r->m, r->m.desc + 16 * 5), le_desc, 16);
	memcpy(mock_at(&r->m, r->m.avail + 4 + 2 * 2), "\x05", 2);
	memcpy(mock_at(&r->m, r->m.avail + 2), "\x03\x01", 2);
	KUNIT_ASSERT_EQ(test, mock_ring_pop(r), 0);
	KUNIT_EXPECT_EQ(test, r->chain.head, 5);
	KUNIT_EXPECT_EQ(test, r->chain.nr_in, 1);
	expect_seg(test, 0, 0x1122334455667788ULL, 0x01020304);
	mock_ring_push(r, 5, 0x00c0ffee);
	KUNIT_EXPECT_EQ(test, memcmp(used + 2, "\x03\x01", 2), 0);
	KUNIT_EXPECT_EQ(test, memcmp(used + 4 + 8 * 2,
				     "\x05\0\0\0\xee\xff\xc0\0", 8), 0);

	/* The guest's own (legacy), as this machine stores its numbers */
	r = ring(test, 8, 0, 0x0102);
	used = mock_at(&r->m, r->m.used);
	mock_offer_one(&r->m, 6, 9, D_WRITE);
	KUNIT_ASSERT_EQ(test, mock_ring_pop(r), 0);
	KUNIT_EXPECT_EQ(test, r->chain.head, 6);
	mock_ring_push(r, 6, 9);
	idx = 0x0103;
	KUNIT_EXPECT_EQ(test, memcmp(used + 2, &idx, 2), 0);
}

/* Through the ring three times in batches; every field is looked at. */
static void traffic(struct kunit *test, struct mock_ring *r, u16 idx)
{
	u32 batch = min_t(u32, r->m.num, 64);
	struct ivshm_vring_used used[64];
	u32 total = 3 * r->m.num;
	u32 done, i;

	for (done = 0; done < total; done += batch) {
		for (i = 0; i < batch; i++)
			mock_offer_one(&r->m, (done + i) * 7 % r->m.num,
				       done + i + 1, D_WRITE);
		for (i = 0; i < batch; i++) {
			u16 head = (done + i) * 7 % r->m.num;

			KUNIT_ASSERT_EQ(test, mock_ring_pop(r), 0);
			KUNIT_ASSERT_EQ(test, r->chain.head, head);
			KUNIT_ASSERT_EQ(test, r->chain.in_len, done + i + 1);
			KUNIT_ASSERT_EQ(test, r->segs[0].addr,
					MOCK_DATA + ((u64)head << 20));
			used[i].id = head;
			used[i].len = r->chain.in_len;
		}
		KUNIT_ASSERT_EQ(test, mock_ring_pop(r), -ENOENT);
		ivshm_vring_push(&r->vr, used, batch);
		KUNIT_ASSERT_EQ(test, mock_used_idx(&r->m),
				(u16)(idx + done + batch));
		for (i = 0; i < batch; i++) {
			u16 at = idx + done + i;

			KUNIT_ASSERT_EQ(test, mock_used_id(&r->m, at),
					used[i].id);
			KUNIT_ASSERT_EQ(test, mock_used_len(&r->m, at),
					used[i].len);
		}
	}
}

static void sizes(struct kunit *test)
{
	u32 num;

	for (num = 1; num <= IVSHM_VRING_MAX_NUM; num *= 2)
		traffic(test, ring(test, num, ALL_FEATURES, 65500), 65500);
}

/* Fields at every place relative to the edges of pages */
static void page_edges(struct kunit *test)
{
	struct mock_ring *r = test->priv;
	u16 end = 65000 + 3 * 256 - 65536;
	u32 shift;

	for (shift = 0; shift < 5; shift++) {
		mock_ring_exit(r);
		mock_ring_init(r, 256, ALL_FEATURES);
		r->m.desc += PAGE_SIZE - 16 * shift;
		r->m.avail += PAGE_SIZE - 2 * shift;
		/* Entries begin at 4: with shift 2 and 4 they lie across. */
		r->m.used += PAGE_SIZE - 4 * shift;
		KUNIT_ASSERT_EQ(test, mock_ring_map(r), 0);
		mock_ring_start(r, 65000);
		traffic(test, r, 65000);

		/* The event fields alone in their pages */
		mock_ring_exit(r);
		mock_ring_init(r, 256, ALL_FEATURES);
		r->m.avail += PAGE_SIZE - 4 - 2 * 256 - 2 * shift;
		r->m.used += PAGE_SIZE - 4 - 8 * 256 + 4 * shift;
		KUNIT_ASSERT_EQ(test, mock_ring_map(r), 0);
		mock_ring_start(r, 65000);
		traffic(test, r, 65000);
		ivshm_vring_enable_kick(&r->vr);
		KUNIT_EXPECT_EQ(test, mock_avail_event(&r->m), end);
	}
}

/* Host addresses */

static void missing_pages(struct kunit *test)
{
	struct mock_ring *r = ring(test, 1024, ALL_FEATURES, 0);
	u32 pages = r->vr.desc.nr_pages + r->vr.avail.nr_pages +
		    r->vr.used.nr_pages;
	u32 calls = r->m.page_calls;
	u32 i, missing = 0;

	KUNIT_EXPECT_EQ(test, calls, pages);
	KUNIT_EXPECT_EQ(test, ivshm_vring_begin(&r->vr, 1), 0);
	KUNIT_EXPECT_EQ(test, r->m.page_calls, calls);

	for (i = 0; i < MOCK_PAGES; i++) {
		if (!r->m.page[i])
			continue;
		r->m.absent[i] = true;
		missing++;
		r->m.page_calls = 0;
		KUNIT_EXPECT_EQ(test, ivshm_vring_begin(&r->vr, 2 + i), -EAGAIN);
		KUNIT_EXPECT_EQ(test, r->m.page_calls, pages);
		/* The same generation is not good enough while one is missing. */
		KUNIT_EXPECT_EQ(test, ivshm_vring_begin(&r->vr, 2 + i), -EAGAIN);
		r->m.absent[i] = false;
		KUNIT_EXPECT_EQ(test, ivshm_vring_begin(&r->vr, 2 + i), 0);
	}
	KUNIT_EXPECT_EQ(test, missing, pages);
	traffic(test, r, 0);
}

/* After a change of generation the old pages are not touched again. */
static void generation(struct kunit *test)
{
	struct mock_ring *r = ring(test, 256, ALL_FEATURES, 0);
	struct vring_mock *m = &r->m;
	static u8 *old[MOCK_PAGES];
	u32 i, j;

	for (i = 0; i < MOCK_PAGES; i++) {
		old[i] = m->page[i];
		m->page[i] = NULL;
		if (!old[i])
			continue;
		KUNIT_ASSERT_NOT_NULL(test, mock_at(m, MOCK_GPA + i * PAGE_SIZE));
		memcpy(m->page[i], old[i], PAGE_SIZE);
		memset(old[i], 0xa5, PAGE_SIZE);
	}
	KUNIT_EXPECT_EQ(test, ivshm_vring_begin(&r->vr, 2), 0);
	traffic(test, r, 0);
	ivshm_vring_enable_kick(&r->vr);
	for (i = 0; i < MOCK_PAGES; i++) {
		for (j = 0; old[i] && j < PAGE_SIZE; j++)
			KUNIT_ASSERT_EQ(test, old[i][j], 0xa5);
		kfree(old[i]);
	}
}

/* A ring without event fields may end where memory ends. */
static void no_event_fields(struct kunit *test)
{
	struct mock_ring *r = test->priv;
	u32 a, u;

	mock_ring_init(r, 256, MOCK_LE);
	r->m.avail += PAGE_SIZE - 4 - 2 * 256;
	r->m.used += PAGE_SIZE - 4 - 8 * 256;
	a = (r->m.avail - MOCK_GPA + PAGE_SIZE) >> PAGE_SHIFT;
	u = (r->m.used - MOCK_GPA + PAGE_SIZE) >> PAGE_SHIFT;
	r->m.absent[a] = true;
	r->m.absent[u] = true;
	KUNIT_ASSERT_EQ(test, mock_ring_map(r), 0);
	mock_ring_start(r, 0);
	traffic(test, r, 0);
	KUNIT_EXPECT_TRUE(test, ivshm_vring_should_signal(&r->vr));
	ivshm_vring_disable_kick(&r->vr);
	ivshm_vring_enable_kick(&r->vr);

	/* Negotiated after all */
	r->vr.event_idx = true;
	KUNIT_EXPECT_EQ(test, ivshm_vring_begin(&r->vr, 1), -EAGAIN);
	r->m.absent[a] = false;
	KUNIT_EXPECT_EQ(test, ivshm_vring_begin(&r->vr, 1), -EAGAIN);
	r->m.absent[u] = false;
	KUNIT_EXPECT_EQ(test, ivshm_vring_begin(&r->vr, 1), 0);
}

static struct kunit_case vring_layout_test_cases[] = {
	KUNIT_CASE(byte_order),
	KUNIT_CASE(sizes),
	KUNIT_CASE(page_edges),
	KUNIT_CASE(missing_pages),
	KUNIT_CASE(generation),
	KUNIT_CASE(no_event_fields),
	{ }
};

static struct kunit_suite vring_layout_test_suite = {
	.name = "ivshm-vring-layout",
	.init = vring_test_init,
	.exit = vring_test_exit,
	.test_cases = vring_layout_test_cases,
};

kunit_test_suite(vring_layout_test_suite);
