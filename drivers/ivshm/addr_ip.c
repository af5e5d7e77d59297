// SPDX-License-Identifier: GPL-2.0
/* The address table: IP addresses, from ARP and neighbour discovery. */
#include <linux/etherdevice.h>
#include <linux/if_arp.h>
#include <linux/if_vlan.h>
#include <linux/in.h>
#include <linux/ipv6.h>
#include <linux/socket.h>
#include <linux/unaligned.h>
#include <net/ipv6.h>
#include <net/ndisc.h>

#include "addr.h"

bool ivshm_addr_valid(u16 family, const void *addr)
{
	struct in6_addr ip6;
	__be32 ip;
	int type;

	switch (family) {
	case AF_PACKET:
		return is_valid_ether_addr(addr);
	case AF_INET:
		ip = get_unaligned((const __be32 *)addr);
		return !ipv4_is_zeronet(ip) && !ipv4_is_loopback(ip) &&
		       !ipv4_is_multicast(ip) && !ipv4_is_lbcast(ip);
	case AF_INET6:
		memcpy(&ip6, addr, sizeof(ip6));
		type = ipv6_addr_type(&ip6);
		return type & IPV6_ADDR_UNICAST &&
		       !(type & (IPV6_ADDR_LINKLOCAL | IPV6_ADDR_LOOPBACK));
	default:
		return false;
	}
}

/* The protocol of a frame, and where what is in it begins. */
static __be16 addr_proto(const u8 *hdr, u32 len, u32 *at)
{
	const struct vlan_ethhdr *eth = (const struct vlan_ethhdr *)hdr;

	*at = ETH_HLEN;
	if (!eth_type_vlan(eth->h_vlan_proto))
		return eth->h_vlan_proto;
	*at = VLAN_ETH_HLEN;
	return len >= VLAN_ETH_HLEN ? eth->h_vlan_encapsulated_proto : 0;
}

bool ivshm_addr_tells(const u8 *hdr, u32 len)
{
	__be16 proto;
	u32 at;

	if (len < ETH_HLEN)
		return false;
	proto = addr_proto(hdr, len, &at);
	return proto == htons(ETH_P_ARP) ||
	       (proto == htons(ETH_P_IPV6) && is_multicast_ether_addr(hdr));
}

/* The sender of an ARP packet, unless it speaks for somebody else. */
static const void *addr_of_arp(const u8 *frame, u32 at, u32 len)
{
	static const u8 head[] = { 0, 1, 8, 0, ETH_ALEN, 4, 0 };
	const struct ethhdr *eth = (const struct ethhdr *)frame;
	const u8 *arp = frame + at;

	if (len < at + 28 || memcmp(arp, head, sizeof(head)) ||
	    (arp[7] != ARPOP_REQUEST && arp[7] != ARPOP_REPLY) ||
	    !ether_addr_equal_unaligned(arp + 8, eth->h_source))
		return NULL;
	/* One that probes for an address (RFC 5227) does not have it yet: 0.0.0.0. */
	return arp + 14;
}

/*
 * The sender of a neighbour solicitation, or whom an advertisement is about.
 * Link-local addresses follow from the MAC address, and mean nothing elsewhere.
 */
static const void *addr_of_nd(const u8 *frame, u32 at, u32 len)
{
	const u8 *ip6 = frame + at, *icmp = ip6 + sizeof(struct ipv6hdr);

	if (len < at + sizeof(struct ipv6hdr) + 24 || ip6[0] >> 4 != 6 ||
	    ip6[6] != IPPROTO_ICMPV6 || ip6[7] != 255)
		return NULL;
	if (icmp[0] == NDISC_NEIGHBOUR_SOLICITATION)
		return ip6 + 8;
	if (icmp[0] == NDISC_NEIGHBOUR_ADVERTISEMENT)
		return icmp + 8;
	return NULL;
}

void ivshm_addr_learn_from(struct ivshm_port *port, const u8 *frame, u32 len)
{
	const void *ip;
	u16 family;
	bool arp;
	u32 at;

	if (!ivshm_addr_tells(frame, len))
		return;
	arp = addr_proto(frame, len, &at) == htons(ETH_P_ARP);
	ip = arp ? addr_of_arp(frame, at, len) : addr_of_nd(frame, at, len);
	family = arp ? AF_INET : AF_INET6;
	if (ip && ivshm_addr_valid(family, ip))
		ivshm_addr_learn_ip(port, family, ip);
}
