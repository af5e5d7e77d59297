// SPDX-License-Identifier: GPL-2.0
/* ivmctl peer */
#include <linux/ivshm_netlink.h>
#include <netlink/attr.h>
#include <string.h>

#include "nl.h"
#include "output.h"

enum option {
	OPT_MESSAGES,
	OPT_PAGES,
	OPT_BYTES,
};

static const char *const options[] = {
	[OPT_MESSAGES] = "messages",
	[OPT_PAGES] = "pages",
	[OPT_BYTES] = "bytes",
	NULL
};

/**
 * struct request - what the user asks for
 * @from:  region that sends
 * @to:    region that it sends to
 * @given: mask of enum option: has a value
 * @value: by enum option
 */
struct request {
	const char *from;
	const char *to;
	unsigned int given;
	uint64_t value[OPT_BYTES + 1];
};

static int parse_option(const struct ctx *ctx, void *arg, unsigned int option,
			const char *word)
{
	struct request *req = arg;
	uint64_t *value = &req->value[option];
	uint32_t number = 0;

	req->given |= 1U << option;
	if (option == OPT_BYTES)
		return word_size(ctx, "bytes", word, value);
	if (word_u32(ctx, options[option], options[option], word, &number))
		return RC_USAGE;
	*value = number;
	return 0;
}

static int parse_names(const struct ctx *ctx, struct request *req, int argc,
		       char **argv)
{
	if (!argc)
		return usage_missing(ctx, "FROM");
	if (word_name(ctx, "FROM", argv[0]))
		return RC_USAGE;
	if (argc < 2)
		return usage_missing(ctx, "TO");
	if (word_name(ctx, "TO", argv[1]))
		return RC_USAGE;
	req->from = argv[0];
	req->to = argv[1];
	return 0;
}

static int send_peer(struct ctx *ctx, const struct request *req, uint8_t cmd,
		     const char *doing)
{
	struct ivnl *nl = ivnl_get(ctx);
	struct nlattr *nest;
	struct nl_msg *msg;
	char what[128];
	bool full;

	if (!nl)
		return RC_REFUSED;
	msg = ivnl_msg_new(nl, cmd, NLM_F_ACK);
	nest = ivnl_nest(msg, IVSHM_A_PEER);
	full = !nest || nla_put_string(msg, IVSHM_A_PEER_FROM, req->from) ||
	       nla_put_string(msg, IVSHM_A_PEER_TO, req->to);
	if (req->given & 1U << OPT_MESSAGES)
		full = full || nla_put_u32(msg, IVSHM_A_PEER_MESSAGES,
					   (uint32_t)req->value[OPT_MESSAGES]);
	if (req->given & 1U << OPT_PAGES)
		full = full || nla_put_u64(msg, IVSHM_A_PEER_PAGES,
					   req->value[OPT_PAGES]);
	if (req->given & 1U << OPT_BYTES)
		full = full || nla_put_u64(msg, IVSHM_A_PEER_BYTES,
					   req->value[OPT_BYTES]);
	full = full || nla_nest_end(msg, nest);
	snprintf(what, sizeof(what), "cannot %s messages from %s to %s", doing,
		 req->from, req->to);
	return ivnl_request(ctx, nl, msg, full, NULL, what);
}

static int peer_allow(struct ctx *ctx, int argc, char **argv)
{
	struct request req = { 0 };

	if (parse_names(ctx, &req, argc, argv) ||
	    word_pairs(ctx, "option", options, argc - 2, argv + 2, parse_option, &req))
		return RC_USAGE;
	return send_peer(ctx, &req, IVSHM_CMD_PEER_SET, "allow");
}

static int peer_deny(struct ctx *ctx, int argc, char **argv)
{
	struct request req = { 0 };

	if (parse_names(ctx, &req, argc, argv))
		return RC_USAGE;
	if (argc > 2)
		return usage_extra(ctx, argv[2]);
	return send_peer(ctx, &req, IVSHM_CMD_PEER_DEL, "deny");
}

/* Only those from @from, and of these only that to @to. */
static void filter(json_t *peers, const char *from, const char *to)
{
	size_t i = 0;

	while (i < json_array_size(peers)) {
		json_t *peer = json_array_get(peers, i);

		if (strcmp(json_str(peer, "from"), from) ||
		    (to && strcmp(json_str(peer, "to"), to)))
			json_array_remove(peers, i);
		else
			i++;
	}
}

static int peer_show(struct ctx *ctx, int argc, char **argv)
{
	const char *to = argc > 1 ? argv[1] : NULL;
	json_t *peers;

	if ((argc && word_name(ctx, "FROM", argv[0])) ||
	    (to && word_name(ctx, "TO", to)))
		return RC_USAGE;
	if (argc > 2)
		return usage_extra(ctx, argv[2]);
	if (ivnl_fetch(ctx, &ivnl_kind_peer, NULL, &peers))
		return RC_REFUSED;
	if (argc)
		filter(peers, argv[0], to);
	if (ctx->json)
		return print_json(ctx, peers);
	if (ctx->stats)
		show_peers_stats(ctx, peers);
	else
		show_peers(ctx, peers);
	json_decref(peers);
	return RC_OK;
}

static const struct verb peer_verbs[] = {
	{ "show", "list", "[FROM [TO]]", "show who may send messages to whom",
	  peer_show },
	{ "allow", "set", "FROM TO [OPTION VALUE]...",
	  "let one region send messages to another, or change what may wait",
	  peer_allow },
	{ "deny", "del", "FROM TO", "do not let it any more", peer_deny },
	{ .name = NULL }
};

const struct object object_peer = {
	.name = "peer",
	.help = "who may send messages from one region to another",
	.verbs = peer_verbs,
	.more =
	"Options, what may wait for the receiver of this sender's:\n"
	"  messages N     messages (256)\n"
	"  pages N        pages of 4 KiB in them (32768), 0 for no limit\n"
	"  bytes BYTES    bytes in them, as 64K, 16M or 1G (0, no limit)\n",
};
