/* SPDX-License-Identifier: GPL-2.0 */
/*
 * As much of KUnit as the ring's suites use, for running them in userspace.
 * kunit_main.c runs what is registered here and prints KTAP.
 */
#ifndef _SELFTESTS_KUNIT_TEST_H
#define _SELFTESTS_KUNIT_TEST_H

#include <setjmp.h>
#include <stdbool.h>
#include <stdlib.h>

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

struct kunit {
	void *priv;
	void *mem;
	bool failed;
	jmp_buf abort;
};

struct kunit_case {
	void (*run_case)(struct kunit *test);
	const char *name;
};

struct kunit_suite {
	const char *name;
	int (*init)(struct kunit *test);
	void (*exit)(struct kunit *test);
	struct kunit_case *test_cases;
};

void kunit_register(struct kunit_suite *suite);
void kunit_fail(struct kunit *test, const char *file, int line, const char *what,
		long long left, long long right, const char *fmt, ...);

/* A test allocates once. */
static inline void *kunit_kzalloc(struct kunit *test, size_t size, int gfp)
{
	(void)gfp;
	test->mem = calloc(1, size);
	return test->mem;
}

#define KUNIT_CASE(fn)	{ .run_case = fn, .name = #fn }

#define kunit_test_suite(suite)						\
	static void __attribute__((constructor)) suite ## _register(void) \
	{								\
		kunit_register(&(suite));				\
	}

#define _KUNIT_BINARY(test, left, op, right, abort_it, ...)		\
do {									\
	struct kunit *_test = (test);					\
	const __typeof__(left) _left = (left);				\
	const __typeof__(right) _right = (right);			\
									\
	if (!(_left op _right)) {					\
		kunit_fail(_test, __FILE__, __LINE__,			\
			   #left " " #op " " #right, (long long)_left,	\
			   (long long)_right, __VA_ARGS__);		\
		if (abort_it)						\
			longjmp(_test->abort, 1);			\
	}								\
} while (0)

#define KUNIT_EXPECT_EQ(test, left, right) \
	_KUNIT_BINARY(test, left, ==, right, false, " ")
#define KUNIT_EXPECT_EQ_MSG(test, left, right, ...) \
	_KUNIT_BINARY(test, left, ==, right, false, __VA_ARGS__)
#define KUNIT_EXPECT_LT(test, left, right) \
	_KUNIT_BINARY(test, left, <, right, false, " ")
#define KUNIT_EXPECT_LE(test, left, right) \
	_KUNIT_BINARY(test, left, <=, right, false, " ")
#define KUNIT_EXPECT_LE_MSG(test, left, right, ...) \
	_KUNIT_BINARY(test, left, <=, right, false, __VA_ARGS__)
#define KUNIT_EXPECT_GT(test, left, right) \
	_KUNIT_BINARY(test, left, >, right, false, " ")
#define KUNIT_EXPECT_TRUE(test, cond) \
	_KUNIT_BINARY(test, !!(cond), ==, true, false, " ")
#define KUNIT_EXPECT_TRUE_MSG(test, cond, ...) \
	_KUNIT_BINARY(test, !!(cond), ==, true, false, __VA_ARGS__)
#define KUNIT_EXPECT_FALSE(test, cond) \
	_KUNIT_BINARY(test, !!(cond), ==, false, false, " ")
#define KUNIT_ASSERT_EQ(test, left, right) \
	_KUNIT_BINARY(test, left, ==, right, true, " ")
#define KUNIT_ASSERT_LT(test, left, right) \
	_KUNIT_BINARY(test, left, <, right, true, " ")
#define KUNIT_ASSERT_FALSE(test, cond) \
	_KUNIT_BINARY(test, !!(cond), ==, false, true, " ")
#define KUNIT_ASSERT_NOT_NULL(test, ptr) \
	_KUNIT_BINARY(test, (ptr) != NULL, ==, true, true, " ")

#endif /* _SELFTESTS_KUNIT_TEST_H */
