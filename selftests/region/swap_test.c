// SPDX-License-Identifier: GPL-2.0
/*
 * Pages of a pool in place of ranges of other regions, which are in use meanwhile.
 * As root.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "region.h"
#include "swap.h"

#define PAGES	VMS_PAGES
#define SIZE	VMS_SIZE
#define HUGE	(2 * MIB)

FIXTURE(swap)
{
	struct control c;
	struct vms vms;
};

FIXTURE_SETUP(swap)
{
	ASSERT_EQ(0, control_open(&self->c));
	ASSERT_EQ(0, vms_open(&self->c, &self->vms));
}

FIXTURE_TEARDOWN(swap)
{
	vms_close(&self->c, &self->vms);
	EXPECT_EQ(0, swap_list(&self->c, NULL, 0));
	control_close(&self->c);
}

/* All bytes of pages are that. */
static int all(const char *at, int value, size_t pages)
{
	size_t i;

	for (i = 0; i < pages * PAGE; i++)
		if (at[i] != (char)value)
			return 0;
	return 1;
}

TEST_F(swap, contents)
{
	char *a = self->vms.at[A], *pool = self->vms.at[POOL];
	struct control *c = &self->c;
	struct swap_attrs list;
	struct region_attrs at;
	char *second;

	second = region_map(self->vms.fd[A], SIZE);
	ASSERT_NE(MAP_FAILED, second);
	EXPECT_EQ(1, second[5 * PAGE]);
	memset(a + 3 * PAGE, 7, PAGE);
	ASSERT_EQ(0, swap_in(c, "a", 2 * PAGE, "pool", 8 * PAGE, 4 * PAGE, 0));
	/* The bytes came along, and nothing else has changed. */
	EXPECT_TRUE(all(a, 1, 3));
	EXPECT_TRUE(all(a + 3 * PAGE, 7, 1));
	EXPECT_TRUE(all(a + 4 * PAGE, 1, PAGES - 4));
	EXPECT_TRUE(all(pool, POOL + 1, 8));
	EXPECT_TRUE(all(pool + 8 * PAGE, 1, 1));
	EXPECT_TRUE(all(pool + 9 * PAGE, 7, 1));
	EXPECT_TRUE(all(pool + 10 * PAGE, 1, 2));
	EXPECT_TRUE(all(pool + 12 * PAGE, POOL + 1, PAGES - 12));
	/* They are the same pages, in every mapping. */
	memset(a + 2 * PAGE, 0x11, PAGE);
	EXPECT_TRUE(all(pool + 8 * PAGE, 0x11, 1));
	memset(pool + 11 * PAGE, 0x22, PAGE);
	EXPECT_TRUE(all(second + 5 * PAGE, 0x22, 1));

	ASSERT_EQ(1, swap_list(c, &list, 1));
	EXPECT_STREQ("a", list.region);
	EXPECT_EQ(2 * PAGE, list.at);
	EXPECT_STREQ("pool", list.pool);
	EXPECT_EQ(8 * PAGE, list.offset);
	EXPECT_EQ(4 * PAGE, list.size);
	ASSERT_EQ(0, region_get(c, "a", &at));
	EXPECT_EQ(1, at.swaps);
	EXPECT_EQ(1, at.users);
	ASSERT_EQ(0, region_get(c, "pool", &at));
	EXPECT_EQ(0, at.swaps);

	ASSERT_EQ(0, swap_back(c, "a", 2 * PAGE, 0));
	EXPECT_TRUE(all(a + 2 * PAGE, 0x11, 1));
	EXPECT_TRUE(all(a + 3 * PAGE, 7, 1));
	EXPECT_TRUE(all(a + 4 * PAGE, 1, 1));
	EXPECT_TRUE(all(second + 5 * PAGE, 0x22, 1));
	/* And no longer. */
	memset(a + 2 * PAGE, 0x33, 4 * PAGE);
	EXPECT_TRUE(all(pool + 8 * PAGE, 0x11, 1));
	EXPECT_TRUE(all(pool + 11 * PAGE, 0x22, 1));
	EXPECT_EQ(0, swap_list(c, NULL, 0));
	ASSERT_EQ(0, region_get(c, "a", &at));
	EXPECT_EQ(0, at.swaps);
	munmap(second, SIZE);
}

/* A transmit buffer, and who receives by it; one leaves, and a third one comes. */
TEST_F(swap, shared)
{
	struct control *c = &self->c;
	char **at = self->vms.at;
	int i;

	ASSERT_EQ(0, swap_in(c, "a", 0, "pool", 4 * PAGE, 4 * PAGE, 0));
	/* Nobody else's bytes come into what a uses. */
	EXPECT_EQ(-EBUSY, swap_in(c, "b", 8 * PAGE, "pool", 4 * PAGE, 4 * PAGE, 0));
	EXPECT_NE(NULL, strstr(c->answer.text, "only what the pool has in them can stay"));
	EXPECT_TRUE(all(at[B], 2, PAGES));
	ASSERT_EQ(0, swap_in(c, "b", 8 * PAGE, "pool", 4 * PAGE, 4 * PAGE, 1));
	EXPECT_TRUE(all(at[B] + 8 * PAGE, 1, 4));
	EXPECT_TRUE(all(at[B], 2, 8));
	EXPECT_TRUE(all(at[B] + 12 * PAGE, 2, 4));
	for (i = 0; i < 4; i++) {
		at[A][i * PAGE + 100] = 50 + i;
		EXPECT_EQ(50 + i, at[B][(8 + i) * PAGE + 100]);
		at[B][(8 + i) * PAGE + 200] = 60 + i;
		EXPECT_EQ(60 + i, at[A][i * PAGE + 200]);
	}
	/* A part of it, and more beside it. */
	ASSERT_EQ(0, swap_in(c, "c", 0, "pool", 6 * PAGE, 4 * PAGE, 1));
	EXPECT_EQ(52, at[C][100]);
	EXPECT_TRUE(all(at[C] + 2 * PAGE, POOL + 1, 2));
	ASSERT_EQ(0, swap_back(c, "b", 8 * PAGE, 0));
	at[A][2 * PAGE + 100] = 99;
	EXPECT_EQ(99, at[C][100]);
	EXPECT_EQ(52, at[B][10 * PAGE + 100]);
	EXPECT_EQ(61, at[B][9 * PAGE + 200]);
	/* Who brought it leaves before the others. */
	ASSERT_EQ(0, swap_back(c, "a", 0, 0));
	at[A][2 * PAGE + 100] = 98;
	EXPECT_EQ(99, at[C][100]);
	EXPECT_EQ(99, at[POOL][6 * PAGE + 100]);
	ASSERT_EQ(0, swap_back(c, "c", 0, 0));
	EXPECT_EQ(99, at[C][100]);
}

TEST_F(swap, large_pages)
{
	struct control *c = &self->c;
	char *vm, *pool;
	int fd[2], i;

	ASSERT_EQ(0, region_add(c, "vm", 4 * HUGE, HUGE));
	ASSERT_EQ(0, region_add(c, "large", 2 * HUGE, HUGE));
	fd[0] = region_open(c, "vm", O_RDWR);
	fd[1] = region_open(c, "large", O_RDWR);
	vm = region_map(fd[0], 4 * HUGE);
	pool = region_map(fd[1], 2 * HUGE);
	ASSERT_NE(MAP_FAILED, vm);
	ASSERT_NE(MAP_FAILED, pool);
	for (i = 0; i < 2048; i++)
		vm[i * PAGE + 5] = i * 3;
	EXPECT_EQ(-EINVAL, swap_in(c, "vm", HUGE + PAGE, "large", 0, HUGE, 0));
	EXPECT_EQ(-EINVAL, swap_in(c, "vm", HUGE, "large", PAGE, HUGE, 0));
	EXPECT_EQ(-EINVAL, swap_in(c, "vm", HUGE, "large", 0, PAGE, 0));
	EXPECT_EQ(-EINVAL, swap_in(c, "vm", HUGE, "pool", 0, HUGE, 0));
	EXPECT_NE(NULL, strstr(c->answer.text, "pages of the same size"));
	EXPECT_EQ(-EINVAL, swap_in(c, "a", 0, "large", 0, HUGE, 0));
	ASSERT_EQ(0, swap_in(c, "vm", HUGE, "large", 0, 2 * HUGE, 0));
	for (i = 0; i < 1024; i++) {
		ASSERT_EQ((char)((512 + i) * 3), pool[i * PAGE + 5]);
		pool[i * PAGE + 6] = i * 5;
	}
	ASSERT_EQ(0, swap_back(c, "vm", HUGE, 0));
	memset(pool, 0, 2 * HUGE);
	for (i = 0; i < 2048; i++)
		ASSERT_EQ((char)(i * 3), vm[i * PAGE + 5]);
	for (i = 0; i < 1024; i++)
		ASSERT_EQ((char)(i * 5), vm[HUGE + i * PAGE + 6]);
	munmap(vm, 4 * HUGE);
	munmap(pool, 2 * HUGE);
	close(fd[0]);
	close(fd[1]);
}

/* What is wrong with a request; everything else about it is right. */
static const struct wrong {
	const char *what;
	int error;
	int at;			/* attribute at fault */
	const char *region, *pool;
	uint64_t offset, pool_offset, size;
} wrongs[] = {
	{ "no region", ENOENT, S(REGION), "x", "pool", 0, 0, PAGE },
	{ "no pool", ENOENT, S(POOL), "a", "x", 0, 0, PAGE },
	{ "itself", EINVAL, S(POOL), "a", "a", 0, PAGE, PAGE },
	{ "nothing", EINVAL, S(SIZE), "a", "pool", 0, 0, 0 },
	{ "a part of a page", EINVAL, S(SIZE), "a", "pool", 0, 0, PAGE + 1 },
	{ "odd", EINVAL, S(OFFSET), "a", "pool", 1, 0, PAGE },
	{ "odd in the pool", EINVAL, S(POOL_OFFSET), "a", "pool", 0, 2048, PAGE },
	{ "behind the end", EINVAL, S(OFFSET), "a", "pool", SIZE, 0, PAGE },
	{ "beyond the end", EINVAL, S(OFFSET), "a", "pool", SIZE - PAGE, 0, 2 * PAGE },
	{ "behind its end", EINVAL, S(POOL_OFFSET), "a", "pool", 0, SIZE, PAGE },
	{ "beyond its end", EINVAL, S(POOL_OFFSET), "a", "pool", 0, SIZE - PAGE, 2 * PAGE },
	{ "too large", EINVAL, S(OFFSET), "a", "pool", 0, 0, 2 * SIZE },
	{ "wraps", EINVAL, S(OFFSET), "a", "pool", -PAGE, 0, 2 * PAGE },
	{ "wraps in the pool", EINVAL, S(POOL_OFFSET), "a", "pool", 0, -PAGE, 2 * PAGE },
	{ "huge", EINVAL, S(OFFSET), "a", "pool", 0, 0, -PAGE },
};

TEST_F(swap, refusals)
{
	struct control *c = &self->c;
	unsigned int nest, i;

	for (i = 0; i < ARRAY_SIZE(wrongs); i++) {
		const struct wrong *w = &wrongs[i];
		unsigned int at[S(MAX) + 1] = { 0 };

		nl_begin(c->msg, c->family, IVSHM_CMD_SWAP_NEW, 0);
		nest = nl_nest(c->msg, IVSHM_A_SWAP);
		at[S(REGION)] = nl_put_str(c->msg, S(REGION), w->region);
		at[S(OFFSET)] = nl_put(c->msg, S(OFFSET), &w->offset, sizeof(w->offset));
		at[S(POOL)] = nl_put_str(c->msg, S(POOL), w->pool);
		at[S(POOL_OFFSET)] = nl_put(c->msg, S(POOL_OFFSET), &w->pool_offset,
					    sizeof(w->pool_offset));
		at[S(SIZE)] = nl_put(c->msg, S(SIZE), &w->size, sizeof(w->size));
		nl_nest_end(c->msg, nest);
		EXPECT_EQ(-w->error, control_talk(c, NULL, NULL)) {
			TH_LOG("%s", w->what);
		}
		EXPECT_EQ(at[w->at], c->answer.offset) {
			TH_LOG("%s", w->what);
		}
		EXPECT_STRNE("", c->answer.text) {
			TH_LOG("%s", w->what);
		}
	}
	ASSERT_EQ(0, swap_in(c, "a", 0, "pool", 0, 2 * PAGE, 0));
	for (i = 0; i < 3; i++) {
		/* In its midst, beside it, and of one that has none. */
		EXPECT_EQ(-ENOENT, swap_back(c, i < 2 ? "a" : "b", (1 + i) % 3 * PAGE, 0));
		EXPECT_NE(0, c->answer.offset);
		EXPECT_STRNE("", c->answer.text);
	}
	EXPECT_EQ(-ENOENT, swap_back(c, "x", 0, 0));
	EXPECT_EQ(1, swap_list(c, NULL, 0));
}

/* What must be there, and what must not. */
TEST_F(swap, attributes)
{
	static const int needed[] = { S(REGION), S(OFFSET), S(POOL), S(SIZE) };
	struct control *c = &self->c;
	uint64_t size = PAGE;
	unsigned int nest, i, k, at;

	for (i = 0; i < ARRAY_SIZE(needed); i++) {
		nl_begin(c->msg, c->family, IVSHM_CMD_SWAP_NEW, 0);
		nest = nl_nest(c->msg, IVSHM_A_SWAP);
		for (k = 0; k < i; k++) {
			if (needed[k] == S(REGION) || needed[k] == S(POOL))
				nl_put_str(c->msg, needed[k], needed[k] == S(POOL) ? "pool" : "a");
			else
				nl_put(c->msg, needed[k], &size, sizeof(size));
		}
		nl_nest_end(c->msg, nest);
		EXPECT_EQ(-EINVAL, control_talk(c, NULL, NULL));
		EXPECT_EQ(needed[i], c->answer.miss_type);
		EXPECT_STRNE("", c->answer.text);
	}
	for (i = 0; i < 2; i++) {
		nl_begin(c->msg, c->family, i ? IVSHM_CMD_SWAP_DEL : IVSHM_CMD_SWAP_NEW, 0);
		EXPECT_EQ(-EINVAL, control_talk(c, NULL, NULL));
		EXPECT_EQ(IVSHM_A_SWAP, c->answer.miss_type);
	}
	/* Not for this command. */
	nl_begin(c->msg, c->family, IVSHM_CMD_SWAP_DEL, 0);
	nest = nl_nest(c->msg, IVSHM_A_SWAP);
	nl_put_str(c->msg, S(REGION), "a");
	nl_put(c->msg, S(OFFSET), &size, sizeof(size));
	at = nl_put_str(c->msg, S(POOL), "pool");
	nl_nest_end(c->msg, nest);
	EXPECT_EQ(-EINVAL, control_talk(c, NULL, NULL));
	EXPECT_EQ(at, c->answer.offset);
}

/* All of @c's requests end in EPERM with a text, but for the one that reads. */
static int all_refused(struct control *c, int get)
{
	if (swap_in(c, "a", 0, "pool", 0, PAGE, 0) != -EPERM || !c->answer.text[0])
		return 1;
	if (swap_back(c, "b", 0, 1) != -EPERM || !c->answer.text[0])
		return 2;
	return swap_list(c, NULL, 0) == (get ? 0 : 1) ? 0 : 3;
}

TEST_F(swap, permissions)
{
	struct control *c = &self->c;

	ASSERT_EQ(0, swap_in(c, "b", 0, "pool", 0, PAGE, 0));
	EXPECT_EQ(0, in_child(be_nobody, all_refused, 0));
	EXPECT_EQ(0, in_child(be_root_of_a_namespace, all_refused, 0));
	EXPECT_EQ(0, in_child(be_elsewhere, all_refused, 1));
	EXPECT_EQ(1, swap_list(c, NULL, 0));
}

TEST_F(swap, events)
{
	struct control *c = &self->c;
	struct region_attrs at;
	int sock = nl_listen(c->group);

	ASSERT_LE(0, sock);
	ASSERT_EQ(0, swap_in(c, "b", 0, "pool", 0, PAGE, 0));
	ASSERT_TRUE(nl_event(sock, region_read_attrs, &at));
	EXPECT_STREQ("b", at.name);
	EXPECT_EQ(1, at.swaps);
	EXPECT_EQ(IVSHM_REGION_READY, at.old_state);
	EXPECT_EQ(IVSHM_REGION_READY, at.new_state);
	ASSERT_EQ(0, swap_back(c, "b", 0, 0));
	ASSERT_TRUE(nl_event(sock, region_read_attrs, &at));
	EXPECT_STREQ("b", at.name);
	EXPECT_EQ(0, at.swaps);
	close(sock);
}

static int export_dmabuf(int fd, uint64_t offset, uint64_t len)
{
	struct ivshm_region_export_dmabuf arg = {
		.argsz = sizeof(arg), .flags = O_RDWR, .offset = offset, .len = len,
	};
	int dmabuf = ioctl(fd, IVSHM_REGION_EXPORT_DMABUF, &arg);

	return dmabuf < 0 ? -errno : dmabuf;
}

/* Ranges that are used for something else, and what is used for nothing else then. */
TEST_F(swap, conflicts)
{
	struct control *c = &self->c;
	int dmabuf;
	char *p;

	p = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, p);
	/* Twice, and overlapping. */
	ASSERT_EQ(0, swap_in(c, "a", 4 * PAGE, "pool", 4 * PAGE, 4 * PAGE, 0));
	EXPECT_EQ(-EBUSY, swap_in(c, "a", 4 * PAGE, "pool", 8 * PAGE, 4 * PAGE, 0));
	EXPECT_EQ(-EBUSY, swap_in(c, "a", 7 * PAGE, "pool", 8 * PAGE, 2 * PAGE, 0));
	EXPECT_NE(NULL, strstr(c->answer.text, "has pages of another region in place already"));
	/* No chains, neither way. */
	EXPECT_EQ(-EBUSY, swap_in(c, "b", 0, "a", 7 * PAGE, PAGE, 1));
	EXPECT_EQ(-EBUSY, swap_in(c, "pool", 7 * PAGE, "b", 0, PAGE, 1));
	EXPECT_NE(NULL, strstr(c->answer.text, "are in place in another region"));
	EXPECT_EQ(0, swap_in(c, "pool", 8 * PAGE, "a", 8 * PAGE, PAGE, 0));
	EXPECT_EQ(0, swap_back(c, "pool", 8 * PAGE, 0));

	/* Under a program's own memory: of the range no, of the pool as it is. */
	EXPECT_EQ(-EBUSY, map_dma(self->vms.fd[A], p, PAGE, 7 * PAGE, 0));
	ASSERT_EQ(0, map_dma(self->vms.fd[A], p, PAGE, 8 * PAGE, 0));
	EXPECT_EQ(-EBUSY, swap_in(c, "a", 8 * PAGE, "pool", 8 * PAGE, PAGE, 0));
	EXPECT_NE(NULL, strstr(c->answer.text, "under a program's own memory, or in a dma-buf"));
	ASSERT_EQ(0, unmap_dma(self->vms.fd[A], p, PAGE));
	ASSERT_EQ(0, map_dma(self->vms.fd[POOL], p, PAGE, 8 * PAGE, 0));
	p[5] = 55;
	EXPECT_EQ(-EBUSY, swap_in(c, "b", 0, "pool", 8 * PAGE, PAGE, 0));
	EXPECT_NE(NULL, strstr(c->answer.text, "only what the pool has in them can stay"));
	ASSERT_EQ(0, swap_in(c, "b", 0, "pool", 8 * PAGE, PAGE, 1));
	EXPECT_EQ(55, self->vms.at[B][5]);
	self->vms.at[B][6] = 66;
	EXPECT_EQ(66, p[6]);
	/* What it goes on writing to is taken along. */
	ASSERT_EQ(0, swap_back(c, "b", 0, 0));
	EXPECT_EQ(55, self->vms.at[B][5]);
	ASSERT_EQ(0, unmap_dma(self->vms.fd[POOL], p, PAGE));
	munmap(p, SIZE);

	dmabuf = export_dmabuf(self->vms.fd[A], 8 * PAGE, PAGE);
	if (dmabuf == -ENOTTY)
		SKIP(return, "no dma-bufs");
	ASSERT_LE(0, dmabuf);
	EXPECT_EQ(-EBUSY, swap_in(c, "a", 8 * PAGE, "pool", 8 * PAGE, PAGE, 0));
	EXPECT_EQ(-EBUSY, export_dmabuf(self->vms.fd[A], 4 * PAGE, PAGE));
	close(dmabuf);
	EXPECT_EQ(0, swap_in(c, "a", 8 * PAGE, "pool", 8 * PAGE, PAGE, 0));
}

/* Pages that someone holds are not taken away from under him. */
TEST_F(swap, pinned)
{
	struct control *c = &self->c;
	double began;
	int pinned;

	pinned = swap_pin(self->vms.at[A] + 3 * PAGE);
	ASSERT_LE(0, pinned);
	began = now();
	EXPECT_EQ(-EBUSY, swap_in(c, "a", 0, "pool", 0, SIZE, 0));
	EXPECT_NE(NULL, strstr(c->answer.text, "pinned"));
	EXPECT_GT(slow() ? 5 : 1, now() - began);
	/* As before, here and there. */
	EXPECT_TRUE(all(self->vms.at[A], A + 1, PAGES));
	EXPECT_TRUE(all(self->vms.at[POOL], POOL + 1, PAGES));
	EXPECT_EQ(0, swap_list(c, NULL, 0));
	EXPECT_EQ(0, swap_in(c, "a", 0, "pool", 0, 3 * PAGE, 0));
	EXPECT_EQ(0, swap_back(c, "a", 0, 0));
	close(pinned);
	ASSERT_EQ(0, swap_in(c, "a", 0, "pool", 0, SIZE, 0));

	/* The way back, wherever they are pinned. */
	ASSERT_EQ(0, swap_in(c, "b", 0, "pool", 8 * PAGE, 8 * PAGE, 1));
	pinned = swap_pin(self->vms.at[B] + 2 * PAGE);
	ASSERT_LE(0, pinned);
	EXPECT_EQ(-EBUSY, swap_back(c, "a", 0, 0));
	self->vms.at[A][10 * PAGE] = 77;
	EXPECT_EQ(77, self->vms.at[B][2 * PAGE]);
	EXPECT_EQ(0, swap_back(c, "a", 0, 1));
	EXPECT_EQ(77, self->vms.at[A][10 * PAGE]);
	self->vms.at[B][2 * PAGE] = 78;
	EXPECT_EQ(77, self->vms.at[A][10 * PAGE]);
	close(pinned);
	EXPECT_EQ(0, swap_back(c, "b", 0, 0));
	EXPECT_EQ(78, self->vms.at[B][2 * PAGE]);
}

/* The pool goes: each has its own pages again. */
TEST_F(swap, pool_deleted)
{
	struct control *c = &self->c;
	char **at = self->vms.at;

	ASSERT_EQ(0, swap_in(c, "a", 0, "pool", 0, 8 * PAGE, 0));
	ASSERT_EQ(0, swap_in(c, "b", 0, "pool", 0, 8 * PAGE, 1));
	at[B][3 * PAGE] = 44;
	/* Nobody has it open, but it is in use. */
	vm_end(&self->vms, POOL);
	EXPECT_EQ(-EBUSY, region_del(c, "pool"));
	EXPECT_STRNE("", c->answer.text);
	EXPECT_EQ(44, at[A][3 * PAGE]);
	ASSERT_EQ(0, region_force(c, "pool"));
	EXPECT_EQ(0, swap_list(c, NULL, 0));
	EXPECT_EQ(44, at[A][3 * PAGE]);
	EXPECT_EQ(44, at[B][3 * PAGE]);
	at[A][3 * PAGE] = 45;
	EXPECT_EQ(44, at[B][3 * PAGE]);
	EXPECT_TRUE(all(at[A] + 4 * PAGE, A + 1, PAGES - 4));
	EXPECT_TRUE(all(at[B] + 4 * PAGE, A + 1, 4));
}

/* A VM ends, and its memory; or that goes from under it. */
TEST_F(swap, region_deleted)
{
	struct control *c = &self->c;
	char **at = self->vms.at;

	ASSERT_EQ(0, swap_in(c, "a", 0, "pool", 0, 8 * PAGE, 0));
	ASSERT_EQ(0, swap_in(c, "b", 0, "pool", 0, 8 * PAGE, 1));
	at[A][2 * PAGE] = 22;
	vm_end(&self->vms, A);
	EXPECT_EQ(0, region_del(c, "a"));
	EXPECT_EQ(1, swap_list(c, NULL, 0));
	EXPECT_EQ(22, at[B][2 * PAGE]);
	EXPECT_EQ(-EBUSY, region_del(c, "b"));
	EXPECT_EQ(0, region_force(c, "b"));
	EXPECT_TRUE(region_faults(at[B] + 2 * PAGE));
	EXPECT_TRUE(region_faults(at[B] + 9 * PAGE));
	EXPECT_EQ(0, swap_list(c, NULL, 0));
	EXPECT_EQ(22, at[POOL][2 * PAGE]);
	/* Free for everything again. */
	EXPECT_EQ(0, swap_in(c, "pool", 0, "c", 0, SIZE, 0));
}

/* Of regions that nobody has open. */
TEST_F(swap, nobody_there)
{
	struct control *c = &self->c;
	int i;

	for (i = 0; i < ALL; i++)
		vm_end(&self->vms, i);
	ASSERT_EQ(0, swap_in(c, "a", 0, "pool", 0, SIZE, 0));
	ASSERT_EQ(0, swap_in(c, "b", 0, "pool", 0, SIZE, 1));
	ASSERT_EQ(0, swap_back(c, "a", 0, 0));
	self->vms.fd[B] = region_open(c, "b", O_RDWR);
	self->vms.at[B] = region_map(self->vms.fd[B], SIZE);
	ASSERT_NE(MAP_FAILED, self->vms.at[B]);
	EXPECT_TRUE(all(self->vms.at[B], A + 1, PAGES));
}

TEST_HARNESS_MAIN
