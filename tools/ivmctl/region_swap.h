/* SPDX-License-Identifier: GPL-2.0 */
/* ivmctl region: ranges that have pages of another region. */
#ifndef REGION_SWAP_H
#define REGION_SWAP_H

#include "ivmctl.h"

int region_show(struct ctx *ctx, int argc, char **argv);
int region_swap(struct ctx *ctx, int argc, char **argv);

#endif /* REGION_SWAP_H */
