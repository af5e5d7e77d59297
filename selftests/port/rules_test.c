// SPDX-License-Identifier: GPL-2.0
/*
 * What the bridge or macvlan would not let pass unchanged, a dynamic coupling
 * does not let pass either.  A pair of guests for each rule, all at once:
 *
 *   guest --- tap00a ---+                 guest --- mv00a ---+
 *   guest --- tap00b ---+--- r0           guest --- mv00b ---+--- dum0
 *
 *   guest --- tap01a ---+                 guest --- mv01a ---+
 *   guest --- tap01b ---+--- r1           guest --- mv01b ---+--- dum1
 *          ...                                   ...
 *
 * The pair leaves the direct path, ivmctl says why, frames take the uplink with
 * whatever becomes of them there, and without the rule the pair joins again.  One
 * pair more has no rule, and stays.  A kernel that watches all that it does gets one
 * rule for each reason.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "kselftest_harness.h"

#include "env.h"
#include "guest.h"
#include "pair.h"
#include "tool.h"

#define TIMEOUT	300
/* Most rules at once. */
#define RULES	16

/* What becomes of frames on the uplink. */
enum effect {
	CUT,
	PASS,
	ANY,
};

/*
 * The commands have $A and $B, the interfaces of the guest that sends and of the
 * other one; $R, their bridge or lower device; $O, another bridge; $N, a number.
 */
struct rule {
	enum ivshm_reason reason;
	enum effect effect;
	const char *set, *unset;
};

static const struct rule bridge_rules[] = {
	{ IVSHM_REASON_ISOLATED, CUT,
	  "bridge link set dev $A isolated on && bridge link set dev $B isolated on",
	  "bridge link set dev $A isolated off && bridge link set dev $B isolated off" },
	/* Frames from an address that the bridge knows at the port do pass. */
	{ IVSHM_REASON_LOCKED, ANY,
	  "bridge link set dev $A learning off locked on",
	  "bridge link set dev $A learning on locked off" },
	{ IVSHM_REASON_STP, CUT,
	  "bridge link set dev $B state 0", "bridge link set dev $B state 3" },
	{ IVSHM_REASON_STP, CUT,
	  "bridge link set dev $A state 1", "bridge link set dev $A state 3" },
	{ IVSHM_REASON_VLAN, PASS,
	  "ip link set $R type bridge vlan_filtering 1",
	  "ip link set $R type bridge vlan_filtering 0" },
	{ IVSHM_REASON_VLAN, CUT,
	  "ip link set $R type bridge vlan_filtering 1 && bridge vlan del dev $B vid 1",
	  "bridge vlan add dev $B vid 1 pvid untagged && ip link set $R type bridge vlan_filtering 0"
	},
	{ IVSHM_REASON_VLAN, PASS,
	  "ip link add link $A name $A.5 type vlan id 5", "ip link del $A.5" },
	{ IVSHM_REASON_DOWN, CUT, "ip link set $B down", "ip link set $B up" },
	{ IVSHM_REASON_DOWN, CUT, "ip link set $A down", "ip link set $A up" },
	{ IVSHM_REASON_DOWN, CUT, "ip link set $R down", "ip link set $R up" },
	{ IVSHM_REASON_NO_UPPER, CUT, "ip link set $B nomaster", "ip link set $B master $R" },
	{ IVSHM_REASON_OTHER_UPPER, CUT, "ip link set $B master $O", "ip link set $B master $R" },
	{ IVSHM_REASON_MODE, PASS, "bridge link set dev $A neigh_suppress on",
	  "bridge link set dev $A neigh_suppress off" },
	{ IVSHM_REASON_MODE, PASS, "bridge link set dev $B vlan_tunnel on",
	  "bridge link set dev $B vlan_tunnel off" },
	{ IVSHM_REASON_MODE, PASS, "echo 1 > /sys/class/net/$B/brport/proxyarp",
	  "echo 0 > /sys/class/net/$B/brport/proxyarp" },
};

static const struct rule filter_rules[] = {
	{ IVSHM_REASON_FILTER, CUT,
	  "nft \"add table netdev t$N; add chain netdev t$N c { type filter hook ingress device $A priority 0; policy drop; }\"",
	  "nft delete table netdev t$N" },
	{ IVSHM_REASON_FILTER, CUT,
	  "nft \"add table netdev t$N; add chain netdev t$N c { type filter hook egress device $B priority 0; policy drop; }\"",
	  "nft delete table netdev t$N" },
	{ IVSHM_REASON_FILTER, CUT,
	  "tc qdisc add dev $A clsact && tc filter add dev $A ingress matchall action drop",
	  "tc qdisc del dev $A clsact" },
	{ IVSHM_REASON_FILTER, CUT,
	  "tc qdisc add dev $B clsact && tc filter add dev $B egress matchall action drop",
	  "tc qdisc del dev $B clsact" },
	{ IVSHM_REASON_FILTER, PASS,
	  "tc qdisc add dev $B root tbf rate 100mbit burst 200k latency 50ms",
	  "tc qdisc del dev $B root" },
	{ IVSHM_REASON_FILTER, PASS,
	  "tc qdisc add dev $A root netem delay 1ms", "tc qdisc del dev $A root" },
};

/* Hooks of all bridges of the namespace. */
static const struct rule hook_rules[] = {
	{ IVSHM_REASON_FILTER, CUT,
	  "nft 'add table bridge t; add chain bridge t c { type filter hook forward priority 0; policy drop; }'",
	  "nft delete table bridge t" },
	{ IVSHM_REASON_FILTER, PASS,
	  "nft 'add table bridge t; add chain bridge t c { type filter hook prerouting priority 0; }'",
	  "nft delete table bridge t" },
};

static const struct rule macvtap_rules[] = {
	{ IVSHM_REASON_MODE, CUT, "ip link set $A type macvtap mode private",
	  "ip link set $A type macvtap mode bridge" },
	{ IVSHM_REASON_MODE, CUT, "ip link set $B type macvtap mode vepa",
	  "ip link set $B type macvtap mode bridge" },
	{ IVSHM_REASON_DOWN, CUT, "ip link set $R down", "ip link set $R up" },
	{ IVSHM_REASON_DOWN, CUT, "ip link set $B down", "ip link set $B up" },
	{ IVSHM_REASON_FILTER, CUT,
	  "tc qdisc add dev $B clsact && tc filter add dev $B ingress matchall action drop",
	  "tc qdisc del dev $B clsact" },
	{ IVSHM_REASON_FILTER, ANY,
	  "tc qdisc add dev $R clsact && tc filter add dev $R ingress matchall action ok",
	  "tc qdisc del dev $R clsact" },
	{ IVSHM_REASON_VLAN, ANY,
	  "ip link add link $R name $R.5 type vlan id 5", "ip link del $R.5" },
	{ IVSHM_REASON_MODE, PASS, "ip link add link $R name src$N type macvlan mode source",
	  "ip link del src$N" },
};

FIXTURE(rules) {
	struct pair p[RULES + 1];
	unsigned int nr;
	int skipped;
};

FIXTURE_SETUP(rules)
{
	ASSERT_EQ(0, env_setup());
}

FIXTURE_TEARDOWN(rules)
{
	unsigned int i;

	for (i = 0; i < self->nr; i++)
		EXPECT_EQ(0, pair_close(&self->p[i]));
}

static int rule_tool(const struct pair *p, unsigned int nr, const char *command)
{
	return tool("A=%s B=%s R=%s O=br0 N=%u; %s", p->name[0], p->name[1], p->lower, nr,
		    command);
}

/* All of them, or on a kernel that is slow one for each reason. How many. */
static unsigned int choose(const struct rule *rule, unsigned int n, struct rule *chosen)
{
	bool debug = env_debug();
	unsigned int i, nr = 0;

	for (; n--; rule++) {
		for (i = 0; debug && i < nr; i++)
			if (chosen[i].reason == rule->reason)
				break;
		if (!debug || i == nr)
			chosen[nr++] = *rule;
	}
	return nr;
}

/* Rules that are not possible here are left out, and their pairs. */
static unsigned int set_rules(FIXTURE_DATA(rules) * self, const struct rule *rule,
			      const struct rule **set, unsigned int n)
{
	unsigned int i, nr = 0;

	for (i = 0; i < n; i++) {
		if (rule_tool(&self->p[nr], nr, rule[i].set)) {
			fprintf(stderr, "# SKIP, not possible here: %s\n", rule[i].set);
			rule_tool(&self->p[nr], nr, rule[i].unset);
			self->skipped++;
			continue;
		}
		self->p[nr].want = rule[i].reason;
		set[nr++] = &rule[i];
	}
	return nr;
}

/* A frame of each takes the uplink, and there is what it should be. */
static void frames_take_uplink(struct __test_metadata *_metadata, FIXTURE_DATA(rules) * self,
			       const struct rule **set, unsigned int nr)
{
	__u64 uplink[RULES], direct[RULES];
	struct pair *p = self->p;
	unsigned int i;
	bool heard;

	for (i = 0; i < nr; i++) {
		EXPECT_EQ(0, guest_tx_drain(&p[i].g[0], 5000));
		uplink[i] = pair_uplink(&p[i]);
		direct[i] = pair_direct(&p[i]);
		EXPECT_EQ(0, pair_send(&p[i]));
	}
	/* For those that are not to arrive. */
	usleep(200000);
	for (i = 0; i < nr; i++) {
		heard = pair_heard(&p[i], set[i]->effect == PASS ? 2000 : 1);
		EXPECT_TRUE(set[i]->effect == ANY || heard == (set[i]->effect == PASS))
			TH_LOG("a frame %s: %s", heard ? "passed" : "was lost", set[i]->set);
		EXPECT_EQ(0, guest_tx_drain(&p[i].g[0], 5000));
		EXPECT_EQ(uplink[i] + 1, pair_uplink(&p[i]))
			TH_LOG("not to the uplink: %s", set[i]->set);
		EXPECT_EQ(direct[i], pair_direct(&p[i]))
			TH_LOG("direct in spite of: %s", set[i]->set);
	}
}

/* The last pair is the one without a rule. */
static void try_rules(struct __test_metadata *_metadata, FIXTURE_DATA(rules) * self,
		      const struct rule *rule, unsigned int n, bool witness)
{
	const struct rule *set[RULES];
	unsigned int i, nr;

	ASSERT_TRUE(pairs_join(self->p, self->nr));
	nr = set_rules(self, rule, set, n);
	EXPECT_TRUE(pairs_part(self->p, nr));
	frames_take_uplink(_metadata, self, set, nr);
	if (witness)
		EXPECT_TRUE(pairs_join(&self->p[self->nr - 1], 1));
	for (i = 0; i < nr; i++)
		ASSERT_EQ(0, rule_tool(&self->p[i], i, set[i]->unset));
	EXPECT_TRUE(pairs_join(self->p, self->nr));
}

static void taps_up(struct __test_metadata *_metadata, FIXTURE_DATA(rules) * self,
		    unsigned int n)
{
	char bridge[16];

	for (; self->nr < n; self->nr++) {
		snprintf(bridge, sizeof(bridge), "r%u", self->nr);
		ASSERT_EQ(0, env_bridge(bridge));
		ASSERT_EQ(0, pair_taps(&self->p[self->nr], self->nr, bridge));
	}
}

TEST_F_TIMEOUT(rules, bridge, TIMEOUT)
{
	struct rule rule[RULES];
	unsigned int n = choose(bridge_rules, ARRAY_SIZE(bridge_rules), rule);

	taps_up(_metadata, self, n + 1);
	try_rules(_metadata, self, rule, n, true);
	if (self->skipped)
		SKIP(return, "%d rules are not possible here", self->skipped);
}

TEST_F_TIMEOUT(rules, filters, TIMEOUT)
{
	struct rule rule[RULES];
	unsigned int i, n = choose(filter_rules, ARRAY_SIZE(filter_rules), rule);

	taps_up(_metadata, self, n + 1);
	try_rules(_metadata, self, rule, n, true);
	/* These are for all bridges: one after the other. */
	n = choose(hook_rules, ARRAY_SIZE(hook_rules), rule);
	for (i = 0; i < n; i++)
		try_rules(_metadata, self, &rule[i], 1, false);
	if (self->skipped)
		SKIP(return, "%d rules are not possible here", self->skipped);
}

TEST_F_TIMEOUT(rules, macvtap, TIMEOUT)
{
	struct rule rule[RULES];
	unsigned int n = choose(macvtap_rules, ARRAY_SIZE(macvtap_rules), rule);
	int err;

	tool("modprobe -q -a dummy macvtap; true");
	for (; self->nr <= n; self->nr++) {
		err = pair_macvtaps(&self->p[self->nr], self->nr);
		if (err == -ENOPKG)
			SKIP(return, "this kernel has no dummy or no macvtap");
		ASSERT_EQ(0, err);
	}
	try_rules(_metadata, self, rule, n, true);
	if (self->skipped)
		SKIP(return, "%d rules are not possible here", self->skipped);
}

TEST_HARNESS_MAIN
