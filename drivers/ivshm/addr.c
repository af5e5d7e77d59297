// SPDX-License-Identifier: GPL-2.0
/* The address table. */
#include <linux/err.h>
#include <linux/etherdevice.h>
#include <linux/if_packet.h>
#include <linux/rhashtable.h>
#include <linux/slab.h>
#include <linux/socket.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

#include "addr.h"
#include "ivshm.h"
#include "port.h"
#include "trace.h"

/* What was learned is counted by kind: one does not take the room of the other. */
enum {
	ADDR_MACS,
	ADDR_IPS,
	ADDR_KINDS,
};

static const unsigned int addr_most[ADDR_KINDS] = {
	[ADDR_MACS] = IVSHM_ADDR_PER_PORT,
	[ADDR_IPS] = IVSHM_ADDR_IPS_PER_PORT,
};

/* The addresses of one port, found by the port's id. */
struct ivshm_addr_owner {
	struct list_head list;
	unsigned int learned[ADDR_KINDS];
	/* jiffies before which there is nothing to replace */
	unsigned long full_until[ADDR_KINDS];
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

static void addr_key(struct ivshm_addr_key *key, const struct net *net, u16 family,
		     const void *addr)
{
	memset(key, 0, sizeof(*key));
	key->net = net;
	key->family = family;
	switch (family) {
	case AF_PACKET:
		ether_addr_copy(key->addr, addr);
		break;
	case AF_INET:
		memcpy(key->addr, addr, 4);
		break;
	default:
		memcpy(key->addr, addr, 16);
		break;
	}
}

struct ivshm_addr *ivshm_addr_lookup(const struct net *net, u16 family, const void *addr)
{
	struct ivshm_addr_key key;

	addr_key(&key, net, family, addr);
	return rhashtable_lookup(&addr_table, &key, addr_params);
}

struct ivshm_addr *ivshm_addr_lookup_mac(const struct net *net, const u8 *mac)
{
	return ivshm_addr_lookup(net, AF_PACKET, mac);
}

static unsigned int addr_kind(const struct ivshm_addr_key *key)
{
	return key->family == AF_PACKET ? ADDR_MACS : ADDR_IPS;
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
	owner->full_until[ADDR_MACS] = jiffies;
	owner->full_until[ADDR_IPS] = jiffies;
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

/* From its port to @port, NULL for none. There is room. */
static void addr_give(struct ivshm_addr *addr, struct ivshm_port *port,
		      struct ivshm_addr_owner *owner)
{
	unsigned int kind = addr_kind(&addr->key);
	struct ivshm_addr_owner *old_owner;
	struct ivshm_port *old;

	lockdep_assert_held(&addr_lock);

	old = rcu_dereference_protected(addr->port, lockdep_is_held(&addr_lock));
	if (old) {
		old_owner = xa_load(&addr_owners, old->id);
		list_del_init(&addr->owned);
		if (!addr->configured)
			old_owner->learned[kind]--;
	}
	if (port) {
		list_add_tail(&addr->owned, &owner->list);
		if (!addr->configured)
			owner->learned[kind]++;
	}
	addr_forget_answer(addr);
	rcu_assign_pointer(addr->port, port);
}

static void addr_remove(struct ivshm_addr *addr)
{
	struct ivshm_addr_owner *owner;
	struct ivshm_port *port;

	lockdep_assert_held(&addr_lock);

	/* Readers may still have it, and find its port: that stays. */
	port = rcu_dereference_protected(addr->port, lockdep_is_held(&addr_lock));
	if (port) {
		owner = xa_load(&addr_owners, port->id);
		list_del(&addr->owned);
		if (!addr->configured)
			owner->learned[addr_kind(&addr->key)]--;
	}
	rhashtable_remove_fast(&addr_table, &addr->node, addr_params);
	kfree_rcu(addr, rcu);
}

static bool addr_is_of_age(const struct ivshm_addr *addr, unsigned long now)
{
	return !addr->configured &&
	       time_after_eq(now, READ_ONCE(addr->seen) + IVSHM_ADDR_AGE);
}

/*
 * Makes sure that one more address fits.  The list is searched at most once a
 * second: the guest chooses its addresses, and could make every frame search.
 */
static bool addr_owner_room(struct ivshm_addr_owner *owner, unsigned int kind)
{
	struct ivshm_addr *addr, *oldest = NULL;
	unsigned long now = jiffies;

	lockdep_assert_held(&addr_lock);

	if (owner->learned[kind] < addr_most[kind])
		return true;
	if (time_before(now, owner->full_until[kind]))
		return false;
	list_for_each_entry(addr, &owner->list, owned) {
		if (addr->configured || addr_kind(&addr->key) != kind)
			continue;
		if (!oldest || time_before(READ_ONCE(addr->seen),
					   READ_ONCE(oldest->seen)))
			oldest = addr;
	}
	if (!addr_is_of_age(oldest, now)) {
		owner->full_until[kind] = now + HZ;
		return false;
	}
	addr_remove(oldest);
	return true;
}

/* Takes the address from its owner and gives it to @port. */
static bool addr_move(struct ivshm_addr *addr, struct ivshm_port *port)
{
	struct ivshm_addr_owner *owner;

	lockdep_assert_held(&addr_lock);

	if (rcu_access_pointer(addr->port) == port)
		return true;
	/* An administrator's word stands. */
	if (addr->configured)
		return false;
	owner = addr_owner_get(port);
	if (!owner || !addr_owner_room(owner, addr_kind(&addr->key)))
		return false;
	addr_give(addr, port, owner);
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
	if (!owner || !addr_owner_room(owner, addr_kind(key)))
		return NULL;
	addr = kzalloc(sizeof(*addr), GFP_ATOMIC);
	if (!addr)
		return NULL;
	addr->key = *key;
	addr->seen = jiffies;
	addr_give(addr, port, owner);
	if (rhashtable_insert_fast(&addr_table, &addr->node, addr_params)) {
		list_del(&addr->owned);
		owner->learned[addr_kind(key)]--;
		kfree(addr);
		return NULL;
	}
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
	trace_ivshm_learn(port, key, addr);
	return addr;
}

static struct ivshm_addr *addr_learn(struct ivshm_port *port,
				     const struct ivshm_addr_key *key)
{
	unsigned long now = jiffies;
	struct ivshm_addr *addr;

	addr = rhashtable_lookup(&addr_table, key, addr_params);
	if (unlikely(!addr || rcu_access_pointer(addr->port) != port)) {
		/* No lock for each frame from an address that it cannot have. */
		if (addr && addr->configured)
			return NULL;
		addr = addr_learn_slow(port, key);
	}
	if (addr && READ_ONCE(addr->seen) != now)
		WRITE_ONCE(addr->seen, now);
	return addr;
}

struct ivshm_addr *ivshm_addr_learn(struct ivshm_port *port, const u8 *mac)
{
	struct ivshm_addr_key key;

	if (unlikely(!is_valid_ether_addr(mac)))
		return NULL;
	addr_key(&key, READ_ONCE(port->net), AF_PACKET, mac);
	return addr_learn(port, &key);
}

struct ivshm_addr *ivshm_addr_own(const struct ivshm_port *port, const u8 *mac)
{
	struct ivshm_addr *addr = ivshm_addr_lookup_mac(READ_ONCE(port->net), mac);
	unsigned long now = jiffies;

	if (!addr || !addr->configured || rcu_access_pointer(addr->port) != port)
		return NULL;
	if (READ_ONCE(addr->seen) != now)
		WRITE_ONCE(addr->seen, now);
	return addr;
}

void ivshm_addr_learn_ip(struct ivshm_port *port, u16 family, const void *ip)
{
	struct ivshm_addr_key key;

	addr_key(&key, READ_ONCE(port->net), family, ip);
	addr_learn(port, &key);
}

void ivshm_addr_flush_port(struct ivshm_port *port)
{
	struct ivshm_addr_owner *owner;
	struct ivshm_addr *addr, *next;

	lockdep_assert_held(&ivshm_mutex);

	spin_lock_bh(&addr_lock);
	owner = xa_load(&addr_owners, port->id);
	if (owner) {
		list_for_each_entry_safe(addr, next, &owner->list, owned) {
			if (addr->configured)
				addr_give(addr, NULL, NULL);
			else
				addr_remove(addr);
		}
		xa_erase(&addr_owners, port->id);
	}
	spin_unlock_bh(&addr_lock);
	kfree(owner);
}

/*
 * Ageing
 */

#define ADDR_EXPIRE	(IVSHM_ADDR_AGE / 5)

void ivshm_addr_expire(void)
{
	struct ivshm_addr_owner *owner;
	struct ivshm_addr *addr, *next;
	unsigned long now, id;

	/* Owners go under this mutex only; one of them at a time is looked at. */
	mutex_lock(&ivshm_mutex);
	now = jiffies;
	xa_for_each(&addr_owners, id, owner) {
		spin_lock_bh(&addr_lock);
		list_for_each_entry_safe(addr, next, &owner->list, owned)
			if (addr_is_of_age(addr, now))
				addr_remove(addr);
		spin_unlock_bh(&addr_lock);
	}
	mutex_unlock(&ivshm_mutex);
}

static void addr_expire_work(struct work_struct *work);
static DECLARE_DELAYED_WORK(addr_expire_dwork, addr_expire_work);

static void addr_expire_work(struct work_struct *work)
{
	ivshm_addr_expire();
	queue_delayed_work(system_power_efficient_wq, &addr_expire_dwork, ADDR_EXPIRE);
}

/*
 * Configured addresses
 */

struct ivshm_addr *ivshm_addr_config_insert(const struct ivshm_addr *like,
					    struct ivshm_port *port)
{
	struct ivshm_addr_owner *owner = NULL;
	struct ivshm_addr *addr, *old;
	int err = 0;

	lockdep_assert_held(&ivshm_mutex);

	addr = kmemdup(like, sizeof(*like), GFP_KERNEL_ACCOUNT);
	if (!addr)
		return ERR_PTR(-ENOMEM);
	INIT_LIST_HEAD(&addr->configs);
	INIT_LIST_HEAD(&addr->owned);

	spin_lock_bh(&addr_lock);
	if (port) {
		owner = addr_owner_get(port);
		if (!owner) {
			err = -ENOMEM;
			goto unlock;
		}
	}
	/* Whoever it was learned from. */
	rcu_read_lock();
	old = rhashtable_lookup(&addr_table, &addr->key, addr_params);
	rcu_read_unlock();
	if (old)
		addr_remove(old);
	addr_give(addr, port, owner);
	err = rhashtable_insert_fast(&addr_table, &addr->node, addr_params);
	if (err)
		list_del_init(&addr->owned);
unlock:
	spin_unlock_bh(&addr_lock);
	if (err) {
		kfree(addr);
		return ERR_PTR(-ENOMEM);
	}
	return addr;
}

void ivshm_addr_config_remove(struct ivshm_addr *addr)
{
	lockdep_assert_held(&ivshm_mutex);

	spin_lock_bh(&addr_lock);
	addr_remove(addr);
	spin_unlock_bh(&addr_lock);
}

void ivshm_addr_config_attach(struct ivshm_addr *addr, struct ivshm_port *port)
{
	struct ivshm_addr_owner *owner;

	lockdep_assert_held(&ivshm_mutex);

	spin_lock_bh(&addr_lock);
	/* Without memory it stays at no port: its frames take the uplink. */
	owner = addr_owner_get(port);
	if (owner) {
		WRITE_ONCE(addr->seen, jiffies);
		addr_give(addr, port, owner);
	}
	spin_unlock_bh(&addr_lock);
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
	int err = rhashtable_init(&addr_table, &addr_params);

	if (!err)
		queue_delayed_work(system_power_efficient_wq, &addr_expire_dwork, ADDR_EXPIRE);
	return err;
}

void ivshm_addr_exit(void)
{
	cancel_delayed_work_sync(&addr_expire_dwork);
	rcu_barrier();
	xa_destroy(&addr_owners);
	rhashtable_destroy(&addr_table);
}
