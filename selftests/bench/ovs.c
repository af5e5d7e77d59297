// SPDX-License-Identifier: GPL-2.0
/*
 * Open vSwitch's kernel datapath without its daemons: a datapath, a port for
 * each tap, and for each pair the flow that a learning switch would install.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/openvswitch.h>
#include <netlink/genl/ctrl.h>
#include <netlink/genl/genl.h>
#include <netlink/netlink.h>
#include <string.h>

#include "bench.h"

static struct nl_sock *sk;

static struct nl_msg *request(const char *family, __u8 cmd, int version, const char *dp)
{
	struct nl_msg *msg = nlmsg_alloc();
	struct ovs_header *h;

	h = genlmsg_put(msg, 0, 0, genl_ctrl_resolve(sk, family), sizeof(*h),
			NLM_F_REQUEST | NLM_F_ACK, cmd, version);
	h->dp_ifindex = dp ? if_nametoindex(dp) : 0;
	return msg;
}

/* 0 or -errno; libnl's numbers are made ours. */
static int answer(struct nl_msg *msg, const char *what)
{
	int err = nl_send_sync(sk, msg);

	if (err)
		fprintf(stderr, "# ovs: %s: %s\n", what, nl_geterror(err));
	return err ? -EIO : 0;
}

static int datapath_new(const char *name)
{
	struct nl_msg *msg = request(OVS_DATAPATH_FAMILY, OVS_DP_CMD_NEW,
				     OVS_DATAPATH_VERSION, NULL);

	nla_put_string(msg, OVS_DP_ATTR_NAME, name);
	nla_put_u32(msg, OVS_DP_ATTR_UPCALL_PID, 0);
	return answer(msg, "datapath");
}

static int port_new(const char *dp, const char *dev, __u32 number)
{
	struct nl_msg *msg = request(OVS_VPORT_FAMILY, OVS_VPORT_CMD_NEW,
				     OVS_VPORT_VERSION, dp);

	nla_put_u32(msg, OVS_VPORT_ATTR_PORT_NO, number);
	nla_put_u32(msg, OVS_VPORT_ATTR_TYPE, OVS_VPORT_TYPE_NETDEV);
	nla_put_string(msg, OVS_VPORT_ATTR_NAME, dev);
	nla_put_u32(msg, OVS_VPORT_ATTR_UPCALL_PID, 0);
	return answer(msg, dev);
}

static void key_put(struct nl_msg *msg, int attr, __u32 port,
		    const struct ovs_key_ethernet *eth, __be16 type,
		    const struct ovs_key_ipv4 *ip)
{
	struct nlattr *key = nla_nest_start(msg, attr | NLA_F_NESTED);

	nla_put_u32(msg, OVS_KEY_ATTR_IN_PORT, port);
	nla_put(msg, OVS_KEY_ATTR_ETHERNET, sizeof(*eth), eth);
	nla_put_u16(msg, OVS_KEY_ATTR_ETHERTYPE, type);
	nla_put(msg, OVS_KEY_ATTR_IPV4, sizeof(*ip), ip);
	nla_nest_end(msg, key);
}

static int flow_new(const char *dp, const struct vm *from, const struct vm *to)
{
	struct nl_msg *msg = request(OVS_FLOW_FAMILY, OVS_FLOW_CMD_NEW,
				     OVS_FLOW_VERSION, dp);
	struct ovs_key_ethernet eth, eth_mask;
	struct ovs_key_ipv4 ip = {}, ip_mask = { .ipv4_frag = 0xff };
	struct nlattr *actions;

	memcpy(eth.eth_src, from->g.mac, ETH_ALEN);
	memcpy(eth.eth_dst, to->g.mac, ETH_ALEN);
	memset(&eth_mask, 0xff, sizeof(eth_mask));
	key_put(msg, OVS_FLOW_ATTR_KEY, from->id + 1, &eth, htons(ETH_P_IP), &ip);
	key_put(msg, OVS_FLOW_ATTR_MASK, 0xffffffff, &eth_mask, 0xffff, &ip_mask);
	actions = nla_nest_start(msg, OVS_FLOW_ATTR_ACTIONS | NLA_F_NESTED);
	nla_put_u32(msg, OVS_ACTION_ATTR_OUTPUT, to->id + 1);
	nla_nest_end(msg, actions);
	return answer(msg, "flow");
}

int ovs_setup(void)
{
	int i, j, err;

	sk = nl_socket_alloc();
	if (genl_connect(sk))
		return -EIO;
	err = datapath_new("ovs0");
	for (i = 0; i < opt.ports && !err; i++)
		err = port_new("ovs0", vms[i].dev, i + 1);
	for (i = 0; i < opt.ports; i++)
		for (j = 0; j < opt.ports && !err; j++)
			if (i != j)
				err = flow_new("ovs0", &vms[i], &vms[j]);
	return err ?: env_updown("ovs0", true);
}
