// SPDX-License-Identifier: GPL-2.0
/* Swaps, as tests make and end them. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "swap.h"

int swap_in(struct control *c, const char *region, uint64_t at, const char *pool,
	    uint64_t offset, uint64_t size, int keep)
{
	unsigned int nest;

	nl_begin(c->msg, c->family, IVSHM_CMD_SWAP_NEW, 0);
	nest = nl_nest(c->msg, IVSHM_A_SWAP);
	nl_put_str(c->msg, S(REGION), region);
	nl_put(c->msg, S(OFFSET), &at, sizeof(at));
	nl_put_str(c->msg, S(POOL), pool);
	nl_put(c->msg, S(POOL_OFFSET), &offset, sizeof(offset));
	nl_put(c->msg, S(SIZE), &size, sizeof(size));
	if (keep)
		nl_put(c->msg, S(KEEP_POOL), NULL, 0);
	nl_nest_end(c->msg, nest);
	return control_talk(c, NULL, NULL);
}

int swap_back(struct control *c, const char *region, uint64_t at, int force)
{
	unsigned int nest;

	nl_begin(c->msg, c->family, IVSHM_CMD_SWAP_DEL, 0);
	nest = nl_nest(c->msg, IVSHM_A_SWAP);
	nl_put_str(c->msg, S(REGION), region);
	nl_put(c->msg, S(OFFSET), &at, sizeof(at));
	if (force)
		nl_put(c->msg, S(FORCE), NULL, 0);
	nl_nest_end(c->msg, nest);
	return control_talk(c, NULL, NULL);
}

/* So often, 20 ms each. */
#define TRIES	50

int swap_in_again(struct control *c, const char *region, uint64_t at, const char *pool,
		  uint64_t offset, uint64_t size, int keep)
{
	int tries, err = -EBUSY;

	for (tries = 0; err == -EBUSY && tries < TRIES; tries++)
		err = swap_in(c, region, at, pool, offset, size, keep);
	return err;
}

int swap_back_again(struct control *c, const char *region, uint64_t at)
{
	int tries, err = -EBUSY;

	for (tries = 0; err == -EBUSY && tries < TRIES; tries++)
		err = swap_back(c, region, at, 0);
	return err;
}

int swap_pin(char *at)
{
	struct iovec iov = { at, PAGE };
	int fds[2];

	if (pipe(fds))
		return -1;
	if (vmsplice(fds[1], &iov, 1, 0) != (ssize_t)PAGE) {
		close(fds[0]);
		fds[0] = -1;
	}
	close(fds[1]);
	return fds[0];
}

struct list {
	struct swap_attrs *at;
	int nr, most;
};

static void get_str(const struct nlattr *nest, int type, char to[IVSHM_NAME_MAX])
{
	const struct nlattr *attr = nl_in(nest, type);

	snprintf(to, IVSHM_NAME_MAX, "%s", attr ? (const char *)nl_data(attr) : "");
}

static uint64_t get_u64(const struct nlattr *nest, int type)
{
	const struct nlattr *attr = nl_in(nest, type);
	uint64_t value = ~0ULL;

	if (attr && nl_len(attr) == sizeof(value))
		memcpy(&value, nl_data(attr), sizeof(value));
	return value;
}

static int read_one(const struct nlmsghdr *nlh, const struct nlattr *attrs, int len,
		    void *arg)
{
	const struct nlattr *nest = nl_find(attrs, len, IVSHM_A_SWAP);
	struct list *list = arg;
	struct swap_attrs *to;

	(void)nlh;
	if (!nest || list->nr++ >= list->most)
		return 0;
	to = &list->at[list->nr - 1];
	get_str(nest, S(REGION), to->region);
	get_str(nest, S(POOL), to->pool);
	to->at = get_u64(nest, S(OFFSET));
	to->offset = get_u64(nest, S(POOL_OFFSET));
	to->size = get_u64(nest, S(SIZE));
	return 0;
}

int swap_list(struct control *c, struct swap_attrs *list, int most)
{
	struct list l = { .at = list, .most = most };

	nl_begin(c->msg, c->family, IVSHM_CMD_SWAP_GET, NLM_F_DUMP);
	return control_talk(c, read_one, &l) ?: l.nr;
}

const char *const vms_names[ALL] = { "a", "b", "c", "pool" };

int vms_open(struct control *c, struct vms *vms)
{
	int i, err;

	region_del_all(c);
	for (i = 0; i < ALL; i++)
		vms->fd[i] = -1;
	for (i = 0; i < ALL; i++) {
		err = region_add(c, vms_names[i], VMS_SIZE, 0);
		if (err)
			return err;
		vms->fd[i] = region_open(c, vms_names[i], O_RDWR);
		if (vms->fd[i] < 0)
			return vms->fd[i];
		vms->at[i] = region_map(vms->fd[i], VMS_SIZE);
		if (vms->at[i] == MAP_FAILED)
			return -errno;
		memset(vms->at[i], i + 1, VMS_SIZE);
	}
	return 0;
}

void vm_end(struct vms *vms, int which)
{
	if (vms->fd[which] < 0)
		return;
	munmap(vms->at[which], VMS_SIZE);
	close(vms->fd[which]);
	vms->fd[which] = -1;
}

void vms_close(struct control *c, struct vms *vms)
{
	int i;

	for (i = 0; i < ALL; i++)
		vm_end(vms, i);
	region_del_all(c);
}
