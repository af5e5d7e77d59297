// SPDX-License-Identifier: GPL-2.0
/*
 * Guest memory: pages that look-ups did not find, how the owner's worker
 * brings them in, and user access where there is no page to be had.
 */
#include <linux/err.h>
#include <linux/hash.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/mmap_lock.h>
#include <linux/pagemap.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/uaccess.h>

#include "guest_mem_priv.h"

/* Pages behind a missing one that are taken along if they are there already. */
#define IVSHM_GMEM_FAULT_AROUND	64
/* Collisions with invalidations before a page is left to be asked for again. */
#define IVSHM_GMEM_TRIES	8

/* ivshm_gmem_bad.key: the address of a page, and these. */
#define IVSHM_GMEM_BAD_USED	BIT(0)
#define IVSHM_GMEM_BAD_READ	BIT(1)	/* bad for reading too */

static struct ivshm_gmem_bad *ivshm_gmem_bad_slot(struct ivshm_gmem *gm,
						  u64 hva)
{
	return &gm->bad[hash_64(hva >> PAGE_SHIFT,
				ilog2(IVSHM_GMEM_MAX_BAD))];
}

/*
 * Addresses without memory are remembered here and not in a chunk: a new
 * mapping in a hole gives no notification, so this has to expire by time; and
 * a guest whose table covers much nothing must not cost a chunk for each.
 */
static void ivshm_gmem_set_bad(struct ivshm_gmem *gm, u64 hva, bool write)
{
	struct ivshm_gmem_bad *bad = ivshm_gmem_bad_slot(gm, hva);

	spin_lock(&gm->miss_lock);
	bad->key = hva | IVSHM_GMEM_BAD_USED |
		   (write ? 0 : IVSHM_GMEM_BAD_READ);
	bad->until = jiffies + IVSHM_GMEM_BAD_TIME;
	spin_unlock(&gm->miss_lock);
}

static bool ivshm_gmem_is_bad(struct ivshm_gmem *gm, u64 hva, bool write)
{
	struct ivshm_gmem_bad *bad = ivshm_gmem_bad_slot(gm, hva);

	lockdep_assert_held(&gm->miss_lock);

	if (!bad->key || (bad->key & PAGE_MASK) != hva)
		return false;
	if (!write && !(bad->key & IVSHM_GMEM_BAD_READ))
		return false;
	return time_before(jiffies, bad->until);
}

void ivshm_gmem_forget_bad(struct ivshm_gmem *gm)
{
	spin_lock(&gm->miss_lock);
	memset(gm->bad, 0, sizeof(gm->bad));
	spin_unlock(&gm->miss_lock);
}

int ivshm_gmem_note(struct ivshm_gmem *gm, u64 hva, bool write)
{
	int err = -EAGAIN;
	u32 i;

	if (hva >= TASK_SIZE_MAX)
		return -EFAULT;
	hva &= PAGE_MASK;

	spin_lock(&gm->miss_lock);
	if (gm->dead || ivshm_gmem_is_bad(gm, hva, write)) {
		err = -EFAULT;
		goto out;
	}
	for (i = 0; i < gm->nr_missing; i++) {
		if (gm->missing[i].hva == hva) {
			gm->missing[i].write |= write;
			goto out;
		}
	}
	/* What does not fit is asked for again when the others are there. */
	if (gm->nr_missing < IVSHM_GMEM_MAX_MISSING) {
		gm->missing[i].hva = hva;
		gm->missing[i].write = write;
		WRITE_ONCE(gm->nr_missing, i + 1);
	}
out:
	spin_unlock(&gm->miss_lock);
	if (err == -EAGAIN)
		ivshm_gmem_count(gm, IVSHM_A_STAT_MISSES, 1);
	return err;
}

bool ivshm_gmem_missing(struct ivshm_gmem *gm)
{
	return READ_ONCE(gm->nr_missing);
}

u64 ivshm_gmem_want(struct ivshm_gmem *gm, u64 hva, u64 len, bool write)
{
	u64 at = hva & PAGE_MASK, end = hva + len;
	u32 n = 0;
	void *page;

	if (end < hva)
		return len;
	ivshm_gmem_read_lock(gm);
	for (; at < end && n < IVSHM_GMEM_MAX_MISSING; at += PAGE_SIZE, n++) {
		if (READ_ONCE(gm->nr_missing) == IVSHM_GMEM_MAX_MISSING)
			break;
		ivshm_gmem_lookup(gm, at, write, &page);
	}
	ivshm_gmem_read_unlock(gm);

	if (at <= hva)
		return 0;
	return min(at, end) - hva;
}

/* Returns 1 if the mappings had to be borrowed, 0 if they are the caller's own. */
int ivshm_gmem_borrow(struct ivshm_gmem *gm)
{
	if (!mmget_not_zero(gm->mm)) {
		spin_lock(&gm->miss_lock);
		gm->dead = true;
		WRITE_ONCE(gm->nr_missing, 0);
		spin_unlock(&gm->miss_lock);
		return -ESRCH;
	}
	if (current->mm == gm->mm)
		return 0;
	kthread_use_mm(gm->mm);
	return 1;
}

void ivshm_gmem_give_back(struct ivshm_gmem *gm, int borrowed)
{
	if (borrowed)
		kthread_unuse_mm(gm->mm);
	mmput(gm->mm);
}

/*
 * Page references for the page at @hva and some of those behind it, in
 * @pages.  Only the first one may wait, allocate or copy: touching the others
 * would undo a balloon.  Returns how many, or a negative error.
 */
static long ivshm_gmem_get_pages(u64 hva, bool write, struct page **pages)
{
	u32 here = (hva >> PAGE_SHIFT) % IVSHM_GMEM_CHUNK_PAGES;
	u32 max = min_t(u32, IVSHM_GMEM_FAULT_AROUND,
			IVSHM_GMEM_CHUNK_PAGES - here);
	unsigned int flags = write ? FOLL_WRITE : 0;
	long n;

	n = get_user_pages_fast_only(hva, max, flags, pages);
	if (n <= 0)
		n = get_user_pages_unlocked(hva, 1, pages, flags);
	return n ?: -ENOMEM;
}

/*
 * Why there is no page: -EOPNOTSUPP if user access works there, -EFAULT if it
 * does not, -EINTR after a signal.
 */
static int ivshm_gmem_explain(struct ivshm_gmem *gm, u64 hva, bool write)
{
	const char __user *uaddr = u64_to_user_ptr(hva);
	struct vm_area_struct *vma;
	unsigned long flags = 0;
	size_t left;

	if (mmap_read_lock_killable(gm->mm))
		return -EINTR;
	vma = vma_lookup(gm->mm, hva);
	if (vma)
		flags = vma->vm_flags;
	mmap_read_unlock(gm->mm);

	if (!(flags & (write ? VM_WRITE : VM_READ)))
		return -EFAULT;
	/* Device memory: not to be touched just to find out. */
	if (flags & (VM_IO | VM_PFNMAP))
		return -EOPNOTSUPP;
	/* secretmem and the like, or a file that ends before here. */
	if (write)
		left = fault_in_safe_writeable(uaddr, 1);
	else
		left = fault_in_readable(uaddr, 1);
	if (fatal_signal_pending(current))
		return -EINTR;
	return left ? -EFAULT : -EOPNOTSUPP;
}

bool ivshm_gmem_publish(struct ivshm_gmem *gm, struct ivshm_gmem_chunk *chunk,
			unsigned long seq, u64 hva, bool write,
			struct page **pages, long n)
{
	unsigned long *entry = &chunk->entry[(hva >> PAGE_SHIFT) %
					     IVSHM_GMEM_CHUNK_PAGES];
	unsigned long flags = IVSHM_GMEM_VALID;
	u32 filled = 0;
	long i;

	if (write)
		flags |= IVSHM_GMEM_WRITE;

	write_lock(&gm->lock);
	if (mmu_interval_read_retry(&chunk->notifier, seq)) {
		write_unlock(&gm->lock);
		return false;
	}
	if (!n)
		*entry = IVSHM_GMEM_UNMIRRORABLE;
	for (i = 0; i < n; i++) {
		if ((entry[i] & flags) == flags)
			continue;
		entry[i] = (unsigned long)page_address(pages[i]) | flags;
		filled++;
	}
	ivshm_gmem_count(gm, IVSHM_A_STAT_FAULTS, filled);
	write_unlock(&gm->lock);
	return true;
}

static bool ivshm_gmem_present(struct ivshm_gmem *gm,
			       struct ivshm_gmem_chunk *chunk, u64 hva,
			       bool write)
{
	unsigned long entry;

	read_lock(&gm->lock);
	entry = chunk->entry[(hva >> PAGE_SHIFT) % IVSHM_GMEM_CHUNK_PAGES];
	read_unlock(&gm->lock);
	return entry & (write ? IVSHM_GMEM_WRITE : IVSHM_GMEM_VALID);
}

/*
 * One attempt. Returns 0 when the page is in or known to be bad, -EAGAIN after
 * a collision, -EINTR or -ENOMEM.  A fresh chunk is added only for something
 * that is worth one.
 */
static int ivshm_gmem_try_fill(struct ivshm_gmem *gm,
			       struct ivshm_gmem_chunk *chunk, bool *fresh,
			       const struct ivshm_gmem_miss *miss, bool retried)
{
	struct page *pages[IVSHM_GMEM_FAULT_AROUND];
	unsigned long seq;
	int err = 0;
	long i, n;

	seq = mmu_interval_read_begin(&chunk->notifier);
	n = ivshm_gmem_get_pages(miss->hva, miss->write, pages);
	if (n < 0) {
		if (fatal_signal_pending(current))
			return -EINTR;
		if (n == -ENOMEM || n == -EAGAIN || n == -EBUSY)
			return -ENOMEM;
		err = ivshm_gmem_explain(gm, miss->hva, miss->write);
		if (err == -EFAULT) {
			ivshm_gmem_set_bad(gm, miss->hva, miss->write);
			return 0;
		}
		if (err != -EOPNOTSUPP)
			return err;
		/* The memory may have come between: ask for pages again. */
		if (!retried)
			return -EAGAIN;
		n = 0;
		err = 0;
	}

	if (*fresh) {
		err = ivshm_gmem_chunk_add(gm, chunk);
		if (!err)
			*fresh = false;
	}
	if (!err && !ivshm_gmem_publish(gm, chunk, seq, miss->hva, miss->write,
					pages, n))
		err = -EAGAIN;
	/*
	 * From here on the notifier keeps the entry true; a reference would
	 * only stand in the way of migration, KSM and copy-on-write.
	 */
	for (i = 0; i < n; i++)
		put_page(pages[i]);
	return err;
}

static int ivshm_gmem_fill(struct ivshm_gmem *gm,
			   const struct ivshm_gmem_miss *miss)
{
	struct ivshm_gmem_chunk *chunk;
	bool fresh;
	int i, err;

	chunk = ivshm_gmem_chunk_get(gm, miss->hva, &fresh);
	if (IS_ERR(chunk))
		return PTR_ERR(chunk);

	err = 0;
	if (ivshm_gmem_present(gm, chunk, miss->hva, miss->write))
		goto out;
	for (i = 0; i < IVSHM_GMEM_TRIES; i++) {
		err = ivshm_gmem_try_fill(gm, chunk, &fresh, miss, i > 0);
		if (err != -EAGAIN)
			break;
		cond_resched();
	}
out:
	if (fresh)
		ivshm_gmem_chunk_drop(chunk);
	else
		ivshm_gmem_chunk_put(chunk);
	return err == -EAGAIN ? 0 : err;
}

int ivshm_gmem_fault(struct ivshm_gmem *gm)
{
	int entered, err = 0;
	u32 i, n;

	/* Also with nothing to do: the caller may be in a loop. */
	if (fatal_signal_pending(current))
		return -EINTR;
	cond_resched();
	if (!ivshm_gmem_missing(gm))
		return READ_ONCE(gm->dead) ? -ESRCH : 0;
	if (mutex_lock_killable(&gm->fill_mutex))
		return -EINTR;
	entered = ivshm_gmem_borrow(gm);
	if (entered < 0) {
		mutex_unlock(&gm->fill_mutex);
		return entered;
	}

	spin_lock(&gm->miss_lock);
	swap(gm->missing, gm->filling);
	n = gm->nr_missing;
	WRITE_ONCE(gm->nr_missing, 0);
	spin_unlock(&gm->miss_lock);

	for (i = 0; i < n && !err; i++)
		err = ivshm_gmem_fill(gm, &gm->filling[i]);

	ivshm_gmem_give_back(gm, entered);
	mutex_unlock(&gm->fill_mutex);

	/*
	 * No memory just now: the page will be asked for again, perhaps at
	 * once.  Let the others run first.
	 */
	if (err && err != -EINTR) {
		schedule_timeout_killable(1);
		err = fatal_signal_pending(current) ? -EINTR : 0;
	}
	return err;
}

int ivshm_gmem_user_vec(struct ivshm_gmem *gm, u64 gpa, u32 len, struct iovec *vec,
			u32 max)
{
	const struct ivshm_gmem_region *region;
	u32 n = 0, piece;

	/* Whoever gets them would go on using them after an invalidation. */
	if (gm->iotlb)
		return -ENOSPC;
	if (gpa + (len - 1) < gpa)
		return -EFAULT;
	for (; len; gpa += piece, len -= piece) {
		region = ivshm_gmem_find(gm, gpa);
		if (!region)
			return -EFAULT;
		if (n == max)
			return -ENOSPC;
		piece = min_t(u64, len - 1, region->last - gpa) + 1;
		vec[n].iov_base = u64_to_user_ptr(region->hva + (gpa - region->gpa));
		vec[n++].iov_len = piece;
	}
	return n;
}

/* As much of a user copy as one region holds. */
static int ivshm_gmem_user_piece(struct ivshm_gmem *gm, u64 gpa, void *buf,
				 u32 len, bool write, u32 *piece)
{
	const struct ivshm_gmem_region *region;
	unsigned long left;
	u64 hva = 0;

	ivshm_gmem_read_lock(gm);
	region = gm->iotlb ? NULL : ivshm_gmem_find(gm, gpa);
	if (region) {
		hva = region->hva + (gpa - region->gpa);
		*piece = min_t(u64, len - 1, region->last - gpa) + 1;
	}
	ivshm_gmem_read_unlock(gm);
	if (!region)
		return -EFAULT;

	if (write)
		left = copy_to_user(u64_to_user_ptr(hva), buf, *piece);
	else
		left = copy_from_user(buf, u64_to_user_ptr(hva), *piece);
	if (left)
		return fatal_signal_pending(current) ? -EINTR : -EFAULT;
	return 0;
}

int ivshm_gmem_user_copy(struct ivshm_gmem *gm, u64 gpa, void *buf, u32 len,
			 bool write)
{
	u32 left = len, piece;
	int entered, err = 0;
	u64 at = gpa;

	if (!len || gpa + (len - 1) < gpa)
		return -EFAULT;
	if (write)
		err = ivshm_gmem_log_data(gm, gpa, len, false);
	if (err)
		return err;
	entered = ivshm_gmem_borrow(gm);
	if (entered < 0)
		return entered;
	for (; left && !err; at += piece, buf += piece, left -= piece) {
		piece = 0;
		err = ivshm_gmem_user_piece(gm, at, buf, left, write, &piece);
	}
	ivshm_gmem_give_back(gm, entered);

	/* A copy that failed half-way has been written half-way. */
	if (write) {
		int err2 = ivshm_gmem_log_data(gm, gpa, len, true);

		err = err ?: err2;
	}
	return err;
}
