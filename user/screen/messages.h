/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Lines for stderr while a terminal is drawn on: they would end up between its cells. They are shown on it,
 * and where stderr is a terminal they are printed when it was left; else at once.
 */
#ifndef JNITRACE_MESSAGES_H
#define JNITRACE_MESSAGES_H

#include "screen/terminal.h"

struct messages; /* opaque */

/* From now on, until messages_end(). One at a time. terminal outlives it. 0 or -ENOMEM. */
int messages_begin(struct terminal *terminal, struct messages **out);
/* The last line that was not asked for yet; false: there is none. */
bool messages_newest(struct messages *m, char *line, size_t bytes);
/* The terminal was left: print what is kept. */
void messages_print(struct messages *m);
/* Prints, and frees. NULL: nothing. */
void messages_end(struct messages *m);

#endif
