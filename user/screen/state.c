/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the browser is looking at. See state.h. */
#include "screen/state.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

void panel_open(struct browser *b, enum panel_id panel)
{
	b->page_top = 0;
	for (size_t i = 0; i < b->depth; i++)
		if (b->panels[i] == panel) { /* it is there once */
			b->depth = i + 1;
			return;
		}
	b->panels[b->depth++] = panel;
}

bool panel_back(struct browser *b)
{
	b->page_top = 0;
	if (b->depth > 1) {
		b->depth--;
		return true;
	}
	return false;
}

double now_of(const struct browser *b)
{
	double now = 0;

	for (size_t i = 0; i < b->reports.n; i++)
		now = fmax(now, isfinite(b->reports.v[i]->elapsed_s) ? b->reports.v[i]->elapsed_s : 0);
	return now;
}

bool has_curves(const struct browser *b)
{
	return b->table.group == GROUP_SITE || b->table.group == GROUP_PID || !b->target.a;
}

bool has_classes(const struct browser *b)
{
	for (size_t i = 0; i < b->reports.n; i++)
		for (int f = 0; f < NR_JNI_FAMILIES; f++)
			if (b->reports.v[i]->families[f].traced)
				return true;
	return !b->reports.n;
}

bool has_callers(const struct browser *b)
{
	for (size_t i = 0; i < b->reports.n; i++)
		if (b->reports.v[i]->target.vm)
			return true;
	return !b->reports.n;
}

/* --- keys of what may be selected ------------------------------------------------------------------ */

static uint64_t add_word(uint64_t h, uint64_t word)
{
	return mix64(h ^ mix64(word + 1));
}

static uint64_t add_text(uint64_t h, const char *s)
{
	return s ? fnv64(mix64(h), s, strlen(s) + 1) : add_word(h, 0);
}

struct row_key key_of_target(const struct report_target *t)
{
	return (struct row_key){add_word(add_word(1, (uint64_t)t->pid), t->start_time_ticks), GROUP_PID};
}

struct row_key key_of_site(const struct report *r, const struct report_site *s)
{
	return (struct row_key){add_word(key_of_target(&r->target).a, s->id), GROUP_SITE};
}

struct row_key key_of_family(enum family_id family, struct row_key target)
{
	return (struct row_key){add_word(target.a, family), NR_GROUPS};
}

struct row_key row_key_of(const struct row *r, enum group_by group)
{
	uint64_t h = r->target ? key_of_target(r->target).a : 0;

	if (group == GROUP_PID)
		return (struct row_key){h, GROUP_PID};
	if (r->site)
		return (struct row_key){add_word(h, r->site->id), GROUP_SITE};
	h = add_word(h, r->before);
	h = add_word(h, r->before ? r->family : NR_FAMILIES);
	h = add_word(h, r->func);
	h = add_word(h, (uint64_t)r->tid);
	h = add_word(h, r->thread_start_ns);
	h = add_text(h, r->class);
	h = add_text(h, r->of.name);
	h = add_text(h, r->module);
	h = add_text(h, r->module_path);
	h = add_text(h, r->caller);
	return (struct row_key){h, group};
}

/* --- what is looked at ----------------------------------------------------------------------------- */

struct looked_at reports_of(const struct browser *b)
{
	for (size_t i = 0; b->target.a && i < b->reports.n; i++)
		if (is_same_row(key_of_target(&b->reports.v[i]->target), b->target))
			return (struct looked_at){&b->reports.v[i], 1};
	return (struct looked_at){b->reports.v, b->reports.n};
}

const struct report *report_of_row(const struct browser *b, const struct row *r)
{
	for (size_t i = 0; r && i < b->reports.n; i++)
		if (&b->reports.v[i]->target == r->target)
			return b->reports.v[i];
	return NULL;
}

const struct report_site *site_opened(const struct browser *b, const struct report **of)
{
	for (size_t i = 0; i < b->reports.n; i++)
		for (size_t k = 0; k < b->reports.v[i]->sites.n; k++) {
			*of = b->reports.v[i];
			if (is_same_row(key_of_site(*of, &(*of)->sites.v[k]), b->opened))
				return &(*of)->sites.v[k];
		}
	*of = NULL;
	return NULL;
}

/* "PID 4711 (java) ..." */
static const char *const end_words[NR_END_REASONS] = {
    [NOT_ENDED] = "is traced no more",
    [END_EXITED] = "exited",
    [END_EXECED] = "runs another program now",
    [END_DETACHED] = "was left: it is traced no more",
    [END_OVER_BUDGET] = "was left: its probes cost more than the budget",
    [END_SIGNAL_STACK] = "was left: it handles signals on a stack above that of a thread",
};

static bool is_there(const struct browser *b, struct row_key target)
{
	for (size_t i = 0; i < b->reports.n; i++)
		if (is_same_row(key_of_target(&b->reports.v[i]->target), target))
			return true;
	return false;
}

void target_open(struct browser *b, const struct report_target *t)
{
	b->target = key_of_target(t);
	b->opened_target.pid = t->pid;
	b->opened_target.reason = NOT_ENDED;
	text_clean(b->opened_target.name, sizeof(b->opened_target.name), target_name_of(t),
		   strlen(target_name_of(t)));
	b->table.group = GROUP_SITE;
	b->table.moved = false;
	if (!b->filter.typing)
		filter_clear(&b->filter); /* the process was looked for, and found */
}

/* Panels that show what is of one process are closed; the others stay as they are. */
static void close_panels(struct browser *b)
{
	size_t n = 0;

	for (size_t i = 0; i < b->depth; i++)
		if (b->panels[i] != PANEL_SITE && b->panels[i] != PANEL_FINDINGS)
			b->panels[n++] = b->panels[i];
	if (n != b->depth)
		b->page_top = 0;
	b->depth = n;
}

static void tell_gone(struct browser *b, int pid, const char *name, enum end_reason reason)
{
	snprintf(b->told, sizeof(b->told), "PID %d (%s) %s", pid, name,
		 is_recorded(b) ? "is not there at this moment" : end_words[reason]);
}

void target_ended(struct browser *b, const struct report_target *t, enum end_reason reason)
{
	char name[NAME_BYTES];

	if (is_same_row(key_of_target(t), b->target)) { /* told when it is no more looked at */
		b->opened_target.reason = reason;
		return;
	}
	if (b->reports.n > 2 || b->paused) /* the screen goes on as before */
		return;
	text_clean(name, sizeof(name), target_name_of(t), strlen(target_name_of(t)));
	tell_gone(b, t->pid, name, reason);
}

void target_gone(struct browser *b)
{
	if (!b->target.a || is_there(b, b->target))
		return;
	tell_gone(b, b->opened_target.pid, b->opened_target.name, b->opened_target.reason);
	close_panels(b);
	if (!b->filter.typing)
		filter_clear(&b->filter);
	b->target = (struct row_key){0};
	b->table.group = GROUP_PID;
	b->table.moved = false;
	if (b->reports.n == 1)
		target_open(b, &b->reports.v[0]->target);
}

/* --- the table --------------------------------------------------------------------------------------- */

static void free_rows(struct table *t)
{
	rows_free(&t->rows);
	free(t->keys);
	free(t->parts);
	t->keys = NULL;
	t->parts = NULL;
}

void table_free(struct table *t)
{
	free_rows(t);
	alike_free(&t->alike);
}

/* Of a process the screen has a verdict, too. */
bool table_has(const struct table *t, const struct column *c)
{
	return c->groups & 1U << t->group || (t->group == GROUP_PID && c == column_find("verdict"));
}

const struct column *table_sort(const struct table *t)
{
	const struct column *verdict = column_find("verdict");

	if (t->sort && table_has(t, t->sort))
		return t->sort;
	return table_has(t, verdict) ? verdict : column_default(t->group);
}

/* What a person may look for in a row. */
static void put_words(struct buf *out, const struct row *r)
{
	const struct report_site *s = r->site;

	buf_printf(out, "%s %s %s %s %s %s %s", r->func_name ?: "", r->class ?: "", r->of.name ?: "",
		   r->thread ?: "", r->module_path ?: r->module ?: "", r->caller ?: "",
		   site_verdict_names[r->verdict] ?: "");
	if (r->target && !s)
		buf_printf(out, " %d %s", r->target->pid, target_name_of(r->target));
	for (size_t i = 0; s && i < s->frames.n; i++) {
		const struct frame *f = &s->frames.v[i];

		buf_printf(out, " %s %s ", f->module ?: "", f->symbol ?: "");
		frame_location(out, f);
	}
	/* There may be many of them. */
	for (size_t i = 0; s && i < s->classes.n; i++)
		buf_printf(out, " %s", s->classes.v[i].name);
	for (size_t i = 0; s && i < s->threads.n; i++)
		buf_printf(out, " %s", s->threads.v[i].name ?: "");
	if (r->before)
		buf_printf(out, " before attach");
}

/* A report as if it had one site: copied once for all of them. */
struct alone {
	const struct report *of;
	struct report only;
};

/* Is this row of a site part of the row that was opened? Its own rows of that group tell. -ENOMEM. */
static int is_within(const struct browser *b, const struct row *row, struct alone *alone)
{
	const struct report *of = row->site ? report_of_row(b, row) : NULL, *only = &alone->only;
	struct rows rows = {0};
	int rc;

	if (!of)
		return 0;
	if (alone->of != of) {
		*alone = (struct alone){of, *of};
		alone->only.sites.n = 1;
		alone->only.before.n = 0;
	}
	alone->only.sites.v = (struct report_site *)row->site;
	rc = rows_make(&only, 1, b->within_group, &rows);
	for (size_t i = 0; i < rows.n && !rc; i++)
		rc = is_same_row(row_key_of(&rows.v[i], b->within_group), b->within);
	rows_free(&rows);
	return rc;
}

static int filter_rows(struct browser *b)
{
	struct rows *rows = &b->table.rows;
	struct alone alone = {0};
	struct buf words = {0};
	bool failed = false;
	size_t n = 0;

	b->table.all = rows->n;
	for (size_t i = 0; b->filter.on && i < rows->n; i++) {
		int within = b->filter.of_row ? is_within(b, &rows->v[i], &alone) : 1;

		words.n = 0;
		if (!b->filter.of_row)
			put_words(&words, &rows->v[i]);
		failed |= words.failed || within < 0;
		if (within > 0 && filter_passes(&b->filter, &words))
			rows->v[n++] = rows->v[i];
	}
	if (b->filter.on)
		rows->n = n;
	buf_free(&words);
	return failed ? -ENOMEM : 0;
}

static void reverse_rows(struct rows *rows)
{
	for (size_t i = 0, k = rows->n; i + 1 < k; i++) {
		struct row r = rows->v[--k];

		rows->v[k] = rows->v[i];
		rows->v[i] = r;
	}
}

/* What was there before attach is nobody's: where rows say whose they are it comes last, unless asked for
 * otherwise. */
static bool says_whose(enum group_by group)
{
	return group == GROUP_SITE || group == GROUP_LIBRARY || group == GROUP_CALLER;
}

static int put_before_last(struct table *t)
{
	struct row *sorted = calloc(t->rows.n + 1, sizeof(*sorted));
	size_t n = 0;

	if (!sorted)
		return -ENOMEM;
	for (int before = 0; before < 2; before++)
		for (size_t i = 0; i < t->rows.n; i++)
			if (t->rows.v[i].before == before)
				sorted[n++] = t->rows.v[i];
	if (n)
		memcpy(t->rows.v, sorted, n * sizeof(*sorted));
	free(sorted);
	return 0;
}

/* The chosen row stays where it is on the screen, whatever moves around it. */
static void find_chosen(struct table *t)
{
	size_t was = t->at;

	for (size_t i = 0; t->moved && i < t->rows.n; i++)
		if (is_same_row(t->keys[i], t->chosen)) {
			t->at = i;
			t->top = t->top + i > was ? t->top + i - was : 0;
			return;
		}
	table_choose(t, t->moved ? was : 0);
}

/* What a site is named after, and what is called there. */
struct called {
	const struct frame *frame;
	enum func_id func;
};

static int compare_called(const void *va, const void *vb)
{
	const struct frame *a = ((const struct called *)va)->frame, *b = ((const struct called *)vb)->frame;
	int c = (a->line > b->line) - (a->line < b->line);

	c = c ?: a->symbol == b->symbol ? 0 : strcmp(a->symbol, b->symbol);
	return c ?: a->file == b->file ? 0 : strcmp(a->file ?: "", b->file ?: "");
}

void table_tell_apart(struct table *t)
{
	size_t left = t->rows.n - t->top, shown = t->shown < 0 ? 0 : (size_t)t->shown, n = 0;
	struct rows rows = {.v = t->rows.n ? t->rows.v + t->top : NULL, .n = left < shown ? left : shown};
	struct called *v = rows.n ? calloc(rows.n, sizeof(*v)) : NULL;

	t->by_function = false;
	if (!v || class_parts_find(&rows, t->parts + t->top)) {
		free(v);
		return;
	}
	for (size_t i = 0; i < rows.n; i++) {
		const struct frame *f = rows.v[i].site ? site_frame(rows.v[i].site) : NULL;

		if (f && f->symbol)
			v[n++] = (struct called){f, rows.v[i].func};
	}
	if (n)
		qsort(v, n, sizeof(*v), compare_called);
	for (size_t i = 1; i < n && !t->by_function; i++)
		t->by_function = v[i - 1].func != v[i].func && !compare_called(&v[i - 1], &v[i]);
	free(v);
}

int table_make(struct browser *b)
{
	struct table *t = &b->table;
	struct looked_at of = reports_of(b);
	int rc;

	free_rows(t);
	rc = rows_make(of.v, of.n, t->group, &t->rows);
	rc = rc ?: filter_rows(b);
	if (!rc)
		rows_sort(&t->rows, table_sort(t));
	if (!rc && !t->sort && says_whose(t->group))
		rc = put_before_last(t);
	if (rc) {
		free_rows(t); /* rows without keys are nobody's */
		return rc;
	}
	if (t->reverse)
		reverse_rows(&t->rows);
	t->keys = calloc(t->rows.n + 1, sizeof(*t->keys));
	t->parts = calloc(t->rows.n + 1, sizeof(*t->parts));
	if (!t->keys || !t->parts) {
		free_rows(t); /* rows without keys are nobody's */
		return -ENOMEM;
	}
	for (size_t i = 0; i < t->rows.n; i++)
		t->keys[i] = row_key_of(&t->rows.v[i], t->group);
	find_chosen(t);
	/* while a process is traced its frames stay where they are, and as they are; those of a recording
	 * move */
	return t->group == GROUP_SITE ? rows_tell_apart(&t->rows, t->rows.n, b->time.n ? NULL : &t->alike)
				      : 0;
}

void table_choose(struct table *t, size_t at)
{
	t->at = at < t->rows.n ? at : t->rows.n ? t->rows.n - 1 : 0;
	if (t->rows.n)
		t->chosen = t->keys[t->at];
}

const struct row *table_chosen(const struct table *t)
{
	return t->at < t->rows.n ? &t->rows.v[t->at] : NULL;
}

/* --- since when -------------------------------------------------------------------------------------- */

void baseline_forget(struct baseline *l)
{
	hash_free(&l->index);
	free(l->counts.v);
	*l = (struct baseline){0};
}

static uint64_t count_of(const struct browser *b, const struct row *r)
{
	return b->request->count_only ? r->acquired : r->outstanding;
}

static int note_rows(struct browser *b, enum group_by group)
{
	struct baseline *l = &b->baseline;
	struct rows rows = {0};
	int rc = rows_make(b->reports.v, b->reports.n, group, &rows);

	for (size_t i = 0; i < rows.n && !rc; i++) {
		struct row_key key = row_key_of(&rows.v[i], group);
		uint64_t *count = VEC_ADD(&l->counts);

		rc = count ? hash_set(&l->index, key.a, key.b, (uint32_t)l->counts.n) : -ENOMEM;
		if (count)
			*count = count_of(b, &rows.v[i]);
	}
	rows_free(&rows);
	return rc;
}

int baseline_toggle(struct browser *b)
{
	bool was = b->baseline.on;
	int rc = 0;

	baseline_forget(&b->baseline);
	if (was)
		return 0;
	b->baseline.on = true;
	b->baseline.at_s = now_of(b);
	for (int group = 0; group < NR_GROUPS && !rc; group++)
		rc = note_rows(b, group);
	return rc;
}

bool baseline_of(const struct browser *b, struct row_key key, uint64_t *count)
{
	uint32_t i = hash_find(&b->baseline.index, key.a, key.b);

	if (i)
		*count = b->baseline.counts.v[i - 1];
	return i;
}
