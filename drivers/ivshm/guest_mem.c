// SPDX-License-Identifier: GPL-2.0
/*
 * Guest memory: the mirror, its look-ups and its invalidation.
 */
#include <linux/err.h>
#include <linux/minmax.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "guest_mem_priv.h"

struct ivshm_gmem *ivshm_gmem_create(struct mm_struct *mm,
				     struct ivshm_stats __percpu *stats)
{
	struct ivshm_gmem *gm;

	gm = kvzalloc(sizeof(*gm), GFP_KERNEL_ACCOUNT);
	if (!gm)
		return ERR_PTR(-ENOMEM);
	gm->view = ivshm_gmem_view_alloc(0);
	if (!gm->view) {
		kvfree(gm);
		return ERR_PTR(-ENOMEM);
	}
	rwlock_init(&gm->lock);
	mutex_init(&gm->fill_mutex);
	mutex_init(&gm->chunk_mutex);
	spin_lock_init(&gm->miss_lock);
	gm->missing = gm->miss_buf[0];
	gm->filling = gm->miss_buf[1];
	gm->stats = stats;
	gm->mm = mm;
	mmgrab(mm);
	return gm;
}

void ivshm_gmem_set_stats(struct ivshm_gmem *gm, struct ivshm_stats __percpu *stats)
{
	write_lock(&gm->lock);
	gm->stats = stats;
	write_unlock(&gm->lock);
}

void ivshm_gmem_destroy(struct ivshm_gmem *gm)
{
	if (!gm)
		return;
	ivshm_gmem_view_free(gm->view);
	mmdrop(gm->mm);
	kvfree(gm);
}

void ivshm_gmem_read_lock(struct ivshm_gmem *gm)
	__acquires(&gm->lock)
{
	read_lock(&gm->lock);
}

void ivshm_gmem_read_unlock(struct ivshm_gmem *gm)
	__releases(&gm->lock)
{
	read_unlock(&gm->lock);
}

/*
 * Locks of one class have no order among themselves.  Two workers that deliver
 * to each other take the same two mirrors from opposite ends, and a writer
 * waiting for each would close the circle; so only one lock is ever waited
 * for, and with none held.  If the second is busy, it is the one to wait for
 * next time.  (Order by address would do as well, but lockdep cannot see it.)
 */
void ivshm_gmem_read_lock2(struct ivshm_gmem *a, struct ivshm_gmem *b)
	__acquires(&a->lock)
{
	if (a == b) {
		read_lock(&a->lock);
		return;
	}
	for (;;) {
		read_lock(&a->lock);
		if (read_trylock(&b->lock)) {
			/* For sparse the pair is one lock. */
			__release(&b->lock);
			return;
		}
		read_unlock(&a->lock);
		swap(a, b);
	}
}

void ivshm_gmem_read_unlock2(struct ivshm_gmem *a, struct ivshm_gmem *b)
	__releases(&a->lock)
{
	if (a != b) {
		__acquire(&b->lock);
		read_unlock(&b->lock);
	}
	read_unlock(&a->lock);
}

void ivshm_gmem_write_lock(struct ivshm_gmem *gm)
	__acquires(&gm->lock)
{
	write_lock(&gm->lock);
	gm->generation++;
}

void ivshm_gmem_write_unlock(struct ivshm_gmem *gm)
	__releases(&gm->lock)
{
	write_unlock(&gm->lock);
}

u64 ivshm_gmem_generation(const struct ivshm_gmem *gm)
{
	return gm->generation;
}

/*
 * The write side.  May be called with mmap_lock, locks of the reverse mapping
 * and in memory reclaim, so it must not allocate or wait for anything but the
 * lock, which readers hold for a bounded batch; that is also why the
 * non-blocking call (out of memory) is no special case.
 */
static bool ivshm_gmem_invalidate(struct mmu_interval_notifier *notifier,
				  const struct mmu_notifier_range *range,
				  unsigned long cur_seq)
{
	struct ivshm_gmem_chunk *chunk =
		container_of(notifier, struct ivshm_gmem_chunk, notifier);
	unsigned long base = chunk->index << IVSHM_GMEM_CHUNK_SHIFT;
	struct ivshm_gmem *gm = chunk->gm;
	unsigned long i, first = 0, last = IVSHM_GMEM_CHUNK_PAGES - 1;
	unsigned long gone = 0;

	if (range->start > base)
		first = (range->start - base) >> PAGE_SHIFT;
	if (range->end - base < IVSHM_GMEM_CHUNK_SIZE)
		last = (range->end - base - 1) >> PAGE_SHIFT;

	write_lock(&gm->lock);
	mmu_interval_set_seq(notifier, cur_seq);
	for (i = first; i <= last; i++) {
		gone |= chunk->entry[i];
		chunk->entry[i] = 0;
	}
	if (gone & IVSHM_GMEM_VALID) {
		gm->generation++;
		ivshm_gmem_count(gm, IVSHM_A_STAT_INVALIDATIONS, 1);
	}
	write_unlock(&gm->lock);
	return true;
}

const struct mmu_interval_notifier_ops ivshm_gmem_notifier_ops = {
	.invalidate = ivshm_gmem_invalidate,
};

/*
 * A write through the mirror sets no dirty bit in a page table, so the folio
 * must carry it before the read section ends: an MADV_FREE'd or clean
 * swap-cached page would be thrown away with the data.
 *
 * This is the place that zap_pte_range() and friends mark from, with another
 * lock: dirty_folio() may not block, and the folio cannot leave its mapping
 * because whoever unmaps it has to invalidate the entry first, that is, wait
 * for the end of the read section.  For the same reason a folio found dirty
 * stays dirty: write-back (folio_mkclean()), MADV_FREE and reclaim unmap or
 * write-protect, with an invalidation, before they clear the flag.  Folios
 * without a mapping (anonymous, hugetlb, driver pages) only get the flag.
 */
static __always_inline void ivshm_gmem_mark_dirty(const void *addr)
{
	struct folio *folio = virt_to_folio(addr);

	if (unlikely(!folio_test_dirty(folio)))
		folio_mark_dirty(folio);
}

static noinline struct ivshm_gmem_chunk *
ivshm_gmem_chunk_find(struct ivshm_gmem *gm, u64 index)
{
	struct ivshm_gmem_chunk *chunk = xa_load(&gm->view->chunks, index);

	/* Any chunk of the view is as good; see the reader for the check. */
	if (chunk)
		WRITE_ONCE(gm->cache[index % IVSHM_GMEM_CACHE_SIZE], chunk);
	return chunk;
}

int ivshm_gmem_lookup(struct ivshm_gmem *gm, u64 hva, bool write, void **addr)
{
	u64 index = hva >> IVSHM_GMEM_CHUNK_SHIFT;
	struct ivshm_gmem_chunk *chunk;
	unsigned long entry;
	void *page;

	lockdep_assert_held_read(&gm->lock);

	/* Readers race to fill the slot: take what is there, then look at it. */
	chunk = READ_ONCE(gm->cache[index % IVSHM_GMEM_CACHE_SIZE]);
	if (unlikely(!chunk || chunk->index != index)) {
		chunk = ivshm_gmem_chunk_find(gm, index);
		if (!chunk)
			return ivshm_gmem_note(gm, hva, write);
	}
	entry = chunk->entry[(hva >> PAGE_SHIFT) % IVSHM_GMEM_CHUNK_PAGES];
	if (unlikely(entry & IVSHM_GMEM_UNMIRRORABLE))
		return -EOPNOTSUPP;
	if (unlikely(!(entry & (write ? IVSHM_GMEM_WRITE : IVSHM_GMEM_VALID))))
		return ivshm_gmem_note(gm, hva, write);

	page = (void *)(entry & PAGE_MASK);
	if (write)
		ivshm_gmem_mark_dirty(page);
	*addr = page + offset_in_page(hva);
	return 0;
}

void *ivshm_gmem_page(struct ivshm_gmem *gm, u64 hva, bool write)
{
	void *page;

	if (ivshm_gmem_lookup(gm, hva & PAGE_MASK, write, &page))
		return NULL;
	return page;
}

int ivshm_gmem_check(struct ivshm_gmem *gm, u64 hva, u32 len, bool write)
{
	u64 at = hva & PAGE_MASK;
	int ret = 0, err;
	void *page;

	if (len > IVSHM_GMEM_MAX_MAP)
		return -E2BIG;
	if (hva + len < hva)
		return -EFAULT;
	for (; at < hva + len; at += PAGE_SIZE) {
		err = ivshm_gmem_lookup(gm, at, write, &page);
		if (err && err != -EAGAIN)
			return err;
		if (err)
			ret = err;
	}
	return ret;
}

const struct ivshm_gmem_region *ivshm_gmem_find(struct ivshm_gmem *gm, u64 gpa)
{
	struct ivshm_gmem_view *view = gm->view;
	u32 i = READ_ONCE(view->hint), lo = 0, hi = view->n;

	if (likely(i < hi && gpa >= view->region[i].gpa &&
		   gpa <= view->region[i].last))
		return &view->region[i];

	while (lo < hi) {
		i = lo + (hi - lo) / 2;
		if (gpa < view->region[i].gpa) {
			hi = i;
		} else if (gpa > view->region[i].last) {
			lo = i + 1;
		} else {
			WRITE_ONCE(view->hint, i);
			return &view->region[i];
		}
	}
	return NULL;
}

/*
 * Look up the first piece of [@gpa, @gpa + @len): as far as one page and one
 * region reach.  Returns what ivshm_gmem_lookup() does; @piece is set unless
 * there is no such region.
 */
static int ivshm_gmem_piece(struct ivshm_gmem *gm, u64 gpa, u32 len, bool write,
			    void **addr, u32 *piece)
{
	const struct ivshm_gmem_region *region = ivshm_gmem_find(gm, gpa);
	u64 hva;

	if (unlikely(!region))
		return -EFAULT;
	hva = region->hva + (gpa - region->gpa);
	len = min_t(u64, len, PAGE_SIZE - offset_in_page(hva));
	/* Not to the end of the region: last + 1 may be 2^64. */
	*piece = min_t(u64, len - 1, region->last - gpa) + 1;
	return ivshm_gmem_lookup(gm, hva, write, addr);
}

static int ivshm_gmem_check_range(u64 gpa, u32 len)
{
	if (unlikely(len > IVSHM_GMEM_MAX_MAP))
		return -E2BIG;
	if (unlikely(!len || gpa + (len - 1) < gpa))
		return -EFAULT;
	return 0;
}

/* The page that holds @hva if it is in the mirror, or NULL. */
static __always_inline void *ivshm_gmem_peek_page(struct ivshm_gmem *gm, u64 hva, bool write)
{
	u64 index = hva >> IVSHM_GMEM_CHUNK_SHIFT;
	struct ivshm_gmem_chunk *chunk;
	unsigned long entry;

	chunk = READ_ONCE(gm->cache[index % IVSHM_GMEM_CACHE_SIZE]);
	if (unlikely(!chunk || chunk->index != index))
		return NULL;
	entry = chunk->entry[(hva >> PAGE_SHIFT) % IVSHM_GMEM_CHUNK_PAGES];
	if (unlikely(!(entry & (write ? IVSHM_GMEM_WRITE : IVSHM_GMEM_VALID))))
		return NULL;
	entry &= PAGE_MASK;
	if (write)
		ivshm_gmem_mark_dirty((void *)entry);
	return (void *)entry;
}

/* Across a page boundary, or not in the region that was found last. */
static noinline bool ivshm_gmem_peek_slow(struct ivshm_gmem *gm, u64 gpa, u32 len, bool write,
					  struct ivshm_gmem_span *span)
{
	const struct ivshm_gmem_region *region = ivshm_gmem_find(gm, gpa);
	u32 off, first;
	void *page;
	u64 hva;

	if (!region || !len || len - 1 > region->last - gpa)
		return false;
	hva = region->hva + (gpa - region->gpa);
	off = offset_in_page(hva);
	first = min_t(u32, len, PAGE_SIZE - off);
	page = ivshm_gmem_peek_page(gm, hva, write);
	if (!page)
		return false;
	span->addr = page + off;
	span->len = len;
	if (first == len)
		return true;
	if (len - first > PAGE_SIZE)
		return false;
	span->next = ivshm_gmem_peek_page(gm, hva + first, write);
	if (!span->next)
		return false;
	if (span->next != page + PAGE_SIZE)
		span->len = first;
	return true;
}

bool ivshm_gmem_peek(struct ivshm_gmem *gm, u64 gpa, u32 len, bool write,
		     struct ivshm_gmem_span *span)
{
	const struct ivshm_gmem_view *view = gm->view;
	u32 i = READ_ONCE(view->hint);
	const struct ivshm_gmem_region *region = &view->region[i];
	void *page;
	u64 hva;

	if (unlikely(i >= view->n || gpa < region->gpa || gpa > region->last))
		return ivshm_gmem_peek_slow(gm, gpa, len, write, span);
	hva = region->hva + (gpa - region->gpa);
	if (unlikely((u64)len - 1 > region->last - gpa ||
		     offset_in_page(hva) + (u64)len > PAGE_SIZE))
		return ivshm_gmem_peek_slow(gm, gpa, len, write, span);
	page = ivshm_gmem_peek_page(gm, hva, write);
	if (unlikely(!page))
		return false;
	span->addr = page + offset_in_page(hva);
	span->len = len;
	return true;
}

int ivshm_gmem_map(struct ivshm_gmem *gm, u64 gpa, u32 len, bool write,
		   struct kvec *vec, u32 max)
{
	u32 piece, n = 0, left = len;
	int err, ret = 0;
	u64 at = gpa;
	void *addr;

	err = ivshm_gmem_check_range(gpa, len);
	if (unlikely(err))
		return err;

	for (; left; at += piece, left -= piece) {
		err = ivshm_gmem_piece(gm, at, left, write, &addr, &piece);
		if (unlikely(err)) {
			if (err != -EAGAIN)
				return err;
			/* Go on, so that all missing pages get noted. */
			ret = err;
			continue;
		}
		if (n && vec[n - 1].iov_base + vec[n - 1].iov_len == addr) {
			vec[n - 1].iov_len += piece;
			continue;
		}
		if (unlikely(n == max))
			return -ENOSPC;
		vec[n].iov_base = addr;
		vec[n].iov_len = piece;
		n++;
	}
	if (unlikely(write && gm->log_enabled)) {
		err = ivshm_gmem_log_prepare(gm, gpa, len);
		if (err)
			return err;
	}
	return ret ?: n;
}

int ivshm_gmem_read(struct ivshm_gmem *gm, u64 gpa, void *buf, u32 len)
{
	int err, ret = 0;
	u32 piece;
	void *addr;

	err = ivshm_gmem_check_range(gpa, len);
	if (unlikely(err))
		return err;

	for (; len; gpa += piece, buf += piece, len -= piece) {
		err = ivshm_gmem_piece(gm, gpa, len, false, &addr, &piece);
		if (unlikely(err)) {
			if (err != -EAGAIN)
				return err;
			ret = err;
			continue;
		}
		memcpy(buf, addr, piece);
	}
	return ret;
}
