// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit: the device IOTLB's table and its misses.
 */
#include <kunit/test.h>
#include <linux/mm.h>
#include <linux/prandom.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/vhost_types.h>

#include "iotlb.h"

#define RO	VHOST_ACCESS_RO
#define WO	VHOST_ACCESS_WO
#define RW	VHOST_ACCESS_RW

static int iotlb_init(struct kunit *test)
{
	struct ivshm_iotlb *tlb = kunit_kzalloc(test, sizeof(*tlb), GFP_KERNEL);
	struct ivshm_iotlb_map *pool;

	KUNIT_ASSERT_NOT_NULL(test, tlb);
	test->priv = tlb;
	ivshm_iotlb_init(tlb);
	pool = ivshm_iotlb_pool_alloc();
	KUNIT_ASSERT_NOT_NULL(test, pool);
	KUNIT_EXPECT_NULL(test, ivshm_iotlb_reset(tlb, pool));
	return 0;
}

static void iotlb_exit(struct kunit *test)
{
	struct ivshm_iotlb *tlb = test->priv;

	if (tlb)
		kvfree(ivshm_iotlb_reset(tlb, NULL));
}

/* The VMM address of @iova, 0 for none. */
static u64 at(struct ivshm_iotlb *tlb, u64 iova)
{
	const struct ivshm_iotlb_map *map = ivshm_iotlb_find(tlb, iova);

	return map ? map->uaddr + (iova - map->node.start) : 0;
}

static u32 entries(const struct ivshm_iotlb *tlb)
{
	const struct ivshm_iotlb_map *map;
	u32 n = 0;

	list_for_each_entry(map, &tlb->maps, list)
		n++;
	return n;
}

static void iotlb_ranges(struct kunit *test)
{
	struct ivshm_iotlb *tlb = test->priv;

	KUNIT_EXPECT_EQ(test, at(tlb, 0), 0);
	ivshm_iotlb_update(tlb, 0x1000, 0x2fff, 0x70000, RW);
	ivshm_iotlb_update(tlb, 0x5010, 0x5010, 0x90003, RO);
	KUNIT_EXPECT_EQ(test, at(tlb, 0xfff), 0);
	KUNIT_EXPECT_EQ(test, at(tlb, 0x1000), 0x70000);
	KUNIT_EXPECT_EQ(test, at(tlb, 0x2fff), 0x71fff);
	KUNIT_EXPECT_EQ(test, at(tlb, 0x3000), 0);
	KUNIT_EXPECT_EQ(test, at(tlb, 0x500f), 0);
	KUNIT_EXPECT_EQ(test, at(tlb, 0x5010), 0x90003);
	KUNIT_EXPECT_EQ(test, at(tlb, 0x5011), 0);
	KUNIT_EXPECT_EQ(test, ivshm_iotlb_find(tlb, 0x5010)->perm, RO);

	/* Both ends of all IOVAs. */
	ivshm_iotlb_update(tlb, 0, 0, 0x1111, RW);
	ivshm_iotlb_update(tlb, U64_MAX - 1, U64_MAX, 0x2222, RW);
	KUNIT_EXPECT_EQ(test, at(tlb, 0), 0x1111);
	KUNIT_EXPECT_EQ(test, at(tlb, 1), 0);
	KUNIT_EXPECT_EQ(test, at(tlb, U64_MAX - 2), 0);
	KUNIT_EXPECT_EQ(test, at(tlb, U64_MAX), 0x2223);
	ivshm_iotlb_invalidate(tlb, U64_MAX, U64_MAX);
	KUNIT_EXPECT_EQ(test, at(tlb, U64_MAX - 1), 0);
	KUNIT_EXPECT_EQ(test, at(tlb, 0x1000), 0x70000);
}

/* What begins first counts, then what was there first. */
static void iotlb_overlaps(struct kunit *test)
{
	struct ivshm_iotlb *tlb = test->priv;

	ivshm_iotlb_update(tlb, 0x2000, 0x4fff, 0xa0000, RW);
	ivshm_iotlb_update(tlb, 0x1000, 0x2fff, 0xb0000, RW);
	ivshm_iotlb_update(tlb, 0x2000, 0x4fff, 0xc0000, RW);
	ivshm_iotlb_update(tlb, 0x3000, 0x5fff, 0xd0000, RW);
	KUNIT_EXPECT_EQ(test, at(tlb, 0x1000), 0xb0000);
	KUNIT_EXPECT_EQ(test, at(tlb, 0x2fff), 0xb1fff);
	KUNIT_EXPECT_EQ(test, at(tlb, 0x3000), 0xa1000);
	KUNIT_EXPECT_EQ(test, at(tlb, 0x5000), 0xd2000);

	/* A part of an entry takes all of it, and of all that are there. */
	ivshm_iotlb_invalidate(tlb, 0x4fff, 0x4fff);
	KUNIT_EXPECT_EQ(test, at(tlb, 0x1000), 0xb0000);
	KUNIT_EXPECT_EQ(test, at(tlb, 0x3000), 0);
	KUNIT_EXPECT_EQ(test, at(tlb, 0x5000), 0);
	KUNIT_EXPECT_EQ(test, entries(tlb), 1);
	/* From a place to the one before it, as a size of 0 is: what has both. */
	ivshm_iotlb_update(tlb, 0x8000, 0x8fff, 0xe0000, RW);
	ivshm_iotlb_invalidate(tlb, 0x8000, 0x7fff);
	ivshm_iotlb_invalidate(tlb, 0x1000, 0xfff);
	KUNIT_EXPECT_EQ(test, entries(tlb), 2);
	ivshm_iotlb_invalidate(tlb, 0x1001, 0x1000);
	KUNIT_EXPECT_EQ(test, at(tlb, 0x1000), 0);
	ivshm_iotlb_invalidate(tlb, 0, U64_MAX);
	KUNIT_EXPECT_EQ(test, entries(tlb), 0);
}

static void iotlb_evicts(struct kunit *test)
{
	struct ivshm_iotlb *tlb = test->priv;
	struct ivshm_iotlb_map *pool;
	u64 i;

	for (i = 0; i < IVSHM_IOTLB_MAX; i++)
		ivshm_iotlb_update(tlb, i * SZ_8K, i * SZ_8K + SZ_4K - 1, SZ_1G + i * SZ_4K, RW);
	/* The same once more is no more, but it is young again. */
	ivshm_iotlb_update(tlb, 0, SZ_4K - 1, SZ_1G, RW);
	KUNIT_EXPECT_EQ(test, entries(tlb), IVSHM_IOTLB_MAX);
	ivshm_iotlb_update(tlb, i * SZ_8K, i * SZ_8K + SZ_4K - 1, SZ_2G, RW);
	KUNIT_EXPECT_EQ(test, at(tlb, 0), SZ_1G);
	KUNIT_EXPECT_EQ(test, at(tlb, SZ_8K), 0);
	KUNIT_EXPECT_EQ(test, at(tlb, 2 * SZ_8K), SZ_1G + 2 * SZ_4K);
	KUNIT_EXPECT_EQ(test, at(tlb, i * SZ_8K), SZ_2G);
	/* With another permission or elsewhere it is not the same. */
	ivshm_iotlb_update(tlb, 0, SZ_4K - 1, SZ_1G, RO);
	KUNIT_EXPECT_EQ(test, at(tlb, 2 * SZ_8K), 0);
	ivshm_iotlb_update(tlb, 0, SZ_4K - 1, SZ_1G + SZ_4K, RW);
	KUNIT_EXPECT_EQ(test, at(tlb, 3 * SZ_8K), 0);
	KUNIT_EXPECT_EQ(test, entries(tlb), IVSHM_IOTLB_MAX);

	pool = tlb->pool;
	KUNIT_EXPECT_PTR_EQ(test, ivshm_iotlb_reset(tlb, pool), pool);
	KUNIT_EXPECT_EQ(test, entries(tlb), 0);
	KUNIT_EXPECT_EQ(test, at(tlb, 0), 0);
	ivshm_iotlb_update(tlb, 0, SZ_4K - 1, SZ_1G, RW);
	KUNIT_EXPECT_EQ(test, at(tlb, 0), SZ_1G);
}

/* A table that is searched from one end to the other. */
struct model {
	u64 first, last, uaddr;
	bool there;
};

static u64 model_at(const struct model *m, u32 n, u64 iova)
{
	const struct model *best = NULL;
	u32 i;

	for (i = 0; i < n; i++)
		if (m[i].there && m[i].first <= iova && iova <= m[i].last &&
		    (!best || m[i].first < best->first))
			best = &m[i];
	return best ? best->uaddr + (iova - best->first) : 0;
}

static void iotlb_random(struct kunit *test)
{
	enum { STEPS = 1500, SPACE = 200 };
	struct ivshm_iotlb *tlb = test->priv;
	struct model *m = kvcalloc(STEPS, sizeof(*m), GFP_KERNEL);
	u32 i, n, iova, wrong = 0, found = 0;
	struct rnd_state rnd;

	KUNIT_ASSERT_NOT_NULL(test, m);
	prandom_seed_state(&rnd, 4711);
	for (n = 0; n < STEPS; n++) {
		u64 first = prandom_u32_state(&rnd) % SPACE;
		u64 last = first + prandom_u32_state(&rnd) % 30;

		if (prandom_u32_state(&rnd) % 3) {
			/* Addresses of their own: no entry is there twice. */
			m[n] = (struct model){ first, last, (n + 1) * SZ_1M, true };
			ivshm_iotlb_update(tlb, first, last, m[n].uaddr, RW);
		} else {
			ivshm_iotlb_invalidate(tlb, first, last);
			for (i = 0; i < n; i++)
				if (m[i].first <= last && first <= m[i].last)
					m[i].there = false;
		}
		iova = prandom_u32_state(&rnd) % (SPACE + 40);
		wrong += at(tlb, iova) != model_at(m, n + 1, iova);
		found += at(tlb, iova) != 0;
	}
	KUNIT_EXPECT_EQ(test, wrong, 0);
	KUNIT_EXPECT_GT(test, found, 100);
	kvfree(m);
}

static void iotlb_misses(struct kunit *test)
{
	struct ivshm_iotlb *tlb = test->priv;
	struct ivshm_iotlb_miss miss;
	u32 i, round;
	bool again;

	KUNIT_EXPECT_FALSE(test, ivshm_iotlb_take(tlb, &miss, &again));
	ivshm_iotlb_note(tlb, 0x1010, RO);
	KUNIT_EXPECT_TRUE(test, tlb->noted);
	ivshm_iotlb_tell(tlb);
	KUNIT_EXPECT_FALSE(test, tlb->noted);
	/* Asked already: the same page for the same purpose. */
	ivshm_iotlb_note(tlb, 0x1ff0, RO);
	KUNIT_EXPECT_FALSE(test, tlb->noted);
	ivshm_iotlb_note(tlb, 0x1ff0, WO);
	ivshm_iotlb_note(tlb, 0x2000, RO);
	KUNIT_EXPECT_EQ(test, tlb->nr, 3);

	KUNIT_ASSERT_TRUE(test, ivshm_iotlb_take(tlb, &miss, &again));
	KUNIT_EXPECT_EQ(test, miss.iova, 0x1010);
	KUNIT_EXPECT_EQ(test, miss.perm, RO);
	/* Taken, it may be asked again. */
	ivshm_iotlb_note(tlb, 0x1ff8, RO);
	KUNIT_ASSERT_TRUE(test, ivshm_iotlb_take(tlb, &miss, &again));
	KUNIT_EXPECT_EQ(test, miss.iova, 0x1ff0);
	KUNIT_EXPECT_EQ(test, miss.perm, WO);
	KUNIT_ASSERT_TRUE(test, ivshm_iotlb_take(tlb, &miss, &again));
	KUNIT_EXPECT_EQ(test, miss.iova, 0x2000);
	KUNIT_ASSERT_TRUE(test, ivshm_iotlb_take(tlb, &miss, &again));
	KUNIT_EXPECT_EQ(test, miss.iova, 0x1ff8);
	KUNIT_EXPECT_FALSE(test, ivshm_iotlb_take(tlb, &miss, &again));

	/* No more than there is room for; the first stay. */
	for (round = 0; round < 3; round++) {
		for (i = 0; i < 2 * IVSHM_IOTLB_MISSES; i++)
			ivshm_iotlb_note(tlb, i * SZ_4K, RO);
		KUNIT_EXPECT_EQ(test, tlb->nr, IVSHM_IOTLB_MISSES);
		for (i = 0; i < IVSHM_IOTLB_MISSES / 2 + round; i++) {
			KUNIT_ASSERT_TRUE(test, ivshm_iotlb_take(tlb, &miss, &again));
			KUNIT_EXPECT_EQ(test, miss.iova, i * SZ_4K);
		}
		ivshm_iotlb_forget(tlb);
		KUNIT_EXPECT_FALSE(test, ivshm_iotlb_take(tlb, &miss, &again));
		KUNIT_EXPECT_FALSE(test, again);
	}
	/* Those for whom there was no room hear of it when all were read. */
	for (i = 0; i <= IVSHM_IOTLB_MISSES; i++) {
		KUNIT_EXPECT_EQ(test, ivshm_iotlb_crowded(tlb), i >= IVSHM_IOTLB_MISSES / 2);
		ivshm_iotlb_note(tlb, i * SZ_4K, RO);
	}
	for (i = 0; i < IVSHM_IOTLB_MISSES; i++) {
		KUNIT_ASSERT_TRUE(test, ivshm_iotlb_take(tlb, &miss, &again));
		KUNIT_EXPECT_EQ(test, again, i == IVSHM_IOTLB_MISSES - 1);
	}
	KUNIT_EXPECT_FALSE(test, ivshm_iotlb_take(tlb, &miss, &again));
	KUNIT_EXPECT_FALSE(test, again);
}

static struct kunit_case iotlb_cases[] = {
	KUNIT_CASE(iotlb_ranges),
	KUNIT_CASE(iotlb_overlaps),
	KUNIT_CASE(iotlb_evicts),
	KUNIT_CASE(iotlb_random),
	KUNIT_CASE(iotlb_misses),
	{}
};

static struct kunit_suite iotlb_suite = {
	.name = "ivshm-iotlb",
	.init = iotlb_init,
	.exit = iotlb_exit,
	.test_cases = iotlb_cases,
};

kunit_test_suite(iotlb_suite);
