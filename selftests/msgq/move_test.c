// SPDX-License-Identifier: GPL-2.0
/* Pages that move and pages that are shared: who has what, and when. As root. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "msgq.h"

#define PAGES	64
#define SIZE	(PAGES * PAGE)
#define HUGE	(2 * MIB)

FIXTURE(move)
{
	struct control c;
	struct window a, b;
};

FIXTURE_SETUP(move)
{
	ASSERT_EQ(0, windows_open(&self->c, &self->a, &self->b, SIZE));
	ASSERT_EQ(0, peer_allow(&self->c, "b", "a"));
}

FIXTURE_TEARDOWN(move)
{
	parameter_set("msgq_move_min", 0);
	parameter_set("msgq_share_min", 0);
	windows_close(&self->c, &self->a, &self->b);
}

/* All bytes of pages are that. */
static int all(const char *at, int value, size_t pages)
{
	size_t i;

	for (i = 0; i < pages * PAGE; i++)
		if (at[i] != (char)value)
			return 0;
	return 1;
}

TEST_F(move, moved)
{
	struct window *a = &self->a, *b = &self->b;
	struct ivshm_msgq_recv recv;
	struct peer_attrs at;
	char *second, *aa = a->at, *bb = b->at;

	second = region_map(a->fd, SIZE);
	ASSERT_NE(MAP_FAILED, second);
	memset(aa, 0x5a, SIZE);
	memset(bb, 0x3c, SIZE);
	memset(second, 0x5b, 8 * PAGE);
	ASSERT_EQ(0, msgq_post(b->fd, 16 * PAGE, 8 * PAGE, 1));
	ASSERT_EQ(0, send_range(a, b, 2 * PAGE, 6 * PAGE, IVSHM_MSGQ_MOVE));
	/* At once, before the receiver took it: zero here, in every mapping. */
	EXPECT_TRUE(all(aa + 2 * PAGE, 0, 6));
	EXPECT_TRUE(all(second + 2 * PAGE, 0, 6));
	EXPECT_TRUE(all(aa, 0x5b, 2));
	EXPECT_TRUE(all(aa + 8 * PAGE, 0x5a, PAGES - 8));
	EXPECT_TRUE(all(bb, 0x3c, 16));
	EXPECT_TRUE(all(bb + 16 * PAGE, 0x5b, 6));
	EXPECT_TRUE(all(bb + 22 * PAGE, 0x3c, PAGES - 22));
	ASSERT_EQ(0, msgq_recv(b->fd, &recv));
	EXPECT_EQ(IVSHM_MSGQ_MOVE, recv.how);
	EXPECT_EQ(16 * PAGE, recv.offset);
	EXPECT_EQ(6 * PAGE, recv.len);
	EXPECT_EQ(0, recv.id);
	/* What either writes then the other does not see. */
	memset(aa + 2 * PAGE, 0x11, 6 * PAGE);
	EXPECT_TRUE(all(bb + 16 * PAGE, 0x5b, 6));
	memset(bb + 16 * PAGE, 0x22, 6 * PAGE);
	EXPECT_TRUE(all(second + 2 * PAGE, 0x11, 6));
	/* And back. */
	ASSERT_EQ(0, msgq_post(a->fd, 2 * PAGE, 6 * PAGE, 2));
	ASSERT_EQ(0, send_range(b, a, 16 * PAGE, 6 * PAGE, IVSHM_MSGQ_MOVE));
	EXPECT_TRUE(all(aa + 2 * PAGE, 0x22, 6));
	EXPECT_TRUE(all(bb + 16 * PAGE, 0, 6));
	ASSERT_EQ(0, peer_get(&self->c, "a", "b", &at));
	EXPECT_EQ(1, at.stat[STAT(MOVED)]);
	EXPECT_EQ(0, at.stat[STAT(COPIED)]);
	munmap(second, SIZE);
}

TEST_F(move, what_cannot)
{
	struct window *a = &self->a, *b = &self->b;
	struct window h;

	ASSERT_EQ(0, msgq_post(b->fd, 0, 4 * PAGE, 1));
	EXPECT_EQ(-EINVAL, send_range(a, b, 0, 0, IVSHM_MSGQ_MOVE));
	EXPECT_EQ(-EINVAL, send_range(a, b, 0, 0, IVSHM_MSGQ_SHARE));
	EXPECT_EQ(-EINVAL, send_range(a, b, 1, PAGE, IVSHM_MSGQ_MOVE));
	EXPECT_EQ(-EINVAL, send_range(a, b, 0, PAGE + 1, IVSHM_MSGQ_MOVE));
	EXPECT_EQ(-EINVAL, send_range(a, b, SIZE, PAGE, IVSHM_MSGQ_MOVE));
	EXPECT_EQ(-EINVAL, send_range(a, b, SIZE - PAGE, 2 * PAGE, IVSHM_MSGQ_MOVE));
	EXPECT_EQ(-EINVAL, send_range(a, b, -PAGE, 2 * PAGE, IVSHM_MSGQ_MOVE));
	EXPECT_EQ(-EINVAL, send_range(a, b, PAGE, -PAGE, IVSHM_MSGQ_MOVE));
	EXPECT_EQ(-EINVAL, send_range(a, b, 0, PAGE, IVSHM_MSGQ_SHARE + 1));
	/* What is to be landed on does not leave. */
	ASSERT_EQ(0, msgq_post(a->fd, 8 * PAGE, PAGE, 1));
	EXPECT_EQ(-EBUSY, send_range(a, b, 7 * PAGE, 2 * PAGE, IVSHM_MSGQ_MOVE));
	EXPECT_EQ(-EBUSY, send_range(a, b, 8 * PAGE, PAGE, IVSHM_MSGQ_SHARE));
	EXPECT_EQ(0, send_range(a, b, 7 * PAGE, PAGE, IVSHM_MSGQ_MOVE));

	if (window_open(&self->c, &h, "h", HUGE, HUGE)) {
		TH_LOG("no memory for large pages");
		return;
	}
	ASSERT_EQ(0, peer_allow(&self->c, "h", "b"));
	EXPECT_EQ(-EINVAL, send_range(&h, b, 0, PAGE, IVSHM_MSGQ_MOVE));
	EXPECT_EQ(-EINVAL, send_range(&h, b, 0, HUGE, IVSHM_MSGQ_SHARE));
	window_close(&h);
}

/* Someone has a reference to a page of one side: nothing moves, nothing is lost. */
static void with_pin(struct __test_metadata *_metadata, struct window *from,
		     struct window *to, struct window *pinned, size_t offset)
{
	struct iovec iov = { .iov_base = pinned->at + offset, .iov_len = PAGE };
	struct ivshm_msgq_recv recv;
	int pipes[2];

	ASSERT_EQ(0, pipe(pipes));
	memset(from->at, 0x61, 4 * PAGE);
	memset(to->at, 0x62, 4 * PAGE);
	ASSERT_EQ(0, msgq_post(to->fd, 0, 4 * PAGE, 1));
	ASSERT_EQ((ssize_t)PAGE, vmsplice(pipes[1], &iov, 1, 0));
	EXPECT_EQ(-EBUSY, send_range(from, to, 0, 4 * PAGE, IVSHM_MSGQ_MOVE));
	EXPECT_TRUE(all(from->at, 0x61, 4));
	EXPECT_TRUE(all(to->at, 0x62, 4));
	/* In any way it is copied. */
	close(pipes[0]);
	close(pipes[1]);
	EXPECT_EQ(0, send_range(from, to, 0, 4 * PAGE, IVSHM_MSGQ_MOVE));
	EXPECT_TRUE(all(from->at, 0, 4));
	EXPECT_TRUE(all(to->at, 0x61, 4));
	EXPECT_EQ(0, msgq_recv(to->fd, &recv));
}

TEST_F(move, pinned_source)
{
	with_pin(_metadata, &self->a, &self->b, &self->a, 3 * PAGE);
}

TEST_F(move, pinned_landing)
{
	with_pin(_metadata, &self->a, &self->b, &self->b, 2 * PAGE);
}

/* Writes to a page again and again. */
struct toucher {
	char *at;
	atomic_int stop;
	atomic_ulong times;
	atomic_ulong longest;	/* between two writes, in microseconds */
};

static void *touch_on(void *arg)
{
	struct toucher *t = arg;
	double last = now(), next;
	unsigned long us;

	while (!atomic_load(&t->stop)) {
		__atomic_fetch_add(t->at, 1, __ATOMIC_RELAXED);
		next = now();
		us = (next - last) * 1e6;
		if (us > atomic_load(&t->longest))
			atomic_store(&t->longest, us);
		last = next;
		atomic_fetch_add(&t->times, 1);
	}
	return NULL;
}

/* Until it has come round: what it waited for is counted. */
static void touched(struct toucher *t)
{
	unsigned long times = atomic_load(&t->times);

	while (atomic_load(&t->times) - times < 2)
		sched_yield();
}

/* A sender with pages that do not move keeps nobody from the slots it aims at. */
TEST_F(move, pinned_source_keeps_nobody)
{
	struct window *a = &self->a, *b = &self->b;
	struct iovec iov = { .iov_base = a->at, .iov_len = PAGE };
	struct toucher t = { .at = b->at };
	int pipes[2], i, went_on = 0;
	unsigned long longest;
	double begin, took;
	pthread_t thread;

	ASSERT_EQ(0, pipe(pipes));
	ASSERT_EQ((ssize_t)PAGE, vmsplice(pipes[1], &iov, 1, 0));
	ASSERT_EQ(0, msgq_post(b->fd, 0, PAGE, 1));
	ASSERT_EQ(0, pthread_create(&thread, NULL, touch_on, &t));
	for (i = 0; i < 20; i++) {
		touched(&t);
		atomic_store(&t.longest, 0);
		begin = now();
		EXPECT_EQ(-EBUSY, send_range(a, b, 0, PAGE, IVSHM_MSGQ_MOVE));
		took = now() - begin;
		touched(&t);
		longest = atomic_load(&t.longest);
		went_on += took > 0.015 && longest < took * 1e6 / 2;
	}
	atomic_store(&t.stop, 1);
	pthread_join(thread, NULL);
	close(pipes[0]);
	close(pipes[1]);
	/* It was waited for, and he went on, unless others had the processor each time. */
	EXPECT_LT(0, went_on);
	TH_LOG("%d times of 20; at last busy after %.1f ms, he was kept for %.3f ms", went_on,
	       took * 1e3, longest / 1e3);
}

TEST_F(move, any_way)
{
	struct window *a = &self->a, *b = &self->b;
	struct iovec iov = { .iov_base = a->at, .iov_len = PAGE };
	struct ivshm_msgq_send send = { .to = b->number };
	struct ivshm_msgq_recv recv;
	int pipes[2];

	/* Short ones, those that are not whole pages, and those in use are copied. */
	ASSERT_EQ(0, parameter_set("msgq_move_min", 65536));
	ASSERT_EQ(0, msgq_post(b->fd, 0, 32 * PAGE, 1));
	memset(a->at, 0x44, SIZE);
	send.len = PAGE;
	EXPECT_EQ(0, msgq_send(a->fd, &send));
	EXPECT_EQ(IVSHM_MSGQ_COPY, send.how);
	EXPECT_EQ(0, msgq_recv(b->fd, &recv));
	ASSERT_EQ(0, msgq_post(b->fd, 0, 32 * PAGE, 1));
	send.len = 32 * PAGE - 1;
	send.how = IVSHM_MSGQ_AUTO;
	EXPECT_EQ(0, msgq_send(a->fd, &send));
	EXPECT_EQ(IVSHM_MSGQ_COPY, send.how);
	EXPECT_EQ(0, msgq_recv(b->fd, &recv));
	ASSERT_EQ(0, pipe(pipes));
	ASSERT_EQ((ssize_t)PAGE, vmsplice(pipes[1], &iov, 1, 0));
	ASSERT_EQ(0, msgq_post(b->fd, 0, 32 * PAGE, 1));
	send.len = 32 * PAGE;
	send.how = IVSHM_MSGQ_AUTO;
	EXPECT_EQ(0, msgq_send(a->fd, &send));
	EXPECT_EQ(IVSHM_MSGQ_COPY, send.how);
	EXPECT_TRUE(all(a->at, 0x44, PAGES));
	EXPECT_TRUE(all(b->at, 0x44, 32));
	EXPECT_EQ(0, msgq_recv(b->fd, &recv));
	close(pipes[0]);
	close(pipes[1]);
	ASSERT_EQ(0, msgq_post(b->fd, 0, 32 * PAGE, 1));
	send.how = IVSHM_MSGQ_AUTO;
	EXPECT_EQ(0, msgq_send(a->fd, &send));
	EXPECT_EQ(IVSHM_MSGQ_MOVE, send.how);
	EXPECT_EQ(0, msgq_recv(b->fd, &recv));
	EXPECT_EQ(IVSHM_MSGQ_MOVE, recv.how);
	EXPECT_TRUE(all(a->at, 0, 32));
	/* As it takes less time: one or the other. */
	ASSERT_EQ(0, parameter_set("msgq_move_min", 0));
	ASSERT_EQ(0, msgq_post(b->fd, 0, 32 * PAGE, 1));
	memset(a->at, 0x45, SIZE);
	send.how = IVSHM_MSGQ_AUTO;
	EXPECT_EQ(0, msgq_send(a->fd, &send));
	EXPECT_TRUE(send.how == IVSHM_MSGQ_COPY || send.how == IVSHM_MSGQ_MOVE);
	EXPECT_TRUE(all(b->at, 0x45, 32));
}

/* In any way, and with flags: what was done, or a negative error. */
static int any_way(const struct window *a, const struct window *b, uint64_t offset,
		   uint64_t len, uint32_t flags)
{
	struct ivshm_msgq_send send = {
		.to = b->number, .offset = offset, .len = len, .flags = flags,
	};

	return msgq_send(a->fd, &send) ?: (int)send.how;
}

TEST_F(move, any_way_shared)
{
	const uint32_t may = IVSHM_MSGQ_MAY_SHARE | IVSHM_MSGQ_TELL;
	struct window *a = &self->a, *b = &self->b;
	struct ivshm_msgq_send send = { .to = b->number, .len = PAGE, .flags = may };
	struct ivshm_msgq_recv recv;
	struct ivshm_msgq_done done;
	int i;

	memset(a->at, 0x44, SIZE);
	memset(b->at, 0x52, SIZE);
	ASSERT_EQ(0, parameter_set("msgq_share_min", 2 * PAGE));
	ASSERT_EQ(0, parameter_set("msgq_move_min", 8 * PAGE));
	for (i = 0; i < 6; i++)
		ASSERT_EQ(0, msgq_post(b->fd, i * 8 * PAGE, 8 * PAGE, 1));
	/* Only if it was allowed, is long enough, and of whole pages that are free. */
	EXPECT_EQ(IVSHM_MSGQ_SHARE, any_way(a, b, 0, 2 * PAGE, may));
	EXPECT_EQ(IVSHM_MSGQ_COPY, any_way(a, b, 0, 2 * PAGE, 0));
	EXPECT_EQ(IVSHM_MSGQ_COPY, any_way(a, b, 0, PAGE, IVSHM_MSGQ_MAY_SHARE));
	EXPECT_EQ(IVSHM_MSGQ_COPY, any_way(a, b, 1, 2 * PAGE, IVSHM_MSGQ_MAY_SHARE));
	ASSERT_EQ(0, msgq_post(a->fd, 16 * PAGE, PAGE, 1));
	EXPECT_EQ(IVSHM_MSGQ_COPY, any_way(a, b, 14 * PAGE, 3 * PAGE, IVSHM_MSGQ_MAY_SHARE));
	/* What is long enough to be moved is shared all the same. */
	EXPECT_EQ(IVSHM_MSGQ_SHARE, any_way(a, b, 20 * PAGE, 8 * PAGE, may));

	/* As any message that is shared. */
	ASSERT_EQ(0, msgq_recv(b->fd, &recv));
	EXPECT_EQ(IVSHM_MSGQ_SHARE, recv.how);
	b->at[recv.offset] = 1;
	EXPECT_EQ(1, a->at[0]);
	EXPECT_EQ(-EAGAIN, msgq_done(a->fd, &done));
	EXPECT_EQ(0, msgq_release(b->fd, recv.id));
	EXPECT_EQ(0, msgq_done(a->fd, &done));
	EXPECT_TRUE(all(b->at, 0x52, 8));
	/* Who gives a way means that one. */
	for (send.how = IVSHM_MSGQ_COPY; send.how <= IVSHM_MSGQ_SHARE; send.how++)
		EXPECT_EQ(-EINVAL, msgq_send(a->fd, &send));
}

TEST_F(move, shared)
{
	struct window *a = &self->a, *b = &self->b;
	struct ivshm_msgq_recv recv;
	struct peer_attrs at;

	memset(a->at, 0x51, SIZE);
	memset(b->at, 0x52, SIZE);
	ASSERT_EQ(0, msgq_post(b->fd, 4 * PAGE, 4 * PAGE, 1));
	ASSERT_EQ(0, send_range(a, b, 0, 3 * PAGE, IVSHM_MSGQ_SHARE));
	EXPECT_EQ(-ENOENT, msgq_release(b->fd, 1));
	ASSERT_EQ(0, msgq_recv(b->fd, &recv));
	EXPECT_EQ(IVSHM_MSGQ_SHARE, recv.how);
	EXPECT_NE(0, recv.id);
	EXPECT_TRUE(all(b->at + 4 * PAGE, 0x51, 3));
	EXPECT_TRUE(all(b->at + 7 * PAGE, 0x52, PAGES - 7));
	/* The same pages. */
	b->at[5 * PAGE] = 1;
	EXPECT_EQ(1, a->at[PAGE]);
	a->at[2 * PAGE + 7] = 2;
	EXPECT_EQ(2, b->at[6 * PAGE + 7]);
	/* They stay where they are, and the receiver has nothing to give away. */
	ASSERT_EQ(0, msgq_post(b->fd, 20 * PAGE, 4 * PAGE, 1));
	EXPECT_EQ(-EBUSY, send_range(a, b, 0, PAGE, IVSHM_MSGQ_MOVE));
	ASSERT_EQ(0, msgq_post(a->fd, 20 * PAGE, 4 * PAGE, 1));
	EXPECT_EQ(-EBUSY, send_range(b, a, 4 * PAGE, PAGE, IVSHM_MSGQ_MOVE));
	EXPECT_EQ(-EBUSY, send_range(b, a, 4 * PAGE, PAGE, IVSHM_MSGQ_SHARE));
	EXPECT_EQ(0, send_range(b, a, 4 * PAGE, PAGE, IVSHM_MSGQ_COPY));
	EXPECT_EQ(-EBUSY, msgq_post(b->fd, 4 * PAGE, PAGE, 1));
	/* Nor is what a third one sends seen by both. */
	EXPECT_EQ(-EBUSY, msgq_post(a->fd, 2 * PAGE, PAGE, 1));
	ASSERT_EQ(0, msgq_post(a->fd, 3 * PAGE, PAGE, 1));
	ASSERT_EQ(0, peer_get(&self->c, "a", "b", &at));
	EXPECT_EQ(1, at.now_messages);
	EXPECT_EQ(3, at.now_pages);

	EXPECT_EQ(0, msgq_release(b->fd, recv.id));
	EXPECT_EQ(-ENOENT, msgq_release(b->fd, recv.id));
	EXPECT_EQ(-ENOENT, msgq_release(b->fd, 0));
	EXPECT_EQ(-ENOENT, msgq_release(b->fd, recv.id + (1ULL << 32)));
	EXPECT_TRUE(all(b->at, 0x52, PAGES));
	EXPECT_EQ(1, a->at[PAGE]);
	EXPECT_EQ(0, msgq_post(a->fd, 2 * PAGE, PAGE, 1));
	memset(b->at, 0x53, SIZE);
	EXPECT_TRUE(all(a->at, 0x51, 1));
	ASSERT_EQ(0, peer_get(&self->c, "a", "b", &at));
	EXPECT_EQ(0, at.now_messages);
	EXPECT_EQ(0, at.now_pages);
	EXPECT_EQ(0, send_range(a, b, 0, PAGE, IVSHM_MSGQ_MOVE));
}

/* A receiver that ends gives back what it had, taken or not. */
TEST_F(move, share_ends)
{
	struct window *a = &self->a, *b = &self->b;
	struct ivshm_msgq_recv recv;
	char *left;
	int fd;

	memset(a->at, 0x51, SIZE);
	memset(b->at, 0x52, SIZE);
	fd = region_open(&self->c, "b", O_RDWR);
	left = region_map(fd, SIZE);
	ASSERT_NE(MAP_FAILED, left);
	ASSERT_EQ(0, msgq_post(b->fd, 0, 4 * PAGE, 1));
	ASSERT_EQ(0, msgq_post(b->fd, 4 * PAGE, 4 * PAGE, 1));
	ASSERT_EQ(0, send_range(a, b, 0, 3 * PAGE, IVSHM_MSGQ_SHARE));
	ASSERT_EQ(0, send_range(a, b, 2 * PAGE, 3 * PAGE, IVSHM_MSGQ_SHARE));
	ASSERT_EQ(0, msgq_recv(b->fd, &recv));
	EXPECT_TRUE(all(left, 0x51, 3));
	window_close(b);
	EXPECT_TRUE(all(left, 0x52, PAGES));
	EXPECT_TRUE(all(a->at, 0x51, PAGES));

	/* And the sender may go: the receiver has the pages until it is done. */
	ASSERT_EQ(0, window_join(&self->c, b, "b"));
	ASSERT_EQ(0, msgq_attach(b->fd, 0, 0));
	ASSERT_EQ(0, msgq_post(b->fd, 0, 4 * PAGE, 1));
	ASSERT_EQ(0, send_range(a, b, 0, 3 * PAGE, IVSHM_MSGQ_SHARE));
	window_close(a);
	ASSERT_EQ(0, region_del(&self->c, "a"));
	EXPECT_TRUE(all(left, 0x51, 3));
	ASSERT_EQ(0, msgq_recv(b->fd, &recv));
	EXPECT_EQ(0, msgq_release(b->fd, recv.id));
	EXPECT_TRUE(all(left, 0x52, PAGES));

	/* By force, while pages are shared. */
	ASSERT_EQ(0, window_open(&self->c, a, "a", SIZE, 0));
	ASSERT_EQ(0, msgq_post(b->fd, 0, 4 * PAGE, 1));
	ASSERT_EQ(0, send_range(a, b, 0, 3 * PAGE, IVSHM_MSGQ_SHARE));
	ASSERT_EQ(0, region_force(&self->c, "b"));
	EXPECT_TRUE(region_faults(left));
	a->at[0] = 9;
	munmap(left, SIZE);
	close(fd);
}

/* Memory under a program's own is copied to, and neither moved nor shared. */
TEST_F(move, under_own_memory)
{
	struct window *a = &self->a, *b = &self->b;
	struct ivshm_msgq_recv recv;
	char *own;

	own = mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, own);
	memset(a->at, 0x71, SIZE);
	ASSERT_EQ(0, map_dma(b->fd, own, 4 * PAGE, 0, 0));
	ASSERT_EQ(0, msgq_post(b->fd, 0, 4 * PAGE, 1));
	EXPECT_EQ(-EBUSY, send_range(a, b, 0, 4 * PAGE, IVSHM_MSGQ_MOVE));
	EXPECT_EQ(-EBUSY, send_range(a, b, 0, 4 * PAGE, IVSHM_MSGQ_SHARE));
	EXPECT_EQ(0, send_range(a, b, 0, 4 * PAGE, IVSHM_MSGQ_COPY));
	EXPECT_TRUE(all(own, 0x71, 4));
	ASSERT_EQ(0, msgq_recv(b->fd, &recv));

	ASSERT_EQ(0, msgq_post(b->fd, 8 * PAGE, 4 * PAGE, 1));
	ASSERT_EQ(0, map_dma(a->fd, own + 4 * PAGE, 4 * PAGE, 0, IVSHM_DMA_KEEP_REGION));
	EXPECT_EQ(-EBUSY, send_range(a, b, 0, PAGE, IVSHM_MSGQ_MOVE));
	EXPECT_EQ(0, send_range(a, b, 4 * PAGE, PAGE, IVSHM_MSGQ_MOVE));
	ASSERT_EQ(0, unmap_dma(a->fd, own + 4 * PAGE, 4 * PAGE));
	EXPECT_EQ(0, msgq_recv(b->fd, &recv));

	/* Nor can what is shared be put there. */
	ASSERT_EQ(0, msgq_post(b->fd, 8 * PAGE, 4 * PAGE, 1));
	EXPECT_EQ(0, send_range(a, b, 0, PAGE, IVSHM_MSGQ_SHARE));
	EXPECT_EQ(-EBUSY, map_dma(b->fd, own + 4 * PAGE, 4 * PAGE, 8 * PAGE, 0));
	EXPECT_EQ(0, dma_flags);
	munmap(own, 8 * PAGE);
}

/* Pages of 2 MiB move as they are. */
TEST_F(move, large)
{
	struct window h, k;
	size_t i;

	window_clear(&k);
	if (window_open(&self->c, &h, "h", 2 * HUGE, HUGE) ||
	    window_open(&self->c, &k, "k", 2 * HUGE, HUGE))
		SKIP(goto out, "no memory for large pages");
	ASSERT_EQ(0, peer_allow(&self->c, "h", "k"));
	memset(h.at, 0x41, 2 * HUGE);
	memset(k.at, 0x42, 2 * HUGE);
	ASSERT_EQ(0, msgq_post(k.fd, PAGE, HUGE, 1));
	EXPECT_EQ(-EINVAL, send_range(&h, &k, PAGE, HUGE, IVSHM_MSGQ_MOVE));
	EXPECT_EQ(-EAGAIN, send_range(&h, &k, 0, HUGE, IVSHM_MSGQ_MOVE));
	EXPECT_EQ(0, send_range(&h, &k, PAGE, HUGE, IVSHM_MSGQ_AUTO));
	window_close(&k);
	ASSERT_EQ(0, window_join(&self->c, &k, "k"));
	ASSERT_EQ(0, msgq_attach(k.fd, 0, 0));
	memset(k.at, 0x42, 2 * HUGE);
	ASSERT_EQ(0, msgq_post(k.fd, HUGE, HUGE, 1));
	EXPECT_EQ(0, send_range(&h, &k, 0, HUGE, IVSHM_MSGQ_MOVE));
	for (i = 0; i < HUGE; i++) {
		ASSERT_EQ(0, h.at[i]);
		ASSERT_EQ(0x41, h.at[HUGE + i]);
		ASSERT_EQ(0x42, k.at[i]);
		ASSERT_EQ(0x41, k.at[HUGE + i]);
	}
	/* One fault takes less than the copy of so much, on any host. */
	ASSERT_EQ(0, msgq_post(k.fd, 0, HUGE, 1));
	EXPECT_EQ(IVSHM_MSGQ_SHARE, any_way(&h, &k, HUGE, HUGE, IVSHM_MSGQ_MAY_SHARE));
out:
	window_close(&h);
	window_close(&k);
}

TEST_HARNESS_MAIN
