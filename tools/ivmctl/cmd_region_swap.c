// SPDX-License-Identifier: GPL-2.0
/* ivmctl region swap, and region show, which says what is swapped. */
#include <linux/ivshm_netlink.h>
#include <netlink/attr.h>
#include <string.h>

#include "nl.h"
#include "output.h"
#include "region_swap.h"

enum option {
	OPT_AT,
	OPT_POOL,
	OPT_SIZE,
	OPT_OFFSET,
	OPT_KEEP,
};

static const char *const options[] = {
	[OPT_AT] = "at",
	[OPT_POOL] = "pool",
	[OPT_SIZE] = "size",
	[OPT_OFFSET] = "offset",
	[OPT_KEEP] = "keep",
	NULL
};

/**
 * struct request - what the user asks for
 * @name:  of the region
 * @pool:  name of the region that pages are from
 * @given: mask of enum option: has a value
 * @value: by enum option, in bytes
 */
struct request {
	const char *name;
	const char *pool;
	unsigned int given;
	uint64_t value[OPT_KEEP + 1];
};

static int parse_option(const struct ctx *ctx, void *arg, unsigned int option,
			const char *word)
{
	static const char *const keeps[] = { "pool", NULL };
	struct request *req = arg;

	req->given |= 1U << option;
	switch (option) {
	case OPT_POOL:
		req->pool = word;
		return word_name(ctx, "POOL", word);
	case OPT_KEEP:
		if (word_match(word, keeps) < 0)
			return word_unknown(ctx, "value of keep", word,
					    word_match(word, keeps), keeps);
		return 0;
	default:
		return word_size(ctx, options[option], word, &req->value[option]);
	}
}

static int send_swap(struct ctx *ctx, const struct request *req)
{
	struct ivnl *nl = ivnl_get(ctx);
	struct nlattr *nest;
	struct nl_msg *msg;
	char what[128];
	bool full;

	if (!nl)
		return RC_REFUSED;
	msg = ivnl_msg_new(nl, IVSHM_CMD_SWAP_NEW, NLM_F_ACK);
	nest = ivnl_nest(msg, IVSHM_A_SWAP);
	full = !nest || nla_put_string(msg, IVSHM_A_SWAP_REGION, req->name) ||
	       nla_put_u64(msg, IVSHM_A_SWAP_OFFSET, req->value[OPT_AT]) ||
	       nla_put_string(msg, IVSHM_A_SWAP_POOL, req->pool) ||
	       nla_put_u64(msg, IVSHM_A_SWAP_SIZE, req->value[OPT_SIZE]);
	if (req->given & 1U << OPT_OFFSET)
		full = full || nla_put_u64(msg, IVSHM_A_SWAP_POOL_OFFSET,
					   req->value[OPT_OFFSET]);
	if (req->given & 1U << OPT_KEEP)
		full = full || nla_put_flag(msg, IVSHM_A_SWAP_KEEP_POOL);
	full = full || nla_nest_end(msg, nest);
	snprintf(what, sizeof(what), "cannot put pages of %s into region %s", req->pool,
		 req->name);
	return ivnl_request(ctx, nl, msg, full, NULL, what);
}

static int send_back(struct ctx *ctx, const struct request *req, bool force)
{
	struct ivnl *nl = ivnl_get(ctx);
	struct nlattr *nest;
	struct nl_msg *msg;
	char what[128];
	bool full;

	if (!nl)
		return RC_REFUSED;
	msg = ivnl_msg_new(nl, IVSHM_CMD_SWAP_DEL, NLM_F_ACK);
	nest = ivnl_nest(msg, IVSHM_A_SWAP);
	full = !nest || nla_put_string(msg, IVSHM_A_SWAP_REGION, req->name) ||
	       nla_put_u64(msg, IVSHM_A_SWAP_OFFSET, req->value[OPT_AT]);
	if (force)
		full = full || nla_put_flag(msg, IVSHM_A_SWAP_FORCE);
	full = full || nla_nest_end(msg, nest);
	snprintf(what, sizeof(what), "cannot give region %s its own pages again", req->name);
	return ivnl_request(ctx, nl, msg, full, NULL, what);
}

/* The word "back", which is none of the options' values. */
static int find_back(int argc, char **argv)
{
	int i;

	for (i = 0; i < argc; i += 2)
		if (!strcmp(argv[i], "back"))
			return i;
	return -1;
}

int region_swap(struct ctx *ctx, int argc, char **argv)
{
	struct request req = { 0 };
	bool force = false;
	int back;

	if (!argc)
		return usage_missing(ctx, "NAME");
	req.name = argv[0];
	if (word_name(ctx, "NAME", req.name))
		return RC_USAGE;
	back = find_back(--argc, ++argv);
	if (back >= 0) {
		force = back + 1 < argc && !strcmp(argv[back + 1], "force");
		if (back + 1 + force < argc)
			return usage_extra(ctx, argv[back + 1 + force]);
		argc = back;
	}
	if (word_pairs(ctx, "option", options, argc, argv, parse_option, &req))
		return RC_USAGE;
	if (!(req.given & 1U << OPT_AT))
		return usage_missing(ctx, "at OFFSET");
	if (back >= 0) {
		if (req.given != 1U << OPT_AT)
			return usage(ctx, "back takes nothing but \"at OFFSET\" and \"force\"");
		return send_back(ctx, &req, force);
	}
	if (!(req.given & 1U << OPT_POOL))
		return usage_missing(ctx, "pool POOL");
	if (!(req.given & 1U << OPT_SIZE))
		return usage_missing(ctx, "size BYTES");
	return send_swap(ctx, &req);
}

/* In place of the number of swaps of each region, what they are. */
static void add_swaps(json_t *regions, json_t *swaps)
{
	json_t *region, *swap, *own;
	size_t i, k;

	json_array_foreach(regions, i, region) {
		own = json_array();
		json_array_foreach(swaps, k, swap) {
			if (strcmp(json_str(swap, "region"), json_str(region, "name")))
				continue;
			swap = json_copy(swap);
			json_object_del(swap, "region");
			json_array_append_new(own, swap);
		}
		json_object_set_new(region, "swaps", own);
	}
}

int region_show(struct ctx *ctx, int argc, char **argv)
{
	const char *name = argc ? argv[0] : NULL;
	json_t *regions, *swaps;

	if (name && word_name(ctx, "NAME", name))
		return RC_USAGE;
	if (argc > 1)
		return usage_extra(ctx, argv[1]);
	if (ivnl_fetch(ctx, &ivnl_kind_region, name, &regions))
		return RC_REFUSED;
	if (ivnl_fetch(ctx, &ivnl_kind_swap, NULL, &swaps)) {
		json_decref(regions);
		return RC_REFUSED;
	}
	add_swaps(regions, swaps);
	json_decref(swaps);
	if (ctx->json)
		return print_json(ctx, regions);
	show_regions(ctx, regions);
	show_swaps(ctx, regions);
	json_decref(regions);
	return RC_OK;
}
