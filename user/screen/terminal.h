/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The terminal of a live view: a canvas drawn on the alternate screen, so that what was there comes back, and
 * keys. The only file that knows curses, which writes no more than what has changed.
 */
#ifndef JNITRACE_TERMINAL_H
#define JNITRACE_TERMINAL_H

#include <stdbool.h>
#include <stdio.h>

#include "screen/canvas.h"
#include "screen/key.h"

struct terminal; /* opaque */

/*
 * out is a terminal and stays open as long as the result. Nothing is changed yet. keys: read them from stdin
 * when that is a terminal, too. -ENOTSUP: nothing can be placed on it, and why says so; or -ENOMEM.
 */
int terminal_open(FILE *out, bool keys, struct terminal **result, char why[128]);
/* Leaves it, and frees. */
void terminal_close(struct terminal *t);

/* Does it read keys? Not from a pipe. */
bool terminal_has_keys(const struct terminal *t);
/* Is something drawn on it, and not left? */
bool terminal_is_on(const struct terminal *t);
/* Others have it, in whose background this process is: it draws when it is asked to behind that. */
bool terminal_is_lent(const struct terminal *t);
/* Has it no other characters than ASCII? */
bool terminal_is_ascii(const struct terminal *t);
/* As large as it is now. */
void terminal_size(const struct terminal *t, int *rows, int *columns);
/*
 * Let this be on it; nothing happens while the process is in the background. -EIO: it is gone; -ENOTSUP:
 * curses does not know it.
 */
int terminal_show(struct terminal *t, const struct canvas *c);
/* Others may have written on it: draw all of it next time. */
void terminal_renew(struct terminal *t);
/*
 * Everything as it was before, until something is shown again; when nothing was shown, nothing happens. May
 * be called from another thread, at any time, to end or stop the process. So does a crash of the process.
 */
void terminal_leave(void *t);
/* The next key that was pressed, when stdin is readable. 1: there is one; 0: no more; -1: none will come. */
int terminal_key(struct terminal *t, struct key *key);

#endif
