// SPDX-License-Identifier: GPL-2.0
/*
 * Coupling and uncoupling under flows in both directions: each frame arrives
 * once, whole and in its place.
 *
 * No more frames are on their way than every queue can hold, so that nothing
 * excuses a loss.
 */
#include <errno.h>
#include <pthread.h>
#include <sys/ioctl.h>

#include "kselftest_harness.h"
#include "env.h"
#include "guest.h"

#define TIMEOUT	200
#define WINDOW	64
#define LEN	300
#define HOLD_MS	5000

FIXTURE(live) {
	struct guest g[2];
	int sniffer;
};

struct flow {
	struct guest *from, *to;
	__u32 id, sent, seen;
	__u64 moved;
};

FIXTURE_SETUP(live)
{
	static const char * const tap[] = { "tap0", "tap1" };
	int i;

	ASSERT_EQ(0, env_setup());
	for (i = 0; i < 2; i++) {
		struct guest_config c = { .tap = tap[i], .bridge = "br0" };

		ASSERT_EQ(0, guest_up(&self->g[i], &c));
	}
	/* The bridge is to know them: a flooded frame would come to nobody. */
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, guest_pass(&self->g[i], &self->g[!i], 100, i));
	}
}

FIXTURE_TEARDOWN(live)
{
	int i;

	for (i = 0; i < 2; i++) {
		EXPECT_EQ(0, guest_stop(&self->g[i]));
		EXPECT_EQ(0, self->g[i].faults);
		guest_close(&self->g[i]);
	}
}

/* Frame @seq came in place of another: where are those before it, and what was dropped? */
static void missed(struct flow *f, __u32 seq)
{
	static const char * const tap[] = { "tap0", "tap1" };
	static struct guest_frame got;
	unsigned int i, s, n;
	__u32 id;

	printf("# flow %u: %u in place of %u of %u;", f->id, seq, f->seen, f->sent);
	for (n = 0; n < 8 && guest_recv(f->to, &got, 100) == 1; n++)
		if (!frame_check(got.data, got.len, &id, &seq))
			printf(" %u", seq);
	for (i = 0; i < 2; i++) {
		printf("\n# %s:", tap[i]);
		for (s = 0; s < __IVSHM_A_STAT_MAX; s++)
			if (ctl_stat(tap[i], s))
				printf(" %u=%llu", s, (unsigned long long)ctl_stat(tap[i], s));
	}
	printf("\n");
	fflush(stdout);
	system("ip -s link show dev tap0; ip -s link show dev tap1; ip -s link show br0");
}

static void drain(struct __test_metadata *_metadata, struct flow *f)
{
	static struct guest_frame got;
	__u32 id, seq;

	while (guest_pending(f->to, GUEST_RX)) {
		int err = guest_recv(f->to, &got, 0);

		ASSERT_LE(0, err);
		if (err != 1)
			return;
		ASSERT_EQ(0, frame_check(got.data, got.len, &id, &seq))
			TH_LOG("flow %u: corrupted behind %u", f->id, f->seen);
		ASSERT_EQ(f->id, id);
		if (f->seen != seq)
			missed(f, seq);
		ASSERT_EQ(f->seen, seq)
			TH_LOG("flow %u: lost, doubled or out of order", f->id);
		f->seen++;
		f->moved = now_ms();
	}
}

/* One round of both flows; @burst frames at a time. */
static void pump(struct __test_metadata *_metadata, struct flow *flow, unsigned int burst)
{
	static __u8 frame[LEN + 1200];
	unsigned int i, n;

	for (i = 0; i < 2; i++) {
		struct flow *f = &flow[i];
		__u32 piece = f->from->hdr_len;

		for (n = 0; n < burst && f->sent - f->seen < WINDOW; n++) {
			__u32 len = LEN + f->sent % 1200;

			frame_make(frame, len, f->to->mac, f->from->mac, f->id, f->sent);
			if (guest_send_pieces(f->from, NULL, frame, len, &piece, 1, GUEST_MORE))
				break;
			f->sent++;
		}
		guest_publish(f->from, GUEST_TX);
		drain(_metadata, f);
		/* A frame held back for a switch waits for milliseconds. */
		ASSERT_GT(f->moved + 5000, now_ms())
			TH_LOG("flow %u: sent %u, arrived %u", f->id, f->sent, f->seen);
	}
}

static void settle(struct __test_metadata *_metadata, struct flow *flow)
{
	__u64 end = now_ms() + 5000;

	while ((flow[0].seen != flow[0].sent || flow[1].seen != flow[1].sent) &&
	       now_ms() < end) {
		pump(_metadata, flow, 0);
		usleep(1000);
	}
	EXPECT_EQ(flow[0].sent, flow[0].seen);
	EXPECT_EQ(flow[1].sent, flow[1].seen);
}

static void begin(FIXTURE_DATA(live) * self, struct flow *flow)
{
	int i;

	for (i = 0; i < 2; i++)
		flow[i] = (struct flow){
			.from = &self->g[i], .to = &self->g[!i], .id = i, .moved = now_ms(),
		};
}

struct switcher {
	int type;
	struct ctl_options o;
	unsigned int n;
	int us;
	int err;
	bool done;
};

/* Where each takes several times as long, fewer of them. */
static unsigned int rounds(unsigned int n)
{
	return env_debug() ? n / 2 : n;
}

static void *switches(void *arg)
{
	struct switcher *s = arg;
	unsigned int i;

	for (i = 0; i < s->n && !s->err; i++) {
		s->err = ctl_couple("lan0", s->type, &s->o, "tap0", "tap1", NULL);
		usleep(rnd() % s->us);
		s->err = s->err ?: ctl_uncouple("lan0");
		usleep(rnd() % s->us);
	}
	__atomic_store_n(&s->done, true, __ATOMIC_RELEASE);
	return NULL;
}

static void run(struct __test_metadata *_metadata, FIXTURE_DATA(live) * self,
		struct switcher *s, void *(*change)(void *))
{
	struct flow flow[2];
	pthread_t t;

	begin(self, flow);
	ASSERT_EQ(0, pthread_create(&t, NULL, change, s));
	while (!__atomic_load_n(&s->done, __ATOMIC_ACQUIRE)) {
		pump(_metadata, flow, 1 + rnd() % 32);
	}
	pthread_join(t, NULL);
	EXPECT_EQ(0, s->err);
	settle(_metadata, flow);
	TH_LOG("%u and %u frames; direct %llu and %llu; by the uplink %llu and %llu",
	       flow[0].sent, flow[1].sent,
	       (unsigned long long)ctl_stat("tap0", IVSHM_A_STAT_TX_DIRECT_FRAMES),
	       (unsigned long long)ctl_stat("tap1", IVSHM_A_STAT_TX_DIRECT_FRAMES),
	       (unsigned long long)ctl_stat("tap0", IVSHM_A_STAT_TX_UPLINK_FRAMES),
	       (unsigned long long)ctl_stat("tap1", IVSHM_A_STAT_TX_UPLINK_FRAMES));
	EXPECT_LT(100, ctl_stat("tap0", IVSHM_A_STAT_TX_DIRECT_FRAMES));
	EXPECT_LT(100, ctl_stat("tap0", IVSHM_A_STAT_TX_UPLINK_FRAMES));
}

TEST_F_TIMEOUT(live, dynamic, TIMEOUT)
{
	struct switcher s = {
		.type = IVSHM_COUPLING_DYNAMIC, .o = CTL_DEFAULTS, .n = rounds(60), .us = 60000,
	};

	run(_metadata, self, &s, switches);
}

/* No question asked of the bridge: many more changes. */
TEST_F_TIMEOUT(live, dynamic_bypass, TIMEOUT)
{
	struct switcher s = {
		.type = IVSHM_COUPLING_DYNAMIC, .o = CTL_DEFAULTS, .n = rounds(100), .us = 10000,
	};

	s.o.bypass = 1;
	run(_metadata, self, &s, switches);
}

TEST_F_TIMEOUT(live, statically, TIMEOUT)
{
	struct switcher s = {
		.type = IVSHM_COUPLING_STATIC, .o = CTL_DEFAULTS, .n = rounds(70), .us = 20000,
	};

	run(_metadata, self, &s, switches);
}

/* A filter comes and goes: the pair takes the bridge and comes back, again and again. */
static void *filters(void *arg)
{
	struct switcher *s = arg;
	unsigned int i;

	for (i = 0; i < s->n && !s->err; i++) {
		s->err = system("tc filter add dev tap0 ingress matchall action ok");
		usleep(rnd() % s->us);
		s->err = s->err ?: system("tc filter del dev tap0 ingress");
		usleep(rnd() % s->us);
	}
	__atomic_store_n(&s->done, true, __ATOMIC_RELEASE);
	return NULL;
}

TEST_F_TIMEOUT(live, filtered, TIMEOUT)
{
	struct switcher s = { .n = rounds(20), .us = 300000 };
	__u32 state, reason;
	__u64 end;

	/* Before there is traffic: what is in a device's queue then is lost. */
	ASSERT_EQ(0, system("tc qdisc add dev tap0 clsact"));
	ASSERT_EQ(0, ctl_couple("lan0", IVSHM_COUPLING_DYNAMIC, NULL, "tap0", "tap1", NULL));
	run(_metadata, self, &s, filters);
	/* And it does come back, at the second try perhaps, which is a second later. */
	end = now_ms() + 10000;
	do {
		ASSERT_EQ(0, guest_pass_both(&self->g[0], &self->g[1], 20));
		ASSERT_EQ(0, ctl_pair("lan0", "tap0", "tap1", &state, &reason));
	} while (state != IVSHM_PAIR_COUPLED && now_ms() < end);
	EXPECT_EQ(IVSHM_PAIR_COUPLED, state);
}

/* A pair that falls back for want of frames, and comes back with them. */
TEST_F_TIMEOUT(live, idle, TIMEOUT)
{
	struct ctl_options o = CTL_DEFAULTS;
	__u32 state, reason, round;
	struct flow flow[2];
	__u64 end;

	o.idle = 1;
	ASSERT_EQ(0, ctl_couple("lan0", IVSHM_COUPLING_DYNAMIC, &o, "tap0", "tap1", NULL));
	begin(self, flow);
	for (round = 0; round < 3; round++) {
		state = IVSHM_PAIR_UPLINK;
		flow[0].moved = now_ms();
		flow[1].moved = now_ms();
		end = now_ms() + 10000;
		while (state != IVSHM_PAIR_COUPLED && now_ms() < end) {
			pump(_metadata, flow, 4);
			ASSERT_EQ(0, ctl_pair("lan0", "tap0", "tap1", &state, &reason));
		}
		EXPECT_EQ(IVSHM_PAIR_COUPLED, state);
		settle(_metadata, flow);
		end = now_ms() + 10000;
		while (state != IVSHM_PAIR_UPLINK && now_ms() < end) {
			usleep(50000);
			ASSERT_EQ(0, ctl_pair("lan0", "tap0", "tap1", &state, &reason));
		}
		EXPECT_EQ(IVSHM_PAIR_UPLINK, state);
		EXPECT_EQ(IVSHM_REASON_IDLE, reason);
	}
}

struct holder {
	struct guest *g;
	unsigned int n;
	int err;
	bool done;
};

/* Changes something of a device that runs; it is held for that. */
static void *holds(void *arg)
{
	struct holder *h = arg;
	struct vhost_vring_file err = { GUEST_RX, h->g->ring[GUEST_RX].err };
	__u64 end = now_ms() + HOLD_MS;

	for (; !h->err && now_ms() < end; h->n++) {
		if (ioctl(h->g->fd, VHOST_SET_VRING_ERR, &err))
			h->err = -errno;
		usleep(rnd() % 2000);
	}
	__atomic_store_n(&h->done, true, __ATOMIC_RELEASE);
	return NULL;
}

/* What comes while the receiver is held waits, and goes as soon as it is not. */
TEST_F_TIMEOUT(live, held, TIMEOUT)
{
	struct holder h = { .g = &self->g[1] };
	struct ctl_options o = CTL_DEFAULTS;
	struct flow flow[2];
	pthread_t t;

	/* For buffers nobody waits. */
	o.park_us = 0;
	ASSERT_EQ(0, ctl_couple("lan0", IVSHM_COUPLING_STATIC, &o, "tap0", "tap1", NULL));
	begin(self, flow);
	ASSERT_EQ(0, pthread_create(&t, NULL, holds, &h));
	while (!__atomic_load_n(&h.done, __ATOMIC_ACQUIRE))
		pump(_metadata, flow, 1 + rnd() % 32);
	pthread_join(t, NULL);
	EXPECT_EQ(0, h.err);
	settle(_metadata, flow);
	TH_LOG("held %u times; %u and %u frames, %llu waited", h.n, flow[0].sent, flow[1].sent,
	       (unsigned long long)ctl_stat("tap0", IVSHM_A_STAT_PARKED));
	EXPECT_LT(10, ctl_stat("tap0", IVSHM_A_STAT_PARKED));
	EXPECT_EQ(0, ctl_stat("tap0", IVSHM_A_STAT_DROP_FULL));
	/* Once a second they would be tried unasked. */
	EXPECT_LT(2 * HOLD_MS / 1000 * WINDOW, flow[0].seen);
}

/* Nothing else happens that would wake who sent it. */
TEST_F_TIMEOUT(live, held_alone, TIMEOUT)
{
	struct holder h = { .g = &self->g[1] };
	struct ctl_options o = CTL_DEFAULTS;
	unsigned int n = 0, slow = 0;
	pthread_t t;
	__u64 begin, waited;

	ASSERT_EQ(0, ctl_couple("lan0", IVSHM_COUPLING_STATIC, &o, "tap0", "tap1", NULL));
	ASSERT_EQ(0, pthread_create(&t, NULL, holds, &h));
	while (!__atomic_load_n(&h.done, __ATOMIC_ACQUIRE)) {
		begin = now_ms();
		EXPECT_EQ(0, guest_pass(&self->g[0], &self->g[1], 100, n++));
		slow += now_ms() - begin > 500;
	}
	pthread_join(t, NULL);
	EXPECT_EQ(0, h.err);
	waited = ctl_stat("tap0", IVSHM_A_STAT_PARKED);
	TH_LOG("%u frames, %llu waited, %u of them long", n, (unsigned long long)waited, slow);
	EXPECT_LT(0, waited);
	/* By itself it would be tried a second later. */
	EXPECT_GE(waited / 2, slow);
}

/* The receiver stops and starts while frames are on their way; ports, not frames, survive. */
TEST_F_TIMEOUT(live, restarts, TIMEOUT)
{
	struct guest *a = &self->g[0], *b = &self->g[1];
	static struct guest_frame got;
	__u32 id, seq, last, sent = 0;
	static __u8 frame[LEN];
	unsigned int round, n;

	ASSERT_EQ(0, ctl_couple("lan0", IVSHM_COUPLING_STATIC, NULL, "tap0", "tap1", NULL));
	for (round = 0; round < rounds(40); round++) {
		last = 0;
		for (n = 0; n < 10; n++) {
			frame_make(frame, LEN, b->mac, a->mac, 7, ++sent);
			guest_send(a, NULL, frame, LEN);
		}
		usleep(rnd() % 300);
		/* What came arrived once and in order. */
		while (guest_pending(b, GUEST_RX) && guest_recv(b, &got, 0) == 1) {
			ASSERT_EQ(0, frame_check(got.data, got.len, &id, &seq));
			ASSERT_LT(last, seq);
			last = seq;
		}
		ASSERT_EQ(0, guest_stop(b));
		while (guest_pending(b, GUEST_RX) && guest_recv(b, &got, 0) == 1) {
			ASSERT_EQ(0, frame_check(got.data, got.len, &id, &seq));
			ASSERT_LT(last, seq);
			last = seq;
		}
		guest_reset_rings(b);
		ASSERT_EQ(0, guest_start(b));
		guest_rx_fill(b, 256, 2000);
	}
	EXPECT_EQ(0, guest_tx_drain(a, 5000));
}

TEST_HARNESS_MAIN
