// SPDX-License-Identifier: GPL-2.0
/* The bridge's rules: would the bridge, or macvlan, have let this frame pass? */
#include <linux/etherdevice.h>
#include <linux/if_bridge.h>
#include <linux/if_macvlan.h>
#include <linux/if_vlan.h>
#include <linux/module.h>
#include <linux/neighbour.h>
#include <linux/netdevice.h>
#include <linux/rtnetlink.h>
#include <net/netlink.h>
#include <net/sch_generic.h>
#include <net/switchdev.h>
#include <net/tcx.h>

#include "addr.h"
#include "bridge_rules.h"
#include "ivshm.h"
#include "port.h"

atomic64_t ivshm_bridge_rules_generation = ATOMIC64_INIT(1);

/* What the bridge writes a forwarding entry into. Under RTNL. */
static struct sk_buff *rules_skb;

void ivshm_bridge_rules_begin(struct ivshm_bridge_rules *rules)
{
	ASSERT_RTNL();

	memset(rules, 0, sizeof(*rules));
	rules->stp_state = symbol_get(br_port_get_stp_state);
	rules->flag_is_set = symbol_get(br_port_flag_is_set);
	if (IS_ENABLED(CONFIG_BRIDGE_VLAN_FILTERING)) {
		rules->vlan_enabled = symbol_get(br_vlan_enabled);
		rules->mst_enabled = symbol_get(br_mst_enabled);
	}
}

void ivshm_bridge_rules_end(struct ivshm_bridge_rules *rules)
{
	if (rules->mst_enabled)
		symbol_put(br_mst_enabled);
	if (rules->vlan_enabled)
		symbol_put(br_vlan_enabled);
	if (rules->flag_is_set)
		symbol_put(br_port_flag_is_set);
	if (rules->stp_state)
		symbol_put(br_port_get_stp_state);
}

/* The bridge module answers, with all that this kernel's configuration has. */
static bool rules_have_bridge(const struct ivshm_bridge_rules *rules)
{
	if (!rules->stp_state || !rules->flag_is_set)
		return false;
	return !IS_ENABLED(CONFIG_BRIDGE_VLAN_FILTERING) ||
	       (rules->vlan_enabled && rules->mst_enabled);
}

/*
 * Filters and rate limits
 */

#ifdef CONFIG_NETFILTER_INGRESS
static bool dev_has_nf_ingress(const struct net_device *dev)
{
	return rcu_access_pointer(dev->nf_hooks_ingress);
}
#else
static bool dev_has_nf_ingress(const struct net_device *dev)
{
	return false;
}
#endif

#ifdef CONFIG_NETFILTER_EGRESS
static bool dev_has_nf_egress(const struct net_device *dev)
{
	return rcu_access_pointer(dev->nf_hooks_egress);
}
#else
static bool dev_has_nf_egress(const struct net_device *dev)
{
	return false;
}
#endif

#ifdef CONFIG_NETFILTER_FAMILY_BRIDGE
static bool net_has_nf_bridge(const struct net *net)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(net->nf.hooks_bridge); i++)
		if (rcu_access_pointer(net->nf.hooks_bridge[i]))
			return true;
	return false;
}
#else
static bool net_has_nf_bridge(const struct net *net)
{
	return false;
}
#endif

/* A queueing discipline that only queues. */
static bool qdisc_is_plain(struct Qdisc *q)
{
	static const char * const plain[] = {
		"noqueue", "pfifo_fast", "pfifo", "bfifo", "fq_codel",
	};
	const struct Qdisc_class_ops *cl_ops = q->ops->cl_ops;
	struct tcf_block *block;

	/* Filters may be attached to those that know classes or flows. */
	if (cl_ops && cl_ops->tcf_block) {
		block = cl_ops->tcf_block(q, 0, NULL);
		if (block && !list_empty(&block->chain_list))
			return false;
	}
	/* What the kernel attached by itself has no handle and no limit. */
	if (!q->handle)
		return true;
	return match_string(plain, ARRAY_SIZE(plain), q->ops->id) >= 0;
}

/* Nothing between the network stack and the driver can hold back a frame. */
static bool dev_has_plain_qdisc(struct net_device *dev)
{
	struct Qdisc *q = rtnl_dereference(dev->qdisc);
	unsigned int i;

	if (!q || !qdisc_is_plain(q))
		return !q;
	if (strcmp(q->ops->id, "mq"))
		return true;
	for (i = 0; i < dev->real_num_tx_queues; i++) {
		q = rtnl_dereference(netdev_get_tx_queue(dev, i)->qdisc_sleeping);
		if (q && !qdisc_is_plain(q))
			return false;
	}
	return true;
}

static bool dev_filters_ingress(struct net_device *dev)
{
	return ivshm_dev_has_tc_ingress(dev) || dev_has_nf_ingress(dev) ||
	       dev_xdp_prog_count(dev);
}

/* On a port both ways count: most rules are meant for both, or come in pairs. */
static bool dev_filters(struct net_device *dev)
{
	return dev_filters_ingress(dev) || ivshm_dev_has_tc_egress(dev) ||
	       dev_has_nf_egress(dev) || !dev_has_plain_qdisc(dev);
}

static bool dev_is_up(const struct net_device *dev)
{
	return netif_running(dev) && netif_carrier_ok(dev);
}

/*
 * Linux bridge
 */

static enum ivshm_reason rules_bridge(const struct ivshm_bridge_rules *rules,
				      struct net_device *br,
				      struct net_device *src,
				      struct net_device *dst)
{
	/*
	 * With these the bridge answers neighbour requests itself or changes
	 * the VLAN tag of what passes.
	 */
	static const unsigned long modes = BR_PROXYARP | BR_PROXYARP_WIFI |
					   BR_NEIGH_SUPPRESS | BR_VLAN_TUNNEL;

	if (!rules_have_bridge(rules))
		return IVSHM_REASON_NO_UPPER;
	if (!netif_running(br))
		return IVSHM_REASON_DOWN;
	if (rules->vlan_enabled && rules->vlan_enabled(br))
		return IVSHM_REASON_VLAN;
	if (rules->mst_enabled && rules->mst_enabled(br))
		return IVSHM_REASON_STP;
	if (rules->stp_state(src) != BR_STATE_FORWARDING ||
	    rules->stp_state(dst) != BR_STATE_FORWARDING)
		return IVSHM_REASON_STP;
	if (rules->flag_is_set(src, BR_ISOLATED) &&
	    rules->flag_is_set(dst, BR_ISOLATED))
		return IVSHM_REASON_ISOLATED;
	if (rules->flag_is_set(src, BR_PORT_LOCKED))
		return IVSHM_REASON_LOCKED;
	if (rules->flag_is_set(src, modes) || rules->flag_is_set(dst, modes))
		return IVSHM_REASON_MODE;
	/* A VLAN interface on the tap takes its frames before the bridge does. */
	if (vlan_uses_dev(src))
		return IVSHM_REASON_VLAN;
	if (net_has_nf_bridge(dev_net(src)))
		return IVSHM_REASON_FILTER;
	return IVSHM_REASON_NONE;
}

/*
 * Entries not refreshed for so long are.  Standards have a bridge keep them for 10 s
 * at least, and they are looked at every second.
 */
#define FDB_REFRESH	(4 * USER_HZ)

/*
 * The bridge's forwarding entry names @dev and is not one of the host's own.
 * @old: it was not refreshed for a while.
 */
static bool fdb_agrees(struct net_device *br, const struct net_device *dev,
		       const u8 *mac, bool *old)
{
	const struct net_device_ops *ops = br->netdev_ops;
	const struct nda_cacheinfo *info;
	const struct nlmsghdr *nlh;
	const struct nlattr *attr;
	const struct ndmsg *ndm;

	*old = false;
	if (!ops->ndo_fdb_get)
		return false;
	/*
	 * br_fdb_find_port() would not tell a local ("permanent") entry from
	 * others; the bridge gives frames for those to the host.
	 */
	skb_trim(rules_skb, 0);
	if (ops->ndo_fdb_get(rules_skb, NULL, br, mac, 0, 0, 0, NULL))
		return false;
	nlh = nlmsg_hdr(rules_skb);
	if (rules_skb->len < nlmsg_msg_size(sizeof(*ndm)))
		return false;
	ndm = nlmsg_data(nlh);
	attr = nlmsg_find_attr(nlh, sizeof(*ndm), NDA_CACHEINFO);
	if (attr && nla_len(attr) >= sizeof(*info)) {
		info = nla_data(attr);
		*old = info->ndm_updated > FDB_REFRESH;
	}
	return ndm->ndm_ifindex == dev->ifindex &&
	       !(ndm->ndm_state & NUD_PERMANENT);
}

/*
 * The bridge forgets where an address is when no frame of it comes by.  There is no
 * way to tell it but a frame: one to where it comes from, which the bridge learns
 * from and does not forward.  If the address has moved meanwhile, the next frame
 * from there tells.
 */
static void fdb_refresh(const struct ivshm_bridge_rules *rules, struct net_device *dev,
			const u8 *mac)
{
	struct sk_buff *skb;
	struct ethhdr *eth;

	/* It would be sent back. */
	if (rules->flag_is_set(dev, BR_HAIRPIN_MODE))
		return;
	skb = netdev_alloc_skb(dev, ETH_ZLEN);
	if (!skb)
		return;
	eth = skb_put_zero(skb, ETH_ZLEN);
	ether_addr_copy(eth->h_dest, mac);
	ether_addr_copy(eth->h_source, mac);
	eth->h_proto = htons(ETH_P_LOOPBACK);
	skb->protocol = eth_type_trans(skb, dev);
	local_bh_disable();
	netif_receive_skb(skb);
	local_bh_enable();
}

/*
 * macvlan
 */

static enum ivshm_reason rules_macvlan(struct net_device *src,
				       struct net_device *dst)
{
	struct macvlan_dev *a = netdev_priv(src), *b = netdev_priv(dst);
	struct net_device *lower = a->lowerdev, *upper;
	struct list_head *iter;
	bool copies = false;

	if (!lower || !b->lowerdev)
		return IVSHM_REASON_NO_UPPER;
	if (lower != b->lowerdev)
		return IVSHM_REASON_OTHER_UPPER;
	if (a->mode != MACVLAN_MODE_BRIDGE || b->mode != MACVLAN_MODE_BRIDGE)
		return IVSHM_REASON_MODE;
	if (!dev_is_up(lower))
		return IVSHM_REASON_DOWN;
	/* Frames between the two pass the lower device's receive path. */
	if (vlan_uses_dev(lower))
		return IVSHM_REASON_VLAN;
	if (dev_filters_ingress(lower))
		return IVSHM_REASON_FILTER;

	/* A macvlan in source mode gets copies of what others receive. */
	rcu_read_lock();
	netdev_for_each_upper_dev_rcu(lower, upper, iter) {
		struct macvlan_dev *vlan = netdev_priv(upper);

		if (netif_is_macvlan(upper) && vlan->mode == MACVLAN_MODE_SOURCE)
			copies = true;
	}
	rcu_read_unlock();
	return copies ? IVSHM_REASON_MODE : IVSHM_REASON_NONE;
}

enum ivshm_reason ivshm_bridge_rules_pair(const struct ivshm_bridge_rules *rules,
					  struct net_device *src,
					  struct net_device *dst)
{
	struct net_device *src_upper, *dst_upper;
	enum ivshm_reason reason;

	ASSERT_RTNL();

	if (!dev_is_up(src) || !dev_is_up(dst))
		return IVSHM_REASON_DOWN;

	if (netif_is_macvlan(src) && netif_is_macvlan(dst)) {
		reason = rules_macvlan(src, dst);
	} else if (netif_is_macvlan(src) || netif_is_macvlan(dst)) {
		reason = IVSHM_REASON_OTHER_UPPER;
	} else {
		src_upper = netdev_master_upper_dev_get(src);
		dst_upper = netdev_master_upper_dev_get(dst);
		if (!src_upper || !netif_is_bridge_master(src_upper) ||
		    !dst_upper || !netif_is_bridge_master(dst_upper))
			reason = IVSHM_REASON_NO_UPPER;
		else if (src_upper != dst_upper)
			reason = IVSHM_REASON_OTHER_UPPER;
		else
			reason = rules_bridge(rules, src_upper, src, dst);
	}
	if (!reason && (dev_filters(src) || dev_filters(dst)))
		reason = IVSHM_REASON_FILTER;
	return reason;
}

/* Would the bridge of @dev, if that is one, exchange frames with it? */
static enum ivshm_reason rules_end(const struct ivshm_bridge_rules *rules,
				   struct net_device *dev, bool sends)
{
	struct net_device *upper = netdev_master_upper_dev_get(dev);

	if (!dev_is_up(dev))
		return IVSHM_REASON_DOWN;
	if (dev_filters(dev))
		return IVSHM_REASON_FILTER;
	if (!upper)
		return IVSHM_REASON_NONE;
	if (!netif_is_bridge_master(upper) || !rules_have_bridge(rules))
		return IVSHM_REASON_MODE;
	if (!netif_running(upper))
		return IVSHM_REASON_DOWN;
	if (rules->stp_state(dev) != BR_STATE_FORWARDING)
		return IVSHM_REASON_STP;
	if (sends && rules->flag_is_set(dev, BR_PORT_LOCKED))
		return IVSHM_REASON_LOCKED;
	if (net_has_nf_bridge(dev_net(dev)))
		return IVSHM_REASON_FILTER;
	return IVSHM_REASON_NONE;
}

enum ivshm_reason ivshm_bridge_rules_ends(const struct ivshm_bridge_rules *rules,
					  struct net_device *src,
					  struct net_device *dst)
{
	ASSERT_RTNL();

	return rules_end(rules, src, true) ?: rules_end(rules, dst, false);
}

bool ivshm_bridge_rules_addr(const struct ivshm_bridge_rules *rules,
			     struct net_device *dev, const u8 *mac, bool fresh)
{
	struct net_device *upper;
	bool old;

	ASSERT_RTNL();

	if (netif_is_macvlan(dev))
		return ether_addr_equal(dev->dev_addr, mac);
	upper = netdev_master_upper_dev_get(dev);
	if (!upper || !netif_is_bridge_master(upper) || !rules_have_bridge(rules) ||
	    !fdb_agrees(upper, dev, mac, &old))
		return false;
	if (fresh && old)
		fdb_refresh(rules, dev, mac);
	return true;
}

/*
 * Events
 */

/* @dev is a port's interface or what a port's frames go through next. */
static bool rules_concern(const struct net_device *dev)
{
	const struct ivshm_port *port;
	struct net_device *own;
	bool found = false;

	ASSERT_RTNL();

	mutex_lock(&ivshm_mutex);
	list_for_each_entry(port, &ivshm_ports, list) {
		own = rtnl_dereference(port->dev);
		if (!own)
			continue;
		found = own == dev || netdev_master_upper_dev_get(own) == dev ||
			(netif_is_macvlan(own) &&
			 ((struct macvlan_dev *)netdev_priv(own))->lowerdev == dev);
		if (found)
			break;
	}
	mutex_unlock(&ivshm_mutex);
	return found;
}

static int rules_netdev_event(struct notifier_block *nb, unsigned long event,
			      void *ptr)
{
	const struct net_device *dev = netdev_notifier_info_to_dev(ptr);

	switch (event) {
	case NETDEV_UP:
	case NETDEV_GOING_DOWN:
	case NETDEV_DOWN:
	case NETDEV_CHANGE:
	case NETDEV_CHANGEUPPER:
	case NETDEV_CHANGEMTU:
	case NETDEV_CHANGEADDR:
	case NETDEV_FEAT_CHANGE:
	case NETDEV_REGISTER:
	case NETDEV_UNREGISTER:
		if (rules_concern(dev))
			ivshm_bridge_rules_bump();
		break;
	}
	return NOTIFY_DONE;
}

static bool rules_attr_matters(const struct switchdev_attr *attr)
{
	switch (attr->id) {
	case SWITCHDEV_ATTR_ID_PORT_STP_STATE:
	case SWITCHDEV_ATTR_ID_PORT_MST_STATE:
	case SWITCHDEV_ATTR_ID_PORT_BRIDGE_FLAGS:
	case SWITCHDEV_ATTR_ID_PORT_PRE_BRIDGE_FLAGS:
	case SWITCHDEV_ATTR_ID_BRIDGE_VLAN_FILTERING:
	case SWITCHDEV_ATTR_ID_BRIDGE_VLAN_PROTOCOL:
	case SWITCHDEV_ATTR_ID_BRIDGE_MST:
	case SWITCHDEV_ATTR_ID_MRP_PORT_ROLE:
	case SWITCHDEV_ATTR_ID_VLAN_MSTI:
		return true;
	default:
		return false;
	}
}

/* Atomic. The bridge's forwarding table, and port flags about to change. */
static int rules_switchdev_event(struct notifier_block *nb, unsigned long event,
				 void *ptr)
{
	const struct net_device *dev = switchdev_notifier_info_to_dev(ptr);
	const struct switchdev_notifier_port_attr_info *attr_info;
	const struct switchdev_notifier_fdb_info *fdb_info;

	switch (event) {
	case SWITCHDEV_FDB_ADD_TO_DEVICE:
	case SWITCHDEV_FDB_DEL_TO_DEVICE:
		fdb_info = ptr;
		ivshm_addr_fdb_event(dev_net(dev), fdb_info->addr);
		break;
	case SWITCHDEV_PORT_ATTR_SET:
		/*
		 * Whom it concerns cannot be told without sleeping; it is rare.
		 * Under RTNL, so the next verdict sees the new flags.
		 */
		attr_info = ptr;
		if (rules_attr_matters(attr_info->attr))
			ivshm_bridge_rules_bump();
		break;
	}
	return NOTIFY_DONE;
}

/* Under RTNL, may sleep. */
static int rules_switchdev_blocking_event(struct notifier_block *nb,
					  unsigned long event, void *ptr)
{
	const struct net_device *dev = switchdev_notifier_info_to_dev(ptr);
	const struct switchdev_notifier_port_attr_info *attr_info;
	const struct switchdev_notifier_port_obj_info *obj_info;
	bool matters = false;

	switch (event) {
	case SWITCHDEV_PORT_OBJ_ADD:
	case SWITCHDEV_PORT_OBJ_DEL:
		obj_info = ptr;
		matters = obj_info->obj->id == SWITCHDEV_OBJ_ID_PORT_VLAN;
		break;
	case SWITCHDEV_PORT_ATTR_SET:
		attr_info = ptr;
		matters = rules_attr_matters(attr_info->attr);
		break;
	}
	if (matters && rules_concern(dev))
		ivshm_bridge_rules_bump();
	return NOTIFY_DONE;
}

static struct notifier_block rules_netdev_nb = {
	.notifier_call = rules_netdev_event,
};

static struct notifier_block rules_switchdev_nb = {
	.notifier_call = rules_switchdev_event,
};

static struct notifier_block rules_switchdev_blocking_nb = {
	.notifier_call = rules_switchdev_blocking_event,
};

int ivshm_bridge_rules_init(void)
{
	int err;

	rules_skb = nlmsg_new(NLMSG_DEFAULT_SIZE, GFP_KERNEL);
	if (!rules_skb)
		return -ENOMEM;
	err = register_netdevice_notifier(&rules_netdev_nb);
	if (err)
		goto err_skb;
	err = register_switchdev_notifier(&rules_switchdev_nb);
	if (err)
		goto err_netdev;
	err = register_switchdev_blocking_notifier(&rules_switchdev_blocking_nb);
	if (err)
		goto err_switchdev;
	return 0;

err_switchdev:
	unregister_switchdev_notifier(&rules_switchdev_nb);
err_netdev:
	unregister_netdevice_notifier(&rules_netdev_nb);
err_skb:
	kfree_skb(rules_skb);
	return err;
}

void ivshm_bridge_rules_exit(void)
{
	unregister_switchdev_blocking_notifier(&rules_switchdev_blocking_nb);
	unregister_switchdev_notifier(&rules_switchdev_nb);
	unregister_netdevice_notifier(&rules_netdev_nb);
	kfree_skb(rules_skb);
}
