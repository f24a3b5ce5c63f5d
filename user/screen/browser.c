/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Reports and keys in, drawings out. See browser.h. */
#include "screen/browser.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "model/pool.h"
#include "screen/draw.h"
#include "screen/families.h"
#include "screen/keys.h"

/* Sites, of which groups have curves: of more it takes too long in each interval. */
#define MOST_GROUPED 2048
#define FEW_GROUPED                                                                                          \
	256 /* of more, live, one kind of group after the other has its turn, besides what is shown */

int browser_new(const struct view_request *request, const struct timeline *timeline, struct browser **out)
{
	struct browser *b = calloc(1, sizeof(*b));

	if (!b)
		return -ENOMEM;
	b->request = request;
	if (timeline)
		b->time = *timeline;
	b->panels[0] = PANEL_TABLE;
	b->depth = 1;
	b->table.group = request->group_by;
	b->table.sort = request->sort ? column_find(request->sort) : NULL;
	b->no_pane = request->stacks == STACKS_NONE;
	*out = b;
	return 0;
}

void browser_free(struct browser *b)
{
	if (!b)
		return;
	table_free(&b->table);
	filter_free(&b->filter);
	trends_free(&b->trends);
	seen_free(&b->seen);
	baseline_forget(&b->baseline);
	page_free(&b->page);
	free(b->reports.v);
	free(b);
}

/* The totals of a report's families, as a point of their curves. */
static int pass_families(struct browser *b, const struct report *r, struct row_key target)
{
	int rc = 0;

	for (size_t i = 0; i < NR_FAMILIES && !rc; i++) {
		const struct report_family *f = &r->families[i];
		struct row_key key = key_of_family(i, target);
		uint64_t n = r->count_only      ? f->acquired
			     : f->vm_total >= 0 ? (uint64_t)f->vm_total
						: add_capped(f->outstanding, f->before_attach);

		if (f->traced)
			rc = trends_add(&b->trends, key.a, key.b, (double)n);
	}
	return rc;
}

static int pass_target(struct browser *b, const struct report *r)
{
	struct row_key key = key_of_target(&r->target);
	uint64_t held = 0;
	int rc = 0;

	for (size_t i = 0; i < NR_FAMILIES; i++)
		held = add_capped(held, r->count_only ? r->families[i].acquired : r->families[i].outstanding);
	rc = trends_add(&b->trends, key.a, key.b, (double)held);
	rc = rc ?: pass_families(b, r, key);
	for (size_t i = 0; i < r->sites.n && !rc; i++) {
		const struct report_site *s = &r->sites.v[i];

		key = key_of_site(r, s);
		rc = trends_add(&b->trends, key.a, key.b,
				(double)(r->count_only ? s->acquired : s->outstanding));
		rc = rc ?: seen_note(&b->seen, key.a, key.b, s->acquired, r->elapsed_s);
	}
	return rc;
}

/* Rows of several sites, of all targets together. */
static int pass_groups(struct browser *b, const struct report *const *reports, size_t n)
{
	static const enum group_by groups[] = {GROUP_FUNCTION, GROUP_CLASS, GROUP_THREAD, GROUP_LIBRARY,
					       GROUP_CALLER};
	size_t sites = 0, turn = b->turn++ % ARRAY_LEN(groups);
	int rc = 0;

	for (size_t i = 0; i < n; i++)
		sites += reports[i]->sites.n;
	for (size_t g = 0; g < ARRAY_LEN(groups) && sites <= MOST_GROUPED && !rc; g++) {
		struct rows rows = {0};

		if (sites > FEW_GROUPED && !is_recorded(b) && g != turn && groups[g] != b->table.group)
			continue;
		rc = rows_make(reports, n, groups[g], &rows);
		for (size_t i = 0; i < rows.n && !rc; i++) {
			const struct row *r = &rows.v[i];
			struct row_key key = row_key_of(r, groups[g]);

			rc = trends_add(&b->trends, key.a, key.b,
					(double)(reports[0]->count_only ? r->acquired : r->outstanding));
		}
		rows_free(&rows);
	}
	return rc;
}

int browser_pass(struct browser *b, const struct report *const *reports, size_t n)
{
	struct report pooled;
	double now = 0;
	int rc = 0;

	for (size_t i = 0; i < n; i++)
		now = reports[i]->elapsed_s > now ? reports[i]->elapsed_s : now;
	if (!n || !trends_go_to(&b->trends, now))
		return 0;
	report_pool(reports, n, &pooled);
	rc = pass_families(b, &pooled, (struct row_key){0});
	for (size_t i = 0; i < n && !rc; i++)
		rc = pass_target(b, reports[i]);
	return rc ?: pass_groups(b, reports, n);
}

int browser_reports(struct browser *b, const struct report *const *reports, size_t n)
{
	int rc;

	b->reports.n = 0;
	for (size_t i = 0; i < n; i++) {
		const struct report **place = VEC_ADD(&b->reports);

		if (!place)
			return -ENOMEM;
		*place = reports[i];
	}
	target_gone(b);
	if (n > 1 && !b->overview) { /* one begins with the processes */
		b->overview = true;
		if (b->table.group == GROUP_SITE && !b->target.a)
			b->table.group = GROUP_PID;
	}
	rc = browser_pass(b, reports, n);
	return rc ?: table_make(b);
}

void browser_ended(struct browser *b, const struct report *last)
{
	target_ended(b, &last->target, last->end_reason);
}

enum wish browser_key(struct browser *b, const struct key *key)
{
	return keys_press(b, key);
}

/* --- panels ----------------------------------------------------------------------------------------- */

static void make_site(struct browser *b, int columns)
{
	const struct report *of;
	const struct report_site *s = site_opened(b, &of);

	if (s)
		page_of_site(&b->page, b, of, s, columns);
	else
		page_add(&b->page, STYLE_NOTE, "nothing is known of this site now");
}

static void make_findings(struct browser *b, int columns)
{
	page_of_findings(&b->page, b, columns);
}

static void make_families(struct browser *b, int columns)
{
	(void)columns;
	families_page(b, &b->page);
}

static void make_help(struct browser *b, int columns)
{
	(void)columns;
	keys_page(b, &b->page);
}

/* Of a panel that is text: what it says; NULL: it is the table. */
static const struct panel {
	void (*make)(struct browser *b, int columns);
} panels[NR_PANELS] = {
    [PANEL_TABLE] = {NULL},
    [PANEL_SITE] = {make_site},
    [PANEL_FINDINGS] = {make_findings},
    [PANEL_FAMILIES] = {make_families},
    [PANEL_HELP] = {make_help},
};

static void draw_panel(struct browser *b, struct canvas *c, int row, int rows)
{
	const struct panel *p = &panels[panel_of(b)];
	int end;

	if (!p->make) {
		draw_table(b, c, row, rows);
		return;
	}
	page_clear(&b->page);
	b->page.width = c->columns;
	p->make(b, c->columns);
	b->page_rows = rows;
	end = (int)b->page.lines.n - rows;
	if (b->page_top > end)
		b->page_top = end > 0 ? end : 0;
	page_draw(&b->page, c, row, rows, b->page_top);
}

int browser_draw(struct browser *b, struct canvas *c)
{
	int head;

	canvas_clear(c);
	head = draw_head(b, c, c->rows / 3 + 1);
	draw_panel(b, c, head, c->rows - head - 1);
	if (c->rows > head)
		keys_footer(b, c, c->rows - 1);
	return b->page.failed ? -ENOMEM : 0;
}

const char *browser_file(const struct browser *b)
{
	return b->file.name;
}

const struct report *const *browser_shown(const struct browser *b, size_t *n)
{
	*n = b->reports.n;
	return b->reports.v;
}

void browser_tell(struct browser *b, const char *line)
{
	snprintf(b->told, sizeof(b->told), "%s", line);
}

void browser_set_families(struct browser *b, uint32_t may, uint32_t on)
{
	b->families.may = may;
	b->families.on = on;
	if (!b->families.is_asked)
		b->families.asked = on;
}

uint32_t browser_take_families(struct browser *b)
{
	b->families.is_asked = false;
	return b->families.asked;
}

bool browser_paused(const struct browser *b)
{
	return b->paused;
}

struct timeline *browser_timeline(struct browser *b)
{
	return &b->time;
}
