// SPDX-License-Identifier: GPL-2.0
/*
 * Frames that take the uplink: in runs of the same addresses and mixed ones, of all
 * lengths and in any number of pieces, alone and beside a coupling.
 *
 *   guest a, tap0 ---+ br0 +--- tap1, guest b
 *                    +--- tap2, guest c, coupled with a
 */
#include <linux/if_ether.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "kselftest_harness.h"
#include "env.h"
#include "guest.h"

#define TIMEOUT		120
#define GUESTS		3
#define BURST		64

static const char * const tap[GUESTS] = { "tap0", "tap1", "tap2" };
static __u8 frame[GUEST_FRAME_MAX];
static struct guest_frame got;

FIXTURE(uplink) {
	struct guest g[GUESTS];
	__u32 seq[GUESTS], seen[GUESTS];
};

/* Pages that are neighbours for the guest are not for the host. */
static void scatter(struct __test_metadata *_metadata, struct guest *g)
{
	size_t len, page = getpagesize(), i;
	__u8 *at = guest_slot_pages(g, GUEST_TX, &len);

	/* Where there are no huge pages it is refused, and not needed. */
	madvise(at, len, MADV_NOHUGEPAGE);
	ASSERT_EQ(0, madvise(at, len, MADV_DONTNEED));
	for (i = 0; i < len; i += 2 * page)
		at[i] = 0;
	for (i = page; i < len; i += 2 * page)
		at[i] = 0;
}

FIXTURE_SETUP(uplink)
{
	int i, j;

	ASSERT_EQ(0, env_setup());
	for (i = 0; i < GUESTS; i++) {
		struct guest_config c = {
			.tap = tap[i], .bridge = "br0", .num = { 512, 512 },
			.slot = { 2304, 9600 }, .nr_slots = { 512, 2 * BURST },
		};

		ASSERT_EQ(0, guest_up(&self->g[i], &c));
		ASSERT_EQ(0, env_mtu(tap[i], 9000));
		ASSERT_EQ(0, env_forwarding(tap[i]));
	}
	scatter(_metadata, &self->g[0]);
	/* The bridge learns where they are. */
	for (i = 0; i < GUESTS; i++) {
		frame_make(frame, 100, mac_broadcast, self->g[i].mac, 0, 0);
		ASSERT_EQ(0, guest_send(&self->g[i], NULL, frame, 100));
		for (j = 0; j < GUESTS; j++) {
			if (j != i) {
				ASSERT_EQ(1, guest_recv(&self->g[j], &got, 5000));
			}
		}
	}
}

FIXTURE_TEARDOWN(uplink)
{
	int i;

	for (i = 0; i < GUESTS; i++) {
		EXPECT_EQ(0, guest_stop(&self->g[i]));
		EXPECT_EQ(0, self->g[i].faults);
		guest_close(&self->g[i]);
	}
}

/*
 * A frame from a to guest @to, cut somewhere, not told yet.  A @short one has its Ethernet
 * header in the first of at most four pieces: what can go from the ring to the tap at once.
 */
static void put(struct __test_metadata *_metadata, FIXTURE_DATA(uplink) * self, int to, __u32 len,
		bool is_short)
{
	struct guest *a = &self->g[0];
	__u32 piece[5], n = rnd() % (is_short ? 4 : 6), i, left = a->hdr_len + len;
	__u32 least = is_short ? a->hdr_len + ETH_HLEN : 1;

	for (i = 0; i < n; i++, least = 1) {
		piece[i] = least + rnd() % (left / 4);
		left -= piece[i];
	}
	frame_make(frame, len, self->g[to].mac, a->mac, to, self->seq[to]++);
	ASSERT_EQ(0, guest_send_pieces(a, NULL, frame, len, piece, n,
				       GUEST_MORE | (rnd() & 1 ? GUEST_TABLE : GUEST_DIRECT)));
}

/* All that was sent comes to whom it is for, whole and in order. */
static void come(struct __test_metadata *_metadata, FIXTURE_DATA(uplink) * self)
{
	__u32 flow, seq;
	int i;

	guest_publish(&self->g[0], GUEST_TX);
	for (i = 1; i < GUESTS; i++) {
		while (self->seen[i] != self->seq[i]) {
			ASSERT_EQ(1, guest_recv(&self->g[i], &got, 5000));
			ASSERT_EQ(0, frame_check(got.data, got.len, &flow, &seq));
			ASSERT_EQ(i, flow);
			ASSERT_EQ(self->seen[i]++, seq);
		}
	}
	ASSERT_EQ(0, guest_tx_drain(&self->g[0], 5000));
}

static __u32 a_length(bool is_short)
{
	unsigned int kind = rnd() % 8;

	if (!kind)
		return 1514;
	return kind == 1 && !is_short ? 2000 + rnd() % 7000 : 60 + rnd() % 1454;
}

/* Rounds of short frames; of short frames with others in between; and of any. */
static void bursts(struct __test_metadata *_metadata, FIXTURE_DATA(uplink) * self, int whom)
{
	static const unsigned int others[] = { 0, 16, 1 };
	unsigned int round, i, run = 0, one_in;
	bool is_short;
	int to = 1;

	for (round = 0; round < 90; round++) {
		one_in = others[round % 3];
		for (i = 0; i < BURST; i++) {
			if (!run--) {
				run = rnd() % (round & 1 ? 2 : BURST);
				to = 1 + rnd() % whom;
			}
			is_short = !one_in || rnd() % one_in;
			put(_metadata, self, to, a_length(is_short), is_short);
		}
		come(_metadata, self);
	}
}

TEST_F_TIMEOUT(uplink, runs, TIMEOUT)
{
	__u64 sent = ctl_stat(tap[0], IVSHM_A_STAT_TX_UPLINK_FRAMES);
	__u32 seq = 0;
	int i;

	bursts(_metadata, self, GUESTS - 1);
	for (i = 1; i < GUESTS; i++)
		seq += self->seq[i];
	EXPECT_EQ(sent + seq, ctl_stat(tap[0], IVSHM_A_STAT_TX_UPLINK_FRAMES));
	EXPECT_EQ(0, ctl_stat(tap[0], IVSHM_A_STAT_TX_DIRECT_FRAMES));
}

/* Between those that go direct. */
TEST_F_TIMEOUT(uplink, beside_direct, TIMEOUT)
{
	__u64 sent, before;
	unsigned int i;

	ASSERT_EQ(0, ctl_couple("lan0", IVSHM_COUPLING_DYNAMIC, NULL, tap[0], tap[2], NULL));
	for (i = 0; i < 100; i++) {
		before = ctl_stat(tap[0], IVSHM_A_STAT_TX_DIRECT_FRAMES);
		put(_metadata, self, 2, 100, true);
		come(_metadata, self);
		if (ctl_stat(tap[0], IVSHM_A_STAT_TX_DIRECT_FRAMES) > before)
			break;
		usleep(20000);
	}
	ASSERT_GT(100, i);
	sent = ctl_stat(tap[0], IVSHM_A_STAT_TX_UPLINK_FRAMES);
	bursts(_metadata, self, GUESTS - 1);
	EXPECT_LE(sent + self->seq[1], ctl_stat(tap[0], IVSHM_A_STAT_TX_UPLINK_FRAMES));
	EXPECT_LT(self->seq[2] / 2, ctl_stat(tap[0], IVSHM_A_STAT_TX_DIRECT_FRAMES));
}

/* A guest puts a frame into its ring, and does not notify. */
static void put_quietly(struct __test_metadata *_metadata, struct guest *g)
{
	struct guest_ring *r = &g->ring[GUEST_TX];
	const __u32 piece = g->hdr_len;

	frame_make(frame, 100, mac_broadcast, g->mac, 9, 0);
	ASSERT_EQ(0, guest_send_pieces(g, NULL, frame, 100, &piece, 1, GUEST_MORE));
	__atomic_store_n(&r->avail->idx, r->next_avail, __ATOMIC_SEQ_CST);
	r->told = r->next_avail;
}

/* Busy polling: after frames of the tap, and after those of the guest. */
TEST_F_TIMEOUT(uplink, polled, TIMEOUT)
{
	struct guest *a = &self->g[0], *b = &self->g[1];
	unsigned int i, q, found[2][GUEST_QUEUES] = {};
	struct vhost_vring_state s;

	for (i = 0; i < 2 * GUEST_QUEUES * 10; i++) {
		bool polls = i & 1;

		q = i / 2 % GUEST_QUEUES;
		s = (struct vhost_vring_state){ .index = q, .num = polls ? 50000 : 0 };
		ASSERT_EQ(0, ioctl(b->fd, VHOST_SET_VRING_BUSYLOOP_TIMEOUT, &s));
		/* The worker has something to do, and then has not. */
		ASSERT_EQ(0, guest_pass(q == GUEST_RX ? a : b, q == GUEST_RX ? b : a, 100, i));
		usleep(2000);
		put_quietly(_metadata, b);
		if (guest_recv(a, &got, 20) == 1) {
			found[polls][q]++;
		} else {
			guest_kick(b, GUEST_TX);
			ASSERT_EQ(1, guest_recv(a, &got, 5000));
		}
		while (guest_recv(&self->g[2], &got, 0) == 1)
			;
		s.num = 0;
		ASSERT_EQ(0, ioctl(b->fd, VHOST_SET_VRING_BUSYLOOP_TIMEOUT, &s));
		/* It is done with that, too. */
		usleep(60000);
	}
	TH_LOG("found without a notification: %u and %u of 10", found[1][GUEST_RX],
	       found[1][GUEST_TX]);
	for (q = 0; q < GUEST_QUEUES; q++) {
		EXPECT_LT(0, found[1][q]);
		EXPECT_EQ(0, found[0][q]);
	}
}

TEST_HARNESS_MAIN
