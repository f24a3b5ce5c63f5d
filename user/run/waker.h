/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A process that lets those go on whom the tracer has stopped (jnitrace run --pair), whoever else is killed:
 *
 * - The supervisor: the tracer ends, and the waker lets go on whom it had not yet let go.
 * - The tracer: the supervisor lets all go on (supervise.c).
 * - Both: the waker does, those that the tracer has told it of, and the process group.
 * - The waker: the tracer asks the supervisor, also for all that the waker may not have done any more.
 * - All three: the command goes on when the supervisor ends (PR_SET_PDEATHSIG); a child of it that was
 *   stopped at this very moment stays.
 *
 * It is nobody's child, so that it is not taken for a process of the command, has no terminal and no open
 * file of the user's, and keeps no privilege but to send signals. It ends when the tracer has ended.
 */
#ifndef JNITRACE_WAKER_H
#define JNITRACE_WAKER_H

#include <sys/types.h>

/* Started by the supervisor, before anything else. Returns a socket for the tracer, close-on-exec, or -errno.
 */
int waker_start(void);
/* By the tracer: pid has stopped; and is to go on. 0, or -errno: there is no waker. */
int waker_tell_held(int socket, pid_t pid);
int waker_go_on(int socket, pid_t pid);
/* By the tracer, when it ends as it should: all were let go. As above. */
int waker_end(int socket);

#endif
