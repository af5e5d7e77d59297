/* SPDX-License-Identifier: GPL-2.0 */
/* Talking to the kernel. */
#ifndef _IVMCTL_NL_H
#define _IVMCTL_NL_H

#include <jansson.h>
#include <linux/netlink.h>
#include <netlink/msg.h>
#include <stdint.h>

#include "ivmctl.h"

/**
 * struct ivnl - an open socket
 * @sock:   the socket, strict checking and extended acknowledgments on
 * @family: number of the generic netlink family
 */
struct ivnl {
	struct nl_sock *sock;
	int family;
};

/**
 * struct ivnl_kind - a kind of object that can be read
 * @cmd:  reads one or dumps all
 * @nest: attribute of the message that holds the object
 * @name: attribute of the nest that holds its name, 0 if it has none
 * @key:  what attr_decode() files it under
 * @more: the list in it that may continue in further messages of a dump, each
 *        with the name of the object, or NULL
 */
struct ivnl_kind {
	uint8_t cmd;
	uint16_t nest;
	uint16_t name;
	const char *key;
	const char *more;
};

extern const struct ivnl_kind ivnl_kind_port;
extern const struct ivnl_kind ivnl_kind_coupling;
extern const struct ivnl_kind ivnl_kind_address;
extern const struct ivnl_kind ivnl_kind_region;
extern const struct ivnl_kind ivnl_kind_swap;
extern const struct ivnl_kind ivnl_kind_peer;

/*
 * Open a socket for @family. Returns NULL after a complaint: the module is
 * not loaded, say.
 */
struct ivnl *ivnl_open(const struct ctx *ctx, const char *family);
void ivnl_close(struct ivnl *nl);
/* The socket of this run, opened at the first call. NULL after a complaint. */
struct ivnl *ivnl_get(struct ctx *ctx);

/* A request that has room for some names and numbers. Never NULL. */
struct nl_msg *ivnl_msg_new(const struct ivnl *nl, uint8_t cmd, int flags);
/* Or for all that is in @decl, up to the longest request there is. */
struct nl_msg *ivnl_msg_new_for(const struct ivnl *nl, uint8_t cmd, int flags,
				const json_t *decl);
/* Begin a nest. NULL if the message is full. */
struct nlattr *ivnl_nest(struct nl_msg *msg, int attr);

/**
 * ivnl_request() - send a request and wait until it is done
 * @ctx:     complaints go by it
 * @nl:      the socket
 * @msg:     the request, released; its put functions may have failed
 * @full:    some attribute did not fit in
 * @replies: array to which what attr_decode() makes of each reply is added,
 *           or NULL
 * @what:    begins the complaint: "cannot ..."
 *
 * Return: RC_OK, or RC_REFUSED after a complaint.
 */
int ivnl_request(const struct ctx *ctx, const struct ivnl *nl,
		 struct nl_msg *msg, bool full, json_t *replies,
		 const char *what);

/**
 * ivnl_fetch() - read objects
 * @ctx:  complaints go by it
 * @kind: what to read
 * @name: the one to read, or NULL for all
 * @list: set to an array of the objects, which the caller owns
 *
 * Return: RC_OK, or RC_REFUSED after a complaint; then @list is NULL.
 */
int ivnl_fetch(struct ctx *ctx, const struct ivnl_kind *kind, const char *name,
	       json_t **list);

/* The objects of @replies in one array, those in several messages put together. */
json_t *ivnl_collect(const struct ivnl_kind *kind, const json_t *replies);

/*
 * A socket of its own, in the group of events and in the one that tells when
 * families come and go. NULL after a complaint.
 */
struct ivnl *ivnl_listen(const struct ctx *ctx);

/* nl_batch.c */

/**
 * struct ivnl_fault - the first request of many that was refused
 * @found: there is one
 * @index: its number, from 0 in the order in which they were added
 * @why:   in words
 */
struct ivnl_fault {
	bool found;
	size_t index;
	char why[1024];
};

struct ivnl_batch;

/* Requests to be sent many at a time. */
struct ivnl_batch *ivnl_batch_new(struct ivnl *nl, struct ivnl_fault *fault);
/*
 * Add a request, which is released; @full if it did not fit into @msg. Some that
 * were added after the one at fault may have been done. Returns false if it is
 * not worth adding more.
 */
bool ivnl_batch_add(struct ivnl_batch *batch, struct nl_msg *msg, bool full);
/* Send the rest and release @batch. Returns whether all were done. */
bool ivnl_batch_end(struct ivnl_batch *batch);

/* nl_explain.c */

/* What ivnl_explain() needs to know about the end of a request. */
struct ivnl_refusal {
	int error;			/* positive errno, 0 for none */
	const struct nlmsghdr *request;
	struct nlattr *tlvs;		/* extended acknowledgment, or NULL */
	int tlvs_len;
};

/*
 * Take apart an NLMSG_ERROR or NLMSG_DONE that answers @request. Returns
 * false if it is malformed.
 */
bool ivnl_refusal_parse(const struct nlmsghdr *nlh,
			const struct nlmsghdr *request,
			struct ivnl_refusal *refusal);
/*
 * The refusal in words: the attribute at fault as the user calls it, the
 * kernel's text, the error. An error of 0 gives the kernel's warning, empty
 * if there is none.
 */
void ivnl_explain(const struct ivnl_refusal *refusal, char *buf, size_t size);

#endif /* _IVMCTL_NL_H */
