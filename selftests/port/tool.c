// SPDX-License-Identifier: GPL-2.0
/* Programs that an administrator uses; see tool.h. */
#include <libgen.h>
#include <limits.h>
#include <regex.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tool.h"

/* ivmctl as it stands in the tree that this program was built in. */
static void tool_path(void)
{
	const char *top = getenv("IVSHM_TOP"), *old = getenv("PATH") ?: "/usr/bin:/bin";
	char self[PATH_MAX + 16], path[3 * PATH_MAX];
	ssize_t n;

	if (strstr(old, "/tools/ivmctl:"))
		return;
	if (!top) {
		n = readlink("/proc/self/exe", self, PATH_MAX - 1);
		if (n < 0)
			return;
		self[n] = '\0';
		top = strcat(dirname(self), "/../../..");
	}
	snprintf(path, sizeof(path), "%s/tools/ivmctl:/usr/sbin:/sbin:%s", top, old);
	setenv("PATH", path, 1);
}

static int tool_run(char *text, const char *fmt, va_list ap)
{
	char command[4096];
	size_t n = 0, got;
	int status;
	FILE *f;

	tool_path();
	vsnprintf(command, sizeof(command) - 10, fmt, ap);
	strcat(command, " 2>&1");
	/* Nothing that waits to be printed is to be printed twice. */
	fflush(NULL);
	f = popen(command, "r");
	if (!f)
		return -1;
	while ((got = fread(text + n, 1, TOOL_MAX - 1 - n, f)) > 0)
		n += got;
	text[n] = '\0';
	status = pclose(f);
	status = WIFEXITED(status) ? WEXITSTATUS(status) : 128;
	if (status)
		fprintf(stderr, "# %s: exit status %d: %s\n", command, status, text);
	return status;
}

int tool(const char *fmt, ...)
{
	char text[TOOL_MAX];
	va_list ap;
	int status;

	va_start(ap, fmt);
	status = tool_run(text, fmt, ap);
	va_end(ap);
	return status;
}

int tool_read(char *text, const char *fmt, ...)
{
	va_list ap;
	int status;

	va_start(ap, fmt);
	status = tool_run(text, fmt, ap);
	va_end(ap);
	return status;
}

bool tool_says(const char *regex, const char *fmt, ...)
{
	char text[TOOL_MAX];
	bool found;
	va_list ap;
	regex_t re;

	va_start(ap, fmt);
	found = !tool_run(text, fmt, ap);
	va_end(ap);
	if (!found || regcomp(&re, regex, REG_EXTENDED | REG_NEWLINE | REG_NOSUB))
		return false;
	found = !regexec(&re, text, 0, NULL, 0);
	regfree(&re);
	if (!found)
		fprintf(stderr, "# no \"%s\" in: %s\n", regex, text);
	return found;
}
