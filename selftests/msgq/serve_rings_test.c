// SPDX-License-Identifier: GPL-2.0
/*
 * "ivmctl region serve ... rings N": a VMM gets rings with its connection. This process
 * is the VMM, as QEMU would be, and its guest. As root.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "client.h"
#include "kselftest_harness.h"
#include "server.h"
#include "side.h"

#define SIZE	(64 * PAGE)
#define SOCKET	"/run/ivshm-serve-rings-test"
#define VECTORS	4
#define NR	16U
/* What is known as peer 0, and its doorbell. */
#define KERNEL	0
/* Milliseconds, for what is to happen. */
#define SOON	(slow() ? 30000 : 10000)

static char *const words[] = { "x", SOCKET, "vectors", "4", "rings", "16", NULL };
static char *const few[] = { "x", SOCKET, "vectors", "2", "rings", "16", NULL };
static char *const most[] = { "x", SOCKET, "rings", "1024", NULL };

/* What QEMU has, and its guest. */
struct vmm {
	struct client *client;
	struct window w;	/* without a descriptor */
	struct side guest;
};

/* Connect, and use what comes with it as a guest would. */
static int vmm_open(struct control *c, struct vmm *vmm, int vectors)
{
	struct client *client = client_join(SOCKET, vectors, SOON);
	struct region_attrs attrs;
	int err;

	if (!client)
		return -errno;
	err = region_get(c, "x", &attrs);
	if (err)
		return err;
	window_clear(&vmm->w);
	vmm->w.number = attrs.number;
	vmm->w.size = SIZE;
	vmm->w.at = region_map(client->memory, SIZE);
	if (vmm->w.at == MAP_FAILED || client->known[KERNEL] != 1)
		return -EPROTO;
	vmm->guest = (struct side){
		.w = &vmm->w,
		.kick = client->event[KERNEL][0],
		.call = client->event[client->id][0],
		.nr = NR,
	};
	ivshm_ring_use(&vmm->guest.r, vmm->w.at, NR);
	vmm->client = client;
	return 0;
}

static void vmm_close(struct vmm *vmm)
{
	if (!vmm->client)
		return;
	munmap(vmm->w.at, SIZE);
	client_leave(vmm->client);
	vmm->client = NULL;
}

FIXTURE(serve_rings)
{
	struct control c;
	struct server s;
	struct window other;
	struct vmm vmm;
};

FIXTURE_SETUP(serve_rings)
{
	self->s.pid = 0;
	self->s.out = -1;
	self->vmm.client = NULL;
	ASSERT_EQ(0, control_open(&self->c));
	unlink(SOCKET);
	region_del_all(&self->c);
	peer_del_all(&self->c);
	ASSERT_EQ(0, window_open(&self->c, &self->other, "o", SIZE, 0));
	ASSERT_EQ(0, region_add(&self->c, "x", SIZE, 0));
	ASSERT_EQ(0, peer_allow(&self->c, "o", "x"));
	ASSERT_EQ(0, peer_allow(&self->c, "x", "o"));
	ASSERT_EQ(0, server_start(&self->s, words, NULL));
}

FIXTURE_TEARDOWN(serve_rings)
{
	vmm_close(&self->vmm);
	server_stop(&self->s, SIGKILL);
	close(self->s.out);
	unlink(SOCKET);
	window_close(&self->other);
	region_del_all(&self->c);
	peer_del_all(&self->c);
	control_close(&self->c);
}

/* How often each of its vectors was signalled, in decimal digits. */
static int heard(const struct client *c, int ms)
{
	struct pollfd p = { .events = POLLIN };
	int i, sum = 0;

	usleep(ms * 1000);
	for (i = c->vectors - 1; i >= 0; i--) {
		p.fd = c->event[c->id][i];
		poll(&p, 1, 0);
		sum = sum * 10 + rings(p.fd);
	}
	return sum;
}

/* The kernel is a peer, results and events are interrupts, and a message goes each way. */
TEST_F(serve_rings, guest)
{
	struct ivshm_ring_request send;
	struct ivshm_ring_result res;
	struct ivshm_msgq_recv recv;
	struct client *vmm;

	ASSERT_EQ(0, vmm_open(&self->c, &self->vmm, VECTORS));
	vmm = self->vmm.client;
	EXPECT_EQ(1, vmm->id);
	EXPECT_EQ(1, client_peers(vmm));
	EXPECT_EQ(3 + 1 + VECTORS, vmm->told);
	/* A result. */
	EXPECT_EQ(0, heard(vmm, 10));
	EXPECT_EQ(0, side_do(&self->vmm.guest, ask_post(32 * PAGE, 4 * PAGE, 5), &res));
	EXPECT_EQ(-EAGAIN, side_do(&self->vmm.guest, ask_op(IVSHM_RING_RECV), &res));
	heard(vmm, 10);
	/* A message, the completion of one, room for one. */
	ASSERT_EQ(0, send_range(&self->other, &self->vmm.w, 0, PAGE, IVSHM_MSGQ_MOVE));
	EXPECT_EQ(10, heard(vmm, 10));
	ASSERT_EQ(0, side_do(&self->vmm.guest, ask_op(IVSHM_RING_RECV), &res));
	EXPECT_EQ(32 * PAGE, res.recv.offset);
	EXPECT_EQ(getpid(), (pid_t)res.recv.pid);
	heard(vmm, 10);
	send = ask_send(&self->other, 0, 0, 0);
	send.send.flags = IVSHM_MSGQ_TELL;
	ASSERT_EQ(0, side_do(&self->vmm.guest, send, NULL));
	heard(vmm, 10);
	ASSERT_EQ(0, msgq_recv(self->other.fd, &recv));
	EXPECT_EQ(100, heard(vmm, 10));
	/* It is the region's message, and the server's process. */
	EXPECT_STREQ("x", (char *)recv.name);
	EXPECT_EQ(self->vmm.w.number, recv.from);
	EXPECT_EQ(self->s.pid, (pid_t)recv.pid);
	EXPECT_EQ(-EAGAIN, side_do(&self->vmm.guest, ask_send(&self->other, 0, PAGE, 0), NULL));
	heard(vmm, 10);
	ASSERT_EQ(0, msgq_post(self->other.fd, 0, PAGE, 0));
	EXPECT_EQ(1000, heard(vmm, 10));
}

/* The last vector stands for those that there are not. */
TEST_F(serve_rings, few_vectors)
{
	ASSERT_EQ(0, server_stop(&self->s, SIGTERM));
	ASSERT_EQ(0, server_start(&self->s, few, NULL));
	ASSERT_EQ(0, vmm_open(&self->c, &self->vmm, 2));
	ASSERT_EQ(-EAGAIN, side_do(&self->vmm.guest, ask_send(&self->other, 0, PAGE, 0), NULL));
	heard(self->vmm.client, 10);
	ASSERT_EQ(0, send_text(&self->other, &self->vmm.w, "x"));
	EXPECT_EQ(10, heard(self->vmm.client, 10));
	ASSERT_EQ(0, msgq_post(self->other.fd, 0, PAGE, 0));
	EXPECT_EQ(10, heard(self->vmm.client, 10));
}

/* One VM has them, and the next one finds new ones, however soon it comes. */
TEST_F_TIMEOUT(serve_rings, one_vm, 60)
{
	int i, files, rounds = slow() ? 20 : 100;

	ASSERT_EQ(0, vmm_open(&self->c, &self->vmm, VECTORS));
	EXPECT_EQ(NULL, client_join(SOCKET, VECTORS, SOON));
	EXPECT_EQ(ECONNRESET, errno);
	EXPECT_TRUE(server_says(&self->s, "cannot let a peer in: Device or resource busy"));
	files = server_files(&self->s);
	for (i = 0; i < rounds; i++) {
		ASSERT_EQ(0, side_do(&self->vmm.guest, ask_send(&self->other, 0, 0, 0), NULL)) {
			TH_LOG("round %d", i);
		}
		vmm_close(&self->vmm);
		ASSERT_EQ(0, vmm_open(&self->c, &self->vmm, VECTORS)) {
			TH_LOG("round %d", i);
		}
		ASSERT_EQ(1, self->vmm.client->id);
		ASSERT_EQ(0, self->vmm.guest.r.tail);
	}
	EXPECT_EQ(files, server_files(&self->s));
}

/* A VM that runs goes on without the server; who serves again has to wait for its end. */
TEST_F(serve_rings, server_ends)
{
	struct client *vmm;

	ASSERT_EQ(0, vmm_open(&self->c, &self->vmm, VECTORS));
	EXPECT_EQ(0, side_do(&self->vmm.guest, ask_send(&self->other, 0, 0, 0), NULL));
	ASSERT_EQ(0, server_stop(&self->s, SIGTERM));
	EXPECT_EQ(0, side_do(&self->vmm.guest, ask_send(&self->other, 0, 0, 0), NULL));
	ASSERT_EQ(0, server_start(&self->s, words, NULL));
	EXPECT_EQ(NULL, client_join(SOCKET, VECTORS, SOON));
	EXPECT_EQ(0, side_do(&self->vmm.guest, ask_send(&self->other, 0, 0, 0), NULL));
	vmm_close(&self->vmm);
	vmm = client_join(SOCKET, VECTORS, SOON);
	ASSERT_NE(NULL, vmm);
	client_leave(vmm);
}

TEST_F(serve_rings, too_many)
{
	ASSERT_EQ(0, server_stop(&self->s, SIGTERM));
	EXPECT_EQ(1, server_start(&self->s, most, NULL));
	EXPECT_TRUE(server_says(&self->s, "cannot give rings: No space left on device"));
}

TEST_HARNESS_MAIN
