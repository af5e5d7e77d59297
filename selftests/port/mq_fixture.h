/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The fixture of the programs that test ports with several queue pairs:
 *
 *   vm a, 4 queues --- tap0 ---+
 *   vm b, 2 queues --- tap1 ---+--- br0
 *   vm c, 1 queue  --- tap2 ---+
 *   vm d, 4 queues --- tap3 ---+      no offloads
 *
 * A struct guest is one queue pair here, with memory of its own; all queue pairs
 * of a vm have the same address.  TUNSETQUEUE on a queue of the tap is what QEMU
 * does for the guest's "ethtool -L".
 */
#ifndef MQ_FIXTURE_H
#define MQ_FIXTURE_H

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_tun.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <sys/ioctl.h>

#include "kselftest_harness.h"
#include "env.h"
#include "guest.h"

#define TIMEOUT	200
#define VMS	4
#define QUEUES	4
#define FLOWS	8
/* Frames of all flows together find room in any queue, and in half of one. */
#define WINDOW	12
#define HEAD	(ETH_HLEN + sizeof(struct iphdr) + sizeof(struct udphdr))

struct vm {
	const char *tap;
	int nr;
	bool plain;		/* it has no offloads */
	struct guest q[QUEUES];
};

FIXTURE(mq) {
	struct vm vm[VMS];
};

static const int vm_queues[VMS] = { 4, 2, 1, 4 };
static const char * const vm_tap[VMS] = { "tap0", "tap1", "tap2", "tap3" };

static inline int vm_queue_up(struct vm *vm, int i)
{
	struct guest_config c = {
		.tap = vm->tap, .bridge = i ? NULL : "br0", .multi = true,
		.no_offload = vm->plain,
	};
	int err = guest_up(&vm->q[i], &c);

	memcpy(vm->q[i].mac, vm->q[0].mac, 6);
	return err;
}

static inline int vm_up(struct vm *vm, const char *tap, int nr, bool plain)
{
	int i, err = 0;

	memset(vm, 0, sizeof(*vm));
	vm->tap = tap;
	vm->plain = plain;
	for (i = 0; i < nr && !err; i++)
		err = vm_queue_up(vm, i);
	vm->nr = i;
	return err;
}

/* Until the module knows that there are buffers, it says so. */
static inline int vm_used(const char *tap, unsigned int used)
{
	__u64 end = now_ms() + 5000;
	struct ctl_port port = {};

	while (now_ms() < end) {
		ctl_port(tap, &port);
		if (port.queues_used == used)
			return 0;
		usleep(1000);
	}
	fprintf(stderr, "# %s: %u queues, %u in use, not %u\n", tap, port.queues,
		port.queues_used, used);
	return -ETIMEDOUT;
}

FIXTURE_SETUP(mq)
{
	int i;

	ASSERT_EQ(0, env_setup());
	for (i = 0; i < VMS; i++) {
		ASSERT_EQ(0, vm_up(&self->vm[i], vm_tap[i], vm_queues[i], i == 3));
		ASSERT_EQ(0, vm_used(vm_tap[i], vm_queues[i]));
	}
}

FIXTURE_TEARDOWN(mq)
{
	int i, j;

	for (i = 0; i < VMS; i++) {
		for (j = 0; j < self->vm[i].nr; j++) {
			struct guest *g = &self->vm[i].q[j];

			if (g->fd >= 0 && g->running)
				EXPECT_EQ(0, guest_stop(g));
			EXPECT_EQ(0, g->faults)
				TH_LOG("vm %d, queue %d", i, j);
			guest_close(g);
		}
	}
}

/*
 * Flows
 */

struct flow {
	struct vm *from, *to;
	__u32 id;
	int out;		/* the sender's queue */
	int in;			/* the receiver's, -1: not known yet */
	bool moves;		/* it may change */
	bool csum;		/* the checksum is left to the device */
	bool came[4096];
	__u32 sent, seen, top;	/* all below seen came; top: the last of all, plus 1 */
};

static __u8 scratch[2000];

/* A receiver without offloads gets these by way of kernel buffers. */
static const struct virtio_net_hdr_mrg_rxbuf flow_csum = {
	.hdr.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
	.hdr.csum_start = HEAD - sizeof(struct udphdr),
	.hdr.csum_offset = offsetof(struct udphdr, check),
};

/* An IP frame of its own flow, with a number that its length and bytes follow from. */
static inline __u32 flow_make(const struct flow *f, __u32 seq)
{
	__u32 len = HEAD + FRAME_MIN + seq % 1000;
	struct iphdr ip = {
		.version = 4, .ihl = 5, .tot_len = htons(len - ETH_HLEN), .ttl = 64,
		.protocol = IPPROTO_UDP, .saddr = htonl(0xc0000201), .daddr = htonl(0xc0000202),
	};
	struct udphdr udp = {
		.source = htons(10000 + f->id), .dest = htons(7),
		.len = htons(len - ETH_HLEN - sizeof(ip)),
	};

	/* What is behind the headers is a frame of ours. */
	frame_make(scratch + HEAD - ETH_HLEN, len - HEAD + ETH_HLEN, f->to->q[0].mac,
		   f->from->q[0].mac, f->id, seq);
	memcpy(scratch, f->to->q[0].mac, 6);
	memcpy(scratch + 6, f->from->q[0].mac, 6);
	scratch[12] = ETH_P_IP >> 8;
	scratch[13] = ETH_P_IP & 0xff;
	memcpy(scratch + ETH_HLEN, &ip, sizeof(ip));
	memcpy(scratch + ETH_HLEN + sizeof(ip), &udp, sizeof(udp));
	return len;
}

static inline int flow_check(const __u8 *frame, __u32 len, __u32 *id, __u32 *seq,
			     struct flow *flow, int nr)
{
	if (len < HEAD + 8)
		return -EBADMSG;
	memcpy(id, frame + HEAD, 4);
	memcpy(seq, frame + HEAD + 4, 4);
	if (*id >= nr || flow_make(&flow[*id], *seq) != len)
		return -EBADMSG;
	if (flow[*id].csum)
		memcpy(scratch + HEAD - 2, frame + HEAD - 2, 2);
	return memcmp(scratch, frame, len) ? -EBADMSG : 0;
}

static inline void flow_came(struct __test_metadata *_metadata, struct flow *f, __u32 seq,
			     int queue)
{
	if (f->in < 0)
		f->in = queue;
	if (!f->moves) {
		ASSERT_EQ(f->in, queue)
			TH_LOG("flow %u left its queue at %u", f->id, seq);
	}
	ASSERT_GT(f->sent, seq);
	ASSERT_LE(f->seen, seq)
		TH_LOG("flow %u: %u came again", f->id, seq);
	ASSERT_FALSE(f->came[seq % 4096])
		TH_LOG("flow %u: %u came twice", f->id, seq);
	f->came[seq % 4096] = true;
	if (f->top < seq + 1)
		f->top = seq + 1;
	while (f->came[f->seen % 4096])
		f->came[f->seen++ % 4096] = false;
}

/* Take what is there in all queues of @to. */
static inline void flow_take(struct __test_metadata *_metadata, struct vm *to,
			     struct flow *flow, int nr)
{
	static struct guest_frame got;
	__u32 id, seq;
	int i;

	for (i = 0; i < to->nr; i++) {
		while (to->q[i].fd >= 0 && guest_pending(&to->q[i], GUEST_RX)) {
			int err = guest_recv(&to->q[i], &got, 0);

			ASSERT_LE(0, err);
			if (err != 1)
				break;
			ASSERT_EQ(0, flow_check(got.data, got.len, &id, &seq, flow, nr));
			ASSERT_EQ(to, flow[id].to);
			flow_came(_metadata, &flow[id], seq, i);
		}
	}
}

/*
 * A frame that comes before another one of its flow: which of two queues a guest
 * looks at first is its own business, but the other one must be there by then.
 */
static inline void flow_take_in_order(struct __test_metadata *_metadata, struct vm *to,
				      struct flow *flow, int nr)
{
	__u32 top[8 * FLOWS];
	int i;

	flow_take(_metadata, to, flow, nr);
	for (i = 0; i < nr; i++)
		top[i] = flow[i].top;
	flow_take(_metadata, to, flow, nr);
	for (i = 0; i < nr; i++) {
		ASSERT_LE(top[i], flow[i].seen)
			TH_LOG("flow %d: %u was overtaken by %u", i, flow[i].seen, top[i] - 1);
	}
}

static inline void flow_begin(struct flow *flow, int nr, struct vm *from, struct vm *to,
			      __u32 first)
{
	int i;

	for (i = 0; i < nr; i++) {
		memset(&flow[i], 0, sizeof(flow[i]));
		flow[i].from = from;
		flow[i].to = to;
		flow[i].id = first + i;
		flow[i].out = i % from->nr;
		flow[i].in = -1;
	}
}

/* Send up to @burst frames of each, unless too many are on their way. */
static inline void flow_send(struct flow *flow, int nr, int burst)
{
	int i, n;

	for (i = 0; i < nr; i++) {
		struct flow *f = &flow[i];
		struct guest *g = &f->from->q[f->out];
		__u32 piece = g->hdr_len, len;

		for (n = 0; n < burst && f->sent - f->seen < WINDOW; n++) {
			len = flow_make(f, f->sent);
			if (guest_send_pieces(g, f->csum ? &flow_csum : NULL, scratch, len,
					      &piece, 1, GUEST_MORE))
				break;
			f->sent++;
		}
	}
	for (i = 0; i < nr; i++)
		guest_publish(&flow[i].from->q[flow[i].out], GUEST_TX);
}

static inline bool flow_done(const struct flow *flow, int nr)
{
	while (nr--)
		if (flow[nr].seen != flow[nr].sent)
			return false;
	return true;
}

/* What is on its way arrives. */
static inline void flow_settle(struct __test_metadata *_metadata, struct flow *flow, int nr)
{
	__u64 end = now_ms() + 10000;
	int i;

	while (!flow_done(flow, nr) && now_ms() < end) {
		for (i = 0; i < nr; i++)
			if (!i || flow[i].to != flow[i - 1].to)
				flow_take_in_order(_metadata, flow[i].to, flow, nr);
		usleep(500);
	}
	for (i = 0; i < nr; i++) {
		EXPECT_EQ(flow[i].sent, flow[i].seen)
			TH_LOG("flow %d of %s", i, flow[i].from->tap);
	}
}

static inline void flow_run(struct __test_metadata *_metadata, struct flow *flow, int nr,
			    int rounds)
{
	while (rounds--) {
		flow_send(flow, nr, 1 + rnd() % 8);
		flow_take_in_order(_metadata, flow[0].to, flow, nr);
	}
	flow_settle(_metadata, flow, nr);
}

/* The same with FLOWS of @nr only, from @first on. */
static inline void flow_run_some(struct __test_metadata *_metadata, struct flow *flow, int nr,
				 int first, int rounds)
{
	while (rounds--) {
		flow_send(flow + first, FLOWS, 1 + rnd() % 8);
		flow_take_in_order(_metadata, flow[0].to, flow, nr);
	}
	flow_settle(_metadata, flow, nr);
}

/* Queues that some flow is in. */
static inline unsigned int flow_queues(const struct flow *flow, int nr)
{
	unsigned int mask = 0;

	while (nr--)
		if (flow[nr].in >= 0)
			mask |= 1 << flow[nr].in;
	return __builtin_popcount(mask);
}

static inline __u64 stat(int vm, enum ivshm_attr_stat which)
{
	return ctl_stat(vm_tap[vm], which);
}

/* Broadcasts: the bridge knows all, and so does the address table. */
static inline void learn(struct __test_metadata *_metadata, FIXTURE_DATA(mq) * self)
{
	static struct guest_frame f;
	__u8 frame[60];
	int i, j, q;

	for (i = 0; i < VMS; i++) {
		frame_make(frame, sizeof(frame), mac_broadcast, self->vm[i].q[0].mac, 0, i);
		ASSERT_EQ(0, guest_send(&self->vm[i].q[0], NULL, frame, sizeof(frame)));
		for (j = 0; j < VMS; j++) {
			__u64 end = now_ms() + 5000;
			int got = 0;

			while (j != i && !got && now_ms() < end)
				for (q = 0; q < self->vm[j].nr; q++)
					got += guest_recv(&self->vm[j].q[q], &f, 1);
			ASSERT_EQ(j != i, got);
		}
	}
}

static inline void couple(struct __test_metadata *_metadata, int type)
{
	ASSERT_EQ(0, ctl_couple("lan0", type, NULL, "tap0", "tap1", "tap2", "tap3",
				NULL));
}

static inline int tap_queue(struct guest *g, bool attach)
{
	struct ifreq ifr = { .ifr_flags = attach ? IFF_ATTACH_QUEUE : IFF_DETACH_QUEUE };

	return ioctl(g->tap, TUNSETQUEUE, &ifr) ? -errno : 0;
}

/*
 * The last queue of d has few buffers: most of what the last one of a sends there
 * is left in kernel buffers, and stays there.
 */
static inline void flow_leave(struct __test_metadata *_metadata, FIXTURE_DATA(mq) * self,
			      struct flow *flow)
{
	struct vm *a = &self->vm[0], *d = &self->vm[3];
	struct guest *g = &d->q[3];
	__u64 end = now_ms() + 5000;

	learn(_metadata, self);
	ASSERT_EQ(0, guest_stop(g));
	guest_reset_rings(g);
	ASSERT_EQ(0, guest_start(g));
	g->keep_rx = true;
	guest_rx_fill(g, 4, 2000);
	ASSERT_EQ(0, vm_used(d->tap, 4));
	couple(_metadata, IVSHM_COUPLING_STATIC);
	flow_begin(flow, 1, a, d, 0);
	flow->out = 3;
	flow->csum = true;
	flow->moves = true;
	flow_send(flow, 1, WINDOW);
	ASSERT_EQ(0, guest_tx_drain(&a->q[3], 5000));
	while (flow->seen < 4 && now_ms() < end)
		flow_take_in_order(_metadata, d, flow, 1);
	ASSERT_EQ(4, flow->seen);
	ASSERT_EQ(WINDOW, flow->sent);
}

#endif /* MQ_FIXTURE_H */
