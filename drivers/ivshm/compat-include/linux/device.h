/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _IVSHM_COMPAT_LINUX_DEVICE_H
#define _IVSHM_COMPAT_LINUX_DEVICE_H

#include <linux/version.h>

#include_next <linux/device.h>

/* What devnode() and uevent() of a device type are given. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 3, 0)
typedef const struct device ivshm_type_device;
#else
typedef struct device ivshm_type_device;
#endif

#endif /* _IVSHM_COMPAT_LINUX_DEVICE_H */
