// SPDX-License-Identifier: GPL-2.0
/* ivshm: virtual machines on one host coupled through shared memory. */
#include <linux/build_bug.h>
#include <linux/init.h>
#include <linux/kconfig.h>
#include <linux/module.h>

#include "addr.h"
#include "capture.h"
#include "coupling.h"
#include "msgq.h"
#include "netlink.h"
#include "port.h"
#include "port_vhost.h"
#include "region.h"

#define CREATE_TRACE_POINTS
#include "trace.h"

/* Counters are read in one piece, and vnet headers pass as they are. */
static_assert(IS_ENABLED(CONFIG_64BIT) && !IS_ENABLED(CONFIG_CPU_BIG_ENDIAN));

static int __init ivshm_init(void)
{
	int err;

	err = ivshm_addr_init();
	if (err)
		return err;
	err = ivshm_coupling_init();
	if (err)
		goto addr;
	err = ivshm_port_init();
	if (err)
		goto coupling;
	ivshm_msgq_cost_init();
	err = ivshm_region_init();
	if (err)
		goto port;
	err = ivshm_capture_init();
	if (err)
		goto region;
	err = ivshm_nl_init();
	if (err)
		goto capture;
	/* Last: from here on it is in use. */
	err = ivshm_net_init();
	if (err)
		goto netlink;
	pr_info("ivshm: ready\n");
	return 0;

netlink:
	ivshm_nl_exit();
capture:
	ivshm_capture_exit();
region:
	ivshm_region_exit();
	ivshm_peer_exit();
port:
	ivshm_port_exit();
coupling:
	ivshm_coupling_exit();
addr:
	ivshm_addr_exit();
	return err;
}

static void __exit ivshm_exit(void)
{
	ivshm_net_exit();
	ivshm_nl_exit();
	ivshm_capture_exit();
	ivshm_region_exit();
	ivshm_peer_exit();
	ivshm_coupling_exit();
	ivshm_port_exit();
	ivshm_addr_exit();
}

module_init(ivshm_init);
module_exit(ivshm_exit);
MODULE_LICENSE("GPL");
MODULE_AUTHOR("The ivshm developers");
MODULE_DESCRIPTION("Couples virtual machines through shared memory");
MODULE_ALIAS("devname:ivshm-net");
MODULE_ALIAS_GENL_FAMILY(IVSHM_GENL_NAME);
MODULE_ALIAS_RTNL_LINK(IVSHM_CAPTURE_KIND);
