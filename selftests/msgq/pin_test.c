// SPDX-License-Identifier: GPL-2.0
/*
 * Pages that input and output are about to use stay where they are until it is over, and
 * what it writes comes to whoever asked for it, and to nobody else. As root.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io.h"
#include "kselftest_harness.h"
#include "msgq.h"

#define SIZE	(16 * PAGE)
#define HUGE	(2 * MIB)
/* What the device has, and the windows before. */
#define DATA	0x4d
#define OURS	0x61
#define THEIRS	0x62

FIXTURE(pin)
{
	struct control c;
	struct window a, b;
};

FIXTURE_SETUP(pin)
{
	ASSERT_EQ(0, windows_open(&self->c, &self->a, &self->b, SIZE));
	memset(self->a.at, OURS, SIZE);
	memset(self->b.at, THEIRS, SIZE);
}

FIXTURE_TEARDOWN(pin)
{
	parameter_set("msgq_move_min", 0);
	windows_close(&self->c, &self->a, &self->b);
}

/* All bytes of a page are that. */
static int page_is(const struct window *w, unsigned int page, int value)
{
	const char *at = w->at + page * PAGE;

	return *at == (char)value && !memcmp(at, at + 1, PAGE - 1);
}

/* What is let go of may be so a moment later. */
static int moves_soon(const struct window *from, const struct window *to, uint64_t offset,
		      uint64_t len)
{
	double end = now() + 10;
	int err;

	do
		err = send_range(from, to, offset, len, IVSHM_MSGQ_MOVE);
	while (err == -EBUSY && now() < end);
	return err;
}

/* The sender reads from a disk into a page, and sends it meanwhile. */
TEST_F(pin, direct_read_of_sender)
{
	struct window *a = &self->a, *b = &self->b;
	struct ivshm_msgq_send send = { .to = b->number, .len = 2 * PAGE };
	struct ivshm_msgq_recv recv;
	struct io io;

	ASSERT_EQ(0, msgq_post(b->fd, 0, 2 * PAGE, 1));
	ASSERT_EQ(0, io_begin(&io, a->at + PAGE, DATA));
	EXPECT_EQ(-EBUSY, send_range(a, b, 0, 2 * PAGE, IVSHM_MSGQ_MOVE));
	EXPECT_TRUE(page_is(a, 1, OURS));
	EXPECT_TRUE(page_is(b, 1, THEIRS));
	/* In any way it is copied. */
	ASSERT_EQ(0, parameter_set("msgq_move_min", PAGE));
	EXPECT_EQ(0, msgq_send(a->fd, &send));
	EXPECT_EQ(IVSHM_MSGQ_COPY, send.how);
	ASSERT_EQ(0, msgq_recv(b->fd, &recv));
	EXPECT_EQ(0, io_end(&io));
	EXPECT_TRUE(page_is(a, 1, DATA));
	EXPECT_TRUE(page_is(b, 1, OURS));

	ASSERT_EQ(0, msgq_post(b->fd, 0, 2 * PAGE, 1));
	EXPECT_EQ(0, moves_soon(a, b, 0, 2 * PAGE));
	EXPECT_TRUE(page_is(b, 1, DATA));
	EXPECT_TRUE(page_is(a, 1, 0));
}

/* The receiver reads into its landing slot. */
TEST_F(pin, direct_read_of_receiver)
{
	struct window *a = &self->a, *b = &self->b;
	struct io io;

	ASSERT_EQ(0, msgq_post(b->fd, 0, 2 * PAGE, 1));
	ASSERT_EQ(0, io_begin(&io, b->at + PAGE, DATA));
	EXPECT_EQ(-EBUSY, send_range(a, b, 0, 2 * PAGE, IVSHM_MSGQ_MOVE));
	EXPECT_TRUE(page_is(a, 1, OURS));
	EXPECT_TRUE(page_is(b, 1, THEIRS));
	EXPECT_EQ(0, io_end(&io));
	EXPECT_TRUE(page_is(a, 1, OURS));
	EXPECT_TRUE(page_is(b, 1, DATA));

	/* The sender has the page then, and none of what was read. */
	EXPECT_EQ(0, moves_soon(a, b, 0, 2 * PAGE));
	EXPECT_TRUE(page_is(a, 1, 0));
	EXPECT_TRUE(page_is(b, 1, OURS));
}

/* Pages are shown there meanwhile: what is read comes to those that are put back. */
TEST_F(pin, direct_read_under_shared)
{
	struct window *a = &self->a, *b = &self->b;
	struct ivshm_msgq_recv recv;
	struct io io;

	ASSERT_EQ(0, msgq_post(b->fd, 0, 2 * PAGE, 1));
	ASSERT_EQ(0, io_begin(&io, b->at + PAGE, DATA));
	ASSERT_EQ(0, send_range(a, b, 0, 2 * PAGE, IVSHM_MSGQ_SHARE));
	ASSERT_EQ(0, msgq_recv(b->fd, &recv));
	EXPECT_EQ(0, io_end(&io));
	EXPECT_TRUE(page_is(a, 1, OURS));
	EXPECT_TRUE(page_is(b, 1, OURS));
	EXPECT_EQ(0, msgq_release(b->fd, recv.id));
	EXPECT_TRUE(page_is(a, 1, OURS));
	EXPECT_TRUE(page_is(b, 1, DATA));
}

/* The receiver reads into pages that are shared, and has given them back before. */
TEST_F(pin, direct_read_of_borrower)
{
	struct window *a = &self->a, *b = &self->b;
	struct ivshm_msgq_recv recv;
	struct io io;

	ASSERT_EQ(0, msgq_post(b->fd, 0, 2 * PAGE, 1));
	ASSERT_EQ(0, send_range(a, b, 0, 2 * PAGE, IVSHM_MSGQ_SHARE));
	ASSERT_EQ(0, msgq_recv(b->fd, &recv));
	ASSERT_EQ(0, io_begin(&io, b->at + PAGE, DATA));
	EXPECT_EQ(0, msgq_release(b->fd, recv.id));
	EXPECT_TRUE(page_is(b, 1, THEIRS));
	ASSERT_EQ(0, msgq_post(b->fd, 0, 2 * PAGE, 1));
	/* Within its reach yet, so nobody else gets it. */
	EXPECT_EQ(-EBUSY, send_range(a, b, 0, 2 * PAGE, IVSHM_MSGQ_MOVE));
	EXPECT_TRUE(page_is(a, 1, OURS));
	EXPECT_EQ(0, io_end(&io));
	EXPECT_TRUE(page_is(a, 1, DATA));
	EXPECT_TRUE(page_is(b, 1, THEIRS));
	EXPECT_EQ(0, moves_soon(a, b, 0, 2 * PAGE));
	EXPECT_TRUE(page_is(a, 1, 0));
	EXPECT_TRUE(page_is(b, 1, DATA));
}

/* A page in the middle of a large one. */
TEST_F(pin, direct_read_of_large_page)
{
	struct window h, k;
	struct io io;

	window_clear(&k);
	if (window_open(&self->c, &h, "h", HUGE, HUGE) ||
	    window_open(&self->c, &k, "k", HUGE, HUGE))
		SKIP(goto out, "no memory for large pages");
	ASSERT_EQ(0, peer_allow(&self->c, "h", "k"));
	memset(h.at, OURS, HUGE);
	memset(k.at, THEIRS, HUGE);
	ASSERT_EQ(0, msgq_post(k.fd, 0, HUGE, 1));
	ASSERT_EQ(0, io_begin(&io, h.at + 300 * PAGE, DATA));
	EXPECT_EQ(-EBUSY, send_range(&h, &k, 0, HUGE, IVSHM_MSGQ_MOVE));
	EXPECT_TRUE(page_is(&h, 300, OURS));
	EXPECT_TRUE(page_is(&k, 300, THEIRS));
	EXPECT_EQ(0, io_end(&io));
	EXPECT_EQ(0, moves_soon(&h, &k, 0, HUGE));
	EXPECT_TRUE(page_is(&k, 300, DATA));
	EXPECT_TRUE(page_is(&k, 301, OURS));
	EXPECT_TRUE(page_is(&h, 300, 0));
out:
	window_close(&h);
	window_close(&k);
}

/* What is sent to a network from a page, as vhost-net does it without a copy. */
TEST_F(pin, sent_without_copy)
{
	struct window *a = &self->a, *b = &self->b;
	struct sending s;
	int err;

	ASSERT_EQ(0, msgq_post(b->fd, 0, 2 * PAGE, 1));
	err = send_begin(&s, a->at + PAGE, 1000);
	ASSERT_EQ(0, err);
	EXPECT_EQ(-EBUSY, send_range(a, b, 0, 2 * PAGE, IVSHM_MSGQ_MOVE));
	EXPECT_TRUE(page_is(a, 1, OURS));
	EXPECT_TRUE(page_is(b, 1, THEIRS));
	EXPECT_EQ(1, send_end(&s));
	EXPECT_EQ(0, moves_soon(a, b, 0, 2 * PAGE));
	EXPECT_TRUE(page_is(a, 1, 0));
	EXPECT_TRUE(page_is(b, 1, OURS));
}

/* While @pinned is open the pages of one side are pinned. */
static void stays_pinned(struct __test_metadata *_metadata, struct window *a,
			 struct window *b, int pinned)
{
	EXPECT_EQ(-EBUSY, send_range(a, b, 0, 2 * PAGE, IVSHM_MSGQ_MOVE));
	EXPECT_TRUE(page_is(a, 1, OURS));
	EXPECT_TRUE(page_is(b, 1, THEIRS));
	close(pinned);
	EXPECT_EQ(0, moves_soon(a, b, 0, 2 * PAGE));
	EXPECT_TRUE(page_is(a, 1, 0));
	EXPECT_TRUE(page_is(b, 1, OURS));
}

/* Pinned for long (FOLL_LONGTERM), as VFIO and RDMA do it. */
TEST_F(pin, for_long)
{
	struct window *a = &self->a, *b = &self->b;
	int pinned = pin_for_packets(a->at + PAGE, PAGE);

	if (pinned == -EAFNOSUPPORT)
		SKIP(return, "no AF_XDP in this kernel");
	ASSERT_LE(0, pinned);
	ASSERT_EQ(0, msgq_post(b->fd, 0, 2 * PAGE, 1));
	stays_pinned(_metadata, a, b, pinned);
	pinned = pin_for_packets(b->at + 3 * PAGE, PAGE);
	ASSERT_LE(0, pinned);
	memset(a->at, OURS, 2 * PAGE);
	memset(b->at, THEIRS, SIZE);
	ASSERT_EQ(0, msgq_post(b->fd, 2 * PAGE, 2 * PAGE, 1));
	EXPECT_EQ(-EBUSY, send_range(a, b, 0, 2 * PAGE, IVSHM_MSGQ_MOVE));
	EXPECT_TRUE(page_is(a, 1, OURS));
	EXPECT_TRUE(page_is(b, 3, THEIRS));
	close(pinned);
	EXPECT_EQ(0, moves_soon(a, b, 0, 2 * PAGE));
	EXPECT_TRUE(page_is(b, 3, OURS));
}

/* A buffer of io_uring: some kernels take no memory of files for one, and hold nothing. */
TEST_F(pin, registered_buffer)
{
	struct window *a = &self->a, *b = &self->b;
	int pinned = pin_as_buffer(a->at + PAGE, PAGE);

	ASSERT_EQ(0, msgq_post(b->fd, 0, 2 * PAGE, 1));
	if (pinned >= 0) {
		stays_pinned(_metadata, a, b, pinned);
		return;
	}
	ASSERT_EQ(-EOPNOTSUPP, pinned);
	TH_LOG("io_uring does not take it");
	EXPECT_EQ(0, moves_soon(a, b, 0, 2 * PAGE));
	EXPECT_TRUE(page_is(a, 1, 0));
}

TEST_HARNESS_MAIN
