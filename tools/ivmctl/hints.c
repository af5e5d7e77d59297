// SPDX-License-Identifier: GPL-2.0
/* Words that people expect who know other tools, and what there is in their place. */
#include <string.h>
#include <strings.h>

#include "ivmctl.h"

/* What counts is whether the second word is among those possible; the first such is it. */
static const struct {
	const char *word;
	const char *means;
} synonyms[] = {
	{ "create", "add" },
	{ "create", "on" },
	{ "make", "add" },
	{ "insert", "add" },
	{ "add", "allow" },
	{ "remove", "del" },
	{ "remove", "off" },
	{ "remove", "deny" },
	{ "rm", "del" },
	{ "rm", "deny" },
	{ "del", "off" },
	{ "destroy", "del" },
	{ "erase", "del" },
	{ "modify", "change" },
	{ "modify", "set" },
	{ "update", "change" },
	{ "update", "set" },
	{ "edit", "change" },
	{ "edit", "set" },
	{ "ls", "show" },
	{ "get", "show" },
	{ "info", "show" },
	{ "status", "show" },
	{ "status", "doctor" },
	{ "start", "on" },
	{ "enable", "on" },
	{ "stop", "off" },
	{ "disable", "off" },
	{ "watch", "monitor" },
	{ "events", "monitor" },
	{ "load", "apply" },
	{ "restore", "apply" },
	{ "reload", "apply" },
	{ "dump", "save" },
	{ "export", "save" },
	{ "check", "doctor" },
	{ "check", "dry-run" },
	{ "test", "dry-run" },
	{ "n", "dry-run" },
	{ "tcpdump", "capture" },
	{ "interface", "port" },
	{ "iface", "port" },
	{ "dev", "port" },
	{ "mac", "lladdr" },
	{ "via", "lladdr" },
	{ "bridge", "upper" },
	{ "master", "upper" },
	{ "lower", "upper" },
	{ "same-upper", "upper" },
	{ "timeout", "idle" },
	{ "rate", "rate-bytes" },
	{ "bandwidth", "rate-bytes" },
	{ "output", "o" },
	{ "delay", "interval" },
};

const char *hint_synonym(const char *word, const char *const *words)
{
	size_t i, j;

	for (i = 0; i < ARRAY_SIZE(synonyms); i++) {
		if (strcasecmp(word, synonyms[i].word))
			continue;
		for (j = 0; words[j]; j++)
			if (!strcmp(words[j], synonyms[i].means))
				return words[j];
	}
	return NULL;
}

const char *hint_verb(const struct object *object, const char *word)
{
	static const struct {
		const struct object *object;
		const char *words;	/* with a blank before and after each */
		const char *hint;
	} hints[] = {
		{ &object_port, " add new create del delete remove rm ",
		  "a port comes with the VM that opens /dev/ivshm-net, and goes with its tap" },
		{ &object_coupling, " enable on start ",
		  "to switch it on: ivmctl coupling change NAME disabled no" },
		{ &object_coupling, " disable off stop ",
		  "to switch it off: ivmctl coupling change NAME disabled yes" },
		{ &object_address, " change set modify replace move ",
		  "delete the address and add it anew" },
	};
	char key[32];
	size_t i;

	if (snprintf(key, sizeof(key), " %s ", word) >= (int)sizeof(key))
		return NULL;
	for (i = 0; i < ARRAY_SIZE(hints); i++)
		if (object == hints[i].object && strstr(hints[i].words, key))
			return hints[i].hint;
	return NULL;
}

const char *hint_option(const char *word)
{
	static const struct {
		const char *word;
		const char *hint;
	} hints[] = {
		{ "priority", "a port is in one coupling only, so there is none to come before" },
		{ "prio", "a port is in one coupling only, so there is none to come before" },
		{ "uplink", "a static coupling has no uplink, and a dynamic one always has it" },
		{ "type", "the type is static or dynamic, behind the name" },
		{ "members", "members are named without a word before them" },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(hints); i++)
		if (!strcmp(word, hints[i].word))
			return hints[i].hint;
	return NULL;
}
