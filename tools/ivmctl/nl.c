// SPDX-License-Identifier: GPL-2.0
/* The netlink socket and requests. */
#include <errno.h>
#include <linux/ivshm_netlink.h>
#include <netlink/genl/ctrl.h>
#include <netlink/genl/genl.h>
#include <netlink/netlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "attr.h"
#include "nl.h"
#include "output.h"

/* Room for a request without lists; and above the longest, whose nests are below 64 KiB. */
#define REQUEST_SIZE	1024
#define REQUEST_MAX	(96 * 1024)
/* How often a list is read again because it changed in between. */
#define DUMP_TRIES	5
/* Room for events while the reader of our output is slow, in bytes. */
#define EVENT_BUFFER	(1024 * 1024)

#ifndef SOL_NETLINK
#define SOL_NETLINK	270
#endif

const struct ivnl_kind ivnl_kind_port = {
	.cmd = IVSHM_CMD_PORT_GET,
	.nest = IVSHM_A_PORT,
	.name = IVSHM_A_PORT_NAME,
	.key = "port",
};

const struct ivnl_kind ivnl_kind_coupling = {
	.cmd = IVSHM_CMD_COUPLING_GET,
	.nest = IVSHM_A_COUPLING,
	.name = IVSHM_A_COUPLING_NAME,
	.key = "coupling",
	.more = "pairs",
};

const struct ivnl_kind ivnl_kind_address = {
	.cmd = IVSHM_CMD_ADDR_GET,
	.nest = IVSHM_A_ADDR,
	.key = "address",
};

const struct ivnl_kind ivnl_kind_region = {
	.cmd = IVSHM_CMD_REGION_GET,
	.nest = IVSHM_A_REGION,
	.name = IVSHM_A_REGION_NAME,
	.key = "region",
};

const struct ivnl_kind ivnl_kind_swap = {
	.cmd = IVSHM_CMD_SWAP_GET,
	.nest = IVSHM_A_SWAP,
	.key = "swap",
};

const struct ivnl_kind ivnl_kind_peer = {
	.cmd = IVSHM_CMD_PEER_GET,
	.nest = IVSHM_A_PEER,
	.key = "peer",
};

/**
 * struct request - a request on its way
 * @ctx:     complaints go by it
 * @nlh:     the message
 * @what:    begins complaints
 * @replies: array for the replies, or NULL
 * @quiet:   an error not to complain about, as the caller can do without
 * @error:   that the kernel gave
 * @done:    no more replies will come
 * @changed: the list changed while it was read
 * @rc:      enum rc
 */
struct request {
	const struct ctx *ctx;
	const struct nlmsghdr *nlh;
	const char *what;
	json_t *replies;
	int quiet;
	int error;
	bool done;
	bool changed;
	int rc;
};

/*
 * Tell which attribute is at fault, and refuse what we do not understand.
 * Kernels too old for an option lack nothing we cannot do without.
 */
static void set_options(const struct nl_sock *sock)
{
	int fd = nl_socket_get_fd(sock);
	int one = 1;

	setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &one, sizeof(one));
	setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &one, sizeof(one));
	setsockopt(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &one, sizeof(one));
}

struct ivnl *ivnl_open(const struct ctx *ctx, const char *family)
{
	struct ivnl *nl = check_alloc(calloc(1, sizeof(*nl)));
	int err;

	nl->sock = check_alloc(nl_socket_alloc());
	nl_socket_disable_auto_ack(nl->sock);

	err = genl_connect(nl->sock);
	if (err) {
		complain(ctx, "cannot open a netlink socket: %s", nl_geterror(err));
		goto err_close;
	}
	set_options(nl->sock);

	nl->family = genl_ctrl_resolve(nl->sock, family);
	if (nl->family == -NLE_OBJ_NOTFOUND) {
		complain(ctx, "the kernel module %s is not loaded", family);
		fprintf(stderr,
			"Load it with \"modprobe %s\", or from the tree it was built in with\n"
			"\"insmod drivers/%s/%s.ko\".\n",
			family, family, family);
		goto err_close;
	}
	if (nl->family < 0) {
		complain(ctx, "cannot find netlink family %s: %s", family,
			 nl_geterror(nl->family));
		goto err_close;
	}
	return nl;

err_close:
	ivnl_close(nl);
	return NULL;
}

void ivnl_close(struct ivnl *nl)
{
	if (!nl)
		return;
	nl_socket_free(nl->sock);
	free(nl);
}

struct ivnl *ivnl_get(struct ctx *ctx)
{
	if (!ctx->nl)
		ctx->nl = ivnl_open(ctx, IVSHM_GENL_NAME);
	return ctx->nl;
}

struct ivnl *ivnl_listen(const struct ctx *ctx)
{
	struct ivnl *nl = ivnl_open(ctx, IVSHM_GENL_NAME);
	int events, families, err;

	if (!nl)
		return NULL;

	events = genl_ctrl_resolve_grp(nl->sock, IVSHM_GENL_NAME,
				       IVSHM_GENL_MCGRP_EVENTS);
	families = genl_ctrl_resolve_grp(nl->sock, "nlctrl", "notify");
	err = events < 0 ? events : families;
	if (err >= 0) {
		nl_socket_disable_seq_check(nl->sock);
		nl_socket_set_buffer_size(nl->sock, EVENT_BUFFER, 0);
		err = nl_socket_add_memberships(nl->sock, events, families, 0);
	}
	if (err < 0) {
		complain(ctx, "cannot listen to events: %s", nl_geterror(err));
		ivnl_close(nl);
		return NULL;
	}
	nl_socket_set_nonblocking(nl->sock);
	return nl;
}

static struct nl_msg *msg_new(const struct ivnl *nl, uint8_t cmd, int flags, size_t size)
{
	struct nl_msg *msg = check_alloc(nlmsg_alloc_size(size));

	genlmsg_put(msg, NL_AUTO_PORT, NL_AUTO_SEQ, nl->family, 0,
		    NLM_F_REQUEST | flags, cmd, IVSHM_GENL_VERSION);
	return msg;
}

struct nl_msg *ivnl_msg_new(const struct ivnl *nl, uint8_t cmd, int flags)
{
	return msg_new(nl, cmd, flags, REQUEST_SIZE);
}

/* Bytes that attributes for all of @json take at most. */
static size_t json_room(json_t *json)
{
	/* A value, of 16 bytes or a string, with its header and padding. */
	size_t room = NLA_HDRLEN + 16 + NLA_ALIGNTO;
	const char *key;
	json_t *value;
	size_t i;

	if (json_is_string(json))
		room += json_string_length(json);
	json_array_foreach(json, i, value)
		room += json_room(value);
	json_object_foreach(json, key, value)
		room += json_room(value);
	return room;
}

/* Not the same for all: what a message has room for is cleared, and there may be thousands. */
struct nl_msg *ivnl_msg_new_for(const struct ivnl *nl, uint8_t cmd, int flags, const json_t *decl)
{
	size_t size = REQUEST_SIZE + json_room((json_t *)decl);

	return msg_new(nl, cmd, flags, size < REQUEST_MAX ? size : REQUEST_MAX);
}

struct nlattr *ivnl_nest(struct nl_msg *msg, int attr)
{
	/* libnl before 3.5 does not set the flag that strict checking asks for. */
	return nla_nest_start(msg, attr | NLA_F_NESTED);
}

/* The request is over. */
static void finish(struct request *req, const struct nlmsghdr *nlh)
{
	struct ivnl_refusal refusal;
	char text[1024];

	req->done = true;
	if (!ivnl_refusal_parse(nlh, req->nlh, &refusal)) {
		/* Old kernels end a dump with nothing inside. */
		if (nlh->nlmsg_type == NLMSG_DONE)
			return;
		refusal.error = EBADMSG;
	}

	ivnl_explain(&refusal, text, sizeof(text));
	req->error = refusal.error;
	if (refusal.error) {
		if (refusal.error != req->quiet)
			complain(req->ctx, "%s: %s", req->what, text);
		req->rc = RC_REFUSED;
	} else if (*text) {
		complain(req->ctx, "warning: %s", text);
	}
}

static int on_reply(struct nl_msg *msg, void *arg)
{
	struct request *req = arg;
	json_t *reply;

	if (!req->replies)
		return NL_OK;

	reply = attr_decode(nlmsg_hdr(msg));
	if (json_array_append_new(req->replies, reply)) {
		if (req->rc == RC_OK)
			complain(req->ctx, "%s: malformed reply of the kernel",
				 req->what);
		req->rc = RC_REFUSED;
	}
	return NL_OK;
}

static int on_end(struct nl_msg *msg, void *arg)
{
	finish(arg, nlmsg_hdr(msg));
	return NL_STOP;
}

static int on_error(struct sockaddr_nl *from, struct nlmsgerr *err, void *arg)
{
	(void)from;
	/* libnl checked the length of the message around it. */
	finish(arg, (const struct nlmsghdr *)((const char *)err - NLMSG_HDRLEN));
	return NL_STOP;
}

static int on_change(struct nl_msg *msg, void *arg)
{
	struct request *req = arg;

	(void)msg;
	req->changed = true;
	return NL_OK;
}

static int send_request(struct request *req, const struct ivnl *nl,
			struct nl_msg *msg)
{
	struct nl_cb *cb = check_alloc(nl_cb_alloc(NL_CB_DEFAULT));
	int err;

	nl_cb_set(cb, NL_CB_VALID, NL_CB_CUSTOM, on_reply, req);
	nl_cb_set(cb, NL_CB_FINISH, NL_CB_CUSTOM, on_end, req);
	nl_cb_set(cb, NL_CB_ACK, NL_CB_CUSTOM, on_end, req);
	nl_cb_set(cb, NL_CB_DUMP_INTR, NL_CB_CUSTOM, on_change, req);
	nl_cb_err(cb, NL_CB_CUSTOM, on_error, req);

	req->nlh = nlmsg_hdr(msg);
	err = nl_send_auto(nl->sock, msg);
	while (err >= 0 && !req->done)
		err = nl_recvmsgs(nl->sock, cb);
	if (err < 0 && !req->done) {
		complain(req->ctx, "%s: %s", req->what, nl_geterror(err));
		req->rc = RC_REFUSED;
	}
	nl_cb_put(cb);
	return req->rc;
}

/* Sends @msg, again if need be, and releases it. */
static int run_request(struct request *req, const struct ivnl *nl,
		       struct nl_msg *msg, bool full)
{
	int tries = DUMP_TRIES;

	if (full) {
		complain(req->ctx, "%s: the request is too long", req->what);
		nlmsg_free(msg);
		return RC_REFUSED;
	}

	do {
		req->done = false;
		req->changed = false;
		if (req->replies)
			json_array_clear(req->replies);
		nlmsg_hdr(msg)->nlmsg_seq = NL_AUTO_SEQ;
		send_request(req, nl, msg);
	} while (req->changed && req->rc == RC_OK && --tries);

	if (req->changed && req->rc == RC_OK)
		complain(req->ctx, "warning: the list changed while it was read");
	nlmsg_free(msg);
	return req->rc;
}

int ivnl_request(const struct ctx *ctx, const struct ivnl *nl,
		 struct nl_msg *msg, bool full, json_t *replies,
		 const char *what)
{
	struct request req = { .ctx = ctx, .what = what, .replies = replies };

	return run_request(&req, nl, msg, full);
}

json_t *ivnl_collect(const struct ivnl_kind *kind, const json_t *replies)
{
	json_t *list = check_alloc(json_array());
	json_t *reply, *last = NULL;
	size_t i;

	json_array_foreach(replies, i, reply) {
		json_t *object = json_object_get(reply, kind->key);

		if (kind->more && last &&
		    json_equal(json_object_get(last, "name"),
			       json_object_get(object, "name"))) {
			json_array_extend(json_object_get(last, kind->more),
					  json_object_get(object, kind->more));
			continue;
		}
		json_array_append(list, object);
		last = object;
	}
	return list;
}

static void keep_name(json_t *list, const char *name)
{
	size_t i = json_array_size(list);
	const char *other;

	while (i--) {
		other = json_string_value(json_object_get(json_array_get(list, i),
							  "name"));
		if (!other || strcmp(other, name))
			json_array_remove(list, i);
	}
}

static int fetch_one(struct request *req, const struct ivnl *nl,
		     const struct ivnl_kind *kind, const char *name)
{
	struct nl_msg *msg = ivnl_msg_new(nl, kind->cmd, NLM_F_ACK);
	struct nlattr *nest = ivnl_nest(msg, kind->nest);
	bool full = !nest;

	full = full || nla_put_string(msg, kind->name, name);
	full = full || nla_nest_end(msg, nest);
	return run_request(req, nl, msg, full);
}

static int fetch_all(struct request *req, const struct ivnl *nl,
		     const struct ivnl_kind *kind)
{
	return run_request(req, nl, ivnl_msg_new(nl, kind->cmd, NLM_F_DUMP),
			   false);
}

int ivnl_fetch(struct ctx *ctx, const struct ivnl_kind *kind, const char *name,
	       json_t **list)
{
	struct request req = { .ctx = ctx };
	const struct ivnl *nl = ivnl_get(ctx);
	char what[128];
	int rc;

	*list = NULL;
	if (!nl)
		return RC_REFUSED;

	if (name)
		snprintf(what, sizeof(what), "cannot show %s %s", kind->key, name);
	else
		snprintf(what, sizeof(what), "cannot show the %s list", kind->key);
	req.what = what;
	req.replies = check_alloc(json_array());

	req.quiet = name ? EMSGSIZE : 0;

	rc = name ? fetch_one(&req, nl, kind, name) : fetch_all(&req, nl, kind);
	if (name && req.error == EMSGSIZE) {
		/* Too long for one message: a list may come in several. */
		req.quiet = 0;
		req.rc = RC_OK;
		rc = fetch_all(&req, nl, kind);
	}
	if (rc == RC_OK) {
		*list = ivnl_collect(kind, req.replies);
		if (name)
			keep_name(*list, name);
	}
	json_decref(req.replies);
	return rc;
}
