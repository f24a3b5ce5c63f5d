/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Sites of one version alone. See fleet.h. */
#include "view/fleet.h"

#include <math.h>
#include <string.h>

#include "view/json_out.h"
#include "view/text.h"

#define VALUE_CELLS  20
#define NUMBER_CELLS 11

static int told_group(const struct fleet_site *s)
{
	return s->only_in >= 0 ? s->only_in : s->grows_only_in;
}

static void put_number(struct buf *out, uint64_t n)
{
	struct buf text = {0};

	fmt_count(&text, n);
	cells_put(out, text.p ?: "", text.n, NUMBER_CELLS, CELLS_RIGHT, true);
	out->failed |= text.failed;
	buf_free(&text);
}

static void put_group(struct buf *out, const struct fleet *f, const struct fleet_group *g)
{
	buf_printf(out, "  %s %s%s%s: %zu of %zu JVM%s traced\n", fleet_by_names[f->by], g->value,
		   *g->scope ? " of " : "", g->scope, g->traced, g->jvms, g->jvms == 1 ? "" : "s");
}

static void put_row(struct buf *out, const struct fleet *f, const struct fleet_site *s,
		    const struct view_opts *o)
{
	const struct fleet_group *g = &f->groups[told_group(s)];
	const struct fleet_count *c = &s->of[told_group(s)];
	int left = o->width - VALUE_CELLS - 2 * (NUMBER_CELLS + 1) - 11 - 8;
	struct buf jvms = {0}, site = {0};

	cells_put_tail(out, g->value, strlen(g->value), VALUE_CELLS, true);
	buf_printf(out, " %-7s", s->only_in >= 0 ? "new" : "grows");
	put_number(out, c->outstanding);
	buf_add(out, " ", 1);
	if (c->growing) {
		struct buf pace = {0};

		buf_printf(&pace, "+");
		fmt_figure(&pace, c->per_min);
		cells_put(out, pace.p ?: "", pace.n, NUMBER_CELLS, CELLS_RIGHT, true);
		buf_free(&pace);
	} else {
		cells_put(out, "-", 1, NUMBER_CELLS, CELLS_RIGHT, true);
	}
	buf_printf(&jvms, "%zu/%zu", c->jvms, g->traced);
	cells_put(out, jvms.p ?: "", jvms.n, 10, CELLS_RIGHT, true);
	buf_printf(&site, " %s %s (%s)", s->name, s->place, s->function);
	cells_puts(out, site.p, left > 20 ? left : 20);
	buf_add(out, "\n", 1);
	out->failed |= jvms.failed | site.failed;
	buf_free(&jvms);
	buf_free(&site);
}

void view_fleet_table(struct buf *out, const struct fleet *f, const struct view_opts *o)
{
	size_t rows = 0, most = o->rows > 0 ? (size_t)o->rows : SIZE_MAX;

	buf_printf(out, "fleet diff by %s: %zu of %zu agents answered\n", fleet_by_names[f->by],
		   f->sources - f->refused.n, f->sources);
	for (size_t i = 0; i < f->nr_groups; i++)
		put_group(out, f, &f->groups[f->order[i]]);
	if (f->unknown)
		buf_printf(out, "  %zu JVM%s not tell their %s\n", f->unknown,
			   f->unknown == 1 ? " does" : "s do", fleet_by_names[f->by]);
	for (size_t i = 0; i < f->sites.n; i++) {
		if (told_group(f->sites.v[i]) < 0)
			continue;
		if (!rows) {
			buf_printf(out, "\n%s%-*s CHANGE %*s %*s%10s SITE%s\n", o->color ? BOLD : "",
				   VALUE_CELLS, "ONLY IN", NUMBER_CELLS, "OUTSTANDING", NUMBER_CELLS,
				   "PER MINUTE", "JVMS", o->color ? PLAIN : "");
		}
		if (rows++ < most)
			put_row(out, f, f->sites.v[i], o);
	}
	if (!rows)
		buf_printf(out, "\nNo call site holds references, or grows, in one of them alone.\n");
	else if (rows > most)
		buf_printf(out, "%zu more rows (-r 0 shows all)\n", rows - most);
}

static void put_counts(struct json_out *j, const struct fleet *f, const struct fleet_site *s)
{
	json_open(j, "groups", '[');
	for (size_t i = 0; i < f->nr_groups; i++) {
		const struct fleet_group *g = &f->groups[f->order[i]];
		const struct fleet_count *c = &s->of[f->order[i]];

		if (strcmp(g->scope, s->scope) != 0)
			continue;
		json_open(j, NULL, '{');
		json_text(j, "value", g->value);
		json_count(j, "jvms", c->jvms);
		json_count(j, "growing", c->growing);
		json_count(j, "outstanding", c->outstanding);
		json_count(j, "acquired", c->acquired);
		json_real(j, "growth_per_min", c->growing ? c->per_min : NAN);
		json_close(j, '}');
	}
	json_close(j, ']');
}

static void put_site(struct json_out *j, const struct fleet *f, const struct fleet_site *s)
{
	json_open(j, NULL, '{');
	json_id(j, "id", s->id);
	json_text(j, "scope", *s->scope ? s->scope : NULL);
	json_text(j, "name", s->name);
	json_text(j, "place", *s->place ? s->place : NULL);
	json_text(j, "function", s->function);
	json_text(j, "family", s->family);
	json_text(j, "only_in", s->only_in >= 0 ? f->groups[s->only_in].value : NULL);
	json_text(j, "grows_only_in", s->grows_only_in >= 0 ? f->groups[s->grows_only_in].value : NULL);
	put_counts(j, f, s);
	json_close(j, '}');
}

static void put_groups(struct json_out *j, const struct fleet *f)
{
	json_open(j, "groups", '[');
	for (size_t i = 0; i < f->nr_groups; i++) {
		const struct fleet_group *g = &f->groups[f->order[i]];

		json_open(j, NULL, '{');
		json_text(j, "scope", *g->scope ? g->scope : NULL);
		json_text(j, "value", g->value);
		json_count(j, "jvms", g->jvms);
		json_count(j, "traced", g->traced);
		json_close(j, '}');
	}
	json_close(j, ']');
}

void view_fleet_json(struct buf *out, const struct fleet *f, const struct view_opts *o)
{
	struct json_out j = {.out = out};

	(void)o;
	json_begin(&j);
	json_text(&j, "fleet_diff_by", fleet_by_names[f->by]);
	put_groups(&j, f);
	json_open(&j, "sites", '[');
	for (size_t i = 0; i < f->sites.n; i++)
		if (told_group(f->sites.v[i]) >= 0)
			put_site(&j, f, f->sites.v[i]);
	json_close(&j, ']');
	json_count(&j, "sites_in_all", f->sites.n);
	json_open(&j, "refused", '[');
	for (size_t i = 0; i < f->refused.n; i++) {
		json_open(&j, NULL, '{');
		json_text(&j, "source", f->refused.v[i].source);
		json_text(&j, "why", f->refused.v[i].why);
		json_close(&j, '}');
	}
	json_close(&j, ']');
	json_count(&j, "unknown", f->unknown);
	json_count(&j, "left_out", f->left_out);
	json_close(&j, '}');
	json_end_line(&j);
}
