// SPDX-License-Identifier: GPL-2.0
/* Netlink: peers, who may send messages to whom. */
#include <linux/capability.h>
#include <net/net_namespace.h>
#include <net/sock.h>

#include "msgq_peer.h"
#include "netlink.h"

#define NAME_POLICY	{ .type = NLA_NUL_STRING, .len = IVSHM_NAME_MAX - 1 }

/* Ranges are for msgq_peer.c, which says what they are. */
static const struct nla_policy set_policy[IVSHM_A_PEER_BYTES + 1] = {
	[IVSHM_A_PEER_FROM] = NAME_POLICY,
	[IVSHM_A_PEER_TO] = NAME_POLICY,
	[IVSHM_A_PEER_MESSAGES] = { .type = NLA_U32 },
	[IVSHM_A_PEER_PAGES] = { .type = NLA_U64 },
	[IVSHM_A_PEER_BYTES] = { .type = NLA_U64 },
};

static const struct nla_policy name_policy[IVSHM_A_PEER_TO + 1] = {
	[IVSHM_A_PEER_FROM] = NAME_POLICY,
	[IVSHM_A_PEER_TO] = NAME_POLICY,
};

const struct nla_policy ivshm_nl_peer_set_policy[IVSHM_A_PEER + 1] = {
	[IVSHM_A_PEER] = NLA_POLICY_NESTED(set_policy),
};

const struct nla_policy ivshm_nl_peer_name_policy[IVSHM_A_PEER + 1] = {
	[IVSHM_A_PEER] = NLA_POLICY_NESTED(name_policy),
};

/*
 * What is sent
 */

static int peer_fill_stats(struct sk_buff *skb, const struct ivshm_peer *peer)
{
	struct nlattr *nest;
	int i;

	nest = nla_nest_start(skb, IVSHM_A_PEER_STATS);
	if (!nest)
		return -EMSGSIZE;
	for (i = IVSHM_A_PEER_STAT_PAD + 1; i <= IVSHM_A_PEER_STAT_MAX; i++)
		if (nla_put_u64_64bit(skb, i, peer->stat[i], IVSHM_A_PEER_STAT_PAD))
			return -EMSGSIZE;
	nla_nest_end(skb, nest);
	return 0;
}

/* A part of it stays in @skb if it does not fit: whoever calls takes it away. */
static int peer_fill(struct sk_buff *skb, struct ivshm_peer *peer)
{
	struct nlattr *nest;
	int err = -EMSGSIZE;

	nest = nla_nest_start(skb, IVSHM_A_PEER);
	if (!nest)
		return err;
	spin_lock_bh(&peer->lock);
	if (!nla_put_string(skb, IVSHM_A_PEER_FROM, peer->from) &&
	    !nla_put_string(skb, IVSHM_A_PEER_TO, peer->to) &&
	    !nla_put_u32(skb, IVSHM_A_PEER_MESSAGES, peer->most.messages) &&
	    !nla_put_u64_64bit(skb, IVSHM_A_PEER_PAGES, peer->most.pages,
			       IVSHM_A_PEER_PAD) &&
	    !nla_put_u64_64bit(skb, IVSHM_A_PEER_BYTES, peer->most.bytes,
			       IVSHM_A_PEER_PAD) &&
	    !nla_put_u32(skb, IVSHM_A_PEER_NOW_MESSAGES, peer->now.messages) &&
	    !nla_put_u64_64bit(skb, IVSHM_A_PEER_NOW_PAGES, peer->now.pages,
			       IVSHM_A_PEER_PAD) &&
	    !nla_put_u64_64bit(skb, IVSHM_A_PEER_NOW_BYTES, peer->now.bytes,
			       IVSHM_A_PEER_PAD))
		err = peer_fill_stats(skb, peer);
	spin_unlock_bh(&peer->lock);
	if (!err)
		nla_nest_end(skb, nest);
	return err;
}

void ivshm_nl_peer_event(struct ivshm_peer *peer, enum ivshm_peer_state old_state,
			 enum ivshm_peer_state new_state)
{
	struct sk_buff *skb;
	void *hdr;

	lockdep_assert_held(&ivshm_peer_mutex);

	skb = ivshm_nl_event_new(&init_net, IVSHM_CMD_PEER_NTF, old_state, new_state,
				 IVSHM_REASON_CONFIG, &hdr);
	if (!skb)
		return;
	if (peer_fill(skb, peer))
		nlmsg_free(skb);
	else
		ivshm_nl_event_send(&init_net, skb, hdr);
}

/*
 * Requests
 */

static int peer_permitted(struct sk_buff *skb, struct genl_info *info)
{
	if (netlink_capable(skb, CAP_NET_ADMIN))
		return ivshm_nl_region_here(info);
	GENL_SET_ERR_MSG(info, "peers need CAP_NET_ADMIN in the initial user namespace");
	return -EPERM;
}

/* The attributes of the request's peer, both names among them. */
static int peer_parse(struct genl_info *info, struct nlattr **tb, int max,
		      const struct nla_policy *policy)
{
	struct nlattr *nest = info->attrs[IVSHM_A_PEER];
	int err;

	err = ivshm_nl_parse_nest(info, IVSHM_A_PEER, tb, max, policy);
	if (err)
		return err;
	if (NL_REQ_ATTR_CHECK(info->extack, nest, tb, IVSHM_A_PEER_FROM)) {
		GENL_SET_ERR_MSG(info, "the sender's region is missing");
		return -EINVAL;
	}
	if (NL_REQ_ATTR_CHECK(info->extack, nest, tb, IVSHM_A_PEER_TO)) {
		GENL_SET_ERR_MSG(info, "the receiver's region is missing");
		return -EINVAL;
	}
	return 0;
}

static void peer_refuse_absent(struct genl_info *info, struct nlattr **tb)
{
	NL_SET_ERR_MSG_ATTR(info->extack, tb[IVSHM_A_PEER_TO],
			    "it may not send there as it is");
}

int ivshm_nl_peer_set(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr *tb[IVSHM_A_PEER_BYTES + 1];
	struct ivshm_peer_config cfg = { .attr = tb };
	int err, i;

	err = peer_permitted(skb, info) ?:
	      peer_parse(info, tb, IVSHM_A_PEER_BYTES, set_policy);
	if (err)
		return err;
	nla_strscpy(cfg.from, tb[IVSHM_A_PEER_FROM], sizeof(cfg.from));
	nla_strscpy(cfg.to, tb[IVSHM_A_PEER_TO], sizeof(cfg.to));
	for (i = IVSHM_A_PEER_MESSAGES; i <= IVSHM_A_PEER_BYTES; i++)
		if (tb[i])
			cfg.given |= BIT(i);
	if (tb[IVSHM_A_PEER_MESSAGES])
		cfg.most.messages = nla_get_u32(tb[IVSHM_A_PEER_MESSAGES]);
	if (tb[IVSHM_A_PEER_PAGES])
		cfg.most.pages = nla_get_u64(tb[IVSHM_A_PEER_PAGES]);
	if (tb[IVSHM_A_PEER_BYTES])
		cfg.most.bytes = nla_get_u64(tb[IVSHM_A_PEER_BYTES]);
	return ivshm_peer_allow(&cfg, info->extack);
}

int ivshm_nl_peer_del(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr *tb[IVSHM_A_PEER_TO + 1];
	int err;

	err = peer_permitted(skb, info) ?:
	      peer_parse(info, tb, IVSHM_A_PEER_TO, name_policy);
	if (err)
		return err;
	err = ivshm_peer_deny(nla_data(tb[IVSHM_A_PEER_FROM]),
			      nla_data(tb[IVSHM_A_PEER_TO]));
	if (err)
		peer_refuse_absent(info, tb);
	return err;
}

int ivshm_nl_peer_get(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr *tb[IVSHM_A_PEER_TO + 1];
	struct ivshm_peer *peer;
	struct sk_buff *reply;
	void *hdr;
	int err;

	err = ivshm_nl_region_here(info) ?:
	      peer_parse(info, tb, IVSHM_A_PEER_TO, name_policy);
	if (err)
		return err;
	reply = ivshm_nl_reply_new(info, GENLMSG_DEFAULT_SIZE, &hdr);
	if (!reply)
		return -ENOMEM;
	peer = ivshm_peer_get(nla_data(tb[IVSHM_A_PEER_FROM]),
			      nla_data(tb[IVSHM_A_PEER_TO]));
	if (peer) {
		err = peer_fill(reply, peer);
		ivshm_peer_put(peer);
	} else {
		peer_refuse_absent(info, tb);
		err = -ENOENT;
	}
	return ivshm_nl_reply_send(info, reply, hdr, err);
}

static int peer_dump_one(struct sk_buff *skb, struct netlink_callback *cb,
			 struct ivshm_peer *peer)
{
	void *hdr = ivshm_nl_dump_put(skb, cb, IVSHM_CMD_PEER_GET);

	if (!hdr)
		return -EMSGSIZE;
	return ivshm_nl_dump_end(skb, hdr, peer_fill(skb, peer));
}

/* cb->args[0]: peers that have been shown; others are added behind them */
int ivshm_nl_peer_dump(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct ivshm_peer *peer;
	long nr = 0;
	int err;

	err = ivshm_nl_dump_begin(cb);
	if (err || !net_eq(sock_net(skb->sk), &init_net))
		return err;
	mutex_lock(&ivshm_peer_mutex);
	cb->seq = ivshm_nl_seq();
	list_for_each_entry(peer, &ivshm_peers, list) {
		if (nr++ < cb->args[0])
			continue;
		err = peer_dump_one(skb, cb, peer);
		if (err)
			break;
		cb->args[0]++;
	}
	mutex_unlock(&ivshm_peer_mutex);
	return skb->len ?: err;
}
