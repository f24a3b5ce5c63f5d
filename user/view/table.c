/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Reports as tables for people: a header, a line per family, the drops, then the rows. */
#include <limits.h>
#include <math.h>
#include <string.h>

#include "view/cells.h"
#include "view/columns.h"
#include "view/priv.h"

#define MAX_COLUMNS 32
#define MAX_WIDTH   1000
#define LAST_ROOM   30 /* cells one would like to have for the last column */
#define DOT         " \xc2\xb7 "
#define ELLIPSIS    "\xe2\x80\xa6"

void view_style(struct buf *out, const struct view_opts *o, const char *code)
{
	if (o->color)
		buf_printf(out, "%s", code);
}

/* One piece of a flow, made by printf. */
#define FLOW_ADD(flow, separator, ...)                                                                       \
	do {                                                                                                 \
		struct buf piece_ = {0};                                                                     \
		buf_printf(&piece_, __VA_ARGS__);                                                            \
		flow_add_buf(flow, separator, &piece_);                                                      \
	} while (0)

static void flow_add_buf(struct flow *f, const char *separator, struct buf *piece)
{
	if (piece->n > 0)
		flow_add(f, separator, piece->p, piece->n);
	f->out->failed |= piece->failed;
	buf_free(piece);
}

/* Header. */

/* What is measured per target adds up; one unknown makes the sum unknown. */
static double sum_known(double a, double b)
{
	return a < 0 || b < 0 ? -1 : a + b;
}

static double larger(double a, double b)
{
	return a > b ? a : b;
}

static void pool_one(struct report *sum_of, const struct report *r)
{
	sum_of->elapsed_s = larger(sum_of->elapsed_s, r->elapsed_s);
	sum_of->final = sum_of->final && r->final;
	sum_of->nr_probes += r->nr_probes;
	sum_of->events = add_capped(sum_of->events, r->events);
	sum_of->events_per_s += r->events_per_s;
	sum_of->probe_cost_ns_per_event = larger(sum_of->probe_cost_ns_per_event, r->probe_cost_ns_per_event);
	sum_of->target_cpu_pct = sum_known(sum_of->target_cpu_pct, r->target_cpu_pct);
	/* These are of the whole run, the same in every report. */
	sum_of->self_cpu_pct = larger(sum_of->self_cpu_pct, r->self_cpu_pct);
	if (r->map_bytes > sum_of->map_bytes)
		sum_of->map_bytes = r->map_bytes;
	for (size_t i = 0; i < NR_DROPS; i++)
		if (i != DROP_PROG_MISSED) /* of the whole run, too */
			sum_of->drops[i] = add_capped(sum_of->drops[i], r->drops[i]);
		else if (r->drops[i] > sum_of->drops[i])
			sum_of->drops[i] = r->drops[i];
	for (size_t i = 0; i < NR_FAMILIES; i++) {
		struct report_family *to = &sum_of->families[i];
		const struct report_family *from = &r->families[i];

		if (!from->traced)
			continue;
		if (!to->traced) {
			*to = *from;
			continue;
		}
		to->acquired = add_capped(to->acquired, from->acquired);
		to->released = add_capped(to->released, from->released);
		to->outstanding = add_capped(to->outstanding, from->outstanding);
		to->died = add_capped(to->died, from->died);
		to->unverified = add_capped(to->unverified, from->unverified);
		to->life_unknown = to->life_unknown || from->life_unknown;
		to->released_untracked = add_capped(to->released_untracked, from->released_untracked);
		to->target_cpu_pct = sum_known(to->target_cpu_pct, from->target_cpu_pct);
		if (to->vm_total < 0 || from->vm_total < 0 ||
		    __builtin_add_overflow(to->vm_total, from->vm_total, &to->vm_total))
			to->vm_total = -1;
		to->before_known = to->before_known && from->before_known;
		to->before_attach = add_capped(to->before_attach, from->before_attach);
		to->vm_own = add_capped(to->vm_own, from->vm_own);
	}
}

static void pool_stacks(struct report_stacks *to, const struct report_stacks *from)
{
	to->complete = add_capped(to->complete, from->complete);
	to->incomplete = add_capped(to->incomplete, from->incomplete);
	to->complete_sites += from->complete_sites;
	to->incomplete_sites += from->incomplete_sites;
	for (size_t i = 0; i < NR_ENDS; i++)
		to->reasons[i] = add_capped(to->reasons[i], from->reasons[i]);
}

static void add_title(struct flow *f, const struct report *r, size_t n)
{
	const struct report_target *t = &r->target;

	if (n != 1) {
		FLOW_ADD(f, "", "jnitrace - %zu targets", n);
		return;
	}
	FLOW_ADD(f, "", "jnitrace - PID %d %s", t->pid, t->comm ? t->comm : "?");
	FLOW_ADD(f, DOT, "%s %s", t->vm ? t->vm : "VM",
		 t->vm_version && *t->vm_version ? t->vm_version : "?");
}

static void add_elapsed(struct flow *f, const struct report *r)
{
	struct buf age = {0};

	if (r->elapsed_s < 100)
		buf_printf(&age, "%.1f s", isfinite(r->elapsed_s) ? r->elapsed_s : 0);
	else
		fmt_age(&age, r->elapsed_s);
	flow_add_buf(f, DOT, &age);
	if (r->final)
		FLOW_ADD(f, DOT, "final%s%s%s", r->end_reason ? " (" : "", r->end_reason ? r->end_reason : "",
			 r->end_reason ? ")" : "");
}

static void add_percent(struct buf *b, const char *who, double pct)
{
	buf_printf(b, "%s %.1f%%", who, pct);
}

/* Is what this family costs known, and more than 0.0 %? */
static bool costs(const struct report_family *f)
{
	return f->traced && f->target_cpu_pct >= 0.05;
}

static void add_cost(struct buf *b, const char **before, const char *of, double pct)
{
	buf_printf(b, "%s%s %.1f", *before, of, pct);
	*before = ", ";
}

/*
 * " (global 2.1, weak 0.1)", so that one can choose by it; where one family alone costs something
 * " (1,100 ns an event)".
 */
static void add_costs(struct buf *b, const struct report *r)
{
	const char *before = " (";
	bool check = r->check.on && r->check.target_cpu_pct >= 0.05;
	size_t known = check;

	for (size_t i = 0; i < NR_FAMILIES; i++)
		known += costs(&r->families[i]);
	if (known < 2 && r->probe_cost_ns_per_event >= 0 && r->probe_cost_ns_per_event < 1e15) {
		buf_printf(b, " (");
		fmt_count(b, (uint64_t)(r->probe_cost_ns_per_event + 0.5));
		buf_printf(b, " ns an event)");
		return;
	}
	for (size_t i = 0; known > 1 && i < NR_FAMILIES; i++)
		if (costs(&r->families[i]))
			add_cost(b, &before, family_name(r->catalog, i), r->families[i].target_cpu_pct);
	if (known > 1 && check)
		add_cost(b, &before, "check", r->check.target_cpu_pct);
	buf_printf(b, known > 1 ? ")" : "");
}

static void add_overhead(struct flow *f, const struct report *r)
{
	struct buf b = {0};
	const char *before = "overhead: ";

	if (r->target_cpu_pct >= 0) {
		add_percent(&b, "overhead: target", r->target_cpu_pct);
		add_costs(&b, r);
		before = ", ";
	}
	if (r->self_cpu_pct >= 0) {
		buf_printf(&b, "%s", before);
		add_percent(&b, "jnitrace", r->self_cpu_pct);
	}
	if (b.n)
		buf_printf(&b, " of a CPU");
	flow_add_buf(f, DOT, &b);
}

static void add_numbers(struct flow *f, const struct report *r)
{
	struct buf events = {0}, drops = {0}, maps = {0};
	uint64_t dropped = 0;
	double per_s = r->events_per_s;

	for (size_t i = 0; i < NR_DROPS; i++)
		dropped = add_capped(dropped, r->drops[i]);
	fmt_count(&events, per_s > 0 ? (uint64_t)(per_s < 1e18 ? per_s + 0.5 : 1e18) : 0);
	buf_printf(&events, " events/s");
	flow_add_buf(f, DOT, &events);
	buf_printf(&drops, "drops ");
	fmt_count(&drops, dropped);
	flow_add_buf(f, DOT, &drops);
	add_overhead(f, r);
	FLOW_ADD(f, DOT, "%zu probe%s", r->nr_probes, r->nr_probes == 1 ? "" : "s");
	buf_printf(&maps, "maps ");
	fmt_bytes(&maps, r->map_bytes);
	flow_add_buf(f, DOT, &maps);
}

/* "tracked 12 + before attach 9 + the VM's own 3 = 24 of 24": what of the VM's count can be accounted for. */
static void put_account(struct buf *out, const struct report_family *family, int width)
{
	struct flow f = {.out = out, .width = width, .indent = INDENT};
	struct buf b = {0};

	buf_printf(&b, "%*stracked ", INDENT, "");
	fmt_count(&b, family->outstanding);
	buf_printf(&b, " + before attach ");
	fmt_count(&b, family->before_attach);
	if (family->vm_own) {
		buf_printf(&b, " + the VM's own ");
		fmt_count(&b, family->vm_own);
	}
	buf_printf(&b, " = ");
	fmt_count(&b, add_capped(add_capped(family->outstanding, family->before_attach), family->vm_own));
	buf_printf(&b, " of ");
	fmt_count(&b, (uint64_t)family->vm_total);
	flow_add_buf(&f, " ", &b);
	flow_end(&f);
	buf_free(&b);
}

static void put_known(struct buf *out, bool known, uint64_t n)
{
	if (known)
		fmt_count(out, n);
	else
		buf_printf(out, "?");
}

/* What became of what was acquired. */
static void put_fate(struct buf *out, bool dies, const struct report_family *family)
{
	buf_printf(out, " -");
	fmt_count(out, family->released);
	if (dies) {
		buf_printf(out, " died ");
		put_known(out, !family->life_unknown, family->died);
	}
	buf_printf(out, " = ");
	put_known(out, !family->life_unknown, family->outstanding);
	buf_printf(out, " outstanding");
}

/* Does the VM count them? */
static bool has_vm_total(enum jni_family id)
{
	return id == FAMILY_GLOBAL || id == FAMILY_WEAK || id == FAMILY_LOCAL;
}

/* " (unverified 2, released untracked 3, VM total 21)": what there is of it. stale: of a moment ago. */
static void put_remarks(struct flow *f, enum jni_family id, const struct report_family *family,
			bool count_only, bool stale)
{
	struct buf b = {0};

	if (family->unverified) {
		buf_printf(&b, ", unverified ");
		fmt_count(&b, family->unverified);
	}
	if (count_only)
		buf_printf(&b, ", releases not counted");
	else if (family->released_untracked) {
		buf_printf(&b, ", released untracked ");
		fmt_count(&b, family->released_untracked);
	}
	if (has_vm_total(id)) {
		buf_printf(&b, ", %sVM total ", stale ? "last " : "");
		put_known(&b, family->vm_total >= 0, (uint64_t)family->vm_total);
	}
	if (b.n && !b.failed) {
		buf_printf(&b, ")");
		b.p[1] = '('; /* for the first comma */
		flow_add(f, " ", b.p + 1, b.n - 1);
	}
	f->out->failed |= b.failed;
	buf_free(&b);
}

/*
 * "global: +1,009 -997 = 12 outstanding (released untracked 3, VM total 21)" and its account. gone: so is the
 * process, and the VM's total of before its end.
 */
static void put_family(struct buf *out, enum jni_family id, const struct report *r, bool gone, int width)
{
	const struct report_family *family = &r->families[id];
	bool count_only = r->count_only;
	struct flow f = {.out = out, .width = width, .indent = INDENT};
	struct buf b = {0};

	buf_printf(&b, "%s: +", family_name(r->catalog, id));
	fmt_count(&b, family->acquired);
	if (!count_only)
		put_fate(&b, r->catalog->families[id].kind == KIND_LOCAL, family);
	flow_add_buf(&f, " ", &b);
	put_remarks(&f, id, family, count_only, gone);
	flow_end(&f);
	if (family->before_known && family->vm_total >= 0 && !gone)
		put_account(out, family, width);
}

/* Is there nothing to say of it? */
static bool is_idle(const struct report_family *f)
{
	return !f->acquired && !f->released && !f->released_untracked && f->vm_total <= 0 &&
	       !(f->before_known && f->before_attach);
}

/* "no calls: weak, monitor" */
static void put_idle(struct buf *out, const struct report *r, int width)
{
	struct flow f = {.out = out, .width = width, .indent = INDENT};
	const char *before = "no calls: ";

	for (size_t i = 0; i < NR_FAMILIES; i++)
		if (r->families[i].traced && is_idle(&r->families[i])) {
			FLOW_ADD(&f, "", "%s%s", before, family_name(r->catalog, i));
			before = ", ";
		}
	if (f.col > 0)
		flow_end(&f);
}

/* A line that is a warning; frees text. */
static void put_warning(struct buf *out, struct buf *text, const struct view_opts *o, int width)
{
	struct flow f = {.out = out, .width = width, .indent = INDENT};

	view_style(out, o, WARNING);
	if (!text->failed)
		flow_words(&f, text->p, text->n);
	view_style(out, o, PLAIN);
	flow_end(&f);
	out->failed |= text->failed;
	buf_free(text);
}

/* "drop refs_full 12: MEANING (ADVICE)" */
static void put_drops(struct buf *out, const struct report *r, const struct view_opts *o, int width)
{
	for (size_t i = 0; i < NR_DROPS; i++) {
		struct buf text = {0};

		if (!r->drops[i])
			continue;
		buf_printf(&text, "drop %s ", drop_rows[i].name);
		fmt_count(&text, r->drops[i]);
		buf_printf(&text, ": %s (%s)", drop_rows[i].meaning, drop_rows[i].advice);
		put_warning(out, &text, o, width);
	}
}

/* "stacks: 12 of 1,009 calls (1.2%) have an incomplete one, at 2 of 7 sites", and a line for each reason. */
static void put_stacks(struct buf *out, const struct report_stacks *s, const struct view_opts *o, int width)
{
	struct buf text = {0};
	double pct;

	if (!s->incomplete)
		return;
	buf_printf(&text, "stacks: ");
	fmt_count(&text, s->incomplete);
	buf_printf(&text, " of ");
	fmt_count(&text, add_capped(s->complete, s->incomplete));
	pct = 100 * (double)s->incomplete / ((double)s->complete + (double)s->incomplete);
	buf_printf(&text, " calls (%s%.1f%%) have an incomplete one, at ", pct < 0.1 ? "below " : "",
		   pct < 0.1 ? 0.1 : pct);
	fmt_count(&text, s->incomplete_sites);
	buf_printf(&text, " of ");
	fmt_count(&text, add_capped(s->complete_sites, s->incomplete_sites));
	buf_printf(&text, " sites");
	put_warning(out, &text, o, width);
	for (size_t i = 0; i < NR_ENDS; i++) {
		if (!s->reasons[i])
			continue;
		buf_printf(&text, "stacks %s ", stack_end_rows[i].name);
		fmt_count(&text, s->reasons[i]);
		buf_printf(&text, ": %s (%s)", stack_end_rows[i].meaning, stack_end_rows[i].advice);
		put_warning(out, &text, o, width);
	}
}

static void put_header(struct buf *out, const struct report *r, size_t n, const struct view_opts *o,
		       int width)
{
	struct flow f = {.out = out, .width = width, .indent = INDENT};
	bool gone = n == 1 && r->end_reason && strcmp(r->end_reason, "detached") != 0;

	view_style(out, o, BOLD);
	add_title(&f, r, n);
	view_style(out, o, PLAIN);
	add_elapsed(&f, r);
	add_numbers(&f, r);
	flow_end(&f);
	for (size_t i = 0; i < NR_FAMILIES; i++)
		if (r->families[i].traced && !is_idle(&r->families[i]))
			put_family(out, i, r, gone, width);
	put_idle(out, r, width);
	put_drops(out, r, o, width);
	put_stacks(out, &r->stacks, o, width);
}

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
	return width;
}

/* Cells left for the last column; negative when the others alone are too wide. */
static int room_left(const struct layout *l, int width)
{
	for (size_t i = 0; i + 1 < l->n; i++)
		width -= l->width[i] + 1;
	return width;
}

/* Cut what may be cut until the last column has as many cells as wanted. */
static void cut_to_fit(struct layout *l, int wanted, int width)
{
	for (size_t i = 0; i + 1 < l->n; i++) {
		int least = l->column[i]->least, missing = wanted - room_left(l, width);

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
		if (cell.p && c->least)
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

static void put_indented(struct buf *out, struct buf *line, int width)
{
	buf_printf(out, "%*s", 2 * INDENT, "");
	if (line->p)
		cells_puts(out, line->p, width - 2 * INDENT);
	buf_add(out, "\n", 1);
	out->failed |= line->failed;
	buf_free(line);
}

/* "symbol file:line (module+0x11e3)"; what is known of it. */
static void put_frame(struct buf *out, const struct frame *f, int width)
{
	struct buf line = {0}, where = {0};

	frame_location(&where, f);
	if (f->inlined)
		buf_printf(&where, "%s(inlined)", where.n > 0 ? " " : "");
	if (f->tail_call)
		buf_printf(&where, "%s(tail call)", where.n > 0 ? " " : "");
	if (f->symbol && f->module)
		buf_printf(&where, "%s(%s+0x%llx)", where.n > 0 ? " " : "", f->module,
			   (unsigned long long)f->offset);
	frame_name(&line, f);
	if (where.n > 0 && line.p) {
		struct buf name = line;
		int name_width = width - 2 * INDENT - 1 - cells_width(where.p, where.n);

		line = (struct buf){0};
		cells_put_ends(&line, name.p, name.n, name_width > width / 3 ? name_width : width / 3, false);
		buf_printf(&line, " %s", where.p);
		buf_free(&name);
	}
	line.failed |= where.failed;
	buf_free(&where);
	put_indented(out, &line, width);
}

void view_frames(struct buf *out, const struct frames *frames, const char *truncated,
		 const struct view_opts *o, int width)
{
	size_t most = o->stack_frames > 0 && o->stacks != STACKS_NONE ? (size_t)o->stack_frames : 0;
	struct buf line = {0};
	size_t shown = 0;

	if (most == 0)
		return;
	for (size_t i = 0; i < frames->n; i++)
		if (frame_is_shown(&frames->v[i], o->stacks) && ++shown <= most)
			put_frame(out, &frames->v[i], width);
	if (shown > most)
		buf_printf(&line, ELLIPSIS " %zu more", shown - most);
	else if (truncated)
		buf_printf(&line, "[ends here: %s]", truncated);
	else
		return;
	put_indented(out, &line, width);
}

/* What is not shown is said, never silently left out. */
static void put_rest(struct buf *out, const struct rows *rows, size_t shown, bool count_only, int width)
{
	struct flow f = {.out = out, .width = width};
	struct buf b = {0};
	uint64_t n = 0;

	for (size_t i = shown; i < rows->n; i++)
		n = add_capped(n, count_only ? rows->v[i].acquired : rows->v[i].outstanding);
	buf_printf(&b, ELLIPSIS " ");
	fmt_count(&b, rows->n - shown);
	buf_printf(&b, " more row%s with ", rows->n - shown == 1 ? "" : "s");
	fmt_count(&b, n);
	buf_printf(&b, " %s (--rows)", count_only ? "acquired" : "outstanding");
	flow_add_buf(&f, "", &b);
	flow_end(&f);
}

int count_lines(const struct buf *b, size_t from)
{
	int lines = 0;

	for (size_t i = from; i < b->n; i++)
		lines += b->p[i] == '\n';
	return lines;
}

static void put_stack_of(struct buf *out, const struct row *row, const struct view_opts *o, int width)
{
	if (row->site)
		view_frames(out, &row->site->frames, row->site->truncated, o, width);
}

/*
 * As many rows as fit into this many lines, but at least one; how many. One line in two is kept for rows; the
 * first of them have their stacks as long as there is room, and one has it even if rows must go for it.
 */
static size_t put_fitting(struct buf *out, const struct layout *l, const struct rows *rows, size_t most,
			  int lines, const struct view_opts *o, int width)
{
	int kept = lines / 2 < (int)most ? lines / 2 : (int)most, left = lines - kept;
	struct view_opts fitting = *o;
	bool stacks = true, some = false;
	size_t shown = 0;

	if (fitting.stack_frames > lines - 2)
		fitting.stack_frames = lines > 3 ? lines - 2 : 1;
	while (shown < most && (shown == 0 || kept > 0 || left > 0)) {
		size_t before;
		int taken;

		put_row(out, l, &rows->v[shown], o);
		*(kept > 0 ? &kept : &left) -= 1;
		before = out->n;
		if (stacks)
			put_stack_of(out, &rows->v[shown], &fitting, width);
		taken = count_lines(out, before);
		shown++;
		if (taken <= left || !some) {
			some = some || taken > 0;
			left -= taken;
			kept += left < 0 ? left : 0;
			left = left > 0 ? left : 0;
			continue;
		}
		stacks = false; /* nor of those below: it would look as if they had none */
		out->n = before;
		out->p[before] = '\0';
	}
	return shown;
}

static void put_rows(struct buf *out, const struct rows *rows, int lines, const struct view_opts *o,
		     int width)
{
	size_t shown = o->rows > 0 && (size_t)o->rows < rows->n ? (size_t)o->rows : rows->n;
	struct layout l;

	if (rows->n == 0) {
		buf_printf(out, "nothing acquired since attach\n");
		return;
	}
	layout_make(&l, rows, shown, o, width);
	put_row(out, &l, NULL, o);
	if (lines > 0)
		shown = put_fitting(out, &l, rows, shown, lines, o, width);
	for (size_t i = 0; lines <= 0 && i < shown; i++) {
		put_row(out, &l, &rows->v[i], o);
		put_stack_of(out, &rows->v[i], o, width);
	}
	if (shown < rows->n)
		put_rest(out, rows, shown, o->count_only, width);
}

/* lines: the section may take, 0: any number. */
static void put_section(struct buf *out, const struct report *const *reports, size_t n, int lines,
			const struct view_opts *o)
{
	int width = o->width < VIEW_MIN_WIDTH ? VIEW_MIN_WIDTH : o->width > MAX_WIDTH ? MAX_WIDTH : o->width;
	const struct column *by = o->sort ? column_find(o->sort) : NULL;
	struct report pooled = *reports[0]; /* its sites are not used */
	struct buf findings = {0};
	struct rows rows = {0};
	size_t start = out->n;

	for (size_t i = 1; i < n; i++) {
		pool_one(&pooled, reports[i]);
		pool_stacks(&pooled.stacks, &reports[i]->stacks);
	}
	put_header(out, &pooled, n, o, width);
	if (lines > 0) {
		/* The table's header, the line on what is left out, the empty one. */
		lines -= count_lines(out, start) + 3;
		view_findings(&findings, reports, n, lines > 2 ? lines / 2 : 1, o, width);
		lines -= count_lines(&findings, 0);
		lines = lines > 1 ? lines : 1;
	} else {
		view_findings(&findings, reports, n, 0, o, width);
	}
	if (rows_make(reports, n, o->group_by, &rows) == 0) {
		rows_sort(&rows, by ? by : column_default(o->group_by));
		put_rows(out, &rows, lines, o, width);
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
		int left = o->height - count_lines(out, start);
		int share = left / (int)(n - i);

		put_section(out, &reports[i], 1, o->height > 0 ? (share > 1 ? share : 1) : 0, o);
	}
}
