/* SPDX-License-Identifier: GPL-2.0 */
/* What the KUnit tests of message queues share. */
#ifndef _IVSHM_MSGQ_TEST_H
#define _IVSHM_MSGQ_TEST_H

#include <linux/types.h>

struct ivshm_msgq;
struct ivshm_region;
struct kunit;

#define QT_A		"kunit-a"
#define QT_B		"kunit-b"
#define QT_PAGES	16

/* Regions with a queue each, of which @a may send to @b. */
struct qt {
	struct ivshm_region *a, *b;
	struct ivshm_msgq *from, *to;
	bool a_gone;	/* the test has deleted it */
};

/* Makes them, as the test's priv, and deletes them. */
int qt_init(struct kunit *test);
void qt_exit(struct kunit *test);
/* What @from may have waiting at @to: 0, or an error. */
int qt_allow(const char *from, const char *to, u64 messages, u64 pages, u64 bytes);

#endif /* _IVSHM_MSGQ_TEST_H */
