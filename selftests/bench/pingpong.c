// SPDX-License-Identifier: GPL-2.0
/*
 * One frame there, one back, again and again. The driver looks at its rings all
 * the time, as a guest that polls; the workers are driven by kicks.
 */
#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

#include "bench.h"

/* Workers of one processor need it now and then. */
#define SPINS	100000

static void pass(struct vm *from, struct vm *to)
{
	__u64 want = to->frames + 1, spins = 0;

	vm_reap(from);
	vm_post(from, to, 1, false, 0);
	lane_publish(&from->tx);
	while (to->frames != want) {
		if (vm_poll(to, NAPI_BUDGET))
			continue;
		__builtin_ia32_pause();
		if (++spins % SPINS)
			continue;
		usleep(100);
		if (spins > 1000 * SPINS)
			die("a frame is lost");
	}
}

static int compare(const void *a, const void *b)
{
	__u32 x = *(const __u32 *)a, y = *(const __u32 *)b;

	return x < y ? -1 : x > y;
}

void pingpong_run(void)
{
	unsigned int n = opt.rounds ?: 1000, i;
	__u32 *trip = calloc(n, sizeof(*trip));
	struct snap a, b;
	cpu_set_t cpu;

	/* On one processor, and the workers on others if there are any. */
	CPU_ZERO(&cpu);
	CPU_SET(0, &cpu);
	sched_setaffinity(0, sizeof(cpu), &cpu);
	for (i = 0; i < 200; i++) {
		pass(&vms[0], &vms[1]);
		pass(&vms[1], &vms[0]);
	}
	snap_take(&a, false);
	for (i = 0; i < n; i++) {
		__u64 t = now_ns();

		pass(&vms[0], &vms[1]);
		pass(&vms[1], &vms[0]);
		trip[i] = now_ns() - t;
	}
	snap_take(&b, true);
	snap_print(&a, &b);
	qsort(trip, n, sizeof(*trip), compare);
	printf(", \"round_trips\": %u, \"p50_us\": %.3f, \"p99_us\": %.3f", n,
	       trip[n / 2] / 1e3, trip[n * 99 / 100] / 1e3);
}
