// SPDX-License-Identifier: GPL-2.0
/* A vIOMMU for a guest in a process; see viommu.h. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "viommu.h"

int viommu_message(int fd, bool v2, __u8 type, __u64 iova, __u64 size, __u64 uaddr,
		   __u8 perm)
{
	/* Both kinds look alike. */
	struct vhost_msg_v2 msg = {
		.type = v2 ? VHOST_IOTLB_MSG_V2 : VHOST_IOTLB_MSG,
		.iotlb = { iova, size, uaddr, perm, type },
	};
	ssize_t n = write(fd, &msg, sizeof(msg));

	if (n < 0)
		return -errno;
	return n == sizeof(msg) ? 0 : -EIO;
}

int viommu_miss(int fd, struct vhost_iotlb_msg *miss, bool v2, int ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	struct vhost_msg_v2 msg;
	static const __u8 zero[sizeof(msg.padding) - sizeof(msg.iotlb)];
	ssize_t n;

	if (poll(&p, 1, ms) <= 0)
		return -EAGAIN;
	memset(&msg, 0xff, sizeof(msg));
	n = read(fd, &msg, sizeof(msg));
	if (n < 0)
		return -errno;
	*miss = msg.iotlb;
	if (n != sizeof(msg) || msg.type != (v2 ? VHOST_IOTLB_MSG_V2 : VHOST_IOTLB_MSG) ||
	    msg.asid || miss->type != VHOST_IOTLB_MISS || miss->size || miss->uaddr ||
	    memcmp(msg.padding + sizeof(msg.iotlb), zero, sizeof(zero)) ||
	    (miss->perm != VHOST_ACCESS_RO && miss->perm != VHOST_ACCESS_WO))
		return -EPROTO;
	return 0;
}

int viommu_map(struct guest *g, const void *at, size_t len, __u8 perm)
{
	size_t first = ((const __u8 *)at - g->mem) & ~(VIOMMU_PAGE - 1);
	size_t end = (const __u8 *)at + len - g->mem;

	end = (end + VIOMMU_PAGE - 1) & ~(VIOMMU_PAGE - 1);
	return viommu_message(g->fd, true, VHOST_IOTLB_UPDATE, g->c.iova + first, end - first,
			      (uintptr_t)g->mem + first, perm);
}

static void answer(struct viommu *m, __u64 iova)
{
	size_t page = (iova - m->g->c.iova) / VIOMMU_PAGE;

	__atomic_add_fetch(&m->misses, 1, __ATOMIC_RELAXED);
	if (m->late_us)
		usleep(m->late_us);
	/* An answer that an invalidation overtook would bring back what it took away. */
	pthread_mutex_lock(&m->lock);
	if (iova - m->g->c.iova >= m->g->size || !m->perm[page])
		__atomic_add_fetch(&m->unmapped, 1, __ATOMIC_RELAXED);
	else
		viommu_map(m->g, m->g->mem + page * VIOMMU_PAGE, VIOMMU_PAGE, m->perm[page]);
	pthread_mutex_unlock(&m->lock);
}

static void *serve(void *arg)
{
	struct viommu *m = arg;
	struct vhost_iotlb_msg miss;

	while (!__atomic_load_n(&m->stop, __ATOMIC_ACQUIRE))
		if (!viommu_miss(m->g->fd, &miss, false, 20))
			answer(m, miss.iova);
	return NULL;
}

int viommu_open(struct viommu *m, struct guest *g)
{
	memset(m, 0, sizeof(*m));
	m->g = g;
	m->perm = malloc(g->size / VIOMMU_PAGE);
	if (!m->perm)
		return -ENOMEM;
	memset(m->perm, VHOST_ACCESS_RW, g->size / VIOMMU_PAGE);
	/* A miss that poll() told of is forgotten when the queue stops. */
	if (fcntl(g->fd, F_SETFL, O_NONBLOCK))
		return -errno;
	pthread_mutex_init(&m->lock, NULL);
	m->runs = true;
	return -pthread_create(&m->thread, NULL, serve, m);
}

void viommu_close(struct viommu *m)
{
	if (!m->runs)
		return;
	__atomic_store_n(&m->stop, true, __ATOMIC_RELEASE);
	pthread_join(m->thread, NULL);
	pthread_mutex_destroy(&m->lock);
	free(m->perm);
	m->runs = false;
}

int viommu_set(struct viommu *m, const void *at, size_t len, __u8 perm)
{
	size_t first = ((const __u8 *)at - m->g->mem) / VIOMMU_PAGE;
	size_t last = ((const __u8 *)at + len - 1 - m->g->mem) / VIOMMU_PAGE;
	int err;

	pthread_mutex_lock(&m->lock);
	memset(m->perm + first, perm, last - first + 1);
	err = viommu_message(m->g->fd, true, VHOST_IOTLB_INVALIDATE,
			     m->g->c.iova + first * VIOMMU_PAGE,
			     (last - first + 1) * VIOMMU_PAGE, 0, 0);
	pthread_mutex_unlock(&m->lock);
	return err;
}

int viommu_flush(struct viommu *m)
{
	return viommu_message(m->g->fd, true, VHOST_IOTLB_INVALIDATE, 0, ~0ULL, 0, 0);
}
