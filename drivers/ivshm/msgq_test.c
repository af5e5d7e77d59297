// SPDX-License-Identifier: GPL-2.0
/* KUnit tests of message queues: what waits, who may, and pages that move. */
#include <kunit/test.h>
#include <linux/bits.h>
#include <linux/bottom_half.h>
#include <linux/cred.h>
#include <linux/hrtimer.h>
#include <linux/mm.h>
#include <linux/netlink.h>
#include <linux/pagemap.h>
#include <linux/sched/signal.h>
#include <linux/wait.h>

#include "msgq.h"
#include "msgq_test.h"
#include "region.h"
#include "region_test.h"

static int qt_send(struct qt *qt, u64 offset, u64 len, u32 how)
{
	struct ivshm_msgq_send send = {
		.to = qt->b->number, .offset = offset, .len = len, .how = how,
	};
	const struct ivshm_msgq_who who = { task_tgid(current), current_cred() };

	return ivshm_msgq_send(qt->from, qt->to, &who, &send);
}

static int qt_post(struct qt *qt, u64 offset, u64 len)
{
	struct ivshm_msgq_slot slot = { .offset = offset, .len = len };

	return ivshm_msgq_post(qt->to, &slot);
}

static void qt_take(struct kunit *test, struct qt *qt)
{
	struct ivshm_msg *msg = ivshm_msgq_take(qt->to);

	KUNIT_ASSERT_NOT_NULL(test, msg);
	ivshm_msgq_taken(qt->to, msg);
}

/* Nobody but the slots has a reference, and none is held. */
static void qt_expect_whole(struct kunit *test, const struct ivshm_region *region)
{
	unsigned long i;

	for (i = 0; i < QT_PAGES; i++) {
		KUNIT_EXPECT_FALSE(test, ivshm_region_slot_is_held(region, i));
		KUNIT_ASSERT_NOT_NULL(test, region->slot[i]);
		KUNIT_EXPECT_EQ(test, page_count(region->slot[i]), 1);
	}
}

static void qt_fill(struct ivshm_region *region, u8 value)
{
	unsigned long i;

	for (i = 0; i < QT_PAGES; i++)
		memset(page_address(region->slot[i]), value, PAGE_SIZE);
}

static bool qt_is(const struct ivshm_region *region, unsigned long i, u8 value)
{
	return !memchr_inv(page_address(region->slot[i]), value, PAGE_SIZE);
}

/* Each with what it goes together with. */
static const unsigned long qt_goes[IVSHM_CLAIM_KINDS] = {
	[IVSHM_CLAIM_DMA] = BIT(IVSHM_CLAIM_DMA) | BIT(IVSHM_CLAIM_LANDING) |
			    BIT(IVSHM_CLAIM_LENDING) | BIT(IVSHM_CLAIM_RINGS) |
			    BIT(IVSHM_CLAIM_POOL),
	[IVSHM_CLAIM_LANDING] = BIT(IVSHM_CLAIM_DMA),
	[IVSHM_CLAIM_LENDING] = BIT(IVSHM_CLAIM_DMA) | BIT(IVSHM_CLAIM_LENDING) |
				BIT(IVSHM_CLAIM_POOL),
	[IVSHM_CLAIM_RINGS] = BIT(IVSHM_CLAIM_DMA),
	[IVSHM_CLAIM_POOL] = BIT(IVSHM_CLAIM_DMA) | BIT(IVSHM_CLAIM_LENDING) |
			     BIT(IVSHM_CLAIM_POOL),
};

static void msgq_claims_test(struct kunit *test)
{
	struct ivshm_claim one, two;
	struct qt *qt = test->priv;
	enum ivshm_claim_kind k, l;
	bool goes;

	for (k = 0; k < IVSHM_CLAIM_KINDS; k++) {
		for (l = 0; l < IVSHM_CLAIM_KINDS; l++) {
			goes = qt_goes[k] & BIT(l);
			KUNIT_EXPECT_EQ(test, ivshm_region_claim(qt->a, &one, k, 2, 3), 0);
			/* Side by side all go together. */
			KUNIT_EXPECT_EQ(test, ivshm_region_claim(qt->a, &two, l, 5, 1), 0);
			ivshm_region_unclaim(qt->a, &two);
			KUNIT_EXPECT_EQ(test, ivshm_region_claim(qt->a, &two, l, 0, 2), 0);
			ivshm_region_unclaim(qt->a, &two);
			KUNIT_EXPECT_EQ(test, ivshm_region_claim(qt->a, &two, l, 4, 4),
					goes ? 0 : -EBUSY);
			if (goes)
				ivshm_region_unclaim(qt->a, &two);
			ivshm_region_unclaim(qt->a, &one);
		}
	}
	KUNIT_EXPECT_EQ(test, ivshm_region_claim(qt->a, &one, IVSHM_CLAIM_DMA, 0, 8), 0);
	KUNIT_EXPECT_EQ(test, ivshm_region_claim(qt->a, &two, IVSHM_CLAIM_LANDING, 0, 1), 0);
	KUNIT_EXPECT_EQ(test, ivshm_region_reclaim(qt->a, &two, IVSHM_CLAIM_MOVING), -EBUSY);
	KUNIT_EXPECT_EQ(test, two.kind, IVSHM_CLAIM_LANDING);
	ivshm_region_unclaim(qt->a, &one);
	KUNIT_EXPECT_EQ(test, ivshm_region_reclaim(qt->a, &two, IVSHM_CLAIM_MOVING), 0);
	KUNIT_EXPECT_EQ(test, ivshm_region_claim(qt->a, &one, IVSHM_CLAIM_DMA, 0, 8), -EBUSY);
	ivshm_region_unclaim(qt->a, &two);
}

static void msgq_move_test(struct kunit *test)
{
	struct qt *qt = test->priv;
	struct page *first = qt->a->slot[2];

	qt_fill(qt->a, 0x5a);
	qt_fill(qt->b, 0xa5);
	KUNIT_ASSERT_EQ(test, qt_post(qt, 4 * PAGE_SIZE, 4 * PAGE_SIZE), 0);
	KUNIT_ASSERT_EQ(test, qt_send(qt, 2 * PAGE_SIZE, 3 * PAGE_SIZE, IVSHM_MSGQ_MOVE), 0);
	KUNIT_EXPECT_PTR_EQ(test, qt->b->slot[4], first);
	KUNIT_EXPECT_TRUE(test, qt_is(qt->a, 1, 0x5a));
	KUNIT_EXPECT_TRUE(test, qt_is(qt->a, 2, 0));
	KUNIT_EXPECT_TRUE(test, qt_is(qt->a, 4, 0));
	KUNIT_EXPECT_TRUE(test, qt_is(qt->a, 5, 0x5a));
	KUNIT_EXPECT_TRUE(test, qt_is(qt->b, 3, 0xa5));
	KUNIT_EXPECT_TRUE(test, qt_is(qt->b, 4, 0x5a));
	KUNIT_EXPECT_TRUE(test, qt_is(qt->b, 6, 0x5a));
	KUNIT_EXPECT_TRUE(test, qt_is(qt->b, 7, 0xa5));
	qt_expect_whole(test, qt->a);
	qt_expect_whole(test, qt->b);
	qt_take(test, qt);
}

/* One reference too many, on either side: all is as it was. */
static void msgq_move_busy_test(struct kunit *test)
{
	struct qt *qt = test->priv;
	struct page *pinned[4];
	int i;

	pinned[0] = qt->a->slot[0];
	pinned[1] = qt->a->slot[3];
	pinned[2] = qt->b->slot[0];
	pinned[3] = qt->b->slot[3];
	qt_fill(qt->a, 0x5a);
	qt_fill(qt->b, 0xa5);
	KUNIT_ASSERT_EQ(test, qt_post(qt, 0, 4 * PAGE_SIZE), 0);
	for (i = 0; i < ARRAY_SIZE(pinned); i++) {
		get_page(pinned[i]);
		KUNIT_EXPECT_EQ(test, qt_send(qt, 0, 4 * PAGE_SIZE, IVSHM_MSGQ_MOVE), -EBUSY);
		put_page(pinned[i]);
		KUNIT_EXPECT_PTR_EQ(test, qt->a->slot[0], pinned[0]);
		KUNIT_EXPECT_PTR_EQ(test, qt->b->slot[3], pinned[3]);
		KUNIT_EXPECT_TRUE(test, qt_is(qt->a, i, 0x5a));
		KUNIT_EXPECT_TRUE(test, qt_is(qt->b, i, 0xa5));
		qt_expect_whole(test, qt->a);
		qt_expect_whole(test, qt->b);
	}
	KUNIT_EXPECT_EQ(test, qt_send(qt, 0, 4 * PAGE_SIZE, IVSHM_MSGQ_MOVE), 0);
	qt_take(test, qt);
	qt_expect_whole(test, qt->a);
	qt_expect_whole(test, qt->b);
}

static void msgq_share_test(struct kunit *test)
{
	struct qt *qt = test->priv;
	struct ivshm_msg *msg;
	struct page *had;
	u32 id;

	had = qt->b->slot[1];
	qt_fill(qt->a, 0x5a);
	KUNIT_ASSERT_EQ(test, qt_post(qt, PAGE_SIZE, 2 * PAGE_SIZE), 0);
	KUNIT_ASSERT_EQ(test, qt_send(qt, 0, 2 * PAGE_SIZE, IVSHM_MSGQ_SHARE), 0);
	KUNIT_EXPECT_PTR_EQ(test, qt->b->slot[1], qt->a->slot[0]);
	KUNIT_EXPECT_EQ(test, page_count(qt->a->slot[0]), 2);
	KUNIT_EXPECT_EQ(test, page_count(had), 1);
	KUNIT_EXPECT_EQ(test, ivshm_msgq_release(qt->to, 1), -ENOENT);
	msg = ivshm_msgq_take(qt->to);
	KUNIT_ASSERT_NOT_NULL(test, msg);
	id = msg->id;
	ivshm_msgq_taken(qt->to, msg);
	KUNIT_EXPECT_EQ(test, ivshm_msgq_release(qt->to, id), 0);
	KUNIT_EXPECT_PTR_EQ(test, qt->b->slot[1], had);
	qt_expect_whole(test, qt->a);
	qt_expect_whole(test, qt->b);
}

/* A fault finds nothing while a slot is held, and the page afterwards. */
static void msgq_held_test(struct kunit *test)
{
	struct qt *qt = test->priv;
	struct page *page = qt->a->slot[0];
	const bool *closing = &qt->to->closing;

	WRITE_ONCE(qt->a->slot[0], ivshm_slot_held(page));
	KUNIT_EXPECT_PTR_EQ(test, ivshm_region_lock_page(qt->a, 0), ERR_PTR(-EAGAIN));
	KUNIT_EXPECT_PTR_EQ(test, ivshm_region_get_page(qt->a, 0), ERR_PTR(-EAGAIN));
	KUNIT_EXPECT_EQ(test, page_count(page), 1);
	KUNIT_EXPECT_EQ(test, ivshm_region_move(qt->a, 0, qt->b, 0, 1, 0, closing), -EBUSY);
	KUNIT_EXPECT_EQ(test, ivshm_region_move(qt->b, 0, qt->a, 0, 1, 0, closing), -EBUSY);
	KUNIT_EXPECT_EQ(test, ivshm_region_copy(qt->a, 0, qt->b, 0, 1, closing), -EBUSY);
	qt_expect_whole(test, qt->b);
	WRITE_ONCE(qt->a->slot[0], page);
	qt_expect_whole(test, qt->a);
}

static void msgq_amounts_test(struct kunit *test)
{
	struct qt *qt = test->priv;
	struct ivshm_peer *peer;
	int i;

	peer = ivshm_peer_get(QT_A, QT_B);
	KUNIT_ASSERT_NOT_NULL(test, peer);
	/* The queue's depth. */
	for (i = 0; i < 4; i++)
		KUNIT_EXPECT_EQ(test, qt_send(qt, 0, 0, IVSHM_MSGQ_AUTO), 0);
	KUNIT_EXPECT_EQ(test, qt_send(qt, 0, 0, IVSHM_MSGQ_AUTO), -EAGAIN);
	KUNIT_EXPECT_TRUE(test, qt->from->full);
	KUNIT_EXPECT_EQ(test, peer->now.messages, 4);
	qt_take(test, qt);
	ivshm_msgq_room(qt->to);
	KUNIT_EXPECT_FALSE(test, qt->from->full);
	for (i = 0; i < 3; i++)
		qt_take(test, qt);
	KUNIT_EXPECT_NULL(test, ivshm_msgq_take(qt->to));

	/* What the peer may have waiting. */
	KUNIT_EXPECT_EQ(test, qt_allow(QT_A, QT_B, 2, 3, 2 * PAGE_SIZE), 0);
	for (i = 0; i < 4; i++)
		KUNIT_EXPECT_EQ(test, qt_post(qt, 2 * i * PAGE_SIZE, 2 * PAGE_SIZE), 0);
	KUNIT_EXPECT_EQ(test, qt_post(qt, 0, PAGE_SIZE), -EBUSY);
	KUNIT_EXPECT_EQ(test, qt_send(qt, 0, 2 * PAGE_SIZE + 1, IVSHM_MSGQ_COPY), -EMSGSIZE);
	KUNIT_EXPECT_EQ(test, qt_send(qt, PAGE_SIZE - 1, 2, IVSHM_MSGQ_COPY), 0);
	KUNIT_EXPECT_EQ(test, peer->now.pages, 2);
	KUNIT_EXPECT_EQ(test, peer->now.bytes, 2);
	KUNIT_EXPECT_EQ(test, qt_send(qt, PAGE_SIZE - 1, 2, IVSHM_MSGQ_COPY), -EAGAIN);
	KUNIT_EXPECT_EQ(test, qt_send(qt, 0, PAGE_SIZE, IVSHM_MSGQ_COPY), 0);
	KUNIT_EXPECT_EQ(test, qt_send(qt, 0, 0, IVSHM_MSGQ_AUTO), -EAGAIN);
	KUNIT_EXPECT_EQ(test, qt->to->nr_slots, 2);
	KUNIT_EXPECT_EQ(test, qt->to->nr_msgs, 2);

	/* Denied: what was counted is given back all the same. */
	KUNIT_EXPECT_EQ(test, ivshm_peer_deny(QT_A, QT_B), 0);
	KUNIT_EXPECT_EQ(test, qt_send(qt, 0, 0, IVSHM_MSGQ_AUTO), -EACCES);
	qt_take(test, qt);
	qt_take(test, qt);
	KUNIT_EXPECT_EQ(test, peer->now.messages, 0);
	KUNIT_EXPECT_EQ(test, peer->now.pages, 0);
	KUNIT_EXPECT_EQ(test, peer->now.bytes, 0);
	ivshm_peer_put(peer);
}

/* A sender that stalls again as soon as it is told. */
struct again {
	wait_queue_entry_t wait;
	struct qt *qt;
	struct ivshm_peer *peer;
	int told;
};

static int stall_again(wait_queue_entry_t *wait, unsigned int mode, int sync, void *key)
{
	struct again *again = container_of(wait, struct again, wait);
	struct qt *qt = again->qt;

	if (++again->told == 100)
		return 0;
	/* As send_stall() does it; nobody else is at these queues. */
	kref_get(&qt->from->ref);
	kref_get(&again->peer->ref);
	list_add_tail(&again->peer->stall, &qt->to->stalled);
	again->peer->stalled = qt->from;
	return 0;
}

/* It does not keep the receiver: it is told the next time. */
static void msgq_stalls_again_test(struct kunit *test)
{
	struct qt *qt = test->priv;
	struct again again = { .qt = qt, .peer = ivshm_peer_get(QT_A, QT_B) };

	KUNIT_ASSERT_NOT_NULL(test, again.peer);
	KUNIT_EXPECT_EQ(test, qt_send(qt, 0, PAGE_SIZE, IVSHM_MSGQ_COPY), -EAGAIN);
	init_waitqueue_func_entry(&again.wait, stall_again);
	add_wait_queue(&qt->from->wait, &again.wait);
	ivshm_msgq_room(qt->to);
	KUNIT_EXPECT_EQ(test, again.told, 1);
	ivshm_msgq_room(qt->to);
	KUNIT_EXPECT_EQ(test, again.told, 2);
	remove_wait_queue(&qt->from->wait, &again.wait);
	ivshm_msgq_room(qt->to);
	KUNIT_EXPECT_TRUE(test, list_empty(&qt->to->stalled));
	ivshm_peer_put(again.peer);
}

/* As if the timer had waited for the lock while @q's messages were taken. */
static void timer_is_late(struct ivshm_msgq *q)
{
	local_bh_disable();
	q->timer.function(&q->timer);
	local_bh_enable();
}

/* What came since then is told of in its own time. */
static void msgq_late_timer_test(struct kunit *test)
{
	const struct ivshm_msgq_who who = { task_tgid(current), current_cred() };
	struct qt *qt = test->priv;
	struct ivshm_msgq_send send = {
		.to = qt->b->number, .defer_us = IVSHM_MSGQ_DEFER_US_MAX,
	};

	KUNIT_ASSERT_EQ(test, ivshm_msgq_send(qt->from, qt->to, &who, &send), 0);
	timer_is_late(qt->to);
	KUNIT_EXPECT_FALSE(test, qt->to->told);
	hrtimer_cancel(&qt->to->timer);
	timer_is_late(qt->to);
	KUNIT_EXPECT_TRUE(test, qt->to->told);
	qt_take(test, qt);
}

/* A receiver that ends, or its region, while something is brought there. */
static void msgq_gone_test(struct kunit *test)
{
	struct qt *qt = test->priv;
	struct page *page;
	u32 how;

	KUNIT_ASSERT_EQ(test, qt_post(qt, 0, PAGE_SIZE), 0);
	page = qt->b->slot[0];
	WRITE_ONCE(qt->b->slot[0], NULL);
	for (how = IVSHM_MSGQ_AUTO; how <= IVSHM_MSGQ_SHARE; how++)
		KUNIT_EXPECT_EQ(test, qt_send(qt, 0, PAGE_SIZE, how), -ENXIO);
	WRITE_ONCE(qt->b->slot[0], page);
	qt->to->closing = true;
	for (how = IVSHM_MSGQ_COPY; how <= IVSHM_MSGQ_MOVE; how++)
		KUNIT_EXPECT_EQ(test, qt_send(qt, 0, PAGE_SIZE, how), -ENXIO);
	qt->to->closing = false;
	qt_expect_whole(test, qt->a);
	qt_expect_whole(test, qt->b);
	KUNIT_EXPECT_EQ(test, qt->to->nr_msgs, 0);
	KUNIT_EXPECT_EQ(test, qt->to->nr_slots, 1);
}

static void msgq_peers_test(struct kunit *test)
{
	struct netlink_ext_ack extack = {};
	struct ivshm_peer_config cfg = { .from = "x", .to = "x" };

	KUNIT_EXPECT_EQ(test, ivshm_peer_allow(&cfg, &extack), -EINVAL);
	KUNIT_EXPECT_NOT_NULL(test, extack._msg);
	cfg.to[0] = '/';
	KUNIT_EXPECT_EQ(test, ivshm_peer_allow(&cfg, NULL), -EINVAL);
	KUNIT_EXPECT_EQ(test, qt_allow("x", "y", 0, 0, 0), -EINVAL);
	KUNIT_EXPECT_EQ(test, qt_allow("x", "y", IVSHM_PEER_MESSAGES_MAX + 1, 0, 0), -EINVAL);
	KUNIT_EXPECT_NULL(test, ivshm_peer_get("x", "y"));
	KUNIT_EXPECT_EQ(test, ivshm_peer_deny("x", "y"), -ENOENT);
	/* One direction only. */
	KUNIT_EXPECT_NULL(test, ivshm_peer_get(QT_B, QT_A));
}

static struct kunit_case msgq_cases[] = {
	KUNIT_CASE(msgq_claims_test),
	KUNIT_CASE(msgq_move_test),
	KUNIT_CASE(msgq_move_busy_test),
	KUNIT_CASE(msgq_share_test),
	KUNIT_CASE(msgq_held_test),
	KUNIT_CASE(msgq_amounts_test),
	KUNIT_CASE(msgq_stalls_again_test),
	KUNIT_CASE(msgq_late_timer_test),
	KUNIT_CASE(msgq_gone_test),
	KUNIT_CASE(msgq_peers_test),
	{}
};

static struct kunit_suite msgq_suite = {
	.name = "ivshm-msgq",
	.suite_init = ivshm_region_test_begin,
	.suite_exit = ivshm_region_test_end,
	.init = qt_init,
	.exit = qt_exit,
	.test_cases = msgq_cases,
};

kunit_test_suite(msgq_suite);
