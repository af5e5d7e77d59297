// SPDX-License-Identifier: GPL-2.0
/* Rings of message queues: what a guest asks for is done. */
#include <asm/barrier.h>
#include <linux/build_bug.h>
#include <linux/eventfd.h>
#include <linux/nospec.h>
#include <linux/page-flags.h>
#include <linux/sched.h>
#include <linux/string.h>

#include "msgq_ring.h"
#include "region.h"

/* Most requests that are done before others have the processor. */
#define ROUND	64

/*
 * One request of each kind
 */

static int do_post(struct ivshm_msgq_turn *turn, struct ivshm_ring_request *req,
		   struct ivshm_ring_result *res)
{
	return ivshm_msgq_post(turn->q, &req->post);
}

static int do_send(struct ivshm_msgq_turn *turn, struct ivshm_ring_request *req,
		   struct ivshm_ring_result *res)
{
	int err = ivshm_msgq_turn_send(turn, &req->send);

	if (!err)
		res->how = req->send.how;
	return err;
}

static int do_recv(struct ivshm_msgq_turn *turn, struct ivshm_ring_request *req,
		   struct ivshm_ring_result *res)
{
	struct ivshm_msg *msg = ivshm_msgq_take(turn->q);

	if (!msg)
		return -EAGAIN;
	ivshm_msgq_turn_recv(turn, msg, &res->recv);
	ivshm_msgq_taken(turn->q, msg);
	return 0;
}

static int do_release(struct ivshm_msgq_turn *turn, struct ivshm_ring_request *req,
		      struct ivshm_ring_result *res)
{
	return ivshm_msgq_release(turn->q, req->release);
}

static int do_done(struct ivshm_msgq_turn *turn, struct ivshm_ring_request *req,
		   struct ivshm_ring_result *res)
{
	struct ivshm_msg *msg = ivshm_msgq_done(turn->q);

	if (!msg)
		return -EAGAIN;
	ivshm_msgq_turn_done(msg, &res->done);
	ivshm_msg_free(msg);
	return 0;
}

/**
 * struct op - something to ask for
 * @one:	does it
 * @size:	bytes of the request that it looks at, behind the flags
 * @room:	others may find room afterwards
 */
struct op {
	int (*one)(struct ivshm_msgq_turn *turn, struct ivshm_ring_request *req,
		   struct ivshm_ring_result *res);
	size_t size;
	bool room;
};

static const struct op ops[IVSHM_RING_OPS] = {
	[IVSHM_RING_POST]    = { do_post, sizeof(struct ivshm_msgq_slot), true },
	[IVSHM_RING_SEND]    = { do_send, sizeof(struct ivshm_msgq_send), false },
	[IVSHM_RING_RECV]    = { do_recv, 0, true },
	[IVSHM_RING_RELEASE] = { do_release, sizeof(u64), true },
	[IVSHM_RING_DONE]    = { do_done, 0, false },
};

/* Returns whether others may find room. */
static bool ring_do(struct ivshm_msgq_turn *turn, struct ivshm_ring_request *req,
		    struct ivshm_ring_result *res)
{
	const struct op *op;

	memset(res, 0, sizeof(*res));
	res->token = req->token;
	res->op = req->op;
	if (req->op >= IVSHM_RING_OPS) {
		res->status = -EOPNOTSUPP;
		return false;
	}
	op = &ops[array_index_nospec(req->op, IVSHM_RING_OPS)];
	if (req->flags || memchr_inv(req->bytes + op->size, 0, sizeof(req->bytes) - op->size))
		res->status = -EINVAL;
	else
		res->status = op->one(turn, req, res);
	return op->room && !res->status;
}

/*
 * Rings
 */

/* Each word once: whoever shares the memory may change it at any time. */
static void ring_copy(void *to, const void *from, size_t size)
{
	const u64 *src = from;
	u64 *dst = to;
	size_t i;

	for (i = 0; i < size / sizeof(u64); i++)
		WRITE_ONCE(dst[i], READ_ONCE(src[i]));
}

int ivshm_rings_todo(u32 entries, u32 done, u32 tail, u32 taken)
{
	/* Both count up, taken <= done <= tail, and around. */
	u32 results = done - taken, requests = tail - done;

	if (results > entries || requests > entries - results)
		return -EINVAL;
	return requests;
}

static void ring_tell(const struct ivshm_rings *r)
{
	if (r->call)
		eventfd_signal(r->call);
}

static void ring_break(struct ivshm_rings *r, int err)
{
	r->broken = true;
	/* What is poisoned is not touched: the interrupt is all that there is. */
	if (likely(!PageHWPoison(r->pages[0])))
		WRITE_ONCE(r->head->error, -err);
	ring_tell(r);
}

/* The requests that there are, or an error that ends it all. */
static int ring_look(const struct ivshm_rings *r)
{
	unsigned int i;
	u32 tail, taken;

	if (!ivshm_region_alive(r->q->region))
		return -ENODEV;
	for (i = 0; i < r->nr_pages; i++)
		if (unlikely(PageHWPoison(r->pages[i])))
			return -EHWPOISON;
	/* Pairs with the guest's release: requests are there before it says so. */
	tail = virt_load_acquire(&r->head->tail);
	/* Likewise: what was in the place of a result was read before. */
	taken = virt_load_acquire(&r->head->taken);
	return ivshm_rings_todo(r->entries, r->done, tail, taken);
}

bool ivshm_rings_round(struct ivshm_rings *r)
{
	struct ivshm_msgq_turn turn = { r->q, r->who, -1 };
	struct ivshm_ring_request req;
	struct ivshm_ring_result res;
	bool room = false;
	int i, todo, nr;
	u32 at;

	BUILD_BUG_ON(sizeof(struct ivshm_ring_head) != 128);
	BUILD_BUG_ON(sizeof(req) != 128 || sizeof(res) != 192);

	if (r->broken)
		return false;
	todo = ring_look(r);
	if (todo < 0) {
		ring_break(r, todo);
		return false;
	}
	nr = min(todo, ROUND);
	for (i = 0; i < nr && !ivshm_worker_pausing(&r->worker); i++) {
		at = r->done & (r->entries - 1);
		ring_copy(&req, &r->request[at], sizeof(req));
		room |= ring_do(&turn, &req, &res);
		ring_copy(&r->result[at], &res, sizeof(res));
		/* After the result; pairs with the guest's acquire. */
		virt_store_release(&r->head->done, ++r->done);
		cond_resched();
	}
	ivshm_msgq_turn_end(&turn);
	if (room)
		ivshm_msgq_room(r->q);
	/* Whoever rings has come by itself, and is told of what is left. */
	ivshm_msgq_came(r->q);
	if (i)
		ring_tell(r);
	return i < todo;
}
