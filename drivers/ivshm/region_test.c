// SPDX-License-Identifier: GPL-2.0
/* KUnit tests of regions. */
#include <kunit/test.h>
#include <linux/mm.h>
#include <linux/netlink.h>
#include <linux/numa.h>
#include <linux/pagemap.h>
#include <linux/workqueue.h>

#include "region.h"
#include "region_test.h"
#include "test_live.h"

#define RT_NAME		"kunit-region"
#define RT_PAGES	8

int ivshm_region_test_begin(struct kunit_suite *suite)
{
	return ivshm_kunit_live() ? 0 : ivshm_region_init();
}

void ivshm_region_test_end(struct kunit_suite *suite)
{
	if (!ivshm_kunit_live())
		ivshm_region_exit();
}

static void rt_exit(struct kunit *test)
{
	ivshm_region_del(RT_NAME, true);
}

static const struct ivshm_region_config rt_config = {
	.name = RT_NAME,
	.size = RT_PAGES * PAGE_SIZE,
	.page_size = PAGE_SIZE,
	.mode = 0600,
	.node = NUMA_NO_NODE,
};

/* Nobody else deletes it. */
static struct ivshm_region *rt_new(struct kunit *test, u64 size, u32 page_size)
{
	struct ivshm_region_config cfg = rt_config;
	struct ivshm_region *region;

	cfg.size = size;
	cfg.page_size = page_size;
	KUNIT_ASSERT_EQ(test, ivshm_region_new(&cfg, NULL), 0);
	mutex_lock(&ivshm_region_mutex);
	region = ivshm_region_find(RT_NAME);
	mutex_unlock(&ivshm_region_mutex);
	KUNIT_ASSERT_NOT_NULL(test, region);
	return region;
}

static void region_refused_test(struct kunit *test)
{
	static const char *const names[] = {
		"", ".", "..", "-a", "a/b", "a b", "a\x80", "a%",
	};
	struct netlink_ext_ack extack = {};
	struct ivshm_region_config cfg;
	int i;

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		cfg = rt_config;
		strscpy(cfg.name, names[i], sizeof(cfg.name));
		extack._msg = NULL;
		KUNIT_EXPECT_EQ(test, ivshm_region_new(&cfg, &extack), -EINVAL);
		KUNIT_EXPECT_NOT_NULL(test, extack._msg);
	}
	cfg = rt_config;
	memset(cfg.name, 'a', sizeof(cfg.name));
	KUNIT_EXPECT_EQ(test, ivshm_region_new(&cfg, &extack), -EINVAL);

	cfg = rt_config;
	cfg.size = PAGE_SIZE / 2;
	KUNIT_EXPECT_EQ(test, ivshm_region_new(&cfg, &extack), -EINVAL);
	cfg.size = 3 * PAGE_SIZE;
	KUNIT_EXPECT_EQ(test, ivshm_region_new(&cfg, NULL), -EINVAL);
	cfg = rt_config;
	cfg.page_size = 2 * PAGE_SIZE;
	KUNIT_EXPECT_EQ(test, ivshm_region_new(&cfg, &extack), -EINVAL);
	cfg = rt_config;
	cfg.node = MAX_NUMNODES;
	KUNIT_EXPECT_EQ(test, ivshm_region_new(&cfg, &extack), -EINVAL);
	cfg = rt_config;
	cfg.mode = 01000;
	KUNIT_EXPECT_EQ(test, ivshm_region_new(&cfg, &extack), -EINVAL);
	/* More than any host has. */
	cfg = rt_config;
	cfg.size = 1ULL << 62;
	KUNIT_EXPECT_EQ(test, ivshm_region_new(&cfg, &extack), -ENOSPC);
	KUNIT_EXPECT_EQ(test, ivshm_region_del(RT_NAME, false), -ENOENT);

	KUNIT_EXPECT_EQ(test, ivshm_region_new(&rt_config, &extack), 0);
	KUNIT_EXPECT_EQ(test, ivshm_region_new(&rt_config, &extack), -EEXIST);
	KUNIT_EXPECT_EQ(test, ivshm_region_del(RT_NAME, false), 0);
}

static void region_pages_test(struct kunit *test)
{
	struct ivshm_region *region;
	struct page *page;
	pgoff_t i;

	region = rt_new(test, RT_PAGES * PAGE_SIZE, PAGE_SIZE);
	for (i = 0; i < RT_PAGES; i++) {
		page = ivshm_region_lock_page(region, i);
		KUNIT_ASSERT_NOT_NULL(test, page);
		KUNIT_EXPECT_PTR_EQ(test, page, region->slot[i]);
		KUNIT_EXPECT_TRUE(test, PageLocked(page));
		KUNIT_EXPECT_EQ(test, page_count(page), 2);
		KUNIT_EXPECT_NULL(test, memchr_inv(page_address(page), 0, PAGE_SIZE));
		KUNIT_EXPECT_NULL(test, page->mapping);
		unlock_page(page);
		put_page(page);
		KUNIT_EXPECT_EQ(test, page_count(page), 1);
	}
	KUNIT_EXPECT_NULL(test, ivshm_region_lock_page(region, RT_PAGES));
	KUNIT_EXPECT_NULL(test, ivshm_region_lock_page(region, -1UL));
}

static void region_large_pages_test(struct kunit *test)
{
	unsigned long nr = PMD_SIZE / PAGE_SIZE;
	struct ivshm_region *region;
	struct page *page;

	region = rt_new(test, 2 * PMD_SIZE, PMD_SIZE);
	KUNIT_EXPECT_EQ(test, region->nr, 2);
	page = ivshm_region_lock_page(region, nr + 5);
	KUNIT_ASSERT_NOT_NULL(test, page);
	KUNIT_EXPECT_PTR_EQ(test, page, region->slot[1] + 5);
	KUNIT_EXPECT_TRUE(test, PageLocked(region->slot[1]));
	KUNIT_EXPECT_EQ(test, page_count(region->slot[1]), 2);
	unlock_page(page);
	put_page(page);
	KUNIT_EXPECT_EQ(test, page_count(region->slot[1]), 1);
	KUNIT_EXPECT_NULL(test, ivshm_region_lock_page(region, 2 * nr));
}

/* Others' references outlive the region. */
static void region_del_test(struct kunit *test)
{
	struct ivshm_region *region;
	struct page *page;

	region = rt_new(test, RT_PAGES * PAGE_SIZE, PAGE_SIZE);
	page = ivshm_region_lock_page(region, 3);
	KUNIT_ASSERT_NOT_NULL(test, page);
	unlock_page(page);
	KUNIT_EXPECT_EQ(test, ivshm_region_use(region), 0);
	KUNIT_EXPECT_EQ(test, ivshm_region_del(RT_NAME, false), -EBUSY);
	KUNIT_EXPECT_EQ(test, ivshm_region_del(RT_NAME, true), 0);
	KUNIT_EXPECT_FALSE(test, ivshm_region_alive(region));
	KUNIT_EXPECT_EQ(test, ivshm_region_use(region), -ENODEV);
	KUNIT_EXPECT_NULL(test, ivshm_region_lock_page(region, 3));
	KUNIT_EXPECT_EQ(test, page_count(page), 1);
	put_page(page);
	ivshm_region_unuse(region);
}

/* A fault on its way to a page. */
struct rt_fault {
	struct work_struct work;
	struct ivshm_region *region;
	struct page *got;
};

static void rt_fault(struct work_struct *work)
{
	struct rt_fault *fault = container_of(work, struct rt_fault, work);

	fault->got = ivshm_region_lock_page(fault->region, 0);
	if (fault->got)
		unlock_page(fault->got);
}

/* A fault that waits for a page gets what the slot has afterwards. */
static void region_slot_changes_test(struct kunit *test)
{
	struct ivshm_region *region;
	struct page *first, *second;
	struct rt_fault fault = {};

	region = rt_new(test, 2 * PAGE_SIZE, PAGE_SIZE);
	fault.region = region;
	INIT_WORK_ONSTACK(&fault.work, rt_fault);
	first = ivshm_region_lock_page(region, 0);
	KUNIT_ASSERT_NOT_NULL(test, first);
	second = region->slot[1];
	queue_work(system_dfl_wq, &fault.work);
	/* Until it has its reference and waits for the lock. */
	while (page_count(first) < 3)
		cond_resched();
	lock_page(second);
	WRITE_ONCE(region->slot[0], second);
	WRITE_ONCE(region->slot[1], first);
	unlock_page(second);
	unlock_page(first);
	flush_work(&fault.work);
	destroy_work_on_stack(&fault.work);
	KUNIT_EXPECT_PTR_EQ(test, fault.got, second);
	KUNIT_EXPECT_EQ(test, page_count(first), 2);
	KUNIT_EXPECT_EQ(test, page_count(second), 2);
	put_page(first);
	put_page(second);
}

static struct kunit_case region_cases[] = {
	KUNIT_CASE(region_refused_test),
	KUNIT_CASE(region_pages_test),
	KUNIT_CASE(region_large_pages_test),
	KUNIT_CASE(region_del_test),
	KUNIT_CASE(region_slot_changes_test),
	{}
};

static struct kunit_suite region_suite = {
	.name = "ivshm-region",
	.suite_init = ivshm_region_test_begin,
	.suite_exit = ivshm_region_test_end,
	.exit = rt_exit,
	.test_cases = region_cases,
};

kunit_test_suite(region_suite);
