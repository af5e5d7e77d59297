// SPDX-License-Identifier: GPL-2.0
/* ivmctl metrics: for Prometheus, in its text format */
#include <stdlib.h>
#include <string.h>

#include "attr.h"
#include "file.h"
#include "metrics.h"
#include "nl.h"
#include "output.h"

/*
 * All samples of a metric stand together, so they are collected first: an object
 * with a metric by each name, which has a type, a help text and samples, which
 * have labels and a value.
 */

/* Add a sample; @labels is released. */
static void add(json_t *metrics, const char *name, const char *type,
		const char *help, json_t *labels, json_int_t value)
{
	json_t *metric = json_object_get(metrics, name);

	if (!metric) {
		metric = json_pack("{s:s, s:s, s:[]}", "type", type, "help", help,
				   "samples");
		json_object_set_new(metrics, name, metric);
	}
	json_array_append_new(json_object_get(metric, "samples"),
			      json_pack("{s:o, s:I}", "labels", labels, "value", value));
}

/* A label for each state, of which one has the value 1. */
static void add_states(json_t *metrics, const char *name, const char *help,
		       const char *label, const json_t *object,
		       const struct value_names *states)
{
	unsigned int i;

	for (i = 0; i < states->nr; i++) {
		const char *state = states->names[i].name;

		/* Only in events. */
		if (!strcmp(state, "gone"))
			continue;
		add(metrics, name, "gauge", help,
		    json_pack("{s:s, s:s}", label, json_str(object, "name"),
			      "state", state),
		    !strcmp(state, json_str(object, "state")));
	}
}

/* Counters whose names differ in one word are one metric with a label. */
static void add_stat(json_t *metrics, const char *port, const struct attr *attr,
		     json_int_t value)
{
	json_t *labels = json_pack("{s:s}", "port", port);
	const char *help = attr->word;
	char a[8], b[8], c[8], name[64];
	int n = 0;

	if (sscanf(attr->key, "%2[rtx]_%7[a-z]_%7[a-z]%n", a, b, c, &n) == 3 &&
	    !attr->key[n] && (!strcmp(c, "frames") || !strcmp(c, "bytes"))) {
		snprintf(name, sizeof(name), "ivshm_port_%s_total", c);
		json_object_set_new(labels, "direction", json_string(a));
		json_object_set_new(labels, "path", json_string(b));
		help = *c == 'f' ? "Frames sent (tx) and received (rx) by the guest." :
				   "Bytes sent (tx) and received (rx) by the guest.";
	} else if (!strncmp(attr->key, "drop_", 5)) {
		snprintf(name, sizeof(name), "ivshm_port_drops_total");
		json_object_set_new(labels, "reason", json_string(attr->key + 5));
		help = "Frames dropped.";
	} else if (!strncmp(attr->key, "kicks_", 6)) {
		snprintf(name, sizeof(name), "ivshm_port_kicks_total");
		json_object_set_new(labels, "ring", json_string(attr->key + 6));
		help = "Notifications by the guest.";
	} else if (!strncmp(attr->key, "interrupts_", 11)) {
		snprintf(name, sizeof(name), "ivshm_port_interrupts_total");
		json_object_set_new(labels, "ring", json_string(attr->key + 11));
		help = "Notifications to the guest.";
	} else {
		snprintf(name, sizeof(name), "ivshm_port_%s_total", attr->key);
	}
	add(metrics, name, "counter", help, labels, value);
}

static void add_port(json_t *metrics, const json_t *port)
{
	const json_t *stats = json_object_get(port, "stats");
	const char *name = json_str(port, "name");
	const json_t *value;
	unsigned int i;

	add(metrics, "ivshm_port_info", "gauge",
	    "Upper device and coupling of the port, empty if none.",
	    json_pack("{s:s, s:s, s:s}", "port", name,
		      "upper", json_object_get(port, "upper") ?
		      json_str(port, "upper") : "",
		      "coupling", json_object_get(port, "coupling") ?
		      json_str(port, "coupling") : ""), 1);
	add_states(metrics, "ivshm_port_state", "1 for the state of the port.",
		   "port", port, &port_states);
	add(metrics, "ivshm_port_queue_pairs", "gauge", "Queue pairs attached.",
	    json_pack("{s:s}", "port", name), json_int(port, "queues"));
	for (i = 0; i < attrs_stat.nr; i++) {
		value = json_object_get(stats, attrs_stat.attrs[i].key);
		if (value)
			add_stat(metrics, name, &attrs_stat.attrs[i],
				 json_integer_value(value));
	}
}

static json_t *pair_labels(const json_t *coupling, const json_t *pair)
{
	return json_pack("{s:s, s:s, s:s}", "coupling", json_str(coupling, "name"),
			 "src", json_str(pair, "src"), "dst", json_str(pair, "dst"));
}

static void add_pair(json_t *metrics, const json_t *coupling, const json_t *pair)
{
	json_t *labels = pair_labels(coupling, pair);

	json_object_set_new(labels, "state", json_string(json_str(pair, "state")));
	json_object_set_new(labels, "reason", json_string(json_str(pair, "reason")));
	add(metrics, "ivshm_pair_info", "gauge",
	    "State of the pair, and why it is in it.", labels, 1);
	add(metrics, "ivshm_pair_direct", "gauge", "1 if frames go direct.",
	    pair_labels(coupling, pair), !strcmp(json_str(pair, "state"), "coupled"));
	add(metrics, "ivshm_pair_frames_total", "counter", "Frames delivered direct.",
	    pair_labels(coupling, pair), json_int(pair, "frames"));
	add(metrics, "ivshm_pair_bytes_total", "counter", "Bytes delivered direct.",
	    pair_labels(coupling, pair), json_int(pair, "bytes"));
}

static void add_coupling(json_t *metrics, const json_t *coupling)
{
	const json_t *members = json_object_get(coupling, "members");
	const char *name = json_str(coupling, "name");
	json_int_t present = 0;
	json_t *item;
	size_t i;

	json_array_foreach(members, i, item)
		present += json_is_true(json_object_get(item, "present"));

	add(metrics, "ivshm_coupling_info", "gauge", "Type of the coupling.",
	    json_pack("{s:s, s:s}", "coupling", name, "type",
		      json_str(coupling, "type")), 1);
	add_states(metrics, "ivshm_coupling_state", "1 for the state of the coupling.",
		   "coupling", coupling, &coupling_states);
	add(metrics, "ivshm_coupling_members", "gauge", "Members declared.",
	    json_pack("{s:s}", "coupling", name), (json_int_t)json_array_size(members));
	add(metrics, "ivshm_coupling_members_present", "gauge",
	    "Members that exist and run.",
	    json_pack("{s:s}", "coupling", name), present);
	json_array_foreach(json_object_get(coupling, "pairs"), i, item)
		add_pair(metrics, coupling, item);
}

json_t *metrics_collect(const json_t *ports, const json_t *couplings,
			const json_t *addresses)
{
	json_t *metrics = check_alloc(json_object());
	json_t *counts = check_alloc(json_object());
	const char *name;
	json_t *item;
	size_t i;

	add(metrics, "ivshm_up", "gauge", "Whether the kernel module could be read.",
	    json_object(), ports ? 1 : 0);
	json_array_foreach(ports, i, item)
		add_port(metrics, item);
	json_array_foreach(couplings, i, item)
		add_coupling(metrics, item);
	json_array_foreach(addresses, i, item) {
		name = json_str(item, "port");
		json_object_set_new(counts, name, json_integer(json_int(counts, name) + 1));
	}
	json_object_foreach(counts, name, item)
		add(metrics, "ivshm_port_addresses", "gauge",
		    "Addresses known to be at the port.",
		    json_pack("{s:s}", "port", name), json_integer_value(item));
	json_decref(counts);
	return metrics;
}

/* @escape: the characters that have a backslash before them. */
static void print_escaped(FILE *f, const char *text, const char *escape)
{
	for (; *text; text++) {
		if (*text == '\n')
			fputs("\\n", f);
		else
			fprintf(f, "%s%c", strchr(escape, *text) ? "\\" : "", *text);
	}
}

static void print_sample(FILE *f, const char *name, const json_t *sample)
{
	json_t *labels = json_object_get(sample, "labels");
	const char *label, *separator = "{";
	json_t *value;

	fputs(name, f);
	json_object_foreach(labels, label, value) {
		fprintf(f, "%s%s=\"", separator, label);
		print_escaped(f, json_string_value(value), "\\\"");
		fputc('"', f);
		separator = ",";
	}
	if (json_object_size(labels))
		fputc('}', f);
	/* Counters have 64 bits, JSON's integers a sign among them. */
	fprintf(f, " %llu\n", (unsigned long long)json_int(sample, "value"));
}

void metrics_print(FILE *f, json_t *metrics)
{
	json_t *metric, *sample;
	const char *name;
	size_t i;

	json_object_foreach(metrics, name, metric) {
		fprintf(f, "# HELP %s ", name);
		print_escaped(f, json_str(metric, "help"), "\\");
		fprintf(f, "\n# TYPE %s %s\n", name, json_str(metric, "type"));
		json_array_foreach(json_object_get(metric, "samples"), i, sample)
			print_sample(f, name, sample);
	}
}

static int write_file(const struct ctx *ctx, const char *path, json_t *metrics)
{
	char *text;
	size_t len;
	FILE *f;
	int rc;

	f = check_alloc(open_memstream(&text, &len));
	metrics_print(f, metrics);
	fclose(f);
	rc = file_replace(ctx, path, text, len);
	free(text);
	return rc;
}

static int metrics_run(struct ctx *ctx, int argc, char **argv)
{
	json_t *ports = NULL, *couplings = NULL, *addresses = NULL, *metrics;
	const char *path = NULL;
	const struct word_option options[] = {
		{ .name = "o", .value = &path },
		{ .name = NULL }
	};
	int rc, print_rc = RC_OK;

	if (word_options(ctx, options, &argc, argv))
		return RC_USAGE;
	if (argc)
		return usage_extra(ctx, argv[0]);

	rc = ivnl_fetch(ctx, &ivnl_kind_port, NULL, &ports);
	if (!rc)
		rc = ivnl_fetch(ctx, &ivnl_kind_coupling, NULL, &couplings);
	if (!rc)
		rc = ivnl_fetch(ctx, &ivnl_kind_address, NULL, &addresses);

	/* That nothing could be read is worth knowing: better than old figures. */
	metrics = metrics_collect(rc ? NULL : ports, couplings, addresses);
	if (path)
		print_rc = write_file(ctx, path, metrics);
	else if (ctx->json)
		print_rc = print_json(ctx, json_incref(metrics));
	else
		metrics_print(ctx->out, metrics);
	json_decref(metrics);
	json_decref(ports);
	json_decref(couplings);
	json_decref(addresses);
	return rc ? rc : print_rc;
}

static const struct verb metrics_verbs[] = {
	{ "", NULL, "[-o FILE]", "", metrics_run },
	{ .name = NULL }
};

const struct object command_metrics = {
	.name = "metrics",
	.help = "every counter and state for Prometheus",
	.verbs = metrics_verbs,
	.more =
	"  -o FILE  write FILE at once, for the textfile collector of node_exporter\n"
	"If nothing can be read, ivshm_up is 0 and the exit status 1.\n",
};
