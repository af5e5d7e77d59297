/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Who may send messages to whom, and how much of them may wait.
 *
 * An entry is about one direction between two regions, which need not exist: it
 * goes by their names.  Messages hold on to the entry that allowed them, so what
 * they take up is given back to it though it was deleted meanwhile.
 */
#ifndef _IVSHM_MSGQ_PEER_H
#define _IVSHM_MSGQ_PEER_H

#include <linux/ivshm_netlink.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/spinlock.h>
#include <linux/types.h>

struct ivshm_msgq;
struct netlink_ext_ack;
struct nlattr;

/**
 * struct ivshm_peer_amount - messages that wait, or may wait
 * @messages:	number
 * @pages:	of PAGE_SIZE that their ranges touch
 * @bytes:	in their ranges and in themselves
 */
struct ivshm_peer_amount {
	u64 messages;
	u64 pages;
	u64 bytes;
};

/**
 * struct ivshm_peer_config - what an administrator asks for
 * @from:	region that may send, ends with a zero byte
 * @to:		region that it may send to, likewise
 * @most:	what may wait there; 0 pages or bytes for as many as there are
 * @given:	what of @most is meant: bits by enum ivshm_attr_peer
 * @attr:	by enum ivshm_attr_peer: where values came from, to be named in a
 *		refusal; or NULL
 */
struct ivshm_peer_config {
	char from[IVSHM_NAME_MAX];
	char to[IVSHM_NAME_MAX];
	struct ivshm_peer_amount most;
	unsigned long given;
	struct nlattr **attr;
};

/**
 * struct ivshm_peer - an entry of the list
 * @hash:	in the hash of all; under ivshm_peer_mutex, read under RCU
 * @list:	in ivshm_peers; under ivshm_peer_mutex
 * @ref:	the list's, those of messages, and of @stalled
 * @rcu:	to be freed by
 * @from:	region, does not change
 * @to:		likewise
 * @lock:	of the following; innermost, taken with softirqs off
 * @most:	what may wait
 * @now:	what waits
 * @stat:	by enum ivshm_attr_peer_stat
 * @stall:	in the receiver's ivshm_msgq.stalled, or about to be told, under its lock
 * @stalled:	who is to be told when there is room, with a reference; likewise
 */
struct ivshm_peer {
	struct hlist_node hash;
	struct list_head list;
	struct kref ref;
	struct rcu_head rcu;
	char from[IVSHM_NAME_MAX];
	char to[IVSHM_NAME_MAX];
	spinlock_t lock;		/* most, now, stat */
	struct ivshm_peer_amount most;
	struct ivshm_peer_amount now;
	u64 stat[IVSHM_A_PEER_STAT_MAX + 1];
	struct list_head stall;
	struct ivshm_msgq *stalled;
};

/* The list. Neither inside ivshm_region_mutex nor around it. */
extern struct mutex ivshm_peer_mutex;
extern struct list_head ivshm_peers;

/**
 * ivshm_peer_allow() - make or change an entry
 * @cfg:	what is asked for
 * @extack:	gets the reason of a refusal, or NULL
 *
 * Sleeps; takes ivshm_peer_mutex.
 *
 * Return: 0, or an error as IVSHM_CMD_PEER_SET has them.
 */
int ivshm_peer_allow(const struct ivshm_peer_config *cfg,
		     struct netlink_ext_ack *extack);
/* 0, or -ENOENT. Sleeps; takes ivshm_peer_mutex. */
int ivshm_peer_deny(const char *from, const char *to);

/* The entry, with a reference, or NULL. Does not sleep. */
struct ivshm_peer *ivshm_peer_get(const char *from, const char *to);
/* The entry, or NULL. Under ivshm_peer_mutex. */
struct ivshm_peer *ivshm_peer_find(const char *from, const char *to);
void ivshm_peer_put(struct ivshm_peer *peer);

/**
 * ivshm_peer_charge() - something more is to wait
 * @peer:	the entry
 * @amount:	how much
 *
 * Return: 0, -EMSGSIZE if it is more than may ever wait, or -EAGAIN.
 */
int ivshm_peer_charge(struct ivshm_peer *peer,
		      const struct ivshm_peer_amount *amount);
void ivshm_peer_uncharge(struct ivshm_peer *peer,
			 const struct ivshm_peer_amount *amount);
void ivshm_peer_count(struct ivshm_peer *peer, enum ivshm_attr_peer_stat stat,
		      u64 nr);

void ivshm_peer_exit(void);

#endif /* _IVSHM_MSGQ_PEER_H */
