// SPDX-License-Identifier: GPL-2.0
/* KUnit tests of the detector: which way a frame takes. */
#include <linux/etherdevice.h>
#include <linux/if_vlan.h>
#include <linux/netdevice.h>
#include <net/net_namespace.h>

#include "coupling_test.h"

/* Ports 0 to @nr - 1 run, are known, and are members of kt-a. */
static void setup(struct kunit *test, enum ivshm_coupling_type type, u32 nr)
{
	struct ct *ct = test->priv;
	int i;

	for (i = 0; i < nr; i++)
		ct_up(ct, i);
	KUNIT_ASSERT_EQ(test, ct_couple(ct, "kt-a", type, nr), 0);
	for (i = 0; i < nr; i++)
		ct_broadcast(ct, i);
	for (i = 0; i < nr; i++)
		KUNIT_ASSERT_NOT_NULL(test, ct_lookup(i));
}

/* The bridge's rules are not asked. */
static void setup_bypass(struct kunit *test, u32 nr)
{
	struct ct *ct = test->priv;

	ct->config.bypass = true;
	ct->config.given |= BIT(IVSHM_A_COUPLING_BYPASS);
	setup(test, IVSHM_COUPLING_DYNAMIC, nr);
}

/* The bridge's rules said yes about everything, for the current generation. */
static void rules_yes(struct ct *ct, int from, int to)
{
	u64 gen = ivshm_bridge_rules_gen();
	struct ivshm_pair *pair = ct_pair(ct, from, to);

	pair->verdict = IVSHM_REASON_NONE;
	pair->gen = gen;
	pair->checked = gen;
	pair->checked_at = jiffies;
	ct_lookup(from)->fdb_gen = gen;
	ct_lookup(from)->fdb_checked = gen;
	ct_lookup(to)->fdb_gen = gen;
	ct_lookup(to)->fdb_checked = gen;
}

static void couple(struct ct *ct, int from, int to)
{
	ct_unicast(ct, from, to);
	ct_joined(ct, from, ct_pair(ct, from, to), true);
}

static void detector_alone_test(struct kunit *test)
{
	struct ct *ct = test->priv;
	struct ct_frame frame;

	ct_up(ct, 0);
	ct_up(ct, 1);
	ct_broadcast(ct, 1);
	ct_frame(&frame, 0, 1);
	KUNIT_EXPECT_EQ(test, ct_send(ct, 0, &frame), IVSHM_PATH_UPLINK);
	KUNIT_EXPECT_NULL(test, frame.d.dst);
	KUNIT_EXPECT_NULL(test, frame.d.pair);
	/* Known before there is a coupling. */
	KUNIT_EXPECT_NOT_NULL(test, ct_lookup(0));
}

/*
 * Static couplings
 */

static void detector_crossover_test(struct kunit *test)
{
	struct ct *ct = test->priv;
	struct ct_frame frame;

	ct->config.park_us = 77;
	ct->config.given = BIT(IVSHM_A_COUPLING_PARK_US);
	setup(test, IVSHM_COUPLING_STATIC, 2);

	/* Whatever the destination is. */
	ct_frame(&frame, 0, 3);
	KUNIT_EXPECT_EQ(test, ct_send(ct, 0, &frame), IVSHM_PATH_DIRECT);
	KUNIT_EXPECT_PTR_EQ(test, frame.d.dst, ct->port[1]);
	KUNIT_EXPECT_PTR_EQ(test, frame.d.pair, ct_pair(ct, 0, 1));
	KUNIT_EXPECT_EQ(test, frame.d.park_us, 77);
	KUNIT_EXPECT_EQ(test, ct_broadcast(ct, 0), IVSHM_PATH_DIRECT);
	KUNIT_EXPECT_EQ(test, ct_unicast(ct, 0, 0), IVSHM_PATH_DIRECT);
	/* A cable has no MTU, and the other direction is like this one. */
	ct_frame(&frame, 1, 0);
	frame.len = 9000;
	frame.gso_len = 9000;
	KUNIT_EXPECT_EQ(test, ct_send(ct, 1, &frame), IVSHM_PATH_DIRECT);
	KUNIT_EXPECT_PTR_EQ(test, frame.d.dst, ct->port[0]);
	KUNIT_EXPECT_PTR_EQ(test, frame.d.pair, ct_pair(ct, 1, 0));

	ct_down(ct, 1, IVSHM_REASON_EXIT);
	ct_frame(&frame, 0, 1);
	KUNIT_EXPECT_EQ(test, ct_send(ct, 0, &frame), IVSHM_PATH_DROP);
	KUNIT_EXPECT_NULL(test, frame.d.dst);
	ct_del("kt-a");
	KUNIT_EXPECT_EQ(test, ct_unicast(ct, 0, 1), IVSHM_PATH_UPLINK);
}

static void detector_static_many_test(struct kunit *test)
{
	struct ct *ct = test->priv;
	struct ct_frame frame;

	setup(test, IVSHM_COUPLING_STATIC, 3);
	ct_frame(&frame, 0, 2);
	KUNIT_EXPECT_EQ(test, ct_send(ct, 0, &frame), IVSHM_PATH_DIRECT);
	KUNIT_EXPECT_PTR_EQ(test, frame.d.dst, ct->port[2]);
	KUNIT_EXPECT_PTR_EQ(test, frame.d.pair, ct_pair(ct, 0, 2));
	KUNIT_EXPECT_EQ(test, ct_unicast(ct, 2, 1), IVSHM_PATH_DIRECT);

	KUNIT_EXPECT_EQ(test, ct_broadcast(ct, 0), IVSHM_PATH_FLOOD);
	KUNIT_EXPECT_EQ(test, ct_unicast(ct, 0, 9), IVSHM_PATH_FLOOD);
	/* To itself: nobody else's business. */
	KUNIT_EXPECT_EQ(test, ct_unicast(ct, 0, 0), IVSHM_PATH_DROP);
	/* A port that is no member is not reached. */
	ct_up(ct, 3);
	ct_broadcast(ct, 3);
	ct_frame(&frame, 0, 3);
	KUNIT_EXPECT_EQ(test, ct_send(ct, 0, &frame), IVSHM_PATH_FLOOD);
	KUNIT_EXPECT_NULL(test, frame.d.dst);

	ct_down(ct, 2, IVSHM_REASON_EXIT);
	KUNIT_EXPECT_EQ(test, ct_unicast(ct, 0, 2), IVSHM_PATH_FLOOD);
	ct_down(ct, 1, IVSHM_REASON_EXIT);
	KUNIT_EXPECT_EQ(test, ct_unicast(ct, 0, 2), IVSHM_PATH_DROP);
	KUNIT_EXPECT_EQ(test, ct_broadcast(ct, 0), IVSHM_PATH_DROP);
}

/*
 * Dynamic couplings
 */

static void detector_uplink_test(struct kunit *test)
{
	static const u8 multicast[ETH_ALEN] = { 1, 0, 0x5e, 0, 0, 1 };
	struct ct *ct = test->priv;
	struct ct_frame frame;

	setup_bypass(test, 2);
	KUNIT_EXPECT_EQ(test, ct_broadcast(ct, 0), IVSHM_PATH_UPLINK);
	ct_frame(&frame, 0, 1);
	memcpy(frame.hdr, multicast, ETH_ALEN);
	KUNIT_EXPECT_EQ(test, ct_send(ct, 0, &frame), IVSHM_PATH_UPLINK);
	KUNIT_EXPECT_EQ(test, ct_unicast(ct, 0, 9), IVSHM_PATH_UPLINK);
	KUNIT_EXPECT_EQ(test, ct_unicast(ct, 0, 0), IVSHM_PATH_UPLINK);
	/* A known port, but not of this coupling: of none, and of another one. */
	ct_up(ct, 3);
	ct_broadcast(ct, 3);
	KUNIT_EXPECT_EQ(test, ct_unicast(ct, 0, 3), IVSHM_PATH_UPLINK);
	strscpy(ct->config.member[0].name, "kt2", IFNAMSIZ);
	strscpy(ct->config.member[1].name, "kt3", IFNAMSIZ);
	strscpy(ct->config.name, "kt-b", IVSHM_NAME_MAX);
	mutex_lock(&ivshm_mutex);
	KUNIT_EXPECT_EQ(test, ivshm_coupling_new(&init_net, &ct->config, NULL), 0);
	mutex_unlock(&ivshm_mutex);
	KUNIT_ASSERT_NOT_NULL(test, ct_member(ct, 3));
	KUNIT_EXPECT_EQ(test, ct_unicast(ct, 0, 3), IVSHM_PATH_UPLINK);
	KUNIT_EXPECT_EQ(test, ct_pair(ct, 0, 1)->state, IVSHM_PAIR_UPLINK);
}

static void detector_join_test(struct kunit *test)
{
	struct ct *ct = test->priv;
	struct ivshm_pair *pair;
	struct ct_frame frame;

	setup_bypass(test, 2);
	pair = ct_pair(ct, 0, 1);
	ct_frame(&frame, 0, 1);
	KUNIT_EXPECT_EQ(test, ct_send(ct, 0, &frame), IVSHM_PATH_HOLD);
	KUNIT_EXPECT_PTR_EQ(test, frame.d.dst, ct->port[1]);
	KUNIT_EXPECT_PTR_EQ(test, frame.d.pair, pair);
	KUNIT_EXPECT_EQ(test, pair->state, IVSHM_PAIR_JOINING);
	KUNIT_EXPECT_EQ(test, pair->reason, IVSHM_REASON_TRAFFIC);
	KUNIT_EXPECT_EQ(test, ct_send(ct, 0, &frame), IVSHM_PATH_HOLD);
	KUNIT_EXPECT_EQ(test, ct_find("kt-a")->state, IVSHM_COUPLING_READY);

	/* The receiver's tap did not drain: on the uplink for a second. */
	ct_joined(ct, 0, pair, false);
	KUNIT_EXPECT_EQ(test, pair->state, IVSHM_PAIR_UPLINK);
	KUNIT_EXPECT_EQ(test, ct_send(ct, 0, &frame), IVSHM_PATH_UPLINK);
	KUNIT_EXPECT_NULL(test, frame.d.dst);
	KUNIT_EXPECT_TRUE(test, time_after(pair->retry, jiffies + HZ / 2));
	pair->retry = jiffies;
	KUNIT_EXPECT_EQ(test, ct_send(ct, 0, &frame), IVSHM_PATH_HOLD);

	ct_joined(ct, 0, pair, true);
	KUNIT_EXPECT_EQ(test, pair->state, IVSHM_PAIR_COUPLED);
	KUNIT_EXPECT_EQ(test, ct_find("kt-a")->state, IVSHM_COUPLING_COUPLED);
	pair->last = jiffies - 5 * HZ;
	KUNIT_EXPECT_EQ(test, ct_send(ct, 0, &frame), IVSHM_PATH_DIRECT);
	KUNIT_EXPECT_PTR_EQ(test, frame.d.dst, ct->port[1]);
	KUNIT_EXPECT_TRUE(test, time_after(pair->last, jiffies - HZ));

	/* The other direction goes its own way. */
	KUNIT_EXPECT_EQ(test, ct_pair(ct, 1, 0)->state, IVSHM_PAIR_UPLINK);
	KUNIT_EXPECT_EQ(test, ct_unicast(ct, 1, 0), IVSHM_PATH_HOLD);
	KUNIT_EXPECT_EQ(test, ct_send(ct, 0, &frame), IVSHM_PATH_DIRECT);
}

static void detector_joined_late_test(struct kunit *test)
{
	struct ct *ct = test->priv;
	struct ivshm_pair *pair, *other;

	setup_bypass(test, 3);
	pair = ct_pair(ct, 0, 1);
	other = ct_pair(ct, 2, 1);
	ct_unicast(ct, 0, 1);
	ct_unicast(ct, 2, 1);

	/* Somebody else's pair. */
	ct_joined(ct, 0, other, true);
	KUNIT_EXPECT_EQ(test, other->state, IVSHM_PAIR_JOINING);
	/* A pair that is not joining. */
	ct_joined(ct, 0, ct_pair(ct, 0, 2), true);
	KUNIT_EXPECT_EQ(test, ct_pair(ct, 0, 2)->state, IVSHM_PAIR_UPLINK);

	/* The receiver stopped meanwhile. */
	ct_down(ct, 1, IVSHM_REASON_EXIT);
	KUNIT_EXPECT_EQ(test, pair->state, IVSHM_PAIR_UPLINK);
	KUNIT_EXPECT_EQ(test, pair->reason, IVSHM_REASON_EXIT);
	ct_joined(ct, 0, pair, true);
	KUNIT_EXPECT_EQ(test, pair->state, IVSHM_PAIR_UPLINK);

	/* The coupling went meanwhile. */
	ct_up(ct, 1);
	ct_broadcast(ct, 1);
	KUNIT_EXPECT_EQ(test, ct_unicast(ct, 0, 1), IVSHM_PATH_HOLD);
	ct_del("kt-a");
	ct_joined(ct, 0, pair, true);
	KUNIT_EXPECT_EQ(test, ct_unicast(ct, 0, 1), IVSHM_PATH_UPLINK);
}

static void detector_threshold_test(struct kunit *test)
{
	struct ct *ct = test->priv;
	struct ivshm_pair *pair;

	ct->config.threshold = 3;
	ct->config.given = BIT(IVSHM_A_COUPLING_THRESHOLD);
	setup_bypass(test, 2);
	pair = ct_pair(ct, 0, 1);

	KUNIT_EXPECT_EQ(test, ct_unicast(ct, 0, 1), IVSHM_PATH_UPLINK);
	KUNIT_EXPECT_EQ(test, ct_unicast(ct, 0, 1), IVSHM_PATH_UPLINK);
	KUNIT_EXPECT_EQ(test, pair->reason, IVSHM_REASON_NO_TRAFFIC);
	/* The second is over: two do not count any more. */
	pair->window_start -= HZ;
	KUNIT_EXPECT_EQ(test, ct_unicast(ct, 0, 1), IVSHM_PATH_UPLINK);
	KUNIT_EXPECT_EQ(test, ct_unicast(ct, 0, 1), IVSHM_PATH_UPLINK);
	/* Other directions and broadcasts do not count. */
	ct_unicast(ct, 1, 0);
	ct_broadcast(ct, 0);
	KUNIT_EXPECT_EQ(test, pair->state, IVSHM_PAIR_UPLINK);
	KUNIT_EXPECT_EQ(test, ct_unicast(ct, 0, 1), IVSHM_PATH_HOLD);
	/* Once joined, the rate does not matter. */
	ct_joined(ct, 0, pair, true);
	pair->window_start -= 10 * HZ;
	KUNIT_EXPECT_EQ(test, ct_unicast(ct, 0, 1), IVSHM_PATH_DIRECT);
}

static void detector_idle_test(struct kunit *test)
{
	struct ct *ct = test->priv;
	struct ivshm_pair *pair, *back;

	ct->config.idle = 5;
	ct->config.given = BIT(IVSHM_A_COUPLING_IDLE);
	setup_bypass(test, 2);
	pair = ct_pair(ct, 0, 1);
	back = ct_pair(ct, 1, 0);
	/* Nothing is coupled: nothing is watched. */
	KUNIT_EXPECT_FALSE(test, ivshm_detector_expire());
	couple(ct, 0, 1);
	couple(ct, 1, 0);

	pair->last = jiffies - 4 * HZ;
	KUNIT_EXPECT_TRUE(test, ivshm_detector_expire());
	KUNIT_EXPECT_EQ(test, pair->state, IVSHM_PAIR_COUPLED);
	pair->last = jiffies - 5 * HZ;
	KUNIT_EXPECT_TRUE(test, ivshm_detector_expire());
	KUNIT_EXPECT_EQ(test, pair->state, IVSHM_PAIR_UPLINK);
	KUNIT_EXPECT_EQ(test, pair->reason, IVSHM_REASON_IDLE);
	KUNIT_EXPECT_EQ(test, back->state, IVSHM_PAIR_COUPLED);
	back->last = jiffies - 6 * HZ;
	KUNIT_EXPECT_FALSE(test, ivshm_detector_expire());
	KUNIT_EXPECT_EQ(test, ct_find("kt-a")->state, IVSHM_COUPLING_READY);

	/* The next frame begins again. */
	KUNIT_EXPECT_EQ(test, ct_unicast(ct, 0, 1), IVSHM_PATH_HOLD);
	/* Joining is the sender's business. */
	pair->last = jiffies - 6 * HZ;
	KUNIT_EXPECT_TRUE(test, ivshm_detector_expire());
	KUNIT_EXPECT_EQ(test, pair->state, IVSHM_PAIR_JOINING);
}

static void detector_idle_never_test(struct kunit *test)
{
	struct ct *ct = test->priv;

	ct->config.idle = 0;
	ct->config.given = BIT(IVSHM_A_COUPLING_IDLE);
	setup_bypass(test, 2);
	couple(ct, 0, 1);
	ct_pair(ct, 0, 1)->last = jiffies - 1000 * HZ;
	KUNIT_EXPECT_TRUE(test, ivshm_detector_expire());
	KUNIT_EXPECT_EQ(test, ct_pair(ct, 0, 1)->state, IVSHM_PAIR_COUPLED);
}

/*
 * The bridge's rules.  While a test holds ivshm_mutex nobody asks them; such
 * stretches expect but never assert, as an assertion ends the thread.
 */

static void detector_rules_test(struct kunit *test)
{
	struct ct *ct = test->priv;
	struct ivshm_pair *pair;
	struct ivshm_addr *to;

	setup(test, IVSHM_COUPLING_DYNAMIC, 2);
	pair = ct_pair(ct, 0, 1);
	to = ct_lookup(1);

	mutex_lock(&ivshm_mutex);
	/* Nothing is known: everything is asked for. */
	KUNIT_EXPECT_EQ(test, ct_unicast(ct, 0, 1), IVSHM_PATH_UPLINK);
	KUNIT_EXPECT_EQ(test, pair->reason, IVSHM_REASON_CHECKING);
	KUNIT_EXPECT_TRUE(test, pair->want);
	KUNIT_EXPECT_TRUE(test, to->want);
	KUNIT_EXPECT_TRUE(test, ct_lookup(0)->want);

	/* Each of the three answers is needed. */
	rules_yes(ct, 0, 1);
	pair->gen = 0;
	pair->verdict = IVSHM_REASON_ISOLATED;
	KUNIT_EXPECT_EQ(test, ct_unicast(ct, 0, 1), IVSHM_PATH_UPLINK);
	KUNIT_EXPECT_EQ(test, pair->reason, IVSHM_REASON_ISOLATED);
	rules_yes(ct, 0, 1);
	to->fdb_gen = 0;
	KUNIT_EXPECT_EQ(test, ct_unicast(ct, 0, 1), IVSHM_PATH_UPLINK);
	KUNIT_EXPECT_EQ(test, pair->reason, IVSHM_REASON_FDB);
	rules_yes(ct, 0, 1);
	ct_lookup(0)->fdb_gen = 0;
	KUNIT_EXPECT_EQ(test, ct_unicast(ct, 0, 1), IVSHM_PATH_UPLINK);
	KUNIT_EXPECT_EQ(test, pair->reason, IVSHM_REASON_FDB);

	rules_yes(ct, 0, 1);
	KUNIT_EXPECT_EQ(test, ct_unicast(ct, 0, 1), IVSHM_PATH_HOLD);
	ct_joined(ct, 0, pair, true);
	KUNIT_EXPECT_EQ(test, ct_unicast(ct, 0, 1), IVSHM_PATH_DIRECT);
	mutex_unlock(&ivshm_mutex);
}

/* One of the answers ends being one. */
static void stale_pair(struct ct *ct)
{
	ct_pair(ct, 0, 1)->gen--;
	ct_pair(ct, 0, 1)->checked--;
}

static void stale_to(struct ct *ct)
{
	ivshm_addr_fdb_event(&init_net, ct_lookup(1)->key.addr);
}

static void stale_from(struct ct *ct)
{
	ivshm_addr_fdb_event(&init_net, ct_lookup(0)->key.addr);
}

static void stale_all(struct ct *ct)
{
	ivshm_bridge_rules_bump();
}

static void detector_stale_test(struct kunit *test)
{
	static void (*const stale[])(struct ct *ct) = {
		stale_pair, stale_to, stale_from, stale_all,
	};
	struct ct *ct = test->priv;
	struct ivshm_pair *pair;
	int i;

	setup(test, IVSHM_COUPLING_DYNAMIC, 2);
	pair = ct_pair(ct, 0, 1);

	mutex_lock(&ivshm_mutex);
	for (i = 0; i < ARRAY_SIZE(stale); i++) {
		/* While coupled. */
		rules_yes(ct, 0, 1);
		couple(ct, 0, 1);
		KUNIT_EXPECT_EQ(test, ct_unicast(ct, 0, 1), IVSHM_PATH_DIRECT);
		stale[i](ct);
		KUNIT_EXPECT_EQ(test, ct_unicast(ct, 0, 1), IVSHM_PATH_UPLINK);
		KUNIT_EXPECT_EQ(test, pair->state, IVSHM_PAIR_UPLINK);
		KUNIT_EXPECT_EQ(test, pair->reason, IVSHM_REASON_CHECKING);
		/* Fresh answers, but not at once. */
		rules_yes(ct, 0, 1);
		pair->retry = jiffies + HZ;
		KUNIT_EXPECT_EQ(test, ct_unicast(ct, 0, 1), IVSHM_PATH_UPLINK);
		pair->retry = jiffies;

		/* While joining. */
		rules_yes(ct, 0, 1);
		KUNIT_EXPECT_EQ(test, ct_unicast(ct, 0, 1), IVSHM_PATH_HOLD);
		stale[i](ct);
		KUNIT_EXPECT_EQ(test, ct_unicast(ct, 0, 1), IVSHM_PATH_UPLINK);
		KUNIT_EXPECT_EQ(test, pair->state, IVSHM_PAIR_UPLINK);
		KUNIT_EXPECT_TRUE(test, time_after(pair->retry, jiffies - HZ / 100));
		pair->retry = jiffies;
	}
	mutex_unlock(&ivshm_mutex);
}

static void detector_retry_test(struct kunit *test)
{
	struct ct *ct = test->priv;
	struct ivshm_pair *pair;

	setup(test, IVSHM_COUPLING_DYNAMIC, 2);
	pair = ct_pair(ct, 0, 1);

	mutex_lock(&ivshm_mutex);
	rules_yes(ct, 0, 1);
	couple(ct, 0, 1);
	ivshm_bridge_rules_bump();
	pair->retry = jiffies - HZ;
	KUNIT_EXPECT_EQ(test, ct_unicast(ct, 0, 1), IVSHM_PATH_UPLINK);
	/* It does not bounce, but comes back soon. */
	KUNIT_EXPECT_TRUE(test, time_after(pair->retry, jiffies - HZ / 4));
	KUNIT_EXPECT_TRUE(test, time_before(pair->retry, jiffies + HZ / 4));
	mutex_unlock(&ivshm_mutex);
}

static void detector_ask_again_test(struct kunit *test)
{
	struct ct *ct = test->priv;
	struct ivshm_pair *pair;

	setup(test, IVSHM_COUPLING_DYNAMIC, 2);
	pair = ct_pair(ct, 0, 1);

	mutex_lock(&ivshm_mutex);
	rules_yes(ct, 0, 1);
	pair->gen = 0;
	pair->verdict = IVSHM_REASON_FILTER;
	pair->want = false;
	/* A fresh "no" is a "no". */
	KUNIT_EXPECT_EQ(test, ct_unicast(ct, 0, 1), IVSHM_PATH_UPLINK);
	KUNIT_EXPECT_FALSE(test, pair->want);
	/* Not everything comes with an event: after a while it is asked again. */
	pair->checked_at = jiffies - HZ;
	KUNIT_EXPECT_EQ(test, ct_unicast(ct, 0, 1), IVSHM_PATH_UPLINK);
	KUNIT_EXPECT_TRUE(test, pair->want);
	KUNIT_EXPECT_EQ(test, pair->reason, IVSHM_REASON_FILTER);
	mutex_unlock(&ivshm_mutex);
}

static void detector_work_test(struct kunit *test)
{
	unsigned long end = jiffies + 10 * HZ;
	struct ct *ct = test->priv;
	struct ivshm_pair *pair;

	/* These interfaces are not up, and no bridge knows the addresses. */
	setup(test, IVSHM_COUPLING_DYNAMIC, 2);
	pair = ct_pair(ct, 0, 1);
	ct_unicast(ct, 0, 1);
	/* Pairs with the release in check_pair(). */
	while (!smp_load_acquire(&pair->checked) && time_before(jiffies, end))
		schedule_timeout_uninterruptible(1);
	KUNIT_EXPECT_EQ(test, pair->verdict, IVSHM_REASON_DOWN);
	KUNIT_EXPECT_EQ(test, pair->gen, 0);
	ct_unicast(ct, 0, 1);
	KUNIT_EXPECT_EQ(test, READ_ONCE(pair->reason), IVSHM_REASON_DOWN);
	while (!READ_ONCE(ct_lookup(1)->fdb_checked) && time_before(jiffies, end))
		schedule_timeout_uninterruptible(1);
	KUNIT_EXPECT_NE(test, ct_lookup(1)->fdb_checked, 0);
	KUNIT_EXPECT_EQ(test, ct_lookup(1)->fdb_gen, 0);
}

/* A verdict of "no" takes effect although no frame comes. */
static void detector_watch_test(struct kunit *test)
{
	unsigned long end = jiffies + 20 * HZ;
	struct ct *ct = test->priv;
	struct ivshm_pair *pair;

	setup(test, IVSHM_COUPLING_DYNAMIC, 2);
	pair = ct_pair(ct, 0, 1);
	mutex_lock(&ivshm_mutex);
	rules_yes(ct, 0, 1);
	couple(ct, 0, 1);
	KUNIT_EXPECT_EQ(test, pair->state, IVSHM_PAIR_COUPLED);
	mutex_unlock(&ivshm_mutex);
	while (READ_ONCE(pair->state) == IVSHM_PAIR_COUPLED &&
	       time_before(jiffies, end))
		schedule_timeout_uninterruptible(HZ / 20 ?: 1);
	KUNIT_EXPECT_EQ(test, pair->state, IVSHM_PAIR_UPLINK);
	KUNIT_EXPECT_EQ(test, pair->reason, IVSHM_REASON_DOWN);
}

static void detector_source_test(struct kunit *test)
{
	struct ct *ct = test->priv;
	struct ct_frame frame;

	setup(test, IVSHM_COUPLING_DYNAMIC, 2);
	mutex_lock(&ivshm_mutex);
	rules_yes(ct, 0, 1);
	couple(ct, 0, 1);
	/* A bridge drops such a frame, so it must see it. */
	ct_frame(&frame, 0, 1);
	eth_broadcast_addr(((struct ethhdr *)frame.hdr)->h_source);
	KUNIT_EXPECT_EQ(test, ct_send(ct, 0, &frame), IVSHM_PATH_UPLINK);
	KUNIT_EXPECT_EQ(test, ct_pair(ct, 0, 1)->reason, IVSHM_REASON_FDB);
	mutex_unlock(&ivshm_mutex);
}

/*
 * What depends on the frame
 */

static void detector_mtu_test(struct kunit *test)
{
	struct ct *ct = test->priv;
	struct ivshm_pair *pair;
	struct net_device *dev;
	struct ct_frame frame;

	setup(test, IVSHM_COUPLING_DYNAMIC, 2);
	pair = ct_pair(ct, 0, 1);
	mutex_lock(&ivshm_mutex);
	rules_yes(ct, 0, 1);
	couple(ct, 0, 1);

	ct_frame(&frame, 0, 1);
	frame.len = 65000;
	frame.gso_len = 1500 + ETH_HLEN;
	KUNIT_EXPECT_EQ(test, ct_send(ct, 0, &frame), IVSHM_PATH_DIRECT);
	KUNIT_EXPECT_EQ(test, ivshm_pair_shown_reason(pair), IVSHM_REASON_TRAFFIC);
	frame.gso_len++;
	KUNIT_EXPECT_EQ(test, ct_send(ct, 0, &frame), IVSHM_PATH_UPLINK);
	/* The frame is too long; the pair stays what it is. */
	KUNIT_EXPECT_EQ(test, pair->state, IVSHM_PAIR_COUPLED);
	KUNIT_EXPECT_EQ(test, ivshm_pair_shown_reason(pair), IVSHM_REASON_MTU);
	pair->noted = jiffies - 10 * HZ;
	KUNIT_EXPECT_EQ(test, ivshm_pair_shown_reason(pair), IVSHM_REASON_TRAFFIC);

	/* A tag does not count. */
	((struct ethhdr *)frame.hdr)->h_proto = htons(ETH_P_8021Q);
	frame.gso_len = 1500 + VLAN_ETH_HLEN;
	KUNIT_EXPECT_EQ(test, ct_send(ct, 0, &frame), IVSHM_PATH_DIRECT);
	frame.gso_len++;
	KUNIT_EXPECT_EQ(test, ct_send(ct, 0, &frame), IVSHM_PATH_UPLINK);

	/* The receiver's interface went. */
	ct_frame(&frame, 0, 1);
	dev = rcu_dereference_protected(ct->port[1]->dev, true);
	RCU_INIT_POINTER(ct->port[1]->dev, NULL);
	KUNIT_EXPECT_EQ(test, ct_send(ct, 0, &frame), IVSHM_PATH_UPLINK);
	rcu_assign_pointer(ct->port[1]->dev, dev);
	mutex_unlock(&ivshm_mutex);
}

static void detector_bypass_mtu_test(struct kunit *test)
{
	struct ct *ct = test->priv;
	struct ct_frame frame;

	setup_bypass(test, 2);
	couple(ct, 0, 1);
	ct_frame(&frame, 0, 1);
	frame.len = 9000;
	frame.gso_len = 9000;
	KUNIT_EXPECT_EQ(test, ct_send(ct, 0, &frame), IVSHM_PATH_DIRECT);
}

static void detector_proto_test(struct kunit *test)
{
	static const u16 kept[] = { ETH_P_CFM, ETH_P_MRP };
	struct ct *ct = test->priv;
	struct ct_frame frame;
	int i;

	setup(test, IVSHM_COUPLING_DYNAMIC, 2);
	mutex_lock(&ivshm_mutex);
	rules_yes(ct, 0, 1);
	couple(ct, 0, 1);
	for (i = 0; i < ARRAY_SIZE(kept); i++) {
		struct vlan_ethhdr *vlan = (struct vlan_ethhdr *)frame.hdr;

		ct_frame(&frame, 0, 1);
		vlan->h_vlan_proto = htons(kept[i]);
		KUNIT_EXPECT_EQ(test, ct_send(ct, 0, &frame), IVSHM_PATH_UPLINK);
		vlan->h_vlan_proto = htons(ETH_P_8021AD);
		vlan->h_vlan_encapsulated_proto = htons(kept[i]);
		KUNIT_EXPECT_EQ(test, ct_send(ct, 0, &frame), IVSHM_PATH_UPLINK);
		vlan->h_vlan_encapsulated_proto = htons(ETH_P_IP);
		KUNIT_EXPECT_EQ(test, ct_send(ct, 0, &frame), IVSHM_PATH_DIRECT);
	}
	mutex_unlock(&ivshm_mutex);
}

static struct kunit_case detector_cases[] = {
	KUNIT_CASE(detector_alone_test),
	KUNIT_CASE(detector_crossover_test),
	KUNIT_CASE(detector_static_many_test),
	KUNIT_CASE(detector_uplink_test),
	KUNIT_CASE(detector_join_test),
	KUNIT_CASE(detector_joined_late_test),
	KUNIT_CASE(detector_threshold_test),
	KUNIT_CASE(detector_idle_test),
	KUNIT_CASE(detector_idle_never_test),
	KUNIT_CASE(detector_rules_test),
	KUNIT_CASE(detector_stale_test),
	KUNIT_CASE(detector_retry_test),
	KUNIT_CASE(detector_ask_again_test),
	KUNIT_CASE(detector_work_test),
	KUNIT_CASE(detector_watch_test),
	KUNIT_CASE(detector_source_test),
	KUNIT_CASE(detector_mtu_test),
	KUNIT_CASE(detector_bypass_mtu_test),
	KUNIT_CASE(detector_proto_test),
	{}
};

static struct kunit_suite detector_suite = {
	.name = "ivshm-detector",
	.suite_init = ct_suite_init,
	.suite_exit = ct_suite_exit,
	.init = ct_init,
	.exit = ct_exit,
	.test_cases = detector_cases,
};

kunit_test_suite(detector_suite);
