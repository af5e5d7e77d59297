// SPDX-License-Identifier: GPL-2.0
/*
 * Couplings: directions that are denied.
 *
 * By names, as members are: a denial is there before the member that it is about.
 * What it means for two members that run is in their pair, see ivshm_coupling_pair_begin().
 */
#include <linux/bits.h>
#include <linux/build_bug.h>
#include <linux/glob.h>
#include <linux/netdevice.h>
#include <linux/netlink.h>
#include <linux/slab.h>

#include "coupling.h"
#include "ivshm.h"

/* Once for each name, not for each pair of them: there may be thousands. */
void ivshm_coupling_look_name(struct ivshm_member *member)
{
	const struct ivshm_coupling *coupling = member->coupling;
	const struct ivshm_denial *denial;
	u32 i;

	BUILD_BUG_ON(BITS_PER_TYPE(member->denies_src) < IVSHM_DENIES_MAX);
	lockdep_assert_held(&ivshm_mutex);

	member->denies_src = 0;
	member->denies_dst = 0;
	for (i = 0; i < coupling->nr_denials; i++) {
		denial = &coupling->denial[i];
		if (glob_match(denial->src, member->name))
			member->denies_src |= BIT_ULL(i);
		if (glob_match(denial->dst, member->name))
			member->denies_dst |= BIT_ULL(i);
	}
}

bool ivshm_coupling_denies(const struct ivshm_member *src, const struct ivshm_member *dst)
{
	lockdep_assert_held(&ivshm_mutex);

	return src->denies_src & dst->denies_dst;
}

/* A name that a member may have, now or later. */
static bool denial_fits(const struct ivshm_coupling *coupling, const char *name)
{
	u32 i;

	if (coupling->nr_rules)
		return true;
	for (i = 0; i < coupling->nr_named; i++)
		if (glob_match(name, coupling->member[i].name))
			return true;
	return false;
}

static int denial_check(const struct ivshm_coupling *coupling,
			const struct ivshm_coupling_denial *deny,
			struct netlink_ext_ack *extack)
{
	const struct ivshm_denial *names = &deny->names;

	if (!dev_valid_name(names->src) || !dev_valid_name(names->dst)) {
		NL_SET_ERR_MSG_ATTR(extack, deny->attr,
				    "not an interface name, or a pattern for such names");
		return -EINVAL;
	}
	if (!strpbrk(names->src, "*?[") && !strcmp(names->src, names->dst)) {
		NL_SET_ERR_MSG_ATTR(extack, deny->attr,
				    "a member is not denied to itself");
		return -EINVAL;
	}
	if (!denial_fits(coupling, names->src) || !denial_fits(coupling, names->dst)) {
		NL_SET_ERR_MSG_ATTR(extack, deny->attr,
				    "no member of the coupling has such a name");
		return -EINVAL;
	}
	return 0;
}

/* The denial of those names among @nr of them, or NULL. */
static struct ivshm_denial *denial_find(struct ivshm_denial *denial, u32 nr,
					const struct ivshm_denial *names)
{
	u32 i;

	for (i = 0; i < nr; i++)
		if (!strcmp(denial[i].src, names->src) && !strcmp(denial[i].dst, names->dst))
			return &denial[i];
	return NULL;
}

/* What @cfg says, to *@nr denials for which there is room. */
static int denials_change(const struct ivshm_coupling *coupling,
			  const struct ivshm_coupling_config *cfg,
			  struct ivshm_denial *denial, u32 *nr, struct netlink_ext_ack *extack)
{
	struct ivshm_denial *old;
	u32 i;
	int err;

	for (i = 0; i < cfg->nr_allow; i++) {
		old = denial_find(denial, *nr, &cfg->allow[i].names);
		if (!old) {
			NL_SET_ERR_MSG_ATTR(extack, cfg->allow[i].attr, "that is not denied");
			return -ENOENT;
		}
		/* In the order in which they came. */
		memmove(old, old + 1, (denial + --*nr - old) * sizeof(*old));
	}
	for (i = 0; i < cfg->nr_deny; i++) {
		err = denial_check(coupling, &cfg->deny[i], extack);
		if (err)
			return err;
		if (denial_find(denial, *nr, &cfg->deny[i].names))
			continue;
		if (*nr == IVSHM_DENIES_MAX) {
			NL_SET_ERR_MSG_ATTR(extack, cfg->deny[i].attr,
					    "a coupling denies at most 64 pairs of names");
			return -E2BIG;
		}
		denial[(*nr)++] = cfg->deny[i].names;
	}
	return 0;
}

int ivshm_coupling_set_denials(struct ivshm_coupling *coupling,
			       const struct ivshm_coupling_config *cfg,
			       struct netlink_ext_ack *extack)
{
	u32 nr = coupling->nr_denials, i;
	struct ivshm_denial *denial;
	int err;

	lockdep_assert_held(&ivshm_mutex);

	if (!cfg->nr_allow && !cfg->nr_deny)
		return 0;
	denial = kcalloc(IVSHM_DENIES_MAX, sizeof(*denial), GFP_KERNEL_ACCOUNT);
	if (!denial) {
		NL_SET_ERR_MSG(extack, "not enough memory for what is denied");
		return -ENOMEM;
	}
	if (nr)
		memcpy(denial, coupling->denial, nr * sizeof(*denial));
	err = denials_change(coupling, cfg, denial, &nr, extack);
	if (err) {
		kfree(denial);
		return err;
	}
	/* Nobody reads them without the mutex. */
	kfree(coupling->denial);
	coupling->denial = denial;
	coupling->nr_denials = nr;
	for (i = 0; i < coupling->nr; i++)
		ivshm_coupling_look_name(&coupling->member[i]);
	return 0;
}
