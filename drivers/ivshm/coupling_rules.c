// SPDX-License-Identifier: GPL-2.0
/*
 * Couplings: members that are not named but fit a rule.
 *
 * What a rule looks at is the administrator's: names, configured addresses, and
 * what an interface is attached to.  Nothing that a guest says makes its port a
 * member.
 */
#include <linux/etherdevice.h>
#include <linux/glob.h>
#include <linux/if_macvlan.h>
#include <linux/netdevice.h>
#include <linux/rcupdate.h>
#include <linux/socket.h>

#include "addr.h"
#include "coupling.h"
#include "ivshm.h"
#include "port.h"
#include "space.h"

static bool rule_fits_addr(const struct ivshm_rule *rule, const struct ivshm_port *port)
{
	const struct net_device *dev = rcu_dereference(port->dev);
	const struct ivshm_addr *addr;

	addr = ivshm_addr_lookup(port->net, rule->family, rule->addr);
	if (addr && addr->configured && !strcmp(addr->name, port->name))
		return true;
	/* The one address that reaches it. A tap's own address is the host's. */
	return rule->family == AF_PACKET && dev && port->kind == IVSHM_PORT_MACVTAP &&
	       ether_addr_equal_unaligned(dev->dev_addr, rule->addr);
}

static bool rule_fits_upper(const struct ivshm_rule *rule, const struct ivshm_port *port)
{
	struct net_device *dev = rcu_dereference(port->dev), *upper;
	const struct macvlan_dev *vlan;

	if (!dev)
		return false;
	if (netif_is_macvlan(dev)) {
		vlan = netdev_priv(dev);
		upper = READ_ONCE(vlan->lowerdev);
		if (!upper || READ_ONCE(vlan->mode) != MACVLAN_MODE_BRIDGE)
			return false;
	} else {
		upper = netdev_master_upper_dev_get_rcu(dev);
		/* Other masters are no bridge between their ports that we know. */
		if (!upper || !netif_is_bridge_master(upper))
			return false;
	}
	return net_eq(dev_net(upper), port->net) && !strcmp(upper->name, rule->name);
}

bool ivshm_coupling_fits(const struct ivshm_coupling *coupling, const struct ivshm_port *port)
{
	const struct ivshm_rule *rule;
	bool fits = false;
	u32 i;

	lockdep_assert_held(&ivshm_mutex);

	rcu_read_lock();
	for (i = 0; i < coupling->nr_rules && !fits; i++) {
		rule = &coupling->rule[i];
		switch (rule->kind) {
		case IVSHM_RULE_GLOB:
			fits = glob_match(rule->name, port->name);
			break;
		case IVSHM_RULE_ADDR:
			fits = rule_fits_addr(rule, port);
			break;
		case IVSHM_RULE_UPPER:
			fits = rule_fits_upper(rule, port);
			break;
		}
	}
	rcu_read_unlock();
	return fits;
}

struct ivshm_member *ivshm_coupling_free_place(struct ivshm_coupling *coupling)
{
	u32 i;

	lockdep_assert_held(&ivshm_mutex);

	for (i = coupling->nr_named; i < coupling->nr; i++)
		if (!*coupling->member[i].name)
			return &coupling->member[i];
	return NULL;
}

bool ivshm_coupling_cuts_off(const struct ivshm_port *port)
{
	struct ivshm_coupling *coupling;
	struct ivshm_member *place;

	lockdep_assert_held(&ivshm_mutex);

	if (!port->net)
		return false;
	place = rcu_dereference_protected(port->member, lockdep_is_held(&ivshm_mutex)) ?:
		ivshm_coupling_place(port->net, port->name);
	if (place)
		return place->coupling->type == IVSHM_COUPLING_STATIC &&
		       !place->coupling->disabled;
	list_for_each_entry(coupling, &ivshm_space(port->net)->ruled, ruled)
		if (!coupling->disabled && ivshm_coupling_fits(coupling, port) &&
		    ivshm_coupling_free_place(coupling))
			return coupling->type == IVSHM_COUPLING_STATIC;
	return false;
}

/*
 * A bridge got or lost a port, got another name, or a macvlan another mode or
 * address.  Called after that; a port's own name is port.c's.
 */
static int coupling_netdev_event(struct notifier_block *nb, unsigned long event, void *ptr)
{
	const struct net_device *dev = netdev_notifier_info_to_dev(ptr);
	struct ivshm_port *port;

	switch (event) {
	case NETDEV_CHANGEUPPER:
	case NETDEV_CHANGEADDR:
	case NETDEV_CHANGE:
	case NETDEV_UP:
		mutex_lock(&ivshm_mutex);
		list_for_each_entry(port, &ivshm_ports, list)
			if (rcu_access_pointer(port->dev) == dev)
				ivshm_coupling_port_look(port);
		mutex_unlock(&ivshm_mutex);
		break;
	case NETDEV_CHANGENAME:
		mutex_lock(&ivshm_mutex);
		ivshm_coupling_look(dev_net(dev), NULL);
		mutex_unlock(&ivshm_mutex);
		break;
	}
	return NOTIFY_DONE;
}

static struct notifier_block coupling_nb = {
	.notifier_call = coupling_netdev_event,
};

int ivshm_coupling_rules_init(void)
{
	return register_netdevice_notifier(&coupling_nb);
}

void ivshm_coupling_rules_exit(void)
{
	unregister_netdevice_notifier(&coupling_nb);
}
