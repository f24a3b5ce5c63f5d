/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Read what the probes keep of pins (bpf/books/pins.bpf.h) into the snapshots. */
#include <bpf/bpf.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kernel/map_walk.h"
#include "kernel/tracer_priv.h"
#include "model/report.h"

/* Of all targets. */
struct pin_list {
	struct snapshot_pin *v;
	size_t n, cap;
};
struct stalled_list {
	struct snapshot_stalled *v;
	size_t n, cap;
};

static int take_pin(const void *key, const void *value, void *of)
{
	struct pin_list *list = of;
	struct snapshot_pin *v = VEC_ADD(list);

	if (!v)
		return -ENOMEM;
	*v = (struct snapshot_pin){*(const struct pin_key *)key, *(const struct pin *)value};
	return 0;
}

/*
 * How long the thread has been inside without waiting for a CPU or for the VM, at least: whether one that is
 * ready to run waits just now, and since when, is not known; then what it has run counts, and that is known
 * by ticks. One that may be stopped by the VM since a call inside the section has waited since then.
 */
static int64_t own_ns(struct tracer *t, const struct critical *c)
{
	uint64_t now = clock_ns(CLOCK_MONOTONIC), held = now > c->start_ns ? now - c->start_ns : 0;
	uint64_t run, own = held, not_own = c->vm_ns;
	struct target_state target;
	struct proc_times times;
	uint32_t target_id = c->target_id;

	if (!t->cpu_waits || bpf_map_lookup_elem(bpf_map__fd(t->skel->maps.targets), &target_id, &target) ||
	    proc_thread_times((pid_t)target.tgid, (pid_t)c->tid, &times))
		return -1;
	run = times.run_ns - c->run_ns;
	if (times.ready)
		own = run, not_own = JT_LONGEST_TICK_NS;
	else if (c->vm_since_ns)
		own = c->vm_since_ns - c->start_ns, not_own += c->vm_cpu_wait_ns - c->cpu_wait_ns;
	else
		not_own += times.cpu_wait_ns - c->cpu_wait_ns;
	own = own > not_own ? own - not_own : 0;
	return own < held ? (int64_t)own : (int64_t)held;
}

/* Of a thread that has ended with its process what was known last stands. */
static int64_t own_ns_before(const struct snapshot *s, const struct critical *c)
{
	for (size_t i = 0; i < s->criticals.n; i++) {
		const struct snapshot_critical *v = &s->criticals.v[i];

		if (v->critical.tid == c->tid && v->critical.start_ns == c->start_ns)
			return v->own_ns;
	}
	return -1;
}

static int add_critical(struct snapshots *all, const struct snapshot_critical *c)
{
	struct snapshot_critical *v = VEC_ADD(&all->of[c->critical.target_id].criticals);

	if (!v)
		return -ENOMEM;
	*v = *c;
	return 0;
}

/* The sections that are open now; the last snapshot is still needed while they are read. */
struct open_sections {
	struct tracer *t;
	const struct snapshots *before;
	struct snapshot_critical *v;
	size_t n, cap;
};

static int take_critical(const void *key, const void *value, void *of)
{
	struct open_sections *open = of;
	struct snapshot_critical *v, c = {.critical = *(const struct critical *)value};

	(void)key;
	if (c.critical.target_id >= JT_MAX_TARGETS)
		return 0;
	c.own_ns = own_ns(open->t, &c.critical);
	if (c.own_ns < 0)
		c.own_ns = own_ns_before(&open->before->of[c.critical.target_id], &c.critical);
	v = VEC_ADD(open);
	if (!v)
		return -ENOMEM;
	*v = c;
	return 0;
}

static int read_criticals(struct tracer *t, struct snapshots *all)
{
	struct open_sections open = {.t = t, .before = all};
	int rc = map_walk(t->skel->maps.criticals, take_critical, &open);

	for (int target_id = 0; target_id < JT_MAX_TARGETS; target_id++) {
		all->of[target_id].criticals.n = 0;
		all->of[target_id].cpu_waits = t->cpu_waits;
	}
	for (size_t i = 0; i < open.n && !rc; i++)
		rc = add_critical(all, &open.v[i]);
	free(open.v);
	return rc;
}

/* Who waited. */
static int take_stalled(const void *key, const void *value, void *of)
{
	struct snapshot_stalled *v, s = {*(const struct stalled_key *)key, *(const struct stalled *)value};
	struct stalled_list *list = of;

	if (s.stalled.target_id >= JT_MAX_TARGETS)
		return 0;
	v = VEC_ADD(list);
	if (!v)
		return -ENOMEM;
	*v = s;
	return 0;
}

/* Who waits now. */
static int take_stall(const void *key, const void *value, void *of)
{
	const struct stall *stall = value;
	struct snapshots *all = of;
	struct stall *v;

	(void)key;
	if (stall->target_id >= JT_MAX_TARGETS)
		return 0;
	v = VEC_ADD(&all->of[stall->target_id].stalls);
	if (!v)
		return -ENOMEM;
	*v = *stall;
	return 0;
}

static void count_pin(struct snapshot_site *site, const struct pin *pin)
{
	if (!site->live++ || (int32_t)(pin->tick - site->oldest_tick) < 0)
		site->oldest_tick = pin->tick;
	if (pin->bytes < 0)
		site->pins_unsized++;
	else
		site->pinned_bytes += (uint64_t)pin->bytes;
}

/* To the snapshots of their targets. */
static int share_out_pins(struct snapshots *all, const struct pin_list *list)
{
	for (size_t i = 0; i < list->n; i++) {
		uint32_t target_id = ref_target_id(list->v[i].key.tag);
		struct snapshot *s = target_id < JT_MAX_TARGETS ? &all->of[target_id] : NULL;
		struct snapshot_pin *v = s ? VEC_ADD(&s->pins) : NULL;
		struct snapshot_site *site = s ? snapshot_site_of(s, list->v[i].pin.site) : NULL;

		if (s && !v)
			return -ENOMEM;
		if (v)
			*v = list->v[i];
		if (site)
			count_pin(site, &v->pin);
	}
	return 0;
}

static int share_out_stalled(struct snapshots *all, const struct stalled_list *list)
{
	for (size_t i = 0; i < list->n; i++) {
		struct snapshot_stalled *v = VEC_ADD(&all->of[list->v[i].stalled.target_id].stalled);

		if (!v)
			return -ENOMEM;
		*v = list->v[i];
	}
	return 0;
}

/* 0 or -ENOMEM. */
static int read_stats(struct tracer *t, struct snapshot *s)
{
	size_t n = 0;

	s->pin_stats.n = 0;
	for (size_t i = 0; i < s->sites.n; i++)
		if (func_is_pin(t->catalog, s->sites.v[i].func) && !VEC_ADD(&s->pin_stats))
			return -ENOMEM;
	for (size_t i = 0; i < s->sites.n; i++) { /* they move no more */
		struct snapshot_site *site = &s->sites.v[i];

		if (!func_is_pin(t->catalog, site->func))
			continue;
		site->pins = &s->pin_stats.v[n++];
		/* none: nothing was counted yet */
		bpf_map_lookup_elem(bpf_map__fd(t->skel->maps.pin_stats), &site->index,
				    &s->pin_stats.v[n - 1]);
	}
	return 0;
}

int snapshot_pins(struct tracer *t, struct snapshots *all)
{
	struct stalled_list stalled = {0};
	struct pin_list pins = {0};
	int rc = 0;

	if (!(t->families_seen & catalog_families(t->catalog, KINDS_OF_PINS)))
		return 0;
	for (int target_id = 0; target_id < JT_MAX_TARGETS && !rc; target_id++)
		rc = read_stats(t, &all->of[target_id]);
	rc = rc ?: map_walk(t->skel->maps.pins, take_pin, &pins);
	rc = rc ?: share_out_pins(all, &pins);
	rc = rc ?: read_criticals(t, all);
	rc = rc ?: map_walk(t->skel->maps.stalled, take_stalled, &stalled);
	rc = rc ?: share_out_stalled(all, &stalled);
	rc = rc ?: map_walk(t->skel->maps.stalls, take_stall, all);
	free(pins.v);
	free(stalled.v);
	return rc;
}
