/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Comparisons of two recordings, for people and as JSON; out of memory: out->failed. */
#ifndef JNITRACE_VIEW_DIFF_H
#define JNITRACE_VIEW_DIFF_H

#include "base/util.h"
#include "model/comparison.h"
#include "view/view_opts.h"

/* What is the same in both is only counted, unless o->all asks for all. */
void view_diff_table(struct buf *out, const struct comparison *const *v, size_t n, const struct view_opts *o);
void view_diff_json(struct buf *out, const struct comparison *const *v, size_t n, const struct view_opts *o);

#endif
