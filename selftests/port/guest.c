// SPDX-License-Identifier: GPL-2.0
/* A guest in a process: the VMM's part; see guest.h. The driver: driver.c. */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/sockios.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "guest.h"
#include "viommu.h"

const __u8 mac_broadcast[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

__u64 now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000ULL + ts.tv_nsec / 1000000;
}

__u32 rnd(void)
{
	static __u64 state = 0x9e3779b97f4a7c15ULL;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state >> 16;
}

static int tap_up(const char *name, const char *bridge)
{
	int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), err = 0;
	struct ifreq ifr = {};

	strncpy(ifr.ifr_name, name, IFNAMSIZ - 1);
	if (bridge) {
		struct ifreq br = {};

		strncpy(br.ifr_name, bridge, IFNAMSIZ - 1);
		br.ifr_ifindex = if_nametoindex(name);
		err = ioctl(s, SIOCBRADDIF, &br);
	}
	if (!err)
		err = ioctl(s, SIOCGIFFLAGS, &ifr);
	ifr.ifr_flags |= IFF_UP;
	if (!err)
		err = ioctl(s, SIOCSIFFLAGS, &ifr);
	err = err ? -errno : 0;
	close(s);
	return err;
}

static int tap_open(const char *name, short flags, unsigned int hdr_len,
		    unsigned int offload, const char *bridge)
{
	struct ifreq ifr = {
		.ifr_flags = IFF_TAP | IFF_NO_PI | (hdr_len ? IFF_VNET_HDR : 0) | flags,
	};
	int fd, err, size = hdr_len;

	fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	strncpy(ifr.ifr_name, name, IFNAMSIZ - 1);
	err = ioctl(fd, TUNSETIFF, &ifr) ||
	      (hdr_len && (ioctl(fd, TUNSETVNETHDRSZ, &size) ||
			   ioctl(fd, TUNSETOFFLOAD, (unsigned long)offload))) ? -errno : 0;
	if (!err)
		err = tap_up(name, bridge);
	if (err) {
		close(fd);
		return err;
	}
	return fd;
}

int guest_tap(const char *name, unsigned int hdr_len, unsigned int offload,
	      const char *bridge)
{
	return tap_open(name, 0, hdr_len, offload, bridge);
}

int guest_tap_queue(const char *name, unsigned int hdr_len, unsigned int offload,
		    const char *bridge)
{
	return tap_open(name, IFF_MULTI_QUEUE, hdr_len, offload, bridge);
}

void *guest_alloc(struct guest *g, size_t len, size_t align)
{
	size_t at = (g->used + align - 1) / align * align;

	if (at + len > g->size) {
		fprintf(stderr, "# guest memory is too small\n");
		abort();
	}
	g->used = at + len;
	memset(g->mem + at, GUEST_POISON, len);
	return g->mem + at;
}

__u64 guest_gpa(const struct guest *g, const void *p)
{
	return GUEST_GPA + (__u64)((const __u8 *)p - g->mem);
}

__u8 *guest_slot_pages(struct guest *g, int q, size_t *len)
{
	uintptr_t at = ((uintptr_t)g->ring[q].slots + 4095) & ~4095UL;
	uintptr_t end = (uintptr_t)g->ring[q].slots +
			(size_t)g->ring[q].nr_slots * g->ring[q].slot_size;

	*len = (end - at) & ~4095UL;
	return (__u8 *)at;
}

__u64 guest_bus(const struct guest *g, const void *p)
{
	return (g->c.iova ?: GUEST_GPA) + (__u64)((const __u8 *)p - g->mem);
}

static __u32 ring_num(const struct guest_config *c, int q)
{
	return c->num[q] ?: 256;
}

static size_t mem_needed(const struct guest_config *c)
{
	size_t size = 1 << 20;
	int q;

	for (q = 0; q < GUEST_QUEUES; q++) {
		__u32 num = ring_num(c, q), slots = c->nr_slots[q] ?: num;

		/* The ring, the buffers, and tables for some of the heads. */
		size += num * 40ULL + 3 * 4096;
		size += slots * (size_t)(c->slot[q] ?: 2304);
		size += num * 512ULL;
	}
	return (size + 0x1fffff) & ~0x1fffffULL;
}

static int ring_alloc(struct guest *g, int q)
{
	struct guest_ring *r = &g->ring[q];
	unsigned int i;

	r->num = ring_num(&g->c, q);
	r->event_idx = g->c.features & F_EVENT;
	r->desc = guest_alloc(g, r->num * sizeof(struct vring_desc), 16);
	r->avail = guest_alloc(g, 6 + 2 * r->num, 2);
	r->used = guest_alloc(g, 6 + 8 * r->num, 4);
	r->slot_size = g->c.slot[q] ?: 2304;
	r->nr_slots = g->c.nr_slots[q] ?: r->num;
	/* Pages of their own, if they are pages. */
	r->slots = guest_alloc(g, (size_t)r->nr_slots * r->slot_size,
			       r->slot_size % 4096 ? 64 : 4096);
	r->chain = calloc(r->num, sizeof(*r->chain));
	r->free = calloc(r->num, sizeof(*r->free));
	r->slot_free = calloc(r->nr_slots, sizeof(*r->slot_free));
	r->kick = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r->call = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r->err = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (!r->chain || !r->free || !r->slot_free || r->kick < 0 || r->call < 0 ||
	    r->err < 0)
		return -errno;
	for (i = 0; i < r->num; i++)
		r->chain[i].slot = -1;
	return 0;
}

void guest_reset_rings(struct guest *g)
{
	int q;

	for (q = 0; q < GUEST_QUEUES; q++) {
		struct guest_ring *r = &g->ring[q];
		unsigned int i;

		memset(r->desc, 0, r->num * sizeof(struct vring_desc));
		memset(r->avail, 0, 6 + 2 * r->num);
		memset(r->used, 0, 6 + 8 * r->num);
		r->next_avail = g->c.base;
		r->told = g->c.base;
		r->last_used = g->c.base;
		r->avail->idx = g->c.base;
		r->used->idx = g->c.base;
		for (i = 0; i < r->num; i++) {
			r->chain[i].busy = false;
			r->chain[i].slot = -1;
			r->free[i] = i;
		}
		/* Chains are to jump around. */
		for (i = r->num - 1; i; i--) {
			unsigned int j = rnd() % (i + 1);
			__u16 t = r->free[i];

			r->free[i] = r->free[j];
			r->free[j] = t;
		}
		r->nr_free = r->num;
		for (i = 0; i < r->nr_slots; i++)
			r->slot_free[i] = r->nr_slots - 1 - i;
		r->nr_slots_free = r->nr_slots;
		/* No interrupts until somebody waits. */
		if (!r->event_idx)
			r->avail->flags = VRING_AVAIL_F_NO_INTERRUPT;
		else
			r->avail->ring[r->num] = g->c.base - 1;
	}
}

int guest_open(struct guest *g, const struct guest_config *c)
{
	static __u8 last_mac;
	unsigned int offload;
	int err, q;

	memset(g, 0, sizeof(*g));
	g->c = *c;
	g->tap = -1;
	if (!g->c.features && !g->c.plain)
		g->c.features = F_DEFAULT;
	if (g->c.iova)
		g->c.features |= F_PLATFORM;
	g->hdr_len = g->c.features & (F_MODERN | F_MRG) ?
		     sizeof(struct virtio_net_hdr_mrg_rxbuf) : sizeof(struct virtio_net_hdr);
	memcpy(g->mac, "\x52\x54\x00\xaa\x00", 5);
	g->mac[5] = ++last_mac;
	snprintf(g->mac_text, sizeof(g->mac_text), "52:54:00:aa:00:%02x", g->mac[5]);

	g->fd = open(c->dev ?: IVSHM_DEV, O_RDWR | O_CLOEXEC);
	if (g->fd < 0)
		return -errno;
	if (ioctl(g->fd, VHOST_SET_OWNER))
		return -errno;
	if (c->tap) {
		offload = g->c.no_offload ? 0 : GUEST_OFFLOADS;
		g->tap = (c->multi ? guest_tap_queue : guest_tap)(c->tap,
				g->c.features & F_HEADERLESS ? 0 : g->hdr_len,
				offload, c->bridge);
		if (g->tap < 0)
			return g->tap;
	}
	g->size = c->mem ?: mem_needed(c);
	g->mem = mmap(NULL, g->size, PROT_READ | PROT_WRITE, MAP_NORESERVE |
		      (c->shared || c->mem_fd ? MAP_SHARED : MAP_PRIVATE) |
		      (c->mem_fd ? 0 : MAP_ANONYMOUS), c->mem_fd ?: -1, 0);
	if (g->mem == MAP_FAILED)
		return -errno;
	for (q = 0; q < GUEST_QUEUES; q++) {
		err = ring_alloc(g, q);
		if (err)
			return err;
	}
	guest_reset_rings(g);
	return 0;
}

int guest_set_mem(struct guest *g)
{
	struct {
		struct vhost_memory head;
		struct vhost_memory_region region;
	} table = {
		.head.nregions = 1,
		.region = {
			.guest_phys_addr = GUEST_GPA,
			.memory_size = g->size,
			.userspace_addr = (uintptr_t)g->mem,
		},
	};

	return ioctl(g->fd, VHOST_SET_MEM_TABLE, &table) ? -errno : 0;
}

struct vhost_vring_addr guest_ring_addr(const struct guest *g, int q)
{
	const struct guest_ring *r = &g->ring[q];

	return (struct vhost_vring_addr){
		.index = q,
		.desc_user_addr = g->c.iova ? guest_bus(g, r->desc) : (uintptr_t)r->desc,
		.avail_user_addr = g->c.iova ? guest_bus(g, r->avail) : (uintptr_t)r->avail,
		.used_user_addr = g->c.iova ? guest_bus(g, r->used) : (uintptr_t)r->used,
	};
}

int guest_set_ring(struct guest *g, int q)
{
	struct guest_ring *r = &g->ring[q];
	struct vhost_vring_state num = { .index = q, .num = r->num };
	struct vhost_vring_state base = { .index = q, .num = r->last_used };
	struct vhost_vring_file kick = { .index = q, .fd = r->kick };
	struct vhost_vring_file call = { .index = q, .fd = r->call };
	struct vhost_vring_file err = { .index = q, .fd = r->err };
	struct vhost_vring_addr addr = guest_ring_addr(g, q);

	if (ioctl(g->fd, VHOST_SET_VRING_NUM, &num) ||
	    ioctl(g->fd, VHOST_SET_VRING_BASE, &base) ||
	    ioctl(g->fd, VHOST_SET_VRING_ADDR, &addr) ||
	    ioctl(g->fd, VHOST_SET_VRING_KICK, &kick) ||
	    ioctl(g->fd, VHOST_SET_VRING_CALL, &call) ||
	    ioctl(g->fd, VHOST_SET_VRING_ERR, &err))
		return -errno;
	return 0;
}

int guest_set_backend(struct guest *g, int q, int fd)
{
	struct vhost_vring_file backend = { .index = q, .fd = fd };

	return ioctl(g->fd, VHOST_NET_SET_BACKEND, &backend) ? -errno : 0;
}

int guest_start(struct guest *g)
{
	__u64 features = g->c.features;
	int q, err;

	if (ioctl(g->fd, VHOST_SET_FEATURES, &features))
		return -errno;
	err = guest_set_mem(g);
	for (q = 0; q < GUEST_QUEUES && !err; q++)
		err = guest_set_ring(g, q);
	/* The device wants to know those before. */
	for (q = 0; q < GUEST_QUEUES && !err && g->c.iova; q++)
		err = viommu_map(g, g->ring[q].used, sizeof(struct vring_used),
				 VHOST_ACCESS_RW);
	for (q = 0; q < GUEST_QUEUES && !err; q++)
		err = guest_set_backend(g, q, g->tap);
	g->running = !err;
	return err;
}

int guest_stop(struct guest *g)
{
	int q, err = 0;

	for (q = 0; q < GUEST_QUEUES; q++) {
		struct vhost_vring_state s = { .index = q };

		err = guest_set_backend(g, q, -1) ?: err;
		if (ioctl(g->fd, VHOST_GET_VRING_BASE, &s))
			err = -errno;
	}
	g->running = false;
	return err;
}

void guest_close(struct guest *g)
{
	int q;

	if (g->fd >= 0)
		close(g->fd);
	if (g->tap >= 0)
		close(g->tap);
	for (q = 0; q < GUEST_QUEUES; q++) {
		struct guest_ring *r = &g->ring[q];
		unsigned int i;

		for (i = 0; r->chain && i < r->num; i++) {
			free(r->chain[i].desc);
			free(r->chain[i].seg);
		}
		free(r->chain);
		free(r->free);
		free(r->slot_free);
		close(r->kick);
		close(r->call);
		close(r->err);
	}
	if (g->mem)
		munmap(g->mem, g->size);
	g->fd = -1;
	g->tap = -1;
	g->mem = NULL;
}

int guest_up(struct guest *g, const struct guest_config *c)
{
	int err;

	err = guest_open(g, c);
	if (!err)
		err = guest_start(g);
	if (!err)
		guest_rx_fill(g, g->ring[GUEST_RX].num, g->ring[GUEST_RX].slot_size - GUEST_GAP);
	if (err)
		fprintf(stderr, "# guest %s: cannot be started: %s\n", c->tap ?: "",
			strerror(-err));
	return err;
}
