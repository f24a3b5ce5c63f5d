/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Folded stacks, as flamegraph.pl, inferno and speedscope read them: "outermost;...;innermost N". */
#ifndef JNITRACE_FOLDED_H
#define JNITRACE_FOLDED_H

#include "base/util.h"
#include "model/report.h"
#include "view/view_opts.h"

/*
 * A line for each site, N: its references outstanding; where releases are not counted: acquired. Sites with
 * none, or of which it is not known, have no line.
 */
void folded_reports(void *state, struct buf *out, const struct report *const *reports, size_t n,
		    const struct view_opts *o);

#endif
