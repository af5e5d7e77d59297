// SPDX-License-Identifier: GPL-2.0
/* What is between the guests; all in a network namespace of its own. */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "bench.h"

const char * const path_name[PATHS] = {
	[PATH_DIRECT] = "direct",
	[PATH_UPLINK] = "uplink",
	[PATH_BRIDGE] = "bridge",
	[PATH_MACVTAP] = "macvtap",
	[PATH_OVS] = "ovs",
};

void sh(const char *fmt, ...)
{
	char cmd[300];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(cmd, sizeof(cmd), fmt, ap);
	va_end(ap);
	if (system(cmd))
		die("failed: %s", cmd);
}

static void tap_settle(int fd, const char *dev)
{
	struct ifreq ifr = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };
	int size = HDR_LEN;

	strncpy(ifr.ifr_name, dev, IFNAMSIZ - 1);
	if (ioctl(fd, TUNSETIFF, &ifr) || ioctl(fd, TUNSETVNETHDRSZ, &size) ||
	    ioctl(fd, TUNSETOFFLOAD, (unsigned long)GUEST_OFFLOADS))
		die("%s: %s", dev, strerror(errno));
}

/* The character device of a macvtap has no name here: nobody runs udev. */
static int macvtap_open(const struct vm *vm)
{
	unsigned int major, minor, index = if_nametoindex(vm->dev);
	char path[100], node[] = "/tmp/bench-macvtap.XXXXXX";
	FILE *f;
	int fd;

	snprintf(path, sizeof(path), "/sys/class/net/%s/macvtap/tap%u/dev", vm->dev, index);
	f = fopen(path, "re");
	if (!f || fscanf(f, "%u:%u", &major, &minor) != 2)
		die("%s: %s", path, strerror(errno));
	fclose(f);
	close(mkstemp(node));
	unlink(node);
	if (mknod(node, S_IFCHR | 0600, makedev(major, minor)))
		die("%s: %s", node, strerror(errno));
	fd = open(node, O_RDWR | O_CLOEXEC | O_NONBLOCK);
	unlink(node);
	if (fd < 0)
		die("%s: %s", vm->dev, strerror(errno));
	tap_settle(fd, vm->dev);
	return fd;
}

static int macvtap_make(const struct vm *vm)
{
	const __u8 *m = vm->g.mac;

	sh("ip link add link dummy0 name %s type macvtap mode bridge", vm->dev);
	sh("ip link set %s address %02x:%02x:%02x:%02x:%02x:%02x",
	   vm->dev, m[0], m[1], m[2], m[3], m[4], m[5]);
	sh("ip link set %s up", vm->dev);
	return macvtap_open(vm);
}

static void busyloop_set(struct vm *vm)
{
	struct vhost_vring_state s = { .num = opt.busyloop };

	for (s.index = 0; s.index < GUEST_QUEUES; s.index++)
		if (ioctl(vm->g.fd, VHOST_SET_VRING_BUSYLOOP_TIMEOUT, &s))
			die("busy loop: %s", strerror(errno));
}

static void vm_start(struct vm *vm)
{
	bool ours = opt.path == PATH_DIRECT || opt.path == PATH_UPLINK;
	struct guest_config c = {
		.dev = ours ? IVSHM_DEV : VHOST_DEV,
		.tap = opt.path == PATH_MACVTAP ? NULL : vm->dev,
		.bridge = opt.path == PATH_MACVTAP || opt.path == PATH_OVS ? NULL : "br0",
		.num = { opt.ring, opt.ring },
		/* As Linux allocates them for streams of frames of such sizes. */
		.slot = { opt.size > 1514 ? 4096 : 1536, (vm->size + HDR_LEN + 63) & ~63 },
	};
	int err;

	err = guest_open(&vm->g, &c);
	if (err)
		die("%s: %s: %s", vm->dev, c.dev, strerror(-err));
	if (opt.path == PATH_MACVTAP)
		vm->g.tap = macvtap_make(vm);
	vm_lanes(vm);
	if (opt.busyloop)
		busyloop_set(vm);
	err = guest_start(&vm->g);
	if (err)
		die("%s: cannot be started: %s", vm->dev, strerror(-err));
	vm_refill(vm, 0);
}

static void couple(void)
{
	struct ctl_options options = CTL_DEFAULTS;
	const char *n[PORTS_MAX] = {};
	int i, err;

	/* As soon as it can be, see idle.c. */
	if (!strcmp(opt.mode, "idle"))
		options.idle = 1;
	for (i = 0; i < opt.ports; i++)
		n[i] = vms[i].dev;
	err = ctl_couple("bench", IVSHM_COUPLING_DYNAMIC, &options, n[0], n[1], n[2], n[3], n[4],
			 n[5], n[6], n[7], n[8], n[9], n[10], n[11], n[12], n[13], n[14],
			 n[15], NULL);
	if (err)
		die("coupling: %s", strerror(-err));
}

void path_setup(void)
{
	int i, err = env_setup();

	if (err)
		die("network namespace: %s", strerror(-err));
	if (opt.path == PATH_MACVTAP) {
		sh("ip link add dummy0 type dummy");
		sh("ip link set dummy0 up");
	}
	for (i = 0; i < opt.ports; i++) {
		struct vm *vm = &vms[i];

		snprintf(vm->dev, sizeof(vm->dev), "bench%d", i);
		vm->id = i;
		vm_start(vm);
	}
	if (opt.path == PATH_OVS) {
		err = ovs_setup();
		if (err)
			die("Open vSwitch: %s", strerror(-err));
	}
	if (opt.path == PATH_DIRECT)
		couple();
}

const char *path_host_dev(unsigned int i)
{
	static const char * const dev[PATHS] = {
		[PATH_DIRECT] = "br0", [PATH_UPLINK] = "br0", [PATH_BRIDGE] = "br0",
		[PATH_MACVTAP] = "dummy0", [PATH_OVS] = "ovs0",
	};

	return i < opt.ports ? vms[i].dev : i == opt.ports ? dev[opt.path] : NULL;
}

static __u64 sent_direct(void)
{
	__u64 n = 0;
	int i;

	for (i = 0; i < opt.ports; i++)
		n += ctl_stat(vms[i].dev, IVSHM_A_STAT_TX_DIRECT_FRAMES);
	return n;
}

/* A frame from each guest to each other one, and all that arrives within a while. */
static unsigned int everybody_sends(void)
{
	unsigned int i, j, n = 0, idle = 0;

	for (i = 0; i < opt.ports; i++) {
		vm_reap(&vms[i]);
		for (j = 0; j < opt.ports; j++)
			if (i != j)
				vm_post(&vms[i], &vms[j], 1, false, 0);
		lane_publish(&vms[i].tx);
	}
	while (idle < 50) {
		unsigned int got = 0;

		for (i = 0; i < opt.ports; i++)
			got += vm_poll(&vms[i], NAPI_BUDGET);
		n += got;
		idle = got ? 0 : idle + 1;
		if (!got)
			usleep(1000);
	}
	return n;
}

void path_settle(void)
{
	unsigned int tries, all = opt.ports * (opt.ports - 1);
	__u64 direct;

	/* Interfaces that came up are talked about for a second. */
	usleep(1200000);
	for (tries = 0; tries < 50; tries++) {
		direct = opt.path == PATH_DIRECT ? sent_direct() : 0;
		if (everybody_sends() < all || tries < 2)
			continue;
		if (opt.path != PATH_DIRECT || sent_direct() == direct + all)
			return;
	}
	die(opt.path == PATH_DIRECT ? "frames do not go direct" : "frames do not arrive");
}
