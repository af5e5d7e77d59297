// SPDX-License-Identifier: GPL-2.0
/* Couplings: made and deleted by netlink, bound to ports as they begin to run. */
#include <linux/netlink.h>
#include <linux/percpu.h>
#include <linux/slab.h>
#include <net/net_namespace.h>

#include "addr.h"
#include "bridge_rules.h"
#include "coupling.h"
#include "detector.h"
#include "ivshm.h"
#include "netlink.h"
#include "port.h"

LIST_HEAD(ivshm_couplings);

/* Under ivshm_mutex. */
static u64 coupling_last_id;
static atomic64_t coupling_epochs;

static struct ivshm_port *member_port(const struct ivshm_member *member)
{
	return rcu_dereference_protected(member->port,
					 lockdep_is_held(&ivshm_mutex));
}

static struct ivshm_member *port_member(const struct ivshm_port *port)
{
	return rcu_dereference_protected(port->member,
					 lockdep_is_held(&ivshm_mutex));
}

/*
 * States
 */

static void coupling_set_state(struct ivshm_coupling *coupling,
			       enum ivshm_coupling_state state,
			       enum ivshm_reason reason)
{
	enum ivshm_coupling_state old = coupling->state;

	if (state == old)
		return;
	WRITE_ONCE(coupling->state, state);
	ivshm_nl_coupling_event(coupling, old, state, reason);
}

/* The state that follows from the counts. */
static void coupling_follow(struct ivshm_coupling *coupling,
			    enum ivshm_reason reason)
{
	enum ivshm_coupling_state state = IVSHM_COUPLING_WAITING;

	lockdep_assert_held(&coupling->lock);

	if (coupling->disabled)
		state = IVSHM_COUPLING_DISABLED;
	else if (coupling->coupled)
		state = IVSHM_COUPLING_COUPLED;
	else if (coupling->running >= 2)
		state = IVSHM_COUPLING_READY;
	coupling_set_state(coupling, state, reason);
}

/* A rule keeps the pair on the uplink: worth telling even if it was there. */
static bool reason_is_rule(enum ivshm_reason reason)
{
	switch (reason) {
	case IVSHM_REASON_NO_UPPER:
	case IVSHM_REASON_OTHER_UPPER:
	case IVSHM_REASON_STP:
	case IVSHM_REASON_ISOLATED:
	case IVSHM_REASON_LOCKED:
	case IVSHM_REASON_VLAN:
	case IVSHM_REASON_FILTER:
	case IVSHM_REASON_DOWN:
	case IVSHM_REASON_MODE:
		return true;
	default:
		return false;
	}
}

/* Without the coupling's own state, which the caller lets follow. */
static void pair_set(struct ivshm_member *src, u32 dst,
		     enum ivshm_pair_state state, enum ivshm_reason reason)
{
	struct ivshm_coupling *coupling = src->coupling;
	struct ivshm_pair *pair = &src->pair[dst];
	enum ivshm_pair_state old = pair->state;

	lockdep_assert_held(&coupling->lock);

	if (old == state && pair->reason == reason)
		return;
	if (old == IVSHM_PAIR_COUPLED)
		coupling->coupled--;
	if (state == IVSHM_PAIR_COUPLED)
		coupling->coupled++;
	if (state == IVSHM_PAIR_COUPLED && old != state)
		WRITE_ONCE(pair->epoch, atomic64_inc_return(&coupling_epochs));
	/* Who sees the state sees the epoch; pairs with frame_is_direct(). */
	smp_store_release(&pair->state, state);
	WRITE_ONCE(pair->reason, reason);
	if (old != state)
		WRITE_ONCE(pair->note, IVSHM_REASON_NONE);
	if (old != state || reason_is_rule(reason))
		ivshm_nl_pair_event(coupling, src, &coupling->member[dst], old,
				    state, reason);
}

void ivshm_coupling_pair_set(struct ivshm_member *src, u32 dst,
			     enum ivshm_pair_state state,
			     enum ivshm_reason reason)
{
	pair_set(src, dst, state, reason);
	coupling_follow(src->coupling, reason);
}

bool ivshm_coupling_bound(const struct ivshm_member *member,
			  const struct ivshm_port *port)
{
	lockdep_assert_held(&member->coupling->lock);

	return rcu_access_pointer(member->port) == port;
}

/* Both directions between two members. */
static void pair_set_both(struct ivshm_member *a, struct ivshm_member *b,
			  enum ivshm_pair_state state, enum ivshm_reason reason)
{
	pair_set(a, b->index, state, reason);
	pair_set(b, a->index, state, reason);
}

/* What was known of the pair does not hold for a new port. */
static void pair_forget(struct ivshm_pair *pair)
{
	WRITE_ONCE(pair->gen, 0);
	WRITE_ONCE(pair->checked, 0);
	WRITE_ONCE(pair->retry, jiffies);
	WRITE_ONCE(pair->window_frames, 0);
	WRITE_ONCE(pair->note, IVSHM_REASON_NONE);
}

/*
 * Places
 */

/* What went direct from and to a place is none of its next owner's. */
static void coupling_forget_stats(struct ivshm_member *member)
{
	struct ivshm_coupling *coupling = member->coupling;
	size_t size = sizeof(*member->stats);
	struct ivshm_member *peer;
	int cpu;
	u32 i;

	for_each_possible_cpu(cpu) {
		memset(per_cpu_ptr(member->stats, cpu), 0, coupling->nr * size);
		for (i = 0; i < coupling->nr; i++) {
			peer = &coupling->member[i];
			if (peer->stats)
				memset(per_cpu_ptr(peer->stats + member->index, cpu), 0, size);
		}
	}
}

/* Pairs and counters for a place that gets its first owner. */
static int coupling_init_member(struct ivshm_coupling *coupling, u32 index)
{
	struct ivshm_member *member = &coupling->member[index];
	struct ivshm_pair *pair;
	u32 i;

	member->pair = kvcalloc(coupling->nr, sizeof(*member->pair), GFP_KERNEL_ACCOUNT);
	/* One allocation a member: all in one may exceed what percpu gives. */
	member->stats = __alloc_percpu_gfp(coupling->nr * sizeof(*member->stats),
					   __alignof__(*member->stats),
					   GFP_KERNEL_ACCOUNT);
	if (!member->pair || !member->stats) {
		kvfree(member->pair);
		free_percpu(member->stats);
		member->pair = NULL;
		member->stats = NULL;
		return -ENOMEM;
	}
	for (i = 0; i < coupling->nr; i++) {
		pair = &member->pair[i];
		pair->state = IVSHM_PAIR_UPLINK;
		pair->reason = IVSHM_REASON_NOT_RUNNING;
		pair->stats = member->stats + i;
		pair_forget(pair);
	}
	return 0;
}

/*
 * Binding
 */

static void coupling_bind(struct ivshm_member *member, struct ivshm_port *port)
{
	struct ivshm_coupling *coupling = member->coupling;
	struct ivshm_member *peer;
	u32 i;

	lockdep_assert_held(&ivshm_mutex);

	spin_lock(&coupling->lock);
	rcu_assign_pointer(member->port, port);
	WRITE_ONCE(coupling->running, coupling->running + 1);
	for (i = 0; i < coupling->nr; i++) {
		peer = &coupling->member[i];
		if (peer == member || !member_port(peer))
			continue;
		pair_forget(&member->pair[i]);
		pair_forget(&peer->pair[member->index]);
		if (coupling->type == IVSHM_COUPLING_STATIC) {
			pair_set_both(member, peer, IVSHM_PAIR_COUPLED,
				      IVSHM_REASON_STATIC);
			continue;
		}
		pair_set_both(member, peer, IVSHM_PAIR_UPLINK,
			      IVSHM_REASON_NO_TRAFFIC);
	}
	coupling_follow(coupling, coupling->type == IVSHM_COUPLING_STATIC ?
			IVSHM_REASON_STATIC : IVSHM_REASON_NO_TRAFFIC);
	spin_unlock(&coupling->lock);
	WRITE_ONCE(port->look_ip, coupling->match == IVSHM_MATCH_IP);
	/* From now on the port's workers decide by the coupling. */
	rcu_assign_pointer(port->member, member);
	ivshm_port_kick(port);
}

static void coupling_unbind(struct ivshm_member *member,
			    enum ivshm_reason reason)
{
	struct ivshm_coupling *coupling = member->coupling;
	struct ivshm_port *port = member_port(member);
	struct ivshm_member *peer;
	u32 i;

	lockdep_assert_held(&ivshm_mutex);

	RCU_INIT_POINTER(port->member, NULL);
	WRITE_ONCE(port->look_ip, false);
	spin_lock(&coupling->lock);
	RCU_INIT_POINTER(member->port, NULL);
	WRITE_ONCE(coupling->running, coupling->running - 1);
	for (i = 0; i < coupling->nr; i++) {
		peer = &coupling->member[i];
		if (peer != member && member_port(peer))
			pair_set_both(member, peer, IVSHM_PAIR_UPLINK, reason);
	}
	coupling_follow(coupling, reason);
	spin_unlock(&coupling->lock);
	ivshm_port_kick(port);
}

/* Frames that wait, and those in the taps, are to be decided anew. */
static void coupling_kick(struct ivshm_coupling *coupling)
{
	struct ivshm_port *port;
	u32 i;

	lockdep_assert_held(&ivshm_mutex);

	for (i = 0; i < coupling->nr; i++) {
		port = member_port(&coupling->member[i]);
		if (port)
			ivshm_port_kick(port);
	}
}

static bool member_is_implicit(const struct ivshm_member *member)
{
	return member->index >= member->coupling->nr_named;
}

/* A place for a port that fits a rule, under its name. NULL if there is none. */
static struct ivshm_member *coupling_take_place(struct ivshm_port *port)
{
	struct ivshm_coupling *coupling;
	struct ivshm_member *member;
	u32 i;

	list_for_each_entry(coupling, &ivshm_couplings, list) {
		if (coupling->net != port->net || coupling->disabled ||
		    !ivshm_coupling_fits(coupling, port))
			continue;
		for (i = coupling->nr_named; i < coupling->nr; i++) {
			member = &coupling->member[i];
			if (*member->name)
				continue;
			if (!member->pair && coupling_init_member(coupling, i))
				break;
			coupling_forget_stats(member);
			strscpy(member->name, port->name, sizeof(member->name));
			return member;
		}
	}
	return NULL;
}

/* The place of @port is still the right one. */
static bool coupling_stays(const struct ivshm_port *port, const struct ivshm_member *member)
{
	if (!member || member->coupling->disabled || member->coupling->net != port->net ||
	    strcmp(member->name, port->name))
		return false;
	return !member_is_implicit(member) ||
	       (!ivshm_coupling_place(port->net, port->name) &&
		ivshm_coupling_fits(member->coupling, port));
}

static void coupling_leave(struct ivshm_member *member, enum ivshm_reason reason)
{
	coupling_unbind(member, reason);
	coupling_kick(member->coupling);
	if (member_is_implicit(member))
		*member->name = '\0';
}

void ivshm_coupling_port_look(struct ivshm_port *port)
{
	struct ivshm_member *old, *place;

	lockdep_assert_held(&ivshm_mutex);

	if (!ivshm_port_is_up(port))
		return;
	old = port_member(port);
	if (coupling_stays(port, old))
		return;
	if (old)
		coupling_leave(old, IVSHM_REASON_CONFIG);
	place = ivshm_coupling_place(port->net, port->name) ?: coupling_take_place(port);
	/*
	 * While names are being exchanged, the place may still be taken by
	 * the port that had the name before; that port is called next.
	 */
	if (place && place->coupling->disabled)
		return;
	if (place && member_port(place))
		coupling_unbind(place, IVSHM_REASON_CONFIG);
	if (place)
		coupling_bind(place, port);
}

void ivshm_coupling_look(const struct net *net, const char *name)
{
	struct ivshm_port *port;

	lockdep_assert_held(&ivshm_mutex);

	list_for_each_entry(port, &ivshm_ports, list)
		if (port->net == net && (!name || !strcmp(port->name, name)))
			ivshm_coupling_port_look(port);
}

void ivshm_coupling_port_up(struct ivshm_port *port)
{
	lockdep_assert_held(&ivshm_mutex);

	if (coupling_stays(port, port_member(port)))
		return;
	/* It may have been in another namespace, or had another name. */
	ivshm_addr_flush_port(port);
	ivshm_addr_config_up(port);
	ivshm_coupling_port_look(port);
}

void ivshm_coupling_port_down(struct ivshm_port *port, enum ivshm_reason reason)
{
	struct ivshm_member *member;

	lockdep_assert_held(&ivshm_mutex);

	member = port_member(port);
	if (member)
		coupling_leave(member, reason);
	ivshm_addr_flush_port(port);
}

/*
 * Making and deleting
 */

static void coupling_free(struct ivshm_coupling *coupling)
{
	u32 i;

	for (i = 0; i < coupling->nr; i++) {
		free_percpu(coupling->member[i].stats);
		kvfree(coupling->member[i].pair);
	}
	kfree(coupling->rule);
	kfree(coupling);
}

/* Workers that were deciding by it are done. Nothing of this sleeps. */
static void coupling_free_rcu(struct rcu_head *rcu)
{
	coupling_free(container_of(rcu, struct ivshm_coupling, rcu));
}

/* A coupling that nobody knows yet, or NULL. */
static struct ivshm_coupling *
coupling_alloc(struct net *net, const struct ivshm_coupling_config *cfg)
{
	struct ivshm_coupling *coupling;
	struct ivshm_member *member;
	u32 i, nr, rules = 0;

	for (i = 0; i < cfg->nr; i++)
		rules += cfg->member[i].is_rule;
	nr = rules ? IVSHM_MEMBERS_MAX : cfg->nr;
	coupling = kzalloc(struct_size(coupling, member, nr), GFP_KERNEL_ACCOUNT);
	if (!coupling)
		return NULL;
	coupling->nr = nr;
	for (i = 0; i < nr; i++) {
		coupling->member[i].coupling = coupling;
		coupling->member[i].index = i;
	}
	if (rules) {
		coupling->rule = kcalloc(rules, sizeof(*coupling->rule), GFP_KERNEL_ACCOUNT);
		if (!coupling->rule)
			goto free;
	}
	for (i = 0; i < cfg->nr; i++) {
		if (cfg->member[i].is_rule) {
			coupling->rule[coupling->nr_rules++] = cfg->member[i].rule;
			continue;
		}
		member = &coupling->member[coupling->nr_named];
		if (coupling_init_member(coupling, coupling->nr_named))
			goto free;
		strscpy(member->name, cfg->member[i].name, sizeof(member->name));
		coupling->nr_named++;
	}

	spin_lock_init(&coupling->lock);
	coupling->net = net;
	strscpy(coupling->name, cfg->name, sizeof(coupling->name));
	coupling->type = cfg->type;
	coupling->state = IVSHM_COUPLING_GONE;
	coupling->threshold = IVSHM_THRESHOLD_DEFAULT;
	if (cfg->given & BIT(IVSHM_A_COUPLING_THRESHOLD))
		coupling->threshold = cfg->threshold;
	coupling->idle = IVSHM_IDLE_DEFAULT;
	if (cfg->given & BIT(IVSHM_A_COUPLING_IDLE))
		coupling->idle = cfg->idle;
	coupling->park_us = IVSHM_PARK_US_DEFAULT;
	if (cfg->given & BIT(IVSHM_A_COUPLING_PARK_US))
		coupling->park_us = cfg->park_us;
	if (cfg->given & BIT(IVSHM_A_COUPLING_BYPASS))
		coupling->bypass = cfg->bypass;
	if (cfg->given & BIT(IVSHM_A_COUPLING_STRICT))
		coupling->strict = cfg->strict;
	coupling->match = IVSHM_MATCH_MAC;
	if (cfg->given & BIT(IVSHM_A_COUPLING_MATCH))
		coupling->match = cfg->match;
	if (cfg->given & BIT(IVSHM_A_COUPLING_DISABLED))
		coupling->disabled = cfg->disabled;
	return coupling;

free:
	coupling_free(coupling);
	return NULL;
}

int ivshm_coupling_new(struct net *net, const struct ivshm_coupling_config *cfg,
		       struct netlink_ext_ack *extack)
{
	struct ivshm_coupling *coupling;
	int err;

	lockdep_assert_held(&ivshm_mutex);

	err = ivshm_coupling_check(net, cfg, extack);
	if (err)
		return err;

	coupling = coupling_alloc(net, cfg);
	if (!coupling) {
		NL_SET_ERR_MSG(extack, "not enough memory for the coupling");
		return -ENOMEM;
	}
	coupling->id = ++coupling_last_id;
	list_add_tail(&coupling->list, &ivshm_couplings);
	ivshm_coupling_names_add(coupling);
	spin_lock(&coupling->lock);
	coupling_follow(coupling, IVSHM_REASON_CONFIG);
	spin_unlock(&coupling->lock);

	ivshm_coupling_look(net, NULL);
	WRITE_ONCE(coupling->live, !coupling->disabled);
	coupling_kick(coupling);
	return 0;
}

static void coupling_enable(struct ivshm_coupling *coupling, bool enable)
{
	struct ivshm_member *member;
	struct net *net = coupling->net;
	u32 i;

	if (coupling->disabled == !enable)
		return;
	/* It begins and ends for all members at once. */
	WRITE_ONCE(coupling->live, false);
	spin_lock(&coupling->lock);
	coupling->disabled = !enable;
	coupling_follow(coupling, IVSHM_REASON_CONFIG);
	spin_unlock(&coupling->lock);
	for (i = 0; i < coupling->nr && !enable; i++) {
		member = &coupling->member[i];
		if (member_port(member))
			coupling_leave(member, IVSHM_REASON_CONFIG);
	}
	/* Members come back, or find another coupling with a rule that they fit. */
	ivshm_coupling_look(net, NULL);
	WRITE_ONCE(coupling->live, enable);
	coupling_kick(coupling);
}

int ivshm_coupling_set(struct ivshm_coupling *coupling, struct ivshm_coupling_config *cfg,
		       struct netlink_ext_ack *extack)
{
	int err;

	lockdep_assert_held(&ivshm_mutex);

	strscpy(cfg->name, coupling->name, sizeof(cfg->name));
	cfg->type = coupling->type;
	err = ivshm_coupling_check_options(cfg, extack);
	if (err)
		return err;
	if (cfg->given & BIT(IVSHM_A_COUPLING_THRESHOLD))
		WRITE_ONCE(coupling->threshold, cfg->threshold);
	if (cfg->given & BIT(IVSHM_A_COUPLING_IDLE))
		WRITE_ONCE(coupling->idle, cfg->idle);
	if (cfg->given & BIT(IVSHM_A_COUPLING_PARK_US))
		WRITE_ONCE(coupling->park_us, cfg->park_us);
	if (cfg->given & BIT(IVSHM_A_COUPLING_DISABLED))
		coupling_enable(coupling, !cfg->disabled);
	return 0;
}

/* Nobody finds it any more; to be freed after a grace period. */
static void coupling_unlink(struct ivshm_coupling *coupling)
{
	u32 i;

	lockdep_assert_held(&ivshm_mutex);

	WRITE_ONCE(coupling->live, false);
	for (i = 0; i < coupling->nr; i++)
		if (member_port(&coupling->member[i]))
			coupling_unbind(&coupling->member[i], IVSHM_REASON_CONFIG);
	spin_lock(&coupling->lock);
	coupling_set_state(coupling, IVSHM_COUPLING_GONE, IVSHM_REASON_CONFIG);
	spin_unlock(&coupling->lock);
	list_del(&coupling->list);
	ivshm_coupling_names_del(coupling);
}

void ivshm_coupling_del(struct ivshm_coupling *coupling)
{
	struct net *net = coupling->net;

	coupling_unlink(coupling);
	/* Its members may fit another one's rules. */
	ivshm_coupling_look(net, NULL);
	/* Not waited for: an administrator may delete a thousand. */
	call_rcu(&coupling->rcu, coupling_free_rcu);
}

/* Delete the couplings of @net, or of all namespaces. */
static void coupling_del_all(const struct net *net)
{
	struct ivshm_coupling *coupling, *next;

	mutex_lock(&ivshm_mutex);
	list_for_each_entry_safe(coupling, next, &ivshm_couplings, list) {
		if (net && coupling->net != net)
			continue;
		coupling_unlink(coupling);
		call_rcu(&coupling->rcu, coupling_free_rcu);
	}
	mutex_unlock(&ivshm_mutex);
}

static void __net_exit coupling_net_exit(struct net *net)
{
	coupling_del_all(net);
	ivshm_addr_config_flush(net);
}

static struct pernet_operations coupling_net_ops = {
	.exit = coupling_net_exit,
};

/*
 * What pairs show
 */

enum ivshm_reason ivshm_pair_shown_reason(const struct ivshm_pair *pair)
{
	enum ivshm_reason note = READ_ONCE(pair->note);

	/* A frame that had to take the uplink is told for a while. */
	if (note && time_before(jiffies, READ_ONCE(pair->noted) + 10 * HZ))
		return note;
	return READ_ONCE(pair->reason);
}

void ivshm_pair_read_stats(const struct ivshm_pair *pair,
			   struct ivshm_pair_stats *sum)
{
	const struct ivshm_pair_stats *stats;
	int cpu;

	memset(sum, 0, sizeof(*sum));
	for_each_possible_cpu(cpu) {
		stats = per_cpu_ptr(pair->stats, cpu);
		sum->frames += READ_ONCE(stats->frames);
		sum->bytes += READ_ONCE(stats->bytes);
	}
}

int ivshm_coupling_init(void)
{
	int err;

	err = ivshm_bridge_rules_init();
	if (err)
		return err;
	err = register_pernet_subsys(&coupling_net_ops);
	if (err)
		goto err_rules;
	err = ivshm_coupling_rules_init();
	if (err)
		goto err_net;
	return 0;

err_net:
	unregister_pernet_subsys(&coupling_net_ops);
err_rules:
	ivshm_bridge_rules_exit();
	return err;
}

void ivshm_coupling_exit(void)
{
	ivshm_coupling_rules_exit();
	/* Deletes what is left, one namespace after the other. */
	unregister_pernet_subsys(&coupling_net_ops);
	ivshm_detector_stop();
	ivshm_bridge_rules_exit();
	/* coupling_free_rcu() */
	rcu_barrier();
}
