// SPDX-License-Identifier: GPL-2.0
/* Examining taps: who uses them, and by which device. */
#include <dirent.h>
#include <limits.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "doctor.h"
#include "output.h"

/* What a process has open. */
struct process {
	const char *pid;
	char name[32];
	int ivshm;
	int vhost;
	json_t *taps;	/* names, as the keys of an object */
};

static void read_line(const char *path, char *buf, size_t size)
{
	FILE *f = fopen(path, "re");

	*buf = '\0';
	if (!f)
		return;
	if (fgets(buf, (int)size, f))
		buf[strcspn(buf, "\n")] = '\0';
	fclose(f);
}

/* The interface of an open file of /dev/net/tun. */
static void add_tap(struct process *process, const char *fd)
{
	char path[PATH_MAX], line[128], name[IF_NAMESIZE];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%s/fdinfo/%s", process->pid, fd);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "iff:\t%15s", name) == 1)
			json_object_set_new(process->taps, name, json_null());
	if (f)
		fclose(f);
}

static void look_at_fd(struct process *process, const char *fd)
{
	char path[PATH_MAX], target[256], name[IF_NAMESIZE];
	unsigned int ifindex;
	ssize_t len;

	snprintf(path, sizeof(path), "/proc/%s/fd/%s", process->pid, fd);
	len = readlink(path, target, sizeof(target) - 1);
	if (len < 0)
		return;
	target[len] = '\0';
	if (!strcmp(target, "/dev/ivshm-net"))
		process->ivshm++;
	else if (!strcmp(target, "/dev/vhost-net"))
		process->vhost++;
	else if (!strcmp(target, "/dev/net/tun"))
		add_tap(process, fd);
	/* A macvtap's device is named after its number. */
	else if (sscanf(target, "/dev/tap%u", &ifindex) == 1 &&
		 if_indextoname(ifindex, name))
		json_object_set_new(process->taps, name, json_null());
}

/* Interfaces of the same name are others in another network namespace. */
static bool same_netns(const char *pid)
{
	char path[PATH_MAX], ours[64], theirs[64];
	ssize_t len, own;

	snprintf(path, sizeof(path), "/proc/%s/ns/net", pid);
	len = readlink(path, theirs, sizeof(theirs));
	own = readlink("/proc/self/ns/net", ours, sizeof(ours));
	return len > 0 && len == own && !memcmp(ours, theirs, (size_t)len);
}

static void look_at_process(struct doctor *doctor, const char *pid)
{
	struct process process = { .pid = pid };
	char path[PATH_MAX];
	const char *tap;
	struct dirent *entry;
	json_t *unused;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%s/fd", pid);
	dir = same_netns(pid) ? opendir(path) : NULL;
	if (!dir)
		return;
	process.taps = check_alloc(json_object());
	while ((entry = readdir(dir)))
		if (*entry->d_name != '.')
			look_at_fd(&process, entry->d_name);
	closedir(dir);

	snprintf(path, sizeof(path), "/proc/%s/comm", pid);
	read_line(path, process.name, sizeof(process.name));
	json_object_foreach(process.taps, tap, unused)
		json_object_set_new(doctor->taps, tap,
				    json_pack("{s:i, s:o, s:i, s:i}", "pid", atoi(pid),
					      "process",
					      json_text(process.name, strlen(process.name)),
					      "ivshm", process.ivshm,
					      "vhost", process.vhost));
	json_decref(process.taps);
}

void doctor_scan_taps(struct doctor *doctor)
{
	DIR *dir = opendir("/proc");
	struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		if (strspn(entry->d_name, "0123456789") == strlen(entry->d_name))
			look_at_process(doctor, entry->d_name);
	if (dir)
		closedir(dir);
	if (geteuid())
		doctor_find(doctor, HINT, "ivmctl", "which processes use which taps was not seen",
			    "Run it as root");
}

static bool is_member(const struct doctor *doctor, const char *name)
{
	json_t *coupling, *member;
	size_t i, j;

	json_array_foreach(doctor->couplings, i, coupling)
		json_array_foreach(json_object_get(coupling, "members"), j, member)
			if (!strcmp(json_str(member, "name"), name))
				return true;
	return false;
}

/* Queue pairs that ports of the process have. */
static json_int_t queues_of(const struct doctor *doctor, json_int_t pid)
{
	json_int_t queues = 0;
	json_t *port;
	size_t i;

	json_array_foreach(doctor->ports, i, port)
		if (json_int(port, "pid") == pid)
			queues += json_int(port, "queues");
	return queues;
}

/* A tap that a process has, and that is no port. */
static void check_tap(struct doctor *doctor, const char *name, const json_t *tap)
{
	bool member = is_member(doctor, name);
	const char *process = json_str(tap, "process");
	json_int_t pid = json_int(tap, "pid");

	if (json_int(tap, "ivshm") > queues_of(doctor, pid)) {
		doctor_findf(doctor, PROBLEM, name,
			     "Look whether the guest's driver has started, and in the log of the VM for \"falling back on userspace virtio\"",
			     "it is no port, although %s (pid %d) has /dev/ivshm-net open",
			     process, (int)pid);
	} else if (member) {
		doctor_findf(doctor, PROBLEM, name,
			     "Give the VM the device by vhostfd= or <backend vhost=.../>, see ivshm(4)",
			     "%s (pid %d) uses it %s, so it cannot be coupled",
			     process, (int)pid, json_int(tap, "vhost") ?
			     "with /dev/vhost-net" : "without vhost, by userspace virtio");
	}
}

void doctor_taps(struct doctor *doctor)
{
	const char *name;
	json_t *port, *tap;
	size_t i;

	json_array_foreach(doctor->ports, i, port) {
		const char *state = json_str(port, "state");

		name = json_str(port, "name");
		if (!strcmp(state, "broken"))
			doctor_find(doctor, PROBLEM, name, "the guest broke a ring",
				    "Reset the interface in the guest (unload and load its driver), or restart the VM");
		else if (!strcmp(state, "stopped"))
			doctor_find(doctor, HINT, name,
				    "the VM has the port, but its driver is not running",
				    "Look whether the guest has started, and brought its interface up");
	}
	json_object_foreach(doctor->taps, name, tap)
		if (!doctor_port(doctor, name) && if_nametoindex(name))
			check_tap(doctor, name, tap);
}
