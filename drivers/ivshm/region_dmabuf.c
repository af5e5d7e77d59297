// SPDX-License-Identifier: GPL-2.0
/* Regions: parts of them as dma-bufs, for devices that import such. */
#include <linux/dma-buf.h>
#include <linux/dma-mapping.h>
#include <linux/file.h>
#include <linux/iosys-map.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/pagemap.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "region.h"
#include "region_exchange.h"

/* Most bytes of one: a device's list of its pages is as long. */
#define REGION_DMABUF_MAX	SZ_1G

/**
 * struct region_dmabuf - pages of a region that a dma-buf stands for
 * @file:	of the region, for mappings; a user of the region
 * @region:	where @claim is, NULL without
 * @claim:	of the part
 * @pgoff:	where the part begins, in units of PAGE_SIZE
 * @nr:		pages
 * @page:	with a reference each: they stay whatever becomes of the region
 * @mutex:	protects @attachments, and their state
 * @attachments: devices that import it
 */
struct region_dmabuf {
	struct file *file;
	struct ivshm_region *region;
	struct ivshm_claim claim;
	pgoff_t pgoff;
	unsigned long nr;
	struct page **page;
	struct mutex mutex;		/* attachments */
	struct list_head attachments;
};

/**
 * struct region_attachment - a device's view
 * @list:	in region_dmabuf.attachments
 * @dev:	the device
 * @sgt:	as it is mapped for @dev, or NULL; a device maps it once at a time
 * @dir:	of @sgt
 */
struct region_attachment {
	struct list_head list;
	struct device *dev;
	struct sg_table *sgt;
	enum dma_data_direction dir;
};

static int dmabuf_attach(struct dma_buf *dmabuf, struct dma_buf_attachment *attach)
{
	struct region_dmabuf *rd = dmabuf->priv;
	struct region_attachment *ra;

	ra = kzalloc(sizeof(*ra), GFP_KERNEL);
	if (!ra)
		return -ENOMEM;
	ra->dev = attach->dev;
	attach->priv = ra;
	mutex_lock(&rd->mutex);
	list_add(&ra->list, &rd->attachments);
	mutex_unlock(&rd->mutex);
	return 0;
}

static void dmabuf_detach(struct dma_buf *dmabuf, struct dma_buf_attachment *attach)
{
	struct region_dmabuf *rd = dmabuf->priv;
	struct region_attachment *ra = attach->priv;

	mutex_lock(&rd->mutex);
	list_del(&ra->list);
	mutex_unlock(&rd->mutex);
	kfree(ra);
}

static struct sg_table *dmabuf_map(struct dma_buf_attachment *attach,
				   enum dma_data_direction dir)
{
	struct region_dmabuf *rd = attach->dmabuf->priv;
	struct region_attachment *ra = attach->priv;
	struct sg_table *sgt;
	int err;

	sgt = kzalloc(sizeof(*sgt), GFP_KERNEL);
	if (!sgt)
		return ERR_PTR(-ENOMEM);
	err = sg_alloc_table_from_pages(sgt, rd->page, rd->nr, 0, rd->nr << PAGE_SHIFT,
					GFP_KERNEL);
	if (err)
		goto free;
	err = dma_map_sgtable(attach->dev, sgt, dir, 0);
	if (err)
		goto table;
	mutex_lock(&rd->mutex);
	ra->sgt = sgt;
	ra->dir = dir;
	mutex_unlock(&rd->mutex);
	return sgt;

table:
	sg_free_table(sgt);
free:
	kfree(sgt);
	return ERR_PTR(err);
}

static void dmabuf_unmap(struct dma_buf_attachment *attach, struct sg_table *sgt,
			 enum dma_data_direction dir)
{
	struct region_dmabuf *rd = attach->dmabuf->priv;
	struct region_attachment *ra = attach->priv;

	mutex_lock(&rd->mutex);
	ra->sgt = NULL;
	mutex_unlock(&rd->mutex);
	dma_unmap_sgtable(attach->dev, sgt, dir, 0);
	sg_free_table(sgt);
	kfree(sgt);
}

static int dmabuf_begin_access(struct dma_buf *dmabuf, enum dma_data_direction dir)
{
	struct region_dmabuf *rd = dmabuf->priv;
	struct region_attachment *ra;

	mutex_lock(&rd->mutex);
	list_for_each_entry(ra, &rd->attachments, list)
		if (ra->sgt && ra->dir != DMA_TO_DEVICE)
			dma_sync_sgtable_for_cpu(ra->dev, ra->sgt, ra->dir);
	mutex_unlock(&rd->mutex);
	return 0;
}

static int dmabuf_end_access(struct dma_buf *dmabuf, enum dma_data_direction dir)
{
	struct region_dmabuf *rd = dmabuf->priv;
	struct region_attachment *ra;

	if (dir == DMA_FROM_DEVICE)
		return 0;
	mutex_lock(&rd->mutex);
	list_for_each_entry(ra, &rd->attachments, list)
		if (ra->sgt)
			dma_sync_sgtable_for_device(ra->dev, ra->sgt, ra->dir);
	mutex_unlock(&rd->mutex);
	return 0;
}

/*
 * A mapping is one of the region: what is done to the region's mappings is done to
 * it.  The caller has seen to it that it is within the dma-buf.
 */
static int dmabuf_mmap(struct dma_buf *dmabuf, struct vm_area_struct *vma)
{
	struct region_dmabuf *rd = dmabuf->priv;

	vma_set_file(vma, rd->file);
	vma->vm_pgoff += rd->pgoff;
	return rd->file->f_op->mmap(rd->file, vma);
}

static int dmabuf_vmap(struct dma_buf *dmabuf, struct iosys_map *map)
{
	struct region_dmabuf *rd = dmabuf->priv;
	void *addr;

	addr = vmap(rd->page, rd->nr, VM_MAP, PAGE_KERNEL);
	if (!addr)
		return -ENOMEM;
	iosys_map_set_vaddr(map, addr);
	return 0;
}

static void dmabuf_vunmap(struct dma_buf *dmabuf, struct iosys_map *map)
{
	vunmap(map->vaddr);
}

static void region_dmabuf_free(struct region_dmabuf *rd)
{
	unsigned long i;

	for (i = 0; i < rd->nr; i++) {
		put_page(rd->page[i]);
		cond_resched();
	}
	if (rd->region)
		ivshm_region_unclaim(rd->region, &rd->claim);
	if (rd->file)
		fput(rd->file);
	kvfree(rd->page);
	kfree(rd);
}

static void dmabuf_release(struct dma_buf *dmabuf)
{
	region_dmabuf_free(dmabuf->priv);
}

static const struct dma_buf_ops region_dmabuf_ops = {
	.attach = dmabuf_attach,
	.detach = dmabuf_detach,
	.map_dma_buf = dmabuf_map,
	.unmap_dma_buf = dmabuf_unmap,
	.begin_cpu_access = dmabuf_begin_access,
	.end_cpu_access = dmabuf_end_access,
	.mmap = dmabuf_mmap,
	.vmap = dmabuf_vmap,
	.vunmap = dmabuf_vunmap,
	.release = dmabuf_release,
};

/* References to all pages of the part. */
static int region_dmabuf_fill(struct region_dmabuf *rd, struct ivshm_region *region,
			      unsigned long nr)
{
	struct page *page;

	while (rd->nr < nr) {
		/* Where they are in place in a region, too, others may hold them. */
		while (IS_ERR(page = ivshm_region_lock_page(region, rd->pgoff + rd->nr)))
			ivshm_region_await(region, (rd->pgoff + rd->nr) >> region->order);
		/* It was deleted meanwhile. */
		if (!page)
			return -ENODEV;
		unlock_page(page);
		rd->page[rd->nr++] = page;
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	return 0;
}

struct dma_buf *ivshm_region_dmabuf(struct ivshm_region *region,
				    const struct ivshm_region_export_dmabuf *arg)
{
	DEFINE_DMA_BUF_EXPORT_INFO(info);
	struct region_dmabuf *rd;
	struct dma_buf *dmabuf;
	struct file *file;
	int err;

	if (!arg->len || (arg->len | arg->offset) & ~PAGE_MASK || arg->len > REGION_DMABUF_MAX ||
	    arg->offset > region->size || arg->len > region->size - arg->offset)
		return ERR_PTR(-EINVAL);
	rd = kzalloc(sizeof(*rd), GFP_KERNEL_ACCOUNT);
	if (!rd)
		return ERR_PTR(-ENOMEM);
	mutex_init(&rd->mutex);
	INIT_LIST_HEAD(&rd->attachments);
	rd->pgoff = arg->offset >> PAGE_SHIFT;
	rd->page = kvcalloc(arg->len >> PAGE_SHIFT, sizeof(*rd->page), GFP_KERNEL_ACCOUNT);
	if (!rd->page) {
		err = -ENOMEM;
		goto free;
	}
	file = ivshm_region_file_export(region, O_RDWR);
	if (IS_ERR(file)) {
		err = PTR_ERR(file);
		goto free;
	}
	rd->file = file;
	err = ivshm_region_claim(region, &rd->claim, IVSHM_CLAIM_DMA, rd->pgoff,
				 arg->len >> PAGE_SHIFT);
	if (err)
		goto free;
	rd->region = region;
	err = region_dmabuf_fill(rd, region, arg->len >> PAGE_SHIFT);
	if (err)
		goto free;

	info.ops = &region_dmabuf_ops;
	info.size = arg->len;
	info.flags = arg->flags & O_ACCMODE;
	info.priv = rd;
	dmabuf = dma_buf_export(&info);
	if (IS_ERR(dmabuf)) {
		err = PTR_ERR(dmabuf);
		goto free;
	}
	return dmabuf;

free:
	region_dmabuf_free(rd);
	return ERR_PTR(err);
}

int ivshm_region_export_dmabuf(struct ivshm_region *region,
			       const struct ivshm_region_export_dmabuf *arg)
{
	struct dma_buf *dmabuf = ivshm_region_dmabuf(region, arg);
	int fd;

	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);
	fd = dma_buf_fd(dmabuf, arg->flags & O_CLOEXEC);
	if (fd < 0)
		dma_buf_put(dmabuf);
	return fd;
}

MODULE_IMPORT_NS("DMA_BUF");
