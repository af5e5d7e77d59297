/* SPDX-License-Identifier: GPL-2.0 */
/* What the KUnit tests of regions share. */
#ifndef _IVSHM_REGION_TEST_H
#define _IVSHM_REGION_TEST_H

struct kunit_suite;

/* Around a suite: some kernels run the tests of a module before it is initialised. */
int ivshm_region_test_begin(struct kunit_suite *suite);
void ivshm_region_test_end(struct kunit_suite *suite);

#endif /* _IVSHM_REGION_TEST_H */
