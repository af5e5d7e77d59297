// SPDX-License-Identifier: GPL-2.0
/* Declarations of addresses. */
#include <linux/ivshm_netlink.h>
#include <netlink/attr.h>
#include <string.h>

#include "address.h"
#include "decl.h"
#include "nl.h"
#include "output.h"

static void set_text(json_t *decl, const char *key, const struct word_addr *address)
{
	char text[WORD_ADDR_TEXT];

	word_addr_text(address, text);
	json_object_set_new(decl, key, json_string(text));
}

json_t *address_new(const struct word_addr *address)
{
	json_t *decl = check_alloc(json_object());

	set_text(decl, "name", address);
	return decl;
}

void address_set_port(json_t *decl, const char *port)
{
	json_object_set_new(decl, "port", json_string_nocheck(port));
}

void address_set_lladdr(json_t *decl, const struct word_addr *lladdr)
{
	set_text(decl, "lladdr", lladdr);
}

json_t *address_declared(const json_t *address)
{
	const char *kind = json_object_get(address, "ip") ? "ip" : "mac";

	/* What was learned nobody declared. */
	if (!json_is_true(json_object_get(address, "configured")))
		return NULL;
	return json_pack("{s:O, s:O, s:O*}", "name", json_object_get(address, kind),
			 "port", json_object_get(address, "port"),
			 "lladdr", json_object_get(address, "lladdr"));
}

bool address_same(const json_t *a, const json_t *b)
{
	return json_equal(a, b);
}

static bool put_address(struct nl_msg *msg, const char *name)
{
	static const int attrs[] = {
		[WORD_MAC] = IVSHM_A_ADDR_MAC,
		[WORD_IPV4] = IVSHM_A_ADDR_IPV4,
		[WORD_IPV6] = IVSHM_A_ADDR_IPV6,
	};
	struct word_addr address;

	return !word_addr(name, &address) ||
	       nla_put(msg, attrs[address.kind], address.len, address.bytes);
}

static bool put_lladdr(struct nl_msg *msg, const json_t *decl)
{
	const json_t *lladdr = json_object_get(decl, "lladdr");
	struct word_addr mac;

	return lladdr && (!word_addr(json_string_value(lladdr), &mac) ||
			  nla_put(msg, IVSHM_A_ADDR_LLADDR, mac.len, mac.bytes));
}

struct nl_msg *address_msg_new(const struct ivnl *nl, const json_t *decl, bool *full)
{
	struct nl_msg *msg = ivnl_msg_new(nl, IVSHM_CMD_ADDR_NEW, NLM_F_ACK);
	struct nlattr *nest = ivnl_nest(msg, IVSHM_A_ADDR);

	*full = !nest || put_address(msg, json_str(decl, "name")) ||
		nla_put_string(msg, IVSHM_A_ADDR_PORT, json_str(decl, "port")) ||
		put_lladdr(msg, decl) || nla_nest_end(msg, nest);
	return msg;
}

struct nl_msg *address_msg_del(const struct ivnl *nl, const char *name, bool *full)
{
	struct nl_msg *msg = ivnl_msg_new(nl, IVSHM_CMD_ADDR_DEL, NLM_F_ACK);
	struct nlattr *nest = ivnl_nest(msg, IVSHM_A_ADDR);

	*full = !nest || put_address(msg, name) || nla_nest_end(msg, nest);
	return msg;
}

void address_print_words(FILE *f, const json_t *decl)
{
	fprintf(f, "%s port ", json_str(decl, "name"));
	decl_print_word(f, json_str(decl, "port"));
	if (json_object_get(decl, "lladdr"))
		fprintf(f, " lladdr %s", json_str(decl, "lladdr"));
}

void address_write(FILE *f, const json_t *decl)
{
	fprintf(f, "[address %s]\nport = %s\n", json_str(decl, "name"),
		json_str(decl, "port"));
	if (json_object_get(decl, "lladdr"))
		fprintf(f, "lladdr = %s\n", json_str(decl, "lladdr"));
}
