// SPDX-License-Identifier: GPL-2.0
/*
 * Runs KUnit suites in userspace and prints KTAP.
 */
#include <kunit/test.h>
#include <stdarg.h>
#include <stdio.h>

#define MAX_SUITES	8
/* A loop that fails in each turn says nothing new. */
#define MAX_REPORTS	10

static struct kunit_suite *suites[MAX_SUITES];
static unsigned int nr_suites;
static unsigned int reports;

void kunit_register(struct kunit_suite *suite)
{
	if (nr_suites == MAX_SUITES)
		abort();
	suites[nr_suites++] = suite;
}

void kunit_fail(struct kunit *test, const char *file, int line,
		const char *what, long long left, long long right,
		const char *fmt, ...)
{
	va_list args;

	test->failed = true;
	if (reports++ >= MAX_REPORTS)
		return;
	printf("    # %s:%d: expected %s, not %lld and %lld ", file, line, what,
	       left, right);
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	printf("\n");
}

static bool run_case(const struct kunit_suite *suite,
		     const struct kunit_case *c)
{
	static struct kunit test;

	test = (struct kunit){ };
	reports = 0;
	if (!setjmp(test.abort) && !suite->init(&test))
		c->run_case(&test);
	suite->exit(&test);
	free(test.mem);
	return !test.failed;
}

static bool run_suite(const struct kunit_suite *suite)
{
	const struct kunit_case *c;
	unsigned int n = 0;
	bool good = true;

	for (c = suite->test_cases; c->run_case; c++)
		n++;
	printf("    KTAP version 1\n    # Subtest: %s\n    1..%u\n",
	       suite->name, n);
	n = 0;
	for (c = suite->test_cases; c->run_case; c++) {
		bool ok = run_case(suite, c);

		good &= ok;
		printf("    %sok %u %s\n", ok ? "" : "not ", ++n, c->name);
		fflush(stdout);
	}
	return good;
}

int main(void)
{
	unsigned int i;
	bool good = true;

	printf("KTAP version 1\n1..%u\n", nr_suites);
	for (i = 0; i < nr_suites; i++) {
		bool ok = run_suite(suites[i]);

		good &= ok;
		printf("%sok %u %s\n", ok ? "" : "not ", i + 1,
		       suites[i]->name);
	}
	return !good;
}
