// SPDX-License-Identifier: GPL-2.0
/*
 * Copies of frames and socket buffers, as kprobes count them. They cost time: in
 * a run of their own, of which no times are used. ivshm's direct path has neither
 * of what they see, and counts for itself.
 *
 * The copy functions themselves cannot be probed: nothing in the kernel's lib/ can.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "bench.h"

#define TRACING	"/sys/kernel/tracing"

#define HIST	"hist:keys=common_cpu:vals=len"

/*
 * Where frames are copied. vhost, and tun from others, copy a small frame into a
 * page that they make a socket buffer of: all frames of a run are as long. Others
 * and received ones are copied by functions that are told a length.
 */
static const struct {
	const char *name, *probe;
} copies[] = {
	{ "tx", "p:bench/tx skb_copy_datagram_from_iter len=%cx:s32" },
	{ "rx", "p:bench/rx skb_copy_datagram_iter len=%cx:s32" },
};

#define BUILD	1

static const struct {
	const char *name, *probe;
} skbs[] = {
	{ "alloc", "p:bench/alloc __alloc_skb" },
	[BUILD] = { "build", "p:bench/build build_skb" },
	{ "clone", "p:bench/clone skb_clone" },
};

/* Copied bytes and socket buffers that they saw. */
static __u64 copied, allocated;

static void put_mode(const char *path, const char *text, int mode)
{
	char full[200];
	int fd;

	snprintf(full, sizeof(full), TRACING "/%s", path);
	fd = open(full, O_WRONLY | mode | O_CLOEXEC);
	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		die("%s: \"%s\": %s", full, text, strerror(errno));
	close(fd);
}

void trace_put(const char *path, const char *text)
{
	put_mode(path, text, O_APPEND);
}

FILE *trace_open(const char *path)
{
	char full[200];
	FILE *f;

	snprintf(full, sizeof(full), TRACING "/%s", path);
	f = fopen(full, "re");
	if (!f)
		die("%s cannot be read", full);
	return f;
}

void trace_clear(void)
{
	put_mode("trace", "\n", O_TRUNC);
}

void trace_mount(void)
{
	/* That of the machine is hidden by the namespace's own /sys. */
	if (access(TRACING "/kprobe_events", W_OK))
		mount("tracefs", TRACING, "tracefs", 0, NULL);
}

void probes_on(void)
{
	unsigned int i;
	char path[100];

	trace_mount();
	for (i = 0; i < ARRAY_SIZE(skbs); i++)
		trace_put("kprobe_events", skbs[i].probe);
	for (i = 0; i < ARRAY_SIZE(copies); i++) {
		trace_put("kprobe_events", copies[i].probe);
		snprintf(path, sizeof(path), "events/bench/%s/trigger", copies[i].name);
		trace_put(path, HIST);
	}
	trace_put("events/bench/enable", "1");
}

/* The sum of @field over the lines of a file, @before it a word of each line. */
static __u64 sum(const char *path, const char *before, const char *field)
{
	unsigned long long all = 0;
	FILE *f = trace_open(path);
	char line[300];

	while (fgets(line, sizeof(line), f)) {
		char *at = strstr(line, before);

		at = at ? strstr(at, field) : NULL;
		if (at)
			all += strtoull(at + strlen(field), NULL, 10);
	}
	fclose(f);
	return all;
}

/* Probes outlive whoever made them, and triggers go on when events are disabled. */
static void probes_remove(void)
{
	char path[100];
	unsigned int i;

	trace_put("events/bench/enable", "0");
	for (i = 0; i < ARRAY_SIZE(copies); i++) {
		snprintf(path, sizeof(path), "events/bench/%s/trigger", copies[i].name);
		trace_put(path, "!" HIST);
	}
	put_mode("kprobe_events", "\n", O_TRUNC);
}

void probes_off(void)
{
	char path[100], name[20];
	unsigned int i;
	__u64 hits;

	for (i = 0; i < ARRAY_SIZE(copies); i++) {
		snprintf(path, sizeof(path), "events/bench/%s/hist", copies[i].name);
		copied += sum(path, "hitcount:", "len:");
	}
	for (i = 0; i < ARRAY_SIZE(skbs); i++) {
		snprintf(name, sizeof(name), " %s ", skbs[i].name);
		hits = sum("kprobe_profile", name, name);
		allocated += hits;
		if (i == BUILD)
			copied += hits * opt.size;
	}
	probes_remove();
}

void probes_print(__u64 frames, __u64 bytes, const struct snap *a, const struct snap *b)
{
	copied += b->stat[IVSHM_A_STAT_COPIED_BYTES] - a->stat[IVSHM_A_STAT_COPIED_BYTES];
	if (opt.path == PATH_UPLINK)
		/* What ivshm copies between guest and tap it does not count. */
		printf(", \"copies_per_byte\": null");
	else
		printf(", \"copies_per_byte\": %.4g", (double)copied / bytes);
	printf(", \"skbs_per_frame\": %.4g", (double)allocated / frames);
}
