// SPDX-License-Identifier: GPL-2.0
/* KUnit tests of the choice of a receiver's queue. */
#include <kunit/test.h>
#include <linux/if_ether.h>
#include <linux/if_vlan.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>

#include "coupling.h"
#include "port.h"
#include "qp.h"
#include "queue.h"
#include "tx.h"

#define FLOWS	1000

static void queue_rule_test(struct kunit *test)
{
	u32 from, to, i, used;

	for (from = 1; from <= 8; from++) {
		for (to = 1; to <= 8; to++) {
			for (i = 0, used = 0; i < from; i++) {
				u16 index = ivshm_queue_rule(i, from, to);

				if (to > 1 && from < to) {
					KUNIT_EXPECT_EQ(test, index, IVSHM_QUEUE_HASH);
					continue;
				}
				KUNIT_EXPECT_LT(test, (u32)index, to);
				used |= BIT(index);
			}
			/* No queue is left out. */
			if (from >= to)
				KUNIT_EXPECT_EQ(test, used, BIT(to) - 1);
		}
	}
	/* A queue that its guest gave up still sends what it has. */
	KUNIT_EXPECT_EQ(test, ivshm_queue_rule(7, 4, 4), 3);
	KUNIT_EXPECT_EQ(test, ivshm_queue_rule(255, 256, 256), 255);
	KUNIT_EXPECT_EQ(test, ivshm_queue_rule(0, 255, 256), IVSHM_QUEUE_HASH);
}

static void queue_of_hash_test(struct kunit *test)
{
	struct ivshm_map map = { .index = IVSHM_QUEUE_HASH };

	for (map.nr = 2; map.nr <= IVSHM_QUEUES_MAX; map.nr++) {
		KUNIT_EXPECT_EQ(test, ivshm_queue_index(&map, 0), 0);
		KUNIT_EXPECT_EQ(test, ivshm_queue_index(&map, U32_MAX), map.nr - 1);
	}
	map.index = 3;
	KUNIT_EXPECT_EQ(test, ivshm_queue_index(&map, U32_MAX), 3);
}

/* A UDP frame of flow @nr, with a tag if @tag; its length. */
static u32 queue_frame4(u8 *p, u32 nr, bool tag)
{
	u32 at = tag ? VLAN_ETH_HLEN : ETH_HLEN;
	struct iphdr *ip = (struct iphdr *)(p + at);
	struct udphdr *udp = (struct udphdr *)(ip + 1);

	memset(p, 0, IVSHM_HASH_LEN);
	((struct ethhdr *)p)->h_proto = htons(tag ? ETH_P_8021Q : ETH_P_IP);
	if (tag)
		((struct vlan_ethhdr *)p)->h_vlan_encapsulated_proto = htons(ETH_P_IP);
	ip->version = 4;
	ip->ihl = 5;
	ip->protocol = IPPROTO_UDP;
	ip->tot_len = htons(60);
	ip->saddr = htonl(0xc0000201);
	ip->daddr = htonl(0xc0000202);
	udp->source = htons(1024 + nr);
	udp->dest = htons(7);
	return at + 60;
}

static u32 queue_frame6(u8 *p, u32 nr)
{
	struct ipv6hdr *ip = (struct ipv6hdr *)(p + ETH_HLEN);
	struct udphdr *udp = (struct udphdr *)(ip + 1);

	memset(p, 0, IVSHM_HASH_LEN);
	((struct ethhdr *)p)->h_proto = htons(ETH_P_IPV6);
	ip->version = 6;
	ip->nexthdr = IPPROTO_UDP;
	ip->payload_len = htons(40);
	ip->saddr.s6_addr[15] = 1;
	ip->daddr.s6_addr[15] = 2;
	udp->source = htons(1024 + nr);
	udp->dest = htons(7);
	return ETH_HLEN + 80;
}

/* How many of FLOWS each of four queues gets; none is to be idle, none to have most. */
static void queue_spread(struct kunit *test, int kind)
{
	u8 *p = kunit_kzalloc(test, IVSHM_HASH_LEN, GFP_KERNEL);
	struct ivshm_map map = { .nr = 4, .index = IVSHM_QUEUE_HASH };
	u32 count[4] = {}, i, len;

	KUNIT_ASSERT_NOT_NULL(test, p);
	for (i = 0; i < FLOWS; i++) {
		len = kind == 6 ? queue_frame6(p, i) : queue_frame4(p, i, kind == 1);
		count[ivshm_queue_index(&map, ivshm_queue_hash(p, len))]++;
	}
	for (i = 0; i < 4; i++) {
		KUNIT_EXPECT_GT(test, count[i], FLOWS / 8);
		KUNIT_EXPECT_LT(test, count[i], FLOWS / 2);
	}
}

static void queue_spread_test(struct kunit *test)
{
	queue_spread(test, 4);
	queue_spread(test, 1);
	queue_spread(test, 6);
}

/* Of one flow: whatever else is in the frame. */
static void queue_same_test(struct kunit *test)
{
	u8 *p = kunit_kzalloc(test, IVSHM_HASH_LEN, GFP_KERNEL);
	u32 hash, len, i;

	KUNIT_ASSERT_NOT_NULL(test, p);
	len = queue_frame4(p, 1, false);
	hash = ivshm_queue_hash(p, len);
	for (i = 0; i < 50; i++) {
		struct iphdr *ip = (struct iphdr *)(p + ETH_HLEN);

		ip->id = htons(i);
		ip->ttl = i;
		ip->tos = i << 2;
		ip->tot_len = htons(28 + i);
		p[ETH_HLEN + sizeof(*ip) + sizeof(struct udphdr)] = i;
		KUNIT_EXPECT_EQ(test, hash, ivshm_queue_hash(p, ETH_HLEN + 28 + i));
	}
	len = queue_frame6(p, 1);
	hash = ivshm_queue_hash(p, len);
	for (i = 0; i < 50; i++) {
		/* The flow label, too: senders change it. */
		p[ETH_HLEN + 3] = i;
		p[ETH_HLEN + 7] = i;
		KUNIT_EXPECT_EQ(test, hash, ivshm_queue_hash(p, len));
	}
}

/* Fragments of one datagram stay together, though only the first has ports. */
static void queue_fragments_test(struct kunit *test)
{
	u8 *p = kunit_kzalloc(test, IVSHM_HASH_LEN, GFP_KERNEL);
	struct iphdr *ip = (struct iphdr *)(p + ETH_HLEN);
	u32 first, len;

	KUNIT_ASSERT_NOT_NULL(test, p);
	len = queue_frame4(p, 5, false);
	ip->frag_off = htons(IP_MF);
	first = ivshm_queue_hash(p, len);
	len = queue_frame4(p, 77, false);
	ip->frag_off = htons(100);
	KUNIT_EXPECT_EQ(test, first, ivshm_queue_hash(p, len));
}

/* Frames cut off anywhere, and of any bytes. */
static void queue_malformed_test(struct kunit *test)
{
	u8 *p = kunit_kzalloc(test, IVSHM_HASH_LEN, GFP_KERNEL);
	u32 len, full, i, x = 1;

	KUNIT_ASSERT_NOT_NULL(test, p);
	full = queue_frame4(p, 5, true);
	for (len = ETH_HLEN; len <= full; len++)
		ivshm_queue_hash(p, len);
	full = queue_frame6(p, 5);
	for (len = ETH_HLEN; len <= full; len++)
		ivshm_queue_hash(p, len);
	for (i = 0; i < 2000; i++) {
		queue_frame4(p, i, i & 1);
		x = x * 1664525 + 1013904223;
		p[ETH_HLEN + (x >> 16) % 60] = x >> 8;
		ivshm_queue_hash(p, ETH_HLEN + (x >> 4) % (IVSHM_HASH_LEN - ETH_HLEN));
	}
	/* No protocol that we know: all the same. */
	memset(p, 0, IVSHM_HASH_LEN);
	((struct ethhdr *)p)->h_proto = htons(ETH_P_ARP);
	i = ivshm_queue_hash(p, 60);
	p[ETH_HLEN + 10] = 1;
	KUNIT_EXPECT_EQ(test, i, ivshm_queue_hash(p, 60));
}

static void queue_map_same_test(struct kunit *test)
{
	struct ivshm_map a = { .gen = 1, .nr = 2, .index = 1 }, b = a;

	KUNIT_EXPECT_TRUE(test, ivshm_map_same(&a, &b));
	b.gen++;
	KUNIT_EXPECT_FALSE(test, ivshm_map_same(&a, &b));
	b = a;
	b.nr++;
	KUNIT_EXPECT_FALSE(test, ivshm_map_same(&a, &b));
	b = a;
	b.index = IVSHM_QUEUE_HASH;
	KUNIT_EXPECT_FALSE(test, ivshm_map_same(&a, &b));
}

/* What a worker's frames have to wait for before they go another way. */
static void queue_way_test(struct kunit *test)
{
	struct ivshm_qp *qp = kunit_kzalloc(test, sizeof(*qp), GFP_KERNEL);
	struct ivshm_pair *pair = kunit_kzalloc(test, sizeof(*pair), GFP_KERNEL);
	struct ivshm_map one = { .gen = 2, .nr = 2, .index = 1 };
	struct ivshm_map other = { .gen = 4, .nr = 1, .index = 0 };
	struct ivshm_way *way;

	KUNIT_ASSERT_NOT_NULL(test, qp);
	KUNIT_ASSERT_NOT_NULL(test, pair);
	qp->ways = kunit_kzalloc(test, sizeof(*qp->ways), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, qp->ways);
	way = &qp->ways->way[3];
	pair->epoch = 7;

	/* What went by the uplink before. */
	KUNIT_EXPECT_FALSE(test, ivshm_tx_way_open(qp, 3, pair, &one));
	way->epoch = 7;
	KUNIT_EXPECT_TRUE(test, ivshm_tx_way_open(qp, 3, pair, &one));
	/* The same way is open whatever is left by it. */
	atomic_set(&way->left, 1);
	KUNIT_EXPECT_TRUE(test, ivshm_tx_way_open(qp, 3, pair, &one));
	KUNIT_EXPECT_FALSE(test, ivshm_tx_way_open(qp, 3, pair, &other));
	KUNIT_EXPECT_TRUE(test, ivshm_tx_way_open(qp, 3, pair, &one));
	atomic_set(&way->left, 0);
	KUNIT_EXPECT_TRUE(test, ivshm_tx_way_open(qp, 3, pair, &other));
	atomic_set(&way->left, 1);
	KUNIT_EXPECT_FALSE(test, ivshm_tx_way_open(qp, 3, pair, &one));
	atomic_set(&way->left, 0);
	/* Another worker coupled it anew. */
	pair->epoch = 8;
	KUNIT_EXPECT_FALSE(test, ivshm_tx_way_open(qp, 3, pair, &other));
}

static struct kunit_case queue_cases[] = {
	KUNIT_CASE(queue_rule_test),
	KUNIT_CASE(queue_of_hash_test),
	KUNIT_CASE(queue_spread_test),
	KUNIT_CASE(queue_same_test),
	KUNIT_CASE(queue_fragments_test),
	KUNIT_CASE(queue_malformed_test),
	KUNIT_CASE(queue_map_same_test),
	KUNIT_CASE(queue_way_test),
	{}
};

static struct kunit_suite queue_suite = {
	.name = "ivshm-queue",
	.test_cases = queue_cases,
};

kunit_test_suite(queue_suite);
