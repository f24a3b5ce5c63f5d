/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The head of a table: target, costs, a line per family, what was lost. */
#ifndef JNITRACE_HEADER_H
#define JNITRACE_HEADER_H

#include "base/util.h"
#include "model/report.h"
#include "view/view_opts.h"

/* Of n targets, whose numbers r has together. */
void view_header(struct buf *out, const struct report *r, size_t n, const struct view_opts *o, int width);

#endif
