// SPDX-License-Identifier: GPL-2.0
/* Signals that end a command. */
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "signals.h"

static void ending_signals(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGHUP);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGTERM);
}

/*
 * A shell starts its background jobs with SIGINT ignored; ignored signals cannot
 * be read.  Who ignores SIGHUP was started to outlive the terminal, and shall.
 */
int signals_open(void)
{
	struct sigaction action = { .sa_handler = SIG_DFL };
	sigset_t set;

	ending_signals(&set);
	sigprocmask(SIG_BLOCK, &set, NULL);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

void signals_close(int fd)
{
	struct signalfd_siginfo info;
	sigset_t set;

	/* What ended the command shall not end the program. */
	while (read(fd, &info, sizeof(info)) > 0)
		;
	close(fd);
	ending_signals(&set);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}
