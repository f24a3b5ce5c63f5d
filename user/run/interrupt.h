/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Signals that ask to end: the first is an event for the loop, a later one ends the process at once,
 * also when the loop is stuck in a call (a pipe nobody reads, a file system that hangs).
 */
#ifndef JNITRACE_INTERRUPT_H
#define JNITRACE_INTERRUPT_H

#include <stdbool.h>

struct interrupt; /* opaque */

/*
 * Block SIGINT, SIGTERM, SIGHUP, SIGTSTP, SIGWINCH, SIGCONT, and what ends a process at once (SIGQUIT, ...),
 * and wait for them in a thread of their own. 0 or -errno.
 */
int interrupt_open(struct interrupt **out);
/* The first signal was heard; and: one that is not heard soon may end the process. See loop_may_abandon(). */
void interrupt_heard(struct interrupt *i);
void interrupt_may_abandon(struct interrupt *i, bool may);
/* As it was before. */
void interrupt_close(struct interrupt *i);
/*
 * Call leave(what) before the process ends at once (also by SIGQUIT) or is stopped (Ctrl-Z), from another
 * thread; leave NULL: no more, and none is under way when this returns.
 */
void interrupt_tell(struct interrupt *i, void (*leave)(void *), void *what);
/* Becomes readable, and stays so, with the first signal. */
int interrupt_fd(const struct interrupt *i);
/* An eventfd: a terminal is to be drawn anew, as its size has changed, or the process was stopped. */
int interrupt_redraw_fd(const struct interrupt *i);
/* SIGHUP is no wish to end from here on: it makes this readable. */
int interrupt_hangup_fd(struct interrupt *i);

#endif
