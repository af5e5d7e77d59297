// SPDX-License-Identifier: GPL-2.0
/* KUnit tests of rings: what indices can be, and rounds without a thread. */
#include <kunit/test.h>
#include <linux/mm.h>
#include <linux/page-flags.h>
#include <linux/sched.h>
#include <linux/string.h>

#include "msgq.h"
#include "msgq_ring.h"
#include "msgq_test.h"
#include "region.h"
#include "region_test.h"

#define NR	8

struct todo {
	u32 done, tail, taken;
	int want;
};

static void ring_todo_test(struct kunit *test)
{
	static const struct todo todo[] = {
		{ 0, 0, 0, 0 },
		{ 0, 1, 0, 1 },
		{ 0, 8, 0, 8 },
		{ 0, 9, 0, -EINVAL },
		{ 0, U32_MAX, 0, -EINVAL },
		{ 0, 0, 1, -EINVAL },
		{ 0, 0, U32_MAX, 0 },	/* a result of before */
		{ 3, 3, 3, 0 },
		{ 3, 2, 3, -EINVAL },
		{ 3, 3, 4, -EINVAL },
		{ 3, 8, 0, 5 },
		{ 3, 9, 0, -EINVAL },
		{ 3, 11, 3, 8 },
		{ 3, 12, 3, -EINVAL },
		{ 8, 8, 0, 0 },
		{ 9, 9, 0, -EINVAL },
		{ 20, 25, 17, 5 },
		{ 20, 26, 17, -EINVAL },
		{ U32_MAX, 0, U32_MAX, 1 },
		{ U32_MAX, 2, U32_MAX - 5, 3 },
		{ U32_MAX, 3, U32_MAX - 5, -EINVAL },
		{ 1, 4, U32_MAX - 3, 3 },
		{ 1, 5, U32_MAX - 3, -EINVAL },
		{ 1U << 31, 0, 0, -EINVAL },
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(todo); i++)
		KUNIT_EXPECT_EQ_MSG(test, ivshm_rings_todo(NR, todo[i].done, todo[i].tail,
							   todo[i].taken),
				    todo[i].want, "line %d", i);
	KUNIT_EXPECT_EQ(test, ivshm_rings_todo(1, 5, 6, 5), 1);
	KUNIT_EXPECT_EQ(test, ivshm_rings_todo(1, 5, 5, 4), 0);
	KUNIT_EXPECT_EQ(test, ivshm_rings_todo(1, 5, 6, 4), -EINVAL);
}

static struct ivshm_rings *rt_rings_of(struct kunit *test, struct ivshm_msgq *q,
				       u32 entries)
{
	struct ivshm_rings *r = ivshm_rings_new(q, PAGE_SIZE, entries);

	KUNIT_ASSERT_FALSE(test, IS_ERR(r));
	return r;
}

static struct ivshm_rings *rt_rings(struct kunit *test, u32 entries)
{
	struct qt *qt = test->priv;

	return rt_rings_of(test, qt->from, entries);
}

static void rt_ask(struct ivshm_rings *r, const struct ivshm_ring_request *req)
{
	u32 tail = r->head->tail;

	r->request[tail % r->entries] = *req;
	r->head->tail = tail + 1;
}

/* One request, and what came of it, which is there for some time. */
static const struct ivshm_ring_result *rt_do(struct kunit *test, struct ivshm_rings *r,
					     struct ivshm_ring_request *req)
{
	u32 at = r->done % r->entries;

	req->token = ~(u64)at;
	rt_ask(r, req);
	KUNIT_EXPECT_FALSE(test, ivshm_rings_round(r));
	KUNIT_EXPECT_EQ(test, r->head->error, 0);
	KUNIT_EXPECT_EQ(test, r->head->done, r->head->tail);
	KUNIT_EXPECT_EQ(test, r->result[at].token, ~(u64)at);
	KUNIT_EXPECT_EQ(test, r->result[at].op, req->op);
	r->head->taken = r->head->tail;
	return &r->result[at];
}

static bool rt_empty(const struct ivshm_ring_result *res, size_t used)
{
	return !memchr_inv(res->bytes + used, 0, sizeof(res->bytes) - used);
}

/* What makes no sense does nothing, and the next one is done. */
static void ring_refused_test(struct kunit *test)
{
	static const u32 size[IVSHM_RING_OPS] = {
		[IVSHM_RING_POST] = sizeof(struct ivshm_msgq_slot),
		[IVSHM_RING_SEND] = sizeof(struct ivshm_msgq_send),
		[IVSHM_RING_RELEASE] = sizeof(u64),
	};
	static const u32 absent[] = { IVSHM_RING_OPS, 6, 255, 1U << 31, U32_MAX };
	struct ivshm_rings *r = rt_rings(test, NR);
	struct ivshm_ring_request req = {};
	const struct ivshm_ring_result *res;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(absent); i++) {
		req.op = absent[i];
		res = rt_do(test, r, &req);
		KUNIT_EXPECT_EQ(test, res->status, -EOPNOTSUPP);
		KUNIT_EXPECT_TRUE(test, rt_empty(res, 0));
	}
	for (req.op = 0; req.op < IVSHM_RING_OPS; req.op++) {
		req.flags = 1U << 31;
		res = rt_do(test, r, &req);
		KUNIT_EXPECT_EQ(test, res->status, -EINVAL);
		KUNIT_EXPECT_TRUE(test, rt_empty(res, 0));
		req.flags = 0;
		for (i = size[req.op]; i < sizeof(req.bytes); i++) {
			req.bytes[i] = 1;
			KUNIT_EXPECT_EQ(test, rt_do(test, r, &req)->status, -EINVAL);
			req.bytes[i] = 0;
		}
	}
	req.op = IVSHM_RING_RECV;
	KUNIT_EXPECT_EQ(test, rt_do(test, r, &req)->status, -EAGAIN);
	ivshm_rings_free(r);
}

/* Both sides by rings: a slot, a message of shared pages, its release, its completion. */
static void ring_ops_test(struct kunit *test)
{
	struct qt *qt = test->priv;
	struct ivshm_rings *a = rt_rings_of(test, qt->from, NR);
	struct ivshm_rings *b = rt_rings_of(test, qt->to, NR);
	struct ivshm_ring_request post = {
		.op = IVSHM_RING_POST,
		.post = { .offset = 4 * PAGE_SIZE, .len = 2 * PAGE_SIZE, .cookie = 77 },
	};
	struct ivshm_ring_request send = {
		.op = IVSHM_RING_SEND,
		.send = {
			.to = qt->b->number, .flags = IVSHM_MSGQ_TELL, .cookie = 88,
			.offset = 8 * PAGE_SIZE, .len = PAGE_SIZE, .how = IVSHM_MSGQ_SHARE,
			.inline_len = 3, .data = "abc",
		},
	};
	struct ivshm_ring_request recv = { .op = IVSHM_RING_RECV };
	struct ivshm_ring_request release = { .op = IVSHM_RING_RELEASE };
	struct ivshm_ring_request done = { .op = IVSHM_RING_DONE };
	const struct ivshm_ring_result *res;

	KUNIT_EXPECT_EQ(test, rt_do(test, a, &send)->status, -EAGAIN);
	KUNIT_EXPECT_TRUE(test, READ_ONCE(qt->from->full));
	KUNIT_EXPECT_EQ(test, rt_do(test, b, &post)->status, 0);
	KUNIT_EXPECT_EQ(test, rt_do(test, b, &post)->status, -EBUSY);
	/* There is room, and who missed it is told. */
	KUNIT_EXPECT_FALSE(test, READ_ONCE(qt->from->full));
	res = rt_do(test, a, &send);
	KUNIT_EXPECT_EQ(test, res->status, 0);
	KUNIT_EXPECT_EQ(test, res->how, IVSHM_MSGQ_SHARE);
	KUNIT_EXPECT_TRUE(test, rt_empty(res, sizeof(res->how)));
	KUNIT_EXPECT_TRUE(test, qt->to->told);

	KUNIT_EXPECT_EQ(test, rt_do(test, a, &done)->status, -EAGAIN);
	res = rt_do(test, b, &recv);
	KUNIT_EXPECT_EQ(test, res->status, 0);
	KUNIT_EXPECT_EQ(test, res->recv.offset, 4 * PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, res->recv.len, PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, res->recv.cookie, 77);
	KUNIT_EXPECT_EQ(test, res->recv.from, qt->a->number);
	KUNIT_EXPECT_EQ(test, res->recv.pid, task_tgid_nr(current));
	KUNIT_EXPECT_EQ(test, res->recv.how, IVSHM_MSGQ_SHARE);
	KUNIT_EXPECT_STREQ(test, (char *)res->recv.name, QT_A);
	KUNIT_EXPECT_EQ(test, res->recv.inline_len, 3);
	KUNIT_EXPECT_EQ(test, memcmp(res->recv.data, "abc", 4), 0);
	KUNIT_EXPECT_TRUE(test, rt_empty(res, sizeof(res->recv)));
	KUNIT_EXPECT_FALSE(test, qt->to->told);
	KUNIT_EXPECT_PTR_EQ(test, qt->b->slot[4], qt->a->slot[8]);

	release.release = res->recv.id + 1;
	KUNIT_EXPECT_EQ(test, rt_do(test, b, &release)->status, -ENOENT);
	release.release = res->recv.id;
	KUNIT_EXPECT_EQ(test, rt_do(test, b, &release)->status, 0);
	KUNIT_EXPECT_EQ(test, rt_do(test, b, &release)->status, -ENOENT);
	KUNIT_EXPECT_PTR_NE(test, qt->b->slot[4], qt->a->slot[8]);
	res = rt_do(test, a, &done);
	KUNIT_EXPECT_EQ(test, res->status, 0);
	KUNIT_EXPECT_EQ(test, res->done.cookie, 88);
	KUNIT_EXPECT_EQ(test, res->done.to, qt->b->number);
	KUNIT_EXPECT_EQ(test, res->done.status, IVSHM_MSGQ_TAKEN);
	KUNIT_EXPECT_TRUE(test, rt_empty(res, sizeof(res->done)));
	ivshm_rings_free(a);
	ivshm_rings_free(b);
}

/* Who rings for whatever has come; deferred messages that it takes need no telling. */
static void ring_deferred_test(struct kunit *test)
{
	struct qt *qt = test->priv;
	struct ivshm_rings *a = rt_rings_of(test, qt->from, NR);
	struct ivshm_rings *b = rt_rings_of(test, qt->to, NR);
	struct ivshm_ring_request send = {
		.op = IVSHM_RING_SEND,
		.send = { .to = qt->b->number, .defer_us = IVSHM_MSGQ_DEFER_US_MAX },
	};
	struct ivshm_ring_request recv = { .op = IVSHM_RING_RECV };

	KUNIT_EXPECT_EQ(test, rt_do(test, a, &send)->status, 0);
	KUNIT_EXPECT_FALSE(test, qt->to->told);
	KUNIT_EXPECT_EQ(test, rt_do(test, b, &recv)->status, 0);
	KUNIT_EXPECT_FALSE(test, qt->to->told);

	KUNIT_EXPECT_EQ(test, rt_do(test, a, &send)->status, 0);
	KUNIT_EXPECT_EQ(test, rt_do(test, a, &send)->status, 0);
	KUNIT_EXPECT_FALSE(test, qt->to->told);
	/* The doorbell, and nothing else. */
	KUNIT_EXPECT_FALSE(test, ivshm_rings_round(b));
	KUNIT_EXPECT_TRUE(test, qt->to->told);
	KUNIT_EXPECT_EQ(test, rt_do(test, b, &recv)->status, 0);
	KUNIT_EXPECT_EQ(test, rt_do(test, b, &recv)->status, 0);
	KUNIT_EXPECT_FALSE(test, qt->to->told);
	ivshm_rings_free(a);
	ivshm_rings_free(b);
}

/* The counters pass 0, rings are full, and places are used again. */
static void ring_round_test(struct kunit *test)
{
	struct qt *qt = test->priv;
	struct ivshm_rings *r = rt_rings(test, NR);
	struct ivshm_ring_request req = {
		.op = IVSHM_RING_SEND, .send = { .to = qt->b->number, .inline_len = 4 },
	};
	struct ivshm_ring_result *res;
	struct ivshm_msg *msg;
	u32 n = 0, i;

	r->done = -11;
	r->head->tail = -11;
	r->head->taken = -11;
	while (n < 40) {
		/* The queue's depth is 4, that of the rings 8. */
		for (i = 0; i < NR; i++) {
			req.token = n + i;
			memcpy(req.send.data, &req.token, 4);
			rt_ask(r, &req);
		}
		KUNIT_EXPECT_FALSE(test, ivshm_rings_round(r));
		KUNIT_ASSERT_EQ(test, r->head->done, n + NR - 11);
		for (i = 0; i < NR; i++, r->head->taken++, n++) {
			res = &r->result[r->head->taken % NR];
			KUNIT_EXPECT_EQ(test, res->token, n);
			KUNIT_EXPECT_EQ(test, res->op, IVSHM_RING_SEND);
			KUNIT_EXPECT_EQ(test, res->status, i < 4 ? 0 : -EAGAIN);
			KUNIT_EXPECT_EQ(test, res->how, i < 4 ? IVSHM_MSGQ_COPY : 0);
		}
		for (i = 0; i < 4; i++) {
			msg = ivshm_msgq_take(qt->to);
			KUNIT_ASSERT_NOT_NULL(test, msg);
			KUNIT_EXPECT_EQ(test, *(u32 *)msg->data, n - NR + i);
			ivshm_msgq_taken(qt->to, msg);
		}
		KUNIT_EXPECT_FALSE(test, ivshm_rings_round(r));
	}
	KUNIT_EXPECT_EQ(test, r->head->error, 0);
	ivshm_rings_free(r);
}

/* Some of them, then others have the processor. */
static void ring_bounded_test(struct kunit *test)
{
	struct ivshm_ring_request req = { .op = IVSHM_RING_RECV };
	struct ivshm_rings *r = rt_rings(test, 128);
	int rounds = 1;

	while (r->head->tail < 128)
		rt_ask(r, &req);
	while (ivshm_rings_round(r))
		rounds++;
	KUNIT_EXPECT_EQ(test, rounds, 2);
	KUNIT_EXPECT_EQ(test, r->head->done, 128);
	KUNIT_EXPECT_EQ(test, r->result[127].status, -EAGAIN);
	ivshm_rings_free(r);
}

/* What cannot be ends it, and is said. */
static void ring_broken_test(struct kunit *test)
{
	struct ivshm_rings *r = rt_rings(test, NR);

	r->head->tail = NR + 1;
	KUNIT_EXPECT_FALSE(test, ivshm_rings_round(r));
	KUNIT_EXPECT_EQ(test, r->head->error, EINVAL);
	KUNIT_EXPECT_EQ(test, r->head->done, 0);
	/* For good. */
	r->head->tail = 1;
	r->head->error = 0;
	KUNIT_EXPECT_FALSE(test, ivshm_rings_round(r));
	KUNIT_EXPECT_EQ(test, r->head->done, 0);
	KUNIT_EXPECT_EQ(test, r->head->error, 0);
	ivshm_rings_free(r);
}

/* Their pages are theirs, and nobody's when they are gone. */
static void ring_pages_test(struct kunit *test)
{
	struct qt *qt = test->priv;
	struct ivshm_rings *r = rt_rings(test, NR);
	struct ivshm_msgq_send send = {
		.to = qt->b->number, .len = 2 * PAGE_SIZE, .how = IVSHM_MSGQ_MOVE,
	};
	struct ivshm_msgq_slot slot = { .len = 2 * PAGE_SIZE };
	int i;

	KUNIT_EXPECT_EQ(test, r->nr_pages, 1);
	KUNIT_EXPECT_EQ(test, page_count(qt->a->slot[1]), 2);
	KUNIT_EXPECT_PTR_EQ(test, ivshm_rings_new(qt->from, PAGE_SIZE, NR), ERR_PTR(-EBUSY));
	KUNIT_EXPECT_EQ(test, ivshm_msgq_post(qt->from, &slot), -EBUSY);
	KUNIT_ASSERT_EQ(test, ivshm_msgq_post(qt->to, &slot), 0);
	KUNIT_EXPECT_EQ(test, ivshm_msgq_send(qt->from, qt->to, &r->who, &send), -EBUSY);
	send.how = IVSHM_MSGQ_SHARE;
	KUNIT_EXPECT_EQ(test, ivshm_msgq_send(qt->from, qt->to, &r->who, &send), -EBUSY);
	ivshm_rings_free(r);
	for (i = 0; i < QT_PAGES; i++)
		KUNIT_EXPECT_EQ(test, page_count(qt->a->slot[i]), 1);
	KUNIT_EXPECT_EQ(test, ivshm_msgq_post(qt->from, &slot), 0);
}

/* A region that was deleted ends it, too; the pages stay as long as the rings do. */
static void ring_deleted_test(struct kunit *test)
{
	struct qt *qt = test->priv;
	struct ivshm_rings *r = rt_rings(test, NR);
	struct ivshm_ring_request req = { .op = IVSHM_RING_RECV };

	KUNIT_ASSERT_EQ(test, ivshm_region_del(QT_A, true), 0);
	rt_ask(r, &req);
	KUNIT_EXPECT_FALSE(test, ivshm_rings_round(r));
	KUNIT_EXPECT_EQ(test, r->head->error, ENODEV);
	KUNIT_EXPECT_EQ(test, r->head->done, 0);
	KUNIT_EXPECT_PTR_EQ(test, ivshm_rings_new(qt->from, 2 * PAGE_SIZE, NR),
			    ERR_PTR(-ENODEV));
	ivshm_rings_free(r);
	qt->a_gone = true;
}

/* Memory that has failed is not touched any more. */
static void ring_poisoned_test(struct kunit *test)
{
	struct ivshm_ring_request req = { .op = IVSHM_RING_RECV };
	struct ivshm_rings *r;
	struct page *page;
	bool first;
	int i;

	for (i = 0; i < 2; i++) {
		first = i;
		r = rt_rings(test, 32);
		KUNIT_ASSERT_EQ(test, r->nr_pages, 3);
		page = r->pages[first ? 0 : 2];
		SetPageHWPoison(page);
		if (!PageHWPoison(page)) {
			ivshm_rings_free(r);
			kunit_skip(test, "no memory fails here");
		}
		rt_ask(r, &req);
		KUNIT_EXPECT_FALSE(test, ivshm_rings_round(r));
		KUNIT_EXPECT_TRUE(test, r->broken);
		KUNIT_EXPECT_EQ(test, r->head->done, 0);
		KUNIT_EXPECT_EQ(test, r->head->error, first ? 0 : EHWPOISON);
		ivshm_rings_free(r);
		KUNIT_EXPECT_PTR_EQ(test, ivshm_rings_new(((struct qt *)test->priv)->from,
							  PAGE_SIZE, 32),
				    ERR_PTR(-EHWPOISON));
		ClearPageHWPoison(page);
	}
}

static struct kunit_case ring_cases[] = {
	KUNIT_CASE(ring_todo_test),
	KUNIT_CASE(ring_refused_test),
	KUNIT_CASE(ring_ops_test),
	KUNIT_CASE(ring_deferred_test),
	KUNIT_CASE(ring_deleted_test),
	KUNIT_CASE(ring_poisoned_test),
	KUNIT_CASE(ring_round_test),
	KUNIT_CASE(ring_bounded_test),
	KUNIT_CASE(ring_broken_test),
	KUNIT_CASE(ring_pages_test),
	{}
};

static struct kunit_suite ring_suite = {
	.name = "ivshm-msgq-ring",
	.suite_init = ivshm_region_test_begin,
	.suite_exit = ivshm_region_test_end,
	.init = qt_init,
	.exit = qt_exit,
	.test_cases = ring_cases,
};

kunit_test_suite(ring_suite);
