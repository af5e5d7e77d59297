// SPDX-License-Identifier: GPL-2.0
/* Regions: life cycle, quotas, pages. */
#include <linux/ctype.h>
#include <linux/fs.h>
#include <linux/gfp.h>
#include <linux/idr.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mount.h>
#include <linux/netlink.h>
#include <linux/pagemap.h>
#include <linux/pseudo_fs.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "msgq.h"
#include "netlink.h"
#include "region.h"
#include "region_swap.h"

/* "ivsh" */
#define REGION_FS_MAGIC	0x69767368
#define MIB_PAGES	(1UL << (20 - PAGE_SHIFT))
#define MODE_BITS	0666

static unsigned int region_max_mib;
module_param(region_max_mib, uint, 0644);
MODULE_PARM_DESC(region_max_mib, "Most memory of all regions, MiB (0: half of the host's)");

static unsigned int region_user_max_mib;
module_param(region_user_max_mib, uint, 0644);
MODULE_PARM_DESC(region_user_max_mib, "Most memory of the regions of one owner, MiB (0: no limit)");

/* Regions and their users. */
DEFINE_MUTEX(ivshm_region_mutex);
LIST_HEAD(ivshm_regions);

static DEFINE_IDA(region_numbers);

/*
 * The pseudo file system. It is there while regions have users, and holds the
 * module until the last file is gone for good.
 */

static struct vfsmount *region_mnt;
static int region_mnt_count;

static int region_fs_init_context(struct fs_context *fc)
{
	return init_pseudo(fc, REGION_FS_MAGIC) ? 0 : -ENOMEM;
}

static struct file_system_type region_fs = {
	.name = "ivshm",
	.owner = THIS_MODULE,
	.init_fs_context = region_fs_init_context,
	.kill_sb = kill_anon_super,
};

static int region_inode_new(struct ivshm_region *region)
{
	struct inode *inode;
	int err;

	err = simple_pin_fs(&region_fs, &region_mnt, &region_mnt_count);
	if (err)
		return err;
	inode = alloc_anon_inode(region_mnt->mnt_sb);
	if (IS_ERR(inode)) {
		simple_release_fs(&region_mnt, &region_mnt_count);
		return PTR_ERR(inode);
	}
	i_size_write(inode, region->size);
	region->inode = inode;
	return 0;
}

static void region_inode_free(struct ivshm_region *region)
{
	iput(region->inode);
	region->inode = NULL;
	simple_release_fs(&region_mnt, &region_mnt_count);
}

int ivshm_region_use(struct ivshm_region *region)
{
	int err = 0;

	mutex_lock(&ivshm_region_mutex);
	if (!region->ready)
		err = -ENODEV;
	else if (!region->users)
		err = region_inode_new(region);
	if (!err) {
		region->users++;
		get_device(&region->dev);
	}
	mutex_unlock(&ivshm_region_mutex);
	return err;
}

void ivshm_region_unuse(struct ivshm_region *region)
{
	mutex_lock(&ivshm_region_mutex);
	if (!--region->users)
		region_inode_free(region);
	mutex_unlock(&ivshm_region_mutex);
	put_device(&region->dev);
}

struct file *ivshm_region_getfile(struct inode *inode, u64 size, int flags,
				  const struct file_operations *fops, void *data)
{
	struct file *file;
	int err;

	/* A reference that closing the file gives back. */
	if (!try_module_get(fops->owner))
		return ERR_PTR(-ENODEV);
	err = simple_pin_fs(&region_fs, &region_mnt, &region_mnt_count);
	if (err) {
		file = ERR_PTR(err);
		goto module;
	}
	if (inode) {
		ihold(inode);
	} else {
		inode = alloc_anon_inode(region_mnt->mnt_sb);
		if (IS_ERR(inode)) {
			file = ERR_CAST(inode);
			goto unpin;
		}
		i_size_write(inode, size);
	}
	file = alloc_file_pseudo(inode, region_mnt, "ivshm", flags, fops);
	if (IS_ERR(file))
		iput(inode);
	else
		file->private_data = data;
unpin:
	/* The file holds the file system itself. */
	simple_release_fs(&region_mnt, &region_mnt_count);
module:
	if (IS_ERR(file))
		module_put(fops->owner);
	return file;
}

/* Say why, and which attribute is at fault, 0 for none. */
static void region_refuse(const struct ivshm_region_config *cfg,
			  struct netlink_ext_ack *extack, int at, const char *why)
{
	if (!extack)
		return;
	extack->_msg = why;
	NL_SET_BAD_ATTR(extack, cfg->attr ? cfg->attr[at] : NULL);
}

/*
 * Quotas
 */

static unsigned long region_pages(const struct ivshm_region *region)
{
	return region->nr << region->order;
}

/*
 * Whether @uid may have @pages more. They are not on the list yet; those of
 * @except, which changes hands, are, and count for the total only.
 */
static int region_check_quota(const struct ivshm_region_config *cfg,
			      kuid_t uid, unsigned long pages,
			      const struct ivshm_region *except,
			      struct netlink_ext_ack *extack)
{
	unsigned long most = READ_ONCE(region_max_mib) * MIB_PAGES;
	unsigned long user_most = READ_ONCE(region_user_max_mib) * MIB_PAGES;
	unsigned long total = 0, user = 0;
	const struct ivshm_region *region;

	lockdep_assert_held(&ivshm_region_mutex);

	if (!most)
		most = totalram_pages() / 2;
	list_for_each_entry(region, &ivshm_regions, list) {
		total += region_pages(region);
		if (region != except && uid_eq(region->uid, uid))
			user += region_pages(region);
	}
	if (!except && (total > most || pages > most - total)) {
		region_refuse(cfg, extack, IVSHM_A_REGION_SIZE,
			      "all regions together would be larger than the module's parameter region_max_mib allows");
		return -ENOSPC;
	}
	if (user_most && (user > user_most || pages > user_most - user)) {
		region_refuse(cfg, extack, IVSHM_A_REGION_UID,
			      "the owner's regions would be larger than the module's parameter region_user_max_mib allows");
		return -EDQUOT;
	}
	return 0;
}

/*
 * Is what an administrator asks for possible?
 */

/* A name that is the same as a file's name, and that udev does not change. */
bool ivshm_region_name_valid(const char *name)
{
	const char *c;

	if (!isascii(*name) || !isalnum(*name) ||
	    strnlen(name, IVSHM_NAME_MAX) == IVSHM_NAME_MAX)
		return false;
	for (c = name; *c; c++)
		if (!isascii(*c) || (!isalnum(*c) && !strchr("+-.:=@_", *c)))
			return false;
	return true;
}

static int region_check_owner(const struct ivshm_region_config *cfg,
			      struct netlink_ext_ack *extack)
{
	if (cfg->mode & ~MODE_BITS)
		region_refuse(cfg, extack, IVSHM_A_REGION_MODE,
			      "the mode must be of read and write permissions, 0 to 0666");
	else if (!uid_valid(make_kuid(&init_user_ns, cfg->uid)))
		region_refuse(cfg, extack, IVSHM_A_REGION_UID,
			      "that cannot be an owner");
	else if (!gid_valid(make_kgid(&init_user_ns, cfg->gid)))
		region_refuse(cfg, extack, IVSHM_A_REGION_GID,
			      "that cannot be a group");
	else
		return 0;
	return -EINVAL;
}

static int region_check(const struct ivshm_region_config *cfg,
			struct netlink_ext_ack *extack)
{
	if (!ivshm_region_name_valid(cfg->name))
		region_refuse(cfg, extack, IVSHM_A_REGION_NAME,
			      "name of a region must be 1 to 31 letters, digits and +-.:=@_, the first a letter or a digit");
	else if (cfg->page_size != PAGE_SIZE && cfg->page_size != PMD_SIZE)
		region_refuse(cfg, extack, IVSHM_A_REGION_PAGE_SIZE,
			      "pages must be of 4 KiB or 2 MiB");
	else if (!is_power_of_2(cfg->size) || cfg->size < cfg->page_size)
		region_refuse(cfg, extack, IVSHM_A_REGION_SIZE,
			      "the size must be a power of two, and a page at least");
	else if (cfg->node != NUMA_NO_NODE &&
		 (cfg->node < 0 || cfg->node >= MAX_NUMNODES ||
		  !node_state(cfg->node, N_MEMORY)))
		region_refuse(cfg, extack, IVSHM_A_REGION_NODE,
			      "there is no such NUMA node, or it has no memory");
	else
		return region_check_owner(cfg, extack);
	return -EINVAL;
}

/*
 * Pages
 */

/*
 * All of them at once: whoever maps a region does not find out later that
 * there was no memory.
 */
static int region_fill(struct ivshm_region *region)
{
	/* Rather fail than have others killed for it. */
	gfp_t gfp = GFP_HIGHUSER | __GFP_ZERO | __GFP_NOWARN | __GFP_RETRY_MAYFAIL;
	unsigned long i;

	if (region->order)
		gfp |= __GFP_COMP;
	if (region->node != NUMA_NO_NODE)
		gfp |= __GFP_THISNODE;
	region->slot = kvcalloc(region->nr, sizeof(*region->slot),
				GFP_KERNEL | __GFP_NOWARN);
	if (!region->slot)
		return -ENOMEM;
	for (i = 0; i < region->nr; i++) {
		region->slot[i] = alloc_pages_node(region->node, gfp, region->order);
		if (!region->slot[i])
			return -ENOMEM;
		/*
		 * Newer kernels map a large page as one only if it ends within the
		 * file, by an index that these pages have no other use for.
		 */
		page_folio(region->slot[i])->index = 0;
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	return 0;
}

/* Nobody finds a page any more. Mappings still have theirs. */
static void region_empty(struct ivshm_region *region)
{
	struct page *page;
	unsigned long i;

	if (!region->slot)
		return;
	for (i = 0; i < region->nr; i++) {
		while (IS_ERR(page = ivshm_region_lock_slot(region, i)))
			ivshm_region_await(region, i);
		if (!page)
			continue;
		/* A fault that found it has mapped it now that we have the lock. */
		WRITE_ONCE(region->slot[i], NULL);
		unlock_page(page);
		put_page(page);
		/* That of the slot. */
		put_page(page);
		cond_resched();
	}
}

/*
 * Life cycle
 */

void ivshm_region_free(struct ivshm_region *region)
{
	kvfree(region->slot);
	xa_destroy(&region->peers);
	ida_free(&region_numbers, region->number);
	kfree(region);
}

struct ivshm_region *ivshm_region_find(const char *name)
{
	struct ivshm_region *region;

	lockdep_assert_held(&ivshm_region_mutex);

	list_for_each_entry(region, &ivshm_regions, list)
		if (region->ready && !strcmp(region->name, name))
			return region;
	return NULL;
}

static struct ivshm_region *region_alloc(const struct ivshm_region_config *cfg,
					 struct netlink_ext_ack *extack)
{
	struct ivshm_region *region;
	int number;

	region = kzalloc(sizeof(*region), GFP_KERNEL);
	if (!region) {
		region_refuse(cfg, extack, 0, "not enough memory for the region");
		return ERR_PTR(-ENOMEM);
	}
	number = ida_alloc_max(&region_numbers, IVSHM_REGIONS_MAX - 1, GFP_KERNEL);
	if (number < 0) {
		region_refuse(cfg, extack, 0, number == -ENOSPC ?
			      "there are as many regions as there can be" :
			      "not enough memory for the region");
		kfree(region);
		return ERR_PTR(number);
	}
	strscpy(region->name, cfg->name, sizeof(region->name));
	region->number = number;
	region->size = cfg->size;
	region->order = get_order(cfg->page_size);
	region->nr = cfg->size / cfg->page_size;
	region->node = cfg->node;
	region->mode = cfg->mode;
	region->uid = make_kuid(&init_user_ns, cfg->uid);
	region->gid = make_kgid(&init_user_ns, cfg->gid);
	init_waitqueue_head(&region->exchanged);
	region->claims = RB_ROOT_CACHED;
	spin_lock_init(&region->claims_lock);
	xa_init_flags(&region->peers, XA_FLAGS_ALLOC);
	ivshm_region_chrdev_prepare(region);
	return region;
}

/* Reserve name and quota while pages are being allocated. */
static int region_reserve(struct ivshm_region *region,
			  const struct ivshm_region_config *cfg,
			  struct netlink_ext_ack *extack)
{
	const struct ivshm_region *other;
	int err;

	lockdep_assert_held(&ivshm_region_mutex);

	list_for_each_entry(other, &ivshm_regions, list) {
		if (strcmp(other->name, region->name))
			continue;
		region_refuse(cfg, extack, IVSHM_A_REGION_NAME,
			      "a region of that name exists");
		return -EEXIST;
	}
	err = region_check_quota(cfg, region->uid, cfg->size >> PAGE_SHIFT, NULL,
				 extack);
	if (!err)
		list_add_tail(&region->list, &ivshm_regions);
	return err;
}

int ivshm_region_new(const struct ivshm_region_config *cfg,
		     struct netlink_ext_ack *extack)
{
	struct ivshm_region *region;
	int err;

	err = region_check(cfg, extack);
	if (err)
		return err;
	region = region_alloc(cfg, extack);
	if (IS_ERR(region))
		return PTR_ERR(region);
	mutex_lock(&ivshm_region_mutex);
	err = region_reserve(region, cfg, extack);
	mutex_unlock(&ivshm_region_mutex);
	if (err)
		goto put;

	err = region_fill(region);
	if (err) {
		region_refuse(cfg, extack, IVSHM_A_REGION_SIZE, err == -EINTR ?
			      "interrupted" :
			      "not enough memory for the pages of the region");
		mutex_lock(&ivshm_region_mutex);
		goto unreserve;
	}

	mutex_lock(&ivshm_region_mutex);
	/* Whoever opens the node as soon as it is there waits for the mutex. */
	err = ivshm_region_chrdev_add(region);
	if (err) {
		region_refuse(cfg, extack, 0, "the device of the region cannot be made");
		goto unreserve;
	}
	WRITE_ONCE(region->ready, true);
	ivshm_nl_region_event(region, IVSHM_REGION_GONE, IVSHM_REGION_READY);
	mutex_unlock(&ivshm_region_mutex);
	return 0;

unreserve:
	list_del(&region->list);
	mutex_unlock(&ivshm_region_mutex);
	region_empty(region);
put:
	put_device(&region->dev);
	return err;
}

int ivshm_region_set(struct ivshm_region *region,
		     const struct ivshm_region_config *cfg,
		     struct netlink_ext_ack *extack)
{
	kuid_t uid = make_kuid(&init_user_ns, cfg->uid);
	int err;

	lockdep_assert_held(&ivshm_region_mutex);

	err = region_check_owner(cfg, extack);
	if (err)
		return err;
	if (!uid_eq(uid, region->uid)) {
		err = region_check_quota(cfg, uid, region_pages(region), region,
					 extack);
		if (err)
			return err;
	}
	region->mode = cfg->mode;
	region->uid = uid;
	region->gid = make_kgid(&init_user_ns, cfg->gid);
	/* udev does the rest. */
	kobject_uevent(&region->dev.kobj, KOBJ_CHANGE);
	ivshm_nl_region_event(region, IVSHM_REGION_READY, IVSHM_REGION_READY);
	return 0;
}

/* Nobody finds it any more. region_empty() comes next. */
static void region_unlink(struct ivshm_region *region)
{
	lockdep_assert_held(&ivshm_region_mutex);

	WRITE_ONCE(region->ready, false);
	ivshm_msgq_region_gone(region);
	list_del(&region->list);
	ivshm_region_chrdev_del(region);
	ivshm_nl_region_event(region, IVSHM_REGION_READY, IVSHM_REGION_GONE);
}

/* The rest of a region that nobody finds any more. */
static void region_end(struct ivshm_region *region)
{
	ivshm_swaps_end(region);
	region_empty(region);
	ivshm_region_unmap(region, 0, region->nr);
	put_device(&region->dev);
}

int ivshm_region_del(const char *name, bool force)
{
	struct ivshm_region *region;
	int err = 0;

	mutex_lock(&ivshm_swap_mutex);
	mutex_lock(&ivshm_region_mutex);
	region = ivshm_region_find(name);
	if (!region)
		err = -ENOENT;
	else if (!force && (region->users || ivshm_swap_is_pool(region)))
		err = -EBUSY;
	else
		region_unlink(region);
	mutex_unlock(&ivshm_region_mutex);
	if (!err)
		region_end(region);
	mutex_unlock(&ivshm_swap_mutex);
	return err;
}

int ivshm_region_init(void)
{
	return ivshm_region_chrdev_init();
}

/* Regions that are left have no users: they would hold the module. */
void ivshm_region_exit(void)
{
	struct ivshm_region *region;

	mutex_lock(&ivshm_swap_mutex);
	for (;;) {
		mutex_lock(&ivshm_region_mutex);
		region = list_first_entry_or_null(&ivshm_regions, struct ivshm_region, list);
		if (region)
			region_unlink(region);
		mutex_unlock(&ivshm_region_mutex);
		if (!region)
			break;
		region_end(region);
	}
	mutex_unlock(&ivshm_swap_mutex);
	ivshm_region_chrdev_exit();
	ida_destroy(&region_numbers);
}
