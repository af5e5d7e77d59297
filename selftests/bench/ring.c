// SPDX-License-Identifier: GPL-2.0
/*
 * The driver, which does to the rings what Linux' virtio-net does:
 *
 *  - it kicks only when the device asks for it (event index);
 *  - it does not ask for interrupts of what was sent, but looks when it sends;
 *    only when the ring is full it asks, for three quarters of it;
 *  - it takes received frames by its budget without interrupts, and asks for one
 *    when there are none left;
 *  - it gives back buffers in batches of half its budget;
 *  - what is more than a header long comes in pieces, by an indirect table.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"

#define LOAD(x)		__atomic_load_n(&(x), __ATOMIC_ACQUIRE)
#define STORE(x, v)	__atomic_store_n(&(x), v, __ATOMIC_RELEASE)
#define MB()		__atomic_thread_fence(__ATOMIC_SEQ_CST)

#define MSS		1460
/* Frames up to here are one piece. */
#define LINEAR_MAX	256
/* What Linux' sockets allocate. */
#define PIECE		32768

__thread __u64 host_time;
__thread __u64 host_waits;

/* Behind the headers of each frame. */
struct tag {
	__u8 ack;
	__u8 from;
	__u16 value[2];		/* 32 bits would not be aligned */
};

static __u32 csum_add(__u32 sum, const void *p, size_t len)
{
	const __u8 *b = p;
	size_t i;

	for (i = 0; i < len; i += 2)
		sum += b[i] << 8 | (i + 1 < len ? b[i + 1] : 0);
	return sum;
}

static __u16 csum_fold(__u32 sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons(sum);
}

/* A TCP segment as a guest's stack leaves it, the checksum to be completed. */
static void frame_build(struct vm *vm, __u8 *at, __u32 len)
{
	struct virtio_net_hdr_mrg_rxbuf *h = (void *)at;
	struct ethhdr *eth = (void *)(at + HDR_LEN);
	struct iphdr *ip = (void *)(eth + 1);
	struct tcphdr *tcp = (void *)(ip + 1);
	__u32 pseudo;

	memset(at, 0, HDR_LEN + FRAME_HDR);
	memset(at + HDR_LEN + FRAME_HDR, 0x5a, len - FRAME_HDR);
	h->hdr.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	h->hdr.csum_start = ETH_HLEN + sizeof(*ip);
	h->hdr.csum_offset = offsetof(struct tcphdr, check);
	if (len > FRAME_HDR + MSS) {
		h->hdr.gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
		h->hdr.gso_size = MSS;
		h->hdr.hdr_len = FRAME_HDR;
	}
	memcpy(eth->h_source, vm->g.mac, 6);
	eth->h_proto = htons(ETH_P_IP);
	ip->version = 4;
	ip->ihl = 5;
	ip->tot_len = htons(len - ETH_HLEN);
	ip->frag_off = htons(IP_DF);
	ip->ttl = 64;
	ip->protocol = IPPROTO_TCP;
	ip->saddr = htonl(0x0a000001 + vm->id);
	ip->daddr = htonl(0x0a000100);
	ip->check = ~csum_fold(csum_add(0, ip, sizeof(*ip)));
	tcp->source = htons(1000 + vm->id);
	tcp->dest = htons(2000);
	tcp->doff = 5;
	tcp->ack = 1;
	tcp->window = htons(500);
	pseudo = csum_add(0, &ip->saddr, 8) + IPPROTO_TCP + len - ETH_HLEN - sizeof(*ip);
	tcp->check = csum_fold(pseudo);
}

static void tx_buffer(struct vm *vm, unsigned int i)
{
	struct guest_ring *r = vm->tx.r;
	__u8 *at = r->slots + (size_t)i * r->slot_size;
	__u32 left = HDR_LEN + vm->size, len = HDR_LEN + FRAME_HDR, n = 0;
	struct vring_desc *table, *d = &r->desc[i];

	frame_build(vm, at, vm->size);
	d->addr = guest_gpa(&vm->g, at);
	d->len = left;
	d->flags = 0;
	if (vm->size <= LINEAR_MAX)
		return;
	table = guest_alloc(&vm->g, 8 * sizeof(*table), 16);
	for (; left; left -= len, at += len) {
		if (n)
			len = left < PIECE ? left : PIECE;
		table[n].addr = guest_gpa(&vm->g, at);
		table[n].len = len;
		table[n].flags = left > len ? VRING_DESC_F_NEXT : 0;
		table[n].next = left > len ? n + 1 : 0;
		n++;
	}
	d->addr = guest_gpa(&vm->g, table);
	d->len = n * sizeof(*table);
	d->flags = VRING_DESC_F_INDIRECT;
}

static void lane_init(struct lane *l, struct guest_ring *r)
{
	unsigned int i;

	l->r = r;
	l->mask = r->num - 1;
	l->avail_event = (__u16 *)&r->used->ring[r->num];
	l->free = calloc(r->num, sizeof(*l->free));
	for (i = 0; i < r->num; i++)
		l->free[l->nr_free++] = r->num - 1 - i;
}

void vm_lanes(struct vm *vm)
{
	struct guest_ring *r = &vm->g.ring[GUEST_RX];
	unsigned int i;

	lane_init(&vm->rx, r);
	lane_init(&vm->tx, &vm->g.ring[GUEST_TX]);
	for (i = 0; i < r->num; i++) {
		r->desc[i].addr = guest_gpa(&vm->g, r->slots + (size_t)i * r->slot_size);
		r->desc[i].len = r->slot_size;
		r->desc[i].flags = VRING_DESC_F_WRITE;
	}
	for (i = 0; i < vm->tx.r->num; i++)
		tx_buffer(vm, i);
}

bool lane_pending(const struct lane *l)
{
	return LOAD(l->r->used->idx) != l->used;
}

__u16 lane_done(const struct lane *l)
{
	return LOAD(l->r->used->idx) - l->used;
}

static void lane_kick(struct lane *l)
{
	__u64 one = 1, t = stamp();

	l->kicks++;
	if (write(l->r->kick, &one, sizeof(one)) != sizeof(one))
		die("kick: %s", strerror(errno));
	host_time += stamp() - t;
}

void lane_publish(struct lane *l)
{
	__u16 old = l->told, event;

	if (old == l->avail)
		return;
	STORE(l->r->avail->idx, l->avail);
	l->told = l->avail;
	MB();
	event = LOAD(*l->avail_event);
	if (vring_need_event(event, l->avail, old))
		lane_kick(l);
}

unsigned int vm_post(struct vm *vm, const struct vm *dst, unsigned int n, bool ack,
		     __u32 value)
{
	struct lane *l = &vm->tx;
	unsigned int i;

	if (n > l->nr_free)
		n = l->nr_free;
	for (i = 0; i < n; i++) {
		__u16 head = l->free[--l->nr_free];
		__u8 *frame = l->r->slots + (size_t)head * l->r->slot_size + HDR_LEN;
		struct tag *tag = (struct tag *)(frame + FRAME_HDR);

		memcpy(frame, dst->g.mac, 6);
		tag->ack = ack;
		tag->from = vm->id;
		tag->value[0] = value;
		tag->value[1] = value >> 16;
		l->r->avail->ring[l->avail++ & l->mask] = head;
	}
	vm->sent += ack ? 0 : n;
	return n;
}

unsigned int vm_reap(struct vm *vm)
{
	struct lane *l = &vm->tx;
	__u16 end = LOAD(l->r->used->idx);
	unsigned int n = 0;

	for (; l->used != end; n++)
		l->free[l->nr_free++] = l->r->used->ring[l->used++ & l->mask].id;
	return n;
}

void vm_refill(struct vm *vm, unsigned int least)
{
	struct lane *l = &vm->rx;

	if (!l->nr_free || l->nr_free <= least)
		return;
	while (l->nr_free)
		l->r->avail->ring[l->avail++ & l->mask] = l->free[--l->nr_free];
	lane_publish(l);
}

unsigned int vm_poll(struct vm *vm, unsigned int budget)
{
	struct lane *l = &vm->rx;
	__u16 end = LOAD(l->r->used->idx);
	unsigned int n = 0;

	while (l->used != end && n < budget) {
		struct vring_used_elem *e = &l->r->used->ring[l->used & l->mask];
		__u8 *at = l->r->slots + (size_t)e->id * l->r->slot_size;
		struct virtio_net_hdr_mrg_rxbuf *h = (void *)at;
		struct tag *tag = (struct tag *)(at + HDR_LEN + FRAME_HDR);
		__u16 bufs = h->num_buffers;
		__u32 len = 0;

		if ((__u16)(end - l->used) < bufs || !bufs)
			die("%s: %u of %u buffers of a frame", vm->dev, end - l->used, bufs);
		for (; bufs; bufs--) {
			e = &l->r->used->ring[l->used++ & l->mask];
			len += e->len;
			l->free[l->nr_free++] = e->id;
		}
		n++;
		/* Interfaces and bridges of the host have things of their own to say. */
		if (at[HDR_LEN + 6] != 0x52 || len < HDR_LEN + FRAME_HDR + sizeof(*tag))
			continue;
		if (tag->ack) {
			vm->acks = tag->value[0] | (__u32)tag->value[1] << 16;
			continue;
		}
		vm->frames++;
		vm->bytes += len - HDR_LEN;
		vm->odd += len - HDR_LEN != vms[tag->from].size;
	}
	vm_refill(vm, NAPI_BUDGET / 2);
	return n;
}

void lane_arm(struct lane *l, unsigned int more)
{
	STORE(l->r->avail->ring[l->r->num], (__u16)(l->used + more));
	MB();
}

static void lane_calls_take(struct lane *l)
{
	__u64 n;

	if (read(l->r->call, &n, sizeof(n)) == sizeof(n))
		l->r->calls += n;
}

__u64 lane_calls(struct lane *l)
{
	lane_calls_take(l);
	return l->r->calls;
}

bool lanes_wait(struct lane **lane, unsigned int n, int ms)
{
	struct pollfd pfd[2 * PORTS_MAX];
	__u64 t = stamp();
	unsigned int i;
	bool any;

	for (i = 0; i < n; i++)
		pfd[i] = (struct pollfd){ .fd = lane[i]->r->call, .events = POLLIN };
	any = poll(pfd, n, ms) > 0;
	for (i = 0; any && i < n; i++)
		if (pfd[i].revents)
			lane_calls_take(lane[i]);
	host_waits++;
	host_time += stamp() - t;
	return any;
}
