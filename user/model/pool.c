/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Reports taken together. See pool.h; the test of each member is in tests/unit/model/test_pool.c. */
#include "model/pool.h"

#include "base/util.h"

static void add(uint64_t *to, uint64_t from)
{
	*to = add_capped(*to, from);
}

static void add_all(uint64_t *to, const uint64_t *from, size_t n)
{
	for (size_t i = 0; i < n; i++)
		add(&to[i], from[i]);
}

static void add_known(double *to, double from)
{
	*to = *to < 0 || from < 0 ? -1 : *to + from;
}

static void add_known_count(int64_t *to, int64_t from)
{
	if (*to < 0 || from < 0 || __builtin_add_overflow(*to, from, to))
		*to = -1;
}

static void keep_larger(double *to, double from)
{
	*to = from > *to ? from : *to;
}

static void pool_family(struct report_family *to, const struct report_family *from)
{
	if (!from->traced && !from->off_s)
		return;
	if (!to->traced && !to->off_s) {
		*to = *from;
		return;
	}
	add(&to->acquired, from->acquired);
	add(&to->released, from->released);
	add(&to->outstanding, from->outstanding);
	add(&to->released_untracked, from->released_untracked);
	add_known_count(&to->vm_total, from->vm_total);
	to->vm_note = to->vm_note ?: from->vm_note;
	to->before_known &= from->before_known;
	add(&to->before_attach, from->before_attach);
	add(&to->vm_own, from->vm_own);
	keep_larger(&to->cost_ns_per_event, from->cost_ns_per_event);
	add_known(&to->target_cpu_pct, from->target_cpu_pct);
	add(&to->died, from->died);
	add(&to->unverified, from->unverified);
	to->life_unknown |= from->life_unknown;
	keep_larger(&to->off_s, from->off_s);
	keep_larger(&to->on_s, from->on_s);
	add(&to->let_go, from->let_go);
	to->one_in = from->one_in > to->one_in ? from->one_in : to->one_in;
	to->one_in_now = from->one_in_now > to->one_in_now ? from->one_in_now : to->one_in_now;
	if (!to->limit.known)
		to->limit = from->limit;
}

static void pool_check(struct report_check *to, const struct report_check *from)
{
	if (!from->on)
		return;
	if (!to->on) {
		*to = *from;
		return;
	}
	add(&to->calls, from->calls);
	keep_larger(&to->cost_ns_per_event, from->cost_ns_per_event);
	add_known(&to->target_cpu_pct, from->target_cpu_pct);
}

static void pool_stacks(struct report_stacks *to, const struct report_stacks *from)
{
	add(&to->complete, from->complete);
	add(&to->incomplete, from->incomplete);
	to->complete_sites += from->complete_sites;
	to->incomplete_sites += from->incomplete_sites;
	add_all(to->reasons, from->reasons, NR_ENDS);
}

static void pool_drops(uint64_t *to, const uint64_t *from)
{
	uint64_t of_run = to[DROP_PROG_MISSED];

	add_all(to, from, NR_DROPS);
	to[DROP_PROG_MISSED] = of_run > from[DROP_PROG_MISSED] ? of_run : from[DROP_PROG_MISSED];
}

/* The largest of all processes. */
static void pool_pile(struct report_pile *to, const struct report_pile *from)
{
	if (from->found && (!to->found || from->refs > to->refs))
		*to = *from;
}

static void pool_one(struct report *to, const struct report *from)
{
	to->target = (struct report_target){0};
	keep_larger(&to->time_unix_s, from->time_unix_s);
	keep_larger(&to->elapsed_s, from->elapsed_s);
	to->final &= from->final;
	to->end_reason = to->end_reason == from->end_reason ? to->end_reason : NOT_ENDED;
	for (size_t i = 0; i < NR_ALL_FUNCS; i++)
		to->probed[i] |= from->probed[i];
	add_all(to->calls, from->calls, NR_ALL_FUNCS);
	for (size_t i = 0; i < NR_FAMILIES; i++)
		pool_family(&to->families[i], &from->families[i]);
	pool_check(&to->check, &from->check);
	pool_pile(&to->pile, &from->pile);
	for (size_t i = 0; i < NR_VERDICTS; i++)
		to->verdicts[i] += from->verdicts[i];
	pool_stacks(&to->stacks, &from->stacks);
	to->no_java = to->no_java ?: from->no_java;
	to->language = to->language ?: from->language;
	pool_drops(to->drops, from->drops);
	add(&to->sites_pending, from->sites_pending);
	to->nr_probes += from->nr_probes;
	add(&to->events, from->events);
	to->count_only |= from->count_only;
	to->events_per_s += from->events_per_s;
	keep_larger(&to->probe_cost_ns_per_event, from->probe_cost_ns_per_event);
	add_known(&to->target_cpu_pct, from->target_cpu_pct);
	keep_larger(&to->self_cpu_pct, from->self_cpu_pct);
	to->map_bytes = from->map_bytes > to->map_bytes ? from->map_bytes : to->map_bytes;
}

void report_pool(const struct report *const *reports, size_t n, struct report *out)
{
	static const struct report none;

	*out = *reports[0];
	out->sites = none.sites;
	out->before = none.before;
	out->findings = none.findings;
	out->libraries = none.libraries;
	out->refusals = none.refusals;
	out->held = none.held;
	for (size_t i = 1; i < n; i++)
		pool_one(out, reports[i]);
}
