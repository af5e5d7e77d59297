// SPDX-License-Identifier: GPL-2.0
/* How each object reads as text. */
#include <grp.h>
#include <pwd.h>
#include <string.h>

#include "attr.h"
#include "output.h"

static void add_str(struct table *table, enum color color, const json_t *object,
		    const char *key)
{
	table_add(table, json_object_get(object, key) ? color : COLOR_NONE, "%s",
		  json_str(object, key));
}

static void add_int(struct table *table, const json_t *object, const char *key)
{
	if (json_object_get(object, key))
		table_add(table, COLOR_NONE, "%" JSON_INTEGER_FORMAT,
			  json_int(object, key));
	else
		table_add(table, COLOR_NONE, "-");
}

static void add_state(struct table *table, const json_t *object)
{
	add_str(table, color_state(json_str(object, "state")), object, "state");
}

void show_ports(const struct ctx *ctx, const json_t *ports)
{
	static const char *const heads[] = {
		"PORT", "STATE", "UPPER", "COUPLING", ">QUEUES", ">PID",
		">TX-DIRECT", ">TX-UPLINK", ">RX-DIRECT", ">RX-UPLINK", NULL
	};
	struct table *table = table_new(0, heads);
	const json_t *stats;
	json_t *port;
	size_t i;

	json_array_foreach(ports, i, port) {
		stats = json_object_get(port, "stats");
		add_str(table, COLOR_NAME, port, "name");
		add_state(table, port);
		add_str(table, COLOR_NONE, port, "upper");
		add_str(table, COLOR_NAME, port, "coupling");
		add_int(table, port, "queues");
		add_int(table, port, "pid");
		add_int(table, stats, "tx_direct_frames");
		add_int(table, stats, "tx_uplink_frames");
		add_int(table, stats, "rx_direct_frames");
		add_int(table, stats, "rx_uplink_frames");
	}
	table_print(ctx, table);
}

/* Those whose keys begin with @bad only if there are any. */
static void show_counters(const struct ctx *ctx, const struct attr_set *set,
			  const char *bad, const json_t *stats)
{
	static const char *const heads[] = { "COUNTER", ">VALUE", NULL };
	struct table *table = table_new(4, heads);
	unsigned int i;

	for (i = 0; i < set->nr; i++) {
		const struct attr *attr = &set->attrs[i];
		bool drop = !strncmp(attr->key, bad, strlen(bad));

		if (!json_object_get(stats, attr->key))
			continue;
		if (drop && !json_int(stats, attr->key))
			continue;
		table_add(table, drop ? COLOR_BAD : COLOR_NONE, "%s", attr->word);
		add_int(table, stats, attr->key);
	}
	table_print(ctx, table);
}

void show_ports_stats(const struct ctx *ctx, const json_t *ports)
{
	json_t *port;
	size_t i;

	json_array_foreach(ports, i, port) {
		json_int_t queues = json_int(port, "queues");

		if (i)
			fputc('\n', ctx->out);
		print_color(ctx, COLOR_NAME, json_str(port, "name"));
		fputs(": ", ctx->out);
		print_color(ctx, color_state(json_str(port, "state")),
			    json_str(port, "state"));
		fprintf(ctx->out, ", upper %s, coupling %s, %" JSON_INTEGER_FORMAT
			" queue pair%s", json_str(port, "upper"),
			json_str(port, "coupling"), queues,
			queues == 1 ? "" : "s");
		if (queues > 1 && json_object_get(port, "queues_used"))
			fprintf(ctx->out, " (%" JSON_INTEGER_FORMAT " in use)",
				json_int(port, "queues_used"));
		if (json_object_get(port, "pid"))
			fprintf(ctx->out, ", pid %" JSON_INTEGER_FORMAT,
				json_int(port, "pid"));
		if (json_object_get(port, "features"))
			fprintf(ctx->out, ", features %s",
				json_str(port, "features"));
		fputc('\n', ctx->out);
		show_counters(ctx, &attrs_stat, "drop_",
			      json_object_get(port, "stats"));
	}
}

static void show_pairs(const struct ctx *ctx, const json_t *pairs)
{
	static const char *const heads[] = {
		"PAIR", "STATE", ">FRAMES", ">BYTES", "REASON", NULL
	};
	struct table *table = table_new(4, heads);
	const char *reason, *help;
	json_t *pair;
	size_t i;

	json_array_foreach(pairs, i, pair) {
		table_add(table, COLOR_NAME, "%s -> %s", json_str(pair, "src"),
			  json_str(pair, "dst"));
		add_state(table, pair);
		add_int(table, pair, "frames");
		add_int(table, pair, "bytes");
		reason = json_str(pair, "reason");
		help = value_help(&reasons, reason);
		table_add(table, COLOR_NONE, "%s%s%s", reason, help ? ": " : "",
			  help ? help : "");
	}
	table_print(ctx, table);
}

static void show_options(const struct ctx *ctx, const json_t *coupling)
{
	static const char *const switches[] = { "bypass", "strict" };
	static const struct {
		const char *key, *word;
	} rates[] = {
		{ "rate_bytes", "rate-bytes" },
		{ "rate_frames", "rate-frames" },
	};
	const json_t *value;
	json_int_t n;
	size_t i;

	fputs("    ", ctx->out);
	if (json_object_get(coupling, "match"))
		fprintf(ctx->out, "match %s, ", json_str(coupling, "match"));
	if (json_object_get(coupling, "threshold"))
		fprintf(ctx->out, "threshold %" JSON_INTEGER_FORMAT "/s, ",
			json_int(coupling, "threshold"));
	if (json_object_get(coupling, "idle")) {
		n = json_int(coupling, "idle");
		if (n)
			fprintf(ctx->out, "idle %" JSON_INTEGER_FORMAT " s, ", n);
		else
			fputs("idle never, ", ctx->out);
	}
	fprintf(ctx->out, "park-us %" JSON_INTEGER_FORMAT, json_int(coupling, "park_us"));
	for (i = 0; i < ARRAY_SIZE(switches); i++) {
		value = json_object_get(coupling, switches[i]);
		if (value)
			fprintf(ctx->out, ", %s %s", switches[i],
				json_is_true(value) ? "yes" : "no");
	}
	if (json_object_get(coupling, "full"))
		fprintf(ctx->out, ", full %s", json_str(coupling, "full"));
	for (i = 0; i < ARRAY_SIZE(rates); i++) {
		n = json_int(coupling, rates[i].key);
		if (n)
			fprintf(ctx->out, ", %s %" JSON_INTEGER_FORMAT "/s", rates[i].word, n);
	}
	fputc('\n', ctx->out);
}

static void print_denials(const struct ctx *ctx, const json_t *denials)
{
	json_t *denial;
	size_t i;

	json_array_foreach(denials, i, denial)
		fprintf(ctx->out, "%s%s -> %s", i ? ", " : "    deny ",
			json_str(denial, "src"), json_str(denial, "dst"));
	if (json_array_size(denials))
		fputc('\n', ctx->out);
}

static void print_members(const struct ctx *ctx, const json_t *coupling)
{
	json_t *member;
	size_t i;

	json_array_foreach(json_object_get(coupling, "members"), i, member) {
		if (i)
			fputs(", ", ctx->out);
		print_color(ctx, COLOR_NAME, json_str(member, "name"));
		if (!json_is_true(json_object_get(member, "present")))
			print_color(ctx, COLOR_WAIT, " (absent)");
		else if (json_is_true(json_object_get(member, "implicit")))
			fputs(" (rule)", ctx->out);
	}
}

static void print_rules(const struct ctx *ctx, const json_t *rules)
{
	static const char *const keys[] = { "glob", "mac", "ip", "upper" };
	size_t i, j;
	json_t *rule;

	json_array_foreach(rules, i, rule) {
		fputs(i ? ", " : "    rules ", ctx->out);
		for (j = 0; j < ARRAY_SIZE(keys); j++)
			if (json_object_get(rule, keys[j]))
				fprintf(ctx->out, "%s %s", keys[j], json_str(rule, keys[j]));
	}
	if (json_array_size(rules))
		fputc('\n', ctx->out);
}

void show_couplings(const struct ctx *ctx, const json_t *couplings)
{
	json_t *coupling;
	size_t i;

	json_array_foreach(couplings, i, coupling) {
		if (i)
			fputc('\n', ctx->out);
		print_color(ctx, COLOR_NAME, json_str(coupling, "name"));
		fprintf(ctx->out, ": %s, ", json_str(coupling, "type"));
		print_color(ctx, color_state(json_str(coupling, "state")),
			    json_str(coupling, "state"));
		fputc('\n', ctx->out);
		show_options(ctx, coupling);
		print_rules(ctx, json_object_get(coupling, "rules"));
		print_denials(ctx, json_object_get(coupling, "deny"));
		if (json_array_size(json_object_get(coupling, "members"))) {
			fputs("    members ", ctx->out);
			print_members(ctx, coupling);
			fputc('\n', ctx->out);
		}
		show_pairs(ctx, json_object_get(coupling, "pairs"));
	}
}

static void overview_ports(const struct ctx *ctx, const json_t *ports)
{
	static const char *const heads[] = {
		"PORT", "STATE", "UPPER", "COUPLING", NULL
	};
	struct table *table = table_new(0, heads);
	json_t *port;
	size_t i;

	json_array_foreach(ports, i, port) {
		add_str(table, COLOR_NAME, port, "name");
		add_state(table, port);
		add_str(table, COLOR_NONE, port, "upper");
		add_str(table, COLOR_NAME, port, "coupling");
	}
	table_print(ctx, table);
}

static void overview_couplings(const struct ctx *ctx, const json_t *couplings)
{
	static const char *const heads[] = {
		"COUPLING", "TYPE", "STATE", ">PRESENT", ">DIRECT", NULL
	};
	struct table *table = table_new(0, heads);
	json_t *coupling, *item;
	size_t i, j;

	json_array_foreach(couplings, i, coupling) {
		const json_t *members = json_object_get(coupling, "members");
		const json_t *pairs = json_object_get(coupling, "pairs");
		size_t present = 0, direct = 0;

		json_array_foreach(members, j, item)
			present += json_is_true(json_object_get(item, "present"));
		json_array_foreach(pairs, j, item)
			direct += !strcmp(json_str(item, "state"), "coupled");

		add_str(table, COLOR_NAME, coupling, "name");
		add_str(table, COLOR_NONE, coupling, "type");
		add_state(table, coupling);
		table_add(table, COLOR_NONE, "%zu/%zu", present,
			  json_array_size(members));
		table_add(table, COLOR_NONE, "%zu/%zu", direct,
			  json_array_size(pairs));
	}
	table_print(ctx, table);
}

/* Sizes are mostly round. */
static void add_size(struct table *table, const json_t *object, const char *key)
{
	static const char *const units[] = { "", "K", "M", "G", "T", "P" };
	json_int_t size = json_int(object, key);
	unsigned int unit = 0;

	while (size && !(size % 1024) && unit < ARRAY_SIZE(units) - 1) {
		size /= 1024;
		unit++;
	}
	table_add(table, COLOR_NONE, "%" JSON_INTEGER_FORMAT "%s", size, units[unit]);
}

static void add_user(struct table *table, const json_t *region)
{
	const struct passwd *user = getpwuid((uid_t)json_int(region, "uid"));
	const struct group *group = getgrgid((gid_t)json_int(region, "gid"));
	char uid[16], gid[16];

	snprintf(uid, sizeof(uid), "%u", (unsigned int)json_int(region, "uid"));
	snprintf(gid, sizeof(gid), "%u", (unsigned int)json_int(region, "gid"));
	table_add(table, COLOR_NONE, "%s:%s", user ? user->pw_name : uid,
		  group ? group->gr_name : gid);
}

void show_regions(const struct ctx *ctx, const json_t *regions)
{
	static const char *const heads[] = {
		"REGION", "DEVICE", ">SIZE", ">PAGE", ">NODE", "MODE", "OWNER",
		">USERS", NULL
	};
	struct table *table = table_new(0, heads);
	json_t *region;
	size_t i;

	json_array_foreach(regions, i, region) {
		add_str(table, COLOR_NAME, region, "name");
		table_add(table, COLOR_NONE, "ivshm%" JSON_INTEGER_FORMAT,
			  json_int(region, "number"));
		add_size(table, region, "size");
		add_size(table, region, "page_size");
		add_int(table, region, "node");
		add_str(table, COLOR_NONE, region, "mode");
		add_user(table, region);
		add_int(table, region, "users");
	}
	table_print(ctx, table);
}

void show_swaps(const struct ctx *ctx, const json_t *regions)
{
	static const char *const heads[] = {
		"SWAPPED", ">AT", ">SIZE", "POOL", ">OFFSET", NULL
	};
	struct table *table = table_new(0, heads);
	json_t *region, *swap;
	bool any = false;
	size_t i, k;

	json_array_foreach(regions, i, region) {
		json_array_foreach(json_object_get(region, "swaps"), k, swap) {
			any = true;
			add_str(table, COLOR_NAME, region, "name");
			add_size(table, swap, "at");
			add_size(table, swap, "size");
			add_str(table, COLOR_NAME, swap, "pool");
			add_size(table, swap, "offset");
		}
	}
	if (any)
		fputc('\n', ctx->out);
	table_print(ctx, table);
}

/* What there is of what may be. */
static void add_of(struct table *table, const json_t *peer, const char *now,
		   const char *most)
{
	if (json_int(peer, most))
		table_add(table, COLOR_NONE,
			  "%" JSON_INTEGER_FORMAT "/%" JSON_INTEGER_FORMAT,
			  json_int(peer, now), json_int(peer, most));
	else
		table_add(table, COLOR_NONE, "%" JSON_INTEGER_FORMAT "/-",
			  json_int(peer, now));
}

void show_peers(const struct ctx *ctx, const json_t *peers)
{
	static const char *const heads[] = {
		"FROM", "TO", ">MESSAGES", ">PAGES", ">BYTES", ">SENT", NULL
	};
	struct table *table = table_new(0, heads);
	json_t *peer;
	size_t i;

	json_array_foreach(peers, i, peer) {
		add_str(table, COLOR_NAME, peer, "from");
		add_str(table, COLOR_NAME, peer, "to");
		add_of(table, peer, "now_messages", "messages");
		add_of(table, peer, "now_pages", "pages");
		add_of(table, peer, "now_bytes", "bytes");
		add_int(table, json_object_get(peer, "stats"), "messages");
	}
	table_print(ctx, table);
}

void show_peers_stats(const struct ctx *ctx, const json_t *peers)
{
	json_t *peer;
	size_t i;

	json_array_foreach(peers, i, peer) {
		if (i)
			fputc('\n', ctx->out);
		print_color(ctx, COLOR_NAME, json_str(peer, "from"));
		fputs(" -> ", ctx->out);
		print_color(ctx, COLOR_NAME, json_str(peer, "to"));
		fputc('\n', ctx->out);
		show_counters(ctx, &attrs_peer_stat, "refused_",
			      json_object_get(peer, "stats"));
	}
}

void show_overview(const struct ctx *ctx, const json_t *ports,
		   const json_t *couplings, const json_t *regions)
{
	if (json_array_size(ports))
		overview_ports(ctx, ports);
	else
		fputs("No ports: no VM has an interface on /dev/ivshm-net.\n", ctx->out);
	fputc('\n', ctx->out);
	if (json_array_size(couplings))
		overview_couplings(ctx, couplings);
	else
		fputs("No couplings: see ivmctl coupling help.\n", ctx->out);
	/* Few hosts have any. */
	if (json_array_size(regions)) {
		fputc('\n', ctx->out);
		show_regions(ctx, regions);
	}
}

void show_addresses(const struct ctx *ctx, const json_t *addresses)
{
	static const char *const heads[] = {
		"ADDRESS", "PORT", "FROM", ">RING", ">AGE", "LLADDR", NULL
	};
	struct table *table = table_new(0, heads);
	json_t *address;
	size_t i;

	json_array_foreach(addresses, i, address) {
		add_str(table, COLOR_NAME, address,
			json_object_get(address, "ip") ? "ip" : "mac");
		add_str(table, COLOR_NAME, address, "port");
		table_add(table, COLOR_NONE, "%s",
			  json_is_true(json_object_get(address, "configured")) ?
			  "config" : "learned");
		add_str(table, COLOR_NONE, address, "ring");
		if (json_object_get(address, "age"))
			table_add(table, COLOR_NONE, "%" JSON_INTEGER_FORMAT " s",
				  json_int(address, "age"));
		else
			table_add(table, COLOR_NONE, "-");
		add_str(table, COLOR_NONE, address, "lladdr");
	}
	table_print(ctx, table);
}

void show_event(const struct ctx *ctx, const json_t *event)
{
	const char *kind = json_str(event, "event");
	const char *reason = json_str(event, "reason");

	fprintf(ctx->out, "%s %s ", json_str(event, "time"), kind);
	if (!strcmp(kind, "peer")) {
		print_color(ctx, COLOR_NAME, json_str(event, "src"));
		fprintf(ctx->out, " -> %s", json_str(event, "dst"));
	} else if (!strcmp(kind, "pair")) {
		print_color(ctx, COLOR_NAME, json_str(event, "coupling"));
		fprintf(ctx->out, " %s -> %s", json_str(event, "src"),
			json_str(event, "dst"));
	} else {
		print_color(ctx, COLOR_NAME, json_str(event, kind));
	}
	fprintf(ctx->out, ": %s -> ", json_str(event, "old"));
	print_color(ctx, color_state(json_str(event, "new")),
		    json_str(event, "new"));
	if (strcmp(reason, "none") && strcmp(reason, "-"))
		fprintf(ctx->out, " (%s)", reason);
	fputc('\n', ctx->out);
}
