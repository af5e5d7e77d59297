// SPDX-License-Identifier: GPL-2.0
/* "ivmctl region serve" as a child of a test. */
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "server.h"

#define WORDS_MAX	16

static void server_exec(char *const words[], int out, void (*prepare)(void))
{
	const char *top = getenv("IVSHM_TOP");
	char *argv[WORDS_MAX] = { "ivmctl", "region", "serve" };
	char path[4096];
	int i, program;

	for (i = 0; words[i] && i + 4 < WORDS_MAX; i++)
		argv[i + 3] = words[i];
	dup2(out, STDOUT_FILENO);
	dup2(out, STDERR_FILENO);
	snprintf(path, sizeof(path), "%s/tools/ivmctl/ivmctl", top ? top : "../..");
	/* Who has no privileges need not see the directory. */
	program = open(path, O_RDONLY | O_CLOEXEC);
	if (prepare)
		prepare();
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	fexecve(program, argv, environ);
	perror(path);
	_exit(99);
}

/* Up to the end of a line, or of what there is. */
static int read_line(int fd, char *line, size_t size, int ms)
{
	struct pollfd wait = { .fd = fd, .events = POLLIN };
	size_t n = 0;

	while (n + 1 < size && poll(&wait, 1, ms) == 1 && read(fd, line + n, 1) == 1)
		if (line[n++] == '\n')
			break;
	line[n] = '\0';
	return n;
}

int server_start(struct server *s, char *const words[], void (*prepare)(void))
{
	int out[2];
	char line[512];

	if (pipe2(out, O_CLOEXEC))
		return 98;
	/* It is not to wait for us to read it. */
	fcntl(out[1], F_SETPIPE_SZ, 8192);
	fflush(NULL);
	s->out = out[0];
	s->pid = fork();
	if (!s->pid)
		server_exec(words, out[1], prepare);
	close(out[1]);
	read_line(s->out, line, sizeof(line), 60000);
	if (strstr(line, "serving region"))
		return 0;
	fprintf(stderr, "# %s", line);
	/* For server_says(). */
	if (!pipe2(out, O_CLOEXEC)) {
		if (write(out[1], line, strlen(line)) < 0)
			perror("pipe");
		close(out[1]);
		close(s->out);
		s->out = out[0];
	}
	return server_wait(s, 60);
}

int server_says(const struct server *s, const char *text)
{
	char line[512];

	while (read_line(s->out, line, sizeof(line), 1000)) {
		fprintf(stderr, "# %s", line);
		if (strstr(line, text))
			return 1;
	}
	return 0;
}

int server_wait(struct server *s, int seconds)
{
	int i, status;

	for (i = 0; i < seconds * 100; i++) {
		if (waitpid(s->pid, &status, WNOHANG) == s->pid) {
			s->pid = 0;
			return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
		}
		usleep(10000);
	}
	return -1;
}

int server_stop(struct server *s, int signal)
{
	if (!s->pid)
		return -1;
	kill(s->pid, signal);
	return server_wait(s, 30);
}

int server_files(const struct server *s)
{
	char path[64];
	int nr = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", s->pid);
	dir = opendir(path);
	while (dir && readdir(dir))
		nr++;
	if (dir)
		closedir(dir);
	return nr;
}

long server_kib(const struct server *s)
{
	char path[64], line[256];
	long kib = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", s->pid);
	f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f))
		sscanf(line, "VmRSS: %ld", &kib);
	if (f)
		fclose(f);
	return kib;
}

double server_seconds(const struct server *s)
{
	unsigned long user = 0, kernel = 0;
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", s->pid);
	f = fopen(path, "r");
	if (!f)
		return -1;
	if (fscanf(f, "%*d %*s %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu",
		   &user, &kernel) != 2)
		user = 0;
	fclose(f);
	return (double)(user + kernel) / sysconf(_SC_CLK_TCK);
}
