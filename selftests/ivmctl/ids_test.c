// SPDX-License-Identifier: GPL-2.0
/* Which IDs "ivmctl region serve" gives to peers. */
#include <stdint.h>
#include <stdlib.h>

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

int main(void)
{
	puts("TAP version 13\n1..4");
	ktap_run("the lowest", lowest);
	ktap_run("the same again", again);
	ktap_run("none that anybody has known", remembered);
	ktap_run("none is left", exhausted);
	return ktap_failed != 0;
}
