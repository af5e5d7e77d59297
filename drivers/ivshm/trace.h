/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tracepoints: what becomes of frames, and why.
 *
 * Ports go by the names of their interfaces, empty for none.  In the order of a
 * frame's way: ivshm_tx, ivshm_decide, then ivshm_deliver, or ivshm_drop, or
 * nothing for the uplink.  What the decisions are made by: ivshm_pair,
 * ivshm_verdict, ivshm_learn.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM ivshm

#if !defined(_IVSHM_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _IVSHM_TRACE_H

#include <linux/tracepoint.h>
#include <linux/trace_seq.h>

#include "addr.h"
#include "coupling.h"
#include "detector.h"
#include "port.h"
#include "qp.h"

/* Numbers by their words, also for those who read the buffer by themselves. */
#define ivshm_trace_path(value)						\
	__print_symbolic(value,						\
			 { IVSHM_PATH_UPLINK, "uplink" },		\
			 { IVSHM_PATH_DIRECT, "direct" },		\
			 { IVSHM_PATH_HOLD, "hold" },			\
			 { IVSHM_PATH_FLOOD, "flood" },			\
			 { IVSHM_PATH_DROP, "drop" },			\
			 { IVSHM_PATH_REFUSE, "refuse" },		\
			 { IVSHM_PATH_DENY, "deny" })

#define ivshm_trace_pair_state(value)					\
	__print_symbolic(value,						\
			 { IVSHM_PAIR_UPLINK, "uplink" },		\
			 { IVSHM_PAIR_JOINING, "joining" },		\
			 { IVSHM_PAIR_COUPLED, "coupled" })

#define ivshm_trace_reason(value)					\
	__print_symbolic(value,						\
			 { IVSHM_REASON_NONE, "none" },			\
			 { IVSHM_REASON_TRAFFIC, "traffic" },		\
			 { IVSHM_REASON_STATIC, "static" },		\
			 { IVSHM_REASON_NO_TRAFFIC, "no-traffic" },	\
			 { IVSHM_REASON_IDLE, "idle" },			\
			 { IVSHM_REASON_NOT_RUNNING, "not-running" },	\
			 { IVSHM_REASON_NO_UPPER, "no-upper" },		\
			 { IVSHM_REASON_OTHER_UPPER, "other-upper" },	\
			 { IVSHM_REASON_FDB, "fdb" },			\
			 { IVSHM_REASON_STP, "stp" },			\
			 { IVSHM_REASON_ISOLATED, "isolated" },		\
			 { IVSHM_REASON_LOCKED, "locked" },		\
			 { IVSHM_REASON_VLAN, "vlan" },			\
			 { IVSHM_REASON_FILTER, "filter" },		\
			 { IVSHM_REASON_MTU, "mtu" },			\
			 { IVSHM_REASON_OFFLOAD, "offload" },		\
			 { IVSHM_REASON_DOWN, "down" },			\
			 { IVSHM_REASON_MODE, "mode" },			\
			 { IVSHM_REASON_CHECKING, "checking" },		\
			 { IVSHM_REASON_CONFIG, "config" },		\
			 { IVSHM_REASON_RING, "ring" },			\
			 { IVSHM_REASON_EXIT, "exit" },			\
			 { IVSHM_REASON_DENIED, "denied" })

#define ivshm_trace_drop(value)						\
	__print_symbolic(value,						\
			 { IVSHM_A_STAT_DROP_FULL, "full" },		\
			 { IVSHM_A_STAT_DROP_PARK_LIMIT, "park-limit" },	\
			 { IVSHM_A_STAT_DROP_NO_PEER, "no-peer" },	\
			 { IVSHM_A_STAT_DROP_MALFORMED, "malformed" },	\
			 { IVSHM_A_STAT_DROP_TOO_BIG, "too-big" },	\
			 { IVSHM_A_STAT_DROP_OFFLOAD, "offload" },	\
			 { IVSHM_A_STAT_DROP_UPLINK, "uplink" },	\
			 { IVSHM_A_STAT_DROP_ISOLATED, "isolated" },	\
			 { IVSHM_A_STAT_DROP_MEMORY, "memory" },	\
			 { IVSHM_A_STAT_DROP_SPOOFED, "spoofed" },	\
			 { IVSHM_A_STAT_DROP_RATE, "rate" },		\
			 { IVSHM_A_STAT_DROP_DENIED, "denied" })

TRACE_DEFINE_ENUM(IVSHM_PATH_UPLINK);
TRACE_DEFINE_ENUM(IVSHM_PATH_DIRECT);
TRACE_DEFINE_ENUM(IVSHM_PATH_HOLD);
TRACE_DEFINE_ENUM(IVSHM_PATH_FLOOD);
TRACE_DEFINE_ENUM(IVSHM_PATH_DROP);
TRACE_DEFINE_ENUM(IVSHM_PATH_REFUSE);
TRACE_DEFINE_ENUM(IVSHM_PATH_DENY);
TRACE_DEFINE_ENUM(IVSHM_PAIR_UPLINK);
TRACE_DEFINE_ENUM(IVSHM_PAIR_JOINING);
TRACE_DEFINE_ENUM(IVSHM_PAIR_COUPLED);
TRACE_DEFINE_ENUM(IVSHM_REASON_NONE);
TRACE_DEFINE_ENUM(IVSHM_REASON_TRAFFIC);
TRACE_DEFINE_ENUM(IVSHM_REASON_STATIC);
TRACE_DEFINE_ENUM(IVSHM_REASON_NO_TRAFFIC);
TRACE_DEFINE_ENUM(IVSHM_REASON_IDLE);
TRACE_DEFINE_ENUM(IVSHM_REASON_NOT_RUNNING);
TRACE_DEFINE_ENUM(IVSHM_REASON_NO_UPPER);
TRACE_DEFINE_ENUM(IVSHM_REASON_OTHER_UPPER);
TRACE_DEFINE_ENUM(IVSHM_REASON_FDB);
TRACE_DEFINE_ENUM(IVSHM_REASON_STP);
TRACE_DEFINE_ENUM(IVSHM_REASON_ISOLATED);
TRACE_DEFINE_ENUM(IVSHM_REASON_LOCKED);
TRACE_DEFINE_ENUM(IVSHM_REASON_VLAN);
TRACE_DEFINE_ENUM(IVSHM_REASON_FILTER);
TRACE_DEFINE_ENUM(IVSHM_REASON_MTU);
TRACE_DEFINE_ENUM(IVSHM_REASON_OFFLOAD);
TRACE_DEFINE_ENUM(IVSHM_REASON_DOWN);
TRACE_DEFINE_ENUM(IVSHM_REASON_MODE);
TRACE_DEFINE_ENUM(IVSHM_REASON_CHECKING);
TRACE_DEFINE_ENUM(IVSHM_REASON_CONFIG);
TRACE_DEFINE_ENUM(IVSHM_REASON_RING);
TRACE_DEFINE_ENUM(IVSHM_REASON_EXIT);
TRACE_DEFINE_ENUM(IVSHM_REASON_DENIED);
TRACE_DEFINE_ENUM(IVSHM_A_STAT_DROP_FULL);
TRACE_DEFINE_ENUM(IVSHM_A_STAT_DROP_PARK_LIMIT);
TRACE_DEFINE_ENUM(IVSHM_A_STAT_DROP_NO_PEER);
TRACE_DEFINE_ENUM(IVSHM_A_STAT_DROP_MALFORMED);
TRACE_DEFINE_ENUM(IVSHM_A_STAT_DROP_TOO_BIG);
TRACE_DEFINE_ENUM(IVSHM_A_STAT_DROP_OFFLOAD);
TRACE_DEFINE_ENUM(IVSHM_A_STAT_DROP_UPLINK);
TRACE_DEFINE_ENUM(IVSHM_A_STAT_DROP_ISOLATED);
TRACE_DEFINE_ENUM(IVSHM_A_STAT_DROP_MEMORY);
TRACE_DEFINE_ENUM(IVSHM_A_STAT_DROP_SPOOFED);
TRACE_DEFINE_ENUM(IVSHM_A_STAT_DROP_RATE);
TRACE_DEFINE_ENUM(IVSHM_A_STAT_DROP_DENIED);

/* A batch was taken from a transmit ring; err is why it is no longer. */
TRACE_EVENT(ivshm_tx,
	    TP_PROTO(const struct ivshm_qp *qp, u32 bytes, int err),
	    TP_ARGS(qp, bytes, err),
	    TP_STRUCT__entry(__array(char, port, IFNAMSIZ)
			     __field(u32, bytes)
			     __field(int, err)),
	    TP_fast_assign(ivshm_port_copy_name(qp->port, __entry->port);
			   __entry->bytes = bytes;
			   __entry->err = err;),
	    TP_printk("port=%s bytes=%u err=%d", __entry->port, __entry->bytes,
		      __entry->err)
);

/*
 * Where a frame goes.  Those that are decided again, since they had to wait, say, are
 * told of again.  Under RCU.
 */
TRACE_EVENT(ivshm_decide,
	    TP_PROTO(const struct ivshm_qp *qp, const struct ivshm_frame *f),
	    TP_ARGS(qp, f),
	    TP_STRUCT__entry(__array(char, src, IFNAMSIZ)
			     __array(char, dst, IFNAMSIZ)
			     __array(u8, macs, 2 * ETH_ALEN)
			     __field(u32, len)
			     __field(u32, path)
			     __field(u32, reason)),
	    TP_fast_assign(ivshm_port_copy_name(qp->port, __entry->src);
			   ivshm_port_copy_name(f->dst, __entry->dst);
			   memcpy(__entry->macs, f->copy, sizeof(__entry->macs));
			   __entry->len = f->len;
			   __entry->path = f->path;
			   __entry->reason = f->pair ? ivshm_pair_shown_reason(f->pair) :
						       IVSHM_REASON_NONE;),
	    TP_printk("src=%s dst=%s path=%s reason=%s len=%u from=%pM to=%pM", __entry->src,
		      __entry->dst, ivshm_trace_path(__entry->path),
		      ivshm_trace_reason(__entry->reason), __entry->len,
		      __entry->macs + ETH_ALEN, __entry->macs)
);

/* Frames were copied from one guest's buffers into another's. */
TRACE_EVENT(ivshm_deliver,
	    TP_PROTO(const struct ivshm_qp *src, const struct ivshm_qp *dst,
		     u32 frames, u32 bytes),
	    TP_ARGS(src, dst, frames, bytes),
	    TP_STRUCT__entry(__array(char, src, IFNAMSIZ)
			     __array(char, dst, IFNAMSIZ)
			     __field(u32, frames)
			     __field(u32, bytes)),
	    TP_fast_assign(ivshm_port_copy_name(src->port, __entry->src);
			   ivshm_port_copy_name(dst->port, __entry->dst);
			   __entry->frames = frames;
			   __entry->bytes = bytes;),
	    TP_printk("src=%s dst=%s frames=%u bytes=%u", __entry->src,
		      __entry->dst, __entry->frames, __entry->bytes)
);

/* Frames were dropped, and counted as that at the port. */
TRACE_EVENT(ivshm_drop,
	    TP_PROTO(const struct ivshm_qp *qp, u32 which, u32 frames),
	    TP_ARGS(qp, which, frames),
	    TP_STRUCT__entry(__array(char, port, IFNAMSIZ)
			     __field(u32, which)
			     __field(u32, frames)),
	    TP_fast_assign(ivshm_port_copy_name(qp->port, __entry->port);
			   __entry->which = which;
			   __entry->frames = frames;),
	    TP_printk("port=%s why=%s frames=%u", __entry->port,
		      ivshm_trace_drop(__entry->which), __entry->frames)
);

/* One direction between two members changes its state, or the reason for it. */
TRACE_EVENT(ivshm_pair,
	    TP_PROTO(const struct ivshm_member *src, const struct ivshm_member *dst,
		     u32 old_state, u32 new_state, u32 reason),
	    TP_ARGS(src, dst, old_state, new_state, reason),
	    TP_STRUCT__entry(__array(char, coupling, IVSHM_NAME_MAX)
			     __array(char, src, IFNAMSIZ)
			     __array(char, dst, IFNAMSIZ)
			     __field(u32, old_state)
			     __field(u32, new_state)
			     __field(u32, reason)),
	    TP_fast_assign(memcpy(__entry->coupling, src->coupling->name, IVSHM_NAME_MAX);
			   memcpy(__entry->src, src->name, IFNAMSIZ);
			   memcpy(__entry->dst, dst->name, IFNAMSIZ);
			   __entry->old_state = old_state;
			   __entry->new_state = new_state;
			   __entry->reason = reason;),
	    TP_printk("coupling=%s src=%s dst=%s old=%s new=%s reason=%s", __entry->coupling,
		      __entry->src, __entry->dst, ivshm_trace_pair_state(__entry->old_state),
		      ivshm_trace_pair_state(__entry->new_state),
		      ivshm_trace_reason(__entry->reason))
);

/* What the bridge's rules say of a pair, for a generation of them; none is yes. */
TRACE_EVENT(ivshm_verdict,
	    TP_PROTO(const struct ivshm_member *src, const struct ivshm_member *dst,
		     u32 reason, u64 gen),
	    TP_ARGS(src, dst, reason, gen),
	    TP_STRUCT__entry(__array(char, coupling, IVSHM_NAME_MAX)
			     __array(char, src, IFNAMSIZ)
			     __array(char, dst, IFNAMSIZ)
			     __field(u32, reason)
			     __field(u64, gen)),
	    TP_fast_assign(memcpy(__entry->coupling, src->coupling->name, IVSHM_NAME_MAX);
			   memcpy(__entry->src, src->name, IFNAMSIZ);
			   memcpy(__entry->dst, dst->name, IFNAMSIZ);
			   __entry->reason = reason;
			   __entry->gen = gen;),
	    TP_printk("coupling=%s src=%s dst=%s reason=%s generation=%llu", __entry->coupling,
		      __entry->src, __entry->dst, ivshm_trace_reason(__entry->reason),
		      __entry->gen)
);

/* An address is learned, or moves to another port; or the port cannot have it. */
TRACE_EVENT(ivshm_learn,
	    TP_PROTO(const struct ivshm_port *port, const struct ivshm_addr_key *key, bool done),
	    TP_ARGS(port, key, done),
	    TP_STRUCT__entry(__array(char, port, IFNAMSIZ)
			     __array(u8, addr, 16)
			     __field(u32, len)
			     __field(bool, done)),
	    TP_fast_assign(ivshm_port_copy_name(port, __entry->port);
			   memcpy(__entry->addr, key->addr, sizeof(__entry->addr));
			   __entry->len = ivshm_addr_len(key->family);
			   __entry->done = done;),
	    TP_printk("port=%s address=%s done=%u", __entry->port,
		      __print_hex(__entry->addr, __entry->len), __entry->done)
);

/* A guest broke its ring. */
TRACE_EVENT(ivshm_ring_error,
	    TP_PROTO(const struct ivshm_qp *qp, u32 index),
	    TP_ARGS(qp, index),
	    TP_STRUCT__entry(__array(char, port, IFNAMSIZ)
			     __field(u32, index)),
	    TP_fast_assign(ivshm_port_copy_name(qp->port, __entry->port);
			   __entry->index = index;),
	    TP_printk("port=%s queue=%u", __entry->port, __entry->index)
);

#endif /* _IVSHM_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
