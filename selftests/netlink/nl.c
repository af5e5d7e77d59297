// SPDX-License-Identifier: GPL-2.0
/* Generic netlink by hand. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "nl.h"

#ifndef SOL_NETLINK
#define SOL_NETLINK	270
#endif

static unsigned int sequence;

void nl_begin(struct nl_msg *msg, int family, int cmd, int flags)
{
	struct nlmsghdr *nlh = nl_hdr(msg);
	struct genlmsghdr *genl = NLMSG_DATA(nlh);

	memset(msg, 0, NLMSG_LENGTH(GENL_HDRLEN));
	nlh->nlmsg_len = NLMSG_LENGTH(GENL_HDRLEN);
	nlh->nlmsg_type = family;
	nlh->nlmsg_flags = NLM_F_REQUEST | flags;
	nlh->nlmsg_seq = ++sequence;
	genl->cmd = cmd;
	genl->version = IVSHM_GENL_VERSION;
}

unsigned int nl_put(struct nl_msg *msg, int type, const void *data, size_t len)
{
	struct nlmsghdr *nlh = nl_hdr(msg);
	unsigned int at = NLMSG_ALIGN(nlh->nlmsg_len);
	struct nlattr *attr = (struct nlattr *)(msg->buf + at);

	if (at + NLA_HDRLEN + NLA_ALIGN(len) > NL_SIZE)
		abort();
	attr->nla_type = type;
	attr->nla_len = NLA_HDRLEN + len;
	memset(attr + 1, 0, NLA_ALIGN(len));
	if (len)
		memcpy(attr + 1, data, len);
	nlh->nlmsg_len = at + NLA_HDRLEN + NLA_ALIGN(len);
	return at;
}

unsigned int nl_put_u32(struct nl_msg *msg, int type, uint32_t value)
{
	return nl_put(msg, type, &value, sizeof(value));
}

unsigned int nl_put_u8(struct nl_msg *msg, int type, uint8_t value)
{
	return nl_put(msg, type, &value, sizeof(value));
}

unsigned int nl_put_str(struct nl_msg *msg, int type, const char *value)
{
	return nl_put(msg, type, value, strlen(value) + 1);
}

unsigned int nl_nest(struct nl_msg *msg, int type)
{
	return nl_put(msg, type | NLA_F_NESTED, NULL, 0);
}

void nl_nest_end(struct nl_msg *msg, unsigned int nest)
{
	struct nlattr *attr = (struct nlattr *)(msg->buf + nest);

	attr->nla_len = nl_hdr(msg)->nlmsg_len - nest;
}

int nl_open(void)
{
	struct sockaddr_nl addr = { .nl_family = AF_NETLINK };
	int sock, one = 1;

	sock = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC);
	if (sock < 0)
		return -1;
	setsockopt(sock, SOL_NETLINK, NETLINK_EXT_ACK, &one, sizeof(one));
	if (bind(sock, (struct sockaddr *)&addr, sizeof(addr))) {
		close(sock);
		return -1;
	}
	return sock;
}

int nl_listen(int group)
{
	int sock = nl_open();

	if (sock >= 0 && setsockopt(sock, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP,
				    &group, sizeof(group))) {
		close(sock);
		return -1;
	}
	return sock;
}

const void *nl_data(const struct nlattr *attr)
{
	return (const char *)attr + NLA_HDRLEN;
}

int nl_len(const struct nlattr *attr)
{
	return attr->nla_len - NLA_HDRLEN;
}

uint32_t nl_u32(const struct nlattr *attr)
{
	uint32_t value = ~0;

	if (attr && nl_len(attr) == sizeof(value))
		memcpy(&value, nl_data(attr), sizeof(value));
	return value;
}

const struct nlattr *nl_next(const struct nlattr *attrs, int len, int type,
			     const struct nlattr *at)
{
	const char *end = (const char *)attrs + len;
	const char *p = (const char *)attrs;

	if (at)
		p = (const char *)at + NLA_ALIGN(at->nla_len);
	while (end - p >= NLA_HDRLEN) {
		const struct nlattr *attr = (const struct nlattr *)p;

		if (attr->nla_len < NLA_HDRLEN || attr->nla_len > end - p)
			return NULL;
		if ((attr->nla_type & NLA_TYPE_MASK) == type)
			return attr;
		p += NLA_ALIGN(attr->nla_len);
	}
	return NULL;
}

const struct nlattr *nl_find(const struct nlattr *attrs, int len, int type)
{
	return nl_next(attrs, len, type, NULL);
}

const struct nlattr *nl_in(const struct nlattr *nest, int type)
{
	return nest ? nl_find(nl_data(nest), nl_len(nest), type) : NULL;
}

static void read_answer(const struct nlmsghdr *nlh, struct nl_answer *answer)
{
	const struct nlmsgerr *err = NLMSG_DATA(nlh);
	const char *tlvs = (const char *)(err + 1);
	const struct nlattr *attr;
	int len;

	answer->error = err->error;
	if (!(nlh->nlmsg_flags & NLM_F_ACK_TLVS))
		return;
	if (!(nlh->nlmsg_flags & NLM_F_CAPPED))
		tlvs += NLMSG_ALIGN(err->msg.nlmsg_len) - sizeof(err->msg);
	len = (const char *)nlh + nlh->nlmsg_len - tlvs;
	attr = nl_find((const struct nlattr *)tlvs, len, NLMSGERR_ATTR_MSG);
	if (attr)
		snprintf(answer->text, sizeof(answer->text), "%s",
			 (const char *)nl_data(attr));
	attr = nl_find((const struct nlattr *)tlvs, len, NLMSGERR_ATTR_OFFS);
	if (attr)
		answer->offset = nl_u32(attr);
	attr = nl_find((const struct nlattr *)tlvs, len, NLMSGERR_ATTR_MISS_TYPE);
	if (attr)
		answer->miss_type = nl_u32(attr);
	attr = nl_find((const struct nlattr *)tlvs, len, NLMSGERR_ATTR_MISS_NEST);
	if (attr)
		answer->miss_nest = nl_u32(attr);
}

/* The end of a dump carries an error, and a text without an attribute. */
static void read_done(const struct nlmsghdr *nlh, struct nl_answer *answer)
{
	const char *tlvs = (const char *)NLMSG_DATA(nlh) + sizeof(int);
	const struct nlattr *attr;

	memcpy(&answer->error, NLMSG_DATA(nlh), sizeof(int));
	if (!(nlh->nlmsg_flags & NLM_F_ACK_TLVS))
		return;
	attr = nl_find((const struct nlattr *)tlvs,
		       (const char *)nlh + nlh->nlmsg_len - tlvs, NLMSGERR_ATTR_MSG);
	if (attr)
		snprintf(answer->text, sizeof(answer->text), "%s",
			 (const char *)nl_data(attr));
}

static int read_message(const struct nlmsghdr *nlh, nl_reader *reader, void *arg)
{
	const struct nlattr *attrs = (const struct nlattr *)
		((const char *)NLMSG_DATA(nlh) + GENL_HDRLEN);

	return reader ? reader(nlh, attrs,
			       nlh->nlmsg_len - NLMSG_LENGTH(GENL_HDRLEN), arg) : 0;
}

void nl_talk(int sock, struct nl_msg *msg, struct nl_answer *answer,
	     nl_reader *reader, void *arg)
{
	bool dump = (nl_hdr(msg)->nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP;
	unsigned int seq = nl_hdr(msg)->nlmsg_seq;
	static char buf[NL_SIZE * 2];
	struct nlmsghdr *nlh;
	ssize_t got;

	memset(answer, 0, sizeof(*answer));
	if (!dump)
		nl_hdr(msg)->nlmsg_flags |= NLM_F_ACK;
	answer->error = -EIO;
	if (send(sock, msg->buf, nl_hdr(msg)->nlmsg_len, 0) < 0) {
		answer->error = -errno;
		return;
	}
	for (;;) {
		got = recv(sock, buf, sizeof(buf), 0);
		if (got < 0) {
			answer->error = -errno;
			return;
		}
		for (nlh = (struct nlmsghdr *)buf; NLMSG_OK(nlh, got);
		     nlh = NLMSG_NEXT(nlh, got)) {
			if (nlh->nlmsg_seq != seq)
				continue;
			if (nlh->nlmsg_type == NLMSG_ERROR) {
				read_answer(nlh, answer);
				return;
			}
			if (nlh->nlmsg_type == NLMSG_DONE) {
				read_done(nlh, answer);
				return;
			}
			if (read_message(nlh, reader, arg) && dump)
				return;
		}
	}
}

bool nl_event(int sock, nl_reader *reader, void *arg)
{
	struct pollfd pfd = { .fd = sock, .events = POLLIN };
	static char buf[NL_SIZE];
	struct nlmsghdr *nlh = (struct nlmsghdr *)buf;
	ssize_t got;

	if (poll(&pfd, 1, 1000) != 1)
		return false;
	got = recv(sock, buf, sizeof(buf), 0);
	return got > 0 && NLMSG_OK(nlh, got) && !read_message(nlh, reader, arg);
}

struct family {
	int id;
	int group;
};

static int read_family(const struct nlmsghdr *nlh, const struct nlattr *attrs,
		       int len, void *arg)
{
	const struct nlattr *groups = nl_find(attrs, len, CTRL_ATTR_MCAST_GROUPS);
	const struct nlattr *id = nl_find(attrs, len, CTRL_ATTR_FAMILY_ID);
	struct family *family = arg;
	uint16_t value;

	(void)nlh;
	if (id) {
		memcpy(&value, nl_data(id), sizeof(value));
		family->id = value;
	}
	/* A list of one. */
	if (groups)
		family->group = nl_u32(nl_in(nl_in(groups, 1), CTRL_ATTR_MCAST_GRP_ID));
	return 0;
}

int nl_family(int sock, int *group)
{
	struct family family = { .id = -1, .group = -1 };
	struct nl_answer answer;
	struct nl_msg *msg;

	msg = malloc(sizeof(*msg));
	if (!msg)
		return -1;
	nl_begin(msg, GENL_ID_CTRL, CTRL_CMD_GETFAMILY, 0);
	nl_put_str(msg, CTRL_ATTR_FAMILY_NAME, IVSHM_GENL_NAME);
	nl_talk(sock, msg, &answer, read_family, &family);
	free(msg);
	*group = family.group;
	return answer.error ? -1 : family.id;
}

int control_open(struct control *c)
{
	c->msg = malloc(sizeof(*c->msg));
	if (!c->msg)
		return -ENOMEM;
	c->sock = nl_open();
	if (c->sock < 0)
		return -errno;
	c->family = nl_family(c->sock, &c->group);
	if (c->family >= 0)
		return 0;
	fputs("# root and the module are needed\n", stderr);
	return -ENOENT;
}

void control_close(struct control *c)
{
	close(c->sock);
	free(c->msg);
}

int control_talk(struct control *c, nl_reader *reader, void *arg)
{
	nl_talk(c->sock, c->msg, &c->answer, reader, arg);
	return c->answer.error;
}
