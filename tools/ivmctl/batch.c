// SPDX-License-Identifier: GPL-2.0
/* Commands from a file, one a line. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ivmctl.h"

#define BLANKS	" \t\r\n"
/* Words on a line: the most members a coupling can have, with room. */
#define WORDS_MAX	256

/*
 * The next word of *@line, in place: its quotes go, whether around all of it
 * or a part. Returns NULL at the end or at a comment, and sets @open if a
 * quote is not closed.
 */
static char *next_word(char **line, bool *open)
{
	char *p = *line + strspn(*line, BLANKS);
	char *word = p, *end = p;
	char quote = '\0';

	if (!*p || *p == '#')
		return NULL;

	for (; *p && (quote || !strchr(BLANKS, *p)); p++) {
		if (quote && *p == quote)
			quote = '\0';
		else if (!quote && (*p == '"' || *p == '\''))
			quote = *p;
		else
			*end++ = *p;
	}
	*open = quote;
	*line = *p ? p + 1 : p;
	*end = '\0';
	return word;
}

static int run_line(struct ctx *ctx, char *line)
{
	char *words[WORDS_MAX + 1];
	bool open = false;
	int nr = 0;
	char *word;

	ctx->object = NULL;
	ctx->verb = NULL;

	while ((word = next_word(&line, &open))) {
		if (open)
			return usage(ctx, "a quote is not closed");
		if (nr == WORDS_MAX)
			return usage(ctx, "more than %d words", WORDS_MAX);
		words[nr++] = word;
	}
	words[nr] = NULL;
	if (!nr)
		return RC_OK;
	if (*words[0] == '-')
		return usage(ctx,
			     "%s: options are not for lines of a batch, give them to ivmctl itself",
			     words[0]);
	return run_command(ctx, nr, words);
}

/* Returns what the first line that failed returned. */
static int run_lines(struct ctx *ctx, FILE *f)
{
	char *line = NULL;
	size_t size = 0;
	int rc = RC_OK;

	for (ctx->line = 1; getline(&line, &size, f) >= 0; ctx->line++) {
		int line_rc = run_line(ctx, line);

		rc = rc ? rc : line_rc;
		if (line_rc && !ctx->force)
			break;
	}
	free(line);
	if (ferror(f)) {
		complain(ctx, "cannot read: %s", strerror(errno));
		rc = rc ? rc : RC_REFUSED;
	}
	return rc;
}

int run_batch(struct ctx *ctx, const char *file)
{
	FILE *f = stdin;
	int rc;

	if (strcmp(file, "-")) {
		f = fopen(file, "re");
		if (!f) {
			complain(ctx, "cannot open %s: %s", file, strerror(errno));
			return RC_REFUSED;
		}
	}

	ctx->file = f == stdin ? "stdin" : file;
	rc = run_lines(ctx, f);
	ctx->file = NULL;
	if (f != stdin)
		fclose(f);
	return rc;
}
