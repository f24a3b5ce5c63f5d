/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A target's number, its sites and its references become free again. What cannot be made clean is not given
 * to another, whose numbers would begin with these.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/border/threads.h"
#include "kernel/forget.h"
#include "kernel/store.h"

/* Of any hash map that holds what is of targets. */
union key {
	uint64_t tag;
	struct pin_key pin;
	struct pair_more_key more;
	struct finding_key finding;
	struct before_key before;
	struct books_key books;
	struct monitor_key monitor;
	struct life_key life;
	uint32_t site;
	struct stalled_key stalled;
	struct finalizer_key finalizer;
};
union value {
	struct overflow_ref ref;
	struct pin pin;
	struct pair_more pair_more;
	struct finding finding;
	struct finding_detail detail;
	struct env_owner owner;
	struct critical critical;
	struct stall stall;
	struct stalled stalled;
	struct thread_books books;
	struct thread_call call;
	struct push push;
	struct held_monitor monitor;
	struct life_end life;
	struct churn churn;
	struct watch_work work;
	struct watch_loans loans;
	struct watch_owner watch_owner;
	struct finalizer finalizer;
};
/* Of what bpf_map_delete_elem() says. */
static bool is_gone(int rc)
{
	return !rc || rc == -ENOENT;
}

typedef bool (*is_of_fn)(const union key *key, const union value *value, const struct whose *w);

/*
 * Delete a target's elements; returns how many there were. Each key is deleted after its successor is known.
 * Bounded: a walk starts anew when others delete the key that it stands on. *clean becomes false when some
 * may be left.
 */
static uint32_t forget_by(struct bpf_map *map, is_of_fn is_of, const struct whose *w, bool *clean)
{
	uint64_t left = 2ULL * bpf_map__max_entries(map);
	int fd = bpf_map__fd(map);
	union key key, next;
	int more = bpf_map_get_next_key(fd, NULL, &key);
	uint32_t gone = 0;

	for (; !more && left; left--) {
		union value value;
		int rc;

		more = bpf_map_get_next_key(fd, &key, &next);
		rc = bpf_map_lookup_elem(fd, &key, &value);
		if (!rc && is_of(&key, &value, w)) {
			rc = bpf_map_delete_elem(fd, &key);
			gone += !rc;
		}
		*clean &= is_gone(rc); /* others may have deleted it */
		key = next;
	}
	*clean &= more == -ENOENT; /* that was the last */
	return gone;
}

static uint32_t forget_elements(struct bpf_map *map, is_of_fn is_of, int target_id, bool *clean)
{
	const struct whose all = {.target_id = (uint32_t)target_id};

	return forget_by(map, is_of, &all, clean);
}

static bool is_more_of(const union key *key, const union value *value, const struct whose *w)
{
	(void)value;
	return ref_target_id(key->more.tag) == w->target_id;
}

static bool is_finalizer_of(const union key *key, const union value *value, const struct whose *w)
{
	(void)value;
	return key->finalizer.target_id == w->target_id;
}

static bool is_ref_of(const union key *key, const union value *value, const struct whose *w)
{
	(void)value;
	return ref_target_id(key->tag) == w->target_id;
}

static bool is_pin_of(const union key *key, const union value *value, const struct whose *w)
{
	(void)value;
	return ref_target_id(key->pin.tag) == w->target_id;
}

static bool is_finding_of(const union key *key, const union value *value, const struct whose *w)
{
	(void)value;
	return key->finding.target_id == w->target_id;
}

static bool is_before_of(const union key *key, const union value *value, const struct whose *w)
{
	(void)value;
	return key->before.target_id == w->target_id;
}

static bool is_thread_of(const union key *key, const union value *value, const struct whose *w)
{
	(void)value;
	return key->books.target_id == w->target_id;
}

static bool is_monitor_of(const union key *key, const union value *value, const struct whose *w)
{
	(void)value;
	return key->monitor.target_id == w->target_id;
}

static bool is_life_of(const union key *key, const union value *value, const struct whose *w)
{
	(void)value;
	return key->life.target_id == w->target_id;
}

static bool is_churn_of(const union key *key, const union value *value, const struct whose *w)
{
	(void)key;
	return value->churn.target_id == w->target_id;
}

static bool is_critical_of(const union key *key, const union value *value, const struct whose *w)
{
	(void)key;
	return value->critical.target_id == w->target_id;
}

static bool is_stall_of(const union key *key, const union value *value, const struct whose *w)
{
	(void)key;
	return value->stall.target_id == w->target_id;
}

static bool is_stalled_of(const union key *key, const union value *value, const struct whose *w)
{
	(void)key;
	return value->stalled.target_id == w->target_id;
}

/* false: it is not zero. */
static bool zero_array_element(struct bpf_map *map, uint32_t key, size_t n)
{
	void *zero = calloc(1, n);
	bool done = zero && !bpf_map_update_elem(bpf_map__fd(map), &key, zero, BPF_ANY);

	free(zero);
	return done;
}

/* false: it is as it was, in part. */
static bool forget_thread(struct tracer *t, uint32_t site)
{
	struct site_thread thread;

	if (bpf_map_lookup_elem(bpf_map__fd(t->skel->maps.site_threads), &site, &thread))
		return false;
	bpf_map_delete_elem(bpf_map__fd(t->skel->maps.thread_sites), &thread.key);
	return zero_array_element(t->skel->maps.site_threads, site, sizeof(thread));
}

/* Its parts of other levels are sites of their own. false: some are left. */
static bool forget_levels(struct tracer *t, uint32_t site)
{
	int fd = bpf_map__fd(t->skel->maps.level_sites);
	bool clean = true;

	for (uint32_t level = 1; level < JT_SAMPLE_LEVELS; level++) {
		const struct level_key key = {.site = site, .level = level};

		clean &= is_gone(bpf_map_delete_elem(fd, &key));
	}
	return clean;
}

/* A site's number is free again only when nothing is left of what was counted for it. */
static void forget_sites(struct tracer *t, int target_id, bool *clean)
{
	uint32_t n = sites_in_use(t);

	for (uint32_t i = 1; i < n; i++) {
		struct site site;
		uint64_t key;
		bool free_again;

		if (bpf_map_lookup_elem(bpf_map__fd(t->skel->maps.sites), &i, &site)) {
			*clean = false;
			continue;
		}
		if (!site.stack_id || site.target_id != target_id)
			continue;
		if (site.suspect)
			__atomic_fetch_sub(&t->skel->bss->suspects, 1, __ATOMIC_SEQ_CST);
		key = site_key(site.stack_id, site.func);
		free_again = is_gone(bpf_map_delete_elem(bpf_map__fd(t->skel->maps.site_ids), &key));
		bpf_map_delete_elem(bpf_map__fd(t->skel->maps.stacks), &site.stack_id);
		free_again &= is_gone(bpf_map_delete_elem(bpf_map__fd(t->skel->maps.pin_stats), &i));
		if (t->by_thread)
			free_again &= forget_thread(t, i);
		if (t->skel->bss->sample_begun[target_id] && !site.level)
			free_again &= forget_levels(t, i);
		for (int cpu = 0; cpu < t->features.cpu_ids; cpu++)
			*site_counts_of(t, i, cpu) = (struct site_counts){0};
		/* last: what keeps its target is none that the next one has */
		free_again = free_again && zero_array_element(t->skel->maps.sites, i, sizeof(site));
		*clean &= free_again;
		if (!free_again)
			continue;
		free(t->stacks[i]);
		t->stacks[i] = NULL;
		t->buried[i] = 0;
		t->given_back[i] = 0;
		t->let_go[i] = 0;
		bpf_map_update_elem(bpf_map__fd(t->skel->maps.free_sites), NULL, &i, BPF_ANY);
	}
}

static void forget_refs(struct tracer *t, int target_id, bool *clean)
{
	store_forget(t, target_id);
	__atomic_fetch_sub(&t->skel->bss->overflow_refs,
			   forget_elements(t->skel->maps.overflow, is_ref_of, target_id, clean),
			   __ATOMIC_SEQ_CST);
	forget_elements(t->skel->maps.pair_mores, is_more_of, target_id, clean);
	forget_elements(t->skel->maps.finalizers, is_finalizer_of, target_id, clean);
	forget_elements(t->skel->maps.watch_works, is_ref_of, target_id, clean);
	forget_elements(t->skel->maps.watch_loans, is_ref_of, target_id, clean);
	forget_elements(t->skel->maps.watch_owned, is_ref_of, target_id, clean);
	forget_elements(t->skel->maps.watch_owners, is_ref_of, target_id, clean);
}

/* Sections that are open, and who waits for them. Threads may have been killed in them. */
static void forget_sections(struct tracer *t, const struct whose *w, bool *clean)
{
	forget_by(t->skel->maps.before_native, is_before_of, w, clean);
	__atomic_fetch_sub(&t->skel->bss->criticals_open,
			   forget_by(t->skel->maps.criticals, is_critical_of, w, clean), __ATOMIC_RELAXED);
	__atomic_fetch_sub(&t->skel->bss->stalls_open, forget_by(t->skel->maps.stalls, is_stall_of, w, clean),
			   __ATOMIC_RELAXED);
}

static void forget_pins(struct tracer *t, int target_id, bool *clean)
{
	const struct whose all = {.target_id = (uint32_t)target_id};

	forget_sections(t, &all, clean);
	forget_elements(t->skel->maps.pins, is_pin_of, target_id, clean);
	forget_elements(t->skel->maps.stalled, is_stalled_of, target_id, clean);
}

static void forget_threads(struct tracer *t, int target_id, bool *clean)
{
	forget_elements(t->skel->maps.threads, is_thread_of, target_id, clean);
	forget_elements(t->skel->maps.held_monitors, is_monitor_of, target_id, clean);
	forget_elements(t->skel->maps.life_ends, is_life_of, target_id, clean);
	forget_elements(t->skel->maps.churns, is_churn_of, target_id, clean);
	snapshot_forget_ends(t, target_id);
}

void tracer_forget(struct tracer *t, int target_id)
{
	struct traced *s = &t->traced[target_id];
	struct rule none = {0};
	bool clean = !s->attached; /* else its probes stay: tracer_detach() had no memory */

	for (size_t i = 0; i < s->nr_sites; i++)
		t->rule_used[s->rules[i]] =
		    s->attached ||
		    bpf_map_update_elem(bpf_map__fd(t->skel->maps.rules), &s->rules[i], &none, BPF_ANY) != 0;
	forget_sites(t, target_id, &clean);
	forget_refs(t, target_id, &clean);
	forget_pins(t, target_id, &clean);
	forget_elements(t->skel->maps.pushes, is_ref_of, target_id, &clean);
	forget_threads(t, target_id, &clean);
	forget_elements(t->skel->maps.findings, is_finding_of, target_id, &clean);
	forget_elements(t->skel->maps.finding_details, is_finding_of, target_id, &clean);
	forget_elements(t->skel->maps.env_owners, is_ref_of, target_id, &clean);
	forget_elements(t->skel->maps.method_kinds, is_ref_of, target_id, &clean);
	for (uint32_t f = 1; f < t->catalog->nr_funcs; f++)
		clean &= zero_array_element(t->skel->maps.func_counts, target_id * t->catalog->nr_funcs + f,
					    sizeof(struct func_counts) * t->features.nr_cpus);
	for (uint32_t f = NR_FUNCS; f < NR_ALL_FUNCS; f++)
		if (s->probed[f])
			clean &= zero_array_element(t->skel->maps.use_counts, use_key(target_id, f),
						    sizeof(uint64_t) * t->features.nr_cpus);
	for (uint32_t d = 0; d < NR_DROPS; d++)
		clean &= zero_array_element(t->skel->maps.drops, target_id * NR_DROPS + d,
					    sizeof(uint64_t) * t->features.nr_cpus);
	clean &= zero_array_element(t->skel->maps.java_configs, target_id, sizeof(struct java_config));
	clean &= zero_array_element(t->skel->maps.script_configs, target_id, sizeof(struct script_config));
	clean &= zero_array_element(t->skel->maps.object_configs, target_id, sizeof(struct object_config));
	clean &= zero_array_element(t->skel->maps.thread_configs, target_id, sizeof(struct thread_config));
	unwinder_forget(t->unwinder, (uint32_t)target_id);
	__atomic_store_n(&t->skel->bss->sample_level[target_id], 0, __ATOMIC_RELAXED);
	__atomic_store_n(&t->skel->bss->sample_begun[target_id], 0, __ATOMIC_RELAXED);
	__atomic_store_n(&t->skel->bss->signal_stack[target_id], 0, __ATOMIC_RELAXED);
	free(s->rules);
	free(s->opened.v);
	free(s->asked.v);
	memset(s, 0, sizeof(*s));
	s->used = !clean;
}

/* --- of some families ------------------------------------------------------------------------------ */

static bool is_ref_of_families(const union key *key, const union value *value, const struct whose *w)
{
	bool is = ref_target_id(key->tag) == w->target_id && whose_site(w, value->ref.site);

	if (is)
		w->held[value->ref.site]++;
	return is;
}

static bool is_pin_of_families(const union key *key, const union value *value, const struct whose *w)
{
	bool is = ref_target_id(key->pin.tag) == w->target_id && w->families >> value->pin.family & 1;

	if (is && value->pin.site < w->nr_sites)
		w->held[value->pin.site]++;
	return is;
}

/* A handle that was given again is held as often. */
static bool is_more_of_families(const union key *key, const union value *value, const struct whose *w)
{
	bool is = ref_target_id(key->more.tag) == w->target_id && whose_site(w, key->more.site);

	if (is)
		w->held[key->more.site] += value->pair_more.acquired;
	return is;
}

static bool is_monitor_of_families(const union key *key, const union value *value, const struct whose *w)
{
	bool is = key->monitor.target_id == w->target_id && whose_site(w, value->monitor.site);

	if (is)
		w->held[value->monitor.site]++;
	return is;
}

/* Of the family of threads. */
static bool is_attached_of(const union key *key, const union value *value, const struct whose *w)
{
	bool is = key->books.target_id == w->target_id;

	if (is && value->books.attached && value->books.site < w->nr_sites)
		w->held[value->books.site]++;
	return is;
}

static bool is_call_of_families(const union key *key, const union value *value, const struct whose *w)
{
	enum family_id family = value->call.start_ns ? FAMILY_THREAD : FAMILY_MONITOR;

	return ref_target_id(key->tag) == w->target_id && w->families >> family & 1;
}

/* What was released may be got again, and released, unseen: of no pointer it is known any more. */
static void forget_graves(struct tracer *t, bool *clean)
{
	for (uint32_t i = 0; i < JT_PIN_GRAVES; i++)
		*clean &= zero_array_element(t->skel->maps.pin_graves, i, sizeof(struct pin_grave));
}

int forget_families(struct tracer *t, const struct whose *w)
{
	uint32_t pins = w->families & catalog_families(t->catalog, KINDS_OF_PINS);
	bool clean = true;

	__atomic_fetch_sub(&t->skel->bss->overflow_refs,
			   forget_by(t->skel->maps.overflow, is_ref_of_families, w, &clean),
			   __ATOMIC_SEQ_CST);
	if (pins) {
		forget_by(t->skel->maps.pins, is_pin_of_families, w, &clean);
		forget_graves(t, &clean);
	}
	if (w->families >> FAMILY_CRITICAL & 1)
		forget_sections(t, w, &clean);
	if (w->families & catalog_families(t->catalog, KIND_BIT(KIND_LOCAL)))
		forget_by(t->skel->maps.pushes, is_ref_of, w, &clean);
	if (w->families & catalog_families(t->catalog, KIND_BIT(KIND_PAIR)))
		forget_by(t->skel->maps.pair_mores, is_more_of_families, w, &clean);
	if (w->families & catalog_families(t->catalog, KINDS_OF_BOOKS))
		forget_by(t->skel->maps.thread_calls, is_call_of_families, w, &clean);
	if (w->families >> FAMILY_MONITOR & 1)
		forget_by(t->skel->maps.held_monitors, is_monitor_of_families, w, &clean);
	if (w->families >> FAMILY_THREAD & 1)
		forget_by(t->skel->maps.threads, is_attached_of, w, &clean);
	return clean ? 0 : -EIO;
}
