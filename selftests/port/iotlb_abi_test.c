// SPDX-License-Identifier: GPL-2.0
/*
 * The messages of the device IOTLB: the same said to /dev/ivshm-net and to
 * /dev/vhost-net has to have the same answer.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/uio.h>

#include "kselftest_harness.h"
#include "env.h"
#include "guest.h"
#include "viommu.h"

#define TIMEOUT	200
#define NR(a)	(sizeof(a) / sizeof(*(a)))
#define IOVA	VIOMMU_IOVA
#define UPDATE	VHOST_IOTLB_UPDATE
#define DROP	VHOST_IOTLB_INVALIDATE
#define RW	VHOST_ACCESS_RW
/* Bytes of a message that count. */
#define LEAST	(offsetof(struct vhost_msg, iotlb) + sizeof(struct vhost_iotlb_msg))

static const char * const device[] = { IVSHM_DEV, VHOST_DEV };

FIXTURE(iotlb_abi) {
	struct guest g[2];
	__u8 *mem, *hole;
};

FIXTURE_SETUP(iotlb_abi)
{
	unsigned int i;

	self->g[0].fd = -1;
	self->g[1].fd = -1;
	if (access(VHOST_DEV, F_OK))
		SKIP(return, "no " VHOST_DEV ": nothing to compare with");
	ASSERT_EQ(0, env_setup());
	for (i = 0; i < 2; i++) {
		struct guest_config c = {
			.dev = device[i], .tap = i ? "tap1" : "tap0", .iova = IOVA,
		};

		ASSERT_EQ(0, guest_open(&self->g[i], &c));
		ASSERT_EQ(0, guest_set_mem(&self->g[i]));
		ASSERT_EQ(0, fcntl(self->g[i].fd, F_SETFL, O_NONBLOCK));
	}
	self->mem = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			 -1, 0);
	ASSERT_NE(MAP_FAILED, self->mem);
	self->hole = self->mem + (1 << 20) - 4096;
	ASSERT_EQ(0, mprotect(self->hole, 4096, PROT_NONE));
}

FIXTURE_TEARDOWN(iotlb_abi)
{
	guest_close(&self->g[0]);
	guest_close(&self->g[1]);
}

static int features(struct guest *g, __u64 features)
{
	return ioctl(g->fd, VHOST_SET_FEATURES, &features) ? -errno : 0;
}

static int backend_features(struct guest *g, __u64 features)
{
	return ioctl(g->fd, VHOST_SET_BACKEND_FEATURES, &features) ? -errno : 0;
}

static int wrote(int fd, const void *buf, size_t len)
{
	ssize_t n = write(fd, buf, len);

	return n < 0 ? -errno : n;
}

/* Said to both, in both forms. */
static void say(struct __test_metadata *_metadata, FIXTURE_DATA(iotlb_abi) * self, int want,
		__u8 type, __u64 iova, __u64 size, __u64 uaddr, __u8 perm)
{
	unsigned int i;

	for (i = 0; i < 4; i++)
		EXPECT_EQ(want, viommu_message(self->g[i / 2].fd, i % 2, type, iova, size,
					       uaddr, perm))
			TH_LOG("%s: type %u iova %llx size %llx uaddr %llx perm %u",
			       device[i / 2], type, iova, size, uaddr, perm);
}

#define SAY(want, type, iova, size, uaddr, perm) \
	say(_metadata, self, want, type, iova, size, (__u64)(uaddr), perm)

TEST_F_TIMEOUT(iotlb_abi, messages, TIMEOUT)
{
	const __u64 top = 1ULL << 47, mem = (uintptr_t)self->mem;
	unsigned int i;

	/* Without a table. */
	SAY(-EFAULT, UPDATE, IOVA, 4096, mem, RW);
	SAY(-EFAULT, DROP, IOVA, 4096, 0, 0);
	SAY(-EINVAL, UPDATE, IOVA, 0, mem, RW);
	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, features(&self->g[i], F_DEFAULT | F_PLATFORM));

	SAY(0, UPDATE, IOVA, 4096, mem, RW);
	SAY(0, UPDATE, IOVA, 4096, mem, RW);
	SAY(0, UPDATE, IOVA + 100, 1, mem + 7, VHOST_ACCESS_RO);
	SAY(-EINVAL, UPDATE, IOVA, 0, mem, RW);
	/* Around the end of IOVAs, and of everything. */
	SAY(0, UPDATE, ~0ULL, 1, mem, RW);
	SAY(-EFAULT, UPDATE, ~0ULL, 2, mem, RW);
	SAY(-EFAULT, UPDATE, 1, ~0ULL, mem, RW);
	SAY(-EFAULT, UPDATE, 0, ~0ULL, 0, RW);
	SAY(-EFAULT, UPDATE, 0x1000, ~0ULL, 0, RW);
	/* What is not the VMM's. */
	SAY(0, UPDATE, IOVA, 4096, top - 8192, RW);
	SAY(-EFAULT, UPDATE, IOVA, 4096, top, RW);
	SAY(-EFAULT, UPDATE, IOVA, 8192, top - 4096, RW);
	SAY(-EFAULT, UPDATE, IOVA, 4096, ~0ULL - 100, RW);
	SAY(-EFAULT, UPDATE, IOVA, 4096, ~0ULL - 100, 0);
	SAY(-EFAULT, UPDATE, IOVA, 4096, 0xffff888000000000ULL, VHOST_ACCESS_RO);
	SAY(-EFAULT, UPDATE, IOVA, 4096, 0xffff888000000000ULL, VHOST_ACCESS_WO);
	/* Nobody may use it: it may be anywhere. */
	SAY(0, UPDATE, IOVA, 4096, 0xffff888000000000ULL, 0);
	SAY(0, UPDATE, IOVA, 4096, 0xffff888000000000ULL, 0x80);
	/* Memory need not be there. */
	SAY(0, UPDATE, IOVA, 4096, 0, RW);

	SAY(0, DROP, IOVA, 4096, 0, 0);
	SAY(0, DROP, IOVA, 4096, ~0ULL, 0xff);
	SAY(0, DROP, IOVA, 0, 0, 0);
	SAY(0, DROP, 0, 0, 0, 0);
	SAY(0, DROP, 0, ~0ULL, 0, 0);
	SAY(0, DROP, 0x1000, ~0ULL, 0, 0);
	SAY(0, DROP, ~0ULL, ~0ULL, 0, 0);

	for (i = 0; i < 256; i++)
		if (i != UPDATE && i != DROP)
			SAY(-EFAULT, i, IOVA, 4096, mem, RW);
}

/* Cut anywhere, of any kind, and in pieces. */
TEST_F_TIMEOUT(iotlb_abi, forms, TIMEOUT)
{
	struct vhost_msg_v2 msg = {
		.iotlb = { IOVA, 4096, (uintptr_t)self->mem, RW, UPDATE },
	};
	static const __u32 kind[] = { 0, 1, 2, 3, 4, 0x100, ~0U };
	struct iovec vec[sizeof(msg)];
	unsigned int i, k, len;
	__u8 buf[200];

	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, features(&self->g[i], F_PLATFORM));
	for (k = 0; k < NR(kind); k++) {
		bool ok = kind[k] == VHOST_IOTLB_MSG || kind[k] == VHOST_IOTLB_MSG_V2;

		msg.type = kind[k];
		/* Nobody looks at it. */
		msg.asid = 77;
		memset(buf, 0xee, sizeof(buf));
		memcpy(buf, &msg, sizeof(msg));
		for (len = 0; len <= sizeof(buf); len++) {
			int want = ok && len >= LEAST ? (int)sizeof(msg) : -EINVAL;

			EXPECT_EQ(want, wrote(self->g[0].fd, buf, len))
				TH_LOG("kind %u, %u bytes", kind[k], len);
			EXPECT_EQ(want, wrote(self->g[1].fd, buf, len))
				TH_LOG("kind %u, %u bytes, vhost-net", kind[k], len);
		}
	}
	msg.type = VHOST_IOTLB_MSG_V2;
	for (i = 0; i < sizeof(msg); i++)
		vec[i] = (struct iovec){ (__u8 *)&msg + i, 1 };
	for (i = 0; i < 2; i++) {
		EXPECT_EQ(sizeof(msg), writev(self->g[i].fd, vec, NR(vec)));
		EXPECT_EQ(-EINVAL, wrote(self->g[i].fd, self->hole, sizeof(msg)));
	}
}

/* The queue runs on its used ring at @iova; what is known of the others is nothing. */
static int probe(struct guest *g, __u64 iova)
{
	struct vhost_vring_addr addr = {
		.index = GUEST_TX,
		.desc_user_addr = IOVA + 0x10000000,
		.avail_user_addr = IOVA + 0x10010000,
		.used_user_addr = iova,
	};

	if (ioctl(g->fd, VHOST_SET_VRING_ADDR, &addr))
		return -errno;
	return guest_set_backend(g, GUEST_TX, g->tap);
}

TEST_F_TIMEOUT(iotlb_abi, misses, TIMEOUT)
{
	struct vhost_iotlb_msg miss;
	__u8 buf[100];
	unsigned int i, v2;

	for (i = 0; i < 2; i++) {
		struct guest *g = &self->g[i];
		struct pollfd p = { .fd = g->fd, .events = POLLIN | POLLOUT };

		ASSERT_EQ(0, features(g, F_DEFAULT | F_PLATFORM));
		for (v2 = 0; v2 < 2; v2++) {
			ASSERT_EQ(0, backend_features(g, v2 ? BIT64(VHOST_BACKEND_F_IOTLB_MSG_V2) :
							      0));
			EXPECT_EQ(0, poll(&p, 1, 0));
			EXPECT_EQ(-1, read(g->fd, buf, sizeof(buf)));
			EXPECT_EQ(EAGAIN, errno);
			/* Where is the used ring? */
			EXPECT_EQ(-EFAULT, probe(g, IOVA + 0x5004));
			EXPECT_EQ(1, poll(&p, 1, 0));
			EXPECT_EQ(POLLIN, p.revents);
			EXPECT_EQ(0, read(g->fd, buf, sizeof(struct vhost_msg) - 1));
			EXPECT_EQ(0, viommu_miss(g->fd, &miss, v2, 0));
			EXPECT_EQ(IOVA + 0x5004, miss.iova);
			EXPECT_EQ(i ? VHOST_ACCESS_RO : VHOST_ACCESS_WO, miss.perm);
			EXPECT_EQ(-EAGAIN, viommu_miss(g->fd, &miss, v2, 0));
			/* Known, but what the worker looks at next is not. */
			ASSERT_EQ(0, viommu_message(g->fd, v2, UPDATE, IOVA + 0x5000, 4096,
						    (uintptr_t)self->mem, RW));
			ASSERT_EQ(0, probe(g, IOVA + 0x5004));
			guest_kick(g, GUEST_TX);
			EXPECT_EQ(0, viommu_miss(g->fd, &miss, v2, 5000));
			EXPECT_EQ(IOVA + 0x10000000, miss.iova);
			EXPECT_EQ(VHOST_ACCESS_RO, miss.perm);
			/* The queue stops: nobody asks any more. */
			EXPECT_EQ(0, guest_set_backend(g, GUEST_TX, -1));
			EXPECT_EQ(-EAGAIN, viommu_miss(g->fd, &miss, v2, 0));
			ASSERT_EQ(0, viommu_message(g->fd, v2, DROP, 0, ~0ULL, 0, 0));
		}
		/* What cannot be taken is lost, but the next is not. */
		EXPECT_EQ(-EFAULT, probe(g, IOVA + 0x5004));
		EXPECT_EQ(0, read(g->fd, self->hole, sizeof(struct vhost_msg)));
		EXPECT_EQ(-EFAULT, probe(g, IOVA + 0x5004));
		EXPECT_EQ(sizeof(struct vhost_msg), read(g->fd, buf, sizeof(buf)));
	}
}

static sig_atomic_t caught;

static void catch(int sig)
{
	caught = sig;
}

struct waiter {
	int fd, err;
	bool done;
};

static void *wait_thread(void *arg)
{
	struct waiter *w = arg;
	__u8 buf[72];

	w->err = read(w->fd, buf, sizeof(buf)) < 0 ? errno : 0;
	__atomic_store_n(&w->done, true, __ATOMIC_RELEASE);
	return NULL;
}

/* Those who wait for a miss: a signal, the end of the table, a miss. */
TEST_F_TIMEOUT(iotlb_abi, waiting, TIMEOUT)
{
	struct sigaction sa = { .sa_handler = catch };
	unsigned int i, how;
	pthread_t thread;

	sigaction(SIGUSR1, &sa, NULL);
	for (i = 0; i < 2; i++) {
		struct guest *g = &self->g[i];
		static const int want[] = { EINTR, 0, EBADFD };

		ASSERT_EQ(0, fcntl(g->fd, F_SETFL, 0));
		ASSERT_EQ(0, features(g, F_PLATFORM));
		for (how = 0; how < NR(want); how++) {
			struct waiter w = { .fd = g->fd };

			ASSERT_EQ(0, pthread_create(&thread, NULL, wait_thread, &w));
			usleep(50000);
			EXPECT_FALSE(__atomic_load_n(&w.done, __ATOMIC_ACQUIRE));
			if (how == 0)
				EXPECT_EQ(0, pthread_kill(thread, SIGUSR1));
			if (how == 1)
				EXPECT_EQ(-EFAULT, probe(g, IOVA));
			if (how == 2)
				EXPECT_EQ(0, ioctl(g->fd, VHOST_RESET_OWNER));
			ASSERT_EQ(0, pthread_join(thread, NULL));
			EXPECT_EQ(want[how], w.err)
				TH_LOG("%s: %u", device[i], how);
		}
		EXPECT_EQ(SIGUSR1, caught);
		caught = 0;
		/* Without a table nobody waits. */
		{
			struct waiter w = { .fd = g->fd };

			wait_thread(&w);
			EXPECT_EQ(EBADFD, w.err);
		}
		EXPECT_EQ(-EFAULT, viommu_message(g->fd, true, UPDATE, IOVA, 4096,
						  (uintptr_t)self->mem, RW));
	}
}

/* Which of the VMM's pages is behind @iova? -1 for none. */
static int behind(struct __test_metadata *_metadata, FIXTURE_DATA(iotlb_abi) * self,
		  struct guest *g, __u64 iova, unsigned int pages)
{
	unsigned int i;
	int err, at = -1;

	for (i = 0; i < pages; i++)
		memset(self->mem + i * 4096, 0xff, 8);
	err = probe(g, iova);
	EXPECT_EQ(0, guest_set_backend(g, GUEST_TX, -1));
	if (err) {
		EXPECT_EQ(-EFAULT, err);
		return -1;
	}
	for (i = 0; i < pages; i++) {
		if (self->mem[i * 4096] && self->mem[i * 4096 + 1])
			continue;
		EXPECT_EQ(-1, at);
		at = i;
	}
	EXPECT_NE(-1, at);
	return at;
}

/* Anything said in any order: in the end both know the same. */
TEST_F_TIMEOUT(iotlb_abi, same_table, TIMEOUT)
{
	enum { PAGES = 6, BACK = 32, ROUNDS = 12, WORDS = 25 };
	unsigned int round, word, page, i;
	unsigned int known = 0;

	for (round = 0; round < ROUNDS; round++) {
		for (i = 0; i < 2; i++)
			ASSERT_EQ(0, features(&self->g[i], F_PLATFORM));
		for (word = 0; word < WORDS; word++) {
			__u64 iova = IOVA + rnd() % PAGES * 4096;
			__u64 size = (1 + rnd() % 4) * 4096, uaddr;
			__u8 type = rnd() % 4 ? UPDATE : DROP;
			int got[2];

			uaddr = (uintptr_t)self->mem + rnd() % (BACK - 4) * 4096;
			/* Now and then what makes no sense. */
			if (type == DROP && !(rnd() % 3))
				size = rnd() % 2 ? 0 : ~0ULL - rnd() % 3 * 4096;
			if (type == DROP && !(rnd() % 8))
				iova = 0;
			for (i = 0; i < 2; i++)
				got[i] = viommu_message(self->g[i].fd, word % 2, type, iova, size,
							uaddr, RW);
			EXPECT_EQ(got[1], got[0])
				TH_LOG("type %u iova %llx size %llx", type, iova, size);
		}
		for (page = 0; page < PAGES; page++) {
			__u64 iova = IOVA + page * 4096;
			int ours = behind(_metadata, self, &self->g[0], iova, BACK);

			EXPECT_EQ(behind(_metadata, self, &self->g[1], iova, BACK), ours)
				TH_LOG("round %u, page %u", round, page);
			known += ours >= 0;
		}
	}
	/* Neither everything nor nothing. */
	EXPECT_LT(PAGES, known);
	EXPECT_GT(ROUNDS * PAGES, known);
}

/* A table has an end: then what was told first is gone. */
TEST_F_TIMEOUT(iotlb_abi, evicted, TIMEOUT)
{
	unsigned int i, n, limit = 2048;
	FILE *f = fopen("/sys/module/vhost/parameters/max_iotlb_entries", "r");

	if (f) {
		EXPECT_EQ(1, fscanf(f, "%u", &limit));
		fclose(f);
	}
	if (limit != 2048)
		SKIP(return, "vhost has %u entries", limit);
	for (i = 0; i < 2; i++) {
		struct guest *g = &self->g[i];

		ASSERT_EQ(0, features(g, F_PLATFORM));
		for (n = 0; n < limit; n++)
			ASSERT_EQ(0, viommu_message(g->fd, true, UPDATE, IOVA + n * 8192ULL, 4096,
						    (uintptr_t)self->mem, RW));
		EXPECT_EQ(0, behind(_metadata, self, g, IOVA, 1));
		ASSERT_EQ(0, viommu_message(g->fd, true, UPDATE, IOVA + n * 8192ULL, 4096,
					    (uintptr_t)self->mem, RW));
		EXPECT_EQ(-1, behind(_metadata, self, g, IOVA, 1));
		EXPECT_EQ(0, behind(_metadata, self, g, IOVA + 8192, 1));
		EXPECT_EQ(0, behind(_metadata, self, g, IOVA + n * 8192ULL, 1));
		/* One whose place was freed before takes nobody else's. */
		ASSERT_EQ(0, viommu_message(g->fd, true, DROP, IOVA + n * 8192ULL, 4096, 0, 0));
		ASSERT_EQ(0, viommu_message(g->fd, true, UPDATE, IOVA, 4096,
					    (uintptr_t)self->mem, RW));
		EXPECT_EQ(0, behind(_metadata, self, g, IOVA + 8192, 1));
	}
}

/* Each SET_FEATURES with the bit begins with nothing; without, no IOVAs any more. */
TEST_F_TIMEOUT(iotlb_abi, begin_again, TIMEOUT)
{
	unsigned int i;

	for (i = 0; i < 2; i++) {
		struct guest *g = &self->g[i];

		ASSERT_EQ(0, features(g, F_PLATFORM));
		ASSERT_EQ(0, viommu_message(g->fd, true, UPDATE, IOVA, 4096,
					    (uintptr_t)self->mem, RW));
		EXPECT_EQ(0, behind(_metadata, self, g, IOVA, 1));
		ASSERT_EQ(0, features(g, F_PLATFORM));
		EXPECT_EQ(-1, behind(_metadata, self, g, IOVA, 1));
	}
	/* vhost-net goes on with the table that it has. */
	for (i = 0; i < 2; i++) {
		struct guest *g = &self->g[i];

		ASSERT_EQ(0, features(g, 0));
		EXPECT_EQ(i ? 0 : -EFAULT,
			  viommu_message(g->fd, true, UPDATE, IOVA, 4096,
					 (uintptr_t)self->mem, RW));
	}
}

/* Before it has an owner, and from others than the owner: whoever has the file. */
TEST_F_TIMEOUT(iotlb_abi, anybody, TIMEOUT)
{
	unsigned int i;

	for (i = 0; i < 2; i++) {
		int fd = open(device[i], O_RDWR | O_CLOEXEC), status;
		__u64 f = F_PLATFORM;
		pid_t child;

		ASSERT_LE(0, fd);
		ASSERT_EQ(0, ioctl(fd, VHOST_SET_FEATURES, &f));
		EXPECT_EQ(0, viommu_message(fd, true, UPDATE, IOVA, 4096, 4096, RW));
		EXPECT_EQ(0, viommu_message(fd, true, DROP, 0, ~0ULL, 0, 0));
		close(fd);

		ASSERT_EQ(0, features(&self->g[i], F_PLATFORM));
		child = fork();
		if (!child)
			_exit(viommu_message(self->g[i].fd, true, UPDATE, IOVA, 4096,
					     (uintptr_t)self->mem, RW) ? 1 : 0);
		ASSERT_EQ(child, waitpid(child, &status, 0));
		EXPECT_EQ(0, status);
		EXPECT_EQ(0, behind(_metadata, self, &self->g[i], IOVA, 1));
	}
}

TEST_HARNESS_MAIN
