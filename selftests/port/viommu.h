/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A vIOMMU for a guest in a process: the VMM's part of the device IOTLB.
 *
 * The guest (guest_config.iova) has its memory at other addresses than the VMM's
 * and its own.  A thread answers the device's misses page by page, as far as the
 * guest's page table, @perm, lets it.
 */
#ifndef VIOMMU_H
#define VIOMMU_H

#include <pthread.h>

#include "guest.h"

#define VIOMMU_PAGE	4096UL
#define VIOMMU_IOVA	0x123400000000ULL

/**
 * struct viommu - a vIOMMU
 * @g:		whose
 * @lock:	@perm, and that answers fit it
 * @perm:	VHOST_ACCESS_* of each page
 * @late_us:	how long an answer takes
 * @misses:	read
 * @unmapped:	those of them that were not answered: no such page
 */
struct viommu {
	struct guest *g;
	pthread_t thread;
	pthread_mutex_t lock;
	__u8 *perm;
	bool stop, runs;
	unsigned int late_us;
	unsigned int misses, unmapped;
};

/* One message, in the form of @v2: 0 or -errno, -EIO if not all of it was taken. */
int viommu_message(int fd, bool v2, __u8 type, __u64 iova, __u64 size, __u64 uaddr,
		   __u8 perm);
/* The next miss: 0, -EAGAIN after @ms, -EPROTO if that is not what came. */
int viommu_miss(int fd, struct vhost_iotlb_msg *msg, bool v2, int ms);
/* Tell the device of the pages of a range of the guest's memory. */
int viommu_map(struct guest *g, const void *at, size_t len, __u8 perm);

/* Begin to answer; all pages may be read and written. To be called before guest_start(). */
int viommu_open(struct viommu *m, struct guest *g);
void viommu_close(struct viommu *m);
/*
 * Change what the guest has mapped, and take what the device knew of it away.  When it
 * returns the device is not to use the old mapping.
 */
int viommu_set(struct viommu *m, const void *at, size_t len, __u8 perm);
/* Take away what the device knows, while everything stays mapped. */
int viommu_flush(struct viommu *m);

#endif /* VIOMMU_H */
