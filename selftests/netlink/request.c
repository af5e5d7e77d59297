// SPDX-License-Identifier: GPL-2.0
/* Requests about couplings, as the tests of the netlink interface make them. */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "request.h"

int req_setup(struct request *r)
{
	r->msg = malloc(sizeof(*r->msg));
	if (!r->msg || unshare(CLONE_NEWNET))
		return -errno;
	r->sock = nl_open();
	if (r->sock < 0)
		return -errno;
	r->family = nl_family(r->sock, &r->group);
	return r->family < 0 ? -ENOENT : 0;
}

void req_teardown(struct request *r)
{
	close(r->sock);
	free(r->msg);
}

int req_talk(struct request *r, nl_reader *reader, void *arg)
{
	nl_talk(r->sock, r->msg, &r->answer, reader, arg);
	return r->answer.error;
}

/* A request about the coupling of that name; the nest is left open. */
unsigned int req_begin_named(struct request *r, int cmd, const char *name)
{
	unsigned int nest;

	nl_begin(r->msg, r->family, cmd, 0);
	nest = nl_nest(r->msg, IVSHM_A_COUPLING);
	if (name)
		nl_put_str(r->msg, IVSHM_A_COUPLING_NAME, name);
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

int req_add(struct request *r, const char *name, int type, const char *stem, int nr)
{
	unsigned int nest = req_begin_named(r, IVSHM_CMD_COUPLING_NEW, name);

	nl_put_u32(r->msg, IVSHM_A_COUPLING_TYPE, type);
	req_put_members(r->msg, stem, nr);
	nl_nest_end(r->msg, nest);
	return req_talk(r, NULL, NULL);
}

int req_get(struct request *r, const char *name, nl_reader *reader, void *arg)
{
	nl_nest_end(r->msg, req_begin_named(r, IVSHM_CMD_COUPLING_GET, name));
	return req_talk(r, reader, arg);
}

int req_del(struct request *r, const char *name)
{
	nl_nest_end(r->msg, req_begin_named(r, IVSHM_CMD_COUPLING_DEL, name));
	return req_talk(r, NULL, NULL);
}

int req_dump(struct request *r, int cmd, nl_reader *reader, void *arg)
{
	nl_begin(r->msg, r->family, cmd, NLM_F_DUMP);
	return req_talk(r, reader, arg);
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

int req_nr_couplings(struct request *r)
{
	int nr = 0;

	return req_dump(r, IVSHM_CMD_COUPLING_GET, count_couplings, &nr) ?: nr;
}
