/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which package a file of a process's root belongs to, by the database of dpkg or apk there. Those of rpm are
 * not read: they are Berkeley DB, NDB or SQLite. Nothing outside the root is opened, what is read is
 * bounded, and a look-up takes half a second at most.
 */
#ifndef JNITRACE_PACKAGE_H
#define JNITRACE_PACKAGE_H

#include <stdbool.h>

#include "base/budget.h"

struct package {
	char name[128], version[128]; /* cleaned for a terminal; version "": not known */
};

/*
 * The package of the file with this path under a kept root (proc_root_open()); b: what is read is paid from
 * it. false: none, or not known.
 */
bool package_of_file(struct budget *b, int root_fd, const char *path, struct package *out);

#endif
