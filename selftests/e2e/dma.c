// SPDX-License-Identifier: GPL-2.0
/*
 * A guest's driver with a DMA buffer of 2 MiB in its own memory, which another guest
 * may come to share. It knows nothing of that.
 *
 *   dma send FILE        FILE is resource0 of an ivshmem device
 *   dma receive DEVICE   one that vfio-pci has, by its address
 *
 * says "at ADDRESS", where the buffer is in the guest's memory, and does what comes
 * through the fifo /tmp/dma:
 *
 *   frames FIRST COUNT PEER   place frames FIRST to FIRST + COUNT - 1 in the buffer, and
 *                             ring PEER for each; say "sent COUNT"
 *   frames FIRST COUNT        take them out, woken by interrupts; say
 *                             "received COUNT, interrupts N"
 *   count                     begin to count in the pages behind the frames
 *   end                       say "counted N, lost N", and end
 *
 * Frames are taken where they are: nothing is copied between the two guests.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "pci_bar.h"
#include "vfio.h"

#define FIFO		"/tmp/dma"
#define PAGE		4096UL
#define BUFFER		(2UL << 20)
/* Frames are in the first half, behind the head; each guest counts in a quarter. */
#define FRAME		16384UL
#define FRAMES		8
#define COUNTERS	(BUFFER / 4 / PAGE)
/* Milliseconds: to look without an interrupt; for the other side to go on. */
#define LOOK_MS		200
#define PATIENCE_MS	400000

struct head {
	uint64_t placed;	/* the sender's: frames so far */
	uint64_t other[7];
	uint64_t taken;		/* the receiver's */
};

static struct {
	char *at;
	struct vfio device;
	uint32_t *registers;
	int sends;
	pthread_t counter;
	int counting, stop;
	uint64_t counted, lost;
} g;

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static uint64_t read_once(const uint64_t *p)
{
	return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

static void write_once(uint64_t *p, uint64_t value)
{
	__atomic_store_n(p, value, __ATOMIC_RELEASE);
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/*
 * The buffer
 */

static uint64_t frame_of(int pagemap, const char *at)
{
	uint64_t entry = 0;

	if (pread(pagemap, &entry, sizeof(entry), (off_t)((uintptr_t)at / PAGE * 8)) != 8)
		die("/proc/self/pagemap");
	return entry & ((1ULL << 55) - 1);
}

static void buffer_new(void)
{
	int pagemap = open("/proc/self/pagemap", O_RDONLY), fd;
	uint64_t first;
	size_t i;

	fd = open("/proc/sys/vm/nr_hugepages", O_WRONLY);
	if (fd < 0 || write(fd, "1", 1) != 1)
		die("nr_hugepages");
	close(fd);
	g.at = mmap(NULL, BUFFER, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | MAP_POPULATE, -1, 0);
	if (g.at == MAP_FAILED)
		die("mmap");
	memset(g.at, g.sends ? 0 : 0xee, BUFFER);
	first = frame_of(pagemap, g.at);
	for (i = 0; i < BUFFER / PAGE; i++) {
		if (first && frame_of(pagemap, g.at + i * PAGE) == first + i)
			continue;
		puts("the buffer is not contiguous");
		exit(1);
	}
	close(pagemap);
	printf("at %llu\n", (unsigned long long)(first * PAGE));
}

static struct head *head(void)
{
	return (struct head *)g.at;
}

static uint64_t *frame(uint64_t number)
{
	return (uint64_t *)(g.at + PAGE + number % FRAMES * FRAME);
}

static uint64_t word(uint64_t number, size_t i)
{
	return (number << 20 | i) * 0x9e3779b97f4a7c15ULL;
}

/*
 * Counters
 */

static void *count(void *arg)
{
	char *from = g.at + BUFFER / 2 + (g.sends ? 0 : BUFFER / 4);
	uint64_t n, *p;
	size_t i;

	(void)arg;
	for (i = 0; i < COUNTERS; i++)
		write_once((uint64_t *)(from + i * PAGE), 0);
	for (n = 0; !__atomic_load_n(&g.stop, __ATOMIC_RELAXED); n++) {
		for (i = 0; i < COUNTERS; i++) {
			p = (uint64_t *)(from + i * PAGE);
			if (read_once(p) != n)
				g.lost++;
			write_once(p, n + 1);
		}
		/* There is one processor for all. */
		usleep(500);
	}
	g.counted = n;
	return NULL;
}

/*
 * Frames
 */

static int late(const char *what, uint64_t number)
{
	printf("%s: nobody took or placed frame %llu\n", what, (unsigned long long)number);
	return 1;
}

static int send_frames(uint64_t first, uint64_t nr, uint32_t peer)
{
	int64_t end = now_ms() + PATIENCE_MS;
	uint64_t n, *at;
	size_t i;

	for (n = first; n < first + nr; n++) {
		while ((int64_t)(n - read_once(&head()->taken)) >= FRAMES) {
			if (now_ms() > end)
				return late("send", n);
			usleep(200);
		}
		at = frame(n);
		for (i = 0; i < FRAME / sizeof(*at); i++)
			write_once(&at[i], word(n, i));
		write_once(&head()->placed, n + 1);
		__atomic_store_n(g.registers + REG_DOORBELL / 4, BELL(peer, 0),
				 __ATOMIC_RELEASE);
	}
	while (read_once(&head()->taken) != first + nr) {
		if (now_ms() > end)
			return late("sent", n);
		usleep(200);
	}
	printf("sent %llu\n", (unsigned long long)nr);
	return 0;
}

/*
 * The buffer may have become another guest's, or its own again, at any moment: what was
 * taken already is said again.
 */
static int receive_frames(uint64_t first, uint64_t nr)
{
	int64_t end = now_ms() + PATIENCE_MS;
	unsigned int interrupts = 0;
	uint64_t n = first, *at;
	size_t i;

	while (n < first + nr || read_once(&head()->placed) != first + nr) {
		write_once(&head()->taken, n);
		if (now_ms() > end)
			return late("receive", n);
		if (read_once(&head()->placed) <= n ||
		    read_once(&head()->placed) > first + nr) {
			interrupts += vfio_wait(&g.device, LOOK_MS) >= 0;
			continue;
		}
		at = frame(n);
		for (i = 0; i < FRAME / sizeof(*at); i++) {
			if (read_once(&at[i]) == word(n, i))
				continue;
			printf("frame %llu, word %zu\n", (unsigned long long)n, i);
			return 1;
		}
		n++;
	}
	write_once(&head()->taken, n);
	printf("received %llu, interrupts %u\n", (unsigned long long)nr, interrupts);
	return 0;
}

static int obey(const char *line)
{
	unsigned long long first, nr;
	unsigned int peer;
	int got;

	got = sscanf(line, "frames %llu %llu %u", &first, &nr, &peer);
	if (got == 3 && g.sends)
		return send_frames(first, nr, peer);
	if (got == 2 && !g.sends)
		return receive_frames(first, nr);
	if (!strcmp(line, "count\n")) {
		g.counting = 1;
		return pthread_create(&g.counter, NULL, count, NULL);
	}
	printf("what is %s", line);
	return 1;
}

int main(int argc, char **argv)
{
	char line[128];
	int err = 0;
	FILE *f;

	if (argc < 3)
		return 2;
	setlinebuf(stdout);
	g.sends = !strcmp(argv[1], "send");
	if (g.sends) {
		g.registers = pci_bar_registers(argv[2]);
		if (!g.registers)
			die(argv[2]);
	} else if (vfio_open(&g.device, argv[2])) {
		return 1;
	}
	if (mkfifo(FIFO, 0600) && errno != EEXIST)
		die(FIFO);
	/* For writing, too: it does not end with who wrote to it. */
	f = fopen(FIFO, "r+");
	if (!f)
		die(FIFO);
	buffer_new();
	while (!err && fgets(line, sizeof(line), f) && strcmp(line, "end\n"))
		err = obey(line);
	if (g.counting) {
		__atomic_store_n(&g.stop, 1, __ATOMIC_RELAXED);
		pthread_join(g.counter, NULL);
	}
	printf("counted %llu, lost %llu\n", (unsigned long long)g.counted,
	       (unsigned long long)g.lost);
	return err || g.lost;
}
