/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* jnitrace census, for people and as JSON. */
#ifndef JNITRACE_VIEW_CENSUS_H
#define JNITRACE_VIEW_CENSUS_H

#include "judge/census_watch.h"
#include "run/census.h"
#include "view/views.h"

struct census_item {
	const struct census *census;
	const struct census_watch *watch; /* NULL: without --watch */
	double growth_per_min;            /* of all references since the first reading; NAN: unknown */
};
struct census_view {
	double limit; /* of --limit; 0: none */
	bool classes;
};
/* Several JVMs are a line each, fastest growing first; one, or any with classes, is told about at length. */
void view_census_table(struct buf *out, const struct census_item *items, size_t n,
		       const struct census_view *v, const struct view_opts *o);
void view_census_json(struct buf *out, const struct census_item *items, size_t n,
		      const struct census_view *v);

#endif
