/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The fixture of the programs that test guests behind a vIOMMU.
 *
 *   guest 0 --- tap0 ---+
 *   guest 1 --- tap1 ---+--- lan0, static, or br0
 *   guest 2 --- tap2 ---+
 *
 * Misses are answered by a thread each, viommu.h; what a guest takes out of its page
 * table is not to be touched any more.
 */
#ifndef IOTLB_FIXTURE_H
#define IOTLB_FIXTURE_H

#include "kselftest_harness.h"
#include "env.h"
#include "guest.h"
#include "viommu.h"

#define TIMEOUT	200
#define NR(a)	(sizeof(a) / sizeof(*(a)))
#define GUESTS	3
#define RO	VHOST_ACCESS_RO
#define WO	VHOST_ACCESS_WO
#define RW	VHOST_ACCESS_RW
/* Room for all of a transmit ring. */
#define LEN	600

static const char * const tap[GUESTS] = { "tap0", "tap1", "tap2" };
static __u8 frame[GUEST_FRAME_MAX];
static struct guest_frame got;

FIXTURE(iotlb) {
	struct guest g[GUESTS];
	struct viommu m[GUESTS];
};

FIXTURE_SETUP(iotlb)
{
	int i;

	ASSERT_EQ(0, env_setup());
	for (i = 0; i < GUESTS; i++)
		self->g[i].fd = -1;
}

/* One more guest; with @iommu behind a vIOMMU. */
static void up(struct __test_metadata *_metadata, FIXTURE_DATA(iotlb) * self, int i,
	       struct guest_config c, bool iommu)
{
	struct guest *g = &self->g[i];

	c.tap = tap[i];
	c.bridge = "br0";
	c.iova = iommu ? VIOMMU_IOVA : 0;
	ASSERT_EQ(0, guest_open(g, &c));
	if (iommu)
		ASSERT_EQ(0, viommu_open(&self->m[i], g));
	ASSERT_EQ(0, guest_start(g));
	guest_rx_fill(g, g->ring[GUEST_RX].num, g->ring[GUEST_RX].slot_size - GUEST_GAP);
}

static void down(struct __test_metadata *_metadata, FIXTURE_DATA(iotlb) * self, int i)
{
	if (self->g[i].fd < 0)
		return;
	EXPECT_EQ(0, guest_stop(&self->g[i]));
	EXPECT_EQ(0, self->g[i].faults);
	viommu_close(&self->m[i]);
	guest_close(&self->g[i]);
	memset(&self->m[i], 0, sizeof(self->m[i]));
}

FIXTURE_TEARDOWN(iotlb)
{
	int i;

	for (i = 0; i < GUESTS; i++)
		down(_metadata, self, i);
}

/* What was on its way from one to the other has come, and was counted: nothing overtakes this. */
static void settle(struct __test_metadata *_metadata, struct guest *from, struct guest *to)
{
	static __u32 mark;
	__u32 flow, seq;

	frame_make(frame, 60, to->mac, from->mac, 7, ++mark);
	ASSERT_EQ(0, guest_send(from, NULL, frame, 60));
	do {
		ASSERT_EQ(1, guest_recv(to, &got, 10000));
		ASSERT_EQ(0, frame_check(got.data, got.len, &flow, &seq));
	} while (flow != 7 || seq != mark);
	ASSERT_EQ(0, guest_tx_drain(from, 5000));
}

/* A frame comes through: until the VMM has said where its rings are a guest has none. */
static void meet(struct __test_metadata *_metadata, struct guest *from, struct guest *to)
{
	__u64 end = now_ms() + 10000;

	frame_make(frame, 60, to->mac, from->mac, 8, 0);
	do {
		ASSERT_GT(end, now_ms());
		ASSERT_EQ(0, guest_send(from, NULL, frame, 60));
	} while (!guest_recv(to, &got, 100));
	settle(_metadata, from, to);
}

static void couple(struct __test_metadata *_metadata, FIXTURE_DATA(iotlb) * self, bool all)
{
	int i, n = all ? GUESTS : 2;

	ASSERT_EQ(0, ctl_couple("lan0", IVSHM_COUPLING_STATIC, NULL, tap[0], tap[1],
				all ? tap[2] : NULL, NULL));
	for (i = 0; i < n; i++)
		meet(_metadata, &self->g[i], &self->g[(i + 1) % n]);
	/* What was for all, before it was known who is where. */
	for (i = 0; i < n && all; i++)
		settle(_metadata, &self->g[i], &self->g[(i + 2) % n]);
}

/* All but the ring. */
static void *slots(const struct guest *g, int q, size_t *len)
{
	const struct guest_ring *r = &g->ring[q];

	*len = (size_t)r->nr_slots * r->slot_size;
	return r->slots;
}

/* A frame in pieces, in a table or not. */
static int send_cut(struct guest *g, const struct guest *to, __u32 len, __u32 seq,
		    unsigned int flags)
{
	const __u32 piece[] = { g->hdr_len, 20, 13, 400 };

	frame_make(frame, len, to->mac, g->mac, 9, seq);
	return guest_send_pieces(g, NULL, frame, len, piece, NR(piece), flags);
}

struct flow {
	struct guest *from, *to;
	__u32 sent, seen, bad;
	unsigned int flags;
};

/* What is there, in order. */
static void flow_take(struct flow *f, int ms)
{
	__u32 flow, seq;

	while (guest_recv(f->to, &got, ms) == 1) {
		if (frame_check(got.data, got.len, &flow, &seq) || got.len != LEN ||
		    seq != f->seen++)
			f->bad++;
		ms = 0;
	}
}

static void flow_end(struct __test_metadata *_metadata, struct flow *f)
{
	__u64 end = now_ms() + 20000;

	while (f->seen < f->sent && now_ms() < end)
		flow_take(f, 100);
	EXPECT_EQ(f->sent, f->seen)
		TH_LOG("dropped: full %llu, memory %llu, too big %llu, park limit %llu",
		       ctl_stat(f->from->c.tap, IVSHM_A_STAT_DROP_FULL),
		       ctl_stat(f->from->c.tap, IVSHM_A_STAT_DROP_MEMORY),
		       ctl_stat(f->to->c.tap, IVSHM_A_STAT_DROP_TOO_BIG),
		       ctl_stat(f->from->c.tap, IVSHM_A_STAT_DROP_PARK_LIMIT));
	EXPECT_EQ(0, f->bad);
	EXPECT_EQ(0, guest_tx_drain(f->from, 5000));
}

#endif /* IOTLB_FIXTURE_H */
