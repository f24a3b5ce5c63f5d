/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Reports as tables for people: the header, then the rows. */
#include <limits.h>
#include <string.h>

#include "model/pool.h"
#include "view/alike.h"
#include "view/answer.h"
#include "view/cells.h"
#include "view/columns.h"
#include "view/findings.h"
#include "view/header.h"
#include "view/table.h"
#include "view/text.h"

#define MAX_COLUMNS 32
#define LEAST_LINES                                                                                          \
	5 /* a table takes: the answer, its header, a row, what is left out, the line between it and the     \
	     next */
#define EXTRA_LINES 5  /* of a short stack, that a longer one may not need: frames farther out, and gaps */
#define LAST_ROOM   30 /* cells one would like to have for the last column, */
#define LAST_LEAST  18 /* and that it gets before a name that may be looked up is cut */

/* The table. */

struct layout {
	const struct column *column[MAX_COLUMNS];
	int width[MAX_COLUMNS]; /* cells; of the last column: what is left */
	size_t n;
};

static int content_width(const struct column *c, const struct rows *rows, size_t shown)
{
	int width = cells_width(c->header, strlen(c->header));
	struct buf cell = {0};

	for (size_t i = 0; i < shown; i++) {
		int w;

		cell.n = 0;
		c->format(&cell, &rows->v[i], INT_MAX);
		w = cell.failed || !cell.p ? 0 : cells_width(cell.p, cell.n);
		width = w > width ? w : width;
	}
	buf_free(&cell);
	return width > c->min ? width : c->min;
}

/* Cells left for the last column; negative when the others alone are too wide. */
static int room_left(const struct layout *l, int width)
{
	for (size_t i = 0; i + 1 < l->n; i++)
		width -= l->width[i] + 1;
	return width;
}

/*
 * Cut what may be cut until the last column has as many cells as wanted, from the right; what is cut late
 * stays whole as long as that has LAST_LEAST.
 */
static void cut_to_fit(struct layout *l, int wanted, int width)
{
	for (size_t i = l->n - (l->n > 0); i-- > 0;) {
		const struct column *c = l->column[i];
		int room = c->late && wanted > LAST_LEAST ? LAST_LEAST : wanted;
		int least = c->least, missing = room - room_left(l, width);

		if (least && missing > 0 && l->width[i] > least)
			l->width[i] = l->width[i] - missing > least ? l->width[i] - missing : least;
	}
}

/* The column sorted by always is. */
static bool is_needed(const struct column *c, const struct rows *rows, size_t shown,
		      const struct column *sorted_by)
{
	bool said = !c->says || c == sorted_by;

	for (size_t i = 0; i < shown && !said; i++)
		said = c->says(&rows->v[i]);
	return said;
}

/*
 * All columns of this grouping, where it is tight cut as far as they may be, without those whose wish for
 * room the screen cannot meet, the most demanding first. The column sorted by always stays.
 */
static void layout_make(struct layout *l, const struct rows *rows, size_t shown, const struct view_opts *o,
			int width)
{
	const struct column *sorted_by = o->sort ? column_find(o->sort) : NULL;
	int wanted; /* cells for the last column */

	l->n = 0;
	for (size_t i = 0; i < nr_columns && l->n < MAX_COLUMNS; i++) {
		if (!(columns[i].groups & 1U << o->group_by) ||
		    (o->count_only && columns[i].groups & COLUMN_PAIRED) ||
		    !is_needed(&columns[i], rows, shown, sorted_by))
			continue;
		l->column[l->n] = &columns[i];
		l->width[l->n++] = content_width(&columns[i], rows, shown);
	}
	wanted = l->n > 0 && l->width[l->n - 1] < LAST_ROOM ? l->width[l->n - 1] : LAST_ROOM;
	cut_to_fit(l, wanted, width);
	for (;;) {
		size_t worst = l->n;
		int left = room_left(l, width);

		for (size_t i = 0; i + 1 < l->n; i++)
			if (l->column[i]->room > left && l->column[i] != sorted_by &&
			    (worst == l->n || l->column[i]->room > l->column[worst]->room))
				worst = i;
		if (worst == l->n)
			break;
		l->n--;
		memmove(&l->column[worst], &l->column[worst + 1], (l->n - worst) * sizeof(l->column[0]));
		memmove(&l->width[worst], &l->width[worst + 1], (l->n - worst) * sizeof(l->width[0]));
	}
	/* Some room may be left again. */
	for (size_t i = 0; i + 1 < l->n; i++)
		if (l->column[i]->least)
			l->width[i] = content_width(l->column[i], rows, shown);
	cut_to_fit(l, wanted, width);
	if (l->n > 0)
		l->width[l->n - 1] = room_left(l, width) > 1 ? room_left(l, width) : 1;
}

/* r NULL: the headers. Numbers are never cut: a column is as wide as its widest number. */
static void put_row(struct buf *out, const struct layout *l, const struct row *r, const struct view_opts *o)
{
	struct buf cell = {0};

	view_style(out, o, r ? "" : BOLD);
	for (size_t i = 0; i < l->n; i++) {
		const struct column *c = l->column[i];
		bool last = i + 1 == l->n;

		cell.n = 0;
		if (r)
			c->format(&cell, r, l->width[i]);
		else
			buf_printf(&cell, "%s", c->header);
		if (cell.p && c->tail)
			cells_put_tail(out, cell.p, cell.n, l->width[i], !last);
		else if (cell.p && c->least)
			cells_put_ends(out, cell.p, cell.n, l->width[i], !last);
		else if (cell.p)
			cells_put(out, cell.p, cell.n, l->width[i], c->align, !last);
		if (!last)
			buf_add(out, " ", 1);
	}
	view_style(out, o, r ? "" : PLAIN);
	buf_add(out, "\n", 1);
	out->failed |= cell.failed;
	buf_free(&cell);
}

/* What is not shown is said, never silently left out. */
static void put_rest(struct buf *out, const struct rows *rows, size_t shown, bool count_only, int width)
{
	struct buf b = {0};
	uint64_t n = 0;

	for (size_t i = shown; i < rows->n; i++)
		n = add_capped(n, count_only ? rows->v[i].acquired : rows->v[i].outstanding);
	buf_printf(&b, ELLIPSIS " ");
	fmt_count(&b, rows->n - shown);
	buf_printf(&b, " more row%s with ", rows->n - shown == 1 ? "" : "s");
	fmt_count(&b, n);
	buf_printf(&b, " %s (--rows)", count_only ? "acquired" : "outstanding");
	if (!b.failed)
		cells_put(out, b.p, b.n, width, CELLS_LEFT, false);
	buf_add(out, "\n", 1);
	out->failed |= b.failed;
	buf_free(&b);
}

/* "1,672 more com.acme.Listener were there before attach": of the class of most of the site's references. */
static void put_before(struct buf *out, const struct report *r, const struct report_site *s, int width)
{
	uint64_t n = 0;
	struct buf line = {0};

	for (size_t i = 0; i < r->before.n && s->classes.n; i++)
		if (r->before.v[i].class && r->before.v[i].family == func_family(r->catalog, s->func) &&
		    !strcmp(r->before.v[i].class, s->classes.v[0].name))
			n = add_capped(n, r->before.v[i].outstanding);
	if (n == 0 || s->outstanding == 0 || s->verdict.kind == VERDICT_CLEAN)
		return;
	buf_printf(&line, "%*s", 2 * INDENT, "");
	fmt_count(&line, n);
	buf_printf(&line, " more %s were there before attach\n", s->classes.v[0].name);
	if (line.p)
		cells_put(out, line.p, line.n - 1, width, CELLS_LEFT, false);
	buf_add(out, "\n", 1);
	out->failed |= line.failed;
	buf_free(&line);
}

/* What stands below a row: its stack, and what else is known. */
static void put_below(struct buf *out, const struct report *r, const struct row *row,
		      const struct view_opts *o, int width)
{
	bool alike = row->differs[0] != NO_FRAME || row->differs[1] != NO_FRAME;

	if (!row->site)
		return;
	view_frames(out, &row->site->frames, row->site->truncated, alike ? row->differs : NULL, o, width);
	if (o->stacks != STACKS_NONE && (o->stack_frames > 0 || row->verdict == VERDICT_GROWING))
		put_before(out, r, row->site, width);
}

static int lines_below(const struct report *r, const struct row *row, const struct view_opts *o, int width)
{
	struct buf scratch = {0};
	int n;

	put_below(&scratch, r, row, o, width);
	n = view_lines(&scratch, 0);
	buf_free(&scratch);
	return n;
}

/* How a table is fitted into lines. */
struct fit {
	size_t shown, with_stacks; /* rows; the first of them */
	int frames;                /* of each stack, at least */
	int spare;                 /* lines that are left over */
};

/*
 * As many rows as fit, but at least one. One line in two is kept for rows; the first of them have their
 * stacks as long as there is room, and one has it even if rows must go for it.
 */
static struct fit fit_rows(const struct report *r, const struct rows *rows, size_t most, int lines,
			   const struct view_opts *o, int width)
{
	int kept = lines / 2 < (int)most ? lines / 2 : (int)most, left = lines - kept;
	struct view_opts fitting = *o;
	bool stacks, some = false;
	struct fit fit;

	while (fitting.stack_frames > 0 && lines_below(r, &rows->v[0], &fitting, width) > lines - 1)
		fitting.stack_frames--;
	stacks = lines_below(r, &rows->v[0], &fitting, width) < lines;
	fit = (struct fit){.frames = fitting.stack_frames};
	while (fit.shown < most && (fit.shown == 0 || kept > 0 || left > 0)) {
		int taken = stacks ? lines_below(r, &rows->v[fit.shown], &fitting, width) : 0;

		*(kept > 0 ? &kept : &left) -= 1;
		fit.shown++;
		if (taken > left && some) {
			stacks = false; /* nor of those below: it would look as if they had none */
			continue;
		}
		fit.with_stacks += stacks;
		some = some || taken > 0;
		left -= taken;
		kept += left < 0 ? left : 0;
		left = left > 0 ? left : 0;
	}
	fit.spare = (kept > 0 ? kept : 0) + (left > 0 ? left : 0);
	return fit;
}

/* Give a row's stack frames from what is to spare. */
static void lengthen(struct fit *fit, const struct report *r, const struct row *row, struct view_opts *o,
		     int width)
{
	int least, most_frames = row->site ? (int)row->site->frames.n : 0;
	int least_lines = lines_below(r, row, o, width);

	least = o->stack_frames;
	most_frames =
	    most_frames < least + fit->spare + EXTRA_LINES ? most_frames : least + fit->spare + EXTRA_LINES;
	for (o->stack_frames = most_frames; o->stack_frames > least; o->stack_frames--) {
		int more = lines_below(r, row, o, width) - least_lines;

		if (more <= fit->spare) {
			fit->spare -= more;
			return;
		}
	}
	o->stack_frames = least;
}

/* Returns how many rows. */
static size_t put_fitting(struct buf *out, const struct report *r, const struct layout *l,
			  const struct rows *rows, size_t most, int lines, const struct view_opts *o,
			  int width)
{
	struct fit fit = fit_rows(r, rows, most, lines, o, width);

	for (size_t i = 0; i < fit.shown; i++) {
		struct view_opts fitting = *o;

		put_row(out, l, &rows->v[i], o);
		fitting.stack_frames = i < fit.with_stacks ? fit.frames : 0;
		if (i >= fit.with_stacks) {
			int least = lines_below(r, &rows->v[i], &fitting, width);

			if (least > fit.spare)
				continue;
			fit.spare -= least;
		}
		if (o->stack_frames > 0)
			lengthen(&fit, r, &rows->v[i], &fitting, width);
		put_below(out, r, &rows->v[i], &fitting, width);
	}
	return fit.shown;
}

static void put_rows(struct buf *out, const struct report *r, struct rows *rows, int lines,
		     const struct view_opts *o, int width)
{
	size_t shown = o->rows > 0 && (size_t)o->rows < rows->n ? (size_t)o->rows : rows->n;
	struct layout l;

	if (rows->n == 0) {
		cells_puts(out, "nothing acquired since attach", width);
		buf_add(out, "\n", 1);
		return;
	}
	if (rows_tell_apart(rows, shown, NULL) < 0)
		out->failed = true;
	layout_make(&l, rows, shown, o, width);
	put_row(out, &l, NULL, o);
	if (lines > 0)
		shown = put_fitting(out, r, &l, rows, shown, lines, o, width);
	for (size_t i = 0; lines <= 0 && i < shown; i++) {
		put_row(out, &l, &rows->v[i], o);
		put_below(out, r, &rows->v[i], o, width);
	}
	if (shown < rows->n)
		put_rest(out, rows, shown, o->count_only, width);
}

/* On a small screen the rows come first: of the header so many lines stay, but one at least. */
static void keep_lines(struct buf *out, size_t start, int lines)
{
	for (size_t i = start; i < out->n; i++)
		if (out->p[i] == '\n' && --lines <= 0) {
			out->n = i + 1;
			out->p[out->n] = '\0';
		}
}

/* "LEAK libthumb.so Registry::add +300/min": what a person wants to know first. */
static void put_answer(struct buf *out, const struct report *const *reports, size_t n,
		       const struct view_opts *o, int width)
{
	struct buf line = {0}, text = {0};
	enum answer_kind kind = view_answer(&text, reports, n);

	buf_printf(&line, "%s  %s", answer_words[kind], text.p ?: "");
	view_style(out, o, BOLD);
	if (line.p)
		cells_put(out, line.p, line.n, width, CELLS_LEFT, false);
	view_style(out, o, PLAIN);
	buf_add(out, "\n", 1);
	out->failed |= line.failed || text.failed;
	buf_free(&line);
	buf_free(&text);
}

/* lines: the section may take, 0: any number. */
static void put_section(struct buf *out, const struct report *const *reports, size_t n, int lines,
			const struct view_opts *o)
{
	int width = o->width;
	const struct column *by = o->sort ? column_find(o->sort) : NULL;
	struct report pooled;
	struct buf findings = {0};
	struct rows rows = {0};
	size_t start = out->n;

	report_pool(reports, n, &pooled);
	view_header(out, &pooled, n, o, width);
	if (lines > 0) {
		keep_lines(out, start, lines / 2 > LEAST_LINES ? lines / 2 : lines - LEAST_LINES);
		/* The answer, the table's header, the line on what is left out, the empty one. */
		lines -= view_lines(out, start) + 4;
		view_findings(&findings, reports, n, lines > 2 ? lines / 2 : 1, o, width);
		lines -= view_lines(&findings, 0);
		lines = lines > 1 ? lines : 1;
	} else {
		view_findings(&findings, reports, n, 0, o, width);
	}
	put_answer(out, reports, n, o, width);
	if (rows_make(reports, n, o->group_by, &rows) == 0) {
		rows_sort(&rows, by ? by : column_default(o->group_by));
		put_rows(out, reports[0], &rows, lines, o, width);
	} else {
		out->failed = true;
	}
	rows_free(&rows);
	buf_add(out, findings.p ? findings.p : "", findings.n);
	out->failed |= findings.failed;
	buf_free(&findings);
	buf_add(out, "\n", 1);
}

void view_table(struct buf *out, const struct report *const *reports, size_t n, const struct view_opts *o)
{
	size_t start = out->n;

	if (n == 0)
		return;
	if (o->group_by != GROUP_SITE) {
		put_section(out, reports, n, o->height, o);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		int left = o->height - view_lines(out, start);
		int share = left / (int)(n - i);

		put_section(out, &reports[i], 1, o->height > 0 ? (share > 1 ? share : 1) : 0, o);
	}
}
