// SPDX-License-Identifier: GPL-2.0
/* ivmctl coupling */
#include <linux/ivshm_netlink.h>
#include <netlink/attr.h>
#include <string.h>

#include "attr.h"
#include "nl.h"
#include "output.h"

enum option {
	OPT_THRESHOLD,
	OPT_IDLE,
	OPT_PARK_US,
	OPT_BYPASS,
	OPT_STRICT,
	OPT_MATCH,
	OPT_PORT,
	OPT_UPPER,
};

/* Written out in full, so that they do not take names away from ports. */
static const char *const options[] = {
	[OPT_THRESHOLD] = "threshold",
	[OPT_IDLE] = "idle",
	[OPT_PARK_US] = "park-us",
	[OPT_BYPASS] = "bypass",
	[OPT_STRICT] = "strict",
	[OPT_MATCH] = "match",
	[OPT_PORT] = "port",
	[OPT_UPPER] = "upper",
	NULL
};

/* What makes a port a member: an attribute and its value. */
struct rule {
	int attr;
	int len;
	const void *value;
	struct word_addr addr;
};

/**
 * struct request - what the user asks for
 * @name:    of the coupling
 * @type:    enum ivshm_coupling_type
 * @given:   mask of enum option: has a value in @value
 * @value:   by enum option
 * @members: words that name ports
 * @nr:      number of @members
 * @rules:   what other ports are to fit
 * @nr_rules: number of @rules
 */
struct request {
	const char *name;
	uint32_t type;
	unsigned int given;
	uint32_t value[OPT_PORT];
	char **members;
	int nr;
	struct rule rules[IVSHM_MEMBERS_MAX];
	int nr_rules;
};

static int parse_type(const struct ctx *ctx, const char *word, uint32_t *type)
{
	static const char *const words[] = {
		[IVSHM_COUPLING_STATIC] = "static",
		[IVSHM_COUPLING_DYNAMIC] = "dynamic",
		NULL
	};
	int match = word_match(word, words);

	if (match < 0)
		return word_unknown(ctx, "type", word, match, words);
	*type = (uint32_t)match;
	return 0;
}

static int parse_bool(const struct ctx *ctx, const char *what, const char *word,
		      uint32_t *value)
{
	static const char *const words[] = { "no", "yes", NULL };
	int match = word_match(word, words);

	if (match < 0)
		return usage(ctx, "%s: expected yes or no, not \"%s\"", what, word);
	*value = (uint32_t)match;
	return 0;
}

static int parse_match(const struct ctx *ctx, const char *word, uint32_t *value)
{
	static const char *const words[] = {
		[IVSHM_MATCH_MAC] = "mac",
		[IVSHM_MATCH_IP] = "ip",
		NULL
	};
	int match = word_match(word, words);

	if (match < 0)
		return word_unknown(ctx, "match", word, match, words);
	*value = (uint32_t)match;
	return 0;
}

static int parse_option(const struct ctx *ctx, struct request *req,
			unsigned int option, const char *word)
{
	const char *what = options[option];
	uint32_t *value = &req->value[option];

	if (req->given & 1U << option)
		return usage(ctx, "%s is given twice", what);
	req->given |= 1U << option;

	switch (option) {
	case OPT_THRESHOLD:
		return word_u32(ctx, what, "frames per second", word, value);
	case OPT_IDLE:
		if (!strcmp(word, "never"))
			return 0;
		return word_u32(ctx, what, "seconds", word, value);
	case OPT_PARK_US:
		return word_u32(ctx, what, "microseconds", word, value);
	case OPT_MATCH:
		return parse_match(ctx, word, value);
	default:
		return parse_bool(ctx, what, word, value);
	}
}

static int option_of(const char *word)
{
	int i;

	for (i = 0; options[i]; i++)
		if (!strcmp(word, options[i]))
			return i;
	return -1;
}

/*
 * A word that is no option is the name of a port, which need not exist: a
 * misspelt option would become a port that never comes. So a word close to
 * an option must be marked as a port, unless it has a digit as most
 * interfaces have and no option has.
 */
static int check_member(const struct ctx *ctx, const char *word)
{
	const char *option;
	int match;

	if (word_name(ctx, "PORT", word))
		return RC_USAGE;
	if (strlen(word) < 3 || strpbrk(word, "0123456789"))
		return 0;

	match = word_match(word, options);
	option = match >= 0 ? options[match] : word_suggest(word, options);
	if (option)
		return usage(ctx,
			     "unknown option \"%s\", did you mean \"%s\"? (For a port of that name write \"port %s\".)",
			     word, option, word);
	return 0;
}

static int add_rule(const struct ctx *ctx, struct request *req, int attr, const char *word)
{
	struct rule *rule = &req->rules[req->nr_rules];

	if (req->nr_rules == ARRAY_SIZE(req->rules))
		return usage(ctx, "more than %d rules", IVSHM_MEMBERS_MAX);
	rule->attr = attr;
	rule->value = word;
	rule->len = (int)strlen(word) + 1;
	req->nr_rules++;
	return 0;
}

/* A word that is a pattern or an address. */
static bool is_rule(const char *word, struct word_addr *addr)
{
	return strpbrk(word, "*?[") || word_addr(word, addr);
}

static int add_fit(const struct ctx *ctx, struct request *req, const char *word)
{
	static const int attrs[] = {
		[WORD_MAC] = IVSHM_A_MEMBER_MAC,
		[WORD_IPV4] = IVSHM_A_MEMBER_IPV4,
		[WORD_IPV6] = IVSHM_A_MEMBER_IPV6,
	};
	struct rule *rule = &req->rules[req->nr_rules];

	if (add_rule(ctx, req, IVSHM_A_MEMBER_GLOB, word))
		return RC_USAGE;
	if (word_addr(word, &rule->addr)) {
		rule->attr = attrs[rule->addr.kind];
		rule->value = rule->addr.bytes;
		rule->len = rule->addr.len;
	}
	return 0;
}

/* Members are moved to the front of @argv. */
static int parse_rest(const struct ctx *ctx, struct request *req, int argc,
		      char **argv)
{
	struct word_addr addr;
	int i, option;

	req->members = argv;
	for (i = 0; i < argc; i++) {
		option = option_of(argv[i]);
		if (option < 0 && is_rule(argv[i], &addr)) {
			if (add_fit(ctx, req, argv[i]))
				return RC_USAGE;
			continue;
		}
		if (option < 0) {
			if (check_member(ctx, argv[i]))
				return RC_USAGE;
			req->members[req->nr++] = argv[i];
			continue;
		}
		if (++i == argc)
			return usage(ctx, "missing argument: the value of %s",
				     options[option]);
		if (option == OPT_PORT) {
			req->members[req->nr++] = argv[i];
		} else if (option == OPT_UPPER) {
			if (word_name(ctx, "DEVICE", argv[i]) ||
			    add_rule(ctx, req, IVSHM_A_MEMBER_UPPER, argv[i]))
				return RC_USAGE;
		} else if (parse_option(ctx, req, (unsigned int)option, argv[i])) {
			return RC_USAGE;
		}
	}
	if (req->nr < 2 && !req->nr_rules)
		return usage_missing(ctx, req->nr ? "a second PORT" : "PORT");
	return 0;
}

/* Attributes report that the message is full by anything but 0. */
static bool put_members(struct nl_msg *msg, const struct request *req)
{
	struct nlattr *members = ivnl_nest(msg, IVSHM_A_COUPLING_MEMBERS);
	bool full = !members;
	int i;

	for (i = 0; i < req->nr && !full; i++) {
		struct nlattr *member = ivnl_nest(msg, IVSHM_A_COUPLING_MEMBER);

		full = !member ||
		       nla_put_string(msg, IVSHM_A_MEMBER_NAME, req->members[i]);
		if (!full)
			nla_nest_end(msg, member);
	}
	return full || nla_nest_end(msg, members);
}

static bool put_rules(struct nl_msg *msg, const struct request *req)
{
	struct nlattr *rules = ivnl_nest(msg, IVSHM_A_COUPLING_RULES);
	bool full = !rules;
	int i;

	for (i = 0; i < req->nr_rules && !full; i++) {
		struct nlattr *rule = ivnl_nest(msg, IVSHM_A_COUPLING_MEMBER);

		full = !rule || nla_put(msg, req->rules[i].attr, req->rules[i].len,
					req->rules[i].value);
		if (!full)
			nla_nest_end(msg, rule);
	}
	return full || nla_nest_end(msg, rules);
}

static bool put_options(struct nl_msg *msg, const struct request *req)
{
	static const int attrs[] = {
		[OPT_THRESHOLD] = IVSHM_A_COUPLING_THRESHOLD,
		[OPT_IDLE] = IVSHM_A_COUPLING_IDLE,
		[OPT_PARK_US] = IVSHM_A_COUPLING_PARK_US,
		[OPT_MATCH] = IVSHM_A_COUPLING_MATCH,
	};
	bool full = false;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(attrs); i++)
		if (attrs[i] && req->given & 1U << i)
			full = full || nla_put_u32(msg, attrs[i], req->value[i]);
	if (req->given & 1U << OPT_BYPASS)
		full = full || nla_put_u8(msg, IVSHM_A_COUPLING_BYPASS,
					  (uint8_t)req->value[OPT_BYPASS]);
	if (req->given & 1U << OPT_STRICT)
		full = full || nla_put_u8(msg, IVSHM_A_COUPLING_STRICT,
					  (uint8_t)req->value[OPT_STRICT]);
	return full;
}

static bool put_coupling(struct nl_msg *msg, const struct request *req)
{
	struct nlattr *nest = ivnl_nest(msg, IVSHM_A_COUPLING);
	bool full = !nest;

	full = full || nla_put_string(msg, IVSHM_A_COUPLING_NAME, req->name);
	full = full || nla_put_u32(msg, IVSHM_A_COUPLING_TYPE, req->type);
	if (req->nr)
		full = full || put_members(msg, req);
	if (req->nr_rules)
		full = full || put_rules(msg, req);
	full = full || put_options(msg, req);
	return full || nla_nest_end(msg, nest);
}

static int coupling_add(struct ctx *ctx, int argc, char **argv)
{
	struct request req = { 0 };
	struct nl_msg *msg;
	char what[128];
	struct ivnl *nl;
	bool full;

	if (!argc)
		return usage_missing(ctx, "NAME");
	req.name = argv[0];
	if (word_name(ctx, "NAME", req.name))
		return RC_USAGE;
	if (argc < 2)
		return usage_missing(ctx, "the type, static or dynamic");
	if (parse_type(ctx, argv[1], &req.type) ||
	    parse_rest(ctx, &req, argc - 2, argv + 2))
		return RC_USAGE;

	nl = ivnl_get(ctx);
	if (!nl)
		return RC_REFUSED;
	msg = ivnl_msg_new(nl, IVSHM_CMD_COUPLING_NEW, NLM_F_ACK);
	full = put_coupling(msg, &req);
	snprintf(what, sizeof(what), "cannot add coupling %s", req.name);
	return ivnl_request(ctx, nl, msg, full, NULL, what);
}

static int coupling_change(struct ctx *ctx, int argc, char **argv)
{
	struct request req = { 0 };
	uint32_t disabled = 2;	/* as it is */
	struct nlattr *nest;
	struct nl_msg *msg;
	struct ivnl *nl;
	char what[128];
	bool full, off;
	int i, option;

	if (!argc)
		return usage_missing(ctx, "NAME");
	req.name = argv[0];
	if (word_name(ctx, "NAME", req.name))
		return RC_USAGE;
	if (argc == 1)
		return usage_missing(ctx, "an option");
	for (i = 1; i < argc; i += 2) {
		option = option_of(argv[i]);
		off = !strcmp(argv[i], "disabled");
		if (!off && (option < 0 || option > OPT_PARK_US))
			return usage(ctx, "\"%s\" is no option that can be changed", argv[i]);
		if (i + 1 == argc)
			return usage(ctx, "missing argument: the value of %s", argv[i]);
		if (off && parse_bool(ctx, argv[i], argv[i + 1], &disabled))
			return RC_USAGE;
		if (!off && parse_option(ctx, &req, (unsigned int)option, argv[i + 1]))
			return RC_USAGE;
	}

	nl = ivnl_get(ctx);
	if (!nl)
		return RC_REFUSED;
	msg = ivnl_msg_new(nl, IVSHM_CMD_COUPLING_SET, NLM_F_ACK);
	nest = ivnl_nest(msg, IVSHM_A_COUPLING);
	full = !nest || nla_put_string(msg, IVSHM_A_COUPLING_NAME, req.name) ||
	       put_options(msg, &req) ||
	       (disabled < 2 &&
		nla_put_u8(msg, IVSHM_A_COUPLING_DISABLED, (uint8_t)disabled)) ||
	       nla_nest_end(msg, nest);
	snprintf(what, sizeof(what), "cannot change coupling %s", req.name);
	return ivnl_request(ctx, nl, msg, full, NULL, what);
}

static int del_one(const struct ctx *ctx, const struct ivnl *nl, const char *name)
{
	struct nl_msg *msg = ivnl_msg_new(nl, IVSHM_CMD_COUPLING_DEL, NLM_F_ACK);
	struct nlattr *nest = ivnl_nest(msg, IVSHM_A_COUPLING);
	bool full = !nest;
	char what[128];

	full = full || nla_put_string(msg, IVSHM_A_COUPLING_NAME, name);
	full = full || nla_nest_end(msg, nest);
	snprintf(what, sizeof(what), "cannot delete coupling %s", name);
	return ivnl_request(ctx, nl, msg, full, NULL, what);
}

/* All of them, even if one cannot be deleted. */
static int coupling_del(struct ctx *ctx, int argc, char **argv)
{
	int rc = RC_OK;
	struct ivnl *nl;
	int i;

	if (!argc)
		return usage_missing(ctx, "NAME");
	for (i = 0; i < argc; i++)
		if (word_name(ctx, "NAME", argv[i]))
			return RC_USAGE;

	nl = ivnl_get(ctx);
	if (!nl)
		return RC_REFUSED;
	for (i = 0; i < argc; i++)
		if (del_one(ctx, nl, argv[i]))
			rc = RC_REFUSED;
	return rc;
}

static int coupling_show(struct ctx *ctx, int argc, char **argv)
{
	const char *name = NULL;
	json_t *couplings;

	if (argc) {
		name = argv[0];
		if (word_name(ctx, "NAME", name))
			return RC_USAGE;
	}
	if (argc > 1)
		return usage_extra(ctx, argv[1]);

	if (ivnl_fetch(ctx, &ivnl_kind_coupling, name, &couplings))
		return RC_REFUSED;
	if (ctx->json)
		return print_json(ctx, couplings);
	show_couplings(ctx, couplings);
	json_decref(couplings);
	return RC_OK;
}

static const struct verb coupling_verbs[] = {
	{ "show", "list", "[NAME]", "show one coupling or all", coupling_show },
	{ "add", "new", "NAME static|dynamic PORT|RULE... [OPTION VALUE]...",
	  "join ports, whose VMs need not run yet", coupling_add },
	{ "del", "delete", "NAME...", "dissolve couplings", coupling_del },
	{ "change", "set", "NAME [OPTION VALUE]... [disabled yes|no]",
	  "change threshold, idle and park-us, or switch it off, while frames flow",
	  coupling_change },
	{ .name = NULL }
};

const struct object object_coupling = {
	.name = "coupling",
	.help = "sets of ports whose frames go direct",
	.verbs = coupling_verbs,
	.more =
	"Types:\n"
	"  static   joined while the members run, no way to the uplink\n"
	"  dynamic  by the destination of each frame, all others to the uplink\n"
	"Options:\n"
	"  threshold N    frames within a second that join a pair (1), dynamic only\n"
	"  idle S         seconds without a frame that part it (30), 0 or never, dynamic only\n"
	"  park-us N      microseconds a frame waits for a full receiver (1000)\n"
	"  bypass yes|no  do not ask the bridge's rules (no), dynamic only\n"
	"  strict yes|no  only from addresses configured for the port (no)\n"
	"  match mac|ip   which address says whom a frame is for (mac), dynamic only\n"
	"  port NAME      a port, also one whose name is that of an option\n"
	"Rules, for ports that need not be named:\n"
	"  'vnet*'        a pattern for their names\n"
	"  ADDRESS        the port that this MAC or IP address is configured for\n"
	"  upper DEVICE   all on that Linux bridge, or on that lower device of macvtaps\n",
};
