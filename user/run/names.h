/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Processes by name, as pgrep and htop find them: -p NAME. */
#ifndef JNITRACE_NAMES_H
#define JNITRACE_NAMES_H

#include <sys/types.h>

#include "base/util.h"
#include "run/options.h"

/*
 * Put into o->pids the one JVM that each of o->names means: its command, its main class, with or without the
 * package, or its jar file, with or without ".jar". -ESRCH with err: there is none of this name, or several,
 * which err lists.
 */
int names_find(struct options *o, struct error *err);
/*
 * What a Java launcher's arguments (n bytes, each argument ended by a NUL) run: a class as "a.b.Main", or a
 * file as "app.jar"; "" where they do not say. out: cleaned for a terminal.
 */
void names_main_of(const char *args, size_t n, char *out, size_t cap);

#endif
