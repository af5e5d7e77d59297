// SPDX-License-Identifier: GPL-2.0
/* Pages that are swapped under those who write to them. As root. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "hammer.h"
#include "region.h"
#include "swap.h"

#define PAGES	VMS_PAGES
#define SIZE	VMS_SIZE

FIXTURE(swap_race)
{
	struct control c;
	struct vms vms;
};

FIXTURE_SETUP(swap_race)
{
	ASSERT_EQ(0, control_open(&self->c));
	ASSERT_EQ(0, vms_open(&self->c, &self->vms));
}

FIXTURE_TEARDOWN(swap_race)
{
	vms_close(&self->c, &self->vms);
	EXPECT_EQ(0, swap_list(&self->c, NULL, 0));
	control_close(&self->c);
}

/* @times there and back, while each of @nr regions is written to by two threads. */
static int hammered(struct control *c, char **at, int nr, int pages, int times,
		    uint64_t *rounds)
{
	struct hammer h[2];
	int i, err = 0;

	*rounds = 0;
	if (hammer_begin(h, 2, 0, at[A], pages))
		return -EAGAIN;
	for (i = 0; i < times && !err; i++) {
		hammer_await(h, 2);
		err = swap_in_again(c, "a", 0, "pool", 0, SIZE, 0);
		if (!err && nr > 1)
			err = swap_in_again(c, "b", 0, "pool", 0, SIZE, 1);
		hammer_await(h, 2);
		if (!err)
			err = swap_back_again(c, "a", 0);
		if (!err && nr > 1)
			err = swap_back_again(c, "b", 0);
	}
	return hammer_end(h, 2, rounds) ? -EIO : err;
}

TEST_F_TIMEOUT(swap_race, no_write_is_lost, 240)
{
	int times = patient(1000);
	uint64_t rounds;

	ASSERT_EQ(0, hammered(&self->c, self->vms.at, 1, PAGES, times, &rounds)) {
		TH_LOG("%s", self->c.answer.text);
	}
	EXPECT_LT(0, rounds);
	TH_LOG("%d times there and back under %llu rounds of writes", times,
	       (unsigned long long)rounds);
}

/* Another shares the pages from time to time. */
TEST_F_TIMEOUT(swap_race, no_write_is_lost_shared, 240)
{
	uint64_t rounds;

	ASSERT_EQ(0, hammered(&self->c, self->vms.at, 2, PAGES, patient(300), &rounds)) {
		TH_LOG("%s", self->c.answer.text);
	}
	EXPECT_LT(0, rounds);
}

TEST_F_TIMEOUT(swap_race, no_write_is_lost_locked, 240)
{
	uint64_t rounds;

	ASSERT_EQ(0, mlockall(MCL_CURRENT | MCL_FUTURE));
	ASSERT_EQ(0, hammered(&self->c, self->vms.at, 2, PAGES, patient(100), &rounds)) {
		TH_LOG("%s", self->c.answer.text);
	}
	EXPECT_LT(0, rounds);
	munlockall();
}

/* One of the pages is pinned, and all come back by force. */
TEST_F_TIMEOUT(swap_race, no_write_is_lost_by_force, 240)
{
	struct control *c = &self->c;
	struct hammer h[2];
	uint64_t rounds;
	int i, pinned;

	ASSERT_EQ(0, hammer_begin(h, 2, 0, self->vms.at[A], PAGES));
	for (i = 0; i < patient(100); i++) {
		ASSERT_EQ(0, swap_in_again(c, "a", 0, "pool", 0, SIZE, 0)) {
			TH_LOG("%s", c->answer.text);
		}
		pinned = swap_pin(self->vms.at[A] + i % PAGES * PAGE);
		ASSERT_LE(0, pinned);
		hammer_await(h, 2);
		ASSERT_EQ(0, swap_back(c, "a", 0, 1));
		close(pinned);
	}
	EXPECT_EQ(0, hammer_end(h, 2, &rounds));
	EXPECT_LT(0, rounds);
}

/* The check itself: a write that is lost is seen. */
TEST_F(swap_race, lost_is_seen)
{
	struct hammer h;
	uint64_t rounds;

	ASSERT_EQ(0, hammer_begin(&h, 1, 0, self->vms.at[A], PAGES));
	usleep(20000);
	/* As if the range's contents were left behind. */
	ASSERT_EQ(0, swap_in(&self->c, "a", 0, "pool", 0, SIZE, 1));
	usleep(20000);
	EXPECT_LT(0, hammer_end(&h, 1, &rounds));
}

/*
 * Three that write to the pages in place, and to their own ones, each counters of its
 * own in all pages: whoever comes or goes, what the others have written stays.
 */
TEST_F_TIMEOUT(swap_race, others_stay, 240)
{
	struct hammer mine[2];
	struct control *c = &self->c;
	uint64_t rounds, lost;
	int i, at;

	ASSERT_EQ(0, swap_in(c, "a", 0, "pool", 0, SIZE, 0));
	ASSERT_EQ(0, hammer_begin(mine, 1, 0, self->vms.at[A], PAGES));
	ASSERT_EQ(0, hammer_begin(mine + 1, 1, 1, self->vms.at[POOL], PAGES));
	for (i = 0; i < patient(300); i++) {
		at = i % 2 ? B : C;
		ASSERT_EQ(0, swap_in_again(c, vms_names[at], 0, "pool", 0, SIZE, 1)) {
			TH_LOG("%s", c->answer.text);
		}
		self->vms.at[at][i % PAGES * PAGE + 1000] = i;
		ASSERT_EQ((char)i, self->vms.at[A][i % PAGES * PAGE + 1000]);
		ASSERT_EQ(0, swap_back_again(c, vms_names[at], 0)) {
			TH_LOG("%s", c->answer.text);
		}
		self->vms.at[A][i % PAGES * PAGE + 1000] = i + 1;
		EXPECT_EQ((char)i, self->vms.at[at][i % PAGES * PAGE + 1000]);
	}
	lost = hammer_end(mine, 2, &rounds);
	EXPECT_EQ(0, lost);
	EXPECT_LT(0, rounds);
}

/* VMMs are killed, and pools and regions deleted, at any moment. */
TEST_F_TIMEOUT(swap_race, killed, 240)
{
	struct control *c = &self->c;
	struct control own;
	uint64_t rounds;
	int i, status;
	pid_t pid;

	for (i = 0; i < 30; i++) {
		pid = fork();
		if (!pid) {
			if (control_open(&own))
				_exit(2);
			while (!hammered(&own, self->vms.at, 2, PAGES, 1000000, &rounds))
				;
			/* The pool went. */
			pause();
		}
		usleep(2000 + i * 1500);
		if (i % 3 == 1)
			EXPECT_EQ(0, region_force(c, "pool"));
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
		EXPECT_TRUE(WIFSIGNALED(status));
		swap_back(c, "a", 0, 1);
		swap_back(c, "b", 0, 1);
		EXPECT_EQ(0, swap_list(c, NULL, 0));
		if (i % 3 == 1)
			ASSERT_EQ(0, region_add(c, "pool", SIZE, 0));
	}
}

TEST_HARNESS_MAIN
