/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the KUnit suites of the guest memory mirror have in common: a VMM's
 * address space, which is that of the process that loads the module.
 *
 * Test cases run in kthreads.  They borrow the address space only inside the
 * helpers here, never across an assertion: a kthread that is thrown out of a
 * test must not take the address space along.
 */
#ifndef _IVSHM_GUEST_MEM_TEST_H
#define _IVSHM_GUEST_MEM_TEST_H

#include <kunit/test.h>
#include <linux/fs.h>

#include "guest_mem_priv.h"

#define GT_MAX_AREAS	8

/**
 * struct gt - the context of a test case
 * @mm:		the VMM
 * @gm:		its mirror
 * @stats:	and what that counts
 * @area:	mappings to be undone
 * @nr_areas:	how many
 */
struct gt {
	struct mm_struct *mm;
	struct ivshm_gmem *gm;
	struct ivshm_stats __percpu *stats;
	struct {
		unsigned long addr, len;
	} area[GT_MAX_AREAS];
	int nr_areas;
};

int gt_suite_init(struct kunit_suite *suite);
void gt_suite_exit(struct kunit_suite *suite);
int gt_init(struct kunit *test);
void gt_exit(struct kunit *test);

/* The same as the system calls. @file NULL: private anonymous memory. */
unsigned long gt_try_mmap(struct gt *gt, struct file *file, unsigned long addr,
			  unsigned long len, unsigned long prot,
			  unsigned long flags);
int gt_munmap(struct gt *gt, unsigned long addr, unsigned long len);
/* What the VMM itself does to its memory: bytes that could not be copied. */
unsigned long gt_poke(struct gt *gt, u64 hva, const void *buf, u32 len);
unsigned long gt_peek(struct gt *gt, u64 hva, void *buf, u32 len);

/* @len bytes of fresh memory, readable and writable, gone after the test. */
unsigned long gt_area(struct kunit *test, struct file *file, unsigned long len);
/* Likewise, one guest-physical region of it at @gpa, and nothing else. */
unsigned long gt_guest(struct kunit *test, u64 gpa, unsigned long len);
void gt_table(struct kunit *test, u64 gpa, u64 size, u64 hva);
int gt_set_one(struct ivshm_gmem *gm, u64 gpa, u64 size, u64 hva, u64 flags);
/* A sparse file in memory. Closed after the test. */
struct file *gt_file(struct kunit *test, loff_t size);

/* A buffer full of something, freed after the test. */
u8 *gt_pattern(struct kunit *test, u32 len, u8 seed);

/* Fault until nothing is missing: 0 or the error. */
int gt_settle(struct ivshm_gmem *gm);
/*
 * Copy through the mirror, faulting as needed: 0 or what ivshm_gmem_map() said
 * in the end.  Logs writes.
 */
int gt_read(struct ivshm_gmem *gm, u64 gpa, void *buf, u32 len);
int gt_write(struct ivshm_gmem *gm, u64 gpa, const void *buf, u32 len);
/* One look-up of a guest byte, without any fault. */
int gt_probe(struct ivshm_gmem *gm, u64 gpa, bool write);

u64 gt_generation(struct ivshm_gmem *gm);
u64 gt_count(struct gt *gt, enum ivshm_attr_stat which);

#endif /* _IVSHM_GUEST_MEM_TEST_H */
