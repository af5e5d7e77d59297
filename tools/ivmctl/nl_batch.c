// SPDX-License-Identifier: GPL-2.0
/* Many requests at once, each acknowledged for itself. */
#include <errno.h>
#include <netlink/netlink.h>
#include <stdlib.h>
#include <string.h>

#include "nl.h"
#include "output.h"

/* At once, so that all answers fit into the socket's buffer. */
#define BATCH_REQUESTS	64
#define BATCH_BYTES	(48 * 1024)
/* Bytes asked for, of which the kernel gives as much as it may. */
#define BATCH_SOCKET	(256 * 1024)

/**
 * struct ivnl_batch - requests on their way
 * @nl:     the socket
 * @fault:  what went wrong first
 * @buf:    requests not sent yet, one after the other
 * @len:    bytes in @buf
 * @nr:     requests in @buf
 * @sent:   requests sent before those
 * @first:  sequence number of the first in @buf
 * @open:   answers still to come for those in @buf
 */
struct ivnl_batch {
	struct ivnl *nl;
	struct ivnl_fault *fault;
	char *buf;
	size_t len;
	unsigned int nr;
	size_t sent;
	uint32_t first;
	unsigned int open;
};

struct ivnl_batch *ivnl_batch_new(struct ivnl *nl, struct ivnl_fault *fault)
{
	struct ivnl_batch *batch = check_alloc(calloc(1, sizeof(*batch)));

	batch->nl = nl;
	batch->fault = fault;
	batch->buf = check_alloc(malloc(BATCH_BYTES));
	fault->found = false;
	/* Without it there is less room; answers that are lost are noticed. */
	nl_socket_set_buffer_size(nl->sock, BATCH_SOCKET, BATCH_SOCKET);
	/* Answers are short: nobody needs to look how long the next one is. */
	nl_socket_disable_msg_peek(nl->sock);
	return batch;
}

static void fail(struct ivnl_batch *batch, size_t index, const char *why)
{
	if (batch->fault->found)
		return;
	batch->fault->found = true;
	batch->fault->index = index;
	snprintf(batch->fault->why, sizeof(batch->fault->why), "%s", why);
}

/* Request number @nr of the buffer. */
static const struct nlmsghdr *request_at(const struct ivnl_batch *batch,
					 uint32_t nr)
{
	const char *at = batch->buf;

	while (nr--)
		at += NLMSG_ALIGN(((const struct nlmsghdr *)at)->nlmsg_len);
	return (const struct nlmsghdr *)at;
}

static void answer(struct ivnl_batch *batch, const struct nlmsghdr *nlh)
{
	uint32_t nr = nlh->nlmsg_seq - batch->first;
	struct ivnl_refusal refusal;
	char text[1024];

	if (nr >= batch->nr)
		return;
	batch->open--;
	if (!ivnl_refusal_parse(nlh, request_at(batch, nr), &refusal))
		refusal.error = EBADMSG;
	if (!refusal.error)
		return;
	ivnl_explain(&refusal, text, sizeof(text));
	fail(batch, batch->sent + nr, text);
}

static int on_ack(struct nl_msg *msg, void *arg)
{
	answer(arg, nlmsg_hdr(msg));
	return NL_OK;
}

static int on_error(struct sockaddr_nl *from, struct nlmsgerr *err, void *arg)
{
	(void)from;
	/* libnl checked the length of the message around it. */
	answer(arg, (const struct nlmsghdr *)((const char *)err - NLMSG_HDRLEN));
	return NL_SKIP;
}

static void flush(struct ivnl_batch *batch)
{
	struct nl_cb *cb;
	int err;

	if (!batch->nr)
		return;
	cb = check_alloc(nl_cb_alloc(NL_CB_DEFAULT));
	nl_cb_set(cb, NL_CB_ACK, NL_CB_CUSTOM, on_ack, batch);
	nl_cb_err(cb, NL_CB_CUSTOM, on_error, batch);

	batch->open = batch->nr;
	err = nl_sendto(batch->nl->sock, batch->buf, batch->len);
	while (err >= 0 && batch->open)
		err = nl_recvmsgs(batch->nl->sock, cb);
	if (err < 0)
		fail(batch, batch->sent, nl_geterror(err));
	nl_cb_put(cb);

	batch->sent += batch->nr;
	batch->nr = 0;
	batch->len = 0;
}

bool ivnl_batch_add(struct ivnl_batch *batch, struct nl_msg *msg, bool full)
{
	struct nlmsghdr *nlh;

	/* Too long for the kernel, too: its nests are below 64 KiB. */
	if (full || nlmsg_hdr(msg)->nlmsg_len > BATCH_BYTES) {
		fail(batch, batch->sent + batch->nr, "the request is too long");
		nlmsg_free(msg);
		return false;
	}
	nl_complete_msg(batch->nl->sock, msg);
	nlh = nlmsg_hdr(msg);
	if (batch->nr == BATCH_REQUESTS ||
	    batch->len + NLMSG_ALIGN(nlh->nlmsg_len) > BATCH_BYTES)
		flush(batch);
	if (!batch->nr)
		batch->first = nlh->nlmsg_seq;
	memset(batch->buf + batch->len, 0, NLMSG_ALIGN(nlh->nlmsg_len));
	memcpy(batch->buf + batch->len, nlh, nlh->nlmsg_len);
	batch->len += NLMSG_ALIGN(nlh->nlmsg_len);
	batch->nr++;
	nlmsg_free(msg);
	return !batch->fault->found;
}

bool ivnl_batch_end(struct ivnl_batch *batch)
{
	bool found;

	if (!batch->fault->found)
		flush(batch);
	nl_socket_enable_msg_peek(batch->nl->sock);
	found = batch->fault->found;
	free(batch->buf);
	free(batch);
	return !found;
}
