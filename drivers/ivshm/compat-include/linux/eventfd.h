/* SPDX-License-Identifier: GPL-2.0 */
/* Before 6.8 the caller said by how much, which was one. */
#ifndef _IVSHM_COMPAT_LINUX_EVENTFD_H
#define _IVSHM_COMPAT_LINUX_EVENTFD_H

#include <linux/version.h>

#include_next <linux/eventfd.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 8, 0)
#define eventfd_signal(ctx)	eventfd_signal(ctx, 1)
#endif

#endif /* _IVSHM_COMPAT_LINUX_EVENTFD_H */
