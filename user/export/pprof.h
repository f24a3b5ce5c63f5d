/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Profiles for pprof: a gzip'd message of user/export/profile.proto. */
#ifndef JNITRACE_PPROF_H
#define JNITRACE_PPROF_H

#include "base/util.h"
#include "model/report.h"
#include "view/view_opts.h"

/*
 * The samples of a site have its stack, and labels (family, function, class, verdict, pid). Outstanding
 * references have a sample for each class that is known; what was acquired, bytes, and what has no known
 * class have one without class, so that each type of value adds up to the site's number. Unknown numbers are
 * 0, and a comment says so.
 */
void pprof_begin(void **state, struct buf *out);
void pprof_reports(void *state, struct buf *out, const struct report *const *reports, size_t n,
		   const struct view_opts *o);
void pprof_end(void *state, struct buf *out);
/* Likewise; which of its values is to be shown first. */
enum pprof_value { PPROF_OUTSTANDING, PPROF_ACQUIRED };
void pprof_end_as(void *state, struct buf *out, enum pprof_value value);

#endif
