/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Packages by dpkg's and apk's databases. See package.h. */
#include "proc/package.h"

#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/util.h"
#include "proc/foreign.h"
#include "proc/proc.h"

#define MAX_LIST_BYTES (4U << 20)  /* a package's files; the largest of Debian 12 has 1.5 MB */
#define MAX_DB_BYTES   (64U << 20) /* dpkg's status, apk's installed: about 1 MB */
#define MAX_LISTS      20000
#define BUDGET_NS      500000000ULL /* for a file; Debian 12 with 700 packages takes 10 ms */
#define READ_BYTES     16384        /* lines that do not fit are left out; a path is shorter */

/* What a look-up may take. */
struct limits {
	struct budget *budget;
	uint64_t end_ns; /* CLOCK_MONOTONIC */
};

static bool is_over(const struct limits *l)
{
	return clock_ns(CLOCK_MONOTONIC) >= l->end_ns || budget_check(l->budget);
}

/* A text by its lines, in memory that does not grow, until it ends or too much was taken. */
struct reader {
	int fd; /* owned; negative: there is no such file */
	const struct limits *limits;
	uint64_t offset; /* in the file, of what is read next */
	size_t left;     /* of the file, bytes: what is behind is not looked at */
	size_t at, n;    /* of v */
	bool too_long;   /* the line that v begins with began before it */
	char v[READ_BYTES];
};

static void reader_open(struct reader *r, int fd, size_t max, const struct limits *l)
{
	r->fd = fd;
	r->limits = l;
	r->left = max;
	r->at = r->n = 0;
	r->offset = 0;
	r->too_long = false;
}

static void reader_close(struct reader *r)
{
	if (r->fd >= 0)
		close(r->fd);
}

/* More of it, behind what was not used. false: there is no more. */
static bool fill(struct reader *r)
{
	size_t room;
	ssize_t got;

	if (r->at == 0 && r->n == sizeof(r->v)) {
		r->too_long = true;
		r->at = r->n;
	}
	r->n -= r->at;
	memmove(r->v, r->v + r->at, r->n);
	r->at = 0;
	room = sizeof(r->v) - r->n;
	room = room < r->left ? room : r->left;
	if (r->fd < 0 || is_over(r->limits) || budget_read(r->limits->budget, room))
		return false;
	got = foreign_pread(r->fd, r->v + r->n, room, r->offset);
	if (got <= 0)
		return false;
	r->n += (size_t)got;
	r->left -= (size_t)got;
	r->offset += (size_t)got;
	return true;
}

/* The next line without its end, n bytes of anything. NULL: there is none. */
static const char *next_line(struct reader *r, size_t *n)
{
	const char *line, *end;

	for (;;) {
		line = r->v + r->at;
		end = memchr(line, '\n', r->n - r->at);
		if (!end && fill(r))
			continue;
		*n = end ? (size_t)(end - line) : r->n - r->at;
		r->at += *n + (end != NULL);
		if (!r->too_long)
			return end || *n ? line : NULL;
		r->too_long = false;
		if (!end)
			return NULL;
	}
}

static bool is_text(const char *p, size_t n, const char *text)
{
	return n == strlen(text) && !memcmp(p, text, n);
}

/* The value, if the line is "Key: value" of this key; NULL: it is not. */
static const char *value_of(const char *line, size_t *n, const char *key)
{
	size_t key_bytes = strlen(key);

	if (*n < key_bytes || memcmp(line, key, key_bytes) != 0)
		return NULL;
	*n -= key_bytes;
	return line + key_bytes;
}

/*
 * dpkg's status: a stanza for each package, which an empty line ends. name: as its list is named, "libfoo1"
 * or "libfoo1:amd64".
 */
static void dpkg_version(int root_fd, char *name, const struct limits *l, struct package *out)
{
	bool is_it = false, has_other_arch = false;
	char *arch = strchr(name, ':');
	const char *line, *value;
	struct reader r;
	size_t n;

	if (arch)
		*arch++ = '\0';
	text_clean(out->name, sizeof(out->name), name, strlen(name));
	reader_open(&r, proc_open_under(root_fd, "var/lib/dpkg/status"), MAX_DB_BYTES, l);
	while ((line = next_line(&r, &n))) {
		if (n == 0 && is_it && !has_other_arch)
			break;
		if (n == 0) {
			is_it = has_other_arch = false;
			out->version[0] = '\0';
		} else if ((value = value_of(line, &n, "Package: "))) {
			is_it = is_text(value, n, name);
		} else if ((value = value_of(line, &n, "Architecture: "))) {
			has_other_arch = arch && !is_text(value, n, arch);
		} else if ((value = value_of(line, &n, "Version: "))) {
			text_clean(out->version, sizeof(out->version), value, n);
		}
	}
	if (!is_it || has_other_arch)
		out->version[0] = '\0';
	reader_close(&r);
}

/* Is it in the list? With merged /usr a file has two paths, and either may be. */
static bool lists_file(int fd, const char *path, const char *other, const struct limits *l)
{
	bool found = false;
	const char *line;
	struct reader r;
	size_t n;

	reader_open(&r, fd, MAX_LIST_BYTES, l);
	while (!found && (line = next_line(&r, &n)))
		found = is_text(line, n, path) || is_text(line, n, other);
	reader_close(&r);
	return found;
}

/* A file NAME.list for each package, with a path in each line. */
static bool dpkg_find(int root_fd, const char *path, const struct limits *l, struct package *out)
{
	int dir_fd = proc_open_dir_under(root_fd, "var/lib/dpkg/info");
	char other[PATH_MAX], *names = NULL, *name;
	bool found = false;
	size_t bytes = 0;

	if (dir_fd >= 0)
		foreign_list(dir_fd, &names, &bytes);
	if (!strncmp(path, "/usr/", 5))
		snprintf(other, sizeof(other), "%s", path + 4);
	else if (snprintf(other, sizeof(other), "/usr%s", path) >= (int)sizeof(other))
		other[0] = '/', other[1] = '\0';
	name = names;
	for (int i = 0; name < names + bytes && !found && i < MAX_LISTS && !is_over(l);) {
		size_t n = strlen(name);

		if (n > 5 && !strcmp(name + n - 5, ".list")) {
			i++;
			found = lists_file(proc_open_under(dir_fd, name), path, other, l);
			if (found) {
				name[n - 5] = '\0';
				dpkg_version(root_fd, name, l, out);
			}
		}
		name += n + 1;
	}
	free(names);
	if (dir_fd >= 0)
		close(dir_fd);
	return found;
}

/* A stanza for each package, by lines "P:name", "V:version", "F:directory" and then "R:file" for each in it.
 */
static bool apk_find(int root_fd, const char *path, const struct limits *l, struct package *out)
{
	const char *name = strrchr(path, '/') + 1, *line, *value;
	size_t dir_bytes = name > path + 1 ? (size_t)(name - path - 2) : 0, n;
	bool in_dir = false, found = false;
	struct reader r;

	reader_open(&r, proc_open_under(root_fd, "lib/apk/db/installed"), MAX_DB_BYTES, l);
	while (!found && (line = next_line(&r, &n))) {
		if ((value = value_of(line, &n, "P:"))) {
			text_clean(out->name, sizeof(out->name), value, n);
			out->version[0] = '\0';
			in_dir = false;
		} else if ((value = value_of(line, &n, "V:"))) {
			text_clean(out->version, sizeof(out->version), value, n);
		} else if ((value = value_of(line, &n, "F:"))) {
			in_dir = n == dir_bytes && !memcmp(value, path + 1, n);
		} else if ((value = value_of(line, &n, "R:"))) {
			found = in_dir && out->name[0] && is_text(value, n, name);
		}
	}
	reader_close(&r);
	return found;
}

bool package_of_file(struct budget *b, int root_fd, const char *path, struct package *out)
{
	const struct limits limits = {b, clock_ns(CLOCK_MONOTONIC) + BUDGET_NS};

	*out = (struct package){0};
	if (path[0] != '/' || strchr(path, '\n'))
		return false;
	if (dpkg_find(root_fd, path, &limits, out) || apk_find(root_fd, path, &limits, out))
		return true;
	*out = (struct package){0};
	return false;
}
