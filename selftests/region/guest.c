// SPDX-License-Identifier: GPL-2.0
/* A guest of KVM's: a loop in real mode, in memory of its own and in a window. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "guest.h"

static void on_kick(int signal)
{
	(void)signal;
}

int guest_kvm(void)
{
	struct sigaction action = { .sa_handler = on_kick };

	if (system("modprobe -q kvm_amd || modprobe -q kvm_intel"))
		return -1;
	sigaction(SIGUSR1, &action, NULL);
	return open("/dev/kvm", O_RDWR | O_CLOEXEC);
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

int guest_make(struct guest *g, int kvm, int chips, const uint8_t *code, size_t len,
	       void *window, size_t size)
{
	struct kvm_regs regs = { .rip = GUEST_CODE, .rflags = 2 };
	struct kvm_sregs sregs;

	g->run = MAP_FAILED;
	g->vcpu = -1;
	g->stats = -1;
	g->vm = ioctl(kvm, KVM_CREATE_VM, 0);
	g->memory = mmap(NULL, GUEST_WINDOW, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (g->vm < 0 || g->memory == MAP_FAILED)
		return -errno;
	memcpy(g->memory + GUEST_CODE, code, len);
	if (add_memory(g->vm, 0, 0, g->memory, GUEST_WINDOW) ||
	    (size && add_memory(g->vm, 1, GUEST_WINDOW, window, size)) ||
	    (chips && ioctl(g->vm, KVM_CREATE_IRQCHIP, 0)))
		return -errno;
	g->vcpu = ioctl(g->vm, KVM_CREATE_VCPU, 0);
	/* Later it would wait until the vCPU is not running. */
	g->stats = ioctl(g->vcpu, KVM_GET_STATS_FD, NULL);
	g->run_size = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	g->run = mmap(NULL, g->run_size, PROT_READ | PROT_WRITE, MAP_SHARED,
		      g->vcpu, 0);
	if (g->run == MAP_FAILED || ioctl(g->vcpu, KVM_GET_SREGS, &sregs))
		return -errno;
	sregs.cs.base = 0;
	sregs.cs.selector = 0;
	if (ioctl(g->vcpu, KVM_SET_SREGS, &sregs) ||
	    ioctl(g->vcpu, KVM_SET_REGS, &regs))
		return -errno;
	return 0;
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

void guest_keep_away(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(0, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

static void *run_vcpu(void *arg)
{
	struct guest *g = arg;

	leave_first_cpu();
	while (!atomic_load(&g->stop)) {
		if (!ioctl(g->vcpu, KVM_RUN, 0)) {
			/* It found what must not be. */
			atomic_store(&g->ended_by, g->run->exit_reason);
			break;
		}
		if (errno != EINTR && errno != EAGAIN) {
			atomic_store(&g->ended_by, -errno);
			break;
		}
	}
	return NULL;
}

void guest_begin(struct guest *g)
{
	atomic_store(&g->stop, 0);
	atomic_store(&g->ended_by, 0);
	g->run->immediate_exit = 0;
	pthread_create(&g->thread, NULL, run_vcpu, g);
}

void guest_end(struct guest *g)
{
	atomic_store(&g->stop, 1);
	g->run->immediate_exit = 1;
	pthread_kill(g->thread, SIGUSR1);
	pthread_join(g->thread, NULL);
}

void guest_free(struct guest *g)
{
	if (g->run != MAP_FAILED)
		munmap(g->run, g->run_size);
	if (g->stats >= 0)
		close(g->stats);
	if (g->vcpu >= 0)
		close(g->vcpu);
	close(g->vm);
	munmap(g->memory, GUEST_WINDOW);
}

struct kvm_regs guest_regs(struct guest *g)
{
	struct kvm_regs regs = { 0 };

	ioctl(g->vcpu, KVM_GET_REGS, &regs);
	return regs;
}

int guest_irqfd(struct guest *g, int event, uint32_t line)
{
	struct kvm_irqfd irqfd = { .fd = event, .gsi = line };

	return ioctl(g->vm, KVM_IRQFD, &irqfd) ? -errno : 0;
}

int guest_ioeventfd(struct guest *g, int event, uint16_t port)
{
	struct kvm_ioeventfd io = {
		.addr = port, .len = 1, .fd = event, .flags = KVM_IOEVENTFD_FLAG_PIO,
	};

	return ioctl(g->vm, KVM_IOEVENTFD, &io) ? -errno : 0;
}

static int64_t stat_value(int fd, const struct kvm_stats_header *header, uint32_t offset)
{
	uint64_t value;

	if (pread(fd, &value, sizeof(value), header->data_offset + offset) != sizeof(value))
		return -1;
	return value;
}

int64_t guest_exits(struct guest *g)
{
	struct kvm_stats_header header;
	struct {
		struct kvm_stats_desc desc;
		char name[256];
	} stat;
	int64_t exits = -1;
	uint32_t i, size;
	int fd = g->stats;

	if (pread(fd, &header, sizeof(header), 0) != sizeof(header))
		return -1;
	for (i = 0; i < header.num_desc && exits < 0; i++) {
		size = sizeof(stat.desc) + header.name_size;
		if (size > sizeof(stat) ||
		    pread(fd, &stat, size, header.desc_offset + i * size) != size)
			break;
		if (!strcmp(stat.desc.name, "exits"))
			exits = stat_value(fd, &header, stat.desc.offset);
	}
	return exits;
}
