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
 *
 * So an entry remembers it.  Readers who race to add the flag write the same
 * value, and nobody else writes entries meanwhile.
 */
static void ivshm_gmem_mark_dirty(unsigned long *entry)
{
	unsigned long was = READ_ONCE(*entry);
	struct folio *folio;

	if (likely(was & IVSHM_GMEM_DIRTY))
		return;
	folio = virt_to_folio((void *)(was & PAGE_MASK));
	if (!folio_test_dirty(folio))
		folio_mark_dirty(folio);
	WRITE_ONCE(*entry, was | IVSHM_GMEM_DIRTY);
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
	unsigned long *entry, found;

	lockdep_assert_held_read(&gm->lock);

	/* Readers race to fill the slot: take what is there, then look at it. */
	chunk = READ_ONCE(gm->cache[index % IVSHM_GMEM_CACHE_SIZE]);
	if (unlikely(!chunk || chunk->index != index)) {
		chunk = ivshm_gmem_chunk_find(gm, index);
		if (!chunk)
			return ivshm_gmem_note(gm, hva, write);
	}
	entry = &chunk->entry[(hva >> PAGE_SHIFT) % IVSHM_GMEM_CHUNK_PAGES];
	found = READ_ONCE(*entry);
	if (unlikely(found & IVSHM_GMEM_UNMIRRORABLE))
		return -EOPNOTSUPP;
	if (unlikely(!(found & (write ? IVSHM_GMEM_WRITE : IVSHM_GMEM_VALID))))
		return ivshm_gmem_note(gm, hva, write);
	if (write)
		ivshm_gmem_mark_dirty(entry);
	*addr = (void *)(found & PAGE_MASK) + offset_in_page(hva);
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
 * region reach.  Returns what ivshm_gmem_lookup() does, or -EINPROGRESS; @piece is
 * set unless there is no such region.
 */
static int ivshm_gmem_piece(struct ivshm_gmem *gm, u64 gpa, u32 len, bool write,
			    void **addr, u32 *piece)
{
	const struct ivshm_gmem_region *region;
	u64 hva;

	if (unlikely(gm->iotlb))
		return ivshm_gmem_iova_piece(gm, gpa, len, write, addr, piece);
	region = ivshm_gmem_find(gm, gpa);
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
	unsigned long *entry;

	chunk = READ_ONCE(gm->cache[index % IVSHM_GMEM_CACHE_SIZE]);
	if (unlikely(!chunk || chunk->index != index))
		return NULL;
	entry = &chunk->entry[(hva >> PAGE_SHIFT) % IVSHM_GMEM_CHUNK_PAGES];
	if (unlikely(!(READ_ONCE(*entry) & (write ? IVSHM_GMEM_WRITE : IVSHM_GMEM_VALID))))
		return NULL;
	if (write)
		ivshm_gmem_mark_dirty(entry);
	return (void *)(READ_ONCE(*entry) & PAGE_MASK);
}

bool ivshm_gmem_peek(struct ivshm_gmem *gm, u64 gpa, u32 len, bool write,
		     struct ivshm_gmem_span *span)
{
	const struct ivshm_gmem_region *region;
	u32 off, first;
	void *page;
	u64 hva;

	/* Ranges of a region are looked up here, not those of a vIOMMU. */
	if (unlikely(gm->iotlb))
		return false;
	region = ivshm_gmem_find(gm, gpa);
	if (unlikely(!region || !len || len - 1 > region->last - gpa))
		return false;
	hva = region->hva + (gpa - region->gpa);
	off = offset_in_page(hva);
	first = min_t(u32, len, PAGE_SIZE - off);
	page = ivshm_gmem_peek_page(gm, hva, write);
	if (unlikely(!page))
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

/* Not in the window, across a page boundary, or something to do with the page. */
bool ivshm_gmem_peek_far(struct ivshm_gmem *gm, struct ivshm_gmem_window *win, u64 gpa,
			 u32 len, bool write, struct ivshm_gmem_span *span)
{
	const struct ivshm_gmem_region *region;
	struct ivshm_gmem_chunk *chunk;
	u64 hva, index, before, end;

	if (!ivshm_gmem_peek(gm, gpa, len, write, span))
		return false;
	if (gpa - win->gpa < win->size)
		return true;

	/* The part of the region that the chunk has. */
	region = ivshm_gmem_find(gm, gpa);
	hva = region->hva + (gpa - region->gpa);
	index = hva >> IVSHM_GMEM_CHUNK_SHIFT;
	chunk = READ_ONCE(gm->cache[index % IVSHM_GMEM_CACHE_SIZE]);
	if (!chunk || chunk->index != index)
		return true;
	win->pos = hva % IVSHM_GMEM_CHUNK_SIZE;
	before = min_t(u64, win->pos, gpa - region->gpa);
	win->pos -= before;
	win->gpa = gpa - before;
	end = min_t(u64, IVSHM_GMEM_CHUNK_SIZE - win->pos - 1, region->last - win->gpa) + 1;
	/* Whole pages: the rest of a page is the region's, too. */
	end = round_down(win->pos + end, PAGE_SIZE);
	win->size = end > win->pos ? end - win->pos : 0;
	win->entry = chunk->entry;
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
			if (err != -EAGAIN && err != -EINPROGRESS)
				return err;
			/* Go on, so that all that is missing gets noted. */
			if (ret != -EINPROGRESS)
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
		err = ret == -EINPROGRESS ? ret : ivshm_gmem_log_prepare(gm, gpa, len);
		if (err)
			return err;
	}
	return ret ?: n;
}

int ivshm_gmem_read(struct ivshm_gmem *gm, u64 gpa, void *buf, u32 len)
{
	struct ivshm_gmem_span span;
	int err, ret = 0;
	u32 piece;
	void *addr;

	if (likely(ivshm_gmem_peek(gm, gpa, len, false, &span) && span.len == len)) {
		memcpy(buf, span.addr, len);
		return 0;
	}
	err = ivshm_gmem_check_range(gpa, len);
	if (unlikely(err))
		return err;

	for (; len; gpa += piece, buf += piece, len -= piece) {
		err = ivshm_gmem_piece(gm, gpa, len, false, &addr, &piece);
		if (unlikely(err)) {
			if (err != -EAGAIN && err != -EINPROGRESS)
				return err;
			if (ret != -EINPROGRESS)
				ret = err;
			continue;
		}
		memcpy(buf, addr, piece);
	}
	return ret;
}
