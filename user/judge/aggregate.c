/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "judge/aggregate.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/strset.h"
#include "base/util.h"
#include "judge/estimate.h"
#include "judge/history_room.h"
#include "judge/probe_costs.h"
#include "judge/survivors.h"
#include "judge/thread_pace.h"
#include "judge/totals.h"
#include "judge/verdicts.h"

#define FIGURES_PER_S 6   /* of each kind: all of a thousand sites' would take a tenth of a CPU */
#define MOMENT_S      0.3 /* what changes in so short a time says little of a pace */
#define WEAK_CLEARED  0.5 /* of weak references: so many whose objects are gone are no accident, */
#define WEAK_IN_VAIN  0.8 /* nor those and others to one object; a few to each are the library's way */
#define WEAK_LOOKS    3   /* so often, as those whose objects are gone may be released just now */

/* What is counted anew from every snapshot. */
struct counts {
	uint64_t acquired, released, outstanding;
	uint64_t incomplete; /* of acquired: their stacks lack something */
	uint64_t peak;
	/* Of local references: ended with their frame; alive; not paired; what became of them is not known.
	 */
	uint64_t died, live, lost, unverified;
	bool life_unknown;
	struct report_pins pins;
	uint64_t pinned_bytes, pins_unsized;
	uint32_t survivors[NR_AGES], kept[NR_AGES]; /* see survivors.h */
	uint32_t oldest_tick;                       /* when aged */
	bool aged;
};

/* A named site. */
struct entry {
	struct counts now;
	struct {
		struct report_class *v;
		size_t n, cap;
	} classes; /* counted anew, too */
	struct {
		struct report_of *v;
		size_t n, cap;
	} of; /* likewise: those of java.lang.Class */
	struct {
		struct report_thread *v;
		size_t n, cap;
	} threads; /* the numbers likewise */
	struct {
		struct thread_pace *v;
		size_t n, cap;
	} paces; /* of each of them */
	struct {
		uint64_t acquired, outstanding;
		uint64_t died; /* a moment may pass between its two counts, and it must not go down */
	} last;                /* of the snapshot before */
	double recent_per_s;
	struct weak_site weak;   /* of weak references, when they were looked at last; counted anew, too */
	uint32_t vain;           /* looks at them, in a row, that found them in vain */
	bool piles;              /* weak references: they do not just wait for the collector */
	double first_s;          /* when it was first seen; -1: not yet */
	struct history *history; /* NULL: none yet */
};

/* Those that grow, those of them that grow otherwise than their figure says, and the rest. */
enum turn { TURN_OTHERS, TURN_GROWS, TURN_STRAYS, NR_TURNS };

struct aggregate {
	struct {
		struct entry *v;
		size_t n, cap;
	} entries;                /* by index in named_sites.v */
	uint32_t *thread_by_site; /* site number -> thread of its entry + 1 */
	double last_elapsed_s;
	uint64_t last_events, last_died;
	unsigned most_level;              /* as of the last input */
	size_t figures_from[NR_TURNS];    /* whose turn it is to have its figure made anew */
	int64_t collections;              /* as of the last reading; -1: unknown */
	double collected_s[2];            /* when that was last seen to have grown, and before; -1: never */
	struct strset names;              /* of classes */
	uint32_t survivors_born[NR_AGES]; /* ticks: see survivors_count() */

	const struct catalog *catalog; /* not owned, likewise: */
	struct history_room *room;
	struct probe_costs costs;
};

int aggregate_new(const struct catalog *catalog, struct history_room *room, struct aggregate **out)
{
	struct aggregate *a = calloc(1, sizeof(*a));

	if (a) {
		probe_costs_begin(&a->costs);
		a->catalog = catalog;
		a->room = room;
		a->collections = -1;
		a->collected_s[0] = a->collected_s[1] = -1;
	}
	*out = a;
	return a ? 0 : -ENOMEM;
}

/* A site may hold something once in hours: what that took is not kept until then. */
static void forget_classes(struct entry *e)
{
	free(e->classes.v);
	free(e->of.v);
	memset(&e->classes, 0, sizeof(e->classes));
	memset(&e->of, 0, sizeof(e->of));
}

void aggregate_free(struct aggregate *a)
{
	if (!a)
		return;
	for (size_t i = 0; i < a->entries.n; i++) {
		forget_classes(&a->entries.v[i]);
		free(a->entries.v[i].threads.v);
		free(a->entries.v[i].paces.v);
		if (a->entries.v[i].first_s >= 0)
			history_room_leave(a->room, a->entries.v[i].history);
	}
	strset_free(&a->names);
	free(a->entries.v);
	free(a->thread_by_site);
	free(a);
}

/* The entry of a site by its number; NULL: it has no name (yet). */
static struct entry *entry_of(const struct aggregate *a, const struct aggregate_input *in, uint32_t number)
{
	return named_site_of(in->names, number) ? &a->entries.v[in->names->by_number[number].named - 1]
						: NULL;
}

static int add_of(struct aggregate *a, struct entry *e, const struct site_class *c)
{
	struct report_of *of = VEC_ADD(&e->of);

	if (!of)
		return -ENOMEM;
	*of = (struct report_of){
	    .name = strset_add(&a->names, c->of),
	    .loader = c->of_loader ? strset_add(&a->names, c->of_loader) : NULL,
	    .loader_id = c->of_loader_id,
	    .count = c->count,
	};
	return of->name && !of->loader == !c->of_loader ? 0 : -ENOMEM;
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
	to->is_class = c->is_class;
	return c->of ? add_of(a, e, c) : 0;
}

static int compare_classes(const void *a, const void *b)
{
	const struct report_class *x = a, *y = b;

	if (x->outstanding != y->outstanding)
		return x->outstanding < y->outstanding ? 1 : -1;
	return strcmp(x->name, y->name);
}

/* What is known of a part of n references, for all of them. */
static uint64_t scaled(uint64_t part, uint64_t read, uint64_t n)
{
	return (uint64_t)((double)part / (double)read * (double)n);
}

/* All classes of an entry have been added. sampled: they are of a part of its references. */
static void finish_classes(struct entry *e, bool sampled)
{
	uint64_t sum = 0;

	if (e->classes.n == 0 && e->classes.v)
		forget_classes(e);
	for (size_t k = 0; k < e->classes.n; k++)
		sum += e->classes.v[k].outstanding;
	for (size_t k = 0; k < e->classes.n && sampled; k++)
		e->classes.v[k].outstanding = scaled(e->classes.v[k].outstanding, sum, e->now.outstanding);
	e->of.n = class_of_group(e->of.v, e->of.n);
	for (size_t k = 0; k < e->of.n && sampled; k++)
		e->of.v[k].count = scaled(e->of.v[k].count, sum, e->now.outstanding);
	for (size_t k = 0; k < e->classes.n; k++) {
		struct report_class *c = &e->classes.v[k];

		if (c->is_class)
			c->of.v = e->of.v, c->of.n = e->of.n;
	}
	if (e->classes.n > 1)
		qsort(e->classes.v, e->classes.n, sizeof(*e->classes.v), compare_classes);
}

/* From references that were read to all that are outstanding. */
static int add_classes(struct aggregate *a, const struct aggregate_input *in)
{
	int rc = 0;

	for (size_t i = 0; in->classes && i < in->classes->classes.n && !rc; i++) {
		const struct site_class *c = &in->classes->classes.v[i];
		struct entry *e = entry_of(a, in, c->site);

		rc = e ? add_class(a, e, c) : 0;
	}
	for (size_t i = 0; i < a->entries.n && !rc; i++)
		finish_classes(&a->entries.v[i], in->classes && in->classes->sampled);
	return rc;
}

/* An entry for each name. */
static int grow(struct aggregate *a, const struct named_sites *names)
{
	while (a->entries.n < names->n) {
		struct entry *e = VEC_ADD(&a->entries);

		if (!e)
			return -ENOMEM;
		e->first_s = -1;
		e->recent_per_s = NAN;
	}
	return 0;
}

/* Entries for all that has a name, with nothing counted. 0 or -ENOMEM. */
static int begin(struct aggregate *a, const struct named_sites *names)
{
	if (!a->thread_by_site)
		a->thread_by_site = calloc(names->nr_numbers + 1, sizeof(*a->thread_by_site));
	if (!a->thread_by_site)
		return -ENOMEM;
	if (grow(a, names))
		return -ENOMEM;
	for (size_t i = 0; i < a->entries.n; i++) {
		struct entry *e = &a->entries.v[i];

		e->now = (struct counts){0};
		e->classes.n = e->of.n = 0;
		for (size_t k = 0; k < e->threads.n; k++) {
			const struct report_thread *t = &e->threads.v[k];

			e->threads.v[k] =
			    (struct report_thread){.tid = t->tid, .start_ns = t->start_ns, .name = t->name};
		}
	}
	return 0;
}

static void add_pins(struct report_pins *to, const struct pin_stats *from)
{
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
}

static uint64_t less(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

static void keep_oldest(struct counts *c, uint32_t tick)
{
	if (!c->aged || (int32_t)(tick - c->oldest_tick) < 0)
		c->oldest_tick = tick;
	c->aged = true;
}

/* What has become of the local references of the i-th site. */
static void add_life(const struct aggregate_input *in, size_t i, struct counts *c)
{
	const struct snapshot_site *s = &in->snapshot->sites.v[i];
	const struct local_site *l = in->locals && i < in->locals->n ? &in->locals->v[i] : NULL;

	c->lost += s->unpaired;
	c->died += s->died;
	if (s->peak > c->peak)
		c->peak = s->peak;
	c->life_unknown |= !l;
	if (!l)
		return;
	c->died += l->dead;
	c->live += l->live;
	if (l->live)
		keep_oldest(c, l->oldest_tick);
}

/*
 * What is known of local references made to add up. The counters are read first, the references afterwards:
 * what was made meanwhile had been acquired, and what went meanwhile is neither known to be alive nor to have
 * died. last_died: of the snapshot before.
 */
static void settle(struct counts *c, uint64_t *last_died)
{
	uint64_t known;

	if (c->died < *last_died)
		c->died = *last_died;
	*last_died = c->died;
	known = c->released + c->died + c->live + c->lost;
	if (c->acquired < known)
		c->acquired = known;
	c->outstanding = c->live;
	c->unverified = c->acquired - known;
}

/* The thread of a part of a site, among those of its entry; NULL: out of memory. */
static struct report_thread *thread_of(struct aggregate *a, struct entry *e, const struct snapshot_site *s)
{
	uint32_t *known = &a->thread_by_site[s->index];
	struct report_thread *t, who = {0};
	struct thread_pace *p;
	/* What is of no thread was there before threads were told apart. */
	uint64_t held = s->thread || e->threads.n ? 0 : e->last.outstanding;
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
	p = VEC_ADD(&e->paces);
	t = p ? VEC_ADD(&e->threads) : NULL;
	if (t) {
		*p = thread_pace_begin(held, a->last_elapsed_s);
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
	t->acquired += s->acquired << s->level;
	t->released += s->released << s->level;
	if (func_kind(a->catalog, s->func) != KIND_LOCAL) {
		t->outstanding += (s->acquired - s->released - s->unpaired) << s->level;
	} else {
		t->outstanding += l ? l->live : 0;
		t->life_unknown |= !l;
	}
	return 0;
}

/* Each stands for as many as when it was acquired. */
static void add_counts(const struct snapshot_site *s, struct counts *c)
{
	c->acquired += s->acquired << s->level;
	c->released += s->released << s->level;
	c->outstanding += (s->acquired - s->released - s->unpaired) << s->level;
}

/* What the stack of these acquisitions lacks. */
static void add_lacks(uint32_t lacks, const struct snapshot_site *s, uint64_t each, struct counts *c,
		      struct report_stacks *stacks)
{
	c->incomplete += lacks ? s->acquired << s->level : 0;
	for (int end = 0; lacks && end < NR_ENDS; end++)
		stacks->reasons[end] += lacks >> end & 1 ? (s->acquired << s->level) * each : 0;
}

static int add_site(struct aggregate *a, const struct aggregate_input *in, size_t i,
		    struct report_stacks *stacks)
{
	const struct snapshot_site *s = &in->snapshot->sites.v[i];
	struct entry *e = entry_of(a, in, s->index);
	struct counts *c;

	if (!e)
		return 0;
	c = &e->now;
	add_counts(s, c);
	add_lacks(in->names->by_number[s->index].lacks, s, stands_for(in, a->catalog, s->func), c, stacks);
	if (s->pins)
		add_pins(&c->pins, s->pins);
	c->pinned_bytes += s->pinned_bytes << s->level;
	c->pins_unsized += s->pins_unsized;
	if (func_kind(a->catalog, s->func) == KIND_LOCAL)
		add_life(in, i, c);
	else if (s->live)
		keep_oldest(c, s->oldest_tick);
	return in->snapshot->threads ? add_thread(a, in, i, e) : 0;
}

static int add_sites(struct aggregate *a, const struct aggregate_input *in, struct report_stacks *stacks)
{
	int rc = 0;

	for (size_t i = 0; i < in->snapshot->sites.n && !rc; i++)
		rc = add_site(a, in, i, stacks);
	for (size_t i = 0; i < a->entries.n; i++)
		if (func_kind(a->catalog, in->names->v[i].func) == KIND_LOCAL)
			settle(&a->entries.v[i].now, &a->entries.v[i].last.died);
	return rc;
}

static int count_survivors(struct aggregate *a, const struct aggregate_input *in)
{
	struct survivors *of;

	if (survivors_count(in->names, in->snapshot, in->late_s, a->survivors_born, &of))
		return -ENOMEM;
	for (size_t i = 0; i < a->entries.n; i++) {
		memcpy(a->entries.v[i].now.survivors, of[i].now, sizeof(of[i].now));
		memcpy(a->entries.v[i].now.kept, of[i].kept, sizeof(of[i].kept));
	}
	free(of);
	return 0;
}

/* A history that begins when the site was first seen; it has held nothing since, whenever it was looked at.
 */
static int begin_history(struct aggregate *a, struct entry *e, double elapsed_s)
{
	const struct reading first = {.t_s = e->first_s, .ages_known = true};

	e->history = history_room_take(a->room);
	if (!e->history)
		return -ENOMEM;
	return e->first_s < elapsed_s ? history_judge(e->history, &first) : 0;
}

/* --- weak references, which may wait for the collector --- */

/* Nearly all are of objects that are gone, or have others already. */
static bool is_in_vain(const struct weak_site *w)
{
	uint64_t twice = w->refs - w->cleared - w->objects;

	return w->cleared >= WEAK_CLEARED * (double)w->refs ||
	       w->cleared + twice >= WEAK_IN_VAIN * (double)w->refs;
}

/* When those that it grows by began to be acquired. */
static double rise_began_s(const struct history *h)
{
	return h->rise.since_s - survivor_ages_s[h->rise.age];
}

/*
 * A weak reference goes with its object at the earliest, when the collector has found that nobody holds that:
 * before, their growth says nothing. It is believed when it outlasted two collections of the whole heap, or
 * when the references are in vain. What was believed is, as long as it grows.
 */
static bool piles_up(const struct aggregate *a, const struct aggregate_input *in, struct entry *e)
{
	if (!e->history || !e->history->rise.on) {
		e->vain = 0;
		return false;
	}
	if (e->piles || !in->weak || (in->weak->never && a->collections < 0))
		return true;
	if (in->weak->looked)
		e->vain = is_in_vain(&e->weak) ? e->vain + 1 : 0;
	return a->collected_s[1] > rise_began_s(e->history) || e->vain >= WEAK_LOOKS;
}

static void note_collections(struct aggregate *a, const struct aggregate_input *in)
{
	int64_t now = in->weak ? in->weak->collections : -1;

	if (a->collections >= 0 && now > a->collections) {
		a->collected_s[1] = a->collected_s[0];
		a->collected_s[0] = in->elapsed_s;
	}
	if (now >= 0)
		a->collections = now;
}

static void judge_weak(struct aggregate *a, const struct aggregate_input *in)
{
	note_collections(a, in);
	for (size_t i = 0; i < a->entries.n; i++)
		a->entries.v[i].weak = (struct weak_site){0};
	for (size_t i = 0; in->weak && i < in->weak->sites.n; i++) {
		const struct weak_site *w = &in->weak->sites.v[i];
		struct entry *e = entry_of(a, in, w->site);

		if (!e)
			continue;
		e->weak.refs += w->refs;
		e->weak.cleared += w->cleared;
		e->weak.objects += w->objects;
	}
	for (size_t i = 0; i < a->entries.n; i++)
		if (func_family(a->catalog, in->names->v[i].func) == FAMILY_WEAK)
			a->entries.v[i].piles = piles_up(a, in, &a->entries.v[i]);
}

bool aggregate_weak_grow(const struct aggregate *a, const struct named_sites *names)
{
	for (size_t i = 0; i < a->entries.n; i++)
		if (func_family(a->catalog, names->v[i].func) == FAMILY_WEAK && a->entries.v[i].history &&
		    a->entries.v[i].history->rise.on && !a->entries.v[i].piles)
			return true;
	return false;
}

/*
 * Take what an entry holds now into its history, which begins when it is first found to hold something.
 * shift: it is judged by as many handles as are followed of the most that one stands for: their chance is the
 * largest.
 */
static int remember(struct aggregate *a, struct entry *e, double elapsed_s, unsigned shift)
{
	const struct counts *c = &e->now;
	struct reading now = {
	    elapsed_s, c->acquired >> shift, c->released >> shift, c->outstanding >> shift, {0}, {0}, true};

	if (e->first_s < 0) {
		if (history_room_enter(a->room))
			return -ENOMEM;
		e->first_s = elapsed_s;
	}
	for (int k = 0; k < NR_AGES; k++) {
		now.survivors[k] = c->survivors[k] >> shift;
		now.kept[k] = c->kept[k] >> shift;
	}
	if (!e->history && now.outstanding && begin_history(a, e, elapsed_s))
		return -ENOMEM;
	return e->history ? history_judge(e->history, &now) : 0;
}

static bool is_judged(const struct aggregate *a, const struct aggregate_input *in, enum func_id func)
{
	return verdicts_judge(a->catalog, func) && !(in->off >> func_family(a->catalog, func) & 1);
}

static bool is_sampled(const struct aggregate *a, const struct aggregate_input *in, enum func_id func)
{
	return in->sampled >> func_family(a->catalog, func) & 1;
}

/* Their histories. */
static void begin_anew(struct aggregate *a, const struct named_sites *names, uint32_t families)
{
	for (size_t i = 0; i < a->entries.n; i++) {
		struct entry *e = &a->entries.v[i];

		if (!(families >> func_family(a->catalog, names->v[i].func) & 1))
			continue;
		if (e->first_s >= 0)
			history_room_leave(a->room, e->history);
		e->history = NULL;
		e->first_s = -1;
		e->vain = 0;
		e->piles = false;
	}
}

void aggregate_let_go(struct aggregate *a, const struct named_sites *names, uint32_t families)
{
	begin_anew(a, names, families);
	for (size_t i = 0; i < a->entries.n; i++)
		if (families >> func_family(a->catalog, names->v[i].func) & 1) {
			a->entries.v[i].recent_per_s = NAN;
			a->entries.v[i].last.outstanding = 0;
			for (size_t k = 0; k < a->entries.v[i].paces.n; k++)
				memset(a->entries.v[i].paces.v[k].held, 0,
				       sizeof(a->entries.v[i].paces.v[k].held));
		}
}

static int remember_all(struct aggregate *a, const struct aggregate_input *in)
{
	int rc = count_survivors(a, in);

	if (in->most_level != a->most_level) /* their unit is another from now on */
		begin_anew(a, in->names, in->sampled);
	a->most_level = in->most_level;
	for (size_t i = 0; i < a->entries.n && !rc; i++)
		if (a->entries.v[i].now.acquired && is_judged(a, in, in->names->v[i].func) &&
		    (in->locals || func_kind(a->catalog, in->names->v[i].func) != KIND_LOCAL))
			rc = remember(a, &a->entries.v[i], in->elapsed_s,
				      is_sampled(a, in, in->names->v[i].func) ? in->most_level : 0);
	judge_weak(a, in);
	return rc;
}

static void judge(const struct aggregate *a, struct entry *e, enum func_id func, double elapsed_s,
		  struct figures *figures, struct report_verdict *out)
{
	if (e->history)
		history_verdict(e->history, figures, out);
	else
		verdict_of_none(elapsed_s - e->first_s, out);
	if (out->kind == VERDICT_GROWING && func_family(a->catalog, func) == FAMILY_WEAK && !e->piles)
		verdict_wait(out);
}

/* A tick is coarse: no reference that was counted is older than the counting. */
static double age_s(const struct aggregate_input *in, uint32_t tick)
{
	double age = (uint32_t)(in->snapshot->now_tick - tick) * in->snapshot->tick_s - in->late_s;

	return age < 0 ? 0 : age > in->elapsed_s ? in->elapsed_s : age;
}

static void sum_up_stacks(const struct counts *c, uint64_t each, struct report_stacks *stacks)
{
	stacks->complete += (c->acquired - c->incomplete) * each;
	stacks->incomplete += c->incomplete * each;
	stacks->complete_sites += c->incomplete == 0;
	stacks->incomplete_sites += c->incomplete != 0;
}

/* What the snapshot alone tells of a site. */
static void fill_site(const struct aggregate *a, struct entry *e, const struct named_site *name,
		      const struct aggregate_input *in, struct report_site *s)
{
	struct counts *c = &e->now;
	bool pins = func_is_pin(a->catalog, name->func);
	bool sized = pins || a->catalog->funcs[name->func].size != HANDLE_NONE;

	*s = (struct report_site){
	    .id = name->id,
	    .func = name->func,
	    .acquired = c->acquired,
	    .released = c->released,
	    .outstanding = c->outstanding,
	    .died = c->died,
	    .peak_per_call = c->peak ? (int64_t)c->peak : -1,
	    .unverified = c->unverified,
	    .life_unknown = c->life_unknown,
	    .oldest_s = c->aged && c->outstanding ? age_s(in, c->oldest_tick) : -1,
	    .verdict = {.per_min = NAN, .error_per_min = NAN, .ready_in_s = NAN},
	    .frames = name->frames,
	    .truncated = name->truncated,
	    .no_stack = name->no_stack,
	    .outstanding_bytes = sized && !c->pins_unsized ? (int64_t)c->pinned_bytes : -1,
	    .pins = pins ? &c->pins : NULL,
	    .classes = {e->classes.v, e->classes.n, in->classes && !pins},
	    .threads = {e->threads.v, e->threads.n, in->snapshot->threads != NULL},
	};
	c->pins.cpu_waits_known = pins && in->snapshot->cpu_waits;
}

/* Figures of growth that may be made now: each kind of sites has its own turns. */
struct turns {
	struct figures none, some[NR_TURNS];
	size_t next[NR_TURNS]; /* whose turn it is then; 0: all had theirs */
};

static void begin_turns(const struct aggregate_input *in, double since_last_s, struct turns *t)
{
	const struct figures some = {(unsigned)(FIGURES_PER_S * fmax(since_last_s, 1)), in->drawn};

	*t = (struct turns){{0, in->drawn}, {some, some, some}, {0}};
}

static void judge_in_turn(const struct aggregate *a, struct turns *t, size_t i, enum func_id func,
			  const struct aggregate_input *in, struct report_verdict *out)
{
	struct entry *e = &a->entries.v[i];
	enum turn turn = !e->history || !e->history->rise.on ? TURN_OTHERS
			 : history_strays(e->history)        ? TURN_STRAYS
							     : TURN_GROWS;
	struct figures *f = in->final ? NULL : i >= a->figures_from[turn] ? &t->some[turn] : &t->none;

	judge(a, e, func, in->elapsed_s, f, out);
	if (!t->some[turn].left && !t->next[turn])
		t->next[turn] = i + 1;
}

static int list_sites(struct aggregate *a, const struct aggregate_input *in, struct report *r)
{
	double since_last_s = in->elapsed_s - a->last_elapsed_s;
	double interval_s = in->final ? in->elapsed_s : since_last_s;
	struct turns turns;

	begin_turns(in, since_last_s, &turns);
	r->sites.n = 0;
	for (size_t i = 0; i < a->entries.n; i++) {
		struct entry *e = &a->entries.v[i];
		const struct counts *c = &e->now;
		uint64_t each = stands_for(in, a->catalog, in->names->v[i].func);
		uint64_t acquired_before = in->final ? 0 : e->last.acquired;
		uint64_t outstanding_before = in->final ? 0 : e->last.outstanding;
		struct report_site *s;

		if (!c->acquired) /* the place of a release, or of another call, that a finding names */
			continue;
		s = VEC_ADD(&r->sites);
		if (!s)
			return -ENOMEM;
		sum_up_stacks(c, each, &r->stacks);
		fill_site(a, e, &in->names->v[i], in, s);
		if (since_last_s > MOMENT_S)
			e->recent_per_s =
			    ((double)c->outstanding - (double)e->last.outstanding) / since_last_s;
		s->recent_per_s = e->recent_per_s;
		if (interval_s > 0) {
			s->rate_per_s = ((double)c->outstanding - (double)outstanding_before) / interval_s;
			s->acquired_per_s = (double)(c->acquired - acquired_before) / interval_s;
		}
		e->last.acquired = c->acquired;
		e->last.outstanding = c->outstanding;
		if (!r->count_only && is_judged(a, in, s->func))
			judge_in_turn(a, &turns, i, s->func, in, &s->verdict);
		thread_paces(e->threads.v, e->paces.v, e->threads.n, in->elapsed_s, in->final, each);
		estimate_site(s, e->threads.v, each, is_sampled(a, in, s->func) ? in->most_level : 0);
	}
	memcpy(a->figures_from, turns.next, sizeof(a->figures_from));
	return 0;
}

/* In: outstanding, those in the pairing store; died, those whose slot was given out again. */
static void total_locals(const struct aggregate_input *in, struct report_family *f, uint64_t *last_died)
{
	const struct local_site none = {0}, *sum = in->locals ? &in->locals->sum : &none;
	struct counts c = {
	    .acquired = f->acquired,
	    .released = f->released,
	    .died = f->died + sum->dead,
	    .live = sum->live,
	    .lost = less(f->acquired, f->released + f->died + f->outstanding),
	};

	f->life_unknown = !in->locals;
	settle(&c, last_died);
	f->acquired = c.acquired;
	f->died = c.died;
	f->outstanding = c.outstanding;
	f->unverified = c.unverified;
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
		totals_add(a->catalog, row, c, f);
	}
	estimate_totals(in->snapshot, a->catalog, in->sampled, r->families);
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
		if (in->sampled >> f & 1)
			estimate_family(fam, in->one_in ?: 1, in->level, in->most_level);
	}
	memcpy(r->drops, in->counts->drops, sizeof(r->drops));
}

int aggregate_update(struct aggregate *a, const struct aggregate_input *in, struct report *r)
{
	double interval_s = in->final ? in->elapsed_s : in->elapsed_s - a->last_elapsed_s;
	int rc = begin(a, in->names);

	r->stacks = (struct report_stacks){0};
	rc = rc ?: add_sites(a, in, &r->stacks);
	rc = rc ?: add_classes(a, in);
	if (!rc && !r->count_only)
		rc = remember_all(a, in);
	rc = rc ?: list_sites(a, in, r);
	rc = rc ?: verdicts_sum_up(r);
	if (rc)
		return rc;
	total(a, in, r);
	r->elapsed_s = in->elapsed_s;
	r->final = in->final;
	probe_costs_report(&a->costs, a->catalog, in->counts, in->cost_ns, interval_s, r);
	r->events_per_s = interval_s > 0 ? (r->events - (in->final ? 0 : a->last_events)) / interval_s : 0;
	a->last_events = r->events;
	a->last_elapsed_s = in->elapsed_s;
	return 0;
}

int aggregate_reading(struct aggregate *a, const struct aggregate_input *in)
{
	if (grow(a, in->names))
		return -ENOMEM;
	for (size_t i = 0; i < a->entries.n; i++) {
		struct counts *c = &a->entries.v[i].now; /* the last report points to the rest */

		c->acquired = c->released = c->outstanding = 0;
	}
	for (size_t i = 0; i < in->snapshot->sites.n; i++) {
		const struct snapshot_site *s = &in->snapshot->sites.v[i];
		struct entry *e = entry_of(a, in, s->index);
		uint64_t held;

		if (!e)
			continue;
		held = e->now.outstanding;
		add_counts(s, &e->now);
		if (func_kind(a->catalog, s->func) == KIND_LOCAL)
			e->now.outstanding =
			    held + (in->locals && i < in->locals->n ? in->locals->v[i].live : 0);
	}
	return remember_all(a, in);
}
