// SPDX-License-Identifier: GPL-2.0
/* A guest in a process: the driver's part; see guest.h. */
#include <errno.h>
#include <linux/if_ether.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "guest.h"

/* Used entries are there before their interrupt, which may take its time. */
#define INTERRUPT_MS	2000

#define LOAD(x)		__atomic_load_n(&(x), __ATOMIC_ACQUIRE)
#define STORE(x, v)	__atomic_store_n(&(x), v, __ATOMIC_RELEASE)
#define MB()		__atomic_thread_fence(__ATOMIC_SEQ_CST)

static int fault(struct guest *g, const char *fmt, ...)
{
	va_list ap;

	/* The first ones tell. */
	if (++g->faults > 20)
		return -EPROTO;
	fprintf(stderr, "# guest %s: ", g->c.tap ?: "-");
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "\n");
	return -EPROTO;
}

/* FNV-1a: were device-readable bytes written? */
static __u64 sum(const __u8 *p, size_t len)
{
	__u64 h = 0xcbf29ce484222325ULL, word;

	for (; len >= 8; p += 8, len -= 8) {
		memcpy(&word, p, 8);
		h = (h ^ word) * 0x100000001b3ULL;
	}
	while (len--)
		h = (h ^ *p++) * 0x100000001b3ULL;
	return h;
}

static __u16 *used_event(struct guest_ring *r)
{
	return &r->avail->ring[r->num];
}

static __u16 *avail_event(struct guest_ring *r)
{
	return (__u16 *)&r->used->ring[r->num];
}

int guest_slot(struct guest *g, int q)
{
	struct guest_ring *r = &g->ring[q];

	return r->nr_slots_free ? r->slot_free[--r->nr_slots_free] : -ENOSPC;
}

static void slot_put(struct guest_ring *r, int slot)
{
	if (slot >= 0)
		r->slot_free[r->nr_slots_free++] = slot;
}

static __u8 *slot_addr(struct guest_ring *r, int slot)
{
	return r->slots + (size_t)slot * r->slot_size;
}

unsigned int guest_pieces(struct guest *g, int q, int slot, const __u32 *len,
			  unsigned int n, struct guest_seg *seg)
{
	struct guest_ring *r = &g->ring[q];
	__u8 *at = slot_addr(r, slot), *end = at + r->slot_size;
	unsigned int i;

	memset(at, GUEST_POISON, r->slot_size);
	for (i = 0; i < n; i++) {
		seg[i].addr = at;
		seg[i].len = len[i];
		at += len[i] + GUEST_GAP;
	}
	if (at > end) {
		fprintf(stderr, "# guest: a buffer is too small\n");
		abort();
	}
	return n;
}

void guest_post_raw(struct guest *g, int q, __u16 head)
{
	struct guest_ring *r = &g->ring[q];

	r->avail->ring[r->next_avail++ & (r->num - 1)] = head;
}

static void desc_set(struct guest *g, struct vring_desc *d, const struct guest_seg *seg,
		     bool write, bool last, __u16 next)
{
	d->addr = guest_bus(g, seg->addr);
	d->len = seg->len;
	d->flags = (write ? VRING_DESC_F_WRITE : 0) | (last ? 0 : VRING_DESC_F_NEXT);
	d->next = last ? 0 : next;
}

static void chain_table(struct guest *g, struct guest_ring *r, __u16 head,
			const struct guest_seg *seg, unsigned int n, unsigned int nr_out)
{
	struct guest_chain *c = &r->chain[head];
	unsigned int i;

	if (c->table_size < n) {
		c->table = guest_alloc(g, n * sizeof(*c->table), 16);
		c->table_size = n;
	}
	for (i = 0; i < n; i++)
		desc_set(g, &c->table[i], &seg[i], i >= nr_out, i + 1 == n, i + 1);
	r->desc[head].addr = guest_bus(g, c->table);
	r->desc[head].len = n * sizeof(*c->table);
	r->desc[head].flags = VRING_DESC_F_INDIRECT;
	r->desc[head].next = 0;
}

int guest_post(struct guest *g, int q, const struct guest_seg *seg,
	       unsigned int nr_out, unsigned int nr_in, unsigned int flags)
{
	struct guest_ring *r = &g->ring[q];
	unsigned int n = nr_out + nr_in, nr_desc = flags & GUEST_TABLE ? 1 : n, i;
	struct guest_chain *c;
	__u16 head;

	if (!n || nr_desc > r->nr_free)
		return -ENOSPC;
	head = r->free[r->nr_free - 1];
	c = &r->chain[head];
	c->desc = realloc(c->desc, nr_desc * sizeof(*c->desc));
	c->seg = realloc(c->seg, n * sizeof(*c->seg));
	memcpy(c->seg, seg, n * sizeof(*seg));
	for (i = 0; i < nr_desc; i++)
		c->desc[i] = r->free[--r->nr_free];
	c->busy = true;
	c->slot = -1;
	c->nr_desc = nr_desc;
	c->nr_seg = n;
	c->nr_out = nr_out;
	c->in_len = 0;
	c->sum = 0;
	for (i = 0; i < n; i++) {
		if (i < nr_out)
			c->sum += sum(seg[i].addr, seg[i].len);
		else
			c->in_len += seg[i].len;
	}
	if (flags & GUEST_TABLE)
		chain_table(g, r, head, seg, n, nr_out);
	else
		for (i = 0; i < n; i++)
			desc_set(g, &r->desc[c->desc[i]], &seg[i], i >= nr_out,
				 i + 1 == n, i + 1 < n ? c->desc[i + 1] : 0);
	guest_post_raw(g, q, head);
	return head;
}

void guest_kick(struct guest *g, int q)
{
	__u64 one = 1;

	g->ring[q].kicks++;
	if (write(g->ring[q].kick, &one, sizeof(one)) != sizeof(one))
		fault(g, "kick: %s", strerror(errno));
}

bool guest_publish(struct guest *g, int q)
{
	struct guest_ring *r = &g->ring[q];
	__u16 old = r->told, new = r->next_avail;
	bool kick;

	if (old == new)
		return false;
	STORE(r->avail->idx, new);
	r->told = new;
	MB();
	if (r->event_idx)
		kick = vring_need_event(LOAD(*avail_event(r)), new, old);
	else
		kick = !(LOAD(r->used->flags) & VRING_USED_F_NO_NOTIFY);
	if (kick)
		guest_kick(g, q);
	return kick;
}

bool guest_pending(struct guest *g, int q)
{
	struct guest_ring *r = &g->ring[q];

	return LOAD(r->used->idx) != r->last_used;
}

int guest_reap(struct guest *g, int q, __u32 *len)
{
	struct guest_ring *r = &g->ring[q];
	struct vring_used_elem *e;
	struct guest_chain *c;
	__u64 now = 0;
	unsigned int i;

	if (!guest_pending(g, q))
		return -EAGAIN;
	if ((__u16)(LOAD(r->used->idx) - r->last_used) > r->num)
		return fault(g, "queue %d: used index %u is wild", q, r->used->idx);
	e = &r->used->ring[r->last_used++ & (r->num - 1)];
	if (e->id >= r->num || !r->chain[e->id].busy)
		return fault(g, "queue %d: chain %u completed, but not posted", q, e->id);
	c = &r->chain[e->id];
	if (e->len > c->in_len)
		return fault(g, "queue %d: used length %u of a chain of %u", q, e->len, c->in_len);
	for (i = 0; i < c->nr_out; i++)
		now += sum(c->seg[i].addr, c->seg[i].len);
	if (now != c->sum && !g->lax)
		fault(g, "queue %d: a device-readable buffer was written", q);
	c->busy = false;
	for (i = c->nr_desc; i--;)
		r->free[r->nr_free++] = c->desc[i];
	if (len)
		*len = e->len;
	return e->id;
}

static void calls_take(struct guest_ring *r)
{
	__u64 n;

	if (read(r->call, &n, sizeof(n)) == sizeof(n))
		r->calls += n;
}

__u64 guest_calls(struct guest *g, int q)
{
	calls_take(&g->ring[q]);
	return g->ring[q].calls;
}

bool guest_error(struct guest *g, int q)
{
	__u64 n;

	return read(g->ring[q].err, &n, sizeof(n)) == sizeof(n);
}

void guest_arm(struct guest *g, int q)
{
	struct guest_ring *r = &g->ring[q];

	if (r->event_idx)
		STORE(*used_event(r), r->last_used);
	else
		STORE(r->avail->flags, 0);
	MB();
}

bool guest_wait(struct guest *g, int q, int ms)
{
	struct guest_ring *r = &g->ring[q];
	struct pollfd pfd = { .fd = r->call, .events = POLLIN };
	__u64 end = now_ms() + ms, now;

	if (guest_pending(g, q))
		return true;
	guest_arm(g, q);
	while (!guest_pending(g, q)) {
		now = now_ms();
		if (now >= end)
			break;
		if (poll(&pfd, 1, end - now) > 0)
			calls_take(r);
		else if (guest_pending(g, q) && !poll(&pfd, 1, INTERRUPT_MS))
			fault(g, "queue %d: an interrupt was lost", q);
	}
	if (!r->event_idx)
		STORE(r->avail->flags, VRING_AVAIL_F_NO_INTERRUPT);
	return guest_pending(g, q);
}

/*
 * Receiving
 */

int guest_rx_post(struct guest *g, const __u32 *len, unsigned int n, unsigned int flags)
{
	struct guest_seg seg[GUEST_SEGS_MAX];
	int slot = guest_slot(g, GUEST_RX), head;

	if (slot < 0)
		return slot;
	guest_pieces(g, GUEST_RX, slot, len, n, seg);
	head = guest_post(g, GUEST_RX, seg, 0, n, flags);
	if (head < 0)
		slot_put(&g->ring[GUEST_RX], slot);
	else
		g->ring[GUEST_RX].chain[head].slot = slot;
	return head;
}

int guest_rx_fill(struct guest *g, unsigned int n, __u32 len)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		if (guest_rx_post(g, &len, 1, GUEST_DIRECT) < 0)
			break;
	guest_publish(g, GUEST_RX);
	return i;
}

/* What is behind the used length must not have been touched. */
static void chain_check_rest(struct guest *g, const struct guest_chain *c, __u32 used)
{
	struct guest_ring *r = &g->ring[GUEST_RX];
	unsigned int i, j;

	if (c->slot < 0 || g->lax)
		return;
	for (i = 0; i < c->nr_seg; i++) {
		const struct guest_seg *s = &c->seg[i];
		const __u8 *at = s->addr, *next;
		__u32 n = used < s->len ? used : s->len;

		used -= n;
		next = i + 1 < c->nr_seg ? (const __u8 *)c->seg[i + 1].addr :
		       slot_addr(r, c->slot) + r->slot_size;
		for (j = n; at + j < next; j++) {
			if (at[j] != GUEST_POISON) {
				fault(g, "byte %u of piece %u was written; %u long, %u used",
				      j, i, s->len, n);
				return;
			}
		}
	}
}

static __u32 chain_copy(const struct guest_chain *c, __u32 len, __u8 *to)
{
	__u32 left = len, n;
	unsigned int i;

	for (i = 0; i < c->nr_seg && left; i++) {
		n = left < c->seg[i].len ? left : c->seg[i].len;
		memcpy(to, c->seg[i].addr, n);
		to += n;
		left -= n;
	}
	return len;
}

static int chain_repost(struct guest *g, __u16 head)
{
	struct guest_ring *r = &g->ring[GUEST_RX];
	struct guest_chain *c = &r->chain[head];
	struct guest_seg seg[GUEST_SEGS_MAX];
	unsigned int n = c->nr_seg;
	int slot = c->slot, again;

	memcpy(seg, c->seg, n * sizeof(*seg));
	if (slot >= 0)
		memset(slot_addr(r, slot), GUEST_POISON, r->slot_size);
	again = guest_post(g, GUEST_RX, seg, 0, n,
			   c->nr_desc < n ? GUEST_TABLE : GUEST_DIRECT);
	if (again < 0)
		return fault(g, "no room for a buffer");
	r->chain[again].slot = slot;
	return 0;
}

static int recv_any(struct guest *g, struct guest_frame *f)
{
	static __u8 all[GUEST_FRAME_MAX + 4096];
	struct guest_ring *r = &g->ring[GUEST_RX];
	__u32 len, total = 0;
	unsigned int want = 1, i;
	int head;

	for (i = 0; i < want; i++) {
		struct guest_chain *c;

		head = guest_reap(g, GUEST_RX, &len);
		if (head == -EAGAIN)
			return fault(g, "%u of %u buffers of a frame", i, want);
		if (head < 0)
			return head;
		c = &r->chain[head];
		if (!i && len < g->hdr_len)
			return fault(g, "a frame of %u bytes", len);
		if (total + len > sizeof(all))
			return fault(g, "a frame of more than %u bytes", total + len);
		total += chain_copy(c, len, all + total);
		chain_check_rest(g, c, len);
		if (!i) {
			memset(&f->hdr, 0, sizeof(f->hdr));
			memcpy(&f->hdr, all, g->hdr_len);
			if (g->hdr_len == sizeof(f->hdr))
				want = f->hdr.num_buffers;
			if (!want || (want > 1 && !(g->c.features & F_MRG)))
				return fault(g, "num_buffers %u", want);
		}
		/* All but the last are full. */
		if (i + 1 < want && len != c->in_len)
			fault(g, "buffer %u of %u has %u bytes of %u", i, want, len, c->in_len);
		if (g->keep_rx)
			slot_put(r, c->slot);
		else if (chain_repost(g, head))
			return -EPROTO;
	}
	guest_publish(g, GUEST_RX);
	f->bufs = want;
	f->len = total - g->hdr_len;
	if (f->len > sizeof(f->data))
		return fault(g, "a frame of %u bytes", f->len);
	memcpy(f->data, all + g->hdr_len, f->len);
	return 1;
}

/* Bridges and interfaces of the host say things of their own: from no guest. */
int guest_recv(struct guest *g, struct guest_frame *f, int ms)
{
	__u64 end = now_ms() + ms, now;
	int err;

	do {
		now = now_ms();
		if (!guest_wait(g, GUEST_RX, now < end ? end - now : 0))
			return 0;
		err = recv_any(g, f);
	} while (err == 1 && f->len >= ETH_HLEN && memcmp(f->data + 6, "\x52\x54", 2));
	return err;
}

int guest_silent(struct guest *g, int ms)
{
	static struct guest_frame f;

	int err = guest_recv(g, &f, ms);

	if (err <= 0)
		return err;
	frame_print(f.data, f.len);
	return fault(g, "a frame that was not to come");
}

/*
 * Sending
 */

int guest_tx_reap(struct guest *g)
{
	struct guest_ring *r = &g->ring[GUEST_TX];
	__u32 len;
	int head;

	while ((head = guest_reap(g, GUEST_TX, &len)) >= 0) {
		if (len)
			fault(g, "used length %u of a sent frame", len);
		slot_put(r, r->chain[head].slot);
	}
	return head == -EAGAIN ? 0 : head;
}

int guest_tx_drain(struct guest *g, int ms)
{
	struct guest_ring *r = &g->ring[GUEST_TX];
	__u64 end = now_ms() + ms;

	for (;;) {
		int err = guest_tx_reap(g);
		int left = (__u16)(r->told - r->last_used);
		__u64 now = now_ms();

		if (err < 0 || !left || now >= end)
			return err < 0 ? err : left;
		guest_wait(g, GUEST_TX, end - now);
	}
}

int guest_send_pieces(struct guest *g, const void *hdr, const void *frame, __u32 len,
		      const __u32 *piece, unsigned int n, unsigned int flags)
{
	static const struct virtio_net_hdr_mrg_rxbuf zero;
	__u32 total = g->hdr_len + len, left = total, at = 0, lens[GUEST_SEGS_MAX];
	static __u8 all[GUEST_FRAME_MAX + sizeof(zero)];
	struct guest_ring *r = &g->ring[GUEST_TX];
	struct guest_seg seg[GUEST_SEGS_MAX];
	unsigned int i, nr = 0;
	int slot, head;

	guest_tx_reap(g);
	slot = guest_slot(g, GUEST_TX);
	if (slot < 0)
		return -EAGAIN;
	for (i = 0; i < n && left; i++) {
		lens[nr] = piece[i] < left ? piece[i] : left;
		left -= lens[nr++];
	}
	if (left)
		lens[nr++] = left;
	guest_pieces(g, GUEST_TX, slot, lens, nr, seg);
	memcpy(all, hdr ?: &zero, g->hdr_len);
	memcpy(all + g->hdr_len, frame, len);
	for (i = 0; i < nr; i++) {
		memcpy(seg[i].addr, all + at, seg[i].len);
		at += seg[i].len;
	}
	head = guest_post(g, GUEST_TX, seg, nr, 0, flags);
	if (head < 0) {
		slot_put(r, slot);
		return -EAGAIN;
	}
	r->chain[head].slot = slot;
	if (!(flags & GUEST_MORE))
		guest_publish(g, GUEST_TX);
	return 0;
}

int guest_send(struct guest *g, const void *hdr, const void *frame, __u32 len)
{
	return guest_send_pieces(g, hdr, frame, len, &g->hdr_len, 1, GUEST_DIRECT);
}
