/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _IVSHM_COMPAT_LINUX_NETDEVICE_H
#define _IVSHM_COMPAT_LINUX_NETDEVICE_H

#include <linux/version.h>

#include_next <linux/netdevice.h>

/* Frames are sent without a lock of the device: until 6.12 a feature. */
static inline void ivshm_netdev_set_lltx(struct net_device *dev)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 12, 0)
	dev->lltx = true;
#else
	dev->features |= NETIF_F_LLTX;
#endif
}

#endif /* _IVSHM_COMPAT_LINUX_NETDEVICE_H */
