/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The cross-talk detector: where does a frame go?
 *
 * Called by the sender's worker for each frame, with the private copy of its
 * first bytes.  It never sleeps and takes no lock on the usual path.
 *
 * A dynamic pair, one direction from sender to receiver:
 *
 *             threshold reached,             ivshm_detector_joined(done)
 *             rules say yes
 *   UPLINK ----------------------> JOINING -----------------------------> COUPLED
 *     ^                              |                                       |
 *     +------------------------------+---------------------------------------+
 *       rules changed or say no, idle, an end stopped, gave up waiting
 *
 * "Rules say yes" needs three answers of the current generation: for the pair,
 * for the receiver's address and for the sender's.  Frames that go direct do not
 * refresh the sender's entry in the bridge's forwarding table, so the watching
 * work does.  Should the bridge age it out all the same, the sender's own frames
 * take the uplink again, the bridge learns the address anew, and the pair joins
 * again.
 *
 * A work item under RTNL (detector_check.c) gets the answers.  It runs when a
 * frame asks for one, and once a second while dynamic pairs are coupled, as
 * not everything that matters comes with an event.
 */
#ifndef _IVSHM_DETECTOR_H
#define _IVSHM_DETECTOR_H

#include <linux/types.h>
#include <linux/ivshm_netlink.h>

struct ivshm_addr;
struct ivshm_bucket;
struct ivshm_member;
struct ivshm_pair;
struct ivshm_port;
struct net;

enum ivshm_path {
	IVSHM_PATH_UPLINK,	/* to the port's own tap */
	IVSHM_PATH_DIRECT,	/* to @dst */
	IVSHM_PATH_HOLD,	/* to @dst, once its tap queues are past the switch */
	IVSHM_PATH_FLOOD,	/* static coupling: to all running members but the sender */
	IVSHM_PATH_DROP,	/* static coupling: nobody to give it to */
	IVSHM_PATH_REFUSE,	/* strict coupling: not from an address of the port */
	IVSHM_PATH_DENY,	/* static coupling: denied to the receiver */
};

/**
 * struct ivshm_decision - the detector's answer
 * @path:	what to do
 * @dst:	receiver for DIRECT and HOLD, valid in the caller's RCU section
 * @pair:	the pair from sender to @dst, to count on; also set for UPLINK if
 *		the frame was for a member of the same coupling.  NULL for FLOOD
 * @index:	of the receiver's member, with @pair
 * @lladdr:	for DIRECT and HOLD: the frame was for a gateway; it goes to this
 *		MAC address, from the gateway's.  NULL for as it is
 * @by_ip:	what comes after it with the same addresses in its Ethernet header
 *		may be for somebody else
 * @park_us:	how long the frame may wait for a full receiver, microseconds
 * @drops:	not at all
 * @bucket:	to be asked before it goes direct, or to all; NULL for no limit
 */
struct ivshm_decision {
	enum ivshm_path path;
	struct ivshm_port *dst;
	struct ivshm_pair *pair;
	u32 index;
	const u8 *lladdr;
	bool by_ip;
	bool drops;
	u32 park_us;
	struct ivshm_bucket *bucket;
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
 * The same for untagged frames of any length, without changing anything but
 * what is known of addresses: the largest frame that goes direct, with the
 * answer in @d; 0 if that is to be found out.  With *@nobody they are all for nobody
 * that the coupling knows of, or there is none, and take the uplink.
 */
u32 ivshm_detector_direct(struct ivshm_port *src, const u8 *hdr, struct ivshm_decision *d,
			  bool *nobody);

/*
 * A worker of @src reports that everything that was in the tap queues of the
 * receiver when the pair began to join has been consumed (@done), or that it
 * gave up waiting: a dynamic pair goes on to COUPLED, or back to UPLINK, where
 * it stays for a second; a static one has no uplink and goes direct either way.
 * Each worker that sent frames for the pair by its uplink waits for itself, even
 * after another one has coupled it.  Under RCU; @pair need not be valid any more.
 */
void ivshm_detector_joined(struct ivshm_port *src, struct ivshm_pair *pair,
			   bool done);

/*
 * A single frame had to take the uplink although its pair may go direct, for
 * @reason. Shown for some seconds. Under RCU.
 */
void ivshm_detector_note(struct ivshm_pair *pair, enum ivshm_reason reason);

/*
 * Whom the packet in a frame is for, by its destination IP address: a configured
 * one with the MAC address that it is at.  NULL if it is not known, or if only a
 * gateway may deal with the packet. @hdr_len bytes at @hdr. Under RCU. detector_ip.c
 */
struct ivshm_addr *ivshm_detector_ip_dest(const struct net *net, const u8 *hdr, u32 hdr_len);
/* Whether an IP packet, if it is one, has a source configured for @port. Likewise. */
bool ivshm_detector_ip_source(const struct ivshm_port *port, const u8 *hdr, u32 hdr_len);

/* Have somebody ask the rules. Any context. detector_check.c */
void ivshm_detector_ask_pair(struct ivshm_pair *pair);
void ivshm_detector_ask_addr(struct ivshm_addr *addr);
/* Watch dynamic pairs that are coupled. Any context. */
void ivshm_detector_watch(void);
/* One round of watching, for tests: returns whether another one is needed. */
bool ivshm_detector_expire(void);
/* There is no coupling any more. May sleep. */
void ivshm_detector_stop(void);

#endif /* _IVSHM_DETECTOR_H */
