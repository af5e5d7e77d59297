/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Queues: which queue pair of its receiver takes a frame.
 *
 *   sender, 4 queues       receiver, 2 queues
 *     0  2  -------------->  0                  by the sender's queue,
 *     1  3  -------------->  1                  the guest spread its flows
 *
 *   sender, 1 queue        receiver, 4 queues
 *     0  ----------------->  0  1  2  3         by a hash of the flow
 *
 * What follows from the numbers and the receiver's queues is a map.  A flow has
 * the same queue as long as the map is the same.  A sender goes by another one
 * once nothing that it sent by the old one is left in kernel buffers: all else
 * is with the receiver's guest by then.  See ivshm_tx_way_open().
 */
#ifndef _IVSHM_QUEUE_H
#define _IVSHM_QUEUE_H

#include <linux/kernel.h>
#include <linux/string.h>
#include <linux/types.h>

struct ivshm_port;
struct ivshm_qp;

/* Bytes of a frame that its hash is made from, at most. */
#define IVSHM_HASH_LEN		128
/* Not one queue for all frames, but one for each flow. */
#define IVSHM_QUEUE_HASH	U16_MAX

/**
 * struct ivshm_map - how the frames of a queue spread over those of a receiver
 * @gen:	of the receiver's queues, ivshm_port.rx_seq
 * @nr:		queues to choose from
 * @index:	the one that all frames go to, or IVSHM_QUEUE_HASH
 */
struct ivshm_map {
	u32 gen;
	u16 nr;
	u16 index;
};

static inline bool ivshm_map_same(const struct ivshm_map *a, const struct ivshm_map *b)
{
	return !memcmp(a, b, sizeof(*a));
}

/**
 * ivshm_queue_rule - the queue for all frames of a sender's queue
 * @index: of the sender's queue
 * @from:  queues that the sender uses
 * @to:    queues that the receiver uses, at least 1
 *
 * Returns an index below @to, or IVSHM_QUEUE_HASH: a sender with fewer queues
 * would leave some of the receiver's unused.
 */
static inline u16 ivshm_queue_rule(u32 index, u32 from, u32 to)
{
	if (likely(to == 1))
		return 0;
	return from < to ? IVSHM_QUEUE_HASH : index % to;
}

/* The queue, by @map, of a flow with hash @hash. */
static inline u16 ivshm_queue_index(const struct ivshm_map *map, u32 hash)
{
	return unlikely(map->index == IVSHM_QUEUE_HASH) ? reciprocal_scale(hash, map->nr) :
							  map->index;
}

/*
 * The same for all frames of a flow.  @frame is a private copy of the first
 * bytes, from the Ethernet header on; @len at least ETH_HLEN.  Does not sleep.
 */
u32 ivshm_queue_hash(const u8 *frame, u32 len);

/**
 * ivshm_queue_pick - the queue pair of a receiver for a frame
 * @qp:   the sender
 * @dst:  the receiver
 * @hash: of the frame's flow; used if @map says so
 * @map:  by which it was chosen
 *
 * Returns NULL if @dst has none.  Under RCU.
 */
struct ivshm_qp *ivshm_queue_pick(const struct ivshm_qp *qp, const struct ivshm_port *dst,
				  u32 hash, struct ivshm_map *map);

#endif /* _IVSHM_QUEUE_H */
