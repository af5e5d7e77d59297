/* SPDX-License-Identifier: GPL-2.0 */
/* Ports: one network interface of a VM as the host sees it. */
#ifndef _IVSHM_PORT_H
#define _IVSHM_PORT_H

#include <linux/if.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/netdevice.h>
#include <linux/seqlock.h>
#include <net/net_namespace.h>

#include "stats.h"

struct file;
struct ivshm_member;
struct ivshm_qp;
struct socket;
struct tap_dev;

/* Most queue pairs of a port, as many as a tap has at most. */
#define IVSHM_QUEUES_MAX	256

/* How a port's interface reaches its uplink. */
enum ivshm_port_kind {
	IVSHM_PORT_TAP,
	IVSHM_PORT_MACVTAP,
};

/**
 * struct ivshm_port - a tap or macvtap interface with queue pairs on us
 * @ref:	see ivshm_port_get() and ivshm_port_put(); memory goes after a
 *		grace period, so that it may be looked at under RCU
 * @id:		unique for the life of the module, never 0
 * @list:	in the list of all ports, under ivshm_mutex
 * @dev:	the interface; the reference goes at NETDEV_UNREGISTER, after
 *		which it is NULL.  Read under RTNL, RCU or ivshm_mutex; written
 *		under RTNL and ivshm_mutex
 * @net:	namespace of @dev, NULL while it has none; no reference, the
 *		interface leaves it before it goes.  Under ivshm_mutex
 * @name:	of @dev; under ivshm_mutex
 * @kind:	what @dev is
 * @state:	written under ivshm_mutex, read anywhere
 * @tap:	of a macvtap, NULL else; valid where @dev is
 * @features:	virtio features of the first queue pair while running
 * @pid:	process that owns the first queue pair
 * @member:	membership in a coupling, NULL if none; written by coupling.c
 *		under ivshm_mutex, read under RCU
 * @look_ip:	@member's coupling decides by IP addresses, so workers are to copy
 *		that much of each frame; a hint.  Written as @member
 * @qps:	queue pairs that serve it, ivshm_qp.port_list, by their id.
 *		Written under ivshm_mutex, read under RCU
 * @nr_qps:	in @qps
 * @stats:	counters
 * @rx_seq:	the next two, written under ivshm_mutex:
 * @nr_rx:	in @rx
 * @rx:		those of @qps that take frames of others, in the same order; RCU
 *
 * The queue pairs of a port are those of one VMM.  They stand in the order in
 * which it took them up (VHOST_SET_OWNER), for VMMs do that in the order of the
 * device's queues, and stopping one does not change it.
 */
struct ivshm_port {
	struct kref ref;
	u32 id;
	struct list_head list;
	struct net_device __rcu *dev;
	netdevice_tracker dev_tracker;
	struct net *net;
	char name[IFNAMSIZ];
	enum ivshm_port_kind kind;
	enum ivshm_port_state state;
	struct tap_dev *tap;
	u64 features;
	u32 pid;
	struct ivshm_member __rcu *member;
	bool look_ip;
	struct list_head qps;
	u32 nr_qps;
	struct ivshm_stats __percpu *stats;
	struct rcu_head rcu;
	seqcount_t rx_seq;
	u32 nr_rx;
	struct ivshm_qp __rcu *rx[IVSHM_QUEUES_MAX];
};

/* Its rings are the module's, in whatever state they are. Under ivshm_mutex. */
static inline bool ivshm_port_is_up(const struct ivshm_port *port)
{
	return port->state == IVSHM_PORT_RUNNING || port->state == IVSHM_PORT_BROKEN;
}

/*
 * The name of @port, empty for NULL, for people: it may be that of a moment ago, or in
 * between.  Any context.
 */
static inline void ivshm_port_copy_name(const struct ivshm_port *port, char name[IFNAMSIZ])
{
	name[0] = '\0';
	if (!port)
		return;
	/* Whatever is there: its last byte is never but 0. */
	data_race(memcpy(name, port->name, IFNAMSIZ));
	name[IFNAMSIZ - 1] = '\0';
}

void ivshm_port_get(struct ivshm_port *port);
void ivshm_port_put(struct ivshm_port *port);

/* All ports. Walk with ivshm_mutex held. */
extern struct list_head ivshm_ports;
/* The port of that name in @net, or NULL. Called with ivshm_mutex held; no reference. */
struct ivshm_port *ivshm_port_find(const struct net *net, const char *name);

/* ivshm_uplink_mark() for all its taps. Under ivshm_mutex. */
void ivshm_port_mark(struct ivshm_port *port);
/* The state as it is shown: a ring in error counts. Under RCU. */
enum ivshm_port_state ivshm_port_shown_state(const struct ivshm_port *port);

/*
 * How many of the first @nr queue pairs the guest uses: no more than there are
 * queues attached to the tap.  At least 1.  Under RCU.
 */
u32 ivshm_port_in_use(const struct ivshm_port *port, u32 nr);

/*
 * Something changed that ports follow from: a ring broke, or is a new one, or
 * got its first receive buffers.  Any context.
 */
void ivshm_port_tell(void);

/* Have the workers of @port look at their work again. Any context, RCU or a reference. */
void ivshm_port_kick(struct ivshm_port *port);

/**
 * ivshm_port_resolve - the interface behind a tap's open file
 * @file: of a tap or macvtap
 * @sock: its socket
 * @kind: set to what it is
 *
 * Takes RTNL; may sleep.  Returns the interface with a reference, or NULL if
 * it cannot be told or is not Ethernet.
 */
struct net_device *ivshm_port_resolve(struct file *file, struct socket *sock,
				      enum ivshm_port_kind *kind);

/**
 * ivshm_port_attach - a queue pair begins to serve an interface
 * @qp:   the queue pair, held
 * @dev:  the interface
 * @kind: what it is
 *
 * Makes the port if it is new.  Takes RTNL and ivshm_mutex; may sleep.
 * Returns 0, -EBUSY if it is another VMM's or that queue of the tap has a queue
 * pair, -ENOSPC if it has too many, -ENODEV if it is going, or -ENOMEM.
 */
int ivshm_port_attach(struct ivshm_qp *qp, struct net_device *dev,
		      enum ivshm_port_kind kind);
/*
 * Whether an interface is one that a static coupling has a place for: its guest has
 * nothing to do with the tap behind it, also while it serves no port yet.  Takes RTNL
 * and ivshm_mutex; may sleep.
 */
bool ivshm_port_is_cut_off(struct net_device *dev, enum ivshm_port_kind kind);
/*
 * It is about to stop: if there are others, frames go to those from now on, and
 * what was on its way to @qp is with its guest, if that has the buffers.  Takes
 * ivshm_mutex; may sleep. Fine without a port.
 */
void ivshm_port_leave(struct ivshm_qp *qp);
/*
 * No more.  Workers may still decide for it and deliver into @qp until a grace
 * period has passed.  Takes ivshm_mutex; may sleep. Fine without a port.
 */
void ivshm_port_detach(struct ivshm_qp *qp, enum ivshm_reason reason);

int ivshm_port_init(void);
void ivshm_port_exit(void);

#endif /* _IVSHM_PORT_H */
