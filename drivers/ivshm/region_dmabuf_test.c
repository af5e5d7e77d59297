// SPDX-License-Identifier: GPL-2.0
/* KUnit tests of dma-bufs of regions: what importers do inside the kernel. */
#include <kunit/test.h>
#include <linux/dma-buf.h>
#include <linux/dma-mapping.h>
#include <linux/err.h>
#include <linux/fcntl.h>
#include <linux/file.h>
#include <linux/iosys-map.h>
#include <linux/mm.h>
#include <linux/numa.h>
#include <linux/pagemap.h>
#include <linux/platform_device.h>
#include <linux/scatterlist.h>

#include "region.h"
#include "region_test.h"

#define DT_NAME		"kunit-dmabuf"
#define DT_PAGES	16
#define DT_FIRST	5
#define DT_NR		7

struct dt {
	struct ivshm_region *region;
	struct platform_device *pdev;
	struct dma_buf *dmabuf;
};

static int dt_init(struct kunit *test)
{
	static const struct ivshm_region_config cfg = {
		.name = DT_NAME, .size = DT_PAGES * PAGE_SIZE, .page_size = PAGE_SIZE,
		.mode = 0600, .node = NUMA_NO_NODE,
	};
	const struct ivshm_region_export_dmabuf arg = {
		.flags = O_RDWR, .offset = DT_FIRST * PAGE_SIZE, .len = DT_NR * PAGE_SIZE,
	};
	struct dt *dt = kunit_kzalloc(test, sizeof(*dt), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, dt);
	test->priv = dt;
	KUNIT_ASSERT_EQ(test, ivshm_region_new(&cfg, NULL), 0);
	mutex_lock(&ivshm_region_mutex);
	dt->region = ivshm_region_find(DT_NAME);
	mutex_unlock(&ivshm_region_mutex);
	KUNIT_ASSERT_NOT_NULL(test, dt->region);
	dt->pdev = platform_device_register_simple("ivshm-kunit", PLATFORM_DEVID_AUTO, NULL, 0);
	KUNIT_ASSERT_FALSE(test, IS_ERR(dt->pdev));
	KUNIT_ASSERT_EQ(test, dma_set_mask_and_coherent(&dt->pdev->dev, DMA_BIT_MASK(64)), 0);
	dt->dmabuf = ivshm_region_dmabuf(dt->region, &arg);
	KUNIT_ASSERT_FALSE(test, IS_ERR(dt->dmabuf));
	return 0;
}

static void dt_exit(struct kunit *test)
{
	struct dt *dt = test->priv;

	if (!dt)
		return;
	if (!IS_ERR_OR_NULL(dt->dmabuf))
		dma_buf_put(dt->dmabuf);
	if (!IS_ERR_OR_NULL(dt->pdev))
		platform_device_unregister(dt->pdev);
	ivshm_region_del(DT_NAME, true);
	/* The dma-buf's file, and then the region's, which holds it. */
	flush_delayed_fput();
	flush_delayed_fput();
}

/* The page behind page @i of the dma-buf; stays, as the dma-buf holds it. */
static struct page *dt_page(struct kunit *test, unsigned long i)
{
	struct dt *dt = test->priv;
	struct page *page = ivshm_region_lock_page(dt->region, DT_FIRST + i);

	KUNIT_ASSERT_NOT_NULL(test, page);
	unlock_page(page);
	put_page(page);
	return page;
}

static void dmabuf_vmap_test(struct kunit *test)
{
	struct dt *dt = test->priv;
	struct iosys_map map;
	unsigned long i;
	u8 *at;

	KUNIT_ASSERT_EQ(test, dma_buf_vmap(dt->dmabuf, &map), 0);
	at = map.vaddr;
	for (i = 0; i < DT_NR; i++) {
		memset(at + i * PAGE_SIZE, i + 1, PAGE_SIZE);
		KUNIT_EXPECT_EQ(test, *(u8 *)page_address(dt_page(test, i)), i + 1);
	}
	dma_buf_vunmap(dt->dmabuf, &map);
}

static void dmabuf_attach_test(struct kunit *test)
{
	struct dt *dt = test->priv;
	struct dma_buf_attachment *attach;
	struct sg_page_iter piter;
	struct sg_table *sgt;
	unsigned long i = 0;

	attach = dma_buf_attach(dt->dmabuf, &dt->pdev->dev);
	KUNIT_ASSERT_FALSE(test, IS_ERR(attach));
	sgt = dma_buf_map_attachment(attach, DMA_BIDIRECTIONAL);
	KUNIT_ASSERT_FALSE(test, IS_ERR(sgt));
	for_each_sgtable_page(sgt, &piter, 0) {
		KUNIT_EXPECT_PTR_EQ(test, sg_page_iter_page(&piter), dt_page(test, i));
		i++;
	}
	KUNIT_EXPECT_EQ(test, i, DT_NR);
	KUNIT_EXPECT_EQ(test, dma_buf_begin_cpu_access(dt->dmabuf, DMA_BIDIRECTIONAL), 0);
	KUNIT_EXPECT_EQ(test, dma_buf_end_cpu_access(dt->dmabuf, DMA_BIDIRECTIONAL), 0);

	/* The region goes; the device still has the pages, and nobody else. */
	KUNIT_EXPECT_EQ(test, ivshm_region_del(DT_NAME, false), -EBUSY);
	KUNIT_EXPECT_EQ(test, ivshm_region_del(DT_NAME, true), 0);
	for_each_sgtable_page(sgt, &piter, 0)
		KUNIT_EXPECT_EQ(test, page_count(sg_page_iter_page(&piter)), 1);
	dma_buf_unmap_attachment(attach, sgt, DMA_BIDIRECTIONAL);
	dma_buf_detach(dt->dmabuf, attach);
}

static struct kunit_case dmabuf_cases[] = {
	KUNIT_CASE(dmabuf_vmap_test),
	KUNIT_CASE(dmabuf_attach_test),
	{}
};

static struct kunit_suite dmabuf_suite = {
	.name = "ivshm-region-dmabuf",
	.suite_init = ivshm_region_test_begin,
	.suite_exit = ivshm_region_test_end,
	.init = dt_init,
	.exit = dt_exit,
	.test_cases = dmabuf_cases,
};

kunit_test_suite(dmabuf_suite);
