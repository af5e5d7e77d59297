/* SPDX-License-Identifier: GPL-2.0 */
/* A process that plays a guest with rings. */
#ifndef _IVSHM_TEST_SIDE_H
#define _IVSHM_TEST_SIDE_H

#include "libivshm.h"
#include "msgq.h"

/* Rings of a window, as its guest and its VMM have them. */
struct side {
	struct window *w;
	struct ivshm_ring r;
	int kick, call;
	uint32_t nr;
	uint64_t at;	/* in the window */
	uint64_t token;	/* of the last request */
};

/* IVSHM_MSGQ_RINGS: 0 or a negative error. */
int msgq_rings(int fd, uint64_t offset, uint32_t nr, int kick, int call);
int msgq_rings_end(int fd);

/* With a doorbell and an interrupt. 0 or a negative error. */
int side_open(struct side *s, struct window *w, uint64_t offset, uint32_t nr);
/* New rings in place of these. The same. */
int side_again(struct side *s);
void side_close(struct side *s);

/* Ask, with a token of its own, and do not ring. As ivshm_ring_ask(). */
int side_ask(struct side *s, struct ivshm_ring_request req);
void side_ring(const struct side *s);
/* Wait for a result. 0, -ETIMEDOUT, or what ended the rings. */
int side_take(struct side *s, struct ivshm_ring_result *res);
/* All of this with one request: its status, or what went wrong. */
int side_do(struct side *s, struct ivshm_ring_request req, struct ivshm_ring_result *res);

/* The thread that serves it, or -1. */
pid_t side_thread(const struct side *s);
/*
 * Until it sleeps, which it does when it has done all that it was woken for.  Whether
 * it does.
 */
int side_rests(const struct side *s);

/* Requests. */
struct ivshm_ring_request ask_post(uint64_t offset, uint64_t len, uint64_t cookie);
struct ivshm_ring_request ask_send(const struct window *to, uint64_t offset, uint64_t len,
				   uint32_t how);
struct ivshm_ring_request ask_release(uint64_t id);
struct ivshm_ring_request ask_op(uint32_t op);

#endif /* _IVSHM_TEST_SIDE_H */
