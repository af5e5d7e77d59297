// SPDX-License-Identifier: GPL-2.0
/*
 * What is done under RTNL for all of the host: it takes no longer for what others have in
 * namespaces of their own, which anybody can fill, and leaves RTNL to others in between.
 *
 *   guest 0 --- tap00a ---+
 *   guest 1 --- tap00b ---+--- br0        another namespace: full
 *   guest 2 --- tap2 -----+
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest_harness.h"

#include "env.h"
#include "guest.h"
#include "pair.h"
#include "tool.h"

#define TIMEOUT	200
#define TRACING	"/sys/kernel/tracing"
#define BUFFER	TRACING "/instances/ivshm-others"
#define PROBES	BUFFER "/events/ivshm_others"
#define TEXT	(8 << 20)

/* What others have; a tenth of it on a kernel that is slow. */
#define LINKS		1000
#define COUPLINGS	1000
#define ADDRS		2000

/* Functions, of which those calls count that have such a first or second argument. */
enum { ASK, CAPTURE, CONFIGURED, PLACES };

static const struct {
	const char *name, *symbol, *arg, *filter;
} place[PLACES] = {
	/* A round for those who asked, not one for what is watched. */
	[ASK] = { "ask", "detector_check", "again=%di:u8", "again == 0" },
	/* An interface goes. */
	[CAPTURE] = { "capture", "capture_event", "event=%si:u64", "event == 6" },
	[CONFIGURED] = { "configured", "ivshm_addr_config_up", "", NULL },
};

static char text[TEXT];

FIXTURE(others) {
	struct pair p;
	struct guest third;
	bool on, probed;
	pid_t crowd;
};

static int append(const char *path, const char *line)
{
	int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC), err = 0;

	if (fd < 0 || write(fd, line, strlen(line)) < 0)
		err = -errno;
	close(fd);
	return err;
}

/* Where it begins and where it ends. */
static int probe(int i)
{
	char line[200], filter[200];
	int err;

	snprintf(line, sizeof(line), "p:ivshm_others/%s_in ivshm:%s tick=@jiffies:u64 %s",
		 place[i].name, place[i].symbol, place[i].arg);
	err = append(TRACING "/kprobe_events", line);
	snprintf(line, sizeof(line), "r:ivshm_others/%s_out ivshm:%s tick=@jiffies:u64",
		 place[i].name, place[i].symbol);
	err = err ?: append(TRACING "/kprobe_events", line);
	if (err || !place[i].filter)
		return err;
	snprintf(filter, sizeof(filter), PROBES "/%s_in/filter", place[i].name);
	return env_write(filter, place[i].filter);
}

static void unprobe(void)
{
	char line[200];
	int i;

	for (i = 0; i < PLACES; i++) {
		snprintf(line, sizeof(line), "-:ivshm_others/%s_in", place[i].name);
		append(TRACING "/kprobe_events", line);
		snprintf(line, sizeof(line), "-:ivshm_others/%s_out", place[i].name);
		append(TRACING "/kprobe_events", line);
	}
}

FIXTURE_SETUP(others)
{
	struct guest_config c = { .tap = "tap2", .bridge = "br0" };
	int i;

	ASSERT_EQ(0, env_setup());
	mount("tracefs", TRACING, "tracefs", 0, NULL);
	rmdir(BUFFER);
	if (access(TRACING "/kprobe_events", F_OK))
		return;
	ASSERT_EQ(0, mkdir(BUFFER, 0700));
	self->on = true;
	for (i = 0; i < PLACES; i++)
		if (probe(i))
			return;
	self->probed = true;
	ASSERT_EQ(0, env_write(BUFFER "/trace_clock", "mono"));
	ASSERT_EQ(0, env_write(BUFFER "/buffer_size_kb", "4096"));
	ASSERT_EQ(0, pair_taps(&self->p, 0, "br0"));
	ASSERT_EQ(0, guest_up(&self->third, &c));
	ASSERT_TRUE(pairs_join(&self->p, 1));
}

FIXTURE_TEARDOWN(others)
{
	if (!self->on)
		return;
	if (self->crowd > 0) {
		kill(self->crowd, SIGKILL);
		waitpid(self->crowd, NULL, 0);
	}
	if (self->p.g[0].mem)
		EXPECT_EQ(0, pair_close(&self->p));
	if (self->third.mem) {
		EXPECT_EQ(0, guest_stop(&self->third));
		EXPECT_EQ(0, self->third.faults);
		guest_close(&self->third);
	}
	EXPECT_EQ(0, rmdir(BUFFER));
	unprobe();
}

/*
 * Frames of one address from here and there: a bridge has to be asked each time where
 * it is now.
 */
static void jump(FIXTURE_DATA(others) * self)
{
	static const __u8 jumps[6] = { 0x52, 0x54, 0, 0xcc, 0, 1 };
	struct guest *from[2] = { &self->p.g[0], &self->third };
	__u8 frame[60];
	int i;

	for (i = 0; i < 2; i++) {
		guest_tx_reap(from[i]);
		frame_make(frame, sizeof(frame), self->p.g[1].mac, jumps, 8, 0);
		guest_send(from[i], NULL, frame, sizeof(frame));
		usleep(500);
		pair_drain(&self->p.g[1]);
	}
	pair_send(&self->p);
	pair_drain(from[0]);
	pair_drain(from[1]);
}

struct moment {
	__u64 us, tick;
};

/* When the next @event was, and where to go on. */
static char *next(char *at, const char *event, struct moment *when)
{
	char word[60], *from, *tick;
	__u64 s, frac;

	snprintf(word, sizeof(word), ": %s: ", event);
	at = strstr(at, word);
	if (!at)
		return NULL;
	/* "... 12.345678: ask_in: ... tick=4294937296" */
	from = at;
	while (from > text && from[-1] != ' ')
		from--;
	tick = strstr(at, "tick=");
	if (!tick || sscanf(from, "%llu.%llu", &s, &frac) != 2 ||
	    sscanf(tick, "tick=%llu", &when->tick) != 1)
		return NULL;
	when->us = s * 1000000 + frac;
	return tick;
}

/* What was traced, from now on without. */
static int trace_take(void)
{
	env_write(PROBES "/enable", "0");
	return env_trace_take(BUFFER, text, TEXT);
}

/* How long it took at least, us; @n: how often it was done. */
static __u64 shortest(const char *name, unsigned int *n)
{
	char begin[40], end[40];
	struct moment in, out;
	__u64 min = ~0ULL;
	char *at = text;

	snprintf(begin, sizeof(begin), "%s_in", name);
	snprintf(end, sizeof(end), "%s_out", name);
	for (*n = 0; (at = next(at, begin, &in)) && (at = next(at, end, &out)); ++*n)
		if (out.us - in.us < min)
			min = out.us - in.us;
	return min;
}

/* Everything is done some times. */
static void measure(struct __test_metadata *_metadata, FIXTURE_DATA(others) * self, __u64 *us)
{
	unsigned int i, n;
	__u64 end;

	ASSERT_EQ(0, env_write(PROBES "/enable", "1"));
	for (end = now_ms() + 1500; now_ms() < end;)
		jump(self);
	for (i = 0; i < 10; i++)
		ASSERT_EQ(0, tool("ip link add gone type dummy && ip link del gone"));
	for (i = 0; i < 10; i++) {
		ASSERT_EQ(0, guest_stop(&self->third));
		guest_reset_rings(&self->third);
		guest_rx_fill(&self->third, 100, 2000);
		ASSERT_EQ(0, guest_start(&self->third));
	}
	ASSERT_EQ(0, trace_take());
	for (i = 0; i < PLACES; i++) {
		us[i] = shortest(place[i].name, &n);
		EXPECT_LE(10, n)
			TH_LOG("%s: %u times", place[i].name, n);
	}
}

static int fill(void)
{
	char path[] = "/tmp/others.XXXXXX";
	int i, part = env_debug() ? 10 : 1;
	FILE *f;

	if (unshare(CLONE_NEWNET))
		return -errno;
	close(mkstemp(path));
	f = fopen(path, "we");
	if (!f)
		return -errno;
	for (i = 0; i < COUPLINGS / part; i++)
		fprintf(f, "[coupling c%d]\ntype = dynamic\nmembers = x%d-* y*\n", i, i);
	for (i = 0; i < ADDRS / part; i++)
		fprintf(f, "[address 52:54:00:dd:%02x:%02x]\nport = x%d\n", i >> 8, i & 255, i);
	fclose(f);
	if (tool("ivmctl apply %s", path))
		return -EIO;
	f = fopen(path, "we");
	for (i = 0; i < LINKS / part; i++)
		fprintf(f, "link add x%d type dummy\n", i);
	fclose(f);
	i = tool("ip -batch %s", path);
	unlink(path);
	return i ? -EIO : 0;
}

/* A process that has a namespace full of everything. */
static pid_t crowd(void)
{
	int ready[2];
	char c = 1;
	pid_t pid;

	if (pipe(ready))
		return -errno;
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		c = fill() ? 1 : 0;
		write(ready[1], &c, 1);
		for (;;)
			pause();
	}
	close(ready[1]);
	if (read(ready[0], &c, 1) != 1)
		c = 1;
	close(ready[0]);
	if (!c)
		return pid;
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return -EIO;
}

TEST_F_TIMEOUT(others, cost_nothing, TIMEOUT)
{
	__u64 before[PLACES], after[PLACES];
	unsigned int i;

	if (!self->probed)
		SKIP(return, "this kernel does not probe these functions");
	measure(_metadata, self, before);
	self->crowd = crowd();
	ASSERT_LT(0, self->crowd);
	measure(_metadata, self, after);
	for (i = 0; i < PLACES; i++) {
		fprintf(stderr, "# %s: at least %llu us, with others %llu us\n", place[i].name,
			before[i], after[i]);
		EXPECT_LE(after[i], 2 * before[i] + 10);
	}
}

/* However long it waits itself. */
TEST_F_TIMEOUT(others, get_their_turn, TIMEOUT)
{
	__u64 longest = 0, gap = ~0ULL;
	unsigned int n = 0, i;
	struct moment in, out;
	char *at = text;
	pid_t pid;

	if (!self->probed)
		SKIP(return, "this kernel does not probe these functions");
	ASSERT_EQ(0, tool("seq 400 | sed 's/.*/link add d& group 7 type dummy/' | ip -batch -"));
	ASSERT_EQ(0, env_write(PROBES "/ask_in/enable", "1"));
	ASSERT_EQ(0, env_write(PROBES "/ask_out/enable", "1"));
	for (i = 0; i < 200; i++)
		jump(self);
	/* All of them go at once, under RTNL. */
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		_exit(system("ip link del group 7"));
	while (!waitpid(pid, NULL, WNOHANG))
		jump(self);
	for (i = 0; i < 200; i++)
		jump(self);
	ASSERT_EQ(0, trace_take());
	at = next(at, "ask_in", &in);
	while (at && (at = next(at, "ask_out", &out))) {
		if (out.us - in.us > longest)
			longest = out.us - in.us;
		at = next(at, "ask_in", &in);
		if (!at)
			break;
		n++;
		if (in.tick - out.tick < gap)
			gap = in.tick - out.tick;
	}
	fprintf(stderr, "# %u rounds, the longest of %llu us, at least %llu ticks apart\n", n,
		longest, gap);
	EXPECT_LE(20, n);
	/* A round as long as the gap is what this is about. */
	EXPECT_LE(10000, longest);
	/* A hundredth of a second, or a tick if that is longer. */
	EXPECT_LE(1, gap);
}

TEST_HARNESS_MAIN
