// SPDX-License-Identifier: GPL-2.0
/* Helpers of the KUnit suites of address table, couplings and detector. */
#include <linux/etherdevice.h>
#include <linux/netdevice.h>
#include <linux/slab.h>
#include <net/net_namespace.h>

#include "coupling_test.h"
#include "test_live.h"

int ct_suite_init(struct kunit_suite *suite)
{
	int err;

	if (ivshm_kunit_live())
		return 0;
	err = ivshm_addr_init();
	if (err)
		return err;
	err = ivshm_coupling_init();
	if (err)
		ivshm_addr_exit();
	return err;
}

void ct_suite_exit(struct kunit_suite *suite)
{
	if (ivshm_kunit_live())
		return;
	ivshm_coupling_exit();
	ivshm_addr_exit();
}

static struct ivshm_port *ct_port_new(int i)
{
	struct ivshm_port *port;
	struct net_device *dev;

	port = kzalloc(sizeof(*port), GFP_KERNEL);
	if (!port)
		return NULL;
	dev = alloc_netdev(0, "kt%d", NET_NAME_UNKNOWN, ether_setup);
	if (!dev) {
		kfree(port);
		return NULL;
	}
	/* Numbers that no real port has. */
	port->id = U32_MAX - i;
	port->net = &init_net;
	port->state = IVSHM_PORT_STOPPED;
	snprintf(port->name, sizeof(port->name), "kt%d", i);
	rcu_assign_pointer(port->dev, dev);

	mutex_lock(&ivshm_mutex);
	INIT_LIST_HEAD(&port->qps);
	seqcount_init(&port->rx_seq);
	list_add_tail(&port->list, &ivshm_ports);
	mutex_unlock(&ivshm_mutex);
	return port;
}

static void ct_port_free(struct ivshm_port *port)
{
	mutex_lock(&ivshm_mutex);
	WRITE_ONCE(port->state, IVSHM_PORT_GONE);
	ivshm_coupling_port_down(port, IVSHM_REASON_EXIT);
	list_del(&port->list);
	mutex_unlock(&ivshm_mutex);
	synchronize_rcu();
	free_netdev(rcu_dereference_protected(port->dev, true));
	kfree(port);
}

int ct_init(struct kunit *test)
{
	struct ct *ct;
	int i;

	ct = kunit_kzalloc(test, sizeof(*ct), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, ct);
	test->priv = ct;
	ct->config.member = kunit_kcalloc(test, IVSHM_MEMBERS_MAX + 1,
					  sizeof(*ct->config.member), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, ct->config.member);
	for (i = 0; i < CT_PORTS; i++) {
		ct->port[i] = ct_port_new(i);
		KUNIT_ASSERT_NOT_NULL(test, ct->port[i]);
	}
	return 0;
}

void ct_exit(struct kunit *test)
{
	struct ivshm_coupling *coupling, *next;
	struct ct *ct = test->priv;
	int i;

	if (!ct)
		return;
	mutex_lock(&ivshm_mutex);
	list_for_each_entry_safe(coupling, next, &ivshm_space(&init_net)->couplings, list)
		if (!strncmp(coupling->name, "kt-", 3))
			ivshm_coupling_del(coupling);
	mutex_unlock(&ivshm_mutex);
	for (i = 0; i < CT_PORTS; i++)
		if (ct->port[i])
			ct_port_free(ct->port[i]);
}

void ct_up(struct ct *ct, int i)
{
	mutex_lock(&ivshm_mutex);
	WRITE_ONCE(ct->port[i]->state, IVSHM_PORT_RUNNING);
	ivshm_coupling_port_up(ct->port[i]);
	mutex_unlock(&ivshm_mutex);
}

void ct_down(struct ct *ct, int i, enum ivshm_reason reason)
{
	mutex_lock(&ivshm_mutex);
	WRITE_ONCE(ct->port[i]->state, IVSHM_PORT_STOPPED);
	ivshm_coupling_port_down(ct->port[i], reason);
	mutex_unlock(&ivshm_mutex);
}

int ct_couple(struct ct *ct, const char *name, enum ivshm_coupling_type type,
	      u32 nr)
{
	int i, err;

	strscpy(ct->config.name, name, sizeof(ct->config.name));
	ct->config.type = type;
	ct->config.nr = nr;
	for (i = 0; i < nr; i++)
		snprintf(ct->config.member[i].name, IFNAMSIZ, "kt%d", i);
	mutex_lock(&ivshm_mutex);
	err = ivshm_coupling_new(&init_net, &ct->config, NULL);
	mutex_unlock(&ivshm_mutex);
	return err;
}

int ct_couple_other(struct ct *ct)
{
	int err;

	strscpy(ct->config.name, "kt-b", sizeof(ct->config.name));
	ct->config.nr = 2;
	strscpy(ct->config.member[0].name, "ktx", IFNAMSIZ);
	strscpy(ct->config.member[1].name, "kt3", IFNAMSIZ);
	mutex_lock(&ivshm_mutex);
	err = ivshm_coupling_new(&init_net, &ct->config, NULL);
	mutex_unlock(&ivshm_mutex);
	return err;
}

struct ivshm_coupling *ct_find(const char *name)
{
	struct ivshm_coupling *coupling;

	mutex_lock(&ivshm_mutex);
	coupling = ivshm_coupling_find(&init_net, name);
	mutex_unlock(&ivshm_mutex);
	return coupling;
}

void ct_del(const char *name)
{
	struct ivshm_coupling *coupling;

	mutex_lock(&ivshm_mutex);
	coupling = ivshm_coupling_find(&init_net, name);
	if (coupling)
		ivshm_coupling_del(coupling);
	mutex_unlock(&ivshm_mutex);
}

struct ivshm_member *ct_member(struct ct *ct, int i)
{
	/* Nobody else changes the membership of these ports. */
	return rcu_dereference_protected(ct->port[i]->member, true);
}

struct ivshm_pair *ct_pair(struct ct *ct, int from, int to)
{
	return &ct_member(ct, from)->pair[ct_member(ct, to)->index];
}

void ct_mac(int i, u8 *mac)
{
	eth_zero_addr(mac);
	mac[0] = 2;
	mac[5] = i + 1;
}

struct ivshm_addr *ct_lookup(int i)
{
	struct ivshm_addr *addr;
	u8 mac[ETH_ALEN];

	ct_mac(i, mac);
	/* Entries go only when their port stops or moves. */
	rcu_read_lock();
	addr = ivshm_addr_lookup_mac(&init_net, mac);
	rcu_read_unlock();
	return addr;
}

void ct_frame(struct ct_frame *frame, int from, int to)
{
	struct ethhdr *eth = (struct ethhdr *)frame->hdr;

	memset(frame, 0, sizeof(*frame));
	ct_mac(from, eth->h_source);
	ct_mac(to, eth->h_dest);
	eth->h_proto = htons(ETH_P_IP);
	frame->len = 100;
	frame->gso_len = 100;
}

enum ivshm_path ct_send(struct ct *ct, int from, struct ct_frame *frame)
{
	rcu_read_lock();
	ivshm_detector_decide(ct->port[from], frame->hdr, sizeof(frame->hdr),
			      frame->len, frame->gso_len, &frame->d);
	rcu_read_unlock();
	return frame->d.path;
}

enum ivshm_path ct_unicast(struct ct *ct, int from, int to)
{
	struct ct_frame frame;

	ct_frame(&frame, from, to);
	return ct_send(ct, from, &frame);
}

enum ivshm_path ct_broadcast(struct ct *ct, int from)
{
	struct ct_frame frame;

	ct_frame(&frame, from, from);
	eth_broadcast_addr(((struct ethhdr *)frame.hdr)->h_dest);
	return ct_send(ct, from, &frame);
}

void ct_joined(struct ct *ct, int from, struct ivshm_pair *pair, bool done)
{
	rcu_read_lock();
	ivshm_detector_joined(ct->port[from], pair, done);
	rcu_read_unlock();
}

void ct_setup(struct kunit *test, enum ivshm_coupling_type type, u32 nr)
{
	struct ct *ct = test->priv;
	int i;

	for (i = 0; i < nr; i++)
		ct_up(ct, i);
	KUNIT_ASSERT_EQ(test, ct_couple(ct, "kt-a", type, nr), 0);
	for (i = 0; i < nr; i++)
		ct_broadcast(ct, i);
	for (i = 0; i < nr; i++)
		KUNIT_ASSERT_NOT_NULL(test, ct_lookup(i));
}

void ct_setup_bypass(struct kunit *test, u32 nr)
{
	struct ct *ct = test->priv;

	ct->config.bypass = true;
	ct->config.given |= BIT(IVSHM_A_COUPLING_BYPASS);
	ct_setup(test, IVSHM_COUPLING_DYNAMIC, nr);
}

void ct_rules_yes(struct ct *ct, int from, int to)
{
	u64 gen = ivshm_bridge_rules_gen();
	struct ivshm_pair *pair = ct_pair(ct, from, to);

	pair->verdict = IVSHM_REASON_NONE;
	pair->gen = gen;
	pair->checked = gen;
	pair->checked_at = jiffies;
	ct_lookup(from)->fdb_gen = gen;
	ct_lookup(from)->fdb_checked = gen;
	ct_lookup(to)->fdb_gen = gen;
	ct_lookup(to)->fdb_checked = gen;
}

void ct_join(struct ct *ct, int from, int to)
{
	ct_unicast(ct, from, to);
	ct_joined(ct, from, ct_pair(ct, from, to), true);
}
