// SPDX-License-Identifier: GPL-2.0
/*
 * What a guest does with its message queue, by rings in the memory of an
 * ivshmem-doorbell device that "ivmctl region serve ... rings N" serves.
 *
 *   rings DEVICE N ask TO NAME ROUNDS   send messages, by copy and by move in turns, to
 *                                       /dev/ivshmTO, and check the answers, which are
 *                                       to be of region NAME
 *   rings DEVICE N answer NAME ROUNDS   the other side of this
 *   rings DEVICE N spoil                make nonsense of them
 *
 * DEVICE is a directory of sysfs. A message is four pages, each word of which follows
 * from its place and the number of the round; the answer has the complement.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ring_guest.h"

#define LEN		(4 * PAGE)
/* Where messages come from, and where they land, behind the rings. */
#define SOURCE		(512 * 1024UL)
#define LANDING		(768 * 1024UL)
#define SLOTS		4

static struct ivshm_ring_result ask(struct ivshm_ring_request req)
{
	return ring_ask(req, wait_a_little);
}

/* Until it is not EAGAIN any more. */
static struct ivshm_ring_result insist(struct ivshm_ring_request req)
{
	time_t end = time(NULL) + PATIENCE;
	struct ivshm_ring_result res;

	for (;;) {
		res = ask(req);
		if (!res.status)
			return res;
		if (res.status != -EAGAIN || time(NULL) > end)
			fail("request %u: %s", req.op, strerror(-res.status));
		wait_a_little();
	}
}

/*
 * Messages
 */

static uint64_t word(uint32_t round, size_t i)
{
	return ((uint64_t)round << 32 | i) * 0x9e3779b97f4a7c15ULL;
}

static void fill(size_t at, uint32_t round, uint64_t mask)
{
	uint64_t *p = (uint64_t *)(window + at);
	size_t i;

	for (i = 0; i < LEN / 8; i++)
		p[i] = word(round, i) ^ mask;
}

static void check(size_t at, uint32_t round, uint64_t mask)
{
	const uint64_t *p = (uint64_t *)(window + at);
	size_t i;

	for (i = 0; i < LEN / 8; i++)
		if (p[i] != (word(round, i) ^ mask))
			fail("round %u: byte %zu", round, i * 8);
}

static void check_zero(size_t at, uint32_t round)
{
	const uint64_t *p = (uint64_t *)(window + at);
	size_t i;

	for (i = 0; i < LEN / 8; i++)
		if (p[i])
			fail("round %u: byte %zu is not zero after a move", round, i * 8);
}

/* A program that was here before may have left it posted. */
static void post(uint32_t slot, int left)
{
	struct ivshm_ring_request req = { .op = IVSHM_RING_POST };
	int status;

	req.post.offset = LANDING + slot * LEN;
	req.post.len = LEN;
	req.post.cookie = slot;
	status = ask(req).status;
	if (status && (status != -EBUSY || !left))
		fail("slot %u: %s", slot, strerror(-status));
}

static void send_message(uint32_t to, size_t offset, uint32_t round, uint32_t how)
{
	struct ivshm_ring_request req = { .op = IVSHM_RING_SEND };
	struct ivshm_ring_result res;

	req.send.to = to;
	req.send.flags = IVSHM_MSGQ_TELL;
	req.send.cookie = round;
	req.send.offset = offset;
	req.send.len = LEN;
	req.send.how = how;
	req.send.inline_len = sizeof(round);
	memcpy(req.send.data, &round, sizeof(round));
	res = insist(req);
	if (res.how != how)
		fail("round %u: how %u", round, res.how);
	if (how == IVSHM_MSGQ_MOVE)
		check_zero(offset, round);
}

/* The next one, which is to be of that region; where its pages are. */
static struct ivshm_msgq_recv receive(const char *name, uint32_t *round)
{
	struct ivshm_ring_request req = { .op = IVSHM_RING_RECV };
	struct ivshm_msgq_recv recv = insist(req).recv;

	if (strcmp((const char *)recv.name, name) || !recv.pid)
		fail("from \"%s\", process %u", recv.name, recv.pid);
	if (recv.len != LEN || recv.offset != LANDING + recv.cookie * LEN ||
	    recv.inline_len != sizeof(*round))
		fail("%llu bytes at %llu, slot %llu, %u more",
		     (unsigned long long)recv.len, (unsigned long long)recv.offset,
		     (unsigned long long)recv.cookie, recv.inline_len);
	memcpy(round, recv.data, sizeof(*round));
	return recv;
}

static void completed(uint32_t to, uint32_t round)
{
	struct ivshm_ring_request req = { .op = IVSHM_RING_DONE };
	struct ivshm_msgq_done done = insist(req).done;

	if (done.cookie != round || done.to != to || done.status != IVSHM_MSGQ_TAKEN)
		fail("round %u: completion of %llu", round, (unsigned long long)done.cookie);
}

static uint32_t way(uint32_t round)
{
	return round % 2 ? IVSHM_MSGQ_MOVE : IVSHM_MSGQ_COPY;
}

static void asks(uint32_t to, const char *name, uint32_t rounds)
{
	struct ivshm_msgq_recv recv;
	uint32_t round, other;

	for (round = 0; round < rounds; round++) {
		fill(SOURCE, round, 0);
		send_message(to, SOURCE, round, way(round));
		recv = receive(name, &other);
		if (other != round || recv.from != to)
			fail("round %u: answer to %u, from %u", round, other, recv.from);
		check(recv.offset, round, ~0ULL);
		completed(to, round);
		post(recv.cookie, 0);
	}
}

static void answers(const char *name, uint32_t rounds)
{
	struct ivshm_msgq_recv recv;
	uint32_t round, other;

	for (round = 0; round < rounds; round++) {
		recv = receive(name, &other);
		if (other != round || recv.how != way(round))
			fail("round %u: message %u, how %u", round, other, recv.how);
		check(recv.offset, round, 0);
		/* By the other way; what moves is what has come. */
		fill(recv.offset, round, ~0ULL);
		send_message(recv.from, recv.offset, round, way(round + 1));
		completed(recv.from, round);
		post(recv.cookie, 0);
	}
}

static int spoil(void)
{
	time_t end = time(NULL) + PATIENCE;

	memset(ring.requests, 0xff, ring.nr * sizeof(*ring.requests));
	__atomic_store_n(&ring.head->tail, ring.tail + ring.nr, __ATOMIC_RELEASE);
	ring_doorbell();
	while (__atomic_load_n(&ring.head->done, __ATOMIC_ACQUIRE) != ring.tail + ring.nr)
		if (time(NULL) > end)
			fail("nonsense: no answer");
	if (ring.results[0].status != -EOPNOTSUPP)
		fail("nonsense: status %d", ring.results[0].status);
	__atomic_store_n(&ring.head->tail, ring.tail - 1, __ATOMIC_RELEASE);
	ring_doorbell();
	while (!__atomic_load_n(&ring.head->error, __ATOMIC_ACQUIRE))
		if (time(NULL) > end)
			fail("a wrong counter: no answer");
	printf("error %u\n", ring.head->error);
	return 0;
}

int main(int argc, char **argv)
{
	uint32_t rounds, slot;
	size_t size;

	if (argc < 4)
		return 2;
	setlinebuf(stdout);
	size = ring_guest_open(argv[1], (uint32_t)strtoul(argv[2], NULL, 0));
	if (ivshm_rings_size(ring.nr) > SOURCE || size < LANDING + SLOTS * LEN)
		fail("the window is of %zu bytes", size);
	if (!strcmp(argv[3], "spoil"))
		return spoil();
	if (argc < 6)
		return 2;
	rounds = (uint32_t)strtoul(argv[argc - 1], NULL, 0);
	for (slot = 0; slot < SLOTS; slot++)
		post(slot, 1);
	if (!strcmp(argv[3], "answer"))
		answers(argv[4], rounds);
	else if (argc == 7)
		asks((uint32_t)strtoul(argv[4], NULL, 0), argv[5], rounds);
	printf("%u rounds\n", rounds);
	return 0;
}
