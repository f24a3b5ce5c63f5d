/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A target's readings and reports, from a snapshot and what its VM says. See target.h. */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "judge/findings.h"
#include "proc/foreign.h"
#include "run/sampling.h"
#include "run/target_priv.h"
#include "view/format.h"

/* To read the classes of what was there at attach, in each report until all are read. */
#define CLASS_BUDGET_MS 50

/* For a screen: who looks at it sees them a little later where there are very many references. */
static const struct seldom_rule classes_rule = {.part = 0.001, .most_s = 60};

/* Those of a moment ago, as a part of what is outstanding now. */
static const struct ref_classes *classes_of_late(struct target *t)
{
	t->kept.classes.sampled = true;
	return &t->kept.classes;
}

/* What the outstanding references point to; NULL: not looked at, or not known. */
static const struct ref_classes *read_classes(struct target *t, const struct snapshot *snapshot, bool final)
{
	const struct options *o = t->o;
	uint64_t cpu_ns;
	int rc;

	if (o->count_only || (!(o->view.format->needs & FORMAT_CLASSES) && o->view.group_by != GROUP_CLASS &&
			      !o->record && !o->classes))
		return NULL;
	if (t->shared->drawn && !final && t->kept.known && !seldom_is_due(&t->reading_classes))
		return classes_of_late(t);
	seldom_begin(&t->reading_classes);
	cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	rc = ref_classes_read(t->at.vm, snapshot, &t->classes);
	seldom_took(&t->reading_classes, clock_ns(CLOCK_THREAD_CPUTIME_ID) - cpu_ns, &classes_rule);
	return rc == 0 ? &t->classes : NULL;
}

static uint64_t references_in(const struct ref_classes *c)
{
	uint64_t n = 0;

	for (size_t i = 0; i < c->classes.n; i++)
		n += c->classes.v[i].count;
	return n;
}

/*
 * Keep the classes that were read for when the process has gone, and for a screen, with names of their own;
 * but not those of a process that is about to go, of which less could be read after as many calls.
 */
static void keep_classes(struct target *t, const struct ref_classes *read, const struct target_counts *now)
{
	struct kept_classes *k = &t->kept;
	bool same = k->known && !memcmp(k->at, now->funcs, sizeof(k->at));

	if ((!t->o->classes && !t->shared->drawn) || !read || read == &k->classes ||
	    (same && references_in(read) < references_in(&k->classes)))
		return;
	k->known = false;
	k->classes.classes.n = 0;
	k->classes.sampled = read->sampled;
	for (size_t i = 0; i < read->classes.n; i++) {
		struct site_class *c = VEC_ADD(&k->classes.classes);

		if (!c)
			return;
		*c = read->classes.v[i];
		if (!(c->name = strset_add(&k->names, c->name)) ||
		    (c->of && !(c->of = strset_add(&k->names, c->of))) ||
		    (c->of_loader && !(c->of_loader = strset_add(&k->names, c->of_loader))))
			return;
	}
	memcpy(k->at, now->funcs, sizeof(k->at));
	k->known = true;
}

/* Those that were kept, if they still say what is outstanding: there was no call since. Else NULL. */
static const struct ref_classes *classes_kept(const struct target *t, const struct target_counts *now)
{
	const struct kept_classes *k = &t->kept;

	return k->known && !memcmp(k->at, now->funcs, sizeof(k->at)) ? &k->classes : NULL;
}

/* Which local references of the snapshot are alive; NULL: not known. */
static const struct local_refs *read_locals(struct target *t, const struct snapshot *snapshot,
					    struct corrections *found)
{
	struct local_look *look = &t->local_look;
	int64_t *total = &t->report.families[FAMILY_LOCAL].vm_total;

	if (end_is_gone(t->end_reason))
		look->known = look->gone = true;
	else if (!t->stopped_ns)
		target_look_at_locals(t, target_has_overspent(t));
	/* Its total changes with every native call: of a process that has gone the last one says nothing. */
	*total = look->known && !look->gone && look->vm.complete ? (int64_t)look->vm.live : -1;
	if (local_refs_read(look, snapshot, &t->locals, found) < 0)
		return NULL;
	return look->known ? &t->locals : NULL;
}

/* Free the places of dead local references: from the next snapshot on they are counted as died. */
static void bury(struct target *t, const struct snapshot *s, const struct corrections *found)
{
	if (t->local_look.gone || t->local_look.still) /* nobody will ask again */
		return;
	for (size_t i = 0; i < found->n; i++) {
		const struct snapshot_ref *ref = &s->refs.v[found->v[i].ref];

		if (found->v[i].kind == REF_DEAD)
			tracer_bury(t->tracer, ref, snapshot_site_of(s, ref->site)->func);
	}
}

static bool push_is_held(void *target, const struct snapshot_push *p)
{
	const struct target *t = target;

	return tracer_holds_push(t->tracer, t->target_id, p);
}

static void push_bury(void *target, const struct snapshot_push *p)
{
	const struct target *t = target;

	tracer_bury_push(t->tracer, t->target_id, p);
}

/* Which frames were pushed and will never be popped. 0 or -ENOMEM. */
static int read_pushes(struct target *t, const struct snapshot *s)
{
	const struct push_store store = {push_is_held, push_bury, t};

	const struct local_look *look = t->push_look.known ? &t->push_look : &t->local_look;

	return t->left ? left_books_update(t->left, look, s, &store) : 0;
}

/* 0 or -ENOMEM. */
static int hold_against_tables(struct target *t, const struct snapshot *s, struct corrections *found)
{
	uint64_t cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	int rc = t->account ? account_compare(t->account, s, found) : 0;

	if (t->tables_looked_at)
		seldom_took(&t->looking_at_tables, clock_ns(CLOCK_THREAD_CPUTIME_ID) - cpu_ns, &tables_rule);
	return rc;
}

/* Hold the snapshot against the VM's tables, and put it right. Which local references are alive: see
 * read_locals(). 0 or -ENOMEM. */
static int reconcile(struct target *t, struct snapshot *s, struct target_counts *counts,
		     const struct local_refs **locals)
{
	struct corrections found = {0};
	int rc = 0;

	*locals = t->plan.families >> FAMILY_LOCAL & 1 ? read_locals(t, s, &found) : NULL;
	rc = read_pushes(t, s);
	rc = rc ?: hold_against_tables(t, s, &found);
	bury(t, s, &found);
	corrections_apply(&found, s, counts);
	corrections_free(&found);
	return rc;
}

/* A release that is seen late, when its handle comes again, is in neither count for a moment. */
static void keep_missed(struct target_counts *counts, const struct report *last)
{
	if (counts->drops[DROP_RELEASE_MISSED] < last->drops[DROP_RELEASE_MISSED])
		counts->drops[DROP_RELEASE_MISSED] = last->drops[DROP_RELEASE_MISSED];
}

/*
 * What speaks for or against a growth of weak references: their objects are read only where it is asked for.
 * What is gone says nothing new. NULL: the VM tells nothing.
 */
static const struct weak_look *look_at_weak(struct target *t, const struct snapshot *snapshot)
{
	struct weak_look *w = &t->weak;

	if (!t->at.vm || !(t->plan.families >> FAMILY_WEAK & 1))
		return NULL;
	if (end_is_gone(t->end_reason) || !proc_id_alive(&t->id)) {
		w->sites.n = 0;
		w->looked = false;
		w->collections = -1;
		return w;
	}
	if (weak_objects_read(t->at.vm, t->report.catalog, snapshot,
			      aggregate_weak_grow(t->aggregate, naming_sites(t->naming)), w))
		w->looked = false;
	return w;
}

/* Families of which some handles are not followed; of what is switched off, too. */
static uint32_t target_sampled(const struct target *t)
{
	return t->o->sample > 1 || t->most_level ? sampling_of(t->o, t->o->families) : 0;
}

int target_reading(struct target *t, struct snapshot *snapshot, struct error *err)
{
	struct corrections found = {0};
	struct target_counts counts;
	struct aggregate_input in = {
	    .snapshot = snapshot,
	    .names = naming_sites(t->naming),
	    .sampled = target_sampled(t),
	    .most_level = t->most_level,
	    .off = target_families_off(t),
	    .elapsed_s = (clock_ns(CLOCK_MONOTONIC) - t->started_ns) / 1e9,
	};
	int rc = tracer_counts(t->tracer, t->target_id, &counts, err);

	if (rc)
		return rc;
	if (t->plan.families >> FAMILY_LOCAL & 1)
		in.locals = read_locals(t, snapshot, &found);
	rc = hold_against_tables(t, snapshot, &found);
	bury(t, snapshot, &found);
	corrections_apply(&found, snapshot, &counts);
	corrections_free(&found);
	in.weak = look_at_weak(t, snapshot);
	rc = rc ?: aggregate_reading(t->aggregate, &in);
	return rc ? error_set(err, rc, EXIT_FAILED, "judge the call sites", NULL, "%s", strerror(-rc)) : 0;
}

/* A report in the making. */
struct making {
	struct snapshot *snapshot;
	struct target_counts counts;
	double cost_ns[NR_ALL_FUNCS];
	struct vm_counts later;            /* after all else was read */
	const struct local_refs *locals;   /* NULL: not known */
	const struct ref_classes *classes; /* NULL: not asked for, or not known */
	bool objects;                      /* of the process can be read now */
	double elapsed_s;                  /* of the trace */
	bool final;
};

static int read_tracer(struct target *t, struct making *m, struct error *err)
{
	int rc = tracer_counts(t->tracer, t->target_id, &m->counts, err);

	if (!rc)
		tracer_costs(t->tracer, t->target_id, m->cost_ns);
	return rc;
}

/* What only a process that lives can tell. */
static void read_process(struct target *t, struct making *m)
{
	m->later = t->vm_counts;
	if (end_is_gone(t->end_reason)) {
		m->classes = classes_kept(t, &m->counts);
		return;
	}
	if (t->vm_counts.known)
		vm_counts(t->at.vm, &m->later);
	target_refresh_maps(t);
	m->objects = target_reads_objects(t);
	m->classes = m->objects ? read_classes(t, m->snapshot, m->final) : NULL;
	keep_classes(t, m->classes, &m->counts);
	inside_look(t->at.vm, m->snapshot, m->elapsed_s, &t->inside);
}

static const enum family_id families[NR_VM_TABLES] = {FAMILY_GLOBAL, FAMILY_WEAK};

/* After the process has gone its last known totals stand. */
static void put_vm_totals(struct target *t, const struct making *m)
{
	for (int i = 0; i < NR_VM_TABLES; i++) {
		struct report_family *f = &t->report.families[families[i]];

		if (t->vm_counts.known)
			f->vm_total = account_total(f, t->vm_counts.n[i],
						    m->later.known ? m->later.n[i] : t->vm_counts.n[i]);
	}
}

/*
 * Where the VM's total and its tables differ in two reports as in one, see whether they do so for good. After
 * the process has gone the last note stands.
 */
static void put_vm_notes(struct target *t)
{
	for (int i = 0; i < NR_VM_TABLES; i++) {
		uint64_t count = t->vm_counts.n[i],
			 marked = t->account ? account_marked(t->account, i) : count;
		bool again = t->count_notes[i].count == count && t->count_notes[i].marked == marked;
		char *text = t->count_notes[i].text;

		if (!t->vm_counts.known || !t->tables_looked_at || end_is_gone(t->end_reason)) {
			/* as it was */
		} else if (t->vm_counts.by_marks) {
			count_note_marks(text);
		} else if (count == marked) {
			*text = 0;
		} else if (!*text || !again) {
			t->count_notes[i].count = count;
			t->count_notes[i].marked = marked;
			*text = 0;
			if (again)
				count_note(t->at.vm, i, text);
		}
		t->report.families[families[i]].vm_note = *text ? text : NULL;
	}
}

/* They stay when the process has gone: they are its version's. */
static void put_limits(struct target *t)
{
	struct vm_limit limits[NR_FAMILIES];

	vm_limits(t->at.vm, limits);
	for (size_t i = 0; i < NR_FAMILIES; i++)
		t->report.families[i].limit = limits[i];
}

static int put_sites(struct target *t, const struct making *m)
{
	struct aggregate_input in = {
	    .snapshot = m->snapshot,
	    .counts = &m->counts,
	    .names = naming_sites(t->naming),
	    .families = t->plan.families,
	    .one_in = t->o->sample,
	    .sampled = target_sampled(t),
	    .level = t->regulator.level,
	    .most_level = t->most_level,
	    .off = target_families_off(t),
	    .cost_ns = m->cost_ns,
	    .locals = m->locals,
	    .classes = m->classes,
	    .weak = look_at_weak(t, m->snapshot),
	    .final = m->final,
	    .drawn = t->shared->drawn,
	    .elapsed_s = m->elapsed_s,
	};

	if (t->stopped_ns && m->snapshot->monotonic_ns > t->stopped_ns)
		in.late_s = (m->snapshot->monotonic_ns - t->stopped_ns) / 1e9;
	return aggregate_update(t->aggregate, &in, &t->report);
}

/* What the VM's tables had at attach, before any call was seen. */
static int put_account(struct target *t, const struct making *m)
{
	int rc = t->account ? account_report(t->account, m->objects ? CLASS_BUDGET_MS : 0, &t->report) : 0;

	return rc == -ENOMEM ? rc : 0; /* what else fails is shown as not known */
}

static int put_findings(struct target *t, const struct making *m)
{
	const struct findings_input in = {
	    .names = naming_sites(t->naming),
	    .snapshot = m->snapshot,
	    .left = t->left ? left_frames(t->left) : NULL,
	    .local_capacity = t->o->local_capacity,
	    .checking = t->o->check,
	    .exited = m->final && t->end_reason == END_EXITED,
	    .hold_s = t->o->hold_s,
	    .no_waits = t->plan.waits.why,
	    .collector_waits = t->plan.waits.collector,
	    .inside = &t->inside,
	};

	return findings_update(&in, &t->report);
}

/* Those that came since the last report. */
static int put_refusals(struct target *t)
{
	const char *text;

	if (foreign_is_refused(t->id.pid)) {
		budget_pay(t->shared->budget, t->share);
		budget_refuse(t->shared->budget, "memory of the process", FOREIGN_NO_ANSWER);
	}
	while ((text = share_refusal(t->share, t->report.refusals.n))) {
		struct report_refusal *refusal = VEC_ADD(&t->report.refusals);

		if (!refusal)
			return -ENOMEM;
		refusal->text = text;
	}
	return 0;
}

static void put_head(struct target *t, const struct making *m)
{
	struct report *r = &t->report;

	target_count_unnamed(t);
	r->drops[DROP_JAVA_UNNAMED] += t->java_unnamed;
	r->drops[DROP_START_MISSED] += t->o->from_start && !t->held && !t->stops;
	r->drops[DROP_FILES_REFUSED] += share_refused(t->share);
	r->drops[DROP_MODULES_FULL] += symbols_nameless(t->symbols);
	r->sites_pending = naming_pending(t->naming);
	r->end_reason = m->final ? t->end_reason : NOT_ENDED;
	r->time_unix_s = clock_ns(CLOCK_REALTIME) / 1e9;
	r->self_cpu_pct = -1;
	r->no_java = target_frames_refused(t);
	r->language = target_language(t);
	t->reported = true;
}

static void put_switched(struct target *t)
{
	for (int f = 0; f < NR_FAMILIES; f++) {
		t->report.families[f].off_s = t->switched[f].off_s;
		t->report.families[f].on_s = t->switched[f].on_s;
		uint64_t each = t->report.families[f].one_in ? t->o->sample ?: 1 : 1; /* of level 0 */

		if (__builtin_mul_overflow(t->switched[f].let_go, each, &t->report.families[f].let_go))
			t->report.families[f].let_go = UINT64_MAX;
	}
}

void target_look_up_owners(struct target *t)
{
	if (t->reported)
		owners_look(t->shared->owners, t->root, t->id.pid, &t->report);
}

/* The order is the algorithm: each step needs what those above it did. */
int target_report(struct target *t, struct snapshot *snapshot, struct error *err)
{
	struct making m = {
	    .snapshot = snapshot,
	    .elapsed_s = ((t->stopped_ns ?: clock_ns(CLOCK_MONOTONIC)) - t->started_ns) / 1e9,
	    .final = t->state == TARGET_ENDED,
	};
	int rc = read_tracer(t, &m, err);

	if (rc)
		return rc;
	/* Takes dead references out of the snapshot and the counts, so that no later step sees them. */
	rc = reconcile(t, snapshot, &m.counts, &m.locals);
	keep_missed(&m.counts, &t->report);
	/* Reads where the code is now, which the naming needs, and the classes of what is left. */
	read_process(t, &m);
	rc = rc ?: naming_update(t->naming, snapshot);
	/* Makes families and sites anew. Sites with the same frames are one, so all must have names. */
	rc = rc ?: put_sites(t, &m);
	put_switched(t);
	put_vm_notes(t);
	put_limits(t);
	if (!rc)
		owners_tell(t->shared->owners, t->root, end_is_gone(t->end_reason) ? 0 : t->id.pid,
			    &t->report);
	/* Adds to the families what was there at attach. */
	rc = rc ?: put_account(t, &m);
	put_vm_totals(t, &m);
	/* Judges by the verdicts of the sites. */
	rc = rc ?: put_findings(t, &m);
	if (!(t->plan.families >> FAMILY_LOCAL & 1) && !end_is_gone(t->end_reason))
		pile_look(&t->pile, t->at.vm, t->id.pid, m.elapsed_s, t->o->local_capacity, &t->report.pile);
	rc = rc ?: put_refusals(t);
	if (rc)
		return error_set(err, rc, EXIT_FAILED, "name the call sites", NULL, "%s", strerror(-rc));
	/* Adds what the naming lost to the drops, which put_sites() has made. */
	put_head(t, &m);
	return 0;
}
