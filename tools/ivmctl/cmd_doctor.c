// SPDX-License-Identifier: GPL-2.0
/* ivmctl doctor */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "doctor.h"
#include "nl.h"
#include "output.h"

void doctor_find(struct doctor *doctor, const char *severity, const char *object,
		 const char *text, const char *advice)
{
	json_array_append_new(doctor->findings,
			      json_pack("{s:s, s:s, s:o, s:o}",
					"severity", severity, "object", object,
					"text", json_text(text, strlen(text)),
					"advice", json_text(advice, strlen(advice))));
}

void doctor_findf(struct doctor *doctor, const char *severity, const char *object,
		  const char *advice, const char *fmt, ...)
{
	va_list ap;
	char *text;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		check_alloc(NULL);
	va_end(ap);
	doctor_find(doctor, severity, object, text, advice);
	free(text);
}

const json_t *doctor_port(const struct doctor *doctor, const char *name)
{
	json_t *port;
	size_t i;

	json_array_foreach(doctor->ports, i, port)
		if (!strcmp(json_str(port, "name"), name))
			return port;
	return NULL;
}

static void show_findings(const struct ctx *ctx, const json_t *findings)
{
	size_t i, problems = 0, hints = 0;
	json_t *finding;

	json_array_foreach(findings, i, finding) {
		bool problem = !strcmp(json_str(finding, "severity"), PROBLEM);

		problems += problem;
		hints += !problem;
		print_color(ctx, problem ? COLOR_BAD : COLOR_WAIT,
			    json_str(finding, "severity"));
		fputs(": ", ctx->out);
		print_color(ctx, COLOR_NAME, json_str(finding, "object"));
		fprintf(ctx->out, ": %s.\n    %s.\n", json_str(finding, "text"),
			json_str(finding, "advice"));
	}
	if (problems || hints)
		fprintf(ctx->out, "%zu problem%s, %zu hint%s.\n", problems,
			problems == 1 ? "" : "s", hints, hints == 1 ? "" : "s");
	else
		fputs("Nothing is wrong.\n", ctx->out);
}

static bool has_problem(const json_t *findings)
{
	json_t *finding;
	size_t i;

	json_array_foreach(findings, i, finding)
		if (!strcmp(json_str(finding, "severity"), PROBLEM))
			return true;
	return false;
}

static int doctor_run(struct ctx *ctx, int argc, char **argv)
{
	static const struct word_option options[] = { { .name = NULL } };
	struct doctor doctor = { .ctx = ctx };
	json_t *ports = NULL, *couplings = NULL;
	int rc = RC_OK;

	if (word_options(ctx, options, &argc, argv))
		return RC_USAGE;
	if (argc)
		return usage_extra(ctx, argv[0]);

	doctor.findings = check_alloc(json_array());
	doctor.taps = check_alloc(json_object());
	if (doctor_host(&doctor)) {
		if (ivnl_fetch(ctx, &ivnl_kind_port, NULL, &ports) ||
		    ivnl_fetch(ctx, &ivnl_kind_coupling, NULL, &couplings))
			rc = RC_REFUSED;
		doctor.ports = ports;
		doctor.couplings = couplings;
	}
	if (ports && couplings) {
		doctor_scan_taps(&doctor);
		doctor_taps(&doctor);
		doctor_couplings(&doctor);
	}

	if (has_problem(doctor.findings))
		rc = RC_REFUSED;
	if (ctx->json)
		print_json(ctx, json_incref(doctor.findings));
	else
		show_findings(ctx, doctor.findings);
	json_decref(doctor.findings);
	json_decref(doctor.taps);
	json_decref(ports);
	json_decref(couplings);
	return rc;
}

static const struct verb doctor_verbs[] = {
	{ "", NULL, "", "", doctor_run },
	{ .name = NULL }
};

const struct object command_doctor = {
	.name = "doctor",
	.help = "what is wrong with this host, and what to do",
	.verbs = doctor_verbs,
	.more =
	"A problem is what does not work, a hint what may be as it should. Exit\n"
	"status: 0 if there is no problem, 1 if there is.\n",
};
