/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The transmit side: what a queue pair's worker does with the guest's frames.
 *
 *   tx.c         take a batch of chains, check and copy headers; later publish
 *                the chains of frames that are done
 *   tx_linger.c  when to look at the ring again             (does not sleep)
 *   tx_fast.c    a run of simple frames for one receiver, which does not sleep, or
 *                for the uplink, which may
 *   tx_direct.c  decide each, deliver runs for one receiver   (does not sleep)
 *   tx_wait.c    have frames wait, or drop them             (does not sleep)
 *   tx_rest.c    uplink, flooding, faults, conversions             (may sleep)
 *
 * A frame whose receiver is full waits in a park of that receiver (park.c) and
 * comes back through the same steps.
 */
#ifndef _IVSHM_TX_H
#define _IVSHM_TX_H

#include <linux/if_ether.h>
#include <linux/netdev_features.h>
#include <linux/types.h>
#include <linux/unaligned.h>
#include <linux/ivshm_netlink.h>

struct ivshm_buf;
struct ivshm_frame;
struct ivshm_gmem;
struct ivshm_map;
struct ivshm_pair;
struct ivshm_qp;
struct ivshm_tx_fast;
struct ivshm_uplink_batch;
struct ivshm_vring_few;
struct ivshm_vring_seg;
struct list_head;
struct virtio_net_hdr;

/* Take and send what the guest made available. Returns work to do again. */
unsigned long ivshm_tx_work(struct ivshm_qp *qp);
/*
 * There is nothing to do: look at the transmit ring for as long as the VMM asked for by
 * queue @index, until other work comes, or somebody else for this processor.  True if
 * there is something in the ring.
 */
bool ivshm_tx_poll(struct ivshm_qp *qp, u32 index);
/* Decide and send @frames, struct ivshm_frame. Leaves the list empty. */
void ivshm_tx_dispatch(struct ivshm_qp *qp, struct list_head *frames);
/* Done with @f, which is in no list: its chain is to be completed. */
void ivshm_tx_done(struct ivshm_qp *qp, struct ivshm_frame *f);
/*
 * The queue stops, its worker is held: what is left of what was taken, as memory or the
 * ring was not to be had, is lost, and nothing waits any more.  Its chains are given
 * back if the ring is there.
 */
void ivshm_tx_abandon(struct ivshm_qp *qp);
/* As ivshm_tx_done() for a frame that is lost, with the counter that says why. */
void ivshm_tx_drop(struct ivshm_qp *qp, struct ivshm_frame *f,
		   enum ivshm_attr_stat why);
/*
 * Send direct what is to go that way.  On return @frames holds, in order, what
 * needs to sleep: other paths, faults, buffers; and all that comes behind a
 * frame that must sleep before it goes direct.
 */
void ivshm_tx_direct(struct ivshm_qp *qp, struct list_head *frames);
/*
 * Tell those who are about to stop listening to their taps that frames may still come
 * that way from @qp, until its tx_uplink is cleared.  False: none may any more.  Under
 * RCU.
 */
bool ivshm_tx_announce(struct ivshm_qp *qp);
/*
 * Straight to one receiver or to the uplink, what is simple enough. Returns how many
 * frames went, to be completed; 0 if the next is for the general way.  May sleep.
 */
u32 ivshm_tx_fast(struct ivshm_qp *qp);
struct ivshm_tx_fast *ivshm_tx_fast_alloc(void);
void ivshm_tx_fast_free(struct ivshm_tx_fast *fast);
/*
 * Whether the worker's frames for @pair, by the index of its receiver, go direct
 * by @map: there is nothing that they could overtake.  Under RCU.
 */
bool ivshm_tx_way_open(struct ivshm_qp *qp, u32 index, const struct ivshm_pair *pair,
		       const struct ivshm_map *map);
/*
 * The following are of tx_wait.c, under RCU.
 *
 * Let @f, in no list, wait in the park of its receiver, opened before; false if it
 * waited long enough or, with *@full, if there is no room.  Behind others it waits as
 * long as they do, whatever becomes of them then.
 */
bool ivshm_tx_wait(struct ivshm_qp *qp, struct ivshm_frame *f, u64 ns, bool *full);
/*
 * The receiver of @f, in no list, has no buffers, or others wait for it; or it is @held,
 * which is no fault of its guest's.
 */
void ivshm_tx_park(struct ivshm_qp *qp, struct ivshm_qp *dst, struct ivshm_frame *f, bool held);
/*
 * @frames were decided, and the sender of some has a rate.  Those that it does not let
 * go where they are to go leave the list: they wait for it, or are dropped.
 */
void ivshm_tx_meter(struct ivshm_qp *qp, struct list_head *frames);

/* Count @n frames of one pair, @bytes in all; @delivered: in @dst's ring by now. */
void ivshm_tx_count_direct(struct ivshm_qp *qp, struct ivshm_qp *dst,
			   const struct ivshm_pair *pair, u32 n, u64 bytes,
			   bool delivered);
/* Publish completed chains and interrupt if the guest wants it. */
void ivshm_tx_complete(struct ivshm_qp *qp);
/*
 * The transmit ring is empty: true if it fills by itself, and will be looked at by
 * ivshm_qp.linger, so that the guest need not notify us.
 */
bool ivshm_tx_linger(struct ivshm_qp *qp);
/* As long as it fills, it is not told each time, either, that frames are done. */
bool ivshm_tx_hold_signal(const struct ivshm_qp *qp);

/* Bytes of a chain: @len from offset @skip on. In a read section. */
int ivshm_segs_read(struct ivshm_gmem *gm, const struct ivshm_vring_seg *seg,
		    u32 nr, u32 skip, void *to, u32 len);
/* The same for the worker's own guest; faults, and may sleep. */
int ivshm_segs_copy(struct ivshm_qp *qp, const struct ivshm_vring_seg *seg,
		    u32 nr, u32 skip, void *to, u32 len);
/*
 * Copy the frame, without its vnet header, to @to (room for IVSHM_FRAME_MAX
 * bytes).  The worker's own guest; may sleep. 0, -EFAULT, -EINTR or -ESRCH.
 */
int ivshm_frame_read(struct ivshm_qp *qp, const struct ivshm_frame *f, u8 *to);
/* The same of its first @len bytes; it has that many. */
int ivshm_frame_head(struct ivshm_qp *qp, const struct ivshm_frame *f, u8 *to, u32 len);
/* Put the frame into a kernel buffer of its own. May sleep. As above or -ENOMEM. */
int ivshm_frame_linearise(struct ivshm_qp *qp, struct ivshm_frame *f);
/*
 * Make the hash of the frame's flow.  In a read section, where it may be that
 * it is not to be had yet.
 */
void ivshm_frame_hash(struct ivshm_qp *qp, struct ivshm_frame *f);
/* The same to be had; may sleep.  0 or as ivshm_frame_read(). */
int ivshm_frame_need_hash(struct ivshm_qp *qp, struct ivshm_frame *f);

/* An Ethernet header, 14 bytes, as two words that overlap. */
struct ivshm_tx_key {
	u64 lo, hi;
};

static __always_inline struct ivshm_tx_key ivshm_tx_key(const void *eth)
{
	return (struct ivshm_tx_key){
		.lo = get_unaligned((const u64 *)eth),
		.hi = get_unaligned((const u64 *)(eth + ETH_HLEN - sizeof(u64))),
	};
}

struct ivshm_buf *ivshm_buf_alloc(u32 len);
void ivshm_bufs_free(struct list_head *bufs);

/*
 * Check @f->raw against the frame's length and first bytes; fills in @f->hdr,
 * @f->plain and @f->gso_len.  For TCP to be segmented it returns where in the
 * frame the length of its TCP header is; ivshm_vnet_check_tcp() with that
 * byte finishes the check.  Else 0.
 */
u32 ivshm_vnet_check(struct ivshm_frame *f, bool le);
void ivshm_vnet_check_tcp(struct ivshm_frame *f, bool le, u8 doff);
/* Whether a device with @features can take a frame with header @hdr. */
bool ivshm_vnet_fits(const struct virtio_net_hdr *hdr, netdev_features_t features);
/*
 * A copy of the frame in @buf as frames that a device with @features can take,
 * appended to @out.  May sleep. 0, -ENOMEM, or -EINVAL if it cannot be done.
 */
int ivshm_vnet_convert(struct ivshm_qp *qp, const struct ivshm_buf *buf,
		       netdev_features_t features, struct list_head *out);

/*
 * Have what changes at @dst wake us from now on; IVSHM_PARK_UPLINK with no @dst
 * for our own tap.  Under RCU. False if there are too many parks.
 */
bool ivshm_park_open(struct ivshm_qp *qp, struct ivshm_qp *dst, u32 dst_id);
/* Put @f at the end of those waiting. False: no open park, or too many frames. */
bool ivshm_park_add(struct ivshm_qp *qp, u32 dst_id, struct ivshm_frame *f);
/* Close the parks without frames. */
void ivshm_park_tidy(struct ivshm_qp *qp);
/* Whether frames already wait for receiver @dst_id. */
bool ivshm_park_busy(const struct ivshm_qp *qp, u32 dst_id);
/*
 * Let the frames that wait for the same MAC address as @f, a frame in a list,
 * go before it in that list. True if there were any.
 */
bool ivshm_park_release(struct ivshm_qp *qp, struct ivshm_frame *f);
/* All waiting frames to the end of @frames; nobody waits any more. */
void ivshm_park_clear(struct ivshm_qp *qp, struct list_head *frames);
/* All waiting frames go through ivshm_tx_dispatch() again. */
void ivshm_park_retry(struct ivshm_qp *qp);
/* When the first waiting frame gives up; ktime, ns, U64_MAX for none. */
u64 ivshm_park_deadline(const struct ivshm_qp *qp);

/* What a receiver's guest can take. Under RCU. */
netdev_features_t ivshm_uplink_features(struct ivshm_qp *qp);
/* Frames in the tap's queue, not yet asked for by the worker. */
u32 ivshm_uplink_queued(struct ivshm_qp *qp);
/*
 * Send by the tap. May sleep. 0, -EAGAIN if the tap is full, -EIO if it refused
 * the frame, -ENOMEM, or as ivshm_frame_read().  The frame may be on its way only
 * after ivshm_uplink_flush().
 */
int ivshm_uplink_send(struct ivshm_qp *qp, struct ivshm_frame *f);
/* Send what is in the batch, and count it. */
void ivshm_uplink_flush(struct ivshm_qp *qp);
/* The same, and no more is sent for now. */
void ivshm_uplink_end(struct ivshm_qp *qp);
/*
 * Send the frames of up to @n chains as long as they are small and their Ethernet
 * header is @eth.  Returns how many: 0 also if their memory is not there, or the tap is
 * to be asked for each frame.  May sleep.
 */
u32 ivshm_uplink_send_few(struct ivshm_qp *qp, const struct ivshm_vring_few *few, u32 n,
			  const struct ethhdr *eth);
struct ivshm_uplink_batch *ivshm_uplink_batch_alloc(void);
void ivshm_uplink_batch_free(struct ivshm_uplink_batch *b);
/*
 * The port may have joined or left a static coupling: what is in its tap by
 * now still goes to the guest, what comes from now on does not.
 */
void ivshm_uplink_look(struct ivshm_qp *qp);
/*
 * A static coupling of the port is about to end: what is in the tap by now is not for the
 * guest.  Under ivshm_mutex; before whoever decides frames sees the end.
 */
void ivshm_uplink_mark(struct ivshm_qp *qp);
/*
 * The worker begins to serve a port; if that is in a static coupling, nothing that is in
 * its tap by now is for the guest.  The worker is held.
 */
void ivshm_uplink_begin(struct ivshm_qp *qp);
/* Frames in hand go back to the tap's queue. The worker is held. */
void ivshm_uplink_unpull(struct ivshm_qp *qp);
/* Take frames from the tap to the guest. Returns work to do again. */
unsigned long ivshm_uplink_receive(struct ivshm_qp *qp);

#endif /* _IVSHM_TX_H */
