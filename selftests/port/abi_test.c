// SPDX-License-Identifier: GPL-2.0
/*
 * The ioctl ABI of /dev/ivshm-net, side by side with /dev/vhost-net: each call
 * is made on both devices in the same state, and both must answer alike.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_tun.h>
#include <arpa/inet.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>

#include "kselftest_harness.h"
#include "env.h"
#include "guest.h"

#define TIMEOUT	120
#define BAD	((void *)0xdead0000beef0000ULL)

FIXTURE(abi) {
	int fd, vhost;
	int tap, vtap;
	__u8 *mem;
};

FIXTURE_SETUP(abi)
{
	ASSERT_EQ(0, env_setup());
	self->fd = open(IVSHM_DEV, O_RDWR);
	ASSERT_LE(0, self->fd);
	self->vhost = open(VHOST_DEV, O_RDWR);
	if (self->vhost < 0)
		TH_LOG("no %s: nothing to compare with", VHOST_DEV);
	self->tap = guest_tap("tap0", 12, 0, NULL);
	self->vtap = guest_tap("tap1", 12, 0, NULL);
	ASSERT_LE(0, self->tap);
	ASSERT_LE(0, self->vtap);
	self->mem = mmap(NULL, 2 << 20, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->mem);
}

FIXTURE_TEARDOWN(abi)
{
	close(self->fd);
	close(self->vhost);
	close(self->tap);
	close(self->vtap);
}

static int call(int fd, unsigned long cmd, void *arg)
{
	return ioctl(fd, cmd, arg) ? errno : 0;
}

/* The errno of ivshm, which is to be that of vhost-net, or -1. */
static int both(struct __test_metadata *_metadata, FIXTURE_DATA(abi) * self,
		unsigned long cmd, void *arg)
{
	int ours = call(self->fd, cmd, arg);
	int theirs = self->vhost < 0 ? ours : call(self->vhost, cmd, arg);

	if (ours == theirs)
		return ours;
	TH_LOG("ioctl %lx: %s here, vhost-net says %s", cmd, strerror(ours),
	       strerror(theirs));
	return -1;
}

#define SAME(want, cmd, arg) EXPECT_EQ(want, both(_metadata, self, cmd, arg))

static const unsigned long owner_calls[] = {
	VHOST_RESET_OWNER, VHOST_SET_MEM_TABLE, VHOST_SET_LOG_BASE, VHOST_SET_LOG_FD,
	VHOST_SET_VRING_NUM, VHOST_SET_VRING_ADDR, VHOST_SET_VRING_BASE,
	VHOST_GET_VRING_BASE, VHOST_SET_VRING_KICK, VHOST_SET_VRING_CALL,
	VHOST_SET_VRING_ERR, VHOST_SET_VRING_BUSYLOOP_TIMEOUT,
	VHOST_GET_VRING_BUSYLOOP_TIMEOUT, VHOST_NET_SET_BACKEND,
	_IO(VHOST_VIRTIO, 0xfe),
};

#define NR(a) (sizeof(a) / sizeof(*(a)))

static void set_rings(struct __test_metadata *_metadata, FIXTURE_DATA(abi) * self,
		      __u16 num)
{
	__u32 i;

	for (i = 0; i < 2; i++) {
		struct vhost_vring_state n = { i, num }, base = { i, 0 };
		__u64 at = (uintptr_t)self->mem + i * 0x100000;
		struct vhost_vring_addr addr = {
			.index = i,
			.desc_user_addr = at,
			.avail_user_addr = at + 0x80000,
			.used_user_addr = at + 0xa0000,
		};

		SAME(0, VHOST_SET_VRING_NUM, &n);
		SAME(0, VHOST_SET_VRING_BASE, &base);
		SAME(0, VHOST_SET_VRING_ADDR, &addr);
	}
}

static void set_mem(struct __test_metadata *_metadata, FIXTURE_DATA(abi) * self)
{
	struct {
		struct vhost_memory head;
		struct vhost_memory_region r;
	} table = {
		.head.nregions = 1,
		.r = { GUEST_GPA, 2 << 20, (uintptr_t)self->mem, 0 },
	};

	SAME(0, VHOST_SET_MEM_TABLE, &table);
}

static int backend(int fd, __u32 index, int tap)
{
	struct vhost_vring_file f = { index, tap };

	return call(fd, VHOST_NET_SET_BACKEND, &f);
}

/* Both devices take backends: @self->tap here, @self->vtap there. */
static void run(struct __test_metadata *_metadata, FIXTURE_DATA(abi) * self)
{
	__u32 i;

	SAME(0, VHOST_SET_OWNER, NULL);
	set_mem(_metadata, self);
	set_rings(_metadata, self, 256);
	for (i = 0; i < 2; i++) {
		EXPECT_EQ(0, backend(self->fd, i, self->tap));
		if (self->vhost >= 0) {
			EXPECT_EQ(0, backend(self->vhost, i, self->vtap));
		}
	}
}

/* What QEMU 7.2 does, in its order, twice as a guest reboots. */
TEST_F_TIMEOUT(abi, qemu, TIMEOUT)
{
	struct vhost_vring_file f = { .fd = eventfd(0, 0) };
	struct vhost_vring_state s;
	__u64 features, log = 0;
	__u32 i, boot;

	SAME(0, VHOST_SET_OWNER, NULL);
	SAME(0, VHOST_GET_FEATURES, &features);
	SAME(0, VHOST_GET_BACKEND_FEATURES, &features);
	for (i = 0; i < 2; i++) {
		f.index = i;
		SAME(0, VHOST_SET_VRING_CALL, &f);
		s = (struct vhost_vring_state){ i, 50 };
		SAME(0, VHOST_SET_VRING_BUSYLOOP_TIMEOUT, &s);
	}
	for (boot = 0; boot < 2; boot++) {
		features = F_DEFAULT;
		SAME(0, VHOST_SET_FEATURES, &features);
		features = 0;
		SAME(0, VHOST_SET_BACKEND_FEATURES, &features);
		set_mem(_metadata, self);
		set_rings(_metadata, self, 256);
		for (i = 0; i < 2; i++) {
			f.index = i;
			SAME(0, VHOST_SET_VRING_KICK, &f);
			SAME(0, VHOST_SET_VRING_CALL, &f);
			SAME(0, VHOST_SET_VRING_ERR, &f);
		}
		for (i = 0; i < 2; i++) {
			EXPECT_EQ(0, backend(self->fd, i, self->tap));
			if (self->vhost >= 0) {
				EXPECT_EQ(0, backend(self->vhost, i, self->vtap));
			}
		}
		SAME(0, VHOST_SET_LOG_BASE, &log);
		for (i = 0; i < 2; i++) {
			EXPECT_EQ(0, backend(self->fd, i, -1));
			if (self->vhost >= 0) {
				EXPECT_EQ(0, backend(self->vhost, i, -1));
			}
			s = (struct vhost_vring_state){ i, 77 };
			SAME(0, VHOST_GET_VRING_BASE, &s);
			EXPECT_EQ(0, s.num);
		}
	}
	SAME(0, VHOST_RESET_OWNER, NULL);
}

TEST_F_TIMEOUT(abi, before_owner, TIMEOUT)
{
	__u64 buf[64] = {};
	unsigned int i;

	for (i = 0; i < NR(owner_calls); i++) {
		SAME(EPERM, owner_calls[i], buf);
	}
	/* These ask nobody. */
	SAME(0, VHOST_GET_FEATURES, buf);
	buf[0] = F_DEFAULT;
	SAME(0, VHOST_SET_FEATURES, buf);
	SAME(0, VHOST_SET_OWNER, NULL);
}

TEST_F_TIMEOUT(abi, second_owner, TIMEOUT)
{
	__u64 buf[64] = {};
	unsigned int i;
	int status;
	pid_t pid;

	run(_metadata, self);
	SAME(EBUSY, VHOST_SET_OWNER, NULL);

	/* Another process with the same file is nobody. */
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		SAME(EBUSY, VHOST_SET_OWNER, NULL);
		for (i = 0; i < NR(owner_calls); i++) {
			SAME(EPERM, owner_calls[i], buf);
		}
		_exit(!_metadata->passed);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);

	SAME(0, VHOST_RESET_OWNER, NULL);
	for (i = 0; i < NR(owner_calls); i++) {
		SAME(EPERM, owner_calls[i], buf);
	}
	/* And all of it once more. */
	run(_metadata, self);
}

TEST_F_TIMEOUT(abi, addresses, TIMEOUT)
{
	unsigned int i;

	SAME(EFAULT, VHOST_GET_FEATURES, BAD);
	SAME(EFAULT, VHOST_SET_FEATURES, BAD);
	SAME(EFAULT, VHOST_GET_BACKEND_FEATURES, BAD);
	SAME(EFAULT, VHOST_SET_BACKEND_FEATURES, BAD);
	SAME(0, VHOST_SET_OWNER, NULL);
	for (i = 1; i < NR(owner_calls); i++) {
		SAME(EFAULT, owner_calls[i], BAD);
		SAME(EFAULT, owner_calls[i], NULL);
	}
}

/* A structure that ends where memory ends, and one that goes on behind it. */
TEST_F_TIMEOUT(abi, truncated, TIMEOUT)
{
	__u8 *end = self->mem + (2 << 20);
	unsigned int i, left;

	ASSERT_EQ(0, munmap(end - 4096, 4096));
	end -= 4096;
	SAME(0, VHOST_SET_OWNER, NULL);
	for (i = 1; i < NR(owner_calls) - 1; i++) {
		unsigned int size = _IOC_SIZE(owner_calls[i]);

		for (left = 1; left < size; left++) {
			SAME(EFAULT, owner_calls[i], end - left);
		}
	}
}

TEST_F_TIMEOUT(abi, features, TIMEOUT)
{
	const __u64 except = BIT64(VIRTIO_F_IN_ORDER) | BIT64(VIRTIO_F_RING_RESET);
	const __u64 messages = BIT64(VHOST_BACKEND_F_IOTLB_MSG_V2);
	__u64 ours = 0, theirs = 0, one;
	unsigned int i;

	ASSERT_EQ(0, call(self->fd, VHOST_GET_FEATURES, &ours));
	EXPECT_EQ(F_DEFAULT, ours & F_DEFAULT);
	EXPECT_EQ(0, ours & (BIT64(VIRTIO_F_IN_ORDER) | BIT64(VIRTIO_F_RING_PACKED)));
	if (self->vhost >= 0) {
		ASSERT_EQ(0, call(self->vhost, VHOST_GET_FEATURES, &theirs));
		EXPECT_EQ(theirs & ~except, ours & ~except);
	}
	for (i = 0; i < 64; i++) {
		one = BIT64(i);
		EXPECT_EQ(ours & one ? 0 : EOPNOTSUPP,
			  call(self->fd, VHOST_SET_FEATURES, &one));
		if (!(except & one)) {
			SAME(ours & one ? 0 : EOPNOTSUPP, VHOST_SET_FEATURES, &one);
		}
		EXPECT_EQ(one == messages ? 0 : EOPNOTSUPP,
			  call(self->fd, VHOST_SET_BACKEND_FEATURES, &one));
	}
	EXPECT_EQ(0, call(self->fd, VHOST_GET_BACKEND_FEATURES, &one));
	EXPECT_EQ(messages, one);
}

/* Replies are whole: nothing of the kernel's stack, nothing of the caller's. */
TEST_F_TIMEOUT(abi, replies, TIMEOUT)
{
	static const unsigned long cmd[] = {
		VHOST_GET_VRING_BASE, VHOST_GET_VRING_BUSYLOOP_TIMEOUT,
	};
	__u8 ours[32], theirs[32];
	__u32 index;
	unsigned int i;

	SAME(0, VHOST_SET_OWNER, NULL);
	for (i = 0; i < NR(cmd); i++) {
		for (index = 0; index < 2; index++) {
			memset(ours, 0xa5, sizeof(ours));
			memcpy(ours, &index, 4);
			memcpy(theirs, ours, sizeof(ours));
			ASSERT_EQ(0, call(self->fd, cmd[i], ours));
			EXPECT_EQ(0, memcmp(ours, &index, 4));
			EXPECT_EQ(0, memcmp(ours + 4, "\0\0\0\0", 4));
			EXPECT_EQ(0xa5, ours[8]);
			if (self->vhost < 0)
				continue;
			ASSERT_EQ(0, call(self->vhost, cmd[i], theirs));
			EXPECT_EQ(0, memcmp(ours, theirs, sizeof(ours)));
		}
	}
}

TEST_F_TIMEOUT(abi, ring_parameters, TIMEOUT)
{
	static const __u32 wrong_num[] = {
		0, 3, 255, 257, 32769, 65535, 65536, 0x80000000, 0xffffffff,
	};
	struct vhost_vring_state s;
	struct vhost_vring_addr a = {
		.desc_user_addr = (uintptr_t)self->mem,
		.avail_user_addr = (uintptr_t)self->mem + 0x80000,
		.used_user_addr = (uintptr_t)self->mem + 0xa0000,
	}, b;
	unsigned int i;

	SAME(0, VHOST_SET_OWNER, NULL);
	for (i = 0; i < NR(wrong_num); i++) {
		s = (struct vhost_vring_state){ 0, wrong_num[i] };
		SAME(EINVAL, VHOST_SET_VRING_NUM, &s);
	}
	for (i = 1; i <= 32768; i *= 2) {
		s = (struct vhost_vring_state){ i & 1, i };
		SAME(0, VHOST_SET_VRING_NUM, &s);
	}
	for (i = 2; i; i *= 16) {
		s = (struct vhost_vring_state){ i, 1 };
		SAME(ENOBUFS, VHOST_SET_VRING_NUM, &s);
		SAME(ENOBUFS, VHOST_GET_VRING_BASE, &s);
		SAME(ENOBUFS, VHOST_SET_VRING_ADDR, &(struct vhost_vring_addr){ .index = i });
		SAME(ENOBUFS, VHOST_SET_VRING_KICK, &s);
		SAME(ENOBUFS, _IO(VHOST_VIRTIO, 0xfe), &s);
		EXPECT_EQ(ENOBUFS, backend(self->fd, i, -1));
	}
	s = (struct vhost_vring_state){ 0, 0 };
	SAME(ENOTTY, _IO(VHOST_VIRTIO, 0xfe), &s);
	SAME(ENOTTY, _IO('x', 1), &s);

	s = (struct vhost_vring_state){ 1, 0x10000 };
	SAME(EINVAL, VHOST_SET_VRING_BASE, &s);
	s.num = 0xffff;
	SAME(0, VHOST_SET_VRING_BASE, &s);
	s.num = 0;
	SAME(0, VHOST_GET_VRING_BASE, &s);
	EXPECT_EQ(0xffff, s.num);

	SAME(0, VHOST_SET_VRING_ADDR, &a);
	b = a;
	b.flags = 2;
	SAME(EOPNOTSUPP, VHOST_SET_VRING_ADDR, &b);
	for (i = 1; i < 4; i++) {
		b = a;
		b.avail_user_addr += i;
		SAME(i & 1 ? EINVAL : 0, VHOST_SET_VRING_ADDR, &b);
		b = a;
		b.used_user_addr += i;
		SAME(EINVAL, VHOST_SET_VRING_ADDR, &b);
		b = a;
		b.log_guest_addr = i;
		SAME(EINVAL, VHOST_SET_VRING_ADDR, &b);
	}
	/* vhost-net forgets the descriptors: virtio 1.2 section 2.7. */
	for (i = 1; i < 16; i++) {
		b = a;
		b.desc_user_addr += i;
		EXPECT_EQ(EINVAL, call(self->fd, VHOST_SET_VRING_ADDR, &b));
	}
}

/* Addresses are looked at when the ring starts, and when it runs already. */
TEST_F_TIMEOUT(abi, ring_addresses, TIMEOUT)
{
	struct vhost_vring_addr good = {
		.desc_user_addr = (uintptr_t)self->mem,
		.avail_user_addr = (uintptr_t)self->mem + 0x80000,
		.used_user_addr = (uintptr_t)self->mem + 0xa0000,
	};
	static const __u64 bad[] = {
		0xffff888000000000ULL, 0xfffffffffffff000ULL, 0x8000000000000000ULL,
	};
	struct vhost_vring_state s = { 0, 256 };
	unsigned int i, field;

	SAME(0, VHOST_SET_OWNER, NULL);
	set_mem(_metadata, self);
	SAME(0, VHOST_SET_VRING_NUM, &s);
	for (i = 0; i < NR(bad); i++) {
		for (field = 0; field < 3; field++) {
			struct vhost_vring_addr a = good;

			(&a.desc_user_addr)[field] = bad[i];
			SAME(0, VHOST_SET_VRING_ADDR, &a);
			EXPECT_EQ(EFAULT, backend(self->fd, 0, self->tap));
			EXPECT_EQ(0, backend(self->fd, 0, -1));
			if (self->vhost >= 0) {
				EXPECT_EQ(EFAULT, backend(self->vhost, 0, self->vtap));
			}
		}
	}
	/* Nothing there to write to. */
	good.used_user_addr = 0x10000;
	SAME(0, VHOST_SET_VRING_ADDR, &good);
	EXPECT_EQ(EFAULT, backend(self->fd, 0, self->tap));
	if (self->vhost >= 0) {
		EXPECT_EQ(EFAULT, backend(self->vhost, 0, self->vtap));
	}

	good.used_user_addr = (uintptr_t)self->mem + 0xa0000;
	set_rings(_metadata, self, 256);
	EXPECT_EQ(0, backend(self->fd, 0, self->tap));
	if (self->vhost >= 0) {
		EXPECT_EQ(0, backend(self->vhost, 0, self->vtap));
	}
	for (i = 0; i < NR(bad); i++) {
		struct vhost_vring_addr a = good;

		a.avail_user_addr = bad[i];
		SAME(EINVAL, VHOST_SET_VRING_ADDR, &a);
	}
	SAME(0, VHOST_SET_VRING_ADDR, &good);
}

TEST_F_TIMEOUT(abi, while_running, TIMEOUT)
{
	struct vhost_vring_state s = { 0, 128 };
	__u64 features = F_DEFAULT;
	int other = guest_tap("tap2", 12, 0, NULL), i;

	run(_metadata, self);
	SAME(EBUSY, VHOST_SET_VRING_NUM, &s);
	SAME(EBUSY, VHOST_SET_VRING_BASE, &s);
	SAME(0, VHOST_GET_VRING_BASE, &s);
	SAME(0, VHOST_SET_FEATURES, &features);
	set_mem(_metadata, self);
	/* The same again, another, none. */
	EXPECT_EQ(0, backend(self->fd, 0, self->tap));
	EXPECT_EQ(0, backend(self->fd, 0, other));
	EXPECT_EQ(0, backend(self->fd, 0, -1));
	for (i = 0; i < 100; i++) {
		EXPECT_EQ(0, backend(self->fd, 0, -1));
		EXPECT_EQ(0, backend(self->fd, 1, i & 1 ? -1 : other));
		EXPECT_EQ(0, backend(self->fd, 0, i & 1 ? self->tap : -1));
	}
	/* It stops whatever state it is in. */
	SAME(0, VHOST_RESET_OWNER, NULL);
	EXPECT_EQ(EPERM, backend(self->fd, 0, -1));
	SAME(0, VHOST_SET_OWNER, NULL);
	EXPECT_EQ(0, backend(self->fd, 0, -1));
	EXPECT_EQ(0, backend(self->fd, 1, -1));
}

/* Two queue pairs with one tap; two devices with one interface. */
TEST_F_TIMEOUT(abi, tap_in_use, TIMEOUT)
{
	struct ctl_port port;
	int second;

	run(_metadata, self);
	EXPECT_EQ(0, ctl_port("tap0", &port));
	EXPECT_EQ(IVSHM_PORT_RUNNING, port.state);

	second = open(IVSHM_DEV, O_RDWR);
	ASSERT_LE(0, second);
	close(self->vhost);
	self->vhost = self->fd;
	self->fd = second;
	ASSERT_EQ(0, call(second, VHOST_SET_OWNER, NULL));
	/* It works as vhost-net does with such a tap, but is no port. */
	{
		struct {
			struct vhost_memory head;
			struct vhost_memory_region r;
		} table = {
			.head.nregions = 1,
			.r = { GUEST_GPA, 2 << 20, (uintptr_t)self->mem, 0 },
		};
		__u32 i;

		ASSERT_EQ(0, call(second, VHOST_SET_MEM_TABLE, &table));
		for (i = 0; i < 2; i++) {
			struct vhost_vring_state n = { i, 16 };
			__u64 at = (uintptr_t)self->mem + 0xc0000 + i * 0x100000;
			struct vhost_vring_addr addr = {
				.index = i,
				.desc_user_addr = at,
				.avail_user_addr = at + 0x8000,
				.used_user_addr = at + 0xa000,
			};

			ASSERT_EQ(0, call(second, VHOST_SET_VRING_NUM, &n));
			ASSERT_EQ(0, call(second, VHOST_SET_VRING_ADDR, &addr));
			EXPECT_EQ(0, backend(second, i, self->tap));
		}
	}
	EXPECT_EQ(0, ctl_port("tap0", &port));
	EXPECT_EQ(IVSHM_PORT_RUNNING, port.state);
	EXPECT_EQ(0, backend(second, 0, -1));
	EXPECT_EQ(0, backend(second, 1, -1));
	EXPECT_EQ(0, ctl_port("tap0", &port));
	EXPECT_EQ(IVSHM_PORT_RUNNING, port.state);
}

static int table_call(int fd, __u32 n, __u32 padding,
		      const struct vhost_memory_region *r)
{
	struct vhost_memory *m = calloc(1, sizeof(*m) + n * sizeof(*r));
	int err;

	m->nregions = n;
	m->padding = padding;
	memcpy(m->regions, r, n * sizeof(*r));
	err = call(fd, VHOST_SET_MEM_TABLE, m);
	free(m);
	return err;
}

TEST_F_TIMEOUT(abi, memory_table, TIMEOUT)
{
	const __u64 at = (uintptr_t)self->mem;
	const struct {
		struct vhost_memory_region r;
		bool parity;
	} bad[] = {
		/* Size 0, and sums that wrap in guest-physical addresses. */
		{ { GUEST_GPA, 0, at, 0 }, true },
		{ { 0xfffffffffffff000ULL, 0x2000, at, 0 }, true },
		{ { GUEST_GPA, 0xffffffffffffffffULL, at, 0 }, true },
		/*
		 * The whole address space; what wraps in or is beyond the
		 * caller's own: vhost-net sees that only when a ring runs.
		 */
		{ { 0, 0, 0, 0 }, false },
		{ { 0, 0xffffffffffffffffULL, 0, 0 }, false },
		{ { 1, 0xffffffffffffffffULL, 1, 0 }, false },
		{ { GUEST_GPA, 0x2000, 0xfffffffffffff000ULL, 0 }, false },
		{ { GUEST_GPA, 0x1000, 0xffff888000000000ULL, 0 }, false },
	};
	struct vhost_memory_region r[511];
	struct vhost_memory head = { .nregions = 0xffffffff };
	unsigned int i;

	SAME(0, VHOST_SET_OWNER, NULL);
	for (i = 0; i < NR(r); i++)
		r[i] = (struct vhost_memory_region){
			GUEST_GPA + i * 0x2000, 0x1000, at + i * 0x1000, 0,
		};
	EXPECT_EQ(0, table_call(self->fd, 0, 0, r));
	EXPECT_EQ(0, table_call(self->fd, 1, 0, r));
	EXPECT_EQ(0, table_call(self->fd, 64, 0, r));
	EXPECT_EQ(0, table_call(self->fd, 509, 0, r));
	EXPECT_EQ(E2BIG, table_call(self->fd, 510, 0, r));
	EXPECT_EQ(E2BIG, table_call(self->fd, 511, 0, r));
	SAME(E2BIG, VHOST_SET_MEM_TABLE, &head);
	EXPECT_EQ(EOPNOTSUPP, table_call(self->fd, 1, 1, r));
	if (self->vhost >= 0) {
		EXPECT_EQ(EOPNOTSUPP, table_call(self->vhost, 1, 1, r));
	}

	for (i = 0; i < NR(bad); i++) {
		int err = table_call(self->fd, 1, 0, &bad[i].r);

		EXPECT_EQ(EFAULT, err)
			TH_LOG("region %u: %s", i, strerror(err));
		if (self->vhost < 0 || !bad[i].parity)
			continue;
		EXPECT_EQ(table_call(self->vhost, 1, 0, &bad[i].r), err)
			TH_LOG("region %u", i);
	}

	/* In guest-physical addresses: the same, one byte in common, nested. */
	r[1] = r[0];
	EXPECT_NE(0, table_call(self->fd, 2, 0, r));
	r[1].guest_phys_addr = r[0].guest_phys_addr + 0xfff;
	EXPECT_NE(0, table_call(self->fd, 2, 0, r));
	r[1].guest_phys_addr = r[0].guest_phys_addr - 0xfff;
	EXPECT_NE(0, table_call(self->fd, 2, 0, r));
	r[1] = (struct vhost_memory_region){ GUEST_GPA - 0x1000, 0x10000, at, 0 };
	EXPECT_NE(0, table_call(self->fd, 2, 0, r));
	/* Next to each other, and the same memory seen twice, are fine. */
	r[1] = (struct vhost_memory_region){ GUEST_GPA + 0x1000, 0x1000, at, 0 };
	EXPECT_EQ(0, table_call(self->fd, 2, 0, r));
}

/*
 * Every kind of descriptor for every use. What is right depends on the use, so
 * vhost-net is asked; what is no tap, socket or eventfd must be refused.
 */
TEST_F_TIMEOUT(abi, descriptors, TIMEOUT)
{
	struct { const char *name; int fd; } kind[] = {
		{ "negative", -2 },
		{ "closed", 999 },
		{ "largest", 0x7fffffff },
		{ "null", open("/dev/null", O_RDWR) },
		{ "directory", open("/", O_RDONLY) },
		{ "path", open("/dev/null", O_PATH) },
		{ "file", open("/proc/self/exe", O_RDONLY) },
		{ "memfd", memfd_create("x", 0) },
		{ "epoll", epoll_create1(0) },
		{ "timerfd", timerfd_create(CLOCK_MONOTONIC, 0) },
		{ "signalfd", signalfd(-1, &(sigset_t){}, 0) },
		{ "eventfd", eventfd(0, 0) },
		{ "eventfd read", eventfd(7, EFD_SEMAPHORE | EFD_NONBLOCK) },
		{ "udp", socket(AF_INET, SOCK_DGRAM, 0) },
		{ "tcp", socket(AF_INET, SOCK_STREAM, 0) },
		{ "raw ip", socket(AF_INET, SOCK_RAW, IPPROTO_UDP) },
		{ "unix", socket(AF_UNIX, SOCK_STREAM, 0) },
		{ "unix packet", socket(AF_UNIX, SOCK_SEQPACKET, 0) },
		{ "netlink", socket(AF_NETLINK, SOCK_RAW, 0) },
		{ "packet cooked", socket(AF_PACKET, SOCK_DGRAM, htons(ETH_P_ALL)) },
		{ "packet", socket(AF_PACKET, SOCK_RAW, htons(FRAME_TYPE)) },
		{ "tun without device", open("/dev/net/tun", O_RDWR) },
		{ "itself", self->fd },
		{ "vhost-net", self->vhost },
	};
	static const unsigned long use[] = {
		VHOST_SET_VRING_KICK, VHOST_SET_VRING_CALL, VHOST_SET_VRING_ERR,
		VHOST_SET_LOG_FD, VHOST_NET_SET_BACKEND,
	};
	unsigned int i, u, round;

	SAME(0, VHOST_SET_OWNER, NULL);
	set_mem(_metadata, self);
	set_rings(_metadata, self, 256);
	for (round = 0; round < 2; round++) {
		for (i = 0; i < NR(kind); i++) {
			for (u = 0; u < NR(use); u++) {
				struct vhost_vring_file f = { 1, kind[i].fd };
				void *arg = use[u] == VHOST_SET_LOG_FD ? (void *)&f.fd : &f;
				int err = both(_metadata, self, use[u], arg);

				EXPECT_NE(-1, err)
					TH_LOG("descriptor: %s", kind[i].name);
				if (strncmp(kind[i].name, "eventfd", 7) &&
				    use[u] != VHOST_NET_SET_BACKEND)
					EXPECT_NE(0, err)
						TH_LOG("%s was taken", kind[i].name);
			}
			EXPECT_EQ(0, backend(self->fd, 1, -1));
			if (self->vhost >= 0) {
				EXPECT_EQ(0, backend(self->vhost, 1, -1));
			}
		}
		/* Again, with queues that run. */
		EXPECT_EQ(0, backend(self->fd, 0, self->tap));
		if (self->vhost >= 0) {
			EXPECT_EQ(0, backend(self->vhost, 0, self->vtap));
		}
	}
	/* Unbinding always works. */
	for (u = 0; u < 3; u++) {
		struct vhost_vring_file f = { 0, VHOST_FILE_UNBIND };

		SAME(0, use[u], &f);
		SAME(0, use[u], &f);
	}
}

struct swapper {
	int at;
	int fd[4];
	bool stop;
};

static void *swap(void *arg)
{
	struct swapper *s = arg;
	unsigned int i = 0;

	while (!__atomic_load_n(&s->stop, __ATOMIC_RELAXED))
		dup2(s->fd[i++ & 3], s->at);
	return NULL;
}

/* The descriptor becomes another file during the call. */
TEST_F_TIMEOUT(abi, swapped_descriptor, TIMEOUT)
{
	struct swapper s = {
		.fd = { self->tap, open("/dev/null", O_RDWR), eventfd(0, 0), self->vtap },
	};
	__u64 end = now_ms() + 2000;
	unsigned int ok = 0, refused = 0;
	pthread_t t;
	int err, i;

	SAME(0, VHOST_SET_OWNER, NULL);
	set_mem(_metadata, self);
	set_rings(_metadata, self, 256);
	s.at = dup(self->tap);
	ASSERT_EQ(0, pthread_create(&t, NULL, swap, &s));
	while (now_ms() < end) {
		for (i = 0; i < 2; i++) {
			struct vhost_vring_file f = { i, s.at };

			err = backend(self->fd, i, s.at);
			EXPECT_TRUE(err == 0 || err == ENOTSOCK || err == EBUSY)
				TH_LOG("backend: %s", strerror(err));
			ok += !err;
			refused += !!err;
			err = call(self->fd, VHOST_SET_VRING_KICK, &f);
			EXPECT_TRUE(err == 0 || err == EINVAL)
				TH_LOG("kick: %s", strerror(err));
			err = call(self->fd, VHOST_SET_VRING_CALL, &f);
			EXPECT_TRUE(err == 0 || err == EINVAL)
				TH_LOG("call: %s", strerror(err));
		}
		EXPECT_EQ(0, backend(self->fd, 0, -1));
		EXPECT_EQ(0, backend(self->fd, 1, -1));
	}
	s.stop = true;
	pthread_join(t, NULL);
	TH_LOG("%u taken, %u refused", ok, refused);
	EXPECT_NE(0, ok);
	EXPECT_NE(0, refused);
}

/* Nothing that it was given is held once the file is closed. */
TEST_F_TIMEOUT(abi, close_releases, TIMEOUT)
{
	struct ctl_port port;
	int i;

	for (i = 0; i < 50; i++) {
		run(_metadata, self);
		close(self->fd);
		close(self->vhost);
		self->fd = open(IVSHM_DEV, O_RDWR);
		self->vhost = open(VHOST_DEV, O_RDWR);
		ASSERT_LE(0, self->fd);
	}
	/* The interface goes with its last file, though a port was there. */
	close(self->tap);
	self->tap = -1;
	EXPECT_EQ(0, if_nametoindex("tap0"));
	EXPECT_EQ(-ENODEV, ctl_port("tap0", &port));
}

TEST_HARNESS_MAIN
