// SPDX-License-Identifier: GPL-2.0
/*
 * What a guest does with its ivshmem devices.
 *
 *   bar FILE fill|check SEED       all of the memory: resource2 of a device in sysfs,
 *                                  or a region on the host
 *   bar FILE id                    IVPosition, of resource0
 *   bar FILE ring PEER VECTOR      Doorbell, of resource0
 *
 * and with a device that vfio-pci has, by its address:
 *
 *   bar DEVICE hear COUNT SECONDS  say "ready", and the vectors whose interrupts
 *                                  come then, one a line
 *   bar DEVICE ping PEER ROUNDS    write a number, ring vector 0 of PEER, and wait
 *                                  for vector 1 and the next number
 *   bar DEVICE pong PEER ROUNDS    the other side of this
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/pci_regs.h>
#include <linux/vfio.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "pci_bar.h"

#define REG_POSITION	8
#define VECTORS_MAX	32
/* Milliseconds for the other side to answer. */
#define ANSWER_MS	30000

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void *map(const char *path, size_t *size)
{
	void *p = pci_bar_map(path, size);

	if (!p)
		die(path);
	return p;
}

/*
 * Memory
 */

/* Others write there, too. */
static uint64_t read_once(const uint64_t *p)
{
	return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

static void write_once(uint64_t *p, uint64_t value)
{
	__atomic_store_n(p, value, __ATOMIC_RELEASE);
}

static uint64_t word(uint64_t seed, size_t i)
{
	return (seed << 32 | i) * 0x9e3779b97f4a7c15ULL;
}

static int memory(const char *path, const char *verb, uint64_t seed)
{
	int check = !strcmp(verb, "check");
	size_t size, i;
	uint64_t *p;

	p = map(path, &size);
	for (i = 0; i < size / sizeof(*p); i++) {
		if (!check) {
			write_once(&p[i], word(seed, i));
		} else if (read_once(&p[i]) != word(seed, i)) {
			printf("byte %zu\n", i * sizeof(*p));
			return 1;
		}
	}
	printf("%zu bytes\n", size);
	return 0;
}

/*
 * Registers
 */

static uint32_t *registers(const char *path)
{
	uint32_t *p = pci_bar_registers(path);

	if (!p)
		die(path);
	return p;
}

static int position(const char *path)
{
	printf("%u\n", __atomic_load_n(registers(path) + REG_POSITION / 4, __ATOMIC_RELAXED));
	return 0;
}

static uint32_t doorbell(uint32_t peer, uint32_t vector)
{
	return peer << 16 | vector;
}

static int ring(const char *path, uint32_t peer, uint32_t vector)
{
	__atomic_store_n(registers(path) + REG_DOORBELL / 4, doorbell(peer, vector),
			 __ATOMIC_RELEASE);
	return 0;
}

/*
 * VFIO
 */

struct device {
	int fd;
	uint64_t registers;
	uint64_t *memory;
	uint32_t vectors;
	struct pollfd vector[VECTORS_MAX];
};

static int open_device(const char *address)
{
	int container, group, fd;
	char path[256], target[256], *name;
	ssize_t n;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/iommu_group", address);
	n = readlink(path, target, sizeof(target) - 1);
	if (n < 0)
		die(path);
	target[n] = '\0';
	name = strrchr(target, '/') + 1;
	snprintf(path, sizeof(path), "/dev/vfio/%.16s", name);
	container = open("/dev/vfio/vfio", O_RDWR);
	if (container < 0)
		die("/dev/vfio/vfio");
	group = open(path, O_RDWR);
	if (group < 0)
		die(path);
	if (ioctl(group, VFIO_GROUP_SET_CONTAINER, &container) ||
	    ioctl(container, VFIO_SET_IOMMU, VFIO_TYPE1_IOMMU))
		die("VFIO_SET_IOMMU");
	fd = ioctl(group, VFIO_GROUP_GET_DEVICE_FD, address);
	if (fd < 0)
		die("VFIO_GROUP_GET_DEVICE_FD");
	return fd;
}

static struct vfio_region_info region(int fd, uint32_t index)
{
	struct vfio_region_info info = { .argsz = sizeof(info), .index = index };

	if (ioctl(fd, VFIO_DEVICE_GET_REGION_INFO, &info))
		die("VFIO_DEVICE_GET_REGION_INFO");
	return info;
}

static void enable_interrupts(struct device *d)
{
	struct vfio_irq_info info = {
		.argsz = sizeof(info), .index = VFIO_PCI_MSIX_IRQ_INDEX,
	};
	struct vfio_irq_set *set;
	uint32_t i;
	int *fds;

	if (ioctl(d->fd, VFIO_DEVICE_GET_IRQ_INFO, &info) || info.count > VECTORS_MAX)
		die("VFIO_DEVICE_GET_IRQ_INFO");
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
		die("VFIO_DEVICE_SET_IRQS");
	free(set);
}

static void use_device(struct device *d, const char *address)
{
	struct vfio_region_info bar2;
	uint64_t config;
	uint16_t command;

	d->fd = open_device(address);
	config = region(d->fd, VFIO_PCI_CONFIG_REGION_INDEX).offset;
	command = PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;
	if (pwrite(d->fd, &command, 2, (off_t)config + PCI_COMMAND) != 2)
		die("configuration space");
	d->registers = region(d->fd, VFIO_PCI_BAR0_REGION_INDEX).offset;
	bar2 = region(d->fd, VFIO_PCI_BAR2_REGION_INDEX);
	d->memory = mmap(NULL, bar2.size, PROT_READ | PROT_WRITE, MAP_SHARED, d->fd,
			 (off_t)bar2.offset);
	if (d->memory == MAP_FAILED)
		die("mmap");
	enable_interrupts(d);
}

static void ring_from(const struct device *d, uint32_t peer, uint32_t vector)
{
	uint32_t value = doorbell(peer, vector);

	if (pwrite(d->fd, &value, 4, (off_t)d->registers + REG_DOORBELL) != 4)
		die("Doorbell");
}

/* A vector whose interrupt came, or -1. */
static int wait_for_any(struct device *d, int ms)
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

static int hear(struct device *d, uint32_t count, uint32_t seconds)
{
	int vector;

	setlinebuf(stdout);
	puts("ready");
	while (count--) {
		vector = wait_for_any(d, (int)seconds * 1000);
		if (vector < 0)
			return 1;
		printf("%d\n", vector);
	}
	return 0;
}

/* Sides are 0 and 1; each has the vector of that number, and every other turn. */
static int play(struct device *d, uint32_t peer, uint32_t rounds, uint32_t side)
{
	uint32_t turn;
	int vector;

	for (turn = 0; turn < 2 * rounds; turn++) {
		if (turn % 2 == side) {
			write_once(d->memory, turn + 1);
			ring_from(d, peer, side);
			continue;
		}
		vector = wait_for_any(d, ANSWER_MS);
		if (vector != (int)!side || read_once(d->memory) != turn + 1) {
			printf("turn %u: vector %d, number %llu\n", turn, vector,
			       (unsigned long long)read_once(d->memory));
			return 1;
		}
	}
	printf("%u rounds\n", rounds);
	return 0;
}

int main(int argc, char **argv)
{
	uint32_t a = argc > 3 ? (uint32_t)strtoul(argv[3], NULL, 0) : 0;
	uint32_t b = argc > 4 ? (uint32_t)strtoul(argv[4], NULL, 0) : 0;
	const char *verb = argc > 2 ? argv[2] : "";
	struct device device;

	if (!strcmp(verb, "fill") || !strcmp(verb, "check"))
		return memory(argv[1], verb, a);
	if (!strcmp(verb, "id"))
		return position(argv[1]);
	if (!strcmp(verb, "ring"))
		return ring(argv[1], a, b);
	if (argc < 5)
		return 2;
	use_device(&device, argv[1]);
	if (!strcmp(verb, "hear"))
		return hear(&device, a, b);
	return play(&device, a, b, !strcmp(verb, "pong"));
}
