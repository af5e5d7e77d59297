// SPDX-License-Identifier: GPL-2.0
/*
 * Every refusal of the generic netlink interface has a text and names the
 * attribute at fault, and nothing has changed. As root.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "kselftest_harness.h"
#include "request.h"

FIXTURE(refusal)
{
	struct control r;
};

FIXTURE_SETUP(refusal)
{
	ASSERT_EQ(0, req_open(&self->r)) {
		TH_LOG("root, a network namespace and the module are needed");
	}
}

FIXTURE_TEARDOWN(refusal)
{
	control_close(&self->r);
}

/*
 * Refusals of IVSHM_CMD_COUPLING_NEW
 */

/* What is wrong with a request; everything else about it is right. */
struct wrong {
	const char *what;
	int error;
	const char *name;	/* of the coupling */
	int type;
	int members;
	const char *second;	/* name of the second member */
	int option;		/* with @value */
	uint32_t value;
	int at;			/* attribute at fault */
};

static const struct wrong wrongs[] = {
	{ "empty name", EINVAL, "", DYNAMIC, 2, .at = A(NAME) },
	{ "space in the name", EINVAL, "a b", DYNAMIC, 2, .at = A(NAME) },
	{ "slash in the name", EINVAL, "a/b", DYNAMIC, 2, .at = A(NAME) },
	{ "name of 32", EINVAL, "12345678901234567890123456789012", DYNAMIC, 2,
	  .at = A(NAME) },
	{ "name taken", EEXIST, "taken", DYNAMIC, 2, .at = A(NAME) },
	{ "type", EINVAL, "x", 2, 2, .at = A(TYPE) },
	{ "no member", EINVAL, "x", DYNAMIC, 0, .at = A(MEMBERS) },
	{ "one member", EINVAL, "x", DYNAMIC, 1, .at = A(MEMBERS) },
	{ "65 members", E2BIG, "x", DYNAMIC, 65, .at = A(MEMBERS) },
	{ "400 members", E2BIG, "x", DYNAMIC, 400, .at = A(MEMBERS) },
	{ "member twice", EINVAL, "x", DYNAMIC, 2, "p0", .at = A(MEMBER) },
	{ "member busy", EBUSY, "x", DYNAMIC, 2, "t1", .at = A(MEMBER) },
	{ "member's name", EINVAL, "x", DYNAMIC, 2, "a/b", .at = A(MEMBER) },
	{ "member's name empty", EINVAL, "x", DYNAMIC, 2, "", .at = A(MEMBER) },
	{ "member's name of 16", EINVAL, "x", DYNAMIC, 2, "1234567890123456",
	  .at = A(MEMBER) },
	{ "threshold 0", EINVAL, "x", DYNAMIC, 2, NULL, A(THRESHOLD), 0,
	  A(THRESHOLD) },
	{ "threshold", EINVAL, "x", DYNAMIC, 2, NULL, A(THRESHOLD), 1000001,
	  A(THRESHOLD) },
	{ "threshold, static", EINVAL, "x", STATIC, 2, NULL, A(THRESHOLD), 1,
	  A(THRESHOLD) },
	{ "idle", EINVAL, "x", DYNAMIC, 2, NULL, A(IDLE), 86401, A(IDLE) },
	{ "idle, static", EINVAL, "x", STATIC, 2, NULL, A(IDLE), 1, A(IDLE) },
	{ "park_us", EINVAL, "x", STATIC, 2, NULL, A(PARK_US), 1000001, A(PARK_US) },
	{ "bypass", EINVAL, "x", DYNAMIC, 2, NULL, A(BYPASS), 2, A(BYPASS) },
	{ "bypass, static", EINVAL, "x", STATIC, 2, NULL, A(BYPASS), 0, A(BYPASS) },
	{ "strict", EINVAL, "x", STATIC, 2, NULL, A(STRICT), 2, A(STRICT) },
	{ "match", EINVAL, "x", DYNAMIC, 2, NULL, A(MATCH), 2, A(MATCH) },
	{ "match, static", EINVAL, "x", STATIC, 2, NULL, A(MATCH), 0, A(MATCH) },
	{ "disabled", EINVAL, "x", STATIC, 2, NULL, A(DISABLED), 2, A(DISABLED) },
	{ "state", EINVAL, "x", DYNAMIC, 2, NULL, A(STATE), 0, A(STATE) },
};

/* Returns the offset of the attribute that is wrong. */
static unsigned int put_wrong(struct control *r, const struct wrong *wrong)
{
	unsigned int at[A(MAX) + 1] = { 0 }, nest, members;
	struct nl_msg *msg = r->msg;
	char name[32];
	int i;

	nest = req_begin_named(r, IVSHM_CMD_COUPLING_NEW, NULL);
	at[A(NAME)] = nl_put_str(msg, A(NAME), wrong->name);
	at[A(TYPE)] = nl_put_u32(msg, A(TYPE), wrong->type);
	members = nl_nest(msg, A(MEMBERS));
	at[A(MEMBERS)] = members;
	for (i = 0; i < wrong->members; i++) {
		snprintf(name, sizeof(name), "p%d", i);
		if (i == 1 && wrong->second)
			at[A(MEMBER)] = req_put_member(msg, wrong->second);
		else
			req_put_member(msg, name);
	}
	nl_nest_end(msg, members);
	if (wrong->option == A(BYPASS) || wrong->option == A(STRICT) ||
	    wrong->option == A(DISABLED))
		at[wrong->option] = nl_put_u8(msg, wrong->option, wrong->value);
	else if (wrong->option)
		at[wrong->option] = nl_put_u32(msg, wrong->option, wrong->value);
	nl_nest_end(msg, nest);
	return at[wrong->at];
}

TEST_F(refusal, refusals)
{
	struct control *r = &self->r;
	unsigned int at;
	int i;

	ASSERT_EQ(0, req_add(r, "taken", DYNAMIC, "t", 2));
	for (i = 0; i < (int)ARRAY_SIZE(wrongs); i++) {
		at = put_wrong(r, &wrongs[i]);
		EXPECT_EQ(-wrongs[i].error, control_talk(r, NULL, NULL)) {
			TH_LOG("%s", wrongs[i].what);
		}
		EXPECT_EQ(at, r->answer.offset) {
			TH_LOG("%s", wrongs[i].what);
		}
		EXPECT_STRNE("", r->answer.text) {
			TH_LOG("%s", wrongs[i].what);
		}
	}
	/* Nothing has changed. */
	EXPECT_EQ(1, req_nr_couplings(r));
	EXPECT_EQ(0, req_add(r, "x", DYNAMIC, "p", 2));
}

TEST_F(refusal, missing)
{
	struct control *r = &self->r;
	static const int needed[] = { A(NAME), A(TYPE), A(MEMBERS) };
	unsigned int nest;
	int i;

	for (i = 0; i < (int)ARRAY_SIZE(needed); i++) {
		nest = req_begin_named(r, IVSHM_CMD_COUPLING_NEW, NULL);
		if (needed[i] != A(NAME))
			nl_put_str(r->msg, A(NAME), "x");
		if (needed[i] != A(TYPE))
			nl_put_u32(r->msg, A(TYPE), DYNAMIC);
		if (needed[i] != A(MEMBERS))
			req_put_members(r->msg, "p", 2);
		nl_nest_end(r->msg, nest);
		EXPECT_EQ(-EINVAL, control_talk(r, NULL, NULL));
		EXPECT_EQ((unsigned int)needed[i], r->answer.miss_type);
		EXPECT_EQ(nest, r->answer.miss_nest);
		EXPECT_STRNE("", r->answer.text);
	}

	/* A member without a name. */
	nest = req_begin_named(r, IVSHM_CMD_COUPLING_NEW, "x");
	nl_put_u32(r->msg, A(TYPE), DYNAMIC);
	i = nl_nest(r->msg, A(MEMBERS));
	req_put_member(r->msg, "p0");
	req_put_member(r->msg, NULL);
	nl_nest_end(r->msg, i);
	nl_nest_end(r->msg, nest);
	EXPECT_EQ(-EINVAL, control_talk(r, NULL, NULL));
	EXPECT_EQ((unsigned int)IVSHM_A_MEMBER_NAME, r->answer.miss_type);
	EXPECT_STRNE("", r->answer.text);
	EXPECT_EQ(0, req_nr_couplings(r));
}

/* The same for all commands: no object, no name, no such thing. */
TEST_F(refusal, no_object)
{
	struct control *r = &self->r;
	static const struct {
		int cmd, object, name, none;
	} kinds[] = {
		{ IVSHM_CMD_PORT_GET, IVSHM_A_PORT, IVSHM_A_PORT_NAME, ENODEV },
		{ IVSHM_CMD_COUPLING_NEW, IVSHM_A_COUPLING, A(NAME), 0 },
		{ IVSHM_CMD_COUPLING_DEL, IVSHM_A_COUPLING, A(NAME), ENOENT },
		{ IVSHM_CMD_COUPLING_GET, IVSHM_A_COUPLING, A(NAME), ENOENT },
	};
	unsigned int nest, at;
	int i;

	for (i = 0; i < (int)ARRAY_SIZE(kinds); i++) {
		nl_begin(r->msg, r->family, kinds[i].cmd, 0);
		EXPECT_EQ(-EINVAL, control_talk(r, NULL, NULL));
		EXPECT_EQ((unsigned int)kinds[i].object, r->answer.miss_type);
		EXPECT_STRNE("", r->answer.text);

		nl_begin(r->msg, r->family, kinds[i].cmd, 0);
		nest = nl_nest(r->msg, kinds[i].object);
		nl_nest_end(r->msg, nest);
		EXPECT_EQ(-EINVAL, control_talk(r, NULL, NULL));
		EXPECT_EQ((unsigned int)kinds[i].name, r->answer.miss_type);
		EXPECT_EQ(nest, r->answer.miss_nest);
		EXPECT_STRNE("", r->answer.text);

		if (!kinds[i].none)
			continue;
		nl_begin(r->msg, r->family, kinds[i].cmd, 0);
		nest = nl_nest(r->msg, kinds[i].object);
		at = nl_put_str(r->msg, kinds[i].name, "nobody");
		nl_nest_end(r->msg, nest);
		EXPECT_EQ(-kinds[i].none, control_talk(r, NULL, NULL));
		EXPECT_EQ(at, r->answer.offset);
		EXPECT_STRNE("", r->answer.text);
	}
}

TEST_F(refusal, other_objects)
{
	struct control *r = &self->r;
	unsigned int nest;

	/* Attributes that a command does not know are refused, not ignored. */
	nl_begin(r->msg, r->family, IVSHM_CMD_COUPLING_GET, 0);
	nest = nl_nest(r->msg, IVSHM_A_ADDR);
	nl_nest_end(r->msg, nest);
	EXPECT_EQ(-EINVAL, control_talk(r, NULL, NULL));
	EXPECT_EQ(nest, r->answer.offset);
	EXPECT_STRNE("", r->answer.text);

	/* Dumps take none; the end of a dump has a text but names nothing. */
	nl_begin(r->msg, r->family, IVSHM_CMD_COUPLING_GET, NLM_F_DUMP);
	nest = nl_nest(r->msg, IVSHM_A_COUPLING);
	nl_put_str(r->msg, A(NAME), "x");
	nl_nest_end(r->msg, nest);
	EXPECT_EQ(-EINVAL, control_talk(r, NULL, NULL));
	EXPECT_STRNE("", r->answer.text);

	nl_begin(r->msg, r->family, IVSHM_CMD_ADDR_GET, NLM_F_DUMP);
	nl_nest_end(r->msg, nl_nest(r->msg, IVSHM_A_ADDR));
	EXPECT_EQ(-EINVAL, control_talk(r, NULL, NULL));

	/* Events are no requests, and addresses can only be dumped. */
	nl_begin(r->msg, r->family, IVSHM_CMD_PAIR_NTF, 0);
	EXPECT_EQ(-EOPNOTSUPP, control_talk(r, NULL, NULL));
	nl_begin(r->msg, r->family, IVSHM_CMD_ADDR_GET, 0);
	EXPECT_EQ(-EOPNOTSUPP, control_talk(r, NULL, NULL));
}

TEST_HARNESS_MAIN
