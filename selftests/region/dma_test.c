// SPDX-License-Identifier: GPL-2.0
/* Region pages under a program's own memory, which goes on being used. As root. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "hammer.h"
#include "region.h"

#define PAGES	16
#define SIZE	(PAGES * PAGE)
#define HUGE	(2 * MIB)
#define RW	(PROT_READ | PROT_WRITE)
#define KEEP	IVSHM_DMA_KEEP_REGION

FIXTURE(dma)
{
	struct dma d;
};

FIXTURE_SETUP(dma)
{
	ASSERT_EQ(0, dma_open(&self->d, SIZE));
}

FIXTURE_TEARDOWN(dma)
{
	dma_close(&self->d, SIZE);
}

TEST_F(dma, contents)
{
	char *buf = self->d.buf, *region = self->d.region;
	int i;

	for (i = 0; i < PAGES; i++)
		buf[i * PAGE + i] = i + 1;
	memset(region, 0x77, SIZE);
	/* The caller's contents, in the region. */
	ASSERT_EQ(0, map_dma(self->d.fd, buf, SIZE, 0, 0));
	for (i = 0; i < PAGES; i++) {
		EXPECT_EQ(i + 1, buf[i * PAGE + i]);
		EXPECT_EQ(i + 1, region[i * PAGE + i]);
		EXPECT_EQ(0, region[i * PAGE + i + 1]);
	}
	buf[5] = 55;
	region[PAGE + 6] = 66;
	EXPECT_EQ(55, region[5]);
	EXPECT_EQ(66, buf[PAGE + 6]);
	/* Its own again, with what was there. */
	ASSERT_EQ(0, unmap_dma(self->d.fd, buf, SIZE));
	EXPECT_EQ(55, buf[5]);
	EXPECT_EQ(66, buf[PAGE + 6]);
	region[5] = 1;
	buf[PAGE + 6] = 2;
	EXPECT_EQ(55, buf[5]);
	EXPECT_EQ(66, region[PAGE + 6]);
	/* And once more, now what the region has. */
	ASSERT_EQ(0, map_dma(self->d.fd, buf, SIZE, 0, KEEP));
	EXPECT_EQ(1, buf[5]);
	EXPECT_EQ(66, buf[PAGE + 6]);
	/* The region's own pages are not copied onto each other. */
	EXPECT_EQ(-EBUSY, map_dma(self->d.fd, buf, SIZE, 0, 0));
	EXPECT_EQ(0, dma_flags);
	EXPECT_EQ(1, buf[5]);
	ASSERT_EQ(0, map_dma(self->d.fd, buf, SIZE, 0, KEEP));
	ASSERT_EQ(0, unmap_dma(self->d.fd, buf, SIZE));
	EXPECT_EQ(1, buf[5]);
}

/* Pages that nobody ever touched are zero, on both ways. */
TEST_F(dma, untouched)
{
	char *buf = self->d.buf;
	int i;

	memset(self->d.region, 0x77, SIZE);
	ASSERT_EQ(0, map_dma(self->d.fd, buf, SIZE, 0, 0));
	for (i = 0; i < SIZE; i++)
		ASSERT_EQ(0, self->d.region[i]);
	ASSERT_EQ(0, unmap_dma(self->d.fd, buf, SIZE));
	memset(self->d.region, 0x77, SIZE);
	for (i = 0; i < SIZE; i++)
		ASSERT_EQ(0, buf[i]);
}

/* Ranges need not be whole mappings, nor begin with the region. */
TEST_F(dma, parts)
{
	char *buf = self->d.buf, *region = self->d.region;
	int i;

	for (i = 0; i < PAGES; i++)
		buf[i * PAGE] = i + 1;
	ASSERT_EQ(0, map_dma(self->d.fd, buf + 4 * PAGE, 8 * PAGE, 2 * PAGE, 0));
	for (i = 0; i < PAGES; i++)
		EXPECT_EQ(i + 1, buf[i * PAGE]);
	for (i = 0; i < PAGES; i++)
		EXPECT_EQ(i < 2 || i > 9 ? 0 : i + 3, region[i * PAGE]);
	buf[4 * PAGE + 1] = 9;
	EXPECT_EQ(9, region[2 * PAGE + 1]);
	/* Not all of it is the region's. */
	EXPECT_EQ(-EINVAL, unmap_dma(self->d.fd, buf + 3 * PAGE, 4 * PAGE));
	ASSERT_EQ(0, unmap_dma(self->d.fd, buf + 6 * PAGE, 2 * PAGE));
	buf[6 * PAGE] = 70;
	EXPECT_EQ(7, region[4 * PAGE]);
	buf[8 * PAGE] = 90;
	EXPECT_EQ(90, region[6 * PAGE]);
	/* What earlier calls left is taken again, in one piece with the rest. */
	EXPECT_EQ(-EBUSY, map_dma(self->d.fd, buf, SIZE, 0, 0));
	ASSERT_EQ(0, unmap_dma(self->d.fd, buf + 4 * PAGE, 2 * PAGE));
	ASSERT_EQ(0, unmap_dma(self->d.fd, buf + 8 * PAGE, 4 * PAGE));
	ASSERT_EQ(0, map_dma(self->d.fd, buf, SIZE, 0, 0));
	EXPECT_EQ(1, region[0]);
	EXPECT_EQ(70, region[6 * PAGE]);
	EXPECT_EQ(90, region[8 * PAGE]);
	EXPECT_EQ(16, region[15 * PAGE]);
	/* The program's usual means work on it. */
	ASSERT_EQ(0, munmap(buf + PAGE, PAGE));
	ASSERT_EQ(0, mprotect(buf + 2 * PAGE, PAGE, PROT_READ));
	EXPECT_EQ(3, buf[2 * PAGE]);
	EXPECT_EQ(0, madvise(buf + 3 * PAGE, PAGE, MADV_DONTNEED));
	EXPECT_EQ(4, buf[3 * PAGE]);
	EXPECT_EQ(-EFAULT, unmap_dma(self->d.fd, buf, SIZE));
	EXPECT_EQ(0, dma_flags);
	EXPECT_EQ(-EACCES, unmap_dma(self->d.fd, buf + 2 * PAGE, 2 * PAGE));
}

static int hammered(int fd, char *buf, int times, uint64_t *rounds)
{
	struct hammer h[2];
	int i, err = 0;

	times = patient(times);
	if (hammer_begin(h, 2, 0, buf, PAGES))
		return -EAGAIN;
	for (i = 0; i < times && !err; i++) {
		hammer_await(h, 2);
		err = map_dma(fd, buf, SIZE, 0, 0);
		hammer_await(h, 2);
		if (!err)
			err = unmap_dma(fd, buf, SIZE);
	}
	return hammer_end(h, 2, rounds) ? -EIO : err;
}

TEST_F_TIMEOUT(dma, no_write_is_lost, 240)
{
	uint64_t rounds;

	ASSERT_EQ(0, hammered(self->d.fd, self->d.buf, 1000, &rounds));
	EXPECT_LT(0, rounds);
	TH_LOG("%d times there and back under %llu rounds of writes", patient(1000),
	       (unsigned long long)rounds);
}

/* A VMM whose memory is locked: mappings are populated as they are made. */
TEST_F_TIMEOUT(dma, no_write_is_lost_locked, 240)
{
	uint64_t rounds;

	ASSERT_EQ(0, mlockall(MCL_CURRENT | MCL_FUTURE));
	ASSERT_EQ(0, hammered(self->d.fd, self->d.buf, 100, &rounds));
	EXPECT_LT(0, rounds);
	munlockall();
}

/* In the middle of a transparent huge page. */
TEST_F_TIMEOUT(dma, no_write_is_lost_thp, 240)
{
	char *p = anon(2 * HUGE), *buf;
	uint64_t rounds;

	ASSERT_NE(MAP_FAILED, p);
	buf = (char *)(((unsigned long)p + HUGE - 1) & -HUGE);
	if (madvise(buf, HUGE, MADV_HUGEPAGE))
		SKIP(return, "no transparent huge pages");
	memset(buf, 0, HUGE);
	ASSERT_EQ(0, hammered(self->d.fd, buf + 7 * PAGE, 100, &rounds));
	EXPECT_LT(0, rounds);
	munmap(p, 2 * HUGE);
}

/* Children that are forked meanwhile, whose writes stay theirs. */
TEST_F_TIMEOUT(dma, no_write_is_lost_fork, 240)
{
	struct hammer h[2];
	uint64_t rounds;
	int i, status;
	pid_t pid;

	ASSERT_EQ(0, hammer_begin(h, 2, 0, self->d.buf, PAGES));
	for (i = 0; i < patient(40); i++) {
		EXPECT_EQ(0, map_dma(self->d.fd, self->d.buf, SIZE, 0, 0));
		pid = fork();
		if (!pid)
			/* It was private, and the child has no part in it. */
			_exit(madvise(self->d.buf, SIZE, MADV_WILLNEED) && errno == ENOMEM ? 0 : 1);
		waitpid(pid, &status, 0);
		EXPECT_EQ(0, status);
		EXPECT_EQ(0, unmap_dma(self->d.fd, self->d.buf, SIZE));
	}
	EXPECT_EQ(0, hammer_end(h, 2, &rounds));
}

/* Pages of 2 MiB are copied as a whole before anybody has them mapped. */
TEST_F(dma, large_pages)
{
	char *p = anon(4 * HUGE), *buf, *region;
	int fd, shift, i;

	ASSERT_EQ(0, region_add(&self->d.c, "large", 2 * HUGE, HUGE));
	fd = region_open(&self->d.c, "large", O_RDWR);
	ASSERT_LE(0, fd);
	region = region_map(fd, 2 * HUGE);
	ASSERT_NE(MAP_FAILED, region);
	/* Once where it fits, once where it does not. */
	for (shift = 0; shift < 2; shift++) {
		buf = (char *)(((unsigned long)p + HUGE - 1) & -HUGE) + shift * PAGE;
		for (i = 0; i < 1024; i++)
			buf[i * PAGE + 5] = i + shift;
		memset(region, 0x66, 2 * HUGE);
		ASSERT_EQ(0, map_dma(fd, buf, 2 * HUGE, 0, 0));
		for (i = 1023; i >= 0; i--) {
			ASSERT_EQ((char)(i + shift), buf[i * PAGE + 5]);
			ASSERT_EQ((char)(i + shift), region[i * PAGE + 5]);
		}
		ASSERT_EQ(0, unmap_dma(fd, buf, 2 * HUGE));
		memset(region, 0x66, 2 * HUGE);
		for (i = 0; i < 1024; i++)
			ASSERT_EQ((char)(i + shift), buf[i * PAGE + 5]);
	}
	munmap(region, 2 * HUGE);
	munmap(p, 4 * HUGE);
	close(fd);
}

/*
 * What one places in its transmit buffer another has in its receive buffer; one
 * leaves, a third joins, and all go on working in their memory meanwhile.
 */
TEST_F_TIMEOUT(dma, shared_buffer, 240)
{
	struct hammer busy[3];
	uint64_t rounds, lost = 0;
	int fd[3], i, round, at;
	char *buf[3];

	/* Three peers; the first one stays, the others take turns. */
	for (i = 0; i < 3; i++) {
		buf[i] = anon(SIZE);
		ASSERT_NE(MAP_FAILED, buf[i]);
		fd[i] = region_open(&self->d.c, "x", O_RDWR);
		ASSERT_LE(0, fd[i]);
	}
	ASSERT_EQ(0, map_dma(fd[0], buf[0], SIZE, 0, 0));
	ASSERT_EQ(0, hammer_begin(busy, 1, 0, buf[0], PAGES));
	for (round = 0; round < patient(50); round++) {
		at = 1 + round % 2;
		ASSERT_EQ(0, map_dma(fd[at], buf[at], SIZE, 0, KEEP));
		for (i = 0; i < PAGES; i++) {
			buf[0][i * PAGE + 1000] = round + i;
			ASSERT_EQ((char)(round + i), buf[at][i * PAGE + 1000]);
			buf[at][i * PAGE + 2000] = round - i;
			ASSERT_EQ((char)(round - i), buf[0][i * PAGE + 2000]);
		}
		ASSERT_EQ(0, unmap_dma(fd[at], buf[at], SIZE));
		/* It took a copy along. */
		buf[0][1000] = 99;
		EXPECT_EQ((char)round, buf[at][1000]);
	}
	lost = hammer_end(busy, 1, &rounds);
	EXPECT_EQ(0, lost);
	EXPECT_LT(0, rounds);
	for (i = 0; i < 3; i++) {
		munmap(buf[i], SIZE);
		close(fd[i]);
	}
}

TEST_F(dma, arguments)
{
	struct ivshm_region_map_dma arg = { .argsz = sizeof(arg) };
	char *buf = self->d.buf;
	int fd = self->d.fd, ro;

	EXPECT_EQ(-EINVAL, map_dma(fd, buf, 0, 0, 0));
	EXPECT_EQ(-EINVAL, map_dma(fd, buf + 1, PAGE, 0, 0));
	EXPECT_EQ(-EINVAL, map_dma(fd, buf, PAGE + 1, 0, 0));
	EXPECT_EQ(-EINVAL, map_dma(fd, buf, PAGE, 1, 0));
	EXPECT_EQ(-EINVAL, map_dma(fd, buf, SIZE + PAGE, 0, 0));
	EXPECT_EQ(-EINVAL, map_dma(fd, buf, 2 * PAGE, SIZE - PAGE, 0));
	EXPECT_EQ(-EINVAL, map_dma(fd, buf, PAGE, SIZE, 0));
	EXPECT_EQ(-EINVAL, map_dma(fd, buf, PAGE, -PAGE, 0));
	EXPECT_EQ(-EINVAL, map_dma(fd, buf, PAGE, 0, 2));
	EXPECT_EQ(-EINVAL, map_dma(fd, buf, PAGE, 0, IVSHM_DMA_UNMAPPED));
	EXPECT_EQ(-EINVAL, map_dma(fd, (void *)-PAGE, PAGE, 0, 0));
	EXPECT_EQ(-EINVAL, map_dma(fd, (void *)-PAGE, 2 * PAGE, 0, 0));
	EXPECT_EQ(-EFAULT, map_dma(fd, NULL, PAGE, 0, 0));
	EXPECT_EQ(-EINVAL, unmap_dma(fd, buf, 0));
	EXPECT_EQ(-EINVAL, unmap_dma(fd, buf, PAGE + 1));
	EXPECT_EQ(-EINVAL, unmap_dma(fd, buf, PAGE));
	EXPECT_EQ(-EINVAL, unmap_dma(fd, buf, 1UL << 40));

	arg.argsz = sizeof(arg) - 1;
	EXPECT_EQ(-1, ioctl(fd, IVSHM_REGION_MAP_DMA, &arg));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, ioctl(fd, IVSHM_REGION_MAP_DMA, NULL));
	EXPECT_EQ(EFAULT, errno);
	ro = region_open(&self->d.c, "x", O_RDONLY);
	EXPECT_EQ(-EACCES, map_dma(ro, buf, PAGE, 0, 0));
	close(ro);
	/* Another region's mapping is not ours to end. */
	ASSERT_EQ(0, region_add(&self->d.c, "y", SIZE, 0));
	ro = region_open(&self->d.c, "y", O_RDWR);
	EXPECT_EQ(0, map_dma(ro, buf, PAGE, 0, 0));
	EXPECT_EQ(-EINVAL, unmap_dma(fd, buf, PAGE));
	EXPECT_EQ(0, unmap_dma(ro, buf, PAGE));
	close(ro);
}

/* It holds the region, and the region's end is its end. */
TEST_F(dma, force)
{
	struct region_attrs at;

	self->d.buf[PAGE] = 7;
	ASSERT_EQ(0, map_dma(self->d.fd, self->d.buf, SIZE, 0, 0));
	ASSERT_EQ(0, region_get(&self->d.c, "x", &at));
	EXPECT_EQ(2, at.users);
	munmap(self->d.region, SIZE);
	self->d.region = anon(SIZE);
	close(self->d.fd);
	EXPECT_EQ(-EBUSY, region_del(&self->d.c, "x"));
	EXPECT_EQ(7, self->d.buf[PAGE]);
	ASSERT_EQ(0, region_force(&self->d.c, "x"));
	EXPECT_TRUE(region_faults(self->d.buf + PAGE));

	/* What was taken back stays. */
	ASSERT_EQ(0, region_add(&self->d.c, "y", SIZE, 0));
	self->d.fd = region_open(&self->d.c, "y", O_RDWR);
	munmap(self->d.buf, SIZE);
	self->d.buf = anon(SIZE);
	self->d.buf[PAGE] = 8;
	ASSERT_EQ(0, map_dma(self->d.fd, self->d.buf, SIZE, 0, 0));
	ASSERT_EQ(0, unmap_dma(self->d.fd, self->d.buf, SIZE));
	close(self->d.fd);
	ASSERT_EQ(0, region_del(&self->d.c, "y"));
	EXPECT_EQ(8, self->d.buf[PAGE]);
	self->d.fd = -1;
}

TEST_F_TIMEOUT(dma, killed, 240)
{
	uint64_t rounds;
	int i, status;
	pid_t pid;

	munmap(self->d.region, SIZE);
	self->d.region = anon(SIZE);
	for (i = 0; i < 30; i++) {
		pid = fork();
		if (!pid) {
			hammered(self->d.fd, self->d.buf, 1000000, &rounds);
			_exit(1);
		}
		usleep(2000 + i * 1500);
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
		EXPECT_TRUE(WIFSIGNALED(status));
	}
	close(self->d.fd);
	self->d.fd = -1;
	EXPECT_EQ(0, region_del(&self->d.c, "x"));
}

TEST_HARNESS_MAIN
