/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A process plays guests, up to 16, with a virtio-net driver in each, against
 * whatever vhost device, and tells what the host spent on each frame.
 *
 *   paths.c     what is between the guests: bridge, macvtap, Open vSwitch, ivshm
 *   ring.c      the driver, as Linux' virtio-net: event index, batches, NAPI
 *   stream.c    a thread for each guest, one of them sends: as fast as it goes
 *   rounds.c    one thread for all guests: a batch, and what becomes of it
 *   pingpong.c  one frame there and back
 *   measure.c   what the host did meanwhile
 *   usercopy.c  what the kernel takes to reach user memory
 *   probes.c    copies and socket buffers, counted by kprobes in a run of their own
 *
 * Open files, guest memory and rings are made by ../port/guest.c.
 */
#ifndef BENCH_H
#define BENCH_H

#include <stdio.h>
#include <stdnoreturn.h>

#include "env.h"
#include "guest.h"

#define PORTS_MAX	16
#define HDR_LEN		((__u32)sizeof(struct virtio_net_hdr_mrg_rxbuf))
/* Ethernet, IPv4, TCP */
#define FRAME_HDR	54
#define NAPI_BUDGET	64

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

enum path { PATH_DIRECT, PATH_UPLINK, PATH_BRIDGE, PATH_MACVTAP, PATH_OVS, PATHS };

/* Our side of a ring. A descriptor is a buffer, and always the same one. */
struct lane {
	struct guest_ring *r;
	__u16 mask;
	__u16 avail, told, used;
	__u16 *avail_event;	/* where the device says when to kick */
	__u16 *free;
	unsigned int nr_free;
	__u64 kicks;
};

struct vm {
	struct guest g;
	char dev[IFNAMSIZ];	/* its interface */
	struct lane tx, rx;
	__u32 size;		/* of the frames that it sends */
	__u8 id;
	/* Received. */
	__u64 frames, bytes;
	__u64 odd;		/* of another length than they were sent with */
	__u64 acks;		/* the last number acknowledged */
	/* Sent. */
	__u64 sent;
};

struct options {
	enum path path;
	const char *mode;
	__u32 size, batch, ports, ring, window, rounds, rx_ns, busyloop;
	double seconds;
	bool all, stall, probes, lockstep;
	bool threads;		/* the guests have their own */
};

extern struct options opt;
extern struct vm vms[PORTS_MAX];

noreturn void die(const char *fmt, ...);
/* Run a command; it works, or we die. */
void sh(const char *fmt, ...);

/* Time stamps: instructions when the machine counts those, see vm/run. */
static inline __u64 stamp(void)
{
	return __builtin_ia32_rdtsc();
}

/* Time that this thread spent in system calls of the driver. */
extern __thread __u64 host_time;
extern __thread __u64 host_waits;

/* ring.c */
void vm_lanes(struct vm *vm);
/* Frames sent by @vm to @dst from now on, up to @n of them: how many. */
unsigned int vm_post(struct vm *vm, const struct vm *dst, unsigned int n, bool ack,
		     __u32 value);
/* Let the device see what was posted, and kick if it asks for that. */
void lane_publish(struct lane *l);
unsigned int vm_reap(struct vm *vm);
/* Take up to @budget frames, and give buffers back. */
unsigned int vm_poll(struct vm *vm, unsigned int budget);
void vm_refill(struct vm *vm, unsigned int least);
bool lane_pending(const struct lane *l);
/* How many that is. */
__u16 lane_done(const struct lane *l);
/* Have the device interrupt when it completed @more than it has by now. */
void lane_arm(struct lane *l, unsigned int more);
/* Until one of them was interrupted; false if that takes more than @ms. */
bool lanes_wait(struct lane **lane, unsigned int n, int ms);
__u64 lane_calls(struct lane *l);

/* paths.c */
extern const char * const path_name[PATHS];
void path_setup(void);
/* Have each address known, and pairs go direct if that is the path. */
void path_settle(void);
/* Name of a device of the host whose drops matter, or NULL. */
const char *path_host_dev(unsigned int i);
int ovs_setup(void);

/* measure.c */
__u64 now_ns(void);
struct snap {
	__u64 ns, stamp;
	__u64 busy;		/* of all processors, in ticks of 1/100 s */
	__u64 idle;		/* likewise, ns */
	__u64 utime, stime;	/* of this process, in us */
	__u64 host_time, waits;
	__u64 frames, bytes, sent;
	__u64 kicks, calls, switches;
	struct {		/* of workers, if clock/ is loaded; see there */
		__u64 ticks, runs, stolen;
	} clock;
	__u64 dev_drops[PORTS_MAX + 4];
	__u64 stat[__IVSHM_A_STAT_MAX];
};

void workers_find(void);
void snap_take(struct snap *s, bool end);
void snap_print(const struct snap *a, const struct snap *b);
/* The counted run: @probes are on. */
void probes_on(void);
void probes_off(void);
void probes_print(__u64 frames, __u64 bytes, const struct snap *a, const struct snap *b);

/* Before anything of it is used. */
void trace_mount(void);
/* A file of tracefs, relative to its top: @text is appended. */
void trace_put(const char *path, const char *text);
FILE *trace_open(const char *path);
void trace_clear(void);

/* stream.c, rounds.c, pingpong.c, idle.c, usercopy.c */
void stream_run(void);
void rounds_run(void);
void pingpong_run(void);
void idle_run(void);
void usercopy_run(void);

#endif /* BENCH_H */
