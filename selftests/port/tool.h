/* SPDX-License-Identifier: GPL-2.0 */
/* Programs that an administrator uses, ivmctl of this tree first. */
#ifndef TOOL_H
#define TOOL_H

#include <stdbool.h>

#define __attribute(a)	__attribute__((a))
#define __printf(a, b)	__attribute(format(printf, a, b))

/* Run a command of the shell. Its exit status; what it says on failure is shown. */
int tool(const char *fmt, ...) __printf(1, 2);
/* What it prints, of which there is room for TOOL_MAX bytes. Its exit status. */
#define TOOL_MAX	65536
int tool_read(char *text, const char *fmt, ...) __printf(2, 3);
/* Whether a line of what it prints matches the extended regular expression. */
bool tool_says(const char *regex, const char *fmt, ...) __printf(2, 3);

#endif /* TOOL_H */
