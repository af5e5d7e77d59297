// SPDX-License-Identifier: GPL-2.0
/*
 * Queues that stop, or are held by an ioctl, just when their worker has something in
 * hand that it cannot be rid of; and workers that get signals.
 *
 *   guest a, tap0 --- lan0, static, where there is one --- tap1, guest b
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "kselftest_harness.h"
#include "env.h"
#include "guest.h"

#define TIMEOUT		120
#define PAGE		4096UL
#define CUTS		50	/* too many for the ordinary way */

static __u8 frame[GUEST_FRAME_MAX];
static struct guest_frame got;

FIXTURE(stop) {
	struct guest a, b;
};

FIXTURE_SETUP(stop)
{
	self->a.fd = -1;
	self->b.fd = -1;
	ASSERT_EQ(0, env_setup());
}

FIXTURE_TEARDOWN(stop)
{
	EXPECT_EQ(0, self->a.faults + self->b.faults);
	if (self->a.fd >= 0)
		guest_close(&self->a);
	if (self->b.fd >= 0)
		guest_close(&self->b);
}

static int up_a(FIXTURE_DATA(stop) * self)
{
	const struct guest_config c = {
		.tap = "tap0", .num = { 256, 2048 }, .slot = { 2304, 2 * PAGE },
		.nr_slots = { 256, 256 },
	};

	return guest_up(&self->a, &c);
}

static int couple(FIXTURE_DATA(stop) * self, const struct ctl_options *o)
{
	const struct guest_config c = { .tap = "tap1", .num = { 16 }, .slot = { 8192, 2304 } };

	return up_a(self) ?: guest_up(&self->b, &c) ?:
	       ctl_couple("lan0", IVSHM_COUPLING_STATIC, o, "tap0", "tap1", NULL);
}

/* The worker of "tap0". */
static pid_t worker(void)
{
	char path[300], name[32] = "";
	struct dirent *e;
	pid_t pid = 0;
	DIR *dir = opendir("/proc");

	while (dir && !pid && (e = readdir(dir))) {
		FILE *f;

		snprintf(path, sizeof(path), "/proc/%s/comm", e->d_name);
		f = atoi(e->d_name) ? fopen(path, "r") : NULL;
		if (!f)
			continue;
		if (fgets(name, sizeof(name), f) && !strcmp(name, "ivshm-tap0\n"))
			pid = atoi(e->d_name);
		fclose(f);
	}
	closedir(dir);
	return pid;
}

/* Nanoseconds that it ran, or -1. */
static long long ran(pid_t pid)
{
	char path[40];
	long long ns = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/schedstat", pid);
	f = fopen(path, "r");
	if (!f || fscanf(f, "%lld", &ns) != 1)
		ns = -1;
	if (f)
		fclose(f);
	return ns;
}

/* Nobody serves the page at @at from now on; to @fd, a userfaultfd. */
static int withhold(int fd, void *at)
{
	struct uffdio_register r = {
		.range = { (uintptr_t)at, PAGE }, .mode = UFFDIO_REGISTER_MODE_MISSING,
	};

	return madvise(at, PAGE, MADV_DONTNEED) || ioctl(fd, UFFDIO_REGISTER, &r) ? -errno : 0;
}

static int serve(int fd, void *at)
{
	struct uffdio_zeropage z = { .range = { (uintptr_t)at, PAGE } };

	return ioctl(fd, UFFDIO_ZEROPAGE, &z) ? -errno : 0;
}

static int watcher(void)
{
	struct uffdio_api api = { .api = UFFD_API };
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);

	if (fd >= 0 && ioctl(fd, UFFDIO_API, &api)) {
		close(fd);
		fd = -1;
	}
	return fd;
}

/* A frame that is posted and not told, cut @cuts times; its second page. */
static void *long_frame(struct __test_metadata *_metadata, struct guest *g, unsigned int cuts)
{
	struct guest_chain *c = NULL;
	__u32 piece[CUTS];
	unsigned int i;

	for (i = 0; i < cuts; i++)
		piece[i] = 100;
	frame_make(frame, 6000, mac_broadcast, g->mac, 1, 0);
	ASSERT_EQ(0, guest_send_pieces(g, NULL, frame, 6000, piece, cuts, GUEST_MORE));
	for (i = 0; i < g->ring[GUEST_TX].num && !c; i++)
		if (g->ring[GUEST_TX].chain[i].busy)
			c = &g->ring[GUEST_TX].chain[i];
	ASSERT_NE(NULL, c);
	/* What is read too late is not what was sent. */
	g->lax = true;
	return (void *)(((uintptr_t)c->seg[0].addr + PAGE) & ~(PAGE - 1));
}

/* All that was taken from the ring was given back, and nothing is left for the next. */
TEST_F_TIMEOUT(stop, unserved, TIMEOUT)
{
	struct guest *a = &self->a;
	struct vhost_vring_state s;
	unsigned int round;
	__u64 start;
	void *page;
	int fd;

	ASSERT_EQ(0, couple(self, NULL));
	for (round = 0; round < 4; round++) {
		/* By the direct way, and then by the uplink. */
		if (round == 2) {
			ASSERT_EQ(0, ctl_uncouple("lan0"));
		}
		ASSERT_EQ(0, guest_tx_drain(a, 5000));
		page = long_frame(_metadata, a, 0);
		fd = watcher();
		if (fd < 0)
			SKIP(return, "no userfaultfd here");
		ASSERT_EQ(0, withhold(fd, page));
		guest_publish(a, GUEST_TX);
		usleep(50000);
		start = now_ms();
		ASSERT_EQ(0, guest_set_backend(a, GUEST_TX, -1));
		EXPECT_GT(start + 3000, now_ms());
		s = (struct vhost_vring_state){ .index = GUEST_TX };
		ASSERT_EQ(0, ioctl(a->fd, VHOST_GET_VRING_BASE, &s));
		EXPECT_EQ(a->ring[GUEST_TX].used->idx, s.num);
		close(fd);
		ASSERT_EQ(0, guest_stop(a));
		guest_reset_rings(a);
		ASSERT_EQ(0, guest_start(a));
		guest_rx_fill(a, 256, 2000);
		usleep(20000);
		EXPECT_FALSE(guest_pending(a, GUEST_TX));
		if (round < 2) {
			while (guest_recv(&self->b, &got, 50) == 1)
				;
			ASSERT_EQ(0, guest_pass_both(a, &self->b, 3));
		}
	}
}

/* What was sent is given back after the ioctl, once there is memory for it. */
TEST_F_TIMEOUT(stop, held_with_completions, TIMEOUT)
{
	struct guest *a = &self->a;
	struct guest_ring *r = &a->ring[GUEST_TX];
	struct vhost_vring_file call;
	void *page, *used;
	__u64 start;
	int fd;

	ASSERT_EQ(0, up_a(self));
	call = (struct vhost_vring_file){ .index = GUEST_TX, .fd = r->call };
	/* Of the used ring alone, and neither its beginning nor its end. */
	used = (void *)(((uintptr_t)r->used + PAGE) & ~(PAGE - 1));
	page = long_frame(_metadata, a, 0);
	fd = watcher();
	if (fd < 0)
		SKIP(return, "no userfaultfd here");
	ASSERT_EQ(0, withhold(fd, page));
	guest_publish(a, GUEST_TX);
	/* It is in the middle of the frame. */
	usleep(50000);
	ASSERT_EQ(0, withhold(fd, used));
	ASSERT_EQ(0, serve(fd, page));
	usleep(50000);
	EXPECT_FALSE(guest_pending(a, GUEST_TX));
	start = now_ms();
	ASSERT_EQ(0, ioctl(a->fd, VHOST_SET_VRING_CALL, &call));
	EXPECT_GT(start + 3000, now_ms());
	ASSERT_EQ(0, serve(fd, used));
	EXPECT_EQ(0, guest_tx_drain(a, 5000));
	close(fd);
}

/* The same in the middle of a chain of many pieces: it is not lost. */
TEST_F_TIMEOUT(stop, held_with_long_chain, TIMEOUT)
{
	struct guest *a = &self->a;
	struct vhost_vring_file call;
	void *page;
	__u64 sent;
	int fd, i;

	ASSERT_EQ(0, up_a(self));
	call = (struct vhost_vring_file){ .index = GUEST_TX, .fd = a->ring[GUEST_TX].call };
	sent = ctl_stat("tap0", IVSHM_A_STAT_TX_UPLINK_FRAMES);
	page = long_frame(_metadata, a, CUTS);
	fd = watcher();
	if (fd < 0)
		SKIP(return, "no userfaultfd here");
	ASSERT_EQ(0, withhold(fd, page));
	guest_publish(a, GUEST_TX);
	for (i = 0; i < 3; i++) {
		usleep(50000);
		ASSERT_EQ(0, ioctl(a->fd, VHOST_SET_VRING_CALL, &call));
	}
	EXPECT_FALSE(guest_pending(a, GUEST_TX));
	ASSERT_EQ(0, serve(fd, page));
	EXPECT_EQ(0, guest_tx_drain(a, 5000));
	EXPECT_EQ(sent + 1, ctl_stat("tap0", IVSHM_A_STAT_TX_UPLINK_FRAMES));
	EXPECT_EQ(0, ctl_stat("tap0", IVSHM_A_STAT_DROP_MALFORMED));
	close(fd);
}

/* Frames wait for a receiver, and the ring they came from is nowhere any more. */
TEST_F_TIMEOUT(stop, ring_is_nowhere, TIMEOUT)
{
	const struct ctl_options options = { -1, -1, 50000, -1 };
	struct guest *a = &self->a, *b = &self->b;
	struct vhost_vring_addr addr;
	unsigned int round;
	long long ns;
	__u8 *none;
	pid_t pid;
	int i;

	none = mmap(NULL, 1 << 20, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, none);
	ASSERT_EQ(0, couple(self, &options));
	for (round = 0; round < 5; round++) {
		b->keep_rx = true;
		for (i = 0; i < 16; i++) {
			ASSERT_EQ(0, guest_pass(a, b, 100, i));
		}
		frame_make(frame, 200, b->mac, a->mac, 1, i);
		for (i = 0; i < 4; i++) {
			ASSERT_EQ(0, guest_send(a, NULL, frame, 200));
		}
		addr = guest_ring_addr(a, GUEST_TX);
		addr.desc_user_addr = (uintptr_t)none;
		addr.avail_user_addr = (uintptr_t)none + (256 << 10);
		addr.used_user_addr = (uintptr_t)none + (512 << 10);
		ASSERT_EQ(0, ioctl(a->fd, VHOST_SET_VRING_ADDR, &addr));
		pid = worker();
		ASSERT_NE(0, pid);
		/* Their time is over, and nobody spins for them. */
		usleep(100000);
		ns = ran(pid);
		usleep(200000);
		if (ns >= 0) {
			EXPECT_GT(ns + 100000000, ran(pid));
		}
		/* The file goes, and the receiver has buffers again. */
		guest_close(a);
		b->keep_rx = false;
		guest_rx_fill(b, 16, 8000);
		guest_kick(b, GUEST_RX);
		ASSERT_EQ(0, up_a(self));
		while (guest_recv(b, &got, 50) == 1)
			;
		ASSERT_EQ(0, guest_pass_both(a, b, 3));
	}
	munmap(none, 1 << 20);
}

/* A worker that would look at the transmit ring again soon has none to look at. */
TEST_F_TIMEOUT(stop, one_queue, TIMEOUT)
{
	long long ns = 0, before, total = 0;
	struct guest *a = &self->a;
	unsigned int round;
	pid_t pid;
	int i;

	ASSERT_EQ(0, up_a(self));
	frame_make(frame, 100, mac_broadcast, a->mac, 1, 0);
	pid = worker();
	ASSERT_NE(0, pid);
	if (ran(pid) < 0)
		SKIP(return, "this kernel does not tell how long a thread ran");
	for (round = 0; round < 20; round++) {
		/* As many as make it fill by itself. */
		for (i = 0; i < 200; i++) {
			ASSERT_EQ(0, guest_send(a, NULL, frame, 100));
			guest_tx_reap(a);
		}
		ASSERT_EQ(0, guest_set_backend(a, GUEST_TX, -1));
		before = ran(pid);
		usleep(50000);
		ns += ran(pid) - before;
		total += 50000000;
		ASSERT_EQ(0, guest_stop(a));
		guest_reset_rings(a);
		ASSERT_EQ(0, guest_start(a));
	}
	TH_LOG("%lld of %lld ms", ns / 1000000, total / 1000000);
	EXPECT_GT(total / 20, ns);
}

static bool enough;

static void *killer(void *pid)
{
	while (!__atomic_load_n(&enough, __ATOMIC_RELAXED)) {
		kill(*(pid_t *)pid, SIGKILL);
		usleep(rnd() % 2000);
	}
	return NULL;
}

/* Nobody but root can, and it does no harm. */
TEST_F_TIMEOUT(stop, signals, TIMEOUT)
{
	struct guest *a = &self->a;
	unsigned int i, q;
	pthread_t thread;
	size_t len;
	pid_t pid;
	__u8 *at;

	ASSERT_EQ(0, couple(self, NULL));
	pid = worker();
	ASSERT_NE(0, pid);
	ASSERT_EQ(0, pthread_create(&thread, NULL, killer, &pid));
	for (i = 0; i < 100; i++) {
		/* It has to bring in memory each time. */
		for (q = 0; q < GUEST_QUEUES; q++) {
			at = guest_slot_pages(a, q, &len);
			EXPECT_EQ(0, madvise(at, len, MADV_DONTNEED));
			memset(at, GUEST_POISON, q == GUEST_RX ? len : 0);
		}
		if (guest_pass_both(a, &self->b, 3))
			break;
	}
	__atomic_store_n(&enough, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	EXPECT_EQ(100, i);
}

TEST_HARNESS_MAIN
