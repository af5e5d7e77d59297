// SPDX-License-Identifier: GPL-2.0
/* KUnit tests of the detector by IP addresses. */
#include <linux/etherdevice.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/socket.h>
#include <net/net_namespace.h>

#include "coupling_test.h"

/* A frame's first bytes, up to the end of the longest IP header. */
struct ip_frame {
	u8 hdr[ETH_HLEN + sizeof(struct ipv6hdr)];
	u32 gso_len;
	struct ivshm_decision d;
};

static void ip_config(struct kunit *test, bool add, u16 family, u8 last, int port, bool lladdr)
{
	struct ivshm_addr_config cfg = { .family = family, .has_lladdr = lladdr };
	int err;

	cfg.addr[0] = family == AF_INET ? 10 : 0xfd;
	cfg.addr[family == AF_INET ? 3 : 15] = last;
	ct_mac(port, cfg.lladdr);
	snprintf(cfg.name, sizeof(cfg.name), "kt%d", port);
	mutex_lock(&ivshm_mutex);
	err = add ? ivshm_addr_config_add(&init_net, &cfg, NULL) :
		    ivshm_addr_config_del(&init_net, &cfg, NULL);
	mutex_unlock(&ivshm_mutex);
	KUNIT_EXPECT_EQ(test, err, 0);
}

/* From guest @from with address @src, by the gateway, which is 02:...:0a. */
static void ip4_frame(struct ip_frame *f, int from, u8 src, u8 dst)
{
	u8 *ip = f->hdr + ETH_HLEN;

	memset(f, 0, sizeof(*f));
	ct_mac(9, f->hdr);
	ct_mac(from, f->hdr + ETH_ALEN);
	f->hdr[12] = 8;
	ip[0] = 0x45;
	ip[8] = 64;
	ip[12] = 10;
	ip[15] = src;
	ip[16] = 10;
	ip[19] = dst;
	f->gso_len = 100;
}

static void ip6_frame(struct ip_frame *f, int from, u8 src, u8 dst)
{
	u8 *ip = f->hdr + ETH_HLEN;

	memset(f, 0, sizeof(*f));
	ct_mac(9, f->hdr);
	ct_mac(from, f->hdr + ETH_ALEN);
	f->hdr[12] = 0x86;
	f->hdr[13] = 0xdd;
	ip[0] = 0x60;
	ip[6] = IPPROTO_TCP;
	ip[7] = 64;
	ip[8] = 0xfd;
	ip[23] = src;
	ip[24] = 0xfd;
	ip[39] = dst;
	f->gso_len = 100;
}

static enum ivshm_path ip_send(struct ct *ct, int from, struct ip_frame *f, u32 len)
{
	rcu_read_lock();
	ivshm_detector_decide(ct->port[from], f->hdr, len, 100, f->gso_len, &f->d);
	rcu_read_unlock();
	return f->d.path;
}

#define SEND(f)	ip_send(ct, 0, (f), sizeof((f)->hdr))

static void ip_setup(struct kunit *test, bool strict)
{
	struct ct *ct = test->priv;
	struct ip_frame f;

	ct->config.match = IVSHM_MATCH_IP;
	ct->config.bypass = true;
	ct->config.strict = strict;
	ct->config.given = BIT(IVSHM_A_COUPLING_MATCH) | BIT(IVSHM_A_COUPLING_BYPASS) |
			   BIT(IVSHM_A_COUPLING_STRICT);
	ct_up(ct, 0);
	ct_up(ct, 1);
	KUNIT_ASSERT_EQ(test, ct_couple(ct, "kt-a", IVSHM_COUPLING_DYNAMIC, 2), 0);
	ip_config(test, true, AF_INET, 2, 1, true);
	ip_config(test, true, AF_INET6, 2, 1, true);
	if (strict)
		return;
	ip4_frame(&f, 0, 1, 2);
	KUNIT_ASSERT_EQ(test, SEND(&f), IVSHM_PATH_HOLD);
	ct_joined(ct, 0, ct_pair(ct, 0, 1), true);
}

static void ip_teardown(struct kunit *test)
{
	ip_config(test, false, AF_INET, 2, 1, true);
	ip_config(test, false, AF_INET6, 2, 1, true);
}

static void ip_direct_test(struct kunit *test)
{
	struct ct *ct = test->priv;
	struct ip_frame f;
	u8 mac[ETH_ALEN];
	bool nobody;

	ip_setup(test, false);
	ct_mac(1, mac);
	ip4_frame(&f, 0, 1, 2);
	KUNIT_EXPECT_EQ(test, SEND(&f), IVSHM_PATH_DIRECT);
	KUNIT_EXPECT_PTR_EQ(test, f.d.dst, ct->port[1]);
	KUNIT_EXPECT_TRUE(test, f.d.by_ip);
	KUNIT_ASSERT_NOT_NULL(test, f.d.lladdr);
	KUNIT_EXPECT_TRUE(test, ether_addr_equal(f.d.lladdr, mac));
	ip6_frame(&f, 0, 1, 2);
	KUNIT_EXPECT_EQ(test, SEND(&f), IVSHM_PATH_DIRECT);
	KUNIT_EXPECT_NOT_NULL(test, f.d.lladdr);
	/* Not by a gateway: as it is. */
	ct_mac(1, f.hdr);
	KUNIT_EXPECT_EQ(test, SEND(&f), IVSHM_PATH_DIRECT);
	KUNIT_EXPECT_NULL(test, f.d.lladdr);
	/* Never by the way that looks at MAC addresses only. */
	rcu_read_lock();
	KUNIT_EXPECT_EQ(test, ivshm_detector_direct(ct->port[0], f.hdr, &f.d, &nobody), 0);
	KUNIT_EXPECT_FALSE(test, nobody);
	rcu_read_unlock();

	/* The receiver stops, and is there again. */
	ct_down(ct, 1, IVSHM_REASON_EXIT);
	KUNIT_EXPECT_EQ(test, SEND(&f), IVSHM_PATH_UPLINK);
	KUNIT_EXPECT_NULL(test, f.d.lladdr);
	ct_up(ct, 1);
	KUNIT_EXPECT_EQ(test, SEND(&f), IVSHM_PATH_HOLD);
	ip_teardown(test);
	KUNIT_EXPECT_EQ(test, SEND(&f), IVSHM_PATH_UPLINK);
}

static void ip_gateway_test(struct kunit *test)
{
	struct ct *ct = test->priv;
	struct ip_frame f;
	u8 mac[ETH_ALEN];
	u32 len;

	ip_setup(test, false);
	/* Unknown, to itself, to a group, not IP, tagged. */
	ip4_frame(&f, 0, 1, 3);
	KUNIT_EXPECT_EQ(test, SEND(&f), IVSHM_PATH_UPLINK);
	ip_config(test, true, AF_INET, 1, 0, true);
	ip4_frame(&f, 0, 1, 1);
	KUNIT_EXPECT_EQ(test, SEND(&f), IVSHM_PATH_UPLINK);
	ip_config(test, false, AF_INET, 1, 0, true);
	ip4_frame(&f, 0, 1, 2);
	f.hdr[0] |= 1;
	KUNIT_EXPECT_EQ(test, SEND(&f), IVSHM_PATH_UPLINK);
	ip4_frame(&f, 0, 1, 2);
	f.hdr[13] = 6;
	KUNIT_EXPECT_EQ(test, SEND(&f), IVSHM_PATH_UPLINK);
	ip4_frame(&f, 0, 1, 2);
	f.hdr[12] = 0x81;
	KUNIT_EXPECT_EQ(test, SEND(&f), IVSHM_PATH_UPLINK);

	/* The last hop, options, a wrong version, odd sources. */
	ip4_frame(&f, 0, 1, 2);
	f.hdr[ETH_HLEN + 8] = 1;
	KUNIT_EXPECT_EQ(test, SEND(&f), IVSHM_PATH_UPLINK);
	f.hdr[ETH_HLEN + 8] = 0;
	KUNIT_EXPECT_EQ(test, SEND(&f), IVSHM_PATH_UPLINK);
	f.hdr[ETH_HLEN + 8] = 2;
	KUNIT_EXPECT_EQ(test, SEND(&f), IVSHM_PATH_DIRECT);
	f.hdr[ETH_HLEN] = 0x46;
	KUNIT_EXPECT_EQ(test, SEND(&f), IVSHM_PATH_UPLINK);
	f.hdr[ETH_HLEN] = 0x65;
	KUNIT_EXPECT_EQ(test, SEND(&f), IVSHM_PATH_UPLINK);
	ip4_frame(&f, 0, 1, 2);
	f.hdr[ETH_HLEN + 12] = 127;
	KUNIT_EXPECT_EQ(test, SEND(&f), IVSHM_PATH_UPLINK);
	ip6_frame(&f, 0, 1, 2);
	f.hdr[ETH_HLEN + 7] = 1;
	KUNIT_EXPECT_EQ(test, SEND(&f), IVSHM_PATH_UPLINK);
	ip6_frame(&f, 0, 1, 2);
	f.hdr[ETH_HLEN + 6] = 0;
	KUNIT_EXPECT_EQ(test, SEND(&f), IVSHM_PATH_UPLINK);
	ip6_frame(&f, 0, 1, 2);
	f.hdr[ETH_HLEN + 8] = 0xfe;
	f.hdr[ETH_HLEN + 9] = 0x80;
	KUNIT_EXPECT_EQ(test, SEND(&f), IVSHM_PATH_UPLINK);

	/* Cut off anywhere. */
	ip4_frame(&f, 0, 1, 2);
	for (len = ETH_HLEN; len < ETH_HLEN + 20; len++)
		KUNIT_EXPECT_EQ(test, ip_send(ct, 0, &f, len), IVSHM_PATH_UPLINK);
	KUNIT_EXPECT_EQ(test, ip_send(ct, 0, &f, len), IVSHM_PATH_DIRECT);
	ip6_frame(&f, 0, 1, 2);
	for (len = ETH_HLEN; len < sizeof(f.hdr); len++)
		KUNIT_EXPECT_EQ(test, ip_send(ct, 0, &f, len), IVSHM_PATH_UPLINK);

	/* Too long for the receiver, bypass or not. */
	f.gso_len = ETH_HLEN + 1500;
	KUNIT_EXPECT_EQ(test, SEND(&f), IVSHM_PATH_DIRECT);
	f.gso_len++;
	KUNIT_EXPECT_EQ(test, SEND(&f), IVSHM_PATH_UPLINK);

	/* Learned is not enough, nor configured without a MAC address. */
	ip_teardown(test);
	ct_mac(1, mac);
	ip4_frame(&f, 0, 1, 2);
	rcu_read_lock();
	ivshm_addr_learn_ip(ct->port[1], AF_INET, f.hdr + ETH_HLEN + 16);
	rcu_read_unlock();
	KUNIT_EXPECT_EQ(test, SEND(&f), IVSHM_PATH_UPLINK);
	ip_config(test, true, AF_INET, 2, 1, false);
	KUNIT_EXPECT_EQ(test, SEND(&f), IVSHM_PATH_UPLINK);
	ip_config(test, false, AF_INET, 2, 1, false);
	/* At a port that is no member. */
	ct_up(ct, 3);
	ip_config(test, true, AF_INET, 2, 3, true);
	KUNIT_EXPECT_EQ(test, SEND(&f), IVSHM_PATH_UPLINK);
	ip_config(test, false, AF_INET, 2, 3, true);
}

static void ip_strict_test(struct kunit *test)
{
	struct ct *ct = test->priv;
	struct ivshm_addr_config cfg = { .family = AF_PACKET, .name = "kt0" };
	struct ip_frame f;

	ip_setup(test, true);
	ct_mac(0, cfg.addr);
	mutex_lock(&ivshm_mutex);
	KUNIT_EXPECT_EQ(test, ivshm_addr_config_add(&init_net, &cfg, NULL), 0);
	mutex_unlock(&ivshm_mutex);
	/* Its MAC address, but an IP address that it does not have. */
	ip4_frame(&f, 0, 1, 2);
	KUNIT_EXPECT_EQ(test, SEND(&f), IVSHM_PATH_REFUSE);
	ip_config(test, true, AF_INET, 1, 0, false);
	KUNIT_EXPECT_EQ(test, SEND(&f), IVSHM_PATH_HOLD);
	ip4_frame(&f, 0, 2, 2);
	KUNIT_EXPECT_EQ(test, SEND(&f), IVSHM_PATH_REFUSE);
	/* Not even to the uplink; but before it has an address. */
	ip4_frame(&f, 0, 2, 7);
	KUNIT_EXPECT_EQ(test, SEND(&f), IVSHM_PATH_REFUSE);
	memset(f.hdr + ETH_HLEN + 12, 0, 4);
	KUNIT_EXPECT_EQ(test, SEND(&f), IVSHM_PATH_UPLINK);
	ip6_frame(&f, 0, 1, 2);
	KUNIT_EXPECT_EQ(test, SEND(&f), IVSHM_PATH_REFUSE);

	ip_config(test, false, AF_INET, 1, 0, false);
	mutex_lock(&ivshm_mutex);
	KUNIT_EXPECT_EQ(test, ivshm_addr_config_del(&init_net, &cfg, NULL), 0);
	mutex_unlock(&ivshm_mutex);
	ip_teardown(test);
}

static struct kunit_case detector_ip_cases[] = {
	KUNIT_CASE(ip_direct_test),
	KUNIT_CASE(ip_gateway_test),
	KUNIT_CASE(ip_strict_test),
	{}
};

static struct kunit_suite detector_ip_suite = {
	.name = "ivshm-detector-ip",
	.suite_init = ct_suite_init,
	.suite_exit = ct_suite_exit,
	.init = ct_init,
	.exit = ct_exit,
	.test_cases = detector_ip_cases,
};

kunit_test_suite(detector_ip_suite);
