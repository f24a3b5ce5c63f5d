/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the probes take of a target, held against --budget. See target.h. */
#include <math.h>
#include <stdlib.h>
#include <time.h>

#include "model/sample.h"
#include "run/sampling.h"
#include "run/target_priv.h"

#define CHARGE_EXACT 0.1    /* of what the programs are told */
#define UNKNOWN_NS   2000.0 /* of a call, in the first moments: more than it costs, so that a storm is seen */

/* The programs hold the least that calls can take against the budget, too. */
static void charge(struct target *t, enum func_id f, double ns)
{
	if (fabs(ns - t->charged_ns[f]) <= t->charged_ns[f] * CHARGE_EXACT)
		return;
	t->charged_ns[f] = ns;
	tracer_charge(t->tracer, t->target_id, f, ns);
}

void target_may_spend(struct target *t)
{
	if (t->o->budget_share <= 0)
		return;
	tracer_may_spend(t->tracer, t->target_id, t->o->budget_share, ALLOWANCE_BURST_NS);
	for (int f = 0; f < NR_ALL_FUNCS; f++)
		if (f < (int)t->o->catalog->nr_funcs || (t->o->check && f >= NR_FUNCS))
			charge(t, f, UNKNOWN_NS);
}

/* Nanoseconds since the last time, and the least that it could have been. */
struct taken {
	double all, least;
	bool known;
};

static struct taken taken_ns(struct target *t, const struct target_counts *counts)
{
	uint32_t sampled = sampling_of(t->o, t->o->families);
	double ns[NR_ALL_FUNCS], trap_ns[NR_ALL_FUNCS];
	struct taken sum = {.known = tracer_costs_are_new(t->tracer)};

	tracer_costs(t->tracer, t->target_id, ns);
	tracer_trap_costs(t->tracer, t->target_id, trap_ns);
	for (int f = 0; f < NR_ALL_FUNCS; f++) {
		bool may = sampled >> func_family(t->o->catalog, f) & 1;
		uint64_t calls = counts->funcs[f].calls - t->allowed_calls[f];
		double each = ns[f] >= 0 ? ns[f] : UNKNOWN_NS,
		       least = may && trap_ns[f] >= 0 ? trap_ns[f] : each;

		sum.all += (double)calls * each;
		sum.least += (double)calls * least;
		sum.known &= !calls || ns[f] >= 0;
		if (counts->probed[f])
			charge(t, f, least);
		t->allowed_calls[f] = counts->funcs[f].calls;
	}
	return sum;
}

/* How often N may be doubled, + 1. */
static unsigned levels_of(const struct target *t)
{
	unsigned levels = 1;

	if (sampling_of(t->o, t->o->families))
		while (levels < JT_SAMPLE_LEVELS && (t->o->sample ?: 1) << levels <= SAMPLE_MOST)
			levels++;
	return levels;
}

static void take_level(struct target *t)
{
	unsigned level = t->regulator.level;

	tracer_set_sampling(t->tracer, t->target_id, level);
	if (level <= t->most_level)
		return;
	t->most_level = level;
	warn(
	    "PID %d: the probes take more than --budget allows: of what can be sampled one handle in %llu is "
	    "followed from now on",
	    t->id.pid, (unsigned long long)(t->o->sample ?: 1) << level);
}

bool target_over_budget(struct target *t)
{
	struct target_counts *counts = t->state == TARGET_TRACED ? calloc(1, sizeof(*counts)) : NULL;
	enum regulated what = REGULATED_AS_IT_WAS;
	uint64_t now_ns = clock_ns(CLOCK_MONOTONIC);
	struct taken taken;

	if (!counts)
		return false;
	if (!t->regulator.levels)
		t->regulator = regulator_begin(t->o->budget_share, levels_of(t), t->started_ns);
	if (t->regulator.levels > 1 && now_ns - t->regulator.changed_ns < REGULATOR_KNOWN_NS &&
	    !tracer_costs_are_new(t->tracer))
		tracer_poll(t->tracer); /* they are waited for */
	if (!tracer_counts(t->tracer, t->target_id, counts, NULL)) {
		taken = taken_ns(t, counts);
		what = regulator_take(&t->regulator, taken.all, taken.least, taken.known, now_ns);
	}
	free(counts);
	if (what == REGULATED_CHANGED)
		take_level(t);
	return what == REGULATED_OVER;
}

bool target_has_overspent(const struct target *t)
{
	return t->state == TARGET_TRACED && t->o->budget_share > 0 &&
	       tracer_has_overspent(t->tracer, t->target_id);
}

double target_overspent_ms(const struct target *t)
{
	uint64_t until_ns, since_ns = tracer_spends_since(t->tracer, t->target_id, &until_ns);

	/* the programs know the least that it can take, which is not what is too much where fewer are
	 * followed */
	if (!since_ns || (levels_of(t) > 1 && !target_has_overspent(t)))
		return -1;
	return (double)(until_ns - since_ns) / 1e6;
}

double target_traced_s(const struct target *t)
{
	return (double)((t->stopped_ns ?: clock_ns(CLOCK_MONOTONIC)) - t->started_ns) / 1e9;
}
