// SPDX-License-Identifier: GPL-2.0
/* Queues: which queue pair of its receiver takes a frame; see queue.h. */
#include <linux/if_ether.h>
#include <linux/rcupdate.h>
#include <linux/seqlock.h>
#include <linux/skbuff.h>
#include <net/flow_dissector.h>
#include <net/net_namespace.h>

#include "port.h"
#include "qp.h"
#include "queue.h"

u32 ivshm_queue_hash(const u8 *frame, u32 len)
{
	const struct ethhdr *eth = (const struct ethhdr *)frame;
	struct flow_keys keys;

	memset(&keys, 0, sizeof(keys));
	__skb_flow_dissect(&init_net, NULL, &flow_keys_dissector, &keys, frame,
			   eth->h_proto, ETH_HLEN, len, 0);
	/* Some hosts change it when they send again. */
	keys.tags.flow_label = 0;
	return flow_hash_from_keys(&keys);
}

/* Of several, or they are just being changed. */
static noinline struct ivshm_qp *ivshm_queue_choose(const struct ivshm_qp *qp,
						    const struct ivshm_port *dst, u32 hash,
						    struct ivshm_map *map)
{
	const struct ivshm_port *src = READ_ONCE(qp->port);
	u32 from = src ? ivshm_port_in_use(src, READ_ONCE(src->nr_qps)) : 1;
	struct ivshm_qp *to;

	do {
		map->gen = read_seqcount_begin(&dst->rx_seq);
		/* The guest uses no more than are attached to its tap. */
		map->nr = ivshm_port_in_use(dst, dst->nr_rx);
		map->index = ivshm_queue_rule(READ_ONCE(qp->index), from, map->nr);
		to = rcu_dereference(dst->rx[ivshm_queue_index(map, hash)]);
	} while (read_seqcount_retry(&dst->rx_seq, map->gen));
	return to;
}

struct ivshm_qp *ivshm_queue_pick(const struct ivshm_qp *qp, const struct ivshm_port *dst,
				  u32 hash, struct ivshm_map *map)
{
	u32 gen = read_seqcount_begin(&dst->rx_seq);
	struct ivshm_qp *to;

	if (unlikely(dst->nr_rx > 1))
		return ivshm_queue_choose(qp, dst, hash, map);
	to = rcu_dereference(dst->rx[0]);
	if (read_seqcount_retry(&dst->rx_seq, gen))
		return ivshm_queue_choose(qp, dst, hash, map);
	*map = (struct ivshm_map){ .gen = gen, .nr = 1 };
	return to;
}
