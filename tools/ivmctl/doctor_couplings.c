// SPDX-License-Identifier: GPL-2.0
/* Examining couplings: why they do not engage. */
#include <linux/ethtool.h>
#include <linux/if_bridge.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "doctor.h"
#include "output.h"

/* Pairs that a finding names; the others are counted. */
#define PAIRS_NAMED	3

/**
 * struct cause - why a pair stays on the uplink, by the name of the reason
 * @reason: as the kernel tells it
 * @text:   what it means
 * @advice: what to do
 */
struct cause {
	const char *reason;
	const char *text;
	const char *advice;
};

static const struct cause causes[] = {
	{ "no-upper", "an end is on no bridge and no lower device",
	  "Put it there: ip link set PORT master BRIDGE; or make the coupling static" },
	{ "other-upper", "the ends are on different bridges or lower devices",
	  "Put them on the same one: ip link set PORT master BRIDGE" },
	{ "stp", "an end is not forwarding on its bridge",
	  "See bridge link show; spanning tree may need half a minute" },
	{ "isolated", "both ends are isolated ports of the bridge",
	  "bridge link set dev PORT isolated off, if they may talk to each other" },
	{ "locked", "the sending port of the bridge is locked",
	  "bridge link set dev PORT locked off, or let it authenticate" },
	{ "vlan", "the bridge filters VLANs, or a VLAN interface is on an end",
	  "ip link set BRIDGE type bridge vlan_filtering 0, or make the coupling with bypass yes" },
	{ "filter", "netfilter, tc, XDP or a rate limit has to see its frames",
	  "See nft list hooks, tc qdisc show, tc filter show dev PORT ingress, ip link show PORT; "
	  "remove it, or make the coupling with bypass yes" },
	{ "down", "an interface or the bridge is down",
	  "ip link set PORT up; see ip link show" },
	{ "mode", "a macvtap is not in bridge mode, or a port of the bridge is in a special mode",
	  "ip link set PORT type macvtap mode bridge; see bridge -d link show" },
	{ "ring", "the guest broke its ring",
	  "Reset the interface in the guest, or restart the VM" },
};

/*
 * A number in a file of an interface in sysfs, -1 if there is none: what is
 * mounted may be of another network namespace.
 */
static long sysfs_number(const char *interface, const char *file)
{
	char path[512], line[32];
	long value = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/sys/class/net/%s/%s", interface, file);
	f = fopen(path, "re");
	if (!f)
		return -1;
	if (fgets(line, sizeof(line), f))
		value = strtol(line, NULL, 0);
	fclose(f);
	return value;
}

/* Ask about an interface by ioctl, which is of our namespace. */
static bool ask(const char *interface, unsigned long request, struct ifreq *ifr)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool ok;

	if (fd < 0)
		return false;
	snprintf(ifr->ifr_name, sizeof(ifr->ifr_name), "%s", interface);
	ok = !ioctl(fd, request, ifr);
	close(fd);
	return ok;
}

static bool is_down(const char *interface)
{
	struct ifreq ifr = { 0 };

	return ask(interface, SIOCGIFFLAGS, &ifr) && !(ifr.ifr_flags & IFF_RUNNING);
}

/* A tap, a macvtap, or a macvlan, which look the same from here. */
static bool may_be_port(const char *interface)
{
	struct ethtool_drvinfo info = { .cmd = ETHTOOL_GDRVINFO };
	struct ifreq ifr = { .ifr_data = (void *)&info };

	return ask(interface, SIOCETHTOOL, &ifr) &&
	       (!strcmp(info.driver, "tun") || !strcmp(info.driver, "macvlan"));
}

/* What can be seen of the cause from here, or nothing. */
static void detail(char *buf, size_t size, const char *reason,
		   const struct doctor *doctor, const json_t *pair)
{
	const char *const ends[] = { json_str(pair, "src"), json_str(pair, "dst") };
	size_t len = 0;
	unsigned int i;

	*buf = '\0';
	for (i = 0; i < ARRAY_SIZE(ends) && len < size; i++) {
		const char *upper = json_str(doctor_port(doctor, ends[i]), "upper");
		const char *what = NULL;

		if (!strcmp(reason, "no-upper") && !strcmp(upper, "-"))
			what = "is on none";
		else if (!strcmp(reason, "down") && is_down(ends[i]))
			what = "is down";
		else if (!strcmp(reason, "stp") && sysfs_number(ends[i], "brport/state") >= 0 &&
			 sysfs_number(ends[i], "brport/state") != BR_STATE_FORWARDING)
			what = "is not forwarding";
		else if (!strcmp(reason, "vlan") && !i &&
			 sysfs_number(upper, "bridge/vlan_filtering") == 1)
			len += (size_t)snprintf(buf + len, size - len,
						"%s%s filters VLANs", len ? ", " : "", upper);
		else if (!strcmp(reason, "filter") && !i &&
			 !access("/proc/sys/net/bridge/bridge-nf-call-iptables", F_OK))
			len += (size_t)snprintf(buf + len, size - len,
						"%sbr_netfilter is loaded", len ? ", " : "");
		else if (!strcmp(reason, "other-upper"))
			len += (size_t)snprintf(buf + len, size - len, "%s%s is on %s",
						len ? ", " : "", ends[i], upper);
		if (what && len < size)
			len += (size_t)snprintf(buf + len, size - len, "%s%s %s",
						len ? ", " : "", ends[i], what);
	}
}

/* One finding for all pairs of a coupling that have the same cause. */
static void find_pairs(struct doctor *doctor, const json_t *coupling,
		       const struct cause *cause)
{
	char seen[256], list[512] = "";
	const json_t *first = NULL;
	size_t i, nr = 0, len = 0;
	json_t *pair;

	json_array_foreach(json_object_get(coupling, "pairs"), i, pair) {
		if (strcmp(json_str(pair, "state"), "uplink") ||
		    strcmp(json_str(pair, "reason"), cause->reason))
			continue;
		first = first ? first : pair;
		if (nr++ < PAIRS_NAMED && len < sizeof(list))
			len += (size_t)snprintf(list + len, sizeof(list) - len,
						"%s%s -> %s", len ? ", " : "",
						json_str(pair, "src"),
						json_str(pair, "dst"));
	}
	if (!nr)
		return;
	if (nr > PAIRS_NAMED && len < sizeof(list))
		snprintf(list + len, sizeof(list) - len, " and %zu more",
			 nr - PAIRS_NAMED);
	detail(seen, sizeof(seen), cause->reason, doctor, first);
	doctor_findf(doctor, PROBLEM, json_str(coupling, "name"), cause->advice,
		     "%s %s on the uplink: %s%s%s%s", list, nr == 1 ? "stays" : "stay",
		     cause->text, *seen ? " (" : "", seen, *seen ? ")" : "");
}

/* A port that is in no coupling, of which @name may be a misspelling. */
static const char *similar_port(const struct doctor *doctor, const char *name)
{
	size_t i, nr = json_array_size(doctor->ports);
	const char **names = check_alloc(calloc(nr + 1, sizeof(*names)));
	const char *similar;
	json_t *port;
	size_t n = 0;

	json_array_foreach(doctor->ports, i, port)
		if (!json_object_get(port, "coupling"))
			names[n++] = json_str(port, "name");
	similar = word_suggest(name, names);
	free(names);
	return similar;
}

static void find_member(struct doctor *doctor, const json_t *coupling,
			const char *name)
{
	const char *object = json_str(coupling, "name");
	const char *similar;

	/* A port that does not run, or a tap that is in use, was told of. */
	if (doctor_port(doctor, name) || json_object_get(doctor->taps, name))
		return;
	if (!if_nametoindex(name)) {
		similar = similar_port(doctor, name);
		doctor_findf(doctor, HINT, object,
			     "Start its VM, or correct the name of the interface",
			     "member %s does not exist%s%s%s", name,
			     similar ? ", did you mean " : "", similar ? similar : "",
			     similar ? "?" : "");
	} else if (!may_be_port(name)) {
		doctor_findf(doctor, PROBLEM, object,
			     "Name the tap or macvtap of a VM",
			     "member %s is neither a tap nor a macvtap", name);
	} else {
		doctor_findf(doctor, HINT, object, "Start its VM",
			     "no VM uses member %s", name);
	}
}

void doctor_couplings(struct doctor *doctor)
{
	json_t *coupling, *member;
	size_t i, j;

	json_array_foreach(doctor->couplings, i, coupling) {
		json_array_foreach(json_object_get(coupling, "members"), j, member)
			if (!json_is_true(json_object_get(member, "present")))
				find_member(doctor, coupling, json_str(member, "name"));
		for (j = 0; j < ARRAY_SIZE(causes); j++)
			find_pairs(doctor, coupling, &causes[j]);
	}
}
