/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Where the views go: standard output or a file, a terminal that is drawn anew or plain text. */
#ifndef JNITRACE_OUTPUT_H
#define JNITRACE_OUTPUT_H

#include <stdbool.h>
#include <stdio.h>

#include "opts.h"
#include "util.h"
#include "views.h"

struct output {      /* start zeroed */
	FILE *file;  /* owned, unless it is stdout */
	bool screen; /* redraw in place */
};
/* repeats: there will be more than one view. -errno with err. */
int output_open(struct output *out, const struct options *o, bool repeats, struct error *err);
void output_close(struct output *out);
/* Options of a view for it: as wide and as high as the terminal is now. */
void output_view_opts(const struct output *out, const struct options *o, struct view_opts *v);
/* Write a view and free it. last: it stays on the screen, below what was there. -errno with err. */
int output_write(struct output *out, struct buf *view, bool last, struct error *err);

#endif
