// SPDX-License-Identifier: GPL-2.0
/* Rings of message queues: what a guest asks for by itself. As root. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "side.h"

#define PAGES	64
#define SIZE	(PAGES * PAGE)
#define NR	16U
/* Where rings are, and how many pages they have. */
#define AT	(8 * PAGE)
#define TAKEN	2

FIXTURE(rings)
{
	struct control c;
	struct window a, b;
	struct side from, to;
};

FIXTURE_SETUP(rings)
{
	ASSERT_EQ(0, windows_open(&self->c, &self->a, &self->b, SIZE));
	ASSERT_EQ(0, peer_allow(&self->c, "b", "a"));
	ASSERT_EQ(0, side_open(&self->from, &self->a, AT, NR));
	ASSERT_EQ(0, side_open(&self->to, &self->b, AT, NR));
	ASSERT_EQ(TAKEN, (ivshm_rings_size(NR) + PAGE - 1) / PAGE);
}

FIXTURE_TEARDOWN(rings)
{
	side_close(&self->from);
	side_close(&self->to);
	windows_close(&self->c, &self->a, &self->b);
}

static int try_rings(int fd, struct ivshm_msgq_rings arg)
{
	return ioctl(fd, IVSHM_MSGQ_RINGS, &arg) ? -errno : 0;
}

TEST_F(rings, ioctl)
{
	struct ivshm_msgq_rings arg, good = {
		.argsz = sizeof(good), .offset = AT, .entries = NR,
		.kick = self->from.kick, .call = self->from.call,
	};
	struct { struct ivshm_msgq_rings arg; uint64_t more; } longer;
	int fd, other = open("/dev/null", O_RDWR | O_CLOEXEC);

	EXPECT_EQ(-EALREADY, try_rings(self->a.fd, good));
	ASSERT_EQ(0, msgq_rings_end(self->a.fd));
	ASSERT_EQ(0, msgq_rings_end(self->a.fd));
#define BAD(member, value, error) do {					\
		arg = good;						\
		arg.member = value;					\
		EXPECT_EQ(-(error), try_rings(self->a.fd, arg)) {	\
			TH_LOG(#member " " #value);			\
		}							\
} while (0)
	BAD(argsz, 0, EINVAL);
	BAD(argsz, sizeof(arg) - 1, EINVAL);
	BAD(argsz, ~0U, EINVAL);
	BAD(flags, 1, EINVAL);
	BAD(reserved, 1, EINVAL);
	BAD(offset, AT + 1, EINVAL);
	BAD(offset, AT + 64, EINVAL);
	BAD(offset, SIZE, EINVAL);
	BAD(offset, SIZE - PAGE, EINVAL);
	BAD(offset, ~0ULL, EINVAL);
	BAD(offset, -PAGE, EINVAL);
	BAD(entries, 3, EINVAL);
	BAD(entries, NR + 1, EINVAL);
	BAD(entries, 2 * IVSHM_MSGQ_RINGS_MAX, EINVAL);
	BAD(entries, 1U << 31, EINVAL);
	BAD(entries, ~0U, EINVAL);
	BAD(entries, IVSHM_MSGQ_RINGS_MAX, EINVAL);	/* the region is not as long */
	BAD(entries, 0, EINVAL);
	BAD(kick, -1, EBADF);
	BAD(kick, 9999, EBADF);
	BAD(kick, other, EINVAL);
	BAD(call, -2, EINVAL);
	BAD(call, 9999, EBADF);
	BAD(call, other, EINVAL);
#undef BAD
	memset(&longer, 0, sizeof(longer));
	longer.arg = good;
	longer.arg.argsz = sizeof(longer);
	longer.more = 1;
	EXPECT_EQ(-1, ioctl(self->a.fd, IVSHM_MSGQ_RINGS, &longer));
	EXPECT_EQ(E2BIG, errno);
	longer.more = 0;
	EXPECT_EQ(0, ioctl(self->a.fd, IVSHM_MSGQ_RINGS, &longer));
	ASSERT_EQ(0, msgq_rings_end(self->a.fd));
	/* Without an interrupt; the last pages; one doorbell for two; the least. */
	EXPECT_EQ(0, msgq_rings(self->a.fd, SIZE - TAKEN * PAGE, NR, self->to.kick, -1));
	ASSERT_EQ(0, msgq_rings_end(self->a.fd));
	EXPECT_EQ(0, msgq_rings(self->a.fd, 0, 1, self->from.kick, self->from.kick));
	ASSERT_EQ(0, msgq_rings_end(self->a.fd));
	fd = region_open(&self->c, "a", O_RDWR);
	ASSERT_LE(0, fd);
	EXPECT_EQ(-ENOTCONN, try_rings(fd, good));
	close(fd);
	close(other);
}

/* Rings are empty when they begin, whatever was there. */
TEST_F(rings, begin)
{
	struct ivshm_ring_head *head = self->from.r.head;
	unsigned char *p = (unsigned char *)head;
	struct ivshm_ring_result res;
	size_t i;

	ASSERT_EQ(0, msgq_rings_end(self->a.fd));
	memset(self->a.at, 0xff, SIZE);
	ASSERT_EQ(0, msgq_rings(self->a.fd, AT, NR, self->from.kick, self->from.call));
	for (i = 0; i < sizeof(*head); i++) {
		ASSERT_EQ(0, p[i]);
	}
	ivshm_ring_use(&self->from.r, head, NR);
	EXPECT_EQ(-EAGAIN, ivshm_ring_take(&self->from.r, &res));
	EXPECT_EQ(-EAGAIN, side_do(&self->from, ask_op(IVSHM_RING_RECV), &res));
	EXPECT_EQ(1, self->from.r.head->done);
	for (i = 0; i < sizeof(res.bytes); i++) {
		ASSERT_EQ(0, res.bytes[i]);
	}
}

/* A result has nothing of the one before. */
TEST_F(rings, nothing_left)
{
	struct side *to = &self->to;
	struct ivshm_ring_result res;
	size_t i;

	memset(to->r.results, 0xff, NR * sizeof(res));
	ASSERT_EQ(0, send_text(&self->a, &self->b, "nobody else's"));
	ASSERT_EQ(0, side_ask(to, ask_op(IVSHM_RING_RECV)));
	ASSERT_EQ(0, side_ask(to, ask_op(IVSHM_RING_RECV)));
	side_ring(to);
	ASSERT_EQ(0, side_take(to, &res));
	EXPECT_EQ(0, res.status);
	for (i = sizeof(res.recv); i < sizeof(res.bytes); i++) {
		ASSERT_EQ(0, res.bytes[i]);
	}
	ASSERT_EQ(0, side_take(to, &res));
	EXPECT_EQ(-EAGAIN, res.status);
	for (i = 0; i < sizeof(res.bytes); i++) {
		ASSERT_EQ(0, res.bytes[i]);
	}
}

/* Pages of rings stay where they are, and are those of all others afterwards. */
TEST_F(rings, pages)
{
	struct window *a = &self->a, *b = &self->b;
	uint64_t i;

	ASSERT_EQ(0, msgq_post(b->fd, 32 * PAGE, 16 * PAGE, 0));
	for (i = 0; i < TAKEN; i++) {
		EXPECT_EQ(-EBUSY, msgq_post(a->fd, AT + i * PAGE, PAGE, 0));
		EXPECT_EQ(-EBUSY, send_range(a, b, AT + i * PAGE, PAGE, IVSHM_MSGQ_MOVE));
		EXPECT_EQ(-EBUSY, send_range(a, b, AT + i * PAGE, PAGE, IVSHM_MSGQ_SHARE));
		EXPECT_EQ(-EBUSY, side_do(&self->from, ask_post(AT + i * PAGE, PAGE, 0), NULL));
		EXPECT_EQ(-EBUSY, side_do(&self->from, ask_send(b, AT + i * PAGE, PAGE,
								IVSHM_MSGQ_MOVE), NULL));
		EXPECT_EQ(-EBUSY, side_do(&self->from, ask_send(b, 0, AT + (i + 1) * PAGE,
								IVSHM_MSGQ_SHARE), NULL));
	}
	EXPECT_EQ(0, send_range(a, b, AT, PAGE, IVSHM_MSGQ_COPY));
	/* Neither can they begin where something else is. */
	ASSERT_EQ(0, msgq_rings_end(a->fd));
	ASSERT_EQ(0, msgq_post(a->fd, AT + PAGE, PAGE, 0));
	EXPECT_EQ(-EBUSY, msgq_rings(a->fd, AT, NR, self->from.kick, -1));
	ASSERT_EQ(0, msgq_post(b->fd, 48 * PAGE, PAGE, 0));
	EXPECT_EQ(0, send_range(a, b, AT, PAGE, IVSHM_MSGQ_MOVE));
	ASSERT_EQ(0, msgq_post(b->fd, 49 * PAGE, PAGE, 0));
	EXPECT_EQ(0, send_range(a, b, AT, PAGE, IVSHM_MSGQ_SHARE));
}

/* Another region that has a page of them could ask in the name of this one. */
TEST_F(rings, shared_before)
{
	struct window *a = &self->a, *b = &self->b;
	struct ivshm_msgq_recv recv;

	ASSERT_EQ(0, msgq_rings_end(a->fd));
	ASSERT_EQ(0, msgq_post(b->fd, 0, PAGE, 0));
	ASSERT_EQ(0, send_range(a, b, AT + PAGE, PAGE, IVSHM_MSGQ_SHARE));
	EXPECT_EQ(-EBUSY, side_again(&self->from));
	ASSERT_EQ(0, msgq_recv(b->fd, &recv));
	a->at[AT + PAGE] = 1;
	EXPECT_EQ(1, b->at[0]);
	EXPECT_EQ(-EBUSY, side_again(&self->from));
	/* Whoever shared it may have gone. */
	window_close(a);
	ASSERT_EQ(0, window_join(&self->c, a, "a"));
	ASSERT_EQ(0, msgq_attach(a->fd, 0, 0));
	EXPECT_EQ(-EBUSY, side_again(&self->from));
	EXPECT_EQ(0, msgq_release(b->fd, recv.id));
	EXPECT_EQ(0, side_again(&self->from));
	EXPECT_EQ(0, side_do(&self->from, ask_send(b, 0, 0, 0), NULL));
}

/* Rings may begin within a page of 2 MiB, all of which stays then. */
TEST_F(rings, large_pages)
{
	const size_t large = 2 * MIB;
	struct window h, k;
	struct side s;

	window_clear(&k);
	if (window_open(&self->c, &h, "h", 2 * large, large) ||
	    window_open(&self->c, &k, "k", 2 * large, large))
		SKIP(goto out, "no memory for large pages");
	ASSERT_EQ(0, peer_allow(&self->c, "h", "k"));
	ASSERT_EQ(0, side_open(&s, &h, large - PAGE, NR));
	EXPECT_EQ(-EAGAIN, side_do(&s, ask_op(IVSHM_RING_RECV), NULL));
	ASSERT_EQ(0, msgq_rings_end(h.fd));
	s.at = large + 3 * PAGE;
	ASSERT_EQ(0, side_again(&s));
	ASSERT_EQ(0, msgq_post(k.fd, 0, large, 0));
	EXPECT_EQ(-EBUSY, side_do(&s, ask_send(&k, large, large, IVSHM_MSGQ_MOVE), NULL));
	EXPECT_EQ(0, side_do(&s, ask_send(&k, 0, large, IVSHM_MSGQ_MOVE), NULL));
	side_close(&s);
	ASSERT_EQ(0, msgq_post(k.fd, large, large, 0));
	EXPECT_EQ(0, send_range(&h, &k, large, large, IVSHM_MSGQ_MOVE));
out:
	window_close(&h);
	window_close(&k);
}

/* Each of the ways there is, and who it was. */
TEST_F(rings, ops)
{
	static const uint32_t ways[] = { IVSHM_MSGQ_COPY, IVSHM_MSGQ_MOVE, IVSHM_MSGQ_SHARE };
	struct side *from = &self->from, *to = &self->to;
	struct ivshm_ring_request send;
	struct ivshm_ring_result res;
	unsigned char *a = (unsigned char *)self->a.at, *b = (unsigned char *)self->b.at;
	const uint64_t src = 32 * PAGE, dst = 16 * PAGE;
	uint64_t id;
	uint32_t i;

	for (i = 0; i < ARRAY_SIZE(ways); i++) {
		memset(a + src, 0x11 + i, 2 * PAGE);
		memset(b + dst, 0xee, 2 * PAGE);
		EXPECT_EQ(0, side_do(to, ask_post(dst, 2 * PAGE, 70 + i), NULL));
		send = ask_send(&self->b, src, 2 * PAGE, ways[i]);
		send.send.flags = IVSHM_MSGQ_TELL;
		send.send.cookie = 80 + i;
		send.send.inline_len = 5;
		memcpy(send.send.data, "hello", 5);
		EXPECT_EQ(0, side_do(from, send, &res));
		EXPECT_EQ(ways[i], res.how);
		ASSERT_EQ(0, side_do(to, ask_op(IVSHM_RING_RECV), &res));
		EXPECT_EQ(dst, res.recv.offset);
		EXPECT_EQ(2 * PAGE, res.recv.len);
		EXPECT_EQ(70 + i, res.recv.cookie);
		EXPECT_EQ(self->a.number, res.recv.from);
		EXPECT_EQ(getpid(), (pid_t)res.recv.pid);
		EXPECT_EQ(0, res.recv.uid);
		EXPECT_EQ(ways[i], res.recv.how);
		EXPECT_STREQ("a", (char *)res.recv.name);
		EXPECT_EQ(5, res.recv.inline_len);
		EXPECT_EQ(0, memcmp("hello", res.recv.data, 6));
		id = res.recv.id;
		EXPECT_EQ(0x11 + i, b[dst]);
		EXPECT_EQ(0x11 + i, b[dst + 2 * PAGE - 1]);
		EXPECT_EQ(ways[i] == IVSHM_MSGQ_MOVE ? 0 : 0x11 + i, a[src]);
		if (ways[i] == IVSHM_MSGQ_SHARE) {
			EXPECT_EQ(-EAGAIN, side_do(from, ask_op(IVSHM_RING_DONE), &res));
			a[src] = 99;
			EXPECT_EQ(99, b[dst]);
			EXPECT_EQ(-ENOENT, side_do(to, ask_release(id + 1), NULL));
			EXPECT_EQ(0, side_do(to, ask_release(id), NULL));
			EXPECT_EQ(-ENOENT, side_do(to, ask_release(id), NULL));
			EXPECT_EQ(0xee, b[dst]);
		}
		ASSERT_EQ(0, side_do(from, ask_op(IVSHM_RING_DONE), &res));
		EXPECT_EQ(80 + i, res.done.cookie);
		EXPECT_EQ(self->b.number, res.done.to);
		EXPECT_EQ(IVSHM_MSGQ_TAKEN, res.done.status);
	}
}

/* Whose messages they are cannot be said in the rings: it is who asked for these. */
TEST_F(rings, who)
{
	struct ivshm_ring_result res;
	struct ivshm_msgq_recv recv;
	int status;
	pid_t pid;

	ASSERT_EQ(0, msgq_rings_end(self->a.fd));
	pid = fork();
	if (!pid) {
		if (setuid(65534))
			_exit(1);
		_exit(msgq_rings(self->a.fd, AT, NR, self->from.kick, self->from.call) ? 2 : 0);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_EQ(0, status);
	ivshm_ring_use(&self->from.r, self->a.at + AT, NR);
	EXPECT_EQ(0, side_do(&self->from, ask_send(&self->b, 0, 0, 0), &res));
	ASSERT_EQ(0, msgq_recv(self->b.fd, &recv));
	EXPECT_EQ(pid, (pid_t)recv.pid);
	EXPECT_EQ(65534, recv.uid);
	/* By the ioctl it is us. */
	EXPECT_EQ(0, send_text(&self->a, &self->b, "x"));
	ASSERT_EQ(0, msgq_recv(self->b.fd, &recv));
	EXPECT_EQ(getpid(), (pid_t)recv.pid);
	EXPECT_EQ(0, recv.uid);
}

/* Nothing is permitted, or fits, that would not be by ioctl. */
TEST_F(rings, limits)
{
	struct side *from = &self->from, *to = &self->to;
	struct window *b = &self->b, none = { .number = 255 };
	struct ivshm_ring_request send;
	int room = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), i;

	ASSERT_EQ(0, msgq_bind(self->a.fd, IVSHM_MSGQ_EVENT_ROOM, room));
	ASSERT_EQ(0, peer_limit(&self->c, "a", "b", 3, 4, 0));
	EXPECT_EQ(-ENXIO, side_do(from, ask_send(&none, 0, 0, 0), NULL));
	EXPECT_EQ(-EINVAL, side_do(from, ask_send(&self->a, 0, 0, 0), NULL));
	EXPECT_EQ(-EINVAL, side_do(from, ask_send(b, SIZE, 1, 0), NULL));
	EXPECT_EQ(-EINVAL, side_do(from, ask_send(b, 1, PAGE, IVSHM_MSGQ_MOVE), NULL));
	EXPECT_EQ(-EMSGSIZE, side_do(from, ask_send(b, 0, 5 * PAGE, 0), NULL));
	EXPECT_EQ(-EAGAIN, side_do(from, ask_send(b, 0, PAGE, 0), NULL));
	EXPECT_EQ(0, rings(room));
	EXPECT_EQ(0, side_do(to, ask_post(0, 4 * PAGE, 0), NULL));
	EXPECT_EQ(1, rings(room));
	EXPECT_EQ(0, side_do(from, ask_send(b, 0, PAGE, 0), NULL));
	for (i = 0; i < 2; i++) {
		EXPECT_EQ(0, side_do(from, ask_send(b, 0, 0, 0), NULL));
	}
	EXPECT_EQ(-EAGAIN, side_do(from, ask_send(b, 0, 0, 0), NULL));
	EXPECT_EQ(0, rings(room));
	EXPECT_EQ(0, side_do(to, ask_op(IVSHM_RING_RECV), NULL));
	EXPECT_EQ(1, rings(room));
	EXPECT_EQ(0, side_do(from, ask_send(b, 0, 0, 0), NULL));
	ASSERT_EQ(0, peer_deny(&self->c, "a", "b"));
	EXPECT_EQ(-EACCES, side_do(from, ask_send(b, 0, 0, 0), NULL));
	/* Requests that are none. */
	send = ask_op(IVSHM_RING_OPS);
	EXPECT_EQ(-EOPNOTSUPP, side_do(from, send, NULL));
	send = ask_op(IVSHM_RING_RECV);
	send.flags = 1;
	EXPECT_EQ(-EINVAL, side_do(from, send, NULL));
	send = ask_post(0, PAGE, 0);
	send.bytes[sizeof(send.post)] = 1;
	EXPECT_EQ(-EINVAL, side_do(from, send, NULL));
	close(room);
}

/* Full rings, thousands of times: all are done, in their order, each once. */
TEST_F_TIMEOUT(rings, round_and_round, 120)
{
	struct side *from = &self->from, *to = &self->to;
	const uint32_t target = slow() ? 5000 : 50000, most = 128;
	uint32_t asked = 0, sent = 0, got = 0, asks = 0, empty = 0;
	struct ivshm_ring_request send;
	struct ivshm_ring_result res;
	double end = now() + 60;

	while (got < target && now() < end) {
		send = ask_send(&self->b, 0, 0, 0);
		send.send.inline_len = 4;
		/* No more than the queue takes. */
		while (asked < target && asked - got < most) {
			memcpy(send.send.data, &asked, 4);
			if (side_ask(from, send))
				break;
			asked++;
		}
		side_ring(from);
		while (!side_ask(to, ask_op(IVSHM_RING_RECV)))
			asks++;
		side_ring(to);
		while (!ivshm_ring_take(&from->r, &res)) {
			ASSERT_EQ(++sent, res.token);
			ASSERT_EQ(0, res.status);
		}
		while (!ivshm_ring_take(&to->r, &res)) {
			ASSERT_EQ(got + empty + 1, res.token);
			if (res.status) {
				ASSERT_EQ(-EAGAIN, res.status);
				empty++;
				continue;
			}
			ASSERT_EQ(0, memcmp(res.recv.data, &got, 4));
			got++;
		}
	}
	EXPECT_EQ(target, got);
	EXPECT_EQ(target, sent);
	TH_LOG("%u messages, asked for %u times", got, asks);
}

/* A doorbell for all of them, and one interrupt or more. */
TEST_F(rings, full)
{
	struct side *from = &self->from;
	struct ivshm_ring_result res;
	uint32_t i;

	/* It looks at rings that are new. */
	ASSERT_TRUE(side_rests(from));
	for (i = 0; i < NR; i++) {
		ASSERT_EQ(0, side_ask(from, ask_op(IVSHM_RING_RECV)));
	}
	EXPECT_EQ(-EAGAIN, side_ask(from, ask_op(IVSHM_RING_RECV)));
	usleep(50000);
	EXPECT_EQ(-EAGAIN, ivshm_ring_take(&from->r, &res));
	EXPECT_EQ(0, rings(from->call));
	side_ring(from);
	ASSERT_EQ(0, side_take(from, &res));
	EXPECT_EQ(1, res.token);
	/* A place that was taken is there again. */
	EXPECT_EQ(0, side_ask(from, ask_op(IVSHM_RING_DONE)));
	EXPECT_EQ(-EAGAIN, side_ask(from, ask_op(IVSHM_RING_RECV)));
	side_ring(from);
	for (i = 2; i <= NR + 1; i++) {
		ASSERT_EQ(0, side_take(from, &res));
		EXPECT_EQ(i, res.token);
		EXPECT_EQ(-EAGAIN, res.status);
	}
	EXPECT_EQ(IVSHM_RING_DONE, res.op);
	EXPECT_EQ(-EAGAIN, ivshm_ring_take(&from->r, &res));
}

static uint64_t told_within(int event, int ms)
{
	struct pollfd p = { .fd = event, .events = POLLIN };

	poll(&p, 1, ms);
	return rings(event);
}

/* At once, or as the receiver comes for something, or in time: as without rings. */
TEST_F(rings, told)
{
	struct side *from = &self->from, *to = &self->to;
	struct ivshm_ring_request later = ask_send(&self->b, 0, 0, 0);
	int event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), i;
	struct peer_attrs at;

	later.send.defer_us = IVSHM_MSGQ_DEFER_US_MAX;
	ASSERT_EQ(0, msgq_bind(self->b.fd, IVSHM_MSGQ_EVENT_RECV, event));
	/* Once for as many as there are. */
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, side_do(from, ask_send(&self->b, 0, 0, 0), NULL));
	}
	EXPECT_EQ(1, told_within(event, 1000));
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, side_do(to, ask_op(IVSHM_RING_RECV), NULL));
	}
	/* Taken before it is told. */
	rings(to->call);
	ASSERT_EQ(0, side_do(from, later, NULL));
	EXPECT_EQ(0, rings(event));
	EXPECT_EQ(0, rings(to->call));
	ASSERT_EQ(0, side_do(to, ask_op(IVSHM_RING_RECV), NULL));
	usleep(10000);
	EXPECT_EQ(0, rings(event));
	/* It comes for something else; for nothing but to ring; in time. */
	ASSERT_EQ(0, side_do(from, later, NULL));
	EXPECT_EQ(-EAGAIN, side_do(to, ask_op(IVSHM_RING_DONE), NULL));
	EXPECT_EQ(1, told_within(event, 500));
	ASSERT_EQ(0, side_do(to, ask_op(IVSHM_RING_RECV), NULL));
	ASSERT_EQ(0, side_do(from, later, NULL));
	side_ring(to);
	EXPECT_EQ(1, told_within(event, 500));
	ASSERT_EQ(0, side_do(to, ask_op(IVSHM_RING_RECV), NULL));
	later.send.defer_us = 50000;
	ASSERT_EQ(0, side_do(from, later, NULL));
	EXPECT_EQ(1, told_within(event, 10000));
	ASSERT_EQ(0, side_do(to, ask_op(IVSHM_RING_RECV), NULL));
	ASSERT_EQ(0, peer_get(&self->c, "a", "b", &at));
	EXPECT_EQ(1, at.stat[STAT(SIGNALS)]);
	EXPECT_EQ(3, at.stat[STAT(DEFERRED_OWN)]);
	EXPECT_EQ(1, at.stat[STAT(DEFERRED_TIMED)]);
	close(event);
}

/* A program that ended can be followed by another one, as of a guest that restarts. */
TEST_F(rings, followed)
{
	struct side *from = &self->from;
	struct ivshm_ring_result res;
	uint32_t i;

	for (i = 0; i < 2 * NR + 3; i++) {
		ASSERT_EQ(-EAGAIN, side_do(from, ask_op(IVSHM_RING_RECV), &res));
	}
	for (i = 0; i < 5; i++) {
		ASSERT_EQ(0, side_ask(from, ask_op(IVSHM_RING_DONE)));
	}
	memset(&from->r, 0xff, sizeof(from->r));
	ivshm_ring_use(&from->r, self->a.at + AT, NR);
	side_ring(from);
	for (i = 0; i < 5; i++) {
		ASSERT_EQ(0, side_take(from, &res));
		EXPECT_EQ(IVSHM_RING_DONE, res.op);
	}
	EXPECT_EQ(-EAGAIN, side_do(from, ask_op(IVSHM_RING_RECV), &res));
}

/* Rings and ioctls of the same queue. */
TEST_F(rings, both_ways)
{
	struct ivshm_msgq_recv recv;
	struct ivshm_ring_result res;

	EXPECT_EQ(0, side_do(&self->from, ask_send(&self->b, 0, 0, 0), NULL));
	EXPECT_EQ(0, send_text(&self->a, &self->b, "two"));
	EXPECT_EQ(0, msgq_recv(self->b.fd, &recv));
	EXPECT_EQ(0, recv.inline_len);
	EXPECT_EQ(0, side_do(&self->to, ask_op(IVSHM_RING_RECV), &res));
	EXPECT_EQ(3, res.recv.inline_len);
}

/* The region goes: whoever waits for the interrupt is told, and all can be closed. */
TEST_F(rings, region_gone)
{
	rings(self->from.call);
	ASSERT_EQ(0, region_force(&self->c, "a"));
	EXPECT_EQ(1, told_within(self->from.call, 10000));
	EXPECT_EQ(-ENODEV, msgq_rings(self->a.fd, AT, NR, self->from.kick, -1));
	side_ring(&self->from);
	/* Its end is that of the file. */
	window_close(&self->a);
}

/* With the library alone. */
TEST_F(rings, library)
{
	struct ivshm_ring_request req = ask_send(&self->b, 0, 0, 0);
	struct ivshm_ring_result res;
	struct ivshm_msgq_recv recv;
	struct ivshm_ring r;
	char path[32];
	struct ivshm *w;
	int i, err;

	window_close(&self->a);
	snprintf(path, sizeof(path), "/dev/ivshm%u", self->a.number);
	ASSERT_EQ(0, ivshm_open(&w, path));
	EXPECT_EQ(-ENOTCONN, ivshm_rings(w, 0, NR, self->from.kick, -1));
	ASSERT_EQ(0, ivshm_attach(w, 0, 0));
	EXPECT_EQ(-EINVAL, ivshm_rings(w, 1, NR, self->from.kick, -1));
	ASSERT_EQ(0, ivshm_rings(w, 0, NR, self->from.kick, -1));
	ivshm_ring_use(&r, ivshm_memory(w), NR);
	req.token = 4711;
	ASSERT_EQ(0, ivshm_ring_ask(&r, &req));
	side_ring(&self->from);
	for (i = 0; i < 10000; i++) {
		err = ivshm_ring_take(&r, &res);
		if (err != -EAGAIN)
			break;
		usleep(1000);
	}
	EXPECT_EQ(0, err);
	EXPECT_EQ(4711, res.token);
	EXPECT_EQ(0, res.status);
	EXPECT_EQ(0, msgq_recv(self->b.fd, &recv));
	EXPECT_EQ(0, ivshm_rings(w, 0, 0, -1, -1));
	ivshm_close(w);
}

TEST_HARNESS_MAIN
