// SPDX-License-Identifier: GPL-2.0
/* Counters in memory, whose writes must not be lost. */
#include <sched.h>

#include "hammer.h"
#include "region.h"

static void *hammer(void *arg)
{
	struct hammer *h = arg;
	uint64_t expected = 0;
	int i;

	for (i = 0; i < h->pages; i++)
		__atomic_store_n((uint64_t *)(h->buf + i * PAGE) + h->nr, 0, __ATOMIC_RELAXED);
	while (!atomic_load(&h->stop)) {
		for (i = 0; i < h->pages; i++) {
			uint64_t *p = (uint64_t *)(h->buf + i * PAGE) + h->nr;

			if (__atomic_load_n(p, __ATOMIC_RELAXED) != expected)
				h->lost++;
			__atomic_store_n(p, expected + 1, __ATOMIC_RELAXED);
		}
		expected++;
		atomic_store(&h->rounds, expected);
	}
	return NULL;
}

int hammer_begin(struct hammer *h, int nr, int first, char *buf, int pages)
{
	int i;

	for (i = 0; i < nr; i++) {
		h[i].buf = buf;
		h[i].pages = pages;
		h[i].nr = first + i;
		atomic_store(&h[i].rounds, 0);
		h[i].lost = 0;
		atomic_store(&h[i].stop, 0);
		if (pthread_create(&h[i].thread, NULL, hammer, &h[i]))
			return -1;
	}
	return 0;
}

static uint64_t all_rounds(struct hammer *h, int nr)
{
	uint64_t rounds = 0;
	int i;

	for (i = 0; i < nr; i++)
		rounds += atomic_load(&h[i].rounds);
	return rounds;
}

void hammer_await(struct hammer *h, int nr)
{
	/* What each has under way may have begun before; one more is of somebody's second. */
	uint64_t until = all_rounds(h, nr) + nr + 1;

	while (all_rounds(h, nr) < until)
		sched_yield();
}

uint64_t hammer_end(struct hammer *h, int nr, uint64_t *rounds)
{
	uint64_t lost = 0;
	int i;

	for (i = 0; i < nr; i++)
		atomic_store(&h[i].stop, 1);
	for (i = 0; i < nr; i++) {
		pthread_join(h[i].thread, NULL);
		lost += h[i].lost;
	}
	*rounds = all_rounds(h, nr);
	return lost;
}

int patient(int times)
{
	return slow() ? times / 5 : times;
}
