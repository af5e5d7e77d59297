// SPDX-License-Identifier: GPL-2.0
/* Couplings, and the places that they have for interfaces, by name. */
#include <linux/hashtable.h>
#include <linux/stringhash.h>
#include <linux/string.h>

#include "coupling.h"
#include "ivshm.h"

/* Both under ivshm_mutex. */
static DEFINE_HASHTABLE(names_couplings, 10);
static DEFINE_HASHTABLE(names_places, 10);

static u32 name_hash(const struct net *net, const char *name)
{
	return full_name_hash(net, name, strlen(name));
}

void ivshm_coupling_names_add(struct ivshm_coupling *coupling)
{
	struct ivshm_member *member;
	u32 i;

	lockdep_assert_held(&ivshm_mutex);

	hash_add(names_couplings, &coupling->named, name_hash(coupling->net, coupling->name));
	for (i = 0; i < coupling->nr_named; i++) {
		member = &coupling->member[i];
		hash_add(names_places, &member->named, name_hash(coupling->net, member->name));
	}
}

void ivshm_coupling_names_del(struct ivshm_coupling *coupling)
{
	u32 i;

	lockdep_assert_held(&ivshm_mutex);

	hash_del(&coupling->named);
	for (i = 0; i < coupling->nr_named; i++)
		hash_del(&coupling->member[i].named);
}

struct ivshm_coupling *ivshm_coupling_find(const struct net *net, const char *name)
{
	struct ivshm_coupling *coupling;

	lockdep_assert_held(&ivshm_mutex);

	hash_for_each_possible(names_couplings, coupling, named, name_hash(net, name))
		if (coupling->net == net && !strcmp(coupling->name, name))
			return coupling;
	return NULL;
}

struct ivshm_member *ivshm_coupling_place(const struct net *net, const char *name)
{
	struct ivshm_member *member;

	lockdep_assert_held(&ivshm_mutex);

	hash_for_each_possible(names_places, member, named, name_hash(net, name))
		if (member->coupling->net == net && !strcmp(member->name, name))
			return member;
	return NULL;
}
