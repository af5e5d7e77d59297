/* SPDX-License-Identifier: GPL-2.0 */
/* Couplings: named sets of ports whose frames may go direct. */
#ifndef _IVSHM_COUPLING_H
#define _IVSHM_COUPLING_H

#include <linux/bits.h>
#include <linux/cache.h>
#include <linux/if.h>
#include <linux/list.h>
#include <linux/rcupdate.h>
#include <linux/spinlock.h>
#include <linux/ivshm_netlink.h>

#include "port.h"
#include "rate.h"

struct ivshm_coupling;
struct net;
struct netlink_ext_ack;
struct nlattr;

/* Most couplings in one network namespace. */
#define IVSHM_COUPLINGS_MAX	1024

/* Frames and bytes delivered direct, on one processor. */
struct ivshm_pair_stats {
	u64 frames;
	u64 bytes;
};

/**
 * struct ivshm_pair - one direction between two members
 * @state:	enum ivshm_pair_state; written under the coupling's lock, read
 *		anywhere with READ_ONCE()
 * @reason:	enum ivshm_reason for @state; like @state
 * @verdict:	enum ivshm_reason that the bridge's rules gave, for @checked
 * @epoch:	another one each time the pair is coupled, and of all pairs that
 *		ever were; before @state
 * @want:	somebody waits for a verdict; written without a lock
 * @deny:	by the coupling's list; frames never go direct.  Like @state
 * @note:	enum ivshm_reason why single frames took the uplink although
 *		the pair is coupled; written without a lock
 * @noted:	jiffies of the last such frame
 * @gen:	generation of the bridge rules for which the pair was found free
 *		to go direct, 0 for not
 * @checked:	generation of the last verdict, 0 for none
 * @answers:	verdicts there were, and around
 * @checked_at:	jiffies of the last verdict
 * @last:	jiffies of the last frame that could have gone direct
 * @retry:	jiffies before which the pair does not begin to join
 * @window_start: jiffies when the threshold's second began; the sender's
 *		workers, without a lock
 * @window_frames: frames in that second, like @window_start: of two workers
 *		that count at the same time one may count in vain
 * @stats:	delivered direct
 */
struct ivshm_pair {
	u8 state;
	u8 reason;
	u8 verdict;
	u8 note;
	bool want;
	bool deny;
	u64 epoch;
	u64 gen;
	u64 checked;
	u32 answers;
	unsigned long checked_at;
	unsigned long last;
	unsigned long retry;
	unsigned long noted;
	unsigned long window_start;
	u32 window_frames;
	struct ivshm_pair_stats __percpu *stats;
} ____cacheline_aligned_in_smp;

/**
 * struct ivshm_member - a place in a coupling, taken by a port or waiting
 * @coupling:	the coupling; lives at least as long as the member
 * @index:	0 to nr - 1
 * @name:	interface the place is for; empty while it is for any that fits a
 *		rule and is not taken.  Under ivshm_mutex
 * @named:	by @name, for a place that is for one interface
 * @port:	the port, NULL while there is none that runs.  RCU; written
 *		under ivshm_mutex and the coupling's lock
 * @pair:	pairs from this member to each other member, by its index; NULL
 *		for a place that never was taken, as @stats
 * @stats:	counters of @pair, by the same index
 * @bucket:	of what it sends direct; used while the coupling is limited.  It is the
 *		place's: who stops and starts again finds what was left there
 * @denies_src:	bit I: the coupling's denial I is for what @name sends, and
 * @denies_dst:	for what is sent to it; under ivshm_mutex
 */
struct ivshm_member {
	struct ivshm_coupling *coupling;
	u32 index;
	char name[IFNAMSIZ];
	struct hlist_node named;
	struct ivshm_port __rcu *port;
	struct ivshm_pair *pair;
	struct ivshm_pair_stats __percpu *stats;
	struct ivshm_bucket bucket;
	u64 denies_src;
	u64 denies_dst;
};

/* A direction that is denied: names of members, or patterns for them. */
struct ivshm_denial {
	char src[IFNAMSIZ];
	char dst[IFNAMSIZ];
};

/* What a rule looks at. */
enum ivshm_rule_kind {
	IVSHM_RULE_GLOB,	/* the interface's name */
	IVSHM_RULE_ADDR,	/* an address configured for it */
	IVSHM_RULE_UPPER,	/* its bridge, or lower device */
};

/**
 * struct ivshm_rule - which ports are members without being named
 * @kind:	what it looks at
 * @name:	pattern, or name of the upper device
 * @family:	of @addr, as in struct ivshm_addr_key
 * @addr:	zero padded
 */
struct ivshm_rule {
	enum ivshm_rule_kind kind;
	char name[IFNAMSIZ];
	u16 family;
	u8 addr[16];
};

/**
 * struct ivshm_coupling - a named set of ports
 * @list:	in struct ivshm_space.couplings, under ivshm_mutex, as the next two
 * @ruled:	with rules, in struct ivshm_space.ruled
 * @active:	with members that run, in ivshm_couplings_active
 * @id:		unique for the life of the module, never 0
 * @net:	namespace of its members; the coupling goes when it goes
 * @name:	unique within @net
 * @named:	by @name, under ivshm_mutex
 * @type:	static or dynamic
 * @threshold:	frames within a second before a dynamic pair is joined. This and
 *		the next two are written under ivshm_mutex, read anywhere
 * @idle:	seconds without a frame after which it falls back, 0 for never
 * @park_us:	microseconds a frame waits for a full receiver
 * @bypass:	the bridge's rules are not asked
 * @match:	what says which member a frame is for
 * @strict:	members send from addresses configured for them, or not at all
 * @disabled:	has no members until it is enabled again; under ivshm_mutex
 * @limited:	there are rates.  Written as @threshold, like
 * @drops:	what cannot be delivered at once is dropped
 * @live:	decides frames; not while its members are being bound or let
 *		go, so that for all of them it begins and ends at once
 * @lock:	protects the states and counts below and the states of the
 *		pairs; a leaf but for the queues of netlink listeners
 * @state:	under @lock, read anywhere
 * @running:	members with a port; under @lock, read anywhere
 * @coupled:	pairs in state COUPLED; under @lock
 * @nr:		number of members and of places for those that fit a rule
 * @nr_named:	of those the first ones, which are for interfaces by name
 * @rule:	rules, any of which is enough
 * @nr_rules:	their number
 * @rate_bytes:	bytes a second that a member may send direct, 0 for any number
 * @rate_frames: frames, likewise; both under ivshm_mutex, as the next two
 * @denial:	who is denied to whom
 * @nr_denials:	their number
 * @rcu:	to free it by
 * @member:	the members
 *
 * Found by workers through ivshm_port.member under RCU; freed a grace period
 * after the last such pointer went.
 */
struct ivshm_coupling {
	struct list_head list;
	struct list_head ruled;
	struct list_head active;
	u64 id;
	struct net *net;
	char name[IVSHM_NAME_MAX];
	struct hlist_node named;
	enum ivshm_coupling_type type;
	enum ivshm_match match;
	u32 threshold;
	u32 idle;
	u32 park_us;
	bool bypass;
	bool strict;
	bool disabled;
	bool limited;
	bool drops;
	bool live;
	spinlock_t lock;	/* states of the coupling and its pairs */
	enum ivshm_coupling_state state;
	u32 running;
	u32 coupled;
	u32 nr;
	u32 nr_named;
	struct ivshm_rule *rule;
	u32 nr_rules;
	u64 rate_bytes;
	u32 rate_frames;
	struct ivshm_denial *denial;
	u32 nr_denials;
	struct rcu_head rcu;
	struct ivshm_member member[];
};

/* A member that an administrator asks for: by name, or with @is_rule by @rule. */
struct ivshm_coupling_place {
	char name[IFNAMSIZ];
	bool is_rule;
	struct ivshm_rule rule;
	const struct nlattr *attr;
};

/* A denial that an administrator asks for, or for the end of. */
struct ivshm_coupling_denial {
	struct ivshm_denial names;
	const struct nlattr *attr;
};

/**
 * struct ivshm_coupling_config - what an administrator asks for
 * @name:	of the coupling
 * @type:	static or dynamic
 * @threshold:	see struct ivshm_coupling, as all that follow
 * @idle:	seconds
 * @park_us:	microseconds
 * @bypass:	only for dynamic couplings, as threshold and idle
 * @strict:	see struct ivshm_coupling
 * @match:	only for dynamic couplings
 * @disabled:	see struct ivshm_coupling
 * @full:	enum ivshm_full
 * @rate_bytes:	bytes a second
 * @rate_frames: frames a second
 * @deny:	to be denied, and
 * @nr_deny:	how many; likewise
 * @allow:	to be denied no longer, before that, when it is changed
 * @nr_allow:	how many
 * @given:	BIT(IVSHM_A_COUPLING_x) of the options that are set here; the
 *		others get their defaults
 * @nr:		members
 * @member:	the members
 * @attr:	where each value came from, to be named when it is refused;
 *		may be NULL
 */
struct ivshm_coupling_config {
	char name[IVSHM_NAME_MAX];
	u32 type;
	u32 threshold;
	u32 idle;
	u32 park_us;
	u8 bypass;
	u8 strict;
	u8 disabled;
	u32 match;
	u32 full;
	u64 rate_bytes;
	u32 rate_frames;
	struct ivshm_coupling_denial *deny;
	u32 nr_deny;
	struct ivshm_coupling_denial *allow;
	u32 nr_allow;
	u32 given;
	u32 nr;
	struct ivshm_coupling_place *member;
	struct nlattr **attr;
};

/* Of all namespaces, those with members that run. Walk with ivshm_mutex held. */
extern struct list_head ivshm_couplings_active;

/* The following are called with ivshm_mutex held and may sleep. */

/**
 * ivshm_coupling_new - make a coupling and bind the ports that run already
 * @net:    namespace of the members
 * @cfg:    what is asked for; nothing of it is kept
 * @extack: gets a text and the attribute at fault
 *
 * Returns 0 or -EINVAL, -E2BIG, -EEXIST, -EBUSY, -ENOSPC (too many couplings
 * in @net), -ENOMEM. Nothing has changed after an error.
 */
int ivshm_coupling_new(struct net *net, const struct ivshm_coupling_config *cfg,
		       struct netlink_ext_ack *extack);
/* Whether that is possible; the same but for -ENOMEM and denials. coupling_config.c */
int ivshm_coupling_check(const struct net *net,
			 const struct ivshm_coupling_config *cfg,
			 struct netlink_ext_ack *extack);
/* Likewise: is what @cfg asks of ivshm_coupling_set() in range? coupling_config.c */
int ivshm_coupling_check_options(const struct ivshm_coupling_config *cfg,
				 struct netlink_ext_ack *extack);
/*
 * What is given, and was checked, becomes what the coupling has; but for disabled, and
 * for denials.  coupling_config.c
 */
void ivshm_coupling_set_options(struct ivshm_coupling *coupling,
				const struct ivshm_coupling_config *cfg);
/* Change what is given.  0, -EINVAL, -ENOENT, -E2BIG or -ENOMEM, and nothing has changed. */
int ivshm_coupling_set(struct ivshm_coupling *coupling, struct ivshm_coupling_config *cfg,
		       struct netlink_ext_ack *extack);
/* coupling_names.c */
struct ivshm_coupling *ivshm_coupling_find(const struct net *net, const char *name);
/* The place for interface @name in the coupling that names it, or NULL. */
struct ivshm_member *ivshm_coupling_place(const struct net *net,
					  const char *name);
/* Let it and its places be found by name, or not any more. */
void ivshm_coupling_names_add(struct ivshm_coupling *coupling);
void ivshm_coupling_names_del(struct ivshm_coupling *coupling);

/*
 * Other denials, as @cfg says; for its pairs, see ivshm_coupling_look_denials().
 * 0, or why not and nothing has changed. coupling_deny.c
 */
int ivshm_coupling_set_denials(struct ivshm_coupling *coupling,
			       const struct ivshm_coupling_config *cfg,
			       struct netlink_ext_ack *extack);
/* A member has its name: which denials are for that? coupling_deny.c */
void ivshm_coupling_look_name(struct ivshm_member *member);
/* Whether the direction between two members is denied. coupling_deny.c */
bool ivshm_coupling_denies(const struct ivshm_member *src, const struct ivshm_member *dst);
/* Denials have changed: pairs follow, and workers are to be kicked. coupling.c */
void ivshm_coupling_look_denials(struct ivshm_coupling *coupling);

/* Whether @port fits a rule of @coupling. coupling_rules.c */
bool ivshm_coupling_fits(const struct ivshm_coupling *coupling, const struct ivshm_port *port);
/* A place of @coupling for a port that fits a rule, or NULL. coupling_rules.c */
struct ivshm_member *ivshm_coupling_free_place(struct ivshm_coupling *coupling);
/*
 * Whether @port, which runs or is about to, is or will be a member of a static coupling.
 * coupling_rules.c
 */
bool ivshm_coupling_cuts_off(const struct ivshm_port *port);
/* What rules look at has changed for @port: it stays, moves or goes. */
void ivshm_coupling_port_look(struct ivshm_port *port);
/* Likewise, for the port @name of @net, or with NULL for all of them. */
void ivshm_coupling_look(const struct net *net, const char *name);
/* Follow what happens to interfaces. */
int ivshm_coupling_rules_init(void);
void ivshm_coupling_rules_exit(void);
/*
 * Dissolve.  A worker finishes the batch that it is deciding by it, if any; what
 * it takes from its ring later, and frames that wait for a receiver, it decides
 * without it.
 */
void ivshm_coupling_del(struct ivshm_coupling *coupling);
/*
 * A port began to run, or changed its name or namespace while it runs.  May be
 * called again for a port that is bound: it stays, or changes its place.
 */
void ivshm_coupling_port_up(struct ivshm_port *port);
/*
 * A port stopped, for @reason.  @port->state is no longer RUNNING.  Its
 * addresses are forgotten as well.  Workers may still decide for it until a
 * grace period has passed.  May be called for a port that is not bound.
 */
void ivshm_coupling_port_down(struct ivshm_port *port, enum ivshm_reason reason);

/*
 * Change the state of the pair from @src to the member at index @dst, and tell
 * the listeners.  The coupling's lock is held, both ends are bound or @state
 * is UPLINK.  The coupling's own state follows.
 */
void ivshm_coupling_pair_set(struct ivshm_member *src, u32 dst,
			     enum ivshm_pair_state state,
			     enum ivshm_reason reason);
/* Whether @port is still in its place @member. The coupling's lock is held. */
bool ivshm_coupling_bound(const struct ivshm_member *member,
			  const struct ivshm_port *port);

/*
 * For coupling.c, with the coupling's lock held; the coupling's own state is to follow
 * after the first two.
 */
/* Both ends run: the direction is denied, or joined, or on the uplink at first. */
void ivshm_coupling_pair_begin(struct ivshm_member *src, struct ivshm_member *dst);
/* One does no longer, for @reason: both directions. */
void ivshm_coupling_pair_end(struct ivshm_member *a, struct ivshm_member *b,
			     enum ivshm_reason reason);
/* The coupling's state follows from its counts. */
void ivshm_coupling_follow(struct ivshm_coupling *coupling, enum ivshm_reason reason);
void ivshm_coupling_set_state(struct ivshm_coupling *coupling, enum ivshm_coupling_state state,
			      enum ivshm_reason reason);
/* What was known of the pair does not hold for a new port. No lock. */
void ivshm_coupling_pair_forget(struct ivshm_pair *pair);

/* Why the pair is in its state, as it is shown. coupling_pair.c, as all of these */
enum ivshm_reason ivshm_pair_shown_reason(const struct ivshm_pair *pair);
/* Frames and bytes that went direct. */
void ivshm_pair_read_stats(const struct ivshm_pair *pair,
			   struct ivshm_pair_stats *sum);

/* By the coupling's list; after the receiver's port was looked up. Under RCU. */
static inline bool ivshm_pair_denied(const struct ivshm_pair *pair)
{
	/* Pairs with the publication of a port in coupling_bind(). */
	smp_rmb();
	return READ_ONCE(pair->deny);
}

/*
 * The id of the static coupling that @port is in, or 0.  Its members exchange
 * no frames with their taps. Under RCU.
 */
static inline u64 ivshm_port_isolated(const struct ivshm_port *port)
{
	const struct ivshm_member *member = rcu_dereference(port->member);

	if (!member || member->coupling->type != IVSHM_COUPLING_STATIC ||
	    !READ_ONCE(member->coupling->live))
		return 0;
	return member->coupling->id;
}

/* The namespace goes: delete what it has. Takes ivshm_mutex. */
void ivshm_coupling_flush(const struct net *net);
/* Includes namespaces, the bridge's rules and the detector. After ivshm_addr_init(). */
int ivshm_coupling_init(void);
/* Before the ports go. */
void ivshm_coupling_exit(void);

#endif /* _IVSHM_COUPLING_H */
