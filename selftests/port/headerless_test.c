// SPDX-License-Identifier: GPL-2.0
/*
 * A tap without vnet headers: the device takes off what the guest puts in front
 * of its frames, and puts an empty one in front of those that come. The same on
 * /dev/ivshm-net and /dev/vhost-net:
 *
 *   guest --- tap0, no headers --- br0 --- tap1, headers --- peer
 */
#include <errno.h>
#include <linux/if_ether.h>

#include "kselftest_harness.h"
#include "env.h"
#include "guest.h"
#include "packet.h"

#define TIMEOUT	120
#define MSS	1400
/* By which the harness knows of it; from a fixture's setup, tests run on else. */
#define SKIPPED	255
#define NR(a)	(sizeof(a) / sizeof(*(a)))

static __u8 frame[GUEST_FRAME_MAX];
static struct guest_frame got;

FIXTURE(headerless) {
	struct guest g, peer;
};

FIXTURE_VARIANT(headerless) {
	const char *dev;
	__u64 features;
};

FIXTURE_VARIANT_ADD(headerless, ivshm_merged) {
	IVSHM_DEV, F_DEFAULT | F_HEADERLESS
};

FIXTURE_VARIANT_ADD(headerless, ivshm_legacy) {
	IVSHM_DEV, F_EVENT | F_HEADERLESS
};

FIXTURE_VARIANT_ADD(headerless, ivshm_legacy_merged) {
	IVSHM_DEV, F_MRG | F_HEADERLESS
};

/* vhost-net of 6.1 leaves out num_buffers there, which virtio 1.2, 5.1.6.4.1 has be 1. */
FIXTURE_VARIANT_ADD(headerless, ivshm_modern) {
	IVSHM_DEV, F_MODERN | F_INDIRECT | F_HEADERLESS
};

FIXTURE_VARIANT_ADD(headerless, vhost_merged) {
	VHOST_DEV, F_DEFAULT | F_HEADERLESS
};

FIXTURE_VARIANT_ADD(headerless, vhost_legacy) {
	VHOST_DEV, F_EVENT | F_HEADERLESS
};

FIXTURE_VARIANT_ADD(headerless, vhost_legacy_merged) {
	VHOST_DEV, F_MRG | F_HEADERLESS
};

/*
 * The next frame at the peer. vhost-net of some kernels forgets to look for frames
 * once in a while, after it said that it needs no kick: it gets one all the same.
 */
static int arrived(FIXTURE_DATA(headerless) * self)
{
	int err = 0, tries;

	for (tries = 0; tries < 25 && !err; tries++) {
		err = guest_recv(&self->peer, &got, 200);
		if (!err && self->g.c.dev && !strcmp(self->g.c.dev, VHOST_DEV))
			guest_kick(&self->g, GUEST_TX);
	}
	return err;
}

FIXTURE_SETUP(headerless)
{
	struct guest_config c = {
		.dev = variant->dev, .tap = "tap0", .bridge = "br0", .features = variant->features,
		/* So that merged buffers are, and others hold a whole frame. */
		.slot = { variant->features & F_MRG ? 600 : 2304, 10000 }, .nr_slots = { 0, 32 },
	};
	struct guest_config peer = {
		.tap = "tap1", .bridge = "br0", .slot = { 10000, 20000 }, .nr_slots = { 64, 32 },
	};
	/* Of the test machine. */
	const char *kernel = getenv("IVSHM_VM_KERNEL");

	if (access(variant->dev, F_OK))
		SKIP(_exit(SKIPPED), "no %s", variant->dev);
	if (kernel && !strcmp(kernel, "debug") && !strcmp(variant->dev, VHOST_DEV))
		SKIP(_exit(SKIPPED), "here vhost-net often completes no frame for such a tap");
	ASSERT_EQ(0, env_setup());
	ASSERT_EQ(0, guest_up(&self->g, &c));
	ASSERT_EQ(0, guest_up(&self->peer, &peer));
	ASSERT_EQ(0, env_forwarding("tap0"));
	ASSERT_EQ(0, env_forwarding("tap1"));
	/* The bridge is to know them. */
	frame_make(frame, 100, self->peer.mac, self->g.mac, 0, 0);
	ASSERT_EQ(0, guest_send(&self->g, NULL, frame, 100));
	ASSERT_EQ(1, arrived(self));
	ASSERT_EQ(0, guest_pass(&self->peer, &self->g, 100, 0));
}

FIXTURE_TEARDOWN(headerless)
{
	EXPECT_EQ(0, guest_stop(&self->g));
	EXPECT_EQ(0, guest_stop(&self->peer));
	EXPECT_EQ(0, self->g.faults + self->peer.faults);
	guest_close(&self->g);
	guest_close(&self->peer);
}

/* Whatever its header asked for, the frame goes out as it is. */
TEST_F_TIMEOUT(headerless, sent, TIMEOUT)
{
	static const __u32 size[] = { 60, 64, 1000, 1514, 5000, 9014 };
	struct virtio_net_hdr_mrg_rxbuf h = {
		.hdr = { VIRTIO_NET_HDR_F_NEEDS_CSUM, VIRTIO_NET_HDR_GSO_TCPV4, 54, 100, 34, 16 },
	};
	unsigned int i, round;

	/* Bridges drop what is too long for the other end. */
	ASSERT_EQ(0, env_mtu("tap1", 9000));
	for (round = 0; round < 2; round++) {
		for (i = 0; i < NR(size); i++) {
			frame_make(frame, size[i], self->peer.mac, self->g.mac, round, i);
			ASSERT_EQ(0, guest_send(&self->g, round ? &h : NULL, frame, size[i]));
			ASSERT_EQ(1, arrived(self))
				TH_LOG("%u bytes", size[i]);
			ASSERT_EQ(size[i], got.len);
			EXPECT_EQ(0, memcmp(frame, got.data, got.len));
			EXPECT_EQ(VIRTIO_NET_HDR_GSO_NONE, got.hdr.hdr.gso_type);
		}
	}
	EXPECT_EQ(0, guest_tx_drain(&self->g, 5000));
}

/* The header that is put in front says nothing, but how many buffers it took. */
static void expect_empty_header(struct __test_metadata *_metadata, struct guest *g)
{
	static const struct virtio_net_hdr none;
	__u32 room = g->ring[GUEST_RX].slot_size - GUEST_GAP;

	EXPECT_EQ(0, memcmp(&none, &got.hdr.hdr, sizeof(none)));
	EXPECT_EQ((got.len + g->hdr_len + room - 1) / room, got.bufs);
}

TEST_F_TIMEOUT(headerless, received, TIMEOUT)
{
	__u32 len;

	for (len = 60; len <= 1514; len += 36) {
		frame_make(frame, len, self->g.mac, self->peer.mac, 1, len);
		ASSERT_EQ(0, guest_send(&self->peer, NULL, frame, len));
		ASSERT_EQ(1, guest_recv(&self->g, &got, 5000))
			TH_LOG("%u bytes", len);
		ASSERT_EQ(len, got.len);
		EXPECT_EQ(0, memcmp(frame, got.data, len));
		expect_empty_header(_metadata, &self->g);
	}
}

/* Nothing is left to a guest that cannot be told of it. */
TEST_F_TIMEOUT(headerless, offloads, TIMEOUT)
{
	unsigned int round;

	for (round = 0; round < 16; round++) {
		struct packet p = {
			.v6 = round & 1, .vlan = round & 2,
			.proto = round & 4 ? IPPROTO_TCP : IPPROTO_UDP,
			.payload = 777, .mss = (round & 12) == 12 ? MSS : 0,
		};
		struct virtio_net_hdr_mrg_rxbuf h = {};
		__u32 len, at = 0;
		int part;

		if (p.mss)
			p.payload = 4 * MSS + 1;
		len = packet_make(&p, frame, self->g.mac, self->peer.mac, &h.hdr);
		ASSERT_EQ(0, guest_send(&self->peer, &h, frame, len));
		while (at < p.payload) {
			ASSERT_EQ(1, guest_recv(&self->g, &got, 5000))
				TH_LOG("%u of %u bytes came", at, p.payload);
			part = packet_check(&p, got.data, got.len, at, false, &got.hdr.hdr);
			ASSERT_LT(0, part);
			expect_empty_header(_metadata, &self->g);
			at += part;
		}
	}
	EXPECT_EQ(0, guest_silent(&self->g, 20));
}

/* Such a queue pair is no port: it cannot be coupled, and stays where it was. */
TEST_F_TIMEOUT(headerless, no_port, TIMEOUT)
{
	struct ctl_port port;
	unsigned int i;

	if (strcmp(variant->dev, IVSHM_DEV))
		SKIP(return, "only ivshm has ports");
	EXPECT_EQ(-ENODEV, ctl_port("tap0", &port));
	ASSERT_EQ(0, ctl_couple("lan0", IVSHM_COUPLING_DYNAMIC, NULL, "tap0", "tap1", NULL));
	for (i = 0; i < 5; i++) {
		ASSERT_EQ(0, guest_pass(&self->g, &self->peer, 100 + i, i));
		ASSERT_EQ(0, guest_pass(&self->peer, &self->g, 100 + i, i));
	}
	EXPECT_EQ(0, ctl_stat("tap1", IVSHM_A_STAT_TX_DIRECT_FRAMES));
	EXPECT_EQ(0, ctl_stat("tap1", IVSHM_A_STAT_RX_DIRECT_FRAMES));
}

/* Many at once: in order, whole, and all of them. */
TEST_F_TIMEOUT(headerless, bursts, TIMEOUT)
{
	unsigned int round, i, end;
	__u32 flow, seq, next = 0;

	for (round = 0; round < 20; round++) {
		end = next + 1 + rnd() % 60;
		for (i = next; i < end; i++) {
			frame_make(frame, 400 + i % 900, self->g.mac, self->peer.mac, 2, i);
			ASSERT_EQ(0, guest_send_pieces(&self->peer, NULL, frame, 400 + i % 900,
						       NULL, 0, GUEST_MORE));
			if (i % 30 == 29) {
				guest_publish(&self->peer, GUEST_TX);
				ASSERT_EQ(0, guest_tx_drain(&self->peer, 5000));
			}
		}
		guest_publish(&self->peer, GUEST_TX);
		for (; next < end; next++) {
			ASSERT_EQ(1, guest_recv(&self->g, &got, 5000))
				TH_LOG("frame %u of %u", next, end);
			ASSERT_EQ(0, frame_check(got.data, got.len, &flow, &seq));
			ASSERT_EQ(next, seq);
		}
		ASSERT_EQ(0, guest_tx_drain(&self->peer, 5000));
	}
}

TEST_HARNESS_MAIN
