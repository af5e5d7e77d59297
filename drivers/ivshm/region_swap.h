/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Regions: ranges that have pages of another region in place of their own.
 *
 *   region R, the memory of a VM        region P, the pool
 *     slots ... [ p0 | p1 ] ...           slots [ p0 | p1 ] ...
 *                   swap: claims of both ranges, and R's own pages meanwhile
 *
 * - The administrator makes and ends a swap (nl_swap.c), while R's VM runs.  Several
 *   regions may have the same pages of a pool in place: their VMs share them.
 * - A slot that has a page of the pool owns a reference to it, as the pool's own slot
 *   does.  R's own pages are the swap's.
 * - When the pool is deleted R gets its own pages again; when R is, they go with it.
 */
#ifndef _IVSHM_REGION_SWAP_H
#define _IVSHM_REGION_SWAP_H

#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/types.h>

#include "region_exchange.h"

struct ivshm_region;
struct netlink_ext_ack;
struct nlattr;
struct page;

/**
 * struct ivshm_swap - a range that has pages of another region
 * @list:	in ivshm_swaps
 * @to:		region that has them in place
 * @pool:	region that they are from
 * @at:		first slot of @to
 * @pool_at:	first slot of @pool
 * @nr:		number of slots
 * @claim:	of the range of @to
 * @pool_claim:	of the range of @pool
 * @own:	@nr pages of @to, each with the reference that its slot had
 */
struct ivshm_swap {
	struct list_head list;
	struct ivshm_region *to;
	struct ivshm_region *pool;
	unsigned long at;
	unsigned long pool_at;
	unsigned long nr;
	struct ivshm_claim claim;
	struct ivshm_claim pool_claim;
	struct page **own;
};

/**
 * struct ivshm_swap_config - what an administrator asks for
 * @region:	name of the region whose range it is
 * @offset:	where the range begins, in bytes
 * @pool:	name of the region whose pages come there
 * @pool_offset: where these begin, in bytes
 * @size:	of the range, in bytes
 * @keep_pool:	what is in the pool's pages stays, not what is in the range
 * @force:	end it although someone has references to the pages
 * @attr:	by enum ivshm_attr_swap: where values came from, to be named in a
 *		refusal; or NULL
 */
struct ivshm_swap_config {
	const char *region;
	u64 offset;
	const char *pool;
	u64 pool_offset;
	u64 size;
	bool keep_pool;
	bool force;
	struct nlattr **attr;
};

/* Making and ending swaps, and deleting regions. Around ivshm_region_mutex. */
extern struct mutex ivshm_swap_mutex;
/* All swaps, the oldest first; written under both mutexes, read under either. */
extern struct list_head ivshm_swaps;

/**
 * ivshm_swap_new() - put pages of a pool in place of a range
 * @cfg:	what is asked for
 * @extack:	gets the reason of a refusal, or NULL
 *
 * Whoever has mapped the range loses no write.  Sleeps; takes ivshm_swap_mutex and
 * ivshm_region_mutex.
 *
 * Return: 0, or an error as IVSHM_CMD_SWAP_NEW has them.
 */
int ivshm_swap_new(const struct ivshm_swap_config *cfg, struct netlink_ext_ack *extack);

/**
 * ivshm_swap_del() - give a range its own pages again
 * @cfg:	@region, @offset, @force
 * @extack:	gets the reason of a refusal, or NULL
 *
 * With what is in those in place at that moment.  Sleeps; takes ivshm_swap_mutex and
 * ivshm_region_mutex.
 *
 * Return: 0, or an error as IVSHM_CMD_SWAP_DEL has them.
 */
int ivshm_swap_del(const struct ivshm_swap_config *cfg, struct netlink_ext_ack *extack);

/* Whether pages of @region are in place in others. Under either mutex. */
bool ivshm_swap_is_pool(const struct ivshm_region *region);
/*
 * End all swaps of @region, which is being deleted and still has all its pages.  Sleeps;
 * under ivshm_swap_mutex, takes ivshm_region_mutex.
 */
void ivshm_swaps_end(struct ivshm_region *region);

#endif /* _IVSHM_REGION_SWAP_H */
