/* SPDX-License-Identifier: GPL-2.0 */
/* TCP and UDP packets whose checksum or segments are left to somebody else. */
#ifndef PACKET_H
#define PACKET_H

#include <linux/types.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <linux/virtio_net.h>

#define PACKET_VLAN	5	/* the tag of those that have one */
#define PACKET_SEQ	5000	/* of the first byte of a TCP packet's payload */

/**
 * struct packet - what a packet is made of
 * @v6:		IPv6, or IPv4
 * @vlan:	behind a tag
 * @proto:	IPPROTO_TCP or IPPROTO_UDP
 * @payload:	bytes behind the transport header
 * @mss:	bytes of payload in a segment; 0: not to be segmented
 * @ecn:	the first segment alone has the CWR bit
 */
struct packet {
	bool v6, vlan, ecn;
	__u8 proto;
	__u32 payload;
	__u16 mss;
};

/* Bytes of the Ethernet header, and of all headers. */
__u32 packet_l2(const struct packet *p);
__u32 packet_headers(const struct packet *p);
/* Make it, its checksum left to the device by @h. Returns its length. */
__u32 packet_make(const struct packet *p, __u8 *frame, const __u8 *dst, const __u8 *src,
		  struct virtio_net_hdr *h);
/*
 * Is @frame the packet, or the segment of it that begins at byte @at of the payload?
 * With @partial its checksum is still left to somebody, as @h says, else it is
 * there and nothing is left.  Bytes of payload; -EBADMSG, after saying why.
 */
int packet_check(const struct packet *p, const __u8 *frame, __u32 len, __u32 at, bool partial,
		 const struct virtio_net_hdr *h);

/**
 * struct packet_parts - fragments of a packet, in their order
 * @len:	bytes that came, behind the header of IP
 * @id:		what all of them have
 * @whole:	the last one came
 * @frame:	the packet, with the headers that it had before
 */
struct packet_parts {
	__u32 len, id;
	bool whole;
	__u8 frame[1 << 17];
};

void packet_parts_begin(const struct packet *p, const __u8 *frame, struct packet_parts *parts);
/* The next fragment of it. Bytes that were in it; -EBADMSG, after saying why. */
int packet_parts_add(const struct packet *p, const __u8 *frame, __u32 len,
		     struct packet_parts *parts);

#endif /* PACKET_H */
