// SPDX-License-Identifier: GPL-2.0
/* A process that plays a guest with rings. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "side.h"

/* Milliseconds for an answer. */
#define ANSWER	(slow() ? 60000 : 20000)

int msgq_rings(int fd, uint64_t offset, uint32_t nr, int kick, int call)
{
	struct ivshm_msgq_rings arg = {
		.argsz = sizeof(arg), .offset = offset, .entries = nr,
		.kick = kick, .call = call,
	};

	return ioctl(fd, IVSHM_MSGQ_RINGS, &arg) ? -errno : 0;
}

int msgq_rings_end(int fd)
{
	return msgq_rings(fd, 0, 0, -1, -1);
}

static int side_begin(struct side *s)
{
	int err = msgq_rings(s->w->fd, s->at, s->nr, s->kick, s->call);

	if (!err)
		ivshm_ring_use(&s->r, s->w->at + s->at, s->nr);
	return err;
}

int side_open(struct side *s, struct window *w, uint64_t offset, uint32_t nr)
{
	s->w = w;
	s->at = offset;
	s->nr = nr;
	s->token = 0;
	s->kick = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	s->call = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (s->kick < 0 || s->call < 0)
		return -errno;
	return side_begin(s);
}

int side_again(struct side *s)
{
	return msgq_rings_end(s->w->fd) ?: side_begin(s);
}

void side_close(struct side *s)
{
	if (!s->w)
		return;
	msgq_rings_end(s->w->fd);
	close(s->kick);
	close(s->call);
	s->w = NULL;
}

int side_ask(struct side *s, struct ivshm_ring_request req)
{
	int err;

	req.token = s->token + 1;
	err = ivshm_ring_ask(&s->r, &req);
	s->token += !err;
	return err;
}

void side_ring(const struct side *s)
{
	eventfd_write(s->kick, 1);
}

int side_take(struct side *s, struct ivshm_ring_result *res)
{
	struct pollfd p = { .fd = s->call, .events = POLLIN };
	double end = now() + ANSWER / 1000;
	int err;

	for (;;) {
		err = ivshm_ring_take(&s->r, res);
		if (err != -EAGAIN)
			return err;
		if (now() > end)
			return -ETIMEDOUT;
		/* An interrupt is for all results that there are then. */
		if (poll(&p, 1, ANSWER) == 1)
			rings(s->call);
	}
}

int side_do(struct side *s, struct ivshm_ring_request req, struct ivshm_ring_result *res)
{
	struct ivshm_ring_result other;
	int err;

	if (!res)
		res = &other;
	err = side_ask(s, req);
	if (err)
		return err;
	side_ring(s);
	err = side_take(s, res);
	if (err)
		return err;
	return res->token == s->token && res->op == req.op ? res->status : -EPROTO;
}

/* Name and state of a thread. 0 or a negative error. */
static int read_thread(const char *pid, char *name, char *state)
{
	char path[300];
	FILE *f;
	int n;

	snprintf(path, sizeof(path), "/proc/%s/stat", pid);
	f = fopen(path, "r");
	if (!f)
		return -errno;
	n = fscanf(f, "%*d (%31[^)]) %c", name, state);
	fclose(f);
	return n == 2 ? 0 : -EINVAL;
}

pid_t side_thread(const struct side *s)
{
	char is[32], name[80], state;
	struct ivshm_region_info info = { .argsz = sizeof(info) };
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	pid_t pid = -1;

	if (ioctl(s->w->fd, IVSHM_REGION_INFO, &info))
		info.name[0] = '\0';
	snprintf(name, sizeof(name), "ivshm-%.*s", (int)sizeof(info.name), (char *)info.name);
	while (proc && pid < 0 && (entry = readdir(proc)))
		if (isdigit(entry->d_name[0]) && !read_thread(entry->d_name, is, &state) &&
		    !strcmp(is, name))
			pid = atoi(entry->d_name);
	if (proc)
		closedir(proc);
	return pid;
}

int side_rests(const struct side *s)
{
	char text[16], name[32], state = '?';
	double end = now() + ANSWER / 1000;

	snprintf(text, sizeof(text), "%d", side_thread(s));
	while (!read_thread(text, name, &state) && state != 'S' && now() < end)
		usleep(1000);
	return state == 'S';
}

struct ivshm_ring_request ask_post(uint64_t offset, uint64_t len, uint64_t cookie)
{
	struct ivshm_ring_request req = ask_op(IVSHM_RING_POST);

	req.post.offset = offset;
	req.post.len = len;
	req.post.cookie = cookie;
	return req;
}

struct ivshm_ring_request ask_send(const struct window *to, uint64_t offset, uint64_t len,
				   uint32_t how)
{
	struct ivshm_ring_request req = ask_op(IVSHM_RING_SEND);

	req.send.to = to->number;
	req.send.offset = offset;
	req.send.len = len;
	req.send.how = how;
	return req;
}

struct ivshm_ring_request ask_release(uint64_t id)
{
	struct ivshm_ring_request req = ask_op(IVSHM_RING_RELEASE);

	req.release = id;
	return req;
}

struct ivshm_ring_request ask_op(uint32_t op)
{
	struct ivshm_ring_request req;

	memset(&req, 0, sizeof(req));
	req.op = op;
	return req;
}
