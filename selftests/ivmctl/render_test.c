// SPDX-License-Identifier: GPL-2.0
/* Messages of the kernel to text and JSON. */
#include <jansson.h>
#include <stdlib.h>
#include <time.h>

#include "attr.h"
#include "ktap.h"
#include "message.h"
#include "nl.h"
#include "output.h"

/* 2026-07-01 12:00:00 UTC */
static const struct timespec noon = { 1782907200, 123456789 };

/* Output of a test goes to memory. */
static struct ctx ctx;
static char *output;
static size_t output_size;

static void output_begin(bool color)
{
	memset(&ctx, 0, sizeof(ctx));
	ctx.color = color;
	ctx.out = open_memstream(&output, &output_size);
}

static int output_check(const char *what, const char *want)
{
	int failed;

	fclose(ctx.out);
	failed = ktap_same(what, output, want);
	free(output);
	return failed;
}

/* Add what is in @msg under @key to @list. */
static void add(json_t *list, struct nl_msg *msg, const char *key)
{
	json_t *decoded = attr_decode(nlmsg_hdr(msg));

	json_array_append(list, json_object_get(decoded, key));
	json_decref(decoded);
	nlmsg_free(msg);
}

static json_t *some_ports(void)
{
	json_t *list = json_array();

	add(list, message_port("vnet0"), "port");
	/* An upper device that went, a state of the future, a hostile name. */
	add(list, message_port_bare("tap\033[7m", 99), "port");
	return list;
}

static json_t *some_couplings(void)
{
	json_t *list = json_array();

	add(list, message_dynamic(), "coupling");
	add(list, message_static(), "coupling");
	return list;
}

static int port_table(void)
{
	json_t *ports = some_ports();

	output_begin(false);
	show_ports(&ctx, ports);
	json_decref(ports);
	return output_check("table of ports",
		"PORT        STATE       UPPER     COUPLING  QUEUES   PID  TX-DIRECT  TX-UPLINK  RX-DIRECT  RX-UPLINK\n"
		"vnet0       running     lo        lan0           4  4711       1002       1004       1006       1008\n"
		"tap\\x1b[7m  unknown-99  if999999  -              0     -          -          -          -          -\n");
}

static int port_color(void)
{
	json_t *ports = json_array();

	add(ports, message_port_bare("tap0", IVSHM_PORT_BROKEN), "port");
	output_begin(true);
	show_overview(&ctx, ports, NULL, NULL);
	json_decref(ports);
	return output_check("coloured overview",
		"\033[1mPORT\033[0m  \033[1mSTATE\033[0m   \033[1mUPPER\033[0m     \033[1mCOUPLING\033[0m\n"
		"\033[36mtap0\033[0m  \033[31mbroken\033[0m  if999999  -\n"
		"\n"
		"No couplings: see ivmctl coupling help.\n");
}

static int port_stats(void)
{
	json_t *ports = some_ports();

	output_begin(false);
	show_ports_stats(&ctx, ports);
	json_decref(ports);
	return output_check("statistics of ports",
		"vnet0: running, upper lo, coupling lan0, 4 queue pairs (2 in use), pid 4711, features 0x130000000\n"
		"    COUNTER                                VALUE\n"
		"    frames sent direct                      1002\n"
		"    bytes sent direct                       1003\n"
		"    frames sent to the uplink               1004\n"
		"    bytes sent to the uplink                1005\n"
		"    frames received direct                  1006\n"
		"    bytes received direct                   1007\n"
		"    frames received from the uplink         1008\n"
		"    bytes received from the uplink          1009\n"
		"    further copies made for flooding        1010\n"
		"    dropped: receiver full for park-us      1011\n"
		"    rings stopped for a guest's mistake     1020\n"
		"    kicks by the guest, transmit            1021\n"
		"    kicks by the guest, receive             1022\n"
		"    interrupts to the guest, transmit       1023\n"
		"    interrupts to the guest, receive        1024\n"
		"    wake-ups of the worker                  1025\n"
		"    frames that waited for a receiver       1026\n"
		"    look-ups that asked for a page          1027\n"
		"    pages brought into the mirror           1028\n"
		"    mirrored pages invalidated              1029\n"
		"    direct frames through a kernel buffer   1030\n"
		"    frames segmented or checksummed         1031\n"
		"    payload bytes copied, direct            1032\n"
		"    socket buffers allocated, direct        1033\n"
		"\n"
		"tap\\x1b[7m: unknown-99, upper if999999, coupling -, 0 queue pairs\n");
}

static int port_json(void)
{
	json_t *ports = some_ports();
	json_t *stats = json_object_get(json_array_get(ports, 0), "stats");
	int failed = 0;

	/* Drops that are zero as well; the rest of them is tried above. */
	failed |= json_object_size(stats) != attrs_stat.nr;
	failed |= json_int(stats, "tx_direct_frames") != 1002;
	failed |= json_int(stats, "skbs") != 1000 + IVSHM_A_STAT_SKBS;
	failed |= !json_is_integer(json_object_get(stats, "drop_memory"));
	json_object_del(json_array_get(ports, 0), "stats");

	output_begin(false);
	print_json(&ctx, ports);
	return failed | output_check("JSON of ports",
		"[{\"name\":\"vnet0\",\"ifindex\":7,\"state\":\"running\",\"upper\":\"lo\",\"upper_ifindex\":1,\"coupling\":\"lan0\",\"queues\":4,\"queues_used\":2,\"pid\":4711,\"features\":\"0x130000000\"},{\"name\":\"tap\\\\x1b[7m\",\"state\":\"unknown-99\",\"upper\":\"if999999\",\"upper_ifindex\":999999,\"queues\":0}]\n");
}

static int coupling_text(void)
{
	json_t *couplings = some_couplings();

	output_begin(false);
	show_couplings(&ctx, couplings);
	json_decref(couplings);
	return output_check("couplings",
		"lan0: dynamic, coupled\n"
		"    match ip, threshold 5/s, idle 30 s, park-us 1000, bypass yes, strict no\n"
		"    members vnet0, vnet1, vnet10 (absent)\n"
		"    PAIR             STATE       FRAMES    BYTES  REASON\n"
		"    vnet0 -> vnet1   coupled      12345  1234500  traffic: the two talk to each other\n"
		"    vnet1 -> vnet10  uplink           0        0  not-running: an end is not running\n"
		"    vnet10 -> vnet0  unknown-77       1      100  unknown-1234\n"
		"\n"
		"cross: static, waiting\n"
		"    park-us 0, full drop, rate-bytes 100000000000/s\n"
		"    deny vnet2 -> vnet3, vnet\\x1b* -> vnet2\n"
		"    members vnet2 (absent), vnet3 (absent)\n");
}

static int coupling_json(void)
{
	json_t *couplings = some_couplings();

	output_begin(false);
	print_json(&ctx, couplings);
	return output_check("JSON of couplings",
		"[{\"name\":\"lan0\",\"type\":\"dynamic\",\"state\":\"coupled\",\"threshold\":5,\"idle\":30,\"park_us\":1000,\"bypass\":true,\"strict\":false,\"match\":\"ip\",\"members\":[{\"name\":\"vnet0\",\"present\":true,\"implicit\":false},{\"name\":\"vnet1\",\"present\":true,\"implicit\":false},{\"name\":\"vnet10\",\"present\":false,\"implicit\":false}],\"pairs\":[{\"src\":\"vnet0\",\"dst\":\"vnet1\",\"state\":\"coupled\",\"reason\":\"traffic\",\"frames\":12345,\"bytes\":1234500},{\"src\":\"vnet1\",\"dst\":\"vnet10\",\"state\":\"uplink\",\"reason\":\"not-running\",\"frames\":0,\"bytes\":0},{\"src\":\"vnet10\",\"dst\":\"vnet0\",\"state\":\"unknown-77\",\"reason\":\"unknown-1234\",\"frames\":1,\"bytes\":100}]},{\"name\":\"cross\",\"type\":\"static\",\"state\":\"waiting\",\"park_us\":0,\"full\":\"drop\",\"rate_bytes\":100000000000,\"rate_frames\":0,\"deny\":[{\"src\":\"vnet2\",\"dst\":\"vnet3\"},{\"src\":\"vnet\\\\x1b*\",\"dst\":\"vnet2\"}],\"members\":[{\"name\":\"vnet2\",\"present\":false,\"implicit\":false},{\"name\":\"vnet3\",\"present\":false,\"implicit\":false}]}]\n");
}

static void add_whole(json_t *list, struct nl_msg *msg)
{
	json_array_append_new(list, attr_decode(nlmsg_hdr(msg)));
	nlmsg_free(msg);
}

static int coupling_in_parts(void)
{
	json_t *replies = json_array();
	const json_t *pairs;
	json_t *couplings;
	int failed = 0;

	add_whole(replies, message_static());
	add_whole(replies, message_dynamic());
	add_whole(replies, message_dynamic_more());
	couplings = ivnl_collect(&ivnl_kind_coupling, replies);
	failed |= json_array_size(couplings) != 2;
	pairs = json_object_get(json_array_get(couplings, 1), "pairs");
	failed |= json_array_size(pairs) != 4;
	failed |= ktap_same("last pair", json_str(json_array_get(pairs, 3), "reason"),
			    "fdb");
	json_decref(couplings);
	json_decref(replies);
	return failed;
}

static json_t *some_regions(void)
{
	json_t *list = json_array();

	add(list, message_region("pool", 0, false), "region");
	add(list, message_region("large", 12, true), "region");
	return list;
}

static int region_text(void)
{
	json_t *regions = some_regions();

	output_begin(false);
	show_regions(&ctx, regions);
	print_json(&ctx, regions);
	return output_check("regions",
		"REGION  DEVICE   SIZE  PAGE  NODE  MODE  OWNER                  USERS\n"
		"pool    ivshm0     4K    4K     -  0000  root:root                  0\n"
		"large   ivshm12    3G    2M     1  0660  4000000001:4000000002     12\n"
		"[{\"name\":\"pool\",\"number\":0,\"state\":\"ready\",\"size\":4096,\"page_size\":4096,\"mode\":\"0000\",\"uid\":0,\"gid\":0,\"users\":0},{\"name\":\"large\",\"number\":12,\"state\":\"ready\",\"size\":3221225472,\"page_size\":2097152,\"node\":1,\"mode\":\"0660\",\"uid\":4000000001,\"gid\":4000000002,\"users\":12}]\n");
}

static int overview_text(void)
{
	json_t *couplings = some_couplings();
	json_t *regions = some_regions();
	json_t *ports = some_ports();

	output_begin(false);
	show_overview(&ctx, ports, couplings, regions);
	json_decref(regions);
	json_decref(couplings);
	json_decref(ports);
	return output_check("overview",
		"PORT        STATE       UPPER     COUPLING\n"
		"vnet0       running     lo        lan0\n"
		"tap\\x1b[7m  unknown-99  if999999  -\n"
		"\n"
		"COUPLING  TYPE     STATE    PRESENT  DIRECT\n"
		"lan0      dynamic  coupled      2/3     1/3\n"
		"cross     static   waiting      0/2     0/0\n"
		"\n"
		"REGION  DEVICE   SIZE  PAGE  NODE  MODE  OWNER                  USERS\n"
		"pool    ivshm0     4K    4K     -  0000  root:root                  0\n"
		"large   ivshm12    3G    2M     1  0660  4000000001:4000000002     12\n");
}

static int peer_text(void)
{
	json_t *peers = json_array();

	add(peers, message_peer("vm1", "vm2", true), "peer");
	add(peers, message_peer("vm2", "vm1", false), "peer");
	output_begin(false);
	show_peers(&ctx, peers);
	show_peers_stats(&ctx, peers);
	print_json(&ctx, peers);
	return output_check("peers",
		"FROM  TO   MESSAGES  PAGES   BYTES  SENT\n"
		"vm1   vm2     1/256  3/100  8193/-     7\n"
		"vm2   vm1     0/256    0/-     0/-     0\n"
		"vm1 -> vm2\n"
		"    COUNTER                     VALUE\n"
		"    messages sent                   7\n"
		"    messages whose pages moved      1\n"
		"    refused: pages in use           1\n"
		"\n"
		"vm2 -> vm1\n"
		"    COUNTER                     VALUE\n"
		"    messages sent                   0\n"
		"    messages whose pages moved      0\n"
		"[{\"from\":\"vm1\",\"to\":\"vm2\",\"messages\":256,\"pages\":100,\"bytes\":0,\"now_messages\":1,\"now_pages\":3,\"now_bytes\":8193,\"stats\":{\"messages\":7,\"moved\":1,\"refused_busy\":1}},{\"from\":\"vm2\",\"to\":\"vm1\",\"messages\":256,\"pages\":0,\"bytes\":0,\"now_messages\":0,\"now_pages\":0,\"now_bytes\":0,\"stats\":{\"messages\":0,\"moved\":0,\"refused_busy\":0}}]\n");
}

static int overview_empty(void)
{
	json_t *nothing = json_array();

	output_begin(false);
	show_overview(&ctx, nothing, nothing, nothing);
	/* The other lists stay silent, for scripts. */
	show_ports(&ctx, nothing);
	show_couplings(&ctx, nothing);
	show_addresses(&ctx, nothing);
	show_regions(&ctx, nothing);
	show_peers(&ctx, nothing);
	json_decref(nothing);
	return output_check("empty overview",
		"No ports: no VM has an interface on /dev/ivshm-net.\n"
		"\n"
		"No couplings: see ivmctl coupling help.\n");
}

static int address_text(void)
{
	const unsigned char ip4[4] = { 10, 0, 0, 7 };
	const unsigned char ip6[16] = { 0xfd, [15] = 7 };
	json_t *addresses = json_array();

	add(addresses, message_address("vnet0", 9), "address");
	add(addresses, message_address("vnet10", 250), "address");
	add(addresses, message_address_ip(IVSHM_A_ADDR_IPV4, ip4, sizeof(ip4)), "address");
	add(addresses, message_address_ip(IVSHM_A_ADDR_IPV6, ip6, sizeof(ip6)), "address");
	output_begin(false);
	show_addresses(&ctx, addresses);
	print_json(&ctx, addresses);
	return output_check("addresses",
		"ADDRESS            PORT    FROM         RING    AGE  LLADDR\n"
		"52:54:00:00:0a:09  vnet0   learned   0x90000    9 s  -\n"
		"52:54:00:00:0a:fa  vnet10  learned  0xfa0000  250 s  -\n"
		"10.0.0.7           vnet2   config          -      -  52:54:00:00:0a:01\n"
		"fd00::7            vnet2   config          -      -  52:54:00:00:0a:01\n"
		"[{\"mac\":\"52:54:00:00:0a:09\",\"port\":\"vnet0\",\"configured\":false,\"ring\":\"0x90000\",\"age\":9},{\"mac\":\"52:54:00:00:0a:fa\",\"port\":\"vnet10\",\"configured\":false,\"ring\":\"0xfa0000\",\"age\":250},{\"ip\":\"10.0.0.7\",\"port\":\"vnet2\",\"configured\":true,\"lladdr\":\"52:54:00:00:0a:01\"},{\"ip\":\"fd00::7\",\"port\":\"vnet2\",\"configured\":true,\"lladdr\":\"52:54:00:00:0a:01\"}]\n");
}

static void try_event(struct nl_msg *msg)
{
	json_t *decoded = event_decode(nlmsg_hdr(msg), &noon);

	if (decoded) {
		show_event(&ctx, decoded);
		print_json(&ctx, decoded);
	} else {
		fputs("no event\n", ctx.out);
	}
	nlmsg_free(msg);
}

static int events(void)
{
	setenv("TZ", "UTC-2", 1);
	tzset();
	output_begin(false);
	try_event(message_event_port());
	try_event(message_event_coupling());
	try_event(message_event_pair());
	try_event(message_event_region());
	try_event(message_event_peer());
	try_event(message_port("vnet0"));
	try_event(message(IVSHM_CMD_PAIR_NTF));
	return output_check("events",
		"2026-07-01T14:00:00.123456+02:00 port vnet0: running -> broken (ring)\n"
		"{\"time\":\"2026-07-01T14:00:00.123456+02:00\",\"event\":\"port\",\"port\":\"vnet0\",\"old\":\"running\",\"new\":\"broken\",\"reason\":\"ring\"}\n"
		"2026-07-01T14:00:00.123456+02:00 coupling lan0: waiting -> ready\n"
		"{\"time\":\"2026-07-01T14:00:00.123456+02:00\",\"event\":\"coupling\",\"coupling\":\"lan0\",\"old\":\"waiting\",\"new\":\"ready\",\"reason\":\"none\"}\n"
		"2026-07-01T14:00:00.123456+02:00 pair lan0 vnet0 -> vnet1: uplink -> coupled (traffic)\n"
		"{\"time\":\"2026-07-01T14:00:00.123456+02:00\",\"event\":\"pair\",\"coupling\":\"lan0\",\"src\":\"vnet0\",\"dst\":\"vnet1\",\"old\":\"uplink\",\"new\":\"coupled\",\"reason\":\"traffic\"}\n"
		"2026-07-01T14:00:00.123456+02:00 region pool: ready -> gone (config)\n"
		"{\"time\":\"2026-07-01T14:00:00.123456+02:00\",\"event\":\"region\",\"region\":\"pool\",\"old\":\"ready\",\"new\":\"gone\",\"reason\":\"config\"}\n"
		"2026-07-01T14:00:00.123456+02:00 peer vm1 -> vm2: denied -> allowed (config)\n"
		"{\"time\":\"2026-07-01T14:00:00.123456+02:00\",\"event\":\"peer\",\"src\":\"vm1\",\"dst\":\"vm2\",\"old\":\"denied\",\"new\":\"allowed\",\"reason\":\"config\"}\n"
		"no event\n"
		"2026-07-01T14:00:00.123456+02:00 pair - - -> -: - -> -\n"
		"{\"time\":\"2026-07-01T14:00:00.123456+02:00\",\"event\":\"pair\",\"coupling\":\"-\",\"src\":\"-\",\"dst\":\"-\"}\n");
}

static int text_is_safe(void)
{
	static const struct {
		const char *in, *out;
	} cases[] = {
		{ "plain", "plain" },
		{ "gr\303\274n", "gr\303\274n" },
		{ "not\377utf8", "not\\xffutf8" },
		{ "tab\there", "tab\\x09here" },
		{ "del\177", "del\\x7f" },
		{ "c1\302\233m", "c1\\xc2\\x9bm" },
	};
	int failed = 0;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		json_t *text = json_text(cases[i].in, strlen(cases[i].in));

		failed |= ktap_same("text", json_string_value(text), cases[i].out);
		json_decref(text);
	}
	return failed;
}

/* A value that is too short is an error, not a read beyond it. */
static int malformed(void)
{
	struct nl_msg *msg = message(IVSHM_CMD_PORT_GET);
	struct nlattr *port = nest(msg, IVSHM_A_PORT);
	json_t *decoded;

	nla_put_u16(msg, IVSHM_A_PORT_STATE, 1);
	nla_nest_end(msg, port);
	decoded = attr_decode(nlmsg_hdr(msg));
	nlmsg_free(msg);
	if (decoded) {
		json_decref(decoded);
		return 1;
	}

	/* No room for even the generic header. */
	msg = nlmsg_alloc_simple(TEST_FAMILY, 0);
	decoded = attr_decode(nlmsg_hdr(msg));
	nlmsg_free(msg);
	if (decoded) {
		json_decref(decoded);
		return 1;
	}
	return 0;
}

/* Whatever the bytes, the sanitizers have nothing to say. */
static int mutations(void)
{
	struct nl_msg *(*const make[])(void) = {
		message_dynamic, message_static, message_event_pair,
		message_event_port, message_event_region, message_event_peer,
	};
	unsigned int round, i;

	srand(1);
	for (round = 0; round < 20000; round++) {
		struct nl_msg *msg = make[round % ARRAY_SIZE(make)]();
		size_t len = nlmsg_hdr(msg)->nlmsg_len;
		struct ivnl_refusal refusal;
		unsigned char *copy;
		char text[64];

		/* A block of its own, so that reads beyond it are seen. */
		copy = malloc(len);
		memcpy(copy, nlmsg_hdr(msg), len);
		for (i = 0; i < 1 + round % 8; i++)
			copy[NLMSG_HDRLEN + (size_t)rand() % (len - NLMSG_HDRLEN)] =
				(unsigned char)rand();
		json_decref(event_decode((struct nlmsghdr *)copy, &noon));

		((struct nlmsghdr *)copy)->nlmsg_type = NLMSG_ERROR;
		((struct nlmsghdr *)copy)->nlmsg_flags = (unsigned short)rand();
		if (ivnl_refusal_parse((struct nlmsghdr *)copy, nlmsg_hdr(msg),
				       &refusal))
			ivnl_explain(&refusal, text, sizeof(text));
		free(copy);
		nlmsg_free(msg);
	}
	return 0;
}

int main(void)
{
	puts("TAP version 13\n1..16");
	ktap_run("port table", port_table);
	ktap_run("port colour", port_color);
	ktap_run("port statistics", port_stats);
	ktap_run("port JSON", port_json);
	ktap_run("coupling text", coupling_text);
	ktap_run("coupling JSON", coupling_json);
	ktap_run("coupling in several messages", coupling_in_parts);
	ktap_run("overview", overview_text);
	ktap_run("overview of nothing", overview_empty);
	ktap_run("addresses", address_text);
	ktap_run("regions", region_text);
	ktap_run("peers", peer_text);
	ktap_run("events", events);
	ktap_run("names cannot steer a terminal", text_is_safe);
	ktap_run("malformed messages", malformed);
	ktap_run("mutated messages", mutations);
	return ktap_failed != 0;
}
