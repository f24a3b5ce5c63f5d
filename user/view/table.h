/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Reports of one tick as tables for people. */
#ifndef JNITRACE_TABLE_H
#define JNITRACE_TABLE_H

#include "base/util.h"
#include "model/report.h"
#include "view/view_opts.h"

/* Out of memory: out->failed. */
void view_table(struct buf *out, const struct report *const *reports, size_t n, const struct view_opts *o);

#endif
