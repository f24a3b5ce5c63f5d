/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Where the views go: standard output or a file, a terminal that is drawn anew or plain text. */
#ifndef JNITRACE_OUTPUT_H
#define JNITRACE_OUTPUT_H

#include <stdbool.h>
#include <stdio.h>

#include "base/util.h"
#include "screen/browser.h"
#include "screen/messages.h"
#include "screen/terminal.h"
#include "view/format.h"

struct output { /* start zeroed */
	const struct format *format;
	void *state;               /* the format's; see view/format.h */
	FILE *file;                /* owned, unless it is stdout */
	struct terminal *terminal; /* redraw in place; NULL: plain text */
	struct messages *messages; /* for stderr meanwhile; NULL: without a terminal */
	struct canvas canvas;      /* what is drawn on it */
	struct buf drawn;          /* a text that is on the screen and nowhere else */
	int stop_fd;               /* see io_write() */
};
/*
 * repeats: there will be more than one view. keys: of the terminal will be read. stop_fd: readable when a
 * signal asks to end, -1: signals end the process. -errno with err. A terminal on which nothing can be placed
 * gets plain text, and a line that says so.
 */
int output_open(struct output *out, const struct view_request *r, bool repeats, bool keys, int stop_fd,
		struct error *err);
/* What stands behind the last view. -errno with err. */
int output_end(struct output *out, struct error *err);
/* A text that is on the screen stays, below what was there before. */
void output_close(struct output *out);
/* Options of a view for it: as wide and, but for the last, as high as the terminal is now. */
void output_view_opts(const struct output *out, const struct view_request *r, bool last, struct view_opts *v);
/*
 * Write a view and free it. last: no other will take its place, so it is no drawing but stays. -errno with
 * err.
 */
int output_write(struct output *out, struct buf *view, bool last, struct error *err);
/* Draw what a person looks at: there is a terminal. -errno with err. */
int output_draw(struct output *out, struct browser *b, struct error *err);

#endif
