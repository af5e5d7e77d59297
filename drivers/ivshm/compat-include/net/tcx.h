/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Are there filters or programs at an end of a device?  Those of classifiers, and
 * since 6.6 those of tcx, which has the classifiers' as well.  Under RTNL.
 */
#ifndef _IVSHM_COMPAT_NET_TCX_H
#define _IVSHM_COMPAT_NET_TCX_H

#include <linux/netdevice.h>
#include <linux/rtnetlink.h>
#include <linux/version.h>
#include <net/sch_generic.h>

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 6, 0)
#include_next <net/tcx.h>

#ifdef CONFIG_NET_XGRESS
/* A qdisc that has no filters has an entry, too. */
static inline bool ivshm_tcx_in_use(struct bpf_mprog_entry *entry)
{
	return entry && (rcu_access_pointer(tcx_entry(entry)->miniq) || bpf_mprog_total(entry));
}

#define IVSHM_HAS_TC(dev, end)	ivshm_tcx_in_use(rtnl_dereference((dev)->tcx_##end))
#endif
#else
#ifdef CONFIG_NET_CLS_ACT
#define IVSHM_HAS_TC(dev, end)	rcu_access_pointer((dev)->miniq_##end)
#endif
#endif
#ifndef IVSHM_HAS_TC
#define IVSHM_HAS_TC(dev, end)	false
#endif

static inline bool ivshm_dev_has_tc_ingress(const struct net_device *dev)
{
	return IVSHM_HAS_TC(dev, ingress);
}

static inline bool ivshm_dev_has_tc_egress(const struct net_device *dev)
{
	return IVSHM_HAS_TC(dev, egress);
}

#undef IVSHM_HAS_TC

#endif /* _IVSHM_COMPAT_NET_TCX_H */
