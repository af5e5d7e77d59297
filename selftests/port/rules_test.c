// SPDX-License-Identifier: GPL-2.0
/*
 * What the bridge or macvlan would not let pass unchanged, a dynamic coupling
 * does not let pass either:
 *
 *   guest 0 --- tap0 ---+                 guest 0 --- mv0 ---+
 *   guest 1 --- tap1 ---+--- br0          guest 1 --- mv1 ---+--- dum0
 *   guest 2 --- tap2 ---+
 *
 * For each rule: the pair leaves the direct path, ivmctl says why, frames take the
 * uplink with whatever becomes of them there, and without it the pair joins again.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kselftest_harness.h"

#include "env.h"
#include "guest.h"
#include "tool.h"

#define TIMEOUT	300
#define GUESTS	3

/* What becomes of frames on the uplink. */
enum effect {
	CUT,
	PASS,
	ANY,
};

struct rule {
	const char *reason;
	enum effect effect;
	const char *set, *unset;
};

static const struct rule bridge_rules[] = {
	{ "isolated", CUT,
	  "bridge link set dev tap0 isolated on && bridge link set dev tap1 isolated on",
	  "bridge link set dev tap0 isolated off && bridge link set dev tap1 isolated off" },
	/* Frames from an address that the bridge knows at the port do pass. */
	{ "locked", ANY,
	  "bridge link set dev tap0 learning off locked on",
	  "bridge link set dev tap0 learning on locked off" },
	{ "stp", CUT, "bridge link set dev tap1 state 0", "bridge link set dev tap1 state 3" },
	{ "stp", CUT, "bridge link set dev tap0 state 1", "bridge link set dev tap0 state 3" },
	{ "vlan", PASS,
	  "ip link set br0 type bridge vlan_filtering 1",
	  "ip link set br0 type bridge vlan_filtering 0" },
	{ "vlan", CUT,
	  "ip link set br0 type bridge vlan_filtering 1 && bridge vlan del dev tap1 vid 1",
	  "bridge vlan add dev tap1 vid 1 pvid untagged && ip link set br0 type bridge vlan_filtering 0"
	},
	{ "vlan", PASS, "ip link add link tap0 name tap0.5 type vlan id 5", "ip link del tap0.5" },
	{ "down", CUT, "ip link set tap1 down", "ip link set tap1 up" },
	{ "down", CUT, "ip link set tap0 down", "ip link set tap0 up" },
	{ "down", CUT, "ip link set br0 down", "ip link set br0 up" },
	{ "no-upper", CUT, "ip link set tap1 nomaster", "ip link set tap1 master br0" },
	{ "other-upper", CUT, "ip link set tap1 master br1", "ip link set tap1 master br0" },
	{ "mode", PASS, "bridge link set dev tap0 neigh_suppress on",
	  "bridge link set dev tap0 neigh_suppress off" },
	{ "mode", PASS, "bridge link set dev tap1 vlan_tunnel on",
	  "bridge link set dev tap1 vlan_tunnel off" },
	{ "mode", PASS, "echo 1 > /sys/class/net/tap1/brport/proxyarp",
	  "echo 0 > /sys/class/net/tap1/brport/proxyarp" },
};

static const struct rule filter_rules[] = {
	{ "filter", CUT,
	  "nft 'add table bridge t; add chain bridge t c { type filter hook forward priority 0; policy drop; }'",
	  "nft delete table bridge t" },
	{ "filter", PASS,
	  "nft 'add table bridge t; add chain bridge t c { type filter hook prerouting priority 0; }'",
	  "nft delete table bridge t" },
	{ "filter", CUT,
	  "nft 'add table netdev t; add chain netdev t c { type filter hook ingress device tap0 priority 0; policy drop; }'",
	  "nft delete table netdev t" },
	{ "filter", CUT,
	  "nft 'add table netdev t; add chain netdev t c { type filter hook egress device tap1 priority 0; policy drop; }'",
	  "nft delete table netdev t" },
	{ "filter", CUT,
	  "tc qdisc add dev tap0 clsact && tc filter add dev tap0 ingress matchall action drop",
	  "tc qdisc del dev tap0 clsact" },
	{ "filter", CUT,
	  "tc qdisc add dev tap1 clsact && tc filter add dev tap1 egress matchall action drop",
	  "tc qdisc del dev tap1 clsact" },
	{ "filter", PASS,
	  "tc qdisc add dev tap1 root tbf rate 100mbit burst 200k latency 50ms",
	  "tc qdisc del dev tap1 root" },
	{ "filter", PASS,
	  "tc qdisc add dev tap0 root netem delay 1ms", "tc qdisc del dev tap0 root" },
};

static const struct rule macvtap_rules[] = {
	{ "mode", CUT, "ip link set mv0 type macvtap mode private",
	  "ip link set mv0 type macvtap mode bridge" },
	{ "mode", CUT, "ip link set mv1 type macvtap mode vepa",
	  "ip link set mv1 type macvtap mode bridge" },
	{ "down", CUT, "ip link set dum0 down", "ip link set dum0 up" },
	{ "down", CUT, "ip link set mv1 down", "ip link set mv1 up" },
	{ "filter", CUT,
	  "tc qdisc add dev mv1 clsact && tc filter add dev mv1 ingress matchall action drop",
	  "tc qdisc del dev mv1 clsact" },
	{ "filter", ANY,
	  "tc qdisc add dev dum0 clsact && tc filter add dev dum0 ingress matchall action ok",
	  "tc qdisc del dev dum0 clsact" },
	{ "vlan", ANY, "ip link add link dum0 name dum0.5 type vlan id 5", "ip link del dum0.5" },
	{ "mode", PASS, "ip link add link dum0 name src0 type macvlan mode source",
	  "ip link del src0" },
};

FIXTURE(rules) {
	struct guest g[GUESTS];
	__u32 seq;
	int skipped;
};

FIXTURE_SETUP(rules)
{
	ASSERT_EQ(0, env_setup());
	ASSERT_EQ(0, env_bridge("br1"));
}

FIXTURE_TEARDOWN(rules)
{
	int i;

	for (i = 0; i < GUESTS; i++) {
		if (!self->g[i].mem)
			continue;
		EXPECT_EQ(0, guest_stop(&self->g[i]));
		EXPECT_EQ(0, self->g[i].faults);
		guest_close(&self->g[i]);
	}
}

static void drain(struct guest *g)
{
	struct guest_frame f;

	while (guest_recv(g, &f, 30) == 1)
		;
}

static void taps_up(struct __test_metadata *_metadata, FIXTURE_DATA(rules) * self)
{
	static const char * const tap[GUESTS] = { "tap0", "tap1", "tap2" };
	int i;

	for (i = 0; i < GUESTS; i++) {
		struct guest_config c = { .tap = tap[i], .bridge = "br0" };

		ASSERT_EQ(0, guest_up(&self->g[i], &c));
	}
	ASSERT_EQ(0, tool("ivmctl coupling add lan0 dynamic tap0 tap1"));
}

/* One frame from guest 0 to guest 1, whatever becomes of it. */
static void send_one(struct __test_metadata *_metadata, FIXTURE_DATA(rules) * self)
{
	__u8 frame[100];

	frame_make(frame, sizeof(frame), self->g[1].mac, self->g[0].mac, 1, ++self->seq);
	ASSERT_EQ(0, guest_send(&self->g[0], NULL, frame, sizeof(frame)));
	ASSERT_EQ(0, guest_tx_drain(&self->g[0], 5000));
}

/* A broadcast, so that bridges learn where the guest is. */
static void call(struct guest *g)
{
	__u8 frame[60];

	frame_make(frame, sizeof(frame), mac_broadcast, g->mac, 9, 0);
	guest_send(g, NULL, frame, sizeof(frame));
	guest_tx_drain(g, 5000);
}

/* Both ends known, and frames go direct. */
static bool join(struct __test_metadata *_metadata, FIXTURE_DATA(rules) * self)
{
	__u64 end = now_ms() + 10000;
	__u32 state = 0, reason = 0;

	while (state != IVSHM_PAIR_COUPLED && now_ms() < end) {
		call(&self->g[0]);
		call(&self->g[1]);
		send_one(_metadata, self);
		drain(&self->g[1]);
		drain(&self->g[0]);
		ctl_pair("lan0", self->g[0].c.tap, self->g[1].c.tap, &state, &reason);
	}
	if (state != IVSHM_PAIR_COUPLED)
		TH_LOG("not coupled: reason %u", reason);
	return state == IVSHM_PAIR_COUPLED;
}

/* The pair has left the direct path, and ivmctl says why. */
static bool parted(struct __test_metadata *_metadata, FIXTURE_DATA(rules) * self,
		   const char *reason)
{
	__u64 end = now_ms() + 8000;
	char text[TOOL_MAX], line[100];

	snprintf(line, sizeof(line), " %s:", reason);
	do {
		char *pair, *nl;

		send_one(_metadata, self);
		if (tool_read(text, "ivmctl coupling show lan0"))
			return false;
		pair = strstr(text, self->g[0].c.tap[0] == 't' ? "tap0 -> tap1" : "mv0 -> mv1");
		nl = pair ? strchr(pair, '\n') : NULL;
		if (nl)
			*nl = '\0';
		if (pair && strstr(pair, "uplink") && strstr(pair, line))
			return true;
		usleep(50000);
	} while (now_ms() < end);
	TH_LOG("no \"%s\" in: %s", reason, text);
	return false;
}

static void try_rule(struct __test_metadata *_metadata, FIXTURE_DATA(rules) * self,
		     const struct rule *rule)
{
	__u64 uplink, direct;
	struct guest_frame f;
	int got;

	ASSERT_TRUE(join(_metadata, self))
		TH_LOG("before: %s", rule->set);
	if (tool("%s", rule->set)) {
		TH_LOG("SKIP, not possible here: %s", rule->set);
		tool("%s", rule->unset);
		self->skipped++;
		return;
	}
	EXPECT_TRUE(parted(_metadata, self, rule->reason))
		TH_LOG("%s", rule->set);
	drain(&self->g[1]);
	uplink = ctl_stat(self->g[0].c.tap, IVSHM_A_STAT_TX_UPLINK_FRAMES) +
		 ctl_stat(self->g[0].c.tap, IVSHM_A_STAT_DROP_UPLINK);
	direct = ctl_stat(self->g[0].c.tap, IVSHM_A_STAT_TX_DIRECT_FRAMES);
	send_one(_metadata, self);
	got = guest_recv(&self->g[1], &f, rule->effect == PASS ? 2000 : 100);
	EXPECT_TRUE(rule->effect == ANY || got == (rule->effect == PASS))
		TH_LOG("%s a frame: %s", got ? "passed" : "lost", rule->set);
	EXPECT_EQ(uplink + 1, ctl_stat(self->g[0].c.tap, IVSHM_A_STAT_TX_UPLINK_FRAMES) +
			      ctl_stat(self->g[0].c.tap, IVSHM_A_STAT_DROP_UPLINK));
	EXPECT_EQ(direct, ctl_stat(self->g[0].c.tap, IVSHM_A_STAT_TX_DIRECT_FRAMES))
		TH_LOG("direct in spite of: %s", rule->set);
	ASSERT_EQ(0, tool("%s", rule->unset));
}

static void try_all(struct __test_metadata *_metadata, FIXTURE_DATA(rules) * self,
		    const struct rule *rule, unsigned int n)
{
	while (n--)
		try_rule(_metadata, self, rule++);
	EXPECT_TRUE(join(_metadata, self));
}

TEST_F_TIMEOUT(rules, bridge, TIMEOUT)
{
	taps_up(_metadata, self);
	try_all(_metadata, self, bridge_rules, ARRAY_SIZE(bridge_rules));
	if (self->skipped)
		SKIP(return, "%d rules are not possible here", self->skipped);
}

TEST_F_TIMEOUT(rules, filters, TIMEOUT)
{
	taps_up(_metadata, self);
	try_all(_metadata, self, filter_rules, ARRAY_SIZE(filter_rules));
	if (self->skipped)
		SKIP(return, "%d rules are not possible here", self->skipped);
}

/* A macvtap as the tap of a guest that has its MAC address. */
static int macvtap_up(struct guest *g, const char *name)
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
	if (tool("ip link add link dum0 name %s address %s type macvtap mode bridge", name, mac) ||
	    tool("ip link set %s up", name))
		return -ENOPKG;
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

TEST_F_TIMEOUT(rules, macvtap, TIMEOUT)
{
	int err;

	if (tool("modprobe -q macvtap; ip link add dum0 type dummy && ip link set dum0 up"))
		SKIP(return, "this kernel has no dummy");
	err = macvtap_up(&self->g[0], "mv0");
	if (err == -ENOPKG)
		SKIP(return, "this kernel has no macvtap");
	ASSERT_EQ(0, err);
	ASSERT_EQ(0, macvtap_up(&self->g[1], "mv1"));
	ASSERT_EQ(0, tool("ivmctl coupling add lan0 dynamic mv0 mv1"));
	try_all(_metadata, self, macvtap_rules, ARRAY_SIZE(macvtap_rules));
	if (self->skipped)
		SKIP(return, "%d rules are not possible here", self->skipped);
}

/* One end alone is not enough for these. */
TEST_F_TIMEOUT(rules, no_rule, TIMEOUT)
{
	__u32 state, reason;
	__u64 end;

	taps_up(_metadata, self);
	ASSERT_TRUE(join(_metadata, self));
	ASSERT_EQ(0, tool("bridge link set dev tap0 isolated on"));
	ASSERT_EQ(0, tool("bridge link set dev tap1 learning off locked on"));
	ASSERT_EQ(0, tool("bridge link set dev tap2 state 0"));
	ASSERT_TRUE(join(_metadata, self));
	for (end = now_ms() + 2500; now_ms() < end; usleep(50000))
		ASSERT_EQ(0, guest_pass(&self->g[0], &self->g[1], 100, ++self->seq));
	ASSERT_EQ(0, ctl_pair("lan0", "tap0", "tap1", &state, &reason));
	EXPECT_EQ(IVSHM_PAIR_COUPLED, state)
		TH_LOG("reason %u", reason);
}

/* Where the bridge says that the address is, is where frames go. */
TEST_F_TIMEOUT(rules, address_moves, TIMEOUT)
{
	struct guest *b = &self->g[1], *c = &self->g[2];
	struct guest_frame f;
	char mac[18];

	taps_up(_metadata, self);
	ASSERT_TRUE(join(_metadata, self));
	snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", b->mac[0], b->mac[1],
		 b->mac[2], b->mac[3], b->mac[4], b->mac[5]);
	ASSERT_EQ(0, tool("bridge fdb replace %s dev tap2 master static sticky", mac));
	drain(c);
	send_one(_metadata, self);
	EXPECT_EQ(1, guest_recv(c, &f, 2000));
	EXPECT_EQ(0, guest_silent(b, 50));
	EXPECT_TRUE(parted(_metadata, self, "fdb"));
	/* The bridge's own address is for the host. */
	ASSERT_EQ(0, tool("bridge fdb del %s dev tap2 master", mac));
	ASSERT_TRUE(join(_metadata, self));
	ASSERT_EQ(0, tool("bridge fdb replace %s dev br0 self local", mac));
	send_one(_metadata, self);
	EXPECT_EQ(0, guest_silent(b, 100));
	EXPECT_TRUE(parted(_metadata, self, "fdb"));
}

/* Above what the receiver's interface takes: these frames only. */
TEST_F_TIMEOUT(rules, mtu, TIMEOUT)
{
	struct guest *a = &self->g[0], *b = &self->g[1];
	__u64 direct;
	__u8 frame[1400];

	taps_up(_metadata, self);
	ASSERT_EQ(0, env_mtu("tap1", 1000));
	ASSERT_TRUE(join(_metadata, self));
	drain(b);
	direct = ctl_stat("tap0", IVSHM_A_STAT_TX_DIRECT_FRAMES);
	frame_make(frame, sizeof(frame), b->mac, a->mac, 1, 1);
	ASSERT_EQ(0, guest_send(a, NULL, frame, sizeof(frame)));
	EXPECT_EQ(0, guest_silent(b, 100));
	EXPECT_EQ(direct, ctl_stat("tap0", IVSHM_A_STAT_TX_DIRECT_FRAMES));
	EXPECT_TRUE(tool_says("tap0 -> tap1 +coupled .* mtu:", "ivmctl coupling show lan0"));
	ASSERT_EQ(0, guest_send(a, NULL, frame, 1014));
	EXPECT_EQ(direct + 1, (guest_tx_drain(a, 5000),
			       ctl_stat("tap0", IVSHM_A_STAT_TX_DIRECT_FRAMES)));
}

/* A program that returns @code, at @dev. Its link, or -errno. */
static int xdp(const char *dev, int code)
{
	struct bpf_insn insn[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = code },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	union bpf_attr load = {
		.prog_type = BPF_PROG_TYPE_XDP,
		.insns = (uintptr_t)insn,
		.insn_cnt = 2,
		.license = (uintptr_t)"GPL",
	};
	union bpf_attr link = {};
	int prog, fd;

	prog = syscall(SYS_bpf, BPF_PROG_LOAD, &load, sizeof(load));
	if (prog < 0)
		return -errno;
	link.link_create.prog_fd = prog;
	link.link_create.target_ifindex = if_nametoindex(dev);
	link.link_create.attach_type = BPF_XDP;
	link.link_create.flags = XDP_FLAGS_SKB_MODE;
	fd = syscall(SYS_bpf, BPF_LINK_CREATE, &link, sizeof(link));
	if (fd < 0)
		fd = -errno;
	close(prog);
	return fd;
}

TEST_F_TIMEOUT(rules, xdp, TIMEOUT)
{
	static const char * const dev[] = { "tap0", "tap1" };
	struct guest *b = &self->g[1];
	int i, fd;

	taps_up(_metadata, self);
	for (i = 0; i < 2; i++) {
		ASSERT_TRUE(join(_metadata, self));
		fd = xdp(dev[i], XDP_DROP);
		if (fd < 0)
			SKIP(return, "this kernel has no XDP: %s", strerror(-fd));
		EXPECT_TRUE(parted(_metadata, self, "filter"));
		drain(b);
		send_one(_metadata, self);
		/* It is about what comes from the guest. */
		EXPECT_EQ(i, guest_recv(b, &(struct guest_frame){}, 200));
		close(fd);
	}
	EXPECT_TRUE(join(_metadata, self));
}

/* Multiple spanning trees: iproute2 of today's distributions does not know them. */
static int bridge_mst(const char *name, bool on)
{
	struct {
		struct nlmsghdr h;
		struct ifinfomsg ifi;
		struct rtattr info;
		struct rtattr kind;
		char name[8];
		struct rtattr data;
		struct rtattr opt;
		struct br_boolopt_multi mst;
	} m = {
		.h = { sizeof(m), RTM_NEWLINK, NLM_F_REQUEST | NLM_F_ACK, 1, 0 },
		.ifi = { .ifi_index = if_nametoindex(name) },
		.info = { sizeof(m) - sizeof(m.h) - sizeof(m.ifi), IFLA_LINKINFO | NLA_F_NESTED },
		.kind = { sizeof(m.kind) + 7, IFLA_INFO_KIND },
		.name = "bridge",
		.data = { sizeof(m.data) + sizeof(m.opt) + sizeof(m.mst),
			  IFLA_INFO_DATA | NLA_F_NESTED },
		.opt = { sizeof(m.opt) + sizeof(m.mst), IFLA_BR_MULTI_BOOLOPT },
		.mst = { on << BR_BOOLOPT_MST_ENABLE, 1 << BR_BOOLOPT_MST_ENABLE },
	};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE), err = -EIO;
	struct {
		struct nlmsghdr h;
		struct nlmsgerr e;
		char more[1000];
	} answer;

	if (send(fd, &m, sizeof(m), 0) == sizeof(m) &&
	    recv(fd, &answer, sizeof(answer), 0) >= (ssize_t)(sizeof(answer.h) + sizeof(int)) &&
	    answer.h.nlmsg_type == NLMSG_ERROR)
		err = answer.e.error;
	close(fd);
	return err;
}

TEST_F_TIMEOUT(rules, mst, TIMEOUT)
{
	int err;

	taps_up(_metadata, self);
	/* It cannot be switched on while there are VLANs. */
	ASSERT_EQ(0, tool("ip link set br0 type bridge vlan_default_pvid 0"));
	ASSERT_TRUE(join(_metadata, self));
	err = bridge_mst("br0", true);
	if (err)
		SKIP(return, "no multiple spanning trees: %s", strerror(-err));
	EXPECT_TRUE(parted(_metadata, self, "stp"));
	ASSERT_EQ(0, bridge_mst("br0", false));
	EXPECT_TRUE(join(_metadata, self));
}

/* A bridge does not forget addresses whose frames it does not see. */
TEST_F_TIMEOUT(rules, ageing, TIMEOUT)
{
	__u32 state, reason;
	__u64 end, uplink;

	taps_up(_metadata, self);
	/* 12 seconds. */
	ASSERT_EQ(0, tool("ip link set br0 type bridge ageing_time 1200"));
	ASSERT_TRUE(join(_metadata, self));
	uplink = ctl_stat("tap0", IVSHM_A_STAT_TX_UPLINK_FRAMES);
	for (end = now_ms() + 20000; now_ms() < end; usleep(100000)) {
		ASSERT_EQ(0, guest_pass(&self->g[0], &self->g[1], 100, ++self->seq));
		/* The receiver speaks, too: else it is as quiet as on a bridge. */
		call(&self->g[1]);
		drain(&self->g[0]);
	}
	ASSERT_EQ(0, ctl_pair("lan0", "tap0", "tap1", &state, &reason));
	EXPECT_EQ(IVSHM_PAIR_COUPLED, state)
		TH_LOG("reason %u", reason);
	EXPECT_EQ(uplink, ctl_stat("tap0", IVSHM_A_STAT_TX_UPLINK_FRAMES));
}

/* What goes direct counts at the interfaces as if it had not. */
TEST_F_TIMEOUT(rules, statistics, TIMEOUT)
{
	static const char * const file[] = {
		"tap0/statistics/rx_packets", "tap0/statistics/rx_bytes",
		"tap1/statistics/tx_packets", "tap1/statistics/tx_bytes",
	};
	unsigned long long before[4];
	char text[TOOL_MAX];
	int i;

	taps_up(_metadata, self);
	ASSERT_TRUE(join(_metadata, self));
	for (i = 0; i < 4; i++) {
		ASSERT_EQ(0, tool_read(text, "cat /sys/class/net/%s", file[i]));
		before[i] = strtoull(text, NULL, 10);
	}
	for (i = 0; i < 20; i++)
		ASSERT_EQ(0, guest_pass(&self->g[0], &self->g[1], 100, ++self->seq));
	for (i = 0; i < 4; i++) {
		ASSERT_EQ(0, tool_read(text, "cat /sys/class/net/%s", file[i]));
		EXPECT_EQ(before[i] + (i & 1 ? 2000 : 20), strtoull(text, NULL, 10))
			TH_LOG("%s", file[i]);
	}
}

TEST_HARNESS_MAIN
