/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The columns of the tables and the rows they show. See columns.h. */
#include "view/columns.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/sample.h"
#include "view/class_of.h"
#include "view/order.h"

const char *const group_names[NR_GROUPS] = {
    [GROUP_SITE] = "site",     [GROUP_FUNCTION] = "function", [GROUP_PID] = "pid",
    [GROUP_CLASS] = "class",   [GROUP_THREAD] = "thread",     [GROUP_LIBRARY] = "library",
    [GROUP_CALLER] = "caller",
};

const struct frame *site_frame(const struct report_site *s)
{
	return frames_caller(&s->frames);
}

void frame_name(struct buf *out, const struct frame *f)
{
	if (f->symbol)
		buf_add(out, f->symbol, strlen(f->symbol));
	else if (f->module)
		buf_printf(out, "%s+0x%llx", f->module, (unsigned long long)f->offset);
	else
		buf_printf(out, "0x%llx", (unsigned long long)f->offset);
}

void frame_location(struct buf *out, const struct frame *f)
{
	const char *slash = f->file ? strrchr(f->file, '/') : NULL;

	if (!f->file)
		return;
	buf_printf(out, "%s", slash ? slash + 1 : f->file);
	if (f->line > 0)
		buf_printf(out, ":%d", f->line);
}

/* Comparing: numbers from the largest down, names from A to Z. */

#define COMPARE_NUMBER(field)                                                                                \
	static int compare_##field(const struct row *a, const struct row *b)                                 \
	{                                                                                                    \
		return MORE_FIRST(a->field, b->field);                                                       \
	}
COMPARE_NUMBER(outstanding)
COMPARE_NUMBER(acquired)
COMPARE_NUMBER(released)
COMPARE_NUMBER(oldest_s)

/* Unknown ones last. */
static int compare_rate_per_s(const struct row *a, const struct row *b)
{
	if (!isfinite(a->rate_per_s) || !isfinite(b->rate_per_s))
		return !isfinite(a->rate_per_s) - !isfinite(b->rate_per_s);
	return MORE_FIRST(a->rate_per_s, b->rate_per_s);
}

COMPARE_NUMBER(acquired_per_s)
COMPARE_NUMBER(nr_sites)
COMPARE_NUMBER(tid)
COMPARE_NUMBER(bytes)

/* Those of pins: not only while some are held, or the columns would jump. */
static bool has_bytes(const struct row *r)
{
	return r->bytes >= 0;
}

COMPARE_NUMBER(peak)

static bool has_peak(const struct row *r)
{
	return r->peak > 0;
}

/* Can it be a leak? What grows is one; what has no verdict yet may be one. */
static int suspicion(const struct row *r)
{
	if (r->before)
		return 0;
	return r->verdict == VERDICT_GROWING ? 2 : r->verdict == VERDICT_UNKNOWN;
}

static int compare_verdict(const struct row *a, const struct row *b)
{
	return MORE_FIRST(suspicion(a), suspicion(b));
}

static const char *row_comm(const struct row *r)
{
	return r->target ? target_name_of(r->target) : "";
}

static const char *row_func(const struct row *r)
{
	return r->func_name ? r->func_name : "";
}

static int compare_pid(const struct row *a, const struct row *b)
{
	int pid_a = a->target ? a->target->pid : 0, pid_b = b->target ? b->target->pid : 0;

	return MORE_FIRST(pid_b, pid_a);
}

static int compare_comm(const struct row *a, const struct row *b)
{
	return strcmp(row_comm(a), row_comm(b));
}

static int compare_func(const struct row *a, const struct row *b)
{
	return strcmp(row_func(a), row_func(b));
}

/* Unknown ones last. */
static int compare_thread(const struct row *a, const struct row *b)
{
	return compare_text(a->thread, b->thread);
}

/* Files of one name are told apart by their folders. */
static int compare_module(const struct row *a, const struct row *b)
{
	int c = compare_text(a->module, b->module);

	return c ?: compare_text(a->module_path, b->module_path);
}

static int compare_caller(const struct row *a, const struct row *b)
{
	return compare_text(a->caller, b->caller);
}

static const char *row_class(const struct row *r)
{
	return r->site && r->site->classes.n ? r->site->classes.v[0].name : r->class;
}

/* Unknown ones last. */
static int compare_class(const struct row *a, const struct row *b)
{
	int c = compare_text(row_class(a), row_class(b));

	return c ?: compare_text(a->of.name, b->of.name);
}

static int compare_id(const struct row *a, const struct row *b)
{
	return a->site && b->site ? MORE_FIRST(b->site->id, a->site->id) : 0;
}

/* By module and symbol, so that the sites of one library stand together; sites without a frame last. */
static int compare_site(const struct row *a, const struct row *b)
{
	const struct frame *fa = a->site ? site_frame(a->site) : NULL;
	const struct frame *fb = b->site ? site_frame(b->site) : NULL;
	int c;

	if (!fa || !fb)
		return !fa - !fb;
	c = strcmp(fa->module ? fa->module : "", fb->module ? fb->module : "");
	if (c == 0)
		c = strcmp(fa->symbol ? fa->symbol : "", fb->symbol ? fb->symbol : "");
	return c != 0 ? c : MORE_FIRST(fb->offset, fa->offset);
}

/* Formatting. */

#define BEFORE_ATTACH "before attach"

/* The class of most of a site's references, and how many others there are. */
static void put_site_class(struct buf *out, const struct report_site *s)
{
	if (s->classes.n == 0) {
		buf_printf(out, "-");
		return;
	}
	buf_printf(out, "%s", s->classes.v[0].name);
	if (s->classes.n > 1)
		buf_printf(out, " +%zu", s->classes.n - 1);
}

/* In a table of sites; not only while some are outstanding, or the columns would jump. */
static bool has_class(const struct row *r)
{
	return r->site ? r->typed : !r->in_sites;
}

static void put_class(struct buf *out, const struct row *r)
{
	if (r->site) {
		put_site_class(out, r->site);
		return;
	}
	buf_printf(out, "%s", r->class ? r->class : "?");
	if (r->of.name) {
		buf_printf(out, " of ");
		view_class_of(out, &r->of);
	}
	if (r->more_of)
		buf_printf(out, " +%zu", r->more_of);
	if (r->before && r->family != FAMILY_GLOBAL)
		buf_printf(out, " (%s)", r->family_name);
}

#define FORMAT(name, call)                                                                                   \
	static void name(struct buf *out, const struct row *r, int width)                                    \
	{                                                                                                    \
		(void)width;                                                                                 \
		call;                                                                                        \
	}
void row_put_outstanding(struct buf *out, const struct row *r)
{
	if (r->unknown)
		buf_printf(out, "?");
	else
		fmt_count(out, r->outstanding);
	if (!r->unknown)
		sample_put_error(out, r->estimated, r->one_in);
}
FORMAT(format_outstanding, row_put_outstanding(out, r))
FORMAT(format_acquired, fmt_count(out, r->acquired))
FORMAT(format_released, fmt_count(out, r->released))
FORMAT(format_peak, r->peak > 0 ? fmt_count(out, (uint64_t)r->peak) : buf_printf(out, "-"))
FORMAT(format_oldest, fmt_age(out, r->oldest_s))
FORMAT(format_rate, fmt_rate(out, r->rate_per_s))
FORMAT(format_acquired_rate, fmt_rate(out, r->acquired_per_s))
FORMAT(format_sites, fmt_count(out, r->nr_sites))
FORMAT(format_func, buf_printf(out, "%s", r->before ? BEFORE_ATTACH : row_func(r)))
FORMAT(format_verdict,
       buf_printf(out, "%s", site_verdict_names[r->verdict] ? site_verdict_names[r->verdict] : "-"))
FORMAT(format_class, r->before && r->in_sites ? buf_printf(out, "-") : put_class(out, r))
FORMAT(format_thread, buf_printf(out, "%s", r->before ? BEFORE_ATTACH : r->thread ? r->thread : "?"))
FORMAT(format_module, buf_printf(out, "%s", r->before ? BEFORE_ATTACH : r->module_path ?: r->module ?: "?"))
FORMAT(format_caller, buf_printf(out, "%s", r->before ? BEFORE_ATTACH : r->caller ?: "?"))
FORMAT(format_tid, r->tid ? buf_printf(out, "%d", r->tid) : buf_printf(out, "-"))
FORMAT(format_comm, buf_printf(out, "%s", row_comm(r)))
FORMAT(format_pid, buf_printf(out, "%d", r->target ? r->target->pid : 0))
FORMAT(format_id,
       r->before ? (void)0 : buf_printf(out, "%016llx", r->site ? (unsigned long long)r->site->id : 0))

static void format_bytes(struct buf *out, const struct row *r, int width)
{
	(void)width;
	if (r->bytes < 0)
		buf_printf(out, "-");
	else
		fmt_bytes(out, (uint64_t)r->bytes);
}

/* "symbol file:line". Where it is tight the symbol is cut, not the line: that is what one looks up. */
static void format_site(struct buf *out, const struct row *r, int width)
{
	const struct frame *f = r->site ? site_frame(r->site) : NULL;
	struct buf name = {0}, where = {0};
	int name_width;

	if (r->before) {
		put_class(out, r);
		return;
	}
	if (!f) {
		buf_printf(out, "[no stack]");
		return;
	}
	frame_name(&name, f);
	frame_location(&where, f);
	name_width = width - 1 - cells_width(where.p, where.n);
	if (where.n == 0 || name_width < width / 3) {
		buf_add(out, name.p, name.n);
	} else {
		cells_put_ends(out, name.p, name.n, name_width, false);
		buf_printf(out, " ");
		buf_add(out, where.p, where.n);
	}
	out->failed |= name.failed || where.failed;
	buf_free(&name);
	buf_free(&where);
}

/* clang-format off */
#define SITE   (1U << GROUP_SITE)
#define FUNC   (1U << GROUP_FUNCTION)
#define PID    (1U << GROUP_PID)
#define CLASS  (1U << GROUP_CLASS)
#define THREAD (1U << GROUP_THREAD)
#define MODULE (1U << GROUP_LIBRARY)
#define CALLER (1U << GROUP_CALLER)
#define ALL    (SITE | FUNC | PID | MODULE | CALLER)
const struct column columns[] = {
	{ "pid", "PID", "process",
	  CELLS_RIGHT, PID | THREAD, 0, 0, NULL, compare_pid, .format = format_pid },
	{ "tid", "TID", "thread that acquired, by its kernel id",
	  CELLS_RIGHT, THREAD, 0, 0, NULL, compare_tid, .format = format_tid },
	{ "outstanding", "OUTSTANDING", "acquired since attach and not released yet; in rows before attach: still there",
	  CELLS_RIGHT, ALL | CLASS | THREAD | COLUMN_PAIRED, 0, 0, NULL, compare_outstanding, .format = format_outstanding },
	{ "rate", "RATE", "growth: acquired minus released per second, in the last interval (of threads in the last half a minute); at the end over the whole run",
	  CELLS_RIGHT, ALL | CLASS | THREAD | COLUMN_PAIRED, 0, 10, NULL, compare_rate_per_s, .format = format_rate, .min = 8 },
	{ "acquired-rate", "ACQ-RATE", "acquired per second, in the last interval; at the end, over the whole run",
	  CELLS_RIGHT, ALL, 0, 50, NULL, compare_acquired_per_s, .format = format_acquired_rate, .min = 9 },
	{ "acquired", "ACQUIRED", "acquired since attach",
	  CELLS_RIGHT, ALL | THREAD, 0, 31, NULL, compare_acquired, .format = format_acquired },
	{ "released", "RELEASED", "released, of those acquired since attach",
	  CELLS_RIGHT, ALL | THREAD | COLUMN_PAIRED, 0, 32, NULL, compare_released, .format = format_released },
	{ "oldest", "OLDEST", "age of the oldest outstanding one",
	  CELLS_RIGHT, ALL | COLUMN_PAIRED, 0, 26, NULL, compare_oldest_s, .format = format_oldest, .min = 6 },
	{ "bytes", "BYTES", "size of the contents of outstanding strings and arrays",
	  CELLS_RIGHT, ALL | COLUMN_PAIRED, 0, 22, has_bytes, compare_bytes, .format = format_bytes },
	{ "peak", "PEAK", "local references: most alive at once in one native call, or one frame of PushLocalFrame",
	  CELLS_RIGHT, ALL | COLUMN_PAIRED, 0, 25, has_peak, compare_peak, .format = format_peak },
	{ "verdict", "VERDICT", "what becomes of them: growing (a leak), burst, bounded, cached-once, clean; -: too early. On the screen also in 48s (so long until it can be told), unclear (it may grow, but not steadily), slowed, before (attach). Sorted by it: what grows, then what has no verdict yet, before attach last",
	  CELLS_LEFT, SITE | CLASS | THREAD | MODULE | CALLER | COLUMN_PAIRED, 0, 16, NULL, compare_verdict, .format = format_verdict, .min = 11 },
	{ "sites", "SITES", "distinct call sites",
	  CELLS_RIGHT, FUNC | PID | CLASS | THREAD | MODULE | CALLER, 0, 30, NULL, compare_nr_sites, .format = format_sites },
	{ "id", "ID", "identifies the site, the same in every process and on every host with the same build",
	  CELLS_LEFT, SITE, 0, 60, NULL, compare_id, .format = format_id },
	{ "function", "FUNCTION", "JNI function that acquired",
	  CELLS_LEFT, SITE | FUNC | CLASS, 12, 12, NULL, compare_func, .format = format_func, .late = true },
	{ "class", "CLASS", "class of the objects that the outstanding references point to; of a site, of most of them, +2: and two classes more; ?: could not be read",
	  CELLS_LEFT, SITE | CLASS | COLUMN_PAIRED, 10, 18, has_class, compare_class, .format = format_class, .tail = true },
	{ "thread", "THREAD", "name of the thread at its first acquisition; ?: not known",
	  CELLS_LEFT, THREAD, 0, 0, NULL, compare_thread, .format = format_thread },
	{ "library", "LIBRARY", "file of the innermost caller outside the VM; ?: not known",
	  CELLS_LEFT, MODULE, 0, 0, NULL, compare_module, .format = format_module, .tail = true },
	{ "caller", "JAVA CALLER", "innermost Java method of the stack that is no native one: it calls the native method; ?: there is none, or its name is not known",
	  CELLS_LEFT, CALLER, 0, 0, NULL, compare_caller, .format = format_caller },
	{ "comm", "COMMAND", "main class or jar file of the process, else its name",
	  CELLS_LEFT, PID, 0, 0, NULL, compare_comm, .format = format_comm },
	{ "site", "SITE", "innermost caller outside the VM, inline functions of jni.h and the like skipped",
	  CELLS_LEFT, SITE, 0, 0, NULL, compare_site, .format = format_site },
};
#undef SITE
#undef FUNC
#undef PID
#undef CLASS
#undef THREAD
#undef MODULE
#undef CALLER
#undef ALL
/* clang-format on */
const size_t nr_columns = ARRAY_LEN(columns);

const struct column *column_default(enum group_by by)
{
	return column_find(by == GROUP_SITE ? "verdict" : "outstanding");
}

const struct column *column_find(const char *key)
{
	for (size_t i = 0; i < nr_columns; i++)
		if (strcmp(columns[i].key, key) == 0)
			return &columns[i];
	return NULL;
}

static double finite_or_0(double d)
{
	return isfinite(d) ? d : 0;
}

/* Before the site is counted. Of a row of several sites the worst; unknown when one is, unless another grows.
 */
static void add_verdict(struct row *r, enum site_verdict v, double ready_in_s)
{
	if (v == VERDICT_UNKNOWN && ready_in_s > 0)
		r->ready_in_s = r->ready_in_s > 0 ? fmin(r->ready_in_s, ready_in_s) : ready_in_s;
	if (r->nr_sites == 0 || v == VERDICT_GROWING)
		r->verdict = v;
	else if (r->verdict != VERDICT_GROWING && r->verdict != VERDICT_UNKNOWN)
		r->verdict = v == VERDICT_UNKNOWN || v > r->verdict ? v : r->verdict;
}

/* Of what a row holds so much is of this function. */
static void row_estimate(struct row *row, const struct report *r, enum func_id func, uint64_t outstanding)
{
	uint64_t one_in = report_one_in(r, func);

	if (one_in <= 1)
		return;
	row->one_in = one_in > row->one_in ? one_in : row->one_in;
	row->estimated = add_capped(row->estimated, outstanding);
}

static void row_add(struct row *r, const struct report *of, const struct report_site *s)
{
	row_estimate(r, of, s->func, s->outstanding);
	r->acquired = add_capped(r->acquired, s->acquired);
	r->released = add_capped(r->released, s->released);
	r->outstanding = add_capped(r->outstanding, s->outstanding);
	r->unknown = r->unknown || s->life_unknown;
	add_verdict(r, s->verdict.kind, s->verdict.ready_in_s);
	r->rate_per_s += finite_or_0(s->rate_per_s);
	r->acquired_per_s += finite_or_0(s->acquired_per_s);
	if (s->oldest_s > r->oldest_s)
		r->oldest_s = s->oldest_s;
	if (s->peak_per_call > r->peak)
		r->peak = s->peak_per_call;
	if (s->outstanding_bytes >= 0)
		r->bytes = (r->bytes > 0 ? r->bytes : 0) + s->outstanding_bytes;
	r->nr_sites++;
}

static struct row *row_new(struct rows *rows)
{
	struct row *r = VEC_ADD(rows);

	if (r) {
		r->oldest_s = -1;
		r->bytes = -1;
		r->differs[0] = r->differs[1] = NO_FRAME;
		r->order = rows->n - 1;
	}
	return r;
}

/* The row s belongs to, made on first use. func_rows: index + 1 of each function's row. */
static struct row *row_of(struct rows *rows, enum group_by by, const struct report *r,
			  const struct report_site *s, size_t *func_rows)
{
	enum func_id func = s->func;
	struct row *row;

	if (by == GROUP_PID)
		return &rows->v[rows->n - 1];
	if (by == GROUP_FUNCTION && func_rows[func] > 0)
		return &rows->v[func_rows[func] - 1];
	row = row_new(rows);
	if (!row)
		return NULL;
	row->func = func;
	row->func_name = func_name(r->catalog, func);
	row->typed =
	    KIND_BIT(func_kind(r->catalog, func)) & (KIND_BIT(KIND_REFERENCE) | KIND_BIT(KIND_LOCAL));
	if (by == GROUP_SITE) {
		row->target = &r->target;
		row->site = s;
	} else {
		func_rows[func] = rows->n;
	}
	return row;
}

/* Another site has some of it, perhaps of the same loaders. */
static void merge_of(struct report_of *to, const struct report_of *from)
{
	if (to->loader_id != from->loader_id)
		to->loader_id = 0;
	if (!to->loader_id)
		to->loaders = 0;
	if (!is_same(to->loader, from->loader))
		to->loader = NULL;
}

/*
 * Part of a site's references, into the row of their class and function, and where it is java.lang.Class of
 * which: of, or NULL.
 */
static int add_to_class(struct rows *rows, const struct report *r, const struct report_site *s,
			const char *class, const struct report_of *of, uint64_t outstanding)
{
	struct row *row = NULL;

	for (size_t i = 0; i < rows->n && !row; i++)
		if (!rows->v[i].before && rows->v[i].func == s->func && is_same(rows->v[i].class, class) &&
		    is_same(rows->v[i].of.name, of ? of->name : NULL))
			row = &rows->v[i];
	if (row && of) {
		merge_of(&row->of, of);
	} else if (!row) {
		row = row_new(rows);
		if (!row)
			return -ENOMEM;
		row->func = s->func;
		row->func_name = func_name(r->catalog, s->func);
		row->class = class;
		if (of)
			row->of = *of;
	}
	row->outstanding = add_capped(row->outstanding, outstanding);
	row_estimate(row, r, s->func, outstanding);
	/* Of a site with several classes nobody knows which one grows. */
	row->rate_per_s += outstanding == s->outstanding ? s->rate_per_s : NAN;
	add_verdict(row, s->verdict.kind, s->verdict.ready_in_s);
	row->nr_sites++;
	return 0;
}

static int add_class(struct rows *rows, const struct report *r, const struct report_site *s,
		     const struct report_class *c)
{
	uint64_t left = c->outstanding;
	int rc = 0;

	for (size_t i = 0; i < c->of.n && !rc; i++) {
		rc = add_to_class(rows, r, s, c->name, &c->of.v[i], c->of.v[i].count);
		left -= c->of.v[i].count < left ? c->of.v[i].count : left;
	}
	return !rc && left ? add_to_class(rows, r, s, c->name, NULL, left) : rc;
}

static int add_classes(struct rows *rows, const struct report *r, const struct report_site *s)
{
	uint64_t unknown = s->outstanding;
	int rc = 0;

	for (size_t i = 0; i < s->classes.n && rc == 0; i++) {
		uint64_t n = s->classes.v[i].outstanding;

		rc = add_class(rows, r, s, &s->classes.v[i]);
		unknown -= n < unknown ? n : unknown;
	}
	return rc == 0 && unknown > 0 ? add_to_class(rows, r, s, NULL, NULL, unknown) : rc;
}

/* A row for each thread of each site, to be merged. */
/* That a site grows says nothing of a thread that does not, while others do. */
static enum site_verdict verdict_of_thread(const struct report_site *s, const struct report_thread *t)
{
	bool others = false;

	if (s->verdict.kind != VERDICT_GROWING || !t->paced || t->rate_per_s > 0)
		return s->verdict.kind;
	for (size_t i = 0; i < s->threads.n && !others; i++)
		others = s->threads.v[i].rate_per_s > 0;
	return others || !t->outstanding ? VERDICT_UNKNOWN : s->verdict.kind;
}

static int add_threads(struct rows *rows, const struct report *r, const struct report_site *s)
{
	if (!s->threads.known) {
		struct row *row = row_new(rows);

		if (!row)
			return -ENOMEM;
		row->target = &r->target;
		row_add(row, r, s);
		return 0;
	}
	for (size_t i = 0; i < s->threads.n; i++) {
		const struct report_thread *t = &s->threads.v[i];
		struct row *row;

		if (!t->acquired)
			continue;
		row = row_new(rows);
		if (!row)
			return -ENOMEM;
		row->target = &r->target;
		row->tid = t->tid;
		row->thread_start_ns = t->start_ns;
		row->thread = t->name;
		row->acquired = t->acquired;
		row->released = t->released;
		row->outstanding = t->outstanding;
		row_estimate(row, r, s->func, t->outstanding);
		if (t->paced)
			row->rate_per_s = t->rate_per_s;
		else if (r->elapsed_s > 0) /* of a recording of then */
			row->rate_per_s = ((double)t->acquired - (double)t->released) / r->elapsed_s;
		add_verdict(row, verdict_of_thread(s, t), s->verdict.ready_in_s);
		row->nr_sites = 1;
		row->unknown = t->life_unknown;
	}
	return 0;
}

/* A row for the site's library, or its caller in Java, to be merged. */
static int add_owner(struct rows *rows, enum group_by by, const struct report *r, const struct report_site *s)
{
	const struct frame *f = by == GROUP_LIBRARY ? site_frame(s) : frames_java_caller(&s->frames);
	struct row *row = row_new(rows);

	if (!row)
		return -ENOMEM;
	if (f && by == GROUP_LIBRARY) {
		row->module = f->module;
		row->module_path = f->path;
	} else if (f) {
		row->caller = f->symbol;
	}
	row_add(row, r, s);
	return 0;
}

/* Before attach last: those rows are of none. */
static int compare_identity(const void *va, const void *vb)
{
	const struct row *a = va, *b = vb;
	int c = a->before - b->before;

	c = c ?: compare_pid(a, b);
	c = c ?: MORE_FIRST(b->tid, a->tid);
	c = c ?: MORE_FIRST(b->thread_start_ns, a->thread_start_ns);
	c = c ?: compare_module(a, b);
	return c ?: compare_caller(a, b);
}

static void merge_row(struct row *to, const struct row *from)
{
	to->acquired = add_capped(to->acquired, from->acquired);
	to->released = add_capped(to->released, from->released);
	to->outstanding = add_capped(to->outstanding, from->outstanding);
	to->one_in = from->one_in > to->one_in ? from->one_in : to->one_in;
	to->estimated = add_capped(to->estimated, from->estimated);
	to->rate_per_s += from->rate_per_s;
	to->acquired_per_s += from->acquired_per_s;
	to->oldest_s = fmax(to->oldest_s, from->oldest_s);
	to->peak = from->peak > to->peak ? from->peak : to->peak;
	if (from->bytes >= 0)
		to->bytes = (to->bytes > 0 ? to->bytes : 0) + from->bytes;
	add_verdict(to, from->verdict, from->ready_in_s);
	to->nr_sites += from->nr_sites;
	to->unknown = to->unknown || from->unknown;
}

/* Rows of one thread, library or caller become one. */
static void merge_rows(struct rows *rows)
{
	size_t n = 0;

	if (rows->n > 1)
		qsort(rows->v, rows->n, sizeof(*rows->v), compare_identity);
	for (size_t i = 0; i < rows->n; i++) {
		struct row *to = n > 0 ? &rows->v[n - 1] : NULL, *from = &rows->v[i];

		if (!to || compare_identity(to, from)) {
			rows->v[n] = *from;
			rows->v[n].order = n;
			n++;
			continue;
		}
		merge_row(to, from);
	}
	rows->n = n;
}

/* Is it the row that these references from before attach belong to? */
static bool holds_before(const struct row *row, enum group_by by, const struct report_target *target,
			 const struct report_before *b, const struct report_of *of)
{
	if (!row->before || by == GROUP_SITE || (by == GROUP_THREAD && row->target != target))
		return false;
	return by != GROUP_CLASS || (row->family == b->family && is_same(row->class, b->class) &&
				     is_same(row->of.name, of ? of->name : NULL));
}

/* So many of what was there, of a class; where it is java.lang.Class of which: of, or NULL. */
static int add_past(struct rows *rows, enum group_by by, const struct report *r,
		    const struct report_before *b, const struct report_of *of, uint64_t n)
{
	struct row *row = NULL;
	bool several;

	for (size_t k = 0; k < rows->n && !row; k++)
		if (holds_before(&rows->v[k], by, &r->target, b, of))
			row = &rows->v[k];
	if (row && of)
		merge_of(&row->of, of);
	several = row && row->target != &r->target;
	row = row ?: row_new(rows);
	if (!row)
		return -ENOMEM;
	if (of && !row->before)
		row->of = *of;
	row->before = true;
	row->in_sites = by == GROUP_SITE;
	row->family = b->family;
	row->family_name = family_name(r->catalog, b->family);
	row->class = by == GROUP_SITE || by == GROUP_CLASS ? b->class : NULL;
	row->target = several ? NULL : &r->target;
	row->outstanding = add_capped(row->outstanding, n);
	return 0;
}

/*
 * A row for each class of what was there at attach; else one for all of them. Which classes those of
 * java.lang.Class are: where rows are classes a row each, else of most of them.
 */
static int add_before(struct rows *rows, enum group_by by, const struct report *r)
{
	int rc = 0;

	for (size_t i = 0; i < r->before.n && by != GROUP_PID && !rc; i++) {
		const struct report_before *b = &r->before.v[i];
		uint64_t left = b->outstanding;

		for (size_t k = 0; k < b->of.n && by == GROUP_CLASS && !rc; k++) {
			rc = add_past(rows, by, r, b, &b->of.v[k], b->of.v[k].count);
			left -= b->of.v[k].count < left ? b->of.v[k].count : left;
		}
		if (!rc && left)
			rc = add_past(rows, by, r, b, by == GROUP_SITE && b->of.n ? &b->of.v[0] : NULL, left);
		if (!rc && by == GROUP_SITE && b->of.n)
			rows->v[rows->n - 1].more_of = b->of.n - 1;
	}
	return rc;
}

static int add_site(struct rows *rows, enum group_by by, const struct report *r, const struct report_site *s,
		    size_t *func_rows)
{
	struct row *row;

	switch (by) {
	case GROUP_CLASS:
		return add_classes(rows, r, s);
	case GROUP_THREAD:
		return add_threads(rows, r, s);
	case GROUP_LIBRARY:
	case GROUP_CALLER:
		return add_owner(rows, by, r, s);
	default:
		row = row_of(rows, by, r, s, func_rows);
		if (!row)
			return -ENOMEM;
		row_add(row, r, s);
		return 0;
	}
}

/* A row of a process has all that it holds: others have rows of their own for what was there at attach. */
static uint64_t held_before(const struct report *r)
{
	uint64_t n = 0;

	for (size_t i = 0; i < r->before.n; i++)
		n = add_capped(n, r->before.v[i].outstanding);
	return n;
}

int rows_make(const struct report *const *reports, size_t n, enum group_by by, struct rows *out)
{
	size_t func_rows[NR_FUNCS] = {0};

	for (size_t i = 0; i < n; i++) {
		const struct report *r = reports[i];

		if (by == GROUP_PID) {
			struct row *row = row_new(out);

			if (!row)
				return -ENOMEM;
			row->target = &r->target;
			row->held_before = row->outstanding = held_before(r);
		}
		for (size_t j = 0; j < r->sites.n; j++)
			if (add_site(out, by, r, &r->sites.v[j], func_rows) < 0)
				return -ENOMEM;
		if (add_before(out, by, r) < 0)
			return -ENOMEM;
	}
	if (by == GROUP_THREAD || by == GROUP_LIBRARY || by == GROUP_CALLER)
		merge_rows(out);
	return 0;
}

static int compare_rows(const void *va, const void *vb, void *by)
{
	const struct row *a = va, *b = vb;
	int c = ((const struct column *)by)->compare(a, b);

	if (c == 0)
		c = compare_outstanding(a, b);
	if (c == 0)
		c = compare_rate_per_s(a, b);
	if (c == 0)
		c = compare_acquired(a, b);
	return c != 0 ? c : MORE_FIRST(b->order, a->order);
}

void rows_sort(struct rows *rows, const struct column *by)
{
	if (rows->n > 1)
		qsort_r(rows->v, rows->n, sizeof(*rows->v), compare_rows, (void *)by);
}

void rows_free(struct rows *rows)
{
	free(rows->v);
	*rows = (struct rows){0};
}

int report_sort(struct report *r, const char *key)
{
	const struct column *by = key ? column_find(key) : column_default(GROUP_SITE);
	const struct report *const reports[] = {r};
	struct report_site *sorted = NULL;
	struct rows rows = {0};
	int rc;

	if (!by)
		return -EINVAL;
	if (r->sites.n < 2)
		return 0;
	rc = rows_make(reports, 1, GROUP_SITE, &rows);
	if (rc == 0) {
		sorted = calloc(r->sites.n, sizeof(*sorted));
		rc = sorted ? 0 : -ENOMEM;
	}
	if (rc == 0) {
		rows_sort(&rows, by);
		for (size_t i = 0, n = 0; i < rows.n; i++)
			if (rows.v[i].site) /* not of before attach */
				sorted[n++] = *rows.v[i].site;
		memcpy(r->sites.v, sorted, r->sites.n * sizeof(*sorted));
	}
	free(sorted);
	rows_free(&rows);
	return rc;
}
