// SPDX-License-Identifier: GPL-2.0
/* Message queues: what is asked for, one thing after the other. */
#include <linux/cred.h>
#include <linux/pid.h>
#include <linux/uidgid.h>

#include "msgq.h"

/* The receiver of the last message is told when another one's turn comes. */
void ivshm_msgq_turn_end(struct ivshm_msgq_turn *turn)
{
	struct ivshm_msgq *to = turn->to < 0 ? NULL : ivshm_msgq_enter(turn->to);

	turn->to = -1;
	if (!to)
		return;
	ivshm_msgq_tell(to);
	ivshm_msgq_leave(to);
}

int ivshm_msgq_turn_send(struct ivshm_msgq_turn *turn, struct ivshm_msgq_send *send)
{
	struct ivshm_msgq *to;
	int err;

	if (turn->to != send->to)
		ivshm_msgq_turn_end(turn);
	/*
	 * The receiver's queue does not end while a sender is at it, so a sender is
	 * there only when nothing of its own memory can keep it.
	 */
	to = ivshm_msgq_enter(send->to);
	if (!to)
		return -ENXIO;
	err = ivshm_msgq_send(turn->q, to, &turn->who, send);
	ivshm_msgq_leave(to);
	if (!err)
		turn->to = send->to;
	return err;
}

void ivshm_msgq_turn_recv(const struct ivshm_msgq_turn *turn, const struct ivshm_msg *msg,
			  struct ivshm_msgq_recv *recv)
{
	memset(recv, 0, sizeof(*recv));
	recv->id = msg->id;
	recv->len = msg->len;
	if (msg->landing) {
		recv->offset = msg->landing->offset;
		recv->cookie = msg->landing->cookie;
	}
	recv->from = msg->number;
	recv->pid = pid_nr_ns(msg->pid, ns_of_pid(turn->who.pid));
	recv->uid = from_kuid_munged(turn->who.cred->user_ns, msg->uid);
	recv->how = msg->how;
	BUILD_BUG_ON(sizeof(recv->name) != sizeof(msg->peer->from));
	memcpy(recv->name, msg->peer->from, sizeof(recv->name));
	recv->inline_len = msg->inline_len;
	memcpy(recv->data, msg->data, msg->inline_len);
}

void ivshm_msgq_turn_done(const struct ivshm_msg *msg, struct ivshm_msgq_done *done)
{
	memset(done, 0, sizeof(*done));
	done->cookie = msg->cookie;
	done->to = msg->to;
	done->status = msg->status;
}
