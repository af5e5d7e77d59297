// SPDX-License-Identifier: GPL-2.0
/*
 * What a guest may do to its rings, and what that must not do to others.
 *
 *   attacker --- lan0, static --- peer
 *   bystander -- lan1, static --- bystander
 */
#include <errno.h>
#include <linux/if_ether.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>

#include "kselftest_harness.h"
#include "env.h"
#include "guest.h"

#define TIMEOUT	180
#define HOLE	0x7000000000ULL	/* no guest memory there */

static __u8 frame[GUEST_FRAME_MAX];
static struct guest_frame got;

FIXTURE(hostile) {
	struct guest a, peer, b[2];
	struct nl_sock *events;
};

static int one(struct guest *g, const char *tap)
{
	struct guest_config c = { .tap = tap, .slot = { 2304, 2304 } };

	/* Room for tables of descriptors. */
	c.mem = 8 << 20;
	return guest_up(g, &c);
}

FIXTURE_SETUP(hostile)
{
	ASSERT_EQ(0, env_setup());
	ASSERT_EQ(0, one(&self->a, "tap0"));
	ASSERT_EQ(0, one(&self->peer, "tap1"));
	ASSERT_EQ(0, one(&self->b[0], "tap2"));
	ASSERT_EQ(0, one(&self->b[1], "tap3"));
	ASSERT_EQ(0, ctl_couple("lan0", IVSHM_COUPLING_STATIC, NULL, "tap0", "tap1", NULL));
	ASSERT_EQ(0, ctl_couple("lan1", IVSHM_COUPLING_STATIC, NULL, "tap2", "tap3", NULL));
	ASSERT_EQ(0, guest_pass(&self->a, &self->peer, 100, 0));
	self->events = ctl_listen();
	ASSERT_NE(NULL, self->events);
}

/* 0 if they have not noticed anything. */
static int bystanders(FIXTURE_DATA(hostile) * self)
{
	int i, err = 0;

	for (i = 0; i < 5 && !err; i++)
		err = guest_pass(&self->b[0], &self->b[1], 200, i) ?:
		      guest_pass(&self->b[1], &self->b[0], 200, i);
	return err;
}

FIXTURE_TEARDOWN(hostile)
{
	EXPECT_EQ(0, bystanders(self));
	EXPECT_EQ(0, guest_stop(&self->a));
	EXPECT_EQ(0, guest_stop(&self->peer));
	EXPECT_EQ(0, guest_stop(&self->b[0]));
	EXPECT_EQ(0, guest_stop(&self->b[1]));
	EXPECT_EQ(0, self->peer.faults);
	EXPECT_EQ(0, self->b[0].faults);
	EXPECT_EQ(0, self->b[1].faults);
	guest_close(&self->a);
	guest_close(&self->peer);
	guest_close(&self->b[0]);
	guest_close(&self->b[1]);
}

static void desc(struct guest *g, int q, __u16 i, __u64 gpa, __u32 len,
		 __u16 flags, __u16 next)
{
	g->ring[q].desc[i] = (struct vring_desc){ gpa, len, flags, next };
}

/* Start the attacker anew: whatever it did, a reset of its device is a cure. */
static void renew(struct __test_metadata *_metadata, FIXTURE_DATA(hostile) * self)
{
	static __u32 seq;

	ASSERT_EQ(0, guest_stop(&self->a));
	guest_reset_rings(&self->a);
	ASSERT_EQ(0, guest_start(&self->a));
	guest_error(&self->a, GUEST_TX);
	guest_error(&self->a, GUEST_RX);
	guest_rx_fill(&self->a, 256, 2000);
	ASSERT_EQ(0, guest_pass(&self->a, &self->peer, 64 + seq % 1000, seq));
	ASSERT_EQ(0, guest_pass(&self->peer, &self->a, 64 + seq % 1000, seq));
	seq++;
}

enum { BROKEN, DROPPED };

/*
 * The attacker's chain at @head is there: does its ring break, with the error
 * eventfd signalled and counted, or is the chain completed and the frame dropped?
 */
static void outcome(struct __test_metadata *_metadata, FIXTURE_DATA(hostile) * self,
		    int q, int want, const char *what)
{
	struct guest *a = &self->a;
	__u64 end = now_ms() + 10000;
	bool error = false, used = false;
	__u16 before = a->ring[q].used->idx;
	struct ctl_port old, new;
	unsigned int i;

	ASSERT_EQ(0, ctl_port("tap0", &old));
	guest_publish(a, q);
	guest_kick(a, q);
	if (q == GUEST_RX) {
		frame_make(frame, 60, a->mac, self->peer.mac, 1, 1);
		ASSERT_EQ(0, guest_send(&self->peer, NULL, frame, 60));
	}
	while (!error && !used && now_ms() < end) {
		usleep(500);
		error = guest_error(a, q);
		used = __atomic_load_n(&a->ring[q].used->idx, __ATOMIC_RELAXED) != before;
	}
	ASSERT_EQ(0, ctl_port("tap0", &new));
#define CHANGE(which) (new.stat[IVSHM_A_STAT_##which] - old.stat[IVSHM_A_STAT_##which])
	EXPECT_EQ(want == BROKEN, error);
	EXPECT_EQ(want == DROPPED, used);
	EXPECT_EQ(want == BROKEN, CHANGE(RING_ERRORS));
	if (want == BROKEN) {
		EXPECT_EQ(0, ctl_heard(self->events, "tap0", IVSHM_PORT_BROKEN,
				       IVSHM_REASON_RING, 5000));
	}
	if (want == DROPPED) {
		EXPECT_EQ(1, CHANGE(DROP_MALFORMED));
	}
	if (!_metadata->passed) {
		TH_LOG("%s", what);
		for (i = 0; i <= IVSHM_A_STAT_MAX; i++)
			if (new.stat[i] != old.stat[i])
				TH_LOG("counter %u + %llu", i,
				       (unsigned long long)(new.stat[i] - old.stat[i]));
		ASSERT_TRUE(false);
	}
	EXPECT_EQ(0, guest_tx_drain(&self->peer, 5000));
	EXPECT_EQ(0, guest_silent(&self->peer, 1));
	renew(_metadata, self);
}

TEST_F_TIMEOUT(hostile, zero_length, TIMEOUT)
{
	static const unsigned int entries[] = { 1, 2, 255, 256, 257, 4096, 65535, 65536 };
	struct guest *a = &self->a;
	unsigned int i, k, n;

	renew(_metadata, self);
	for (n = 1; n <= 256; n *= 4) {
		for (i = 0; i < n; i++)
			desc(a, GUEST_TX, i, GUEST_GPA, 0,
			     i + 1 < n ? VRING_DESC_F_NEXT : 0, i + 1);
		guest_post_raw(a, GUEST_TX, 0);
		outcome(_metadata, self, GUEST_TX, DROPPED, "empty descriptors");
	}
	for (k = 0; k < sizeof(entries) / sizeof(*entries); k++) {
		size_t before = a->used;
		struct vring_desc *table;

		n = entries[k];
		table = guest_alloc(a, n * sizeof(*table), 16);
		for (i = 0; i < n; i++)
			table[i] = (struct vring_desc){
				HOLE, 0, i + 1 < n ? VRING_DESC_F_NEXT : 0, i + 1,
			};
		desc(a, GUEST_TX, 0, guest_gpa(a, table), n * sizeof(*table),
		     VRING_DESC_F_INDIRECT, 0);
		guest_post_raw(a, GUEST_TX, 0);
		outcome(_metadata, self, GUEST_TX, DROPPED, "table of empty descriptors");
		a->used = before;
	}
}

TEST_F_TIMEOUT(hostile, loops, TIMEOUT)
{
	static const unsigned int len[] = { 1, 2, 3, 17, 256 };
	struct guest *a = &self->a;
	unsigned int i, n, k, q;

	renew(_metadata, self);
	for (q = 0; q < GUEST_QUEUES; q++) {
		for (k = 0; k < sizeof(len) / sizeof(*len); k++) {
			__u16 flags = VRING_DESC_F_NEXT | (q == GUEST_RX ? VRING_DESC_F_WRITE : 0);
			struct vring_desc *table;

			n = len[k];
			if (q == GUEST_RX) {
				/* Alone in the ring. */
				guest_stop(a);
				guest_reset_rings(a);
				ASSERT_EQ(0, guest_start(a));
			}
			for (i = 0; i < n; i++)
				desc(a, q, i, GUEST_GPA, k & 1, flags, (i + 1) % n);
			guest_post_raw(a, q, 0);
			outcome(_metadata, self, q, BROKEN, "loop");

			if (q == GUEST_RX)
				continue;
			table = guest_alloc(a, n * sizeof(*table), 16);
			for (i = 0; i < n; i++)
				table[i] = (struct vring_desc){ GUEST_GPA, k & 1, flags,
								(i + 1) % n };
			desc(a, q, 0, guest_gpa(a, table), n * sizeof(*table),
			     VRING_DESC_F_INDIRECT, 0);
			guest_post_raw(a, q, 0);
			outcome(_metadata, self, q, BROKEN, "loop in a table");
		}
	}
}

TEST_F_TIMEOUT(hostile, descriptors, TIMEOUT)
{
	struct guest *a = &self->a;
	__u64 end = GUEST_GPA + a->size;
	struct vring_desc *table = guest_alloc(a, 4096, 16);
	__u64 at = guest_gpa(a, table);
	const struct {
		const char *what;
		struct vring_desc d;
		int want;
	} bad[] = {
		{ "memory that is not there", { HOLE, 100, 0, 0 }, BROKEN },
		{ "address 0", { 0, 100, 0, 0 }, BROKEN },
		{ "wrapping", { 0xffffffffffffffc0ULL, 100, 0, 0 }, BROKEN },
		{ "beyond the end", { end - 50, 100, 0, 0 }, BROKEN },
		{ "4 GiB", { GUEST_GPA, 0xffffffff, 0, 0 }, DROPPED },
		{ "writable", { GUEST_GPA, 100, VRING_DESC_F_WRITE, 0 }, BROKEN },
		{ "next beyond the ring", { GUEST_GPA, 100, VRING_DESC_F_NEXT, 256 }, BROKEN },
		{ "next 65535", { GUEST_GPA, 100, VRING_DESC_F_NEXT, 65535 }, BROKEN },
		{ "empty table", { at, 0, VRING_DESC_F_INDIRECT, 0 }, BROKEN },
		{ "odd table", { at, 17, VRING_DESC_F_INDIRECT, 0 }, BROKEN },
		{ "short table", { at, 15, VRING_DESC_F_INDIRECT, 0 }, BROKEN },
		{ "huge table", { at, 0xfffffff0, VRING_DESC_F_INDIRECT, 0 }, BROKEN },
		{ "table of 65537", { at, 65537 * 16, VRING_DESC_F_INDIRECT, 0 }, BROKEN },
		{ "table in a hole", { HOLE, 32, VRING_DESC_F_INDIRECT, 0 }, BROKEN },
		{ "wrapping table", { 0xfffffffffffffff0ULL, 32, VRING_DESC_F_INDIRECT, 0 },
		  BROKEN },
		{ "table with next", { at, 32, VRING_DESC_F_INDIRECT | VRING_DESC_F_NEXT, 1 },
		  BROKEN },
		{ "table in a table", { at, 64, VRING_DESC_F_INDIRECT, 0 }, BROKEN },
	};
	unsigned int i;

	/* Zero is a good header. */
	memset(a->mem + a->size - 64, 0, 64);
	memset(table, 0, 4096);
	table[0] = (struct vring_desc){ at, 32, VRING_DESC_F_INDIRECT, 0 };
	table[1] = (struct vring_desc){ at, 32, VRING_DESC_F_INDIRECT, 0 };
	renew(_metadata, self);
	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		a->ring[GUEST_TX].desc[0] = bad[i].d;
		guest_post_raw(a, GUEST_TX, 0);
		outcome(_metadata, self, GUEST_TX, bad[i].want, bad[i].what);
	}
	for (i = 256; i < 65536; i += 8160) {
		guest_post_raw(a, GUEST_TX, i);
		outcome(_metadata, self, GUEST_TX, BROKEN, "head beyond the ring");
	}
	/* The same, behind pieces that are fine. */
	for (i = 0; i < 4; i++) {
		desc(a, GUEST_TX, 0, at + 2048, 70, VRING_DESC_F_NEXT, 1);
		a->ring[GUEST_TX].desc[1] = bad[i].d;
		guest_post_raw(a, GUEST_TX, 0);
		outcome(_metadata, self, GUEST_TX, BROKEN, bad[i].what);
	}
}

/* A VMM may give the ring an address anew without stopping it: that repairs it. */
TEST_F_TIMEOUT(hostile, repaired, TIMEOUT)
{
	struct guest *a = &self->a;
	struct guest_ring *r = &a->ring[GUEST_TX];
	struct vhost_vring_addr addr = {
		.index = GUEST_TX,
		.desc_user_addr = (uintptr_t)r->desc,
		.avail_user_addr = (uintptr_t)r->avail,
		.used_user_addr = (uintptr_t)r->used,
	};
	struct ctl_port port;

	renew(_metadata, self);
	desc(a, GUEST_TX, 0, HOLE, 100, 0, 0);
	guest_post_raw(a, GUEST_TX, 0);
	guest_publish(a, GUEST_TX);
	guest_kick(a, GUEST_TX);
	ASSERT_EQ(0, ctl_heard(self->events, "tap0", IVSHM_PORT_BROKEN,
			       IVSHM_REASON_RING, 5000));
	/* A frame that is dropped, but no mistake. */
	desc(a, GUEST_TX, 0, GUEST_GPA, 5, 0, 0);
	ASSERT_EQ(0, ioctl(a->fd, VHOST_SET_VRING_ADDR, &addr));
	ASSERT_EQ(0, ctl_heard(self->events, "tap0", IVSHM_PORT_RUNNING,
			       IVSHM_REASON_NONE, 5000));
	ASSERT_EQ(0, ctl_port("tap0", &port));
	EXPECT_EQ(IVSHM_PORT_RUNNING, port.state);
	renew(_metadata, self);
}

TEST_F_TIMEOUT(hostile, receive_buffers, TIMEOUT)
{
	struct guest *a = &self->a;
	__u64 end = GUEST_GPA + a->size;
	const struct {
		const char *what;
		struct vring_desc d;
	} bad[] = {
		{ "memory that is not there", { HOLE, 2000, VRING_DESC_F_WRITE, 0 } },
		{ "wrapping", { 0xffffffffffffffc0ULL, 2000, VRING_DESC_F_WRITE, 0 } },
		{ "beyond the end", { end - 16, 2000, VRING_DESC_F_WRITE, 0 } },
		{ "readable", { GUEST_GPA, 2000, 0, 0 } },
		{ "next beyond the ring", { GUEST_GPA, 0, VRING_DESC_F_NEXT, 999 } },
		{ "table in a hole", { HOLE, 32, VRING_DESC_F_INDIRECT, 0 } },
	};
	unsigned int i;

	renew(_metadata, self);
	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		guest_stop(a);
		guest_reset_rings(a);
		ASSERT_EQ(0, guest_start(a));
		a->ring[GUEST_RX].desc[0] = bad[i].d;
		guest_post_raw(a, GUEST_RX, 0);
		outcome(_metadata, self, GUEST_RX, BROKEN, bad[i].what);
	}
}

TEST_F_TIMEOUT(hostile, index_jumps, TIMEOUT)
{
	struct guest *a = &self->a;
	__u64 end;
	int q, jump;

	renew(_metadata, self);
	for (q = 0; q < GUEST_QUEUES; q++) {
		for (jump = -300; jump <= 600; jump += 300) {
			struct guest_ring *r = &a->ring[q];

			if (!jump)
				continue;
			guest_stop(a);
			guest_reset_rings(a);
			ASSERT_EQ(0, guest_start(a));
			r->next_avail = jump == -300 ? r->told - 1 : r->told + r->num + jump - 299;
			outcome(_metadata, self, q, BROKEN, "index");
		}
	}
	/* At random, as fast as we can, with the peer sending all the while. */
	for (q = 0; q < GUEST_QUEUES; q++) {
		end = now_ms() + 1000;
		while (now_ms() < end) {
			__atomic_store_n(&a->ring[q].avail->idx, rnd(), __ATOMIC_SEQ_CST);
			guest_kick(a, q);
			frame_make(frame, 60, a->mac, self->peer.mac, 1, 1);
			guest_send(&self->peer, NULL, frame, 60);
		}
		EXPECT_EQ(0, guest_tx_drain(&self->peer, 5000));
		while (guest_recv(&self->peer, &got, 50) == 1)
			;
		EXPECT_EQ(0, bystanders(self));
		renew(_metadata, self);
	}
}

/* From nothing at all to a small frame, cut at each byte. */
TEST_F_TIMEOUT(hostile, short_frames, TIMEOUT)
{
	struct guest *a = &self->a, *p = &self->peer;
	unsigned int len, at;
	__u64 dropped;

	renew(_metadata, self);
	for (len = 1; len <= 64; len++) {
		for (at = 1; at <= len; at += 1 + rnd() % 5) {
			struct guest_seg seg[2];
			__u32 piece[2] = { at, len - at };
			int slot = guest_slot(a, GUEST_TX), head;
			__u32 body = len > a->hdr_len ? len - a->hdr_len : 0;

			ASSERT_LE(0, slot);
			dropped = ctl_stat("tap0", IVSHM_A_STAT_DROP_MALFORMED);
			guest_pieces(a, GUEST_TX, slot, piece, 2, seg);
			memset(seg[0].addr, 0, at);
			memset(seg[1].addr, 0, len - at);
			head = guest_post(a, GUEST_TX, seg, 2, 0, 0);
			ASSERT_LE(0, head);
			a->ring[GUEST_TX].chain[head].slot = slot;
			guest_publish(a, GUEST_TX);
			ASSERT_EQ(0, guest_tx_drain(a, 5000))
				TH_LOG("%u bytes, cut at %u", len, at);
			if (body < ETH_HLEN) {
				EXPECT_EQ(dropped + 1,
					  ctl_stat("tap0", IVSHM_A_STAT_DROP_MALFORMED))
					TH_LOG("%u bytes", len);
				continue;
			}
			/* Zero addresses: no test frame, but one that arrives. */
			ASSERT_TRUE(guest_wait(p, GUEST_RX, 5000));
			guest_recv(p, &got, 0);
			EXPECT_EQ(body, got.len);
		}
	}
	EXPECT_EQ(0, a->faults);
}

/* Headers of any content: what arrives is consistent, or nothing arrives. */
TEST_F_TIMEOUT(hostile, vnet_headers, TIMEOUT)
{
	static const __u8 types[] = { 0, 0, 1, 4, 1, 0x81, 3, 0xff };
	struct guest *a = &self->a, *p = &self->peer;
	unsigned int i, arrived = 0;

	renew(_metadata, self);
	for (i = 0; i < 1500; i++) {
		struct virtio_net_hdr_mrg_rxbuf h = {};
		__u8 *raw = (__u8 *)&h;
		__u32 len = 14 + rnd() % 1400, j;
		__u16 type = rnd() & 1 ? 0x0008 : rnd() & 1 ? 0xdd86 : 0x0081;

		frame_make(frame, len, p->mac, a->mac, 9, i);
		memcpy(frame + 12, &type, 2);
		if (rnd() & 1 && len > 46)
			frame[46] = 0x50;
		if (rnd() & 1 && len > 34)
			frame[14] = type == 0x0008 ? 0x45 : 0x60;
		h.hdr.flags = rnd() & 7;
		h.hdr.gso_type = types[rnd() & 7];
		h.hdr.csum_start = rnd() & 3 ? 34 : rnd();
		h.hdr.csum_offset = rnd() & 3 ? 16 : rnd();
		h.hdr.gso_size = rnd() & 3 ? rnd() % 2000 : rnd() & 1 ? 0 : rnd();
		h.hdr.hdr_len = rnd();
		/* Nearly UDP that can be fragmented. */
		if (h.hdr.gso_type == VIRTIO_NET_HDR_GSO_UDP && rnd() & 3) {
			h.hdr.flags |= VIRTIO_NET_HDR_F_NEEDS_CSUM;
			h.hdr.csum_offset = 6;
			h.hdr.gso_size &= ~7;
			if (len > 23)
				frame[type == 0x0008 ? 23 : 20] = IPPROTO_UDP;
		}
		if (!(rnd() & 7))
			for (j = 0; j < sizeof(h); j++)
				raw[j] = rnd();
		ASSERT_EQ(0, guest_send(a, &h, frame, len));
		ASSERT_EQ(0, guest_tx_drain(a, 5000));
		while (guest_pending(p, GUEST_RX)) {
			struct virtio_net_hdr *v = &got.hdr.hdr;

			if (guest_recv(p, &got, 0) != 1)
				break;
			arrived++;
			EXPECT_EQ(0, v->flags & ~VIRTIO_NET_HDR_F_NEEDS_CSUM);
			if (v->flags) {
				EXPECT_LE(v->csum_start + v->csum_offset + 2, got.len);
			}
			if (v->gso_type) {
				EXPECT_NE(0, v->gso_size);
				EXPECT_NE(0, v->flags);
				EXPECT_LE(v->hdr_len, got.len);
			}
		}
	}
	TH_LOG("%u of %u arrived", arrived, i);
	EXPECT_LT(100, arrived);
	EXPECT_EQ(0, ctl_stat("tap0", IVSHM_A_STAT_RING_ERRORS));
}

/* Rounds of the bystanders in @ms. */
static unsigned int rate(struct __test_metadata *_metadata, FIXTURE_DATA(hostile) * self, int ms)
{
	__u64 end = now_ms() + ms;
	unsigned int n = 0;

	while (now_ms() < end) {
		ASSERT_EQ(0, guest_pass(&self->b[0], &self->b[1], 200, n));
		ASSERT_EQ(0, guest_pass(&self->b[1], &self->b[0], 200, n));
		n++;
	}
	return n;
}

/*
 * A pair of a process of its own floods; its receiver's buffers are of one byte,
 * or there are none at all.
 */
static pid_t flood(int rx_len, bool take)
{
	struct guest_config ca = { .tap = "tap4" };
	struct guest_config cb = { .tap = "tap5", .num = { 1024 }, .nr_slots = { 1024 } };
	pid_t pid = fork();
	struct guest a, b;
	__u32 len;
	int head;

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (guest_up(&a, &ca) || guest_open(&b, &cb) || guest_start(&b) ||
	    ctl_couple("lan2", IVSHM_COUPLING_STATIC, NULL, "tap4", "tap5", NULL))
		_exit(1);
	if (rx_len)
		guest_rx_fill(&b, 1024, rx_len);
	frame_make(frame, 200, b.mac, a.mac, 1, 1);
	for (;;) {
		while (!guest_send(&a, NULL, frame, 200))
			;
		while (take && (head = guest_reap(&b, GUEST_RX, &len)) >= 0) {
			struct guest_seg seg = b.ring[GUEST_RX].chain[head].seg[0];

			guest_post(&b, GUEST_RX, &seg, 0, 1, 0);
		}
		guest_publish(&b, GUEST_RX);
		/* The worker is to be busy, not this process. */
		usleep(1000);
	}
}

/* One measurement: do the bystanders keep so much of their speed? */
static bool flooded_once(struct __test_metadata *_metadata, FIXTURE_DATA(hostile) * self,
			 int rx_len, bool take, unsigned int percent)
{
	unsigned int before, during, after;
	struct ctl_port port;
	int status;
	pid_t pid;

	rate(_metadata, self, 500);
	before = rate(_metadata, self, 2000);
	pid = flood(rx_len, take);
	usleep(500000);
	during = rate(_metadata, self, 2000);
	EXPECT_EQ(0, ctl_port("tap4", &port));
	EXPECT_EQ(IVSHM_PORT_RUNNING, port.state);
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	EXPECT_TRUE(WIFSIGNALED(status));
	after = rate(_metadata, self, 1000) * 2;
	TH_LOG("rounds before %u, during %u, after %u", before, during, after);
	TH_LOG("flood: direct %llu, full %llu, park limit %llu, too big %llu",
	       (unsigned long long)port.stat[IVSHM_A_STAT_TX_DIRECT_FRAMES],
	       (unsigned long long)port.stat[IVSHM_A_STAT_DROP_FULL],
	       (unsigned long long)port.stat[IVSHM_A_STAT_DROP_PARK_LIMIT],
	       (unsigned long long)port.stat[IVSHM_A_STAT_DROP_TOO_BIG]);
	if (before > after)
		before = after;
	EXPECT_EQ(0, ctl_uncouple("lan2"));
	return before * percent / 100 <= during;
}

/* The machine has other work at times, which is not to count. */
static void flooded(struct __test_metadata *_metadata, FIXTURE_DATA(hostile) * self,
		    int rx_len, bool take, unsigned int percent)
{
	unsigned int i;

	for (i = 0; i < 4; i++)
		if (flooded_once(_metadata, self, rx_len, take, percent))
			return;
	EXPECT_TRUE(false);
}

TEST_F_TIMEOUT(hostile, one_byte_buffers, TIMEOUT)
{
	flooded(_metadata, self, 1, true, 40);
}

TEST_F_TIMEOUT(hostile, one_byte_buffers_kept, TIMEOUT)
{
	flooded(_metadata, self, 1, false, 40);
}

TEST_F_TIMEOUT(hostile, never_receives, TIMEOUT)
{
	flooded(_metadata, self, 0, false, 40);
}

TEST_HARNESS_MAIN
