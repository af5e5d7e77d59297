/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The address table: which port an address belongs to.
 *
 * One table for all VMs, keyed by network namespace and MAC, IPv4 or IPv6
 * address.  MAC addresses are learned from the frames that a running port sends,
 * IP addresses from what it says in ARP and neighbour discovery: not from the
 * sources of IP packets, which a guest that forwards has from anywhere.  So the
 * direct path learns MAC addresses only, and one look-up is all that costs.
 *
 * Or they are configured (addr_config.c), for an interface by name, which need
 * not exist.  Those stay, and nobody else can have them.
 *
 * Readers look up under RCU.  Writers hold the table's lock, a leaf that is
 * also taken in soft interrupts (the bridge tells about its forwarding table
 * from there).
 */
#ifndef _IVSHM_ADDR_H
#define _IVSHM_ADDR_H

#include <linux/if.h>
#include <linux/if_ether.h>
#include <linux/jiffies.h>
#include <linux/rhashtable-types.h>
#include <linux/socket.h>
#include <linux/types.h>
#include <linux/ivshm_netlink.h>

struct ivshm_port;
struct net;
struct netlink_ext_ack;
struct nlattr;

/*
 * Most MAC and IP addresses that one port may have learned.  When it has them
 * all, a new one replaces one that is of age, or is not learned.
 */
#define IVSHM_ADDR_PER_PORT	256
#define IVSHM_ADDR_IPS_PER_PORT	64
/* A learned address not seen for so long is forgotten, sooner or later. Jiffies. */
#define IVSHM_ADDR_AGE		(300 * HZ)
/* Bytes of a frame that are enough to learn IP addresses from. */
#define IVSHM_ADDR_LOOK		82

struct ivshm_addr_key {
	const struct net *net;
	u16 family;		/* AF_PACKET for a MAC address, AF_INET, AF_INET6 */
	u8 addr[16];		/* zero padded */
} __packed __aligned(8);

/**
 * struct ivshm_addr - an address and its port
 * @node:	in the table
 * @key:	what it is found by
 * @port:	who owns it; replaced when the address moves.  NULL if it is
 *		configured for a port that does not run.  RCU, written under
 *		the table's lock
 * @seen:	jiffies of the last frame from it, or when it came into the
 *		table (written without a lock)
 * @fdb_gen:	generation of the bridge rules for which the bridge's own
 *		forwarding table is known to agree that the address is at
 *		@port; 0 for unknown or no.  See bridge_rules.h
 * @fdb_checked: generation for which it was last asked, 0 for never
 * @fdb_at:	jiffies when it was last asked
 * @fdb_seq:	changes with every event that makes an answer under way
 *		worthless; under the table's lock
 * @want:	somebody waits for an answer; written without a lock
 * @configured:	for the interface @name.  This and what follows but @owned
 *		never changes
 * @has_lladdr:	of a configured IP address:
 * @lladdr:	the MAC address it is at
 * @configs:	in struct ivshm_space.addrs, under ivshm_mutex
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
	bool configured;
	bool has_lladdr;
	u8 lladdr[ETH_ALEN];
	char name[IFNAMSIZ];
	struct list_head configs;
	struct list_head owned;
	struct rcu_head rcu;
};

/* Bytes of an address. */
static inline u32 ivshm_addr_len(u16 family)
{
	return family == AF_PACKET ? ETH_ALEN : family == AF_INET ? 4 : 16;
}

/* The entry of a MAC address. Under RCU. NULL if unknown. */
struct ivshm_addr *ivshm_addr_lookup_mac(const struct net *net, const u8 *mac);
/* The same of any; @family is AF_PACKET, AF_INET or AF_INET6. */
struct ivshm_addr *ivshm_addr_lookup(const struct net *net, u16 family, const void *addr);
/*
 * Note that running @port sent a frame from @mac.  Cheap when nothing is new.
 * Multicast and zero addresses, and ports that do not run, are ignored.  Any
 * context that may take a bottom-half lock, under RCU.
 * Returns the entry or NULL, also if it is configured for another port.
 */
struct ivshm_addr *ivshm_addr_learn(struct ivshm_port *port, const u8 *mac);
/* As above if it is configured for @port, NULL if not. Learns nothing. */
struct ivshm_addr *ivshm_addr_own(const struct ivshm_port *port, const u8 *mac);
/* Whether it is an address that one host can have, and be reached by beyond its link. */
bool ivshm_addr_valid(u16 family, const void *addr);
/* Whether a frame that begins so may tell IP addresses of its sender. */
bool ivshm_addr_tells(const u8 *hdr, u32 len);
/*
 * Learn them: @len bytes of the frame, IVSHM_ADDR_LOOK or all of it, in @frame.
 * Context as ivshm_addr_learn().
 */
void ivshm_addr_learn_from(struct ivshm_port *port, const u8 *frame, u32 len);
/* Learn one, AF_INET or AF_INET6, that can be a host's. Likewise. */
void ivshm_addr_learn_ip(struct ivshm_port *port, u16 family, const void *ip);
/*
 * Forget what was learned of @port, and have its configured addresses be at no
 * port.  Once @port->state is no longer RUNNING, or
 * @port->net has changed, none of them can come back.  ivshm_mutex held.
 * ivshm_coupling_port_up() and ivshm_coupling_port_down() do it.
 */
void ivshm_addr_flush_port(struct ivshm_port *port);

/*
 * A configured address. All with ivshm_mutex held; they may sleep. addr_config.c
 */
struct ivshm_addr_config {
	u16 family;		/* as in struct ivshm_addr_key */
	u8 addr[16];		/* zero padded */
	bool has_lladdr;
	u8 lladdr[ETH_ALEN];
	char name[IFNAMSIZ];
	/* where each came from, to be named when it is refused; or NULL */
	const struct nlattr *addr_attr, *lladdr_attr, *name_attr;
};

/* 0 or -EINVAL, -EEXIST, -ENOSPC, -ENOMEM with a text. */
int ivshm_addr_config_add(struct net *net, const struct ivshm_addr_config *cfg,
			  struct netlink_ext_ack *extack);
/* 0 or -ENOENT with a text. */
int ivshm_addr_config_del(struct net *net, const struct ivshm_addr_config *cfg,
			  struct netlink_ext_ack *extack);
/* @port runs under its present name: it has what is configured for that. */
void ivshm_addr_config_up(struct ivshm_port *port);
/* The namespace goes. Takes ivshm_mutex. */
void ivshm_addr_config_flush(const struct net *net);
/* Those configured in @net that are at no port, as ivshm_addr_for_each(). */
int ivshm_addr_config_absent(const struct net *net, unsigned int skip,
			     int (*fn)(const struct ivshm_addr *addr, void *arg),
			     void *arg);

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

/* Forget what is of age. Takes care of itself; here for tests. May sleep. */
void ivshm_addr_expire(void);

/* Between addr.c and addr_config.c: in and out of the table. */
struct ivshm_addr *ivshm_addr_config_insert(const struct ivshm_addr *like,
					    struct ivshm_port *port);
void ivshm_addr_config_remove(struct ivshm_addr *addr);
/* To @port, which runs. */
void ivshm_addr_config_attach(struct ivshm_addr *addr, struct ivshm_port *port);

int ivshm_addr_init(void);
/* All ports have been flushed. May sleep. */
void ivshm_addr_exit(void);

#endif /* _IVSHM_ADDR_H */
