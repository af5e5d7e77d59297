// SPDX-License-Identifier: GPL-2.0
/* A client of "ivmctl region serve", as QEMU's ivshmem-doorbell is one. */
#include <endian.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "client.h"

int client_dial(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int err, sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strncpy(addr.sun_path, path, sizeof(addr.sun_path) - 1);
	if (!connect(sock, (struct sockaddr *)&addr, sizeof(addr)))
		return sock;
	err = -errno;
	close(sock);
	return err;
}

struct client *client_new(int sock, int vectors)
{
	struct client *c = calloc(1, sizeof(*c));

	if (!c)
		abort();
	c->sock = sock;
	c->vectors = vectors;
	c->id = -1;
	c->memory = -1;
	return c;
}

/* The number and the descriptor that came with it, or -1. Returns as client_take(). */
static int take_message(int sock, int ms, int64_t *number, int *fd)
{
	union {
		struct cmsghdr header;
		/* Room for more than there is to be. */
		char space[CMSG_SPACE(4 * sizeof(int))];
	} control;
	struct iovec data = { .iov_base = number, .iov_len = sizeof(*number) };
	struct msghdr msg = {
		.msg_iov = &data,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control.space),
	};
	struct pollfd wait = { .fd = sock, .events = POLLIN };
	struct cmsghdr *header;
	ssize_t n;

	*fd = -1;
	if (poll(&wait, 1, ms) != 1)
		return -ETIMEDOUT;
	n = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC);
	if (n < 0 && errno == ECONNRESET)
		n = 0;
	if (n < 0)
		return -errno;
	header = CMSG_FIRSTHDR(&msg);
	if (header) {
		if (header->cmsg_type != SCM_RIGHTS || header->cmsg_len != CMSG_LEN(sizeof(int)))
			return -EPROTO;
		memcpy(fd, CMSG_DATA(header), sizeof(*fd));
	}
	if (n && n != sizeof(*number))
		return -EPROTO;
	*number = (int64_t)le64toh((uint64_t)*number);
	return n ? 1 : 0;
}

static int came(struct client *c, int id, int fd)
{
	if (c->gone[id] || c->known[id] >= c->vectors)
		return -EPROTO;
	c->event[id][c->known[id]++] = fd;
	return 1;
}

static int went(struct client *c, int id)
{
	if (!c->known[id] || id == c->id)
		return -EPROTO;
	while (c->known[id])
		close(c->event[id][--c->known[id]]);
	c->gone[id] = 1;
	return 1;
}

int client_take(struct client *c, int ms)
{
	int64_t number;
	int fd, ret = take_message(c->sock, ms, &number, &fd);

	if (ret != 1)
		return ret;
	/* Version, ID and memory come first, in this order. */
	switch (c->told++) {
	case 0:
		return number || fd >= 0 ? -EPROTO : 1;
	case 1:
		if (number < 0 || number >= CLIENTS_MAX || fd >= 0)
			return -EPROTO;
		c->id = number;
		return 1;
	case 2:
		c->memory = fd;
		return number != -1 || fd < 0 ? -EPROTO : 1;
	}
	if (number < 0 || number >= CLIENTS_MAX)
		return -EPROTO;
	return fd >= 0 ? came(c, number, fd) : went(c, number);
}

int client_take_all(struct client *c, int ms)
{
	int ret;

	do {
		ret = client_take(c, ms);
	} while (ret == 1);
	return ret == -ETIMEDOUT ? 0 : ret ?: -ECONNRESET;
}

static long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int client_until(struct client *c, int id, int vectors, int ms)
{
	long end = now_ms() + ms, left;
	int ret;

	while (c->known[id] != vectors) {
		left = end - now_ms();
		ret = left < 0 ? -ETIMEDOUT : client_take(c, left);
		if (ret != 1)
			return ret ?: -ECONNRESET;
	}
	return 0;
}

struct client *client_join(const char *path, int vectors, int ms)
{
	struct client *c;
	int sock, ret;

	sock = client_dial(path);
	if (sock < 0) {
		errno = -sock;
		return NULL;
	}
	c = client_new(sock, vectors);
	do {
		ret = client_take(c, ms);
	} while (ret == 1 && (c->id < 0 || c->known[c->id] < vectors));
	if (ret == 1)
		return c;
	client_leave(c);
	errno = ret ? -ret : ECONNRESET;
	return NULL;
}

int client_peers(const struct client *c)
{
	int i, nr = 0;

	for (i = 0; i < CLIENTS_MAX; i++)
		nr += c->known[i] == c->vectors;
	return nr;
}

int client_ring(const struct client *c, int id, int vector)
{
	uint64_t one = 1;

	if (vector >= c->known[id])
		return -ENOENT;
	return write(c->event[id][vector], &one, sizeof(one)) == sizeof(one) ? 0 : -errno;
}

void client_leave(struct client *c)
{
	int i;

	close(c->sock);
	if (c->memory >= 0)
		close(c->memory);
	for (i = 0; i < CLIENTS_MAX; i++)
		while (c->known[i])
			close(c->event[i][--c->known[i]]);
	free(c);
}
