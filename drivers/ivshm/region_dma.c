// SPDX-License-Identifier: GPL-2.0
/*
 * Regions: their pages under ranges of a program's private memory, and back.
 *
 * The range is replaced by a mapping of a file made for it.  The core does that
 * in one piece, with mmap_lock held for writing: what anybody wrote before is in
 * the old pages, and whoever writes later faults into the new mapping.  There the
 * contents of an old page are copied at the first touch of the new one, under its
 * lock, so no write is lost and no fault waits for another thread's progress.
 */
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/module.h>
#include <linux/pagemap.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/userfaultfd_k.h>

#include "region.h"
#include "region_exchange.h"

/* Pages that are looked at in one go. */
#define CHECK_BATCH	32

/**
 * struct region_dma - a range that was replaced; a file's private data
 * @region:	whose pages it shows, which it uses; NULL after UNMAP_DMA
 * @claim:	of the range of @region
 * @own:	@nr pages that it shows otherwise
 * @pgoff:	offset of its first page in the region, 0 for @own
 * @nr:		number of pages
 * @from:	@nr pages, pinned, whose contents are to come, NULL once they are
 *		there; under the lock of the page they go to.  Or NULL
 */
struct region_dma {
	struct ivshm_region *region;
	struct ivshm_claim claim;
	struct page **own;
	pgoff_t pgoff;
	unsigned long nr;
	struct page **from;
};

static void dma_free(struct region_dma *dma)
{
	unsigned long i;

	for (i = 0; i < dma->nr; i++) {
		if (dma->from && dma->from[i])
			unpin_user_page(dma->from[i]);
		if (dma->own && dma->own[i])
			put_page(dma->own[i]);
		cond_resched();
	}
	kvfree(dma->from);
	kvfree(dma->own);
	if (dma->region) {
		ivshm_region_unclaim(dma->region, &dma->claim);
		ivshm_region_unuse(dma->region);
	}
	kfree(dma);
}

/* The page at an offset of the file, as ivshm_region_lock_page(). */
static struct page *dma_lock_page(struct region_dma *dma, pgoff_t pgoff)
{
	struct page *page;

	if (pgoff - dma->pgoff >= dma->nr)
		return NULL;
	if (dma->region)
		return ivshm_region_lock_page(dma->region, pgoff);
	page = dma->own[pgoff];
	get_page(page);
	lock_page(page);
	return page;
}

/*
 * Get the contents that are still to come, for all of a large page: the core may
 * map it as one.
 */
static void dma_fetch(struct region_dma *dma, struct page *page, pgoff_t pgoff)
{
	unsigned long mask = compound_nr(compound_head(page)) - 1;
	pgoff_t end = min((pgoff | mask) + 1, dma->pgoff + dma->nr);
	pgoff_t at = max(pgoff & ~mask, dma->pgoff);
	struct page **from;

	for (; dma->from && at < end; at++) {
		from = &dma->from[at - dma->pgoff];
		if (!*from)
			continue;
		copy_highpage(nth_page(compound_head(page), at & mask), *from);
		unpin_user_page(*from);
		*from = NULL;
	}
}

static vm_fault_t dma_fault(struct vm_fault *vmf)
{
	struct region_dma *dma = vmf->vma->vm_private_data;
	struct page *page;

	page = dma_lock_page(dma, vmf->pgoff);
	if (!IS_ERR_OR_NULL(page))
		dma_fetch(dma, page, vmf->pgoff);
	return ivshm_region_fault_end(vmf, dma->region, page);
}

static const struct vm_operations_struct dma_vm_ops = {
	.fault = dma_fault,
};

static int dma_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct region_dma *dma = file->private_data;

	/* remap_file_pages() comes here, too. */
	if (vma->vm_pgoff < dma->pgoff ||
	    vma->vm_pgoff + vma_pages(vma) > dma->pgoff + dma->nr)
		return -EINVAL;
	/* It was private: a child must not write to it. */
	vm_flags_set(vma, VM_DONTEXPAND | VM_DONTCOPY);
	vma->vm_ops = &dma_vm_ops;
	vma->vm_private_data = dma;
	return 0;
}

static int dma_release(struct inode *inode, struct file *file)
{
	dma_free(file->private_data);
	return 0;
}

static const struct file_operations dma_fops = {
	.owner = THIS_MODULE,
	.mmap = dma_mmap,
	.release = dma_release,
	.fsync = noop_fsync,
};

/*
 * What may be replaced
 */

static int dma_check_vma(const struct vm_area_struct *vma)
{
	const vm_flags_t access = vma->vm_flags & VM_ACCESS_FLAGS;

	if (vma->vm_ops != &dma_vm_ops &&
	    (vma->vm_ops || vma->vm_flags & (VM_SHARED | VM_MAYSHARE | VM_IO |
					     VM_PFNMAP | VM_MIXEDMAP | VM_HUGETLB |
					     VM_GROWSDOWN)))
		return -EINVAL;
	if (access != (VM_READ | VM_WRITE))
		return -EACCES;
	return userfaultfd_armed((struct vm_area_struct *)vma) ? -EBUSY : 0;
}

/* Whether the mapping shows pages of @region in place of private memory. */
static bool dma_vma_shows(const struct vm_area_struct *vma,
			  const struct ivshm_region *region)
{
	const struct region_dma *dma = vma->vm_private_data;

	return vma->vm_ops == &dma_vm_ops && dma->region == region;
}

/* What mappings of a range must be. */
enum dma_kind {
	DMA_ANY,	/* what can be replaced */
	DMA_SHOWN,	/* such as show pages of the region */
	DMA_OTHER,	/* such as do not */
};

static int dma_check_range(unsigned long addr, unsigned long len,
			   const struct ivshm_region *region, enum dma_kind kind)
{
	unsigned long at, end = addr + len;
	const struct vm_area_struct *vma;
	int err = 0;

	mmap_read_lock(current->mm);
	for (at = addr; !err && at < end; at = vma->vm_end) {
		vma = find_vma(current->mm, at);
		if (!vma || vma->vm_start > at)
			err = -EFAULT;
		else if (kind == DMA_SHOWN && !dma_vma_shows(vma, region))
			err = -EINVAL;
		else if (kind == DMA_OTHER && dma_vma_shows(vma, region))
			err = -EBUSY;
		else
			err = dma_check_vma(vma);
		if (err)
			break;
	}
	mmap_read_unlock(current->mm);
	return err;
}

/* Nobody has pinned pages of the range, to write to them later. */
static int dma_check_pins(unsigned long addr, unsigned long nr)
{
	struct page *page[CHECK_BATCH];
	unsigned long i;
	long got, k;
	int err = 0;

	for (i = 0; i < nr && !err; i += got) {
		got = get_user_pages_unlocked(addr + (i << PAGE_SHIFT),
					      min_t(unsigned long, nr - i, CHECK_BATCH),
					      page, FOLL_WRITE);
		if (got <= 0)
			return got ?: -EFAULT;
		for (k = 0; k < got; k++) {
			if (folio_maybe_dma_pinned(page_folio(page[k])))
				err = -EBUSY;
			put_page(page[k]);
		}
		cond_resched();
	}
	return err;
}

/*
 * Hold on to what is there.  Pinned pages are neither swapped out, migrated nor
 * merged, and a fork gets copies: those that are there now are there to the end.
 */
static int dma_pin(struct region_dma *dma, unsigned long addr)
{
	unsigned long i;
	long got;

	dma->from = kvcalloc(dma->nr, sizeof(*dma->from), GFP_KERNEL | __GFP_NOWARN);
	if (!dma->from)
		return -ENOMEM;
	for (i = 0; i < dma->nr; i += got) {
		got = pin_user_pages_unlocked(addr + (i << PAGE_SHIFT), dma->nr - i,
					      dma->from + i, FOLL_WRITE);
		if (got <= 0)
			return got ?: -EFAULT;
	}
	return 0;
}

/*
 * Replacing
 */

static bool dma_mapped(unsigned long addr)
{
	const struct vm_area_struct *vma;
	bool mapped;

	mmap_read_lock(current->mm);
	vma = find_vma(current->mm, addr);
	mapped = vma && vma->vm_start <= addr;
	mmap_read_unlock(current->mm);
	return mapped;
}

/* Nobody may ever touch some of the pages. */
static void dma_sweep(struct region_dma *dma)
{
	struct page *page;
	pgoff_t pgoff;

	for (pgoff = dma->pgoff; pgoff < dma->pgoff + dma->nr; pgoff++) {
		/* Where they are in place in a region, too, others may hold them. */
		while (IS_ERR(page = dma_lock_page(dma, pgoff)))
			ivshm_region_await(dma->region, pgoff >> dma->region->order);
		/* The region was deleted. */
		if (!page)
			break;
		dma_fetch(dma, page, pgoff);
		unlock_page(page);
		put_page(page);
		cond_resched();
	}
}

/* The end of @dma is the file's, or, if there is none, it comes at once. */
static int dma_replace(struct region_dma *dma, unsigned long addr, u32 *flags)
{
	struct inode *inode = dma->region ? dma->region->inode : NULL;
	unsigned long len = dma->nr << PAGE_SHIFT, got;
	struct file *file;
	int err = 0;

	file = ivshm_region_getfile(inode, len, O_RDWR, &dma_fops, dma);
	if (IS_ERR(file)) {
		dma_free(dma);
		return PTR_ERR(file);
	}
	got = vm_mmap(file, addr, len, PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_FIXED, dma->pgoff << PAGE_SHIFT);
	if (IS_ERR_VALUE(got)) {
		err = got;
		if (!dma_mapped(addr))
			*flags |= IVSHM_DMA_UNMAPPED;
	} else {
		dma_sweep(dma);
	}
	fput(file);
	return err;
}

static bool dma_range_valid(u64 addr, u64 len)
{
	return len && PAGE_ALIGNED(addr) && PAGE_ALIGNED(len) && addr + len > addr &&
	       addr + len <= TASK_SIZE;
}

int ivshm_region_map_dma(struct ivshm_region *region,
			 struct ivshm_region_map_dma *arg)
{
	bool keep = arg->flags & IVSHM_DMA_KEEP_REGION;
	struct region_dma *dma;
	int err;

	if (!dma_range_valid(arg->addr, arg->len) || !PAGE_ALIGNED(arg->offset) ||
	    arg->offset > region->size || arg->len > region->size - arg->offset)
		return -EINVAL;
	dma = kzalloc(sizeof(*dma), GFP_KERNEL);
	if (!dma)
		return -ENOMEM;
	dma->pgoff = arg->offset >> PAGE_SHIFT;
	dma->nr = arg->len >> PAGE_SHIFT;
	err = ivshm_region_use(region);
	if (err)
		goto free;
	err = ivshm_region_claim(region, &dma->claim, IVSHM_CLAIM_DMA, dma->pgoff,
				 dma->nr);
	if (err) {
		ivshm_region_unuse(region);
		goto free;
	}
	dma->region = region;
	/* Pages that are copied must not be ones that others are copied to. */
	err = dma_check_range(arg->addr, arg->len, region, keep ? DMA_ANY : DMA_OTHER) ?:
	      dma_check_pins(arg->addr, dma->nr);
	if (!err && !keep)
		err = dma_pin(dma, arg->addr);
	if (err)
		goto free;
	return dma_replace(dma, arg->addr, &arg->flags);

free:
	dma_free(dma);
	return err;
}

int ivshm_region_unmap_dma(struct ivshm_region *region,
			   struct ivshm_region_unmap_dma *arg)
{
	struct region_dma *dma;
	unsigned long i;
	int err;

	if (!dma_range_valid(arg->addr, arg->len) || arg->len > region->size)
		return -EINVAL;
	err = dma_check_range(arg->addr, arg->len, region, DMA_SHOWN);
	if (err)
		return err;
	dma = kzalloc(sizeof(*dma), GFP_KERNEL);
	if (!dma)
		return -ENOMEM;
	dma->nr = arg->len >> PAGE_SHIFT;
	err = -ENOMEM;
	dma->own = kvcalloc(dma->nr, sizeof(*dma->own), GFP_KERNEL | __GFP_NOWARN);
	if (!dma->own)
		goto free;
	for (i = 0; i < dma->nr; i++) {
		/* The caller's own from now on, hence its cgroup's. */
		dma->own[i] = alloc_page(GFP_HIGHUSER | __GFP_ACCOUNT | __GFP_NOWARN);
		if (!dma->own[i])
			goto free;
		cond_resched();
	}
	err = dma_pin(dma, arg->addr);
	if (err)
		goto free;
	return dma_replace(dma, arg->addr, &arg->flags);

free:
	dma_free(dma);
	return err;
}
