// SPDX-License-Identifier: GPL-2.0
/*
 * Two guests that took different offloads: what the receiver cannot take is
 * checksummed and segmented for it, and every byte is still there.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>

#include <linux/if_tun.h>
#include <sys/ioctl.h>

#include "kselftest_harness.h"
#include "env.h"
#include "guest.h"

#define TIMEOUT	120
#define PAYLOAD	9000
#define MSS	1400

static __u8 frame[GUEST_FRAME_MAX];
static struct guest_frame got;

FIXTURE(offload) {
	struct guest a, b;
};

FIXTURE_VARIANT(offload) {
	bool takes;
	__u64 features;
	int type;
};

FIXTURE_VARIANT_ADD(offload, both_static)	{ true, F_DEFAULT, IVSHM_COUPLING_STATIC };
FIXTURE_VARIANT_ADD(offload, none_static)	{ false, F_DEFAULT, IVSHM_COUPLING_STATIC };
FIXTURE_VARIANT_ADD(offload, none_legacy)	{ false, F_EVENT, IVSHM_COUPLING_STATIC };
FIXTURE_VARIANT_ADD(offload, none_dynamic)	{ false, F_DEFAULT, IVSHM_COUPLING_DYNAMIC };
FIXTURE_VARIANT_ADD(offload, both_dynamic)	{ true, F_DEFAULT, IVSHM_COUPLING_DYNAMIC };

FIXTURE_SETUP(offload)
{
	struct guest_config ca = {
		.tap = "tap0", .bridge = "br0", .slot = { 2304, 20000 }, .nr_slots = { 256, 32 },
	};
	struct guest_config cb = {
		.tap = "tap1", .bridge = "br0", .no_offload = !variant->takes,
		.features = variant->features,
		.slot = { variant->features & F_MRG ? 2304 : 20000 },
		.nr_slots = { 64 },
	};
	__u32 state = 0, reason = 0, seq = 0;

	ASSERT_EQ(0, env_setup());
	ASSERT_EQ(0, guest_up(&self->a, &ca));
	ASSERT_EQ(0, guest_up(&self->b, &cb));
	ASSERT_EQ(0, ctl_couple("lan0", variant->type, NULL, "tap0", "tap1", NULL));
	while (state != IVSHM_PAIR_COUPLED && seq < 1000) {
		ASSERT_EQ(0, guest_pass(&self->b, &self->a, 100, seq++));
		ASSERT_EQ(0, guest_pass(&self->a, &self->b, 100, seq++));
		ASSERT_EQ(0, ctl_pair("lan0", "tap0", "tap1", &state, &reason));
	}
	ASSERT_EQ(IVSHM_PAIR_COUPLED, state);
}

FIXTURE_TEARDOWN(offload)
{
	EXPECT_EQ(0, guest_stop(&self->a));
	EXPECT_EQ(0, guest_stop(&self->b));
	EXPECT_EQ(0, self->a.faults + self->b.faults);
	guest_close(&self->a);
	guest_close(&self->b);
}

static __u32 add(__u32 sum, const void *p, __u32 len)
{
	const __u8 *b = p;

	for (; len > 1; b += 2, len -= 2)
		sum += b[0] << 8 | b[1];
	if (len)
		sum += b[0] << 8;
	return sum;
}

static __u16 fold(__u32 sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

/* Sum of the pseudo header of the packet behind the Ethernet header. */
static __u32 pseudo(const __u8 *ip, bool v6, __u8 proto, __u32 len)
{
	__u32 sum = v6 ? add(0, ip + 8, 32) : add(0, ip + 12, 8);

	return sum + proto + (len >> 16) + (len & 0xffff);
}

static __u8 byte(__u32 at)
{
	return at * 7 + (at >> 8);
}

/* A packet with @len bytes of payload, checksum left to the device. */
static __u32 packet(struct guest *from, struct guest *to, bool v6, __u8 proto,
		    __u32 len, struct virtio_net_hdr *h)
{
	__u32 ipl = v6 ? 40 : 20, tl = proto == IPPROTO_TCP ? 20 : 8, i;
	struct ethhdr *eth = (struct ethhdr *)frame;
	__u8 *ip = frame + ETH_HLEN, *th = ip + ipl;
	__u16 sum;

	memset(frame, 0, ETH_HLEN + ipl + tl);
	memcpy(eth->h_dest, to->mac, 6);
	memcpy(eth->h_source, from->mac, 6);
	eth->h_proto = htons(v6 ? ETH_P_IPV6 : ETH_P_IP);
	if (v6) {
		struct ip6_hdr *ip6 = (struct ip6_hdr *)ip;

		ip6->ip6_flow = htonl(6u << 28);
		ip6->ip6_plen = htons(tl + len);
		ip6->ip6_nxt = proto;
		ip6->ip6_hlim = 64;
		memset(&ip6->ip6_src, 0xfd, 16);
		memset(&ip6->ip6_dst, 0xfc, 16);
	} else {
		struct iphdr *ip4 = (struct iphdr *)ip;

		ip4->version = 4;
		ip4->ihl = 5;
		ip4->tot_len = htons(ipl + tl + len);
		ip4->id = htons(1000);
		ip4->ttl = 64;
		ip4->protocol = proto;
		ip4->saddr = htonl(0x0a000001);
		ip4->daddr = htonl(0x0a000002);
		ip4->check = htons(~fold(add(0, ip, 20)));
	}
	sum = htons(fold(pseudo(ip, v6, proto, tl + len)));
	if (proto == IPPROTO_TCP) {
		struct tcphdr *tcp = (struct tcphdr *)th;

		tcp->source = htons(1);
		tcp->dest = htons(2);
		tcp->seq = htonl(5000);
		tcp->doff = 5;
		tcp->ack = 1;
		tcp->psh = 1;
		tcp->fin = 1;
		tcp->check = sum;
		h->csum_offset = offsetof(struct tcphdr, check);
	} else {
		struct udphdr *udp = (struct udphdr *)th;

		udp->source = htons(1);
		udp->dest = htons(2);
		udp->len = htons(tl + len);
		udp->check = sum;
		h->csum_offset = offsetof(struct udphdr, check);
	}
	for (i = 0; i < len; i++)
		th[tl + i] = byte(i);
	h->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	h->csum_start = ETH_HLEN + ipl;
	return ETH_HLEN + ipl + tl + len;
}

/* A frame that somebody could take without any offload; its payload's length. */
static __u32 expect_plain(struct __test_metadata *_metadata, bool v6, __u8 proto,
			  __u32 at)
{
	__u32 ipl = v6 ? 40 : 20, tl = proto == IPPROTO_TCP ? 20 : 8, len, i;
	const __u8 *ip = got.data + ETH_HLEN, *th = ip + ipl;

	EXPECT_EQ(0, got.hdr.hdr.flags);
	EXPECT_EQ(0, got.hdr.hdr.gso_type);
	EXPECT_EQ(0, memcmp(got.data, frame, ETH_HLEN));
	ASSERT_LT(ETH_HLEN + ipl + tl, got.len);
	len = got.len - ETH_HLEN - ipl - tl;
	if (v6) {
		EXPECT_EQ(tl + len, ntohs(((struct ip6_hdr *)ip)->ip6_plen));
	} else {
		EXPECT_EQ(ipl + tl + len, ntohs(((struct iphdr *)ip)->tot_len));
		EXPECT_EQ(0xffff, fold(add(0, ip, 20)));
	}
	EXPECT_EQ(0xffff, fold(add(pseudo(ip, v6, proto, tl + len), th, tl + len)))
		TH_LOG("checksum of the frame at %u", at);
	if (proto == IPPROTO_TCP) {
		EXPECT_EQ(5000 + at, ntohl(((struct tcphdr *)th)->seq));
	}
	for (i = 0; i < len && th[tl + i] == byte(at + i); i++)
		;
	EXPECT_EQ(len, i)
		TH_LOG("payload at %u", at + i);
	return len;
}

static void checksum(struct __test_metadata *_metadata, FIXTURE_DATA(offload) * self,
		     const FIXTURE_VARIANT(offload) * variant, bool v6, __u8 proto)
{
	__u32 size, len;

	for (size = 1; size < 1400; size += 131) {
		struct virtio_net_hdr_mrg_rxbuf h = {};

		len = packet(&self->a, &self->b, v6, proto, size, &h.hdr);
		ASSERT_EQ(0, guest_send(&self->a, &h, frame, len));
		ASSERT_EQ(1, guest_recv(&self->b, &got, 5000));
		ASSERT_EQ(len, got.len);
		if (!variant->takes) {
			EXPECT_EQ(size, expect_plain(_metadata, v6, proto, 0));
			continue;
		}
		EXPECT_EQ(0, memcmp(frame, got.data, len));
		EXPECT_EQ(VIRTIO_NET_HDR_F_NEEDS_CSUM, got.hdr.hdr.flags);
		EXPECT_EQ(h.hdr.csum_start, got.hdr.hdr.csum_start);
		EXPECT_EQ(h.hdr.csum_offset, got.hdr.hdr.csum_offset);
	}
}

TEST_F_TIMEOUT(offload, checksum, TIMEOUT)
{
	__u64 skbs = ctl_stat("tap0", IVSHM_A_STAT_SKBS);

	checksum(_metadata, self, variant, false, IPPROTO_UDP);
	checksum(_metadata, self, variant, false, IPPROTO_TCP);
	checksum(_metadata, self, variant, true, IPPROTO_UDP);
	checksum(_metadata, self, variant, true, IPPROTO_TCP);
	EXPECT_EQ(0, ctl_stat("tap0", IVSHM_A_STAT_DROP_OFFLOAD));
	EXPECT_EQ(!variant->takes, skbs < ctl_stat("tap0", IVSHM_A_STAT_SKBS));
}

/* The receiver's driver changes its mind while it runs, and back. */
TEST_F_TIMEOUT(offload, changed, TIMEOUT)
{
	FIXTURE_VARIANT(offload) now = *variant;
	unsigned int round;

	for (round = 0; round < 4; round++) {
		now.takes = !now.takes;
		ASSERT_EQ(0, ioctl(self->b.tap, TUNSETOFFLOAD,
				   (unsigned long)(now.takes ? GUEST_OFFLOADS : 0)));
		checksum(_metadata, self, &now, false, IPPROTO_TCP);
	}
	EXPECT_EQ(0, ctl_stat("tap0", IVSHM_A_STAT_DROP_OFFLOAD));
}

TEST_F_TIMEOUT(offload, segments, TIMEOUT)
{
	unsigned int round;

	for (round = 0; round < 8; round++) {
		bool v6 = round & 1, ecn = round & 2;
		__u32 payload = round & 4 ? PAYLOAD : MSS + 1, len, at, n = 0;
		struct virtio_net_hdr_mrg_rxbuf h = {};

		len = packet(&self->a, &self->b, v6, IPPROTO_TCP, payload, &h.hdr);
		h.hdr.gso_type = v6 ? VIRTIO_NET_HDR_GSO_TCPV6 : VIRTIO_NET_HDR_GSO_TCPV4;
		if (ecn)
			h.hdr.gso_type |= VIRTIO_NET_HDR_GSO_ECN;
		h.hdr.gso_size = MSS;
		/* Only a hint, and guests are known to leave it. */
		h.hdr.hdr_len = round & 4 ? 0 : len - payload;
		ASSERT_EQ(0, guest_send(&self->a, &h, frame, len));
		if (variant->takes) {
			ASSERT_EQ(1, guest_recv(&self->b, &got, 5000));
			ASSERT_EQ(len, got.len);
			EXPECT_EQ(0, memcmp(frame, got.data, len));
			EXPECT_EQ(h.hdr.gso_type, got.hdr.hdr.gso_type);
			EXPECT_EQ(MSS, got.hdr.hdr.gso_size);
			EXPECT_EQ(h.hdr.csum_start, got.hdr.hdr.csum_start);
			EXPECT_EQ(len - payload, got.hdr.hdr.hdr_len);
			continue;
		}
		for (at = 0; at < payload; n++) {
			const struct tcphdr *tcp;
			__u32 part;

			ASSERT_EQ(1, guest_recv(&self->b, &got, 5000))
				TH_LOG("%u of %u bytes came", at, payload);
			part = expect_plain(_metadata, v6, IPPROTO_TCP, at);
			ASSERT_GE(MSS, part);
			at += part;
			tcp = (struct tcphdr *)(got.data + ETH_HLEN + (v6 ? 40 : 20));
			EXPECT_EQ(at == payload, !!tcp->fin);
			EXPECT_EQ(at == payload, !!tcp->psh);
		}
		EXPECT_EQ(payload, at);
		EXPECT_EQ((payload + MSS - 1) / MSS, n);
	}
	EXPECT_EQ(0, guest_silent(&self->b, 50));
	EXPECT_EQ(0, ctl_stat("tap0", IVSHM_A_STAT_DROP_OFFLOAD));
	EXPECT_EQ(0, guest_tx_drain(&self->a, 5000));
	/* What needed nothing done to it goes on as before. */
	ASSERT_EQ(0, guest_pass(&self->a, &self->b, 1000, 1));
}

/* UDP to be fragmented does not go direct: by the tap, or nowhere. */
TEST_F_TIMEOUT(offload, udp_fragments, TIMEOUT)
{
	bool dropped = variant->type == IVSHM_COUPLING_STATIC;
	__u64 uplink = ctl_stat("tap0", IVSHM_A_STAT_TX_UPLINK_FRAMES);
	struct virtio_net_hdr_mrg_rxbuf h = {};
	__u32 len, n = 0;

	len = packet(&self->a, &self->b, false, IPPROTO_UDP, 4000, &h.hdr);
	h.hdr.gso_type = VIRTIO_NET_HDR_GSO_UDP;
	h.hdr.gso_size = 1480;
	h.hdr.hdr_len = ETH_HLEN + 20 + 8;
	ASSERT_EQ(0, guest_send(&self->a, &h, frame, len));
	ASSERT_EQ(0, guest_tx_drain(&self->a, 5000));
	while (guest_recv(&self->b, &got, n ? 200 : 1000) == 1) {
		EXPECT_GE(1514, got.len);
		EXPECT_EQ(0, got.hdr.hdr.gso_type);
		n++;
	}
	EXPECT_EQ(dropped ? 0 : 3, n);
	EXPECT_EQ(dropped, ctl_stat("tap0", IVSHM_A_STAT_DROP_OFFLOAD));
	EXPECT_EQ(uplink + !dropped, ctl_stat("tap0", IVSHM_A_STAT_TX_UPLINK_FRAMES));
}

/* Frames that need work and frames that do not keep their order. */
TEST_F_TIMEOUT(offload, order, TIMEOUT)
{
	__u32 i, len, flow, seq;

	for (i = 0; i < 60; i++) {
		struct virtio_net_hdr_mrg_rxbuf h = {};
		__u32 piece = self->a.hdr_len;

		len = 200;
		if (i % 3 == 2)
			len = packet(&self->a, &self->b, false, IPPROTO_UDP, 300 + i, &h.hdr);
		else
			frame_make(frame, len, self->b.mac, self->a.mac, 1, i);
		while (guest_send_pieces(&self->a, &h, frame, len, &piece, 1,
					 GUEST_MORE) == -EAGAIN) {
			guest_publish(&self->a, GUEST_TX);
			guest_wait(&self->a, GUEST_TX, 1000);
		}
		if (i % 30 == 29)
			guest_publish(&self->a, GUEST_TX);
		for (; i % 30 == 29 && len; len = 0) {
			__u32 j;

			for (j = i - 29; j <= i; j++) {
				ASSERT_EQ(1, guest_recv(&self->b, &got, 5000));
				if (j % 3 == 2) {
					EXPECT_EQ(14 + 28 + 300 + j, got.len);
					continue;
				}
				ASSERT_EQ(0, frame_check(got.data, got.len, &flow, &seq));
				EXPECT_EQ(j, seq);
			}
		}
	}
}

TEST_HARNESS_MAIN
