// SPDX-License-Identifier: GPL-2.0
/* ivmctl port */
#include "nl.h"
#include "output.h"
#include "verbs.h"

static int port_show(struct ctx *ctx, int argc, char **argv)
{
	return verb_show(ctx, argc, argv, &ivnl_kind_port,
			 ctx->stats ? show_ports_stats : show_ports);
}

static const struct verb port_verbs[] = {
	{ "show", "list", "[NAME]", "show one port or all", port_show },
	{ .name = NULL }
};

const struct object object_port = {
	.name = "port",
	.help = "network interfaces of VMs",
	.verbs = port_verbs,
	.more = "With -s show prints every counter, drops only where there are any.\n",
};

/* Bare ivmctl. */
int overview(struct ctx *ctx)
{
	json_t *ports, *couplings, *regions;

	if (ivnl_fetch(ctx, &ivnl_kind_port, NULL, &ports))
		return RC_REFUSED;
	if (ivnl_fetch(ctx, &ivnl_kind_coupling, NULL, &couplings)) {
		json_decref(ports);
		return RC_REFUSED;
	}
	if (ivnl_fetch(ctx, &ivnl_kind_region, NULL, &regions)) {
		json_decref(ports);
		json_decref(couplings);
		return RC_REFUSED;
	}

	if (ctx->json)
		return print_json(ctx, json_pack("{s:o, s:o, s:o}", "ports", ports,
						 "couplings", couplings,
						 "regions", regions));
	show_overview(ctx, ports, couplings, regions);
	json_decref(ports);
	json_decref(couplings);
	json_decref(regions);
	return RC_OK;
}
