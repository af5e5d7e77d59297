// SPDX-License-Identifier: GPL-2.0
/*
 * The detector, by IP addresses: what would a gateway have done?
 *
 * Only what needs nothing but another Ethernet header is answered.  Whatever a
 * gateway might reply to, change, or look into (RFC 1812, RFC 8200: lifetime,
 * options, hop-by-hop headers, odd sources) is left to it.  The lifetime itself
 * is not counted down: the gateway was not there.
 */
#include <linux/etherdevice.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/socket.h>
#include <net/ipv6.h>

#include "addr.h"
#include "detector.h"
#include "port.h"

/* The addresses of an IP packet; of which family, 0 for none that goes direct. */
static u16 packet_addrs(const u8 *hdr, u32 hdr_len, const u8 **src, const u8 **dst)
{
	const struct ethhdr *eth = (const struct ethhdr *)hdr;
	const u8 *ip = hdr + ETH_HLEN;

	switch (eth->h_proto) {
	case htons(ETH_P_IP):
		/* Version 4, no options, and more than one hop to go. */
		if (hdr_len < ETH_HLEN + sizeof(struct iphdr) || ip[0] != 0x45 ||
		    ip[offsetof(struct iphdr, ttl)] <= 1)
			return 0;
		*src = ip + offsetof(struct iphdr, saddr);
		*dst = ip + offsetof(struct iphdr, daddr);
		return AF_INET;
	case htons(ETH_P_IPV6):
		if (hdr_len < ETH_HLEN + sizeof(struct ipv6hdr) || ip[0] >> 4 != 6 ||
		    ip[offsetof(struct ipv6hdr, nexthdr)] == NEXTHDR_HOP ||
		    ip[offsetof(struct ipv6hdr, hop_limit)] <= 1)
			return 0;
		*src = ip + offsetof(struct ipv6hdr, saddr);
		*dst = ip + offsetof(struct ipv6hdr, daddr);
		return AF_INET6;
	default:
		return 0;
	}
}

struct ivshm_addr *ivshm_detector_ip_dest(const struct net *net, const u8 *hdr, u32 hdr_len)
{
	struct ivshm_addr *to;
	const u8 *src, *dst;
	u16 family;

	family = packet_addrs(hdr, hdr_len, &src, &dst);
	if (!family || !ivshm_addr_valid(family, src))
		return NULL;
	/* A learned one would let a guest draw traffic to itself. */
	to = ivshm_addr_lookup(net, family, dst);
	return to && to->configured && to->has_lladdr ? to : NULL;
}

bool ivshm_detector_ip_source(const struct ivshm_port *port, const u8 *hdr, u32 hdr_len)
{
	const struct ethhdr *eth = (const struct ethhdr *)hdr;
	const struct ivshm_addr *from;
	const u8 *ip = hdr + ETH_HLEN;
	u16 family;

	if (eth->h_proto == htons(ETH_P_IP) && hdr_len >= ETH_HLEN + sizeof(struct iphdr)) {
		family = AF_INET;
		ip += offsetof(struct iphdr, saddr);
	} else if (eth->h_proto == htons(ETH_P_IPV6) &&
		   hdr_len >= ETH_HLEN + sizeof(struct ipv6hdr)) {
		family = AF_INET6;
		ip += offsetof(struct ipv6hdr, saddr);
	} else {
		/* No packet, or too short for one. */
		return true;
	}
	/* What a host sends to its neighbours before it has an address, or besides. */
	if (!ivshm_addr_valid(family, ip))
		return true;
	from = ivshm_addr_lookup(READ_ONCE(port->net), family, ip);
	return from && from->configured && rcu_access_pointer(from->port) == port;
}
