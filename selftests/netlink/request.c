// SPDX-License-Identifier: GPL-2.0
/* Requests about couplings, as the tests of the netlink interface make them. */
#include <errno.h>
#include <sched.h>
#include <stdio.h>

#include "request.h"

int req_open(struct control *c)
{
	return unshare(CLONE_NEWNET) ? -errno : control_open(c);
}

/* A request about the coupling of that name; the nest is left open. */
unsigned int req_begin_named(struct control *c, int cmd, const char *name)
{
	unsigned int nest;

	nl_begin(c->msg, c->family, cmd, 0);
	nest = nl_nest(c->msg, IVSHM_A_COUPLING);
	if (name)
		nl_put_str(c->msg, IVSHM_A_COUPLING_NAME, name);
	return nest;
}

unsigned int req_put_member(struct nl_msg *msg, const char *name)
{
	unsigned int nest = nl_nest(msg, IVSHM_A_COUPLING_MEMBER), at = 0;

	if (name)
		at = nl_put_str(msg, IVSHM_A_MEMBER_NAME, name);
	nl_nest_end(msg, nest);
	return at;
}

unsigned int req_put_members(struct nl_msg *msg, const char *stem, int nr)
{
	unsigned int nest = nl_nest(msg, IVSHM_A_COUPLING_MEMBERS);
	char name[32];
	int i;

	for (i = 0; i < nr; i++) {
		snprintf(name, sizeof(name), "%s%d", stem, i);
		req_put_member(msg, name);
	}
	nl_nest_end(msg, nest);
	return nest;
}

int req_add(struct control *c, const char *name, int type, const char *stem, int nr)
{
	unsigned int nest = req_begin_named(c, IVSHM_CMD_COUPLING_NEW, name);

	nl_put_u32(c->msg, IVSHM_A_COUPLING_TYPE, type);
	req_put_members(c->msg, stem, nr);
	nl_nest_end(c->msg, nest);
	return control_talk(c, NULL, NULL);
}

int req_get(struct control *c, const char *name, nl_reader *reader, void *arg)
{
	nl_nest_end(c->msg, req_begin_named(c, IVSHM_CMD_COUPLING_GET, name));
	return control_talk(c, reader, arg);
}

int req_del(struct control *c, const char *name)
{
	nl_nest_end(c->msg, req_begin_named(c, IVSHM_CMD_COUPLING_DEL, name));
	return control_talk(c, NULL, NULL);
}

int req_dump(struct control *c, int cmd, nl_reader *reader, void *arg)
{
	nl_begin(c->msg, c->family, cmd, NLM_F_DUMP);
	return control_talk(c, reader, arg);
}

int req_count(const struct nlmsghdr *nlh, const struct nlattr *attrs, int len,
	      void *arg)
{
	(void)nlh;
	(void)attrs;
	(void)len;
	++*(int *)arg;
	return 0;
}

/* A coupling may take several messages; only the first one has its members. */
static int count_couplings(const struct nlmsghdr *nlh, const struct nlattr *attrs,
			   int len, void *arg)
{
	(void)nlh;
	if (nl_in(nl_find(attrs, len, IVSHM_A_COUPLING), A(MEMBERS)))
		++*(int *)arg;
	return 0;
}

int req_nr_couplings(struct control *c)
{
	int nr = 0;

	return req_dump(c, IVSHM_CMD_COUPLING_GET, count_couplings, &nr) ?: nr;
}
