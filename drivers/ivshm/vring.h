/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Device side of a split virtqueue, virtio 1.2 section 2.7.
 *
 * The ring knows nothing of devices, address spaces or networking.  It
 * reaches guest memory through two accessors only and is built into the
 * module, into its KUnit tests and into a userspace library alike.
 *
 * Everything read from guest memory is read once into a private copy and
 * validated there.  A broken rule gives -EINVAL and marks the ring broken:
 * it is not touched again until ivshm_vring_start().
 */
#ifndef _IVSHM_VRING_H
#define _IVSHM_VRING_H

#ifdef __KERNEL__
#include <linux/types.h>
#include <linux/virtio_ring.h>
#else
#include "vring_user.h"
#endif

/* Most segments of one chain; a longer chain breaks the ring. */
#define IVSHM_VRING_MAX_SEGS	1024
#define IVSHM_VRING_MAX_NUM	32768

/* One buffer of a descriptor chain, in guest-physical addresses. */
struct ivshm_vring_seg {
	u64 addr;
	u32 len;
};

/**
 * struct ivshm_vring_chain - a descriptor chain taken from the ring
 * @head:	descriptor index to give back in the used ring
 * @nr_out:	device-readable segments; they come first
 * @nr_in:	device-writable segments, behind the readable ones
 * @out_len:	bytes in the readable segments
 * @in_len:	bytes in the writable segments
 * @nr_desc:	descriptors read, those of length zero included: what the chain
 *		cost, for the caller's work limit
 *
 * Segments of length zero are legal and left out.
 */
struct ivshm_vring_chain {
	u16 head;
	u16 nr_out;
	u16 nr_in;
	u32 out_len;
	u32 in_len;
	u32 nr_desc;
};

/**
 * struct ivshm_vring_used - a chain to give back
 * @id:		its &struct ivshm_vring_chain.head
 * @len:	bytes written to its device-writable segments, from their start
 */
struct ivshm_vring_used {
	u32 id;
	u32 len;
};

/**
 * struct ivshm_vring_ops - access to the memory of the ring's owner
 * @page:	Host address of the page of the ring area that contains @addr
 *		(same unit as passed to ivshm_vring_set_addr()), NULL if it is
 *		not there just now.  Must not sleep.  The pointer stays valid
 *		while the caller's read section lasts and the generation given
 *		to ivshm_vring_begin() stays the same.
 * @read:	Copy @len bytes from guest-physical @gpa into @buf.  Returns 0,
 *		-EAGAIN if the memory is not there just now (to be tried again
 *		after a fault), -EINPROGRESS if it is not known yet where it is, or
 *		-EFAULT if there is no such memory.
 *		Must not sleep.
 * @used_written: @len bytes at offset @off of the used ring were written;
 *		for the dirty log.  Called while &struct ivshm_vring.log_used is
 *		set.  Must not sleep.
 */
struct ivshm_vring_ops {
	void *(*page)(void *priv, u64 addr, bool write);
	int (*read)(void *priv, u64 gpa, void *buf, u32 len);
	void (*used_written)(void *priv, u32 off, u32 len);
};

/* One of the three parts of a ring, by host pages; @flat if they lie in a row. */
struct ivshm_vring_area {
	u64 addr;
	u32 nr_pages;
	void **page;
	void *flat;
};

/**
 * struct ivshm_vring - the device's view of a split virtqueue
 * @num:	entries, a power of two up to IVSHM_VRING_MAX_NUM
 * @le:		little-endian ring (virtio 1) or native (legacy)
 * @event_idx:	VIRTIO_RING_F_EVENT_IDX was negotiated
 * @indirect:	VIRTIO_RING_F_INDIRECT_DESC was negotiated
 * @notify_on_empty: VIRTIO_F_NOTIFY_ON_EMPTY was negotiated
 * @log_used:	ops->used_written is to be called
 * @mapped:	the areas hold the host addresses of generation @gen
 * @mapped_event_idx: @event_idx when they were taken
 * @broken:	the guest broke a rule
 * @last_avail:	next available entry to take
 * @avail_idx:	the guest's index as last read
 * @last_used:	next used entry to write
 * @signalled_used: @last_used when we last decided about a signal
 * @signalled_used_valid: less than 65536 entries were written since
 * @used_flags:	the used ring's flags as last written
 *
 * The caller sets @le, @event_idx, @indirect, @notify_on_empty and @log_used
 * before ivshm_vring_begin() and ivshm_vring_start().
 *
 * Not thread safe: the caller serialises all calls on one ring.  No function
 * sleeps except ivshm_vring_set_addr() and ivshm_vring_cleanup().
 */
struct ivshm_vring {
	const struct ivshm_vring_ops *ops;
	void *priv;
	struct ivshm_vring_area desc, avail, used;
	u64 gen;
	u16 num;
	bool le;
	bool event_idx;
	bool indirect;
	bool notify_on_empty;
	bool log_used;
	bool mapped;
	bool mapped_event_idx;
	bool broken;
	u16 last_avail;
	u16 avail_idx;
	u16 last_used;
	u16 signalled_used;
	bool signalled_used_valid;
	u16 used_flags;
};

void ivshm_vring_init(struct ivshm_vring *vr, const struct ivshm_vring_ops *ops,
		      void *priv);
/* Frees the page tables; the ring may be initialised again. May sleep. */
void ivshm_vring_cleanup(struct ivshm_vring *vr);

/*
 * -EINVAL unless @num is a power of two from 1 to IVSHM_VRING_MAX_NUM.
 * Drops the addresses set before.
 */
int ivshm_vring_set_num(struct ivshm_vring *vr, u32 num);
/*
 * Addresses of the three parts in the unit of ops->page; desc aligned to 16
 * bytes, avail to 2, used to 4 (virtio 1.2 section 2.7), else -EINVAL.
 * -ENOMEM.  Call after ivshm_vring_set_num(). May sleep.
 */
int ivshm_vring_set_addr(struct ivshm_vring *vr, u64 desc, u64 avail, u64 used);

/*
 * Opens a read section: makes the host addresses of the ring fit generation
 * @gen of the memory behind it.  Must succeed before any function below is
 * called and again after each generation change.
 * Returns 0, -EAGAIN if a page is missing (ops->page was called for every
 * missing one, so that all of them can be asked for at once), or -EINVAL
 * before ivshm_vring_set_addr().
 */
int ivshm_vring_begin(struct ivshm_vring *vr, u64 gen);

/*
 * Start serving: takes over the used index from the ring, clears broken,
 * notifications from the guest on.  @last_avail is the first entry to take.
 * The guest may have made entries available before: look at once.
 */
void ivshm_vring_start(struct ivshm_vring *vr, u16 last_avail);

/* Whether all that was known to be available has been taken. Any time. */
static inline bool ivshm_vring_drained(const struct ivshm_vring *vr)
{
	return vr->last_avail == vr->avail_idx;
}

/* True if the guest made buffers available; reads the index if it must. */
bool ivshm_vring_pending(struct ivshm_vring *vr);

/*
 * Take the next chain.  Its segments are written to @segs (at most @max).
 * Returns 0 with @chain filled in;
 *  -ENOENT  nothing available,
 *  -EAGAIN, -EINPROGRESS  guest memory (an indirect table) is not there, see
 *	     ivshm_vring_ops.read: nothing is taken,
 *  -ENOSPC  @max is too small for this chain but within
 *           IVSHM_VRING_MAX_SEGS: nothing is taken,
 *  -EINVAL  the guest broke a rule; the ring is broken from now on.
 */
int __must_check ivshm_vring_pop(struct ivshm_vring *vr,
				 struct ivshm_vring_chain *chain,
				 struct ivshm_vring_seg *segs, u32 max);
/* Segments of a chain that ivshm_vring_pop_few() takes. */
#define IVSHM_VRING_FEW		4

/* A short chain: @nr segments, none of them empty, which may be anywhere. */
struct ivshm_vring_few {
	u16 head;
	u16 nr;
	u32 len;	/* in all */
	struct ivshm_vring_seg seg[IVSHM_VRING_FEW];
};

/*
 * Take up to @max chains as long as they are short, in order in their table if
 * they have one, and device-writable or device-readable as asked for.  The next
 * chain is for ivshm_vring_pop(), which also finds out what is wrong with it.
 * Returns how many; ivshm_vring_unpop() takes them back.
 */
u16 ivshm_vring_pop_few(struct ivshm_vring *vr, struct ivshm_vring_few *few, u16 max,
			bool writable);
/* Give back the last @n chains taken, as if never taken. */
void ivshm_vring_unpop(struct ivshm_vring *vr, u16 n);

/*
 * Publish @n used entries with one index update (virtio 1.2 section 2.7.8).
 * Does nothing if the ring is broken.
 */
void ivshm_vring_push(struct ivshm_vring *vr,
		      const struct ivshm_vring_used *used, u16 n);
/*
 * Whether the guest wants a notification for what was published since the
 * last call (virtio 1.2 section 2.7.7). Contains the full barrier that pairs
 * with the driver's between enabling interrupts and looking at the used ring.
 */
bool ivshm_vring_should_signal(struct ivshm_vring *vr);

/*
 * Ask the guest to notify when it makes more buffers available than those
 * seen so far (virtio 1.2 section 2.7.10).  True if it already did, in which
 * case no notification may come: look again instead of waiting.
 *
 * "Seen" are the entries up to the index that ivshm_vring_pop() read last,
 * taken or not.  So after -ENOENT this waits for any buffer, and after
 * ivshm_vring_unpop() of buffers that did not suffice it waits for more of
 * them, without spinning.  Who stopped for another reason does not wait at all.
 */
bool ivshm_vring_enable_kick(struct ivshm_vring *vr);
void ivshm_vring_disable_kick(struct ivshm_vring *vr);

#endif /* _IVSHM_VRING_H */
