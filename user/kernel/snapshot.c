/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Read what the probes counted into plain data. */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/tracer_priv.h"

/* Clock rates Linux is built with (kernel/Kconfig.hz, arch/alpha). */
static const int known_hz[] = {100, 250, 256, 300, 1000, 1024};

/*
 * Seconds of one tick. jiffies start at -300 s as a 32-bit number (INITIAL_JIFFIES,
 * include/linux/jiffies.h) and stand still in suspend like CLOCK_MONOTONIC, so both
 * together give the rate, which no interface tells.
 */
static double tick_seconds(const struct hello *h)
{
	int best = known_hz[0];
	double best_error = 1e300;

	for (size_t i = 0; i < ARRAY_LEN(known_hz); i++) {
		uint64_t since_boot = h->jiffies - (uint32_t)(-300 * known_hz[i]);
		double e = (double)since_boot / known_hz[i] - h->monotonic_ns / 1e9;

		e = e < 0 ? -e : e;
		if (e < best_error) {
			best_error = e;
			best = known_hz[i];
		}
	}
	return (double)(1 << JT_TICK_SHIFT) / best;
}

static uint32_t sites_in_use(const struct tracer *t)
{
	uint32_t n = *(volatile uint32_t *)&t->skel->data->next_site;

	return n < t->max_sites ? n : t->max_sites;
}

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

/* The site's stack, read once and kept; NULL when it has none or is being written just now. */
static const struct stack *stack_of(struct tracer *t, uint32_t index, const struct site *site)
{
	struct stack st, *copy;
	size_t bytes;

	if (t->stacks[index] || !site->has_stack)
		return t->stacks[index];
	if (bpf_map_lookup_elem(bpf_map__fd(t->skel->maps.stacks), &site->stack_id, &st) || !st.n ||
	    st.n > JT_MAX_FRAMES)
		return NULL;
	bytes = offsetof(struct stack, frame) + st.n * sizeof(st.frame[0]);
	copy = malloc(bytes);
	if (copy)
		memcpy(copy, &st, bytes);
	t->stacks[index] = copy;
	return copy;
}

/* Of this number, to be filled; NULL: out of memory. */
static struct snapshot_site *add_site(struct snapshots *all, uint32_t index, uint16_t slot)
{
	struct snapshot *s = &all->of[slot];
	struct snapshot_site *v = VEC_ADD(&s->sites);

	if (v)
		all->position[index] = s->sites.n;
	return v;
}

static int read_sites(struct tracer *t, struct snapshots *all, uint32_t n)
{
	size_t per_cpu = t->features.nr_cpus;
	struct site *site = calloc(n, sizeof(*site));
	struct site_counts *counts = calloc(n * per_cpu, sizeof(*counts));
	int rc = site && counts ? 0 : -ENOMEM;

	/* Counts after sites: what is counted for a site that is listed is complete. */
	rc = rc ?: read_array(bpf_map__fd(t->skel->maps.sites), n, sizeof(*site), site);
	if (!rc && t->by_thread)
		rc = read_array(bpf_map__fd(t->skel->maps.site_threads), n, sizeof(*all->threads),
				all->threads);
	rc = rc ?: read_array(bpf_map__fd(t->skel->maps.site_counts), n, sizeof(*counts) * per_cpu, counts);
	for (uint32_t i = 1; !rc && i < n; i++) {
		struct snapshot_site *v;

		if (!site[i].stack_id || site[i].slot >= JT_MAX_TARGETS)
			continue;
		v = add_site(all, i, site[i].slot);
		if (!v) {
			rc = -ENOMEM;
			break;
		}
		*v = (struct snapshot_site){.index = i, .func = site[i].func};
		v->has_stack = site[i].has_stack;
		v->stack = stack_of(t, i, &site[i]);
		if (t->by_thread && all->threads[i].key.site)
			v->thread = &all->threads[i];
		for (size_t cpu = 0; cpu < per_cpu; cpu++) {
			v->acquired += counts[i * per_cpu + cpu].acquired;
			v->released += counts[i * per_cpu + cpu].released;
			v->unpaired += counts[i * per_cpu + cpu].unpaired;
			v->died += counts[i * per_cpu + cpu].died;
			if (counts[i * per_cpu + cpu].peak > v->peak)
				v->peak = counts[i * per_cpu + cpu].peak;
		}
		v->died += t->buried[i];
		/* The CPUs are not read at one moment; but what was released had been acquired. */
		if (v->acquired < v->released + v->unpaired + v->died)
			v->acquired = v->released + v->unpaired + v->died;
	}
	free(site);
	free(counts);
	return rc;
}

static int add_ref(struct snapshots *all, uint64_t tag, uint32_t site, uint32_t tick)
{
	uint32_t slot = (tag >> HANDLE_BITS) - 1;
	struct snapshot *s = slot < JT_MAX_TARGETS ? &all->of[slot] : NULL;
	struct snapshot_ref *ref = s ? VEC_ADD(&s->refs) : NULL;
	struct snapshot_site *v;

	if (!ref)
		return s ? -ENOMEM : 0;
	*ref = (struct snapshot_ref){.handle = tag, .slot = slot, .site = site, .tick = tick};
	v = snapshot_site_of(s, site);
	if (v && (!v->live++ || (int32_t)(tick - v->oldest_tick) < 0))
		v->oldest_tick = tick;
	return 0;
}

static int read_refs(struct tracer *t, struct snapshots *all)
{
	uint64_t key, next, *prev = NULL;
	int fd = bpf_map__fd(t->skel->maps.overflow), rc = 0;

	for (uint32_t b = 0; b < t->nr_buckets; b++)
		for (int i = 0; i < JT_BUCKET_WAYS && !rc; i++) {
			uint64_t tag = *(volatile uint64_t *)&t->buckets[b].tag[i];

			if (tag > TAG_BUSY && !(tag & TAG_DEAD))
				rc = add_ref(all, tag, t->buckets[b].site[i], t->buckets[b].tick[i]);
		}
	if (rc || !*(volatile uint64_t *)&t->skel->bss->overflow_refs)
		return rc;
	/* Bounded: the map may change under the walk. */
	for (uint64_t i = 0; !rc && i < 2ULL * bpf_map__max_entries(t->skel->maps.overflow); i++) {
		struct overflow_ref o;

		if (bpf_map_get_next_key(fd, prev, &next))
			break;
		key = next;
		prev = &key;
		if (!bpf_map_lookup_elem(fd, &key, &o))
			rc = add_ref(all, key, o.site, o.tick);
	}
	return rc;
}

/* Bounded: the map may change under the walk. */
static int read_findings(struct tracer *t, struct snapshots *all)
{
	struct finding_key key, *prev = NULL;
	int fd = bpf_map__fd(t->skel->maps.findings);

	for (uint32_t left = 2 * bpf_map__max_entries(t->skel->maps.findings); left; left--) {
		struct snapshot_finding *v, found;

		if (bpf_map_get_next_key(fd, prev, &found.key))
			break;
		key = found.key;
		prev = &key;
		if (bpf_map_lookup_elem(fd, &key, &found.f) || !found.f.count || key.slot >= JT_MAX_TARGETS)
			continue;
		v = VEC_ADD(&all->of[key.slot].findings);
		if (!v)
			return -ENOMEM;
		*v = found;
	}
	return 0;
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
	for (int slot = 0; slot < JT_MAX_TARGETS; slot++) {
		struct snapshot *s = &all->of[slot];

		if (!t->slots[slot].used)
			snapshot_free(s);
		s->nr_index = t->max_sites;
		s->position = all->position;
		s->threads = all->threads;
		s->sites.n = 0;
		if (refs)
			s->refs.n = s->findings.n = s->pins.n = s->stalled.n = s->stalls.n = 0;
	}
	return 0;
}

static int read_all(struct tracer *t, struct snapshots *all, bool refs, struct error *err)
{
	int rc;

	unwinder_tick(t->unwinder); /* what fails now is asked for again */
	rc = begin(t, all, refs);
	if (!rc && refs)
		rc = read_findings(t, all); /* before the sites that they name */
	rc = rc ?: read_sites(t, all, sites_in_use(t));
	if (!rc && refs)
		rc = read_refs(t, all) ?: snapshot_pins(t, all);
	if (!rc && refs)
		snapshot_threads(t, all);
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
	struct hello h;
	int rc = read_all(t, all, true, err);

	if (rc)
		return rc;
	rc = tracer_hello(t, &h);
	if (rc)
		return error_set(err, rc, EXIT_FAILED, "read the clocks", NULL, "%s", strerror(-rc));
	for (int slot = 0; slot < JT_MAX_TARGETS; slot++) {
		all->of[slot].monotonic_ns = h.monotonic_ns;
		all->of[slot].now_tick = h.jiffies >> JT_TICK_SHIFT;
		all->of[slot].tick_s = tick_seconds(&h);
	}
	return 0;
}

static bool bucket_holds(const struct bucket *b, uint64_t tag, uint32_t site, uint32_t tick)
{
	for (int i = 0; i < JT_BUCKET_WAYS; i++)
		if (*(volatile const uint64_t *)&b->tag[i] == tag)
			return b->site[i] == site && b->tick[i] == tick;
	return false;
}

bool tracer_holds(const struct tracer *t, const struct snapshot_ref *ref)
{
	uint64_t tag = (uint64_t)ref->handle | (uint64_t)(ref->slot + 1) << HANDLE_BITS;
	uint32_t mask = t->nr_buckets - 1;
	struct overflow_ref o;

	if (bucket_holds(&t->buckets[first_bucket(tag, mask)], tag, ref->site, ref->tick) ||
	    bucket_holds(&t->buckets[second_bucket(tag, mask)], tag, ref->site, ref->tick))
		return true;
	return !bpf_map_lookup_elem(bpf_map__fd(t->skel->maps.overflow), &tag, &o) && o.site == ref->site &&
	       o.tick == ref->tick;
}

static bool is_of(const struct bucket *b, int i, const struct snapshot_ref *ref)
{
	return *(volatile const uint32_t *)&b->site[i] == ref->site &&
	       *(volatile const uint32_t *)&b->tick[i] == ref->tick;
}

/* The place is free, and tells of whom it was until it is taken, as if a probe had freed it. */
static bool bucket_bury(struct bucket *b, uint64_t tag, const struct snapshot_ref *ref)
{
	for (int i = 0; i < JT_BUCKET_WAYS; i++) {
		uint64_t found = tag;

		/* claimed first: meanwhile the handle may have come again, to this place */
		if (*(volatile uint64_t *)&b->tag[i] != tag || !is_of(b, i, ref) ||
		    !__atomic_compare_exchange_n(&b->tag[i], &found, TAG_BUSY, false, __ATOMIC_SEQ_CST,
						 __ATOMIC_SEQ_CST))
			continue;
		if (is_of(b, i, ref)) {
			__atomic_store_n(&b->tag[i], tag | TAG_DEAD, __ATOMIC_RELEASE);
			return true;
		}
		__atomic_store_n(&b->tag[i], tag, __ATOMIC_RELEASE);
	}
	return false;
}

void tracer_bury(struct tracer *t, const struct snapshot_ref *ref, enum jni_func_id func)
{
	uint64_t tag = (uint64_t)ref->handle | (uint64_t)(ref->slot + 1) << HANDLE_BITS;
	uint32_t mask = t->nr_buckets - 1;

	if (func_is_use(func) || ref->site >= t->max_sites)
		return;
	if (!bucket_bury(&t->buckets[first_bucket(tag, mask)], tag, ref)) {
		if (!bucket_bury(&t->buckets[second_bucket(tag, mask)], tag, ref))
			return;
		__atomic_fetch_sub(&t->skel->bss->second_refs, 1, __ATOMIC_SEQ_CST);
	}
	t->buried[ref->site]++;
	t->slots[ref->slot].buried[func]++;
}

int tracer_tick(struct tracer *t, uint32_t *tick)
{
	struct hello h;
	int rc = tracer_hello(t, &h);

	*tick = h.jiffies >> JT_TICK_SHIFT;
	return rc;
}

/* Programs skipped by the kernel because one was running on the same CPU already. */
static uint64_t recursion_misses(const struct tracer *t)
{
	struct bpf_program *p;
	uint64_t sum = 0;

	bpf_object__for_each_program (p, t->skel->obj) {
		struct bpf_prog_info info = {0};
		__u32 n = sizeof(info);

		if (!bpf_obj_get_info_by_fd(bpf_program__fd(p), &info, &n))
			sum += info.recursion_misses;
	}
	return sum;
}

static uint32_t use_key(uint32_t slot, uint32_t func)
{
	return slot * NR_USE_FUNCS + func - NR_FUNCS;
}

static int read_use(struct tracer *t, uint32_t slot, uint32_t func, uint64_t *calls)
{
	uint64_t *by_cpu = calloc(t->features.nr_cpus, sizeof(*by_cpu));
	uint32_t key = use_key(slot, func);
	int rc = by_cpu ? bpf_map_lookup_elem(bpf_map__fd(t->skel->maps.use_counts), &key, by_cpu) : -ENOMEM;

	for (int cpu = 0; !rc && cpu < t->features.nr_cpus; cpu++)
		*calls += by_cpu[cpu];
	free(by_cpu);
	return rc;
}

int tracer_counts(struct tracer *t, int slot, struct target_counts *out, struct error *err)
{
	size_t per_cpu = t->features.nr_cpus;
	struct func_counts *fc = calloc(per_cpu, sizeof(*fc));
	uint64_t *drops = calloc(per_cpu, sizeof(*drops));
	int rc = fc && drops ? 0 : -ENOMEM;

	memset(out, 0, sizeof(*out));
	memcpy(out->probed, t->slots[slot].probed, sizeof(out->probed));
	for (uint32_t f = 1; !rc && f < t->catalog->nr_funcs; f++) {
		uint32_t key = slot * t->catalog->nr_funcs + f;

		if (!out->probed[f])
			continue;
		rc = bpf_map_lookup_elem(bpf_map__fd(t->skel->maps.func_counts), &key, fc);
		for (size_t cpu = 0; !rc && cpu < per_cpu; cpu++) {
			out->funcs[f].calls += fc[cpu].calls;
			out->funcs[f].nulls += fc[cpu].nulls;
			out->funcs[f].unpaired += fc[cpu].unpaired;
			out->funcs[f].replaced += fc[cpu].replaced; /* or kept */
		}
		out->funcs[f].replaced += t->slots[slot].buried[f];
	}
	for (uint32_t f = NR_FUNCS; !rc && f < NR_ALL_FUNCS; f++)
		if (out->probed[f])
			rc = read_use(t, (uint32_t)slot, f, &out->funcs[f].calls);
	for (uint32_t d = 0; !rc && d < NR_DROPS; d++) {
		uint32_t key = slot * NR_DROPS + d;

		rc = bpf_map_lookup_elem(bpf_map__fd(t->skel->maps.drops), &key, drops);
		for (size_t cpu = 0; !rc && cpu < per_cpu; cpu++)
			out->drops[d] += drops[cpu];
	}
	free(fc);
	free(drops);
	if (rc)
		return error_set(err, rc, EXIT_FAILED, "read the counters", NULL, "%s", strerror(-rc));
	out->drops[DROP_PROG_MISSED] += recursion_misses(t);
	out->drops[DROP_SITES_MISSING] += t->slots[slot].sites_missing;
	return 0;
}

static void zero_array_element(struct bpf_map *map, uint32_t key, size_t n)
{
	void *zero = calloc(1, n);

	if (zero)
		bpf_map_update_elem(bpf_map__fd(map), &key, zero, BPF_ANY);
	free(zero);
}

static void forget_thread(struct tracer *t, uint32_t site)
{
	struct site_thread thread;

	if (bpf_map_lookup_elem(bpf_map__fd(t->skel->maps.site_threads), &site, &thread))
		return;
	bpf_map_delete_elem(bpf_map__fd(t->skel->maps.thread_sites), &thread.key);
	zero_array_element(t->skel->maps.site_threads, site, sizeof(thread));
}

static void forget_sites(struct tracer *t, int slot)
{
	uint32_t n = sites_in_use(t);
	size_t counts_bytes = sizeof(struct site_counts) * t->features.nr_cpus;

	for (uint32_t i = 1; i < n; i++) {
		struct site site;
		uint64_t key;

		if (bpf_map_lookup_elem(bpf_map__fd(t->skel->maps.sites), &i, &site) || !site.stack_id ||
		    site.slot != slot)
			continue;
		if (site.suspect)
			__atomic_fetch_sub(&t->skel->bss->suspects, 1, __ATOMIC_SEQ_CST);
		key = site_key(site.stack_id, site.func);
		bpf_map_delete_elem(bpf_map__fd(t->skel->maps.site_ids), &key);
		bpf_map_delete_elem(bpf_map__fd(t->skel->maps.stacks), &site.stack_id);
		bpf_map_delete_elem(bpf_map__fd(t->skel->maps.pin_stats), &i);
		if (t->by_thread)
			forget_thread(t, i);
		zero_array_element(t->skel->maps.sites, i, sizeof(site));
		zero_array_element(t->skel->maps.site_counts, i, counts_bytes);
		free(t->stacks[i]);
		t->stacks[i] = NULL;
		t->buried[i] = 0;
		bpf_map_update_elem(bpf_map__fd(t->skel->maps.free_sites), NULL, &i, BPF_ANY);
	}
}

/* Delete a dead slot's references from the overflow map. Each key is deleted after its successor is known. */
static void forget_overflow(struct tracer *t, int slot)
{
	int fd = bpf_map__fd(t->skel->maps.overflow);
	uint64_t key, next;
	uint64_t left = 2ULL * bpf_map__max_entries(t->skel->maps.overflow);
	bool more = !bpf_map_get_next_key(fd, NULL, &key);

	/* Bounded: a walk starts anew when others delete the key it stands on. */
	while (more && left--) {
		more = !bpf_map_get_next_key(fd, &key, &next);
		if (key >> HANDLE_BITS == (uint64_t)slot + 1 && !bpf_map_delete_elem(fd, &key))
			__atomic_fetch_sub(&t->skel->bss->overflow_refs, 1, __ATOMIC_SEQ_CST);
		key = next;
	}
}

static void forget_findings(struct tracer *t, int slot)
{
	int fd = bpf_map__fd(t->skel->maps.findings);
	struct finding_key key, next;
	uint32_t left = 2 * bpf_map__max_entries(t->skel->maps.findings);
	bool more = !bpf_map_get_next_key(fd, NULL, &key);

	while (more && left--) {
		more = !bpf_map_get_next_key(fd, &key, &next);
		if (key.slot == slot)
			bpf_map_delete_elem(fd, &key);
		key = next;
	}
}

static void forget_refs(struct tracer *t, int slot)
{
	/*
	 * Nobody else touches the tags of a slot without probes. Those in a second bucket stay
	 * counted in second_refs, which then only costs the others a look.
	 */
	for (uint32_t b = 0; b < t->nr_buckets; b++)
		for (int i = 0; i < JT_BUCKET_WAYS; i++)
			if ((t->buckets[b].tag[i] & ~(TAG_DEAD | TAG_TOLD)) >> HANDLE_BITS ==
			    (uint64_t)slot + 1)
				*(volatile uint64_t *)&t->buckets[b].tag[i] = 0;
	forget_overflow(t, slot);
	forget_pins(t, slot);
	forget_threads(t, slot);
}

void tracer_forget(struct tracer *t, int slot)
{
	struct slot *s = &t->slots[slot];
	struct rule none = {0};

	for (size_t i = 0; i < s->nr_sites; i++) {
		bpf_map_update_elem(bpf_map__fd(t->skel->maps.rules), &s->rules[i], &none, BPF_ANY);
		t->rule_used[s->rules[i]] = false;
	}
	forget_sites(t, slot);
	forget_refs(t, slot);
	forget_findings(t, slot);
	for (uint32_t f = 1; f < t->catalog->nr_funcs; f++)
		zero_array_element(t->skel->maps.func_counts, slot * t->catalog->nr_funcs + f,
				   sizeof(struct func_counts) * t->features.nr_cpus);
	for (uint32_t f = NR_FUNCS; f < NR_ALL_FUNCS; f++)
		if (s->probed[f])
			zero_array_element(t->skel->maps.use_counts, use_key(slot, f),
					   sizeof(uint64_t) * t->features.nr_cpus);
	for (uint32_t d = 0; d < NR_DROPS; d++)
		zero_array_element(t->skel->maps.drops, slot * NR_DROPS + d,
				   sizeof(uint64_t) * t->features.nr_cpus);
	zero_array_element(t->skel->maps.java_configs, slot, sizeof(struct java_config));
	unwinder_forget(t->unwinder, (uint32_t)slot);
	free(s->rules);
	memset(s, 0, sizeof(*s));
}
