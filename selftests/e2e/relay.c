// SPDX-License-Identifier: GPL-2.0
/*
 * What programs do with memory that VMs share: FILE is a region's device on the host, or
 * resource2 of ivshmem-plain in a guest.
 *
 *   relay FILE show BYTES      frames of so many bytes each come from standard input; who
 *                              watches has the newest one, and nobody is waited for
 *   relay FILE watch COUNT     frames to standard output as they come, each whole, some
 *                              left out if they come too fast; 0 for all
 *   relay FILE play            standard input into a ring; waits for who records
 *   relay FILE record [BYTES]  from the ring to standard output
 *
 * Either end may be there first, and may be started again while the other one stays: the
 * memory says what it is used for, and who watches or records waits until it is for that.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pci_bar.h"

#define HEAD		4096
/* One that is complete, one that somebody may still read, one being written. */
#define SLOTS		3
/* To look again: below a period of sound, and far below a frame. */
#define LOOK_US		500

enum kind {
	NOTHING,		/* as the memory of a new region is */
	FRAMES = 0x6672616d,
	RING = 0x72696e67,
};

struct frames {
	uint64_t bytes;		/* of a frame */
	uint64_t newest;	/* number of the newest one that is complete, from 1 */
};

/* Bytes since the ring was made. Each counter has a writer of its own. */
struct ring {
	uint64_t written, pad[7];
	uint64_t read;
};

static struct head {
	uint64_t kind;
	union {
		struct frames frames;
		struct ring ring;
	};
} *head;
static char *data;
static size_t size;

static uint64_t get(const uint64_t *p)
{
	return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

static void set(uint64_t *p, uint64_t value)
{
	__atomic_store_n(p, value, __ATOMIC_RELEASE);
}

static int show(size_t bytes)
{
	uint64_t n;

	if (!bytes || bytes > size / SLOTS) {
		fputs("no room for frames of that size\n", stderr);
		return 1;
	}
	set(&head->kind, NOTHING);
	set(&head->frames.newest, 0);
	set(&head->frames.bytes, bytes);
	set(&head->kind, FRAMES);
	for (n = 1; fread(data + n % SLOTS * bytes, bytes, 1, stdin) == 1; n++)
		set(&head->frames.newest, n);
	return 0;
}

/* Whoever made the memory may be anybody: what it says is looked at once, and checked. */
static int watch(unsigned long count)
{
	uint64_t n, last = 0, bytes;
	unsigned long seen = 0;
	char *frame = malloc(size);

	while (frame && (!count || seen < count)) {
		if (get(&head->kind) != FRAMES) {
			usleep(LOOK_US);
			continue;
		}
		n = get(&head->frames.newest);
		bytes = get(&head->frames.bytes);
		if (!n || n == last || !bytes || bytes > size / SLOTS) {
			usleep(LOOK_US);
			continue;
		}
		memcpy(frame, data + n % SLOTS * bytes, bytes);
		/* Pairs with that of "newest": what was read before is from before. */
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		/* The next but one goes where this one was. */
		if (get(&head->frames.newest) - n >= SLOTS - 1 || get(&head->kind) != FRAMES)
			continue;
		last = n;
		seen++;
		if (fwrite(frame, bytes, 1, stdout) != 1 || fflush(stdout))
			return 1;
	}
	free(frame);
	return 0;
}

static int play(void)
{
	struct ring *ring = &head->ring;
	size_t room, part;
	uint64_t at;
	ssize_t n;

	/*
	 * A ring that there is goes on: who records may be waiting at its end already, and
	 * would be lost if the counters began anew.
	 */
	if (get(&head->kind) != RING || get(&ring->written) - get(&ring->read) > size) {
		set(&head->kind, NOTHING);
		set(&ring->read, 0);
		set(&ring->written, 0);
		set(&head->kind, RING);
	}
	at = get(&ring->written);
	for (;;) {
		room = size - (at - get(&ring->read));
		if (!room || room > size) {
			usleep(LOOK_US);
			continue;
		}
		part = size - at % size;
		n = read(STDIN_FILENO, data + at % size, room < part ? room : part);
		if (n <= 0)
			break;
		at += (size_t)n;
		set(&ring->written, at);
	}
	/* Until all was heard. */
	while (get(&ring->read) != at)
		usleep(LOOK_US);
	return n < 0;
}

static int record(uint64_t bytes)
{
	struct ring *ring = &head->ring;
	uint64_t at, there;
	size_t part;
	ssize_t n;

	while (bytes) {
		if (get(&head->kind) != RING) {
			usleep(LOOK_US);
			continue;
		}
		/* Nobody else writes it, but who makes the ring. */
		at = get(&ring->read);
		there = get(&ring->written) - at;
		if (!there || there > size) {
			usleep(LOOK_US);
			continue;
		}
		part = size - at % size;
		if (part > there)
			part = there;
		if (part > bytes)
			part = bytes;
		n = write(STDOUT_FILENO, data + at % size, part);
		if (n <= 0)
			return 1;
		bytes -= (size_t)n;
		set(&ring->read, at + (size_t)n);
	}
	return 0;
}

int main(int argc, char **argv)
{
	const char *verb = argc > 2 ? argv[2] : "";
	uint64_t number = argc > 3 ? strtoull(argv[3], NULL, 0) : 0;

	if (argc < 3)
		return 2;
	head = pci_bar_map(argv[1], &size);
	if (!head || size <= HEAD) {
		perror(argv[1]);
		return 1;
	}
	data = (char *)head + HEAD;
	size -= HEAD;
	if (!strcmp(verb, "show"))
		return show(number);
	if (!strcmp(verb, "watch"))
		return watch(number);
	if (!strcmp(verb, "play"))
		return play();
	if (!strcmp(verb, "record"))
		return record(argc > 3 ? number : UINT64_MAX);
	return 2;
}
