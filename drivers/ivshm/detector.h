/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The cross-talk detector: where does a frame go?
 *
 * Called by the sender's worker for each frame, with the private copy of its
 * first bytes.  It never sleeps and takes no lock on the usual path.
 */
#ifndef _IVSHM_DETECTOR_H
#define _IVSHM_DETECTOR_H

#include <linux/types.h>
#include <linux/ivshm_netlink.h>

struct ivshm_member;
struct ivshm_pair;
struct ivshm_port;

enum ivshm_path {
	IVSHM_PATH_UPLINK,	/* to the port's own tap */
	IVSHM_PATH_DIRECT,	/* to @dst */
	IVSHM_PATH_HOLD,	/* to @dst, once its tap queue is past the switch */
	IVSHM_PATH_FLOOD,	/* static coupling: to all running members but the sender */
	IVSHM_PATH_DROP,	/* static coupling: nobody to give it to */
};

/**
 * struct ivshm_decision - the detector's answer
 * @path:	what to do
 * @dst:	receiver for DIRECT and HOLD, valid in the caller's RCU section
 * @pair:	the pair from sender to @dst, to count on
 * @park_us:	how long the frame may wait for a full receiver, microseconds
 */
struct ivshm_decision {
	enum ivshm_path path;
	struct ivshm_port *dst;
	struct ivshm_pair *pair;
	u32 park_us;
};

/**
 * ivshm_detector_decide - where does this frame go?
 * @src:       the sending port
 * @hdr:       private copy of the frame's first bytes, from the MAC header on
 * @hdr_len:   bytes in @hdr, at least ETH_HLEN
 * @frame_len: bytes in the whole frame
 * @gso_len:   largest frame on the wire: @frame_len, or the length of one
 *             segment with its headers for a frame to be segmented
 * @d:         the answer
 *
 * Learns the source address.  Under RCU, does not sleep.
 */
void ivshm_detector_decide(struct ivshm_port *src, const u8 *hdr, u32 hdr_len,
			   u32 frame_len, u32 gso_len, struct ivshm_decision *d);

/*
 * The worker of @src reports that everything that was in the tap queue of the
 * receiver when the pair began to join has been consumed (@done), or that it
 * gave up waiting: the pair goes on to COUPLED, or back to UPLINK. Under RCU.
 */
void ivshm_detector_joined(struct ivshm_port *src, struct ivshm_pair *pair,
			   bool done);

#endif /* _IVSHM_DETECTOR_H */
