// SPDX-License-Identifier: GPL-2.0
/*
 * Much data, in any way that is fast.
 *
 *	bulk take a		takes whatever comes, and says how much
 *	bulk send b a COUNT	sends a quarter of its window COUNT times
 *
 * ivmctl peer allow b a lets it.  The pages may be shared: a quarter is not used again
 * before the taker has done with it.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libivshm.h"

static int fail(const char *what, int err)
{
	fprintf(stderr, "%s: %s\n", what, strerror(-err));
	return 1;
}

/* A quarter of the window each; an empty message is the end. */
static int take(struct ivshm *w)
{
	struct ivshm_msgq_slot slot[4];
	unsigned int moved = 0, shared = 0;
	unsigned long long bytes = 0;
	struct ivshm_msgq_recv recv;
	uint64_t id;
	int err, i;

	for (i = 0; i < 4; i++) {
		slot[i].len = ivshm_size(w) / 4;
		slot[i].offset = slot[i].len * (unsigned int)i;
		slot[i].cookie = (unsigned int)i;
	}
	err = ivshm_post(w, slot, 4);
	while (err >= 0) {
		err = ivshm_recv(w, &recv, 1);
		if (err == -EAGAIN) {
			err = ivshm_wait(w, POLLIN, -1);
			continue;
		}
		if (err < 0)
			break;
		if (!recv.len) {
			printf("%llu bytes, %u messages moved, %u shared\n", bytes, moved,
			       shared);
			return 0;
		}
		bytes += recv.len;
		moved += recv.how == IVSHM_MSGQ_MOVE;
		shared += recv.how == IVSHM_MSGQ_SHARE;
		id = recv.id;
		err = recv.how == IVSHM_MSGQ_SHARE ? ivshm_release(w, &id, 1) : 0;
		if (err >= 0)
			err = ivshm_post(w, &slot[recv.cookie & 3], 1);
	}
	return fail("take", err);
}

/* Until the taker has done with message @nr, of those that are not @done. */
static int wait_for(struct ivshm *w, unsigned long nr, unsigned long *done)
{
	struct ivshm_msgq_done completion;
	int err = 0;

	while (err >= 0 && *done <= nr) {
		err = ivshm_done(w, &completion, 1);
		if (err == -EAGAIN)
			err = ivshm_wait(w, POLLPRI, -1);
		else if (err > 0)
			++*done;
	}
	return err;
}

static int send_all(struct ivshm *w, const char *to, unsigned long count)
{
	struct ivshm_msgq_send send = { 0 };
	int err = 0, number = ivshm_number(to);
	unsigned long i, done = 0;

	if (number < 0)
		return fail(to, number);
	for (i = 0; i <= count; ) {
		/* They end in their order, for this taker. */
		if (i >= 4)
			err = wait_for(w, i - 4, &done);
		if (err < 0)
			return fail("done", err);
		send.to = (uint32_t)number;
		send.how = IVSHM_MSGQ_AUTO;
		send.flags = IVSHM_MSGQ_MAY_SHARE | IVSHM_MSGQ_TELL;
		send.len = i < count ? ivshm_size(w) / 4 : 0;
		send.offset = i < count ? send.len * (i & 3) : 0;
		err = ivshm_send(w, &send, 1);
		if (err == -EAGAIN) {
			err = ivshm_wait(w, POLLOUT, -1);
			if (err >= 0)
				continue;
		}
		if (err < 0)
			return fail("send", err);
		i++;
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct ivshm *w;
	int err, rc;

	if (!(argc == 3 && !strcmp(argv[1], "take")) &&
	    !(argc == 5 && !strcmp(argv[1], "send"))) {
		fprintf(stderr, "usage: %s take WINDOW | send WINDOW TO COUNT\n", argv[0]);
		return 2;
	}
	err = ivshm_open(&w, argv[2]);
	if (err)
		return fail(argv[2], err);
	err = ivshm_attach(w, 0, 0);
	if (err)
		rc = fail(argv[2], err);
	else if (argc == 3)
		rc = take(w);
	else
		rc = send_all(w, argv[3], strtoul(argv[4], NULL, 0));
	ivshm_close(w);
	return rc;
}
