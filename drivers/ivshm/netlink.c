// SPDX-License-Identifier: GPL-2.0
/* The generic netlink family: commands, and what the objects' files share. */
#include <linux/atomic.h>
#include <linux/module.h>
#include <net/genetlink.h>
#include <net/net_namespace.h>

#include "netlink.h"

static atomic_t nl_seq = ATOMIC_INIT(0);
/* The group exists. Things happen to objects before and after that. */
static bool nl_ready;

static const struct genl_multicast_group nl_groups[] = {
	{ .name = IVSHM_GENL_MCGRP_EVENTS },
};

static const struct genl_ops nl_ops[] = {
	{
		.cmd = IVSHM_CMD_PORT_GET,
		.policy = ivshm_nl_port_get_policy,
		.maxattr = IVSHM_A_PORT,
		.doit = ivshm_nl_port_get,
		.dumpit = ivshm_nl_port_dump,
	},
	{
		.cmd = IVSHM_CMD_COUPLING_NEW,
		.policy = ivshm_nl_coupling_new_policy,
		.maxattr = IVSHM_A_COUPLING,
		.flags = GENL_UNS_ADMIN_PERM,
		.doit = ivshm_nl_coupling_new,
	},
	{
		.cmd = IVSHM_CMD_COUPLING_SET,
		.policy = ivshm_nl_coupling_set_policy,
		.maxattr = IVSHM_A_COUPLING,
		.flags = GENL_UNS_ADMIN_PERM,
		.doit = ivshm_nl_coupling_set,
	},
	{
		.cmd = IVSHM_CMD_COUPLING_DEL,
		.policy = ivshm_nl_coupling_name_policy,
		.maxattr = IVSHM_A_COUPLING,
		.flags = GENL_UNS_ADMIN_PERM,
		.doit = ivshm_nl_coupling_del,
	},
	{
		.cmd = IVSHM_CMD_COUPLING_GET,
		.policy = ivshm_nl_coupling_name_policy,
		.maxattr = IVSHM_A_COUPLING,
		.doit = ivshm_nl_coupling_get,
		.dumpit = ivshm_nl_coupling_dump,
	},
	{
		.cmd = IVSHM_CMD_ADDR_GET,
		.dumpit = ivshm_nl_addr_dump,
	},
	{
		.cmd = IVSHM_CMD_ADDR_NEW,
		.policy = ivshm_nl_addr_new_policy,
		.maxattr = IVSHM_A_ADDR,
		.flags = GENL_UNS_ADMIN_PERM,
		.doit = ivshm_nl_addr_new,
	},
	{
		.cmd = IVSHM_CMD_ADDR_DEL,
		.policy = ivshm_nl_addr_del_policy,
		.maxattr = IVSHM_A_ADDR,
		.flags = GENL_UNS_ADMIN_PERM,
		.doit = ivshm_nl_addr_del,
	},
	/* Who may change regions is asked in nl_region.c, for a text. */
	{
		.cmd = IVSHM_CMD_REGION_NEW,
		.policy = ivshm_nl_region_new_policy,
		.maxattr = IVSHM_A_REGION,
		.doit = ivshm_nl_region_new,
	},
	{
		.cmd = IVSHM_CMD_REGION_SET,
		.policy = ivshm_nl_region_set_policy,
		.maxattr = IVSHM_A_REGION,
		.doit = ivshm_nl_region_set,
	},
	{
		.cmd = IVSHM_CMD_REGION_DEL,
		.policy = ivshm_nl_region_del_policy,
		.maxattr = IVSHM_A_REGION,
		.doit = ivshm_nl_region_del,
	},
	{
		.cmd = IVSHM_CMD_REGION_GET,
		.policy = ivshm_nl_region_get_policy,
		.maxattr = IVSHM_A_REGION,
		.doit = ivshm_nl_region_get,
		.dumpit = ivshm_nl_region_dump,
	},
	{
		.cmd = IVSHM_CMD_SWAP_NEW,
		.policy = ivshm_nl_swap_new_policy,
		.maxattr = IVSHM_A_SWAP,
		.doit = ivshm_nl_swap_new,
	},
	{
		.cmd = IVSHM_CMD_SWAP_DEL,
		.policy = ivshm_nl_swap_del_policy,
		.maxattr = IVSHM_A_SWAP,
		.doit = ivshm_nl_swap_del,
	},
	{
		.cmd = IVSHM_CMD_SWAP_GET,
		.dumpit = ivshm_nl_swap_dump,
	},
	/* And peers in nl_peer.c. */
	{
		.cmd = IVSHM_CMD_PEER_SET,
		.policy = ivshm_nl_peer_set_policy,
		.maxattr = IVSHM_A_PEER,
		.doit = ivshm_nl_peer_set,
	},
	{
		.cmd = IVSHM_CMD_PEER_DEL,
		.policy = ivshm_nl_peer_name_policy,
		.maxattr = IVSHM_A_PEER,
		.doit = ivshm_nl_peer_del,
	},
	{
		.cmd = IVSHM_CMD_PEER_GET,
		.policy = ivshm_nl_peer_name_policy,
		.maxattr = IVSHM_A_PEER,
		.doit = ivshm_nl_peer_get,
		.dumpit = ivshm_nl_peer_dump,
	},
};

struct genl_family ivshm_nl_family __ro_after_init = {
	.name = IVSHM_GENL_NAME,
	.version = IVSHM_GENL_VERSION,
	.netnsok = true,
	.module = THIS_MODULE,
	.ops = nl_ops,
	.n_ops = ARRAY_SIZE(nl_ops),
	.mcgrps = nl_groups,
	.n_mcgrps = ARRAY_SIZE(nl_groups),
};

u32 ivshm_nl_seq(void)
{
	/* 0 would switch the check off. */
	return (u32)atomic_read(&nl_seq) | 1;
}

struct sk_buff *ivshm_nl_event_new(struct net *net, enum ivshm_cmd cmd,
				   u32 old_state, u32 new_state,
				   enum ivshm_reason reason, void **hdr)
{
	struct sk_buff *skb;

	/* In steps of two, as the lowest bit does not count. */
	atomic_add(2, &nl_seq);
	/* A port is in no namespace while it moves to another one. */
	if (!net || !READ_ONCE(nl_ready) ||
	    !genl_has_listeners(&ivshm_nl_family, net, 0))
		return NULL;
	skb = genlmsg_new(GENLMSG_DEFAULT_SIZE, GFP_ATOMIC);
	if (!skb)
		return NULL;
	*hdr = genlmsg_put(skb, 0, 0, &ivshm_nl_family, 0, cmd);
	if (!*hdr ||
	    nla_put_u32(skb, IVSHM_A_EVENT_OLD_STATE, old_state) ||
	    nla_put_u32(skb, IVSHM_A_EVENT_NEW_STATE, new_state) ||
	    nla_put_u32(skb, IVSHM_A_EVENT_REASON, reason)) {
		nlmsg_free(skb);
		return NULL;
	}
	return skb;
}

void ivshm_nl_event_send(struct net *net, struct sk_buff *skb, void *hdr)
{
	genlmsg_end(skb, hdr);
	genlmsg_multicast_netns(&ivshm_nl_family, net, skb, 0, 0, GFP_ATOMIC);
}

int ivshm_nl_parse_nest(struct genl_info *info, enum ivshm_attr which,
			struct nlattr **tb, int max,
			const struct nla_policy *policy)
{
	if (GENL_REQ_ATTR_CHECK(info, which)) {
		GENL_SET_ERR_MSG(info, "the object of the request is missing");
		return -EINVAL;
	}
	return nla_parse_nested(tb, max, info->attrs[which], policy,
				info->extack);
}

struct sk_buff *ivshm_nl_reply_new(struct genl_info *info, size_t size, void **hdr)
{
	struct sk_buff *reply = genlmsg_new(size, GFP_KERNEL);

	*hdr = reply ? genlmsg_put_reply(reply, info, &ivshm_nl_family, 0,
					 info->genlhdr->cmd) : NULL;
	if (*hdr)
		return reply;
	nlmsg_free(reply);
	GENL_SET_ERR_MSG(info, "not enough memory for the reply");
	return NULL;
}

int ivshm_nl_reply_send(struct genl_info *info, struct sk_buff *reply, void *hdr,
			int err)
{
	if (err) {
		nlmsg_free(reply);
		return err;
	}
	genlmsg_end(reply, hdr);
	return genlmsg_reply(reply, info);
}

int ivshm_nl_dump_begin(struct netlink_callback *cb)
{
	if (!nlmsg_attrlen(cb->nlh, GENL_HDRLEN))
		return 0;
	NL_SET_ERR_MSG_ATTR(cb->extack, nlmsg_attrdata(cb->nlh, GENL_HDRLEN),
			    "a dump takes no attributes");
	return -EINVAL;
}

void *ivshm_nl_dump_put(struct sk_buff *skb, struct netlink_callback *cb,
			enum ivshm_cmd cmd)
{
	void *hdr = genlmsg_put(skb, NETLINK_CB(cb->skb).portid,
				cb->nlh->nlmsg_seq, &ivshm_nl_family,
				NLM_F_MULTI, cmd);

	if (hdr)
		genl_dump_check_consistent(cb, hdr);
	return hdr;
}

int ivshm_nl_dump_end(struct sk_buff *skb, void *hdr, int err)
{
	if (err)
		genlmsg_cancel(skb, hdr);
	else
		genlmsg_end(skb, hdr);
	return err;
}

int ivshm_nl_init(void)
{
	int err;

	err = genl_register_family(&ivshm_nl_family);
	if (!err)
		WRITE_ONCE(nl_ready, true);
	return err;
}

void ivshm_nl_exit(void)
{
	WRITE_ONCE(nl_ready, false);
	genl_unregister_family(&ivshm_nl_family);
}
