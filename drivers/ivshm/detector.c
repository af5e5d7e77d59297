// SPDX-License-Identifier: GPL-2.0
/* The cross-talk detector: where does a frame go? */
#include <linux/etherdevice.h>
#include <linux/if_ether.h>
#include <linux/if_vlan.h>
#include <linux/jiffies.h>
#include <linux/netdevice.h>

#include "addr.h"
#include "bridge_rules.h"
#include "coupling.h"
#include "detector.h"
#include "port.h"

/*
 * A pair that fell back does not begin to join again at once: each round costs
 * work under RTNL and events, and an address that jumps between two ports
 * could ask for one with every frame.
 */
#define DETECTOR_RETRY		(HZ / 50 ?: 1)
/* The same after the receiver's tap queue did not drain. */
#define DETECTOR_RETRY_JOIN	HZ
/* A "no" is asked about again after this time, as long as frames come. */
#define DETECTOR_ASK_AGAIN	HZ

/* What decide() found out about a frame. From @index on: of a dynamic coupling. */
struct detector_frame {
	struct ivshm_port *src, *dst;
	struct ivshm_member *member;	/* of the sender, or NULL */
	u32 index;			/* of the receiver's member */
	struct ivshm_pair *pair;
	struct ivshm_addr *from, *to;	/* @from NULL if it was not learned */
	bool by_ip;
	u64 gen;
	u32 answers;			/* the pair's, when it was decided slowly */
	unsigned long now;
};

static u16 frame_proto(const u8 *hdr, u32 hdr_len, bool *tagged)
{
	const struct vlan_ethhdr *vlan = (const struct vlan_ethhdr *)hdr;
	__be16 proto = vlan->h_vlan_proto;

	*tagged = eth_type_vlan(proto);
	if (*tagged && hdr_len >= VLAN_ETH_HLEN)
		proto = vlan->h_vlan_encapsulated_proto;
	return ntohs(proto);
}

/* The bridge may keep these for itself even when they are for somebody else. */
static bool proto_is_bridge_own(u16 proto)
{
	return proto == ETH_P_CFM || proto == ETH_P_MRP;
}

/* The largest frame that the receiver's device takes, or 0. */
static u32 frame_max(const struct ivshm_port *dst, bool tagged)
{
	const struct net_device *dev = rcu_dereference(dst->dev);

	return dev ? READ_ONCE(dev->mtu) + ETH_HLEN + (tagged ? VLAN_HLEN : 0) : 0;
}

static void frame_touch(struct ivshm_pair *pair, unsigned long now)
{
	if (READ_ONCE(pair->last) != now)
		WRITE_ONCE(pair->last, now);
}

/* Fills in f->from; false if the frame must not come from there. */
static bool frame_source(struct detector_frame *f, const u8 *mac)
{
	if (unlikely(f->member && f->member->coupling->strict)) {
		f->from = ivshm_addr_own(f->src, mac);
		return f->from;
	}
	f->from = ivshm_addr_learn(f->src, mac);
	return true;
}

/*
 * Static couplings
 */

static void decide_member(struct ivshm_member *member, u32 index,
			  struct ivshm_decision *d)
{
	d->pair = &member->pair[index];
	d->index = index;
	d->path = unlikely(ivshm_pair_denied(d->pair)) ? IVSHM_PATH_DENY : IVSHM_PATH_DIRECT;
}

static void decide_crossover(struct ivshm_member *member,
			     struct ivshm_decision *d)
{
	struct ivshm_member *peer = &member->coupling->member[!member->index];

	d->dst = rcu_dereference(peer->port);
	if (!d->dst)
		return;
	decide_member(member, peer->index, d);
}

static void decide_static(struct ivshm_port *src, struct ivshm_member *member,
			  const u8 *hdr, struct ivshm_decision *d)
{
	const struct ivshm_coupling *coupling = member->coupling;
	const struct ethhdr *eth = (const struct ethhdr *)hdr;
	const struct ivshm_member *peer;
	struct ivshm_port *dst;
	struct ivshm_addr *to;

	if (unlikely(!READ_ONCE(coupling->live)))
		return;
	d->path = IVSHM_PATH_DROP;
	if (coupling->nr == 2) {
		decide_crossover(member, d);
		return;
	}
	if (READ_ONCE(coupling->running) < 2)
		return;
	d->path = IVSHM_PATH_FLOOD;
	if (is_multicast_ether_addr(eth->h_dest))
		return;
	to = ivshm_addr_lookup_mac(READ_ONCE(src->net), eth->h_dest);
	if (!to || (unlikely(coupling->strict) && !to->configured))
		return;
	dst = rcu_dereference(to->port);
	if (unlikely(!dst))
		return;
	if (dst == src) {
		/* A switch does not send a frame back where it came from. */
		d->path = IVSHM_PATH_DROP;
		return;
	}
	peer = rcu_dereference(dst->member);
	if (!peer || peer->coupling != coupling)
		return;
	d->dst = dst;
	decide_member(member, peer->index, d);
}

/*
 * Dynamic couplings
 */

/* Counts a frame; true if the threshold has been reached within a second. */
static bool window_reached(const struct detector_frame *f)
{
	struct ivshm_pair *pair = f->pair;
	u32 frames = READ_ONCE(pair->window_frames);

	if (!frames ||
	    time_after_eq(f->now, READ_ONCE(pair->window_start) + HZ)) {
		WRITE_ONCE(pair->window_start, f->now);
		frames = 0;
	}
	if (frames < IVSHM_THRESHOLD_MAX)
		WRITE_ONCE(pair->window_frames, ++frames);
	return frames >= READ_ONCE(f->member->coupling->threshold);
}

/* An answer for an older generation, or an old "no", is to be had anew. */
static bool answer_is_old(const struct detector_frame *f, u64 checked,
			  unsigned long at)
{
	return checked < f->gen || time_after_eq(f->now, at + DETECTOR_ASK_AGAIN);
}

static enum ivshm_reason addr_verdict(const struct detector_frame *f,
				      struct ivshm_addr *addr)
{
	u64 checked;

	if (!addr)
		return IVSHM_REASON_FDB;
	if (READ_ONCE(addr->fdb_gen) >= f->gen)
		return IVSHM_REASON_NONE;
	checked = READ_ONCE(addr->fdb_checked);
	if (answer_is_old(f, checked, READ_ONCE(addr->fdb_at)))
		ivshm_detector_ask_addr(addr);
	return checked >= f->gen ? IVSHM_REASON_FDB : IVSHM_REASON_CHECKING;
}

/* NONE if the rules are known to let the frame pass; asks what is not known. */
static enum ivshm_reason frame_verdict(const struct detector_frame *f)
{
	struct ivshm_pair *pair = f->pair;
	enum ivshm_reason reason = IVSHM_REASON_NONE, from, to;
	u64 checked;

	if (f->member->coupling->bypass)
		return IVSHM_REASON_NONE;
	if (READ_ONCE(pair->gen) != f->gen) {
		/* Pairs with the release in check_pair(). */
		checked = smp_load_acquire(&pair->checked);
		reason = checked >= f->gen ? READ_ONCE(pair->verdict) : IVSHM_REASON_CHECKING;
		if (answer_is_old(f, checked, READ_ONCE(pair->checked_at)))
			ivshm_detector_ask_pair(pair);
	}
	/* What is configured needs nobody's word. */
	if (f->by_ip)
		return reason;
	/* All three are asked for at once, so that one run answers them. */
	to = addr_verdict(f, f->to);
	from = addr_verdict(f, f->from);
	if (reason)
		return reason;
	return to ?: from;
}

/*
 * Change the state unless an end is gone, or the rules have been asked,
 * meanwhile: their answer is newer, and a pair that falls silent keeps it.
 * Returns the state then.
 */
static enum ivshm_pair_state frame_set_state(const struct detector_frame *f,
					     enum ivshm_pair_state from,
					     enum ivshm_pair_state to,
					     enum ivshm_reason reason)
{
	struct ivshm_coupling *coupling = f->member->coupling;
	enum ivshm_pair_state state;

	spin_lock(&coupling->lock);
	if (f->pair->state == from && f->pair->answers == f->answers &&
	    !f->pair->deny &&
	    ivshm_coupling_bound(f->member, f->src) &&
	    ivshm_coupling_bound(&coupling->member[f->index], f->dst))
		ivshm_coupling_pair_set(f->member, f->index, to, reason);
	state = f->pair->state;
	spin_unlock(&coupling->lock);
	return state;
}

/* The pair is not coupled, or what made it so does not hold any more. */
static enum ivshm_path decide_slow(struct detector_frame *f)
{
	enum ivshm_pair_state state = READ_ONCE(f->pair->state);
	struct ivshm_pair *pair = f->pair;
	enum ivshm_reason reason;

	if (unlikely(READ_ONCE(pair->deny)))
		return IVSHM_PATH_UPLINK;
	if (state == IVSHM_PAIR_UPLINK && !window_reached(f))
		return IVSHM_PATH_UPLINK;

	/* Pairs with the release in check_pair(). */
	f->answers = smp_load_acquire(&pair->answers);
	reason = frame_verdict(f);
	if (reason) {
		if (state != IVSHM_PAIR_UPLINK)
			WRITE_ONCE(pair->retry, f->now + DETECTOR_RETRY);
		if (state != IVSHM_PAIR_UPLINK ||
		    READ_ONCE(pair->reason) != reason)
			state = frame_set_state(f, state, IVSHM_PAIR_UPLINK,
						reason);
	} else if (state == IVSHM_PAIR_UPLINK) {
		if (time_before(f->now, READ_ONCE(pair->retry)))
			return IVSHM_PATH_UPLINK;
		WRITE_ONCE(pair->last, f->now);
		state = frame_set_state(f, state, IVSHM_PAIR_JOINING,
					IVSHM_REASON_TRAFFIC);
		ivshm_detector_watch();
	}
	switch (state) {
	case IVSHM_PAIR_JOINING:
		frame_touch(pair, f->now);
		return IVSHM_PATH_HOLD;
	case IVSHM_PAIR_COUPLED:
		frame_touch(pair, f->now);
		return IVSHM_PATH_DIRECT;
	default:
		return IVSHM_PATH_UPLINK;
	}
}

/* Coupled, and all three answers are of this generation. */
static bool frame_is_direct(const struct detector_frame *f)
{
	/* Its epoch is read after; pairs with pair_set(). */
	if (smp_load_acquire(&f->pair->state) != IVSHM_PAIR_COUPLED)
		return false;
	if (f->member->coupling->bypass)
		return true;
	if (READ_ONCE(f->pair->gen) != f->gen)
		return false;
	return f->by_ip || (READ_ONCE(f->to->fdb_gen) == f->gen &&
			    f->from && READ_ONCE(f->from->fdb_gen) == f->gen);
}

/* The pair that the frame belongs to; false if the uplink is all there is. */
static bool find_pair(struct detector_frame *f, const u8 *hdr, u32 hdr_len, u32 gso_len,
		      struct ivshm_decision *d)
{
	const struct ethhdr *eth = (const struct ethhdr *)hdr;
	const struct ivshm_member *peer;
	bool tagged;

	if (is_multicast_ether_addr(eth->h_dest))
		return false;
	f->by_ip = d->by_ip;
	if (unlikely(f->by_ip))
		f->to = ivshm_detector_ip_dest(READ_ONCE(f->src->net), hdr, hdr_len);
	else
		f->to = ivshm_addr_lookup_mac(READ_ONCE(f->src->net), eth->h_dest);
	if (!f->to)
		return false;
	if (unlikely(f->member->coupling->strict) && !f->to->configured)
		return false;
	f->dst = rcu_dereference(f->to->port);
	if (!f->dst || f->dst == f->src)
		return false;
	peer = rcu_dereference(f->dst->member);
	if (!peer || peer->coupling != f->member->coupling)
		return false;
	f->index = peer->index;
	f->pair = &f->member->pair[peer->index];
	f->now = jiffies;
	f->gen = ivshm_bridge_rules_gen();
	d->pair = f->pair;
	d->index = f->index;

	/* Longer packets a gateway takes apart, or tells the sender about. */
	if (f->member->coupling->bypass && !f->by_ip)
		return true;
	if (unlikely(proto_is_bridge_own(frame_proto(hdr, hdr_len, &tagged))))
		return false;
	if (unlikely(gso_len > frame_max(f->dst, tagged))) {
		ivshm_detector_note(f->pair, IVSHM_REASON_MTU);
		return false;
	}
	return true;
}

static void decide_dynamic(struct detector_frame *f, const u8 *hdr, u32 hdr_len,
			   u32 gso_len, struct ivshm_decision *d)
{
	if (!find_pair(f, hdr, hdr_len, gso_len, d))
		return;
	if (likely(frame_is_direct(f))) {
		frame_touch(f->pair, f->now);
		d->path = IVSHM_PATH_DIRECT;
	} else {
		d->path = decide_slow(f);
	}
	if (d->path == IVSHM_PATH_UPLINK)
		return;
	d->dst = f->dst;
	if (unlikely(f->by_ip) && !ether_addr_equal_unaligned(hdr, f->to->lladdr))
		d->lladdr = f->to->lladdr;
}

void ivshm_detector_decide(struct ivshm_port *src, const u8 *hdr, u32 hdr_len,
			   u32 frame_len, u32 gso_len, struct ivshm_decision *d)
{
	const struct ethhdr *eth = (const struct ethhdr *)hdr;
	struct detector_frame f = { .src = src };

	d->path = IVSHM_PATH_UPLINK;
	d->dst = NULL;
	d->pair = NULL;
	d->lladdr = NULL;
	d->by_ip = false;
	d->drops = false;
	d->park_us = 0;
	d->bucket = NULL;

	f.member = rcu_dereference(src->member);
	if (!frame_source(&f, eth->h_source)) {
		d->path = IVSHM_PATH_REFUSE;
		return;
	}
	if (!f.member)
		return;
	d->park_us = READ_ONCE(f.member->coupling->park_us);
	d->drops = READ_ONCE(f.member->coupling->drops);
	if (unlikely(READ_ONCE(f.member->coupling->limited)))
		d->bucket = &f.member->bucket;
	d->by_ip = f.member->coupling->match == IVSHM_MATCH_IP;
	if (unlikely(d->by_ip) && f.member->coupling->strict &&
	    !ivshm_detector_ip_source(src, hdr, hdr_len)) {
		d->path = IVSHM_PATH_REFUSE;
		return;
	}
	if (f.member->coupling->type == IVSHM_COUPLING_STATIC)
		decide_static(src, f.member, hdr, d);
	else
		decide_dynamic(&f, hdr, hdr_len, gso_len, d);
}

u32 ivshm_detector_direct(struct ivshm_port *src, const u8 *hdr, struct ivshm_decision *d,
			  bool *nobody)
{
	const struct ethhdr *eth = (const struct ethhdr *)hdr;
	struct detector_frame f = { .src = src };

	*nobody = false;
	f.member = rcu_dereference(src->member);
	if (!frame_source(&f, eth->h_source))
		return 0;
	if (!f.member) {
		*nobody = true;
		return 0;
	}
	/* Each frame is to be counted before it goes. */
	if (unlikely(READ_ONCE(f.member->coupling->limited)))
		return 0;
	d->drops = READ_ONCE(f.member->coupling->drops);
	if (f.member->coupling->type == IVSHM_COUPLING_STATIC) {
		decide_static(src, f.member, hdr, d);
		return d->path == IVSHM_PATH_DIRECT ? U32_MAX : 0;
	}
	/* Each frame is to be looked into. */
	if (f.member->coupling->match == IVSHM_MATCH_IP)
		return 0;
	d->pair = NULL;
	if (!find_pair(&f, hdr, ETH_HLEN, ETH_HLEN, d)) {
		/* Where there is a pair it depends on the frame. */
		*nobody = !d->pair;
		return 0;
	}
	if (!frame_is_direct(&f))
		return 0;
	frame_touch(f.pair, f.now);
	d->dst = f.dst;
	return f.member->coupling->bypass ? U32_MAX : frame_max(f.dst, false);
}

void ivshm_detector_joined(struct ivshm_port *src, struct ivshm_pair *pair,
			   bool done)
{
	struct ivshm_member *member = rcu_dereference(src->member);
	struct ivshm_coupling *coupling;
	u32 i;

	/* The pair may be one of a coupling that the port has left. */
	if (!member)
		return;
	coupling = member->coupling;
	for (i = 0; i < coupling->nr; i++)
		if (&member->pair[i] == pair)
			break;
	if (i == coupling->nr)
		return;

	if (coupling->type == IVSHM_COUPLING_STATIC)
		return;

	spin_lock(&coupling->lock);
	if (done && pair->state == IVSHM_PAIR_JOINING) {
		ivshm_coupling_pair_set(member, i, IVSHM_PAIR_COUPLED,
					IVSHM_REASON_TRAFFIC);
	} else if (!done && pair->state != IVSHM_PAIR_UPLINK) {
		WRITE_ONCE(pair->retry, jiffies + DETECTOR_RETRY_JOIN);
		ivshm_coupling_pair_set(member, i, IVSHM_PAIR_UPLINK,
					IVSHM_REASON_NO_TRAFFIC);
	}
	spin_unlock(&coupling->lock);
}

void ivshm_detector_note(struct ivshm_pair *pair, enum ivshm_reason reason)
{
	unsigned long now = jiffies;

	if (READ_ONCE(pair->noted) != now)
		WRITE_ONCE(pair->noted, now);
	if (READ_ONCE(pair->note) != reason)
		WRITE_ONCE(pair->note, reason);
}
