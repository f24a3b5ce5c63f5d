/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Comparisons as NDJSON, schema jnitrace/1: see docs/json.md. */
#include "view/diff.h"
#include "view/json.h"
#include "view/json_out.h"

static void put_side(struct json_out *j, const char *key, const struct comparison_side *s)
{
	const struct report *r = s->report;

	json_open(j, key, '{');
	json_text(j, "file", s->file);
	json_text(j, "jnitrace", s->version);
	if (r) {
		json_time(j, "time", r->time_unix_s);
		json_known(j, "elapsed_s", r->elapsed_s);
		json_bool(j, "final", r->final);
		json_target(j, &r->target);
	} else {
		json_null(j, "time");
		json_null(j, "elapsed_s");
		json_null(j, "final");
		json_null(j, "target");
	}
	json_close(j, '}');
}

/* a, b: what the numbers are called. */
static void put_compared(struct json_out *j, const struct compared *is, const char *a, const char *b)
{
	json_text(j, "change", change_names[is->change]);
	json_text(j, "matched", matched_names[is->matched]);
	json_bool(j, "growth", is->growth);
	if (is->unknown) {
		json_null(j, a);
		json_null(j, b);
		json_null(j, "delta");
		return;
	}
	json_count(j, a, is->a);
	json_count(j, b, is->b);
	json_signed(j, "delta", is->delta);
}

static void put_sites(struct json_out *j, const struct comparison *c, const struct view_opts *o)
{
	json_open(j, "sites", '[');
	for (size_t i = 0; i < c->sites.n; i++) {
		const struct compared_site *s = &c->sites.v[i];

		json_open(j, NULL, '{');
		put_compared(j, &s->is, "outstanding_a", "outstanding_b");
		json_count(j, "sites_a", s->nr_a);
		json_count(j, "sites_b", s->nr_b);
		json_site(j, "a", c->a.report, s->a, o);
		json_site(j, "b", c->b.report, s->b, o);
		json_close(j, '}');
	}
	json_close(j, ']');
}

static void put_classes(struct json_out *j, const struct comparison *c)
{
	if (!c->classes_known) {
		json_null(j, "classes");
		return;
	}
	json_open(j, "classes", '[');
	for (size_t i = 0; i < c->classes.n; i++) {
		json_open(j, NULL, '{');
		json_text(j, "family", c->classes.v[i].family);
		json_text(j, "name", c->classes.v[i].name);
		put_compared(j, &c->classes.v[i].is, "outstanding_a", "outstanding_b");
		json_close(j, '}');
	}
	json_close(j, ']');
}

static void put_findings(struct json_out *j, const struct comparison *c, const struct view_opts *o)
{
	json_open(j, "findings", '[');
	for (size_t i = 0; i < c->findings.n; i++) {
		const struct compared_finding *f = &c->findings.v[i];

		json_open(j, NULL, '{');
		put_compared(j, &f->is, "count_a", "count_b");
		json_finding(j, "a", c->a.report, f->a, o);
		json_finding(j, "b", c->b.report, f->b, o);
		json_close(j, '}');
	}
	json_close(j, ']');
}

static void put_modules(struct json_out *j, const struct comparison *c)
{
	json_open(j, "modules", '[');
	for (size_t i = 0; i < c->modules.n; i++) {
		json_open(j, NULL, '{');
		json_text(j, "module", c->modules.v[i].name);
		json_text(j, "build_id_a", c->modules.v[i].build_id_a);
		json_text(j, "build_id_b", c->modules.v[i].build_id_b);
		json_close(j, '}');
	}
	json_close(j, ']');
}

void view_diff_json(struct buf *out, const struct comparison *const *v, size_t n, const struct view_opts *o)
{
	for (size_t i = 0; i < n; i++) {
		struct json_out j = {.out = out};

		json_begin(&j);
		put_side(&j, "a", &v[i]->a);
		put_side(&j, "b", &v[i]->b);
		json_text(&j, "per", per_names[v[i]->per]);
		put_modules(&j, v[i]);
		put_sites(&j, v[i], o);
		put_classes(&j, v[i]);
		put_findings(&j, v[i], o);
		json_close(&j, '}');
		json_end_line(&j);
	}
}
