// SPDX-License-Identifier: GPL-2.0
/* What the KUnit tests of message queues share. */
#include <kunit/test.h>
#include <linux/mm.h>
#include <linux/numa.h>

#include "msgq.h"
#include "msgq_test.h"
#include "region.h"

static struct ivshm_region *qt_region(struct kunit *test, const char *name)
{
	struct ivshm_region_config cfg = {
		.size = QT_PAGES * PAGE_SIZE,
		.page_size = PAGE_SIZE,
		.mode = 0600,
		.node = NUMA_NO_NODE,
	};
	struct ivshm_region *region;

	strscpy(cfg.name, name, sizeof(cfg.name));
	KUNIT_ASSERT_EQ(test, ivshm_region_new(&cfg, NULL), 0);
	mutex_lock(&ivshm_region_mutex);
	region = ivshm_region_find(name);
	mutex_unlock(&ivshm_region_mutex);
	KUNIT_ASSERT_NOT_NULL(test, region);
	KUNIT_ASSERT_EQ(test, ivshm_region_use(region), 0);
	return region;
}

int qt_allow(const char *from, const char *to, u64 messages, u64 pages, u64 bytes)
{
	struct ivshm_peer_config cfg = {
		.most = { messages, pages, bytes },
		.given = BIT(IVSHM_A_PEER_MESSAGES) | BIT(IVSHM_A_PEER_PAGES) |
			 BIT(IVSHM_A_PEER_BYTES),
	};

	strscpy(cfg.from, from, sizeof(cfg.from));
	strscpy(cfg.to, to, sizeof(cfg.to));
	return ivshm_peer_allow(&cfg, NULL);
}

int qt_init(struct kunit *test)
{
	struct qt *qt = kunit_kzalloc(test, sizeof(*qt), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, qt);
	test->priv = qt;
	qt->a = qt_region(test, QT_A);
	qt->b = qt_region(test, QT_B);
	qt->from = ivshm_msgq_new(qt->a, 4, 4);
	qt->to = ivshm_msgq_new(qt->b, 4, 4);
	KUNIT_ASSERT_FALSE(test, IS_ERR(qt->from));
	KUNIT_ASSERT_FALSE(test, IS_ERR(qt->to));
	KUNIT_ASSERT_EQ(test, qt_allow(QT_A, QT_B, 100, 0, 0), 0);
	return 0;
}

void qt_exit(struct kunit *test)
{
	struct qt *qt = test->priv;

	if (!IS_ERR_OR_NULL(qt->from))
		ivshm_msgq_end(qt->from);
	if (!IS_ERR_OR_NULL(qt->to))
		ivshm_msgq_end(qt->to);
	if (qt->a)
		ivshm_region_unuse(qt->a);
	if (qt->b)
		ivshm_region_unuse(qt->b);
	KUNIT_EXPECT_EQ(test, ivshm_region_del(QT_A, false), qt->a_gone ? -ENOENT : 0);
	KUNIT_EXPECT_EQ(test, ivshm_region_del(QT_B, false), 0);
	ivshm_peer_deny(QT_A, QT_B);
}
