/* SPDX-License-Identifier: GPL-2.0 */
/* Swaps, as tests make and end them. */
#ifndef _IVSHM_TEST_SWAP_H
#define _IVSHM_TEST_SWAP_H

#include "region.h"

#define S(x)	IVSHM_A_SWAP_##x

/* Pages of @pool from @offset on in place of those of @region from @at on. 0 or an error. */
int swap_in(struct control *c, const char *region, uint64_t at, const char *pool,
	    uint64_t offset, uint64_t size, int keep);
int swap_back(struct control *c, const char *region, uint64_t at, int force);
/*
 * Whoever was about to map a page may have to wait for a processor, with a reference to
 * it: then an administrator asks again.  The last answer.
 */
int swap_in_again(struct control *c, const char *region, uint64_t at, const char *pool,
		  uint64_t offset, uint64_t size, int keep);
int swap_back_again(struct control *c, const char *region, uint64_t at);

/*
 * A pipe that has a reference to the page, as I/O under way does, until it is closed.
 * A negative error.
 */
int swap_pin(char *at);

/* Attributes of a swap as a dump has them. */
struct swap_attrs {
	char region[IVSHM_NAME_MAX];
	char pool[IVSHM_NAME_MAX];
	uint64_t at, offset, size;
};

/* At most @most swaps; returns how many there are, or a negative error. */
int swap_list(struct control *c, struct swap_attrs *list, int most);

/* Regions "a", "b", "c", as the memory of three VMs, and "pool", open and mapped. */
enum { A, B, C, POOL, ALL };

#define VMS_PAGES	16
#define VMS_SIZE	(VMS_PAGES * PAGE)

struct vms {
	int fd[ALL];
	char *at[ALL];
};

extern const char *const vms_names[ALL];

/* All bytes of the first one are 1, and so on. 0 or an error. */
int vms_open(struct control *c, struct vms *vms);
/* It is open no longer. */
void vm_end(struct vms *vms, int which);
void vms_close(struct control *c, struct vms *vms);

#endif /* _IVSHM_TEST_SWAP_H */
