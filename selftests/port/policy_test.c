// SPDX-License-Identifier: GPL-2.0
/*
 * What a coupling lets its members send: rates, full receivers, who is denied.
 *
 *   guest 0 --- tap0 ---+
 *   guest 1 --- tap1 ---+--- br0
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
/* Less than half a transmit ring: so many may wait for one receiver. */
#define WINDOW	100
/* How long a rate is measured, how far it may be below, in percent, and how often. */
#define MEASURE_MS	1000
#define OFF		(env_debug() ? 30 : 8)
#define TRIES		5
/* None gives up. */
#define PATIENT		"park-us 1000000"

static const char * const tap[PORTS] = { "tap0", "tap1", "tap2" };

FIXTURE(policy) {
	struct guest g[PORTS];
};

/* Frames of one guest to another one, with numbers. */
struct flow {
	struct guest *from, *to;
	const __u8 *dst;
	__u32 id, len, sent, seen;
};

static __u64 stat_of(int i, enum ivshm_attr_stat which)
{
	return ctl_stat(tap[i], which);
}

FIXTURE_SETUP(policy)
{
	int i;

	ASSERT_EQ(0, env_setup());
	for (i = 0; i < PORTS; i++) {
		struct guest_config c = { .tap = tap[i], .bridge = "br0" };

		ASSERT_EQ(0, guest_up(&self->g[i], &c));
	}
	/* The bridge is to know them: a flooded frame would come to the third. */
	for (i = 0; i < PORTS; i++) {
		__u8 frame[60];

		frame_make(frame, sizeof(frame), mac_broadcast, self->g[i].mac, 9, 0);
		ASSERT_EQ(0, guest_send(&self->g[i], NULL, frame, sizeof(frame)));
		ASSERT_EQ(0, guest_tx_drain(&self->g[i], 5000));
	}
	for (i = 0; i < PORTS; i++) {
		static struct guest_frame f;

		while (guest_recv(&self->g[i], &f, 100) == 1)
			;
	}
}

FIXTURE_TEARDOWN(policy)
{
	int i;

	for (i = 0; i < PORTS; i++) {
		EXPECT_EQ(0, guest_stop(&self->g[i]));
		EXPECT_EQ(0, self->g[i].faults);
		guest_close(&self->g[i]);
	}
}

static struct flow flow(FIXTURE_DATA(policy) * self, int from, int to, __u32 len)
{
	return (struct flow){
		.from = &self->g[from], .to = &self->g[to], .dst = self->g[to].mac,
		.id = 10 * from + to, .len = len,
	};
}

/* Up to @max more; how many went into the ring. */
static __u32 flow_send(struct flow *f, __u32 max)
{
	static __u8 frame[2000];
	__u32 n;

	guest_tx_reap(f->from);
	for (n = 0; n < max; n++) {
		frame_make(frame, f->len, f->dst, f->from->mac, f->id, f->sent);
		/* With the header in one piece, or not: by the short way and the other. */
		if (guest_send_pieces(f->from, NULL, frame, f->len, &f->from->hdr_len,
				      f->sent / 16 & 1, GUEST_DIRECT))
			break;
		f->sent++;
	}
	return n;
}

/* What arrived: each of the flow, in order; none is missing unless @gaps. */
static void flow_take(struct __test_metadata *_metadata, struct flow *f, bool gaps, int ms)
{
	static struct guest_frame got;
	__u32 id, seq;

	while (guest_recv(f->to, &got, ms) == 1) {
		ASSERT_EQ(0, frame_check(got.data, got.len, &id, &seq));
		ASSERT_EQ(f->id, id);
		if (gaps) {
			ASSERT_LE(f->seen, seq);
		} else {
			ASSERT_EQ(f->seen, seq);
		}
		f->seen = seq + 1;
		/* What comes with it is there. */
		ms = 0;
	}
}

static void coupled(struct __test_metadata *_metadata, FIXTURE_DATA(policy) * self, int from,
		    int to)
{
	__u64 end = now_ms() + 10000;
	__u32 state = 0, reason = 0, seq = 1000;

	while (state != IVSHM_PAIR_COUPLED) {
		ASSERT_EQ(0, guest_pass(&self->g[from], &self->g[to], 100, seq++));
		ASSERT_EQ(0, ctl_pair("lan0", tap[from], tap[to], &state, &reason));
		ASSERT_LT(now_ms(), end)
			TH_LOG("reason %u", reason);
	}
}

/*
 * Rates
 */

/*
 * So many frames are on their way that the rate is what they wait for, and no more, so
 * that none is lost.  Never more than the rate and @burst arrive, nor in the best of some
 * tries much less: this machine may be busy with other things.
 */
static void measure(struct __test_metadata *_metadata, struct flow *f, __u64 rate, __u64 burst)
{
	__u64 begin, most = 1, n = 0;
	int i;

	for (i = 0; i < TRIES && n * 100 <= most * (100 - OFF); i++) {
		begin = now_ms();
		n = f->seen;
		while (now_ms() < begin + MEASURE_MS) {
			flow_send(f, WINDOW - (f->sent - f->seen));
			flow_take(_metadata, f, false, 10);
		}
		n = f->seen - n;
		/* And the millisecond that is not over. */
		most = rate * (now_ms() - begin + 1) / 1000 + burst + 1;
		EXPECT_LE(n, most);
		TH_LOG("%llu frames, at most %llu", (unsigned long long)n,
		       (unsigned long long)most);
		/* The rest of them comes as well. */
		begin = now_ms();
		while (f->seen != f->sent && now_ms() < begin + 5000)
			flow_take(_metadata, f, false, 100);
		ASSERT_EQ(f->sent, f->seen);
	}
	EXPECT_GT(n * 100, most * (100 - OFF));
}

/*
 * Frames wait for a second at most, and a command takes that long where the kernel is
 * slow: what waited since @begin was given up then, as it should be.
 */
static bool given_up(__u64 begin)
{
	return now_ms() > begin + 900;
}

static void rate_frames(struct __test_metadata *_metadata, FIXTURE_DATA(policy) * self,
			const char *type)
{
	struct flow f = flow(self, 0, 1, 100), g = flow(self, 1, 0, 100);
	__u64 uplink, parked, misses, begin;
	int i;

	ASSERT_EQ(0, tool("ivmctl coupling add lan0 %s tap0 tap1 park-us 1000000", type));
	coupled(_metadata, self, 0, 1);
	coupled(_metadata, self, 1, 0);
	ASSERT_EQ(0, tool("ivmctl coupling change lan0 rate-frames 1k"));
	EXPECT_TRUE(tool_says("rate-frames 1000/s", "ivmctl coupling show lan0"));
	/* Each buffer is used once since the last fork: none waits for its page to be mirrored. */
	for (i = 0; i < 300 / WINDOW; i++) {
		EXPECT_EQ(WINDOW, flow_send(&g, WINDOW));
		begin = now_ms();
		while (g.seen != g.sent && now_ms() < begin + 5000)
			flow_take(_metadata, &g, false, 10);
	}
	uplink = stat_of(0, IVSHM_A_STAT_TX_UPLINK_FRAMES);
	parked = stat_of(1, IVSHM_A_STAT_PARKED);
	measure(_metadata, &f, 1000, IVSHM_RATE_BURST_FRAMES);
	EXPECT_EQ(0, stat_of(0, IVSHM_A_STAT_DROP_RATE));
	EXPECT_LT(500, stat_of(0, IVSHM_A_STAT_PARKED));
	EXPECT_EQ(uplink, stat_of(0, IVSHM_A_STAT_TX_UPLINK_FRAMES));
	/*
	 * The other direction has its own, which it has not touched; unless the kernel has
	 * moved a page, and all of them wait for that.
	 */
	misses = stat_of(0, IVSHM_A_STAT_MISSES) + stat_of(1, IVSHM_A_STAT_MISSES);
	EXPECT_EQ(WINDOW / 2, flow_send(&g, WINDOW / 2));
	begin = now_ms();
	while (g.seen != g.sent && now_ms() < begin + 5000)
		flow_take(_metadata, &g, false, 10);
	if (misses == stat_of(0, IVSHM_A_STAT_MISSES) + stat_of(1, IVSHM_A_STAT_MISSES))
		EXPECT_EQ(parked, stat_of(1, IVSHM_A_STAT_PARKED));
	ASSERT_EQ(0, tool("ivmctl coupling change lan0 rate-frames 500"));
	measure(_metadata, &g, 500, IVSHM_RATE_BURST_FRAMES);
	/* And none is none, at once: those that wait go. */
	ASSERT_EQ(0, tool("ivmctl coupling change lan0 rate-frames 1"));
	begin = now_ms();
	flow_send(&g, WINDOW);
	flow_take(_metadata, &g, false, 100);
	EXPECT_GT(g.sent, g.seen);
	ASSERT_EQ(0, tool("ivmctl coupling change lan0 rate-frames none"));
	if (given_up(begin))
		return;
	begin = now_ms();
	while (g.seen != g.sent && now_ms() < begin + 500)
		flow_take(_metadata, &g, false, 10);
	EXPECT_EQ(g.sent, g.seen);
	EXPECT_EQ(0, stat_of(1, IVSHM_A_STAT_DROP_RATE));
	EXPECT_EQ(0, tool("! ivmctl coupling show lan0 | grep rate-frames"));
}

TEST_F_TIMEOUT(policy, rate_frames_dynamic, TIMEOUT)
{
	rate_frames(_metadata, self, "dynamic bypass yes");
}

TEST_F_TIMEOUT(policy, rate_frames_static, TIMEOUT)
{
	rate_frames(_metadata, self, "static");
}

TEST_F_TIMEOUT(policy, rate_bytes, TIMEOUT)
{
	struct flow f = flow(self, 0, 1, 1000);

	ASSERT_EQ(0, tool("ivmctl coupling add lan0 static tap0 tap1 %s rate-bytes 1m", PATIENT));
	measure(_metadata, &f, 1000, IVSHM_RATE_BURST_BYTES / 1000);
	EXPECT_EQ(0, stat_of(0, IVSHM_A_STAT_DROP_RATE));
	EXPECT_EQ(f.sent * 1000ULL, stat_of(0, IVSHM_A_STAT_TX_DIRECT_BYTES));
}

/* Much more than may go, with nobody waiting for anything. */
static void flow_storm(struct __test_metadata *_metadata, struct flow *f, int ms)
{
	__u64 end = now_ms() + (__u64)ms;

	while (now_ms() < end) {
		flow_send(f, 64);
		flow_take(_metadata, f, true, 0);
	}
	ASSERT_EQ(0, guest_tx_drain(f->from, 5000));
	flow_take(_metadata, f, true, 200);
}

/* Above the rate: lost and counted, nowhere else, and in order. */
static void rate_storm(struct __test_metadata *_metadata, FIXTURE_DATA(policy) * self,
		       const char *options)
{
	struct flow f = flow(self, 0, 1, 100);
	__u64 direct, uplink, parked, lost, begin;

	ASSERT_EQ(0, tool("ivmctl coupling add lan0 dynamic tap0 tap1 bypass yes %s", options));
	coupled(_metadata, self, 0, 1);
	direct = stat_of(0, IVSHM_A_STAT_TX_DIRECT_FRAMES);
	uplink = stat_of(0, IVSHM_A_STAT_TX_UPLINK_FRAMES);
	parked = stat_of(0, IVSHM_A_STAT_PARKED);
	begin = now_ms();
	ASSERT_EQ(0, tool("ivmctl coupling change lan0 rate-frames 1000"));
	flow_storm(_metadata, &f, MEASURE_MS);
	direct = stat_of(0, IVSHM_A_STAT_TX_DIRECT_FRAMES) - direct;
	lost = stat_of(0, IVSHM_A_STAT_DROP_RATE);
	EXPECT_LE(direct, now_ms() - begin + 2 + IVSHM_RATE_BURST_FRAMES);
	EXPECT_GT(direct, MEASURE_MS / 2);
	EXPECT_EQ(f.sent, direct + lost);
	EXPECT_LT(MEASURE_MS, lost);
	EXPECT_EQ(uplink, stat_of(0, IVSHM_A_STAT_TX_UPLINK_FRAMES));
	EXPECT_EQ(0, stat_of(0, IVSHM_A_STAT_DROP_FULL));
	EXPECT_EQ(0, stat_of(0, IVSHM_A_STAT_DROP_PARK_LIMIT));
	/* Nothing waits but batches whose memory was not there, now and then. */
	if (strstr(options, "full drop")) {
		EXPECT_LT(stat_of(0, IVSHM_A_STAT_PARKED) - parked, f.sent / 10);
	}
}

TEST_F_TIMEOUT(policy, rate_drop, TIMEOUT)
{
	rate_storm(_metadata, self, "full drop");
}

/* Those that wait give up after a millisecond. */
TEST_F_TIMEOUT(policy, rate_park, TIMEOUT)
{
	rate_storm(_metadata, self, "full park");
}

/* One rate for all that a member sends, of which each receiver gets its share. */
TEST_F_TIMEOUT(policy, rate_shared, TIMEOUT)
{
	struct flow f[2] = { flow(self, 0, 1, 100), flow(self, 0, 2, 100) };
	__u64 begin = now_ms(), end;
	int i;

	ASSERT_EQ(0, tool("ivmctl coupling add lan0 static tap0 tap1 tap2 rate-frames 1000 %s",
			  PATIENT));
	end = now_ms() + MEASURE_MS;
	while (now_ms() < end) {
		for (i = 0; i < 2; i++) {
			/* Of the first one there are always more. */
			flow_send(&f[i], (i ? 20 : 80) - (f[i].sent - f[i].seen));
			flow_take(_metadata, &f[i], false, 1);
		}
	}
	EXPECT_LE(stat_of(0, IVSHM_A_STAT_TX_DIRECT_FRAMES),
		  now_ms() - begin + 2 + IVSHM_RATE_BURST_FRAMES);
	for (i = 0; i < 2; i++)
		EXPECT_LT(MEASURE_MS / 20, f[i].seen);
	guest_tx_drain(&self->g[0], 5000);
	for (i = 0; i < 2; i++) {
		flow_take(_metadata, &f[i], false, 100);
		EXPECT_EQ(f[i].sent, f[i].seen);
	}
}

/* Frames for all count, once, wait as others do, and none is overtaken. */
TEST_F_TIMEOUT(policy, rate_flooded, TIMEOUT)
{
	struct flow f = flow(self, 0, 1, 100), g = flow(self, 0, 2, 100);

	ASSERT_EQ(0, tool("ivmctl coupling add lan0 static tap0 tap1 tap2 rate-frames 500 %s",
			  PATIENT));
	f.dst = mac_broadcast;
	measure(_metadata, &f, 500, IVSHM_RATE_BURST_FRAMES);
	EXPECT_EQ(f.sent, stat_of(0, IVSHM_A_STAT_TX_DIRECT_FRAMES));
	EXPECT_EQ(0, stat_of(0, IVSHM_A_STAT_DROP_RATE));
	/* The others had no less: as many as there is room for there. */
	g.id = f.id;
	flow_take(_metadata, &g, true, 100);
	EXPECT_LE(100, g.seen);
}

/* Who stops and starts again, as any guest may, has no more for it. */
TEST_F_TIMEOUT(policy, rate_restarts, TIMEOUT)
{
	struct flow f = flow(self, 0, 1, 100);
	__u64 begin = now_ms();
	int round;

	ASSERT_EQ(0, tool("ivmctl coupling add lan0 static tap0 tap1 rate-frames 10 full drop"));
	for (round = 0; round < 10; round++) {
		flow_send(&f, WINDOW);
		ASSERT_EQ(0, guest_tx_drain(f.from, 5000));
		flow_take(_metadata, &f, true, 20);
		ASSERT_EQ(0, guest_stop(f.from));
		guest_reset_rings(f.from);
		ASSERT_EQ(0, guest_start(f.from));
	}
	EXPECT_EQ(10 * WINDOW, f.sent);
	EXPECT_LE(IVSHM_RATE_BURST_FRAMES, stat_of(0, IVSHM_A_STAT_TX_DIRECT_FRAMES));
	EXPECT_GE(IVSHM_RATE_BURST_FRAMES + 1 + (now_ms() - begin) / 100 + 1,
		  stat_of(0, IVSHM_A_STAT_TX_DIRECT_FRAMES));
}

/* Frames that wait for the rate go by the uplink when there is no coupling any more. */
TEST_F_TIMEOUT(policy, rate_dissolved, TIMEOUT)
{
	struct flow f = flow(self, 0, 1, 100);
	__u64 begin;

	ASSERT_EQ(0, tool("ivmctl coupling add lan0 dynamic tap0 tap1 bypass yes park-us 1000000"));
	coupled(_metadata, self, 0, 1);
	ASSERT_EQ(0, tool("ivmctl coupling change lan0 rate-frames 1"));
	begin = now_ms();
	flow_send(&f, WINDOW);
	flow_take(_metadata, &f, false, 100);
	EXPECT_LE(f.seen, IVSHM_RATE_BURST_FRAMES + 1);
	ASSERT_EQ(0, tool("ivmctl coupling del lan0"));
	if (given_up(begin))
		return;
	flow_take(_metadata, &f, false, 1000);
	flow_take(_metadata, &f, false, 100);
	EXPECT_EQ(WINDOW, f.seen);
}

/*
 * Full receivers
 */

/* Take away the buffers that a guest has posted. */
static void use_up(struct __test_metadata *_metadata, struct flow *f)
{
	f->to->keep_rx = true;
	while (f->seen != f->to->ring[GUEST_RX].num) {
		flow_send(f, 1);
		flow_take(_metadata, f, false, 1000);
		ASSERT_EQ(f->sent, f->seen);
	}
}

TEST_F_TIMEOUT(policy, full_drop, TIMEOUT)
{
	struct flow f = flow(self, 0, 1, 100);

	ASSERT_EQ(0, tool("ivmctl coupling add lan0 static tap0 tap1 full drop park-us 1000000"));
	EXPECT_TRUE(tool_says("full drop", "ivmctl coupling show lan0"));
	use_up(_metadata, &f);
	flow_send(&f, 50);
	EXPECT_EQ(0, guest_tx_drain(f.from, 500));
	EXPECT_EQ(50, stat_of(0, IVSHM_A_STAT_DROP_FULL));
	/* The next ones have buffers again. */
	f.to->keep_rx = false;
	EXPECT_LT(0, guest_rx_fill(f.to, 100, 2000));
	flow_send(&f, 50);
	EXPECT_EQ(0, guest_tx_drain(f.from, 5000));
	flow_take(_metadata, &f, true, 1000);
	EXPECT_EQ(f.sent, f.seen);
	EXPECT_EQ(50, stat_of(0, IVSHM_A_STAT_DROP_FULL));
}

TEST_F_TIMEOUT(policy, full_changed, TIMEOUT)
{
	struct flow f = flow(self, 0, 1, 100);
	__u64 dropped;

	ASSERT_EQ(0, tool("ivmctl coupling add lan0 static tap0 tap1 park-us 1000000"));
	use_up(_metadata, &f);
	flow_send(&f, 50);
	EXPECT_EQ(0, guest_silent(f.to, 100));
	EXPECT_EQ(0, stat_of(0, IVSHM_A_STAT_DROP_FULL));
	/* Those that wait are dropped as it changes. */
	ASSERT_EQ(0, tool("ivmctl coupling change lan0 full drop"));
	EXPECT_EQ(0, guest_tx_drain(f.from, 500));
	dropped = stat_of(0, IVSHM_A_STAT_DROP_FULL);
	EXPECT_EQ(50, dropped);
	ASSERT_EQ(0, tool("ivmctl coupling change lan0 full park"));
	flow_send(&f, 50);
	usleep(100000);
	f.to->keep_rx = false;
	EXPECT_LT(0, guest_rx_fill(f.to, 100, 2000));
	EXPECT_EQ(0, guest_tx_drain(f.from, 5000));
	flow_take(_metadata, &f, true, 1000);
	EXPECT_EQ(f.sent, f.seen);
	EXPECT_EQ(dropped, stat_of(0, IVSHM_A_STAT_DROP_FULL));
}

/* Some wait for buffers, and those behind them for the rate: they stay behind them. */
TEST_F_TIMEOUT(policy, full_and_rate, TIMEOUT)
{
	struct flow f = flow(self, 0, 1, 100);
	__u64 begin;

	ASSERT_EQ(0, tool("ivmctl coupling add lan0 static tap0 tap1 rate-frames 1000 %s",
			  PATIENT));
	use_up(_metadata, &f);
	EXPECT_EQ(WINDOW, flow_send(&f, WINDOW));
	/* Longer than the last of them waits for the rate. */
	usleep(200000);
	EXPECT_EQ(0, guest_pending(f.to, GUEST_RX));
	f.to->keep_rx = false;
	EXPECT_LT(0, guest_rx_fill(f.to, WINDOW, 2000));
	begin = now_ms();
	while (f.seen != f.sent && now_ms() < begin + 5000)
		flow_take(_metadata, &f, false, 10);
	EXPECT_EQ(f.sent, f.seen);
	EXPECT_EQ(0, stat_of(0, IVSHM_A_STAT_DROP_FULL));
	EXPECT_EQ(0, stat_of(0, IVSHM_A_STAT_DROP_RATE));
}

/*
 * Who is denied
 */

static int pass(FIXTURE_DATA(policy) * self, int from, int to)
{
	static __u32 seq;

	return guest_pass(&self->g[from], &self->g[to], 200, ++seq);
}

/* One frame for another guest, or for all; it comes to nobody but the @heard. */
static void cast(struct __test_metadata *_metadata, FIXTURE_DATA(policy) * self, int from,
		 const __u8 *dst, unsigned int heard)
{
	static struct guest_frame f;
	__u8 frame[80];
	int i;

	frame_make(frame, sizeof(frame), dst, self->g[from].mac, 7, 7);
	ASSERT_EQ(0, guest_send(&self->g[from], NULL, frame, sizeof(frame)));
	ASSERT_EQ(0, guest_tx_drain(&self->g[from], 5000));
	for (i = 0; i < PORTS; i++)
		EXPECT_EQ(heard >> i & 1, guest_recv(&self->g[i], &f, heard >> i & 1 ? 2000 : 50))
			TH_LOG("from %d at %d", from, i);
}

TEST_F_TIMEOUT(policy, deny_static, TIMEOUT)
{
	__u32 state = 0, reason = 0;

	ASSERT_EQ(0, tool("ivmctl coupling add lan0 static tap0 tap1 tap2 deny tap0 tap1"));
	EXPECT_TRUE(tool_says("deny tap0 -> tap1$", "ivmctl coupling show lan0"));
	cast(_metadata, self, 0, self->g[1].mac, 0);
	EXPECT_EQ(1, stat_of(0, IVSHM_A_STAT_DROP_DENIED));
	ASSERT_EQ(0, ctl_pair("lan0", "tap0", "tap1", &state, &reason));
	EXPECT_EQ(IVSHM_REASON_DENIED, reason);
	EXPECT_TRUE(tool_says("tap0 -> tap1 .* denied: the coupling denies it",
			      "ivmctl coupling show lan0"));
	/* The other direction, and other receivers. */
	EXPECT_EQ(0, pass(self, 1, 0));
	EXPECT_EQ(0, pass(self, 0, 2));
	EXPECT_EQ(0, pass(self, 2, 1));
	cast(_metadata, self, 0, mac_broadcast, 4);
	cast(_metadata, self, 1, mac_broadcast, 5);
	EXPECT_EQ(1, stat_of(0, IVSHM_A_STAT_DROP_DENIED));
	/* With patterns, while it runs. */
	ASSERT_EQ(0, tool("ivmctl coupling change lan0 allow tap0 tap1 deny 'tap[02]' '*'"));
	cast(_metadata, self, 0, mac_broadcast, 0);
	cast(_metadata, self, 2, self->g[0].mac, 0);
	EXPECT_EQ(2, stat_of(0, IVSHM_A_STAT_DROP_DENIED));
	EXPECT_EQ(1, stat_of(2, IVSHM_A_STAT_DROP_DENIED));
	EXPECT_EQ(0, pass(self, 1, 2));
	EXPECT_EQ(0, tool("! ivmctl coupling change lan0 allow tap0 tap1"));
	ASSERT_EQ(0, tool("ivmctl coupling change lan0 allow 'tap[02]' '*'"));
	EXPECT_EQ(0, pass(self, 0, 1));
	EXPECT_EQ(0, pass(self, 2, 0));
	cast(_metadata, self, 0, mac_broadcast, 6);
	EXPECT_EQ(2, stat_of(0, IVSHM_A_STAT_DROP_DENIED));
}

/* Two members, whatever the destination is. */
TEST_F_TIMEOUT(policy, deny_cable, TIMEOUT)
{
	ASSERT_EQ(0, tool("ivmctl coupling add lan0 static tap0 tap1 deny tap1 tap0"));
	EXPECT_EQ(0, pass(self, 0, 1));
	cast(_metadata, self, 1, self->g[0].mac, 0);
	cast(_metadata, self, 1, mac_broadcast, 0);
	EXPECT_EQ(2, stat_of(1, IVSHM_A_STAT_DROP_DENIED));
	ASSERT_EQ(0, tool("ivmctl coupling change lan0 deny tap0 tap1 allow tap1 tap0"));
	EXPECT_EQ(0, pass(self, 1, 0));
	cast(_metadata, self, 0, self->g[1].mac, 0);
	EXPECT_EQ(1, stat_of(0, IVSHM_A_STAT_DROP_DENIED));
}

TEST_F_TIMEOUT(policy, deny_dynamic, TIMEOUT)
{
	__u32 state = 0, reason = 0;
	struct nl_sock *events;
	__u64 direct;
	int i;

	ASSERT_EQ(0, tool("ivmctl coupling add lan0 dynamic tap0 'tap[1-9]' deny tap0 tap1"));
	coupled(_metadata, self, 1, 0);
	coupled(_metadata, self, 0, 2);
	direct = stat_of(0, IVSHM_A_STAT_TX_DIRECT_FRAMES);
	for (i = 0; i < 20; i++)
		EXPECT_EQ(0, pass(self, 0, 1));
	EXPECT_EQ(direct, stat_of(0, IVSHM_A_STAT_TX_DIRECT_FRAMES));
	ASSERT_EQ(0, ctl_pair("lan0", "tap0", "tap1", &state, &reason));
	EXPECT_EQ(IVSHM_PAIR_UPLINK, state);
	EXPECT_EQ(IVSHM_REASON_DENIED, reason);
	/* It lasts when the members come anew. */
	ASSERT_EQ(0, tool("ivmctl coupling change lan0 disabled yes"));
	ASSERT_EQ(0, tool("ivmctl coupling change lan0 disabled no"));
	for (i = 0; i < 20; i++)
		EXPECT_EQ(0, pass(self, 0, 1));
	EXPECT_EQ(direct, stat_of(0, IVSHM_A_STAT_TX_DIRECT_FRAMES));
	ASSERT_EQ(0, tool("ivmctl coupling change lan0 allow tap0 tap1"));
	coupled(_metadata, self, 0, 1);
	/* Nothing more goes direct, from the moment that the command is done. */
	events = ctl_listen();
	ASSERT_NE(NULL, events);
	ASSERT_EQ(0, tool("ivmctl coupling change lan0 deny tap0 tap1"));
	EXPECT_EQ(0, ctl_heard_pair(events, "tap0", "tap1", IVSHM_PAIR_UPLINK,
				    IVSHM_REASON_DENIED, 2000));
	direct = stat_of(0, IVSHM_A_STAT_TX_DIRECT_FRAMES);
	for (i = 0; i < 20; i++)
		EXPECT_EQ(0, pass(self, 0, 1));
	EXPECT_EQ(direct, stat_of(0, IVSHM_A_STAT_TX_DIRECT_FRAMES));
	EXPECT_EQ(0, stat_of(0, IVSHM_A_STAT_DROP_DENIED));
}

/* Denied and allowed under a flow: each frame arrives once and in its place. */
TEST_F_TIMEOUT(policy, deny_live, TIMEOUT)
{
	struct flow f = flow(self, 0, 1, 300);
	__u64 direct, uplink, end;
	int i;

	ASSERT_EQ(0, tool("ivmctl coupling add lan0 dynamic tap0 tap1 park-us 100000"));
	coupled(_metadata, self, 0, 1);
	direct = stat_of(0, IVSHM_A_STAT_TX_DIRECT_FRAMES);
	uplink = stat_of(0, IVSHM_A_STAT_TX_UPLINK_FRAMES);
	for (i = 0; i < 20; i++) {
		ASSERT_EQ(0, tool("ivmctl coupling change lan0 %s tap0 tap1",
				  i & 1 ? "allow" : "deny"));
		end = now_ms() + 50 + rnd() % 100;
		while (now_ms() < end) {
			flow_send(&f, 64 - (f.sent - f.seen));
			flow_take(_metadata, &f, false, 1);
		}
	}
	flow_take(_metadata, &f, false, 1000);
	flow_take(_metadata, &f, false, 200);
	EXPECT_EQ(f.sent, f.seen);
	EXPECT_LT(direct + 100, stat_of(0, IVSHM_A_STAT_TX_DIRECT_FRAMES));
	EXPECT_LT(uplink + 100, stat_of(0, IVSHM_A_STAT_TX_UPLINK_FRAMES));
}

TEST_HARNESS_MAIN
