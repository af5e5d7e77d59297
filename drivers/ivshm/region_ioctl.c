// SPDX-License-Identifier: GPL-2.0
/* Regions: what programs ask of /dev/ivshmN. */
#include <linux/eventfd.h>
#include <linux/fcntl.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/nospec.h>
#include <linux/uaccess.h>

#include "msgq.h"
#include "region.h"

int ivshm_region_get_arg(void *arg, size_t size, size_t least,
			 const void __user *argp)
{
	u32 argsz;
	int err;

	if (get_user(argsz, (const u32 __user *)argp))
		return -EFAULT;
	if (argsz < least || argsz > PAGE_SIZE)
		return -EINVAL;
	err = copy_struct_from_user(arg, size, argp, argsz);
	if (err)
		return err;
	/* It may have changed since. */
	*(u32 *)arg = argsz;
	return 0;
}

static long region_info(const struct ivshm_region_file *rf, void __user *argp)
{
	const struct ivshm_region *region = rf->region;
	struct ivshm_region_info info;
	u32 argsz;
	int err;

	err = ivshm_region_get_arg(&info, sizeof(info), 16, argp);
	if (err)
		return err;
	if (info.flags)
		return -EINVAL;
	argsz = min_t(u32, info.argsz, sizeof(info));
	memset(&info, 0, sizeof(info));
	info.argsz = sizeof(info);
	info.size = region->size;
	info.page_size = PAGE_SIZE << region->order;
	info.number = region->number;
	info.peer = rf->peer;
	info.vectors = IVSHM_VECTORS;
	BUILD_BUG_ON(sizeof(info.name) != sizeof(region->name));
	memcpy(info.name, region->name, sizeof(info.name));
	return copy_to_user(argp, &info, argsz) ? -EFAULT : 0;
}

static long region_export(struct file *file, void __user *argp)
{
	const struct ivshm_region_file *rf = file->private_data;
	struct ivshm_region_export arg;
	struct file *exported;
	int err, fd, mode;

	err = ivshm_region_get_arg(&arg, sizeof(arg), sizeof(arg), argp);
	if (err)
		return err;
	mode = arg.flags & O_ACCMODE;
	if (arg.flags & ~(O_ACCMODE | O_CLOEXEC) ||
	    (mode != O_RDONLY && mode != O_RDWR))
		return -EINVAL;
	if (!(file->f_mode & FMODE_READ) ||
	    (mode == O_RDWR && !(file->f_mode & FMODE_WRITE)))
		return -EACCES;

	fd = get_unused_fd_flags(arg.flags & O_CLOEXEC);
	if (fd < 0)
		return fd;
	exported = ivshm_region_file_export(rf->region, mode);
	if (IS_ERR(exported)) {
		put_unused_fd(fd);
		return PTR_ERR(exported);
	}
	fd_install(fd, exported);
	return fd;
}

static long region_bind(struct ivshm_region_file *rf, void __user *argp)
{
	struct eventfd_ctx *ctx = NULL;
	struct ivshm_region_bind arg;
	int err;

	err = ivshm_region_get_arg(&arg, sizeof(arg), sizeof(arg), argp);
	if (err)
		return err;
	if (arg.flags || arg.vector >= IVSHM_VECTORS || arg.fd < -1)
		return -EINVAL;
	arg.vector = array_index_nospec(arg.vector, IVSHM_VECTORS);
	if (arg.fd != -1) {
		ctx = eventfd_ctx_fdget(arg.fd);
		if (IS_ERR(ctx))
			return PTR_ERR(ctx);
	}
	xa_lock(&rf->region->peers);
	swap(ctx, rf->vector[arg.vector]);
	xa_unlock(&rf->region->peers);
	if (ctx)
		eventfd_ctx_put(ctx);
	return 0;
}

static long region_ring(struct file *file, void __user *argp)
{
	struct ivshm_region_file *rf = file->private_data, *peer;
	struct ivshm_region_ring arg;
	struct ivshm_msgq *q;
	int err;

	err = ivshm_region_get_arg(&arg, sizeof(arg), sizeof(arg), argp);
	if (err)
		return err;
	if (!(file->f_mode & FMODE_WRITE))
		return -EACCES;
	if (arg.flags || arg.vector >= IVSHM_VECTORS)
		return -EINVAL;
	arg.vector = array_index_nospec(arg.vector, IVSHM_VECTORS);
	/* Pairs with the release in msgq_attach(). */
	q = smp_load_acquire(&rf->msgq);
	if (q)
		ivshm_msgq_came(q);

	xa_lock(&rf->region->peers);
	peer = xa_load(&rf->region->peers, arg.peer);
	if (!peer)
		err = -ENOENT;
	else if (!peer->vector[arg.vector])
		err = -ENXIO;
	else
		eventfd_signal(peer->vector[arg.vector]);
	xa_unlock(&rf->region->peers);
	return err;
}

static long region_map_dma(struct file *file, void __user *argp)
{
	struct ivshm_region_file *rf = file->private_data;
	struct ivshm_region_map_dma arg;
	int err;

	err = ivshm_region_get_arg(&arg, sizeof(arg), sizeof(arg), argp);
	if (err)
		return err;
	if ((file->f_mode & (FMODE_READ | FMODE_WRITE)) != (FMODE_READ | FMODE_WRITE))
		return -EACCES;
	if (arg.flags & ~IVSHM_DMA_KEEP_REGION)
		return -EINVAL;
	err = ivshm_region_map_dma(rf->region, &arg);
	if (put_user(arg.flags & IVSHM_DMA_UNMAPPED,
		     &((struct ivshm_region_map_dma __user *)argp)->flags))
		return -EFAULT;
	return err;
}

static long region_unmap_dma(struct file *file, void __user *argp)
{
	struct ivshm_region_file *rf = file->private_data;
	struct ivshm_region_unmap_dma arg;
	int err;

	err = ivshm_region_get_arg(&arg, sizeof(arg), sizeof(arg), argp);
	if (err)
		return err;
	if (arg.flags)
		return -EINVAL;
	err = ivshm_region_unmap_dma(rf->region, &arg);
	if (put_user(arg.flags & IVSHM_DMA_UNMAPPED,
		     &((struct ivshm_region_unmap_dma __user *)argp)->flags))
		return -EFAULT;
	return err;
}

static long region_export_dmabuf(struct file *file, void __user *argp)
{
	const struct ivshm_region_file *rf = file->private_data;
	struct ivshm_region_export_dmabuf arg;
	int err, mode;

	err = ivshm_region_get_arg(&arg, sizeof(arg), sizeof(arg), argp);
	if (err)
		return err;
	mode = arg.flags & O_ACCMODE;
	if (arg.flags & ~(O_ACCMODE | O_CLOEXEC) || (mode != O_RDONLY && mode != O_RDWR))
		return -EINVAL;
	if ((file->f_mode & (FMODE_READ | FMODE_WRITE)) != (FMODE_READ | FMODE_WRITE))
		return -EACCES;
	return ivshm_region_export_dmabuf(rf->region, &arg);
}

long ivshm_region_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct ivshm_region_file *rf = file->private_data;
	void __user *argp = (void __user *)arg;

	if (!ivshm_region_alive(rf->region))
		return -ENODEV;
	switch (cmd) {
	case IVSHM_REGION_INFO:
		return region_info(rf, argp);
	case IVSHM_REGION_EXPORT:
		return region_export(file, argp);
	case IVSHM_REGION_BIND:
		return region_bind(rf, argp);
	case IVSHM_REGION_RING:
		return region_ring(file, argp);
	case IVSHM_REGION_MAP_DMA:
		return region_map_dma(file, argp);
	case IVSHM_REGION_UNMAP_DMA:
		return region_unmap_dma(file, argp);
	case IVSHM_REGION_EXPORT_DMABUF:
		if (!IS_ENABLED(CONFIG_DMA_SHARED_BUFFER))
			return -ENOTTY;
		return region_export_dmabuf(file, argp);
	default:
		return ivshm_msgq_ioctl(file, cmd, argp);
	}
}
