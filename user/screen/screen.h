/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The terminal of a live view: drawn anew in place on the alternate screen, as top does, so that what was
 * there comes back, and read key by key.
 */
#ifndef JNITRACE_SCREEN_H
#define JNITRACE_SCREEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define SCREEN_CLOSED (-1) /* no key will come any more */

struct screen; /* opaque */

/*
 * out is a terminal and stays open as long as the result. Nothing is changed yet. keys: read them from stdin
 * when that is this terminal, too. 0 or -ENOMEM.
 */
int screen_open(FILE *out, bool keys, struct screen **result);
/* Leaves it, and frees. */
void screen_close(struct screen *s);

/* Does it read keys? Not from a pipe, and not in the background. */
bool screen_has_keys(const struct screen *s);
/* Is something drawn on it, and not left? */
bool screen_is_on(const struct screen *s);
/*
 * Show text from the first line on, at most height lines of it (0: all), and footer (NULL: none) in the last
 * line. 0 or -errno.
 */
int screen_draw(struct screen *s, const char *text, size_t n, int height, const char *footer);
/*
 * Everything as it was before, until something is drawn again; when nothing was drawn, nothing happens. May
 * be called from another thread, at any time, to end or stop the process.
 */
void screen_leave(void *s);
/* The key that was pressed, when stdin is readable: a byte, or SCREEN_CLOSED. */
int screen_key(struct screen *s);

#endif
