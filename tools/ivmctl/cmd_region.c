// SPDX-License-Identifier: GPL-2.0
/* ivmctl region */
#include <grp.h>
#include <linux/ivshm.h>
#include <linux/ivshm_msgq.h>
#include <linux/ivshm_netlink.h>
#include <netlink/attr.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "attr.h"
#include "nl.h"
#include "output.h"
#include "region_swap.h"
#include "serve.h"
#include "verbs.h"

enum option {
	OPT_SIZE,
	OPT_PAGE,
	OPT_NODE,
	OPT_MODE,
	OPT_OWNER,
	OPT_GROUP,
	OPT_VECTORS,
	OPT_RINGS,
	OPTIONS,
};

static const char *const options[] = {
	[OPT_SIZE] = "size",
	[OPT_PAGE] = "page",
	[OPT_NODE] = "node",
	[OPT_MODE] = "mode",
	[OPT_OWNER] = "owner",
	[OPT_GROUP] = "group",
	[OPT_VECTORS] = "vectors",
	[OPT_RINGS] = "rings",
};

/* Of the socket, if nothing else is said. */
#define SERVE_MODE	0600

/**
 * struct request - what the user asks for
 * @name:  of the region
 * @first: first option of those that the verb takes
 * @given: mask of enum option: has a value
 * @value: by enum option
 */
struct request {
	const char *name;
	unsigned int first;
	unsigned int given;
	uint64_t value[OPTIONS];
};

static int parse_mode(const struct ctx *ctx, const char *word, uint64_t *value)
{
	size_t digits = strspn(word, "01234567");

	if (!digits || digits > 4 || word[digits])
		return usage(ctx, "mode: \"%s\" is no mode, as 0660", word);
	*value = strtoull(word, NULL, 8);
	return 0;
}

static int parse_number(const struct ctx *ctx, const char *what,
			const char *unit, const char *word, uint64_t *value)
{
	uint32_t number = 0;

	if (word_u32(ctx, what, unit, word, &number))
		return RC_USAGE;
	*value = number;
	return 0;
}

static int parse_owner(const struct ctx *ctx, const char *word, uint64_t *value)
{
	const struct passwd *user = getpwnam(word);

	if (!user && !word[strspn(word, "0123456789")])
		return parse_number(ctx, "owner", "a user's number", word, value);
	if (!user)
		return usage(ctx, "owner: there is no user \"%s\"", word);
	*value = user->pw_uid;
	return 0;
}

static int parse_group(const struct ctx *ctx, const char *word, uint64_t *value)
{
	const struct group *group = getgrnam(word);

	if (!group && !word[strspn(word, "0123456789")])
		return parse_number(ctx, "group", "a group's number", word, value);
	if (!group)
		return usage(ctx, "group: there is no group \"%s\"", word);
	*value = group->gr_gid;
	return 0;
}

static int parse_option(const struct ctx *ctx, void *arg, unsigned int index,
			const char *word)
{
	struct request *req = arg;
	unsigned int option = req->first + index;
	uint64_t *value = &req->value[option];

	req->given |= 1U << option;
	switch (option) {
	case OPT_MODE:
		return parse_mode(ctx, word, value);
	case OPT_OWNER:
		return parse_owner(ctx, word, value);
	case OPT_GROUP:
		return parse_group(ctx, word, value);
	case OPT_NODE:
		return parse_number(ctx, "node", "a NUMA node's number", word, value);
	case OPT_VECTORS:
		return parse_number(ctx, "vectors", "vectors", word, value);
	case OPT_RINGS:
		return parse_number(ctx, "rings", "requests", word, value);
	default:
		return word_size(ctx, options[option], word, value);
	}
}

/* [OPTION VALUE]... with options from @first to @last */
static int parse_options(const struct ctx *ctx, struct request *req,
			 unsigned int first, unsigned int last, int argc, char **argv)
{
	const char *words[OPTIONS + 1] = { NULL };

	memcpy(words, &options[first], (last + 1 - first) * sizeof(words[0]));
	req->first = first;
	return word_pairs(ctx, "option", words, argc, argv, parse_option, req);
}

/* NAME [OPTION VALUE]... with those of "add" */
static int parse(const struct ctx *ctx, struct request *req, int argc, char **argv)
{
	if (!argc)
		return usage_missing(ctx, "NAME");
	req->name = argv[0];
	if (word_name(ctx, "NAME", req->name))
		return RC_USAGE;
	return parse_options(ctx, req, OPT_SIZE, OPT_GROUP, argc - 1, argv + 1);
}

static int send_region(struct ctx *ctx, const struct request *req, uint8_t cmd,
		       const char *doing)
{
	static const int attrs[] = {
		[OPT_SIZE] = IVSHM_A_REGION_SIZE,
		[OPT_PAGE] = IVSHM_A_REGION_PAGE_SIZE,
		[OPT_NODE] = IVSHM_A_REGION_NODE,
		[OPT_MODE] = IVSHM_A_REGION_MODE,
		[OPT_OWNER] = IVSHM_A_REGION_UID,
		[OPT_GROUP] = IVSHM_A_REGION_GID,
	};
	struct ivnl *nl = ivnl_get(ctx);
	struct nlattr *nest;
	struct nl_msg *msg;
	char what[128];
	unsigned int i;
	bool full;

	if (!nl)
		return RC_REFUSED;
	msg = ivnl_msg_new(nl, cmd, NLM_F_ACK);
	nest = ivnl_nest(msg, IVSHM_A_REGION);
	full = !nest || nla_put_string(msg, IVSHM_A_REGION_NAME, req->name);
	for (i = 0; i < ARRAY_SIZE(attrs) && !full; i++) {
		if (!(req->given & 1U << i))
			continue;
		if (i == OPT_SIZE)
			full = nla_put_u64(msg, attrs[i], req->value[i]);
		else
			full = nla_put_u32(msg, attrs[i], (uint32_t)req->value[i]);
	}
	full = full || nla_nest_end(msg, nest);
	snprintf(what, sizeof(what), "cannot %s region %s", doing, req->name);
	return ivnl_request(ctx, nl, msg, full, NULL, what);
}

static int region_add(struct ctx *ctx, int argc, char **argv)
{
	struct request req = { 0 };

	if (parse(ctx, &req, argc, argv))
		return RC_USAGE;
	if (!(req.given & 1U << OPT_SIZE))
		return usage_missing(ctx, "size BYTES");
	if (req.value[OPT_PAGE] > UINT32_MAX)
		return usage(ctx, "page: pages are of 4K or 2M");
	return send_region(ctx, &req, IVSHM_CMD_REGION_NEW, "add");
}

static int region_set(struct ctx *ctx, int argc, char **argv)
{
	struct request req = { 0 };
	unsigned int i;

	if (parse(ctx, &req, argc, argv))
		return RC_USAGE;
	for (i = 0; i < OPT_MODE; i++)
		if (req.given & 1U << i)
			return usage(ctx, "the %s of a region cannot be changed", options[i]);
	if (!req.given)
		return usage_missing(ctx, "mode, owner or group");
	return send_region(ctx, &req, IVSHM_CMD_REGION_SET, "change");
}

static int del_region(const struct ctx *ctx, const struct ivnl *nl,
		      const char *name, bool force)
{
	struct nl_msg *msg = ivnl_msg_new(nl, IVSHM_CMD_REGION_DEL, NLM_F_ACK);
	struct nlattr *nest = ivnl_nest(msg, IVSHM_A_REGION);
	bool full = !nest;
	char what[128];

	full = full || nla_put_string(msg, IVSHM_A_REGION_NAME, name);
	if (force)
		full = full || nla_put_flag(msg, IVSHM_A_REGION_FORCE);
	full = full || nla_nest_end(msg, nest);
	snprintf(what, sizeof(what), "cannot delete region %s", name);
	return ivnl_request(ctx, nl, msg, full, NULL, what);
}

static int del_one(const struct ctx *ctx, const struct ivnl *nl, const char *name)
{
	return del_region(ctx, nl, name, false);
}

static int del_forced(const struct ctx *ctx, const struct ivnl *nl, const char *name)
{
	return del_region(ctx, nl, name, true);
}

static int region_del(struct ctx *ctx, int argc, char **argv)
{
	bool force = argc > 1 && !strcmp(argv[argc - 1], "force");

	return verb_each(ctx, argc - force, argv, "NAME", word_name,
			 force ? del_forced : del_one);
}

/* The value of @option, or @otherwise. */
static uint32_t value_or(const struct request *req, unsigned int option, uint32_t otherwise)
{
	return req->given & 1U << option ? (uint32_t)req->value[option] : otherwise;
}

static int region_serve(struct ctx *ctx, int argc, char **argv)
{
	struct serve_config config;
	struct request req = { 0 };

	if (ctx->file)
		return usage(ctx, "serve is not for a batch");
	if (!argc)
		return usage_missing(ctx, "NAME");
	config.name = argv[0];
	if (word_name(ctx, "NAME", config.name))
		return RC_USAGE;
	if (argc < 2)
		return usage_missing(ctx, "SOCKET");
	config.path = argv[1];
	if (word_name(ctx, "SOCKET", config.path))
		return RC_USAGE;
	if (strlen(config.path) >= sizeof(((struct sockaddr_un *)0)->sun_path))
		return usage(ctx, "SOCKET: \"%s\" is too long for a socket", config.path);
	if (parse_options(ctx, &req, OPT_MODE, OPT_RINGS, argc - 2, argv + 2))
		return RC_USAGE;
	config.vectors = value_or(&req, OPT_VECTORS, 1);
	if (!config.vectors || config.vectors > IVSHM_VECTORS)
		return usage(ctx, "vectors: %u is out of range (1 to %u)", config.vectors,
			     IVSHM_VECTORS);
	config.rings = value_or(&req, OPT_RINGS, 0);
	if (req.given & 1U << OPT_RINGS &&
	    (!config.rings || config.rings > IVSHM_MSGQ_RINGS_MAX ||
	     config.rings & (config.rings - 1)))
		return usage(ctx, "rings: %u is no power of two (1 to %u)", config.rings,
			     IVSHM_MSGQ_RINGS_MAX);
	config.mode = (mode_t)value_or(&req, OPT_MODE, SERVE_MODE);
	config.owner = (uid_t)value_or(&req, OPT_OWNER, (uid_t)-1);
	config.group = (gid_t)value_or(&req, OPT_GROUP, (gid_t)-1);
	return serve(ctx, &config);
}

static const struct verb region_verbs[] = {
	{ "show", "list", "[NAME]", "show one region or all", region_show },
	{ "add", "new", "NAME size BYTES [OPTION VALUE]...",
	  "make shared memory behind a device", region_add },
	{ "set", "change", "NAME OPTION VALUE [OPTION VALUE]...",
	  "change who may open it", region_set },
	{ "del", "delete", "NAME... [force]", "delete regions", region_del },
	{ "swap", NULL, "NAME at OFFSET {pool POOL size BYTES [OPTION VALUE]... | back [force]}",
	  "put another region's pages in place of a range, and back, under a running VM",
	  region_swap },
	{ "serve", NULL, "NAME SOCKET [OPTION VALUE]...",
	  "let peers with QEMU's ivshmem-doorbell meet", region_serve },
	{ .name = NULL }
};

const struct object object_region = {
	.name = "region",
	.help = "memory that VMs share, behind /dev/ivshm/NAME",
	.verbs = region_verbs,
	.more =
	"Options:\n"
	"  size BYTES     a power of two, as 64K, 16M or 1G\n"
	"  page 4K|2M     what it is made of (4K)\n"
	"  node N         NUMA node that the memory is of (any)\n"
	"  mode MODE      permissions of the device (0600)\n"
	"  owner USER     owner of the device (root)\n"
	"  group GROUP    group of the device (root)\n"
	"mode, owner and group can be set later.\n"
	"Options of swap:\n"
	"  at OFFSET      where the range begins\n"
	"  size BYTES     of the range\n"
	"  pool POOL      the region that the pages are from\n"
	"  offset OFFSET  where they begin there (0)\n"
	"  keep pool      what is in them stays, not what is in the range\n"
	"Options of serve:\n"
	"  vectors N      of each peer, 1 to 32 (1)\n"
	"  rings N        for messages, of N requests: for one VM, whose window it is\n"
	"  mode, owner, group  of the socket (0600, who serves)\n",
};
