// SPDX-License-Identifier: GPL-2.0
/*
 * Guests that are up and say nothing: what wakes up for them all the same.
 */
#include <string.h>
#include <unistd.h>

#include "bench.h"

/* A pair falls back to the uplink after a second, see paths.c. */
#define SETTLE_S	4

/* Threads of ours that are woken, and work of ours that the kernel's do. */
static void watch(const char *on)
{
	trace_put("events/sched/sched_waking/enable", on);
	trace_put("events/workqueue/workqueue_execute_start/enable", on);
}

static bool ours(const char *line)
{
	return strstr(line, "comm=ivshm-") || strstr(line, "comm=vhost-") ||
	       strstr(line, "[ivshm]") || strstr(line, "[vhost]");
}

void idle_run(void)
{
	unsigned int woken = 0, all = 0;
	char line[400];
	FILE *f;

	trace_mount();
	sleep(SETTLE_S);
	trace_clear();
	watch("1");
	usleep(opt.seconds * 1e6);
	watch("0");
	f = trace_open("trace");
	while (fgets(line, sizeof(line), f)) {
		if (line[0] == '#')
			continue;
		all++;
		woken += ours(line);
	}
	fclose(f);
	if (!all)
		die("nothing was traced");
	printf(", \"seconds\": %.1f, \"sent\": 0, \"frames\": 0, \"drops\": {}", opt.seconds);
	printf(", \"wakeups_per_s\": %.4g", woken / opt.seconds);
}
