// SPDX-License-Identifier: GPL-2.0
/* Regions: ranges that have pages of another region in place of their own. */
#include <linux/mm.h>
#include <linux/netlink.h>
#include <linux/slab.h>

#include "netlink.h"
#include "region.h"
#include "region_swap.h"

/* Milliseconds that references to pages have to go. */
#define PATIENCE	20

/* Making and ending swaps, and deleting regions. */
DEFINE_MUTEX(ivshm_swap_mutex);
LIST_HEAD(ivshm_swaps);

/* Say why, and which attribute is at fault. */
static void swap_refuse(const struct ivshm_swap_config *cfg,
			struct netlink_ext_ack *extack, int at, const char *why)
{
	if (!extack)
		return;
	extack->_msg = why;
	NL_SET_BAD_ATTR(extack, cfg->attr ? cfg->attr[at] : NULL);
}

/* What was claimed before. */
static const char *const claimed[IVSHM_CLAIM_KINDS + 1] = {
	[IVSHM_CLAIM_DMA]	= "pages are under a program's own memory, or in a dma-buf",
	[IVSHM_CLAIM_LANDING]	= "the range is in use for messages",
	[IVSHM_CLAIM_LENDING]	= "the range is in use for messages",
	[IVSHM_CLAIM_BORROWED]	= "the range is in use for messages",
	[IVSHM_CLAIM_MOVING]	= "the range is in use for messages",
	[IVSHM_CLAIM_RINGS]	= "rings of a message queue are in the range",
	[IVSHM_CLAIM_SWAPPED]	= "the range has pages of another region in place already",
	[IVSHM_CLAIM_POOL]	= "pages of the range are in place in another region",
	[IVSHM_CLAIM_FILLING]	= "pages of the range are in place in another region",
	/* It went meanwhile. */
	[IVSHM_CLAIM_KINDS]	= "the range was in use",
};

static unsigned long pgoff_of(const struct ivshm_region *region, unsigned long slot)
{
	return slot << region->order;
}

static int swap_claim(struct ivshm_swap *swap, const struct ivshm_swap_config *cfg,
		      struct netlink_ext_ack *extack)
{
	enum ivshm_claim_kind kind = cfg->keep_pool ? IVSHM_CLAIM_POOL : IVSHM_CLAIM_FILLING;
	unsigned long nr = pgoff_of(swap->to, swap->nr), pgoff;
	enum ivshm_claim_kind found;

	pgoff = pgoff_of(swap->to, swap->at);
	if (ivshm_region_claim(swap->to, &swap->claim, IVSHM_CLAIM_SWAPPED, pgoff, nr)) {
		found = ivshm_region_claimed(swap->to, IVSHM_CLAIM_SWAPPED, pgoff, nr);
		swap_refuse(cfg, extack, IVSHM_A_SWAP_OFFSET, claimed[found]);
		return -EBUSY;
	}
	pgoff = pgoff_of(swap->pool, swap->pool_at);
	if (!ivshm_region_claim(swap->pool, &swap->pool_claim, kind, pgoff, nr))
		return 0;
	found = ivshm_region_claimed(swap->pool, kind, pgoff, nr);
	if (found == IVSHM_CLAIM_POOL || found == IVSHM_CLAIM_DMA)
		swap_refuse(cfg, extack, IVSHM_A_SWAP_POOL_OFFSET,
			    "others have these pages: only what the pool has in them can stay");
	else
		swap_refuse(cfg, extack, IVSHM_A_SWAP_POOL_OFFSET, claimed[found]);
	ivshm_region_unclaim(swap->to, &swap->claim);
	return -EBUSY;
}

static void swap_unclaim(struct ivshm_swap *swap)
{
	ivshm_region_unclaim(swap->pool, &swap->pool_claim);
	ivshm_region_unclaim(swap->to, &swap->claim);
}

static struct ivshm_region *swap_region(const struct ivshm_swap_config *cfg,
					struct netlink_ext_ack *extack, const char *name,
					int at)
{
	struct ivshm_region *region;

	lockdep_assert_held(&ivshm_swap_mutex);

	/* It stays: whoever deletes it takes the mutex that we have. */
	mutex_lock(&ivshm_region_mutex);
	region = ivshm_region_find(name);
	mutex_unlock(&ivshm_region_mutex);
	if (!region)
		swap_refuse(cfg, extack, at, "no such region");
	return region;
}

static bool swap_within(const struct ivshm_region *region, u64 offset, u64 size)
{
	return offset <= region->size && size <= region->size - offset;
}

static int swap_check(const struct ivshm_region *to, const struct ivshm_region *pool,
		      const struct ivshm_swap_config *cfg, struct netlink_ext_ack *extack)
{
	u64 unit = PAGE_SIZE << to->order;

	if (to == pool)
		swap_refuse(cfg, extack, IVSHM_A_SWAP_POOL, "that is the same region");
	else if (to->order != pool->order)
		swap_refuse(cfg, extack, IVSHM_A_SWAP_POOL,
			    "both regions must be made of pages of the same size");
	else if (!cfg->size || !IS_ALIGNED(cfg->size, unit))
		swap_refuse(cfg, extack, IVSHM_A_SWAP_SIZE,
			    "the size must be that of some of the region's pages");
	else if (!IS_ALIGNED(cfg->offset, unit) || !swap_within(to, cfg->offset, cfg->size))
		swap_refuse(cfg, extack, IVSHM_A_SWAP_OFFSET,
			    "the range must be of whole pages, and within the region");
	else if (!IS_ALIGNED(cfg->pool_offset, unit) ||
		 !swap_within(pool, cfg->pool_offset, cfg->size))
		swap_refuse(cfg, extack, IVSHM_A_SWAP_POOL_OFFSET,
			    "the pool's range must be of whole pages, and within the pool");
	else
		return 0;
	return -EINVAL;
}

/* Why pages did not change. */
static void swap_refuse_pages(const struct ivshm_swap_config *cfg,
			      struct netlink_ext_ack *extack, int err)
{
	const char *why;

	if (err == -EHWPOISON)
		why = "a page has broken memory";
	else if (err == -EINTR)
		why = "interrupted";
	else
		why = "someone has references to the pages: they are pinned, or I/O is under way";
	swap_refuse(cfg, extack, IVSHM_A_SWAP_OFFSET, why);
}

static void swap_add(struct ivshm_swap *swap)
{
	mutex_lock(&ivshm_region_mutex);
	list_add_tail(&swap->list, &ivshm_swaps);
	swap->to->swaps++;
	ivshm_nl_region_event(swap->to, IVSHM_REGION_READY, IVSHM_REGION_READY);
	mutex_unlock(&ivshm_region_mutex);
}

/* Its pages are where they belong, or nobody wants them any more. */
static void swap_end(struct ivshm_swap *swap)
{
	mutex_lock(&ivshm_region_mutex);
	list_del(&swap->list);
	swap->to->swaps--;
	if (ivshm_region_alive(swap->to))
		ivshm_nl_region_event(swap->to, IVSHM_REGION_READY, IVSHM_REGION_READY);
	mutex_unlock(&ivshm_region_mutex);
	swap_unclaim(swap);
	kvfree(swap->own);
	kfree(swap);
}

static int swap_do(struct ivshm_swap *swap, const struct ivshm_swap_config *cfg,
		   struct netlink_ext_ack *extack)
{
	int err;

	err = swap_claim(swap, cfg, extack);
	if (err)
		return err;
	err = ivshm_region_put_in(swap->pool, swap->pool_at, swap->to, swap->at, swap->nr,
				  cfg->keep_pool, swap->own, PATIENCE);
	if (err) {
		swap_refuse_pages(cfg, extack, err);
		swap_unclaim(swap);
		return err;
	}
	if (!cfg->keep_pool)
		/* Nobody else has claimed it meanwhile. */
		WARN_ON_ONCE(ivshm_region_reclaim(swap->pool, &swap->pool_claim,
						  IVSHM_CLAIM_POOL));
	swap_add(swap);
	return 0;
}

static int swap_new(const struct ivshm_swap_config *cfg, struct netlink_ext_ack *extack)
{
	struct ivshm_region *to, *pool;
	struct ivshm_swap *swap;
	unsigned int shift;
	int err;

	to = swap_region(cfg, extack, cfg->region, IVSHM_A_SWAP_REGION);
	if (!to)
		return -ENOENT;
	pool = swap_region(cfg, extack, cfg->pool, IVSHM_A_SWAP_POOL);
	if (!pool)
		return -ENOENT;
	err = swap_check(to, pool, cfg, extack);
	if (err)
		return err;
	swap = kzalloc(sizeof(*swap), GFP_KERNEL);
	if (!swap)
		goto memory;
	shift = PAGE_SHIFT + to->order;
	swap->to = to;
	swap->pool = pool;
	swap->at = cfg->offset >> shift;
	swap->pool_at = cfg->pool_offset >> shift;
	swap->nr = cfg->size >> shift;
	swap->own = kvcalloc(swap->nr, sizeof(*swap->own), GFP_KERNEL | __GFP_NOWARN);
	if (!swap->own)
		goto memory;
	err = swap_do(swap, cfg, extack);
	if (!err)
		return 0;
	goto free;

memory:
	swap_refuse(cfg, extack, IVSHM_A_SWAP_SIZE, "not enough memory");
	err = -ENOMEM;
free:
	if (swap)
		kvfree(swap->own);
	kfree(swap);
	return err;
}

int ivshm_swap_new(const struct ivshm_swap_config *cfg, struct netlink_ext_ack *extack)
{
	int err;

	mutex_lock(&ivshm_swap_mutex);
	err = swap_new(cfg, extack);
	mutex_unlock(&ivshm_swap_mutex);
	return err;
}

/*
 * Slots of the pool and of others that have pages which are in place in @swap, that of
 * @swap itself first.  Returns how many there are; @all may be NULL.
 */
static unsigned int swap_sharers(const struct ivshm_swap *swap, struct ivshm_slots *all)
{
	unsigned long first = swap->pool_at, end = first + swap->nr, from, to;
	const struct ivshm_swap *other;
	unsigned int nr = 2;

	if (all) {
		all[0] = (struct ivshm_slots){ swap->to, swap->at, swap->nr, 0 };
		all[1] = (struct ivshm_slots){ swap->pool, swap->pool_at, swap->nr, 0 };
	}
	list_for_each_entry(other, &ivshm_swaps, list) {
		if (other == swap || other->pool != swap->pool)
			continue;
		from = max(first, other->pool_at);
		to = min(end, other->pool_at + other->nr);
		if (from >= to)
			continue;
		if (all)
			all[nr] = (struct ivshm_slots){ other->to,
							other->at + (from - other->pool_at),
							to - from, from - first };
		nr++;
	}
	return nr;
}

/* Back as it should be: no write is lost. */
static int swap_back(struct ivshm_swap *swap)
{
	unsigned int nr = swap_sharers(swap, NULL);
	struct ivshm_slots *all;
	int err;

	all = kvcalloc(nr, sizeof(*all), GFP_KERNEL | __GFP_NOWARN);
	if (!all)
		return -ENOMEM;
	swap_sharers(swap, all);
	err = ivshm_region_take_out(swap->to, swap->at, swap->nr, swap->own, all, nr,
				    PATIENCE);
	kvfree(all);
	return err;
}

static void swap_back_anyway(struct ivshm_swap *swap)
{
	if (swap_back(swap))
		ivshm_region_take_out_anyway(swap->to, swap->at, swap->nr, swap->own);
	swap_end(swap);
}

static struct ivshm_swap *swap_find(const struct ivshm_region *to, u64 offset)
{
	struct ivshm_swap *swap;

	list_for_each_entry(swap, &ivshm_swaps, list)
		if (swap->to == to &&
		    (u64)pgoff_of(to, swap->at) << PAGE_SHIFT == offset)
			return swap;
	return NULL;
}

static int swap_del(const struct ivshm_swap_config *cfg, struct netlink_ext_ack *extack)
{
	struct ivshm_region *to;
	struct ivshm_swap *swap;
	int err;

	to = swap_region(cfg, extack, cfg->region, IVSHM_A_SWAP_REGION);
	if (!to)
		return -ENOENT;
	swap = swap_find(to, cfg->offset);
	if (!swap) {
		swap_refuse(cfg, extack, IVSHM_A_SWAP_OFFSET,
			    "no range that has pages of another region begins there");
		return -ENOENT;
	}
	if (cfg->force) {
		swap_back_anyway(swap);
		return 0;
	}
	err = swap_back(swap);
	if (!err)
		swap_end(swap);
	else if (err == -ENOMEM)
		swap_refuse(cfg, extack, IVSHM_A_SWAP_OFFSET, "not enough memory");
	else
		swap_refuse_pages(cfg, extack, err);
	return err;
}

int ivshm_swap_del(const struct ivshm_swap_config *cfg, struct netlink_ext_ack *extack)
{
	int err;

	mutex_lock(&ivshm_swap_mutex);
	err = swap_del(cfg, extack);
	mutex_unlock(&ivshm_swap_mutex);
	return err;
}

bool ivshm_swap_is_pool(const struct ivshm_region *region)
{
	const struct ivshm_swap *swap;

	list_for_each_entry(swap, &ivshm_swaps, list)
		if (swap->pool == region)
			return true;
	return false;
}

/* Of a region that is going: its slots may have whatever they have. */
static void swap_drop(struct ivshm_swap *swap)
{
	unsigned long i;

	for (i = 0; i < swap->nr; i++) {
		put_page(swap->own[i]);
		cond_resched();
	}
	swap_end(swap);
}

void ivshm_swaps_end(struct ivshm_region *region)
{
	struct ivshm_swap *swap, *next;

	lockdep_assert_held(&ivshm_swap_mutex);

	list_for_each_entry_safe(swap, next, &ivshm_swaps, list) {
		if (swap->to == region)
			swap_drop(swap);
		else if (swap->pool == region)
			swap_back_anyway(swap);
	}
}
