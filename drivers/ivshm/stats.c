// SPDX-License-Identifier: GPL-2.0
/* Per-port counters. */
#include <net/netlink.h>

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
