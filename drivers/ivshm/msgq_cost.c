// SPDX-License-Identifier: GPL-2.0
/*
 * Message queues: what copying, moving and sharing take on this host.
 *
 * A copy takes its time for each byte.  A move clears a page for each that it
 * takes, and then both sides fault on a new one.  To share nothing is cleared, and
 * only the receiver faults.  All of these are measured as the module is loaded, the
 * faults in the memory of whoever loads it.
 */
#include <linux/ktime.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>

#include "msgq.h"

static unsigned int msgq_move_min;
module_param(msgq_move_min, uint, 0644);
MODULE_PARM_DESC(msgq_move_min, "Bytes from which on messages sent in any way have their pages moved (0: as it takes less time here)");
static unsigned int msgq_share_min;
module_param(msgq_share_min, uint, 0644);
MODULE_PARM_DESC(msgq_share_min, "Bytes from which on such messages have their pages shared, if their senders allow it (likewise)");

/* More than any cache of one processor has, and few enough to be quick. */
#define COST_BYTES	(4UL << 20)
#define COST_FAULTS	64UL
#define COST_ROUNDS	3

/* Nanoseconds: of 4 MiB, of 4 MiB, of a fault and of taking its page away. */
static u64 cost_copy = 1000000;
static u64 cost_clear = 500000;
static u64 cost_fault = 1000;

enum ivshm_msgq_how ivshm_msgq_cost_choose(u64 len, u64 unit, bool may_share)
{
	unsigned int share_min = READ_ONCE(msgq_share_min);
	unsigned int move_min = READ_ONCE(msgq_move_min);
	u64 copy, move, share, pages = len >> PAGE_SHIFT;

	/* Without huge pages a large one is mapped by small ones. */
	if (!IS_ENABLED(CONFIG_TRANSPARENT_HUGEPAGE))
		unit = PAGE_SIZE;
	/* In parts of a page, or it would be too much for 64 bits. */
	copy = pages * cost_copy / (COST_BYTES >> PAGE_SHIFT);
	share = len / unit * cost_fault;
	move = pages * cost_clear / (COST_BYTES >> PAGE_SHIFT) + 2 * share;
	/* What is worth to be moved takes less yet if it is shared. */
	if (may_share && (share_min ? len >= share_min : share < copy))
		return IVSHM_MSGQ_SHARE;
	if (move_min ? len >= move_min : move < copy)
		return IVSHM_MSGQ_MOVE;
	return IVSHM_MSGQ_COPY;
}

/*
 * By page, as messages are copied, and pages cleared: what clears a page need not be
 * as fast as memset().  The best of some rounds: in the others something else came in
 * between.
 */
static u64 cost_of_bytes(char *to, const char *from)
{
	u64 begin, best = U64_MAX;
	unsigned long at;
	int i;

	for (i = 0; i < COST_ROUNDS; i++) {
		begin = ktime_get_ns();
		for (at = 0; at < COST_BYTES; at += PAGE_SIZE) {
			if (from)
				memcpy(to + at, from + at, PAGE_SIZE);
			else
				clear_page(to + at);
		}
		best = min(best, ktime_get_ns() - begin);
		cond_resched();
	}
	return best;
}

static u64 cost_of_faults(void)
{
	unsigned long addr, i, len = COST_FAULTS * PAGE_SIZE;
	u64 begin, best = U64_MAX;
	int round;

	for (round = 0; round < COST_ROUNDS; round++) {
		addr = vm_mmap(NULL, 0, len, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, 0);
		if (IS_ERR_VALUE(addr))
			return 0;
		begin = ktime_get_ns();
		for (i = 0; i < COST_FAULTS; i++)
			if (put_user(1, (char __user *)(addr + i * PAGE_SIZE)))
				break;
		vm_munmap(addr, len);
		best = min(best, ktime_get_ns() - begin);
		if (i < COST_FAULTS)
			return 0;
	}
	return best / COST_FAULTS;
}

void ivshm_msgq_cost_init(void)
{
	char *one, *two;
	u64 fault;

	one = vmalloc(COST_BYTES);
	two = vmalloc(COST_BYTES);
	if (one && two) {
		/* Once, for the caches' and the pages' sake. */
		memset(one, 1, COST_BYTES);
		cost_copy = cost_of_bytes(two, one);
		cost_clear = cost_of_bytes(two, NULL);
	}
	vfree(one);
	vfree(two);
	fault = current->mm ? cost_of_faults() : 0;
	/* The page itself, which was cleared, does not count here. */
	if (fault)
		cost_fault = fault - min(fault, cost_clear / (COST_BYTES >> PAGE_SHIFT));
}
