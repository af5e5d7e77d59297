/* SPDX-License-Identifier: GPL-2.0 */
/* For KUnit suites that need what the module's initialisation sets up. */
#ifndef _IVSHM_TEST_LIVE_H
#define _IVSHM_TEST_LIVE_H

#include <linux/module.h>

/* Some kernels run the tests of a module before it is initialised. */
static inline bool ivshm_kunit_live(void)
{
#ifdef MODULE
	return THIS_MODULE->state == MODULE_STATE_LIVE;
#else
	return true;
#endif
}

#endif /* _IVSHM_TEST_LIVE_H */
