/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* jnitrace census, for people and as JSON. */
#ifndef JNITRACE_VIEW_CENSUS_H
#define JNITRACE_VIEW_CENSUS_H

#include "base/util.h"
#include "model/census.h"
#include "view/view_opts.h"

/* Several JVMs are a line each, fastest growing first; one, or any with classes, is told about at length. */
void view_census_table(struct buf *out, const struct census *const *items, size_t n,
		       const struct view_opts *o);
void view_census_json(struct buf *out, const struct census *const *items, size_t n,
		      const struct view_opts *o);

#endif
