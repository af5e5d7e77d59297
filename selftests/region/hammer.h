/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Counters in memory, as a guest's vCPU would have them: each thread adds to its own
 * in every page and knows what it must find there.
 */
#ifndef _IVSHM_TEST_HAMMER_H
#define _IVSHM_TEST_HAMMER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

struct hammer {
	pthread_t thread;
	char *buf;
	int pages, nr;
	atomic_int stop;
	atomic_ullong rounds;
	uint64_t lost;
};

/*
 * @nr threads, in as many pages at @buf.  The first one has counter @first, and
 * whoever else hammers there others.  0, or -1.
 */
int hammer_begin(struct hammer *h, int nr, int first, char *buf, int pages);
/*
 * Until one of them has been in all pages once more: it has them mapped, and is writing.
 */
void hammer_await(struct hammer *h, int nr);
/* How many writes were lost. */
uint64_t hammer_end(struct hammer *h, int nr, uint64_t *rounds);
/* How often to do what takes its time: the debug kernel is for what only it can tell. */
int patient(int times);

#endif /* _IVSHM_TEST_HAMMER_H */
