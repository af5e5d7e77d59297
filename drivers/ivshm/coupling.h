/* SPDX-License-Identifier: GPL-2.0 */
/* Couplings: named sets of ports whose frames may go direct. */
#ifndef _IVSHM_COUPLING_H
#define _IVSHM_COUPLING_H

#include <linux/if.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/ivshm_netlink.h>

struct ivshm_coupling;
struct ivshm_port;
struct net;
struct netlink_ext_ack;

/**
 * struct ivshm_pair - one direction between two members
 * @state:	enum ivshm_pair_state; written under @coupling's lock, read
 *		anywhere with READ_ONCE()
 * @reason:	enum ivshm_reason for @state
 * @gen:	generation of the bridge rules for which the pair was found free
 *		to go direct, 0 for not
 * @last:	jiffies of the last frame that could have gone direct
 * @window_start, @window_frames: for the threshold; the sender's worker only
 * @frames, @bytes: delivered direct; per processor
 */
struct ivshm_pair {
	u8 state;
	u8 reason;
	u64 gen;
	unsigned long last;
	unsigned long window_start;
	u32 window_frames;
	struct ivshm_pair_stats __percpu *stats;
};

struct ivshm_pair_stats {
	u64 frames;
	u64 bytes;
};

/**
 * struct ivshm_member - a place in a coupling, taken by a port or waiting
 * @coupling:	the coupling; lives at least as long as the member
 * @index:	0 to nr - 1
 * @name:	interface the place is for
 * @port:	the port, NULL while there is none that runs.  RCU; written
 *		under ivshm_mutex
 * @pair:	pairs from this member to each other member, by its index
 */
struct ivshm_member {
	struct ivshm_coupling *coupling;
	u32 index;
	char name[IFNAMSIZ];
	struct ivshm_port __rcu *port;
	struct ivshm_pair *pair;
};

/**
 * struct ivshm_coupling - a named set of ports
 * @ref:	held by the list and by whoever needs it longer; the memory
 *		goes after a grace period
 * @list:	in the list of all couplings, under ivshm_mutex
 * @net:	namespace of its members
 * @name:	unique within @net
 * @type:	static or dynamic
 * @state:	under ivshm_mutex, read anywhere
 * @threshold:	frames within a second before a dynamic pair is joined
 * @idle:	seconds without a frame after which it falls back, 0 for never
 * @park_us:	microseconds a frame waits for a full receiver
 * @bypass:	the bridge's rules are not asked
 * @nr:		number of members
 * @member:	the members
 */
struct ivshm_coupling {
	struct kref ref;
	struct list_head list;
	struct net *net;
	char name[IVSHM_NAME_MAX];
	enum ivshm_coupling_type type;
	enum ivshm_coupling_state state;
	u32 threshold;
	u32 idle;
	u32 park_us;
	bool bypass;
	struct rcu_head rcu;
	u32 nr;
	struct ivshm_member member[];
};

/* What an administrator asks for. */
struct ivshm_coupling_config {
	char name[IVSHM_NAME_MAX];
	enum ivshm_coupling_type type;
	u32 threshold;
	u32 idle;
	u32 park_us;
	bool bypass;
	u32 nr;
	char (*member)[IFNAMSIZ];
};

/* All couplings. Walk with ivshm_mutex held. */
extern struct list_head ivshm_couplings;

/* The following are called with ivshm_mutex held and may sleep. */
int ivshm_coupling_new(struct net *net, const struct ivshm_coupling_config *cfg,
		       struct netlink_ext_ack *extack);
struct ivshm_coupling *ivshm_coupling_find(const struct net *net, const char *name);
/*
 * Dissolve.  When it returns, no worker decides by it any more; frames that
 * waited for a receiver are decided anew by their own worker.
 */
void ivshm_coupling_del(struct ivshm_coupling *coupling);
/* A port began to run, stopped, or changed its name or namespace. */
void ivshm_coupling_port_up(struct ivshm_port *port);
void ivshm_coupling_port_down(struct ivshm_port *port, enum ivshm_reason reason);

int ivshm_coupling_init(void);
void ivshm_coupling_exit(void);

#endif /* _IVSHM_COUPLING_H */
