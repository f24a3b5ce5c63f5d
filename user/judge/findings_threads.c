/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Verdicts on attaching and detaching. See findings_threads.h. */
#include "judge/findings_threads.h"

#include <math.h>

/* --- foreign detach --- */

static bool is_passing_on(const struct report_stack *s)
{
	for (size_t i = 0; i < s->frames.n; i++)
		if (s->frames.v[i].type == FRAME_NATIVE && s->frames.v[i].module)
			return finding_is_system(s->frames.v[i].module);
	return false;
}

bool finding_is_passed_on(const struct report_finding *f)
{
	return f->kind == FINDING_FOREIGN_DETACH && (is_passing_on(&f->stack) || is_passing_on(&f->acquire));
}

/* --- threads that attach again and again --- */

#define CHURN_PER_S     20 /* times in a second by one thread, */
#define CHURN_ALL_PER_S 50 /* or by all of them */
#define CHURN_LEAST     50 /* times in all */
#define SHORT_SPAN_S    1.0

int finding_of_churn(const struct findings_input *in, const struct snapshot_churn *c, struct report *r)
{
	struct report_finding f = {
	    .kind = FINDING_ATTACH_CHURN, .count = c->churn.again, .first_s = -1, .last_s = -1};
	double span_s = fmax((double)(int64_t)(c->churn.last_ns - c->churn.first_ns) / 1e9, SHORT_SPAN_S);
	double each_us = c->churn.pairs ? (double)c->churn.ns / (double)c->churn.pairs / 1e3 : NAN;
	char s[160];
	uint64_t ids[3] = {0};

	if ((c->churn.most < CHURN_PER_S && c->churn.most_all < CHURN_ALL_PER_S) ||
	    c->churn.again < CHURN_LEAST)
		return 0;
	ids[0] = finding_site(in, c->site, &f.stack, &f.func);
	f.id = finding_id(f.kind, ids);
	f.doubt = finding_doubt(r, f.kind);
	f.per_s = (double)c->churn.again / span_s;
	f.cost_ms_per_s = f.per_s * each_us / 1e3;
	finding_set_text(in, &f);
	snprintf(s, sizeof(s), "Threads that had been attached before attached again %.*f times a second.",
		 f.per_s < 10, f.per_s);
	finding_add_text(&f, s);
	if (isfinite(each_us)) {
		snprintf(s, sizeof(s), "That took %.1f ms of each second: %.1f us each time, with detaching.",
			 f.cost_ms_per_s, each_us);
		finding_add_text(&f, s);
	}
	return finding_add(r, &f);
}
