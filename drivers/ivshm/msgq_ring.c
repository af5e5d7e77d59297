// SPDX-License-Identifier: GPL-2.0
/* Rings of message queues: their memory, their thread, and their end. */
#include <linux/cred.h>
#include <linux/eventfd.h>
#include <linux/file.h>
#include <linux/log2.h>
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/pid.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "msgq_ring.h"
#include "region.h"

static u64 rings_size(u32 entries)
{
	return PAGE_ALIGN(sizeof(struct ivshm_ring_head) +
			  entries * (sizeof(struct ivshm_ring_request) +
				     sizeof(struct ivshm_ring_result)));
}

/*
 * Memory
 */

static void rings_unmap(struct ivshm_rings *r)
{
	if (r->head)
		vunmap(r->head);
	while (r->nr_pages)
		put_page(r->pages[--r->nr_pages]);
	kvfree(r->pages);
}

/*
 * The range is claimed: its pages stay in their slots.  If the region is deleted they
 * are ours until the end.
 */
static int rings_map(struct ivshm_rings *r, unsigned long pgoff, unsigned int nr)
{
	struct page *page;

	r->pages = kvcalloc(nr, sizeof(*r->pages), GFP_KERNEL_ACCOUNT);
	if (!r->pages)
		return -ENOMEM;
	while (r->nr_pages < nr) {
		page = ivshm_region_get_page(r->q->region, pgoff + r->nr_pages);
		if (IS_ERR_OR_NULL(page))
			return page ? -EBUSY : -ENODEV;
		r->pages[r->nr_pages++] = page;
		if (unlikely(PageHWPoison(page)))
			return -EHWPOISON;
	}
	r->head = vmap(r->pages, nr, VM_MAP, PAGE_KERNEL);
	if (!r->head)
		return -ENOMEM;
	memset(r->head, 0, sizeof(*r->head));
	r->request = (void *)(r->head + 1);
	r->result = (void *)(r->request + r->entries);
	return 0;
}

struct ivshm_rings *ivshm_rings_new(struct ivshm_msgq *q, u64 offset, u32 entries)
{
	unsigned long pgoff = offset >> PAGE_SHIFT, nr = rings_size(entries) >> PAGE_SHIFT;
	struct ivshm_rings *r;
	int err;

	r = kzalloc(sizeof(*r), GFP_KERNEL_ACCOUNT);
	if (!r)
		return ERR_PTR(-ENOMEM);
	r->q = q;
	r->entries = entries;
	err = ivshm_region_claim(q->region, &r->claim, IVSHM_CLAIM_RINGS, pgoff, nr);
	if (err)
		goto free;
	err = rings_map(r, pgoff, nr);
	if (err)
		goto unmap;
	r->who.pid = get_pid(task_tgid(current));
	r->who.cred = get_current_cred();
	r->memcg = get_mem_cgroup_from_mm(current->mm);
	return r;

unmap:
	rings_unmap(r);
	ivshm_region_unclaim(q->region, &r->claim);
free:
	kfree(r);
	return ERR_PTR(err);
}

void ivshm_rings_free(struct ivshm_rings *r)
{
	rings_unmap(r);
	ivshm_region_unclaim(r->q->region, &r->claim);
	mem_cgroup_put(r->memcg);
	put_cred(r->who.cred);
	put_pid(r->who.pid);
	kfree(r);
}

/*
 * The thread
 */

static unsigned long rings_run(void *priv, unsigned long bits, u64 *deadline)
{
	struct ivshm_rings *r = priv;
	struct mem_cgroup *old = set_active_memcg(r->memcg);
	bool more = ivshm_rings_round(r);

	set_active_memcg(old);
	return more ? BIT(IVSHM_WORK_RINGS) : 0;
}

static int rings_kicked(wait_queue_entry_t *wait, unsigned int mode, int sync, void *key)
{
	struct ivshm_rings *r = container_of(wait, struct ivshm_rings, wait);

	if (key_to_poll(key) & EPOLLIN)
		ivshm_worker_wake(&r->worker, IVSHM_WORK_RINGS);
	return 0;
}

static void rings_queue(struct file *file, wait_queue_head_t *wqh, poll_table *pt)
{
	struct ivshm_rings *r = container_of(pt, struct ivshm_rings, pt);

	r->wqh = wqh;
	add_wait_queue(wqh, &r->wait);
}

/* The eventfds are the rings' if this succeeds. */
static int rings_start(struct ivshm_rings *r, struct file *kick, struct eventfd_ctx *call)
{
	int err;

	ivshm_worker_init(&r->worker, rings_run, r);
	err = ivshm_worker_start(&r->worker, r->q->region->name);
	if (err)
		return err;
	r->kick = kick;
	r->call = call;
	init_waitqueue_func_entry(&r->wait, rings_kicked);
	init_poll_funcptr(&r->pt, rings_queue);
	/* The worker looks at the rings as it is resumed: no kick is lost. */
	vfs_poll(kick, &r->pt);
	ivshm_worker_resume(&r->worker);
	return 0;
}

static void rings_stop(struct ivshm_rings *r)
{
	remove_wait_queue(r->wqh, &r->wait);
	ivshm_worker_stop(&r->worker);
	fput(r->kick);
	if (r->call)
		eventfd_ctx_put(r->call);
}

static void rings_set(struct ivshm_msgq *q, struct ivshm_rings *r)
{
	lockdep_assert_held(&q->rings_mutex);

	spin_lock_bh(&q->lock);
	q->rings = r;
	spin_unlock_bh(&q->lock);
}

void ivshm_rings_wake(struct ivshm_msgq *q)
{
	spin_lock_bh(&q->lock);
	if (q->rings)
		ivshm_worker_wake(&q->rings->worker, IVSHM_WORK_RINGS);
	spin_unlock_bh(&q->lock);
}

void ivshm_rings_end(struct ivshm_msgq *q)
{
	struct ivshm_rings *r;

	mutex_lock(&q->rings_mutex);
	r = q->rings;
	/* Nobody wakes it from here on, but the doorbell. */
	rings_set(q, NULL);
	if (r) {
		rings_stop(r);
		ivshm_rings_free(r);
	}
	mutex_unlock(&q->rings_mutex);
}

/*
 * The ioctl
 */

static int rings_check(const struct ivshm_msgq *q, const struct ivshm_msgq_rings *arg)
{
	u64 size = q->region->size;

	if (arg->flags || arg->reserved)
		return -EINVAL;
	if (!arg->entries)
		return arg->offset || arg->kick != -1 || arg->call != -1 ? -EINVAL : 0;
	if (arg->entries > IVSHM_MSGQ_RINGS_MAX || !is_power_of_2(arg->entries) ||
	    !PAGE_ALIGNED(arg->offset) || arg->offset > size ||
	    rings_size(arg->entries) > size - arg->offset || arg->call < -1)
		return -EINVAL;
	return 0;
}

static int rings_make(struct ivshm_msgq *q, const struct ivshm_msgq_rings *arg,
		      struct file *kick, struct eventfd_ctx *call)
{
	struct ivshm_rings *r;
	int err;

	if (q->rings)
		return -EALREADY;
	r = ivshm_rings_new(q, arg->offset, arg->entries);
	if (IS_ERR(r))
		return PTR_ERR(r);
	err = rings_start(r, kick, call);
	if (err)
		ivshm_rings_free(r);
	else
		rings_set(q, r);
	return err;
}

long ivshm_rings_ioctl(struct ivshm_msgq *q, void __user *argp)
{
	struct eventfd_ctx *call = NULL;
	struct ivshm_msgq_rings arg;
	struct file *kick;
	int err;

	err = ivshm_region_get_arg(&arg, sizeof(arg), sizeof(arg), argp) ?:
	      rings_check(q, &arg);
	if (err)
		return err;
	if (!arg.entries) {
		ivshm_rings_end(q);
		return 0;
	}
	kick = eventfd_fget(arg.kick);
	if (IS_ERR(kick))
		return PTR_ERR(kick);
	if (arg.call != -1) {
		call = eventfd_ctx_fdget(arg.call);
		if (IS_ERR(call)) {
			err = PTR_ERR(call);
			goto put_kick;
		}
	}
	mutex_lock(&q->rings_mutex);
	err = rings_make(q, &arg, kick, call);
	mutex_unlock(&q->rings_mutex);
	if (!err)
		return 0;
	if (call)
		eventfd_ctx_put(call);
put_kick:
	fput(kick);
	return err;
}
