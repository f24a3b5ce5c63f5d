/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The head of the screen: who, how it goes, and the answer. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/pool.h"
#include "screen/draw.h"
#include "view/answer.h"
#include "view/cells.h"

#define SPARK_CELLS 16
#define SPARK_LEAST 6
#define GAP         2

/* Parts of a line, one behind the other as long as there is room. */
struct line {
	struct canvas *c;
	int row, column, end;
};

/* false: it has no room, and is left out. Frees text. */
static bool put_part(struct line *l, struct buf *text, unsigned style)
{
	int width = text->p ? canvas_width(l->c, text->p, text->n) : 0, gap = l->column ? GAP : 0;
	bool fits = width > 0 && l->column + gap + width <= l->end;

	if (fits)
		l->column += gap + canvas_put_buf(l->c, l->row, l->column + gap, width, text, style);
	buf_free(text);
	return fits;
}

#define PUT_PART(line, style, ...)                                                                           \
	do {                                                                                                 \
		struct buf part_ = {0};                                                                      \
		buf_printf(&part_, __VA_ARGS__);                                                             \
		put_part(line, &part_, style);                                                               \
	} while (0)

static const char *end_word(const struct report *r)
{
	return r->end_reason ? end_reason_names[r->end_reason] : NULL;
}

/* Where there is no room for all of its version, without what its packager calls it: "17.0.15+6-Debian-1". */
static void put_vm(struct line *l, const struct report_target *t)
{
	const char *version = t->vm_version ?: "?";
	struct buf text = {0};

	if (!t->vm)
		return;
	buf_printf(&text, "%s %s", t->vm, version);
	if (!put_part(l, &text, STYLE_DIM) && strchr(version, '-'))
		PUT_PART(l, STYLE_DIM, "%s %.*s", t->vm, (int)strcspn(version, "-"), version);
}

static void draw_who(const struct browser *b, struct canvas *c, int row)
{
	struct looked_at of = reports_of(b);
	struct line l = {c, row, 0, c->columns};
	const char *keys = "? help  q quit";
	struct buf age = {0}, name = {0};
	int width = canvas_width(c, keys, 14);

	if (c->columns > 50) {
		canvas_puts(c, row, c->columns - width, width, keys, STYLE_KEY);
		l.end = c->columns - width - GAP;
	}
	if (of.n == 1)
		buf_printf(&name, "jnitrace %d %s", of.v[0]->target.pid, target_name_of(&of.v[0]->target));
	else
		buf_printf(&name, "jnitrace: %zu processes", of.n);
	if (canvas_width(c, name.p ? name.p : "", name.n) > l.end)
		l.column = canvas_put_buf(c, row, 0, l.end, &name, STYLE_BOLD);
	else
		put_part(&l, &name, STYLE_BOLD);
	fmt_age(&age, now_of(b));
	put_part(&l, &age, STYLE_PLAIN);
	if (b->paused)
		PUT_PART(&l, STYLE_NOTE, "PAUSED");
	if (of.n == 1 && of.v[0]->final)
		PUT_PART(&l, STYLE_NOTE, "%s", end_word(of.v[0]) ?: "ended");
	if (of.n != 1)
		return;
	put_vm(&l, &of.v[0]->target);
	if (of.v[0]->target.user || of.v[0]->target.host)
		PUT_PART(&l, STYLE_DIM, "%s@%s", of.v[0]->target.user ?: "?", of.v[0]->target.host ?: "?");
	if (of.v[0]->target.container)
		PUT_PART(&l, STYLE_DIM, "container %.12s", of.v[0]->target.container);
}

static void put_findings(struct line *l, const struct looked_at *of)
{
	size_t count[NR_SEVERITIES] = {0};

	for (size_t i = 0; i < of->n; i++)
		for (size_t k = 0; k < of->v[i]->findings.n; k++)
			count[finding_rows[of->v[i]->findings.v[k].kind].severity]++;
	PUT_PART(l,
		 count[SEVERITY_ERROR]     ? STYLE_ALARM
		 : count[SEVERITY_WARNING] ? STYLE_NOTE
					   : STYLE_PLAIN,
		 "findings %zu", count[SEVERITY_ERROR] + count[SEVERITY_WARNING]);
}

/* Where nobody but the probes counts. */
static void put_held(struct line *l, const struct report *pooled)
{
	struct buf text = {0};
	uint64_t held = 0;

	for (size_t i = 0; i < NR_FAMILIES; i++)
		if (pooled->families[i].traced)
			held = add_capped(held, pooled->families[i].outstanding);
	buf_printf(&text, "live ");
	fmt_count(&text, held);
	put_part(l, &text, STYLE_PLAIN);
}

static void put_live(struct line *l, const struct report *pooled)
{
	struct buf text = {0};
	uint64_t held = 0, before = 0, own = 0;
	int64_t total = 0;

	for (size_t i = 0; i < NR_FAMILIES; i++) {
		const struct report_family *f = &pooled->families[i];

		if (!f->traced || !f->before_known || f->vm_total < 0)
			continue;
		held = add_capped(held, f->outstanding);
		before = add_capped(before, f->before_attach);
		own = add_capped(own, f->vm_own);
		total += f->vm_total;
	}
	if (total <= 0) {
		if (!pooled->count_only)
			put_held(l, pooled);
		return;
	}
	buf_printf(&text, "live ");
	fmt_count(&text, (uint64_t)total);
	buf_printf(&text, " = ");
	fmt_count(&text, held);
	buf_printf(&text, " new + ");
	fmt_count(&text, before);
	buf_printf(&text, " before");
	if (own) {
		buf_printf(&text, " + ");
		fmt_count(&text, own);
		buf_printf(&text, " VM's");
	}
	put_part(l, &text, STYLE_PLAIN);
}

/* "item sampled 1 in 10", "item sampled 1 in 8, now 1 in 2" */
static void put_sampled(struct line *l, const struct report *pooled)
{
	for (size_t i = 0; i < NR_FAMILIES; i++) {
		const struct report_family *f = &pooled->families[i];
		struct buf text = {0};

		if (!f->one_in)
			continue;
		buf_printf(&text, "%s sampled 1 in %llu", family_name(pooled->catalog, i),
			   (unsigned long long)f->one_in);
		if (f->one_in_now && f->one_in_now != f->one_in)
			buf_printf(&text, ", now 1 in %llu", (unsigned long long)f->one_in_now);
		put_part(l, &text, STYLE_NOTE);
	}
}

static void draw_numbers(const struct browser *b, struct canvas *c, int row, const struct report *pooled)
{
	struct looked_at of = reports_of(b);
	struct line l = {c, row, 0, c->columns};
	struct buf text = {0};
	uint64_t dropped = 0;
	double per_s = pooled->events_per_s;

	for (size_t i = 0; i < NR_DROPS; i++)
		dropped = add_capped(dropped, pooled->drops[i]);
	put_live(&l, pooled);
	put_sampled(&l, pooled);
	buf_printf(&text, "drops ");
	fmt_count(&text, dropped);
	put_part(&l, &text, dropped ? STYLE_ALARM : STYLE_PLAIN);
	put_findings(&l, &of);
	if (pooled->target_cpu_pct >= 0)
		PUT_PART(&l, pooled->target_cpu_pct >= 10 ? STYLE_NOTE : STYLE_PLAIN, "cost %.1f%%%s",
			 pooled->target_cpu_pct, c->columns >= 100 ? " of a CPU" : "");
	fmt_count(&text, per_s > 0 ? (uint64_t)(per_s < 1e18 ? per_s + 0.5 : 1e18) : 0);
	buf_printf(&text, c->columns >= 100 ? " events/s" : "/s");
	put_part(&l, &text, STYLE_PLAIN);
	if (pooled->self_cpu_pct >= 0)
		PUT_PART(&l, STYLE_DIM, "jnitrace %.1f%%", pooled->self_cpu_pct);
	if (pooled->sites_pending)
		PUT_PART(&l, STYLE_DIM, "naming %llu sites", (unsigned long long)pooled->sites_pending);
}

static uint64_t held_by(const struct report_family *f)
{
	return f->vm_total >= 0 ? (uint64_t)f->vm_total : add_capped(f->outstanding, f->before_attach);
}

static bool is_drawn(const struct report_family *f)
{
	return f->traced && (f->acquired || held_by(f));
}

/* Cells of each curve, so that there is room for all of them, if that can be. */
static int spark_cells(const struct canvas *c, const struct report *pooled)
{
	int width = 0, n = 0, cells = SPARK_CELLS;

	for (int i = 0; i < NR_FAMILIES; i++) {
		const struct report_family *f = &pooled->families[i];
		struct buf text = {0};

		if (!is_drawn(f))
			continue;
		buf_printf(&text, "%s ", family_name(pooled->catalog, i));
		fmt_count(&text, pooled->count_only ? f->acquired : held_by(f));
		width += (int)text.n + 1 + (n++ ? GAP : 0);
		buf_free(&text);
	}
	while (cells > SPARK_LEAST && width + n * cells > c->columns)
		cells--;
	return cells;
}

/* "global ▁▂▃▄▅ 2,032  weak ▁▁▁▁▁ 640": as many as fit; returns whether there was one. */
static bool draw_families(const struct browser *b, struct canvas *c, int row, const struct report *pooled)
{
	struct looked_at of = reports_of(b);
	int column = 0, cells = spark_cells(c, pooled);

	for (int i = 0; i < NR_FAMILIES; i++) {
		const struct report_family *f = &pooled->families[i];
		struct row_key key =
		    key_of_family(i, of.n == 1 ? key_of_target(&of.v[0]->target) : (struct row_key){0});
		float points[SPARK_CELLS];
		struct buf name = {0}, count = {0};
		int width;

		if (!is_drawn(f))
			continue;
		buf_printf(&name, "%s ", family_name(pooled->catalog, i));
		fmt_count(&count, pooled->count_only ? f->acquired : held_by(f));
		width = (int)(name.n + count.n) + cells + 1;
		if (column + width <= c->columns &&
		    trends_curve(&b->trends, key.a, key.b, now_of(b), points, cells)) {
			int at = column;

			column += width + GAP;
			at += canvas_put_buf(c, row, at, width, &name, STYLE_DIM);
			draw_spark(c, row, at, points, cells, STYLE_GRAPH);
			canvas_put_buf(c, row, at + cells + 1, width, &count, STYLE_PLAIN);
		}
		buf_free(&name);
		buf_free(&count);
	}
	for (int i = 0; i < NR_FAMILIES; i++) { /* what stands nowhere else */
		const struct report_family *f = &pooled->families[i];
		struct buf name = {0};

		if (f->traced || f->off_s <= 0)
			continue;
		buf_printf(&name, "%s off", family_name(pooled->catalog, i));
		if (column + (int)name.n <= c->columns)
			column += canvas_put_buf(c, row, column, (int)name.n, &name, STYLE_NOTE) + GAP;
		buf_free(&name);
	}
	return column > 0;
}

/* The last parts go whole where there is no room for them. */
static void drop_parts(const struct canvas *c, struct buf *text, int width)
{
	for (size_t i = text->n; i-- > 1 && canvas_width(c, text->p, text->n) > width;)
		if (text->p[i] == ' ' && text->p[i - 1] == ';')
			text->n = i - 1;
}

static void draw_answer(const struct browser *b, struct canvas *c, int row)
{
	static const uint8_t styles[NR_ANSWERS] = {
	    [ANSWER_LEAK] = STYLE_ALARM,   [ANSWER_MISUSE] = STYLE_ALARM, [ANSWER_WAIT] = STYLE_NOTE,
	    [ANSWER_UNCLEAR] = STYLE_NOTE, [ANSWER_WARNING] = STYLE_NOTE, [ANSWER_COUNTS] = STYLE_BOLD,
	    [ANSWER_IDLE] = STYLE_BOLD,    [ANSWER_CLEAN] = STYLE_GOOD,
	};
	struct looked_at of = reports_of(b);
	struct buf text = {0};
	enum answer_kind kind = view_answer(&text, of.v, of.n);
	int used = canvas_puts(c, row, 0, c->columns, answer_words[kind], styles[kind]);

	if (kind == ANSWER_IDLE && b->families.may & ~b->families.on)
		buf_printf(&text, "; e switches other families on");
	drop_parts(c, &text, c->columns - used - GAP);
	canvas_put_buf(c, row, used + GAP, c->columns - used - GAP, &text, styles[kind]);
}

/* "time ━━━━━━●──── 45.0s of 1m11s  45/71" */
static void draw_time(const struct browser *b, struct canvas *c, int row)
{
	const struct timeline *t = &b->time;
	struct buf text = {0};
	int bar, at;

	fmt_age(&text, now_of(b));
	buf_printf(&text, " of ");
	fmt_age(&text, t->last_s);
	buf_printf(&text, "  moment %zu of %zu%s", t->at, t->n,
		   t->wanted != t->at ? "  going"
		   : t->playing       ? "  playing"
				      : "");
	if (t->early)
		buf_printf(&text, ", ends early");
	if (t->part < 1)
		buf_printf(&text, "  reading %d %%", (int)(t->part * 100));
	bar = c->columns - 5 - (int)text.n - GAP;
	bar = bar > 60 ? 60 : bar;
	canvas_puts(c, row, 0, c->columns, "time", STYLE_DIM);
	if (bar < 10) {
		canvas_put_buf(c, row, 5, c->columns - 5, &text, STYLE_PLAIN);
		return;
	}
	canvas_fill(c, row, 5, bar, 0x2500, STYLE_DIM);
	at = t->n > 1 ? (int)((double)(t->at - 1) * (bar - 1) / (double)(t->n - 1)) : 0;
	canvas_fill(c, row, 5 + at, 1, 0x25cf, STYLE_BOLD);
	canvas_put_buf(c, row, 5 + bar + GAP, c->columns - 5 - bar - GAP, &text, STYLE_PLAIN);
}

int draw_head(const struct browser *b, struct canvas *c, int most)
{
	struct looked_at of = reports_of(b);
	struct report pooled;
	int row = 0;

	if (of.n == 0) {
		canvas_puts(c, 0, 0, c->columns,
			    "jnitrace: no figures yet: they come with a process, and its first interval",
			    STYLE_BOLD);
		return 1;
	}
	report_pool(of.v, of.n, &pooled);
	draw_who(b, c, row++);
	if (most > 3)
		draw_numbers(b, c, row++, &pooled);
	if (most > 4 && draw_families(b, c, row, &pooled))
		row++;
	if (b->time.n && most > 2)
		draw_time(b, c, row++);
	if (most > 1)
		draw_answer(b, c, row++);
	return row;
}
