// SPDX-License-Identifier: GPL-2.0
/* Ports with several queue pairs: where flows go, and in what order. */
#include <fcntl.h>
#include <pthread.h>

#include "mq_fixture.h"

/* As many or more queues at the sender: its own choice is followed. */
TEST_F_TIMEOUT(mq, by_index, TIMEOUT)
{
	static struct flow flow[FLOWS];
	struct vm *a = &self->vm[0], *b = &self->vm[1], *c = &self->vm[2];
	struct ctl_port port;
	__u64 before;
	int i;

	ASSERT_EQ(0, ctl_port("tap0", &port));
	EXPECT_EQ(4, port.queues);
	ASSERT_EQ(0, ctl_port("tap1", &port));
	EXPECT_EQ(2, port.queues);
	learn(_metadata, self);
	couple(_metadata, IVSHM_COUPLING_STATIC);
	before = stat(1, IVSHM_A_STAT_RX_DIRECT_FRAMES);
	flow_begin(flow, FLOWS, a, b, 0);
	flow_run(_metadata, flow, FLOWS, 200);
	for (i = 0; i < FLOWS; i++)
		EXPECT_EQ(flow[i].out % 2, flow[i].in);
	for (i = 0; i < FLOWS; i++)
		before += flow[i].sent;
	/* One counter for all queues. */
	EXPECT_EQ(before, stat(1, IVSHM_A_STAT_RX_DIRECT_FRAMES));

	before = stat(0, IVSHM_A_STAT_TX_DIRECT_FRAMES);
	flow_begin(flow, FLOWS, a, c, 0);
	flow_run(_metadata, flow, FLOWS, 200);
	for (i = 0; i < FLOWS; i++) {
		EXPECT_EQ(0, flow[i].in);
		before += flow[i].sent;
	}
	EXPECT_EQ(before, stat(0, IVSHM_A_STAT_TX_DIRECT_FRAMES));
	EXPECT_EQ(0, stat(0, IVSHM_A_STAT_SKBS));
}

/* Fewer queues at the sender: each flow has its queue, and all queues some flow. */
TEST_F_TIMEOUT(mq, by_hash, TIMEOUT)
{
	static struct flow flow[8 * FLOWS];
	struct vm *a = &self->vm[0];
	int i, from;

	learn(_metadata, self);
	couple(_metadata, IVSHM_COUPLING_STATIC);
	for (from = 1; from <= 2; from++) {
		int again[8 * FLOWS], round;

		for (round = 0; round < 2; round++) {
			flow_begin(flow, 8 * FLOWS, &self->vm[from], a, 0);
			/* No more at a time than find room. */
			for (i = 0; i < 8 * FLOWS; i += FLOWS)
				flow_run_some(_metadata, flow, 8 * FLOWS, i, 20);
			for (i = 0; i < 8 * FLOWS; i++) {
				if (round)
					EXPECT_EQ(again[i], flow[i].in);
				again[i] = flow[i].in;
			}
		}
		EXPECT_EQ(4, flow_queues(flow, 8 * FLOWS));
	}
}

/* The first and last frames take the bridge, to a queue of the tap's choice. */
static void run_joining(struct __test_metadata *_metadata, FIXTURE_DATA(mq) * self,
			struct vm *b, bool csum)
{
	static struct flow flow[FLOWS];
	struct vm *a = &self->vm[0];
	int round, i;

	learn(_metadata, self);
	flow_begin(flow, FLOWS, a, b, 0);
	for (i = 0; i < FLOWS; i++) {
		flow[i].moves = true;
		flow[i].csum = csum;
	}
	for (round = 0; round < 30; round++) {
		struct ctl_options o = CTL_DEFAULTS;

		o.bypass = 1;
		for (i = 0; i < 4; i++)
			flow_send(flow, FLOWS, 2);
		ASSERT_EQ(0, ctl_couple("lan0", round & 1 ? IVSHM_COUPLING_STATIC :
					IVSHM_COUPLING_DYNAMIC, round & 1 ? NULL : &o,
					"tap0", b->tap, NULL));
		for (i = 0; i < 10; i++) {
			flow_send(flow, FLOWS, 3);
			flow_take_in_order(_metadata, b, flow, FLOWS);
			usleep(200);
		}
		ASSERT_EQ(0, ctl_uncouple("lan0"));
	}
	flow_settle(_metadata, flow, FLOWS);
	EXPECT_LT(50, stat(0, IVSHM_A_STAT_TX_DIRECT_FRAMES));
	EXPECT_LT(50, stat(0, IVSHM_A_STAT_TX_UPLINK_FRAMES));
}

TEST_F_TIMEOUT(mq, joining, TIMEOUT)
{
	run_joining(_metadata, self, &self->vm[1], false);
}

/* What is left in kernel buffers is with one queue, what comes by the tap with another. */
TEST_F_TIMEOUT(mq, joining_left, TIMEOUT)
{
	run_joining(_metadata, self, &self->vm[3], true);
	EXPECT_LT(50, stat(0, IVSHM_A_STAT_BOUNCED));
}

/*
 * Queues come and go under traffic
 */

struct changer {
	struct vm *vm[2];
	int nr;
	int rounds, us;
	int err;
	bool done;
};

/* As QEMU: the last ones first, and so that the first ones stay. */
static void *changes(void *arg)
{
	struct changer *c = arg;
	int i, j, k;

	for (i = 0; i < c->rounds && !c->err; i++) {
		for (k = 0; k < c->nr; k++) {
			struct vm *vm = c->vm[k];
			int keep = 1 + rnd() % vm->nr;

			for (j = vm->nr - 1; j >= keep && !c->err; j--)
				c->err = tap_queue(&vm->q[j], false);
			usleep(rnd() % c->us);
			for (j = keep; j < vm->nr && !c->err; j++)
				c->err = tap_queue(&vm->q[j], true);
			usleep(rnd() % c->us);
		}
	}
	__atomic_store_n(&c->done, true, __ATOMIC_RELEASE);
	return NULL;
}

static void run_changes(struct __test_metadata *_metadata, struct changer *c, struct flow *flow,
			int nr)
{
	__u64 moved = 0;
	pthread_t t;
	int i;

	for (i = 0; i < nr; i++)
		flow[i].moves = true;
	ASSERT_EQ(0, pthread_create(&t, NULL, changes, c));
	while (!__atomic_load_n(&c->done, __ATOMIC_ACQUIRE)) {
		flow_send(flow, nr, 1 + rnd() % 8);
		for (i = 0; i < nr; i += FLOWS)
			flow_take_in_order(_metadata, flow[i].to, flow, nr);
	}
	pthread_join(t, NULL);
	EXPECT_EQ(0, c->err);
	flow_settle(_metadata, flow, nr);
	for (i = 0; i < nr; i++)
		moved += flow[i].sent;
	TH_LOG("%llu frames", (unsigned long long)moved);
	EXPECT_LT(1000, moved);
}

TEST_F_TIMEOUT(mq, receiver_changes, TIMEOUT)
{
	static struct flow flow[FLOWS];
	struct changer c = { .vm = { &self->vm[1] }, .nr = 1, .rounds = 100, .us = 15000 };

	learn(_metadata, self);
	couple(_metadata, IVSHM_COUPLING_STATIC);
	flow_begin(flow, FLOWS, &self->vm[0], &self->vm[1], 0);
	run_changes(_metadata, &c, flow, FLOWS);
	EXPECT_EQ(1, stat(0, IVSHM_A_STAT_TX_UPLINK_FRAMES));
}

TEST_F_TIMEOUT(mq, both_change, TIMEOUT)
{
	static struct flow flow[2 * FLOWS];
	struct changer c = {
		.vm = { &self->vm[0], &self->vm[1] }, .nr = 2, .rounds = 60, .us = 15000,
	};

	learn(_metadata, self);
	couple(_metadata, IVSHM_COUPLING_STATIC);
	flow_begin(flow, FLOWS, &self->vm[0], &self->vm[1], 0);
	flow_begin(flow + FLOWS, FLOWS, &self->vm[1], &self->vm[0], FLOWS);
	run_changes(_metadata, &c, flow, 2 * FLOWS);
}

/*
 * Frames that the receiver cannot take as they are wait in kernel buffers for the
 * worker of their queue: those behind them may not go by another queue meanwhile.
 */
TEST_F_TIMEOUT(mq, left_behind, TIMEOUT)
{
	static struct flow flow[2 * FLOWS];
	struct changer c = { .vm = { &self->vm[3] }, .nr = 1, .rounds = 150, .us = 10000 };
	int i;

	learn(_metadata, self);
	couple(_metadata, IVSHM_COUPLING_STATIC);
	/* By a hash, and by the sender's queue. */
	flow_begin(flow, FLOWS, &self->vm[2], &self->vm[3], 0);
	flow_begin(flow + FLOWS, FLOWS, &self->vm[0], &self->vm[3], FLOWS);
	for (i = 0; i < 2 * FLOWS; i++)
		flow[i].csum = true;
	run_changes(_metadata, &c, flow, 2 * FLOWS);
	EXPECT_LT(1000, stat(2, IVSHM_A_STAT_BOUNCED));
	EXPECT_LT(1000, stat(0, IVSHM_A_STAT_BOUNCED));
}

/* The same for certain: nothing comes by another queue before what was left. */
TEST_F_TIMEOUT(mq, held_back, TIMEOUT)
{
	static struct guest_frame f;
	struct guest *g = &self->vm[3].q[3];
	struct flow flow;
	int i;

	flow_leave(_metadata, self, &flow);
	ASSERT_EQ(0, tap_queue(g, false));
	ASSERT_EQ(0, vm_used("tap3", 3));
	flow_send(&flow, 1, 4);
	for (i = 0; i < 3; i++)
		EXPECT_EQ(0, guest_recv(&self->vm[3].q[i], &f, 50));
	EXPECT_LT(0, stat(0, IVSHM_A_STAT_PARKED));
	g->keep_rx = false;
	guest_rx_fill(g, 64, 2000);
	flow_settle(_metadata, &flow, 1);
	EXPECT_EQ(WINDOW + 4, flow.seen);
	ASSERT_EQ(0, tap_queue(g, true));
	flow_run(_metadata, &flow, 1, 50);
}

/* The same with queues of a macvtap. */
TEST_F_TIMEOUT(mq, macvtap, TIMEOUT)
{
	static struct flow flow[FLOWS];
	static struct vm m;
	struct ctl_port port;
	char path[64];
	int i, size = 12;

	if (system("ip link add low0 type dummy") || system("ip link set low0 up") ||
	    system("ip link add link low0 name mvt0 type macvtap mode bridge") ||
	    system("ip link set mvt0 up"))
		SKIP(return, "no macvtap here");
	snprintf(path, sizeof(path), "/dev/tap%u", if_nametoindex("mvt0"));
	m.tap = "mvt0";
	m.nr = 2;
	for (i = 0; i < m.nr; i++) {
		struct ifreq ifr = {
			.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | IFF_MULTI_QUEUE,
		};
		struct guest_config c = {};

		ASSERT_EQ(0, guest_open(&m.q[i], &c));
		memcpy(m.q[i].mac, m.q[0].mac, 6);
		m.q[i].tap = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
		if (m.q[i].tap < 0)
			SKIP(return, "%s cannot be opened", path);
		ASSERT_EQ(0, ioctl(m.q[i].tap, TUNSETIFF, &ifr));
		ASSERT_EQ(0, ioctl(m.q[i].tap, TUNSETVNETHDRSZ, &size));
		ASSERT_EQ(0, ioctl(m.q[i].tap, TUNSETOFFLOAD, GUEST_OFFLOADS));
		ASSERT_EQ(0, guest_start(&m.q[i]));
		guest_rx_fill(&m.q[i], 256, 2000);
	}
	ASSERT_EQ(0, vm_used("mvt0", 2));
	ASSERT_EQ(0, ctl_port("mvt0", &port));
	EXPECT_EQ(2, port.queues);
	ASSERT_EQ(0, ctl_couple("lan0", IVSHM_COUPLING_STATIC, NULL, "tap0", "mvt0", NULL));
	flow_begin(flow, FLOWS, &self->vm[0], &m, 0);
	flow_run(_metadata, flow, FLOWS, 100);
	for (i = 0; i < FLOWS; i++) {
		EXPECT_EQ(flow[i].out % 2, flow[i].in);
		flow[i].moves = true;
	}
	ASSERT_EQ(0, tap_queue(&m.q[1], false));
	ASSERT_EQ(0, vm_used("mvt0", 1));
	flow_run(_metadata, flow, FLOWS, 100);
	flow_begin(flow, FLOWS, &self->vm[0], &m, 0);
	flow_run(_metadata, flow, FLOWS, 100);
	EXPECT_EQ(1, flow_queues(flow, FLOWS));
	for (i = 0; i < m.nr; i++) {
		EXPECT_EQ(0, guest_stop(&m.q[i]));
		EXPECT_EQ(0, m.q[i].faults);
		guest_close(&m.q[i]);
	}
}

TEST_HARNESS_MAIN
