// SPDX-License-Identifier: GPL-2.0
/* What programs in a guest have of its message queue. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "pci_bar.h"
#include "ring_guest.h"

/* The kernel is peer 0, of one vector. */
#define DOORBELL	0

struct ivshm_ring ring;
char *window;
static uint32_t *doorbell;

void fail(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
	exit(1);
}

size_t ring_guest_open(const char *device, uint32_t nr)
{
	uint32_t *registers;
	char path[256];
	size_t size;

	snprintf(path, sizeof(path), "%s/resource2", device);
	window = pci_bar_map(path, &size);
	if (!window)
		fail("%s: %s", path, strerror(errno));
	snprintf(path, sizeof(path), "%s/resource0", device);
	registers = pci_bar_registers(path);
	if (!registers)
		fail("%s: %s", path, strerror(errno));
	doorbell = registers + REG_DOORBELL / sizeof(*registers);
	ivshm_ring_use(&ring, window, nr);
	return size;
}

void ring_doorbell(void)
{
	__atomic_store_n(doorbell, DOORBELL, __ATOMIC_RELEASE);
}

void wait_a_little(void)
{
	const struct timespec ms = { .tv_nsec = 1000000 };

	nanosleep(&ms, NULL);
}

struct ivshm_ring_result ring_ask(struct ivshm_ring_request req, void (*meanwhile)(void))
{
	static uint64_t token;
	struct ivshm_ring_result res;
	time_t end = time(NULL) + PATIENCE;
	int err;

	req.token = ++token;
	err = ivshm_ring_ask(&ring, &req);
	if (err)
		fail("request %u: %s", req.op, strerror(-err));
	ring_doorbell();
	while ((err = ivshm_ring_take(&ring, &res)) == -EAGAIN) {
		if (time(NULL) > end)
			fail("request %u: no answer", req.op);
		meanwhile();
	}
	if (err)
		fail("answer to %u: %s", req.op, strerror(-err));
	if (res.token != token || res.op != req.op)
		fail("answer to %u: of %u, token %llu", req.op, res.op,
		     (unsigned long long)res.token);
	return res;
}
