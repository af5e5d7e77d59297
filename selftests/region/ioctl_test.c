// SPDX-License-Identifier: GPL-2.0
/* Ioctls of regions, from callers of all kinds. As root. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "region.h"

#define SIZE	(64 * PAGE)

FIXTURE(ioctls)
{
	struct control c;
	int fd;
};

FIXTURE_SETUP(ioctls)
{
	ASSERT_EQ(0, control_open(&self->c));
	region_del_all(&self->c);
	ASSERT_EQ(0, region_add(&self->c, "x", SIZE, 0));
	self->fd = region_open(&self->c, "x", O_RDWR);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(ioctls)
{
	close(self->fd);
	region_del_all(&self->c);
	control_close(&self->c);
}

static sigjmp_buf no_ioctl32;

static void on_segv(int signal)
{
	(void)signal;
	siglongjmp(no_ioctl32, 1);
}

/*
 * The same call from a 32-bit program, which a 64-bit one can make as well.
 * 1 if the kernel knows no such programs.
 */
static long ioctl32(int fd, unsigned int cmd, void *arg)
{
	struct sigaction action = { .sa_handler = on_segv }, old;
	long got;

	sigaction(SIGSEGV, &action, &old);
	if (sigsetjmp(no_ioctl32, 1)) {
		sigaction(SIGSEGV, &old, NULL);
		return 1;
	}
	asm volatile("int $0x80"
		     : "=a"(got)
		     : "a"(54), "b"(fd), "c"(cmd), "d"(arg)
		     : "memory", "r8", "r9", "r10", "r11");
	sigaction(SIGSEGV, &old, NULL);
	return got;
}

TEST_F(ioctls, info)
{
	struct {
		struct ivshm_region_info info;
		char more[64];
	} *a;
	int fd = self->fd;
	long ret;
	char *p;

	/* Low memory, with nothing behind it. */
	p = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	ASSERT_NE(MAP_FAILED, p);
	munmap(p + PAGE, PAGE);
	a = (void *)p;

	memset(a, 0, sizeof(*a));
	a->info.argsz = sizeof(a->info);
	ASSERT_EQ(0, ioctl(fd, IVSHM_REGION_INFO, a));
	EXPECT_EQ(sizeof(a->info), a->info.argsz);
	EXPECT_EQ(SIZE, a->info.size);
	EXPECT_EQ(PAGE, a->info.page_size);
	EXPECT_STREQ("x", (char *)a->info.name);

	memset(a, 0, sizeof(*a));
	a->info.argsz = sizeof(a->info);
	ret = ioctl32(fd, IVSHM_REGION_INFO, a);
	if (ret == 1) {
		TH_LOG("this kernel runs no 32-bit programs");
	} else {
		EXPECT_EQ(0, ret);
		EXPECT_EQ(SIZE, a->info.size);
	}

	/* An older caller gets what it knows. */
	memset(a, 0xaa, sizeof(*a));
	a->info.argsz = 16;
	a->info.flags = 0;
	EXPECT_EQ(0, ioctl(fd, IVSHM_REGION_INFO, a));
	EXPECT_EQ(sizeof(a->info), a->info.argsz);
	EXPECT_EQ(SIZE, a->info.size);
	EXPECT_EQ(0xaaaaaaaa, a->info.page_size);
	a->info.argsz = 15;
	EXPECT_EQ(-1, ioctl(fd, IVSHM_REGION_INFO, a));
	EXPECT_EQ(EINVAL, errno);

	/* A newer one may not want what we do not know. */
	memset(a, 0, sizeof(*a));
	a->info.argsz = sizeof(*a);
	EXPECT_EQ(0, ioctl(fd, IVSHM_REGION_INFO, a));
	EXPECT_EQ(sizeof(a->info), a->info.argsz);
	a->info.argsz = sizeof(*a);
	a->more[63] = 1;
	EXPECT_EQ(-1, ioctl(fd, IVSHM_REGION_INFO, a));
	EXPECT_EQ(E2BIG, errno);
	memset(a, 0, sizeof(*a));
	a->info.argsz = ~0U;
	EXPECT_EQ(-1, ioctl(fd, IVSHM_REGION_INFO, a));
	EXPECT_EQ(EINVAL, errno);
	a->info.argsz = sizeof(a->info);
	a->info.flags = 1;
	EXPECT_EQ(-1, ioctl(fd, IVSHM_REGION_INFO, a));
	EXPECT_EQ(EINVAL, errno);

	/* Memory that is not there, wholly and in part. */
	EXPECT_EQ(-1, ioctl(fd, IVSHM_REGION_INFO, NULL));
	EXPECT_EQ(EFAULT, errno);
	*(uint32_t *)(p + PAGE - 16) = sizeof(a->info);
	EXPECT_EQ(-1, ioctl(fd, IVSHM_REGION_INFO, p + PAGE - 16));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(-1, ioctl(fd, _IO(IVSHM_IOC_TYPE, 0x7f), a));
	EXPECT_EQ(ENOTTY, errno);
	munmap(p, PAGE);
}

/* What comes back is what is said to: no byte that nobody set, none that was not asked for. */
TEST_F(ioctls, replies)
{
	struct ivshm_region_export export = { .argsz = sizeof(export), .flags = O_RDWR };
	struct ivshm_region_info info, want;
	struct ivshm_region_map_dma map, map_was;
	struct ivshm_region_unmap_dma unmap, unmap_was;
	struct region_attrs at;
	int other;
	char *p;

	ASSERT_EQ(0, region_get(&self->c, "x", &at));
	memset(&info, 0xaa, sizeof(info));
	info.argsz = sizeof(info);
	info.flags = 0;
	ASSERT_EQ(0, ioctl(self->fd, IVSHM_REGION_INFO, &info));
	memset(&want, 0, sizeof(want));
	want.argsz = sizeof(want);
	want.size = SIZE;
	want.page_size = PAGE;
	want.number = at.number;
	want.name[0] = 'x';
	want.peer = info.peer;
	want.vectors = IVSHM_VECTORS;
	EXPECT_EQ(0, memcmp(&info, &want, sizeof(want)));
	/* Another file is another peer, and else the same. */
	other = ioctl(self->fd, IVSHM_REGION_EXPORT, &export);
	ASSERT_LE(0, other);
	EXPECT_EQ(sizeof(export), export.argsz);
	EXPECT_EQ(O_RDWR, export.flags);
	memset(&info, 0x55, sizeof(info));
	info.argsz = sizeof(info);
	info.flags = 0;
	ASSERT_EQ(0, ioctl(other, IVSHM_REGION_INFO, &info));
	EXPECT_NE(want.peer, info.peer);
	want.peer = info.peer;
	EXPECT_EQ(0, memcmp(&info, &want, sizeof(want)));
	close(other);

	/* Done, and refused. */
	p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, p);
	memset(&map, 0, sizeof(map));
	map.argsz = sizeof(map);
	map.addr = (uintptr_t)p;
	map.len = PAGE;
	map_was = map;
	EXPECT_EQ(0, ioctl(self->fd, IVSHM_REGION_MAP_DMA, &map));
	EXPECT_EQ(0, memcmp(&map, &map_was, sizeof(map)));
	EXPECT_EQ(-1, ioctl(self->fd, IVSHM_REGION_MAP_DMA, &map));
	EXPECT_EQ(0, memcmp(&map, &map_was, sizeof(map)));
	memset(&unmap, 0, sizeof(unmap));
	unmap.argsz = sizeof(unmap);
	unmap.addr = (uintptr_t)p;
	unmap.len = PAGE;
	unmap_was = unmap;
	EXPECT_EQ(0, ioctl(self->fd, IVSHM_REGION_UNMAP_DMA, &unmap));
	EXPECT_EQ(0, memcmp(&unmap, &unmap_was, sizeof(unmap)));
	EXPECT_EQ(-1, ioctl(self->fd, IVSHM_REGION_UNMAP_DMA, &unmap));
	EXPECT_EQ(0, memcmp(&unmap, &unmap_was, sizeof(unmap)));
	munmap(p, PAGE);
}

/* All of them from a 32-bit program: structures are the same, and so is what they do. */
TEST_F(ioctls, callers_of_32_bits)
{
	struct {
		union {
			struct ivshm_region_info info;
			struct ivshm_region_export export;
			struct ivshm_region_bind bind;
			struct ivshm_region_ring ring;
			struct ivshm_region_map_dma map;
			struct ivshm_region_unmap_dma unmap;
			struct ivshm_region_export_dmabuf dmabuf;
		};
	} *a;
	int fd = self->fd, other, event;
	char *low, *region;
	long ret;

	low = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	ASSERT_NE(MAP_FAILED, low);
	a = (void *)low;
	region = region_map(fd, SIZE);
	ASSERT_NE(MAP_FAILED, region);

	a->export = (struct ivshm_region_export){ .argsz = sizeof(a->export), .flags = O_RDWR };
	other = ioctl32(fd, IVSHM_REGION_EXPORT, a);
	if (other == 1)
		SKIP(return, "this kernel runs no 32-bit programs");
	ASSERT_LE(0, other);
	event = eventfd(0, EFD_NONBLOCK);
	a->bind = (struct ivshm_region_bind){ .argsz = sizeof(a->bind), .vector = 3, .fd = event };
	EXPECT_EQ(0, ioctl32(other, IVSHM_REGION_BIND, a));
	memset(a, 0, sizeof(*a));
	a->info.argsz = sizeof(a->info);
	ASSERT_EQ(0, ioctl32(other, IVSHM_REGION_INFO, a));
	ret = a->info.peer;
	a->ring = (struct ivshm_region_ring){ .argsz = sizeof(a->ring), .peer = ret, .vector = 3 };
	EXPECT_EQ(0, ioctl32(fd, IVSHM_REGION_RING, a));
	EXPECT_EQ(1, rings(event));

	low[PAGE + 5] = 55;
	a->map = (struct ivshm_region_map_dma){
		.argsz = sizeof(a->map), .addr = (uintptr_t)low + PAGE, .len = PAGE,
		.offset = 7 * PAGE,
	};
	EXPECT_EQ(0, ioctl32(fd, IVSHM_REGION_MAP_DMA, a));
	EXPECT_EQ(55, region[7 * PAGE + 5]);
	a->unmap = (struct ivshm_region_unmap_dma){
		.argsz = sizeof(a->unmap), .addr = (uintptr_t)low + PAGE, .len = PAGE,
	};
	EXPECT_EQ(0, ioctl32(fd, IVSHM_REGION_UNMAP_DMA, a));
	EXPECT_EQ(55, low[PAGE + 5]);
	a->dmabuf = (struct ivshm_region_export_dmabuf){
		.argsz = sizeof(a->dmabuf), .flags = O_RDWR, .offset = PAGE, .len = PAGE,
	};
	ret = ioctl32(fd, IVSHM_REGION_EXPORT_DMABUF, a);
	EXPECT_LE(0, ret);
	close(ret);
	close(event);
	close(other);
	munmap(region, SIZE);
	munmap(low, 2 * PAGE);
}

/* Changes what a call was given while it is being read. */
static struct {
	uint32_t *at;
	atomic_int stop;
} flip;

static void *flip_size(void *arg)
{
	static const uint32_t sizes[] = {
		16, sizeof(struct ivshm_region_info), 15, 4096, 4097, ~0U,
	};
	unsigned int i;

	(void)arg;
	for (i = 0; !atomic_load(&flip.stop); i++)
		__atomic_store_n(flip.at, sizes[i % ARRAY_SIZE(sizes)], __ATOMIC_RELAXED);
	return NULL;
}

/* Whatever size it was that counted, no byte beyond it is touched. */
TEST_F(ioctls, flipped)
{
	struct ivshm_region_info *info;
	int i, done = 0, wrong = 0;
	pthread_t thread;
	char *p;

	p = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, p);
	munmap(p + PAGE, PAGE);
	/* With 16 bytes it fits, with more it does not. */
	info = (void *)(p + PAGE - 16);
	flip.at = &info->argsz;
	atomic_store(&flip.stop, 0);
	ASSERT_EQ(0, pthread_create(&thread, NULL, flip_size, NULL));
	for (i = 0; i < 100000; i++) {
		info->flags = 0;
		if (!ioctl(self->fd, IVSHM_REGION_INFO, info))
			done++;
		else if (errno != EINVAL && errno != EFAULT)
			wrong++;
		if (p[PAGE - 17])
			wrong++;
	}
	atomic_store(&flip.stop, 1);
	pthread_join(thread, NULL);
	EXPECT_EQ(0, wrong);
	EXPECT_LT(0, done);
	munmap(p, PAGE);
}

TEST_HARNESS_MAIN
