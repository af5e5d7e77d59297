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
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pci_bar.h"
#include "vfio.h"

#define REG_POSITION	8
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

static int ring(const char *path, uint32_t peer, uint32_t vector)
{
	__atomic_store_n(registers(path) + REG_DOORBELL / 4, BELL(peer, vector),
			 __ATOMIC_RELEASE);
	return 0;
}

/*
 * Interrupts
 */

static int hear(struct vfio *d, uint32_t count, uint32_t seconds)
{
	int vector;

	setlinebuf(stdout);
	puts("ready");
	while (count--) {
		vector = vfio_wait(d, (int)seconds * 1000);
		if (vector < 0)
			return 1;
		printf("%d\n", vector);
	}
	return 0;
}

/* Sides are 0 and 1; each has the vector of that number, and every other turn. */
static int play(struct vfio *d, uint32_t peer, uint32_t rounds, uint32_t side)
{
	uint32_t turn;
	int vector;

	for (turn = 0; turn < 2 * rounds; turn++) {
		if (turn % 2 == side) {
			write_once(d->memory, turn + 1);
			if (vfio_ring(d, peer, side))
				die("Doorbell");
			continue;
		}
		vector = vfio_wait(d, ANSWER_MS);
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
	struct vfio device;

	if (!strcmp(verb, "fill") || !strcmp(verb, "check"))
		return memory(argv[1], verb, a);
	if (!strcmp(verb, "id"))
		return position(argv[1]);
	if (!strcmp(verb, "ring"))
		return ring(argv[1], a, b);
	if (argc < 5)
		return 2;
	if (vfio_open(&device, argv[1]))
		die(argv[1]);
	if (!strcmp(verb, "hear"))
		return hear(&device, a, b);
	return play(&device, a, b, !strcmp(verb, "pong"));
}
