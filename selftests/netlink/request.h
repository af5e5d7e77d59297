/* SPDX-License-Identifier: GPL-2.0 */
/* Requests about couplings, as the tests of the netlink interface make them. */
#ifndef _IVSHM_TEST_REQUEST_H
#define _IVSHM_TEST_REQUEST_H

#include "nl.h"

/* Short names for what the tests write again and again. */
#define STATIC	IVSHM_COUPLING_STATIC
#define DYNAMIC	IVSHM_COUPLING_DYNAMIC
#define A(x)	IVSHM_A_COUPLING_##x

/* A socket, a message to be sent, and the last answer. */
struct request {
	struct nl_msg *msg;
	struct nl_answer answer;
	int sock;
	int family;
	int group;
};

/* In a new network namespace. 0, or -ENOENT if the module is not loaded. */
int req_setup(struct request *r);
void req_teardown(struct request *r);

/* Send r->msg. Returns the error, 0 or negative. */
int req_talk(struct request *r, nl_reader *reader, void *arg);

/* A request about the coupling of that name; its nest, which is left open. */
unsigned int req_begin_named(struct request *r, int cmd, const char *name);
/* Offset of the name, 0 without one. */
unsigned int req_put_member(struct nl_msg *msg, const char *name);
/* Members STEM0, STEM1, ... */
unsigned int req_put_members(struct nl_msg *msg, const char *stem, int nr);

int req_add(struct request *r, const char *name, int type, const char *stem, int nr);
int req_get(struct request *r, const char *name, nl_reader *reader, void *arg);
int req_del(struct request *r, const char *name);
int req_dump(struct request *r, int cmd, nl_reader *reader, void *arg);
/* A reader that counts messages. */
int req_count(const struct nlmsghdr *nlh, const struct nlattr *attrs, int len,
	      void *arg);
/* Or a negative error. */
int req_nr_couplings(struct request *r);

#endif /* _IVSHM_TEST_REQUEST_H */
