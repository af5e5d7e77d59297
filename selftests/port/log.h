/* SPDX-License-Identifier: GPL-2.0 */
/* The dirty log of a guest, see guest.h: the part of the VMM that migrates it. */
#ifndef LOG_H
#define LOG_H

#include "guest.h"

#define LOG_SIZE	0x20000UL	/* a bitmap of 4 GiB of guest memory */
#define LOG_PAGE	4096UL

/**
 * struct log - what is known of a guest that migrates
 * @g:		the guest
 * @bits:	a bit for each page
 * @copy:	its memory when the log began
 */
struct log {
	struct guest *g;
	__u8 *bits;
	__u8 *copy;
};

/* Pages that changed, those of them that are not marked, marks of others. */
struct log_checked {
	unsigned int changed, missing, stray;
};

int log_open(struct log *l, struct guest *g);
void log_close(struct log *l);

/* The ioctls, each 0 or -errno: the log; all data; a used ring; all in one. */
int log_base(struct guest *g, const void *base);
int log_features(struct guest *g, bool on);
int log_addr(struct guest *g, int q, bool on);
int log_set(struct guest *g, bool on);

/* As QEMU begins: the log, then the switch. What changes from now on is told. */
int log_begin(struct log *l);
bool log_marked(const __u8 *bits, __u64 gpa);
/* The device is stopped: nothing is to come any more. */
struct log_checked log_check(struct log *l);
/* One range that only the device writes to. */
void log_check_range(struct log *l, const void *at, size_t len, struct log_checked *c);

/* Post receive buffers until the ring is full. */
void log_fill(struct guest *g);
/* The guest begins again, as after a reset by its driver. */
int log_renew(struct guest *g);

/*
 * Two guests on tap0 and tap1 in br0, coupled unless frames are to take the
 * bridge; the first without receive buffers.
 */
int log_up(struct guest *g, struct guest *peer, struct guest_config c, bool coupled);

#endif /* LOG_H */
