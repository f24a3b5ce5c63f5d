/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Load the programs and make the maps; free all of it. */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bpf/border/threads.h"
#include "bpf/border/unwind.h"
#include "kernel/configs.h"
#include "kernel/programs.h"
#include "kernel/store.h"

/* Blocks of local references and stretches of stack whose thread is remembered, with --check. */
#define MAX_OWNERS   (1 << 16)
#define MAX_THROWERS (1 << 12)
#define MAX_METHODS  16384 /* whose signatures are kept */

/* Stack walks that may be preempted by others on their CPU at one moment; with few_walks. */
#define SCRATCH_SHARED 256
#define SCRATCH_FEW    64

/* Stacks that the memo keeps, a power of two; with few_walks; and for each so many places where stacks begin.
 */
#define MEMO_ENTRIES     (1 << 12)
#define MEMO_FEW_ENTRIES (1 << 10)
#define MEMO_PLACES      16

#define PIECE_BYTES 1000 /* of a message that are told at once */

/* All of it: one message has the verifier's log, which may be megabytes long. */
static int libbpf_print(enum libbpf_print_level level, const char *fmt, va_list args)
{
	char *text;

	if (level != LIBBPF_WARN || vasprintf(&text, fmt, args) < 0)
		return 0;
	for (const char *at = text; *at; at += *at == '\n') {
		size_t line = strcspn(at, "\n"), n = line < PIECE_BYTES ? line : PIECE_BYTES;

		warn("%.*s", (int)n, at);
		at += n;
	}
	free(text);
	return 0;
}

static int libbpf_quiet(enum libbpf_print_level level, const char *fmt, va_list args)
{
	(void)level, (void)fmt, (void)args;
	return 0;
}

/* Of max_refs, what may find no room in its two buckets: far more than ever does (set_sizes()). */
#define OVERFLOW_PART 16

static uint32_t round_up_pow2(uint64_t n)
{
	uint32_t p = 1;

	while (p < n && p < 1U << 30)
		p <<= 1;
	return p;
}

/* Room for what the books of threads keep, if there are any. */
static int set_thread_sizes(struct jnitrace_bpf *s, const struct tracer_opts *o)
{
	bool traced = programs_trace(o, KINDS_OF_BOOKS);
	uint32_t held = o->at_once >> FAMILY_MONITOR & 1 ? JT_MAX_HELD : JT_FEW_HELD;
	int rc = bpf_map__set_max_entries(s->maps.held_monitors, traced ? held : 1);

	rc = rc ?: bpf_map__set_max_entries(s->maps.life_ends, traced ? JT_MAX_THREADS : 1);
	return rc ?: bpf_map__set_max_entries(s->maps.churns, traced ? JT_MAX_CHURNS : 1);
}

/* Likewise what is kept of pinned contents, of local references, and of functions that are arguments. */
static int set_book_sizes(struct tracer *t, const struct tracer_opts *o)
{
	const struct jnitrace_bpf *s = t->skel;
	const struct {
		struct bpf_map *map;
		unsigned kinds; /* without which it is empty */
	} rows[] = {
	    {s->maps.pins, KINDS_OF_PINS},
	    {s->maps.pin_calls, KINDS_OF_PINS},
	    {s->maps.pin_stats, KINDS_OF_PINS},
	    {s->maps.pin_graves, KINDS_OF_PINS},
	    {s->maps.before_native, KINDS_OF_PINS},
	    {s->maps.criticals, KIND_BIT(KIND_CRITICAL)},
	    {s->maps.stalls, KIND_BIT(KIND_CRITICAL)},
	    {s->maps.stalled, KIND_BIT(KIND_CRITICAL)},
	    {s->maps.threads, KINDS_OF_BOOKS},
	    {s->maps.thread_calls, KINDS_OF_BOOKS},
	    {s->maps.finalizers, KIND_BIT(KIND_PAIR)},
	    {s->maps.frames, KIND_BIT(KIND_LOCAL)},
	    {s->maps.frame_sites, KIND_BIT(KIND_LOCAL)},
	    {s->maps.pushes, KIND_BIT(KIND_LOCAL)},
	};
	int rc = bpf_map__set_max_entries(s->maps.pin_stats, t->max_sites);

	for (size_t i = 0; i < ARRAY_LEN(rows) && !rc; i++)
		if (!programs_trace(o, rows[i].kinds))
			rc = bpf_map__set_max_entries(rows[i].map, 1);
	return rc;
}

/* Likewise what the books of pairs keep. */
static int set_pair_sizes(struct tracer *t, const struct tracer_opts *o)
{
	bool traced = programs_trace(o, KIND_BIT(KIND_PAIR));
	struct jnitrace_bpf *s = t->skel;
	int rc = bpf_map__set_max_entries(s->maps.pair_threads, traced ? JT_PAIR_THREADS : 1);

	s->rodata->holds = o->hold;
	s->rodata->pairs_traced =
	    traced ? o->families & catalog_families(o->catalog, KIND_BIT(KIND_PAIR)) : 0;
	s->rodata->sample_n = o->one_in > 1 ? (uint32_t)o->one_in : 1;
	s->rodata->sampled_families = o->sampled & s->rodata->pairs_traced;
	if (!s->rodata->sampled_families)
		rc = rc ?: bpf_map__set_max_entries(s->maps.level_sites, 1);
	else
		rc = rc ?: bpf_map__set_max_entries(s->maps.level_sites, t->max_sites);
	rc = rc ?: bpf_map__set_max_entries(s->maps.watch_threads, traced ? JT_PAIR_THREADS : 1);
	rc = rc ?: bpf_map__set_max_entries(s->maps.watch_works, traced ? JT_WATCHED : 1);
	rc = rc ?: bpf_map__set_max_entries(s->maps.watch_loans, traced ? JT_WATCHED : 1);
	rc = rc ?: bpf_map__set_max_entries(s->maps.watch_owned, traced ? JT_WATCHED : 1);
	rc = rc ?: bpf_map__set_max_entries(s->maps.watch_owners, traced ? JT_OWNERS : 1);
	return rc ?: bpf_map__set_max_entries(s->maps.pair_mores, traced ? o->max_refs : 1);
}

#define RANGES_OF_A_TARGET (8 * JT_UNWIND_RANGES_MAX) /* those of before rest for a second */
#define RULES_OF_A_TARGET                                                                                    \
	2048 /* of a runtime's own functions; those of pairs have more, and are added to                     \
	      */

/* What there is of each target. */
static int set_target_sizes(struct tracer *t, const struct tracer_opts *o)
{
	const struct jnitrace_bpf *s = t->skel;
	uint32_t n = o->max_targets && o->max_targets < JT_MAX_TARGETS ? o->max_targets : JT_MAX_TARGETS;
	const struct {
		struct bpf_map *map;
		uint32_t each, most; /* of one, of all; most 0: no matter */
	} rows[] = {
	    {s->maps.targets, 1, 0},
	    {s->maps.target_ids, 1, 0},
	    {s->maps.func_counts, o->catalog->nr_funcs, 0},
	    {s->maps.use_counts, NR_USE_FUNCS, o->check ? 0 : 1},
	    {s->maps.drops, NR_DROPS, 0},
	    {s->maps.opened, JT_OPENED, 0},
	    {s->maps.java_configs, 1, 0},
	    {s->maps.script_configs, 1, 0},
	    {s->maps.thread_configs, 1, 0},
	    {s->maps.object_configs, 1, 0},
	    {s->maps.array_klasses, JT_ARRAY_KLASSES, 0},
	    {s->maps.unwind_spaces, 1, 0},
	    {s->maps.unwind_ranges, RANGES_OF_A_TARGET, JT_UNWIND_RANGES},
	    {s->maps.rules,
	     o->check || programs_trace(o, KIND_BIT(KIND_PAIR)) ? JT_MAX_RULES : RULES_OF_A_TARGET,
	     JT_MAX_RULES},
	};
	int rc = 0;

	for (size_t i = 0; i < ARRAY_LEN(rows) && !rc; i++) {
		uint32_t all = n * rows[i].each;

		rc = bpf_map__set_max_entries(rows[i].map,
					      rows[i].most && all > rows[i].most ? rows[i].most : all);
	}
	t->max_targets = n;
	t->max_rules = bpf_map__max_entries(s->maps.rules);
	return rc;
}

/* Of stack walks: under way at one moment, and remembered. A memo that forgets costs walks, nothing else. */
static int set_walk_sizes(struct tracer *t, const struct tracer_opts *o)
{
	struct jnitrace_bpf *s = t->skel;
	uint32_t entries = o->few_walks ? MEMO_FEW_ENTRIES : MEMO_ENTRIES;
	uint32_t places = entries * MEMO_PLACES;
	int rc;

	s->rodata->cpu_ids = t->features.cpu_ids;
	s->rodata->scratch_shared = o->few_walks ? SCRATCH_FEW : SCRATCH_SHARED;
	s->rodata->memo_entry_mask = entries - 1;
	s->rodata->memo_place_mask = places - 1;
	rc = bpf_map__set_max_entries(s->maps.scratch, s->rodata->cpu_ids + s->rodata->scratch_shared);
	rc = rc ?: bpf_map__set_max_entries(s->maps.memo_entries, entries);
	rc = rc ?: bpf_map__set_max_entries(s->maps.memo_roots, places);
	return rc ?: bpf_map__set_max_entries(s->maps.memo_hints, places);
}

static int set_sizes(struct tracer *t, const struct tracer_opts *o)
{
	struct jnitrace_bpf *s = t->skel;
	int rc = set_target_sizes(t, o);

	/* Half full at the wanted number: one reference in a thousand then needs its second bucket. */
	t->nr_buckets = round_up_pow2((o->max_refs * 2 + JT_BUCKET_WAYS - 1) / JT_BUCKET_WAYS);
	/* Beside the sites with stacks, one without for each function that acquires. */
	t->max_sites = o->max_stacks + 1 + JT_MAX_TARGETS * 4;
	s->rodata->bucket_mask = t->nr_buckets - 1;
	while (t->nr_buckets >> s->rodata->part_shift > JT_STORE_PARTS)
		s->rodata->part_shift++;
	s->rodata->nr_funcs = o->catalog->nr_funcs;
	s->rodata->max_stacks = o->max_stacks;
	s->rodata->max_sites = t->max_sites - 1;
	s->rodata->max_depth = o->depth;
	s->rodata->by_frame = programs_trace(o, KIND_BIT(KIND_LOCAL));
	s->rodata->local_capacity = o->local_capacity;
	s->rodata->count_only = o->count_only;
	t->by_thread = s->bss->by_thread = o->by_thread;
	t->may_tell_threads = s->rodata->may_tell_threads = o->may_tell_threads || o->by_thread;
	s->rodata->checking = o->check;
	s->rodata->criticals_traced = programs_trace(o, KIND_BIT(KIND_CRITICAL));
	s->rodata->memo_mode = o->memo;
	s->rodata->by_fragments = s->rodata->indirect_refs = o->fragments;
	rc = rc ?: set_walk_sizes(t, o);
	rc = rc ?: bpf_map__set_max_entries(s->maps.buckets, t->nr_buckets);
	rc = rc ?: bpf_map__set_max_entries(s->maps.overflow, o->max_refs / OVERFLOW_PART + 1);
	rc = rc ?: bpf_map__set_max_entries(s->maps.stacks, o->max_stacks);
	rc = rc ?: bpf_map__set_max_entries(s->maps.site_ids, t->max_sites);
	rc = rc ?: bpf_map__set_max_entries(s->maps.sites, t->max_sites);
	rc = rc ?: (uint64_t)t->max_sites * t->features.cpu_ids > UINT32_MAX ? -EOVERFLOW : 0;
	rc = rc ?: bpf_map__set_max_entries(s->maps.site_counts, t->max_sites * t->features.cpu_ids);
	rc = rc ?: bpf_map__set_max_entries(s->maps.thread_sites, t->may_tell_threads ? t->max_sites : 1);
	rc = rc ?: bpf_map__set_max_entries(s->maps.site_threads, t->may_tell_threads ? t->max_sites : 1);
	rc = rc ?: bpf_map__set_max_entries(s->maps.site_places, s->rodata->by_frame ? t->max_sites : 1);
	rc = rc ?: bpf_map__set_max_entries(s->maps.free_sites, t->max_sites);
	rc = rc ?: set_book_sizes(t, o);
	rc = rc ?: bpf_map__set_max_entries(s->maps.owners, o->check ? MAX_OWNERS : 1);
	rc = rc ?: bpf_map__set_max_entries(s->maps.env_owners, o->check ? JT_MAX_THREADS : 1);
	rc = rc ?: bpf_map__set_max_entries(s->maps.own_envs, o->check ? JT_MAX_THREADS : 1);
	rc = rc ?: bpf_map__set_max_entries(s->maps.last_calls, o->check ? JT_MAX_THREADS : 1);
	rc = rc ?: bpf_map__set_max_entries(s->maps.method_kinds, o->check ? MAX_METHODS : 1);
	rc = rc ?: bpf_map__set_max_entries(s->maps.throwers, o->check ? MAX_THROWERS : 1);
	s->rodata->budgeted = o->budgeted;
	rc = rc
		 ?: bpf_map__set_max_entries(
			s->maps.charges,
			o->budgeted ? JT_MAX_TARGETS * (o->catalog->nr_funcs + (o->check ? NR_USE_FUNCS : 0))
				    : 1);
	rc = rc ?: set_pair_sizes(t, o);
	return rc ?: set_thread_sizes(s, o);
}

/* Prepare what the probes must know of this machine before the first of them runs. */
static int set_up(struct tracer *t)
{
	struct setup s = {0};
	LIBBPF_OPTS(bpf_test_run_opts, run, .ctx_in = &s, .ctx_size_in = sizeof(s));
	int rc = bpf_prog_test_run_opts(bpf_program__fd(t->skel->progs.jt_setup), &run);

	t->cpu_waits = s.cpu_waits;
	return rc;
}

/*
 * A program that was refused libbpf loads once more, to get the verifier's log: 10 seconds for a large one.
 * When nobody will read that, ask at once for a log of a few lines of statistics.
 */
#define LOG_STATS 4     /* linux/bpf_verifier.h, BPF_LOG_STATS */
#define LOG_BYTES 65536 /* a line for each call of a global function that it follows, too */
static int refuse_quickly(const struct jnitrace_bpf *s, char *log, size_t bytes)
{
	struct bpf_program *p;
	int rc = 0;

	bpf_object__for_each_program (p, s->obj)
		rc = rc ?: bpf_program__set_log_buf(p, log, bytes) ?: bpf_program__set_log_level(p, LOG_STATS);
	return rc;
}

static int load_programs(struct tracer *t, const struct tracer_opts *o)
{
	uint64_t began_ns;
	char log[LOG_BYTES];
	int rc;

	libbpf_set_print(o->verbose ? libbpf_print : libbpf_quiet); /* libbpf has one for the whole process */
	t->skel = jnitrace_bpf__open();
	rc = t->skel ? set_sizes(t, o) : -errno;
	if (!rc && !o->verbose)
		rc = refuse_quickly(t->skel, log, sizeof(log));
	if (rc)
		return rc;
	programs_choose(t, o);
	began_ns = clock_ns(CLOCK_MONOTONIC);
	rc = jnitrace_bpf__load(t->skel);
	t->load_ns = clock_ns(CLOCK_MONOTONIC) - began_ns;
	/* A kernel whose arrays libbpf finds it cannot map, be it only for want of memory. */
	if (!rc && (!t->skel->bss || !t->skel->data))
		rc = -ENOMEM;
	return rc ?: set_up(t);
}

/* What the loader keeps beside the maps. */
static int make_books(struct tracer *t, const struct tracer_opts *o)
{
	const struct jnitrace_bpf *s = t->skel;
	const struct unwind_fds unwind = {
	    .spaces = bpf_map__fd(s->maps.unwind_spaces),
	    .ranges = bpf_map__fd(s->maps.unwind_ranges),
	    .tables = bpf_map__fd(s->maps.unwind_tables),
	    .nr_spaces = bpf_map__max_entries(s->maps.unwind_spaces),
	    .nr_ranges = bpf_map__max_entries(s->maps.unwind_ranges),
	};
	int rc = store_map(t) ?: unwinder_new(&unwind, o->bottom, &t->unwinder);

	rc = rc ?: overhead_new(s->obj, s->progs.jt_nothing, t->use_multi, o->budgeted, &t->overhead);
	if (rc)
		return rc;
	t->code_changes = ring_buffer__new(bpf_map__fd(s->maps.code_changes), configs_code_changed, t, NULL);
	if (!t->code_changes)
		return -errno;
	t->stacks = calloc(t->max_sites, sizeof(*t->stacks));
	t->buried = calloc(t->max_sites, sizeof(*t->buried));
	t->given_back = calloc(t->max_sites, sizeof(*t->given_back));
	t->let_go = calloc(t->max_sites, sizeof(*t->let_go));
	return t->stacks && t->buried && t->given_back && t->let_go ? 0 : -ENOMEM;
}

/* The programs that are of no target: exec, and ends of threads. */
static int attach_common(struct tracer *t, const struct tracer_opts *o)
{
	struct jnitrace_bpf *s = t->skel;

	s->links.jt_exec = bpf_program__attach(s->progs.jt_exec);
	if (!s->links.jt_exec)
		return -errno;
	if (!programs_see_ends(o))
		return 0;
	s->links.jt_thread_end = bpf_program__attach(s->progs.jt_thread_end);
	return s->links.jt_thread_end ? 0 : -errno;
}

int tracer_open(const struct tracer_opts *o, const struct features *f, struct tracer **out, struct error *err)
{
	bool use_multi = o->attach == ATTACH_MULTI || (o->attach == ATTACH_AUTO && f->uprobe_multi);
	struct tracer *t;
	int rc;

	if (use_multi && !f->uprobe_multi)
		return error_set(err, -EOPNOTSUPP, EXIT_FAILED, "attach by uprobe_multi", "use --attach perf",
				 "this kernel or this build's libbpf does not have it");
	t = calloc(1, sizeof(*t));
	if (!t)
		return error_set(err, -ENOMEM, EXIT_FAILED, "start", NULL, "out of memory");
	t->features = *f;
	t->families = o->families;
	t->catalog = o->catalog;
	t->use_multi = use_multi;
	t->share = o->share && use_multi;
	rc = load_programs(t, o);
	rc = rc ?: make_books(t, o);
	rc = rc ?: attach_common(t, o);
	if (rc) {
		tracer_close(t);
		return error_set(err, rc, rc == -EPERM ? EXIT_PERMISSION : EXIT_FAILED,
				 "load the BPF programs", "-v shows what the kernel said", "%s",
				 strerror(-rc));
	}
	*out = t;
	return 0;
}

void tracer_close(struct tracer *t)
{
	if (!t)
		return;
	tracer_end_hold(t);
	for (int i = 0; i < JT_MAX_TARGETS; i++) {
		if (t->traced[i].attached)
			tracer_detach(t, &i, 1);
		for (int f = 0; f < NR_LINK_GROUPS; f++)
			free(t->traced[i].links.of[f].v);
		free(t->traced[i].rules);
		free(t->traced[i].opened.v);
		free(t->traced[i].asked.v);
	}
	for (uint32_t i = 0; t->stacks && i < t->max_sites; i++)
		free(t->stacks[i]);
	free(t->stacks);
	free(t->buried);
	free(t->given_back);
	free(t->let_go);
	free(t->ended.v);
	free(t->held.v);
	store_unmap(t);
	unwinder_free(t->unwinder);
	ring_buffer__free(t->code_changes);
	overhead_free(t->overhead);
	jnitrace_bpf__destroy(t->skel);
	free(t);
}

uint64_t tracer_map_bytes(const struct tracer *t)
{
	const struct bpf_map *m;
	uint64_t sum = 0;

	bpf_object__for_each_map (m, t->skel->obj) {
		uint64_t value_bytes = bpf_map__value_size(m), n = bpf_map__max_entries(m);

		if (bpf_map__type(m) == BPF_MAP_TYPE_PERCPU_ARRAY)
			sum += n * ((value_bytes + 7) & ~7ULL) * t->features.nr_cpus;
		else if (bpf_map__type(m) == BPF_MAP_TYPE_ARRAY || bpf_map__type(m) == BPF_MAP_TYPE_STACK)
			sum += n * ((value_bytes + 7) & ~7ULL);
	}
	return sum;
}
