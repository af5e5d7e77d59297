// SPDX-License-Identifier: GPL-2.0
/* Netlink: ranges of regions that have pages of another region. */
#include <linux/mm.h>
#include <net/net_namespace.h>
#include <net/sock.h>

#include "netlink.h"
#include "region.h"
#include "region_swap.h"

#define NAME_POLICY	{ .type = NLA_NUL_STRING, .len = IVSHM_NAME_MAX - 1 }

/* Ranges are for region_swap.c, which says what they are. */
static const struct nla_policy new_policy[IVSHM_A_SWAP_KEEP_POOL + 1] = {
	[IVSHM_A_SWAP_REGION] = NAME_POLICY,
	[IVSHM_A_SWAP_OFFSET] = { .type = NLA_U64 },
	[IVSHM_A_SWAP_POOL] = NAME_POLICY,
	[IVSHM_A_SWAP_POOL_OFFSET] = { .type = NLA_U64 },
	[IVSHM_A_SWAP_SIZE] = { .type = NLA_U64 },
	[IVSHM_A_SWAP_KEEP_POOL] = { .type = NLA_FLAG },
};

static const struct nla_policy del_policy[IVSHM_A_SWAP_FORCE + 1] = {
	[IVSHM_A_SWAP_REGION] = NAME_POLICY,
	[IVSHM_A_SWAP_OFFSET] = { .type = NLA_U64 },
	[IVSHM_A_SWAP_FORCE] = { .type = NLA_FLAG },
};

const struct nla_policy ivshm_nl_swap_new_policy[IVSHM_A_SWAP + 1] = {
	[IVSHM_A_SWAP] = NLA_POLICY_NESTED(new_policy),
};

const struct nla_policy ivshm_nl_swap_del_policy[IVSHM_A_SWAP + 1] = {
	[IVSHM_A_SWAP] = NLA_POLICY_NESTED(del_policy),
};

/*
 * What is sent
 */

static int swap_put_bytes(struct sk_buff *skb, int attr, const struct ivshm_swap *swap,
			  unsigned long slots)
{
	return nla_put_u64_64bit(skb, attr, (u64)slots << (PAGE_SHIFT + swap->to->order),
				 IVSHM_A_SWAP_PAD);
}

/* A part of it stays in @skb if it does not fit: whoever calls takes it away. */
static int swap_fill(struct sk_buff *skb, const struct ivshm_swap *swap)
{
	struct nlattr *nest;

	nest = nla_nest_start(skb, IVSHM_A_SWAP);
	if (!nest ||
	    nla_put_string(skb, IVSHM_A_SWAP_REGION, swap->to->name) ||
	    swap_put_bytes(skb, IVSHM_A_SWAP_OFFSET, swap, swap->at) ||
	    nla_put_string(skb, IVSHM_A_SWAP_POOL, swap->pool->name) ||
	    swap_put_bytes(skb, IVSHM_A_SWAP_POOL_OFFSET, swap, swap->pool_at) ||
	    swap_put_bytes(skb, IVSHM_A_SWAP_SIZE, swap, swap->nr))
		return -EMSGSIZE;
	nla_nest_end(skb, nest);
	return 0;
}

/*
 * Requests
 */

/* The attributes of the request's swap, region and offset among them. */
static int swap_parse(struct genl_info *info, struct nlattr **tb, int max,
		      const struct nla_policy *policy)
{
	struct nlattr *nest = info->attrs[IVSHM_A_SWAP];
	int err;

	err = ivshm_nl_parse_nest(info, IVSHM_A_SWAP, tb, max, policy);
	if (err)
		return err;
	if (NL_REQ_ATTR_CHECK(info->extack, nest, tb, IVSHM_A_SWAP_REGION)) {
		GENL_SET_ERR_MSG(info, "the name of the region is missing");
		return -EINVAL;
	}
	if (NL_REQ_ATTR_CHECK(info->extack, nest, tb, IVSHM_A_SWAP_OFFSET)) {
		GENL_SET_ERR_MSG(info, "the offset of the range is missing");
		return -EINVAL;
	}
	return 0;
}

int ivshm_nl_swap_new(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr *tb[IVSHM_A_SWAP_KEEP_POOL + 1], *nest;
	struct ivshm_swap_config cfg = { .attr = tb };
	int err;

	err = ivshm_nl_region_permitted(skb, info) ?:
	      swap_parse(info, tb, IVSHM_A_SWAP_KEEP_POOL, new_policy);
	if (err)
		return err;
	nest = info->attrs[IVSHM_A_SWAP];
	if (NL_REQ_ATTR_CHECK(info->extack, nest, tb, IVSHM_A_SWAP_POOL)) {
		GENL_SET_ERR_MSG(info, "the region that the pages are from is missing");
		return -EINVAL;
	}
	if (NL_REQ_ATTR_CHECK(info->extack, nest, tb, IVSHM_A_SWAP_SIZE)) {
		GENL_SET_ERR_MSG(info, "the size of the range is missing");
		return -EINVAL;
	}
	cfg.region = nla_data(tb[IVSHM_A_SWAP_REGION]);
	cfg.offset = nla_get_u64(tb[IVSHM_A_SWAP_OFFSET]);
	cfg.pool = nla_data(tb[IVSHM_A_SWAP_POOL]);
	if (tb[IVSHM_A_SWAP_POOL_OFFSET])
		cfg.pool_offset = nla_get_u64(tb[IVSHM_A_SWAP_POOL_OFFSET]);
	cfg.size = nla_get_u64(tb[IVSHM_A_SWAP_SIZE]);
	cfg.keep_pool = tb[IVSHM_A_SWAP_KEEP_POOL];
	return ivshm_swap_new(&cfg, info->extack);
}

int ivshm_nl_swap_del(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr *tb[IVSHM_A_SWAP_FORCE + 1];
	struct ivshm_swap_config cfg = { .attr = tb };
	int err;

	err = ivshm_nl_region_permitted(skb, info) ?:
	      swap_parse(info, tb, IVSHM_A_SWAP_FORCE, del_policy);
	if (err)
		return err;
	cfg.region = nla_data(tb[IVSHM_A_SWAP_REGION]);
	cfg.offset = nla_get_u64(tb[IVSHM_A_SWAP_OFFSET]);
	cfg.force = tb[IVSHM_A_SWAP_FORCE];
	return ivshm_swap_del(&cfg, info->extack);
}

static int swap_dump_one(struct sk_buff *skb, struct netlink_callback *cb,
			 const struct ivshm_swap *swap)
{
	void *hdr = ivshm_nl_dump_put(skb, cb, IVSHM_CMD_SWAP_GET);

	if (!hdr)
		return -EMSGSIZE;
	return ivshm_nl_dump_end(skb, hdr, swap_fill(skb, swap));
}

/* cb->args[0]: swaps that have been shown; others are added behind them */
int ivshm_nl_swap_dump(struct sk_buff *skb, struct netlink_callback *cb)
{
	const struct ivshm_swap *swap;
	long nr = 0;
	int err;

	err = ivshm_nl_dump_begin(cb);
	if (err || !net_eq(sock_net(skb->sk), &init_net))
		return err;
	mutex_lock(&ivshm_region_mutex);
	cb->seq = ivshm_nl_seq();
	list_for_each_entry(swap, &ivshm_swaps, list) {
		if (nr++ < cb->args[0])
			continue;
		err = swap_dump_one(skb, cb, swap);
		if (err)
			break;
		cb->args[0]++;
	}
	mutex_unlock(&ivshm_region_mutex);
	return skb->len ?: err;
}
