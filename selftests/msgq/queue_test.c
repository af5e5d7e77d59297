// SPDX-License-Identifier: GPL-2.0
/* Message queues: what is sent is received, and no more waits than may. As root. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "msgq.h"

#define SIZE	(64 * PAGE)
#define LONG	(32 * MIB)

FIXTURE(queue)
{
	struct control c;
	struct window a, b;
	int event;
};

FIXTURE_SETUP(queue)
{
	ASSERT_EQ(0, windows_open(&self->c, &self->a, &self->b, SIZE));
	self->event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	ASSERT_LE(0, self->event);
}

FIXTURE_TEARDOWN(queue)
{
	close(self->event);
	windows_close(&self->c, &self->a, &self->b);
}

TEST_F(queue, copied)
{
	struct window *a = &self->a, *b = &self->b;
	struct ivshm_msgq_recv recv;
	struct ivshm_msgq_send send = {
		.to = b->number, .offset = 5 * PAGE + 100, .len = 3 * PAGE,
		.how = IVSHM_MSGQ_COPY, .inline_len = 5, .data = "hello",
	};
	int i;

	for (i = 0; i < SIZE; i++)
		a->at[i] = i * 7 + i / 256;
	memset(b->at, 0x11, SIZE);
	ASSERT_EQ(0, msgq_post(b->fd, 8 * PAGE, 4 * PAGE, 4711));
	EXPECT_EQ(POLLOUT, polled(b->fd));
	ASSERT_EQ(0, msgq_send(a->fd, &send));
	EXPECT_EQ(IVSHM_MSGQ_COPY, send.how);
	EXPECT_EQ(POLLIN | POLLOUT, polled(b->fd));

	memset(&recv, 0xff, sizeof(recv));
	ASSERT_EQ(0, msgq_recv(b->fd, &recv));
	EXPECT_EQ(0, recv.id);
	EXPECT_EQ(8 * PAGE, recv.offset);
	EXPECT_EQ(3 * PAGE, recv.len);
	EXPECT_EQ(4711, recv.cookie);
	EXPECT_EQ(a->number, recv.from);
	EXPECT_EQ(getpid(), recv.pid);
	EXPECT_EQ(0, recv.uid);
	EXPECT_EQ(IVSHM_MSGQ_COPY, recv.how);
	EXPECT_STREQ("a", (char *)recv.name);
	EXPECT_EQ(5, recv.inline_len);
	EXPECT_EQ(0, memcmp(recv.data, "hello\0", 6));
	for (i = 0; i < sizeof(recv.name); i++) {
		EXPECT_TRUE(!i || !recv.name[i]);
	}
	for (i = 5; i < IVSHM_MSGQ_INLINE_MAX; i++) {
		EXPECT_EQ(0, recv.data[i]);
	}
	EXPECT_EQ(0, recv.reserved);

	EXPECT_EQ(0, memcmp(b->at + 8 * PAGE, a->at + 5 * PAGE + 100, 3 * PAGE));
	/* Not a byte elsewhere. */
	EXPECT_EQ(0x11, b->at[8 * PAGE - 1]);
	for (i = 11 * PAGE; i < SIZE; i++) {
		ASSERT_EQ(0x11, b->at[i]);
	}
	for (i = 0; i < SIZE; i++) {
		ASSERT_EQ((char)(i * 7 + i / 256), a->at[i]);
	}
	EXPECT_EQ(-EAGAIN, msgq_recv(b->fd, &recv));
	EXPECT_EQ(POLLOUT, polled(b->fd));
}

TEST_F(queue, order_and_batches)
{
	struct ivshm_msgq_send send[20] = { 0 };
	struct ivshm_msgq_slot slot[20] = { 0 };
	struct ivshm_msgq_recv recv[32];
	struct window *a = &self->a, *b = &self->b;
	unsigned int i;

	for (i = 0; i < 20; i++) {
		slot[i].offset = (i + 20) * PAGE;
		slot[i].len = PAGE;
		slot[i].cookie = i;
		send[i].to = b->number;
		send[i].offset = i * PAGE;
		send[i].len = i ? PAGE - i : 0;
		send[i].offset *= !!i;
		send[i].inline_len = 4;
		memcpy(send[i].data, &i, 4);
		memset(a->at + i * PAGE, i, PAGE);
	}
	ASSERT_EQ(20, msgq_batch(b->fd, IVSHM_MSGQ_POST, slot, sizeof(*slot), 20));
	ASSERT_EQ(20, msgq_batch(a->fd, IVSHM_MSGQ_SEND, send, sizeof(*send), 20));
	ASSERT_EQ(20, msgq_batch(b->fd, IVSHM_MSGQ_RECV, recv, sizeof(*recv), 32));
	for (i = 0; i < 20; i++) {
		EXPECT_EQ(0, memcmp(recv[i].data, &i, 4));
		EXPECT_EQ(i ? PAGE - i : 0, recv[i].len);
		if (!i)
			continue;
		EXPECT_EQ(i - 1, recv[i].cookie);
		EXPECT_EQ((i + 19) * PAGE, recv[i].offset);
		EXPECT_EQ(i, b->at[recv[i].offset]);
		EXPECT_EQ(i, b->at[recv[i].offset + PAGE - i - 1]);
		EXPECT_EQ(0, b->at[recv[i].offset + PAGE - i]);
	}
	EXPECT_EQ(-EAGAIN, msgq_batch(b->fd, IVSHM_MSGQ_RECV, recv, sizeof(*recv), 32));

	/* Up to the first that fails. */
	send[3].how = 99;
	for (i = 0; i < 20; i++) {
		send[i].offset = 0;
		send[i].len = 0;
	}
	EXPECT_EQ(3, msgq_batch(a->fd, IVSHM_MSGQ_SEND, send, sizeof(*send), 20));
	EXPECT_EQ(-EINVAL, msgq_batch(a->fd, IVSHM_MSGQ_SEND, send + 3, sizeof(*send), 17));
	EXPECT_EQ(3, msgq_batch(b->fd, IVSHM_MSGQ_RECV, recv, sizeof(*recv), 32));
}

/* The first slot that is large enough, all of it. */
TEST_F(queue, slots)
{
	struct window *a = &self->a, *b = &self->b;
	struct ivshm_msgq_recv recv;

	ASSERT_EQ(0, msgq_post(b->fd, 0, PAGE, 1));
	ASSERT_EQ(0, msgq_post(b->fd, 8 * PAGE, 4 * PAGE, 2));
	ASSERT_EQ(0, msgq_post(b->fd, 16 * PAGE, 8 * PAGE, 3));
	EXPECT_EQ(-EBUSY, msgq_post(b->fd, 0, PAGE, 4));
	EXPECT_EQ(-EBUSY, msgq_post(b->fd, 11 * PAGE, 2 * PAGE, 4));
	EXPECT_EQ(-EBUSY, msgq_post(b->fd, 0, SIZE, 4));
	EXPECT_EQ(-EINVAL, msgq_post(b->fd, 2 * PAGE, 0, 4));
	EXPECT_EQ(-EINVAL, msgq_post(b->fd, 2 * PAGE + 1, PAGE, 4));
	EXPECT_EQ(-EINVAL, msgq_post(b->fd, 2 * PAGE, PAGE + 1, 4));
	EXPECT_EQ(-EINVAL, msgq_post(b->fd, SIZE, PAGE, 4));
	EXPECT_EQ(-EINVAL, msgq_post(b->fd, SIZE - PAGE, 2 * PAGE, 4));
	EXPECT_EQ(-EINVAL, msgq_post(b->fd, -PAGE, 2 * PAGE, 4));
	EXPECT_EQ(-EINVAL, msgq_post(b->fd, PAGE, -PAGE, 4));

	EXPECT_EQ(0, send_range(a, b, 0, PAGE + 1, IVSHM_MSGQ_COPY));
	EXPECT_EQ(-EAGAIN, send_range(a, b, 0, 9 * PAGE, IVSHM_MSGQ_COPY));
	EXPECT_EQ(0, send_range(a, b, 0, 1, IVSHM_MSGQ_COPY));
	EXPECT_EQ(0, send_range(a, b, 0, 1, IVSHM_MSGQ_COPY));
	EXPECT_EQ(-EAGAIN, send_range(a, b, 0, 1, IVSHM_MSGQ_COPY));
	/* Written to, and not received yet. */
	EXPECT_EQ(-EBUSY, msgq_post(b->fd, 8 * PAGE, PAGE, 4));
	EXPECT_EQ(0, msgq_recv(b->fd, &recv));
	EXPECT_EQ(2, recv.cookie);
	EXPECT_EQ(0, msgq_post(b->fd, 8 * PAGE, PAGE, 4));
	EXPECT_EQ(0, msgq_recv(b->fd, &recv));
	EXPECT_EQ(1, recv.cookie);
	EXPECT_EQ(0, msgq_recv(b->fd, &recv));
	EXPECT_EQ(3, recv.cookie);
	EXPECT_EQ(1, recv.len);
}

TEST_F(queue, bounds)
{
	struct window *a = &self->a, *b = &self->b;
	struct ivshm_msgq_recv recv;
	struct window d;
	int i;

	ASSERT_EQ(0, region_add(&self->c, "d", SIZE, 0));
	ASSERT_EQ(0, window_join(&self->c, &d, "d"));
	EXPECT_EQ(-ENOTCONN, msgq_recv(d.fd, &recv));
	EXPECT_EQ(-EINVAL, msgq_attach(d.fd, IVSHM_MSGQ_DEPTH_MAX + 1, 0));
	EXPECT_EQ(-EINVAL, msgq_attach(d.fd, 0, IVSHM_MSGQ_SLOTS_MAX + 1));
	ASSERT_EQ(0, msgq_attach(d.fd, 3, 2));
	EXPECT_EQ(-EALREADY, msgq_attach(d.fd, 3, 2));
	ASSERT_EQ(0, peer_allow(&self->c, "a", "d"));

	for (i = 0; i < 3; i++) {
		EXPECT_EQ(0, send_text(a, &d, "x"));
	}
	EXPECT_EQ(POLLOUT, polled(a->fd));
	EXPECT_EQ(-EAGAIN, send_text(a, &d, "x"));
	EXPECT_EQ(0, polled(a->fd));
	/* Others are not concerned. */
	EXPECT_EQ(0, send_text(a, b, "x"));
	EXPECT_EQ(0, msgq_recv(b->fd, &recv));
	EXPECT_EQ(0, polled(a->fd));
	EXPECT_EQ(0, msgq_recv(d.fd, &recv));
	EXPECT_EQ(POLLOUT, polled(a->fd));
	EXPECT_EQ(0, send_text(a, &d, "x"));

	EXPECT_EQ(0, msgq_post(d.fd, 0, PAGE, 0));
	EXPECT_EQ(0, msgq_post(d.fd, PAGE, PAGE, 0));
	EXPECT_EQ(-EAGAIN, msgq_post(d.fd, 2 * PAGE, PAGE, 0));
	window_close(&d);
	EXPECT_EQ(-ENXIO, send_text(a, &d, "x"));
}

/* Who waits for a slot, or for a place, is told. */
TEST_F(queue, room)
{
	struct window *a = &self->a, *b = &self->b;
	struct ivshm_msgq_recv recv;

	ASSERT_EQ(0, msgq_bind(a->fd, IVSHM_MSGQ_EVENT_ROOM, self->event));
	EXPECT_EQ(-EAGAIN, send_range(a, b, 0, PAGE, IVSHM_MSGQ_COPY));
	EXPECT_EQ(0, polled(a->fd));
	EXPECT_EQ(0, rings(self->event));
	ASSERT_EQ(0, msgq_post(b->fd, 0, PAGE, 0));
	EXPECT_EQ(POLLOUT, polled(a->fd));
	EXPECT_EQ(1, rings(self->event));
	EXPECT_EQ(0, send_range(a, b, 0, PAGE, IVSHM_MSGQ_COPY));
	EXPECT_EQ(0, msgq_recv(b->fd, &recv));
	EXPECT_EQ(0, rings(self->event));
	/* The end of the receiver is something new, too. */
	EXPECT_EQ(-EAGAIN, send_range(a, b, 0, PAGE, IVSHM_MSGQ_COPY));
	window_close(b);
	EXPECT_EQ(POLLOUT, polled(a->fd));
	EXPECT_EQ(1, rings(self->event));
	EXPECT_EQ(-ENXIO, send_range(a, b, 0, PAGE, IVSHM_MSGQ_COPY));
}

TEST_F(queue, limits)
{
	struct window *a = &self->a, *b = &self->b;
	struct ivshm_msgq_recv recv;
	struct peer_attrs at;
	int i;

	ASSERT_EQ(0, peer_limit(&self->c, "a", "b", 3, 4, 2 * PAGE));
	for (i = 0; i < 8; i++) {
		ASSERT_EQ(0, msgq_post(b->fd, i * 8 * PAGE, 8 * PAGE, i));
	}
	EXPECT_EQ(-EMSGSIZE, send_range(a, b, 0, 2 * PAGE + 1, IVSHM_MSGQ_COPY));
	ASSERT_EQ(0, peer_limit(&self->c, "a", "b", ~0, ~0ULL, 0));
	EXPECT_EQ(-EMSGSIZE, send_range(a, b, 0, 4 * PAGE + 1, IVSHM_MSGQ_COPY));
	EXPECT_EQ(-EMSGSIZE, send_range(a, b, 1, 4 * PAGE, IVSHM_MSGQ_COPY));
	EXPECT_EQ(0, send_range(a, b, PAGE - 1, 2, IVSHM_MSGQ_COPY));
	EXPECT_EQ(0, send_range(a, b, 0, 2 * PAGE, IVSHM_MSGQ_COPY));
	EXPECT_EQ(-EAGAIN, send_range(a, b, 0, 1, IVSHM_MSGQ_COPY));
	EXPECT_EQ(0, send_text(a, b, "xy"));
	EXPECT_EQ(-EAGAIN, send_text(a, b, "x"));
	ASSERT_EQ(0, peer_get(&self->c, "a", "b", &at));
	EXPECT_EQ(3, at.now_messages);
	EXPECT_EQ(4, at.now_pages);
	EXPECT_EQ(2 * PAGE + 2 + 2, at.now_bytes);
	EXPECT_EQ(3, at.stat[STAT(MESSAGES)]);
	EXPECT_EQ(2, at.stat[STAT(COPIED)]);
	EXPECT_EQ(2, at.stat[STAT(REFUSED_FULL)]);
	for (i = 0; i < 3; i++) {
		EXPECT_EQ(0, msgq_recv(b->fd, &recv));
	}
	ASSERT_EQ(0, peer_get(&self->c, "a", "b", &at));
	EXPECT_EQ(0, at.now_messages);
	EXPECT_EQ(0, at.now_pages);
	EXPECT_EQ(0, at.now_bytes);
}

TEST_F(queue, permission)
{
	struct window *a = &self->a, *b = &self->b;
	struct ivshm_msgq_recv recv;

	EXPECT_EQ(-EACCES, send_text(b, a, "x"));
	EXPECT_EQ(0, send_text(a, b, "x"));
	ASSERT_EQ(0, peer_deny(&self->c, "a", "b"));
	EXPECT_EQ(-EACCES, send_text(a, b, "x"));
	/* What was sent is there. */
	EXPECT_EQ(0, msgq_recv(b->fd, &recv));
	EXPECT_EQ(-EINVAL, send_text(a, a, "x"));
}

TEST_F(queue, events)
{
	struct window *a = &self->a, *b = &self->b;
	struct ivshm_msgq_recv recv[4];

	ASSERT_EQ(0, msgq_bind(b->fd, IVSHM_MSGQ_EVENT_RECV, self->event));
	EXPECT_EQ(0, send_text(a, b, "1"));
	EXPECT_EQ(1, rings(self->event));
	/* Until the last one is taken there is nothing new to be told. */
	EXPECT_EQ(0, send_text(a, b, "2"));
	EXPECT_EQ(0, rings(self->event));
	EXPECT_EQ(1, msgq_batch(b->fd, IVSHM_MSGQ_RECV, recv, sizeof(*recv), 1));
	EXPECT_EQ(POLLIN | POLLOUT, polled(b->fd));
	EXPECT_EQ(1, msgq_batch(b->fd, IVSHM_MSGQ_RECV, recv, sizeof(*recv), 4));
	EXPECT_EQ(0, send_text(a, b, "3"));
	EXPECT_EQ(1, rings(self->event));
	/* Told again to whoever comes late. */
	ASSERT_EQ(0, msgq_bind(b->fd, IVSHM_MSGQ_EVENT_RECV, -1));
	ASSERT_EQ(0, msgq_bind(b->fd, IVSHM_MSGQ_EVENT_RECV, self->event));
	EXPECT_EQ(1, rings(self->event));
	EXPECT_EQ(-EINVAL, msgq_bind(b->fd, IVSHM_MSGQ_EVENTS, self->event));
	EXPECT_EQ(-EINVAL, msgq_bind(b->fd, 0, -2));
	EXPECT_EQ(-EBADF, msgq_bind(b->fd, 0, 9999));
	EXPECT_EQ(-EINVAL, msgq_bind(b->fd, 0, b->fd));
}

TEST_F(queue, completions)
{
	struct window *a = &self->a, *b = &self->b;
	struct ivshm_msgq_send send = {
		.to = b->number, .flags = IVSHM_MSGQ_TELL, .cookie = 77,
	};
	struct ivshm_msgq_recv recv;
	struct ivshm_msgq_done done;
	int i;

	ASSERT_EQ(0, msgq_bind(a->fd, IVSHM_MSGQ_EVENT_DONE, self->event));
	EXPECT_EQ(0, msgq_send(a->fd, &send));
	send.cookie = 78;
	EXPECT_EQ(0, msgq_send(a->fd, &send));
	EXPECT_EQ(-EAGAIN, msgq_done(a->fd, &done));
	EXPECT_EQ(0, msgq_recv(b->fd, &recv));
	EXPECT_EQ(1, rings(self->event));
	EXPECT_EQ(POLLPRI | POLLOUT, polled(a->fd));
	memset(&done, 0xff, sizeof(done));
	EXPECT_EQ(0, msgq_done(a->fd, &done));
	EXPECT_EQ(77, done.cookie);
	EXPECT_EQ(b->number, done.to);
	EXPECT_EQ(IVSHM_MSGQ_TAKEN, done.status);
	EXPECT_EQ(POLLOUT, polled(a->fd));

	/* The receiver's end. */
	window_close(b);
	EXPECT_EQ(1, rings(self->event));
	EXPECT_EQ(0, msgq_done(a->fd, &done));
	EXPECT_EQ(78, done.cookie);
	EXPECT_EQ(IVSHM_MSGQ_LOST, done.status);

	/* Not more than can be kept for the sender. */
	ASSERT_EQ(0, window_join(&self->c, b, "b"));
	ASSERT_EQ(0, msgq_attach(b->fd, IVSHM_MSGQ_DEPTH_MAX, 0));
	ASSERT_EQ(0, peer_limit(&self->c, "a", "b", IVSHM_PEER_MESSAGES_MAX, ~0ULL, ~0ULL));
	for (i = 0; i < IVSHM_MSGQ_DEPTH; i++) {
		ASSERT_EQ(0, msgq_send(a->fd, &send));
	}
	EXPECT_EQ(-ENOBUFS, msgq_send(a->fd, &send));
	ASSERT_EQ(0, msgq_recv(b->fd, &recv));
	EXPECT_EQ(-ENOBUFS, msgq_send(a->fd, &send));
	ASSERT_EQ(0, msgq_done(a->fd, &done));
	EXPECT_EQ(0, msgq_send(a->fd, &send));
	/* Whoever is to be told may be gone. */
	window_close(a);
	while (!msgq_recv(b->fd, &recv))
		;
}

/* A child with another user's rights: its own name, and no other. */
TEST_F(queue, sender)
{
	struct window *a = &self->a, *b = &self->b;
	struct ivshm_msgq_recv recv;
	int status;
	pid_t pid;

	pid = fork();
	if (!pid) {
		if (setresuid(1, 4242, 2))
			_exit(1);
		_exit(-send_text(a, b, "x"));
	}
	waitpid(pid, &status, 0);
	ASSERT_EQ(0, status);
	ASSERT_EQ(0, msgq_recv(b->fd, &recv));
	EXPECT_EQ(pid, recv.pid);
	EXPECT_EQ(4242, recv.uid);
	EXPECT_STREQ("a", (char *)recv.name);
}

/* One file has the queue, and it is open for both. */
TEST_F(queue, owner)
{
	struct window *a = &self->a, *b = &self->b;
	struct ivshm_msgq_recv recv;
	int other, ro;

	other = region_open(&self->c, "b", O_RDWR);
	ro = region_open(&self->c, "b", O_RDONLY);
	ASSERT_LE(0, other);
	ASSERT_LE(0, ro);
	EXPECT_EQ(-EBUSY, msgq_attach(other, 0, 0));
	EXPECT_EQ(-ENOTCONN, msgq_recv(other, &recv));
	EXPECT_EQ(-ENOTCONN, msgq_bind(other, 0, -1));
	EXPECT_EQ(-EACCES, msgq_attach(ro, 0, 0));
	EXPECT_EQ(0, send_text(a, b, "x"));
	EXPECT_EQ(0, msgq_post(b->fd, 0, SIZE, 0));
	close(b->fd);
	b->fd = -1;
	/* The mapping has the file, and so the queue. */
	EXPECT_EQ(-EBUSY, msgq_attach(other, 0, 0));
	window_close(b);
	EXPECT_EQ(0, msgq_attach(other, 0, 0));
	EXPECT_EQ(-EAGAIN, msgq_recv(other, &recv));
	/* So are slots that were posted. */
	EXPECT_EQ(0, msgq_post(other, 0, SIZE, 0));
	close(other);
	close(ro);
}

/* A region that is deleted takes its queue with it. */
TEST_F(queue, deleted)
{
	struct window *a = &self->a, *b = &self->b;
	struct ivshm_msgq_recv recv;

	ASSERT_EQ(0, msgq_post(b->fd, 0, PAGE, 0));
	EXPECT_EQ(0, send_range(a, b, 0, PAGE, IVSHM_MSGQ_COPY));
	ASSERT_EQ(0, msgq_post(b->fd, PAGE, PAGE, 0));
	ASSERT_EQ(0, region_force(&self->c, "b"));
	EXPECT_EQ(-ENXIO, send_range(a, b, 0, PAGE, IVSHM_MSGQ_COPY));
	EXPECT_EQ(-ENODEV, msgq_recv(b->fd, &recv));
	EXPECT_EQ(POLLHUP | POLLERR, polled(b->fd));
	ASSERT_EQ(0, region_force(&self->c, "a"));
	EXPECT_EQ(-ENODEV, send_range(a, b, 0, PAGE, IVSHM_MSGQ_COPY));
}

/* A long message on its way. */
struct sending {
	struct window a;
	uint32_t to;
	uint32_t how;
	int err;
	double took;
};

static void *send_on(void *arg)
{
	struct sending *s = arg;
	double begin = now();

	s->err = send_range(&s->a, &(struct window){ .number = s->to }, 0, LONG, s->how);
	s->took = now() - begin;
	return NULL;
}

/*
 * A receiver that ends does not wait for the rest of it.  What is there can be seen at
 * @left when its queue is gone.  Once the message has begun, which @begun tells or time
 * does, the receiver ends.
 */
static void ends_in(struct __test_metadata *_metadata, struct sending *s, struct control *c,
		    char *left, int begun, unsigned int us)
{
	pthread_t thread;
	struct window b;

	memset(s->a.at, 1, LONG);
	memset(left, 2, LONG);
	ASSERT_EQ(0, window_join(c, &b, "lb"));
	ASSERT_EQ(0, msgq_attach(b.fd, 0, 0));
	ASSERT_EQ(0, msgq_post(b.fd, 0, LONG, 0));
	s->to = b.number;
	ASSERT_EQ(0, pthread_create(&thread, NULL, send_on, s));
	while (begun && __atomic_load_n(left, __ATOMIC_RELAXED) == 2)
		;
	usleep(us);
	window_close(&b);
	pthread_join(thread, NULL);
	EXPECT_TRUE(!s->err || s->err == -ENXIO);
}

FIXTURE(ending)
{
	struct control c;
	struct window a, b;
	struct sending s;
	char *left;
	int fd;
};

FIXTURE_SETUP(ending)
{
	ASSERT_EQ(0, windows_open(&self->c, &self->a, &self->b, SIZE));
	ASSERT_EQ(0, window_open(&self->c, &self->s.a, "la", LONG, 0));
	ASSERT_EQ(0, region_add(&self->c, "lb", LONG, 0));
	ASSERT_EQ(0, peer_allow(&self->c, "la", "lb"));
	self->fd = region_open(&self->c, "lb", O_RDWR);
	self->left = region_map(self->fd, LONG);
	ASSERT_NE(MAP_FAILED, self->left);
}

FIXTURE_TEARDOWN(ending)
{
	munmap(self->left, LONG);
	close(self->fd);
	window_close(&self->s.a);
	windows_close(&self->c, &self->a, &self->b);
}

TEST_F_TIMEOUT(ending, in_copy, 60)
{
	char *left = self->left;
	int try, stopped = 0;

	self->s.how = IVSHM_MSGQ_COPY;
	/* It may be over before anything can come in between. */
	for (try = 0; try < 20 && !stopped; try++) {
		ends_in(_metadata, &self->s, &self->c, left, 1, 0);
		stopped = self->s.err == -ENXIO;
		EXPECT_EQ(1, left[0]);
		EXPECT_EQ(stopped ? 2 : 1, left[LONG - 1]);
	}
	EXPECT_TRUE(stopped);
}

TEST_F_TIMEOUT(ending, in_move, 60)
{
	char *left = self->left, *a = self->s.a.at;
	int try, stopped = 0;
	double took;

	self->s.how = IVSHM_MSGQ_MOVE;
	ends_in(_metadata, &self->s, &self->c, left, 1, 0);
	ASSERT_EQ(0, self->s.err);
	took = self->s.took;
	for (try = 0; try < 40 && !stopped; try++) {
		ends_in(_metadata, &self->s, &self->c, left, 0, took * 1e6 * (1 + try % 9) / 10);
		/* Not before it began: the first page was cleared. */
		stopped = self->s.err == -ENXIO && !left[0];
		/* All pages are the sender's yet, or none. */
		EXPECT_EQ(self->s.err ? 1 : 0, a[0]);
		EXPECT_EQ(self->s.err ? 1 : 0, a[LONG - 1]);
		EXPECT_TRUE(!self->s.err || !left[LONG - 1] || left[LONG - 1] == 2);
	}
	EXPECT_TRUE(stopped);
}

TEST_HARNESS_MAIN
