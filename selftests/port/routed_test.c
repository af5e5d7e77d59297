// SPDX-License-Identifier: GPL-2.0
/*
 * Couplings that go by IP addresses:
 *
 *   guest 0, 10.0.0.1 --- tap0 ---+--- br0        br1 ---+--- tap1 --- guest 1, 10.1.0.1
 *   gateway (guest 2) --- tap2 ---+                      +--- fd01::1
 *
 * Nothing but the module leads from br0 to br1: the gateway keeps what it gets.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "kselftest_harness.h"

#include "env.h"
#include "guest.h"
#include "tool.h"

#define TIMEOUT	120
#define GUESTS	3

static const char * const tap[GUESTS] = { "tap0", "tap1", "tap2" };

FIXTURE(routed) {
	struct guest g[GUESTS];
	char mac[GUESTS][18];
};

FIXTURE_SETUP(routed)
{
	const __u8 *m;
	int i;

	ASSERT_EQ(0, env_setup());
	ASSERT_EQ(0, env_bridge("br1"));
	for (i = 0; i < GUESTS; i++) {
		struct guest_config c = { .tap = tap[i], .bridge = i == 1 ? "br1" : "br0" };

		ASSERT_EQ(0, guest_up(&self->g[i], &c));
		m = self->g[i].mac;
		snprintf(self->mac[i], sizeof(self->mac[i]), "%02x:%02x:%02x:%02x:%02x:%02x",
			 m[0], m[1], m[2], m[3], m[4], m[5]);
	}
	for (i = 0; i < GUESTS; i++)
		ASSERT_EQ(0, env_forwarding(tap[i]));
	ASSERT_EQ(0, tool("ivmctl address add 10.1.0.1 port tap1 lladdr %s", self->mac[1]));
	ASSERT_EQ(0, tool("ivmctl address add fd01::1 port tap1 lladdr %s", self->mac[1]));
	ASSERT_EQ(0, tool("ivmctl coupling add routed dynamic tap0 tap1 match ip"));
}

FIXTURE_TEARDOWN(routed)
{
	int i;

	for (i = 0; i < GUESTS; i++) {
		EXPECT_EQ(0, guest_stop(&self->g[i]));
		EXPECT_EQ(0, self->g[i].faults);
		guest_close(&self->g[i]);
	}
}

/* A UDP packet of @len bytes with the Ethernet header, to 10.1.0.@dst or fd01::@dst. */
static void packet(__u8 *frame, __u32 len, bool v6, const __u8 *to, const __u8 *from, __u8 dst,
		   __u8 ttl, __u16 seq)
{
	__u8 *ip = frame + 14, *udp = ip + (v6 ? 40 : 20);
	__u32 sum = 0, i;

	for (i = 0; i < len; i++)
		frame[i] = i * 7 + seq;
	memcpy(frame, to, 6);
	memcpy(frame + 6, from, 6);
	frame[12] = v6 ? 0x86 : 0x08;
	frame[13] = v6 ? 0xdd : 0x00;
	memset(ip, 0, v6 ? 40 : 20);
	if (v6) {
		ip[0] = 0x60;
		ip[4] = (len - 54) >> 8;
		ip[5] = len - 54;
		ip[6] = 17;
		ip[7] = ttl;
		ip[8] = 0xfd;
		ip[23] = 1;
		ip[24] = 0xfd;
		ip[25] = 1;
		ip[39] = dst;
	} else {
		ip[0] = 0x45;
		ip[2] = (len - 14) >> 8;
		ip[3] = len - 14;
		ip[8] = ttl;
		ip[9] = 17;
		memcpy(ip + 12, "\x0a\0\0\1\x0a\1\0", 7);
		ip[19] = dst;
		for (i = 0; i < 20; i += 2)
			sum += ip[i] << 8 | ip[i + 1];
		sum = (sum & 0xffff) + (sum >> 16);
		ip[10] = ~sum >> 8;
		ip[11] = ~sum;
	}
	/* No checksum, and where the next one is known by. */
	udp[6] = 0;
	udp[7] = 0;
	udp[8] = seq >> 8;
	udp[9] = seq;
}

/* As the receiver behind the gateway is to get it. */
static bool arrived(const struct guest_frame *f, const __u8 *sent, __u32 len, const __u8 *to,
		    const __u8 *from)
{
	bool ok = f->len == len && !memcmp(f->data, to, 6) && !memcmp(f->data + 6, from, 6) &&
		  !memcmp(f->data + 12, sent + 12, len - 12);

	if (!ok)
		frame_print(f->data, f->len);
	return ok;
}

/* Packets until they go direct; those before go to the gateway. */
static void join(struct __test_metadata *_metadata, FIXTURE_DATA(routed) * self)
{
	__u64 end = now_ms() + 10000, direct = ctl_stat(tap[0], IVSHM_A_STAT_TX_DIRECT_FRAMES);
	__u32 state = 0, reason = 0;
	struct guest_frame f;
	__u8 frame[100];

	/* One that goes direct has had a verdict of now. */
	while (!(state == IVSHM_PAIR_COUPLED &&
		 ctl_stat(tap[0], IVSHM_A_STAT_TX_DIRECT_FRAMES) > direct) && now_ms() < end) {
		packet(frame, sizeof(frame), false, self->g[2].mac, self->g[0].mac, 1, 64, 0);
		ASSERT_EQ(0, guest_send(&self->g[0], NULL, frame, sizeof(frame)));
		ASSERT_EQ(0, guest_tx_drain(&self->g[0], 5000));
		ASSERT_EQ(0, ctl_pair("routed", tap[0], tap[1], &state, &reason));
	}
	ASSERT_EQ(IVSHM_PAIR_COUPLED, state)
		TH_LOG("reason %u", reason);
	while (guest_recv(&self->g[1], &f, 100) == 1)
		ASSERT_TRUE(arrived(&f, frame, sizeof(frame), self->g[1].mac, self->g[2].mac));
	while (guest_recv(&self->g[2], &f, 50) == 1)
		ASSERT_TRUE(arrived(&f, frame, sizeof(frame), self->g[2].mac, self->g[0].mac));
}

TEST_F_TIMEOUT(routed, direct, TIMEOUT)
{
	struct guest *a = &self->g[0], *b = &self->g[1], *gw = &self->g[2];
	static const __u32 pieces[] = { 20, 9, 13, 30 };
	struct guest_frame f;
	__u8 frame[1514];
	__u32 len;
	int i;

	join(_metadata, self);
	for (i = 0; i < 60; i++) {
		len = 60 + i * 24 + (i & 1) * 4;
		packet(frame, len, i & 1, gw->mac, a->mac, 1, 2 + i, i);
		/* In one piece, and with the headers in several. */
		ASSERT_EQ(0, i % 3 ? guest_send(a, NULL, frame, len) :
				     guest_send_pieces(a, NULL, frame, len, pieces, 4, 0));
		ASSERT_EQ(1, guest_recv(b, &f, 5000));
		ASSERT_TRUE(arrived(&f, frame, len, b->mac, gw->mac))
			TH_LOG("packet %d", i);
	}
	EXPECT_EQ(0, guest_silent(gw, 50));
	/* Addressed to the guest itself: as it is. */
	packet(frame, 100, false, b->mac, a->mac, 1, 64, 1);
	ASSERT_EQ(0, guest_send(a, NULL, frame, 100));
	ASSERT_EQ(1, guest_recv(b, &f, 5000));
	EXPECT_TRUE(arrived(&f, frame, 100, b->mac, a->mac));
	EXPECT_TRUE(tool_says("match ip", "ivmctl coupling show routed"));
}

/* In one batch, with the same Ethernet header: each where it belongs, in order. */
TEST_F_TIMEOUT(routed, others, TIMEOUT)
{
	struct guest *a = &self->g[0], *b = &self->g[1], *gw = &self->g[2];
	struct guest_frame f;
	__u8 frame[100];
	int i, n = 0;

	join(_metadata, self);
	for (i = 0; i < 90; i++) {
		/* For the guest; for somebody else; the last hop; not IP. */
		packet(frame, sizeof(frame), false, gw->mac, a->mac, i % 3 == 1 ? 9 : 1,
		       i % 3 == 2 ? 1 : 64, i);
		if (i % 9 == 8)
			frame[13] = 6;
		ASSERT_EQ(0, guest_send(a, NULL, frame, sizeof(frame)));
	}
	for (i = 0; i < 90; i += 3) {
		ASSERT_EQ(1, guest_recv(b, &f, 5000));
		EXPECT_EQ(i, f.data[42] << 8 | f.data[43]);
	}
	for (i = 0; i < 90; i++) {
		if (!(i % 3))
			continue;
		ASSERT_EQ(1, guest_recv(gw, &f, 5000));
		EXPECT_EQ(i, f.data[42] << 8 | f.data[43]);
		EXPECT_EQ(0, memcmp(f.data, gw->mac, 6));
		EXPECT_EQ(0, memcmp(f.data + 6, a->mac, 6));
		n++;
	}
	EXPECT_EQ(60, n);
	EXPECT_EQ(0, guest_silent(b, 50));
	EXPECT_EQ(0, guest_silent(gw, 1));
}

/* A full receiver: what waits for it comes back to its own header for the gateway. */
TEST_F_TIMEOUT(routed, parted, TIMEOUT)
{
	struct guest *a = &self->g[0], *b = &self->g[1], *gw = &self->g[2];
	struct guest_frame f;
	__u8 frame[100];
	int i, n = 0, at = 0, lost;
	__u64 parked, end;

	ASSERT_EQ(0, tool("ivmctl coupling del routed"));
	ASSERT_EQ(0, tool("ivmctl coupling add routed dynamic tap0 tap1 match ip park-us 1000000"));
	join(_metadata, self);
	/* The guest has no more buffers than it has. */
	b->keep_rx = true;
	for (i = 0; i < 256; i++) {
		packet(frame, sizeof(frame), false, gw->mac, a->mac, 1, 64, i);
		while (guest_send(a, NULL, frame, sizeof(frame)))
			ASSERT_LE(0, guest_tx_reap(a));
	}
	while (guest_recv(b, &f, 100) == 1)
		at++;
	parked = ctl_stat(tap[0], IVSHM_A_STAT_PARKED);
	for (; i < 256 + 20; i++) {
		packet(frame, sizeof(frame), false, gw->mac, a->mac, 1, 64, i);
		guest_tx_reap(a);
		ASSERT_EQ(0, guest_send(a, NULL, frame, sizeof(frame)));
	}
	end = now_ms() + 5000;
	while (ctl_stat(tap[0], IVSHM_A_STAT_PARKED) == parked && now_ms() < end)
		;
	/* Now it is the gateway's again, and so is what waited. */
	ASSERT_EQ(0, ctl_uncouple("routed"));
	ASSERT_EQ(0, guest_tx_drain(a, 5000));
	/* On a slow machine some of them waited too long for the receiver. */
	lost = (int)ctl_stat(tap[0], IVSHM_A_STAT_DROP_FULL);
	while (at + n + lost < 256 + 20 && guest_recv(gw, &f, 5000) == 1) {
		EXPECT_EQ(0, memcmp(f.data, gw->mac, 6));
		EXPECT_EQ(0, memcmp(f.data + 6, a->mac, 6));
		n++;
	}
	EXPECT_LT(0, n);
	EXPECT_EQ(256 + 20, at + n + lost);
	EXPECT_EQ(0, guest_silent(gw, 50));
}

/* What the rules say of the two ends counts, that their bridges differ does not. */
TEST_F_TIMEOUT(routed, rules, TIMEOUT)
{
	struct guest *a = &self->g[0], *gw = &self->g[2];
	__u64 end = now_ms() + 10000;
	__u32 state = IVSHM_PAIR_COUPLED, reason = 0;
	struct guest_frame f;
	__u8 frame[100];

	join(_metadata, self);
	ASSERT_EQ(0, env_updown("br1", false));
	while (state != IVSHM_PAIR_UPLINK && now_ms() < end) {
		packet(frame, sizeof(frame), false, gw->mac, a->mac, 1, 64, 0);
		ASSERT_EQ(0, guest_send(a, NULL, frame, sizeof(frame)));
		ASSERT_EQ(1, guest_recv(gw, &f, 5000));
		ASSERT_TRUE(arrived(&f, frame, sizeof(frame), gw->mac, a->mac));
		ASSERT_EQ(0, ctl_pair("routed", tap[0], tap[1], &state, &reason));
		if (state == IVSHM_PAIR_UPLINK && reason != IVSHM_REASON_DOWN)
			state = IVSHM_PAIR_JOINING;
	}
	EXPECT_EQ(IVSHM_REASON_DOWN, reason);
	ASSERT_EQ(0, env_updown("br1", true));
	join(_metadata, self);
	/* The address is taken back. */
	ASSERT_EQ(0, tool("ivmctl address del 10.1.0.1"));
	ASSERT_EQ(0, guest_send(a, NULL, frame, sizeof(frame)));
	ASSERT_EQ(1, guest_recv(gw, &f, 5000));
}

TEST_HARNESS_MAIN
