// SPDX-License-Identifier: GPL-2.0
/* Rates of a port with several queue pairs: one for all of them. */
#include <pthread.h>

#include "mq_fixture.h"
#include "tool.h"

#define MEASURE_MS	1000
/* In percent; and how often it is tried, as this machine may be busy otherwise. */
#define OFF		(env_debug() ? 30 : 8)
#define TRIES		5
#define PATIENT		"park-us 1000000"

static void limit(struct __test_metadata *_metadata, const char *options)
{
	ASSERT_EQ(0, tool("ivmctl coupling add lan0 static tap0 tap1 tap2 tap3 %s", options));
}

static __u32 all_sent(const struct flow *flow, int nr)
{
	__u32 n = 0;

	while (nr--)
		n += flow[nr].sent;
	return n;
}

/* No queue has the rate for itself, and none is left without. */
TEST_F_TIMEOUT(mq, shared, TIMEOUT)
{
	static struct flow flow[FLOWS];
	__u32 seen[FLOWS], queue[QUEUES];
	struct vm *a = &self->vm[0], *b = &self->vm[1];
	__u64 begin, most = 1, n = 0;
	int try, i;

	learn(_metadata, self);
	limit(_metadata, "rate-frames 1000 " PATIENT);
	flow_begin(flow, FLOWS, a, b, 0);
	for (try = 0; try < TRIES && n * 100 <= most * (100 - OFF); try++) {
		for (i = 0; i < FLOWS; i++)
			seen[i] = flow[i].seen;
		memset(queue, 0, sizeof(queue));
		n = 0;
		begin = now_ms();
		while (now_ms() < begin + MEASURE_MS) {
			flow_send(flow, FLOWS, WINDOW);
			flow_take_in_order(_metadata, b, flow, FLOWS);
			usleep(1000);
		}
		/* And the millisecond that is not over, and frames behind a lost one. */
		most = now_ms() - begin + 1 + IVSHM_RATE_BURST_FRAMES + 1;
		for (i = 0; i < FLOWS; i++) {
			queue[flow[i].out] += flow[i].seen - seen[i];
			n += flow[i].seen - seen[i];
		}
		TH_LOG("%llu frames, at most %llu: %u, %u, %u, %u", (unsigned long long)n,
		       (unsigned long long)most, queue[0], queue[1], queue[2], queue[3]);
		EXPECT_LE(n, most);
		flow_settle(_metadata, flow, FLOWS);
	}
	EXPECT_GT(n * 100, most * (100 - OFF));
	for (i = 0; i < a->nr; i++)
		EXPECT_LT(n / 16, queue[i]);
	EXPECT_EQ(0, stat(0, IVSHM_A_STAT_DROP_RATE));
	EXPECT_LT(500, stat(0, IVSHM_A_STAT_PARKED));
}

/* Sends as much as the ring takes. */
struct sender {
	struct guest *g;
	const __u8 *dst;
	__u64 end, sent;
};

static void *sends(void *arg)
{
	struct sender *s = arg;
	__u8 frame[100];

	frame_make(frame, sizeof(frame), s->dst, s->g->mac, 1, 1);
	while (now_ms() < s->end) {
		guest_tx_reap(s->g);
		if (guest_send(s->g, NULL, frame, sizeof(frame)))
			usleep(100);
		else
			s->sent++;
	}
	return NULL;
}

/* All queues at once, much more than may go: what does is neither more nor less. */
static void run_storm(struct __test_metadata *_metadata, FIXTURE_DATA(mq) * self,
		      const char *options)
{
	struct vm *a = &self->vm[0], *c = &self->vm[2];
	__u64 begin, sent = 0, direct, most;
	static struct guest_frame f;
	struct sender s[QUEUES];
	pthread_t t[QUEUES];
	int i;

	learn(_metadata, self);
	direct = stat(0, IVSHM_A_STAT_TX_DIRECT_FRAMES);
	limit(_metadata, options);
	begin = now_ms();
	for (i = 0; i < QUEUES; i++) {
		s[i] = (struct sender){ &a->q[i], c->q[0].mac, begin + MEASURE_MS, 0 };
		ASSERT_EQ(0, pthread_create(&t[i], NULL, sends, &s[i]));
	}
	while (now_ms() < begin + MEASURE_MS)
		guest_recv(&c->q[0], &f, 1);
	for (i = 0; i < QUEUES; i++) {
		pthread_join(t[i], NULL);
		ASSERT_EQ(0, guest_tx_drain(&a->q[i], 5000));
		sent += s[i].sent;
	}
	direct = stat(0, IVSHM_A_STAT_TX_DIRECT_FRAMES) - direct;
	most = (now_ms() - begin + 1) * 2 + IVSHM_RATE_BURST_FRAMES + 1;
	TH_LOG("%llu of %llu frames, at most %llu", (unsigned long long)direct,
	       (unsigned long long)sent, (unsigned long long)most);
	EXPECT_LE(direct, most);
	EXPECT_LT(MEASURE_MS, direct);
	EXPECT_LT(direct, sent);
	/* Nothing is lost for another reason, or not counted. */
	EXPECT_EQ(sent, direct + stat(0, IVSHM_A_STAT_DROP_RATE) +
		  stat(0, IVSHM_A_STAT_DROP_FULL));
	while (guest_recv(&c->q[0], &f, 50) == 1)
		;
}

TEST_F_TIMEOUT(mq, storm_drop, TIMEOUT)
{
	run_storm(_metadata, self, "rate-frames 2000 full drop");
}

TEST_F_TIMEOUT(mq, storm_park, TIMEOUT)
{
	run_storm(_metadata, self, "rate-frames 2000 full park");
}

struct changer {
	struct vm *vm;
	bool done;
	int err;
};

static void *changes(void *arg)
{
	struct changer *c = arg;
	int i, j;

	for (i = 0; i < (env_debug() ? 5 : 30) && !c->err; i++) {
		for (j = c->vm->nr - 1; j > 0 && !c->err; j--)
			c->err = tap_queue(&c->vm->q[j], false);
		usleep(rnd() % 15000);
		for (j = 1; j < c->vm->nr && !c->err; j++)
			c->err = tap_queue(&c->vm->q[j], true);
		usleep(rnd() % 15000);
	}
	__atomic_store_n(&c->done, true, __ATOMIC_RELEASE);
	return NULL;
}

/* The receiver's queues, and the rate, change while frames wait for it: all in order. */
TEST_F_TIMEOUT(mq, changes, TIMEOUT)
{
	static struct flow flow[FLOWS];
	struct changer c = { .vm = &self->vm[1] };
	pthread_t t;
	int i;

	learn(_metadata, self);
	limit(_metadata, "rate-frames 5k " PATIENT);
	flow_begin(flow, FLOWS, &self->vm[0], &self->vm[1], 0);
	for (i = 0; i < FLOWS; i++)
		flow[i].moves = true;
	ASSERT_EQ(0, pthread_create(&t, NULL, changes, &c));
	for (i = 0; !__atomic_load_n(&c.done, __ATOMIC_ACQUIRE); i++) {
		flow_send(flow, FLOWS, 1 + rnd() % 8);
		flow_take_in_order(_metadata, &self->vm[1], flow, FLOWS);
		usleep(200);
		/* None at times: those that wait are not overtaken then. */
		if (i % 200 == 100)
			ASSERT_EQ(0, tool("ivmctl coupling change lan0 rate-frames %s",
					  i % 400 == 100 ? "none" : "5k"));
	}
	pthread_join(t, NULL);
	EXPECT_EQ(0, c.err);
	flow_settle(_metadata, flow, FLOWS);
	EXPECT_LT(env_debug() ? 100 : 500, all_sent(flow, FLOWS));
	EXPECT_LT(env_debug() ? 10 : 50, stat(0, IVSHM_A_STAT_PARKED));
	EXPECT_EQ(0, stat(0, IVSHM_A_STAT_DROP_RATE));
}

/* A queue stops with frames that wait for the rate: at once, and the others go on. */
TEST_F_TIMEOUT(mq, stopped, TIMEOUT)
{
	struct vm *a = &self->vm[0], *c = &self->vm[2];
	static struct guest_frame f;
	__u8 frame[100];
	__u64 begin;
	int i, n;

	learn(_metadata, self);
	limit(_metadata, "rate-frames 1 " PATIENT);
	frame_make(frame, sizeof(frame), c->q[0].mac, a->q[0].mac, 1, 1);
	/* One has all that there is at once, so that the other two wait. */
	for (i = 0; i < IVSHM_RATE_BURST_FRAMES + 1; i++)
		ASSERT_EQ(0, guest_send(&a->q[0], NULL, frame, sizeof(frame)));
	for (n = 0; guest_recv(&c->q[0], &f, n ? 200 : 2000) == 1; )
		n++;
	EXPECT_LE(IVSHM_RATE_BURST_FRAMES, n);
	for (i = 1; i < 3; i++)
		for (n = 0; n < 20; n++)
			ASSERT_EQ(0, guest_send(&a->q[i], NULL, frame, sizeof(frame)));
	usleep(100000);
	begin = now_ms();
	ASSERT_EQ(0, guest_stop(&a->q[1]));
	EXPECT_GT(begin + (env_debug() ? 800 : 400), now_ms());
	/* None is left behind, and each is done once. */
	EXPECT_EQ(0, guest_tx_drain(&a->q[1], 0));
	EXPECT_LE(19, stat(0, IVSHM_A_STAT_DROP_RATE));
	ASSERT_EQ(0, tool("ivmctl coupling change lan0 rate-frames none"));
	EXPECT_EQ(0, guest_tx_drain(&a->q[2], 2000));
	while (guest_recv(&c->q[0], &f, 100) == 1)
		;
	ASSERT_EQ(0, guest_start(&a->q[1]));
	EXPECT_EQ(0, guest_pass(&a->q[1], &c->q[0], 100, 7));
	EXPECT_EQ(0, guest_pass(&a->q[2], &c->q[0], 100, 8));
	/* With its file closed no less. */
	ASSERT_EQ(0, tool("ivmctl coupling change lan0 rate-frames 1"));
	for (n = 0; n < IVSHM_RATE_BURST_FRAMES + 20; n++)
		ASSERT_EQ(0, guest_send(&a->q[3], NULL, frame, sizeof(frame)));
	usleep(100000);
	close(a->q[3].fd);
	a->q[3].fd = -1;
	a->q[3].running = false;
	ASSERT_EQ(0, tool("ivmctl coupling change lan0 rate-frames none"));
	while (guest_recv(&c->q[0], &f, 100) == 1)
		;
	EXPECT_EQ(0, guest_pass(&a->q[2], &c->q[0], 100, 9));
}

TEST_HARNESS_MAIN
