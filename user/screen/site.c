/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What is known of one site: below the table in few lines, and on a panel of its own all of it. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/sample.h"
#include "screen/draw.h"
#include "view/answer.h"
#include "view/cells.h"
#include "view/text.h"

#define LABEL        10 /* cells of a label */
#define GRAPH_ROWS   8
#define GRAPH_LABELS 12
#define MOST_CLASSES 12
#define MOST_THREADS 12
#define LEAST_BESIDE 44 /* cells of a stack that stands beside another */

static void put_growth_text(struct buf *out, const struct report_verdict *v)
{
	if (!isfinite(v->per_min))
		return;
	buf_printf(out, "%s", v->per_min > 0 ? "+" : "");
	fmt_figure(out, v->per_min);
	buf_printf(out, "/min");
	if (isfinite(v->error_per_min)) {
		buf_printf(out, " (+-");
		fmt_figure(out, v->error_per_min);
		buf_printf(out, ")");
	}
	if (v->span_s > 0) {
		buf_printf(out, " over ");
		fmt_age(out, v->span_s);
	}
}

/* "355 live, +5.0/s, oldest 1m11s; 355 acquired, 0 released" */
static void put_numbers(struct buf *out, const struct report *r, const struct report_site *s)
{
	if (!r->count_only) {
		if (s->life_unknown)
			buf_printf(out, "?");
		else
			fmt_count(out, s->outstanding);
		sample_put_error(out, s->outstanding, report_one_in(r, s->func));
		buf_printf(out, " live, ");
		fmt_rate(out, s->rate_per_s);
		if (s->outstanding) {
			buf_printf(out, ", oldest ");
			fmt_age(out, s->oldest_s);
		}
		buf_printf(out, "; ");
	}
	fmt_count(out, s->acquired);
	buf_printf(out, " acquired");
	if (r->count_only)
		return;
	buf_printf(out, ", ");
	fmt_count(out, s->released);
	buf_printf(out, " released");
	if (s->died) {
		buf_printf(out, ", ");
		fmt_count(out, s->died);
		buf_printf(out, " died with their frame");
	}
}

/* Of the class of most of its references; 0: none. */
static uint64_t before_of(const struct report *r, const struct report_site *s)
{
	uint64_t n = 0;

	for (size_t i = 0; i < r->before.n && s->classes.n; i++)
		if (r->before.v[i].class && r->before.v[i].family == func_family(r->catalog, s->func) &&
		    !strcmp(r->before.v[i].class, s->classes.v[0].name))
			n = add_capped(n, r->before.v[i].outstanding);
	return n;
}

static struct view_opts frame_opts(const struct browser *b, int frames, int columns)
{
	return (struct view_opts){
	    .width = columns > VIEW_MIN_WIDTH ? columns : VIEW_MIN_WIDTH,
	    .stacks = b->request->stacks == STACKS_NONE ? STACKS_MIXED : b->request->stacks,
	    .stack_frames = frames,
	};
}

static const char *const blocks[] = {" ",
				     "\xe2\x96\x81",
				     "\xe2\x96\x82",
				     "\xe2\x96\x83",
				     "\xe2\x96\x84",
				     "\xe2\x96\x85",
				     "\xe2\x96\x86",
				     "\xe2\x96\x87",
				     "\xe2\x96\x88"};

static void put_graph_line(struct buf *out, const float *points, int n, float low, float step)
{
	for (int i = 0; i < n; i++) {
		float height = isnan(points[i]) ? 0 : (points[i] - low) / step * 8;

		buf_printf(out, "%s",
			   blocks[height <= 0   ? 0
				  : height >= 8 ? 8
				  : height < 1  ? 1
						: (int)height]);
	}
}

static void add_graph(struct page *p, const struct browser *b, struct row_key key, int columns)
{
	float points[TREND_BINS], most = 0, step;
	int n = columns - GRAPH_LABELS - 2;
	struct buf label = {0}, line = {0};

	n = n > TREND_BINS ? TREND_BINS : n;
	if (n < 10 || !trends_curve(&b->trends, key.a, key.b, now_of(b), points, n))
		return;
	for (int i = 0; i < n; i++)
		most = isnan(points[i]) ? most : fmaxf(most, points[i]);
	if (most <= 0) /* it never held any when it was looked at */
		return;
	page_add(p, STYLE_PLAIN, " ");
	page_add(p, STYLE_BAR, "%s over time",
		 b->request->count_only ? "Acquired"
		 : key.b == GROUP_PID   ? "Live, acquired since attach,"
					: "Live");
	step = fmaxf(most, GRAPH_ROWS) / GRAPH_ROWS;
	for (int row = GRAPH_ROWS - 1; row >= 0; row--) {
		label.n = 0;
		if (row == GRAPH_ROWS - 1)
			fmt_count(&label, (uint64_t)(step * GRAPH_ROWS + 0.5F));
		else if (row == 0)
			buf_printf(&label, "0");
		buf_printf(&line, "%*s \xe2\x94\x82", GRAPH_LABELS - 2, label.n && label.p ? label.p : "");
		put_graph_line(&line, points, n, step * (float)row, step);
		page_text(p, STYLE_GRAPH, &line);
	}
	label.n = 0;
	fmt_age(&label, now_of(b));
	buf_printf(&line, "%*s0s%*s", GRAPH_LABELS, "", n - 2, label.p ? label.p : "");
	page_text(p, STYLE_DIM, &line);
	buf_free(&label);
}

/* --- all of it -------------------------------------------------------------------------------------- */

static void add_verdict(struct page *p, const struct report *r, const struct report_site *s)
{
	struct buf text = {0}, open = {0};
	unsigned style = put_verdict(&text, &s->verdict, r->count_only);

	if (isfinite(s->verdict.per_min)) {
		buf_printf(&text, "  ");
		put_growth_text(&text, &s->verdict);
	}
	if (s->verdict.kind != VERDICT_UNKNOWN)
		buf_printf(&text, ", confidence %s", confidence_names[s->verdict.confidence]);
	page_item(p, LABEL, "verdict", style, "%s", text.p ? text.p : "");
	verdict_not_known(&open, &s->verdict);
	if (open.n)
		page_item(p, LABEL, "", STYLE_DIM, "%s", open.p);
	buf_free(&text);
	buf_free(&open);
}

/* When it will hurt, if it grows, and why. */
static void add_limit(struct page *p, const struct report *r, const struct report_site *s)
{
	struct buf text = {0};

	if (s->verdict.kind != VERDICT_GROWING)
		return;
	if (view_forecast(&text, r, s))
		buf_printf(&text, ": ");
	view_limit(&text, r, s);
	if (text.p)
		page_item(p, LABEL, "limit", STYLE_NOTE, "%s", text.p);
	buf_free(&text);
}

/* "first 1.0s, last 1m11s after attach": of a recording that was gone through further than to here, until
 * here. */
static void add_seen(struct page *p, const struct browser *b, const struct report *r, struct row_key key)
{
	const struct seen_site *seen = seen_find(&b->seen, key.a, key.b);
	struct buf text = {0};

	if (!seen || seen->first_s > r->elapsed_s)
		return;
	buf_printf(&text, "first ");
	fmt_age(&text, seen->first_s);
	buf_printf(&text, seen->last_s > r->elapsed_s ? ", and again later than " : ", last ");
	fmt_age(&text, seen->last_s > r->elapsed_s ? r->elapsed_s : seen->last_s);
	buf_printf(&text, " after attach");
	if (text.p)
		page_item(p, LABEL, "acquired", STYLE_PLAIN, "%s", text.p);
	buf_free(&text);
}

static void add_classes(struct page *p, const struct report_site *s)
{
	const char *label = "classes";

	for (size_t i = 0; i < s->classes.n && i < MOST_CLASSES; i++) {
		const struct report_class *c = &s->classes.v[i];
		struct buf n = {0};

		fmt_count(&n, c->outstanding);
		page_item(p, LABEL, label, STYLE_PLAIN, "%10s  %s", n.p ? n.p : "", c->name);
		label = "";
		for (size_t k = 0; k < c->of.n && k < MOST_CLASSES; k++)
			page_item(p, LABEL, "", STYLE_DIM, "%10llu    of %s%s%s",
				  (unsigned long long)c->of.v[k].count, c->of.v[k].name,
				  c->of.v[k].loader ? ", loader " : "", c->of.v[k].loader ?: "");
		buf_free(&n);
	}
	if (s->classes.n > MOST_CLASSES)
		page_item(p, LABEL, "", STYLE_DIM, "and %zu classes more", s->classes.n - MOST_CLASSES);
}

/* Those that hold most first. */
static int compare_held(const void *a, const void *b)
{
	const struct report_thread *x = *(const struct report_thread *const *)a,
				   *y = *(const struct report_thread *const *)b;
	int c = (x->outstanding < y->outstanding) - (x->outstanding > y->outstanding);

	return c ?: (x->acquired < y->acquired) - (x->acquired > y->acquired);
}

static void add_threads(struct page *p, const struct report_site *s)
{
	const struct report_thread **sorted = calloc(s->threads.n + 1, sizeof(*sorted));

	for (size_t i = 0; sorted && i < s->threads.n; i++)
		sorted[i] = &s->threads.v[i];
	if (sorted && s->threads.n > 1)
		qsort(sorted, s->threads.n, sizeof(*sorted), compare_held);
	for (size_t i = 0; i < s->threads.n && i < MOST_THREADS; i++) {
		const struct report_thread *t = sorted ? sorted[i] : &s->threads.v[i];
		struct buf who = {0};

		if (t->tid)
			buf_printf(&who, "%7d  %s", t->tid, t->name ?: "?");
		else
			buf_printf(&who, "%7s  not told apart", "-");
		page_item(p, LABEL, i ? "" : "threads", STYLE_PLAIN, "%s: %llu live of %llu acquired",
			  who.p ?: "", (unsigned long long)t->outstanding, (unsigned long long)t->acquired);
		buf_free(&who);
	}
	free(sorted);
	if (s->threads.n > MOST_THREADS)
		page_item(p, LABEL, "", STYLE_DIM, "and %zu threads more", s->threads.n - MOST_THREADS);
}

static void add_library(struct page *p, const struct report *r, const struct report_site *s)
{
	const struct frame *f = site_frame(s);

	for (size_t i = 0; f && f->path && i < r->libraries.n; i++) {
		const struct report_library *l = &r->libraries.v[i];

		if (!l->path || strcmp(l->path, f->path))
			continue;
		page_item(p, LABEL, "library", STYLE_PLAIN, "%s%s%s%s%s", l->path,
			  l->package ? ", package " : "", l->package ?: "", l->package_version ? " " : "",
			  l->package_version ?: "");
		if (l->build_id)
			page_item(p, LABEL, "", STYLE_DIM, "build-id %s", l->build_id);
		return;
	}
	if (f && (f->path || f->module))
		page_item(p, LABEL, "library", STYLE_PLAIN, "%s", f->path ?: f->module);
}

static void add_findings(struct page *p, const struct report *r, const struct report_site *s, int columns)
{
	for (size_t i = 0; i < r->findings.n; i++) {
		const struct report_finding *f = &r->findings.v[i];
		struct flow flow;
		struct buf text = {0};

		if (f->site_id != s->id)
			continue;
		page_add(p, STYLE_PLAIN, " ");
		page_add(p, finding_rows[f->kind].severity == SEVERITY_ERROR ? STYLE_ALARM : STYLE_NOTE,
			 "%s: %s", finding_severity_names[finding_rows[f->kind].severity],
			 finding_rows[f->kind].name);
		flow = (struct flow){.out = &text, .width = columns, .indent = INDENT, .col = INDENT - 1};
		buf_printf(&text, "%*s", INDENT - 1, "");
		flow_words(&flow, f->text, strlen(f->text));
		flow_end(&flow);
		page_text(p, STYLE_PLAIN, &text);
	}
}

void page_of_site(struct page *p, const struct browser *b, const struct report *r,
		  const struct report_site *s, int columns)
{
	struct view_opts o = frame_opts(b, JT_MAX_FRAMES, columns);
	struct buf text = {0};
	uint64_t before = before_of(r, s);

	if (site_frame(s))
		frame_name(&text, site_frame(s));
	buf_printf(&text, "%s%s", text.n ? "  " : "[no stack]  ", func_name(r->catalog, s->func) ?: "?");
	page_text(p, STYLE_BOLD, &text);
	add_verdict(p, r, s);
	put_numbers(&text, r, s);
	page_item(p, LABEL, "numbers", STYLE_PLAIN, "%s", text.p ? text.p : "");
	text.n = 0;
	add_seen(p, b, r, key_of_site(r, s));
	add_limit(p, r, s);
	add_classes(p, s);
	if (before) {
		fmt_count(&text, before);
		page_item(p, LABEL, "before", STYLE_NOTE, "%s more of that class were there before attach",
			  text.p ? text.p : "");
	}
	buf_free(&text);
	add_threads(p, s);
	add_library(p, r, s);
	page_item(p, LABEL, "site", STYLE_DIM, "%016llx of PID %d", (unsigned long long)s->id, r->target.pid);
	page_add(p, STYLE_BAR, "Stack, innermost first");
	view_frames(&text, &s->frames, s->truncated, NULL, &o, o.width);
	page_text(p, STYLE_PLAIN, &text);
	if (!s->frames.n)
		page_add(p, STYLE_DIM, "    no stack could be kept");
	add_graph(p, b, key_of_site(r, s), columns);
	add_findings(p, r, s, o.width);
}

/* --- in few lines ------------------------------------------------------------------------------------ */

/* What was added since has room; else it goes again. */
static bool has_room(struct page *p, size_t *before, int room)
{
	if ((int)p->lines.n > room) {
		p->lines.n = *before;
		return false;
	}
	*before = p->lines.n;
	return true;
}

/* What is worth most first, as long as there is room for more. */
static void add_rest(struct page *p, const struct browser *b, const struct report *r,
		     const struct report_site *s, int room, int columns)
{
	size_t before = p->lines.n;

	page_add(p, STYLE_PLAIN, " ");
	add_verdict(p, r, s);
	add_limit(p, r, s);
	if (!has_room(p, &before, room))
		return;
	add_classes(p, s);
	if (!has_room(p, &before, room))
		return;
	add_library(p, r, s);
	if (!has_room(p, &before, room))
		return;
	add_seen(p, b, r, key_of_site(r, s));
	if (!has_room(p, &before, room))
		return;
	add_findings(p, r, s, columns);
	has_room(p, &before, room);
}

/* The last parts go whole where there is no room for them. */
static void drop_parts(struct buf *line, int columns)
{
	for (size_t i = line->n; i-- > 1 && line->n > (size_t)columns;)
		if (line->p[i] == ' ' && (line->p[i - 1] == ';' || line->p[i - 1] == ','))
			line->n = i - 1;
}

void page_of_site_brief(struct page *p, const struct browser *b, const struct report *r,
			const struct row *row, int frames, int room, int columns)
{
	const struct report_site *s = row->site;
	struct view_opts o = frame_opts(b, frames, columns);
	struct buf text = {0}, line = {0};
	uint64_t before = r ? before_of(r, s) : 0;
	bool alike = row->differs[0] != NO_FRAME || row->differs[1] != NO_FRAME;

	if (!r)
		return;
	buf_printf(&line, "%s: ", func_name(r->catalog, s->func) ?: "?");
	put_numbers(&line, r, s);
	if (isfinite(s->verdict.per_min)) {
		buf_printf(&line, "; ");
		put_growth_text(&line, &s->verdict);
	}
	buf_printf(&line, "; id %016llx", (unsigned long long)s->id);
	drop_parts(&line, columns);
	page_text(p, STYLE_BOLD, &line);
	if (before && s->outstanding) {
		buf_printf(&line, "  ");
		fmt_count(&line, before);
		buf_printf(&line, " more %s were there before attach", s->classes.v[0].name);
		page_text(p, STYLE_NOTE, &line);
	}
	view_frames(&text, &s->frames, s->truncated, alike ? row->differs : NULL, &o, o.width);
	page_text(p, STYLE_PLAIN, &text);
	if (room < (int)p->lines.n + GRAPH_ROWS + 3)
		return;
	add_graph(p, b, key_of_site(r, s), columns);
	add_rest(p, b, r, s, room, o.width);
}

void page_of_row(struct page *p, const struct browser *b, const struct row *r, struct row_key key, int room,
		 int columns)
{
	if (r->of.name)
		page_add(p, STYLE_PLAIN, "  class %s of %s%s%s", r->class ?: "?", r->of.name,
			 r->of.loader ? ", loader " : "", r->of.loader ?: "");
	if (!r->before && !r->site) {
		struct buf text = {0};

		buf_printf(&text, "  ");
		fmt_count(&text, b->request->count_only ? r->acquired : r->outstanding);
		buf_printf(&text, " %s", b->request->count_only ? "acquired" : "live");
		if (!b->request->count_only && r->held_before) {
			buf_printf(&text, ", ");
			fmt_count(&text, r->outstanding - r->held_before);
			buf_printf(&text, " of them acquired since attach");
		}
		buf_printf(&text, ", at %zu site%s: Enter shows %s", r->nr_sites, r->nr_sites == 1 ? "" : "s",
			   r->nr_sites == 1 ? "it" : "them");
		page_text(p, STYLE_BOLD, &text);
	}
	if (r->before)
		page_add(p, STYLE_DIM, "  acquired before attach, and still there: by whom is not known");
	if (room >= (int)p->lines.n + GRAPH_ROWS + 3 && has_curves(b))
		add_graph(p, b, key, columns);
}

/* --- findings --------------------------------------------------------------------------------------- */

/* Its stacks, those that tell something: the call of a leak is the acquisition. */
static size_t stacks_of(const struct report_finding *f, const char *names[3],
			const struct report_stack *stacks[3])
{
	const struct {
		const char *name;
		const struct report_stack *stack;
	} all[] = {
	    {finding_is_leak(f->kind) ? NULL : "called by", &f->stack},
	    {f->kind == FINDING_PENDING_EXCEPTION ? "thrown by" : "acquired by", &f->acquire},
	    {"released by", &f->release},
	};
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		if (all[i].name && all[i].stack->known) {
			names[n] = all[i].name;
			stacks[n++] = all[i].stack;
		}
	return n;
}

/* Side by side where there is room. */
static void add_stacks(struct page *p, const struct browser *b, const struct report_finding *f, int columns)
{
	const struct report_stack *stacks[3];
	struct buf texts[3] = {{0}};
	const char *names[3];
	size_t n = stacks_of(f, names, stacks);
	int width = n > 1 ? (columns - 2 * (int)(n - 1)) / (int)n : columns;
	bool beside = n > 1 && width >= LEAST_BESIDE;
	struct view_opts o = frame_opts(b, JT_MAX_FRAMES, beside ? width : columns);

	for (size_t i = 0; i < n; i++) {
		buf_printf(&texts[i], "  %s:\n", names[i]);
		view_frames(&texts[i], &stacks[i]->frames, stacks[i]->truncated, NULL, &o, o.width);
	}
	if (beside)
		page_columns(p, texts, n, width, STYLE_PLAIN);
	for (size_t i = 0; !beside && i < n; i++)
		page_text(p, STYLE_PLAIN, &texts[i]);
}

static void add_finding(struct page *p, const struct browser *b, const struct report *r,
			const struct report_finding *f, int columns)
{
	const struct finding_row *row = &finding_rows[f->kind];
	const struct frame *at = frames_caller(f->stack.known ? &f->stack.frames : &f->acquire.frames);
	struct flow flow;
	struct buf text = {0};

	buf_printf(&text, "%s: %s, ", finding_severity_names[row->severity], row->name);
	fmt_count(&text, f->count);
	buf_printf(&text, finding_is_leak(f->kind) ? " held" : f->count == 1 ? " time" : " times");
	if (func_name(r->catalog, f->func))
		buf_printf(&text, ", %s", func_name(r->catalog, f->func));
	if (at) {
		buf_printf(&text, " at ");
		frame_name(&text, at);
		buf_printf(&text, " ");
		frame_location(&text, at);
	}
	if (b->reports.n > 1)
		buf_printf(&text, ", PID %d", r->target.pid);
	page_text(p, row->severity == SEVERITY_ERROR ? STYLE_ALARM : STYLE_NOTE, &text);
	flow = (struct flow){.out = &text, .width = columns, .indent = INDENT, .col = INDENT - 1};
	buf_printf(&text, "%*s", INDENT - 1, "");
	flow_words(&flow, f->text, strlen(f->text));
	flow_end(&flow);
	if (f->doubt)
		buf_printf(&text, "  In doubt: %s\n", f->doubt);
	page_text(p, STYLE_PLAIN, &text);
	add_stacks(p, b, f, columns);
	page_add(p, STYLE_PLAIN, " ");
}

void page_of_findings(struct page *p, const struct browser *b, int columns)
{
	struct looked_at of = reports_of(b);

	for (int severity = 0; severity < NR_SEVERITIES; severity++)
		for (size_t i = 0; i < of.n; i++)
			for (size_t k = 0; k < of.v[i]->findings.n; k++)
				if ((int)finding_rows[of.v[i]->findings.v[k].kind].severity == severity)
					add_finding(p, b, of.v[i], &of.v[i]->findings.v[k], columns);
	if (!p->lines.n)
		page_add(p, STYLE_GOOD, "no findings");
}
