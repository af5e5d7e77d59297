// SPDX-License-Identifier: GPL-2.0
/* ivmctl region serve: the socket in the file system. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "serve_priv.h"

/* Whether somebody answers at @addr. */
static bool is_served(const struct sockaddr_un *addr)
{
	int sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool refused = sock >= 0 &&
		connect(sock, (const struct sockaddr *)addr, sizeof(*addr)) &&
		errno == ECONNREFUSED;

	if (sock >= 0)
		close(sock);
	return !refused;
}

/* Remove a socket whose server died. -1 with errno. */
static int remove_stale(const struct sockaddr_un *addr)
{
	struct stat before, after;

	if (lstat(addr->sun_path, &before))
		return errno == ENOENT ? 0 : -1;
	if (!S_ISSOCK(before.st_mode)) {
		errno = ENOTSOCK;
		return -1;
	}
	if (is_served(addr)) {
		errno = EADDRINUSE;
		return -1;
	}
	/* Another server may have done the same, and be there now. */
	if (lstat(addr->sun_path, &after) || before.st_ino != after.st_ino ||
	    before.st_dev != after.st_dev) {
		errno = EADDRINUSE;
		return -1;
	}
	return unlink(addr->sun_path);
}

static int bind_socket(const struct server *server, const struct sockaddr_un *addr)
{
	const struct serve_config *config = server->config;
	mode_t mask;
	int err;

	/* The node gets the socket's permissions. */
	if (fchmod(server->listener, config->mode))
		return -1;
	mask = umask(0);
	err = bind(server->listener, (const struct sockaddr *)addr, sizeof(*addr));
	umask(mask);
	return err;
}

/* Nobody can connect before it listens. */
int socket_open(struct server *server)
{
	const struct serve_config *config = server->config;
	struct sockaddr_un addr = { .sun_family = AF_UNIX };

	memcpy(addr.sun_path, config->path, strlen(config->path));
	server->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (server->listener < 0 || remove_stale(&addr) || bind_socket(server, &addr))
		return -1;
	if (lstat(config->path, &server->node))
		return -1;
	if (lchown(config->path, config->owner, config->group))
		return -1;
	return listen(server->listener, SOMAXCONN);
}

void socket_close(const struct server *server)
{
	const char *path = server->config->path;
	struct stat st;

	if (server->listener >= 0)
		close(server->listener);
	/* Somebody may have put another one there. */
	if (server->node.st_ino && !lstat(path, &st) &&
	    st.st_ino == server->node.st_ino && st.st_dev == server->node.st_dev)
		unlink(path);
}
