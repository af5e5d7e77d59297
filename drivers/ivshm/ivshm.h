/* SPDX-License-Identifier: GPL-2.0 */
/*
 * ivshm: the map of the module.  Start reading here.
 *
 *   open file of /dev/ivshm-net            netdev (tap, macvtap)
 *        |                                      |
 *   ivshm_qp (n) ------ 1 port per netdev -> ivshm_port ---> ivshm_member
 *    |   |  \                                   |                 |
 *    |   |   ivshm_worker (one thread)     ivshm_addr (n)    ivshm_coupling
 *    |   2 ivshm_vring (rx, tx)                                   |
 *    ivshm_gmem (mirror of the VMM's memory)              ivshm_pair (n * n)
 *
 * - A queue pair (qp.c; ioctls in port_vhost.c, its taps in backend.c) is owned
 *   by its file and freed when the last reference goes; others reach it
 *   through ivshm_port.qps and, to deliver, by queue.c under RCU.
 * - Behind a vIOMMU its guest names memory as a device IOTLB says (iotlb.c,
 *   guest_mem_iotlb.c), which the VMM fills (port_iotlb.c).
 * - A port (port.c) comes with the first NET_SET_BACKEND that names its
 *   netdev and goes when neither the netdev nor a queue pair holds it.
 * - A coupling (coupling.c) is made and deleted by netlink; its members take
 *   ports as they begin to run, by name or by rule (coupling_rules.c).  What it lets
 *   them send is in their buckets (rate.c) and in its denials (coupling_deny.c), of
 *   which pairs (coupling_pair.c) know what they need.  They and configured addresses
 *   are a namespace's (space.c).
 * - An address (addr.c) is learned from what a port sends, or configured
 *   (addr_config.c).
 * - The worker (worker.c) takes frames from the transmit ring (tx.c), asks the
 *   detector (tx_direct.c, detector.c), chooses a queue of the receiver
 *   (queue.c) and delivers (deliver.c, or tx_fast.c for plain runs) or uses the
 *   tap (tx_rest.c, uplink.c, uplink_send.c).  Frames that must wait are parked
 *   (tx_wait.c, park.c), or left with the receiver in kernel buffers (bounce.c).
 * - Regions (region.h) and their message queues (msgq.h) have nothing to do with any
 *   of this.
 *
 * Lock order, outermost first:
 *   ivshm_qp.mutex        ioctls of one open file
 *   RTNL
 *   ivshm_mutex           ports, couplings, membership
 *   mmap_lock             (faults by a worker, which holds none of the above)
 *   a region's page lock  (a fault into a region)
 *   ivshm_gmem read side  of one mirror, or of two (ivshm_gmem_read_lock2)
 *   ivshm_qp.rx_lock      the receive ring
 *   ivshm_qp.wait_lock    waiters for buffers; taken in eventfd wake-ups
 *   ivshm_iotlb.lock      misses of a device IOTLB
 *   ivshm_bucket.lock     what a member may still send; inside and around nothing
 */
#ifndef _IVSHM_H
#define _IVSHM_H

#include <linux/mutex.h>

/* Ports, couplings and membership. Taken inside RTNL, never around it. */
extern struct mutex ivshm_mutex;

#endif /* _IVSHM_H */
