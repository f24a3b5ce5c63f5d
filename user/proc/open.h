/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Open what a process named, here and now: this may wait for a file system. Of foreign.c only, see there. */
#ifndef JNITRACE_OPEN_H
#define JNITRACE_OPEN_H

#include <stdbool.h>
#include <sys/types.h>

#include "proc/proc.h"

/* The file behind a mapping; see proc_open_mapping(). These return an O_PATH fd, or -errno. */
int open_mapping(pid_t pid, const struct mapping *m);
/* A regular file below root_fd, and the inode that m maps, unless NULL. */
int open_under(int root_fd, const char *path, const struct mapping *m);
int open_dir(int root_fd, const char *path);
/* A regular file by a path of our own, as a link below /proc. */
int open_link(const char *path);
/* Does its file system answer by itself, whatever others do? */
bool open_answers(int path_fd);
/* Likewise one of this kind, as mountinfo has it. */
bool open_type_answers(const char *type);
/*
 * Is the file on a FUSE that a user mounted, as far as the process tells where it has it? Of one that it has
 * not mounted nobody knows: yes.
 */
bool open_is_of_user(int path_fd, pid_t pid);
/* Another fd for the contents of what an O_PATH fd names, to be read; flags: besides those of any. -errno. */
int open_contents(int path_fd, int flags);

#endif
