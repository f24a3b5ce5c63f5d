/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* jnitrace census, for people. See census.h. */
#include "view/census.h"

#include <math.h>
#include <stdlib.h>
#include <time.h>

#include "view/cells.h"
#include "view/class_of.h"
#include "view/text.h"

#define SHOWN_THREADS 5
#define SHOWN_OF      5
#define COUNT_CELLS   13
#define LEAST_NAME    16 /* cells of a class, however narrow it is */
#define INDENT        2
#define ALARM         "GROWS STEADILY  " /* first in its line, so that it is never cut off */

static const enum family_id families[NR_VM_TABLES] = {FAMILY_GLOBAL, FAMILY_WEAK};

static const char *table_name(enum vm_table t)
{
	return jni_catalog.families[families[t]].name;
}

/* --- table --- */

/* As wide as there is room: a name in a row of a table. */
static void put_line(struct buf *out, struct buf *line, int width)
{
	if (line->p)
		cells_puts(out, line->p, width);
	buf_add(out, "\n", 1);
	out->failed |= line->failed;
	line->n = 0;
}

/* In as many lines as it takes; into files in one, to be searched for. */
static void put_words(struct buf *out, struct buf *text, int width)
{
	struct flow f = {.out = out, .width = width, .indent = INDENT};

	if (width >= CELLS_UNCUT) {
		put_line(out, text, width);
		return;
	}
	if (text->p)
		flow_words(&f, text->p, text->n);
	flow_end(&f);
	out->failed |= text->failed;
	text->n = 0;
}

static void add_per_min(struct buf *out, double per_min)
{
	buf_printf(out, "%s", per_min >= 0.05 ? "+" : "");
	fmt_figure(out, per_min);
	buf_printf(out, "%s", isfinite(per_min) ? "/min" : "");
}

static void add_span(struct buf *out, double s)
{
	if (isinf(s))
		buf_printf(out, "never");
	else
		fmt_age(out, s);
}

/* "; at 51,200 in 2h20m (2h18m to never)" */
static void add_forecast(struct buf *line, const struct growth *g, double limit)
{
	if (g->limit_s < 0)
		return;
	buf_printf(line, isinf(g->limit_s) ? "; not on the way to " : "; at ");
	fmt_count(line, (uint64_t)limit);
	if (isinf(g->limit_s))
		return;
	buf_printf(line, " in ");
	add_span(line, g->limit_s);
	buf_printf(line, " (");
	add_span(line, g->limit_soonest_s);
	buf_printf(line, " to ");
	add_span(line, g->limit_latest_s);
	buf_printf(line, ")");
}

static void add_growth(struct buf *line, const struct growth *g, double limit)
{
	if (!g->known) {
		buf_printf(line, ", growth not known yet");
		return;
	}
	buf_printf(line, ", ");
	add_per_min(line, g->per_min);
	buf_printf(line, " +-");
	fmt_figure(line, fmax(g->error_per_min, 0.1)); /* nothing is that sure */
	buf_printf(line, " over ");
	fmt_age(line, g->span_s);
	add_forecast(line, g, limit);
}

static void put_table_line(struct buf *out, const struct census *c, enum vm_table t,
			   const struct view_opts *o)
{
	struct buf line = {0};

	buf_printf(&line, "%s%s: ", c->watched && c->growth[t].alarm ? ALARM : "", table_name(t));
	if (c->refs_known)
		fmt_count(&line, c->refs[t]);
	else
		buf_printf(&line, "?");
	buf_printf(&line, " references");
	if (c->table_bytes_known[t]) {
		buf_printf(&line, ", table of ");
		fmt_bytes(&line, c->table_bytes[t]);
	}
	if (c->watched)
		add_growth(&line, &c->growth[t], c->limit);
	put_words(out, &line, o->width);
	if (c->count_note[t][0]) {
		buf_printf(&line, "%s: %s", table_name(t), c->count_note[t]);
		view_warning(out, &line, o, o->width);
	}
	buf_free(&line);
}

/* A collection may wait for them. */
static void put_criticals(struct buf *out, const struct census *c, const struct view_opts *o)
{
	struct buf line = {0};
	size_t shown = 0, n = 0;

	for (size_t i = 0; i < c->threads.n; i++) {
		const struct census_thread *t = &c->threads.v[i];

		n += t->criticals > 0;
		if (t->criticals <= 0 || (!o->all && shown == SHOWN_THREADS))
			continue;
		buf_printf(&line, "  %s (%d): inside a critical section", t->name[0] ? t->name : "?",
			   (int)t->tid);
		if (t->criticals > 1)
			buf_printf(&line, ", and %lld in it", (long long)t->criticals - 1);
		buf_printf(&line, "%s", t->gone ? ", has ended" : "");
		put_line(out, &line, o->width);
		shown++;
	}
	if (shown < n)
		buf_printf(out, "  %zu more inside critical sections\n", n - shown);
	buf_free(&line);
}

static void put_threads(struct buf *out, const struct census *c, const struct view_opts *o)
{
	struct buf line = {0};

	if (!c->threads_known) {
		buf_printf(out, "threads: ?\n");
		return;
	}
	buf_printf(&line, "%sthreads: %zu, ", c->watched && c->local_growth.alarm ? ALARM : "", c->threads.n);
	if (c->native_attached < 0)
		buf_printf(&line, "?");
	else
		buf_printf(&line, "%lld", (long long)c->native_attached);
	buf_printf(&line, " attached by native code; ");
	fmt_count(&line, c->local_refs > 0 ? (uint64_t)c->local_refs : 0);
	buf_printf(&line, " local references");
	if (c->watched)
		add_growth(&line, &c->local_growth, 0);
	put_words(out, &line, o->width);
	if (c->watched && c->attached_growth.alarm) {
		buf_printf(&line, ALARM "attached by native code");
		add_growth(&line, &c->attached_growth, 0);
		put_words(out, &line, o->width);
	}
	if (c->gone > 0) {
		buf_printf(&line, "  %lld ended without DetachCurrentThread: the VM keeps %s for ever",
			   (long long)c->gone, c->gone == 1 ? "it" : "them");
		put_line(out, &line, o->width);
	}
	put_criticals(out, c, o);
	for (size_t i = 0; i < c->threads.n; i++) {
		const struct census_thread *t = &c->threads.v[i];

		if (t->local_refs <= 0)
			break;
		if (!o->all && i >= SHOWN_THREADS && !t->growth.alarm)
			continue;
		buf_printf(&line, "  %s%s (%d): ", c->watched && t->growth.alarm ? ALARM : "",
			   t->name[0] ? t->name : "?", (int)t->tid);
		fmt_count(&line, (uint64_t)t->local_refs);
		buf_printf(&line, " local references%s%s",
			   t->native_attached > 0 ? ", attached by native code" : "",
			   t->gone ? ", has ended" : "");
		if (c->watched && t->growth.known && (t->growth.alarm || t->growth.per_min != 0))
			add_growth(&line, &t->growth, 0);
		put_line(out, &line, o->width);
	}
	buf_free(&line);
	if (c->watched && (c->local_growth.alarm || c->attached_growth.alarm))
		buf_printf(out, "for the calls that do: jnitrace -p %d -e %s\n", c->target.pid,
			   c->local_growth.alarm ? "local" : "thread");
}

/* What of a table could not be told, or not for sure. */
static void put_caveats(struct buf *out, const struct census *c, int width)
{
	for (int t = 0; t < NR_VM_TABLES; t++) {
		const struct census_table *table = &c->tables[t];
		struct buf line = {0};
		size_t n = 0;
		struct {
			const char *what;
			uint64_t count;
		} parts[] = {{"cleared", table->cleared},
			     {"unreadable", table->unreadable},
			     {"perhaps moved meanwhile", table->stale}};

		buf_printf(&line, "%s: ", table_name((enum vm_table)t));
		if (table->sampled) {
			buf_printf(&line, "a sample of ");
			fmt_count(&line, table->read + table->cleared + table->unreadable);
			buf_printf(&line, " of ");
			fmt_count(&line, table->in_use);
			n++;
		}
		for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
			if (parts[i].count == 0)
				continue;
			buf_printf(&line, "%s(%s: ", n++ ? " " : "", parts[i].what);
			fmt_count(&line, parts[i].count);
			buf_printf(&line, ")");
		}
		if (n > 0)
			put_words(out, &line, width);
		buf_free(&line);
	}
}

static void put_count(struct buf *out, uint64_t n, bool estimate)
{
	struct buf cell = {0};

	buf_printf(&cell, "%s", estimate ? "~" : "");
	fmt_count(&cell, n);
	if (cell.p)
		cells_put(out, cell.p, cell.n, COUNT_CELLS, CELLS_RIGHT, false);
	out->failed |= cell.failed;
	buf_free(&cell);
}

/* Which classes those of java.lang.Class are; one of several loaders is a row. */
static void put_of(struct buf *out, const struct census_class *c, bool sampled, bool all, int width)
{
	struct report_of *of = calloc(c->of.n + 1, sizeof(*of));
	struct buf line = {0};
	size_t n = 0;

	for (size_t i = 0; of && i < c->of.n; i++)
		of[i] = c->of.v[i];
	out->failed |= !of;
	if (of)
		n = class_of_group(of, c->of.n);
	for (size_t i = 0; i < n && (all || i < SHOWN_OF); i++) {
		put_count(out, of[i].count, sampled);
		buf_printf(out, "%*s", COUNT_CELLS + 2 + 8, "");
		buf_printf(&line, "  of ");
		view_class_of(&line, &of[i]);
		put_line(out, &line, width);
	}
	if (!all && n > SHOWN_OF)
		buf_printf(out, "%*s  of %zu more classes\n", 2 * COUNT_CELLS + 2 + 8, "", n - SHOWN_OF);
	buf_free(&line);
	free(of);
}

static void put_class(struct buf *out, const struct census *census, const struct census_class *c, bool all,
		      int width)
{
	bool sampled = census->tables[c->table].sampled;
	struct buf line = {0};
	const struct growth *g = &c->growth;
	int used = 2 * COUNT_CELLS + 2 + 8;

	put_count(out, c->count, sampled);
	put_count(out, c->distinct, false);
	buf_printf(out, "  %-6s  ", table_name(c->table));
	/* Before the name, which is cut where there is no room. */
	if (census->watched && g->known && (g->alarm || fabs(g->per_min) >= 0.05)) {
		buf_printf(&line, "%s", g->alarm ? ALARM : "");
		add_per_min(&line, g->per_min);
		buf_printf(&line, "  ");
	}
	if (line.p)
		buf_add(out, line.p, line.n);
	used += (int)line.n;
	line.n = 0;
	buf_printf(&line, "%s", c->name);
	if (line.p)
		cells_put_tail(out, line.p, line.n, width > used + LEAST_NAME ? width - used : LEAST_NAME,
			       false);
	buf_add(out, "\n", 1);
	put_of(out, c, sampled, all, width - (2 * COUNT_CELLS + 2 + 8));
	buf_free(&line);
}

static void put_classes(struct buf *out, const struct census *c, const struct view_opts *o)
{
	size_t shown = o->rows > 0 && (size_t)o->rows < c->classes.n ? (size_t)o->rows : c->classes.n;

	if (!c->classes_known) {
		struct buf line = {0};

		buf_printf(&line, "classes: ? (%s)", c->refused);
		put_words(out, &line, o->width);
		buf_free(&line);
		return;
	}
	put_caveats(out, c, o->width);
	buf_printf(out, "\n%s%*s%*s  %-6s  CLASS%s\n", o->color ? "\033[1m" : "", COUNT_CELLS, "REFERENCES",
		   COUNT_CELLS, "DISTINCT", "TABLE", o->color ? "\033[0m" : "");
	for (size_t i = 0; i < shown; i++)
		put_class(out, c, &c->classes.v[i], o->all, o->width);
	if (shown < c->classes.n)
		buf_printf(out, "%zu more classes\n", c->classes.n - shown);
}

static void put_clock(struct buf *out, double unix_s)
{
	time_t t = (time_t)unix_s;
	struct tm tm;
	char text[32];

	if (localtime_r(&t, &tm) && strftime(text, sizeof(text), "%H:%M:%S", &tm))
		buf_printf(out, "%s", text);
}

static void put_jvm(struct buf *out, const struct census *c, const struct view_opts *o)
{
	struct buf line = {0};

	put_clock(&line, c->time_unix_s);
	buf_printf(&line, "  PID %d %s", c->target.pid, target_name_of(&c->target));
	if (c->target.user || c->target.host)
		buf_printf(&line, ", %s@%s", c->target.user ?: "?", c->target.host ?: "?");
	if (c->target.container)
		buf_printf(&line, ", container %.12s", c->target.container);
	buf_printf(&line, ", %s %s; read in %.1f ms", c->target.vm, c->target.vm_version ?: "?", c->read_ms);
	put_words(out, &line, o->width);
	buf_free(&line);
	if (o->all && c->target.command) {
		buf_printf(&line, "command: %s", c->target.command);
		put_words(out, &line, o->width);
		buf_free(&line);
	}
	if (c->refused[0] && !c->classes_wanted) {
		buf_printf(&line, "refused: %s", c->refused);
		put_words(out, &line, o->width);
		buf_free(&line);
	}
	for (int t = 0; t < NR_VM_TABLES; t++)
		put_table_line(out, c, (enum vm_table)t, o);
	put_threads(out, c, o);
	if (c->classes_wanted)
		put_classes(out, c, o);
}

static void put_overview_row(struct buf *out, const struct census *c, const struct view_opts *o)
{
	struct buf cell = {0}, name = {0};
	bool alarm = false;

	buf_printf(out, "%7d ", c->target.pid);
	for (int t = 0; t < NR_VM_TABLES; t++) {
		if (c->refs_known)
			fmt_count(&cell, c->refs[t]);
		else
			buf_printf(&cell, "?");
		cells_put(out, cell.p ? cell.p : "", cell.n, 11, CELLS_RIGHT, false);
		cell.n = 0;
	}
	if (c->threads_known && c->local_refs >= 0)
		fmt_count(&cell, (uint64_t)c->local_refs);
	else
		buf_printf(&cell, "?");
	cells_put(out, cell.p ? cell.p : "", cell.n, 9, CELLS_RIGHT, false);
	cell.n = 0;
	if (c->threads_known && c->native_attached >= 0)
		buf_printf(&cell, "%lld", (long long)c->native_attached);
	else
		buf_printf(&cell, "?");
	cells_put(out, cell.p ? cell.p : "", cell.n, 8, CELLS_RIGHT, false);
	cell.n = 0;
	add_per_min(&cell, c->growth_per_min);
	cells_put(out, cell.p ? cell.p : "", cell.n, 13, CELLS_RIGHT, false);
	for (int t = 0; t < NR_VM_TABLES && c->watched; t++)
		alarm |= c->growth[t].alarm;
	alarm |= c->watched && (c->local_growth.alarm || c->attached_growth.alarm);
	buf_printf(&name, "  %s%s %s", alarm ? ALARM : "", target_name_of(&c->target),
		   c->target.vm_version ?: "?");
	if (c->target.container)
		buf_printf(&name, ", container %.12s", c->target.container);
	buf_printf(&name, "%s%s", c->refused[0] ? ": " : "", c->refused);
	put_line(out, &name, o->width - 8 - 2 * 11 - 9 - 8 - 13);
	out->failed |= cell.failed;
	buf_free(&cell);
	buf_free(&name);
}

void view_census_table(struct buf *out, const struct census *const *items, size_t n,
		       const struct view_opts *o)
{
	if (n == 1 || (n > 0 && items[0]->classes_wanted)) {
		for (size_t i = 0; i < n; i++) {
			put_jvm(out, items[i], o);
			buf_add(out, "\n", i + 1 < n ? 1 : 0);
		}
		return;
	}
	if (n == 0) {
		buf_printf(out, "no JVM found\n");
		return;
	}
	buf_printf(out, "%s%7s %11s%11s%9s%8s%13s  JVM%s\n", o->color ? "\033[1m" : "", "PID", "GLOBAL",
		   "WEAK", "LOCAL", "NATIVE", "GROWTH", o->color ? "\033[0m" : "");
	for (size_t i = 0; i < n; i++)
		put_overview_row(out, items[i], o);
}
