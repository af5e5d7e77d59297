// SPDX-License-Identifier: GPL-2.0
/* Regions: who uses which range of them. */
#include <linux/bits.h>
#include <linux/interval_tree_generic.h>
#include <linux/spinlock.h>

#include "region.h"
#include "region_exchange.h"

#define CLAIM_FIRST(claim)	((claim)->first)
#define CLAIM_LAST(claim)	((claim)->last)

INTERVAL_TREE_DEFINE(struct ivshm_claim, rb, unsigned long, subtree_last,
		     CLAIM_FIRST, CLAIM_LAST, static, claims)

#define ALL	GENMASK(IVSHM_CLAIM_KINDS - 1, 0)

/*
 * What does not go together.  Messages may be copied into memory that is under a
 * program's own; its pages stay.  Pages can be lent to many, and be in place in many
 * regions, but then nobody writes over them for one of these.
 */
static const unsigned long excludes[IVSHM_CLAIM_KINDS] = {
	[IVSHM_CLAIM_DMA]	= BIT(IVSHM_CLAIM_BORROWED) | BIT(IVSHM_CLAIM_MOVING) |
				  BIT(IVSHM_CLAIM_SWAPPED) | BIT(IVSHM_CLAIM_FILLING),
	[IVSHM_CLAIM_LANDING]	= ALL & ~BIT(IVSHM_CLAIM_DMA),
	[IVSHM_CLAIM_LENDING]	= ALL & ~BIT(IVSHM_CLAIM_DMA) & ~BIT(IVSHM_CLAIM_LENDING) &
				  ~BIT(IVSHM_CLAIM_POOL),
	[IVSHM_CLAIM_BORROWED]	= ALL,
	[IVSHM_CLAIM_MOVING]	= ALL,
	[IVSHM_CLAIM_RINGS]	= ALL & ~BIT(IVSHM_CLAIM_DMA),
	[IVSHM_CLAIM_SWAPPED]	= ALL,
	[IVSHM_CLAIM_POOL]	= ALL & ~BIT(IVSHM_CLAIM_DMA) & ~BIT(IVSHM_CLAIM_LENDING) &
				  ~BIT(IVSHM_CLAIM_POOL),
	[IVSHM_CLAIM_FILLING]	= ALL,
};

/* Another claim of the range that keeps @claim from being of that kind, or NULL. */
static const struct ivshm_claim *claim_excluded(struct ivshm_region *region,
						const struct ivshm_claim *claim,
						enum ivshm_claim_kind kind)
{
	struct ivshm_claim *other;

	lockdep_assert_held(&region->claims_lock);

	for (other = claims_iter_first(&region->claims, claim->first, claim->last);
	     other; other = claims_iter_next(other, claim->first, claim->last))
		if (other != claim && excludes[kind] & BIT(other->kind))
			return other;
	return NULL;
}

int ivshm_region_claim(struct ivshm_region *region, struct ivshm_claim *claim,
		       enum ivshm_claim_kind kind, unsigned long pgoff,
		       unsigned long nr)
{
	int err = -EBUSY;

	claim->first = pgoff;
	claim->last = pgoff + nr - 1;
	claim->kind = kind;
	spin_lock(&region->claims_lock);
	if (!claim_excluded(region, claim, kind)) {
		claims_insert(claim, &region->claims);
		err = 0;
	}
	spin_unlock(&region->claims_lock);
	return err;
}

int ivshm_region_reclaim(struct ivshm_region *region, struct ivshm_claim *claim,
			 enum ivshm_claim_kind kind)
{
	int err = -EBUSY;

	spin_lock(&region->claims_lock);
	if (!claim_excluded(region, claim, kind)) {
		claim->kind = kind;
		err = 0;
	}
	spin_unlock(&region->claims_lock);
	return err;
}

void ivshm_region_unclaim(struct ivshm_region *region, struct ivshm_claim *claim)
{
	spin_lock(&region->claims_lock);
	claims_remove(claim, &region->claims);
	spin_unlock(&region->claims_lock);
}

enum ivshm_claim_kind ivshm_region_claimed(struct ivshm_region *region,
					   enum ivshm_claim_kind kind,
					   unsigned long pgoff, unsigned long nr)
{
	const struct ivshm_claim claim = { .first = pgoff, .last = pgoff + nr - 1 };
	enum ivshm_claim_kind found = IVSHM_CLAIM_KINDS;
	const struct ivshm_claim *other;

	spin_lock(&region->claims_lock);
	other = claim_excluded(region, &claim, kind);
	if (other)
		found = other->kind;
	spin_unlock(&region->claims_lock);
	return found;
}
