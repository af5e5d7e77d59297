// SPDX-License-Identifier: GPL-2.0
/*
 * What a message takes, by its size and by how it comes to the receiver: alone, while a
 * virtual processor uses the first pages of the receiver's window, and in windows of
 * large pages.  For "bench"; as root, with the module loaded.
 *
 * A message is one that is made and used: the sender writes to each of its pages, the
 * receiver to each of those that it got, and what was shared goes back.  The ways take
 * turns, in the same windows.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "guest.h"
#include "msgq.h"

#define LARGEST	(64UL << 20)
#define LARGE_PAGE	(2UL << 20)
#define ROUNDS		7
/* Of each kind in a round. */
#define BYTES		(16UL << 20)
#define TIMES_MIN	2
#define TIMES_MAX	400

static const struct {
	const char *name;
	uint32_t how;
} ways[] = {
	{ "copy", IVSHM_MSGQ_COPY },
	{ "move", IVSHM_MSGQ_MOVE },
	{ "share", IVSHM_MSGQ_SHARE },
	{ "auto", IVSHM_MSGQ_AUTO },
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

/* One message. Whether its pages moved. */
static int message(const struct window *a, const struct window *b, size_t size, uint32_t how)
{
	struct ivshm_msgq_send send = { .to = b->number, .len = size };
	struct ivshm_msgq_recv recv;
	int err;

	touch(a, size);
	do {
		send.how = how;
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
	return recv.how == IVSHM_MSGQ_MOVE;
}

static void measure(const struct window *a, const struct window *b, const char *with,
		    unsigned int way, size_t size)
{
	unsigned long i, n = BYTES / size, moved = 0;
	double begin;

	n = n < TIMES_MIN ? TIMES_MIN : n > TIMES_MAX ? TIMES_MAX : n;
	/* What the way before this one has taken away comes back. */
	message(a, b, size, ways[way].how);
	begin = now_us();
	for (i = 0; i < n; i++)
		moved += message(a, b, size, ways[way].how);
	printf("bench: messages %s-%zu {\"path\": \"%s\", \"us_per_message\": %.4g",
	       with, size, ways[way].name, (now_us() - begin) / n);
	printf(", \"moved\": %.2f, \"drops\": {}}\n", (double)moved / n);
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
	struct guest guest;
	unsigned int round, way;
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
		for (round = 0; round < ROUNDS; round++)
			for (way = 0; way < 4; way++)
				if (size >= PAGE || way == 0 || way == 3)
					measure(&a, &b, with, way, size);
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
