/* SPDX-License-Identifier: GPL-2.0 */
/* Before 6.12 it was asm/unaligned.h. */
#ifndef _IVSHM_COMPAT_LINUX_UNALIGNED_H
#define _IVSHM_COMPAT_LINUX_UNALIGNED_H

#include <linux/version.h>

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 12, 0)
#include_next <linux/unaligned.h>
#else
#include <asm/unaligned.h>
#endif

#endif /* _IVSHM_COMPAT_LINUX_UNALIGNED_H */
