// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit: the guest memory mirror against other threads, signals and death.
 */
#include <linux/anon_inodes.h>
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/file.h>
#include <linux/kmod.h>
#include <linux/kthread.h>
#include <linux/mman.h>
#include <linux/pagemap.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/umh.h>

#include "guest_mem_test.h"

#define GPA		0x100000ULL
#define STORM_PAGES	8
#define STORM_TIME	(3 * HZ)

/**
 * struct storm - a VMM that moves its memory around, and those who copy
 * @gt:		the context
 * @hva:	STORM_PAGES pages
 * @stable:	what the page is known to hold unless it is fresh; it grows
 * @turn:	turns of the storm
 * @stop:	the end
 * @errors:	wrong data
 * @copies:	right data
 * @failed:	first unexpected return value
 */
struct storm {
	struct gt *gt;
	unsigned long hva;
	u64 stable[STORM_PAGES];
	unsigned long turn;
	bool stop;
	atomic_t errors;
	atomic_t copies;
	int failed;
};

static struct task_struct *gt_thread(struct kunit *test, int (*fn)(void *),
				     void *data)
{
	struct task_struct *task = kthread_create(fn, data, "ivshm-gmem-test");

	KUNIT_ASSERT_FALSE(test, IS_ERR(task));
	get_task_struct(task);
	wake_up_process(task);
	return task;
}

static void gt_stop(struct task_struct *task)
{
	kthread_stop(task);
	put_task_struct(task);
}

static int storm_wait(void)
{
	while (!kthread_should_stop())
		schedule_timeout_interruptible(1);
	return 0;
}

/* Let the others have a processor: there may be fewer than threads. */
static void storm_breathe(u32 i)
{
	if (!i)
		usleep_range(10, 50);
	cond_resched();
}

/* Replaces one page after the other, each time with a higher number in it. */
static int storm_vmm(void *data)
{
	struct storm *s = data;
	u64 val;

	while (!READ_ONCE(s->stop)) {
		u32 i = s->turn++ % STORM_PAGES;
		unsigned long addr = s->hva + i * PAGE_SIZE;

		val = s->turn;
		/* Now and then a moment without any memory. */
		if (!(s->turn % 64))
			gt_munmap(s->gt, addr, PAGE_SIZE);
		if (gt_try_mmap(s->gt, NULL, addr, PAGE_SIZE,
				PROT_READ | PROT_WRITE, MAP_FIXED) != addr ||
		    gt_poke(s->gt, addr, &val, sizeof(val)))
			s->failed = -ENOMEM;
		/* Pairs with the reader's: the page was there before. */
		smp_store_release(&s->stable[i], val);
		if (!(s->turn % 16))
			usleep_range(50, 100);
		cond_resched();
	}
	return storm_wait();
}

/*
 * Looks at what the pages hold.  A number below the one that was complete
 * before the look-up is that of a page which was gone by then.
 */
static int storm_reader(void *data)
{
	struct storm *s = data;
	struct ivshm_gmem *gm = s->gt->gm;
	u32 i = 0;

	while (!READ_ONCE(s->stop)) {
		u64 least, val = 0;
		int n;

		i = (i + 1) % STORM_PAGES;
		ivshm_gmem_read_lock(gm);
		/* Pairs with the release of the one who replaces pages. */
		least = smp_load_acquire(&s->stable[i]);
		n = ivshm_gmem_read(gm, GPA + i * PAGE_SIZE, &val, sizeof(val));
		ivshm_gmem_read_unlock(gm);
		if (!n) {
			atomic_inc(&s->copies);
			if (val && val < least)
				atomic_inc(&s->errors);
		} else if (n != -EAGAIN && n != -EFAULT) {
			s->failed = n;
		}
		storm_breathe(i);
	}
	return storm_wait();
}

/* Writes behind the number; whether it arrives is seen by KASAN only. */
static int storm_writer(void *data)
{
	struct storm *s = data;
	struct ivshm_gmem *gm = s->gt->gm;
	struct kvec vec[2];
	u32 i = 0;
	int n;

	while (!READ_ONCE(s->stop)) {
		i = (i + 3) % STORM_PAGES;
		ivshm_gmem_read_lock(gm);
		n = ivshm_gmem_map(gm, GPA + i * PAGE_SIZE + 1024, PAGE_SIZE - 1024,
				   true, vec, 2);
		if (n > 0)
			memset(vec[0].iov_base, i, vec[0].iov_len);
		ivshm_gmem_read_unlock(gm);
		storm_breathe(i);
	}
	return storm_wait();
}

static int storm_worker(void *data)
{
	struct storm *s = data;
	int err;

	while (!READ_ONCE(s->stop)) {
		err = gt_settle(s->gt->gm);
		if (err)
			s->failed = err;
		usleep_range(10, 50);
	}
	return storm_wait();
}

static void gmem_storm(struct kunit *test)
{
	static int (*const fn[])(void *) = {
		storm_vmm, storm_reader, storm_writer, storm_worker, storm_reader,
	};
	struct task_struct *task[ARRAY_SIZE(fn)];
	struct gt *gt = test->priv;
	struct storm *s = kunit_kzalloc(test, sizeof(*s), GFP_KERNEL);
	u32 i;

	KUNIT_ASSERT_NOT_NULL(test, s);
	s->gt = gt;
	s->hva = gt_guest(test, GPA, STORM_PAGES * PAGE_SIZE);
	for (i = 0; i < ARRAY_SIZE(fn); i++)
		task[i] = gt_thread(test, fn[i], s);
	schedule_timeout_uninterruptible(STORM_TIME);
	WRITE_ONCE(s->stop, true);
	for (i = 0; i < ARRAY_SIZE(fn); i++)
		gt_stop(task[i]);
	kunit_info(test, "%lu turns, %d copies", s->turn, atomic_read(&s->copies));
	KUNIT_EXPECT_EQ(test, atomic_read(&s->errors), 0);
	KUNIT_EXPECT_EQ(test, s->failed, 0);
	KUNIT_EXPECT_GT(test, s->turn, 10);
	KUNIT_EXPECT_GT(test, atomic_read(&s->copies), 100);
}

/* New tables under traffic: what a look-up gives is always of the newest. */
static void gmem_storm_table(struct kunit *test)
{
	struct gt *gt = test->priv;
	struct storm *s = kunit_kzalloc(test, sizeof(*s), GFP_KERNEL);
	struct task_struct *reader, *writer, *worker;
	unsigned long end, area;
	u64 turn = 1, val;
	u32 i;

	KUNIT_ASSERT_NOT_NULL(test, s);
	s->gt = gt;
	area = gt_area(test, NULL, 2 * STORM_PAGES * PAGE_SIZE);
	gt_table(test, GPA, STORM_PAGES * PAGE_SIZE, area);
	reader = gt_thread(test, storm_reader, s);
	writer = gt_thread(test, storm_writer, s);
	worker = gt_thread(test, storm_worker, s);
	for (end = jiffies + STORM_TIME; time_before(jiffies, end); turn++) {
		u64 hva = area + (turn & 1) * STORM_PAGES * PAGE_SIZE;

		for (i = 0; i < STORM_PAGES; i++)
			gt_poke(gt, hva + i * PAGE_SIZE, &turn, sizeof(turn));
		if (gt_set_one(gt->gm, GPA, STORM_PAGES * PAGE_SIZE, hva, 0))
			s->failed = -ENOMEM;
		for (i = 0; i < STORM_PAGES; i++) {
			/* Pairs with the reader's: the table was in place. */
			smp_store_release(&s->stable[i], turn);
		}
		usleep_range(10, 500);
	}
	WRITE_ONCE(s->stop, true);
	gt_stop(worker);
	gt_stop(writer);
	gt_stop(reader);
	kunit_info(test, "%llu tables, %d copies", turn, atomic_read(&s->copies));
	KUNIT_EXPECT_EQ(test, atomic_read(&s->errors), 0);
	KUNIT_EXPECT_EQ(test, s->failed, 0);
	KUNIT_EXPECT_GT(test, turn, 10);
	KUNIT_EXPECT_GT(test, atomic_read(&s->copies), 100);

	KUNIT_EXPECT_EQ(test, gt_read(gt->gm, GPA, &val, sizeof(val)), 0);
	KUNIT_EXPECT_EQ(test, val, turn - 1);
}

struct pair {
	struct ivshm_gmem *a, *b;
	unsigned long rounds;
	bool stop;
};

static int pair_reader(void *data)
{
	struct pair *p = data;

	while (!READ_ONCE(p->stop)) {
		ivshm_gmem_read_lock2(p->a, p->b);
		p->rounds++;
		ivshm_gmem_read_unlock2(p->a, p->b);
		ivshm_gmem_read_lock2(p->a, p->a);
		ivshm_gmem_read_unlock2(p->a, p->a);
		cond_resched();
	}
	return storm_wait();
}

/* Two mirrors taken from both ends, and writers to both all the time. */
static void gmem_lock2(struct kunit *test)
{
	struct gt *gt = test->priv;
	unsigned long hva = gt_guest(test, GPA, PAGE_SIZE), end;
	struct ivshm_gmem *other = ivshm_gmem_create(gt->mm, NULL);
	struct pair ab = { .a = gt->gm, .b = other };
	struct pair ba = { .a = other, .b = gt->gm };
	struct task_struct *t1, *t2;
	u32 val = 1;

	KUNIT_ASSERT_FALSE(test, IS_ERR(other));
	KUNIT_EXPECT_EQ(test, gt_set_one(other, GPA, PAGE_SIZE, hva, 0), 0);
	t1 = gt_thread(test, pair_reader, &ab);
	t2 = gt_thread(test, pair_reader, &ba);
	for (end = jiffies + HZ; time_before(jiffies, end);) {
		if (gt_write(gt->gm, GPA, &val, 4) || gt_write(other, GPA, &val, 4) ||
		    gt_try_mmap(gt, NULL, hva, PAGE_SIZE, PROT_READ | PROT_WRITE,
				MAP_FIXED) != hva) {
			KUNIT_FAIL(test, "no memory");
			break;
		}
		cond_resched();
	}
	WRITE_ONCE(ab.stop, true);
	WRITE_ONCE(ba.stop, true);
	gt_stop(t1);
	gt_stop(t2);
	KUNIT_EXPECT_GT(test, ab.rounds, 10);
	KUNIT_EXPECT_GT(test, ba.rounds, 10);
	/* Nothing is left locked. */
	ivshm_gmem_destroy(other);
	KUNIT_EXPECT_EQ(test, ivshm_gmem_set_log(gt->gm, 0, 0, false), 0);
}

/* Pages that were unmapped after they were looked up must not get in. */
static void gmem_collision(struct kunit *test)
{
	struct gt *gt = test->priv;
	unsigned long hva = gt_guest(test, GPA, PAGE_SIZE);
	struct ivshm_gmem_chunk *chunk;
	struct page *page;
	unsigned long seq;
	u32 val = 1;

	KUNIT_ASSERT_EQ(test, gt_write(gt->gm, GPA, &val, 4), 0);
	chunk = xa_load(&gt->gm->view->chunks, hva >> IVSHM_GMEM_CHUNK_SHIFT);
	KUNIT_ASSERT_NOT_NULL(test, chunk);
	page = alloc_page(GFP_KERNEL | __GFP_ZERO);
	KUNIT_ASSERT_NOT_NULL(test, page);

	seq = mmu_interval_read_begin(&chunk->notifier);
	gt_munmap(gt, hva, PAGE_SIZE);
	KUNIT_EXPECT_FALSE(test, ivshm_gmem_publish(gt->gm, chunk, seq, hva, true,
						    &page, 1));
	KUNIT_EXPECT_NE(test, gt_probe(gt->gm, GPA, false), 1);
	KUNIT_EXPECT_FALSE(test, ivshm_gmem_publish(gt->gm, chunk, seq, hva, true,
						    NULL, 0));
	KUNIT_EXPECT_NE(test, gt_probe(gt->gm, GPA, false), -EOPNOTSUPP);

	seq = mmu_interval_read_begin(&chunk->notifier);
	KUNIT_EXPECT_TRUE(test, ivshm_gmem_publish(gt->gm, chunk, seq, hva, true,
						   &page, 1));
	KUNIT_EXPECT_EQ(test, gt_probe(gt->gm, GPA, true), 1);
	KUNIT_EXPECT_EQ(test, ivshm_gmem_set_table(gt->gm, NULL, 0), 0);
	__free_page(page);
}

/* The callback as the OOM killer calls it: it may not block, and it does not. */
static void gmem_atomic(struct kunit *test)
{
	struct gt *gt = test->priv;
	unsigned long hva = gt_guest(test, GPA, PAGE_SIZE);
	struct mmu_notifier_range range = {
		.mm = gt->mm,
		.start = hva,
		.end = hva + PAGE_SIZE,
		.event = MMU_NOTIFY_CLEAR,
	};
	struct ivshm_gmem_chunk *chunk;
	u32 val = 1;
	bool ret;

	KUNIT_ASSERT_EQ(test, gt_write(gt->gm, GPA, &val, 4), 0);
	chunk = xa_load(&gt->gm->view->chunks, hva >> IVSHM_GMEM_CHUNK_SHIFT);
	KUNIT_ASSERT_NOT_NULL(test, chunk);
	KUNIT_EXPECT_FALSE(test, mmu_notifier_range_blockable(&range));
	preempt_disable();
	ret = ivshm_gmem_notifier_ops.invalidate(&chunk->notifier, &range,
						 chunk->notifier.invalidate_seq);
	preempt_enable();
	KUNIT_EXPECT_TRUE(test, ret);
	KUNIT_EXPECT_EQ(test, gt_probe(gt->gm, GPA, false), -EAGAIN);
	KUNIT_EXPECT_EQ(test, gt_read(gt->gm, GPA, &val, 4), 0);
	KUNIT_EXPECT_EQ(test, val, 1);
}

/**
 * struct slow - a mapping whose fault waits, as userfaultfd does
 * @page:	what comes in the end
 * @go:		it comes now
 * @waiting:	somebody waits
 */
struct slow {
	struct page *page;
	struct completion go;
	struct completion waiting;
};

static vm_fault_t slow_fault(struct vm_fault *vmf)
{
	struct slow *slow = vmf->vma->vm_private_data;

	if (completion_done(&slow->go)) {
		get_page(slow->page);
		vmf->page = slow->page;
		return 0;
	}
	if (!fault_flag_allow_retry_first(vmf->flags) ||
	    !(vmf->flags & FAULT_FLAG_KILLABLE))
		return VM_FAULT_SIGBUS;
	mmap_read_unlock(vmf->vma->vm_mm);
	complete(&slow->waiting);
	if (!wait_for_completion_killable(&slow->go))
		complete_all(&slow->go);
	return VM_FAULT_RETRY;
}

static const struct vm_operations_struct slow_vm_ops = {
	.fault = slow_fault,
};

static int slow_mmap(struct file *file, struct vm_area_struct *vma)
{
	vma->vm_private_data = file->private_data;
	vma->vm_ops = &slow_vm_ops;
	return 0;
}

static const struct file_operations slow_fops = {
	.mmap = slow_mmap,
};

struct slow_worker {
	struct ivshm_gmem *gm;
	int ret, again;
};

static int slow_worker(void *data)
{
	struct slow_worker *w = data;

	allow_signal(SIGKILL);
	w->ret = ivshm_gmem_fault(w->gm);
	/* A signal that came counts, whether there is anything to do or not. */
	w->again = ivshm_gmem_fault(w->gm);
	return storm_wait();
}

static unsigned long slow_area(struct kunit *test, struct slow *slow)
{
	struct file *file;
	unsigned long hva;

	init_completion(&slow->go);
	init_completion(&slow->waiting);
	slow->page = alloc_page(GFP_KERNEL | __GFP_ZERO);
	KUNIT_ASSERT_NOT_NULL(test, slow->page);
	file = anon_inode_getfile("[ivshm-gmem-slow]", &slow_fops, slow, O_RDWR);
	KUNIT_ASSERT_FALSE(test, IS_ERR(file));
	hva = gt_area(test, file, PAGE_SIZE);
	fput(file);
	return hva;
}

/*
 * A worker that waits in a fault keeps nobody waiting: neither readers nor a
 * new table.  When the page comes at last, it is in the way of nothing.
 */
static void gmem_slow_fault(struct kunit *test)
{
	struct gt *gt = test->priv;
	struct slow_worker w = { .gm = gt->gm, .ret = 1 };
	struct slow *slow = kunit_kzalloc(test, sizeof(*slow), GFP_KERNEL);
	unsigned long hva, fast;
	struct task_struct *task;
	u32 val = 5;

	KUNIT_ASSERT_NOT_NULL(test, slow);
	hva = slow_area(test, slow);
	fast = gt_area(test, NULL, PAGE_SIZE);
	gt_table(test, GPA, PAGE_SIZE, hva);
	KUNIT_EXPECT_EQ(test, gt_probe(gt->gm, GPA, true), -EAGAIN);
	task = gt_thread(test, slow_worker, &w);
	wait_for_completion(&slow->waiting);
	KUNIT_EXPECT_EQ(test, gt_probe(gt->gm, GPA, true), -EAGAIN);
	gt_table(test, GPA, PAGE_SIZE, fast);
	gt_table(test, GPA, PAGE_SIZE, hva);
	complete_all(&slow->go);
	gt_stop(task);
	KUNIT_EXPECT_EQ(test, w.ret, 0);
	KUNIT_EXPECT_EQ(test, gt_write(gt->gm, GPA, &val, 4), 0);
	KUNIT_EXPECT_EQ(test, *(u32 *)page_address(slow->page), 5);
	gt_munmap(gt, hva, PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, page_count(slow->page), 1);
	__free_page(slow->page);
}

/* Stopping a worker that waits: the signal ends the wait. */
static void gmem_kill(struct kunit *test)
{
	struct gt *gt = test->priv;
	struct slow_worker w = { .gm = gt->gm, .ret = 1 };
	struct slow *slow = kunit_kzalloc(test, sizeof(*slow), GFP_KERNEL);
	struct task_struct *task;
	unsigned long hva;

	KUNIT_ASSERT_NOT_NULL(test, slow);
	hva = slow_area(test, slow);
	gt_table(test, GPA, PAGE_SIZE, hva);
	KUNIT_EXPECT_EQ(test, gt_probe(gt->gm, GPA, true), -EAGAIN);
	task = gt_thread(test, slow_worker, &w);
	wait_for_completion(&slow->waiting);
	send_sig(SIGKILL, task, 1);
	gt_stop(task);
	KUNIT_EXPECT_EQ(test, w.ret, -EINTR);
	KUNIT_EXPECT_EQ(test, w.again, -EINTR);
	/* Not bad, only late. */
	KUNIT_EXPECT_EQ(test, gt_probe(gt->gm, GPA, true), -EAGAIN);
	gt_munmap(gt, hva, PAGE_SIZE);
	__free_page(slow->page);
}

/* A process that lives until it is killed. */
static int victim_init(struct subprocess_info *info, struct cred *new)
{
	struct task_struct **task = info->data;

	*task = get_task_struct(current);
	return 0;
}

/*
 * The VMM dies: what was mirrored goes, and a fault says so once and for all
 * instead of being asked again and again.
 */
static void gmem_dead(struct kunit *test)
{
	static const char * const argv[] = { "/bin/sleep", "1000", NULL };
	static const char * const envp[] = { NULL };
	struct task_struct *victim = NULL;
	struct subprocess_info *info;
	struct gt *gt = test->priv;
	struct ivshm_gmem *gm;
	struct mm_struct *mm;
	unsigned long args;
	char buf[6] = {};
	int err, i;

	info = call_usermodehelper_setup(argv[0], (char **)argv, (char **)envp,
					 GFP_KERNEL, victim_init, NULL, &victim);
	KUNIT_ASSERT_NOT_NULL(test, info);
	err = call_usermodehelper_exec(info, UMH_WAIT_EXEC);
	mm = !err && victim ? get_task_mm(victim) : NULL;
	if (!mm) {
		if (victim)
			put_task_struct(victim);
		kunit_skip(test, "cannot run %s", argv[0]);
	}
	args = mm->arg_start;
	gm = ivshm_gmem_create(mm, gt->stats);
	mmput(mm);
	KUNIT_EXPECT_FALSE(test, IS_ERR(gm));
	if (IS_ERR(gm))
		goto out;
	KUNIT_EXPECT_EQ(test, gt_set_one(gm, 0, 2 * PAGE_SIZE, args & PAGE_MASK, 0), 0);
	KUNIT_EXPECT_EQ(test, gt_read(gm, args & ~PAGE_MASK, buf, 5), 0);
	KUNIT_EXPECT_STREQ(test, buf, "/bin/");

out:
	send_sig(SIGKILL, victim, 1);
	for (i = 0; i < 500 && atomic_read(&mm->mm_users); i++)
		msleep(20);
	if (!IS_ERR(gm)) {
		KUNIT_EXPECT_EQ(test, atomic_read(&mm->mm_users), 0);
		/* exit_mmap() may take a little longer. */
		for (i = 0; i < 500 && gt_probe(gm, args & ~PAGE_MASK, false) == 1; i++)
			msleep(20);
		KUNIT_EXPECT_EQ(test, gt_probe(gm, args & ~PAGE_MASK, false), -EAGAIN);
		KUNIT_EXPECT_TRUE(test, ivshm_gmem_missing(gm));
		KUNIT_EXPECT_EQ(test, ivshm_gmem_fault(gm), -ESRCH);
		KUNIT_EXPECT_EQ(test, gt_probe(gm, args & ~PAGE_MASK, false), -EFAULT);
		KUNIT_EXPECT_FALSE(test, ivshm_gmem_missing(gm));
		KUNIT_EXPECT_EQ(test, ivshm_gmem_fault(gm), -ESRCH);
		KUNIT_EXPECT_EQ(test, ivshm_gmem_user_copy(gm, 0, buf, 5, false), -ESRCH);
		ivshm_gmem_destroy(gm);
	}
	put_task_struct(victim);
}

static struct kunit_case gmem_race_cases[] = {
	KUNIT_CASE(gmem_storm),
	KUNIT_CASE(gmem_storm_table),
	KUNIT_CASE(gmem_lock2),
	KUNIT_CASE(gmem_collision),
	KUNIT_CASE(gmem_atomic),
	KUNIT_CASE(gmem_slow_fault),
	KUNIT_CASE(gmem_kill),
	KUNIT_CASE(gmem_dead),
	{}
};

static struct kunit_suite gmem_race_suite = {
	.name = "ivshm-gmem-race",
	.suite_init = gt_suite_init,
	.suite_exit = gt_suite_exit,
	.init = gt_init,
	.exit = gt_exit,
	.test_cases = gmem_race_cases,
};

kunit_test_suite(gmem_race_suite);
