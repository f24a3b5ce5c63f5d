/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The table: columns by what they are worth, and below it what is known of the chosen row. */
#include <math.h>
#include <string.h>
#include <strings.h>

#include "screen/class_names.h"
#include "screen/draw.h"
#include "view/answer.h"
#include "view/cells.h"

#define HISTORY_CELLS 12
#define PANE_ROWS     16 /* of the screen, from which on there is a pane */
#define LITTLE_WORTH  5  /* priority from which on a column gives way to a longer name */
#define MOST_WORDS    3  /* ways to say the same */
#define TAIL_LEAST    4  /* cells more that are worth the end of a longer name */
#define MOST_LEAST    32 /* cells that are kept for a name at the expense of other columns */

/* --- cells ------------------------------------------------------------------------------------------ */

/* What a cell is made of. */
struct cell_of {
	const struct browser *b;
	const struct row *r;
	struct row_key key;
	struct class_parts parts;
	const struct canvas *c;
};

static unsigned put_row_verdict(struct buf *out, const struct cell_of *x)
{
	struct report_verdict of_several = {.kind = x->r->verdict, .ready_in_s = x->r->ready_in_s};

	if (x->r->before) {
		buf_printf(out, "before");
		return STYLE_DIM;
	}
	return put_verdict(out, x->r->site ? &x->r->site->verdict : &of_several, x->b->request->count_only);
}

static unsigned put_outstanding(struct buf *out, const struct cell_of *x)
{
	row_put_outstanding(out, x->r);
	return x->r->verdict == VERDICT_GROWING ? STYLE_ALARM : STYLE_PLAIN;
}

static unsigned put_rate(struct buf *out, const struct cell_of *x)
{
	fmt_rate(out, x->r->rate_per_s);
	return x->r->rate_per_s > 0 ? STYLE_PLAIN : STYLE_DIM;
}

static unsigned put_age(struct buf *out, const struct cell_of *x)
{
	fmt_age(out, x->r->oldest_s);
	return STYLE_PLAIN;
}

static unsigned put_growth(struct buf *out, const struct cell_of *x)
{
	const struct report_verdict *v = x->r->site ? &x->r->site->verdict : NULL;

	/* one that may as well be none is no figure */
	if (!v || !isfinite(v->per_min) || v->error_per_min > fabs(v->per_min)) {
		buf_printf(out, "-");
		return STYLE_DIM;
	}
	buf_printf(out, "%s", v->per_min > 0 ? "+" : "");
	fmt_figure(out, v->per_min);
	if (isfinite(v->error_per_min)) {
		buf_printf(out, " +-");
		fmt_figure(out, v->error_per_min);
	}
	return STYLE_PLAIN;
}

static unsigned put_since(struct buf *out, const struct cell_of *x)
{
	uint64_t now = x->b->request->count_only ? x->r->acquired : x->r->outstanding, then;

	if (!baseline_of(x->b, x->key, &then)) {
		buf_printf(out, "new +");
		fmt_count(out, now);
		return STYLE_BOLD;
	}
	buf_printf(out, now > then ? "+" : now < then ? "-" : "=");
	if (now != then)
		fmt_count(out, now > then ? now - then : then - now);
	return now > then ? STYLE_BOLD : STYLE_DIM;
}

#define PUT(name, call)                                                                                      \
	static unsigned put_##name(struct buf *out, const struct cell_of *x)                                 \
	{                                                                                                    \
		call;                                                                                        \
		return STYLE_PLAIN;                                                                          \
	}
PUT(acquired, fmt_count(out, x->r->acquired))
PUT(released, fmt_count(out, x->r->released))
PUT(sites, fmt_count(out, x->r->nr_sites))
PUT(acquired_rate, fmt_rate(out, x->r->acquired_per_s))
PUT(function, buf_printf(out, "%s", x->r->before ? "before attach" : x->r->func_name ?: "?"))
PUT(thread, buf_printf(out, "%s",
		       x->r->before   ? "before attach"
		       : x->r->thread ? x->r->thread
		       : x->r->tid    ? "?"
				      : "not told apart"))
PUT(tid, x->r->tid ? buf_printf(out, "%d", x->r->tid) : buf_printf(out, "-"))
PUT(pid, x->r->target ? buf_printf(out, "%d", x->r->target->pid) : buf_printf(out, "-"))
PUT(process, buf_printf(out, "%s", x->r->target ? target_name_of(x->r->target) : "?"))
PUT(id, x->r->site ? buf_printf(out, "%016llx", (unsigned long long)x->r->site->id) : buf_printf(out, "-"))

/* Which process, beside its name. */
static unsigned put_place(struct buf *out, const struct cell_of *x)
{
	const struct report_target *t = x->r->target;

	buf_printf(out, t && t->container ? "%.12s" : "-", t ? t->container : "");
	return STYLE_DIM;
}

static unsigned put_cost(struct buf *out, const struct cell_of *x)
{
	const struct report *r = report_of_row(x->b, x->r);

	buf_printf(out, r && r->target_cpu_pct >= 0 ? "%.1f%%" : "?", r ? r->target_cpu_pct : 0);
	return STYLE_PLAIN;
}

static unsigned put_nr_findings(struct buf *out, const struct cell_of *x)
{
	const struct report *r = report_of_row(x->b, x->r);

	buf_printf(out, "%zu", r ? r->findings.n : 0);
	return r && r->findings.n ? STYLE_NOTE : STYLE_DIM;
}

/* In the words of put, which cuts it down to some of its parts; NULL: all of it. */
static unsigned put_class_as(struct buf *out, const struct cell_of *x,
			     void (*put)(struct buf *out, const char *name, unsigned parts))
{
	size_t more;
	const char *name = class_of_row(x->r, &more), *of = x->r->of.name;

	if (!name)
		buf_printf(out, x->r->before ? "?" : "-");
	else if (put)
		put(out, name, x->parts.class);
	else
		buf_printf(out, "%s", name);
	if (of) {
		buf_printf(out, " of ");
		if (put)
			put(out, of, x->parts.of);
		else
			buf_printf(out, "%s", of);
	}
	if (x->r->more_of)
		buf_printf(out, " +%zu", x->r->more_of);
	if (more)
		buf_printf(out, " +%zu", more);
	if (x->r->before && x->r->family != FAMILY_GLOBAL) /* as in tables */
		buf_printf(out, " (%s)", x->r->family_name);
	return STYLE_PLAIN;
}

static unsigned put_class(struct buf *out, const struct cell_of *x)
{
	return put_class_as(out, x, NULL);
}

/* Without its package. */
static unsigned put_class_short(struct buf *out, const struct cell_of *x)
{
	return put_class_as(out, x, class_short);
}

/* Without the class that it is in, either. */
static unsigned put_class_shortest(struct buf *out, const struct cell_of *x)
{
	return put_class_as(out, x, class_tail);
}

/* The frame in which another row that looks alike differs. */
static void put_difference(struct buf *out, const struct row *r)
{
	size_t at = r->differs[0] < r->differs[1] ? r->differs[0] : r->differs[1];
	const struct frame *f;

	if (at == NO_FRAME)
		return;
	buf_printf(out, " \xe2\x86\x90");
	if (at >= r->site->frames.n) {
		buf_printf(out, "(ends)");
		return;
	}
	f = &r->site->frames.v[at];
	if (f->file && r->by_offset) {
		frame_location(out, f);
		buf_printf(out, "+0x%llx", (unsigned long long)f->offset);
	} else if (f->file)
		frame_location(out, f);
	else if (f->symbol)
		name_short(out, f->symbol, 2);
	else
		buf_printf(out, "%s+0x%llx", f->module ?: "", (unsigned long long)f->offset);
}

/* parts: of the name; 0: all of it. */
static void put_site_as(struct buf *out, const struct row *r, int parts, bool where)
{
	const struct frame *f = r->site ? site_frame(r->site) : NULL;

	if (!f) {
		buf_printf(out, r->before ? "(before attach)" : "[no stack]");
		return;
	}
	if (parts && f->symbol)
		name_short(out, f->symbol, parts);
	else
		frame_name(out, f);
	if (where && f->file) {
		buf_printf(out, " ");
		frame_location(out, f);
	}
	put_difference(out, r);
}

static unsigned put_site(struct buf *out, const struct cell_of *x)
{
	put_site_as(out, x->r, 0, true);
	return x->r->before ? STYLE_DIM : STYLE_PLAIN;
}

static unsigned put_site_short(struct buf *out, const struct cell_of *x)
{
	put_site_as(out, x->r, 2, true);
	return x->r->before ? STYLE_DIM : STYLE_PLAIN;
}

static unsigned put_site_shortest(struct buf *out, const struct cell_of *x)
{
	put_site_as(out, x->r, 2, false);
	return x->r->before ? STYLE_DIM : STYLE_PLAIN;
}

static unsigned put_library(struct buf *out, const struct cell_of *x)
{
	const struct frame *f = x->r->site ? site_frame(x->r->site) : NULL;

	buf_printf(out, "%s", f && f->module ? f->module : "-");
	return STYLE_DIM;
}

static const char *owner_of(const struct row *r)
{
	return r->before ? "before attach" : r->module_path ?: r->module ?: r->caller ?: "?";
}

static unsigned put_owner(struct buf *out, const struct cell_of *x)
{
	buf_printf(out, "%s", owner_of(x->r));
	return x->r->before ? STYLE_DIM : STYLE_PLAIN;
}

/* Without its folder. */
static unsigned put_module(struct buf *out, const struct cell_of *x)
{
	buf_printf(out, "%s", x->r->module ?: owner_of(x->r));
	return x->r->before ? STYLE_DIM : STYLE_PLAIN;
}

/* Without the package. */
static unsigned put_caller_short(struct buf *out, const struct cell_of *x)
{
	name_short(out, owner_of(x->r), x->r->before ? 1 : 2);
	return x->r->before ? STYLE_DIM : STYLE_PLAIN;
}

/* --- columns ---------------------------------------------------------------------------------------- */

static bool has_baseline(const struct browser *b)
{
	return b->baseline.on;
}

static bool has_several(const struct browser *b)
{
	return reports_of(b).n > 1;
}

static bool is_paired(const struct browser *b)
{
	return !b->request->count_only;
}

/* Do some rows differ by their functions alone? */
static bool is_told_by_function(const struct browser *b)
{
	return has_classes(b) && b->table.by_function;
}

static bool is_told_otherwise(const struct browser *b)
{
	return has_classes(b) && !b->table.by_function;
}

static bool has_no_classes(const struct browser *b)
{
	return !has_classes(b);
}

static bool is_paired_with_classes(const struct browser *b)
{
	return is_paired(b) && has_classes(b);
}

typedef unsigned put_fn(struct buf *out, const struct cell_of *x);
/* Does a column take more cells, where there are? BY_TAIL: and what it says in fewer words is longer by them.
 */
enum growing { FIXED, GROWS, BY_TAIL };
struct list_column {
	const char *header;
	const char *sort; /* what it is sorted by: a column of view/columns.h; NULL: nothing */
	uint32_t groups;
	int priority; /* 0: always there; else the highest goes first where it is tight */
	int least;    /* cells that it has at least; */
	enum growing grows;
	enum cells_align align;
	bool (*wanted)(const struct browser *b); /* NULL: always */
	put_fn *put[MOST_WORDS];                 /* all of it, and what to try where that has no room */
};
#define SITE   (1U << GROUP_SITE)
#define FUNC   (1U << GROUP_FUNCTION)
#define PID    (1U << GROUP_PID)
#define CLASS  (1U << GROUP_CLASS)
#define THREAD (1U << GROUP_THREAD)
#define MODULE (1U << GROUP_LIBRARY)
#define CALLER (1U << GROUP_CALLER)
#define OWNER  (MODULE | CALLER)
#define EVERY  (SITE | FUNC | PID | CLASS | THREAD | OWNER)
/* clang-format off */
static const struct list_column list_columns[] = {
	{"VERDICT", "verdict", EVERY & ~FUNC, 0, 8, FIXED, CELLS_LEFT, is_paired, {put_row_verdict}},
	{"PID", "pid", PID, 0, 5, FIXED, CELLS_RIGHT, NULL, {put_pid}},
	{"PID", "pid", SITE | THREAD, 3, 5, FIXED, CELLS_RIGHT, has_several, {put_pid}},
	{"TID", "tid", THREAD, 5, 5, FIXED, CELLS_RIGHT, NULL, {put_tid}},
	{"LIVE", "outstanding", EVERY, 0, 6, FIXED, CELLS_RIGHT, is_paired, {put_outstanding}},
	{"SINCE b", NULL, EVERY, 1, 8, FIXED, CELLS_RIGHT, has_baseline, {put_since}},
	{"RATE", "rate", EVERY, 1, 6, FIXED, CELLS_RIGHT, is_paired, {put_rate}},
	{"PER MIN", NULL, SITE, 6, 8, FIXED, CELLS_RIGHT, is_paired, {put_growth}},
	{"HISTORY", NULL, EVERY, 5, HISTORY_CELLS, FIXED, CELLS_LEFT, has_curves, {NULL}},
	{"AGE", "oldest", SITE | FUNC | PID | OWNER, 3, 6, FIXED, CELLS_RIGHT, is_paired, {put_age}},
	{"ACQUIRED", "acquired", SITE | FUNC | PID | THREAD | OWNER, 8, 9, FIXED, CELLS_RIGHT, NULL, {put_acquired}},
	{"RELEASED", "released", SITE | FUNC | PID | THREAD | OWNER, 9, 9, FIXED, CELLS_RIGHT, is_paired, {put_released}},
	{"ACQ-RATE", "acquired-rate", FUNC | PID | OWNER, 10, 9, FIXED, CELLS_RIGHT, NULL, {put_acquired_rate}},
	{"SITES", "sites", PID, 7, 5, FIXED, CELLS_RIGHT, NULL, {put_sites}},
	{"SITES", "sites", FUNC | CLASS | THREAD | OWNER, 4, 5, FIXED, CELLS_RIGHT, NULL, {put_sites}},
	{"FINDINGS", NULL, PID, 2, 8, FIXED, CELLS_RIGHT, NULL, {put_nr_findings}},
	{"COST", NULL, PID, 4, 6, FIXED, CELLS_RIGHT, NULL, {put_cost}},
	{"CONTAINER", NULL, PID, 6, 12, FIXED, CELLS_LEFT, NULL, {put_place}},
	{"ID", "id", SITE, 12, 16, FIXED, CELLS_LEFT, NULL, {put_id}},
	{"FUNCTION", "function", SITE, 7, 12, FIXED, CELLS_LEFT, is_told_otherwise, {put_function}},
	{"FUNCTION", "function", SITE, 2, 12, FIXED, CELLS_LEFT, is_told_by_function, {put_function}},
	{"FUNCTION", "function", SITE, 2, 12, FIXED, CELLS_LEFT, has_no_classes, {put_function}},
	{"FUNCTION", "function", CLASS, 3, 12, FIXED, CELLS_LEFT, NULL, {put_function}},
	{"CLASS", "class", SITE, 2, 10, BY_TAIL, CELLS_LEFT, is_paired_with_classes, {put_class, put_class_short, put_class_shortest}},
	{"LIBRARY", NULL, SITE, 10, 10, GROWS, CELLS_LEFT, NULL, {put_library}},
	{"FUNCTION", "function", FUNC, 0, 20, GROWS, CELLS_LEFT, NULL, {put_function}},
	{"CLASS", "class", CLASS, 0, 20, BY_TAIL, CELLS_LEFT, NULL, {put_class, put_class_short, put_class_shortest}},
	{"THREAD", "thread", THREAD, 0, 20, GROWS, CELLS_LEFT, NULL, {put_thread}},
	{"LIBRARY", "library", MODULE, 0, 20, GROWS, CELLS_LEFT, NULL, {put_owner, put_module}},
	{"JAVA CALLER", "caller", CALLER, 0, 20, GROWS, CELLS_LEFT, has_classes, {put_owner, put_caller_short}},
	{"CALLER", "caller", CALLER, 0, 20, GROWS, CELLS_LEFT, has_no_classes, {put_owner, put_caller_short}},
	{"PROCESS", "comm", PID, 0, 20, GROWS, CELLS_LEFT, NULL, {put_process}},
	{"SITE", "site", SITE, 0, 20, GROWS, CELLS_LEFT, NULL, {put_site, put_site_short, put_site_shortest}},
};
/* clang-format on */

static bool is_of_table(const struct browser *b, const struct list_column *l)
{
	return l->groups & 1U << b->table.group && (!l->wanted || l->wanted(b));
}

struct layout {
	const struct list_column *column[ARRAY_LEN(list_columns)];
	int width[ARRAY_LEN(list_columns)];
	/* What it would like to have: all, and in fewer words. */
	int content[ARRAY_LEN(list_columns)][MOST_WORDS];
	size_t n;
};

static bool is_sorted_by(const struct browser *b, const struct list_column *l)
{
	return l->sort && !strcmp(l->sort, table_sort(&b->table)->key);
}

const struct column *list_sort_beside(const struct browser *b, int step)
{
	const struct column *sort[ARRAY_LEN(list_columns)];
	int n = 0, at = 0;

	for (size_t i = 0; i < ARRAY_LEN(list_columns); i++)
		if (is_of_table(b, &list_columns[i]) && list_columns[i].sort) {
			at = is_sorted_by(b, &list_columns[i]) ? n : at;
			sort[n++] = column_find(list_columns[i].sort);
		}
	return n ? sort[(at + n + step) % n] : NULL;
}

/* Does its header, or its name elsewhere, begin so? */
static bool is_called(const struct list_column *l, const char *name, size_t n)
{
	return !strncasecmp(l->header, name, n) || !strncasecmp(l->sort, name, n);
}

const struct column *list_sort_named(const struct browser *b, const char *name, struct buf *names)
{
	const struct column *found = NULL;
	size_t n = strlen(name);

	for (size_t i = 0; i < ARRAY_LEN(list_columns); i++) {
		const struct list_column *l = &list_columns[i];

		if (!is_of_table(b, l) || !l->sort || !is_called(l, name, n))
			continue;
		buf_printf(names, "%s%s", names->n ? " " : "", l->header);
		found = found ?: column_find(l->sort);
	}
	return n ? found : NULL;
}

static struct cell_of cell_of(const struct browser *b, const struct canvas *c, size_t row)
{
	return (struct cell_of){b, &b->table.rows.v[row], b->table.keys[row], b->table.parts[row], c};
}

/* Of the rows that are shown, in the way-th words. */
static int content_width(const struct browser *b, const struct canvas *c, const struct list_column *l,
			 size_t way, size_t from, size_t to)
{
	int width = (int)strlen(l->header);
	struct buf text = {0};

	width = width > l->least ? width : l->least;
	for (size_t i = from; i < to && l->put[way]; i++) {
		struct cell_of x = cell_of(b, c, i);
		int w;

		text.n = 0;
		l->put[way](&text, &x);
		w = text.p ? canvas_width(c, text.p, text.n) : 0;
		width = w > width ? w : width;
	}
	buf_free(&text);
	return width;
}

static int total_width(const struct layout *l)
{
	int total = 1; /* the mark of the chosen row */

	for (size_t i = 0; i < l->n; i++)
		total += l->width[i] + (i > 0);
	return total;
}

/* The column that is worth least, of those that are worth no more than that; l->n: there is none. */
static size_t least_column(const struct browser *b, const struct layout *l, int priority)
{
	size_t least = l->n;

	for (size_t i = 0; i < l->n; i++)
		if (l->column[i]->priority >= priority && !is_sorted_by(b, l->column[i]) &&
		    (least == l->n || l->column[i]->priority > l->column[least]->priority))
			least = i;
	return least;
}

/* Columns go as long as there is not enough room. */
static void drop_columns(const struct browser *b, struct layout *l, int priority, int width)
{
	while (total_width(l) > width) {
		size_t least = least_column(b, l, priority);

		if (least == l->n)
			return;
		l->n--;
		for (size_t i = least; i < l->n; i++) {
			l->column[i] = l->column[i + 1];
			l->width[i] = l->width[i + 1];
			memcpy(l->content[i], l->content[i + 1], sizeof(l->content[i]));
		}
	}
}

/*
 * What is left goes to those that can use it: to the last one first, but to none for more words than others.
 * A class without its package comes before a site's file and line.
 */
static void share_room(struct layout *l, int width)
{
	int left = width - total_width(l);

	for (size_t way = MOST_WORDS; way-- > 0;)
		for (size_t k = 0; k < l->n && left > 0; k++) {
			size_t i = way == 1 ? k : l->n - 1 - k;
			int more = l->column[i]->grows ? l->content[i][way] - l->width[i] : 0;

			more = more < left ? more : left;
			if (more > 0) {
				l->width[i] += more;
				left -= more;
			}
		}
	if (l->n > 0 && left != 0)
		l->width[l->n - 1] = l->width[l->n - 1] + left > 1 ? l->width[l->n - 1] + left : 1;
}

/* What a column needs for the way-th words, but a name of any length does not get all. */
static int width_needed(const struct list_column *column, const int content[MOST_WORDS], size_t way)
{
	int most = MOST_LEAST > column->least ? MOST_LEAST : column->least;

	return !column->grows || content[way] < most ? content[way] : most;
}

/* Short words rather than a column that is worth little, the shortest rather than one that is worth more. */
static void fit_columns(const struct browser *b, struct layout *l, int width)
{
	static const int priorities[] = {LITTLE_WORTH, 1};

	for (size_t way = 1; way < MOST_WORDS; way++) {
		for (size_t i = 0; i < l->n; i++)
			l->width[i] = width_needed(l->column[i], l->content[i], way);
		drop_columns(b, l, priorities[way - 1], width);
		if (total_width(l) <= width)
			return;
	}
}

static void make_layout(const struct browser *b, const struct canvas *c, struct layout *l, size_t from,
			size_t to)
{
	l->n = 0;
	for (size_t i = 0; i < ARRAY_LEN(list_columns); i++) {
		const struct list_column *column = &list_columns[i];

		if (!is_of_table(b, column))
			continue;
		l->column[l->n] = column;
		for (size_t way = 0; way < MOST_WORDS; way++)
			l->content[l->n][way] = column->put[way] || way == 0
						    ? content_width(b, c, column, way, from, to)
						    : l->content[l->n][way - 1];
		l->n++;
	}
	fit_columns(b, l, c->columns);
	share_room(l, c->columns);
}

/* --- drawing ---------------------------------------------------------------------------------------- */

static void draw_cell(struct canvas *c, int row, int column, int width, const struct list_column *l,
		      const struct cell_of *x)
{
	struct buf text = {0};
	unsigned style = STYLE_PLAIN;
	enum cut cut = CUT_MIDDLE;
	int used = 0;
	size_t i;

	for (i = 0; i < ARRAY_LEN(l->put) && l->put[i]; i++) {
		text.n = 0;
		style = l->put[i](&text, x);
		used = text.p ? canvas_width(c, text.p, text.n) : 0;
		if (used <= width)
			break;
	}
	if (l->grows == BY_TAIL && i == ARRAY_LEN(l->put) - 1 && used + TAIL_LEAST < width) {
		text.n = 0;
		l->put[i - 1](&text, x);
		cut = CUT_BEGIN;
	}
	if (text.p)
		canvas_put(c, row, column + (l->align == CELLS_RIGHT && used < width ? width - used : 0),
			   width, text.p, text.n, cut, style);
	buf_free(&text);
}

static void draw_history(const struct browser *b, struct canvas *c, int row, int column, int width,
			 const struct cell_of *x)
{
	float points[HISTORY_CELLS];

	if (width >= HISTORY_CELLS &&
	    trends_curve(&b->trends, x->key.a, x->key.b, now_of(b), points, HISTORY_CELLS))
		draw_spark(c, row, column, points, HISTORY_CELLS,
			   x->r->verdict == VERDICT_GROWING ? STYLE_ALARM : STYLE_GRAPH);
}

static void draw_row(const struct browser *b, struct canvas *c, int row, const struct layout *l, size_t i)
{
	struct cell_of x = cell_of(b, c, i);
	bool chosen = i == b->table.at;
	int column = 1;

	for (size_t k = 0; k < l->n; k++) {
		if (l->column[k]->put[0])
			draw_cell(c, row, column, l->width[k], l->column[k], &x);
		else
			draw_history(b, c, row, column, l->width[k], &x);
		column += l->width[k] + 1;
	}
	if (chosen) {
		canvas_puts(c, row, 0, 1, ">", STYLE_BOLD);
		canvas_mark(c, row, 0, c->columns, STYLE_CHOSEN);
	}
}

static void draw_headers(struct browser *b, struct canvas *c, int row, const struct layout *l)
{
	struct table *t = &b->table;
	int column = 1;

	canvas_fill(c, row, 0, c->columns, ' ', STYLE_BAR);
	t->nr_columns = 0;
	for (size_t i = 0; i < l->n; i++) {
		const struct list_column *lc = l->column[i];
		int used = (int)strlen(lc->header), left = lc->align == CELLS_RIGHT ? l->width[i] - used : 0;

		canvas_puts(c, row, column + left, l->width[i], lc->header, STYLE_BAR);
		if (is_sorted_by(b, lc)) /* behind it there is a gap */
			canvas_fill(c, row, column + left + used, 1, t->reverse ? 0x2191 : 0x2193, STYLE_BAR);
		if (t->nr_columns < ARRAY_LEN(t->column)) {
			t->column_at[t->nr_columns] = column;
			t->column[t->nr_columns++] = lc->sort ? column_find(lc->sort) : NULL;
		}
		column += l->width[i] + 1;
	}
}

/* Rows from `top` on, so that the chosen one is among them. */
static void scroll(struct table *t, int shown)
{
	size_t n = shown > 0 ? (size_t)shown : 1;

	t->shown = (int)n;
	if (t->top + n > t->rows.n)
		t->top = t->rows.n > n ? t->rows.n - n : 0;
	if (t->at < t->top)
		t->top = t->at;
	if (t->at >= t->top + n)
		t->top = t->at - n + 1;
}

static void draw_nothing(const struct browser *b, struct canvas *c, int row)
{
	struct buf text = {0};

	if (b->filter.on && b->table.all)
		buf_printf(&text, "none of %zu rows matches: %s", b->table.all, b->filter.text);
	else
		buf_printf(&text, b->table.group == GROUP_THREAD
				      ? "nothing acquired since threads are told apart"
				  : b->reports.n ? "nothing acquired since attach"
						 : "nothing to show yet");
	canvas_put_buf(c, row, 1, c->columns - 1, &text, STYLE_DIM);
}

/* With so many frames at the most. room: lines that there may be. */
static void page_of_chosen(struct page *p, const struct browser *b, int frames, int room, int columns)
{
	const struct row *r = table_chosen(&b->table);

	page_clear(p);
	if (r && r->site)
		page_of_site_brief(p, b, report_of_row(b, r), r, frames, room, columns);
	else if (r)
		page_of_row(p, b, r, b->table.keys[b->table.at], room, columns);
}

/* How many lines the pane of the chosen row takes: what the rows leave, and a part of the screen. */
static int pane_lines(const struct browser *b, const struct page *page, int rows)
{
	int wanted = (int)page->lines.n + 1, spare = rows - (int)b->table.rows.n,
	    part = rows / (rows < 24 ? 3 : 2);

	if (rows < PANE_ROWS - 4 || b->no_pane || !page->lines.n)
		return 0;
	part = spare > part ? spare : part;
	return wanted < part ? wanted : part;
}

void draw_table(struct browser *b, struct canvas *c, int row, int rows)
{
	struct table *t = &b->table;
	struct page page = {.width = c->columns};
	struct layout l;
	int pane, room = rows - 2 - (int)(t->rows.n < 10000 ? t->rows.n : 10000);

	if (rows < 2)
		return;
	page_of_chosen(&page, b, JT_MAX_FRAMES, room, c->columns);
	pane = pane_lines(b, &page, rows - 1);
	for (int frames = pane; pane && frames > 0 && (int)page.lines.n > pane - 1; frames--)
		page_of_chosen(&page, b, frames, 0, c->columns);
	scroll(t, rows - 1 - pane);
	table_tell_apart(t);
	make_layout(b, c, &l, t->top,
		    t->top + (size_t)t->shown < t->rows.n ? t->top + (size_t)t->shown : t->rows.n);
	draw_headers(b, c, row, &l);
	t->head_row = row;
	if (!t->rows.n)
		draw_nothing(b, c, row + 1);
	for (int i = 0; i < t->shown && t->top + (size_t)i < t->rows.n; i++)
		draw_row(b, c, row + 1 + i, &l, t->top + (size_t)i);
	if (pane > 1) {
		canvas_fill(c, row + rows - pane, 0, c->columns, 0x2500, STYLE_DIM);
		page_draw(&page, c, row + rows - pane + 1, pane - 1, 0);
	}
	page_free(&page);
}
