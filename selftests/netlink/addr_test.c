// SPDX-License-Identifier: GPL-2.0
/* The generic netlink interface: configured addresses, without a VM. As root. */
#include <arpa/inet.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "request.h"

#undef A
#define A(x)	IVSHM_A_ADDR_##x

FIXTURE(addr)
{
	struct control r;
};

FIXTURE_SETUP(addr)
{
	ASSERT_EQ(0, req_open(&self->r)) {
		TH_LOG("root, a network namespace and the module are needed");
	}
}

FIXTURE_TEARDOWN(addr)
{
	control_close(&self->r);
}

static const uint8_t mac[6] = { 2, 0, 0, 0, 0, 1 };
static const uint8_t ip4[4] = { 10, 0, 0, 1 };
static const uint8_t ip6[16] = { 0xfd, [15] = 1 };

static int addr_len(int type)
{
	return type == A(IPV4) ? 4 : type == A(IPV6) ? 16 : 6;
}

/* Offset of the address. */
static unsigned int addr_begin(struct control *r, int cmd, int type, const void *addr,
			       unsigned int *nest)
{
	nl_begin(r->msg, r->family, cmd, 0);
	*nest = nl_nest(r->msg, IVSHM_A_ADDR);
	return nl_put(r->msg, type, addr, addr_len(type));
}

static int addr_add(struct control *r, int type, const void *addr, const char *port)
{
	unsigned int nest;

	addr_begin(r, IVSHM_CMD_ADDR_NEW, type, addr, &nest);
	nl_put_str(r->msg, A(PORT), port);
	nl_nest_end(r->msg, nest);
	return control_talk(r, NULL, NULL);
}

static int addr_del(struct control *r, int type, const void *addr)
{
	unsigned int nest;

	addr_begin(r, IVSHM_CMD_ADDR_DEL, type, addr, &nest);
	nl_nest_end(r->msg, nest);
	return control_talk(r, NULL, NULL);
}

struct found {
	int nr, macs, ip4s, ip6s, wrong;
};

static int read_addr(const struct nlmsghdr *nlh, const struct nlattr *attrs, int len, void *arg)
{
	const struct nlattr *nest = nl_find(attrs, len, IVSHM_A_ADDR), *at;
	struct found *f = arg;

	(void)nlh;
	f->nr++;
	if (!nest || !nl_in(nest, A(CONFIGURED)) || nl_in(nest, A(AGE)) ||
	    nl_in(nest, A(RING)) || !nl_in(nest, A(PORT)) ||
	    strcmp(nl_data(nl_in(nest, A(PORT))), "p0")) {
		f->wrong++;
		return 0;
	}
	at = nl_in(nest, A(MAC));
	f->macs += at && nl_len(at) == 6 && !memcmp(nl_data(at), mac, 6);
	at = nl_in(nest, A(IPV4));
	f->ip4s += at && nl_len(at) == 4 && !memcmp(nl_data(at), ip4, 4) &&
		   nl_in(nest, A(LLADDR)) && !memcmp(nl_data(nl_in(nest, A(LLADDR))), mac, 6);
	at = nl_in(nest, A(IPV6));
	f->ip6s += at && nl_len(at) == 16 && !memcmp(nl_data(at), ip6, 16) &&
		   !nl_in(nest, A(LLADDR));
	return 0;
}

TEST_F(addr, read_back)
{
	struct control *r = &self->r, other;
	struct found found = { 0 };
	unsigned int nest;

	ASSERT_EQ(0, addr_add(r, A(MAC), mac, "p0"));
	ASSERT_EQ(0, addr_add(r, A(IPV6), ip6, "p0"));
	addr_begin(r, IVSHM_CMD_ADDR_NEW, A(IPV4), ip4, &nest);
	nl_put_str(r->msg, A(PORT), "p0");
	nl_put(r->msg, A(LLADDR), mac, sizeof(mac));
	nl_nest_end(r->msg, nest);
	ASSERT_EQ(0, control_talk(r, NULL, NULL));

	ASSERT_EQ(0, req_dump(r, IVSHM_CMD_ADDR_GET, read_addr, &found));
	EXPECT_EQ(3, found.nr);
	EXPECT_EQ(1, found.macs);
	EXPECT_EQ(1, found.ip4s);
	EXPECT_EQ(1, found.ip6s);
	EXPECT_EQ(0, found.wrong);

	/* Another namespace has its own; a socket stays in the one it was made in. */
	ASSERT_EQ(0, unshare(CLONE_NEWNET));
	other = *r;
	other.sock = nl_open();
	ASSERT_LE(0, other.sock);
	memset(&found, 0, sizeof(found));
	EXPECT_EQ(0, req_dump(&other, IVSHM_CMD_ADDR_GET, read_addr, &found));
	EXPECT_EQ(0, found.nr);
	EXPECT_EQ(-ENOENT, addr_del(&other, A(MAC), mac));
	EXPECT_EQ(0, addr_add(&other, A(MAC), mac, "p0"));
	close(other.sock);

	EXPECT_EQ(0, addr_del(r, A(MAC), mac));
	EXPECT_EQ(0, addr_del(r, A(IPV4), ip4));
	EXPECT_EQ(-ENOENT, addr_del(r, A(IPV4), ip4));
	EXPECT_STRNE("", r->answer.text);
	memset(&found, 0, sizeof(found));
	EXPECT_EQ(0, req_dump(r, IVSHM_CMD_ADDR_GET, read_addr, &found));
	EXPECT_EQ(1, found.nr);
	EXPECT_EQ(1, found.ip6s);
	/* The rest goes with the namespace. */
}

TEST_F(addr, refusals)
{
	static const struct {
		int type;
		const char *addr;
	} bad[] = {
		{ A(MAC), "\1\0\x5e\0\0\1" }, { A(MAC), "\0\0\0\0\0\0" },
		{ A(MAC), "\xff\xff\xff\xff\xff\xff" },
		{ A(IPV4), "\0\0\0\0" }, { A(IPV4), "\x7f\0\0\1" },
		{ A(IPV4), "\xe0\0\0\1" }, { A(IPV4), "\xff\xff\xff\xff" },
		{ A(IPV6), "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0" },
		{ A(IPV6), "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1" },
		{ A(IPV6), "\xfe\x80\0\0\0\0\0\0\0\0\0\0\0\0\0\1" },
		{ A(IPV6), "\xff\2\0\0\0\0\0\0\0\0\0\0\0\0\0\1" },
	};
	struct control *r = &self->r;
	struct found found = { 0 };
	unsigned int nest, at, i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		EXPECT_EQ(-EINVAL, addr_add(r, bad[i].type, bad[i].addr, "p0"))
			TH_LOG("address %u", i);
		EXPECT_STRNE("", r->answer.text);
	}
	EXPECT_EQ(-EINVAL, addr_add(r, A(MAC), mac, "a/b"));
	EXPECT_EQ(-EINVAL, addr_add(r, A(MAC), mac, ""));
	EXPECT_STRNE("", r->answer.text);

	/* Without a port, without an address, with two, too short. */
	addr_begin(r, IVSHM_CMD_ADDR_NEW, A(MAC), mac, &nest);
	nl_nest_end(r->msg, nest);
	EXPECT_EQ(-EINVAL, control_talk(r, NULL, NULL));
	EXPECT_EQ(A(PORT), (int)r->answer.miss_type);
	nl_begin(r->msg, r->family, IVSHM_CMD_ADDR_NEW, 0);
	nest = nl_nest(r->msg, IVSHM_A_ADDR);
	nl_put_str(r->msg, A(PORT), "p0");
	nl_nest_end(r->msg, nest);
	EXPECT_EQ(-EINVAL, control_talk(r, NULL, NULL));
	EXPECT_EQ(nest, r->answer.offset);
	addr_begin(r, IVSHM_CMD_ADDR_NEW, A(MAC), mac, &nest);
	at = nl_put(r->msg, A(IPV4), ip4, 4);
	nl_put_str(r->msg, A(PORT), "p0");
	nl_nest_end(r->msg, nest);
	EXPECT_EQ(-EINVAL, control_talk(r, NULL, NULL));
	EXPECT_EQ(at, r->answer.offset);
	nl_begin(r->msg, r->family, IVSHM_CMD_ADDR_DEL, 0);
	nest = nl_nest(r->msg, IVSHM_A_ADDR);
	nl_put(r->msg, A(MAC), mac, 5);
	nl_nest_end(r->msg, nest);
	EXPECT_GT(0, control_talk(r, NULL, NULL));
	nl_begin(r->msg, r->family, IVSHM_CMD_ADDR_NEW, 0);
	EXPECT_EQ(-EINVAL, control_talk(r, NULL, NULL));
	EXPECT_STRNE("", r->answer.text);

	/* A MAC address is at no MAC address, and none is at a group's. */
	addr_begin(r, IVSHM_CMD_ADDR_NEW, A(MAC), mac, &nest);
	nl_put_str(r->msg, A(PORT), "p0");
	at = nl_put(r->msg, A(LLADDR), mac, 6);
	nl_nest_end(r->msg, nest);
	EXPECT_EQ(-EINVAL, control_talk(r, NULL, NULL));
	EXPECT_EQ(at, r->answer.offset);
	addr_begin(r, IVSHM_CMD_ADDR_NEW, A(IPV4), ip4, &nest);
	nl_put_str(r->msg, A(PORT), "p0");
	at = nl_put(r->msg, A(LLADDR), bad[0].addr, 6);
	nl_nest_end(r->msg, nest);
	EXPECT_EQ(-EINVAL, control_talk(r, NULL, NULL));
	EXPECT_EQ(at, r->answer.offset);

	EXPECT_EQ(0, req_dump(r, IVSHM_CMD_ADDR_GET, read_addr, &found));
	EXPECT_EQ(0, found.nr);
	ASSERT_EQ(0, addr_add(r, A(MAC), mac, "p0"));
	EXPECT_EQ(-EEXIST, addr_add(r, A(MAC), mac, "p1"));
	EXPECT_STRNE("", r->answer.text);
}

/* Rules instead of names, and changes: what is refused. */
TEST_F(addr, couplings)
{
	static const struct {
		int attr;
		const char *value;
		int len;
	} bad[] = {
		{ IVSHM_A_MEMBER_GLOB, "", 1 }, { IVSHM_A_MEMBER_GLOB, "a b", 4 },
		{ IVSHM_A_MEMBER_UPPER, "", 1 }, { IVSHM_A_MEMBER_UPPER, "a/b", 4 },
		{ IVSHM_A_MEMBER_MAC, "\1\0\x5e\0\0\1", 6 },
		{ IVSHM_A_MEMBER_MAC, "\2\0\0\0\0", 5 },
		{ IVSHM_A_MEMBER_IPV4, "\x7f\0\0\1", 4 }, { IVSHM_A_MEMBER_NAME, "tap0", 5 },
		{ IVSHM_A_MEMBER_IPV6, "\xfe\x80\0\0\0\0\0\0\0\0\0\0\0\0\0\1", 16 },
		{ IVSHM_A_MEMBER_PRESENT, "", 0 },
	};
	unsigned int nest, rules, rule, i, at;
	struct control *r = &self->r;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		nest = req_begin_named(r, IVSHM_CMD_COUPLING_NEW, "x");
		nl_put_u32(r->msg, IVSHM_A_COUPLING_TYPE, DYNAMIC);
		rules = nl_nest(r->msg, IVSHM_A_COUPLING_RULES);
		rule = nl_nest(r->msg, IVSHM_A_COUPLING_MEMBER);
		at = nl_put(r->msg, bad[i].attr, bad[i].value, bad[i].len);
		nl_nest_end(r->msg, rule);
		nl_nest_end(r->msg, rules);
		nl_nest_end(r->msg, nest);
		EXPECT_GT(0, control_talk(r, NULL, NULL))
			TH_LOG("rule %u", i);
		EXPECT_EQ(at, r->answer.offset)
			TH_LOG("rule %u", i);
		EXPECT_STRNE("", r->answer.text)
			TH_LOG("rule %u", i);
	}
	EXPECT_EQ(0, req_nr_couplings(r));

	/* What passes a gateway is to be written down. */
	for (i = 0; i < 2; i++) {
		nest = req_begin_named(r, IVSHM_CMD_COUPLING_NEW, "x");
		nl_put_u32(r->msg, IVSHM_A_COUPLING_TYPE, DYNAMIC);
		nl_put_u32(r->msg, IVSHM_A_COUPLING_MATCH, IVSHM_MATCH_IP);
		rules = nl_nest(r->msg, IVSHM_A_COUPLING_RULES);
		rule = nl_nest(r->msg, IVSHM_A_COUPLING_MEMBER);
		nl_put_str(r->msg, i ? IVSHM_A_MEMBER_UPPER : IVSHM_A_MEMBER_GLOB, "p0");
		nl_nest_end(r->msg, rule);
		nl_nest_end(r->msg, rules);
		nl_nest_end(r->msg, nest);
		EXPECT_EQ(-EINVAL, control_talk(r, NULL, NULL));
	}

	/* A change of what there is not, of what cannot be, and of nothing. */
	nest = req_begin_named(r, IVSHM_CMD_COUPLING_SET, "x");
	nl_nest_end(r->msg, nest);
	EXPECT_EQ(-ENOENT, control_talk(r, NULL, NULL));
	ASSERT_EQ(0, req_add(r, "x", STATIC, "p", 2));
	nest = req_begin_named(r, IVSHM_CMD_COUPLING_SET, "x");
	at = nl_put_u32(r->msg, IVSHM_A_COUPLING_IDLE, 1);
	nl_nest_end(r->msg, nest);
	EXPECT_EQ(-EINVAL, control_talk(r, NULL, NULL));
	EXPECT_EQ(at, r->answer.offset);
	nest = req_begin_named(r, IVSHM_CMD_COUPLING_SET, "x");
	at = nl_put_u8(r->msg, IVSHM_A_COUPLING_DISABLED, 2);
	nl_nest_end(r->msg, nest);
	EXPECT_EQ(-EINVAL, control_talk(r, NULL, NULL));
	EXPECT_EQ(at, r->answer.offset);
	nest = req_begin_named(r, IVSHM_CMD_COUPLING_SET, "x");
	at = nl_put_u8(r->msg, IVSHM_A_COUPLING_BYPASS, 1);
	nl_nest_end(r->msg, nest);
	EXPECT_EQ(-EINVAL, control_talk(r, NULL, NULL));
	EXPECT_EQ(at, r->answer.offset);
	nest = req_begin_named(r, IVSHM_CMD_COUPLING_SET, "x");
	nl_nest_end(r->msg, nest);
	EXPECT_EQ(0, control_talk(r, NULL, NULL));
}

TEST_F(addr, many)
{
	struct control *r = &self->r;
	struct found found = { 0 };
	uint8_t ip[4] = { 10, 1 };
	int i, failed = 0;

	for (i = 0; i < IVSHM_ADDR_CONFIG_MAX; i++) {
		ip[2] = i >> 8;
		ip[3] = i;
		failed += addr_add(r, A(IPV4), ip, "p0") != 0;
	}
	EXPECT_EQ(0, failed);
	EXPECT_EQ(-ENOSPC, addr_add(r, A(MAC), mac, "p0"));
	EXPECT_STRNE("", r->answer.text);
	EXPECT_EQ(0, req_dump(r, IVSHM_CMD_ADDR_GET, read_addr, &found));
	EXPECT_EQ(IVSHM_ADDR_CONFIG_MAX, found.nr);
	EXPECT_EQ(0, found.wrong);
	EXPECT_EQ(0, addr_del(r, A(IPV4), ip));
	EXPECT_EQ(0, addr_add(r, A(MAC), mac, "p0"));
}

TEST_HARNESS_MAIN
