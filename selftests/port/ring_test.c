// SPDX-License-Identifier: GPL-2.0
/*
 * Rings of all kinds: two guests with a crossover cable, whose drivers differ
 * in what they negotiated, in ring size, and in how they cut their buffers.
 */
#include <errno.h>
#include <sys/ioctl.h>

#include "kselftest_harness.h"
#include "env.h"
#include "guest.h"

#define TIMEOUT	120

static __u8 frame[GUEST_FRAME_MAX];
static struct guest_frame got;

static int cable(struct guest *a, struct guest *b, struct guest_config *ca,
		 struct guest_config *cb)
{
	int err;

	ca->tap = "tap0";
	cb->tap = "tap1";
	err = guest_open(a, ca) ?: guest_open(b, cb);
	err = err ?: guest_start(a) ?: guest_start(b);
	return err ?: ctl_couple("lan0", IVSHM_COUPLING_STATIC, NULL, "tap0", "tap1", NULL);
}

/* @n pieces or fewer of @total bytes, cut anywhere. */
static unsigned int cut(__u32 *piece, unsigned int n, __u32 total)
{
	unsigned int i = 0;

	while (i + 1 < n && total > 1) {
		piece[i] = 1 + rnd() % (rnd() & 1 ? 20 : total - 1);
		if (piece[i] >= total)
			break;
		total -= piece[i++];
	}
	piece[i++] = total;
	return i;
}

FIXTURE(ring) {
	struct guest a, b;
};

FIXTURE_VARIANT(ring) {
	__u64 fa, fb;
	__u16 base;
};

FIXTURE_VARIANT_ADD(ring, legacy)	{ 0, 0, 0 };
FIXTURE_VARIANT_ADD(ring, legacy_event)	{ F_EVENT, F_EVENT, 65500 };
FIXTURE_VARIANT_ADD(ring, legacy_mrg)	{ F_MRG, F_MRG, 65530 };
FIXTURE_VARIANT_ADD(ring, modern)	{ F_MODERN, F_MODERN, 0 };
FIXTURE_VARIANT_ADD(ring, modern_mrg)	{ F_MODERN | F_MRG | F_INDIRECT, F_MODERN | F_MRG, 65280 };
FIXTURE_VARIANT_ADD(ring, all)		{ F_DEFAULT, F_DEFAULT, 65490 };
FIXTURE_VARIANT_ADD(ring, old_to_new)	{ F_INDIRECT, F_DEFAULT, 65535 };
FIXTURE_VARIANT_ADD(ring, new_to_old)	{ F_DEFAULT, F_EVENT | F_INDIRECT, 1 };

#define SLOT	4096

FIXTURE_SETUP(ring)
{
	struct guest_config ca = {
		.features = variant->fa, .plain = !variant->fa, .base = variant->base,
		.slot = { SLOT, SLOT },
	};
	struct guest_config cb = {
		.features = variant->fb, .plain = !variant->fb, .base = variant->base,
		.slot = { SLOT, SLOT },
	};

	ASSERT_EQ(0, env_setup());
	ASSERT_EQ(0, cable(&self->a, &self->b, &ca, &cb));
}

FIXTURE_TEARDOWN(ring)
{
	EXPECT_EQ(0, guest_stop(&self->a));
	EXPECT_EQ(0, guest_stop(&self->b));
	EXPECT_EQ(0, ctl_stat("tap0", IVSHM_A_STAT_RING_ERRORS));
	EXPECT_EQ(0, ctl_stat("tap1", IVSHM_A_STAT_RING_ERRORS));
	EXPECT_EQ(0, self->a.faults);
	EXPECT_EQ(0, self->b.faults);
	guest_close(&self->a);
	guest_close(&self->b);
}

static unsigned int indirect(const struct guest *g)
{
	return g->c.features & F_INDIRECT && rnd() & 1 ? GUEST_TABLE : GUEST_DIRECT;
}

/* Receive buffers that hold @room bytes each, cut anywhere, all over the ring. */
static void fill(struct guest *g, __u32 room, unsigned int pieces)
{
	__u32 piece[32];
	unsigned int n;

	do {
		n = cut(piece, 1 + rnd() % pieces, room);
	} while (guest_rx_post(g, piece, n, indirect(g)) >= 0);
	guest_publish(g, GUEST_RX);
}

static void expect_frame(struct __test_metadata *_metadata, struct guest *b, __u32 len)
{
	ASSERT_EQ(1, guest_recv(b, &got, 5000))
		TH_LOG("a frame of %u bytes did not arrive", len);
	EXPECT_EQ(len, got.len);
	EXPECT_EQ(0, memcmp(frame, got.data, len))
		TH_LOG("a frame of %u bytes arrived wrong", len);
	EXPECT_EQ(0, got.hdr.hdr.gso_type);
	EXPECT_EQ(0, got.hdr.hdr.flags);
}

/* Every length, cut anywhere on both sides. */
TEST_F_TIMEOUT(ring, lengths, TIMEOUT)
{
	struct guest *a = &self->a, *b = &self->b;
	__u32 piece[32], len;
	unsigned int n;

	fill(b, 1600, 8);
	for (len = 14; len < 1514; len += len < 80 ? 1 : 1 + rnd() % 60) {
		frame_make(frame, len, b->mac, a->mac, 1, len);
		n = cut(piece, 1 + rnd() % 12, a->hdr_len + len);
		ASSERT_EQ(0, guest_send_pieces(a, NULL, frame, len, piece, n, indirect(a)));
		expect_frame(_metadata, b, len);
		EXPECT_EQ(1, got.bufs);
	}
	EXPECT_EQ(0, guest_tx_drain(a, 5000));
}

/* A cut before every byte of header and frame, and a piece of one byte there. */
TEST_F_TIMEOUT(ring, every_byte, TIMEOUT)
{
	struct guest *a = &self->a, *b = &self->b;
	__u32 piece[3], len = 60, at;
	unsigned int round;

	b->keep_rx = true;
	for (round = 0; round < 2; round++) {
		for (at = 1; at < a->hdr_len + len; at++) {
			frame_make(frame, len, b->mac, a->mac, 2, at);
			piece[0] = at;
			piece[1] = 1;
			piece[2] = 200;
			/*
			 * Merged buffers: the first has to hold the header
			 * (5.1.6.3.1). Others: the first has to hold it all.
			 */
			if (!round && at + 1 < b->hdr_len +
			    (b->c.features & F_MRG ? 0 : len))
				continue;
			ASSERT_LE(0, guest_rx_post(b, piece, 2 + round, indirect(b)));
			if (!round) {
				ASSERT_LE(0, guest_rx_post(b, piece + 2, 1, 0));
			}
			guest_publish(b, GUEST_RX);
			ASSERT_EQ(0, guest_send_pieces(a, NULL, frame, len, piece, 1 + round,
						       indirect(a)));
			expect_frame(_metadata, b, len);
			guest_tx_drain(a, 5000);
			if (got.bufs == 1 && !round) {
				guest_stop(b);
				guest_reset_rings(b);
				ASSERT_EQ(0, guest_start(b));
			}
		}
	}
}

/* Bursts around the end of the indices, by interrupts and by polling. */
TEST_F_TIMEOUT(ring, bursts, TIMEOUT)
{
	struct guest *a = &self->a, *b = &self->b;
	__u32 seq = 0, next = 0, len = 200, flow, num, piece = 12;
	unsigned int round, i, n;

	fill(b, 1000, 3);
	for (round = 0; round < 40; round++) {
		n = 1 + rnd() % 60;
		for (i = 0; i < n; i++) {
			frame_make(frame, len, b->mac, a->mac, 3, seq++);
			ASSERT_EQ(0, guest_send_pieces(a, NULL, frame, len, &piece, 1,
						       round & 1 ? GUEST_MORE : 0));
		}
		guest_publish(a, GUEST_TX);
		while (next < seq) {
			ASSERT_EQ(1, guest_recv(b, &got, 5000))
				TH_LOG("frame %u of %u", next, seq);
			ASSERT_EQ(0, frame_check(got.data, got.len, &flow, &num));
			ASSERT_EQ(next, num);
			next++;
		}
		if (round & 2) {
			ASSERT_EQ(0, guest_tx_drain(a, 5000));
		}
	}
	EXPECT_EQ(0, guest_tx_drain(a, 5000));
	EXPECT_EQ(seq, ctl_stat("tap0", IVSHM_A_STAT_TX_DIRECT_FRAMES));
	EXPECT_EQ(seq, ctl_stat("tap1", IVSHM_A_STAT_RX_DIRECT_FRAMES));
}

/* Merged buffers: as many as it takes, and their number is right. */
TEST_F_TIMEOUT(ring, merged, TIMEOUT)
{
	struct guest *a = &self->a, *b = &self->b;
	__u32 room = 100, len;

	if (!(variant->fb & F_MRG))
		SKIP(return, "buffers are not merged");
	fill(b, room, 3);
	for (len = 14; len < 3000; len += 37) {
		frame_make(frame, len, b->mac, a->mac, 4, len);
		ASSERT_EQ(0, guest_send(a, NULL, frame, len));
		expect_frame(_metadata, b, len);
		EXPECT_EQ((len + b->hdr_len + room - 1) / room, got.bufs);
	}
}

/* A whole batch of buffers taken, and then a frame that needs more than are left. */
TEST_F_TIMEOUT(ring, batch_then_more, TIMEOUT)
{
	struct guest *a = &self->a, *b = &self->b;
	__u32 room = 256, big = 3 * room, piece;
	unsigned int i, round;

	if (!(variant->fb & F_MRG))
		SKIP(return, "buffers are not merged");
	b->keep_rx = true;
	/* All memory that is used is known then: nothing takes a kernel buffer. */
	for (round = 0; round < 5; round++) {
		for (i = 0; i < 64; i++)
			ASSERT_LE(0, guest_rx_post(b, &room, 1, GUEST_DIRECT));
		guest_publish(b, GUEST_RX);
		for (i = 0; i < 64; i++) {
			frame_make(frame, 60, b->mac, a->mac, 5, i);
			ASSERT_EQ(0, guest_send(a, NULL, frame, 60));
			expect_frame(_metadata, b, 60);
		}
	}
	for (round = 1; round < 4; round++) {
		for (i = 0; i < (round == 1 ? 66 : 64); i++)
			ASSERT_LE(0, guest_rx_post(b, &room, 1, GUEST_DIRECT));
		guest_publish(b, GUEST_RX);
		for (i = 0; i <= 64; i++) {
			__u32 len = i < 64 ? 60 : big;

			frame_make(frame, len, b->mac, a->mac, 5, i);
			piece = a->hdr_len + len;
			ASSERT_EQ(0, guest_send_pieces(a, NULL, frame, len, &piece, 1,
						       i < 64 ? GUEST_MORE : 0));
		}
		for (i = 0; i < 64; i++) {
			frame_make(frame, 60, b->mac, a->mac, 5, i);
			expect_frame(_metadata, b, 60);
			EXPECT_EQ(1, got.bufs);
		}
		/* The last one waits, in vain, and takes nothing. */
		ASSERT_EQ(0, guest_tx_drain(a, 5000));
		EXPECT_EQ(0, guest_silent(b, 10));
		EXPECT_EQ(round, ctl_stat("tap0", IVSHM_A_STAT_DROP_FULL));
	}
	/* Two are left: with two more it fits. */
	for (i = 0; i < 2; i++)
		ASSERT_LE(0, guest_rx_post(b, &room, 1, GUEST_DIRECT));
	guest_publish(b, GUEST_RX);
	frame_make(frame, big, b->mac, a->mac, 5, i);
	ASSERT_EQ(0, guest_send(a, NULL, frame, big));
	expect_frame(_metadata, b, big);
	EXPECT_EQ(4, got.bufs);
}

/* From the smallest ring to the largest. */
TEST(ring_sizes)
{
	static const __u16 num[] = { 1, 2, 4, 16, 64, 1024, 32768 };
	unsigned int i, j, k;
	struct guest a, b;

	ASSERT_EQ(0, env_setup());
	for (i = 0; i < sizeof(num) / sizeof(*num); i++) {
		for (k = 0; k < 2; k++) {
			__u64 features = k ? F_DEFAULT : F_MODERN;
			struct guest_config c[2];

			for (j = 0; j < 2; j++) {
				c[j] = (struct guest_config){
					.features = features,
					.num = { num[i], num[i] },
					.slot = { 600, 600 },
					.nr_slots = { num[i] < 512 ? num[i] : 512,
						      num[i] < 512 ? num[i] : 512 },
				};
			}
			ASSERT_EQ(0, cable(&a, &b, &c[0], &c[1]));
			guest_rx_fill(&b, num[i], 500);
			for (j = 0; j < 150; j++) {
				__u32 all = 300 + a.hdr_len;

				frame_make(frame, 300, b.mac, a.mac, 1, j);
				ASSERT_EQ(0, guest_send_pieces(&a, NULL, frame, 300, &all, 1, 0))
					TH_LOG("ring of %u", num[i]);
				expect_frame(_metadata, &b, 300);
				ASSERT_EQ(0, guest_tx_drain(&a, 5000))
					TH_LOG("ring of %u", num[i]);
			}
			EXPECT_EQ(0, a.faults + b.faults)
				TH_LOG("ring of %u", num[i]);
			EXPECT_EQ(0, guest_stop(&a));
			EXPECT_EQ(0, guest_stop(&b));
			guest_close(&a);
			guest_close(&b);
			EXPECT_EQ(0, ctl_uncouple("lan0"));
		}
	}
}

/* Frames of up to 64 KiB of payload, in few pieces and in a thousand. */
static void big(struct __test_metadata *_metadata, __u64 fa, __u64 fb, __u32 room)
{
	struct guest_config ca = {
		.features = fa, .slot = { 2304, 90000 }, .nr_slots = { 256, 4 },
		.num = { 256, 1024 },
	};
	struct guest_config cb = {
		.features = fb, .slot = { room > 4096 ? 90000 : room + 64 },
		.nr_slots = { room > 4096 ? 8 : 256 }, .num = { 1024, 256 },
	};
	static const __u32 len[] = { 1514, 4096, 9014, 32768, 65000, 65535, 65549 };
	static __u32 piece[1024];
	unsigned int i, n, k;
	struct guest a, b;

	ASSERT_EQ(0, env_setup());
	ASSERT_EQ(0, cable(&a, &b, &ca, &cb));
	do {
		n = cut(piece, room > 4096 ? 10 : 1, room);
	} while (guest_rx_post(&b, piece, n, indirect(&b)) >= 0);
	guest_publish(&b, GUEST_RX);
	for (k = 0; k < 4; k++) {
		for (i = 0; i < sizeof(len) / sizeof(*len); i++) {
			static const unsigned int pieces[] = { 1, 18, 100, 900 };

			frame_make(frame, len[i], b.mac, a.mac, k, i);
			n = cut(piece, pieces[k], a.hdr_len + len[i]);
			ASSERT_EQ(0, guest_send_pieces(&a, NULL, frame, len[i], piece, n,
						       indirect(&a)));
			expect_frame(_metadata, &b, len[i]);
			ASSERT_EQ(0, guest_tx_drain(&a, 5000));
		}
	}
	EXPECT_EQ(0, ctl_stat("tap0", IVSHM_A_STAT_SKBS));
	EXPECT_EQ(0, a.faults + b.faults);
	guest_close(&a);
	guest_close(&b);
}

TEST(big_merged)
{
	big(_metadata, F_DEFAULT, F_DEFAULT, 1536);
}

TEST(big_merged_large)
{
	big(_metadata, F_DEFAULT, F_MODERN | F_MRG, 4096);
}

TEST(big_one_buffer)
{
	big(_metadata, F_DEFAULT, F_MODERN | F_INDIRECT, 65600);
}

/* No buffer of the receiver can hold it: dropped, and the next goes through. */
TEST(too_big)
{
	struct guest_config ca = {}, cb = { .features = F_MODERN };
	struct guest a, b;

	ASSERT_EQ(0, env_setup());
	ASSERT_EQ(0, cable(&a, &b, &ca, &cb));
	guest_rx_fill(&b, 64, 1000);
	frame_make(frame, 1400, b.mac, a.mac, 1, 1);
	ASSERT_EQ(0, guest_send(&a, NULL, frame, 1400));
	ASSERT_EQ(0, guest_pass(&a, &b, 900, 2));
	EXPECT_EQ(1, ctl_stat("tap0", IVSHM_A_STAT_DROP_TOO_BIG));
	EXPECT_EQ(0, a.faults + b.faults);
	guest_close(&a);
	guest_close(&b);
}

/* 64 heads in one batch, then one frame that needs more than what is left. */
TEST(batch_and_more)
{
	struct guest_config ca = { .slot = { 2304, 20000 }, .nr_slots = { 256, 128 } };
	struct guest_config cb = { .slot = { 256 } };
	struct ctl_options o = CTL_DEFAULTS;
	__u32 flow, seq, next, piece = 12;
	unsigned int i, round;
	struct guest a, b;

	ASSERT_EQ(0, env_setup());
	ASSERT_EQ(0, cable(&a, &b, &ca, &cb));
	ASSERT_EQ(0, ctl_uncouple("lan0"));
	o.park_us = 1000000;
	ASSERT_EQ(0, ctl_couple("lan0", IVSHM_COUPLING_STATIC, &o, "tap0", "tap1", NULL));
	b.keep_rx = true;
	for (round = 0; round < 10; round++) {
		/* 64 for the small ones, 10 of the 80 that the large one needs. */
		guest_rx_fill(&b, 74, 200);
		for (i = 0; i < 66; i++) {
			__u32 len = i == 64 ? 15900 : 100;

			frame_make(frame, len, b.mac, a.mac, round, i);
			ASSERT_EQ(0, guest_send_pieces(&a, NULL, frame, len, &piece, 1,
						       GUEST_MORE));
		}
		guest_publish(&a, GUEST_TX);
		for (next = 0; next < 64; next++) {
			ASSERT_EQ(1, guest_recv(&b, &got, 5000));
			ASSERT_EQ(0, frame_check(got.data, got.len, &flow, &seq));
			ASSERT_EQ(next, seq);
		}
		/* Half a frame is no frame. */
		EXPECT_EQ(0, guest_silent(&b, 20));
		guest_rx_fill(&b, 72, 200);
		for (; next < 66; next++) {
			ASSERT_EQ(1, guest_recv(&b, &got, 5000))
				TH_LOG("round %u, frame %u", round, next);
			ASSERT_EQ(0, frame_check(got.data, got.len, &flow, &seq));
			ASSERT_EQ(next, seq);
		}
		ASSERT_EQ(0, guest_tx_drain(&a, 5000));
		/* What is left is taken back, for the next round to begin alike. */
		EXPECT_EQ(0, guest_stop(&b));
		guest_reset_rings(&b);
		ASSERT_EQ(0, guest_start(&b));
	}
	EXPECT_EQ(0, a.faults + b.faults);
	guest_close(&a);
	guest_close(&b);
}

TEST_HARNESS_MAIN
