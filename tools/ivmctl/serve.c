// SPDX-License-Identifier: GPL-2.0
/*
 * ivmctl region serve: peers of a region meet at a socket.
 *
 * They are told, in QEMU's protocol for ivshmem-doorbell (docs/specs/ivshmem-spec.txt
 * there), who else there is: numbers of eight bytes, some of them with a descriptor.
 * Nothing is ever sent the other way.  A peer's vectors are bound in the module as
 * well: by the number of its file programs on this host ring it (IVSHM_REGION_RING).
 */
#include <errno.h>
#include <fcntl.h>
#include <netlink/netlink.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "nl.h"
#include "output.h"
#include "serve_priv.h"
#include "signals.h"

/* Descriptors of a peer, beside its vectors; and those of the server itself. */
#define FILES_PEER	2
#define FILES_SELF	32
/* What could not be done for want of memory is tried again after that. */
#define RETRY_MS	200
/* No complaint about peers comes sooner after another. */
#define GRUMBLE_MS	1000

/* For epoll, beside the slots of peers. */
enum source {
	SOURCE_LISTENER = PEERS_MAX,
	SOURCE_SIGNALS,
	SOURCE_EVENTS,
};

int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

/*
 * What is told to the user
 */

/* Whether a line can be written without waiting for whoever reads it. */
static bool has_room(FILE *f)
{
	struct pollfd fd = { .fd = fileno(f), .events = POLLOUT };

	return poll(&fd, 1, 0) == 1 && fd.revents & POLLOUT;
}

void tell(const struct server *server, json_t *event, const char *text)
{
	struct ctx *ctx = server->ctx;

	if (!has_room(ctx->out)) {
		json_decref(event);
		return;
	}
	if (ctx->json) {
		print_json(ctx, event);
	} else {
		fprintf(ctx->out, "%s\n", text);
		json_decref(event);
	}
	fflush(ctx->out);
}

static void tell_serving(const struct server *server)
{
	const struct serve_config *config = server->config;
	json_t *event;
	char text[256];
	size_t len;

	snprintf(text, sizeof(text), "serving region %s at %s, vectors %u", config->name,
		 config->path, config->vectors);
	event = json_pack("{s:s, s:s, s:o, s:i}", "event", "serving",
			  "region", config->name, "socket",
			  json_text(config->path, strlen(config->path)),
			  "vectors", config->vectors);
	if (config->rings) {
		len = strlen(text);
		snprintf(text + len, sizeof(text) - len, ", rings %u", config->rings);
		json_object_set_new(event, "rings", json_integer(config->rings));
	}
	tell(server, event, text);
}

static void grumble(struct server *server, const char *what, int error)
{
	int64_t now = now_ms();

	if (server->grumbled && now - server->grumbled < GRUMBLE_MS)
		return;
	server->grumbled = now;
	if (has_room(stderr))
		complain(server->ctx, "%s: %s", what, strerror(error));
}

/* The server ends, for a reason that was given. */
static void give_up(struct server *server)
{
	server->done = true;
	server->rc = RC_REFUSED;
}

/*
 * The region
 */

/* Whether the open file is still of the region that is served. */
static bool region_is_there(const struct server *server)
{
	struct ivshm_region_info info = { .argsz = sizeof(info) };

	return !ioctl(server->region, IVSHM_REGION_INFO, &info) &&
	       !strcmp((const char *)info.name, server->config->name);
}

/* Something happened to something in the module. */
static void check_region(struct server *server)
{
	int fd = nl_socket_get_fd(server->events->sock);
	char event[4096];
	ssize_t n;

	/* Some may have been lost, which is as good. */
	do {
		n = recv(fd, event, sizeof(event), MSG_DONTWAIT);
	} while (n > 0 || (n < 0 && errno == ENOBUFS));
	if (region_is_there(server))
		return;
	if (has_room(stderr))
		complain(server->ctx, "region %s was deleted", server->config->name);
	give_up(server);
}

static int open_region(struct server *server)
{
	const char *name = server->config->name;
	struct ctx *ctx = server->ctx;
	char path[32];
	uint64_t size;
	json_t *list;

	/* Before it is looked at, to hear what happens to it from then on. */
	server->events = ivnl_listen(ctx);
	if (!server->events || ivnl_fetch(ctx, &ivnl_kind_region, name, &list))
		return RC_REFUSED;
	snprintf(path, sizeof(path), "/dev/ivshm%" JSON_INTEGER_FORMAT,
		 json_int(json_array_get(list, 0), "number"));
	size = (uint64_t)json_int(json_array_get(list, 0), "size");
	json_decref(list);
	server->region = open(path, O_RDWR | O_CLOEXEC);
	if (server->region < 0) {
		complain(ctx, "cannot open %s: %s", path, strerror(errno));
		return RC_REFUSED;
	}
	if (!region_is_there(server)) {
		complain(ctx, "region %s was deleted", name);
		return RC_REFUSED;
	}
	if (server->config->rings && rings_open(server, size)) {
		complain(ctx, "cannot give rings: %s", strerror(errno));
		return RC_REFUSED;
	}
	return RC_OK;
}

/*
 * The server
 */

static void listen_for_peers(struct server *server, bool on)
{
	struct epoll_event event = {
		.events = on ? EPOLLIN : 0,
		.data.u64 = SOURCE_LISTENER,
	};

	server->resting = !on;
	if (epoll_ctl(server->epoll, EPOLL_CTL_MOD, server->listener, &event)) {
		grumble(server, "cannot wait for peers", errno);
		give_up(server);
	}
}

static void accept_peer(struct server *server)
{
	int sock = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (sock < 0) {
		if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED)
			return;
		/* It stays where it is; others are served meanwhile. */
		grumble(server, "cannot let a peer in", errno);
		listen_for_peers(server, false);
		return;
	}
	if (server->nr == server->limit) {
		grumble(server, "cannot let a peer in", EUSERS);
		close(sock);
		return;
	}
	if (peer_come(server, sock))
		grumble(server, "cannot let a peer in", errno);
}

/* As many peers as there can be descriptors for. */
static void set_limit(struct server *server)
{
	rlim_t each = FILES_PEER + server->config->vectors;
	struct rlimit files;

	server->limit = PEERS_MAX;
	if (getrlimit(RLIMIT_NOFILE, &files))
		return;
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	getrlimit(RLIMIT_NOFILE, &files);
	if (files.rlim_cur < FILES_SELF + PEERS_MAX * each)
		server->limit = files.rlim_cur < FILES_SELF ? 0 :
			(unsigned int)((files.rlim_cur - FILES_SELF) / each);
}

static int wait_for(const struct server *server, int fd, enum source source)
{
	struct epoll_event event = { .events = EPOLLIN, .data.u64 = source };

	return epoll_ctl(server->epoll, EPOLL_CTL_ADD, fd, &event);
}

/* Milliseconds until something is to be done unasked, or -1. */
static int patience(const struct server *server)
{
	return server->resting || peers_wait(server) ? RETRY_MS : -1;
}

static void serve_loop(struct server *server)
{
	struct epoll_event event[64];
	bool knocked;
	int i, n;

	while (!server->done) {
		n = epoll_wait(server->epoll, event, ARRAY_SIZE(event), patience(server));
		if (n < 0 && errno != EINTR) {
			grumble(server, "cannot wait for peers", errno);
			give_up(server);
		}
		if (server->resting)
			listen_for_peers(server, true);
		knocked = false;
		for (i = 0; i < n; i++) {
			switch (event[i].data.u64) {
			case SOURCE_LISTENER:
				knocked = true;
				break;
			case SOURCE_SIGNALS:
				server->done = true;
				break;
			case SOURCE_EVENTS:
				check_region(server);
				break;
			default:
				peer_event(server, server->peer[event[i].data.u64],
					   event[i].events);
			}
		}
		peers_settle(server);
		if (knocked) {
			/* Those who went have left what it may need. */
			accept_peer(server);
			peers_settle(server);
		}
	}
}

static int serve_run(struct server *server)
{
	const struct serve_config *config = server->config;

	if (open_region(server))
		return RC_REFUSED;
	if (socket_open(server)) {
		complain(server->ctx, "cannot serve at %s: %s", config->path, strerror(errno));
		return RC_REFUSED;
	}
	set_limit(server);
	server->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (server->signals < 0 || server->epoll < 0 ||
	    wait_for(server, server->signals, SOURCE_SIGNALS) ||
	    wait_for(server, nl_socket_get_fd(server->events->sock), SOURCE_EVENTS) ||
	    wait_for(server, server->listener, SOURCE_LISTENER)) {
		complain(server->ctx, "cannot wait for peers: %s", strerror(errno));
		return RC_REFUSED;
	}
	tell_serving(server);
	serve_loop(server);
	return server->rc;
}

static void close_all(const struct server *server)
{
	socket_close(server);
	peers_free(server);
	if (server->epoll >= 0)
		close(server->epoll);
	ivnl_close(server->events);
	if (server->kick >= 0)
		close(server->kick);
	if (server->region >= 0)
		close(server->region);
}

int serve(struct ctx *ctx, const struct serve_config *config)
{
	struct server *server = check_alloc(calloc(1, sizeof(*server)));
	int rc;

	server->ctx = ctx;
	server->config = config;
	server->region = -1;
	server->kick = -1;
	server->listener = -1;
	server->epoll = -1;
	/* Before there is a socket, which is not to be left behind. */
	server->signals = signals_open();
	signal(SIGPIPE, SIG_IGN);
	rc = serve_run(server);
	close_all(server);
	if (server->signals >= 0)
		signals_close(server->signals);
	free(server);
	return rc;
}
