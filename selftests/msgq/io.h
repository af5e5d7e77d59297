/* SPDX-License-Identifier: GPL-2.0 */
/* Input and output that holds pages for as long as a test likes. */
#ifndef _IVSHM_TEST_IO_H
#define _IVSHM_TEST_IO_H

#include <pthread.h>
#include <stddef.h>
#include <sys/types.h>

/*
 * A direct read (O_DIRECT) of a block device, into a page that is asked for and into
 * one that nobody serves: it has the first, and does not go on.
 */
struct io {
	char *to;
	char *withheld;
	int device;
	int uffd;
	pthread_t thread;
	ssize_t got;
};

/*
 * Read a page of that byte to @to. When it returns @to is held, and not written to yet.
 * 0 or a negative error.
 */
int io_begin(struct io *io, char *to, int byte);
/* It goes on, and is over when this returns. The same. */
int io_end(struct io *io);

/* Memory for packets of AF_XDP, pinned until the descriptor is closed. Or an error. */
int pin_for_packets(void *at, size_t len);
/* A registered buffer of an io_uring. The same. */
int pin_as_buffer(void *at, size_t len);

/* Bytes on their way to the network, which are sent from where they are. */
struct sending {
	int tap;
	int socket;
};

/* As io_begin(). */
int send_begin(struct sending *s, const void *at, size_t len);
/* They are gone. 1 if they were sent from there, 0 if from a copy, or a negative error. */
int send_end(struct sending *s);

#endif /* _IVSHM_TEST_IO_H */
