// SPDX-License-Identifier: GPL-2.0
/*
 * Tracepoints: each decision about a frame is told, with its reason, and what it was
 * made by.
 *
 *   guest 0 --- tap00a ---+
 *   guest 1 --- tap00b ---+--- br0
 */
#include <errno.h>
#include <fcntl.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kselftest_harness.h"

#include "env.h"
#include "guest.h"
#include "pair.h"
#include "tool.h"

#define TIMEOUT	120
#define TRACING	"/sys/kernel/tracing"
/* A buffer of our own, so that nobody is in anybody's way. */
#define BUFFER	TRACING "/instances/ivshm-test"
#define TEXT	(4 << 20)

static char text[TEXT];

/* How many lines of it match. */
static unsigned int traced(const char *regex)
{
	unsigned int n = 0;
	char *line, *end;
	regex_t re;

	if (regcomp(&re, regex, REG_EXTENDED | REG_NOSUB))
		return 0;
	for (line = text; (end = strchr(line, '\n')); line = end + 1) {
		*end = '\0';
		n += !regexec(&re, line, 0, NULL, 0);
		*end = '\n';
	}
	regfree(&re);
	return n;
}

/* Whether there is one, by such parts of it, each after the one before. */
static bool told(const char *event, const char *what)
{
	char regex[400];

	snprintf(regex, sizeof(regex), "%s: %s", event, what);
	if (traced(regex))
		return true;
	fprintf(stderr, "# no \"%s\"\n", regex);
	return false;
}

FIXTURE(trace) {
	struct pair p;
	bool on;
};

FIXTURE_SETUP(trace)
{
	ASSERT_EQ(0, env_setup());
	/* Its /sys is its own. */
	mount("tracefs", TRACING, "tracefs", 0, NULL);
	if (access(TRACING "/events/ivshm", F_OK))
		SKIP(return, "no " TRACING "/events/ivshm");
	rmdir(BUFFER);
	ASSERT_EQ(0, mkdir(BUFFER, 0700));
	self->on = true;
	ASSERT_EQ(0, env_write(BUFFER "/buffer_size_kb", "4096"));
	ASSERT_EQ(0, env_write(BUFFER "/events/ivshm/enable", "1"));
	ASSERT_EQ(0, pair_taps(&self->p, 0, "br0"));
}

FIXTURE_TEARDOWN(trace)
{
	if (!self->on)
		return;
	EXPECT_EQ(0, pair_close(&self->p));
	EXPECT_EQ(0, rmdir(BUFFER));
}

/* From the first frame to the direct path, and back for a rule of the bridge. */
TEST_F_TIMEOUT(trace, dynamic, TIMEOUT)
{
	struct pair *p = &self->p;
	const __u8 *a = p->g[0].mac, *b = p->g[1].mac;
	char line[200];

	ASSERT_TRUE(pairs_join(p, 1));
	ASSERT_EQ(0, pair_settle(p));
	ASSERT_EQ(0, env_trace_take(BUFFER, text, TEXT));
	EXPECT_TRUE(told("ivshm_tx", "port=tap00a "));
	snprintf(line, sizeof(line), "port=tap00a address=%02x %02x %02x %02x %02x %02x done=1",
		 a[0], a[1], a[2], a[3], a[4], a[5]);
	EXPECT_TRUE(told("ivshm_learn", line));
	EXPECT_TRUE(told("ivshm_decide",
			 "src=tap00a dst= path=uplink reason=none len=60 .* to=ff:ff:ff:ff:ff:ff"));
	EXPECT_TRUE(told("ivshm_verdict",
			 "coupling=lan0 src=tap00a dst=tap00b reason=none generation=[1-9]"));
	EXPECT_TRUE(told("ivshm_pair",
			 "coupling=lan0 .* dst=tap00b old=uplink new=joining reason=traffic"));
	EXPECT_TRUE(told("ivshm_pair",
			 "coupling=lan0 .* dst=tap00b old=joining new=coupled reason=traffic"));
	snprintf(line, sizeof(line),
		 "src=tap00a dst=tap00b path=direct reason=traffic len=100 from=%02x:%02x:%02x:%02x:%02x:%02x to=%02x:%02x:%02x:%02x:%02x:%02x",
		 a[0], a[1], a[2], a[3], a[4], a[5], b[0], b[1], b[2], b[3], b[4], b[5]);
	EXPECT_TRUE(told("ivshm_decide", line));
	EXPECT_TRUE(told("ivshm_deliver", "src=tap00a dst=tap00b frames=[1-9]"));
	EXPECT_EQ(0, traced("ivshm_drop"));

	ASSERT_EQ(0, tool("bridge link set dev tap00a isolated on"));
	ASSERT_EQ(0, tool("bridge link set dev tap00b isolated on"));
	p->want = IVSHM_REASON_ISOLATED;
	EXPECT_TRUE(pairs_part(p, 1));
	ASSERT_EQ(0, env_trace_take(BUFFER, text, TEXT));
	EXPECT_TRUE(told("ivshm_verdict", ".* src=tap00a dst=tap00b reason=isolated "));
	EXPECT_TRUE(told("ivshm_pair",
			 ".* src=tap00a dst=tap00b old=.* new=uplink reason=isolated"));
	ASSERT_EQ(0, pair_send(p));
	ASSERT_EQ(0, guest_tx_drain(&p->g[0], 5000));
	ASSERT_EQ(0, env_trace_take(BUFFER, text, TEXT));
	EXPECT_TRUE(told("ivshm_decide", "src=tap00a dst= path=uplink reason=isolated len=100"));
}

/* None is missing, also of those that go the short way when nobody looks. */
TEST_F_TIMEOUT(trace, complete, TIMEOUT)
{
	struct pair *p = &self->p;
	unsigned int i, n = 500;
	char line[100];

	ASSERT_TRUE(pairs_join(p, 1));
	ASSERT_EQ(0, pair_settle(p));
	ASSERT_EQ(0, env_trace_take(BUFFER, text, TEXT));
	for (i = 0; i < n; i++)
		ASSERT_EQ(0, guest_pass(&p->g[0], &p->g[1], 100 + i, ++p->seq));
	ASSERT_EQ(0, env_trace_take(BUFFER, text, TEXT));
	/* One that had to wait was decided twice. */
	for (i = 0; i < n; i++) {
		snprintf(line, sizeof(line),
			 "dst=tap00b path=direct reason=traffic len=%u from=", 100 + i);
		EXPECT_NE(NULL, strstr(text, line))
			TH_LOG("no \"%s\"", line);
	}
}

/* Why frames are dropped, and counted as what. */
TEST_F_TIMEOUT(trace, drops, TIMEOUT)
{
	struct pair *p = &self->p;

	ASSERT_EQ(0, ctl_uncouple("lan0"));
	ASSERT_EQ(0, ctl_couple("lan0", IVSHM_COUPLING_STATIC, NULL, "tap00a", "absent", NULL));
	ASSERT_EQ(0, env_trace_take(BUFFER, text, TEXT));
	ASSERT_EQ(0, pair_send(p));
	ASSERT_EQ(0, guest_tx_drain(&p->g[0], 5000));
	ASSERT_EQ(0, env_trace_take(BUFFER, text, TEXT));
	EXPECT_TRUE(told("ivshm_decide", "src=tap00a dst= path=drop reason=none"));
	EXPECT_TRUE(told("ivshm_drop", "port=tap00a why=no-peer frames=1"));

	ASSERT_EQ(0, ctl_uncouple("lan0"));
	ASSERT_EQ(0, tool("ivmctl coupling add lan0 static tap00a tap00b deny tap00a tap00b"));
	ASSERT_EQ(0, pair_send(p));
	ASSERT_EQ(0, guest_tx_drain(&p->g[0], 5000));
	ASSERT_EQ(0, env_trace_take(BUFFER, text, TEXT));
	EXPECT_TRUE(told("ivshm_pair",
			 ".* src=tap00a dst=tap00b old=uplink new=uplink reason=denied"));
	EXPECT_TRUE(told("ivshm_decide", "src=tap00a dst=tap00b path=deny reason=denied"));
	EXPECT_TRUE(told("ivshm_drop", "port=tap00a why=denied frames=1"));

	ASSERT_EQ(0, ctl_uncouple("lan0"));
	ASSERT_EQ(0, tool("ivmctl coupling add lan0 dynamic tap00a tap00b strict yes"));
	ASSERT_EQ(0, pair_send(p));
	ASSERT_EQ(0, guest_tx_drain(&p->g[0], 5000));
	ASSERT_EQ(0, env_trace_take(BUFFER, text, TEXT));
	EXPECT_TRUE(told("ivshm_decide", "src=tap00a dst= path=refuse"));
	EXPECT_TRUE(told("ivshm_drop", "port=tap00a why=spoofed frames=1"));
}

/* Whether "{ @n, " with a word is in the format of an event. */
static bool has_word(unsigned int n)
{
	char number[24];

	snprintf(number, sizeof(number), "{ %u, \"", n);
	return strstr(text, number);
}

/* Every number has a word, also for programs that read the buffer by themselves. */
TEST_F_TIMEOUT(trace, words, TIMEOUT)
{
	unsigned int i;
	ssize_t n;
	int fd;

	fd = open(BUFFER "/events/ivshm/ivshm_verdict/format", O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, fd);
	n = read(fd, text, TEXT - 1);
	close(fd);
	ASSERT_LT(0, n);
	text[n] = '\0';
	for (i = 0; i <= IVSHM_REASON_MAX; i++)
		EXPECT_TRUE(has_word(i))
			TH_LOG("reason %u has no word", i);
	EXPECT_FALSE(has_word(i));
	/* As ivmctl has it. */
	snprintf(text, TEXT, "{ %u, \"denied\" }", IVSHM_REASON_DENIED);
	ASSERT_EQ(0, tool("grep -q '%s' " BUFFER "/events/ivshm/ivshm_pair/format", text));
	snprintf(text, TEXT, "{ %u, \"denied\" }", IVSHM_A_STAT_DROP_DENIED);
	ASSERT_EQ(0, tool("grep -q '%s' " BUFFER "/events/ivshm/ivshm_drop/format", text));
}

TEST_HARNESS_MAIN
