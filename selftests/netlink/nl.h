/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Generic netlink by hand: messages as wrong as a test needs them, and answers
 * as the kernel sent them.
 */
#ifndef _IVSHM_TEST_NL_H
#define _IVSHM_TEST_NL_H

#include <linux/genetlink.h>
#include <linux/ivshm_netlink.h>
#include <linux/netlink.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NL_SIZE	65536

/* A message under construction. */
struct nl_msg {
	union {
		struct nlmsghdr hdr;
		char buf[NL_SIZE];
	};
};

static inline struct nlmsghdr *nl_hdr(struct nl_msg *msg)
{
	return &msg->hdr;
}

void nl_begin(struct nl_msg *msg, int family, int cmd, int flags);
/* The offset of the attribute in the message, to be compared with an answer. */
unsigned int nl_put(struct nl_msg *msg, int type, const void *data, size_t len);
unsigned int nl_put_u32(struct nl_msg *msg, int type, uint32_t value);
unsigned int nl_put_u8(struct nl_msg *msg, int type, uint8_t value);
unsigned int nl_put_str(struct nl_msg *msg, int type, const char *value);
unsigned int nl_nest(struct nl_msg *msg, int type);
void nl_nest_end(struct nl_msg *msg, unsigned int nest);

/* What the kernel said to a request. */
struct nl_answer {
	int error;		/* negative, or 0 */
	char text[256];		/* empty if there was none */
	unsigned int offset;	/* of the attribute at fault, 0 if none was named */
	unsigned int miss_type;	/* attribute that is missing, 0 for none */
	unsigned int miss_nest;	/* offset of the nest it is missing in */
};

/* A socket in the current namespace. -1 with errno set. */
int nl_open(void);
/* One that hears events, too. */
int nl_listen(int group);
/* The family's number, and that of its events group. -1 if it is not there. */
int nl_family(int sock, int *group);

/*
 * Called for each message of an answer, with its attributes.  A return value
 * other than 0 ends the reading of a dump.
 */
typedef int nl_reader(const struct nlmsghdr *nlh, const struct nlattr *attrs,
		      int len, void *arg);

/* Send and read up to the acknowledgment, or the end of the dump. */
void nl_talk(int sock, struct nl_msg *msg, struct nl_answer *answer,
	     nl_reader *reader, void *arg);

/* A socket in the current network namespace, a message, the last answer. */
struct control {
	struct nl_msg *msg;
	struct nl_answer answer;
	int sock;
	int family;
	int group;
};

/* 0, or -ENOENT and a word of why if the module is not loaded. */
int control_open(struct control *c);
void control_close(struct control *c);
/* Send c->msg. Returns the error, 0 or negative. */
int control_talk(struct control *c, nl_reader *reader, void *arg);

/* One event within a second. False if there is none. */
bool nl_event(int sock, nl_reader *reader, void *arg);

/* Attribute @type among @len bytes at @attrs, or NULL. */
const struct nlattr *nl_find(const struct nlattr *attrs, int len, int type);
/* The first, and then each next one, of those of @type. */
const struct nlattr *nl_next(const struct nlattr *attrs, int len, int type,
			     const struct nlattr *at);
const void *nl_data(const struct nlattr *attr);
int nl_len(const struct nlattr *attr);
uint32_t nl_u32(const struct nlattr *attr);
/* Of nests: nl_in(nest, TYPE) finds what is in it. */
const struct nlattr *nl_in(const struct nlattr *nest, int type);

#endif /* _IVSHM_TEST_NL_H */
