// SPDX-License-Identifier: GPL-2.0
/*
 * Device side of a split virtqueue, virtio 1.2 section 2.7.
 *
 * The guest's other CPUs run while we read: every field of the ring is read
 * once, into a local variable, and only the local copy is checked and used.
 *
 * The barriers are the smp_ ones: the other side is a CPU of this machine that
 * runs guest code.
 */
#ifdef __KERNEL__
#include <linux/align.h>
#include <linux/errno.h>
#include <linux/limits.h>
#include <linux/log2.h>
#include <linux/math.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/virtio_byteorder.h>
#include <asm/barrier.h>
#endif

#include "vring.h"

/*
 * Descriptors of an indirect table fetched by one call of ops->read: a whole
 * table of an ordinary network frame, and small enough for the stack.
 */
#define VRING_PIECE		16
/* A descriptor's "next" has 16 bits, so no table can use more. */
#define VRING_TABLE_MAX		65536

/* Each event field lies behind the entries of a ring (2.7.6, 2.7.8) */
#define VRING_USED_EVENT_OFF(num)	(4 + 2 * (u32)(num))
#define VRING_AVAIL_EVENT_OFF(num)	(4 + 8 * (u32)(num))

/* A private copy of a descriptor, in host byte order. */
struct vring_copy {
	u64 addr;
	u32 len;
	u16 flags;
	u16 next;
};

/* How far the walk along a chain has come. */
struct vring_walk {
	struct ivshm_vring_chain *chain;
	struct ivshm_vring_seg *segs;
	u32 max;
	u32 nr_segs;
	u32 bytes;
	bool writable;
};

/*
 * Access to the ring
 *
 * Alignment keeps each field within one page: descriptors are aligned to 16
 * bytes, the available ring to 2, the used ring to 4.  An entry of the used
 * ring is 8 bytes, so its two halves may lie in different pages.
 */

static void *area_ptr(const struct ivshm_vring_area *area, u32 off)
{
	u32 pos = offset_in_page(area->addr) + off;

	if (likely(area->flat))
		return area->flat + off;
	return area->page[pos >> PAGE_SHIFT] + offset_in_page(pos);
}

/* A legacy guest stores numbers as the machine does (2.7.3). */
static bool ring_is_le(const struct ivshm_vring *vr)
{
	return vr->le || virtio_legacy_is_little_endian();
}

static u16 avail_read(const struct ivshm_vring *vr, u32 off)
{
	const __virtio16 *p = area_ptr(&vr->avail, off);

	return __virtio16_to_cpu(ring_is_le(vr), READ_ONCE(*p));
}

static u16 avail_read_idx(const struct ivshm_vring *vr)
{
	return avail_read(vr, offsetof(struct vring_avail, idx));
}

static u16 used_read_idx(const struct ivshm_vring *vr)
{
	const __virtio16 *p = area_ptr(&vr->used,
				       offsetof(struct vring_used, idx));

	return __virtio16_to_cpu(ring_is_le(vr), READ_ONCE(*p));
}

static void used_log(const struct ivshm_vring *vr, u32 off, u32 len)
{
	if (unlikely(vr->log_used))
		vr->ops->used_written(vr->priv, off, len);
}

static void used_write16(const struct ivshm_vring *vr, u32 off, u16 val)
{
	__virtio16 *p = area_ptr(&vr->used, off);

	WRITE_ONCE(*p, __cpu_to_virtio16(ring_is_le(vr), val));
	used_log(vr, off, sizeof(*p));
}

/* Does not log: the caller logs a run of entries at once. */
static void used_write32(const struct ivshm_vring_area *used, bool le, u32 off, u32 val)
{
	__virtio32 *p = area_ptr(used, off);

	WRITE_ONCE(*p, __cpu_to_virtio32(le, val));
}

static void desc_decode(const struct ivshm_vring *vr, struct vring_copy *copy,
			const struct vring_desc *desc)
{
	copy->addr = __virtio64_to_cpu(ring_is_le(vr), READ_ONCE(desc->addr));
	copy->len = __virtio32_to_cpu(ring_is_le(vr), READ_ONCE(desc->len));
	copy->flags = __virtio16_to_cpu(ring_is_le(vr), READ_ONCE(desc->flags));
	copy->next = __virtio16_to_cpu(ring_is_le(vr), READ_ONCE(desc->next));
}

/*
 * Set-up
 */

void ivshm_vring_init(struct ivshm_vring *vr, const struct ivshm_vring_ops *ops,
		      void *priv)
{
	memset(vr, 0, sizeof(*vr));
	vr->ops = ops;
	vr->priv = priv;
}

/* One allocation holds the page pointers of all areas; desc has its start. */
static void vring_drop_addr(struct ivshm_vring *vr)
{
	kfree(vr->desc.page);
	memset(&vr->desc, 0, sizeof(vr->desc));
	memset(&vr->avail, 0, sizeof(vr->avail));
	memset(&vr->used, 0, sizeof(vr->used));
	vr->mapped = false;
}

void ivshm_vring_cleanup(struct ivshm_vring *vr)
{
	vring_drop_addr(vr);
}

int ivshm_vring_set_num(struct ivshm_vring *vr, u32 num)
{
	if (!num || num > IVSHM_VRING_MAX_NUM || !is_power_of_2(num))
		return -EINVAL;

	vring_drop_addr(vr);
	vr->num = num;
	return 0;
}

static u32 area_pages(u64 addr, u32 len)
{
	return DIV_ROUND_UP(offset_in_page(addr) + len, PAGE_SIZE);
}

static int area_init(struct ivshm_vring_area *area, u64 addr, u32 align,
		     u32 len)
{
	if (!IS_ALIGNED(addr, align) || addr + len - 1 < addr)
		return -EINVAL;

	area->addr = addr;
	area->nr_pages = area_pages(addr, len);
	return 0;
}

int ivshm_vring_set_addr(struct ivshm_vring *vr, u64 desc, u64 avail, u64 used)
{
	struct ivshm_vring_area d, a, u;
	void **page;

	if (!vr->num)
		return -EINVAL;

	/* Room for the event fields, whether or not they are in use. */
	if (area_init(&d, desc, VRING_DESC_ALIGN_SIZE,
		      vr->num * (u32)sizeof(struct vring_desc)) ||
	    area_init(&a, avail, VRING_AVAIL_ALIGN_SIZE,
		      VRING_USED_EVENT_OFF(vr->num) + sizeof(__virtio16)) ||
	    area_init(&u, used, VRING_USED_ALIGN_SIZE,
		      VRING_AVAIL_EVENT_OFF(vr->num) + sizeof(__virtio16)))
		return -EINVAL;

	page = kcalloc(d.nr_pages + a.nr_pages + u.nr_pages, sizeof(*page),
		       GFP_KERNEL_ACCOUNT);
	if (!page)
		return -ENOMEM;

	d.page = page;
	a.page = d.page + d.nr_pages;
	u.page = a.page + a.nr_pages;

	vring_drop_addr(vr);
	vr->desc = d;
	vr->avail = a;
	vr->used = u;
	return 0;
}

/* Asks for all the pages even if one is missing. */
static bool area_map(struct ivshm_vring *vr, struct ivshm_vring_area *area,
		     u32 len, bool write)
{
	u32 nr = area_pages(area->addr, len);
	u64 addr = area->addr;
	bool all = true, flat = true;
	u32 i;

	for (i = 0; i < nr; i++) {
		area->page[i] = vr->ops->page(vr->priv, addr, write);
		if (!area->page[i])
			all = false;
		if ((unsigned long)area->page[i] - (unsigned long)area->page[0] != i * PAGE_SIZE)
			flat = false;
		addr += PAGE_SIZE - offset_in_page(addr);
	}
	area->flat = all && flat ? area->page[0] + offset_in_page(area->addr) : NULL;
	return all;
}

int ivshm_vring_begin(struct ivshm_vring *vr, u64 gen)
{
	/* A ring without event fields may end where memory ends. */
	u32 event = vr->event_idx ? sizeof(__virtio16) : 0;
	bool all;

	if (likely(vr->mapped && vr->gen == gen &&
		   vr->mapped_event_idx == vr->event_idx))
		return 0;
	if (!vr->desc.page)
		return -EINVAL;

	all = area_map(vr, &vr->desc, vr->num * (u32)sizeof(struct vring_desc),
		       false);
	all &= area_map(vr, &vr->avail, VRING_USED_EVENT_OFF(vr->num) + event,
			false);
	all &= area_map(vr, &vr->used, VRING_AVAIL_EVENT_OFF(vr->num) + event,
			true);

	vr->gen = gen;
	vr->mapped_event_idx = vr->event_idx;
	vr->mapped = all;
	return all ? 0 : -EAGAIN;
}

void ivshm_vring_start(struct ivshm_vring *vr, u16 last_avail)
{
	vr->broken = false;
	vr->last_avail = last_avail;
	vr->avail_idx = last_avail;
	vr->last_used = used_read_idx(vr);
	vr->signalled_used_valid = false;
	/* Stays 0 with EVENT_IDX (2.7.10.2) */
	vr->used_flags = 0;
	used_write16(vr, offsetof(struct vring_used, flags), 0);
	ivshm_vring_enable_kick(vr);
}

/*
 * Taking buffers
 */

static int walk_add(struct vring_walk *walk, const struct vring_copy *desc)
{
	struct ivshm_vring_chain *chain = walk->chain;

	chain->nr_desc++;

	/* Writable descriptors come last (2.7.4.2), also those of length 0. */
	if (desc->flags & VRING_DESC_F_WRITE)
		walk->writable = true;
	else if (walk->writable)
		return -EINVAL;

	if (!desc->len)
		return 0;
	if (desc->addr + desc->len - 1 < desc->addr)
		return -EINVAL;
	/* At most 4 GiB in total (2.7.5), of which we take one byte less. */
	if (desc->len > U32_MAX - walk->bytes)
		return -EINVAL;
	if (walk->nr_segs == IVSHM_VRING_MAX_SEGS)
		return -EINVAL;

	/* When out of room, go on: only a valid chain is worth a retry. */
	if (walk->nr_segs < walk->max) {
		walk->segs[walk->nr_segs].addr = desc->addr;
		walk->segs[walk->nr_segs].len = desc->len;
	}
	walk->nr_segs++;
	walk->bytes += desc->len;
	if (walk->writable) {
		chain->nr_in++;
		chain->in_len += desc->len;
	} else {
		chain->nr_out++;
		chain->out_len += desc->len;
	}
	return 0;
}

/*
 * The table replaces the rest of the chain; the descriptor that refers to it
 * has no successor, and its WRITE flag means nothing (2.7.5.3).
 */
static int walk_table(const struct ivshm_vring *vr, struct vring_walk *walk,
		      const struct vring_copy *ref)
{
	u32 count = ref->len / sizeof(struct vring_desc);
	struct vring_desc piece[VRING_PIECE];
	u32 first = 0, have = 0, i = 0;
	struct vring_copy desc;
	u32 steps;
	int err;

	if (!vr->indirect || ref->flags & VRING_DESC_F_NEXT ||
	    ref->len % sizeof(struct vring_desc) || count > VRING_TABLE_MAX ||
	    ref->addr + ref->len - 1 < ref->addr)
		return -EINVAL;

	/*
	 * A chain without a loop has no more steps than the table has entries,
	 * and one in an empty table does not end either.
	 */
	for (steps = 0; steps < count; steps++) {
		if (i < first || i - first >= have) {
			first = i;
			have = min_t(u32, count - i, VRING_PIECE);
			err = vr->ops->read(vr->priv,
					    ref->addr + i * sizeof(*piece),
					    piece, have * sizeof(*piece));
			if (err)
				return err == -EAGAIN || err == -EINPROGRESS ?
				       err : -EINVAL;
		}
		desc_decode(vr, &desc, &piece[i - first]);
		if (desc.flags & VRING_DESC_F_INDIRECT)
			return -EINVAL;
		err = walk_add(walk, &desc);
		if (err)
			return err;
		if (!(desc.flags & VRING_DESC_F_NEXT))
			return 0;
		i = desc.next;
		if (i >= count)
			return -EINVAL;
	}
	return -EINVAL;
}

static int walk_ring(const struct ivshm_vring *vr, struct vring_walk *walk,
		     u32 i)
{
	struct vring_copy desc;
	u32 steps;
	int err;

	/* A chain without a loop has no more steps than the ring has entries. */
	for (steps = 0; steps < vr->num; steps++) {
		if (i >= vr->num)
			return -EINVAL;
		desc_decode(vr, &desc,
			    area_ptr(&vr->desc, i * sizeof(struct vring_desc)));
		if (desc.flags & VRING_DESC_F_INDIRECT)
			return walk_table(vr, walk, &desc);
		err = walk_add(walk, &desc);
		if (err)
			return err;
		if (!(desc.flags & VRING_DESC_F_NEXT))
			return 0;
		i = desc.next;
	}
	return -EINVAL;
}

bool ivshm_vring_pending(struct ivshm_vring *vr)
{
	if (vr->broken)
		return false;
	/* A wild index counts as pending, for ivshm_vring_pop() to refuse. */
	return vr->avail_idx != vr->last_avail ||
	       avail_read_idx(vr) != vr->last_avail;
}

int ivshm_vring_pop(struct ivshm_vring *vr, struct ivshm_vring_chain *chain,
		    struct ivshm_vring_seg *segs, u32 max)
{
	struct vring_walk walk = { .chain = chain, .segs = segs, .max = max };
	int err;

	if (unlikely(vr->broken))
		return -EINVAL;

	if (vr->avail_idx == vr->last_avail) {
		vr->avail_idx = avail_read_idx(vr);
		if (vr->avail_idx == vr->last_avail)
			return -ENOENT;
		/*
		 * Entries and descriptors after the index that covers them.
		 * Pairs with the driver's write barrier before it updates the
		 * available index (2.7.13.3.1).
		 */
		smp_rmb();
	}

	/* Also holds after ivshm_vring_unpop(), hence not only when read. */
	err = -EINVAL;
	if ((u16)(vr->avail_idx - vr->last_avail) > vr->num)
		goto broken;

	memset(chain, 0, sizeof(*chain));
	chain->head = avail_read(vr, offsetof(struct vring_avail, ring) +
				     (vr->last_avail & (vr->num - 1)) *
				     (u32)sizeof(__virtio16));
	err = walk_ring(vr, &walk, chain->head);
	if (err == -EINVAL)
		goto broken;
	if (err)
		return err;
	if (walk.nr_segs > max)
		return -ENOSPC;

	vr->last_avail++;
	return 0;

broken:
	vr->broken = true;
	return err;
}

static bool few_add(struct ivshm_vring_few *few, const struct vring_copy *desc)
{
	if (unlikely(!desc->len || few->nr == IVSHM_VRING_FEW ||
		     desc->len > U32_MAX - few->len ||
		     desc->addr + desc->len - 1 < desc->addr))
		return false;
	few->seg[few->nr].addr = desc->addr;
	few->seg[few->nr++].len = desc->len;
	few->len += desc->len;
	return true;
}

static bool few_table(const struct ivshm_vring *vr, struct ivshm_vring_few *few,
		      const struct vring_copy *ref)
{
	struct vring_desc table[IVSHM_VRING_FEW];
	struct vring_copy desc;
	u32 i, n = ref->len / sizeof(*table);

	if (!vr->indirect || !n || n > IVSHM_VRING_FEW || ref->len % sizeof(*table) ||
	    vr->ops->read(vr->priv, ref->addr, table, ref->len))
		return false;
	for (i = 0; i < n; i++) {
		desc_decode(vr, &desc, &table[i]);
		if (!few_add(few, &desc))
			return false;
		if (!desc.flags)
			return true;
		if (desc.flags != VRING_DESC_F_NEXT || desc.next != i + 1)
			return false;
	}
	return false;
}

static noinline bool few_walk(const struct ivshm_vring *vr, struct ivshm_vring_few *few, u16 flags)
{
	struct vring_copy desc;
	u16 i = few->head;

	few->nr = 0;
	few->len = 0;
	for (;;) {
		if (unlikely(i >= vr->num))
			return false;
		desc_decode(vr, &desc,
			    area_ptr(&vr->desc, i * (u32)sizeof(struct vring_desc)));
		if (desc.flags == VRING_DESC_F_INDIRECT && !flags && !few->nr)
			return few_table(vr, few, &desc);
		if ((desc.flags & ~VRING_DESC_F_NEXT) != flags || !few_add(few, &desc))
			return false;
		if (likely(!(desc.flags & VRING_DESC_F_NEXT)))
			return true;
		i = desc.next;
	}
}

/* With @flat the pages of both areas lie in a row. */
static __always_inline u16 few_take(const struct ivshm_vring *vr, struct ivshm_vring_few *few,
				    u16 first, u16 max, u16 flags, bool flat)
{
	/* Copies, which stores to @few do not make the compiler read again. */
	const void *descs = vr->desc.flat, *avail = vr->avail.flat;
	u32 num = vr->num, mask = num - 1, n, at, head;
	const struct vring_desc *desc;
	bool le = ring_is_le(vr);
	const __virtio16 *entry;
	u64 addr;
	u32 len;

	for (n = 0; n < max; n++, few++) {
		at = offsetof(struct vring_avail, ring) +
		     ((first + n) & mask) * (u32)sizeof(*entry);
		entry = flat ? avail + at : area_ptr(&vr->avail, at);
		head = __virtio16_to_cpu(le, READ_ONCE(*entry));
		if (unlikely(head >= num))
			break;
		few->head = head;
		at = head * (u32)sizeof(*desc);
		desc = flat ? descs + at : area_ptr(&vr->desc, at);
		addr = __virtio64_to_cpu(le, READ_ONCE(desc->addr));
		len = __virtio32_to_cpu(le, READ_ONCE(desc->len));
		/* One descriptor, as of most frames and buffers. */
		if (likely(__virtio16_to_cpu(le, READ_ONCE(desc->flags)) == flags && len &&
			   addr + len - 1 >= addr)) {
			few->nr = 1;
			few->len = len;
			few->seg[0].addr = addr;
			few->seg[0].len = len;
			continue;
		}
		if (!few_walk(vr, few, flags))
			break;
	}
	return n;
}

u16 ivshm_vring_pop_few(struct ivshm_vring *vr, struct ivshm_vring_few *few, u16 max,
			bool writable)
{
	u16 flags = writable ? VRING_DESC_F_WRITE : 0;
	u16 first = vr->last_avail;
	u16 n;

	if (unlikely(vr->broken))
		return 0;
	if ((u16)(vr->avail_idx - first) < max) {
		vr->avail_idx = avail_read_idx(vr);
		/* As in ivshm_vring_pop(). */
		smp_rmb();
	}
	n = vr->avail_idx - first;
	/* A wild index is for ivshm_vring_pop() to refuse. */
	if (unlikely(n > vr->num))
		return 0;
	max = min_t(u16, max, n);
	if (likely(vr->desc.flat && vr->avail.flat))
		n = few_take(vr, few, first, max, flags, true);
	else
		n = few_take(vr, few, first, max, flags, false);
	vr->last_avail = first + n;
	return n;
}

void ivshm_vring_unpop(struct ivshm_vring *vr, u16 n)
{
	vr->last_avail -= n;
}

/*
 * Giving buffers back
 */

void ivshm_vring_push(struct ivshm_vring *vr,
		      const struct ivshm_vring_used *used, u16 n)
{
	/* A copy, as in ivshm_vring_pop_few(). */
	const struct ivshm_vring_area area = vr->used;
	u32 slot = vr->last_used & (vr->num - 1);
	bool le = ring_is_le(vr);
	u32 left = n;

	if (unlikely(vr->broken) || !n)
		return;

	/* One turn for each run of entries without a wrap. */
	while (left) {
		u32 run = min_t(u32, left, vr->num - slot);
		u32 start = offsetof(struct vring_used, ring) +
			    slot * (u32)sizeof(struct vring_used_elem);
		u32 off = start;

		left -= run;
		slot = 0;
		if (likely(area.flat)) {
			__virtio32 *p = area.flat + off;

			off += run * (u32)sizeof(struct vring_used_elem);
			for (; run; run--, used++, p += 2) {
				WRITE_ONCE(p[0], __cpu_to_virtio32(le, used->id));
				WRITE_ONCE(p[1], __cpu_to_virtio32(le, used->len));
			}
		}
		for (; run; run--, used++) {
			used_write32(&area, le, off, used->id);
			used_write32(&area, le, off + 4, used->len);
			off += sizeof(struct vring_used_elem);
		}
		used_log(vr, start, off - start);
	}

	/*
	 * Data and entries before the index that covers them. Pairs with the
	 * driver's read barrier between the used index and the entry (2.7.14).
	 */
	smp_wmb();
	vr->last_used += n;
	used_write16(vr, offsetof(struct vring_used, idx), vr->last_used);

	/*
	 * Having come all the way round to where we signalled last, "since
	 * then" says nothing any more.
	 */
	if ((u16)(vr->last_used - vr->signalled_used) < n)
		vr->signalled_used_valid = false;
}

bool ivshm_vring_should_signal(struct ivshm_vring *vr)
{
	u16 old = vr->signalled_used;
	bool valid = vr->signalled_used_valid;
	u16 new = vr->last_used;
	u16 event;

	if (unlikely(vr->broken) || (valid && new == old))
		return false;

	vr->signalled_used = new;
	vr->signalled_used_valid = true;

	/*
	 * The used index before the driver's wish. Pairs with the driver's full
	 * barrier between its wish and its look at the used index: one of the
	 * two sees what the other wrote (2.7.7, 2.7.14).
	 */
	smp_mb();

	/* Overrides what the driver wished (6.3) */
	if (vr->notify_on_empty && avail_read_idx(vr) == vr->last_avail)
		return true;

	if (!vr->event_idx)
		return !(avail_read(vr, offsetof(struct vring_avail, flags)) &
			 VRING_AVAIL_F_NO_INTERRUPT);
	if (!valid)
		return true;

	/* Was the entry "event" among those from old to new - 1? (2.7.7.2) */
	event = avail_read(vr, VRING_USED_EVENT_OFF(vr->num));
	return (u16)(new - event - 1) < (u16)(new - old);
}

/*
 * Notifications from the guest
 */

bool ivshm_vring_enable_kick(struct ivshm_vring *vr)
{
	if (unlikely(vr->broken))
		return false;

	if (vr->event_idx) {
		used_write16(vr, VRING_AVAIL_EVENT_OFF(vr->num), vr->avail_idx);
	} else if (vr->used_flags & VRING_USED_F_NO_NOTIFY) {
		vr->used_flags &= ~VRING_USED_F_NO_NOTIFY;
		used_write16(vr, offsetof(struct vring_used, flags),
			     vr->used_flags);
	}

	/*
	 * Our wish before the available index. Pairs with the driver's full
	 * barrier between its update of that index and its look at our wish
	 * (2.7.13.4.1): one of the two sees what the other wrote.
	 */
	smp_mb();
	return avail_read_idx(vr) != vr->avail_idx;
}

void ivshm_vring_disable_kick(struct ivshm_vring *vr)
{
	/* With EVENT_IDX the driver stops by itself once past avail_event. */
	if (unlikely(vr->broken) || vr->event_idx ||
	    vr->used_flags & VRING_USED_F_NO_NOTIFY)
		return;

	vr->used_flags |= VRING_USED_F_NO_NOTIFY;
	used_write16(vr, offsetof(struct vring_used, flags), vr->used_flags);
}
