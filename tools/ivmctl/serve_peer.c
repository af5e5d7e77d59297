// SPDX-License-Identifier: GPL-2.0
/*
 * ivmctl region serve: peers, and what they are told.
 *
 * - Nobody is waited for.  What a peer is still to be told stands in a queue of its
 *   own; who takes none of it for STALL_MS is put out.
 * - The queue never has more than NOTES_MAX notes.  Of each peer there is at most one
 *   that it came, and none once it has gone.  That it has gone is told only to those
 *   who were told that it came: while the first note of that kind waits nothing
 *   behind it is told, so what they are about was there when that one was written.
 * - So descriptors of a peer that has gone are in no queue.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "output.h"
#include "serve_priv.h"

#define PROTOCOL_VERSION	0
/* After that a peer that takes nothing of what waits for it is put out. */
#define STALL_MS		10000

/*
 * Notes: the slot of a peer that came, or these.  The first four stand at the
 * beginning only.
 */
enum note {
	NOTE_VERSION = PEERS_MAX,
	NOTE_ID,
	NOTE_MEMORY,
	NOTE_KERNEL,
	NOTE_GONE = 1 << 16,	/* and the ID */
};

/*
 * What they are told
 */

enum sent {
	SENT,
	SENT_FULL,	/* not now: it has to read first */
	SENT_SHORT,	/* not now: the kernel is short of something */
	SENT_BROKEN,
};

static enum sent send_number(int sock, int64_t number, int fd)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(fd))];
	} control = { .space = { 0 } };
	uint64_t wire = htole64((uint64_t)number);
	struct iovec data = { .iov_base = &wire, .iov_len = sizeof(wire) };
	struct msghdr msg = { .msg_iov = &data, .msg_iovlen = 1 };
	ssize_t n;

	if (fd >= 0) {
		msg.msg_control = &control;
		msg.msg_controllen = sizeof(control.space);
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(sizeof(fd));
		memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
	}
	n = sendmsg(sock, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
	/* So few bytes go at once or not at all. */
	if (n == sizeof(wire))
		return SENT;
	if (n >= 0)
		return SENT_BROKEN;
	switch (errno) {
	case EAGAIN:
		return SENT_FULL;
	case EINTR:
	case ENOMEM:
	case ENOBUFS:
	case ETOOMANYREFS:
		return SENT_SHORT;
	default:
		return SENT_BROKEN;
	}
}

/* The next message of the first note. */
static enum sent send_next(const struct server *server, const struct peer *peer)
{
	unsigned int note = peer->note[0];
	const struct peer *other;

	switch (note) {
	case NOTE_VERSION:
		return send_number(peer->sock, PROTOCOL_VERSION, -1);
	case NOTE_ID:
		return send_number(peer->sock, peer->id, -1);
	case NOTE_MEMORY:
		return send_number(peer->sock, -1, peer->file);
	case NOTE_KERNEL:
		return send_number(peer->sock, KERNEL_ID, server->kick);
	}
	if (note & NOTE_GONE)
		return send_number(peer->sock, note & ~(unsigned int)NOTE_GONE, -1);
	other = server->peer[note];
	return send_number(peer->sock, other->id, other->vector[peer->sent]);
}

static void note_add(struct peer *peer, unsigned int note)
{
	if (!peer->notes)
		peer->moved = now_ms();
	peer->note[peer->notes++] = note;
}

static void note_remove(struct peer *peer, unsigned int i)
{
	peer->notes--;
	memmove(&peer->note[i], &peer->note[i + 1],
		(peer->notes - i) * sizeof(peer->note[0]));
}

/* The first note, or what was left of it, was sent. */
static void note_sent(const struct server *server, struct peer *peer)
{
	peer->moved = now_ms();
	if (peer->note[0] < PEERS_MAX && ++peer->sent < server->config->vectors)
		return;
	peer->sent = 0;
	note_remove(peer, 0);
}

/* That @gone has gone, to one that may have been told that it came. */
static void note_gone(struct peer *peer, const struct peer *gone)
{
	unsigned int i = 0;

	while (i < peer->notes && peer->note[i] != gone->slot)
		i++;
	if (i == peer->notes) {
		note_add(peer, NOTE_GONE | gone->id);
	} else if (!i && peer->sent) {
		/* It knows some of the vectors. */
		peer->note[0] = NOTE_GONE | gone->id;
	} else {
		note_remove(peer, i);
	}
}

static void peer_wait(const struct server *server, struct peer *peer, bool blocked)
{
	struct epoll_event event = {
		.events = blocked ? EPOLLIN | EPOLLOUT : EPOLLIN,
		.data.u64 = peer->slot,
	};

	if (blocked == peer->blocked)
		return;
	peer->blocked = blocked;
	if (epoll_ctl(server->epoll, EPOLL_CTL_MOD, peer->sock, &event))
		peer->why = "cannot be waited for";
}

/* Send what there is for it, as far as that is possible now. */
static void deliver(const struct server *server, struct peer *peer)
{
	while (peer->notes && !peer->why) {
		switch (send_next(server, peer)) {
		case SENT:
			note_sent(server, peer);
			break;
		case SENT_FULL:
			peer_wait(server, peer, true);
			return;
		case SENT_SHORT:
			/* It is not to blame. */
			peer->moved = now_ms();
			return;
		case SENT_BROKEN:
			peer->why = "closed";
			break;
		}
	}
	peer_wait(server, peer, false);
}

/*
 * How they come and go
 */

static void tell_came(const struct server *server, const struct peer *peer)
{
	struct ucred who = { .pid = 0 };
	socklen_t len = sizeof(who);
	char text[128];

	getsockopt(peer->sock, SOL_SOCKET, SO_PEERCRED, &who, &len);
	snprintf(text, sizeof(text), "peer %u came: number %u, process %d, user %u",
		 peer->id, peer->number, (int)who.pid, who.uid);
	tell(server, json_pack("{s:s, s:i, s:i, s:i, s:I}", "event", "came",
			       "peer", peer->id, "number", peer->number,
			       "pid", (int)who.pid, "uid", (json_int_t)who.uid), text);
}

static void tell_went(const struct server *server, const struct peer *peer)
{
	char text[128];

	snprintf(text, sizeof(text), "peer %u went: %s", peer->id, peer->why);
	tell(server, json_pack("{s:s, s:i, s:s}", "event", "went", "peer", peer->id,
			       "reason", peer->why), text);
}

static void peer_free(struct peer *peer)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(peer->vector); i++)
		if (peer->vector[i] >= 0)
			close(peer->vector[i]);
	if (peer->file >= 0)
		close(peer->file);
	close(peer->sock);
	free(peer);
}

/* An eventfd that ringing the peer in the module signals, too. -1 with errno. */
static int vector_new(const struct peer *peer, unsigned int i)
{
	struct ivshm_region_bind bind = { .argsz = sizeof(bind), .vector = i };

	bind.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (bind.fd >= 0 && ioctl(peer->file, IVSHM_REGION_BIND, &bind)) {
		close(bind.fd);
		return -1;
	}
	return bind.fd;
}

/* What @peer needs of the region. -1 with errno. */
static int peer_join(const struct server *server, struct peer *peer)
{
	struct ivshm_region_export export = {
		.argsz = sizeof(export), .flags = O_RDWR | O_CLOEXEC,
	};
	struct ivshm_region_info info = { .argsz = sizeof(info) };
	unsigned int i;

	/* QEMU asks for the size by fstat(). */
	peer->file = ioctl(server->region, IVSHM_REGION_EXPORT, &export);
	if (peer->file < 0 || ioctl(peer->file, IVSHM_REGION_INFO, &info))
		return -1;
	peer->number = info.peer;
	for (i = 0; i < server->config->vectors; i++) {
		peer->vector[i] = vector_new(peer, i);
		if (peer->vector[i] < 0)
			return -1;
	}
	return server->config->rings ? rings_give(server, peer) : 0;
}

int peers_id(const struct server *server)
{
	uint64_t oldest = UINT64_MAX;
	unsigned int i;

	for (i = 0; i < PEERS_MAX; i++)
		if (server->peer[i] && server->peer[i]->born < oldest)
			oldest = server->peer[i]->born;
	for (i = 0; i < IDS_MAX; i++)
		if (server->used[i] < oldest)
			return (int)i;
	return -1;
}

/* Takes @sock. NULL with errno. */
static struct peer *peer_new(const struct server *server, int sock)
{
	struct epoll_event event = { .events = EPOLLIN };
	struct peer *peer = check_alloc(calloc(1, sizeof(*peer)));
	int err, one = 1, id = peers_id(server);
	unsigned int i;

	peer->sock = sock;
	peer->file = -1;
	for (i = 0; i < ARRAY_SIZE(peer->vector); i++)
		peer->vector[i] = -1;
	/* There is one: they were counted. */
	while (server->peer[peer->slot])
		peer->slot++;
	event.data.u64 = peer->slot;
	peer->id = (unsigned int)id;
	errno = EUSERS;
	/* Urgent data would be passed over. */
	if (id < 0 || setsockopt(sock, SOL_SOCKET, SO_OOBINLINE, &one, sizeof(one)) ||
	    peer_join(server, peer) || epoll_ctl(server->epoll, EPOLL_CTL_ADD, sock, &event)) {
		err = errno;
		peer_free(peer);
		errno = err;
		return NULL;
	}
	return peer;
}

static void peer_introduce(struct server *server, struct peer *peer)
{
	unsigned int i;

	note_add(peer, NOTE_VERSION);
	note_add(peer, NOTE_ID);
	note_add(peer, NOTE_MEMORY);
	if (server->config->rings)
		note_add(peer, NOTE_KERNEL);
	for (i = 0; i < PEERS_MAX; i++) {
		if (!server->peer[i])
			continue;
		note_add(peer, i);
		note_add(server->peer[i], peer->slot);
	}
	note_add(peer, peer->slot);
	peer->born = ++server->came;
	server->peer[peer->slot] = peer;
	server->used[peer->id] = UINT64_MAX;
	server->nr++;
	tell_came(server, peer);
}

int peer_come(struct server *server, int sock)
{
	struct peer *peer = peer_new(server, sock);

	if (!peer)
		return -1;
	peer_introduce(server, peer);
	return 0;
}

static void peer_put_out(struct server *server, struct peer *peer)
{
	unsigned int i;

	server->peer[peer->slot] = NULL;
	server->used[peer->id] = server->came;
	server->nr--;
	for (i = 0; i < PEERS_MAX; i++)
		if (server->peer[i])
			note_gone(server->peer[i], peer);
	tell_went(server, peer);
	peer_free(peer);
}

void peer_event(const struct server *server, struct peer *peer, uint32_t events)
{
	char byte;

	if (events & EPOLLOUT)
		peer_wait(server, peer, false);
	if (!(events & ~(uint32_t)EPOLLOUT))
		return;
	/* Descriptors that come with it are dropped by the kernel. */
	switch (recv(peer->sock, &byte, 1, MSG_DONTWAIT)) {
	case 1:
		peer->why = "it sent something";
		break;
	case 0:
		peer->why = "closed";
		break;
	default:
		if (errno != EAGAIN && errno != EINTR)
			peer->why = "closed";
	}
}

static bool is_stalled(const struct peer *peer)
{
	return peer->notes && now_ms() - peer->moved > STALL_MS;
}

void peers_settle(struct server *server)
{
	struct peer *peer;
	bool again = true;
	unsigned int i;

	while (again) {
		again = false;
		for (i = 0; i < PEERS_MAX; i++) {
			peer = server->peer[i];
			if (!peer)
				continue;
			/* There can be a little room before it is waited for any more. */
			if (!peer->blocked || is_stalled(peer))
				deliver(server, peer);
			if (is_stalled(peer))
				peer->why = "it does not read";
			if (peer->why) {
				peer_put_out(server, peer);
				again = true;
			}
		}
	}
}

bool peers_wait(const struct server *server)
{
	unsigned int i;

	for (i = 0; i < PEERS_MAX; i++)
		if (server->peer[i] && server->peer[i]->notes)
			return true;
	return false;
}

void peers_free(const struct server *server)
{
	unsigned int i;

	for (i = 0; i < PEERS_MAX; i++)
		if (server->peer[i])
			peer_free(server->peer[i]);
}
