// SPDX-License-Identifier: GPL-2.0
/* What a network namespace has of ours; see space.h. */
#include <net/net_namespace.h>
#include <net/netns/generic.h>

#include "addr.h"
#include "coupling.h"
#include "space.h"

static unsigned int space_id;

struct ivshm_space *ivshm_space(const struct net *net)
{
	return net_generic(net, space_id);
}

static int __net_init space_net_init(struct net *net)
{
	struct ivshm_space *space = ivshm_space(net);

	INIT_LIST_HEAD(&space->couplings);
	INIT_LIST_HEAD(&space->ruled);
	INIT_LIST_HEAD(&space->addrs);
	return 0;
}

/* Its interfaces are gone, and with them the ports. */
static void __net_exit space_net_exit(struct net *net)
{
	ivshm_coupling_flush(net);
	ivshm_addr_config_flush(net);
}

static struct pernet_operations space_net_ops = {
	.init = space_net_init,
	.exit = space_net_exit,
	.id = &space_id,
	.size = sizeof(struct ivshm_space),
};

int ivshm_space_init(void)
{
	return register_pernet_subsys(&space_net_ops);
}

void ivshm_space_exit(void)
{
	unregister_pernet_subsys(&space_net_ops);
}
