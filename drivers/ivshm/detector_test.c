// SPDX-License-Identifier: GPL-2.0
/* KUnit tests of the detector: which way a frame takes. */
#include <linux/etherdevice.h>
#include <net/net_namespace.h>

#include "coupling_test.h"

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
	ct_setup(test, IVSHM_COUPLING_STATIC, 2);

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
	/* Nor another way, when the tap does not drain. */
	ct_joined(ct, 1, frame.d.pair, false);
	KUNIT_EXPECT_EQ(test, ct_send(ct, 1, &frame), IVSHM_PATH_DIRECT);
	KUNIT_EXPECT_EQ(test, frame.d.pair->state, IVSHM_PAIR_COUPLED);
	KUNIT_EXPECT_PTR_EQ(test, frame.d.dst, ct->port[0]);
	KUNIT_EXPECT_PTR_EQ(test, frame.d.pair, ct_pair(ct, 1, 0));
	/* By which a worker sees that its frames take another way now. */
	KUNIT_EXPECT_NE(test, frame.d.pair->epoch, 0);
	KUNIT_EXPECT_NE(test, frame.d.pair->epoch, ct_pair(ct, 0, 1)->epoch);

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

	ct_setup(test, IVSHM_COUPLING_STATIC, 3);
	ct_join(ct, 0, 2);
	ct_join(ct, 2, 1);
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
	/* One of another coupling neither. */
	KUNIT_ASSERT_EQ(test, ct_couple_other(ct), 0);
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

	ct_setup_bypass(test, 2);
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
	KUNIT_ASSERT_EQ(test, ct_couple_other(ct), 0);
	KUNIT_ASSERT_NOT_NULL(test, ct_member(ct, 3));
	KUNIT_EXPECT_EQ(test, ct_unicast(ct, 0, 3), IVSHM_PATH_UPLINK);
	KUNIT_EXPECT_EQ(test, ct_pair(ct, 0, 1)->state, IVSHM_PAIR_UPLINK);
	/* Not even when the member in the same place of ours is coupled. */
	ct_join(ct, 0, 1);
	KUNIT_EXPECT_EQ(test, ct_unicast(ct, 0, 1), IVSHM_PATH_DIRECT);
	KUNIT_EXPECT_EQ(test, ct_unicast(ct, 0, 3), IVSHM_PATH_UPLINK);
}

/* What takes the uplink unseen: neither for a member, nor in doubt. */
static bool detector_for_nobody(struct ct *ct, int from, int to)
{
	struct ivshm_decision d = {};
	struct ct_frame frame;
	bool nobody;
	u32 max;

	ct_frame(&frame, from, to);
	rcu_read_lock();
	max = ivshm_detector_direct(ct->port[from], frame.hdr, &d, &nobody);
	rcu_read_unlock();
	return !max && nobody;
}

static void detector_nobody_test(struct kunit *test)
{
	struct ct *ct = test->priv;
	u32 counted;

	/* Of no coupling; the sender's address is learned all the same. */
	ct_up(ct, 0);
	ct_up(ct, 3);
	ct_broadcast(ct, 3);
	KUNIT_EXPECT_TRUE(test, detector_for_nobody(ct, 0, 3));
	KUNIT_EXPECT_NOT_NULL(test, ct_lookup(0));
	ct_down(ct, 0, IVSHM_REASON_EXIT);

	ct_setup_bypass(test, 2);
	KUNIT_EXPECT_TRUE(test, detector_for_nobody(ct, 0, 9));
	KUNIT_EXPECT_TRUE(test, detector_for_nobody(ct, 0, 0));
	KUNIT_EXPECT_TRUE(test, detector_for_nobody(ct, 0, 3));
	/* For a member, whatever way it goes; and it is not counted here. */
	counted = ct_pair(ct, 0, 1)->window_frames;
	KUNIT_EXPECT_FALSE(test, detector_for_nobody(ct, 0, 1));
	KUNIT_EXPECT_EQ(test, ct_pair(ct, 0, 1)->window_frames, counted);
	ct_join(ct, 0, 1);
	KUNIT_EXPECT_FALSE(test, detector_for_nobody(ct, 0, 1));
	KUNIT_EXPECT_TRUE(test, detector_for_nobody(ct, 0, 9));
	ct_del("kt-a");
	KUNIT_EXPECT_TRUE(test, detector_for_nobody(ct, 0, 1));

	/* A static coupling has no uplink. */
	ct->config.bypass = false;
	ct->config.given = 0;
	KUNIT_ASSERT_EQ(test, ct_couple(ct, "kt-a", IVSHM_COUPLING_STATIC, 2), 0);
	KUNIT_EXPECT_FALSE(test, detector_for_nobody(ct, 0, 1));
	KUNIT_EXPECT_FALSE(test, detector_for_nobody(ct, 0, 9));
}

static void detector_join_test(struct kunit *test)
{
	struct ct *ct = test->priv;
	struct ivshm_pair *pair;
	struct ct_frame frame;

	ct_setup_bypass(test, 2);
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

	ct_setup_bypass(test, 3);
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
	ct_setup_bypass(test, 2);
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
	/* Once joining or joined, the rate does not matter. */
	pair->window_start -= 10 * HZ;
	KUNIT_EXPECT_EQ(test, ct_unicast(ct, 0, 1), IVSHM_PATH_HOLD);
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
	ct_setup_bypass(test, 2);
	pair = ct_pair(ct, 0, 1);
	back = ct_pair(ct, 1, 0);
	/* Nothing is coupled: nothing is watched. */
	KUNIT_EXPECT_FALSE(test, ivshm_detector_expire());
	ct_join(ct, 0, 1);
	ct_join(ct, 1, 0);

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
	ct_setup_bypass(test, 2);
	ct_join(ct, 0, 1);
	ct_pair(ct, 0, 1)->last = jiffies - 1000 * HZ;
	KUNIT_EXPECT_TRUE(test, ivshm_detector_expire());
	KUNIT_EXPECT_EQ(test, ct_pair(ct, 0, 1)->state, IVSHM_PAIR_COUPLED);
}

static struct kunit_case detector_cases[] = {
	KUNIT_CASE(detector_alone_test),
	KUNIT_CASE(detector_crossover_test),
	KUNIT_CASE(detector_static_many_test),
	KUNIT_CASE(detector_uplink_test),
	KUNIT_CASE(detector_nobody_test),
	KUNIT_CASE(detector_join_test),
	KUNIT_CASE(detector_joined_late_test),
	KUNIT_CASE(detector_threshold_test),
	KUNIT_CASE(detector_idle_test),
	KUNIT_CASE(detector_idle_never_test),
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
