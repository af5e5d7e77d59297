// SPDX-License-Identifier: GPL-2.0
/* ivmctl region serve: peers, and what may become of them. As root. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client.h"
#include "kselftest_harness.h"
#include "region.h"
#include "server.h"

#define SIZE	(16 * PAGE)
#define SOCKET	"/run/ivshm-serve-test"
#define VECTORS	4
#define NOBODY	65534
/* Milliseconds, for what is to happen. */
#define SOON	(slow() ? 30000 : 10000)
/* Seconds after which whoever does not read is put out. */
#define STALL	10

static char *const words[] = { "x", SOCKET, "vectors", "4", NULL };

/* Of all that hundreds of peers are given. */
static void many_files(void)
{
	struct rlimit files = { 60000, 60000 };

	setrlimit(RLIMIT_NOFILE, &files);
}

static struct client *join(void)
{
	return client_join(SOCKET, VECTORS, SOON);
}

FIXTURE(serve)
{
	struct control c;
	struct server s;
};

FIXTURE_SETUP(serve)
{
	self->s.pid = 0;
	self->s.out = -1;
	ASSERT_EQ(0, control_open(&self->c));
	many_files();
	unlink(SOCKET);
	region_del_all(&self->c);
	ASSERT_EQ(0, region_add(&self->c, "x", SIZE, 0));
	ASSERT_EQ(0, server_start(&self->s, words, NULL));
}

FIXTURE_TEARDOWN(serve)
{
	server_stop(&self->s, SIGKILL);
	close(self->s.out);
	unlink(SOCKET);
	region_del_all(&self->c);
	control_close(&self->c);
}

/* How often each of its own vectors was signalled, in decimal digits. */
static int heard(const struct client *c)
{
	int i, sum = 0;

	for (i = c->vectors - 1; i >= 0; i--)
		sum = sum * 10 + rings(c->event[c->id][i]);
	return sum;
}

static int module_ring(int fd, uint32_t peer, uint32_t vector)
{
	struct ivshm_region_ring arg = {
		.argsz = sizeof(arg), .peer = peer, .vector = vector,
	};

	return ioctl(fd, IVSHM_REGION_RING, &arg) ? -errno : 0;
}

/* What the first peer is told, and has then. */
TEST_F(serve, alone)
{
	struct ivshm_region_info info = { .argsz = sizeof(info) };
	struct client *c = join();
	struct stat st;
	char *p, *q;
	int fd;

	ASSERT_NE(NULL, c);
	EXPECT_EQ(0, c->id);
	EXPECT_EQ(1, client_peers(c));
	EXPECT_EQ(3 + VECTORS, c->told);
	EXPECT_EQ(-ETIMEDOUT, client_take(c, 200));
	/* The memory is the region, and has a size that fstat() tells. */
	ASSERT_EQ(0, fstat(c->memory, &st));
	EXPECT_EQ((off_t)SIZE, st.st_size);
	fd = region_open(&self->c, "x", O_RDWR);
	p = region_map(c->memory, SIZE);
	q = region_map(fd, SIZE);
	ASSERT_NE(MAP_FAILED, p);
	ASSERT_NE(MAP_FAILED, q);
	p[SIZE - 1] = 7;
	EXPECT_EQ(7, q[SIZE - 1]);
	/* Whoever has the region open rings it by the number of the file. */
	ASSERT_EQ(0, ioctl(c->memory, IVSHM_REGION_INFO, &info));
	EXPECT_EQ(0, module_ring(fd, info.peer, 0));
	EXPECT_EQ(0, module_ring(fd, info.peer, 3));
	EXPECT_EQ(0, module_ring(fd, info.peer, 3));
	EXPECT_EQ(-ENXIO, module_ring(fd, info.peer, VECTORS));
	EXPECT_EQ(2001, heard(c));
	munmap(q, SIZE);
	munmap(p, SIZE);
	close(fd);
	client_leave(c);
}

TEST_F(serve, peers)
{
	struct client *a = join(), *b = join(), *c;
	int v;

	ASSERT_NE(NULL, a);
	ASSERT_NE(NULL, b);
	EXPECT_EQ(0, a->id);
	EXPECT_EQ(1, b->id);
	/* b was told of a before its own vectors. */
	EXPECT_EQ(2, client_peers(b));
	ASSERT_EQ(0, client_until(a, 1, VECTORS, SOON));
	for (v = 0; v < VECTORS; v++)
		EXPECT_EQ(0, client_ring(a, 1, v));
	EXPECT_EQ(0, client_ring(a, 1, 2));
	EXPECT_EQ(1211, heard(b));
	EXPECT_EQ(0, heard(a));
	EXPECT_EQ(0, client_ring(b, 0, 1));
	EXPECT_EQ(10, heard(a));
	/* One goes, and comes back, not as the one that b knew. */
	client_leave(a);
	ASSERT_EQ(0, client_until(b, 0, 0, SOON));
	EXPECT_EQ(-ENOENT, client_ring(b, 0, 0));
	a = join();
	ASSERT_NE(NULL, a);
	EXPECT_EQ(2, a->id);
	ASSERT_EQ(0, client_until(b, 2, VECTORS, SOON));
	EXPECT_EQ(0, client_ring(b, 2, 3));
	EXPECT_EQ(1000, heard(a));
	c = join();
	ASSERT_NE(NULL, c);
	EXPECT_EQ(3, c->id);
	EXPECT_EQ(3, client_peers(c));
	EXPECT_EQ(0, client_ring(c, 1, 0));
	EXPECT_EQ(1, heard(b));
	client_leave(a);
	client_leave(b);
	/* Nobody is left who knew 0; c knew 1 and 2. */
	ASSERT_EQ(0, client_until(c, 1, 0, SOON));
	ASSERT_EQ(0, client_until(c, 2, 0, SOON));
	a = join();
	ASSERT_NE(NULL, a);
	EXPECT_EQ(0, a->id);
	client_leave(a);
	client_leave(c);
}

TEST_F_TIMEOUT(serve, many, 120)
{
	int i, j, nr = slow() ? 24 : 64;
	struct client *c[64];

	for (i = 0; i < nr; i++) {
		c[i] = join();
		ASSERT_NE(NULL, c[i]);
		EXPECT_EQ(i, c[i]->id);
	}
	for (i = 0; i < nr; i++) {
		ASSERT_EQ(0, client_until(c[i], nr - 1, VECTORS, SOON));
		EXPECT_EQ(nr, client_peers(c[i]));
	}
	/* Each rings each, at a vector of its own. */
	for (i = 0; i < nr; i++)
		for (j = 0; j < nr; j++)
			EXPECT_EQ(0, client_ring(c[i], j, i % VECTORS));
	for (i = 0; i < nr; i++)
		for (j = 0; j < VECTORS; j++)
			EXPECT_EQ(nr / VECTORS, rings(c[i]->event[i][j]));
	for (i = 1; i < nr; i += 2)
		client_leave(c[i]);
	for (i = 0; i < nr; i += 2) {
		ASSERT_EQ(0, client_until(c[i], nr - 1, 0, SOON));
		ASSERT_EQ(0, client_take_all(c[i], 100));
		EXPECT_EQ(nr / 2, client_peers(c[i]));
	}
	for (i = 0; i < nr; i += 2)
		client_leave(c[i]);
}

/* Connects, takes some messages, and dies. */
static void short_life(int seed)
{
	struct client *c = client_new(client_dial(SOCKET), VECTORS);
	int i;

	for (i = 0; i < seed % 23; i++)
		if (client_take(c, 100) != 1)
			break;
	if (seed % 3)
		_exit(0);
	raise(SIGKILL);
}

/* In the end it knows itself only, and the server has as many descriptors as before. */
static int settles(struct client *c, const struct server *s, int files)
{
	int tries;

	for (tries = 0; tries < SOON / 100; tries++) {
		if (client_take_all(c, 100))
			return 0;
		if (client_peers(c) == 1 && server_files(s) == files)
			return 1;
	}
	printf("# %d peers, %d descriptors, not %d\n", client_peers(c), server_files(s), files);
	return 0;
}

TEST_F_TIMEOUT(serve, dying, 180)
{
	int files, i, nr = slow() ? 150 : 600, running = 0;
	struct client *c = join();
	long kib;

	ASSERT_NE(NULL, c);
	files = server_files(&self->s);
	kib = server_kib(&self->s);
	for (i = 0; i < nr; i++) {
		if (!fork())
			short_life(i);
		if (++running == 8) {
			wait(NULL);
			running--;
		}
		while (client_take(c, 0) == 1)
			;
	}
	while (running--)
		wait(NULL);
	EXPECT_TRUE(settles(c, &self->s, files));
	EXPECT_GT(kib + 1024, server_kib(&self->s));
	client_leave(c);
}

/* Whether the server hangs up, whatever it says before. */
static int hangs_up(int sock)
{
	struct client *c = client_new(sock, VECTORS);
	int ret;

	do {
		ret = client_take(c, SOON);
	} while (ret == 1);
	client_leave(c);
	return !ret;
}

static ssize_t send_files(int sock, int nr)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(16 * sizeof(int))];
	} control;
	struct iovec data = { .iov_base = "garbage", .iov_len = 8 };
	struct msghdr msg = {
		.msg_iov = &data, .msg_iovlen = 1, .msg_control = &control,
		.msg_controllen = CMSG_SPACE(nr * sizeof(int)),
	};
	struct cmsghdr *header = CMSG_FIRSTHDR(&msg);
	int i;

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(nr * sizeof(int));
	for (i = 0; i < nr; i++)
		memcpy(CMSG_DATA(header) + i * sizeof(int), &sock, sizeof(sock));
	return sendmsg(sock, &msg, MSG_NOSIGNAL);
}

TEST_F_TIMEOUT(serve, garbage, 120)
{
	struct client *c = join();
	char noise[65536];
	int files, i, sock;

	ASSERT_NE(NULL, c);
	files = server_files(&self->s);
	memset(noise, 0xff, sizeof(noise));
	for (i = 0; i < 40; i++) {
		sock = client_dial(SOCKET);
		ASSERT_LE(0, sock);
		switch (i % 5) {
		case 0:
			EXPECT_EQ(1, send(sock, noise, 1, MSG_NOSIGNAL));
			break;
		case 1:
			send(sock, noise, sizeof(noise), MSG_NOSIGNAL | MSG_DONTWAIT);
			break;
		case 2:
			EXPECT_EQ(8, send_files(sock, 16));
			break;
		case 3:
			EXPECT_EQ(1, send(sock, noise, 1, MSG_NOSIGNAL | MSG_OOB));
			break;
		case 4:
			EXPECT_EQ(0, shutdown(sock, SHUT_WR));
			break;
		}
		EXPECT_TRUE(hangs_up(sock));
	}
	/* Those that do not even wait. */
	for (i = 0; i < 500; i++)
		close(client_dial(SOCKET));
	EXPECT_TRUE(settles(c, &self->s, files));
	client_leave(c);
}

/*
 * One that reads nothing, and one that is slow: the first is put out after a while,
 * the other is not, and nobody else waits for them.
 */
TEST_F_TIMEOUT(serve, mute, 180)
{
	struct client *mute, *sluggish, *c, *d;
	int files, i, id, nr = slow() ? 60 : 500;
	double began, end, longest = 0;
	long kib;

	mute = client_new(client_dial(SOCKET), VECTORS);
	sluggish = client_new(client_dial(SOCKET), VECTORS);
	c = join();
	ASSERT_NE(NULL, c);
	EXPECT_EQ(2, c->id);
	files = server_files(&self->s);
	kib = server_kib(&self->s);
	for (i = 0; i < nr; i++) {
		began = now();
		d = join();
		longest = now() - began > longest ? now() - began : longest;
		ASSERT_NE(NULL, d);
		id = d->id;
		ASSERT_EQ(0, client_until(c, id, VECTORS, SOON));
		client_leave(d);
		ASSERT_EQ(0, client_until(c, id, 0, SOON));
	}
	TH_LOG("longest wait %.3f s, %ld KiB more", longest, server_kib(&self->s) - kib);
	/* It would be until the mute one was put out. */
	EXPECT_GT(STALL / 2, longest);
	EXPECT_GT(kib + 512, server_kib(&self->s));
	EXPECT_EQ(files, server_files(&self->s));

	/* Now and then a message is not "nothing". */
	for (end = now() + STALL + 8; now() < end; ) {
		ASSERT_EQ(1, client_take(sluggish, 0));
		sleep(2);
		while (client_take(c, 0) == 1)
			;
	}
	EXPECT_EQ(0, c->known[mute->id < 0 ? 0 : mute->id]);
	EXPECT_EQ(VECTORS, c->known[1]);
	/* What it finds in the end makes sense. */
	EXPECT_EQ(-ECONNRESET, client_take_all(mute, SOON));
	EXPECT_EQ(0, mute->id);
	EXPECT_EQ(0, client_take_all(sluggish, 1000));
	EXPECT_EQ(1, sluggish->id);
	EXPECT_EQ(2, client_peers(sluggish));
	EXPECT_EQ(0, client_ring(sluggish, 2, 0));
	EXPECT_EQ(1, heard(c));
	client_leave(mute);
	client_leave(sluggish);
	client_leave(c);
}

/* For five peers of four vectors. */
static void few_files(void)
{
	struct rlimit files = { 20, 32 + 5 * 6 };

	setrlimit(RLIMIT_NOFILE, &files);
}

TEST_F(serve, full)
{
	struct client *c[5], *late;
	int i;

	server_stop(&self->s, SIGKILL);
	ASSERT_EQ(0, server_start(&self->s, words, few_files));
	for (i = 0; i < 5; i++) {
		c[i] = join();
		ASSERT_NE(NULL, c[i]);
	}
	EXPECT_EQ(NULL, join());
	EXPECT_EQ(ECONNRESET, errno);
	EXPECT_TRUE(server_says(&self->s, "cannot let a peer in: Too many users"));
	ASSERT_EQ(0, client_until(c[0], 2, VECTORS, SOON));
	client_leave(c[2]);
	ASSERT_EQ(0, client_until(c[0], 2, 0, SOON));
	late = join();
	ASSERT_NE(NULL, late);
	EXPECT_EQ(5, late->id);
	EXPECT_EQ(5, client_peers(late));
	client_leave(late);
	for (i = 0; i < 5; i++)
		if (i != 2)
			client_leave(c[i]);
}

/* What a user without privileges may have under way is bounded. */
static void as_nobody(void)
{
	struct rlimit files = { 200, 200 };

	setrlimit(RLIMIT_NOFILE, &files);
	if (setgroups(0, NULL) || setgid(NOBODY) || setuid(NOBODY))
		_exit(97);
}

TEST_F_TIMEOUT(serve, unprivileged, 120)
{
	static char *const place[] = { "x", SOCKET ".d/s", "vectors", "4", NULL };
	struct client *c, *d;
	struct region_attrs at;
	int mute[2], i;
	double took = 1;
	char path[32];

	ASSERT_EQ(0, region_get(&self->c, "x", &at));
	snprintf(path, sizeof(path), "/dev/ivshm%u", at.number);
	server_stop(&self->s, SIGKILL);
	EXPECT_EQ(1, server_start(&self->s, place, as_nobody));
	EXPECT_TRUE(server_says(&self->s, ": Permission denied"));
	ASSERT_EQ(0, chmod(path, 0666));
	mkdir(SOCKET ".d", 0777);
	ASSERT_EQ(0, chmod(SOCKET ".d", 0777));
	ASSERT_EQ(0, server_start(&self->s, place, as_nobody));
	c = client_join(place[1], VECTORS, SOON);
	ASSERT_NE(NULL, c);
	for (i = 0; i < 2; i++)
		mute[i] = client_dial(place[1]);
	for (i = 0; i < 100; i++)
		close(client_dial(place[1]));
	/* There are 200 under way: whoever comes has to wait. So does the server. */
	d = client_new(client_dial(place[1]), VECTORS);
	while (client_take(d, 1000) == 1)
		;
	/* Once it has seen that the others have gone. */
	for (i = 0; i < 20 && took > 0.3; i++) {
		took = server_seconds(&self->s);
		sleep(1);
		took = server_seconds(&self->s) - took;
	}
	TH_LOG("the server took %.2f s of a second, %lu messages came", took, d->told);
	EXPECT_TRUE(took <= 0.3);
	EXPECT_GT(3 + 4 * VECTORS, d->told);
	for (i = 0; i < 2; i++)
		close(mute[i]);
	EXPECT_EQ(0, client_until(d, c->id, VECTORS, SOON));
	EXPECT_EQ(0, client_take_all(d, 1000));
	EXPECT_EQ(2, client_peers(d));
	EXPECT_EQ(0, client_take_all(c, 1000));
	EXPECT_EQ(2, client_peers(c));
	client_leave(c);
	client_leave(d);
	EXPECT_EQ(0, server_stop(&self->s, SIGTERM));
	EXPECT_EQ(0, rmdir(SOCKET ".d"));
}

static int mode_of(const char *path)
{
	struct stat st;

	return lstat(path, &st) ? -errno : (int)st.st_mode;
}

TEST_F(serve, ends)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGHUP };
	struct region_attrs at;
	struct client *c;
	int i;

	for (i = 0; i < 3; i++) {
		c = join();
		ASSERT_NE(NULL, c);
		EXPECT_EQ(0, server_stop(&self->s, signals[i]));
		EXPECT_EQ(-ENOENT, mode_of(SOCKET));
		EXPECT_EQ(0, client_take(c, SOON));
		/* What it has is its own. */
		ASSERT_EQ(0, region_get(&self->c, "x", &at));
		EXPECT_EQ(1, at.users);
		client_leave(c);
		ASSERT_EQ(0, region_get(&self->c, "x", &at));
		EXPECT_EQ(0, at.users);
		ASSERT_EQ(0, server_start(&self->s, words, NULL));
	}
}

TEST_F(serve, sockets)
{
	struct server other;
	struct client *c;
	int fd;

	/* Somebody is there. */
	EXPECT_EQ(1, server_start(&other, words, NULL));
	EXPECT_TRUE(server_says(&other, "cannot serve at " SOCKET ": Address already in use"));
	close(other.out);
	c = join();
	ASSERT_NE(NULL, c);
	client_leave(c);
	/* Somebody was. */
	server_stop(&self->s, SIGKILL);
	EXPECT_EQ(S_IFSOCK | 0600, mode_of(SOCKET));
	EXPECT_EQ(-ECONNREFUSED, client_dial(SOCKET));
	ASSERT_EQ(0, server_start(&self->s, words, NULL));
	c = join();
	ASSERT_NE(NULL, c);
	client_leave(c);
	/* What is in its place in the end stays there. */
	ASSERT_EQ(0, unlink(SOCKET));
	fd = open(SOCKET, O_CREAT | O_EXCL | O_WRONLY, 0640);
	ASSERT_LE(0, fd);
	close(fd);
	EXPECT_EQ(0, server_stop(&self->s, SIGTERM));
	EXPECT_EQ(S_IFREG | 0640, mode_of(SOCKET));
	/* No socket at all. */
	EXPECT_EQ(1, server_start(&self->s, words, NULL));
	EXPECT_TRUE(server_says(&self->s, ": Socket operation on non-socket"));
	EXPECT_EQ(S_IFREG | 0640, mode_of(SOCKET));
	ASSERT_EQ(0, unlink(SOCKET));
	ASSERT_EQ(0, symlink("/dev/null", SOCKET));
	EXPECT_EQ(1, server_start(&self->s, words, NULL));
	EXPECT_EQ(S_IFLNK | 0777, mode_of(SOCKET));
}

static int dial_as_nobody(void)
{
	int status, pid = fork();

	if (!pid) {
		if (be_nobody())
			_exit(98);
		_exit(client_dial(SOCKET) < 0 ? errno : 0);
	}
	waitpid(pid, &status, 0);
	return WEXITSTATUS(status);
}

TEST_F(serve, permissions)
{
	static char *const shared[] = { "x", SOCKET, "mode", "0660", "group", "65534",
					"owner", "1", NULL };
	struct stat st;

	EXPECT_EQ(EACCES, dial_as_nobody());
	EXPECT_EQ(0, server_stop(&self->s, SIGTERM));
	ASSERT_EQ(0, server_start(&self->s, shared, NULL));
	ASSERT_EQ(0, lstat(SOCKET, &st));
	EXPECT_EQ(S_IFSOCK | 0660, st.st_mode);
	EXPECT_EQ(1, st.st_uid);
	EXPECT_EQ(NOBODY, st.st_gid);
	EXPECT_EQ(0, dial_as_nobody());
}

TEST_F(serve, region)
{
	static char *const none[] = { "y", SOCKET ".2", NULL };
	struct client *c = join();
	struct server other;
	int sock;

	ASSERT_NE(NULL, c);
	EXPECT_EQ(1, server_start(&other, none, NULL));
	EXPECT_TRUE(server_says(&other, "region y: name \"y\": no such region"));
	close(other.out);
	EXPECT_EQ(-ENOENT, mode_of(SOCKET ".2"));
	/* It is in use, and is deleted all the same. */
	EXPECT_EQ(-EBUSY, region_del(&self->c, "x"));
	ASSERT_EQ(0, region_force(&self->c, "x"));
	EXPECT_EQ(1, server_wait(&self->s, SOON / 1000));
	EXPECT_TRUE(server_says(&self->s, "region x was deleted"));
	EXPECT_EQ(-ENOENT, mode_of(SOCKET));
	EXPECT_EQ(0, client_take(c, SOON));
	sock = client_dial(SOCKET);
	EXPECT_EQ(-ENOENT, sock);
	client_leave(c);
}

TEST_HARNESS_MAIN
