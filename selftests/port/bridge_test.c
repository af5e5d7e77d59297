// SPDX-License-Identifier: GPL-2.0
/*
 * What a bridge knows and does is not different for a coupling on it:
 *
 *   guest 0 --- tap00a ---+
 *   guest 1 --- tap00b ---+--- br0
 *   guest 2 --- tap2 -----+
 *
 * Where addresses are, how long it remembers them, how long frames may be, what
 * interfaces count; programs at interfaces, and states of spanning trees.
 */
#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_bridge.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kselftest_harness.h"

#include "env.h"
#include "guest.h"
#include "pair.h"
#include "tool.h"

#define TIMEOUT	120

FIXTURE(bridged) {
	struct pair p;
};

FIXTURE_SETUP(bridged)
{
	ASSERT_EQ(0, env_setup());
	ASSERT_EQ(0, pair_taps(&self->p, 0, "br0"));
	ASSERT_TRUE(pairs_join(&self->p, 1));
	ASSERT_EQ(0, pair_settle(&self->p));
}

FIXTURE_TEARDOWN(bridged)
{
	EXPECT_EQ(0, pair_close(&self->p));
}

/* It leaves the direct path for that reason. */
static bool parts(struct pair *p, __u32 reason)
{
	p->want = reason;
	return pairs_part(p, 1);
}

/* It is on the direct path. */
static bool coupled(const struct pair *p)
{
	__u32 state = 0, reason = 0;

	ctl_pair(p->coupling, p->name[0], p->name[1], &state, &reason);
	if (state != IVSHM_PAIR_COUPLED)
		fprintf(stderr, "# reason %u\n", reason);
	return state == IVSHM_PAIR_COUPLED;
}

/* The next frame takes the uplink, and arrives by it, or not. */
static bool takes_uplink(struct pair *p, bool arrives)
{
	__u64 uplink, direct;
	bool heard;

	guest_tx_drain(&p->g[0], 5000);
	uplink = pair_uplink(p);
	direct = pair_direct(p);
	if (pair_send(p))
		return false;
	heard = pair_heard(p, arrives ? 2000 : 200);
	guest_tx_drain(&p->g[0], 5000);
	uplink = pair_uplink(p) - uplink;
	direct = pair_direct(p) - direct;
	if (uplink == 1 && !direct && heard == arrives)
		return true;
	fprintf(stderr, "# %llu to the uplink, %llu direct, %s\n", uplink, direct,
		heard ? "arrived" : "lost");
	return false;
}

/* One end alone is not enough for these. */
TEST_F_TIMEOUT(bridged, no_rule, TIMEOUT)
{
	struct guest_config c = { .tap = "tap2", .bridge = "br0" };
	struct pair *p = &self->p;
	struct guest third = {};
	__u64 end;

	ASSERT_EQ(0, guest_up(&third, &c));
	ASSERT_EQ(0, tool("bridge link set dev tap00a isolated on"));
	ASSERT_EQ(0, tool("bridge link set dev tap00b learning off locked on"));
	ASSERT_EQ(0, tool("bridge link set dev tap2 state 0"));
	ASSERT_TRUE(pairs_join(p, 1));
	ASSERT_EQ(0, pair_settle(p));
	/* For longer than it takes to look again. */
	for (end = now_ms() + 2500; now_ms() < end; usleep(50000))
		ASSERT_EQ(0, guest_pass(&p->g[0], &p->g[1], 100, ++p->seq));
	EXPECT_TRUE(coupled(p));
	EXPECT_EQ(0, guest_stop(&third));
	guest_close(&third);
}

/* Where the bridge says that the address is, is where frames go. */
TEST_F_TIMEOUT(bridged, address_moves, TIMEOUT)
{
	struct guest_config c = { .tap = "tap2", .bridge = "br0" };
	struct pair *p = &self->p;
	struct guest *b = &p->g[1];
	struct guest third = {};
	struct guest_frame f;
	char mac[18];

	ASSERT_EQ(0, guest_up(&third, &c));
	snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", b->mac[0], b->mac[1],
		 b->mac[2], b->mac[3], b->mac[4], b->mac[5]);
	ASSERT_EQ(0, tool("bridge fdb replace %s dev tap2 master static sticky", mac));
	pair_drain(&third);
	ASSERT_EQ(0, pair_send(p));
	EXPECT_EQ(1, guest_recv(&third, &f, 2000));
	EXPECT_FALSE(pair_heard(p, 50));
	EXPECT_TRUE(parts(p, IVSHM_REASON_FDB));
	/* The bridge's own address is for the host. */
	ASSERT_EQ(0, tool("bridge fdb del %s dev tap2 master", mac));
	ASSERT_TRUE(pairs_join(p, 1));
	ASSERT_EQ(0, tool("bridge fdb replace %s dev br0 self local", mac));
	ASSERT_EQ(0, pair_send(p));
	EXPECT_FALSE(pair_heard(p, 100));
	EXPECT_TRUE(parts(p, IVSHM_REASON_FDB));
	EXPECT_TRUE(takes_uplink(p, false));
	EXPECT_EQ(0, guest_stop(&third));
	guest_close(&third);
}

/* Above what the receiver's interface takes: these frames only. */
TEST_F_TIMEOUT(bridged, mtu, TIMEOUT)
{
	struct pair *p = &self->p;
	struct guest *a = &p->g[0], *b = &p->g[1];
	__u64 direct, uplink;
	__u8 frame[1400];

	ASSERT_EQ(0, env_mtu(p->name[1], 1000));
	ASSERT_TRUE(pairs_join(p, 1));
	ASSERT_EQ(0, pair_settle(p));
	direct = pair_direct(p);
	uplink = pair_uplink(p);
	frame_make(frame, sizeof(frame), b->mac, a->mac, 1, 1);
	ASSERT_EQ(0, guest_send(a, NULL, frame, sizeof(frame)));
	EXPECT_EQ(0, guest_silent(b, 100));
	EXPECT_EQ(direct, pair_direct(p));
	EXPECT_EQ(uplink + 1, pair_uplink(p));
	EXPECT_TRUE(tool_says("tap00a -> tap00b +coupled .* mtu:", "ivmctl coupling show lan0"));
	ASSERT_EQ(0, guest_send(a, NULL, frame, 1014));
	EXPECT_EQ(0, guest_tx_drain(a, 5000));
	EXPECT_EQ(direct + 1, pair_direct(p));
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

TEST_F_TIMEOUT(bridged, xdp, TIMEOUT)
{
	struct pair *p = &self->p;
	int i, fd;

	for (i = 0; i < 2; i++) {
		ASSERT_TRUE(pairs_join(p, 1));
		fd = xdp(p->name[i], XDP_DROP);
		if (fd < 0)
			SKIP(return, "this kernel has no XDP: %s", strerror(-fd));
		EXPECT_TRUE(parts(p, IVSHM_REASON_FILTER));
		/* It is about what comes from the guest. */
		EXPECT_TRUE(takes_uplink(p, i));
		close(fd);
	}
	EXPECT_TRUE(pairs_join(p, 1));
}

/* @frame with a VLAN tag of @vid, if that is one, to @to. Its length. */
static __u32 tagged(__u8 *to, const __u8 *frame, __u32 len, int vid)
{
	const __u32 macs = 12;
	__u32 tag = vid ? 4 : 0;

	memcpy(to, frame, macs);
	memcpy(to + macs + tag, frame + macs, len - macs);
	if (vid) {
		to[macs] = ETH_P_8021Q >> 8;
		to[macs + 1] = ETH_P_8021Q & 0xff;
		to[macs + 2] = vid >> 8;
		to[macs + 3] = vid & 0xff;
	}
	return len + tag;
}

/* A frame of the first guest with the tag @sent takes the uplink and has @arrives then. */
static bool rewritten(struct pair *p, int sent, int arrives)
{
	__u8 frame[100], from[sizeof(frame) + 4], to[sizeof(frame) + 4];
	struct guest *a = &p->g[0], *b = &p->g[1];
	static struct guest_frame got;
	__u64 uplink, direct;
	__u32 len, want;
	bool heard;

	if (pair_settle(p))
		return false;
	uplink = pair_uplink(p);
	direct = pair_direct(p);
	frame_make(frame, sizeof(frame), b->mac, a->mac, 1, ++p->seq);
	len = tagged(from, frame, sizeof(frame), sent);
	want = tagged(to, frame, sizeof(frame), arrives);
	if (guest_send(a, NULL, from, len))
		return false;
	heard = guest_recv(b, &got, 5000) == 1;
	guest_tx_drain(a, 5000);
	uplink = pair_uplink(p) - uplink;
	direct = pair_direct(p) - direct;
	if (heard && got.len == want && !memcmp(got.data, to, want) && uplink == 1 && !direct)
		return true;
	fprintf(stderr, "# tag %d, to be %d: %llu to the uplink, %llu direct, %s\n", sent, arrives,
		uplink, direct, heard ? "arrived:" : "lost");
	if (heard)
		frame_print(got.data, got.len);
	return false;
}

/* The bridge gives tags, and takes them away: only it does, so frames take the uplink. */
TEST_F_TIMEOUT(bridged, vlan_tags, TIMEOUT)
{
	struct pair *p = &self->p;

	/* Untagged is VLAN 1 at the one end, which has a tag at the other. */
	ASSERT_EQ(0, tool("bridge vlan add dev tap00b vid 1"));
	ASSERT_EQ(0, tool("ip link set br0 type bridge vlan_filtering 1"));
	EXPECT_TRUE(parts(p, IVSHM_REASON_VLAN));
	EXPECT_TRUE(rewritten(p, 0, 1));
	/* Untagged is another one. */
	ASSERT_EQ(0, tool("bridge vlan add dev tap00a vid 5 pvid untagged"));
	ASSERT_EQ(0, tool("bridge vlan add dev tap00b vid 5"));
	EXPECT_TRUE(rewritten(p, 0, 5));
	/* A tag goes, and one stays. */
	ASSERT_EQ(0, tool("bridge vlan add dev tap00a vid 6"));
	ASSERT_EQ(0, tool("bridge vlan add dev tap00b vid 6 pvid untagged"));
	EXPECT_TRUE(rewritten(p, 6, 0));
	ASSERT_EQ(0, tool("bridge vlan add dev tap00b vid 6"));
	EXPECT_TRUE(rewritten(p, 6, 6));
	EXPECT_TRUE(parts(p, IVSHM_REASON_VLAN));
	ASSERT_EQ(0, tool("ip link set br0 type bridge vlan_filtering 0"));
	EXPECT_TRUE(pairs_join(p, 1));
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

TEST_F_TIMEOUT(bridged, mst, TIMEOUT)
{
	struct pair *p = &self->p;
	int err;

	/* It cannot be switched on while there are VLANs. */
	ASSERT_EQ(0, tool("ip link set br0 type bridge vlan_default_pvid 0"));
	ASSERT_TRUE(pairs_join(p, 1));
	err = bridge_mst("br0", true);
	if (err)
		SKIP(return, "no multiple spanning trees: %s", strerror(-err));
	EXPECT_TRUE(parts(p, IVSHM_REASON_STP));
	EXPECT_TRUE(takes_uplink(p, true));
	ASSERT_EQ(0, bridge_mst("br0", false));
	EXPECT_TRUE(pairs_join(p, 1));
}

/* A bridge does not forget addresses whose frames it does not see. */
TEST_F_TIMEOUT(bridged, ageing, TIMEOUT)
{
	struct pair *p = &self->p;
	__u64 end, uplink;

	/* Seven seconds. */
	ASSERT_EQ(0, tool("ip link set br0 type bridge ageing_time 700"));
	ASSERT_TRUE(pairs_join(p, 1));
	ASSERT_EQ(0, pair_settle(p));
	uplink = pair_uplink(p);
	for (end = now_ms() + 10000; now_ms() < end; usleep(100000)) {
		ASSERT_EQ(0, guest_pass(&p->g[0], &p->g[1], 100, ++p->seq));
		/* The receiver speaks, too: else it is as quiet as on a bridge. */
		ASSERT_EQ(0, guest_pass(&p->g[1], &p->g[0], 100, p->seq));
	}
	EXPECT_TRUE(coupled(p));
	EXPECT_EQ(uplink, pair_uplink(p));
}

/* What goes direct counts at the interfaces as if it had not. */
TEST_F_TIMEOUT(bridged, statistics, TIMEOUT)
{
	static const char * const file[] = {
		"tap00a/statistics/rx_packets", "tap00a/statistics/rx_bytes",
		"tap00b/statistics/tx_packets", "tap00b/statistics/tx_bytes",
	};
	struct pair *p = &self->p;
	char path[100];
	long before[4];
	int i;

	ASSERT_EQ(0, pair_settle(p));
	for (i = 0; i < 4; i++) {
		snprintf(path, sizeof(path), "/sys/class/net/%s", file[i]);
		before[i] = env_number(path);
		ASSERT_LE(0, before[i]);
	}
	for (i = 0; i < 20; i++)
		ASSERT_EQ(0, guest_pass(&p->g[0], &p->g[1], 100, ++p->seq));
	for (i = 0; i < 4; i++) {
		snprintf(path, sizeof(path), "/sys/class/net/%s", file[i]);
		EXPECT_EQ(before[i] + (i & 1 ? 2000 : 20), env_number(path))
			TH_LOG("%s", file[i]);
	}
}

TEST_HARNESS_MAIN
