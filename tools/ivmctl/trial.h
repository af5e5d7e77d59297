/* SPDX-License-Identifier: GPL-2.0 */
/* Changes that are taken back unless somebody confirms them. */
#ifndef _IVMCTL_TRIAL_H
#define _IVMCTL_TRIAL_H

#include "change.h"
#include "ivmctl.h"

/* Seconds that the guard leaves a process that is slow, but alive. */
#define TRIAL_GRACE	2

/**
 * trial_guard() - start a process that undoes changes if this one dies
 * @ctx:     complaints go by it
 * @changes: what it undoes
 * @seconds: after which it does so in any case, from trial_made() on
 *
 * The guard is in a session of its own and lives until trial_done().
 *
 * Return: a descriptor for the two functions below, -1 after a complaint.
 */
int trial_guard(struct ctx *ctx, const struct changes *changes,
		unsigned int seconds);
/* The changes have been made: the time runs. */
void trial_made(int guard);
/* They are confirmed, or undone: the guard ends. */
void trial_done(int guard);

/*
 * The socket at which "ivmctl confirm" in the same network namespace knocks; no
 * two can have it.  -1 after a complaint.
 */
int trial_listen(const struct ctx *ctx);
/* Somebody is at the socket. Returns whether one who may confirm does. */
bool trial_knock(int listener);
/* Knock there. Returns enum rc. */
int trial_confirm(const struct ctx *ctx);

#endif /* _IVMCTL_TRIAL_H */
