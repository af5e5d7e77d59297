// SPDX-License-Identifier: GPL-2.0
/* When a receiver is told of messages: at once, as it comes, or in time. As root. */
#include <errno.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "msgq.h"

#define SIZE	(16 * PAGE)
/* Longer than any test takes. */
#define LONG	1000000

FIXTURE(defer)
{
	struct control c;
	struct window a, b;
	int event;
};

FIXTURE_SETUP(defer)
{
	ASSERT_EQ(0, windows_open(&self->c, &self->a, &self->b, SIZE));
	self->event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	ASSERT_LE(0, self->event);
	ASSERT_EQ(0, msgq_bind(self->b.fd, IVSHM_MSGQ_EVENT_RECV, self->event));
}

FIXTURE_TEARDOWN(defer)
{
	close(self->event);
	windows_close(&self->c, &self->a, &self->b);
}

/* Whoever asks for messages gets them, and nobody has told it. */
TEST_F(defer, taken)
{
	struct window *a = &self->a, *b = &self->b;
	struct ivshm_msgq_recv recv;
	struct peer_attrs at;

	EXPECT_EQ(0, send_deferred(a, b, LONG));
	EXPECT_EQ(0, rings(self->event));
	EXPECT_EQ(POLLOUT, polled(b->fd));
	EXPECT_EQ(0, msgq_recv(b->fd, &recv));
	EXPECT_EQ(0, rings(self->event));
	ASSERT_EQ(0, peer_get(&self->c, "a", "b", &at));
	EXPECT_EQ(0, at.stat[STAT(SIGNALS)]);
	EXPECT_EQ(1, at.stat[STAT(DEFERRED_OWN)]);
	EXPECT_EQ(0, at.stat[STAT(DEFERRED_TIMED)]);
}

/* Whoever comes for something else is told. */
TEST_F(defer, comes)
{
	struct window *a = &self->a, *b = &self->b;
	struct ivshm_region_ring ring = { .argsz = sizeof(ring), .peer = 99999 };
	struct ivshm_msgq_recv recv;
	struct ivshm_msgq_done done;

	EXPECT_EQ(0, send_deferred(a, b, LONG));
	EXPECT_EQ(0, msgq_post(b->fd, 0, PAGE, 0));
	EXPECT_EQ(1, rings(self->event));
	EXPECT_EQ(POLLIN | POLLOUT, polled(b->fd));
	EXPECT_EQ(0, msgq_recv(b->fd, &recv));
	EXPECT_EQ(0, send_deferred(a, b, LONG));
	EXPECT_EQ(0, rings(self->event));
	EXPECT_EQ(-EAGAIN, msgq_done(b->fd, &done));
	EXPECT_EQ(1, rings(self->event));
	EXPECT_EQ(0, msgq_recv(b->fd, &recv));
	EXPECT_EQ(0, send_deferred(a, b, LONG));
	EXPECT_EQ(-1, ioctl(b->fd, IVSHM_REGION_RING, &ring));
	EXPECT_EQ(1, rings(self->event));
	EXPECT_EQ(0, msgq_recv(b->fd, &recv));
}

/* In time, and not before. The first that is due counts. */
TEST_F(defer, timed)
{
	struct window *a = &self->a, *b = &self->b;
	struct pollfd p = { .fd = b->fd, .events = POLLIN };
	struct ivshm_msgq_recv recv;
	struct peer_attrs at;
	double begin;

	EXPECT_EQ(0, send_deferred(a, b, 500000));
	begin = now();
	EXPECT_EQ(0, send_deferred(a, b, 100000));
	EXPECT_EQ(0, send_deferred(a, b, LONG));
	EXPECT_EQ(0, rings(self->event));
	EXPECT_EQ(1, poll(&p, 1, 5000));
	EXPECT_LE(0.1, now() - begin);
	EXPECT_GT(0.4, now() - begin);
	EXPECT_EQ(1, rings(self->event));
	EXPECT_EQ(0, msgq_recv(b->fd, &recv));
	EXPECT_EQ(0, msgq_recv(b->fd, &recv));
	EXPECT_EQ(0, msgq_recv(b->fd, &recv));
	ASSERT_EQ(0, peer_get(&self->c, "a", "b", &at));
	EXPECT_EQ(3, at.stat[STAT(DEFERRED_TIMED)]);
	EXPECT_EQ(0, at.stat[STAT(SIGNALS)]);
	/* Once it was taken there is nothing to be told. */
	EXPECT_EQ(0, send_deferred(a, b, 50000));
	EXPECT_EQ(0, msgq_recv(b->fd, &recv));
	EXPECT_EQ(0, poll(&p, 1, 200));
	EXPECT_EQ(0, rings(self->event));
}

/* With one that is not deferred those before it come, too, in order. */
TEST_F(defer, with_another)
{
	struct window *a = &self->a, *b = &self->b;
	struct ivshm_msgq_recv recv;
	struct peer_attrs at;

	EXPECT_EQ(0, send_deferred(a, b, LONG));
	EXPECT_EQ(0, send_text(a, b, "now"));
	EXPECT_EQ(1, rings(self->event));
	EXPECT_EQ(0, send_deferred(a, b, LONG));
	EXPECT_EQ(0, rings(self->event));
	EXPECT_EQ(0, msgq_recv(b->fd, &recv));
	EXPECT_EQ(0, recv.inline_len);
	EXPECT_EQ(0, msgq_recv(b->fd, &recv));
	EXPECT_EQ(3, recv.inline_len);
	EXPECT_EQ(0, msgq_recv(b->fd, &recv));
	ASSERT_EQ(0, peer_get(&self->c, "a", "b", &at));
	EXPECT_EQ(1, at.stat[STAT(SIGNALS)]);
	EXPECT_EQ(2, at.stat[STAT(DEFERRED_OWN)]);
	EXPECT_EQ(0, at.stat[STAT(DEFERRED_TIMED)]);
}

/* A timer that is running when the queue ends. */
TEST_F(defer, ends)
{
	struct window *a = &self->a, *b = &self->b;
	int i;

	for (i = 0; i < 50; i++) {
		ASSERT_EQ(0, send_deferred(a, b, 100 + i * 20));
		usleep(i * 20);
		window_close(b);
		ASSERT_EQ(0, window_join(&self->c, b, "b"));
		ASSERT_EQ(0, msgq_attach(b->fd, 0, 0));
	}
}

TEST_HARNESS_MAIN
