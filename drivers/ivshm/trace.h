/* SPDX-License-Identifier: GPL-2.0 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM ivshm

#if !defined(_IVSHM_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _IVSHM_TRACE_H

#include <linux/tracepoint.h>

#include "port.h"
#include "qp.h"

/* A batch was taken from a transmit ring; err is why it is no longer. */
TRACE_EVENT(ivshm_tx,
	    TP_PROTO(const struct ivshm_qp *qp, u32 bytes, int err),
	    TP_ARGS(qp, bytes, err),
	    TP_STRUCT__entry(__field(u32, port)
			     __field(u32, bytes)
			     __field(int, err)),
	    TP_fast_assign(__entry->port = qp->port ? qp->port->id : 0;
			   __entry->bytes = bytes;
			   __entry->err = err;),
	    TP_printk("port=%u bytes=%u err=%d", __entry->port, __entry->bytes,
		      __entry->err)
);

/* Frames were copied from one guest's buffers into another's. */
TRACE_EVENT(ivshm_deliver,
	    TP_PROTO(const struct ivshm_qp *src, const struct ivshm_qp *dst,
		     u32 frames, u32 bytes),
	    TP_ARGS(src, dst, frames, bytes),
	    TP_STRUCT__entry(__field(u32, src)
			     __field(u32, dst)
			     __field(u32, frames)
			     __field(u32, bytes)),
	    TP_fast_assign(__entry->src = src->port ? src->port->id : 0;
			   __entry->dst = dst->port ? dst->port->id : 0;
			   __entry->frames = frames;
			   __entry->bytes = bytes;),
	    TP_printk("src=%u dst=%u frames=%u bytes=%u", __entry->src,
		      __entry->dst, __entry->frames, __entry->bytes)
);

/* A guest broke its ring. */
TRACE_EVENT(ivshm_ring_error,
	    TP_PROTO(const struct ivshm_qp *qp, u32 index),
	    TP_ARGS(qp, index),
	    TP_STRUCT__entry(__field(u32, port)
			     __field(u32, index)),
	    TP_fast_assign(__entry->port = qp->port ? qp->port->id : 0;
			   __entry->index = index;),
	    TP_printk("port=%u queue=%u", __entry->port, __entry->index)
);

#endif /* _IVSHM_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
