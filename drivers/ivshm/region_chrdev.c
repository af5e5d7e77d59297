// SPDX-License-Identifier: GPL-2.0
/* Regions: /dev/ivshmN, its files and their mappings. */
#include <linux/eventfd.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/pagemap.h>
#include <linux/slab.h>

#include "msgq.h"
#include "region.h"

/* Most peers of a region. */
#define PEERS_MAX	65536

static dev_t region_devt;

/*
 * Mappings
 */

/* Of slots that are held it can be a while until all are free again. */
#define FAULT_WAIT	max(HZ / 100, 1)

/*
 * The slot is held.  Whoever holds it waits neither for mmap_lock nor for anybody
 * who may have it, and is about to wake us; then the core tries again.
 */
static vm_fault_t region_fault_wait(struct vm_fault *vmf,
				    struct ivshm_region *region)
{
	DEFINE_WAIT(wait);

	if (vmf->flags & FAULT_FLAG_RETRY_NOWAIT)
		return VM_FAULT_RETRY;
	prepare_to_wait(&region->exchanged, &wait, TASK_KILLABLE);
	if (ivshm_region_slot_is_held(region, vmf->pgoff >> region->order))
		schedule_timeout(FAULT_WAIT);
	finish_wait(&region->exchanged, &wait);
	return VM_FAULT_NOPAGE;
}

vm_fault_t ivshm_region_fault_end(struct vm_fault *vmf,
				  struct ivshm_region *region, struct page *page)
{
	if (!page)
		return VM_FAULT_SIGBUS;
	if (IS_ERR(page))
		return region_fault_wait(vmf, region);
	/* The core would look for other mappings by page->mapping. */
	if (unlikely(PageHWPoison(page))) {
		unlock_page(page);
		put_page(page);
		return VM_FAULT_HWPOISON;
	}
	vmf->page = page;
	return VM_FAULT_LOCKED;
}

static vm_fault_t region_fault(struct vm_fault *vmf)
{
	struct ivshm_region *region = vmf->vma->vm_private_data;

	return ivshm_region_fault_end(vmf, region,
				      ivshm_region_lock_page(region, vmf->pgoff));
}

static const struct vm_operations_struct region_vm_ops = {
	.fault = region_fault,
};

static int region_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct ivshm_region_file *rf = file->private_data;
	struct ivshm_region *region = rf->region;
	u64 pages = region->size >> PAGE_SHIFT;

	/* VM_SHARED is off for files opened for reading only. */
	if (!(vma->vm_flags & VM_MAYSHARE))
		return -EINVAL;
	if (vma->vm_pgoff > pages || vma_pages(vma) > pages - vma->vm_pgoff)
		return -EINVAL;
	if (!ivshm_region_alive(region))
		return -ENODEV;
	vm_flags_set(vma, VM_DONTEXPAND);
	vma->vm_ops = &region_vm_ops;
	/* The file, which the mapping holds, holds the region. */
	vma->vm_private_data = region;
	return 0;
}

/*
 * Files
 */

struct ivshm_region_file *ivshm_region_file_new(struct ivshm_region *region)
{
	struct ivshm_region_file *rf;
	int err;

	rf = kzalloc(sizeof(*rf), GFP_KERNEL);
	if (!rf)
		return ERR_PTR(-ENOMEM);
	err = ivshm_region_use(region);
	if (err)
		goto free;
	rf->region = region;
	err = xa_alloc(&region->peers, &rf->peer, rf,
		       XA_LIMIT(0, PEERS_MAX - 1), GFP_KERNEL);
	if (err) {
		ivshm_region_unuse(region);
		if (err == -EBUSY)
			err = -ENFILE;
		goto free;
	}
	return rf;

free:
	kfree(rf);
	return ERR_PTR(err);
}

void ivshm_region_file_free(struct ivshm_region_file *rf)
{
	int i;

	/* Whoever rings holds the lock of the array. */
	xa_erase(&rf->region->peers, rf->peer);
	for (i = 0; i < IVSHM_VECTORS; i++)
		if (rf->vector[i])
			eventfd_ctx_put(rf->vector[i]);
	ivshm_region_unuse(rf->region);
	kfree(rf);
}

struct file *ivshm_region_file_export(struct ivshm_region *region, int mode)
{
	struct ivshm_region_file *rf = ivshm_region_file_new(region);
	struct file *file;

	if (IS_ERR(rf))
		return ERR_CAST(rf);
	file = ivshm_region_getfile(region->inode, 0, mode, &ivshm_region_fops, rf);
	if (IS_ERR(file))
		ivshm_region_file_free(rf);
	return file;
}

static int region_open(struct inode *inode, struct file *file)
{
	struct ivshm_region_file *rf;

	rf = ivshm_region_file_new(container_of(inode->i_cdev,
						struct ivshm_region, cdev));
	if (IS_ERR(rf))
		return PTR_ERR(rf);
	file->private_data = rf;
	file->f_mapping = rf->region->inode->i_mapping;
	return 0;
}

static int region_release(struct inode *inode, struct file *file)
{
	struct ivshm_region_file *rf = file->private_data;

	ivshm_msgq_file_end(rf);
	ivshm_region_file_free(rf);
	return 0;
}

static loff_t region_llseek(struct file *file, loff_t offset, int whence)
{
	struct ivshm_region_file *rf = file->private_data;

	return fixed_size_llseek(file, offset, whence, rf->region->size);
}

const struct file_operations ivshm_region_fops = {
	.owner = THIS_MODULE,
	.open = region_open,
	.release = region_release,
	.mmap = region_mmap,
	/* Large pages are mapped as such where addresses and offsets match. */
	.get_unmapped_area = thp_get_unmapped_area,
	.llseek = region_llseek,
	.poll = ivshm_msgq_poll,
	.unlocked_ioctl = ivshm_region_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	/* There is nothing that memory would have to be written back to. */
	.fsync = noop_fsync,
};

/*
 * Devices
 */

static struct class region_class = {
	.name = "ivshm",
};

static char *region_devnode(IVSHM_TYPE_CONST struct device *dev, umode_t *mode,
			    kuid_t *uid, kgid_t *gid)
{
	const struct ivshm_region *region = container_of(dev, struct ivshm_region, dev);

	if (mode)
		*mode = region->mode;
	if (uid)
		*uid = region->uid;
	if (gid)
		*gid = region->gid;
	return NULL;
}

static int region_uevent(IVSHM_TYPE_CONST struct device *dev, struct kobj_uevent_env *env)
{
	const struct ivshm_region *region = container_of(dev, struct ivshm_region, dev);

	return add_uevent_var(env, "IVSHM_NAME=%s", region->name) ?:
	       add_uevent_var(env, "IVSHM_MODE=%04o", region->mode) ?:
	       add_uevent_var(env, "IVSHM_UID=%u",
			      from_kuid(&init_user_ns, region->uid)) ?:
	       add_uevent_var(env, "IVSHM_GID=%u",
			      from_kgid(&init_user_ns, region->gid));
}

static void region_dev_release(struct device *dev)
{
	ivshm_region_free(container_of(dev, struct ivshm_region, dev));
}

static const struct device_type region_type = {
	.name = "region",
	.devnode = region_devnode,
	.uevent = region_uevent,
	.release = region_dev_release,
};

void ivshm_region_chrdev_prepare(struct ivshm_region *region)
{
	device_initialize(&region->dev);
	region->dev.class = &region_class;
	region->dev.type = &region_type;
	region->dev.devt = MKDEV(MAJOR(region_devt), region->number);
	cdev_init(&region->cdev, &ivshm_region_fops);
	region->cdev.owner = THIS_MODULE;
}

int ivshm_region_chrdev_add(struct ivshm_region *region)
{
	int err;

	lockdep_assert_held(&ivshm_region_mutex);

	err = dev_set_name(&region->dev, "ivshm%u", region->number);
	return err ?: cdev_device_add(&region->cdev, &region->dev);
}

void ivshm_region_chrdev_del(struct ivshm_region *region)
{
	cdev_device_del(&region->cdev, &region->dev);
}

int ivshm_region_chrdev_init(void)
{
	int err;

	err = alloc_chrdev_region(&region_devt, 0, IVSHM_REGIONS_MAX, "ivshm");
	if (err)
		return err;
	err = class_register(&region_class);
	if (err)
		unregister_chrdev_region(region_devt, IVSHM_REGIONS_MAX);
	return err;
}

void ivshm_region_chrdev_exit(void)
{
	class_unregister(&region_class);
	unregister_chrdev_region(region_devt, IVSHM_REGIONS_MAX);
}
