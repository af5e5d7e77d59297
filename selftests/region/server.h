/* SPDX-License-Identifier: GPL-2.0 */
/* "ivmctl region serve" as a child of a test. */
#ifndef _IVSHM_TEST_SERVER_H
#define _IVSHM_TEST_SERVER_H

#include <sys/types.h>

/**
 * struct server - a server that runs
 * @pid: of the process
 * @out: what it says, a pipe that is soon full; its complaints, too
 */
struct server {
	pid_t pid;
	int out;
};

/*
 * Start it with these words, the last of which is NULL, after @prepare in the child.
 * Returns 0 when it listens, or its exit status.
 */
int server_start(struct server *s, char *const words[], void (*prepare)(void));
/* Whether what it said since then has @text in it. */
int server_says(const struct server *s, const char *text);
/* Its exit status once it ended, 128 and the signal, or -1 after @seconds. */
int server_wait(struct server *s, int seconds);
/* The same after a signal. */
int server_stop(struct server *s, int signal);
/* How many descriptors it has, how much memory in KiB, what it took of a processor. */
int server_files(const struct server *s);
long server_kib(const struct server *s);
double server_seconds(const struct server *s);

#endif /* _IVSHM_TEST_SERVER_H */
