/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Inside of the guest memory mirror; see guest_mem.h for the outside.
 *
 *   ivshm_gmem
 *     .view --> ivshm_gmem_view          one memory table with its chunks
 *                 .region[]              guest-physical -> VMM, sorted
 *                 .chunks (xarray) --+   VMM address / 2 MiB -> chunk
 *     .cache[] ----------------------+-> ivshm_gmem_chunk
 *                                          .notifier   over exactly 2 MiB
 *                                          .entry[]    host page and flags
 *     .missing[], .bad[]                 what look-ups did not find
 *
 * guest_mem.c		the object, look-up and copy (the hot path), invalidation
 * guest_mem_fault.c	missing pages and how they come in, user access
 * guest_mem_table.c	the memory table and the chunks' life
 * guest_mem_log.c	the dirty log
 * guest_mem_iotlb.c	a guest behind a vIOMMU
 *
 * Lock order: fill_mutex, chunk_mutex, (mmap_lock and all of mm), lock,
 * miss_lock.
 */
#ifndef _IVSHM_GUEST_MEM_PRIV_H
#define _IVSHM_GUEST_MEM_PRIV_H

#include <linux/cache.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/mutex.h>
#include <linux/refcount.h>
#include <linux/rwlock.h>
#include <linux/sizes.h>
#include <linux/spinlock.h>
#include <linux/xarray.h>

#include "guest_mem.h"
#include "stats.h"

#define IVSHM_GMEM_CHUNK_SHIFT	21
#define IVSHM_GMEM_CHUNK_SIZE	((unsigned long)SZ_2M)
#define IVSHM_GMEM_CHUNK_PAGES	(IVSHM_GMEM_CHUNK_SIZE >> PAGE_SHIFT)

/* Chunks in front of the xarray: the hot part of 2 GiB of address space. */
#define IVSHM_GMEM_CACHE_SIZE	1024

/*
 * Chunks of one mirror, 512 GiB of it.  At the limit the mirror starts again
 * from nothing, so a VMM that moves its memory around costs refills, not
 * memory without end.
 */
#define IVSHM_GMEM_MAX_CHUNKS	SZ_256K

#define IVSHM_GMEM_MAX_MISSING	128
#define IVSHM_GMEM_MAX_BAD	64

/* How long a look-up of a bad address fails before it is tried again. */
#define IVSHM_GMEM_BAD_TIME	(HZ / 10)

/**
 * struct ivshm_gmem_chunk - what is known of 2 MiB of the VMM's address space
 * @index:	VMM address >> IVSHM_GMEM_CHUNK_SHIFT
 * @entry:	one per page; written under the mirror's lock for writing, but for
 *		IVSHM_GMEM_DIRTY, which readers add
 * @gm:		the mirror
 * @refs:	one of the view that has it, one of a fill under way
 * @notifier:	clears the entries
 */
struct ivshm_gmem_chunk {
	u64 index;
	unsigned long *entry;
	struct ivshm_gmem *gm;
	refcount_t refs;
	struct mmu_interval_notifier notifier;
};

struct ivshm_gmem_region {
	u64 gpa;
	u64 last;
	u64 hva;
};

/**
 * struct ivshm_gmem_view - a memory table and the chunks filled under it
 * @chunks:	by index; changed under chunk_mutex, read in read sections too
 * @nr_chunks:	under chunk_mutex
 * @hint:	region of the last look-up; any reader may write it
 * @n:		number of regions
 * @region:	sorted by guest-physical address, without overlaps
 *
 * Replaced as a whole, so that nothing of the old table can be reached when
 * the pointer has changed.
 */
struct ivshm_gmem_view {
	struct xarray chunks;
	u32 nr_chunks;
	u32 hint;
	u32 n;
	struct ivshm_gmem_region region[];
};

/* A page that a look-up did not find. */
struct ivshm_gmem_miss {
	u64 hva;
	bool write;
};

/* A page that could not be brought in; @key 0 is an empty slot. */
struct ivshm_gmem_bad {
	u64 key;
	unsigned long until;
};

/**
 * struct ivshm_gmem - mirror of a VMM's memory
 * @lock:	read sections and, as writers, everything that takes something
 *		away or puts it in: entries of all chunks, @view, @cache, @log_*,
 *		@iotlb and @generation
 * @view:	the memory table; written under chunk_mutex and @lock
 * @generation:	see ivshm_gmem_generation()
 * @log_hva:	the dirty log in the VMM's memory
 * @log_size:	its size in bytes
 * @log_enabled: data are to be logged
 * @iotlb:	guest addresses are IOVAs, which it translates; or NULL.  Its table is
 *		under @lock, too
 * @mm:		the VMM, grabbed
 * @stats:	or NULL; under @lock
 * @fill_mutex:	one fill at a time; protects @filling
 * @chunk_mutex: additions to a view, and its replacement
 * @miss_lock:	protects what follows, innermost
 * @dead:	the address space is gone for good
 * @nr_missing:	entries used in @missing; read anywhere
 * @missing:	one half of @miss_buf
 * @filling:	the other half, which a fill is working on
 * @bad:	by hash of the address
 * @miss_buf:	both halves
 * @cache:	chunks of @view; filled by readers, emptied with @view
 */
struct ivshm_gmem {
	rwlock_t lock ____cacheline_aligned_in_smp;

	struct ivshm_gmem_view *view ____cacheline_aligned_in_smp;
	u64 generation;
	u64 log_hva;
	u64 log_size;
	bool log_enabled;
	struct ivshm_iotlb *iotlb;
	struct mm_struct *mm;
	struct ivshm_stats __percpu *stats;

	/* Outside everything: a fill and what it works on. */
	struct mutex fill_mutex ____cacheline_aligned_in_smp;
	/* Inside fill_mutex, not held across a page fault. */
	struct mutex chunk_mutex;

	spinlock_t miss_lock ____cacheline_aligned_in_smp;
	bool dead;
	u32 nr_missing;
	struct ivshm_gmem_miss *missing;
	struct ivshm_gmem_miss *filling;
	struct ivshm_gmem_bad bad[IVSHM_GMEM_MAX_BAD];
	struct ivshm_gmem_miss miss_buf[2][IVSHM_GMEM_MAX_MISSING];

	struct ivshm_gmem_chunk *cache[IVSHM_GMEM_CACHE_SIZE];
};

/* With @lock held, for reading or writing: that is what keeps @stats alive. */
static inline void ivshm_gmem_count(struct ivshm_gmem *gm,
				    enum ivshm_attr_stat which, u64 n)
{
	lockdep_assert_held(&gm->lock);

	if (gm->stats)
		ivshm_stats_add(gm->stats, which, n);
}

/* guest_mem.c */
extern const struct mmu_interval_notifier_ops ivshm_gmem_notifier_ops;
/*
 * Host address of VMM address @hva.  Returns 0; -EAGAIN with the page noted as
 * missing; -EFAULT if there is no such memory; -EOPNOTSUPP if it cannot be
 * mirrored.  Read section only.
 */
int ivshm_gmem_lookup(struct ivshm_gmem *gm, u64 hva, bool write, void **addr);
/* The region that contains @gpa, or NULL. Read section only. */
const struct ivshm_gmem_region *ivshm_gmem_find(struct ivshm_gmem *gm, u64 gpa);

/* guest_mem_fault.c */
/* Note a page as missing: -EAGAIN, or -EFAULT if it is known to be bad. */
int ivshm_gmem_note(struct ivshm_gmem *gm, u64 hva, bool write);
void ivshm_gmem_forget_bad(struct ivshm_gmem *gm);
/*
 * Put @n pages from @hva on into the chunk, or the mark for unmirrorable
 * memory if @n is 0.  @seq was taken before the pages were.  Returns false if
 * an invalidation came in between.
 */
bool ivshm_gmem_publish(struct ivshm_gmem *gm, struct ivshm_gmem_chunk *chunk,
			unsigned long seq, u64 hva, bool write,
			struct page **pages, long n);

/* guest_mem_table.c */
/* A view without regions. May sleep. Returns NULL without memory. */
struct ivshm_gmem_view *ivshm_gmem_view_alloc(u32 n);
/* Nobody can reach @view any more except a fill that holds a chunk. May sleep. */
void ivshm_gmem_view_free(struct ivshm_gmem_view *view);
/*
 * The chunk of @hva with a reference: the view's or a fresh one, which only
 * the caller knows until ivshm_gmem_chunk_add().  May sleep.  Needs the
 * address space alive.  Returns ERR_PTR(-ENOMEM) or what the MMU notifier says.
 */
struct ivshm_gmem_chunk *ivshm_gmem_chunk_get(struct ivshm_gmem *gm, u64 hva,
					      bool *fresh);
/* Make a fresh chunk reachable. May sleep. Returns 0 or -ENOMEM. */
int ivshm_gmem_chunk_add(struct ivshm_gmem *gm, struct ivshm_gmem_chunk *chunk);
void ivshm_gmem_chunk_put(struct ivshm_gmem_chunk *chunk);
/* Give back a fresh chunk that was never added. May sleep. */
void ivshm_gmem_chunk_drop(struct ivshm_gmem_chunk *chunk);

/* guest_mem_iotlb.c; all of them with gm->iotlb, in a read section */
/*
 * The VMM address of @iova, and how many of the @len bytes, more than 0, lie in a row
 * there.  Returns 0; -EINPROGRESS with the miss noted; -EFAULT without permission.
 */
int ivshm_gmem_translate(struct ivshm_gmem *gm, u64 iova, u64 len, bool write, u64 *hva,
			 u64 *piece);
/* As ivshm_gmem_piece(), and what that returns or -EINPROGRESS. */
int ivshm_gmem_iova_piece(struct ivshm_gmem *gm, u64 iova, u32 len, bool write, void **addr,
			  u32 *piece);

/* guest_mem_log.c */
/*
 * If data are logged: see to it that a write can be, or, with @written, log it.
 * As ivshm_gmem_log_wait().
 */
int ivshm_gmem_log_data(struct ivshm_gmem *gm, u64 gpa, u64 len, bool written);

#endif /* _IVSHM_GUEST_MEM_PRIV_H */
