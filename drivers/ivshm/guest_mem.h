/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Guest memory: a mirror of a VMM's page tables, not a pin.
 *
 * The memory table (VHOST_SET_MEM_TABLE) says which guest-physical range is
 * which range of the VMM's address space.  The mirror says which host page is
 * behind each VMM address.  It is filled on demand by the owner's worker and
 * emptied by MMU notifiers, chunk by chunk (2 MiB of address space each, with
 * an interval notifier of its own).
 *
 * Rules:
 * - Look-up and copy happen inside a read section, which never sleeps.  What
 *   a look-up returned is valid until the section ends.
 * - The invalidate callback is the write side.  It takes the lock for
 *   writing, clears entries and returns: it never sleeps and always succeeds.
 * - Inside a read section nothing is allocated, faulted, waited for or
 *   signalled.  A look-up that finds nothing notes the page as missing; the
 *   owner's worker brings it in later with ivshm_gmem_fault().
 */
#ifndef _IVSHM_GUEST_MEM_H
#define _IVSHM_GUEST_MEM_H

#include <linux/bits.h>
#include <linux/mm.h>
#include <linux/sizes.h>
#include <linux/types.h>
#include <linux/uio.h>
#include <linux/vhost_types.h>
#include <linux/percpu.h>

struct mm_struct;
struct ivshm_gmem;
struct ivshm_iotlb;
struct ivshm_stats;

/* As many regions as vhost-net accepts. */
#define IVSHM_GMEM_MAX_REGIONS	509

/*
 * Most bytes of one look-up or copy, so that a guest's descriptor of 4 GiB
 * does not keep the write side waiting.
 */
#define IVSHM_GMEM_MAX_MAP	SZ_1M

/**
 * ivshm_gmem_create - a mirror of @mm without any region
 * @mm:    the VMM's address space; mmgrab()bed for the life of the mirror
 * @stats: where misses, faults and invalidations are counted, or NULL
 *
 * May sleep. Returns the mirror or ERR_PTR(-ENOMEM).
 */
struct ivshm_gmem *ivshm_gmem_create(struct mm_struct *mm,
				     struct ivshm_stats __percpu *stats);
/*
 * Count elsewhere from now on; @stats as above.  When it returns nobody counts
 * in the old place any more, which may be freed then.  Not in a read section.
 */
void ivshm_gmem_set_stats(struct ivshm_gmem *gm, struct ivshm_stats __percpu *stats);
/*
 * Nobody may use the mirror any more: no read section, no worker in
 * ivshm_gmem_fault() or ivshm_gmem_user_copy().  May sleep.  NULL is fine.
 */
void ivshm_gmem_destroy(struct ivshm_gmem *gm);

/**
 * ivshm_gmem_set_table - replace the memory table and empty the mirror
 * @gm:      the mirror
 * @regions: copied; may be in any order
 * @n:       number of regions, 0 for none
 *
 * When it returns, no look-up gives memory of the old table, and pages of the
 * old table are not reachable through the mirror.  A worker waiting in
 * ivshm_gmem_fault() is not waited for and does no harm; one that may be in
 * ivshm_gmem_user_copy() has to be stopped first.
 *
 * May sleep. Returns 0; -E2BIG for more than IVSHM_GMEM_MAX_REGIONS; -EFAULT,
 * as vhost-net, for a region of size 0, one that wraps around or one that
 * leaves the user address space; -EINVAL if flags are set or guest-physical
 * ranges overlap; -ENOMEM.  On error nothing has changed.
 */
int ivshm_gmem_set_table(struct ivshm_gmem *gm,
			 const struct vhost_memory_region *regions, u32 n);

/*
 * Dirty log for live migration: one bit per 4 KiB guest page from guest
 * address 0 on, in @size bytes of the VMM's memory at @log; what lies beyond
 * the end of the log is not logged.  @log and @size 0: no log.  @enable: data
 * are to be logged, see ivshm_gmem_logged().  Waits for read sections under
 * way and so takes effect between two of them, with another generation: when
 * it returns nobody writes to the old log any more, and every write from then
 * on is in the new one.  Does not sleep.
 *
 * Returns 0, or -EFAULT if the log leaves the user address space.
 */
int ivshm_gmem_set_log(struct ivshm_gmem *gm, u64 log, u64 size, bool enable);

/*
 * From now on guest addresses are IOVAs, and @tlb, which has a table, says what they
 * are; with NULL they are guest-physical.  Takes effect between two read sections,
 * with another generation.  The table is to be changed under
 * ivshm_gmem_write_lock().  Does not sleep.
 */
void ivshm_gmem_set_iotlb(struct ivshm_gmem *gm, struct ivshm_iotlb *tlb);
/* Whether there is one. Read section, or nobody changes it. */
bool ivshm_gmem_translated(const struct ivshm_gmem *gm);
/*
 * The VMM's address of @len bytes of a ring at @addr, within a page; the same one
 * without a table.  Returns 0; -EINPROGRESS with the translation asked for; -EFAULT
 * if the table does not let it be reached or puts it where no ring can be.  Read
 * section only.
 */
int ivshm_gmem_ring_hva(struct ivshm_gmem *gm, u64 addr, u32 len, bool write, u64 *hva);

/*
 * Read section on one mirror.  It makes page table changes of the whole VMM
 * wait: do a bounded batch (by bytes), then leave.
 */
void ivshm_gmem_read_lock(struct ivshm_gmem *gm);
void ivshm_gmem_read_unlock(struct ivshm_gmem *gm);
/* On two mirrors, in whatever order they are named; the same one is taken once. */
void ivshm_gmem_read_lock2(struct ivshm_gmem *a, struct ivshm_gmem *b);
void ivshm_gmem_read_unlock2(struct ivshm_gmem *a, struct ivshm_gmem *b);

/*
 * Between the two there is no read section on this mirror, and those that come
 * after see another generation.  For what readers look at and what may not
 * change in the middle of a read section.  Does not sleep, nor may the caller.
 */
void ivshm_gmem_write_lock(struct ivshm_gmem *gm);
void ivshm_gmem_write_unlock(struct ivshm_gmem *gm);

/*
 * Changes whenever an entry that was valid went away or the log became another.
 * Read section only.
 */
u64 ivshm_gmem_generation(const struct ivshm_gmem *gm);

/*
 * Host address of the page that holds VMM address @hva, or NULL with the page
 * noted as missing.  Any VMM address may be asked for, with or without a
 * region of the table around it: rings and the log need not be guest memory.
 * With @write the page is writable and has been marked dirty, which holds for
 * later sections too while the generation stays the same.  Read section only.
 *
 * NULL is also what addresses without memory give, for ever: after a fault
 * that did not help ask ivshm_gmem_check().
 */
void *ivshm_gmem_page(struct ivshm_gmem *gm, u64 hva, bool write);

/*
 * Whether a range of VMM addresses is in the mirror: 0; -EAGAIN if pages are
 * missing (all of them were noted); -EFAULT if there is no such memory;
 * -EOPNOTSUPP if it cannot be mirrored; -E2BIG above IVSHM_GMEM_MAX_MAP.
 * Read section only.
 */
int ivshm_gmem_check(struct ivshm_gmem *gm, u64 hva, u32 len, bool write);

/**
 * ivshm_gmem_map - host addresses of a guest-physical range
 * @gm:    the mirror, in a read section
 * @gpa:   guest-physical address, or IOVA, see ivshm_gmem_set_iotlb(); here and below
 * @len:   bytes, more than 0; the range may span pages and regions
 * @write: the pages will be written: they are marked dirty; when data are to be
 *         logged the log's pages are there too, so that ivshm_gmem_log(), to be
 *         called after writing and in the same section, cannot fail
 * @vec:   filled in with kernel addresses; neighbours in the direct map are
 *         merged into one
 * @max:   room in @vec
 *
 * Returns the number of entries used; -EINPROGRESS if translations are missing and
 * -EAGAIN if pages are (as many of them as there is room for were noted); -EFAULT if
 * the table has no such range, does not permit it, or there is no such memory behind
 * it; -ENOSPC if @max is too small;
 * -E2BIG above IVSHM_GMEM_MAX_MAP; -EOPNOTSUPP if part of it cannot be mirrored
 * (see ivshm_gmem_user_copy()).  After an error @vec is undefined.
 */
int ivshm_gmem_map(struct ivshm_gmem *gm, u64 gpa, u32 len, bool write,
		   struct kvec *vec, u32 max);

/* What is known of a page: its host address and flags below PAGE_SIZE. */
#define IVSHM_GMEM_VALID	BIT(0)
#define IVSHM_GMEM_WRITE	BIT(1)
/* No host page can be had here, but user access works. No address. */
#define IVSHM_GMEM_UNMIRRORABLE	BIT(2)
/* The folio is marked dirty, and stays so while the page is in the mirror. */
#define IVSHM_GMEM_DIRTY	BIT(3)

/* A range within two pages at most: @len bytes at @addr, the rest at @next. */
struct ivshm_gmem_span {
	void *addr;
	void *next;
	u32 len;
};

/*
 * Look up @len bytes at @gpa in the mirror: false, with nothing noted, if they
 * are not in it or not within two pages.  What is found is as good as what
 * ivshm_gmem_map() gives, but for the log, and in later sections too while the
 * generation stays the same.  Read section only.
 */
bool ivshm_gmem_peek(struct ivshm_gmem *gm, u64 gpa, u32 len, bool write,
		     struct ivshm_gmem_span *span);

/*
 * Where ivshm_gmem_peek_near() looked last: @size bytes from guest address @gpa
 * on, up to the end of a page, are described by entries from byte @pos of @entry
 * on.  To begin with, all 0; good for one read section.
 */
struct ivshm_gmem_window {
	u64 gpa;
	u64 size;
	u64 pos;
	unsigned long *entry;
};

bool ivshm_gmem_peek_far(struct ivshm_gmem *gm, struct ivshm_gmem_window *win, u64 gpa,
			 u32 len, bool write, struct ivshm_gmem_span *span);

/* As ivshm_gmem_peek(), for several ranges, more than 0 bytes each, one after the other. */
static __always_inline bool
ivshm_gmem_peek_near(struct ivshm_gmem *gm, struct ivshm_gmem_window *win, u64 gpa, u32 len,
		     bool write, struct ivshm_gmem_span *span)
{
	unsigned long need = write ? IVSHM_GMEM_WRITE | IVSHM_GMEM_DIRTY : IVSHM_GMEM_VALID;
	u64 off = gpa - win->gpa, pos = win->pos + off;
	unsigned long entry;

	if (unlikely(off >= win->size || offset_in_page(pos) + len > PAGE_SIZE))
		return ivshm_gmem_peek_far(gm, win, gpa, len, write, span);
	entry = READ_ONCE(win->entry[pos >> PAGE_SHIFT]);
	if (unlikely((entry & need) != need))
		return ivshm_gmem_peek_far(gm, win, gpa, len, write, span);
	span->addr = (void *)(entry & PAGE_MASK) + offset_in_page(pos);
	span->len = len;
	return true;
}

/* Copy out of guest memory: 0 or what ivshm_gmem_map() says. Read section only. */
int ivshm_gmem_read(struct ivshm_gmem *gm, u64 gpa, void *buf, u32 len);

/* Guest-physical address of VMM address @hva, U64_MAX for none. Read section only. */
u64 ivshm_gmem_gpa(const struct ivshm_gmem *gm, u64 hva);

/*
 * Whether data are to be logged: what is written through ivshm_gmem_map(), and
 * by ivshm_gmem_user_copy(), which does so itself.  Used rings have switches of
 * their own.  Read section only.
 */
bool ivshm_gmem_logged(const struct ivshm_gmem *gm);
/*
 * Make sure that a write of @len bytes at guest address @gpa can be logged: 0,
 * also if there is no log; -EAGAIN if the log's pages are missing (and noted);
 * -EFAULT or -EOPNOTSUPP if the log cannot be reached at all.  What was there
 * stays while the generation is the same.  -EINPROGRESS as ivshm_gmem_map().  Read
 * section only.
 */
int ivshm_gmem_log_prepare(struct ivshm_gmem *gm, u64 gpa, u64 len);
/*
 * Log a write that has been made, after ivshm_gmem_map() or
 * ivshm_gmem_log_prepare() said yes in the same generation.  Read section only.
 */
void ivshm_gmem_log(struct ivshm_gmem *gm, u64 gpa, u64 len);
/*
 * The two for a write that was made by user access.  The owner's worker, or a
 * thread of the VMM; may sleep.  Returns 0, -EFAULT, -EOPNOTSUPP, -EINTR, -ESRCH or
 * -EINPROGRESS.
 */
int ivshm_gmem_log_wait(struct ivshm_gmem *gm, u64 gpa, u64 len);

/**
 * ivshm_gmem_want - note pages as missing without needing them now
 * @gm:    the mirror, not in a read section
 * @hva:   VMM address
 * @len:   bytes
 * @write: to be written
 *
 * To fill a range ahead of use, in turns with ivshm_gmem_fault().  Does not
 * sleep.  Returns how many bytes from @hva on are present, noted or hopeless
 * now; 0 when there is no room, so that a fault has to come first.
 */
u64 ivshm_gmem_want(struct ivshm_gmem *gm, u64 hva, u64 len, bool write);

/* Whether pages were noted as missing. Any context. */
bool ivshm_gmem_missing(struct ivshm_gmem *gm);

/**
 * ivshm_gmem_fault - bring in the pages noted as missing
 * @gm: the mirror of the calling worker's own VM
 *
 * To be called only by the owner's worker, outside any read section.  May
 * sleep for as long as the VMM's userfaultfd handler, swap or a file server
 * pleases; a fatal signal ends the wait.
 *
 * Returns 0 when every page noted before was tried: it is in, or it is
 * remembered as unmirrorable (until invalidated) or as bad (for a while), or
 * memory is short and it has to be asked for again (the wait is in here).
 * 0 does not say that the page you look for is in: a loop that asks until it is
 * there has to ask why (ivshm_gmem_check()), or it never ends.
 * -EINTR after a fatal signal; -ESRCH when the address space is gone, once and for
 * all: nothing is noted any more then and look-ups fail with -EFAULT.
 */
int ivshm_gmem_fault(struct ivshm_gmem *gm);

/**
 * ivshm_gmem_user_copy - reach guest memory by user access
 * @gm:    the mirror of the calling worker's own VM, no read section
 * @gpa:   guest-physical address
 * @buf:   kernel buffer
 * @len:   bytes
 * @write: direction, true from @buf into the guest (logged as needed)
 *
 * For memory that cannot be mirrored; not with IOVAs, which might become invalid
 * meanwhile.  May sleep like ivshm_gmem_fault().
 * Nothing is written that could not be logged.
 * Returns 0, -EFAULT, -EINTR or -ESRCH, or -EOPNOTSUPP if the log cannot be
 * mirrored.
 */
int ivshm_gmem_user_copy(struct ivshm_gmem *gm, u64 gpa, void *buf, u32 len,
			 bool write);

/*
 * The VMM's addresses of a guest-physical range, to be handed to others who
 * access user memory: the number of pieces, one for each region; -EFAULT, or
 * -ENOSPC for more than @max or with IOVAs. Read section only.
 */
int ivshm_gmem_user_vec(struct ivshm_gmem *gm, u64 gpa, u32 len, struct iovec *vec,
			u32 max);
/*
 * Between the two a kernel thread has the VMM's user mappings; what it does may
 * fault and sleep like ivshm_gmem_fault(). Returns what to give back or -ESRCH.
 */
int ivshm_gmem_borrow(struct ivshm_gmem *gm);
void ivshm_gmem_give_back(struct ivshm_gmem *gm, int borrowed);

#endif /* _IVSHM_GUEST_MEM_H */
