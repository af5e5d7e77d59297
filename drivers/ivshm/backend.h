/* SPDX-License-Identifier: GPL-2.0 */
/* Backends: what makes a queue run, and what stops it. */
#ifndef _IVSHM_BACKEND_H
#define _IVSHM_BACKEND_H

#include <linux/types.h>
#include <linux/ivshm_netlink.h>

struct file;
struct ivshm_qp;
struct ivshm_vq;
struct socket;

/* The socket of a tap, macvtap or raw packet socket, or NULL. */
struct socket *ivshm_backend_socket(struct file *file);

/* The following are called with ivshm_qp.mutex held and may sleep. */

/*
 * Let queue @index run on @sock of @file, whose reference it takes over unless
 * it fails: -EFAULT if the ring is not there, -EINVAL, -ENOMEM. The owner only.
 */
int ivshm_backend_run(struct ivshm_qp *qp, u32 index, struct file *file,
		      struct socket *sock);
/* If both queues run on one interface, it is a port from now on. */
void ivshm_backend_attach(struct ivshm_qp *qp);
/*
 * Stop a queue, for @reason as it is told of the port; no chain of it is in use
 * any more. Never fails.
 */
void ivshm_backend_stop(struct ivshm_qp *qp, u32 index, enum ivshm_reason reason);

/* The next three: the queue pair is held, see ivshm_qp_hold(). */

/* Make the ring what the ioctls said. -EINVAL, -ENOMEM. */
int ivshm_backend_setup(struct ivshm_vq *vq);
/* Watch the kick of a running queue, or no more. */
void ivshm_backend_watch(struct ivshm_qp *qp, u32 index);
void ivshm_backend_unwatch(struct ivshm_qp *qp, u32 index);

#endif /* _IVSHM_BACKEND_H */
