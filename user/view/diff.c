/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Comparisons as tables. See diff.h. */
#include "view/diff.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "view/columns.h"
#include "view/text.h"

#define LAST_ROOM 18 /* cells one would like to have for the last column */
#define BUILD_ID  12 /* digits of a build id that are shown */

/* --- the columns --------------------------------------------------------------------------------- */

/* A row: one of the three. */
struct line {
	const struct compared *is;
	const struct comparison *in;
	const struct compared_site *site;
	const struct compared_class *class;
	const struct compared_finding *finding;
};
enum part { PART_SITES = 1, PART_CLASSES = 2, PART_FINDINGS = 4 };
struct diff_column {
	unsigned parts; /* which tables have it */
	const char *header;
	enum cells_align align;
	int least; /* may be cut to so many cells where it is tight; 0: never */
	int rank;  /* where it is too tight for that: the largest is left out first; 0: never */
	bool tail; /* when it is cut, its end stays */
	void (*put)(struct buf *out, const struct line *l, int width);
	bool (*says)(const struct line *l); /* NULL, or: shown when it has something to say of one row */
};

static void put_change(struct buf *out, const struct line *l, int width)
{
	(void)width;
	buf_printf(out, "%s", change_names[l->is->change]);
}

static bool is_by_names(const struct line *l)
{
	return l->is->matched == MATCHED_NAMES || l->is->matched == MATCHED_CALLER;
}

static void put_matched(struct buf *out, const struct line *l, int width)
{
	(void)width;
	buf_printf(out, "%s", matched_names[l->is->matched] ? matched_names[l->is->matched] : "-");
}

static void put_numbers(struct buf *out, const struct line *l, int width)
{
	(void)width;
	if (l->is->unknown) {
		buf_printf(out, "?");
		return;
	}
	fmt_count(out, l->is->a);
	buf_printf(out, " -> ");
	fmt_count(out, l->is->b);
}

static void put_delta(struct buf *out, const struct line *l, int width)
{
	int64_t d = l->is->delta;

	(void)width;
	if (l->is->unknown) {
		buf_printf(out, "?");
		return;
	}
	buf_printf(out, "%s", d > 0 ? "+" : d < 0 ? "-" : "");
	fmt_count(out, (uint64_t)(d < 0 ? -d : d));
}

static const char *verdict(const struct report_site *s)
{
	return s && site_verdict_names[s->verdict.kind] ? site_verdict_names[s->verdict.kind] : "-";
}

/* Of both, where they differ. */
static void put_verdict(struct buf *out, const struct line *l, int width)
{
	const struct report_site *a = l->site->a, *b = l->site->b;

	(void)width;
	if (a && b && a->verdict.kind != b->verdict.kind)
		buf_printf(out, "%s -> ", verdict(a));
	buf_printf(out, "%s", verdict(b ?: a));
}

/* The side whose row is shown: B, unless it is gone. */
static const struct report *report_of(const struct line *l)
{
	bool in_b = l->site ? l->site->b != NULL : l->finding->b != NULL;

	return in_b ? l->in->b.report : l->in->a.report;
}

/* A row of the other tables that says the same, so that all have the same columns. */
static struct row row_of(const struct line *l, struct report_site *scratch)
{
	const struct report_finding *f = l->finding ? l->finding->b ?: l->finding->a : NULL;
	const struct report_site *s = l->site ? l->site->b ?: l->site->a : scratch;

	if (f)
		*scratch = (struct report_site){.func = f->func, .frames = f->stack.frames};
	return (struct row){.site = s, .func_name = func_name(report_of(l)->catalog, s->func)};
}

static void put_as(struct buf *out, const struct line *l, int width, const char *key)
{
	struct report_site scratch = {0};
	struct row row = row_of(l, &scratch);

	column_find(key)->format(out, &row, width);
}

static void put_function(struct buf *out, const struct line *l, int width)
{
	put_as(out, l, width, "function");
}

static void put_class(struct buf *out, const struct line *l, int width)
{
	if (l->class)
		buf_printf(out, "%s", l->class->name);
	else
		put_as(out, l, width, "class");
}

static bool has_class(const struct line *l)
{
	const struct report_site *s = l->site ? l->site->b ?: l->site->a : NULL;

	return s && s->classes.n;
}

static void put_family(struct buf *out, const struct line *l, int width)
{
	(void)width;
	buf_printf(out, "%s", l->class->family);
}

static void put_kind(struct buf *out, const struct line *l, int width)
{
	const struct report_finding *f = l->finding->b ?: l->finding->a;

	(void)width;
	buf_printf(out, "%s", finding_rows[f->kind].name);
}

/* Of several of the same names: how many. */
static void put_site(struct buf *out, const struct line *l, int width)
{
	put_as(out, l, width, "site");
	if (l->site && (l->site->nr_a > 1 || l->site->nr_b > 1))
		buf_printf(out, " (%zu -> %zu sites)", l->site->nr_a, l->site->nr_b);
}

/* clang-format off */
static const struct diff_column diff_columns[] = {
	{ PART_SITES | PART_CLASSES | PART_FINDINGS, "CHANGE", CELLS_LEFT, .put = put_change },
	{ PART_SITES | PART_FINDINGS, "BY", CELLS_LEFT, .put = put_matched, .says = is_by_names },
	{ PART_SITES | PART_CLASSES, "OUTSTANDING", CELLS_RIGHT, .put = put_numbers },
	{ PART_FINDINGS, "TIMES", CELLS_RIGHT, .put = put_numbers },
	{ PART_SITES | PART_CLASSES | PART_FINDINGS, "DELTA", CELLS_RIGHT, .put = put_delta },
	{ PART_SITES, "VERDICT", CELLS_LEFT, .least = 12, .rank = 1, .tail = true, .put = put_verdict },
	{ PART_FINDINGS, "KIND", CELLS_LEFT, .put = put_kind },
	{ PART_SITES | PART_FINDINGS, "FUNCTION", CELLS_LEFT, .least = 12, .rank = 2, .put = put_function },
	{ PART_SITES, "CLASS", CELLS_LEFT, .least = 10, .rank = 3, .tail = true, .put = put_class, .says = has_class },
	{ PART_CLASSES, "FAMILY", CELLS_LEFT, .put = put_family },
	{ PART_CLASSES, "CLASS", CELLS_LEFT, .put = put_class },
	{ PART_SITES | PART_FINDINGS, "SITE", CELLS_LEFT, .put = put_site },
};
/* clang-format on */

/* --- a table ------------------------------------------------------------------------------------- */

struct lines {
	struct line *v;
	size_t n;
};
struct shape {
	const struct diff_column *column[ARRAY_LEN(diff_columns)];
	int width[ARRAY_LEN(diff_columns)];
	size_t n;
};

static bool is_needed(const struct diff_column *c, const struct lines *lines)
{
	bool said = !c->says;

	for (size_t i = 0; i < lines->n && !said; i++)
		said = c->says(&lines->v[i]);
	return said;
}

static int content_width(const struct diff_column *c, const struct lines *lines)
{
	int width = (int)strlen(c->header);
	struct buf cell = {0};

	for (size_t i = 0; i < lines->n; i++) {
		int w;

		cell.n = 0;
		c->put(&cell, &lines->v[i], INT_MAX);
		w = cell.failed || !cell.p ? 0 : cells_width(cell.p, cell.n);
		width = w > width ? w : width;
	}
	buf_free(&cell);
	return width;
}

static int room_left(const struct shape *s, int width)
{
	for (size_t i = 0; i + 1 < s->n; i++)
		width -= s->width[i] + 1;
	return width;
}

static void cut(struct shape *s, int wanted, int width)
{
	for (size_t i = s->n - 1; i-- > 0;) {
		int least = s->column[i]->least, missing = wanted - room_left(s, width);

		if (least && missing > 0 && s->width[i] > least)
			s->width[i] = s->width[i] - missing > least ? s->width[i] - missing : least;
	}
}

/* The column that is left out first; s->n: none may be. */
static size_t least_needed(const struct shape *s)
{
	size_t worst = s->n;

	for (size_t i = 0; i + 1 < s->n; i++)
		if (s->column[i]->rank && (worst == s->n || s->column[i]->rank > s->column[worst]->rank))
			worst = i;
	return worst;
}

static void make_shape(struct shape *s, enum part part, const struct lines *lines, int width)
{
	int wanted;

	s->n = 0;
	for (size_t i = 0; i < ARRAY_LEN(diff_columns); i++) {
		if (!(diff_columns[i].parts & part) || !is_needed(&diff_columns[i], lines))
			continue;
		s->column[s->n] = &diff_columns[i];
		s->width[s->n++] = content_width(&diff_columns[i], lines);
	}
	wanted = s->width[s->n - 1] < LAST_ROOM ? s->width[s->n - 1] : LAST_ROOM;
	cut(s, wanted, width);
	while (room_left(s, width) < wanted) {
		size_t worst = least_needed(s);

		if (worst == s->n)
			break;
		s->n--;
		memmove(&s->column[worst], &s->column[worst + 1], (s->n - worst) * sizeof(s->column[0]));
		memmove(&s->width[worst], &s->width[worst + 1], (s->n - worst) * sizeof(s->width[0]));
	}
	s->width[s->n - 1] = room_left(s, width) > 1 ? room_left(s, width) : 1;
}

/* l NULL: the headers. */
static void put_line(struct buf *out, const struct shape *s, const struct line *l, const struct view_opts *o)
{
	struct buf cell = {0};

	view_style(out, o, l ? "" : BOLD);
	for (size_t i = 0; i < s->n; i++) {
		const struct diff_column *c = s->column[i];
		bool last = i + 1 == s->n;

		cell.n = 0;
		if (l)
			c->put(&cell, l, s->width[i]);
		else
			buf_printf(&cell, "%s", c->header);
		if (cell.p && c->tail)
			cells_put_tail(out, cell.p, cell.n, s->width[i], !last);
		else if (cell.p && c->least)
			cells_put_ends(out, cell.p, cell.n, s->width[i], !last);
		else if (cell.p)
			cells_put(out, cell.p, cell.n, s->width[i], c->align, !last);
		if (!last)
			buf_add(out, " ", 1);
	}
	view_style(out, o, l ? "" : PLAIN);
	buf_add(out, "\n", 1);
	out->failed |= cell.failed;
	buf_free(&cell);
}

/* Who did it, where something grew. */
static void put_stack(struct buf *out, const struct line *l, const struct view_opts *o)
{
	const struct report_stack *stack = l->finding && l->finding->b ? &l->finding->b->stack : NULL;

	if (!l->is->growth)
		return;
	if (l->site && l->site->b)
		view_frames(out, &l->site->b->frames, l->site->b->truncated, NULL, o, o->width);
	else if (stack && stack->known)
		view_frames(out, &stack->frames, stack->truncated, NULL, o, o->width);
}

/* What is left out, as a line; n 0: nothing. */
static void put_left(struct buf *out, size_t n, const char *one, const char *several, const char *option,
		     int width)
{
	struct buf line = {0};

	if (n) {
		fmt_count(&line, n);
		buf_printf(&line, " %s (%s)", n == 1 ? one : several, option);
		if (line.p)
			cells_put(out, line.p, line.n, width, CELLS_LEFT, false);
		buf_add(out, "\n", 1);
	}
	out->failed |= line.failed;
	buf_free(&line);
}

/* changed: rows that are no CHANGE_SAME, which come first. Frees the lines. */
static void put_table(struct buf *out, enum part part, struct lines *lines, const struct view_opts *o)
{
	size_t all = lines->n, shown = 0, more = 0;
	struct shape shape;

	for (size_t i = 0; i < all; i++)
		if (o->all || lines->v[i].is->change != CHANGE_SAME)
			lines->v[shown++] = lines->v[i];
	if (o->rows > 0 && shown > (size_t)o->rows)
		more = shown - (size_t)o->rows;
	lines->n = shown - more;
	if (lines->n) {
		make_shape(&shape, part, lines, o->width);
		put_line(out, &shape, NULL, o);
	}
	for (size_t i = 0; i < lines->n; i++) {
		put_line(out, &shape, &lines->v[i], o);
		put_stack(out, &lines->v[i], o);
	}
	put_left(out, more, "more row", "more rows", "--rows", o->width);
	put_left(out, all - shown, "other is the same", "others are the same", "-v", o->width);
	if (!all && part != PART_FINDINGS)
		buf_printf(out, "nothing to compare\n");
	free(lines->v);
}

/* --- the parts ----------------------------------------------------------------------------------- */

static struct lines lines_new(struct buf *out, size_t n)
{
	struct lines lines = {calloc(n + 1, sizeof(*lines.v)), n};

	out->failed |= !lines.v;
	lines.n = lines.v ? n : 0;
	return lines;
}

static void put_sites(struct buf *out, const struct comparison *c, const struct view_opts *o)
{
	struct lines lines = lines_new(out, c->sites.n);

	for (size_t i = 0; i < lines.n; i++)
		lines.v[i] = (struct line){.is = &c->sites.v[i].is, .in = c, .site = &c->sites.v[i]};
	put_table(out, PART_SITES, &lines, o);
}

static void put_classes(struct buf *out, const struct comparison *c, const struct view_opts *o)
{
	struct lines lines = lines_new(out, c->classes.n);

	for (size_t i = 0; i < lines.n; i++)
		lines.v[i] = (struct line){.is = &c->classes.v[i].is, .in = c, .class = &c->classes.v[i]};
	put_table(out, PART_CLASSES, &lines, o);
}

static void put_findings(struct buf *out, const struct comparison *c, const struct view_opts *o)
{
	struct lines lines = lines_new(out, c->findings.n);

	for (size_t i = 0; i < lines.n; i++)
		lines.v[i] = (struct line){.is = &c->findings.v[i].is, .in = c, .finding = &c->findings.v[i]};
	if (lines.n)
		buf_printf(out, "Findings\n");
	put_table(out, PART_FINDINGS, &lines, o);
}

static uint64_t losses(const struct report *r)
{
	uint64_t n = 0;

	for (int i = 0; i < NR_DROPS; i++)
		n = add_capped(n, r->drops[i]);
	return n;
}

static void put_side(struct buf *out, const char *name, const struct comparison_side *s,
		     const struct view_opts *o)
{
	struct flow f = {.out = out, .width = o->width, .indent = 3};
	const struct report *r = s->report;

	view_style(out, o, BOLD);
	FLOW_ADD(&f, "", "%s", name);
	view_style(out, o, PLAIN);
	if (s->file)
		FLOW_ADD(&f, "  ", "%s", s->file);
	if (!r) {
		FLOW_ADD(&f, DOT, "no such process");
		flow_end(&f);
		return;
	}
	FLOW_ADD(&f, s->file ? DOT : "  ", "PID %d (%s)", r->target.pid, target_name_of(&r->target));
	FLOW_ADD(&f, DOT, "%.1f s", r->elapsed_s);
	if (s->version)
		FLOW_ADD(&f, DOT, "jnitrace %s", s->version);
	for (size_t i = 0; i < NR_FAMILIES; i++)
		if (r->families[i].one_in)
			FLOW_ADD(&f, DOT, "%s sampled 1 in %llu: what differs by chance is the same",
				 family_name(r->catalog, i), (unsigned long long)r->families[i].one_in);
	if (losses(r))
		FLOW_ADD(&f, DOT, "%llu lost: numbers are in doubt", (unsigned long long)losses(r));
	flow_end(&f);
}

static void put_head(struct buf *out, const struct comparison *c, const struct view_opts *o)
{
	struct flow f = {.out = out, .width = o->width, .indent = 3};

	put_side(out, "A", &c->a, o);
	put_side(out, "B", &c->b, o);
	for (size_t i = 0; i < c->modules.n; i++) {
		const struct compared_module *m = &c->modules.v[i];

		FLOW_ADD(&f, i ? DOT : "", "%s of two builds: %.*s -> %.*s", m->name, BUILD_ID,
			 m->build_id_a ?: "?", BUILD_ID, m->build_id_b ?: "?");
	}
	if (c->modules.n)
		flow_end(&f);
	f = (struct flow){.out = out, .width = o->width};
	if (c->per == PER_SECOND)
		FLOW_ADD(&f, "", "DELTA is B less A, A times what B took longer");
	if (c->per == PER_CALL)
		FLOW_ADD(&f, "", "DELTA is B less A, A times what B acquired more");
	if (c->per != PER_RUN)
		flow_end(&f);
}

void view_diff_table(struct buf *out, const struct comparison *const *v, size_t n, const struct view_opts *o)
{
	for (size_t i = 0; i < n; i++) {
		put_head(out, v[i], o);
		if (o->group_by == GROUP_CLASS)
			put_classes(out, v[i], o);
		else
			put_sites(out, v[i], o);
		put_findings(out, v[i], o);
		buf_add(out, "\n", 1);
	}
}
