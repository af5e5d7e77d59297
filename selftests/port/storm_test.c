// SPDX-License-Identifier: GPL-2.0
/*
 * Changes without end under traffic: by a guest to what is being read, by a VMM to
 * rings, memory and backends.
 *
 *   a, tap0 ---+
 *   b, tap1 ---+--- lan0, static
 *   c, tap2 ---+
 *
 *   IVSHM_STORM=N   N rounds of what is otherwise done for some seconds
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "kselftest_harness.h"
#include "env.h"
#include "guest.h"

#define TIMEOUT	7200
#define STORM	3000	/* ms */
#define LEN	200
#define CANARY	0x3c

FIXTURE(storm) {
	struct guest a, b, c;
	bool done;
	pthread_t thread;
};

static int one(struct guest *g, const char *tap)
{
	/* They take no offloads: their headers say nothing, ever. */
	struct guest_config c = { .tap = tap, .slot = { 4096, 4096 }, .no_offload = true };

	return guest_up(g, &c);
}

FIXTURE_SETUP(storm)
{
	struct guest *g[] = { &self->a, &self->b, &self->c };
	static struct guest_frame f;
	__u8 frame[60];
	int i;

	ASSERT_EQ(0, env_setup());
	ASSERT_EQ(0, one(&self->a, "tap0"));
	ASSERT_EQ(0, one(&self->b, "tap1"));
	ASSERT_EQ(0, one(&self->c, "tap2"));
	ASSERT_EQ(0, ctl_couple("lan0", IVSHM_COUPLING_STATIC, NULL, "tap0", "tap1", "tap2",
				NULL));
	for (i = 0; i < 3; i++) {
		frame_make(frame, sizeof(frame), mac_broadcast, g[i]->mac, 0, i);
		ASSERT_EQ(0, guest_send(g[i], NULL, frame, sizeof(frame)));
		ASSERT_EQ(1, guest_recv(g[(i + 1) % 3], &f, 5000));
		ASSERT_EQ(1, guest_recv(g[(i + 2) % 3], &f, 5000));
	}
	ASSERT_EQ(0, guest_pass_both(&self->b, &self->c, 5));
}

FIXTURE_TEARDOWN(storm)
{
	EXPECT_EQ(0, guest_stop(&self->a));
	EXPECT_EQ(0, guest_stop(&self->b));
	EXPECT_EQ(0, guest_stop(&self->c));
	EXPECT_EQ(0, self->b.faults);
	EXPECT_EQ(0, self->c.faults);
	guest_close(&self->a);
	guest_close(&self->b);
	guest_close(&self->c);
}

static bool done(FIXTURE_DATA(storm) * self)
{
	return __atomic_load_n(&self->done, __ATOMIC_ACQUIRE);
}

static void end(FIXTURE_DATA(storm) * self)
{
	__atomic_store_n(&self->done, true, __ATOMIC_RELEASE);
	pthread_join(self->thread, NULL);
}

/* So many rounds, or as many as there is time for. */
static bool more(unsigned int round, __u64 start)
{
	const char *rounds = getenv("IVSHM_STORM");

	return rounds ? round < atoi(rounds) : now_ms() < start + STORM;
}

/*
 * A second processor of guest a, which changes headers and destinations of frames
 * while they are being read. Nothing else: the rings stay in order.
 */
static void *rewrite(void *arg)
{
	FIXTURE_DATA(storm) * self = arg;
	struct guest_ring *r = &self->a.ring[GUEST_TX];

	while (!done(self)) {
		__u8 *at = r->slots + (size_t)(rnd() % r->nr_slots) * r->slot_size;
		/* Behind the header, which is a piece of its own, is a gap. */
		__u8 *eth = at + self->a.hdr_len + GUEST_GAP;
		struct virtio_net_hdr h = {
			rnd() & 7, rnd() & 7, rnd() & 255, rnd() & 2047, rnd() & 255, rnd() & 63,
		};

		memcpy(at, &h, sizeof(h));
		memcpy(eth, rnd() & 1 ? self->b.mac : self->c.mac, 6);
	}
	return NULL;
}

/* What comes was decided by what came. */
static unsigned int expect_own(struct __test_metadata *_metadata, struct guest *g)
{
	static const struct virtio_net_hdr none;
	static struct guest_frame f;
	unsigned int n = 0;

	while (guest_pending(g, GUEST_RX)) {
		if (guest_recv(g, &f, 0) != 1)
			break;
		n++;
		EXPECT_EQ(0, memcmp(f.data, g->mac, 6));
		EXPECT_EQ(0, memcmp(&f.hdr.hdr, &none, sizeof(none)));
		EXPECT_GE(LEN, f.len);
	}
	return n;
}

TEST_F_TIMEOUT(storm, headers, TIMEOUT)
{
	unsigned int round, i, b = 0, c = 0;
	__u64 start = now_ms();
	__u8 frame[LEN];

	/* What the other thread writes is no fault of the device. */
	self->a.lax = true;
	ASSERT_EQ(0, pthread_create(&self->thread, NULL, rewrite, self));
	for (round = 0; more(round, start); round++) {
		for (i = 0; i < 32; i++) {
			const __u32 piece = self->a.hdr_len;

			frame_make(frame, LEN, self->b.mac, self->a.mac, 1, i);
			guest_send_pieces(&self->a, NULL, frame, LEN, &piece, 1, GUEST_MORE);
		}
		guest_publish(&self->a, GUEST_TX);
		guest_tx_drain(&self->a, 5000);
		b += expect_own(_metadata, &self->b);
		c += expect_own(_metadata, &self->c);
		ASSERT_TRUE(_metadata->passed);
	}
	end(self);
	/* Those that took a kernel buffer come after the sender was done with. */
	do {
		usleep(100000);
		i = expect_own(_metadata, &self->b) + expect_own(_metadata, &self->c);
		b += i;
	} while (i);
	TH_LOG("%u rounds, %u and %u frames", round, b, c);
	EXPECT_LT(100, b);
	EXPECT_LT(10, c);
	EXPECT_EQ(0, self->a.faults);
	ASSERT_EQ(0, guest_pass_both(&self->b, &self->c, 5));
}

/* The same with descriptors and indices: the ring breaks, and nothing else. */
static void *scribble(void *arg)
{
	FIXTURE_DATA(storm) * self = arg;

	while (!done(self)) {
		struct guest_ring *r = &self->a.ring[rnd() & 1];
		struct vring_desc *d = &r->desc[rnd() & (r->num - 1)];

		switch (rnd() % 5) {
		case 0:
			d->len = rnd();
			break;
		case 1:
			d->addr = GUEST_GPA + rnd() % (2 * self->a.size);
			break;
		case 2:
			d->flags = rnd() & 7;
			break;
		case 3:
			d->next = rnd();
			break;
		case 4:
			r->avail->ring[rnd() & (r->num - 1)] = rnd();
			break;
		}
	}
	return NULL;
}

TEST_F_TIMEOUT(storm, descriptors, TIMEOUT)
{
	unsigned int round, i, broken = 0;
	struct guest *a = &self->a;
	__u64 start = now_ms();
	__u8 frame[LEN];

	ASSERT_EQ(0, pthread_create(&self->thread, NULL, scribble, self));
	for (round = 0; more(round, start); round++) {
		/* Frames to and from it, posted as the other thread leaves them. */
		for (i = 0; i < 64; i++) {
			guest_post_raw(a, GUEST_TX, rnd() & 255);
			frame_make(frame, LEN, a->mac, self->b.mac, 1, i);
			guest_send(&self->b, NULL, frame, LEN);
		}
		guest_publish(a, GUEST_TX);
		guest_kick(a, GUEST_RX);
		ASSERT_EQ(0, guest_tx_drain(&self->b, 5000));
		/* The others do not notice, whatever it sends them. */
		self->b.lax = true;
		while (guest_pending(&self->b, GUEST_RX)) {
			static struct guest_frame f;

			guest_recv(&self->b, &f, 0);
		}
		broken += guest_error(a, GUEST_RX) + guest_error(a, GUEST_TX);
		ASSERT_EQ(0, guest_stop(a));
		guest_reset_rings(a);
		ASSERT_EQ(0, guest_start(a));
		guest_rx_fill(a, 256, 4000);
	}
	end(self);
	TH_LOG("%u rounds, %u rings broke", round, broken);
	EXPECT_LT(0, broken);
	ASSERT_EQ(0, guest_stop(a));
	guest_reset_rings(a);
	ASSERT_EQ(0, guest_start(a));
	guest_rx_fill(a, 256, 4000);
}

/* Frames to guest a for as long as it lasts, by a thread of guest b. */
static void *flood(void *arg)
{
	FIXTURE_DATA(storm) * self = arg;
	__u8 frame[LEN];
	__u32 seq = 0;

	frame_make(frame, LEN, self->a.mac, self->b.mac, 1, 0);
	while (!done(self)) {
		memcpy(frame + ETH_HLEN + 4, &seq, 4);
		if (guest_send(&self->b, NULL, frame, LEN))
			guest_wait(&self->b, GUEST_TX, 10);
		/* Not so many that all buffers are used up at once. */
		else if (++seq % 8 == 0)
			usleep(500);
	}
	return NULL;
}

/* Frames for guest a are flooded while it is away. */
static void expect_sound(struct __test_metadata *_metadata, FIXTURE_DATA(storm) * self)
{
	static struct guest_frame f;

	ASSERT_EQ(0, guest_tx_drain(&self->b, 5000));
	while (guest_recv(&self->c, &f, 50) == 1)
		;
	ASSERT_EQ(0, guest_pass_both(&self->b, &self->c, 5));
}

/* Takes back what the device completed: each chain once. */
static unsigned int reap(struct guest *g)
{
	unsigned int n = 0;
	__u32 len;

	while (guest_reap(g, GUEST_RX, &len) >= 0)
		n++;
	return n;
}

static void restart(struct __test_metadata *_metadata, struct guest *g)
{
	guest_reset_rings(g);
	ASSERT_EQ(0, guest_start(g));
	guest_rx_fill(g, 256, 4000);
}

static void expect_canary(struct __test_metadata *_metadata, const __u8 *at, size_t len)
{
	size_t i;

	for (i = 0; i < len && at[i] == CANARY; i++)
		;
	EXPECT_EQ(len, i);
}

/* Rings and buffers somewhere else: the old ones are not touched any more. */
TEST_F_TIMEOUT(storm, places, TIMEOUT)
{
	struct guest *a = &self->a;
	struct guest_ring *r = &a->ring[GUEST_RX];
	size_t ring_len = (__u8 *)r->used + 6 + 8 * r->num - (__u8 *)r->desc, len;
	__u8 *old_slots = guest_slot_pages(a, GUEST_RX, &len), *slots, *ring;
	unsigned int round, n = 0;
	__u64 start = now_ms();

	slots = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ring = mmap(NULL, ring_len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, slots);
	ASSERT_NE(MAP_FAILED, ring);
	ASSERT_EQ(0, pthread_create(&self->thread, NULL, flood, self));
	for (round = 0; more(round, start); round++) {
		struct {
			struct vhost_memory head;
			struct vhost_memory_region region;
		} table = {
			.head.nregions = 1,
			.region = {
				guest_gpa(a, old_slots), len, (uintptr_t)slots, 0,
			},
		};
		struct vhost_vring_addr addr = {
			.index = GUEST_RX,
			.desc_user_addr = (uintptr_t)ring,
			.avail_user_addr = (uintptr_t)ring + ((__u8 *)r->avail - (__u8 *)r->desc),
			.used_user_addr = (uintptr_t)ring + ((__u8 *)r->used - (__u8 *)r->desc),
		};

		usleep(rnd() % 2000);
		if (round & 1) {
			ASSERT_EQ(0, ioctl(a->fd, VHOST_SET_MEM_TABLE, &table));
			memset(old_slots, CANARY, len);
			memset(slots, 0, len);
		} else {
			memcpy(ring, r->desc, ring_len);
			ASSERT_EQ(0, ioctl(a->fd, VHOST_SET_VRING_ADDR, &addr));
			memset(r->desc, CANARY, ring_len);
		}
		usleep(2000 + rnd() % 5000);
		if (round & 1) {
			expect_canary(_metadata, old_slots, len);
			/* And frames went on coming, to where they belong now. */
			n += !!memchr(slots, self->a.mac[5], len);
		} else {
			expect_canary(_metadata, (__u8 *)r->desc, ring_len);
		}
		ASSERT_EQ(0, guest_stop(a));
		restart(_metadata, a);
	}
	end(self);
	TH_LOG("%u rounds, frames in %u", round, n);
	EXPECT_LT(round / 8, n);
	munmap(slots, len);
	munmap(ring, ring_len);
	expect_sound(_metadata, self);
}

/* Backends come, change and go, owners and files too, with frames in flight. */
TEST_F_TIMEOUT(storm, teardowns, TIMEOUT)
{
	unsigned int round, n = 0, kind[5] = {};
	struct guest *a = &self->a;
	__u64 start = now_ms();
	int spare;

	spare = guest_tap("tap9", 12, 0, "br0");
	ASSERT_LE(0, spare);
	ASSERT_EQ(0, pthread_create(&self->thread, NULL, flood, self));
	for (round = 0; more(round, start); round++) {
		__u16 used;

		usleep(rnd() % 3000);
		kind[round % 5]++;
		switch (round % 5) {
		case 0:
			ASSERT_EQ(0, guest_stop(a));
			break;
		case 1:
			/* Another tap, at once; it is no member. */
			ASSERT_EQ(0, guest_set_backend(a, GUEST_RX, spare));
			ASSERT_EQ(0, guest_set_backend(a, GUEST_TX, spare));
			ASSERT_EQ(0, guest_stop(a));
			break;
		case 2:
			ASSERT_EQ(0, ioctl(a->fd, VHOST_RESET_OWNER));
			ASSERT_EQ(0, ioctl(a->fd, VHOST_SET_OWNER));
			break;
		case 3:
			close(a->fd);
			a->fd = open(IVSHM_DEV, O_RDWR | O_CLOEXEC);
			ASSERT_LE(0, a->fd);
			ASSERT_EQ(0, ioctl(a->fd, VHOST_SET_OWNER));
			break;
		case 4:
			ASSERT_EQ(0, guest_set_backend(a, GUEST_RX, -1));
			ASSERT_EQ(0, guest_set_backend(a, GUEST_RX, a->tap));
			usleep(rnd() % 1000);
			ASSERT_EQ(0, guest_stop(a));
			break;
		}
		/* Nothing is completed from now on, and nothing was twice. */
		used = __atomic_load_n(&a->ring[GUEST_RX].used->idx, __ATOMIC_RELAXED);
		n += reap(a);
		ASSERT_EQ(0, a->faults);
		usleep(rnd() % 500);
		ASSERT_EQ(used, __atomic_load_n(&a->ring[GUEST_RX].used->idx, __ATOMIC_RELAXED));
		restart(_metadata, a);
	}
	end(self);
	TH_LOG("%u rounds, %u frames", round, n);
	EXPECT_LT(round, n);
	close(spare);
	expect_sound(_metadata, self);
}

TEST_HARNESS_MAIN
