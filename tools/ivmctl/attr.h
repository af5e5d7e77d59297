/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What attributes and their values are called, outside and in JSON.
 *
 * One table an object serves three purposes: it turns replies into JSON, it
 * translates the attribute that the kernel complains about into the word the
 * user typed, and it holds the words that text output uses.
 */
#ifndef _IVMCTL_ATTR_H
#define _IVMCTL_ATTR_H

#include <jansson.h>
#include <linux/netlink.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

enum attr_type {
	AT_STRING,
	AT_FLAG,	/* boolean: there or not */
	AT_BOOL,	/* u8, boolean */
	AT_U32,
	AT_U64,
	AT_HEX64,	/* u64, a bit mask, a string in JSON */
	AT_OCT32,	/* u32, permission bits, a string in JSON */
	AT_ENUM,	/* u32, a string in JSON */
	AT_IFINDEX,	/* u32, the interface's name in JSON */
	AT_MAC,
	AT_IPV4,
	AT_IPV6,
	AT_NEST,	/* an object */
	AT_LIST,	/* a nest with any number of one attribute: an array */
};

/**
 * struct value_name - a value of an enum
 * @name: lowercase, hyphenated; in text and JSON
 * @help: what it means, in words, or NULL
 */
struct value_name {
	const char *name;
	const char *help;
};

/**
 * struct value_names - the names of an enum's values
 * @names: by value
 * @nr:    number of @names
 */
struct value_names {
	const struct value_name *names;
	unsigned int nr;
};

/**
 * struct attr - an attribute
 * @id:     its number
 * @type:   how to read it
 * @key:    its key in JSON
 * @word:   what a user calls it
 * @values: AT_ENUM: the names
 * @nest:   AT_NEST, AT_LIST: what is inside
 */
struct attr {
	uint16_t id;
	uint8_t type;
	const char *key;
	const char *word;
	const struct value_names *values;
	const struct attr_set *nest;
};

struct attr_set {
	const struct attr *attrs;
	unsigned int nr;
};

extern const struct attr_set attrs_message;	/* enum ivshm_attr */
extern const struct attr_set attrs_port;
extern const struct attr_set attrs_coupling;
extern const struct attr_set attrs_addr;
extern const struct attr_set attrs_region;
extern const struct attr_set attrs_swap;
extern const struct attr_set attrs_peer;
extern const struct attr_set attrs_peer_stat;
extern const struct attr_set attrs_stat;

extern const struct value_names port_states;
extern const struct value_names coupling_types;
extern const struct value_names coupling_states;
extern const struct value_names matches;
extern const struct value_names fulls;
extern const struct value_names pair_states;
extern const struct value_names region_states;
extern const struct value_names peer_states;
extern const struct value_names reasons;

/* The entry for attribute @id, or NULL. */
const struct attr *attr_find(const struct attr_set *set, unsigned int id);
/* The name of @value, in a static buffer if it has none. */
const char *value_name(const struct value_names *values, uint32_t value);
/* What @name means, or NULL. */
const char *value_help(const struct value_names *values, const char *name);

/*
 * The message as a JSON object with a member for each attribute that is
 * there, flags always. The caller owns it. NULL if the message is malformed.
 */
json_t *attr_decode(const struct nlmsghdr *nlh);

/*
 * A notification as a JSON object: what happened to what, when, and why.
 * The caller owns it. NULL if the message is malformed or no notification.
 */
json_t *event_decode(const struct nlmsghdr *nlh, const struct timespec *when);

#endif /* _IVMCTL_ATTR_H */
