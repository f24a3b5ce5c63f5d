/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The files whose opening the gate is told of: where they are, and marking them. See gate.h. */
#ifndef JNITRACE_GATE_FILES_H
#define JNITRACE_GATE_FILES_H

#include <sys/types.h>

/*
 * Mark those of the JDKs that this machine is known to have: of the launchers among the words of the command,
 * of the environment (JAVA_HOME, ...), of the java in PATH, and where systems install them.
 */
void gate_files_mark_known(int fanotify, char *const *argv);
/* Mark an open file. A failure means that nobody is held there. */
void gate_files_mark(int fanotify, int fd);
/*
 * In a process of its own: watch which programs the descendants of root (but not of except) exec, look for
 * such a file beside each, and send it, opened, through the socket. Ends with the socket.
 */
_Noreturn void gate_files_run(int socket, int execs, pid_t root, pid_t except);
/* What tells of every exec, for that; needs CAP_NET_ADMIN. < 0: there is no such thing, and nothing is
 * watched. */
int gate_files_listen(void);
/* Take such a file and who has called exec; fd -1: pid is a launcher, its file comes before, if there is one.
 * 0; -EAGAIN: there is none; -EPIPE: there will be none. */
int gate_files_take(int socket, pid_t *pid, int *fd);

#endif
