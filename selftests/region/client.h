/* SPDX-License-Identifier: GPL-2.0 */
/* A client of "ivmctl region serve", as QEMU's ivshmem-doorbell is one. */
#ifndef _IVSHM_TEST_CLIENT_H
#define _IVSHM_TEST_CLIENT_H

#include <linux/ivshm.h>
#include <stdint.h>

#define CLIENTS_MAX	8192

/**
 * struct client - what it was told
 * @sock:    to the server
 * @told:    messages
 * @id:      its own, -1 before it is told
 * @memory:  descriptor of the region, -1 before
 * @vectors: that each peer is to have
 * @known:   by ID, itself too: how many vectors it knows
 * @gone:    by ID: there was one, and QEMU cannot take another of that ID
 * @event:   and their eventfds
 */
struct client {
	int sock;
	unsigned long told;
	int id;
	int memory;
	int vectors;
	uint8_t known[CLIENTS_MAX];
	uint8_t gone[CLIENTS_MAX];
	int event[CLIENTS_MAX][IVSHM_VECTORS];
};

/* A connection, on which nothing was read yet. Negative error. */
int client_dial(const char *path);
/* A client on it. Never NULL; -1 for @sock is a client that gets nothing. */
struct client *client_new(int sock, int vectors);
/*
 * Take the next message.  Returns 1, 0 if the server has hung up, -ETIMEDOUT after
 * @ms, -EPROTO if the server is not to send that.
 */
int client_take(struct client *c, int ms);
/* Until there is nothing for @ms. Returns 0, or as client_take(). */
int client_take_all(struct client *c, int ms);
/* Until it knows all vectors of that peer, or none. The same. */
int client_until(struct client *c, int id, int vectors, int ms);
/* Dial, and take all up to its own last vector. NULL with errno. */
struct client *client_join(const char *path, int vectors, int ms);
/* How many peers it knows, itself among them. */
int client_peers(const struct client *c);
/* Signal a vector of a peer. 0 or a negative error. */
int client_ring(const struct client *c, int id, int vector);
/* Hang up, and forget all. */
void client_leave(struct client *c);

#endif /* _IVSHM_TEST_CLIENT_H */
