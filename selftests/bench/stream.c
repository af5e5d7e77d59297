// SPDX-License-Identifier: GPL-2.0
/*
 * A stream: a thread for each guest. The first sends as fast as it can to the
 * second, and to the third if there is one; receivers acknowledge by frames of
 * their own, as TCP does, so that no more than a window is under way. Without a
 * window there are no acknowledgments, and the sender does not care.
 */
#include <pthread.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

/* Nothing arrived for so long: it is lost. */
#define LOST_MS		200

static bool stop;

/* What the first guest sent to the second, and gave up of that. */
static struct {
	__u64 sent, lost;
} flow;

static unsigned int may_send(const struct vm *vm)
{
	__s64 left = opt.window - (flow.sent - flow.lost - vm->acks);

	if (!opt.window)
		return opt.batch;
	return left < 0 ? 0 : left < opt.batch ? left : opt.batch;
}

static unsigned int send_some(struct vm *vm)
{
	unsigned int n;

	vm_reap(vm);
	n = vm_post(vm, &vms[1], may_send(vm), false, 0);
	flow.sent += n;
	/* A third guest gets as much as the second, and does not acknowledge. */
	if (n && opt.ports > 2)
		vm_post(vm, &vms[2], n, false, 0);
	lane_publish(&vm->tx);
	return n;
}

static void *sender(void *arg)
{
	struct vm *vm = arg;
	struct lane *rx = &vm->rx, *tx = &vm->tx, *lane[2] = { rx, tx };

	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		unsigned int work = vm_poll(vm, NAPI_BUDGET) + send_some(vm);
		unsigned int full = tx->nr_free ? 0 : (__u16)(tx->avail - tx->used) * 3 / 4;

		if (work)
			continue;
		lane_arm(rx, 0);
		/* The ring is full: wake up when three quarters of it are not. */
		if (full)
			lane_arm(tx, full);
		if (lane_pending(rx) || (full && lane_done(tx) > full))
			continue;
		if (!lanes_wait(lane, 2, LOST_MS) && !lane_pending(rx))
			flow.lost = flow.sent - vm->acks;
	}
	return NULL;
}

/* A guest that is slow, and does not take the host's processors for it. */
static void take_time(__u64 *until, unsigned int frames)
{
	__u64 now = now_ns();
	struct timespec ts;

	*until = now + (__u64)frames * opt.rx_ns;
	ts.tv_sec = *until / 1000000000;
	ts.tv_nsec = *until % 1000000000;
	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL);
}

static void *receiver(void *arg)
{
	struct vm *vm = arg;
	struct lane *lane[1] = { &vm->rx };
	__u64 acked = 0, until = 0;

	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		unsigned int work = vm_poll(vm, NAPI_BUDGET);

		if (work && opt.rx_ns)
			take_time(&until, work);
		if (opt.window && vm->id == 1 && vm->frames - acked >= (opt.window + 3) / 4) {
			vm_reap(vm);
			if (vm_post(vm, &vms[0], 1, true, vm->frames))
				acked = vm->frames;
			lane_publish(&vm->tx);
		}
		if (work)
			continue;
		lane_arm(&vm->rx, 0);
		if (!lane_pending(&vm->rx))
			lanes_wait(lane, 1, 100);
	}
	return NULL;
}

void stream_run(void)
{
	pthread_t thread[PORTS_MAX];
	unsigned int i, n = 0;
	struct snap a, b;
	__u64 sent, frames;

	opt.threads = true;
	for (i = 0; i < opt.ports; i++) {
		vms[i].frames = 0;
		/* A guest that stalls has its buffers posted, and does no more. */
		if (i == 2 && opt.stall)
			continue;
		pthread_create(&thread[n++], NULL, i ? receiver : sender, &vms[i]);
	}
	usleep(300000);
	sent = flow.sent;
	frames = vms[1].frames;
	snap_take(&a, false);
	/* Taking snapshots makes socket buffers of its own. */
	if (opt.probes)
		probes_on();
	usleep(opt.seconds * 1e6);
	if (opt.probes)
		probes_off();
	snap_take(&b, true);
	sent = flow.sent - sent;
	frames = vms[1].frames - frames;
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	while (n)
		pthread_join(thread[--n], NULL);
	snap_print(&a, &b);
	if (opt.ports > 2)
		printf(", \"pair_sent\": %llu, \"pair_frames\": %llu", sent, frames);
	if (opt.probes)
		probes_print(b.frames - a.frames, b.bytes - a.bytes, &a, &b);
}
