// SPDX-License-Identifier: GPL-2.0
/*
 * The ring against a guest that runs at the same time on another CPU.
 *
 *   vring_stress honest [SECONDS]	the guest keeps the rules: nothing is
 *					lost, and nobody waits for ever for a
 *					notification that was due
 *   vring_stress hostile [SECONDS]	the guest rewrites descriptors, indices
 *					and flags while they are read: what was
 *					checked is what is used
 *
 * Build with ASan and UBSan: a value that was read twice shows as an access out
 * of bounds, or as a chain that contradicts itself.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "vring_mock.h"

#define NUM		64
/* A notification later than this was never sent. */
#define LOST_MS		2000

static struct mock_ring r;
static bool stop;
static bool failed;
static unsigned int seconds = 3;

static void fail(const char *fmt, ...)
{
	va_list args;

	if (__atomic_exchange_n(&failed, true, __ATOMIC_SEQ_CST))
		return;
	va_start(args, fmt);
	printf("# ");
	vprintf(fmt, args);
	printf("\n");
	va_end(args);
	WRITE_ONCE(stop, true);
}

static u32 random_next(u64 *state)
{
	*state = *state * 6364136223846793005ULL + 1442695040888963407ULL;
	return *state >> 32;
}

static void *timer(void *arg)
{
	(void)arg;
	for (unsigned int i = 0; i < seconds * 100 && !READ_ONCE(stop); i++)
		usleep(10000);
	WRITE_ONCE(stop, true);
	return NULL;
}

/* --- a guest that keeps the rules ----------------------------------------- */

static int kick_fd, call_fd;

static void notify(int fd)
{
	u64 one = 1;

	if (write(fd, &one, sizeof(one)) != sizeof(one))
		fail("eventfd: %s", strerror(errno));
}

/* False if no notification came although @who needs one. */
static bool wait_for(int fd, const char *who)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	u64 n;

	if (poll(&p, 1, LOST_MS) == 1) {
		if (read(fd, &n, sizeof(n)) != sizeof(n))
			fail("eventfd: %s", strerror(errno));
		return true;
	}
	fail("%s waited in vain: avail %u used %u", who, r.m.avail_idx,
	     r.vr.last_used);
	return false;
}

static u64 sent, returned;

/* Did the device wish to hear of [old, new)?  The driver's half of 2.7.10. */
static bool driver_must_kick(u16 old, u16 new)
{
	/* The available index before the device's wish */
	smp_mb();
	if (!r.vr.event_idx)
		return !(mock_used_flags(&r.m) & VRING_USED_F_NO_NOTIFY);
	return (u16)(new - mock_avail_event(&r.m) - 1) < (u16)(new - old);
}

/* Ask for a notification; true if there already is something. */
static bool driver_enable_call(u16 seen)
{
	if (r.vr.event_idx)
		mock_set_used_event(&r.m, seen);
	else
		mock_set_avail_flags(&r.m, 0);
	/* Our wish before the used index */
	smp_mb();
	return mock_used_idx(&r.m) != seen;
}

static void *driver(void *arg)
{
	u64 state = 1;
	u16 seen = r.m.avail_idx;
	u16 kicked = seen;

	(void)arg;
	while (!READ_ONCE(stop)) {
		u32 batch = random_next(&state) % 8 + 1;

		/* Each buffer says in its length which one it is. */
		while (batch-- && sent - returned < NUM) {
			u32 id = sent % NUM;

			mock_desc(&r.m, id, MOCK_DATA + sent, id + 1, 0, 0);
			mock_put16(&r.m, r.m.avail + 4 +
				   2 * (r.m.avail_idx % NUM), id);
			/* Entries before the index that covers them */
			smp_wmb();
			mock_set_avail_idx(&r.m, r.m.avail_idx + 1);
			sent++;
		}
		if (driver_must_kick(kicked, r.m.avail_idx))
			notify(kick_fd);
		kicked = r.m.avail_idx;

		if (!r.vr.event_idx)
			mock_set_avail_flags(&r.m, VRING_AVAIL_F_NO_INTERRUPT);
		while (seen != mock_used_idx(&r.m)) {
			/* The index before the entries it covers */
			smp_rmb();
			if (mock_used_id(&r.m, seen) != returned % NUM ||
			    mock_used_len(&r.m, seen) != (u32)returned)
				fail("buffer %llu came back as %u, %u", returned,
				     mock_used_id(&r.m, seen),
				     mock_used_len(&r.m, seen));
			returned++;
			seen++;
		}
		if (sent - returned == NUM && !driver_enable_call(seen) &&
		    !wait_for(call_fd, "driver"))
			break;
	}
	/* Whoever waits at the end is let go. */
	notify(kick_fd);
	return NULL;
}

static void device(void)
{
	struct ivshm_vring_used used[16];
	u32 taken = 0, n;
	int err;

	while (!READ_ONCE(stop)) {
		ivshm_vring_disable_kick(&r.vr);
		do {
			for (n = 0; n < 16; n++) {
				err = mock_ring_pop(&r);
				if (err)
					break;
				if (r.segs[0].addr != MOCK_DATA + taken ||
				    r.chain.head != taken % NUM ||
				    r.chain.out_len != taken % NUM + 1)
					fail("buffer %u is %u at %llx", taken,
					     r.chain.head, r.segs[0].addr);
				used[n].id = r.chain.head;
				used[n].len = taken++;
			}
			ivshm_vring_push(&r.vr, used, n);
			if (n && ivshm_vring_should_signal(&r.vr))
				notify(call_fd);
		} while (n);
		if (err != -ENOENT)
			fail("pop: %d", err);
		if (!ivshm_vring_enable_kick(&r.vr) && !READ_ONCE(stop) &&
		    !wait_for(kick_fd, "device"))
			break;
	}
}

/* With flags, or with events */
static void honest(u32 features)
{
	pthread_t drv, tmr;

	stop = false;
	sent = 0;
	returned = 0;
	mock_ring_init(&r, NUM, MOCK_LE | features);
	if (mock_ring_map(&r))
		fail("cannot map");
	mock_ring_start(&r, 65000);
	kick_fd = eventfd(0, 0);
	call_fd = eventfd(0, 0);
	pthread_create(&tmr, NULL, timer, NULL);
	pthread_create(&drv, NULL, driver, NULL);
	device();
	notify(call_fd);
	pthread_join(drv, NULL);
	pthread_join(tmr, NULL);
	close(kick_fd);
	close(call_fd);
	printf("# %llu buffers with %s\n", returned,
	       features & MOCK_EVENT_IDX ? "events" : "flags");
	if (returned < 1000)
		fail("too few");
	mock_ring_exit(&r);
}

/* --- a guest that does not ------------------------------------------------ */

#define TABLE_ENTRIES	48
/* Bits of an address that say which descriptor it came from */
#define DESC_ADDR(i)	(MOCK_DATA + ((u64)(i) << 32))

static void scribble16(u64 gpa, u16 val)
{
	mock_put16(&r.m, gpa, val);
}

static void scribble32(u64 gpa, u32 val)
{
	u32 *p = mock_at(&r.m, gpa);

	WRITE_ONCE(*p, val);
}

/*
 * Mostly good values, some out of bounds: the walk gets far before it ends.
 * Descriptor @i keeps DESC_ADDR(i) in the upper half of its address, unless it
 * leads to the table.
 */
static void scribble_desc(u64 gpa, u32 i, u32 count, u64 *state)
{
	u32 n = random_next(state);
	bool good = n & 0xf0;

	switch (n % 4) {
	case 0:
		scribble32(gpa + 8, good ? n >> 16 & 0x3f0 : n >> 2);
		break;
	case 1:
		scribble16(gpa + 12, good ? n >> 16 & 3 : n >> 16);
		break;
	case 2:
		scribble16(gpa + 14, good ? (n >> 16) % count : n >> 16);
		break;
	case 3:
		if (i < NUM ? n & 0x700 : good)
			mock_write_desc(&r.m, gpa, DESC_ADDR(i) + (n >> 12), 64,
					n >> 16 & 3, (n >> 18) % count);
		else
			mock_write_desc(&r.m, gpa, MOCK_TABLE,
					16 * TABLE_ENTRIES,
					VRING_DESC_F_INDIRECT, 0);
		break;
	}
}

static void *scribbler(void *arg)
{
	u64 state = (uintptr_t)arg;

	while (!READ_ONCE(stop)) {
		u32 n = random_next(&state), i;

		switch (n % 8) {
		default:
			i = (n >> 8) % NUM;
			scribble_desc(r.m.desc + 16 * i, i, NUM, &state);
			break;
		case 3:
		case 4:
			i = (n >> 8) % TABLE_ENTRIES;
			scribble_desc(MOCK_TABLE + 16 * i, NUM + i,
				      TABLE_ENTRIES, &state);
			break;
		case 5:
			scribble16(r.m.avail + 4 + 2 * ((n >> 8) % NUM),
				   n & 0xf0 ? (n >> 16) % NUM : n >> 16);
			break;
		case 6:
			if (!(n & 0x3f0))
				scribble16(r.m.avail + 2, n >> 16);
			break;
		case 7:
			scribble16(r.m.avail, n >> 16);
			scribble16(r.m.used + 2, n >> 8);
			mock_set_used_event(&r.m, n >> 10);
			break;
		}
	}
	return NULL;
}

/* Does the chain agree with itself?  The guest wrote all of it. */
static void check_chain(void)
{
	u32 nr = r.chain.nr_out + r.chain.nr_in;
	u64 first = r.segs[0].addr;
	u64 out = 0, in = 0;
	u32 i;

	if (r.chain.head >= NUM)
		fail("head %u", r.chain.head);
	/* No descriptor of length zero, no table: the first is the head. */
	if (nr && nr == r.chain.nr_desc && first >= DESC_ADDR(0) &&
	    first < DESC_ADDR(NUM) && first >> 32 != DESC_ADDR(r.chain.head) >> 32)
		fail("head %u, but a segment of another: %llx", r.chain.head,
		     first);
	if (nr > IVSHM_VRING_MAX_SEGS)
		fail("%u + %u segments", r.chain.nr_out, r.chain.nr_in);
	for (i = 0; i < r.chain.nr_out; i++)
		out += r.segs[i].len;
	for (; i < nr; i++)
		in += r.segs[i].len;
	if (out != r.chain.out_len || in != r.chain.in_len)
		fail("lengths %llu %llu, not %u %u", out, in, r.chain.out_len,
		     r.chain.in_len);
	for (i = 0; i < nr; i++)
		if (!r.segs[i].len || r.segs[i].addr + r.segs[i].len <
				      r.segs[i].addr)
			fail("segment %u: %llx + %x", i, r.segs[i].addr,
			     r.segs[i].len);
}

static void hostile(void)
{
	u64 taken = 0, refused = 0, state = 7;
	pthread_t drv, tmr;
	u32 i;

	mock_ring_init(&r, NUM, MOCK_LE | MOCK_EVENT_IDX | MOCK_INDIRECT);
	if (mock_ring_map(&r))
		fail("cannot map");
	for (i = 0; i < NUM; i++) {
		mock_desc(&r.m, i, DESC_ADDR(i), 64, 0, (i + 1) % NUM);
		mock_write_desc(&r.m, MOCK_TABLE + 16 * i, DESC_ADDR(NUM + i),
				64, 0, (i + 1) % TABLE_ENTRIES);
	}
	mock_ring_start(&r, 0);
	pthread_create(&tmr, NULL, timer, NULL);
	pthread_create(&drv, NULL, scribbler, (void *)5);

	while (!READ_ONCE(stop)) {
		int err = ivshm_vring_pop(&r.vr, &r.chain, r.segs,
					  random_next(&state) % 16 ? NUM : 1);

		if (!err) {
			check_chain();
			taken++;
			mock_ring_push(&r, r.chain.head, r.chain.in_len);
			if (r.vr.last_used % 4 == 0)
				ivshm_vring_should_signal(&r.vr);
			if (r.vr.last_used % 16 == 0)
				ivshm_vring_unpop(&r.vr, 1);
		} else if (err == -EINVAL) {
			refused++;
			if (!r.vr.broken)
				fail("refused, but not broken");
			r.vr.event_idx = random_next(&state) & 1;
			if (ivshm_vring_begin(&r.vr, 1))
				fail("begin");
			ivshm_vring_start(&r.vr, random_next(&state));
			mock_set_avail_idx(&r.m, r.vr.last_avail + NUM);
		} else if (err == -ENOENT) {
			mock_set_avail_idx(&r.m, r.vr.last_avail + NUM);
		} else if (err != -ENOSPC) {
			fail("pop: %d", err);
		}
		ivshm_vring_disable_kick(&r.vr);
		ivshm_vring_enable_kick(&r.vr);
		ivshm_vring_pending(&r.vr);
	}
	pthread_join(drv, NULL);
	pthread_join(tmr, NULL);
	printf("# %llu chains taken, %llu refused\n", taken, refused);
	/* Else there was no race worth the name. */
	if (taken < 1000 || refused < 1000)
		fail("too few");
	mock_ring_exit(&r);
}

int main(int argc, char **argv)
{
	if (argc > 2)
		seconds = atoi(argv[2]);

	if (argc > 1 && !strcmp(argv[1], "honest")) {
		honest(0);
		honest(MOCK_EVENT_IDX);
	} else if (argc > 1 && !strcmp(argv[1], "hostile")) {
		hostile();
	} else {
		fprintf(stderr, "usage: vring_stress honest|hostile [SECONDS]\n");
		return 2;
	}
	return failed;
}
