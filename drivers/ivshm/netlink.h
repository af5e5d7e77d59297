/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The generic netlink family.  Its manual is <linux/ivshm_netlink.h>.
 *
 * Requests run under the genl mutex of the core and take ivshm_mutex.  Events
 * are sent from any context, in the order in which things happen to an
 * object: the caller holds the lock under which it changed.
 */
#ifndef _IVSHM_NETLINK_H
#define _IVSHM_NETLINK_H

#include <linux/types.h>
#include <linux/ivshm_netlink.h>
#include <net/genetlink.h>

struct ivshm_coupling;
struct ivshm_member;
struct ivshm_peer;
struct ivshm_port;
struct ivshm_region;

/* Tell the listeners. Any context, a reference to the object or RCU. */
void ivshm_nl_port_event(const struct ivshm_port *port,
			 enum ivshm_port_state old_state,
			 enum ivshm_port_state new_state,
			 enum ivshm_reason reason);
void ivshm_nl_coupling_event(const struct ivshm_coupling *coupling,
			     enum ivshm_coupling_state old_state,
			     enum ivshm_coupling_state new_state,
			     enum ivshm_reason reason);
void ivshm_nl_pair_event(const struct ivshm_coupling *coupling,
			 const struct ivshm_member *src,
			 const struct ivshm_member *dst,
			 enum ivshm_pair_state old_state,
			 enum ivshm_pair_state new_state,
			 enum ivshm_reason reason);
/* Under ivshm_region_mutex. */
void ivshm_nl_region_event(const struct ivshm_region *region,
			   enum ivshm_region_state old_state,
			   enum ivshm_region_state new_state);
/* Under ivshm_peer_mutex. */
void ivshm_nl_peer_event(struct ivshm_peer *peer, enum ivshm_peer_state old_state,
			 enum ivshm_peer_state new_state);

int ivshm_nl_init(void);
void ivshm_nl_exit(void);

/*
 * Between netlink.c and the files of the objects
 */

extern struct genl_family ivshm_nl_family;

/* Changes with every event, so that a dump can tell that it was overtaken. */
u32 ivshm_nl_seq(void);

/*
 * A message of the events group for @net with its three common attributes, or
 * NULL if nobody listens or there is no memory.  Send it with
 * ivshm_nl_event_send() or free it with nlmsg_free().
 */
struct sk_buff *ivshm_nl_event_new(struct net *net, enum ivshm_cmd cmd,
				   u32 old_state, u32 new_state,
				   enum ivshm_reason reason, void **hdr);
void ivshm_nl_event_send(struct net *net, struct sk_buff *skb, void *hdr);

/* The attributes of a nest @which that the request must have, or NULL. */
int ivshm_nl_parse_nest(struct genl_info *info, enum ivshm_attr which,
			struct nlattr **tb, int max,
			const struct nla_policy *policy);

/*
 * The answer to a request, with room for @size bytes, or NULL with the reason
 * in the request's extack.  ivshm_nl_reply_send() completes and sends it, or
 * frees it if @err is not 0, and returns @err or what sending returned.
 */
struct sk_buff *ivshm_nl_reply_new(struct genl_info *info, size_t size, void **hdr);
int ivshm_nl_reply_send(struct genl_info *info, struct sk_buff *reply, void *hdr,
			int err);

/* Refuses a dump request that has attributes. */
int ivshm_nl_dump_begin(struct netlink_callback *cb);
/*
 * The header of a dump's next message, or NULL if there is no room.
 * ivshm_nl_dump_end() completes the message, or takes it back if @err is not
 * 0, and returns @err.
 */
void *ivshm_nl_dump_put(struct sk_buff *skb, struct netlink_callback *cb,
			enum ivshm_cmd cmd);
int ivshm_nl_dump_end(struct sk_buff *skb, void *hdr, int err);

/* Below the 64 KiB that a nest can have, with room for the rest. */
#define IVSHM_NL_NEST_MAX	(60 * 1024)

/*
 * One message: everything but the pairs if *@pos is 0, and pairs from *@pos
 * on.  Returns 0 when the coupling is complete, 1 if pairs remain for another
 * message, -EMSGSIZE with nothing written. nl_coupling_put.c
 */
int ivshm_nl_coupling_fill(struct sk_buff *skb, const struct ivshm_coupling *coupling, u32 *pos);
/* Bytes for all that is said of @coupling, at least. */
size_t ivshm_nl_coupling_size(const struct ivshm_coupling *coupling);

extern const struct nla_policy ivshm_nl_port_get_policy[];
extern const struct nla_policy ivshm_nl_coupling_new_policy[];
extern const struct nla_policy ivshm_nl_coupling_name_policy[];
extern const struct nla_policy ivshm_nl_coupling_set_policy[];
extern const struct nla_policy ivshm_nl_addr_new_policy[];
extern const struct nla_policy ivshm_nl_addr_del_policy[];
extern const struct nla_policy ivshm_nl_region_new_policy[];
extern const struct nla_policy ivshm_nl_region_set_policy[];
extern const struct nla_policy ivshm_nl_region_del_policy[];
extern const struct nla_policy ivshm_nl_region_get_policy[];
extern const struct nla_policy ivshm_nl_swap_new_policy[];
extern const struct nla_policy ivshm_nl_swap_del_policy[];
extern const struct nla_policy ivshm_nl_peer_set_policy[];
extern const struct nla_policy ivshm_nl_peer_name_policy[];

int ivshm_nl_port_get(struct sk_buff *skb, struct genl_info *info);
int ivshm_nl_port_dump(struct sk_buff *skb, struct netlink_callback *cb);
int ivshm_nl_coupling_new(struct sk_buff *skb, struct genl_info *info);
int ivshm_nl_coupling_set(struct sk_buff *skb, struct genl_info *info);
int ivshm_nl_coupling_del(struct sk_buff *skb, struct genl_info *info);
int ivshm_nl_coupling_get(struct sk_buff *skb, struct genl_info *info);
int ivshm_nl_coupling_dump(struct sk_buff *skb, struct netlink_callback *cb);
int ivshm_nl_addr_new(struct sk_buff *skb, struct genl_info *info);
int ivshm_nl_addr_del(struct sk_buff *skb, struct genl_info *info);
int ivshm_nl_addr_dump(struct sk_buff *skb, struct netlink_callback *cb);
int ivshm_nl_region_new(struct sk_buff *skb, struct genl_info *info);
int ivshm_nl_region_set(struct sk_buff *skb, struct genl_info *info);
int ivshm_nl_region_del(struct sk_buff *skb, struct genl_info *info);
int ivshm_nl_region_get(struct sk_buff *skb, struct genl_info *info);
int ivshm_nl_region_dump(struct sk_buff *skb, struct netlink_callback *cb);
/* Of what is the host's: whether the request is of its initial namespace. */
int ivshm_nl_region_here(struct genl_info *info);
/* Whether it is from one who may change regions, and there. */
int ivshm_nl_region_permitted(struct sk_buff *skb, struct genl_info *info);
int ivshm_nl_swap_new(struct sk_buff *skb, struct genl_info *info);
int ivshm_nl_swap_del(struct sk_buff *skb, struct genl_info *info);
int ivshm_nl_swap_dump(struct sk_buff *skb, struct netlink_callback *cb);
int ivshm_nl_peer_set(struct sk_buff *skb, struct genl_info *info);
int ivshm_nl_peer_del(struct sk_buff *skb, struct genl_info *info);
int ivshm_nl_peer_get(struct sk_buff *skb, struct genl_info *info);
int ivshm_nl_peer_dump(struct sk_buff *skb, struct netlink_callback *cb);

#endif /* _IVSHM_NETLINK_H */
