// SPDX-License-Identifier: GPL-2.0
/* Examining the host: module, device node, kernel. */
#include <errno.h>
#include <grp.h>
#include <linux/ivshm_netlink.h>
#include <netlink/genl/ctrl.h>
#include <netlink/genl/family.h>
#include <netlink/genl/genl.h>
#include <netlink/netlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "doctor.h"
#include "nl.h"
#include "output.h"

#define DEVICE	"/dev/ivshm-net"

/* Of the family in the kernel, 0 if there is none. */
static unsigned int family_version(void)
{
	struct nl_sock *sock = check_alloc(nl_socket_alloc());
	struct genl_family *family = NULL;
	struct nl_cache *cache = NULL;
	unsigned int version = 0;

	if (!genl_connect(sock) && !genl_ctrl_alloc_cache(sock, &cache))
		family = genl_ctrl_search_by_name(cache, IVSHM_GENL_NAME);
	if (family) {
		version = genl_family_get_version(family);
		genl_family_put(family);
	}
	nl_cache_free(cache);
	nl_socket_free(sock);
	return version;
}

/* Whether there is a module for this kernel to be loaded. */
static bool module_installed(const char *release)
{
	char line[512], path[512];
	bool found = false;
	FILE *f;

	snprintf(path, sizeof(path), "/lib/modules/%s/modules.dep", release);
	f = fopen(path, "re");
	while (f && !found && fgets(line, sizeof(line), f))
		found = strstr(line, "/ivshm.ko");
	if (f)
		fclose(f);
	return found;
}

static bool check_module(struct doctor *doctor)
{
	unsigned int version = family_version();
	struct utsname name;

	uname(&name);
	if (!version && module_installed(name.release)) {
		doctor_find(doctor, PROBLEM, "module", "ivshm is not loaded",
			    "Load it: modprobe ivshm");
		return false;
	}
	if (!version) {
		doctor_findf(doctor, PROBLEM, "module",
			     "In the source tree: make && make install, then: modprobe ivshm",
			     "ivshm is not loaded, and not installed for this kernel, %s",
			     name.release);
		return false;
	}
	if (version != IVSHM_GENL_VERSION)
		doctor_findf(doctor, PROBLEM, "module",
			     "Install the two from one source tree, and load the module anew",
			     "it speaks version %u of the netlink interface, ivmctl version %u",
			     version, IVSHM_GENL_VERSION);
	return true;
}

/* Minor number of the misc device, -1 if the kernel has none of that name. */
static int misc_minor(const char *name)
{
	FILE *f = fopen("/proc/misc", "re");
	int minor, found = -1;
	char other[64];

	while (f && found < 0 && fscanf(f, "%d %63s", &minor, other) == 2)
		if (!strcmp(other, name))
			found = minor;
	if (f)
		fclose(f);
	return found;
}

static void check_node(struct doctor *doctor, const struct stat *st)
{
	const struct group *kvm = getgrnam("kvm");

	if (st->st_mode & 0006)
		doctor_findf(doctor, PROBLEM, DEVICE,
			     "Let the udev rule set it: make install-host, then: udevadm trigger /sys/class/misc/ivshm-net",
			     "anybody may open it (mode %04o, expected 0660)",
			     st->st_mode & 07777);
	else if (!kvm)
		doctor_find(doctor, HINT, DEVICE, "there is no group kvm to which it could belong",
			    "Install QEMU or libvirt, which make that group");
	else if (st->st_gid != kvm->gr_gid || (st->st_mode & 0060) != 0060)
		doctor_findf(doctor, PROBLEM, DEVICE,
			     "Let the udev rule set it: make install-host, then: udevadm trigger /sys/class/misc/ivshm-net",
			     "VMs that do not run as root cannot open it (mode %04o, group %u, expected 0660 and kvm)",
			     st->st_mode & 07777, st->st_gid);
}

static void check_device(struct doctor *doctor)
{
	int minor = misc_minor("ivshm-net");
	struct stat st;

	if (minor < 0) {
		doctor_find(doctor, PROBLEM, DEVICE, "the module has not registered it",
			    "Load the module anew: rmmod ivshm; modprobe ivshm");
	} else if (stat(DEVICE, &st)) {
		doctor_findf(doctor, PROBLEM, DEVICE,
			     "Have udev make it: udevadm trigger /sys/class/misc/ivshm-net",
			     "%s", strerror(errno));
	} else if (!S_ISCHR(st.st_mode) || st.st_rdev != makedev(10, (unsigned int)minor)) {
		doctor_findf(doctor, PROBLEM, DEVICE,
			     "Remove it, then: udevadm trigger /sys/class/misc/ivshm-net",
			     "it is another file than character device 10:%d", minor);
	} else {
		check_node(doctor, &st);
	}
}

/* The configuration of the running kernel, NULL if it cannot be read. */
static FILE *open_config(const char *release)
{
	static const struct {
		const char *before;
		const char *after;
	} paths[] = {
		{ "/boot/config-", "" },
		{ "/lib/modules/", "/config" },
		{ "/lib/modules/", "/build/.config" },
	};
	char path[512];
	FILE *f = NULL;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(paths) && !f; i++) {
		snprintf(path, sizeof(path), "%s%s%s", paths[i].before, release,
			 paths[i].after);
		f = fopen(path, "re");
	}
	return f;
}

static void check_config(struct doctor *doctor)
{
	static const struct {
		const char *name;
		const char *severity;
		const char *text;
	} options[] = {
		{ "CONFIG_TUN", PROBLEM, "there are no taps" },
		{ "CONFIG_BRIDGE", HINT, "there are no bridges" },
		{ "CONFIG_NET_SWITCHDEV", PROBLEM, "changes of the bridge's rules are not told" },
		{ "CONFIG_MACVTAP", HINT, "there are no macvtaps" },
	};
	bool seen[ARRAY_SIZE(options)] = { false };
	struct utsname name;
	char line[512];
	size_t i, len;
	FILE *f;

	uname(&name);
	f = open_config(name.release);
	if (!f)
		return;
	while (fgets(line, sizeof(line), f)) {
		for (i = 0; i < ARRAY_SIZE(options); i++) {
			len = strlen(options[i].name);
			if (!strncmp(line, options[i].name, len) && line[len] == '=' &&
			    (line[len + 1] == 'y' || line[len + 1] == 'm'))
				seen[i] = true;
		}
	}
	fclose(f);
	for (i = 0; i < ARRAY_SIZE(options); i++)
		if (!seen[i])
			doctor_findf(doctor, options[i].severity, "kernel",
				     "Run a kernel that has the option",
				     "%s without %s: %s", name.release,
				     options[i].name, options[i].text);
}

bool doctor_host(struct doctor *doctor)
{
	bool loaded = check_module(doctor);

	if (loaded)
		check_device(doctor);
	check_config(doctor);
	return loaded;
}
