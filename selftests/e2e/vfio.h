/* SPDX-License-Identifier: GPL-2.0 */
/* An ivshmem device that vfio-pci has: its memory, and interrupts of its own. */
#ifndef _IVSHM_TEST_VFIO_H
#define _IVSHM_TEST_VFIO_H

#include <poll.h>
#include <stdint.h>

#define VECTORS_MAX	32

struct vfio {
	int fd;
	uint64_t registers;
	uint64_t *memory;
	uint32_t vectors;
	struct pollfd vector[VECTORS_MAX];
};

/* The device of that address. 0, or -1 after a word of why. */
int vfio_open(struct vfio *d, const char *address);
/* Ring a peer. 0, or -1 with errno. */
int vfio_ring(const struct vfio *d, uint32_t peer, uint32_t vector);
/* A vector whose interrupt came, or -1. */
int vfio_wait(struct vfio *d, int ms);

#endif /* _IVSHM_TEST_VFIO_H */
