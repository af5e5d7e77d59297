// SPDX-License-Identifier: GPL-2.0
/* KUnit tests of couplings: who is denied, rates, what is dropped. */
#include <linux/etherdevice.h>
#include <linux/netlink.h>
#include <net/net_namespace.h>

#include "coupling_test.h"

/* Most of a request. */
#define DENIALS	(IVSHM_DENIES_MAX + 1)

struct policy {
	struct ivshm_coupling_denial deny[DENIALS];
	struct ivshm_coupling_denial allow[1];
	struct nlattr attr[DENIALS];
};

static struct policy *policy_new(struct kunit *test)
{
	struct policy *p = kunit_kzalloc(test, sizeof(*p), GFP_KERNEL);
	int i;

	KUNIT_ASSERT_NOT_NULL(test, p);
	for (i = 0; i < DENIALS; i++)
		p->deny[i].attr = &p->attr[i];
	p->allow[0].attr = &p->attr[0];
	return p;
}

static void denial_set(struct ivshm_coupling_denial *denial, const char *src, const char *dst)
{
	strscpy(denial->names.src, src, IFNAMSIZ);
	strscpy(denial->names.dst, dst, IFNAMSIZ);
}

/* Change kt-a as @config says; what is at fault in *@bad. */
static int policy_set(struct ivshm_coupling_config *config, const struct nlattr **bad)
{
	struct netlink_ext_ack extack = {};
	int err;

	mutex_lock(&ivshm_mutex);
	err = ivshm_coupling_set(ivshm_coupling_find(&init_net, "kt-a"), config, &extack);
	mutex_unlock(&ivshm_mutex);
	if (bad)
		*bad = extack.bad_attr;
	return err && !extack._msg ? -ENOMSG : err;
}

static int policy_deny(struct policy *p, const char *src, const char *dst)
{
	struct ivshm_coupling_config config = { .deny = p->deny, .nr_deny = 1 };

	denial_set(&p->deny[0], src, dst);
	return policy_set(&config, NULL);
}

static int policy_allow(struct policy *p, const char *src, const char *dst)
{
	struct ivshm_coupling_config config = { .allow = p->allow, .nr_allow = 1 };

	denial_set(&p->allow[0], src, dst);
	return policy_set(&config, NULL);
}

static void policy_static_test(struct kunit *test)
{
	struct policy *p = policy_new(test);
	struct ct *ct = test->priv;
	struct ivshm_pair *pair;
	u64 epoch;

	denial_set(&p->deny[0], "kt0", "kt1");
	ct->config.deny = p->deny;
	ct->config.nr_deny = 1;
	ct_setup(test, IVSHM_COUPLING_STATIC, 3);
	pair = ct_pair(ct, 0, 1);
	KUNIT_EXPECT_EQ(test, ct_unicast(ct, 0, 1), IVSHM_PATH_DENY);
	KUNIT_EXPECT_EQ(test, pair->state, IVSHM_PAIR_UPLINK);
	KUNIT_EXPECT_EQ(test, pair->reason, IVSHM_REASON_DENIED);
	KUNIT_EXPECT_NE(test, ct_unicast(ct, 1, 0), IVSHM_PATH_DENY);
	KUNIT_EXPECT_NE(test, ct_unicast(ct, 0, 2), IVSHM_PATH_DENY);
	KUNIT_EXPECT_EQ(test, ct_broadcast(ct, 0), IVSHM_PATH_FLOOD);

	/* An end that comes anew is denied as well. */
	ct_down(ct, 1, IVSHM_REASON_EXIT);
	KUNIT_EXPECT_EQ(test, pair->reason, IVSHM_REASON_EXIT);
	ct_up(ct, 1);
	ct_broadcast(ct, 1);
	KUNIT_EXPECT_EQ(test, ct_unicast(ct, 0, 1), IVSHM_PATH_DENY);
	KUNIT_EXPECT_EQ(test, pair->reason, IVSHM_REASON_DENIED);

	/* Joined with an epoch of its own: workers wait for what went elsewhere. */
	epoch = pair->epoch;
	KUNIT_ASSERT_EQ(test, policy_allow(p, "kt0", "kt1"), 0);
	KUNIT_EXPECT_NE(test, ct_unicast(ct, 0, 1), IVSHM_PATH_DENY);
	KUNIT_EXPECT_EQ(test, pair->state, IVSHM_PAIR_COUPLED);
	KUNIT_EXPECT_EQ(test, pair->reason, IVSHM_REASON_STATIC);
	KUNIT_EXPECT_NE(test, pair->epoch, epoch);
}

static void policy_cable_test(struct kunit *test)
{
	struct policy *p = policy_new(test);
	struct ct *ct = test->priv;

	denial_set(&p->deny[0], "kt0", "kt1");
	denial_set(&p->deny[1], "kt1", "kt0");
	ct->config.deny = p->deny;
	ct->config.nr_deny = 2;
	ct_setup(test, IVSHM_COUPLING_STATIC, 2);
	KUNIT_EXPECT_EQ(test, ct_unicast(ct, 0, 1), IVSHM_PATH_DENY);
	KUNIT_EXPECT_EQ(test, ct_broadcast(ct, 0), IVSHM_PATH_DENY);
	KUNIT_EXPECT_EQ(test, ct_unicast(ct, 1, 0), IVSHM_PATH_DENY);
	KUNIT_EXPECT_EQ(test, ct_find("kt-a")->state, IVSHM_COUPLING_READY);
	KUNIT_ASSERT_EQ(test, policy_allow(p, "kt1", "kt0"), 0);
	KUNIT_EXPECT_EQ(test, ct_find("kt-a")->state, IVSHM_COUPLING_COUPLED);
	KUNIT_EXPECT_EQ(test, ct_unicast(ct, 0, 1), IVSHM_PATH_DENY);
	KUNIT_EXPECT_NE(test, ct_unicast(ct, 1, 0), IVSHM_PATH_DENY);
}

static void policy_dynamic_test(struct kunit *test)
{
	struct policy *p = policy_new(test);
	struct ct *ct = test->priv;
	struct ivshm_decision d;
	struct ivshm_pair *pair;
	struct ct_frame frame;
	bool nobody;

	ct_setup_bypass(test, 3);
	ct_join(ct, 0, 1);
	ct_join(ct, 1, 0);
	KUNIT_EXPECT_EQ(test, ct_unicast(ct, 0, 1), IVSHM_PATH_DIRECT);
	KUNIT_ASSERT_EQ(test, policy_deny(p, "kt0", "kt1"), 0);
	pair = ct_pair(ct, 0, 1);
	KUNIT_EXPECT_EQ(test, pair->state, IVSHM_PAIR_UPLINK);
	KUNIT_EXPECT_EQ(test, pair->reason, IVSHM_REASON_DENIED);
	KUNIT_EXPECT_EQ(test, ct_unicast(ct, 0, 1), IVSHM_PATH_UPLINK);
	KUNIT_EXPECT_EQ(test, pair->reason, IVSHM_REASON_DENIED);
	ct_frame(&frame, 0, 1);
	rcu_read_lock();
	KUNIT_EXPECT_EQ(test, ivshm_detector_direct(ct->port[0], frame.hdr, &d, &nobody), 0U);
	KUNIT_EXPECT_FALSE(test, nobody);
	rcu_read_unlock();
	/* Nor by one who was told to hold its frames just before. */
	ct_joined(ct, 0, pair, true);
	KUNIT_EXPECT_EQ(test, pair->state, IVSHM_PAIR_UPLINK);
	KUNIT_EXPECT_EQ(test, ct_unicast(ct, 1, 0), IVSHM_PATH_DIRECT);

	KUNIT_ASSERT_EQ(test, policy_allow(p, "kt0", "kt1"), 0);
	KUNIT_EXPECT_EQ(test, pair->reason, IVSHM_REASON_NO_TRAFFIC);
	KUNIT_EXPECT_EQ(test, ct_unicast(ct, 0, 1), IVSHM_PATH_HOLD);
	/* While it is being joined, too. */
	KUNIT_ASSERT_EQ(test, policy_deny(p, "kt0", "kt1"), 0);
	KUNIT_EXPECT_EQ(test, pair->state, IVSHM_PAIR_UPLINK);
	ct_joined(ct, 0, pair, true);
	KUNIT_EXPECT_EQ(test, ct_unicast(ct, 0, 1), IVSHM_PATH_UPLINK);
}

/* Those by a rule are denied by the names that they have then. */
static void policy_pattern_test(struct kunit *test)
{
	struct policy *p = policy_new(test);
	struct ct *ct = test->priv;
	int i;

	denial_set(&p->deny[0], "kt[1-9]", "kt[1-9]");
	ct->config.deny = p->deny;
	ct->config.nr_deny = 1;
	strscpy(ct->config.name, "kt-a", sizeof(ct->config.name));
	ct->config.type = IVSHM_COUPLING_STATIC;
	ct->config.nr = 1;
	ct->config.member[0].is_rule = true;
	ct->config.member[0].rule.kind = IVSHM_RULE_GLOB;
	strscpy(ct->config.member[0].rule.name, "kt*", IFNAMSIZ);
	mutex_lock(&ivshm_mutex);
	KUNIT_EXPECT_EQ(test, ivshm_coupling_new(&init_net, &ct->config, NULL), 0);
	mutex_unlock(&ivshm_mutex);
	/* In no order. */
	for (i = 3; i--; )
		ct_up(ct, i);
	for (i = 0; i < 3; i++)
		ct_broadcast(ct, i);
	KUNIT_EXPECT_EQ(test, ct_unicast(ct, 1, 2), IVSHM_PATH_DENY);
	KUNIT_EXPECT_EQ(test, ct_unicast(ct, 2, 1), IVSHM_PATH_DENY);
	for (i = 1; i < 3; i++) {
		KUNIT_EXPECT_NE(test, ct_unicast(ct, 0, i), IVSHM_PATH_DENY);
		KUNIT_EXPECT_NE(test, ct_unicast(ct, i, 0), IVSHM_PATH_DENY);
	}
	ct->config.member[0].is_rule = false;
}

static void policy_refused_test(struct kunit *test)
{
	static const struct {
		const char *src, *dst;
	} wrong[] = {
		{ "", "kt1" }, { "kt0", "" }, { "kt0", "a/b" }, { "a b", "kt1" },
		{ "kt0", "kt0" }, { "kt0", "ktx" }, { "ktx", "kt0" }, { "kt0", "x*" },
	};
	struct policy *p = policy_new(test);
	struct ivshm_coupling_config config = { .deny = p->deny, .nr_deny = 2 };
	struct ct *ct = test->priv;
	const struct nlattr *bad;
	int i;

	ct_setup(test, IVSHM_COUPLING_STATIC, 3);
	denial_set(&p->deny[0], "kt0", "kt1");
	for (i = 0; i < ARRAY_SIZE(wrong); i++) {
		denial_set(&p->deny[1], wrong[i].src, wrong[i].dst);
		KUNIT_EXPECT_EQ(test, policy_set(&config, &bad), -EINVAL);
		KUNIT_EXPECT_PTR_EQ(test, bad, (const struct nlattr *)&p->attr[1]);
	}
	/* All or nothing. */
	KUNIT_EXPECT_NE(test, ct_unicast(ct, 0, 1), IVSHM_PATH_DENY);
	KUNIT_EXPECT_EQ(test, ct_find("kt-a")->nr_denials, 0U);

	/* Twice is once; what is not there is not taken away. */
	KUNIT_EXPECT_EQ(test, policy_deny(p, "kt0", "kt1"), 0);
	KUNIT_EXPECT_EQ(test, policy_deny(p, "kt0", "kt1"), 0);
	KUNIT_EXPECT_EQ(test, ct_find("kt-a")->nr_denials, 1U);
	KUNIT_EXPECT_EQ(test, policy_allow(p, "kt1", "kt0"), -ENOENT);
	KUNIT_EXPECT_EQ(test, policy_allow(p, "kt*", "kt1"), -ENOENT);
	KUNIT_EXPECT_EQ(test, ct_unicast(ct, 0, 1), IVSHM_PATH_DENY);
	KUNIT_EXPECT_EQ(test, policy_allow(p, "kt0", "kt1"), 0);
	KUNIT_EXPECT_EQ(test, policy_allow(p, "kt0", "kt1"), -ENOENT);
	KUNIT_EXPECT_EQ(test, ct_find("kt-a")->nr_denials, 0U);

	/* As many as there may be, and one more. */
	for (i = 0; i < DENIALS; i++) {
		char src[IFNAMSIZ];

		/* With any number of stars a pattern is another one, for the same. */
		snprintf(src, sizeof(src), "%.*s0", 1 + i % 13, "*************");
		denial_set(&p->deny[i], src, i % 2 ? "kt1" : "kt2");
		snprintf(p->deny[i].names.dst, IFNAMSIZ, "kt[1-%d]", 2 + i / 13);
	}
	config.nr_deny = DENIALS;
	KUNIT_EXPECT_EQ(test, policy_set(&config, &bad), -E2BIG);
	KUNIT_EXPECT_PTR_EQ(test, bad, (const struct nlattr *)&p->attr[DENIALS - 1]);
	KUNIT_EXPECT_EQ(test, ct_find("kt-a")->nr_denials, 0U);
	config.nr_deny = DENIALS - 1;
	KUNIT_EXPECT_EQ(test, policy_set(&config, &bad), 0);
	KUNIT_EXPECT_EQ(test, ct_find("kt-a")->nr_denials, (u32)IVSHM_DENIES_MAX);

	/* When it is made: it is not. */
	config.nr_deny = 1;
	denial_set(&p->deny[0], "kt9", "kt3");
	ct->config.deny = p->deny;
	ct->config.nr_deny = 1;
	KUNIT_EXPECT_EQ(test, ct_couple_other(ct), -EINVAL);
	KUNIT_EXPECT_NULL(test, ct_find("kt-b"));
}

/* What a decision says of rates, and of frames that find no buffers. */
static void policy_options_test(struct kunit *test)
{
	struct ivshm_coupling_config config = {
		.full = IVSHM_FULL_DROP,
		.given = BIT(IVSHM_A_COUPLING_FULL),
	};
	struct ct *ct = test->priv;
	struct ivshm_decision d = {};
	struct ivshm_bucket *bucket;
	struct ct_frame frame;
	bool nobody;

	ct_setup(test, IVSHM_COUPLING_STATIC, 3);
	bucket = &ct_member(ct, 0)->bucket;
	ct_frame(&frame, 0, 1);
	ct_send(ct, 0, &frame);
	KUNIT_EXPECT_NULL(test, frame.d.bucket);
	KUNIT_EXPECT_FALSE(test, frame.d.drops);
	KUNIT_ASSERT_EQ(test, policy_set(&config, NULL), 0);
	ct_send(ct, 0, &frame);
	KUNIT_EXPECT_TRUE(test, frame.d.drops);
	rcu_read_lock();
	KUNIT_EXPECT_EQ(test, ivshm_detector_direct(ct->port[0], frame.hdr, &d, &nobody),
			U32_MAX);
	rcu_read_unlock();
	KUNIT_EXPECT_TRUE(test, d.drops);

	/* One of the two is enough; frames go one by one then. */
	config.given = BIT(IVSHM_A_COUPLING_RATE_FRAMES);
	config.rate_frames = 5000;
	KUNIT_ASSERT_EQ(test, policy_set(&config, NULL), 0);
	ct_send(ct, 0, &frame);
	KUNIT_EXPECT_PTR_EQ(test, frame.d.bucket, bucket);
	KUNIT_EXPECT_EQ(test, bucket->frames.rate, 5000ULL);
	KUNIT_EXPECT_EQ(test, bucket->bytes.rate, 0ULL);
	rcu_read_lock();
	KUNIT_EXPECT_EQ(test, ivshm_detector_direct(ct->port[0], frame.hdr, &d, &nobody), 0U);
	KUNIT_EXPECT_FALSE(test, nobody);
	rcu_read_unlock();
	config.given = BIT(IVSHM_A_COUPLING_RATE_BYTES);
	config.rate_bytes = IVSHM_RATE_BYTES_MAX;
	KUNIT_ASSERT_EQ(test, policy_set(&config, NULL), 0);
	KUNIT_EXPECT_EQ(test, bucket->frames.rate, 5000ULL);
	KUNIT_EXPECT_EQ(test, bucket->bytes.rate, (u64)IVSHM_RATE_BYTES_MAX);
	/* A member that stops and starts again has no more than before. */
	bucket->bytes.left = -1;
	bucket->frames.left = -1;
	ct_down(ct, 0, IVSHM_REASON_EXIT);
	ct_up(ct, 0);
	KUNIT_EXPECT_EQ(test, bucket->bytes.left, -1LL);
	KUNIT_EXPECT_EQ(test, bucket->frames.left, -1LL);

	config.given = BIT(IVSHM_A_COUPLING_RATE_BYTES) | BIT(IVSHM_A_COUPLING_RATE_FRAMES);
	config.rate_bytes = 0;
	config.rate_frames = 0;
	KUNIT_ASSERT_EQ(test, policy_set(&config, NULL), 0);
	ct_send(ct, 0, &frame);
	KUNIT_EXPECT_NULL(test, frame.d.bucket);

	config.rate_bytes = IVSHM_RATE_BYTES_MAX + 1;
	KUNIT_EXPECT_EQ(test, policy_set(&config, NULL), -EINVAL);
	config.rate_bytes = 0;
	config.rate_frames = IVSHM_RATE_FRAMES_MAX + 1;
	KUNIT_EXPECT_EQ(test, policy_set(&config, NULL), -EINVAL);
	config.given = BIT(IVSHM_A_COUPLING_FULL);
	config.full = IVSHM_FULL_DROP + 1;
	KUNIT_EXPECT_EQ(test, policy_set(&config, NULL), -EINVAL);
}

static struct kunit_case policy_cases[] = {
	KUNIT_CASE(policy_static_test),
	KUNIT_CASE(policy_cable_test),
	KUNIT_CASE(policy_dynamic_test),
	KUNIT_CASE(policy_pattern_test),
	KUNIT_CASE(policy_refused_test),
	KUNIT_CASE(policy_options_test),
	{}
};

static struct kunit_suite policy_suite = {
	.name = "ivshm-policy",
	.suite_init = ct_suite_init,
	.suite_exit = ct_suite_exit,
	.init = ct_init,
	.exit = ct_exit,
	.test_cases = policy_cases,
};

kunit_test_suite(policy_suite);
