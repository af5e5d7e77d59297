// SPDX-License-Identifier: GPL-2.0
/* ivmctl coupling */
#include <string.h>

#include "coupling.h"
#include "nl.h"
#include "output.h"
#include "verbs.h"

/* Words that say what the next one is, after those of options. */
enum {
	OPT_PORT = COUPLING_OPTIONS,
	OPT_UPPER,
	OPT_DENY,
	OPTIONS,
};

/* Written out in full, so that they do not take names away from ports. */
static const char *options[OPTIONS + 1];

static void fill_options(void)
{
	int i;

	for (i = 0; i < COUPLING_OPTIONS; i++)
		options[i] = coupling_options[i].word;
	options[OPT_PORT] = "port";
	options[OPT_UPPER] = "upper";
	options[OPT_DENY] = "deny";
}

static int parse_type(const struct ctx *ctx, const char *word, uint32_t *type)
{
	int match = word_match(word, coupling_type_words);

	if (match < 0)
		return word_unknown(ctx, "type", word, match, coupling_type_words);
	*type = (uint32_t)match;
	return 0;
}

static int parse_word(const struct ctx *ctx, const struct coupling_option *option,
		      const char *word, uint64_t *value)
{
	static const char *const no_yes[] = { "no", "yes", NULL };
	int match = word_match(word, option->words ? option->words : no_yes);

	if (match < 0 && option->words)
		return word_unknown(ctx, option->word, word, match, option->words);
	if (match < 0)
		return usage(ctx, "%s: expected yes or no, not \"%s\"", option->word,
			     word);
	*value = (uint64_t)match;
	return 0;
}

static int parse_number(const struct ctx *ctx, const struct coupling_option *option,
			const char *word, uint64_t *value)
{
	uint32_t n = 0;
	int rc;

	if (option->scaled) {
		if (word_number(word, true, value))
			return 0;
		return usage(ctx, "%s: \"%s\" is not a number of %s, as 500, 10k, 10M or %s",
			     option->word, word, option->unit, option->zero);
	}
	rc = word_u32(ctx, option->word, option->unit, word, &n);
	*value = n;
	return rc;
}

static int parse_option(const struct ctx *ctx, json_t *decl,
			const struct coupling_option *option, const char *word)
{
	uint64_t value = 0;
	int rc = 0;

	if (json_object_get(decl, option->key))
		return usage(ctx, "%s is given twice", option->word);

	if (!option->unit)
		rc = parse_word(ctx, option, word, &value);
	else if (!option->zero || strcmp(word, option->zero))
		rc = parse_number(ctx, option, word, &value);
	if (!rc)
		coupling_set(decl, option, value);
	return rc;
}

static int option_of(const char *word)
{
	int i;

	for (i = 0; options[i]; i++)
		if (!strcmp(word, options[i]))
			return i;
	return -1;
}

/* An option as others write it, "--idle" or "idle=30", or several ports in one word. */
static int check_form(const struct ctx *ctx, const char *word)
{
	const char *name = word + strspn(word, "-");
	size_t len = strcspn(name, "=");
	int i;

	for (i = 0; options[i] && (name > word || name[len]); i++)
		if (strlen(options[i]) == len && !strncmp(name, options[i], len))
			return usage(ctx, "\"%s\": options of a coupling are two words, \"%s %s\"",
				     word, options[i], name[len] ? name + len + 1 : "VALUE");
	if (strpbrk(word, ",="))
		return usage(ctx,
			     "\"%s\": words stand apart. (For a port of that name write \"port %s\".)",
			     word, word);
	return 0;
}

/*
 * A word that is no option is the name of a port, which need not exist: a
 * misspelt option would become a port that never comes. So a word close to
 * an option must be marked as a port, unless it has a digit as most
 * interfaces have and no option has.
 */
static int check_member(const struct ctx *ctx, const char *word)
{
	const char *option, *hint = hint_option(word);
	int match;

	if (check_form(ctx, word) || word_name(ctx, "PORT", word))
		return RC_USAGE;
	if (hint)
		return usage(ctx,
			     "unknown option \"%s\": %s. (For a port of that name write \"port %s\".)",
			     word, hint, word);
	if (strlen(word) < 3 || strpbrk(word, "0123456789"))
		return 0;

	match = word_match(word, options);
	option = match >= 0 ? options[match] : word_suggest(word, options);
	if (option)
		return usage(ctx,
			     "unknown option \"%s\", did you mean \"%s\"? (For a port of that name write \"port %s\".)",
			     word, option, word);
	return 0;
}

/* "deny" or "allow", SENDER and RECEIVER */
static int parse_denial(const struct ctx *ctx, json_t *decl, int argc, char **argv)
{
	if (argc < 3)
		return usage(ctx, "missing argument: %s needs SENDER and RECEIVER", argv[0]);
	if (word_name(ctx, "SENDER", argv[1]) || word_name(ctx, "RECEIVER", argv[2]))
		return RC_USAGE;
	coupling_add_denial(decl, argv[0], argv[1], argv[2]);
	return 0;
}

static int parse_rest(const struct ctx *ctx, json_t *decl, int argc, char **argv)
{
	int i, option;

	for (i = 0; i < argc; i++) {
		option = option_of(argv[i]);
		if (option == OPT_DENY) {
			if (parse_denial(ctx, decl, argc - i, argv + i))
				return RC_USAGE;
			i += 2;
			continue;
		}
		if (option < 0) {
			if (!coupling_word_is_rule(argv[i]) && check_member(ctx, argv[i]))
				return RC_USAGE;
			coupling_add_word(decl, argv[i]);
			continue;
		}
		if (++i == argc)
			return usage(ctx, "missing argument: the value of %s",
				     options[option]);
		if (option == OPT_PORT)
			coupling_add_member(decl, argv[i]);
		else if (option == OPT_UPPER && word_name(ctx, "DEVICE", argv[i]))
			return RC_USAGE;
		else if (option == OPT_UPPER)
			coupling_add_rule(decl, "upper", argv[i]);
		else if (parse_option(ctx, decl, &coupling_options[option], argv[i]))
			return RC_USAGE;
	}
	if (!coupling_has_members(decl))
		return usage_missing(ctx, json_array_size(json_object_get(decl, "members")) ?
				     "a second PORT" : "PORT");
	return 0;
}

static int coupling_add(struct ctx *ctx, int argc, char **argv)
{
	uint32_t type = 0;
	json_t *decl;
	int rc;

	if (!argc)
		return usage_missing(ctx, "NAME");
	if (word_name(ctx, "NAME", argv[0]))
		return RC_USAGE;
	if (argc < 2)
		return usage_missing(ctx, "the type, static or dynamic");
	if (word_match(argv[1], coupling_type_words) < 0 &&
	    (!strcmp(argv[0], "static") || !strcmp(argv[0], "dynamic")))
		return usage(ctx, "the name comes before the type: ivmctl coupling add %s %s",
			     argv[1], argv[0]);
	if (parse_type(ctx, argv[1], &type))
		return RC_USAGE;

	fill_options();
	decl = coupling_new(argv[0], type);
	rc = parse_rest(ctx, decl, argc - 2, argv + 2);
	if (!rc)
		rc = verb_send(ctx, decl, coupling_msg_new, "add coupling");
	json_decref(decl);
	return rc;
}

static int not_changeable(const struct ctx *ctx, const char *word)
{
	char list[256] = "";
	size_t len = 0;
	int i;

	if (check_form(ctx, word))
		return RC_USAGE;
	for (i = 0; i < COUPLING_OPTIONS; i++)
		if (coupling_options[i].change)
			len += (size_t)snprintf(list + len, sizeof(list) - len, "%s, ",
						options[i]);
	return usage(ctx,
		     "\"%s\" is no option that can be changed, as are %sallow and deny; for anything else delete the coupling and add it anew",
		     word, list);
}

static int parse_changes(const struct ctx *ctx, json_t *difference, int argc, char **argv)
{
	int i, option;

	for (i = 0; i < argc; i += 2) {
		option = option_of(argv[i]);
		if (option == OPT_DENY || !strcmp(argv[i], "allow")) {
			if (parse_denial(ctx, difference, argc - i, argv + i))
				return RC_USAGE;
			i++;
			continue;
		}
		if (option < 0 || option >= COUPLING_OPTIONS ||
		    !coupling_options[option].change)
			return not_changeable(ctx, argv[i]);
		if (i + 1 == argc)
			return usage(ctx, "missing argument: the value of %s", argv[i]);
		if (parse_option(ctx, difference, &coupling_options[option], argv[i + 1]))
			return RC_USAGE;
	}
	return 0;
}

static int coupling_change(struct ctx *ctx, int argc, char **argv)
{
	json_t *difference;
	int rc;

	if (!argc)
		return usage_missing(ctx, "NAME");
	if (word_name(ctx, "NAME", argv[0]))
		return RC_USAGE;
	if (argc == 1)
		return usage_missing(ctx, "an option");

	fill_options();
	difference = json_pack("{s:o}", "name", json_string_nocheck(argv[0]));
	rc = parse_changes(ctx, difference, argc - 1, argv + 1);
	if (!rc)
		rc = verb_send(ctx, difference, coupling_msg_set, "change coupling");
	json_decref(difference);
	return rc;
}

static int del_one(const struct ctx *ctx, const struct ivnl *nl, const char *name)
{
	struct nl_msg *msg;
	char what[128];
	bool full;

	msg = coupling_msg_del(nl, name, &full);
	snprintf(what, sizeof(what), "cannot delete coupling %s", name);
	return ivnl_request(ctx, nl, msg, full, NULL, what);
}

static int coupling_del(struct ctx *ctx, int argc, char **argv)
{
	return verb_each(ctx, argc, argv, "NAME", word_name, del_one);
}

static int coupling_show(struct ctx *ctx, int argc, char **argv)
{
	return verb_show(ctx, argc, argv, &ivnl_kind_coupling, show_couplings);
}

static const struct verb coupling_verbs[] = {
	{ "show", "list", "[NAME]", "show one coupling or all", coupling_show },
	{ "add", "new", "NAME static|dynamic PORT|RULE... [OPTION VALUE]...",
	  "join ports, whose VMs need not run yet", coupling_add },
	{ "del", "delete", "NAME...", "dissolve couplings", coupling_del },
	{ "change", "set", "NAME OPTION VALUE [OPTION VALUE]...",
	  "change options, who is denied, or switch it off, while frames flow",
	  coupling_change },
	{ .name = NULL }
};

const struct object object_coupling = {
	.name = "coupling",
	.help = "sets of ports whose frames go direct",
	.verbs = coupling_verbs,
	.more =
	"Types:\n"
	"  static   joined while the members run, no way to the uplink\n"
	"  dynamic  by the destination of each frame, all others to the uplink\n"
	"Options:\n"
	"  threshold N    frames within a second that join a pair (1), dynamic only\n"
	"  idle S         seconds without a frame that part it (30), 0 or never, dynamic only\n"
	"  park-us N      microseconds a frame waits for a full receiver (1000)\n"
	"  bypass yes|no  do not ask the bridge's rules (no), dynamic only\n"
	"  strict yes|no  only from addresses configured for the port (no)\n"
	"  match mac|ip   which address says whom a frame is for (mac), dynamic only\n"
	"  disabled yes|no  as if it were not there (no)\n"
	"  full park|drop  what cannot be delivered waits for park-us, or is dropped (park)\n"
	"  rate-bytes N   bytes a second that each member may send direct (none)\n"
	"  rate-frames N  frames a second, likewise (none)\n"
	"  deny A B       what A sends to B does not go direct; also patterns\n"
	"  allow A B      no longer denied, only to be changed\n"
	"  port NAME      a port, also one whose name is that of an option\n"
	"Rules, for ports that need not be named:\n"
	"  'vnet*'        a pattern for their names\n"
	"  ADDRESS        the port that this MAC or IP address is configured for\n"
	"  upper DEVICE   all on that Linux bridge, or on that lower device of macvtaps\n",
};
