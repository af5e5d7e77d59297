// SPDX-License-Identifier: GPL-2.0
/*
 * What a host does to the pages of guests while frames come and go: each test
 * looks whether the kernel really did it, and at every byte that arrived.
 *
 *   victim, tap0 --- lan0, static --- tap1, peer
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "kselftest_harness.h"
#include "env.h"
#include "guest.h"
#include "pages.h"

#define TIMEOUT	120
#define SLOTS	1024		/* of a page each: whole huge pages among them */
#define FEW	256		/* where each takes its time */
#define KSM	"/sys/kernel/mm/ksm/"
#define LEN	1000

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE	25
#endif
#ifndef MFD_HUGE_2MB
#define MFD_HUGE_2MB	(21U << 26)
#endif

static __u8 frame[GUEST_FRAME_MAX];
static struct guest_frame got;

FIXTURE(pages) {
	struct guest v, peer;
	__u8 *rx, *tx;		/* buffers of the victim */
	size_t rx_len, tx_len;
	bool swap, done;
};

FIXTURE_SETUP(pages)
{
	self->v.fd = -1;
	ASSERT_EQ(0, env_setup());
}

FIXTURE_TEARDOWN(pages)
{
	if (self->v.fd >= 0) {
		EXPECT_EQ(0, guest_stop(&self->v));
		EXPECT_EQ(0, guest_stop(&self->peer));
		EXPECT_EQ(0, self->v.faults + self->peer.faults);
		guest_close(&self->v);
		guest_close(&self->peer);
	}
	if (self->swap)
		swap_end();
}

/* Both ends, coupled; the victim has @slots buffers, in memory that is @mem_fd. */
static void up(struct __test_metadata *_metadata, FIXTURE_DATA(pages) * self, int mem_fd,
	       unsigned int slots)
{
	struct guest_config c = {
		.tap = "tap0", .num = { slots, slots }, .slot = { PAGE, PAGE },
		.mem_fd = mem_fd, .mem = 6 * HUGE_PAGE,
	};

	ASSERT_EQ(0, guest_up(&self->v, &c));
	c = (struct guest_config){ .tap = "tap1", .slot = { PAGE, PAGE } };
	ASSERT_EQ(0, guest_up(&self->peer, &c));
	ASSERT_EQ(0, ctl_couple("lan0", IVSHM_COUPLING_STATIC, NULL, "tap0", "tap1", NULL));
	self->rx = guest_slot_pages(&self->v, GUEST_RX, &self->rx_len);
	self->tx = guest_slot_pages(&self->v, GUEST_TX, &self->tx_len);
	ASSERT_EQ(0, guest_pass_both(&self->v, &self->peer, 3));
}

/* The victim gets @n frames, and does not look at them yet. */
static void come(struct __test_metadata *_metadata, FIXTURE_DATA(pages) * self, unsigned int n)
{
	struct guest_ring *r = &self->v.ring[GUEST_RX];
	__u64 end = now_ms() + 5000;
	unsigned int i;

	for (i = 0; i < n; i++) {
		frame_make(frame, LEN + i, self->v.mac, self->peer.mac, 1, i);
		ASSERT_EQ(0, guest_send(&self->peer, NULL, frame, LEN + i));
	}
	while ((__u16)(__atomic_load_n(&r->used->idx, __ATOMIC_RELAXED) - r->last_used) < n &&
	       now_ms() < end)
		usleep(500);
	ASSERT_EQ(n, (__u16)(r->used->idx - r->last_used));
}

static void look(struct __test_metadata *_metadata, struct guest *g, unsigned int n)
{
	__u32 flow, seq, i;

	for (i = 0; i < n; i++) {
		ASSERT_EQ(1, guest_recv(g, &got, 5000));
		ASSERT_EQ(LEN + i, got.len);
		ASSERT_EQ(0, frame_check(got.data, got.len, &flow, &seq))
			TH_LOG("frame %u of %u", i, n);
		EXPECT_EQ(i, seq);
	}
}

/* The victim has written @n frames, and does not tell yet. */
static void prepare(struct __test_metadata *_metadata, FIXTURE_DATA(pages) * self, unsigned int n)
{
	const __u32 piece = self->v.hdr_len;
	unsigned int i;

	for (i = 0; i < n; i++) {
		frame_make(frame, LEN + i, self->peer.mac, self->v.mac, 2, i);
		ASSERT_EQ(0, guest_send_pieces(&self->v, NULL, frame, LEN + i, &piece, 1,
					       GUEST_MORE));
	}
}

static void depart(struct __test_metadata *_metadata, FIXTURE_DATA(pages) * self, unsigned int n)
{
	guest_publish(&self->v, GUEST_TX);
	look(_metadata, &self->peer, n);
	ASSERT_EQ(0, guest_tx_drain(&self->v, 5000));
}

/* Most pages go out; some are in somebody's hands, or are brought in again. */
static void page_out(struct __test_metadata *_metadata, void *at, size_t len)
{
	__u64 end = now_ms() + 10000;

	do {
		ASSERT_EQ(0, madvise(at, len, MADV_PAGEOUT));
	} while (pages_with(at, len, PAGE_IS_THERE) > len / PAGE / 2 && now_ms() < end);
	ASSERT_GE(len / PAGE / 2, pages_with(at, len, PAGE_IS_THERE));
}

/* Inflated, and deflated as the guest uses the pages again. */
TEST_F_TIMEOUT(pages, ballooned, TIMEOUT)
{
	unsigned int round;
	int q;

	up(_metadata, self, 0, SLOTS);
	/* New pages come without poison. */
	self->v.lax = true;
	for (round = 0; round < 8; round++) {
		come(_metadata, self, 20);
		look(_metadata, &self->v, 20);
		usleep(20000);
		for (q = 0; q < GUEST_QUEUES; q++) {
			__u8 *at = q ? self->tx : self->rx;
			size_t len = q ? self->tx_len : self->rx_len;

			ASSERT_EQ(0, madvise(at, len, MADV_DONTNEED));
			/* The next ones are brought in again at once, if some were missed. */
			ASSERT_GT(len / PAGE / 2, pages_with(at, len, PAGE_IS_THERE));
		}
		ASSERT_EQ(0, guest_pass_both(&self->v, &self->peer, 20));
		/* Those that were used are there again. */
		EXPECT_LT(0, pages_with(self->rx, self->rx_len, PAGE_IS_THERE));
		EXPECT_LT(0, pages_with(self->tx, self->tx_len, PAGE_IS_THERE));
	}
	EXPECT_LT(0, ctl_stat("tap0", IVSHM_A_STAT_INVALIDATIONS));
}

static void touch(const __u8 *at, size_t len)
{
	size_t i;

	for (i = 0; i < len; i += PAGE)
		(void)__atomic_load_n((const __u8 *)(at + i), __ATOMIC_RELAXED);
}

/* Out and in again, with frames in the pages that nobody has looked at. */
TEST_F_TIMEOUT(pages, swapped, TIMEOUT)
{
	unsigned int round;
	int err;

	err = swap_begin();
	if (err)
		SKIP(return, "no swap space: %s", strerror(-err));
	self->swap = true;
	up(_metadata, self, 0, FEW);
	for (round = 0; round < 4; round++) {
		come(_metadata, self, 20);
		prepare(_metadata, self, 20);
		page_out(_metadata, self->rx, self->rx_len);
		page_out(_metadata, self->tx, self->tx_len);
		EXPECT_LE(self->rx_len / PAGE / 2,
			  pages_with(self->rx, self->rx_len, PAGE_IS_SWAPPED));
		look(_metadata, &self->v, 20);
		depart(_metadata, self, 20);
		/*
		 * In again, unchanged, and still in the swap space: what is
		 * written to them now has to be written out, too.
		 */
		page_out(_metadata, self->rx, self->rx_len);
		touch(self->rx, self->rx_len);
		come(_metadata, self, 20);
		page_out(_metadata, self->rx, self->rx_len);
		look(_metadata, &self->v, 20);
		ASSERT_EQ(0, guest_pass_both(&self->v, &self->peer, 5));
	}
}

/* Where the first byte is that no poison is, or @len. */
static size_t poison(const __u8 *at, size_t len)
{
	size_t i;

	for (i = 0; i < len && at[i] == GUEST_POISON; i++)
		;
	return i;
}

static void expect_poison(struct __test_metadata *_metadata, const __u8 *at, size_t len)
{
	size_t i = poison(at, len);

	EXPECT_EQ(len, i)
		TH_LOG("byte %zu of page %zu", i % PAGE, i / PAGE);
}

/* Receive buffers that are all one page: a frame comes into one of them. */
TEST_F_TIMEOUT(pages, merged, TIMEOUT)
{
	__u64 end = now_ms() + 30000;
	unsigned int round;
	size_t len;
	__u8 *at;

	if (env_number(KSM "run") < 0)
		SKIP(return, "no KSM here");
	up(_metadata, self, 0, SLOTS);
	at = guest_slot_pages(&self->peer, GUEST_RX, &len);
	ASSERT_EQ(0, madvise(self->rx, self->rx_len, MADV_MERGEABLE));
	ASSERT_EQ(0, madvise(at, len, MADV_MERGEABLE));
	ASSERT_EQ(0, env_write(KSM "pages_to_scan", "10000"));
	ASSERT_EQ(0, env_write(KSM "sleep_millisecs", "5"));
	ASSERT_EQ(0, env_write(KSM "run", "1"));
	for (round = 0; round < 3; round++) {
		while (pages_doubled(self->rx, self->rx_len) < SLOTS / 2 && now_ms() < end)
			usleep(20000);
		ASSERT_LE(SLOTS / 2, pages_doubled(self->rx, self->rx_len));
		EXPECT_LE(SLOTS / 2, env_number(KSM "pages_sharing"));
		come(_metadata, self, 50);
		look(_metadata, &self->v, 50);
		ASSERT_EQ(0, guest_pass_both(&self->v, &self->peer, 50));
		/* Into no other, be it of the same guest or of its neighbour. */
		expect_poison(_metadata, self->rx, self->rx_len);
		expect_poison(_metadata, at, len);
	}
	EXPECT_EQ(0, env_write(KSM "run", "2"));
	EXPECT_EQ(0, pages_doubled(self->rx, self->rx_len));
	ASSERT_EQ(0, guest_pass_both(&self->v, &self->peer, 20));
	EXPECT_EQ(0, env_write(KSM "run", "0"));
}

/* Pages that somebody has in his hands at the moment are tried again. */
static int collapse(void *at, size_t len)
{
	unsigned int i;

	for (i = 0; i < 50; i++) {
		if (!madvise(at, len, MADV_COLLAPSE))
			return 0;
		if (errno != EAGAIN)
			break;
		usleep(2000);
	}
	return -errno;
}

/* Small pages become huge ones, others, and small again. */
TEST_F_TIMEOUT(pages, collapsed, TIMEOUT)
{
	unsigned int round;
	size_t len;
	__u64 was;
	__u8 *at, *gone;
	int err;

	up(_metadata, self, 0, SLOTS);
	len = self->rx_len;
	at = pages_huge(self->rx, &len);
	ASSERT_LE(HUGE_PAGE, len);
	for (round = 0; round < 4; round++) {
		/* Small pages anew. */
		ASSERT_EQ(0, madvise(at, len, MADV_NOHUGEPAGE));
		ASSERT_EQ(0, madvise(at, len, MADV_DONTNEED));
		memset(at, GUEST_POISON, len);
		ASSERT_EQ(0, pages_smaps(at, len, "AnonHugePages"));
		ASSERT_EQ(0, guest_pass_both(&self->v, &self->peer, 20));
		come(_metadata, self, 20);
		was = page_entry(at + PAGE);
		ASSERT_EQ(0, madvise(at, len, MADV_HUGEPAGE));
		err = collapse(at, len);
		if (err == -EINVAL)
			SKIP(return, "no MADV_COLLAPSE here");
		ASSERT_EQ(0, err);
		ASSERT_EQ(len >> 10, pages_smaps(at, len, "AnonHugePages"));
		EXPECT_NE(was, page_entry(at + PAGE));
		look(_metadata, &self->v, 20);
		ASSERT_EQ(0, guest_pass_both(&self->v, &self->peer, 20));
		/* One page goes that no frame is in, and the huge page with it. */
		come(_metadata, self, 20);
		gone = at + len / 2;
		while (poison(gone, PAGE) < PAGE)
			gone += PAGE;
		ASSERT_EQ(0, madvise(gone, PAGE, round & 1 ? MADV_PAGEOUT : MADV_DONTNEED));
		if (!(round & 1))
			memset(gone, GUEST_POISON, PAGE);
		EXPECT_EQ((len - HUGE_PAGE) >> 10, pages_smaps(at, len, "AnonHugePages"));
		look(_metadata, &self->v, 20);
		ASSERT_EQ(0, guest_pass_both(&self->v, &self->peer, 20));
	}
}

/* All that leaves the contents of pages, over and over, by somebody else. */
static void *churn(void *arg)
{
	static const int advice[] = {
		MADV_PAGEOUT, MADV_COLLAPSE, MADV_COLD, MADV_HUGEPAGE, MADV_PAGEOUT,
		MADV_NOHUGEPAGE, MADV_MERGEABLE, MADV_COLLAPSE, MADV_UNMERGEABLE,
	};
	FIXTURE_DATA(pages) * self = arg;
	unsigned int i;

	for (i = 0; !__atomic_load_n(&self->done, __ATOMIC_ACQUIRE); i++) {
		size_t from = rnd() % (self->v.size / PAGE) * PAGE;
		size_t len = self->v.size - from;

		if (i & 1)
			len = len < 64 * PAGE ? len : 64 * PAGE;
		madvise(self->v.mem + from, len, advice[i % (sizeof(advice) / sizeof(*advice))]);
	}
	return NULL;
}

TEST_F_TIMEOUT(pages, churned, TIMEOUT)
{
	__u64 end = now_ms() + 3000;
	pthread_t t;

	self->swap = !swap_begin();
	up(_metadata, self, 0, SLOTS);
	ASSERT_EQ(0, pthread_create(&t, NULL, churn, self));
	do {
		come(_metadata, self, 40);
		prepare(_metadata, self, 40);
		look(_metadata, &self->v, 40);
		depart(_metadata, self, 40);
	} while (now_ms() < end);
	__atomic_store_n(&self->done, true, __ATOMIC_RELEASE);
	pthread_join(t, NULL);
	EXPECT_LT(0, ctl_stat("tap0", IVSHM_A_STAT_INVALIDATIONS));
	ASSERT_EQ(0, guest_pass_both(&self->v, &self->peer, 20));
}

/* The guest's buffers in a file: another view of it has the same frames. */
static void backed(struct __test_metadata *_metadata, FIXTURE_DATA(pages) * self, int fd)
{
	size_t len, at_file;
	unsigned int round;
	__u8 *at, *view;

	up(_metadata, self, fd, SLOTS);
	view = mmap(NULL, self->v.size, PROT_READ, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, view);
	len = self->rx_len;
	at = pages_huge(self->rx, &len);
	at_file = at - self->v.mem;
	ASSERT_LE(HUGE_PAGE, len);
	self->v.lax = true;
	for (round = 0; round < 3; round++) {
		come(_metadata, self, 20);
		EXPECT_EQ(0, memcmp(view, self->v.mem, self->v.size));
		look(_metadata, &self->v, 20);
		/* The worker is done with bringing pages in. */
		usleep(50000);
		/* As a balloon does with files. */
		ASSERT_EQ(0, fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				       at_file, len));
		EXPECT_GT(len / PAGE, pages_cached(at, len));
		ASSERT_EQ(0, guest_pass_both(&self->v, &self->peer, 20));
		memset(at, GUEST_POISON, len);
	}
	self->v.lax = false;
	ASSERT_EQ(0, guest_pass_both(&self->v, &self->peer, 5));
	munmap(view, self->v.size);
}

TEST_F_TIMEOUT(pages, hugetlb, TIMEOUT)
{
	int fd;

	if (env_write("/proc/sys/vm/nr_hugepages", "6"))
		SKIP(return, "no huge pages here");
	if (env_number("/proc/sys/vm/nr_hugepages") < 6) {
		env_write("/proc/sys/vm/nr_hugepages", "0");
		SKIP(return, "not enough memory for huge pages");
	}
	fd = memfd_create("guest", MFD_CLOEXEC | MFD_HUGETLB | MFD_HUGE_2MB);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, ftruncate(fd, 6 * HUGE_PAGE));
	backed(_metadata, self, fd);
	EXPECT_EQ(HUGE_PAGE >> 10, pages_smaps(self->rx, PAGE, "KernelPageSize"));
	close(fd);
	EXPECT_EQ(0, env_write("/proc/sys/vm/nr_hugepages", "0"));
}

TEST_F_TIMEOUT(pages, memfd, TIMEOUT)
{
	int fd = memfd_create("guest", MFD_CLOEXEC);
	unsigned int round;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, ftruncate(fd, 6 * HUGE_PAGE));
	self->swap = !swap_begin();
	backed(_metadata, self, fd);
	for (round = 0; round < 3 && self->swap; round++) {
		come(_metadata, self, 20);
		page_out(_metadata, self->rx, self->rx_len);
		look(_metadata, &self->v, 20);
		ASSERT_EQ(0, guest_pass_both(&self->v, &self->peer, 5));
	}
	close(fd);
}

/*
 * A file of a file system: what frames wrote to it is on the disk when the pages
 * have gone.
 */
TEST_F_TIMEOUT(pages, file, TIMEOUT)
{
	char dir[] = "/tmp/ivshm-pages.XXXXXX", command[300], path[100];
	unsigned int round;
	int fd;

	ASSERT_NE(NULL, mkdtemp(dir));
	/* In this process' own mount namespace. */
	snprintf(command, sizeof(command),
		 "{ modprobe -q -a loop ext4; truncate -s 40M %s.img && mkfs.ext4 -q %s.img && mount -o loop %s.img %s; } >/dev/null 2>&1",
		 dir, dir, dir, dir);
	if (system(command)) {
		snprintf(command, sizeof(command), "rm -rf %s %s.img", dir, dir);
		system(command);
		SKIP(return, "no ext4 or no loop device here");
	}
	snprintf(path, sizeof(path), "%s/memory", dir);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, ftruncate(fd, 6 * HUGE_PAGE));
	backed(_metadata, self, fd);
	for (round = 0; round < 3; round++) {
		come(_metadata, self, 20);
		prepare(_metadata, self, 20);
		/* Clean pages can go. */
		ASSERT_EQ(0, msync(self->v.mem, self->v.size, MS_SYNC));
		page_out(_metadata, self->rx, self->rx_len);
		EXPECT_GT(self->rx_len / PAGE / 2, pages_cached(self->rx, self->rx_len));
		look(_metadata, &self->v, 20);
		depart(_metadata, self, 20);
		/* Written back, and written to again by frames: dirty once more. */
		ASSERT_EQ(0, msync(self->v.mem, self->v.size, MS_SYNC));
		ASSERT_EQ(0, guest_pass_both(&self->v, &self->peer, 20));
	}
	close(fd);
	EXPECT_EQ(0, guest_stop(&self->v));
	EXPECT_EQ(0, guest_stop(&self->peer));
	EXPECT_EQ(0, self->v.faults + self->peer.faults);
	guest_close(&self->v);
	guest_close(&self->peer);
	EXPECT_EQ(0, umount(dir));
	snprintf(command, sizeof(command), "rm -rf %s %s.img", dir, dir);
	EXPECT_EQ(0, system(command));
}

/* The table with and without the second part of the victim's memory. */
static int set_parts(struct guest *g, size_t first, size_t second, unsigned int n)
{
	struct {
		struct vhost_memory head;
		struct vhost_memory_region region[2];
	} table = {
		.head.nregions = n,
		.region = {
			{ GUEST_GPA, first, (uintptr_t)g->mem, 0 },
			{ GUEST_GPA + second, g->size - second, (uintptr_t)g->mem + second, 0 },
		},
	};

	return ioctl(g->fd, VHOST_SET_MEM_TABLE, &table) ? -errno : 0;
}

/*
 * Memory is plugged and unplugged while frames come and go: buffers in it are
 * used, and what is in its place later is not touched.
 */
TEST_F_TIMEOUT(pages, plugged, TIMEOUT)
{
	/* Behind rings and buffers, and with a gap. */
	const size_t first = 5 * HUGE_PAGE, second = first + 16 * PAGE;
	struct guest *v, *peer;
	unsigned int round, i, n;
	__u32 flow, seq, len;
	struct guest_seg seg;
	size_t size, j;
	__u64 full;
	int head;
	__u8 *at;

	up(_metadata, self, 0, FEW);
	v = &self->v;
	peer = &self->peer;
	at = v->mem + second;
	size = v->size - second;
	ASSERT_GE(first, v->used);
	for (round = 0; round < 3; round++) {
		ASSERT_EQ(at, mmap(at, size, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
		full = ctl_stat("tap1", IVSHM_A_STAT_DROP_FULL);
		for (i = 0; i < 10; i++) {
			frame_make(frame, LEN, v->mac, peer->mac, 1, i);
			ASSERT_EQ(0, guest_send(peer, NULL, frame, LEN));
		}
		ASSERT_EQ(0, set_parts(v, first, second, 2));
		/* Those that came meanwhile have waited. */
		for (n = 0; n < 10 && guest_recv(v, &got, 5000) == 1; n++)
			;
		EXPECT_EQ(10, n);
		EXPECT_EQ(full, ctl_stat("tap1", IVSHM_A_STAT_DROP_FULL));
		/* From the new memory. */
		for (i = 0; i < 10; i++) {
			seg = (struct guest_seg){ at + i * PAGE, v->hdr_len + LEN + i };
			memset(seg.addr, 0, v->hdr_len);
			frame_make(seg.addr + v->hdr_len, LEN + i, peer->mac, v->mac, 2, i);
			ASSERT_LE(0, guest_post(v, GUEST_TX, &seg, 1, 0, GUEST_DIRECT));
		}
		depart(_metadata, self, 10);
		/* Into it: all other buffers are used up first. */
		v->keep_rx = true;
		for (i = 0; i < FEW; i++) {
			frame_make(frame, 60, v->mac, peer->mac, 1, i);
			ASSERT_EQ(0, guest_send(peer, NULL, frame, 60));
			ASSERT_EQ(1, guest_recv(v, &got, 5000));
		}
		for (i = 0; i < 10; i++) {
			seg = (struct guest_seg){ at + size / 2 + i * PAGE, PAGE };
			ASSERT_LE(0, guest_post(v, GUEST_RX, &seg, 0, 1, GUEST_DIRECT));
		}
		guest_publish(v, GUEST_RX);
		come(_metadata, self, 10);
		for (i = 0; i < 10; i++) {
			seg.addr = at + size / 2 + i * PAGE;
			head = guest_reap(v, GUEST_RX, &len);
			ASSERT_LE(0, head);
			ASSERT_EQ(v->hdr_len + LEN + i, len);
			ASSERT_EQ(0, frame_check(seg.addr + v->hdr_len, LEN + i, &flow, &seq));
			EXPECT_EQ(i, seq);
		}
		v->keep_rx = false;
		guest_rx_fill(v, FEW, PAGE - GUEST_GAP);
		/* Gone, and something else in its place. */
		ASSERT_EQ(0, set_parts(v, first, second, 1));
		ASSERT_EQ(at, mmap(at, size, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
		memset(at, 0x3c, size);
		ASSERT_EQ(0, guest_pass_both(v, peer, 20));
		for (j = 0; j < size && at[j] == 0x3c; j++)
			;
		EXPECT_EQ(size, j);
	}
	/* A buffer there is an error now, of this guest alone. */
	seg = (struct guest_seg){ at, 100 };
	ASSERT_LE(0, guest_post(v, GUEST_TX, &seg, 1, 0, GUEST_DIRECT));
	guest_publish(v, GUEST_TX);
	for (i = 0; i < 500 && !guest_error(v, GUEST_TX); i++)
		usleep(10000);
	EXPECT_GT(500, i);
	EXPECT_EQ(0, guest_silent(peer, 20));
	ASSERT_EQ(0, guest_stop(v));
	guest_reset_rings(v);
	ASSERT_EQ(0, guest_start(v));
	guest_rx_fill(v, FEW, PAGE - GUEST_GAP);
	ASSERT_EQ(0, guest_pass_both(v, peer, 5));
}

TEST_HARNESS_MAIN
