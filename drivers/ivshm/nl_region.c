// SPDX-License-Identifier: GPL-2.0
/* Netlink: regions. */
#include <linux/capability.h>
#include <linux/mm.h>
#include <linux/numa.h>
#include <net/net_namespace.h>
#include <net/sock.h>

#include "netlink.h"
#include "region.h"

#define NAME_POLICY	{ .type = NLA_NUL_STRING, .len = IVSHM_NAME_MAX - 1 }

/* Ranges are for region.c, which says what they are. */
static const struct nla_policy new_policy[IVSHM_A_REGION_NODE + 1] = {
	[IVSHM_A_REGION_NAME] = NAME_POLICY,
	[IVSHM_A_REGION_SIZE] = { .type = NLA_U64 },
	[IVSHM_A_REGION_PAGE_SIZE] = { .type = NLA_U32 },
	[IVSHM_A_REGION_MODE] = { .type = NLA_U32 },
	[IVSHM_A_REGION_UID] = { .type = NLA_U32 },
	[IVSHM_A_REGION_GID] = { .type = NLA_U32 },
	[IVSHM_A_REGION_NODE] = { .type = NLA_U32 },
};

static const struct nla_policy set_policy[IVSHM_A_REGION_GID + 1] = {
	[IVSHM_A_REGION_NAME] = NAME_POLICY,
	[IVSHM_A_REGION_MODE] = { .type = NLA_U32 },
	[IVSHM_A_REGION_UID] = { .type = NLA_U32 },
	[IVSHM_A_REGION_GID] = { .type = NLA_U32 },
};

static const struct nla_policy del_policy[IVSHM_A_REGION_FORCE + 1] = {
	[IVSHM_A_REGION_NAME] = NAME_POLICY,
	[IVSHM_A_REGION_FORCE] = { .type = NLA_FLAG },
};

static const struct nla_policy get_policy[IVSHM_A_REGION_NAME + 1] = {
	[IVSHM_A_REGION_NAME] = NAME_POLICY,
};

const struct nla_policy ivshm_nl_region_new_policy[IVSHM_A_REGION + 1] = {
	[IVSHM_A_REGION] = NLA_POLICY_NESTED(new_policy),
};

const struct nla_policy ivshm_nl_region_set_policy[IVSHM_A_REGION + 1] = {
	[IVSHM_A_REGION] = NLA_POLICY_NESTED(set_policy),
};

const struct nla_policy ivshm_nl_region_del_policy[IVSHM_A_REGION + 1] = {
	[IVSHM_A_REGION] = NLA_POLICY_NESTED(del_policy),
};

const struct nla_policy ivshm_nl_region_get_policy[IVSHM_A_REGION + 1] = {
	[IVSHM_A_REGION] = NLA_POLICY_NESTED(get_policy),
};

/*
 * What is sent
 */

static int region_fill(struct sk_buff *skb, const struct ivshm_region *region,
		       enum ivshm_region_state state)
{
	struct nlattr *nest;

	lockdep_assert_held(&ivshm_region_mutex);

	nest = nla_nest_start(skb, IVSHM_A_REGION);
	if (!nest)
		return -EMSGSIZE;
	if (nla_put_string(skb, IVSHM_A_REGION_NAME, region->name) ||
	    nla_put_u64_64bit(skb, IVSHM_A_REGION_SIZE, region->size,
			      IVSHM_A_REGION_PAD) ||
	    nla_put_u32(skb, IVSHM_A_REGION_PAGE_SIZE,
			PAGE_SIZE << region->order) ||
	    nla_put_u32(skb, IVSHM_A_REGION_MODE, region->mode) ||
	    nla_put_u32(skb, IVSHM_A_REGION_UID,
			from_kuid(&init_user_ns, region->uid)) ||
	    nla_put_u32(skb, IVSHM_A_REGION_GID,
			from_kgid(&init_user_ns, region->gid)) ||
	    (region->node != NUMA_NO_NODE &&
	     nla_put_u32(skb, IVSHM_A_REGION_NODE, region->node)) ||
	    nla_put_u32(skb, IVSHM_A_REGION_STATE, state) ||
	    nla_put_u32(skb, IVSHM_A_REGION_NUMBER, region->number) ||
	    nla_put_u32(skb, IVSHM_A_REGION_USERS, region->users) ||
	    nla_put_u32(skb, IVSHM_A_REGION_SWAPS, region->swaps)) {
		nla_nest_cancel(skb, nest);
		return -EMSGSIZE;
	}
	nla_nest_end(skb, nest);
	return 0;
}

void ivshm_nl_region_event(const struct ivshm_region *region,
			   enum ivshm_region_state old_state,
			   enum ivshm_region_state new_state)
{
	struct sk_buff *skb;
	void *hdr;

	skb = ivshm_nl_event_new(&init_net, IVSHM_CMD_REGION_NTF, old_state,
				 new_state, IVSHM_REASON_CONFIG, &hdr);
	if (!skb)
		return;
	if (region_fill(skb, region, new_state)) {
		nlmsg_free(skb);
		return;
	}
	ivshm_nl_event_send(&init_net, skb, hdr);
}

/*
 * Requests
 */

int ivshm_nl_region_here(struct genl_info *info)
{
	if (net_eq(genl_info_net(info), &init_net))
		return 0;
	GENL_SET_ERR_MSG(info, "regions and peers are the host's: ask in its initial namespace");
	return -EPERM;
}

/* Memory that no cgroup is charged for, and that outlives all processes. */
int ivshm_nl_region_permitted(struct sk_buff *skb, struct genl_info *info)
{
	if (netlink_capable(skb, CAP_SYS_ADMIN))
		return ivshm_nl_region_here(info);
	GENL_SET_ERR_MSG(info, "regions need CAP_SYS_ADMIN in the initial user namespace");
	return -EPERM;
}

/* The attributes of the request's region, its name among them. */
static int region_parse(struct genl_info *info, struct nlattr **tb, int max,
			const struct nla_policy *policy)
{
	int err;

	err = ivshm_nl_parse_nest(info, IVSHM_A_REGION, tb, max, policy);
	if (err)
		return err;
	if (NL_REQ_ATTR_CHECK(info->extack, info->attrs[IVSHM_A_REGION], tb,
			      IVSHM_A_REGION_NAME)) {
		GENL_SET_ERR_MSG(info, "the name of the region is missing");
		return -EINVAL;
	}
	return 0;
}

static struct ivshm_region *region_get(struct genl_info *info, struct nlattr **tb)
{
	struct ivshm_region *region;

	region = ivshm_region_find(nla_data(tb[IVSHM_A_REGION_NAME]));
	if (!region)
		NL_SET_ERR_MSG_ATTR(info->extack, tb[IVSHM_A_REGION_NAME],
				    "no such region");
	return region;
}

static void region_parse_owner(struct nlattr **tb, struct ivshm_region_config *cfg)
{
	if (tb[IVSHM_A_REGION_MODE])
		cfg->mode = nla_get_u32(tb[IVSHM_A_REGION_MODE]);
	if (tb[IVSHM_A_REGION_UID])
		cfg->uid = nla_get_u32(tb[IVSHM_A_REGION_UID]);
	if (tb[IVSHM_A_REGION_GID])
		cfg->gid = nla_get_u32(tb[IVSHM_A_REGION_GID]);
}

int ivshm_nl_region_new(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr *tb[IVSHM_A_REGION_NODE + 1];
	struct ivshm_region_config cfg = {
		.page_size = PAGE_SIZE,
		.mode = IVSHM_REGION_MODE_DEFAULT,
		.node = NUMA_NO_NODE,
		.attr = tb,
	};
	int err;

	err = ivshm_nl_region_permitted(skb, info) ?:
	      region_parse(info, tb, IVSHM_A_REGION_NODE, new_policy);
	if (err)
		return err;
	if (NL_REQ_ATTR_CHECK(info->extack, info->attrs[IVSHM_A_REGION], tb,
			      IVSHM_A_REGION_SIZE)) {
		GENL_SET_ERR_MSG(info, "the size of the region is missing");
		return -EINVAL;
	}
	nla_strscpy(cfg.name, tb[IVSHM_A_REGION_NAME], sizeof(cfg.name));
	cfg.size = nla_get_u64(tb[IVSHM_A_REGION_SIZE]);
	if (tb[IVSHM_A_REGION_PAGE_SIZE])
		cfg.page_size = nla_get_u32(tb[IVSHM_A_REGION_PAGE_SIZE]);
	if (tb[IVSHM_A_REGION_NODE])
		/* What is no node's number must not become NUMA_NO_NODE. */
		cfg.node = min_t(u32, nla_get_u32(tb[IVSHM_A_REGION_NODE]), INT_MAX);
	region_parse_owner(tb, &cfg);
	return ivshm_region_new(&cfg, info->extack);
}

int ivshm_nl_region_set(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr *tb[IVSHM_A_REGION_GID + 1];
	struct ivshm_region_config cfg = { .attr = tb };
	struct ivshm_region *region;
	int err;

	err = ivshm_nl_region_permitted(skb, info) ?:
	      region_parse(info, tb, IVSHM_A_REGION_GID, set_policy);
	if (err)
		return err;
	mutex_lock(&ivshm_region_mutex);
	region = region_get(info, tb);
	if (region) {
		cfg.mode = region->mode;
		cfg.uid = from_kuid(&init_user_ns, region->uid);
		cfg.gid = from_kgid(&init_user_ns, region->gid);
		region_parse_owner(tb, &cfg);
		err = ivshm_region_set(region, &cfg, info->extack);
	} else {
		err = -ENOENT;
	}
	mutex_unlock(&ivshm_region_mutex);
	return err;
}

int ivshm_nl_region_del(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr *tb[IVSHM_A_REGION_FORCE + 1];
	int err;

	err = ivshm_nl_region_permitted(skb, info) ?:
	      region_parse(info, tb, IVSHM_A_REGION_FORCE, del_policy);
	if (err)
		return err;
	err = ivshm_region_del(nla_data(tb[IVSHM_A_REGION_NAME]),
			       tb[IVSHM_A_REGION_FORCE]);
	if (err == -ENOENT)
		NL_SET_ERR_MSG_ATTR(info->extack, tb[IVSHM_A_REGION_NAME],
				    "no such region");
	else if (err)
		NL_SET_ERR_MSG_ATTR(info->extack, tb[IVSHM_A_REGION_NAME],
				    "the region is in use; only by force can it be deleted");
	return err;
}

static size_t region_msg_size(void)
{
	return nla_total_size(0) + nla_total_size(IVSHM_NAME_MAX) +
	       nla_total_size_64bit(sizeof(u64)) + 9 * nla_total_size(sizeof(u32));
}

int ivshm_nl_region_get(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr *tb[IVSHM_A_REGION_NAME + 1];
	struct ivshm_region *region;
	struct sk_buff *reply;
	void *hdr;
	int err;

	err = ivshm_nl_region_here(info) ?:
	      region_parse(info, tb, IVSHM_A_REGION_NAME, get_policy);
	if (err)
		return err;
	reply = ivshm_nl_reply_new(info, region_msg_size(), &hdr);
	if (!reply)
		return -ENOMEM;
	mutex_lock(&ivshm_region_mutex);
	region = region_get(info, tb);
	err = region ? region_fill(reply, region, IVSHM_REGION_READY) : -ENOENT;
	mutex_unlock(&ivshm_region_mutex);
	return ivshm_nl_reply_send(info, reply, hdr, err);
}

static int region_dump_one(struct sk_buff *skb, struct netlink_callback *cb,
			   const struct ivshm_region *region)
{
	void *hdr = ivshm_nl_dump_put(skb, cb, IVSHM_CMD_REGION_GET);

	if (!hdr)
		return -EMSGSIZE;
	return ivshm_nl_dump_end(skb, hdr, region_fill(skb, region, IVSHM_REGION_READY));
}

/* cb->args[0]: regions that have been shown; others are added behind them */
int ivshm_nl_region_dump(struct sk_buff *skb, struct netlink_callback *cb)
{
	const struct ivshm_region *region;
	long nr = 0;
	int err;

	err = ivshm_nl_dump_begin(cb);
	if (err || !net_eq(sock_net(skb->sk), &init_net))
		return err;
	mutex_lock(&ivshm_region_mutex);
	cb->seq = ivshm_nl_seq();
	list_for_each_entry(region, &ivshm_regions, list) {
		if (!ivshm_region_alive(region) || nr++ < cb->args[0])
			continue;
		err = region_dump_one(skb, cb, region);
		if (err)
			break;
		cb->args[0]++;
	}
	mutex_unlock(&ivshm_region_mutex);
	return skb->len ?: err;
}
