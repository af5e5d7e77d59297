// SPDX-License-Identifier: GPL-2.0
/* The address table: what an administrator configures. */
#include <linux/err.h>
#include <linux/etherdevice.h>
#include <linux/netdevice.h>
#include <linux/netlink.h>

#include "addr.h"
#include "coupling.h"
#include "ivshm.h"
#include "port.h"
#include "space.h"

static int config_check(const struct net *net, const struct ivshm_addr_config *cfg,
			struct netlink_ext_ack *extack)
{
	if (!ivshm_addr_valid(cfg->family, cfg->addr)) {
		NL_SET_ERR_MSG_ATTR(extack, cfg->addr_attr,
				    "not an address that a port can have");
		return -EINVAL;
	}
	if (!dev_valid_name(cfg->name)) {
		NL_SET_ERR_MSG_ATTR(extack, cfg->name_attr,
				    "port is not a valid interface name");
		return -EINVAL;
	}
	if (cfg->has_lladdr && cfg->family == AF_PACKET) {
		NL_SET_ERR_MSG_ATTR(extack, cfg->lladdr_attr,
				    "only an IP address is at a MAC address");
		return -EINVAL;
	}
	if (cfg->has_lladdr && !is_valid_ether_addr(cfg->lladdr)) {
		NL_SET_ERR_MSG_ATTR(extack, cfg->lladdr_attr,
				    "not a MAC address that a port can have");
		return -EINVAL;
	}
	if (ivshm_space(net)->nr_addrs >= IVSHM_ADDR_CONFIG_MAX) {
		NL_SET_ERR_MSG_ATTR(extack, cfg->addr_attr,
				    "too many addresses in this namespace");
		return -ENOSPC;
	}
	return 0;
}

static struct ivshm_addr *config_find(const struct net *net,
				      const struct ivshm_addr_config *cfg)
{
	struct ivshm_addr *addr;

	lockdep_assert_held(&ivshm_mutex);

	rcu_read_lock();
	addr = ivshm_addr_lookup(net, cfg->family, cfg->addr);
	rcu_read_unlock();
	/* Under the mutex a configured one stays. */
	return addr && addr->configured ? addr : NULL;
}

int ivshm_addr_config_add(struct net *net, const struct ivshm_addr_config *cfg,
			  struct netlink_ext_ack *extack)
{
	struct ivshm_addr like = {
		.key = { .net = net, .family = cfg->family },
		.seen = jiffies,
		.configured = true,
		.has_lladdr = cfg->has_lladdr,
	};
	struct ivshm_port *port;
	struct ivshm_addr *addr;
	int err;

	lockdep_assert_held(&ivshm_mutex);

	err = config_check(net, cfg, extack);
	if (err)
		return err;
	if (config_find(net, cfg)) {
		NL_SET_ERR_MSG_ATTR(extack, cfg->addr_attr, "the address is configured already");
		return -EEXIST;
	}
	memcpy(like.key.addr, cfg->addr, sizeof(like.key.addr));
	ether_addr_copy(like.lladdr, cfg->lladdr);
	strscpy(like.name, cfg->name, sizeof(like.name));
	port = ivshm_port_find(net, cfg->name);
	if (port && !ivshm_port_is_up(port))
		port = NULL;
	addr = ivshm_addr_config_insert(&like, port);
	if (IS_ERR(addr)) {
		NL_SET_ERR_MSG(extack, "not enough memory for the address");
		return PTR_ERR(addr);
	}
	list_add_tail(&addr->configs, &ivshm_space(net)->addrs);
	ivshm_space(net)->nr_addrs++;
	/* Couplings may have a place for whoever has it. */
	ivshm_coupling_look(net, cfg->name);
	return 0;
}

static void config_del(struct ivshm_addr *addr)
{
	list_del(&addr->configs);
	ivshm_space(addr->key.net)->nr_addrs--;
	ivshm_addr_config_remove(addr);
}

int ivshm_addr_config_del(struct net *net, const struct ivshm_addr_config *cfg,
			  struct netlink_ext_ack *extack)
{
	struct ivshm_addr *addr = config_find(net, cfg);
	char name[IFNAMSIZ];

	if (!addr) {
		NL_SET_ERR_MSG_ATTR(extack, cfg->addr_attr, "the address is not configured");
		return -ENOENT;
	}
	strscpy(name, addr->name, sizeof(name));
	config_del(addr);
	ivshm_coupling_look(net, name);
	return 0;
}

void ivshm_addr_config_up(struct ivshm_port *port)
{
	struct ivshm_addr *addr;

	lockdep_assert_held(&ivshm_mutex);

	list_for_each_entry(addr, &ivshm_space(port->net)->addrs, configs)
		if (!strcmp(addr->name, port->name))
			ivshm_addr_config_attach(addr, port);
}

void ivshm_addr_config_flush(const struct net *net)
{
	struct ivshm_addr *addr, *next;

	mutex_lock(&ivshm_mutex);
	list_for_each_entry_safe(addr, next, &ivshm_space(net)->addrs, configs)
		config_del(addr);
	mutex_unlock(&ivshm_mutex);
}

int ivshm_addr_config_absent(const struct net *net, unsigned int skip,
			     int (*fn)(const struct ivshm_addr *addr, void *arg),
			     void *arg)
{
	struct ivshm_addr *addr;
	int ret;

	lockdep_assert_held(&ivshm_mutex);

	list_for_each_entry(addr, &ivshm_space(net)->addrs, configs) {
		if (rcu_access_pointer(addr->port))
			continue;
		if (skip) {
			skip--;
			continue;
		}
		ret = fn(addr, arg);
		if (ret)
			return ret;
	}
	return 0;
}
