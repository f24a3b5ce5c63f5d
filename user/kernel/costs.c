/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What a call of each function costs the target: the traps and the programs behind them. */
#include "kernel/programs.h"

static double add_known(double a, double b)
{
	return a < 0 || b < 0 ? -1 : a + b;
}

/* Of one call of a function at one kind of place, without the trap. */
static double programs_ns(const struct tracer *t, const struct probe_site *site)
{
	double ns = 0;

	for (size_t i = 0; i < NR_PROGRAM_ROWS; i++)
		if (program_serves(t, &program_rows[i], site))
			ns = add_known(ns, overhead_run_ns(t->overhead, program_of(t, &program_rows[i])));
	if (site->point == POINT_URETPROBE &&
	    !func_at_both_ends(t->catalog, site->func)) /* see attach_entries() */
		ns = add_known(ns, overhead_run_ns(t->overhead, t->skel->progs.jt_enter));
	return ns;
}

/*
 * Each event of a file asks all targets that have probes of their own in it, whose it is. In which file is
 * not looked at: at most it is so much.
 */
#define ASKED_NS 30
static double asked_ns(const struct tracer *t, const struct traced *s)
{
	double ns = 0;

	for (uint32_t i = 0; i < t->max_targets && !s->file; i++)
		ns += t->traced[i].attached && !t->traced[i].file && &t->traced[i] != s ? ASKED_NS : 0;
	return ns;
}

/* asked: of each event, see above. */
static double traps_ns(const struct tracer *t, const struct traced *s, enum func_id f, double asked)
{
	const struct overhead *o = t->overhead;
	double entry = overhead_trap_ns(o, TRAP_ENTRY), at_return = overhead_trap_ns(o, TRAP_RETURN), ns = 0;
	double here = s->single_step[f] ? overhead_trap_ns(o, TRAP_STEP) : entry;
	bool uretprobe = s->points[f] & 1U << POINT_URETPROBE;

	if (here < 0 || (uretprobe && (entry < 0 || at_return < 0)))
		return -1;
	if (s->trap_shared[f])
		return 0;
	/* A return probe traps at the entry too, once for all programs there. */
	if (uretprobe || s->points[f] & 1U << POINT_ENTRY)
		ns += here;
	if (s->points[f] & 1U << POINT_RETURN)
		ns += here;
	if (uretprobe && at_return > entry)
		ns += at_return - entry;
	return ns + asked;
}

void tracer_costs(const struct tracer *t, int target_id, double ns[NR_ALL_FUNCS])
{
	const struct traced *s = &t->traced[target_id];
	double asked = asked_ns(t, s);

	for (int f = 0; f < NR_ALL_FUNCS; f++) {
		ns[f] = s->points[f] ? traps_ns(t, s, f, asked) : -1;
		for (int point = 0; point < NR_POINTS; point++)
			if (s->points[f] & 1U << point)
				ns[f] = add_known(
				    ns[f], programs_ns(t, &(struct probe_site){.func = f, .point = point}));
	}
}

void tracer_trap_costs(const struct tracer *t, int target_id, double ns[NR_ALL_FUNCS])
{
	const struct traced *s = &t->traced[target_id];
	double asked = asked_ns(t, s);

	for (int f = 0; f < NR_ALL_FUNCS; f++)
		ns[f] = s->points[f] ? traps_ns(t, s, f, asked) : -1;
}

bool tracer_costs_are_new(const struct tracer *t)
{
	return overhead_is_new(t->overhead);
}

void tracer_poll(struct tracer *t)
{
	overhead_poll(t->overhead);
}
