// SPDX-License-Identifier: GPL-2.0
/*
 * Every allocation of every call fails once: an error, and all is as it was. As
 * root, with a kernel that has fault injection.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "side.h"

#define SIZE	(16 * PAGE)
/* More than any call allocates. */
#define MOST	200

/* Whose allocations fail: one's own, or those of a thread. */
static char nth_path[64];

static void of_thread(const char *thread)
{
	snprintf(nth_path, sizeof(nth_path), "/proc/%s/fail-nth", thread);
}

FIXTURE(alloc)
{
	struct control c;
	struct window a, b;
	int able;
};

/* All allocations that may sleep, the small ones and pages, without a word. */
static int inject(void)
{
	static const char *const quiet[] = { "failslab", "fail_page_alloc", "fail_usercopy" };
	char path[64];
	size_t i;

	if (access("/sys/kernel/debug/failslab", F_OK) &&
	    system("mount -t debugfs none /sys/kernel/debug 2>/dev/null"))
		return 0;
	for (i = 0; i < ARRAY_SIZE(quiet); i++) {
		snprintf(path, sizeof(path), "/sys/kernel/debug/%s/verbose", quiet[i]);
		if (file_write(path, "0"))
			return 0;
	}
	return !file_write("/sys/kernel/debug/failslab/ignore-gfp-wait", "N") &&
	       !file_write("/sys/kernel/debug/fail_page_alloc/ignore-gfp-wait", "N") &&
	       !file_write("/sys/kernel/debug/fail_page_alloc/min-order", "0") &&
	       !access("/proc/thread-self/fail-nth", F_OK);
}

FIXTURE_SETUP(alloc)
{
	ASSERT_EQ(0, windows_open(&self->c, &self->a, &self->b, SIZE));
	self->able = inject();
	of_thread("thread-self");
}

FIXTURE_TEARDOWN(alloc)
{
	windows_close(&self->c, &self->a, &self->b);
}

/*
 * @call with allocation @nth failing.  Whether it came to that; its result in
 * @result.
 */
static int failing(int nth, int (*call)(void *arg), void *arg, int *result)
{
	int fd = open(nth_path, O_RDWR | O_CLOEXEC);
	char text[16];
	ssize_t len;

	snprintf(text, sizeof(text), "%d", nth);
	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		return -1;
	*result = call(arg);
	len = pread(fd, text, sizeof(text) - 1, 0);
	if (write(fd, "0", 1) < 0 || len <= 0)
		return -1;
	close(fd);
	text[len] = '\0';
	/* What is left of it. */
	return !atoi(text);
}

struct call {
	struct window *a, *b, *other;
	struct side *from, *to;
	struct control *c;
	uint32_t how;
	int kick;
};

static int do_attach(void *arg)
{
	struct call *call = arg;

	return msgq_attach(call->other->fd, 0, 0);
}

static int do_post(void *arg)
{
	struct call *call = arg;

	return msgq_post(call->b->fd, 0, 4 * PAGE, 1);
}

static int do_send(void *arg)
{
	struct call *call = arg;

	return send_range(call->a, call->b, 0, 4 * PAGE, call->how);
}

static int do_rings(void *arg)
{
	struct call *call = arg;

	return msgq_rings(call->b->fd, 8 * PAGE, 4, call->kick, call->kick);
}

static int do_ring_post(void *arg)
{
	struct call *call = arg;

	return side_do(call->to, ask_post(0, 4 * PAGE, 1), NULL);
}

static int do_ring_send(void *arg)
{
	struct call *call = arg;

	return side_do(call->from, ask_send(call->b, 0, 4 * PAGE, call->how), NULL);
}

static int do_allow(void *arg)
{
	struct call *call = arg;

	return peer_allow(call->c, "new", "peer");
}

/* Until a call had all that it wanted. How often it had not, or a negative number. */
static int all_fail(int (*call)(void *arg), void *arg)
{
	int nth, failed, result = 0, refused = 0;

	for (nth = 1; nth < MOST; nth++) {
		failed = failing(nth, call, arg, &result);
		if (failed < 0)
			return -1;
		refused += result == -ENOMEM;
		if (!failed)
			return result ? -2 : refused;
		/* Reading what is asked for fails as well. It may do without some. */
		if (result && result != -ENOMEM && result != -EFAULT)
			return -3;
		if (!result)
			return refused;
	}
	return -4;
}

TEST_F_TIMEOUT(alloc, calls, 120)
{
	struct call call = { .a = &self->a, .b = &self->b, .c = &self->c };
	struct ivshm_msgq_recv recv;
	struct peer_attrs at;
	struct window other;

	if (!self->able)
		SKIP(return, "no fault injection");
	ASSERT_EQ(0, region_add(&self->c, "other", SIZE, 0));
	ASSERT_EQ(0, window_join(&self->c, &other, "other"));
	call.other = &other;
	EXPECT_LT(0, all_fail(do_attach, &call));
	window_close(&other);
	memset(self->a.at, 0x41, SIZE);
	for (call.how = IVSHM_MSGQ_AUTO; call.how <= IVSHM_MSGQ_SHARE; call.how++) {
		EXPECT_LT(0, all_fail(do_post, &call));
		/* Of those that failed nothing is left: the range is free. */
		EXPECT_EQ(-EBUSY, do_post(&call));
		EXPECT_LT(0, all_fail(do_send, &call));
		EXPECT_EQ(call.how == IVSHM_MSGQ_MOVE ? 0 : 0x41, self->a.at[PAGE]);
		EXPECT_EQ(0x41, self->b.at[PAGE]);
		memset(self->a.at, 0x41, SIZE);
		ASSERT_EQ(0, msgq_recv(self->b.fd, &recv));
		if (recv.id) {
			EXPECT_EQ(0, msgq_release(self->b.fd, recv.id));
		}
		EXPECT_EQ(-EAGAIN, msgq_recv(self->b.fd, &recv));
		memset(self->b.at, 0, SIZE);
	}
	call.kick = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	EXPECT_LT(0, all_fail(do_rings, &call));
	EXPECT_EQ(-EALREADY, do_rings(&call));
	EXPECT_EQ(0, msgq_rings_end(self->b.fd));
	close(call.kick);
	ASSERT_EQ(0, msgq_post(self->b.fd, 0, SIZE, 0));
	EXPECT_EQ(0, send_range(&self->a, &self->b, 0, SIZE, IVSHM_MSGQ_MOVE));
	ASSERT_EQ(0, msgq_recv(self->b.fd, &recv));
	ASSERT_EQ(0, peer_get(&self->c, "a", "b", &at));
	EXPECT_EQ(5, at.stat[STAT(MESSAGES)]);
	EXPECT_EQ(0, at.now_messages);
	EXPECT_EQ(0, at.now_pages);
}

/* Those of the thread that serves a window's rings. */
static int of_thread_of(const struct side *s)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", side_thread(s));
	of_thread(text);
	return side_thread(s) > 0;
}

/* What a guest asks for is done by a thread, which allocates for it. */
TEST_F_TIMEOUT(alloc, ring_requests, 120)
{
	struct side from = { 0 }, to = { 0 };
	struct call call = { .a = &self->a, .b = &self->b, .from = &from, .to = &to };
	struct ivshm_msgq_recv recv;
	struct peer_attrs at;

	if (!self->able)
		SKIP(return, "no fault injection");
	ASSERT_EQ(0, side_open(&from, &self->a, 8 * PAGE, 4));
	ASSERT_EQ(0, side_open(&to, &self->b, 8 * PAGE, 4));
	for (call.how = IVSHM_MSGQ_AUTO; call.how <= IVSHM_MSGQ_SHARE; call.how++) {
		memset(self->a.at, 0x41, 4 * PAGE);
		memset(self->b.at, 0, 4 * PAGE);
		ASSERT_TRUE(of_thread_of(&to));
		EXPECT_LT(0, all_fail(do_ring_post, &call));
		EXPECT_EQ(-EBUSY, do_ring_post(&call));
		ASSERT_TRUE(of_thread_of(&from));
		EXPECT_LT(0, all_fail(do_ring_send, &call));
		EXPECT_EQ(0x41, self->b.at[PAGE]);
		ASSERT_EQ(0, msgq_recv(self->b.fd, &recv));
		if (recv.id) {
			EXPECT_EQ(0, msgq_release(self->b.fd, recv.id));
		}
		EXPECT_EQ(-EAGAIN, msgq_recv(self->b.fd, &recv));
	}
	side_close(&from);
	side_close(&to);
	ASSERT_EQ(0, peer_get(&self->c, "a", "b", &at));
	EXPECT_EQ(4, at.stat[STAT(MESSAGES)]);
	EXPECT_EQ(0, at.now_messages);
	EXPECT_EQ(0, at.now_pages);
	/* No page is left with anybody. */
	ASSERT_EQ(0, msgq_post(self->b.fd, 0, SIZE, 0));
	EXPECT_EQ(0, send_range(&self->a, &self->b, 0, SIZE, IVSHM_MSGQ_MOVE));
}

TEST_F(alloc, allow)
{
	struct call call = { .c = &self->c };
	int nth, result;

	if (!self->able)
		SKIP(return, "no fault injection");
	/* Netlink itself may fail, in its own ways, and after it was done. */
	for (nth = 1; nth < MOST; nth++)
		if (!failing(nth, do_allow, &call, &result))
			break;
	EXPECT_GT(MOST, nth);
	EXPECT_EQ(0, result);
	EXPECT_EQ(2, peer_count(&self->c));
}

TEST_HARNESS_MAIN
