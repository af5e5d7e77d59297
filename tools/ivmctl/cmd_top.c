// SPDX-License-Identifier: GPL-2.0
/* ivmctl top */
#include <curses.h>
#include <errno.h>
#include <locale.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "nl.h"
#include "output.h"
#include "rates.h"
#include "signals.h"

/* Seconds between two samples. */
#define INTERVAL_MAX	3600

/**
 * struct top - a run of the command
 * @ctx:     complaints go by it
 * @seconds: between two samples
 * @csv:     print comma-separated values
 * @by_name: sort by name
 * @skip:    lines above the first one that is shown
 * @before:  the last sample
 */
struct top {
	struct ctx *ctx;
	unsigned int seconds;
	bool csv;
	bool by_name;
	int skip;
	struct sample before;
};

/* The next sample's rates, which the caller owns. NULL after a complaint. */
static json_t *next_rates(struct top *top)
{
	struct sample after;
	json_t *rates;

	if (sample_take(top->ctx, &after))
		return NULL;
	rates = rates_find(&top->before, &after, top->by_name);
	sample_free(&top->before);
	top->before = after;
	return rates;
}

/*
 * One after the other, to a file
 */

static int print_rates(struct top *top, json_t *rates)
{
	struct ctx *ctx = top->ctx;
	struct timespec now;
	char text[64];

	if (ctx->json)
		return print_json(ctx, rates);
	if (top->csv) {
		clock_gettime(CLOCK_REALTIME, &now);
		format_time(&now, text, sizeof(text));
		rates_csv(ctx->out, rates, text);
	} else {
		rates_show(ctx, rates);
	}
	json_decref(rates);
	return RC_OK;
}

/* Until a signal comes, or @once. */
static int print_loop(struct top *top, bool once)
{
	struct pollfd end = { .fd = signals_open(), .events = POLLIN };
	int rc = RC_OK;
	json_t *rates;

	if (end.fd < 0) {
		complain(top->ctx, "cannot wait for signals: %s", strerror(errno));
		return RC_REFUSED;
	}
	if (top->csv)
		rates_csv_head(top->ctx->out);
	do {
		fflush(top->ctx->out);
		if (poll(&end, 1, (int)top->seconds * 1000) > 0)
			break;
		rates = next_rates(top);
		rc = rates ? print_rates(top, rates) : RC_REFUSED;
		if (!rc && fflush(top->ctx->out)) {
			complain(top->ctx, "cannot write the output: %s",
				 strerror(errno));
			rc = RC_REFUSED;
		}
	} while (!rc && !once);
	signals_close(end.fd);
	return rc;
}

/*
 * On a terminal
 */

/* Not further down than to the last line. */
static void limit_skip(struct top *top, const char *text)
{
	int nr = 0;

	for (; *text; text++)
		nr += *text == '\n';
	if (top->skip > nr - (LINES - 2))
		top->skip = nr > LINES - 2 ? nr - (LINES - 2) : 0;
}

/* Print what rates_show() would, from line @top->skip on, below the title. */
static void draw(struct top *top, const json_t *rates)
{
	struct ctx ctx = *top->ctx;
	char *text, *line, *next;
	int nr = 0;
	size_t len;

	ctx.color = false;
	ctx.out = check_alloc(open_memstream(&text, &len));
	rates_show(&ctx, rates);
	fclose(ctx.out);
	limit_skip(top, text);

	erase();
	attron(A_REVERSE);
	mvprintw(0, 0,
		 " ivmctl top  every %u s  sorted by %s   q: quit  s: sort  up, down: scroll ",
		 top->seconds, top->by_name ? "name" : "rate");
	attroff(A_REVERSE);
	for (line = text; *line; line = next, nr++) {
		next = strchr(line, '\n');
		*next++ = '\0';
		if (nr < top->skip || nr - top->skip + 2 >= LINES)
			continue;
		/* Heads have capitals only. */
		if (!strncmp(line, "PORT ", 5) || !strncmp(line, "PAIR ", 5))
			attron(A_BOLD);
		mvaddnstr(nr - top->skip + 2, 0, line, COLS);
		attroff(A_BOLD);
	}
	refresh();
	free(text);
}

/* Returns whether to go on. */
static bool key(struct top *top, int c)
{
	switch (c) {
	case 'q':
		return false;
	case 's':
		top->by_name = !top->by_name;
		break;
	case KEY_DOWN:
		top->skip++;
		break;
	case KEY_NPAGE:
		top->skip += LINES / 2;
		break;
	case KEY_UP:
		top->skip -= top->skip > 0;
		break;
	case KEY_PPAGE:
		top->skip = top->skip > LINES / 2 ? top->skip - LINES / 2 : 0;
		break;
	case KEY_HOME:
		top->skip = 0;
		break;
	}
	return true;
}

/* The whole numbers of seconds left until the next sample, in milliseconds. */
static int ms_left(const struct top *top)
{
	struct timespec now;
	int64_t left;

	clock_gettime(CLOCK_MONOTONIC, &now);
	left = top->before.ns + top->seconds * 1000000000LL -
	       (now.tv_sec * 1000000000LL + now.tv_nsec);
	return left > 0 ? (int)(left / 1000000) : 0;
}

static int screen_loop(struct top *top)
{
	json_t *rates = NULL, *fresh;
	struct sample again;
	SCREEN *screen;
	int rc = RC_OK;
	int c;

	/* Names may have letters of any kind. */
	setlocale(LC_CTYPE, "");
	screen = newterm(NULL, stdout, stdin);
	if (!screen) {
		complain(top->ctx, "cannot draw on the terminal \"%s\": use --once or --csv",
			 getenv("TERM") ? getenv("TERM") : "");
		return RC_REFUSED;
	}
	cbreak();
	noecho();
	keypad(stdscr, TRUE);
	curs_set(0);

	mvaddstr(0, 0, "Measuring ...");
	refresh();
	for (;;) {
		timeout(ms_left(top));
		c = getch();
		if (!key(top, c))
			break;
		if (c == ERR && !ms_left(top)) {
			fresh = next_rates(top);
			if (!fresh) {
				rc = RC_REFUSED;
				break;
			}
			json_decref(rates);
			rates = fresh;
		}
		if (rates)
			draw(top, rates);
	}
	endwin();
	delscreen(screen);
	json_decref(rates);
	/* The complaint went with the screen. */
	if (rc && !sample_take(top->ctx, &again)) {
		complain(top->ctx, "ports and couplings could not be read for a moment");
		sample_free(&again);
	}
	return rc;
}

static int top_run(struct ctx *ctx, int argc, char **argv)
{
	struct top top = { .ctx = ctx, .seconds = 1 };
	const char *interval = NULL;
	bool once = false;
	const struct word_option options[] = {
		{ .name = "once", .flag = &once },
		{ .name = "csv", .flag = &top.csv },
		{ .name = "by-name", .flag = &top.by_name },
		{ .name = "interval", .value = &interval },
		{ .name = NULL }
	};
	uint32_t seconds = 1;
	int rc;

	if (word_options(ctx, options, &argc, argv))
		return RC_USAGE;
	if (argc)
		return usage_extra(ctx, argv[0]);
	if (interval && word_u32(ctx, "interval", "seconds", interval, &seconds))
		return RC_USAGE;
	if (!seconds || seconds > INTERVAL_MAX)
		return usage(ctx, "interval: %u is out of range (1 to %u)", seconds,
			     INTERVAL_MAX);
	if (top.csv && ctx->json)
		return usage(ctx, "--csv and JSON are two formats");
	if (!once && !top.csv && !ctx->json && (ctx->file || !isatty(STDOUT_FILENO)))
		return usage(ctx, "without a terminal: use --once, --csv or -j");

	top.seconds = seconds;
	if (sample_take(ctx, &top.before))
		return RC_REFUSED;
	if (once || top.csv || ctx->json)
		rc = print_loop(&top, once);
	else
		rc = screen_loop(&top);
	sample_free(&top.before);
	return rc;
}

static const struct verb top_verbs[] = {
	{ "", NULL, "[--once] [--csv] [--by-name] [--interval SECONDS]", "", top_run },
	{ .name = NULL }
};

const struct object command_top = {
	.name = "top",
	.help = "what ports and pairs do in a second, live",
	.verbs = top_verbs,
	.more =
	"  --once        one interval, then end\n"
	"  --csv         comma-separated values, a line for each port and pair\n"
	"  --by-name     sort by name, not by rate\n"
	"  --interval S  seconds between two samples (1)\n"
	"Keys: q quit, s sort, arrows and page keys scroll.\n",
};
