// SPDX-License-Identifier: GPL-2.0
/*
 * Two guests that took different offloads: what the receiver cannot take is
 * checksummed and segmented for it, and every byte is still there.
 */
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_tun.h>
#include <sys/ioctl.h>

#include "kselftest_harness.h"
#include "env.h"
#include "guest.h"
#include "packet.h"

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

/* A frame that somebody could take without any offload; its payload's length. */
static __u32 expect_plain(struct __test_metadata *_metadata, const struct packet *p, __u32 at)
{
	int len = packet_check(p, got.data, got.len, at, false, &got.hdr.hdr);

	EXPECT_EQ(0, got.hdr.hdr.flags);
	EXPECT_EQ(0, got.hdr.hdr.gso_type);
	EXPECT_EQ(0, memcmp(got.data, frame, ETH_HLEN));
	ASSERT_LT(0, len)
		TH_LOG("of the frame at %u", at);
	return len;
}

static void checksum(struct __test_metadata *_metadata, FIXTURE_DATA(offload) * self,
		     const FIXTURE_VARIANT(offload) * variant, bool v6, __u8 proto)
{
	struct packet p = { .v6 = v6, .proto = proto };
	__u32 len;

	for (p.payload = 1; p.payload < 1400; p.payload += 131) {
		struct virtio_net_hdr_mrg_rxbuf h = {};

		len = packet_make(&p, frame, self->b.mac, self->a.mac, &h.hdr);
		ASSERT_EQ(0, guest_send(&self->a, &h, frame, len));
		ASSERT_EQ(1, guest_recv(&self->b, &got, 5000));
		ASSERT_EQ(len, got.len);
		if (!variant->takes) {
			EXPECT_EQ(p.payload, expect_plain(_metadata, &p, 0));
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
		struct packet p = {
			.v6 = round & 1, .ecn = round & 2, .proto = IPPROTO_TCP, .mss = MSS,
			.payload = round & 4 ? PAYLOAD : MSS + 1,
		};
		struct virtio_net_hdr_mrg_rxbuf h = {};
		__u32 len, at, n = 0;

		len = packet_make(&p, frame, self->b.mac, self->a.mac, &h.hdr);
		/* Only a hint, and guests are known to leave it. */
		if (round & 4)
			h.hdr.hdr_len = 0;
		ASSERT_EQ(0, guest_send(&self->a, &h, frame, len));
		if (variant->takes) {
			ASSERT_EQ(1, guest_recv(&self->b, &got, 5000));
			ASSERT_EQ(len, got.len);
			EXPECT_EQ(0, memcmp(frame, got.data, len));
			EXPECT_EQ(h.hdr.gso_type, got.hdr.hdr.gso_type);
			EXPECT_EQ(MSS, got.hdr.hdr.gso_size);
			EXPECT_EQ(h.hdr.csum_start, got.hdr.hdr.csum_start);
			EXPECT_EQ(packet_headers(&p), got.hdr.hdr.hdr_len);
			continue;
		}
		for (at = 0; at < p.payload; n++) {
			__u32 part;

			ASSERT_EQ(1, guest_recv(&self->b, &got, 5000))
				TH_LOG("%u of %u bytes came", at, p.payload);
			part = expect_plain(_metadata, &p, at);
			ASSERT_GE(MSS, part);
			at += part;
		}
		EXPECT_EQ((p.payload + MSS - 1) / MSS, n);
	}
	EXPECT_EQ(0, guest_silent(&self->b, 50));
	EXPECT_EQ(0, ctl_stat("tap0", IVSHM_A_STAT_DROP_OFFLOAD));
	EXPECT_EQ(0, guest_tx_drain(&self->a, 5000));
	/* What needed nothing done to it goes on as before. */
	ASSERT_EQ(0, guest_pass(&self->a, &self->b, 1000, 1));
}

/* UDP to be fragmented, into @size bytes each. Its length. */
static __u32 send_udp(struct __test_metadata *_metadata, FIXTURE_DATA(offload) * self,
		      const struct packet *p, __u16 size)
{
	struct virtio_net_hdr_mrg_rxbuf h = {};
	__u32 len = packet_make(p, frame, self->b.mac, self->a.mac, &h.hdr);

	h.hdr.gso_type = VIRTIO_NET_HDR_GSO_UDP;
	h.hdr.gso_size = size;
	h.hdr.hdr_len = packet_headers(p);
	EXPECT_EQ(0, guest_send(&self->a, &h, frame, len));
	EXPECT_EQ(0, guest_tx_drain(&self->a, 5000));
	return len;
}

/* No tap says that its guest takes it whole: direct, as fragments of IP. */
TEST_F_TIMEOUT(offload, udp_fragments, TIMEOUT)
{
	__u64 uplink = ctl_stat("tap0", IVSHM_A_STAT_TX_UPLINK_FRAMES);
	__u64 direct = ctl_stat("tap0", IVSHM_A_STAT_TX_DIRECT_FRAMES);
	bool tags = variant->type == IVSHM_COUPLING_STATIC;
	static struct packet_parts parts;
	unsigned int round;
	__u32 len, n;

	for (round = 0; round < 16; round++) {
		struct packet p = {
			.v6 = round & 1, .vlan = tags && round & 2, .proto = IPPROTO_UDP,
			.payload = (round & 4 ? 4000 : 10000) + round,
		};
		__u16 size = round & 8 ? 1400 : 1024;
		int part;

		len = send_udp(_metadata, self, &p, size) - packet_headers(&p) + 8;
		packet_parts_begin(&p, frame, &parts);
		for (n = 0; !parts.whole; n++) {
			ASSERT_EQ(1, guest_recv(&self->b, &got, 5000))
				TH_LOG("%u of %u bytes came", parts.len, len);
			EXPECT_EQ(0, got.hdr.hdr.flags);
			EXPECT_EQ(0, got.hdr.hdr.gso_type);
			part = packet_parts_add(&p, got.data, got.len, &parts);
			ASSERT_LT(0, part);
			EXPECT_EQ(parts.whole ? len - n * size : size, part);
		}
		EXPECT_EQ((len + size - 1) / size, n);
		ASSERT_EQ(p.payload, packet_check(&p, parts.frame,
						  packet_headers(&p) + p.payload, 0, false,
						  &got.hdr.hdr));
	}
	EXPECT_EQ(uplink, ctl_stat("tap0", IVSHM_A_STAT_TX_UPLINK_FRAMES));
	EXPECT_EQ(direct + round, ctl_stat("tap0", IVSHM_A_STAT_TX_DIRECT_FRAMES));
	EXPECT_EQ(0, ctl_stat("tap0", IVSHM_A_STAT_DROP_OFFLOAD));
	ASSERT_EQ(0, guest_pass(&self->a, &self->b, 1000, 1));
}

/* Fragments up to the MTU of the receiver, 1500, of which IPv6 has eight for a header. */
TEST_F_TIMEOUT(offload, udp_mtu, TIMEOUT)
{
	bool dynamic = variant->type == IVSHM_COUPLING_DYNAMIC;
	unsigned int i;

	for (i = 0; i < 4; i++) {
		struct packet p = { .v6 = i & 1, .proto = IPPROTO_UDP, .payload = 4000 };
		__u64 direct = ctl_stat("tap0", IVSHM_A_STAT_TX_DIRECT_FRAMES);
		__u16 size = (p.v6 ? 1448 : 1480) + (i & 2 ? 8 : 0);

		send_udp(_metadata, self, &p, size);
		EXPECT_EQ(direct + !(dynamic && i & 2),
			  ctl_stat("tap0", IVSHM_A_STAT_TX_DIRECT_FRAMES))
			TH_LOG("IPv%u, %u bytes", p.v6 ? 6 : 4, size);
	}
	EXPECT_EQ(0, ctl_stat("tap0", IVSHM_A_STAT_DROP_OFFLOAD));
	while (guest_recv(&self->b, &got, 200) == 1)
		;
}

/* What is no such thing: the tap may have it, or nobody. */
TEST_F_TIMEOUT(offload, udp_odd, TIMEOUT)
{
	static const struct { __u8 proto; __u16 size; } odd[] = {
		{ IPPROTO_UDP, 0 }, { IPPROTO_UDP, 1001 }, { IPPROTO_UDP, 4 },
		{ IPPROTO_TCP, 1480 },
	};
	bool dropped = variant->type == IVSHM_COUPLING_STATIC;
	__u64 uplink = ctl_stat("tap0", IVSHM_A_STAT_TX_UPLINK_FRAMES);
	__u64 direct = ctl_stat("tap0", IVSHM_A_STAT_TX_DIRECT_FRAMES);
	__u64 lost = ctl_stat("tap0", IVSHM_A_STAT_DROP_UPLINK);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(odd); i++) {
		struct packet p = { .proto = odd[i].proto, .payload = 4000 };

		send_udp(_metadata, self, &p, odd[i].size);
	}
	EXPECT_EQ(direct, ctl_stat("tap0", IVSHM_A_STAT_TX_DIRECT_FRAMES));
	EXPECT_EQ(dropped ? i : 0, ctl_stat("tap0", IVSHM_A_STAT_DROP_OFFLOAD));
	uplink = ctl_stat("tap0", IVSHM_A_STAT_TX_UPLINK_FRAMES) - uplink;
	lost = ctl_stat("tap0", IVSHM_A_STAT_DROP_UPLINK) - lost;
	EXPECT_EQ(dropped ? 0 : i, uplink + lost);
	while (guest_recv(&self->b, &got, 200) == 1)
		;
}

/* Frames that need work and frames that do not keep their order. */
TEST_F_TIMEOUT(offload, order, TIMEOUT)
{
	__u32 i, len, flow, seq;

	for (i = 0; i < 60; i++) {
		struct packet p = { .proto = IPPROTO_UDP, .payload = 300 + i };
		struct virtio_net_hdr_mrg_rxbuf h = {};
		__u32 piece = self->a.hdr_len;

		len = 200;
		if (i % 3 == 2)
			len = packet_make(&p, frame, self->b.mac, self->a.mac, &h.hdr);
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
					EXPECT_EQ(packet_headers(&p) + 300 + j, got.len);
					continue;
				}
				ASSERT_EQ(0, frame_check(got.data, got.len, &flow, &seq));
				EXPECT_EQ(j, seq);
			}
		}
	}
}

TEST_HARNESS_MAIN
