/* SPDX-License-Identifier: GPL-2.0 */
/* Before 6.5 it was part of linux/netdevice.h. */
#ifndef _IVSHM_COMPAT_NET_GSO_H
#define _IVSHM_COMPAT_NET_GSO_H

#include <linux/version.h>

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 5, 0)
#include_next <net/gso.h>
#else
#include <linux/netdevice.h>
#endif

#endif /* _IVSHM_COMPAT_NET_GSO_H */
