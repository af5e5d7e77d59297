// SPDX-License-Identifier: GPL-2.0
/*
 * The dirty log of live migration: what the device writes to guest memory is
 * marked in a bitmap that the VMM gave.  The VMM's part is played here in
 * QEMU's order; guest memory is compared with a copy of before.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "log_fixture.h"

/* Frames both ways, without buffers being posted anew. */
static void traffic(struct __test_metadata *_metadata, FIXTURE_DATA(log) * self,
		    unsigned int n, unsigned int max)
{
	unsigned int i;

	self->v.keep_rx = true;
	for (i = 0; i < n; i++) {
		__u32 len = 60 + i * 97 % (max - 59);

		ASSERT_EQ(0, guest_pass(&self->peer, &self->v, len, i));
		ASSERT_EQ(0, guest_pass(&self->v, &self->peer, len, i));
	}
}

static const struct {
	__u64 features;
	bool plain;
} drivers[] = {
	{ F_DEFAULT },
	{ F_MODERN },
	{ F_MODERN | F_MRG },
	{ .plain = true },
};

TEST_F_TIMEOUT(log, direct, TIMEOUT)
{
	unsigned int i;

	for (i = 0; i < NR(drivers); i++) {
		struct guest_config c = {
			.features = drivers[i].features, .plain = drivers[i].plain,
		};

		up(_metadata, self, c, true);
		log_fill(&self->v);
		/* The fast way, until there is a log. */
		ASSERT_EQ(0, guest_pass(&self->peer, &self->v, 100, 0));
		ASSERT_EQ(0, log_begin(&self->log));
		traffic(_metadata, self, 200, 1514);
		EXPECT_LOGGED(100);
		EXPECT_EQ(201, ctl_stat("tap0", IVSHM_A_STAT_RX_DIRECT_FRAMES));
		down(_metadata, self);
		ASSERT_EQ(0, ctl_uncouple("lan0"));
	}
}

/* No coupling: the tap writes to the buffers. */
TEST_F_TIMEOUT(log, uplink, TIMEOUT)
{
	up(_metadata, self, (struct guest_config){}, false);
	log_fill(&self->v);
	ASSERT_EQ(0, log_begin(&self->log));
	traffic(_metadata, self, 200, 1514);
	EXPECT_LOGGED(100);
	EXPECT_EQ(0, ctl_stat("tap0", IVSHM_A_STAT_RX_DIRECT_FRAMES));
}

/* Frames over several buffers, used rings over several pages. */
TEST_F_TIMEOUT(log, mergeable, TIMEOUT)
{
	struct guest_config c = {
		.num = { 2048, 1024 }, .slot = { 340, 2304 },
	};
	int coupled;

	for (coupled = 0; coupled < 2; coupled++) {
		if (!coupled) {
			up(_metadata, self, c, false);
		} else {
			ASSERT_EQ(0, ctl_couple("lan0", IVSHM_COUPLING_STATIC, NULL,
						"tap0", "tap1", NULL));
		}
		ASSERT_EQ(0, log_renew(&self->v));
		ASSERT_EQ(0, log_begin(&self->log));
		traffic(_metadata, self, 400, 1514);
		EXPECT_LOGGED(80);
	}
}

/* Tables, and empty descriptors in between. */
TEST_F_TIMEOUT(log, indirect, TIMEOUT)
{
	static const __u32 piece[] = { 0, 12, 0, 1, 200, 0, 0, 900, 500, 0 };
	struct guest_config c = { .num = { 512, 256 }, .nr_slots = { 512, 256 } };
	unsigned int i, flags;

	up(_metadata, self, c, true);
	for (flags = GUEST_DIRECT; flags <= GUEST_TABLE; flags++) {
		ASSERT_EQ(0, guest_stop(&self->v));
		guest_reset_rings(&self->v);
		ASSERT_EQ(0, guest_start(&self->v));
		for (i = 0; i < 100; i++)
			if (guest_rx_post(&self->v, piece, NR(piece), flags) < 0)
				break;
		ASSERT_LT(50, i);
		guest_publish(&self->v, GUEST_RX);
		ASSERT_EQ(0, log_begin(&self->log));
		traffic(_metadata, self, 50, 1514);
		EXPECT_LOGGED(20);
	}
}

/* Neither buffers nor log are there when they are needed. */
TEST_F_TIMEOUT(log, missing, TIMEOUT)
{
	struct guest_config c = { .slot = { 4096, 4096 } };
	unsigned int i;

	up(_metadata, self, c, true);
	/* Pages that come late come without poison. */
	self->v.lax = true;
	log_fill(&self->v);
	madvise(self->v.ring[GUEST_RX].slots, 256 * 4096, MADV_DONTNEED);
	ASSERT_EQ(0, log_begin(&self->log));
	for (i = 0; i < 20; i++) {
		/* Marks were taken by the VMM, and the page of the log given back. */
		madvise(self->v.ring[GUEST_RX].slots, 256 * 4096, MADV_COLD);
		madvise(self->v.mem, self->v.size, i & 1 ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
		traffic(_metadata, self, 10, 1514);
		if (i == 10) {
			ASSERT_EQ(0, mprotect(self->log.bits, LOG_SIZE, PROT_READ));
			ASSERT_EQ(0, mprotect(self->log.bits, LOG_SIZE, PROT_READ | PROT_WRITE));
		}
	}
	EXPECT_LOGGED(200);
	EXPECT_EQ(0, ctl_stat("tap0", IVSHM_A_STAT_RING_ERRORS));
}

/* Memory that the kernel does not see: by user access. */
TEST_F_TIMEOUT(log, secret, TIMEOUT)
{
	struct guest_config c = { .slot = { 4096, 4096 } };
	int fd = syscall(SYS_memfd_secret, 0);
	size_t len = 32 * LOG_PAGE;
	__u8 *at;

	if (fd < 0) {
		SKIP(return, "no secretmem here: %s", strerror(errno));
	}
	up(_metadata, self, c, true);
	at = self->v.ring[GUEST_RX].slots;
	ASSERT_EQ(0, ftruncate(fd, len));
	ASSERT_EQ(0, guest_stop(&self->v));
	if (mmap(at, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0) != at) {
		mmap(at, len, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
		SKIP(return, "secretmem is limited");
	}
	close(fd);
	guest_reset_rings(&self->v);
	ASSERT_EQ(0, guest_start(&self->v));
	log_fill(&self->v);
	ASSERT_EQ(0, log_begin(&self->log));
	traffic(_metadata, self, 32, 1514);
	EXPECT_LOGGED(32);

	/* The log in such memory: what cannot be marked is not written. */
	fd = syscall(SYS_memfd_secret, 0);
	ASSERT_EQ(0, ftruncate(fd, LOG_SIZE));
	if (mmap(self->log.bits, LOG_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0) !=
	    self->log.bits) {
		SKIP(return, "secretmem is limited");
	}
	close(fd);
	guest_reset_rings(&self->v);
	ASSERT_EQ(0, guest_start(&self->v));
	log_fill(&self->v);
	ASSERT_EQ(0, log_base(&self->v, self->log.bits));
	ASSERT_EQ(0, log_features(&self->v, true));
	memcpy(self->log.copy, self->v.mem, self->v.size);
	frame_make(frame, 100, self->v.mac, self->peer.mac, 1, 1);
	ASSERT_EQ(0, guest_send(&self->peer, NULL, frame, 100));
	EXPECT_EQ(0, guest_silent(&self->v, 300));
	EXPECT_TRUE(guest_error(&self->v, GUEST_RX));
	EXPECT_EQ(0, memcmp(self->log.copy + (at - self->v.mem), at, len));
}

/* A device that starts while the log is on, as when a guest boots meanwhile. */
TEST_F_TIMEOUT(log, started, TIMEOUT)
{
	struct guest *v = &self->v;
	__u64 features;
	int q;

	up(_metadata, self, (struct guest_config){}, true);
	ASSERT_EQ(0, guest_stop(v));
	guest_reset_rings(v);
	log_fill(v);
	/* Somebody else's wish, for the device to reset. */
	v->ring[GUEST_RX].used->flags = VRING_USED_F_NO_NOTIFY;
	v->ring[GUEST_TX].used->flags = VRING_USED_F_NO_NOTIFY;
	memset(self->log.bits, 0, LOG_SIZE);
	memcpy(self->log.copy, v->mem, v->size);
	features = v->c.features | BIT64(VHOST_F_LOG_ALL);
	ASSERT_EQ(0, ioctl(v->fd, VHOST_SET_FEATURES, &features));
	ASSERT_EQ(0, guest_set_mem(v));
	for (q = 0; q < GUEST_QUEUES; q++) {
		ASSERT_EQ(0, guest_set_ring(v, q));
		ASSERT_EQ(0, log_addr(v, q, true));
	}
	ASSERT_EQ(0, log_base(v, self->log.bits));
	for (q = 0; q < GUEST_QUEUES; q++) {
		ASSERT_EQ(0, guest_set_backend(v, q, v->tap));
		EXPECT_TRUE(log_marked(self->log.bits, guest_gpa(v, v->ring[q].used)));
	}
	guest_kick(v, GUEST_RX);
	traffic(_metadata, self, 50, 1514);
	EXPECT_LOGGED(20);
}

/* Data without used rings, used rings without data. */
TEST_F_TIMEOUT(log, halves, TIMEOUT)
{
	struct guest *v = &self->v;
	struct guest_ring *rx = &v->ring[GUEST_RX], *tx = &v->ring[GUEST_TX];
	/* Buffers share no page with a ring. */
	struct guest_config config = { .slot = { 4096, 4096 } };
	struct log_checked c;
	unsigned int i;

	up(_metadata, self, config, true);
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, log_renew(&self->v));
		memset(self->log.bits, 0, LOG_SIZE);
		ASSERT_EQ(0, log_base(v, self->log.bits));
		ASSERT_EQ(0, log_set(v, true));
		if (i) {
			ASSERT_EQ(0, log_features(v, false));
		} else {
			ASSERT_EQ(0, log_addr(v, GUEST_RX, false));
			ASSERT_EQ(0, log_addr(v, GUEST_TX, false));
		}
		memset(self->log.bits, 0, LOG_SIZE);
		memcpy(self->log.copy, v->mem, v->size);
		traffic(_metadata, self, 50, 1514);
		ASSERT_EQ(0, guest_stop(v));
		c = (struct log_checked){};
		log_check_range(&self->log, rx->used, 6 + 8 * rx->num, &c);
		log_check_range(&self->log, tx->used, 6 + 8 * tx->num, &c);
		EXPECT_LT(1, c.changed);
		EXPECT_EQ(i ? 0 : c.changed, c.missing);
		c = (struct log_checked){};
		log_check_range(&self->log, rx->slots, (size_t)rx->nr_slots * rx->slot_size, &c);
		EXPECT_LT(20, c.changed);
		EXPECT_EQ(i ? c.changed : 0, c.missing);
	}
}

/* A sender that keeps at it, with so many frames on their way at most. */
struct flood {
	struct guest *from;
	const __u8 *to;
	__u32 window, n;
	__u32 sent, arrived;
};

static void *flood(void *arg)
{
	static __u8 data[1500];
	struct flood *f = arg;

	while (f->sent < f->n) {
		if (f->sent - __atomic_load_n(&f->arrived, __ATOMIC_ACQUIRE) >= f->window) {
			sched_yield();
			continue;
		}
		frame_make(data, 60 + f->sent % 1400, f->to, f->from->mac, 7, f->sent);
		if (!guest_send(f->from, NULL, data, 60 + f->sent % 1400))
			f->sent++;
	}
	guest_tx_drain(f->from, 5000);
	return NULL;
}

/* The next frame of the flood is the next: none is lost, none overtakes. */
static void next_of(struct __test_metadata *_metadata, FIXTURE_DATA(log) * self,
		    struct flood *f)
{
	__u32 flow, seq;

	ASSERT_EQ(1, guest_recv(&self->v, &got, 10000))
		TH_LOG("after %u of %u", f->arrived, f->sent);
	ASSERT_EQ(0, frame_check(got.data, got.len, &flow, &seq));
	ASSERT_EQ(f->arrived, seq);
	__atomic_store_n(&f->arrived, f->arrived + 1, __ATOMIC_RELEASE);
}

/*
 * Migrations that begin, get another log, and are given up, all under traffic:
 * not one frame is the worse for it.
 */
TEST_F_TIMEOUT(log, toggled, TIMEOUT)
{
	struct guest *v = &self->v;
	struct flood f = { .from = &self->peer, .to = self->v.mac, .window = 100, .n = 6000 };
	pthread_t t;

	up(_metadata, self, (struct guest_config){}, true);
	log_fill(v);
	ASSERT_EQ(0, pthread_create(&t, NULL, flood, &f));
	while (f.arrived < f.n) {
		next_of(_metadata, self, &f);
		switch (f.arrived % 32) {
		case 3:
			ASSERT_EQ(0, log_base(v, self->log.bits));
			ASSERT_EQ(0, log_set(v, true));
			break;
		case 11:
			ASSERT_EQ(0, log_base(v, self->log.bits + LOG_SIZE / 2));
			break;
		case 19:
			ASSERT_EQ(0, log_set(v, false));
			break;
		case 27:
			ASSERT_EQ(0, log_base(v, f.arrived % 64 > 32 ? NULL : self->log.bits));
			break;
		}
	}
	pthread_join(t, NULL);
	EXPECT_EQ(0, guest_silent(v, 20));
	EXPECT_EQ(0, ctl_stat("tap0", IVSHM_A_STAT_RING_ERRORS));
	EXPECT_EQ(0, ctl_stat("tap1", IVSHM_A_STAT_DROP_FULL));
}

/* As QEMU takes the marks. */
static void take(__u8 *all, __u8 *bits)
{
	__u64 *from = (__u64 *)bits, *to = (__u64 *)all;
	size_t i;

	for (i = 0; i < LOG_SIZE / sizeof(*from); i++)
		if (from[i])
			to[i] |= __atomic_exchange_n(&from[i], 0, __ATOMIC_SEQ_CST);
}

/* Marks are taken, and the log becomes another, under traffic: none gets lost. */
TEST_F_TIMEOUT(log, switched, TIMEOUT)
{
	struct guest_config c = { .num = { 4096, 256 }, .nr_slots = { 4096, 256 } };
	struct guest *v = &self->v;
	struct flood f = { .from = &self->peer, .to = self->v.mac, .window = 200, .n = 4000 };
	__u8 *log[2], *all = mmap(NULL, LOG_SIZE, PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	unsigned int now = 0;
	pthread_t t;
	int i;

	up(_metadata, self, c, true);
	v->keep_rx = true;
	log_fill(v);
	ASSERT_EQ(0, log_begin(&self->log));
	log[0] = self->log.bits;
	ASSERT_EQ(0, pthread_create(&t, NULL, flood, &f));
	while (f.arrived < f.n) {
		next_of(_metadata, self, &f);
		if (f.arrived % 64 == 0) {
			/* Another one, at another offset; the old one is gone for good. */
			log[!now] = mmap(NULL, 2 * LOG_SIZE, PROT_READ | PROT_WRITE,
					 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
			ASSERT_NE(MAP_FAILED, log[!now]);
			ASSERT_EQ(0, log_base(v, log[!now]));
			take(all, log[now]);
			ASSERT_EQ(0, munmap(log[now], LOG_SIZE));
			now = !now;
		} else if (f.arrived % 16 == 0) {
			take(all, log[now]);
		}
	}
	pthread_join(t, NULL);
	ASSERT_EQ(0, guest_stop(v));
	take(all, log[now]);
	for (i = 0; i < LOG_SIZE; i++)
		ASSERT_EQ(0, log[now][i]);
	self->log.bits = all;
	EXPECT_LOGGED(1000);
	EXPECT_EQ(0, ctl_stat("tap0", IVSHM_A_STAT_RING_ERRORS));
}

/* The eventfd of the log is signalled, as by vhost-net. */
TEST_F_TIMEOUT(log, told, TIMEOUT)
{
	int fd = eventfd(0, EFD_NONBLOCK), none = -1, i;
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	struct guest *v = &self->v;
	__u64 n;

	up(_metadata, self, (struct guest_config){}, true);
	log_fill(v);
	ASSERT_EQ(0, ioctl(v->fd, VHOST_SET_LOG_FD, &fd));
	ASSERT_EQ(0, guest_pass(&self->peer, v, 100, 0));
	EXPECT_EQ(0, poll(&pfd, 1, 50));
	ASSERT_EQ(0, log_begin(&self->log));
	while (read(fd, &n, sizeof(n)) > 0)
		;
	for (i = 0; i < 20; i++) {
		ASSERT_EQ(0, guest_pass(&self->peer, v, 100, i));
		EXPECT_EQ(1, poll(&pfd, 1, 5000));
		ASSERT_EQ(8, read(fd, &n, sizeof(n)));
	}
	/* Only what was sent. */
	usleep(50000);
	read(fd, &n, sizeof(n));
	ASSERT_EQ(0, guest_pass(v, &self->peer, 100, 0));
	EXPECT_EQ(1, poll(&pfd, 1, 5000));
	/* By the time it has stopped it was told of all. */
	for (i = 0; i < 20; i++) {
		ASSERT_EQ(0, log_renew(&self->v));
		ASSERT_EQ(0, log_set(v, true));
		usleep(2000);
		read(fd, &n, sizeof(n));
		memset(self->log.bits, 0, LOG_SIZE);
		frame_make(frame, 100, v->mac, self->peer.mac, 1, i);
		ASSERT_EQ(0, guest_send(&self->peer, NULL, frame, 100));
		ASSERT_EQ(0, guest_stop(v));
		n = 0;
		read(fd, &n, sizeof(n));
		EXPECT_TRUE(n || !log_marked(self->log.bits, guest_gpa(v, v->ring[GUEST_RX].used)));
	}
	ASSERT_EQ(0, log_renew(&self->v));
	ASSERT_EQ(0, ioctl(v->fd, VHOST_SET_LOG_FD, &none));
	ASSERT_EQ(0, log_set(v, true));
	while (read(fd, &n, sizeof(n)) > 0)
		;
	ASSERT_EQ(0, guest_pass(&self->peer, v, 100, 0));
	EXPECT_EQ(0, poll(&pfd, 1, 50));
}

TEST_HARNESS_MAIN
