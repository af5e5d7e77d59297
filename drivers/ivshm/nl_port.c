// SPDX-License-Identifier: GPL-2.0
/* Netlink: ports. */
#include <linux/if_macvlan.h>
#include <linux/netdevice.h>
#include <linux/rcupdate.h>
#include <net/sock.h>

#include "coupling.h"
#include "ivshm.h"
#include "netlink.h"
#include "port.h"
#include "stats.h"

static const struct nla_policy port_policy[IVSHM_A_PORT_NAME + 1] = {
	[IVSHM_A_PORT_NAME] = { .type = NLA_NUL_STRING, .len = IFNAMSIZ - 1 },
};

const struct nla_policy ivshm_nl_port_get_policy[IVSHM_A_PORT + 1] = {
	[IVSHM_A_PORT] = NLA_POLICY_NESTED(port_policy),
};

/* What the interface is attached to, 0 for nothing or for another namespace. */
static int port_upper(const struct net_device *dev, const struct net *net)
{
	const struct net_device *upper;

	if (netif_is_macvlan(dev))
		upper = READ_ONCE(((struct macvlan_dev *)netdev_priv(dev))->lowerdev);
	else
		upper = netdev_master_upper_dev_get_rcu((struct net_device *)dev);
	return upper && net_eq(dev_net(upper), net) ? upper->ifindex : 0;
}

static int port_put_dev(struct sk_buff *skb, const struct ivshm_port *port)
{
	const struct net_device *dev = rcu_dereference(port->dev);
	int upper;

	if (!dev)
		return 0;
	if (nla_put_u32(skb, IVSHM_A_PORT_IFINDEX, dev->ifindex))
		return -EMSGSIZE;
	upper = port_upper(dev, port->net);
	return upper ? nla_put_u32(skb, IVSHM_A_PORT_UPPER, upper) : 0;
}

/* The port's nest, except for its end. Under RCU. */
static int port_put(struct sk_buff *skb, const struct ivshm_port *port)
{
	const struct ivshm_member *member = rcu_dereference(port->member);

	if (nla_put_string(skb, IVSHM_A_PORT_NAME, port->name) ||
	    port_put_dev(skb, port) ||
	    nla_put_u32(skb, IVSHM_A_PORT_STATE, ivshm_port_shown_state(port)) ||
	    nla_put_u32(skb, IVSHM_A_PORT_QUEUES, port->nr_qps) ||
	    nla_put_u32(skb, IVSHM_A_PORT_QUEUES_USED, port->nr_rx ?
			ivshm_port_in_use(port, port->nr_rx) : 0) ||
	    nla_put_u32(skb, IVSHM_A_PORT_PID, port->pid) ||
	    nla_put_u64_64bit(skb, IVSHM_A_PORT_FEATURES, port->features,
			      IVSHM_A_PORT_PAD))
		return -EMSGSIZE;
	if (member && nla_put_string(skb, IVSHM_A_PORT_COUPLING,
				     member->coupling->name))
		return -EMSGSIZE;
	return 0;
}

static int port_fill(struct sk_buff *skb, const struct ivshm_port *port)
{
	struct nlattr *nest;
	int err;

	nest = nla_nest_start(skb, IVSHM_A_PORT);
	if (!nest)
		return -EMSGSIZE;
	rcu_read_lock();
	err = port_put(skb, port);
	rcu_read_unlock();
	if (!err && port->stats)
		err = ivshm_stats_put(skb, IVSHM_A_PORT_STATS, port->stats);
	if (err) {
		nla_nest_cancel(skb, nest);
		return err;
	}
	nla_nest_end(skb, nest);
	return 0;
}

void ivshm_nl_port_event(const struct ivshm_port *port,
			 enum ivshm_port_state old_state,
			 enum ivshm_port_state new_state,
			 enum ivshm_reason reason)
{
	struct nlattr *nest;
	struct sk_buff *skb;
	void *hdr;
	int err;

	skb = ivshm_nl_event_new(port->net, IVSHM_CMD_PORT_NTF, old_state,
				 new_state, reason, &hdr);
	if (!skb)
		return;
	nest = nla_nest_start(skb, IVSHM_A_PORT);
	if (!nest)
		goto free;
	rcu_read_lock();
	err = port_put(skb, port);
	rcu_read_unlock();
	if (err)
		goto free;
	nla_nest_end(skb, nest);
	ivshm_nl_event_send(port->net, skb, hdr);
	return;

free:
	nlmsg_free(skb);
}

static size_t port_msg_size(void)
{
	return nla_total_size(0) +
	       2 * nla_total_size(IVSHM_NAME_MAX) +	/* name, coupling */
	       6 * nla_total_size(sizeof(u32)) +
	       nla_total_size_64bit(sizeof(u64)) +
	       ivshm_stats_size();
}

int ivshm_nl_port_get(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr *tb[IVSHM_A_PORT_NAME + 1];
	struct ivshm_port *port;
	struct sk_buff *reply;
	void *hdr;
	int err;

	err = ivshm_nl_parse_nest(info, IVSHM_A_PORT, tb, IVSHM_A_PORT_NAME,
				  port_policy);
	if (err)
		return err;
	if (NL_REQ_ATTR_CHECK(info->extack, info->attrs[IVSHM_A_PORT], tb,
			      IVSHM_A_PORT_NAME)) {
		GENL_SET_ERR_MSG(info, "the name of the port is missing");
		return -EINVAL;
	}
	reply = ivshm_nl_reply_new(info, port_msg_size(), &hdr);
	if (!reply)
		return -ENOMEM;
	mutex_lock(&ivshm_mutex);
	port = ivshm_port_find(genl_info_net(info),
			       nla_data(tb[IVSHM_A_PORT_NAME]));
	err = port ? port_fill(reply, port) : -ENODEV;
	mutex_unlock(&ivshm_mutex);
	if (err == -ENODEV)
		NL_SET_ERR_MSG_ATTR(info->extack, tb[IVSHM_A_PORT_NAME],
				    "no such port");
	return ivshm_nl_reply_send(info, reply, hdr, err);
}

static int port_dump_one(struct sk_buff *skb, struct netlink_callback *cb,
			 const struct ivshm_port *port)
{
	void *hdr = ivshm_nl_dump_put(skb, cb, IVSHM_CMD_PORT_GET);

	if (!hdr)
		return -EMSGSIZE;
	return ivshm_nl_dump_end(skb, hdr, port_fill(skb, port));
}

/* cb->args[0]: ports of the namespace that have been shown */
int ivshm_nl_port_dump(struct sk_buff *skb, struct netlink_callback *cb)
{
	const struct net *net = sock_net(skb->sk);
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
		err = port_dump_one(skb, cb, port);
		if (err)
			break;
		cb->args[0]++;
	}
	mutex_unlock(&ivshm_mutex);
	/* What has been written is sent first. */
	return skb->len ?: err;
}
