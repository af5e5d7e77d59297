// SPDX-License-Identifier: GPL-2.0
/* Message queues: how a range comes to its landing slot. */
#include <linux/mm.h>
#include <linux/overflow.h>
#include <linux/slab.h>

#include "msgq.h"
#include "region.h"

/* Milliseconds that references to pages have to go. */
#define PATIENCE	20

static unsigned long slot_of(const struct ivshm_region *region, u64 offset)
{
	return offset >> (PAGE_SHIFT + region->order);
}

static int bring_copy(struct ivshm_msgq *q, struct ivshm_msgq *to,
		      struct ivshm_msg *msg, const struct ivshm_msgq_send *arg)
{
	msg->how = IVSHM_MSGQ_COPY;
	return ivshm_region_copy(q->region, arg->offset, to->region,
				 msg->landing->offset, arg->len, &to->closing);
}

static int bring_move(struct ivshm_msgq *q, struct ivshm_msgq *to,
		      struct ivshm_msg *msg, const struct ivshm_msgq_send *arg,
		      unsigned int patience)
{
	struct ivshm_claim *landing = &msg->landing->claim, source;
	struct ivshm_region *region = q->region;
	int err;

	err = ivshm_region_claim(region, &source, IVSHM_CLAIM_MOVING,
				 arg->offset >> PAGE_SHIFT, arg->len >> PAGE_SHIFT);
	if (err)
		return err;
	err = ivshm_region_reclaim(to->region, landing, IVSHM_CLAIM_MOVING);
	if (err)
		goto unclaim;
	err = ivshm_region_move(region, slot_of(region, arg->offset), to->region,
				slot_of(to->region, msg->landing->offset),
				slot_of(region, arg->len), patience, &to->closing);
	/* Nobody else has claimed it meanwhile. */
	WARN_ON_ONCE(ivshm_region_reclaim(to->region, landing, IVSHM_CLAIM_LANDING));
	msg->how = IVSHM_MSGQ_MOVE;
unclaim:
	ivshm_region_unclaim(region, &source);
	return err;
}

static int bring_share(struct ivshm_msgq *q, struct ivshm_msgq *to,
		       struct ivshm_msg *msg, const struct ivshm_msgq_send *arg)
{
	struct ivshm_claim *landing = &msg->landing->claim;
	struct ivshm_region *region = q->region;
	struct ivshm_loan *loan;
	int err;

	loan = kvmalloc(struct_size(loan, kept, slot_of(region, arg->len)),
			GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
	if (!loan)
		return -ENOMEM;
	loan->from = region;
	loan->nr = slot_of(region, arg->len);
	err = xa_alloc_cyclic(&to->held, &msg->id, msg, xa_limit_31b, &to->next_id,
			      GFP_KERNEL_ACCOUNT);
	if (err < 0)
		goto free;
	err = ivshm_region_claim(region, &loan->source, IVSHM_CLAIM_LENDING,
				 arg->offset >> PAGE_SHIFT, arg->len >> PAGE_SHIFT);
	if (err)
		goto erase;
	err = ivshm_region_reclaim(to->region, landing, IVSHM_CLAIM_BORROWED);
	if (err)
		goto unclaim;
	err = ivshm_region_lend(region, slot_of(region, arg->offset), to->region,
				slot_of(to->region, msg->landing->offset),
				loan->nr, loan->kept);
	if (err)
		goto reclaim;
	get_device(&region->dev);
	msg->loan = loan;
	msg->how = IVSHM_MSGQ_SHARE;
	return 0;

reclaim:
	WARN_ON_ONCE(ivshm_region_reclaim(to->region, landing, IVSHM_CLAIM_LANDING));
unclaim:
	ivshm_region_unclaim(region, &loan->source);
erase:
	xa_erase(&to->held, msg->id);
	msg->id = 0;
free:
	kvfree(loan);
	return err;
}

void ivshm_msgq_take_back(struct ivshm_msgq *to, struct ivshm_msg *msg)
{
	struct ivshm_loan *loan = msg->loan;

	ivshm_region_give_back(to->region, slot_of(to->region, msg->landing->offset),
			       loan->nr, loan->kept);
	ivshm_region_unclaim(loan->from, &loan->source);
	put_device(&loan->from->dev);
	kvfree(loan);
	msg->loan = NULL;
}

/* What is worth it where any way will do, of what pages can. */
static enum ivshm_msgq_how auto_how(const struct ivshm_region *region,
				    const struct ivshm_region *to,
				    const struct ivshm_msg *msg,
				    const struct ivshm_msgq_send *arg)
{
	u64 unit = PAGE_SIZE << region->order;

	if (region->order != to->order ||
	    !IS_ALIGNED(arg->offset | arg->len | msg->landing->offset, unit))
		return IVSHM_MSGQ_COPY;
	return ivshm_msgq_cost_choose(arg->len, unit, arg->flags & IVSHM_MSGQ_MAY_SHARE);
}

static int bring_auto(struct ivshm_msgq *q, struct ivshm_msgq *to,
		      struct ivshm_msg *msg, const struct ivshm_msgq_send *arg)
{
	int err = -EBUSY;

	switch (auto_how(q->region, to->region, msg, arg)) {
	case IVSHM_MSGQ_SHARE:
		err = bring_share(q, to, msg, arg);
		break;
	case IVSHM_MSGQ_MOVE:
		err = bring_move(q, to, msg, arg, 0);
		break;
	default:
		break;
	}
	return err == -EBUSY ? bring_copy(q, to, msg, arg) : err;
}

int ivshm_msgq_bring(struct ivshm_msgq *q, struct ivshm_msgq *to,
		     struct ivshm_msg *msg, const struct ivshm_msgq_send *arg)
{
	switch (arg->how) {
	case IVSHM_MSGQ_COPY:
		return bring_copy(q, to, msg, arg);
	case IVSHM_MSGQ_MOVE:
		return bring_move(q, to, msg, arg, PATIENCE);
	case IVSHM_MSGQ_SHARE:
		return bring_share(q, to, msg, arg);
	default:
		return bring_auto(q, to, msg, arg);
	}
}
