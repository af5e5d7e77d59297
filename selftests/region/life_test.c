// SPDX-License-Identifier: GPL-2.0
/* Regions by netlink: made, shown, changed, deleted, refused. As root. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "region.h"

FIXTURE(life)
{
	struct control c;
};

FIXTURE_SETUP(life)
{
	ASSERT_EQ(0, control_open(&self->c));
	region_del_all(&self->c);
}

FIXTURE_TEARDOWN(life)
{
	parameter_set("region_max_mib", 0);
	parameter_set("region_user_max_mib", 0);
	region_del_all(&self->c);
	control_close(&self->c);
}

TEST_F(life, shown)
{
	struct control *c = &self->c;
	struct region_attrs at;
	uint64_t size = 16 * PAGE;
	struct stat st;
	char path[64];
	unsigned int nest;

	nest = control_begin(c, IVSHM_CMD_REGION_NEW, "vm-a.b+c:d=e@f_1");
	nl_put(c->msg, R(SIZE), &size, sizeof(size));
	nl_put_u32(c->msg, R(MODE), 0640);
	nl_put_u32(c->msg, R(UID), 1234);
	nl_put_u32(c->msg, R(GID), 5678);
	nl_put_u32(c->msg, R(NODE), 0);
	nl_nest_end(c->msg, nest);
	ASSERT_EQ(0, control_talk(c, NULL, NULL));

	ASSERT_EQ(0, region_get(c, "vm-a.b+c:d=e@f_1", &at));
	EXPECT_STREQ("vm-a.b+c:d=e@f_1", at.name);
	EXPECT_EQ(size, at.size);
	EXPECT_EQ(PAGE, at.page_size);
	EXPECT_EQ(0640, at.mode);
	EXPECT_EQ(1234, at.uid);
	EXPECT_EQ(5678, at.gid);
	EXPECT_EQ(0, at.node);
	EXPECT_EQ(IVSHM_REGION_READY, at.state);
	EXPECT_EQ(0, at.users);

	snprintf(path, sizeof(path), "/dev/ivshm%u", at.number);
	ASSERT_EQ(0, stat(path, &st));
	EXPECT_EQ(S_IFCHR | 0640, st.st_mode);
	EXPECT_EQ(1234, st.st_uid);
	EXPECT_EQ(5678, st.st_gid);

	/* What was not asked for. */
	ASSERT_EQ(0, region_add(c, "plain", PAGE, 0));
	ASSERT_EQ(0, region_get(c, "plain", &at));
	EXPECT_EQ(IVSHM_REGION_MODE_DEFAULT, at.mode);
	EXPECT_EQ(0, at.uid);
	EXPECT_EQ(0, at.gid);
	EXPECT_EQ(~0U, at.node);
	EXPECT_EQ(2, region_count(c));

	ASSERT_EQ(0, region_del(c, "vm-a.b+c:d=e@f_1"));
	EXPECT_EQ(-1, stat(path, &st));
	EXPECT_EQ(1, region_count(c));
	ASSERT_EQ(0, region_del(c, "plain"));
	EXPECT_EQ(0, region_count(c));
}

/* What is wrong with a request; everything else about it is right. */
struct wrong {
	const char *what;
	int error;
	const char *name;
	uint64_t size;
	int option;
	uint32_t value;
	int at;			/* attribute at fault, 0 for none */
};

static const struct wrong wrongs[] = {
	{ "empty name", EINVAL, "", PAGE, .at = R(NAME) },
	{ "dot", EINVAL, ".", PAGE, .at = R(NAME) },
	{ "dots", EINVAL, "..", PAGE, .at = R(NAME) },
	{ "slash", EINVAL, "a/b", PAGE, .at = R(NAME) },
	{ "space", EINVAL, "a b", PAGE, .at = R(NAME) },
	{ "percent", EINVAL, "a%b", PAGE, .at = R(NAME) },
	{ "control", EINVAL, "a\nb", PAGE, .at = R(NAME) },
	{ "not ASCII", EINVAL, "a\xc3\xa4", PAGE, .at = R(NAME) },
	{ "name of 32", EINVAL, "12345678901234567890123456789012", PAGE, .at = R(NAME) },
	{ "name taken", EEXIST, "taken", PAGE, .at = R(NAME) },
	{ "size 0", EINVAL, "x", 0, .at = R(SIZE) },
	{ "size 1", EINVAL, "x", 1, .at = R(SIZE) },
	{ "half a page", EINVAL, "x", PAGE / 2, .at = R(SIZE) },
	{ "three pages", EINVAL, "x", 3 * PAGE, .at = R(SIZE) },
	{ "page and a byte", EINVAL, "x", PAGE + 1, .at = R(SIZE) },
	{ "size 2^63", ENOSPC, "x", 1ULL << 63, .at = R(SIZE) },
	{ "below the page", EINVAL, "x", MIB, R(PAGE_SIZE), 2 * MIB, R(SIZE) },
	{ "page 0", EINVAL, "x", MIB, R(PAGE_SIZE), 0, R(PAGE_SIZE) },
	{ "page 64K", EINVAL, "x", MIB, R(PAGE_SIZE), 64 * KIB, R(PAGE_SIZE) },
	{ "mode", EINVAL, "x", PAGE, R(MODE), 01600, R(MODE) },
	{ "mode, execute", EINVAL, "x", PAGE, R(MODE), 0700, R(MODE) },
	{ "uid", EINVAL, "x", PAGE, R(UID), ~0U, R(UID) },
	{ "gid", EINVAL, "x", PAGE, R(GID), ~0U, R(GID) },
	{ "node 1000", EINVAL, "x", PAGE, R(NODE), 1000, R(NODE) },
	{ "node -1", EINVAL, "x", PAGE, R(NODE), ~0U, R(NODE) },
	{ "state", EINVAL, "x", PAGE, R(STATE), 0, R(STATE) },
};

TEST_F(life, refusals)
{
	struct control *c = &self->c;
	unsigned int nest, i;

	ASSERT_EQ(0, region_add(c, "taken", PAGE, 0));
	for (i = 0; i < ARRAY_SIZE(wrongs); i++) {
		const struct wrong *w = &wrongs[i];
		unsigned int at[R(MAX) + 1] = { 0 };

		nest = control_begin(c, IVSHM_CMD_REGION_NEW, NULL);
		at[R(NAME)] = nl_put_str(c->msg, R(NAME), w->name);
		at[R(SIZE)] = nl_put(c->msg, R(SIZE), &w->size, sizeof(w->size));
		if (w->option)
			at[w->option] = nl_put_u32(c->msg, w->option, w->value);
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
	/* Nothing has changed. */
	EXPECT_EQ(1, region_count(c));
	EXPECT_EQ(0, region_add(c, "x", PAGE, 0));
}

/* No object, no name, no such region, for every command. */
TEST_F(life, no_object)
{
	static const int cmds[] = {
		IVSHM_CMD_REGION_NEW, IVSHM_CMD_REGION_SET,
		IVSHM_CMD_REGION_DEL, IVSHM_CMD_REGION_GET,
	};
	struct control *c = &self->c;
	unsigned int nest, i;

	for (i = 0; i < ARRAY_SIZE(cmds); i++) {
		nl_begin(c->msg, c->family, cmds[i], 0);
		EXPECT_EQ(-EINVAL, control_talk(c, NULL, NULL));
		EXPECT_EQ(IVSHM_A_REGION, c->answer.miss_type);
		EXPECT_STRNE("", c->answer.text);

		nest = control_begin(c, cmds[i], NULL);
		nl_nest_end(c->msg, nest);
		EXPECT_EQ(-EINVAL, control_talk(c, NULL, NULL));
		EXPECT_EQ(R(NAME), c->answer.miss_type);
		EXPECT_EQ(nest, c->answer.miss_nest);
		EXPECT_STRNE("", c->answer.text);

		nl_nest_end(c->msg, control_begin(c, cmds[i], "nobody"));
		if (cmds[i] == IVSHM_CMD_REGION_NEW) {
			EXPECT_EQ(-EINVAL, control_talk(c, NULL, NULL));
			EXPECT_EQ(R(SIZE), c->answer.miss_type);
		} else {
			EXPECT_EQ(-ENOENT, control_talk(c, NULL, NULL));
			EXPECT_NE(0, c->answer.offset);
		}
		EXPECT_STRNE("", c->answer.text);
	}
	/* What a command does not know is refused, not ignored. */
	nest = control_begin(c, IVSHM_CMD_REGION_SET, "nobody");
	i = nl_put_u32(c->msg, R(NODE), 0);
	nl_nest_end(c->msg, nest);
	EXPECT_EQ(-EINVAL, control_talk(c, NULL, NULL));
	EXPECT_EQ(i, c->answer.offset);
}

/* All of @c's requests end in EPERM with a text, those that read do not. */
static int all_refused(struct control *c, int get)
{
	struct region_attrs at;

	if (region_add(c, "y", PAGE, 0) != -EPERM || !c->answer.text[0])
		return 1;
	nl_nest_end(c->msg, control_begin(c, IVSHM_CMD_REGION_SET, "x"));
	if (control_talk(c, NULL, NULL) != -EPERM || !c->answer.text[0])
		return 2;
	if (region_del(c, "x") != -EPERM || !c->answer.text[0])
		return 3;
	if (region_get(c, "x", &at) != get || (get && !c->answer.text[0]))
		return 4;
	return region_count(c) == (get ? 0 : 1) ? 0 : 5;
}

TEST_F(life, permissions)
{
	struct control *c = &self->c;

	ASSERT_EQ(0, region_add(c, "x", PAGE, 0));
	EXPECT_EQ(0, in_child(be_nobody, all_refused, 0));
	EXPECT_EQ(0, in_child(be_root_of_a_namespace, all_refused, 0));
	EXPECT_EQ(0, in_child(be_elsewhere, all_refused, -EPERM));
	EXPECT_EQ(1, region_count(c));
}

/* Whether @c's caller may open "x" to read (1), to write (2); plus 4. */
static int may_open(struct control *c, int how)
{
	int fd, may = 4;

	(void)how;
	fd = region_open(c, "x", O_RDONLY);
	if (fd >= 0)
		may |= 1;
	else if (fd != -EACCES)
		return 0;
	close(fd);
	fd = region_open(c, "x", O_RDWR);
	if (fd >= 0)
		may |= 2;
	else if (fd != -EACCES)
		return 0;
	close(fd);
	return may;
}

/* Who may open the device is a matter of its owner and mode. */
TEST_F(life, modes)
{
	static const struct {
		uint32_t mode, uid, gid;
		int may;
	} of[] = {
		{ 0600, 0, 0, 0 }, { 0604, 0, 0, 1 }, { 0606, 0, 0, 3 }, { 0660, 0, 65534, 3 },
		{ 0640, 0, 65534, 1 }, { 0600, 65534, 0, 3 }, { 0400, 65534, 0, 1 },
		/* The owner's are the owner's. */
		{ 0066, 65534, 0, 0 },
	};
	struct control *c = &self->c;
	uint64_t size = PAGE;
	unsigned int nest, i;

	for (i = 0; i < ARRAY_SIZE(of); i++) {
		nest = control_begin(c, IVSHM_CMD_REGION_NEW, "x");
		nl_put(c->msg, R(SIZE), &size, sizeof(size));
		nl_put_u32(c->msg, R(MODE), of[i].mode);
		nl_put_u32(c->msg, R(UID), of[i].uid);
		nl_put_u32(c->msg, R(GID), of[i].gid);
		nl_nest_end(c->msg, nest);
		ASSERT_EQ(0, control_talk(c, NULL, NULL));
		EXPECT_EQ(4 | of[i].may, in_child(be_nobody, may_open, 0)) {
			TH_LOG("%u", i);
		}
		ASSERT_EQ(0, region_del(c, "x"));
	}
}

TEST_F(life, events)
{
	struct control *c = &self->c;
	struct region_attrs at;
	unsigned int nest;
	int sock = nl_listen(c->group);

	ASSERT_LE(0, sock);
	ASSERT_EQ(0, region_add(c, "x", PAGE, 0));
	ASSERT_TRUE(nl_event(sock, region_read_attrs, &at));
	EXPECT_STREQ("x", at.name);
	EXPECT_EQ(IVSHM_REGION_GONE, at.old_state);
	EXPECT_EQ(IVSHM_REGION_READY, at.new_state);

	nest = control_begin(c, IVSHM_CMD_REGION_SET, "x");
	nl_put_u32(c->msg, R(MODE), 0666);
	nl_nest_end(c->msg, nest);
	ASSERT_EQ(0, control_talk(c, NULL, NULL));
	ASSERT_TRUE(nl_event(sock, region_read_attrs, &at));
	EXPECT_EQ(0666, at.mode);
	EXPECT_EQ(IVSHM_REGION_READY, at.old_state);
	EXPECT_EQ(IVSHM_REGION_READY, at.new_state);

	ASSERT_EQ(0, region_del(c, "x"));
	ASSERT_TRUE(nl_event(sock, region_read_attrs, &at));
	EXPECT_STREQ("x", at.name);
	EXPECT_EQ(IVSHM_REGION_READY, at.old_state);
	EXPECT_EQ(IVSHM_REGION_GONE, at.new_state);
	/* A refusal is no event. */
	ASSERT_EQ(-EINVAL, region_add(c, "..", PAGE, 0));
	EXPECT_FALSE(nl_event(sock, region_read_attrs, &at));
	close(sock);
}

/* The uevent has what udev's rule needs. Returns whether @wanted is in it. */
static int uevent_has(int sock, const char *action, const char *wanted)
{
	char buf[8192];
	ssize_t len;
	char *at;

	while ((len = recv(sock, buf, sizeof(buf) - 1, 0)) > 0) {
		buf[len] = '\0';
		if (strncmp(buf, action, strlen(action)) || !strstr(buf, "/ivshm/ivshm"))
			continue;
		for (at = buf; at < buf + len; at += strlen(at) + 1)
			if (!strcmp(at, wanted))
				return 1;
		return 0;
	}
	return 0;
}

TEST_F(life, uevents)
{
	struct sockaddr_nl address = { .nl_family = AF_NETLINK, .nl_groups = 1 };
	struct timeval second = { .tv_sec = 1 };
	struct control *c = &self->c;
	unsigned int nest;
	int sock;

	sock = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_KOBJECT_UEVENT);
	ASSERT_LE(0, sock);
	ASSERT_EQ(0, bind(sock, (struct sockaddr *)&address, sizeof(address)));
	setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &second, sizeof(second));
	ASSERT_EQ(0, region_add(c, "x", PAGE, 0));
	EXPECT_TRUE(uevent_has(sock, "add@", "IVSHM_NAME=x"));
	nest = control_begin(c, IVSHM_CMD_REGION_SET, "x");
	nl_put_u32(c->msg, R(MODE), 0660);
	nl_put_u32(c->msg, R(GID), 77);
	nl_nest_end(c->msg, nest);
	ASSERT_EQ(0, control_talk(c, NULL, NULL));
	EXPECT_TRUE(uevent_has(sock, "change@", "IVSHM_GID=77"));
	ASSERT_EQ(0, control_talk(c, NULL, NULL));
	EXPECT_TRUE(uevent_has(sock, "change@", "IVSHM_MODE=0660"));
	ASSERT_EQ(0, region_del(c, "x"));
	EXPECT_TRUE(uevent_has(sock, "remove@", "IVSHM_NAME=x"));
	close(sock);
}

static int add_for(struct control *c, const char *name, uint64_t size, uint32_t uid)
{
	unsigned int nest = control_begin(c, IVSHM_CMD_REGION_NEW, name);

	nl_put(c->msg, R(SIZE), &size, sizeof(size));
	nl_put_u32(c->msg, R(UID), uid);
	nl_nest_end(c->msg, nest);
	return control_talk(c, NULL, NULL);
}

TEST_F(life, quotas)
{
	struct control *c = &self->c;
	unsigned int nest;

	ASSERT_EQ(0, parameter_set("region_max_mib", 4));
	ASSERT_EQ(0, parameter_set("region_user_max_mib", 2));
	EXPECT_EQ(-EDQUOT, add_for(c, "a", 4 * MIB, 1));
	EXPECT_NE(0, c->answer.offset);
	EXPECT_EQ(-ENOSPC, add_for(c, "a", 8 * MIB, 1));
	ASSERT_EQ(0, add_for(c, "a", 2 * MIB, 1));
	EXPECT_EQ(-EDQUOT, add_for(c, "b", PAGE, 1));
	ASSERT_EQ(0, add_for(c, "b", MIB, 2));
	/* A change of owner counts, the own does not. */
	nest = control_begin(c, IVSHM_CMD_REGION_SET, "b");
	nl_put_u32(c->msg, R(UID), 1);
	nl_nest_end(c->msg, nest);
	EXPECT_EQ(-EDQUOT, control_talk(c, NULL, NULL));
	nest = control_begin(c, IVSHM_CMD_REGION_SET, "a");
	nl_put_u32(c->msg, R(UID), 1);
	nl_put_u32(c->msg, R(MODE), 0660);
	nl_nest_end(c->msg, nest);
	EXPECT_EQ(0, control_talk(c, NULL, NULL));
	EXPECT_EQ(0, add_for(c, "c", MIB, 3));
	EXPECT_EQ(-ENOSPC, add_for(c, "d", PAGE, 4));
	EXPECT_STRNE("", c->answer.text);
	/* What is deleted counts no more. */
	ASSERT_EQ(0, region_del(c, "c"));
	EXPECT_EQ(0, add_for(c, "d", MIB, 4));
}

TEST_F_TIMEOUT(life, most_regions, 120)
{
	struct control *c = &self->c;
	char name[16];
	int i;

	for (i = 0; i < IVSHM_REGIONS_MAX; i++) {
		snprintf(name, sizeof(name), "r%d", i);
		ASSERT_EQ(0, region_add(c, name, PAGE, 0));
	}
	EXPECT_EQ(-ENOSPC, region_add(c, "more", PAGE, 0));
	EXPECT_STRNE("", c->answer.text);
	EXPECT_EQ(IVSHM_REGIONS_MAX, region_count(c));
	ASSERT_EQ(0, region_del(c, "r7"));
	EXPECT_EQ(0, region_add(c, "more", PAGE, 0));
}

/* Open or only mapped, it is busy; and so is the module. */
TEST_F(life, busy)
{
	struct control *c = &self->c;
	struct region_attrs at;
	char *p;
	int fd;

	ASSERT_EQ(0, region_add(c, "x", 4 * PAGE, 0));
	fd = region_open(c, "x", O_RDWR);
	ASSERT_LE(0, fd);
	EXPECT_EQ(-EBUSY, region_del(c, "x"));
	EXPECT_STRNE("", c->answer.text);
	EXPECT_NE(0, c->answer.offset);
	p = region_map(fd, 4 * PAGE);
	ASSERT_NE(MAP_FAILED, p);
	close(fd);
	ASSERT_EQ(0, region_get(c, "x", &at));
	EXPECT_EQ(1, at.users);
	EXPECT_EQ(-EBUSY, region_del(c, "x"));
	EXPECT_EQ(-1, syscall(SYS_delete_module, "ivshm", O_NONBLOCK));
	EXPECT_EQ(EWOULDBLOCK, errno);
	munmap(p, 4 * PAGE);
	EXPECT_EQ(0, region_del(c, "x"));
}

/* By force: mappings end in SIGBUS, open files in ENODEV. */
TEST_F(life, force)
{
	struct control *c = &self->c;
	struct region_attrs at;
	char *p, *q, *r;
	int fd, fd2;
	size_t i;

	ASSERT_EQ(0, region_add(c, "x", 16 * PAGE, 0));
	fd = region_open(c, "x", O_RDWR);
	ASSERT_LE(0, fd);
	p = region_map(fd, 16 * PAGE);
	q = region_map(fd, 16 * PAGE);
	r = region_map(fd, 16 * PAGE);
	ASSERT_NE(MAP_FAILED, p);
	ASSERT_NE(MAP_FAILED, q);
	ASSERT_NE(MAP_FAILED, r);
	memset(p, 0x5a, 16 * PAGE);
	EXPECT_EQ(0x5a, q[5 * PAGE]);
	ASSERT_EQ(0, region_force(c, "x"));

	for (i = 0; i < 16; i++) {
		EXPECT_TRUE(region_faults(p + i * PAGE));
		EXPECT_TRUE(region_faults(q + i * PAGE));
		/* Where nothing was mapped so far. */
		EXPECT_TRUE(region_faults(r + i * PAGE));
	}
	EXPECT_EQ(MAP_FAILED, region_map(fd, PAGE));
	EXPECT_EQ(ENODEV, errno);
	EXPECT_EQ(-ENOENT, region_get(c, "x", &at));

	/* Its successor has other pages, and they are clean. */
	ASSERT_EQ(0, region_add(c, "x", 16 * PAGE, 0));
	fd2 = region_open(c, "x", O_RDWR);
	ASSERT_LE(0, fd2);
	munmap(q, 16 * PAGE);
	q = region_map(fd2, 16 * PAGE);
	ASSERT_NE(MAP_FAILED, q);
	for (i = 0; i < 16 * PAGE; i++)
		ASSERT_EQ(0, q[i]);
	EXPECT_TRUE(region_faults(p));
	close(fd);
	munmap(p, 16 * PAGE);
	munmap(q, 16 * PAGE);
	munmap(r, 16 * PAGE);
	close(fd2);
}

TEST_HARNESS_MAIN
