/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * libivshm: regions and their message queues for programs.
 *
 *	struct ivshm *w;
 *
 *	ivshm_open(&w, "a");			its memory is ivshm_memory(w)
 *	ivshm_attach(w, 0, 0);			its message queue is ours
 *	to = ivshm_number("b");
 *	ivshm_send(w, messages, 1);
 *
 * Whatever can fail returns a negative errno.  Calls on arrays return how many
 * entries were done, which may be fewer than were asked for; structures, flags and
 * errors are those of <linux/ivshm_msgq.h>.  Nothing is locked: two threads may use
 * the same window as two threads may use the same file.
 */
#ifndef LIBIVSHM_H
#define LIBIVSHM_H

#include <linux/ivshm.h>
#include <linux/ivshm_msgq.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A region that is open and mapped, as a whole. */
struct ivshm;

/*
 * By name, or by a path that has a slash in it.  For reading and writing.  0, or
 * -ENOENT, -EACCES, -ENOMEM and so on.
 */
int ivshm_open(struct ivshm **w, const char *name);
/* Its queue ends, and its memory is not mapped any more. */
void ivshm_close(struct ivshm *w);

/* The file, for poll() and for what is not here. It is the window's. */
int ivshm_fd(const struct ivshm *w);
void *ivshm_memory(const struct ivshm *w);
size_t ivshm_size(const struct ivshm *w);
/* Bytes of what its pages come in: 4096, or 2 MiB. */
size_t ivshm_page_size(const struct ivshm *w);
/* Of /dev/ivshmN, which messages are sent to. */
uint32_t ivshm_own_number(const struct ivshm *w);
/* That of another region, which need not be open. A negative errno if there is none. */
int ivshm_number(const char *name);

/* Have its message queue; 0 for the usual sizes. */
int ivshm_attach(struct ivshm *w, uint32_t depth, uint32_t slots);
/* Give an event an eventfd, or -1. */
int ivshm_bind(struct ivshm *w, enum ivshm_msgq_event event, int eventfd);
/*
 * Wait for POLLIN, POLLPRI or POLLOUT, up to @ms milliseconds, or without an end if
 * that is negative.  What there is, 0 if the time is over, or a negative errno.
 */
int ivshm_wait(struct ivshm *w, short events, int ms);

int ivshm_post(struct ivshm *w, const struct ivshm_msgq_slot *slots, uint32_t nr);
/* What was done is in how. */
int ivshm_send(struct ivshm *w, struct ivshm_msgq_send *messages, uint32_t nr);
int ivshm_recv(struct ivshm *w, struct ivshm_msgq_recv *messages, uint32_t nr);
int ivshm_release(struct ivshm *w, const uint64_t *ids, uint32_t nr);
int ivshm_done(struct ivshm *w, struct ivshm_msgq_done *completions, uint32_t nr);

/*
 * Rings.  Whoever has the queue makes them; nr is a power of two, or 0 to have none any
 * more, with -1 for both eventfds.
 */
int ivshm_rings(struct ivshm *w, uint64_t offset, uint32_t nr, int kick, int call);
/* Bytes of the region that rings of so many requests take. */
size_t ivshm_rings_size(uint32_t nr);

/*
 * The rest is for guests, who need no file, only the memory.  A program that ended can be
 * followed by another one, which finds the results that are not taken yet.
 */
struct ivshm_ring {
	struct ivshm_ring_head *head;
	struct ivshm_ring_request *requests;
	struct ivshm_ring_result *results;
	uint32_t nr;
	uint32_t tail;
	uint32_t taken;
};

/* Rings that are there, and go on from where they are. */
void ivshm_ring_use(struct ivshm_ring *r, void *at, uint32_t nr);
/*
 * A request, which is seen from now on; ring the doorbell after the last one.  0,
 * -EAGAIN if results are to be taken first, or what ended the rings.
 */
int ivshm_ring_ask(struct ivshm_ring *r, const struct ivshm_ring_request *request);
/* The next result. 0, -EAGAIN if there is none yet, or what ended the rings. */
int ivshm_ring_take(struct ivshm_ring *r, struct ivshm_ring_result *result);

#ifdef __cplusplus
}
#endif

#endif /* LIBIVSHM_H */
