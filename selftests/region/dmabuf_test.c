// SPDX-License-Identifier: GPL-2.0
/* Parts of regions as dma-bufs: mapped, imported by a device, left behind. As root. */
#include <drm/drm.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/dma-buf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "region.h"

#define SIZE	(16 * PAGE)

FIXTURE(dmabuf)
{
	struct control c;
	int fd;
	char *p;
};

static int export(int fd, uint64_t offset, uint64_t len, uint32_t flags)
{
	struct ivshm_region_export_dmabuf arg = {
		.argsz = sizeof(arg), .flags = flags, .offset = offset, .len = len,
	};
	int got = ioctl(fd, IVSHM_REGION_EXPORT_DMABUF, &arg);

	return got < 0 ? -errno : got;
}

FIXTURE_SETUP(dmabuf)
{
	size_t i;

	ASSERT_EQ(0, control_open(&self->c));
	region_del_all(&self->c);
	ASSERT_EQ(0, region_add(&self->c, "x", SIZE, 0));
	self->fd = region_open(&self->c, "x", O_RDWR);
	ASSERT_LE(0, self->fd);
	/* As skipped. */
	if (export(self->fd, 0, 0, O_RDWR) == -ENOTTY)
		_exit(255);
	self->p = region_map(self->fd, SIZE);
	ASSERT_NE(MAP_FAILED, self->p);
	for (i = 0; i < SIZE; i++)
		self->p[i] = i / PAGE + 1;
}

FIXTURE_TEARDOWN(dmabuf)
{
	munmap(self->p, SIZE);
	close(self->fd);
	region_del_all(&self->c);
	control_close(&self->c);
}

static int cpu_access(int fd, uint64_t flags)
{
	struct dma_buf_sync sync = { .flags = flags };

	return ioctl(fd, DMA_BUF_IOCTL_SYNC, &sync) ? -errno : 0;
}

/* The region's own bytes, of its part only. */
TEST_F(dmabuf, mapped)
{
	int fd = export(self->fd, 3 * PAGE, 5 * PAGE, O_RDWR | O_CLOEXEC);
	char *q;

	ASSERT_LE(0, fd);
	EXPECT_EQ(FD_CLOEXEC, fcntl(fd, F_GETFD));
	EXPECT_EQ(5 * PAGE, lseek(fd, 0, SEEK_END));
	q = region_map(fd, 5 * PAGE);
	ASSERT_NE(MAP_FAILED, q);
	ASSERT_EQ(0, cpu_access(fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_RW));
	EXPECT_EQ(0, memcmp(q, self->p + 3 * PAGE, 5 * PAGE));
	q[2 * PAGE + 7] = 99;
	ASSERT_EQ(0, cpu_access(fd, DMA_BUF_SYNC_END | DMA_BUF_SYNC_RW));
	EXPECT_EQ(99, self->p[5 * PAGE + 7]);
	munmap(q, 5 * PAGE);
	/* No more than that. */
	EXPECT_EQ(MAP_FAILED, region_map(fd, 6 * PAGE));
	EXPECT_EQ(MAP_FAILED, mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 5 * PAGE));
	EXPECT_EQ(MAP_FAILED, mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 0));
	q = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 4 * PAGE);
	ASSERT_NE(MAP_FAILED, q);
	EXPECT_EQ(8, *q);
	EXPECT_EQ(MAP_FAILED, mremap(q, PAGE, 2 * PAGE, MREMAP_MAYMOVE));
	munmap(q, PAGE);
	close(fd);
}

TEST_F(dmabuf, read_only)
{
	int fd = export(self->fd, 0, SIZE, O_RDONLY), ro;
	char *q;

	ASSERT_LE(0, fd);
	EXPECT_EQ(MAP_FAILED, region_map(fd, SIZE));
	EXPECT_EQ(EACCES, errno);
	q = mmap(NULL, SIZE, PROT_READ, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, q);
	EXPECT_EQ(-1, mprotect(q, SIZE, PROT_READ | PROT_WRITE));
	EXPECT_EQ(EACCES, errno);
	EXPECT_EQ(0, memcmp(q, self->p, SIZE));
	munmap(q, SIZE);
	close(fd);
	/* From a file that may not write there is none. */
	ro = region_open(&self->c, "x", O_RDONLY);
	ASSERT_LE(0, ro);
	EXPECT_EQ(-EACCES, export(ro, 0, SIZE, O_RDONLY));
	EXPECT_EQ(-EACCES, export(ro, 0, SIZE, O_RDWR));
	close(ro);
}

TEST_F(dmabuf, refused)
{
	static const struct {
		uint64_t offset, len;
		uint32_t flags;
	} bad[] = {
		{ 0, 0, O_RDWR }, { 0, PAGE - 1, O_RDWR }, { 1, PAGE, O_RDWR },
		{ 0, SIZE + PAGE, O_RDWR }, { SIZE, PAGE, O_RDWR }, { PAGE, SIZE, O_RDWR },
		{ 0, ~0ULL, O_RDWR }, { 0, ~0ULL & ~(PAGE - 1), O_RDWR },
		{ ~0ULL & ~(PAGE - 1), 2 * PAGE, O_RDWR }, { 0, PAGE, O_WRONLY },
		{ 0, PAGE, 3 }, { 0, PAGE, O_RDWR | O_NONBLOCK }, { 0, PAGE, ~0U },
	};
	struct {
		struct ivshm_region_export_dmabuf arg;
		uint32_t more;
	} longer = {
		.arg = { .argsz = sizeof(longer), .flags = O_RDWR, .len = PAGE },
	};
	unsigned int i;
	int fd;

	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		EXPECT_EQ(-EINVAL, export(self->fd, bad[i].offset, bad[i].len, bad[i].flags))
			TH_LOG("%u", i);
	}
	fd = ioctl(self->fd, IVSHM_REGION_EXPORT_DMABUF, &longer);
	EXPECT_LE(0, fd);
	close(fd);
	longer.more = 1;
	EXPECT_EQ(-1, ioctl(self->fd, IVSHM_REGION_EXPORT_DMABUF, &longer));
	EXPECT_EQ(E2BIG, errno);
	longer.arg.argsz = 20;
	EXPECT_EQ(-1, ioctl(self->fd, IVSHM_REGION_EXPORT_DMABUF, &longer));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, ioctl(self->fd, IVSHM_REGION_EXPORT_DMABUF, NULL));
	EXPECT_EQ(EFAULT, errno);
}

/* It is a user; by force mappings end, and the next owner's pages are others. */
TEST_F(dmabuf, deleted)
{
	int fd = export(self->fd, 0, SIZE, O_RDWR);
	char *q;

	ASSERT_LE(0, fd);
	munmap(self->p, SIZE);
	close(self->fd);
	EXPECT_EQ(-EBUSY, region_del(&self->c, "x"));
	q = region_map(fd, SIZE);
	ASSERT_NE(MAP_FAILED, q);
	EXPECT_EQ(1, q[0]);
	ASSERT_EQ(0, region_force(&self->c, "x"));
	EXPECT_TRUE(region_faults(q));
	EXPECT_TRUE(region_faults(q + SIZE - 1));
	EXPECT_EQ(MAP_FAILED, region_map(fd, SIZE));
	munmap(q, SIZE);
	ASSERT_EQ(0, region_add(&self->c, "x", SIZE, 0));
	self->fd = region_open(&self->c, "x", O_RDWR);
	ASSERT_LE(0, self->fd);
	self->p = region_map(self->fd, SIZE);
	ASSERT_NE(MAP_FAILED, self->p);
	EXPECT_EQ(0, self->p[0]);
	close(fd);
}

/* The last one goes with the process that has it. */
TEST_F(dmabuf, killed)
{
	int status, go[2];
	pid_t pid;
	char c;

	ASSERT_EQ(0, pipe(go));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		int fd = export(self->fd, 0, SIZE, O_RDWR);

		if (fd < 0 || *(char *)region_map(fd, SIZE) != 1 || write(go[1], "x", 1) != 1)
			_exit(1);
		pause();
	}
	ASSERT_EQ(1, read(go[0], &c, 1));
	munmap(self->p, SIZE);
	close(self->fd);
	EXPECT_EQ(-EBUSY, region_del(&self->c, "x"));
	kill(pid, SIGKILL);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, region_del(&self->c, "x"));
	self->fd = -1;
}

/* The node of vgem, a driver of a device that does nothing but import and export. */
static int vgem_open(void)
{
	char path[32], name[16];
	struct drm_version version = { .name = name, .name_len = sizeof(name) };
	int i, fd;

	if (system("modprobe -q vgem"))
		return -ENODEV;
	for (i = 0; i < 16; i++) {
		snprintf(path, sizeof(path), "/dev/dri/card%d", i);
		fd = open(path, O_RDWR | O_CLOEXEC);
		if (fd < 0)
			continue;
		if (!ioctl(fd, DRM_IOCTL_VERSION, &version) && version.name_len == 4 &&
		    !memcmp(name, "vgem", 4))
			return fd;
		close(fd);
		version.name_len = sizeof(name);
	}
	return -ENODEV;
}

/* Another driver has the same pages. */
TEST_F(dmabuf, imported)
{
	struct drm_prime_handle prime = {};
	struct drm_gem_close gone = {};
	int vgem = vgem_open();
	char *q;

	if (vgem < 0)
		SKIP(return, "no vgem here");
	prime.fd = export(self->fd, PAGE, 4 * PAGE, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, prime.fd);
	ASSERT_EQ(0, ioctl(vgem, DRM_IOCTL_PRIME_FD_TO_HANDLE, &prime));
	close(prime.fd);
	/* From the driver it comes as what it was. */
	prime.fd = -1;
	prime.flags = DRM_RDWR | DRM_CLOEXEC;
	ASSERT_EQ(0, ioctl(vgem, DRM_IOCTL_PRIME_HANDLE_TO_FD, &prime));
	q = region_map(prime.fd, 4 * PAGE);
	ASSERT_NE(MAP_FAILED, q);
	EXPECT_EQ(0, memcmp(q, self->p + PAGE, 4 * PAGE));
	ASSERT_EQ(0, cpu_access(prime.fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_RW));
	q[3 * PAGE] = 77;
	ASSERT_EQ(0, cpu_access(prime.fd, DMA_BUF_SYNC_END | DMA_BUF_SYNC_RW));
	EXPECT_EQ(77, self->p[4 * PAGE]);
	munmap(q, 4 * PAGE);
	close(prime.fd);
	/* It is in use as long as the driver has it. */
	munmap(self->p, SIZE);
	close(self->fd);
	EXPECT_EQ(-EBUSY, region_del(&self->c, "x"));
	gone.handle = prime.handle;
	ASSERT_EQ(0, ioctl(vgem, DRM_IOCTL_GEM_CLOSE, &gone));
	EXPECT_EQ(0, region_del(&self->c, "x"));
	self->fd = -1;
	close(vgem);
}

TEST_HARNESS_MAIN
