// SPDX-License-Identifier: GPL-2.0
/* Regions: pages that change their slots. */
#include <linux/delay.h>
#include <linux/highmem.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/page_ref.h>
#include <linux/pagemap.h>
#include <linux/sched/signal.h>

#include "region.h"
#include "region_exchange.h"

/* Let go of slots that are held. */
static void slots_unhold(struct ivshm_region *region, unsigned long at,
			 unsigned long nr)
{
	struct page **slot;
	unsigned long i;

	for (i = at; i < at + nr; i++) {
		slot = &region->slot[i];
		if (*slot)
			/*
			 * After what was done to the page.  A fault finds it from now
			 * on; all that it does depends on what it finds.
			 */
			smp_store_release(slot, ivshm_slot_page(*slot));
		cond_resched();
	}
	wake_up_all(&region->exchanged);
}

/*
 * Hold slots; they are in mappings yet.  A slot may be empty if @gone says so: its
 * region was deleted.
 */
static int slots_mark(struct ivshm_region *region, unsigned long at,
		      unsigned long nr, bool gone)
{
	struct page *page;
	unsigned long i;
	int err = 0;

	for (i = at; i < at + nr; i++) {
		page = ivshm_region_lock_slot(region, i);
		if (!page && gone)
			continue;
		if (IS_ERR_OR_NULL(page)) {
			err = page ? -EBUSY : -ENODEV;
			break;
		}
		/* Nor does anybody get it back who could not use it before. */
		if (unlikely(PageHWPoison(page)) && !gone)
			err = -EHWPOISON;
		else
			WRITE_ONCE(region->slot[i], ivshm_slot_held(page));
		unlock_page(page);
		put_page(page);
		if (!err && fatal_signal_pending(current) && !gone) {
			i++;
			err = -EINTR;
		}
		if (err)
			break;
		cond_resched();
	}
	if (err)
		slots_unhold(region, at, i - at);
	return err;
}

/* Likewise, and take their pages out of all mappings of a region that has users. */
static int slots_hold(struct ivshm_region *region, unsigned long at,
		      unsigned long nr, bool gone)
{
	unsigned int shift = PAGE_SHIFT + region->order;
	int err;

	err = slots_mark(region, at, nr, gone);
	if (!err)
		/* Whoever found a page before has mapped it, or found it held. */
		unmap_mapping_range(region->inode->i_mapping, (loff_t)at << shift,
				    (loff_t)nr << shift, 0);
	return err;
}

static void slots_unfreeze(struct ivshm_region *region, unsigned long at,
			   unsigned long nr)
{
	unsigned long i;

	for (i = at; i < at + nr; i++) {
		page_ref_unfreeze(ivshm_slot_page(region->slot[i]), 1);
		cond_resched();
	}
}

/*
 * Freeze a page of a slot that is held: nobody has references but @refs slots.  There
 * may be some for a moment, of faults and look-ups that were under way, and of mappings
 * that others have just taken down; their threads may have to wait for a processor.
 */
static int page_freeze(struct page *page, int refs, ktime_t end)
{
	unsigned long us = 10;

	while (!page_ref_freeze(page, refs)) {
		if (fatal_signal_pending(current))
			return -EINTR;
		if (ktime_after(ktime_get(), end))
			return -EBUSY;
		usleep_range(us, 2 * us);
		us = min(2 * us, 1000UL);
	}
	return 0;
}

static int slots_freeze(struct ivshm_region *region, unsigned long at,
			unsigned long nr, ktime_t end)
{
	unsigned long i;
	int err;

	for (i = at; i < at + nr; i++) {
		err = page_freeze(ivshm_slot_page(region->slot[i]), 1, end);
		if (err) {
			slots_unfreeze(region, at, i - at);
			return err;
		}
		cond_resched();
	}
	return 0;
}

/* A moment at least. Not in jiffies: a processor that was kept makes up for many at once. */
static ktime_t freeze_end(unsigned int patience)
{
	return ktime_add_ms(ktime_get(), patience + 1);
}

static void slot_clear(struct page *page, unsigned int order)
{
	unsigned long i;

	for (i = 0; i < 1UL << order; i++) {
		clear_highpage(nth_page(page, i));
		cond_resched();
	}
}

int ivshm_region_move(struct ivshm_region *from, unsigned long at,
		      struct ivshm_region *to, unsigned long to_at,
		      unsigned long nr, unsigned int patience, const bool *closing)
{
	struct page *page;
	unsigned long i;
	ktime_t end;
	int err;

	err = slots_hold(from, at, nr, false);
	if (err)
		return err;
	/*
	 * Before the receiver's are held: a sender that does not let go of its pages
	 * keeps itself waiting, and nobody else.
	 */
	end = freeze_end(patience);
	err = slots_freeze(from, at, nr, end);
	if (err)
		goto unhold_from;
	err = slots_hold(to, to_at, nr, false);
	if (err)
		goto unfreeze_from;
	/* That may have taken the time that references have to go. */
	end = max(end, freeze_end(0));
	err = slots_freeze(to, to_at, nr, end);
	if (err)
		goto unhold_to;

	/* Nobody else has any of the pages. This takes the time, and can be given up. */
	for (i = 0; i < nr; i++) {
		if (fatal_signal_pending(current))
			err = -EINTR;
		else if (READ_ONCE(*closing))
			err = -ENODEV;
		if (err)
			goto unfreeze_to;
		slot_clear(ivshm_slot_page(to->slot[to_at + i]), to->order);
	}
	/* From here on nothing can fail. */
	for (i = 0; i < nr; i++) {
		page = ivshm_slot_page(to->slot[to_at + i]);
		WRITE_ONCE(to->slot[to_at + i], from->slot[at + i]);
		WRITE_ONCE(from->slot[at + i], ivshm_slot_held(page));
		cond_resched();
	}
	slots_unfreeze(to, to_at, nr);
	slots_unfreeze(from, at, nr);
	slots_unhold(to, to_at, nr);
	slots_unhold(from, at, nr);
	return 0;

unfreeze_to:
	slots_unfreeze(to, to_at, nr);
unhold_to:
	slots_unhold(to, to_at, nr);
unfreeze_from:
	slots_unfreeze(from, at, nr);
unhold_from:
	slots_unhold(from, at, nr);
	return err;
}

/* Exchange @pages with those of slots that are held and may be empty. */
static void slots_swap(struct ivshm_region *region, unsigned long at,
		       unsigned long nr, struct page **pages)
{
	struct page *page;
	unsigned long i;

	for (i = 0; i < nr; i++) {
		page = region->slot[at + i];
		if (!page)
			continue;
		WRITE_ONCE(region->slot[at + i], ivshm_slot_held(pages[i]));
		pages[i] = ivshm_slot_page(page);
		cond_resched();
	}
}

static void put_all(struct page **pages, unsigned long nr)
{
	unsigned long i;

	for (i = 0; i < nr; i++) {
		put_page(pages[i]);
		pages[i] = NULL;
		cond_resched();
	}
}

/* References to the pages of slots. */
static int slots_get(const struct ivshm_region *region, unsigned long at,
		     unsigned long nr, struct page **pages)
{
	struct page *page;
	unsigned long i;
	int err;

	for (i = 0; i < nr; i++) {
		page = ivshm_region_get_page(region, (at + i) << region->order);
		if (IS_ERR_OR_NULL(page)) {
			err = page ? -EBUSY : -ENODEV;
			goto put;
		}
		pages[i] = page;
		if (unlikely(PageHWPoison(page))) {
			i++;
			err = -EHWPOISON;
			goto put;
		}
		cond_resched();
	}
	return 0;

put:
	put_all(pages, i);
	return err;
}

int ivshm_region_lend(struct ivshm_region *from, unsigned long at,
		      struct ivshm_region *to, unsigned long to_at,
		      unsigned long nr, struct page **kept)
{
	int err;

	err = slots_get(from, at, nr, kept);
	if (err)
		return err;
	err = slots_hold(to, to_at, nr, false);
	if (err) {
		put_all(kept, nr);
		return err;
	}
	/* Our references become those of the slots, and theirs ours. */
	slots_swap(to, to_at, nr, kept);
	slots_unhold(to, to_at, nr);
	return 0;
}

void ivshm_region_give_back(struct ivshm_region *to, unsigned long to_at,
			    unsigned long nr, struct page **kept)
{
	/* The range is claimed for us: nobody else holds its slots. */
	if (!WARN_ON_ONCE(slots_hold(to, to_at, nr, true))) {
		slots_swap(to, to_at, nr, kept);
		slots_unhold(to, to_at, nr);
	}
	put_all(kept, nr);
}

static void slot_copy(struct page *to, struct page *from, unsigned int order)
{
	unsigned long i;

	for (i = 0; i < 1UL << order; i++) {
		copy_highpage(nth_page(to, i), nth_page(from, i));
		cond_resched();
	}
}

int ivshm_region_put_in(struct ivshm_region *from, unsigned long at,
			struct ivshm_region *to, unsigned long to_at,
			unsigned long nr, bool keep, struct page **own,
			unsigned int patience)
{
	unsigned long i;
	int err;

	err = slots_get(from, at, nr, own);
	if (err)
		return err;
	err = slots_mark(to, to_at, nr, false);
	if (err)
		goto put;
	ivshm_region_unmap(to, to_at, nr);
	err = slots_freeze(to, to_at, nr, freeze_end(patience));
	if (err)
		goto unhold;

	/* Nobody has the pages of the range any more: all that was written is there. */
	for (i = 0; i < nr && !keep; i++)
		slot_copy(own[i], ivshm_slot_page(to->slot[to_at + i]), to->order);
	slots_swap(to, to_at, nr, own);
	for (i = 0; i < nr; i++)
		page_ref_unfreeze(own[i], 1);
	slots_unhold(to, to_at, nr);
	return 0;

unhold:
	slots_unhold(to, to_at, nr);
put:
	put_all(own, nr);
	return err;
}

/* In how many slots of @all a page is. */
static int slots_refs(const struct ivshm_slots *all, unsigned int nr_all, unsigned long i)
{
	unsigned int k;
	int refs = 0;

	for (k = 0; k < nr_all; k++)
		refs += i - all[k].skip < all[k].nr;
	return refs;
}

/* Hold all of them, with their pages in no mapping. */
static int slots_hold_all(const struct ivshm_slots *all, unsigned int nr_all)
{
	unsigned int k;
	int err;

	for (k = 0; k < nr_all; k++) {
		err = slots_mark(all[k].region, all[k].at, all[k].nr, false);
		if (err)
			goto unhold;
	}
	for (k = 0; k < nr_all; k++)
		ivshm_region_unmap(all[k].region, all[k].at, all[k].nr);
	return 0;

unhold:
	while (k--)
		slots_unhold(all[k].region, all[k].at, all[k].nr);
	return err;
}

int ivshm_region_take_out(struct ivshm_region *to, unsigned long at, unsigned long nr,
			  struct page **own, const struct ivshm_slots *all,
			  unsigned int nr_all, unsigned int patience)
{
	unsigned long i;
	unsigned int k;
	ktime_t end;
	int err;

	err = slots_hold_all(all, nr_all);
	if (err)
		return err;
	end = freeze_end(patience);
	for (i = 0; i < nr; i++) {
		err = page_freeze(ivshm_slot_page(to->slot[at + i]),
				  slots_refs(all, nr_all, i), end);
		if (err)
			goto unfreeze;
		cond_resched();
	}

	/* Nobody has the pages, wherever they are in place. */
	for (i = 0; i < nr; i++)
		slot_copy(own[i], ivshm_slot_page(to->slot[at + i]), to->order);
	slots_swap(to, at, nr, own);
	for (i = 0; i < nr; i++) {
		/* All have theirs again, but for @to. */
		page_ref_unfreeze(own[i], slots_refs(all, nr_all, i) - 1);
		own[i] = NULL;
	}
	goto unhold;

unfreeze:
	while (i--)
		page_ref_unfreeze(ivshm_slot_page(to->slot[at + i]),
				  slots_refs(all, nr_all, i));
unhold:
	for (k = 0; k < nr_all; k++)
		slots_unhold(all[k].region, all[k].at, all[k].nr);
	return err;
}

void ivshm_region_take_out_anyway(struct ivshm_region *to, unsigned long at,
				  unsigned long nr, struct page **own)
{
	struct page *page;
	unsigned long i;

	/* The range is claimed for us: nobody else holds its slots. */
	if (WARN_ON_ONCE(slots_mark(to, at, nr, true)))
		return;
	ivshm_region_unmap(to, at, nr);
	for (i = 0; i < nr; i++) {
		page = ivshm_slot_page(to->slot[at + i]);
		if (unlikely(PageHWPoison(page))) {
			swap(page, own[i]);
		} else {
			slot_copy(own[i], page, to->order);
			WRITE_ONCE(to->slot[at + i], ivshm_slot_held(own[i]));
		}
		put_page(page);
		own[i] = NULL;
		cond_resched();
	}
	slots_unhold(to, at, nr);
}

int ivshm_region_copy(const struct ivshm_region *from, u64 offset,
		      const struct ivshm_region *to, u64 to_offset, u64 len,
		      const bool *closing)
{
	struct page *src, *dst;
	size_t part;
	int err = 0;

	for (; len && !err; len -= part, offset += part, to_offset += part) {
		part = min3(len, PAGE_SIZE - offset_in_page(offset),
			    PAGE_SIZE - offset_in_page(to_offset));
		src = ivshm_region_get_page(from, offset >> PAGE_SHIFT);
		if (IS_ERR_OR_NULL(src))
			return src ? -EBUSY : -ENODEV;
		dst = ivshm_region_get_page(to, to_offset >> PAGE_SHIFT);
		if (IS_ERR_OR_NULL(dst))
			err = dst ? -EBUSY : -ENODEV;
		else if (unlikely(PageHWPoison(src) || PageHWPoison(dst)))
			err = -EHWPOISON;
		else if (fatal_signal_pending(current))
			err = -EINTR;
		else if (READ_ONCE(*closing))
			err = -ENODEV;
		else
			memcpy_page(dst, offset_in_page(to_offset), src,
				    offset_in_page(offset), part);
		if (!IS_ERR_OR_NULL(dst))
			put_page(dst);
		put_page(src);
		cond_resched();
	}
	return err;
}
