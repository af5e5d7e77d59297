// SPDX-License-Identifier: GPL-2.0
/*
 * Devices of kind ivshmmon: what a packet socket on them sees of the frames that
 * go past every other device.
 *
 *   a, tap0 --- lan0 --- tap1, b     tap2, c: a third, for flooding
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "kselftest_harness.h"
#include "env.h"
#include "guest.h"
#include "packet.h"

#define TIMEOUT	60
#define NR	3

static __u8 frame[GUEST_FRAME_MAX], seen[GUEST_FRAME_MAX];
static struct guest_frame got;

FIXTURE(capture) {
	struct guest g[NR];
};

FIXTURE_SETUP(capture)
{
	static const char * const tap[NR] = { "tap0", "tap1", "tap2" };
	int i, j;

	ASSERT_EQ(0, env_setup());
	for (i = 0; i < NR; i++) {
		struct guest_config c = {
			.tap = tap[i], .slot = { 0, GUEST_FRAME_MAX + 64 }, .nr_slots = { 0, 64 },
		};

		ASSERT_EQ(0, guest_up(&self->g[i], &c));
	}
	ASSERT_EQ(0, ctl_couple("lan0", IVSHM_COUPLING_STATIC, NULL, "tap0", "tap1", "tap2", NULL));
	/* All know each other; what is not known is flooded. */
	for (i = 0; i < NR; i++) {
		frame_make(frame, 60, mac_broadcast, self->g[i].mac, 0, 0);
		ASSERT_EQ(0, guest_send(&self->g[i], NULL, frame, 60));
		for (j = 0; j < NR; j++)
			EXPECT_EQ(j != i, guest_recv(&self->g[j], &got, j != i ? 5000 : 0));
	}
}

FIXTURE_TEARDOWN(capture)
{
	int i;

	for (i = 0; i < NR; i++) {
		EXPECT_EQ(0, guest_stop(&self->g[i]));
		EXPECT_EQ(0, self->g[i].faults);
		guest_close(&self->g[i]);
	}
}

/* A device that is up, of one port or all, and a socket that watches it. */
static int watch(const char *name, const char *port)
{
	struct sockaddr_ll sa = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL) };
	int fd, size = 8 << 20;
	char command[200];

	snprintf(command, sizeof(command), "ip link add %s%s name %s up type ivshmmon",
		 port ? "link " : "", port ?: "", name);
	if (system(command))
		return -EIO;
	sa.sll_ifindex = if_nametoindex(name);
	fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) ||
	    bind(fd, (struct sockaddr *)&sa, sizeof(sa)))
		return -errno;
	return fd;
}

/* The next frame and which way it went, waiting for @ms; its length, or -EAGAIN. */
static int next(int fd, int *type, int ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	struct sockaddr_ll sa;
	socklen_t len = sizeof(sa);
	int n;

	if (poll(&p, 1, ms) != 1)
		return -EAGAIN;
	n = recvfrom(fd, seen, sizeof(seen), 0, (struct sockaddr *)&sa, &len);
	*type = sa.sll_pkttype;
	return n;
}

/* As many frames of flow @id, in order and whole, all of them @in or out. */
static void expect(struct __test_metadata *_metadata, int fd, __u32 id, unsigned int n, bool in)
{
	__u32 flow, seq;
	unsigned int i;
	int type, len;

	for (i = 0; i < n; i++) {
		len = next(fd, &type, 5000);
		ASSERT_LT(0, len)
			TH_LOG("%u of %u", i, n);
		ASSERT_EQ(0, frame_check(seen, len, &flow, &seq));
		EXPECT_EQ(id, flow);
		EXPECT_EQ(i, seq);
		EXPECT_EQ(!in, type == PACKET_OUTGOING);
	}
}

static void expect_none(struct __test_metadata *_metadata, int fd)
{
	int type;

	EXPECT_EQ(-EAGAIN, next(fd, &type, 50));
}

/* @n frames of all sizes from one to the other, which looks at each byte. */
static void pass(struct __test_metadata *_metadata, struct guest *from, struct guest *to,
		 const __u8 *mac, __u32 id, unsigned int n)
{
	__u32 piece = from->hdr_len, flow, seq, len;
	unsigned int i, sent = 0;

	for (i = 0; i < n; i++) {
		for (; sent < n && sent < i / 32 * 32 + 32; sent++) {
			len = 60 + sent * 37 % 1441;
			frame_make(frame, len, mac, from->mac, id, sent);
			ASSERT_EQ(0, guest_send_pieces(from, NULL, frame, len, &piece,
						       sent % 5 ? 1 : 0, GUEST_MORE));
		}
		guest_publish(from, GUEST_TX);
		ASSERT_EQ(1, guest_recv(to, &got, 5000));
		ASSERT_EQ(0, frame_check(got.data, got.len, &flow, &seq));
		ASSERT_EQ(i, seq);
	}
}

TEST_F_TIMEOUT(capture, ways, TIMEOUT)
{
	struct guest *a = &self->g[0], *b = &self->g[1];
	socklen_t size = sizeof(int);
	int w[3], i, err;

	w[0] = watch("w0", "tap0");
	w[1] = watch("w1", "tap1");
	w[2] = watch("every", NULL);
	ASSERT_LE(0, w[0]);
	ASSERT_LE(0, w[1]);
	ASSERT_LE(0, w[2]);
	pass(_metadata, a, b, b->mac, 1, 300);
	expect(_metadata, w[0], 1, 300, true);
	expect(_metadata, w[1], 1, 300, false);
	expect(_metadata, w[2], 1, 300, true);
	pass(_metadata, b, a, a->mac, 2, 300);
	expect(_metadata, w[0], 2, 300, false);
	expect(_metadata, w[1], 2, 300, true);
	expect(_metadata, w[2], 2, 300, true);
	/* Of others only who watches all. */
	pass(_metadata, b, &self->g[2], self->g[2].mac, 3, 20);
	expect(_metadata, w[1], 3, 20, true);
	expect(_metadata, w[2], 3, 20, true);
	expect_none(_metadata, w[0]);
	expect_none(_metadata, w[1]);
	expect_none(_metadata, w[2]);
	/* Down is off, and the way is as short as before. */
	ASSERT_EQ(0, system("for i in w0 w1 every; do ip link set $i down; done"));
	pass(_metadata, a, b, b->mac, 4, 20);
	ASSERT_EQ(0, system("for i in w0 w1 every; do ip link set $i up; done"));
	/* The sockets have been told. */
	for (i = 0; i < 3; i++) {
		EXPECT_EQ(0, getsockopt(w[i], SOL_SOCKET, SO_ERROR, &err, &size));
		EXPECT_EQ(ENETDOWN, err);
	}
	expect_none(_metadata, w[0]);
	pass(_metadata, a, b, b->mac, 5, 20);
	expect(_metadata, w[0], 5, 20, true);
	expect(_metadata, w[1], 5, 20, false);
	expect(_metadata, w[2], 5, 20, true);
	close(w[0]);
	close(w[1]);
	close(w[2]);
}

/* To all: once from who sent it, and once to each. */
TEST_F_TIMEOUT(capture, flooded, TIMEOUT)
{
	struct guest *a = &self->g[0];
	int w[3];

	w[0] = watch("w0", "tap0");
	w[1] = watch("w1", "tap1");
	w[2] = watch("every", NULL);
	pass(_metadata, a, &self->g[1], mac_broadcast, 1, 40);
	expect(_metadata, w[0], 1, 40, true);
	expect(_metadata, w[1], 1, 40, false);
	expect(_metadata, w[2], 1, 40, true);
	expect_none(_metadata, w[0]);
	expect_none(_metadata, w[1]);
	expect_none(_metadata, w[2]);
	while (guest_recv(&self->g[2], &got, 100) == 1)
		;
}

/* A packet that is yet to be segmented, whole. */
TEST_F_TIMEOUT(capture, large, TIMEOUT)
{
	const struct packet p = { .proto = IPPROTO_TCP, .payload = 40000, .mss = 1448 };
	struct guest *a = &self->g[0], *b = &self->g[1];
	struct virtio_net_hdr h;
	int fd = watch("w0", "tap0"), type;
	__u32 len;

	ASSERT_LE(0, fd);
	len = packet_make(&p, frame, b->mac, a->mac, &h);
	ASSERT_EQ(0, guest_send(a, &h, frame, len));
	ASSERT_EQ(1, guest_recv(b, &got, 5000));
	EXPECT_EQ(p.payload, packet_check(&p, got.data, got.len, 0, true, &got.hdr.hdr));
	ASSERT_EQ(len, next(fd, &type, 5000));
	EXPECT_EQ(0, memcmp(frame, seen, len));
}

/* The host says nothing on it and hears nothing of it, whatever the guests send. */
TEST_F_TIMEOUT(capture, apart, TIMEOUT)
{
	struct guest *a = &self->g[0], *b = &self->g[1];
	/* Who has 192.0.2.1? */
	static const __u8 arp[28] = {
		0, 1, 8, 0, 6, 4, 0, 1, 0x52, 0x54, 0, 0xaa, 0, 9, 192, 0, 2, 9,
		0, 0, 0, 0, 0, 0, 192, 0, 2, 1,
	};
	int fd, type;

	fd = watch("w0", "tap0");
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, system("ip addr add 192.0.2.1/24 dev w0"));
	memcpy(frame, mac_broadcast, 6);
	memcpy(frame + 6, a->mac, 6);
	frame[12] = 0x08;
	frame[13] = 0x06;
	memcpy(frame + ETH_HLEN, arp, sizeof(arp));
	ASSERT_EQ(0, guest_send(a, NULL, frame, 60));
	ASSERT_EQ(1, guest_recv(b, &got, 5000));
	ASSERT_EQ(60, next(fd, &type, 5000));
	EXPECT_NE(PACKET_OUTGOING, type);
	/* No answer, and no neighbour. */
	EXPECT_EQ(-EAGAIN, next(fd, &type, 500));
	EXPECT_NE(0, system("ip neigh show dev w0 | grep -q ."));
	/* What the host sends there goes nowhere. */
	EXPECT_EQ(0, guest_silent(b, 50));
	/* It can be part of nothing. */
	ASSERT_EQ(0, system("ip link add br9 type bridge"));
	EXPECT_NE(0, system("ip link set w0 master br9 2>/dev/null"));
}

/* What shows a port goes with it, and not before; ours alone. */
TEST_F_TIMEOUT(capture, gone, TIMEOUT)
{
	struct guest *a = &self->g[0];
	int fd = watch("w0", "tap0");

	ASSERT_LE(0, fd);
	ASSERT_LE(0, watch("w1", "tap1"));
	ASSERT_LE(0, watch("every", NULL));
	EXPECT_EQ(0, guest_stop(a));
	EXPECT_NE(0, if_nametoindex("w0"));
	close(a->tap);
	a->tap = -1;
	EXPECT_EQ(0, if_nametoindex("tap0"));
	EXPECT_EQ(0, if_nametoindex("w0"));
	EXPECT_NE(0, if_nametoindex("w1"));
	EXPECT_NE(0, if_nametoindex("every"));
	/* A second time, and where there is no such interface. */
	EXPECT_NE(0, system("ip link add link tap1 name w1 type ivshmmon 2>/dev/null"));
	EXPECT_NE(0, system("ip link add link tap0 name w0 type ivshmmon 2>/dev/null"));
	EXPECT_NE(0, system("ip link add w5 address 02:00:00:00:00:05 type ivshmmon 2>/dev/null"));
	EXPECT_EQ(0, system("ip link del w1 && ip link del every"));
}

/* Under traffic it comes and goes, and no frame is lost for that. */
TEST_F_TIMEOUT(capture, toggled, TIMEOUT)
{
	struct guest *a = &self->g[0], *b = &self->g[1];
	atomic_bool *enough = mmap(NULL, sizeof(*enough), PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	unsigned int i;
	pid_t pid;
	int fd;

	ASSERT_NE(MAP_FAILED, enough);
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		for (i = 0; i < 10 || !*enough; i++)
			system("ip link add link tap0 name w0 up type ivshmmon; ip link del w0");
		_exit(system("ip link add over type dummy"));
	}
	for (i = 0; !if_nametoindex("over"); i++) {
		pass(_metadata, a, b, b->mac, i, 100);
		*enough = i >= 5;
	}
	ASSERT_EQ(pid, waitpid(pid, &fd, 0));
	EXPECT_EQ(0, fd);
	fd = watch("w0", "tap0");
	ASSERT_LE(0, fd);
	pass(_metadata, a, b, b->mac, 7, 10);
	expect(_metadata, fd, 7, 10, true);
}

TEST_HARNESS_MAIN
