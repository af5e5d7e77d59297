// SPDX-License-Identifier: GPL-2.0
/* Couplings: is what an administrator asks for possible? */
#include <linux/ctype.h>
#include <linux/ktime.h>
#include <linux/netdevice.h>
#include <linux/netlink.h>

#include "addr.h"
#include "coupling.h"
#include "ivshm.h"
#include "space.h"

/* Where a value came from, to be named when it is refused. */
static const struct nlattr *config_attr(const struct ivshm_coupling_config *cfg,
					int which)
{
	return cfg->attr ? cfg->attr[which] : NULL;
}

/* A name that can be typed, printed and put into a configuration file. */
static bool config_name_valid(const char *name)
{
	const char *c;

	if (!*name || strnlen(name, IVSHM_NAME_MAX) == IVSHM_NAME_MAX)
		return false;
	for (c = name; *c; c++)
		if (!isascii(*c) || !isgraph(*c) || *c == '/')
			return false;
	return true;
}

/* Refuses option @which, if it was given and is more than @max. */
static int config_at_most(const struct ivshm_coupling_config *cfg, int which, u64 value, u64 max,
			  struct netlink_ext_ack *extack, const char *msg)
{
	if (!(cfg->given & BIT(which)) || value <= max)
		return 0;
	NL_SET_BAD_ATTR(extack, config_attr(cfg, which));
	if (extack)
		extack->_msg = msg;
	return -EINVAL;
}

int ivshm_coupling_check_options(const struct ivshm_coupling_config *cfg,
				 struct netlink_ext_ack *extack)
{
	static const u8 dynamic_only[] = {
		IVSHM_A_COUPLING_THRESHOLD,
		IVSHM_A_COUPLING_IDLE,
		IVSHM_A_COUPLING_BYPASS,
		IVSHM_A_COUPLING_MATCH,
	};
	int i;

	if (!config_name_valid(cfg->name)) {
		NL_SET_ERR_MSG_ATTR(extack, config_attr(cfg, IVSHM_A_COUPLING_NAME),
				    "name of a coupling must be 1 to 31 printable characters without space and slash");
		return -EINVAL;
	}
	if (cfg->type != IVSHM_COUPLING_STATIC &&
	    cfg->type != IVSHM_COUPLING_DYNAMIC) {
		NL_SET_ERR_MSG_ATTR(extack, config_attr(cfg, IVSHM_A_COUPLING_TYPE),
				    "type must be static or dynamic");
		return -EINVAL;
	}
	if (cfg->type == IVSHM_COUPLING_STATIC) {
		for (i = 0; i < ARRAY_SIZE(dynamic_only); i++) {
			if (!(cfg->given & BIT(dynamic_only[i])))
				continue;
			NL_SET_ERR_MSG_ATTR(extack, config_attr(cfg, dynamic_only[i]),
					    "threshold, idle, bypass and match are for dynamic couplings only");
			return -EINVAL;
		}
	}
	/* One less: 0 is out of range as well. */
	return config_at_most(cfg, IVSHM_A_COUPLING_THRESHOLD, cfg->threshold - 1,
			      IVSHM_THRESHOLD_MAX - 1, extack,
			      "threshold must be 1 to 1000000 frames") ?:
	       config_at_most(cfg, IVSHM_A_COUPLING_IDLE, cfg->idle, IVSHM_IDLE_MAX, extack,
			      "idle must be at most 86400 seconds") ?:
	       config_at_most(cfg, IVSHM_A_COUPLING_PARK_US, cfg->park_us, IVSHM_PARK_US_MAX,
			      extack, "park_us must be at most 1000000 microseconds") ?:
	       config_at_most(cfg, IVSHM_A_COUPLING_BYPASS, cfg->bypass, 1, extack,
			      "bypass must be 0 or 1") ?:
	       config_at_most(cfg, IVSHM_A_COUPLING_STRICT, cfg->strict, 1, extack,
			      "strict must be 0 or 1") ?:
	       config_at_most(cfg, IVSHM_A_COUPLING_MATCH, cfg->match, IVSHM_MATCH_IP, extack,
			      "match must be mac or ip") ?:
	       config_at_most(cfg, IVSHM_A_COUPLING_DISABLED, cfg->disabled, 1, extack,
			      "disabled must be 0 or 1") ?:
	       config_at_most(cfg, IVSHM_A_COUPLING_FULL, cfg->full, IVSHM_FULL_DROP, extack,
			      "full must be park or drop") ?:
	       config_at_most(cfg, IVSHM_A_COUPLING_RATE_BYTES, cfg->rate_bytes,
			      IVSHM_RATE_BYTES_MAX, extack,
			      "rate_bytes must be at most 100000000000 bytes a second") ?:
	       config_at_most(cfg, IVSHM_A_COUPLING_RATE_FRAMES, cfg->rate_frames,
			      IVSHM_RATE_FRAMES_MAX, extack,
			      "rate_frames must be at most 1000000000 frames a second");
}

/* Buckets are full from then on. */
static void config_set_rates(struct ivshm_coupling *coupling,
			     const struct ivshm_coupling_config *cfg)
{
	u64 now = ktime_get_ns();
	u32 i;

	if (cfg->given & BIT(IVSHM_A_COUPLING_RATE_BYTES))
		coupling->rate_bytes = cfg->rate_bytes;
	if (cfg->given & BIT(IVSHM_A_COUPLING_RATE_FRAMES))
		coupling->rate_frames = cfg->rate_frames;
	for (i = 0; i < coupling->nr; i++)
		ivshm_bucket_set(&coupling->member[i].bucket, coupling->rate_bytes,
				 coupling->rate_frames, now);
	WRITE_ONCE(coupling->limited, coupling->rate_bytes || coupling->rate_frames);
}

void ivshm_coupling_set_options(struct ivshm_coupling *coupling,
				const struct ivshm_coupling_config *cfg)
{
	if (cfg->given & BIT(IVSHM_A_COUPLING_THRESHOLD))
		WRITE_ONCE(coupling->threshold, cfg->threshold);
	if (cfg->given & BIT(IVSHM_A_COUPLING_IDLE))
		WRITE_ONCE(coupling->idle, cfg->idle);
	if (cfg->given & BIT(IVSHM_A_COUPLING_PARK_US))
		WRITE_ONCE(coupling->park_us, cfg->park_us);
	if (cfg->given & BIT(IVSHM_A_COUPLING_FULL))
		WRITE_ONCE(coupling->drops, cfg->full == IVSHM_FULL_DROP);
	if (cfg->given & (BIT(IVSHM_A_COUPLING_RATE_BYTES) |
			  BIT(IVSHM_A_COUPLING_RATE_FRAMES)))
		config_set_rates(coupling, cfg);
	/* What follows is given when it is made, only. */
	if (cfg->given & BIT(IVSHM_A_COUPLING_BYPASS))
		coupling->bypass = cfg->bypass;
	if (cfg->given & BIT(IVSHM_A_COUPLING_STRICT))
		coupling->strict = cfg->strict;
	if (cfg->given & BIT(IVSHM_A_COUPLING_MATCH))
		coupling->match = cfg->match;
}

static int config_check_rule(const struct ivshm_coupling_config *cfg,
			     const struct ivshm_coupling_place *place,
			     struct netlink_ext_ack *extack)
{
	const struct ivshm_rule *rule = &place->rule;

	switch (rule->kind) {
	case IVSHM_RULE_GLOB:
		if (config_name_valid(rule->name))
			break;
		NL_SET_ERR_MSG_ATTR(extack, place->attr,
				    "pattern must be printable characters without space and slash");
		return -EINVAL;
	case IVSHM_RULE_UPPER:
		if (dev_valid_name(rule->name))
			break;
		NL_SET_ERR_MSG_ATTR(extack, place->attr,
				    "upper device is not a valid interface name");
		return -EINVAL;
	case IVSHM_RULE_ADDR:
		if (ivshm_addr_valid(rule->family, rule->addr))
			return 0;
		NL_SET_ERR_MSG_ATTR(extack, place->attr,
				    "not an address that a port can have");
		return -EINVAL;
	}
	/* Whose packets pass the gateway unseen is to be written down. */
	if (cfg->given & BIT(IVSHM_A_COUPLING_MATCH) && cfg->match == IVSHM_MATCH_IP) {
		NL_SET_ERR_MSG_ATTR(extack, place->attr,
				    "members of a coupling that matches by IP must be explicit");
		return -EINVAL;
	}
	return 0;
}

static int config_check_members(const struct net *net,
				const struct ivshm_coupling_config *cfg,
				struct netlink_ext_ack *extack)
{
	u32 i, j, rules = 0;

	for (i = 0; i < cfg->nr; i++)
		rules += cfg->member[i].is_rule;
	if (cfg->nr < 2 && !rules) {
		NL_SET_ERR_MSG_ATTR(extack, config_attr(cfg, IVSHM_A_COUPLING_MEMBERS),
				    "a coupling needs at least two members, or a rule");
		return -EINVAL;
	}
	if (cfg->nr > IVSHM_MEMBERS_MAX) {
		NL_SET_ERR_MSG_ATTR(extack, config_attr(cfg, IVSHM_A_COUPLING_MEMBERS),
				    "a coupling has at most 64 members");
		return -E2BIG;
	}
	for (i = 0; i < cfg->nr; i++) {
		const struct ivshm_coupling_place *place = &cfg->member[i];

		if (place->is_rule) {
			int err = config_check_rule(cfg, place, extack);

			if (err)
				return err;
			continue;
		}
		if (!dev_valid_name(place->name)) {
			NL_SET_ERR_MSG_ATTR(extack, place->attr,
					    "member is not a valid interface name");
			return -EINVAL;
		}
		for (j = 0; j < i; j++) {
			if (cfg->member[j].is_rule ||
			    strcmp(place->name, cfg->member[j].name))
				continue;
			NL_SET_ERR_MSG_ATTR(extack, place->attr,
					    "member is named twice");
			return -EINVAL;
		}
		if (ivshm_coupling_place(net, place->name)) {
			NL_SET_ERR_MSG_ATTR(extack, place->attr,
					    "member belongs to another coupling");
			return -EBUSY;
		}
	}
	return 0;
}

static int config_check_room(const struct net *net,
			     const struct ivshm_coupling_config *cfg,
			     struct netlink_ext_ack *extack)
{
	if (ivshm_coupling_find(net, cfg->name)) {
		NL_SET_ERR_MSG_ATTR(extack, config_attr(cfg, IVSHM_A_COUPLING_NAME),
				    "a coupling of that name exists");
		return -EEXIST;
	}
	if (ivshm_space(net)->nr_couplings >= IVSHM_COUPLINGS_MAX) {
		NL_SET_ERR_MSG_ATTR(extack, config_attr(cfg, IVSHM_A_COUPLING_NAME),
				    "too many couplings in this namespace");
		return -ENOSPC;
	}
	return 0;
}

int ivshm_coupling_check(const struct net *net,
			 const struct ivshm_coupling_config *cfg,
			 struct netlink_ext_ack *extack)
{
	lockdep_assert_held(&ivshm_mutex);

	return ivshm_coupling_check_options(cfg, extack) ?:
	       config_check_room(net, cfg, extack) ?:
	       config_check_members(net, cfg, extack);
}
