// SPDX-License-Identifier: GPL-2.0
/* The names of everything, and messages to JSON. */
#include <assert.h>
#include <linux/ivshm_netlink.h>
#include <net/if.h>
#include <netlink/attr.h>
#include <netlink/genl/genl.h>
#include <stdio.h>
#include <string.h>

#include "attr.h"
#include "ivmctl.h"
#include "output.h"

#define VALUES(which) \
	{ .names = which##_names, .nr = ARRAY_SIZE(which##_names) }
#define ATTRS(which) \
	{ .attrs = which##_attrs, .nr = ARRAY_SIZE(which##_attrs) }

static const struct value_name port_state_names[] = {
	[IVSHM_PORT_STOPPED]	= { .name = "stopped" },
	[IVSHM_PORT_RUNNING]	= { .name = "running" },
	[IVSHM_PORT_BROKEN]	= { .name = "broken" },
	[IVSHM_PORT_GONE]	= { .name = "gone" },
};

const struct value_names port_states = VALUES(port_state);

static const struct value_name coupling_type_names[] = {
	[IVSHM_COUPLING_STATIC]	 = { .name = "static" },
	[IVSHM_COUPLING_DYNAMIC] = { .name = "dynamic" },
};

const struct value_names coupling_types = VALUES(coupling_type);

static const struct value_name match_names[] = {
	[IVSHM_MATCH_MAC] = { .name = "mac" },
	[IVSHM_MATCH_IP]  = { .name = "ip" },
};

const struct value_names matches = VALUES(match);

static const struct value_name full_names[] = {
	[IVSHM_FULL_PARK] = { .name = "park" },
	[IVSHM_FULL_DROP] = { .name = "drop" },
};

const struct value_names fulls = VALUES(full);

static const struct value_name coupling_state_names[] = {
	[IVSHM_COUPLING_WAITING] = { .name = "waiting" },
	[IVSHM_COUPLING_READY]	 = { .name = "ready" },
	[IVSHM_COUPLING_COUPLED] = { .name = "coupled" },
	[IVSHM_COUPLING_GONE]	 = { .name = "gone" },
	[IVSHM_COUPLING_DISABLED] = { .name = "disabled" },
};

const struct value_names coupling_states = VALUES(coupling_state);

static const struct value_name pair_state_names[] = {
	[IVSHM_PAIR_UPLINK]	= { .name = "uplink" },
	[IVSHM_PAIR_JOINING]	= { .name = "joining" },
	[IVSHM_PAIR_COUPLED]	= { .name = "coupled" },
};

const struct value_names pair_states = VALUES(pair_state);

static const struct value_name region_state_names[] = {
	[IVSHM_REGION_READY]	= { .name = "ready" },
	[IVSHM_REGION_GONE]	= { .name = "gone" },
};

const struct value_names region_states = VALUES(region_state);

static const struct value_name peer_state_names[] = {
	[IVSHM_PEER_DENIED]	= { .name = "denied" },
	[IVSHM_PEER_ALLOWED]	= { .name = "allowed" },
};

const struct value_names peer_states = VALUES(peer_state);

static const struct value_name reason_names[] = {
	[IVSHM_REASON_NONE] = { .name = "none" },
	[IVSHM_REASON_TRAFFIC] = {
		"traffic", "the two talk to each other" },
	[IVSHM_REASON_STATIC] = {
		"static", "joined by declaration" },
	[IVSHM_REASON_NO_TRAFFIC] = {
		"no-traffic", "below the threshold so far" },
	[IVSHM_REASON_IDLE] = {
		"idle", "no frame for the idle time" },
	[IVSHM_REASON_NOT_RUNNING] = {
		"not-running", "an end is not running" },
	[IVSHM_REASON_NO_UPPER] = {
		"no-upper", "an end is not on a bridge or lower device" },
	[IVSHM_REASON_OTHER_UPPER] = {
		"other-upper", "the ends are on different upper devices" },
	[IVSHM_REASON_FDB] = {
		"fdb", "the bridge does not know the address at that port" },
	[IVSHM_REASON_STP] = {
		"stp", "an end is not forwarding" },
	[IVSHM_REASON_ISOLATED] = {
		"isolated", "both ends are isolated bridge ports" },
	[IVSHM_REASON_LOCKED] = {
		"locked", "the sending bridge port is locked" },
	[IVSHM_REASON_VLAN] = {
		"vlan", "the bridge filters VLANs" },
	[IVSHM_REASON_FILTER] = {
		"filter", "netfilter, tc, XDP or a rate limit is in the way" },
	[IVSHM_REASON_MTU] = {
		"mtu", "a frame is above the receiver's MTU" },
	[IVSHM_REASON_OFFLOAD] = {
		"offload", "the receiver cannot take the sender's offloads" },
	[IVSHM_REASON_DOWN] = {
		"down", "an interface or the bridge is down" },
	[IVSHM_REASON_MODE] = {
		"mode", "macvtap not in bridge mode, or an unknown bridge mode" },
	[IVSHM_REASON_CHECKING] = {
		"checking", "the rules changed and are being read anew" },
	[IVSHM_REASON_CONFIG] = {
		"config", "the administrator asked for it" },
	[IVSHM_REASON_RING] = {
		"ring", "the guest broke its ring" },
	[IVSHM_REASON_EXIT] = {
		"exit", "the VM closed the device or the interface went" },
	[IVSHM_REASON_DENIED] = {
		"denied", "the coupling denies it" },
};

const struct value_names reasons = VALUES(reason);

static_assert(ARRAY_SIZE(reason_names) == __IVSHM_REASON_MAX,
	      "every reason has a name");

#define ATTR(id_, type_, key_, word_, ...) \
	{ .id = (id_), .type = (type_), .key = (key_), .word = (word_), __VA_ARGS__ }
#define STAT(id_, key_, word_) \
	ATTR(IVSHM_A_STAT_##id_, AT_U64, key_, word_)

static const struct attr stat_attrs[] = {
	STAT(TX_DIRECT_FRAMES, "tx_direct_frames", "frames sent direct"),
	STAT(TX_DIRECT_BYTES, "tx_direct_bytes", "bytes sent direct"),
	STAT(TX_UPLINK_FRAMES, "tx_uplink_frames", "frames sent to the uplink"),
	STAT(TX_UPLINK_BYTES, "tx_uplink_bytes", "bytes sent to the uplink"),
	STAT(RX_DIRECT_FRAMES, "rx_direct_frames", "frames received direct"),
	STAT(RX_DIRECT_BYTES, "rx_direct_bytes", "bytes received direct"),
	STAT(RX_UPLINK_FRAMES, "rx_uplink_frames", "frames received from the uplink"),
	STAT(RX_UPLINK_BYTES, "rx_uplink_bytes", "bytes received from the uplink"),
	STAT(TX_FLOODED, "tx_flooded", "further copies made for flooding"),
	STAT(DROP_FULL, "drop_full", "dropped: receiver full for park-us"),
	STAT(DROP_PARK_LIMIT, "drop_park_limit", "dropped: too many frames waiting"),
	STAT(DROP_NO_PEER, "drop_no_peer", "dropped: no member to give it to"),
	STAT(DROP_MALFORMED, "drop_malformed", "dropped: bad header or length"),
	STAT(DROP_TOO_BIG, "drop_too_big", "dropped: above the receiver's buffers"),
	STAT(DROP_OFFLOAD, "drop_offload", "dropped: offload not convertible"),
	STAT(DROP_UPLINK, "drop_uplink", "dropped: refused by the uplink"),
	STAT(DROP_ISOLATED, "drop_isolated", "dropped: from the tap of a static member"),
	STAT(DROP_MEMORY, "drop_memory", "dropped: no memory"),
	STAT(DROP_SPOOFED, "drop_spoofed", "dropped: not from an address of the port"),
	STAT(DROP_RATE, "drop_rate", "dropped: above the coupling's rate"),
	STAT(DROP_DENIED, "drop_denied", "dropped: denied to that member"),
	STAT(RING_ERRORS, "ring_errors", "rings stopped for a guest's mistake"),
	STAT(KICKS_TX, "kicks_tx", "kicks by the guest, transmit"),
	STAT(KICKS_RX, "kicks_rx", "kicks by the guest, receive"),
	STAT(INTERRUPTS_TX, "interrupts_tx", "interrupts to the guest, transmit"),
	STAT(INTERRUPTS_RX, "interrupts_rx", "interrupts to the guest, receive"),
	STAT(WAKEUPS, "wakeups", "wake-ups of the worker"),
	STAT(PARKED, "parked", "frames that waited for a receiver"),
	STAT(MISSES, "misses", "look-ups that asked for a page"),
	STAT(FAULTS, "faults", "pages brought into the mirror"),
	STAT(INVALIDATIONS, "invalidations", "mirrored pages invalidated"),
	STAT(BOUNCED, "bounced", "direct frames through a kernel buffer"),
	STAT(SEGMENTED, "segmented", "frames segmented or checksummed"),
	STAT(COPIED_BYTES, "copied_bytes", "payload bytes copied, direct"),
	STAT(SKBS, "skbs", "socket buffers allocated, direct"),
};

const struct attr_set attrs_stat = ATTRS(stat);

/* All but UNSPEC and PAD. */
static_assert(ARRAY_SIZE(stat_attrs) == __IVSHM_A_STAT_MAX - 2,
	      "every counter has a name");

static const struct attr port_attrs[] = {
	ATTR(IVSHM_A_PORT_NAME, AT_STRING, "name", "port"),
	ATTR(IVSHM_A_PORT_IFINDEX, AT_U32, "ifindex", "interface index"),
	ATTR(IVSHM_A_PORT_STATE, AT_ENUM, "state", "state", .values = &port_states),
	ATTR(IVSHM_A_PORT_UPPER, AT_IFINDEX, "upper", "upper device"),
	ATTR(IVSHM_A_PORT_COUPLING, AT_STRING, "coupling", "coupling"),
	ATTR(IVSHM_A_PORT_QUEUES, AT_U32, "queues", "queue pairs"),
	ATTR(IVSHM_A_PORT_QUEUES_USED, AT_U32, "queues_used", "queue pairs in use"),
	ATTR(IVSHM_A_PORT_PID, AT_U32, "pid", "pid"),
	ATTR(IVSHM_A_PORT_FEATURES, AT_HEX64, "features", "features"),
	ATTR(IVSHM_A_PORT_STATS, AT_NEST, "stats", "statistics", .nest = &attrs_stat),
};

const struct attr_set attrs_port = ATTRS(port);

static const struct attr member_attrs[] = {
	ATTR(IVSHM_A_MEMBER_NAME, AT_STRING, "name", "port"),
	ATTR(IVSHM_A_MEMBER_PRESENT, AT_FLAG, "present", "present"),
	ATTR(IVSHM_A_MEMBER_IMPLICIT, AT_FLAG, "implicit", "implicit"),
};

static const struct attr rule_attrs[] = {
	ATTR(IVSHM_A_MEMBER_GLOB, AT_STRING, "glob", "pattern"),
	ATTR(IVSHM_A_MEMBER_MAC, AT_MAC, "mac", "address"),
	ATTR(IVSHM_A_MEMBER_IPV4, AT_IPV4, "ip", "address"),
	ATTR(IVSHM_A_MEMBER_IPV6, AT_IPV6, "ip", "address"),
	ATTR(IVSHM_A_MEMBER_UPPER, AT_STRING, "upper", "upper device"),
};

static const struct attr_set attrs_rule = ATTRS(rule);

static const struct attr rules_attrs[] = {
	ATTR(IVSHM_A_COUPLING_MEMBER, AT_NEST, "rule", "rule", .nest = &attrs_rule),
};

static const struct attr_set attrs_rules = ATTRS(rules);

static const struct attr_set attrs_member = ATTRS(member);

static const struct attr members_attrs[] = {
	ATTR(IVSHM_A_COUPLING_MEMBER, AT_NEST, "member", "port", .nest = &attrs_member),
};

static const struct attr_set attrs_members = ATTRS(members);

static const struct attr pair_attrs[] = {
	ATTR(IVSHM_A_PAIR_SRC, AT_STRING, "src", "sending port"),
	ATTR(IVSHM_A_PAIR_DST, AT_STRING, "dst", "receiving port"),
	ATTR(IVSHM_A_PAIR_STATE, AT_ENUM, "state", "state", .values = &pair_states),
	ATTR(IVSHM_A_PAIR_REASON, AT_ENUM, "reason", "reason", .values = &reasons),
	ATTR(IVSHM_A_PAIR_FRAMES, AT_U64, "frames", "frames"),
	ATTR(IVSHM_A_PAIR_BYTES, AT_U64, "bytes", "bytes"),
};

static const struct attr_set attrs_pair = ATTRS(pair);

static const struct attr pairs_attrs[] = {
	ATTR(IVSHM_A_COUPLING_PAIR, AT_NEST, "pair", "pair", .nest = &attrs_pair),
};

static const struct attr_set attrs_pairs = ATTRS(pairs);

static const struct attr denial_attrs[] = {
	ATTR(IVSHM_A_PAIR_SRC, AT_STRING, "src", "sender"),
	ATTR(IVSHM_A_PAIR_DST, AT_STRING, "dst", "receiver"),
};

static const struct attr_set attrs_denial = ATTRS(denial);

static const struct attr denials_attrs[] = {
	ATTR(IVSHM_A_COUPLING_PAIR, AT_NEST, "pair", "pair", .nest = &attrs_denial),
};

static const struct attr_set attrs_denials = ATTRS(denials);

static const struct attr coupling_attrs[] = {
	ATTR(IVSHM_A_COUPLING_NAME, AT_STRING, "name", "name"),
	ATTR(IVSHM_A_COUPLING_TYPE, AT_ENUM, "type", "type", .values = &coupling_types),
	ATTR(IVSHM_A_COUPLING_STATE, AT_ENUM, "state", "state", .values = &coupling_states),
	ATTR(IVSHM_A_COUPLING_THRESHOLD, AT_U32, "threshold", "threshold"),
	ATTR(IVSHM_A_COUPLING_IDLE, AT_U32, "idle", "idle"),
	ATTR(IVSHM_A_COUPLING_PARK_US, AT_U32, "park_us", "park-us"),
	ATTR(IVSHM_A_COUPLING_BYPASS, AT_BOOL, "bypass", "bypass"),
	ATTR(IVSHM_A_COUPLING_STRICT, AT_BOOL, "strict", "strict"),
	ATTR(IVSHM_A_COUPLING_MATCH, AT_ENUM, "match", "match", .values = &matches),
	ATTR(IVSHM_A_COUPLING_DISABLED, AT_BOOL, "disabled", "disabled"),
	ATTR(IVSHM_A_COUPLING_FULL, AT_ENUM, "full", "full", .values = &fulls),
	ATTR(IVSHM_A_COUPLING_RATE_BYTES, AT_U64, "rate_bytes", "rate-bytes"),
	ATTR(IVSHM_A_COUPLING_RATE_FRAMES, AT_U32, "rate_frames", "rate-frames"),
	ATTR(IVSHM_A_COUPLING_DENY, AT_LIST, "deny", "deny", .nest = &attrs_denials),
	ATTR(IVSHM_A_COUPLING_ALLOW, AT_LIST, "allow", "allow", .nest = &attrs_denials),
	ATTR(IVSHM_A_COUPLING_MEMBERS, AT_LIST, "members", "ports", .nest = &attrs_members),
	ATTR(IVSHM_A_COUPLING_RULES, AT_LIST, "rules", "rules", .nest = &attrs_rules),
	ATTR(IVSHM_A_COUPLING_PAIRS, AT_LIST, "pairs", "pairs", .nest = &attrs_pairs),
	/* Events have just one. */
	ATTR(IVSHM_A_COUPLING_PAIR, AT_NEST, "pair", "pair", .nest = &attrs_pair),
};

const struct attr_set attrs_coupling = ATTRS(coupling);

static const struct attr addr_attrs[] = {
	ATTR(IVSHM_A_ADDR_MAC, AT_MAC, "mac", "address"),
	ATTR(IVSHM_A_ADDR_IPV4, AT_IPV4, "ip", "address"),
	ATTR(IVSHM_A_ADDR_IPV6, AT_IPV6, "ip", "address"),
	ATTR(IVSHM_A_ADDR_PORT, AT_STRING, "port", "port"),
	ATTR(IVSHM_A_ADDR_CONFIGURED, AT_FLAG, "configured", "configured"),
	ATTR(IVSHM_A_ADDR_LLADDR, AT_MAC, "lladdr", "lladdr"),
	ATTR(IVSHM_A_ADDR_RING, AT_HEX64, "ring", "ring"),
	ATTR(IVSHM_A_ADDR_AGE, AT_U32, "age", "age"),
};

const struct attr_set attrs_addr = ATTRS(addr);

static const struct attr region_attrs[] = {
	ATTR(IVSHM_A_REGION_NAME, AT_STRING, "name", "name"),
	ATTR(IVSHM_A_REGION_NUMBER, AT_U32, "number", "number"),
	ATTR(IVSHM_A_REGION_STATE, AT_ENUM, "state", "state", .values = &region_states),
	ATTR(IVSHM_A_REGION_SIZE, AT_U64, "size", "size"),
	ATTR(IVSHM_A_REGION_PAGE_SIZE, AT_U32, "page_size", "page"),
	ATTR(IVSHM_A_REGION_NODE, AT_U32, "node", "node"),
	ATTR(IVSHM_A_REGION_MODE, AT_OCT32, "mode", "mode"),
	ATTR(IVSHM_A_REGION_UID, AT_U32, "uid", "owner"),
	ATTR(IVSHM_A_REGION_GID, AT_U32, "gid", "group"),
	ATTR(IVSHM_A_REGION_USERS, AT_U32, "users", "users"),
	ATTR(IVSHM_A_REGION_SWAPS, AT_U32, "swaps", "swaps"),
};

const struct attr_set attrs_region = ATTRS(region);

static const struct attr swap_attrs[] = {
	ATTR(IVSHM_A_SWAP_REGION, AT_STRING, "region", "name"),
	ATTR(IVSHM_A_SWAP_OFFSET, AT_U64, "at", "at"),
	ATTR(IVSHM_A_SWAP_SIZE, AT_U64, "size", "size"),
	ATTR(IVSHM_A_SWAP_POOL, AT_STRING, "pool", "pool"),
	ATTR(IVSHM_A_SWAP_POOL_OFFSET, AT_U64, "offset", "offset"),
};

const struct attr_set attrs_swap = ATTRS(swap);

#define PEER_STAT(id_, key_, word_) \
	ATTR(IVSHM_A_PEER_STAT_##id_, AT_U64, key_, word_)

static const struct attr peer_stat_attrs[] = {
	PEER_STAT(MESSAGES, "messages", "messages sent"),
	PEER_STAT(BYTES, "bytes", "bytes sent"),
	PEER_STAT(COPIED, "copied", "messages copied"),
	PEER_STAT(MOVED, "moved", "messages whose pages moved"),
	PEER_STAT(SHARED, "shared", "messages whose pages were shared"),
	PEER_STAT(SIGNALS, "signals", "times the receiver was told at once"),
	PEER_STAT(DEFERRED_OWN, "deferred_own", "deferred until the receiver came"),
	PEER_STAT(DEFERRED_TIMED, "deferred_timed", "deferred until the time was over"),
	PEER_STAT(LOST, "lost", "messages that nobody received"),
	PEER_STAT(REFUSED_FULL, "refused_full", "refused: too much waits"),
	PEER_STAT(REFUSED_SLOT, "refused_slot", "refused: no landing slot"),
	PEER_STAT(REFUSED_BUSY, "refused_busy", "refused: pages in use"),
};

const struct attr_set attrs_peer_stat = ATTRS(peer_stat);

/* All but UNSPEC and PAD. */
static_assert(ARRAY_SIZE(peer_stat_attrs) == __IVSHM_A_PEER_STAT_MAX - 2,
	      "every counter of a peer has a name");

static const struct attr peer_attrs[] = {
	ATTR(IVSHM_A_PEER_FROM, AT_STRING, "from", "sender"),
	ATTR(IVSHM_A_PEER_TO, AT_STRING, "to", "receiver"),
	ATTR(IVSHM_A_PEER_MESSAGES, AT_U32, "messages", "messages"),
	ATTR(IVSHM_A_PEER_PAGES, AT_U64, "pages", "pages"),
	ATTR(IVSHM_A_PEER_BYTES, AT_U64, "bytes", "bytes"),
	ATTR(IVSHM_A_PEER_NOW_MESSAGES, AT_U32, "now_messages", "messages waiting"),
	ATTR(IVSHM_A_PEER_NOW_PAGES, AT_U64, "now_pages", "pages waiting"),
	ATTR(IVSHM_A_PEER_NOW_BYTES, AT_U64, "now_bytes", "bytes waiting"),
	ATTR(IVSHM_A_PEER_STATS, AT_NEST, "stats", "statistics",
	     .nest = &attrs_peer_stat),
};

const struct attr_set attrs_peer = ATTRS(peer);

static const struct attr message_attrs[] = {
	ATTR(IVSHM_A_PORT, AT_NEST, "port", "port", .nest = &attrs_port),
	ATTR(IVSHM_A_COUPLING, AT_NEST, "coupling", "coupling", .nest = &attrs_coupling),
	ATTR(IVSHM_A_ADDR, AT_NEST, "address", "address", .nest = &attrs_addr),
	ATTR(IVSHM_A_REGION, AT_NEST, "region", "region", .nest = &attrs_region),
	ATTR(IVSHM_A_SWAP, AT_NEST, "swap", "swap", .nest = &attrs_swap),
	ATTR(IVSHM_A_PEER, AT_NEST, "peer", "peer", .nest = &attrs_peer),
	/* The states belong to different enums, see cmd_monitor.c. */
	ATTR(IVSHM_A_EVENT_OLD_STATE, AT_U32, "old", "old state"),
	ATTR(IVSHM_A_EVENT_NEW_STATE, AT_U32, "new", "new state"),
	ATTR(IVSHM_A_EVENT_REASON, AT_ENUM, "reason", "reason", .values = &reasons),
};

const struct attr_set attrs_message = ATTRS(message);

const struct attr *attr_find(const struct attr_set *set, unsigned int id)
{
	unsigned int i;

	for (i = 0; i < set->nr; i++)
		if (set->attrs[i].id == id)
			return &set->attrs[i];
	return NULL;
}

const char *value_name(const struct value_names *values, uint32_t value)
{
	static char unknown[32];

	if (value < values->nr && values->names[value].name)
		return values->names[value].name;
	/* A module newer than this tool. */
	snprintf(unknown, sizeof(unknown), "unknown-%u", value);
	return unknown;
}

const char *value_help(const struct value_names *values, const char *name)
{
	unsigned int i;

	for (i = 0; i < values->nr; i++)
		if (values->names[i].name && !strcmp(values->names[i].name, name))
			return values->names[i].help;
	return NULL;
}

static int attr_min_len(uint8_t type)
{
	switch (type) {
	case AT_STRING:
	case AT_BOOL:
		return 1;
	case AT_U32:
	case AT_OCT32:
	case AT_ENUM:
	case AT_IFINDEX:
		return 4;
	case AT_U64:
	case AT_HEX64:
		return 8;
	case AT_MAC:
		return 6;
	case AT_IPV4:
		return 4;
	case AT_IPV6:
		return 16;
	default:
		return 0;
	}
}

static json_t *decode_set(const struct attr_set *set, struct nlattr *first,
			  int len);

static json_t *decode_list(const struct attr_set *set, struct nlattr *nest)
{
	const struct attr *item = &set->attrs[0];
	json_t *array = json_array();
	struct nlattr *nla;
	int rem;

	nla_for_each_nested(nla, nest, rem) {
		json_t *value;

		if (nla_type(nla) != item->id)
			continue;
		value = decode_set(item->nest, nla_data(nla), nla_len(nla));
		if (!value || json_array_append_new(array, value)) {
			json_decref(array);
			return NULL;
		}
	}
	return array;
}

static json_t *decode_ifindex(uint32_t ifindex)
{
	char name[IF_NAMESIZE];

	if (!if_indextoname(ifindex, name))
		snprintf(name, sizeof(name), "if%u", ifindex);
	return json_text(name, strlen(name));
}

static json_t *decode_addr(enum word_addr_kind kind, const void *bytes, size_t len)
{
	struct word_addr addr = { .kind = kind };
	char text[WORD_ADDR_TEXT];

	memcpy(addr.bytes, bytes, len);
	word_addr_text(&addr, text);
	return json_string(text);
}

static json_t *decode_one(const struct attr *attr, struct nlattr *nla)
{
	const char *text = nla_data(nla);

	if (nla_len(nla) < attr_min_len(attr->type))
		return NULL;

	switch (attr->type) {
	case AT_STRING:
		return json_text(text, strnlen(text, (size_t)nla_len(nla)));
	case AT_FLAG:
		return json_true();
	case AT_BOOL:
		return json_boolean(nla_get_u8(nla));
	case AT_U32:
		return json_integer(nla_get_u32(nla));
	case AT_U64:
		return json_integer((json_int_t)nla_get_u64(nla));
	case AT_HEX64:
		return json_sprintf("0x%llx", (unsigned long long)nla_get_u64(nla));
	case AT_OCT32:
		return json_sprintf("%04o", nla_get_u32(nla));
	case AT_ENUM:
		return json_string(value_name(attr->values, nla_get_u32(nla)));
	case AT_IFINDEX:
		return decode_ifindex(nla_get_u32(nla));
	case AT_MAC:
		return decode_addr(WORD_MAC, nla_data(nla), 6);
	case AT_IPV4:
		return decode_addr(WORD_IPV4, nla_data(nla), 4);
	case AT_IPV6:
		return decode_addr(WORD_IPV6, nla_data(nla), 16);
	case AT_NEST:
		return decode_set(attr->nest, nla_data(nla), nla_len(nla));
	case AT_LIST:
		return decode_list(attr->nest, nla);
	default:
		return NULL;
	}
}

/* Members appear in the order of the table, whatever the kernel's order. */
static json_t *decode_set(const struct attr_set *set, struct nlattr *first,
			  int len)
{
	json_t *object = json_object();
	unsigned int i;

	for (i = 0; i < set->nr; i++) {
		const struct attr *attr = &set->attrs[i];
		struct nlattr *nla = nla_find(first, len, attr->id);
		json_t *value;

		if (nla)
			value = decode_one(attr, nla);
		else if (attr->type == AT_FLAG)
			value = json_false();
		else
			continue;
		if (json_object_set_new(object, attr->key, value)) {
			json_decref(object);
			return NULL;
		}
		if (nla && attr->type == AT_IFINDEX) {
			char key[32];

			snprintf(key, sizeof(key), "%s_ifindex", attr->key);
			json_object_set_new(object, key,
					    json_integer(nla_get_u32(nla)));
		}
	}
	return object;
}

json_t *attr_decode(const struct nlmsghdr *nlh)
{
	struct genlmsghdr *genl;

	if (!genlmsg_valid_hdr((struct nlmsghdr *)nlh, 0))
		return NULL;
	genl = genlmsg_hdr((struct nlmsghdr *)nlh);
	return decode_set(&attrs_message, genlmsg_attrdata(genl, 0),
			  genlmsg_attrlen(genl, 0));
}
