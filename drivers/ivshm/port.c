// SPDX-License-Identifier: GPL-2.0
/* Ports: one network interface of a VM as the host sees it. */
#include <linux/if_arp.h>
#include <linux/if_tap.h>
#include <linux/if_tun.h>
#include <linux/net.h>
#include <linux/netdevice.h>
#include <linux/rtnetlink.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/workqueue.h>
#include <net/sock.h>

#include "coupling.h"
#include "deliver.h"
#include "ivshm.h"
#include "netlink.h"
#include "port.h"
#include "qp.h"
#include "tx.h"

/* See ivshm.h. */
DEFINE_MUTEX(ivshm_mutex);
LIST_HEAD(ivshm_ports);
static u32 ivshm_port_ids;	/* under ivshm_mutex */

void ivshm_port_get(struct ivshm_port *port)
{
	kref_get(&port->ref);
}

static void ivshm_port_free(struct rcu_head *rcu)
{
	struct ivshm_port *port = container_of(rcu, struct ivshm_port, rcu);

	free_percpu(port->stats);
	kfree(port);
}

static void ivshm_port_release(struct kref *ref)
{
	struct ivshm_port *port = container_of(ref, struct ivshm_port, ref);

	call_rcu(&port->rcu, ivshm_port_free);
}

void ivshm_port_put(struct ivshm_port *port)
{
	kref_put(&port->ref, ivshm_port_release);
}

struct ivshm_port *ivshm_port_find(const struct net *net, const char *name)
{
	struct ivshm_port *port;

	lockdep_assert_held(&ivshm_mutex);

	list_for_each_entry(port, &ivshm_ports, list)
		if (port->net == net && !strcmp(port->name, name))
			return port;
	return NULL;
}

/* A ring is in error, be there others that are not. Under RCU. */
static bool ivshm_port_is_broken(const struct ivshm_port *port)
{
	const struct ivshm_qp *qp;

	list_for_each_entry_rcu(qp, &port->qps, port_list)
		if (READ_ONCE(qp->vq[IVSHM_VQ_RX].ring.broken) ||
		    READ_ONCE(qp->vq[IVSHM_VQ_TX].ring.broken))
			return true;
	return false;
}

enum ivshm_port_state ivshm_port_shown_state(const struct ivshm_port *port)
{
	enum ivshm_port_state state = READ_ONCE(port->state);

	if (state == IVSHM_PORT_RUNNING && ivshm_port_is_broken(port))
		return IVSHM_PORT_BROKEN;
	return state;
}

void ivshm_port_kick(struct ivshm_port *port)
{
	struct ivshm_qp *qp;

	rcu_read_lock();
	list_for_each_entry_rcu(qp, &port->qps, port_list)
		ivshm_worker_wake(&qp->worker, IVSHM_WORK_PARK);
	rcu_read_unlock();
}

void ivshm_port_mark(struct ivshm_port *port)
{
	struct ivshm_qp *qp;

	lockdep_assert_held(&ivshm_mutex);

	list_for_each_entry(qp, &port->qps, port_list)
		ivshm_uplink_mark(qp);
}

u32 ivshm_port_in_use(const struct ivshm_port *port, u32 nr)
{
	const struct net_device *dev;
	u32 attached;

	if (nr <= 1)
		return 1;
	dev = rcu_dereference(port->dev);
	if (!dev)
		return nr;
	/* TUNSETQUEUE changes it: it is how a VMM passes on ethtool -L. */
	attached = port->tap ? READ_ONCE(port->tap->numvtaps) :
			       READ_ONCE(dev->real_num_tx_queues);
	return clamp(attached, 1U, nr);
}

/*
 * The tun driver exports no way from its file to its interface, but prints the
 * interface's name for /proc/PID/fdinfo: "iff:", a tab, the name.
 */
static int ivshm_port_tun_name(struct file *file, char *name)
{
	char text[64], *at, *end;
	struct seq_file m = { .buf = text, .size = sizeof(text) };

	if (!file->f_op->show_fdinfo)
		return -ENODEV;
	mutex_init(&m.lock);
	file->f_op->show_fdinfo(&m, file);
	if (seq_has_overflowed(&m))
		return -ENODEV;
	text[m.count] = '\0';
	at = strstr(text, "iff:\t");
	if (!at)
		return -ENODEV;
	at += strlen("iff:\t");
	end = strchrnul(at, '\n');
	if (end == at || end - at >= IFNAMSIZ)
		return -ENODEV;
	memcpy(name, at, end - at);
	name[end - at] = '\0';
	return 0;
}

static struct net_device *ivshm_port_resolve_tun(struct file *file, struct socket *sock)
{
	struct net_device *dev;
	char name[IFNAMSIZ];

	/* Takes RTNL itself. */
	if (ivshm_port_tun_name(file, name))
		return NULL;
	/*
	 * A tap was made in the namespace of its socket.  One that was moved
	 * is not found there and stays without a port.
	 */
	dev = dev_get_by_name(sock_net(sock->sk), name);
	if (dev && dev->type != ARPHRD_ETHER) {
		dev_put(dev);
		return NULL;
	}
	return dev;
}

static struct net_device *ivshm_port_resolve_tap(struct socket *sock)
{
	struct net_device *dev = NULL;
	struct tap_dev *tap;

	rcu_read_lock();
	tap = rcu_dereference(container_of(sock, struct tap_queue, sock)->tap);
	if (tap) {
		dev = tap->dev;
		dev_hold(dev);
	}
	rcu_read_unlock();
	return dev;
}

struct net_device *ivshm_port_resolve(struct file *file, struct socket *sock,
				      enum ivshm_port_kind *kind)
{
	if (tun_get_socket(file) == sock) {
		*kind = IVSHM_PORT_TAP;
		return ivshm_port_resolve_tun(file, sock);
	}
	if (tap_get_socket(file) == sock) {
		*kind = IVSHM_PORT_MACVTAP;
		return ivshm_port_resolve_tap(sock);
	}
	return NULL;
}

static struct ivshm_port *ivshm_port_by_dev(const struct net_device *dev)
{
	struct ivshm_port *port;

	lockdep_assert_held(&ivshm_mutex);

	list_for_each_entry(port, &ivshm_ports, list)
		if (rcu_access_pointer(port->dev) == dev)
			return port;
	return NULL;
}

static struct ivshm_port *ivshm_port_new(struct net_device *dev, enum ivshm_port_kind kind)
{
	struct ivshm_port *port;

	ASSERT_RTNL();
	lockdep_assert_held(&ivshm_mutex);

	port = kzalloc(sizeof(*port), GFP_KERNEL_ACCOUNT);
	if (!port)
		return NULL;
	port->stats = alloc_percpu_gfp(struct ivshm_stats, GFP_KERNEL_ACCOUNT);
	if (!port->stats) {
		kfree(port);
		return NULL;
	}
	kref_init(&port->ref);	/* the list's */
	port->id = ++ivshm_port_ids;
	port->net = dev_net(dev);
	port->kind = kind;
	port->state = IVSHM_PORT_STOPPED;
	INIT_LIST_HEAD(&port->qps);
	seqcount_init(&port->rx_seq);
	strscpy(port->name, dev->name, sizeof(port->name));
	netdev_hold(dev, &port->dev_tracker, GFP_KERNEL);
	rcu_assign_pointer(port->dev, dev);
	list_add_tail(&port->list, &ivshm_ports);
	return port;
}

static void ivshm_port_set_state(struct ivshm_port *port, enum ivshm_port_state state,
				 enum ivshm_reason reason)
{
	enum ivshm_port_state old = port->state;

	lockdep_assert_held(&ivshm_mutex);

	WRITE_ONCE(port->state, state);
	if (old != state)
		ivshm_nl_port_event(port, old, state, reason);
}

/*
 * Choose who takes frames of others: the first queue pairs up to one that has
 * never had a buffer, or one at least.  Whether the guest uses all of them is
 * another question, see ivshm_port_in_use().
 */
static void ivshm_port_publish(struct ivshm_port *port)
{
	/* Under ivshm_mutex, and too large for the stack. */
	static struct ivshm_qp *rx[IVSHM_QUEUES_MAX];
	struct ivshm_qp *qp, *any = NULL;
	u32 nr = 0, index = 0, i;
	bool same, ready = true;

	lockdep_assert_held(&ivshm_mutex);

	list_for_each_entry(qp, &port->qps, port_list) {
		WRITE_ONCE(qp->index, index++);
		if (!any || any->leaving)
			any = qp;
		if (qp->leaving)
			continue;
		ready = ready && READ_ONCE(qp->rx_ready);
		if (ready)
			rx[nr++] = qp;
	}
	if (!nr && any)
		rx[nr++] = any;

	same = nr == port->nr_rx;
	for (i = 0; i < nr && same; i++)
		same = rcu_access_pointer(port->rx[i]) == rx[i];
	if (same)
		return;

	/* Readers spin meanwhile. */
	preempt_disable();
	write_seqcount_begin(&port->rx_seq);
	for (i = 0; i < nr; i++)
		rcu_assign_pointer(port->rx[i], rx[i]);
	for (; i < port->nr_rx; i++)
		RCU_INIT_POINTER(port->rx[i], NULL);
	port->nr_rx = nr;
	write_seqcount_end(&port->rx_seq);
	preempt_enable();
}

/* What is shown of the first queue pair. */
static void ivshm_port_follow_first(struct ivshm_port *port)
{
	const struct ivshm_qp *qp = list_first_entry_or_null(&port->qps, struct ivshm_qp,
							     port_list);

	if (qp)
		WRITE_ONCE(port->features, READ_ONCE(qp->features));
}

/*
 * Rings break in workers, also in those of others, which may not wait for the
 * mutex.  The port keeps its place in its coupling: a member of a static one
 * stays cut off from its tap whatever it does to its rings.
 */
static void ivshm_port_look(struct work_struct *work)
{
	struct ivshm_port *port;
	bool broken;

	mutex_lock(&ivshm_mutex);
	list_for_each_entry(port, &ivshm_ports, list) {
		rcu_read_lock();
		broken = ivshm_port_is_broken(port);
		rcu_read_unlock();
		ivshm_port_publish(port);
		if (ivshm_port_is_up(port))
			ivshm_port_set_state(port, broken ? IVSHM_PORT_BROKEN :
							    IVSHM_PORT_RUNNING,
					     broken ? IVSHM_REASON_RING : IVSHM_REASON_NONE);
	}
	mutex_unlock(&ivshm_mutex);
}

static DECLARE_WORK(ivshm_port_work, ivshm_port_look);

void ivshm_port_tell(void)
{
	schedule_work(&ivshm_port_work);
}

/* The interface goes, and with it the port: from the list and for good. */
static void ivshm_port_remove(struct ivshm_port *port)
{
	struct net_device *dev = rtnl_dereference(port->dev);

	lockdep_assert_held(&ivshm_mutex);

	ivshm_port_set_state(port, IVSHM_PORT_GONE, IVSHM_REASON_EXIT);
	ivshm_coupling_port_down(port, IVSHM_REASON_EXIT);
	list_del_init(&port->list);
	port->net = NULL;
	RCU_INIT_POINTER(port->dev, NULL);
	/* The notifier's caller waits for a grace period before it frees. */
	netdev_put(dev, &port->dev_tracker);
	ivshm_port_put(port);
}

/* Whether @qp may be one more of @port's. */
static int ivshm_port_admit(const struct ivshm_port *port, const struct ivshm_qp *qp)
{
	const struct ivshm_qp *other;

	lockdep_assert_held(&ivshm_mutex);

	if (port->nr_qps == IVSHM_QUEUES_MAX)
		return -ENOSPC;
	list_for_each_entry(other, &port->qps, port_list)
		if (other->owner != qp->owner ||
		    other->vq[IVSHM_VQ_RX].sock == qp->vq[IVSHM_VQ_RX].sock)
			return -EBUSY;
	return 0;
}

/* To its place, in the order of the ids. */
static void ivshm_port_add(struct ivshm_port *port, struct ivshm_qp *qp)
{
	struct ivshm_qp *next;

	list_for_each_entry(next, &port->qps, port_list)
		if (next->id > qp->id)
			break;
	list_add_tail_rcu(&qp->port_list, &next->port_list);
	WRITE_ONCE(port->nr_qps, port->nr_qps + 1);
}

/* The port of an interface, a new one if need be, or ERR_PTR(-ENODEV or -ENOMEM). */
static struct ivshm_port *ivshm_port_of(struct net_device *dev, enum ivshm_port_kind kind)
{
	struct ivshm_port *port;

	ASSERT_RTNL();

	if (dev->reg_state != NETREG_REGISTERED)
		return ERR_PTR(-ENODEV);
	port = ivshm_port_by_dev(dev) ?: ivshm_port_new(dev, kind);
	return port ?: ERR_PTR(-ENOMEM);
}

bool ivshm_port_is_cut_off(struct net_device *dev, enum ivshm_port_kind kind)
{
	struct ivshm_port *port;
	bool cut;

	rtnl_lock();
	mutex_lock(&ivshm_mutex);
	port = ivshm_port_of(dev, kind);
	cut = !IS_ERR(port) && ivshm_coupling_cuts_off(port);
	mutex_unlock(&ivshm_mutex);
	rtnl_unlock();
	return cut;
}

int ivshm_port_attach(struct ivshm_qp *qp, struct net_device *dev,
		      enum ivshm_port_kind kind)
{
	struct ivshm_port *port;
	int err;

	rtnl_lock();
	mutex_lock(&ivshm_mutex);
	port = ivshm_port_of(dev, kind);
	err = PTR_ERR_OR_ZERO(port);
	if (err)
		goto unlock;
	err = ivshm_port_admit(port, qp);
	if (err)
		goto unlock;
	if (kind == IVSHM_PORT_MACVTAP)
		port->tap = rtnl_dereference(container_of(qp->vq[IVSHM_VQ_RX].sock,
							  struct tap_queue, sock)->tap);
	ivshm_port_get(port);	/* the queue pair's */
	WRITE_ONCE(qp->port, port);
	qp->stats = port->stats;
	qp->worker.stats = port->stats;
	ivshm_gmem_set_stats(qp->gm, port->stats);
	ivshm_port_add(port, qp);
	ivshm_port_follow_first(port);
	ivshm_port_publish(port);
	if (!ivshm_port_is_up(port)) {
		port->pid = task_tgid_nr(current);
		ivshm_port_set_state(port, IVSHM_PORT_RUNNING, IVSHM_REASON_NONE);
		ivshm_coupling_port_up(port);
	}
	/* It may have broken before there was a port to tell of. */
	ivshm_port_tell();
unlock:
	mutex_unlock(&ivshm_mutex);
	rtnl_unlock();
	return err;
}

void ivshm_port_leave(struct ivshm_qp *qp)
{
	struct ivshm_port *port = qp->port;
	struct ivshm_qp *other;
	bool others;

	if (!port)
		return;
	mutex_lock(&ivshm_mutex);
	others = port->nr_qps > 1;
	qp->leaving = true;
	ivshm_port_publish(port);
	mutex_unlock(&ivshm_mutex);
	if (!others)
		return;
	/* Who waits for it goes elsewhere; who knows nothing yet comes to an end. */
	ivshm_qp_wake_waiters(qp);
	synchronize_rcu();
	/* The worker delivers what was left with it, or else another one does. */
	ivshm_worker_wake(&qp->worker, IVSHM_WORK_BOUNCE);
	ivshm_qp_hold(qp);
	mutex_lock(&ivshm_mutex);
	list_for_each_entry(other, &port->qps, port_list) {
		if (other->leaving)
			continue;
		ivshm_bounce_move(qp, other);
		break;
	}
	mutex_unlock(&ivshm_mutex);
	ivshm_qp_go(qp);
}

void ivshm_port_detach(struct ivshm_qp *qp, enum ivshm_reason reason)
{
	struct ivshm_port *port = qp->port;

	if (!port)
		return;
	mutex_lock(&ivshm_mutex);
	/* A grace period passes before it may be in a list again. */
	list_del_rcu(&qp->port_list);
	WRITE_ONCE(port->nr_qps, port->nr_qps - 1);
	qp->leaving = false;
	ivshm_port_publish(port);
	ivshm_port_follow_first(port);
	if (port->nr_qps)
		goto unlock;
	if (port->state != IVSHM_PORT_GONE)
		ivshm_port_set_state(port, IVSHM_PORT_STOPPED, reason);
	ivshm_coupling_port_down(port, reason);
unlock:
	mutex_unlock(&ivshm_mutex);
	/* The broken one may have been this one. */
	ivshm_port_tell();
}

static void ivshm_port_renamed(struct ivshm_port *port, struct net_device *dev)
{
	lockdep_assert_held(&ivshm_mutex);

	port->net = dev_net(dev);
	strscpy(port->name, dev->name, sizeof(port->name));
	if (ivshm_port_is_up(port))
		ivshm_coupling_port_up(port);
}

static int ivshm_port_netdev_event(struct notifier_block *nb, unsigned long event, void *ptr)
{
	struct net_device *dev = netdev_notifier_info_to_dev(ptr);
	struct ivshm_port *port;

	if (event != NETDEV_UNREGISTER && event != NETDEV_REGISTER &&
	    event != NETDEV_CHANGENAME)
		return NOTIFY_DONE;

	mutex_lock(&ivshm_mutex);
	port = ivshm_port_by_dev(dev);
	if (!port)
		goto unlock;
	switch (event) {
	case NETDEV_UNREGISTER:
		if (dev->reg_state != NETREG_REGISTERED) {
			ivshm_port_remove(port);
		} else {
			/* On its way to another namespace: gone from this one. */
			ivshm_nl_port_event(port, port->state, IVSHM_PORT_GONE, IVSHM_REASON_EXIT);
			ivshm_coupling_port_down(port, IVSHM_REASON_EXIT);
			port->net = NULL;
		}
		break;
	case NETDEV_REGISTER:
		/* Arrived: new to those who listen there. */
		port->net = dev_net(dev);
		strscpy(port->name, dev->name, sizeof(port->name));
		ivshm_nl_port_event(port, IVSHM_PORT_GONE, port->state, IVSHM_REASON_NONE);
		fallthrough;
	case NETDEV_CHANGENAME:
		ivshm_port_renamed(port, dev);
		break;
	}
unlock:
	mutex_unlock(&ivshm_mutex);
	return NOTIFY_DONE;
}

static struct notifier_block ivshm_port_nb = {
	.notifier_call = ivshm_port_netdev_event,
};

int ivshm_port_init(void)
{
	return register_netdevice_notifier(&ivshm_port_nb);
}

void ivshm_port_exit(void)
{
	struct ivshm_port *port, *next;

	unregister_netdevice_notifier(&ivshm_port_nb);
	cancel_work_sync(&ivshm_port_work);
	rtnl_lock();
	mutex_lock(&ivshm_mutex);
	list_for_each_entry_safe(port, next, &ivshm_ports, list)
		ivshm_port_remove(port);
	mutex_unlock(&ivshm_mutex);
	rtnl_unlock();
	/* ivshm_port_free() */
	rcu_barrier();
}
