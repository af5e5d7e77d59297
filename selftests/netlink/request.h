/* SPDX-License-Identifier: GPL-2.0 */
/* Requests about couplings, as the tests of the netlink interface make them. */
#ifndef _IVSHM_TEST_REQUEST_H
#define _IVSHM_TEST_REQUEST_H

#include "nl.h"

/* Short names for what the tests write again and again. */
#define STATIC	IVSHM_COUPLING_STATIC
#define DYNAMIC	IVSHM_COUPLING_DYNAMIC
#define A(x)	IVSHM_A_COUPLING_##x

/* In a new network namespace. As control_open(). */
int req_open(struct control *c);

/* A request about the coupling of that name; its nest, which is left open. */
unsigned int req_begin_named(struct control *c, int cmd, const char *name);
/* Offset of the name, 0 without one. */
unsigned int req_put_member(struct nl_msg *msg, const char *name);
/* Members STEM0, STEM1, ... */
unsigned int req_put_members(struct nl_msg *msg, const char *stem, int nr);

int req_add(struct control *c, const char *name, int type, const char *stem, int nr);
int req_get(struct control *c, const char *name, nl_reader *reader, void *arg);
int req_del(struct control *c, const char *name);
int req_dump(struct control *c, int cmd, nl_reader *reader, void *arg);
/* A reader that counts messages. */
int req_count(const struct nlmsghdr *nlh, const struct nlattr *attrs, int len,
	      void *arg);
/* Or a negative error. */
int req_nr_couplings(struct control *c);

#endif /* _IVSHM_TEST_REQUEST_H */
