/* SPDX-License-Identifier: GPL-2.0 */
/*
 * ivmctl, the administrator's tool of ivshm.
 *
 *   main.c    options, the table of objects and verbs, help
 *   batch.c   commands from a file
 *   word*.c   what the user typed: matching, "did you mean", numbers, messages
 *   hints.c   words that people expect who know other tools
 *   cmd_*.c   an object or command each: parse the words, send, print
 *   conf*.c   configuration files
 *   change.c  from what there is to what is declared, and back
 *   decl.c    what can be declared: JSON, requests, words, each kind of which
 *             has a file, coupling.c and address.c
 *   serve*.c  a socket at which peers of a region meet
 *   trial.c   taking back what is not confirmed
 *   rates.c   what ports and pairs do in a second
 *   doctor_*.c  what is wrong with this host
 *   nl*.c     the netlink socket, requests, and explaining refusals
 *   attr.c    what attributes and values are called; messages to JSON
 *   output.c  tables, colour, JSON and number formats
 *   show.c    how each object reads as text
 *
 * A reply becomes a JSON object at once, by the tables in attr.c, and text is
 * printed from that object: what -j prints and what a person sees cannot
 * drift apart.
 */
#ifndef _IVMCTL_H
#define _IVMCTL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define __attribute(a)	__attribute__((a))
#define __printf(a, b)	__attribute(format(printf, a, b))

/* Exit status, and what every command returns. */
enum rc {
	RC_OK = 0,
	RC_REFUSED = 1,		/* the kernel said no, or the system failed us */
	RC_USAGE = 2,		/* the command makes no sense */
};

struct ivnl;
struct ctx;

/**
 * struct verb - something that can be done with an object
 * @name:  the word, of which any unique beginning will do
 * @alias: another word for it, or NULL
 * @args:  its arguments as the usage line shows them
 * @help:  one line
 * @run:   gets the words after the verb, returns enum rc
 */
struct verb {
	const char *name;
	const char *alias;
	const char *args;
	const char *help;
	int (*run)(struct ctx *ctx, int argc, char **argv);
};

/**
 * struct object - a kind of thing ivmctl knows, or a command by itself
 * @name:  the word, of which any unique beginning will do
 * @help:  one line
 * @verbs: what can be done with it; the first is the default; ends with an
 *         entry without a name.  A command has one, without a name of its own
 * @more:  further lines of help, or NULL
 */
struct object {
	const char *name;
	const char *help;
	const struct verb *verbs;
	const char *more;
};

/**
 * struct ctx - one run of ivmctl
 * @out:    where output goes
 * @json:   print JSON, not text
 * @pretty: indent the JSON
 * @stats:  print every counter
 * @color:  use colour
 * @force:  a batch goes on after an error
 * @file:   the batch file, NULL outside a batch
 * @line:   line in @file
 * @object: being worked on, for usage lines
 * @verb:   being worked on, for usage lines
 * @nl:     the socket once it is open
 */
struct ctx {
	FILE *out;
	bool json;
	bool pretty;
	bool stats;
	bool color;
	bool force;
	const char *file;
	unsigned int line;
	const struct object *object;
	const struct verb *verb;
	struct ivnl *nl;
};

/* main.c */
int run_command(struct ctx *ctx, int argc, char **argv);

/* batch.c */
int run_batch(struct ctx *ctx, const char *file);

/* cmd_*.c */
extern const struct object object_port;
extern const struct object object_coupling;
extern const struct object object_address;
extern const struct object object_region;
extern const struct object object_peer;
extern const struct object object_capture;
extern const struct object object_monitor;
extern const struct object command_apply;
extern const struct object command_diff;
extern const struct object command_save;
extern const struct object command_try;
extern const struct object command_confirm;
extern const struct object command_doctor;
extern const struct object command_top;
extern const struct object command_metrics;
int overview(struct ctx *ctx);

/* words.c */

/* Say what is wrong on stderr, after the program's name or file and line. */
void complain(const struct ctx *ctx, const char *fmt, ...) __printf(2, 3);
/* The same, and the usage line of the verb at work. Returns RC_USAGE. */
int usage(const struct ctx *ctx, const char *fmt, ...) __printf(2, 3);
/* Complain that the argument called @what is missing. Returns RC_USAGE. */
int usage_missing(const struct ctx *ctx, const char *what);
/* Complain about words after the last one understood. Returns RC_USAGE. */
int usage_extra(const struct ctx *ctx, const char *word);
void print_usage(FILE *f, const struct object *object, const struct verb *verb);

/*
 * The index of the only entry of @words (which ends with NULL) that is @word
 * or begins with it; WORD_NONE or WORD_AMBIGUOUS if there is no such.
 */
#define WORD_NONE	(-1)
#define WORD_AMBIGUOUS	(-2)
int word_match(const char *word, const char *const *words);
/*
 * Complain that @word is none of @words, for the reason @match that
 * word_match() gave: which ones it could be, or is probably meant to be.
 * @kind says what was expected. Returns RC_USAGE.
 */
int word_unknown(const struct ctx *ctx, const char *kind, const char *word,
		 int match, const char *const *words);
/* The entry of @words that @word looks like a misspelling of, or NULL. */
const char *word_suggest(const char *word, const char *const *words);
/*
 * A name given by the user. Words that begin with a dash are options in the
 * wrong place. Returns 0 or RC_USAGE.
 */
int word_name(const struct ctx *ctx, const char *what, const char *word);
/*
 * Words that come in twos, "OPTION VALUE": call @take, with the index of OPTION in
 * @words, for each of them, of which each may be there once. @kind says what
 * they are. Returns 0 or RC_USAGE.
 */
int word_pairs(const struct ctx *ctx, const char *kind, const char *const *words,
	       int argc, char **argv,
	       int (*take)(const struct ctx *ctx, void *arg, unsigned int option,
			   const char *value),
	       void *arg);
/**
 * struct word_option - an option of a command, among its words
 * @name:  without dashes, NULL at the end of a list
 * @flag:  set to true if it is there, or NULL
 * @value: set to the word after it, or after a "=" in it, or NULL
 */
struct word_option {
	const char *name;
	bool *flag;
	const char **value;
};

/*
 * Take the options out of the words of a command; the others move to the front
 * of @argv.  After "--" there are none.  Returns 0 or RC_USAGE.
 */
int word_options(const struct ctx *ctx, const struct word_option *options,
		 int *argc, char **argv);
/*
 * A number, with @scaled also one like 10k, 10M (powers of 1000) or 10Ki (of 1024); one
 * that is too large is UINT64_MAX. False if it is none.
 */
bool word_number(const char *word, bool scaled, uint64_t *value);
/* A number from 0 to UINT32_MAX in decimal digits. Returns 0 or RC_USAGE. */
int word_u32(const struct ctx *ctx, const char *what, const char *unit,
	     const char *word, uint32_t *value);
/*
 * Bytes, or with a letter units of 1024, 1024 * 1024 and so on. Returns 0 or
 * RC_USAGE.
 */
int word_size(const struct ctx *ctx, const char *what, const char *word,
	      uint64_t *value);

/* hints.c */

/* The entry of @words that says what @word says elsewhere, or NULL. */
const char *hint_synonym(const char *word, const char *const *words);
/* What there is in place of the verb @word of @object, or NULL. */
const char *hint_verb(const struct object *object, const char *word);
/* Why a coupling has no option @word, or NULL. */
const char *hint_option(const char *word);

enum word_addr_kind {
	WORD_MAC,
	WORD_IPV4,
	WORD_IPV6,
};

/**
 * struct word_addr - a MAC or IP address
 * @kind:  enum word_addr_kind
 * @len:   of @bytes
 * @bytes: in network order
 */
struct word_addr {
	enum word_addr_kind kind;
	int len;
	unsigned char bytes[16];
};

/* Room for an address in words. */
#define WORD_ADDR_TEXT	48

/* word_addr.c */

/* Whether @word is an address. */
bool word_addr(const char *word, struct word_addr *addr);
/* The address as everybody writes it: in small letters, the shortest way. */
void word_addr_text(const struct word_addr *addr, char text[WORD_ADDR_TEXT]);

#endif /* _IVMCTL_H */
