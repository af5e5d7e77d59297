// SPDX-License-Identifier: GPL-2.0
/* Couplings: the states of pairs, and of the coupling that follows from them. */
#include <linux/jiffies.h>
#include <linux/percpu.h>
#include <linux/string.h>

#include "coupling.h"
#include "ivshm.h"
#include "netlink.h"
#include "trace.h"

static atomic64_t coupling_epochs;

void ivshm_coupling_set_state(struct ivshm_coupling *coupling, enum ivshm_coupling_state state,
			      enum ivshm_reason reason)
{
	enum ivshm_coupling_state old = coupling->state;

	if (state == old)
		return;
	WRITE_ONCE(coupling->state, state);
	ivshm_nl_coupling_event(coupling, old, state, reason);
}

void ivshm_coupling_follow(struct ivshm_coupling *coupling, enum ivshm_reason reason)
{
	enum ivshm_coupling_state state = IVSHM_COUPLING_WAITING;

	lockdep_assert_held(&coupling->lock);

	if (coupling->disabled)
		state = IVSHM_COUPLING_DISABLED;
	else if (coupling->coupled)
		state = IVSHM_COUPLING_COUPLED;
	else if (coupling->running >= 2)
		state = IVSHM_COUPLING_READY;
	ivshm_coupling_set_state(coupling, state, reason);
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
	case IVSHM_REASON_DENIED:
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
	trace_ivshm_pair(src, &coupling->member[dst], old, state, reason);
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
	ivshm_coupling_follow(src->coupling, reason);
}

bool ivshm_coupling_bound(const struct ivshm_member *member,
			  const struct ivshm_port *port)
{
	lockdep_assert_held(&member->coupling->lock);

	return rcu_access_pointer(member->port) == port;
}

void ivshm_coupling_pair_end(struct ivshm_member *a, struct ivshm_member *b,
			     enum ivshm_reason reason)
{
	pair_set(a, b->index, IVSHM_PAIR_UPLINK, reason);
	pair_set(b, a->index, IVSHM_PAIR_UPLINK, reason);
}

void ivshm_coupling_pair_forget(struct ivshm_pair *pair)
{
	WRITE_ONCE(pair->gen, 0);
	WRITE_ONCE(pair->checked, 0);
	WRITE_ONCE(pair->retry, jiffies);
	WRITE_ONCE(pair->window_frames, 0);
	WRITE_ONCE(pair->note, IVSHM_REASON_NONE);
}

void ivshm_coupling_pair_begin(struct ivshm_member *src, struct ivshm_member *dst)
{
	struct ivshm_pair *pair = &src->pair[dst->index];

	ivshm_coupling_pair_forget(pair);
	WRITE_ONCE(pair->deny, ivshm_coupling_denies(src, dst));
	if (pair->deny)
		pair_set(src, dst->index, IVSHM_PAIR_UPLINK, IVSHM_REASON_DENIED);
	else if (src->coupling->type == IVSHM_COUPLING_STATIC)
		pair_set(src, dst->index, IVSHM_PAIR_COUPLED, IVSHM_REASON_STATIC);
	else
		pair_set(src, dst->index, IVSHM_PAIR_UPLINK, IVSHM_REASON_NO_TRAFFIC);
}

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
