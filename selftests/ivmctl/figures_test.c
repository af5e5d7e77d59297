// SPDX-License-Identifier: GPL-2.0
/* Messages of the kernel to metrics and rates. */
#include <jansson.h>
#include <stdlib.h>

#include "attr.h"
#include "ktap.h"
#include "message.h"
#include "metrics.h"
#include "output.h"
#include "rates.h"

/* A list with what is in @msg under @key. */
static json_t *list_of(struct nl_msg *msg, const char *key)
{
	json_t *list = json_array();
	json_t *decoded = attr_decode(nlmsg_hdr(msg));

	json_array_append(list, json_object_get(decoded, key));
	json_decref(decoded);
	nlmsg_free(msg);
	return list;
}

static char *metrics_text(const json_t *ports, const json_t *couplings,
			  const json_t *addresses)
{
	json_t *metrics = metrics_collect(ports, couplings, addresses);
	char *text;
	size_t len;
	FILE *f;

	f = open_memstream(&text, &len);
	metrics_print(f, metrics);
	fclose(f);
	json_decref(metrics);
	return text;
}

static int metrics_port(void)
{
	json_t *ports = list_of(message_port("vnet0"), "port");
	char *text = metrics_text(ports, NULL, NULL);
	char *rest = strstr(text, "# HELP ivshm_port_tx_flooded_total");
	int failed = !rest;

	if (rest)
		*rest = '\0';
	failed |= ktap_same("metrics of a port", text,
		"# HELP ivshm_up Whether the kernel module could be read.\n"
		"# TYPE ivshm_up gauge\n"
		"ivshm_up 1\n"
		"# HELP ivshm_port_info Upper device and coupling of the port, empty if none.\n"
		"# TYPE ivshm_port_info gauge\n"
		"ivshm_port_info{port=\"vnet0\",upper=\"lo\",coupling=\"lan0\"} 1\n"
		"# HELP ivshm_port_state 1 for the state of the port.\n"
		"# TYPE ivshm_port_state gauge\n"
		"ivshm_port_state{port=\"vnet0\",state=\"stopped\"} 0\n"
		"ivshm_port_state{port=\"vnet0\",state=\"running\"} 1\n"
		"ivshm_port_state{port=\"vnet0\",state=\"broken\"} 0\n"
		"# HELP ivshm_port_queue_pairs Queue pairs attached.\n"
		"# TYPE ivshm_port_queue_pairs gauge\n"
		"ivshm_port_queue_pairs{port=\"vnet0\"} 4\n"
		"# HELP ivshm_port_frames_total Frames sent (tx) and received (rx) by the guest.\n"
		"# TYPE ivshm_port_frames_total counter\n"
		"ivshm_port_frames_total{port=\"vnet0\",direction=\"tx\",path=\"direct\"} 1002\n"
		"ivshm_port_frames_total{port=\"vnet0\",direction=\"tx\",path=\"uplink\"} 1004\n"
		"ivshm_port_frames_total{port=\"vnet0\",direction=\"rx\",path=\"direct\"} 1006\n"
		"ivshm_port_frames_total{port=\"vnet0\",direction=\"rx\",path=\"uplink\"} 1008\n"
		"# HELP ivshm_port_bytes_total Bytes sent (tx) and received (rx) by the guest.\n"
		"# TYPE ivshm_port_bytes_total counter\n"
		"ivshm_port_bytes_total{port=\"vnet0\",direction=\"tx\",path=\"direct\"} 1003\n"
		"ivshm_port_bytes_total{port=\"vnet0\",direction=\"tx\",path=\"uplink\"} 1005\n"
		"ivshm_port_bytes_total{port=\"vnet0\",direction=\"rx\",path=\"direct\"} 1007\n"
		"ivshm_port_bytes_total{port=\"vnet0\",direction=\"rx\",path=\"uplink\"} 1009\n");
	free(text);
	json_decref(ports);
	return failed;
}

static int metrics_coupling(void)
{
	json_t *couplings = list_of(message_dynamic(), "coupling");
	json_t *addresses = list_of(message_address("vnet0", 1), "address");
	char *text = metrics_text(NULL, couplings, addresses);
	int failed = ktap_same("metrics of a coupling", text,
		"# HELP ivshm_up Whether the kernel module could be read.\n"
		"# TYPE ivshm_up gauge\n"
		"ivshm_up 0\n"
		"# HELP ivshm_coupling_info Type of the coupling.\n"
		"# TYPE ivshm_coupling_info gauge\n"
		"ivshm_coupling_info{coupling=\"lan0\",type=\"dynamic\"} 1\n"
		"# HELP ivshm_coupling_state 1 for the state of the coupling.\n"
		"# TYPE ivshm_coupling_state gauge\n"
		"ivshm_coupling_state{coupling=\"lan0\",state=\"waiting\"} 0\n"
		"ivshm_coupling_state{coupling=\"lan0\",state=\"ready\"} 0\n"
		"ivshm_coupling_state{coupling=\"lan0\",state=\"coupled\"} 1\n"
		"ivshm_coupling_state{coupling=\"lan0\",state=\"disabled\"} 0\n"
		"# HELP ivshm_coupling_members Members declared.\n"
		"# TYPE ivshm_coupling_members gauge\n"
		"ivshm_coupling_members{coupling=\"lan0\"} 3\n"
		"# HELP ivshm_coupling_members_present Members that exist and run.\n"
		"# TYPE ivshm_coupling_members_present gauge\n"
		"ivshm_coupling_members_present{coupling=\"lan0\"} 2\n"
		"# HELP ivshm_pair_info State of the pair, and why it is in it.\n"
		"# TYPE ivshm_pair_info gauge\n"
		"ivshm_pair_info{coupling=\"lan0\",src=\"vnet0\",dst=\"vnet1\",state=\"coupled\",reason=\"traffic\"} 1\n"
		"ivshm_pair_info{coupling=\"lan0\",src=\"vnet1\",dst=\"vnet10\",state=\"uplink\",reason=\"not-running\"} 1\n"
		"ivshm_pair_info{coupling=\"lan0\",src=\"vnet10\",dst=\"vnet0\",state=\"unknown-77\",reason=\"unknown-1234\"} 1\n"
		"# HELP ivshm_pair_direct 1 if frames go direct.\n"
		"# TYPE ivshm_pair_direct gauge\n"
		"ivshm_pair_direct{coupling=\"lan0\",src=\"vnet0\",dst=\"vnet1\"} 1\n"
		"ivshm_pair_direct{coupling=\"lan0\",src=\"vnet1\",dst=\"vnet10\"} 0\n"
		"ivshm_pair_direct{coupling=\"lan0\",src=\"vnet10\",dst=\"vnet0\"} 0\n"
		"# HELP ivshm_pair_frames_total Frames delivered direct.\n"
		"# TYPE ivshm_pair_frames_total counter\n"
		"ivshm_pair_frames_total{coupling=\"lan0\",src=\"vnet0\",dst=\"vnet1\"} 12345\n"
		"ivshm_pair_frames_total{coupling=\"lan0\",src=\"vnet1\",dst=\"vnet10\"} 0\n"
		"ivshm_pair_frames_total{coupling=\"lan0\",src=\"vnet10\",dst=\"vnet0\"} 1\n"
		"# HELP ivshm_pair_bytes_total Bytes delivered direct.\n"
		"# TYPE ivshm_pair_bytes_total counter\n"
		"ivshm_pair_bytes_total{coupling=\"lan0\",src=\"vnet0\",dst=\"vnet1\"} 1234500\n"
		"ivshm_pair_bytes_total{coupling=\"lan0\",src=\"vnet1\",dst=\"vnet10\"} 0\n"
		"ivshm_pair_bytes_total{coupling=\"lan0\",src=\"vnet10\",dst=\"vnet0\"} 100\n"
		"# HELP ivshm_port_addresses Addresses known to be at the port.\n"
		"# TYPE ivshm_port_addresses gauge\n"
		"ivshm_port_addresses{port=\"vnet0\"} 1\n");

	free(text);
	json_decref(couplings);
	json_decref(addresses);
	return failed;
}

/* a"b, a line feed, c. */
#define NAME "\"a\\\"b\\\\x0ac\""

/* Quotes and backslashes in a name; 64 bits without a sign. */
static int metrics_escape(void)
{
	json_t *ports = list_of(message_port("a\"b\nc"), "port");
	char *text;
	int failed;

	json_object_set_new(json_object_get(json_array_get(ports, 0), "stats"), "skbs",
			    json_integer(-1));
	text = metrics_text(ports, NULL, NULL);
	failed = !strstr(text, "ivshm_port_queue_pairs{port=" NAME "} 4\n") ||
		 !strstr(text, "ivshm_port_skbs_total{port=" NAME "} 18446744073709551615\n") ||
		 !strstr(text, "ivshm_port_drops_total{port=" NAME ",reason=\"full\"} 1011\n");
	if (failed)
		printf("# %s\n", text);
	free(text);
	json_decref(ports);
	return failed;
}

static void set(json_t *ports, const char *key, json_int_t value)
{
	json_object_set_new(json_object_get(json_array_get(ports, 0), "stats"), key,
			    json_integer(value));
}

/* Two seconds between two samples; what differs is said. */
static void two_samples(struct sample *before, struct sample *after)
{
	json_t *pair;

	*before = (struct sample) {
		.ports = list_of(message_port("vnet0"), "port"),
		.couplings = list_of(message_dynamic(), "coupling"),
		.ns = 1000000000,
	};
	*after = (struct sample) {
		.ports = list_of(message_port("vnet0"), "port"),
		.couplings = list_of(message_dynamic(), "coupling"),
		.ns = 3000000000,
	};
	set(after->ports, "tx_direct_frames", 1002 + 2000);
	set(after->ports, "tx_direct_bytes", 1003 + 2500000);
	set(after->ports, "drop_full", 1011 + 1);
	set(after->ports, "drop_memory", 2);
	pair = json_array_get(json_object_get(json_array_get(after->couplings, 0),
					      "pairs"), 2);
	json_object_set_new(pair, "frames", json_integer(1 + 1000));
}

static int rates_tables(void)
{
	struct sample before, after;
	struct ctx ctx = { 0 };
	json_t *rates;
	char *text;
	size_t len;
	int failed;

	two_samples(&before, &after);
	rates = rates_find(&before, &after, false);
	ctx.out = open_memstream(&text, &len);
	rates_show(&ctx, rates);
	fclose(ctx.out);
	failed = ktap_same("tables of rates", text,
			   "PORT   STATE    COUPLING  TX-DIRECT/s  TX-UPLINK/s  RX-DIRECT/s  RX-UPLINK/s  TX-Mbit/s  RX-Mbit/s  DROPS/s\n"
		"vnet0  running  lan0             1000            0            0            0         10          0      1.5\n"
		"\n"
		"PAIR             COUPLING  STATE       FRAMES/s  Mbit/s  REASON\n"
		"vnet10 -> vnet0  lan0      unknown-77       500       0  unknown-1234\n"
		"vnet0 -> vnet1   lan0      coupled            0       0  traffic\n"
		"vnet1 -> vnet10  lan0      uplink             0       0  not-running\n");
	free(text);
	json_decref(rates);
	sample_free(&before);
	sample_free(&after);
	return failed;
}

static int rates_values(void)
{
	struct sample before, after;
	json_t *rates;
	char *text;
	size_t len;
	int failed;
	FILE *f;

	two_samples(&before, &after);
	json_object_set_new(json_array_get(before.ports, 0), "name", json_string("a,\"b"));
	json_object_set_new(json_array_get(after.ports, 0), "name", json_string("a,\"b"));
	rates = rates_find(&before, &after, true);
	f = open_memstream(&text, &len);
	rates_csv_head(f);
	rates_csv(f, rates, "now");
	fclose(f);
	failed = ktap_same("comma-separated values", text,
			   "time,kind,name,to,coupling,state,tx_direct_frames,tx_direct_bytes,tx_uplink_frames,tx_uplink_bytes,rx_direct_frames,rx_direct_bytes,rx_uplink_frames,rx_uplink_bytes,drops\n"
		"now,port,\"a,\"\"b\",,lan0,running,1000.00,1250000.00,0.00,0.00,0.00,0.00,0.00,0.00,1.50\n"
		"now,pair,vnet0,vnet1,lan0,coupled,0.00,0.00,,,,,,,\n"
		"now,pair,vnet1,vnet10,lan0,uplink,0.00,0.00,,,,,,,\n"
		"now,pair,vnet10,vnet0,lan0,unknown-77,500.00,0.00,,,,,,,\n");
	free(text);
	json_decref(rates);
	sample_free(&before);
	sample_free(&after);
	return failed;
}

/* There is no rate of what is new, or counts anew. */
static int rates_restart(void)
{
	struct sample before, after;
	json_t *rates;
	int failed;

	two_samples(&before, &after);
	set(after.ports, "rx_uplink_bytes", 5);
	json_object_set_new(json_array_get(after.couplings, 0), "name", json_string("new"));
	rates = rates_find(&before, &after, false);
	failed = json_array_size(json_object_get(rates, "ports")) ||
		 json_array_size(json_object_get(rates, "pairs"));
	json_decref(rates);
	sample_free(&before);
	sample_free(&after);
	return failed;
}

int main(void)
{
	puts("TAP version 13\n1..6");
	ktap_run("metrics of a port", metrics_port);
	ktap_run("metrics of a coupling", metrics_coupling);
	ktap_run("metrics: hostile names, large values", metrics_escape);
	ktap_run("rates as tables", rates_tables);
	ktap_run("rates as comma-separated values", rates_values);
	ktap_run("rates of what counts anew", rates_restart);
	return ktap_failed != 0;
}
