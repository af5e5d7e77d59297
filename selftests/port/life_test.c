// SPDX-License-Identifier: GPL-2.0
/*
 * What happens to guests and their taps in a life: a coupling that was declared
 * once engages again each time, without a word from anybody, and each change is
 * told. The order of ioctls is QEMU's.
 *
 *   guest a --- tap0 ---+
 *   guest b --- tap1 ---+--- br0
 *
 * Taps are persistent, as those of libvirt: VMMs open and close them.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include "kselftest_harness.h"
#include "env.h"
#include "guest.h"

#define TIMEOUT	120
#define TOLD	5000	/* ms until an event has come */

struct nl_sock;

FIXTURE(life) {
	struct guest a, b;
	struct nl_sock *events;
	__u8 mac[6];		/* of b, in all its lives */
};

static __u8 frame[1500];
static struct guest_frame got;

static int sh(const char *fmt, ...)
{
	char command[400];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(command, sizeof(command), fmt, ap);
	va_end(ap);
	return system(command);
}

/* A VMM starts: it opens the tap that is there. */
static int vmm_up(struct guest *g, const char *tap, const __u8 *mac)
{
	struct guest_config c = { .tap = tap };
	int err;

	err = guest_up(g, &c);
	if (!err)
		memcpy(g->mac, mac, 6);
	return err ?: env_forwarding(tap);
}

static int tap_make(const char *tap)
{
	int fd = guest_tap(tap, 12, 0, "br0");

	if (fd < 0)
		return fd;
	if (ioctl(fd, TUNSETPERSIST, 1))
		return -errno;
	close(fd);
	return 0;
}

/* Both directions go direct; frames arrive in any case. */
static void joined(struct __test_metadata *_metadata, FIXTURE_DATA(life) * self)
{
	__u32 state[2] = {}, reason[2] = {}, seq = 0;
	__u64 end = now_ms() + 10000;

	do {
		ASSERT_EQ(0, guest_pass(&self->b, &self->a, 100, seq++));
		ASSERT_EQ(0, guest_pass(&self->a, &self->b, 100, seq++));
		ASSERT_EQ(0, ctl_pair("lan0", "tap0", "tap1", &state[0], &reason[0]));
		ASSERT_EQ(0, ctl_pair("lan0", "tap1", "tap0", &state[1], &reason[1]));
	} while ((state[0] != IVSHM_PAIR_COUPLED || state[1] != IVSHM_PAIR_COUPLED) &&
		 now_ms() < end);
	ASSERT_EQ(IVSHM_PAIR_COUPLED, state[0])
		TH_LOG("reason %u", reason[0]);
	ASSERT_EQ(IVSHM_PAIR_COUPLED, state[1])
		TH_LOG("reason %u", reason[1]);
	ASSERT_EQ(0, guest_pass_both(&self->a, &self->b, 10));
}

#define PORT_TOLD(state, reason) \
	EXPECT_EQ(0, ctl_heard(self->events, "tap1", IVSHM_PORT_##state, \
			       IVSHM_REASON_##reason, TOLD))
#define PAIR_TOLD(state, reason) \
	EXPECT_EQ(0, ctl_heard_pair(self->events, "tap0", "tap1", IVSHM_PAIR_##state, \
				    IVSHM_REASON_##reason, TOLD))

/* It may have been apart for a moment before, for another reason. */
static void parted(struct __test_metadata *_metadata, FIXTURE_DATA(life) * self, __u32 why)
{
	__u32 state, reason;

	EXPECT_EQ(0, ctl_heard_pair(self->events, "tap0", "tap1", IVSHM_PAIR_UPLINK,
				    CTL_ANY, TOLD));
	ASSERT_EQ(0, ctl_pair("lan0", "tap0", "tap1", &state, &reason));
	EXPECT_EQ(IVSHM_PAIR_UPLINK, state);
	EXPECT_EQ(why, reason);
}

FIXTURE_SETUP(life)
{
	static const __u8 mac[2][6] = { { 0x52, 0x54, 0, 1, 0, 1 }, { 0x52, 0x54, 0, 1, 0, 2 } };

	ASSERT_EQ(0, env_setup());
	memcpy(self->mac, mac[1], 6);
	ASSERT_EQ(0, tap_make("tap0"));
	ASSERT_EQ(0, tap_make("tap1"));
	self->events = ctl_listen();
	ASSERT_NE(NULL, self->events);
	ASSERT_EQ(0, ctl_couple("lan0", IVSHM_COUPLING_DYNAMIC, NULL, "tap0", "tap1", NULL));
	ASSERT_EQ(0, vmm_up(&self->a, "tap0", mac[0]));
	ASSERT_EQ(0, vmm_up(&self->b, "tap1", mac[1]));
	PORT_TOLD(RUNNING, NONE);
	joined(_metadata, self);
	PAIR_TOLD(COUPLED, TRAFFIC);
}

FIXTURE_TEARDOWN(life)
{
	EXPECT_EQ(0, guest_stop(&self->a));
	EXPECT_EQ(0, guest_stop(&self->b));
	EXPECT_EQ(0, self->a.faults + self->b.faults);
	guest_close(&self->a);
	guest_close(&self->b);
	EXPECT_EQ(0, ctl_uncouple("lan0"));
}

/* Frames for somebody who is not there: they go, and nobody waits for them. */
static void into_the_void(struct __test_metadata *_metadata, FIXTURE_DATA(life) * self)
{
	unsigned int i;

	for (i = 0; i < 20; i++) {
		frame_make(frame, 300, self->mac, self->a.mac, 9, i);
		ASSERT_EQ(0, guest_send(&self->a, NULL, frame, 300));
	}
	ASSERT_EQ(0, guest_tx_drain(&self->a, 5000));
}

/* Late frames, from the tap's queue. */
static void late(struct guest *g)
{
	while (guest_recv(g, &got, 30) == 1)
		;
}

/* The driver is another one, and negotiates anew. */
static int renegotiate(struct guest *g, __u64 features)
{
	int q, size;

	g->c.features = features;
	g->hdr_len = features & (F_MODERN | F_MRG) ? 12 : 10;
	for (q = 0; q < GUEST_QUEUES; q++)
		g->ring[q].event_idx = features & F_EVENT;
	guest_reset_rings(g);
	size = g->hdr_len;
	if (ioctl(g->tap, TUNSETVNETHDRSZ, &size))
		return -errno;
	return guest_start(g);
}

/* The firmware's driver, the kernel's, and again; or the same driver reloaded. */
TEST_F_TIMEOUT(life, rebooted, TIMEOUT)
{
	static const __u64 features[] = { 0, F_DEFAULT, F_DEFAULT };
	unsigned int i;

	for (i = 0; i < sizeof(features) / sizeof(*features); i++) {
		into_the_void(_metadata, self);
		ASSERT_EQ(0, guest_stop(&self->b));
		PORT_TOLD(STOPPED, NOT_RUNNING);
		parted(_metadata, self, IVSHM_REASON_NOT_RUNNING);
		into_the_void(_metadata, self);
		ASSERT_EQ(0, renegotiate(&self->b, features[i]));
		PORT_TOLD(RUNNING, NONE);
		guest_rx_fill(&self->b, 256, 2000);
		late(&self->b);
		joined(_metadata, self);
		PAIR_TOLD(COUPLED, TRAFFIC);
	}
}

/* Where the rings stood when they stopped. */
struct stopped {
	__u32 base[GUEST_QUEUES];
};

static int vmm_stop(struct guest *g, struct stopped *s)
{
	int q, err = 0;

	for (q = 0; q < GUEST_QUEUES; q++)
		err = guest_set_backend(g, q, -1) ?: err;
	for (q = 0; q < GUEST_QUEUES; q++) {
		struct vhost_vring_state state = { .index = q };

		if (ioctl(g->fd, VHOST_GET_VRING_BASE, &state))
			err = -errno;
		s->base[q] = state.num;
	}
	return err;
}

static int vmm_cont(struct guest *g, const struct stopped *s)
{
	__u64 features = g->c.features;
	int q, err;

	if (ioctl(g->fd, VHOST_SET_FEATURES, &features))
		return -errno;
	err = guest_set_mem(g);
	for (q = 0; q < GUEST_QUEUES && !err; q++) {
		struct vhost_vring_state base = { .index = q, .num = s->base[q] };

		err = guest_set_ring(g, q);
		if (!err && ioctl(g->fd, VHOST_SET_VRING_BASE, &base))
			err = -errno;
	}
	for (q = 0; q < GUEST_QUEUES && !err; q++)
		err = guest_set_backend(g, q, g->tap);
	return err;
}

/* @n frames that were not looked at before, whole and in order. */
static void look(struct __test_metadata *_metadata, struct guest *g, unsigned int n)
{
	__u32 flow, seq, i;

	for (i = 0; i < n; i++) {
		ASSERT_EQ(1, guest_recv(g, &got, 5000))
			TH_LOG("frame %u of %u", i, n);
		ASSERT_EQ(0, frame_check(got.data, got.len, &flow, &seq));
		ASSERT_EQ(i, seq);
	}
}

/* Frames received and not looked at; frames that the guest has yet to send. */
static void half_way(struct __test_metadata *_metadata, FIXTURE_DATA(life) * self)
{
	const __u32 piece = 12;
	unsigned int i;

	for (i = 0; i < 20; i++) {
		frame_make(frame, 500, self->mac, self->a.mac, 3, i);
		ASSERT_EQ(0, guest_send(&self->a, NULL, frame, 500));
		frame_make(frame, 600, self->a.mac, self->mac, 4, i);
		ASSERT_EQ(0, guest_send_pieces(&self->b, NULL, frame, 600, &piece, 1, GUEST_MORE));
	}
	ASSERT_EQ(0, guest_tx_drain(&self->a, 5000));
}

/* "stop" and "cont": nothing is lost that the guest had, and what it gave goes out. */
TEST_F_TIMEOUT(life, paused, TIMEOUT)
{
	struct stopped s;
	unsigned int i;

	for (i = 0; i < 4; i++) {
		half_way(_metadata, self);
		ASSERT_EQ(0, vmm_stop(&self->b, &s));
		PORT_TOLD(STOPPED, NOT_RUNNING);
		/* Its last instruction, after the device has stopped. */
		guest_publish(&self->b, GUEST_TX);
		EXPECT_EQ(0, guest_silent(&self->a, 20));
		ASSERT_EQ(0, vmm_cont(&self->b, &s));
		PORT_TOLD(RUNNING, NONE);
		look(_metadata, &self->a, 20);
		look(_metadata, &self->b, 20);
		joined(_metadata, self);
	}
}

/*
 * "savevm", the VMM goes, and another loads what was saved: at other addresses,
 * with the rings in the middle of things.
 */
TEST_F_TIMEOUT(life, restored, TIMEOUT)
{
	struct guest *b = &self->b;
	struct stopped s;
	unsigned int i;
	void *saved;

	for (i = 0; i < 2; i++) {
		half_way(_metadata, self);
		ASSERT_EQ(0, vmm_stop(b, &s));
		guest_publish(b, GUEST_TX);
		saved = malloc(b->size);
		memcpy(saved, b->mem, b->size);
		close(b->fd);
		close(b->tap);
		PORT_TOLD(STOPPED, NOT_RUNNING);
		/* Nobody has the tap open: its frames are lost. */
		into_the_void(_metadata, self);
		/* Other pages, at the same place: the driver here has pointers. */
		ASSERT_EQ(b->mem, mmap(b->mem, b->size, PROT_READ | PROT_WRITE,
				       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
		memcpy(b->mem, saved, b->size);
		free(saved);
		b->fd = open(IVSHM_DEV, O_RDWR | O_CLOEXEC);
		ASSERT_LE(0, b->fd);
		ASSERT_EQ(0, ioctl(b->fd, VHOST_SET_OWNER));
		b->tap = guest_tap("tap1", b->hdr_len, GUEST_OFFLOADS, NULL);
		ASSERT_LE(0, b->tap);
		ASSERT_EQ(0, env_forwarding("tap1"));
		ASSERT_EQ(0, vmm_cont(b, &s));
		PORT_TOLD(RUNNING, NONE);
		look(_metadata, &self->a, 20);
		look(_metadata, b, 20);
		late(b);
		joined(_metadata, self);
	}
}

/* The VMM goes and comes, in order or by a crash, with the same tap. */
TEST_F_TIMEOUT(life, restarted, TIMEOUT)
{
	unsigned int i;

	for (i = 0; i < 4; i++) {
		into_the_void(_metadata, self);
		if (i & 1) {
			ASSERT_EQ(0, guest_stop(&self->b));
			PORT_TOLD(STOPPED, NOT_RUNNING);
			guest_close(&self->b);
		} else {
			guest_close(&self->b);
			PORT_TOLD(STOPPED, EXIT);
		}
		into_the_void(_metadata, self);
		ASSERT_EQ(0, vmm_up(&self->b, "tap1", self->mac));
		PORT_TOLD(RUNNING, NONE);
		late(&self->b);
		joined(_metadata, self);
		PAIR_TOLD(COUPLED, TRAFFIC);
	}
}

/* The tap goes while it is in use; one of the same name comes. */
TEST_F_TIMEOUT(life, deleted, TIMEOUT)
{
	struct ctl_port port;
	unsigned int i;

	for (i = 0; i < 2; i++) {
		into_the_void(_metadata, self);
		ASSERT_EQ(0, sh("ip link del tap1"));
		PORT_TOLD(GONE, EXIT);
		parted(_metadata, self, IVSHM_REASON_EXIT);
		EXPECT_EQ(-ENODEV, ctl_port("tap1", &port));
		into_the_void(_metadata, self);
		/* The guest does not know; its frames are lost. */
		frame_make(frame, 300, self->a.mac, self->mac, 9, i);
		ASSERT_EQ(0, guest_send(&self->b, NULL, frame, 300));
		ASSERT_EQ(0, guest_tx_drain(&self->b, 5000));
		EXPECT_EQ(0, guest_silent(&self->a, 20));
		ASSERT_EQ(0, guest_stop(&self->b));
		/* A tap that went is none any more. */
		EXPECT_EQ(-EINVAL, guest_set_backend(&self->b, GUEST_RX, self->b.tap));
		guest_close(&self->b);
		ASSERT_EQ(0, tap_make("tap1"));
		ASSERT_EQ(0, vmm_up(&self->b, "tap1", self->mac));
		PORT_TOLD(RUNNING, NONE);
		joined(_metadata, self);
		PAIR_TOLD(COUPLED, TRAFFIC);
	}
}

/* Under way to somebody whom the bridge would not let them reach. */
static void expect_apart(struct __test_metadata *_metadata, FIXTURE_DATA(life) * self)
{
	/* Those before the change may have gone direct. */
	late(&self->b);
	into_the_void(_metadata, self);
	EXPECT_EQ(0, guest_silent(&self->b, 100));
}

TEST_F_TIMEOUT(life, other_bridge, TIMEOUT)
{
	unsigned int i;

	ASSERT_EQ(0, env_bridge("br1"));
	for (i = 0; i < 2; i++) {
		into_the_void(_metadata, self);
		ASSERT_EQ(0, sh("ip link set tap1 master br1"));
		into_the_void(_metadata, self);
		PAIR_TOLD(UPLINK, OTHER_UPPER);
		expect_apart(_metadata, self);
		ASSERT_EQ(0, sh("ip link set tap1 master br0"));
		ASSERT_EQ(0, env_forwarding("tap1"));
		joined(_metadata, self);
		PAIR_TOLD(COUPLED, TRAFFIC);
	}
}

/* Away to another network namespace and back, while the guest runs. */
TEST_F_TIMEOUT(life, other_namespace, TIMEOUT)
{
	int ready[2], pid, status;
	struct ctl_port port;
	unsigned int i;
	char c;

	ASSERT_EQ(0, pipe(ready));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		c = !unshare(CLONE_NEWNET);
		write(ready[1], &c, 1);
		pause();
	}
	ASSERT_EQ(1, read(ready[0], &c, 1));
	ASSERT_EQ(1, c);
	for (i = 0; i < 2; i++) {
		into_the_void(_metadata, self);
		ASSERT_EQ(0, sh("ip link set tap1 netns %d", pid));
		PORT_TOLD(GONE, EXIT);
		parted(_metadata, self, IVSHM_REASON_EXIT);
		EXPECT_EQ(-ENODEV, ctl_port("tap1", &port));
		expect_apart(_metadata, self);
		frame_make(frame, 300, self->a.mac, self->mac, 9, i);
		ASSERT_EQ(0, guest_send(&self->b, NULL, frame, 300));
		ASSERT_EQ(0, guest_tx_drain(&self->b, 5000));
		EXPECT_EQ(0, guest_silent(&self->a, 20));
		ASSERT_EQ(0, sh("nsenter -t %d -n ip link set tap1 netns %d", pid, getpid()));
		PORT_TOLD(RUNNING, NONE);
		EXPECT_EQ(0, ctl_port("tap1", &port));
		EXPECT_STREQ("lan0", port.coupling);
		ASSERT_EQ(0, sh("ip link set tap1 master br0 up"));
		ASSERT_EQ(0, env_forwarding("tap1"));
		joined(_metadata, self);
		PAIR_TOLD(COUPLED, TRAFFIC);
	}
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
}

/* A card that is plugged in, later than the coupling was declared, and unplugged. */
TEST_F_TIMEOUT(life, plugged, TIMEOUT)
{
	static const __u8 mac[6] = { 0x52, 0x54, 0, 1, 0, 3 };
	__u32 state, reason, seq;
	struct guest card;
	unsigned int i;

	ASSERT_EQ(0, ctl_uncouple("lan0"));
	ASSERT_EQ(0, ctl_couple("lan0", IVSHM_COUPLING_DYNAMIC, NULL, "tap0", "tap1", "tap2",
				NULL));
	for (i = 0; i < 2; i++) {
		joined(_metadata, self);
		ASSERT_EQ(0, tap_make("tap2"));
		ASSERT_EQ(0, vmm_up(&card, "tap2", mac));
		EXPECT_EQ(0, ctl_heard(self->events, "tap2", IVSHM_PORT_RUNNING,
				       IVSHM_REASON_NONE, TOLD));
		state = IVSHM_PAIR_UPLINK;
		for (seq = 0; seq < 1000 && state != IVSHM_PAIR_COUPLED; seq++) {
			ASSERT_EQ(0, guest_pass(&card, &self->a, 100, seq));
			ASSERT_EQ(0, guest_pass(&self->a, &card, 100, seq));
			ASSERT_EQ(0, ctl_pair("lan0", "tap2", "tap0", &state, &reason));
		}
		EXPECT_EQ(IVSHM_PAIR_COUPLED, state);
		ASSERT_EQ(0, guest_pass_both(&card, &self->a, 10));
		ASSERT_EQ(0, guest_stop(&card));
		EXPECT_EQ(0, ctl_heard(self->events, "tap2", IVSHM_PORT_STOPPED,
				       IVSHM_REASON_NOT_RUNNING, TOLD));
		EXPECT_EQ(0, card.faults);
		guest_close(&card);
		ASSERT_EQ(0, sh("ip link del tap2"));
		EXPECT_EQ(0, ctl_heard(self->events, "tap2", IVSHM_PORT_GONE,
				       IVSHM_REASON_EXIT, TOLD));
	}
}

TEST_HARNESS_MAIN
