/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Device IOTLB: how a guest behind a vIOMMU names memory.
 *
 *   IOVA (rings, descriptors) --[table, told by the VMM]--> VMM address --> mirror
 *
 * The VMM fills the table by messages (VHOST_IOTLB_UPDATE, _INVALIDATE) and is
 * asked for what a look-up did not find (VHOST_IOTLB_MISS).  This is the table
 * and the queue of questions; guest_mem_iotlb.c looks up in it, port_iotlb.c is
 * the file's read(), write() and poll().
 */
#ifndef _IVSHM_IOTLB_H
#define _IVSHM_IOTLB_H

#include <linux/interval_tree.h>
#include <linux/list.h>
#include <linux/rbtree.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/wait.h>

/* Entries of a table, vhost's default; when it is full the oldest goes. */
#define IVSHM_IOTLB_MAX		2048
/* Misses that nobody has read yet.  What finds no room is asked for when there is. */
#define IVSHM_IOTLB_MISSES	128

/**
 * struct ivshm_iotlb_map - an entry
 * @node:	first and last IOVA
 * @list:	in &struct ivshm_iotlb.maps or .free
 * @uaddr:	VMM address of the first IOVA
 * @perm:	VHOST_ACCESS_*
 */
struct ivshm_iotlb_map {
	struct interval_tree_node node;
	struct list_head list;
	u64 uaddr;
	u8 perm;
};

struct ivshm_iotlb_miss {
	u64 iova;
	u8 perm;
};

/**
 * struct ivshm_iotlb - a table and the misses in it
 * @pool:	memory of the entries; NULL while there is no table
 * @root:	entries by IOVA.  Look-ups and changes are the caller's to keep
 *		apart; by the mirror's lock
 * @maps:	the same, oldest first
 * @free:	the rest of @pool
 * @lock:	innermost, protects what follows
 * @noted:	misses came since ivshm_iotlb_tell(); read without the lock
 * @lost:	one found no room
 * @first, @nr:	those in @miss, a circular buffer; @nr is read without the lock
 * @wait:	those who read or poll
 */
struct ivshm_iotlb {
	struct ivshm_iotlb_map *pool;
	struct rb_root_cached root;
	struct list_head maps;
	struct list_head free;

	spinlock_t lock;		/* misses */
	bool noted;
	bool lost;
	u32 first;
	u32 nr;
	struct ivshm_iotlb_miss miss[IVSHM_IOTLB_MISSES];
	wait_queue_head_t wait;
};

/* No table, no misses. */
void ivshm_iotlb_init(struct ivshm_iotlb *tlb);

/* Memory for a table; may sleep, NULL without memory. Freed by kvfree(). */
struct ivshm_iotlb_map *ivshm_iotlb_pool_alloc(void);
/*
 * Have an empty table in @pool, or none if that is NULL.  Returns the pool that
 * was there, for the caller to free.
 */
struct ivshm_iotlb_map *ivshm_iotlb_reset(struct ivshm_iotlb *tlb,
					  struct ivshm_iotlb_map *pool);

/**
 * ivshm_iotlb_update - add an entry
 * @tlb:   with a table
 * @first: first IOVA
 * @last:  last IOVA, not below @first
 * @uaddr: VMM address of @first
 * @perm:  VHOST_ACCESS_*
 *
 * Entries may overlap, and then the one that begins first, or else the oldest,
 * counts: as with vhost, a range is invalidated before it changes.  The same entry
 * once more only makes it the youngest.
 */
void ivshm_iotlb_update(struct ivshm_iotlb *tlb, u64 first, u64 last, u64 uaddr,
			u8 perm);
/* Take away all entries that have IOVAs from @first to @last. */
void ivshm_iotlb_invalidate(struct ivshm_iotlb *tlb, u64 first, u64 last);
/* The entry that counts for @iova, or NULL. */
const struct ivshm_iotlb_map *ivshm_iotlb_find(struct ivshm_iotlb *tlb, u64 iova);

/* Ask for @iova; @perm is VHOST_ACCESS_RO or _WO. Does not sleep, nor wake. */
void ivshm_iotlb_note(struct ivshm_iotlb *tlb, u64 iova, u8 perm);
/* Wake those who read if there is anything new.  In no read section. */
void ivshm_iotlb_tell(struct ivshm_iotlb *tlb);
/*
 * The next miss. False if there is none.  @again: set if there is room now for those that
 * found none, whose queues are to look again.
 */
bool ivshm_iotlb_take(struct ivshm_iotlb *tlb, struct ivshm_iotlb_miss *miss, bool *again);
/* Whether half of the room is taken, and nobody is to ask ahead of need. */
static inline bool ivshm_iotlb_crowded(const struct ivshm_iotlb *tlb)
{
	return READ_ONCE(tlb->nr) >= IVSHM_IOTLB_MISSES / 2;
}

/* Forget all misses. */
void ivshm_iotlb_forget(struct ivshm_iotlb *tlb);

#endif /* _IVSHM_IOTLB_H */
