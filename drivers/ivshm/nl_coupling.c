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
#include "space.h"

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

static const struct nla_policy denial_policy[IVSHM_A_PAIR_DST + 1] = {
	[IVSHM_A_PAIR_SRC] = { .type = NLA_NUL_STRING, .len = IFNAMSIZ - 1 },
	[IVSHM_A_PAIR_DST] = { .type = NLA_NUL_STRING, .len = IFNAMSIZ - 1 },
};

static const struct nla_policy denials_policy[IVSHM_A_COUPLING_PAIR + 1] = {
	[IVSHM_A_COUPLING_PAIR] = NLA_POLICY_NESTED(denial_policy),
};

/* Ranges are for coupling_config.c, which says what they are. */
static const struct nla_policy new_policy[IVSHM_A_COUPLING_DENY + 1] = {
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
	[IVSHM_A_COUPLING_FULL] = { .type = NLA_U32 },
	[IVSHM_A_COUPLING_RATE_BYTES] = { .type = NLA_U64 },
	[IVSHM_A_COUPLING_RATE_FRAMES] = { .type = NLA_U32 },
	[IVSHM_A_COUPLING_DENY] = NLA_POLICY_NESTED(denials_policy),
};

static const struct nla_policy name_policy[IVSHM_A_COUPLING_NAME + 1] = {
	[IVSHM_A_COUPLING_NAME] = { .type = NLA_NUL_STRING,
				    .len = IVSHM_NAME_MAX - 1 },
};

static const struct nla_policy set_policy[IVSHM_A_COUPLING_ALLOW + 1] = {
	[IVSHM_A_COUPLING_NAME] = { .type = NLA_NUL_STRING,
				    .len = IVSHM_NAME_MAX - 1 },
	[IVSHM_A_COUPLING_THRESHOLD] = { .type = NLA_U32 },
	[IVSHM_A_COUPLING_IDLE] = { .type = NLA_U32 },
	[IVSHM_A_COUPLING_PARK_US] = { .type = NLA_U32 },
	[IVSHM_A_COUPLING_DISABLED] = { .type = NLA_U8 },
	[IVSHM_A_COUPLING_FULL] = { .type = NLA_U32 },
	[IVSHM_A_COUPLING_RATE_BYTES] = { .type = NLA_U64 },
	[IVSHM_A_COUPLING_RATE_FRAMES] = { .type = NLA_U32 },
	[IVSHM_A_COUPLING_DENY] = NLA_POLICY_NESTED(denials_policy),
	[IVSHM_A_COUPLING_ALLOW] = NLA_POLICY_NESTED(denials_policy),
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

/* How many there are in @nest, which may be NULL. */
static u32 list_length(const struct nlattr *nest)
{
	const struct nlattr *attr;
	u32 nr = 0;
	int rem;

	if (nest)
		nla_for_each_nested(attr, nest, rem)
			nr++;
	return nr;
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
	u32 max = list_length(tb[IVSHM_A_COUPLING_MEMBERS]) +
		  list_length(tb[IVSHM_A_COUPLING_RULES]);

	/* One more than allowed, so that too many can be told from enough. */
	cfg->member = kcalloc(min(max, IVSHM_MEMBERS_MAX + 1U), sizeof(*cfg->member),
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
	if (tb[IVSHM_A_COUPLING_FULL])
		cfg->full = nla_get_u32(tb[IVSHM_A_COUPLING_FULL]);
	if (tb[IVSHM_A_COUPLING_RATE_BYTES])
		cfg->rate_bytes = nla_get_u64(tb[IVSHM_A_COUPLING_RATE_BYTES]);
	if (tb[IVSHM_A_COUPLING_RATE_FRAMES])
		cfg->rate_frames = nla_get_u32(tb[IVSHM_A_COUPLING_RATE_FRAMES]);
	for (i = 0; i <= IVSHM_A_COUPLING_RATE_FRAMES; i++)
		if (tb[i])
			cfg->given |= BIT(i);
}

/* Also many more than there can be: the first of those is refused. */
static int parse_denials(const struct nlattr *nest, struct ivshm_coupling_denial **list, u32 *nr,
			 struct netlink_ext_ack *extack)
{
	struct nlattr *tb[IVSHM_A_PAIR_DST + 1];
	u32 max = list_length(nest);
	const struct nlattr *attr;
	int rem, err;

	if (!nest)
		return 0;
	*list = kvcalloc(max, sizeof(**list), GFP_KERNEL);
	if (!*list && max) {
		NL_SET_ERR_MSG(extack, "not enough memory for the request");
		return -ENOMEM;
	}
	nla_for_each_nested(attr, nest, rem) {
		struct ivshm_coupling_denial *denial = &(*list)[*nr];

		err = nla_parse_nested(tb, IVSHM_A_PAIR_DST, attr, denial_policy, extack);
		if (err)
			return err;
		if (NL_REQ_ATTR_CHECK(extack, attr, tb, IVSHM_A_PAIR_SRC) ||
		    NL_REQ_ATTR_CHECK(extack, attr, tb, IVSHM_A_PAIR_DST)) {
			NL_SET_ERR_MSG_ATTR(extack, attr,
					    "a pair needs the names of both ends");
			return -EINVAL;
		}
		nla_strscpy(denial->names.src, tb[IVSHM_A_PAIR_SRC], IFNAMSIZ);
		nla_strscpy(denial->names.dst, tb[IVSHM_A_PAIR_DST], IFNAMSIZ);
		denial->attr = attr;
		++*nr;
	}
	return 0;
}

static void config_free(struct ivshm_coupling_config *cfg)
{
	kvfree(cfg->allow);
	kvfree(cfg->deny);
	kfree(cfg->member);
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
	return parse_denials(tb[IVSHM_A_COUPLING_DENY], &cfg->deny, &cfg->nr_deny,
			     info->extack) ?:
	       parse_members(tb, cfg, info->extack);
}

int ivshm_nl_coupling_new(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr *tb[IVSHM_A_COUPLING_DENY + 1];
	struct ivshm_coupling_config cfg = {};
	int err;

	err = ivshm_nl_parse_nest(info, IVSHM_A_COUPLING, tb,
				  IVSHM_A_COUPLING_DENY, new_policy);
	if (err)
		return err;
	err = parse_config(info, tb, &cfg);
	if (!err) {
		mutex_lock(&ivshm_mutex);
		err = ivshm_coupling_new(genl_info_net(info), &cfg, info->extack);
		mutex_unlock(&ivshm_mutex);
	}
	config_free(&cfg);
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
	struct nlattr *tb[IVSHM_A_COUPLING_ALLOW + 1];
	struct ivshm_coupling_config cfg = {};
	struct ivshm_coupling *coupling;
	bool running = false;
	int err;

	err = ivshm_nl_parse_nest(info, IVSHM_A_COUPLING, tb,
				  IVSHM_A_COUPLING_ALLOW, set_policy);
	if (err)
		return err;
	parse_options(tb, &cfg);
	err = parse_denials(tb[IVSHM_A_COUPLING_ALLOW], &cfg.allow, &cfg.nr_allow, info->extack) ?:
	      parse_denials(tb[IVSHM_A_COUPLING_DENY], &cfg.deny, &cfg.nr_deny, info->extack);
	if (err)
		goto free;
	mutex_lock(&ivshm_mutex);
	coupling = coupling_named(info, tb, &err);
	if (coupling)
		err = ivshm_coupling_set(coupling, &cfg, info->extack);
	if (!err)
		running = coupling->running;
	mutex_unlock(&ivshm_mutex);
	/* Whoever was deciding meanwhile may still send what is denied now. */
	if (!err && cfg.nr_deny && running)
		synchronize_rcu();
free:
	config_free(&cfg);
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

static int coupling_reply(struct genl_info *info,
			  const struct ivshm_coupling *coupling)
{
	size_t size = ivshm_nl_coupling_size(coupling);
	struct sk_buff *reply;
	u32 pos = 0;
	void *hdr;
	int err = -EMSGSIZE;

	if (size <= IVSHM_NL_NEST_MAX) {
		reply = ivshm_nl_reply_new(info, size, &hdr);
		if (!reply)
			return -ENOMEM;
		if (!ivshm_nl_coupling_fill(reply, coupling, &pos))
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
		more = ivshm_nl_coupling_fill(skb, coupling, pos);
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
	list_for_each_entry(coupling, &ivshm_space(net)->couplings, list) {
		if (coupling->id < dump->id)
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
