// SPDX-License-Identifier: GPL-2.0
/* Addresses as words. */
#include <arpa/inet.h>
#include <netinet/ether.h>
#include <string.h>

#include "ivmctl.h"

bool word_addr(const char *word, struct word_addr *addr)
{
	struct ether_addr ether;

	if (inet_pton(AF_INET, word, addr->bytes) == 1) {
		addr->kind = WORD_IPV4;
		addr->len = 4;
		return true;
	}
	if (inet_pton(AF_INET6, word, addr->bytes) == 1) {
		addr->kind = WORD_IPV6;
		addr->len = 16;
		return true;
	}
	/* It takes less than six bytes of two digits, but nobody writes that. */
	if (strlen(word) != 17 || !ether_aton_r(word, &ether))
		return false;
	memcpy(addr->bytes, ether.ether_addr_octet, sizeof(ether.ether_addr_octet));
	addr->kind = WORD_MAC;
	addr->len = 6;
	return true;
}

void word_addr_text(const struct word_addr *addr, char text[WORD_ADDR_TEXT])
{
	const unsigned char *b = addr->bytes;

	if (addr->kind == WORD_MAC)
		snprintf(text, WORD_ADDR_TEXT, "%02x:%02x:%02x:%02x:%02x:%02x", b[0], b[1],
			 b[2], b[3], b[4], b[5]);
	else
		inet_ntop(addr->kind == WORD_IPV4 ? AF_INET : AF_INET6, b, text,
			  WORD_ADDR_TEXT);
}
