// SPDX-License-Identifier: GPL-2.0
/*
 * Pages that move from guest to guest while both use them all the time, through the
 * memory of an ivshmem-doorbell device:
 *
 *   hammer DEVICE N send TO MESSAGES move      move so many pages to /dev/ivshmTO
 *   hammer DEVICE N receive NAME MESSAGES      take so many, of region NAME
 *   hammer DEVICE N send TO 1 share            the check itself: a page that both have
 *   hammer DEVICE N notice NAME                is noticed; after "receive"
 *
 * The first word of each page says who wrote it last: the sender counts below HERS, the
 * receiver from there on. Whoever waits for an answer goes on writing and reading:
 *
 * - the sender finds what it wrote last, or a page of zeroes;
 * - the receiver finds what it wrote last until a page has come. From then on it finds
 *   a number of the sender's, one and the same, whatever the sender writes.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ring_guest.h"

#define PAGES	16
/* Where messages come from, and where they land, behind the rings. */
#define SOURCE	(512 * 1024UL)
#define LANDING	(640 * 1024UL)
#define HERS	0x80000000U
/* How often what came is read before it is taken over. */
#define LOOKS	256

/* Of each page: what was written last, or what has come and is not taken over yet. */
static uint32_t last[PAGES];
static int came[PAGES];
static uint32_t count;
/* Rounds of all pages, pages of zeroes that were found, pages that have changed. */
static unsigned int rounds, fresh, changed;
static int may_change;

static uint32_t *word(size_t at, unsigned int page)
{
	return (uint32_t *)(window + at + page * PAGE);
}

static uint32_t get(size_t at, unsigned int page)
{
	return __atomic_load_n(word(at, page), __ATOMIC_RELAXED);
}

static void set(size_t at, unsigned int page, uint32_t value)
{
	__atomic_store_n(word(at, page), value, __ATOMIC_RELAXED);
}

/* But for the first word a page is as it was made: nothing of the receiver's is left. */
static void check_rest(size_t at, unsigned int page)
{
	const uint32_t *p = word(at, page);
	unsigned int i;

	for (i = 1; i < PAGE / sizeof(*p); i++)
		if (p[i])
			fail("page %u, word %u: %x", page, i, p[i]);
}

/*
 * The sender
 */

static void write_all(void)
{
	unsigned int page;
	uint32_t value;

	count++;
	for (page = 0; page < PAGES; page++) {
		value = get(SOURCE, page);
		if (value && value != last[page])
			fail("page %u: %x after %x was written", page, value, last[page]);
		if (!value && last[page]) {
			check_rest(SOURCE, page);
			fresh++;
		}
		set(SOURCE, page, count);
		last[page] = count;
	}
	rounds++;
}

/* Until it is not EAGAIN any more, nor EBUSY: somebody looked at a page just then. */
static unsigned int insist(struct ivshm_ring_request req)
{
	time_t end = time(NULL) + PATIENCE;
	unsigned int busy = 0;
	int status;

	while ((status = ring_ask(req, write_all).status)) {
		if ((status != -EAGAIN && status != -EBUSY) || time(NULL) > end)
			fail("request %u: %s", req.op, strerror(-status));
		busy += status == -EBUSY;
	}
	return busy;
}

static void sends(uint32_t to, unsigned int messages, uint32_t how)
{
	const struct ivshm_ring_request done = { .op = IVSHM_RING_DONE };
	struct ivshm_ring_request req = { .op = IVSHM_RING_SEND };
	unsigned int i, busy = 0;

	/* A program that was here before may have left something. */
	for (i = 0; i < PAGES; i++) {
		last[i] = get(SOURCE, i);
		count = last[i] > count ? last[i] : count;
	}
	req.send.to = to;
	req.send.flags = IVSHM_MSGQ_TELL;
	req.send.len = PAGE;
	req.send.how = how;
	for (i = 0; i < messages; i++) {
		req.send.offset = SOURCE + rand() % PAGES * PAGE;
		busy += insist(req);
		insist(done);
	}
	if (how == IVSHM_MSGQ_MOVE && !fresh)
		fail("no page of zeroes was found");
	printf("%u messages, %u rounds, %u pages of zeroes, %u times busy\n", messages,
	       rounds, fresh, busy);
}

/*
 * The receiver
 */

static void read_all(void)
{
	unsigned int page;
	uint32_t value;

	for (page = 0; page < PAGES; page++) {
		value = get(LANDING, page);
		if (value == last[page])
			continue;
		if (!came[page] && value < HERS) {
			came[page] = 1;
		} else if (came[page] && may_change) {
			changed++;
		} else {
			fail("page %u: %x after %x was %s", page, value, last[page],
			     came[page] ? "found" : "written");
		}
		last[page] = value;
	}
	rounds++;
}

/* One's own: full of a number, and a landing slot. */
static void offer(unsigned int page)
{
	struct ivshm_ring_request req = { .op = IVSHM_RING_POST };
	unsigned int i;
	int status;

	last[page] = HERS | ++count;
	came[page] = 0;
	for (i = 0; i < PAGE / sizeof(uint32_t); i++)
		__atomic_store_n(word(LANDING, page) + i, last[page], __ATOMIC_RELAXED);
	req.post.offset = LANDING + page * PAGE;
	req.post.len = PAGE;
	req.post.cookie = page;
	status = ring_ask(req, read_all).status;
	if (status)
		fail("page %u: %s", page, strerror(-status));
}

static struct ivshm_msgq_recv receive(const char *name)
{
	struct ivshm_ring_request req = { .op = IVSHM_RING_RECV };
	time_t end = time(NULL) + PATIENCE;
	struct ivshm_ring_result res;

	while ((res = ring_ask(req, read_all)).status)
		if (res.status != -EAGAIN || time(NULL) > end)
			fail("no message: %s", strerror(-res.status));
	if (strcmp((const char *)res.recv.name, name) || res.recv.len != PAGE ||
	    res.recv.cookie >= PAGES || res.recv.offset != LANDING + res.recv.cookie * PAGE)
		fail("%llu bytes at %llu of \"%s\"", (unsigned long long)res.recv.len,
		     (unsigned long long)res.recv.offset, res.recv.name);
	return res.recv;
}

static void receives(const char *name, unsigned int messages)
{
	unsigned int taken, numbers = 0, page, i;

	for (page = 0; page < PAGES; page++)
		offer(page);
	for (taken = 0; taken < messages; taken++) {
		page = receive(name).cookie;
		for (i = 0; i < LOOKS; i++)
			read_all();
		if (!came[page])
			fail("page %u was received, and is what it was", page);
		numbers += last[page] != 0;
		check_rest(LANDING, page);
		offer(page);
	}
	/* Otherwise the sender was not at it. */
	if (numbers < messages / 4)
		fail("%u of %u pages had a number", numbers, messages);
	printf("%u messages, %u rounds, %u with a number\n", taken, rounds, numbers);
}

static void notices(const char *name)
{
	struct ivshm_ring_request req = { .op = IVSHM_RING_RELEASE };
	time_t end = time(NULL) + PATIENCE;
	unsigned int page;

	may_change = 1;
	/* Slots are there, and the sender may be at it already. */
	for (page = 0; page < PAGES; page++) {
		last[page] = get(LANDING, page);
		came[page] = last[page] < HERS;
	}
	req.release = receive(name).id;
	while (!changed) {
		if (time(NULL) > end)
			fail("nothing has changed");
		read_all();
	}
	/* What was there before comes back now. */
	if (ring_ask(req, wait_a_little).status)
		fail("not released");
	printf("changed\n");
}

int main(int argc, char **argv)
{
	if (argc < 5)
		return 2;
	setlinebuf(stdout);
	if (ring_guest_open(argv[1], (uint32_t)strtoul(argv[2], NULL, 0)) <
	    LANDING + PAGES * PAGE || ivshm_rings_size(ring.nr) > SOURCE)
		fail("the window is too small");
	if (!strcmp(argv[3], "send") && argc == 7)
		sends((uint32_t)strtoul(argv[4], NULL, 0), (unsigned int)strtoul(argv[5], NULL, 0),
		      strcmp(argv[6], "share") ? IVSHM_MSGQ_MOVE : IVSHM_MSGQ_SHARE);
	else if (!strcmp(argv[3], "receive") && argc == 6)
		receives(argv[4], (unsigned int)strtoul(argv[5], NULL, 0));
	else if (!strcmp(argv[3], "notice"))
		notices(argv[4]);
	else
		return 2;
	return 0;
}
