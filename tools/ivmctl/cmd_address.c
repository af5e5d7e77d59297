// SPDX-License-Identifier: GPL-2.0
/* ivmctl address */
#include <string.h>

#include "nl.h"
#include "output.h"

/* Only the addresses of @port. */
static void filter_port(json_t *addresses, const char *port)
{
	size_t i = 0;

	while (i < json_array_size(addresses)) {
		json_t *address = json_array_get(addresses, i);

		if (strcmp(json_str(address, "port"), port))
			json_array_remove(addresses, i);
		else
			i++;
	}
}

static int address_show(struct ctx *ctx, int argc, char **argv)
{
	static const char *const keywords[] = { "port", NULL };
	const char *port = NULL;
	json_t *addresses, *ports;
	int match;

	if (argc) {
		match = word_match(argv[0], keywords);
		if (match < 0)
			return word_unknown(ctx, "keyword", argv[0], match,
					    keywords);
		if (argc < 2)
			return usage_missing(ctx, "NAME of the port");
		port = argv[1];
		if (word_name(ctx, "NAME", port))
			return RC_USAGE;
		if (argc > 2)
			return usage_extra(ctx, argv[2]);
	}

	if (ivnl_fetch(ctx, &ivnl_kind_address, NULL, &addresses))
		return RC_REFUSED;
	if (port) {
		filter_port(addresses, port);
		/* Tell a port without addresses from one that does not exist. */
		if (!json_array_size(addresses)) {
			if (ivnl_fetch(ctx, &ivnl_kind_port, port, &ports)) {
				json_decref(addresses);
				return RC_REFUSED;
			}
			json_decref(ports);
		}
	}

	if (ctx->json)
		return print_json(ctx, addresses);
	show_addresses(ctx, addresses);
	json_decref(addresses);
	return RC_OK;
}

static const struct verb address_verbs[] = {
	{ "show", "list", "[port NAME]", "show which address is at which port",
	  address_show },
	{ .name = NULL }
};

const struct object object_address = {
	.name = "address",
	.help = "addresses and the ports they are at",
	.verbs = address_verbs,
};
