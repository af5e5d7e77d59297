// SPDX-License-Identifier: GPL-2.0
/*
 * Guest memory under traffic: unmapped, discarded, forked, replaced, watched by
 * userfaultfd, secret, and the death of its owner.
 *
 *   victim --- lan0, static --- peer
 *   bystander -- lan1, static --- bystander
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "kselftest_harness.h"
#include "env.h"
#include "guest.h"

#define TIMEOUT	180

#ifndef SYS_memfd_secret
#define SYS_memfd_secret 447
#endif

static __u8 frame[GUEST_FRAME_MAX];
static struct guest_frame got;

FIXTURE(mem) {
	struct guest v, peer, b[2];
};

static int one(struct guest *g, const char *tap)
{
	struct guest_config c = { .tap = tap, .slot = { 4096, 4096 } };

	return guest_up(g, &c);
}

FIXTURE_SETUP(mem)
{
	ASSERT_EQ(0, env_setup());
	ASSERT_EQ(0, one(&self->v, "tap0"));
	ASSERT_EQ(0, one(&self->peer, "tap1"));
	ASSERT_EQ(0, one(&self->b[0], "tap2"));
	ASSERT_EQ(0, one(&self->b[1], "tap3"));
	ASSERT_EQ(0, ctl_couple("lan0", IVSHM_COUPLING_STATIC, NULL, "tap0", "tap1", NULL));
	ASSERT_EQ(0, ctl_couple("lan1", IVSHM_COUPLING_STATIC, NULL, "tap2", "tap3", NULL));
	ASSERT_EQ(0, guest_pass(&self->v, &self->peer, 100, 0));
	ASSERT_EQ(0, guest_pass(&self->peer, &self->v, 100, 0));
}

/* 0 if they have not noticed anything. */
static int bystanders(FIXTURE_DATA(mem) * self)
{
	int i, err = 0;

	for (i = 0; i < 5 && !err; i++)
		err = guest_pass(&self->b[0], &self->b[1], 200, i) ?:
		      guest_pass(&self->b[1], &self->b[0], 200, i);
	return err;
}

FIXTURE_TEARDOWN(mem)
{
	EXPECT_EQ(0, bystanders(self));
	if (self->v.fd >= 0) {
		EXPECT_EQ(0, guest_stop(&self->v));
	}
	EXPECT_EQ(0, guest_stop(&self->peer));
	EXPECT_EQ(0, self->v.faults + self->peer.faults);
	EXPECT_EQ(0, self->b[0].faults + self->b[1].faults);
	guest_close(&self->peer);
	guest_close(&self->b[0]);
	guest_close(&self->b[1]);
}

static void both_ways(struct __test_metadata *_metadata, FIXTURE_DATA(mem) * self,
		      unsigned int n)
{
	ASSERT_EQ(0, guest_pass_both(&self->v, &self->peer, n));
}

/* A balloon: pages go, and new ones come as they are needed. */
TEST_F_TIMEOUT(mem, discarded, TIMEOUT)
{
	unsigned int i, q;
	size_t len;

	for (i = 0; i < 100; i++) {
		for (q = 0; q < GUEST_QUEUES; q++) {
			__u8 *at = guest_slot_pages(&self->v, q, &len);
			size_t n = (1 + rnd() % (len / 4096)) * 4096;

			ASSERT_EQ(0, madvise(at, n, i & 1 ? MADV_DONTNEED : MADV_COLD));
			/* Poison is checked by whoever receives. */
			if (q == GUEST_RX && i & 1)
				memset(at, GUEST_POISON, n);
		}
		both_ways(_metadata, self, 3);
	}
	EXPECT_LT(0, ctl_stat("tap0", IVSHM_A_STAT_INVALIDATIONS));
}

/* What a guest read before is what it reads after: pages move under it. */
TEST_F_TIMEOUT(mem, moved, TIMEOUT)
{
	struct guest *v = &self->v;
	void *other = mmap(NULL, v->size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	unsigned int i;

	for (i = 0; i < 30; i++) {
		size_t len;
		__u8 *at = guest_slot_pages(v, GUEST_RX, &len);
		void *copy = (__u8 *)other + (at - v->mem);

		/* There and back: same contents, other page tables. */
		ASSERT_EQ(copy, mremap(at, len, len, MREMAP_MAYMOVE | MREMAP_FIXED, copy));
		ASSERT_EQ(at, mremap(copy, len, len, MREMAP_MAYMOVE | MREMAP_FIXED, at));
		ASSERT_EQ(0, mprotect(at, len, PROT_READ));
		ASSERT_EQ(0, mprotect(at, len, PROT_READ | PROT_WRITE));
		madvise(v->mem, v->size, i & 1 ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
		madvise(v->mem, v->size, i & 2 ? MADV_MERGEABLE : MADV_UNMERGEABLE);
		both_ways(_metadata, self, 5);
	}
}

/* The child keeps what was there at the fork, and gets nothing of what comes. */
TEST_F_TIMEOUT(mem, forked, TIMEOUT)
{
	struct guest *v = &self->v;
	unsigned int i;
	int status;

	for (i = 0; i < 10; i++) {
		size_t len;
		__u8 *at = guest_slot_pages(v, GUEST_RX, &len);
		int go[2];
		pid_t pid;
		char c;

		ASSERT_EQ(0, pipe(go));
		pid = fork();
		ASSERT_LE(0, pid);
		if (!pid) {
			size_t j;

			close(go[1]);
			if (read(go[0], &c, 1))
				_exit(1);
			for (j = 0; j < len; j++)
				if (at[j] != GUEST_POISON)
					_exit(2);
			_exit(0);
		}
		close(go[0]);
		both_ways(_metadata, self, 20);
		close(go[1]);
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		EXPECT_EQ(0, status);
	}
}

/* Buffers that are not there any more: an error, or a drop, and a cure. */
TEST_F_TIMEOUT(mem, unmapped, TIMEOUT)
{
	struct guest *v = &self->v, *peer = &self->peer;
	unsigned int round, i, q;
	size_t len;

	for (round = 0; round < 6; round++) {
		__u8 *at;

		q = round & 1;
		at = round < 4 ? guest_slot_pages(v, q, &len) : v->mem;
		if (round >= 4)
			len = v->ring[GUEST_TX].slots - v->mem;
		frame_make(frame, 500, peer->mac, v->mac, 3, round);
		for (i = 0; i < 30; i++)
			guest_send(v, NULL, frame, 500);
		/* With frames on their way. */
		ASSERT_EQ(at, mmap(at, len & ~4095UL, PROT_NONE,
				   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
		for (i = 0; i < 30; i++) {
			frame_make(frame, 300, v->mac, peer->mac, 3, i);
			guest_send(peer, NULL, frame, 300);
			if (i % 10 == 0)
				guest_kick(v, GUEST_TX);
		}
		usleep(20000);
		EXPECT_EQ(0, bystanders(self));
		ASSERT_EQ(0, guest_tx_drain(peer, 5000));
		ASSERT_EQ(0, guest_stop(v));
		ASSERT_EQ(0, mprotect(at, len & ~4095UL, PROT_READ | PROT_WRITE));
		while (guest_recv(peer, &got, 30) == 1)
			;
		guest_reset_rings(v);
		ASSERT_EQ(0, guest_start(v));
		guest_rx_fill(v, 256, 4000);
		both_ways(_metadata, self, 5);
	}
}

/* Once the table is another, nothing touches what was in the old one. */
TEST_F_TIMEOUT(mem, replaced, TIMEOUT)
{
	struct guest *v = &self->v;
	__u8 *spare[2];
	unsigned int i;
	size_t j;

	spare[0] = v->mem;
	spare[1] = mmap(NULL, v->size, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, spare[1]);
	for (i = 1; i <= 12; i++) {
		ptrdiff_t by = spare[i & 1] - v->mem;
		__u8 *old = v->mem;
		int q, c;

		for (q = 0; q < 20; q++) {
			frame_make(frame, 400, v->mac, self->peer.mac, 1, q);
			guest_send(&self->peer, NULL, frame, 400);
		}
		/* The rings stop for the copy, as they do in a VMM that moves memory. */
		ASSERT_EQ(0, guest_stop(v));
		memcpy(v->mem + by, v->mem, v->size);
		v->mem += by;
		for (q = 0; q < GUEST_QUEUES; q++) {
			struct guest_ring *r = &v->ring[q];

			r->desc = (void *)((__u8 *)r->desc + by);
			r->avail = (void *)((__u8 *)r->avail + by);
			r->used = (void *)((__u8 *)r->used + by);
			r->slots = (void *)((__u8 *)r->slots + by);
			for (c = 0; c < r->num; c++) {
				unsigned int s;

				r->chain[c].table = NULL;
				r->chain[c].table_size = 0;
				for (s = 0; r->chain[c].busy && s < r->chain[c].nr_seg; s++)
					r->chain[c].seg[s].addr =
						(void *)((__u8 *)r->chain[c].seg[s].addr + by);
			}
		}
		/* Now and then it is the running table that is replaced. */
		if (i % 3) {
			ASSERT_EQ(0, guest_set_mem(v));
			for (q = 0; q < GUEST_QUEUES; q++) {
				struct guest_ring *r = &v->ring[q];
				struct vhost_vring_state base = { q, r->last_used };

				ASSERT_EQ(0, guest_set_ring(v, q));
				base.num = r->used->idx;
				ASSERT_EQ(0, ioctl(v->fd, VHOST_SET_VRING_BASE, &base));
				ASSERT_EQ(0, guest_set_backend(v, q, v->tap));
			}
		} else {
			guest_reset_rings(v);
			ASSERT_EQ(0, guest_start(v));
			guest_rx_fill(v, 256, 4000);
		}
		memset(old, 0x3c, v->size);
		guest_kick(v, GUEST_RX);
		guest_kick(v, GUEST_TX);
		while (guest_recv(v, &got, 50) == 1)
			;
		both_ways(_metadata, self, 10);
		for (j = 0; j < v->size && old[j] == 0x3c; j++)
			;
		EXPECT_EQ(v->size, j);
	}
}

/* SET_MEM_TABLE with rings running and frames coming in, to and fro. */
TEST_F_TIMEOUT(mem, table_under_traffic, TIMEOUT)
{
	struct guest *v = &self->v;
	struct vhost_memory none = {};
	unsigned int i;

	for (i = 0; i < 200; i++) {
		frame_make(frame, 400, v->mac, self->peer.mac, 1, i);
		guest_send(&self->peer, NULL, frame, 400);
		if (i % 10 == 9) {
			ASSERT_EQ(0, ioctl(v->fd, VHOST_SET_MEM_TABLE, &none));
		}
		ASSERT_EQ(0, guest_set_mem(v));
		if (guest_error(v, GUEST_RX) || guest_error(v, GUEST_TX)) {
			/* With no memory the buffers were nowhere. */
			ASSERT_EQ(0, guest_stop(v));
			guest_reset_rings(v);
			ASSERT_EQ(0, guest_start(v));
			guest_rx_fill(v, 256, 4000);
		}
		while (guest_recv(v, &got, 1) == 1)
			;
	}
	ASSERT_EQ(0, guest_tx_drain(&self->peer, 5000));
	while (guest_recv(v, &got, 50) == 1)
		;
	both_ways(_metadata, self, 10);
}

/*
 * A guest of its own process, which floods and is flooded through memory that
 * was never touched before, and dies at some instant of it.
 */
static void doomed(int ready)
{
	struct guest_config c = { .tap = "tap0", .slot = { 4096, 4096 } };
	static const __u8 to[6] = { 0x52, 0x54, 0, 0xaa, 0, 2 };
	struct guest g;
	__u32 len;
	int head;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (guest_open(&g, &c) || guest_start(&g))
		_exit(1);
	/* Not filled: each buffer is a page to be faulted in. */
	guest_rx_fill(&g, 256, 4000);
	madvise(g.ring[GUEST_RX].slots, 256 * 4096, MADV_DONTNEED);
	write(ready, "x", 1);
	for (;;) {
		frame_make(frame, 1000, to, g.mac, 1, 1);
		while (!guest_send(&g, NULL, frame, 1000))
			;
		while ((head = guest_reap(&g, GUEST_RX, &len)) >= 0) {
			struct guest_seg seg = g.ring[GUEST_RX].chain[head].seg[0];

			madvise((void *)((uintptr_t)seg.addr & ~4095UL), 4096, MADV_DONTNEED);
			guest_post(&g, GUEST_RX, &seg, 0, 1, 0);
		}
		guest_publish(&g, GUEST_RX);
	}
}

TEST_F_TIMEOUT(mem, killed, TIMEOUT)
{
	struct guest *peer = &self->peer;
	unsigned int i, j;
	int status, go[2];
	char c;

	/* Somebody else is to be at that end. */
	ASSERT_EQ(0, guest_stop(&self->v));
	guest_close(&self->v);
	for (i = 0; i < 20; i++) {
		__u64 until;
		pid_t pid;

		ASSERT_EQ(0, pipe(go));
		pid = fork();
		ASSERT_LE(0, pid);
		if (!pid)
			doomed(go[1]);
		close(go[1]);
		ASSERT_EQ(1, read(go[0], &c, 1));
		close(go[0]);
		until = now_ms() + rnd() % 60;
		do {
			for (j = 0; j < 20; j++) {
				frame_make(frame, 800, self->v.mac, peer->mac, 1, j);
				guest_send(peer, NULL, frame, 800);
			}
			while (guest_pending(peer, GUEST_RX))
				guest_recv(peer, &got, 0);
		} while (now_ms() < until);
		kill(pid, SIGKILL);
		/* Some frames come while it dies. */
		for (j = 0; j < 50; j++)
			guest_send(peer, NULL, frame, 800);
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		EXPECT_EQ(SIGKILL, WTERMSIG(status));
		/* Its files go with it, and its interface with them. */
		EXPECT_EQ(0, if_nametoindex("tap0"));
		ASSERT_EQ(0, guest_tx_drain(peer, 5000));
		while (guest_recv(peer, &got, 5) == 1)
			;
	}
	EXPECT_EQ(0, bystanders(self));
	/* And the next one is as good as the first. */
	ASSERT_EQ(0, one(&self->v, "tap0"));
	both_ways(_metadata, self, 5);
}

/* Nobody serves the guest's receive buffers from now on. */
static int watch(struct guest *g)
{
	struct uffdio_api api = { .api = UFFD_API };
	size_t len;
	__u8 *at = guest_slot_pages(g, GUEST_RX, &len);
	struct uffdio_register r = {
		.range = { (uintptr_t)at, len }, .mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return -errno;
	if (ioctl(fd, UFFDIO_API, &api) || madvise(at, len, MADV_DONTNEED) ||
	    ioctl(fd, UFFDIO_REGISTER, &r)) {
		close(fd);
		return -errno;
	}
	return fd;
}

/* Post-copy migration, and the pages do not come: only their owner waits. */
TEST_F_TIMEOUT(mem, unserved, TIMEOUT)
{
	struct guest *v = &self->v, *peer = &self->peer;
	unsigned int i, round;
	__u64 start;
	size_t len;

	/* Pages that come late come without poison. */
	v->lax = true;
	for (round = 0; round < 3; round++) {
		__u8 *at = guest_slot_pages(v, GUEST_RX, &len);
		int fd = watch(v);

		if (fd < 0)
			SKIP(return, "no userfaultfd here");
		for (i = 0; i < 100; i++) {
			frame_make(frame, 300, v->mac, peer->mac, 3, i);
			guest_send(peer, NULL, frame, 300);
		}
		/* The sender is not held up, nor is anybody else. */
		start = now_ms();
		ASSERT_EQ(0, guest_tx_drain(peer, 5000));
		EXPECT_EQ(0, bystanders(self));
		ASSERT_EQ(0, guest_tx_drain(peer, 5000));
		EXPECT_GT(start + 5000, now_ms());
		if (round == 1) {
			/* Served late, and all is well again. */
			close(fd);
			while (guest_wait(v, GUEST_RX, 300)) {
				guest_recv(v, &got, 0);
			}
		}
		start = now_ms();
		EXPECT_EQ(0, guest_stop(v));
		EXPECT_GT(start + 3000, now_ms());
		if (round != 1)
			close(fd);
		guest_reset_rings(v);
		ASSERT_EQ(0, guest_start(v));
		memset(at, GUEST_POISON, len);
		guest_rx_fill(v, 256, 4000);
		/* Frames that were left for it may come first. */
		while (guest_recv(v, &got, 50) == 1)
			;
		both_ways(_metadata, self, 3);
	}
}

TEST_F_TIMEOUT(mem, unserved_and_killed, TIMEOUT)
{
	struct guest *peer = &self->peer;
	unsigned int i, j;
	int status, go[2];
	__u64 start;
	char c;

	ASSERT_EQ(0, guest_stop(&self->v));
	guest_close(&self->v);
	for (i = 0; i < 5; i++) {
		pid_t pid;

		ASSERT_EQ(0, pipe(go));
		pid = fork();
		ASSERT_LE(0, pid);
		if (!pid) {
			struct guest g;

			prctl(PR_SET_PDEATHSIG, SIGKILL);
			if (one(&g, "tap0") || watch(&g) < 0)
				write(go[1], "s", 1);
			else
				write(go[1], "x", 1);
			for (;;)
				pause();
		}
		ASSERT_EQ(1, read(go[0], &c, 1));
		close(go[0]);
		close(go[1]);
		for (j = 0; j < 50; j++) {
			frame_make(frame, 800, self->v.mac, peer->mac, 1, j);
			guest_send(peer, NULL, frame, 800);
		}
		usleep(rnd() % 50000);
		start = now_ms();
		kill(pid, SIGKILL);
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		EXPECT_GT(start + 3000, now_ms());
		ASSERT_EQ(0, guest_tx_drain(peer, 5000));
		if (c == 's')
			i = 5;
	}
	ASSERT_EQ(0, one(&self->v, "tap0"));
	if (c == 's')
		SKIP(return, "no userfaultfd here");
	both_ways(_metadata, self, 3);
}

/* Memory that the kernel itself cannot see, as buffers of either kind. */
TEST_F_TIMEOUT(mem, secret, TIMEOUT)
{
	struct guest *v = &self->v;
	unsigned int q;
	size_t len;

	for (q = 0; q < GUEST_QUEUES; q++) {
		int fd = syscall(SYS_memfd_secret, 0);
		__u8 *at = guest_slot_pages(v, q, &len);

		if (fd < 0)
			SKIP(return, "no secretmem here: %s", strerror(errno));
		/* mlock()ed memory is limited. */
		if (len > 32 * 4096)
			len = 32 * 4096;
		ASSERT_EQ(0, ftruncate(fd, len));
		ASSERT_EQ(0, guest_stop(v));
		/* Those that are used first: the end of the stack of free slots. */
		if (mmap(at, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0) != at) {
			mmap(at, len, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
			SKIP(return, "secretmem is limited");
		}
		memset(at, GUEST_POISON, len);
		close(fd);
		guest_reset_rings(v);
		ASSERT_EQ(0, guest_start(v));
		guest_rx_fill(v, 256, 4000);
		both_ways(_metadata, self, 40);
	}
	EXPECT_LT(0, ctl_stat("tap0", IVSHM_A_STAT_BOUNCED) +
		     ctl_stat("tap1", IVSHM_A_STAT_BOUNCED));
}

/* Two VMs with the same memory; one VM that talks to itself. */
TEST_F_TIMEOUT(mem, to_itself, TIMEOUT)
{
	struct guest *v = &self->v;
	int i;

	for (i = 0; i < 10; i++) {
		frame_make(frame, 200, v->mac, v->mac, 1, i);
		ASSERT_EQ(0, guest_send(v, NULL, frame, 200));
		/* A crossover cable has another end. */
		ASSERT_EQ(1, guest_recv(&self->peer, &got, 5000));
		EXPECT_EQ(0, memcmp(frame, got.data, 200));
	}
	EXPECT_EQ(0, guest_silent(v, 50));
}

TEST_HARNESS_MAIN
