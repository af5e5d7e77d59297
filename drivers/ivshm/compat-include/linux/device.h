/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _IVSHM_COMPAT_LINUX_DEVICE_H
#define _IVSHM_COMPAT_LINUX_DEVICE_H

#include <linux/version.h>

#include_next <linux/device.h>

/* Whether devnode() and uevent() of a device type are given a const one. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 3, 0)
#define IVSHM_TYPE_CONST	const
#else
#define IVSHM_TYPE_CONST
#endif

#endif /* _IVSHM_COMPAT_LINUX_DEVICE_H */
