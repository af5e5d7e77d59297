// SPDX-License-Identifier: GPL-2.0
/* Workers: the one thread that serves a queue pair, or the rings of a message queue. */
#include <linux/cgroup.h>
#include <linux/hrtimer.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/rcupdate.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>

#include "worker.h"

void ivshm_worker_init(struct ivshm_worker *w,
		       unsigned long (*run)(void *, unsigned long, u64 *),
		       void *priv)
{
	w->task = NULL;
	w->pending = 0;
	w->stats = NULL;
	w->run = run;
	w->priv = priv;
	init_completion(&w->paused);
	w->resumed = 0;
	w->rested = 0;
}

/*
 * Sleep until a bit of @w->pending is set or the deadline passes.  The state
 * is set before the bits are read; pairs with the order in
 * ivshm_worker_wake(), which sets a bit before it wakes.
 */
static void ivshm_worker_sleep(struct ivshm_worker *w, u64 deadline)
{
	ktime_t expires = ns_to_ktime(deadline);
	bool slept = false;

	for (;;) {
		set_current_state(TASK_INTERRUPTIBLE);
		if (READ_ONCE(w->pending) || kthread_should_stop())
			break;
		if (signal_pending(current)) {
			/* Meant for a fault that ended by itself. */
			__set_current_state(TASK_RUNNING);
			flush_signals(current);
			continue;
		}
		slept = true;
		if (deadline == U64_MAX) {
			schedule();
		} else if (!schedule_hrtimeout(&expires, HRTIMER_MODE_ABS)) {
			set_bit(IVSHM_WORK_PARK, &w->pending);
			break;
		}
	}
	__set_current_state(TASK_RUNNING);

	if (slept && w->stats)
		ivshm_stats_inc(w->stats, IVSHM_A_STAT_WAKEUPS);
}

/*
 * In a pause.  A worker told to stop leaves it without doing any more work.
 * The end of a pause is counted, as the next pause may begin before the thread
 * noticed.
 */
static void ivshm_worker_rest(struct ivshm_worker *w)
{
	complete(&w->paused);
	for (;;) {
		set_current_state(TASK_INTERRUPTIBLE);
		if (READ_ONCE(w->resumed) != w->rested || kthread_should_stop())
			break;
		if (signal_pending(current)) {
			__set_current_state(TASK_RUNNING);
			flush_signals(current);
			continue;
		}
		schedule();
	}
	__set_current_state(TASK_RUNNING);
	w->rested++;
	flush_signals(current);
}

static int ivshm_worker_thread(void *data)
{
	struct ivshm_worker *w = data;
	u64 deadline = U64_MAX;
	unsigned long bits, again;

	/*
	 * By the thread itself: the VMM need not have the rights that it takes
	 * to move a kernel thread between cpusets.
	 */
	w->err = cgroup_attach_task_all(w->vmm, current);
	/* ivshm_worker_pause() breaks off a fault with it. */
	allow_signal(SIGKILL);

	while (!kthread_should_stop()) {
		bits = xchg(&w->pending, 0);
		if (!bits) {
			ivshm_worker_sleep(w, deadline);
			continue;
		}
		/*
		 * Not ours: one that was for a fault that ended by itself, or
		 * somebody's with the right to send it.  With it no fault would
		 * ever end well again.  Who pauses us sends another.
		 */
		if (!(bits & BIT(IVSHM_WORK_STOP)) && signal_pending(current))
			flush_signals(current);
		/* What was asked for before the pause is done before it. */
		again = 0;
		if (bits & ~BIT(IVSHM_WORK_STOP)) {
			deadline = U64_MAX;
			again = w->run(w->priv, bits & ~BIT(IVSHM_WORK_STOP), &deadline);
		}
		if (bits & BIT(IVSHM_WORK_STOP)) {
			ivshm_worker_rest(w);
			/* Wake-ups may have been missed, rings may be others. */
			again |= BIT(IVSHM_WORK_TX) | BIT(IVSHM_WORK_RX) |
				 BIT(IVSHM_WORK_TAP_IN) | BIT(IVSHM_WORK_PARK);
		}
		if (again) {
			/* Not to be lost among those that others set meanwhile. */
			atomic_long_or(again, (atomic_long_t *)&w->pending);
			cond_resched();
		}
	}
	return 0;
}

int ivshm_worker_start(struct ivshm_worker *w, const char *name)
{
	struct task_struct *task;

	task = kthread_create(ivshm_worker_thread, w, "ivshm-%s", name);
	if (IS_ERR(task))
		return PTR_ERR(task);

	/*
	 * A guest that starts its device calls from a vCPU's thread, which may
	 * have a cgroup and a processor of its own: not for workers.
	 */
	rcu_read_lock();
	w->vmm = get_task_struct(current->group_leader);
	rcu_read_unlock();
	set_user_nice(task, task_nice(w->vmm));

	reinit_completion(&w->paused);
	w->resumed = 0;
	w->rested = 0;
	w->pending = BIT(IVSHM_WORK_STOP);
	w->held = true;
	w->task = task;
	wake_up_process(task);
	wait_for_completion(&w->paused);
	put_task_struct(w->vmm);
	w->vmm = NULL;
	if (w->err) {
		kthread_stop(task);
		w->task = NULL;
	}
	return w->err;
}

void ivshm_worker_stop(struct ivshm_worker *w)
{
	if (!w->task)
		return;
	ivshm_worker_pause(w);
	kthread_stop(w->task);
	w->task = NULL;
}

void ivshm_worker_pause(struct ivshm_worker *w)
{
	if (!w->task || w->held)
		return;
	w->held = true;
	ivshm_worker_wake(w, IVSHM_WORK_STOP);
	while (!wait_for_completion_timeout(&w->paused, HZ / 10))
		send_sig(SIGKILL, w->task, 1);
}

void ivshm_worker_resume(struct ivshm_worker *w)
{
	if (!w->task || !w->held)
		return;
	w->held = false;
	WRITE_ONCE(w->resumed, w->resumed + 1);
	wake_up_process(w->task);
}

void ivshm_worker_wake(struct ivshm_worker *w, enum ivshm_work work)
{
	/* Already set: whoever set it wakes, and the worker has yet to take it. */
	if (!test_and_set_bit(work, &w->pending))
		wake_up_process(w->task);
}
