// SPDX-License-Identifier: GPL-2.0
/*
 * The address table, with guests that send what they like:
 *
 *   guest 0 --- tap0 ---+
 *   guest 1 --- tap1 ---+--- br0
 *   guest 2 --- tap2 ---+
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "kselftest_harness.h"

#include "env.h"
#include "guest.h"
#include "tool.h"

#define TIMEOUT	120
#define PORTS	3

static const char * const tap[PORTS] = { "tap0", "tap1", "tap2" };

FIXTURE(addr) {
	struct guest g[PORTS];
};

FIXTURE_SETUP(addr)
{
	int i;

	ASSERT_EQ(0, env_setup());
	for (i = 0; i < PORTS; i++) {
		struct guest_config c = { .tap = tap[i], .bridge = "br0" };

		ASSERT_EQ(0, guest_up(&self->g[i], &c));
	}
}

FIXTURE_TEARDOWN(addr)
{
	int i;

	for (i = 0; i < PORTS; i++) {
		if (self->g[i].running)
			EXPECT_EQ(0, guest_stop(&self->g[i]));
		EXPECT_EQ(0, self->g[i].faults);
		guest_close(&self->g[i]);
	}
}

/* Guest @g sends it, and the module has dealt with it. */
static int send_one(struct guest *g, const __u8 *frame, __u32 len)
{
	int err = guest_send(g, NULL, frame, len);

	return err ?: guest_tx_drain(g, 5000);
}

static int send_from(struct guest *g, const __u8 *src)
{
	__u8 frame[60];

	frame_make(frame, sizeof(frame), mac_broadcast, src, 0, 0);
	return send_one(g, frame, sizeof(frame));
}

/* A broadcast that says the guest is 10.0.@hi.@lo. */
static int send_arp(struct guest *g, __u8 hi, __u8 lo)
{
	static const __u8 head[] = { 8, 6, 0, 1, 8, 0, 6, 4, 0, 1 };
	__u8 frame[60] = {}, ip[4] = { 10, 0, hi, lo };

	memcpy(frame, mac_broadcast, 6);
	memcpy(frame + 6, g->mac, 6);
	memcpy(frame + 12, head, sizeof(head));
	memcpy(frame + 22, g->mac, 6);
	memcpy(frame + 28, ip, 4);
	memcpy(frame + 38, ip, 4);
	return send_one(g, frame, sizeof(frame));
}

/* An unsolicited neighbour advertisement for fd00::@lo. */
static int send_na(struct guest *g, __u8 lo)
{
	__u8 frame[86] = { 0x33, 0x33, 0, 0, 0, 1 }, *ip = frame + 14;

	memcpy(frame + 6, g->mac, 6);
	frame[12] = 0x86;
	frame[13] = 0xdd;
	ip[0] = 0x60;
	ip[5] = 32;
	ip[6] = 58;
	ip[7] = 255;
	ip[8] = 0xfe;
	ip[9] = 0x80;
	ip[23] = 1;
	ip[24] = 0xff;
	ip[25] = 2;
	ip[39] = 1;
	ip[40] = 136;
	ip[48] = 0xfd;
	ip[63] = lo;
	return send_one(g, frame, sizeof(frame));
}

/* How many addresses of a port are shown whose line has @text in it. */
static int count(const char *port, const char *text)
{
	char out[TOOL_MAX], *line;
	int n = 0;

	if (tool_read(out, "ivmctl address show port %s", port))
		return -1;
	for (line = strtok(out, "\n"); line; line = strtok(NULL, "\n"))
		n += strstr(line, text) && strncmp(line, "ADDRESS", 7);
	return n;
}

TEST_F_TIMEOUT(addr, learned, TIMEOUT)
{
	char ring[40];

	ASSERT_EQ(0, send_from(&self->g[0], self->g[0].mac));
	ASSERT_EQ(0, send_arp(&self->g[0], 0, 7));
	ASSERT_EQ(0, send_na(&self->g[0], 9));
	/* Which guest memory has the ring, the guest knows. */
	snprintf(ring, sizeof(ring), "0x%llx",
		 (unsigned long long)guest_gpa(&self->g[0], self->g[0].ring[GUEST_RX].desc));
	EXPECT_TRUE(tool_says("^[0-9a-f:]+ +tap0 +learned +0x[0-9a-f]+ +[0-9]+ s",
			      "ivmctl address"));
	EXPECT_EQ(3, count(tap[0], ring));
	EXPECT_EQ(1, count(tap[0], self->g[0].mac_text));
	EXPECT_EQ(1, count(tap[0], "10.0.0.7"));
	EXPECT_EQ(1, count(tap[0], "fd00::9"));
	EXPECT_EQ(0, count(tap[1], ""));

	/* They move to whoever says so. */
	ASSERT_EQ(0, send_arp(&self->g[1], 0, 7));
	ASSERT_EQ(0, send_from(&self->g[1], self->g[0].mac));
	EXPECT_EQ(3, count(tap[1], ""));
	EXPECT_EQ(1, count(tap[0], ""));
	EXPECT_TRUE(tool_says("^10.0.0.7 +tap1 ", "ivmctl address"));

	ASSERT_EQ(0, guest_stop(&self->g[1]));
	EXPECT_EQ(0, count(tap[1], ""));
}

/* What a guest makes up is bounded, and takes nothing away from others. */
TEST_F_TIMEOUT(addr, hostile, TIMEOUT)
{
	__u8 mac[6] = { 6, 1, 2, 3 };
	int i;

	for (i = 0; i < 600; i++) {
		mac[4] = i >> 8;
		mac[5] = i;
		ASSERT_EQ(0, send_from(&self->g[0], mac));
		ASSERT_EQ(0, send_arp(&self->g[0], i >> 8, i));
	}
	/* Its own was learned with the first ARP packet. */
	EXPECT_EQ(256 + 64, count(tap[0], ""));
	EXPECT_EQ(64, count(tap[0], "10.0."));
	ASSERT_EQ(0, send_from(&self->g[1], self->g[1].mac));
	ASSERT_EQ(0, send_arp(&self->g[1], 200, 1));
	EXPECT_EQ(2, count(tap[1], ""));
}

TEST_F_TIMEOUT(addr, configured, TIMEOUT)
{
	/* For a port that is there, and for one that is not. */
	ASSERT_EQ(0, tool("ivmctl address add %s port tap0", self->g[0].mac_text));
	ASSERT_EQ(0, tool("ivmctl address add 10.0.0.7 port tap0 lladdr %s", self->g[0].mac_text));
	ASSERT_EQ(0, tool("ivmctl address add fd00::7 port tap9"));
	EXPECT_TRUE(tool_says("^10.0.0.7 +tap0 +config +0x.*52:54:00:aa:00", "ivmctl address"));
	EXPECT_TRUE(tool_says("^fd00::7 +tap9 +config +- +- +-", "ivmctl address"));
	EXPECT_NE(0, tool("ivmctl address add %s port tap1", self->g[0].mac_text));

	/* Nobody else gets it by saying so. */
	ASSERT_EQ(0, send_from(&self->g[1], self->g[0].mac));
	ASSERT_EQ(0, send_arp(&self->g[1], 0, 7));
	EXPECT_EQ(2, count(tap[0], "config"));
	EXPECT_EQ(1, count(tap[1], ""));

	/* They stay, without a place, while the VM is not running. */
	ASSERT_EQ(0, guest_stop(&self->g[0]));
	EXPECT_TRUE(tool_says("^10.0.0.7 +tap0 +config +- +- ", "ivmctl address"));
	ASSERT_EQ(0, guest_start(&self->g[0]));
	EXPECT_TRUE(tool_says("^10.0.0.7 +tap0 +config +0x", "ivmctl address"));
	/* A name goes with the interface that has it. */
	ASSERT_EQ(0, tool("ip link set tap0 down && ip link set tap0 name tap7"));
	EXPECT_TRUE(tool_says("^10.0.0.7 +tap0 +config +- +- ", "ivmctl address"));
	ASSERT_EQ(0, tool("ip link set tap7 name tap0 && ip link set tap0 up"));
	EXPECT_TRUE(tool_says("^10.0.0.7 +tap0 +config +0x", "ivmctl address"));

	ASSERT_EQ(0, tool("ivmctl address del 10.0.0.7 %s fd00::7", self->g[0].mac_text));
	EXPECT_NE(0, tool("ivmctl address del 10.0.0.7"));
	ASSERT_EQ(0, send_arp(&self->g[1], 0, 7));
	EXPECT_TRUE(tool_says("^10.0.0.7 +tap1 +learned", "ivmctl address"));
}

/* Frames from anything but a configured address go nowhere, not to the uplink either. */
TEST_F_TIMEOUT(addr, strict, TIMEOUT)
{
	struct guest *a = &self->g[0], *b = &self->g[1];
	__u64 end, spoofed;
	__u32 state = 0, reason = 0, seq = 0;
	struct guest_frame f;
	__u8 frame[100];
	int i;

	ASSERT_EQ(0, tool("ivmctl address add %s port tap0", self->g[0].mac_text));
	ASSERT_EQ(0, tool("ivmctl coupling add lan0 dynamic tap0 tap1 strict yes bypass yes"));
	EXPECT_TRUE(tool_says("strict yes", "ivmctl coupling show lan0"));
	/* The second member has none. */
	ASSERT_EQ(0, send_from(b, b->mac));
	EXPECT_EQ(1, ctl_stat(tap[1], IVSHM_A_STAT_DROP_SPOOFED));
	EXPECT_EQ(0, guest_silent(a, 100));
	EXPECT_EQ(0, guest_silent(&self->g[2], 1));
	ASSERT_EQ(0, tool("ivmctl address add %s port tap1", self->g[1].mac_text));
	ASSERT_EQ(0, send_from(b, b->mac));
	ASSERT_EQ(1, guest_recv(a, &f, 5000));
	ASSERT_EQ(1, guest_recv(&self->g[2], &f, 5000));

	end = now_ms() + 10000;
	while (state != IVSHM_PAIR_COUPLED && now_ms() < end) {
		ASSERT_EQ(0, guest_pass(a, b, 100, seq++));
		ASSERT_EQ(0, ctl_pair("lan0", tap[0], tap[1], &state, &reason));
	}
	ASSERT_EQ(IVSHM_PAIR_COUPLED, state);
	/* Between frames that may pass, and among them in one batch. */
	for (i = 0; i < 30; i++) {
		const __u8 *src[] = { a->mac, b->mac, self->g[2].mac };

		frame_make(frame, sizeof(frame), b->mac, src[i % 3], 1, i);
		ASSERT_EQ(0, guest_send(a, NULL, frame, sizeof(frame)));
	}
	for (i = 0; i < 30; i += 3) {
		__u32 flow, n;

		ASSERT_EQ(1, guest_recv(b, &f, 5000));
		ASSERT_EQ(0, frame_check(f.data, f.len, &flow, &n));
		EXPECT_EQ(i, n);
	}
	EXPECT_EQ(0, guest_silent(b, 50));
	EXPECT_EQ(0, guest_silent(&self->g[2], 1));
	spoofed = ctl_stat(tap[0], IVSHM_A_STAT_DROP_SPOOFED);
	EXPECT_EQ(20, spoofed);
	/* Nothing was learned by it. */
	EXPECT_EQ(1, count(tap[0], ""));
	ASSERT_EQ(0, send_arp(a, 0, 1));
	EXPECT_EQ(1, count(tap[0], ""));
	EXPECT_EQ(spoofed, ctl_stat(tap[0], IVSHM_A_STAT_DROP_SPOOFED));
	EXPECT_EQ(0, guest_tx_drain(a, 5000));
	ASSERT_EQ(0, ctl_uncouple("lan0"));
	while (guest_recv(b, &f, 50) == 1)
		;
	/* Without the coupling anything goes, by the bridge. */
	ASSERT_EQ(0, send_from(a, self->g[2].mac));
	ASSERT_EQ(1, guest_recv(b, &f, 5000));
}

TEST_HARNESS_MAIN
