// SPDX-License-Identifier: GPL-2.0
/*
 * ivmctl region serve: rings, by which a guest drives the message queue of its region.
 *
 * The queue is that of the open file that the peer gets.  So it ends when neither the
 * server nor the VMM has that file any more, and the next VM finds a new one.
 */
#include <errno.h>
#include <linux/ivshm_msgq.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>

#include "serve_priv.h"

int rings_open(struct server *server, uint64_t size)
{
	uint64_t needs = sizeof(struct ivshm_ring_head) +
			 (uint64_t)server->config->rings * (sizeof(struct ivshm_ring_request) +
							    sizeof(struct ivshm_ring_result));

	if (needs > size) {
		errno = ENOSPC;
		return -1;
	}
	/* No peer has the ID. */
	server->used[KERNEL_ID] = UINT64_MAX;
	server->kick = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return server->kick < 0 ? -1 : 0;
}

/* Vectors after the first are for the events, and the last for all that have none. */
static int give_event(const struct server *server, const struct peer *peer, unsigned int event)
{
	unsigned int last = server->config->vectors - 1;
	struct ivshm_msgq_bind bind = {
		.argsz = sizeof(bind),
		.event = event,
		.fd = peer->vector[event < last ? event + 1 : last],
	};

	return ioctl(peer->file, IVSHM_MSGQ_BIND, &bind);
}

int rings_give(const struct server *server, const struct peer *peer)
{
	struct ivshm_msgq_attach attach = { .argsz = sizeof(attach) };
	struct ivshm_msgq_rings rings = {
		.argsz = sizeof(rings),
		.entries = server->config->rings,
		.kick = server->kick,
		.call = peer->vector[0],
	};
	unsigned int i;

	if (ioctl(peer->file, IVSHM_MSGQ_ATTACH, &attach))
		return -1;
	for (i = 0; i < IVSHM_MSGQ_EVENTS; i++)
		if (give_event(server, peer, i))
			return -1;
	return ioctl(peer->file, IVSHM_MSGQ_RINGS, &rings) ? -1 : 0;
}
