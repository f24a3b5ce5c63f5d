/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the parts of the table view share. */
#ifndef JNITRACE_VIEW_PRIV_H
#define JNITRACE_VIEW_PRIV_H

#include "view/views.h"

#define INDENT  2
#define BOLD    "\033[1m"
#define WARNING "\033[1;31m"
#define PLAIN   "\033[0m"

/* One of the codes above, where colours are wanted. */
void view_style(struct buf *out, const struct view_opts *o, const char *code);
/* Lines of b behind this byte. */
int count_lines(const struct buf *b, size_t from);
/* As many of a stack's frames as o asks for, a line each, indented, and why there are no more. */
void view_frames(struct buf *out, const struct frames *frames, const char *truncated,
		 const struct view_opts *o, int width);
/* What was used wrongly, of n targets, in about so many lines (0: any number); nothing when all is well. */
void view_findings(struct buf *out, const struct report *const *reports, size_t n, int lines,
		   const struct view_opts *o, int width);

#endif
