/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * Regions of ivshm: host memory that virtual machines share.
 *
 * A region is a named set of host pages behind /dev/ivshmN.  An administrator
 * makes and deletes it by generic netlink (<linux/ivshm_netlink.h>), udev adds
 * the name /dev/ivshm/NAME, and whoever may open the node may map it:
 *
 *	fd = open("/dev/ivshm/NAME", O_RDWR);
 *	size = lseek(fd, 0, SEEK_END);
 *	p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
 *
 * All see the same bytes, which are zero at first and stay when nobody has the
 * region open.  Only shared mappings are possible, within the size.  They do
 * not grow; everything else that can be done to memory can be done to them,
 * KVM, vhost, VFIO and direct I/O included.
 *
 * When an administrator deletes a region by force, accesses to its mappings end
 * in SIGBUS and everything else that is asked of an open file in ENODEV.
 *
 * Every open file is a peer, with a number of its own.  A peer gives its vectors
 * eventfds, which KVM takes as interrupts of a guest, and rings those of others.
 *
 * A program can have the pages of a region in its own memory, too, in place of
 * private memory that it, or a guest, goes on using meanwhile: two VMs with the
 * same pages under a transmit and a receive buffer share that buffer.
 *
 * The ioctls take structures whose first member is the size that the caller
 * knows the structure by.  The kernel takes shorter ones, of an older caller,
 * and longer ones whose unknown bytes are all zero (otherwise E2BIG).
 */
#ifndef _UAPI_LINUX_IVSHM_H
#define _UAPI_LINUX_IVSHM_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define IVSHM_IOC_TYPE	0xBC

/**
 * struct ivshm_region_info - what an open region is
 * @argsz:	in: size of this structure as the caller knows it, 16 at least;
 *		out: as the kernel knows it, of which the caller gets no more
 *		than fits
 * @flags:	in: 0; out: 0
 * @size:	out: bytes, a power of two
 * @page_size:	out: bytes; what the region is made of, and the largest page
 *		that it may be mapped with
 * @number:	out: N of /dev/ivshmN
 * @name:	out: with a terminating zero byte
 * @peer:	out: number of this open file among those of the region
 * @vectors:	out: how many vectors a peer has
 */
struct ivshm_region_info {
	__u32 argsz;
	__u32 flags;
	__u64 size;
	__u32 page_size;
	__u32 number;
	__u8 name[32];
	__u32 peer;
	__u32 vectors;
};

/**
 * IVSHM_REGION_INFO - ask what region this is
 *
 * Takes struct ivshm_region_info.
 *
 * Errors: EINVAL (argsz or flags), E2BIG, EFAULT, ENODEV (the region was
 * deleted).
 */
#define IVSHM_REGION_INFO	_IO(IVSHM_IOC_TYPE, 0x00)

/**
 * struct ivshm_region_export - another file of the region
 * @argsz:	in: size of this structure, 8 at least
 * @flags:	in: O_RDONLY or O_RDWR, and O_CLOEXEC
 */
struct ivshm_region_export {
	__u32 argsz;
	__u32 flags;
};

/**
 * IVSHM_REGION_EXPORT - get a descriptor to give away
 *
 * Takes struct ivshm_region_export.  What it returns is another peer, can do no
 * more than the file it was asked of, and differs from what open() returns in
 * that fstat() tells the size of the region, which some programs ask for.
 *
 * Return: the descriptor.
 * Errors: EINVAL, E2BIG, EFAULT, EACCES (O_RDWR of a file that is not), EMFILE,
 * ENFILE, ENOMEM, ENODEV.
 */
#define IVSHM_REGION_EXPORT	_IO(IVSHM_IOC_TYPE, 0x01)

/* Vectors of a peer. */
#define IVSHM_VECTORS		32

/**
 * struct ivshm_region_bind - what a vector of this peer signals
 * @argsz:	in: size of this structure, 16 at least
 * @flags:	in: 0
 * @vector:	in: below IVSHM_VECTORS
 * @fd:		in: an eventfd, or -1 for none
 */
struct ivshm_region_bind {
	__u32 argsz;
	__u32 flags;
	__u32 vector;
	__s32 fd;
};

/**
 * IVSHM_REGION_BIND - give a vector an eventfd, or take it away
 *
 * Takes struct ivshm_region_bind.  When it returns the eventfd before is not
 * signalled any more.
 *
 * Errors: EINVAL (also: no eventfd), E2BIG, EFAULT, EBADF, ENODEV.
 */
#define IVSHM_REGION_BIND	_IO(IVSHM_IOC_TYPE, 0x02)

/**
 * struct ivshm_region_ring - ring a peer
 * @argsz:	in: size of this structure, 16 at least
 * @flags:	in: 0
 * @peer:	in: its number
 * @vector:	in: below IVSHM_VECTORS
 */
struct ivshm_region_ring {
	__u32 argsz;
	__u32 flags;
	__u32 peer;
	__u32 vector;
};

/**
 * IVSHM_REGION_RING - signal the eventfd of another peer's vector
 *
 * Takes struct ivshm_region_ring.  What was written to the region before is seen
 * by whoever is woken.
 *
 * Errors: EINVAL, E2BIG, EFAULT, EACCES (the file is not open for writing),
 * ENOENT (no such peer), ENXIO (it has no eventfd there), ENODEV.
 */
#define IVSHM_REGION_RING	_IO(IVSHM_IOC_TYPE, 0x03)

/* In: the region's contents stay, not the caller's. */
#define IVSHM_DMA_KEEP_REGION	0x00000001U
/* Out, of a call that failed: the range is not mapped any more. */
#define IVSHM_DMA_UNMAPPED	0x80000000U

/**
 * struct ivshm_region_map_dma - pages of the region for the caller's
 * @argsz:	in: size of this structure, 32 at least
 * @flags:	in: 0 or IVSHM_DMA_KEEP_REGION;
 *		out: 0 or IVSHM_DMA_UNMAPPED
 * @addr:	in: beginning of the range in the caller's memory, whole pages
 * @len:	in: its length in bytes, whole pages
 * @offset:	in: beginning in the region, whole pages
 */
struct ivshm_region_map_dma {
	__u32 argsz;
	__u32 flags;
	__u64 addr;
	__u64 len;
	__u64 offset;
};

/**
 * IVSHM_REGION_MAP_DMA - put the region's pages under a range of own memory
 *
 * Takes struct ivshm_region_map_dma.  Others may use the memory meanwhile, vCPUs
 * of a guest too: whatever they wrote before is in the region's pages, unless
 * IVSHM_DMA_KEEP_REGION is given, and what they write from then on goes there.
 * It is the caller's part that nobody changes the mappings of the range
 * meanwhile, and that no I/O into it is under way.
 *
 * The memory must be readable, writable, not executable, and private and
 * anonymous, or what an earlier IVSHM_REGION_MAP_DMA or _UNMAP_DMA left there.  A
 * child of fork() does not get it.
 *
 * Errors: EINVAL (also: other memory), E2BIG, EFAULT (also: the range is not
 * mapped), EACCES (the file is not open for reading and writing, or the memory
 * is not), EBUSY (pages are pinned, by VFIO for instance, or a userfaultfd
 * watches them, or the range has pages of this region already and its contents
 * are to stay, or pages of the region are on their way to or from another one by
 * <linux/ivshm_msgq.h>, or those of another are in place by IVSHM_CMD_SWAP_NEW),
 * EAGAIN (RLIMIT_MEMLOCK), ENOMEM, EINTR, ENODEV.
 */
#define IVSHM_REGION_MAP_DMA	_IO(IVSHM_IOC_TYPE, 0x04)

/**
 * struct ivshm_region_unmap_dma - a range of its own again
 * @argsz:	in: size of this structure, 24 at least
 * @flags:	in: 0; out: 0 or IVSHM_DMA_UNMAPPED
 * @addr:	in: beginning of the range, whole pages
 * @len:	in: its length in bytes, whole pages
 */
struct ivshm_region_unmap_dma {
	__u32 argsz;
	__u32 flags;
	__u64 addr;
	__u64 len;
};

/**
 * IVSHM_REGION_UNMAP_DMA - end what IVSHM_REGION_MAP_DMA began
 *
 * Takes struct ivshm_region_unmap_dma.  The range gets pages of its own with what
 * the region's have in them; all of it must be mapped by IVSHM_REGION_MAP_DMA of
 * this region.  Who uses the memory meanwhile loses no write.
 *
 * Errors: EINVAL (also: other memory), E2BIG, EFAULT, EAGAIN, ENOMEM, EINTR,
 * ENODEV.
 */
#define IVSHM_REGION_UNMAP_DMA	_IO(IVSHM_IOC_TYPE, 0x05)

/**
 * struct ivshm_region_export_dmabuf - part of the region as a dma-buf
 * @argsz:	in: size of this structure, 24 at least
 * @flags:	in: O_RDONLY or O_RDWR, and O_CLOEXEC
 * @offset:	in: where the part begins in the region, whole pages
 * @len:	in: its length in bytes, whole pages, 1 GiB at most
 */
struct ivshm_region_export_dmabuf {
	__u32 argsz;
	__u32 flags;
	__u64 offset;
	__u64 len;
};

/**
 * IVSHM_REGION_EXPORT_DMABUF - get a dma-buf
 *
 * Takes struct ivshm_region_export_dmabuf.  Drivers of devices import what it
 * returns and reach the region's own pages, without a copy; it can be mapped, too,
 * with DMA_BUF_IOCTL_SYNC around accesses.  Whatever O_RDONLY says, of a device it
 * keeps only those drivers from writing that ask; so it takes a file that is open
 * for reading and writing.
 *
 * As long as it is open the region is in use, and its pages are not moved.  When the
 * region is deleted by force mappings of it end, but devices that have imported it
 * go on using the pages, which nobody else gets before they are done.
 *
 * Return: the descriptor.
 * Errors: EINVAL, E2BIG, EFAULT, EACCES (the file is not open for reading and
 * writing), EBUSY (pages are on their way to or from another region by
 * <linux/ivshm_msgq.h>, or those of another are in place by IVSHM_CMD_SWAP_NEW),
 * EMFILE, ENOMEM, EINTR, ENODEV, ENOTTY (a kernel without dma-bufs).
 */
#define IVSHM_REGION_EXPORT_DMABUF _IO(IVSHM_IOC_TYPE, 0x06)

#endif /* _UAPI_LINUX_IVSHM_H */
