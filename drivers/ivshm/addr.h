/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The address table: which port an address belongs to.
 *
 * One table for all VMs, keyed by network namespace and MAC address (an
 * address family member keeps room for IPv4 and IPv6).  Addresses are learned
 * from the frames that a running port sends and are never translated.
 */
#ifndef _IVSHM_ADDR_H
#define _IVSHM_ADDR_H

#include <linux/rhashtable-types.h>
#include <linux/types.h>

struct ivshm_port;
struct net;

/* Most addresses that one port may own; more are not learned. */
#define IVSHM_ADDR_PER_PORT	256

struct ivshm_addr_key {
	const struct net *net;
	u16 family;		/* AF_PACKET for a MAC address, AF_INET, AF_INET6 */
	u8 addr[16];		/* zero padded */
} __packed __aligned(8);

/**
 * struct ivshm_addr - an address and its port
 * @node:	in the table
 * @key:	what it is found by
 * @port:	who owns it; replaced when the address moves.  RCU
 * @seen:	jiffies of the last frame from it (written without a lock)
 * @fdb_gen:	generation of the bridge rules for which the bridge's own
 *		forwarding table is known to agree that the address is at
 *		@port; 0 for unknown.  See bridge_rules.h
 */
struct ivshm_addr {
	struct rhash_head node;
	struct ivshm_addr_key key;
	struct ivshm_port __rcu *port;
	unsigned long seen;
	u64 fdb_gen;
	struct rcu_head rcu;
};

/* The entry of a MAC address. Under RCU. NULL if unknown. */
struct ivshm_addr *ivshm_addr_lookup_mac(const struct net *net, const u8 *mac);
/*
 * Note that running @port sent a frame from @mac.  Cheap when nothing is new.
 * Multicast and zero addresses are ignored.  Any context that may take a
 * bottom-half lock, under RCU. Returns the entry or NULL.
 */
struct ivshm_addr *ivshm_addr_learn(struct ivshm_port *port, const u8 *mac);
/* Forget all addresses of @port. May sleep, ivshm_mutex held. */
void ivshm_addr_flush_port(struct ivshm_port *port);

int ivshm_addr_init(void);
void ivshm_addr_exit(void);

#endif /* _IVSHM_ADDR_H */
