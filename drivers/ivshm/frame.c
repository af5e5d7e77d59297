// SPDX-License-Identifier: GPL-2.0
/* Frames: reading what a guest sends. */
#include <linux/if_ether.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "qp.h"
#include "tx.h"

struct ivshm_buf *ivshm_buf_alloc(u32 len)
{
	struct ivshm_buf *buf;

	buf = kvmalloc(struct_size(buf, data, len), GFP_KERNEL_ACCOUNT);
	if (buf) {
		memset(&buf->hdr, 0, sizeof(buf->hdr));
		buf->len = len;
	}
	return buf;
}

void ivshm_bufs_free(struct list_head *bufs)
{
	struct ivshm_buf *buf, *next;

	list_for_each_entry_safe(buf, next, bufs, list) {
		list_del(&buf->list);
		kvfree(buf);
	}
}

/*
 * Copy @len bytes from offset @skip of the chain in @seg: in a read section, or
 * by user access, which may sleep, for memory that cannot be mirrored.
 */
static int ivshm_segs_get(struct ivshm_gmem *gm, const struct ivshm_vring_seg *seg,
			  u32 nr, u32 skip, void *to, u32 len, bool user)
{
	u32 i, n;
	int err;

	for (i = 0; i < nr && len; i++) {
		if (skip >= seg[i].len) {
			skip -= seg[i].len;
			continue;
		}
		n = min(len, seg[i].len - skip);
		err = user ? ivshm_gmem_user_copy(gm, seg[i].addr + skip, to, n, false) :
			     ivshm_gmem_read(gm, seg[i].addr + skip, to, n);
		if (err)
			return err;
		to += n;
		len -= n;
		skip = 0;
	}
	return len ? -EFAULT : 0;
}

int ivshm_segs_read(struct ivshm_gmem *gm, const struct ivshm_vring_seg *seg,
		    u32 nr, u32 skip, void *to, u32 len)
{
	return ivshm_segs_get(gm, seg, nr, skip, to, len, false);
}

int ivshm_segs_copy(struct ivshm_qp *qp, const struct ivshm_vring_seg *seg,
		    u32 nr, u32 skip, void *to, u32 len)
{
	int err;

	for (;;) {
		ivshm_gmem_read_lock(qp->gm);
		err = ivshm_segs_read(qp->gm, seg, nr, skip, to, len);
		ivshm_gmem_read_unlock(qp->gm);
		if (err == -EOPNOTSUPP)
			return ivshm_segs_get(qp->gm, seg, nr, skip, to, len, true);
		if (err != -EAGAIN)
			return err;
		err = ivshm_gmem_fault(qp->gm);
		if (err)
			return err;
	}
}

int ivshm_frame_head(struct ivshm_qp *qp, const struct ivshm_frame *f, u8 *to, u32 len)
{
	u32 first = min_t(u32, f->copy_len, len);

	if (f->buf) {
		memcpy(to, f->buf->data, len);
		return 0;
	}
	memcpy(to, f->copy, first);
	return ivshm_segs_copy(qp, f->seg, f->nr_segs, qp->hdr_len + first, to + first,
			       len - first);
}

int ivshm_frame_read(struct ivshm_qp *qp, const struct ivshm_frame *f, u8 *to)
{
	return ivshm_frame_head(qp, f, to, f->len);
}

int ivshm_frame_linearise(struct ivshm_qp *qp, struct ivshm_frame *f)
{
	struct ivshm_buf *buf;
	int err;

	if (f->buf)
		return 0;
	buf = ivshm_buf_alloc(f->len);
	if (!buf)
		return -ENOMEM;
	err = ivshm_frame_read(qp, f, buf->data);
	if (err) {
		kvfree(buf);
		return err;
	}
	buf->hdr = f->hdr;
	f->buf = buf;
	ivshm_qp_count(qp, IVSHM_A_STAT_BOUNCED);
	return 0;
}

static void ivshm_frame_hash_of(struct ivshm_frame *f, const u8 *head, u32 len)
{
	f->hash = ivshm_queue_hash(head, len);
	f->hashed = true;
}

void ivshm_frame_hash(struct ivshm_qp *qp, struct ivshm_frame *f)
{
	u32 len = min_t(u32, f->len, IVSHM_HASH_LEN);
	u8 head[IVSHM_HASH_LEN];

	memcpy(head, f->copy, f->copy_len);
	if (!ivshm_segs_read(qp->gm, f->seg, f->nr_segs, qp->hdr_len + f->copy_len,
			     head + f->copy_len, len - f->copy_len))
		ivshm_frame_hash_of(f, head, len);
}

int ivshm_frame_need_hash(struct ivshm_qp *qp, struct ivshm_frame *f)
{
	u32 len = min_t(u32, f->len, IVSHM_HASH_LEN);
	u8 head[IVSHM_HASH_LEN];
	int err;

	if (f->hashed)
		return 0;
	if (f->buf) {
		ivshm_frame_hash_of(f, f->buf->data, len);
		return 0;
	}
	memcpy(head, f->copy, f->copy_len);
	err = ivshm_segs_copy(qp, f->seg, f->nr_segs, qp->hdr_len + f->copy_len,
			      head + f->copy_len, len - f->copy_len);
	if (!err)
		ivshm_frame_hash_of(f, head, len);
	return err;
}
