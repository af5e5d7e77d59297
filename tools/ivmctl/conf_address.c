// SPDX-License-Identifier: GPL-2.0
/* Sections that declare addresses. */
#include "address.h"
#include "conf_section.h"
#include "output.h"

enum {
	KEY_PORT,
	KEY_LLADDR,
};

static const char *key_word(int key)
{
	static const char *const words[] = {
		[KEY_PORT] = "port",
		[KEY_LLADDR] = "lladdr",
		NULL
	};

	return words[key];
}

static json_t *begin(struct conf_parser *p, const char *name)
{
	struct word_addr address;

	if (word_addr(name, &address))
		return address_new(&address);
	conf_wrong(p, "bad address \"%s\", expected a MAC, IPv4 or IPv6 address", name);
	return NULL;
}

static void value(struct conf_parser *p, int key, const char *text)
{
	const char *expected;
	struct word_addr mac;

	if (key == KEY_PORT) {
		expected = conf_bad_interface(text);
		if (expected)
			conf_wrong(p, "bad port \"%s\", expected %s", text, expected);
		address_set_port(p->decl, text);
	} else if (!word_addr(text, &mac) || mac.kind != WORD_MAC) {
		conf_wrong(p, "lladdr = \"%s\", expected a MAC address", text);
	} else {
		address_set_lladdr(p->decl, &mac);
	}
}

static void end(struct conf_parser *p)
{
	struct word_addr address;

	if (!p->seen[KEY_PORT])
		conf_wrong_at(p, p->head, "address %s has no port, expected port = INTERFACE",
			      json_str(p->decl, "name"));
	if (p->seen[KEY_LLADDR] && word_addr(json_str(p->decl, "name"), &address) &&
	    address.kind == WORD_MAC)
		conf_wrong_at(p, p->seen[KEY_LLADDR],
			      "lladdr is for IP addresses, expected no lladdr of a MAC address");
}

const struct conf_section conf_section_address = {
	.kind = DECL_ADDRESS,
	.heading = "[address ADDRESS]",
	.one = "an address section",
	.name = "address",
	.a_name = "an address",
	.key = key_word,
	.begin = begin,
	.value = value,
	.end = end,
};
