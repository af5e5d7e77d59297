// SPDX-License-Identifier: GPL-2.0
/* The guard of a trial, and the socket where it is confirmed. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "nl.h"
#include "trial.h"

/* In the abstract namespace, of which each network namespace has its own. */
#define SOCKET_NAME	"ivmctl-try"
/* What is said there. */
#define KEPT		"kept"

/* Between the trial and its guard, a byte each. */
#define SAY_READY	'r'
#define SAY_MADE	'm'
#define SAY_DONE	'd'

/*
 * The guard
 */

/* What the other one says: a byte, 0 if it is gone, -1 if the time is over. */
static int hear(int fd, int timeout)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	char c = 0;
	int n;

	do {
		n = poll(&pfd, 1, timeout);
	} while (n < 0 && errno == EINTR);
	if (!n)
		return -1;
	do {
		n = (int)read(fd, &c, 1);
	} while (n < 0 && errno == EINTR);
	return n == 1 ? c : 0;
}

static void say(int fd, char c)
{
	/* Who is not there any more has nothing to hear. */
	(void)!send(fd, &c, 1, MSG_NOSIGNAL);
}

/* Nothing that ends the terminal, or the job in it, shall end the guard. */
static void detach(void)
{
	static const int ignored[] = {
		SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGPIPE, SIGTSTP,
		SIGTTIN, SIGTTOU,
	};
	unsigned int i;
	int null;

	for (i = 0; i < ARRAY_SIZE(ignored); i++)
		signal(ignored[i], SIG_IGN);
	setsid();
	prctl(PR_SET_NAME, "ivmctl-guard");
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null >= 0) {
		dup2(null, STDIN_FILENO);
		dup2(null, STDOUT_FILENO);
		close(null);
	}
}

static void __attribute(noreturn)
guard(struct ctx *ctx, const struct changes *changes, unsigned int seconds, int fd)
{
	int said, rc = RC_OK;

	detach();
	/* A socket is its process's. */
	ivnl_close(ctx->nl);
	ctx->nl = NULL;
	if (!ivnl_get(ctx))
		_exit(RC_REFUSED);

	say(fd, SAY_READY);
	said = hear(fd, -1);
	if (said == SAY_MADE)
		said = hear(fd, (int)(seconds + TRIAL_GRACE) * 1000);
	if (said != SAY_DONE) {
		rc = changes_undo(ctx, changes);
		if (!rc)
			complain(ctx, "%s: the changes were taken back", said ?
				 "not confirmed" : "ivmctl try was killed");
	}
	_exit(rc);
}

int trial_guard(struct ctx *ctx, const struct changes *changes,
		unsigned int seconds)
{
	int fds[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds)) {
		complain(ctx, "cannot start a guard: %s", strerror(errno));
		return -1;
	}
	fflush(NULL);
	pid = fork();
	if (!pid) {
		close(fds[0]);
		guard(ctx, changes, seconds, fds[1]);
	}
	if (pid < 0)
		complain(ctx, "cannot start a guard: %s", strerror(errno));
	close(fds[1]);
	/* What keeps it from being ready it said itself. */
	if (pid < 0 || hear(fds[0], -1) != SAY_READY) {
		close(fds[0]);
		return -1;
	}
	return fds[0];
}

void trial_made(int guard)
{
	say(guard, SAY_MADE);
}

void trial_done(int guard)
{
	say(guard, SAY_DONE);
	/* Until it is gone. */
	hear(guard, TRIAL_GRACE * 1000);
	close(guard);
	waitpid(-1, NULL, WNOHANG);
}

/*
 * The socket
 */

static int open_socket(struct sockaddr_un *addr, socklen_t *len)
{
	memset(addr, 0, sizeof(*addr));
	addr->sun_family = AF_UNIX;
	memcpy(addr->sun_path + 1, SOCKET_NAME, strlen(SOCKET_NAME));
	*len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
			   strlen(SOCKET_NAME));
	return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

/* Anybody can have the socket of that name, or connect to it. */
static bool may_confirm(int fd)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	return !getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) &&
	       (!peer.uid || peer.uid == geteuid());
}

int trial_listen(const struct ctx *ctx)
{
	struct sockaddr_un addr;
	socklen_t len;
	int fd = open_socket(&addr, &len);

	if (fd >= 0 && !bind(fd, (struct sockaddr *)&addr, len) && !listen(fd, 8))
		return fd;
	if (errno == EADDRINUSE)
		complain(ctx, "another ivmctl try waits to be confirmed");
	else
		complain(ctx, "cannot listen for ivmctl confirm: %s",
			 strerror(errno));
	if (fd >= 0)
		close(fd);
	return -1;
}

bool trial_knock(int listener)
{
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	bool kept = fd >= 0 && may_confirm(fd);

	if (kept)
		(void)!send(fd, KEPT, strlen(KEPT), MSG_NOSIGNAL);
	if (fd >= 0)
		close(fd);
	return kept;
}

int trial_confirm(const struct ctx *ctx)
{
	char said[sizeof(KEPT)] = "";
	struct sockaddr_un addr;
	socklen_t len;
	int fd = open_socket(&addr, &len);
	int rc = RC_REFUSED;

	if (fd < 0 || connect(fd, (struct sockaddr *)&addr, len)) {
		complain(ctx, errno == ECONNREFUSED ? "there is nothing to confirm" :
			 "cannot confirm: %s", strerror(errno));
	} else if (!may_confirm(fd)) {
		complain(ctx, "cannot confirm: the trial is another user's");
	} else if (recv(fd, said, strlen(KEPT), MSG_WAITALL) != (ssize_t)strlen(KEPT) ||
		   strcmp(said, KEPT)) {
		complain(ctx, "cannot confirm: the trial is over, or another user's");
	} else {
		rc = RC_OK;
	}
	if (fd >= 0)
		close(fd);
	return rc;
}
