// SPDX-License-Identifier: GPL-2.0
/*
 * What a message takes, by its size and by how it comes to the receiver: alone, while a
 * virtual processor uses the first pages of the receiver's window, and in windows of
 * large pages.  For "bench"; as root, with the module loaded.
 *
 * A message is one that is made and used: the sender writes to each of its pages, the
 * receiver to each of those that it got, and what was shared goes back.  The ways take
 * turns, in the same windows.
 *
 * Two runs of the same differ by more than what is to be seen of "auto", since others
 * have the processors, too, now and then.  So it has its turn with that way which took
 * the least, one right after the other, many times.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "guest.h"
#include "msgq.h"

#define LARGEST	(64UL << 20)
#define LARGE_PAGE	(2UL << 20)
#define ROUNDS		5
/* Of turns; fewer of those that take long, which differ less. */
#define PAIRS		121
#define PAIRS_LONG	41
/* Of each kind in a turn. */
#define BYTES		(4UL << 20)
#define TIMES_MAX	100

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

struct way {
	const char *name;
	uint32_t how;
	uint32_t flags;
};

static const struct way ways[] = {
	{ "copy", IVSHM_MSGQ_COPY },
	{ "move", IVSHM_MSGQ_MOVE },
	{ "share", IVSHM_MSGQ_SHARE },
};

#define WAYS	ARRAY_SIZE(ways)

/* What it chooses from: the first so many of these. */
static const struct {
	struct way way;
	unsigned int of;
} autos[] = {
	{ { "auto", IVSHM_MSGQ_AUTO, IVSHM_MSGQ_MAY_SHARE }, 3 },
	{ { "unshared", IVSHM_MSGQ_AUTO, 0 }, 2 },
};

/* Writes to 16 pages of the window, on and on. */
static const uint8_t writer[] = {
	0xb8, 0x00, 0x10,		/*         mov   $0x1000, %ax */
	0x8e, 0xd8,			/*         mov   %ax, %ds */
	0x31, 0xdb,			/* round:  xor   %bx, %bx */
	0xff, 0x07,			/* page:   incw  (%bx) */
	0x81, 0xc3, 0x00, 0x10,		/*         add   $0x1000, %bx */
	0x75, 0xf8,			/*         jnz   page */
	0xeb, 0xf4,			/*         jmp   round */
};

static void die(const char *what, int err)
{
	fprintf(stderr, "cost: %s: %s\n", what, strerror(-err));
	exit(1);
}

static double now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1e6 + ts.tv_nsec / 1e3;
}

static void touch(const struct window *w, size_t size)
{
	size_t at;

	for (at = 0; at < size; at += PAGE)
		__atomic_fetch_add(w->at + at, 1, __ATOMIC_RELAXED);
}

/* One message. What was done. */
static uint32_t message(const struct window *a, const struct window *b, size_t size,
			const struct way *way)
{
	struct ivshm_msgq_send send = {
		.to = b->number, .len = size, .flags = way->flags,
	};
	struct ivshm_msgq_recv recv;
	int err;

	touch(a, size);
	do {
		send.how = way->how;
		err = msgq_send(a->fd, &send);
		/* Somebody looked at a page just then. */
	} while (err == -EBUSY);
	if (err)
		die("send", err);
	err = msgq_recv(b->fd, &recv);
	if (err)
		die("receive", err);
	touch(b, size);
	if (recv.how == IVSHM_MSGQ_SHARE)
		err = msgq_release(b->fd, recv.id);
	if (!err)
		err = msgq_post(b->fd, 0, (size + PAGE - 1) / PAGE * PAGE, 0);
	if (err)
		die("post", err);
	return recv.how;
}

/* Microseconds for each message, and what was done. */
static double turn(const struct window *a, const struct window *b, size_t size,
		   const struct way *way, uint32_t *did)
{
	unsigned long i, n = BYTES / size;
	double begin;

	n = n < 1 ? 1 : n > TIMES_MAX ? TIMES_MAX : n;
	/* What the way before this one has taken away comes back. */
	message(a, b, size, way);
	begin = now_us();
	for (i = 0; i < n; i++)
		*did = message(a, b, size, way);
	return (now_us() - begin) / n;
}

static void say(const char *with, size_t size, const char *name, double us)
{
	printf("bench: messages %s-%zu {\"path\": \"%s\", \"us_per_message\": %.4g",
	       with, size, name, us);
}

static int by_value(const void *one, const void *two)
{
	double a = *(const double *)one, b = *(const double *)two;

	return (a > b) - (a < b);
}

/* All ways that there are for such a size, and how long each takes. */
static void measure_ways(const struct window *a, const struct window *b, const char *with,
			 size_t size, double *median)
{
	unsigned int round, i, nr = size < PAGE ? 1 : WAYS;
	double us[WAYS][ROUNDS];
	uint32_t did;

	for (round = 0; round < ROUNDS; round++)
		for (i = 0; i < nr; i++) {
			us[i][round] = turn(a, b, size, &ways[i], &did);
			say(with, size, ways[i].name, us[i][round]);
			printf(", \"drops\": {}}\n");
		}
	for (i = 0; i < nr; i++) {
		qsort(us[i], ROUNDS, sizeof(us[i][0]), by_value);
		median[i] = us[i][ROUNDS / 2];
	}
	for (; i < WAYS; i++)
		median[i] = HUGE_VAL;
}

/* "Auto", and the best of those it has its choice of, in turn. */
static void measure_auto(const struct window *a, const struct window *b, const char *with,
			 size_t size, const double *median)
{
	unsigned int pairs = size > BYTES ? PAIRS_LONG : PAIRS;
	unsigned int kind, pair, i, best;
	double us[2] = { 0 };
	uint32_t did, other;

	for (kind = 0; kind < ARRAY_SIZE(autos); kind++) {
		best = 0;
		for (i = 1; i < autos[kind].of; i++)
			if (median[i] < median[best])
				best = i;
		for (pair = 0; pair < pairs; pair++) {
			/* Whoever comes first has no advantage of it. */
			for (i = 0; i < 2; i++)
				if ((i + pair) % 2)
					us[0] = turn(a, b, size, &autos[kind].way, &did);
				else
					us[1] = turn(a, b, size, &ways[best], &other);
			say(with, size, autos[kind].way.name, us[0]);
			printf(", \"did\": \"%s\", \"best\": \"%s\"",
			       ways[did - IVSHM_MSGQ_COPY].name, ways[best].name);
			printf(", \"best_us\": %.4g, \"drops\": {}}\n", us[1]);
		}
	}
}

/* With pages of that size, 0 for small ones. */
static int open_both(struct control *c, struct window *a, struct window *b, size_t page)
{
	int err = windows_open(c, a, b, LARGEST);

	if (err || !page)
		return err;
	window_close(a);
	window_close(b);
	region_del_all(c);
	return window_open(c, a, "a", LARGEST, page) ?: window_open(c, b, "b", LARGEST, page);
}

static void sizes(struct control *c, const char *with, size_t smallest, size_t page, int kvm)
{
	struct window a, b;
	double median[WAYS];
	struct guest guest;
	size_t size;
	int err;

	for (size = smallest; size <= LARGEST; size *= 4) {
		/* Anew, for there to be one slot only. */
		err = open_both(c, &a, &b, page);
		if (!err && kvm >= 0)
			err = guest_make(&guest, kvm, 0, writer, sizeof(writer), b.at, LARGEST);
		if (!err)
			err = msgq_post(b.fd, 0, (size + PAGE - 1) / PAGE * PAGE, 0);
		if (err)
			die("windows", err);
		if (kvm >= 0)
			guest_begin(&guest);
		measure_ways(&a, &b, with, size, median);
		measure_auto(&a, &b, with, size, median);
		if (kvm >= 0) {
			guest_end(&guest);
			guest_free(&guest);
		}
		windows_close(c, &a, &b);
		fflush(stdout);
	}
}

int main(void)
{
	int kvm = guest_kvm();
	struct control c;

	guest_keep_away();
	sizes(&c, "alone", 64, 0, -1);
	sizes(&c, "large", LARGE_PAGE, LARGE_PAGE, -1);
	if (kvm < 0) {
		fprintf(stderr, "cost: no KVM\n");
		return 1;
	}
	sizes(&c, "busy", 64, 0, kvm);
	return 0;
}
