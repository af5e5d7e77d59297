// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit: the dirty log of live migration.
 */
#include <linux/completion.h>
#include <linux/kthread.h>
#include <linux/mman.h>
#include <linux/sched/task.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "guest_mem_test.h"

static void gt_expect_log(struct kunit *test, u64 log, u32 len,
			  const char *bits)
{
	struct gt *gt = test->priv;
	u8 *buf = gt_pattern(test, len, 0);
	u32 i;

	KUNIT_EXPECT_EQ(test, gt_peek(gt, log, buf, len), 0);
	for (i = 0; i < len * 8; i++) {
		bool want = i < strlen(bits) && bits[i] == '1';

		if (!!(buf[i / 8] & BIT(i % 8)) != want)
			KUNIT_FAIL(test, "bit %u is not %d", i, want);
	}
	memset(buf, 0, len);
	KUNIT_EXPECT_EQ(test, gt_poke(gt, log, buf, len), 0);
}

/* The dirty log, at an odd address across two pages (and two chunks). */
static void gmem_log(struct kunit *test)
{
	struct gt *gt = test->priv;
	unsigned long area = gt_area(test, NULL, 2 * IVSHM_GMEM_CHUNK_SIZE);
	u64 log = ALIGN(area + PAGE_SIZE, IVSHM_GMEM_CHUNK_SIZE) - 1;
	u8 *buf = gt_pattern(test, 8 * SZ_4K, 0);

	gt_guest(test, 0, 32 * SZ_4K);
	KUNIT_ASSERT_EQ(test, ivshm_gmem_set_log(gt->gm, log, 2, false), 0);
	KUNIT_EXPECT_EQ(test, gt_write(gt->gm, 0, buf, 4), 0);
	gt_expect_log(test, log, 4, "");

	KUNIT_ASSERT_EQ(test, ivshm_gmem_set_log(gt->gm, log, 2, true), 0);
	/* Data pages are there, log pages are not. */
	KUNIT_EXPECT_EQ(test, gt_probe(gt->gm, 0, true), -EAGAIN);
	KUNIT_EXPECT_EQ(test, gt_probe(gt->gm, 0, false), 1);

	KUNIT_EXPECT_EQ(test, gt_write(gt->gm, SZ_4K - 1, buf, 1), 0);
	gt_expect_log(test, log, 4, "1");
	KUNIT_EXPECT_EQ(test, gt_write(gt->gm, SZ_4K - 1, buf, 2), 0);
	gt_expect_log(test, log, 4, "11");
	KUNIT_EXPECT_EQ(test, gt_write(gt->gm, 5 * SZ_4K + 7, buf, 6 * SZ_4K), 0);
	gt_expect_log(test, log, 4, "000001111111");
	/* Over the end of the log, and behind it. */
	KUNIT_EXPECT_EQ(test, gt_write(gt->gm, 15 * SZ_4K, buf, 4 * SZ_4K), 0);
	gt_expect_log(test, log, 4, "0000000000000001");
	KUNIT_EXPECT_EQ(test, gt_write(gt->gm, 16 * SZ_4K, buf, 4), 0);
	gt_expect_log(test, log, 4, "");
	/* Reading is not writing. */
	KUNIT_EXPECT_EQ(test, gt_read(gt->gm, 0, buf, 4 * SZ_4K), 0);
	gt_expect_log(test, log, 4, "");

	/* The used ring's way, and user access. */
	ivshm_gmem_read_lock(gt->gm);
	KUNIT_EXPECT_EQ(test, ivshm_gmem_log_prepare(gt->gm, 3 * SZ_4K, 8), 0);
	ivshm_gmem_log(gt->gm, 3 * SZ_4K, 8);
	ivshm_gmem_log(gt->gm, 5 * SZ_4K, 0);
	ivshm_gmem_read_unlock(gt->gm);
	gt_expect_log(test, log, 4, "0001");
	KUNIT_EXPECT_EQ(test, ivshm_gmem_user_copy(gt->gm, 8 * SZ_4K, buf, SZ_4K + 1,
						   true), 0);
	gt_expect_log(test, log, 4, "0000000011");
	KUNIT_EXPECT_EQ(test, ivshm_gmem_user_copy(gt->gm, 8 * SZ_4K, buf, 4, false), 0);
	gt_expect_log(test, log, 4, "");

	KUNIT_ASSERT_EQ(test, ivshm_gmem_set_log(gt->gm, log, 2, false), 0);
	KUNIT_EXPECT_EQ(test, gt_write(gt->gm, 0, buf, 4), 0);
	gt_expect_log(test, log, 4, "");
}

/* No log there: nothing is written that could not be logged. */
static void gmem_log_bad(struct kunit *test)
{
	struct gt *gt = test->priv;
	unsigned long hva = gt_guest(test, 0, SZ_64K);
	unsigned long log = gt_area(test, NULL, PAGE_SIZE);
	u32 val = 1;

	KUNIT_ASSERT_EQ(test, gt_write(gt->gm, 0, &val, 4), 0);
	KUNIT_ASSERT_EQ(test, gt_munmap(gt, log, PAGE_SIZE), 0);
	KUNIT_EXPECT_EQ(test, ivshm_gmem_set_log(gt->gm, TASK_SIZE_MAX - 1, 2, true),
			-EFAULT);
	KUNIT_EXPECT_EQ(test, ivshm_gmem_set_log(gt->gm, U64_MAX, 2, true), -EFAULT);
	KUNIT_EXPECT_EQ(test, ivshm_gmem_set_log(gt->gm, log, 2, true), 0);
	val = 2;
	KUNIT_EXPECT_EQ(test, gt_write(gt->gm, 0, &val, 4), -EFAULT);
	KUNIT_EXPECT_EQ(test, gt_peek(gt, hva, &val, 4), 0);
	KUNIT_EXPECT_EQ(test, val, 1);
	KUNIT_EXPECT_EQ(test, gt_read(gt->gm, 0, &val, 4), 0);
	KUNIT_EXPECT_EQ(test, ivshm_gmem_set_log(gt->gm, 0, 0, true), 0);
	KUNIT_EXPECT_EQ(test, gt_write(gt->gm, 0, &val, 4), 0);
}

/* Whoever sees the new log as set finds nothing more in the old one. */
static void gmem_log_switch(struct kunit *test)
{
	struct gt *gt = test->priv;
	unsigned long logs = gt_area(test, NULL, 2 * PAGE_SIZE);
	u64 generation;
	u32 val = 1;

	gt_guest(test, 0, 32 * SZ_4K);
	KUNIT_ASSERT_EQ(test, ivshm_gmem_set_log(gt->gm, logs, 4, true), 0);
	KUNIT_EXPECT_EQ(test, gt_write(gt->gm, SZ_4K, &val, 4), 0);
	generation = gt_generation(gt->gm);
	KUNIT_ASSERT_EQ(test, ivshm_gmem_set_log(gt->gm, logs + PAGE_SIZE, 4, true), 0);
	/* Rings look for their part of the log again. */
	KUNIT_EXPECT_NE(test, gt_generation(gt->gm), generation);
	KUNIT_EXPECT_EQ(test, gt_write(gt->gm, 2 * SZ_4K, &val, 4), 0);
	gt_expect_log(test, logs, 4, "01");
	gt_expect_log(test, logs + PAGE_SIZE, 4, "001");

	generation = gt_generation(gt->gm);
	ivshm_gmem_write_lock(gt->gm);
	ivshm_gmem_write_unlock(gt->gm);
	KUNIT_EXPECT_NE(test, gt_generation(gt->gm), generation);
}

/* The VMM's page of the log goes, as in a balloon or to swap, and comes back. */
static void gmem_log_discarded(struct kunit *test)
{
	struct gt *gt = test->priv;
	unsigned long log = gt_area(test, NULL, PAGE_SIZE);
	u64 generation;
	u32 val = 1;

	gt_guest(test, 0, 32 * SZ_4K);
	KUNIT_ASSERT_EQ(test, ivshm_gmem_set_log(gt->gm, log, 4, true), 0);
	KUNIT_EXPECT_EQ(test, gt_write(gt->gm, SZ_4K, &val, 4), 0);
	generation = gt_generation(gt->gm);
	KUNIT_ASSERT_EQ(test, gt_try_mmap(gt, NULL, log, PAGE_SIZE, PROT_READ | PROT_WRITE,
					  MAP_FIXED), log);
	KUNIT_EXPECT_NE(test, gt_generation(gt->gm), generation);
	KUNIT_EXPECT_EQ(test, gt_probe(gt->gm, SZ_4K, true), -EAGAIN);
	KUNIT_EXPECT_EQ(test, gt_write(gt->gm, 2 * SZ_4K, &val, 4), 0);
	gt_expect_log(test, log, 4, "001");

	/* By user access what cannot be logged is not written. */
	KUNIT_ASSERT_EQ(test, gt_munmap(gt, log, PAGE_SIZE), 0);
	val = 2;
	KUNIT_EXPECT_EQ(test, ivshm_gmem_user_copy(gt->gm, SZ_4K, &val, 4, true), -EFAULT);
	KUNIT_EXPECT_EQ(test, ivshm_gmem_log_wait(gt->gm, SZ_4K, 4), -EFAULT);
	KUNIT_EXPECT_EQ(test, ivshm_gmem_user_copy(gt->gm, SZ_4K, &val, 4, false), 0);
	KUNIT_EXPECT_EQ(test, val, 1);
}

#define LOG_THREADS	3

struct log_share {
	struct ivshm_gmem *gm;
	u32 first, bits;
	struct completion done;
};

static int log_thread(void *data)
{
	struct log_share *s = data;
	u32 i;

	for (i = s->first; i < s->bits; i += LOG_THREADS) {
		ivshm_gmem_read_lock(s->gm);
		if (!ivshm_gmem_log_prepare(s->gm, (u64)i * SZ_4K, 1))
			ivshm_gmem_log(s->gm, (u64)i * SZ_4K, 1);
		ivshm_gmem_read_unlock(s->gm);
	}
	complete(&s->done);
	return 0;
}

/* Several workers mark neighbours in the same word. */
static void gmem_log_threads(struct kunit *test)
{
	const u32 bytes = SZ_16K;
	struct gt *gt = test->priv;
	unsigned long log = gt_area(test, NULL, bytes);
	struct log_share share[LOG_THREADS];
	u8 *buf = gt_pattern(test, bytes, 0);
	u32 i, missing = 0;

	KUNIT_ASSERT_EQ(test, ivshm_gmem_set_log(gt->gm, log, bytes, true), 0);
	for (i = 0; i < bytes; i += PAGE_SIZE)
		KUNIT_ASSERT_EQ(test, ivshm_gmem_log_wait(gt->gm, (u64)i * 8 * SZ_4K, 1), 0);
	for (i = 0; i < LOG_THREADS; i++) {
		share[i].gm = gt->gm;
		share[i].first = i;
		share[i].bits = bytes * 8;
		init_completion(&share[i].done);
		if (IS_ERR(kthread_run(log_thread, &share[i], "ivshm-log-test"))) {
			KUNIT_FAIL(test, "no thread");
			complete(&share[i].done);
		}
	}
	for (i = 0; i < LOG_THREADS; i++)
		wait_for_completion(&share[i].done);
	KUNIT_EXPECT_EQ(test, gt_peek(gt, log, buf, bytes), 0);
	for (i = 0; i < bytes; i++)
		missing += hweight8(~buf[i] & 0xff);
	KUNIT_EXPECT_EQ(test, missing, 0);
}

static struct kunit_case gmem_log_cases[] = {
	KUNIT_CASE(gmem_log),
	KUNIT_CASE(gmem_log_bad),
	KUNIT_CASE(gmem_log_switch),
	KUNIT_CASE(gmem_log_discarded),
	KUNIT_CASE(gmem_log_threads),
	{}
};

static struct kunit_suite gmem_log_suite = {
	.name = "ivshm-gmem-log",
	.suite_init = gt_suite_init,
	.suite_exit = gt_suite_exit,
	.init = gt_init,
	.exit = gt_exit,
	.test_cases = gmem_log_cases,
};

kunit_test_suite(gmem_log_suite);
