// SPDX-License-Identifier: GPL-2.0
/* Per-port counters. */
#include <linux/if_macvlan.h>
#include <linux/netdevice.h>
#include <linux/u64_stats_sync.h>
#include <net/netlink.h>

#include "port.h"
#include "stats.h"

/* Attributes from this one on are counters. */
#define STATS_FIRST	IVSHM_A_STAT_TX_DIRECT_FRAMES

u64 ivshm_stats_read(struct ivshm_stats __percpu *stats,
		     enum ivshm_attr_stat which)
{
	u64 sum = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += READ_ONCE(per_cpu_ptr(stats, cpu)->c[which]);
	return sum;
}

int ivshm_stats_put(struct sk_buff *skb, int attrtype,
		    struct ivshm_stats __percpu *stats)
{
	struct nlattr *nest;
	int i;

	nest = nla_nest_start(skb, attrtype);
	if (!nest)
		return -EMSGSIZE;
	for (i = STATS_FIRST; i <= IVSHM_A_STAT_MAX; i++) {
		if (nla_put_u64_64bit(skb, i, ivshm_stats_read(stats, i),
				      IVSHM_A_STAT_PAD)) {
			nla_nest_cancel(skb, nest);
			return -EMSGSIZE;
		}
	}
	nla_nest_end(skb, nest);
	return 0;
}

size_t ivshm_stats_size(void)
{
	return nla_total_size(0) +
	       (IVSHM_A_STAT_MAX - STATS_FIRST + 1) *
	       nla_total_size_64bit(sizeof(u64));
}

/* What a guest sends its tap receives. */
static void stats_tap(struct net_device *dev, bool sent, u32 frames, u64 bytes)
{
	struct pcpu_sw_netstats *stats;

	if (!dev->tstats)
		return;
	stats = get_cpu_ptr(dev->tstats);
	u64_stats_update_begin(&stats->syncp);
	u64_stats_add(sent ? &stats->rx_packets : &stats->tx_packets, frames);
	u64_stats_add(sent ? &stats->rx_bytes : &stats->tx_bytes, bytes);
	u64_stats_update_end(&stats->syncp);
	put_cpu_ptr(dev->tstats);
}

/* A macvtap is on the guest's side of the wire. */
static void stats_macvtap(struct net_device *dev, bool sent, u32 frames, u64 bytes)
{
	struct macvlan_dev *vlan = netdev_priv(dev);
	struct vlan_pcpu_stats *stats;

	stats = get_cpu_ptr(vlan->pcpu_stats);
	u64_stats_update_begin(&stats->syncp);
	u64_stats_add(sent ? &stats->tx_packets : &stats->rx_packets, frames);
	u64_stats_add(sent ? &stats->tx_bytes : &stats->rx_bytes, bytes);
	u64_stats_update_end(&stats->syncp);
	put_cpu_ptr(vlan->pcpu_stats);
}

void ivshm_stats_dev(const struct ivshm_port *port, bool sent, u32 frames, u64 bytes)
{
	struct net_device *dev = port ? rcu_dereference(port->dev) : NULL;

	if (!dev)
		return;
	if (port->kind == IVSHM_PORT_TAP)
		stats_tap(dev, sent, frames, bytes);
	else if (netif_is_macvlan(dev))
		stats_macvtap(dev, sent, frames, bytes);
}
