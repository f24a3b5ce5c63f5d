/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A page for a browser. See html.h. */
#include "export/html.h"

#include <stdlib.h>
#include <string.h>

#include "export/page_parts.h"
#include "view/json.h"
#include "view/json_out.h"

#define MAX_POINTS 256  /* of a history; beyond that every second one goes */
#define MAX_SERIES 64   /* sites with a history */
#define MAX_SITES  2000 /* of a target in the page: a browser must be able to draw them */
#define UNKNOWN    (-1)

struct series {
	uint64_t id; /* of a site */
	int64_t v[MAX_POINTS];
};

/* How much was outstanding, of one target. */
struct history {
	int pid;
	uint64_t start_time_ticks;
	size_t n, seen; /* points; reports */
	size_t stride;  /* every so many reports make a point */
	double elapsed_s[MAX_POINTS];
	int64_t families[NR_FAMILIES][MAX_POINTS];
	struct series sites[MAX_SERIES];
	size_t nr_sites;
};

struct html {
	struct {
		struct history **v;
		size_t n, cap;
	} histories;
	struct buf targets; /* JSON, separated by commas: those that have ended */
};

/* --- history ------------------------------------------------------------------------------------- */

static struct history *history_of(struct html *h, const struct report_target *t)
{
	struct history **slot;

	for (size_t i = 0; i < h->histories.n; i++)
		if (h->histories.v[i]->pid == t->pid &&
		    h->histories.v[i]->start_time_ticks == t->start_time_ticks)
			return h->histories.v[i];
	slot = VEC_ADD(&h->histories);
	if (!slot)
		return NULL;
	*slot = calloc(1, sizeof(**slot));
	if (!*slot) {
		h->histories.n--;
		return NULL;
	}
	(*slot)->pid = t->pid;
	(*slot)->start_time_ticks = t->start_time_ticks;
	(*slot)->stride = 1;
	return *slot;
}

static void thin_out(struct history *h)
{
	for (size_t i = 0; i < MAX_POINTS / 2; i++) {
		h->elapsed_s[i] = h->elapsed_s[2 * i];
		for (size_t f = 0; f < NR_FAMILIES; f++)
			h->families[f][i] = h->families[f][2 * i];
		for (size_t s = 0; s < h->nr_sites; s++)
			h->sites[s].v[i] = h->sites[s].v[2 * i];
	}
	h->n = MAX_POINTS / 2;
	h->stride *= 2;
}

static struct series *series_of(struct history *h, uint64_t id, size_t before)
{
	for (size_t i = 0; i < h->nr_sites; i++)
		if (h->sites[i].id == id)
			return &h->sites[i];
	if (h->nr_sites == MAX_SERIES)
		return NULL;
	h->sites[h->nr_sites].id = id;
	for (size_t i = 0; i < before; i++)
		h->sites[h->nr_sites].v[i] = UNKNOWN;
	return &h->sites[h->nr_sites++];
}

static int64_t known_count(bool known, uint64_t n)
{
	return known ? (int64_t)(n & INT64_MAX) : UNKNOWN;
}

static void add_point(struct history *h, const struct report *r)
{
	size_t at = h->n;

	/* The last report, right after that of an interval; or one of a recording in which one went back. */
	while (at && h->elapsed_s[at - 1] >= r->elapsed_s)
		at--;
	if (at == MAX_POINTS)
		thin_out(h), at = h->n;
	h->n = at + 1;
	h->elapsed_s[at] = r->elapsed_s;
	for (size_t f = 0; f < NR_FAMILIES; f++)
		h->families[f][at] =
		    known_count(r->families[f].traced && !r->families[f].life_unknown && !r->count_only,
				r->families[f].outstanding);
	for (size_t s = 0; s < h->nr_sites; s++)
		h->sites[s].v[at] = 0;
	for (size_t i = 0; i < r->sites.n; i++) {
		const struct report_site *site = &r->sites.v[i];
		struct series *s = series_of(h, site->id, at);

		if (s)
			s->v[at] = known_count(!site->life_unknown && !r->count_only, site->outstanding);
	}
}

static void put_points(struct json_out *j, const char *key, const int64_t *v, size_t n)
{
	json_open(j, key, '[');
	for (size_t i = 0; i < n; i++)
		json_known_count(j, NULL, v[i]);
	json_close(j, ']');
}

static void put_history(struct json_out *j, const struct history *h, const struct report *r)
{
	json_open(j, "history", '{');
	json_open(j, "elapsed_s", '[');
	for (size_t i = 0; i < h->n; i++)
		json_real(j, NULL, h->elapsed_s[i]);
	json_close(j, ']');
	json_open(j, "families", '{');
	for (size_t f = 0; f < NR_FAMILIES; f++)
		if (r->families[f].traced)
			put_points(j, family_name(r->catalog, f), h->families[f], h->n);
	json_close(j, '}');
	json_open(j, "sites", '{');
	for (size_t i = 0; i < h->nr_sites; i++) {
		char id[20];

		snprintf(id, sizeof(id), "%016llx", (unsigned long long)h->sites[i].id);
		put_points(j, id, h->sites[i].v, h->n);
	}
	json_close(j, '}');
	json_close(j, '}');
}

/* --- the last reports ---------------------------------------------------------------------------- */

/* What was lost, in words. */
static void put_losses(struct json_out *j, const struct report *r)
{
	json_open(j, "losses", '[');
	for (size_t i = 0; i < NR_DROPS; i++) {
		if (!r->drops[i])
			continue;
		json_open(j, NULL, '{');
		json_text(j, "name", drop_rows[i].name);
		json_count(j, "count", r->drops[i]);
		json_text(j, "meaning", drop_rows[i].meaning);
		json_text(j, "advice", drop_rows[i].advice);
		json_close(j, '}');
	}
	json_close(j, ']');
}

/* Sites that are not in the page. */
static void put_left_out(struct json_out *j, const struct report *r)
{
	uint64_t outstanding = 0;

	for (size_t i = MAX_SITES; i < r->sites.n; i++)
		outstanding = add_capped(outstanding, r->sites.v[i].outstanding);
	json_open(j, "left_out", '{');
	json_count(j, "sites", r->sites.n > MAX_SITES ? r->sites.n - MAX_SITES : 0);
	json_count(j, "outstanding", outstanding);
	json_close(j, '}');
}

static void put_target(struct html *h, const struct report *r, const struct view_opts *o)
{
	const struct history *history = history_of(h, &r->target);
	struct report shown = *r;
	const struct report *const one[] = {&shown};
	struct json_out j = {.out = &h->targets};

	shown.sites.n = r->sites.n < MAX_SITES ? r->sites.n : MAX_SITES;
	buf_printf(&h->targets, "%s{\"report\":", h->targets.n ? ",\n" : "");
	view_json(&h->targets, one, 1, o);
	buf_printf(&h->targets, ",\"more\":");
	json_open(&j, NULL, '{');
	if (history)
		put_history(&j, history, r);
	else
		h->targets.failed = true;
	put_losses(&j, r);
	put_left_out(&j, r);
	json_close(&j, '}');
	json_end_line(&j);
	buf_printf(&h->targets, "}");
}

/* --- the format ---------------------------------------------------------------------------------- */

void html_begin(void **state, struct buf *out)
{
	*state = calloc(1, sizeof(struct html));
	out->failed |= !*state;
}

void html_note(void *state, const struct report *const *reports, size_t n)
{
	struct html *h = state;

	for (size_t i = 0; i < n && h; i++) {
		struct history *history = history_of(h, &reports[i]->target);

		if (!history)
			h->targets.failed = true;
		else if (history->seen++ % history->stride == 0)
			add_point(history, reports[i]);
	}
}

static void free_histories(struct html *h)
{
	for (size_t i = 0; i < h->histories.n; i++)
		free(h->histories.v[i]);
	free(h->histories.v);
}

void *html_copy(const void *state)
{
	const struct html *from = state;
	struct html *h = calloc(1, sizeof(*h));

	for (size_t i = 0; h && from && i < from->histories.n; i++) {
		struct history *history = malloc(sizeof(*history)), **place;

		place = history ? VEC_ADD(&h->histories) : NULL;
		if (!place) {
			free(history);
			free_histories(h);
			free(h);
			return NULL;
		}
		*history = *from->histories.v[i];
		*place = history;
	}
	return h;
}

void html_forget(void *state, const struct report_target *t)
{
	struct html *h = state;

	for (size_t i = 0; i < h->histories.n; i++) {
		if (h->histories.v[i]->pid != t->pid ||
		    h->histories.v[i]->start_time_ticks != t->start_time_ticks)
			continue;
		free(h->histories.v[i]);
		h->histories.v[i] = h->histories.v[--h->histories.n];
		return;
	}
}

void html_reports(void *state, struct buf *out, const struct report *const *reports, size_t n,
		  const struct view_opts *o)
{
	struct html *h = state;

	for (size_t i = 0; i < n && h; i++) {
		struct history *history = history_of(h, &reports[i]->target);

		if (history)
			add_point(history, reports[i]);
		put_target(h, reports[i], o);
	}
	out->failed |= !h || h->targets.failed;
}

void html_end(void *state, struct buf *out)
{
	struct html *h = state;

	if (!h)
		return;
	page_begin(out);
	buf_printf(out, "{\"jnitrace\":\"%s\",\"targets\":[", JNITRACE_VERSION);
	page_data(out, h->targets.p, h->targets.n);
	buf_printf(out, "]}");
	page_end(out);
	out->failed |= h->targets.failed;
	free_histories(h);
	buf_free(&h->targets);
	free(h);
}
