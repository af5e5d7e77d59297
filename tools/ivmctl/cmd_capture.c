// SPDX-License-Identifier: GPL-2.0
/* ivmctl capture: interfaces of kind ivshmmon, by rtnetlink. */
#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <stdlib.h>
#include <string.h>

#include "nl.h"
#include "output.h"

#define KIND	"ivshmmon"
/* In front of the name of the port. */
#define PREFIX	"mon-"

static struct ivnl *rtnl_open(const struct ctx *ctx)
{
	struct ivnl *nl = check_alloc(calloc(1, sizeof(*nl)));
	int err;

	nl->sock = check_alloc(nl_socket_alloc());
	nl_socket_disable_auto_ack(nl->sock);
	err = nl_connect(nl->sock, NETLINK_ROUTE);
	if (!err)
		return nl;
	complain(ctx, "cannot open a netlink socket: %s", nl_geterror(err));
	ivnl_close(nl);
	return NULL;
}

static struct nl_msg *link_msg(int type, int flags, int ifindex)
{
	struct nl_msg *msg = check_alloc(nlmsg_alloc_simple(type, NLM_F_REQUEST | flags));
	const unsigned int up = type == RTM_NEWLINK ? IFF_UP : 0;
	struct ifinfomsg ifm = {
		.ifi_index = ifindex, .ifi_flags = up, .ifi_change = up,
	};

	check_alloc(nlmsg_append(msg, &ifm, sizeof(ifm), NLMSG_ALIGNTO) ? NULL : msg);
	return msg;
}

/* An interface of our kind as JSON, or NULL for any other. */
static json_t *decode_link(struct nlmsghdr *nlh)
{
	const struct ifinfomsg *ifm = nlmsg_data(nlh);
	struct nlattr *tb[IFLA_MAX + 1], *info[IFLA_INFO_MAX + 1];
	const struct rtnl_link_stats64 *stats;
	char port[IF_NAMESIZE];
	json_t *link;
	int index;

	if (nlmsg_parse(nlh, sizeof(*ifm), tb, IFLA_MAX, NULL) || !tb[IFLA_IFNAME] ||
	    !tb[IFLA_LINKINFO] || nla_parse_nested(info, IFLA_INFO_MAX, tb[IFLA_LINKINFO], NULL) ||
	    !info[IFLA_INFO_KIND] || nla_strcmp(info[IFLA_INFO_KIND], KIND))
		return NULL;
	link = check_alloc(json_object());
	json_object_set_new(link, "name", json_text(nla_get_string(tb[IFLA_IFNAME]),
						    strlen(nla_get_string(tb[IFLA_IFNAME]))));
	json_object_set_new(link, "ifindex", json_integer(ifm->ifi_index));
	index = tb[IFLA_LINK] ? (int)nla_get_u32(tb[IFLA_LINK]) : ifm->ifi_index;
	/* Of a port in another namespace only the number is known. */
	if (index != ifm->ifi_index && !tb[IFLA_LINK_NETNSID] && if_indextoname(index, port))
		json_object_set_new(link, "port", json_text(port, strlen(port)));
	json_object_set_new(link, "all", json_boolean(index == ifm->ifi_index));
	json_object_set_new(link, "state", json_string(ifm->ifi_flags & IFF_UP ? "up" : "down"));
	if (tb[IFLA_STATS64] && nla_len(tb[IFLA_STATS64]) >=
	    (int)offsetof(struct rtnl_link_stats64, multicast)) {
		stats = nla_data(tb[IFLA_STATS64]);
		json_object_set_new(link, "frames_in", json_integer(stats->rx_packets));
		json_object_set_new(link, "frames_out", json_integer(stats->tx_packets));
		json_object_set_new(link, "missed", json_integer(stats->rx_dropped));
	}
	return link;
}

static int add_link(struct nl_msg *msg, void *arg)
{
	json_t *link = decode_link(nlmsg_hdr(msg));

	if (link)
		json_array_append_new(arg, link);
	return NL_OK;
}

static json_t *links(const struct ctx *ctx, const struct ivnl *nl)
{
	struct nl_msg *msg = link_msg(RTM_GETLINK, NLM_F_DUMP, 0);
	json_t *list = check_alloc(json_array());
	int err;

	nl_socket_modify_cb(nl->sock, NL_CB_VALID, NL_CB_CUSTOM, add_link, list);
	err = nl_send_auto(nl->sock, msg);
	nlmsg_free(msg);
	if (err >= 0)
		err = nl_recvmsgs_default(nl->sock);
	if (err >= 0)
		return json_sorted(list, json_by_name);
	complain(ctx, "cannot read the list of interfaces: %s", nl_geterror(err));
	json_decref(list);
	return NULL;
}

static void show_captures(const struct ctx *ctx, const json_t *list)
{
	static const char *const heads[] = {
		"INTERFACE", "PORT", "STATE", ">FROM-GUEST", ">TO-GUEST", ">MISSED", NULL
	};
	struct table *table = table_new(0, heads);
	json_t *link;
	size_t i;

	json_array_foreach(list, i, link) {
		const char *state = json_str(link, "state");

		table_add(table, COLOR_NAME, "%s", json_str(link, "name"));
		table_add(table, COLOR_NAME, "%s", json_is_true(json_object_get(link, "all")) ?
			  "(all)" : json_str(link, "port"));
		table_add(table, *state == 'u' ? COLOR_GOOD : COLOR_WAIT, "%s", state);
		table_add(table, COLOR_NONE, "%" JSON_INTEGER_FORMAT, json_int(link, "frames_in"));
		table_add(table, COLOR_NONE, "%" JSON_INTEGER_FORMAT, json_int(link, "frames_out"));
		table_add(table, json_int(link, "missed") ? COLOR_BAD : COLOR_NONE,
			  "%" JSON_INTEGER_FORMAT, json_int(link, "missed"));
	}
	table_print(ctx, table);
}

static int capture_show(struct ctx *ctx, int argc, char **argv)
{
	struct ivnl *nl;
	json_t *list;

	if (argc)
		return usage_extra(ctx, argv[0]);
	nl = rtnl_open(ctx);
	list = nl ? links(ctx, nl) : NULL;
	ivnl_close(nl);
	if (!list)
		return RC_REFUSED;
	if (ctx->json)
		return print_json(ctx, list);
	show_captures(ctx, list);
	json_decref(list);
	return RC_OK;
}

/* The one that shows @port, or all ports for NULL; not a reference. */
static json_t *find(const json_t *list, const char *port)
{
	json_t *link;
	size_t i;

	json_array_foreach(list, i, link) {
		bool all = json_is_true(json_object_get(link, "all"));

		if (port ? !all && !strcmp(json_str(link, "port"), port) : all)
			return link;
	}
	return NULL;
}

/* One that is there already is as good as a new one. */
static int turn_on(const struct ctx *ctx, const struct ivnl *nl, const json_t *list,
		   const char *port)
{
	const json_t *link = find(list, port);
	struct nlattr *info;
	char what[100], name[IF_NAMESIZE];
	unsigned int index = 0;
	struct nl_msg *msg;
	bool full = false;

	if (port) {
		index = if_nametoindex(port);
		if (!index) {
			complain(ctx, "cannot capture port \"%s\": no such interface", port);
			return RC_REFUSED;
		}
	}
	msg = link_msg(RTM_NEWLINK, NLM_F_ACK | (link ? 0 : NLM_F_CREATE | NLM_F_EXCL),
		       link ? json_int(link, "ifindex") : 0);
	if (!link) {
		/* If it is too long the kernel finds one. */
		if (port && strlen(PREFIX) + strlen(port) < sizeof(name)) {
			snprintf(name, sizeof(name), PREFIX "%s", port);
			full = nla_put_string(msg, IFLA_IFNAME, name);
		}
		if (index)
			full = full || nla_put_u32(msg, IFLA_LINK, index);
		info = nla_nest_start(msg, IFLA_LINKINFO);
		full = full || !info || nla_put_string(msg, IFLA_INFO_KIND, KIND);
		if (info)
			nla_nest_end(msg, info);
	}
	snprintf(what, sizeof(what), "cannot capture %s%s%s", port ? "port \"" : "all ports",
		 port ?: "", port ? "\"" : "");
	return ivnl_request(ctx, nl, msg, full, NULL, what);
}

static int turn_off(const struct ctx *ctx, const struct ivnl *nl, const json_t *link)
{
	struct nl_msg *msg = link_msg(RTM_DELLINK, NLM_F_ACK, json_int(link, "ifindex"));
	char what[100];

	snprintf(what, sizeof(what), "cannot delete interface \"%s\"", json_str(link, "name"));
	return ivnl_request(ctx, nl, msg, false, NULL, what);
}

static int names_ok(const struct ctx *ctx, int argc, char **argv)
{
	int i;

	for (i = 0; i < argc; i++)
		if (word_name(ctx, "PORT", argv[i]))
			return RC_USAGE;
	return RC_OK;
}

static int capture_on(struct ctx *ctx, int argc, char **argv)
{
	json_t *list, *link;
	struct ivnl *nl;
	int i, rc = RC_OK;

	if (names_ok(ctx, argc, argv))
		return RC_USAGE;
	/* The module is asked for first: it is what may be missing. */
	if (!ivnl_get(ctx))
		return RC_REFUSED;
	nl = rtnl_open(ctx);
	list = nl ? links(ctx, nl) : NULL;
	for (i = 0; list && i < (argc ?: 1); i++)
		if (turn_on(ctx, nl, list, argc ? argv[i] : NULL))
			rc = RC_REFUSED;
	json_decref(list);
	list = list ? links(ctx, nl) : NULL;
	for (i = 0; list && i < (argc ?: 1) && !ctx->json; i++) {
		link = find(list, argc ? argv[i] : NULL);
		if (link)
			fprintf(ctx->out, "tcpdump -i %s\n", json_str(link, "name"));
	}
	ivnl_close(nl);
	if (!list)
		return RC_REFUSED;
	json_decref(list);
	return rc;
}

static int capture_off(struct ctx *ctx, int argc, char **argv)
{
	json_t *list, *link;
	int i, rc = RC_OK;
	struct ivnl *nl;
	size_t j;

	if (names_ok(ctx, argc, argv))
		return RC_USAGE;
	nl = rtnl_open(ctx);
	list = nl ? links(ctx, nl) : NULL;
	if (!list) {
		ivnl_close(nl);
		return RC_REFUSED;
	}
	if (!argc)
		json_array_foreach(list, j, link)
			if (turn_off(ctx, nl, link))
				rc = RC_REFUSED;
	for (i = 0; i < argc; i++) {
		link = find(list, argv[i]);
		if (!link)
			complain(ctx, "port \"%s\" is not captured", argv[i]);
		if (!link || turn_off(ctx, nl, link))
			rc = RC_REFUSED;
	}
	json_decref(list);
	ivnl_close(nl);
	return rc;
}

static const struct verb capture_verbs[] = {
	{ "show", "list", "", "show what is captured, and where", capture_show },
	{ "on", NULL, "[PORT]...", "make an interface that shows direct frames", capture_on },
	{ "off", NULL, "[PORT]...", "delete it; all of them without PORT", capture_off },
	{ .name = NULL }
};

const struct object object_capture = {
	.name = "capture",
	.help = "direct frames for tcpdump",
	.verbs = capture_verbs,
	.more = "Direct frames pass no interface of the host. \"ivmctl capture on vnet0\" makes\n"
		"the interface mon-vnet0, on which tcpdump sees those of port vnet0 as it would\n"
		"see them on vnet0; without PORT it is one that shows those of all ports, once\n"
		"each. What is captured takes a kernel buffer and costs time.\n",
};
