/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A guest in a process: what QEMU and a virtio-net driver do, by hand.
 *
 *   struct guest --- open file of a vhost-net device, a tap, guest memory
 *        |
 *        +-- ring[GUEST_RX], ring[GUEST_TX]   the driver's side of split rings
 *
 * Functions return 0 or more, or a negative errno.  A device that breaks the
 * rules of virtio (a chain completed twice, a byte behind the used length
 * written, an interrupt lost, ...) is a fault: it is printed and counted in
 * guest.faults, which a test expects to be 0 in the end.
 */
#ifndef GUEST_H
#define GUEST_H

#include <linux/types.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>
#include <stddef.h>
#include <linux/vhost.h>
#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <linux/virtio_ring.h>

#define IVSHM_DEV	"/dev/ivshm-net"
#define VHOST_DEV	"/dev/vhost-net"

enum { GUEST_RX, GUEST_TX, GUEST_QUEUES };

/* Where guest memory begins in the guest's own view. */
#define GUEST_GPA	0x40000000ULL
/* What receive buffers and the space around buffers hold. */
#define GUEST_POISON	0xa5
#define GUEST_FRAME_MAX	65600
/* Pieces of a buffer, with or without a gap behind each. */
#define GUEST_SEGS_MAX	1100
#define GUEST_GAP	8

#define BIT64(n)	(1ULL << (n))
#define F_MODERN	BIT64(VIRTIO_F_VERSION_1)
#define F_MRG		BIT64(VIRTIO_NET_F_MRG_RXBUF)
#define F_EVENT		BIT64(VIRTIO_RING_F_EVENT_IDX)
#define F_INDIRECT	BIT64(VIRTIO_RING_F_INDIRECT_DESC)
/* The device makes the vnet header and takes it off: the tap has none. */
#define F_HEADERLESS	BIT64(VHOST_NET_F_VIRTIO_NET_HDR)
#define F_PLATFORM	BIT64(VIRTIO_F_ACCESS_PLATFORM)
#define F_DEFAULT	(F_MODERN | F_MRG | F_EVENT | F_INDIRECT)

/* Offloads of a tap whose guest negotiated all of them. */
#define GUEST_OFFLOADS	(TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN)

/**
 * struct guest_config - how a guest is made; zero means the default
 * @dev:	device, default IVSHM_DEV
 * @tap:	name of the tap to make; NULL for none
 * @bridge:	to put it in; NULL for none
 * @features:	as the driver acknowledges them, default F_DEFAULT
 * @plain:	no features at all, for @features being 0
 * @no_offload:	the driver took no offloads
 * @multi:	the tap has several queues, and this is one of them
 * @num:	ring sizes, default 256
 * @slot:	bytes of a buffer, default 2304
 * @nr_slots:	buffers, default as many as there are ring entries
 * @mem:	bytes of guest memory, default as needed
 * @shared:	guest memory is shared, not private
 * @mem_fd:	file that guest memory is, shared; 0 for anonymous memory
 * @base:	index the rings begin at
 * @iova:	where the guest has its memory behind a vIOMMU, see viommu.h; default none
 */
struct guest_config {
	const char *dev;
	const char *tap;
	const char *bridge;
	__u64 features;
	bool plain;
	bool no_offload;
	bool multi;
	__u16 num[GUEST_QUEUES];
	__u32 slot[GUEST_QUEUES];
	__u32 nr_slots[GUEST_QUEUES];
	size_t mem;
	bool shared;
	int mem_fd;
	__u16 base;
	__u64 iova;
};

struct guest_seg {
	void *addr;
	__u32 len;
};

/* A chain that the device has, by its head. */
struct guest_chain {
	bool busy;
	__u16 nr_desc;
	__u16 *desc;
	unsigned int nr_seg, nr_out;
	struct guest_seg *seg;
	__u32 in_len;
	int slot;
	__u64 sum;
	struct vring_desc *table;
	unsigned int table_size;
};

struct guest_ring {
	__u16 num;
	struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;
	int kick, call, err;
	bool event_idx;
	__u16 *free;		/* stack of free descriptors */
	unsigned int nr_free;
	__u16 next_avail;	/* posted */
	__u16 told;		/* published */
	__u16 last_used;
	struct guest_chain *chain;
	__u8 *slots;
	__u32 slot_size;
	int *slot_free;		/* stack of free slots */
	unsigned int nr_slots;
	unsigned int nr_slots_free;
	__u64 kicks, calls;
};

struct guest {
	struct guest_config c;
	int fd, tap;
	__u8 mac[6];
	char mac_text[18];
	__u8 *mem;
	size_t size;
	size_t used;
	unsigned int hdr_len;
	bool keep_rx;		/* guest_recv() does not post buffers again */
	bool lax;		/* what is behind the used length, or sent, may change */
	bool running;
	struct guest_ring ring[GUEST_QUEUES];
	unsigned int faults;
};

struct guest_frame {
	struct virtio_net_hdr_mrg_rxbuf hdr;
	__u32 len;
	unsigned int bufs;
	__u8 data[GUEST_FRAME_MAX];
};

/* A tap's fd, up and in @bridge if there is one; without vnet headers if @hdr_len is 0. */
int guest_tap(const char *name, unsigned int hdr_len, unsigned int offload,
	      const char *bridge);
/* The same for one queue of many; the bridge is for the first. */
int guest_tap_queue(const char *name, unsigned int hdr_len, unsigned int offload,
		    const char *bridge);

/* Open the device, own it, make memory, rings and tap; sets nothing running. */
int guest_open(struct guest *g, const struct guest_config *c);
/* As QEMU starts a device: features, memory table, rings, backends. */
int guest_start(struct guest *g);
/* The pieces of the above. */
int guest_set_mem(struct guest *g);
int guest_set_ring(struct guest *g, int q);
int guest_set_backend(struct guest *g, int q, int fd);
/* Stop both queues, tell the rings' positions. -errno, never to be seen. */
int guest_stop(struct guest *g);
/* Forget what the rings held, as a driver that resets its device. */
void guest_reset_rings(struct guest *g);
void guest_close(struct guest *g);
/* Open, start, fill the receive ring. */
int guest_up(struct guest *g, const struct guest_config *c);

/* Guest memory that is not freed; filled with poison. */
void *guest_alloc(struct guest *g, size_t len, size_t align);
__u64 guest_gpa(const struct guest *g, const void *p);
/* The buffers of a ring, whole pages of them, @len bytes. */
__u8 *guest_slot_pages(struct guest *g, int q, size_t *len);
/* What the driver tells the device: the same, or an IOVA. */
__u64 guest_bus(const struct guest *g, const void *p);
/* Where the rings are, as VHOST_SET_VRING_ADDR wants it, without flags. */
struct vhost_vring_addr guest_ring_addr(const struct guest *g, int q);

#define GUEST_DIRECT	0
#define GUEST_TABLE	1	/* indirect */
#define GUEST_MORE	2	/* not published yet */

/* Put a chain into the available ring. Its head, or -ENOSPC. */
int guest_post(struct guest *g, int q, const struct guest_seg *seg,
	       unsigned int nr_out, unsigned int nr_in, unsigned int flags);
/* Put any number into the available ring, without keeping account. */
void guest_post_raw(struct guest *g, int q, __u16 head);
/* Let the device see what was posted; true if it had to be told by a kick. */
bool guest_publish(struct guest *g, int q);
void guest_kick(struct guest *g, int q);
/* Take a completed chain: its head, -EAGAIN if none, -EPROTO for a fault. */
int guest_reap(struct guest *g, int q, __u32 *len);
bool guest_pending(struct guest *g, int q);
/* Ask for an interrupt at the next completion. */
void guest_arm(struct guest *g, int q);
/* Sleep until the device completed something; by its interrupts. */
bool guest_wait(struct guest *g, int q, int ms);
/* Interrupts so far, and whether the error eventfd was signalled. */
__u64 guest_calls(struct guest *g, int q);
bool guest_error(struct guest *g, int q);

/* A free buffer of the ring, NULL for none; as @n pieces of lengths @len. */
int guest_slot(struct guest *g, int q);
unsigned int guest_pieces(struct guest *g, int q, int slot, const __u32 *len,
			  unsigned int n, struct guest_seg *seg);
/* Post a receive buffer of such pieces; -ENOSPC. */
int guest_rx_post(struct guest *g, const __u32 *len, unsigned int n,
		  unsigned int flags);
/* Post buffers of one piece until @n are posted or there is no room. */
int guest_rx_fill(struct guest *g, unsigned int n, __u32 len);

/*
 * Send a frame behind @hdr (NULL: zeroes), in pieces of lengths @piece, the
 * rest in one more. -EAGAIN if the ring is full.
 */
int guest_send_pieces(struct guest *g, const void *hdr, const void *frame,
		      __u32 len, const __u32 *piece, unsigned int n,
		      unsigned int flags);
int guest_send(struct guest *g, const void *hdr, const void *frame, __u32 len);
/* Take back what was sent; until all is back or time is out. Frames left. */
int guest_tx_reap(struct guest *g);
int guest_tx_drain(struct guest *g, int ms);
/* The next frame: 1, 0 after @ms without one, -EPROTO for a fault. */
int guest_recv(struct guest *g, struct guest_frame *f, int ms);

/* Frames that carry a flow and a number in bytes that follow from both. */
#define FRAME_TYPE	0x88b5	/* local experiments */
#define FRAME_MIN	32	/* below that they carry only the bytes */
void frame_make(__u8 *frame, __u32 len, const __u8 *dst,
		const __u8 *src, __u32 flow, __u32 seq);
/* 0, or -EBADMSG: not as it was made. */
int frame_check(const __u8 *frame, __u32 len, __u32 *flow, __u32 *seq);

/* For people: the beginning of a frame. */
void frame_print(const __u8 *frame, __u32 len);

/* Send one and see it arrive, whole and alone: 0 or -errno, and says what. */
int guest_pass(struct guest *from, struct guest *to, __u32 len, __u32 seq);
/* @n frames each way, of many sizes, as by guest_pass(). */
int guest_pass_both(struct guest *a, struct guest *b, unsigned int n);
/* Have @ms pass with no frame at @g. */
int guest_silent(struct guest *g, int ms);

__u64 now_ms(void);
__u32 rnd(void);
extern const __u8 mac_broadcast[6];

#endif /* GUEST_H */
