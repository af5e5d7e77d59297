// SPDX-License-Identifier: GPL-2.0
/* Packets that need work done to them; see packet.h. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "packet.h"

/* In the 14th byte of a TCP header. */
#define TCP_CWR	0x80

static __u32 add(__u32 sum, const void *p, __u32 len)
{
	const __u8 *b = p;

	for (; len > 1; b += 2, len -= 2)
		sum += b[0] << 8 | b[1];
	if (len)
		sum += b[0] << 8;
	return sum;
}

static __u16 fold(__u32 sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

/* Sum of the pseudo header of the packet at @ip, whose payload is @len long. */
static __u32 pseudo(const struct packet *p, const __u8 *ip, __u32 len)
{
	__u32 sum = p->v6 ? add(0, ip + 8, 32) : add(0, ip + 12, 8);

	return sum + p->proto + (len >> 16) + (len & 0xffff);
}

static __u8 byte(__u32 at)
{
	return at * 7 + (at >> 8);
}

static __u32 ip_len(const struct packet *p)
{
	return p->v6 ? sizeof(struct ip6_hdr) : sizeof(struct iphdr);
}

static __u32 transport_len(const struct packet *p)
{
	return p->proto == IPPROTO_TCP ? sizeof(struct tcphdr) : sizeof(struct udphdr);
}

__u32 packet_l2(const struct packet *p)
{
	return ETH_HLEN + (p->vlan ? 4 : 0);
}

__u32 packet_headers(const struct packet *p)
{
	return packet_l2(p) + ip_len(p) + transport_len(p);
}

static void ip_make(const struct packet *p, __u8 *ip, __u32 len)
{
	if (p->v6) {
		struct ip6_hdr *ip6 = (struct ip6_hdr *)ip;

		ip6->ip6_flow = htonl(6u << 28);
		ip6->ip6_plen = htons(len);
		ip6->ip6_nxt = p->proto;
		ip6->ip6_hlim = 64;
		memset(&ip6->ip6_src, 0xfd, 16);
		memset(&ip6->ip6_dst, 0xfc, 16);
	} else {
		struct iphdr *ip4 = (struct iphdr *)ip;

		ip4->version = 4;
		ip4->ihl = 5;
		ip4->tot_len = htons(sizeof(*ip4) + len);
		ip4->id = htons(1000);
		ip4->ttl = 64;
		ip4->protocol = p->proto;
		ip4->saddr = htonl(0x0a000001);
		ip4->daddr = htonl(0x0a000002);
		ip4->check = htons(~fold(add(0, ip, sizeof(*ip4))));
	}
}

static void gso_make(const struct packet *p, struct virtio_net_hdr *h)
{
	if (!p->mss)
		return;
	h->gso_type = p->v6 ? VIRTIO_NET_HDR_GSO_TCPV6 : VIRTIO_NET_HDR_GSO_TCPV4;
	if (p->ecn)
		h->gso_type |= VIRTIO_NET_HDR_GSO_ECN;
	h->gso_size = p->mss;
	h->hdr_len = packet_headers(p);
}

__u32 packet_make(const struct packet *p, __u8 *frame, const __u8 *dst, const __u8 *src,
		  struct virtio_net_hdr *h)
{
	__u32 l2 = packet_l2(p), headers = packet_headers(p), tl = transport_len(p), i;
	__u8 *ip = frame + l2, *th = ip + ip_len(p);
	__be16 type = htons(p->v6 ? ETH_P_IPV6 : ETH_P_IP), tag[2];
	__u16 sum;

	memset(frame, 0, headers);
	memset(h, 0, sizeof(*h));
	memcpy(frame, dst, ETH_ALEN);
	memcpy(frame + ETH_ALEN, src, ETH_ALEN);
	tag[0] = htons(ETH_P_8021Q);
	tag[1] = htons(PACKET_VLAN);
	if (p->vlan)
		memcpy(frame + 2 * ETH_ALEN, tag, sizeof(tag));
	memcpy(ip - sizeof(type), &type, sizeof(type));
	ip_make(p, ip, tl + p->payload);
	sum = htons(fold(pseudo(p, ip, tl + p->payload)));
	if (p->proto == IPPROTO_TCP) {
		struct tcphdr *tcp = (struct tcphdr *)th;

		tcp->source = htons(1);
		tcp->dest = htons(2);
		tcp->seq = htonl(PACKET_SEQ);
		tcp->doff = 5;
		tcp->ack = 1;
		tcp->psh = 1;
		tcp->fin = 1;
		tcp->check = sum;
		if (p->ecn)
			th[13] |= TCP_CWR;
		h->csum_offset = offsetof(struct tcphdr, check);
	} else {
		struct udphdr *udp = (struct udphdr *)th;

		udp->source = htons(1);
		udp->dest = htons(2);
		udp->len = htons(tl + p->payload);
		udp->check = sum;
		h->csum_offset = offsetof(struct udphdr, check);
	}
	for (i = 0; i < p->payload; i++)
		th[tl + i] = byte(i);
	h->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	h->csum_start = th - frame;
	gso_make(p, h);
	return headers + p->payload;
}

#define BAD(...) \
	(fprintf(stderr, "# packet: " __VA_ARGS__), fputc('\n', stderr), -EBADMSG)

static int ip_check(const struct packet *p, const __u8 *ip, __u32 len)
{
	const struct ip6_hdr *ip6 = (const struct ip6_hdr *)ip;
	const struct iphdr *ip4 = (const struct iphdr *)ip;

	if (p->v6)
		return ntohs(ip6->ip6_plen) == len && ip6->ip6_nxt == p->proto ?
		       0 : BAD("length %u, not %u", ntohs(ip6->ip6_plen), len);
	if (ntohs(ip4->tot_len) != sizeof(*ip4) + len)
		return BAD("length %u, not %u", ntohs(ip4->tot_len), len);
	if (fold(add(0, ip, sizeof(*ip4))) != 0xffff)
		return BAD("checksum of IP");
	return 0;
}

/* @len: of the transport header and what is behind it. */
static int sum_check(const struct packet *p, const __u8 *ip, const __u8 *th, __u32 len,
		     bool partial)
{
	__u32 at = p->proto == IPPROTO_TCP ? offsetof(struct tcphdr, check) :
					     offsetof(struct udphdr, check);
	__u32 sum = pseudo(p, ip, len);

	if (!partial)
		return fold(add(sum, th, len)) == 0xffff ? 0 : BAD("checksum");
	return (th[at] << 8 | th[at + 1]) == fold(sum) ? 0 : BAD("sum of the pseudo header");
}

static int tcp_check(const struct packet *p, const __u8 *th, __u32 at, __u32 len)
{
	const struct tcphdr *tcp = (const struct tcphdr *)th;
	bool last = at + len == p->payload;

	if (ntohl(tcp->seq) != PACKET_SEQ + at)
		return BAD("sequence number %u at %u", ntohl(tcp->seq), at);
	if (tcp->fin != last || tcp->psh != last)
		return BAD("flags at %u", at);
	if (!!(th[13] & TCP_CWR) != (p->ecn && !at))
		return BAD("CWR at %u", at);
	return 0;
}

int packet_check(const struct packet *p, const __u8 *frame, __u32 len, __u32 at, bool partial,
		 const struct virtio_net_hdr *h)
{
	__u32 l2 = packet_l2(p), headers = packet_headers(p), tl = transport_len(p), i;
	const __u8 *ip = frame + l2, *th = ip + ip_len(p);
	__be16 type = htons(p->v6 ? ETH_P_IPV6 : ETH_P_IP);
	int err;

	if (len <= headers)
		return BAD("%u bytes", len);
	len -= headers;
	if (at + len > p->payload)
		return BAD("%u bytes of payload at %u of %u", len, at, p->payload);
	if (memcmp(ip - sizeof(type), &type, sizeof(type)) ||
	    (p->vlan && (frame[12] << 8 | frame[13]) != ETH_P_8021Q) ||
	    (p->vlan && (frame[14] << 8 | frame[15]) != PACKET_VLAN))
		return BAD("Ethernet header");
	if (partial ? h->flags != VIRTIO_NET_HDR_F_NEEDS_CSUM || h->csum_start != th - frame :
		      h->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM)
		return BAD("flags %u, checksum from %u on", h->flags, h->csum_start);
	err = ip_check(p, ip, tl + len) ?: sum_check(p, ip, th, tl + len, partial);
	if (!err && p->proto == IPPROTO_TCP)
		err = tcp_check(p, th, at, len);
	if (err)
		return err;
	for (i = 0; i < len; i++)
		if (th[tl + i] != byte(at + i))
			return BAD("payload at %u", at + i);
	return len;
}

void packet_parts_begin(const struct packet *p, const __u8 *frame, struct packet_parts *parts)
{
	parts->len = 0;
	parts->whole = false;
	memcpy(parts->frame, frame, packet_l2(p) + ip_len(p));
}

int packet_parts_add(const struct packet *p, const __u8 *frame, __u32 len,
		     struct packet_parts *parts)
{
	__u32 l2 = packet_l2(p), headers = l2 + ip_len(p), at, id;
	const struct ip6_hdr *ip6 = (const struct ip6_hdr *)(frame + l2);
	const struct iphdr *ip4 = (const struct iphdr *)(frame + l2);
	const struct ip6_frag *frag = (const struct ip6_frag *)(frame + headers);
	bool more;

	if (p->v6)
		headers += sizeof(*frag);
	if (len <= headers)
		return BAD("fragment of %u bytes", len);
	len -= headers;
	if (memcmp(frame, parts->frame, l2))
		return BAD("Ethernet header of a fragment");
	if (p->v6) {
		if (ip6->ip6_nxt != IPPROTO_FRAGMENT || frag->ip6f_nxt != p->proto ||
		    ntohs(ip6->ip6_plen) != sizeof(*frag) + len)
			return BAD("header of a fragment of %u bytes", len);
		at = ntohs(frag->ip6f_offlg & IP6F_OFF_MASK);
		more = frag->ip6f_offlg & IP6F_MORE_FRAG;
		id = ntohl(frag->ip6f_ident);
	} else {
		if (ip_check(p, frame + l2, len))
			return -EBADMSG;
		at = (ntohs(ip4->frag_off) & IP_OFFMASK) * 8;
		more = ip4->frag_off & htons(IP_MF);
		id = ntohs(ip4->id);
	}
	if (at != parts->len || parts->whole)
		return BAD("fragment at %u, after %u bytes", at, parts->len);
	if (at && id != parts->id)
		return BAD("fragment of another packet: %#x, %#x", parts->id, id);
	memcpy(parts->frame + l2 + ip_len(p) + at, frame + headers, len);
	parts->len += len;
	parts->id = id;
	parts->whole = !more;
	return len;
}
