/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the KUnit suites of the address table, the couplings and the detector
 * have in common: ports without a VM behind them.
 *
 * They are known by the names kt0 to kt3 in the initial namespace, and their
 * interfaces, which are never registered, have an MTU of 1500.
 */
#ifndef _IVSHM_COUPLING_TEST_H
#define _IVSHM_COUPLING_TEST_H

#include <kunit/test.h>
#include <linux/if_ether.h>

#include "addr.h"
#include "bridge_rules.h"
#include "coupling.h"
#include "detector.h"
#include "ivshm.h"
#include "port.h"
#include "space.h"

#define CT_PORTS	4

/**
 * struct ct - the context of a test case
 * @port:	all stopped at first
 * @config:	of the next coupling, with room for all members that fit
 */
struct ct {
	struct ivshm_port *port[CT_PORTS];
	struct ivshm_coupling_config config;
};

/*
 * Some kernels run the tests of a module before it is initialised, others
 * afterwards.
 */
int ct_suite_init(struct kunit_suite *suite);
void ct_suite_exit(struct kunit_suite *suite);
int ct_init(struct kunit *test);
void ct_exit(struct kunit *test);

void ct_up(struct ct *ct, int i);
void ct_down(struct ct *ct, int i, enum ivshm_reason reason);

/* Make a coupling of kt0 to kt(@nr - 1) as ct->config says. */
int ct_couple(struct ct *ct, const char *name, enum ivshm_coupling_type type,
	      u32 nr);
/* kt-b of ktx, which never comes, and kt3. */
int ct_couple_other(struct ct *ct);
struct ivshm_coupling *ct_find(const char *name);
void ct_del(const char *name);
/* The member that the port is, or NULL. */
struct ivshm_member *ct_member(struct ct *ct, int i);
/* The pair from one bound port to another one of its coupling. */
struct ivshm_pair *ct_pair(struct ct *ct, int from, int to);

/* The address that the guest behind port @i uses. */
void ct_mac(int i, u8 *mac);
struct ivshm_addr *ct_lookup(int i);

/* A frame's first bytes, and the question about it. */
struct ct_frame {
	u8 hdr[ETH_HLEN + 4];
	u32 len;
	u32 gso_len;
	struct ivshm_decision d;
};

/* An IPv4 frame of 100 bytes between the guests of two ports. */
void ct_frame(struct ct_frame *frame, int from, int to);
/* Port @from sends it. */
enum ivshm_path ct_send(struct ct *ct, int from, struct ct_frame *frame);
/* Such a frame right away. */
enum ivshm_path ct_unicast(struct ct *ct, int from, int to);
/* A broadcast: the address of @from becomes known. */
enum ivshm_path ct_broadcast(struct ct *ct, int from);

/* Ports 0 to @nr - 1 run, are known, and are members of kt-a. */
void ct_setup(struct kunit *test, enum ivshm_coupling_type type, u32 nr);
/* The same, dynamic, and the bridge's rules are not asked. */
void ct_setup_bypass(struct kunit *test, u32 nr);
/* The rules said yes about everything, for the current generation. */
void ct_rules_yes(struct ct *ct, int from, int to);
/* A frame, and what was in the receiver's tap has been consumed. */
void ct_join(struct ct *ct, int from, int to);
void ct_joined(struct ct *ct, int from, struct ivshm_pair *pair, bool done);

#endif /* _IVSHM_COUPLING_TEST_H */
