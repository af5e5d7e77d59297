// SPDX-License-Identifier: GPL-2.0
/* What a guest finds behind the address ranges of a device in sysfs. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pci_bar.h"

/* Regions have none that fstat() tells. */
static size_t size_of(int fd)
{
	struct stat st;
	off_t size;

	if (!fstat(fd, &st) && st.st_size)
		return (size_t)st.st_size;
	size = lseek(fd, 0, SEEK_END);
	return size > 0 ? (size_t)size : 0;
}

void *pci_bar_map(const char *path, size_t *size)
{
	int fd = open(path, O_RDWR | O_SYNC), err;
	void *p;

	if (fd < 0)
		return NULL;
	*size = size_of(fd);
	p = mmap(NULL, *size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	err = errno;
	close(fd);
	errno = err;
	return p == MAP_FAILED ? NULL : p;
}

/* They may begin within a page; their address is the first thing in "resource". */
uint32_t *pci_bar_registers(const char *path)
{
	unsigned long long start = 0;
	char other[256];
	size_t size;
	char *p;
	FILE *f;
	int n;

	snprintf(other, sizeof(other), "%.*s", (int)strlen(path) - 1, path);
	f = fopen(other, "r");
	if (!f)
		return NULL;
	n = fscanf(f, "%llx", &start);
	fclose(f);
	if (n != 1) {
		errno = EIO;
		return NULL;
	}
	p = pci_bar_map(path, &size);
	return p ? (uint32_t *)(p + start % (unsigned long long)getpagesize()) : NULL;
}
