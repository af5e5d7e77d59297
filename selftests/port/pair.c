// SPDX-License-Identifier: GPL-2.0
/* Pairs of guests; see pair.h. */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "env.h"
#include "pair.h"
#include "tool.h"

/* Milliseconds for all of them to come where they shall be. */
#define PATIENCE	20000

static int pair_couple(struct pair *p)
{
	static const struct ctl_options options = CTL_DEFAULTS;

	return ctl_couple(p->coupling, IVSHM_COUPLING_DYNAMIC, &options, p->name[0],
			  p->name[1], NULL);
}

static void pair_names(struct pair *p, int nr, const char *kind, const char *lower)
{
	int i;

	for (i = 0; i < 2; i++)
		snprintf(p->name[i], sizeof(p->name[i]), "%s%02d%c", kind, nr, 'a' + i);
	snprintf(p->coupling, sizeof(p->coupling), "lan%d", nr);
	snprintf(p->lower, sizeof(p->lower), "%s", lower);
}

int pair_taps(struct pair *p, int nr, const char *bridge)
{
	int i, err;

	pair_names(p, nr, "tap", bridge);
	for (i = 0; i < 2; i++) {
		struct guest_config c = { .tap = p->name[i], .bridge = p->lower };

		err = guest_up(&p->g[i], &c);
		if (!err)
			err = env_forwarding(p->name[i]);
		if (err)
			return err;
	}
	return pair_couple(p);
}

/* A macvtap as the tap of a guest that has its MAC address. */
static int macvtap_up(struct guest *g, const char *name, const char *lower)
{
	struct guest_config c = {};
	const __u8 *m = g->mac;
	int err, size = sizeof(struct virtio_net_hdr_mrg_rxbuf);
	struct ifreq ifr = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };
	char path[40], mac[18];

	err = guest_open(g, &c);
	if (err)
		return err;
	snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3],
		 m[4], m[5]);
	if (tool("ip link add link %s name %s address %s type macvtap mode bridge", lower, name,
		 mac))
		return -ENOPKG;
	err = env_updown(name, true);
	if (err)
		return err;
	snprintf(path, sizeof(path), "/dev/tap%u", if_nametoindex(name));
	g->tap = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (g->tap < 0 || ioctl(g->tap, TUNSETIFF, &ifr) ||
	    ioctl(g->tap, TUNSETVNETHDRSZ, &size) ||
	    ioctl(g->tap, TUNSETOFFLOAD, (unsigned long)GUEST_OFFLOADS))
		return -errno;
	g->c.tap = name;
	err = guest_start(g);
	if (!err)
		guest_rx_fill(g, g->ring[GUEST_RX].num, g->ring[GUEST_RX].slot_size - GUEST_GAP);
	return err;
}

int pair_macvtaps(struct pair *p, int nr)
{
	char lower[16];
	int i, err;

	snprintf(lower, sizeof(lower), "dum%d", nr);
	pair_names(p, nr, "mv", lower);
	if (tool("ip link add %s type dummy", lower))
		return -ENOPKG;
	err = env_updown(lower, true);
	for (i = 0; i < 2 && !err; i++)
		err = macvtap_up(&p->g[i], p->name[i], lower);
	return err ? err : pair_couple(p);
}

int pair_close(struct pair *p)
{
	int i, faults = 0;

	for (i = 0; i < 2; i++) {
		if (!p->g[i].mem)
			continue;
		faults += guest_stop(&p->g[i]) ? 1 : 0;
		faults += p->g[i].faults;
		guest_close(&p->g[i]);
	}
	return faults;
}

void pair_call(struct guest *g)
{
	__u8 frame[60];

	guest_tx_reap(g);
	frame_make(frame, sizeof(frame), mac_broadcast, g->mac, 9, 0);
	guest_send(g, NULL, frame, sizeof(frame));
}

int pair_send(struct pair *p)
{
	__u8 frame[100];

	guest_tx_reap(&p->g[0]);
	frame_make(frame, sizeof(frame), p->g[1].mac, p->g[0].mac, 1, ++p->seq);
	return guest_send(&p->g[0], NULL, frame, sizeof(frame));
}

bool pair_heard(struct pair *p, int ms)
{
	__u64 end = now_ms() + (__u64)ms;
	struct guest_frame f;
	__u32 flow, seq;
	int left = ms;

	do {
		if (guest_recv(&p->g[1], &f, left) == 1 &&
		    !frame_check(f.data, f.len, &flow, &seq) && flow == 1 && seq == p->seq)
			return true;
		left = (int)(end - now_ms());
	} while (left > 0);
	return false;
}

void pair_drain(struct guest *g)
{
	struct guest_frame f;

	while (guest_recv(g, &f, 0) == 1)
		;
}

int pair_settle(struct pair *p)
{
	int i, left = 0;

	for (i = 0; i < 2; i++)
		left += guest_tx_drain(&p->g[i], 5000);
	usleep(50000);
	for (i = 0; i < 2; i++)
		pair_drain(&p->g[i]);
	return left;
}

__u64 pair_uplink(const struct pair *p)
{
	return ctl_stat(p->name[0], IVSHM_A_STAT_TX_UPLINK_FRAMES) +
	       ctl_stat(p->name[0], IVSHM_A_STAT_DROP_UPLINK);
}

__u64 pair_direct(const struct pair *p)
{
	return ctl_stat(p->name[0], IVSHM_A_STAT_TX_DIRECT_FRAMES);
}

/* One round: those that are not @done yet talk, and are looked at. How many are left. */
static unsigned int pairs_round(struct pair *p, unsigned int n, bool join)
{
	__u32 state = 0, reason = 0;
	unsigned int left = 0;

	for (; n--; p++) {
		if (p->done)
			continue;
		left++;
		if (join) {
			pair_call(&p->g[0]);
			pair_call(&p->g[1]);
		}
		pair_send(p);
		pair_drain(&p->g[0]);
		pair_drain(&p->g[1]);
		if (ctl_pair(p->coupling, p->name[0], p->name[1], &state, &reason))
			continue;
		/* A frame that goes direct has had a verdict of now. */
		p->done = join ? state == IVSHM_PAIR_COUPLED && pair_direct(p) > p->direct :
				 state == IVSHM_PAIR_UPLINK && reason == p->want;
	}
	return left;
}

static bool pairs_wait(struct pair *p, unsigned int n, bool join)
{
	__u64 end = now_ms() + PATIENCE;
	__u32 state = 0, reason = 0;
	unsigned int i, left;

	for (i = 0; i < n; i++) {
		p[i].done = false;
		p[i].direct = pair_direct(&p[i]);
	}
	do {
		left = pairs_round(p, n, join);
		if (left)
			usleep(20000);
	} while (left && now_ms() < end);
	for (i = 0; i < n && left; i++) {
		if (p[i].done)
			continue;
		ctl_pair(p[i].coupling, p[i].name[0], p[i].name[1], &state, &reason);
		fprintf(stderr, "# %s: state %u, reason %u, not as wanted\n", p[i].coupling,
			state, reason);
	}
	return !left;
}

bool pairs_join(struct pair *p, unsigned int n)
{
	return pairs_wait(p, n, true);
}

/* As ivmctl calls it. */
static const char *reason_word(__u32 reason)
{
	switch (reason) {
	case IVSHM_REASON_NO_UPPER:
		return "no-upper";
	case IVSHM_REASON_OTHER_UPPER:
		return "other-upper";
	case IVSHM_REASON_FDB:
		return "fdb";
	case IVSHM_REASON_STP:
		return "stp";
	case IVSHM_REASON_ISOLATED:
		return "isolated";
	case IVSHM_REASON_LOCKED:
		return "locked";
	case IVSHM_REASON_VLAN:
		return "vlan";
	case IVSHM_REASON_FILTER:
		return "filter";
	case IVSHM_REASON_DOWN:
		return "down";
	case IVSHM_REASON_MODE:
		return "mode";
	default:
		return "?";
	}
}

static bool ivmctl_says(const char *text, const struct pair *p)
{
	char pair[64], reason[32], line[256] = "";
	const char *at;

	snprintf(pair, sizeof(pair), " %s -> %s ", p->name[0], p->name[1]);
	snprintf(reason, sizeof(reason), " %s:", reason_word(p->want));
	at = strstr(text, pair);
	if (at)
		snprintf(line, sizeof(line), "%.*s", (int)strcspn(at, "\n"), at);
	if (strstr(line, " uplink ") && strstr(line, reason))
		return true;
	fprintf(stderr, "# no \"%s\" in what ivmctl says of %s: %s\n", reason, p->coupling, line);
	return false;
}

bool pairs_part(struct pair *p, unsigned int n)
{
	static char text[TOOL_MAX];
	bool said = true;
	unsigned int i;

	if (!pairs_wait(p, n, false) || tool_read(text, "ivmctl coupling show"))
		return false;
	for (i = 0; i < n; i++)
		said = ivmctl_says(text, &p[i]) && said;
	return said;
}
