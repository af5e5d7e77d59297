// SPDX-License-Identifier: GPL-2.0
/*
 * Peers of "ivmctl region serve", without a region: which IDs they get, and that all
 * they are told is true, whatever they do, and however little of it they read.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../region/client.h"
#include "ktap.h"
#include "serve_priv.h"

static struct server server;
static struct peer peers[PEERS_MAX];

/* Its ID, or -1. */
static int come(unsigned int slot)
{
	int id = peers_id(&server);

	if (id < 0)
		return -1;
	peers[slot].id = (unsigned int)id;
	peers[slot].born = ++server.came;
	server.peer[slot] = &peers[slot];
	server.used[id] = UINT64_MAX;
	return id;
}

static void go(unsigned int slot)
{
	server.used[peers[slot].id] = server.came;
	server.peer[slot] = NULL;
}

static void reset(void)
{
	memset(&server, 0, sizeof(server));
}

static int lowest(void)
{
	reset();
	return come(7) != 0 || come(3) != 1 || come(5) != 2;
}

/* Alone, one gets its own again. */
static int again(void)
{
	int i;

	reset();
	for (i = 0; i < 3; i++) {
		if (come(0) != 0)
			return 1;
		go(0);
	}
	return 0;
}

static int remembered(void)
{
	reset();
	come(0);
	come(1);
	go(0);
	/* Slot 1 knows that there was a 0, slot 2 does not. */
	if (come(2) != 2)
		return 1;
	go(1);
	if (come(3) != 0)
		return 1;
	/* Slot 2 knew the 1 of slot 1. */
	return come(4) != 3;
}

static int exhausted(void)
{
	int i;

	reset();
	come(0);
	for (i = 1; i < IDS_MAX; i++) {
		if (come(1) != i)
			return 1;
		go(1);
	}
	if (come(1) != -1 || come(1) != -1)
		return 1;
	/* The one that remembers all of them. */
	go(0);
	return come(1) != 0 || come(2) != 1;
}

/*
 * All of the server but its sockets
 */

#define VECTORS	3
#define CLIENTS	40
#define STEPS	30000

static struct client *client[CLIENTS];

/* The module's part. */
int ioctl(int fd, unsigned long request, ...)
{
	(void)fd;
	return request == IVSHM_REGION_EXPORT ? open("/dev/null", O_RDWR | O_CLOEXEC) : 0;
}

static void connect_one(unsigned int i)
{
	int pair[2], small = 1;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		abort();
	/* Of a few messages it is full. */
	setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	client[i] = client_new(pair[1], VECTORS);
	if (peer_come(&server, pair[0]))
		abort();
}

static void disconnect_one(unsigned int i)
{
	client_leave(client[i]);
	client[i] = NULL;
}

/* As its loop does. Returns whether all were told all that there was room for. */
static int serve_once(void)
{
	struct epoll_event event[16];
	int i, n = epoll_wait(server.epoll, event, ARRAY_SIZE(event), 0);

	for (i = 0; i < n; i++)
		peer_event(&server, server.peer[event[i].data.u64], event[i].events);
	peers_settle(&server);
	for (i = 0; i < PEERS_MAX; i++)
		if (server.peer[i] && server.peer[i]->notes && !server.peer[i]->blocked)
			return 0;
	return 1;
}

/* No note is of a peer that is not there, or twice; there are no more than promised. */
static int notes_are_sound(const struct peer *peer)
{
	unsigned int i, came = 0, gone = 0;
	bool seen[PEERS_MAX] = { false };

	for (i = 0; i < peer->notes; i++) {
		uint32_t note = peer->note[i];

		if (note >= PEERS_MAX) {
			gone += note >= IDS_MAX;
			continue;
		}
		if (!server.peer[note] || seen[note])
			return 0;
		seen[note] = true;
		came++;
	}
	return came <= server.nr && gone <= CLIENTS;
}

static int all_sound(void)
{
	unsigned int i;

	for (i = 0; i < PEERS_MAX; i++)
		if (server.peer[i] && !notes_are_sound(server.peer[i]))
			return 0;
	return 1;
}

/* 0 or an error; it takes what there is, up to so much. */
static int take_some(struct client *c, int most)
{
	int ret = 1;

	while (ret == 1 && most--)
		ret = client_take(c, 0);
	return ret == 1 || ret == -ETIMEDOUT ? 0 : ret ?: -ECONNRESET;
}

/* One step of somebody's. Returns whether all is well. */
static int step(void)
{
	unsigned int i = (unsigned int)rand() % CLIENTS;
	int what = rand() % 16, ret = 0;

	if (!client[i] && what < 6)
		connect_one(i);
	else if (client[i] && what < 3)
		disconnect_one(i);
	else if (client[i] && what < 12)
		ret = take_some(client[i], 1 << rand() % 7);
	if (ret) {
		printf("# client %u: %s\n", i, strerror(-ret));
		return 0;
	}
	if (rand() % 4 && !serve_once()) {
		puts("# somebody was not told what he could have been");
		return 0;
	}
	return all_sound();
}

/* In the end each knows those who are there, and nobody else. */
static int all_agree(void)
{
	unsigned int i, rounds, nr = 0;

	for (rounds = 0; rounds < 1000 && (!rounds || peers_wait(&server)); rounds++) {
		serve_once();
		for (i = 0; i < CLIENTS; i++)
			if (client[i] && take_some(client[i], CLIENTS_MAX))
				return 0;
	}
	for (i = 0; i < CLIENTS; i++)
		nr += !!client[i];
	for (i = 0; i < CLIENTS; i++)
		if (client[i] && client_peers(client[i]) != (int)nr)
			return 0;
	return nr == server.nr;
}

static int count_files(void)
{
	int fd, nr = 0;

	for (fd = 0; fd < 4096; fd++)
		nr += fcntl(fd, F_GETFD) >= 0;
	return nr;
}

static int storm(void)
{
	static const struct serve_config config = { .vectors = VECTORS };
	struct ctx ctx = { .out = fopen("/dev/null", "w") };
	int i, failed = 0, files;

	reset();
	server.ctx = &ctx;
	server.config = &config;
	server.epoll = epoll_create1(EPOLL_CLOEXEC);
	files = count_files();
	srand(1);
	for (i = 0; i < STEPS && !failed; i++) {
		failed = !step();
		if (i % 1000 == 999)
			failed |= !all_agree();
	}
	if (failed)
		printf("# step %d\n", i);
	for (i = 0; i < CLIENTS; i++)
		if (client[i])
			disconnect_one((unsigned int)i);
	serve_once();
	serve_once();
	serve_once();
	failed |= server.nr != 0 || count_files() != files;
	close(server.epoll);
	fclose(ctx.out);
	return failed;
}

int main(void)
{
	puts("TAP version 13\n1..5");
	ktap_run("the lowest", lowest);
	ktap_run("the same again", again);
	ktap_run("none that anybody has known", remembered);
	ktap_run("none is left", exhausted);
	ktap_run("all that peers are told is true", storm);
	return ktap_failed != 0;
}
