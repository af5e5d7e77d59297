// SPDX-License-Identifier: GPL-2.0
/*
 * The two full barriers of the ring, on two CPUs.
 *
 *	driver				device
 *	available index = n + 1		avail_event = n (or flags = 0)
 *	full barrier			full barrier (in enable_kick)
 *	avail_event (flags)?		available index?
 *
 * One of the two must see what the other wrote, or the device sleeps while a
 * buffer waits. The same the other way round for used buffers.  Driver and
 * device meet here as closely as they can, some million times; built without
 * sanitizers, which would keep them apart.
 */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <time.h>

#include "vring_mock.h"

#define NUM		16
/* Longer than a busy machine keeps a thread from running */
#define LOST_SECONDS	10

enum { KICK, CALL };

static struct mock_ring r;
static const char *lost;
static bool stop;
static bool kicked, called;
static int side;
static u64 rounds;
static unsigned int seconds = 3;
static cpu_set_t cpus;

static u32 random_next(u64 *state)
{
	*state = *state * 6364136223846793005ULL + 1442695040888963407ULL;
	return *state >> 33;
}

static void delay(u64 *state)
{
	u32 n = random_next(state) % 128;

	while (n--)
		__asm__ volatile("");
}

static time_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec;
}

/* The nth of those this process may use */
static void on_cpu(int n)
{
	cpu_set_t one;
	int i;

	for (i = 0; i < CPU_SETSIZE; i++)
		if (CPU_ISSET(i, &cpus) && !n--)
			break;
	CPU_ZERO(&one);
	CPU_SET(i, &one);
	pthread_setaffinity_np(pthread_self(), sizeof(one), &one);
}

/* The other side may need this CPU to run at all. */
static void relax(u32 *spins)
{
	if (!(++*spins % 1024))
		sched_yield();
}

/* Spin until *flag, or for too long. */
static bool wait_for(bool *flag, const char *who)
{
	time_t end = now() + LOST_SECONDS;
	u32 spins = 0;

	while (!__atomic_exchange_n(flag, false, __ATOMIC_SEQ_CST)) {
		if (READ_ONCE(stop))
			return false;
		relax(&spins);
		if (!(spins % 1024) && now() > end) {
			lost = who;
			WRITE_ONCE(stop, true);
			return false;
		}
	}
	return true;
}

static bool driver_must_kick(u16 old, u16 new)
{
	/* The available index before the device's wish */
	smp_mb();
	if (!r.vr.event_idx)
		return !(mock_used_flags(&r.m) & VRING_USED_F_NO_NOTIFY);
	return (u16)(new - mock_avail_event(&r.m) - 1) < (u16)(new - old);
}

/* Waits for the used entry behind @seen with a notification. */
static void driver_sleep(u16 seen)
{
	WRITE_ONCE(called, false);
	if (r.vr.event_idx)
		mock_set_used_event(&r.m, seen);
	else
		mock_set_avail_flags(&r.m, 0);
	/* Our wish before the used index */
	smp_mb();
	if (mock_used_idx(&r.m) == seen)
		wait_for(&called, "driver");
	if (!r.vr.event_idx)
		mock_set_avail_flags(&r.m, VRING_AVAIL_F_NO_INTERRUPT);
}

static void *driver(void *arg)
{
	time_t end = now() + seconds;
	u64 state = 1;
	u32 spins = 0;
	u16 idx = 0;

	(void)arg;
	on_cpu(0);
	for (rounds = 0; !READ_ONCE(stop); rounds++) {
		if (!(rounds % 64) && now() >= end)
			break;
		delay(&state);
		mock_put16(&r.m, r.m.avail + 4 + 2 * (idx % NUM), idx % NUM);
		/* The entry before the index that covers it */
		smp_wmb();
		mock_set_avail_idx(&r.m, ++idx);
		if (driver_must_kick(idx - 1, idx))
			WRITE_ONCE(kicked, true);
		if (side == CALL) {
			delay(&state);
			driver_sleep(idx - 1);
		}
		while (mock_used_idx(&r.m) != idx && !READ_ONCE(stop))
			relax(&spins);
	}
	WRITE_ONCE(stop, true);
	return NULL;
}

static void device(void)
{
	u64 state = 2;
	u32 spins = 0;
	int err;

	on_cpu(1);
	while (!READ_ONCE(stop)) {
		ivshm_vring_disable_kick(&r.vr);
		err = mock_ring_pop(&r);
		if (!err) {
			if (side == CALL)
				delay(&state);
			mock_ring_push(&r, r.chain.head, 0);
			if (ivshm_vring_should_signal(&r.vr))
				WRITE_ONCE(called, true);
		} else if (side == KICK) {
			WRITE_ONCE(kicked, false);
			if (!ivshm_vring_enable_kick(&r.vr))
				wait_for(&kicked, "device");
		} else {
			relax(&spins);
		}
	}
}

static void run(int which, u32 features)
{
	pthread_t drv;
	u32 i;

	side = which;
	stop = false;
	mock_ring_init(&r, NUM, MOCK_LE | features);
	/* It would take time between a write and the barrier. */
	r.vr.log_used = false;
	if (mock_ring_map(&r))
		lost = "memory";
	for (i = 0; i < NUM; i++)
		mock_desc(&r.m, i, MOCK_DATA, 1, 0, 0);
	mock_ring_start(&r, 0);
	mock_set_avail_flags(&r.m, VRING_AVAIL_F_NO_INTERRUPT);
	pthread_create(&drv, NULL, driver, NULL);
	device();
	pthread_join(drv, NULL);
	printf("# %llu rounds, %s, %s\n", rounds,
	       side == KICK ? "device sleeps" : "driver sleeps",
	       features ? "events" : "flags");
	if (lost)
		printf("# the %s waited in vain\n", lost);
	mock_ring_exit(&r);
}

int main(int argc, char **argv)
{
	if (argc > 1)
		seconds = atoi(argv[1]);
	sched_getaffinity(0, sizeof(cpus), &cpus);
	if (CPU_COUNT(&cpus) < 2) {
		printf("# needs two CPUs\n");
		return 4;
	}
	run(KICK, 0);
	if (!lost)
		run(KICK, MOCK_EVENT_IDX);
	if (!lost)
		run(CALL, 0);
	if (!lost)
		run(CALL, MOCK_EVENT_IDX);
	return !!lost;
}
