// SPDX-License-Identifier: GPL-2.0
/*
 * Two ends that negotiated different things, by the uplink and coupled: whatever
 * the ends are, what arrives is what its receiver negotiated, and every byte and
 * checksum of it is right.
 *
 * There are too many combinations to try them all. Each two choices of any two
 * parameters meet in at least one of those that are tried.
 *
 *   IVSHM_MATRIX=full   all of path, features, offloads and MTU, with rings of any
 *                       kind: some thousands, for many minutes
 */
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_tun.h>
#include <sys/ioctl.h>

#include "kselftest_harness.h"
#include "env.h"
#include "guest.h"
#include "packet.h"

#define TIMEOUT		120
#define TIMEOUT_FULL	7200
#define NR(a)		(sizeof(a) / sizeof(*(a)))
/* A frame that is to be segmented, with the vnet header. */
#define LARGE		65600
#define PAYLOAD_MAX	65000

enum { PATH_UPLINK, PATH_DYNAMIC, PATH_STATIC, PATHS };
/* The parameters: the path, and those of each end. */
enum { P_FEATURES, P_RING, P_OFFLOAD, P_NUM, P_MTU, P_OF_END };
enum { P_PATH, P_END, PARAMS = P_END + 2 * P_OF_END };

static const char * const path_name[] = { "uplink", "dynamic", "static" };
/* Header of 10 bytes; merged buffers; virtio 1; both. */
static const __u64 features[] = { 0, F_MRG, F_MODERN, F_MODERN | F_MRG };
static const __u64 ring[] = { 0, F_EVENT, F_INDIRECT, F_EVENT | F_INDIRECT };
/* A tap takes segments only with checksums, and ECN only with segments. */
static const unsigned int offload[] = {
	0, TUN_F_CSUM, TUN_F_CSUM | TUN_F_TSO4, TUN_F_CSUM | TUN_F_TSO6,
	TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN,
};

static const __u16 num[] = { 64, 256, 1024, 4096, 16384, 32768 };
static const __u32 mtu[] = { 1500, 9000 };

static const __u8 levels[PARAMS] = {
	PATHS,
	NR(features), NR(ring), NR(offload), NR(num), NR(mtu),
	NR(features), NR(ring), NR(offload), NR(num), NR(mtu),
};

struct row {
	__u8 level[PARAMS];
};

static __u8 frame[GUEST_FRAME_MAX];
static struct guest_frame got;

static void row_say(const struct row *r)
{
	int e;

	fprintf(stderr, "# %s", path_name[r->level[P_PATH]]);
	for (e = 0; e < 2; e++) {
		const __u8 *l = r->level + P_END + e * P_OF_END;

		fprintf(stderr, "; features %llx, tap takes %x, ring of %u, MTU %u",
			(unsigned long long)(features[l[P_FEATURES]] | ring[l[P_RING]]),
			offload[l[P_OFFLOAD]], num[l[P_NUM]], mtu[l[P_MTU]]);
	}
	fprintf(stderr, "\n");
}

/*
 * Which combinations
 */

#define LEVELS_MAX	16
static bool met[PARAMS][LEVELS_MAX][PARAMS][LEVELS_MAX];

static bool *pair_met(int p, int a, int q, int b)
{
	return p < q ? &met[p][a][q][b] : &met[q][b][p][a];
}

/* Two choices that did not meet yet; false if all did. */
static bool pair_next(int *p, int *a, int *q, int *b)
{
	for (*p = 0; *p < PARAMS; ++*p)
		for (*q = *p + 1; *q < PARAMS; ++*q)
			for (*a = 0; *a < levels[*p]; ++*a)
				for (*b = 0; *b < levels[*q]; ++*b)
					if (!*pair_met(*p, *a, *q, *b))
						return true;
	return false;
}

/* A row with these two; each other parameter as it meets most that is new. */
static void row_fill(struct row *r, int p, int a, int q, int b)
{
	bool set[PARAMS] = {};
	int i, j, k, at;

	r->level[p] = a;
	r->level[q] = b;
	set[p] = true;
	set[q] = true;
	at = rnd() % PARAMS;
	for (i = 0; i < PARAMS; i++, at = (at + 1) % PARAMS) {
		int best = -1, first = rnd() % levels[at];

		if (set[at])
			continue;
		for (j = 0; j < levels[at]; j++) {
			int level = (first + j) % levels[at], n = 0;

			for (k = 0; k < PARAMS; k++)
				n += set[k] && !*pair_met(at, level, k, r->level[k]);
			if (n > best) {
				best = n;
				r->level[at] = level;
			}
		}
		set[at] = true;
	}
	for (i = 0; i < PARAMS; i++)
		for (j = i + 1; j < PARAMS; j++)
			*pair_met(i, r->level[i], j, r->level[j]) = true;
}

static struct row *rows;
static unsigned int nr_rows;

static struct row *row_new(void)
{
	rows = realloc(rows, (nr_rows + 1) * sizeof(*rows));
	return &rows[nr_rows++];
}

static void rows_pairwise(void)
{
	int p, a, q, b;

	while (pair_next(&p, &a, &q, &b))
		row_fill(row_new(), p, a, q, b);
}

/* All of some parameters, the others by chance. */
static void rows_full(void)
{
	struct row r = {};
	int i;

	for (;;) {
		*row_new() = r;
		for (i = 0; i < PARAMS; i++) {
			int of_end = (i - P_END) % P_OF_END;

			if (i != P_PATH && (of_end == P_RING || of_end == P_NUM)) {
				r.level[i] = rnd() % levels[i];
				continue;
			}
			if (++r.level[i] < levels[i])
				break;
			r.level[i] = 0;
		}
		if (i == PARAMS)
			return;
	}
}

/*
 * Two ends. The taps are the same for all: it is the guests that come and go.
 */

struct end {
	const char *name;
	int tap;
	__u64 features;
	unsigned int offload;
	__u32 mtu;
	struct guest g;
};

static bool takes_segments(const struct end *e)
{
	return e->offload & (TUN_F_TSO4 | TUN_F_TSO6);
}

/* As large as the buffers of a driver that negotiated this. */
static __u32 buffer_size(const struct end *e)
{
	if (e->features & F_MRG)
		return 2304;
	return takes_segments(e) ? LARGE + GUEST_GAP : e->mtu + 64;
}

static int end_up(struct end *e, const __u8 *level, __u8 id)
{
	struct guest_config c = {};
	struct guest *g = &e->g;
	int err, size;

	e->features = features[level[P_FEATURES]] | ring[level[P_RING]];
	e->offload = offload[level[P_OFFLOAD]];
	e->mtu = mtu[level[P_MTU]];
	c.features = e->features;
	c.plain = !e->features;
	c.num[GUEST_RX] = num[level[P_NUM]];
	c.num[GUEST_TX] = num[level[P_NUM]];
	c.slot[GUEST_RX] = buffer_size(e);
	c.nr_slots[GUEST_RX] = c.slot[GUEST_RX] > LARGE ? 16 : 64;
	c.slot[GUEST_TX] = LARGE + 2 * GUEST_GAP;
	c.nr_slots[GUEST_TX] = 8;
	err = guest_open(g, &c);
	if (err)
		return err;
	g->c.tap = e->name;
	/* The bridge has known it since the first row. */
	g->mac[5] = id;
	size = g->hdr_len;
	if (ioctl(e->tap, TUNSETVNETHDRSZ, &size) ||
	    ioctl(e->tap, TUNSETOFFLOAD, (unsigned long)e->offload))
		return -errno;
	err = env_mtu(e->name, e->mtu);
	if (err)
		return err;
	g->tap = dup(e->tap);
	err = guest_start(g);
	if (!err)
		guest_rx_fill(g, g->ring[GUEST_RX].num, g->ring[GUEST_RX].slot_size - GUEST_GAP);
	return err;
}

static int end_down(struct end *e)
{
	int err = guest_stop(&e->g);

	err = err ?: e->g.faults ? -EPROTO : 0;
	guest_close(&e->g);
	return err;
}

/* Both directions of the pair are coupled, if it is one that can be. */
static int couple(struct end *e, int path)
{
	__u32 state[2] = {}, reason, seq = 0;
	__u64 end = now_ms() + 10000;
	int err, i;

	do {
		err = guest_pass(&e[1].g, &e[0].g, 100, seq++) ?:
		      guest_pass(&e[0].g, &e[1].g, 100, seq++);
		if (path == PATH_UPLINK)
			return err;
		for (i = 0; i < 2 && !err; i++)
			err = ctl_pair("lan0", e[i].name, e[!i].name, &state[i], &reason);
		if (err)
			return err;
		if (state[0] == IVSHM_PAIR_COUPLED && state[1] == IVSHM_PAIR_COUPLED)
			return 0;
	} while (now_ms() < end);
	return -ETIMEDOUT;
}

/*
 * What goes from one end to the other
 */

static int put(struct guest *g, const void *hdr, __u32 len)
{
	/* A header alone, and what Linux makes of a large frame: pages. */
	const __u32 piece[] = { g->hdr_len, 54, 4000, 16384, 16384, 16384 };
	unsigned int n = len > 100 ? 1 + rnd() % NR(piece) : 1;
	int err;

	err = guest_send_pieces(g, hdr, frame, len, piece, n, g->c.features & F_INDIRECT && n > 1 ?
				GUEST_TABLE | GUEST_MORE : GUEST_MORE);
	return err;
}

static int arrived(struct end *to)
{
	int err = guest_recv(&to->g, &got, 5000);

	return err == 1 ? 0 : err ?: -ETIMEDOUT;
}

/* Takes the receiver frames as this one, that is to be segmented, as a whole? */
static bool takes_whole(const struct end *to, const struct packet *p)
{
	return to->offload & (p->v6 ? TUN_F_TSO6 : TUN_F_TSO4) &&
	       (!p->ecn || to->offload & TUN_F_TSO_ECN);
}

static int packet_arrived(struct end *to, const struct packet *p)
{
	bool whole = !p->mss || takes_whole(to, p), partial = to->offload & TUN_F_CSUM;
	__u8 gso = p->mss && whole ?
		   (p->v6 ? VIRTIO_NET_HDR_GSO_TCPV6 : VIRTIO_NET_HDR_GSO_TCPV4) |
		   (p->ecn ? VIRTIO_NET_HDR_GSO_ECN : 0) : VIRTIO_NET_HDR_GSO_NONE;
	__u32 at = 0, most = whole ? p->payload : p->mss;
	int err, part;

	do {
		err = arrived(to);
		if (err)
			return err;
		if (got.hdr.hdr.gso_type != gso || (gso && got.hdr.hdr.gso_size != p->mss))
			return -ENOTSUP;
		if (!gso && got.len > to->mtu + packet_l2(p))
			return -EMSGSIZE;
		if (memcmp(frame, got.data, packet_l2(p)))
			return -EBADMSG;
		part = packet_check(p, got.data, got.len, at, partial, &got.hdr.hdr);
		if (part < 0)
			return part;
		/* All segments but the last are full. */
		if (part != (most < p->payload - at ? most : p->payload - at))
			return -EBADMSG;
		at += part;
	} while (at < p->payload);
	return 0;
}

static int packet_pass(struct end *from, struct end *to, const struct packet *p)
{
	struct virtio_net_hdr_mrg_rxbuf h = {};
	__u32 len = packet_make(p, frame, to->g.mac, from->g.mac, &h.hdr);
	int err;

	err = put(&from->g, &h, len);
	if (err)
		return err;
	guest_publish(&from->g, GUEST_TX);
	err = packet_arrived(to, p);
	if (err)
		fprintf(stderr,
			"# from %s: IPv%u, protocol %u, %stagged, payload %u, mss %u%s: %s\n",
			from->name, p->v6 ? 6 : 4, p->proto, p->vlan ? "" : "un", p->payload,
			p->mss, p->ecn ? ", ECN" : "", strerror(-err));
	return err;
}

/* Payload of full frames; both ends' interfaces are to let them pass. */
static __u32 full(const struct end *from, const struct end *to, const struct packet *p)
{
	__u32 least = from->mtu < to->mtu ? from->mtu : to->mtu;

	return least - (packet_headers(p) - packet_l2(p));
}

static int checksums(struct end *from, struct end *to)
{
	int err = 0, i;

	for (i = 0; i < 8 && !err; i++) {
		struct packet p = {
			.v6 = i & 1, .vlan = i & 2, .proto = i & 4 ? IPPROTO_TCP : IPPROTO_UDP,
		};
		__u32 most = full(from, to, &p);
		const __u32 payload[] = { 1, 18, 1 + rnd() % most, most };

		p.payload = payload[rnd() % NR(payload)];
		err = packet_pass(from, to, &p);
	}
	return err;
}

static int segments(struct end *from, struct end *to)
{
	int err = 0, i;

	for (i = 0; i < 4 && !err; i++) {
		struct packet p = {
			.v6 = i & 1, .vlan = i & 2, .proto = IPPROTO_TCP, .ecn = rnd() & 1,
		};
		__u32 most = full(from, to, &p);

		p.mss = rnd() & 1 ? most : 536;
		p.payload = p.mss + 1 + rnd() % (3 * p.mss);
		/* As large as they come, now and then. */
		if (rnd() % 8 == 0)
			p.payload = PAYLOAD_MAX - rnd() % 5;
		err = packet_pass(from, to, &p);
	}
	return err;
}

/* Of no protocol that anybody knows, many in one batch. */
static int others(struct end *from, struct end *to)
{
	__u32 most = (from->mtu < to->mtu ? from->mtu : to->mtu) + ETH_HLEN, flow, seq, i;
	const __u32 len[] = { FRAME_MIN, 60, 61, 1000, most - 1, most };
	int err;

	for (i = 0; i < NR(len); i++) {
		frame_make(frame, len[i], to->g.mac, from->g.mac, 7, i);
		err = put(&from->g, NULL, len[i]);
		if (err)
			return err;
	}
	guest_publish(&from->g, GUEST_TX);
	for (i = 0; i < NR(len); i++) {
		err = arrived(to) ?: frame_check(got.data, got.len, &flow, &seq);
		if (err || seq != i || got.hdr.hdr.gso_type ||
		    got.hdr.hdr.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) {
			fprintf(stderr, "# from %s: %u bytes: %s\n", from->name, len[i],
				strerror(-err));
			return err ?: -EBADMSG;
		}
	}
	return 0;
}

/*
 * Longer than the receiver's interface takes: stopped there. There is no such
 * interface in a static coupling, it is a matter of the receiver's buffers.
 */
static int too_long(struct end *from, struct end *to, int path)
{
	__u32 len = from->mtu + ETH_HLEN;
	int err;

	if (from->mtu <= to->mtu)
		return 0;
	frame_make(frame, len, to->g.mac, from->g.mac, 8, 0);
	err = put(&from->g, NULL, len);
	if (err)
		return err;
	guest_publish(&from->g, GUEST_TX);
	if (path == PATH_STATIC && (to->features & F_MRG || takes_segments(to)))
		return arrived(to) ?: got.len != len || memcmp(got.data, frame, len) ?
		       -EBADMSG : 0;
	/* The next one is what arrives. */
	return guest_pass(&from->g, &to->g, 60, 1);
}

static int one_way(struct end *from, struct end *to, int path)
{
	int err = checksums(from, to) ?: segments(from, to) ?: others(from, to) ?:
		  too_long(from, to, path);

	if (!err && guest_tx_drain(&from->g, 5000))
		err = -EBUSY;
	return err;
}

/* Frames that took each path, and those lost where none is to be. */
struct count {
	__u64 direct, uplink, lost;
};

static void count(struct count *c)
{
	static const char * const name[] = { "tap0", "tap1" };
	int i;

	memset(c, 0, sizeof(*c));
	for (i = 0; i < 2; i++) {
		c->direct += ctl_stat(name[i], IVSHM_A_STAT_TX_DIRECT_FRAMES);
		c->uplink += ctl_stat(name[i], IVSHM_A_STAT_TX_UPLINK_FRAMES);
		c->lost += ctl_stat(name[i], IVSHM_A_STAT_DROP_OFFLOAD) +
			   ctl_stat(name[i], IVSHM_A_STAT_DROP_MALFORMED) +
			   ctl_stat(name[i], IVSHM_A_STAT_DROP_FULL) +
			   ctl_stat(name[i], IVSHM_A_STAT_DROP_UPLINK);
	}
}

static int row_run(struct end *e, const struct row *r, struct count *sum)
{
	int path = r->level[P_PATH], err;
	struct count before, after;

	err = end_up(&e[0], r->level + P_END, 1);
	if (err)
		return err;
	err = end_up(&e[1], r->level + P_END + P_OF_END, 2) ?: couple(e, path);
	count(&before);
	err = err ?: one_way(&e[0], &e[1], path) ?: one_way(&e[1], &e[0], path);
	count(&after);
	if (!err && guest_silent(&e[0].g, 0) + guest_silent(&e[1].g, 0))
		err = -EEXIST;
	if (!err && after.lost != before.lost)
		err = -EIO;
	sum->direct += after.direct - before.direct;
	sum->uplink += after.uplink - before.uplink;
	return err ?: end_down(&e[0]) ?: end_down(&e[1]);
}

FIXTURE(matrix) {
	struct end e[2];
};

FIXTURE_SETUP(matrix)
{
	int i;

	self->e[0].name = "tap0";
	self->e[1].name = "tap1";
	ASSERT_EQ(0, env_setup());
	for (i = 0; i < 2; i++) {
		self->e[i].tap = guest_tap(self->e[i].name, 12, 0, "br0");
		ASSERT_LE(0, self->e[i].tap);
	}
	ASSERT_EQ(0, env_mtu("br0", 9000));
}

FIXTURE_TEARDOWN(matrix)
{
	close(self->e[0].tap);
	close(self->e[1].tap);
}

static void run(struct __test_metadata *_metadata, struct end *e)
{
	struct count sum[PATHS] = {};
	unsigned int i, path;
	__u64 start;

	for (path = 0; path < PATHS; path++) {
		start = now_ms();
		/* Declared once: each row's guests are taken in as they start. */
		if (path != PATH_UPLINK)
			ASSERT_EQ(0, ctl_couple("lan0", path == PATH_STATIC ?
						IVSHM_COUPLING_STATIC : IVSHM_COUPLING_DYNAMIC,
						NULL, "tap0", "tap1", NULL));
		for (i = 0; i < nr_rows; i++) {
			int err = rows[i].level[P_PATH] == path ?
				  row_run(e, &rows[i], &sum[path]) : 0;

			if (err)
				row_say(&rows[i]);
			ASSERT_EQ(0, err)
				TH_LOG("combination %u of %u: %s", i, nr_rows, strerror(-err));
		}
		if (path != PATH_UPLINK)
			ASSERT_EQ(0, ctl_uncouple("lan0"));
		TH_LOG("%s: direct %llu, by the uplink %llu, %llu ms", path_name[path],
		       (unsigned long long)sum[path].direct,
		       (unsigned long long)sum[path].uplink,
		       (unsigned long long)(now_ms() - start));
	}
	TH_LOG("%u combinations", nr_rows);
	/* Each was on the path that it is named after. */
	EXPECT_EQ(0, sum[PATH_UPLINK].direct);
	EXPECT_EQ(0, sum[PATH_STATIC].uplink);
	EXPECT_LT(sum[PATH_DYNAMIC].uplink * 4, sum[PATH_DYNAMIC].direct);
}

TEST_F_TIMEOUT(matrix, pairwise, TIMEOUT)
{
	rows_pairwise();
	run(_metadata, self->e);
}

TEST_F_TIMEOUT(matrix, full, TIMEOUT_FULL)
{
	const char *which = getenv("IVSHM_MATRIX");

	if (!which || strcmp(which, "full"))
		SKIP(return, "some thousands of combinations; IVSHM_MATRIX=full");
	rows_full();
	run(_metadata, self->e);
}

TEST_HARNESS_MAIN
