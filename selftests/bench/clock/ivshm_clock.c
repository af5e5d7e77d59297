// SPDX-License-Identifier: GPL-2.0
/*
 * Run time of the threads that serve rings, in ticks of the time stamp counter.
 *
 * User-mode Linux itself knows run times to a hundredth of a second. The
 * tracepoint of the scheduler tells when a thread is chosen and when the next one
 * is; what lies between is its own, with its switch, its softirqs, and those
 * that had to be left to ksoftirqd. One processor.
 *
 * Run times so long that no batch needs them are those in which the machine
 * below gave the processor to somebody else. They are only counted.
 */
#include <linux/bits.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/string.h>
#include <linux/tracepoint.h>

/* Between a fifth and a half of a millisecond. */
#define TOO_LONG	BIT(20)

static unsigned long long ticks;
module_param(ticks, ullong, 0444);
MODULE_PARM_DESC(ticks, "what they ran so far");

static unsigned long long runs;
module_param(runs, ullong, 0444);
MODULE_PARM_DESC(runs, "how often");

static unsigned long long stolen;
module_param(stolen, ullong, 0444);
MODULE_PARM_DESC(stolen, "how often besides, for too long");

static struct tracepoint *sched_switch;
static unsigned long long since;

static bool serves_rings(const struct task_struct *task)
{
	return task->flags & PF_KTHREAD &&
	       (!strncmp(task->comm, "ivshm-", 6) || !strncmp(task->comm, "vhost-", 6) ||
		!strncmp(task->comm, "ksoftirqd/", 10));
}

static void switched(void *data, bool preempt, struct task_struct *prev,
		     struct task_struct *next, unsigned int prev_state)
{
	unsigned long long now = __builtin_ia32_rdtsc();

	if (since && now - since > TOO_LONG) {
		stolen++;
	} else if (since) {
		ticks += now - since;
		runs++;
	}
	since = serves_rings(next) ? now : 0;
}

static void is_it(struct tracepoint *tp, void *data)
{
	if (!strcmp(tp->name, "sched_switch"))
		sched_switch = tp;
}

static int __init clock_init(void)
{
	for_each_kernel_tracepoint(is_it, NULL);
	if (!sched_switch)
		return -ENOENT;
	return tracepoint_probe_register(sched_switch, switched, NULL);
}

static void __exit clock_exit(void)
{
	tracepoint_probe_unregister(sched_switch, switched, NULL);
	tracepoint_synchronize_unregister();
}

module_init(clock_init);
module_exit(clock_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Run time of vhost's and ivshm's workers, for selftests/bench");
