// SPDX-License-Identifier: GPL-2.0
/*
 * Where frames go:
 *
 *   guest 0 --- tap0 ---+
 *   guest 1 --- tap1 ---+--- br0 --- host
 *   guest 2 --- tap2 ---+
 *
 * A packet socket hears what passes the taps: what goes direct it does not.
 */
#include <errno.h>
#include <poll.h>
#include <sys/ioctl.h>

#include "kselftest_harness.h"
#include "env.h"
#include "guest.h"

#define TIMEOUT	120
#define PORTS	3

static const char * const tap[PORTS] = { "tap0", "tap1", "tap2" };

FIXTURE(path) {
	struct guest g[PORTS];
	int sniffer;
};

FIXTURE_SETUP(path)
{
	int i;

	ASSERT_EQ(0, env_setup());
	for (i = 0; i < PORTS; i++) {
		struct guest_config c = { .tap = tap[i], .bridge = "br0" };

		ASSERT_EQ(0, guest_up(&self->g[i], &c));
	}
	self->sniffer = env_sniffer();
	ASSERT_LE(0, self->sniffer);
}

FIXTURE_TEARDOWN(path)
{
	int i;

	for (i = 0; i < PORTS; i++) {
		EXPECT_EQ(0, guest_stop(&self->g[i]));
		EXPECT_EQ(0, self->g[i].faults);
		guest_close(&self->g[i]);
	}
}

/* Have each guest's address known everywhere. */
static void learn(struct __test_metadata *_metadata, FIXTURE_DATA(path) * self)
{
	struct guest_frame f;
	__u8 frame[60];
	int i, j;

	for (i = 0; i < PORTS; i++) {
		frame_make(frame, sizeof(frame), mac_broadcast, self->g[i].mac, 0, i);
		ASSERT_EQ(0, guest_send(&self->g[i], NULL, frame, sizeof(frame)));
		for (j = 0; j < PORTS; j++) {
			if (j == i)
				continue;
			ASSERT_EQ(1, guest_recv(&self->g[j], &f, 5000));
		}
	}
}

/* Until frames from one to the other go direct; they arrive in any case. */
static void couple_pair(struct __test_metadata *_metadata, struct guest *from,
			struct guest *to)
{
	__u64 end = now_ms() + 10000;
	__u32 state = 0, reason = 0, seq = 1000;

	while (state != IVSHM_PAIR_COUPLED && now_ms() < end) {
		ASSERT_EQ(0, guest_pass(from, to, 100, seq++));
		ASSERT_EQ(0, ctl_pair("lan0", from->c.tap, to->c.tap, &state, &reason));
	}
	ASSERT_EQ(IVSHM_PAIR_COUPLED, state)
		TH_LOG("reason %u", reason);
}

static __u64 stat(FIXTURE_DATA(path) * self, int i, enum ivshm_attr_stat which)
{
	(void)self;
	return ctl_stat(tap[i], which);
}

/* No coupling: as vhost-net. */
TEST_F_TIMEOUT(path, uplink, TIMEOUT)
{
	__u8 frame[200];
	struct guest_frame f;
	int i;

	learn(_metadata, self);
	for (i = 0; i < 50; i++) {
		ASSERT_EQ(0, guest_pass(&self->g[0], &self->g[1], 60 + i * 29, i));
		ASSERT_EQ(0, guest_pass(&self->g[1], &self->g[0], 60 + i * 29, i));
	}
	/* Broadcasts are heard twice: in the bridge itself, too. */
	EXPECT_EQ(2 * PORTS + 100, env_sniffed(self->sniffer));
	EXPECT_EQ(51, stat(self, 0, IVSHM_A_STAT_TX_UPLINK_FRAMES));
	EXPECT_EQ(0, stat(self, 0, IVSHM_A_STAT_TX_DIRECT_FRAMES));
	EXPECT_EQ(52, stat(self, 0, IVSHM_A_STAT_RX_UPLINK_FRAMES));
	/* The host's own frames. */
	frame_make(frame, sizeof(frame), self->g[2].mac, (__u8 *)"\x52\x54\0\0\0\1", 1, 1);
	ASSERT_EQ(0, env_inject("br0", frame, sizeof(frame)));
	ASSERT_EQ(1, guest_recv(&self->g[2], &f, 5000));
	EXPECT_EQ(0, memcmp(f.data, frame, sizeof(frame)));
	EXPECT_EQ(0, guest_silent(&self->g[0], 50));
}

/*
 * Interfaces of the test before may still be going, and each that goes parts all
 * pairs until the rules have been asked again: measure once more then.
 */
#define RETRIES	3

TEST_F_TIMEOUT(path, dynamic, TIMEOUT)
{
	struct guest *a = &self->g[0], *b = &self->g[1];
	__u64 direct, bytes, copied, uplink;
	int i, n, try = 0;

	learn(_metadata, self);
	ASSERT_EQ(0, ctl_couple("lan0", IVSHM_COUPLING_DYNAMIC, NULL, tap[0], tap[1], NULL));
again:
	couple_pair(_metadata, a, b);
	couple_pair(_metadata, b, a);

	n = 0;
	bytes = 0;
	env_sniffed(self->sniffer);
	direct = stat(self, 0, IVSHM_A_STAT_TX_DIRECT_FRAMES);
	copied = stat(self, 0, IVSHM_A_STAT_COPIED_BYTES);
	uplink = stat(self, 0, IVSHM_A_STAT_TX_UPLINK_FRAMES);
	for (i = 14; i < 1514; i += 15) {
		ASSERT_EQ(0, guest_pass(a, b, i, i));
		ASSERT_EQ(0, guest_pass(b, a, i, i));
		bytes += i;
		n++;
	}
	if (stat(self, 0, IVSHM_A_STAT_TX_UPLINK_FRAMES) != uplink && try++ < RETRIES)
		goto again;
	EXPECT_EQ(0, env_sniffed(self->sniffer));
	EXPECT_EQ(n, stat(self, 0, IVSHM_A_STAT_TX_DIRECT_FRAMES) - direct);
	EXPECT_EQ(uplink, stat(self, 0, IVSHM_A_STAT_TX_UPLINK_FRAMES));
	/* One copy of each byte, and no socket buffer. */
	EXPECT_EQ(bytes, stat(self, 0, IVSHM_A_STAT_COPIED_BYTES) - copied);
	EXPECT_EQ(0, stat(self, 0, IVSHM_A_STAT_SKBS));
	EXPECT_EQ(0, stat(self, 1, IVSHM_A_STAT_SKBS));
	EXPECT_EQ(0, stat(self, 0, IVSHM_A_STAT_BOUNCED));

	/* The third is no member. */
	ASSERT_EQ(0, guest_pass(a, &self->g[2], 300, 1));
	ASSERT_EQ(0, guest_pass(&self->g[2], b, 300, 2));
	EXPECT_EQ(2, env_sniffed(self->sniffer));

	ASSERT_EQ(0, ctl_uncouple("lan0"));
	ASSERT_EQ(0, guest_pass(a, b, 300, 3));
	ASSERT_EQ(0, guest_pass(b, a, 300, 4));
	EXPECT_EQ(2, env_sniffed(self->sniffer));
}

/* Twenty frames from each to each. */
static void pass_all(struct __test_metadata *_metadata, FIXTURE_DATA(path) * self)
{
	int i, j, n;

	for (n = 0; n < 20; n++)
		for (i = 0; i < PORTS; i++)
			for (j = 0; j < PORTS; j++)
				if (i != j)
					ASSERT_EQ(0, guest_pass(&self->g[i], &self->g[j],
								64 + n * 70, n));
}

TEST_F_TIMEOUT(path, dynamic_three, TIMEOUT)
{
	__u64 uplink, direct[PORTS];
	int i, j, try = 0;

	learn(_metadata, self);
	ASSERT_EQ(0, ctl_couple("lan0", IVSHM_COUPLING_DYNAMIC, NULL, tap[0], tap[1],
				tap[2], NULL));
again:
	for (i = 0; i < PORTS; i++)
		for (j = 0; j < PORTS; j++)
			if (i != j)
				couple_pair(_metadata, &self->g[i], &self->g[j]);
	env_sniffed(self->sniffer);
	for (i = 0, uplink = 0; i < PORTS; i++) {
		uplink += stat(self, i, IVSHM_A_STAT_TX_UPLINK_FRAMES);
		direct[i] = stat(self, i, IVSHM_A_STAT_TX_DIRECT_FRAMES);
	}
	pass_all(_metadata, self);
	for (i = 0; i < PORTS; i++)
		uplink -= stat(self, i, IVSHM_A_STAT_TX_UPLINK_FRAMES);
	if (uplink && try++ < RETRIES)
		goto again;
	EXPECT_EQ(0, env_sniffed(self->sniffer));
	for (i = 0; i < PORTS; i++) {
		EXPECT_EQ(0, guest_silent(&self->g[i], 20));
		EXPECT_EQ(40, stat(self, i, IVSHM_A_STAT_TX_DIRECT_FRAMES) - direct[i]);
		EXPECT_LE(40, stat(self, i, IVSHM_A_STAT_RX_DIRECT_FRAMES));
	}
}

/* What is not for another member is for the bridge. */
TEST_F_TIMEOUT(path, dynamic_others, TIMEOUT)
{
	static const __u8 to[][6] = {
		{ 0xff, 0xff, 0xff, 0xff, 0xff, 0xff },
		{ 0x01, 0x00, 0x5e, 0x00, 0x00, 0x01 },
		{ 0x33, 0x33, 0x00, 0x00, 0x00, 0x01 },
		{ 0x52, 0x54, 0x00, 0xbb, 0x00, 0x01 },	/* nobody knows it */
	};
	struct guest_frame f;
	__u8 frame[100];
	unsigned int i, j;

	learn(_metadata, self);
	ASSERT_EQ(0, ctl_couple("lan0", IVSHM_COUPLING_DYNAMIC, NULL, tap[0], tap[1], NULL));
	couple_pair(_metadata, &self->g[0], &self->g[1]);
	env_sniffed(self->sniffer);
	for (i = 0; i < sizeof(to) / sizeof(*to); i++) {
		frame_make(frame, sizeof(frame), to[i], self->g[0].mac, 2, i);
		ASSERT_EQ(0, guest_send(&self->g[0], NULL, frame, sizeof(frame)));
		for (j = 1; j < PORTS; j++) {
			ASSERT_EQ(1, guest_recv(&self->g[j], &f, 5000))
				TH_LOG("address %u, guest %u", i, j);
			EXPECT_EQ(sizeof(frame), f.len);
			EXPECT_EQ(0, memcmp(frame, f.data, sizeof(frame)));
		}
	}
	EXPECT_LE(4, env_sniffed(self->sniffer));
	EXPECT_EQ(0, guest_silent(&self->g[0], 50));
	EXPECT_EQ(0, guest_silent(&self->g[1], 1));
}

/* A crossover cable: whatever the addresses, and nothing by the tap. */
TEST_F_TIMEOUT(path, static_two, TIMEOUT)
{
	static const __u8 stranger[6] = { 0x52, 0x54, 0, 0xbb, 0, 2 };
	struct guest *a = &self->g[0], *b = &self->g[1];
	struct guest_frame f;
	__u8 frame[100];
	int i;

	learn(_metadata, self);
	ASSERT_EQ(0, ctl_couple("lan0", IVSHM_COUPLING_STATIC, NULL, tap[0], tap[1], NULL));
	env_sniffed(self->sniffer);
	for (i = 0; i < 50; i++) {
		ASSERT_EQ(0, guest_pass(a, b, 60 + i * 29, i));
		ASSERT_EQ(0, guest_pass(b, a, 60 + i * 29, i));
	}
	for (i = 0; i < 3; i++) {
		const __u8 *to[] = { mac_broadcast, stranger, self->g[2].mac };

		frame_make(frame, sizeof(frame), to[i], stranger, 3, i);
		ASSERT_EQ(0, guest_send(a, NULL, frame, sizeof(frame)));
		ASSERT_EQ(1, guest_recv(b, &f, 5000));
		EXPECT_EQ(0, memcmp(frame, f.data, sizeof(frame)));
	}
	EXPECT_EQ(0, env_sniffed(self->sniffer));
	EXPECT_EQ(0, guest_silent(&self->g[2], 20));

	/* The host is not to be reached, nor does it reach anybody. */
	frame_make(frame, sizeof(frame), a->mac, stranger, 3, 7);
	ASSERT_EQ(0, env_inject("br0", frame, sizeof(frame)));
	frame_make(frame, sizeof(frame), mac_broadcast, self->g[2].mac, 3, 8);
	ASSERT_EQ(0, guest_send(&self->g[2], NULL, frame, sizeof(frame)));
	EXPECT_EQ(0, guest_silent(a, 200));
	EXPECT_EQ(0, guest_silent(b, 1));
	EXPECT_LE(1, stat(self, 0, IVSHM_A_STAT_DROP_ISOLATED));
	EXPECT_LE(1, stat(self, 1, IVSHM_A_STAT_DROP_ISOLATED));

	/* A missing peer: dropped and counted, and completed. */
	ASSERT_EQ(0, guest_stop(b));
	for (i = 0; i < 20; i++) {
		ASSERT_EQ(0, guest_send(a, NULL, frame, sizeof(frame)));
	}
	EXPECT_EQ(0, guest_tx_drain(a, 5000));
	EXPECT_EQ(20, stat(self, 0, IVSHM_A_STAT_DROP_NO_PEER));
	env_sniffed(self->sniffer);
	guest_reset_rings(b);
	ASSERT_EQ(0, guest_start(b));
	guest_rx_fill(b, 256, 2000);
	for (i = 0; i < 20; i++) {
		ASSERT_EQ(0, guest_pass(a, b, 100 + i, i));
	}
	EXPECT_EQ(0, env_sniffed(self->sniffer));
}

TEST_F_TIMEOUT(path, static_three, TIMEOUT)
{
	static const __u8 stranger[6] = { 0x52, 0x54, 0, 0xbb, 0, 3 };
	struct guest_frame f;
	__u8 frame[100];
	int i, j, n;

	ASSERT_EQ(0, ctl_couple("lan0", IVSHM_COUPLING_STATIC, NULL, tap[0], tap[1],
				tap[2], NULL));
	/* Flooded: broadcasts, and addresses that nobody has. */
	for (i = 0; i < PORTS; i++) {
		for (n = 0; n < 2; n++) {
			frame_make(frame, sizeof(frame), n ? stranger : mac_broadcast,
				   self->g[i].mac, 4, i);
			ASSERT_EQ(0, guest_send(&self->g[i], NULL, frame, sizeof(frame)));
			for (j = 0; j < PORTS; j++) {
				if (j == i)
					continue;
				ASSERT_EQ(1, guest_recv(&self->g[j], &f, 5000));
				EXPECT_EQ(0, memcmp(frame, f.data, sizeof(frame)));
			}
		}
		EXPECT_EQ(0, guest_silent(&self->g[i], 20));
		EXPECT_EQ(2, stat(self, i, IVSHM_A_STAT_TX_FLOODED));
	}
	/* Known by now: to the one alone. */
	pass_all(_metadata, self);
	for (i = 0; i < PORTS; i++) {
		EXPECT_EQ(0, guest_silent(&self->g[i], 20));
		EXPECT_EQ(2, stat(self, i, IVSHM_A_STAT_TX_FLOODED));
		EXPECT_EQ(42, stat(self, i, IVSHM_A_STAT_TX_DIRECT_FRAMES));
		EXPECT_EQ(44, stat(self, i, IVSHM_A_STAT_RX_DIRECT_FRAMES));
	}
	EXPECT_EQ(0, env_sniffed(self->sniffer));
}

/*
 * A message one way costs one wake-up of a worker, one copy of each byte, and
 * one interrupt; nothing runs at the receiver.
 */
TEST_F_TIMEOUT(path, cost, TIMEOUT)
{
	struct guest *a = &self->g[0], *b = &self->g[1];
	struct ctl_port a0, a1, b0, b1;
	__u8 frame[1000];
	struct guest_frame f;
	const int n = 100;
	__u64 gone;
	int i;

	learn(_metadata, self);
	ASSERT_EQ(0, ctl_couple("lan0", IVSHM_COUPLING_DYNAMIC, NULL, tap[0], tap[1], NULL));
	/* Interfaces that came up are talked about for a second. */
	usleep(1500000);
	couple_pair(_metadata, a, b);
	/* Each buffer of either side was used once: its page is mirrored. */
	for (i = 0; i < 300; i++) {
		ASSERT_EQ(0, guest_pass(a, b, sizeof(frame), i));
	}
	usleep(100000);
	ctl_port(tap[0], &a0);
	ctl_port(tap[1], &b0);
	for (i = 0; i < n; i++) {
		frame_make(frame, sizeof(frame), b->mac, a->mac, 5, i);
		guest_arm(b, GUEST_RX);
		ASSERT_EQ(0, guest_send(a, NULL, frame, sizeof(frame)));
		ASSERT_EQ(1, guest_recv(b, &f, 5000));
		/* The worker is to sleep again. */
		usleep(3000);
	}
	ctl_port(tap[0], &a1);
	ctl_port(tap[1], &b1);
#define A(which) (a1.stat[IVSHM_A_STAT_##which] - a0.stat[IVSHM_A_STAT_##which])
#define B(which) (b1.stat[IVSHM_A_STAT_##which] - b0.stat[IVSHM_A_STAT_##which])
	/* Each page that the kernel took away in between may have been missed once. */
	gone = A(INVALIDATIONS) + B(INVALIDATIONS);
	EXPECT_EQ(n, A(TX_DIRECT_FRAMES));
	/* Fewer where the machine kept the worker from falling asleep in time. */
	EXPECT_GE(n, A(KICKS_TX));
	EXPECT_LE(n - 5, A(KICKS_TX));
	EXPECT_GE(n + gone, A(WAKEUPS));
	EXPECT_LE(n - 5, A(WAKEUPS));
	EXPECT_EQ(n * sizeof(frame), A(COPIED_BYTES));
	EXPECT_EQ(0, A(SKBS));
	EXPECT_EQ(0, A(BOUNCED));
	EXPECT_GE(gone, A(PARKED));
	/* A driver that does not look at completions is not told of them. */
	EXPECT_GE(n / 50, A(INTERRUPTS_TX));
	EXPECT_GE(gone, B(WAKEUPS));
	EXPECT_EQ(0, B(SKBS));
	EXPECT_EQ(n, B(RX_DIRECT_FRAMES));
	EXPECT_EQ(n, B(INTERRUPTS_RX));
	EXPECT_EQ(0, B(KICKS_RX));
}

#define LINGER_US	"/sys/module/ivshm/parameters/tx_linger_us"

/* A guest sends frames, a few at a time, without a pause. Returns how often it kicked. */
static int send_a_lot(struct __test_metadata *_metadata, struct guest *from, struct guest *to)
{
	struct pollfd told = { .fd = from->ring[GUEST_TX].call, .events = POLLIN };
	__u32 piece = from->hdr_len, seq = 0, seen = 0;
	__u8 frame[60];
	struct guest_frame f;
	int i, kicks = 0;
	__u64 calls;

	while (seq < 2000) {
		/* Of the last ones it wants to be told: of none that are done by now. */
		if (seq == 2000 - 4) {
			EXPECT_EQ(0, guest_tx_drain(from, 1000));
			while (poll(&told, 1, 0) == 1)
				ASSERT_EQ(sizeof(calls), read(told.fd, &calls, sizeof(calls)));
			guest_arm(from, GUEST_TX);
		}
		for (i = 0; i < 4; i++, seq++) {
			frame_make(frame, sizeof(frame), to->mac, from->mac, 6, seq);
			if (guest_send_pieces(from, NULL, frame, sizeof(frame), &piece, 1,
					      GUEST_MORE)) {
				/* All buffers are on their way. */
				ASSERT_EQ(0, guest_tx_drain(from, 1000));
				ASSERT_EQ(0, guest_send_pieces(from, NULL, frame, sizeof(frame),
							       &piece, 1, GUEST_MORE));
			}
		}
		kicks += guest_publish(from, GUEST_TX);
		/* What is looked at by time is looked at soon. */
		while (seq - seen > 64)
			if (guest_recv(to, &f, 1000) == 1)
				seen++;
			else
				ASSERT_EQ(0, guest_pending(to, GUEST_RX));
		guest_tx_reap(from);
	}
	EXPECT_EQ(1, poll(&told, 1, 1000));
	EXPECT_EQ(0, guest_tx_drain(from, 1000));
	for (; seen < seq; seen++)
		ASSERT_EQ(1, guest_recv(to, &f, 1000));
	return kicks;
}

/*
 * Who sends all the time need not notify the device each time; the last frame and
 * its completion come all the same, and the next frame is one to notify of.
 */
TEST_F_TIMEOUT(path, lingers, TIMEOUT)
{
	struct guest *a = &self->g[0], *b = &self->g[1];
	int i, with = 0, without = 0;
	long us = env_number(LINGER_US);

	ASSERT_LT(0, us);
	learn(_metadata, self);
	ASSERT_EQ(0, ctl_couple("lan0", IVSHM_COUPLING_DYNAMIC, NULL, tap[0], tap[1], NULL));
	couple_pair(_metadata, a, b);
	for (i = 0; i < 5; i++) {
		with += send_a_lot(_metadata, a, b);
		usleep(20000);
		EXPECT_EQ(0, guest_pass(a, b, 100, i));
		EXPECT_EQ(0, env_write(LINGER_US, "0"));
		without += send_a_lot(_metadata, a, b);
		EXPECT_EQ(0, env_write(LINGER_US, "200"));
	}
	TH_LOG("10000 frames: %d kicks, %d without lingering", with, without);
	EXPECT_GT(without * 2, with * 3);
	EXPECT_EQ(200, us);
}

/* Time for a number of times four frames that are waited for, ms. */
static __u64 send_a_few(struct __test_metadata *_metadata, struct guest *from, struct guest *to)
{
	static __u8 frame[60];
	static struct guest_frame f;
	__u64 begin = now_ms();
	__u32 i, n, seq = 0, piece = from->hdr_len;

	for (n = 0; n < 500; n++) {
		for (i = 0; i < 4; i++) {
			frame_make(frame, sizeof(frame), to->mac, from->mac, 6, seq++);
			EXPECT_EQ(0, guest_send_pieces(from, NULL, frame, sizeof(frame), &piece, 1,
						       GUEST_MORE));
		}
		guest_publish(from, GUEST_TX);
		for (i = 0; i < 4; i++)
			EXPECT_EQ(1, guest_recv(to, &f, 1000));
		EXPECT_EQ(0, guest_tx_drain(from, 1000));
	}
	return now_ms() - begin;
}

/* But who waits for something before more is sent is not made to wait. */
TEST_F_TIMEOUT(path, lingers_for_none, TIMEOUT)
{
	struct guest *a = &self->g[0], *b = &self->g[1];
	__u64 with = -1, without = -1, ms;
	int i;

	learn(_metadata, self);
	ASSERT_EQ(0, ctl_couple("lan0", IVSHM_COUPLING_STATIC, NULL, tap[0], tap[1], NULL));
	/* The best of several: others have the processor, too. */
	for (i = 0; i < 5; i++) {
		ms = send_a_few(_metadata, a, b);
		with = ms < with ? ms : with;
		EXPECT_EQ(0, env_write(LINGER_US, "0"));
		ms = send_a_few(_metadata, a, b);
		without = ms < without ? ms : without;
		EXPECT_EQ(0, env_write(LINGER_US, "200"));
	}
	TH_LOG("500 times four frames: %llu ms, %llu without lingering",
	       (unsigned long long)with, (unsigned long long)without);
	EXPECT_LT(with, 2 * without + 5);
}

/* Whether the device asked for no kicks. */
static bool device_deaf(const struct guest_ring *r)
{
	return __atomic_load_n(&r->used->flags, __ATOMIC_RELAXED) & VRING_USED_F_NO_NOTIFY;
}

/* Kicks with nothing new, and new things without a kick, as nobody waits. */
TEST_F_TIMEOUT(path, spurious_kicks, TIMEOUT)
{
	struct guest *a = &self->g[0], *b = &self->g[1];
	int i, k;

	learn(_metadata, self);
	ASSERT_EQ(0, ctl_couple("lan0", IVSHM_COUPLING_STATIC, NULL, tap[0], tap[1], NULL));
	for (i = 0; i < 200; i++) {
		for (k = 0; k < 5; k++) {
			guest_kick(a, k & 1);
			guest_kick(b, k & 1);
		}
		ASSERT_EQ(0, guest_pass(a, b, 100 + i, i));
	}
	EXPECT_EQ(0, guest_silent(a, 20));
	EXPECT_EQ(0, guest_silent(b, 20));
}

/*
 * A frame from the tap waits for buffers. They come, and before the guest looks
 * whether to notify of them, a direct frame takes one: nobody wants to be notified
 * any more, and still the other frame is not forgotten.
 */
TEST(held_frame)
{
	struct guest_config ca = { .tap = "tap0", .bridge = "br0" };
	struct guest_config cb = {
		.tap = "tap1", .bridge = "br0", .features = F_MODERN | F_MRG, .num = { 16 },
	};
	const __u32 len = 2000;
	struct guest_ring *r;
	struct guest_frame f;
	struct ctl_options o = CTL_DEFAULTS;
	struct guest a, b;
	__u8 frame[200];
	int round, i;
	__u64 end;

	/* The pair is to stay as it is, whatever is heard of the bridge. */
	o.bypass = 1;
	ASSERT_EQ(0, env_setup());
	ASSERT_EQ(0, guest_up(&a, &ca));
	ASSERT_EQ(0, guest_up(&b, &cb));
	ASSERT_EQ(0, guest_pass(&b, &a, 100, 0));
	ASSERT_EQ(0, ctl_couple("lan0", IVSHM_COUPLING_DYNAMIC, &o, "tap0", "tap1", NULL));
	r = &b.ring[GUEST_RX];
	for (round = 0; round < 5; round++) {
		couple_pair(_metadata, &a, &b);
		/* No buffers are left. */
		b.keep_rx = true;
		for (i = 0; i < 16; i++)
			ASSERT_EQ(0, guest_pass(&a, &b, 100, i));
		frame_make(frame, sizeof(frame), b.mac, (__u8 *)"\x52\x54\0\0\0\1", 1, 1);
		ASSERT_EQ(0, env_inject("br0", frame, sizeof(frame)));
		end = now_ms() + 5000;
		while (device_deaf(r) && now_ms() < end)
			usleep(1000);
		ASSERT_EQ(0, r->used->flags & VRING_USED_F_NO_NOTIFY);
		usleep(10000);

		for (i = 0; i < 4; i++)
			ASSERT_LE(0, guest_rx_post(&b, &len, 1, GUEST_DIRECT));
		__atomic_store_n(&r->avail->idx, r->next_avail, __ATOMIC_SEQ_CST);
		r->told = r->next_avail;
		ASSERT_EQ(0, guest_pass(&a, &b, 100, 100));
		if (!device_deaf(r))
			guest_kick(&b, GUEST_RX);
		ASSERT_EQ(1, guest_recv(&b, &f, 5000));
		EXPECT_EQ(0, memcmp(frame, f.data, sizeof(frame)));
		b.keep_rx = false;
		guest_rx_fill(&b, 16, len);
	}
	EXPECT_EQ(0, a.faults + b.faults);
	guest_close(&a);
	guest_close(&b);
}

/* A guest without buffers for a moment loses nothing: what is for it waits. */
TEST(full_for_a_moment)
{
	const struct ctl_options options = { -1, -1, 1000000, -1 };
	struct guest_config ca = { .tap = "tap0" }, cb = { .tap = "tap1", .num = { 16 } };
	struct guest_frame f;
	struct guest a, b;
	__u8 frame[200];
	int i;

	ASSERT_EQ(0, env_setup());
	ASSERT_EQ(0, guest_up(&a, &ca));
	ASSERT_EQ(0, guest_up(&b, &cb));
	ASSERT_EQ(0, ctl_couple("lan0", IVSHM_COUPLING_STATIC, &options, "tap0", "tap1", NULL));
	b.keep_rx = true;
	for (i = 0; i < 16; i++) {
		ASSERT_EQ(0, guest_pass(&a, &b, 100, i));
	}
	for (i = 0; i < 4; i++) {
		frame_make(frame, sizeof(frame), b.mac, a.mac, 1, i);
		/* With its header in one piece, or not: by the short way and the other. */
		ASSERT_EQ(0, guest_send_pieces(&a, NULL, frame, sizeof(frame), &a.hdr_len,
					       i & 1, GUEST_DIRECT));
	}
	usleep(50000);
	b.keep_rx = false;
	guest_rx_fill(&b, 16, 2000);
	for (i = 0; i < 4; i++) {
		ASSERT_EQ(1, guest_recv(&b, &f, 5000));
		EXPECT_EQ(sizeof(frame), f.len);
	}
	EXPECT_EQ(0, ctl_stat("tap0", IVSHM_A_STAT_DROP_FULL));
	EXPECT_LE(1, ctl_stat("tap0", IVSHM_A_STAT_PARKED));
	EXPECT_EQ(0, a.faults + b.faults);
	guest_close(&a);
	guest_close(&b);
}

/* Nothing is taken or given before the start and after the stop. */
TEST_F_TIMEOUT(path, stopped, TIMEOUT)
{
	struct guest *a = &self->g[0], *b = &self->g[1];
	struct guest_frame f;
	__u8 frame[100];
	int i, round;

	learn(_metadata, self);
	for (round = 0; round < 20; round++) {
		if (round == 10) {
			ASSERT_EQ(0, ctl_couple("lan0", IVSHM_COUPLING_STATIC, NULL,
						tap[0], tap[1], NULL));
		}
		frame_make(frame, sizeof(frame), b->mac, a->mac, 6, round);
		/* Some on their way when it stops. */
		for (i = 0; i < 30; i++) {
			ASSERT_EQ(0, guest_send(a, NULL, frame, sizeof(frame)));
		}
		ASSERT_EQ(0, guest_stop(b));
		ASSERT_EQ(0, guest_tx_drain(a, 5000));
		{
			__u16 used = b->ring[GUEST_RX].used->idx;
			struct vhost_vring_state s = { .index = GUEST_RX };

			/* What was taken was given back. */
			ASSERT_EQ(0, ioctl(b->fd, VHOST_GET_VRING_BASE, &s));
			EXPECT_EQ(used, s.num);
			for (i = 0; i < 5; i++) {
				ASSERT_EQ(0, guest_send(a, NULL, frame, sizeof(frame)));
			}
			ASSERT_EQ(0, guest_tx_drain(a, 5000));
			guest_kick(b, GUEST_RX);
			guest_kick(b, GUEST_TX);
			usleep(5000);
			EXPECT_EQ(used, b->ring[GUEST_RX].used->idx);
		}
		/* The driver went: its buffers are somebody else's now. */
		for (i = 0; i < b->ring[GUEST_RX].nr_slots; i++)
			memset(b->ring[GUEST_RX].slots, 0x3c, 2304);
		guest_reset_rings(b);
		ASSERT_EQ(0, guest_start(b));
		guest_rx_fill(b, 256, 2000);
		/* Late frames of the tap's queue may come first. */
		while (guest_recv(b, &f, 30) == 1)
			;
		ASSERT_EQ(0, guest_pass(a, b, 200, round));
	}
}

TEST_HARNESS_MAIN
