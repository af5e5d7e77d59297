/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Regions: named sets of host pages behind /dev/ivshmN.
 *
 *   netlink (nl_region.c)                open file of /dev/ivshmN
 *        | makes, deletes                     | a user, holds the device
 *   ivshm_region: device, cdev  <-------------+----- mapping (vm_file)
 *        |             |
 *   slots (pages)   inode: the address space of all mappings
 *
 * - The device's reference count is the region's.  Deleting ends what can be
 *   found and what can be reached; the rest goes with the last file.
 * - While there are users there is an inode of a pseudo file system, and every
 *   file of the region uses its address space: one unmap reaches all mappings.
 * - A slot owns one reference to its page, or the head of a compound one.  It
 *   changes only under the page's lock, and a fault keeps that lock until the
 *   page is mapped: whoever changes a slot and unmaps afterwards has them all.
 *   A slot that is held (region_exchange.c) is its holder's: a fault comes back.
 *   Several regions may have a page in place: region_swap.h.
 * - Open files are peers (region_chrdev.c) that ring each other (region_ioctl.c).
 *   Pages go under a program's own memory by region_dma.c.  One of the files may
 *   have the region's message queue (msgq.h).
 * - Pages are ordinary and not movable.  Their mapping stays NULL: to the core
 *   they are a driver's, never the page cache's.
 */
#ifndef _IVSHM_REGION_H
#define _IVSHM_REGION_H

#include <linux/cdev.h>
#include <linux/device.h>
#include <linux/fs.h>
#include <linux/ivshm.h>
#include <linux/ivshm_netlink.h>
#include <linux/list.h>
#include <linux/mm_types.h>
#include <linux/mutex.h>
#include <linux/rbtree.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/uidgid.h>
#include <linux/wait.h>
#include <linux/xarray.h>

struct dma_buf;
struct eventfd_ctx;
struct ivshm_msgq;
struct netlink_ext_ack;
struct nlattr;
struct page;
struct vm_fault;

/**
 * struct ivshm_region_config - what an administrator asks for
 * @name:	of the region, ends with a zero byte
 * @size:	bytes
 * @page_size:	bytes
 * @mode:	permission bits of the device node
 * @uid:	its owner, in the initial user namespace
 * @gid:	its group, likewise
 * @node:	NUMA node, or NUMA_NO_NODE
 * @attr:	by enum ivshm_attr_region: where values came from, to be named in
 *		a refusal; or NULL
 */
struct ivshm_region_config {
	char name[IVSHM_NAME_MAX];
	u64 size;
	u32 page_size;
	u32 mode;
	u32 uid;
	u32 gid;
	int node;
	struct nlattr **attr;
};

/**
 * struct ivshm_region_file - an open file of a region: a peer
 * @region:	which it uses
 * @peer:	its number
 * @vector:	what they signal, or NULL; under the lock of @region->peers
 * @msgq:	the region's message queue if this file has it, NULL before; set once
 */
struct ivshm_region_file {
	struct ivshm_region *region;
	u32 peer;
	struct eventfd_ctx *vector[IVSHM_VECTORS];
	struct ivshm_msgq *msgq;
};

/**
 * struct ivshm_region - a set of pages
 * @dev:	the device, and the region's reference count
 * @cdev:	of @dev
 * @list:	in ivshm_regions
 * @name:	does not change
 * @number:	N of /dev/ivshmN
 * @size:	bytes
 * @order:	of its pages
 * @nr:		number of slots
 * @node:	NUMA node, or NUMA_NO_NODE
 * @mode:	of the device node; written under ivshm_region_mutex
 * @uid:	likewise
 * @gid:	likewise
 * @ready:	complete, may be found and opened; under ivshm_region_mutex
 * @users:	open files; under ivshm_region_mutex
 * @swaps:	ranges that have pages of another region; under ivshm_region_mutex
 * @inode:	whose address space they use, NULL without users; under
 *		ivshm_region_mutex
 * @slot:	pages; one that is held, as ivshm_slot_held() makes it
 * @exchanged:	where faults wait for slots that are held
 * @claims:	what ranges are used for, under @claims_lock
 * @claims_lock: taken in no interrupt
 * @peers:	struct ivshm_region_file, by number; its lock is taken in no
 *		interrupt and lets nobody sleep
 */
struct ivshm_region {
	struct device dev;
	struct cdev cdev;
	struct list_head list;
	char name[IVSHM_NAME_MAX];
	u32 number;
	u64 size;
	unsigned int order;
	unsigned long nr;
	int node;
	umode_t mode;
	kuid_t uid;
	kgid_t gid;
	bool ready;
	unsigned int users;
	unsigned int swaps;
	struct inode *inode;
	struct page **slot;
	wait_queue_head_t exchanged;
	struct rb_root_cached claims;
	spinlock_t claims_lock;		/* claims */
	struct xarray peers;
};

/* The value of a slot with that page, held. */
static inline struct page *ivshm_slot_held(struct page *page)
{
	return (struct page *)((unsigned long)page | 1);
}

/* The page of a slot's value, held or not. */
static inline struct page *ivshm_slot_page(struct page *value)
{
	return (struct page *)((unsigned long)value & ~1UL);
}

static inline bool ivshm_region_slot_is_held(const struct ivshm_region *region,
					     unsigned long i)
{
	struct page *value = READ_ONCE(region->slot[i]);

	return value != ivshm_slot_page(value);
}

/* Regions and their users. Neither inside mmap_lock nor around it. */
extern struct mutex ivshm_region_mutex;
/* Those that are complete and those in the making. */
extern struct list_head ivshm_regions;

/**
 * ivshm_region_new() - make a region
 * @cfg:	what is asked for
 * @extack:	gets the reason of a refusal, or NULL
 *
 * Allocates and clears all pages, which takes a second for some gigabytes.
 * Sleeps; takes ivshm_region_mutex.
 *
 * Return: 0, or an error as IVSHM_CMD_REGION_NEW has them.
 */
int ivshm_region_new(const struct ivshm_region_config *cfg,
		     struct netlink_ext_ack *extack);

/**
 * ivshm_region_set() - change permissions
 * @region:	the region
 * @cfg:	mode, uid and gid
 * @extack:	gets the reason of a refusal, or NULL
 *
 * Sleeps; under ivshm_region_mutex.
 *
 * Return: 0, -EINVAL or -EDQUOT.
 */
int ivshm_region_set(struct ivshm_region *region,
		     const struct ivshm_region_config *cfg,
		     struct netlink_ext_ack *extack);

/**
 * ivshm_region_del() - delete a region
 * @name:	of the region
 * @force:	although it is in use
 *
 * When it returns no mapping has any of its pages; ranges of other regions in which
 * they were in place have their own again.  Sleeps; takes ivshm_swap_mutex and
 * ivshm_region_mutex.
 *
 * Return: 0, -ENOENT, or -EBUSY if it is in use and @force is not set.
 */
int ivshm_region_del(const char *name, bool force);

/* Whether a region can have that name. */
bool ivshm_region_name_valid(const char *name);

/* The complete region of that name, or NULL. Under ivshm_region_mutex. */
struct ivshm_region *ivshm_region_find(const char *name);

/**
 * ivshm_region_use() - become a user
 * @region:	the region, which the caller can be sure of
 *
 * Sleeps; takes ivshm_region_mutex.
 *
 * Return: 0 with a reference, -ENODEV if the region was deleted, or -ENOMEM.
 */
int ivshm_region_use(struct ivshm_region *region);
/* The end of what ivshm_region_use() began. */
void ivshm_region_unuse(struct ivshm_region *region);

/**
 * ivshm_region_file_new() - a peer
 * @region:	the region, which the caller can be sure of
 *
 * Sleeps; takes ivshm_region_mutex.
 *
 * Return: the peer, which is a user of the region, or an ERR_PTR():
 * -ENODEV if the region was deleted, -ENFILE, or -ENOMEM.
 */
struct ivshm_region_file *ivshm_region_file_new(struct ivshm_region *region);
/* Nobody rings it any more when this returns. Sleeps. */
void ivshm_region_file_free(struct ivshm_region_file *rf);

/**
 * ivshm_region_file_export() - a file of a region, which is a peer
 * @region:	the region, of which the caller is a user
 * @mode:	O_RDONLY or O_RDWR
 *
 * Sleeps; takes ivshm_region_mutex.
 *
 * Return: the file, or an ERR_PTR().
 */
struct file *ivshm_region_file_export(struct ivshm_region *region, int mode);

/**
 * ivshm_region_getfile() - a file that no node stands for
 * @inode:	whose address space it has, or NULL for one of its own
 * @size:	its size in bytes, for one of its own
 * @flags:	O_RDONLY or O_RDWR
 * @fops:	of this module
 * @data:	its private_data
 *
 * Sleeps.
 *
 * Return: the file, or an ERR_PTR().
 */
struct file *ivshm_region_getfile(struct inode *inode, u64 size, int flags,
				  const struct file_operations *fops, void *data);

/**
 * ivshm_region_unmap() - take pages out of all mappings
 * @region:	the region
 * @at:		their first slot; they are empty or held
 * @nr:		how many, 1 at least
 *
 * Sleeps; takes ivshm_region_mutex.
 */
void ivshm_region_unmap(struct ivshm_region *region, unsigned long at,
			unsigned long nr);

/* It was not deleted, or not before this was asked. */
static inline bool ivshm_region_alive(const struct ivshm_region *region)
{
	return READ_ONCE(region->ready);
}

/**
 * ivshm_region_lock_page() - the page at an offset
 * @region:	the region
 * @pgoff:	offset in units of PAGE_SIZE
 *
 * While the page is locked its slot does not change.  Sleeps.
 *
 * Return: the page, locked and with a reference, NULL if there is none, or
 * ERR_PTR(-EAGAIN) while the slot is held.
 */
struct page *ivshm_region_lock_page(const struct ivshm_region *region,
				    pgoff_t pgoff);
/*
 * Likewise, not locked: while it has this reference the page is moved nowhere.
 * Does not sleep.
 */
struct page *ivshm_region_get_page(const struct ivshm_region *region,
				   pgoff_t pgoff);
/* The first page of the slot @i, as ivshm_region_lock_page(). */
struct page *ivshm_region_lock_slot(const struct ivshm_region *region,
				    unsigned long i);

/* Until nobody holds the slot @i, which takes a moment.  Sleeps. */
void ivshm_region_await(struct ivshm_region *region, unsigned long i);

/*
 * What a fault handler answers to whom ivshm_region_lock_page() of @region said
 * @page.  If the slot is held it waits for a moment.
 */
vm_fault_t ivshm_region_fault_end(struct vm_fault *vmf,
				  struct ivshm_region *region, struct page *page);

int ivshm_region_init(void);
void ivshm_region_exit(void);

/*
 * Between region_ioctl.c and region_dma.c
 */

/**
 * ivshm_region_map_dma() - pages of a region under a range of current's memory
 * @region:	the region, of which the caller is a user
 * @arg:	what to map where; IVSHM_DMA_UNMAPPED is set in its flags if that
 *		is so
 *
 * Sleeps; takes mmap_lock.
 *
 * Return: 0, or an error as IVSHM_REGION_MAP_DMA has them.
 */
int ivshm_region_map_dma(struct ivshm_region *region,
			 struct ivshm_region_map_dma *arg);
/* The way back, likewise. */
int ivshm_region_unmap_dma(struct ivshm_region *region,
			   struct ivshm_region_unmap_dma *arg);

/**
 * ivshm_region_export_dmabuf() - part of a region as a dma-buf
 * @region:	the region, of which the caller is a user
 * @arg:	which part, and the flags, which were checked
 *
 * Sleeps.
 *
 * Return: the dma-buf, or a descriptor of it; or an error as
 * IVSHM_REGION_EXPORT_DMABUF has them.
 */
struct dma_buf *ivshm_region_dmabuf(struct ivshm_region *region,
				    const struct ivshm_region_export_dmabuf *arg);
int ivshm_region_export_dmabuf(struct ivshm_region *region,
			       const struct ivshm_region_export_dmabuf *arg);

/*
 * Between region.c and region_chrdev.c
 */

/* Give @region a device and its node. Under ivshm_region_mutex. */
int ivshm_region_chrdev_add(struct ivshm_region *region);
void ivshm_region_chrdev_del(struct ivshm_region *region);
/* A region's device that is not there yet, with its first reference. */
void ivshm_region_chrdev_prepare(struct ivshm_region *region);
int ivshm_region_chrdev_init(void);
void ivshm_region_chrdev_exit(void);
/*
 * Get a structure of @size bytes that begins with its size from the caller, who
 * knows it shorter or longer, the unknown rest being zero.  At least the first
 * @least bytes must be there.
 */
int ivshm_region_get_arg(void *arg, size_t size, size_t least,
			 const void __user *argp);
long ivshm_region_ioctl(struct file *file, unsigned int cmd, unsigned long arg);
extern const struct file_operations ivshm_region_fops;
/* Ends a region whose last reference went. */
void ivshm_region_free(struct ivshm_region *region);

#endif /* _IVSHM_REGION_H */
