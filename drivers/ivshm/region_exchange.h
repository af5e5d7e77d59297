/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Regions: who uses ranges of them, and pages that change their slots.
 *
 * - A claim says what a range is used for.  Before anything happens to a range it
 *   is claimed; claims that do not go together exclude each other.
 * - To change pages, slots are held: a fault finds no page, comes back, and
 *   nothing is mapped any more.  References from before may still be there.
 * - A page moves only when it can be frozen with the slot's as its only reference:
 *   then neither a mapping, nor a pin, nor a stale translation of any processor
 *   is left, since all of these have references, or gave theirs back only after
 *   their translations were flushed.  Secondary page tables, which have none, were
 *   told by their notifiers when the slot was held.
 */
#ifndef _IVSHM_REGION_EXCHANGE_H
#define _IVSHM_REGION_EXCHANGE_H

#include <linux/rbtree.h>
#include <linux/types.h>

struct ivshm_region;
struct page;

enum ivshm_claim_kind {
	IVSHM_CLAIM_DMA,	/* under a program's private memory, or a dma-buf */
	IVSHM_CLAIM_LANDING,	/* a slot for messages, posted or written to */
	IVSHM_CLAIM_LENDING,	/* pages are lent out */
	IVSHM_CLAIM_BORROWED,	/* a slot for messages, with another's pages */
	IVSHM_CLAIM_MOVING,	/* pages are changing their slots */
	IVSHM_CLAIM_RINGS,	/* rings of a message queue */
	IVSHM_CLAIM_SWAPPED,	/* another region's pages are in place */
	IVSHM_CLAIM_POOL,	/* pages are in place in other regions, too */
	IVSHM_CLAIM_FILLING,	/* likewise, and are being written to for that */

	IVSHM_CLAIM_KINDS,
};

/**
 * struct ivshm_claim - a range of a region that is in use
 * @rb:		in the region's claims
 * @first:	offset in units of PAGE_SIZE
 * @last:	likewise, of the last page
 * @subtree_last: the tree's
 * @kind:	what for
 */
struct ivshm_claim {
	struct rb_node rb;
	unsigned long first;
	unsigned long last;
	unsigned long subtree_last;
	enum ivshm_claim_kind kind;
};

/**
 * ivshm_region_claim() - claim a range
 * @region:	the region
 * @claim:	the claim, in use until ivshm_region_unclaim()
 * @kind:	what for
 * @pgoff:	where the range begins, in units of PAGE_SIZE
 * @nr:		its length, likewise; 1 at least
 *
 * Does not sleep.
 *
 * Return: 0, or -EBUSY if it does not go together with another's claim.
 */
int ivshm_region_claim(struct ivshm_region *region, struct ivshm_claim *claim,
		       enum ivshm_claim_kind kind, unsigned long pgoff,
		       unsigned long nr);
/* For something else from now on. 0, or -EBUSY. Does not sleep. */
int ivshm_region_reclaim(struct ivshm_region *region, struct ivshm_claim *claim,
			 enum ivshm_claim_kind kind);
void ivshm_region_unclaim(struct ivshm_region *region, struct ivshm_claim *claim);
/*
 * What a range is claimed for that keeps it from being claimed for @kind, or
 * IVSHM_CLAIM_KINDS.  Does not sleep.
 */
enum ivshm_claim_kind ivshm_region_claimed(struct ivshm_region *region,
					   enum ivshm_claim_kind kind,
					   unsigned long pgoff, unsigned long nr);

/**
 * ivshm_region_move() - hand pages over
 * @from:	region that has them, and gets the pages of @to, zeroed
 * @at:		slot of the first
 * @to:		region that gets them
 * @to_at:	slot of the first there
 * @nr:		number of slots
 * @patience:	milliseconds to wait for references that are about to go
 * @closing:	becomes true when nobody wants them any more
 *
 * Both ranges are claimed for this, and both regions have users.  If it fails
 * nothing has changed, or no more than that some pages of @to were zeroed.  Sleeps; a
 * fault into either range waits meanwhile.
 *
 * Return: 0, -EBUSY (someone has a reference to a page), -EHWPOISON, -ENODEV (a
 * region was deleted, or @closing), or -EINTR (the caller is to die).
 */
int ivshm_region_move(struct ivshm_region *from, unsigned long at,
		      struct ivshm_region *to, unsigned long to_at,
		      unsigned long nr, unsigned int patience, const bool *closing);

/**
 * ivshm_region_lend() - show pages in another region, too
 * @from:	region that has them
 * @at:		slot of the first
 * @to:		region that shows them
 * @to_at:	slot of the first there
 * @nr:		number of slots
 * @kept:	@nr entries: gets the pages of @to, which are the caller's to keep
 *
 * As ivshm_region_move(), but @from keeps its pages, and others may have
 * references to them and to those of @to.
 */
int ivshm_region_lend(struct ivshm_region *from, unsigned long at,
		      struct ivshm_region *to, unsigned long to_at,
		      unsigned long nr, struct page **kept);
/* Put back what ivshm_region_lend() took. @kept is empty then. Sleeps. */
void ivshm_region_give_back(struct ivshm_region *to, unsigned long to_at,
			    unsigned long nr, struct page **kept);

/**
 * ivshm_region_put_in() - pages of another region in place of a range's own
 * @from:	region that has them
 * @at:		slot of the first
 * @to:		region that gets them, too
 * @to_at:	slot of the first there
 * @nr:		number of slots
 * @keep:	what is in them stays; otherwise they get what is in the range
 * @own:	@nr entries: gets the pages of @to, which are the caller's to keep
 * @patience:	milliseconds to wait for references that are about to go
 *
 * Who has mapped the range loses no write.  Both ranges are claimed for this; neither
 * region needs to have users.  If it fails the slots are as they were.  Sleeps; a
 * fault into @to waits meanwhile.
 *
 * Return: 0, -EBUSY (someone has a reference to a page of @to), -EHWPOISON, -ENODEV (a
 * region was deleted), or -EINTR (the caller is to die).
 */
int ivshm_region_put_in(struct ivshm_region *from, unsigned long at,
			struct ivshm_region *to, unsigned long to_at,
			unsigned long nr, bool keep, struct page **own,
			unsigned int patience);

/**
 * struct ivshm_slots - slots of a region
 * @region:	the region
 * @at:		the first slot
 * @nr:		how many
 * @skip:	which of the pages in question is in the first of them
 */
struct ivshm_slots {
	struct ivshm_region *region;
	unsigned long at;
	unsigned long nr;
	unsigned long skip;
};

/**
 * ivshm_region_take_out() - put back what ivshm_region_put_in() took
 * @to:		region that gets its own pages again
 * @at:		slot of the first
 * @nr:		number of slots
 * @own:	its own pages, which get what is in those in place; empty then
 * @all:	slots that have the pages in place: those of @to, of the region that
 *		they are from, and of others where they are in place
 * @nr_all:	number of entries of @all
 * @patience:	as for ivshm_region_put_in()
 *
 * Nobody who has mapped the pages anywhere loses a write, and what @to gets is what was
 * there at one moment.  Sleeps; faults into all of these slots wait meanwhile.
 *
 * Return: as ivshm_region_put_in(); -EBUSY is for a page in place.
 */
int ivshm_region_take_out(struct ivshm_region *to, unsigned long at, unsigned long nr,
			  struct page **own, const struct ivshm_slots *all,
			  unsigned int nr_all, unsigned int patience);
/*
 * Likewise, whoever has references: what they write later, for I/O that was begun
 * before, does not come to @to.  A page that is poisoned stays in place.
 */
void ivshm_region_take_out_anyway(struct ivshm_region *to, unsigned long at,
				  unsigned long nr, struct page **own);

/**
 * ivshm_region_copy() - copy bytes
 * @from:	region to copy from
 * @offset:	where, in bytes
 * @to:		region to copy to, another one
 * @to_offset:	where, in bytes
 * @len:	how many
 * @closing:	becomes true when nobody wants the rest any more
 *
 * Both ranges are within their regions.  Sleeps.  If it fails some may have been
 * copied.
 *
 * Return: 0, -EBUSY (pages are being moved away), -EHWPOISON, -ENODEV (also if
 * @closing) or -EINTR.
 */
int ivshm_region_copy(const struct ivshm_region *from, u64 offset,
		      const struct ivshm_region *to, u64 to_offset, u64 len,
		      const bool *closing);

#endif /* _IVSHM_REGION_EXCHANGE_H */
