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

#include <linux/types.h>
#include <linux/uio.h>
#include <linux/vhost_types.h>
#include <linux/percpu.h>

struct mm_struct;
struct ivshm_gmem;
struct ivshm_stats;

/* As many regions as vhost-net accepts. */
#define IVSHM_GMEM_MAX_REGIONS	509

/**
 * ivshm_gmem_create - a mirror of @mm without any region
 * @mm:    the VMM's address space; mmgrab()bed for the life of the mirror
 * @stats: where misses, faults and invalidations are counted, or NULL
 *
 * May sleep. Returns the mirror or ERR_PTR(-ENOMEM).
 */
struct ivshm_gmem *ivshm_gmem_create(struct mm_struct *mm,
				     struct ivshm_stats __percpu *stats);
/* Nobody may be in a read section any more. May sleep. NULL is fine. */
void ivshm_gmem_destroy(struct ivshm_gmem *gm);

/**
 * ivshm_gmem_set_table - replace the memory table and empty the mirror
 * @gm:      the mirror
 * @regions: copied; may be in any order
 * @n:       number of regions, 0 for none
 *
 * When it returns, no look-up gives memory of the old table, and pages of the
 * old table are not reachable through the mirror.
 *
 * May sleep. Returns 0; -E2BIG for more than IVSHM_GMEM_MAX_REGIONS; -EFAULT
 * for a range outside the user address space, -EINVAL if a range wraps around
 * or has flags, or if guest-physical ranges overlap; a region of size 0
 * and anything else that vhost-net refuses gives the errno vhost-net gives
 * (see vhost_set_memory()).  On error nothing has changed.
 */
int ivshm_gmem_set_table(struct ivshm_gmem *gm,
			 const struct vhost_memory_region *regions, u32 n);

/*
 * Dirty log for live migration: one bit per 4 KiB guest page from guest
 * address 0 on, in the VMM's memory at @log.  Enabled or disabled as a whole;
 * the log pages are brought into the mirror at once and again when missing.
 * @log and @size 0: no log.  Waits for read sections under way.  May sleep.
 */
int ivshm_gmem_set_log(struct ivshm_gmem *gm, u64 log, u64 size, bool enable);

/* Read section on one mirror. */
void ivshm_gmem_read_lock(struct ivshm_gmem *gm);
void ivshm_gmem_read_unlock(struct ivshm_gmem *gm);
/* On two mirrors, in whatever order they are named; the same one is taken once. */
void ivshm_gmem_read_lock2(struct ivshm_gmem *a, struct ivshm_gmem *b);
void ivshm_gmem_read_unlock2(struct ivshm_gmem *a, struct ivshm_gmem *b);

/* Changes whenever an entry that was valid went away. Read section only. */
u64 ivshm_gmem_generation(const struct ivshm_gmem *gm);

/*
 * Host address of the page that holds VMM address @hva, or NULL with the page
 * noted as missing.  Any VMM address may be asked for, with or without a
 * region of the table around it: rings and the log need not be guest memory.
 * With @write the page is writable and has been marked dirty.
 * Read section only.
 */
void *ivshm_gmem_page(struct ivshm_gmem *gm, u64 hva, bool write);

/**
 * ivshm_gmem_map - host addresses of a guest-physical range
 * @gm:    the mirror, in a read section
 * @gpa:   guest-physical address
 * @len:   bytes, more than 0; the range may span pages and regions
 * @write: the pages will be written: they are marked dirty and, when the log
 *         is enabled, logged
 * @vec:   filled in with kernel addresses; neighbours in the direct map are
 *         merged into one
 * @max:   room in @vec
 *
 * Returns the number of entries used; -EAGAIN if pages are missing (all of
 * them were noted); -EFAULT if the table has no such range; -ENOSPC if @max is
 * too small; -EOPNOTSUPP if part of it cannot be mirrored (see
 * ivshm_gmem_user_copy()).
 */
int ivshm_gmem_map(struct ivshm_gmem *gm, u64 gpa, u32 len, bool write,
		   struct kvec *vec, u32 max);

/* Copy out of guest memory: 0 or what ivshm_gmem_map() says. Read section only. */
int ivshm_gmem_read(struct ivshm_gmem *gm, u64 gpa, void *buf, u32 len);

/* Log a write of @len bytes at guest address @gpa made by other means. */
void ivshm_gmem_log(struct ivshm_gmem *gm, u64 gpa, u32 len);

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
 * Returns 0 when there is nothing left to do (pages that cannot be mirrored
 * are remembered as such until the mirror is invalidated there), -EINTR after
 * a signal, or -ESRCH when the address space is gone, once and for all.
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
 * For memory that cannot be mirrored.  May sleep like ivshm_gmem_fault().
 * Returns 0, -EFAULT, -EINTR or -ESRCH.
 */
int ivshm_gmem_user_copy(struct ivshm_gmem *gm, u64 gpa, void *buf, u32 len,
			 bool write);

#endif /* _IVSHM_GUEST_MEM_H */
