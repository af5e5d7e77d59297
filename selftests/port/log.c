// SPDX-License-Identifier: GPL-2.0
/* The dirty log of a guest; see log.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "env.h"
#include "log.h"

int log_open(struct log *l, struct guest *g)
{
	l->g = g;
	l->bits = mmap(NULL, LOG_SIZE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	l->copy = malloc(g->size);
	return l->bits == MAP_FAILED || !l->copy ? -ENOMEM : 0;
}

void log_close(struct log *l)
{
	if (l->bits)
		munmap(l->bits, LOG_SIZE);
	free(l->copy);
	l->bits = NULL;
	l->copy = NULL;
}

int log_base(struct guest *g, const void *base)
{
	__u64 at = (uintptr_t)base;

	return ioctl(g->fd, VHOST_SET_LOG_BASE, &at) ? -errno : 0;
}

int log_features(struct guest *g, bool on)
{
	__u64 features = g->c.features | (on ? BIT64(VHOST_F_LOG_ALL) : 0);

	return ioctl(g->fd, VHOST_SET_FEATURES, &features) ? -errno : 0;
}

int log_addr(struct guest *g, int q, bool on)
{
	struct vhost_vring_addr addr = guest_ring_addr(g, q);

	addr.flags = on ? 1 << VHOST_VRING_F_LOG : 0;
	addr.log_guest_addr = guest_gpa(g, g->ring[q].used);
	return ioctl(g->fd, VHOST_SET_VRING_ADDR, &addr) ? -errno : 0;
}

int log_set(struct guest *g, bool on)
{
	int q, err = log_features(g, on);

	for (q = 0; q < GUEST_QUEUES && !err; q++)
		err = log_addr(g, q, on);
	return err;
}

int log_begin(struct log *l)
{
	int err;

	memset(l->bits, 0, LOG_SIZE);
	err = log_base(l->g, l->bits) ?: log_set(l->g, true);
	memcpy(l->copy, l->g->mem, l->g->size);
	return err;
}

bool log_marked(const __u8 *bits, __u64 gpa)
{
	__u64 page = gpa / LOG_PAGE;

	return bits[page / 8] & (1 << page % 8);
}

void log_check_range(struct log *l, const void *at, size_t len, struct log_checked *c)
{
	const __u8 *p = at, *end = p + len, *next;

	for (; p < end; p = next) {
		__u64 gpa = guest_gpa(l->g, p);

		next = p + LOG_PAGE - gpa % LOG_PAGE;
		if (next > end)
			next = end;
		if (!memcmp(p, l->copy + (p - l->g->mem), next - p))
			continue;
		c->changed++;
		if (log_marked(l->bits, gpa))
			continue;
		if (!c->missing++)
			fprintf(stderr, "# page %llx changed and is not marked\n", gpa / LOG_PAGE);
	}
}

static bool may_change(const struct guest *g, __u64 page)
{
	int q;

	for (q = 0; q < GUEST_QUEUES; q++) {
		const struct guest_ring *r = &g->ring[q];
		__u64 from = guest_gpa(g, r->used), to = from + 6 + 8 * r->num;

		if (page >= from / LOG_PAGE && page <= (to - 1) / LOG_PAGE)
			return true;
		from = guest_gpa(g, r->slots);
		to = from + (size_t)r->nr_slots * r->slot_size;
		if (q == GUEST_RX && page >= from / LOG_PAGE && page <= (to - 1) / LOG_PAGE)
			return true;
	}
	return false;
}

struct log_checked log_check(struct log *l)
{
	struct guest_ring *rx = &l->g->ring[GUEST_RX], *tx = &l->g->ring[GUEST_TX];
	struct log_checked c = {};
	__u64 page;

	log_check_range(l, rx->used, 6 + 8 * rx->num, &c);
	log_check_range(l, tx->used, 6 + 8 * tx->num, &c);
	log_check_range(l, rx->slots, (size_t)rx->nr_slots * rx->slot_size, &c);
	for (page = 0; page < LOG_SIZE * 8; page++) {
		if (!log_marked(l->bits, page * LOG_PAGE) || may_change(l->g, page))
			continue;
		if (!c.stray++)
			fprintf(stderr, "# page %llx is marked\n", page);
	}
	return c;
}

void log_fill(struct guest *g)
{
	guest_rx_fill(g, g->ring[GUEST_RX].num, g->ring[GUEST_RX].slot_size - GUEST_GAP);
}

int log_renew(struct guest *g)
{
	int err = guest_stop(g);

	guest_reset_rings(g);
	err = err ?: guest_start(g);
	guest_error(g, GUEST_RX);
	guest_error(g, GUEST_TX);
	log_fill(g);
	return err;
}

int log_up(struct guest *g, struct guest *peer, struct guest_config c, bool coupled)
{
	struct guest_config p = { .tap = "tap1", .bridge = "br0" };
	int err;

	c.tap = "tap0";
	c.bridge = "br0";
	p.plain = c.plain;
	p.features = c.features;
	err = guest_open(g, &c) ?: guest_start(g) ?: guest_up(peer, &p);
	if (!err && coupled)
		err = ctl_couple("lan0", IVSHM_COUPLING_STATIC, NULL, "tap0", "tap1", NULL);
	return err;
}
