/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _IVSHM_COMPAT_LINUX_WORKQUEUE_H
#define _IVSHM_COMPAT_LINUX_WORKQUEUE_H

#include <linux/version.h>

#include_next <linux/workqueue.h>

/* The old name is still there, but its use is put down in the log. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 17, 0)
#define system_dfl_wq	system_unbound_wq
#endif

#endif /* _IVSHM_COMPAT_LINUX_WORKQUEUE_H */
