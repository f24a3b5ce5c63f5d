/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Comma-separated values by RFC 4180: a header line, then a row for each site of each report. */
#ifndef JNITRACE_CSV_H
#define JNITRACE_CSV_H

#include "base/util.h"
#include "model/comparison.h"
#include "model/report.h"
#include "view/view_opts.h"

void csv_begin(void **state, struct buf *out);
/* What is not known is an empty field. */
void csv_reports(void *state, struct buf *out, const struct report *const *reports, size_t n,
		 const struct view_opts *o);

/* A header line, and a row for each site of each comparison; with GROUP_CLASS for each class. */
void csv_diff(struct buf *out, const struct comparison *const *v, size_t n, const struct view_opts *o);

#endif
