/* SPDX-License-Identifier: GPL-2.0 */
/* The server that QEMU's ivshmem-doorbell connects to. */
#ifndef _IVMCTL_SERVE_H
#define _IVMCTL_SERVE_H

#include <sys/types.h>

#include "ivmctl.h"

/**
 * struct serve_config - what is served, and where
 * @name:    of the region
 * @path:    of the socket
 * @vectors: of each peer, 1 to IVSHM_VECTORS
 * @rings:   requests of the rings that the peer gets, a power of two up to
 *           IVSHM_MSGQ_RINGS_MAX; 0 for none
 * @mode:    permissions of the socket
 * @owner:   of the socket, or -1 for the caller
 * @group:   likewise
 */
struct serve_config {
	const char *name;
	const char *path;
	unsigned int vectors;
	unsigned int rings;
	mode_t mode;
	uid_t owner;
	gid_t group;
};

/* Serve until SIGHUP, SIGINT or SIGTERM, or the region is deleted. Returns enum rc. */
int serve(struct ctx *ctx, const struct serve_config *config);

#endif /* _IVMCTL_SERVE_H */
