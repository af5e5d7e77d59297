// SPDX-License-Identifier: GPL-2.0
/* Ports with several queue pairs, of which some stop, break, or are killed. */
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

#include "mq_fixture.h"

/* Queue pairs are stopped and started by the VMM. */
static void run_stops(struct __test_metadata *_metadata, FIXTURE_DATA(mq) * self,
		      struct vm *a, bool csum)
{
	static struct flow flow[FLOWS];
	struct vm *c = &self->vm[2];
	struct ctl_port port;
	int round, i;

	learn(_metadata, self);
	couple(_metadata, IVSHM_COUPLING_STATIC);
	flow_begin(flow, FLOWS, c, a, 0);
	for (i = 0; i < FLOWS; i++) {
		flow[i].moves = true;
		flow[i].csum = csum;
	}
	for (round = 0; round < (env_debug() ? 6 : 16); round++) {
		int n = rnd() % a->nr;

		flow_send(flow, FLOWS, WINDOW / 2);
		ASSERT_EQ(0, guest_stop(&a->q[n]));
		ASSERT_EQ(0, ctl_port(a->tap, &port));
		ASSERT_EQ(3, port.queues);
		ASSERT_EQ(IVSHM_PORT_RUNNING, port.state);
		flow_send(flow, FLOWS, WINDOW / 2);
		flow_settle(_metadata, flow, FLOWS);
		/* Nothing of it is on its way: it may go on where it stopped. */
		guest_tx_drain(&a->q[n], 1000);
		ASSERT_EQ(0, guest_start(&a->q[n]));
		flow_send(flow, FLOWS, WINDOW / 2);
		flow_take_in_order(_metadata, a, flow, FLOWS);
		ASSERT_EQ(0, vm_used(a->tap, 4));
	}
	flow_settle(_metadata, flow, FLOWS);
	EXPECT_EQ(0, stat(2, IVSHM_A_STAT_DROP_FULL));
	EXPECT_EQ(0, ctl_stat(a->tap, IVSHM_A_STAT_DROP_MEMORY));
}

TEST_F_TIMEOUT(mq, stop_and_start, TIMEOUT)
{
	run_stops(_metadata, self, &self->vm[0], false);
}

/* What was left with a queue that stops arrives by another one. */
TEST_F_TIMEOUT(mq, stop_and_start_left, TIMEOUT)
{
	run_stops(_metadata, self, &self->vm[3], true);
	EXPECT_LT(200, stat(2, IVSHM_A_STAT_BOUNCED));
}

/* The same for certain. */
TEST_F_TIMEOUT(mq, left_moves, TIMEOUT)
{
	struct guest *g = &self->vm[3].q[3];
	struct flow flow;

	flow_leave(_metadata, self, &flow);
	ASSERT_EQ(0, guest_stop(g));
	flow_settle(_metadata, &flow, 1);
	EXPECT_EQ(WINDOW, flow.seen);
	flow_run(_metadata, &flow, 1, 50);
	EXPECT_EQ(0, ctl_stat("tap3", IVSHM_A_STAT_DROP_MEMORY));
}

/* A queue gets nothing before the guest has put buffers there. */
TEST_F_TIMEOUT(mq, no_buffers_yet, TIMEOUT)
{
	static struct flow flow[FLOWS];
	struct vm *a = &self->vm[0], *b = &self->vm[1];
	int i;

	learn(_metadata, self);
	couple(_metadata, IVSHM_COUPLING_STATIC);
	ASSERT_EQ(0, guest_stop(&b->q[1]));
	guest_reset_rings(&b->q[1]);
	ASSERT_EQ(0, guest_start(&b->q[1]));
	ASSERT_EQ(0, vm_used("tap1", 1));
	flow_begin(flow, FLOWS, a, b, 0);
	flow_run(_metadata, flow, FLOWS, 50);
	for (i = 0; i < FLOWS; i++) {
		EXPECT_EQ(0, flow[i].in);
		flow[i].moves = true;
	}
	guest_rx_fill(&b->q[1], 256, 2000);
	ASSERT_EQ(0, vm_used("tap1", 2));
	flow_run(_metadata, flow, FLOWS, 50);
	flow_begin(flow, FLOWS, a, b, 0);
	flow_run(_metadata, flow, FLOWS, 50);
	EXPECT_EQ(2, flow_queues(flow, FLOWS));
	EXPECT_EQ(0, stat(0, IVSHM_A_STAT_DROP_FULL));
}

/* A ring in error: the port says so, the others go on. */
TEST_F_TIMEOUT(mq, one_broken, TIMEOUT)
{
	static struct flow flow[2 * FLOWS];
	struct vm *a = &self->vm[0], *b = &self->vm[1];
	struct guest *bad = &b->q[1];
	struct ctl_port port;
	__u64 end;
	int i;

	learn(_metadata, self);
	couple(_metadata, IVSHM_COUPLING_STATIC);
	bad->ring[GUEST_RX].avail->idx += 1000;
	guest_kick(bad, GUEST_RX);
	flow_begin(flow, FLOWS, a, b, 0);
	/* Those of the even queues go to the sound one. */
	for (i = 0; i < FLOWS; i++)
		flow[i].out = 2 * (i & 1);
	flow_run(_metadata, flow, FLOWS, 100);
	for (i = 0; i < FLOWS; i++)
		EXPECT_EQ(0, flow[i].in);
	/*
	 * For the other one: the device may know of some buffers from before, and
	 * finds out then.  What it gets is not looked at, and so not posted again.
	 */
	b->nr = 1;
	frame_make(scratch, 100, b->q[0].mac, a->q[0].mac, 1, 1);
	end = now_ms() + 10000;
	do {
		guest_send(&a->q[1], NULL, scratch, 100);
		guest_tx_drain(&a->q[1], 1000);
		ASSERT_EQ(0, ctl_port("tap1", &port));
	} while (port.state != IVSHM_PORT_BROKEN && now_ms() < end);
	EXPECT_EQ(IVSHM_PORT_BROKEN, port.state);
	EXPECT_TRUE(guest_error(bad, GUEST_RX));
	EXPECT_EQ(1, stat(1, IVSHM_A_STAT_RING_ERRORS));
	flow_begin(flow, FLOWS, a, b, 0);
	for (i = 0; i < FLOWS; i++)
		flow[i].out = 2 * (i & 1);
	flow_run(_metadata, flow, FLOWS, 100);

	ASSERT_EQ(0, guest_stop(bad));
	guest_reset_rings(bad);
	ASSERT_EQ(0, guest_start(bad));
	guest_rx_fill(bad, 256, 2000);
	b->nr = 2;
	ASSERT_EQ(0, vm_used("tap1", 2));
	end = now_ms() + 5000;
	do {
		ASSERT_EQ(0, ctl_port("tap1", &port));
		usleep(1000);
	} while (port.state != IVSHM_PORT_RUNNING && now_ms() < end);
	EXPECT_EQ(IVSHM_PORT_RUNNING, port.state);
	flow_begin(flow, FLOWS, a, b, 0);
	flow_run(_metadata, flow, FLOWS, 100);
	EXPECT_EQ(2, flow_queues(flow, FLOWS));
}

/* All queue pairs of a VMM stop and start at once, while others send to them. */
static void *storm(void *arg)
{
	static __thread struct guest_frame f;
	struct guest *g = arg;
	int i, err;

	for (i = 0; i < 12; i++) {
		usleep(rnd() % 3000);
		err = guest_stop(g);
		/* It goes on where it stopped, and that is what the driver has seen. */
		guest_tx_drain(g, 1000);
		while (guest_recv(g, &f, 0) == 1)
			;
		if (!err && rnd() & 1)
			err = tap_queue(g, false) ?: tap_queue(g, true);
		if (!err)
			err = guest_start(g);
		if (err)
			return (void *)(long)err;
	}
	return NULL;
}

TEST_F_TIMEOUT(mq, storm, TIMEOUT)
{
	static struct flow flow[FLOWS];
	struct vm *c = &self->vm[2], *d = &self->vm[3];
	static struct guest_frame f;
	pthread_t t[QUEUES];
	struct ctl_port port;
	void *err;
	int i, n;

	learn(_metadata, self);
	couple(_metadata, IVSHM_COUPLING_STATIC);
	for (n = 0; n < d->nr; n++)
		ASSERT_EQ(0, pthread_create(&t[n], NULL, storm, &d->q[n]));
	/* Nobody takes them: how they are lost is not the matter here. */
	flow_begin(flow, FLOWS, c, d, 0);
	for (n = 0; n < d->nr; n++) {
		while (pthread_tryjoin_np(t[n], &err)) {
			for (i = 0; i < FLOWS; i++) {
				flow[i].csum = i & 1;
				flow[i].seen = flow[i].sent;
			}
			flow_send(flow, FLOWS, 4);
			usleep(200);
		}
		EXPECT_EQ(NULL, err);
	}
	guest_tx_drain(&c->q[0], 5000);
	for (n = 0; n < d->nr; n++)
		while (guest_recv(&d->q[n], &f, 100) == 1)
			;
	ASSERT_EQ(0, ctl_port(d->tap, &port));
	EXPECT_EQ(IVSHM_PORT_RUNNING, port.state);
	EXPECT_EQ(4, port.queues);
	ASSERT_EQ(0, vm_used(d->tap, 4));
	/* Its address was forgotten when all of them were stopped. */
	frame_make(scratch, 100, mac_broadcast, d->q[0].mac, 1, 1);
	ASSERT_EQ(0, guest_send(&d->q[0], NULL, scratch, 100));
	ASSERT_EQ(0, guest_tx_drain(&d->q[0], 5000));
	flow_begin(flow, FLOWS, c, d, 0);
	flow_run(_metadata, flow, FLOWS, 50);
}

/* Files are closed one after the other, in any order: the port runs until the last. */
TEST_F_TIMEOUT(mq, files_close, TIMEOUT)
{
	static struct flow flow[FLOWS];
	struct vm *a = &self->vm[0], *c = &self->vm[2];
	struct ctl_port port;
	int i, n, first = rnd() % 4;

	learn(_metadata, self);
	couple(_metadata, IVSHM_COUPLING_STATIC);
	flow_begin(flow, FLOWS, c, a, 0);
	for (i = 0; i < FLOWS; i++)
		flow[i].moves = true;
	for (n = 0; n < 4; n++) {
		struct guest *g = &a->q[(first + n * 3) % 4];

		ASSERT_EQ(0, ctl_port("tap0", &port));
		EXPECT_EQ(IVSHM_PORT_RUNNING, port.state);
		EXPECT_EQ(4 - n, port.queues);
		flow_run(_metadata, flow, FLOWS, 50);
		close(g->fd);
		g->fd = -1;
		g->running = false;
	}
	ASSERT_EQ(0, ctl_port("tap0", &port));
	EXPECT_EQ(IVSHM_PORT_STOPPED, port.state);
	EXPECT_EQ(0, port.queues);
	EXPECT_EQ(0, port.queues_used);
}

/* Another process with a queue of the same tap is none of the port's. */
TEST_F_TIMEOUT(mq, another_owner, TIMEOUT)
{
	static struct flow flow[FLOWS];
	struct vm *a = &self->vm[0], *b = &self->vm[1];
	struct ctl_port port;
	int status, up[2], down[2];
	char c = 0;
	pid_t pid;

	ASSERT_EQ(0, pipe(up));
	ASSERT_EQ(0, pipe(down));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		static struct guest g;
		struct guest_config cfg = { .tap = "tap1", .multi = true };
		struct ctl_port now;

		if (guest_up(&g, &cfg) || ctl_port("tap1", &now) || now.queues != 2 ||
		    now.queues_used != 2)
			_exit(1);
		write(up[1], &c, 1);
		read(down[0], &c, 1);
		/* What it sends takes the uplink. */
		memcpy(g.mac, b->q[0].mac, 6);
		frame_make(scratch, 100, mac_broadcast, g.mac, 1, 1);
		_exit(guest_send(&g, NULL, scratch, 100) || guest_tx_drain(&g, 5000) ||
		      guest_stop(&g) || g.faults);
	}
	ASSERT_EQ(1, read(up[0], &c, 1));
	/* Nor does it get any of what comes direct. */
	couple(_metadata, IVSHM_COUPLING_STATIC);
	flow_begin(flow, FLOWS, a, b, 0);
	flow_run(_metadata, flow, FLOWS, 100);
	EXPECT_EQ(2, flow_queues(flow, FLOWS));
	write(down[1], &c, 1);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	ASSERT_EQ(0, ctl_port("tap1", &port));
	EXPECT_EQ(2, port.queues);
	EXPECT_EQ(IVSHM_PORT_RUNNING, port.state);
}

/* A VMM that dies under traffic. */
TEST_F_TIMEOUT(mq, death, TIMEOUT)
{
	static struct flow flow[FLOWS];
	static struct vm vm;
	struct vm *a = &self->vm[0], *b = &self->vm[1];
	struct ctl_port port;
	int round, up[2];
	char c = 0;
	pid_t pid;

	learn(_metadata, self);
	for (round = 0; round < 5; round++) {
		ASSERT_EQ(0, pipe(up));
		pid = fork();
		ASSERT_LE(0, pid);
		if (!pid) {
			__u8 frame[100];

			if (vm_up(&vm, "tap9", 4, false))
				_exit(1);
			write(up[1], &c, 1);
			for (;;) {
				frame_make(frame, sizeof(frame), a->q[0].mac, vm.q[0].mac, 9, 9);
				guest_send(&vm.q[rnd() % 4], NULL, frame, sizeof(frame));
			}
		}
		ASSERT_EQ(1, read(up[0], &c, 1));
		ASSERT_EQ(0, ctl_couple("lan0", IVSHM_COUPLING_STATIC, NULL, "tap1", "tap9", NULL));
		flow_begin(flow, FLOWS, b, a, 0);
		usleep(rnd() % 50000);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		close(up[0]);
		close(up[1]);
		EXPECT_NE(0, ctl_port("tap9", &port));
		ASSERT_EQ(0, ctl_uncouple("lan0"));
		/* Empty the receiver of what it sent. */
		{
			static struct guest_frame f;
			int q;

			for (q = 0; q < b->nr; q++)
				while (guest_recv(&b->q[q], &f, 20) == 1)
					;
		}
	}
}

TEST_HARNESS_MAIN
