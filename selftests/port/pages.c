// SPDX-License-Identifier: GPL-2.0
/* What the kernel says of pages; see pages.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/swap.h>
#include <unistd.h>

#include "env.h"
#include "pages.h"

#define ZRAM		"/dev/zram0"
#define ZRAM_SYS	"/sys/block/zram0/"
#define SWAP_SIZE	(64 << 20)

__u64 page_entry(const void *p)
{
	static pid_t pid;
	static int fd = -1;
	__u64 e = 0;

	/* A child has page tables of its own. */
	if (pid != getpid()) {
		pid = getpid();
		fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	}
	if (pread(fd, &e, sizeof(e), (uintptr_t)p / PAGE * sizeof(e)) != sizeof(e))
		return 0;
	return e;
}

unsigned int pages_with(const void *at, size_t len, __u64 bits)
{
	unsigned int n = 0;
	size_t i;

	for (i = 0; i < len; i += PAGE)
		n += !!(page_entry((const char *)at + i) & bits);
	return n;
}

unsigned int pages_doubled(const void *at, size_t len)
{
	__u64 last = 0, e;
	unsigned int n = 0;
	size_t i;

	for (i = 0; i < len; i += PAGE, last = e) {
		e = page_entry((const char *)at + i);
		n += e & PAGE_IS_THERE && PAGE_FRAME(e) && PAGE_FRAME(e) == PAGE_FRAME(last);
	}
	return n;
}

unsigned int pages_cached(void *at, size_t len)
{
	unsigned char *vec = calloc(1, len / PAGE);
	unsigned int n = 0;
	size_t i;

	if (!mincore(at, len, vec))
		for (i = 0; i < len / PAGE; i++)
			n += vec[i] & 1;
	free(vec);
	return n;
}

long pages_smaps(const void *at, size_t len, const char *field)
{
	FILE *f = fopen("/proc/self/smaps", "r");
	size_t name = strlen(field);
	unsigned long from, to;
	bool within = false;
	char line[400];
	long sum = 0;

	if (!f)
		return -errno;
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
			within = from < (uintptr_t)at + len && (uintptr_t)at < to;
		else if (within && !strncmp(line, field, name) && line[name] == ':')
			sum += atol(line + name + 1);
	}
	fclose(f);
	return sum;
}

void *pages_huge(void *at, size_t *len)
{
	uintptr_t from = ((uintptr_t)at + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1);
	uintptr_t to = ((uintptr_t)at + *len) & ~(HUGE_PAGE - 1);

	*len = to > from ? to - from : 0;
	return (void *)from;
}

/* The header of swap space, as mkswap writes it. */
static int swap_make(void)
{
	static char page[PAGE];
	__u32 *head = (__u32 *)(page + 1024);
	int fd = open(ZRAM, O_RDWR | O_CLOEXEC), err = 0;

	if (fd < 0)
		return -errno;
	head[0] = 1;				/* version */
	head[1] = SWAP_SIZE / PAGE - 1;		/* last page */
	memcpy(page + PAGE - 10, "SWAPSPACE2", 10);
	if (pwrite(fd, page, PAGE, 0) != PAGE)
		err = -EIO;
	close(fd);
	return err;
}

int swap_begin(void)
{
	char size[20];
	int err;

	if (access(ZRAM_SYS, F_OK) && system("modprobe -q zram 2>/dev/null"))
		return -ENOENT;
	if (access(ZRAM, F_OK))
		return -ENOENT;
	snprintf(size, sizeof(size), "%d", SWAP_SIZE);
	err = env_write(ZRAM_SYS "disksize", size) ?: swap_make();
	if (!err && swapon(ZRAM, 0))
		err = -errno;
	return err;
}

void swap_end(void)
{
	swapoff(ZRAM);
	env_write(ZRAM_SYS "reset", "1");
}
