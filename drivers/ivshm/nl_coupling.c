// SPDX-License-Identifier: GPL-2.0
/* Netlink: couplings and their pairs. */
#include <linux/netdevice.h>
#include <linux/slab.h>
#include <net/sock.h>

#include "coupling.h"
#include "ivshm.h"
#include "netlink.h"

/* Below the 64 KiB that a nest can have, with room for the rest. */
#define REPLY_MAX	(60 * 1024)

static const struct nla_policy member_policy[IVSHM_A_MEMBER_NAME + 1] = {
	[IVSHM_A_MEMBER_NAME] = { .type = NLA_NUL_STRING, .len = IFNAMSIZ - 1 },
};

static const struct nla_policy members_policy[IVSHM_A_COUPLING_MEMBER + 1] = {
	[IVSHM_A_COUPLING_MEMBER] = NLA_POLICY_NESTED(member_policy),
};

/* Ranges are for coupling_config.c, which says what they are. */
static const struct nla_policy new_policy[IVSHM_A_COUPLING_BYPASS + 1] = {
	[IVSHM_A_COUPLING_NAME] = { .type = NLA_NUL_STRING,
				    .len = IVSHM_NAME_MAX - 1 },
	[IVSHM_A_COUPLING_TYPE] = { .type = NLA_U32 },
	[IVSHM_A_COUPLING_MEMBERS] = NLA_POLICY_NESTED(members_policy),
	[IVSHM_A_COUPLING_THRESHOLD] = { .type = NLA_U32 },
	[IVSHM_A_COUPLING_IDLE] = { .type = NLA_U32 },
	[IVSHM_A_COUPLING_PARK_US] = { .type = NLA_U32 },
	[IVSHM_A_COUPLING_BYPASS] = { .type = NLA_U8 },
};

static const struct nla_policy name_policy[IVSHM_A_COUPLING_NAME + 1] = {
	[IVSHM_A_COUPLING_NAME] = { .type = NLA_NUL_STRING,
				    .len = IVSHM_NAME_MAX - 1 },
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
		if (src == dst)
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
		place = nla_nest_start(skb, IVSHM_A_COUPLING_MEMBER);
		if (!place || nla_put_string(skb, IVSHM_A_MEMBER_NAME, member->name))
			return -EMSGSIZE;
		if (rcu_access_pointer(member->port) &&
		    nla_put_flag(skb, IVSHM_A_MEMBER_PRESENT))
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
	if (nla_put_u32(skb, IVSHM_A_COUPLING_PARK_US, coupling->park_us))
		return -EMSGSIZE;
	if (coupling->type != IVSHM_COUPLING_DYNAMIC)
		return 0;
	if (nla_put_u32(skb, IVSHM_A_COUPLING_THRESHOLD, coupling->threshold) ||
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
		err = options_put(skb, coupling) ?: members_put(skb, coupling);
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

/* The members of a request into @cfg, which must be freed by the caller. */
static int parse_members(const struct nlattr *nest,
			 struct ivshm_coupling_config *cfg,
			 struct netlink_ext_ack *extack)
{
	struct nlattr *tb[IVSHM_A_MEMBER_NAME + 1];
	const struct nlattr *attr;
	int rem, err;

	/* One more than allowed, so that too many can be told from enough. */
	cfg->member = kcalloc(IVSHM_MEMBERS_MAX + 1, sizeof(*cfg->member),
			      GFP_KERNEL);
	if (!cfg->member) {
		NL_SET_ERR_MSG(extack, "not enough memory for the request");
		return -ENOMEM;
	}
	nla_for_each_nested(attr, nest, rem) {
		/* Without its name it is counted, and found to have none. */
		err = nla_parse_nested(tb, IVSHM_A_MEMBER_NAME, attr,
				       member_policy, extack);
		if (err)
			return err;
		if (NL_REQ_ATTR_CHECK(extack, attr, tb, IVSHM_A_MEMBER_NAME)) {
			NL_SET_ERR_MSG_ATTR(extack, attr,
					    "the name of a member is missing");
			return -EINVAL;
		}
		cfg->member[cfg->nr].attr = tb[IVSHM_A_MEMBER_NAME];
		nla_strscpy(cfg->member[cfg->nr].name, tb[IVSHM_A_MEMBER_NAME],
			    IFNAMSIZ);
		if (++cfg->nr > IVSHM_MEMBERS_MAX)
			break;
	}
	return 0;
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

static int parse_config(struct genl_info *info, struct nlattr **tb,
			struct ivshm_coupling_config *cfg)
{
	int i, err;

	err = require(info, tb, IVSHM_A_COUPLING_NAME,
		      "the name of the coupling is missing") ?:
	      require(info, tb, IVSHM_A_COUPLING_TYPE,
		      "the type of the coupling is missing") ?:
	      require(info, tb, IVSHM_A_COUPLING_MEMBERS,
		      "the members of the coupling are missing");
	if (err)
		return err;

	cfg->attr = tb;
	nla_strscpy(cfg->name, tb[IVSHM_A_COUPLING_NAME], sizeof(cfg->name));
	cfg->type = nla_get_u32(tb[IVSHM_A_COUPLING_TYPE]);
	if (tb[IVSHM_A_COUPLING_THRESHOLD])
		cfg->threshold = nla_get_u32(tb[IVSHM_A_COUPLING_THRESHOLD]);
	if (tb[IVSHM_A_COUPLING_IDLE])
		cfg->idle = nla_get_u32(tb[IVSHM_A_COUPLING_IDLE]);
	if (tb[IVSHM_A_COUPLING_PARK_US])
		cfg->park_us = nla_get_u32(tb[IVSHM_A_COUPLING_PARK_US]);
	if (tb[IVSHM_A_COUPLING_BYPASS])
		cfg->bypass = nla_get_u8(tb[IVSHM_A_COUPLING_BYPASS]);
	for (i = 0; i <= IVSHM_A_COUPLING_BYPASS; i++)
		if (tb[i])
			cfg->given |= BIT(i);
	return parse_members(tb[IVSHM_A_COUPLING_MEMBERS], cfg, info->extack);
}

int ivshm_nl_coupling_new(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr *tb[IVSHM_A_COUPLING_BYPASS + 1];
	struct ivshm_coupling_config cfg = {};
	int err;

	err = ivshm_nl_parse_nest(info, IVSHM_A_COUPLING, tb,
				  IVSHM_A_COUPLING_BYPASS, new_policy);
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

/* The coupling that a request names. NULL with *@err set. */
static struct ivshm_coupling *coupling_get(struct genl_info *info, int *err)
{
	struct nlattr *tb[IVSHM_A_COUPLING_NAME + 1];
	struct ivshm_coupling *coupling;

	lockdep_assert_held(&ivshm_mutex);

	*err = ivshm_nl_parse_nest(info, IVSHM_A_COUPLING, tb,
				   IVSHM_A_COUPLING_NAME, name_policy);
	if (*err)
		return NULL;
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
	size_t member = 2 * nla_total_size(0) + nla_total_size(IFNAMSIZ);

	return 3 * nla_total_size(0) + nla_total_size(IVSHM_NAME_MAX) +
	       6 * nla_total_size(sizeof(u32)) + coupling->nr * member +
	       coupling->nr * (coupling->nr - 1) * pair;
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
