// SPDX-License-Identifier: GPL-2.0
/*
 * Pages that move while both sides touch them, while others pin, share and fork,
 * and while their owners are killed: nobody reaches another's page, none is lost.
 * As root.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "msgq.h"

#define PAGES	16
#define SIZE	(PAGES * PAGE)

FIXTURE(storm)
{
	struct control c;
	struct window a, b;
};

FIXTURE_SETUP(storm)
{
	ASSERT_EQ(0, windows_open(&self->c, &self->a, &self->b, SIZE));
	ASSERT_EQ(0, peer_allow(&self->c, "b", "a"));
}

FIXTURE_TEARDOWN(storm)
{
	windows_close(&self->c, &self->a, &self->b);
}

/*
 * Isolation.  A word of each page says who wrote it: senders write numbers below
 * HERS into her window, receivers numbers from HERS into his.  After a move he has
 * what she wrote last, and it does not change any more although she goes on
 * writing; she has zero, and never anything of his.
 */
#define HERS	0x80000000U

struct hammer {
	unsigned int *at;
	atomic_uint wrote[PAGES];	/* the last number in each page */
	atomic_int stop, wrong;
};

static unsigned int *word(void *at, unsigned int page)
{
	return (unsigned int *)at + page * (PAGE / sizeof(unsigned int));
}

/* Writes ever greater numbers; sees its own last one, or zero. */
static void *hammer_sender(void *arg)
{
	struct hammer *h = arg;
	unsigned int n = 0, i, got, last[PAGES] = { 0 };

	while (!atomic_load(&h->stop)) {
		n++;
		for (i = 0; i < PAGES; i++) {
			got = __atomic_load_n(word(h->at, i), __ATOMIC_RELAXED);
			if (got && got != last[i])
				atomic_fetch_add(&h->wrong, 1);
			__atomic_store_n(word(h->at, i), n, __ATOMIC_RELAXED);
			last[i] = n;
		}
	}
	return NULL;
}

static int same(struct window *w, unsigned int page, unsigned int value, int times)
{
	while (times--)
		if (__atomic_load_n(word(w->at, page), __ATOMIC_RELAXED) != value)
			return 0;
	return 1;
}

TEST_F_TIMEOUT(storm, isolation, 120)
{
	struct window *a = &self->a, *b = &self->b;
	struct hammer h = { .at = (unsigned int *)a->at };
	int moved = 0, busy = 0, changed = 0, seen = 0;
	double end = now() + (slow() ? 10 : 5);
	struct ivshm_msgq_recv recv;
	unsigned int page, i, value;
	pthread_t thread;
	int err;

	for (i = 0; i < PAGES; i++)
		*word(b->at, i) = HERS + i;
	ASSERT_EQ(0, pthread_create(&thread, NULL, hammer_sender, &h));
	while (now() < end) {
		page = rand() % PAGES;
		*word(b->at, page) = HERS + page;
		ASSERT_EQ(0, msgq_post(b->fd, page * PAGE, PAGE, 0));
		/* His, until it is moved. */
		EXPECT_TRUE(same(b, page, HERS + page, 10));
		err = send_range(a, b, (page + 3) % PAGES * PAGE, PAGE, IVSHM_MSGQ_MOVE);
		while (err == -EBUSY && now() < end) {
			busy++;
			err = send_range(a, b, (page + 3) % PAGES * PAGE, PAGE,
					 IVSHM_MSGQ_MOVE);
		}
		if (err)
			break;
		moved++;
		ASSERT_EQ(0, msgq_recv(b->fd, &recv));
		value = *word(b->at, page);
		if (value >= HERS)
			changed++;
		seen += value != 0;
		/* She goes on writing, not here. */
		if (!same(b, page, value, 200))
			changed++;
	}
	atomic_store(&h.stop, 1);
	pthread_join(thread, NULL);
	EXPECT_EQ(0, changed);
	EXPECT_EQ(0, atomic_load(&h.wrong));
	/* Otherwise nothing was tried. */
	EXPECT_LT(100, moved);
	EXPECT_LT(moved / 20, seen);
	TH_LOG("%d pages moved under writes, %d times busy", moved, busy);
}

/* The check itself: a page that both can reach is seen. */
TEST_F(storm, sharing_is_seen)
{
	struct window *a = &self->a, *b = &self->b;
	struct hammer h = { .at = (unsigned int *)a->at };
	struct ivshm_msgq_recv recv;
	unsigned int value;
	pthread_t thread;
	int same_times = 0;

	ASSERT_EQ(0, msgq_post(b->fd, 0, PAGE, 0));
	ASSERT_EQ(0, send_range(a, b, 0, PAGE, IVSHM_MSGQ_SHARE));
	ASSERT_EQ(0, pthread_create(&thread, NULL, hammer_sender, &h));
	do {
		value = *word(b->at, 0);
	} while (same(b, 0, value, 200) && same_times++ < 1000000);
	*word(b->at, 0) = HERS;
	while (!atomic_load(&h.wrong))
		*word(b->at, 0) = HERS;
	atomic_store(&h.stop, 1);
	pthread_join(thread, NULL);
	EXPECT_GT(1000000, same_times);
	ASSERT_EQ(0, msgq_recv(b->fd, &recv));
	EXPECT_EQ(0, msgq_release(b->fd, recv.id));
}

/*
 * A page of the sender that is pinned by a pipe at whatever moment: what the pipe
 * has does not become the receiver's.
 */
struct pinner {
	char *at;
	atomic_int stop;
	atomic_uint round;
};

static void *pin_and_let_go(void *arg)
{
	struct pinner *p = arg;
	struct iovec iov;
	int pipes[2];
	char byte[PAGE];

	if (pipe(pipes))
		return NULL;
	while (!atomic_load(&p->stop)) {
		iov.iov_base = p->at;
		iov.iov_len = PAGE;
		if (vmsplice(pipes[1], &iov, 1, 0) != (ssize_t)PAGE)
			break;
		atomic_fetch_add(&p->round, 1);
		if (read(pipes[0], byte, PAGE) != (ssize_t)PAGE)
			break;
	}
	close(pipes[0]);
	close(pipes[1]);
	return NULL;
}

/* A child that is forked again and again, with all mappings, and ends. */
static void *forker(void *arg)
{
	struct pinner *p = arg;
	pid_t pid;

	while (!atomic_load(&p->stop)) {
		pid = fork();
		if (!pid) {
			p->at[0] ^= 1;
			_exit(0);
		}
		waitpid(pid, NULL, 0);
	}
	return NULL;
}

/* All pages, many times, whatever others do: each is somewhere, exactly once. */
TEST_F_TIMEOUT(storm, none_is_lost, 120)
{
	struct window *a = &self->a, *b = &self->b, *from = a, *to = b, *swap;
	double end = now() + (slow() ? 10 : 5);
	struct pinner p[2] = { { .at = a->at }, { .at = b->at + 7 * PAGE } };
	struct ivshm_msgq_recv recv;
	int rounds = 0, busy = 0, err, i;
	pthread_t thread[3];

	/* Apart from the first words, which the children change. */
	for (i = 0; i < PAGES; i++)
		a->at[i * PAGE + 8] = i + 1;
	ASSERT_EQ(0, pthread_create(&thread[0], NULL, pin_and_let_go, &p[0]));
	ASSERT_EQ(0, pthread_create(&thread[1], NULL, pin_and_let_go, &p[1]));
	ASSERT_EQ(0, pthread_create(&thread[2], NULL, forker, &p[0]));
	while (now() < end) {
		ASSERT_EQ(0, msgq_post(to->fd, 0, SIZE, 0));
		do {
			err = send_range(from, to, 0, SIZE, IVSHM_MSGQ_MOVE);
			busy += err == -EBUSY;
		} while (err == -EBUSY && now() < end);
		if (err)
			break;
		ASSERT_EQ(0, msgq_recv(to->fd, &recv));
		for (i = 0; i < PAGES; i++) {
			ASSERT_EQ(i + 1, to->at[i * PAGE + 8]);
			ASSERT_EQ(0, from->at[i * PAGE + 8]);
		}
		swap = from;
		from = to;
		to = swap;
		rounds++;
	}
	atomic_store(&p[0].stop, 1);
	atomic_store(&p[1].stop, 1);
	for (i = 0; i < 3; i++)
		pthread_join(thread[i], NULL);
	for (i = 0; i < PAGES; i++) {
		EXPECT_EQ(i + 1, from->at[i * PAGE + 8]);
	}
	EXPECT_LT(20, rounds);
	EXPECT_LT(20, atomic_load(&p[0].round));
	TH_LOG("%d times all pages, %d times busy, pinned %u times", rounds, busy,
	       atomic_load(&p[0].round));
}

/*
 * Random messages between windows whose owners are killed at random.  Whoever
 * writes a page marks it; what comes is zero or has a mark.  In the end each region
 * has all its pages, and the kernel as much memory as before.
 */
#define WINDOWS	8
#define MARK	0x4d41524bU

static struct control *the_control;
/* Messages that each has moved, and shared. */
static atomic_int *moved, *shared;

static void window_name(char *name, int i)
{
	sprintf(name, "w%d", i);
}

static void owner(int self, unsigned int seed)
{
	struct region_attrs attrs[WINDOWS];
	struct window w, to;
	uint32_t how;
	char name[8];
	int i;

	srand(seed);
	for (i = 0; i < WINDOWS; i++) {
		window_name(name, i);
		if (region_get(the_control, name, &attrs[i]))
			_exit(1);
	}
	window_name(name, self);
	if (window_join(the_control, &w, name))
		_exit(2);
	/* The one before may be about to end. */
	while (msgq_attach(w.fd, 0, 0))
		usleep(100);
	for (;;) {
		unsigned int at = rand() % PAGES, nr = 1 + rand() % 4, *word;
		struct ivshm_msgq_recv recv;

		if (at + nr > PAGES)
			nr = PAGES - at;
		switch (rand() % 4) {
		case 0:
			msgq_post(w.fd, at * PAGE, nr * PAGE, 0);
			break;
		case 1:
			if (msgq_recv(w.fd, &recv))
				break;
			for (i = 0; i < (int)(recv.len / PAGE); i++) {
				word = (unsigned int *)(w.at + recv.offset + i * PAGE);
				if (*word && *word != MARK)
					_exit(3);
			}
			if (recv.id && msgq_release(w.fd, recv.id))
				_exit(4);
			break;
		default:
			for (i = 0; i < (int)nr; i++)
				*(unsigned int *)(w.at + (at + i) * PAGE) = MARK;
			to.number = attrs[(self + 1 + rand() % (WINDOWS - 1)) % WINDOWS].number;
			how = rand() % 8 ? IVSHM_MSGQ_MOVE : IVSHM_MSGQ_SHARE;
			if (!send_range(&w, &to, at * PAGE, nr * PAGE, how))
				atomic_fetch_add(how == IVSHM_MSGQ_MOVE ? &moved[self] :
						 &shared[self], 1);
		}
	}
}

static pid_t owner_start(struct control *c, int i, unsigned int seed)
{
	pid_t pid = fork();

	if (!pid) {
		/* A socket of its own: answers must not be mixed up. */
		if (control_open(c))
			_exit(5);
		owner(i, seed);
	}
	return pid;
}

/*
 * Pages the kernel has given out and counts under no heading, as those of regions are. What is
 * in slabs (where KASAN keeps the dead for a while), in the page cache or on the way through a
 * CPU's list of free pages is none of them.
 */
static long pages_unnamed(void)
{
	static const char * const named[] = {
		"MemFree", "Buffers", "Cached", "SwapCached", "AnonPages", "Slab", "PageTables",
		"VmallocUsed", "Percpu",
	};
	long pages = 0, n;
	char line[128], name[32];
	size_t i;
	FILE *f;

	file_write("/proc/sys/vm/stat_refresh", "1");
	f = fopen("/proc/meminfo", "r");
	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%31[^:]: %ld", name, &n) != 2)
			continue;
		if (!strcmp(name, "MemTotal"))
			pages += n / 4;
		for (i = 0; i < ARRAY_SIZE(named); i++)
			if (!strcmp(name, named[i]))
				pages -= n / 4;
	}
	if (f)
		fclose(f);
	f = fopen("/proc/zoneinfo", "r");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, " count: %ld", &n) == 1)
			pages -= n;
	if (f)
		fclose(f);
	return pages;
}

TEST_F_TIMEOUT(storm, owners_are_killed, 900)
{
	const char *moves_wanted = getenv("IVSHM_STORM");
	const int target = moves_wanted ? atoi(moves_wanted) : slow() ? 1000 : 10000;
	double end = now() + (moves_wanted ? 800 : slow() ? 120 : 60);
	struct control *c = &self->c;
	pid_t pid[WINDOWS];
	int i, j, moves, shares, kills = 0, status;
	char from[8], to[8];
	unsigned int seed = 1;
	long before, after;

	window_close(&self->a);
	window_close(&self->b);
	region_del_all(c);
	before = pages_unnamed();
	the_control = c;
	moved = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, moved);
	shared = moved + WINDOWS;
	for (i = 0; i < WINDOWS; i++) {
		window_name(from, i);
		ASSERT_EQ(0, region_add(c, from, SIZE, 0));
		for (j = 0; j < WINDOWS; j++) {
			window_name(to, j);
			if (i != j) {
				ASSERT_EQ(0, peer_allow(c, from, to));
			}
		}
	}
	for (i = 0; i < WINDOWS; i++)
		pid[i] = owner_start(c, i, seed++);
	do {
		usleep(rand() % 20000);
		i = rand() % WINDOWS;
		kill(pid[i], SIGKILL);
		ASSERT_EQ(pid[i], waitpid(pid[i], &status, 0));
		EXPECT_TRUE(WIFSIGNALED(status)) {
			TH_LOG("an owner ended with %d", WEXITSTATUS(status));
		}
		kills++;
		pid[i] = owner_start(c, i, seed++);
		for (moves = 0, shares = 0, j = 0; j < WINDOWS; j++) {
			moves += atomic_load(&moved[j]);
			shares += atomic_load(&shared[j]);
		}
	} while (moves < target && now() < end);
	for (i = 0; i < WINDOWS; i++) {
		kill(pid[i], SIGKILL);
		ASSERT_EQ(pid[i], waitpid(pid[i], &status, 0));
		EXPECT_TRUE(WIFSIGNALED(status));
	}
	TH_LOG("%d messages moved, %d shared, %d owners killed", moves, shares, kills);
	EXPECT_LE(target, moves);
	EXPECT_LT(0, shares);
	EXPECT_LT(10, kills);

	/* Every page is there, and moves: nobody has kept a reference to it. */
	for (i = 0; i < WINDOWS; i += 2) {
		window_name(from, i);
		window_name(to, i + 1);
		ASSERT_EQ(0, window_join(c, &self->a, from));
		ASSERT_EQ(0, window_join(c, &self->b, to));
		/* The last file may have a moment to go. */
		while (msgq_attach(self->a.fd, 0, 0) == -EBUSY)
			usleep(1000);
		while (msgq_attach(self->b.fd, 0, 0) == -EBUSY)
			usleep(1000);
		ASSERT_EQ(0, msgq_post(self->b.fd, 0, SIZE, 0));
		EXPECT_EQ(0, send_range(&self->a, &self->b, 0, SIZE, IVSHM_MSGQ_MOVE)) {
			TH_LOG("a page of %s or %s is still in use", from, to);
		}
		for (j = 0; j < SIZE; j++) {
			ASSERT_EQ(0, self->a.at[j]);
		}
		window_close(&self->a);
		window_close(&self->b);
	}
	for (i = 0; i < WINDOWS; i++) {
		window_name(from, i);
		ASSERT_EQ(0, region_del(c, from));
	}
	munmap(moved, PAGE);
	/* Not as many are gone as a single window has. */
	after = pages_unnamed();
	TH_LOG("pages under no heading: %ld before, %ld after", before, after);
	EXPECT_GT(PAGES, after - before);
}

TEST_HARNESS_MAIN
