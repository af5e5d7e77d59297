// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of the detector: what the bridge's rules and the frame itself
 * have to say.
 *
 * While a test holds ivshm_mutex nobody asks the rules; such stretches expect
 * but never assert, as an assertion ends the thread.
 */
#include <linux/etherdevice.h>
#include <linux/if_vlan.h>
#include <linux/netdevice.h>
#include <net/net_namespace.h>

#include "coupling_test.h"

static void detector_rules_test(struct kunit *test)
{
	struct ct *ct = test->priv;
	struct ivshm_pair *pair;
	struct ivshm_addr *to;

	ct_setup(test, IVSHM_COUPLING_DYNAMIC, 2);
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
	ct_rules_yes(ct, 0, 1);
	pair->gen = 0;
	pair->verdict = IVSHM_REASON_ISOLATED;
	KUNIT_EXPECT_EQ(test, ct_unicast(ct, 0, 1), IVSHM_PATH_UPLINK);
	KUNIT_EXPECT_EQ(test, pair->reason, IVSHM_REASON_ISOLATED);
	ct_rules_yes(ct, 0, 1);
	to->fdb_gen = 0;
	KUNIT_EXPECT_EQ(test, ct_unicast(ct, 0, 1), IVSHM_PATH_UPLINK);
	KUNIT_EXPECT_EQ(test, pair->reason, IVSHM_REASON_FDB);
	ct_rules_yes(ct, 0, 1);
	ct_lookup(0)->fdb_gen = 0;
	KUNIT_EXPECT_EQ(test, ct_unicast(ct, 0, 1), IVSHM_PATH_UPLINK);
	KUNIT_EXPECT_EQ(test, pair->reason, IVSHM_REASON_FDB);

	ct_rules_yes(ct, 0, 1);
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

	ct_setup(test, IVSHM_COUPLING_DYNAMIC, 2);
	pair = ct_pair(ct, 0, 1);

	mutex_lock(&ivshm_mutex);
	for (i = 0; i < ARRAY_SIZE(stale); i++) {
		/* While coupled. */
		ct_rules_yes(ct, 0, 1);
		ct_join(ct, 0, 1);
		KUNIT_EXPECT_EQ(test, ct_unicast(ct, 0, 1), IVSHM_PATH_DIRECT);
		stale[i](ct);
		KUNIT_EXPECT_EQ(test, ct_unicast(ct, 0, 1), IVSHM_PATH_UPLINK);
		KUNIT_EXPECT_EQ(test, pair->state, IVSHM_PAIR_UPLINK);
		KUNIT_EXPECT_EQ(test, pair->reason, IVSHM_REASON_CHECKING);
		/* Fresh answers, but not at once. */
		ct_rules_yes(ct, 0, 1);
		pair->retry = jiffies + HZ;
		KUNIT_EXPECT_EQ(test, ct_unicast(ct, 0, 1), IVSHM_PATH_UPLINK);
		pair->retry = jiffies;

		/* While joining. */
		ct_rules_yes(ct, 0, 1);
		KUNIT_EXPECT_EQ(test, ct_unicast(ct, 0, 1), IVSHM_PATH_HOLD);
		stale[i](ct);
		KUNIT_EXPECT_EQ(test, ct_unicast(ct, 0, 1), IVSHM_PATH_UPLINK);
		KUNIT_EXPECT_EQ(test, pair->state, IVSHM_PAIR_UPLINK);
		KUNIT_EXPECT_TRUE(test, time_after(pair->retry, jiffies - HZ / 100));
		pair->retry = jiffies;
	}
	mutex_unlock(&ivshm_mutex);
}

/* What was known of a port does not hold for its successor. */
static void detector_restart_test(struct kunit *test)
{
	struct ct *ct = test->priv;
	struct ivshm_pair *pair, *back;

	ct_setup(test, IVSHM_COUPLING_DYNAMIC, 2);
	pair = ct_pair(ct, 0, 1);
	back = ct_pair(ct, 1, 0);
	mutex_lock(&ivshm_mutex);
	ct_rules_yes(ct, 0, 1);
	ct_rules_yes(ct, 1, 0);
	ct_join(ct, 0, 1);
	mutex_unlock(&ivshm_mutex);
	ct_down(ct, 1, IVSHM_REASON_EXIT);
	ct_up(ct, 1);
	mutex_lock(&ivshm_mutex);
	KUNIT_EXPECT_EQ(test, pair->state, IVSHM_PAIR_UPLINK);
	KUNIT_EXPECT_EQ(test, pair->reason, IVSHM_REASON_NO_TRAFFIC);
	KUNIT_EXPECT_EQ(test, pair->gen, 0);
	KUNIT_EXPECT_EQ(test, pair->checked, 0);
	KUNIT_EXPECT_EQ(test, back->gen, 0);
	KUNIT_EXPECT_EQ(test, back->checked, 0);
	mutex_unlock(&ivshm_mutex);
}

static void detector_retry_test(struct kunit *test)
{
	struct ct *ct = test->priv;
	struct ivshm_pair *pair;

	ct_setup(test, IVSHM_COUPLING_DYNAMIC, 2);
	pair = ct_pair(ct, 0, 1);

	mutex_lock(&ivshm_mutex);
	ct_rules_yes(ct, 0, 1);
	ct_join(ct, 0, 1);
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

	ct_setup(test, IVSHM_COUPLING_DYNAMIC, 2);
	pair = ct_pair(ct, 0, 1);

	mutex_lock(&ivshm_mutex);
	ct_rules_yes(ct, 0, 1);
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
	ct_setup(test, IVSHM_COUPLING_DYNAMIC, 2);
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

	ct_setup(test, IVSHM_COUPLING_DYNAMIC, 2);
	pair = ct_pair(ct, 0, 1);
	mutex_lock(&ivshm_mutex);
	ct_rules_yes(ct, 0, 1);
	ct_join(ct, 0, 1);
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

	ct_setup(test, IVSHM_COUPLING_DYNAMIC, 2);
	mutex_lock(&ivshm_mutex);
	ct_rules_yes(ct, 0, 1);
	ct_join(ct, 0, 1);
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

	ct_setup(test, IVSHM_COUPLING_DYNAMIC, 2);
	pair = ct_pair(ct, 0, 1);
	mutex_lock(&ivshm_mutex);
	ct_rules_yes(ct, 0, 1);
	ct_join(ct, 0, 1);

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

	ct_setup_bypass(test, 2);
	ct_join(ct, 0, 1);
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

	ct_setup(test, IVSHM_COUPLING_DYNAMIC, 2);
	mutex_lock(&ivshm_mutex);
	ct_rules_yes(ct, 0, 1);
	ct_join(ct, 0, 1);
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

static struct kunit_case detector_rules_cases[] = {
	KUNIT_CASE(detector_rules_test),
	KUNIT_CASE(detector_stale_test),
	KUNIT_CASE(detector_restart_test),
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

static struct kunit_suite detector_rules_suite = {
	.name = "ivshm-detector-rules",
	.suite_init = ct_suite_init,
	.suite_exit = ct_suite_exit,
	.init = ct_init,
	.exit = ct_exit,
	.test_cases = detector_rules_cases,
};

kunit_test_suite(detector_rules_suite);
