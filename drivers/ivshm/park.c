// SPDX-License-Identifier: GPL-2.0
/*
 * Parks: frames that wait for their receiver, on the sender's side.
 *
 * The frames stay in the sender's transmit ring: a full receiver makes the
 * sender's queue fill up, as a real link would.  The number is bounded and so
 * is the time.  A park is opened, which registers it with the receiver, before
 * the attempt that decides that a frame must wait; whatever changes at the
 * receiver from then on wakes the sender, who tries all its parks again.
 */
#include <linux/etherdevice.h>
#include <linux/ktime.h>
#include <linux/rcupdate.h>

#include "port.h"
#include "qp.h"
#include "tx.h"

static struct ivshm_park *ivshm_park_find(const struct ivshm_qp *qp, u32 dst_id)
{
	u32 i;

	if (!qp->nr_parks)
		return NULL;
	for (i = 0; i < IVSHM_PARKS; i++)
		if (qp->parks[i].dst_id == dst_id)
			return &qp->parks[i];
	return NULL;
}

bool ivshm_park_busy(const struct ivshm_qp *qp, u32 dst_id)
{
	const struct ivshm_park *park;

	if (!qp->nr_parked)
		return false;
	park = ivshm_park_find(qp, dst_id);
	return park && !list_empty(&park->frames);
}

static void ivshm_park_unregister(struct ivshm_park *park)
{
	struct ivshm_qp *dst = park->on;

	if (!dst)
		return;
	spin_lock_irq(&dst->wait_lock);
	list_del_init(&park->wait);
	spin_unlock_irq(&dst->wait_lock);
	park->on = NULL;
	ivshm_qp_put(dst);
}

static void ivshm_park_close(struct ivshm_qp *qp, struct ivshm_park *park)
{
	ivshm_park_unregister(park);
	park->dst_id = 0;
	qp->nr_parks--;
}

bool ivshm_park_open(struct ivshm_qp *qp, struct ivshm_qp *dst, u32 dst_id)
{
	struct ivshm_park *park = ivshm_park_find(qp, dst_id);
	u32 i;

	if (park && (!dst || park->on == dst))
		return true;
	if (park) {
		/* Another queue, or the receiver was started anew. */
		ivshm_park_unregister(park);
	} else {
		for (i = 0; i < IVSHM_PARKS; i++)
			if (!qp->parks[i].dst_id)
				break;
		if (i == IVSHM_PARKS)
			return false;
		park = &qp->parks[i];
		park->dst_id = dst_id;
		qp->nr_parks++;
	}
	if (!dst)
		return true;
	if (!ivshm_qp_tryget(dst)) {
		if (list_empty(&park->frames))
			ivshm_park_close(qp, park);
		return false;
	}
	park->on = dst;
	spin_lock_irq(&dst->wait_lock);
	list_add_tail(&park->wait, &dst->waiters);
	spin_unlock_irq(&dst->wait_lock);
	return true;
}

bool ivshm_park_add(struct ivshm_qp *qp, u32 dst_id, struct ivshm_frame *f)
{
	struct ivshm_park *park = ivshm_park_find(qp, dst_id);
	u32 max = dst_id == IVSHM_PARK_UPLINK ? IVSHM_PARK_MAX :
		  max(1, qp->vq[IVSHM_VQ_TX].ring.num / 2);

	if (!park || qp->nr_parked == IVSHM_PARK_MAX || park->nr >= max)
		return false;
	list_add_tail(&f->list, &park->frames);
	park->nr++;
	qp->nr_parked++;
	return true;
}

void ivshm_park_tidy(struct ivshm_qp *qp)
{
	u32 i;

	if (!qp->nr_parks)
		return;
	for (i = 0; i < IVSHM_PARKS; i++)
		if (qp->parks[i].dst_id && list_empty(&qp->parks[i].frames))
			ivshm_park_close(qp, &qp->parks[i]);
}

/* The park stays open: its frames may well come back. */
static void ivshm_park_empty(struct ivshm_qp *qp, struct ivshm_park *park,
			     struct list_head *frames)
{
	qp->nr_parked -= park->nr;
	park->nr = 0;
	list_splice_tail_init(&park->frames, frames);
}

/* Whether a frame for the MAC address of @f, or for whomever, is among those waiting. */
static bool ivshm_park_has(const struct ivshm_park *park, const struct ivshm_frame *f)
{
	const struct ivshm_frame *other;

	if (f->by_ip)
		return !list_empty(&park->frames);
	list_for_each_entry(other, &park->frames, list)
		if (ether_addr_equal_unaligned(other->copy, f->copy))
			return true;
	return false;
}

bool ivshm_park_release(struct ivshm_qp *qp, struct ivshm_frame *f)
{
	struct ivshm_park *rate = ivshm_park_find(qp, IVSHM_PARK_RATE);
	bool any = false;
	u32 i;

	for (i = 0; i < IVSHM_PARKS; i++) {
		struct ivshm_park *park = &qp->parks[i];

		if (!park->dst_id || park->dst_id == IVSHM_PARK_UPLINK || park == rate ||
		    !ivshm_park_has(park, f))
			continue;
		/* In front of @f: at the end of the list that begins behind it. */
		ivshm_park_empty(qp, park, &f->list);
		any = true;
	}
	if (rate && ivshm_park_has(rate, f)) {
		ivshm_park_empty(qp, rate, &f->list);
		any = true;
	}
	return any;
}

void ivshm_park_clear(struct ivshm_qp *qp, struct list_head *frames)
{
	u32 i;

	qp->rate_at = U64_MAX;
	for (i = 0; i < IVSHM_PARKS && qp->nr_parked; i++)
		if (qp->parks[i].dst_id)
			ivshm_park_empty(qp, &qp->parks[i], frames);
}

void ivshm_park_retry(struct ivshm_qp *qp)
{
	struct ivshm_park *uplink = ivshm_park_find(qp, IVSHM_PARK_UPLINK);
	struct ivshm_park *rate = ivshm_park_find(qp, IVSHM_PARK_RATE);
	LIST_HEAD(frames);
	u32 i;

	qp->rate_at = U64_MAX;
	/* Frames for a receiver that is being joined come behind those. */
	if (uplink)
		ivshm_park_empty(qp, uplink, &frames);
	for (i = 0; i < IVSHM_PARKS && qp->nr_parked; i++)
		if (qp->parks[i].dst_id && &qp->parks[i] != rate)
			ivshm_park_empty(qp, &qp->parks[i], &frames);
	/* What waits for a receiver has been there before. */
	if (rate)
		ivshm_park_empty(qp, rate, &frames);
	ivshm_tx_dispatch(qp, &frames);
}

u64 ivshm_park_deadline(const struct ivshm_qp *qp)
{
	u64 deadline = qp->rate_at;
	struct ivshm_frame *f;
	u32 i;

	if (!qp->nr_parked)
		return U64_MAX;
	for (i = 0; i < IVSHM_PARKS; i++) {
		if (!qp->parks[i].dst_id)
			continue;
		f = list_first_entry_or_null(&qp->parks[i].frames,
					     struct ivshm_frame, list);
		if (f)
			deadline = min(deadline, f->deadline);
	}
	return deadline;
}
