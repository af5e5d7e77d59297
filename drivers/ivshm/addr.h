/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The address table: which port an address belongs to.
 *
 * One table for all VMs, keyed by network namespace and MAC address (an
 * address family member keeps room for IPv4 and IPv6).  Addresses are learned
 * from the frames that a running port sends and are never translated.
 *
 * Readers look up under RCU.  Writers hold the table's lock, a leaf that is
 * also taken in soft interrupts (the bridge tells about its forwarding table
 * from there).
 */
#ifndef _IVSHM_ADDR_H
#define _IVSHM_ADDR_H

#include <linux/if_ether.h>
#include <linux/jiffies.h>
#include <linux/rhashtable-types.h>
#include <linux/types.h>
#include <linux/ivshm_netlink.h>

struct ivshm_port;
struct net;

/*
 * Most addresses that one port may own.  When it has them all, a new one
 * replaces one that was not seen for IVSHM_ADDR_AGE, or is not learned.
 */
#define IVSHM_ADDR_PER_PORT	256
/* Jiffies. */
#define IVSHM_ADDR_AGE		(300 * HZ)

struct ivshm_addr_key {
	const struct net *net;
	u16 family;		/* AF_PACKET for a MAC address, AF_INET, AF_INET6 */
	u8 addr[16];		/* zero padded */
} __packed __aligned(8);

/**
 * struct ivshm_addr - an address and its port
 * @node:	in the table
 * @key:	what it is found by
 * @port:	who owns it; replaced when the address moves.  RCU, written
 *		under the table's lock
 * @seen:	jiffies of the last frame from it (written without a lock)
 * @fdb_gen:	generation of the bridge rules for which the bridge's own
 *		forwarding table is known to agree that the address is at
 *		@port; 0 for unknown or no.  See bridge_rules.h
 * @fdb_checked: generation for which it was last asked, 0 for never
 * @fdb_at:	jiffies when it was last asked
 * @fdb_seq:	changes with every event that makes an answer under way
 *		worthless; under the table's lock
 * @want:	somebody waits for an answer; written without a lock
 * @owned:	in the list of the addresses of @port
 */
struct ivshm_addr {
	struct rhash_head node;
	struct ivshm_addr_key key;
	struct ivshm_port __rcu *port;
	unsigned long seen;
	u64 fdb_gen;
	u64 fdb_checked;
	unsigned long fdb_at;
	u32 fdb_seq;
	bool want;
	struct list_head owned;
	struct rcu_head rcu;
};

/* The entry of a MAC address. Under RCU. NULL if unknown. */
struct ivshm_addr *ivshm_addr_lookup_mac(const struct net *net, const u8 *mac);
/*
 * Note that running @port sent a frame from @mac.  Cheap when nothing is new.
 * Multicast and zero addresses, and ports that do not run, are ignored.  Any
 * context that may take a bottom-half lock, under RCU.
 * Returns the entry or NULL.
 */
struct ivshm_addr *ivshm_addr_learn(struct ivshm_port *port, const u8 *mac);
/*
 * Forget all addresses of @port.  Once @port->state is no longer RUNNING, or
 * @port->net has changed, none of them can come back.  ivshm_mutex held.
 * ivshm_coupling_port_up() and ivshm_coupling_port_down() do it.
 */
void ivshm_addr_flush_port(struct ivshm_port *port);

/*
 * Call @fn for each address of @port, from the @skip'th on, until it returns
 * something else than 0, which is returned.  @fn may not sleep.
 */
int ivshm_addr_for_each(struct ivshm_port *port, unsigned int skip,
			int (*fn)(const struct ivshm_addr *addr, void *arg),
			void *arg);

/*
 * What follows keeps the answers of the bridge's own forwarding table.  The
 * asker takes a question (the next of @port that somebody waits for; with
 * @again also each address that was agreed on for @gen, starting over when
 * *@pos is 0), asks under RTNL, and stores the answer for the generation read
 * before it asked.  An answer that an event overtook is not stored; its
 * question can be taken again.  ivshm_mutex is held from the question to the
 * answer, so that no address is forgotten and learned anew in between.
 */
bool ivshm_addr_question(struct ivshm_port *port, bool again, u64 gen,
			 unsigned int *pos, u8 *mac, u32 *seq);
bool ivshm_addr_answer(struct ivshm_port *port, const u8 *mac, u32 seq,
		       u64 gen, bool agrees);
/* The bridge's entry for @mac changed. Any context. */
void ivshm_addr_fdb_event(const struct net *net, const u8 *mac);

int ivshm_addr_init(void);
/* All ports have been flushed. May sleep. */
void ivshm_addr_exit(void);

#endif /* _IVSHM_ADDR_H */
