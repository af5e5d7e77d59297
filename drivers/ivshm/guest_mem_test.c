// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit: the guest memory mirror, one thing at a time.
 */
#include <linux/anon_inodes.h>
#include <linux/delay.h>
#include <linux/falloc.h>
#include <linux/file.h>
#include <linux/mman.h>
#include <linux/pagemap.h>
#include <linux/shmem_fs.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "guest_mem_test.h"

#define GPA	0x100000ULL

/* What is written here is what the VMM sees, and the other way round. */
static void gmem_read_write(struct kunit *test)
{
	struct gt *gt = test->priv;
	unsigned long hva = gt_guest(test, GPA, SZ_64K);
	u32 val;

	KUNIT_EXPECT_EQ(test, gt_probe(gt->gm, GPA, false), -EAGAIN);
	KUNIT_EXPECT_TRUE(test, ivshm_gmem_missing(gt->gm));
	KUNIT_EXPECT_EQ(test, gt_count(gt, IVSHM_A_STAT_MISSES), 1);
	KUNIT_EXPECT_EQ(test, ivshm_gmem_fault(gt->gm), 0);
	KUNIT_EXPECT_FALSE(test, ivshm_gmem_missing(gt->gm));
	KUNIT_EXPECT_EQ(test, gt_count(gt, IVSHM_A_STAT_FAULTS), 1);
	KUNIT_EXPECT_EQ(test, gt_probe(gt->gm, GPA, false), 1);

	val = 0x12345678;
	KUNIT_EXPECT_EQ(test, gt_write(gt->gm, GPA + 100, &val, 4), 0);
	val = 0;
	KUNIT_EXPECT_EQ(test, gt_peek(gt, hva + 100, &val, 4), 0);
	KUNIT_EXPECT_EQ(test, val, 0x12345678);
	val = 0x9abcdef0;
	KUNIT_EXPECT_EQ(test, gt_poke(gt, hva + 100, &val, 4), 0);
	val = 0;
	ivshm_gmem_read_lock(gt->gm);
	KUNIT_EXPECT_EQ(test, ivshm_gmem_read(gt->gm, GPA + 100, &val, 4), 0);
	ivshm_gmem_read_unlock(gt->gm);
	KUNIT_EXPECT_EQ(test, val, 0x9abcdef0);
}

/* Ranges that cross pages, chunks, and regions that do not start on pages. */
static void gmem_cross(struct kunit *test)
{
	struct gt *gt = test->priv;
	unsigned long len = 2 * IVSHM_GMEM_CHUNK_SIZE + SZ_64K;
	unsigned long a = gt_area(test, NULL, len);
	unsigned long b = gt_area(test, NULL, len);
	struct vhost_memory_region regions[] = {
		{ GPA + 0x10123, 0x20000, b + 0x345, 0 },
		{ GPA, 0x10123, a + 0xfff, 0 },
	};
	u32 n = 0x30000, chunk;
	u8 *in = gt_pattern(test, n, 3), *out = gt_pattern(test, n, 0);

	KUNIT_ASSERT_EQ(test, ivshm_gmem_set_table(gt->gm, regions, 2), 0);
	KUNIT_EXPECT_EQ(test, gt_write(gt->gm, GPA, in, n), 0);
	KUNIT_EXPECT_EQ(test, gt_peek(gt, a + 0xfff, out, 0x10123), 0);
	KUNIT_EXPECT_EQ(test, gt_peek(gt, b + 0x345, out + 0x10123, n - 0x10123), 0);
	KUNIT_EXPECT_EQ(test, memcmp(in, out, n), 0);
	memset(out, 0, n);
	KUNIT_EXPECT_EQ(test, gt_read(gt->gm, GPA, out, n), 0);
	KUNIT_EXPECT_EQ(test, memcmp(in, out, n), 0);

	/* Around a border of chunks. */
	chunk = ALIGN(a, IVSHM_GMEM_CHUNK_SIZE) - a;
	gt_table(test, GPA, len, a);
	KUNIT_EXPECT_EQ(test, gt_write(gt->gm, GPA + chunk - 5001, in, 10001), 0);
	KUNIT_EXPECT_EQ(test, gt_peek(gt, a + chunk - 5001, out, 10001), 0);
	KUNIT_EXPECT_EQ(test, memcmp(in, out, 10001), 0);
}

/* Neighbours in the direct map become one entry, others do not. */
static void gmem_merge(struct kunit *test)
{
	struct gt *gt = test->priv;
	unsigned long hva = gt_guest(test, GPA, 16 * PAGE_SIZE);
	struct kvec vec[16];
	u32 bytes = 0;
	u8 *page = gt_pattern(test, PAGE_SIZE, 0);
	void *addr[16];
	int i, n, pieces = 1;

	for (i = 15; i >= 0; i--)
		KUNIT_ASSERT_EQ(test, gt_write(gt->gm, GPA + i * PAGE_SIZE, page,
					       PAGE_SIZE), 0);
	ivshm_gmem_read_lock(gt->gm);
	for (i = 0; i < 16; i++) {
		addr[i] = ivshm_gmem_page(gt->gm, hva + i * PAGE_SIZE, true);
		if (i && addr[i] != addr[i - 1] + PAGE_SIZE)
			pieces++;
	}
	n = ivshm_gmem_map(gt->gm, GPA + 10, 16 * PAGE_SIZE - 20, true, vec, 16);
	ivshm_gmem_read_unlock(gt->gm);
	KUNIT_EXPECT_EQ(test, n, pieces);
	for (i = 0; i < n; i++)
		bytes += vec[i].iov_len;
	KUNIT_EXPECT_EQ(test, bytes, 16 * PAGE_SIZE - 20);
	KUNIT_EXPECT_PTR_EQ(test, vec[0].iov_base, addr[0] + 10);
}

static int gt_map(struct ivshm_gmem *gm, u64 gpa, u32 len, u32 max)
{
	struct kvec vec[4];
	int ret;

	ivshm_gmem_read_lock(gm);
	ret = ivshm_gmem_map(gm, gpa, len, false, vec, min_t(u32, max, 4));
	ivshm_gmem_read_unlock(gm);
	return ret;
}

static void gmem_map_errors(struct kunit *test)
{
	struct gt *gt = test->priv;
	unsigned long hva = gt_area(test, NULL, SZ_64K);
	/* Apart in the VMM, so that they cannot be merged. */
	struct vhost_memory_region regions[] = {
		{ GPA, PAGE_SIZE, hva, 0 },
		{ GPA + PAGE_SIZE, PAGE_SIZE, hva + 2 * PAGE_SIZE + 1, 0 },
		{ U64_MAX - PAGE_SIZE + 1, PAGE_SIZE, hva + 8 * PAGE_SIZE, 0 },
	};

	KUNIT_ASSERT_EQ(test, ivshm_gmem_set_table(gt->gm, regions, 3), 0);
	KUNIT_EXPECT_EQ(test, gt_map(gt->gm, GPA, 2 * PAGE_SIZE, 4), -EAGAIN);
	KUNIT_EXPECT_EQ(test, gt_map(gt->gm, -PAGE_SIZE, PAGE_SIZE, 4), -EAGAIN);
	KUNIT_ASSERT_EQ(test, gt_settle(gt->gm), 0);

	KUNIT_EXPECT_GT(test, gt_map(gt->gm, GPA, 2 * PAGE_SIZE, 4), 1);
	KUNIT_EXPECT_EQ(test, gt_map(gt->gm, GPA, 2 * PAGE_SIZE, 1), -ENOSPC);
	KUNIT_EXPECT_EQ(test, gt_map(gt->gm, GPA, 1, 0), -ENOSPC);
	KUNIT_EXPECT_EQ(test, gt_map(gt->gm, GPA - 1, 1, 4), -EFAULT);
	KUNIT_EXPECT_EQ(test, gt_map(gt->gm, GPA - 1, 2, 4), -EFAULT);
	KUNIT_EXPECT_EQ(test, gt_map(gt->gm, GPA, 2 * PAGE_SIZE + 1, 4), -EFAULT);
	KUNIT_EXPECT_EQ(test, gt_map(gt->gm, GPA, 0, 4), -EFAULT);
	KUNIT_EXPECT_EQ(test, gt_map(gt->gm, GPA, IVSHM_GMEM_MAX_MAP + 1, 4), -E2BIG);
	KUNIT_EXPECT_EQ(test, gt_map(gt->gm, GPA, U32_MAX, 4), -E2BIG);
	KUNIT_EXPECT_EQ(test, gt_map(gt->gm, -PAGE_SIZE, PAGE_SIZE, 4), 1);
	KUNIT_EXPECT_EQ(test, gt_map(gt->gm, -PAGE_SIZE, PAGE_SIZE + 1, 4), -EFAULT);
	KUNIT_EXPECT_EQ(test, gt_map(gt->gm, U64_MAX, 1, 4), 1);
	KUNIT_EXPECT_FALSE(test, ivshm_gmem_missing(gt->gm));
}

/* VMM addresses that are no guest memory: rings, for example. */
static void gmem_page(struct kunit *test)
{
	struct gt *gt = test->priv;
	unsigned long hva = gt_area(test, NULL, 3 * PAGE_SIZE);
	void *addr;

	ivshm_gmem_read_lock(gt->gm);
	KUNIT_EXPECT_NULL(test, ivshm_gmem_page(gt->gm, hva + 5, true));
	KUNIT_EXPECT_EQ(test, ivshm_gmem_check(gt->gm, hva + 1, 2 * PAGE_SIZE, true),
			-EAGAIN);
	ivshm_gmem_read_unlock(gt->gm);
	KUNIT_EXPECT_EQ(test, gt->gm->nr_missing, 3);
	KUNIT_EXPECT_EQ(test, gt_settle(gt->gm), 0);

	ivshm_gmem_read_lock(gt->gm);
	addr = ivshm_gmem_page(gt->gm, hva + 5, true);
	KUNIT_EXPECT_NOT_NULL(test, addr);
	KUNIT_EXPECT_EQ(test, offset_in_page(addr), 0);
	KUNIT_EXPECT_EQ(test, ivshm_gmem_check(gt->gm, hva + 1, 2 * PAGE_SIZE, true), 0);
	KUNIT_EXPECT_EQ(test, ivshm_gmem_check(gt->gm, U64_MAX - 4, 10, false), -EFAULT);
	KUNIT_EXPECT_EQ(test, ivshm_gmem_check(gt->gm, BIT_ULL(63), 10, false), -EFAULT);
	KUNIT_EXPECT_NULL(test, ivshm_gmem_page(gt->gm, BIT_ULL(63), false));
	ivshm_gmem_read_unlock(gt->gm);
	KUNIT_EXPECT_FALSE(test, ivshm_gmem_missing(gt->gm));
}

static void gmem_invalidate(struct kunit *test)
{
	struct gt *gt = test->priv;
	unsigned long hva = gt_guest(test, GPA, 8 * PAGE_SIZE);
	u8 *page = gt_pattern(test, PAGE_SIZE, 1);
	u64 gen;
	int i;

	for (i = 0; i < 8; i++)
		KUNIT_ASSERT_EQ(test, gt_write(gt->gm, GPA + i * PAGE_SIZE, page,
					       PAGE_SIZE), 0);
	gen = gt_generation(gt->gm);
	KUNIT_EXPECT_EQ(test, gt_count(gt, IVSHM_A_STAT_INVALIDATIONS), 0);

	/* The pages in the middle go, their neighbours stay. */
	KUNIT_ASSERT_EQ(test, gt_munmap(gt, hva + 3 * PAGE_SIZE, 2 * PAGE_SIZE), 0);
	KUNIT_EXPECT_NE(test, gt_generation(gt->gm), gen);
	KUNIT_EXPECT_EQ(test, gt_count(gt, IVSHM_A_STAT_INVALIDATIONS), 1);
	KUNIT_EXPECT_EQ(test, gt_probe(gt->gm, GPA + 2 * PAGE_SIZE, true), 1);
	KUNIT_EXPECT_EQ(test, gt_probe(gt->gm, GPA + 3 * PAGE_SIZE, true), -EAGAIN);
	KUNIT_EXPECT_EQ(test, gt_probe(gt->gm, GPA + 4 * PAGE_SIZE, true), -EAGAIN);
	KUNIT_EXPECT_EQ(test, gt_probe(gt->gm, GPA + 5 * PAGE_SIZE, true), 1);

	/* Nothing there: an error, and no endless asking. */
	KUNIT_EXPECT_EQ(test, gt_write(gt->gm, GPA + 3 * PAGE_SIZE, page, 1), -EFAULT);
	KUNIT_EXPECT_FALSE(test, ivshm_gmem_missing(gt->gm));

	/* Other memory in its place. */
	gen = gt_generation(gt->gm);
	KUNIT_ASSERT_EQ(test, gt_try_mmap(gt, NULL, hva, PAGE_SIZE,
					  PROT_READ | PROT_WRITE, MAP_FIXED), hva);
	KUNIT_EXPECT_NE(test, gt_generation(gt->gm), gen);
	KUNIT_EXPECT_EQ(test, gt_read(gt->gm, GPA, page, PAGE_SIZE), 0);
	KUNIT_EXPECT_EQ(test, page[0], 0);

	/* What was not mirrored is no reason for a new generation. */
	KUNIT_EXPECT_EQ(test, gt_munmap(gt, hva, PAGE_SIZE), 0);
	gen = gt_generation(gt->gm);
	KUNIT_ASSERT_EQ(test, gt_try_mmap(gt, NULL, hva, PAGE_SIZE,
					  PROT_READ | PROT_WRITE, MAP_FIXED), hva);
	KUNIT_EXPECT_EQ(test, gt_munmap(gt, hva, PAGE_SIZE), 0);
	KUNIT_EXPECT_EQ(test, gt_generation(gt->gm), gen);
}

/* What a balloon does: the mapping stays, the pages go. */
static void gmem_punch(struct kunit *test)
{
	struct gt *gt = test->priv;
	struct file *file = gt_file(test, SZ_64K);
	unsigned long hva = gt_area(test, file, SZ_64K);
	u32 val = 0x55aa55aa;

	gt_table(test, GPA, SZ_64K, hva);
	KUNIT_ASSERT_EQ(test, gt_write(gt->gm, GPA + PAGE_SIZE, &val, 4), 0);
	KUNIT_ASSERT_EQ(test, vfs_fallocate(file, FALLOC_FL_PUNCH_HOLE |
					    FALLOC_FL_KEEP_SIZE,
					    PAGE_SIZE, PAGE_SIZE), 0);
	KUNIT_EXPECT_EQ(test, gt_probe(gt->gm, GPA + PAGE_SIZE, false), -EAGAIN);
	KUNIT_EXPECT_EQ(test, gt_read(gt->gm, GPA + PAGE_SIZE, &val, 4), 0);
	KUNIT_EXPECT_EQ(test, val, 0);
}

/* Copy-on-write: reading must not copy, writing must; both see the VMM's data. */
static void gmem_cow(struct kunit *test)
{
	struct gt *gt = test->priv;
	struct file *file = gt_file(test, SZ_64K);
	unsigned long hva, shared = gt_area(test, file, SZ_64K);
	u32 val = 1, faults;

	KUNIT_ASSERT_EQ(test, gt_poke(gt, shared, &val, 4), 0);
	KUNIT_ASSERT_EQ(test, gt_poke(gt, shared + PAGE_SIZE, &val, 4), 0);
	hva = gt_try_mmap(gt, file, 0, SZ_64K, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	KUNIT_ASSERT_FALSE(test, IS_ERR_VALUE(hva));
	gt->area[gt->nr_areas].addr = hva;
	gt->area[gt->nr_areas++].len = SZ_64K;
	gt_table(test, GPA, SZ_64K, hva);

	/* The VMM breaks it. */
	KUNIT_EXPECT_EQ(test, gt_read(gt->gm, GPA, &val, 4), 0);
	KUNIT_EXPECT_EQ(test, val, 1);
	val = 2;
	KUNIT_EXPECT_EQ(test, gt_poke(gt, hva, &val, 4), 0);
	KUNIT_EXPECT_EQ(test, gt_read(gt->gm, GPA, &val, 4), 0);
	KUNIT_EXPECT_EQ(test, val, 2);

	/* We break it. An entry for reading is none for writing. */
	KUNIT_EXPECT_EQ(test, gt_read(gt->gm, GPA + PAGE_SIZE, &val, 4), 0);
	KUNIT_EXPECT_EQ(test, val, 1);
	faults = gt_count(gt, IVSHM_A_STAT_FAULTS);
	KUNIT_EXPECT_EQ(test, gt_probe(gt->gm, GPA + PAGE_SIZE, true), -EAGAIN);
	val = 3;
	KUNIT_EXPECT_EQ(test, gt_write(gt->gm, GPA + PAGE_SIZE, &val, 4), 0);
	KUNIT_EXPECT_GT(test, gt_count(gt, IVSHM_A_STAT_FAULTS), faults);
	val = 0;
	KUNIT_EXPECT_EQ(test, gt_read(gt->gm, GPA + PAGE_SIZE, &val, 4), 0);
	KUNIT_EXPECT_EQ(test, val, 3);
	KUNIT_EXPECT_EQ(test, gt_peek(gt, hva + PAGE_SIZE, &val, 4), 0);
	KUNIT_EXPECT_EQ(test, val, 3);
	KUNIT_EXPECT_EQ(test, gt_peek(gt, shared + PAGE_SIZE, &val, 4), 0);
	KUNIT_EXPECT_EQ(test, val, 1);
}

/* No permission, then permission. */
static void gmem_readonly(struct kunit *test)
{
	struct gt *gt = test->priv;
	struct file *file = gt_file(test, PAGE_SIZE);
	unsigned long hva = gt_area(test, file, PAGE_SIZE);
	u32 val = 7;

	KUNIT_ASSERT_EQ(test, gt_poke(gt, hva, &val, 4), 0);
	gt_table(test, GPA, PAGE_SIZE, hva);
	KUNIT_EXPECT_EQ(test, gt_write(gt->gm, GPA, &val, 4), 0);
	KUNIT_ASSERT_EQ(test, gt_try_mmap(gt, file, hva, PAGE_SIZE, PROT_READ,
					  MAP_SHARED | MAP_FIXED), hva);
	KUNIT_EXPECT_EQ(test, gt_write(gt->gm, GPA, &val, 4), -EFAULT);
	val = 0;
	KUNIT_EXPECT_EQ(test, gt_read(gt->gm, GPA, &val, 4), 0);
	KUNIT_EXPECT_EQ(test, val, 7);
	KUNIT_EXPECT_EQ(test, gt_write(gt->gm, GPA, &val, 4), -EFAULT);
	KUNIT_ASSERT_EQ(test, gt_try_mmap(gt, file, hva, PAGE_SIZE,
					  PROT_READ | PROT_WRITE,
					  MAP_SHARED | MAP_FIXED), hva);
	msleep(150);
	KUNIT_EXPECT_EQ(test, gt_write(gt->gm, GPA, &val, 4), 0);
}

/*
 * A hole gives an error for a while; a mapping that comes there later, about
 * which nobody tells us, is found.  Holes cost no chunks.
 */
static void gmem_bad(struct kunit *test)
{
	struct gt *gt = test->priv;
	unsigned long len = 64 * IVSHM_GMEM_CHUNK_SIZE;
	unsigned long hva = gt_guest(test, GPA, len);
	u32 val, i;

	KUNIT_ASSERT_EQ(test, gt_munmap(gt, hva, len), 0);
	for (i = 0; i < 64; i++)
		KUNIT_EXPECT_EQ(test, gt_read(gt->gm, GPA + i * IVSHM_GMEM_CHUNK_SIZE,
					      &val, 4), -EFAULT);
	KUNIT_EXPECT_EQ(test, gt->gm->view->nr_chunks, 0);
	KUNIT_EXPECT_EQ(test, gt_write(gt->gm, GPA, &val, 4), -EFAULT);

	KUNIT_ASSERT_EQ(test, gt_try_mmap(gt, NULL, hva, len, PROT_READ | PROT_WRITE,
					  MAP_FIXED), hva);
	msleep(150);
	KUNIT_EXPECT_EQ(test, gt_write(gt->gm, GPA, &val, 4), 0);
	KUNIT_EXPECT_EQ(test, gt->gm->view->nr_chunks, 1);

	/* A new table is a new beginning. */
	KUNIT_ASSERT_EQ(test, gt_munmap(gt, hva, len), 0);
	KUNIT_EXPECT_EQ(test, gt_read(gt->gm, GPA, &val, 4), -EFAULT);
	KUNIT_ASSERT_EQ(test, gt_try_mmap(gt, NULL, hva, len, PROT_READ | PROT_WRITE,
					  MAP_FIXED), hva);
	gt_table(test, GPA, len, hva);
	KUNIT_EXPECT_EQ(test, gt_read(gt->gm, GPA, &val, 4), 0);
}

/* A file that ends before its mapping does: SIGBUS for the VMM. */
static void gmem_truncated(struct kunit *test)
{
	struct gt *gt = test->priv;
	struct file *file = gt_file(test, SZ_64K);
	unsigned long hva = gt_area(test, file, SZ_64K);
	u32 val = 9;

	gt_table(test, GPA, SZ_64K, hva);
	KUNIT_ASSERT_EQ(test, gt_write(gt->gm, GPA + SZ_32K, &val, 4), 0);
	KUNIT_ASSERT_EQ(test, vfs_truncate(&file->f_path, PAGE_SIZE), 0);
	KUNIT_EXPECT_EQ(test, gt_read(gt->gm, GPA + SZ_32K, &val, 4), -EFAULT);
	KUNIT_EXPECT_EQ(test, gt_write(gt->gm, GPA + SZ_32K, &val, 4), -EFAULT);
	KUNIT_ASSERT_EQ(test, vfs_truncate(&file->f_path, SZ_64K), 0);
	msleep(150);
	KUNIT_EXPECT_EQ(test, gt_read(gt->gm, GPA + SZ_32K, &val, 4), 0);
	KUNIT_EXPECT_EQ(test, val, 0);
}

/* A device that maps a page of its own by frame number. */
static int gt_pfn_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct page *page = file->private_data;

	return remap_pfn_range(vma, vma->vm_start, page_to_pfn(page), PAGE_SIZE,
			       vma->vm_page_prot);
}

static const struct file_operations gt_pfn_fops = {
	.mmap = gt_pfn_mmap,
};

static void gmem_unmirrorable(struct kunit *test)
{
	struct gt *gt = test->priv;
	struct page *page = alloc_page(GFP_KERNEL | __GFP_ZERO);
	unsigned long a, hva = 0;
	struct file *file;
	u32 val = 0x600dda7a;
	u8 buf[64] = {};

	KUNIT_ASSERT_NOT_NULL(test, page);
	file = anon_inode_getfile("[ivshm-gmem-test]", &gt_pfn_fops, page, O_RDWR);
	if (!IS_ERR(file)) {
		hva = gt_try_mmap(gt, file, 0, PAGE_SIZE, PROT_READ | PROT_WRITE,
				  MAP_SHARED);
		fput(file);
	}
	KUNIT_EXPECT_FALSE(test, IS_ERR(file) || IS_ERR_VALUE(hva));
	if (IS_ERR(file) || IS_ERR_VALUE(hva))
		goto out;
	a = gt_area(test, NULL, PAGE_SIZE);
	{
		struct vhost_memory_region regions[] = {
			{ GPA, PAGE_SIZE, hva, 0 },
			{ GPA + PAGE_SIZE, PAGE_SIZE, a, 0 },
		};

		KUNIT_EXPECT_EQ(test, ivshm_gmem_set_table(gt->gm, regions, 2), 0);
	}
	KUNIT_EXPECT_EQ(test, gt_probe(gt->gm, GPA, false), -EAGAIN);
	KUNIT_EXPECT_EQ(test, ivshm_gmem_fault(gt->gm), 0);
	KUNIT_EXPECT_EQ(test, gt_probe(gt->gm, GPA, false), -EOPNOTSUPP);
	KUNIT_EXPECT_EQ(test, gt_probe(gt->gm, GPA, true), -EOPNOTSUPP);
	KUNIT_EXPECT_FALSE(test, ivshm_gmem_missing(gt->gm));

	/* Across the border to ordinary memory. */
	memset(buf, 0xa5, sizeof(buf));
	KUNIT_EXPECT_EQ(test, ivshm_gmem_user_copy(gt->gm, GPA + PAGE_SIZE - 32, buf,
						   64, true), 0);
	KUNIT_EXPECT_EQ(test, memcmp(page_address(page) + PAGE_SIZE - 32, buf, 32), 0);
	memcpy(page_address(page) + PAGE_SIZE - 4, &val, 4);
	memset(buf, 0, sizeof(buf));
	KUNIT_EXPECT_EQ(test, ivshm_gmem_user_copy(gt->gm, GPA + PAGE_SIZE - 4, buf,
						   8, false), 0);
	KUNIT_EXPECT_EQ(test, memcmp(buf, &val, 4), 0);
	KUNIT_EXPECT_EQ(test, buf[4], 0xa5);
	KUNIT_EXPECT_EQ(test, ivshm_gmem_user_copy(gt->gm, GPA + 2 * PAGE_SIZE - 4,
						   buf, 8, false), -EFAULT);

	/* The mark goes with the mapping. */
	KUNIT_EXPECT_EQ(test, gt_try_mmap(gt, NULL, hva, PAGE_SIZE,
					  PROT_READ | PROT_WRITE, MAP_FIXED), hva);
	KUNIT_EXPECT_EQ(test, gt_write(gt->gm, GPA, &val, 4), 0);
	gt_munmap(gt, hva, PAGE_SIZE);
out:
	__free_page(page);
}

/*
 * A write through the mirror sets no dirty bit in a page table: looking a page up
 * for it marks the folio, the first time that it is in the mirror.
 */
static void gmem_dirty(struct kunit *test)
{
	struct gt *gt = test->priv;
	unsigned long hva = gt_guest(test, GPA, PAGE_SIZE);
	bool before[3], after[3];
	struct ivshm_gmem_window win;
	struct ivshm_gmem_span span;
	struct kvec vec;
	u32 i;

	/* Each way of looking it up, with another page each time. */
	for (i = 0; i < 3; i++) {
		KUNIT_ASSERT_EQ(test, gt_try_mmap(gt, NULL, hva, PAGE_SIZE,
						  PROT_READ | PROT_WRITE, MAP_FIXED), hva);
		KUNIT_ASSERT_EQ(test, ivshm_gmem_want(gt->gm, hva, PAGE_SIZE, true), PAGE_SIZE);
		KUNIT_ASSERT_EQ(test, ivshm_gmem_fault(gt->gm), 0);

		memset(&win, 0, sizeof(win));
		ivshm_gmem_read_lock(gt->gm);
		before[i] = ivshm_gmem_map(gt->gm, GPA, 4, false, &vec, 1) != 1 ||
			    folio_test_dirty(virt_to_folio(vec.iov_base));
		if (i == 0)
			after[i] = ivshm_gmem_map(gt->gm, GPA, 4, true, &vec, 1) == 1;
		else if (i == 1)
			after[i] = ivshm_gmem_page(gt->gm, hva, true);
		else
			after[i] = ivshm_gmem_peek_near(gt->gm, &win, GPA, 4, false, &span) &&
				   ivshm_gmem_peek_near(gt->gm, &win, GPA, 4, true, &span);
		after[i] = after[i] && folio_test_dirty(virt_to_folio(vec.iov_base));
		ivshm_gmem_read_unlock(gt->gm);
		KUNIT_EXPECT_FALSE(test, before[i]);
		KUNIT_EXPECT_TRUE(test, after[i]);
	}
}

/*
 * Nothing stays referenced: not by a fill, an upgrade to writing, a table or
 * the end.  Others (the LRU's batches, lazy TLBs) hold a few references for a
 * while, so look at what many rounds add up to.
 */
static void gmem_references(struct kunit *test)
{
	struct gt *gt = test->priv;
	struct file *file = gt_file(test, 16 * PAGE_SIZE);
	unsigned long hva = gt_area(test, file, 16 * PAGE_SIZE);
	u8 *buf = gt_pattern(test, 16 * PAGE_SIZE, 5);
	int i, round, rounds = 4 * (num_possible_cpus() + 4), slack = rounds / 2;
	int users = atomic_read(&gt->mm->mm_users);
	int count = atomic_read(&gt->mm->mm_count), before[16];
	struct page *page[16];

	KUNIT_ASSERT_EQ(test, gt_poke(gt, hva, buf, 16 * PAGE_SIZE), 0);
	for (i = 0; i < 16; i++) {
		page[i] = shmem_read_mapping_page(file->f_mapping, i);
		KUNIT_ASSERT_FALSE(test, IS_ERR(page[i]));
		before[i] = page_count(page[i]);
	}
	for (round = 0; round < rounds; round++) {
		gt_table(test, GPA, 16 * PAGE_SIZE, hva);
		KUNIT_EXPECT_EQ(test, gt_read(gt->gm, GPA, buf, 16 * PAGE_SIZE), 0);
		KUNIT_EXPECT_EQ(test, gt_write(gt->gm, GPA, buf, 16 * PAGE_SIZE), 0);
	}
	KUNIT_EXPECT_LT(test, atomic_read(&gt->mm->mm_users), users + slack);
	KUNIT_EXPECT_LT(test, atomic_read(&gt->mm->mm_count), count + slack);
	for (i = 0; i < 16; i++) {
		KUNIT_EXPECT_LT(test, page_count(page[i]), before[i] + slack);
		put_page(page[i]);
	}
}

/* Fault-around takes what is there in the same chunk, and touches nothing else. */
static void gmem_fault_around(struct kunit *test)
{
	const u32 len = IVSHM_GMEM_CHUNK_SIZE + 2 * SZ_64K;
	struct gt *gt = test->priv;
	/* Of a file, whose pages are small ones wherever the area is. */
	unsigned long area = gt_area(test, gt_file(test, len), len);
	unsigned long border = ALIGN(area + SZ_64K, IVSHM_GMEM_CHUNK_SIZE);
	u32 val = 1, i, near;

	/* Of four pages that are there, two and then all are in the first one's chunk. */
	for (near = 2; near <= 4; near += 2) {
		u64 before = gt_count(gt, IVSHM_A_STAT_FAULTS);
		unsigned long hva = near == 4 ? border : border - near * PAGE_SIZE;

		gt_table(test, GPA, SZ_64K, hva);
		for (i = 0; i < 4; i++)
			KUNIT_ASSERT_EQ(test, gt_poke(gt, hva + i * PAGE_SIZE, &val, 4), 0);
		KUNIT_EXPECT_EQ(test, gt_write(gt->gm, GPA, &val, 4), 0);
		KUNIT_EXPECT_EQ(test, gt_count(gt, IVSHM_A_STAT_FAULTS) - before, near);
		for (i = 0; i < 5; i++)
			KUNIT_EXPECT_EQ(test, gt_probe(gt->gm, GPA + i * PAGE_SIZE, true),
					i < near ? 1 : -EAGAIN);
	}
}

static struct kunit_case gmem_cases[] = {
	KUNIT_CASE(gmem_read_write),
	KUNIT_CASE(gmem_cross),
	KUNIT_CASE(gmem_merge),
	KUNIT_CASE(gmem_map_errors),
	KUNIT_CASE(gmem_page),
	KUNIT_CASE(gmem_invalidate),
	KUNIT_CASE(gmem_punch),
	KUNIT_CASE(gmem_cow),
	KUNIT_CASE(gmem_readonly),
	KUNIT_CASE(gmem_bad),
	KUNIT_CASE(gmem_truncated),
	KUNIT_CASE(gmem_unmirrorable),
	KUNIT_CASE(gmem_dirty),
	KUNIT_CASE(gmem_references),
	KUNIT_CASE(gmem_fault_around),
	{}
};

static struct kunit_suite gmem_suite = {
	.name = "ivshm-gmem",
	.suite_init = gt_suite_init,
	.suite_exit = gt_suite_exit,
	.init = gt_init,
	.exit = gt_exit,
	.test_cases = gmem_cases,
};

kunit_test_suite(gmem_suite);
