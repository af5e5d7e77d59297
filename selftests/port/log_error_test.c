// SPDX-License-Identifier: GPL-2.0
/*
 * The dirty log of live migration: logs that are not there, guests that do not
 * mean well, and the errors of the ioctls beside those of vhost-net.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "log_fixture.h"

#define HOLE		0x7000000000ULL	/* no guest memory there */

/*
 * A log that is not there: vhost-net writes on and forgets the mark.  Here the
 * ring breaks, with the error eventfd, and the other way round it heals.
 */
TEST_F_TIMEOUT(log, bad, TIMEOUT)
{
	static const char * const what[] = {
		"never there", "read only", "unmapped while running",
		"used rings only, never there", "used rings only, unmapped", "none",
	};
	struct guest *v = &self->v;
	unsigned int i;

	up(_metadata, self, (struct guest_config){}, true);
	log_fill(v);
	for (i = 0; i < NR(what); i++) {
		__u8 *log = mmap(NULL, LOG_SIZE, PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		struct pollfd pfd = { .fd = v->ring[GUEST_RX].err, .events = POLLIN };
		bool late = i == 2 || i == 4, used = i == 3 || i == 4;

		ASSERT_NE(MAP_FAILED, log);
		v->keep_rx = false;
		ASSERT_EQ(0, guest_pass(&self->peer, v, 200, i));
		if (!late) {
			ASSERT_EQ(0, i == 1 ? mprotect(log, LOG_SIZE, PROT_READ) :
					      munmap(log, LOG_SIZE));
		}
		ASSERT_EQ(0, log_base(v, i == 5 ? NULL : log));
		ASSERT_EQ(0, log_set(v, true));
		if (used) {
			ASSERT_EQ(0, log_features(v, false));
		}
		if (late) {
			ASSERT_EQ(0, guest_pass(&self->peer, v, 200, i));
			ASSERT_EQ(0, munmap(log, LOG_SIZE));
		}
		memcpy(self->log.copy, v->mem, v->size);
		frame_make(frame, 200, v->mac, self->peer.mac, 1, i);
		ASSERT_EQ(0, guest_send(&self->peer, NULL, frame, 200));
		if (i == 5) {
			EXPECT_EQ(1, guest_recv(v, &got, 5000));
			EXPECT_EQ(0, poll(&pfd, 1, 20));
		} else {
			EXPECT_EQ(1, poll(&pfd, 1, 5000))
				TH_LOG("%s", what[i]);
			EXPECT_EQ(0, memcmp(self->log.copy + (v->ring[GUEST_RX].slots - v->mem),
					    v->ring[GUEST_RX].slots,
					    (size_t)v->ring[GUEST_RX].nr_slots *
					    v->ring[GUEST_RX].slot_size));
		}
		ASSERT_EQ(0, guest_tx_drain(&self->peer, 5000));
		ASSERT_EQ(0, log_set(v, false));
		ASSERT_EQ(0, log_renew(&self->v));
		ASSERT_EQ(0, guest_pass(&self->peer, v, 200, i));
		ASSERT_EQ(0, guest_pass(v, &self->peer, 200, i));
		munmap(log, LOG_SIZE);
	}
}

/* CVE-2019-14835: chains of nothing, which vhost-net once had no end of logs for. */
TEST_F_TIMEOUT(log, zero_length, TIMEOUT)
{
	static const unsigned int entries[] = { 1, 2, 255, 256, 257, 1024, 4096, 65535, 65536 };
	struct guest *v = &self->v;
	struct guest_config c = { .mem = 8 << 20 };
	unsigned int k, i, q;

	up(_metadata, self, c, true);
	for (k = 0; k < 2 * NR(entries); k++) {
		unsigned int n = entries[k / 2];
		bool table = k & 1;
		size_t before = v->used;

		for (q = 0; q < GUEST_QUEUES && (table || n <= 256); q++) {
			struct pollfd pfd = { .fd = v->ring[q].err, .events = POLLIN };
			__u16 write = q == GUEST_RX ? VRING_DESC_F_WRITE : 0;
			struct vring_desc *desc = v->ring[q].desc;
			__u64 dropped;

			ASSERT_EQ(0, guest_stop(v));
			guest_reset_rings(v);
			ASSERT_EQ(0, guest_start(v));
			guest_error(v, q);
			if (table)
				desc = guest_alloc(v, n * sizeof(*desc), 16);
			for (i = 0; i < n; i++)
				desc[i] = (struct vring_desc){
					i & 1 ? HOLE : GUEST_GPA, 0,
					write | (i + 1 < n ? VRING_DESC_F_NEXT : 0), i + 1,
				};
			if (table)
				v->ring[q].desc[0] = (struct vring_desc){
					guest_gpa(v, desc), n * sizeof(*desc),
					VRING_DESC_F_INDIRECT, 0,
				};
			dropped = ctl_stat("tap0", IVSHM_A_STAT_DROP_MALFORMED);
			ASSERT_EQ(0, log_begin(&self->log));
			guest_post_raw(v, q, 0);
			guest_publish(v, q);
			guest_kick(v, q);
			if (q == GUEST_RX) {
				/* A buffer of no size is none. */
				frame_make(frame, 60, v->mac, self->peer.mac, 1, 1);
				ASSERT_EQ(0, guest_send(&self->peer, NULL, frame, 60));
				EXPECT_EQ(1, poll(&pfd, 1, 5000))
					TH_LOG("%u", n);
			} else {
				EXPECT_TRUE(guest_wait(v, q, 5000))
					TH_LOG("%u", n);
				EXPECT_EQ(dropped + 1,
					  ctl_stat("tap0", IVSHM_A_STAT_DROP_MALFORMED));
				v->ring[q].last_used = v->ring[q].used->idx;
			}
			EXPECT_LOGGED(q == GUEST_RX ? 0 : 1);
		}
		v->used = before;
	}
	ASSERT_EQ(0, log_renew(&self->v));
	ASSERT_EQ(0, guest_pass(&self->peer, v, 200, 1));
	/* The rings were used by hand. */
	v->faults = 0;
}

/*
 * The same calls on both devices in the same state.
 */
struct twin {
	int fd[2];
	__u8 *mem;
};

static int call(int fd, unsigned long cmd, void *arg)
{
	return ioctl(fd, cmd, arg) ? errno : 0;
}

/* The errno of both, or -1. */
static int both(struct __test_metadata *_metadata, struct twin *t, unsigned long cmd, void *arg)
{
	int ours = call(t->fd[0], cmd, arg);
	int theirs = t->fd[1] < 0 ? ours : call(t->fd[1], cmd, arg);

	if (ours == theirs)
		return ours;
	TH_LOG("ioctl %lx: %s here, vhost-net says %s", cmd, strerror(ours), strerror(theirs));
	return -1;
}

#define SAME(want, cmd, arg) EXPECT_EQ(want, both(_metadata, &t, cmd, arg))
/* How far user space reaches depends on the processor. */
#define ALIKE(cmd, arg) EXPECT_NE(-1, both(_metadata, &t, cmd, arg))

TEST_F_TIMEOUT(log, errors, TIMEOUT)
{
	struct twin t = { .fd = { open(IVSHM_DEV, O_RDWR), open(VHOST_DEV, O_RDWR) } };
	int tap[2] = { guest_tap("tap0", 12, 0, NULL), guest_tap("tap1", 12, 0, NULL) };
	struct {
		struct vhost_memory head;
		struct vhost_memory_region r[2];
	} table = { .head.nregions = 1 };
	static const __u64 bad[] = {
		(1ULL << 56) - 4096, 0xffff888000000000ULL, ~0ULL,
	};
	__u64 all = F_DEFAULT | BIT64(VHOST_F_LOG_ALL), some = F_DEFAULT, base = 0, used;
	struct vhost_vring_file f;
	struct vhost_vring_addr a;
	int running, i;

	ASSERT_LE(0, t.fd[0]);
	if (t.fd[1] < 0)
		TH_LOG("no %s: nothing to compare with", VHOST_DEV);
	t.mem = mmap(NULL, 2 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, t.mem);
	table.r[0] = (struct vhost_memory_region){ GUEST_GPA, 2 << 20, (uintptr_t)t.mem, 0 };
	table.r[1] = (struct vhost_memory_region){ 1ULL << 63, 4096,
						   (uintptr_t)t.mem + 0x100000, 0 };
	a = (struct vhost_vring_addr){
		.desc_user_addr = (uintptr_t)t.mem,
		.avail_user_addr = (uintptr_t)t.mem + 0x80000,
		.used_user_addr = (uintptr_t)t.mem + 0xa0000,
		.flags = 1 << VHOST_VRING_F_LOG,
	};

	/* Without an owner. */
	SAME(0, VHOST_SET_FEATURES, &all);
	SAME(EPERM, VHOST_SET_LOG_BASE, &base);
	SAME(EPERM, VHOST_SET_LOG_FD, &tap[0]);
	SAME(0, VHOST_SET_OWNER, NULL);
	SAME(0, VHOST_SET_FEATURES, &some);
	for (running = 0; running < 2; running++) {
		SAME(0, VHOST_SET_MEM_TABLE, &table);
		for (i = 0; i < 2; i++) {
			struct vhost_vring_state num = { i, 256 };

			if (!running) {
				SAME(0, VHOST_SET_VRING_NUM, &num);
			}
			a.index = i;
			a.flags = 0;
			SAME(0, VHOST_SET_VRING_ADDR, &a);
			f = (struct vhost_vring_file){ i, tap[0] };
			if (running) {
				EXPECT_EQ(0, call(t.fd[0], VHOST_NET_SET_BACKEND, &f));
				f.fd = tap[1];
				EXPECT_EQ(0, t.fd[1] < 0 ? 0 :
					     call(t.fd[1], VHOST_NET_SET_BACKEND, &f));
			}
		}
		a.flags = 1 << VHOST_VRING_F_LOG;

		/* Anywhere while nothing is logged. */
		for (i = 0; i < 3; i++) {
			base = bad[i];
			SAME(0, VHOST_SET_LOG_BASE, &base);
			SAME(running ? EFAULT : 0, VHOST_SET_FEATURES, &all);
			SAME(0, VHOST_SET_FEATURES, &some);
		}
		base = 0;
		SAME(0, VHOST_SET_LOG_BASE, &base);
		SAME(0, VHOST_SET_FEATURES, &all);
		for (i = 0; i < 3; i++) {
			base = bad[i];
			SAME(running ? EFAULT : 0, VHOST_SET_LOG_BASE, &base);
		}
		base = (uintptr_t)t.mem + 0x100000;
		SAME(0, VHOST_SET_LOG_BASE, &base);
		/* Memory for which the address space has no log. */
		table.head.nregions = 2;
		ALIKE(VHOST_SET_MEM_TABLE, &table);
		SAME(0, VHOST_SET_FEATURES, &some);
		SAME(0, VHOST_SET_MEM_TABLE, &table);
		ALIKE(VHOST_SET_FEATURES, &all);
		SAME(0, VHOST_SET_FEATURES, &some);
		table.head.nregions = 1;
		SAME(0, VHOST_SET_MEM_TABLE, &table);

		/* The used ring's own address. */
		for (used = 4; used; used <<= 6) {
			a.log_guest_addr = used;
			ALIKE(VHOST_SET_VRING_ADDR, &a);
		}
		a.log_guest_addr = 2;
		SAME(EINVAL, VHOST_SET_VRING_ADDR, &a);
		a.log_guest_addr = 0;
		SAME(0, VHOST_SET_VRING_ADDR, &a);
		base = ~0ULL;
		SAME(running ? EFAULT : 0, VHOST_SET_LOG_BASE, &base);
		base = (uintptr_t)t.mem + 0x100000;
		SAME(0, VHOST_SET_LOG_BASE, &base);
	}
	/* What is wrong is seen when the queue is to run. */
	for (i = 0; i < 2; i++) {
		f = (struct vhost_vring_file){ i, -1 };
		SAME(0, VHOST_NET_SET_BACKEND, &f);
	}
	for (i = 0; i < 2; i++) {
		base = ~0ULL;
		SAME(0, VHOST_SET_LOG_BASE, &base);
		a.index = 0;
		a.flags = i ? 1 << VHOST_VRING_F_LOG : 0;
		SAME(0, VHOST_SET_VRING_ADDR, &a);
		SAME(0, VHOST_SET_FEATURES, i ? &some : &all);
		f = (struct vhost_vring_file){ 0, tap[0] };
		EXPECT_EQ(EFAULT, call(t.fd[0], VHOST_NET_SET_BACKEND, &f));
		f.fd = tap[1];
		EXPECT_EQ(EFAULT, t.fd[1] < 0 ? EFAULT :
				  call(t.fd[1], VHOST_NET_SET_BACKEND, &f));
	}
	/* After a reset there is no log. */
	SAME(0, VHOST_RESET_OWNER, NULL);
	SAME(EPERM, VHOST_SET_LOG_BASE, &base);
	for (i = 0; i < 2; i++) {
		close(t.fd[i]);
		close(tap[i]);
	}
}

TEST_HARNESS_MAIN
