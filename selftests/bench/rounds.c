// SPDX-License-Identifier: GPL-2.0
/*
 * Rounds: the first guest, or all, send a batch to the next one in turn, and
 * nobody goes on before all of it has arrived. All guests in one thread. With one processor and
 * workers that go before us this is lockstep: a kick returns when all is done,
 * and what passed in it is what the host needed for the batch.
 */
#include <stdlib.h>

#include "bench.h"

static unsigned int senders(void)
{
	return opt.all ? opt.ports : 1;
}

static struct vm *receiver(unsigned int from, unsigned int round)
{
	return &vms[(from + 1 + round % (opt.ports - 1)) % opt.ports];
}

static __u64 received(void)
{
	__u64 n = 0;
	unsigned int i;

	for (i = 0; i < opt.ports; i++)
		n += vms[i].frames;
	return n;
}

static unsigned int poll_all(void)
{
	unsigned int i, n = 0;

	for (i = 0; i < opt.ports; i++)
		n += vm_poll(&vms[i], NAPI_BUDGET);
	return n;
}

static void arm_all(void)
{
	unsigned int i;

	for (i = 0; i < opt.ports; i++)
		lane_arm(&vms[i].rx, 0);
}

static void round_wait(void)
{
	struct lane *lane[PORTS_MAX];
	unsigned int i;
	bool any = false;

	arm_all();
	for (i = 0; i < opt.ports; i++) {
		lane[i] = &vms[i].rx;
		any |= lane_pending(lane[i]);
	}
	if (!any && !lanes_wait(lane, opt.ports, 2000))
		die("frames are lost");
}

static void one_round(unsigned int round)
{
	unsigned int i, sent = 0;
	__u64 want = received();

	/* Guests with nothing to do wait for interrupts. */
	arm_all();
	for (i = 0; i < senders(); i++) {
		vm_reap(&vms[i]);
		sent += vm_post(&vms[i], receiver(i, round), opt.batch, false, round);
		lane_publish(&vms[i].tx);
	}
	for (want += sent; received() < want;)
		if (!poll_all())
			round_wait();
}

static unsigned int rounds_for(double seconds)
{
	struct snap now;
	__u64 end;
	unsigned int n = 0;

	snap_take(&now, true);
	end = now.ns + seconds * 1e9;
	for (;; n++) {
		one_round(n);
		if (n % 16)
			continue;
		snap_take(&now, true);
		if (now.ns >= end)
			return n + 1;
	}
}

void rounds_run(void)
{
	unsigned int n = opt.rounds, i;
	struct snap a, b;

	if (n) {
		for (i = 0; i < n / 10 + 10; i++)
			one_round(i);
	} else {
		n = rounds_for(0.3) / 0.3 * opt.seconds + 1;
	}
	snap_take(&a, false);
	/* Taking snapshots makes socket buffers of its own. */
	if (opt.probes)
		probes_on();
	for (i = 0; i < n; i++)
		one_round(i);
	if (opt.probes)
		probes_off();
	snap_take(&b, true);
	snap_print(&a, &b);
	if (opt.probes)
		probes_print(b.frames - a.frames, b.bytes - a.bytes, &a, &b);
}
