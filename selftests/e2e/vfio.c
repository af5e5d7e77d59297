// SPDX-License-Identifier: GPL-2.0
/* An ivshmem device that vfio-pci has: its memory, and interrupts of its own. */
#include <fcntl.h>
#include <linux/pci_regs.h>
#include <linux/vfio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "pci_bar.h"
#include "vfio.h"

static int failed(const char *what)
{
	perror(what);
	return -1;
}

static int open_device(const char *address)
{
	int container, group, fd;
	char path[256], target[256], *name;
	ssize_t n;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/iommu_group", address);
	n = readlink(path, target, sizeof(target) - 1);
	if (n < 0)
		return failed(path);
	target[n] = '\0';
	name = strrchr(target, '/') + 1;
	snprintf(path, sizeof(path), "/dev/vfio/%.16s", name);
	container = open("/dev/vfio/vfio", O_RDWR);
	if (container < 0)
		return failed("/dev/vfio/vfio");
	group = open(path, O_RDWR);
	if (group < 0)
		return failed(path);
	if (ioctl(group, VFIO_GROUP_SET_CONTAINER, &container) ||
	    ioctl(container, VFIO_SET_IOMMU, VFIO_TYPE1_IOMMU))
		return failed("VFIO_SET_IOMMU");
	fd = ioctl(group, VFIO_GROUP_GET_DEVICE_FD, address);
	if (fd < 0)
		return failed("VFIO_GROUP_GET_DEVICE_FD");
	return fd;
}

static int region(int fd, uint32_t index, struct vfio_region_info *info)
{
	*info = (struct vfio_region_info){ .argsz = sizeof(*info), .index = index };
	if (ioctl(fd, VFIO_DEVICE_GET_REGION_INFO, info))
		return failed("VFIO_DEVICE_GET_REGION_INFO");
	return 0;
}

static int enable_interrupts(struct vfio *d)
{
	struct vfio_irq_info info = {
		.argsz = sizeof(info), .index = VFIO_PCI_MSIX_IRQ_INDEX,
	};
	struct vfio_irq_set *set;
	uint32_t i;
	int *fds;

	if (ioctl(d->fd, VFIO_DEVICE_GET_IRQ_INFO, &info) || info.count > VECTORS_MAX)
		return failed("VFIO_DEVICE_GET_IRQ_INFO");
	d->vectors = info.count;
	set = calloc(1, sizeof(*set) + d->vectors * sizeof(*fds));
	set->argsz = (uint32_t)(sizeof(*set) + d->vectors * sizeof(*fds));
	set->flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER;
	set->index = VFIO_PCI_MSIX_IRQ_INDEX;
	set->count = d->vectors;
	fds = (int *)set->data;
	for (i = 0; i < d->vectors; i++) {
		fds[i] = eventfd(0, EFD_NONBLOCK);
		d->vector[i].fd = fds[i];
		d->vector[i].events = POLLIN;
	}
	if (ioctl(d->fd, VFIO_DEVICE_SET_IRQS, set))
		return failed("VFIO_DEVICE_SET_IRQS");
	free(set);
	return 0;
}

int vfio_open(struct vfio *d, const char *address)
{
	struct vfio_region_info config, bar0, bar2;
	uint16_t command;

	d->fd = open_device(address);
	if (d->fd < 0 || region(d->fd, VFIO_PCI_CONFIG_REGION_INDEX, &config) ||
	    region(d->fd, VFIO_PCI_BAR0_REGION_INDEX, &bar0) ||
	    region(d->fd, VFIO_PCI_BAR2_REGION_INDEX, &bar2))
		return -1;
	command = PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;
	if (pwrite(d->fd, &command, 2, (off_t)config.offset + PCI_COMMAND) != 2)
		return failed("configuration space");
	d->registers = bar0.offset;
	d->memory = mmap(NULL, bar2.size, PROT_READ | PROT_WRITE, MAP_SHARED, d->fd,
			 (off_t)bar2.offset);
	if (d->memory == MAP_FAILED)
		return failed("mmap");
	return enable_interrupts(d);
}

int vfio_ring(const struct vfio *d, uint32_t peer, uint32_t vector)
{
	uint32_t value = BELL(peer, vector);

	return pwrite(d->fd, &value, 4, (off_t)d->registers + REG_DOORBELL) == 4 ? 0 : -1;
}

int vfio_wait(struct vfio *d, int ms)
{
	uint64_t n;
	uint32_t i;

	if (poll(d->vector, d->vectors, ms) <= 0)
		return -1;
	for (i = 0; i < d->vectors; i++)
		if (read(d->vector[i].fd, &n, sizeof(n)) == sizeof(n))
			return (int)i;
	return -1;
}
