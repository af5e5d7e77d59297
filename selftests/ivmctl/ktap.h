/* SPDX-License-Identifier: GPL-2.0 */
/* One C program, one KTAP result a test. */
#ifndef _SELFTESTS_IVMCTL_KTAP_H
#define _SELFTESTS_IVMCTL_KTAP_H

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static unsigned int ktap_nr, ktap_failed;

#define TEST_SKIP	(-1)

/* A test returns 0, 1 for failed, or TEST_SKIP after printing why. */
static inline void ktap_run(const char *name, int (*test)(void))
{
	int result = test();

	ktap_nr++;
	ktap_failed += result > 0;
	printf("%s %u %s%s\n", result > 0 ? "not ok" : "ok", ktap_nr, name,
	       result == TEST_SKIP ? " # SKIP" : "");
	fflush(stdout);
}

static inline int ktap_same(const char *what, const char *got, const char *want)
{
	const char *p;

	if (!strcmp(got, want))
		return 0;
	printf("# %s differs, got:\n# ", what);
	for (p = got; *p; p++)
		printf(*p == '\n' ? "\n# " : "%c", *p);
	printf("\n# expected:\n# ");
	for (p = want; *p; p++)
		printf(*p == '\n' ? "\n# " : "%c", *p);
	putchar('\n');
	return 1;
}

#endif /* _SELFTESTS_IVMCTL_KTAP_H */
