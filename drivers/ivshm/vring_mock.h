/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A guest for tests of the ring: its memory and its driver.
 *
 *   MOCK_GPA                                              + MOCK_SIZE
 *     | hole | desc ... | avail ... | used ... | tables ... |  nothing
 *
 * Pages are allocated one by one when first touched, so that whatever reaches
 * over the edge of one is seen by KASAN or ASan.  Any page can be absent (not
 * there just now).  Behind the end there is no memory.
 *
 * Ring areas are asked for by another address (MOCK_HVA) than descriptors
 * contain (MOCK_GPA), as a VMM's and a guest's addresses differ.
 */
#ifndef _IVSHM_VRING_MOCK_H
#define _IVSHM_VRING_MOCK_H

#ifdef __KERNEL__
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/virtio_byteorder.h>
#endif

#include "vring.h"

#define MOCK_GPA	0x0000000180000000ULL
#define MOCK_HVA	0x00007f0000000000ULL
#define MOCK_PAGES	1024
#define MOCK_SIZE	(MOCK_PAGES * (u64)PAGE_SIZE)

/* Room for the largest ring at any offset within a page */
#define MOCK_DESC	(MOCK_GPA + 1 * PAGE_SIZE)
#define MOCK_AVAIL	(MOCK_GPA + 160 * PAGE_SIZE)
#define MOCK_USED	(MOCK_GPA + 192 * PAGE_SIZE)
#define MOCK_TABLE	(MOCK_GPA + 300 * PAGE_SIZE)
/* Buffers are never touched by the ring: no memory is needed there. */
#define MOCK_DATA	0x0000100000000000ULL

#define MOCK_USED_SIZE(num)	(6 + 8 * (u32)(num))

/**
 * struct vring_mock - the guest
 * @page:	its memory
 * @absent:	access gives -EAGAIN
 * @num:	size of its ring
 * @le:		it speaks virtio 1, which is little-endian
 * @desc:	address (MOCK_GPA) of the descriptor table
 * @avail:	address of the available ring
 * @used:	address of the used ring
 * @avail_idx:	its available index
 * @page_calls:	calls of ops->page
 * @reads:	calls of ops->read
 * @read_bytes:	bytes asked for by ops->read
 * @logged:	a mark for each byte of the used ring that was logged
 * @log_calls:	calls of ops->used_written
 * @on_log:	called by ops->used_written, to act in the middle of an operation
 * @on_log_arg:	for @on_log
 */
struct vring_mock {
	u8 *page[MOCK_PAGES];
	bool absent[MOCK_PAGES];

	u32 num;
	bool le;
	u64 desc, avail, used;
	u16 avail_idx;

	u32 page_calls;
	u32 reads;
	u64 read_bytes;
	u8 *logged;
	u32 log_calls;
	void (*on_log)(struct vring_mock *m, u32 off, u32 len);
	u32 on_log_arg;
};

/* Memory */

static inline void *mock_at(struct vring_mock *m, u64 gpa)
{
	u64 pos = gpa - MOCK_GPA;
	u32 n = pos >> PAGE_SHIFT;

	if (pos >= MOCK_SIZE)
		return NULL;
	if (!m->page[n])
		m->page[n] = kcalloc(1, PAGE_SIZE, GFP_KERNEL);
	return m->page[n] ? m->page[n] + offset_in_page(pos) : NULL;
}

static inline bool mock_is_le(const struct vring_mock *m)
{
	return m->le || virtio_legacy_is_little_endian();
}

static inline void mock_put16(struct vring_mock *m, u64 gpa, u16 val)
{
	__virtio16 *p = mock_at(m, gpa);

	WRITE_ONCE(*p, __cpu_to_virtio16(mock_is_le(m), val));
}

static inline u16 mock_get16(struct vring_mock *m, u64 gpa)
{
	__virtio16 *p = mock_at(m, gpa);

	return __virtio16_to_cpu(mock_is_le(m), READ_ONCE(*p));
}

static inline u32 mock_get32(struct vring_mock *m, u64 gpa)
{
	__virtio32 *p = mock_at(m, gpa);

	return __virtio32_to_cpu(mock_is_le(m), READ_ONCE(*p));
}

/* What the ring sees of it */

static void *mock_op_page(void *priv, u64 addr, bool write)
{
	struct vring_mock *m = priv;
	u64 pos = addr - MOCK_HVA;
	u8 *p;

	m->page_calls++;
	if (pos >= MOCK_SIZE || m->absent[pos >> PAGE_SHIFT])
		return NULL;
	/* Only the used ring is for the device to write. */
	if (write != (pos + MOCK_GPA >= MOCK_USED))
		return NULL;
	p = mock_at(m, pos + MOCK_GPA);
	return p ? p - offset_in_page(pos) : NULL;
}

static int mock_op_read(void *priv, u64 gpa, void *buf, u32 len)
{
	struct vring_mock *m = priv;

	m->reads++;
	m->read_bytes += len;
	while (len) {
		u32 n = min_t(u32, len, PAGE_SIZE - offset_in_page(gpa));
		const void *p = mock_at(m, gpa);

		if (!p)
			return -EFAULT;
		if (m->absent[(gpa - MOCK_GPA) >> PAGE_SHIFT])
			return -EAGAIN;
		memcpy(buf, p, n);
		gpa += n;
		buf = (u8 *)buf + n;
		len -= n;
	}
	return 0;
}

static void mock_op_used_written(void *priv, u32 off, u32 len)
{
	struct vring_mock *m = priv;

	m->log_calls++;
	/* An overrun is seen by KASAN or ASan. */
	memset(m->logged + off, 1, len);
	if (m->on_log)
		m->on_log(m, off, len);
}

static const struct ivshm_vring_ops mock_ops = {
	.page		= mock_op_page,
	.read		= mock_op_read,
	.used_written	= mock_op_used_written,
};

static inline int mock_init(struct vring_mock *m, u32 num, bool le)
{
	memset(m, 0, sizeof(*m));
	m->num = num;
	m->le = le;
	m->desc = MOCK_DESC;
	m->avail = MOCK_AVAIL;
	m->used = MOCK_USED;
	m->logged = kcalloc(1, MOCK_USED_SIZE(num), GFP_KERNEL);
	return m->logged ? 0 : -ENOMEM;
}

static inline void mock_clear_log(struct vring_mock *m)
{
	memset(m->logged, 0, MOCK_USED_SIZE(m->num));
	m->log_calls = 0;
}

static inline void mock_exit(struct vring_mock *m)
{
	u32 i;

	for (i = 0; i < MOCK_PAGES; i++)
		kfree(m->page[i]);
	kfree(m->logged);
}

static inline u64 mock_hva(u64 gpa)
{
	return gpa - MOCK_GPA + MOCK_HVA;
}

/* The driver */

static inline void mock_write_desc(struct vring_mock *m, u64 gpa, u64 addr,
				   u32 len, u16 flags, u16 next)
{
	struct vring_desc desc = {
		.addr	= __cpu_to_virtio64(mock_is_le(m), addr),
		.len	= __cpu_to_virtio32(mock_is_le(m), len),
		.flags	= __cpu_to_virtio16(mock_is_le(m), flags),
		.next	= __cpu_to_virtio16(mock_is_le(m), next),
	};
	u32 room = PAGE_SIZE - offset_in_page(gpa);

	/* Indirect tables need no alignment. */
	if (room < sizeof(desc)) {
		memcpy(mock_at(m, gpa), &desc, room);
		memcpy(mock_at(m, gpa + room), (u8 *)&desc + room,
		       sizeof(desc) - room);
	} else {
		memcpy(mock_at(m, gpa), &desc, sizeof(desc));
	}
}

static inline void mock_desc(struct vring_mock *m, u32 i, u64 addr, u32 len,
			     u16 flags, u16 next)
{
	mock_write_desc(m, m->desc + 16 * i, addr, len, flags, next);
}

static inline void mock_set_avail_idx(struct vring_mock *m, u16 idx)
{
	m->avail_idx = idx;
	mock_put16(m, m->avail + 2, idx);
}

/* Make the chain at @head available. */
static inline void mock_offer(struct vring_mock *m, u16 head)
{
	mock_put16(m, m->avail + 4 + 2 * (m->avail_idx % m->num), head);
	mock_set_avail_idx(m, m->avail_idx + 1);
}

/* One descriptor by itself, made available. */
static inline void mock_offer_one(struct vring_mock *m, u16 head, u32 len,
				  u16 flags)
{
	mock_desc(m, head, MOCK_DATA + ((u64)head << 20), len, flags, 0);
	mock_offer(m, head);
}

static inline void mock_set_avail_flags(struct vring_mock *m, u16 flags)
{
	mock_put16(m, m->avail, flags);
}

static inline void mock_set_used_event(struct vring_mock *m, u16 idx)
{
	mock_put16(m, m->avail + 4 + 2 * m->num, idx);
}

static inline u16 mock_avail_event(struct vring_mock *m)
{
	return mock_get16(m, m->used + 4 + 8 * m->num);
}

static inline u16 mock_used_flags(struct vring_mock *m)
{
	return mock_get16(m, m->used);
}

static inline u16 mock_used_idx(struct vring_mock *m)
{
	return mock_get16(m, m->used + 2);
}

static inline void mock_set_used_idx(struct vring_mock *m, u16 idx)
{
	mock_put16(m, m->used + 2, idx);
}

static inline u32 mock_used_id(struct vring_mock *m, u16 idx)
{
	return mock_get32(m, m->used + 4 + 8 * (idx % m->num));
}

static inline u32 mock_used_len(struct vring_mock *m, u16 idx)
{
	return mock_get32(m, m->used + 8 + 8 * (idx % m->num));
}

/* A guest and the ring under test that serves it */

#define MOCK_LE		0x1
#define MOCK_EVENT_IDX	0x2
#define MOCK_INDIRECT	0x4
#define MOCK_ON_EMPTY	0x8

struct mock_ring {
	struct vring_mock m;
	struct ivshm_vring vr;
	struct ivshm_vring_chain chain;
	struct ivshm_vring_seg segs[IVSHM_VRING_MAX_SEGS];
};

static inline void mock_ring_init(struct mock_ring *r, u32 num, u32 features)
{
	mock_init(&r->m, num, features & MOCK_LE);
	ivshm_vring_init(&r->vr, &mock_ops, &r->m);
	r->vr.le = features & MOCK_LE;
	r->vr.event_idx = features & MOCK_EVENT_IDX;
	r->vr.indirect = features & MOCK_INDIRECT;
	r->vr.notify_on_empty = features & MOCK_ON_EMPTY;
	r->vr.log_used = true;
}

/* Also after a change of the addresses in r->m. */
static inline int mock_ring_map(struct mock_ring *r)
{
	struct vring_mock *m = &r->m;
	int err;

	err = ivshm_vring_set_num(&r->vr, m->num);
	if (!err)
		err = ivshm_vring_set_addr(&r->vr, mock_hva(m->desc),
					   mock_hva(m->avail),
					   mock_hva(m->used));
	return err ?: ivshm_vring_begin(&r->vr, 1);
}

/* Begin at index @idx on both sides. */
static inline void mock_ring_start(struct mock_ring *r, u16 idx)
{
	mock_set_avail_idx(&r->m, idx);
	mock_set_used_idx(&r->m, idx);
	ivshm_vring_start(&r->vr, idx);
}

static inline void mock_ring_exit(struct mock_ring *r)
{
	ivshm_vring_cleanup(&r->vr);
	mock_exit(&r->m);
}

static inline int mock_ring_pop(struct mock_ring *r)
{
	return ivshm_vring_pop(&r->vr, &r->chain, r->segs,
			       IVSHM_VRING_MAX_SEGS);
}

static inline void mock_ring_push(struct mock_ring *r, u32 id, u32 len)
{
	struct ivshm_vring_used used = { .id = id, .len = len };

	ivshm_vring_push(&r->vr, &used, 1);
}

#endif /* _IVSHM_VRING_MOCK_H */
