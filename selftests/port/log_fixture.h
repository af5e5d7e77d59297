/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The fixture of the programs that test the dirty log.
 *
 *   peer --- tap1 --- lan0, static, or br0 --- tap0 --- victim, being migrated
 */
#ifndef LOG_FIXTURE_H
#define LOG_FIXTURE_H

#include "kselftest_harness.h"
#include "env.h"
#include "log.h"

#define TIMEOUT		120
#define NR(a)		(sizeof(a) / sizeof(*(a)))

static __u8 frame[GUEST_FRAME_MAX];
static struct guest_frame got;

FIXTURE(log) {
	struct guest v, peer;
	struct log log;
};

FIXTURE_SETUP(log)
{
	ASSERT_EQ(0, env_setup());
	self->v.fd = -1;
}

static void down(struct __test_metadata *_metadata, FIXTURE_DATA(log) * self)
{
	EXPECT_EQ(0, guest_stop(&self->v));
	EXPECT_EQ(0, self->v.faults);
	guest_close(&self->v);
	EXPECT_EQ(0, guest_stop(&self->peer));
	EXPECT_EQ(0, self->peer.faults);
	guest_close(&self->peer);
	log_close(&self->log);
}

FIXTURE_TEARDOWN(log)
{
	if (self->v.fd >= 0)
		down(_metadata, self);
}

/* Both guests up, coupled unless frames are to take the bridge. */
static void up(struct __test_metadata *_metadata, FIXTURE_DATA(log) * self,
	       struct guest_config c, bool coupled)
{
	ASSERT_EQ(0, log_up(&self->v, &self->peer, c, coupled));
	ASSERT_EQ(0, log_open(&self->log, &self->v));
}

/* Stop the device and see that every change was told of. */
#define EXPECT_LOGGED(least) do {						\
	struct log_checked c__;							\
										\
	ASSERT_EQ(0, guest_stop(&self->v));					\
	c__ = log_check(&self->log);							\
	EXPECT_EQ(0, c__.missing);						\
	EXPECT_EQ(0, c__.stray);						\
	EXPECT_LE(least, c__.changed);						\
} while (0)

#endif /* LOG_FIXTURE_H */
