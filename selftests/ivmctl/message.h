/* SPDX-License-Identifier: GPL-2.0 */
/* Messages as the kernel would send them, for tests without the kernel. */
#ifndef _SELFTESTS_IVMCTL_MESSAGE_H
#define _SELFTESTS_IVMCTL_MESSAGE_H

#include <linux/ivshm_netlink.h>
#include <netlink/genl/genl.h>
#include <netlink/msg.h>

#define TEST_FAMILY	0x20

static inline struct nl_msg *message(unsigned char cmd)
{
	struct nl_msg *msg = nlmsg_alloc();

	genlmsg_put(msg, 1, 1, TEST_FAMILY, 0, 0, cmd, IVSHM_GENL_VERSION);
	return msg;
}

static inline struct nlattr *nest(struct nl_msg *msg, int attr)
{
	return nla_nest_start(msg, attr | NLA_F_NESTED);
}

static inline void put_member(struct nl_msg *msg, const char *name, bool present)
{
	struct nlattr *member = nest(msg, IVSHM_A_COUPLING_MEMBER);

	nla_put_string(msg, IVSHM_A_MEMBER_NAME, name);
	if (present)
		nla_put_flag(msg, IVSHM_A_MEMBER_PRESENT);
	nla_nest_end(msg, member);
}

static inline void put_pair(struct nl_msg *msg, const char *src, const char *dst,
			    unsigned int state, unsigned int reason,
			    unsigned long long frames)
{
	struct nlattr *pair = nest(msg, IVSHM_A_COUPLING_PAIR);

	nla_put_string(msg, IVSHM_A_PAIR_SRC, src);
	nla_put_string(msg, IVSHM_A_PAIR_DST, dst);
	nla_put_u32(msg, IVSHM_A_PAIR_STATE, state);
	nla_put_u32(msg, IVSHM_A_PAIR_REASON, reason);
	nla_put_u64(msg, IVSHM_A_PAIR_FRAMES, frames);
	nla_put_u64(msg, IVSHM_A_PAIR_BYTES, 100 * frames);
	nla_nest_end(msg, pair);
}

static inline void put_denial(struct nl_msg *msg, const char *src, const char *dst)
{
	struct nlattr *pair = nest(msg, IVSHM_A_COUPLING_PAIR);

	nla_put_string(msg, IVSHM_A_PAIR_SRC, src);
	nla_put_string(msg, IVSHM_A_PAIR_DST, dst);
	nla_nest_end(msg, pair);
}

/* A port in use. Counters are their own numbers, drops zero but the first. */
static inline struct nl_msg *message_port(const char *name)
{
	struct nl_msg *msg = message(IVSHM_CMD_PORT_GET);
	struct nlattr *port = nest(msg, IVSHM_A_PORT);
	struct nlattr *stats;
	int i;

	nla_put_string(msg, IVSHM_A_PORT_NAME, name);
	nla_put_u32(msg, IVSHM_A_PORT_IFINDEX, 7);
	nla_put_u32(msg, IVSHM_A_PORT_STATE, IVSHM_PORT_RUNNING);
	nla_put_u32(msg, IVSHM_A_PORT_UPPER, 1);
	nla_put_string(msg, IVSHM_A_PORT_COUPLING, "lan0");
	nla_put_u32(msg, IVSHM_A_PORT_QUEUES, 4);
	nla_put_u32(msg, IVSHM_A_PORT_QUEUES_USED, 2);
	nla_put_u32(msg, IVSHM_A_PORT_PID, 4711);
	nla_put_u64(msg, IVSHM_A_PORT_FEATURES, 0x130000000);
	stats = nest(msg, IVSHM_A_PORT_STATS);
	for (i = IVSHM_A_STAT_PAD + 1; i <= IVSHM_A_STAT_MAX; i++) {
		bool drop = (i > IVSHM_A_STAT_DROP_FULL &&
			     i <= IVSHM_A_STAT_DROP_MEMORY) ||
			    i >= IVSHM_A_STAT_DROP_SPOOFED;

		nla_put_u64(msg, i, drop ? 0 : 1000 + (unsigned int)i);
	}
	nla_nest_end(msg, stats);
	nla_nest_end(msg, port);
	return msg;
}

/* A port that has nothing but what every port has. */
static inline struct nl_msg *message_port_bare(const char *name, unsigned int state)
{
	struct nl_msg *msg = message(IVSHM_CMD_PORT_GET);
	struct nlattr *port = nest(msg, IVSHM_A_PORT);

	nla_put_string(msg, IVSHM_A_PORT_NAME, name);
	nla_put_u32(msg, IVSHM_A_PORT_STATE, state);
	nla_put_u32(msg, IVSHM_A_PORT_UPPER, 999999);
	nla_put_u32(msg, IVSHM_A_PORT_QUEUES, 0);
	nla_nest_end(msg, port);
	return msg;
}

static inline struct nl_msg *message_dynamic(void)
{
	struct nl_msg *msg = message(IVSHM_CMD_COUPLING_GET);
	struct nlattr *coupling = nest(msg, IVSHM_A_COUPLING);
	struct nlattr *list;

	nla_put_string(msg, IVSHM_A_COUPLING_NAME, "lan0");
	nla_put_u32(msg, IVSHM_A_COUPLING_TYPE, IVSHM_COUPLING_DYNAMIC);
	nla_put_u32(msg, IVSHM_A_COUPLING_STATE, IVSHM_COUPLING_COUPLED);
	list = nest(msg, IVSHM_A_COUPLING_MEMBERS);
	put_member(msg, "vnet0", true);
	put_member(msg, "vnet1", true);
	put_member(msg, "vnet10", false);
	nla_nest_end(msg, list);
	nla_put_u32(msg, IVSHM_A_COUPLING_THRESHOLD, 5);
	nla_put_u32(msg, IVSHM_A_COUPLING_IDLE, 30);
	nla_put_u32(msg, IVSHM_A_COUPLING_PARK_US, 1000);
	nla_put_u8(msg, IVSHM_A_COUPLING_BYPASS, 1);
	nla_put_u8(msg, IVSHM_A_COUPLING_STRICT, 0);
	nla_put_u32(msg, IVSHM_A_COUPLING_MATCH, IVSHM_MATCH_IP);
	list = nest(msg, IVSHM_A_COUPLING_PAIRS);
	put_pair(msg, "vnet0", "vnet1", IVSHM_PAIR_COUPLED, IVSHM_REASON_TRAFFIC, 12345);
	put_pair(msg, "vnet1", "vnet10", IVSHM_PAIR_UPLINK, IVSHM_REASON_NOT_RUNNING, 0);
	put_pair(msg, "vnet10", "vnet0", 77, 1234, 1);
	nla_nest_end(msg, list);
	nla_nest_end(msg, coupling);
	return msg;
}

/* What a dump says after message_dynamic() if there are more pairs. */
static inline struct nl_msg *message_dynamic_more(void)
{
	struct nl_msg *msg = message(IVSHM_CMD_COUPLING_GET);
	struct nlattr *coupling = nest(msg, IVSHM_A_COUPLING);
	struct nlattr *list;

	nla_put_string(msg, IVSHM_A_COUPLING_NAME, "lan0");
	nla_put_u32(msg, IVSHM_A_COUPLING_TYPE, IVSHM_COUPLING_DYNAMIC);
	nla_put_u32(msg, IVSHM_A_COUPLING_STATE, IVSHM_COUPLING_COUPLED);
	list = nest(msg, IVSHM_A_COUPLING_PAIRS);
	put_pair(msg, "vnet10", "vnet1", IVSHM_PAIR_UPLINK, IVSHM_REASON_FDB, 2);
	nla_nest_end(msg, list);
	nla_nest_end(msg, coupling);
	return msg;
}

static inline struct nl_msg *message_static(void)
{
	struct nl_msg *msg = message(IVSHM_CMD_COUPLING_GET);
	struct nlattr *coupling = nest(msg, IVSHM_A_COUPLING);
	struct nlattr *list;

	nla_put_string(msg, IVSHM_A_COUPLING_NAME, "cross");
	nla_put_u32(msg, IVSHM_A_COUPLING_TYPE, IVSHM_COUPLING_STATIC);
	nla_put_u32(msg, IVSHM_A_COUPLING_STATE, IVSHM_COUPLING_WAITING);
	list = nest(msg, IVSHM_A_COUPLING_MEMBERS);
	put_member(msg, "vnet2", false);
	put_member(msg, "vnet3", false);
	nla_nest_end(msg, list);
	nla_put_u32(msg, IVSHM_A_COUPLING_PARK_US, 0);
	nla_put_u32(msg, IVSHM_A_COUPLING_FULL, IVSHM_FULL_DROP);
	nla_put_u64(msg, IVSHM_A_COUPLING_RATE_BYTES, IVSHM_RATE_BYTES_MAX);
	nla_put_u32(msg, IVSHM_A_COUPLING_RATE_FRAMES, 0);
	list = nest(msg, IVSHM_A_COUPLING_DENY);
	put_denial(msg, "vnet2", "vnet3");
	put_denial(msg, "vnet\033*", "vnet2");
	nla_nest_end(msg, list);
	nla_nest_end(msg, coupling);
	return msg;
}

static inline struct nl_msg *message_address(const char *port, unsigned char last)
{
	const unsigned char mac[6] = { 0x52, 0x54, 0x00, 0x00, 0x0a, last };
	struct nl_msg *msg = message(IVSHM_CMD_ADDR_GET);
	struct nlattr *addr = nest(msg, IVSHM_A_ADDR);

	nla_put(msg, IVSHM_A_ADDR_MAC, sizeof(mac), mac);
	nla_put_string(msg, IVSHM_A_ADDR_PORT, port);
	nla_put_u32(msg, IVSHM_A_ADDR_AGE, last);
	nla_put_u64(msg, IVSHM_A_ADDR_RING, 0x10000 * last);
	nla_nest_end(msg, addr);
	return msg;
}

/* Configured IP addresses of a port that does not run. */
static inline struct nl_msg *message_address_ip(int attr, const void *ip, int len)
{
	const unsigned char mac[6] = { 0x52, 0x54, 0x00, 0x00, 0x0a, 1 };
	struct nl_msg *msg = message(IVSHM_CMD_ADDR_GET);
	struct nlattr *addr = nest(msg, IVSHM_A_ADDR);

	nla_put(msg, attr, len, ip);
	nla_put_string(msg, IVSHM_A_ADDR_PORT, "vnet2");
	nla_put_flag(msg, IVSHM_A_ADDR_CONFIGURED);
	nla_put(msg, IVSHM_A_ADDR_LLADDR, sizeof(mac), mac);
	nla_nest_end(msg, addr);
	return msg;
}

/* A node and an owner are there for some only. */
static inline struct nl_msg *message_region(const char *name, unsigned int number,
					    bool more)
{
	struct nl_msg *msg = message(IVSHM_CMD_REGION_GET);
	struct nlattr *region = nest(msg, IVSHM_A_REGION);

	nla_put_string(msg, IVSHM_A_REGION_NAME, name);
	nla_put_u64(msg, IVSHM_A_REGION_SIZE, more ? 3ULL << 30 : 4096);
	nla_put_u32(msg, IVSHM_A_REGION_PAGE_SIZE, more ? 2 << 20 : 4096);
	nla_put_u32(msg, IVSHM_A_REGION_MODE, more ? 0660 : 0);
	nla_put_u32(msg, IVSHM_A_REGION_UID, more ? 4000000001U : 0);
	nla_put_u32(msg, IVSHM_A_REGION_GID, more ? 4000000002U : 0);
	if (more)
		nla_put_u32(msg, IVSHM_A_REGION_NODE, 1);
	nla_put_u32(msg, IVSHM_A_REGION_STATE, IVSHM_REGION_READY);
	nla_put_u32(msg, IVSHM_A_REGION_NUMBER, number);
	nla_put_u32(msg, IVSHM_A_REGION_USERS, number);
	nla_nest_end(msg, region);
	return msg;
}

static inline struct nl_msg *message_peer(const char *from, const char *to, bool more)
{
	struct nl_msg *msg = message(IVSHM_CMD_PEER_GET);
	struct nlattr *peer = nest(msg, IVSHM_A_PEER), *stats;

	nla_put_string(msg, IVSHM_A_PEER_FROM, from);
	nla_put_string(msg, IVSHM_A_PEER_TO, to);
	nla_put_u32(msg, IVSHM_A_PEER_MESSAGES, 256);
	nla_put_u64(msg, IVSHM_A_PEER_PAGES, more ? 100 : 0);
	nla_put_u64(msg, IVSHM_A_PEER_BYTES, 0);
	nla_put_u32(msg, IVSHM_A_PEER_NOW_MESSAGES, more);
	nla_put_u64(msg, IVSHM_A_PEER_NOW_PAGES, more ? 3 : 0);
	nla_put_u64(msg, IVSHM_A_PEER_NOW_BYTES, more ? 8193 : 0);
	stats = nest(msg, IVSHM_A_PEER_STATS);
	nla_put_u64(msg, IVSHM_A_PEER_STAT_MESSAGES, more ? 7 : 0);
	nla_put_u64(msg, IVSHM_A_PEER_STAT_MOVED, more);
	nla_put_u64(msg, IVSHM_A_PEER_STAT_REFUSED_BUSY, more);
	nla_nest_end(msg, stats);
	nla_nest_end(msg, peer);
	return msg;
}

static inline void put_event(struct nl_msg *msg, unsigned int before,
			     unsigned int after, unsigned int reason)
{
	nla_put_u32(msg, IVSHM_A_EVENT_OLD_STATE, before);
	nla_put_u32(msg, IVSHM_A_EVENT_NEW_STATE, after);
	nla_put_u32(msg, IVSHM_A_EVENT_REASON, reason);
}

static inline struct nl_msg *message_event_port(void)
{
	struct nl_msg *msg = message(IVSHM_CMD_PORT_NTF);
	struct nlattr *port = nest(msg, IVSHM_A_PORT);

	nla_put_string(msg, IVSHM_A_PORT_NAME, "vnet0");
	nla_nest_end(msg, port);
	put_event(msg, IVSHM_PORT_RUNNING, IVSHM_PORT_BROKEN, IVSHM_REASON_RING);
	return msg;
}

static inline struct nl_msg *message_event_coupling(void)
{
	struct nl_msg *msg = message(IVSHM_CMD_COUPLING_NTF);
	struct nlattr *coupling = nest(msg, IVSHM_A_COUPLING);

	nla_put_string(msg, IVSHM_A_COUPLING_NAME, "lan0");
	nla_nest_end(msg, coupling);
	put_event(msg, IVSHM_COUPLING_WAITING, IVSHM_COUPLING_READY,
		  IVSHM_REASON_NONE);
	return msg;
}

static inline struct nl_msg *message_event_pair(void)
{
	struct nl_msg *msg = message(IVSHM_CMD_PAIR_NTF);
	struct nlattr *coupling = nest(msg, IVSHM_A_COUPLING);

	nla_put_string(msg, IVSHM_A_COUPLING_NAME, "lan0");
	put_pair(msg, "vnet0", "vnet1", IVSHM_PAIR_COUPLED, IVSHM_REASON_TRAFFIC, 1);
	nla_nest_end(msg, coupling);
	put_event(msg, IVSHM_PAIR_UPLINK, IVSHM_PAIR_COUPLED, IVSHM_REASON_TRAFFIC);
	return msg;
}

static inline struct nl_msg *message_event_region(void)
{
	struct nl_msg *msg = message(IVSHM_CMD_REGION_NTF);
	struct nlattr *region = nest(msg, IVSHM_A_REGION);

	nla_put_string(msg, IVSHM_A_REGION_NAME, "pool");
	nla_nest_end(msg, region);
	put_event(msg, IVSHM_REGION_READY, IVSHM_REGION_GONE, IVSHM_REASON_CONFIG);
	return msg;
}

static inline struct nl_msg *message_event_peer(void)
{
	struct nl_msg *msg = message(IVSHM_CMD_PEER_NTF);
	struct nlattr *peer = nest(msg, IVSHM_A_PEER);

	nla_put_string(msg, IVSHM_A_PEER_FROM, "vm1");
	nla_put_string(msg, IVSHM_A_PEER_TO, "vm2");
	nla_nest_end(msg, peer);
	put_event(msg, IVSHM_PEER_DENIED, IVSHM_PEER_ALLOWED, IVSHM_REASON_CONFIG);
	return msg;
}

#endif /* _SELFTESTS_IVMCTL_MESSAGE_H */
