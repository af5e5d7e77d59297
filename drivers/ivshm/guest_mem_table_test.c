// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit: the memory table and the list of missing pages.
 */
#include <linux/mman.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "guest_mem_test.h"

#define GPA	0x100000ULL

static void gmem_table_errors(struct kunit *test)
{
	struct gt *gt = test->priv;
	unsigned long hva = gt_guest(test, GPA, SZ_64K);
	struct vhost_memory_region *many;
	struct vhost_memory_region two[] = {
		{ 0x3000, 0x2000, hva, 0 },
		{ 0x1000, 0x2001, hva, 0 },
	};
	u32 i, n = IVSHM_GMEM_MAX_REGIONS, val = 4;
	u64 gen;

	KUNIT_ASSERT_EQ(test, gt_write(gt->gm, GPA, &val, 4), 0);
	gen = gt_generation(gt->gm);

	KUNIT_EXPECT_EQ(test, gt_set_one(gt->gm, 0, 0, hva, 0), -EFAULT);
	KUNIT_EXPECT_EQ(test, gt_set_one(gt->gm, 0x1000, 0, hva, 0), -EFAULT);
	KUNIT_EXPECT_EQ(test, gt_set_one(gt->gm, -0x1000, 0x1001, hva, 0), -EFAULT);
	KUNIT_EXPECT_EQ(test, gt_set_one(gt->gm, 0, U64_MAX, 0, 0), -EFAULT);
	KUNIT_EXPECT_EQ(test, gt_set_one(gt->gm, 0, 0x1000, -0x800, 0), -EFAULT);
	KUNIT_EXPECT_EQ(test, gt_set_one(gt->gm, 0, 0x1000, TASK_SIZE_MAX, 0), -EFAULT);
	KUNIT_EXPECT_EQ(test, gt_set_one(gt->gm, 0, 0x1000, TASK_SIZE_MAX - 0xfff, 0),
			-EFAULT);
	KUNIT_EXPECT_EQ(test, gt_set_one(gt->gm, 0, TASK_SIZE_MAX + 1, 0, 0), -EFAULT);
	/* A tagged address is another name for memory that nothing invalidates. */
	KUNIT_EXPECT_EQ(test, gt_set_one(gt->gm, 0, 0x1000, hva | BIT_ULL(57), 0), -EFAULT);
	KUNIT_EXPECT_EQ(test, gt_set_one(gt->gm, 0, 0x1000, hva, 1), -EINVAL);
	KUNIT_EXPECT_EQ(test, ivshm_gmem_set_table(gt->gm, two, 2), -EINVAL);
	two[1].guest_phys_addr = 0x3000;
	two[1].memory_size = 0x2000;
	KUNIT_EXPECT_EQ(test, ivshm_gmem_set_table(gt->gm, two, 2), -EINVAL);

	many = kunit_kcalloc(test, n + 1, sizeof(*many), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, many);
	for (i = 0; i <= n; i++) {
		many[i].guest_phys_addr = GPA + (n - i) * SZ_4K;
		many[i].memory_size = SZ_4K;
		many[i].userspace_addr = hva + (n - i) % 16 * SZ_4K;
	}
	KUNIT_EXPECT_EQ(test, ivshm_gmem_set_table(gt->gm, many, n + 1), -E2BIG);

	/* All that has changed nothing. */
	KUNIT_EXPECT_EQ(test, gt_generation(gt->gm), gen);
	KUNIT_EXPECT_EQ(test, gt_probe(gt->gm, GPA, true), 1);

	/* These are fine. */
	two[1].guest_phys_addr = 0x1000;
	KUNIT_EXPECT_EQ(test, ivshm_gmem_set_table(gt->gm, two, 2), 0);
	KUNIT_EXPECT_EQ(test, gt_read(gt->gm, 0x1000, many, 0x3f00), 0);
	KUNIT_EXPECT_EQ(test, gt_set_one(gt->gm, 0, TASK_SIZE_MAX, 0, 0), 0);
	KUNIT_EXPECT_EQ(test, gt_read(gt->gm, hva, &val, 4), 0);
	KUNIT_EXPECT_EQ(test, val, 4);
	KUNIT_EXPECT_EQ(test, ivshm_gmem_set_table(gt->gm, NULL, 0), 0);
	KUNIT_EXPECT_EQ(test, gt_probe(gt->gm, hva, false), -EFAULT);
}

/* As many regions as there may be, looked up in any order. */
static void gmem_table_many(struct kunit *test)
{
	struct gt *gt = test->priv;
	u32 i, n = IVSHM_GMEM_MAX_REGIONS, val;
	struct vhost_memory_region *many;
	unsigned long hva = gt_area(test, NULL, n * SZ_4K);

	many = kunit_kcalloc(test, n, sizeof(*many), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, many);
	for (i = 0; i < n; i++) {
		/* With holes between them, and against the VMM's order. */
		many[i].guest_phys_addr = GPA + (n - i) * 3 * SZ_4K;
		many[i].memory_size = SZ_4K;
		many[i].userspace_addr = hva + i * SZ_4K;
		KUNIT_ASSERT_EQ(test, gt_poke(gt, hva + i * SZ_4K + 8, &i, 4), 0);
	}
	KUNIT_ASSERT_EQ(test, ivshm_gmem_set_table(gt->gm, many, n), 0);
	for (i = 0; i < n; i++) {
		u32 k = i * 101 % n;
		u64 last = many[k].guest_phys_addr + SZ_4K - 1;

		/* First, while the hint is another region. */
		KUNIT_EXPECT_NE(test, gt_probe(gt->gm, last, false), -EFAULT);
		KUNIT_EXPECT_EQ(test, gt_read(gt->gm, many[k].guest_phys_addr + 8, &val,
					      4), 0);
		KUNIT_EXPECT_EQ(test, val, k);
		KUNIT_EXPECT_EQ(test, gt_probe(gt->gm, many[k].guest_phys_addr - 1,
					       false), -EFAULT);
		KUNIT_EXPECT_EQ(test, gt_probe(gt->gm, many[k].guest_phys_addr + SZ_4K,
					       false), -EFAULT);
	}
}

/* After a new table the old memory is out of reach, whatever was cached. */
static void gmem_table_replace(struct kunit *test)
{
	struct gt *gt = test->priv;
	unsigned long a = gt_guest(test, GPA, SZ_64K);
	unsigned long b = gt_area(test, NULL, SZ_64K);
	u32 val = 0xaaaaaaaa;
	u64 gen;

	KUNIT_ASSERT_EQ(test, gt_write(gt->gm, GPA, &val, 4), 0);
	gen = gt_generation(gt->gm);
	gt_table(test, GPA, SZ_64K, b);
	KUNIT_EXPECT_NE(test, gt_generation(gt->gm), gen);
	KUNIT_EXPECT_EQ(test, gt_probe(gt->gm, GPA, true), -EAGAIN);
	val = 0xbbbbbbbb;
	KUNIT_EXPECT_EQ(test, gt_write(gt->gm, GPA, &val, 4), 0);
	KUNIT_EXPECT_EQ(test, gt_peek(gt, a, &val, 4), 0);
	KUNIT_EXPECT_EQ(test, val, 0xaaaaaaaa);

	/* The same again, and other memory appears at the old addresses. */
	gt_table(test, GPA, SZ_64K, a);
	ivshm_gmem_read_lock(gt->gm);
	KUNIT_EXPECT_NULL(test, ivshm_gmem_page(gt->gm, b, true));
	ivshm_gmem_read_unlock(gt->gm);
	KUNIT_ASSERT_EQ(test, gt_try_mmap(gt, NULL, b, SZ_64K, PROT_READ | PROT_WRITE,
					  MAP_FIXED), b);
	gt_table(test, GPA, SZ_64K, b);
	KUNIT_EXPECT_EQ(test, gt_read(gt->gm, GPA, &val, 4), 0);
	KUNIT_EXPECT_EQ(test, val, 0);
}

/* A mirror that has grown too large starts again, and nobody notices. */
static void gmem_flush(struct kunit *test)
{
	struct gt *gt = test->priv;
	unsigned long len = 3 * IVSHM_GMEM_CHUNK_SIZE;
	unsigned long hva = gt_guest(test, GPA, len);
	u32 val = 1;

	KUNIT_ASSERT_EQ(test, gt_write(gt->gm, GPA, &val, 4), 0);
	gt->gm->view->nr_chunks = IVSHM_GMEM_MAX_CHUNKS;
	val = 2;
	KUNIT_EXPECT_EQ(test, gt_write(gt->gm, GPA + len - 4, &val, 4), 0);
	KUNIT_EXPECT_EQ(test, gt->gm->view->nr_chunks, 1);
	KUNIT_EXPECT_EQ(test, gt_probe(gt->gm, GPA, false), -EAGAIN);
	KUNIT_EXPECT_EQ(test, gt_read(gt->gm, GPA, &val, 4), 0);
	KUNIT_EXPECT_EQ(test, val, 1);
	KUNIT_EXPECT_EQ(test, gt_peek(gt, hva + len - 4, &val, 4), 0);
	KUNIT_EXPECT_EQ(test, val, 2);
}

/* More missing pages than there is room for, asked for more than once. */
static void gmem_miss_overflow(struct kunit *test)
{
	struct gt *gt = test->priv;
	struct kvec vec;
	int rounds = 0;
	u8 *buf = gt_pattern(test, SZ_1M, 9);

	gt_guest(test, GPA, SZ_1M);
	ivshm_gmem_read_lock(gt->gm);
	KUNIT_EXPECT_EQ(test, ivshm_gmem_map(gt->gm, GPA, SZ_1M, false, &vec, 1), -EAGAIN);
	KUNIT_EXPECT_EQ(test, ivshm_gmem_map(gt->gm, GPA, SZ_1M, true, &vec, 1), -EAGAIN);
	ivshm_gmem_read_unlock(gt->gm);
	KUNIT_EXPECT_EQ(test, gt->gm->nr_missing, IVSHM_GMEM_MAX_MISSING);
	KUNIT_EXPECT_TRUE(test, gt->gm->missing[0].write);

	while (ivshm_gmem_missing(gt->gm) && rounds++ < 10) {
		KUNIT_EXPECT_EQ(test, ivshm_gmem_fault(gt->gm), 0);
		ivshm_gmem_read_lock(gt->gm);
		ivshm_gmem_map(gt->gm, GPA, SZ_1M, true, &vec, 1);
		ivshm_gmem_read_unlock(gt->gm);
	}
	KUNIT_EXPECT_LE(test, rounds, DIV_ROUND_UP(SZ_1M / PAGE_SIZE,
						   IVSHM_GMEM_MAX_MISSING));
	KUNIT_EXPECT_EQ(test, gt_write(gt->gm, GPA, buf, SZ_1M), 0);
}

static void gmem_want(struct kunit *test)
{
	struct gt *gt = test->priv;
	unsigned long hva = gt_area(test, NULL, SZ_1M);
	u64 len = SZ_1M - 100, done = 0, n;
	int rounds = 0;

	for (;;) {
		n = ivshm_gmem_want(gt->gm, hva + 50 + done, len - done, true);
		done += n;
		if (done == len || rounds++ > 20)
			break;
		KUNIT_EXPECT_EQ(test, gt_settle(gt->gm), 0);
	}
	KUNIT_EXPECT_EQ(test, done, len);
	KUNIT_EXPECT_EQ(test, gt_settle(gt->gm), 0);
	ivshm_gmem_read_lock(gt->gm);
	KUNIT_EXPECT_EQ(test, ivshm_gmem_check(gt->gm, hva, SZ_1M, true), 0);
	ivshm_gmem_read_unlock(gt->gm);
	/* Hopeless, but no reason to wait. */
	KUNIT_EXPECT_EQ(test, ivshm_gmem_want(gt->gm, BIT_ULL(63), 10, true), 10);
	KUNIT_EXPECT_EQ(test, ivshm_gmem_want(gt->gm, U64_MAX, 10, true), 10);
	KUNIT_EXPECT_FALSE(test, ivshm_gmem_missing(gt->gm));
}

static struct kunit_case gmem_table_cases[] = {
	KUNIT_CASE(gmem_table_errors),
	KUNIT_CASE(gmem_table_many),
	KUNIT_CASE(gmem_table_replace),
	KUNIT_CASE(gmem_flush),
	KUNIT_CASE(gmem_miss_overflow),
	KUNIT_CASE(gmem_want),
	{}
};

static struct kunit_suite gmem_table_suite = {
	.name = "ivshm-gmem-table",
	.suite_init = gt_suite_init,
	.suite_exit = gt_suite_exit,
	.init = gt_init,
	.exit = gt_exit,
	.test_cases = gmem_table_cases,
};

kunit_test_suite(gmem_table_suite);
