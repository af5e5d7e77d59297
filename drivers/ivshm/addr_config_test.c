// SPDX-License-Identifier: GPL-2.0
/* KUnit tests of the address table: configured and IP addresses, ageing, strict. */
#include <linux/etherdevice.h>
#include <linux/netlink.h>
#include <linux/socket.h>
#include <net/net_namespace.h>

#include "coupling_test.h"

static struct ivshm_addr *look(u16 family, const void *bytes)
{
	struct ivshm_addr *addr;

	rcu_read_lock();
	addr = ivshm_addr_lookup(&init_net, family, bytes);
	rcu_read_unlock();
	return addr;
}

/* Who has it; NULL for nobody. */
static struct ivshm_port *owner(u16 family, const void *bytes)
{
	struct ivshm_addr *addr = look(family, bytes);

	return addr ? rcu_dereference_protected(addr->port, true) : NULL;
}

static int configure(u16 family, const void *bytes, const char *name)
{
	struct ivshm_addr_config cfg = { .family = family };
	int err;

	memcpy(cfg.addr, bytes, family == AF_PACKET ? ETH_ALEN : family == AF_INET ? 4 : 16);
	strscpy(cfg.name, name, sizeof(cfg.name));
	mutex_lock(&ivshm_mutex);
	err = ivshm_addr_config_add(&init_net, &cfg, NULL);
	mutex_unlock(&ivshm_mutex);
	return err;
}

static int forget(u16 family, const void *bytes)
{
	struct ivshm_addr_config cfg = { .family = family };
	int err;

	memcpy(cfg.addr, bytes, family == AF_PACKET ? ETH_ALEN : family == AF_INET ? 4 : 16);
	mutex_lock(&ivshm_mutex);
	err = ivshm_addr_config_del(&init_net, &cfg, NULL);
	mutex_unlock(&ivshm_mutex);
	return err;
}

static int configure_own(int i)
{
	char name[IFNAMSIZ];
	u8 mac[ETH_ALEN];

	ct_mac(i, mac);
	snprintf(name, sizeof(name), "kt%d", i);
	return configure(AF_PACKET, mac, name);
}

static void forget_own(int i)
{
	u8 mac[ETH_ALEN];

	ct_mac(i, mac);
	forget(AF_PACKET, mac);
}

static void config_life_test(struct kunit *test)
{
	struct ct *ct = test->priv;
	u8 mac[ETH_ALEN];

	ct_mac(0, mac);
	/* Before there is a port, and taken over from who learned it. */
	ct_up(ct, 1);
	rcu_read_lock();
	KUNIT_EXPECT_NOT_NULL(test, ivshm_addr_learn(ct->port[1], mac));
	rcu_read_unlock();
	KUNIT_ASSERT_EQ(test, configure_own(0), 0);
	KUNIT_EXPECT_EQ(test, configure_own(0), -EEXIST);
	KUNIT_ASSERT_NOT_NULL(test, ct_lookup(0));
	KUNIT_EXPECT_NULL(test, owner(AF_PACKET, mac));
	/* Nobody else learns it. */
	rcu_read_lock();
	KUNIT_EXPECT_NULL(test, ivshm_addr_learn(ct->port[1], mac));
	rcu_read_unlock();
	KUNIT_EXPECT_NULL(test, owner(AF_PACKET, mac));

	ct_up(ct, 0);
	KUNIT_EXPECT_PTR_EQ(test, owner(AF_PACKET, mac), ct->port[0]);
	rcu_read_lock();
	KUNIT_EXPECT_NULL(test, ivshm_addr_learn(ct->port[1], mac));
	KUNIT_EXPECT_NULL(test, ivshm_addr_own(ct->port[1], mac));
	KUNIT_EXPECT_PTR_EQ(test, ivshm_addr_learn(ct->port[0], mac), ct_lookup(0));
	KUNIT_EXPECT_PTR_EQ(test, ivshm_addr_own(ct->port[0], mac), ct_lookup(0));
	rcu_read_unlock();
	KUNIT_EXPECT_PTR_EQ(test, owner(AF_PACKET, mac), ct->port[0]);

	ct_down(ct, 0, IVSHM_REASON_EXIT);
	KUNIT_EXPECT_NOT_NULL(test, ct_lookup(0));
	KUNIT_EXPECT_NULL(test, owner(AF_PACKET, mac));
	ct_up(ct, 0);
	KUNIT_EXPECT_PTR_EQ(test, owner(AF_PACKET, mac), ct->port[0]);

	forget_own(0);
	KUNIT_EXPECT_NULL(test, ct_lookup(0));
	KUNIT_EXPECT_EQ(test, forget(AF_PACKET, mac), -ENOENT);
	rcu_read_lock();
	KUNIT_EXPECT_NOT_NULL(test, ivshm_addr_learn(ct->port[1], mac));
	rcu_read_unlock();
	KUNIT_EXPECT_PTR_EQ(test, owner(AF_PACKET, mac), ct->port[1]);
	/* What is learned is not to be taken back. */
	KUNIT_EXPECT_EQ(test, forget(AF_PACKET, mac), -ENOENT);
}

static void config_room_test(struct kunit *test)
{
	u8 mac[ETH_ALEN] = { 6 };
	struct ct *ct = test->priv;
	unsigned int i, nr = 0;

	/* Configured ones do not use up what a port can learn, nor make room. */
	ct_up(ct, 0);
	KUNIT_ASSERT_EQ(test, configure_own(0), 0);
	rcu_read_lock();
	for (i = 0; i < IVSHM_ADDR_PER_PORT + 5; i++) {
		mac[4] = i >> 8;
		mac[5] = i;
		nr += !!ivshm_addr_learn(ct->port[0], mac);
	}
	rcu_read_unlock();
	KUNIT_EXPECT_EQ(test, nr, IVSHM_ADDR_PER_PORT);
	KUNIT_EXPECT_NOT_NULL(test, ct_lookup(0));

	WRITE_ONCE(ct_lookup(0)->seen, jiffies - 2 * IVSHM_ADDR_AGE);
	mac[4] = 0;
	mac[5] = 3;
	WRITE_ONCE(look(AF_PACKET, mac)->seen, jiffies - IVSHM_ADDR_AGE);
	ivshm_addr_expire();
	KUNIT_EXPECT_NULL(test, look(AF_PACKET, mac));
	KUNIT_EXPECT_NOT_NULL(test, ct_lookup(0));
	mac[5] = 4;
	KUNIT_EXPECT_NOT_NULL(test, look(AF_PACKET, mac));
	forget_own(0);
}

/*
 * IP addresses
 */

/* An ARP packet of guest @i that says it is 10.0.0.@ip. */
static void arp(struct ct *ct, int i, int who, u8 ip, u32 len)
{
	static const u8 head[] = { 0, 1, 8, 0, 6, 4, 0, 1 };
	u8 frame[IVSHM_ADDR_LOOK] = {};

	eth_broadcast_addr(frame);
	ct_mac(i, frame + ETH_ALEN);
	frame[12] = 8;
	frame[13] = 6;
	memcpy(frame + ETH_HLEN, head, sizeof(head));
	ct_mac(who, frame + ETH_HLEN + 8);
	frame[ETH_HLEN + 14] = 10;
	frame[ETH_HLEN + 17] = ip;
	rcu_read_lock();
	ivshm_addr_learn_from(ct->port[i], frame, len);
	rcu_read_unlock();
}

static void ip_arp_test(struct kunit *test)
{
	struct ct *ct = test->priv;
	u8 ip[4] = { 10, 0, 0, 5 };
	unsigned int i;

	ct_up(ct, 0);
	ct_up(ct, 1);
	arp(ct, 0, 0, 5, 41);		/* too short */
	arp(ct, 0, 1, 5, 42);		/* for somebody else */
	KUNIT_EXPECT_NULL(test, look(AF_INET, ip));
	arp(ct, 0, 0, 5, 42);
	KUNIT_EXPECT_PTR_EQ(test, owner(AF_INET, ip), ct->port[0]);
	/* It moves. */
	arp(ct, 1, 1, 5, 60);
	KUNIT_EXPECT_PTR_EQ(test, owner(AF_INET, ip), ct->port[1]);
	/* But not when an administrator says whose it is. */
	KUNIT_ASSERT_EQ(test, configure(AF_INET, ip, "kt1"), 0);
	arp(ct, 0, 0, 5, 60);
	KUNIT_EXPECT_PTR_EQ(test, owner(AF_INET, ip), ct->port[1]);
	KUNIT_EXPECT_EQ(test, forget(AF_INET, ip), 0);

	/* They have a limit of their own. */
	for (i = 1; i <= IVSHM_ADDR_IPS_PER_PORT + 1; i++)
		arp(ct, 0, 0, i, 60);
	ip[3] = IVSHM_ADDR_IPS_PER_PORT;
	KUNIT_EXPECT_NOT_NULL(test, look(AF_INET, ip));
	ip[3]++;
	KUNIT_EXPECT_NULL(test, look(AF_INET, ip));
	ct_broadcast(ct, 0);
	KUNIT_EXPECT_NOT_NULL(test, ct_lookup(0));
	ct_down(ct, 0, IVSHM_REASON_EXIT);
	ip[3]--;
	KUNIT_EXPECT_NULL(test, look(AF_INET, ip));
}

static void ip_nd_test(struct kunit *test)
{
	u8 frame[IVSHM_ADDR_LOOK] = { 0x33, 0x33, 0, 0, 0, 1 }, ip[16] = { 0xfd, [15] = 9 };
	u8 *ip6 = frame + ETH_HLEN;
	struct ct *ct = test->priv;

	ct_up(ct, 0);
	ct_mac(0, frame + ETH_ALEN);
	frame[12] = 0x86;
	frame[13] = 0xdd;
	ip6[0] = 0x60;
	ip6[6] = 58;
	ip6[7] = 255;
	ip6[40] = 136;
	memcpy(ip6 + 48, ip, sizeof(ip));
	rcu_read_lock();
	/* Cut off, from far away, or no neighbour discovery. */
	ivshm_addr_learn_from(ct->port[0], frame, ETH_HLEN + 63);
	ip6[7] = 254;
	ivshm_addr_learn_from(ct->port[0], frame, sizeof(frame));
	ip6[7] = 255;
	ip6[40] = 128;
	ivshm_addr_learn_from(ct->port[0], frame, sizeof(frame));
	KUNIT_EXPECT_NULL(test, look(AF_INET6, ip));
	ip6[40] = 136;
	ivshm_addr_learn_from(ct->port[0], frame, sizeof(frame));
	KUNIT_EXPECT_PTR_EQ(test, owner(AF_INET6, ip), ct->port[0]);
	/* A solicitation: who asks. From nobody: the address is not in use yet. */
	ip6[40] = 135;
	ip6[63] = 10;
	ivshm_addr_learn_from(ct->port[0], frame, sizeof(frame));
	ip[15] = 10;
	KUNIT_EXPECT_NULL(test, look(AF_INET6, ip));
	ip[15] = 11;
	memcpy(ip6 + 8, ip, sizeof(ip));
	ivshm_addr_learn_from(ct->port[0], frame, sizeof(frame));
	KUNIT_EXPECT_PTR_EQ(test, owner(AF_INET6, ip), ct->port[0]);
	rcu_read_unlock();
}

/*
 * Strict couplings
 */

static void strict_test(struct kunit *test)
{
	struct ct *ct = test->priv;
	struct ct_frame frame;
	struct ivshm_decision d = {};
	bool nobody;

	ct->config.bypass = true;
	ct->config.strict = true;
	ct->config.given = BIT(IVSHM_A_COUPLING_BYPASS) | BIT(IVSHM_A_COUPLING_STRICT);
	KUNIT_ASSERT_EQ(test, configure_own(0), 0);
	ct_up(ct, 0);
	ct_up(ct, 1);
	/* Learned before that it is not to be. */
	ct_broadcast(ct, 1);
	KUNIT_ASSERT_NOT_NULL(test, ct_lookup(1));
	KUNIT_ASSERT_EQ(test, ct_couple(ct, "kt-a", IVSHM_COUPLING_DYNAMIC, 2), 0);

	KUNIT_EXPECT_EQ(test, ct_broadcast(ct, 0), IVSHM_PATH_UPLINK);
	KUNIT_EXPECT_EQ(test, ct_broadcast(ct, 1), IVSHM_PATH_REFUSE);
	/* Frames do not go direct to what was learned. */
	KUNIT_EXPECT_EQ(test, ct_unicast(ct, 0, 1), IVSHM_PATH_UPLINK);
	KUNIT_ASSERT_EQ(test, configure_own(1), 0);
	KUNIT_EXPECT_EQ(test, ct_broadcast(ct, 1), IVSHM_PATH_UPLINK);
	ct_join(ct, 0, 1);
	KUNIT_EXPECT_EQ(test, ct_unicast(ct, 0, 1), IVSHM_PATH_DIRECT);

	/* From another's address, or from nobody's, and nothing is learned. */
	ct_frame(&frame, 1, 1);
	KUNIT_EXPECT_EQ(test, ct_send(ct, 0, &frame), IVSHM_PATH_REFUSE);
	ct_frame(&frame, 3, 1);
	KUNIT_EXPECT_EQ(test, ct_send(ct, 0, &frame), IVSHM_PATH_REFUSE);
	KUNIT_EXPECT_NULL(test, ct_lookup(3));
	rcu_read_lock();
	KUNIT_EXPECT_EQ(test, ivshm_detector_direct(ct->port[0], frame.hdr, &d, &nobody), 0);
	/* Not one of those that take the uplink unseen. */
	KUNIT_EXPECT_FALSE(test, nobody);
	ct_frame(&frame, 0, 1);
	KUNIT_EXPECT_NE(test, ivshm_detector_direct(ct->port[0], frame.hdr, &d, &nobody), 0);
	rcu_read_unlock();

	/* Taken back while in use. */
	forget_own(1);
	KUNIT_EXPECT_EQ(test, ct_unicast(ct, 0, 1), IVSHM_PATH_UPLINK);
	forget_own(0);
	KUNIT_EXPECT_EQ(test, ct_unicast(ct, 0, 1), IVSHM_PATH_REFUSE);
	ct_del("kt-a");
	KUNIT_EXPECT_EQ(test, ct_unicast(ct, 0, 1), IVSHM_PATH_UPLINK);
}

static void strict_static_test(struct kunit *test)
{
	struct ct *ct = test->priv;
	struct ct_frame frame;

	ct->config.strict = true;
	ct->config.given = BIT(IVSHM_A_COUPLING_STRICT);
	KUNIT_ASSERT_EQ(test, configure_own(0), 0);
	ct_up(ct, 0);
	ct_up(ct, 1);
	KUNIT_ASSERT_EQ(test, ct_couple(ct, "kt-a", IVSHM_COUPLING_STATIC, 2), 0);
	KUNIT_EXPECT_EQ(test, ct_unicast(ct, 0, 1), IVSHM_PATH_DIRECT);
	KUNIT_EXPECT_EQ(test, ct_unicast(ct, 1, 0), IVSHM_PATH_REFUSE);
	ct_frame(&frame, 0, 1);
	KUNIT_EXPECT_EQ(test, ct_send(ct, 1, &frame), IVSHM_PATH_REFUSE);
	forget_own(0);
}

static void config_absent_test(struct kunit *test)
{
	struct ct *ct = test->priv;

	/* For a port that is not there: frames to it take their usual way. */
	ct_setup_bypass(test, 2);
	KUNIT_ASSERT_EQ(test, configure_own(3), 0);
	KUNIT_EXPECT_EQ(test, ct_unicast(ct, 0, 3), IVSHM_PATH_UPLINK);
	forget_own(3);
}

static void config_absent_static_test(struct kunit *test)
{
	struct ct *ct = test->priv;

	ct_setup(test, IVSHM_COUPLING_STATIC, 3);
	KUNIT_ASSERT_EQ(test, configure_own(3), 0);
	KUNIT_EXPECT_EQ(test, ct_unicast(ct, 0, 3), IVSHM_PATH_FLOOD);
	forget_own(3);
}

static struct kunit_case addr_config_cases[] = {
	KUNIT_CASE(config_life_test),
	KUNIT_CASE(config_room_test),
	KUNIT_CASE(ip_arp_test),
	KUNIT_CASE(ip_nd_test),
	KUNIT_CASE(strict_test),
	KUNIT_CASE(strict_static_test),
	KUNIT_CASE(config_absent_test),
	KUNIT_CASE(config_absent_static_test),
	{}
};

static struct kunit_suite addr_config_suite = {
	.name = "ivshm-addr-config",
	.suite_init = ct_suite_init,
	.suite_exit = ct_suite_exit,
	.init = ct_init,
	.exit = ct_exit,
	.test_cases = addr_config_cases,
};

kunit_test_suite(addr_config_suite);
