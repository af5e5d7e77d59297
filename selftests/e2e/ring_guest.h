/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What programs in a guest have of its message queue: the memory of an
 * ivshmem-doorbell device that "ivmctl region serve ... rings N" serves, with rings at
 * its beginning, and its doorbell. No driver has the device, and no descriptor of the
 * region is here.
 */
#ifndef _IVSHM_TEST_RING_GUEST_H
#define _IVSHM_TEST_RING_GUEST_H

#include <stddef.h>
#include <stdint.h>

#include "libivshm.h"

#define PAGE		4096UL
/* Seconds for whatever is to come. */
#define PATIENCE	100

extern struct ivshm_ring ring;
extern char *window;

/* Say why, and end. */
void fail(const char *format, ...);
/* Of the device in that directory of sysfs, with @nr requests. The window's size. */
size_t ring_guest_open(const char *device, uint32_t nr);
void ring_doorbell(void);
void wait_a_little(void);
/* What came of one request; what to do until it is there. */
struct ivshm_ring_result ring_ask(struct ivshm_ring_request req, void (*meanwhile)(void));

#endif /* _IVSHM_TEST_RING_GUEST_H */
