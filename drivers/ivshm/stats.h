/* SPDX-License-Identifier: GPL-2.0 */
/* Per-port counters. */
#ifndef _IVSHM_STATS_H
#define _IVSHM_STATS_H

#include <linux/percpu.h>
#include <linux/ivshm_netlink.h>

struct ivshm_port;
struct sk_buff;

/**
 * struct ivshm_stats - the counters of a port on one processor
 * @c: indexed by enum ivshm_attr_stat; slots of attributes that are no
 *     counter (UNSPEC, PAD) stay zero
 *
 * Written with this_cpu_add() from any context but hard interrupts of the
 * same processor may race for the kick counters, which this_cpu_add() allows.
 */
struct ivshm_stats {
	u64 c[__IVSHM_A_STAT_MAX];
};

static inline void ivshm_stats_add(struct ivshm_stats __percpu *stats,
				   enum ivshm_attr_stat which, u64 n)
{
	this_cpu_add(stats->c[which], n);
}

static inline void ivshm_stats_inc(struct ivshm_stats __percpu *stats,
				   enum ivshm_attr_stat which)
{
	this_cpu_inc(stats->c[which]);
}

u64 ivshm_stats_read(struct ivshm_stats __percpu *stats,
		     enum ivshm_attr_stat which);
/* Put all counters as one nest @attrtype. Returns 0 or -EMSGSIZE. */
int ivshm_stats_put(struct sk_buff *skb, int attrtype,
		    struct ivshm_stats __percpu *stats);
/*
 * What went direct counts at the interface of a port as if it had not: @sent by
 * its guest, or else to it.  Under RCU, any process context.
 */
void ivshm_stats_dev(const struct ivshm_port *port, bool sent, u32 frames, u64 bytes);
/* Bytes that ivshm_stats_put() needs at most. */
size_t ivshm_stats_size(void);

#endif /* _IVSHM_STATS_H */
