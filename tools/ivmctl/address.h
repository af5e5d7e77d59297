/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Declarations of addresses: JSON objects with a name, which is the address itself
 * as word_addr_text() writes it, the port, and perhaps lladdr.
 */
#ifndef _IVMCTL_ADDRESS_H
#define _IVMCTL_ADDRESS_H

#include <jansson.h>
#include <netlink/msg.h>
#include <stdbool.h>
#include <stdio.h>

#include "ivmctl.h"

struct ivnl;

/* A declaration without a port. The caller owns it. */
json_t *address_new(const struct word_addr *address);
void address_set_port(json_t *decl, const char *port);
void address_set_lladdr(json_t *decl, const struct word_addr *lladdr);

/* See struct decl_ops. */
json_t *address_declared(const json_t *address);
bool address_same(const json_t *a, const json_t *b);
struct nl_msg *address_msg_new(const struct ivnl *nl, const json_t *decl, bool *full);
struct nl_msg *address_msg_del(const struct ivnl *nl, const char *name, bool *full);
void address_print_words(FILE *f, const json_t *decl);
void address_write(FILE *f, const json_t *decl);

#endif /* _IVMCTL_ADDRESS_H */
