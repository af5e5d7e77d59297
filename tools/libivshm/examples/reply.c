// SPDX-License-Identifier: GPL-2.0
/*
 * A request and its reply, through pages that change hands.
 *
 *	reply serve a	takes a page from whomever it may be, turns the letters in
 *			it into capitals, and hands it back
 *	reply ask b a TEXT
 *
 * Each has a window of its own, which the other may send to: ivmctl peer allow a b,
 * and ivmctl peer allow b a.
 */
#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "libivshm.h"

static int fail(const char *what, int err)
{
	fprintf(stderr, "%s: %s\n", what, strerror(-err));
	return 1;
}

/* The second half of the window is for what comes, a page each. */
static int post_all(struct ivshm *w)
{
	size_t page = ivshm_page_size(w), at;
	int err;

	for (at = ivshm_size(w) / 2 / page * page; at < ivshm_size(w); at += page) {
		struct ivshm_msgq_slot slot = { .offset = at, .len = page };

		err = ivshm_post(w, &slot, 1);
		if (err == -EAGAIN)
			break;
		if (err < 0)
			return err;
	}
	return 0;
}

/* The next message, or a negative error. */
static int next(struct ivshm *w, struct ivshm_msgq_recv *recv)
{
	int err;

	while ((err = ivshm_recv(w, recv, 1)) == -EAGAIN) {
		err = ivshm_wait(w, POLLIN, -1);
		if (err < 0)
			return err;
	}
	return err < 0 ? err : 0;
}

/* Whoever does not take it for a second does not get it. */
static int send_page(struct ivshm *w, uint32_t to, uint64_t offset)
{
	struct ivshm_msgq_send send = {
		.to = to, .offset = offset, .len = ivshm_page_size(w),
		.how = IVSHM_MSGQ_MOVE,
	};
	int err;

	while ((err = ivshm_send(w, &send, 1)) == -EAGAIN) {
		err = ivshm_wait(w, POLLOUT, 1000);
		if (err <= 0)
			return err ? err : -ETIMEDOUT;
	}
	return err < 0 ? err : 0;
}

static int serve(struct ivshm *w)
{
	struct ivshm_msgq_recv recv;
	struct ivshm_msgq_slot slot;
	char *at;
	int err;

	for (;;) {
		err = next(w, &recv);
		if (err)
			return fail("receive", err);
		printf("%llu bytes from %s, process %u, user %u\n",
		       (unsigned long long)recv.len, recv.name, recv.pid, recv.uid);
		fflush(stdout);
		if (!recv.len)
			continue;
		at = (char *)ivshm_memory(w) + recv.offset;
		for (size_t i = 0; i < recv.len; i++)
			at[i] = (char)toupper((unsigned char)at[i]);
		/* A peer that cannot be answered is no reason to end. */
		err = send_page(w, recv.from, recv.offset);
		if (err)
			fail("reply", err);
		/* The page that came for it, or what was not wanted. */
		slot = (struct ivshm_msgq_slot){
			.offset = recv.offset, .len = ivshm_page_size(w),
		};
		err = ivshm_post(w, &slot, 1);
		if (err < 0)
			return fail("post", err);
	}
}

static int ask(struct ivshm *w, const char *to, const char *text)
{
	struct ivshm_msgq_recv recv;
	int err, number = ivshm_number(to);

	if (number < 0)
		return fail(to, number);
	snprintf(ivshm_memory(w), ivshm_page_size(w), "%s", text);
	err = send_page(w, (uint32_t)number, 0);
	if (err)
		return fail("send", err);
	err = next(w, &recv);
	if (err)
		return fail("receive", err);
	printf("%.*s\n", (int)recv.len, (char *)ivshm_memory(w) + recv.offset);
	return 0;
}

int main(int argc, char **argv)
{
	struct ivshm *w;
	int err, rc;

	if (!(argc == 3 && !strcmp(argv[1], "serve")) &&
	    !(argc == 5 && !strcmp(argv[1], "ask"))) {
		fprintf(stderr, "usage: %s serve WINDOW | ask WINDOW SERVER TEXT\n", argv[0]);
		return 2;
	}
	err = ivshm_open(&w, argv[2]);
	if (err)
		return fail(argv[2], err);
	err = ivshm_attach(w, 0, 0);
	if (!err)
		err = post_all(w);
	if (err)
		rc = fail(argv[2], err);
	else if (argc == 3)
		rc = serve(w);
	else
		rc = ask(w, argv[3], argv[4]);
	ivshm_close(w);
	return rc;
}
