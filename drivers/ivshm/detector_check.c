// SPDX-License-Identifier: GPL-2.0
/*
 * What the detector needs to have done in a context that may sleep: asking
 * the bridge's rules, and watching the pairs that are coupled.
 */
#include <linux/if_ether.h>
#include <linux/jiffies.h>
#include <linux/rtnetlink.h>
#include <linux/workqueue.h>

#include "addr.h"
#include "bridge_rules.h"
#include "coupling.h"
#include "detector.h"
#include "ivshm.h"
#include "port.h"
#include "trace.h"

/* The rules are asked at most this often because of frames. */
#define DETECTOR_ASK_GAP	(HZ / 100 ?: 1)

/* Where a member's frames come from and go to. NULL if that is gone. */
static struct net_device *member_dev(const struct ivshm_member *member)
{
	const struct ivshm_port *port;

	port = rcu_dereference_protected(member->port,
					 lockdep_is_held(&ivshm_mutex));
	return port ? rtnl_dereference(port->dev) : NULL;
}

static void check_pair(const struct ivshm_bridge_rules *rules,
		       struct ivshm_member *src, struct ivshm_member *dst)
{
	struct ivshm_coupling *coupling = src->coupling;
	struct ivshm_pair *pair = &src->pair[dst->index];
	enum ivshm_reason reason = IVSHM_REASON_NOT_RUNNING;
	struct net_device *src_dev, *dst_dev;
	u64 gen;

	/* Before the look: what changes meanwhile makes the answer stale. */
	gen = ivshm_bridge_rules_gen();
	src_dev = member_dev(src);
	dst_dev = member_dev(dst);
	if (src_dev && dst_dev)
		reason = coupling->match == IVSHM_MATCH_IP ?
			 ivshm_bridge_rules_ends(rules, src_dev, dst_dev) :
			 ivshm_bridge_rules_pair(rules, src_dev, dst_dev);
	trace_ivshm_verdict(src, dst, reason, gen);

	spin_lock(&coupling->lock);
	WRITE_ONCE(pair->verdict, reason);
	WRITE_ONCE(pair->checked_at, jiffies);
	WRITE_ONCE(pair->gen, reason ? 0 : gen);
	/* The verdict goes with it; pairs with frame_verdict(). */
	smp_store_release(&pair->checked, gen);
	/* And all of this with it; pairs with decide_slow(). */
	smp_store_release(&pair->answers, pair->answers + 1);
	/* A yes waits for a frame that makes use of it. */
	if (!reason && pair->state == IVSHM_PAIR_UPLINK)
		reason = IVSHM_REASON_NO_TRAFFIC;
	if (pair->deny)
		reason = IVSHM_REASON_DENIED;
	if (reason && rcu_access_pointer(src->port) &&
	    rcu_access_pointer(dst->port))
		ivshm_coupling_pair_set(src, dst->index, IVSHM_PAIR_UPLINK,
					reason);
	spin_unlock(&coupling->lock);
}

/* The guest sent from it since the last round of watching or so. */
static bool addr_is_fresh(const struct ivshm_port *port, const u8 *mac)
{
	const struct ivshm_addr *addr;
	bool fresh;

	rcu_read_lock();
	addr = ivshm_addr_lookup_mac(port->net, mac);
	fresh = addr && time_before(jiffies, READ_ONCE(addr->seen) + 2 * HZ);
	rcu_read_unlock();
	return fresh;
}

static void check_addrs(const struct ivshm_bridge_rules *rules,
			const struct ivshm_member *member, bool again)
{
	struct net_device *dev = member_dev(member);
	struct ivshm_port *port;
	u8 mac[ETH_ALEN];
	unsigned int pos = 0;
	bool agrees;
	u64 gen;
	u32 seq;

	if (!dev)
		return;
	port = rcu_dereference_protected(member->port,
					 lockdep_is_held(&ivshm_mutex));
	gen = ivshm_bridge_rules_gen();
	while (ivshm_addr_question(port, again, gen, &pos, mac, &seq)) {
		agrees = ivshm_bridge_rules_addr(rules, dev, mac, addr_is_fresh(port, mac));
		/* Overtaken by an event: the next frame asks again. */
		ivshm_addr_answer(port, mac, seq, gen, agrees);
	}
}

/* What somebody waits for; with @again also what has been answered with yes. */
static void check_coupling(const struct ivshm_bridge_rules *rules,
			   struct ivshm_coupling *coupling, bool again)
{
	struct ivshm_pair *pair;
	u32 i, j;

	for (i = 0; i < coupling->nr; i++) {
		if (!rcu_access_pointer(coupling->member[i].port))
			continue;
		for (j = 0; j < coupling->nr; j++) {
			pair = &coupling->member[i].pair[j];
			if (i == j)
				continue;
			if (!READ_ONCE(pair->want) &&
			    !(again && pair->state != IVSHM_PAIR_UPLINK))
				continue;
			WRITE_ONCE(pair->want, false);
			/* Whoever wants to know from here on may know of another generation. */
			smp_mb();
			check_pair(rules, &coupling->member[i],
				   &coupling->member[j]);
		}
		check_addrs(rules, &coupling->member[i], again);
	}
}

static void detector_check(bool again)
{
	struct ivshm_bridge_rules rules;
	struct ivshm_coupling *coupling;

	rtnl_lock();
	mutex_lock(&ivshm_mutex);
	ivshm_bridge_rules_begin(&rules);
	list_for_each_entry(coupling, &ivshm_couplings_active, active)
		if (coupling->type == IVSHM_COUPLING_DYNAMIC &&
		    !coupling->bypass)
			check_coupling(&rules, coupling, again);
	ivshm_bridge_rules_end(&rules);
	mutex_unlock(&ivshm_mutex);
	rtnl_unlock();
}

/* When the rules had been asked last; written without a lock, by the work item. */
static unsigned long detector_asked;

/*
 * Guests can make frames ask as often as they like, for example with an
 * address that jumps from port to port.  RTNL is not theirs to hold.
 */
static unsigned long detector_wait(void)
{
	unsigned long wait = READ_ONCE(detector_asked) + DETECTOR_ASK_GAP - jiffies;

	/* Wraps around when the gap is over. */
	return wait <= DETECTOR_ASK_GAP ? wait : 0;
}

static void detector_ask_work(struct work_struct *work);
static DECLARE_DELAYED_WORK(detector_ask_dwork, detector_ask_work);

static void detector_ask_work(struct work_struct *work)
{
	unsigned long wait = detector_wait();

	/* Who asked during the last round could not know when it would end. */
	if (wait) {
		queue_delayed_work(system_dfl_wq, &detector_ask_dwork, wait);
		return;
	}
	detector_check(false);
	/* However long that took: RTNL is free for as long as the gap. */
	WRITE_ONCE(detector_asked, jiffies);
}

static void detector_ask(void)
{
	queue_delayed_work(system_dfl_wq, &detector_ask_dwork, detector_wait());
}

void ivshm_detector_ask_pair(struct ivshm_pair *pair)
{
	WRITE_ONCE(pair->want, true);
	detector_ask();
}

void ivshm_detector_ask_addr(struct ivshm_addr *addr)
{
	WRITE_ONCE(addr->want, true);
	detector_ask();
}

/*
 * Watching
 */

/* Returns whether a pair of @coupling is still joining or coupled. */
static bool expire_coupling(struct ivshm_coupling *coupling)
{
	unsigned long idle = (unsigned long)coupling->idle * HZ;
	struct ivshm_pair *pair;
	bool left = false;
	u32 i, j;

	spin_lock(&coupling->lock);
	for (i = 0; i < coupling->nr; i++) {
		if (!rcu_access_pointer(coupling->member[i].port))
			continue;
		for (j = 0; j < coupling->nr; j++) {
			pair = &coupling->member[i].pair[j];
			if (pair->state == IVSHM_PAIR_UPLINK)
				continue;
			if (idle && pair->state == IVSHM_PAIR_COUPLED &&
			    time_after_eq(jiffies, READ_ONCE(pair->last) + idle))
				ivshm_coupling_pair_set(&coupling->member[i], j,
							IVSHM_PAIR_UPLINK,
							IVSHM_REASON_IDLE);
			else
				left = true;
		}
	}
	spin_unlock(&coupling->lock);
	return left;
}

bool ivshm_detector_expire(void)
{
	struct ivshm_coupling *coupling;
	bool left = false;

	mutex_lock(&ivshm_mutex);
	list_for_each_entry(coupling, &ivshm_couplings_active, active)
		if (coupling->type == IVSHM_COUPLING_DYNAMIC &&
		    expire_coupling(coupling))
			left = true;
	mutex_unlock(&ivshm_mutex);
	return left;
}

static void detector_watch_work(struct work_struct *work);
static DECLARE_DELAYED_WORK(detector_watch, detector_watch_work);

static void detector_watch_work(struct work_struct *work)
{
	if (!ivshm_detector_expire())
		return;
	detector_check(true);
	ivshm_detector_watch();
}

void ivshm_detector_watch(void)
{
	queue_delayed_work(system_dfl_wq, &detector_watch, HZ);
}

void ivshm_detector_stop(void)
{
	cancel_delayed_work_sync(&detector_watch);
	cancel_delayed_work_sync(&detector_ask_dwork);
}
