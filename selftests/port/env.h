/* SPDX-License-Identifier: GPL-2.0 */
/* What is around the guests: a network namespace, a bridge, ivshm's control. */
#ifndef ENV_H
#define ENV_H

#include <linux/types.h>
#include <stdbool.h>
#include <stdint.h>
#include <linux/ivshm_netlink.h>

/* A network namespace of our own with a bridge br0. 0 or -errno. */
int env_setup(void);
int env_bridge(const char *name);
/* Until its bridge is up and forwards for @dev: both hear of that a moment later. */
int env_forwarding(const char *dev);
/* Whether the kernel watches all that it does, and is slow. */
bool env_debug(void);
int env_mtu(const char *dev, int mtu);
/* Write to a file of /proc or /sys. 0 or -errno. */
int env_write(const char *path, const char *text);
/*
 * What is in the buffer of @instance, a directory of tracefs, as a string of @size at most;
 * the buffer is empty then. Returns 0 or a negative error.
 */
int env_trace_take(const char *instance, char *text, size_t size);
/* The number in such a file; -errno. */
long env_number(const char *path);
/* Bring an interface down or up. */
int env_updown(const char *dev, bool up);

/* A packet socket that hears every device, and the test frames it heard. */
int env_sniffer(void);
int env_sniffed(int fd);
/* Send a test frame from the host, by the bridge @dev. */
int env_inject(const char *dev, const __u8 *frame, __u32 len);

/* Options of a coupling; -1: not given. */
struct ctl_options {
	__s64 threshold, idle, park_us, bypass;
};

#define CTL_DEFAULTS	{ -1, -1, -1, -1 }

struct ctl_port {
	__u32 state;
	__u32 queues, queues_used;
	char coupling[IVSHM_NAME_MAX];
	__u64 stat[__IVSHM_A_STAT_MAX];
};

#define CTL_ANY		((__u32)~0)

/* Each 0 or -errno as the kernel answered. Names of ports end with NULL. */
int ctl_couple(const char *name, int type, const struct ctl_options *o, ...);
int ctl_uncouple(const char *name);
int ctl_port(const char *name, struct ctl_port *port);
int ctl_pair(const char *coupling, const char *src, const char *dst,
	     __u32 *state, __u32 *reason);
/* A socket that hears of events from now on, or NULL. */
struct nl_sock;
struct nl_sock *ctl_listen(void);
/* 0 when the socket told that the port came into that state, within @ms. @reason may be CTL_ANY. */
int ctl_heard(struct nl_sock *sk, const char *port, __u32 state, __u32 reason, int ms);
/* The same of a pair. */
int ctl_heard_pair(struct nl_sock *sk, const char *src, const char *dst, __u32 state,
		   __u32 reason, int ms);
/* A counter; aborts if there is no such port. */
__u64 ctl_stat(const char *port, enum ivshm_attr_stat which);

#endif /* ENV_H */
