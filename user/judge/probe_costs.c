/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "judge/probe_costs.h"

#include "base/util.h"

void probe_costs_begin(struct probe_costs *p)
{
	*p = (struct probe_costs){0};
	for (int f = 0; f < NR_COSTS; f++)
		p->last_ns[f] = -1;
}

static void cost_add(struct cost *c, uint64_t events, double ns_each)
{
	c->unknown |= ns_each < 0;
	c->ns += ns_each < 0 ? 0 : events * ns_each;
	c->events += ns_each < 0 ? 0 : events;
}

/* Nanoseconds an event and share of a CPU, as the report has them. */
static void cost_report(const struct cost *c, double seconds, double *ns_each, double *pct)
{
	if (c->events)
		*ns_each = c->ns / c->events;
	*pct = c->unknown || seconds <= 0 ? -1 : c->ns / seconds / 1e7;
}

/* The calls that were made since; now: what those cost. */
static void spend(struct probe_costs *p, const struct catalog *catalog, const struct target_counts *counts,
		  const double *cost_ns, struct cost *now)
{
	for (int i = 0; i < NR_ALL_FUNCS; i++) {
		uint64_t events = counts->funcs[i].calls - p->costed[i];
		double ns = cost_ns ? cost_ns[i] : -1;
		int of[] = {func_family(catalog, i), COST_ALL};

		if (!events)
			continue;
		for (size_t k = 0; k < ARRAY_LEN(of); k++) {
			cost_add(&now[of[k]], events, ns);
			if (ns >= 0)
				cost_add(&p->spent[of[k]], events, ns);
		}
		if (ns >= 0)
			p->costed[i] += events;
	}
}

void probe_costs_report(struct probe_costs *p, const struct catalog *catalog,
			const struct target_counts *counts, const double *cost_ns, double interval_s,
			struct report *r)
{
	struct cost now[NR_COSTS] = {0};

	spend(p, catalog, counts, cost_ns, now);
	for (int f = 0; f < NR_COSTS; f++) {
		struct cost *c = r->final ? &p->spent[f] : &now[f];
		double *ns_each = &p->last_ns[f], pct;

		c->unknown = now[f].unknown;
		cost_report(c, interval_s, ns_each, &pct);
		if (f < NR_FAMILIES) {
			r->families[f].cost_ns_per_event = *ns_each;
			r->families[f].target_cpu_pct = pct;
		} else if (f == COST_CHECK) {
			r->check.cost_ns_per_event = *ns_each;
			r->check.target_cpu_pct = pct;
		} else {
			r->probe_cost_ns_per_event = *ns_each;
			r->target_cpu_pct = pct;
		}
	}
}
