// SPDX-License-Identifier: GPL-2.0
/*
 * A guest's processor counts in memory whose pages are exchanged under it: no
 * write is lost. As root, with KVM; the guest is a loop in real mode.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "region.h"

/* Guest memory: the loop at 0, what it counts in at 64 KiB, a word a page. */
#define PAGES	16
#define SIZE	(PAGES * PAGE)
#define CODE	0x1000
#define COUNT	0x10000

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

struct guest {
	int kvm, vm, vcpu, fd;
	struct kvm_run *run;
	size_t run_size;
	char *code, *count;
	pthread_t thread;
};

FIXTURE(guest)
{
	struct control c;
	struct guest g;
};

static atomic_int stop, ended_by;

static void on_kick(int signal)
{
	(void)signal;
}

/* An emulator's first processor is no good for guests: see selftests/vm/guest.sh. */
static void leave_first_cpu(void)
{
	int cpus = sysconf(_SC_NPROCESSORS_ONLN), i;
	cpu_set_t set;

	CPU_ZERO(&set);
	for (i = 1; i < cpus; i++)
		CPU_SET(i, &set);
	if (cpus > 1)
		sched_setaffinity(0, sizeof(set), &set);
}

static void *run_vcpu(void *arg)
{
	struct guest *g = arg;

	leave_first_cpu();

	while (!atomic_load(&stop)) {
		if (!ioctl(g->vcpu, KVM_RUN, 0)) {
			/* The guest found what it had not written. */
			atomic_store(&ended_by, g->run->exit_reason);
			break;
		}
		if (errno != EINTR && errno != EAGAIN) {
			atomic_store(&ended_by, -errno);
			break;
		}
	}
	return NULL;
}

static int add_memory(int vm, int slot, uint64_t at, void *memory, size_t size)
{
	struct kvm_userspace_memory_region m = {
		.slot = slot,
		.guest_phys_addr = at,
		.memory_size = size,
		.userspace_addr = (uintptr_t)memory,
	};

	return ioctl(vm, KVM_SET_USER_MEMORY_REGION, &m);
}

FIXTURE_SETUP(guest)
{
	struct sigaction action = { .sa_handler = on_kick };
	struct kvm_regs regs = { .rip = CODE, .rflags = 2 };
	struct guest *g = &self->g;
	struct kvm_sregs sregs;

	g->vcpu = -1;
	g->fd = -1;
	ASSERT_EQ(0, control_open(&self->c)) {
		TH_LOG("root and the module are needed");
	}
	region_del_all(&self->c);
	if (system("modprobe -q kvm_amd || modprobe -q kvm_intel"))
		SKIP(return, "no KVM");
	g->kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (g->kvm < 0)
		SKIP(return, "no KVM");
	g->vm = ioctl(g->kvm, KVM_CREATE_VM, 0);
	ASSERT_LE(0, g->vm);
	g->code = mmap(NULL, COUNT, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	g->count = mmap(NULL, SIZE, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	memcpy(g->code + CODE, loop, sizeof(loop));
	ASSERT_EQ(0, add_memory(g->vm, 0, 0, g->code, COUNT));
	ASSERT_EQ(0, add_memory(g->vm, 1, COUNT, g->count, SIZE));
	g->vcpu = ioctl(g->vm, KVM_CREATE_VCPU, 0);
	ASSERT_LE(0, g->vcpu);
	g->run_size = ioctl(g->kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	g->run = mmap(NULL, g->run_size, PROT_READ | PROT_WRITE,
		      MAP_SHARED, g->vcpu, 0);
	ASSERT_NE(MAP_FAILED, g->run);
	ASSERT_EQ(0, ioctl(g->vcpu, KVM_GET_SREGS, &sregs));
	sregs.cs.base = 0;
	sregs.cs.selector = 0;
	ASSERT_EQ(0, ioctl(g->vcpu, KVM_SET_SREGS, &sregs));
	ASSERT_EQ(0, ioctl(g->vcpu, KVM_SET_REGS, &regs));
	sigaction(SIGUSR1, &action, NULL);
	ASSERT_EQ(0, region_add(&self->c, "x", SIZE, 0));
	g->fd = region_open(&self->c, "x", O_RDWR);
	ASSERT_LE(0, g->fd);
}

FIXTURE_TEARDOWN(guest)
{
	struct guest *g = &self->g;

	if (g->vcpu >= 0) {
		munmap(g->run, g->run_size);
		close(g->vcpu);
		close(g->vm);
	}
	close(g->kvm);
	close(g->fd);
	region_del_all(&self->c);
	control_close(&self->c);
}

static int exchange(struct guest *g, int times)
{
	int i, err = 0;

	for (i = 0; i < times && !err; i++) {
		err = map_dma(g->fd, g->count, SIZE, 0, 0);
		if (!err)
			err = unmap_dma(g->fd, g->count, SIZE);
		if (atomic_load(&ended_by))
			err = -EIO;
	}
	return err;
}

/* How far the guest's processor counted. */
static uint64_t counted(struct guest *g)
{
	struct kvm_regs regs = { 0 };

	ioctl(g->vcpu, KVM_GET_REGS, &regs);
	return (uint32_t)regs.rcx;
}

static void vcpu_begin(struct guest *g)
{
	atomic_store(&stop, 0);
	atomic_store(&ended_by, 0);
	g->run->immediate_exit = 0;
	pthread_create(&g->thread, NULL, run_vcpu, g);
}

static void vcpu_end(struct guest *g)
{
	atomic_store(&stop, 1);
	g->run->immediate_exit = 1;
	pthread_kill(g->thread, SIGUSR1);
	pthread_join(g->thread, NULL);
}

/* What the guest has in the first page. */
static uint32_t counter(const struct guest *g)
{
	return __atomic_load_n((uint32_t *)g->count, __ATOMIC_RELAXED);
}

TEST_F_TIMEOUT(guest, no_write_is_lost, 240)
{
	const char *kernel = getenv("IVSHM_VM_KERNEL");
	/* The debug kernel is slow. */
	int times = kernel && !strcmp(kernel, "debug") ? 200 : 1000;
	struct guest *g = &self->g;
	uint64_t before, after;

	vcpu_begin(g);
	/* Until it has begun. */
	while (!counter(g) && !atomic_load(&ended_by))
		usleep(1000);
	before = counter(g);
	EXPECT_EQ(0, exchange(g, times));
	vcpu_end(g);
	EXPECT_EQ(0, atomic_load(&ended_by));
	after = counted(g);
	/* It ran meanwhile. */
	EXPECT_LT(before, after);
	TH_LOG("%d times there and back while the guest went from %llu to %llu", times,
	       (unsigned long long)before, (unsigned long long)after);
}

/* The check itself: a write that is lost is seen. */
TEST_F(guest, lost_is_seen)
{
	struct guest *g = &self->g;

	vcpu_begin(g);
	while (counter(g) < 10)
		usleep(1000);
	while (!atomic_load(&ended_by)) {
		__atomic_store_n((uint32_t *)(g->count + 3 * PAGE), 1, __ATOMIC_RELAXED);
		usleep(1000);
	}
	EXPECT_EQ(KVM_EXIT_HLT, atomic_load(&ended_by));
	vcpu_end(g);
}

TEST_HARNESS_MAIN
