/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The part of the table view that says what was used wrongly. */
#ifndef JNITRACE_VIEW_FINDINGS_H
#define JNITRACE_VIEW_FINDINGS_H

#include "base/util.h"
#include "model/report.h"
#include "view/view_opts.h"

/* Of n targets, in about so many lines (0: any number); nothing when all is well. */
void view_findings(struct buf *out, const struct report *const *reports, size_t n, int lines,
		   const struct view_opts *o, int width);

#endif
