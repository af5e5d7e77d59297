/* SPDX-License-Identifier: GPL-2.0 */
/* A guest of KVM's: a loop in real mode, in memory of its own and in a window. */
#ifndef _IVSHM_TEST_GUEST_H
#define _IVSHM_TEST_GUEST_H

#include <linux/kvm.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/* Where its code is, and where the window is. */
#define GUEST_CODE	0x1000
#define GUEST_WINDOW	0x10000

struct guest {
	int vm, vcpu, stats;
	struct kvm_run *run;
	size_t run_size;
	char *memory;
	pthread_t thread;
	atomic_int stop;
	atomic_int ended_by;	/* exit reason, or a negative error, 0 while it runs */
};

/* Be where guests are not, for them to run at the same time: on the first processor. */
void guest_keep_away(void);
/* /dev/kvm, or -1. */
int guest_kvm(void);
/*
 * With interrupt controllers if @chips, and without a window if @size is 0.  0 or a
 * negative error.
 */
int guest_make(struct guest *g, int kvm, int chips, const uint8_t *code, size_t len,
	       void *window, size_t size);
void guest_begin(struct guest *g);
void guest_end(struct guest *g);
void guest_free(struct guest *g);
struct kvm_regs guest_regs(struct guest *g);
/* What an eventfd signals becomes that interrupt of the guest. 0 or an error. */
int guest_irqfd(struct guest *g, int event, uint32_t line);
/* A byte that it writes to that port signals an eventfd. The same. */
int guest_ioeventfd(struct guest *g, int event, uint16_t port);
/* How often its vCPU has left the guest, or -1. */
int64_t guest_exits(struct guest *g);

#endif /* _IVSHM_TEST_GUEST_H */
