// SPDX-License-Identifier: GPL-2.0
/* KUnit tests of couplings: members that fit a rule. */
#include <linux/socket.h>
#include <net/net_namespace.h>

#include "coupling_test.h"

/* A dynamic coupling with one rule, which is not asked about the bridge. */
static int couple_rule(struct ct *ct, const char *name, const struct ivshm_rule *rule)
{
	int err;

	strscpy(ct->config.name, name, sizeof(ct->config.name));
	ct->config.type = IVSHM_COUPLING_DYNAMIC;
	ct->config.bypass = true;
	ct->config.given = BIT(IVSHM_A_COUPLING_BYPASS);
	ct->config.nr = 1;
	ct->config.member[0].is_rule = true;
	ct->config.member[0].rule = *rule;
	mutex_lock(&ivshm_mutex);
	err = ivshm_coupling_new(&init_net, &ct->config, NULL);
	mutex_unlock(&ivshm_mutex);
	ct->config.member[0].is_rule = false;
	return err;
}

static int couple_glob(struct ct *ct, const char *name, const char *glob)
{
	struct ivshm_rule rule = { .kind = IVSHM_RULE_GLOB };

	strscpy(rule.name, glob, sizeof(rule.name));
	return couple_rule(ct, name, &rule);
}

/* Which coupling the port is in, "" for none. */
static const char *where(struct ct *ct, int i)
{
	const struct ivshm_member *member = ct_member(ct, i);

	return member ? member->coupling->name : "";
}

static u32 places_taken(const char *name)
{
	const struct ivshm_coupling *coupling = ct_find(name);
	u32 i, nr = 0;

	for (i = 0; i < coupling->nr; i++)
		nr += !!*coupling->member[i].name;
	return nr;
}

static void rules_glob_test(struct kunit *test)
{
	struct ct *ct = test->priv;

	ct_up(ct, 0);
	KUNIT_ASSERT_EQ(test, couple_glob(ct, "kt-g", "kt[01]"), 0);
	KUNIT_EXPECT_STREQ(test, where(ct, 0), "kt-g");
	KUNIT_EXPECT_EQ(test, ct_find("kt-g")->state, IVSHM_COUPLING_WAITING);
	ct_up(ct, 1);
	ct_up(ct, 3);
	KUNIT_EXPECT_STREQ(test, where(ct, 1), "kt-g");
	KUNIT_EXPECT_STREQ(test, where(ct, 3), "");
	KUNIT_EXPECT_EQ(test, ct_find("kt-g")->state, IVSHM_COUPLING_READY);
	KUNIT_EXPECT_EQ(test, places_taken("kt-g"), 2);

	/* The place goes with the port. */
	ct_down(ct, 0, IVSHM_REASON_EXIT);
	KUNIT_EXPECT_STREQ(test, where(ct, 0), "");
	KUNIT_EXPECT_EQ(test, places_taken("kt-g"), 1);
	ct_up(ct, 0);
	KUNIT_EXPECT_STREQ(test, where(ct, 0), "kt-g");

	/* And with its name; the address table is asked anew then. */
	mutex_lock(&ivshm_mutex);
	strscpy(ct->port[0]->name, "kx0", IFNAMSIZ);
	ivshm_coupling_port_up(ct->port[0]);
	KUNIT_EXPECT_STREQ(test, where(ct, 0), "");
	strscpy(ct->port[0]->name, "kt0", IFNAMSIZ);
	ivshm_coupling_port_up(ct->port[0]);
	mutex_unlock(&ivshm_mutex);
	KUNIT_EXPECT_STREQ(test, where(ct, 0), "kt-g");
	KUNIT_EXPECT_EQ(test, places_taken("kt-g"), 2);
}

static void rules_order_test(struct kunit *test)
{
	struct ct *ct = test->priv;

	ct_up(ct, 0);
	ct_up(ct, 1);
	KUNIT_ASSERT_EQ(test, couple_glob(ct, "kt-g", "kt*"), 0);
	KUNIT_ASSERT_EQ(test, couple_glob(ct, "kt-h", "kt0"), 0);
	/* The oldest one has them. */
	KUNIT_EXPECT_STREQ(test, where(ct, 0), "kt-g");
	/* Whoever names them takes them, and they come back. */
	ct->config.given = 0;
	KUNIT_ASSERT_EQ(test, ct_couple(ct, "kt-a", IVSHM_COUPLING_STATIC, 2), 0);
	KUNIT_EXPECT_STREQ(test, where(ct, 0), "kt-a");
	KUNIT_EXPECT_STREQ(test, where(ct, 1), "kt-a");
	KUNIT_EXPECT_EQ(test, places_taken("kt-g"), 0);
	ct_del("kt-a");
	KUNIT_EXPECT_STREQ(test, where(ct, 0), "kt-g");
	ct_del("kt-g");
	KUNIT_EXPECT_STREQ(test, where(ct, 0), "kt-h");
	KUNIT_EXPECT_STREQ(test, where(ct, 1), "");
}

static void rules_addr_test(struct kunit *test)
{
	struct ivshm_rule rule = { .kind = IVSHM_RULE_ADDR, .family = AF_INET, .addr = { 10, 9 } };
	struct ivshm_addr_config cfg = { .family = AF_INET, .addr = { 10, 9 }, .name = "kt1" };
	struct ct *ct = test->priv;

	ct_up(ct, 1);
	KUNIT_ASSERT_EQ(test, couple_rule(ct, "kt-g", &rule), 0);
	KUNIT_EXPECT_STREQ(test, where(ct, 1), "");
	/* What a guest says of itself does not count. */
	rcu_read_lock();
	ivshm_addr_learn_ip(ct->port[1], AF_INET, cfg.addr);
	rcu_read_unlock();
	mutex_lock(&ivshm_mutex);
	ivshm_coupling_look(&init_net, NULL);
	KUNIT_EXPECT_STREQ(test, where(ct, 1), "");
	KUNIT_EXPECT_EQ(test, ivshm_addr_config_add(&init_net, &cfg, NULL), 0);
	mutex_unlock(&ivshm_mutex);
	KUNIT_EXPECT_STREQ(test, where(ct, 1), "kt-g");
	ct_down(ct, 1, IVSHM_REASON_EXIT);
	ct_up(ct, 1);
	KUNIT_EXPECT_STREQ(test, where(ct, 1), "kt-g");
	mutex_lock(&ivshm_mutex);
	KUNIT_EXPECT_EQ(test, ivshm_addr_config_del(&init_net, &cfg, NULL), 0);
	mutex_unlock(&ivshm_mutex);
	KUNIT_EXPECT_STREQ(test, where(ct, 1), "");
}

static void rules_reuse_test(struct kunit *test)
{
	struct ivshm_pair_stats stats;
	struct ct *ct = test->priv;

	KUNIT_ASSERT_EQ(test, couple_glob(ct, "kt-g", "kt*"), 0);
	ct_up(ct, 0);
	ct_up(ct, 1);
	ct_broadcast(ct, 0);
	ct_broadcast(ct, 1);
	ct_join(ct, 0, 1);
	KUNIT_EXPECT_EQ(test, ct_unicast(ct, 0, 1), IVSHM_PATH_DIRECT);
	this_cpu_add(ct_pair(ct, 0, 1)->stats->frames, 5);
	this_cpu_add(ct_pair(ct, 1, 0)->stats->frames, 5);
	KUNIT_EXPECT_EQ(test, ct_find("kt-g")->state, IVSHM_COUPLING_COUPLED);

	/* Another port in the same place begins anew. */
	ct_down(ct, 1, IVSHM_REASON_EXIT);
	KUNIT_EXPECT_EQ(test, ct_find("kt-g")->state, IVSHM_COUPLING_WAITING);
	KUNIT_EXPECT_EQ(test, ct_unicast(ct, 0, 1), IVSHM_PATH_UPLINK);
	ct_up(ct, 3);
	ct_broadcast(ct, 3);
	KUNIT_EXPECT_EQ(test, ct_member(ct, 3)->index, 1);
	ivshm_pair_read_stats(ct_pair(ct, 0, 3), &stats);
	KUNIT_EXPECT_EQ(test, stats.frames, 0);
	ivshm_pair_read_stats(ct_pair(ct, 3, 0), &stats);
	KUNIT_EXPECT_EQ(test, stats.frames, 0);
	KUNIT_EXPECT_EQ(test, ct_unicast(ct, 0, 3), IVSHM_PATH_HOLD);
}

static void rules_refuse_test(struct kunit *test)
{
	struct ivshm_rule rule = { .kind = IVSHM_RULE_GLOB };
	struct ct *ct = test->priv;

	KUNIT_EXPECT_EQ(test, couple_rule(ct, "kt-g", &rule), -EINVAL);
	strscpy(rule.name, "a b", sizeof(rule.name));
	KUNIT_EXPECT_EQ(test, couple_rule(ct, "kt-g", &rule), -EINVAL);
	rule.kind = IVSHM_RULE_UPPER;
	KUNIT_EXPECT_EQ(test, couple_rule(ct, "kt-g", &rule), -EINVAL);
	rule.kind = IVSHM_RULE_ADDR;
	rule.family = AF_INET;
	KUNIT_EXPECT_EQ(test, couple_rule(ct, "kt-g", &rule), -EINVAL);
	KUNIT_EXPECT_NULL(test, ct_find("kt-g"));
}

/* Whether what is done for all namespaces is done for @coupling. */
static bool is_active(const struct ivshm_coupling *coupling)
{
	const struct ivshm_coupling *other;
	bool found = false;

	mutex_lock(&ivshm_mutex);
	list_for_each_entry(other, &ivshm_couplings_active, active)
		found |= other == coupling;
	mutex_unlock(&ivshm_mutex);
	return found;
}

/* Couplings without members that run, of which anybody can have many, cost nothing. */
static void coupling_active_test(struct kunit *test)
{
	const struct ivshm_space *space = ivshm_space(&init_net);
	struct ct *ct = test->priv;
	u32 nr = space->nr_couplings;
	struct ivshm_coupling *coupling;

	KUNIT_ASSERT_EQ(test, ct_couple(ct, "kt-a", IVSHM_COUPLING_DYNAMIC, 2), 0);
	KUNIT_EXPECT_EQ(test, space->nr_couplings, nr + 1);
	coupling = ct_find("kt-a");
	KUNIT_EXPECT_FALSE(test, is_active(coupling));
	ct_up(ct, 0);
	KUNIT_EXPECT_TRUE(test, is_active(coupling));
	ct_up(ct, 1);
	ct_down(ct, 0, IVSHM_REASON_EXIT);
	KUNIT_EXPECT_TRUE(test, is_active(coupling));
	ct_down(ct, 1, IVSHM_REASON_EXIT);
	KUNIT_EXPECT_FALSE(test, is_active(coupling));
	ct_up(ct, 0);
	KUNIT_EXPECT_TRUE(test, is_active(coupling));
	ct_del("kt-a");
	KUNIT_EXPECT_FALSE(test, is_active(coupling));
	KUNIT_EXPECT_EQ(test, space->nr_couplings, nr);
}

static struct kunit_case coupling_rules_cases[] = {
	KUNIT_CASE(rules_glob_test),
	KUNIT_CASE(rules_order_test),
	KUNIT_CASE(rules_addr_test),
	KUNIT_CASE(rules_reuse_test),
	KUNIT_CASE(rules_refuse_test),
	KUNIT_CASE(coupling_active_test),
	{}
};

static struct kunit_suite coupling_rules_suite = {
	.name = "ivshm-coupling-rules",
	.suite_init = ct_suite_init,
	.suite_exit = ct_suite_exit,
	.init = ct_init,
	.exit = ct_exit,
	.test_cases = coupling_rules_cases,
};

kunit_test_suite(coupling_rules_suite);
