// SPDX-License-Identifier: GPL-2.0
/* Options, the table of objects and verbs, and help. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ivmctl.h"
#include "nl.h"

#ifndef IVMCTL_VERSION
#define IVMCTL_VERSION "unknown"
#endif

#define NETNS_DIR "/run/netns"
/* Entries of a list of words, with "help" and the NULL at the end. */
#define WORDS_MAX 24

/* The first that a word is the beginning of: objects come before commands. */
static const struct object *const objects[] = {
	&object_port,
	&object_coupling,
	&object_address,
	&object_region,
	&object_peer,
	&object_capture,
	&object_monitor,
};

static const struct object *const commands[] = {
	&command_apply,
	&command_diff,
	&command_save,
	&command_try,
	&command_confirm,
	&command_doctor,
	&command_top,
	&command_metrics,
};

static const struct option long_options[] = {
	{ "json", no_argument, NULL, 'j' },
	{ "pretty", no_argument, NULL, 'p' },
	{ "stats", no_argument, NULL, 's' },
	{ "statistics", no_argument, NULL, 's' },
	{ "color", optional_argument, NULL, 'c' },
	{ "netns", required_argument, NULL, 'n' },
	{ "batch", required_argument, NULL, 'b' },
	{ "force", no_argument, NULL, 'f' },
	{ "version", no_argument, NULL, 'V' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 }
};

static void print_options(FILE *f)
{
	fputs("Options:\n"
	      "  -j, --json           print JSON\n"
	      "  -p, --pretty         print JSON, indented\n"
	      "  -s, --stats          print every counter\n"
	      "  -c, --color[=WHEN]   auto (as if not given), always or never\n"
	      "  -n, --netns NAME     work in the network namespace " NETNS_DIR "/NAME\n"
	      "  -b, --batch FILE     read commands from FILE, - for standard input\n"
	      "      --force          go on with the batch after an error\n"
	      "  -V, --version        print the version\n"
	      "  -h, --help           print this\n", f);
}

static void print_help(FILE *f)
{
	size_t i;

	fputs("usage: ivmctl [OPTIONS] OBJECT [VERB] [ARGUMENTS]\n"
	      "       ivmctl [OPTIONS]            ports, couplings and regions, in short\n"
	      "       ivmctl OBJECT help          more about an object\n\n"
	      "Objects:\n", f);
	for (i = 0; i < ARRAY_SIZE(objects); i++)
		fprintf(f, "  %-10s %s\n", objects[i]->name, objects[i]->help);
	fputs("Commands:\n", f);
	for (i = 0; i < ARRAY_SIZE(commands); i++)
		fprintf(f, "  %-10s %s\n", commands[i]->name, commands[i]->help);
	fputc('\n', f);
	print_options(f);
	fputs("\nAny unique beginning of an object or verb will do. See ivmctl(8).\n", f);
}

static bool is_command(const struct object *object)
{
	return !*object->verbs->name;
}

static void print_object_help(FILE *f, const struct object *object)
{
	const struct verb *verb;

	if (is_command(object)) {
		verb = object->verbs;
		fprintf(f, "ivmctl %s%s%s: %s\n", object->name,
			*verb->args ? " " : "", verb->args, object->help);
	} else {
		fprintf(f, "ivmctl %s: %s\n\n", object->name, object->help);
		for (verb = object->verbs; verb->name; verb++)
			fprintf(f, "  ivmctl %s %s%s%s\n      %s%s\n", object->name,
				verb->name, *verb->args ? " " : "", verb->args,
				verb->help,
				verb == object->verbs ? " (the default)" : "");
	}
	if (object->more)
		fprintf(f, "\n%s", object->more);
}

/* The object or command that @word is, or the beginning of. */
static const struct object *match_object(const char *word, int *match,
					 const char **names)
{
	size_t nr = ARRAY_SIZE(objects);
	size_t i;

	for (i = 0; i < nr; i++)
		names[i] = objects[i]->name;
	names[nr] = "help";
	*match = word_match(word, names);
	if (*match >= 0)
		return *match < (int)nr ? objects[*match] : NULL;
	if (*match == WORD_AMBIGUOUS)
		return NULL;

	for (i = 0; i < ARRAY_SIZE(commands); i++)
		names[i] = commands[i]->name;
	names[i] = NULL;
	*match = word_match(word, names);
	if (*match >= 0)
		return commands[*match];
	if (*match == WORD_AMBIGUOUS)
		return NULL;

	/* For the complaint. */
	for (i = 0; i < nr; i++)
		names[i] = objects[i]->name;
	for (i = 0; i < ARRAY_SIZE(commands); i++)
		names[nr + i] = commands[i]->name;
	names[nr + i] = "help";
	return NULL;
}

/* The object that @word is called, not just the beginning of, or with an s. */
static const struct object *named_object(const char *word)
{
	size_t i, len;

	for (i = 0; i < ARRAY_SIZE(objects); i++) {
		len = strlen(objects[i]->name);
		if (!strncmp(word, objects[i]->name, len) &&
		    (!word[len] || !strcmp(word + len, "s") || !strcmp(word + len, "es")))
			return objects[i];
	}
	return NULL;
}

/* The first object that has a verb @word, or NULL. */
static const struct object *object_with_verb(const char *word)
{
	const struct verb *verb;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(objects); i++)
		for (verb = objects[i]->verbs; verb->name; verb++)
			if (!strcmp(word, verb->name) ||
			    (verb->alias && !strcmp(word, verb->alias)))
				return objects[i];
	return NULL;
}

/* As "show ports", or without the object. Whether that is it, after a complaint. */
static bool is_turned_round(struct ctx *ctx, const char *verb, const char *word)
{
	const struct object *object = object_with_verb(verb), *named;

	if (!object)
		return false;
	named = word ? named_object(word) : NULL;
	ctx->object = named;
	if (named)
		usage(ctx, "the object comes before the verb: ivmctl %s %s", named->name, verb);
	else
		usage(ctx, "\"%s\" is a verb, the object comes before it, as in: ivmctl %s %s",
		      verb, object->name, verb);
	return true;
}

static const struct object *find_object(struct ctx *ctx, int argc, char **argv, bool *help)
{
	const char *names[WORDS_MAX] = { NULL };
	const struct object *object;
	int match;

	object = match_object(argv[0], &match, names);
	*help = !object && match >= 0;
	if (match >= 0 || is_turned_round(ctx, argv[0], argc > 1 ? argv[1] : NULL))
		return object;
	if (!strcmp(argv[0], "version"))
		usage(ctx, "\"version\" is an option: ivmctl --version");
	else
		word_unknown(ctx, "object or command", argv[0], match, names);
	return NULL;
}

/* @argv[1] is no verb of @object, and not the beginning of one. */
static void unknown_verb(struct ctx *ctx, const struct object *object, int argc, char **argv,
			 int match, const char *const *names)
{
	const char *word = argv[1], *hint = hint_verb(object, word);

	if (hint) {
		usage(ctx, "unknown verb \"%s\": %s", word, hint);
		return;
	}
	/* As "add coupling", where "add" is the beginning of "address". */
	if (strcmp(argv[0], object->name) && is_turned_round(ctx, argv[0], word))
		return;
	if (match == WORD_NONE && *word && *word != '-' && !word_suggest(word, names)) {
		if (argc > 2 && word_match(argv[2], names) >= 0) {
			usage(ctx, "unknown verb \"%s\", the verb comes first: ivmctl %s %s %s",
			      word, object->name, argv[2], word);
			return;
		}
		if (!strcmp(object->verbs->args, "[NAME]")) {
			usage(ctx, "unknown verb \"%s\", to show a %s: ivmctl %s show %s",
			      word, object->name, object->name, word);
			return;
		}
	}
	word_unknown(ctx, "verb", word, match, names);
}

static const struct verb *find_verb(struct ctx *ctx, const struct object *object,
				    int argc, char **argv, bool *help)
{
	const char *names[WORDS_MAX] = { NULL };
	const char *aliases[WORDS_MAX] = { NULL };
	const char *word = argv[1];
	size_t nr;
	int match;

	for (nr = 0; object->verbs[nr].name; nr++) {
		names[nr] = object->verbs[nr].name;
		aliases[nr] = object->verbs[nr].alias;
	}
	names[nr] = "help";

	match = word_match(word, names);
	*help = match == (int)nr;
	if (*help)
		return NULL;
	if (match == WORD_NONE && aliases[0]) {
		match = word_match(word, aliases);
		if (match < 0)
			match = WORD_NONE;
	}
	if (match >= 0)
		return &object->verbs[match];
	unknown_verb(ctx, object, argc, argv, match, names);
	return NULL;
}

static int run_help(struct ctx *ctx, int argc, char **argv)
{
	const struct object *object;
	bool help;

	if (!argc) {
		print_help(ctx->out);
		return RC_OK;
	}
	object = find_object(ctx, argc, argv, &help);
	if (object)
		print_object_help(ctx->out, object);
	else if (help)
		print_help(ctx->out);
	else
		return RC_USAGE;
	return RC_OK;
}

/* The option, wherever it stands: nobody asks for anything else then. */
static bool asks_for_help(int argc, char **argv)
{
	int i;

	for (i = 1; i < argc; i++)
		if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h"))
			return true;
	return false;
}

int run_command(struct ctx *ctx, int argc, char **argv)
{
	const struct object *object;
	const struct verb *verb;
	bool help;

	ctx->object = NULL;
	ctx->verb = NULL;

	object = find_object(ctx, argc, argv, &help);
	if (help)
		return run_help(ctx, argc - 1, argv + 1);
	if (!object)
		return RC_USAGE;
	ctx->object = object;

	if (asks_for_help(argc, argv)) {
		print_object_help(ctx->out, object);
		return RC_OK;
	}
	if (argc == 1 || is_command(object)) {
		ctx->verb = object->verbs;
		if (is_command(object) && argc > 1 && !strcmp(argv[1], "help")) {
			print_object_help(ctx->out, object);
			return RC_OK;
		}
		return ctx->verb->run(ctx, argc - 1, argv + 1);
	}

	verb = find_verb(ctx, object, argc, argv, &help);
	if (help) {
		print_object_help(ctx->out, object);
		return RC_OK;
	}
	if (!verb)
		return RC_USAGE;
	ctx->verb = verb;
	return verb->run(ctx, argc - 2, argv + 2);
}

static int parse_color(struct ctx *ctx, const char *when)
{
	static const char *const words[] = { "auto", "always", "never", NULL };
	const char *no_color = getenv("NO_COLOR");

	/* Plain -c is what iproute2 users type to have colour. */
	if (when && *when == '=')
		when++;
	if (!when || !strcmp(when, "always"))
		ctx->color = true;
	else if (!strcmp(when, "never"))
		ctx->color = false;
	else if (!strcmp(when, "auto"))
		ctx->color = isatty(STDOUT_FILENO) && !(no_color && *no_color);
	else
		return word_unknown(ctx, "argument of --color", when, WORD_NONE,
				    words);
	return RC_OK;
}

static int enter_netns(const struct ctx *ctx, const char *name)
{
	char path[256];
	int fd, n;

	if (!*name || strchr(name, '/') || !strcmp(name, ".") || !strcmp(name, ".."))
		return usage(ctx, "\"%s\" cannot be the name of a network namespace",
			     name);
	n = snprintf(path, sizeof(path), "%s/%s", NETNS_DIR, name);
	if (n >= (int)sizeof(path))
		return usage(ctx, "the name of the network namespace is too long");

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		complain(ctx, "cannot open network namespace %s: %s", name,
			 strerror(errno));
		return RC_REFUSED;
	}
	if (setns(fd, CLONE_NEWNET)) {
		complain(ctx, "cannot enter network namespace %s: %s", name,
			 strerror(errno));
		close(fd);
		return RC_REFUSED;
	}
	close(fd);
	return RC_OK;
}

/* The option getopt did not understand, or whose argument is missing. */
static int bad_option(const struct ctx *ctx, int how, const char *word)
{
	const char *names[ARRAY_SIZE(long_options)];
	const char *suggestion;
	size_t i;

	if (how == ':')
		return usage(ctx, "option %s needs an argument", word);

	for (i = 0; i < ARRAY_SIZE(long_options); i++)
		names[i] = long_options[i].name;
	suggestion = word_suggest(word + strspn(word, "-"), names);
	if (strlen(word) > 2 && suggestion)
		return usage(ctx, "unknown option \"%s\", did you mean \"--%s\"?",
			     word, suggestion);
	return usage(ctx, "unknown option \"%s\", see ivmctl --help", word);
}

/* Returns enum rc, or -1 if there is nothing left to do. */
static int parse_options(struct ctx *ctx, int argc, char **argv,
			 const char **batch)
{
	const char *netns = NULL;
	int c, at;

	opterr = 0;
	/* One dash is enough for long options: -json, -batch. */
	for (at = 1; (c = getopt_long_only(argc, argv, "+:jpsc::n:b:Vh",
					   long_options, NULL)) != -1;
	     at = optind) {
		switch (c) {
		case 'p':
			ctx->pretty = true;
			ctx->json = true;
			break;
		case 'j':
			ctx->json = true;
			break;
		case 's':
			ctx->stats = true;
			break;
		case 'c':
			if (parse_color(ctx, optarg))
				return RC_USAGE;
			break;
		case 'n':
			netns = optarg;
			break;
		case 'b':
			*batch = optarg;
			break;
		case 'f':
			ctx->force = true;
			break;
		case 'V':
			fputs("ivmctl " IVMCTL_VERSION "\n", ctx->out);
			return -1;
		case 'h':
			print_help(ctx->out);
			return -1;
		default:
			return bad_option(ctx, c, argv[at]);
		}
	}
	return netns ? enter_netns(ctx, netns) : RC_OK;
}

static int run(struct ctx *ctx, int argc, char **argv)
{
	const char *batch = NULL;
	int rc;

	parse_color(ctx, "auto");
	rc = parse_options(ctx, argc, argv, &batch);
	if (rc)
		return rc < 0 ? RC_OK : rc;

	if (batch && optind < argc)
		return usage(ctx, "unexpected argument \"%s\" beside a batch file",
			     argv[optind]);
	if (ctx->force && !batch)
		return usage(ctx, "--force is for a batch only");
	if (batch)
		return run_batch(ctx, batch);
	if (optind == argc)
		return overview(ctx);
	return run_command(ctx, argc - optind, argv + optind);
}

int main(int argc, char **argv)
{
	struct ctx ctx = { .out = stdout };
	int rc = run(&ctx, argc, argv);

	ivnl_close(ctx.nl);
	if (fflush(stdout) || ferror(stdout)) {
		complain(&ctx, "cannot write the output: %s", strerror(errno));
		rc = rc ? rc : RC_REFUSED;
	}
	return rc;
}
