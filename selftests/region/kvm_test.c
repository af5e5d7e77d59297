// SPDX-License-Identifier: GPL-2.0
/*
 * A guest's processor counts in memory whose pages are exchanged under it: no
 * write is lost. As root, with KVM; the guest is a loop in real mode.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "guest.h"
#include "region.h"
#include "swap.h"

#define PAGES	16
#define SIZE	(PAGES * PAGE)

/* Counts in the first word of each page, and ends when it is not as it was left. */
static const uint8_t loop[] = {
	0xb8, 0x00, 0x10,		/*         mov   $0x1000, %ax */
	0x8e, 0xd8,			/*         mov   %ax, %ds */
	0x66, 0x31, 0xc9,		/*         xor   %ecx, %ecx */
	0x31, 0xdb,			/* round:  xor   %bx, %bx */
	0x66, 0x8b, 0x07,		/* page:   mov   (%bx), %eax */
	0x66, 0x39, 0xc8,		/*         cmp   %ecx, %eax */
	0x75, 0x0f,			/*         jne   lost */
	0x66, 0x40,			/*         inc   %eax */
	0x66, 0x89, 0x07,		/*         mov   %eax, (%bx) */
	0x81, 0xc3, 0x00, 0x10,		/*         add   $0x1000, %bx */
	0x75, 0xed,			/*         jnz   page */
	0x66, 0x41,			/*         inc   %ecx */
	0xeb, 0xe7,			/*         jmp   round */
	0xf4,				/* lost:   hlt */
};

FIXTURE(guest)
{
	struct control c;
	struct guest g;
	int kvm, fd;
	char *count;	/* memory of the guest's, as its window */
};

FIXTURE_SETUP(guest)
{
	ASSERT_EQ(0, control_open(&self->c));
	region_del_all(&self->c);
	self->kvm = guest_kvm();
	if (self->kvm < 0)
		return;
	self->count = mmap(NULL, SIZE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->count);
	ASSERT_EQ(0, guest_make(&self->g, self->kvm, 0, loop, sizeof(loop),
				self->count, SIZE));
	ASSERT_EQ(0, region_add(&self->c, "x", SIZE, 0));
	self->fd = region_open(&self->c, "x", O_RDWR);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(guest)
{
	if (self->kvm >= 0) {
		guest_free(&self->g);
		munmap(self->count, SIZE);
		close(self->kvm);
		close(self->fd);
	}
	region_del_all(&self->c);
	control_close(&self->c);
}

static int exchange(struct guest *g, int fd, char *count, int times)
{
	int i, err = 0;

	for (i = 0; i < times && !err; i++) {
		err = map_dma(fd, count, SIZE, 0, 0);
		if (!err)
			err = unmap_dma(fd, count, SIZE);
		if (atomic_load(&g->ended_by))
			err = -EIO;
	}
	return err;
}

/* What the guest has in the first page. */
static uint32_t counter(const char *count)
{
	return __atomic_load_n((const uint32_t *)count, __ATOMIC_RELAXED);
}

TEST_F_TIMEOUT(guest, no_write_is_lost, 240)
{
	int times = slow() ? 200 : 1000;
	struct guest *g = &self->g;
	uint64_t before, after;

	if (self->kvm < 0)
		SKIP(return, "no KVM");
	guest_begin(g);
	/* Until it has begun. */
	while (!counter(self->count) && !atomic_load(&g->ended_by))
		usleep(1000);
	before = counter(self->count);
	EXPECT_EQ(0, exchange(g, self->fd, self->count, times));
	guest_end(g);
	EXPECT_EQ(0, atomic_load(&g->ended_by));
	after = (uint32_t)guest_regs(g).rcx;
	/* It ran meanwhile. */
	EXPECT_LT(before, after);
	TH_LOG("%d times there and back while the guest went from %llu to %llu", times,
	       (unsigned long long)before, (unsigned long long)after);
}

/* The same with memory that is a region itself, of which the VMM knows nothing. */
FIXTURE(ram)
{
	struct control c;
	struct guest g;
	int kvm, fd, pool;
	char *count, *second;
};

FIXTURE_SETUP(ram)
{
	ASSERT_EQ(0, control_open(&self->c));
	region_del_all(&self->c);
	self->kvm = guest_kvm();
	if (self->kvm < 0)
		return;
	ASSERT_EQ(0, region_add(&self->c, "ram", SIZE, 0));
	ASSERT_EQ(0, region_add(&self->c, "pool", 2 * SIZE, 0));
	self->fd = region_open(&self->c, "ram", O_RDWR);
	self->pool = region_open(&self->c, "pool", O_RDWR);
	self->count = region_map(self->fd, SIZE);
	self->second = region_map(self->pool, 2 * SIZE);
	ASSERT_NE(MAP_FAILED, self->count);
	ASSERT_NE(MAP_FAILED, self->second);
	ASSERT_EQ(0, guest_make(&self->g, self->kvm, 0, loop, sizeof(loop),
				self->count, SIZE));
}

FIXTURE_TEARDOWN(ram)
{
	if (self->kvm >= 0) {
		guest_free(&self->g);
		munmap(self->count, SIZE);
		munmap(self->second, 2 * SIZE);
		close(self->kvm);
		close(self->fd);
		close(self->pool);
	}
	region_del_all(&self->c);
	control_close(&self->c);
}

TEST_F_TIMEOUT(ram, no_write_is_lost, 240)
{
	int times = slow() ? 200 : 1000, i, err = 0;
	struct control *c = &self->c;
	struct guest *g = &self->g;
	uint64_t before, after;

	if (self->kvm < 0)
		SKIP(return, "no KVM");
	guest_begin(g);
	while (!counter(self->count) && !atomic_load(&g->ended_by))
		usleep(1000);
	before = counter(self->count);
	for (i = 0; i < times && !err && !atomic_load(&g->ended_by); i++) {
		err = swap_in_again(c, "ram", 0, "pool", SIZE, SIZE, 0);
		/* Others have what the guest writes. */
		if (!err && counter(self->second + SIZE) < before)
			err = -EIO;
		if (!err)
			err = swap_back_again(c, "ram", 0);
	}
	EXPECT_EQ(0, err) {
		TH_LOG("%s", c->answer.text);
	}
	guest_end(g);
	EXPECT_EQ(0, atomic_load(&g->ended_by));
	after = (uint32_t)guest_regs(g).rcx;
	EXPECT_LT(before, after);
	TH_LOG("%d times there and back while the guest went from %llu to %llu", times,
	       (unsigned long long)before, (unsigned long long)after);
}

/* The check itself: a write that is lost is seen. */
TEST_F(guest, lost_is_seen)
{
	struct guest *g = &self->g;

	if (self->kvm < 0)
		SKIP(return, "no KVM");
	guest_begin(g);
	while (counter(self->count) < 10)
		usleep(1000);
	while (!atomic_load(&g->ended_by)) {
		__atomic_store_n((uint32_t *)(self->count + 3 * PAGE), 1, __ATOMIC_RELAXED);
		usleep(1000);
	}
	EXPECT_EQ(KVM_EXIT_HLT, atomic_load(&g->ended_by));
	guest_end(g);
}

TEST_HARNESS_MAIN
