// SPDX-License-Identifier: GPL-2.0
/*
 * The generic netlink interface without a VM: what is read back, dumps,
 * namespaces, privileges and events of couplings. As root.
 */
#include <errno.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "request.h"

#define MAX_PAIRS	(IVSHM_MEMBERS_MAX * IVSHM_MEMBERS_MAX)

FIXTURE(netlink)
{
	struct control r;
};

FIXTURE_SETUP(netlink)
{
	ASSERT_EQ(0, req_open(&self->r)) {
		TH_LOG("root, a network namespace and the module are needed");
	}
}

FIXTURE_TEARDOWN(netlink)
{
	control_close(&self->r);
}

/*
 * What is read back
 */

struct coupling {
	char name[IVSHM_NAME_MAX];
	uint32_t type, state, threshold, idle, park_us;
	int bypass;		/* -1 if absent */
	int members, present;
	int messages;
	int pairs[MAX_PAIRS];	/* how often each was seen */
	int nr_pairs;
	int bad_pairs;
};

/* Pair "pI" to "pJ" is number I * IVSHM_MEMBERS_MAX + J. */
static void read_pair(const struct nlattr *pair, struct coupling *c)
{
	const struct nlattr *src = nl_in(pair, IVSHM_A_PAIR_SRC);
	const struct nlattr *dst = nl_in(pair, IVSHM_A_PAIR_DST);
	int i, j;

	if (!src || !dst || sscanf(nl_data(src), "p%d", &i) != 1 ||
	    sscanf(nl_data(dst), "p%d", &j) != 1 || i == j ||
	    nl_u32(nl_in(pair, IVSHM_A_PAIR_STATE)) != IVSHM_PAIR_UPLINK ||
	    nl_u32(nl_in(pair, IVSHM_A_PAIR_REASON)) != IVSHM_REASON_NOT_RUNNING ||
	    !nl_in(pair, IVSHM_A_PAIR_FRAMES) || !nl_in(pair, IVSHM_A_PAIR_BYTES)) {
		c->bad_pairs++;
		return;
	}
	c->nr_pairs++;
	c->pairs[i * IVSHM_MEMBERS_MAX + j]++;
}

static int read_coupling(const struct nlmsghdr *nlh, const struct nlattr *attrs,
			 int len, void *arg)
{
	const struct nlattr *nest = nl_find(attrs, len, IVSHM_A_COUPLING);
	const struct nlattr *list, *at = NULL;
	struct coupling *c = arg;

	(void)nlh;
	if (!nest || !nl_in(nest, A(NAME)))
		return 0;
	snprintf(c->name, sizeof(c->name), "%s",
		 (const char *)nl_data(nl_in(nest, A(NAME))));
	c->messages++;
	c->type = nl_u32(nl_in(nest, A(TYPE)));
	c->state = nl_u32(nl_in(nest, A(STATE)));
	list = nl_in(nest, A(MEMBERS));
	if (list) {
		c->threshold = nl_u32(nl_in(nest, A(THRESHOLD)));
		c->idle = nl_u32(nl_in(nest, A(IDLE)));
		c->park_us = nl_u32(nl_in(nest, A(PARK_US)));
		c->bypass = nl_in(nest, A(BYPASS)) ?
			    *(const uint8_t *)nl_data(nl_in(nest, A(BYPASS))) : -1;
		while ((at = nl_next(nl_data(list), nl_len(list), A(MEMBER), at))) {
			c->members++;
			if (nl_in(at, IVSHM_A_MEMBER_PRESENT))
				c->present++;
		}
	}
	list = nl_in(nest, A(PAIRS));
	at = NULL;
	while (list && (at = nl_next(nl_data(list), nl_len(list), A(PAIR), at)))
		read_pair(at, c);
	return 0;
}

TEST_F(netlink, read_back)
{
	struct control *r = &self->r;
	struct coupling c = { .bypass = -2 };
	unsigned int nest;

	nest = req_begin_named(r, IVSHM_CMD_COUPLING_NEW, "full");
	nl_put_u32(r->msg, A(TYPE), DYNAMIC);
	req_put_members(r->msg, "p", 3);
	nl_put_u32(r->msg, A(THRESHOLD), 1000000);
	nl_put_u32(r->msg, A(IDLE), 86400);
	nl_put_u32(r->msg, A(PARK_US), 1000000);
	nl_put_u8(r->msg, A(BYPASS), 1);
	nl_nest_end(r->msg, nest);
	ASSERT_EQ(0, control_talk(r, NULL, NULL));
	ASSERT_EQ(0, req_get(r, "full", read_coupling, &c));
	EXPECT_STREQ("full", c.name);
	EXPECT_EQ(DYNAMIC, (int)c.type);
	EXPECT_EQ(IVSHM_COUPLING_WAITING, (int)c.state);
	EXPECT_EQ(1000000U, c.threshold);
	EXPECT_EQ(86400U, c.idle);
	EXPECT_EQ(1000000U, c.park_us);
	EXPECT_EQ(1, c.bypass);
	EXPECT_EQ(3, c.members);
	EXPECT_EQ(0, c.present);
	EXPECT_EQ(6, c.nr_pairs);
	EXPECT_EQ(0, c.bad_pairs);

	/* Options of dynamic couplings are not shown for static ones. */
	memset(&c, 0, sizeof(c));
	ASSERT_EQ(0, req_add(r, "static", STATIC, "q", 2));
	ASSERT_EQ(0, req_get(r, "static", read_coupling, &c));
	EXPECT_EQ(STATIC, (int)c.type);
	EXPECT_EQ(~0U, c.threshold);
	EXPECT_EQ(~0U, c.idle);
	EXPECT_EQ((uint32_t)IVSHM_PARK_US_DEFAULT, c.park_us);
	EXPECT_EQ(-1, c.bypass);

	memset(&c, 0, sizeof(c));
	ASSERT_EQ(0, req_add(r, "plain", DYNAMIC, "r", 2));
	ASSERT_EQ(0, req_get(r, "plain", read_coupling, &c));
	EXPECT_EQ((uint32_t)IVSHM_THRESHOLD_DEFAULT, c.threshold);
	EXPECT_EQ((uint32_t)IVSHM_IDLE_DEFAULT, c.idle);
	EXPECT_EQ(0, c.bypass);

	EXPECT_EQ(0, req_del(r, "full"));
	EXPECT_EQ(-ENOENT, req_del(r, "full"));
	EXPECT_EQ(-ENOENT, req_get(r, "full", NULL, NULL));
	EXPECT_EQ(2, req_nr_couplings(r));
}

TEST_F(netlink, longest)
{
	struct control *r = &self->r;
	struct coupling c = { 0 };
	int i, j, wrong = 0;

	/* Its pairs do not fit into one message, but into several of a dump. */
	ASSERT_EQ(0, req_add(r, "1234567890123456789012345678901", DYNAMIC, "p",
			     IVSHM_MEMBERS_MAX));
	EXPECT_EQ(-EMSGSIZE, req_get(r, "1234567890123456789012345678901", NULL, NULL));
	EXPECT_STRNE("", r->answer.text);
	ASSERT_EQ(0, req_dump(r, IVSHM_CMD_COUPLING_GET, read_coupling, &c));
	EXPECT_EQ(IVSHM_MEMBERS_MAX, c.members);
	EXPECT_EQ(IVSHM_MEMBERS_MAX * (IVSHM_MEMBERS_MAX - 1), c.nr_pairs);
	EXPECT_EQ(0, c.bad_pairs);
	EXPECT_LT(1, c.messages);
	for (i = 0; i < IVSHM_MEMBERS_MAX; i++)
		for (j = 0; j < IVSHM_MEMBERS_MAX; j++)
			if (c.pairs[i * IVSHM_MEMBERS_MAX + j] != (i == j ? 0 : 1))
				wrong++;
	EXPECT_EQ(0, wrong);

	/* The most that is answered in one go. */
	memset(&c, 0, sizeof(c));
	ASSERT_EQ(0, req_del(r, "1234567890123456789012345678901"));
	ASSERT_EQ(0, req_add(r, "x", DYNAMIC, "p", 20));
	ASSERT_EQ(0, req_get(r, "x", read_coupling, &c));
	EXPECT_EQ(20 * 19, c.nr_pairs);
}

/*
 * Many
 */

struct seen {
	struct control *r;
	int times[2000];
	int nr, others, interrupted;
};

static int read_many(const struct nlmsghdr *nlh, const struct nlattr *attrs, int len,
		     void *arg)
{
	const struct nlattr *nest = nl_find(attrs, len, IVSHM_A_COUPLING);
	const struct nlattr *name = nl_in(nest, A(NAME));
	struct seen *seen = arg;
	int i;

	if (nlh->nlmsg_flags & NLM_F_DUMP_INTR)
		seen->interrupted = 1;
	if (!name || sscanf(nl_data(name), "c%d", &i) != 1 || i < 0 || i >= 2000) {
		seen->others++;
		return 0;
	}
	/* A second message has more pairs only. */
	if (!nl_in(nest, A(MEMBERS)))
		return 0;
	seen->nr++;
	seen->times[i]++;
	return 0;
}

TEST_F_TIMEOUT(netlink, many, 120)
{
	struct control *r = &self->r;
	struct seen seen = { 0 };
	int i, wrong = 0, tries;
	char name[16], stem[16];

	for (i = 0; i < 1024; i++) {
		snprintf(name, sizeof(name), "c%d", i);
		snprintf(stem, sizeof(stem), "c%d-", i);
		ASSERT_EQ(0, req_add(r, name, STATIC, stem, 2));
	}
	EXPECT_EQ(-ENOSPC, req_add(r, "c1024", STATIC, "more", 2));
	EXPECT_STRNE("", r->answer.text);

	/* Namespaces of tests before may go only now, and their couplings count as well. */
	for (tries = 0; tries < 10; tries++) {
		memset(&seen, 0, sizeof(seen));
		ASSERT_EQ(0, req_dump(r, IVSHM_CMD_COUPLING_GET, read_many, &seen));
		if (!seen.interrupted)
			break;
	}
	EXPECT_EQ(1024, seen.nr);
	EXPECT_EQ(0, seen.others);
	EXPECT_EQ(0, seen.interrupted);
	for (i = 0; i < 1024; i++)
		if (seen.times[i] != 1)
			wrong++;
	EXPECT_EQ(0, wrong);
	/* All go with the namespace. */
}

/* After the first one, every other one is deleted by another socket. */
static int read_and_delete(const struct nlmsghdr *nlh, const struct nlattr *attrs,
			   int len, void *arg)
{
	struct seen *seen = arg;
	struct nl_msg *msg;
	unsigned int nest;
	int sock, i;
	char name[16];

	read_many(nlh, attrs, len, arg);
	if (seen->nr != 1)
		return 0;
	msg = malloc(sizeof(*msg));
	sock = nl_open();
	for (i = 0; i < 60; i += 2) {
		nl_begin(msg, seen->r->family, IVSHM_CMD_COUPLING_DEL, 0);
		nest = nl_nest(msg, IVSHM_A_COUPLING);
		snprintf(name, sizeof(name), "c%d", i);
		nl_put_str(msg, A(NAME), name);
		nl_nest_end(msg, nest);
		if (send(sock, msg->buf, nl_hdr(msg)->nlmsg_len, 0) < 0)
			break;
	}
	/* The kernel has dealt with a request when send() returns. */
	close(sock);
	free(msg);
	return 0;
}

TEST_F(netlink, overtaken)
{
	struct control *r = &self->r;
	struct seen seen = { .r = r };
	int i, odd = 0;
	char name[16], stem[16];

	for (i = 0; i < 60; i++) {
		snprintf(name, sizeof(name), "c%d", i);
		snprintf(stem, sizeof(stem), "c%d-", i);
		ASSERT_EQ(0, req_add(r, name, DYNAMIC, stem, 8));
	}
	ASSERT_EQ(0, req_dump(r, IVSHM_CMD_COUPLING_GET, read_and_delete, &seen));
	/* What was there all the time is shown once, and the reader is told. */
	for (i = 1; i < 60; i += 2)
		if (seen.times[i] != 1)
			odd++;
	EXPECT_EQ(0, odd);
	EXPECT_EQ(1, seen.interrupted);
	EXPECT_EQ(30, req_nr_couplings(r));
}

/*
 * Namespaces and privileges
 */

TEST_F(netlink, namespaces)
{
	struct control *r = &self->r;
	struct control other = *r;

	ASSERT_EQ(0, req_add(r, "x", DYNAMIC, "p", 2));
	ASSERT_EQ(0, unshare(CLONE_NEWNET));
	other.sock = nl_open();
	ASSERT_LE(0, other.sock);
	/* The same names once more, and nothing of the other one is seen. */
	EXPECT_EQ(0, req_nr_couplings(&other));
	EXPECT_EQ(-ENOENT, req_del(&other, "x"));
	EXPECT_EQ(0, req_add(&other, "x", DYNAMIC, "p", 2));
	EXPECT_EQ(0, req_add(&other, "y", DYNAMIC, "q", 2));
	EXPECT_EQ(2, req_nr_couplings(&other));
	/* A socket belongs to the namespace where it was made. */
	EXPECT_EQ(1, req_nr_couplings(r));
	close(other.sock);
}

/* Runs @fn in a child; its exit status. */
static int in_child(int (*fn)(struct control *r), struct control *r)
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid)
		_exit(fn(r));
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int drop_net_admin(void)
{
	struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct caps[2];

	if (syscall(SYS_capget, &head, caps))
		return -1;
	caps[0].effective &= ~(1U << CAP_NET_ADMIN);
	return syscall(SYS_capset, &head, caps);
}

/* A command about nothing: whether it is allowed is asked first. */
static int try_command(struct control *r, int cmd, int object)
{
	unsigned int nest;

	nl_begin(r->msg, r->family, cmd, 0);
	nest = nl_nest(r->msg, object);
	nl_nest_end(r->msg, nest);
	return control_talk(r, NULL, NULL);
}

/* All that change something are refused. */
static bool all_are_refused(struct control *r)
{
	static const struct {
		int cmd, object;
	} changes[] = {
		{ IVSHM_CMD_COUPLING_NEW, IVSHM_A_COUPLING },
		{ IVSHM_CMD_COUPLING_SET, IVSHM_A_COUPLING },
		{ IVSHM_CMD_COUPLING_DEL, IVSHM_A_COUPLING },
		{ IVSHM_CMD_ADDR_NEW, IVSHM_A_ADDR },
		{ IVSHM_CMD_ADDR_DEL, IVSHM_A_ADDR },
		{ IVSHM_CMD_REGION_NEW, IVSHM_A_REGION },
		{ IVSHM_CMD_REGION_SET, IVSHM_A_REGION },
		{ IVSHM_CMD_REGION_DEL, IVSHM_A_REGION },
		{ IVSHM_CMD_PEER_SET, IVSHM_A_PEER },
		{ IVSHM_CMD_PEER_DEL, IVSHM_A_PEER },
	};
	bool refused = true;
	unsigned int i;
	int err;

	for (i = 0; i < ARRAY_SIZE(changes); i++) {
		err = try_command(r, changes[i].cmd, changes[i].object);
		if (err == -EPERM)
			continue;
		fprintf(stderr, "# command %d: %d\n", changes[i].cmd, err);
		refused = false;
	}
	return refused;
}

static int without_privilege(struct control *r)
{
	if (drop_net_admin())
		return 1;
	/* The socket was opened by root: what counts is who opened and who sends. */
	if (req_add(r, "y", DYNAMIC, "q", 2) != -EPERM)
		return 2;
	if (req_del(r, "x") != -EPERM)
		return 3;
	if (req_get(r, "x", NULL, NULL) || req_nr_couplings(r) != 1)
		return 4;
	if (try_command(r, IVSHM_CMD_COUPLING_SET, IVSHM_A_COUPLING) != -EPERM ||
	    try_command(r, IVSHM_CMD_ADDR_NEW, IVSHM_A_ADDR) != -EPERM ||
	    try_command(r, IVSHM_CMD_ADDR_DEL, IVSHM_A_ADDR) != -EPERM)
		return 5;
	return 0;
}

TEST_F(netlink, privileges)
{
	struct control *r = &self->r;

	ASSERT_EQ(0, req_add(r, "x", DYNAMIC, "p", 2));
	EXPECT_EQ(0, in_child(without_privilege, r));
	EXPECT_EQ(1, req_nr_couplings(r));
}

/* As who has nothing at all: nobody, and root of a user namespace in our network. */
static int as_nobody(struct control *r)
{
	if (setresgid(65534, 65534, 65534) || setresuid(65534, 65534, 65534))
		return 1;
	r->sock = nl_open();
	if (r->sock < 0)
		return 2;
	if (!all_are_refused(r))
		return 3;
	return req_nr_couplings(r) == 1 && nl_listen(r->group) >= 0 ? 0 : 4;
}

static int as_outsider(struct control *r)
{
	if (unshare(CLONE_NEWUSER))
		return 100;
	r->sock = nl_open();
	if (r->sock < 0)
		return 2;
	if (!all_are_refused(r))
		return 3;
	return req_nr_couplings(r) == 1 && nl_listen(r->group) >= 0 ? 0 : 4;
}

TEST_F(netlink, outsiders)
{
	struct control *r = &self->r;
	int status;

	ASSERT_EQ(0, req_add(r, "x", DYNAMIC, "p", 2));
	EXPECT_EQ(0, in_child(as_nobody, r));
	status = in_child(as_outsider, r);
	EXPECT_EQ(1, req_nr_couplings(r));
	if (status == 100)
		SKIP(return, "no user namespaces");
	EXPECT_EQ(0, status);
}

static int in_user_namespace(struct control *r)
{
	int err;

	if (unshare(CLONE_NEWUSER | CLONE_NEWNET))
		return 100;
	r->sock = nl_open();
	if (r->sock < 0)
		return 1;
	err = req_add(r, "y", DYNAMIC, "q", 2);
	if (err)
		return 2;
	return req_nr_couplings(r) == 1 && !req_del(r, "y") ? 0 : 3;
}

TEST_F(netlink, user_namespace)
{
	struct control *r = &self->r;
	int status = in_child(in_user_namespace, r);

	/* Root of a container may couple the ports of the container. */
	if (status == 100)
		SKIP(return, "no user namespaces");
	EXPECT_EQ(0, status);
	EXPECT_EQ(0, req_nr_couplings(r));
}

/*
 * Events
 */

struct event {
	int cmd;
	char name[IVSHM_NAME_MAX];
	uint32_t old_state, new_state, reason, state;
};

static int read_event(const struct nlmsghdr *nlh, const struct nlattr *attrs, int len,
		      void *arg)
{
	const struct nlattr *nest = nl_find(attrs, len, IVSHM_A_COUPLING);
	struct event *event = arg;

	memset(event, 0, sizeof(*event));
	event->cmd = ((const struct genlmsghdr *)NLMSG_DATA(nlh))->cmd;
	if (nl_in(nest, A(NAME)))
		snprintf(event->name, sizeof(event->name), "%s",
			 (const char *)nl_data(nl_in(nest, A(NAME))));
	event->state = nl_u32(nl_in(nest, A(STATE)));
	event->old_state = nl_u32(nl_find(attrs, len, IVSHM_A_EVENT_OLD_STATE));
	event->new_state = nl_u32(nl_find(attrs, len, IVSHM_A_EVENT_NEW_STATE));
	event->reason = nl_u32(nl_find(attrs, len, IVSHM_A_EVENT_REASON));
	return 0;
}

TEST_F(netlink, events)
{
	struct control *r = &self->r;
	struct event event;
	struct control other = *r;
	int listener;

	listener = nl_listen(r->group);
	ASSERT_LE(0, listener);
	ASSERT_EQ(0, req_add(r, "x", DYNAMIC, "p", 2));
	ASSERT_TRUE(nl_event(listener, read_event, &event));
	EXPECT_EQ(IVSHM_CMD_COUPLING_NTF, event.cmd);
	EXPECT_STREQ("x", event.name);
	EXPECT_EQ(IVSHM_COUPLING_GONE, (int)event.old_state);
	EXPECT_EQ(IVSHM_COUPLING_WAITING, (int)event.new_state);
	EXPECT_EQ(IVSHM_COUPLING_WAITING, (int)event.state);
	EXPECT_EQ(IVSHM_REASON_CONFIG, (int)event.reason);

	/* A refusal is no event, nor is what happens in another namespace. */
	EXPECT_EQ(-EEXIST, req_add(r, "x", DYNAMIC, "p", 2));
	ASSERT_EQ(0, unshare(CLONE_NEWNET));
	other.sock = nl_open();
	EXPECT_EQ(0, req_add(&other, "y", DYNAMIC, "q", 2));
	close(other.sock);

	ASSERT_EQ(0, req_del(r, "x"));
	ASSERT_TRUE(nl_event(listener, read_event, &event));
	EXPECT_EQ(IVSHM_CMD_COUPLING_NTF, event.cmd);
	EXPECT_STREQ("x", event.name);
	EXPECT_EQ(IVSHM_COUPLING_WAITING, (int)event.old_state);
	EXPECT_EQ(IVSHM_COUPLING_GONE, (int)event.new_state);
	EXPECT_EQ(IVSHM_REASON_CONFIG, (int)event.reason);
	EXPECT_FALSE(nl_event(listener, read_event, &event));
	close(listener);
}

TEST_F(netlink, empty)
{
	struct control *r = &self->r;
	int nr = 0;

	EXPECT_EQ(0, req_dump(r, IVSHM_CMD_PORT_GET, req_count, &nr));
	EXPECT_EQ(0, req_dump(r, IVSHM_CMD_COUPLING_GET, req_count, &nr));
	EXPECT_EQ(0, req_dump(r, IVSHM_CMD_ADDR_GET, req_count, &nr));
	EXPECT_EQ(0, nr);
}

TEST_HARNESS_MAIN
