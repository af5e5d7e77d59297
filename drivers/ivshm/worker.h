/* SPDX-License-Identifier: GPL-2.0 */
/* Workers: the one thread that serves a queue pair, or the rings of a message queue. */
#ifndef _IVSHM_WORKER_H
#define _IVSHM_WORKER_H

#include <linux/bits.h>
#include <linux/completion.h>
#include <linux/types.h>

#include "stats.h"

struct task_struct;

/* Reasons to wake a worker; a bit set stays set until the worker takes it. */
enum ivshm_work {
	IVSHM_WORK_TX,		/* the guest made frames available */
	IVSHM_WORK_RX,		/* the guest made receive buffers available */
	IVSHM_WORK_TAP_IN,	/* the tap has frames */
	IVSHM_WORK_TAP_OUT,	/* the tap takes frames again */
	IVSHM_WORK_FAULT,	/* pages of the mirror are missing */
	IVSHM_WORK_PARK,	/* a receiver that we wait for changed */
	IVSHM_WORK_BOUNCE,	/* somebody left frames in kernel buffers */
	IVSHM_WORK_LOG,		/* something was written to the dirty log */
	IVSHM_WORK_RINGS,	/* the guest has requests for its message queue */
	IVSHM_WORK_STOP,	/* pause, see ivshm_worker_pause() */
};

/**
 * struct ivshm_worker - a thread and what it has to do
 * @task:	the thread, NULL before ivshm_worker_start()
 * @pending:	bits of enum ivshm_work
 * @stats:	where wake-ups are counted; NULL to count nothing
 * @run:	does the work given in bits; returns the bits to do again.
 *		*@deadline is the time (ktime, ns) at which it wants to be called
 *		with IVSHM_WORK_PARK at the latest, U64_MAX for never
 * @priv:	for @run
 * @vmm:	whose cgroups the thread joins as it starts; held until it has
 * @err:	what came of that
 * @paused:	completed each time the worker stops for a pause
 * @resumed:	pauses that were ended, counted by those who end them
 * @rested:	and by the thread
 * @held:	paused; for those who pause and resume
 */
struct ivshm_worker {
	struct task_struct *task;
	unsigned long pending;
	struct ivshm_stats __percpu *stats;
	unsigned long (*run)(void *priv, unsigned long bits, u64 *deadline);
	void *priv;
	struct task_struct *vmm;
	int err;
	struct completion paused;
	u32 resumed;
	u32 rested;
	bool held;
};

void ivshm_worker_init(struct ivshm_worker *w,
		       unsigned long (*run)(void *, unsigned long, u64 *),
		       void *priv);
/*
 * Start the thread, called @name, paused, in the cgroups of the caller's process:
 * those of its first thread.
 * May sleep. 0 or a negative errno.
 */
int ivshm_worker_start(struct ivshm_worker *w, const char *name);
/* End the thread, paused or not. May sleep. */
void ivshm_worker_stop(struct ivshm_worker *w);

/*
 * Stop the worker between two rounds of work until ivshm_worker_resume(), or do
 * nothing if it is paused. A fault that the worker waits in is broken off by a signal. Callers
 * serialise. May sleep.
 */
void ivshm_worker_pause(struct ivshm_worker *w);
void ivshm_worker_resume(struct ivshm_worker *w);

/* Wake for @work. Any context. */
void ivshm_worker_wake(struct ivshm_worker *w, enum ivshm_work work);
/* Whether something else than the current work waits; for busy loops. */
static inline bool ivshm_worker_pending(const struct ivshm_worker *w)
{
	return READ_ONCE(w->pending);
}

/* Whether it is about to be paused; for those whose work is made of small pieces. */
static inline bool ivshm_worker_pausing(const struct ivshm_worker *w)
{
	return READ_ONCE(w->pending) & BIT(IVSHM_WORK_STOP);
}

#endif /* _IVSHM_WORKER_H */
