// SPDX-License-Identifier: GPL-2.0
/*
 * What a message costs a running guest: told at once, an interrupt for which its
 * processor leaves the guest; deferred, nothing until it comes by itself. As root,
 * with KVM; the guest is a loop in real mode with an interrupt handler.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "guest.h"
#include "msgq.h"

#define SIZE	(16 * PAGE)
#define TIMES	200
/* Where the guest counts, and its line. */
#define ROUNDS	0x800
#define IRQS	0x804
#define LINE	4

static const uint8_t counts_interrupts[] = {
	0x31, 0xc0,			/*         xor   %ax, %ax */
	0x8e, 0xd8,			/*         mov   %ax, %ds */
	0x8e, 0xd0,			/*         mov   %ax, %ss */
	0xbc, 0x00, 0x09,		/*         mov   $0x900, %sp */
	/* Vectors from 0x20 on, of which line 4 has the handler, others are off. */
	0xc7, 0x06, 0x90, 0x00, 0x2e, 0x10,	/* movw  $irq, 0x90 */
	0xa3, 0x92, 0x00,		/*         mov   %ax, 0x92 */
	0xb0, 0x11, 0xe6, 0x20,		/*         outb  $0x11, $0x20 */
	0xb0, 0x20, 0xe6, 0x21,		/*         outb  $0x20, $0x21 */
	0xb0, 0x04, 0xe6, 0x21,		/*         outb  $0x04, $0x21 */
	0xb0, 0x01, 0xe6, 0x21,		/*         outb  $0x01, $0x21 */
	0xb0, 0xef, 0xe6, 0x21,		/*         outb  $0xef, $0x21 */
	0xfb,				/*         sti */
	0x66, 0xff, 0x06, 0x00, 0x08,	/* round:  incl  0x800 */
	0xeb, 0xf9,			/*         jmp   round */
	0x50,				/* irq:    push  %ax */
	0x66, 0xff, 0x06, 0x04, 0x08,	/*         incl  0x804 */
	0xb0, 0x20, 0xe6, 0x20,		/*         outb  $0x20, $0x20 */
	0x58,				/*         pop   %ax */
	0xcf,				/*         iret */
};

FIXTURE(exits)
{
	struct control c;
	struct window a, b;
	struct guest g;
	int kvm, event;
};

static uint32_t count(struct guest *g, size_t where)
{
	return __atomic_load_n((uint32_t *)(g->memory + where), __ATOMIC_ACQUIRE);
}

FIXTURE_SETUP(exits)
{
	ASSERT_EQ(0, windows_open(&self->c, &self->a, &self->b, SIZE));
	self->kvm = guest_kvm();
	if (self->kvm < 0)
		return;
	ASSERT_EQ(0, peer_limit(&self->c, "a", "b", 1000, ~0ULL, ~0ULL));
	self->event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	ASSERT_LE(0, self->event);
	ASSERT_EQ(0, guest_make(&self->g, self->kvm, 1, counts_interrupts,
				sizeof(counts_interrupts), NULL, 0));
	ASSERT_EQ(0, guest_irqfd(&self->g, self->event, LINE));
	ASSERT_EQ(0, msgq_bind(self->b.fd, IVSHM_MSGQ_EVENT_RECV, self->event));
	guest_begin(&self->g);
	while (!count(&self->g, ROUNDS) && !atomic_load(&self->g.ended_by))
		usleep(1000);
	ASSERT_EQ(0, atomic_load(&self->g.ended_by));
	ASSERT_LE(0, guest_exits(&self->g));
}

FIXTURE_TEARDOWN(exits)
{
	if (self->kvm >= 0) {
		guest_end(&self->g);
		guest_free(&self->g);
		close(self->kvm);
		close(self->event);
	}
	windows_close(&self->c, &self->a, &self->b);
}

/* Until the guest has had that many interrupts, or it is too long. */
static int wait_irqs(struct guest *g, uint32_t irqs)
{
	double end = now() + 10;

	while (count(g, IRQS) != irqs && now() < end)
		sched_yield();
	return count(g, IRQS) == irqs;
}

static int by_value(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static void print_latency(struct __test_metadata *_metadata, const char *what,
			  double *took)
{
	qsort(took, TIMES, sizeof(*took), by_value);
	TH_LOG("%-16s median %6.0f us, 90 %% %6.0f us, most %6.0f us", what,
	       took[TIMES / 2] * 1e6, took[TIMES * 9 / 10] * 1e6,
	       took[TIMES - 1] * 1e6);
}

TEST_F_TIMEOUT(exits, at_once, 120)
{
	struct ivshm_msgq_recv recv;
	struct guest *g = &self->g;
	double begin, took[TIMES];
	int64_t before, exits;
	int i;

	if (self->kvm < 0)
		SKIP(return, "no KVM");
	before = guest_exits(g);
	for (i = 0; i < TIMES; i++) {
		begin = now();
		ASSERT_EQ(0, send_deferred(&self->a, &self->b, 0));
		ASSERT_TRUE(wait_irqs(g, i + 1));
		took[i] = now() - begin;
		ASSERT_EQ(0, msgq_recv(self->b.fd, &recv));
	}
	exits = guest_exits(g) - before;
	EXPECT_LE(TIMES, exits);
	TH_LOG("%d messages, %u interrupts, %lld exits", TIMES, count(g, IRQS),
	       (long long)exits);
	print_latency(_metadata, "at once:", took);
}

TEST_F_TIMEOUT(exits, deferred, 120)
{
	struct ivshm_msgq_recv recv[TIMES];
	struct guest *g = &self->g;
	struct peer_attrs at;
	int64_t before, exits;
	uint32_t rounds;
	int i;

	if (self->kvm < 0)
		SKIP(return, "no KVM");
	rounds = count(g, ROUNDS);
	before = guest_exits(g);
	for (i = 0; i < TIMES; i++) {
		ASSERT_EQ(0, send_deferred(&self->a, &self->b, IVSHM_MSGQ_DEFER_US_MAX));
	}
	exits = guest_exits(g) - before;
	EXPECT_EQ(0, count(g, IRQS));
	/* The host's own interrupts, of which there are not as many. */
	EXPECT_GT(TIMES / 2, exits);
	while (count(g, ROUNDS) == rounds)
		sched_yield();
	/* It comes for something else, and is told: once for all. */
	ASSERT_EQ(0, msgq_post(self->b.fd, 0, PAGE, 0));
	EXPECT_TRUE(wait_irqs(g, 1));
	EXPECT_EQ(TIMES, msgq_batch(self->b.fd, IVSHM_MSGQ_RECV, recv, sizeof(*recv),
				    TIMES));
	ASSERT_EQ(0, peer_get(&self->c, "a", "b", &at));
	EXPECT_EQ(TIMES, at.stat[STAT(DEFERRED_OWN)]);
	EXPECT_EQ(0, at.stat[STAT(SIGNALS)]);
	TH_LOG("%d messages, %u interrupt, %lld exits meanwhile", TIMES,
	       count(g, IRQS), (long long)exits);
}

/* At the latest after the time that the sender said. */
TEST_F_TIMEOUT(exits, in_time, 120)
{
	struct ivshm_msgq_recv recv;
	struct guest *g = &self->g;
	double begin, took[TIMES];
	int i;

	if (self->kvm < 0)
		SKIP(return, "no KVM");
	for (i = 0; i < TIMES; i++) {
		begin = now();
		ASSERT_EQ(0, send_deferred(&self->a, &self->b, 2000));
		ASSERT_TRUE(wait_irqs(g, i + 1));
		took[i] = now() - begin;
		EXPECT_LE(0.002, took[i]);
		ASSERT_EQ(0, msgq_recv(self->b.fd, &recv));
	}
	print_latency(_metadata, "within 2000 us:", took);
}

TEST_HARNESS_MAIN
