// SPDX-License-Identifier: GPL-2.0
/* ivmctl address */
#include <string.h>

#include "address.h"
#include "nl.h"
#include "output.h"
#include "verbs.h"

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
		if (match < 0 && argc == 1 && *argv[0] != '-' && !word_suggest(argv[0], keywords))
			return usage(ctx,
				     "unknown keyword \"%s\", to show those of a port: ivmctl address show port NAME",
				     argv[0]);
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

static int parse_address(const struct ctx *ctx, const char *word, struct word_addr *address)
{
	if (word_addr(word, address))
		return 0;
	return usage(ctx, "\"%s\" is no MAC, IPv4 or IPv6 address%s", word,
		     strchr(word, '/') ? ": it is that of one host, without a prefix" : "");
}

enum keyword {
	KEYWORD_PORT,
	KEYWORD_LLADDR,
};

static int parse_keyword(const struct ctx *ctx, void *decl, unsigned int keyword,
			 const char *value)
{
	struct word_addr mac;

	if (keyword == KEYWORD_PORT) {
		if (word_name(ctx, "NAME", value))
			return RC_USAGE;
		address_set_port(decl, value);
		return 0;
	}
	if (!word_addr(value, &mac) || mac.kind != WORD_MAC)
		return usage(ctx, "\"%s\" is no MAC address", value);
	address_set_lladdr(decl, &mac);
	return 0;
}

/* What follows the address. */
static int parse_rest(const struct ctx *ctx, json_t *decl, int argc, char **argv)
{
	static const char *const keywords[] = {
		[KEYWORD_PORT] = "port",
		[KEYWORD_LLADDR] = "lladdr",
		NULL
	};

	if (word_pairs(ctx, "keyword", keywords, argc, argv, parse_keyword, decl))
		return RC_USAGE;
	if (!json_object_get(decl, "port"))
		return usage_missing(ctx, "port NAME");
	return 0;
}

static int address_add(struct ctx *ctx, int argc, char **argv)
{
	struct word_addr address;
	json_t *decl;
	int rc;

	if (!argc)
		return usage_missing(ctx, "ADDRESS");
	if (parse_address(ctx, argv[0], &address))
		return RC_USAGE;
	decl = address_new(&address);
	rc = parse_rest(ctx, decl, argc - 1, argv + 1);
	if (!rc)
		rc = verb_send(ctx, decl, address_msg_new, "add address");
	json_decref(decl);
	return rc;
}

static int del_one(const struct ctx *ctx, const struct ivnl *nl, const char *word)
{
	struct nl_msg *msg;
	char what[128];
	bool full;

	msg = address_msg_del(nl, word, &full);
	snprintf(what, sizeof(what), "cannot delete address %s", word);
	return ivnl_request(ctx, nl, msg, full, NULL, what);
}

static int check_address(const struct ctx *ctx, const char *what, const char *word)
{
	struct word_addr address;

	(void)what;
	return parse_address(ctx, word, &address);
}

static int address_del(struct ctx *ctx, int argc, char **argv)
{
	return verb_each(ctx, argc, argv, "ADDRESS", check_address, del_one);
}

static const struct verb address_verbs[] = {
	{ "show", "list", "[port NAME]", "show which address is at which port",
	  address_show },
	{ "add", "new", "ADDRESS port NAME [lladdr MAC]",
	  "configure an address of a port, which need not run yet", address_add },
	{ "del", "delete", "ADDRESS...", "take configured addresses back", address_del },
	{ .name = NULL }
};

const struct object object_address = {
	.name = "address",
	.help = "addresses and the ports they are at",
	.verbs = address_verbs,
	.more =
	"An ADDRESS is a MAC, IPv4 or IPv6 address; lladdr is the MAC address that an\n"
	"IP address is at.\n",
};
