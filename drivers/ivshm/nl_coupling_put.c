// SPDX-License-Identifier: GPL-2.0
/* Netlink: what is said of couplings and their pairs. */
#include <linux/if_ether.h>
#include <linux/netdevice.h>
#include <linux/socket.h>

#include "coupling.h"
#include "ivshm.h"
#include "netlink.h"

static int pair_put(struct sk_buff *skb, const struct ivshm_pair *pair,
		    const char *src, const char *dst)
{
	struct ivshm_pair_stats stats;
	struct nlattr *nest;

	ivshm_pair_read_stats(pair, &stats);
	nest = nla_nest_start(skb, IVSHM_A_COUPLING_PAIR);
	if (!nest)
		return -EMSGSIZE;
	if (nla_put_string(skb, IVSHM_A_PAIR_SRC, src) ||
	    nla_put_string(skb, IVSHM_A_PAIR_DST, dst) ||
	    nla_put_u32(skb, IVSHM_A_PAIR_STATE, READ_ONCE(pair->state)) ||
	    nla_put_u32(skb, IVSHM_A_PAIR_REASON,
			ivshm_pair_shown_reason(pair)) ||
	    nla_put_u64_64bit(skb, IVSHM_A_PAIR_FRAMES, stats.frames,
			      IVSHM_A_PAIR_PAD) ||
	    nla_put_u64_64bit(skb, IVSHM_A_PAIR_BYTES, stats.bytes,
			      IVSHM_A_PAIR_PAD)) {
		nla_nest_cancel(skb, nest);
		return -EMSGSIZE;
	}
	nla_nest_end(skb, nest);
	return 0;
}

/*
 * Pairs from number *@pos on, as many as fit; *@pos says where it stopped.
 * Returns 0 if that is the end, -EMSGSIZE if pairs remain.
 */
static int pairs_put(struct sk_buff *skb, const struct ivshm_coupling *coupling,
		     u32 *pos)
{
	const struct ivshm_member *member = coupling->member;
	struct nlattr *nest;
	int err = 0;
	u32 src, dst;

	nest = nla_nest_start(skb, IVSHM_A_COUPLING_PAIRS);
	if (!nest)
		return -EMSGSIZE;
	for (; *pos < coupling->nr * coupling->nr; ++*pos) {
		src = *pos / coupling->nr;
		dst = *pos % coupling->nr;
		if (src == dst || !*member[src].name || !*member[dst].name)
			continue;
		/* The length of a nest has 16 bits. */
		if (skb_tail_pointer(skb) - (unsigned char *)nest > IVSHM_NL_NEST_MAX)
			err = -EMSGSIZE;
		else
			err = pair_put(skb, &member[src].pair[dst],
				       member[src].name, member[dst].name);
		if (err)
			break;
	}
	nla_nest_end(skb, nest);
	return err;
}

static int rule_put(struct sk_buff *skb, const struct ivshm_rule *rule)
{
	switch (rule->kind) {
	case IVSHM_RULE_GLOB:
		return nla_put_string(skb, IVSHM_A_MEMBER_GLOB, rule->name);
	case IVSHM_RULE_UPPER:
		return nla_put_string(skb, IVSHM_A_MEMBER_UPPER, rule->name);
	default:
		if (rule->family == AF_PACKET)
			return nla_put(skb, IVSHM_A_MEMBER_MAC, ETH_ALEN, rule->addr);
		if (rule->family == AF_INET)
			return nla_put(skb, IVSHM_A_MEMBER_IPV4, 4, rule->addr);
		return nla_put(skb, IVSHM_A_MEMBER_IPV6, 16, rule->addr);
	}
}

static int members_put(struct sk_buff *skb, const struct ivshm_coupling *coupling)
{
	const struct ivshm_member *member;
	struct nlattr *nest, *place;
	u32 i;

	nest = nla_nest_start(skb, IVSHM_A_COUPLING_MEMBERS);
	if (!nest)
		return -EMSGSIZE;
	for (i = 0; i < coupling->nr; i++) {
		member = &coupling->member[i];
		if (!*member->name)
			continue;
		place = nla_nest_start(skb, IVSHM_A_COUPLING_MEMBER);
		if (!place || nla_put_string(skb, IVSHM_A_MEMBER_NAME, member->name) ||
		    (i >= coupling->nr_named && nla_put_flag(skb, IVSHM_A_MEMBER_IMPLICIT)))
			return -EMSGSIZE;
		if (rcu_access_pointer(member->port) &&
		    nla_put_flag(skb, IVSHM_A_MEMBER_PRESENT))
			return -EMSGSIZE;
		nla_nest_end(skb, place);
	}
	nla_nest_end(skb, nest);
	return 0;
}

static int rules_put(struct sk_buff *skb, const struct ivshm_coupling *coupling)
{
	struct nlattr *nest, *place;
	u32 i;

	if (!coupling->nr_rules)
		return 0;
	nest = nla_nest_start(skb, IVSHM_A_COUPLING_RULES);
	if (!nest)
		return -EMSGSIZE;
	for (i = 0; i < coupling->nr_rules; i++) {
		place = nla_nest_start(skb, IVSHM_A_COUPLING_MEMBER);
		if (!place || rule_put(skb, &coupling->rule[i]))
			return -EMSGSIZE;
		nla_nest_end(skb, place);
	}
	nla_nest_end(skb, nest);
	return 0;
}

static int denials_put(struct sk_buff *skb, const struct ivshm_coupling *coupling)
{
	struct nlattr *nest, *pair;
	u32 i;

	if (!coupling->nr_denials)
		return 0;
	nest = nla_nest_start(skb, IVSHM_A_COUPLING_DENY);
	if (!nest)
		return -EMSGSIZE;
	for (i = 0; i < coupling->nr_denials; i++) {
		pair = nla_nest_start(skb, IVSHM_A_COUPLING_PAIR);
		if (!pair ||
		    nla_put_string(skb, IVSHM_A_PAIR_SRC, coupling->denial[i].src) ||
		    nla_put_string(skb, IVSHM_A_PAIR_DST, coupling->denial[i].dst))
			return -EMSGSIZE;
		nla_nest_end(skb, pair);
	}
	nla_nest_end(skb, nest);
	return 0;
}

static int head_put(struct sk_buff *skb, const struct ivshm_coupling *coupling)
{
	if (nla_put_string(skb, IVSHM_A_COUPLING_NAME, coupling->name) ||
	    nla_put_u32(skb, IVSHM_A_COUPLING_TYPE, coupling->type) ||
	    nla_put_u32(skb, IVSHM_A_COUPLING_STATE, READ_ONCE(coupling->state)))
		return -EMSGSIZE;
	return 0;
}

static int options_put(struct sk_buff *skb, const struct ivshm_coupling *coupling)
{
	if (nla_put_u32(skb, IVSHM_A_COUPLING_PARK_US, coupling->park_us) ||
	    nla_put_u8(skb, IVSHM_A_COUPLING_STRICT, coupling->strict) ||
	    nla_put_u8(skb, IVSHM_A_COUPLING_DISABLED, coupling->disabled) ||
	    nla_put_u32(skb, IVSHM_A_COUPLING_FULL,
			coupling->drops ? IVSHM_FULL_DROP : IVSHM_FULL_PARK) ||
	    nla_put_u64_64bit(skb, IVSHM_A_COUPLING_RATE_BYTES, coupling->rate_bytes,
			      IVSHM_A_COUPLING_PAD) ||
	    nla_put_u32(skb, IVSHM_A_COUPLING_RATE_FRAMES, coupling->rate_frames))
		return -EMSGSIZE;
	if (coupling->type != IVSHM_COUPLING_DYNAMIC)
		return 0;
	if (nla_put_u32(skb, IVSHM_A_COUPLING_MATCH, coupling->match) ||
	    nla_put_u32(skb, IVSHM_A_COUPLING_THRESHOLD, coupling->threshold) ||
	    nla_put_u32(skb, IVSHM_A_COUPLING_IDLE, coupling->idle) ||
	    nla_put_u8(skb, IVSHM_A_COUPLING_BYPASS, coupling->bypass))
		return -EMSGSIZE;
	return 0;
}

int ivshm_nl_coupling_fill(struct sk_buff *skb, const struct ivshm_coupling *coupling, u32 *pos)
{
	struct nlattr *nest;
	u32 from = *pos;
	int err;

	nest = nla_nest_start(skb, IVSHM_A_COUPLING);
	if (!nest)
		return -EMSGSIZE;
	err = head_put(skb, coupling);
	if (!err && !from)
		err = options_put(skb, coupling) ?: members_put(skb, coupling) ?:
		      rules_put(skb, coupling) ?: denials_put(skb, coupling);
	if (err)
		goto cancel;
	err = pairs_put(skb, coupling, pos);
	if (err && *pos == from)
		goto cancel;
	nla_nest_end(skb, nest);
	return err ? 1 : 0;

cancel:
	nla_nest_cancel(skb, nest);
	return err;
}

size_t ivshm_nl_coupling_size(const struct ivshm_coupling *coupling)
{
	size_t pair = nla_total_size(0) + 2 * nla_total_size(IFNAMSIZ) +
		      2 * nla_total_size(sizeof(u32)) +
		      2 * nla_total_size_64bit(sizeof(u64));
	size_t member = 3 * nla_total_size(0) + nla_total_size(IFNAMSIZ);
	size_t denial = nla_total_size(0) + 2 * nla_total_size(IFNAMSIZ);
	size_t nr = 0;
	u32 i;

	for (i = 0; i < coupling->nr; i++)
		nr += !!*coupling->member[i].name;
	return 4 * nla_total_size(0) + nla_total_size(IVSHM_NAME_MAX) +
	       11 * nla_total_size(sizeof(u32)) + nla_total_size_64bit(sizeof(u64)) +
	       coupling->nr_denials * denial + (nr + coupling->nr_rules) * member +
	       nr * (nr ? nr - 1 : 0) * pair;
}

/*
 * Events
 */

void ivshm_nl_coupling_event(const struct ivshm_coupling *coupling,
			     enum ivshm_coupling_state old_state,
			     enum ivshm_coupling_state new_state,
			     enum ivshm_reason reason)
{
	struct nlattr *nest;
	struct sk_buff *skb;
	void *hdr;

	skb = ivshm_nl_event_new(coupling->net, IVSHM_CMD_COUPLING_NTF,
				 old_state, new_state, reason, &hdr);
	if (!skb)
		return;
	nest = nla_nest_start(skb, IVSHM_A_COUPLING);
	if (!nest || head_put(skb, coupling)) {
		nlmsg_free(skb);
		return;
	}
	nla_nest_end(skb, nest);
	ivshm_nl_event_send(coupling->net, skb, hdr);
}

void ivshm_nl_pair_event(const struct ivshm_coupling *coupling,
			 const struct ivshm_member *src,
			 const struct ivshm_member *dst,
			 enum ivshm_pair_state old_state,
			 enum ivshm_pair_state new_state,
			 enum ivshm_reason reason)
{
	struct nlattr *nest;
	struct sk_buff *skb;
	void *hdr;

	skb = ivshm_nl_event_new(coupling->net, IVSHM_CMD_PAIR_NTF, old_state,
				 new_state, reason, &hdr);
	if (!skb)
		return;
	nest = nla_nest_start(skb, IVSHM_A_COUPLING);
	if (!nest ||
	    nla_put_string(skb, IVSHM_A_COUPLING_NAME, coupling->name) ||
	    pair_put(skb, &src->pair[dst->index], src->name, dst->name)) {
		nlmsg_free(skb);
		return;
	}
	nla_nest_end(skb, nest);
	ivshm_nl_event_send(coupling->net, skb, hdr);
}
