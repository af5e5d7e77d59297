// SPDX-License-Identifier: GPL-2.0
/* Regions, as their tests make, open and delete them, and what else tests share. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "region.h"

unsigned int control_begin(struct control *c, int cmd, const char *name)
{
	unsigned int nest;

	nl_begin(c->msg, c->family, cmd, 0);
	nest = nl_nest(c->msg, IVSHM_A_REGION);
	if (name)
		nl_put_str(c->msg, R(NAME), name);
	return nest;
}

int region_add(struct control *c, const char *name, uint64_t size, uint32_t page)
{
	unsigned int nest = control_begin(c, IVSHM_CMD_REGION_NEW, name);

	nl_put(c->msg, R(SIZE), &size, sizeof(size));
	if (page)
		nl_put_u32(c->msg, R(PAGE_SIZE), page);
	nl_nest_end(c->msg, nest);
	return control_talk(c, NULL, NULL);
}

int region_del(struct control *c, const char *name)
{
	nl_nest_end(c->msg, control_begin(c, IVSHM_CMD_REGION_DEL, name));
	return control_talk(c, NULL, NULL);
}

int region_force(struct control *c, const char *name)
{
	unsigned int nest = control_begin(c, IVSHM_CMD_REGION_DEL, name);

	nl_put(c->msg, R(FORCE), NULL, 0);
	nl_nest_end(c->msg, nest);
	return control_talk(c, NULL, NULL);
}

static uint32_t u32_of(const struct nlattr *attr)
{
	return attr ? nl_u32(attr) : ~0U;
}

int region_read_attrs(const struct nlmsghdr *nlh, const struct nlattr *attrs,
		      int len, void *arg)
{
	const struct nlattr *nest = nl_find(attrs, len, IVSHM_A_REGION);
	struct region_attrs *to = arg;
	const struct nlattr *at;

	(void)nlh;
	memset(to, 0xff, sizeof(*to));
	at = nl_in(nest, R(NAME));
	snprintf(to->name, sizeof(to->name), "%s", at ? (const char *)nl_data(at) : "");
	at = nl_in(nest, R(SIZE));
	if (at && nl_len(at) == sizeof(to->size))
		memcpy(&to->size, nl_data(at), sizeof(to->size));
	to->page_size = u32_of(nl_in(nest, R(PAGE_SIZE)));
	to->mode = u32_of(nl_in(nest, R(MODE)));
	to->uid = u32_of(nl_in(nest, R(UID)));
	to->gid = u32_of(nl_in(nest, R(GID)));
	to->node = u32_of(nl_in(nest, R(NODE)));
	to->state = u32_of(nl_in(nest, R(STATE)));
	to->number = u32_of(nl_in(nest, R(NUMBER)));
	to->users = u32_of(nl_in(nest, R(USERS)));
	to->swaps = u32_of(nl_in(nest, R(SWAPS)));
	to->old_state = u32_of(nl_find(attrs, len, IVSHM_A_EVENT_OLD_STATE));
	to->new_state = u32_of(nl_find(attrs, len, IVSHM_A_EVENT_NEW_STATE));
	return 0;
}

int region_get(struct control *c, const char *name, struct region_attrs *attrs)
{
	nl_nest_end(c->msg, control_begin(c, IVSHM_CMD_REGION_GET, name));
	return control_talk(c, region_read_attrs, attrs);
}

static int count_one(const struct nlmsghdr *nlh, const struct nlattr *attrs,
		     int len, void *arg)
{
	(void)nlh;
	if (nl_find(attrs, len, IVSHM_A_REGION))
		++*(int *)arg;
	return 0;
}

int region_count(struct control *c)
{
	int nr = 0;

	nl_begin(c->msg, c->family, IVSHM_CMD_REGION_GET, NLM_F_DUMP);
	return control_talk(c, count_one, &nr) ?: nr;
}

void region_del_all(struct control *c)
{
	struct region_attrs last;

	do {
		last.name[0] = '\0';
		nl_begin(c->msg, c->family, IVSHM_CMD_REGION_GET, NLM_F_DUMP);
		control_talk(c, region_read_attrs, &last);
	} while (last.name[0] && !region_force(c, last.name));
}

int region_open(struct control *c, const char *name, int flags)
{
	struct region_attrs attrs;
	char path[64];
	int err, fd;

	err = region_get(c, name, &attrs);
	if (err)
		return err;
	snprintf(path, sizeof(path), "/dev/ivshm%u", attrs.number);
	fd = open(path, flags | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

void *region_map(int fd, size_t size)
{
	return mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
}

char *anon(size_t len)
{
	return mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

int dma_open(struct dma *d, size_t size)
{
	int err = control_open(&d->c);

	if (err)
		return err;
	region_del_all(&d->c);
	err = region_add(&d->c, "x", size, 0);
	if (err)
		return err;
	d->fd = region_open(&d->c, "x", O_RDWR);
	if (d->fd < 0)
		return d->fd;
	d->region = region_map(d->fd, size);
	d->buf = anon(size);
	return d->region == MAP_FAILED || d->buf == MAP_FAILED ? -ENOMEM : 0;
}

void dma_close(struct dma *d, size_t size)
{
	munmap(d->region, size);
	munmap(d->buf, size);
	close(d->fd);
	region_del_all(&d->c);
	control_close(&d->c);
}

uint32_t dma_flags;

int map_dma(int fd, void *addr, size_t len, uint64_t offset, uint32_t flags)
{
	struct ivshm_region_map_dma arg = {
		.argsz = sizeof(arg),
		.flags = flags,
		.addr = (uintptr_t)addr,
		.len = len,
		.offset = offset,
	};
	int ret = ioctl(fd, IVSHM_REGION_MAP_DMA, &arg);

	dma_flags = arg.flags;
	return ret ? -errno : 0;
}

int unmap_dma(int fd, void *addr, size_t len)
{
	struct ivshm_region_unmap_dma arg = {
		.argsz = sizeof(arg),
		.addr = (uintptr_t)addr,
		.len = len,
	};
	int ret = ioctl(fd, IVSHM_REGION_UNMAP_DMA, &arg);

	dma_flags = arg.flags;
	return ret ? -errno : 0;
}

static sigjmp_buf bus_jump;

static void on_bus(int signal)
{
	(void)signal;
	siglongjmp(bus_jump, 1);
}

int region_faults(const void *at)
{
	struct sigaction action = { .sa_handler = on_bus }, old;
	int faults;

	sigaction(SIGBUS, &action, &old);
	faults = sigsetjmp(bus_jump, 1);
	if (!faults)
		(void)__atomic_load_n((const char *)at, __ATOMIC_RELAXED);
	sigaction(SIGBUS, &old, NULL);
	return faults;
}

int in_child(int (*be)(void), int (*check)(struct control *c, int get), int get)
{
	struct control c;
	int status;
	pid_t pid;

	pid = fork();
	if (!pid)
		_exit(be() || control_open(&c) ? 99 : check(&c, get));
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 98;
}

int be_nobody(void)
{
	return setgroups(0, NULL) || setgid(65534) || setuid(65534);
}

int be_root_of_a_namespace(void)
{
	return unshare(CLONE_NEWUSER);
}

int be_elsewhere(void)
{
	return unshare(CLONE_NEWNET);
}

uint64_t rings(int event)
{
	uint64_t n = 0;

	return read(event, &n, sizeof(n)) == sizeof(n) ? n : 0;
}

double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

int slow(void)
{
	const char *kernel = getenv("IVSHM_VM_KERNEL");

	return kernel && !strcmp(kernel, "debug");
}

int file_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), err = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		err = -errno;
	close(fd);
	return err;
}

int parameter_set(const char *name, unsigned int value)
{
	char path[128], text[16];

	snprintf(path, sizeof(path), "/sys/module/ivshm/parameters/%s", name);
	snprintf(text, sizeof(text), "%u", value);
	return file_write(path, text);
}
