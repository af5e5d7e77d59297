/* SPDX-License-Identifier: GPL-2.0 */
/* What the kernel says of pages: where they are, and who has them, too. As root. */
#ifndef PAGES_H
#define PAGES_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

#define PAGE		4096UL
#define HUGE_PAGE	(2UL << 20)

/* Of /proc/PID/pagemap. */
#define PAGE_IS_THERE	0x8000000000000000ULL
#define PAGE_IS_SWAPPED	0x4000000000000000ULL
#define PAGE_FRAME(e)	((e) & ((1ULL << 55) - 1))

/* What pagemap has of the page at @p; 0 if there is nothing. */
__u64 page_entry(const void *p);
/* Pages of a range with any of these bits. */
unsigned int pages_with(const void *at, size_t len, __u64 bits);
/* Pages of a range that are the same as the one before. */
unsigned int pages_doubled(const void *at, size_t len);
/* Pages of a mapped file's range that are in memory. */
unsigned int pages_cached(void *at, size_t len);
/* Kilobytes of @field ("AnonHugePages") in the mappings that the range is in. */
long pages_smaps(const void *at, size_t len, const char *field);
/* The whole huge pages of a range. */
void *pages_huge(void *at, size_t *len);

/* Swap space in memory. -ENOENT: this kernel has none to offer. */
int swap_begin(void);
void swap_end(void);

#endif /* PAGES_H */
