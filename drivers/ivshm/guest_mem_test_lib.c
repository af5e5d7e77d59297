// SPDX-License-Identifier: GPL-2.0
/*
 * Helpers of the guest memory mirror's KUnit suites.
 */
#include <linux/file.h>
#include <linux/kthread.h>
#include <linux/mman.h>
#include <linux/sched/mm.h>
#include <linux/shmem_fs.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "guest_mem_test.h"

#define GT_MAX_SEGS	256

static struct mm_struct *gt_mm;

int gt_suite_init(struct kunit_suite *suite)
{
	/* NULL when the tests are part of the kernel and run at boot. */
	gt_mm = current->mm;
	if (gt_mm)
		mmget(gt_mm);
	return 0;
}

void gt_suite_exit(struct kunit_suite *suite)
{
	if (gt_mm)
		mmput(gt_mm);
	gt_mm = NULL;
}

int gt_init(struct kunit *test)
{
	struct gt *gt;

	if (!gt_mm)
		kunit_skip(test, "needs a process, that is, a module");
	gt = kunit_kzalloc(test, sizeof(*gt), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, gt);
	test->priv = gt;
	gt->mm = gt_mm;
	gt->stats = alloc_percpu(struct ivshm_stats);
	KUNIT_ASSERT_NOT_NULL(test, (void __force *)gt->stats);
	gt->gm = ivshm_gmem_create(gt_mm, gt->stats);
	KUNIT_ASSERT_FALSE(test, IS_ERR(gt->gm));
	return 0;
}

void gt_exit(struct kunit *test)
{
	struct gt *gt = test->priv;

	if (!gt)
		return;
	if (!IS_ERR_OR_NULL(gt->gm))
		ivshm_gmem_destroy(gt->gm);
	while (gt->nr_areas--)
		gt_munmap(gt, gt->area[gt->nr_areas].addr,
			  gt->area[gt->nr_areas].len);
	free_percpu(gt->stats);
}

unsigned long gt_try_mmap(struct gt *gt, struct file *file, unsigned long addr,
			  unsigned long len, unsigned long prot,
			  unsigned long flags)
{
	unsigned long ret;

	if (!file)
		flags |= MAP_PRIVATE | MAP_ANONYMOUS;
	kthread_use_mm(gt->mm);
	ret = vm_mmap(file, addr, len, prot, flags, 0);
	kthread_unuse_mm(gt->mm);
	return ret;
}

int gt_munmap(struct gt *gt, unsigned long addr, unsigned long len)
{
	int ret;

	kthread_use_mm(gt->mm);
	ret = vm_munmap(addr, len);
	kthread_unuse_mm(gt->mm);
	return ret;
}

unsigned long gt_poke(struct gt *gt, u64 hva, const void *buf, u32 len)
{
	unsigned long left;

	kthread_use_mm(gt->mm);
	left = copy_to_user(u64_to_user_ptr(hva), buf, len);
	kthread_unuse_mm(gt->mm);
	return left;
}

unsigned long gt_peek(struct gt *gt, u64 hva, void *buf, u32 len)
{
	unsigned long left;

	kthread_use_mm(gt->mm);
	left = copy_from_user(buf, u64_to_user_ptr(hva), len);
	kthread_unuse_mm(gt->mm);
	return left;
}

unsigned long gt_area(struct kunit *test, struct file *file, unsigned long len)
{
	struct gt *gt = test->priv;
	unsigned long addr;

	KUNIT_ASSERT_LT(test, gt->nr_areas, GT_MAX_AREAS);
	addr = gt_try_mmap(gt, file, 0, len, PROT_READ | PROT_WRITE,
			   file ? MAP_SHARED : 0);
	KUNIT_ASSERT_FALSE(test, IS_ERR_VALUE(addr));
	gt->area[gt->nr_areas].addr = addr;
	gt->area[gt->nr_areas].len = len;
	gt->nr_areas++;
	return addr;
}

int gt_set_one(struct ivshm_gmem *gm, u64 gpa, u64 size, u64 hva, u64 flags)
{
	struct vhost_memory_region region = { gpa, size, hva, flags };

	return ivshm_gmem_set_table(gm, &region, 1);
}

void gt_table(struct kunit *test, u64 gpa, u64 size, u64 hva)
{
	struct gt *gt = test->priv;

	KUNIT_ASSERT_EQ(test, gt_set_one(gt->gm, gpa, size, hva, 0), 0);
}

unsigned long gt_guest(struct kunit *test, u64 gpa, unsigned long len)
{
	unsigned long hva = gt_area(test, NULL, len);

	gt_table(test, gpa, len, hva);
	return hva;
}

u8 *gt_pattern(struct kunit *test, u32 len, u8 seed)
{
	u8 *buf = kunit_kzalloc(test, len, GFP_KERNEL);
	u32 i;

	KUNIT_ASSERT_NOT_NULL(test, buf);
	for (i = 0; i < len; i++)
		buf[i] = seed + i * 7 + (i >> 8);
	return buf;
}

static void gt_fput(struct kunit_resource *res)
{
	fput(res->data);
}

struct file *gt_file(struct kunit *test, loff_t size)
{
	struct file *file = shmem_file_setup("ivshm-gmem-test", size,
					     VM_NORESERVE);

	KUNIT_ASSERT_FALSE(test, IS_ERR(file));
	kunit_alloc_resource(test, NULL, gt_fput, GFP_KERNEL, file);
	return file;
}

int gt_settle(struct ivshm_gmem *gm)
{
	int err = 0;

	while (!err && ivshm_gmem_missing(gm))
		err = ivshm_gmem_fault(gm);
	return err;
}

static int gt_copy(struct ivshm_gmem *gm, u64 gpa, void *buf, u32 len,
		   bool write)
{
	struct kvec *vec;
	int i, n, tries = 0;

	vec = kcalloc(GT_MAX_SEGS, sizeof(*vec), GFP_KERNEL);
	if (!vec)
		return -ENOMEM;
again:
	ivshm_gmem_read_lock(gm);
	n = ivshm_gmem_map(gm, gpa, len, write, vec, GT_MAX_SEGS);
	for (i = 0; i < n; i++) {
		if (write)
			memcpy(vec[i].iov_base, buf, vec[i].iov_len);
		else
			memcpy(buf, vec[i].iov_base, vec[i].iov_len);
		buf += vec[i].iov_len;
	}
	if (n > 0 && write && ivshm_gmem_logged(gm))
		ivshm_gmem_log(gm, gpa, len);
	ivshm_gmem_read_unlock(gm);
	if (n == -EAGAIN && tries++ < 1000) {
		n = gt_settle(gm);
		if (!n)
			goto again;
	}
	kfree(vec);
	return n < 0 ? n : 0;
}

int gt_read(struct ivshm_gmem *gm, u64 gpa, void *buf, u32 len)
{
	return gt_copy(gm, gpa, buf, len, false);
}

int gt_write(struct ivshm_gmem *gm, u64 gpa, const void *buf, u32 len)
{
	return gt_copy(gm, gpa, (void *)buf, len, true);
}

int gt_probe(struct ivshm_gmem *gm, u64 gpa, bool write)
{
	struct kvec vec;
	int ret;

	ivshm_gmem_read_lock(gm);
	ret = ivshm_gmem_map(gm, gpa, 1, write, &vec, 1);
	ivshm_gmem_read_unlock(gm);
	return ret;
}

u64 gt_generation(struct ivshm_gmem *gm)
{
	u64 generation;

	ivshm_gmem_read_lock(gm);
	generation = ivshm_gmem_generation(gm);
	ivshm_gmem_read_unlock(gm);
	return generation;
}

u64 gt_count(struct gt *gt, enum ivshm_attr_stat which)
{
	u64 sum = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += per_cpu_ptr(gt->stats, cpu)->c[which];
	return sum;
}
