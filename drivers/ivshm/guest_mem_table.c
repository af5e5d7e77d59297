// SPDX-License-Identifier: GPL-2.0
/*
 * Guest memory: the memory table, and the life of the mirror's chunks.
 */
#include <linux/err.h>
#include <linux/memcontrol.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/sort.h>
#include <linux/uaccess.h>

#include "guest_mem_priv.h"

struct ivshm_gmem_view *ivshm_gmem_view_alloc(u32 n)
{
	struct ivshm_gmem_view *view;

	view = kvzalloc(struct_size(view, region, n), GFP_KERNEL_ACCOUNT);
	if (view) {
		xa_init_flags(&view->chunks, XA_FLAGS_ACCOUNT);
		view->n = n;
	}
	return view;
}

void ivshm_gmem_chunk_put(struct ivshm_gmem_chunk *chunk)
{
	if (!refcount_dec_and_test(&chunk->refs))
		return;
	kfree(chunk->entry);
	kfree(chunk);
}

void ivshm_gmem_chunk_drop(struct ivshm_gmem_chunk *chunk)
{
	mmu_interval_notifier_remove(&chunk->notifier);
	ivshm_gmem_chunk_put(chunk);
}

void ivshm_gmem_view_free(struct ivshm_gmem_view *view)
{
	struct ivshm_gmem_chunk *chunk;
	unsigned long index;

	xa_for_each(&view->chunks, index, chunk) {
		ivshm_gmem_chunk_drop(chunk);
		cond_resched();
	}
	xa_destroy(&view->chunks);
	kvfree(view);
}

/* Put @view in place. Returns the old one, which nobody can look up in now. */
static struct ivshm_gmem_view *
ivshm_gmem_view_swap(struct ivshm_gmem *gm, struct ivshm_gmem_view *view)
{
	struct ivshm_gmem_view *old = gm->view;

	lockdep_assert_held(&gm->chunk_mutex);

	write_lock(&gm->lock);
	gm->view = view;
	memset(gm->cache, 0, sizeof(gm->cache));
	gm->generation++;
	write_unlock(&gm->lock);
	return old;
}

/*
 * The memory of the mirror grows with what the VMM does, so it is charged to
 * the VMM, like its page tables.  A kthread's own allocations are charged to
 * nobody.
 */
static struct mem_cgroup *ivshm_gmem_charge_begin(struct ivshm_gmem *gm,
						  struct mem_cgroup **old)
{
	struct mem_cgroup *memcg = get_mem_cgroup_from_mm(gm->mm);

	*old = set_active_memcg(memcg);
	return memcg;
}

static void ivshm_gmem_charge_end(struct mem_cgroup *memcg,
				  struct mem_cgroup *old)
{
	set_active_memcg(old);
	mem_cgroup_put(memcg);
}

static struct ivshm_gmem_chunk *ivshm_gmem_chunk_alloc(struct ivshm_gmem *gm,
						       u64 index)
{
	struct mem_cgroup *memcg, *old;
	struct ivshm_gmem_chunk *chunk;
	int err = -ENOMEM;

	memcg = ivshm_gmem_charge_begin(gm, &old);
	chunk = kzalloc(sizeof(*chunk), GFP_KERNEL_ACCOUNT);
	if (!chunk)
		goto out;
	chunk->entry = kcalloc(IVSHM_GMEM_CHUNK_PAGES, sizeof(*chunk->entry),
			       GFP_KERNEL_ACCOUNT);
	if (!chunk->entry)
		goto out_free;
	chunk->index = index;
	chunk->gm = gm;
	refcount_set(&chunk->refs, 1);
	err = mmu_interval_notifier_insert(&chunk->notifier, gm->mm,
					   index << IVSHM_GMEM_CHUNK_SHIFT,
					   IVSHM_GMEM_CHUNK_SIZE,
					   &ivshm_gmem_notifier_ops);
	if (!err)
		goto out;
	kfree(chunk->entry);
out_free:
	kfree(chunk);
	chunk = NULL;
out:
	ivshm_gmem_charge_end(memcg, old);
	return chunk ?: ERR_PTR(err);
}

struct ivshm_gmem_chunk *ivshm_gmem_chunk_get(struct ivshm_gmem *gm, u64 hva,
					      bool *fresh)
{
	u64 index = hva >> IVSHM_GMEM_CHUNK_SHIFT;
	struct ivshm_gmem_chunk *chunk;

	mutex_lock(&gm->chunk_mutex);
	chunk = xa_load(&gm->view->chunks, index);
	if (chunk)
		refcount_inc(&chunk->refs);
	mutex_unlock(&gm->chunk_mutex);

	*fresh = !chunk;
	return chunk ?: ivshm_gmem_chunk_alloc(gm, index);
}

/* Replace the view by one with the same table and no chunks. */
static int ivshm_gmem_flush(struct ivshm_gmem *gm)
{
	struct ivshm_gmem_view *view = ivshm_gmem_view_alloc(gm->view->n);

	lockdep_assert_held(&gm->chunk_mutex);

	if (!view)
		return -ENOMEM;
	memcpy(view->region, gm->view->region,
	       flex_array_size(view, region, view->n));
	ivshm_gmem_view_free(ivshm_gmem_view_swap(gm, view));
	return 0;
}

int ivshm_gmem_chunk_add(struct ivshm_gmem *gm, struct ivshm_gmem_chunk *chunk)
{
	struct mem_cgroup *memcg, *old;
	int err = 0;

	memcg = ivshm_gmem_charge_begin(gm, &old);
	mutex_lock(&gm->chunk_mutex);
	if (gm->view->nr_chunks >= IVSHM_GMEM_MAX_CHUNKS)
		err = ivshm_gmem_flush(gm);
	if (!err)
		err = xa_insert(&gm->view->chunks, chunk->index, chunk,
				GFP_KERNEL_ACCOUNT);
	if (!err) {
		refcount_inc(&chunk->refs);
		gm->view->nr_chunks++;
	}
	mutex_unlock(&gm->chunk_mutex);
	ivshm_gmem_charge_end(memcg, old);
	return err;
}

static int ivshm_gmem_cmp_region(const void *a, const void *b)
{
	const struct ivshm_gmem_region *ra = a, *rb = b;

	if (ra->gpa == rb->gpa)
		return 0;
	return ra->gpa < rb->gpa ? -1 : 1;
}

int ivshm_gmem_set_table(struct ivshm_gmem *gm,
			 const struct vhost_memory_region *regions, u32 n)
{
	struct ivshm_gmem_view *view, *old;
	u32 i;
	int err;

	if (n > IVSHM_GMEM_MAX_REGIONS)
		return -E2BIG;
	view = ivshm_gmem_view_alloc(n);
	if (!view)
		return -ENOMEM;

	for (i = 0; i < n; i++) {
		u64 gpa = regions[i].guest_phys_addr;
		u64 size = regions[i].memory_size;
		u64 hva = regions[i].userspace_addr;

		err = -EINVAL;
		if (regions[i].flags_padding)
			goto fail;
		err = -EFAULT;
		if (!size || gpa + (size - 1) < gpa)
			goto fail;
		/*
		 * Not access_ok(): it lets tagged addresses pass, under which
		 * no notifier would find the memory.
		 */
		if (hva >= TASK_SIZE_MAX || size > TASK_SIZE_MAX - hva)
			goto fail;
		view->region[i].gpa = gpa;
		view->region[i].last = gpa + (size - 1);
		view->region[i].hva = hva;
	}
	sort(view->region, n, sizeof(view->region[0]), ivshm_gmem_cmp_region,
	     NULL);
	err = -EINVAL;
	for (i = 1; i < n; i++)
		if (view->region[i].gpa <= view->region[i - 1].last)
			goto fail;

	mutex_lock(&gm->chunk_mutex);
	old = ivshm_gmem_view_swap(gm, view);
	mutex_unlock(&gm->chunk_mutex);
	ivshm_gmem_forget_bad(gm);
	ivshm_gmem_view_free(old);
	return 0;

fail:
	kvfree(view);
	return err;
}

u64 ivshm_gmem_gpa(const struct ivshm_gmem *gm, u64 hva)
{
	const struct ivshm_gmem_view *view = gm->view;
	const struct ivshm_gmem_region *r;
	u32 i;

	for (i = 0; i < view->n; i++) {
		r = &view->region[i];
		if (hva >= r->hva && hva - r->hva <= r->last - r->gpa)
			return r->gpa + (hva - r->hva);
	}
	return U64_MAX;
}
