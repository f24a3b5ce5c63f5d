/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The event loop of a command: timers, file descriptors (keys, processes that end), signals and the time
 * that it may take. One event at a time, so that handling one may take away what another is about.
 */
#ifndef JNITRACE_LOOP_H
#define JNITRACE_LOOP_H

#include <stdbool.h>

#include "base/util.h"

struct loop; /* opaque */

/* command: as given to loop_open(); what: as given with the event. 0, or -errno, which ends the loop. */
typedef int loop_fn(void *command, void *what, struct error *err);

/*
 * SIGINT, SIGTERM and SIGHUP end the loop from here on, SIGTSTP stops the process, SIGQUIT kills it, SIGPIPE
 * is ignored (a reader that went away is an error of write()). 0 or -errno.
 */
int loop_open(struct loop **out, void *command);
/* Does not close what was added. */
void loop_close(struct loop *l);

/* Call ready whenever fd is readable. 0 or -errno. */
int loop_add(struct loop *l, int fd, loop_fn *ready, void *what);
/* Also from within a handler, its own too. Nothing happens when fd was not added. */
void loop_remove(struct loop *l, int fd);
/*
 * Call fire every interval_s; what became due while the loop was busy counts once. Returns the timer, >= 0,
 * closed by loop_close(), or -errno. Interval 0: not yet.
 */
int loop_timer(struct loop *l, double interval_s, loop_fn *fire);
/* Likewise; what: given to fire. */
int loop_timer_of(struct loop *l, double interval_s, loop_fn *fire, void *what);
/* Another interval, from now on. 0 or -errno. */
int loop_set_timer(int timer, double interval_s);
/* What became due until now is not made up for. */
void loop_skip(int timer);

/* End when this time is over, measured from now; negative: never. */
void loop_end_in(struct loop *l, double seconds);
/* Readable once a signal asked to end; has one? */
int loop_stop_fd(const struct loop *l);
bool loop_is_stopped(const struct loop *l);
/*
 * There is nothing to lose yet: a signal that is not heard within 150 ms, by loop_run() or loop_pause(), ends
 * the process as if nobody expected it. false: no more.
 */
void loop_may_abandon(struct loop *l, bool may);
/* End behind the handler that runs. */
void loop_end(struct loop *l);
/* Wait; true: a signal asked to end meanwhile. */
bool loop_pause(struct loop *l, int milliseconds);
/*
 * Call leave(what) before the process ends at once or is stopped (Ctrl-Z), from another thread; leave NULL:
 * no more.
 */
void loop_on_leave(struct loop *l, void (*leave)(void *), void *what);
/* Call redraw when the terminal's size has changed, or the process was stopped and goes on. 0 or -errno. */
int loop_on_redraw(struct loop *l, loop_fn *redraw);
/* SIGHUP calls hangup from here on, and ends nothing. 0 or -errno. */
int loop_on_hangup(struct loop *l, loop_fn *hangup);
/* Until it ends. before: called before each wait; NULL: nothing. 0, or what a handler returned. */
int loop_run(struct loop *l, loop_fn *before, struct error *err);

#endif
