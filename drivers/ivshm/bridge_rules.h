/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The bridge's rules: would the bridge, or macvlan, have let this frame pass?
 *
 * The question is asked under RTNL by a work item, never by a worker, and the
 * answer is kept for a generation: every event that may change an answer ends
 * the generation.  A worker compares the generation of the answer with the
 * current one; if they differ, the frame takes the uplink.
 *
 * Only the plain case is answered with yes: both ends on the same Linux
 * bridge, or on the same lower device of macvlan in bridge mode, and nothing
 * configured anywhere on the way that could treat a frame differently from
 * passing it on unchanged.
 *
 * Events: netdevice and switchdev notifiers.  Netfilter hooks, tc, XDP, and
 * some bridge port flags change without an event; so the answers of coupled
 * pairs are asked for again every second, see detector.c.
 *
 * What cannot be seen from here: the filters that a process puts on a tap
 * (TUNATTACHFILTER, TUNSETTXFILTER, TUNSETFILTEREBPF).
 */
#ifndef _IVSHM_BRIDGE_RULES_H
#define _IVSHM_BRIDGE_RULES_H

#include <linux/atomic.h>
#include <linux/types.h>
#include <linux/ivshm_netlink.h>

struct net_device;

extern atomic64_t ivshm_bridge_rules_generation;

/* The current generation, never 0. Any context. */
static inline u64 ivshm_bridge_rules_gen(void)
{
	return atomic64_read(&ivshm_bridge_rules_generation);
}

/* All answers given so far are worthless. Any context. */
static inline void ivshm_bridge_rules_bump(void)
{
	atomic64_inc(&ivshm_bridge_rules_generation);
}

/**
 * struct ivshm_bridge_rules - what is needed to ask, for one run under RTNL
 * @stp_state:	of a bridge port; these are functions of the bridge module,
 *		NULL if it is not loaded
 * @flag_is_set: of a bridge port
 * @vlan_enabled: whether a bridge filters VLANs, NULL without the option
 * @mst_enabled: whether a bridge has more than one spanning tree, likewise
 */
struct ivshm_bridge_rules {
	u8 (*stp_state)(const struct net_device *dev);
	bool (*flag_is_set)(const struct net_device *dev, unsigned long flag);
	bool (*vlan_enabled)(const struct net_device *dev);
	bool (*mst_enabled)(const struct net_device *dev);
};

/* RTNL. The bridge module stays loaded until the end. */
void ivshm_bridge_rules_begin(struct ivshm_bridge_rules *rules);
void ivshm_bridge_rules_end(struct ivshm_bridge_rules *rules);

/*
 * Would unicast frames from @src to an address that lives at @dst pass?
 * IVSHM_REASON_NONE for yes. RTNL.
 */
enum ivshm_reason ivshm_bridge_rules_pair(const struct ivshm_bridge_rules *rules,
					  struct net_device *src,
					  struct net_device *dst);
/*
 * The same if they go through a gateway, which the administrator answers for: is
 * there anything at either end that could hold them back? RTNL.
 */
enum ivshm_reason ivshm_bridge_rules_ends(const struct ivshm_bridge_rules *rules,
					  struct net_device *src,
					  struct net_device *dst);
/*
 * Does @mac live at @dev, as the bridge or macvlan sees it?  @fresh: frames came
 * from it lately, so a bridge that agrees is not to forget it. RTNL.
 */
bool ivshm_bridge_rules_addr(const struct ivshm_bridge_rules *rules,
			     struct net_device *dev, const u8 *mac, bool fresh);

int ivshm_bridge_rules_init(void);
void ivshm_bridge_rules_exit(void);

#endif /* _IVSHM_BRIDGE_RULES_H */
