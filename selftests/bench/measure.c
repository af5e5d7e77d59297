// SPDX-License-Identifier: GPL-2.0
/*
 * What the host did between two moments.
 *
 * Processor time is that in which the machine was not idle, less what this
 * process spent in user mode: that would be the guests' own. Its system calls
 * count: kicks, and waits for interrupts, stand for exits of the guests.
 */
#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

#define WORKERS_MAX	(2 * PORTS_MAX)
#define CLOCK		"/sys/module/ivshm_clock/parameters/"

static pid_t workers[WORKERS_MAX];
static unsigned int nr_workers;

/*
 * The threads that serve the rings. In lockstep they do not preempt each other,
 * so that each finds all that the one before left, and they do preempt us.
 */
void workers_find(void)
{
	struct sched_param param = {};
	char path[300], comm[32], ours[32];
	DIR *dir = opendir("/proc");
	struct dirent *d;
	unsigned int i;
	FILE *f;

	snprintf(ours, sizeof(ours), "vhost-%d", getpid());
	while ((d = readdir(dir))) {
		if (!atoi(d->d_name))
			continue;
		snprintf(path, sizeof(path), "/proc/%s/comm", d->d_name);
		f = fopen(path, "re");
		if (f && fgets(comm, sizeof(comm), f)) {
			comm[strcspn(comm, "\n")] = 0;
			if ((!strcmp(comm, ours) || !strncmp(comm, "ivshm-", 6)) &&
			    nr_workers < WORKERS_MAX)
				workers[nr_workers++] = atoi(d->d_name);
		}
		if (f)
			fclose(f);
	}
	closedir(dir);
	for (i = 0; opt.lockstep && i < nr_workers; i++)
		if (sched_setscheduler(workers[i], SCHED_BATCH, &param))
			die("worker %d: %s", workers[i], strerror(errno));
	if (opt.lockstep && sched_setscheduler(0, SCHED_IDLE, &param))
		die("scheduler: %s", strerror(errno));
}

__u64 now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

static __u64 file_number(const char *path)
{
	unsigned long long n = 0;
	FILE *f = fopen(path, "re");

	if (!f || fscanf(f, "%llu", &n) != 1)
		n = 0;
	if (f)
		fclose(f);
	return n;
}

static __u64 switches(void)
{
	unsigned long long n, all = 0;
	char path[64], line[128];
	unsigned int i;
	FILE *f;

	for (i = 0; i < nr_workers; i++) {
		snprintf(path, sizeof(path), "/proc/%d/status", workers[i]);
		f = fopen(path, "re");
		while (f && fgets(line, sizeof(line), f))
			if (sscanf(line, "voluntary_ctxt_switches: %llu", &n) == 1)
				all += n;
		if (f)
			fclose(f);
	}
	return all;
}

static __u64 drops(const char *dev)
{
	static const char * const which[] = { "rx_dropped", "tx_dropped" };
	char path[100];
	__u64 n = 0;
	int i;

	for (i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "/sys/class/net/%s/statistics/%s", dev, which[i]);
		n += file_number(path);
	}
	return n;
}

static void processors(struct snap *s)
{
	unsigned long long user, nice, sys, idle, iowait, irq, softirq;
	FILE *f = fopen("/proc/stat", "re");

	if (!f || fscanf(f, "cpu %llu %llu %llu %llu %llu %llu %llu", &user, &nice, &sys,
			 &idle, &iowait, &irq, &softirq) != 7)
		die("/proc/stat cannot be read");
	fclose(f);
	s->busy = user + nice + sys + irq + softirq;
	s->idle = (idle + iowait) * 10000000ULL;
}

/* To the nanosecond, which a tick is too coarse for where time counts instructions. */
static void idle_exact(struct snap *s)
{
	FILE *f = fopen("/proc/timer_list", "re");
	char line[200];
	unsigned long long n;
	unsigned int found = 0;

	s->idle = 0;
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, " .idle_sleeptime : %llu nsecs", &n) == 1 ||
		    sscanf(line, " .iowait_sleeptime : %llu nsecs", &n) == 1) {
			s->idle += n;
			found++;
		}
	if (!found)
		die("/proc/timer_list cannot be read");
	fclose(f);
}

static void times(struct snap *s)
{
	struct rusage ru;

	s->ns = now_ns();
	s->stamp = stamp();
	getrusage(RUSAGE_SELF, &ru);
	s->utime = ru.ru_utime.tv_sec * 1000000ULL + ru.ru_utime.tv_usec;
	s->stime = ru.ru_stime.tv_sec * 1000000ULL + ru.ru_stime.tv_usec;
	processors(s);
	if (opt.lockstep)
		idle_exact(s);
	s->host_time = host_time;
	s->waits = host_waits;
}

static void counters(struct snap *s)
{
	bool ours = opt.path == PATH_DIRECT || opt.path == PATH_UPLINK;
	unsigned int i, j;

	s->frames = 0;
	s->bytes = 0;
	s->sent = 0;
	for (i = 0; i < opt.ports; i++) {
		struct vm *vm = &vms[i];

		s->frames += vm->frames;
		s->bytes += vm->bytes;
		s->sent += vm->sent;
		s->kicks += vm->tx.kicks + vm->rx.kicks;
		/* Not to be taken from under a thread that waits for it. */
		s->calls += opt.threads ? vm->tx.r->calls + vm->rx.r->calls :
			    lane_calls(&vm->tx) + lane_calls(&vm->rx);
	}
	s->switches = switches();
	s->clock.ticks = file_number(CLOCK "ticks");
	s->clock.runs = file_number(CLOCK "runs");
	s->clock.stolen = file_number(CLOCK "stolen");
	for (i = 0; path_host_dev(i); i++)
		s->dev_drops[i] = drops(path_host_dev(i));
	for (i = 0; i < opt.ports && ours; i++) {
		struct ctl_port p;

		if (ctl_port(vms[i].dev, &p))
			die("port %s: no answer", vms[i].dev);
		for (j = 0; j < __IVSHM_A_STAT_MAX; j++)
			s->stat[j] += p.stat[j];
	}
}

/* What takes time is outside of what is measured. */
void snap_take(struct snap *s, bool end)
{
	memset(s, 0, sizeof(*s));
	if (end)
		times(s);
	counters(s);
	if (!end)
		times(s);
}

static void print_per(const char *name, double n, double frames)
{
	if (frames)
		printf(", \"%s\": %.6g", name, n / frames);
	else
		printf(", \"%s\": null", name);
}

static void print_ivshm_drops(const struct snap *a, const struct snap *b)
{
	static const struct {
		const char *name;
		int stat;
	} which[] = {
		{ "full", IVSHM_A_STAT_DROP_FULL },
		{ "park_limit", IVSHM_A_STAT_DROP_PARK_LIMIT },
		{ "no_peer", IVSHM_A_STAT_DROP_NO_PEER },
		{ "malformed", IVSHM_A_STAT_DROP_MALFORMED },
		{ "too_big", IVSHM_A_STAT_DROP_TOO_BIG },
		{ "offload", IVSHM_A_STAT_DROP_OFFLOAD },
		{ "uplink", IVSHM_A_STAT_DROP_UPLINK },
		{ "isolated", IVSHM_A_STAT_DROP_ISOLATED },
		{ "memory", IVSHM_A_STAT_DROP_MEMORY },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(which); i++)
		if (b->stat[which[i].stat] != a->stat[which[i].stat])
			printf(", \"ivshm %s\": %llu", which[i].name,
			       b->stat[which[i].stat] - a->stat[which[i].stat]);
}

static void print_drops(const struct snap *a, const struct snap *b)
{
	__u64 lost = (b->sent - a->sent) - (b->frames - a->frames);
	unsigned int i;

	/* In flight at either moment is no loss: a ring and a queue at most. */
	printf(", \"drops\": {\"not_arrived\": %lld", (long long)lost);
	for (i = 0; path_host_dev(i); i++)
		if (b->dev_drops[i] != a->dev_drops[i])
			printf(", \"%s\": %llu", path_host_dev(i),
			       b->dev_drops[i] - a->dev_drops[i]);
	print_ivshm_drops(a, b);
	printf("}");
}

/* Runs that were too long to be true count as much as the others on average. */
static void print_clock(const struct snap *a, const struct snap *b, double frames)
{
	double ns = (double)(b->ns - a->ns) / (b->stamp - a->stamp);
	__u64 runs = b->clock.runs - a->clock.runs;
	__u64 stolen = b->clock.stolen - a->clock.stolen;

	if (!runs)
		return;
	ns *= (double)(runs + stolen) / runs;
	print_per("worker_ns_per_frame", (b->clock.ticks - a->clock.ticks) * ns, frames);
	print_per("stolen_share", stolen, runs + stolen);
}

void snap_print(const struct snap *a, const struct snap *b)
{
	double frames = b->frames - a->frames, s = (b->ns - a->ns) / 1e9;
	/* Ticks of which there are 100 in a second. */
	double busy = (b->busy - a->busy) * 10000.0, idle = b->idle - a->idle;
	double host = busy - (b->utime - a->utime);
	bool ours = opt.path == PATH_DIRECT || opt.path == PATH_UPLINK;

	printf(", \"seconds\": %.4f, \"frames\": %.0f, \"sent\": %llu", s, frames,
	       b->sent - a->sent);
	printf(", \"frames_per_s\": %.6g, \"bytes_per_s\": %.6g", frames / s,
	       (b->bytes - a->bytes) / s);
	printf(", \"busy_us\": %.0f, \"idle_us\": %.0f", busy, idle / 1000);
	printf(", \"own_user_us\": %llu, \"own_sys_us\": %llu", b->utime - a->utime,
	       b->stime - a->stime);
	print_per("host_us_per_frame", host, frames);
	if (opt.lockstep) {
		print_per("instructions_per_frame",
			  b->host_time - a->host_time - idle, frames);
		print_per("waits_per_frame", b->waits - a->waits, frames);
	}
	print_clock(a, b, frames);
	print_per("kicks_per_frame", b->kicks - a->kicks, frames);
	print_per("interrupts_per_frame", b->calls - a->calls, frames);
	print_per("wakeups_per_frame", b->switches - a->switches, frames);
	if (ours) {
		double direct = b->stat[IVSHM_A_STAT_RX_DIRECT_FRAMES] -
				a->stat[IVSHM_A_STAT_RX_DIRECT_FRAMES];
		double uplink = b->stat[IVSHM_A_STAT_RX_UPLINK_FRAMES] -
				a->stat[IVSHM_A_STAT_RX_UPLINK_FRAMES];

		print_per("direct_share", direct, direct + uplink);
		print_per("bounced_share", b->stat[IVSHM_A_STAT_BOUNCED] -
			  a->stat[IVSHM_A_STAT_BOUNCED], frames);
		print_per("parked_share", b->stat[IVSHM_A_STAT_PARKED] -
			  a->stat[IVSHM_A_STAT_PARKED], frames);
	}
	print_drops(a, b);
}
