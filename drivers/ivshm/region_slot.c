// SPDX-License-Identifier: GPL-2.0
/* Regions: their slots, and the mappings of what is in them. */
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/nospec.h>
#include <linux/pagemap.h>
#include <linux/wait.h>

#include "region.h"

/* The first page of a slot, with a reference, NULL or ERR_PTR(-EAGAIN). */
static struct page *region_get_slot(const struct ivshm_region *region,
				    unsigned long i)
{
	struct page *page;

	if (i >= region->nr)
		return NULL;
	i = array_index_nospec(i, region->nr);
	for (;;) {
		/*
		 * Once the slot is seen to have the page although we hold it, the
		 * reference is to the slot's page and not to what became of it.
		 */
		page = READ_ONCE(region->slot[i]);
		if (!page)
			return NULL;
		if (page != ivshm_slot_page(page))
			return ERR_PTR(-EAGAIN);
		if (!get_page_unless_zero(page)) {
			cpu_relax();
			continue;
		}
		if (likely(page == READ_ONCE(region->slot[i])))
			return page;
		put_page(page);
	}
}

static struct page *region_nth_page(const struct ivshm_region *region,
				    struct page *page, pgoff_t pgoff)
{
	if (IS_ERR_OR_NULL(page))
		return page;
	return nth_page(page, pgoff & ((1UL << region->order) - 1));
}

struct page *ivshm_region_lock_slot(const struct ivshm_region *region,
				    unsigned long i)
{
	struct page *page;

	for (;;) {
		page = region_get_slot(region, i);
		if (IS_ERR_OR_NULL(page))
			return page;
		lock_page(page);
		if (likely(page == READ_ONCE(region->slot[i])))
			return page;
		unlock_page(page);
		put_page(page);
	}
}

struct page *ivshm_region_lock_page(const struct ivshm_region *region,
				    pgoff_t pgoff)
{
	return region_nth_page(region, ivshm_region_lock_slot(region, pgoff >> region->order),
			       pgoff);
}

struct page *ivshm_region_get_page(const struct ivshm_region *region,
				   pgoff_t pgoff)
{
	return region_nth_page(region, region_get_slot(region, pgoff >> region->order),
			       pgoff);
}

void ivshm_region_await(struct ivshm_region *region, unsigned long i)
{
	wait_event(region->exchanged, !ivshm_region_slot_is_held(region, i));
}

void ivshm_region_unmap(struct ivshm_region *region, unsigned long at,
			unsigned long nr)
{
	unsigned int shift = PAGE_SHIFT + region->order;
	bool used;

	mutex_lock(&ivshm_region_mutex);
	used = region->users;
	if (used) {
		/* One user more, so that the address space stays. */
		region->users++;
		get_device(&region->dev);
	}
	mutex_unlock(&ivshm_region_mutex);
	/* Who becomes a user only now finds what the slots have by now. */
	if (!used)
		return;
	unmap_mapping_range(region->inode->i_mapping, (loff_t)at << shift,
			    (loff_t)nr << shift, 1);
	ivshm_region_unuse(region);
}
