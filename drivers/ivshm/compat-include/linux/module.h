/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _IVSHM_COMPAT_LINUX_MODULE_H
#define _IVSHM_COMPAT_LINUX_MODULE_H

#include <linux/version.h>

#include_next <linux/module.h>

/* Before 6.13 namespaces were named without quotes. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 13, 0)
#undef MODULE_IMPORT_NS
#define MODULE_IMPORT_NS(ns)	MODULE_INFO(import_ns, ns)
#endif

#endif /* _IVSHM_COMPAT_LINUX_MODULE_H */
