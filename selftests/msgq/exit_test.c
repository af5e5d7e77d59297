// SPDX-License-Identifier: GPL-2.0
/*
 * What a message costs a running guest: told at once, an interrupt for which its
 * processor leaves the guest; deferred, nothing until it comes by itself. As root,
 * with KVM; the guests are loops in real mode, one with an interrupt handler, and one
 * with rings and a doorbell.
 *
 * Exits are those that messages add: what a guest that is left alone has in the same
 * time, for interrupts of the host's, is taken off.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "guest.h"
#include "side.h"

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

/* Where the other one counts messages, in its window, and its doorbell. */
#define TAKEN	0x1000
#define PORT	0xe0

/* One request, to receive, is in its rings; it rings, looks what came, and waits a while. */
static const uint8_t takes_messages[] = {
	0xb8, 0x00, 0x10,		/*         mov   $0x1000, %ax */
	0x8e, 0xd8,			/*         mov   %ax, %ds */
	0x66, 0xff, 0x06, 0x00, 0x00,	/* again:  incl  tail */
	0xe6, 0xe0,			/*         outb  %al, $0xe0 */
	0x66, 0xa1, 0x40, 0x00,		/* poll:   movl  done, %eax */
	0x66, 0x3b, 0x06, 0x00, 0x00,	/*         cmpl  tail, %eax */
	0x75, 0xf5,			/*         jne   poll */
	0x66, 0xa3, 0x04, 0x00,		/*         movl  %eax, taken */
	0x66, 0x83, 0x3e, 0x0c, 0x01, 0x00,	/* cmpl  $0, status */
	0x75, 0x05,			/*         jne   wait */
	0x66, 0xff, 0x06, 0x00, 0x10,	/*         incl  0x1000 */
	0xb9, 0x00, 0x40,		/* wait:   mov   $0x4000, %cx */
	0xe2, 0xfe,			/* pause:  loop  pause */
	0xeb, 0xd6,			/*         jmp   again */
};

FIXTURE(exits)
{
	struct control c;
	struct window a, b;
	struct guest g;
	int kvm, event;
	double rate;	/* of exits a second while it is left alone */
};

static uint32_t count(struct guest *g, size_t where)
{
	return __atomic_load_n((uint32_t *)(g->memory + where), __ATOMIC_ACQUIRE);
}

/*
 * Whether the processor can be told of an interrupt while it runs a guest: such
 * messages would cost no exit.
 */
static int posted_interrupts(void)
{
	static const char *const files[] = {
		"/sys/module/kvm_amd/parameters/avic",
		"/sys/module/kvm_intel/parameters/enable_apicv",
	};
	int posted = 0;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(files); i++) {
		int fd = open(files[i], O_RDONLY | O_CLOEXEC);
		char value = 'N';

		if (fd < 0)
			continue;
		posted |= read(fd, &value, 1) != 1 || value == 'Y' || value == '1';
		close(fd);
	}
	return posted;
}

FIXTURE_SETUP(exits)
{
	int64_t before;

	ASSERT_EQ(0, windows_open(&self->c, &self->a, &self->b, SIZE));
	self->kvm = guest_kvm();
	if (self->kvm < 0)
		return;
	guest_keep_away();
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
	before = guest_exits(&self->g);
	ASSERT_LE(0, before);
	usleep(300000);
	self->rate = (guest_exits(&self->g) - before) / 0.3;
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

/* A line of the table in Documentation/performance.rst. */
static void print_cost(struct __test_metadata *_metadata, const char *what, double *took,
		       double exits)
{
	qsort(took, TIMES, sizeof(*took), by_value);
	TH_LOG("%s: median %.0f us, 90 %% %.0f us, most %.0f us, exits for each %.2f", what,
	       took[TIMES / 2] * 1e6, took[TIMES * 9 / 10] * 1e6,
	       took[TIMES - 1] * 1e6, exits / TIMES);
}

TEST_F_TIMEOUT(exits, at_once, 120)
{
	struct ivshm_msgq_recv recv;
	struct guest *g = &self->g;
	double all, begin, took[TIMES];
	int64_t before, exits;
	int i;

	if (self->kvm < 0)
		SKIP(return, "no KVM");
	if (posted_interrupts())
		SKIP(return, "interrupts are posted: avic or enable_apicv is on");
	before = guest_exits(g);
	all = now();
	for (i = 0; i < TIMES; i++) {
		begin = now();
		ASSERT_EQ(0, send_deferred(&self->a, &self->b, 0));
		ASSERT_TRUE(wait_irqs(g, i + 1));
		took[i] = now() - begin;
		ASSERT_EQ(0, msgq_recv(self->b.fd, &recv));
	}
	exits = guest_exits(g) - before;
	EXPECT_LE(TIMES, exits);
	TH_LOG("%d messages, %u interrupts, %lld exits; no interrupts are posted", TIMES,
	       count(g, IRQS), (long long)exits);
	print_cost(_metadata, "at once", took, exits - self->rate * (now() - all));
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
	double all, begin, took[TIMES];
	int64_t before;
	int i;

	if (self->kvm < 0)
		SKIP(return, "no KVM");
	before = guest_exits(g);
	all = now();
	for (i = 0; i < TIMES; i++) {
		begin = now();
		ASSERT_EQ(0, send_deferred(&self->a, &self->b, 2000));
		ASSERT_TRUE(wait_irqs(g, i + 1));
		took[i] = now() - begin;
		EXPECT_LE(0.002, took[i]);
		ASSERT_EQ(0, msgq_recv(self->b.fd, &recv));
	}
	print_cost(_metadata, "deferred, after 2000 us", took,
		   guest_exits(g) - before - self->rate * (now() - all));
}

/* Whose guest takes messages by its rings, with a doorbell that it rings anyway. */
FIXTURE(doorbell)
{
	struct control c;
	struct window a, b;
	struct guest g;
	int kvm, event;
};

static uint32_t taken(struct window *b)
{
	return __atomic_load_n((uint32_t *)(b->at + TAKEN), __ATOMIC_ACQUIRE);
}

FIXTURE_SETUP(doorbell)
{
	struct ivshm_ring_request *request;

	ASSERT_EQ(0, windows_open(&self->c, &self->a, &self->b, SIZE));
	self->kvm = guest_kvm();
	if (self->kvm < 0)
		return;
	guest_keep_away();
	self->event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	ASSERT_LE(0, self->event);
	ASSERT_EQ(0, msgq_rings(self->b.fd, 0, 1, self->event, -1));
	request = (void *)(self->b.at + sizeof(struct ivshm_ring_head));
	*request = ask_op(IVSHM_RING_RECV);
	ASSERT_EQ(0, guest_make(&self->g, self->kvm, 0, takes_messages,
				sizeof(takes_messages), self->b.at, SIZE));
	ASSERT_EQ(0, guest_ioeventfd(&self->g, self->event, PORT));
	guest_begin(&self->g);
}

FIXTURE_TEARDOWN(doorbell)
{
	if (self->kvm >= 0) {
		guest_end(&self->g);
		guest_free(&self->g);
		close(self->kvm);
		close(self->event);
	}
	windows_close(&self->c, &self->a, &self->b);
}

/* Until that many messages were taken, or it is too long. */
static int wait_taken(struct window *b, uint32_t messages)
{
	double end = now() + 10;

	while (taken(b) != messages && now() < end)
		sched_yield();
	return taken(b) == messages;
}

/* Exits for each doorbell of so many, without messages; less than 0 if they do not come. */
static double exits_alone(struct guest *g, int event, uint64_t doorbells)
{
	int64_t before = guest_exits(g);
	double end = now() + 20;
	uint64_t rang = 0;

	for (; rang < doorbells && now() < end; sched_yield())
		rang += rings(event);
	return rang < doorbells ? -1 : (double)(guest_exits(g) - before) / rang;
}

/* It comes by itself, and has the message: no exit but those of its doorbell. */
TEST_F_TIMEOUT(doorbell, deferred, 120)
{
	double begin, took[TIMES], alone, more;
	struct window *a = &self->a, *b = &self->b;
	struct guest *g = &self->g;
	uint32_t messages = 0;
	struct peer_attrs at;
	uint64_t doorbells;
	int64_t exits;
	int i, round;

	if (self->kvm < 0)
		SKIP(return, "no KVM");
	/* Until all is mapped. */
	ASSERT_LE(0, exits_alone(g, self->event, TIMES));
	/* Again if the host's own interrupts were many just then. */
	for (round = 0; round < 5; round++) {
		alone = exits_alone(g, self->event, 2 * TIMES);
		ASSERT_LE(0, alone);
		exits = -guest_exits(g);
		for (i = 0; i < TIMES; i++) {
			begin = now();
			ASSERT_EQ(0, send_deferred(a, b, IVSHM_MSGQ_DEFER_US_MAX));
			ASSERT_TRUE(wait_taken(b, ++messages));
			took[i] = now() - begin;
		}
		exits += guest_exits(g);
		doorbells = rings(self->event);
		more = exits - alone * doorbells;
		TH_LOG("%d messages, %llu doorbells, %lld exits, %.2f for each doorbell before",
		       TIMES, (unsigned long long)doorbells, (long long)exits, alone);
		if (more < TIMES / 4)
			break;
	}
	EXPECT_GT(5, round);
	ASSERT_EQ(0, peer_get(&self->c, "a", "b", &at));
	EXPECT_EQ(messages, at.stat[STAT(DEFERRED_OWN)]);
	EXPECT_EQ(0, at.stat[STAT(SIGNALS)]);
	print_cost(_metadata, "deferred, until it rings", took, more);
}

TEST_HARNESS_MAIN
