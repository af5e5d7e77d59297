// SPDX-License-Identifier: GPL-2.0
/*
 * usage: flow TAP TAP BRIDGE
 *
 * Two guests on the taps, which it makes, send numbered frames to each other
 * until SIGTERM.  Prints "running" when the first have arrived; in the end how
 * many there were.  Fails when one is lost, doubled or out of order, and when
 * nothing arrives for too long.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "guest.h"

/* Frames on their way at once: fewer than any queue holds. */
#define WINDOW	32
#define LEN	300
/* Milliseconds without a frame that are too long. */
#define PATIENCE	10000

struct flow {
	struct guest *from, *to;
	__u32 id, sent, seen;
	__u64 moved;
};

static sig_atomic_t ended;

static void on_signal(int sig)
{
	(void)sig;
	__atomic_store_n(&ended, 1, __ATOMIC_RELAXED);
}

static bool is_ended(void)
{
	return __atomic_load_n(&ended, __ATOMIC_RELAXED);
}

static void fail(const struct flow *f, const char *what)
{
	fprintf(stderr, "flow: %s: sent %u, arrived %u\n", what, f->sent, f->seen);
	exit(1);
}

static void pump(struct flow *f)
{
	static struct guest_frame got;
	static __u8 frame[LEN];
	__u32 piece = f->from->hdr_len, id, seq;

	for (; !is_ended() && f->sent - f->seen < WINDOW; f->sent++) {
		frame_make(frame, LEN, f->to->mac, f->from->mac, f->id, f->sent);
		if (guest_send_pieces(f->from, NULL, frame, LEN, &piece, 1, GUEST_MORE))
			break;
	}
	guest_publish(f->from, GUEST_TX);
	guest_tx_reap(f->from);
	while (guest_pending(f->to, GUEST_RX) && guest_recv(f->to, &got, 0) == 1) {
		if (frame_check(got.data, got.len, &id, &seq) || id != f->id)
			fail(f, "not a frame of ours");
		if (seq != f->seen)
			fail(f, "lost, doubled or out of order");
		f->seen++;
		f->moved = now_ms();
	}
	if (f->moved + PATIENCE < now_ms())
		fail(f, "nothing arrives");
}

int main(int argc, char **argv)
{
	static struct guest g[2];
	struct flow flow[2];
	bool told = false;
	int i;

	if (argc != 4) {
		fputs("usage: flow TAP TAP BRIDGE\n", stderr);
		return 2;
	}
	signal(SIGTERM, on_signal);
	for (i = 0; i < 2; i++) {
		struct guest_config c = { .tap = argv[1 + i], .bridge = argv[3] };
		int err = guest_up(&g[i], &c);

		if (err) {
			fprintf(stderr, "flow: %s: error %d\n", argv[1 + i], err);
			return 1;
		}
	}
	/* The bridge is to know them: a flooded frame would come to nobody. */
	for (i = 0; i < 2; i++)
		if (guest_pass(&g[i], &g[!i], 100, i))
			return 1;
	for (i = 0; i < 2; i++)
		flow[i] = (struct flow){
			.from = &g[i], .to = &g[!i], .id = i, .moved = now_ms(),
		};

	while (!is_ended() || flow[0].seen != flow[0].sent || flow[1].seen != flow[1].sent) {
		for (i = 0; i < 2; i++)
			pump(&flow[i]);
		if (!told && flow[0].seen && flow[1].seen) {
			puts("running");
			fflush(stdout);
			told = true;
		}
		usleep(1000);
	}
	printf("%u and %u frames, none lost\n", flow[0].seen, flow[1].seen);
	for (i = 0; i < 2; i++) {
		if (guest_stop(&g[i]) || g[i].faults)
			fail(&flow[i], "the device broke the rules");
		guest_close(&g[i]);
	}
	return 0;
}
