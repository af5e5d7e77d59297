// SPDX-License-Identifier: GPL-2.0
/* Writing files at once. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file.h"
#include "output.h"

static int write_all(int fd, const char *text, size_t len)
{
	ssize_t n;

	for (; len; text += n, len -= (size_t)n) {
		n = write(fd, text, len);
		if (n < 0 && errno == EINTR)
			n = 0;
		if (n < 0)
			return -1;
	}
	return 0;
}

/* The new file shall be the next one's as it was the last one's. */
static int take_over(int fd, const char *target)
{
	mode_t mask = umask(0);
	struct stat st;

	umask(mask);
	if (stat(target, &st))
		return errno == ENOENT ? fchmod(fd, 0644 & ~mask) : -1;
	/* Only root can give a file away; whose it is then is the user's. */
	if (fchown(fd, st.st_uid, st.st_gid) && errno != EPERM)
		return -1;
	return fchmod(fd, st.st_mode & 0777);
}

static int replace(const char *temp, int fd, const char *target, const char *text,
		   size_t len)
{
	int err = take_over(fd, target) || write_all(fd, text, len) || fsync(fd);

	/* A full disk may show as late as now. */
	if (close(fd))
		err = 1;
	return err ? -1 : rename(temp, target);
}

int file_replace(const struct ctx *ctx, const char *path, const char *text,
		 size_t len)
{
	char *real = realpath(path, NULL);
	const char *target = real ? real : path;
	struct stat st;
	char *temp;
	int fd, err;

	/* Not the suffix of @path: who looks for files by it shall not see this. */
	if (asprintf(&temp, "%s.XXXXXX", target) < 0)
		check_alloc(NULL);

	err = EINVAL;
	if (stat(target, &st) || S_ISREG(st.st_mode)) {
		fd = mkostemp(temp, O_CLOEXEC);
		err = fd < 0 ? errno : 0;
		if (!err && replace(temp, fd, target, text, len)) {
			err = errno;
			unlink(temp);
		}
	}
	if (err)
		complain(ctx, "cannot write %s: %s", path, err == EINVAL ?
			 "it is not a file" : strerror(err));
	free(temp);
	free(real);
	return err ? RC_REFUSED : RC_OK;
}
