// SPDX-License-Identifier: GPL-2.0
/*
 * Guests that write into their rings what makes no sense, while the kernel reads
 * there, and rings that end in the middle of it. As root.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "side.h"

#define PAGES	64
#define SIZE	(PAGES * PAGE)
#define NR	32U
/* Where rings are: in the middle of pages that move. */
#define AT	(24 * PAGE)

FIXTURE(rings_abuse)
{
	struct control c;
	struct window a, b;
	struct side from, to;
};

FIXTURE_SETUP(rings_abuse)
{
	ASSERT_EQ(0, windows_open(&self->c, &self->a, &self->b, SIZE));
	ASSERT_EQ(0, side_open(&self->from, &self->a, AT, NR));
	ASSERT_EQ(0, side_open(&self->to, &self->b, AT, NR));
}

FIXTURE_TEARDOWN(rings_abuse)
{
	side_close(&self->from);
	side_close(&self->to);
	windows_close(&self->c, &self->a, &self->b);
}

/* A queue that is gone soon: of a file whose last user was killed, say. */
static int attach_again(int fd)
{
	double end = now() + 30;
	int err;

	while ((err = msgq_attach(fd, 0, 0)) == -EBUSY && now() < end)
		usleep(1000);
	return err;
}

/*
 * Everything of both windows moves: no page is kept by anybody, or claimed.  Both
 * queues are new then.
 */
static int all_moves(struct control *c, struct window *a, struct window *b)
{
	int err;

	window_close(a);
	window_close(b);
	err = window_join(c, a, "a") ?: window_join(c, b, "b") ?:
	      attach_again(a->fd) ?: attach_again(b->fd);
	return err ?: msgq_post(b->fd, 0, SIZE, 0) ?: send_range(a, b, 0, SIZE, IVSHM_MSGQ_MOVE);
}

static void set(uint32_t *at, uint32_t value)
{
	__atomic_store_n(at, value, __ATOMIC_RELEASE);
}

static uint32_t get(const uint32_t *at)
{
	return __atomic_load_n(at, __ATOMIC_ACQUIRE);
}

static int breaks(const struct side *s)
{
	int i;

	side_ring(s);
	for (i = 0; i < 5000 && !get(&s->r.head->error); i++)
		usleep(1000);
	return get(&s->r.head->error);
}

/* Counters that cannot be end these rings, and nothing else. */
TEST_F(rings_abuse, counters)
{
	static const struct { uint32_t tail, taken; } bad[] = {
		{ NR + 1 }, { ~0U }, { 1U << 31 }, { 0, 1 }, { NR, 1 }, { 1, 1U << 31 },
		{ 0, -NR }, { NR + 1, 1 }, { -1, -1 },
	};
	struct side *s = &self->from;
	struct ivshm_ring_result res;
	struct ivshm_msgq_recv recv;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		rings(s->call);
		set(&s->r.head->taken, bad[i].taken);
		set(&s->r.head->tail, bad[i].tail);
		/* NR results from before can be there, when the counters begin. */
		if (bad[i].taken == -NR) {
			set(&s->r.head->tail, 1);
		}
		EXPECT_EQ(EINVAL, breaks(s)) {
			TH_LOG("tail %u, taken %u", bad[i].tail, bad[i].taken);
		}
		EXPECT_EQ(0, get(&s->r.head->done));
		EXPECT_EQ(1, rings(s->call));
		EXPECT_EQ(-EINVAL, side_ask(s, ask_op(IVSHM_RING_RECV)));
		EXPECT_EQ(-EINVAL, ivshm_ring_take(&s->r, &res));
		/* For good. */
		set(&s->r.head->taken, 0);
		set(&s->r.head->tail, 1);
		set(&s->r.head->error, 0);
		side_ring(s);
		usleep(5000);
		EXPECT_EQ(0, get(&s->r.head->done));
		EXPECT_EQ(0, rings(s->call));
		/* The queue is as it was, and so are those of others. */
		EXPECT_EQ(0, send_text(&self->a, &self->b, "x"));
		EXPECT_EQ(0, side_do(&self->to, ask_op(IVSHM_RING_RECV), &res));
		ASSERT_EQ(0, side_again(s));
		EXPECT_EQ(0, side_do(s, ask_send(&self->b, 0, 0, 0), NULL));
		EXPECT_EQ(0, msgq_recv(self->b.fd, &recv));
		ASSERT_EQ(0, side_again(s));
	}
}

static uint64_t random64(void)
{
	return (uint64_t)rand() << 42 ^ (uint64_t)rand() << 21 ^ (uint64_t)rand();
}

/* Half of what is in there makes some sense. */
static struct ivshm_ring_request garbage(const struct window *to)
{
	struct ivshm_ring_request req;
	uint64_t *words = (uint64_t *)&req;
	size_t i;

	for (i = 0; i < sizeof(req) / 8; i++)
		words[i] = rand() % 2 ? random64() : (uint64_t)rand() % 8;
	if (rand() % 2) {
		req.op = rand() % 6;
		req.flags = 0;
		if (rand() % 2)
			req.send.to = to->number;
		if (rand() % 2)
			memset(&req.send.how, 0, sizeof(req) - offsetof(typeof(req), send.how));
		if (req.op == IVSHM_RING_POST && rand() % 2)
			req = ask_post(rand() % 80 * PAGE, rand() % 4 * PAGE, random64());
		if (req.op == IVSHM_RING_SEND && rand() % 2)
			req = ask_send(to, rand() % 80 * PAGE, rand() % 4 * PAGE, rand() % 5);
		if ((req.op == IVSHM_RING_RECV || req.op == IVSHM_RING_DONE) && rand() % 2)
			req = ask_op(req.op);
	}
	return req;
}

/* Each request has an answer, whatever it is. */
TEST_F_TIMEOUT(rings_abuse, garbage, 120)
{
	static const int known[] = {
		0, -EINVAL, -EOPNOTSUPP, -EAGAIN, -EBUSY, -ENXIO, -EACCES, -EMSGSIZE,
		-ENOBUFS, -ENOENT,
	};
	double end = now() + (slow() ? 8 : 4);
	struct ivshm_ring_request req[NR];
	uint32_t times[ARRAY_SIZE(known)] = { 0 }, i, k;
	struct side *s[2] = { &self->from, &self->to };
	struct ivshm_ring_result res;
	struct window *other;
	int n;

	ASSERT_EQ(0, peer_allow(&self->c, "b", "a"));
	for (n = 0; now() < end; n++) {
		other = n % 2 ? &self->a : &self->b;
		for (i = 0; i < NR; i++) {
			req[i] = garbage(other);
			ASSERT_EQ(0, ivshm_ring_ask(&s[n % 2]->r, &req[i]));
		}
		side_ring(s[n % 2]);
		for (i = 0; i < NR; i++) {
			ASSERT_EQ(0, side_take(s[n % 2], &res));
			ASSERT_EQ(req[i].token, res.token);
			ASSERT_EQ(req[i].op, res.op);
			for (k = 0; k < ARRAY_SIZE(known) && known[k] != res.status; k++)
				;
			ASSERT_GT(ARRAY_SIZE(known), k) {
				TH_LOG("op %u: status %d", res.op, res.status);
			}
			times[k]++;
			/* What was received by luck is given back. */
			if (!res.status && res.op == IVSHM_RING_RECV && res.recv.id) {
				ASSERT_EQ(0, msgq_release(s[n % 2]->w->fd, res.recv.id));
			}
		}
	}
	for (k = 0; k < 4; k++)
		EXPECT_LT(0, times[k]);
	TH_LOG("%d times %u requests, %u done, %u EINVAL, %u EOPNOTSUPP, %u EAGAIN, %u EBUSY",
	       n, NR, times[0], times[1], times[2], times[3], times[4]);
	side_close(s[0]);
	side_close(s[1]);
	EXPECT_EQ(0, all_moves(&self->c, &self->a, &self->b));
}

/* Threads that write where the kernel reads. */
struct hammer {
	struct side *s;
	uint32_t to[2];
	atomic_int stop;
};

static void *flip(void *arg)
{
	struct hammer *h = arg;
	struct ivshm_ring_request *req;
	unsigned int n = 0;

	while (!atomic_load(&h->stop)) {
		n++;
		req = &h->s->r.requests[n % NR];
		__atomic_store_n(&req->flags, n & 64 ? 0 : n & 128, __ATOMIC_RELAXED);
		spoil_send(&req->send, n, h->to[n & 1]);
	}
	return NULL;
}

/* Requests change while they are read: one or the other is done. */
TEST_F_TIMEOUT(rings_abuse, flipped, 120)
{
	struct hammer h = { .s = &self->from, .to = { self->b.number, 250 } };
	int sent = 0, refused = 0, got = 0, i;
	double end = now() + (slow() ? 8 : 4);
	struct ivshm_ring_result res;
	struct ivshm_msgq_recv recv;
	pthread_t thread;

	ASSERT_EQ(0, pthread_create(&thread, NULL, flip, &h));
	while (now() < end) {
		for (i = 0; i < 8; i++)
			msgq_post(self->b.fd, i * 2 * PAGE, 2 * PAGE, i);
		for (i = 0; i < 8; i++)
			side_ask(&self->from, ask_send(&self->b, 0, 0, 0));
		/* Where there is one processor it is the other thread's turn. */
		sched_yield();
		side_ring(&self->from);
		for (i = 0; i < 8; i++) {
			ASSERT_EQ(0, side_take(&self->from, &res));
			sent += !res.status;
			refused += res.status == -EINVAL;
		}
		while (!msgq_recv(self->b.fd, &recv)) {
			got++;
			ASSERT_TRUE(recv.len == 2 * PAGE || !recv.len);
			ASSERT_TRUE(recv.inline_len == 8 || !recv.inline_len);
			ASSERT_GE(SIZE, recv.offset + recv.len);
			ASSERT_EQ(self->a.number, recv.from);
			ASSERT_EQ(getpid(), (pid_t)recv.pid);
			if (recv.id) {
				ASSERT_EQ(0, msgq_release(self->b.fd, recv.id));
			}
		}
	}
	atomic_store(&h.stop, 1);
	pthread_join(thread, NULL);
	EXPECT_EQ(sent, got);
	EXPECT_LT(0, sent);
	EXPECT_LT(0, refused);
	TH_LOG("%d sent, %d refused", sent, refused);
}

/* Anything, anywhere in the rings. */
static void *scribble(void *arg)
{
	struct hammer *h = arg;
	uint64_t *at = (uint64_t *)h->s->r.head;
	size_t words = ivshm_rings_size(NR) / 8;
	unsigned int seed = h->to[1];

	while (!atomic_load(&h->stop)) {
		size_t i = rand_r(&seed) % words;
		uint64_t value = rand_r(&seed) % 4 ? (uint64_t)rand_r(&seed) % 64 :
				 (uint64_t)rand_r(&seed) << 33 ^ rand_r(&seed);

		__atomic_store_n(&at[i], value, __ATOMIC_RELAXED);
		/* Counters that can be, for a moment. */
		if (i % 8 == 0)
			set(&h->s->r.head->tail, get(&h->s->r.head->done) + rand_r(&seed) % 3);
		if (i % 64 == 1)
			set(&h->s->r.head->taken, get(&h->s->r.head->done));
	}
	return NULL;
}

TEST_F_TIMEOUT(rings_abuse, scribbled, 120)
{
	struct hammer h[2] = {
		{ .s = &self->from, .to = { 0, 1 } }, { .s = &self->from, .to = { 0, 2 } },
	};
	int broken = 0, done = 0, received = 0, i;
	double end = now() + (slow() ? 10 : 5);
	struct ivshm_msgq_recv recv;
	pthread_t thread[2];

	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, pthread_create(&thread[i], NULL, scribble, &h[i]));
	}
	for (i = 0; now() < end; i++) {
		msgq_post(self->b.fd, i % PAGES * PAGE, PAGE, i);
		while (!msgq_recv(self->b.fd, &recv)) {
			received++;
			ASSERT_GE(SIZE, recv.offset + recv.len);
			ASSERT_GE(IVSHM_MSGQ_INLINE_MAX, recv.inline_len);
			ASSERT_EQ(self->a.number, recv.from);
			if (recv.id) {
				ASSERT_EQ(0, msgq_release(self->b.fd, recv.id));
			}
		}
		side_ring(&self->from);
		if (i % 16)
			continue;
		usleep(1000);
		broken += !!get(&self->from.r.head->error);
		done += !!get(&self->from.r.head->done);
		ASSERT_EQ(0, side_again(&self->from));
	}
	for (i = 0; i < 2; i++) {
		atomic_store(&h[i].stop, 1);
		pthread_join(thread[i], NULL);
	}
	ASSERT_EQ(0, side_again(&self->from));
	EXPECT_EQ(0, side_do(&self->from, ask_send(&self->b, 0, 0, 0), NULL));
	EXPECT_LT(0, broken);
	EXPECT_LT(0, done);
	TH_LOG("broken %d times, %d times something was done, %d messages", broken, done,
	       received);
	side_close(&self->from);
	side_close(&self->to);
	EXPECT_EQ(0, all_moves(&self->c, &self->a, &self->b));
}

/* Rings of the side that moves pages, as busy as can be, until they end. */
static void *move_on(void *arg)
{
	struct hammer *h = arg;
	struct side *s = h->s;
	struct ivshm_ring_request send = ask_op(IVSHM_RING_SEND);
	struct ivshm_ring_result res;

	send.send.to = h->to[0];
	send.send.how = IVSHM_MSGQ_MOVE;
	send.send.len = 8 * PAGE;
	while (!atomic_load(&h->stop)) {
		while (!ivshm_ring_ask(&s->r, &send))
			;
		side_ring(s);
		while (!ivshm_ring_take(&s->r, &res))
			;
		sched_yield();
	}
	return NULL;
}

/* They end between two requests, and nothing is done after that. */
TEST_F_TIMEOUT(rings_abuse, ended, 120)
{
	const int rounds = slow() ? 50 : 200;
	int i, moved = 0, busy = 0;
	struct ivshm_msgq_recv recv;
	struct hammer h;
	pthread_t thread;
	uint32_t done;

	for (i = 0; i < rounds; i++) {
		h = (struct hammer){ .s = &self->from, .to = { self->b.number } };
		ASSERT_EQ(0, pthread_create(&thread, NULL, move_on, &h));
		msgq_post(self->b.fd, 0, 8 * PAGE, i);
		while (!msgq_recv(self->b.fd, &recv))
			moved++;
		usleep(rand() % 3000);
		ASSERT_EQ(0, msgq_rings_end(self->a.fd));
		done = get(&self->from.r.head->done);
		busy += !!done;
		msgq_post(self->b.fd, 8 * PAGE, 8 * PAGE, i);
		side_ring(&self->from);
		usleep(1000);
		ASSERT_EQ(done, get(&self->from.r.head->done));
		atomic_store(&h.stop, 1);
		pthread_join(thread, NULL);
		ASSERT_EQ(0, side_again(&self->from));
	}
	EXPECT_LT(rounds / 2, busy);
	EXPECT_LT(0, moved);
	TH_LOG("%d of %d were busy, %d messages", busy, rounds, moved);
	side_close(&self->from);
	side_close(&self->to);
	EXPECT_EQ(0, all_moves(&self->c, &self->a, &self->b));
}

/* The VMM with its guest: rings of window a, and requests without an end. */
static void vmm(struct control *c, const struct window *b, atomic_int *at_it)
{
	struct hammer h = { .to = { b->number } };
	struct window a;
	struct side s;

	if (window_join(c, &a, "a") || attach_again(a.fd) || side_open(&s, &a, AT, NR))
		_exit(1);
	h.s = &s;
	atomic_store(at_it, 1);
	move_on(&h);
}

static pid_t vmm_start(struct control *c, const struct window *b, atomic_int *at_it)
{
	double end = now() + 30;
	pid_t pid;

	atomic_store(at_it, 0);
	pid = fork();
	if (!pid) {
		/* What was the parent's stays with the parent. */
		if (control_open(c))
			_exit(2);
		vmm(c, b, at_it);
		_exit(3);
	}
	while (!atomic_load(at_it) && now() < end)
		usleep(100);
	return pid;
}

/* For one VMM after the other, in place of the fixture's own. */
static atomic_int *vmms_begin(FIXTURE_DATA(rings_abuse) * self)
{
	side_close(&self->from);
	window_close(&self->a);
	return mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
}

/* One that has been at it for some time. */
static pid_t vmm_busy(struct __test_metadata *_metadata, FIXTURE_DATA(rings_abuse) * self,
		      atomic_int *at_it)
{
	pid_t pid = vmm_start(&self->c, &self->b, at_it);

	EXPECT_EQ(1, atomic_load(at_it));
	msgq_post(self->b.fd, 0, 8 * PAGE, 0);
	msgq_post(self->b.fd, 8 * PAGE, 8 * PAGE, 0);
	usleep(rand() % 10000);
	return pid;
}

/* Whoever has the rings is killed, at any moment. */
TEST_F_TIMEOUT(rings_abuse, killed, 120)
{
	int round, status, got = 0;
	const int rounds = slow() ? 30 : 100;
	struct ivshm_msgq_recv recv;
	atomic_int *at_it;
	pid_t pid;

	at_it = vmms_begin(self);
	ASSERT_NE(MAP_FAILED, at_it);
	for (round = 0; round < rounds; round++) {
		pid = vmm_busy(_metadata, self, at_it);
		ASSERT_EQ(1, atomic_load(at_it));
		kill(pid, SIGKILL);
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		EXPECT_TRUE(WIFSIGNALED(status));
		for (; !msgq_recv(self->b.fd, &recv); got++) {
			ASSERT_EQ(pid, (pid_t)recv.pid);
		}
	}
	EXPECT_LT(0, got);
	TH_LOG("%d killed, %d messages", rounds, got);
	munmap(at_it, PAGE);
	side_close(&self->to);
	EXPECT_EQ(0, all_moves(&self->c, &self->a, &self->b));
}

/* The region is deleted under it: it dies of its memory, and all of it goes. */
TEST_F_TIMEOUT(rings_abuse, deleted, 120)
{
	const int rounds = slow() ? 15 : 50;
	struct ivshm_msgq_recv recv;
	struct region_attrs attrs;
	int round, status, got = 0;
	atomic_int *at_it;
	double end;
	pid_t pid;

	at_it = vmms_begin(self);
	ASSERT_NE(MAP_FAILED, at_it);
	for (round = 0; round < rounds; round++) {
		pid = vmm_busy(_metadata, self, at_it);
		ASSERT_EQ(1, atomic_load(at_it));
		ASSERT_EQ(0, region_force(&self->c, "a"));
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
		while (!msgq_recv(self->b.fd, &recv))
			got++;
		/* The name is free at once, whatever is left of the old one. */
		ASSERT_EQ(0, region_add(&self->c, "a", SIZE, 0));
	}
	TH_LOG("%d deleted, %d messages", rounds, got);
	munmap(at_it, PAGE);
	side_close(&self->to);
	EXPECT_EQ(0, all_moves(&self->c, &self->a, &self->b));
	end = now() + 10;
	do {
		ASSERT_EQ(0, region_get(&self->c, "a", &attrs));
	} while (attrs.users != 1 && now() < end);
	EXPECT_EQ(1, attrs.users);
}

/* Who never takes its results is done no more for, and holds back nobody else. */
TEST_F(rings_abuse, never_takes)
{
	struct side *s = &self->from;
	struct ivshm_msgq_recv recv;
	int i, n = 0;

	for (i = 0; i < NR; i++) {
		ASSERT_EQ(0, side_ask(s, ask_send(&self->b, 0, 0, 0)));
	}
	side_ring(s);
	for (i = 0; i < 5000 && get(&s->r.head->done) != NR; i++)
		usleep(1000);
	for (i = 0; i < 1000; i++)
		side_ring(s);
	usleep(10000);
	EXPECT_EQ(NR, get(&s->r.head->done));
	EXPECT_EQ(0, get(&s->r.head->error));
	while (!msgq_recv(self->b.fd, &recv))
		n++;
	EXPECT_EQ(NR, n);
	EXPECT_EQ(-EAGAIN, side_ask(s, ask_op(IVSHM_RING_RECV)));
	EXPECT_EQ(0, send_text(&self->a, &self->b, "x"));
	EXPECT_EQ(0, side_do(&self->to, ask_op(IVSHM_RING_RECV), NULL));
}

TEST_HARNESS_MAIN
