// SPDX-License-Identifier: GPL-2.0
/* One run: a path, a way to use it, and a line of JSON about what it took. */
#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

struct options opt = {
	.path = PATHS,
	.mode = "stream",
	.size = 64,
	.batch = 64,
	.ports = 2,
	.ring = 256,
	.seconds = 1,
};

struct vm vms[PORTS_MAX];

static const char usage[] =
"usage: driver PATH [OPTION]...\n"
"       driver --mode usercopy\n"
"\n"
"As root, in the test machine; the devices' modules are loaded.\n"
"PATH is direct or uplink (/dev/ivshm-net), bridge, macvtap or ovs\n"
"(/dev/vhost-net). usercopy needs none of this.\n"
"\n"
"  --mode stream|rounds|pingpong|idle  (default stream)\n"
"  --size N      bytes of a frame, without a virtio header (64); 64294 is what\n"
"                Linux sends at most with TSO: 44 segments\n"
"  --batch N     frames that a guest posts before it tells (64)\n"
"  --ports N     guests (2)\n"
"  --all         rounds: all guests send, not only the first\n"
"  --ring N      size of the rings (256)\n"
"  --window N    stream: no more are under way, by acknowledgments (0: any)\n"
"  --rx-ns N     stream: time the receiver spends on a frame (0)\n"
"  --stall       stream: a third guest that does not receive\n"
"  --seconds S   how long (1)\n"
"  --rounds N    rounds, round trips: how many, instead of --seconds\n"
"  --lockstep    rounds: one processor, workers first; tells instructions\n"
"  --busyloop US time that the device may poll (0)\n"
"  --probes      count copies and socket buffers; other figures suffer\n";

noreturn void die(const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "# driver: ");
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "\n");
	exit(1);
}

enum { MODE, SIZE, BATCH, NPORTS, RING, WINDOW, RX_NS, STALL, SECONDS, ROUNDS, LOCKSTEP,
	BUSYLOOP, PROBES, ALL, HELP };

static const struct option options[] = {
	{ "mode", required_argument, NULL, MODE },
	{ "size", required_argument, NULL, SIZE },
	{ "batch", required_argument, NULL, BATCH },
	{ "ports", required_argument, NULL, NPORTS },
	{ "ring", required_argument, NULL, RING },
	{ "window", required_argument, NULL, WINDOW },
	{ "rx-ns", required_argument, NULL, RX_NS },
	{ "stall", no_argument, NULL, STALL },
	{ "seconds", required_argument, NULL, SECONDS },
	{ "rounds", required_argument, NULL, ROUNDS },
	{ "lockstep", no_argument, NULL, LOCKSTEP },
	{ "busyloop", required_argument, NULL, BUSYLOOP },
	{ "probes", no_argument, NULL, PROBES },
	{ "all", no_argument, NULL, ALL },
	{ "help", no_argument, NULL, HELP },
	{}
};

static void parse(int argc, char **argv)
{
	__u32 *number[] = {
		[SIZE] = &opt.size, [BATCH] = &opt.batch, [NPORTS] = &opt.ports,
		[RING] = &opt.ring, [WINDOW] = &opt.window, [RX_NS] = &opt.rx_ns,
		[ROUNDS] = &opt.rounds, [BUSYLOOP] = &opt.busyloop,
	};
	int c, i;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case MODE:
			opt.mode = optarg;
			break;
		case SECONDS:
			opt.seconds = atof(optarg);
			break;
		case STALL:
			opt.stall = true;
			break;
		case LOCKSTEP:
			opt.lockstep = true;
			break;
		case PROBES:
			opt.probes = true;
			break;
		case ALL:
			opt.all = true;
			break;
		case HELP:
			fputs(usage, stdout);
			exit(0);
		case '?':
			fputs(usage, stderr);
			exit(2);
		default:
			*number[c] = atoi(optarg);
		}
	}
	for (i = 0; i < PATHS && optind + 1 == argc; i++)
		if (!strcmp(argv[optind], path_name[i]))
			opt.path = i;
}

static void check(void)
{
	if (opt.path == PATHS || opt.ports < 2 || opt.ports > PORTS_MAX ||
	    opt.size < 64 || opt.size > 65535 || !opt.batch || opt.batch > opt.ring ||
	    opt.ring < 16 || opt.ring > 32768 || opt.ring & (opt.ring - 1) ||
	    opt.seconds <= 0) {
		fputs(usage, stderr);
		exit(2);
	}
	if (!strcmp(opt.mode, "stream") && opt.stall)
		opt.ports = 3;
}

int main(int argc, char **argv)
{
	void (*run)(void);
	int i;

	parse(argc, argv);
	if (!strcmp(opt.mode, "usercopy")) {
		printf("{\"path\": \"none\", \"mode\": \"usercopy\"");
		usercopy_run();
		printf("}\n");
		return 0;
	}
	check();
	run = !strcmp(opt.mode, "stream") ? stream_run :
	      !strcmp(opt.mode, "rounds") ? rounds_run :
	      !strcmp(opt.mode, "pingpong") ? pingpong_run :
	      !strcmp(opt.mode, "idle") ? idle_run : NULL;
	if (!run)
		die("no mode \"%s\"", opt.mode);
	/* A stream's acknowledgments are short, and so are the receivers' buffers. */
	for (i = 0; i < opt.ports; i++)
		vms[i].size = run == stream_run && i ? 64 : opt.size;
	path_setup();
	path_settle();
	workers_find();
	printf("{\"path\": \"%s\", \"mode\": \"%s\", \"size\": %u, \"batch\": %u, \"ports\": %u",
	       path_name[opt.path], opt.mode, opt.size, opt.batch, opt.ports);
	printf(", \"ring\": %u, \"window\": %u, \"rx_ns\": %u, \"stall\": %s, \"lockstep\": %s",
	       opt.ring, opt.window, opt.rx_ns, opt.stall ? "true" : "false",
	       opt.lockstep ? "true" : "false");
	printf(", \"busyloop\": %u, \"probes\": %s", opt.busyloop, opt.probes ? "true" : "false");
	run();
	printf("}\n");
	for (i = 0; i < opt.ports; i++)
		if (vms[i].odd)
			die("%s: %llu frames were not as long as they were sent", vms[i].dev,
			    vms[i].odd);
	for (i = 0; i < opt.ports; i++)
		guest_stop(&vms[i].g);
	return 0;
}
