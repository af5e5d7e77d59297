/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _IVSHM_COMPAT_NET_RTNETLINK_H
#define _IVSHM_COMPAT_NET_RTNETLINK_H

#include <linux/version.h>

#include_next <net/rtnetlink.h>

/*
 * IVSHM_RTNL_NEWLINK - define a newlink() of struct rtnl_link_ops
 *
 * It calls @function with the namespace that IFLA_LINK is about, the new device, the
 * attributes and extack.  Since 6.15 they come in a structure.
 */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 15, 0)
#define IVSHM_RTNL_NEWLINK(name, function)						\
static int name(struct net_device *dev, struct rtnl_newlink_params *params,		\
		struct netlink_ext_ack *extack)						\
{											\
	return function(rtnl_newlink_link_net(params), dev, params->tb, extack);	\
}
#else
#define IVSHM_RTNL_NEWLINK(name, function)						\
static int name(struct net *net, struct net_device *dev, struct nlattr *tb[],		\
		struct nlattr *data[], struct netlink_ext_ack *extack)			\
{											\
	return function(net, dev, tb, extack);						\
}
#endif

#endif /* _IVSHM_COMPAT_NET_RTNETLINK_H */
