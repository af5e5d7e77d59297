// SPDX-License-Identifier: GPL-2.0
/* What the user typed, and telling the user what is wrong with it. */
#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "ivmctl.h"
#include "output.h"

/* Longest word for which a suggestion is looked for. */
#define SUGGEST_MAX	32
/* Most options of one command. */
#define OPTIONS_MAX	8

static void __printf(2, 0) vcomplain(const struct ctx *ctx, const char *fmt,
				     va_list ap)
{
	/* Output of commands before this one comes before the complaint. */
	fflush(ctx->out);
	if (ctx->file)
		fprintf(stderr, "%s:%u: ", ctx->file, ctx->line);
	else
		fputs("ivmctl: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
}

void complain(const struct ctx *ctx, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vcomplain(ctx, fmt, ap);
	va_end(ap);
}

void print_usage(FILE *f, const struct object *object, const struct verb *verb)
{
	if (!object)
		fputs("usage: ivmctl [OPTIONS] OBJECT [VERB] [ARGUMENTS], see ivmctl help\n", f);
	else if (!verb)
		fprintf(f, "usage: ivmctl %s [VERB] [ARGUMENTS], see ivmctl %s help\n",
			object->name, object->name);
	else
		fprintf(f, "usage: ivmctl %s%s%s%s%s\n", object->name,
			*verb->name ? " " : "", verb->name,
			*verb->args ? " " : "", verb->args);
}

int usage(const struct ctx *ctx, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vcomplain(ctx, fmt, ap);
	va_end(ap);
	print_usage(stderr, ctx->object, ctx->verb);
	return RC_USAGE;
}

int usage_missing(const struct ctx *ctx, const char *what)
{
	return usage(ctx, "missing argument: %s", what);
}

int usage_extra(const struct ctx *ctx, const char *word)
{
	if (*word == '-')
		return word_name(ctx, "argument", word);
	return usage(ctx, "unexpected argument \"%s\"", word);
}

int word_match(const char *word, const char *const *words)
{
	size_t len = strlen(word);
	int found = WORD_NONE;
	int i;

	if (!len)
		return WORD_NONE;

	for (i = 0; words[i]; i++) {
		if (strncmp(word, words[i], len))
			continue;
		if (!words[i][len])
			return i;
		found = found == WORD_NONE ? i : WORD_AMBIGUOUS;
	}
	return found;
}

static unsigned int min_of(unsigned int a, unsigned int b)
{
	return a < b ? a : b;
}

/*
 * Letters to insert, remove, replace or swap with their neighbour to get from
 * one word to the other, without regard to case.
 */
static unsigned int distance(const char *a, const char *b)
{
	unsigned int d[SUGGEST_MAX + 1][SUGGEST_MAX + 1];
	unsigned int la = (unsigned int)strlen(a), lb = (unsigned int)strlen(b);
	unsigned int i, j;

	if (la > SUGGEST_MAX || lb > SUGGEST_MAX)
		return SUGGEST_MAX;

	for (i = 0; i <= la; i++)
		d[i][0] = i;
	for (j = 0; j <= lb; j++)
		d[0][j] = j;
	for (i = 1; i <= la; i++) {
		for (j = 1; j <= lb; j++) {
			int ca = tolower((unsigned char)a[i - 1]);
			int cb = tolower((unsigned char)b[j - 1]);

			d[i][j] = min_of(min_of(d[i - 1][j], d[i][j - 1]) + 1,
					 d[i - 1][j - 1] + (ca != cb));
			if (i > 1 && j > 1 && ca != cb &&
			    ca == tolower((unsigned char)b[j - 2]) &&
			    cb == tolower((unsigned char)a[i - 2]))
				d[i][j] = min_of(d[i][j], d[i - 2][j - 2] + 1);
		}
	}
	return d[la][lb];
}

const char *word_suggest(const char *word, const char *const *words)
{
	/* In a short word two wrong letters leave nothing to recognise. */
	unsigned int best = strlen(word) < 4 ? 2 : 3;
	const char *suggestion = hint_synonym(word, words);
	int i;

	for (i = 0; words[i] && !suggestion; i++)
		if (!strcasecmp(word, words[i]))
			suggestion = words[i];
	if (suggestion)
		return suggestion;
	for (i = 0; words[i]; i++) {
		unsigned int d = distance(word, words[i]);

		if (d < best) {
			best = d;
			suggestion = words[i];
		}
	}
	return suggestion;
}

int word_unknown(const struct ctx *ctx, const char *kind, const char *word,
		 int match, const char *const *words)
{
	const char *suggestion;
	char list[256] = "";
	size_t len = 0;
	int i;

	if (*word == '-')
		return word_name(ctx, kind, word);

	for (i = 0; words[i] && len < sizeof(list); i++) {
		if (match == WORD_AMBIGUOUS &&
		    strncmp(word, words[i], strlen(word)))
			continue;
		len += (size_t)snprintf(list + len, sizeof(list) - len, "%s%s",
					len ? ", " : "", words[i]);
	}

	if (match == WORD_AMBIGUOUS)
		return usage(ctx, "%s \"%s\" is ambiguous: %s", kind, word, list);

	suggestion = word_suggest(word, words);
	if (suggestion)
		return usage(ctx, "unknown %s \"%s\", did you mean \"%s\"?",
			     kind, word, suggestion);
	return usage(ctx, "unknown %s \"%s\", expected one of: %s", kind, word,
		     list);
}

int word_pairs(const struct ctx *ctx, const char *kind, const char *const *words,
	       int argc, char **argv,
	       int (*take)(const struct ctx *ctx, void *arg, unsigned int option,
			   const char *value),
	       void *arg)
{
	unsigned int given = 0;
	int i, match;

	for (i = 0; i < argc; i += 2) {
		match = word_match(argv[i], words);
		if (match < 0)
			return word_unknown(ctx, kind, argv[i], match, words);
		if (given & 1U << match)
			return usage(ctx, "%s is given twice", words[match]);
		given |= 1U << match;
		if (i + 1 == argc)
			return usage(ctx, "missing argument: the value of %s", words[match]);
		if (take(ctx, arg, (unsigned int)match, argv[i + 1]))
			return RC_USAGE;
	}
	return 0;
}

int word_name(const struct ctx *ctx, const char *what, const char *word)
{
	if (!*word)
		return usage(ctx, "%s: a name must not be empty", what);
	if (*word == '-')
		return usage(ctx, "%s: options go before the object: ivmctl %s %s ...",
			     word, word, ctx->object ? ctx->object->name : "OBJECT");
	return 0;
}

static void unknown_option(const struct ctx *ctx, const char *word, const char *const *names)
{
	char list[128] = "";
	size_t len = 0;
	int i;

	for (i = 0; names[i] && len < sizeof(list); i++)
		len += (size_t)snprintf(list + len, sizeof(list) - len, "%s%s%s",
					i ? ", " : ", expected one of: ",
					names[i][1] ? "--" : "-", names[i]);
	usage(ctx, "unknown option \"%s\"%s (options of ivmctl itself go before %s)",
	      word, list, ctx->object->name);
}

/* The option that @word is, or whose unique beginning, as far as it goes. */
static const struct word_option *find_option(const struct ctx *ctx,
					     const struct word_option *options,
					     const char *word)
{
	char *name = check_alloc(strdup(word + strspn(word, "-")));
	const char *names[OPTIONS_MAX + 1] = { NULL };
	const char *suggestion;
	size_t i;
	int match;

	for (i = 0; options[i].name && i < OPTIONS_MAX; i++)
		names[i] = options[i].name;
	name[strcspn(name, "=")] = '\0';
	match = word_match(name, names);
	suggestion = match < 0 ? word_suggest(name, names) : NULL;
	free(name);
	if (match >= 0)
		return &options[match];

	if (suggestion)
		usage(ctx, "unknown option \"%s\", did you mean \"%s%s\"?", word,
		      suggestion[1] ? "--" : "-", suggestion);
	else
		unknown_option(ctx, word, names);
	return NULL;
}

int word_options(const struct ctx *ctx, const struct word_option *options,
		 int *argc, char **argv)
{
	const struct word_option *option;
	bool end = false;
	int i, nr = 0;

	for (i = 0; i < *argc; i++) {
		char *word = argv[i], *name = word + strspn(word, "-");
		size_t len = strcspn(name, "=");

		/* A dash by itself is standard input. */
		if (end || *word != '-' || !strcmp(word, "-")) {
			argv[nr++] = word;
			continue;
		}
		if (!strcmp(word, "--")) {
			end = true;
			continue;
		}
		option = find_option(ctx, options, word);
		if (!option)
			return RC_USAGE;
		if (option->flag) {
			if (name[len])
				return usage(ctx, "option %.*s takes no argument",
					     (int)(name - word + (long)len), word);
			*option->flag = true;
		} else if (name[len]) {
			*option->value = name + len + 1;
		} else if (++i < *argc) {
			*option->value = argv[i];
		} else {
			return usage(ctx, "option %s needs an argument", word);
		}
	}
	*argc = nr;
	return 0;
}

bool word_number(const char *word, bool scaled, uint64_t *value)
{
	static const char prefixes[] = "kmgt";
	size_t digits = strspn(word, "0123456789");
	unsigned int power = 0, base = 1000;
	const char *prefix, *rest;

	if (!digits)
		return false;
	rest = word + digits;
	if (*rest && scaled) {
		prefix = strchr(prefixes, *rest | 0x20);
		if (!prefix)
			return false;
		power = (unsigned int)(prefix - prefixes) + 1;
		if (*++rest == 'i') {
			base = 1024;
			rest++;
		}
	}
	if (*rest)
		return false;
	/* Overflow gives UINT64_MAX, which is out of any range. */
	*value = strtoull(word, NULL, 10);
	while (power--)
		*value = *value > UINT64_MAX / base ? UINT64_MAX : *value * base;
	return true;
}

int word_u32(const struct ctx *ctx, const char *what, const char *unit,
	     const char *word, uint32_t *value)
{
	unsigned long long n;
	size_t digits = strspn(word, "0123456789");

	if (!digits || word[digits])
		return usage(ctx, "%s: \"%s\" is not a whole number of %s", what,
			     word, unit);
	/* Overflow gives ULLONG_MAX, which is out of range as well. */
	n = strtoull(word, NULL, 10);
	if (n > UINT32_MAX)
		return usage(ctx, "%s: %s %s is out of range", what, word, unit);
	*value = (uint32_t)n;
	return 0;
}

int word_size(const struct ctx *ctx, const char *what, const char *word,
	      uint64_t *value)
{
	static const char units[] = "KMGT";
	size_t digits = strspn(word, "0123456789");
	const char *unit = NULL;
	unsigned int shift;

	if (digits && digits < 20 && word[digits]) {
		unit = strchr(units, word[digits] & ~0x20);
		/* As "16MiB", too. */
		if (!unit || (word[digits + 1] && strcmp(word + digits + 1, "iB")))
			digits = 0;
	}
	if (!digits)
		return usage(ctx, "%s: \"%s\" is no size, as 4096, 64K, 16M, 1G or 1T",
			     what, word);
	shift = unit ? 10 * (unsigned int)(unit - units + 1) : 0;
	*value = strtoull(word, NULL, 10);
	if (digits > 19 || *value > UINT64_MAX >> shift)
		return usage(ctx, "%s: %s is out of range", what, word);
	*value <<= shift;
	return 0;
}
