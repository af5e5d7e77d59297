// SPDX-License-Identifier: GPL-2.0
/*
 * Pages that move from one running guest to another: before that the receiver's
 * guest cannot read them, afterwards the sender's cannot, and at no moment both. As
 * root, with KVM; the guests are loops in real mode.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "guest.h"
#include "msgq.h"

#define PAGES	16
#define SIZE	(PAGES * PAGE)
/* Numbers from here on are the receiver's, below the sender's. */
#define HERS	0x80000000U

/* Counts in the first word of each page, where its last number is, or a new page. */
static const uint8_t sender[] = {
	0xb8, 0x00, 0x10,		/*         mov   $0x1000, %ax */
	0x8e, 0xd8,			/*         mov   %ax, %ds */
	0x66, 0x31, 0xc9,		/*         xor   %ecx, %ecx */
	0x31, 0xdb,			/* round:  xor   %bx, %bx */
	0x66, 0x8b, 0x07,		/* page:   mov   (%bx), %eax */
	0x66, 0x85, 0xc0,		/*         test  %eax, %eax */
	0x74, 0x05,			/*         jz    fresh */
	0x66, 0x39, 0xc8,		/*         cmp   %ecx, %eax */
	0x75, 0x12,			/*         jne   wrong */
	0x67, 0x66, 0x8d, 0x51, 0x01,	/* fresh:  lea   1(%ecx), %edx */
	0x66, 0x89, 0x17,		/*         mov   %edx, (%bx) */
	0x81, 0xc3, 0x00, 0x10,		/*         add   $0x1000, %bx */
	0x75, 0xe5,			/*         jnz   page */
	0x66, 0x41,			/*         inc   %ecx */
	0xeb, 0xdf,			/*         jmp   round */
	0xf4,				/* wrong:  hlt */
};

/* What has come from the sender does not change; then it makes it its own. */
static const uint8_t receiver[] = {
	0xb8, 0x00, 0x10,		/*         mov   $0x1000, %ax */
	0x8e, 0xd8,			/*         mov   %ax, %ds */
	0x66, 0x31, 0xd2,		/*         xor   %edx, %edx */
	0x31, 0xdb,			/* round:  xor   %bx, %bx */
	0x66, 0x8b, 0x07,		/* page:   mov   (%bx), %eax */
	0x66, 0x85, 0xc0,		/*         test  %eax, %eax */
	0x78, 0x15,			/*         js    next */
	0xb9, 0x00, 0x01,		/*         mov   $0x100, %cx */
	0x66, 0x3b, 0x07,		/* again:  cmp   (%bx), %eax */
	0x75, 0x15,			/*         jne   wrong */
	0xe2, 0xf9,			/*         loop  again */
	0x66, 0x0d, 0x00, 0x00, 0x00, 0x80,	/* or    $0x80000000, %eax */
	0x66, 0x89, 0x07,		/*         mov   %eax, (%bx) */
	0x66, 0x42,			/*         inc   %edx */
	0x81, 0xc3, 0x00, 0x10,		/* next:   add   $0x1000, %bx */
	0x75, 0xdd,			/*         jnz   page */
	0xeb, 0xd9,			/*         jmp   round */
	0xf4,				/* wrong:  hlt */
};

FIXTURE(guests)
{
	struct control c;
	struct window a, b;
	struct guest from, to;
	int kvm;
};

static uint32_t word(const struct window *w, unsigned int page)
{
	return __atomic_load_n((uint32_t *)(w->at + page * PAGE), __ATOMIC_RELAXED);
}

static void set_word(const struct window *w, unsigned int page, uint32_t value)
{
	__atomic_store_n((uint32_t *)(w->at + page * PAGE), value, __ATOMIC_RELAXED);
}

FIXTURE_SETUP(guests)
{
	unsigned int i;

	ASSERT_EQ(0, windows_open(&self->c, &self->a, &self->b, SIZE));
	self->kvm = guest_kvm();
	if (self->kvm < 0)
		return;
	for (i = 0; i < PAGES; i++)
		set_word(&self->b, i, HERS);
	ASSERT_EQ(0, guest_make(&self->from, self->kvm, 0, sender, sizeof(sender),
				self->a.at, SIZE));
	ASSERT_EQ(0, guest_make(&self->to, self->kvm, 0, receiver, sizeof(receiver),
				self->b.at, SIZE));
	guest_begin(&self->from);
	guest_begin(&self->to);
}

FIXTURE_TEARDOWN(guests)
{
	if (self->kvm >= 0) {
		guest_free(&self->from);
		guest_free(&self->to);
		close(self->kvm);
	}
	windows_close(&self->c, &self->a, &self->b);
}

static int ended(struct guest *a, struct guest *b)
{
	return atomic_load(&a->ended_by) || atomic_load(&b->ended_by);
}

TEST_F_TIMEOUT(guests, isolation, 240)
{
	int times = slow() ? 200 : 1000;
	struct guest *from = &self->from, *to = &self->to;
	struct window *a = &self->a, *b = &self->b;
	struct ivshm_msgq_recv recv;
	int i, err, busy = 0, worded = 0;
	unsigned int page, last;

	if (self->kvm < 0)
		SKIP(return, "no KVM");
	while (!word(a, PAGES - 1) && !ended(from, to))
		usleep(1000);
	for (i = 0; i < times && !ended(from, to); i++) {
		page = rand() % PAGES;
		/* Until his guest has made it its own again. */
		while (word(b, page) < HERS && !ended(from, to))
			sched_yield();
		ASSERT_EQ(0, msgq_post(b->fd, page * PAGE, PAGE, 0));
		last = rand() % PAGES;
		do {
			err = send_range(a, b, last * PAGE, PAGE, IVSHM_MSGQ_MOVE);
			busy += err == -EBUSY;
		} while (err == -EBUSY && !ended(from, to));
		ASSERT_EQ(0, err);
		ASSERT_EQ(0, msgq_recv(b->fd, &recv));
		worded += (word(b, page) & ~HERS) != 0;
	}
	guest_end(from);
	guest_end(to);
	EXPECT_EQ(0, atomic_load(&from->ended_by));
	EXPECT_EQ(0, atomic_load(&to->ended_by));
	/* Both ran, and what came was hers. */
	EXPECT_LT(times / 2, guest_regs(to).rdx & 0xffffffff);
	EXPECT_LT(times / 4, worded);
	TH_LOG("%d pages moved, the sender went to %llu, the receiver took %llu, %d times busy",
	       i, (unsigned long long)(guest_regs(from).rcx & 0xffffffff),
	       (unsigned long long)(guest_regs(to).rdx & 0xffffffff), busy);
}

/* The check itself: guests that have a page in common see that. */
TEST_F_TIMEOUT(guests, sharing_is_seen, 60)
{
	struct guest *from = &self->from, *to = &self->to;
	struct window *a = &self->a, *b = &self->b;

	if (self->kvm < 0)
		SKIP(return, "no KVM");
	while (!word(a, PAGES - 1) && !ended(from, to))
		usleep(1000);
	ASSERT_EQ(0, msgq_post(b->fd, 3 * PAGE, PAGE, 0));
	ASSERT_EQ(0, send_range(a, b, 5 * PAGE, PAGE, IVSHM_MSGQ_SHARE));
	while (!ended(from, to))
		usleep(1000);
	guest_end(from);
	guest_end(to);
	EXPECT_TRUE(atomic_load(&from->ended_by) == KVM_EXIT_HLT ||
		    atomic_load(&to->ended_by) == KVM_EXIT_HLT);
}

/*
 * What is told of while this thread does something: a buffer of our own, so that nobody
 * is in anybody's way.
 */
#define TRACING	"/sys/kernel/tracing"
#define BUFFER	TRACING "/instances/ivshm-msgq"

static int trace_begin(void)
{
	char pid[16];

	mount("tracefs", TRACING, "tracefs", 0, NULL);
	rmdir(BUFFER);
	if (mkdir(BUFFER, 0700))
		return -errno;
	snprintf(pid, sizeof(pid), "%d", gettid());
	return file_write(BUFFER "/set_event_pid", pid) ?:
	       file_write(BUFFER "/events/kvm/kvm_unmap_hva_range/enable", "1") ?:
	       file_write(BUFFER "/events/tlb/tlb_flush/enable", "1");
}

/* Ranges that nested page tables lost, how many of them were @size, and flushes. */
static void trace_count(size_t size, int *ranges, int *whole, int *flushes)
{
	FILE *f = fopen(BUFFER "/trace", "r");
	unsigned long first, end;
	char line[512], *at;

	*ranges = *whole = *flushes = 0;
	while (f && fgets(line, sizeof(line), f)) {
		/* Those of a switch to another task are not ours. */
		*flushes += strstr(line, " tlb_flush: ") && !strstr(line, "task switch");
		at = strstr(line, " unmap range: ");
		if (!at || sscanf(at, " unmap range: %lx -- %lx", &first, &end) != 2)
			continue;
		++*ranges;
		*whole += end - first == size;
	}
	if (f)
		fclose(f);
}

/* A range leaves the page tables at once, those of guests, too, not page by page. */
TEST_F_TIMEOUT(guests, one_unmap, 60)
{
	struct guest *from = &self->from, *to = &self->to;
	struct window *a = &self->a, *b = &self->b;
	int err, ranges, whole, flushes;
	double end = now() + 30;

	if (self->kvm < 0)
		SKIP(return, "no KVM");
	while (!word(a, PAGES - 1) && !ended(from, to))
		usleep(1000);
	err = trace_begin();
	if (err == -ENOENT)
		SKIP(return, "no tracing in this kernel");
	ASSERT_EQ(0, err);
	ASSERT_EQ(0, msgq_post(b->fd, 0, SIZE, 0));
	do {
		/* Opened to be written to, it is emptied. */
		close(open(BUFFER "/trace", O_WRONLY | O_TRUNC | O_CLOEXEC));
		err = send_range(a, b, 0, SIZE, IVSHM_MSGQ_MOVE);
	} while (err == -EBUSY && now() < end);
	trace_count(SIZE, &ranges, &whole, &flushes);
	rmdir(BUFFER);
	ASSERT_EQ(0, err);
	TH_LOG("%d pages: %d ranges unmapped, %d flushes", PAGES, ranges, flushes);
	/* Two machines are told, each of the sender's range and the receiver's. */
	EXPECT_EQ(4, ranges);
	EXPECT_EQ(4, whole);
	EXPECT_LT(0, flushes);
	EXPECT_GE(4, flushes);
}

TEST_HARNESS_MAIN
