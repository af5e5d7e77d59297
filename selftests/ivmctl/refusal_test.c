// SPDX-License-Identifier: GPL-2.0
/* Refusals of the kernel in the user's words, and words in general. */
#include <errno.h>
#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <stdlib.h>

#include "attr.h"
#include "ktap.h"
#include "message.h"
#include "nl.h"

/* The offset of attribute @path[0], in it @path[1] and so on, up to a 0. */
static unsigned int offset_of(struct nl_msg *msg, const int *path)
{
	struct nlattr *first = genlmsg_attrdata(genlmsg_hdr(nlmsg_hdr(msg)), 0);
	int len = genlmsg_attrlen(genlmsg_hdr(nlmsg_hdr(msg)), 0);
	struct nlattr *nla = NULL;

	for (; *path; path++) {
		nla = nla_find(first, len, *path);
		first = nla_data(nla);
		len = nla_len(nla);
	}
	return (unsigned int)((char *)nla - (char *)nlmsg_hdr(msg));
}

/* The start of an answer to @request; @capped leaves the request out of it. */
static struct nl_msg *answer(struct nl_msg *request, int error, bool capped)
{
	struct nlmsghdr *nlh = nlmsg_hdr(request);
	struct nl_msg *msg = nlmsg_alloc_simple(NLMSG_ERROR, NLM_F_ACK_TLVS |
						(capped ? NLM_F_CAPPED : 0));

	nlmsg_append(msg, &error, sizeof(error), 0);
	nlmsg_append(msg, nlh, capped ? sizeof(*nlh) : nlh->nlmsg_len,
		     NLMSG_ALIGNTO);
	return msg;
}

static void put_offset(struct nl_msg *msg, unsigned int offset)
{
	nla_put_u32(msg, NLMSGERR_ATTR_OFFS, offset);
}

static void put_text(struct nl_msg *msg, const char *text)
{
	nla_put_string(msg, NLMSGERR_ATTR_MSG, text);
}

/* Both are released. */
static int check(struct nl_msg *msg, struct nl_msg *request, const char *want)
{
	struct ivnl_refusal refusal;
	char text[512] = "malformed";

	if (ivnl_refusal_parse(nlmsg_hdr(msg), nlmsg_hdr(request), &refusal))
		ivnl_explain(&refusal, text, sizeof(text));
	nlmsg_free(request);
	nlmsg_free(msg);
	return ktap_same("explanation", text, want);
}

static int plain(void)
{
	struct nl_msg *request = message_static();

	return check(answer(request, -ENOENT, true), request,
		     "No such file or directory");
}

static int permission(void)
{
	struct nl_msg *request = message_static();

	return check(answer(request, -EPERM, false), request,
		     "Operation not permitted (this needs CAP_NET_ADMIN)");
}

/* The kernel says better what is needed. */
static int permission_text(void)
{
	struct nl_msg *request = message_static();
	struct nl_msg *msg = answer(request, -EPERM, false);

	put_text(msg, "needs CAP_SYS_ADMIN");
	return check(msg, request, "needs CAP_SYS_ADMIN: Operation not permitted");
}

static int text_only(void)
{
	struct nl_msg *request = message_static();
	struct nl_msg *msg = answer(request, -EEXIST, false);

	put_text(msg, "a coupling of that name exists");
	return check(msg, request, "a coupling of that name exists: File exists");
}

static int string_at_fault(void)
{
	static const int path[] = { IVSHM_A_COUPLING, IVSHM_A_COUPLING_NAME, 0 };
	struct nl_msg *request = message_static();
	struct nl_msg *msg = answer(request, -EEXIST, true);

	put_text(msg, "exists");
	put_offset(msg, offset_of(request, path));
	return check(msg, request, "name \"cross\": exists: File exists");
}

static int number_at_fault(void)
{
	static const int path[] = { IVSHM_A_COUPLING, IVSHM_A_COUPLING_PARK_US, 0 };
	struct nl_msg *request = message_dynamic();
	struct nl_msg *msg = answer(request, -ERANGE, false);
	struct nlattr *policy;

	put_text(msg, "integer out of range");
	put_offset(msg, offset_of(request, path));
	policy = nla_nest_start(msg, NLMSGERR_ATTR_POLICY);
	nla_put_u64(msg, NL_POLICY_TYPE_ATTR_MIN_VALUE_U, 0);
	nla_put_u64(msg, NL_POLICY_TYPE_ATTR_MAX_VALUE_U, 999);
	nla_nest_end(msg, policy);
	return check(msg, request,
		     "park-us 1000: integer out of range (allowed: 0 to 999): Numerical result out of range");
}

static int member_at_fault(void)
{
	static const int path[] = {
		IVSHM_A_COUPLING, IVSHM_A_COUPLING_MEMBERS,
		IVSHM_A_COUPLING_MEMBER, IVSHM_A_MEMBER_NAME, 0
	};
	static const int nest_path[] = {
		IVSHM_A_COUPLING, IVSHM_A_COUPLING_MEMBERS,
		IVSHM_A_COUPLING_MEMBER, 0
	};
	struct nl_msg *request = message_static();
	struct nl_msg *msg = answer(request, -EBUSY, true);
	int failed;

	put_text(msg, "belongs to another coupling");
	put_offset(msg, offset_of(request, path));
	failed = check(msg, request,
		       "port \"vnet2\": belongs to another coupling: Device or resource busy");

	/* The nest around the name says as much. */
	request = message_static();
	msg = answer(request, -EBUSY, true);
	put_offset(msg, offset_of(request, nest_path));
	return failed | check(msg, request,
			      "port \"vnet2\": Device or resource busy");
}

static int enum_and_bool_at_fault(void)
{
	static const int type[] = { IVSHM_A_COUPLING, IVSHM_A_COUPLING_TYPE, 0 };
	static const int bypass[] = { IVSHM_A_COUPLING, IVSHM_A_COUPLING_BYPASS, 0 };
	struct nl_msg *request = message_static();
	struct nl_msg *msg = answer(request, -EINVAL, true);
	int failed;

	put_offset(msg, offset_of(request, type));
	failed = check(msg, request, "type static: Invalid argument");

	request = message_dynamic();
	msg = answer(request, -EINVAL, true);
	put_offset(msg, offset_of(request, bypass));
	return failed | check(msg, request, "bypass yes: Invalid argument");
}

static int missing_attribute(void)
{
	static const int path[] = { IVSHM_A_COUPLING, 0 };
	struct nl_msg *request = message_static();
	struct nl_msg *msg = answer(request, -EINVAL, true);
	int failed;

	nla_put_u32(msg, NLMSGERR_ATTR_MISS_TYPE, IVSHM_A_COUPLING_THRESHOLD);
	nla_put_u32(msg, NLMSGERR_ATTR_MISS_NEST, offset_of(request, path));
	failed = check(msg, request, "threshold is missing: Invalid argument");

	request = message(IVSHM_CMD_COUPLING_NEW);
	msg = answer(request, -EINVAL, true);
	nla_put_u32(msg, NLMSGERR_ATTR_MISS_TYPE, IVSHM_A_COUPLING);
	return failed | check(msg, request, "coupling is missing: Invalid argument");
}

/* Offsets that lead nowhere leave the rest as it is. */
static int wild_offset(void)
{
	static const unsigned int offsets[] = { 1, 23, 5000, UINT32_MAX };
	int failed = 0;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(offsets); i++) {
		struct nl_msg *request = message_static();
		struct nl_msg *msg = answer(request, -EINVAL, true);

		put_text(msg, "no");
		put_offset(msg, offsets[i]);
		failed |= check(msg, request, "no: Invalid argument");
	}
	return failed;
}

static int end_of_dump(void)
{
	struct nl_msg *request = message(IVSHM_CMD_PORT_GET);
	struct nl_msg *msg = nlmsg_alloc_simple(NLMSG_DONE, NLM_F_ACK_TLVS);
	int error = -ENOMEM;

	nlmsg_append(msg, &error, sizeof(error), 0);
	put_text(msg, "too much");
	return check(msg, request, "too much: Cannot allocate memory");
}

static int warning(void)
{
	struct nl_msg *request = message_static();
	struct nl_msg *msg = answer(request, 0, true);
	int failed;

	put_text(msg, "as you wish");
	failed = check(msg, request, "as you wish");

	request = message_static();
	return failed | check(answer(request, 0, true), request, "");
}

static int truncated(void)
{
	struct nl_msg *request = message_static();
	struct nl_msg *msg = nlmsg_alloc_simple(NLMSG_ERROR, 0);
	int error = -EINVAL;

	nlmsg_append(msg, &error, sizeof(error), 0);
	return check(msg, request, "malformed");
}

static int matching(void)
{
	static const char *const words[] = {
		"port", "coupling", "park-us", "port-range", NULL
	};
	int failed = 0;

	failed |= word_match("port", words) != 0;
	failed |= word_match("port-", words) != 3;
	failed |= word_match("pa", words) != 2;
	failed |= word_match("p", words) != WORD_AMBIGUOUS;
	failed |= word_match("c", words) != 1;
	failed |= word_match("couplings", words) != WORD_NONE;
	failed |= word_match("", words) != WORD_NONE;
	return failed;
}

static int suggesting(void)
{
	static const char *const words[] = {
		"port", "coupling", "address", "del", NULL
	};
	static const struct {
		const char *word, *want;
	} cases[] = {
		{ "prot", "port" },
		{ "POTR", "port" },
		{ "edl", "del" },
		{ "couplings", "coupling" },
		{ "cuopling", "coupling" },
		{ "addrses", "address" },
		{ "bridge", "none" },
		{ "x", "none" },
		{ "coupling-coupling-coupling-coupling-coupling", "none" },
	};
	int failed = 0;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *got = word_suggest(cases[i].word, words);

		if (!got)
			got = "none";
		failed |= ktap_same(cases[i].word, got, cases[i].want);
	}
	return failed;
}

/*
 * The kernel itself, by way of a family that every kernel has: a refusal is
 * one, a success is one, and the socket works on after each.
 */
static int live_requests(void)
{
	struct ctx ctx = { .out = stdout };
	struct ivnl *nl = ivnl_open(&ctx, "nlctrl");
	int failed = 0;
	int i;

	if (!nl) {
		puts("# no generic netlink here");
		return TEST_SKIP;
	}
	for (i = 0; i < 2; i++) {
		struct nl_msg *msg;

		msg = ivnl_msg_new(nl, CTRL_CMD_GETFAMILY, NLM_F_ACK);
		nla_put_string(msg, CTRL_ATTR_FAMILY_NAME, "no-such");
		failed |= ivnl_request(&ctx, nl, msg, false, NULL,
				       "expected to fail") != RC_REFUSED;

		msg = ivnl_msg_new(nl, CTRL_CMD_GETFAMILY, NLM_F_ACK);
		nla_put_string(msg, CTRL_ATTR_FAMILY_NAME, "nlctrl");
		failed |= ivnl_request(&ctx, nl, msg, false, NULL,
				       "must not fail") != RC_OK;

		msg = ivnl_msg_new(nl, CTRL_CMD_GETFAMILY, NLM_F_DUMP);
		failed |= ivnl_request(&ctx, nl, msg, false, NULL,
				       "must not fail") != RC_OK;

		msg = ivnl_msg_new(nl, 200, NLM_F_ACK);
		failed |= ivnl_request(&ctx, nl, msg, false, NULL,
				       "expected to fail") != RC_REFUSED;
	}
	ivnl_close(nl);
	return failed;
}

int main(void)
{
	puts("TAP version 13\n1..16");
	ktap_run("nothing but an error", plain);
	ktap_run("permission", permission);
	ktap_run("permission, with a text", permission_text);
	ktap_run("text", text_only);
	ktap_run("string at fault", string_at_fault);
	ktap_run("number at fault, with its range", number_at_fault);
	ktap_run("member at fault", member_at_fault);
	ktap_run("enum and boolean at fault", enum_and_bool_at_fault);
	ktap_run("missing attribute", missing_attribute);
	ktap_run("wild offset", wild_offset);
	ktap_run("end of a dump", end_of_dump);
	ktap_run("warning", warning);
	ktap_run("truncated refusal", truncated);
	ktap_run("matching words", matching);
	ktap_run("suggesting words", suggesting);
	ktap_run("requests to the kernel", live_requests);
	return ktap_failed != 0;
}
