// SPDX-License-Identifier: GPL-2.0
/* Device IOTLB: the table and the misses; see iotlb.h. */
#include <linux/mm.h>
#include <linux/poll.h>
#include <linux/slab.h>

#include "iotlb.h"

void ivshm_iotlb_init(struct ivshm_iotlb *tlb)
{
	tlb->pool = NULL;
	tlb->root = RB_ROOT_CACHED;
	INIT_LIST_HEAD(&tlb->maps);
	INIT_LIST_HEAD(&tlb->free);
	spin_lock_init(&tlb->lock);
	tlb->noted = false;
	tlb->lost = false;
	tlb->first = 0;
	tlb->nr = 0;
	init_waitqueue_head(&tlb->wait);
}

struct ivshm_iotlb_map *ivshm_iotlb_pool_alloc(void)
{
	return kvcalloc(IVSHM_IOTLB_MAX, sizeof(struct ivshm_iotlb_map), GFP_KERNEL_ACCOUNT);
}

struct ivshm_iotlb_map *ivshm_iotlb_reset(struct ivshm_iotlb *tlb,
					  struct ivshm_iotlb_map *pool)
{
	struct ivshm_iotlb_map *old = tlb->pool;
	u32 i;

	tlb->pool = pool;
	tlb->root = RB_ROOT_CACHED;
	INIT_LIST_HEAD(&tlb->maps);
	INIT_LIST_HEAD(&tlb->free);
	for (i = 0; pool && i < IVSHM_IOTLB_MAX; i++)
		list_add_tail(&pool[i].list, &tlb->free);
	return old;
}

static void ivshm_iotlb_remove(struct ivshm_iotlb *tlb, struct ivshm_iotlb_map *map)
{
	interval_tree_remove(&map->node, &tlb->root);
	list_move(&map->list, &tlb->free);
}

/* The same entry again: two misses of one range may have been answered. */
static bool ivshm_iotlb_again(struct ivshm_iotlb *tlb, u64 first, u64 last, u64 uaddr, u8 perm)
{
	struct interval_tree_node *node = interval_tree_iter_first(&tlb->root, first, first);
	struct ivshm_iotlb_map *map;

	for (; node; node = interval_tree_iter_next(node, first, first)) {
		map = container_of(node, struct ivshm_iotlb_map, node);
		if (node->start == first && node->last == last && map->uaddr == uaddr &&
		    map->perm == perm) {
			list_move_tail(&map->list, &tlb->maps);
			return true;
		}
	}
	return false;
}

void ivshm_iotlb_update(struct ivshm_iotlb *tlb, u64 first, u64 last, u64 uaddr,
			u8 perm)
{
	struct ivshm_iotlb_map *map;

	if (ivshm_iotlb_again(tlb, first, last, uaddr, perm))
		return;
	if (list_empty(&tlb->free))
		ivshm_iotlb_remove(tlb, list_first_entry(&tlb->maps, struct ivshm_iotlb_map,
							 list));
	map = list_first_entry(&tlb->free, struct ivshm_iotlb_map, list);
	map->node.start = first;
	map->node.last = last;
	map->uaddr = uaddr;
	map->perm = perm;
	interval_tree_insert(&map->node, &tlb->root);
	list_move_tail(&map->list, &tlb->maps);
}

void ivshm_iotlb_invalidate(struct ivshm_iotlb *tlb, u64 first, u64 last)
{
	struct interval_tree_node *node;

	while ((node = interval_tree_iter_first(&tlb->root, first, last)))
		ivshm_iotlb_remove(tlb, container_of(node, struct ivshm_iotlb_map, node));
}

const struct ivshm_iotlb_map *ivshm_iotlb_find(struct ivshm_iotlb *tlb, u64 iova)
{
	struct interval_tree_node *node = interval_tree_iter_first(&tlb->root, iova, iova);

	return node ? container_of(node, struct ivshm_iotlb_map, node) : NULL;
}

void ivshm_iotlb_note(struct ivshm_iotlb *tlb, u64 iova, u8 perm)
{
	struct ivshm_iotlb_miss *miss;
	u32 i;

	spin_lock(&tlb->lock);
	for (i = 0; i < tlb->nr; i++) {
		miss = &tlb->miss[(tlb->first + i) % IVSHM_IOTLB_MISSES];
		/* Translations are of pages, of those of the guest at least. */
		if (miss->iova >> PAGE_SHIFT == iova >> PAGE_SHIFT && miss->perm == perm)
			goto out;
	}
	if (tlb->nr == IVSHM_IOTLB_MISSES) {
		tlb->lost = true;
		goto out;
	}
	miss = &tlb->miss[(tlb->first + tlb->nr) % IVSHM_IOTLB_MISSES];
	miss->iova = iova;
	miss->perm = perm;
	WRITE_ONCE(tlb->nr, tlb->nr + 1);
	WRITE_ONCE(tlb->noted, true);
out:
	spin_unlock(&tlb->lock);
}

void ivshm_iotlb_tell(struct ivshm_iotlb *tlb)
{
	if (likely(!READ_ONCE(tlb->noted)))
		return;
	spin_lock(&tlb->lock);
	WRITE_ONCE(tlb->noted, false);
	spin_unlock(&tlb->lock);
	wake_up_interruptible_poll(&tlb->wait, EPOLLIN | EPOLLRDNORM);
}

bool ivshm_iotlb_take(struct ivshm_iotlb *tlb, struct ivshm_iotlb_miss *miss, bool *again)
{
	bool any;

	spin_lock(&tlb->lock);
	any = tlb->nr;
	if (any) {
		*miss = tlb->miss[tlb->first];
		tlb->first = (tlb->first + 1) % IVSHM_IOTLB_MISSES;
		WRITE_ONCE(tlb->nr, tlb->nr - 1);
	}
	/* Once all were read, and not with each of them. */
	*again = tlb->lost && !tlb->nr;
	if (*again)
		tlb->lost = false;
	spin_unlock(&tlb->lock);
	return any;
}

void ivshm_iotlb_forget(struct ivshm_iotlb *tlb)
{
	spin_lock(&tlb->lock);
	WRITE_ONCE(tlb->nr, 0);
	tlb->lost = false;
	spin_unlock(&tlb->lock);
}
