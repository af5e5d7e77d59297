// SPDX-License-Identifier: GPL-2.0
/* Peers: doorbells, and files to give away. As root. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "region.h"

#define SIZE	(4 * PAGE)

/* Each returns 0 or a negative error. */
static int bind_vector(int fd, uint32_t vector, int event)
{
	struct ivshm_region_bind arg = {
		.argsz = sizeof(arg), .vector = vector, .fd = event,
	};

	return ioctl(fd, IVSHM_REGION_BIND, &arg) ? -errno : 0;
}

static int ring(int fd, uint32_t peer, uint32_t vector)
{
	struct ivshm_region_ring arg = {
		.argsz = sizeof(arg), .peer = peer, .vector = vector,
	};

	return ioctl(fd, IVSHM_REGION_RING, &arg) ? -errno : 0;
}

static int peer_of(int fd)
{
	struct ivshm_region_info info = { .argsz = sizeof(info) };

	return ioctl(fd, IVSHM_REGION_INFO, &info) ? -errno : (int)info.peer;
}

/* A descriptor, or a negative error. */
static int export(int fd, uint32_t flags)
{
	struct ivshm_region_export arg = { .argsz = sizeof(arg), .flags = flags };
	int got = ioctl(fd, IVSHM_REGION_EXPORT, &arg);

	return got < 0 ? -errno : got;
}

/* How often it was signalled since it was asked last. */
FIXTURE(bell)
{
	struct control c;
	int a, b;
	int event;
};

FIXTURE_SETUP(bell)
{
	ASSERT_EQ(0, control_open(&self->c));
	region_del_all(&self->c);
	ASSERT_EQ(0, region_add(&self->c, "x", SIZE, 0));
	self->a = region_open(&self->c, "x", O_RDWR);
	self->b = region_open(&self->c, "x", O_RDWR);
	ASSERT_LE(0, self->a);
	ASSERT_LE(0, self->b);
	self->event = eventfd(0, EFD_NONBLOCK);
	ASSERT_LE(0, self->event);
}

FIXTURE_TEARDOWN(bell)
{
	close(self->a);
	close(self->b);
	close(self->event);
	region_del_all(&self->c);
	control_close(&self->c);
}

TEST_F(bell, rings)
{
	int a = self->a, b = self->b, other = eventfd(0, EFD_NONBLOCK);
	int pa = peer_of(a), pb = peer_of(b);

	ASSERT_LE(0, pa);
	ASSERT_LE(0, pb);
	EXPECT_NE(pa, pb);
	EXPECT_EQ(-ENXIO, ring(a, pb, 0));
	ASSERT_EQ(0, bind_vector(b, 0, self->event));
	ASSERT_EQ(0, bind_vector(b, IVSHM_VECTORS - 1, other));
	EXPECT_EQ(0, ring(a, pb, 0));
	EXPECT_EQ(0, ring(a, pb, 0));
	EXPECT_EQ(2, rings(self->event));
	EXPECT_EQ(0, rings(other));
	EXPECT_EQ(0, ring(a, pb, IVSHM_VECTORS - 1));
	EXPECT_EQ(1, rings(other));
	EXPECT_EQ(0, rings(self->event));
	/* Itself. */
	EXPECT_EQ(0, ring(b, pb, 0));
	EXPECT_EQ(1, rings(self->event));
	EXPECT_EQ(-ENXIO, ring(b, pa, 0));
	/* Another one in its place, and none. */
	ASSERT_EQ(0, bind_vector(b, 0, other));
	EXPECT_EQ(0, ring(a, pb, 0));
	EXPECT_EQ(1, rings(other));
	EXPECT_EQ(0, rings(self->event));
	ASSERT_EQ(0, bind_vector(b, 0, -1));
	EXPECT_EQ(-ENXIO, ring(a, pb, 0));
	/* A peer that went. */
	close(b);
	self->b = -1;
	EXPECT_EQ(-ENOENT, ring(a, pb, IVSHM_VECTORS - 1));
	close(other);
}

TEST_F(bell, refusals)
{
	int a = self->a, b = self->b, pb = peer_of(b), ro, file;
	struct ivshm_region_ring arg = { .argsz = 12 };

	EXPECT_EQ(-EINVAL, bind_vector(b, IVSHM_VECTORS, self->event));
	EXPECT_EQ(-EINVAL, bind_vector(b, ~0U, self->event));
	EXPECT_EQ(-EINVAL, bind_vector(b, 0, -2));
	EXPECT_EQ(-EBADF, bind_vector(b, 0, 9999));
	file = open("/dev/null", O_RDWR);
	EXPECT_EQ(-EINVAL, bind_vector(b, 0, file));
	EXPECT_EQ(-EINVAL, bind_vector(b, 0, b));
	close(file);
	EXPECT_EQ(-EINVAL, ring(a, pb, IVSHM_VECTORS));
	EXPECT_EQ(-ENOENT, ring(a, 12345, 0));
	EXPECT_EQ(-ENOENT, ring(a, ~0U, 0));
	EXPECT_EQ(-1, ioctl(a, IVSHM_REGION_RING, &arg));
	EXPECT_EQ(EINVAL, errno);
	/* Who can only read can hear, but not ring. */
	ro = region_open(&self->c, "x", O_RDONLY);
	EXPECT_EQ(0, bind_vector(ro, 0, self->event));
	EXPECT_EQ(-EACCES, ring(ro, pb, 0));
	EXPECT_EQ(0, ring(a, peer_of(ro), 0));
	EXPECT_EQ(1, rings(self->event));
	close(ro);
	ASSERT_EQ(0, region_force(&self->c, "x"));
	EXPECT_EQ(-ENODEV, ring(a, pb, 0));
	EXPECT_EQ(-ENODEV, bind_vector(a, 0, self->event));
	EXPECT_EQ(-ENODEV, export(a, O_RDWR));
	EXPECT_EQ(-ENODEV, peer_of(a));
}

TEST_F(bell, exported)
{
	int a = self->a, fd, ro;
	struct region_attrs at;
	struct stat st;
	char *p, *q;

	fd = export(a, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, fd);
	EXPECT_EQ(FD_CLOEXEC, fcntl(fd, F_GETFD));
	ASSERT_EQ(0, fstat(fd, &st));
	EXPECT_EQ((off_t)SIZE, st.st_size);
	EXPECT_EQ((off_t)SIZE, lseek(fd, 0, SEEK_END));
	EXPECT_EQ(-1, ftruncate(fd, 0));
	EXPECT_EQ(-1, fallocate(fd, 0, 0, 2 * SIZE));
	EXPECT_NE(peer_of(a), peer_of(fd));
	p = region_map(fd, SIZE);
	q = region_map(a, SIZE);
	ASSERT_NE(MAP_FAILED, p);
	ASSERT_NE(MAP_FAILED, q);
	p[PAGE] = 6;
	EXPECT_EQ(6, q[PAGE]);

	/* No more than the file it came from. */
	ro = export(fd, O_RDONLY);
	ASSERT_LE(0, ro);
	EXPECT_EQ(0, fcntl(ro, F_GETFD));
	EXPECT_EQ(MAP_FAILED, region_map(ro, SIZE));
	EXPECT_EQ(EACCES, errno);
	EXPECT_EQ(-EACCES, export(ro, O_RDWR));
	EXPECT_EQ(-EINVAL, export(a, O_WRONLY));
	EXPECT_EQ(-EINVAL, export(a, O_RDWR | O_NONBLOCK));
	close(ro);

	/* It alone holds the region and the module. */
	munmap(q, SIZE);
	munmap(p, SIZE);
	close(self->a);
	close(self->b);
	self->a = -1;
	self->b = -1;
	ASSERT_EQ(0, region_get(&self->c, "x", &at));
	EXPECT_EQ(1, at.users);
	EXPECT_EQ(-EBUSY, region_del(&self->c, "x"));
	EXPECT_EQ(-1, syscall(SYS_delete_module, "ivshm", O_NONBLOCK));
	EXPECT_EQ(EWOULDBLOCK, errno);
	p = region_map(fd, SIZE);
	ASSERT_NE(MAP_FAILED, p);
	EXPECT_EQ(6, p[PAGE]);
	ASSERT_EQ(0, region_force(&self->c, "x"));
	EXPECT_TRUE(region_faults(p + PAGE));
	munmap(p, SIZE);
	close(fd);
}

/* Peers come, go, bind and unbind while others ring them. */
static atomic_int stop, heard;

static void *ring_all(void *arg)
{
	const int *fd = arg;
	uint32_t peer = 0;

	while (!atomic_load(&stop)) {
		if (!ring(*fd, peer % 8, peer % 3))
			atomic_fetch_add(&heard, 1);
		peer++;
	}
	return NULL;
}

TEST_F_TIMEOUT(bell, races, 120)
{
	pthread_t thread[2];
	int i, fd, event;

	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, pthread_create(&thread[i], NULL, ring_all, &self->a));
	for (i = 0; i < 2000; i++) {
		fd = i % 2 ? region_open(&self->c, "x", O_RDWR) : export(self->b, O_RDWR);
		ASSERT_LE(0, fd);
		event = eventfd(0, 0);
		EXPECT_EQ(0, bind_vector(fd, i % 3, event));
		close(event);
		if (i % 5 == 0)
			EXPECT_EQ(0, bind_vector(fd, i % 3, -1));
		close(fd);
	}
	/* One that stays, so that something is heard for certain. */
	EXPECT_EQ(0, bind_vector(self->b, 0, self->event));
	while (!rings(self->event))
		usleep(1000);
	atomic_store(&stop, 1);
	for (i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
	EXPECT_LT(0, atomic_load(&heard));
}

TEST_HARNESS_MAIN
