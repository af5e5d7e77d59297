// SPDX-License-Identifier: GPL-2.0
/*
 * Programs that lie to the interface of message queues, change what they asked
 * while it is read, never take what they get, or die. As root.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "msgq.h"

#define PAGES	64
#define SIZE	(PAGES * PAGE)

FIXTURE(abuse)
{
	struct control c;
	struct window a, b, d;
};

FIXTURE_SETUP(abuse)
{
	ASSERT_EQ(0, windows_open(&self->c, &self->a, &self->b, SIZE));
	ASSERT_EQ(0, window_open(&self->c, &self->d, "d", SIZE, 0));
	ASSERT_EQ(0, peer_allow(&self->c, "a", "d"));
	ASSERT_EQ(0, peer_allow(&self->c, "b", "a"));
}

FIXTURE_TEARDOWN(abuse)
{
	window_close(&self->d);
	windows_close(&self->c, &self->a, &self->b);
}

static const unsigned long batches[] = {
	IVSHM_MSGQ_POST, IVSHM_MSGQ_SEND, IVSHM_MSGQ_RECV, IVSHM_MSGQ_RELEASE,
	IVSHM_MSGQ_DONE,
};

static const unsigned int least[] = {
	sizeof(struct ivshm_msgq_slot), sizeof(struct ivshm_msgq_send),
	sizeof(struct ivshm_msgq_recv), sizeof(uint64_t),
	sizeof(struct ivshm_msgq_done),
};

static int try_batch(int fd, int i, struct ivshm_msgq_batch arg)
{
	return ioctl(fd, batches[i], &arg) ? -errno : 0;
}

/* Sizes, counts and reserved members, of each ioctl. */
TEST_F(abuse, batches)
{
	static char entries[64 * 1024];
	int fd = self->b.fd, i;

	/* No offset, no receiver, no message. */
	memset(entries, 0xff, 4);
	for (i = 0; i < (int)ARRAY_SIZE(batches); i++) {
		const struct ivshm_msgq_batch good = {
			.argsz = sizeof(good), .addr = (uintptr_t)entries,
			.count = 1, .entry_size = least[i],
		};
		struct ivshm_msgq_batch arg;
		int usual = try_batch(fd, i, good);

		EXPECT_NE(0, usual);
#define BAD(member, value, error) do {					\
		arg = good;						\
		arg.member = value;					\
		EXPECT_EQ(-(error), try_batch(fd, i, arg)) {		\
			TH_LOG("ioctl %d, " #member " " #value, i);	\
		}							\
} while (0)
		BAD(argsz, 0, EINVAL);
		BAD(argsz, sizeof(arg) - 1, EINVAL);
		BAD(argsz, PAGE + 1, EINVAL);
		BAD(argsz, ~0U, EINVAL);
		BAD(flags, 1, EINVAL);
		BAD(reserved, 1, EINVAL);
		BAD(count, 0, EINVAL);
		BAD(count, IVSHM_MSGQ_BATCH_MAX + 1, EINVAL);
		BAD(count, ~0U, EINVAL);
		BAD(entry_size, 0, EINVAL);
		BAD(entry_size, least[i] - 8, EINVAL);
		BAD(entry_size, least[i] + 1, EINVAL);
		BAD(entry_size, PAGE + 8, EINVAL);
		BAD(entry_size, ~7U, EINVAL);
		/* Where there is nothing; those that only put need something to put. */
		if (usual != -EAGAIN) {
			BAD(addr, 0, EFAULT);
			BAD(addr, 1ULL << 63, EFAULT);
			BAD(addr, -8ULL, EFAULT);
		}
#undef BAD
		arg = good;
		arg.count = IVSHM_MSGQ_BATCH_MAX;
		EXPECT_EQ(usual, try_batch(fd, i, arg));
		/* Longer than is known: zero, or too big. */
		arg = good;
		arg.entry_size = least[i] + 8;
		EXPECT_EQ(usual, try_batch(fd, i, arg));
		if (usual == -EAGAIN)
			continue;
		entries[least[i]] = 1;
		EXPECT_EQ(-E2BIG, try_batch(fd, i, arg));
		entries[least[i]] = 0;
	}
	EXPECT_EQ(-1, ioctl(fd, _IO(IVSHM_IOC_TYPE, 0x1f), entries));
	EXPECT_EQ(ENOTTY, errno);
}

/* Every byte of an answer was set by the kernel, and none behind it. */
TEST_F(abuse, replies)
{
	struct window *a = &self->a, *b = &self->b;
	struct ivshm_msgq_send send = { .to = b->number, .flags = IVSHM_MSGQ_TELL };
	const size_t recv_size = sizeof(struct ivshm_msgq_recv) + 64;
	const size_t done_size = sizeof(struct ivshm_msgq_done) + 64;
	unsigned char one[1024], two[1024];
	size_t i;

	ASSERT_EQ(0, msgq_send(a->fd, &send));
	ASSERT_EQ(0, msgq_send(a->fd, &send));
	memset(one, 0x00, sizeof(one));
	memset(two, 0xff, sizeof(two));
	ASSERT_EQ(1, msgq_batch(b->fd, IVSHM_MSGQ_RECV, one, recv_size, 1));
	ASSERT_EQ(1, msgq_batch(b->fd, IVSHM_MSGQ_RECV, two, recv_size, 1));
	EXPECT_EQ(0, memcmp(one, two, recv_size));
	for (i = recv_size; i < sizeof(two); i++) {
		ASSERT_EQ(0xff, two[i]);
	}
	memset(one, 0x00, sizeof(one));
	memset(two, 0xff, sizeof(two));
	ASSERT_EQ(1, msgq_batch(a->fd, IVSHM_MSGQ_DONE, one, done_size, 1));
	ASSERT_EQ(1, msgq_batch(a->fd, IVSHM_MSGQ_DONE, two, done_size, 1));
	EXPECT_EQ(0, memcmp(one, two, done_size));
	for (i = done_size; i < sizeof(two); i++) {
		ASSERT_EQ(0xff, two[i]);
	}
}

TEST_F(abuse, sends)
{
	struct window *a = &self->a, *b = &self->b;
	const struct ivshm_msgq_send good = {
		.to = b->number, .len = PAGE, .how = IVSHM_MSGQ_COPY,
	};
	struct ivshm_msgq_send send;
	struct ivshm_msgq_recv recv;

	ASSERT_EQ(0, msgq_post(b->fd, 0, 4 * PAGE, 0));
#define BAD(member, value, error) do {					\
		send = good;						\
		send.member = value;					\
		EXPECT_EQ(-(error), msgq_send(a->fd, &send)) {		\
			TH_LOG(#member " " #value);			\
		}							\
} while (0)
	BAD(to, ~0U, ENXIO);
	BAD(to, 255, ENXIO);
	BAD(to, a->number, EINVAL);
	BAD(flags, IVSHM_MSGQ_MAY_SHARE, EINVAL);
	BAD(flags, 4, EINVAL);
	BAD(flags, ~0U, EINVAL);
	BAD(offset, SIZE, EINVAL);
	BAD(offset, SIZE - PAGE + 1, EINVAL);
	BAD(offset, ~0ULL, EINVAL);
	BAD(offset, -PAGE, EINVAL);
	BAD(len, SIZE + 1, EINVAL);
	BAD(len, ~0ULL, EINVAL);
	BAD(how, 4, EINVAL);
	BAD(how, ~0U, EINVAL);
	BAD(defer_us, IVSHM_MSGQ_DEFER_US_MAX + 1, EINVAL);
	BAD(inline_len, IVSHM_MSGQ_INLINE_MAX + 1, EINVAL);
	BAD(inline_len, ~0U, EINVAL);
	BAD(reserved, 1, EINVAL);
#undef BAD
	EXPECT_EQ(-EAGAIN, msgq_recv(b->fd, &recv));
	send = good;
	EXPECT_EQ(0, msgq_send(a->fd, &send));
}

/* An array that ends in nothing: what was before it is done, and said so. */
TEST_F(abuse, array_ends)
{
	struct window *a = &self->a, *b = &self->b;
	struct ivshm_msgq_send send = { .to = b->number };
	struct ivshm_msgq_recv recv;
	const size_t s = sizeof(send), r = sizeof(recv);
	char *map;
	int i;

	map = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, map);
	munmap(map + PAGE, PAGE);
	for (i = 0; i < 3; i++)
		memcpy(map + PAGE - (i + 1) * s, &send, s);
	EXPECT_EQ(3, msgq_batch(a->fd, IVSHM_MSGQ_SEND, map + PAGE - 3 * s, s, 5));
	EXPECT_EQ(-EFAULT, msgq_batch(a->fd, IVSHM_MSGQ_SEND, map + PAGE - s / 2, s, 5));
	/* A message that cannot be given stays. */
	EXPECT_EQ(-EFAULT, msgq_batch(b->fd, IVSHM_MSGQ_RECV, map + PAGE - r / 2, r, 3));
	EXPECT_EQ(POLLIN | POLLOUT, polled(b->fd));
	EXPECT_EQ(2, msgq_batch(b->fd, IVSHM_MSGQ_RECV, map + PAGE - 2 * r, r, 3));
	EXPECT_EQ(0, msgq_recv(b->fd, &recv));
	EXPECT_EQ(-EAGAIN, msgq_recv(b->fd, &recv));
	/* Where it cannot be said how it was sent, it is sent all the same. */
	memcpy(map + PAGE - s, &send, s);
	mprotect(map, PAGE, PROT_READ);
	EXPECT_EQ(1, msgq_batch(a->fd, IVSHM_MSGQ_SEND, map + PAGE - s, s, 1));
	EXPECT_EQ(0, msgq_recv(b->fd, &recv));
	munmap(map, PAGE);
}

/* What is asked for changes while it is read: one or the other is done. */
struct flipper {
	struct ivshm_msgq_send send;
	uint64_t b, d;
	atomic_int stop;
};

static void *flip(void *arg)
{
	struct flipper *f = arg;
	unsigned int n = 0;

	while (!atomic_load(&f->stop)) {
		n++;
		spoil_send(&f->send, n, n & 1 ? f->b : f->d);
	}
	return NULL;
}

TEST_F_TIMEOUT(abuse, flipped, 60)
{
	struct flipper f = { .b = self->b.number, .d = self->d.number };
	struct window *to[2] = { &self->b, &self->d };
	int i, k, err, sent = 0, refused = 0, got = 0;
	double end = now() + 15;
	struct ivshm_msgq_recv recv;
	pthread_t thread;

	ASSERT_EQ(0, pthread_create(&thread, NULL, flip, &f));
	/* However late the other thread begins. */
	for (i = 0; (i < 20000 || !sent || !refused) && now() < end; i++) {
		for (k = 0; k < 2; k++)
			msgq_post(to[k]->fd, i % 8 * 4 * PAGE, 4 * PAGE, i);
		err = msgq_send(self->a.fd, &f.send);
		ASSERT_TRUE(!err || err == -EINVAL || err == -EAGAIN || err == -EBUSY) {
			TH_LOG("error %d", err);
		}
		sent += !err;
		refused += err == -EINVAL;
		for (k = 0; k < 2; k++) {
			if (msgq_recv(to[k]->fd, &recv))
				continue;
			got++;
			ASSERT_TRUE(recv.len == 2 * PAGE || !recv.len);
			ASSERT_TRUE(recv.inline_len == 8 || !recv.inline_len);
			ASSERT_GE(SIZE, recv.offset + recv.len);
			if (recv.id) {
				ASSERT_EQ(0, msgq_release(to[k]->fd, recv.id));
			}
		}
	}
	atomic_store(&f.stop, 1);
	pthread_join(thread, NULL);
	EXPECT_EQ(sent, got);
	EXPECT_LT(0, sent);
	EXPECT_LT(0, refused);
	TH_LOG("%d sent, %d refused", sent, refused);
}

/* A receiver that never takes holds back those who send to it, and nobody else. */
TEST_F(abuse, never_takes)
{
	struct window *a = &self->a, *b = &self->b, *d = &self->d;
	struct ivshm_msgq_recv recv;
	struct peer_attrs at;
	int i, sent = 0;

	ASSERT_EQ(0, peer_limit(&self->c, "a", "d", 100, 40, 0));
	for (i = 0; i < 16; i++) {
		ASSERT_EQ(0, msgq_post(d->fd, i * 4 * PAGE, 4 * PAGE, 0));
	}
	while (!send_range(a, d, 0, 4 * PAGE, IVSHM_MSGQ_COPY))
		sent++;
	EXPECT_EQ(10, sent);
	while (!send_text(a, d, "x"))
		sent++;
	EXPECT_EQ(100, sent);
	for (i = 0; i < 1000; i++) {
		ASSERT_EQ(0, send_text(a, b, "x"));
		ASSERT_EQ(0, msgq_recv(b->fd, &recv));
		ASSERT_EQ(-EAGAIN, send_text(a, d, "x"));
	}
	ASSERT_EQ(0, peer_get(&self->c, "a", "d", &at));
	EXPECT_EQ(100, at.now_messages);
	EXPECT_EQ(40, at.now_pages);
	EXPECT_EQ(1001, at.stat[STAT(REFUSED_FULL)] - 1);
	window_close(d);
	ASSERT_EQ(0, peer_get(&self->c, "a", "d", &at));
	EXPECT_EQ(0, at.now_messages);
	EXPECT_EQ(0, at.now_pages);
	EXPECT_EQ(100, at.stat[STAT(LOST)]);
}

/* Sends whatever it may, in any way, on and on; who is told waits for it. */
struct sender {
	struct window *from, *to;
	atomic_int *stop;
	atomic_ulong sent, refused, denied;
};

static void *send_on(void *arg)
{
	struct sender *s = arg;
	struct ivshm_msgq_done done;
	unsigned int n;
	int err;

	for (n = 0; !atomic_load(s->stop); n++) {
		struct ivshm_msgq_send send = {
			.to = s->to->number, .flags = n % 3 ? 0 : IVSHM_MSGQ_TELL,
			.offset = n % 8 * PAGE, .len = PAGE, .how = n % 4,
			.defer_us = n % 5 ? 0 : 100,
		};

		err = msgq_send(s->from->fd, &send);
		if (!err)
			atomic_fetch_add(&s->sent, 1);
		else if (err == -EACCES)
			atomic_fetch_add(&s->denied, 1);
		else
			atomic_fetch_add(&s->refused, 1);
		while (!msgq_done(s->from->fd, &done))
			;
	}
	return NULL;
}

/* It may and it may not, in the middle of it: nothing is counted for ever. */
TEST_F_TIMEOUT(abuse, denied, 120)
{
	double end = now() + (slow() ? 8 : 4);
	struct window *a = &self->a, *b = &self->b;
	unsigned long i, sent = 0, denied = 0, got = 0;
	struct ivshm_msgq_recv recv;
	struct sender s[3] = { 0 };
	struct peer_attrs at;
	pthread_t thread[3];
	atomic_int stop = 0;

	for (i = 0; i < 3; i++) {
		s[i].from = a;
		s[i].to = b;
		s[i].stop = &stop;
		ASSERT_EQ(0, pthread_create(&thread[i], NULL, send_on, &s[i]));
	}
	for (i = 0; now() < end; i++) {
		if (i % 4 == 0) {
			ASSERT_EQ(0, peer_limit(&self->c, "a", "b", 1 + i % 7, 1 + i % 3, 0));
		} else if (i % 4 == 2) {
			ASSERT_EQ(0, peer_deny(&self->c, "a", "b"));
		}
		msgq_post(b->fd, (16 + i % 8) * PAGE, PAGE, i);
		while (!msgq_recv(b->fd, &recv)) {
			got++;
			if (recv.id) {
				ASSERT_EQ(0, msgq_release(b->fd, recv.id));
			}
		}
	}
	atomic_store(&stop, 1);
	for (i = 0; i < 3; i++) {
		pthread_join(thread[i], NULL);
		sent += atomic_load(&s[i].sent);
		denied += atomic_load(&s[i].denied);
	}
	for (; !msgq_recv(b->fd, &recv); got++) {
		if (recv.id) {
			ASSERT_EQ(0, msgq_release(b->fd, recv.id));
		}
	}
	EXPECT_EQ(sent, got);
	EXPECT_LT(0, sent);
	EXPECT_LT(0, denied);
	TH_LOG("%lu sent, %lu not permitted", sent, denied);
	ASSERT_EQ(0, peer_limit(&self->c, "a", "b", 1, 0, 0));
	ASSERT_EQ(0, peer_get(&self->c, "a", "b", &at));
	EXPECT_EQ(0, at.now_messages);
	EXPECT_EQ(0, at.now_pages);
	EXPECT_EQ(0, at.now_bytes);
	/* No page is left behind with anybody. */
	window_close(b);
	ASSERT_EQ(0, window_join(&self->c, b, "b"));
	ASSERT_EQ(0, msgq_attach(b->fd, 0, 0));
	ASSERT_EQ(0, msgq_post(b->fd, 0, SIZE, 0));
	EXPECT_EQ(0, send_range(a, b, 0, SIZE, IVSHM_MSGQ_MOVE));
}

/* Senders and receivers that are killed in the middle of something long. */
TEST_F_TIMEOUT(abuse, killed, 120)
{
	struct ivshm_msgq_recv recv;
	struct window big, *b = &self->b;
	const size_t size = 8 * MIB;
	int round, status, sent = 0;
	atomic_int *at_it;
	pid_t pid;

	at_it = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, at_it);

	window_close(&self->a);
	window_close(b);
	region_del_all(&self->c);
	ASSERT_EQ(0, region_add(&self->c, "a", size, 0));
	ASSERT_EQ(0, window_open(&self->c, b, "b", size, 0));
	for (round = 0; round < (slow() ? 20 : 40); round++) {
		msgq_post(b->fd, 0, size, 0);
		pid = fork();
		if (!pid) {
			/* The mapping of the other's file goes with the parent's. */
			if (window_join(&self->c, &big, "a"))
				_exit(1);
			/* The one before may be about to end. */
			while (msgq_attach(big.fd, 0, 0) == -EBUSY)
				usleep(100);
			memset(big.at, 7, size);
			atomic_store(at_it, 1);
			for (;;)
				send_range(&big, b, 0, size, round % 4);
		}
		while (!atomic_load(at_it)) {
			usleep(100);
			ASSERT_EQ(0, waitpid(pid, &status, WNOHANG)) {
				TH_LOG("round %d: the sender ended with %x", round, status);
			}
		}
		atomic_store(at_it, 0);
		usleep(rand() % 20000);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		while (!msgq_recv(b->fd, &recv)) {
			sent++;
			if (recv.id) {
				ASSERT_EQ(0, msgq_release(b->fd, recv.id));
			}
		}
	}
	TH_LOG("%d messages came through", sent);
	EXPECT_LT(0, sent);
	munmap(at_it, PAGE);
	/* No page is left behind with anybody. */
	ASSERT_EQ(0, peer_allow(&self->c, "a", "b"));
	ASSERT_EQ(0, window_join(&self->c, &big, "a"));
	while (msgq_attach(big.fd, 0, 0) == -EBUSY)
		usleep(100);
	msgq_post(b->fd, 0, size, 0);
	EXPECT_EQ(0, send_range(&big, b, 0, size, IVSHM_MSGQ_MOVE));
	window_close(&big);
}

/* Who has a queue has the module. */
TEST_F(abuse, unload)
{
	EXPECT_EQ(-1, syscall(SYS_delete_module, "ivshm", O_NONBLOCK));
	EXPECT_EQ(EWOULDBLOCK, errno);
}

TEST_HARNESS_MAIN
