// SPDX-License-Identifier: GPL-2.0
/*
 * Fuzz target: the input is a guest.
 *
 *   byte 0	features
 *   byte 1	log2 of the ring size (0 to 8), and whether areas cross pages
 *   bytes 2-3	index to start from
 *   then	operations of the driver or the device, see step()
 *
 * Built for libFuzzer with clang, or with FUZZ_MAIN as a program that runs the
 * files it is given, or else a number of random inputs.
 */
#include <stdio.h>

#include "vring_mock.h"

struct input {
	const u8 *p;
	size_t left;
};

static u8 take8(struct input *in)
{
	if (!in->left)
		return 0;
	in->left--;
	return *in->p++;
}

static u16 take16(struct input *in)
{
	u16 low = take8(in);

	return low | take8(in) << 8;
}

static u32 take32(struct input *in)
{
	u32 low = take16(in);

	return low | (u32)take16(in) << 16;
}

#define REQUIRE(cond)							\
do {									\
	if (!(cond)) {							\
		fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__,	\
			#cond);						\
		abort();						\
	}								\
} while (0)

/* Where a descriptor leads: to a table more often than by chance */
static u64 take_addr(struct input *in)
{
	u8 kind = take8(in);

	switch (kind & 3) {
	case 0:
		return MOCK_TABLE + (kind >> 2);
	case 1:
		/* Near the end of memory */
		return MOCK_GPA + MOCK_SIZE - (kind >> 2);
	case 2:
		return -(u64)take16(in);
	default:
		return MOCK_DATA + take32(in);
	}
}

static u32 take_len(struct input *in)
{
	u8 kind = take8(in);

	switch (kind & 3) {
	case 0:
		return 0;
	case 1:
		return 16 * (kind >> 2);
	case 2:
		return take16(in);
	default:
		return take32(in);
	}
}

static void write_desc(struct vring_mock *m, u64 gpa, struct input *in)
{
	u64 addr = take_addr(in);
	u32 len = take_len(in);
	u16 flags = take8(in);

	mock_write_desc(m, gpa, addr, len, flags & 0x80 ? flags : flags & 7,
			take8(in));
}

static void check_chain(struct mock_ring *r, u32 max)
{
	u64 out = 0, in = 0;
	u32 i, nr = r->chain.nr_out + r->chain.nr_in;

	REQUIRE(r->chain.head < r->m.num);
	REQUIRE(nr <= max && nr <= r->chain.nr_desc);
	REQUIRE(r->chain.nr_desc <= r->m.num + 65536);
	for (i = 0; i < nr; i++) {
		REQUIRE(r->segs[i].len);
		REQUIRE(r->segs[i].addr + r->segs[i].len - 1 >=
			r->segs[i].addr);
		if (i < r->chain.nr_out)
			out += r->segs[i].len;
		else
			in += r->segs[i].len;
	}
	REQUIRE(out == r->chain.out_len && in == r->chain.in_len);
}

static void pop(struct mock_ring *r, u32 max)
{
	u16 last_avail = r->vr.last_avail;
	bool broken = r->vr.broken;
	int err;

	r->m.read_bytes = 0;
	err = ivshm_vring_pop(&r->vr, &r->chain, r->segs, max);
	/* A piece of a table for each of its entries, at worst */
	REQUIRE(r->m.read_bytes <= 65536 * 256);
	REQUIRE(!broken || (err == -EINVAL && !r->m.read_bytes));
	REQUIRE(r->vr.broken == (err == -EINVAL));
	REQUIRE(r->vr.last_avail == (u16)(last_avail + !err));
	REQUIRE(!err || err == -EINVAL || err == -ENOENT || err == -ENOSPC ||
		err == -EAGAIN);
	if (!err)
		check_chain(r, max);
	/* Enough room: "too small" must not be said twice. */
	if (err == -ENOSPC) {
		REQUIRE(max < IVSHM_VRING_MAX_SEGS);
		pop(r, IVSHM_VRING_MAX_SEGS);
	}
}

/* What is taken as a few is what ivshm_vring_pop() takes, too. */
static void pop_few(struct mock_ring *r, u16 max, bool writable)
{
	struct ivshm_vring_few few[8];
	u16 last_avail = r->vr.last_avail, n, i, j;
	bool broken = r->vr.broken;

	n = ivshm_vring_pop_few(&r->vr, few, max, writable);
	REQUIRE(n <= max && r->vr.broken == broken && (!broken || !n));
	REQUIRE(r->vr.last_avail == (u16)(last_avail + n));
	ivshm_vring_unpop(&r->vr, n);
	for (i = 0; i < n; i++) {
		REQUIRE(!ivshm_vring_pop(&r->vr, &r->chain, r->segs, IVSHM_VRING_FEW));
		check_chain(r, IVSHM_VRING_FEW);
		REQUIRE(r->chain.head == few[i].head);
		REQUIRE((writable ? r->chain.nr_in : r->chain.nr_out) == few[i].nr);
		REQUIRE((writable ? r->chain.in_len : r->chain.out_len) == few[i].len);
		REQUIRE(!(writable ? r->chain.nr_out : r->chain.nr_in));
		for (j = 0; j < few[i].nr; j++)
			REQUIRE(few[i].seg[j].addr == r->segs[j].addr &&
				few[i].seg[j].len == r->segs[j].len);
	}
}

static void push(struct mock_ring *r, struct input *in)
{
	struct ivshm_vring_used used[32];
	u16 before = mock_used_idx(&r->m);
	u32 n = take8(in) % 33;
	u16 first = r->vr.last_used;
	u32 i;

	for (i = 0; i < n; i++) {
		used[i].id = i ^ 0x55;
		used[i].len = i << 8;
	}
	mock_clear_log(&r->m);
	ivshm_vring_push(&r->vr, used, n);
	if (r->vr.broken || !n) {
		REQUIRE(mock_used_idx(&r->m) == before && !r->m.log_calls);
		return;
	}
	REQUIRE(mock_used_idx(&r->m) == (u16)(first + n));
	REQUIRE(r->m.logged[2] && r->m.logged[3]);
	for (i = n > r->m.num ? n - r->m.num : 0; i < n; i++) {
		u32 off = 4 + 8 * ((u16)(first + i) % r->m.num);

		REQUIRE(mock_used_id(&r->m, first + i) == used[i].id);
		REQUIRE(mock_used_len(&r->m, first + i) == used[i].len);
		REQUIRE(r->m.logged[off] && r->m.logged[off + 7]);
	}
}

static void signal_or_not(struct mock_ring *r)
{
	bool valid = r->vr.signalled_used_valid;
	u16 old = r->vr.signalled_used;
	bool yes = ivshm_vring_should_signal(&r->vr);
	u16 event, i;

	if (r->vr.broken || !r->vr.event_idx || !valid || r->vr.notify_on_empty)
		return;
	/* The rule in words: was the entry that the driver named among them? */
	event = mock_get16(&r->m, r->m.avail + 4 + 2 * r->m.num);
	for (i = old; i != r->vr.last_used; i++)
		if (i == event)
			break;
	REQUIRE(yes == (i != r->vr.last_used));
}

static void kick(struct mock_ring *r)
{
	bool yes = ivshm_vring_enable_kick(&r->vr);

	if (r->vr.broken)
		REQUIRE(!yes);
	else
		REQUIRE(yes == (mock_get16(&r->m, r->m.avail + 2) !=
				r->vr.avail_idx));
}

static void unpop(struct mock_ring *r, u16 n)
{
	u16 last_avail = r->vr.last_avail;

	ivshm_vring_unpop(&r->vr, n);
	REQUIRE(r->vr.last_avail == (u16)(last_avail - n));
}

static void restart(struct mock_ring *r, struct input *in)
{
	r->vr.event_idx = take8(in) & 1;
	REQUIRE(!ivshm_vring_begin(&r->vr, 2));
	ivshm_vring_start(&r->vr, r->m.avail_idx);
	REQUIRE(!r->vr.broken);
	REQUIRE(!mock_used_flags(&r->m));
}

static void step(struct mock_ring *r, struct input *in)
{
	struct vring_mock *m = &r->m;
	u32 n;

	switch (take8(in) % 17) {
	/* The driver */
	case 0:
	case 1:
		write_desc(m, m->desc + 16 * (take8(in) % m->num), in);
		break;
	case 2:
		write_desc(m, MOCK_TABLE + 16 * take8(in), in);
		break;
	case 3:
	case 4:
		mock_offer(m, take8(in));
		break;
	case 5:
		mock_offer(m, take16(in));
		break;
	case 6:
		mock_set_avail_idx(m, take16(in));
		break;
	case 7:
		mock_set_used_event(m, r->vr.last_used + take8(in) - 8);
		mock_set_avail_flags(m, take8(in));
		break;
	case 8:
		mock_put16(m, m->used + (take16(in) % MOCK_USED_SIZE(m->num) & ~1),
			   take16(in));
		break;
	case 9:
		n = (MOCK_TABLE - MOCK_GPA) >> PAGE_SHIFT;
		m->absent[n + (take8(in) & 1)] ^= true;
		break;
	/* The device */
	case 10:
		pop(r, IVSHM_VRING_MAX_SEGS);
		break;
	case 11:
		pop(r, take8(in) % 4);
		break;
	case 12:
		push(r, in);
		signal_or_not(r);
		break;
	case 13:
		ivshm_vring_disable_kick(&r->vr);
		kick(r);
		break;
	case 14:
		unpop(r, take8(in) % 4);
		break;
	case 15:
		n = take8(in);
		pop_few(r, n % 9, n & 0x80);
		break;
	case 16:
		ivshm_vring_pending(&r->vr);
		if (r->vr.broken)
			restart(r, in);
		break;
	}
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct input in = { .p = data, .left = size };
	static struct mock_ring r;
	u32 features = take8(&in);
	u8 shape = take8(&in);
	u16 idx = take16(&in);

	mock_ring_init(&r, 1U << shape % 9, features | MOCK_LE);
	if (shape & 0x40) {
		r.m.desc += PAGE_SIZE - 16;
		r.m.avail += PAGE_SIZE - 6;
		r.m.used += PAGE_SIZE - 8;
	}
	REQUIRE(!mock_ring_map(&r));
	mock_ring_start(&r, idx);
	while (in.left)
		step(&r, &in);
	mock_ring_exit(&r);
	return 0;
}

#ifdef FUZZ_MAIN
static int run_file(const char *name)
{
	static u8 data[65536];
	FILE *f = fopen(name, "r");

	if (!f) {
		perror(name);
		return 1;
	}
	LLVMFuzzerTestOneInput(data, fread(data, 1, sizeof(data), f));
	fclose(f);
	return 0;
}

int main(int argc, char **argv)
{
	static u8 data[400];
	u64 state = 1;
	long runs = 20000;
	int i;

	if (argc > 1 && sscanf(argv[1], "-runs=%ld", &runs) != 1) {
		for (i = 1; i < argc; i++)
			if (run_file(argv[i]))
				return 1;
		return 0;
	}
	while (runs--) {
		for (i = 0; i < (int)sizeof(data); i++) {
			state = state * 6364136223846793005ULL + 1;
			data[i] = state >> 56;
		}
		LLVMFuzzerTestOneInput(data, (state >> 32) % sizeof(data));
	}
	return 0;
}
#endif
