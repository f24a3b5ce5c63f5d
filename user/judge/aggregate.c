/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "judge/aggregate.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/strset.h"
#include "judge/verdicts.h"

/* What some events took of the target's time. */
struct cost {
	double ns;
	uint64_t events;
	bool unknown; /* there were others, whose cost is not known (yet) */
};

/* What the reader sees as one site: one function called from one stack of named frames. */
struct entry {
	uint64_t id;
	enum jni_func_id func;
	struct frames frames;
	const char *truncated;
	bool no_stack;
	uint64_t acquired, released, outstanding; /* of this snapshot */
	uint64_t incomplete;                      /* of acquired: their stacks lack something */
	uint64_t died, unverified;
	uint64_t peak;
	uint64_t lost, live; /* of local references: not paired; known to be alive */
	uint64_t last_died;  /* a moment may pass between one count and the other, and it must not go down */
	bool life_unknown;
	struct {
		struct report_class *v;
		size_t n, cap;
	} classes; /* likewise */
	struct report_pins pins;
	uint64_t pinned_bytes, pins_unsized;
	struct {
		struct report_thread *v;
		size_t n, cap;
	} threads;
	uint64_t survivors[NR_AGES], kept[NR_AGES]; /* likewise; see struct reading */
	double first_s;                             /* when it was first seen */
	struct history *history;                    /* NULL: none yet */
	uint32_t oldest_tick;
	bool counted;                             /* in this snapshot */
	uint64_t last_acquired, last_outstanding; /* of the one before */
};

/* By family, of --check's probes, and of all. */
enum { COST_CHECK = FAMILY_CHECK, COST_ALL, NR_COSTS };

struct aggregate {
	struct {
		struct entry *v;
		size_t n, cap;
	} entries;
	uint32_t *by_site;        /* site number -> entry + 1 */
	uint32_t *lacks;          /* site number -> what its stack lacks, bit per enum stack_end */
	uint32_t *thread_by_site; /* site number -> thread of that entry + 1 */
	uint32_t nr_index;
	uint32_t *by_id; /* open hash of entries + 1, by id */
	size_t by_id_size;
	double last_elapsed_s;
	uint64_t last_events, last_died;
	struct strset names;              /* of classes */
	uint32_t survivors_born[NR_AGES]; /* ticks: see count_survivors() */

	const struct catalog *catalog; /* not owned */
	uint64_t costed[NR_ALL_FUNCS]; /* calls whose cost is in spent */
	struct cost spent[NR_COSTS];   /* since attach */
	double last_cost_ns[NR_COSTS]; /* of one event, of the last interval that had some */
};

int aggregate_new(const struct catalog *catalog, struct aggregate **out)
{
	struct aggregate *a = calloc(1, sizeof(*a));

	for (int f = 0; a && f < NR_COSTS; f++)
		a->last_cost_ns[f] = -1;
	if (a)
		a->catalog = catalog;
	*out = a;
	return a ? 0 : -ENOMEM;
}

void aggregate_free(struct aggregate *a)
{
	if (!a)
		return;
	for (size_t i = 0; i < a->entries.n; i++) {
		free(a->entries.v[i].frames.v);
		free(a->entries.v[i].classes.v);
		free(a->entries.v[i].threads.v);
		if (a->entries.v[i].history)
			history_free(a->entries.v[i].history);
		free(a->entries.v[i].history);
	}
	strset_free(&a->names);
	free(a->entries.v);
	free(a->by_site);
	free(a->lacks);
	free(a->thread_by_site);
	free(a->by_id);
	free(a);
}

static uint64_t hash_str(uint64_t h, const char *s)
{
	return s ? fnv64(h, s, strlen(s) + 1) : fnv64(h, "", 1);
}

/* Only what is equal on every host that runs the same build: build-id and offset, or the names of Java. */
static uint64_t site_id(const char *func, const struct frames *frames)
{
	uint64_t h = hash_str(FNV64_INIT, func);

	for (size_t i = 0; i < frames->n; i++) {
		const struct frame *f = &frames->v[i];

		if (f->type == FRAME_JAVA) {
			h = hash_str(h, f->symbol);
			h = fnv64(h, &f->line, sizeof(f->line));
		} else if (!f->inlined) {
			h = hash_str(h, f->build_id ? f->build_id : f->module);
			h = fnv64(h, &f->offset, sizeof(f->offset));
		}
	}
	return h;
}

static int grow_index(struct aggregate *a)
{
	size_t size = a->by_id_size ? a->by_id_size * 2 : 256;
	uint32_t *index = calloc(size, sizeof(*index));

	if (!index)
		return -ENOMEM;
	for (size_t i = 0; i < a->entries.n; i++) {
		size_t at = a->entries.v[i].id & (size - 1);

		while (index[at])
			at = (at + 1) & (size - 1);
		index[at] = i + 1;
	}
	free(a->by_id);
	a->by_id = index;
	a->by_id_size = size;
	return 0;
}

/* The entry of this id, made when new (with frames.v == NULL). Returns its number, or -errno. */
static int64_t entry_of(struct aggregate *a, uint64_t id, bool *is_new)
{
	struct entry *e;
	size_t at;

	if (a->entries.n * 2 >= a->by_id_size && grow_index(a))
		return -ENOMEM;
	for (at = id & (a->by_id_size - 1); a->by_id[at]; at = (at + 1) & (a->by_id_size - 1))
		if (a->entries.v[a->by_id[at] - 1].id == id) {
			*is_new = false;
			return a->by_id[at] - 1;
		}
	e = VEC_ADD(&a->entries);
	if (!e)
		return -ENOMEM;
	e->id = id;
	a->by_id[at] = a->entries.n;
	*is_new = true;
	return a->entries.n - 1;
}

/* Name the frames of a site seen for the first time, and find or make its entry. */
static int64_t resolve(struct aggregate *a, const struct aggregate_input *in, const struct snapshot_site *s)
{
	struct frames frames = {0};
	const char *truncated = "the stack could not be kept (see drops)";
	bool is_new = false;
	int64_t n;
	int rc = 0;

	a->lacks[s->index] = 1U << END_NOT_KEPT;
	if (s->stack)
		rc = symbols_stack(in->symbols, s->stack, &frames, &truncated, &a->lacks[s->index]);
	n = rc ? rc : entry_of(a, site_id(func_name(a->catalog, s->func), &frames), &is_new);
	if (n < 0 || !is_new) {
		free(frames.v);
		return n;
	}
	a->entries.v[n].func = s->func;
	a->entries.v[n].first_s = -1;
	a->entries.v[n].frames = frames;
	a->entries.v[n].truncated = truncated;
	a->entries.v[n].no_stack = !s->stack;
	return n;
}

static int add_class(struct aggregate *a, struct entry *e, const struct site_class *c)
{
	const char *name = strset_add(&a->names, c->name);
	struct report_class *to = NULL;

	for (size_t i = 0; i < e->classes.n && !to; i++)
		if (e->classes.v[i].name == name)
			to = &e->classes.v[i];
	to = to ? to : name ? VEC_ADD(&e->classes) : NULL;
	if (!to)
		return -ENOMEM;
	to->name = name;
	to->outstanding += c->count;
	return 0;
}

static int compare_classes(const void *a, const void *b)
{
	const struct report_class *x = a, *y = b;

	if (x->outstanding != y->outstanding)
		return x->outstanding < y->outstanding ? 1 : -1;
	return strcmp(x->name, y->name);
}

/* From references that were read to all that are outstanding. */
static int add_classes(struct aggregate *a, const struct aggregate_input *in)
{
	int rc = 0;

	for (size_t i = 0; in->classes && i < in->classes->classes.n && !rc; i++) {
		const struct site_class *c = &in->classes->classes.v[i];

		if (c->site < a->nr_index && a->by_site[c->site])
			rc = add_class(a, &a->entries.v[a->by_site[c->site] - 1], c);
	}
	for (size_t i = 0; i < a->entries.n && !rc; i++) {
		struct entry *e = &a->entries.v[i];
		uint64_t sum = 0;

		for (size_t k = 0; k < e->classes.n; k++)
			sum += e->classes.v[k].outstanding;
		for (size_t k = 0; k < e->classes.n && in->classes->sampled; k++)
			e->classes.v[k].outstanding = (uint64_t)((double)e->classes.v[k].outstanding /
								 (double)sum * (double)e->outstanding);
		if (e->classes.n > 0)
			qsort(e->classes.v, e->classes.n, sizeof(*e->classes.v), compare_classes);
	}
	return rc;
}

/* The entries of the snapshot's sites, made where they are new. */
static int name_sites(struct aggregate *a, const struct aggregate_input *in)
{
	const struct snapshot *snap = in->snapshot;

	if (!a->by_site) {
		a->nr_index = snap->nr_index;
		a->by_site = calloc(a->nr_index, sizeof(*a->by_site));
		a->lacks = calloc(a->nr_index, sizeof(*a->lacks));
		a->thread_by_site = calloc(a->nr_index, sizeof(*a->thread_by_site));
		if (!a->by_site || !a->lacks || !a->thread_by_site)
			return -ENOMEM;
	}
	for (size_t i = 0; i < snap->sites.n; i++) {
		const struct snapshot_site *s = &snap->sites.v[i];
		int64_t n;

		if (s->index >= a->nr_index || a->by_site[s->index])
			continue;
		if (s->has_stack && !s->stack)
			continue; /* being written at this moment: whole in the next snapshot */
		n = resolve(a, in, s);
		if (n < 0)
			return n;
		a->by_site[s->index] = n + 1;
	}
	return 0;
}

bool aggregate_lacks(const struct aggregate *a, const struct snapshot *snapshot)
{
	for (size_t i = 0; i < snapshot->sites.n; i++) {
		const struct snapshot_site *s = &snapshot->sites.v[i];

		if (!a->by_site || (s->index < a->nr_index && !a->by_site[s->index]))
			return true;
	}
	return false;
}

int aggregate_name(struct aggregate *a, const struct snapshot *snapshot, struct symbols *symbols)
{
	struct aggregate_input in = {.snapshot = snapshot, .symbols = symbols};

	return name_sites(a, &in);
}

static void add_pins(struct entry *e, const struct snapshot_site *s)
{
	const struct pin_stats *from = &s->pins;
	struct report_pins *to = &e->pins;

	to->copied += from->copied;
	to->direct += from->direct;
	to->copy_unknown += from->copy_unknown;
	to->committed += from->committed;
	to->aborted += from->aborted;
	to->nested += from->nested;
	to->inner += from->inner;
	to->holds += from->holds;
	to->cpu_wait_ns += from->cpu_wait_ns;
	if (from->max_own_ns > to->max_own_ns)
		to->max_own_ns = from->max_own_ns;
	to->hold_ns += from->hold_ns;
	if (from->max_hold_ns > to->max_hold_ns)
		to->max_hold_ns = from->max_hold_ns;
	for (int i = 0; i < JT_HOLD_BUCKETS; i++)
		to->hold[i] += from->hold[i];
	e->pinned_bytes += s->pinned_bytes;
	e->pins_unsized += s->pins_unsized;
}

static uint64_t less(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

static void keep_oldest(struct entry *e, uint32_t tick)
{
	if (!e->counted || (int32_t)(tick - e->oldest_tick) < 0)
		e->oldest_tick = tick;
	e->counted = true;
}

/* What has become of the local references of the i-th site. */
static void add_life(const struct aggregate_input *in, size_t i, struct entry *e)
{
	const struct snapshot_site *s = &in->snapshot->sites.v[i];
	const struct local_site *l = in->locals && i < in->locals->n ? &in->locals->v[i] : NULL;

	e->lost += s->unpaired;
	e->died += s->died;
	if (s->peak > e->peak)
		e->peak = s->peak;
	e->life_unknown |= !l;
	if (!l)
		return;
	e->died += l->dead;
	e->live += l->live;
	if (l->live)
		keep_oldest(e, l->oldest_tick);
}

/*
 * The counters are read first, the references afterwards. What was made meanwhile had been acquired, and what
 * went meanwhile is neither known to be alive nor to have died.
 */
static void settle(uint64_t live, uint64_t lost, uint64_t *last_died, uint64_t *acquired, uint64_t released,
		   uint64_t *died, uint64_t *outstanding, uint64_t *unverified)
{
	uint64_t known;

	if (*died < *last_died)
		*died = *last_died;
	*last_died = *died;
	known = released + *died + live + lost;
	if (*acquired < known)
		*acquired = known;
	*outstanding = live;
	*unverified = *acquired - known;
}

/* The thread of a part of a site, among those of its entry; NULL: out of memory. */
static struct report_thread *thread_of(struct aggregate *a, struct entry *e, const struct snapshot_site *s)
{
	uint32_t *known = &a->thread_by_site[s->index];
	struct report_thread *t, who = {0};
	char name[sizeof(s->thread->name) * 3];

	if (*known)
		return &e->threads.v[*known - 1];
	if (s->thread) {
		who.tid = (int)s->thread->tid;
		who.start_ns = s->thread->key.start_ns;
		text_clean(name, sizeof(name), s->thread->name,
			   strnlen(s->thread->name, sizeof(s->thread->name)));
		who.name = strset_add(&a->names, name);
		if (!who.name)
			return NULL;
	}
	for (size_t i = 0; i < e->threads.n && !*known; i++)
		if (e->threads.v[i].tid == who.tid && e->threads.v[i].start_ns == who.start_ns)
			*known = i + 1;
	if (*known)
		return &e->threads.v[*known - 1];
	t = VEC_ADD(&e->threads);
	if (t) {
		*t = who;
		*known = e->threads.n;
	}
	return t;
}

static int add_thread(struct aggregate *a, const struct aggregate_input *in, size_t i, struct entry *e)
{
	const struct snapshot_site *s = &in->snapshot->sites.v[i];
	const struct local_site *l = in->locals && i < in->locals->n ? &in->locals->v[i] : NULL;
	struct report_thread *t;

	if (!s->acquired) /* all of it is its threads' */
		return 0;
	t = thread_of(a, e, s);
	if (!t)
		return -ENOMEM;
	t->acquired += s->acquired;
	t->released += s->released;
	if (func_kind(a->catalog, s->func) != KIND_LOCAL) {
		t->outstanding += s->acquired - s->released - s->unpaired;
	} else {
		t->outstanding += l ? l->live : 0;
		t->life_unknown |= !l;
	}
	return 0;
}

/* What the stack of these acquisitions lacks. */
static void add_lacks(const struct aggregate *a, const struct snapshot_site *s, struct entry *e,
		      struct report_stacks *stacks)
{
	uint32_t lacks = a->lacks[s->index];

	e->incomplete += lacks ? s->acquired : 0;
	for (int end = 0; lacks && end < NR_ENDS; end++)
		stacks->reasons[end] += lacks >> end & 1 ? s->acquired : 0;
}

static int add_sites(struct aggregate *a, const struct aggregate_input *in, struct report_stacks *stacks)
{
	const struct snapshot *snap = in->snapshot;
	int rc = name_sites(a, in);

	for (size_t i = 0; !rc && i < snap->sites.n; i++) {
		const struct snapshot_site *s = &snap->sites.v[i];
		struct entry *e;

		if (s->index >= a->nr_index || !a->by_site[s->index])
			continue;
		e = &a->entries.v[a->by_site[s->index] - 1];
		e->acquired += s->acquired;
		e->released += s->released;
		e->outstanding += s->acquired - s->released - s->unpaired;
		add_lacks(a, s, e, stacks);
		if (snap->threads)
			rc = add_thread(a, in, i, e);
		add_pins(e, s);
		if (func_kind(a->catalog, s->func) == KIND_LOCAL) {
			add_life(in, i, e);
			continue;
		}
		if (s->live)
			keep_oldest(e, s->oldest_tick);
	}
	for (size_t i = 0; i < a->entries.n; i++) {
		struct entry *e = &a->entries.v[i];

		if (func_kind(a->catalog, e->func) == KIND_LOCAL)
			settle(e->live, e->lost, &e->last_died, &e->acquired, e->released, &e->died,
			       &e->outstanding, &e->unverified);
	}
	return rc;
}

/* One that is outstanding since tick; born: the youngest survivors. */
static void count_survivor(struct aggregate *a, const uint32_t *born, uint32_t site, uint32_t tick)
{
	struct entry *e;

	if (site >= a->nr_index || !a->by_site[site])
		return;
	e = &a->entries.v[a->by_site[site] - 1];
	for (int k = 0; k < NR_AGES; k++) {
		e->survivors[k] += (int32_t)(born[k] - tick) > 0;
		e->kept[k] += (int32_t)(a->survivors_born[k] - tick) > 0;
	}
}

/* Survivors, and those that were survivors one snapshot ago already. */
static void count_survivors(struct aggregate *a, const struct snapshot *snap, double late_s)
{
	uint32_t born[NR_AGES]; /* the youngest survivors' */

	for (int k = 0; k < NR_AGES; k++)
		born[k] = snap->now_tick - (uint32_t)((survivor_ages_s[k] + late_s) / snap->tick_s);
	for (size_t i = 0; i < snap->refs.n; i++)
		count_survivor(a, born, snap->refs.v[i].site, snap->refs.v[i].tick);
	for (size_t i = 0; i < snap->pins.n; i++)
		count_survivor(a, born, snap->pins.v[i].pin.site, snap->pins.v[i].pin.tick);
	memcpy(a->survivors_born, born, sizeof(born));
}

/* Take what an entry holds now into its history, which begins when it is first found to hold something. */
static int remember(const struct aggregate *a, struct entry *e, double elapsed_s)
{
	struct reading now = {elapsed_s, e->acquired, e->released, e->outstanding, {0}, {0}, true};

	if (!e->acquired || !verdicts_judge(a->catalog, e->func))
		return 0;
	if (e->first_s < 0)
		e->first_s = elapsed_s;
	memcpy(now.survivors, e->survivors, sizeof(now.survivors));
	memcpy(now.kept, e->kept, sizeof(now.kept));
	if (!e->history && e->outstanding) {
		e->history = calloc(1, sizeof(*e->history));
		if (!e->history)
			return -ENOMEM;
	}
	return e->history ? history_judge(e->history, &now) : 0;
}

static int remember_all(struct aggregate *a, double elapsed_s)
{
	int rc = 0;

	for (size_t i = 0; i < a->entries.n && !rc; i++)
		rc = remember(a, &a->entries.v[i], elapsed_s);
	return rc;
}

static void judge(const struct aggregate *a, struct entry *e, double elapsed_s, struct report_verdict *out)
{
	if (!verdicts_judge(a->catalog, e->func))
		return;
	if (e->history)
		history_verdict(e->history, out);
	else
		verdict_of_none(elapsed_s - e->first_s, out);
}

int aggregate_reading(struct aggregate *a, const struct snapshot *snap, double elapsed_s)
{
	for (size_t i = 0; i < a->entries.n; i++) {
		struct entry *e = &a->entries.v[i];

		e->acquired = e->released = e->outstanding = 0;
		memset(e->survivors, 0, sizeof(e->survivors));
		memset(e->kept, 0, sizeof(e->kept));
	}
	for (size_t i = 0; i < snap->sites.n; i++) {
		const struct snapshot_site *s = &snap->sites.v[i];
		struct entry *e;

		if (s->index >= a->nr_index || !a->by_site[s->index])
			continue;
		e = &a->entries.v[a->by_site[s->index] - 1];
		e->acquired += s->acquired;
		e->released += s->released;
		e->outstanding += s->acquired - s->released - s->unpaired;
	}
	count_survivors(a, snap, 0);
	return remember_all(a, elapsed_s);
}

/* A tick is coarse: no reference that was counted is older than the counting. */
static double age_s(const struct aggregate_input *in, uint32_t tick)
{
	double age = (uint32_t)(in->snapshot->now_tick - tick) * in->snapshot->tick_s - in->late_s;

	return age < 0 ? 0 : age > in->elapsed_s ? in->elapsed_s : age;
}

static void sum_up_stacks(const struct entry *e, struct report_stacks *stacks)
{
	stacks->complete += e->acquired - e->incomplete;
	stacks->incomplete += e->incomplete;
	stacks->complete_sites += e->incomplete == 0;
	stacks->incomplete_sites += e->incomplete != 0;
}

static int list_sites(struct aggregate *a, const struct aggregate_input *in, struct report *r)
{
	double interval_s = in->final ? in->elapsed_s : in->elapsed_s - a->last_elapsed_s;

	r->sites.n = 0;
	for (size_t i = 0; i < a->entries.n; i++) {
		struct entry *e = &a->entries.v[i];
		uint64_t acquired_before = in->final ? 0 : e->last_acquired;
		uint64_t outstanding_before = in->final ? 0 : e->last_outstanding;
		struct report_site *s;

		if (!e->acquired) /* the place of a release, or of another call, that a finding names */
			continue;
		s = VEC_ADD(&r->sites);
		if (!s)
			return -ENOMEM;
		sum_up_stacks(e, &r->stacks);
		*s = (struct report_site){
		    .id = e->id,
		    .func = e->func,
		    .acquired = e->acquired,
		    .released = e->released,
		    .outstanding = e->outstanding,
		    .died = e->died,
		    .peak_per_call = e->peak ? (int64_t)e->peak : -1,
		    .unverified = e->unverified,
		    .life_unknown = e->life_unknown,
		    .oldest_s = -1,
		    .verdict = {.per_min = NAN, .error_per_min = NAN, .ready_in_s = NAN},
		    .frames = e->frames,
		    .truncated = e->truncated,
		    .no_stack = e->no_stack,
		    .outstanding_bytes = -1,
		    .classes = {e->classes.v, e->classes.n, in->classes && !func_is_pin(a->catalog, e->func)},
		    .threads = {e->threads.v, e->threads.n, in->snapshot->threads != NULL},
		};
		if (func_is_pin(a->catalog, e->func)) {
			e->pins.cpu_waits_known = in->snapshot->cpu_waits;
			s->pins = &e->pins;
			if (!e->pins_unsized)
				s->outstanding_bytes = (int64_t)e->pinned_bytes;
		}
		if (e->counted && e->outstanding)
			s->oldest_s = age_s(in, e->oldest_tick);
		if (interval_s > 0) {
			s->rate_per_s = ((double)e->outstanding - (double)outstanding_before) / interval_s;
			s->acquired_per_s = (double)(e->acquired - acquired_before) / interval_s;
		}
		e->last_acquired = e->acquired;
		e->last_outstanding = e->outstanding;
		if (!r->count_only)
			judge(a, e, in->elapsed_s, &s->verdict);
	}
	return 0;
}

/* In: outstanding, those in the pairing store; died, those whose slot was given out again. */
static void total_locals(const struct aggregate_input *in, struct report_family *f, uint64_t *last_died)
{
	const struct local_site none = {0}, *sum = in->locals ? &in->locals->sum : &none;
	uint64_t lost = less(f->acquired, f->released + f->died + f->outstanding);

	f->life_unknown = !in->locals;
	f->died += sum->dead;
	settle(sum->live, lost, last_died, &f->acquired, f->released, &f->died, &f->outstanding,
	       &f->unverified);
}

static void total(struct aggregate *a, const struct aggregate_input *in, struct report *r)
{
	r->events = 0;
	for (int f = 0; f < NR_FAMILIES; f++) {
		struct report_family was = r->families[f];

		r->families[f] =
		    (struct report_family){.traced = in->families >> f & 1, .vm_total = was.vm_total};
	}
	for (uint32_t i = 1; i < a->catalog->nr_funcs; i++) {
		const struct func_row *row = &a->catalog->funcs[i];
		const struct func_counts *c = &in->counts->funcs[i];
		struct report_family *f = &r->families[row->family];

		r->probed[i] = in->counts->probed[i];
		r->calls[i] = c->calls;
		r->events += c->calls;
		if (row->operation == OP_ACQUIRE || row->operation == OP_FRAME_POP) {
			f->acquired += less(c->calls, c->nulls);
			f->outstanding += less(c->calls, c->nulls + c->unpaired + c->replaced);
			if (a->catalog->families[row->family].kind == KIND_LOCAL)
				f->died += c->replaced;
		} else if (row->operation == OP_RELEASE) {
			f->released += less(c->calls, c->nulls + c->unpaired + c->kept);
			f->released_untracked += c->unpaired;
		}
	}
	r->check = (struct report_check){0};
	for (int i = NR_FUNCS; i < NR_ALL_FUNCS; i++) {
		r->probed[i] = in->counts->probed[i];
		r->calls[i] = in->counts->funcs[i].calls;
		r->check.on |= r->probed[i];
		r->check.calls += r->calls[i];
	}
	r->events += r->check.calls;
	for (int f = 0; f < NR_FAMILIES; f++) {
		struct report_family *fam = &r->families[f];

		/* The CPUs are not read at one moment; but what was released had been acquired. */
		if (fam->outstanding < fam->released) {
			fam->acquired += fam->released - fam->outstanding;
			fam->outstanding = fam->released;
		}
		fam->outstanding -= fam->released;
		if (a->catalog->families[f].kind == KIND_LOCAL)
			total_locals(in, fam, &a->last_died);
	}
	memcpy(r->drops, in->counts->drops, sizeof(r->drops));
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

/* What the probes cost the target: the calls of each function by what one costs now. */
static void costs(struct aggregate *a, const struct aggregate_input *in, struct report *r, double interval_s)
{
	struct cost now[NR_COSTS] = {0};

	for (int i = 0; i < NR_ALL_FUNCS; i++) {
		uint64_t events = in->counts->funcs[i].calls - a->costed[i];
		double ns = in->cost_ns ? in->cost_ns[i] : -1;
		int of[] = {func_family(a->catalog, i), COST_ALL};

		if (!events)
			continue;
		for (size_t k = 0; k < ARRAY_LEN(of); k++) {
			cost_add(&now[of[k]], events, ns);
			if (ns >= 0)
				cost_add(&a->spent[of[k]], events, ns);
		}
		if (ns >= 0)
			a->costed[i] += events;
	}
	for (int f = 0; f < NR_COSTS; f++) {
		struct cost *c = in->final ? &a->spent[f] : &now[f];
		double *ns_each = &a->last_cost_ns[f], pct;

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

int aggregate_update(struct aggregate *a, const struct aggregate_input *in, struct report *r)
{
	double interval_s = in->final ? in->elapsed_s : in->elapsed_s - a->last_elapsed_s;
	int rc;

	for (size_t i = 0; i < a->entries.n; i++) {
		struct entry *e = &a->entries.v[i];

		e->acquired = e->released = e->outstanding = e->died = e->unverified = e->lost = e->live = 0;
		e->incomplete = 0;
		e->life_unknown = false;
		memset(e->survivors, 0, sizeof(e->survivors));
		memset(e->kept, 0, sizeof(e->kept));
		e->counted = false;
		e->classes.n = 0;
		for (size_t k = 0; k < e->threads.n; k++) {
			struct report_thread *t = &e->threads.v[k];

			t->acquired = t->released = t->outstanding = 0;
			t->life_unknown = false;
		}
		e->pins = (struct report_pins){0};
		e->pinned_bytes = e->pins_unsized = 0;
	}
	r->stacks = (struct report_stacks){0};
	rc = add_sites(a, in, &r->stacks);
	rc = rc ?: add_classes(a, in);
	if (!rc && !r->count_only) {
		count_survivors(a, in->snapshot, in->late_s);
		rc = remember_all(a, in->elapsed_s);
	}
	rc = rc ?: list_sites(a, in, r);
	rc = rc ?: verdicts_sum_up(r);
	if (rc)
		return rc;
	total(a, in, r);
	r->elapsed_s = in->elapsed_s;
	r->final = in->final;
	costs(a, in, r, interval_s);
	r->events_per_s = interval_s > 0 ? (r->events - (in->final ? 0 : a->last_events)) / interval_s : 0;
	a->last_events = r->events;
	a->last_elapsed_s = in->elapsed_s;
	return 0;
}

bool aggregate_site(const struct aggregate *a, uint32_t number, struct aggregate_site *out)
{
	const struct entry *e;

	if (number >= a->nr_index || !a->by_site[number])
		return false;
	e = &a->entries.v[a->by_site[number] - 1];
	*out = (struct aggregate_site){e->id, e->func, {true, e->frames, e->truncated}};
	return true;
}
