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
#include "space.h"

LIST_HEAD(ivshm_couplings_active);

/* Under ivshm_mutex. */
static u64 coupling_last_id;

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
		ivshm_coupling_pair_forget(pair);
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

	ivshm_coupling_look_name(member);
	spin_lock(&coupling->lock);
	for (i = 0; i < coupling->nr; i++) {
		peer = &coupling->member[i];
		if (peer == member || !member_port(peer))
			continue;
		ivshm_coupling_pair_begin(member, peer);
		ivshm_coupling_pair_begin(peer, member);
	}
	/* Who finds it finds what is denied to it; pairs with ivshm_pair_denied(). */
	rcu_assign_pointer(member->port, port);
	if (!coupling->running)
		list_add_tail(&coupling->active, &ivshm_couplings_active);
	WRITE_ONCE(coupling->running, coupling->running + 1);
	ivshm_coupling_follow(coupling, coupling->type == IVSHM_COUPLING_STATIC ?
			IVSHM_REASON_STATIC : IVSHM_REASON_NO_TRAFFIC);
	spin_unlock(&coupling->lock);
	WRITE_ONCE(port->look_ip, coupling->match == IVSHM_MATCH_IP);
	/* From now on the port's workers decide by the coupling. */
	rcu_assign_pointer(port->member, member);
	ivshm_port_kick(port);
}

/* Its members get nothing from their taps. */
static bool coupling_isolates(const struct ivshm_coupling *coupling)
{
	return coupling->type == IVSHM_COUPLING_STATIC && coupling->live;
}

static void coupling_unbind(struct ivshm_member *member,
			    enum ivshm_reason reason)
{
	struct ivshm_coupling *coupling = member->coupling;
	struct ivshm_port *port = member_port(member);
	struct ivshm_member *peer;
	u32 i;

	lockdep_assert_held(&ivshm_mutex);

	if (coupling_isolates(coupling))
		ivshm_port_mark(port);
	/* Who sees that it is none sees the mark; pairs with ivshm_uplink_open(). */
	smp_wmb();
	RCU_INIT_POINTER(port->member, NULL);
	WRITE_ONCE(port->look_ip, false);
	spin_lock(&coupling->lock);
	RCU_INIT_POINTER(member->port, NULL);
	WRITE_ONCE(coupling->running, coupling->running - 1);
	if (!coupling->running)
		list_del(&coupling->active);
	for (i = 0; i < coupling->nr; i++) {
		peer = &coupling->member[i];
		if (peer != member && member_port(peer))
			ivshm_coupling_pair_end(member, peer, reason);
	}
	ivshm_coupling_follow(coupling, reason);
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

void ivshm_coupling_look_denials(struct ivshm_coupling *coupling)
{
	struct ivshm_member *src, *dst;
	u32 i, j;

	lockdep_assert_held(&ivshm_mutex);

	for (i = 0; i < coupling->nr; i++) {
		src = &coupling->member[i];
		/* Not for all of them: each may be an event. */
		spin_lock(&coupling->lock);
		for (j = 0; j < coupling->nr && member_port(src); j++) {
			dst = &coupling->member[j];
			if (i != j && member_port(dst) &&
			    src->pair[j].deny != ivshm_coupling_denies(src, dst))
				ivshm_coupling_pair_begin(src, dst);
		}
		spin_unlock(&coupling->lock);
	}
	spin_lock(&coupling->lock);
	ivshm_coupling_follow(coupling, IVSHM_REASON_CONFIG);
	spin_unlock(&coupling->lock);
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

	list_for_each_entry(coupling, &ivshm_space(port->net)->ruled, ruled) {
		if (coupling->disabled || !ivshm_coupling_fits(coupling, port))
			continue;
		member = ivshm_coupling_free_place(coupling);
		if (!member ||
		    (!member->pair && coupling_init_member(coupling, member->index)))
			continue;
		coupling_forget_stats(member);
		strscpy(member->name, port->name, sizeof(member->name));
		return member;
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
	/* On its way to another namespace; its bridge goes then, say. */
	if (!port->net)
		return;
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
	if (port->net)
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
	kfree(coupling->denial);
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
		ivshm_bucket_init(&coupling->member[i].bucket);
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
	coupling->idle = IVSHM_IDLE_DEFAULT;
	coupling->park_us = IVSHM_PARK_US_DEFAULT;
	coupling->match = IVSHM_MATCH_MAC;
	ivshm_coupling_set_options(coupling, cfg);
	if (cfg->given & BIT(IVSHM_A_COUPLING_DISABLED))
		coupling->disabled = cfg->disabled;
	return coupling;

free:
	coupling_free(coupling);
	return NULL;
}

static void coupling_link(struct ivshm_coupling *coupling)
{
	struct ivshm_space *space = ivshm_space(coupling->net);

	list_add_tail(&coupling->list, &space->couplings);
	if (coupling->nr_rules)
		list_add_tail(&coupling->ruled, &space->ruled);
	space->nr_couplings++;
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
	err = ivshm_coupling_set_denials(coupling, cfg, extack);
	if (err) {
		coupling_free(coupling);
		return err;
	}
	coupling->id = ++coupling_last_id;
	coupling_link(coupling);
	ivshm_coupling_names_add(coupling);
	spin_lock(&coupling->lock);
	ivshm_coupling_follow(coupling, IVSHM_REASON_CONFIG);
	spin_unlock(&coupling->lock);

	ivshm_coupling_look(net, NULL);
	WRITE_ONCE(coupling->live, !coupling->disabled);
	coupling_kick(coupling);
	return 0;
}

/* For all of its members at once: what they send now comes after the marks. */
static void coupling_end(struct ivshm_coupling *coupling)
{
	struct ivshm_port *port;
	u32 i;

	lockdep_assert_held(&ivshm_mutex);

	for (i = 0; i < coupling->nr && coupling_isolates(coupling); i++) {
		port = member_port(&coupling->member[i]);
		if (port)
			ivshm_port_mark(port);
	}
	/* Pairs with ivshm_uplink_open(). */
	smp_store_release(&coupling->live, false);
}

static void coupling_enable(struct ivshm_coupling *coupling, bool enable)
{
	struct ivshm_member *member;
	struct net *net = coupling->net;
	u32 i;

	if (coupling->disabled == !enable)
		return;
	/* It begins and ends for all members at once. */
	coupling_end(coupling);
	spin_lock(&coupling->lock);
	coupling->disabled = !enable;
	ivshm_coupling_follow(coupling, IVSHM_REASON_CONFIG);
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
	err = ivshm_coupling_set_denials(coupling, cfg, extack);
	if (err)
		return err;
	ivshm_coupling_set_options(coupling, cfg);
	if (cfg->nr_allow || cfg->nr_deny)
		ivshm_coupling_look_denials(coupling);
	/* Frames that wait may do so no longer, or have tokens now. */
	coupling_kick(coupling);
	if (cfg->given & BIT(IVSHM_A_COUPLING_DISABLED))
		coupling_enable(coupling, !cfg->disabled);
	return 0;
}

/* Nobody finds it any more; to be freed after a grace period. */
static void coupling_unlink(struct ivshm_coupling *coupling)
{
	u32 i;

	lockdep_assert_held(&ivshm_mutex);

	coupling_end(coupling);
	for (i = 0; i < coupling->nr; i++)
		if (member_port(&coupling->member[i]))
			coupling_unbind(&coupling->member[i], IVSHM_REASON_CONFIG);
	spin_lock(&coupling->lock);
	ivshm_coupling_set_state(coupling, IVSHM_COUPLING_GONE, IVSHM_REASON_CONFIG);
	spin_unlock(&coupling->lock);
	list_del(&coupling->list);
	if (coupling->nr_rules)
		list_del(&coupling->ruled);
	ivshm_space(coupling->net)->nr_couplings--;
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

void ivshm_coupling_flush(const struct net *net)
{
	struct ivshm_coupling *coupling, *next;

	mutex_lock(&ivshm_mutex);
	list_for_each_entry_safe(coupling, next, &ivshm_space(net)->couplings, list) {
		coupling_unlink(coupling);
		call_rcu(&coupling->rcu, coupling_free_rcu);
	}
	mutex_unlock(&ivshm_mutex);
}

int ivshm_coupling_init(void)
{
	int err;

	err = ivshm_bridge_rules_init();
	if (err)
		return err;
	err = ivshm_space_init();
	if (err)
		goto err_rules;
	err = ivshm_coupling_rules_init();
	if (err)
		goto err_space;
	return 0;

err_space:
	ivshm_space_exit();
err_rules:
	ivshm_bridge_rules_exit();
	return err;
}

void ivshm_coupling_exit(void)
{
	ivshm_coupling_rules_exit();
	ivshm_space_exit();
	ivshm_detector_stop();
	ivshm_bridge_rules_exit();
	/* coupling_free_rcu() */
	rcu_barrier();
}
