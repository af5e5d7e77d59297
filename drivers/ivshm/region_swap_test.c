// SPDX-License-Identifier: GPL-2.0
/* KUnit tests of swaps: which page is where, and who has references to it. */
#include <kunit/test.h>
#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/netlink.h>
#include <linux/numa.h>
#include <linux/page-flags.h>
#include <linux/string.h>

#include "region.h"
#include "region_swap.h"
#include "region_test.h"

#define ST_PAGES	8

enum { ST_A, ST_B, ST_POOL, ST_ALL };

static const char *const st_names[] = { "kunit-a", "kunit-b", "kunit-pool" };

struct st {
	struct ivshm_region *region[ST_ALL];
	/* What its slots had from the beginning. */
	struct page *page[ST_ALL][ST_PAGES];
};

static int st_init(struct kunit *test)
{
	struct ivshm_region_config cfg = {
		.size = ST_PAGES * PAGE_SIZE, .page_size = PAGE_SIZE, .mode = 0600,
		.node = NUMA_NO_NODE,
	};
	struct st *st = kunit_kzalloc(test, sizeof(*st), GFP_KERNEL);
	int i, k;

	KUNIT_ASSERT_NOT_NULL(test, st);
	test->priv = st;
	for (i = 0; i < ST_ALL; i++) {
		strscpy(cfg.name, st_names[i], sizeof(cfg.name));
		KUNIT_ASSERT_EQ(test, ivshm_region_new(&cfg, NULL), 0);
		mutex_lock(&ivshm_region_mutex);
		st->region[i] = ivshm_region_find(cfg.name);
		mutex_unlock(&ivshm_region_mutex);
		KUNIT_ASSERT_NOT_NULL(test, st->region[i]);
		for (k = 0; k < ST_PAGES; k++) {
			st->page[i][k] = st->region[i]->slot[k];
			memset(page_address(st->page[i][k]), 16 * i + k, PAGE_SIZE);
		}
	}
	return 0;
}

static void st_exit(struct kunit *test)
{
	int i;

	for (i = 0; i < ST_ALL; i++)
		ivshm_region_del(st_names[i], true);
	KUNIT_EXPECT_TRUE(test, list_empty(&ivshm_swaps));
}

static int st_new(int to, unsigned long at, unsigned long pool_at, unsigned long nr,
		  bool keep, struct netlink_ext_ack *extack)
{
	const struct ivshm_swap_config cfg = {
		.region = st_names[to], .offset = at * PAGE_SIZE,
		.pool = st_names[ST_POOL], .pool_offset = pool_at * PAGE_SIZE,
		.size = nr * PAGE_SIZE, .keep_pool = keep,
	};

	return ivshm_swap_new(&cfg, extack);
}

static int st_del(int to, unsigned long at, bool force)
{
	const struct ivshm_swap_config cfg = {
		.region = st_names[to], .offset = at * PAGE_SIZE, .force = force,
	};

	return ivshm_swap_del(&cfg, NULL);
}

/* All bytes of a slot's page are that, and the page has so many references. */
static void st_expect(struct kunit *test, int region, int slot, struct page *page,
		      int byte, int refs)
{
	struct st *st = test->priv;

	KUNIT_EXPECT_PTR_EQ(test, st->region[region]->slot[slot], page);
	KUNIT_EXPECT_EQ(test, page_count(page), refs);
	KUNIT_EXPECT_NULL(test, memchr_inv(page_address(page), byte, PAGE_SIZE));
}

/* Every slot has what it had at first, once. */
static void st_expect_own(struct kunit *test)
{
	struct st *st = test->priv;
	int i, k;

	for (i = 0; i < ST_ALL; i++) {
		for (k = 0; k < ST_PAGES; k++) {
			KUNIT_EXPECT_PTR_EQ(test, st->region[i]->slot[k], st->page[i][k]);
			KUNIT_EXPECT_EQ(test, page_count(st->page[i][k]), 1);
		}
		KUNIT_EXPECT_EQ(test, st->region[i]->swaps, 0);
	}
	KUNIT_EXPECT_TRUE(test, list_empty(&ivshm_swaps));
}

static void swap_contents_test(struct kunit *test)
{
	struct st *st = test->priv;

	KUNIT_ASSERT_EQ(test, st_new(ST_A, 1, 4, 2, false, NULL), 0);
	st_expect(test, ST_A, 0, st->page[ST_A][0], 0, 1);
	st_expect(test, ST_A, 1, st->page[ST_POOL][4], 1, 2);
	st_expect(test, ST_A, 2, st->page[ST_POOL][5], 2, 2);
	st_expect(test, ST_A, 3, st->page[ST_A][3], 3, 1);
	st_expect(test, ST_POOL, 3, st->page[ST_POOL][3], 16 * ST_POOL + 3, 1);
	st_expect(test, ST_POOL, 4, st->page[ST_POOL][4], 1, 2);
	KUNIT_EXPECT_EQ(test, page_count(st->page[ST_A][1]), 1);

	memset(page_address(st->page[ST_POOL][5]), 0x77, PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, st_del(ST_A, 2, false), -ENOENT);
	KUNIT_ASSERT_EQ(test, st_del(ST_A, 1, false), 0);
	st_expect(test, ST_A, 1, st->page[ST_A][1], 1, 1);
	st_expect(test, ST_A, 2, st->page[ST_A][2], 0x77, 1);
	st_expect_own(test);
}

/* Several have pages in place, some of them the same ones. */
static void swap_shared_test(struct kunit *test)
{
	struct st *st = test->priv;

	KUNIT_ASSERT_EQ(test, st_new(ST_A, 0, 2, 4, false, NULL), 0);
	KUNIT_EXPECT_EQ(test, st_new(ST_B, 0, 4, 4, false, NULL), -EBUSY);
	KUNIT_ASSERT_EQ(test, st_new(ST_B, 0, 4, 4, true, NULL), 0);
	st_expect(test, ST_A, 1, st->page[ST_POOL][3], 1, 2);
	st_expect(test, ST_A, 2, st->page[ST_POOL][4], 2, 3);
	st_expect(test, ST_B, 0, st->page[ST_POOL][4], 2, 3);
	st_expect(test, ST_B, 3, st->page[ST_POOL][7], 16 * ST_POOL + 7, 2);
	KUNIT_ASSERT_EQ(test, st_del(ST_A, 0, false), 0);
	st_expect(test, ST_A, 2, st->page[ST_A][2], 2, 1);
	st_expect(test, ST_B, 0, st->page[ST_POOL][4], 2, 2);
	KUNIT_ASSERT_EQ(test, st_del(ST_B, 0, false), 0);
	st_expect(test, ST_B, 3, st->page[ST_B][3], 16 * ST_POOL + 7, 1);
	st_expect_own(test);
}

/* Somebody has a reference: nothing changes, unless that does not matter. */
static void swap_busy_test(struct kunit *test)
{
	struct st *st = test->priv;
	struct netlink_ext_ack extack = {};
	struct page *held = st->page[ST_A][3];

	get_page(held);
	KUNIT_EXPECT_EQ(test, st_new(ST_A, 0, 0, ST_PAGES, false, &extack), -EBUSY);
	KUNIT_EXPECT_NOT_NULL(test, extack._msg);
	st_expect(test, ST_A, 2, st->page[ST_A][2], 2, 1);
	st_expect(test, ST_A, 3, held, 3, 2);
	st_expect(test, ST_POOL, 2, st->page[ST_POOL][2], 16 * ST_POOL + 2, 1);
	put_page(held);
	st_expect_own(test);

	KUNIT_ASSERT_EQ(test, st_new(ST_A, 0, 0, ST_PAGES, false, NULL), 0);
	KUNIT_ASSERT_EQ(test, st_new(ST_B, 2, 2, 4, true, NULL), 0);
	held = st->page[ST_POOL][3];
	get_page(held);
	KUNIT_EXPECT_EQ(test, st_del(ST_A, 0, false), -EBUSY);
	st_expect(test, ST_A, 2, st->page[ST_POOL][2], 2, 3);
	st_expect(test, ST_A, 3, held, 3, 4);
	st_expect(test, ST_B, 4, st->page[ST_POOL][4], 4, 3);
	KUNIT_EXPECT_EQ(test, st_del(ST_A, 0, true), 0);
	st_expect(test, ST_A, 3, st->page[ST_A][3], 3, 1);
	st_expect(test, ST_B, 3, held, 3, 3);
	put_page(held);
	KUNIT_EXPECT_EQ(test, st_del(ST_B, 2, false), 0);
	st_expect_own(test);
}

/* Broken memory is not copied, and nobody sees old bytes in its place. */
static void swap_poisoned_test(struct kunit *test)
{
	struct st *st = test->priv;
	struct page *page = st->page[ST_A][3];

	SetPageHWPoison(page);
	KUNIT_EXPECT_EQ(test, st_new(ST_A, 2, 2, 2, false, NULL), -EHWPOISON);
	ClearPageHWPoison(page);
	page = st->page[ST_POOL][3];
	SetPageHWPoison(page);
	KUNIT_EXPECT_EQ(test, st_new(ST_A, 2, 2, 2, true, NULL), -EHWPOISON);
	ClearPageHWPoison(page);
	st_expect_own(test);

	KUNIT_ASSERT_EQ(test, st_new(ST_A, 2, 2, 2, false, NULL), 0);
	SetPageHWPoison(page);
	KUNIT_EXPECT_EQ(test, st_del(ST_A, 2, false), -EHWPOISON);
	st_expect(test, ST_A, 2, st->page[ST_POOL][2], 2, 2);
	KUNIT_EXPECT_EQ(test, st_del(ST_A, 2, true), 0);
	st_expect(test, ST_A, 2, st->page[ST_A][2], 2, 1);
	st_expect(test, ST_A, 3, page, 3, 2);
	ClearPageHWPoison(page);
}

/* A deleted pool leaves each its own pages, a deleted region nothing in the pool. */
static void swap_deleted_test(struct kunit *test)
{
	struct st *st = test->priv;

	KUNIT_ASSERT_EQ(test, st_new(ST_A, 0, 0, 4, false, NULL), 0);
	KUNIT_ASSERT_EQ(test, st_new(ST_B, 0, 0, 4, true, NULL), 0);
	KUNIT_EXPECT_EQ(test, ivshm_region_del(st_names[ST_POOL], false), -EBUSY);
	KUNIT_EXPECT_EQ(test, ivshm_region_del(st_names[ST_B], false), 0);
	st_expect(test, ST_A, 1, st->page[ST_POOL][1], 1, 2);
	memset(page_address(st->page[ST_POOL][1]), 0x66, PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, ivshm_region_del(st_names[ST_POOL], true), 0);
	st_expect(test, ST_A, 0, st->page[ST_A][0], 0, 1);
	st_expect(test, ST_A, 1, st->page[ST_A][1], 0x66, 1);
	KUNIT_EXPECT_TRUE(test, list_empty(&ivshm_swaps));
	KUNIT_EXPECT_EQ(test, st->region[ST_A]->swaps, 0);
}

/* What else a range is used for, and the words for it. */
static void swap_claims_test(struct kunit *test)
{
	static const struct {
		enum ivshm_claim_kind kind;
		bool kept;	/* can be in a pool whose contents stay */
		const char *word;
	} uses[] = {
		{ IVSHM_CLAIM_DMA, true, "dma-buf" },
		{ IVSHM_CLAIM_LANDING, false, "messages" },
		{ IVSHM_CLAIM_LENDING, true, "messages" },
		{ IVSHM_CLAIM_BORROWED, false, "messages" },
		{ IVSHM_CLAIM_MOVING, false, "messages" },
		{ IVSHM_CLAIM_RINGS, false, "rings" },
	};
	struct netlink_ext_ack extack;
	struct st *st = test->priv;
	struct ivshm_claim claim;
	int i;

	for (i = 0; i < ARRAY_SIZE(uses); i++) {
		extack._msg = "";
		KUNIT_ASSERT_EQ(test, ivshm_region_claim(st->region[ST_A], &claim,
							 uses[i].kind, 3, 1), 0);
		KUNIT_EXPECT_EQ(test, st_new(ST_A, 2, 2, 2, true, &extack), -EBUSY);
		KUNIT_EXPECT_NOT_NULL(test, strstr(extack._msg, uses[i].word));
		/* Beside it. */
		KUNIT_EXPECT_EQ(test, st_new(ST_A, 4, 2, 2, true, &extack), 0);
		KUNIT_EXPECT_EQ(test, st_del(ST_A, 4, false), 0);
		ivshm_region_unclaim(st->region[ST_A], &claim);

		KUNIT_ASSERT_EQ(test, ivshm_region_claim(st->region[ST_POOL], &claim,
							 uses[i].kind, 3, 1), 0);
		KUNIT_EXPECT_EQ(test, st_new(ST_A, 2, 2, 2, false, &extack), -EBUSY);
		KUNIT_EXPECT_EQ(test, st_new(ST_A, 2, 2, 2, true, &extack),
				uses[i].kept ? 0 : -EBUSY);
		if (uses[i].kept)
			KUNIT_EXPECT_EQ(test, st_del(ST_A, 2, false), 0);
		ivshm_region_unclaim(st->region[ST_POOL], &claim);

		/* And the other way round. */
		KUNIT_ASSERT_EQ(test, st_new(ST_A, 2, 2, 2, true, &extack), 0);
		KUNIT_EXPECT_EQ(test, ivshm_region_claim(st->region[ST_A], &claim,
							 uses[i].kind, 3, 1), -EBUSY);
		KUNIT_EXPECT_EQ(test, st_del(ST_A, 2, false), 0);
	}
	st_expect_own(test);
}

static struct kunit_case swap_cases[] = {
	KUNIT_CASE(swap_contents_test),
	KUNIT_CASE(swap_shared_test),
	KUNIT_CASE(swap_busy_test),
	KUNIT_CASE(swap_poisoned_test),
	KUNIT_CASE(swap_deleted_test),
	KUNIT_CASE(swap_claims_test),
	{}
};

static struct kunit_suite swap_suite = {
	.name = "ivshm-region-swap",
	.suite_init = ivshm_region_test_begin,
	.suite_exit = ivshm_region_test_end,
	.init = st_init,
	.exit = st_exit,
	.test_cases = swap_cases,
};

kunit_test_suite(swap_suite);
