// SPDX-License-Identifier: GPL-2.0
/* Netlink: the address table. */
#include <linux/etherdevice.h>
#include <linux/jiffies.h>
#include <linux/socket.h>
#include <net/sock.h>

#include "addr.h"
#include "ivshm.h"
#include "netlink.h"
#include "port.h"
#include "qp.h"

static const struct nla_policy new_policy[IVSHM_A_ADDR_LLADDR + 1] = {
	[IVSHM_A_ADDR_MAC] = NLA_POLICY_EXACT_LEN(ETH_ALEN),
	[IVSHM_A_ADDR_PORT] = { .type = NLA_NUL_STRING, .len = IFNAMSIZ - 1 },
	[IVSHM_A_ADDR_IPV4] = NLA_POLICY_EXACT_LEN(4),
	[IVSHM_A_ADDR_IPV6] = NLA_POLICY_EXACT_LEN(16),
	[IVSHM_A_ADDR_LLADDR] = NLA_POLICY_EXACT_LEN(ETH_ALEN),
};

static const struct nla_policy del_policy[IVSHM_A_ADDR_IPV6 + 1] = {
	[IVSHM_A_ADDR_MAC] = NLA_POLICY_EXACT_LEN(ETH_ALEN),
	[IVSHM_A_ADDR_IPV4] = NLA_POLICY_EXACT_LEN(4),
	[IVSHM_A_ADDR_IPV6] = NLA_POLICY_EXACT_LEN(16),
};

const struct nla_policy ivshm_nl_addr_new_policy[IVSHM_A_ADDR + 1] = {
	[IVSHM_A_ADDR] = NLA_POLICY_NESTED(new_policy),
};

const struct nla_policy ivshm_nl_addr_del_policy[IVSHM_A_ADDR + 1] = {
	[IVSHM_A_ADDR] = NLA_POLICY_NESTED(del_policy),
};

/*
 * Requests
 */

/* Exactly one address into @cfg. */
static int parse_addr(struct genl_info *info, struct nlattr **tb,
		      struct ivshm_addr_config *cfg)
{
	static const struct {
		int attr;
		u16 family;
	} kinds[] = {
		{ IVSHM_A_ADDR_MAC, AF_PACKET },
		{ IVSHM_A_ADDR_IPV4, AF_INET },
		{ IVSHM_A_ADDR_IPV6, AF_INET6 },
	};
	const struct nlattr *attr;
	int i;

	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		attr = tb[kinds[i].attr];
		if (!attr)
			continue;
		if (cfg->addr_attr) {
			NL_SET_ERR_MSG_ATTR(info->extack, attr, "more than one address");
			return -EINVAL;
		}
		cfg->addr_attr = attr;
		cfg->family = kinds[i].family;
		memcpy(cfg->addr, nla_data(attr), nla_len(attr));
	}
	if (!cfg->addr_attr) {
		NL_SET_ERR_MSG_ATTR(info->extack, info->attrs[IVSHM_A_ADDR],
				    "the address is missing");
		return -EINVAL;
	}
	return 0;
}

int ivshm_nl_addr_new(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr *tb[IVSHM_A_ADDR_LLADDR + 1];
	struct ivshm_addr_config cfg = {};
	int err;

	err = ivshm_nl_parse_nest(info, IVSHM_A_ADDR, tb, IVSHM_A_ADDR_LLADDR, new_policy);
	if (err)
		return err;
	err = parse_addr(info, tb, &cfg);
	if (err)
		return err;
	if (NL_REQ_ATTR_CHECK(info->extack, info->attrs[IVSHM_A_ADDR], tb,
			      IVSHM_A_ADDR_PORT)) {
		GENL_SET_ERR_MSG(info, "the port of the address is missing");
		return -EINVAL;
	}
	cfg.name_attr = tb[IVSHM_A_ADDR_PORT];
	nla_strscpy(cfg.name, cfg.name_attr, sizeof(cfg.name));
	cfg.lladdr_attr = tb[IVSHM_A_ADDR_LLADDR];
	cfg.has_lladdr = cfg.lladdr_attr;
	if (cfg.has_lladdr)
		ether_addr_copy(cfg.lladdr, nla_data(cfg.lladdr_attr));

	mutex_lock(&ivshm_mutex);
	err = ivshm_addr_config_add(genl_info_net(info), &cfg, info->extack);
	mutex_unlock(&ivshm_mutex);
	return err;
}

int ivshm_nl_addr_del(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr *tb[IVSHM_A_ADDR_IPV6 + 1];
	struct ivshm_addr_config cfg = {};
	int err;

	err = ivshm_nl_parse_nest(info, IVSHM_A_ADDR, tb, IVSHM_A_ADDR_IPV6, del_policy);
	if (!err)
		err = parse_addr(info, tb, &cfg);
	if (err)
		return err;
	mutex_lock(&ivshm_mutex);
	err = ivshm_addr_config_del(genl_info_net(info), &cfg, info->extack);
	mutex_unlock(&ivshm_mutex);
	return err;
}

/*
 * Dumps
 */

struct addr_dump {
	struct sk_buff *skb;
	struct netlink_callback *cb;
	const char *name;	/* of the port, NULL for one that does not run */
	u64 ring;
};

static int addr_put_key(struct sk_buff *skb, const struct ivshm_addr *addr)
{
	switch (addr->key.family) {
	case AF_PACKET:
		return nla_put(skb, IVSHM_A_ADDR_MAC, ETH_ALEN, addr->key.addr);
	case AF_INET:
		return nla_put(skb, IVSHM_A_ADDR_IPV4, 4, addr->key.addr);
	default:
		return nla_put(skb, IVSHM_A_ADDR_IPV6, 16, addr->key.addr);
	}
}

static int addr_put(struct sk_buff *skb, const struct ivshm_addr *addr,
		    const struct addr_dump *dump)
{
	unsigned long age = jiffies - READ_ONCE(addr->seen);
	struct nlattr *nest;

	nest = nla_nest_start(skb, IVSHM_A_ADDR);
	if (!nest || addr_put_key(skb, addr) ||
	    nla_put_string(skb, IVSHM_A_ADDR_PORT, dump->name ?: addr->name) ||
	    (addr->configured && nla_put_flag(skb, IVSHM_A_ADDR_CONFIGURED)) ||
	    (addr->has_lladdr &&
	     nla_put(skb, IVSHM_A_ADDR_LLADDR, ETH_ALEN, addr->lladdr)) ||
	    (dump->name && nla_put_u32(skb, IVSHM_A_ADDR_AGE, age / HZ)) ||
	    (dump->ring != U64_MAX &&
	     nla_put_u64_64bit(skb, IVSHM_A_ADDR_RING, dump->ring, IVSHM_A_ADDR_PAD)))
		return -EMSGSIZE;
	nla_nest_end(skb, nest);
	return 0;
}

/* cb->args[1]: addresses of the current port that have been shown */
static int addr_dump_one(const struct ivshm_addr *addr, void *arg)
{
	struct addr_dump *dump = arg;
	struct netlink_callback *cb = dump->cb;
	void *hdr;
	int err;

	hdr = ivshm_nl_dump_put(dump->skb, cb, IVSHM_CMD_ADDR_GET);
	if (!hdr)
		return -EMSGSIZE;
	err = ivshm_nl_dump_end(dump->skb, hdr, addr_put(dump->skb, addr, dump));
	if (!err)
		cb->args[1]++;
	return err;
}

static u64 port_ring(struct ivshm_port *port)
{
	const struct ivshm_qp *qp;
	u64 ring = U64_MAX;

	rcu_read_lock();
	qp = list_first_or_null_rcu(&port->qps, struct ivshm_qp, port_list);
	if (qp)
		ring = READ_ONCE(qp->rx_gpa);
	rcu_read_unlock();
	return ring;
}

/*
 * First the ports with what they have, then what is at no port.
 * cb->args[0]: ports of the namespace that are done
 */
int ivshm_nl_addr_dump(struct sk_buff *skb, struct netlink_callback *cb)
{
	const struct net *net = sock_net(skb->sk);
	struct addr_dump dump = { .skb = skb, .cb = cb };
	struct ivshm_port *port;
	long skip = cb->args[0];
	int err;

	err = ivshm_nl_dump_begin(cb);
	if (err)
		return err;
	mutex_lock(&ivshm_mutex);
	cb->seq = ivshm_nl_seq();
	list_for_each_entry(port, &ivshm_ports, list) {
		if (!net_eq(port->net, net))
			continue;
		if (skip) {
			skip--;
			continue;
		}
		dump.name = port->name;
		dump.ring = port_ring(port);
		err = ivshm_addr_for_each(port, cb->args[1], addr_dump_one,
					  &dump);
		if (err)
			goto unlock;
		cb->args[0]++;
		cb->args[1] = 0;
	}
	dump.name = NULL;
	dump.ring = U64_MAX;
	err = ivshm_addr_config_absent(net, cb->args[1], addr_dump_one, &dump);
unlock:
	mutex_unlock(&ivshm_mutex);
	return skb->len ?: err;
}
