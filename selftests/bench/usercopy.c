// SPDX-License-Identifier: GPL-2.0
/*
 * What it takes a kernel to reach user memory: bytes of a file to many small
 * buffers, less the same bytes to one.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "bench.h"

#define PIECES		512
#define PIECE		8
#define TIMES		2000

static __u64 shortest(int fd, const struct iovec *vec, int n)
{
	__u64 best = ~0ULL, t;
	int i;

	for (i = 0; i < TIMES; i++) {
		t = stamp();
		if (preadv(fd, vec, n, 0) != PIECES * PIECE)
			die("read: %s", strerror(errno));
		t = stamp() - t;
		if (t < best)
			best = t;
	}
	return best;
}

void usercopy_run(void)
{
	int i, fd = memfd_create("usercopy", MFD_CLOEXEC), size = PIECES * PIECE;
	__u8 *mem = aligned_alloc(4096, size);
	struct iovec vec[PIECES], one = { mem, size };
	__u64 ns = now_ns(), t = stamp();
	double few, many;

	for (i = 0; i < PIECES; i++)
		vec[i] = (struct iovec){ mem + i * PIECE, PIECE };
	memset(mem, 0, size);
	if (write(fd, mem, size) != size)
		die("a file in memory: %s", strerror(errno));
	few = shortest(fd, &one, 1);
	many = shortest(fd, vec, PIECES);
	t = stamp() - t;
	ns = now_ns() - ns;
	printf(", \"usercopy_ns\": %.2f", (many - few) / (PIECES - 1) * ns / t);
}
