// SPDX-License-Identifier: GPL-2.0
/* Netlink: couplings and their pairs. */
#include <linux/if_ether.h>
#include <linux/netdevice.h>
#include <linux/slab.h>
#include <linux/socket.h>
#include <net/sock.h>

#include "coupling.h"
#include "ivshm.h"
#include "netlink.h"

/* Below the 64 KiB that a nest can have, with room for the rest. */
#define REPLY_MAX	(60 * 1024)

static const struct nla_policy member_policy[IVSHM_A_MEMBER_UPPER + 1] = {
	[IVSHM_A_MEMBER_NAME] = { .type = NLA_NUL_STRING, .len = IFNAMSIZ - 1 },
};

static const struct nla_policy rule_policy[IVSHM_A_MEMBER_UPPER + 1] = {
	[IVSHM_A_MEMBER_GLOB] = { .type = NLA_NUL_STRING, .len = IFNAMSIZ - 1 },
	[IVSHM_A_MEMBER_MAC] = NLA_POLICY_EXACT_LEN(ETH_ALEN),
	[IVSHM_A_MEMBER_IPV4] = NLA_POLICY_EXACT_LEN(4),
	[IVSHM_A_MEMBER_IPV6] = NLA_POLICY_EXACT_LEN(16),
	[IVSHM_A_MEMBER_UPPER] = { .type = NLA_NUL_STRING, .len = IFNAMSIZ - 1 },
};

static const struct nla_policy members_policy[IVSHM_A_COUPLING_MEMBER + 1] = {
	[IVSHM_A_COUPLING_MEMBER] = NLA_POLICY_NESTED(member_policy),
};

static const struct nla_policy rules_policy[IVSHM_A_COUPLING_MEMBER + 1] = {
	[IVSHM_A_COUPLING_MEMBER] = NLA_POLICY_NESTED(rule_policy),
};

/* Ranges are for coupling_config.c, which says what they are. */
static const struct nla_policy new_policy[IVSHM_A_COUPLING_DISABLED + 1] = {
	[IVSHM_A_COUPLING_NAME] = { .type = NLA_NUL_STRING,
				    .len = IVSHM_NAME_MAX - 1 },
	[IVSHM_A_COUPLING_TYPE] = { .type = NLA_U32 },
	[IVSHM_A_COUPLING_MEMBERS] = NLA_POLICY_NESTED(members_policy),
	[IVSHM_A_COUPLING_THRESHOLD] = { .type = NLA_U32 },
	[IVSHM_A_COUPLING_IDLE] = { .type = NLA_U32 },
	[IVSHM_A_COUPLING_PARK_US] = { .type = NLA_U32 },
	[IVSHM_A_COUPLING_BYPASS] = { .type = NLA_U8 },
	[IVSHM_A_COUPLING_STRICT] = { .type = NLA_U8 },
	[IVSHM_A_COUPLING_MATCH] = { .type = NLA_U32 },
	[IVSHM_A_COUPLING_RULES] = NLA_POLICY_NESTED(rules_policy),
	[IVSHM_A_COUPLING_DISABLED] = { .type = NLA_U8 },
};

static const struct nla_policy name_policy[IVSHM_A_COUPLING_NAME + 1] = {
	[IVSHM_A_COUPLING_NAME] = { .type = NLA_NUL_STRING,
				    .len = IVSHM_NAME_MAX - 1 },
};

static const struct nla_policy set_policy[IVSHM_A_COUPLING_DISABLED + 1] = {
	[IVSHM_A_COUPLING_NAME] = { .type = NLA_NUL_STRING,
				    .len = IVSHM_NAME_MAX - 1 },
	[IVSHM_A_COUPLING_THRESHOLD] = { .type = NLA_U32 },
	[IVSHM_A_COUPLING_IDLE] = { .type = NLA_U32 },
	[IVSHM_A_COUPLING_PARK_US] = { .type = NLA_U32 },
	[IVSHM_A_COUPLING_DISABLED] = { .type = NLA_U8 },
};

const struct nla_policy ivshm_nl_coupling_set_policy[IVSHM_A_COUPLING + 1] = {
	[IVSHM_A_COUPLING] = NLA_POLICY_NESTED(set_policy),
};

const struct nla_policy ivshm_nl_coupling_new_policy[IVSHM_A_COUPLING + 1] = {
	[IVSHM_A_COUPLING] = NLA_POLICY_NESTED(new_policy),
};

const struct nla_policy ivshm_nl_coupling_name_policy[IVSHM_A_COUPLING + 1] = {
	[IVSHM_A_COUPLING] = NLA_POLICY_NESTED(name_policy),
};

/*
 * What is sent
 */

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
		if (skb_tail_pointer(skb) - (unsigned char *)nest > REPLY_MAX)
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
	    nla_put_u8(skb, IVSHM_A_COUPLING_DISABLED, coupling->disabled))
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

/*
 * One message: everything but the pairs if *@pos is 0, and pairs from *@pos
 * on.  Returns 0 when the coupling is complete, 1 if pairs remain for another
 * message, -EMSGSIZE with nothing written.
 */
static int coupling_fill(struct sk_buff *skb, const struct ivshm_coupling *coupling,
			 u32 *pos)
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
		      rules_put(skb, coupling);
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

/*
 * Requests
 */

/* Exactly one of these says who is meant. */
static const struct {
	int attr;
	enum ivshm_rule_kind kind;
	u16 family;
} member_kinds[] = {
	{ IVSHM_A_MEMBER_NAME },
	{ IVSHM_A_MEMBER_GLOB, IVSHM_RULE_GLOB },
	{ IVSHM_A_MEMBER_UPPER, IVSHM_RULE_UPPER },
	{ IVSHM_A_MEMBER_MAC, IVSHM_RULE_ADDR, AF_PACKET },
	{ IVSHM_A_MEMBER_IPV4, IVSHM_RULE_ADDR, AF_INET },
	{ IVSHM_A_MEMBER_IPV6, IVSHM_RULE_ADDR, AF_INET6 },
};

static int parse_member(const struct nlattr *nest, const struct nla_policy *policy,
			struct ivshm_coupling_place *place,
			struct netlink_ext_ack *extack)
{
	struct nlattr *tb[IVSHM_A_MEMBER_UPPER + 1];
	const struct nlattr *attr;
	int i, err;

	err = nla_parse_nested(tb, IVSHM_A_MEMBER_UPPER, nest, policy, extack);
	if (err)
		return err;
	for (i = 0; i < ARRAY_SIZE(member_kinds); i++) {
		attr = tb[member_kinds[i].attr];
		if (!attr)
			continue;
		if (place->attr) {
			NL_SET_ERR_MSG_ATTR(extack, attr, "a rule goes by one thing only");
			return -EINVAL;
		}
		place->attr = attr;
		if (!i) {
			nla_strscpy(place->name, attr, sizeof(place->name));
			continue;
		}
		place->is_rule = true;
		place->rule.kind = member_kinds[i].kind;
		place->rule.family = member_kinds[i].family;
		if (place->rule.kind == IVSHM_RULE_ADDR)
			memcpy(place->rule.addr, nla_data(attr), nla_len(attr));
		else
			nla_strscpy(place->rule.name, attr, sizeof(place->rule.name));
	}
	if (!place->attr) {
		if (policy == rule_policy) {
			NL_SET_ERR_MSG_ATTR(extack, nest, "a rule is empty");
			return -EINVAL;
		}
		NL_REQ_ATTR_CHECK(extack, nest, tb, IVSHM_A_MEMBER_NAME);
		NL_SET_ERR_MSG_ATTR(extack, nest, "the name of a member is missing");
		return -EINVAL;
	}
	return 0;
}

static int parse_list(const struct nlattr *nest, const struct nla_policy *policy,
		      struct ivshm_coupling_config *cfg, struct netlink_ext_ack *extack)
{
	const struct nlattr *attr;
	int rem, err;

	if (!nest)
		return 0;
	nla_for_each_nested(attr, nest, rem) {
		if (cfg->nr > IVSHM_MEMBERS_MAX)
			break;
		err = parse_member(attr, policy, &cfg->member[cfg->nr], extack);
		if (err)
			return err;
		cfg->nr++;
	}
	return 0;
}

/* The members of a request into @cfg, which must be freed by the caller. */
static int parse_members(struct nlattr **tb, struct ivshm_coupling_config *cfg,
			 struct netlink_ext_ack *extack)
{
	/* One more than allowed, so that too many can be told from enough. */
	cfg->member = kcalloc(IVSHM_MEMBERS_MAX + 1, sizeof(*cfg->member),
			      GFP_KERNEL);
	if (!cfg->member) {
		NL_SET_ERR_MSG(extack, "not enough memory for the request");
		return -ENOMEM;
	}
	return parse_list(tb[IVSHM_A_COUPLING_MEMBERS], member_policy, cfg, extack) ?:
	       parse_list(tb[IVSHM_A_COUPLING_RULES], rule_policy, cfg, extack);
}

static int require(struct genl_info *info, struct nlattr **tb, int attr,
		   const char *what)
{
	if (!NL_REQ_ATTR_CHECK(info->extack, info->attrs[IVSHM_A_COUPLING], tb,
			       attr))
		return 0;
	if (info->extack)
		info->extack->_msg = what;
	return -EINVAL;
}

static void parse_options(struct nlattr **tb, struct ivshm_coupling_config *cfg)
{
	int i;

	cfg->attr = tb;
	if (tb[IVSHM_A_COUPLING_THRESHOLD])
		cfg->threshold = nla_get_u32(tb[IVSHM_A_COUPLING_THRESHOLD]);
	if (tb[IVSHM_A_COUPLING_IDLE])
		cfg->idle = nla_get_u32(tb[IVSHM_A_COUPLING_IDLE]);
	if (tb[IVSHM_A_COUPLING_PARK_US])
		cfg->park_us = nla_get_u32(tb[IVSHM_A_COUPLING_PARK_US]);
	if (tb[IVSHM_A_COUPLING_BYPASS])
		cfg->bypass = nla_get_u8(tb[IVSHM_A_COUPLING_BYPASS]);
	if (tb[IVSHM_A_COUPLING_STRICT])
		cfg->strict = nla_get_u8(tb[IVSHM_A_COUPLING_STRICT]);
	if (tb[IVSHM_A_COUPLING_MATCH])
		cfg->match = nla_get_u32(tb[IVSHM_A_COUPLING_MATCH]);
	if (tb[IVSHM_A_COUPLING_DISABLED])
		cfg->disabled = nla_get_u8(tb[IVSHM_A_COUPLING_DISABLED]);
	for (i = 0; i <= IVSHM_A_COUPLING_DISABLED; i++)
		if (tb[i])
			cfg->given |= BIT(i);
}

static int parse_config(struct genl_info *info, struct nlattr **tb,
			struct ivshm_coupling_config *cfg)
{
	int err;

	err = require(info, tb, IVSHM_A_COUPLING_NAME,
		      "the name of the coupling is missing") ?:
	      require(info, tb, IVSHM_A_COUPLING_TYPE,
		      "the type of the coupling is missing");
	if (!err && !tb[IVSHM_A_COUPLING_RULES])
		err = require(info, tb, IVSHM_A_COUPLING_MEMBERS,
			      "the members of the coupling are missing");
	if (err)
		return err;

	nla_strscpy(cfg->name, tb[IVSHM_A_COUPLING_NAME], sizeof(cfg->name));
	cfg->type = nla_get_u32(tb[IVSHM_A_COUPLING_TYPE]);
	parse_options(tb, cfg);
	return parse_members(tb, cfg, info->extack);
}

int ivshm_nl_coupling_new(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr *tb[IVSHM_A_COUPLING_DISABLED + 1];
	struct ivshm_coupling_config cfg = {};
	int err;

	err = ivshm_nl_parse_nest(info, IVSHM_A_COUPLING, tb,
				  IVSHM_A_COUPLING_DISABLED, new_policy);
	if (err)
		return err;
	err = parse_config(info, tb, &cfg);
	if (!err) {
		mutex_lock(&ivshm_mutex);
		err = ivshm_coupling_new(genl_info_net(info), &cfg, info->extack);
		mutex_unlock(&ivshm_mutex);
	}
	kfree(cfg.member);
	return err;
}

/* The coupling that @tb names. NULL with *@err set. */
static struct ivshm_coupling *coupling_named(struct genl_info *info, struct nlattr **tb,
					     int *err)
{
	struct ivshm_coupling *coupling;

	lockdep_assert_held(&ivshm_mutex);

	*err = require(info, tb, IVSHM_A_COUPLING_NAME,
		       "the name of the coupling is missing");
	if (*err)
		return NULL;
	coupling = ivshm_coupling_find(genl_info_net(info),
				       nla_data(tb[IVSHM_A_COUPLING_NAME]));
	if (!coupling) {
		NL_SET_ERR_MSG_ATTR(info->extack, tb[IVSHM_A_COUPLING_NAME],
				    "no such coupling");
		*err = -ENOENT;
	}
	return coupling;
}

/* The same of a request that has nothing but a name. */
static struct ivshm_coupling *coupling_get(struct genl_info *info, int *err)
{
	struct nlattr *tb[IVSHM_A_COUPLING_NAME + 1];

	*err = ivshm_nl_parse_nest(info, IVSHM_A_COUPLING, tb,
				   IVSHM_A_COUPLING_NAME, name_policy);
	return *err ? NULL : coupling_named(info, tb, err);
}

int ivshm_nl_coupling_set(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr *tb[IVSHM_A_COUPLING_DISABLED + 1];
	struct ivshm_coupling_config cfg = {};
	struct ivshm_coupling *coupling;
	int err;

	err = ivshm_nl_parse_nest(info, IVSHM_A_COUPLING, tb,
				  IVSHM_A_COUPLING_DISABLED, set_policy);
	if (err)
		return err;
	parse_options(tb, &cfg);
	mutex_lock(&ivshm_mutex);
	coupling = coupling_named(info, tb, &err);
	if (coupling)
		err = ivshm_coupling_set(coupling, &cfg, info->extack);
	mutex_unlock(&ivshm_mutex);
	return err;
}

int ivshm_nl_coupling_del(struct sk_buff *skb, struct genl_info *info)
{
	struct ivshm_coupling *coupling;
	int err;

	mutex_lock(&ivshm_mutex);
	coupling = coupling_get(info, &err);
	if (coupling)
		ivshm_coupling_del(coupling);
	mutex_unlock(&ivshm_mutex);
	return err;
}

/* Bytes for a reply about @coupling, at least. */
static size_t coupling_msg_size(const struct ivshm_coupling *coupling)
{
	size_t pair = nla_total_size(0) + 2 * nla_total_size(IFNAMSIZ) +
		      2 * nla_total_size(sizeof(u32)) +
		      2 * nla_total_size_64bit(sizeof(u64));
	size_t member = 3 * nla_total_size(0) + nla_total_size(IFNAMSIZ);
	size_t nr = 0;
	u32 i;

	for (i = 0; i < coupling->nr; i++)
		nr += !!*coupling->member[i].name;
	return 3 * nla_total_size(0) + nla_total_size(IVSHM_NAME_MAX) +
	       9 * nla_total_size(sizeof(u32)) + (nr + coupling->nr_rules) * member +
	       nr * (nr ? nr - 1 : 0) * pair;
}

static int coupling_reply(struct genl_info *info,
			  const struct ivshm_coupling *coupling)
{
	size_t size = coupling_msg_size(coupling);
	struct sk_buff *reply;
	u32 pos = 0;
	void *hdr;
	int err = -EMSGSIZE;

	if (size <= REPLY_MAX) {
		reply = ivshm_nl_reply_new(info, size, &hdr);
		if (!reply)
			return -ENOMEM;
		if (!coupling_fill(reply, coupling, &pos))
			err = 0;
		err = ivshm_nl_reply_send(info, reply, hdr, err);
	}
	if (err == -EMSGSIZE)
		GENL_SET_ERR_MSG(info, "too many pairs for one message, use a dump");
	return err;
}

int ivshm_nl_coupling_get(struct sk_buff *skb, struct genl_info *info)
{
	struct ivshm_coupling *coupling;
	int err;

	mutex_lock(&ivshm_mutex);
	coupling = coupling_get(info, &err);
	if (coupling)
		err = coupling_reply(info, coupling);
	mutex_unlock(&ivshm_mutex);
	return err;
}

/* Where a dump continues. */
struct coupling_dump {
	u64 id;		/* of the coupling, or of one before it */
	u32 pos;	/* its next pair, 0 to begin with the coupling itself */
};

/* Returns 0 when the coupling is complete, else -EMSGSIZE. */
static int coupling_dump_one(struct sk_buff *skb, struct netlink_callback *cb,
			     const struct ivshm_coupling *coupling, u32 *pos)
{
	int more, err;
	void *hdr;

	do {
		hdr = ivshm_nl_dump_put(skb, cb, IVSHM_CMD_COUPLING_GET);
		if (!hdr)
			return -EMSGSIZE;
		more = coupling_fill(skb, coupling, pos);
		err = ivshm_nl_dump_end(skb, hdr, min(more, 0));
	} while (more > 0);
	return err;
}

int ivshm_nl_coupling_dump(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct coupling_dump *dump = (struct coupling_dump *)cb->ctx;
	const struct net *net = sock_net(skb->sk);
	struct ivshm_coupling *coupling;
	int err;

	BUILD_BUG_ON(sizeof(*dump) > sizeof(cb->ctx));

	err = ivshm_nl_dump_begin(cb);
	if (err)
		return err;
	mutex_lock(&ivshm_mutex);
	cb->seq = ivshm_nl_seq();
	list_for_each_entry(coupling, &ivshm_couplings, list) {
		if (coupling->net != net || coupling->id < dump->id)
			continue;
		/* Another than the one that was begun, which went meanwhile. */
		if (coupling->id != dump->id)
			dump->pos = 0;
		dump->id = coupling->id;
		err = coupling_dump_one(skb, cb, coupling, &dump->pos);
		if (err)
			break;
		dump->id++;
		dump->pos = 0;
	}
	mutex_unlock(&ivshm_mutex);
	return skb->len ?: err;
}
