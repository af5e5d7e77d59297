/* SPDX-License-Identifier: GPL-2.0 */
/* Regions, as their tests make, open and delete them, and what else tests share. */
#ifndef _IVSHM_TEST_REGION_H
#define _IVSHM_TEST_REGION_H

#include <linux/ivshm.h>

#include "nl.h"

#define KIB	1024UL
#define MIB	(1024 * KIB)
#define PAGE	4096UL

#define R(x)	IVSHM_A_REGION_##x

/* Attributes of a region as a reply or an event has them, absent ones ~0. */
struct region_attrs {
	char name[IVSHM_NAME_MAX];
	uint64_t size;
	uint32_t page_size;
	uint32_t mode;
	uint32_t uid;
	uint32_t gid;
	uint32_t node;
	uint32_t state;
	uint32_t number;
	uint32_t users;
	uint32_t swaps;
	uint32_t old_state;
	uint32_t new_state;
};

/* A request about the region of that name; its nest, which is left open. */
unsigned int control_begin(struct control *c, int cmd, const char *name);

/* Each returns 0 or a negative error. A page size of 0 is left out. */
int region_add(struct control *c, const char *name, uint64_t size, uint32_t page);
int region_del(struct control *c, const char *name);
int region_force(struct control *c, const char *name);
int region_get(struct control *c, const char *name, struct region_attrs *attrs);
/* Regions there are, or a negative error. */
int region_count(struct control *c);
/* Delete what a test that failed left behind. */
void region_del_all(struct control *c);

nl_reader region_read_attrs;

/* A new descriptor of the region's device, or a negative error. */
int region_open(struct control *c, const char *name, int flags);
/* Map all of it, MAP_FAILED with errno set. */
void *region_map(int fd, size_t size);

/*
 * The ioctls.  Each returns 0 or a negative error, and leaves the flags that the
 * kernel gave back.
 */
extern uint32_t dma_flags;
int map_dma(int fd, void *addr, size_t len, uint64_t offset, uint32_t flags);
int unmap_dma(int fd, void *addr, size_t len);

/* Own memory, and a region "x" as large to be mapped under it. */
struct dma {
	struct control c;
	int fd;
	char *region, *buf;
};

/* No other region is there. Returns 0 or a negative error. */
int dma_open(struct dma *d, size_t size);
void dma_close(struct dma *d, size_t size);
/* Memory of nobody else, or MAP_FAILED. */
char *anon(size_t len);

/* Whether reading a byte there ends in SIGBUS. */
int region_faults(const void *at);

/*
 * What @check says in a child that is somebody with less rights, with a socket of
 * its own; 98 or 99 if it does not come to that.  @get is what reading is to return.
 */
int in_child(int (*be)(void), int (*check)(struct control *c, int get), int get);
int be_nobody(void);
int be_root_of_a_namespace(void);
int be_elsewhere(void);

/* How often an eventfd was signalled since it was asked last. */
uint64_t rings(int event);
/* In seconds, of the monotonic clock. */
double now(void);
/* Whether this is the debug kernel, in which all takes longer. */
int slow(void);
/* Into a file of /proc or /sys that is there. Returns 0 or a negative error. */
int file_write(const char *path, const char *text);
/* A parameter of the module. The same. */
int parameter_set(const char *name, unsigned int value);

#endif /* _IVSHM_TEST_REGION_H */
