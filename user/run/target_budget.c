/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the probes take of a target, held against --budget. See target.h. */
#include <stdlib.h>
#include <time.h>

#include "run/target_priv.h"

#define UNKNOWN_NS 2000.0 /* of a call, in the first moments: more than it costs, so that a storm is seen */

/* Since the last time. */
static double taken_ns(struct target *t, const struct target_counts *counts)
{
	double ns[NR_ALL_FUNCS], sum = 0;

	tracer_costs(t->tracer, t->target_id, ns);
	for (int f = 0; f < NR_ALL_FUNCS; f++) {
		uint64_t calls = counts->funcs[f].calls - t->allowed_calls[f];

		sum += (double)calls * (ns[f] >= 0 ? ns[f] : UNKNOWN_NS);
		t->allowed_calls[f] = counts->funcs[f].calls;
	}
	return sum;
}

bool target_over_budget(struct target *t)
{
	struct target_counts *counts = t->state == TARGET_TRACED ? calloc(1, sizeof(*counts)) : NULL;
	uint64_t now_ns = clock_ns(CLOCK_MONOTONIC);
	bool over = false;

	if (!counts)
		return false;
	if (!t->allowance.since_ns)
		t->allowance = allowance_begin(t->o->budget_share, t->started_ns);
	if (!tracer_counts(t->tracer, t->target_id, counts, NULL))
		over = !allowance_take(&t->allowance, taken_ns(t, counts), now_ns);
	free(counts);
	return over;
}

double target_traced_s(const struct target *t)
{
	return (double)((t->stopped_ns ?: clock_ns(CLOCK_MONOTONIC)) - t->started_ns) / 1e9;
}
