// SPDX-License-Identifier: GPL-2.0
/* Peers by netlink: allowed, shown, changed, denied, refused. As root. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "msgq.h"

FIXTURE(peer)
{
	struct control c;
};

FIXTURE_SETUP(peer)
{
	ASSERT_EQ(0, control_open(&self->c));
	peer_del_all(&self->c);
}

FIXTURE_TEARDOWN(peer)
{
	peer_del_all(&self->c);
	control_close(&self->c);
}

TEST_F(peer, shown)
{
	struct control *c = &self->c;
	struct peer_attrs at;
	int i;

	ASSERT_EQ(0, peer_allow(c, "vm-1", "vm-2"));
	ASSERT_EQ(0, peer_get(c, "vm-1", "vm-2", &at));
	EXPECT_STREQ("vm-1", at.from);
	EXPECT_STREQ("vm-2", at.to);
	EXPECT_EQ(IVSHM_PEER_MESSAGES_DEFAULT, at.messages);
	EXPECT_EQ(IVSHM_PEER_PAGES_DEFAULT, at.pages);
	EXPECT_EQ(0, at.bytes);
	EXPECT_EQ(0, at.now_messages);
	EXPECT_EQ(0, at.now_pages);
	EXPECT_EQ(0, at.now_bytes);
	for (i = STAT(MESSAGES); i <= STAT(MAX); i++) {
		EXPECT_EQ(0, at.stat[i]);
	}
	/* The other direction is another one. */
	EXPECT_EQ(-ENOENT, peer_get(c, "vm-2", "vm-1", &at));
	EXPECT_STRNE("", c->answer.text);
	EXPECT_NE(0, c->answer.offset);

	/* What is given changes, the rest stays. */
	ASSERT_EQ(0, peer_limit(c, "vm-1", "vm-2", 7, ~0ULL, 1ULL << 40));
	ASSERT_EQ(0, peer_limit(c, "vm-1", "vm-2", ~0U, 0, ~0ULL));
	ASSERT_EQ(0, peer_get(c, "vm-1", "vm-2", &at));
	EXPECT_EQ(7, at.messages);
	EXPECT_EQ(0, at.pages);
	EXPECT_EQ(1ULL << 40, at.bytes);
	EXPECT_EQ(1, peer_count(c));
	ASSERT_EQ(0, peer_allow(c, "vm-2", "vm-1"));
	EXPECT_EQ(2, peer_count(c));
	ASSERT_EQ(0, peer_deny(c, "vm-1", "vm-2"));
	EXPECT_EQ(-ENOENT, peer_deny(c, "vm-1", "vm-2"));
	EXPECT_STRNE("", c->answer.text);
	EXPECT_EQ(1, peer_count(c));
}

/* What is wrong with a request; everything else about it is right. */
struct wrong {
	const char *from;
	const char *to;
	int option;
	uint32_t value;
	int at;			/* attribute at fault */
};

static const struct wrong wrongs[] = {
	{ "", "b", .at = P(FROM) },
	{ "a/b", "b", .at = P(FROM) },
	{ "..", "b", .at = P(FROM) },
	{ "12345678901234567890123456789012", "b", .at = P(FROM) },
	{ "a", "", .at = P(TO) },
	{ "a", "b b", .at = P(TO) },
	{ "a", "12345678901234567890123456789012", .at = P(TO) },
	{ "a", "a", .at = P(TO) },
	{ "a", "b", P(MESSAGES), 0, P(MESSAGES) },
	{ "a", "b", P(MESSAGES), IVSHM_PEER_MESSAGES_MAX + 1, P(MESSAGES) },
	{ "a", "b", P(MESSAGES), ~0U, P(MESSAGES) },
	/* Of the wrong length, and what is only in replies. */
	{ "a", "b", P(PAGES), 1, P(PAGES) },
	{ "a", "b", P(NOW_MESSAGES), 1, P(NOW_MESSAGES) },
};

TEST_F(peer, refusals)
{
	struct control *c = &self->c;
	unsigned int nest, i;

	for (i = 0; i < ARRAY_SIZE(wrongs); i++) {
		const struct wrong *w = &wrongs[i];
		unsigned int at[P(MAX) + 1] = { 0 };

		nl_begin(c->msg, c->family, IVSHM_CMD_PEER_SET, 0);
		nest = nl_nest(c->msg, IVSHM_A_PEER);
		at[P(FROM)] = nl_put_str(c->msg, P(FROM), w->from);
		at[P(TO)] = nl_put_str(c->msg, P(TO), w->to);
		if (w->option)
			at[w->option] = nl_put_u32(c->msg, w->option, w->value);
		nl_nest_end(c->msg, nest);
		EXPECT_GT(0, control_talk(c, NULL, NULL)) {
			TH_LOG("number %u", i);
		}
		EXPECT_EQ(at[w->at], c->answer.offset) {
			TH_LOG("number %u: %s", i, c->answer.text);
		}
		EXPECT_STRNE("", c->answer.text);
	}
	EXPECT_EQ(0, peer_count(c));
}

TEST_F(peer, names_missing)
{
	static const int cmds[] = {
		IVSHM_CMD_PEER_SET, IVSHM_CMD_PEER_DEL, IVSHM_CMD_PEER_GET,
	};
	struct control *c = &self->c;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cmds); i++) {
		nl_begin(c->msg, c->family, cmds[i], 0);
		EXPECT_EQ(-EINVAL, control_talk(c, NULL, NULL));
		EXPECT_EQ(IVSHM_A_PEER, c->answer.miss_type);
		EXPECT_STRNE("", c->answer.text);
		nl_nest_end(c->msg, peer_begin(c, cmds[i], NULL, "b"));
		EXPECT_EQ(-EINVAL, control_talk(c, NULL, NULL));
		EXPECT_EQ(P(FROM), c->answer.miss_type);
		EXPECT_STRNE("", c->answer.text);
		nl_nest_end(c->msg, peer_begin(c, cmds[i], "a", NULL));
		EXPECT_EQ(-EINVAL, control_talk(c, NULL, NULL));
		EXPECT_EQ(P(TO), c->answer.miss_type);
		EXPECT_STRNE("", c->answer.text);
	}
}

/* Changes end in EPERM with a text; reading does so elsewhere only. */
static int all_refused(struct control *c, int get)
{
	struct peer_attrs at;

	if (peer_allow(c, "b", "a") != -EPERM || !c->answer.text[0])
		return 1;
	if (peer_deny(c, "a", "b") != -EPERM || !c->answer.text[0])
		return 2;
	if (peer_get(c, "a", "b", &at) != get || (get && !c->answer.text[0]))
		return 3;
	return peer_count(c) == (get ? 0 : 1) ? 0 : 4;
}

TEST_F(peer, permissions)
{
	ASSERT_EQ(0, peer_allow(&self->c, "a", "b"));
	EXPECT_EQ(0, in_child(be_nobody, all_refused, 0));
	EXPECT_EQ(0, in_child(be_root_of_a_namespace, all_refused, 0));
	EXPECT_EQ(0, in_child(be_elsewhere, all_refused, -EPERM));
	EXPECT_EQ(1, peer_count(&self->c));
}

struct event {
	struct peer_attrs at;
	uint32_t old_state, new_state;
};

static int read_event(const struct nlmsghdr *nlh, const struct nlattr *attrs, int len,
		      void *arg)
{
	const struct nlattr *peer = nl_find(attrs, len, IVSHM_A_PEER);
	struct event *event = arg;

	(void)nlh;
	snprintf(event->at.from, sizeof(event->at.from), "%s",
		 (const char *)nl_data(nl_in(peer, P(FROM))));
	event->at.messages = nl_u32(nl_in(peer, P(MESSAGES)));
	event->old_state = nl_u32(nl_find(attrs, len, IVSHM_A_EVENT_OLD_STATE));
	event->new_state = nl_u32(nl_find(attrs, len, IVSHM_A_EVENT_NEW_STATE));
	return 0;
}

TEST_F(peer, events)
{
	struct control *c = &self->c;
	struct event event;
	int sock = nl_listen(c->group);

	ASSERT_LE(0, sock);
	ASSERT_EQ(0, peer_allow(c, "a", "b"));
	ASSERT_TRUE(nl_event(sock, read_event, &event));
	EXPECT_STREQ("a", event.at.from);
	EXPECT_EQ(IVSHM_PEER_DENIED, event.old_state);
	EXPECT_EQ(IVSHM_PEER_ALLOWED, event.new_state);
	ASSERT_EQ(0, peer_limit(c, "a", "b", 9, ~0ULL, ~0ULL));
	ASSERT_TRUE(nl_event(sock, read_event, &event));
	EXPECT_EQ(9, event.at.messages);
	EXPECT_EQ(IVSHM_PEER_ALLOWED, event.old_state);
	EXPECT_EQ(IVSHM_PEER_ALLOWED, event.new_state);
	ASSERT_EQ(0, peer_deny(c, "a", "b"));
	ASSERT_TRUE(nl_event(sock, read_event, &event));
	EXPECT_EQ(IVSHM_PEER_ALLOWED, event.old_state);
	EXPECT_EQ(IVSHM_PEER_DENIED, event.new_state);
	/* A refusal is no event. */
	ASSERT_EQ(-EINVAL, peer_allow(c, "a", "a"));
	EXPECT_FALSE(nl_event(sock, read_event, &event));
	close(sock);
}

/* In many messages, and no more than there may be. */
TEST_F_TIMEOUT(peer, most_peers, 120)
{
	struct control *c = &self->c;
	char name[16];
	int i;

	for (i = 0; i < IVSHM_PEERS_MAX; i++) {
		snprintf(name, sizeof(name), "p%d", i);
		ASSERT_EQ(0, peer_allow(c, "a", name));
	}
	EXPECT_EQ(-ENOSPC, peer_allow(c, "a", "more"));
	EXPECT_STRNE("", c->answer.text);
	EXPECT_EQ(0, peer_limit(c, "a", "p7", 3, ~0ULL, ~0ULL));
	EXPECT_EQ(IVSHM_PEERS_MAX, peer_count(c));
	ASSERT_EQ(0, peer_deny(c, "a", "p7"));
	EXPECT_EQ(0, peer_allow(c, "a", "more"));
}

TEST_HARNESS_MAIN
