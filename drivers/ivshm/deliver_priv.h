/* SPDX-License-Identifier: GPL-2.0 */
/* What the files of delivery share; see deliver.h. */
#ifndef _IVSHM_DELIVER_PRIV_H
#define _IVSHM_DELIVER_PRIV_H

#include <linux/lockdep.h>
#include <linux/uio.h>
#include <linux/virtio_net.h>

#include "deliver.h"
#include "qp.h"
#include "vring.h"

/* Host address ranges that the frames of one read section are made of. */
#define IVSHM_SCRATCH_VECS	2048

/* A frame on its way: as many bytes in the source vectors as in the others. */
struct ivshm_plan {
	struct virtio_net_hdr_mrg_rxbuf hdr;
	u32 src, nr_src;
	u32 dst, nr_dst;
	u32 used, nr_used;
	u32 total;
};

struct ivshm_scratch {
	u32 nr_plans;
	u32 nr_src;
	u32 nr_dst;
	u32 nr_used;
	u32 bytes;
	u32 descs;
	bool look_again;
	struct ivshm_plan plan[IVSHM_BATCH];
	struct kvec src[IVSHM_SCRATCH_VECS];
	struct kvec dst[IVSHM_SCRATCH_VECS];
	struct ivshm_vring_used used[IVSHM_RX_CHAINS + IVSHM_BATCH];
	struct ivshm_vring_seg seg[IVSHM_VRING_MAX_SEGS];
	struct ivshm_vring_few few[IVSHM_BATCH];
	/* Guest-physical ranges written, for the dirty log. */
	struct ivshm_vring_seg log[IVSHM_SCRATCH_VECS];
	u32 nr_log;
};

static inline void ivshm_scratch_reset(struct ivshm_scratch *s)
{
	s->nr_plans = 0;
	s->nr_src = 0;
	s->nr_dst = 0;
	s->nr_used = 0;
	s->nr_log = 0;
	s->bytes = 0;
	s->descs = 0;
	s->look_again = false;
}

/*
 * Claim for as many frames as there are buffers for: @n of @frame, or those of
 * @pull.  Frames for which no buffers can ever do are the caller's to drop: it
 * is told about the first.  In a read section, under @dst->rx_lock.
 */
enum ivshm_delivery ivshm_claim(struct ivshm_qp *src, struct ivshm_qp *dst,
				struct ivshm_scratch *s, struct ivshm_frame **frame,
				const struct ivshm_pull *pull, u32 n, bool arm);
/* Log what was written to the buffers that were claimed. In the same read section. */
void ivshm_log_all(struct ivshm_qp *dst, const struct ivshm_scratch *s);

#endif /* _IVSHM_DELIVER_PRIV_H */
