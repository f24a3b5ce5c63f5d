/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Packages by dpkg's and apk's databases. See package.h. */
#include "proc/package.h"

#include <dirent.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/util.h"
#include "proc/proc.h"

#define MAX_LIST_BYTES (4U << 20)  /* a package's files; the largest of Debian 12 has 1.5 MB */
#define MAX_DB_BYTES   (16U << 20) /* dpkg's status, apk's installed: about 1 MB */
#define MAX_LISTS      20000
#define MAX_STANZAS    16           /* of one package: an architecture each */
#define LISTS_NS       250000000ULL /* for all lists; Debian 12 with 700 packages takes 10 ms */

/* Takes fd. Text with a newline before its first line and a NUL behind; NULL: nothing, or too large. */
static char *read_text(struct budget *b, int fd, size_t max)
{
	size_t n = 1, cap = 1U << 16;
	char *text = fd >= 0 ? malloc(cap) : NULL;
	ssize_t got = 1;

	while (text && got > 0) {
		if (n + 1 == cap) {
			char *more = cap < max ? realloc(text, cap *= 2) : NULL;

			if (!more) {
				free(text);
				text = NULL;
				break;
			}
			text = more;
		}
		got = budget_read(b, cap - 1 - n) ? 0 : read(fd, text + n, cap - 1 - n);
		n += got > 0 ? (size_t)got : 0;
	}
	if (fd >= 0)
		close(fd);
	if (!text)
		return NULL;
	text[0] = '\n';
	text[n] = '\0';
	return text;
}

/* Is this one of the lines? */
static bool has_line(const char *text, const char *line)
{
	size_t n = strlen(line);

	/* line by line: one that repeats itself costs a search for it the product of both lengths */
	for (const char *at = text; (at = strchr(at, '\n')); at++)
		if (!strncmp(at + 1, line, n) && (at[n + 1] == '\n' || at[n + 1] == '\0'))
			return true;
	return false;
}

/* The value of "Key: value" in the stanza at s, which an empty line ends. */
static bool field(const char *s, const char *key, char *out, size_t cap)
{
	const char *end = strstr(s, "\n\n") ?: s + strlen(s),
		   *at = memmem(s, (size_t)(end - s), key, strlen(key));
	size_t n;

	if (!at)
		return false;
	at += strlen(key);
	n = strcspn(at, "\n");
	text_clean(out, cap, at, n);
	return true;
}

/* dpkg's status: a stanza for each package. name: as its list is named, "libfoo1" or "libfoo1:amd64". */
static void dpkg_version(struct budget *b, int root_fd, const char *name, struct package *out)
{
	char *status = read_text(b, proc_open_under(root_fd, "var/lib/dpkg/status"), MAX_DB_BYTES);
	const char *arch = strchrnul(name, ':');
	char wanted[NAME_MAX + 16], found[64];
	int seen = 0;

	text_clean(out->name, sizeof(out->name), name, (size_t)(arch - name));
	snprintf(wanted, sizeof(wanted), "\nPackage: %.*s\n", (int)(arch - name), name);
	for (const char *at = status; at && seen++ < MAX_STANZAS && (at = strstr(at, wanted)); at++) {
		if (*arch && field(at + 1, "\nArchitecture: ", found, sizeof(found)) &&
		    strcmp(found, arch + 1) != 0)
			continue;
		field(at + 1, "\nVersion: ", out->version, sizeof(out->version));
		break;
	}
	free(status);
}

/* With merged /usr a file has two paths, and either may be in the list. */
static bool lists_file(const char *text, const char *path)
{
	char other[PATH_MAX];

	if (has_line(text, path))
		return true;
	if (!strncmp(path, "/usr/", 5))
		return has_line(text, path + 4);
	return snprintf(other, sizeof(other), "/usr%s", path) < (int)sizeof(other) && has_line(text, other);
}

/* A file NAME.list for each package, with a path in each line. */
static bool dpkg_find(struct budget *b, int root_fd, const char *path, struct package *out)
{
	int dir_fd = proc_open_dir_under(root_fd, "var/lib/dpkg/info");
	DIR *dir = dir_fd >= 0 ? fdopendir(dir_fd) : NULL;
	uint64_t end_ns = clock_ns(CLOCK_MONOTONIC) + LISTS_NS;
	bool found = false;
	struct dirent *e;

	if (!dir && dir_fd >= 0)
		close(dir_fd);
	for (int i = 0; dir && !found && i < MAX_LISTS && clock_ns(CLOCK_MONOTONIC) < end_ns &&
			!budget_check(b) && (e = readdir(dir));) {
		size_t n = strlen(e->d_name);
		char *text;

		if (n <= 5 || strcmp(e->d_name + n - 5, ".list") != 0)
			continue;
		i++;
		text = read_text(b, proc_open_under(dir_fd, e->d_name), MAX_LIST_BYTES);
		found = text && lists_file(text, path);
		free(text);
		if (found) {
			e->d_name[n - 5] = '\0';
			dpkg_version(b, root_fd, e->d_name, out);
		}
	}
	if (dir)
		closedir(dir);
	return found;
}

/* A stanza for each package, by lines "P:name", "V:version", "F:directory" and then "R:file" for each in it.
 */
static bool apk_find(struct budget *b, int root_fd, const char *path, struct package *out)
{
	char *text = read_text(b, proc_open_under(root_fd, "lib/apk/db/installed"), MAX_DB_BYTES);
	const char *slash = strrchr(path, '/'), *name = NULL, *version = NULL;
	size_t dir_len = slash && slash > path ? (size_t)(slash - path - 1) : 0;
	bool in_dir = false, found = false;

	for (const char *line = text; line && *line && slash && !found; line += strcspn(line + 1, "\n") + 1) {
		const char *value = line + 3;
		size_t n = strcspn(line + 1, "\n");

		if (n < 2 || line[2] != ':')
			continue;
		n -= 2;
		switch (line[1]) {
		case 'P':
			name = n > 0 ? value : NULL;
			version = NULL;
			in_dir = false;
			break;
		case 'V':
			version = value;
			break;
		case 'F':
			in_dir = n == dir_len && !strncmp(value, path + 1, n);
			break;
		case 'R':
			found = in_dir && name && n == strlen(slash + 1) && !strncmp(value, slash + 1, n);
			break;
		}
	}
	if (found) {
		text_clean(out->name, sizeof(out->name), name, strcspn(name, "\n"));
		if (version)
			text_clean(out->version, sizeof(out->version), version, strcspn(version, "\n"));
	}
	free(text);
	return found;
}

bool package_of_file(struct budget *b, int root_fd, const char *path, struct package *out)
{
	*out = (struct package){0};
	if (path[0] != '/' || strchr(path, '\n'))
		return false;
	return dpkg_find(b, root_fd, path, out) || apk_find(b, root_fd, path, out);
}
