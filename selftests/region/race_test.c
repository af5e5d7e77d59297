// SPDX-License-Identifier: GPL-2.0
/*
 * Deleting regions while others fault, fork and map: nobody ever sees a page of
 * somebody else. As root.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "region.h"

#define PAGES	32
#define SIZE	(PAGES * PAGE)
#define ROUNDS	200
#define THREADS	3

/* Of the region that is there; every page of it has this or zero. */
static atomic_uint generation;
static atomic_int stop, wrong, seen, faulted;
/* N of its /dev/ivshmN; that of one still in use is not given away. */
static atomic_uint number;

static __thread sigjmp_buf jump;

static void on_bus(int signal)
{
	(void)signal;
	siglongjmp(jump, 1);
}

/* Touch all pages of whatever region is there, until it is taken away. */
static void use_once(unsigned int seed)
{
	unsigned int mine, got, i, *p;
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/dev/ivshm%u", atomic_load(&number));
	/* What is opened after this is of that generation or a later one. */
	mine = atomic_load(&generation);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return;
	p = region_map(fd, SIZE);
	if (p == MAP_FAILED) {
		close(fd);
		return;
	}
	if (sigsetjmp(jump, 1)) {
		atomic_fetch_add(&faulted, 1);
		goto out;
	}
	for (i = 0; i < 4 * PAGES; i++) {
		unsigned int at = (seed + i * 7) % PAGES * (PAGE / sizeof(*p));

		got = __atomic_load_n(&p[at], __ATOMIC_RELAXED);
		/* Tags only grow: an older one was left by a region before. */
		if (got && got < mine)
			atomic_fetch_add(&wrong, 1);
		if (got)
			atomic_fetch_add(&seen, 1);
		if (!(i % 16))
			madvise(p, SIZE, MADV_DONTNEED);
	}
out:
	munmap(p, SIZE);
	close(fd);
}

static void *user(void *arg)
{
	unsigned int seed = (unsigned long)arg;

	while (!atomic_load(&stop))
		use_once(seed++);
	return NULL;
}

FIXTURE(race)
{
	struct control c;
};

FIXTURE_SETUP(race)
{
	ASSERT_EQ(0, control_open(&self->c));
	region_del_all(&self->c);
}

FIXTURE_TEARDOWN(race)
{
	region_del_all(&self->c);
	control_close(&self->c);
}

TEST_F_TIMEOUT(race, delete_under_faults, 120)
{
	struct sigaction action = { .sa_handler = on_bus };
	struct region_attrs at;
	struct control *c = &self->c;
	pthread_t thread[THREADS];
	unsigned int round, i;
	unsigned int *p;
	int fd;

	sigaction(SIGBUS, &action, NULL);
	for (i = 0; i < THREADS; i++)
		ASSERT_EQ(0, pthread_create(&thread[i], NULL, user, (void *)(unsigned long)i));
	for (round = 1; round <= ROUNDS; round++) {
		/* Before it is there, so that who sees it knows no less. */
		atomic_store(&generation, round);
		ASSERT_EQ(0, region_add(c, "race", SIZE, 0));
		ASSERT_EQ(0, region_get(c, "race", &at));
		atomic_store(&number, at.number);
		fd = region_open(c, "race", O_RDWR);
		ASSERT_LE(0, fd);
		p = region_map(fd, SIZE);
		ASSERT_NE(MAP_FAILED, p);
		for (i = 0; i < PAGES; i++) {
			EXPECT_EQ(0, p[i * (PAGE / sizeof(*p))]);
			p[i * (PAGE / sizeof(*p))] = round;
		}
		munmap(p, SIZE);
		close(fd);
		usleep(round % 8 * 500);
		ASSERT_EQ(0, region_force(c, "race"));
	}
	atomic_store(&stop, 1);
	for (i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	EXPECT_EQ(0, atomic_load(&wrong));
	/* Otherwise nothing was tried. */
	EXPECT_LT(0, atomic_load(&seen));
	EXPECT_LT(0, atomic_load(&faulted));
	TH_LOG("%d touches of tagged pages, %d users saw SIGBUS", atomic_load(&seen),
	       atomic_load(&faulted));
}

/* Processes that are killed while they have regions leave nothing busy. */
TEST_F_TIMEOUT(race, killed, 120)
{
	struct control *c = &self->c;
	unsigned int round, i;
	pid_t pid[THREADS];
	char *p;
	int fd;

	for (round = 0; round < 30; round++) {
		ASSERT_EQ(0, region_add(c, "kill", SIZE, 0));
		fd = region_open(c, "kill", O_RDWR);
		ASSERT_LE(0, fd);
		for (i = 0; i < THREADS; i++) {
			pid[i] = fork();
			if (pid[i])
				continue;
			p = region_map(fd, SIZE);
			for (;;) {
				memset(p, i, SIZE);
				madvise(p, SIZE, MADV_DONTNEED);
			}
		}
		close(fd);
		EXPECT_EQ(-EBUSY, region_del(c, "kill"));
		usleep(round * 300);
		for (i = 0; i < THREADS; i++)
			kill(pid[i], SIGKILL);
		for (i = 0; i < THREADS; i++)
			waitpid(pid[i], NULL, 0);
		ASSERT_EQ(0, region_del(c, "kill"));
	}
}

TEST_HARNESS_MAIN
