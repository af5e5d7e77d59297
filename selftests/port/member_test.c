// SPDX-License-Identifier: GPL-2.0
/*
 * Members that fit a rule, while interfaces come, go and move:
 *
 *   guest 0 --- tap0 ---+
 *   guest 1 --- tap1 ---+--- br0       br1 ---
 *   guest 2 --- tap2 ---+
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "kselftest_harness.h"

#include "env.h"
#include "guest.h"
#include "tool.h"

#define TIMEOUT	120
#define PORTS	3

static const char * const tap[PORTS] = { "tap0", "tap1", "tap2" };

FIXTURE(member) {
	struct guest g[PORTS];
};

FIXTURE_SETUP(member)
{
	int i;

	ASSERT_EQ(0, env_setup());
	ASSERT_EQ(0, env_bridge("br1"));
	for (i = 0; i < PORTS; i++) {
		struct guest_config c = { .tap = tap[i], .bridge = "br0" };

		ASSERT_EQ(0, guest_up(&self->g[i], &c));
	}
}

FIXTURE_TEARDOWN(member)
{
	int i;

	for (i = 0; i < PORTS; i++) {
		EXPECT_EQ(0, guest_stop(&self->g[i]));
		EXPECT_EQ(0, self->g[i].faults);
		guest_close(&self->g[i]);
	}
}

static bool is_in(int i, const char *coupling)
{
	struct ctl_port port;

	return !ctl_port(tap[i], &port) && !strcmp(port.coupling, coupling);
}

static void broadcast(struct guest *g)
{
	__u8 frame[60];

	frame_make(frame, sizeof(frame), mac_broadcast, g->mac, 9, 0);
	guest_send(g, NULL, frame, sizeof(frame));
	guest_tx_drain(g, 5000);
}

static void drain(FIXTURE_DATA(member) * self)
{
	struct guest_frame f;
	int i;

	for (i = 0; i < PORTS; i++)
		while (guest_recv(&self->g[i], &f, 50) == 1)
			;
}

/* Until frames from one to the other go direct; they arrive in any case. */
static void join(struct __test_metadata *_metadata, struct guest *from, struct guest *to)
{
	__u64 end = now_ms() + 10000;
	__u32 state = 0, reason = 0, seq = 0;

	while (state != IVSHM_PAIR_COUPLED && now_ms() < end) {
		ASSERT_EQ(0, guest_pass(from, to, 100, seq++));
		ASSERT_EQ(0, ctl_pair("lan0", from->c.tap, to->c.tap, &state, &reason));
	}
	ASSERT_EQ(IVSHM_PAIR_COUPLED, state)
		TH_LOG("reason %u", reason);
}

TEST_F_TIMEOUT(member, upper, TIMEOUT)
{
	struct guest *a = &self->g[0], *b = &self->g[1], *c = &self->g[2];
	__u8 frame[60];

	ASSERT_EQ(0, tool("ivmctl coupling add lan0 dynamic upper br0"));
	EXPECT_TRUE(tool_says("rules upper br0", "ivmctl coupling show lan0"));
	EXPECT_TRUE(tool_says("members tap0 \\(rule\\), tap1 \\(rule\\), tap2 \\(rule\\)",
			      "ivmctl coupling show lan0"));
	broadcast(a);
	broadcast(b);
	broadcast(c);
	drain(self);
	join(_metadata, a, b);

	/* It moves to another bridge while frames go direct: nothing gets there. */
	ASSERT_EQ(0, tool("ip link set tap1 master br1"));
	EXPECT_TRUE(is_in(1, ""));
	EXPECT_TRUE(is_in(0, "lan0"));
	frame_make(frame, sizeof(frame), b->mac, a->mac, 1, 1);
	ASSERT_EQ(0, guest_send(a, NULL, frame, sizeof(frame)));
	EXPECT_EQ(0, guest_silent(b, 100));
	drain(self);
	join(_metadata, a, c);
	/* And back, as another port's name would be in its place by now. */
	ASSERT_EQ(0, tool("ip link set tap1 master br0"));
	EXPECT_TRUE(is_in(1, "lan0"));
	broadcast(b);
	drain(self);
	join(_metadata, b, a);

	/* The bridge's name is what counts. */
	ASSERT_EQ(0, tool("ip link set br0 down && ip link set br0 name br7"));
	EXPECT_TRUE(is_in(0, "") && is_in(1, "") && is_in(2, ""));
	EXPECT_FALSE(tool_says("members", "ivmctl coupling show lan0"));
	ASSERT_EQ(0, tool("ip link set br7 name br0 && ip link set br0 up"));
	EXPECT_TRUE(is_in(0, "lan0") && is_in(1, "lan0") && is_in(2, "lan0"));
	/* A bridge that goes takes its members with it. */
	ASSERT_EQ(0, tool("ip link del br0"));
	EXPECT_TRUE(is_in(0, "") && is_in(1, "") && is_in(2, ""));
}

/* Other masters are none that frames pass between their ports. */
TEST_F_TIMEOUT(member, other_masters, TIMEOUT)
{
	if (tool("ip link add vrf0 type vrf table 10"))
		SKIP(return, "this kernel has no VRF");
	ASSERT_EQ(0, tool("ivmctl coupling add lan0 dynamic upper vrf0"));
	ASSERT_EQ(0, tool("ip link set tap0 nomaster && ip link set tap0 master vrf0"));
	EXPECT_TRUE(is_in(0, ""));
}

TEST_F_TIMEOUT(member, names, TIMEOUT)
{
	struct guest *a = &self->g[0], *b = &self->g[1];

	ASSERT_EQ(0, tool("ivmctl coupling add lan0 static 'tap[12]'"));
	EXPECT_TRUE(is_in(0, "") && is_in(1, "lan0") && is_in(2, "lan0"));
	/* With its name it leaves, or joins. */
	ASSERT_EQ(0, tool("ip link set tap1 down && ip link set tap1 name other"));
	EXPECT_TRUE(is_in(2, "lan0"));
	EXPECT_TRUE(tool_says("^other .* br0 +- ", "ivmctl port"));
	ASSERT_EQ(0, tool("ip link set other name tap1 && ip link set tap1 up"));
	EXPECT_TRUE(is_in(1, "lan0"));
	/* Whoever names it takes it, until that is gone. */
	ASSERT_EQ(0, tool("ivmctl coupling add named dynamic tap0 tap1"));
	EXPECT_TRUE(is_in(0, "named") && is_in(1, "named") && is_in(2, "lan0"));
	EXPECT_NE(0, tool("ivmctl coupling add more dynamic tap1 tap2"));
	ASSERT_EQ(0, tool("ivmctl coupling del named"));
	EXPECT_TRUE(is_in(0, "") && is_in(1, "lan0"));
	ASSERT_EQ(0, tool("ivmctl coupling del lan0"));

	/* The addresses that an administrator gave them. */
	ASSERT_EQ(0, tool("ivmctl coupling add lan0 dynamic %s 10.0.0.1 bypass yes",
			  self->g[0].mac_text));
	EXPECT_TRUE(is_in(0, "") && is_in(1, ""));
	ASSERT_EQ(0, tool("ivmctl address add %s port tap0", self->g[0].mac_text));
	ASSERT_EQ(0, tool("ivmctl address add 10.0.0.1 port tap1"));
	EXPECT_TRUE(is_in(0, "lan0") && is_in(1, "lan0") && is_in(2, ""));
	broadcast(a);
	broadcast(b);
	drain(self);
	join(_metadata, a, b);
	ASSERT_EQ(0, tool("ivmctl address del 10.0.0.1"));
	EXPECT_TRUE(is_in(0, "lan0") && is_in(1, ""));
	ASSERT_EQ(0, guest_pass(a, b, 100, 1));
}

/* Switched off and on, with its options changed, while frames flow. */
TEST_F_TIMEOUT(member, disabled, TIMEOUT)
{
	struct guest *a = &self->g[0], *b = &self->g[1];

	ASSERT_EQ(0, tool("ivmctl coupling add lan0 dynamic tap0 tap1"));
	ASSERT_EQ(0, tool("ivmctl coupling add rest dynamic 'tap*'"));
	broadcast(a);
	broadcast(b);
	drain(self);
	join(_metadata, a, b);
	ASSERT_EQ(0, tool("ivmctl coupling change lan0 disabled yes"));
	EXPECT_TRUE(tool_says("lan0: dynamic, disabled", "ivmctl coupling show lan0"));
	ASSERT_EQ(0, guest_pass(a, b, 100, 1));
	/* Its names stay taken, also by the rule of another one. */
	EXPECT_TRUE(is_in(0, "") && is_in(1, "") && is_in(2, "rest"));
	EXPECT_NE(0, tool("ivmctl coupling add lan1 dynamic tap0 tap1"));
	ASSERT_EQ(0, tool("ivmctl coupling change rest disabled yes"));
	EXPECT_TRUE(is_in(2, ""));
	ASSERT_EQ(0, tool("ivmctl coupling change lan0 disabled no"));
	ASSERT_EQ(0, tool("ivmctl coupling change rest disabled no"));
	EXPECT_TRUE(is_in(0, "lan0") && is_in(2, "rest"));
	join(_metadata, a, b);

	ASSERT_EQ(0, tool("ivmctl coupling change lan0 idle 1 threshold 1000000 park-us 7"));
	EXPECT_TRUE(tool_says("threshold 1000000/s, idle 1 s, park-us 7",
			      "ivmctl coupling show lan0"));
	sleep(3);
	EXPECT_TRUE(tool_says("tap0 -> tap1 +uplink .* idle:", "ivmctl coupling show lan0"));
	ASSERT_EQ(0, guest_pass(a, b, 100, 2));
	ASSERT_EQ(0, guest_pass(a, b, 100, 3));
	EXPECT_TRUE(tool_says("tap0 -> tap1 +uplink", "ivmctl coupling show lan0"));
	EXPECT_NE(0, tool("ivmctl coupling change lan0 threshold 0"));
	EXPECT_NE(0, tool("ivmctl coupling change none idle 1"));
}

/* In and out while frames are on their way: each arrives once or not at all. */
TEST_F_TIMEOUT(member, race, TIMEOUT)
{
	struct guest *a = &self->g[0], *b = &self->g[1];
	__u32 last = 0, flow, seq, n = 0, lost = 0;
	struct guest_frame f;
	__u8 frame[100];
	int i, j;

	ASSERT_EQ(0, tool("ivmctl coupling add lan0 dynamic upper br0"));
	broadcast(a);
	broadcast(b);
	drain(self);
	for (i = 0; i < 12; i++) {
		ASSERT_EQ(0, tool("ip link set tap2 master br%d", !(i & 1)));
		if (i % 5 == 4) {
			ASSERT_EQ(0, tool("ivmctl coupling del lan0"));
			ASSERT_EQ(0, tool("ivmctl coupling add lan0 dynamic upper br0"));
		}
		for (j = 0; j < 40; j++) {
			frame_make(frame, sizeof(frame), b->mac, a->mac, 1, ++n);
			ASSERT_EQ(0, guest_send(a, NULL, frame, sizeof(frame)));
		}
		while (last != n && guest_recv(b, &f, 1000) == 1) {
			ASSERT_EQ(0, frame_check(f.data, f.len, &flow, &seq));
			if (flow != 1)
				continue;
			ASSERT_LT(last, seq);
			lost += seq - last - 1;
			last = seq;
		}
		guest_tx_reap(a);
	}
	EXPECT_EQ(n, last);
	EXPECT_EQ(0, lost);
}

TEST_HARNESS_MAIN
