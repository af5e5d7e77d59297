// SPDX-License-Identifier: GPL-2.0
/* KUnit tests of couplings: what may be asked for, binding, states. */
#include <linux/netlink.h>
#include <net/net_namespace.h>

#include "coupling_test.h"
#include "netlink.h"

static enum ivshm_coupling_state state(const char *name)
{
	const struct ivshm_coupling *coupling = ct_find(name);

	return coupling ? coupling->state : IVSHM_COUPLING_GONE;
}

static unsigned int nr_couplings(void)
{
	unsigned int nr = 0;
	struct list_head *at;

	mutex_lock(&ivshm_mutex);
	list_for_each(at, &ivshm_space(&init_net)->couplings)
		nr++;
	mutex_unlock(&ivshm_mutex);
	return nr;
}

/*
 * What may be asked for
 */

/* The refusal of ct->config, and the attribute it names. */
static int refused(struct ct *ct, const struct nlattr **bad)
{
	struct netlink_ext_ack extack = {};
	int err;

	mutex_lock(&ivshm_mutex);
	err = ivshm_coupling_new(&init_net, &ct->config, &extack);
	mutex_unlock(&ivshm_mutex);
	*bad = extack.bad_attr;
	/* Never without a text. */
	return err && !extack._msg ? -ENOMSG : err;
}

/* A configuration that is fine, and attributes to be named. */
static void config_fine(struct ct *ct, struct nlattr *attr, struct nlattr **tb)
{
	int i;

	memset(&ct->config.name, 0, sizeof(ct->config.name));
	strscpy(ct->config.name, "kt-fine", sizeof(ct->config.name));
	ct->config.type = IVSHM_COUPLING_DYNAMIC;
	ct->config.given = 0;
	ct->config.nr = 3;
	for (i = 0; i <= IVSHM_MEMBERS_MAX; i++)
		snprintf(ct->config.member[i].name, IFNAMSIZ, "ktm%d", i);
	for (i = 0; i <= IVSHM_A_COUPLING_RULES; i++)
		tb[i] = &attr[i];
	ct->config.attr = tb;
}

struct config_case {
	const char *what;
	void (*spoil)(struct ivshm_coupling_config *config);
	int err;
	int attr;	/* named in the refusal, 0 for a member */
};

static void spoil_name_empty(struct ivshm_coupling_config *config)
{
	config->name[0] = '\0';
}

static void spoil_name_long(struct ivshm_coupling_config *config)
{
	memset(config->name, 'a', sizeof(config->name));
}

static void spoil_name_space(struct ivshm_coupling_config *config)
{
	config->name[2] = ' ';
}

static void spoil_name_slash(struct ivshm_coupling_config *config)
{
	config->name[2] = '/';
}

static void spoil_name_control(struct ivshm_coupling_config *config)
{
	config->name[2] = '\n';
}

static void spoil_name_eight_bit(struct ivshm_coupling_config *config)
{
	config->name[2] = '\xe9';
}

static void spoil_type(struct ivshm_coupling_config *config)
{
	config->type = IVSHM_COUPLING_DYNAMIC + 1;
}

static void spoil_one_member(struct ivshm_coupling_config *config)
{
	config->nr = 1;
}

static void spoil_many_members(struct ivshm_coupling_config *config)
{
	config->nr = IVSHM_MEMBERS_MAX + 1;
}

static void spoil_member_twice(struct ivshm_coupling_config *config)
{
	strscpy(config->member[2].name, config->member[0].name, IFNAMSIZ);
}

static void spoil_member_name(struct ivshm_coupling_config *config)
{
	strscpy(config->member[2].name, "a/b", IFNAMSIZ);
}

static void spoil_member_empty(struct ivshm_coupling_config *config)
{
	config->member[2].name[0] = '\0';
}

static void spoil_threshold_zero(struct ivshm_coupling_config *config)
{
	config->threshold = 0;
	config->given = BIT(IVSHM_A_COUPLING_THRESHOLD);
}

static void spoil_threshold(struct ivshm_coupling_config *config)
{
	config->threshold = IVSHM_THRESHOLD_MAX + 1;
	config->given = BIT(IVSHM_A_COUPLING_THRESHOLD);
}

static void spoil_idle(struct ivshm_coupling_config *config)
{
	config->idle = IVSHM_IDLE_MAX + 1;
	config->given = BIT(IVSHM_A_COUPLING_IDLE);
}

static void spoil_park(struct ivshm_coupling_config *config)
{
	config->park_us = IVSHM_PARK_US_MAX + 1;
	config->given = BIT(IVSHM_A_COUPLING_PARK_US);
}

static void spoil_bypass(struct ivshm_coupling_config *config)
{
	config->bypass = 2;
	config->given = BIT(IVSHM_A_COUPLING_BYPASS);
}

static void spoil_strict(struct ivshm_coupling_config *config)
{
	config->strict = 2;
	config->given = BIT(IVSHM_A_COUPLING_STRICT);
}

static void spoil_match(struct ivshm_coupling_config *config)
{
	config->match = IVSHM_MATCH_IP + 1;
	config->given = BIT(IVSHM_A_COUPLING_MATCH);
}

static void spoil_static_match(struct ivshm_coupling_config *config)
{
	config->type = IVSHM_COUPLING_STATIC;
	config->match = IVSHM_MATCH_IP;
	config->given = BIT(IVSHM_A_COUPLING_MATCH);
}

static void spoil_static_threshold(struct ivshm_coupling_config *config)
{
	config->type = IVSHM_COUPLING_STATIC;
	config->threshold = 1;
	config->given = BIT(IVSHM_A_COUPLING_THRESHOLD);
}

static void spoil_static_idle(struct ivshm_coupling_config *config)
{
	config->type = IVSHM_COUPLING_STATIC;
	config->idle = 1;
	config->given = BIT(IVSHM_A_COUPLING_IDLE);
}

static void spoil_static_bypass(struct ivshm_coupling_config *config)
{
	config->type = IVSHM_COUPLING_STATIC;
	config->bypass = true;
	config->given = BIT(IVSHM_A_COUPLING_BYPASS);
}

static const struct config_case config_cases[] = {
	{ "empty name", spoil_name_empty, -EINVAL, IVSHM_A_COUPLING_NAME },
	{ "long name", spoil_name_long, -EINVAL, IVSHM_A_COUPLING_NAME },
	{ "space", spoil_name_space, -EINVAL, IVSHM_A_COUPLING_NAME },
	{ "slash", spoil_name_slash, -EINVAL, IVSHM_A_COUPLING_NAME },
	{ "control character", spoil_name_control, -EINVAL, IVSHM_A_COUPLING_NAME },
	{ "not ASCII", spoil_name_eight_bit, -EINVAL, IVSHM_A_COUPLING_NAME },
	{ "type", spoil_type, -EINVAL, IVSHM_A_COUPLING_TYPE },
	{ "one member", spoil_one_member, -EINVAL, IVSHM_A_COUPLING_MEMBERS },
	{ "many members", spoil_many_members, -E2BIG, IVSHM_A_COUPLING_MEMBERS },
	{ "member twice", spoil_member_twice, -EINVAL },
	{ "member's name", spoil_member_name, -EINVAL },
	{ "member without name", spoil_member_empty, -EINVAL },
	{ "threshold 0", spoil_threshold_zero, -EINVAL, IVSHM_A_COUPLING_THRESHOLD },
	{ "threshold", spoil_threshold, -EINVAL, IVSHM_A_COUPLING_THRESHOLD },
	{ "idle", spoil_idle, -EINVAL, IVSHM_A_COUPLING_IDLE },
	{ "park", spoil_park, -EINVAL, IVSHM_A_COUPLING_PARK_US },
	{ "strict", spoil_strict, -EINVAL, IVSHM_A_COUPLING_STRICT },
	{ "match", spoil_match, -EINVAL, IVSHM_A_COUPLING_MATCH },
	{ "static match", spoil_static_match, -EINVAL, IVSHM_A_COUPLING_MATCH },
	{ "bypass", spoil_bypass, -EINVAL, IVSHM_A_COUPLING_BYPASS },
	{ "static threshold", spoil_static_threshold, -EINVAL,
	  IVSHM_A_COUPLING_THRESHOLD },
	{ "static idle", spoil_static_idle, -EINVAL, IVSHM_A_COUPLING_IDLE },
	{ "static bypass", spoil_static_bypass, -EINVAL, IVSHM_A_COUPLING_BYPASS },
};

static void coupling_refuse_test(struct kunit *test)
{
	struct nlattr *attr, *tb[IVSHM_A_COUPLING_RULES + 1], member_attr;
	unsigned int before = nr_couplings();
	struct ct *ct = test->priv;
	const struct nlattr *bad;
	int i;

	attr = kunit_kcalloc(test, ARRAY_SIZE(tb), sizeof(*attr), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, attr);
	for (i = 0; i < ARRAY_SIZE(config_cases); i++) {
		const struct config_case *c = &config_cases[i];

		config_fine(ct, attr, tb);
		ct->config.member[2].attr = &member_attr;
		c->spoil(&ct->config);
		KUNIT_EXPECT_EQ_MSG(test, refused(ct, &bad), c->err, "%s", c->what);
		KUNIT_EXPECT_PTR_EQ_MSG(test, bad,
					(const struct nlattr *)(c->attr ?
					&attr[c->attr] : &member_attr),
					"%s", c->what);
	}
	KUNIT_EXPECT_EQ(test, nr_couplings(), before);

	/* What is left when nothing is spoilt. */
	config_fine(ct, attr, tb);
	KUNIT_EXPECT_EQ(test, refused(ct, &bad), 0);
	KUNIT_EXPECT_EQ(test, nr_couplings(), before + 1);
}

static void coupling_limits_test(struct kunit *test)
{
	struct nlattr *attr, *tb[IVSHM_A_COUPLING_RULES + 1];
	struct ivshm_coupling *coupling;
	struct ct *ct = test->priv;
	const struct nlattr *bad;

	attr = kunit_kcalloc(test, ARRAY_SIZE(tb), sizeof(*attr), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, attr);

	/* As large as it gets. */
	config_fine(ct, attr, tb);
	ct->config.nr = IVSHM_MEMBERS_MAX;
	ct->config.threshold = IVSHM_THRESHOLD_MAX;
	ct->config.idle = IVSHM_IDLE_MAX;
	ct->config.park_us = IVSHM_PARK_US_MAX;
	ct->config.bypass = true;
	ct->config.given = BIT(IVSHM_A_COUPLING_THRESHOLD) |
			   BIT(IVSHM_A_COUPLING_IDLE) |
			   BIT(IVSHM_A_COUPLING_PARK_US) |
			   BIT(IVSHM_A_COUPLING_BYPASS);
	KUNIT_ASSERT_EQ(test, refused(ct, &bad), 0);
	coupling = ct_find("kt-fine");
	KUNIT_ASSERT_NOT_NULL(test, coupling);
	KUNIT_EXPECT_EQ(test, coupling->nr, IVSHM_MEMBERS_MAX);
	KUNIT_EXPECT_EQ(test, coupling->threshold, IVSHM_THRESHOLD_MAX);
	KUNIT_EXPECT_EQ(test, coupling->idle, IVSHM_IDLE_MAX);
	KUNIT_EXPECT_EQ(test, coupling->park_us, IVSHM_PARK_US_MAX);
	KUNIT_EXPECT_TRUE(test, coupling->bypass);
	ct_del("kt-fine");

	/* Values that are not given have no say. */
	ct->config.given = 0;
	KUNIT_ASSERT_EQ(test, refused(ct, &bad), 0);
	coupling = ct_find("kt-fine");
	KUNIT_ASSERT_NOT_NULL(test, coupling);
	KUNIT_EXPECT_EQ(test, coupling->threshold, IVSHM_THRESHOLD_DEFAULT);
	KUNIT_EXPECT_EQ(test, coupling->idle, IVSHM_IDLE_DEFAULT);
	KUNIT_EXPECT_EQ(test, coupling->park_us, IVSHM_PARK_US_DEFAULT);
	KUNIT_EXPECT_FALSE(test, coupling->bypass);
}

static void coupling_taken_test(struct kunit *test)
{
	struct nlattr *attr, *tb[IVSHM_A_COUPLING_RULES + 1], member_attr;
	struct ct *ct = test->priv;
	const struct nlattr *bad;

	attr = kunit_kcalloc(test, ARRAY_SIZE(tb), sizeof(*attr), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, attr);
	ct_up(ct, 2);
	KUNIT_ASSERT_EQ(test, ct_couple(ct, "kt-a", IVSHM_COUPLING_DYNAMIC, 2), 0);

	/* The name. */
	config_fine(ct, attr, tb);
	strscpy(ct->config.name, "kt-a", sizeof(ct->config.name));
	KUNIT_EXPECT_EQ(test, refused(ct, &bad), -EEXIST);
	KUNIT_EXPECT_PTR_EQ(test, bad, (const struct nlattr *)tb[IVSHM_A_COUPLING_NAME]);

	/* A member; the others of the same request are not bound either. */
	config_fine(ct, attr, tb);
	strscpy(ct->config.member[1].name, "kt2", IFNAMSIZ);
	strscpy(ct->config.member[2].name, "kt1", IFNAMSIZ);
	ct->config.member[2].attr = &member_attr;
	KUNIT_EXPECT_EQ(test, refused(ct, &bad), -EBUSY);
	KUNIT_EXPECT_PTR_EQ(test, bad, (const struct nlattr *)&member_attr);
	KUNIT_EXPECT_NULL(test, ct_member(ct, 2));

	/* Both are free again when the coupling is gone. */
	ct_del("kt-a");
	strscpy(ct->config.name, "kt-a", sizeof(ct->config.name));
	KUNIT_EXPECT_EQ(test, refused(ct, &bad), 0);
	KUNIT_EXPECT_NOT_NULL(test, ct_member(ct, 2));
}

/*
 * Binding
 */

static void coupling_ports_later_test(struct kunit *test)
{
	struct ct *ct = test->priv;
	struct ivshm_coupling *coupling;
	u32 seq;

	KUNIT_ASSERT_EQ(test, ct_couple(ct, "kt-a", IVSHM_COUPLING_DYNAMIC, 3), 0);
	coupling = ct_find("kt-a");
	KUNIT_EXPECT_EQ(test, state("kt-a"), IVSHM_COUPLING_WAITING);

	ct_up(ct, 1);
	KUNIT_ASSERT_NOT_NULL(test, ct_member(ct, 1));
	KUNIT_EXPECT_PTR_EQ(test, ct_member(ct, 1), &coupling->member[1]);
	KUNIT_EXPECT_PTR_EQ(test, rcu_access_pointer(coupling->member[1].port),
			    ct->port[1]);
	KUNIT_EXPECT_EQ(test, state("kt-a"), IVSHM_COUPLING_WAITING);
	KUNIT_EXPECT_EQ(test, coupling->member[1].pair[0].reason,
			IVSHM_REASON_NOT_RUNNING);

	ct_up(ct, 0);
	KUNIT_EXPECT_EQ(test, state("kt-a"), IVSHM_COUPLING_READY);
	KUNIT_EXPECT_EQ(test, ct_pair(ct, 0, 1)->state, IVSHM_PAIR_UPLINK);
	KUNIT_EXPECT_EQ(test, ct_pair(ct, 0, 1)->reason, IVSHM_REASON_NO_TRAFFIC);
	KUNIT_EXPECT_EQ(test, ct_pair(ct, 1, 0)->reason, IVSHM_REASON_NO_TRAFFIC);
	KUNIT_EXPECT_EQ(test, coupling->running, 2);

	/* Once more changes nothing, and a stranger is none of its business. */
	ct_broadcast(ct, 0);
	seq = ivshm_nl_seq();
	ct_up(ct, 0);
	ct_up(ct, 3);
	KUNIT_EXPECT_EQ(test, ivshm_nl_seq(), seq);
	KUNIT_EXPECT_NOT_NULL(test, ct_lookup(0));
	KUNIT_EXPECT_EQ(test, coupling->running, 2);
	KUNIT_EXPECT_NULL(test, ct_member(ct, 3));

	ct_down(ct, 1, IVSHM_REASON_EXIT);
	KUNIT_EXPECT_NULL(test, ct_member(ct, 1));
	KUNIT_EXPECT_NULL(test, rcu_access_pointer(coupling->member[1].port));
	KUNIT_EXPECT_EQ(test, coupling->member[0].pair[1].reason, IVSHM_REASON_EXIT);
	KUNIT_EXPECT_EQ(test, coupling->running, 1);
	KUNIT_EXPECT_EQ(test, state("kt-a"), IVSHM_COUPLING_WAITING);
	ct_down(ct, 1, IVSHM_REASON_EXIT);
	KUNIT_EXPECT_EQ(test, coupling->running, 1);
}

static void coupling_ports_first_test(struct kunit *test)
{
	struct ct *ct = test->priv;

	ct_up(ct, 0);
	ct_up(ct, 1);
	/* kt2 exists but does not run. */
	KUNIT_ASSERT_EQ(test, ct_couple(ct, "kt-a", IVSHM_COUPLING_DYNAMIC, 3), 0);
	KUNIT_EXPECT_EQ(test, state("kt-a"), IVSHM_COUPLING_READY);
	KUNIT_EXPECT_NOT_NULL(test, ct_member(ct, 0));
	KUNIT_EXPECT_NOT_NULL(test, ct_member(ct, 1));
	KUNIT_EXPECT_NULL(test, ct_member(ct, 2));

	ct_del("kt-a");
	KUNIT_EXPECT_EQ(test, state("kt-a"), IVSHM_COUPLING_GONE);
	KUNIT_EXPECT_NULL(test, ct_member(ct, 0));
	KUNIT_EXPECT_NULL(test, ct_member(ct, 1));
	ct_down(ct, 0, IVSHM_REASON_EXIT);
}

static void rename_port(struct ct *ct, int i, const char *name)
{
	mutex_lock(&ivshm_mutex);
	strscpy(ct->port[i]->name, name, IFNAMSIZ);
	ivshm_coupling_port_up(ct->port[i]);
	mutex_unlock(&ivshm_mutex);
}

static void coupling_rename_test(struct kunit *test)
{
	struct ivshm_coupling *coupling;
	struct ct *ct = test->priv;
	int i;

	for (i = 0; i < 3; i++)
		ct_up(ct, i);
	KUNIT_ASSERT_EQ(test, ct_couple(ct, "kt-a", IVSHM_COUPLING_DYNAMIC, 2), 0);
	coupling = ct_find("kt-a");

	/* Away: the coupling waits for somebody of the old name. */
	rename_port(ct, 1, "ktx");
	KUNIT_EXPECT_NULL(test, ct_member(ct, 1));
	KUNIT_EXPECT_EQ(test, state("kt-a"), IVSHM_COUPLING_WAITING);
	/* Somebody else has it now. */
	rename_port(ct, 2, "kt1");
	KUNIT_EXPECT_PTR_EQ(test, ct_member(ct, 2), &coupling->member[1]);
	KUNIT_EXPECT_EQ(test, state("kt-a"), IVSHM_COUPLING_READY);
	KUNIT_EXPECT_EQ(test, coupling->running, 2);

	/* Back, while the other one has not been told that it lost the name. */
	rename_port(ct, 1, "kt1");
	KUNIT_EXPECT_PTR_EQ(test, ct_member(ct, 1), &coupling->member[1]);
	KUNIT_EXPECT_NULL(test, ct_member(ct, 2));
	KUNIT_EXPECT_EQ(test, coupling->running, 2);
	rename_port(ct, 2, "kt2");
	KUNIT_EXPECT_NULL(test, ct_member(ct, 2));

	/* From one place to another one of the same coupling. */
	ct_down(ct, 0, IVSHM_REASON_EXIT);
	rename_port(ct, 1, "kt0");
	KUNIT_EXPECT_PTR_EQ(test, ct_member(ct, 1), &coupling->member[0]);
	KUNIT_EXPECT_EQ(test, coupling->running, 1);
}

static void coupling_namespace_test(struct kunit *test)
{
	struct ct *ct = test->priv;

	KUNIT_ASSERT_EQ(test, ct_couple(ct, "kt-a", IVSHM_COUPLING_DYNAMIC, 2), 0);
	ct_up(ct, 0);
	ct_broadcast(ct, 0);
	KUNIT_EXPECT_NOT_NULL(test, ct_lookup(0));

	/* On its way to another namespace. */
	mutex_lock(&ivshm_mutex);
	ct->port[0]->net = NULL;
	ivshm_coupling_port_up(ct->port[0]);
	mutex_unlock(&ivshm_mutex);
	KUNIT_EXPECT_NULL(test, ct_member(ct, 0));
	KUNIT_EXPECT_NULL(test, ct_lookup(0));
	ct->port[0]->net = &init_net;
	ct_up(ct, 0);
	KUNIT_EXPECT_NOT_NULL(test, ct_member(ct, 0));
}

/*
 * States
 */

static void coupling_static_test(struct kunit *test)
{
	struct ct *ct = test->priv;

	ct_up(ct, 0);
	KUNIT_ASSERT_EQ(test, ct_couple(ct, "kt-a", IVSHM_COUPLING_STATIC, 3), 0);
	KUNIT_EXPECT_EQ(test, state("kt-a"), IVSHM_COUPLING_WAITING);
	rcu_read_lock();
	KUNIT_EXPECT_TRUE(test, ivshm_port_isolated(ct->port[0]));
	KUNIT_EXPECT_FALSE(test, ivshm_port_isolated(ct->port[1]));
	rcu_read_unlock();

	ct_up(ct, 1);
	KUNIT_EXPECT_EQ(test, state("kt-a"), IVSHM_COUPLING_COUPLED);
	KUNIT_EXPECT_EQ(test, ct_pair(ct, 0, 1)->state, IVSHM_PAIR_COUPLED);
	KUNIT_EXPECT_EQ(test, ct_pair(ct, 0, 1)->reason, IVSHM_REASON_STATIC);
	KUNIT_EXPECT_EQ(test, ct_pair(ct, 1, 0)->state, IVSHM_PAIR_COUPLED);
	KUNIT_EXPECT_EQ(test, ct_find("kt-a")->coupled, 2);
	ct_up(ct, 2);
	KUNIT_EXPECT_EQ(test, ct_find("kt-a")->coupled, 6);

	ct_down(ct, 1, IVSHM_REASON_RING);
	KUNIT_EXPECT_EQ(test, ct_find("kt-a")->coupled, 2);
	KUNIT_EXPECT_EQ(test, state("kt-a"), IVSHM_COUPLING_COUPLED);
	ct_down(ct, 2, IVSHM_REASON_EXIT);
	KUNIT_EXPECT_EQ(test, ct_find("kt-a")->coupled, 0);
	KUNIT_EXPECT_EQ(test, state("kt-a"), IVSHM_COUPLING_WAITING);
	ct_del("kt-a");
	rcu_read_lock();
	KUNIT_EXPECT_FALSE(test, ivshm_port_isolated(ct->port[0]));
	rcu_read_unlock();
}

static void pair_set(struct ct *ct, int from, int to, enum ivshm_pair_state to_state,
		     enum ivshm_reason reason)
{
	struct ivshm_member *member = ct_member(ct, from);

	spin_lock(&member->coupling->lock);
	ivshm_coupling_pair_set(member, ct_member(ct, to)->index, to_state, reason);
	spin_unlock(&member->coupling->lock);
}

static void coupling_state_test(struct kunit *test)
{
	struct ct *ct = test->priv;
	u32 seq;

	ct_up(ct, 0);
	ct_up(ct, 1);
	KUNIT_ASSERT_EQ(test, ct_couple(ct, "kt-a", IVSHM_COUPLING_DYNAMIC, 2), 0);
	KUNIT_EXPECT_EQ(test, state("kt-a"), IVSHM_COUPLING_READY);

	pair_set(ct, 0, 1, IVSHM_PAIR_JOINING, IVSHM_REASON_TRAFFIC);
	KUNIT_EXPECT_EQ(test, state("kt-a"), IVSHM_COUPLING_READY);
	pair_set(ct, 0, 1, IVSHM_PAIR_COUPLED, IVSHM_REASON_TRAFFIC);
	KUNIT_EXPECT_EQ(test, state("kt-a"), IVSHM_COUPLING_COUPLED);
	pair_set(ct, 1, 0, IVSHM_PAIR_COUPLED, IVSHM_REASON_TRAFFIC);
	pair_set(ct, 0, 1, IVSHM_PAIR_UPLINK, IVSHM_REASON_IDLE);
	KUNIT_EXPECT_EQ(test, state("kt-a"), IVSHM_COUPLING_COUPLED);
	pair_set(ct, 1, 0, IVSHM_PAIR_UPLINK, IVSHM_REASON_IDLE);
	KUNIT_EXPECT_EQ(test, state("kt-a"), IVSHM_COUPLING_READY);

	/* Every change is told, and nothing else is. */
	seq = ivshm_nl_seq();
	pair_set(ct, 0, 1, IVSHM_PAIR_UPLINK, IVSHM_REASON_IDLE);
	pair_set(ct, 0, 1, IVSHM_PAIR_UPLINK, IVSHM_REASON_NO_TRAFFIC);
	KUNIT_EXPECT_EQ(test, ivshm_nl_seq(), seq);
	pair_set(ct, 0, 1, IVSHM_PAIR_JOINING, IVSHM_REASON_TRAFFIC);
	KUNIT_EXPECT_NE(test, ivshm_nl_seq(), seq);
	/* Why a pair stays where it is, too. */
	pair_set(ct, 0, 1, IVSHM_PAIR_UPLINK, IVSHM_REASON_CHECKING);
	seq = ivshm_nl_seq();
	pair_set(ct, 0, 1, IVSHM_PAIR_UPLINK, IVSHM_REASON_FILTER);
	KUNIT_EXPECT_NE(test, ivshm_nl_seq(), seq);
}

static void coupling_stats_test(struct kunit *test)
{
	struct ivshm_pair_stats sum;
	struct ct *ct = test->priv;

	ct_up(ct, 0);
	ct_up(ct, 1);
	ct_up(ct, 2);
	KUNIT_ASSERT_EQ(test, ct_couple(ct, "kt-a", IVSHM_COUPLING_STATIC, 3), 0);
	this_cpu_add(ct_pair(ct, 0, 1)->stats->frames, 3);
	this_cpu_add(ct_pair(ct, 0, 1)->stats->bytes, 300);
	ivshm_pair_read_stats(ct_pair(ct, 0, 1), &sum);
	KUNIT_EXPECT_EQ(test, sum.frames, 3);
	KUNIT_EXPECT_EQ(test, sum.bytes, 300);
	ivshm_pair_read_stats(ct_pair(ct, 0, 2), &sum);
	KUNIT_EXPECT_EQ(test, sum.frames, 0);
	ivshm_pair_read_stats(ct_pair(ct, 1, 0), &sum);
	KUNIT_EXPECT_EQ(test, sum.frames, 0);
	KUNIT_EXPECT_EQ(test, sum.bytes, 0);
}

static struct kunit_case coupling_cases[] = {
	KUNIT_CASE(coupling_refuse_test),
	KUNIT_CASE(coupling_limits_test),
	KUNIT_CASE(coupling_taken_test),
	KUNIT_CASE(coupling_ports_later_test),
	KUNIT_CASE(coupling_ports_first_test),
	KUNIT_CASE(coupling_rename_test),
	KUNIT_CASE(coupling_namespace_test),
	KUNIT_CASE(coupling_static_test),
	KUNIT_CASE(coupling_state_test),
	KUNIT_CASE(coupling_stats_test),
	{}
};

static struct kunit_suite coupling_suite = {
	.name = "ivshm-coupling",
	.suite_init = ct_suite_init,
	.suite_exit = ct_suite_exit,
	.init = ct_init,
	.exit = ct_exit,
	.test_cases = coupling_cases,
};

kunit_test_suite(coupling_suite);
