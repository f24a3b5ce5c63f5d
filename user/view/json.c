/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Reports as NDJSON for scripts, schema jnitrace/1: see docs/json.md. Unknown is null; nothing that
 * belongs to the schema is ever left out.
 */
#include "view/json.h"

#include <math.h>

#include "model/sample.h"
#include "view/columns.h"
#include "view/json_out.h"
#include "view/text.h"

/* Is the function of this slot counted, beside being looked at by --check? */
static bool is_counted(const struct report *r, int slot)
{
	for (size_t i = 1; i < NR_JNI_FUNCS; i++)
		if (r->probed[i] && r->catalog->funcs[i].table == TABLE_ENV &&
		    r->catalog->funcs[i].index == slot)
			return true;
	return false;
}

static void put_calls(struct json_out *j, const struct report *r)
{
	json_open(j, "calls", '{');
	for (size_t i = 1; i < r->catalog->nr_funcs; i++)
		if (r->probed[i])
			json_count(j, func_name(r->catalog, i), r->calls[i]);
	for (size_t i = NR_FUNCS; i < NR_ALL_FUNCS; i++)
		if (r->probed[i] && !is_counted(r, r->catalog->funcs[i].index))
			json_count(j, func_name(r->catalog, i), r->calls[i]);
	json_close(j, '}');
}

static void put_check(struct json_out *j, const struct report_check *c)
{
	if (!c->on) {
		json_null(j, "check");
		return;
	}
	json_open(j, "check", '{');
	json_count(j, "calls", c->calls);
	json_known(j, "probe_cost_ns_per_event", c->cost_ns_per_event);
	json_known(j, "target_cpu_pct", c->target_cpu_pct);
	json_close(j, '}');
}

static void put_known(struct json_out *j, const char *name, bool known, uint64_t count)
{
	if (known)
		json_count(j, name, count);
	else
		json_null(j, name);
}

/* What has become of what was acquired and not released. */
static void put_life(struct json_out *j, uint64_t outstanding, uint64_t died, uint64_t unverified,
		     bool unknown)
{
	put_known(j, "outstanding", !unknown, outstanding);
	put_known(j, "died", !unknown, died);
	put_known(j, "unverified", !unknown, unverified);
}

/* On the screen families can be switched. */
static void put_switched(struct json_out *j, const struct report_family *f)
{
	json_open(j, "switched", '{');
	json_bool(j, "on", f->traced);
	json_known(j, "off_s", f->off_s > 0 ? f->off_s : -1);
	json_known(j, "on_s", f->on_s > 0 ? f->on_s : -1);
	json_count(j, "let_go", f->let_go);
	json_close(j, '}');
}

/* What is sampled, and how. Estimates have their errors beside them. */
static void put_sample(struct json_out *j, const struct report *r)
{
	uint64_t one_in = 0, now = 0;

	for (size_t i = 0; i < NR_FAMILIES; i++) {
		one_in = r->families[i].one_in ?: one_in;
		now = r->families[i].one_in_now ?: now;
	}
	if (!one_in) {
		json_null(j, "sample");
		return;
	}
	json_open(j, "sample", '{');
	json_count(j, "one_in", one_in);
	json_known_count(j, "one_in_now", now ? (int64_t)now : -1);
	json_open(j, "families", '[');
	for (size_t i = 0; i < NR_FAMILIES; i++)
		if (r->families[i].one_in)
			json_text(j, NULL, family_name(r->catalog, i));
	json_close(j, ']');
	json_real(j, "confidence", SAMPLE_CONFIDENCE);
	json_close(j, '}');
}

static void put_families(struct json_out *j, const struct report *r)
{
	json_open(j, "families", '{');
	for (size_t i = 0; i < NR_FAMILIES; i++) {
		const struct report_family *f = &r->families[i];

		if (!f->traced && f->off_s <= 0)
			continue;
		json_open(j, family_name(r->catalog, i), '{');
		json_count(j, "acquired", f->acquired);
		put_known(j, "released", !r->count_only, f->released);
		put_life(j, f->outstanding, f->died, f->unverified, f->life_unknown || r->count_only);
		put_known(j, "released_untracked", !r->count_only && !f->one_in, f->released_untracked);
		if (f->one_in) {
			json_count(j, "acquired_error", sample_error(f->acquired, f->one_in));
			json_count(j, "released_error", sample_error(f->released, f->one_in));
			json_count(j, "outstanding_error", sample_error(f->outstanding, f->one_in));
		}
		json_known_count(j, "vm_total", f->vm_total);
		json_text(j, "vm_note", f->vm_note);
		put_known(j, "before_attach", f->before_known, f->before_attach);
		put_known(j, "vm_own", f->before_known, f->vm_own);
		json_known(j, "probe_cost_ns_per_event", f->cost_ns_per_event);
		json_known(j, "target_cpu_pct", f->target_cpu_pct);
		if (f->off_s > 0 || f->on_s > 0)
			put_switched(j, f);
		json_close(j, '}');
	}
	json_close(j, '}');
}

static const char *frame_type_name(enum frame_type type)
{
	switch (type) {
	case FRAME_JAVA:
		return "java";
	case FRAME_VM:
		return "vm";
	case FRAME_SCRIPT:
		return "script";
	default:
		return "native";
	}
}

static void put_frame(struct json_out *j, const struct frame *f)
{
	json_open(j, NULL, '{');
	json_text(j, "type", frame_type_name(f->type));
	json_text(j, "symbol", f->symbol);
	json_text(j, "module", f->module);
	json_hex(j, "offset", f->offset);
	json_text(j, "build_id", f->build_id);
	json_text(j, "file", f->file);
	json_known_count(j, "line", f->line > 0 ? f->line : -1);
	json_bool(j, "inlined", f->inlined);
	json_bool(j, "tail_call", f->tail_call);
	json_close(j, '}');
}

static void put_frames(struct json_out *j, const char *key, const struct frames *frames,
		       const struct view_opts *o)
{
	json_open(j, key, '[');
	for (size_t i = 0; i < frames->n; i++)
		if (frame_is_shown(&frames->v[i], o->stacks))
			put_frame(j, &frames->v[i]);
	json_close(j, ']');
}

static void put_stack(struct json_out *j, const struct report_site *s, const struct view_opts *o)
{
	const char *truncated = s->truncated;

	if (s->no_stack && !truncated)
		truncated = "the stack was not kept";
	put_frames(j, "stack", &s->frames, o);
	json_text(j, "truncated", truncated);
}

/* Which classes objects of java.lang.Class stand for; null: the class is another. */
static void put_class_of(struct json_out *j, bool is_class, const struct report_of *v, size_t n)
{
	if (!is_class) {
		json_null(j, "of");
		return;
	}
	json_open(j, "of", '[');
	for (size_t i = 0; i < n; i++) {
		const struct report_of *of = &v[i];

		json_open(j, NULL, '{');
		json_text(j, "name", of->name);
		json_text(j, "loader", of->loader);
		if (of->loader_id)
			json_hex(j, "loader_id", of->loader_id);
		else
			json_null(j, "loader_id");
		json_known_count(j, "loaders", of->loaders ? (int64_t)of->loaders : -1);
		json_count(j, "count", of->count);
		json_close(j, '}');
	}
	json_close(j, ']');
}

static void put_classes(struct json_out *j, const struct report_site *s)
{
	if (!s->classes.known) {
		json_null(j, "classes");
		return;
	}
	json_open(j, "classes", '[');
	for (size_t i = 0; i < s->classes.n; i++) {
		const struct report_class *c = &s->classes.v[i];

		json_open(j, NULL, '{');
		json_text(j, "name", c->name);
		json_count(j, "outstanding", c->outstanding);
		put_class_of(j, c->is_class, c->of.v, c->of.n);
		json_close(j, '}');
	}
	json_close(j, ']');
}

/* Of critical sections that have ended: how many were held that long. */
static void put_histogram(struct json_out *j, const struct report_pins *p)
{
	json_open(j, "histogram", '[');
	for (int i = 0; i < JT_HOLD_BUCKETS; i++) {
		if (!p->hold[i])
			continue;
		json_open(j, NULL, '{');
		json_count(j, "from_us", i ? 1ULL << (i - 1) : 0);
		json_known_count(j, "below_us", i < JT_HOLD_BUCKETS - 1 ? 1LL << i : -1);
		json_count(j, "holds", p->hold[i]);
		json_close(j, '}');
	}
	json_close(j, ']');
}

static void put_verdict(struct json_out *j, const struct report_verdict *v)
{
	struct buf words = {0};

	json_open(j, "verdict", '{');
	json_text(j, "kind", site_verdict_names[v->kind]);
	json_text(j, "confidence", v->kind == VERDICT_UNKNOWN ? NULL : confidence_names[v->confidence]);
	json_real(j, "growth_per_min", v->per_min);
	json_known(j, "error_per_min", v->error_per_min);
	json_real(j, "span_s", v->span_s);
	json_count(j, "survivors", v->survivors);
	json_real(j, "ready_in_s", v->ready_in_s);
	verdict_not_known(&words, v);
	json_text(j, "not_known", words.n ? words.p : NULL);
	buf_free(&words);
	json_close(j, '}');
}

/* A library is as good as the worst of its sites; null: of some nothing can be said yet. */
static void put_libraries(struct json_out *j, const struct report *r)
{
	json_open(j, "libraries", '[');
	for (size_t i = 0; i < r->libraries.n; i++) {
		const struct report_library *l = &r->libraries.v[i];

		json_open(j, NULL, '{');
		json_text(j, "module", l->module);
		json_text(j, "path", l->path);
		json_text(j, "build_id", l->build_id);
		json_text(j, "package", l->package);
		json_text(j, "package_version", l->package_version);
		json_text(j, "verdict", library_verdict(l));
		json_count(j, "sites", l->sites);
		json_count(j, "growing", l->verdicts[VERDICT_GROWING]);
		json_count(j, "outstanding", l->outstanding);
		json_close(j, '}');
	}
	json_close(j, ']');
}

static void put_pins(struct json_out *j, const struct report_pins *p)
{
	if (!p) {
		json_null(j, "pins");
		return;
	}
	json_open(j, "pins", '{');
	json_count(j, "copied", p->copied);
	json_count(j, "direct", p->direct);
	json_count(j, "copy_unknown", p->copy_unknown);
	json_count(j, "committed", p->committed);
	json_count(j, "aborted", p->aborted);
	json_count(j, "nested", p->nested);
	json_count(j, "holds", p->holds);
	json_known(j, "held_ms", p->holds ? (double)p->hold_ns / 1e6 : -1);
	json_known(j, "max_hold_ms", p->holds ? (double)p->max_hold_ns / 1e6 : -1);
	json_known(j, "cpu_wait_ms", p->holds && p->cpu_waits_known ? (double)p->cpu_wait_ns / 1e6 : -1);
	put_histogram(j, p);
	json_close(j, '}');
}

static void put_threads(struct json_out *j, const struct report_site *s, bool paired)
{
	if (!s->threads.known) {
		json_null(j, "threads");
		return;
	}
	json_open(j, "threads", '[');
	for (size_t i = 0; i < s->threads.n; i++) {
		const struct report_thread *t = &s->threads.v[i];

		if (!t->acquired)
			continue;
		json_open(j, NULL, '{');
		json_known_count(j, "tid", t->tid ?: -1);
		json_text(j, "name", t->name);
		json_count(j, "acquired", t->acquired);
		put_known(j, "released", paired, t->released);
		put_known(j, "outstanding", paired && !t->life_unknown, t->outstanding);
		json_close(j, '}');
	}
	json_close(j, ']');
}

void json_site(struct json_out *j, const char *key, const struct report *r, const struct report_site *s,
	       const struct view_opts *o)
{
	bool paired = r && !r->count_only;
	uint64_t one_in = r && s ? report_one_in(r, s->func) : 0;

	if (!s) {
		json_null(j, key);
		return;
	}
	json_open(j, key, '{');
	json_id(j, "id", s->id);
	json_id(j, "name_key", frames_name_key(func_name(r->catalog, s->func), &s->frames));
	json_text(j, "family", family_name(r->catalog, func_family(r->catalog, s->func)));
	json_text(j, "function", func_name(r->catalog, s->func));
	json_count(j, "acquired", s->acquired);
	put_known(j, "released", paired, s->released);
	json_known_count(j, "peak_per_call", s->peak_per_call);
	put_life(j, s->outstanding, s->died, s->unverified, s->life_unknown || !paired);
	json_known_count(j, "outstanding_bytes", s->outstanding_bytes);
	if (one_in) {
		json_count(j, "acquired_error", sample_error(s->acquired, one_in));
		json_count(j, "released_error", sample_error(s->released, one_in));
		json_count(j, "outstanding_error", sample_error(s->outstanding, one_in));
		json_null(j, "outstanding_bytes_error");
	}
	json_known(j, "oldest_s", s->oldest_s);
	json_real(j, "rate_per_s", paired ? s->rate_per_s : NAN);
	json_known(j, "acquired_per_s", s->acquired_per_s);
	put_verdict(j, &s->verdict);
	put_classes(j, s);
	put_threads(j, s, paired);
	put_pins(j, s->pins);
	put_stack(j, s, o);
	json_close(j, '}');
}

static void put_sites(struct json_out *j, const struct report *r, const struct view_opts *o)
{
	json_open(j, "sites", '[');
	for (size_t i = 0; i < r->sites.n; i++)
		json_site(j, NULL, r, &r->sites.v[i], o);
	json_close(j, ']');
}

/* A row of --group-by; what its sites do not tell apart is null. */
static void put_group(struct json_out *j, const struct row *row, const struct view_opts *o, bool paired)
{
	bool counted = o->group_by != GROUP_CLASS && !row->before;

	json_open(j, NULL, '{');
	json_text(j, "function", row->func_name);
	json_text(j, "class", row->class);
	json_text(j, "of", row->of.name);
	json_known_count(j, "tid", row->tid ?: -1);
	json_text(j, "thread", row->thread);
	json_text(j, "module", row->module);
	json_text(j, "path", row->module_path);
	json_text(j, "caller", row->caller);
	json_bool(j, "before_attach", row->before);
	put_known(j, "acquired", counted, row->acquired);
	put_known(j, "released", counted && paired, row->released);
	put_known(j, "outstanding", paired && !row->unknown, row->outstanding);
	json_real(j, "rate_per_s", paired && !row->before ? row->rate_per_s : NAN);
	json_text(j, "verdict", site_verdict_names[row->verdict]);
	json_count(j, "sites", row->nr_sites);
	json_close(j, '}');
}

/* The rows of the table that --group-by asks for; null: it asks for sites. */
static void put_groups(struct json_out *j, const struct report *r, const struct view_opts *o)
{
	struct rows rows = {0};

	if (o->group_by == GROUP_SITE) {
		json_null(j, "groups");
		return;
	}
	if (rows_make(&r, 1, o->group_by, &rows) < 0)
		j->out->failed = true;
	rows_sort(&rows, column_default(o->group_by));
	json_open(j, "groups", '[');
	for (size_t i = 0; i < rows.n; i++)
		put_group(j, &rows.v[i], o, !r->count_only);
	json_close(j, ']');
	rows_free(&rows);
}

/* What was there at attach, by class; null when no family's is known. */
static void put_before(struct json_out *j, const struct report *r)
{
	bool known = false;

	for (size_t i = 0; i < NR_FAMILIES; i++)
		known |= r->families[i].before_known;
	if (!known) {
		json_null(j, "before_attach");
		return;
	}
	json_open(j, "before_attach", '[');
	for (size_t i = 0; i < r->before.n; i++) {
		const struct report_before *b = &r->before.v[i];

		json_open(j, NULL, '{');
		json_text(j, "family", family_name(r->catalog, b->family));
		json_text(j, "class", b->class);
		json_count(j, "outstanding", b->outstanding);
		put_class_of(j, b->is_class, b->of.v, b->of.n);
		json_close(j, '}');
	}
	json_close(j, ']');
}

static void put_finding_stack(struct json_out *j, const char *key, const char *truncated_key,
			      const struct report_stack *s, const struct view_opts *o)
{
	if (s->known)
		put_frames(j, key, &s->frames, o);
	else
		json_null(j, key);
	json_text(j, truncated_key, s->known ? s->truncated : NULL);
}

static void put_stalled(struct json_out *j, const struct report_held *h)
{
	if (h->no_stalled) {
		json_null(j, "stalled");
		json_text(j, "stalled_unknown", h->no_stalled);
		return;
	}
	json_open(j, "stalled", '[');
	for (size_t i = 0; i < h->stalled.n; i++) {
		const struct report_stalled *s = &h->stalled.v[i];

		json_open(j, NULL, '{');
		json_count(j, "tid", s->tid);
		json_text(j, "name", s->name);
		json_count(j, "times", s->times);
		json_known(j, "ms", s->ms);
		json_known(j, "max_ms", s->max_ms);
		json_close(j, '}');
	}
	json_close(j, ']');
	json_null(j, "stalled_unknown");
}

/* Of held-critical; null in all others. */
static void put_held(struct json_out *j, const struct report_held *h)
{
	static const char *const keys[] = {"holds",           "nested",      "max_hold_ms", "max_own_ms",
					   "histogram",       "held_now",    "stalled",     "stalled_unknown",
					   "collector_waits", "calls_inside"};

	for (size_t i = 0; i < ARRAY_LEN(keys) && !h; i++)
		json_null(j, keys[i]);
	if (!h)
		return;
	json_count(j, "holds", h->pins.holds);
	json_count(j, "nested", h->pins.inner);
	json_known(j, "max_hold_ms", h->max_ms);
	json_known(j, "max_own_ms", h->pins.cpu_waits_known ? h->own_ms : -1);
	put_histogram(j, &h->pins);
	json_open(j, "held_now", '[');
	for (size_t i = 0; i < h->now.n; i++) {
		json_open(j, NULL, '{');
		json_count(j, "tid", h->now.v[i].tid);
		json_known(j, "ms", h->now.v[i].ms);
		json_close(j, '}');
	}
	json_close(j, ']');
	put_stalled(j, h);
	if (h->collector_waits < 0)
		json_null(j, "collector_waits");
	else
		json_bool(j, "collector_waits", h->collector_waits);
	json_count(j, "calls_inside", h->calls_inside);
}

static void put_finding_thread(struct json_out *j, const char *key, const struct report_finding_thread *t)
{
	if (!t->tid) {
		json_null(j, key);
		return;
	}
	json_open(j, key, '{');
	json_count(j, "tid", t->tid);
	json_text(j, "name", t->name[0] ? t->name : NULL);
	json_close(j, '}');
}

void json_finding(struct json_out *j, const char *key, const struct report *r, const struct report_finding *f,
		  const struct view_opts *o)
{
	const struct finding_row *row = f ? &finding_rows[f->kind] : NULL;

	if (!f) {
		json_null(j, key);
		return;
	}
	json_open(j, key, '{');
	json_id(j, "id", f->id);
	json_text(j, "kind", row->name);
	json_text(j, "severity", finding_severity_names[row->severity]);
	json_count(j, "count", f->count);
	json_text(j, "function", func_name(r->catalog, f->func));
	json_text(j, "text", f->text);
	json_text(j, "doubt", f->doubt);
	json_known(j, "first_s", f->first_s);
	json_known(j, "last_s", f->last_s);
	if (f->handle)
		json_hex(j, "handle", f->handle);
	else
		json_null(j, "handle");
	put_finding_stack(j, "stack", "truncated", &f->stack, o);
	put_finding_stack(j, "acquire_stack", "acquire_truncated", &f->acquire, o);
	put_finding_stack(j, "release_stack", "release_truncated", &f->release, o);
	put_held(j, f->held);
	json_known_count(j, "local_refs", finding_has_locals(f->kind) ? (int64_t)f->local_refs : -1);
	put_finding_thread(j, "caller_thread", &f->caller);
	put_finding_thread(j, "owner_thread", &f->owner);
	json_text(j, "thrown_by", func_name(r->catalog, f->thrown_by));
	json_real(j, "per_s", f->kind == FINDING_ATTACH_CHURN ? f->per_s : NAN);
	json_real(j, "cost_ms_per_s", f->kind == FINDING_ATTACH_CHURN ? f->cost_ms_per_s : NAN);
	json_close(j, '}');
}

static void put_findings(struct json_out *j, const struct report *r, const struct view_opts *o)
{
	json_open(j, "findings", '[');
	for (size_t i = 0; i < r->findings.n; i++)
		json_finding(j, NULL, r, &r->findings.v[i], o);
	json_close(j, ']');
}

static void put_drops(struct json_out *j, const struct report *r)
{
	json_open(j, "drops", '{');
	for (size_t i = 0; i < NR_DROPS; i++)
		json_count(j, drop_rows[i].name, r->drops[i]);
	json_close(j, '}');
}

static void put_pile(struct json_out *j, const struct report *r)
{
	const struct report_pile *p = &r->pile;
	struct buf events = {0};

	if (!p->found) {
		json_null(j, "local_pile");
		return;
	}
	report_with_locals(r, &events);
	json_open(j, "local_pile", '{');
	json_known_count(j, "tid", p->tid ? p->tid : -1);
	json_text(j, "thread", *p->name ? p->name : NULL);
	json_count(j, "local_refs", p->refs);
	json_count(j, "frames", p->frames);
	json_bool(j, "at_least", p->more);
	json_bool(j, "now", p->now);
	json_known(j, "per_s", isnan(p->per_s) ? -1 : p->per_s);
	json_text(j, "events", events.failed ? NULL : events.p);
	json_close(j, '}');
	buf_free(&events);
}

/* Whether the stacks are whole; acquisitions, and of some the sites. */
static void put_stacks(struct json_out *j, const struct report_stacks *s, const char *no_java)
{
	json_open(j, "stacks", '{');
	json_count(j, "complete", s->complete);
	json_count(j, "incomplete", s->incomplete);
	json_count(j, "complete_sites", s->complete_sites);
	json_count(j, "incomplete_sites", s->incomplete_sites);
	json_text(j, "no_java", no_java);
	json_open(j, "reasons", '{');
	for (size_t i = 0; i < NR_ENDS; i++)
		if (stack_end_rows[i].name)
			json_count(j, stack_end_rows[i].name, s->reasons[i]);
	json_close(j, '}');
	json_close(j, '}');
}

static void put_overhead(struct json_out *j, const struct report *r)
{
	json_open(j, "overhead", '{');
	json_count(j, "probes", r->nr_probes);
	json_count(j, "events", r->events);
	json_known(j, "events_per_s", r->events_per_s);
	json_known(j, "probe_cost_ns_per_event", r->probe_cost_ns_per_event);
	json_known(j, "target_cpu_pct", r->target_cpu_pct);
	json_known(j, "self_cpu_pct", r->self_cpu_pct);
	json_count(j, "map_bytes", r->map_bytes);
	json_close(j, '}');
}

static void put_report(struct buf *out, const struct report *r, const struct view_opts *o)
{
	struct json_out j = {.out = out};

	json_begin(&j);
	json_time(&j, "time", r->time_unix_s);
	json_known(&j, "elapsed_s", r->elapsed_s);
	json_bool(&j, "final", r->final);
	json_text(&j, "end_reason", end_reason_names[r->end_reason]);
	json_target(&j, &r->target);
	put_calls(&j, r);
	put_sample(&j, r);
	put_families(&j, r);
	put_pile(&j, r);
	put_check(&j, &r->check);
	put_sites(&j, r, o);
	put_groups(&j, r, o);
	put_before(&j, r);
	put_libraries(&j, r);
	put_findings(&j, r, o);
	put_stacks(&j, &r->stacks, r->no_java);
	json_count(&j, "sites_pending", r->sites_pending);
	put_drops(&j, r);
	put_overhead(&j, r);
	json_close(&j, '}');
	json_end_line(&j);
}

void view_json(struct buf *out, const struct report *const *reports, size_t n, const struct view_opts *o)
{
	for (size_t i = 0; i < n; i++)
		put_report(out, reports[i], o);
}
