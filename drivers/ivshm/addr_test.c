// SPDX-License-Identifier: GPL-2.0
/* KUnit tests of the address table. */
#include <linux/etherdevice.h>
#include <net/net_namespace.h>

#include "coupling_test.h"

/* The @nr'th of many addresses, none of them one of ct_mac(). */
static void many_mac(unsigned int nr, u8 *mac)
{
	eth_zero_addr(mac);
	mac[0] = 6;
	mac[4] = nr >> 8;
	mac[5] = nr;
}

static struct ivshm_addr *learn(struct ivshm_port *port, const u8 *mac)
{
	struct ivshm_addr *addr;

	rcu_read_lock();
	addr = ivshm_addr_learn(port, mac);
	rcu_read_unlock();
	return addr;
}

static struct ivshm_addr *learn_own(struct ct *ct, int i)
{
	u8 mac[ETH_ALEN];

	ct_mac(i, mac);
	return learn(ct->port[i], mac);
}

static struct ivshm_addr *lookup(const u8 *mac)
{
	struct ivshm_addr *addr;

	rcu_read_lock();
	addr = ivshm_addr_lookup_mac(&init_net, mac);
	rcu_read_unlock();
	return addr;
}

static int count_one(const struct ivshm_addr *addr, void *arg)
{
	++*(unsigned int *)arg;
	return 0;
}

static unsigned int count(struct ivshm_port *port)
{
	unsigned int nr = 0;

	ivshm_addr_for_each(port, 0, count_one, &nr);
	return nr;
}

static void addr_learn_test(struct kunit *test)
{
	struct ct *ct = test->priv;
	struct ivshm_addr *addr;

	ct_up(ct, 0);
	KUNIT_EXPECT_NULL(test, ct_lookup(0));
	addr = learn_own(ct, 0);
	KUNIT_ASSERT_NOT_NULL(test, addr);
	KUNIT_EXPECT_PTR_EQ(test, rcu_access_pointer(addr->port), ct->port[0]);
	KUNIT_EXPECT_PTR_EQ(test, ct_lookup(0), addr);
	KUNIT_EXPECT_NULL(test, ct_lookup(1));
	KUNIT_EXPECT_EQ(test, count(ct->port[0]), 1);

	/* Again: only the time changes. */
	WRITE_ONCE(addr->seen, jiffies - 10 * HZ);
	addr->fdb_gen = 7;
	KUNIT_EXPECT_PTR_EQ(test, learn_own(ct, 0), addr);
	KUNIT_EXPECT_TRUE(test, time_after(addr->seen, jiffies - HZ));
	KUNIT_EXPECT_EQ(test, addr->fdb_gen, 7);
	KUNIT_EXPECT_EQ(test, count(ct->port[0]), 1);

	/* Other namespaces have addresses of their own. */
	rcu_read_lock();
	KUNIT_EXPECT_NULL(test, ivshm_addr_lookup_mac(NULL, addr->key.addr));
	rcu_read_unlock();
}

static void addr_ignored_test(struct kunit *test)
{
	static const u8 multicast[ETH_ALEN] = { 1, 0, 0x5e, 0, 0, 1 };
	static const u8 zero[ETH_ALEN];
	struct ct *ct = test->priv;
	u8 mac[ETH_ALEN];

	/* A port that does not run. */
	KUNIT_EXPECT_NULL(test, learn_own(ct, 0));
	ct_up(ct, 0);
	KUNIT_EXPECT_NULL(test, learn(ct->port[0], multicast));
	eth_broadcast_addr(mac);
	KUNIT_EXPECT_NULL(test, learn(ct->port[0], mac));
	KUNIT_EXPECT_NULL(test, learn(ct->port[0], zero));
	KUNIT_EXPECT_EQ(test, count(ct->port[0]), 0);

	/* A port that is between two namespaces. */
	ct->port[0]->net = NULL;
	KUNIT_EXPECT_NULL(test, learn_own(ct, 0));
	ct->port[0]->net = &init_net;
	KUNIT_EXPECT_NOT_NULL(test, learn_own(ct, 0));
}

static void addr_move_test(struct kunit *test)
{
	struct ct *ct = test->priv;
	struct ivshm_addr *addr;
	u8 mac[ETH_ALEN];

	ct_up(ct, 0);
	ct_up(ct, 1);
	addr = learn_own(ct, 0);
	KUNIT_ASSERT_NOT_NULL(test, addr);
	KUNIT_ASSERT_NOT_NULL(test, learn_own(ct, 1));
	addr->fdb_gen = 7;
	addr->fdb_checked = 7;

	ct_mac(0, mac);
	KUNIT_EXPECT_PTR_EQ(test, learn(ct->port[1], mac), addr);
	KUNIT_EXPECT_PTR_EQ(test, rcu_access_pointer(addr->port), ct->port[1]);
	KUNIT_EXPECT_EQ(test, addr->fdb_gen, 0);
	KUNIT_EXPECT_EQ(test, addr->fdb_checked, 0);
	KUNIT_EXPECT_EQ(test, count(ct->port[0]), 0);
	KUNIT_EXPECT_EQ(test, count(ct->port[1]), 2);

	/* It goes with the port that has it now. */
	ct_down(ct, 0, IVSHM_REASON_EXIT);
	KUNIT_EXPECT_PTR_EQ(test, ct_lookup(0), addr);
	ct_down(ct, 1, IVSHM_REASON_EXIT);
	KUNIT_EXPECT_NULL(test, ct_lookup(0));
}

static void addr_limit_test(struct kunit *test)
{
	struct ct *ct = test->priv;
	struct ivshm_addr *old;
	u8 mac[ETH_ALEN];
	unsigned int i;

	ct_up(ct, 0);
	ct_up(ct, 1);
	for (i = 0; i < IVSHM_ADDR_PER_PORT; i++) {
		many_mac(i, mac);
		KUNIT_ASSERT_NOT_NULL(test, learn(ct->port[0], mac));
	}
	many_mac(i, mac);
	KUNIT_EXPECT_NULL(test, learn(ct->port[0], mac));
	KUNIT_EXPECT_EQ(test, count(ct->port[0]), IVSHM_ADDR_PER_PORT);

	/* Another port's address does not move to a full port either. */
	KUNIT_ASSERT_NOT_NULL(test, learn_own(ct, 1));
	ct_mac(1, mac);
	KUNIT_EXPECT_NULL(test, learn(ct->port[0], mac));
	KUNIT_EXPECT_PTR_EQ(test, rcu_access_pointer(ct_lookup(1)->port),
			    ct->port[1]);

	/* Known ones still work. */
	many_mac(5, mac);
	KUNIT_EXPECT_NOT_NULL(test, learn(ct->port[0], mac));
	/* One that moves away makes room for one that comes. */
	KUNIT_EXPECT_NOT_NULL(test, learn(ct->port[1], mac));
	KUNIT_EXPECT_NOT_NULL(test, learn(ct->port[0], mac));
	KUNIT_EXPECT_EQ(test, count(ct->port[0]), IVSHM_ADDR_PER_PORT);

	/* An old one makes room, but is looked for at most once a second. */
	many_mac(3, mac);
	old = lookup(mac);
	KUNIT_ASSERT_NOT_NULL(test, old);
	WRITE_ONCE(old->seen, jiffies - IVSHM_ADDR_AGE);
	schedule_timeout_uninterruptible(HZ + HZ / 5);
	many_mac(i, mac);
	KUNIT_EXPECT_NOT_NULL(test, learn(ct->port[0], mac));
	many_mac(3, mac);
	KUNIT_EXPECT_NULL(test, lookup(mac));
	KUNIT_EXPECT_EQ(test, count(ct->port[0]), IVSHM_ADDR_PER_PORT);

	ct_down(ct, 0, IVSHM_REASON_EXIT);
	ct_up(ct, 0);
	many_mac(4, mac);
	KUNIT_EXPECT_NULL(test, lookup(mac));
	KUNIT_EXPECT_NOT_NULL(test, learn(ct->port[0], mac));
}

static void addr_flush_test(struct kunit *test)
{
	struct ct *ct = test->priv;

	ct_up(ct, 0);
	ct_up(ct, 1);
	learn_own(ct, 0);
	learn_own(ct, 1);
	ct_down(ct, 0, IVSHM_REASON_NOT_RUNNING);
	KUNIT_EXPECT_NULL(test, ct_lookup(0));
	KUNIT_EXPECT_NOT_NULL(test, ct_lookup(1));
	KUNIT_EXPECT_EQ(test, count(ct->port[0]), 0);
	KUNIT_EXPECT_EQ(test, count(ct->port[1]), 1);
}

static int stop_at_two(const struct ivshm_addr *addr, void *arg)
{
	return ++*(unsigned int *)arg == 2 ? -EMSGSIZE : 0;
}

static void addr_list_test(struct kunit *test)
{
	struct ct *ct = test->priv;
	unsigned int nr, i;
	u8 mac[ETH_ALEN];

	ct_up(ct, 0);
	for (i = 0; i < 5; i++) {
		many_mac(i, mac);
		learn(ct->port[0], mac);
	}
	nr = 0;
	KUNIT_EXPECT_EQ(test, ivshm_addr_for_each(ct->port[0], 2, count_one, &nr), 0);
	KUNIT_EXPECT_EQ(test, nr, 3);
	nr = 0;
	KUNIT_EXPECT_EQ(test, ivshm_addr_for_each(ct->port[0], 0, stop_at_two, &nr),
			-EMSGSIZE);
	KUNIT_EXPECT_EQ(test, nr, 2);
	nr = 0;
	KUNIT_EXPECT_EQ(test, ivshm_addr_for_each(ct->port[1], 0, count_one, &nr), 0);
	KUNIT_EXPECT_EQ(test, nr, 0);
}

static void addr_answer_test(struct kunit *test)
{
	struct ct *ct = test->priv;
	struct ivshm_port *port = ct->port[0];
	struct ivshm_addr *addr;
	u8 mac[ETH_ALEN];
	unsigned int pos = 0;
	u32 seq;

	ct_up(ct, 0);
	addr = learn_own(ct, 0);
	KUNIT_ASSERT_NOT_NULL(test, addr);

	/* Nobody waits. */
	KUNIT_EXPECT_FALSE(test, ivshm_addr_question(port, false, 5, &pos, mac, &seq));

	/* Yes, for generation 5. */
	WRITE_ONCE(addr->want, true);
	pos = 0;
	KUNIT_ASSERT_TRUE(test, ivshm_addr_question(port, false, 5, &pos, mac, &seq));
	KUNIT_EXPECT_TRUE(test, ether_addr_equal(mac, addr->key.addr));
	KUNIT_EXPECT_FALSE(test, ivshm_addr_question(port, false, 5, &pos, mac, &seq));
	KUNIT_EXPECT_TRUE(test, ivshm_addr_answer(port, mac, seq, 5, true));
	KUNIT_EXPECT_EQ(test, addr->fdb_gen, 5);
	KUNIT_EXPECT_EQ(test, addr->fdb_checked, 5);

	/* Asked again only if that is wanted, and only for this generation. */
	pos = 0;
	KUNIT_EXPECT_FALSE(test, ivshm_addr_question(port, false, 5, &pos, mac, &seq));
	pos = 0;
	KUNIT_EXPECT_FALSE(test, ivshm_addr_question(port, true, 6, &pos, mac, &seq));
	pos = 0;
	KUNIT_ASSERT_TRUE(test, ivshm_addr_question(port, true, 5, &pos, mac, &seq));
	KUNIT_EXPECT_TRUE(test, ivshm_addr_answer(port, mac, seq, 6, false));
	KUNIT_EXPECT_EQ(test, addr->fdb_gen, 0);
	KUNIT_EXPECT_EQ(test, addr->fdb_checked, 6);
}

static void addr_event_test(struct kunit *test)
{
	struct ct *ct = test->priv;
	struct ivshm_port *port = ct->port[0];
	struct ivshm_addr *addr;
	u8 mac[ETH_ALEN];
	unsigned int pos = 0;
	u32 seq;

	ct_up(ct, 0);
	ct_up(ct, 1);
	addr = learn_own(ct, 0);
	KUNIT_ASSERT_NOT_NULL(test, addr);
	WRITE_ONCE(addr->want, true);
	KUNIT_ASSERT_TRUE(test, ivshm_addr_question(port, false, 5, &pos, mac, &seq));

	/* The bridge changed its mind before the answer arrived. */
	ivshm_addr_fdb_event(&init_net, mac);
	KUNIT_EXPECT_FALSE(test, ivshm_addr_answer(port, mac, seq, 5, true));
	KUNIT_EXPECT_EQ(test, addr->fdb_gen, 0);
	KUNIT_EXPECT_EQ(test, addr->fdb_checked, 0);

	/* It changed its mind afterwards. */
	WRITE_ONCE(addr->want, true);
	pos = 0;
	KUNIT_ASSERT_TRUE(test, ivshm_addr_question(port, false, 5, &pos, mac, &seq));
	KUNIT_EXPECT_TRUE(test, ivshm_addr_answer(port, mac, seq, 5, true));
	ivshm_addr_fdb_event(&init_net, mac);
	KUNIT_EXPECT_EQ(test, addr->fdb_gen, 0);
	KUNIT_EXPECT_EQ(test, addr->fdb_checked, 0);

	/* The address moved while the bridge was asked. */
	WRITE_ONCE(addr->want, true);
	pos = 0;
	KUNIT_ASSERT_TRUE(test, ivshm_addr_question(port, false, 5, &pos, mac, &seq));
	learn(ct->port[1], mac);
	KUNIT_EXPECT_FALSE(test, ivshm_addr_answer(port, mac, seq, 5, true));
	KUNIT_EXPECT_EQ(test, addr->fdb_gen, 0);

	/* Addresses that are nobody's. */
	many_mac(1, mac);
	ivshm_addr_fdb_event(&init_net, mac);
	KUNIT_EXPECT_FALSE(test, ivshm_addr_answer(port, mac, 0, 5, true));
}

static struct kunit_case addr_cases[] = {
	KUNIT_CASE(addr_learn_test),
	KUNIT_CASE(addr_ignored_test),
	KUNIT_CASE(addr_move_test),
	KUNIT_CASE(addr_limit_test),
	KUNIT_CASE(addr_flush_test),
	KUNIT_CASE(addr_list_test),
	KUNIT_CASE(addr_answer_test),
	KUNIT_CASE(addr_event_test),
	{}
};

static struct kunit_suite addr_suite = {
	.name = "ivshm-addr",
	.suite_init = ct_suite_init,
	.suite_exit = ct_suite_exit,
	.init = ct_init,
	.exit = ct_exit,
	.test_cases = addr_cases,
};

kunit_test_suite(addr_suite);
