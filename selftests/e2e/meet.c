// SPDX-License-Identifier: GPL-2.0
/*
 * A peer on the host: meet SOCKET VECTORS. It says
 *
 *   id ID, memory BYTES, came ID, went ID, heard VECTOR, end
 *
 * as these things happen, and does what standard input has:
 *
 *   ring ID VECTOR       signal that eventfd
 *   number N VECTOR      ring the file of that number by the module
 *
 * until there is no more.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client.h"

/* What changed since it was asked last. */
static void tell_peers(const struct client *c, uint8_t *told)
{
	int i;

	for (i = 0; i < CLIENTS_MAX; i++) {
		if (i != c->id && !told[i] && c->known[i] == c->vectors)
			printf("came %d\n", i);
		else if (told[i] && !c->known[i])
			printf("went %d\n", i);
		else
			continue;
		told[i] = !told[i];
	}
}

static int module_ring(const struct client *c, unsigned int number, unsigned int vector)
{
	struct ivshm_region_ring arg = {
		.argsz = sizeof(arg), .peer = number, .vector = vector,
	};

	return ioctl(c->memory, IVSHM_REGION_RING, &arg) ? -errno : 0;
}

/* Returns whether there was something. */
static int obey(const struct client *c)
{
	char text[128], verb[16];
	unsigned int a, b;
	ssize_t n = read(STDIN_FILENO, text, sizeof(text) - 1);
	int err;

	if (n <= 0)
		return 0;
	text[n] = '\0';
	if (sscanf(text, "%15s %u %u", verb, &a, &b) != 3 || a >= CLIENTS_MAX)
		return 1;
	err = strcmp(verb, "number") ? client_ring(c, (int)a, (int)b) : module_ring(c, a, b);
	if (err)
		printf("%s %u %u: %s\n", verb, a, b, strerror(-err));
	return 1;
}

int main(int argc, char **argv)
{
	int i, ret = 1, vectors = argc > 2 ? atoi(argv[2]) : 1;
	struct pollfd fds[2 + IVSHM_VECTORS];
	uint8_t told[CLIENTS_MAX] = { 0 };
	struct client *c;
	struct stat st;
	uint64_t n;

	c = argc > 1 ? client_join(argv[1], vectors, 30000) : NULL;
	if (!c || fstat(c->memory, &st)) {
		perror("meet");
		return 1;
	}
	setlinebuf(stdout);
	printf("id %d\nmemory %lld\n", c->id, (long long)st.st_size);
	fds[0].fd = c->sock;
	fds[1].fd = STDIN_FILENO;
	for (i = 0; i < vectors; i++)
		fds[2 + i].fd = c->event[c->id][i];
	for (i = 0; i < 2 + vectors; i++)
		fds[i].events = POLLIN;
	for (;;) {
		tell_peers(c, told);
		if (poll(fds, (nfds_t)(2 + vectors), -1) < 0)
			return 1;
		if (fds[0].revents)
			ret = client_take(c, 0);
		if (ret <= 0) {
			printf("end %s\n", ret ? strerror(-ret) : "");
			fds[0].fd = -1;
			ret = 1;
		}
		if (fds[1].revents && !obey(c))
			return 0;
		for (i = 0; i < vectors; i++)
			if (fds[2 + i].revents && read(fds[2 + i].fd, &n, sizeof(n)) > 0)
				printf("heard %d\n", i);
	}
}
