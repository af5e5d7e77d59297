// SPDX-License-Identifier: GPL-2.0
/* Mappings of regions do what mappings do. As root. */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <linux/userfaultfd.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "region.h"

#define SIZE	(64 * PAGE)
#define HUGE	(2 * MIB)

FIXTURE(map)
{
	struct control c;
	int fd;
};

FIXTURE_SETUP(map)
{
	ASSERT_EQ(0, control_open(&self->c));
	region_del_all(&self->c);
	ASSERT_EQ(0, region_add(&self->c, "x", SIZE, 0));
	self->fd = region_open(&self->c, "x", O_RDWR);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(map)
{
	close(self->fd);
	region_del_all(&self->c);
	control_close(&self->c);
}

TEST_F(map, shared)
{
	char *p = region_map(self->fd, SIZE), *q;
	int other, i, status;
	pid_t pid;

	ASSERT_NE(MAP_FAILED, p);
	for (i = 0; i < SIZE; i++)
		ASSERT_EQ(0, p[i]);
	for (i = 0; i < 64; i++)
		p[i * PAGE] = i + 1;

	/* Another file in another process. */
	other = region_open(&self->c, "x", O_RDWR);
	ASSERT_LE(0, other);
	pid = fork();
	if (!pid) {
		q = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, other, 0);
		for (i = 0; i < 64; i++)
			if (q == MAP_FAILED || q[i * PAGE] != i + 1)
				_exit(1);
		q[100] = 99;
		/* Inherited. */
		p[101] = 98;
		_exit(0);
	}
	waitpid(pid, &status, 0);
	EXPECT_EQ(0, status);
	EXPECT_EQ(99, p[100]);
	EXPECT_EQ(98, p[101]);
	munmap(p, SIZE);
	close(other);

	/* It stays when nobody has it open. */
	close(self->fd);
	self->fd = region_open(&self->c, "x", O_RDWR);
	p = region_map(self->fd, SIZE);
	ASSERT_NE(MAP_FAILED, p);
	EXPECT_EQ(99, p[100]);
	munmap(p, SIZE);
}

TEST_F(map, size)
{
	struct stat st;
	int fd = self->fd;
	char c;

	EXPECT_EQ((off_t)SIZE, lseek(fd, 0, SEEK_END));
	EXPECT_EQ((off_t)SIZE - 5, lseek(fd, -5, SEEK_END));
	EXPECT_EQ((off_t)PAGE, lseek(fd, PAGE, SEEK_SET));
	EXPECT_EQ((off_t)PAGE + 1, lseek(fd, 1, SEEK_CUR));
	EXPECT_EQ(-1, lseek(fd, -1, SEEK_SET));
	EXPECT_EQ(-1, lseek(fd, 1, SEEK_END));
	ASSERT_EQ(0, fstat(fd, &st));
	EXPECT_TRUE(S_ISCHR(st.st_mode));
	EXPECT_EQ(-1, read(fd, &c, 1));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, write(fd, "x", 1));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, ftruncate(fd, 0));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(0, fsync(fd));
}

static int map_error(int fd, size_t len, int prot, int flags, off_t offset)
{
	void *p = mmap(NULL, len, prot, flags, fd, offset);

	if (p == MAP_FAILED)
		return errno;
	munmap(p, len);
	return 0;
}

TEST_F(map, limits)
{
	const int rw = PROT_READ | PROT_WRITE;
	int fd = self->fd, ro, wo;
	char *p;

	EXPECT_EQ(0, map_error(fd, SIZE, rw, MAP_SHARED, 0));
	EXPECT_EQ(0, map_error(fd, PAGE, rw, MAP_SHARED, SIZE - PAGE));
	EXPECT_EQ(0, map_error(fd, 1, rw, MAP_SHARED, SIZE - PAGE));
	EXPECT_EQ(EINVAL, map_error(fd, SIZE + 1, rw, MAP_SHARED, 0));
	EXPECT_EQ(EINVAL, map_error(fd, PAGE, rw, MAP_SHARED, SIZE));
	EXPECT_EQ(EINVAL, map_error(fd, 2 * PAGE, rw, MAP_SHARED, SIZE - PAGE));
	EXPECT_EQ(EINVAL, map_error(fd, PAGE, rw, MAP_SHARED, 1));
	EXPECT_NE(0, map_error(fd, PAGE, rw, MAP_SHARED, 0x7ffffffffffff000));
	EXPECT_NE(0, map_error(fd, PAGE, rw, MAP_SHARED, -PAGE));
	EXPECT_EQ(EINVAL, map_error(fd, PAGE, rw, MAP_PRIVATE, 0));
	EXPECT_EQ(EINVAL, map_error(fd, PAGE, PROT_READ, MAP_PRIVATE, 0));

	ro = region_open(&self->c, "x", O_RDONLY);
	ASSERT_LE(0, ro);
	EXPECT_EQ(EACCES, map_error(ro, PAGE, rw, MAP_SHARED, 0));
	EXPECT_EQ(EINVAL, map_error(ro, PAGE, PROT_READ, MAP_PRIVATE, 0));
	p = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, ro, 0);
	ASSERT_NE(MAP_FAILED, p);
	EXPECT_EQ(0, *p);
	EXPECT_EQ(-1, mprotect(p, PAGE, rw));
	EXPECT_EQ(EACCES, errno);
	munmap(p, PAGE);
	close(ro);
	wo = region_open(&self->c, "x", O_WRONLY);
	EXPECT_EQ(EACCES, map_error(wo, PAGE, PROT_WRITE, MAP_SHARED, 0));
	close(wo);
}

TEST_F(map, remap)
{
	char *p = region_map(self->fd, SIZE / 2), *q;

	ASSERT_NE(MAP_FAILED, p);
	p[3 * PAGE] = 7;
	/* It does not grow, in place or elsewhere. */
	EXPECT_EQ(MAP_FAILED, mremap(p, SIZE / 2, SIZE, MREMAP_MAYMOVE));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(MAP_FAILED, mremap(p, 0, SIZE / 2, MREMAP_MAYMOVE));
	/* But moves and shrinks. */
	q = mmap(NULL, SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_EQ(q, mremap(p, SIZE / 2, SIZE / 4, MREMAP_MAYMOVE | MREMAP_FIXED, q));
	EXPECT_EQ(7, q[3 * PAGE]);
	q[3 * PAGE + 1] = 8;
	/* A hole in the middle, and one end gone. */
	ASSERT_EQ(0, munmap(q + PAGE, PAGE));
	EXPECT_EQ(7, q[3 * PAGE]);
	EXPECT_EQ(0, q[0]);
	/* Different rights in one mapping. */
	ASSERT_EQ(0, mprotect(q + 3 * PAGE, PAGE, PROT_READ));
	EXPECT_EQ(8, q[3 * PAGE + 1]);
	q[4 * PAGE] = 9;
	ASSERT_EQ(0, mprotect(q + 3 * PAGE, PAGE, PROT_READ | PROT_WRITE));
	q[3 * PAGE] = 10;
	p = region_map(self->fd, SIZE);
	EXPECT_EQ(10, p[3 * PAGE]);
	EXPECT_EQ(9, p[4 * PAGE]);
	munmap(p, SIZE);
	munmap(q, SIZE);
}

TEST_F(map, advice)
{
	char *p = region_map(self->fd, SIZE);
	unsigned char here[64];
	int i;

	ASSERT_NE(MAP_FAILED, p);
	memset(p, 3, SIZE);
	/* Memory that others share is not forgotten. */
	EXPECT_EQ(0, madvise(p, SIZE, MADV_DONTNEED));
	for (i = 0; i < 64; i++)
		EXPECT_EQ(3, p[i * PAGE]);
	EXPECT_NE(0, madvise(p, SIZE, MADV_REMOVE));
	EXPECT_NE(0, madvise(p, SIZE, MADV_FREE));
	EXPECT_EQ(0, madvise(p, SIZE, MADV_POPULATE_WRITE));
	EXPECT_EQ(0, mlock(p, SIZE));
	EXPECT_EQ(0, mincore(p, SIZE, here));
	EXPECT_EQ(0, munlock(p, SIZE));
	EXPECT_EQ(0, msync(p, SIZE, MS_SYNC));
	munmap(p, SIZE);
	/* Brought in as it is mapped. */
	ASSERT_EQ(0, mlockall(MCL_CURRENT | MCL_FUTURE));
	p = region_map(self->fd, SIZE);
	ASSERT_NE(MAP_FAILED, p);
	EXPECT_EQ(3, p[7 * PAGE]);
	munlockall();
	munmap(p, SIZE);
}

/* A line of smaps about the mapping at @p, in kB or as it is. */
static long mapping_line(const void *p, const char *key, char *text, size_t size)
{
	unsigned long begin, end;
	char line[512], *value;
	int inside = 0;
	long kb = -1;
	FILE *f = fopen("/proc/self/smaps", "r");

	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx ", &begin, &end) == 2)
			inside = begin <= (unsigned long)p && (unsigned long)p < end;
		if (!inside || strncmp(line, key, strlen(key)))
			continue;
		value = line + strlen(key);
		kb = strtol(value, NULL, 10);
		if (text)
			snprintf(text, size, "%s", value);
	}
	fclose(f);
	return kb;
}

/* Ordinary memory to everybody: no VM_IO, VM_PFNMAP or VM_MIXEDMAP. */
TEST_F(map, ordinary)
{
	char *p = region_map(self->fd, SIZE);
	char local[PAGE], flags[256] = "";
	int fds[2], mem;
	struct iovec to;

	ASSERT_NE(MAP_FAILED, p);
	memset(p, 4, SIZE);
	EXPECT_EQ((long)(SIZE / KIB), mapping_line(p, "Rss:", NULL, 0));
	mapping_line(p, "VmFlags:", flags, sizeof(flags));
	EXPECT_NE(NULL, strstr(flags, " sh "));
	EXPECT_NE(NULL, strstr(flags, " de "));
	EXPECT_EQ(NULL, strstr(flags, " io "));
	EXPECT_EQ(NULL, strstr(flags, " pf "));
	EXPECT_EQ(NULL, strstr(flags, " mm "));

	/* Others' hands, through get_user_pages(). */
	memset(local, 5, sizeof(local));
	mem = open("/proc/self/mem", O_RDWR);
	ASSERT_LE(0, mem);
	EXPECT_EQ((ssize_t)PAGE, pwrite(mem, local, sizeof(local), (uintptr_t)(p + PAGE)));
	close(mem);
	EXPECT_EQ(5, p[PAGE]);
	EXPECT_EQ(4, p[0]);

	/* Page by reference: the pipe has it for longer than the mapping. */
	ASSERT_EQ(0, pipe(fds));
	to = (struct iovec){ p + 2 * PAGE, PAGE };
	ASSERT_EQ((ssize_t)PAGE, vmsplice(fds[1], &to, 1, SPLICE_F_GIFT));
	munmap(p, SIZE);
	close(self->fd);
	self->fd = -1;
	ASSERT_EQ(0, region_del(&self->c, "x"));
	memset(local, 0, sizeof(local));
	EXPECT_EQ((ssize_t)PAGE, read(fds[0], local, sizeof(local)));
	EXPECT_EQ(4, local[0]);
	EXPECT_EQ(4, local[PAGE - 1]);
	close(fds[0]);
	close(fds[1]);
}

/* Pages of the region at @p that are in a file. */
static int pages_in(const char *path, const char *p)
{
	static char page[PAGE];
	int fd = open(path, O_RDONLY | O_CLOEXEC), nr = 0;
	size_t i;

	while (read(fd, page, sizeof(page)) == sizeof(page))
		for (i = 0; i < SIZE; i += PAGE)
			nr += !memcmp(page, p + i, PAGE);
	close(fd);
	return nr;
}

/* How many of them are in the core dump of a program that dies; negative if there is none. */
static int pages_dumped(char *p, const char *filter)
{
	const struct rlimit any = { RLIM_INFINITY, RLIM_INFINITY };
	char dir[] = "/tmp/region-core.XXXXXX", pattern[64];
	int status, nr = -1;
	glob_t found = { 0 };
	pid_t pid;

	if (!mkdtemp(dir))
		return -1;
	pid = fork();
	if (!pid) {
		if (setrlimit(RLIMIT_CORE, &any) || chdir(dir) ||
		    file_write("/proc/self/coredump_filter", filter))
			_exit(1);
		abort();
	}
	waitpid(pid, &status, 0);
	snprintf(pattern, sizeof(pattern), "%s/core*", dir);
	if (WIFSIGNALED(status) && !glob(pattern, 0, NULL, &found)) {
		nr = pages_in(found.gl_pathv[0], p);
		unlink(found.gl_pathv[0]);
	}
	globfree(&found);
	rmdir(dir);
	return nr;
}

/* As of any shared file: not unless asked for. */
TEST_F(map, dumped)
{
	uint64_t *p = region_map(self->fd, SIZE), i;
	char pattern[2] = "";
	int fd;

	ASSERT_NE(MAP_FAILED, p);
	fd = open("/proc/sys/kernel/core_pattern", O_RDONLY | O_CLOEXEC);
	if (read(fd, pattern, 1) != 1 || *pattern == '|' || *pattern == '/')
		SKIP(return, "core dumps go elsewhere");
	close(fd);
	/* Such as are nowhere else in a program. */
	for (i = 0; i < SIZE / sizeof(*p); i++)
		p[i] = (i + 1) * 0x9e3779b97f4a7c15;
	EXPECT_EQ(0, pages_dumped((char *)p, "0x33"));
	EXPECT_EQ((int)(SIZE / PAGE), pages_dumped((char *)p, "0x3b"));
	munmap(p, SIZE);
}

TEST_F(map, not_watched)
{
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	struct uffdio_api api = { .api = UFFD_API };
	int uffd = syscall(SYS_userfaultfd, O_CLOEXEC);
	char *p = region_map(self->fd, SIZE);

	ASSERT_NE(MAP_FAILED, p);
	if (uffd < 0)
		SKIP(return, "no userfaultfd");
	ASSERT_EQ(0, ioctl(uffd, UFFDIO_API, &api));
	reg.range.start = (uintptr_t)p;
	reg.range.len = SIZE;
	EXPECT_EQ(-1, ioctl(uffd, UFFDIO_REGISTER, &reg));
	EXPECT_EQ(EINVAL, errno);
	close(uffd);
	munmap(p, SIZE);
}

/* A block device's direct I/O goes to and from the region's own pages. */
TEST_F(map, direct_io)
{
	char *p = region_map(self->fd, SIZE);
	int disk;

	ASSERT_NE(MAP_FAILED, p);
	if (system("modprobe -q brd rd_nr=1 rd_size=1024"))
		SKIP(return, "no brd");
	disk = open("/dev/ram0", O_RDWR | O_DIRECT);
	ASSERT_LE(0, disk);
	memset(p, 6, SIZE);
	p[PAGE] = 7;
	ASSERT_EQ((ssize_t)(4 * PAGE), pwrite(disk, p, 4 * PAGE, 0));
	ASSERT_EQ((ssize_t)PAGE, pread(disk, p + 8 * PAGE, PAGE, PAGE));
	EXPECT_EQ(7, p[8 * PAGE]);
	EXPECT_EQ(6, p[8 * PAGE + 1]);
	close(disk);
	EXPECT_EQ(0, system("rmmod brd"));
	munmap(p, SIZE);
}

/* Large pages are mapped as such where addresses allow, otherwise in pieces. */
TEST_F(map, large_pages)
{
	struct control *c = &self->c;
	struct region_attrs at;
	char *p, *q;
	int fd, i;

	ASSERT_EQ(0, region_add(c, "large", 2 * HUGE, HUGE));
	ASSERT_EQ(0, region_get(c, "large", &at));
	EXPECT_EQ(HUGE, at.page_size);
	fd = region_open(c, "large", O_RDWR);
	ASSERT_LE(0, fd);
	p = region_map(fd, 2 * HUGE);
	ASSERT_NE(MAP_FAILED, p);
	p[HUGE + 5 * PAGE] = 1;
	p[0] = 2;
	if (access("/sys/kernel/mm/transparent_hugepage", F_OK) == 0) {
		EXPECT_EQ(4096, mapping_line(p, "FilePmdMapped:", NULL, 0));
	}

	/* Where it does not fit: pages, and the same bytes. */
	q = mmap(NULL, 4 * HUGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	q = (char *)(((unsigned long)q + HUGE - 1) & -HUGE) + PAGE;
	ASSERT_EQ(q, mmap(q, 2 * HUGE, PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_FIXED, fd, 0));
	EXPECT_EQ(1, q[HUGE + 5 * PAGE]);
	EXPECT_EQ(2, q[0]);
	EXPECT_EQ(0, mapping_line(q, "FilePmdMapped:", NULL, 0));
	for (i = 0; i < 1024; i++)
		q[i * PAGE + 3] = i;

	/* A large one is taken apart. */
	ASSERT_EQ(0, munmap(p + PAGE, PAGE));
	ASSERT_EQ(0, mprotect(p + HUGE + PAGE, PAGE, PROT_READ));
	for (i = 0; i < 1024; i++)
		if (i != 1)
			ASSERT_EQ((char)i, p[i * PAGE + 3]);
	/* And taken away. */
	ASSERT_EQ(0, region_force(c, "large"));
	EXPECT_TRUE(region_faults(p + 2 * PAGE));
	EXPECT_TRUE(region_faults(p + HUGE));
	EXPECT_TRUE(region_faults(q + HUGE));
	munmap(p, 2 * HUGE);
	munmap(q, 2 * HUGE);
	close(fd);
}

/* Faults that it takes to touch all pages of a new mapping, and how long, or -1. */
static long touch_all(struct control *c, uint32_t page, size_t size, double *took)
{
	struct rusage before, after;
	double began;
	size_t i;
	char *p;
	int fd;

	if (region_add(c, "touched", size, page))
		return -1;
	fd = region_open(c, "touched", O_RDWR);
	p = region_map(fd, size);
	if (p == MAP_FAILED)
		return -1;
	getrusage(RUSAGE_SELF, &before);
	began = now();
	for (i = 0; i < size; i += PAGE)
		p[i] = 1;
	*took = now() - began;
	getrusage(RUSAGE_SELF, &after);
	munmap(p, size);
	close(fd);
	return region_del(c, "touched") ? -1 : after.ru_minflt - before.ru_minflt;
}

/* What large pages are for. */
TEST_F(map, large_pages_cost)
{
	size_t size = 64 * MIB;
	double took[2];
	long faults[2];

	if (access("/sys/kernel/mm/transparent_hugepage", F_OK))
		SKIP(return, "no huge mappings");
	faults[0] = touch_all(&self->c, PAGE, size, &took[0]);
	faults[1] = touch_all(&self->c, HUGE, size, &took[1]);
	EXPECT_LE((long)(size / PAGE), faults[0]);
	/* One a large page, and what else a program has. */
	EXPECT_LE((long)(size / HUGE), faults[1]);
	EXPECT_GT((long)(2 * size / HUGE), faults[1]);
	TH_LOG("64 MiB touched: %ld faults, %.1f ms; in pages of 2 MiB %ld faults, %.1f ms",
	       faults[0], took[0] * 1e3, faults[1], took[1] * 1e3);
}

TEST_HARNESS_MAIN
