/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What a verdict leaves open, in words. */
#include <math.h>

#include "base/util.h"
#include "model/report.h"

void growth_not_known(struct buf *out, double same_life_s)
{
	bool minutes = same_life_s >= 120;

	buf_printf(
	    out,
	    "it would look the same if each were released after %.0f %s, or if a cache were still filling",
	    floor(minutes ? same_life_s / 60 : same_life_s), minutes ? "minutes" : "seconds");
}

void verdict_not_known(struct buf *out, const struct report_verdict *v)
{
	if (v->kind == VERDICT_GROWING)
		growth_not_known(out, v->same_life_s);
	else if (v->kind == VERDICT_UNKNOWN && v->slowed)
		buf_printf(out, "it grew, then slowed down or stopped, like a cache that fills up");
	else if (v->kind == VERDICT_UNKNOWN && v->waits)
		buf_printf(out,
			   "it grows, but each reference has an object that no collection has proven to be "
			   "in use: it may be released when that is collected");
	else if (v->kind == VERDICT_UNKNOWN && v->ready_in_s > 0)
		buf_printf(out, "too early: growth of 1 per second can be detected in %.0f s",
			   ceil(v->ready_in_s));
	else if (v->kind == VERDICT_UNKNOWN && v->span_s > 0)
		buf_printf(out, "it grows, but not steadily: needs more time");
}

double report_too_short(const struct report *r)
{
	double more_s = 0;

	for (size_t i = 0; i < r->sites.n && !r->count_only; i++) {
		const struct report_verdict *v = &r->sites.v[i].verdict;

		/* A site that came late in a run that is long enough is no fault of the run. */
		if (v->kind == VERDICT_UNKNOWN && r->sites.v[i].outstanding &&
		    r->elapsed_s < v->ready_in_s + v->span_s)
			more_s = fmax(more_s, v->ready_in_s);
	}
	return more_s;
}
