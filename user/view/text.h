/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Pieces of text that several views are made of: lines, warnings, stacks, a library's verdict. */
#ifndef JNITRACE_TEXT_H
#define JNITRACE_TEXT_H

#include "base/util.h"
#include "model/report.h"
#include "view/cells.h"
#include "view/view_opts.h"

#define INDENT   2
#define BOLD     "\033[1m"
#define WARNING  "\033[1;31m"
#define PLAIN    "\033[0m"
#define DOT      " \xc2\xb7 "
#define ELLIPSIS "\xe2\x80\xa6"

/* One of the codes above, where colours are wanted. */
void view_style(struct buf *out, const struct view_opts *o, const char *code);
/* Lines of b behind this byte. */
int view_lines(const struct buf *b, size_t from);
/* Add a piece to a flow, unless it is empty, and free it. */
void view_flow(struct flow *f, const char *separator, struct buf *piece);
/* One piece of a flow, made by printf. */
#define FLOW_ADD(flow, separator, ...)                                                                       \
	do {                                                                                                 \
		struct buf piece_ = {0};                                                                     \
		buf_printf(&piece_, __VA_ARGS__);                                                            \
		view_flow(flow, separator, &piece_);                                                         \
	} while (0)
/* A line that is a warning; frees text. */
void view_warning(struct buf *out, struct buf *text, const struct view_opts *o, int width);

/* Is this frame one of those asked for? */
bool frame_is_shown(const struct frame *f, enum stacks_shown stacks);
/*
 * As many of a stack's frames as o asks for, a line each, indented, and why there are no more. Beyond them
 * the first Java frame that is not the JDK's, and those of differs (two indexes, may be beyond the end; NULL:
 * none); where no frames are asked for those of differs alone.
 */
void view_frames(struct buf *out, const struct frames *frames, const char *truncated, const size_t *differs,
		 const struct view_opts *o, int width);

/* "growing" when a site of it is, "clean" when none is, NULL when that cannot be said yet. */
const char *library_verdict(const struct report_library *l);

#endif
