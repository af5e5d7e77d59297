// SPDX-License-Identifier: GPL-2.0
/*
 * The taps of members of a static coupling: what is in them does not come, also not
 * when the coupling is over, nor when a guest starts; and while a guest starts or stops
 * nothing goes there.
 *
 *   guest 0 --- tap0 ---+
 *   guest 1 --- tap1 ---+--- br0: the host
 *   guest 2 --- tap2 ---+
 *
 * Guest 1 has no receive buffers at first, so that things stay where they are.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "kselftest_harness.h"

#include "env.h"
#include "guest.h"
#include "tool.h"

#define TIMEOUT	60
#define PORTS	3
/* Frames at once. */
#define SOME	10

static const char * const tap[PORTS] = { "tap0", "tap1", "tap2" };
static const __u8 host[6] = { 0x52, 0x54, 0, 0xbb, 0, 1 };

FIXTURE(isolated) {
	struct guest g[PORTS];
};

FIXTURE_SETUP(isolated)
{
	__u8 frame[60];
	int i;

	ASSERT_EQ(0, env_setup());
	for (i = 0; i < PORTS; i++) {
		struct guest_config c = { .tap = tap[i], .bridge = "br0" };

		ASSERT_EQ(0, guest_open(&self->g[i], &c));
		ASSERT_EQ(0, guest_start(&self->g[i]));
		ASSERT_EQ(0, env_forwarding(tap[i]));
		if (i != 1)
			guest_rx_fill(&self->g[i], 256, 2000);
	}
	/* The bridge knows where everybody is. */
	for (i = 0; i < PORTS; i++) {
		frame_make(frame, sizeof(frame), host, self->g[i].mac, 9, 0);
		ASSERT_EQ(0, guest_send(&self->g[i], NULL, frame, sizeof(frame)));
		ASSERT_EQ(0, guest_tx_drain(&self->g[i], 5000));
	}
}

FIXTURE_TEARDOWN(isolated)
{
	int i;

	for (i = 0; i < PORTS; i++) {
		EXPECT_EQ(0, guest_stop(&self->g[i]));
		EXPECT_EQ(0, self->g[i].faults);
		guest_close(&self->g[i]);
	}
}

/* Frame number @seq of the host, to guest 1 by its tap. */
static int inject(FIXTURE_DATA(isolated) * self, __u32 seq)
{
	__u8 frame[200];

	frame_make(frame, sizeof(frame), self->g[1].mac, host, 5, seq);
	return env_inject("br0", frame, sizeof(frame));
}

/* The taps of guests 0 and 1 on a cable. */
static int cable(void)
{
	return ctl_couple("lan0", IVSHM_COUPLING_STATIC, NULL, tap[0], tap[1], NULL);
}

/* The same, and the worker of guest 1, which slept, has seen it. */
static int cable_seen(void)
{
	__u64 woken = ctl_stat(tap[1], IVSHM_A_STAT_WAKEUPS), end = now_ms() + 10000;
	int err = cable();

	while (!err && ctl_stat(tap[1], IVSHM_A_STAT_WAKEUPS) == woken) {
		if (now_ms() > end)
			return -ETIMEDOUT;
		usleep(1000);
	}
	usleep(100000);
	return err;
}

/* A guest is off and gets buffers; its tap is still there. */
static int off(struct guest *g)
{
	int err = guest_stop(g);

	guest_reset_rings(g);
	guest_rx_fill(g, 200, 2000);
	return err;
}

/* Guest 1 starts, with a while between its queues, in the one order or the other. */
static int start_slowly(struct guest *g, int first)
{
	int q, err = guest_set_mem(g);

	for (q = 0; q < GUEST_QUEUES && !err; q++)
		err = guest_set_ring(g, q);
	if (!err)
		err = guest_set_backend(g, first, g->tap);
	usleep(200000);
	return err ?: guest_set_backend(g, !first, g->tap);
}

/* Frames of guest 1 for guest 0, or for whoever gets them, the last of them @seq. */
static int say(FIXTURE_DATA(isolated) * self, const __u8 *to, __u32 flow, __u32 seq)
{
	__u8 frame[100];

	frame_make(frame, sizeof(frame), to, self->g[1].mac, flow, seq);
	return guest_send(&self->g[1], NULL, frame, sizeof(frame));
}

/* Of what guest 1 receives, flow 5 has these numbers, in this order. */
static void heard(struct __test_metadata *_metadata, struct guest *g, const __u32 *want,
		  unsigned int nr)
{
	struct guest_frame f;
	unsigned int n = 0;
	__u32 flow, seq;

	while (guest_recv(g, &f, 500) == 1) {
		if (frame_check(f.data, f.len, &flow, &seq) || flow != 5)
			continue;
		ASSERT_LT(n, nr)
			TH_LOG("frame %u", seq);
		EXPECT_EQ(want[n++], seq);
	}
	EXPECT_EQ(nr, n);
}

/* Frames that were flooded wait for buffers, and those in the tap behind them. */
TEST_F_TIMEOUT(isolated, behind_flooded, TIMEOUT)
{
	struct guest *a = &self->g[0], *b = &self->g[1];
	static const __u32 want[] = { 100 };
	__u8 frame[100];
	__u32 i;

	ASSERT_EQ(0, ctl_couple("lan0", IVSHM_COUPLING_STATIC, NULL, tap[0], tap[1], tap[2],
				NULL));
	frame_make(frame, sizeof(frame), mac_broadcast, a->mac, 6, 0);
	ASSERT_EQ(0, guest_send(a, NULL, frame, sizeof(frame)));
	ASSERT_EQ(0, guest_tx_drain(a, 5000));
	for (i = 0; i < 10; i++)
		ASSERT_EQ(0, inject(self, i));
	usleep(100000);
	ASSERT_EQ(0, ctl_uncouple("lan0"));
	ASSERT_EQ(0, inject(self, 100));
	usleep(100000);
	guest_rx_fill(b, 200, 2000);
	heard(_metadata, b, want, 1);
	EXPECT_EQ(10, ctl_stat(tap[1], IVSHM_A_STAT_DROP_ISOLATED));
}

/* What was there before the coupling comes, and what after it, but nothing between. */
TEST_F_TIMEOUT(isolated, behind_earlier, TIMEOUT)
{
	static const __u32 want[] = { 0, 1, 100, 101, 200 };
	__u32 i;

	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, inject(self, i));
	usleep(100000);
	ASSERT_EQ(0, cable_seen());
	for (i = 10; i < 20; i++)
		ASSERT_EQ(0, inject(self, i));
	usleep(100000);
	ASSERT_EQ(0, ctl_uncouple("lan0"));
	for (i = 100; i < 102; i++)
		ASSERT_EQ(0, inject(self, i));
	usleep(100000);
	guest_rx_fill(&self->g[1], 100, 2000);
	heard(_metadata, &self->g[1], want, 4);
	EXPECT_EQ(10, ctl_stat(tap[1], IVSHM_A_STAT_DROP_ISOLATED));
	/* And nothing of it is remembered. */
	ASSERT_EQ(0, inject(self, 200));
	heard(_metadata, &self->g[1], want + 4, 1);
}

/* What came for a guest that was off is not for one on a cable. */
TEST_F_TIMEOUT(isolated, starts, TIMEOUT)
{
	static const __u32 none[1];
	struct guest *b = &self->g[1];
	__u64 dropped;
	__u32 i;
	int q;

	/* What is there of the others. */
	guest_rx_fill(b, 100, 2000);
	heard(_metadata, b, none, 0);
	ASSERT_EQ(0, cable());
	for (q = 0; q < GUEST_QUEUES; q++) {
		ASSERT_EQ(0, off(b));
		dropped = ctl_stat(tap[1], IVSHM_A_STAT_DROP_ISOLATED);
		for (i = 0; i < SOME; i++)
			ASSERT_EQ(0, inject(self, i));
		ASSERT_EQ(0, start_slowly(b, q));
		ASSERT_EQ(0, inject(self, i));
		heard(_metadata, b, none, 0);
		EXPECT_EQ(dropped + SOME + 1, ctl_stat(tap[1], IVSHM_A_STAT_DROP_ISOLATED));
	}
	/* Without a cable it is, as ever. */
	ASSERT_EQ(0, off(b));
	ASSERT_EQ(0, inject(self, 0));
	ASSERT_EQ(0, ctl_uncouple("lan0"));
	ASSERT_EQ(0, start_slowly(b, GUEST_RX));
	heard(_metadata, b, none, 1);
}

/* The same where members are those that fit a rule. */
TEST_F_TIMEOUT(isolated, starts_by_rule, TIMEOUT)
{
	static const __u32 none[1];
	struct guest *b = &self->g[1];
	__u32 i;

	ASSERT_EQ(0, tool("ivmctl coupling add lan0 static upper br0"));
	ASSERT_EQ(0, off(b));
	for (i = 0; i < SOME; i++)
		ASSERT_EQ(0, inject(self, i));
	ASSERT_EQ(0, start_slowly(b, GUEST_RX));
	heard(_metadata, b, none, 0);
	/* On no bridge it is no member. */
	ASSERT_EQ(0, off(b));
	ASSERT_EQ(0, inject(self, 0));
	ASSERT_EQ(0, tool("ip link set tap1 nomaster"));
	ASSERT_EQ(0, start_slowly(b, GUEST_RX));
	heard(_metadata, b, none, 1);
}

/*
 * What a guest had sent as its queues start, or sends as they stop, goes by the cable or
 * nowhere: a bridge never has it.
 */
TEST_F_TIMEOUT(isolated, queues_apart, TIMEOUT)
{
	struct guest *a = &self->g[0], *b = &self->g[1];
	static const __u32 want[] = { 1, 2, 3 };
	int q, fd = env_sniffer();
	__u64 uplink;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, cable());
	for (q = 0; q < GUEST_QUEUES; q++) {
		uplink = ctl_stat(tap[1], IVSHM_A_STAT_TX_UPLINK_FRAMES);
		ASSERT_EQ(0, off(b));
		ASSERT_EQ(0, say(self, a->mac, 5, 1));
		ASSERT_EQ(0, say(self, a->mac, 5, 2));
		ASSERT_EQ(0, start_slowly(b, q));
		ASSERT_EQ(0, say(self, a->mac, 5, 3));
		heard(_metadata, a, want, 3);
		/* One queue stops, and the guest does not know. */
		ASSERT_EQ(0, guest_set_backend(b, q, -1));
		ASSERT_EQ(0, say(self, mac_broadcast, 6, 4));
		ASSERT_EQ(0, inject(self, 4));
		usleep(200000);
		EXPECT_EQ(0, guest_silent(b, 50));
		EXPECT_EQ(0, guest_silent(a, 0));
		EXPECT_EQ(uplink, ctl_stat(tap[1], IVSHM_A_STAT_TX_UPLINK_FRAMES));
	}
	/* No device of the host had any of them coming in. */
	EXPECT_EQ(0, env_sniffed(fd));
	close(fd);
}

TEST_HARNESS_MAIN
