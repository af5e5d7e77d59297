// SPDX-License-Identifier: GPL-2.0
/* Who may send messages to whom. */
#include <linux/hashtable.h>
#include <linux/jhash.h>
#include <linux/netlink.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "msgq_peer.h"
#include "netlink.h"
#include "region.h"

/* The list. */
DEFINE_MUTEX(ivshm_peer_mutex);
LIST_HEAD(ivshm_peers);

static DEFINE_HASHTABLE(peer_hash, 8);
static unsigned int peer_count;

static u32 peer_key(const char *from, const char *to)
{
	return jhash(to, strlen(to), jhash(from, strlen(from), 0));
}

static void peer_release(struct kref *ref)
{
	struct ivshm_peer *peer = container_of(ref, struct ivshm_peer, ref);

	kfree_rcu(peer, rcu);
}

void ivshm_peer_put(struct ivshm_peer *peer)
{
	kref_put(&peer->ref, peer_release);
}

static bool peer_is(const struct ivshm_peer *peer, const char *from, const char *to)
{
	return !strcmp(peer->from, from) && !strcmp(peer->to, to);
}

struct ivshm_peer *ivshm_peer_find(const char *from, const char *to)
{
	struct ivshm_peer *peer;

	lockdep_assert_held(&ivshm_peer_mutex);

	hash_for_each_possible(peer_hash, peer, hash, peer_key(from, to))
		if (peer_is(peer, from, to))
			return peer;
	return NULL;
}

struct ivshm_peer *ivshm_peer_get(const char *from, const char *to)
{
	struct ivshm_peer *peer, *found = NULL;

	rcu_read_lock();
	hash_for_each_possible_rcu(peer_hash, peer, hash, peer_key(from, to)) {
		if (peer_is(peer, from, to) && kref_get_unless_zero(&peer->ref)) {
			found = peer;
			break;
		}
	}
	rcu_read_unlock();
	return found;
}

/* Say why, and which attribute is at fault, 0 for none. */
static void peer_refuse(const struct ivshm_peer_config *cfg,
			struct netlink_ext_ack *extack, int at, const char *why)
{
	if (!extack)
		return;
	extack->_msg = why;
	NL_SET_BAD_ATTR(extack, cfg->attr ? cfg->attr[at] : NULL);
}

static int peer_check(const struct ivshm_peer_config *cfg,
		      struct netlink_ext_ack *extack)
{
	if (!ivshm_region_name_valid(cfg->from))
		peer_refuse(cfg, extack, IVSHM_A_PEER_FROM,
			    "no region can have that name");
	else if (!ivshm_region_name_valid(cfg->to))
		peer_refuse(cfg, extack, IVSHM_A_PEER_TO,
			    "no region can have that name");
	else if (!strcmp(cfg->from, cfg->to))
		peer_refuse(cfg, extack, IVSHM_A_PEER_TO,
			    "a region does not send to itself");
	else if (cfg->given & BIT(IVSHM_A_PEER_MESSAGES) &&
		 (!cfg->most.messages ||
		  cfg->most.messages > IVSHM_PEER_MESSAGES_MAX))
		peer_refuse(cfg, extack, IVSHM_A_PEER_MESSAGES,
			    "messages must be 1 to 4096");
	else
		return 0;
	return -EINVAL;
}

static struct ivshm_peer *peer_new(const struct ivshm_peer_config *cfg)
{
	struct ivshm_peer *peer;

	peer = kzalloc(sizeof(*peer), GFP_KERNEL);
	if (!peer)
		return NULL;
	kref_init(&peer->ref);
	strscpy(peer->from, cfg->from, sizeof(peer->from));
	strscpy(peer->to, cfg->to, sizeof(peer->to));
	spin_lock_init(&peer->lock);
	INIT_LIST_HEAD(&peer->stall);
	peer->most.messages = IVSHM_PEER_MESSAGES_DEFAULT;
	peer->most.pages = IVSHM_PEER_PAGES_DEFAULT;
	return peer;
}

static void peer_set(struct ivshm_peer *peer, const struct ivshm_peer_config *cfg)
{
	spin_lock_bh(&peer->lock);
	if (cfg->given & BIT(IVSHM_A_PEER_MESSAGES))
		peer->most.messages = cfg->most.messages;
	if (cfg->given & BIT(IVSHM_A_PEER_PAGES))
		peer->most.pages = cfg->most.pages;
	if (cfg->given & BIT(IVSHM_A_PEER_BYTES))
		peer->most.bytes = cfg->most.bytes;
	spin_unlock_bh(&peer->lock);
}

int ivshm_peer_allow(const struct ivshm_peer_config *cfg,
		     struct netlink_ext_ack *extack)
{
	struct ivshm_peer *peer;
	int err;

	err = peer_check(cfg, extack);
	if (err)
		return err;
	mutex_lock(&ivshm_peer_mutex);
	peer = ivshm_peer_find(cfg->from, cfg->to);
	if (peer) {
		peer_set(peer, cfg);
		ivshm_nl_peer_event(peer, IVSHM_PEER_ALLOWED, IVSHM_PEER_ALLOWED);
		goto unlock;
	}
	if (peer_count == IVSHM_PEERS_MAX) {
		peer_refuse(cfg, extack, 0, "there are as many peers as there can be");
		err = -ENOSPC;
		goto unlock;
	}
	peer = peer_new(cfg);
	if (!peer) {
		peer_refuse(cfg, extack, 0, "not enough memory for the peer");
		err = -ENOMEM;
		goto unlock;
	}
	peer_set(peer, cfg);
	list_add_tail(&peer->list, &ivshm_peers);
	hash_add_rcu(peer_hash, &peer->hash, peer_key(peer->from, peer->to));
	peer_count++;
	ivshm_nl_peer_event(peer, IVSHM_PEER_DENIED, IVSHM_PEER_ALLOWED);
unlock:
	mutex_unlock(&ivshm_peer_mutex);
	return err;
}

static void peer_del(struct ivshm_peer *peer)
{
	lockdep_assert_held(&ivshm_peer_mutex);

	hash_del_rcu(&peer->hash);
	list_del(&peer->list);
	peer_count--;
	ivshm_nl_peer_event(peer, IVSHM_PEER_ALLOWED, IVSHM_PEER_DENIED);
	ivshm_peer_put(peer);
}

int ivshm_peer_deny(const char *from, const char *to)
{
	struct ivshm_peer *peer;

	mutex_lock(&ivshm_peer_mutex);
	peer = ivshm_peer_find(from, to);
	if (peer)
		peer_del(peer);
	mutex_unlock(&ivshm_peer_mutex);
	return peer ? 0 : -ENOENT;
}

/*
 * Amounts
 */

/* Whether @more fits, beside @now, into @most; 0 is no limit. */
static int amount_fits(u64 most, u64 now, u64 more)
{
	if (!most)
		return 0;
	if (more > most)
		return -EMSGSIZE;
	return now > most || more > most - now ? -EAGAIN : 0;
}

int ivshm_peer_charge(struct ivshm_peer *peer,
		      const struct ivshm_peer_amount *amount)
{
	int err;

	spin_lock_bh(&peer->lock);
	err = amount_fits(peer->most.messages, peer->now.messages, amount->messages);
	/* What can never be is said first. */
	if (err != -EMSGSIZE)
		err = amount_fits(peer->most.pages, peer->now.pages, amount->pages) ?: err;
	if (err != -EMSGSIZE)
		err = amount_fits(peer->most.bytes, peer->now.bytes, amount->bytes) ?: err;
	if (!err) {
		peer->now.messages += amount->messages;
		peer->now.pages += amount->pages;
		peer->now.bytes += amount->bytes;
	}
	spin_unlock_bh(&peer->lock);
	return err;
}

void ivshm_peer_uncharge(struct ivshm_peer *peer,
			 const struct ivshm_peer_amount *amount)
{
	spin_lock_bh(&peer->lock);
	peer->now.messages -= amount->messages;
	peer->now.pages -= amount->pages;
	peer->now.bytes -= amount->bytes;
	spin_unlock_bh(&peer->lock);
}

void ivshm_peer_count(struct ivshm_peer *peer, enum ivshm_attr_peer_stat stat,
		      u64 nr)
{
	spin_lock_bh(&peer->lock);
	peer->stat[stat] += nr;
	spin_unlock_bh(&peer->lock);
}

void ivshm_peer_exit(void)
{
	struct ivshm_peer *peer, *next;

	mutex_lock(&ivshm_peer_mutex);
	list_for_each_entry_safe(peer, next, &ivshm_peers, list)
		peer_del(peer);
	mutex_unlock(&ivshm_peer_mutex);
}
