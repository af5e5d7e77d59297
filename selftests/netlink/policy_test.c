// SPDX-License-Identifier: GPL-2.0
/*
 * The generic netlink interface: what a coupling lets its members send. Rates, full,
 * who is denied; what is read back and what is refused. As root.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "kselftest_harness.h"
#include "request.h"

FIXTURE(policy)
{
	struct control r;
};

FIXTURE_SETUP(policy)
{
	ASSERT_EQ(0, req_open(&self->r)) {
		TH_LOG("root, a network namespace and the module are needed");
	}
}

FIXTURE_TEARDOWN(policy)
{
	control_close(&self->r);
}

struct policy {
	uint32_t full, rate_frames;
	uint64_t rate_bytes;
	int nr, messages;
	char deny[IVSHM_DENIES_MAX][40];
};

static int read_policy(const struct nlmsghdr *nlh, const struct nlattr *attrs, int len,
		       void *arg)
{
	const struct nlattr *nest = nl_find(attrs, len, IVSHM_A_COUPLING);
	const struct nlattr *list, *at = NULL;
	struct policy *p = arg;

	(void)nlh;
	if (!nest)
		return 0;
	p->messages++;
	if (!nl_in(nest, A(FULL)))
		return 0;
	p->full = nl_u32(nl_in(nest, A(FULL)));
	p->rate_frames = nl_u32(nl_in(nest, A(RATE_FRAMES)));
	memcpy(&p->rate_bytes, nl_data(nl_in(nest, A(RATE_BYTES))), sizeof(p->rate_bytes));
	list = nl_in(nest, A(DENY));
	while (list && (at = nl_next(nl_data(list), nl_len(list), A(PAIR), at)))
		snprintf(p->deny[p->nr++], sizeof(p->deny[0]), "%s>%s",
			 (const char *)nl_data(nl_in(at, IVSHM_A_PAIR_SRC)),
			 (const char *)nl_data(nl_in(at, IVSHM_A_PAIR_DST)));
	return 0;
}

/* The offset of the pair. NULL: without that end. */
static unsigned int put_pair(struct nl_msg *msg, const char *src, const char *dst)
{
	unsigned int pair = nl_nest(msg, A(PAIR));

	if (src)
		nl_put_str(msg, IVSHM_A_PAIR_SRC, src);
	if (dst)
		nl_put_str(msg, IVSHM_A_PAIR_DST, dst);
	nl_nest_end(msg, pair);
	return pair;
}

/* One pair to be denied or allowed. */
static int change_pair(struct control *r, int attr, const char *src, const char *dst,
		       unsigned int *at)
{
	unsigned int nest = req_begin_named(r, IVSHM_CMD_COUPLING_SET, "x");
	unsigned int list = nl_nest(r->msg, attr);

	*at = put_pair(r->msg, src, dst);
	nl_nest_end(r->msg, list);
	nl_nest_end(r->msg, nest);
	return control_talk(r, NULL, NULL);
}

TEST_F(policy, read_back)
{
	const uint64_t bytes = IVSHM_RATE_BYTES_MAX;
	struct control *r = &self->r;
	struct policy p = { 0 };
	unsigned int nest, list;

	nest = req_begin_named(r, IVSHM_CMD_COUPLING_NEW, "x");
	nl_put_u32(r->msg, A(TYPE), STATIC);
	req_put_members(r->msg, "p", 3);
	nl_put_u32(r->msg, A(FULL), IVSHM_FULL_DROP);
	nl_put(r->msg, A(RATE_BYTES), &bytes, sizeof(bytes));
	nl_put_u32(r->msg, A(RATE_FRAMES), IVSHM_RATE_FRAMES_MAX);
	list = nl_nest(r->msg, A(DENY));
	put_pair(r->msg, "p0", "p1");
	put_pair(r->msg, "p*", "p2");
	put_pair(r->msg, "p0", "p1");
	nl_nest_end(r->msg, list);
	nl_nest_end(r->msg, nest);
	ASSERT_EQ(0, control_talk(r, NULL, NULL));
	ASSERT_EQ(0, req_get(r, "x", read_policy, &p));
	EXPECT_EQ(IVSHM_FULL_DROP, p.full);
	EXPECT_EQ(bytes, p.rate_bytes);
	EXPECT_EQ(IVSHM_RATE_FRAMES_MAX, p.rate_frames);
	ASSERT_EQ(2, p.nr);
	EXPECT_STREQ("p0>p1", p.deny[0]);
	EXPECT_STREQ("p*>p2", p.deny[1]);

	/* Changed, in one request: first allowed, then denied. */
	nest = req_begin_named(r, IVSHM_CMD_COUPLING_SET, "x");
	nl_put_u32(r->msg, A(FULL), IVSHM_FULL_PARK);
	nl_put_u32(r->msg, A(RATE_FRAMES), 7);
	list = nl_nest(r->msg, A(DENY));
	put_pair(r->msg, "p2", "p[01]");
	nl_nest_end(r->msg, list);
	list = nl_nest(r->msg, A(ALLOW));
	put_pair(r->msg, "p0", "p1");
	nl_nest_end(r->msg, list);
	nl_nest_end(r->msg, nest);
	ASSERT_EQ(0, control_talk(r, NULL, NULL));
	memset(&p, 0, sizeof(p));
	ASSERT_EQ(0, req_get(r, "x", read_policy, &p));
	EXPECT_EQ(IVSHM_FULL_PARK, p.full);
	EXPECT_EQ(bytes, p.rate_bytes);
	EXPECT_EQ(7, p.rate_frames);
	ASSERT_EQ(2, p.nr);
	EXPECT_STREQ("p*>p2", p.deny[0]);
	EXPECT_STREQ("p2>p[01]", p.deny[1]);

	/* By default there is nothing of it. */
	memset(&p, 0, sizeof(p));
	ASSERT_EQ(0, req_add(r, "plain", DYNAMIC, "q", 2));
	ASSERT_EQ(0, req_get(r, "plain", read_policy, &p));
	EXPECT_EQ(IVSHM_FULL_PARK, p.full);
	EXPECT_EQ(0, p.rate_bytes);
	EXPECT_EQ(0, p.rate_frames);
	EXPECT_EQ(0, p.nr);
}

TEST_F(policy, refusals)
{
	static const struct {
		const char *src, *dst;
	} wrong[] = {
		{ "p0", "p0" }, { "p0", "p3" }, { "p3", "p0" }, { "x*", "p0" }, { "p0", "p[3-9]" },
		{ "", "p1" }, { "p0", "" }, { "p0", "a/b" }, { "a b", "p0" },
	};
	const uint64_t bytes = IVSHM_RATE_BYTES_MAX + 1;
	struct control *r = &self->r;
	struct policy p = { 0 };
	unsigned int at, nest, list, i;

	ASSERT_EQ(0, req_add(r, "x", STATIC, "p", 3));
	for (i = 0; i < ARRAY_SIZE(wrong); i++) {
		EXPECT_EQ(-EINVAL, change_pair(r, A(DENY), wrong[i].src, wrong[i].dst, &at))
			TH_LOG("%s to %s", wrong[i].src, wrong[i].dst);
		EXPECT_EQ(at, r->answer.offset);
		EXPECT_STRNE("", r->answer.text);
	}
	/* Names that are missing, too long, or of what is not denied. */
	EXPECT_EQ(-EINVAL, change_pair(r, A(DENY), NULL, "p1", &at));
	EXPECT_EQ((unsigned int)IVSHM_A_PAIR_SRC, r->answer.miss_type);
	EXPECT_STRNE("", r->answer.text);
	EXPECT_EQ(-EINVAL, change_pair(r, A(DENY), "p0", NULL, &at));
	EXPECT_EQ((unsigned int)IVSHM_A_PAIR_DST, r->answer.miss_type);
	EXPECT_GT(0, change_pair(r, A(DENY), "1234567890123456", "p1", &at));
	EXPECT_STRNE("", r->answer.text);
	EXPECT_EQ(-ENOENT, change_pair(r, A(ALLOW), "p0", "p1", &at));
	EXPECT_EQ(at, r->answer.offset);
	EXPECT_STRNE("", r->answer.text);

	/* All of it or nothing. */
	nest = req_begin_named(r, IVSHM_CMD_COUPLING_SET, "x");
	nl_put_u32(r->msg, A(FULL), IVSHM_FULL_DROP);
	list = nl_nest(r->msg, A(DENY));
	put_pair(r->msg, "p0", "p1");
	at = put_pair(r->msg, "p0", "nobody");
	nl_nest_end(r->msg, list);
	nl_nest_end(r->msg, nest);
	EXPECT_EQ(-EINVAL, control_talk(r, NULL, NULL));
	EXPECT_EQ(at, r->answer.offset);

	/* Values. */
	nest = req_begin_named(r, IVSHM_CMD_COUPLING_SET, "x");
	at = nl_put(r->msg, A(RATE_BYTES), &bytes, sizeof(bytes));
	nl_nest_end(r->msg, nest);
	EXPECT_EQ(-EINVAL, control_talk(r, NULL, NULL));
	EXPECT_EQ(at, r->answer.offset);
	EXPECT_STRNE("", r->answer.text);
	nest = req_begin_named(r, IVSHM_CMD_COUPLING_SET, "x");
	at = nl_put_u32(r->msg, A(RATE_FRAMES), IVSHM_RATE_FRAMES_MAX + 1);
	nl_nest_end(r->msg, nest);
	EXPECT_EQ(-EINVAL, control_talk(r, NULL, NULL));
	EXPECT_EQ(at, r->answer.offset);
	nest = req_begin_named(r, IVSHM_CMD_COUPLING_SET, "x");
	at = nl_put_u32(r->msg, A(FULL), IVSHM_FULL_DROP + 1);
	nl_nest_end(r->msg, nest);
	EXPECT_EQ(-EINVAL, control_talk(r, NULL, NULL));
	EXPECT_EQ(at, r->answer.offset);
	ASSERT_EQ(0, req_get(r, "x", read_policy, &p));
	EXPECT_EQ(IVSHM_FULL_PARK, p.full);
	EXPECT_EQ(0, p.nr);

	/* When it is made: the same, and it is not made. */
	nest = req_begin_named(r, IVSHM_CMD_COUPLING_NEW, "y");
	nl_put_u32(r->msg, A(TYPE), STATIC);
	req_put_members(r->msg, "q", 2);
	list = nl_nest(r->msg, A(DENY));
	at = put_pair(r->msg, "q0", "q2");
	nl_nest_end(r->msg, list);
	nl_nest_end(r->msg, nest);
	EXPECT_EQ(-EINVAL, control_talk(r, NULL, NULL));
	EXPECT_EQ(at, r->answer.offset);
	EXPECT_EQ(1, req_nr_couplings(r));
	/* There is nothing to be allowed then. */
	nest = req_begin_named(r, IVSHM_CMD_COUPLING_NEW, "y");
	nl_put_u32(r->msg, A(TYPE), STATIC);
	req_put_members(r->msg, "q", 2);
	list = nl_nest(r->msg, A(ALLOW));
	nl_nest_end(r->msg, list);
	nl_nest_end(r->msg, nest);
	EXPECT_EQ(-EINVAL, control_talk(r, NULL, NULL));
	EXPECT_EQ(1, req_nr_couplings(r));
}

/* As many as there may be, in a coupling of the most members, in a dump. */
TEST_F(policy, longest)
{
	struct control *r = &self->r;
	static struct policy p;
	unsigned int nest, list, at = 0;
	char src[16], dst[16];
	int i, more;

	for (more = 1; more >= 0; more--) {
		nest = req_begin_named(r, IVSHM_CMD_COUPLING_NEW, "x");
		nl_put_u32(r->msg, A(TYPE), DYNAMIC);
		req_put_members(r->msg, "p23456789012", IVSHM_MEMBERS_MAX);
		list = nl_nest(r->msg, A(DENY));
		for (i = 0; i < IVSHM_DENIES_MAX + more; i++) {
			snprintf(src, sizeof(src), "p23456789012%d", i % IVSHM_MEMBERS_MAX);
			snprintf(dst, sizeof(dst), "p2345678901?%d",
				 (i + 1 + i / IVSHM_MEMBERS_MAX) % IVSHM_MEMBERS_MAX);
			at = put_pair(r->msg, src, dst);
		}
		nl_nest_end(r->msg, list);
		nl_nest_end(r->msg, nest);
		EXPECT_EQ(more ? -E2BIG : 0, control_talk(r, NULL, NULL));
		if (more)
			EXPECT_EQ(at, r->answer.offset);
	}
	ASSERT_EQ(0, req_dump(r, IVSHM_CMD_COUPLING_GET, read_policy, &p));
	EXPECT_EQ(IVSHM_DENIES_MAX, p.nr);
	EXPECT_LT(1, p.messages);
	EXPECT_STREQ("p2345678901263>p2345678901?0", p.deny[63]);
}

TEST_HARNESS_MAIN
