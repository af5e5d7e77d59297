// SPDX-License-Identifier: GPL-2.0
/*
 * What IVSHM_REGION_MAP_DMA makes of all kinds of memory that a program may have. As root.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "region.h"

#define PAGES	16
#define SIZE	(PAGES * PAGE)
#define HUGE	(2 * MIB)
#define RW	(PROT_READ | PROT_WRITE)

#define HUGEPAGES	"/proc/sys/vm/nr_hugepages"
#define KSM		"/sys/kernel/mm/ksm/"
#define ZRAM		"/dev/zram0"

/* Of /proc/PID/pagemap. */
#define IS_SWAPPED	0x4000000000000000ULL
#define FRAME(e)	((e) & ((1ULL << 55) - 1))

FIXTURE(dma_memory)
{
	struct dma d;
};

FIXTURE_SETUP(dma_memory)
{
	ASSERT_EQ(0, dma_open(&self->d, SIZE));
}

FIXTURE_TEARDOWN(dma_memory)
{
	dma_close(&self->d, SIZE);
}

/* Refused, and everything as before. */
static int refused(int fd, char *p, size_t len, int want)
{
	char before = *p;
	int err = map_dma(fd, p, len, 0, 0);

	if (err != want)
		return err ?: 1;
	if (dma_flags || *p != before)
		return 2;
	return 0;
}

static int watch(char *p, size_t len)
{
	struct uffdio_register reg = {
		.range = { .start = (uintptr_t)p, .len = len },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	struct uffdio_api api = { .api = UFFD_API };
	int uffd = syscall(SYS_userfaultfd, O_CLOEXEC);

	if (uffd < 0 || ioctl(uffd, UFFDIO_API, &api) || ioctl(uffd, UFFDIO_REGISTER, &reg))
		return -1;
	return uffd;
}

TEST_F(dma_memory, refused)
{
	char path[] = "/tmp/region-memory.XXXXXX";
	int fd = self->d.fd, file, uffd;
	char *p;

	/* Of a file, shared or private; shared without a file. */
	file = mkstemp(path);
	ASSERT_LE(0, file);
	unlink(path);
	ASSERT_EQ(0, ftruncate(file, SIZE));
	p = mmap(NULL, SIZE, RW, MAP_PRIVATE, file, 0);
	*p = 1;
	EXPECT_EQ(0, refused(fd, p, SIZE, -EINVAL));
	munmap(p, SIZE);
	p = mmap(NULL, SIZE, RW, MAP_SHARED, file, 0);
	EXPECT_EQ(0, refused(fd, p, SIZE, -EINVAL));
	munmap(p, SIZE);
	close(file);
	p = mmap(NULL, SIZE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	EXPECT_EQ(0, refused(fd, p, SIZE, -EINVAL));
	munmap(p, SIZE);
	/* A plain mapping of the region. */
	EXPECT_EQ(0, refused(fd, self->d.region, SIZE, -EINVAL));
	EXPECT_EQ(-EINVAL, unmap_dma(fd, self->d.region, SIZE));
	/* The stack, which grows. */
	p = (char *)((unsigned long)&p & -PAGE);
	EXPECT_EQ(0, refused(fd, p, PAGE, -EINVAL));

	p = anon(SIZE);
	*p = 3;
	ASSERT_EQ(0, mprotect(p, PAGE, PROT_READ));
	EXPECT_EQ(0, refused(fd, p, SIZE, -EACCES));
	ASSERT_EQ(0, mprotect(p, PAGE, RW | PROT_EXEC));
	EXPECT_EQ(0, refused(fd, p, SIZE, -EACCES));
	ASSERT_EQ(0, mprotect(p, PAGE, RW));
	/* A hole in the middle. */
	munmap(p + 5 * PAGE, PAGE);
	EXPECT_EQ(0, refused(fd, p, SIZE, -EFAULT));
	munmap(p, SIZE);

	p = anon(SIZE);
	memset(p, 4, SIZE);
	uffd = watch(p + PAGE, PAGE);
	if (uffd >= 0) {
		EXPECT_EQ(0, refused(fd, p, SIZE, -EBUSY));
		close(uffd);
		EXPECT_EQ(0, map_dma(fd, p, SIZE, 0, 0));
	} else {
		TH_LOG("no userfaultfd in this kernel");
	}
	munmap(p, SIZE);
}

/* io_uring's registered buffers are pinned, as VFIO's mappings are. */
TEST_F(dma_memory, pinned)
{
	struct { uint32_t v[30]; } params = { 0 };
	struct iovec iov = { self->d.buf + 3 * PAGE, PAGE };
	int ring;

	ring = syscall(425 /* io_uring_setup */, 4, &params);
	if (ring < 0)
		SKIP(return, "no io_uring");
	memset(self->d.buf, 5, SIZE);
	ASSERT_EQ(0, syscall(427 /* io_uring_register */, ring, 0, &iov, 1));
	EXPECT_EQ(0, refused(self->d.fd, self->d.buf, SIZE, -EBUSY));
	/* The next page is nobody's. */
	EXPECT_EQ(0, map_dma(self->d.fd, self->d.buf, 3 * PAGE, 0, 0));
	EXPECT_EQ(0, map_dma(self->d.fd, self->d.buf + 4 * PAGE, 3 * PAGE, 4 * PAGE, 0));
	ASSERT_EQ(0, syscall(427, ring, 1 /* unregister */, NULL, 0));
	close(ring);
	EXPECT_EQ(0, map_dma(self->d.fd, self->d.buf + 3 * PAGE, PAGE, 3 * PAGE, 0));
	EXPECT_EQ(5, self->d.region[3 * PAGE]);
}

/* What pagemap has of the page at @p; 0 if there is nothing. */
static uint64_t page_entry(const void *p)
{
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	uint64_t e = 0;

	if (pread(fd, &e, sizeof(e), (uintptr_t)p / PAGE * sizeof(e)) != sizeof(e))
		e = 0;
	close(fd);
	return e;
}

/* There and back, with one page that was written to meanwhile. */
static int goes_there_and_back(int fd, char *p, const char *region, size_t len)
{
	char *want = malloc(len);
	int err;

	memcpy(want, p, len);
	err = map_dma(fd, p, len, 0, 0);
	if (!err && memcmp(region, want, len))
		err = 1;
	p[len / 2]++;
	want[len / 2]++;
	if (!err)
		err = unmap_dma(fd, p, len);
	if (!err && (memcmp(p, want, len) || memcmp(region, want, len)))
		err = 2;
	free(want);
	return err;
}

static void number_pages(char *p)
{
	int i;

	for (i = 0; i < PAGES; i++)
		memset(p + i * PAGE, i + 1, PAGE);
}

/* Pages that are in swap space come back to be copied. */
TEST_F(dma_memory, swapped)
{
	int i, nr = 0, tries;

	if (system("modprobe -q zram") || file_write("/sys/block/zram0/disksize", "64M"))
		SKIP(return, "no zram");
	ASSERT_EQ(0, system("mkswap " ZRAM " >/dev/null"));
	ASSERT_EQ(0, swapon(ZRAM, 0));
	number_pages(self->d.buf);
	/* Pages that some processor has yet to put on the lists are left out. */
	for (tries = 0; tries < 50 && nr < PAGES; tries++) {
		madvise(self->d.buf, SIZE, MADV_PAGEOUT);
		for (i = 0, nr = 0; i < PAGES; i++)
			nr += !!(page_entry(self->d.buf + i * PAGE) & IS_SWAPPED);
	}
	EXPECT_LT(0, nr);
	EXPECT_EQ(0, map_dma(self->d.fd, self->d.buf, SIZE, 0, 0));
	for (i = 0; i < SIZE; i++)
		ASSERT_EQ(i / PAGE + 1, self->d.region[i]);
	EXPECT_EQ(0, unmap_dma(self->d.fd, self->d.buf, SIZE));
	EXPECT_EQ(0, swapoff(ZRAM));
	EXPECT_EQ(0, file_write("/sys/block/zram0/reset", "1"));
}

/* Pages that are one with others': those keep theirs. */
TEST_F(dma_memory, merged)
{
	char *twin = anon(SIZE);
	int i, tries, nr = 0;

	ASSERT_NE(MAP_FAILED, twin);
	if (file_write(KSM "pages_to_scan", "10000") || file_write(KSM "sleep_millisecs", "5"))
		SKIP(return, "no KSM");
	number_pages(self->d.buf);
	number_pages(twin);
	ASSERT_EQ(0, madvise(self->d.buf, SIZE, MADV_MERGEABLE));
	ASSERT_EQ(0, madvise(twin, SIZE, MADV_MERGEABLE));
	ASSERT_EQ(0, file_write(KSM "run", "1"));
	for (tries = 0; tries < 1000 && nr < PAGES; tries++) {
		usleep(20000);
		for (i = 0, nr = 0; i < PAGES; i++)
			nr += FRAME(page_entry(self->d.buf + i * PAGE)) ==
			      FRAME(page_entry(twin + i * PAGE));
	}
	EXPECT_EQ(PAGES, nr);
	EXPECT_EQ(0, goes_there_and_back(self->d.fd, self->d.buf, self->d.region, SIZE));
	for (i = 0; i < SIZE; i++)
		ASSERT_EQ(i / PAGE + 1, twin[i]);
	EXPECT_EQ(0, file_write(KSM "run", "2"));
	EXPECT_EQ(0, file_write(KSM "run", "0"));
	munmap(twin, SIZE);
}

/* Memory of hugetlbfs is taken whole or not at all. */
TEST_F(dma_memory, hugetlb)
{
	char *p;

	if (file_write(HUGEPAGES, "1"))
		SKIP(return, "no hugetlb");
	p = mmap(NULL, HUGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
	if (p == MAP_FAILED) {
		file_write(HUGEPAGES, "0");
		SKIP(return, "not enough memory for a huge page");
	}
	*p = 9;
	EXPECT_EQ(0, refused(self->d.fd, p, SIZE, -EINVAL));
	munmap(p, HUGE);
	EXPECT_EQ(0, file_write(HUGEPAGES, "0"));
}

/* Not even who has it can have it copied. */
TEST_F(dma_memory, secret)
{
	int fd = syscall(SYS_memfd_secret, 0);
	char *p;

	if (fd < 0)
		SKIP(return, "no secret memory");
	ASSERT_EQ(0, ftruncate(fd, SIZE));
	p = mmap(NULL, SIZE, RW, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, p);
	*p = 9;
	EXPECT_EQ(0, refused(self->d.fd, p, SIZE, -EINVAL));
	munmap(p, SIZE);
	close(fd);
}

/* A child that was forked before has the same pages until somebody writes. */
TEST_F(dma_memory, forked_before)
{
	int go[2], status;
	pid_t pid;
	char c;

	number_pages(self->d.buf);
	ASSERT_EQ(0, pipe(go));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		int i;

		if (read(go[0], &c, 1) != 1)
			_exit(1);
		for (i = 0; i < SIZE; i++)
			if (self->d.buf[i] != i / PAGE + 1)
				_exit(2);
		/* Nor does the parent have what it writes. */
		memset(self->d.buf, 77, SIZE);
		_exit(0);
	}
	EXPECT_EQ(0, goes_there_and_back(self->d.fd, self->d.buf, self->d.region, SIZE));
	EXPECT_EQ(0, map_dma(self->d.fd, self->d.buf, SIZE, 0, 0));
	self->d.buf[5]++;
	ASSERT_EQ(1, write(go[1], "x", 1));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(2, self->d.buf[5]);
	EXPECT_EQ(2, self->d.region[5]);
	EXPECT_EQ(PAGES, self->d.region[SIZE - 1]);
}

TEST_HARNESS_MAIN
