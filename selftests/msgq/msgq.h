/* SPDX-License-Identifier: GPL-2.0 */
/* Message queues, as their tests make and use them. */
#ifndef _IVSHM_TEST_MSGQ_H
#define _IVSHM_TEST_MSGQ_H

#include <linux/ivshm_msgq.h>
#include <poll.h>

#include "region.h"

#define P(x)	IVSHM_A_PEER_##x
#define STAT(x)	IVSHM_A_PEER_STAT_##x

/* What a peer has, as a reply says it. */
struct peer_attrs {
	char from[IVSHM_NAME_MAX];
	char to[IVSHM_NAME_MAX];
	uint32_t messages;
	uint64_t pages;
	uint64_t bytes;
	uint32_t now_messages;
	uint64_t now_pages;
	uint64_t now_bytes;
	uint64_t stat[IVSHM_A_PEER_STAT_MAX + 1];
};

/* Each returns 0 or a negative error. */
int peer_allow(struct control *c, const char *from, const char *to);
/* A limit that is ~0 is left out. */
int peer_limit(struct control *c, const char *from, const char *to,
	       uint32_t messages, uint64_t pages, uint64_t bytes);
int peer_deny(struct control *c, const char *from, const char *to);
int peer_get(struct control *c, const char *from, const char *to,
	     struct peer_attrs *attrs);
/* A request about that peer; its nest, which is left open. */
unsigned int peer_begin(struct control *c, int cmd, const char *from, const char *to);
/* Peers there are, or a negative error. */
int peer_count(struct control *c);
/* Delete what a test that failed left behind. */
void peer_del_all(struct control *c);

/* A region with a queue. */
struct window {
	int fd;
	uint32_t number;
	size_t size;
	char *at;	/* all of it, mapped */
};

/* Make the region, open and map it, and attach its queue. 0 or a negative error. */
int window_open(struct control *c, struct window *w, const char *name, size_t size,
		uint32_t page);
/* Only of a region that is there. */
int window_join(struct control *c, struct window *w, const char *name);
void window_close(struct window *w);
void window_clear(struct window *w);

/*
 * What most tests begin with: nothing left of others, and windows a and b, of which
 * a may send to b.  0 or a negative error.
 */
int windows_open(struct control *c, struct window *a, struct window *b, size_t size);
void windows_close(struct control *c, struct window *a, struct window *b);

int msgq_attach(int fd, uint32_t depth, uint32_t slots);
int msgq_bind(int fd, uint32_t event, int eventfd);

/* A batch. Returns how many were done, or the negative error of the first. */
int msgq_batch(int fd, unsigned long cmd, void *entries, uint32_t size, uint32_t count);
/* One each. 0 or a negative error. */
int msgq_post(int fd, uint64_t offset, uint64_t len, uint64_t cookie);
int msgq_send(int fd, struct ivshm_msgq_send *send);
int msgq_recv(int fd, struct ivshm_msgq_recv *recv);
int msgq_release(int fd, uint64_t id);
int msgq_done(int fd, struct ivshm_msgq_done *done);
/* Write to one that is being sent; what it asks for depends on @n. */
void spoil_send(struct ivshm_msgq_send *send, unsigned int n, uint32_t to);
/* Only the range and how. */
int send_range(const struct window *from, const struct window *to, uint64_t offset,
	       uint64_t len, uint32_t how);
/* Nothing, of which the receiver is to be told later. */
int send_deferred(const struct window *from, const struct window *to, uint32_t defer_us);
/* Only inline data. */
int send_text(const struct window *from, const struct window *to, const char *text);

/* What poll() says at once. */
int polled(int fd);

#endif /* _IVSHM_TEST_MSGQ_H */
