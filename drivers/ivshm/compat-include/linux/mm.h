/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _IVSHM_COMPAT_LINUX_MM_H
#define _IVSHM_COMPAT_LINUX_MM_H

#include <linux/version.h>

#include_next <linux/mm.h>

/* Since 6.3 the flags are read-only, and set through this. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 3, 0)
static inline void vm_flags_set(struct vm_area_struct *vma, vm_flags_t flags)
{
	vma->vm_flags |= flags;
}
#endif

/* Since 6.18 those of pages that are one stand in a row on every machine. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 18, 0)
#define nth_page(page, n)	((page) + (n))
#endif

#endif /* _IVSHM_COMPAT_LINUX_MM_H */
