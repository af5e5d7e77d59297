// SPDX-License-Identifier: GPL-2.0
/* ivmctl monitor */
#include <errno.h>
#include <linux/genetlink.h>
#include <linux/ivshm_netlink.h>
#include <netlink/genl/genl.h>
#include <netlink/netlink.h>
#include <poll.h>
#include <string.h>
#include <time.h>

#include "attr.h"
#include "nl.h"
#include "output.h"
#include "signals.h"

enum filter {
	SHOW_PORT = 1,
	SHOW_COUPLING = 2,
	SHOW_REGION = 4,
	SHOW_PEER = 8,
};

struct monitor {
	struct ctx *ctx;
	struct ivnl *nl;
	unsigned int filter;
	bool done;
	int rc;
};

static void event_state(json_t *event, const json_t *message, const char *key,
			const struct value_names *states)
{
	uint32_t value = (uint32_t)json_int(message, key);

	if (json_object_get(message, key))
		json_object_set_new(event, key,
				    json_string(value_name(states, value)));
}

json_t *event_decode(const struct nlmsghdr *nlh, const struct timespec *when)
{
	json_t *message = attr_decode(nlh);
	const json_t *port = json_object_get(message, "port");
	const json_t *coupling = json_object_get(message, "coupling");
	const json_t *region = json_object_get(message, "region");
	const json_t *peer = json_object_get(message, "peer");
	const json_t *pair = json_object_get(coupling, "pair");
	const struct value_names *states;
	json_t *event = NULL;
	char now[64];

	if (!message)
		return NULL;

	format_time(when, now, sizeof(now));
	switch (genlmsg_hdr((struct nlmsghdr *)nlh)->cmd) {
	case IVSHM_CMD_PORT_NTF:
		states = &port_states;
		event = json_pack("{s:s, s:s, s:s}", "time", now, "event", "port",
				  "port", json_str(port, "name"));
		break;
	case IVSHM_CMD_COUPLING_NTF:
		states = &coupling_states;
		event = json_pack("{s:s, s:s, s:s}", "time", now, "event",
				  "coupling", "coupling",
				  json_str(coupling, "name"));
		break;
	case IVSHM_CMD_PAIR_NTF:
		states = &pair_states;
		event = json_pack("{s:s, s:s, s:s, s:s, s:s}", "time", now,
				  "event", "pair", "coupling",
				  json_str(coupling, "name"), "src",
				  json_str(pair, "src"), "dst",
				  json_str(pair, "dst"));
		break;
	case IVSHM_CMD_REGION_NTF:
		states = &region_states;
		event = json_pack("{s:s, s:s, s:s}", "time", now, "event",
				  "region", "region", json_str(region, "name"));
		break;
	case IVSHM_CMD_PEER_NTF:
		states = &peer_states;
		event = json_pack("{s:s, s:s, s:s, s:s}", "time", now, "event",
				  "peer", "src", json_str(peer, "from"), "dst",
				  json_str(peer, "to"));
		break;
	default:
		break;
	}
	if (event) {
		event_state(event, message, "old", states);
		event_state(event, message, "new", states);
		json_object_set(event, "reason",
				json_object_get(message, "reason"));
	}
	json_decref(message);
	return event;
}

static void print_event(struct monitor *mon, json_t *event)
{
	const char *kind = json_str(event, "event");
	unsigned int show = SHOW_COUPLING;

	if (!strcmp(kind, "port"))
		show = SHOW_PORT;
	else if (!strcmp(kind, "region"))
		show = SHOW_REGION;
	else if (!strcmp(kind, "peer"))
		show = SHOW_PEER;
	if (!(mon->filter & show)) {
		json_decref(event);
		return;
	}
	if (mon->ctx->json) {
		print_json(mon->ctx, event);
	} else {
		show_event(mon->ctx, event);
		json_decref(event);
	}
	if (fflush(mon->ctx->out)) {
		complain(mon->ctx, "cannot write the output: %s", strerror(errno));
		mon->rc = RC_REFUSED;
		mon->done = true;
	}
}

/* A module loaded again has other numbers: nothing would ever be heard. */
static void check_unload(struct monitor *mon, struct nlmsghdr *nlh)
{
	struct nlattr *id;

	if (!genlmsg_valid_hdr(nlh, 0) ||
	    genlmsg_hdr(nlh)->cmd != CTRL_CMD_DELFAMILY)
		return;
	id = nla_find(genlmsg_attrdata(genlmsg_hdr(nlh), 0),
		      genlmsg_attrlen(genlmsg_hdr(nlh), 0), CTRL_ATTR_FAMILY_ID);
	if (!id || nla_len(id) < 2 || nla_get_u16(id) != mon->nl->family)
		return;
	complain(mon->ctx, "the kernel module was unloaded");
	mon->rc = RC_REFUSED;
	mon->done = true;
}

static int on_message(struct nl_msg *msg, void *arg)
{
	struct nlmsghdr *nlh = nlmsg_hdr(msg);
	struct monitor *mon = arg;
	struct timespec now;
	json_t *event;

	if (nlh->nlmsg_type == GENL_ID_CTRL) {
		check_unload(mon, nlh);
		return NL_OK;
	}
	if (nlh->nlmsg_type != mon->nl->family)
		return NL_OK;

	clock_gettime(CLOCK_REALTIME, &now);
	event = event_decode(nlh, &now);
	if (event)
		print_event(mon, event);
	return NL_OK;
}

/* Events come unasked, so any number will do. */
static int on_sequence(struct nl_msg *msg, void *arg)
{
	(void)msg;
	(void)arg;
	return NL_OK;
}

/* One batch of events. Returns false if there will be no more. */
static bool receive(struct monitor *mon, struct nl_cb *cb)
{
	int err = nl_recvmsgs(mon->nl->sock, cb);

	/* libnl's name for ENOBUFS. */
	if (err == -NLE_NOMEM) {
		complain(mon->ctx, "events were lost, output is too slow");
	} else if (err < 0 && err != -NLE_AGAIN && err != -NLE_INTR) {
		complain(mon->ctx, "cannot read events: %s", nl_geterror(err));
		mon->rc = RC_REFUSED;
		return false;
	}
	return !mon->done;
}

/* Until a signal can be read from @signals. */
static void listen_loop(struct monitor *mon, struct nl_cb *cb, int signals)
{
	struct pollfd fds[] = {
		{ .fd = signals, .events = POLLIN },
		{ .fd = nl_socket_get_fd(mon->nl->sock), .events = POLLIN },
	};

	while (!fds[0].revents) {
		if (poll(fds, ARRAY_SIZE(fds), -1) < 0) {
			if (errno == EINTR)
				continue;
			complain(mon->ctx, "cannot wait for events: %s",
				 strerror(errno));
			mon->rc = RC_REFUSED;
			return;
		}
		if (fds[1].revents && !receive(mon, cb))
			return;
	}
}

static int monitor(struct ctx *ctx, unsigned int filter)
{
	struct monitor mon = { .ctx = ctx, .filter = filter };
	int signals = signals_open();
	struct nl_cb *cb;

	cb = nl_cb_alloc(NL_CB_DEFAULT);
	if (!cb || signals < 0) {
		complain(ctx, "cannot listen to events: %s", strerror(errno));
		mon.rc = RC_REFUSED;
		goto out;
	}
	nl_cb_set(cb, NL_CB_VALID, NL_CB_CUSTOM, on_message, &mon);
	nl_cb_set(cb, NL_CB_SEQ_CHECK, NL_CB_CUSTOM, on_sequence, NULL);

	mon.nl = ivnl_listen(ctx);
	if (mon.nl)
		listen_loop(&mon, cb, signals);
	else
		mon.rc = RC_REFUSED;

	ivnl_close(mon.nl);
out:
	nl_cb_put(cb);
	signals_close(signals);
	return mon.rc;
}

static int monitor_run(struct ctx *ctx, int argc, char **argv, unsigned int filter)
{
	if (argc)
		return usage_extra(ctx, argv[0]);
	return monitor(ctx, filter);
}

static int monitor_all(struct ctx *ctx, int argc, char **argv)
{
	return monitor_run(ctx, argc, argv, SHOW_PORT | SHOW_COUPLING | SHOW_REGION | SHOW_PEER);
}

static int monitor_port(struct ctx *ctx, int argc, char **argv)
{
	return monitor_run(ctx, argc, argv, SHOW_PORT);
}

static int monitor_coupling(struct ctx *ctx, int argc, char **argv)
{
	return monitor_run(ctx, argc, argv, SHOW_COUPLING);
}

static int monitor_region(struct ctx *ctx, int argc, char **argv)
{
	return monitor_run(ctx, argc, argv, SHOW_REGION);
}

static int monitor_peer(struct ctx *ctx, int argc, char **argv)
{
	return monitor_run(ctx, argc, argv, SHOW_PEER);
}

static const struct verb monitor_verbs[] = {
	{ "all", NULL, "", "print every event as it happens", monitor_all },
	{ "port", NULL, "", "print what happens to ports", monitor_port },
	{ "coupling", NULL, "", "print what happens to couplings and pairs",
	  monitor_coupling },
	{ "region", NULL, "", "print what happens to regions", monitor_region },
	{ "peer", NULL, "", "print who is allowed and denied to send", monitor_peer },
	{ .name = NULL }
};

const struct object object_monitor = {
	.name = "monitor",
	.help = "events as they happen",
	.verbs = monitor_verbs,
	.more =
	"One line an event; with -j one JSON object a line. Ends on SIGHUP, SIGINT and\n"
	"SIGTERM.\n",
};
