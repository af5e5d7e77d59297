// SPDX-License-Identifier: GPL-2.0
/* Capture: see capture.h. */
#include <linux/etherdevice.h>
#include <linux/if_link.h>
#include <linux/netdevice.h>
#include <linux/rculist.h>
#include <linux/rtnetlink.h>
#include <net/addrconf.h>
#include <net/rtnetlink.h>

#include "capture.h"
#include "port.h"

/* In front, the rest in pages. */
#define CAPTURE_LINEAR	256

/**
 * struct ivshm_capture - a device that shows frames
 * @all:     in the list of all, under RTNL
 * @list:    in the list of those that are up
 * @dev:     the device
 * @port:    the interface whose frames are shown, NULL for all.  Not a reference:
 *	     we go before it does, and it is only compared
 * @ifindex: of @port, or 0
 */
struct ivshm_capture {
	struct list_head all;
	struct list_head list;
	struct net_device *dev;
	const struct net_device *port;
	int ifindex;
};

DEFINE_STATIC_KEY_FALSE(ivshm_capture_key);
/* Changed under RTNL, walked under RCU. */
static LIST_HEAD(captures);
static LIST_HEAD(captures_all);

static struct sk_buff *capture_copy(const struct ivshm_buf *buf)
{
	u32 linear = min_t(u32, buf->len, CAPTURE_LINEAR);
	struct sk_buff *skb;
	int err;

	skb = alloc_skb_with_frags(linear, buf->len - linear, PAGE_ALLOC_COSTLY_ORDER, &err,
				   GFP_ATOMIC | __GFP_NOWARN);
	if (!skb)
		return NULL;
	skb_put(skb, linear);
	skb->data_len = buf->len - linear;
	skb->len = buf->len;
	skb_store_bits(skb, 0, buf->data, buf->len);
	/* So that nobody calls a checksum wrong that is yet to be computed. */
	if (buf->hdr.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM)
		skb_partial_csum_set(skb, __virtio16_to_cpu(true, buf->hdr.csum_start),
				     __virtio16_to_cpu(true, buf->hdr.csum_offset));
	return skb;
}

static void capture_add(const struct ivshm_buf *buf, struct sk_buff_head *skbs)
{
	struct sk_buff *skb = capture_copy(buf);
	struct ivshm_capture *c;

	if (skb) {
		__skb_queue_tail(skbs, skb);
		return;
	}
	rcu_read_lock();
	list_for_each_entry_rcu(c, &captures, list)
		dev_core_stats_rx_dropped_inc(c->dev);
	rcu_read_unlock();
}

void ivshm_capture_take(const struct ivshm_frame *f, struct sk_buff_head *skbs)
{
	const struct ivshm_buf *buf;

	/* Converted, those go. */
	if (list_empty(&f->bufs)) {
		if (f->buf)
			capture_add(f->buf, skbs);
		return;
	}
	list_for_each_entry(buf, &f->bufs, list)
		capture_add(buf, skbs);
}

/* As if it came in from the guest, or went out to it: as the tap would show it. */
static void capture_one(struct net_device *dev, struct sk_buff *from, bool in)
{
	struct sk_buff *skb = skb_clone(from, GFP_ATOMIC | __GFP_NOWARN);

	if (!skb) {
		dev_core_stats_rx_dropped_inc(dev);
		return;
	}
	skb->dev = dev;
	if (in) {
		dev_sw_netstats_rx_add(dev, skb->len);
		skb->protocol = eth_type_trans(skb, dev);
		netif_rx(skb);
		return;
	}
	dev_sw_netstats_tx_add(dev, 1, skb->len);
	skb_reset_mac_header(skb);
	skb_set_network_header(skb, ETH_HLEN);
	skb->protocol = eth_hdr(skb)->h_proto;
	dev_queue_xmit(skb);
}

void ivshm_capture_show(const struct ivshm_port *src, const struct ivshm_port *dst,
			struct sk_buff_head *skbs)
{
	const struct net_device *from = src ? rcu_dereference(src->dev) : NULL;
	const struct net_device *to = dst ? rcu_dereference(dst->dev) : NULL;
	struct ivshm_capture *c;

	/* Counters are this processor's, as on any device's way. */
	local_bh_disable();
	list_for_each_entry_rcu(c, &captures, list) {
		bool in = from && (c->port == from ||
				   (!c->port && net_eq(dev_net(c->dev), dev_net(from))));
		bool out = to && c->port == to;
		struct sk_buff *skb;

		if (!in && !out)
			continue;
		skb_queue_walk(skbs, skb)
			capture_one(c->dev, skb, in);
	}
	local_bh_enable();
}

/* The taps have seen it. */
static rx_handler_result_t capture_rx(struct sk_buff **pskb)
{
	consume_skb(*pskb);
	return RX_HANDLER_CONSUMED;
}

static netdev_tx_t capture_xmit(struct sk_buff *skb, struct net_device *dev)
{
	consume_skb(skb);
	return NETDEV_TX_OK;
}

static int capture_init_dev(struct net_device *dev)
{
	struct ivshm_capture *c = netdev_priv(dev);

	dev->tstats = netdev_alloc_pcpu_stats(struct pcpu_sw_netstats);
	if (!dev->tstats)
		return -ENOMEM;
	list_add_tail(&c->all, &captures_all);
	return 0;
}

static void capture_uninit_dev(struct net_device *dev)
{
	struct ivshm_capture *c = netdev_priv(dev);

	list_del(&c->all);
	free_percpu(dev->tstats);
}

static int capture_open(struct net_device *dev)
{
	struct ivshm_capture *c = netdev_priv(dev);

	list_add_tail_rcu(&c->list, &captures);
	static_branch_inc(&ivshm_capture_key);
	return 0;
}

static int capture_stop(struct net_device *dev)
{
	struct ivshm_capture *c = netdev_priv(dev);

	static_branch_dec(&ivshm_capture_key);
	list_del_rcu(&c->list);
	/* It may be opened again at once. */
	synchronize_net();
	return 0;
}

static int capture_iflink(const struct net_device *dev)
{
	const struct ivshm_capture *c = netdev_priv(dev);

	return c->ifindex ?: dev->ifindex;
}

static const struct net_device_ops capture_ops = {
	.ndo_init = capture_init_dev,
	.ndo_uninit = capture_uninit_dev,
	.ndo_open = capture_open,
	.ndo_stop = capture_stop,
	.ndo_start_xmit = capture_xmit,
	.ndo_get_stats64 = dev_get_tstats64,
	.ndo_get_iflink = capture_iflink,
};

static void capture_setup(struct net_device *dev)
{
	struct ivshm_capture *c = netdev_priv(dev);

	c->dev = dev;
	ether_setup(dev);
	eth_hw_addr_random(dev);
	dev->netdev_ops = &capture_ops;
	dev->flags = IFF_NOARP;
	dev->priv_flags |= IFF_NO_QUEUE;
	dev->features = NETIF_F_SG | NETIF_F_FRAGLIST | NETIF_F_HIGHDMA | NETIF_F_HW_CSUM;
	ivshm_netdev_set_lltx(dev);
	dev->max_mtu = ETH_MAX_MTU;
	dev->needs_free_netdev = true;
}

static int capture_validate(struct nlattr *tb[], struct nlattr *data[],
			    struct netlink_ext_ack *extack)
{
	if (!tb[IFLA_ADDRESS])
		return 0;
	NL_SET_ERR_MSG_ATTR(extack, tb[IFLA_ADDRESS], "it has no use for an address");
	return -EINVAL;
}

static int capture_new(struct net *net, struct net_device *dev, struct nlattr *tb[],
		       struct netlink_ext_ack *extack)
{
	struct ivshm_capture *c = netdev_priv(dev);
	const struct net_device *port;
	int err;

	if (tb[IFLA_LINK]) {
		port = __dev_get_by_index(net, nla_get_u32(tb[IFLA_LINK]));
		if (!port) {
			NL_SET_ERR_MSG_ATTR(extack, tb[IFLA_LINK], "no such interface");
			return -ENODEV;
		}
		c->port = port;
		c->ifindex = port->ifindex;
	}
	err = register_netdevice(dev);
	if (err)
		return err;
	/* The host's stack sees none of the guests' frames, and says nothing of its own. */
	err = netdev_rx_handler_register(dev, capture_rx, NULL);
	if (err) {
		unregister_netdevice(dev);
		return err;
	}
#if IS_ENABLED(CONFIG_IPV6)
	if (__in6_dev_get(dev))
		__in6_dev_get(dev)->cnf.disable_ipv6 = 1;
#endif
	return 0;
}

IVSHM_RTNL_NEWLINK(capture_newlink, capture_new)

static void capture_del(struct net_device *dev, struct list_head *head)
{
	netdev_rx_handler_unregister(dev);
	unregister_netdevice_queue(dev, head);
}

static struct rtnl_link_ops capture_link_ops __read_mostly = {
	.kind = IVSHM_CAPTURE_KIND,
	.priv_size = sizeof(struct ivshm_capture),
	.setup = capture_setup,
	.validate = capture_validate,
	.newlink = capture_newlink,
	.dellink = capture_del,
};

/* What shows the frames of an interface goes with it. */
static int capture_event(struct notifier_block *nb, unsigned long event, void *ptr)
{
	const struct net_device *port = netdev_notifier_info_to_dev(ptr);
	const struct ivshm_capture *c;
	LIST_HEAD(gone);

	if (event != NETDEV_UNREGISTER)
		return NOTIFY_DONE;
	list_for_each_entry(c, &captures_all, all)
		if (c->port == port && c->dev->reg_state == NETREG_REGISTERED)
			capture_del(c->dev, &gone);
	unregister_netdevice_many(&gone);
	return NOTIFY_DONE;
}

static struct notifier_block capture_nb = {
	.notifier_call = capture_event,
};

int ivshm_capture_init(void)
{
	int err;

	err = rtnl_link_register(&capture_link_ops);
	if (err)
		return err;
	err = register_netdevice_notifier(&capture_nb);
	if (err)
		rtnl_link_unregister(&capture_link_ops);
	return err;
}

void ivshm_capture_exit(void)
{
	unregister_netdevice_notifier(&capture_nb);
	rtnl_link_unregister(&capture_link_ops);
}
