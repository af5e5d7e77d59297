// SPDX-License-Identifier: GPL-2.0
/* Message queues, as their tests make and use them. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "msgq.h"

/*
 * Peers
 */

unsigned int peer_begin(struct control *c, int cmd, const char *from, const char *to)
{
	unsigned int nest;

	nl_begin(c->msg, c->family, cmd, 0);
	nest = nl_nest(c->msg, IVSHM_A_PEER);
	if (from)
		nl_put_str(c->msg, P(FROM), from);
	if (to)
		nl_put_str(c->msg, P(TO), to);
	return nest;
}

int peer_limit(struct control *c, const char *from, const char *to,
	       uint32_t messages, uint64_t pages, uint64_t bytes)
{
	unsigned int nest = peer_begin(c, IVSHM_CMD_PEER_SET, from, to);

	if (messages != ~0U)
		nl_put_u32(c->msg, P(MESSAGES), messages);
	if (pages != ~0ULL)
		nl_put(c->msg, P(PAGES), &pages, sizeof(pages));
	if (bytes != ~0ULL)
		nl_put(c->msg, P(BYTES), &bytes, sizeof(bytes));
	nl_nest_end(c->msg, nest);
	return control_talk(c, NULL, NULL);
}

int peer_allow(struct control *c, const char *from, const char *to)
{
	return peer_limit(c, from, to, ~0U, ~0ULL, ~0ULL);
}

int peer_deny(struct control *c, const char *from, const char *to)
{
	nl_nest_end(c->msg, peer_begin(c, IVSHM_CMD_PEER_DEL, from, to));
	return control_talk(c, NULL, NULL);
}

static uint64_t u64_of(const struct nlattr *attr)
{
	uint64_t value = ~0ULL;

	if (attr && nl_len(attr) == sizeof(value))
		memcpy(&value, nl_data(attr), sizeof(value));
	return value;
}

static void text_of(char *to, const struct nlattr *attr)
{
	snprintf(to, IVSHM_NAME_MAX, "%s", attr ? (const char *)nl_data(attr) : "");
}

static int read_attrs(const struct nlmsghdr *nlh, const struct nlattr *attrs, int len,
		      void *arg)
{
	const struct nlattr *nest = nl_find(attrs, len, IVSHM_A_PEER), *stats;
	struct peer_attrs *to = arg;
	int i;

	(void)nlh;
	text_of(to->from, nl_in(nest, P(FROM)));
	text_of(to->to, nl_in(nest, P(TO)));
	to->messages = nl_u32(nl_in(nest, P(MESSAGES)));
	to->pages = u64_of(nl_in(nest, P(PAGES)));
	to->bytes = u64_of(nl_in(nest, P(BYTES)));
	to->now_messages = nl_u32(nl_in(nest, P(NOW_MESSAGES)));
	to->now_pages = u64_of(nl_in(nest, P(NOW_PAGES)));
	to->now_bytes = u64_of(nl_in(nest, P(NOW_BYTES)));
	stats = nl_in(nest, P(STATS));
	for (i = STAT(MESSAGES); i <= STAT(MAX); i++)
		to->stat[i] = u64_of(nl_in(stats, i));
	return 0;
}

int peer_get(struct control *c, const char *from, const char *to,
	     struct peer_attrs *attrs)
{
	memset(attrs, 0, sizeof(*attrs));
	nl_nest_end(c->msg, peer_begin(c, IVSHM_CMD_PEER_GET, from, to));
	return control_talk(c, read_attrs, attrs);
}

static int count_one(const struct nlmsghdr *nlh, const struct nlattr *attrs,
		     int len, void *arg)
{
	(void)nlh;
	if (nl_find(attrs, len, IVSHM_A_PEER))
		++*(int *)arg;
	return 0;
}

int peer_count(struct control *c)
{
	int nr = 0;

	nl_begin(c->msg, c->family, IVSHM_CMD_PEER_GET, NLM_F_DUMP);
	return control_talk(c, count_one, &nr) ?: nr;
}

/* Names of all peers. */
struct names {
	int nr;
	char (*at)[2][IVSHM_NAME_MAX];
};

static int name_one(const struct nlmsghdr *nlh, const struct nlattr *attrs, int len,
		    void *arg)
{
	const struct nlattr *nest = nl_find(attrs, len, IVSHM_A_PEER);
	struct names *names = arg;

	(void)nlh;
	if (!nest || names->nr == IVSHM_PEERS_MAX)
		return 0;
	text_of(names->at[names->nr][0], nl_in(nest, P(FROM)));
	text_of(names->at[names->nr++][1], nl_in(nest, P(TO)));
	return 0;
}

void peer_del_all(struct control *c)
{
	struct names names = { 0 };

	names.at = calloc(IVSHM_PEERS_MAX, sizeof(*names.at));
	if (!names.at)
		return;
	nl_begin(c->msg, c->family, IVSHM_CMD_PEER_GET, NLM_F_DUMP);
	control_talk(c, name_one, &names);
	while (names.nr--)
		peer_deny(c, names.at[names.nr][0], names.at[names.nr][1]);
	free(names.at);
}

/*
 * Windows
 */

int window_join(struct control *c, struct window *w, const char *name)
{
	struct region_attrs attrs;
	int err;

	window_clear(w);
	err = region_get(c, name, &attrs);
	if (err)
		return err;
	w->number = attrs.number;
	w->size = attrs.size;
	w->fd = region_open(c, name, O_RDWR);
	if (w->fd < 0)
		return w->fd;
	w->at = region_map(w->fd, w->size);
	return w->at == MAP_FAILED ? -errno : 0;
}

int window_open(struct control *c, struct window *w, const char *name, size_t size,
		uint32_t page)
{
	int err;

	window_clear(w);
	err = region_add(c, name, size, page) ?: window_join(c, w, name);
	return err ?: msgq_attach(w->fd, 0, 0);
}

void window_clear(struct window *w)
{
	w->fd = -1;
	w->at = MAP_FAILED;
}

void window_close(struct window *w)
{
	if (w->at != MAP_FAILED)
		munmap(w->at, w->size);
	if (w->fd >= 0)
		close(w->fd);
	window_clear(w);
}

int windows_open(struct control *c, struct window *a, struct window *b, size_t size)
{
	int err = control_open(c);

	if (err)
		return err;
	region_del_all(c);
	peer_del_all(c);
	return window_open(c, a, "a", size, 0) ?: window_open(c, b, "b", size, 0) ?:
	       peer_allow(c, "a", "b");
}

void windows_close(struct control *c, struct window *a, struct window *b)
{
	window_close(a);
	window_close(b);
	region_del_all(c);
	peer_del_all(c);
	control_close(c);
}

/*
 * Ioctls
 */

int msgq_attach(int fd, uint32_t depth, uint32_t slots)
{
	struct ivshm_msgq_attach arg = {
		.argsz = sizeof(arg), .depth = depth, .slots = slots,
	};

	return ioctl(fd, IVSHM_MSGQ_ATTACH, &arg) ? -errno : 0;
}

int msgq_bind(int fd, uint32_t event, int eventfd)
{
	struct ivshm_msgq_bind arg = {
		.argsz = sizeof(arg), .event = event, .fd = eventfd,
	};

	return ioctl(fd, IVSHM_MSGQ_BIND, &arg) ? -errno : 0;
}

int msgq_batch(int fd, unsigned long cmd, void *entries, uint32_t size, uint32_t count)
{
	struct ivshm_msgq_batch arg = {
		.argsz = sizeof(arg),
		.addr = (uintptr_t)entries,
		.count = count,
		.entry_size = size,
	};

	return ioctl(fd, cmd, &arg) ? -errno : (int)arg.done;
}

static int one(int fd, unsigned long cmd, void *entry, uint32_t size)
{
	int done = msgq_batch(fd, cmd, entry, size, 1);

	return done < 0 ? done : 0;
}

int msgq_post(int fd, uint64_t offset, uint64_t len, uint64_t cookie)
{
	struct ivshm_msgq_slot slot = { .offset = offset, .len = len, .cookie = cookie };

	return one(fd, IVSHM_MSGQ_POST, &slot, sizeof(slot));
}

int msgq_send(int fd, struct ivshm_msgq_send *send)
{
	return one(fd, IVSHM_MSGQ_SEND, send, sizeof(*send));
}

int msgq_recv(int fd, struct ivshm_msgq_recv *recv)
{
	return one(fd, IVSHM_MSGQ_RECV, recv, sizeof(*recv));
}

int msgq_release(int fd, uint64_t id)
{
	return one(fd, IVSHM_MSGQ_RELEASE, &id, sizeof(id));
}

int msgq_done(int fd, struct ivshm_msgq_done *done)
{
	return one(fd, IVSHM_MSGQ_DONE, done, sizeof(*done));
}

#define SPOIL(at, value)	__atomic_store_n(&(at), value, __ATOMIC_RELAXED)

void spoil_send(struct ivshm_msgq_send *send, unsigned int n, uint32_t to)
{
	SPOIL(send->to, to);
	SPOIL(send->len, n & 2 ? ~0ULL : 2 * PAGE);
	SPOIL(send->offset, n & 4 ? ~0ULL - PAGE : PAGE);
	SPOIL(send->inline_len, n & 8 ? ~0U : 8);
	SPOIL(send->how, n & 16 ? IVSHM_MSGQ_MOVE : n);
	SPOIL(send->flags, n & 32 ? ~0U : 0);
}

int send_range(const struct window *from, const struct window *to, uint64_t offset,
	       uint64_t len, uint32_t how)
{
	struct ivshm_msgq_send send = {
		.to = to->number, .offset = offset, .len = len, .how = how,
	};

	return msgq_send(from->fd, &send);
}

int send_deferred(const struct window *from, const struct window *to, uint32_t defer_us)
{
	struct ivshm_msgq_send send = { .to = to->number, .defer_us = defer_us };

	return msgq_send(from->fd, &send);
}

int send_text(const struct window *from, const struct window *to, const char *text)
{
	struct ivshm_msgq_send send = { .to = to->number, .inline_len = strlen(text) };

	memcpy(send.data, text, send.inline_len);
	return msgq_send(from->fd, &send);
}

int polled(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN | POLLPRI | POLLOUT };

	poll(&p, 1, 0);
	return p.revents;
}
