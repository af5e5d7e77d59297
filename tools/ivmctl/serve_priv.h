/* SPDX-License-Identifier: GPL-2.0 */
/* Between serve.c, serve_peer.c, serve_rings.c and serve_socket.c. */
#ifndef _IVMCTL_SERVE_PRIV_H
#define _IVMCTL_SERVE_PRIV_H

#include <jansson.h>
#include <linux/ivshm.h>
#include <sys/stat.h>

#include "serve.h"

struct ivnl;

/* Peers at a time. */
#define PEERS_MAX	1024
/* IDs that peers can have. */
#define IDS_MAX		65536
/* That of the kernel as a peer of one vector, the doorbell of the rings. */
#define KERNEL_ID	0
/* What a peer can still have to be told; see serve_peer.c. */
#define NOTES_MAX	(4 + 2 * PEERS_MAX)

/**
 * struct peer - somebody who is connected
 * @sock:    to it
 * @file:    of the region, a copy of which it gets
 * @slot:    its place in the server
 * @id:      what peers call it
 * @born:    how many had come when it came
 * @number:  of @file, in the module
 * @vector:  eventfds
 * @why:     it is to be put out, or NULL
 * @blocked: its socket is full
 * @moved:   when it last took something while notes were waiting, in milliseconds
 * @note:    what it is still to be told
 * @notes:   number of those
 * @sent:    vectors of the peer that @note[0] is about
 */
struct peer {
	int sock;
	int file;
	unsigned int slot;
	unsigned int id;
	uint64_t born;
	unsigned int number;
	int vector[IVSHM_VECTORS];
	const char *why;
	bool blocked;
	int64_t moved;
	uint32_t note[NOTES_MAX];
	unsigned int notes;
	unsigned int sent;
};

/**
 * struct server - a region and its peers
 * @ctx:      complaints go by it
 * @config:   what is asked for
 * @region:   the region
 * @kick:     eventfd, doorbell of the rings, or -1
 * @listener: the socket
 * @node:     its place, to know it again
 * @epoll:    all that is waited for; an event's data is the slot of a peer, or
 *            above those
 * @events:   of the module
 * @signals:  that end the server
 * @limit:    of peers, by the descriptors that they need
 * @nr:       of peers
 * @peer:     by slot
 * @came:     peers so far
 * @used:     by ID: how many had come when the last one of that ID went; all ones
 *            while there is one
 * @resting:  nobody can be let in for a moment
 * @grumbled: when it last complained, in milliseconds
 * @done:     to be left
 * @rc:       what is returned then
 */
struct server {
	struct ctx *ctx;
	const struct serve_config *config;
	int region;
	int kick;
	int listener;
	struct stat node;
	int epoll;
	struct ivnl *events;
	int signals;
	unsigned int limit;
	unsigned int nr;
	struct peer *peer[PEERS_MAX];
	uint64_t came;
	uint64_t used[IDS_MAX];
	bool resting;
	int64_t grumbled;
	bool done;
	int rc;
};

/* serve.c */

int64_t now_ms(void);
/*
 * Tell the user; takes @event, of which @text is the words.  Nothing is written that
 * would have to wait for whoever reads it.
 */
void tell(const struct server *server, json_t *event, const char *text);

/* serve_peer.c */

/*
 * The lowest ID that nobody who is there has known, or -1.  When a peer comes whose ID
 * another had that went, QEMU (7.2 at least) writes to memory that it freed then.
 */
int peers_id(const struct server *server);
/* Let in who is at @sock, which is taken. -1 with errno. */
int peer_come(struct server *server, int sock);
/* Something happened to a peer's socket. */
void peer_event(const struct server *server, struct peer *peer, uint32_t events);
/* Send what can be sent, put out those for whom that is due, and tell the others. */
void peers_settle(struct server *server);
/* Whether there is something that some peer has not been told yet. */
bool peers_wait(const struct server *server);
/* Let all of them go, without a word. */
void peers_free(const struct server *server);

/* serve_rings.c */

/* Get ready to give rings, which must fit into @size bytes. -1 with errno. */
int rings_open(struct server *server, uint64_t size);
/*
 * Make the message queue of the region @peer's, and give it rings, the interrupt of
 * which are its vectors.  -1 with errno.
 */
int rings_give(const struct server *server, const struct peer *peer);

/* serve_socket.c */

/* Make server->listener, which listens at its place. -1 with errno. */
int socket_open(struct server *server);
/* Close it, and remove it if it still is in its place. */
void socket_close(const struct server *server);

#endif /* _IVMCTL_SERVE_PRIV_H */
