// SPDX-License-Identifier: GPL-2.0
/* Netlink: the address table. */
#include <linux/if_ether.h>
#include <linux/jiffies.h>
#include <linux/socket.h>
#include <net/sock.h>

#include "addr.h"
#include "ivshm.h"
#include "netlink.h"
#include "port.h"

struct addr_dump {
	struct sk_buff *skb;
	struct netlink_callback *cb;
	const struct ivshm_port *port;
};

static int addr_put(struct sk_buff *skb, const struct ivshm_addr *addr,
		    const char *port)
{
	unsigned long age = jiffies - READ_ONCE(addr->seen);
	struct nlattr *nest;

	nest = nla_nest_start(skb, IVSHM_A_ADDR);
	if (!nest ||
	    nla_put(skb, IVSHM_A_ADDR_MAC, ETH_ALEN, addr->key.addr) ||
	    nla_put_string(skb, IVSHM_A_ADDR_PORT, port) ||
	    nla_put_u32(skb, IVSHM_A_ADDR_AGE, age / HZ))
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

	if (addr->key.family != AF_PACKET)
		return 0;
	hdr = ivshm_nl_dump_put(dump->skb, cb, IVSHM_CMD_ADDR_GET);
	if (!hdr)
		return -EMSGSIZE;
	err = ivshm_nl_dump_end(dump->skb, hdr,
				addr_put(dump->skb, addr, dump->port->name));
	if (!err)
		cb->args[1]++;
	return err;
}

/* cb->args[0]: ports of the namespace that are done */
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
		dump.port = port;
		err = ivshm_addr_for_each(port, cb->args[1], addr_dump_one,
					  &dump);
		if (err)
			break;
		cb->args[0]++;
		cb->args[1] = 0;
	}
	mutex_unlock(&ivshm_mutex);
	return skb->len ?: err;
}
