/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Packages of libraries. See owners.h. */
#include "run/owners.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/util.h"
#include "proc/foreign.h"
#include "proc/package.h"
#include "proc/proc.h"

#define MAX_FILES 4096 /* that are remembered; of others nothing is said */
#define TELL_NS                                                                                              \
	1000000000ULL /* for one report; files for which no time is left are looked up for the next          \
		       */

struct owner {
	struct root_key root;
	char *path;
	struct package package; /* name "": none */
};

struct owners {
	struct budget *budget;
	struct owner **v;
	size_t n, cap;
};

int owners_new(struct budget *b, struct owners **out)
{
	*out = calloc(1, sizeof(**out));
	if (*out)
		(*out)->budget = b;
	return *out ? 0 : -ENOMEM;
}

void owners_free(struct owners *o)
{
	for (size_t i = 0; o && i < o->n; i++) {
		free(o->v[i]->path);
		free(o->v[i]);
	}
	if (o)
		free(o->v);
	free(o);
}

struct root_key owners_root(pid_t pid)
{
	int fd = proc_root_open(pid);
	struct root_key key = {0};
	struct stat st;

	if (fd >= 0 && !foreign_stat(fd, &st))
		key = (struct root_key){st.st_dev, st.st_ino};
	if (fd >= 0)
		close(fd);
	return key;
}

static const struct owner *find(const struct owners *o, struct root_key root, const char *path)
{
	for (size_t i = 0; i < o->n; i++)
		if (o->v[i]->root.dev == root.dev && o->v[i]->root.ino == root.ino &&
		    !strcmp(o->v[i]->path, path))
			return o->v[i];
	return NULL;
}

static void look_up(struct owners *o, struct root_key root, pid_t pid, const char *path)
{
	bool may = pid && o->n < MAX_FILES && !budget_slice_full(o->budget); /* else in a later report */
	int root_fd = may ? proc_root_open(pid) : -1;
	struct owner *w = root_fd >= 0 ? calloc(1, sizeof(*w)) : NULL, **place = NULL;

	if (w && (w->path = strdup(path)))
		place = VEC_ADD(o);
	if (place) {
		*place = w;
		w->root = root;
		budget_begin_file(o->budget);
		package_of_file(o->budget, root_fd, path, &w->package);
		budget_end_file(o->budget);
	} else if (w) {
		free(w->path);
		free(w);
	}
	if (root_fd >= 0)
		close(root_fd);
}

void owners_look(struct owners *o, struct root_key root, pid_t pid, const struct report *r)
{
	uint64_t end_ns =
	    clock_ns(CLOCK_MONOTONIC) + (budget_is_late(o->budget) ? BUDGET_LATE_FILE_NS : TELL_NS);

	for (size_t i = 0; i < r->libraries.n && root.ino; i++) {
		const char *path = r->libraries.v[i].path;

		if (path && !find(o, root, path) && clock_ns(CLOCK_MONOTONIC) < end_ns)
			look_up(o, root, pid, path);
	}
}

void owners_tell(struct owners *o, struct root_key root, pid_t pid, struct report *r)
{
	owners_look(o, root, pid, r);
	for (size_t i = 0; i < r->libraries.n && root.ino; i++) {
		struct report_library *l = &r->libraries.v[i];
		const struct owner *w = l->path ? find(o, root, l->path) : NULL;

		if (w && w->package.name[0])
			l->package = w->package.name;
		if (w && w->package.version[0])
			l->package_version = w->package.version;
	}
}
