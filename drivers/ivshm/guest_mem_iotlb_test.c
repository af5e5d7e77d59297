// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit: guest memory behind a vIOMMU.
 */
#include <linux/kthread.h>
#include <linux/sched/task.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#include "guest_mem_test.h"
#include "iotlb.h"

#define RO	VHOST_ACCESS_RO
#define WO	VHOST_ACCESS_WO
#define RW	VHOST_ACCESS_RW
#define IOVA	0x7000000000ULL
#define GPA	0x100000ULL

/**
 * struct tt - a mirror with an IOTLB
 * @gt:  first, for what takes that
 * @tlb: empty in the beginning
 */
struct tt {
	struct gt *gt;
	struct ivshm_iotlb tlb;
};

/* The context of struct gt stays the test's; this one goes with its IOTLB. */
static struct tt *tt_make(struct kunit *test)
{
	struct tt *tt = kunit_kzalloc(test, sizeof(*tt), GFP_KERNEL);
	struct ivshm_iotlb_map *pool;

	KUNIT_ASSERT_NOT_NULL(test, tt);
	tt->gt = test->priv;
	ivshm_iotlb_init(&tt->tlb);
	pool = ivshm_iotlb_pool_alloc();
	KUNIT_ASSERT_NOT_NULL(test, pool);
	ivshm_iotlb_reset(&tt->tlb, pool);
	ivshm_gmem_set_iotlb(tt->gt->gm, &tt->tlb);
	return tt;
}

static void tt_free(struct tt *tt)
{
	ivshm_gmem_set_iotlb(tt->gt->gm, NULL);
	kvfree(ivshm_iotlb_reset(&tt->tlb, NULL));
}

static void tt_map(struct tt *tt, u64 iova, u64 size, u64 uaddr, u8 perm)
{
	ivshm_gmem_write_lock(tt->gt->gm);
	ivshm_iotlb_update(&tt->tlb, iova, iova + size - 1, uaddr, perm);
	ivshm_gmem_write_unlock(tt->gt->gm);
}

static void tt_drop(struct tt *tt, u64 iova, u64 size)
{
	ivshm_gmem_write_lock(tt->gt->gm);
	ivshm_iotlb_invalidate(&tt->tlb, iova, iova + size - 1);
	ivshm_gmem_write_unlock(tt->gt->gm);
}

static void tt_expect_miss(struct kunit *test, struct tt *tt, u64 iova, u8 perm)
{
	struct ivshm_iotlb_miss miss = {};
	bool again;

	KUNIT_EXPECT_TRUE(test, ivshm_iotlb_take(&tt->tlb, &miss, &again));
	KUNIT_EXPECT_EQ(test, miss.iova, iova);
	KUNIT_EXPECT_EQ(test, miss.perm, perm);
}

static void gmem_iova(struct kunit *test)
{
	struct gt *gt = test->priv;
	unsigned long hva = gt_guest(test, GPA, SZ_64K);
	u8 *buf = gt_pattern(test, SZ_16K, 1), *back = gt_pattern(test, SZ_16K, 99);
	struct tt *tt = tt_make(test);
	struct kvec vec[8];
	int n;

	/* The memory table does not count any more. */
	KUNIT_EXPECT_EQ(test, gt_probe(gt->gm, GPA, false), -EINPROGRESS);
	tt_expect_miss(test, tt, GPA, RO);
	KUNIT_EXPECT_FALSE(test, ivshm_gmem_missing(gt->gm));
	KUNIT_EXPECT_TRUE(test, ivshm_gmem_translated(gt->gm));

	/* In pieces that are no pages, in no order, with a hole. */
	tt_map(tt, IOVA, 100, hva + SZ_8K, RW);
	tt_map(tt, IOVA + 100, SZ_4K, hva + 12, RW);
	KUNIT_EXPECT_EQ(test, gt_write(gt->gm, IOVA, buf, SZ_4K + 101), -EINPROGRESS);
	tt_expect_miss(test, tt, IOVA + SZ_4K + 100, WO);
	tt_map(tt, IOVA + 100 + SZ_4K, SZ_16K, hva + SZ_32K, RW);
	KUNIT_ASSERT_EQ(test, gt_write(gt->gm, IOVA, buf, SZ_16K), 0);
	KUNIT_EXPECT_EQ(test, gt_read(gt->gm, IOVA, back, SZ_16K), 0);
	KUNIT_EXPECT_EQ(test, memcmp(buf, back, SZ_16K), 0);
	KUNIT_EXPECT_EQ(test, gt_peek(gt, hva + 12, back, SZ_4K), 0);
	KUNIT_EXPECT_EQ(test, memcmp(buf + 100, back, SZ_4K), 0);
	KUNIT_EXPECT_EQ(test, gt_peek(gt, hva + SZ_8K, back, 100), 0);
	KUNIT_EXPECT_EQ(test, memcmp(buf, back, 100), 0);

	/* All that is missing is asked for, once. */
	ivshm_gmem_read_lock(gt->gm);
	n = ivshm_gmem_map(gt->gm, IOVA + SZ_1M + 50, 3 * SZ_4K, true, vec, 8);
	ivshm_gmem_read_unlock(gt->gm);
	KUNIT_EXPECT_EQ(test, n, -EINPROGRESS);
	tt_expect_miss(test, tt, IOVA + SZ_1M + 50, WO);
	tt_expect_miss(test, tt, IOVA + SZ_1M + SZ_4K, WO);
	tt_expect_miss(test, tt, IOVA + SZ_1M + 2 * SZ_4K, WO);
	tt_expect_miss(test, tt, IOVA + SZ_1M + 3 * SZ_4K, WO);
	KUNIT_EXPECT_EQ(test, tt->tlb.nr, 0);

	/* What was taken away is gone at once; and without an IOTLB all is as before. */
	tt_drop(tt, IOVA + 50, 1);
	KUNIT_EXPECT_EQ(test, gt_read(gt->gm, IOVA, back, 1), -EINPROGRESS);
	KUNIT_EXPECT_EQ(test, gt_read(gt->gm, IOVA + 100, back, 1), 0);
	ivshm_gmem_set_iotlb(gt->gm, NULL);
	KUNIT_EXPECT_EQ(test, gt_read(gt->gm, GPA + 12, back, SZ_4K), 0);
	KUNIT_EXPECT_EQ(test, memcmp(buf + 100, back, SZ_4K), 0);
	KUNIT_EXPECT_EQ(test, gt_probe(gt->gm, IOVA + 100, false), -EFAULT);
	tt_free(tt);
}

static void gmem_iova_perm(struct kunit *test)
{
	struct gt *gt = test->priv;
	unsigned long hva = gt_guest(test, GPA, SZ_64K);
	struct tt *tt = tt_make(test);
	u32 val = 0;

	tt_map(tt, IOVA, SZ_4K, hva, RO);
	tt_map(tt, IOVA + SZ_4K, SZ_4K, hva + SZ_4K, WO);
	tt_map(tt, IOVA + SZ_8K, SZ_4K, hva, 0);
	KUNIT_EXPECT_EQ(test, gt_read(gt->gm, IOVA, &val, 4), 0);
	KUNIT_EXPECT_EQ(test, gt_write(gt->gm, IOVA, &val, 4), -EFAULT);
	KUNIT_EXPECT_EQ(test, gt_read(gt->gm, IOVA + SZ_4K, &val, 4), -EFAULT);
	KUNIT_EXPECT_EQ(test, gt_write(gt->gm, IOVA + SZ_4K, &val, 4), 0);
	KUNIT_EXPECT_EQ(test, gt_read(gt->gm, IOVA + SZ_8K, &val, 4), -EFAULT);
	KUNIT_EXPECT_EQ(test, gt_write(gt->gm, IOVA + SZ_8K, &val, 4), -EFAULT);
	/* The one end is fine. */
	KUNIT_EXPECT_EQ(test, gt_write(gt->gm, IOVA + SZ_8K - 2, &val, 4), -EFAULT);
	/* Nobody needs to be asked about any of it. */
	KUNIT_EXPECT_EQ(test, tt->tlb.nr, 0);
	/* No memory there, none that the kernel would touch. */
	KUNIT_ASSERT_EQ(test, gt_munmap(gt, hva + SZ_32K, SZ_4K), 0);
	tt_map(tt, IOVA + SZ_64K, SZ_4K, hva + SZ_32K, RW);
	KUNIT_EXPECT_EQ(test, gt_read(gt->gm, IOVA + SZ_64K, &val, 4), -EFAULT);
	tt_map(tt, IOVA + SZ_128K, SZ_4K, TASK_SIZE_MAX, RW);
	KUNIT_EXPECT_EQ(test, gt_read(gt->gm, IOVA + SZ_128K, &val, 4), -EFAULT);
	/* Not by user access either. */
	KUNIT_EXPECT_EQ(test, ivshm_gmem_user_copy(gt->gm, IOVA, &val, 4, false), -EFAULT);
	tt_free(tt);
}

static int ring_hva(struct tt *tt, u64 iova, u32 len, bool write, u64 *hva)
{
	int err;

	ivshm_gmem_read_lock(tt->gt->gm);
	err = ivshm_gmem_ring_hva(tt->gt->gm, iova, len, write, hva);
	ivshm_gmem_read_unlock(tt->gt->gm);
	return err;
}

/* A ring may be in several entries, but its pages are pages. */
static void gmem_iova_ring(struct kunit *test)
{
	unsigned long hva = gt_guest(test, GPA, SZ_64K);
	struct tt *tt = tt_make(test);
	u64 at = 0, gen;

	KUNIT_EXPECT_EQ(test, ring_hva(tt, IOVA + 8, 64, false, &at), -EINPROGRESS);
	tt_expect_miss(test, tt, IOVA + 8, RO);
	gen = gt_generation(tt->gt->gm);
	tt_map(tt, IOVA, 16, hva, RW);
	KUNIT_EXPECT_NE(test, gt_generation(tt->gt->gm), gen);
	KUNIT_EXPECT_EQ(test, ring_hva(tt, IOVA + 8, 8, false, &at), 0);
	KUNIT_EXPECT_EQ(test, at, hva + 8);
	KUNIT_EXPECT_EQ(test, ring_hva(tt, IOVA + 8, 64, true, &at), -EINPROGRESS);
	tt_expect_miss(test, tt, IOVA + 16, WO);
	tt_map(tt, IOVA + 16, 100, hva + 16, RO);
	KUNIT_EXPECT_EQ(test, ring_hva(tt, IOVA + 8, 64, false, &at), 0);
	KUNIT_EXPECT_EQ(test, at, hva + 8);
	KUNIT_EXPECT_EQ(test, ring_hva(tt, IOVA + 8, 64, true, &at), -EFAULT);
	gen = gt_generation(tt->gt->gm);
	tt_drop(tt, IOVA + 16, 1);
	KUNIT_EXPECT_NE(test, gt_generation(tt->gt->gm), gen);
	/* In two places; at another place within the page. */
	tt_map(tt, IOVA + 16, 100, hva + SZ_8K + 16, RW);
	KUNIT_EXPECT_EQ(test, ring_hva(tt, IOVA + 8, 64, false, &at), -EFAULT);
	tt_map(tt, IOVA + SZ_4K, SZ_4K, hva + 2, RW);
	KUNIT_EXPECT_EQ(test, ring_hva(tt, IOVA + SZ_4K, 64, false, &at), -EFAULT);
	tt_free(tt);
}

/* The log goes by the memory table, wherever the memory is in it. */
static void gmem_iova_log(struct kunit *test)
{
	struct gt *gt = test->priv;
	unsigned long hva = gt_area(test, NULL, SZ_64K), log = gt_area(test, NULL, SZ_4K);
	unsigned long other = gt_area(test, NULL, SZ_4K);
	struct vhost_memory_region region[] = {
		{ 4 * SZ_4K, SZ_64K, hva, 0 }, { 40 * SZ_4K, SZ_8K, hva + SZ_4K, 0 },
	};
	struct tt *tt = tt_make(test);
	u8 *buf = gt_pattern(test, SZ_16K, 1);
	u64 bits = 0;

	KUNIT_ASSERT_EQ(test, ivshm_gmem_set_table(gt->gm, region, 2), 0);
	KUNIT_ASSERT_EQ(test, ivshm_gmem_set_log(gt->gm, log, 8, true), 0);
	tt_map(tt, IOVA, SZ_4K, hva + SZ_8K, RW);
	tt_map(tt, IOVA + SZ_4K, SZ_4K, hva + SZ_16K, RW);
	tt_map(tt, IOVA + SZ_8K, SZ_4K, other, RW);
	KUNIT_EXPECT_EQ(test, gt_write(gt->gm, IOVA + SZ_4K - 1, buf, 2), 0);
	KUNIT_EXPECT_EQ(test, gt_peek(gt, log, &bits, 8), 0);
	KUNIT_EXPECT_EQ(test, bits, BIT_ULL(6) | BIT_ULL(41) | BIT_ULL(8));
	/* What is not the guest's has no bit. */
	bits = 0;
	KUNIT_EXPECT_EQ(test, gt_poke(gt, log, &bits, 8), 0);
	KUNIT_EXPECT_EQ(test, gt_write(gt->gm, IOVA + SZ_8K, buf, SZ_4K), 0);
	KUNIT_EXPECT_EQ(test, gt_peek(gt, log, &bits, 8), 0);
	KUNIT_EXPECT_EQ(test, bits, 0);
	/* A used ring's way. */
	KUNIT_EXPECT_EQ(test, ivshm_gmem_log_wait(gt->gm, IOVA + SZ_4K + 8, 4), 0);
	KUNIT_EXPECT_EQ(test, ivshm_gmem_log_wait(gt->gm, IOVA + SZ_64K, 4), -EINPROGRESS);
	KUNIT_EXPECT_EQ(test, gt_peek(gt, log, &bits, 8), 0);
	KUNIT_EXPECT_EQ(test, bits, BIT_ULL(8));
	tt_free(tt);
}

#define PAGES	8

/**
 * struct move - a guest that maps its pages anew all the time
 * @tt:		the context
 * @stable:	what pages hold at least
 * @stop:	the end
 * @errors:	what was gone by the time of a look-up
 * @copies:	what was there
 * @failed:	first unexpected return value
 */
struct move {
	struct tt *tt;
	u64 stable;
	bool stop;
	u32 errors;
	u32 copies;
	int failed;
};

static int move_reader(void *data)
{
	struct move *m = data;
	struct ivshm_gmem *gm = m->tt->gt->gm;
	struct ivshm_iotlb_miss miss;
	bool again;
	u32 i = 0;

	while (!READ_ONCE(m->stop)) {
		u64 least, val = 0;
		int n;

		i = (i + 1) % PAGES;
		/* Pairs with the release of the one who maps. */
		least = smp_load_acquire(&m->stable);
		ivshm_gmem_read_lock(gm);
		n = ivshm_gmem_read(gm, IOVA + i * PAGE_SIZE, &val, sizeof(val));
		ivshm_gmem_read_unlock(gm);
		if (!n) {
			m->copies++;
			m->errors += val < least;
		} else if (n == -EAGAIN) {
			n = gt_settle(gm);
			if (n)
				m->failed = n;
		} else if (n == -EINPROGRESS) {
			ivshm_iotlb_tell(&m->tt->tlb);
			ivshm_iotlb_take(&m->tt->tlb, &miss, &again);
		} else {
			m->failed = n;
		}
		cond_resched();
	}
	while (!kthread_should_stop())
		schedule_timeout_interruptible(1);
	return 0;
}

/* Whoever sees an invalidation as done finds nothing of before it. */
static void gmem_iova_race(struct kunit *test)
{
	unsigned long hva = gt_guest(test, GPA, 2 * PAGES * PAGE_SIZE);
	struct tt *tt = tt_make(test);
	struct move *m = kunit_kzalloc(test, sizeof(*m), GFP_KERNEL);
	struct task_struct *task;
	unsigned long end;
	u64 turn;
	u32 i;

	KUNIT_ASSERT_NOT_NULL(test, m);
	m->tt = tt;
	task = kthread_create(move_reader, m, "ivshm-iotlb-test");
	KUNIT_ASSERT_FALSE(test, IS_ERR(task));
	get_task_struct(task);
	wake_up_process(task);
	for (turn = 1, end = jiffies + 2 * HZ; time_before(jiffies, end); turn++) {
		u64 half = hva + (turn & 1) * PAGES * PAGE_SIZE;

		for (i = 0; i < PAGES; i++)
			gt_poke(tt->gt, half + i * PAGE_SIZE, &turn, sizeof(turn));
		tt_drop(tt, IOVA, PAGES * PAGE_SIZE);
		for (i = 0; i < PAGES; i++)
			tt_map(tt, IOVA + i * PAGE_SIZE, PAGE_SIZE, half + i * PAGE_SIZE, RW);
		/* Pairs with the reader's. */
		smp_store_release(&m->stable, turn);
		schedule_timeout_uninterruptible(turn % 8 ? 0 : 1);
	}
	WRITE_ONCE(m->stop, true);
	kthread_stop(task);
	put_task_struct(task);
	kunit_info(test, "%llu turns, %u copies", turn, m->copies);
	KUNIT_EXPECT_EQ(test, m->errors, 0);
	KUNIT_EXPECT_EQ(test, m->failed, 0);
	KUNIT_EXPECT_GT(test, turn, 10);
	KUNIT_EXPECT_GT(test, m->copies, 100);
	tt_free(tt);
}

static struct kunit_case gmem_iotlb_cases[] = {
	KUNIT_CASE(gmem_iova),
	KUNIT_CASE(gmem_iova_perm),
	KUNIT_CASE(gmem_iova_ring),
	KUNIT_CASE(gmem_iova_log),
	KUNIT_CASE(gmem_iova_race),
	{}
};

static struct kunit_suite gmem_iotlb_suite = {
	.name = "ivshm-guest-mem-iotlb",
	.suite_init = gt_suite_init,
	.suite_exit = gt_suite_exit,
	.init = gt_init,
	.exit = gt_exit,
	.test_cases = gmem_iotlb_cases,
};

kunit_test_suite(gmem_iotlb_suite);
