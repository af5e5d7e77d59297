/* SPDX-License-Identifier: GPL-2.0 */
/* Files that others read. */
#ifndef _IVMCTL_FILE_H
#define _IVMCTL_FILE_H

#include <stddef.h>

#include "ivmctl.h"

/*
 * Make @path, or what a link there leads to, a file with @len bytes of @text:
 * readers find the old file or the new one and nothing between.  A new file has
 * mode 0644 without the umask, an old one keeps its mode and owner.
 * Returns enum rc, RC_REFUSED after a complaint.
 */
int file_replace(const struct ctx *ctx, const char *path, const char *text,
		 size_t len);

#endif /* _IVMCTL_FILE_H */
