/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the KUnit suites of the ring have in common.
 */
#ifndef _IVSHM_VRING_TEST_H
#define _IVSHM_VRING_TEST_H

#include <kunit/test.h>

#include "vring_mock.h"

#define ALL_FEATURES	(MOCK_LE | MOCK_EVENT_IDX | MOCK_INDIRECT)
/* Short names: these fill the tables. */
#define D_NEXT		VRING_DESC_F_NEXT
#define D_WRITE		VRING_DESC_F_WRITE
#define D_INDIRECT	VRING_DESC_F_INDIRECT

static inline int vring_test_init(struct kunit *test)
{
	struct mock_ring *r = kunit_kzalloc(test, sizeof(*r), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, r);
	test->priv = r;
	return 0;
}

static inline void vring_test_exit(struct kunit *test)
{
	if (test->priv)
		mock_ring_exit(test->priv);
}

/* A ring with the defaults of the mock, both indices at @idx. */
static inline struct mock_ring *ring(struct kunit *test, u32 num, u32 features,
				     u16 idx)
{
	struct mock_ring *r = test->priv;

	mock_ring_exit(r);
	mock_ring_init(r, num, features);
	KUNIT_ASSERT_NOT_NULL(test, r->m.logged);
	KUNIT_ASSERT_EQ(test, mock_ring_map(r), 0);
	mock_ring_start(r, idx);
	mock_clear_log(&r->m);
	return r;
}

static inline void expect_seg(struct kunit *test, u32 i, u64 addr, u32 len)
{
	struct mock_ring *r = test->priv;

	KUNIT_EXPECT_EQ(test, r->segs[i].addr, addr);
	KUNIT_EXPECT_EQ(test, r->segs[i].len, len);
}

/* Bytes [off, off + len) of the used ring were logged, and no others. */
static inline void expect_logged(struct kunit *test, u32 off, u32 len)
{
	struct mock_ring *r = test->priv;
	u32 i;

	for (i = 0; i < MOCK_USED_SIZE(r->m.num); i++)
		KUNIT_EXPECT_EQ_MSG(test, (bool)r->m.logged[i],
				    i >= off && i < off + len, "byte %u", i);
}

#endif /* _IVSHM_VRING_TEST_H */
