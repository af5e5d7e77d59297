// SPDX-License-Identifier: GPL-2.0
/* Configuration as a whole: which files, what names may be, complaints. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <linux/ivshm_netlink.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "conf.h"
#include "output.h"

void conf_init(struct conf *conf)
{
	memset(conf, 0, sizeof(*conf));
	conf->names = decl_table_new();
	conf->members = check_alloc(json_object());
}

void conf_free(struct conf *conf)
{
	size_t i;

	for (i = 0; i < conf->nr; i++)
		json_decref(conf->decls[i].decl);
	for (i = 0; i < conf->nr_files; i++)
		free(conf->files[i]);
	json_decref(conf->names);
	json_decref(conf->members);
	free(conf->decls);
	free(conf->files);
}

void conf_complain(struct conf *conf, const char *file, unsigned int line,
		   const char *fmt, va_list ap)
{
	conf->errors++;
	if (conf->quiet)
		return;
	fprintf(stderr, "%s:%u: ", file, line);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
}

const struct conf_decl *conf_find(const struct conf *conf, enum decl_kind kind,
				  const char *name)
{
	const json_t *index = decl_table_get(conf->names, kind, name);

	return index ? &conf->decls[json_integer_value(index)] : NULL;
}

/* With a backslash ivmctl shows what it cannot print, so that is no name. */
static bool is_graph(const char *name)
{
	for (; *name; name++)
		if (!isascii(*name) || !isgraph(*name) || strchr("/\\", *name))
			return false;
	return true;
}

const char *conf_bad_name(const char *name)
{
	static char expected[64];

	if (strlen(name) >= IVSHM_NAME_MAX) {
		snprintf(expected, sizeof(expected), "at most %d bytes",
			 IVSHM_NAME_MAX - 1);
		return expected;
	}
	return is_graph(name) ? NULL : "ASCII without slash and backslash";
}

const char *conf_bad_interface(const char *name)
{
	if (strlen(name) >= IF_NAMESIZE)
		return "at most 15 bytes, as interfaces have";
	if (!is_graph(name) || strchr(name, ':') || !strcmp(name, ".") ||
	    !strcmp(name, ".."))
		return "the name of an interface";
	return NULL;
}

/*
 * Which files
 */

static int read_path(const struct ctx *ctx, struct conf *conf, const char *path)
{
	FILE *f = fopen(path, "re");

	if (!f) {
		complain(ctx, "cannot open %s: %s", path, strerror(errno));
		return RC_REFUSED;
	}
	conf_read_file(conf, f, path);
	fclose(f);
	return RC_OK;
}

static int is_conf(const struct dirent *entry)
{
	size_t len = strlen(entry->d_name), suffix = strlen(CONF_SUFFIX);

	return *entry->d_name != '.' && len > suffix &&
	       !strcmp(entry->d_name + len - suffix, CONF_SUFFIX);
}

/* In the same order wherever it is read. */
static int by_bytes(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int read_entry(const struct ctx *ctx, struct conf *conf, const char *dir,
		      const char *name)
{
	struct stat st;
	char *path;
	int rc;

	if (asprintf(&path, "%s%s%s", dir,
		     dir[strlen(dir) - 1] == '/' ? "" : "/", name) < 0)
		check_alloc(NULL);
	if (stat(path, &st)) {
		complain(ctx, "cannot open %s: %s", path, strerror(errno));
		rc = RC_REFUSED;
	} else if (!S_ISREG(st.st_mode)) {
		complain(ctx, "%s is not a file", path);
		rc = RC_REFUSED;
	} else {
		rc = read_path(ctx, conf, path);
	}
	free(path);
	return rc;
}

static int read_dir(const struct ctx *ctx, struct conf *conf, const char *path)
{
	struct dirent **entries;
	int i, nr, rc = RC_OK;

	nr = scandir(path, &entries, is_conf, by_bytes);
	if (nr < 0) {
		complain(ctx, "cannot read directory %s: %s", path, strerror(errno));
		return RC_REFUSED;
	}
	for (i = 0; i < nr; i++) {
		int file_rc = read_entry(ctx, conf, path, entries[i]->d_name);

		rc = rc ? rc : file_rc;
		free(entries[i]);
	}
	free(entries);
	return rc;
}

static int read_any(const struct ctx *ctx, struct conf *conf, const char *path)
{
	struct stat st;

	if (!strcmp(path, "-")) {
		conf_read_file(conf, stdin, "stdin");
		return RC_OK;
	}
	if (stat(path, &st)) {
		complain(ctx, "cannot open %s: %s", path, strerror(errno));
		return RC_REFUSED;
	}
	return S_ISDIR(st.st_mode) ? read_dir(ctx, conf, path) :
				     read_path(ctx, conf, path);
}

int conf_read(const struct ctx *ctx, struct conf *conf, char **paths, int nr)
{
	int i, rc = RC_OK;

	/* Output of commands before this one comes before complaints. */
	fflush(ctx->out);
	if (!nr)
		rc = read_any(ctx, conf, CONF_DIR);
	for (i = 0; i < nr; i++) {
		int path_rc = read_any(ctx, conf, paths[i]);

		rc = rc ? rc : path_rc;
	}
	if (!rc && conf->errors)
		rc = RC_USAGE;
	return rc;
}
