// SPDX-License-Identifier: GPL-2.0
/* The address table. */
#include <linux/etherdevice.h>
#include <linux/if_packet.h>
#include <linux/rhashtable.h>
#include <linux/slab.h>
#include <linux/socket.h>
#include <linux/spinlock.h>
#include <linux/xarray.h>

#include "addr.h"
#include "ivshm.h"
#include "port.h"

/* The addresses of one port, found by the port's id. */
struct ivshm_addr_owner {
	struct list_head list;
	unsigned int nr;
	/* jiffies before which there is nothing to replace */
	unsigned long full_until;
};

static const struct rhashtable_params addr_params = {
	.head_offset = offsetof(struct ivshm_addr, node),
	.key_offset = offsetof(struct ivshm_addr, key),
	.key_len = sizeof(struct ivshm_addr_key),
	.automatic_shrinking = true,
};

static struct rhashtable addr_table;
/* Protects who owns which address and the answers of the bridge. */
static DEFINE_SPINLOCK(addr_lock);
/* By id of the port; under addr_lock. */
static DEFINE_XARRAY(addr_owners);

static void addr_key_mac(struct ivshm_addr_key *key, const struct net *net,
			 const u8 *mac)
{
	memset(key, 0, sizeof(*key));
	key->net = net;
	key->family = AF_PACKET;
	ether_addr_copy(key->addr, mac);
}

struct ivshm_addr *ivshm_addr_lookup_mac(const struct net *net, const u8 *mac)
{
	struct ivshm_addr_key key;

	addr_key_mac(&key, net, mac);
	return rhashtable_lookup(&addr_table, &key, addr_params);
}

/* The owner record of @port, made if there is none. NULL without memory. */
static struct ivshm_addr_owner *addr_owner_get(struct ivshm_port *port)
{
	struct ivshm_addr_owner *owner;

	lockdep_assert_held(&addr_lock);

	owner = xa_load(&addr_owners, port->id);
	if (owner)
		return owner;

	owner = kzalloc(sizeof(*owner), GFP_ATOMIC);
	if (!owner)
		return NULL;
	INIT_LIST_HEAD(&owner->list);
	owner->full_until = jiffies;
	if (xa_err(xa_store(&addr_owners, port->id, owner, GFP_ATOMIC))) {
		kfree(owner);
		return NULL;
	}
	return owner;
}

/* What the bridge said about the address is of no use any more. */
static void addr_forget_answer(struct ivshm_addr *addr)
{
	lockdep_assert_held(&addr_lock);

	addr->fdb_seq++;
	WRITE_ONCE(addr->fdb_gen, 0);
	WRITE_ONCE(addr->fdb_checked, 0);
}

static void addr_remove(struct ivshm_addr *addr, struct ivshm_addr_owner *owner)
{
	lockdep_assert_held(&addr_lock);

	rhashtable_remove_fast(&addr_table, &addr->node, addr_params);
	list_del(&addr->owned);
	owner->nr--;
	kfree_rcu(addr, rcu);
}

/*
 * Makes sure that one more address fits.  The list is searched at most once a
 * second: the guest chooses its addresses, and could make every frame search.
 */
static bool addr_owner_room(struct ivshm_addr_owner *owner)
{
	struct ivshm_addr *addr, *oldest = NULL;
	unsigned long now = jiffies;

	lockdep_assert_held(&addr_lock);

	if (owner->nr < IVSHM_ADDR_PER_PORT)
		return true;
	if (time_before(now, owner->full_until))
		return false;
	list_for_each_entry(addr, &owner->list, owned)
		if (!oldest || time_before(READ_ONCE(addr->seen),
					   READ_ONCE(oldest->seen)))
			oldest = addr;
	if (time_before(now, READ_ONCE(oldest->seen) + IVSHM_ADDR_AGE)) {
		owner->full_until = now + HZ;
		return false;
	}
	addr_remove(oldest, owner);
	return true;
}

/* Takes the address from its owner and gives it to @port. */
static bool addr_move(struct ivshm_addr *addr, struct ivshm_port *port)
{
	struct ivshm_addr_owner *owner, *old_owner;
	struct ivshm_port *old;

	lockdep_assert_held(&addr_lock);

	old = rcu_dereference_protected(addr->port,
					lockdep_is_held(&addr_lock));
	if (old == port)
		return true;
	owner = addr_owner_get(port);
	if (!owner || !addr_owner_room(owner))
		return false;
	old_owner = xa_load(&addr_owners, old->id);

	list_move_tail(&addr->owned, &owner->list);
	owner->nr++;
	old_owner->nr--;
	addr_forget_answer(addr);
	rcu_assign_pointer(addr->port, port);
	return true;
}

/* Makes an entry for a new address. */
static struct ivshm_addr *addr_add(struct ivshm_port *port,
				   const struct ivshm_addr_key *key)
{
	struct ivshm_addr_owner *owner;
	struct ivshm_addr *addr;

	lockdep_assert_held(&addr_lock);

	owner = addr_owner_get(port);
	if (!owner || !addr_owner_room(owner))
		return NULL;
	addr = kzalloc(sizeof(*addr), GFP_ATOMIC);
	if (!addr)
		return NULL;
	addr->key = *key;
	addr->seen = jiffies;
	RCU_INIT_POINTER(addr->port, port);
	if (rhashtable_insert_fast(&addr_table, &addr->node, addr_params)) {
		kfree(addr);
		return NULL;
	}
	list_add_tail(&addr->owned, &owner->list);
	owner->nr++;
	return addr;
}

/* The address is new, or was another port's. */
static struct ivshm_addr *addr_learn_slow(struct ivshm_port *port,
					  const struct ivshm_addr_key *key)
{
	struct ivshm_addr *addr;

	spin_lock_bh(&addr_lock);
	/*
	 * Both are looked at under the lock that a flush takes after they have
	 * changed: what was flushed stays away.
	 */
	if (READ_ONCE(port->state) != IVSHM_PORT_RUNNING ||
	    !key->net || READ_ONCE(port->net) != key->net) {
		addr = NULL;
		goto unlock;
	}
	addr = rhashtable_lookup(&addr_table, key, addr_params);
	if (!addr)
		addr = addr_add(port, key);
	else if (!addr_move(addr, port))
		addr = NULL;
unlock:
	spin_unlock_bh(&addr_lock);
	return addr;
}

struct ivshm_addr *ivshm_addr_learn(struct ivshm_port *port, const u8 *mac)
{
	unsigned long now = jiffies;
	struct ivshm_addr_key key;
	struct ivshm_addr *addr;

	if (unlikely(!is_valid_ether_addr(mac)))
		return NULL;

	addr_key_mac(&key, READ_ONCE(port->net), mac);
	addr = rhashtable_lookup(&addr_table, &key, addr_params);
	if (unlikely(!addr || rcu_access_pointer(addr->port) != port))
		addr = addr_learn_slow(port, &key);
	if (addr && READ_ONCE(addr->seen) != now)
		WRITE_ONCE(addr->seen, now);
	return addr;
}

void ivshm_addr_flush_port(struct ivshm_port *port)
{
	struct ivshm_addr_owner *owner;
	struct ivshm_addr *addr, *next;

	lockdep_assert_held(&ivshm_mutex);

	spin_lock_bh(&addr_lock);
	owner = xa_erase(&addr_owners, port->id);
	if (owner) {
		list_for_each_entry_safe(addr, next, &owner->list, owned)
			addr_remove(addr, owner);
	}
	spin_unlock_bh(&addr_lock);
	kfree(owner);
}

int ivshm_addr_for_each(struct ivshm_port *port, unsigned int skip,
			int (*fn)(const struct ivshm_addr *addr, void *arg),
			void *arg)
{
	struct ivshm_addr_owner *owner;
	struct ivshm_addr *addr;
	int ret = 0;

	spin_lock_bh(&addr_lock);
	owner = xa_load(&addr_owners, port->id);
	if (owner) {
		list_for_each_entry(addr, &owner->list, owned) {
			if (skip) {
				skip--;
				continue;
			}
			ret = fn(addr, arg);
			if (ret)
				break;
		}
	}
	spin_unlock_bh(&addr_lock);
	return ret;
}

bool ivshm_addr_question(struct ivshm_port *port, bool again, u64 gen,
			 unsigned int *pos, u8 *mac, u32 *seq)
{
	struct ivshm_addr_owner *owner;
	struct ivshm_addr *addr;
	unsigned int i = 0;
	bool found = false;

	spin_lock_bh(&addr_lock);
	owner = xa_load(&addr_owners, port->id);
	if (!owner)
		goto unlock;
	list_for_each_entry(addr, &owner->list, owned) {
		if (i++ < *pos)
			continue;
		*pos = i;
		if (READ_ONCE(addr->want) || (again && addr->fdb_gen == gen)) {
			WRITE_ONCE(addr->want, false);
			ether_addr_copy(mac, addr->key.addr);
			*seq = addr->fdb_seq;
			found = true;
			break;
		}
	}
unlock:
	spin_unlock_bh(&addr_lock);
	return found;
}

bool ivshm_addr_answer(struct ivshm_port *port, const u8 *mac, u32 seq,
		       u64 gen, bool agrees)
{
	struct ivshm_addr *addr;
	bool stored = false;

	rcu_read_lock();
	spin_lock_bh(&addr_lock);
	addr = ivshm_addr_lookup_mac(port->net, mac);
	if (addr && rcu_access_pointer(addr->port) == port &&
	    addr->fdb_seq == seq) {
		WRITE_ONCE(addr->fdb_at, jiffies);
		WRITE_ONCE(addr->fdb_gen, agrees ? gen : 0);
		WRITE_ONCE(addr->fdb_checked, gen);
		stored = true;
	}
	spin_unlock_bh(&addr_lock);
	rcu_read_unlock();
	return stored;
}

void ivshm_addr_fdb_event(const struct net *net, const u8 *mac)
{
	struct ivshm_addr *addr;

	rcu_read_lock();
	addr = ivshm_addr_lookup_mac(net, mac);
	if (addr) {
		spin_lock_bh(&addr_lock);
		addr_forget_answer(addr);
		spin_unlock_bh(&addr_lock);
	}
	rcu_read_unlock();
}

int ivshm_addr_init(void)
{
	return rhashtable_init(&addr_table, &addr_params);
}

void ivshm_addr_exit(void)
{
	rcu_barrier();
	xa_destroy(&addr_owners);
	rhashtable_destroy(&addr_table);
}
