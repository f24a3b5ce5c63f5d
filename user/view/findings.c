/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The part of the table view that says what was used wrongly: a line each, what to do, and the stacks. */
#include "view/findings.h"

#include <math.h>
#include <string.h>

#include "view/cells.h"
#include "view/columns.h"
#include "view/text.h"

/* "error: double-delete 7 times, DeleteGlobalRef at Java_X_free leak.c:9" */
static void put_title(struct buf *out, const struct report *r, const struct report_finding *f, bool with_pid,
		      const struct view_opts *o, int width)
{
	const struct finding_row *row = &finding_rows[f->kind];
	const struct frame *frame = frames_caller(f->stack.known ? &f->stack.frames : &f->acquire.frames);
	struct flow flow = {.out = out, .width = width, .indent = INDENT};
	struct buf b = {0};

	buf_printf(&b, "%s: %s, ", finding_severity_names[row->severity], row->name);
	fmt_count(&b, f->count);
	buf_printf(&b, " %s%s",
		   f->held                           ? "section"
		   : f->kind == FINDING_LEAK         ? "reference"
		   : f->kind == FINDING_MONITOR_LEAK ? "monitor"
		   : f->kind == FINDING_THREAD_LEAK  ? "thread"
						     : "time",
		   f->count == 1 ? "" : "s");
	if (with_pid)
		buf_printf(&b, ", PID %d", r->target.pid);
	if (func_name(r->catalog, f->func))
		buf_printf(&b, ", %s", func_name(r->catalog, f->func));
	if (frame) {
		buf_printf(&b, " at ");
		frame_name(&b, frame);
		buf_printf(&b, " ");
		frame_location(&b, frame);
	}
	view_style(out, o, row->severity == SEVERITY_ERROR ? WARNING : BOLD);
	if (!b.failed && width >= CELLS_UNCUT)
		cells_puts(out, b.p, width); /* one line, to be searched for */
	else if (!b.failed)
		flow_words(&flow, b.p, b.n);
	view_style(out, o, PLAIN);
	flow_end(&flow);
	out->failed |= b.failed;
	buf_free(&b);
}

static void put_words(struct buf *out, const char *before, const char *text, int width)
{
	struct flow flow = {.out = out, .width = width, .indent = INDENT};
	struct buf b = {0};

	buf_printf(out, "%*s", INDENT - 1, ""); /* the first word puts a blank before it */
	flow.col = INDENT - 1;
	buf_printf(&b, "%s%s", before, text);
	if (!b.failed)
		flow_words(&flow, b.p, b.n);
	flow_end(&flow);
	out->failed |= b.failed;
	buf_free(&b);
}

/* Whose code called: of the caller outside the VM. */
static const struct report_library *library_of(const struct report *r, const struct report_finding *f)
{
	const struct frame *caller = frames_caller(&f->stack.frames);

	for (size_t i = 0; caller && caller->path && caller->type == FRAME_NATIVE && i < r->libraries.n; i++)
		if (r->libraries.v[i].path && !strcmp(r->libraries.v[i].path, caller->path))
			return &r->libraries.v[i];
	return NULL;
}

/* "Library: /opt/app/libthumb.so, package libthumb1 1.2-3, build-id 6458f488". */
static void put_owner(struct buf *out, const struct report_library *l, int width)
{
	struct buf b = {0};

	if (!l || !l->path)
		return;
	buf_printf(&b, "%s", l->path);
	if (l->package)
		buf_printf(&b, ", package %s%s%s", l->package, l->package_version ? " " : "",
			   l->package_version ?: "");
	if (l->build_id)
		buf_printf(&b, ", build-id %s", l->build_id);
	if (b.p && width >= CELLS_UNCUT) {
		buf_printf(out, "%*sLibrary: ", INDENT, "");
		cells_puts(out, b.p, width);
		buf_add(out, "\n", 1);
	} else if (b.p) {
		put_words(out, "Library: ", b.p, width);
	}
	out->failed |= b.failed;
	buf_free(&b);
}

static void put_stack(struct buf *out, const char *what, const struct report_stack *s,
		      const struct view_opts *o, int width)
{
	if (!s->known || o->stack_frames <= 0 || o->stacks == STACKS_NONE)
		return;
	buf_printf(out, "%*s%s:\n", INDENT, "", what);
	view_frames(out, &s->frames, s->truncated, NULL, o, width);
}

/* Does the table above have the stack of this leak? */
static bool has_row(const struct report *r, const struct view_opts *o)
{
	if (o->group_by != GROUP_SITE || o->sort)
		return false;
	/* What grows comes first there. */
	return o->rows <= 0 || r->verdicts[VERDICT_GROWING] <= (size_t)o->rows;
}

static void put_finding(struct buf *out, const struct report *r, const struct report_finding *f,
			bool with_pid, bool brief, const struct view_opts *o, int width)
{
	put_title(out, r, f, with_pid, o, width);
	if (brief && finding_is_leak(f->kind) && o->group_by == GROUP_SITE)
		return; /* a row above tells the same */
	put_words(out, "", f->text, width);
	if (f->doubt)
		put_words(out, "In doubt: ", f->doubt, width);
	put_owner(out, library_of(r, f), width);
	if (brief)
		return;
	if (f->kind != FINDING_LEAK) /* its call is the acquisition */
		put_stack(out, "called by", &f->stack, o, width);
	if (f->kind != FINDING_LEAK || !has_row(r, o))
		put_stack(out, f->kind == FINDING_PENDING_EXCEPTION ? "thrown by" : "acquired by",
			  &f->acquire, o, width);
	put_stack(out, "released by", &f->release, o, width);
}

/* Seconds until one knows more, of the site that is nearest; INFINITY: time alone will not tell. */
static double wait_of(const struct report *r)
{
	double wait_s = INFINITY;

	for (size_t i = 0; i < r->sites.n; i++) {
		const struct report_verdict *v = &r->sites.v[i].verdict;

		if (v->kind == VERDICT_UNKNOWN && v->ready_in_s > 0)
			wait_s = fmin(wait_s, v->ready_in_s);
	}
	return wait_s;
}

/* " for liba.so, libb.so": those of which nothing can be said. */
static size_t add_unjudged(struct buf *out, const struct report *r)
{
	size_t n = 0;

	for (size_t i = 0; i < r->libraries.n; i++)
		if (!library_verdict(&r->libraries.v[i]) && r->libraries.v[i].judged)
			buf_printf(out, "%s%s", n++ ? ", " : " for ",
				   r->libraries.v[i].module ?: "unknown library");
	return n;
}

/* Of what there is no verdict, and when there will be one: as long as some library has none. */
static void put_wait(struct buf *out, const struct report *r, bool with_pid, bool some_known, int width)
{
	struct flow flow = {.out = out, .width = width, .indent = INDENT};
	struct buf b = {0}, libraries = {0};
	bool unjudged = add_unjudged(&libraries, r);
	double wait_s = wait_of(r);

	if (!r->count_only && (unjudged || isfinite(wait_s))) {
		if (with_pid)
			buf_printf(&b, "PID %d ", r->target.pid);
		if (!isfinite(wait_s))
			buf_printf(&b, "verdict: unclear%s, neither steady growth nor an end of it",
				   libraries.p ?: "");
		else if (r->final)
			buf_printf(&b, "verdict: %s%s, needs %.0f s more",
				   some_known && !unjudged ? "not for all sites yet" : "none yet",
				   libraries.p ?: "", ceil(wait_s));
		else
			buf_printf(&b, "verdict: in %.0f s%s", ceil(wait_s),
				   unjudged     ? libraries.p
				   : some_known ? " for the other sites"
						: "");
		if (!b.failed)
			flow_words(&flow, b.p, b.n);
		flow_end(&flow);
	}
	out->failed |= b.failed || libraries.failed;
	buf_free(&b);
	buf_free(&libraries);
}

/* "verdict: libleaky.so growing (2 of 3 sites) · libgood.so clean (17 sites)"; nothing as long as none is
 * known. */
static void put_libraries(struct buf *out, const struct report *r, bool with_pid, const struct view_opts *o,
			  int width)
{
	struct flow flow = {.out = out, .width = width, .indent = INDENT};
	struct buf b = {0};
	const char *separator = "";

	for (size_t i = 0; i < r->libraries.n; i++) {
		const struct report_library *l = &r->libraries.v[i];
		size_t growing = l->verdicts[VERDICT_GROWING];

		if (!library_verdict(l))
			continue;
		b.n = 0;
		if (!*separator && with_pid)
			buf_printf(&b, "PID %d ", r->target.pid);
		if (!*separator)
			buf_printf(&b, "verdict: ");
		buf_printf(&b, "%s %s (", l->module ?: "unknown library", library_verdict(l));
		if (growing)
			buf_printf(&b, "%zu of ", growing);
		buf_printf(&b, "%zu site%s)", l->sites, l->sites == 1 ? "" : "s");
		if (!b.failed)
			flow_add(&flow, separator, b.p, b.n);
		separator = " \xc2\xb7 ";
	}
	if (*separator)
		flow_end(&flow);
	put_wait(out, r, with_pid, *separator, width);
	for (size_t i = 0; o->all && i < r->libraries.n; i++)
		put_owner(out, &r->libraries.v[i], width);
	out->failed |= b.failed;
	buf_free(&b);
}

static void put_left_out(struct buf *out, size_t n, int width)
{
	struct buf b = {0};

	buf_printf(&b, "\xe2\x80\xa6 %zu more finding%s (--rows, or --batch)", n, n == 1 ? "" : "s");
	if (b.p)
		cells_puts(out, b.p, width);
	buf_add(out, "\n", 1);
	out->failed |= b.failed;
	buf_free(&b);
}

/* Errors of all targets come before the first warning. */
void view_findings(struct buf *out, const struct report *const *reports, size_t n, int lines,
		   const struct view_opts *o, int width)
{
	size_t left_out = 0, shown = 0;

	for (size_t i = 0; i < n; i++)
		put_libraries(out, reports[i], n > 1, o, width);
	for (int severity = 0; severity < NR_SEVERITIES; severity++)
		for (size_t i = 0; i < n; i++)
			for (size_t k = 0; k < reports[i]->findings.n; k++) {
				const struct report_finding *f = &reports[i]->findings.v[k];

				if ((int)finding_rows[f->kind].severity != severity)
					continue;
				if ((lines > 0 && shown > 0 && view_lines(out, 0) >= lines) ||
				    (o->rows > 0 && shown >= (size_t)o->rows)) {
					left_out++;
					continue;
				}
				put_finding(out, reports[i], f, n > 1, lines > 0, o, width);
				shown++;
			}
	if (left_out > 0)
		put_left_out(out, left_out, width);
}
