/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a network namespace has of ours: couplings and configured addresses.
 *
 * Anybody may have a namespace, and fill it.  So what is done for one namespace looks at
 * its own lists only, and what is done for all of them at couplings with members that
 * run, see ivshm_couplings_active.
 */
#ifndef _IVSHM_SPACE_H
#define _IVSHM_SPACE_H

#include <linux/list.h>
#include <linux/types.h>

struct net;

/**
 * struct ivshm_space - lists of a namespace, all under ivshm_mutex
 * @couplings:	struct ivshm_coupling.list, in the order of their ids
 * @ruled:	struct ivshm_coupling.ruled, of those that have rules; likewise
 * @nr_couplings: in @couplings
 * @addrs:	configured addresses, struct ivshm_addr.configs, oldest first
 * @nr_addrs:	in @addrs
 */
struct ivshm_space {
	struct list_head couplings;
	struct list_head ruled;
	u32 nr_couplings;
	struct list_head addrs;
	u32 nr_addrs;
};

/* Of a namespace that has interfaces, or that a request came from. */
struct ivshm_space *ivshm_space(const struct net *net);

/* Each new namespace gets one from now on, and those there are. */
int ivshm_space_init(void);
/* What is left in them is deleted, one after the other. */
void ivshm_space_exit(void);

#endif /* _IVSHM_SPACE_H */
