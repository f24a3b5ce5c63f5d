/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Read what the probes counted into plain data, each target's to its own snapshot. */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/clock.h"
#include "kernel/map_walk.h"
#include "kernel/store.h"

/*
 * Elements 0..n-1 of an array map into out, by one call where the kernel can
 * (5.6, per-CPU arrays 5.13), else one by one.
 */
static int read_array(int fd, uint32_t n, size_t value_bytes, void *out)
{
	uint32_t *keys = calloc(n ? n : 1, sizeof(*keys));
	uint32_t next = 0, count = n;
	int rc;

	if (!keys)
		return -ENOMEM;
	rc = n ? bpf_map_lookup_batch(fd, NULL, &next, keys, out, &count, NULL) : 0;
	free(keys);
	if (rc == -ENOENT) /* the end of the map */
		rc = 0;
	if (!rc && count == n)
		return 0;
	for (uint32_t i = 0; i < n; i++) {
		rc = bpf_map_lookup_elem(fd, &i, (char *)out + i * value_bytes);
		if (rc)
			return rc;
	}
	return 0;
}

/*
 * The site's stack, read once and kept; NULL when it has none or is being written just now. It may be one of
 * no frames: nothing of a thread without Java is known while a library is closed. 0 or -errno.
 */
static int stack_of(struct tracer *t, uint32_t index, const struct site *site, const struct stack **out)
{
	struct stack st, *copy;
	size_t bytes;

	*out = t->stacks[index];
	if (*out || !site->has_stack)
		return 0;
	if (bpf_map_lookup_elem(bpf_map__fd(t->skel->maps.stacks), &site->stack_id, &st))
		return errno == ENOENT ? 0 : -errno;
	if (st.n > JT_MAX_FRAMES)
		return 0;
	bytes = offsetof(struct stack, frame) + st.n * sizeof(st.frame[0]);
	copy = malloc(bytes);
	if (!copy)
		return -ENOMEM;
	memcpy(copy, &st, bytes);
	*out = t->stacks[index] = copy;
	return 0;
}

/* Of this number, to be filled; NULL: out of memory. */
static struct snapshot_site *add_site(struct snapshots *all, uint32_t index, uint16_t target_id)
{
	struct snapshot *s = &all->of[target_id];
	struct snapshot_site *v = VEC_ADD(&s->sites);

	if (v)
		all->position[index] = s->sites.n;
	return v;
}

/* What says that the site is in use is written last, and read first. */
static void copy_site(struct site *to, const struct site *from)
{
	uint64_t stack_id = __atomic_load_n(&from->stack_id, __ATOMIC_ACQUIRE);

	*to = *from;
	to->stack_id = stack_id;
}

/* All CPUs' counts. */
static void add_counts(struct snapshot_site *v, const struct tracer *t)
{
	for (int cpu = 0; cpu < t->features.cpu_ids; cpu++) {
		const volatile struct site_counts *c = site_counts_of(t, v->index, cpu);
		uint64_t peak = c->peak;

		v->acquired += c->acquired;
		v->released += c->released;
		v->unpaired += c->unpaired;
		v->died += c->died;
		if (peak > v->peak)
			v->peak = peak;
	}
	v->died += t->buried[v->index];
	v->unpaired += t->given_back[v->index] + t->let_go[v->index];
	/* The CPUs are not read at one moment; but what was released had been acquired. */
	if (v->acquired < v->released + v->unpaired + v->died)
		v->acquired = v->released + v->unpaired + v->died;
}

static int read_sites(struct tracer *t, struct snapshots *all, uint32_t n)
{
	struct site *site = malloc(n * sizeof(*site));
	int rc = site ? 0 : -ENOMEM;

	/* Counts after sites: what is counted for a site that is listed is complete. */
	for (uint32_t i = 0; !rc && i < n; i++)
		copy_site(&site[i], &t->sites[i]);
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	if (!rc && t->by_thread)
		rc = read_array(bpf_map__fd(t->skel->maps.site_threads), n, sizeof(*all->threads),
				all->threads);
	for (uint32_t i = 1; !rc && i < n; i++) {
		struct snapshot_site *v;

		if (!site[i].stack_id || site[i].target_id >= JT_MAX_TARGETS)
			continue;
		v = add_site(all, i, site[i].target_id);
		if (!v) {
			rc = -ENOMEM;
			break;
		}
		*v = (struct snapshot_site){.index = i, .func = site[i].func, .level = site[i].level};
		v->has_stack = site[i].has_stack;
		rc = stack_of(t, i, &site[i], &v->stack);
		if (t->by_thread && all->threads[i].key.site)
			v->thread = &all->threads[i];
		add_counts(v, t);
	}
	free(site);
	return rc;
}

struct findings_walk {
	struct snapshots *all;
	int details_fd;
};

static int take_finding(const void *key, const void *value, void *of)
{
	struct snapshot_finding *v,
	    found = {.key = *(const struct finding_key *)key, .f = *(const struct finding *)value};
	struct findings_walk *w = of;
	struct snapshots *all = w->all;

	if (!found.f.count || found.key.target_id >= JT_MAX_TARGETS)
		return 0;
	v = VEC_ADD(&all->of[found.key.target_id].findings);
	if (!v)
		return -ENOMEM;
	if (found.key.kind == FINDING_WRONG_ENV || found.key.kind == FINDING_PENDING_EXCEPTION)
		bpf_map_lookup_elem(w->details_fd, key, &found.detail); /* or it stays 0 */
	*v = found;
	return 0;
}

void tracer_tell_threads(struct tracer *t)
{
	t->by_thread = t->may_tell_threads;
	__atomic_store_n(&t->skel->bss->by_thread, t->by_thread, __ATOMIC_SEQ_CST);
}

uint64_t tracer_sites_made(const struct tracer *t)
{
	return *(volatile uint64_t *)&t->skel->bss->sites_made;
}

/* Empty, with room; but the critical sections are read with a look at those that were there before. */
static int begin(struct tracer *t, struct snapshots *all, bool refs)
{
	all->position = all->position ?: calloc(t->max_sites, sizeof(*all->position));
	if (t->by_thread && !all->threads)
		all->threads = calloc(t->max_sites, sizeof(*all->threads));
	if (!all->position || (t->by_thread && !all->threads))
		return -ENOMEM;
	memset(all->position, 0, t->max_sites * sizeof(*all->position));
	for (int target_id = 0; target_id < JT_MAX_TARGETS; target_id++) {
		struct snapshot *s = &all->of[target_id];

		if (!t->traced[target_id].used)
			snapshot_free(s);
		s->nr_index = t->max_sites;
		s->position = all->position;
		s->threads = all->threads;
		s->sites.n = 0;
		if (refs)
			s->refs.n = s->findings.n = s->pushes.n = s->pins.n = s->stalled.n = s->stalls.n =
			    s->held.n = s->churns.n = 0;
	}
	return 0;
}

static int read_all(struct tracer *t, struct snapshots *all, bool refs, struct error *err)
{
	struct findings_walk findings = {all, bpf_map__fd(t->skel->maps.finding_details)};
	int rc;

	unwinder_tick(t->unwinder); /* what fails now is asked for again */
	rc = begin(t, all, refs);
	if (!rc && refs) /* before the sites that they name */
		rc = snapshot_ends(t) ?: map_walk(t->skel->maps.findings, take_finding, &findings)
					     ?: snapshot_ended(t, all);
	rc = rc ?: read_sites(t, all, sites_in_use(t));
	if (!rc && refs)
		rc = store_read(t, all) ?: snapshot_pins(t, all) ?: snapshot_threads(t, all) ?: snapshot_pushes(t, all) ?: snapshot_pairs(t, all);
	if (rc)
		return error_set(err, rc, EXIT_FAILED, "read the counters", NULL, "%s", strerror(-rc));
	return 0;
}

int tracer_sites(struct tracer *t, struct snapshots *all, struct error *err)
{
	return read_all(t, all, false, err);
}

int tracer_snapshot(struct tracer *t, struct snapshots *all, struct error *err)
{
	struct clock_reading now;
	int rc = read_all(t, all, true, err);

	if (rc)
		return rc;
	rc = clock_read(t, &now);
	if (rc)
		return error_set(err, rc, EXIT_FAILED, "read the clocks", NULL, "%s", strerror(-rc));
	for (int target_id = 0; target_id < JT_MAX_TARGETS; target_id++) {
		all->of[target_id].monotonic_ns = now.monotonic_ns;
		all->of[target_id].now_tick = now.tick;
		all->of[target_id].tick_s = now.tick_s;
	}
	return 0;
}

void tracer_print_walks(const struct tracer *t)
{
	const struct jnitrace_bpf *s = t->skel;

	if (s->rodata->memo_mode == MEMO_CHECK)
		warn("stacks: %llu walked, %llu of them found in the memo, too",
		     (unsigned long long)s->bss->stacks_walked, (unsigned long long)s->bss->stacks_checked);
	else
		warn("stacks: %llu walked", (unsigned long long)s->bss->stacks_walked);
}
