// SPDX-License-Identifier: GPL-2.0
/* Guests behind a vIOMMU: what works, what is refused, and how it ends. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>

#include "iotlb_fixture.h"
#include "log.h"

/* Frames of all sizes from one to the other, as few translations as there are. */
static void pass_all(struct __test_metadata *_metadata, struct guest *from, struct guest *to)
{
	static const __u32 len[] = { 60, 1514, 64, 9000, 40000, 100 };
	__u32 flow, seq, n;

	for (n = 0; n < NR(len); n++) {
		ASSERT_EQ(0, guest_pass(from, to, len[n], n));
		ASSERT_EQ(0, send_cut(from, to, len[n], n, n % 2 ? GUEST_TABLE : GUEST_DIRECT));
		ASSERT_EQ(1, guest_recv(to, &got, 5000));
		ASSERT_EQ(0, frame_check(got.data, got.len, &flow, &seq));
		EXPECT_EQ(n, seq);
		EXPECT_EQ(len[n], got.len);
	}
	EXPECT_EQ(0, guest_tx_drain(from, 5000));
}

/* Either end behind a vIOMMU, or both; with and without indirect tables and events. */
TEST_F_TIMEOUT(iotlb, direct, TIMEOUT)
{
	const struct guest_config c[] = {
		{ .slot = { 5000, 65600 }, .nr_slots = { 0, 32 } },
		{ .slot = { 3000, 65600 }, .nr_slots = { 0, 32 },
		  .features = F_MODERN | F_MRG | F_INDIRECT },
	};
	unsigned int i, k;
	__u64 before[2];

	for (i = 0; i < 3; i++) {
		for (k = 0; k < NR(c); k++) {
			up(_metadata, self, 0, c[k], i != 1);
			up(_metadata, self, 1, c[k], i != 2);
			couple(_metadata, self, false);
			before[0] = ctl_stat(tap[0], IVSHM_A_STAT_TX_DIRECT_FRAMES);
			before[1] = ctl_stat(tap[1], IVSHM_A_STAT_TX_DIRECT_FRAMES);
			pass_all(_metadata, &self->g[0], &self->g[1]);
			pass_all(_metadata, &self->g[1], &self->g[0]);
			EXPECT_EQ(before[0] + 12, ctl_stat(tap[0], IVSHM_A_STAT_TX_DIRECT_FRAMES));
			EXPECT_EQ(before[1] + 12, ctl_stat(tap[1], IVSHM_A_STAT_TX_DIRECT_FRAMES));
			EXPECT_EQ(i != 1, self->m[0].misses > 0);
			EXPECT_EQ(i != 2, self->m[1].misses > 0);
			EXPECT_EQ(0, self->m[0].unmapped + self->m[1].unmapped);
			down(_metadata, self, 0);
			down(_metadata, self, 1);
			ASSERT_EQ(0, ctl_uncouple("lan0"));
		}
	}
}

/* By the tap and the bridge. */
TEST_F_TIMEOUT(iotlb, uplink, TIMEOUT)
{
	struct guest_config c = { .slot = { 5000, 65600 }, .nr_slots = { 0, 32 } };
	unsigned int n;

	ASSERT_EQ(0, env_mtu("br0", 9000));
	up(_metadata, self, 0, c, true);
	up(_metadata, self, 1, c, true);
	meet(_metadata, &self->g[0], &self->g[1]);
	meet(_metadata, &self->g[1], &self->g[0]);
	for (n = 0; n < 40; n++) {
		ASSERT_EQ(0, guest_pass(&self->g[n % 2], &self->g[!(n % 2)], 60 + n * 36, n));
		if (n % 7 == 6)
			ASSERT_EQ(0, viommu_flush(&self->m[0]));
		if (n % 5 == 4)
			ASSERT_EQ(0, viommu_flush(&self->m[1]));
	}
	EXPECT_EQ(0, ctl_stat(tap[0], IVSHM_A_STAT_TX_DIRECT_FRAMES));
	EXPECT_LE(20, ctl_stat(tap[0], IVSHM_A_STAT_TX_UPLINK_FRAMES));
	EXPECT_LE(20, ctl_stat(tap[0], IVSHM_A_STAT_RX_UPLINK_FRAMES));
}

/* A VMM that does not answer has nobody wait but its own guest. */
TEST_F_TIMEOUT(iotlb, stall, TIMEOUT)
{
	/* Pages that have nothing else in them. */
	struct guest_config c = { .slot = { 4096, 4096 } };
	unsigned int n, sent = 0;
	__u64 before;
	size_t len;
	void *rx;

	up(_metadata, self, 0, c, false);
	up(_metadata, self, 1, c, true);
	up(_metadata, self, 2, c, false);
	couple(_metadata, self, true);
	rx = slots(&self->g[1], GUEST_RX, &len);
	ASSERT_EQ(0, viommu_set(&self->m[1], rx, len, 0));
	before = ctl_stat(tap[1], IVSHM_A_STAT_RX_DIRECT_FRAMES);
	for (n = 0; n < 100; n++) {
		sent += !send_cut(&self->g[0], &self->g[1], LEN, n, GUEST_DIRECT);
		ASSERT_EQ(0, guest_pass(&self->g[0], &self->g[2], 200, n));
	}
	EXPECT_EQ(100, sent);
	EXPECT_EQ(before, ctl_stat(tap[1], IVSHM_A_STAT_RX_DIRECT_FRAMES));
	EXPECT_LT(0, self->m[1].unmapped);
	EXPECT_FALSE(guest_pending(&self->g[1], GUEST_RX));
	/* Its own frames do go. */
	ASSERT_EQ(0, guest_pass(&self->g[1], &self->g[2], 200, 1));
	/* All is there again: the guest makes more buffers available, and so is looked at. */
	ASSERT_EQ(0, viommu_set(&self->m[1], rx, len, RW));
	ASSERT_EQ(0, viommu_map(&self->g[1], rx, len, RW));
	for (n = 0; n < sent; n++) {
		__u32 flow, seq;

		ASSERT_EQ(1, guest_recv(&self->g[1], &got, 5000));
		ASSERT_EQ(0, frame_check(got.data, got.len, &flow, &seq));
		EXPECT_EQ(n, seq);
	}
}

/* What may not be written is not; the ring is in error and says so. */
TEST_F_TIMEOUT(iotlb, forbidden_rx, TIMEOUT)
{
	struct guest_config c = {};
	struct ctl_port port;
	__u8 *rx, *was;
	unsigned int i;
	size_t len;

	for (i = 0; i < 2; i++)
		up(_metadata, self, i, c, i);
	couple(_metadata, self, false);
	ASSERT_EQ(0, guest_pass(&self->g[0], &self->g[1], 100, 1));
	rx = slots(&self->g[1], GUEST_RX, &len);
	was = malloc(len);
	memcpy(was, rx, len);
	ASSERT_EQ(0, viommu_set(&self->m[1], rx, len, RO));
	EXPECT_FALSE(guest_error(&self->g[1], GUEST_RX));
	ASSERT_EQ(0, send_cut(&self->g[0], &self->g[1], LEN, 1, GUEST_DIRECT));
	for (i = 0; i < 200 && !guest_error(&self->g[1], GUEST_RX); i++)
		usleep(10000);
	EXPECT_GT(200, i);
	ASSERT_EQ(0, ctl_port(tap[1], &port));
	EXPECT_EQ(IVSHM_PORT_BROKEN, port.state);
	EXPECT_EQ(0, memcmp(was, rx, len));
	free(was);
	/* The sender has done nothing wrong. */
	EXPECT_EQ(0, guest_tx_drain(&self->g[0], 5000));
	EXPECT_FALSE(guest_error(&self->g[0], GUEST_TX));
	/* A new start makes it good. */
	ASSERT_EQ(0, guest_stop(&self->g[1]));
	guest_reset_rings(&self->g[1]);
	ASSERT_EQ(0, viommu_set(&self->m[1], rx, len, RW));
	ASSERT_EQ(0, guest_start(&self->g[1]));
	guest_rx_fill(&self->g[1], 256, 2000);
	meet(_metadata, &self->g[0], &self->g[1]);
}

/* The same of what may not be read; both devices say so. */
TEST_F_TIMEOUT(iotlb, forbidden_tx, TIMEOUT)
{
	unsigned int i, n;
	size_t len;
	void *tx;

	for (i = 0; i < 2; i++) {
		struct guest_config c = { .dev = i ? VHOST_DEV : IVSHM_DEV };
		struct guest *g = &self->g[i];

		if (i && access(VHOST_DEV, F_OK))
			break;
		up(_metadata, self, i, c, true);
		tx = slots(g, GUEST_TX, &len);
		ASSERT_EQ(0, viommu_set(&self->m[i], tx, len, WO));
		frame_make(frame, 100, mac_broadcast, g->mac, 1, 1);
		ASSERT_EQ(0, guest_send(g, NULL, frame, 100));
		for (n = 0; n < 200 && !guest_error(g, GUEST_TX); n++)
			usleep(10000);
		EXPECT_GT(200, n);
		EXPECT_EQ(1, guest_tx_drain(g, 50));
	}
}

/* Each way to an end with questions open, and with a reader waiting for more. */
TEST_F_TIMEOUT(iotlb, endings, TIMEOUT)
{
	struct guest_config c = {};
	unsigned int how, n;
	struct pollfd p;
	size_t len;
	void *at;

	for (how = 0; how < 5; how++) {
		up(_metadata, self, 0, c, true);
		up(_metadata, self, 1, c, true);
		couple(_metadata, self, false);
		ASSERT_EQ(0, guest_pass(&self->g[0], &self->g[1], 100, 1));
		/* Nobody answers any more. */
		viommu_close(&self->m[0]);
		viommu_close(&self->m[1]);
		at = slots(&self->g[1], GUEST_RX, &len);
		ASSERT_EQ(0, viommu_message(self->g[1].fd, true, VHOST_IOTLB_INVALIDATE,
					    guest_bus(&self->g[1], at), len, 0, 0));
		for (n = 0; n < 30; n++)
			ASSERT_EQ(0, send_cut(&self->g[0], &self->g[1], LEN, n, GUEST_DIRECT));
		ASSERT_EQ(0, viommu_flush(&self->m[0]));
		ASSERT_EQ(0, send_cut(&self->g[0], &self->g[1], LEN, n, GUEST_DIRECT));
		usleep(how * 1000);
		p = (struct pollfd){ .fd = self->g[how & 1].fd, .events = POLLIN };
		switch (how) {
		case 0:
			EXPECT_EQ(0, guest_stop(&self->g[1]));
			EXPECT_EQ(0, guest_stop(&self->g[0]));
			break;
		case 1:
			EXPECT_EQ(0, guest_stop(&self->g[0]));
			EXPECT_EQ(1, poll(&p, 1, 5000));
			EXPECT_EQ(0, ioctl(self->g[1].fd, VHOST_RESET_OWNER));
			EXPECT_EQ(0, poll(&p, 1, 0));
			EXPECT_EQ(0, ioctl(self->g[1].fd, VHOST_SET_OWNER));
			break;
		case 2: {
			__u64 f = F_DEFAULT;

			/* Not a vIOMMU's addresses any more: no such memory. */
			EXPECT_EQ(0, ioctl(self->g[0].fd, VHOST_SET_FEATURES, &f));
			break;
		}
		case 3:
			/* Begins again where it was, with what it knows by then. */
			EXPECT_EQ(0, guest_stop(&self->g[0]));
			guest_reset_rings(&self->g[0]);
			EXPECT_EQ(0, guest_start(&self->g[0]));
			break;
		default:
			break;
		}
		for (n = 0; n < 2; n++) {
			self->g[n].lax = true;
			guest_close(&self->g[n]);
		}
		ASSERT_EQ(0, ctl_uncouple("lan0"));
	}
}

/* All that is written is marked by its guest-physical address. */
TEST_F_TIMEOUT(iotlb, logged, TIMEOUT)
{
	struct flow f = { .from = &self->g[0], .to = &self->g[1] };
	struct guest_config c = {};
	struct log_checked checked;
	struct log log = {};
	unsigned int n, i;

	for (i = 0; i < 2; i++)
		up(_metadata, self, i, c, true);
	couple(_metadata, self, false);
	ASSERT_EQ(0, guest_pass(&self->g[0], &self->g[1], 100, 1));
	ASSERT_EQ(0, log_open(&log, &self->g[1]));
	self->g[1].keep_rx = true;
	ASSERT_EQ(0, log_begin(&log));
	for (n = 0; n < 20; n++) {
		for (i = 0; i < 10; i++)
			f.sent += !send_cut(f.from, f.to, LEN, f.sent, GUEST_DIRECT);
		flow_take(&f, 50);
		if (n % 3 == 2)
			ASSERT_EQ(0, viommu_flush(&self->m[1]));
	}
	flow_end(_metadata, &f);
	ASSERT_EQ(0, guest_stop(&self->g[1]));
	checked = log_check(&log);
	EXPECT_EQ(0, checked.missing);
	EXPECT_EQ(0, checked.stray);
	EXPECT_LT(20, checked.changed);
	TH_LOG("%u frames, %u pages", f.sent, checked.changed);
	log_close(&log);
}

TEST_HARNESS_MAIN
