// SPDX-License-Identifier: GPL-2.0
/* Frames that say what they are, and passing them; see guest.h. */
#include <errno.h>
#include <linux/if_ether.h>
#include <stdio.h>
#include <string.h>

#include "guest.h"

static void frame_fill(__u8 *p, __u32 len, __u64 seed)
{
	__u64 x = seed * 0x9e3779b97f4a7c15ULL + 0x1234567;

	while (len) {
		__u32 n = len < 8 ? len : 8;

		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		memcpy(p, &x, n);
		p += n;
		len -= n;
	}
}

void frame_make(__u8 *frame, __u32 len, const __u8 *dst, const __u8 *src,
		__u32 flow, __u32 seq)
{
	struct ethhdr *eth = (struct ethhdr *)frame;

	frame_fill(frame + ETH_HLEN, len - ETH_HLEN, ((__u64)flow << 32) | seq);
	memcpy(eth->h_dest, dst, 6);
	memcpy(eth->h_source, src, 6);
	eth->h_proto = htobe16(FRAME_TYPE);
	if (len >= FRAME_MIN) {
		memcpy(frame + ETH_HLEN, &flow, 4);
		memcpy(frame + ETH_HLEN + 4, &seq, 4);
		memcpy(frame + ETH_HLEN + 8, &len, 4);
	}
}

int frame_check(const __u8 *frame, __u32 len, __u32 *flow, __u32 *seq)
{
	static __u8 want[GUEST_FRAME_MAX];
	__u32 wrote;

	if (len < FRAME_MIN)
		return -EBADMSG;
	memcpy(flow, frame + ETH_HLEN, 4);
	memcpy(seq, frame + ETH_HLEN + 4, 4);
	memcpy(&wrote, frame + ETH_HLEN + 8, 4);
	if (wrote != len)
		return -EBADMSG;
	frame_make(want, len, frame, frame + 6, *flow, *seq);
	return memcmp(want, frame, len) ? -EBADMSG : 0;
}

void frame_print(const __u8 *frame, __u32 len)
{
	__u32 i;

	fprintf(stderr, "# %u bytes:", len);
	for (i = 0; i < len && i < 34; i++)
		fprintf(stderr, "%s%02x", i == 6 || i == 12 || i >= ETH_HLEN ? " " : "", frame[i]);
	fprintf(stderr, "\n");
}

int guest_pass(struct guest *from, struct guest *to, __u32 len, __u32 seq)
{
	static __u8 frame[GUEST_FRAME_MAX];
	static struct guest_frame got;
	int err;

	frame_make(frame, len, to->mac, from->mac, 1, seq);
	err = guest_send(from, NULL, frame, len);
	if (err)
		return err;
	err = guest_recv(to, &got, 5000);
	if (err <= 0) {
		fprintf(stderr, "# a frame of %u bytes did not arrive\n", len);
		return err ?: -ETIMEDOUT;
	}
	if (got.len != len || memcmp(got.data, frame, len)) {
		fprintf(stderr, "# a frame of %u bytes arrived as another\n", len);
		frame_print(frame, len);
		frame_print(got.data, got.len);
		return -EBADMSG;
	}
	if (guest_tx_drain(from, 5000)) {
		fprintf(stderr, "# a frame of %u bytes was not completed\n", len);
		return -ETIMEDOUT;
	}
	return 0;
}

int guest_pass_both(struct guest *a, struct guest *b, unsigned int n)
{
	static __u32 seq = 1000;
	int err = 0;

	for (; n && !err; n--, seq++)
		err = guest_pass(a, b, 64 + seq % 1400, seq) ?:
		      guest_pass(b, a, 64 + seq % 1400, seq);
	return err;
}
