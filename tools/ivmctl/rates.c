// SPDX-License-Identifier: GPL-2.0
/* Rates of ports and pairs. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "attr.h"
#include "nl.h"
#include "output.h"
#include "rates.h"

int sample_take(struct ctx *ctx, struct sample *sample)
{
	struct timespec now;

	memset(sample, 0, sizeof(*sample));
	if (ivnl_fetch(ctx, &ivnl_kind_port, NULL, &sample->ports) ||
	    ivnl_fetch(ctx, &ivnl_kind_coupling, NULL, &sample->couplings)) {
		sample_free(sample);
		return RC_REFUSED;
	}
	clock_gettime(CLOCK_MONOTONIC, &now);
	sample->ns = now.tv_sec * 1000000000LL + now.tv_nsec;
	return RC_OK;
}

void sample_free(struct sample *sample)
{
	json_decref(sample->ports);
	json_decref(sample->couplings);
	memset(sample, 0, sizeof(*sample));
}

static double seconds(const struct sample *before, const struct sample *after)
{
	int64_t ns = after->ns - before->ns;

	return ns > 0 ? (double)ns / 1e9 : 1;
}

/* The counter @key, and for "drops" the sum of all that count drops. */
static double count(const json_t *stats, const char *key)
{
	bool drops = !strcmp(key, "drops");
	uint64_t sum = 0;
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)stats, name, value)
		if (drops ? !strncmp(name, "drop_", 5) : !strcmp(name, key))
			sum += (uint64_t)json_integer_value(value);
	return (double)sum;
}

/* Returns false if the counters began anew. */
static bool set_rate(json_t *rate, const char *key, const json_t *before,
		     const json_t *after, double time)
{
	double more = count(after, key) - count(before, key);

	if (more < 0)
		return false;
	/* More digits would only be noise. */
	json_object_set_new(rate, key, json_real(round(more / time * 100) / 100));
	return true;
}

static const char *const port_keys[] = {
	"tx_direct_frames", "tx_direct_bytes", "tx_uplink_frames",
	"tx_uplink_bytes", "rx_direct_frames", "rx_direct_bytes",
	"rx_uplink_frames", "rx_uplink_bytes", "drops",
};

static const char *const pair_keys[] = { "frames", "bytes" };

static json_t *find_rates(json_t *rate, const char *const *keys, size_t nr,
			  const json_t *before, const json_t *after, double time)
{
	size_t i;

	for (i = 0; i < nr; i++) {
		if (set_rate(rate, keys[i], before, after, time))
			continue;
		json_decref(rate);
		return NULL;
	}
	return rate;
}

static void port_rates(json_t *list, json_t *old, const json_t *ports, double time)
{
	json_t *port, *before, *rate;
	size_t i;

	json_array_foreach(ports, i, port) {
		before = json_object_get(old, json_str(port, "name"));
		if (!before)
			continue;
		rate = json_pack("{s:s, s:s, s:s*}", "name", json_str(port, "name"),
				 "state", json_str(port, "state"), "coupling",
				 json_string_value(json_object_get(port, "coupling")));
		rate = find_rates(rate, port_keys, ARRAY_SIZE(port_keys),
				  json_object_get(before, "stats"),
				  json_object_get(port, "stats"), time);
		if (rate)
			json_array_append_new(list, rate);
	}
}

/* One name for a pair: what cannot be in the name of an interface divides it. */
static void pair_name(char *buf, size_t size, const json_t *coupling,
		      const json_t *pair)
{
	snprintf(buf, size, "%s/%s/%s", json_str(coupling, "name"),
		 json_str(pair, "src"), json_str(pair, "dst"));
}

static void pair_rates(json_t *list, json_t *old, const json_t *coupling, double time)
{
	json_t *pair, *before, *rate;
	char name[256];
	size_t i;

	json_array_foreach(json_object_get(coupling, "pairs"), i, pair) {
		pair_name(name, sizeof(name), coupling, pair);
		before = json_object_get(old, name);
		if (!before)
			continue;
		rate = json_pack("{s:s, s:s, s:s, s:s, s:s}",
				 "coupling", json_str(coupling, "name"),
				 "src", json_str(pair, "src"),
				 "dst", json_str(pair, "dst"),
				 "state", json_str(pair, "state"),
				 "reason", json_str(pair, "reason"));
		rate = find_rates(rate, pair_keys, ARRAY_SIZE(pair_keys), before,
				  pair, time);
		if (rate)
			json_array_append_new(list, rate);
	}
}

static json_t *ports_by_name(const struct sample *sample)
{
	json_t *names = check_alloc(json_object());
	json_t *port;
	size_t i;

	json_array_foreach(sample->ports, i, port)
		json_object_set(names, json_str(port, "name"), port);
	return names;
}

static json_t *pairs_by_name(const struct sample *sample)
{
	json_t *names = check_alloc(json_object());
	json_t *coupling, *pair;
	char name[256];
	size_t i, j;

	json_array_foreach(sample->couplings, i, coupling) {
		json_array_foreach(json_object_get(coupling, "pairs"), j, pair) {
			pair_name(name, sizeof(name), coupling, pair);
			json_object_set(names, name, pair);
		}
	}
	return names;
}

/* Frames of a port or of a pair. */
static double busy(const json_t *rate)
{
	static const char *const keys[] = {
		"tx_direct_frames", "tx_uplink_frames", "rx_direct_frames",
		"rx_uplink_frames", "frames",
	};
	double sum = 0;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(keys); i++)
		sum += json_real_value(json_object_get(rate, keys[i]));
	return sum;
}

static int by_rates(const void *a, const void *b)
{
	double x = busy(*(const json_t *const *)a), y = busy(*(const json_t *const *)b);

	if (x != y)
		return x < y ? 1 : -1;
	return json_by_name(a, b);
}

json_t *rates_find(const struct sample *before, const struct sample *after,
		   bool by_name)
{
	double time = seconds(before, after);
	json_t *old = ports_by_name(before);
	json_t *ports = check_alloc(json_array());
	json_t *pairs = check_alloc(json_array());
	json_t *coupling;
	size_t i;

	port_rates(ports, old, after->ports, time);
	json_decref(old);

	old = pairs_by_name(before);
	json_array_foreach(after->couplings, i, coupling)
		pair_rates(pairs, old, coupling, time);
	json_decref(old);
	return json_pack("{s:o, s:o}", "ports",
			 json_sorted(ports, by_name ? json_by_name : by_rates), "pairs",
			 json_sorted(pairs, by_name ? json_by_name : by_rates));
}

/*
 * Showing
 */

static double rate_of(const json_t *rate, const char *key)
{
	return json_real_value(json_object_get(rate, key));
}

static void add_rate(struct table *table, enum color color, double rate)
{
	table_add(table, rate > 0 ? color : COLOR_NONE, "%.*f",
		  rate > 0 && rate < 10 ? 1 : 0, rate);
}

/* Bytes a second as megabits a second. */
static void add_mbit(struct table *table, double bytes)
{
	add_rate(table, COLOR_NONE, bytes * 8 / 1e6);
}

static void show_port_rates(const struct ctx *ctx, const json_t *ports)
{
	static const char *const heads[] = {
		"PORT", "STATE", "COUPLING", ">TX-DIRECT/s", ">TX-UPLINK/s",
		">RX-DIRECT/s", ">RX-UPLINK/s", ">TX-Mbit/s", ">RX-Mbit/s",
		">DROPS/s", NULL
	};
	struct table *table = table_new(0, heads);
	json_t *port;
	size_t i;

	json_array_foreach(ports, i, port) {
		table_add(table, COLOR_NAME, "%s", json_str(port, "name"));
		table_add(table, color_state(json_str(port, "state")), "%s",
			  json_str(port, "state"));
		table_add(table, COLOR_NONE, "%s", json_str(port, "coupling"));
		add_rate(table, COLOR_GOOD, rate_of(port, "tx_direct_frames"));
		add_rate(table, COLOR_NONE, rate_of(port, "tx_uplink_frames"));
		add_rate(table, COLOR_GOOD, rate_of(port, "rx_direct_frames"));
		add_rate(table, COLOR_NONE, rate_of(port, "rx_uplink_frames"));
		add_mbit(table, rate_of(port, "tx_direct_bytes") +
			 rate_of(port, "tx_uplink_bytes"));
		add_mbit(table, rate_of(port, "rx_direct_bytes") +
			 rate_of(port, "rx_uplink_bytes"));
		add_rate(table, COLOR_BAD, rate_of(port, "drops"));
	}
	table_print(ctx, table);
}

static void show_pair_rates(const struct ctx *ctx, const json_t *pairs)
{
	static const char *const heads[] = {
		"PAIR", "COUPLING", "STATE", ">FRAMES/s", ">Mbit/s", "REASON", NULL
	};
	struct table *table = table_new(0, heads);
	json_t *pair;
	size_t i;

	json_array_foreach(pairs, i, pair) {
		table_add(table, COLOR_NAME, "%s -> %s", json_str(pair, "src"),
			  json_str(pair, "dst"));
		table_add(table, COLOR_NONE, "%s", json_str(pair, "coupling"));
		table_add(table, color_state(json_str(pair, "state")), "%s",
			  json_str(pair, "state"));
		add_rate(table, COLOR_GOOD, rate_of(pair, "frames"));
		add_mbit(table, rate_of(pair, "bytes"));
		table_add(table, COLOR_NONE, "%s", json_str(pair, "reason"));
	}
	table_print(ctx, table);
}

void rates_show(const struct ctx *ctx, const json_t *rates)
{
	const json_t *ports = json_object_get(rates, "ports");
	const json_t *pairs = json_object_get(rates, "pairs");

	if (json_array_size(ports))
		show_port_rates(ctx, ports);
	else
		fputs("No ports: no VM has an interface on /dev/ivshm-net.\n", ctx->out);
	if (json_array_size(pairs)) {
		fputc('\n', ctx->out);
		show_pair_rates(ctx, pairs);
	}
}

/*
 * Comma-separated values
 */

void rates_csv_head(FILE *f)
{
	size_t i;

	fputs("time,kind,name,to,coupling,state", f);
	for (i = 0; i < ARRAY_SIZE(port_keys); i++)
		fprintf(f, ",%s", port_keys[i]);
	fputc('\n', f);
}

/* A field; names may have quotes and commas. */
static void csv_text(FILE *f, const char *text)
{
	if (!text)
		text = "";
	if (!strpbrk(text, ",\"")) {
		fputs(text, f);
		return;
	}
	fputc('"', f);
	for (; *text; text++)
		fprintf(f, "%s%c", *text == '"' ? "\"" : "", *text);
	fputc('"', f);
}

static void csv_head(FILE *f, const json_t *rate, const char *time, const char *kind)
{
	static const char *const keys[2][4] = {
		{ "name", "", "coupling", "state" },
		{ "src", "dst", "coupling", "state" },
	};
	const char *const *key = keys[!strcmp(kind, "pair")];
	size_t i;

	fprintf(f, "%s,%s", time, kind);
	for (i = 0; i < ARRAY_SIZE(keys[0]); i++) {
		fputc(',', f);
		csv_text(f, json_string_value(json_object_get(rate, key[i])));
	}
}

void rates_csv(FILE *f, const json_t *rates, const char *time)
{
	json_t *rate;
	size_t i, j;

	json_array_foreach(json_object_get(rates, "ports"), i, rate) {
		csv_head(f, rate, time, "port");
		for (j = 0; j < ARRAY_SIZE(port_keys); j++)
			fprintf(f, ",%.2f", rate_of(rate, port_keys[j]));
		fputc('\n', f);
	}
	/* What a pair delivers is sent direct by its first port. */
	json_array_foreach(json_object_get(rates, "pairs"), i, rate) {
		csv_head(f, rate, time, "pair");
		fprintf(f, ",%.2f,%.2f", rate_of(rate, "frames"), rate_of(rate, "bytes"));
		for (j = ARRAY_SIZE(pair_keys); j < ARRAY_SIZE(port_keys); j++)
			fputc(',', f);
		fputc('\n', f);
	}
}
