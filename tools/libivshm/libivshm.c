// SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note
/* libivshm: regions and their message queues for programs. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "libivshm.h"

struct ivshm {
	int fd;
	void *memory;
	struct ivshm_region_info info;
};

/* Where udev has put it, unless it is a path. */
static int path_of(char *path, size_t size, const char *name)
{
	int len = snprintf(path, size, "%s%s", strchr(name, '/') ? "" : "/dev/ivshm/",
			   name);

	return len < 0 || (size_t)len >= size ? -ENAMETOOLONG : 0;
}

int ivshm_open(struct ivshm **to, const char *name)
{
	char path[4096];
	struct ivshm *w;
	int err;

	err = path_of(path, sizeof(path), name);
	if (err)
		return err;
	w = calloc(1, sizeof(*w));
	if (!w)
		return -ENOMEM;
	w->fd = open(path, O_RDWR | O_CLOEXEC);
	if (w->fd < 0) {
		err = -errno;
		goto free;
	}
	w->info.argsz = sizeof(w->info);
	if (ioctl(w->fd, IVSHM_REGION_INFO, &w->info)) {
		err = -errno;
		goto close;
	}
	w->memory = mmap(NULL, w->info.size, PROT_READ | PROT_WRITE, MAP_SHARED,
			 w->fd, 0);
	if (w->memory == MAP_FAILED) {
		err = -errno;
		goto close;
	}
	*to = w;
	return 0;

close:
	close(w->fd);
free:
	free(w);
	return err;
}

void ivshm_close(struct ivshm *w)
{
	munmap(w->memory, w->info.size);
	close(w->fd);
	free(w);
}

int ivshm_fd(const struct ivshm *w)
{
	return w->fd;
}

void *ivshm_memory(const struct ivshm *w)
{
	return w->memory;
}

size_t ivshm_size(const struct ivshm *w)
{
	return w->info.size;
}

size_t ivshm_page_size(const struct ivshm *w)
{
	return w->info.page_size;
}

uint32_t ivshm_own_number(const struct ivshm *w)
{
	return w->info.number;
}

int ivshm_number(const char *name)
{
	char path[4096];
	struct stat st;
	int err;

	err = path_of(path, sizeof(path), name);
	if (err)
		return err;
	if (stat(path, &st))
		return -errno;
	return S_ISCHR(st.st_mode) ? (int)minor(st.st_rdev) : -ENODEV;
}

int ivshm_attach(struct ivshm *w, uint32_t depth, uint32_t slots)
{
	struct ivshm_msgq_attach arg = {
		.argsz = sizeof(arg), .depth = depth, .slots = slots,
	};

	return ioctl(w->fd, IVSHM_MSGQ_ATTACH, &arg) ? -errno : 0;
}

int ivshm_bind(struct ivshm *w, enum ivshm_msgq_event event, int eventfd)
{
	struct ivshm_msgq_bind arg = {
		.argsz = sizeof(arg), .event = event, .fd = eventfd,
	};

	return ioctl(w->fd, IVSHM_MSGQ_BIND, &arg) ? -errno : 0;
}

int ivshm_wait(struct ivshm *w, short events, int ms)
{
	struct pollfd p = { .fd = w->fd, .events = events };
	int ready = poll(&p, 1, ms);

	return ready < 0 ? -errno : p.revents;
}

static int batch(struct ivshm *w, unsigned long cmd, const void *entries, size_t size,
		 uint32_t nr)
{
	struct ivshm_msgq_batch arg = {
		.argsz = sizeof(arg),
		.addr = (uintptr_t)entries,
		.count = nr,
		.entry_size = size,
	};

	return ioctl(w->fd, cmd, &arg) ? -errno : (int)arg.done;
}

int ivshm_post(struct ivshm *w, const struct ivshm_msgq_slot *slots, uint32_t nr)
{
	return batch(w, IVSHM_MSGQ_POST, slots, sizeof(*slots), nr);
}

int ivshm_send(struct ivshm *w, struct ivshm_msgq_send *messages, uint32_t nr)
{
	return batch(w, IVSHM_MSGQ_SEND, messages, sizeof(*messages), nr);
}

int ivshm_recv(struct ivshm *w, struct ivshm_msgq_recv *messages, uint32_t nr)
{
	return batch(w, IVSHM_MSGQ_RECV, messages, sizeof(*messages), nr);
}

int ivshm_release(struct ivshm *w, const uint64_t *ids, uint32_t nr)
{
	return batch(w, IVSHM_MSGQ_RELEASE, ids, sizeof(*ids), nr);
}

int ivshm_done(struct ivshm *w, struct ivshm_msgq_done *completions, uint32_t nr)
{
	return batch(w, IVSHM_MSGQ_DONE, completions, sizeof(*completions), nr);
}

/*
 * Rings
 */

size_t ivshm_rings_size(uint32_t nr)
{
	return sizeof(struct ivshm_ring_head) +
	       nr * (sizeof(struct ivshm_ring_request) + sizeof(struct ivshm_ring_result));
}

int ivshm_rings(struct ivshm *w, uint64_t offset, uint32_t nr, int kick, int call)
{
	struct ivshm_msgq_rings arg = {
		.argsz = sizeof(arg),
		.offset = offset,
		.entries = nr,
		.kick = kick,
		.call = call,
	};

	return ioctl(w->fd, IVSHM_MSGQ_RINGS, &arg) ? -errno : 0;
}

void ivshm_ring_use(struct ivshm_ring *r, void *at, uint32_t nr)
{
	r->head = at;
	r->requests = (void *)(r->head + 1);
	r->results = (void *)(r->requests + nr);
	r->nr = nr;
	r->tail = __atomic_load_n(&r->head->tail, __ATOMIC_ACQUIRE);
	r->taken = __atomic_load_n(&r->head->taken, __ATOMIC_ACQUIRE);
}

static int ring_error(const struct ivshm_ring *r)
{
	return -(int)__atomic_load_n(&r->head->error, __ATOMIC_RELAXED);
}

int ivshm_ring_ask(struct ivshm_ring *r, const struct ivshm_ring_request *request)
{
	int err = ring_error(r);

	if (err)
		return err;
	if (r->tail - r->taken >= r->nr)
		return -EAGAIN;
	r->requests[r->tail % r->nr] = *request;
	/* After the request. */
	__atomic_store_n(&r->head->tail, ++r->tail, __ATOMIC_RELEASE);
	return 0;
}

int ivshm_ring_take(struct ivshm_ring *r, struct ivshm_ring_result *result)
{
	/* Before the result. */
	if (r->taken == __atomic_load_n(&r->head->done, __ATOMIC_ACQUIRE))
		return ring_error(r) ?: -EAGAIN;
	*result = r->results[r->taken % r->nr];
	/* After the result was read: the kernel may have its place again. */
	__atomic_store_n(&r->head->taken, ++r->taken, __ATOMIC_RELEASE);
	return 0;
}
