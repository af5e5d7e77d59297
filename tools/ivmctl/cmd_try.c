// SPDX-License-Identifier: GPL-2.0
/* ivmctl try, confirm */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "change.h"
#include "conf.h"
#include "output.h"
#include "signals.h"
#include "trial.h"

/* A day: who needs more does not try. */
#define SECONDS_MAX	86400
/* Milliseconds after which the terminal of a background job is looked at again. */
#define BACKGROUND_MS	500

enum verdict {
	VERDICT_WAITING,
	VERDICT_CONFIRMED,
	VERDICT_DECLINED,	/* by the user */
	VERDICT_TIMED_OUT,
	VERDICT_CUT_OFF,		/* by a signal, or the terminal is gone */
};

static int64_t now_ms(void)
{
	struct timespec now;

	/* The time that the machine sleeps counts. */
	clock_gettime(CLOCK_BOOTTIME, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

/* What the user typed. */
static enum verdict read_terminal(const struct ctx *ctx)
{
	char line[64];
	ssize_t n = read(STDIN_FILENO, line, sizeof(line) - 1);

	if (n < 0 && errno == EINTR)
		return VERDICT_WAITING;
	if (n <= 0)
		return VERDICT_CUT_OFF;
	line[n] = '\0';
	line[strcspn(line, "\r\n")] = '\0';
	if (!*line || !strcasecmp(line, "y") || !strcasecmp(line, "yes"))
		return VERDICT_CONFIRMED;
	if (!strcasecmp(line, "n") || !strcasecmp(line, "no"))
		return VERDICT_DECLINED;
	fputs("Enter or \"yes\" to keep the changes, \"no\" to take them back.\n", ctx->out);
	fflush(ctx->out);
	return VERDICT_WAITING;
}

static bool in_foreground(void)
{
	return tcgetpgrp(STDIN_FILENO) == getpgrp();
}

static enum verdict wait_for_verdict(const struct ctx *ctx, int signals,
				     int listener, bool terminal, int64_t end)
{
	struct pollfd fds[] = {
		{ .fd = signals, .events = POLLIN },
		{ .fd = listener, .events = POLLIN },
		{ .fd = terminal ? STDIN_FILENO : -1, .events = POLLIN },
	};
	enum verdict verdict = VERDICT_WAITING;

	while (verdict == VERDICT_WAITING) {
		int64_t left = end - now_ms();
		bool mine = terminal && in_foreground();

		if (left <= 0)
			return VERDICT_TIMED_OUT;
		fds[2].fd = mine ? STDIN_FILENO : -1;
		if (terminal && !mine && left > BACKGROUND_MS)
			left = BACKGROUND_MS;
		if (poll(fds, ARRAY_SIZE(fds), (int)left) < 0 && errno != EINTR)
			return VERDICT_CUT_OFF;
		/* It may have been stopped, and the guard acted. */
		if (end <= now_ms())
			return VERDICT_TIMED_OUT;
		if (fds[0].revents)
			return VERDICT_CUT_OFF;
		if (fds[1].revents && trial_knock(listener))
			return VERDICT_CONFIRMED;
		if (mine && fds[2].revents)
			verdict = read_terminal(ctx);
	}
	return verdict;
}

static int conclude(struct ctx *ctx, const struct changes *changes,
		    enum verdict verdict)
{
	static const char *const why[] = {
		[VERDICT_DECLINED] = "declined",
		[VERDICT_TIMED_OUT] = "not confirmed in time",
		[VERDICT_CUT_OFF] = "interrupted",
	};

	if (verdict == VERDICT_CONFIRMED) {
		fputs("The changes are kept.\n", ctx->out);
		return RC_OK;
	}
	if (changes_undo(ctx, changes))
		complain(ctx, "%s, but not everything could be undone", why[verdict]);
	else
		complain(ctx, "%s: the changes were taken back", why[verdict]);
	return RC_REFUSED;
}

static int try_changes(struct ctx *ctx, const struct changes *changes,
		       unsigned int seconds, int signals, int listener)
{
	bool terminal = isatty(STDIN_FILENO);
	int rc, guard;
	int64_t end;

	guard = trial_guard(ctx, changes, seconds);
	if (guard < 0)
		return RC_REFUSED;
	rc = changes_make(ctx, changes);
	if (!rc) {
		end = now_ms() + seconds * 1000LL;
		trial_made(guard);
		changes_print_sum(ctx->out, changes);
		fprintf(ctx->out, "Taken back in %u s unless confirmed by %s\"ivmctl confirm\".\n",
			seconds, terminal ? "Enter, or elsewhere by " : "");
		fflush(ctx->out);
		rc = conclude(ctx, changes,
			      wait_for_verdict(ctx, signals, listener, terminal, end));
	}
	trial_done(guard);
	return rc;
}

static int try_with_signals(struct ctx *ctx, const struct changes *changes,
			    unsigned int seconds)
{
	int signals = signals_open();
	int rc = RC_REFUSED;
	int listener;

	if (signals < 0) {
		complain(ctx, "cannot wait for signals: %s", strerror(errno));
		return RC_REFUSED;
	}
	/* Ctrl-Z must not stop the clock. */
	signal(SIGTSTP, SIG_IGN);
	listener = trial_listen(ctx);
	if (listener >= 0) {
		rc = try_changes(ctx, changes, seconds, signals, listener);
		close(listener);
	}
	signals_close(signals);
	return rc;
}

static int try_run(struct ctx *ctx, int argc, char **argv)
{
	bool keep = false;
	const struct word_option options[] = {
		{ .name = "keep", .flag = &keep },
		{ .name = NULL }
	};
	struct changes changes;
	struct conf conf;
	uint32_t seconds;
	int rc;

	if (ctx->file)
		return usage(ctx, "try is not for a batch");
	if (word_options(ctx, options, &argc, argv))
		return RC_USAGE;
	if (!argc)
		return usage_missing(ctx, "SECONDS");
	if (word_u32(ctx, "SECONDS", "seconds", argv[0], &seconds))
		return RC_USAGE;
	if (!seconds || seconds > SECONDS_MAX)
		return usage(ctx, "SECONDS: %u is out of range (1 to %u)", seconds,
			     SECONDS_MAX);

	rc = changes_read(ctx, &changes, &conf, argv + 1, argc - 1, keep);
	if (!rc && !changes.nr)
		changes_print_sum(ctx->out, &changes);
	if (!rc && changes.nr)
		rc = try_with_signals(ctx, &changes, seconds);
	changes_free(&changes);
	conf_free(&conf);
	return rc;
}

static int confirm_run(struct ctx *ctx, int argc, char **argv)
{
	if (argc)
		return usage_extra(ctx, argv[0]);
	return trial_confirm(ctx);
}

static const struct verb try_verbs[] = {
	{ "", NULL, "[--keep] SECONDS [FILE|DIRECTORY]...", "", try_run },
	{ .name = NULL }
};

const struct object command_try = {
	.name = "try",
	.help = "apply, and take back unless confirmed within some seconds",
	.verbs = try_verbs,
	.more =
	"Confirm by Enter on the terminal, or by \"ivmctl confirm\" anywhere else. The\n"
	"changes are taken back also when the terminal hangs up or ivmctl is killed.\n"
	"  --keep     let be what no file declares\n",
};

static const struct verb confirm_verbs[] = {
	{ "", NULL, "", "", confirm_run },
	{ .name = NULL }
};

const struct object command_confirm = {
	.name = "confirm",
	.help = "keep what \"ivmctl try\" changed",
	.verbs = confirm_verbs,
};
