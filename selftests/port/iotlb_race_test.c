// SPDX-License-Identifier: GPL-2.0
/* Guests behind a vIOMMU: translations that come late, and go, under traffic. */
#include <errno.h>
#include <pthread.h>

#include "iotlb_fixture.h"

/* Frames of a flow that may be on their way: none of them is to be lost. */
#define WINDOW	64

static void flow_send(struct flow *f)
{
	while (f->sent - f->seen < WINDOW && !send_cut(f->from, f->to, LEN, f->sent, f->flags))
		f->sent++;
}

/* Late answers, and tables that are emptied all the time: nothing is lost for it. */
TEST_F_TIMEOUT(iotlb, late, TIMEOUT)
{
	struct flow f = { .from = &self->g[0], .to = &self->g[1] };
	struct guest_config c = { .num = { 128, 128 } };
	unsigned int n;
	__u64 before;

	up(_metadata, self, 0, c, true);
	up(_metadata, self, 1, c, true);
	couple(_metadata, self, false);
	before = ctl_stat(tap[1], IVSHM_A_STAT_RX_DIRECT_FRAMES);
	self->m[0].late_us = 1000;
	self->m[1].late_us = 2000;
	for (n = 0; f.sent < 4 * WINDOW && n < 1000; n++) {
		f.flags = n % 2 ? GUEST_TABLE : GUEST_DIRECT;
		flow_send(&f);
		if (n % 8 == 3)
			ASSERT_EQ(0, viommu_flush(&self->m[0]));
		if (n % 8 == 6)
			ASSERT_EQ(0, viommu_flush(&self->m[1]));
		flow_take(&f, 50);
	}
	flow_end(_metadata, &f);
	EXPECT_LT(WINDOW, f.sent);
	EXPECT_EQ(before + f.sent, ctl_stat(tap[1], IVSHM_A_STAT_RX_DIRECT_FRAMES));
	TH_LOG("%u frames, %u and %u misses", f.sent, self->m[0].misses, self->m[1].misses);
}

struct sender {
	struct flow f;
	bool stop;
};

static void *send_thread(void *arg)
{
	struct sender *s = arg;

	while (!__atomic_load_n(&s->stop, __ATOMIC_ACQUIRE)) {
		__u32 seen = __atomic_load_n(&s->f.seen, __ATOMIC_ACQUIRE);

		if (s->f.sent - seen < WINDOW &&
		    !send_cut(s->f.from, s->f.to, LEN, s->f.sent, GUEST_DIRECT))
			__atomic_store_n(&s->f.sent, s->f.sent + 1, __ATOMIC_RELEASE);
		else
			usleep(100);
	}
	return NULL;
}

/*
 * Receive buffers are taken away under traffic: from the moment that the message was
 * taken nothing is written to them, nor told of.
 */
TEST_F_TIMEOUT(iotlb, invalidated_rx, TIMEOUT)
{
	struct sender s = { .f = { .from = &self->g[0], .to = &self->g[1] } };
	unsigned int round, moved = 0, i;
	struct guest_config c = {};
	pthread_t thread;
	__u8 *rx, *was;
	__u32 seen;
	size_t len;
	__u16 used;

	for (i = 0; i < 2; i++)
		up(_metadata, self, i, c, i);
	couple(_metadata, self, false);
	rx = slots(&self->g[1], GUEST_RX, &len);
	was = malloc(len);
	ASSERT_EQ(0, pthread_create(&thread, NULL, send_thread, &s));
	for (round = 0; round < 60; round++) {
		seen = s.f.seen;
		flow_take(&s.f, 100);
		moved += s.f.seen != seen;
		if (round % 2)
			usleep(rnd() % 2000);
		EXPECT_EQ(0, viommu_set(&self->m[1], rx, len, 0));
		memcpy(was, rx, len);
		used = self->g[1].ring[GUEST_RX].used->idx;
		usleep(2000);
		EXPECT_EQ(0, memcmp(was, rx, len));
		EXPECT_EQ(used, self->g[1].ring[GUEST_RX].used->idx);
		EXPECT_EQ(0, viommu_set(&self->m[1], rx, len, RW));
		/* What was not answered meanwhile is asked for at the next reason. */
		EXPECT_EQ(0, viommu_map(&self->g[1], rx, len, RW));
	}
	__atomic_store_n(&s.stop, true, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
	flow_end(_metadata, &s.f);
	EXPECT_LT(30, moved);
	TH_LOG("%u frames in %u rounds, %u misses", s.f.sent, moved, self->m[1].misses);
	free(was);
}

struct receiver {
	struct flow *f;
	bool stop;
};

static void *receive_thread(void *arg)
{
	struct receiver *r = arg;

	while (!__atomic_load_n(&r->stop, __ATOMIC_ACQUIRE))
		flow_take(r->f, 10);
	return NULL;
}

/* Frames that are taken away while they are being sent: nothing of what is there then goes out. */
TEST_F_TIMEOUT(iotlb, invalidated_tx, TIMEOUT)
{
	struct flow f = { .from = &self->g[0], .to = &self->g[1] };
	struct receiver r = { .f = &f };
	struct guest_config c = {};
	unsigned int round, waited = 0, i;
	pthread_t thread;
	__u8 *tx, *was;
	size_t len;

	for (i = 0; i < 2; i++)
		up(_metadata, self, i, c, !i);
	couple(_metadata, self, false);
	tx = slots(&self->g[0], GUEST_TX, &len);
	was = malloc(len);
	ASSERT_EQ(0, pthread_create(&thread, NULL, receive_thread, &r));
	for (round = 0; round < 100; round++) {
		while (f.sent - __atomic_load_n(&f.seen, __ATOMIC_ACQUIRE) < WINDOW &&
		       !send_cut(f.from, f.to, LEN, f.sent, GUEST_MORE))
			f.sent++;
		guest_publish(f.from, GUEST_TX);
		if (round % 2)
			usleep(rnd() % 500);
		EXPECT_EQ(0, viommu_set(&self->m[0], tx, len, 0));
		memcpy(was, tx, len);
		memset(tx, 0xee, len);
		usleep(2000);
		waited += (__u16)(f.from->ring[GUEST_TX].used->idx -
				  f.from->ring[GUEST_TX].told) != 0;
		memcpy(tx, was, len);
		EXPECT_EQ(0, viommu_set(&self->m[0], tx, len, RW));
		EXPECT_EQ(0, viommu_map(&self->g[0], tx, len, RW));
	}
	__atomic_store_n(&r.stop, true, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
	flow_end(_metadata, &f);
	/* In some rounds at least there was something left to be sent. */
	EXPECT_LT(10, waited);
	TH_LOG("%u frames, %u rounds with some waiting", f.sent, waited);
	free(was);
}

/* The rings themselves are taken away and come back: each chain is completed once. */
TEST_F_TIMEOUT(iotlb, invalidated_rings, TIMEOUT)
{
	struct flow f = { .from = &self->g[0], .to = &self->g[1] };
	struct guest_config c = {};
	unsigned int round, i;

	for (i = 0; i < 2; i++)
		up(_metadata, self, i, c, true);
	couple(_metadata, self, false);
	for (round = 0; round < 60; round++) {
		struct guest_ring *r = &self->g[round / 2 % 2].ring[round % 2];
		struct viommu *m = &self->m[round / 2 % 2];
		__u16 used;

		flow_send(&f);
		EXPECT_EQ(0, viommu_set(m, r->used, 6 + 8 * r->num, 0));
		used = r->used->idx;
		usleep(2000);
		EXPECT_EQ(used, r->used->idx);
		EXPECT_EQ(0, viommu_set(m, r->used, 6 + 8 * r->num, RW));
		EXPECT_EQ(0, viommu_map(m->g, r->used, 6 + 8 * r->num, RW));
		flow_take(&f, 50);
	}
	flow_end(_metadata, &f);
	TH_LOG("%u frames", f.sent);
}

/* More pages than the table has places for, with those of the ring. */
TEST_F_TIMEOUT(iotlb, evicted, TIMEOUT)
{
	struct flow f = { .from = &self->g[0], .to = &self->g[1] };
	struct guest_config c = {
		.num = { 2048, 256 }, .slot = { 4096, 4096 },
	};
	unsigned int i;

	for (i = 0; i < 2; i++)
		up(_metadata, self, i, c, i);
	couple(_metadata, self, false);
	while (f.sent < 2600) {
		flow_send(&f);
		flow_take(&f, 50);
	}
	flow_end(_metadata, &f);
	EXPECT_EQ(0, self->m[1].unmapped);
	/* More than once round the ring: none of them is known any more then. */
	EXPECT_LT(2048 + 300, self->m[1].misses);
	TH_LOG("%u frames, %u misses", f.sent, self->m[1].misses);
}

/* Messages without end, of any kind, under traffic: the peer goes on. */
TEST_F_TIMEOUT(iotlb, noise, TIMEOUT)
{
	struct flow f = { .from = &self->g[0], .to = &self->g[2] };
	struct guest_config c = {};
	unsigned int n, i;

	for (i = 0; i < GUESTS; i++)
		up(_metadata, self, i, c, i == 1);
	couple(_metadata, self, true);
	viommu_close(&self->m[1]);
	for (n = 0; n < 150; n++) {
		__u64 iova = VIOMMU_IOVA + (rnd() % 600) * 4096ULL + rnd() % 3 * (rnd() % 4096);
		__u64 size = rnd() % 4 ? rnd() % 20000 : ~0ULL - rnd() % 8192;
		__u64 uaddr = (uintptr_t)self->g[1].mem + rnd() % (self->g[1].size - 0x10000);

		for (i = 0; i < 20; i++)
			viommu_message(self->g[1].fd, i % 2, rnd() % 8, iova + i * 4096, size,
				       uaddr, rnd() % 5);
		send_cut(&self->g[0], &self->g[1], LEN, n, GUEST_DIRECT);
		guest_publish(&self->g[1], GUEST_TX);
		guest_kick(&self->g[1], GUEST_TX);
		guest_kick(&self->g[1], GUEST_RX);
		flow_send(&f);
		flow_take(&f, 20);
	}
	flow_end(_metadata, &f);
	EXPECT_LT(300, f.sent);
	self->g[1].lax = true;
	self->g[1].faults = 0;
}

TEST_HARNESS_MAIN
