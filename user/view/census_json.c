/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* jnitrace census as NDJSON: see docs/json.md. Unknown is null; nothing of the schema is ever left out. */
#include <math.h>
#include <string.h>

#include "view/census.h"
#include "view/json_out.h"

static const enum family_id families[NR_VM_TABLES] = {FAMILY_GLOBAL, FAMILY_WEAK};

/* What is known only where classes were looked at. */
static void put_read(struct json_out *j, const struct census *c, const char *key, uint64_t n)
{
	if (c->classes_known)
		json_count(j, key, n);
	else
		json_null(j, key);
}

static void put_families(struct json_out *j, const struct census *c)
{
	static const char *const not_traced[] = {"acquired", "released", "outstanding", "released_untracked"};

	json_open(j, "families", '{');
	for (int t = 0; t < NR_VM_TABLES; t++) {
		const struct census_table *table = &c->tables[t];

		json_open(j, jni_catalog.families[families[t]].name, '{');
		for (size_t i = 0; i < ARRAY_LEN(not_traced); i++)
			json_null(j, not_traced[i]);
		json_known_count(j, "vm_total", c->refs_known ? (int64_t)c->refs[t] : -1);
		json_text(j, "vm_note", c->count_note[t][0] ? c->count_note[t] : NULL);
		json_known_count(j, "table_bytes", c->table_bytes_known[t] ? (int64_t)c->table_bytes[t] : -1);
		put_read(j, c, "in_use", table->in_use);
		put_read(j, c, "read", table->read);
		put_read(j, c, "cleared", table->cleared);
		put_read(j, c, "unreadable", table->unreadable);
		put_read(j, c, "stale", table->stale);
		if (c->classes_known)
			json_bool(j, "sampled", table->sampled);
		else
			json_null(j, "sampled");
		json_close(j, '}');
	}
	json_close(j, '}');
}

static void put_threads(struct json_out *j, const struct census *c)
{
	if (!c->threads_known) {
		json_null(j, "threads");
		return;
	}
	json_open(j, "threads", '[');
	for (size_t i = 0; i < c->threads.n; i++) {
		const struct census_thread *t = &c->threads.v[i];

		json_open(j, NULL, '{');
		json_count(j, "tid", (uint64_t)t->tid);
		json_text(j, "name", t->name[0] ? t->name : NULL);
		json_known_count(j, "local_refs", t->local_refs);
		if (t->native_attached < 0)
			json_null(j, "native_attached");
		else
			json_bool(j, "native_attached", t->native_attached);
		json_known_count(j, "criticals", t->criticals);
		json_bool(j, "gone", t->gone);
		json_close(j, '}');
	}
	json_close(j, ']');
}

static void put_of(struct json_out *j, const struct census_class *c)
{
	if (strcmp(c->name, "java.lang.Class") != 0) {
		json_null(j, "of");
		return;
	}
	json_open(j, "of", '[');
	for (size_t i = 0; i < c->of.n; i++) {
		const struct report_of *of = &c->of.v[i];

		json_open(j, NULL, '{');
		json_text(j, "name", of->name);
		json_text(j, "loader", of->loader);
		if (of->loader_id)
			json_hex(j, "loader_id", of->loader_id);
		else
			json_null(j, "loader_id");
		json_count(j, "count", of->count);
		json_close(j, '}');
	}
	json_close(j, ']');
}

static void put_classes(struct json_out *j, const struct census *c)
{
	if (!c->classes_known) {
		json_null(j, "classes");
		return;
	}
	json_open(j, "classes", '[');
	for (size_t i = 0; i < c->classes.n; i++) {
		const struct census_class *class = &c->classes.v[i];

		json_open(j, NULL, '{');
		json_text(j, "family", jni_catalog.families[families[class->table]].name);
		json_text(j, "name", class->name);
		json_count(j, "count", class->count);
		json_count(j, "distinct", class->distinct);
		put_of(j, class);
		json_close(j, '}');
	}
	json_close(j, ']');
}

/* A time without end is null: with a growth that is known it says never. */
static void put_series(struct json_out *j, enum vm_table t, const char *name, const struct growth *g,
		       double limit)
{
	struct buf words = {0};

	json_open(j, NULL, '{');
	json_text(j, "family", jni_catalog.families[families[t]].name);
	json_text(j, "name", name);
	json_real(j, "per_min", g->known ? g->per_min : NAN);
	json_real(j, "error_per_min", g->known ? g->error_per_min : NAN);
	json_known(j, "span_s", g->span_s);
	json_bool(j, "alarm", g->alarm);
	if (g->alarm)
		growth_not_known(&words, g->same_life_s);
	json_text(j, "not_known", words.n ? words.p : NULL);
	buf_free(&words);
	json_known_count(j, "limit", limit > 0 ? (int64_t)limit : -1);
	json_known(j, "limit_s", g->limit_s);
	json_known(j, "limit_soonest_s", g->limit_soonest_s);
	json_known(j, "limit_latest_s", g->limit_latest_s);
	json_close(j, '}');
}

static void put_growth(struct json_out *j, const struct census *c)
{
	if (!c->watched) {
		json_null(j, "growth");
		return;
	}
	json_open(j, "growth", '[');
	for (int t = 0; t < NR_VM_TABLES; t++)
		put_series(j, (enum vm_table)t, NULL, &c->growth[t], c->limit);
	for (size_t i = 0; i < c->classes.n; i++)
		put_series(j, c->classes.v[i].table, c->classes.v[i].name, &c->classes.v[i].growth, c->limit);
	json_close(j, ']');
}

void view_census_json(struct buf *out, const struct census *const *items, size_t n, const struct view_opts *o)
{
	(void)o;
	for (size_t i = 0; i < n; i++) {
		const struct census *c = items[i];
		struct json_out j = {.out = out};

		json_begin(&j);
		json_time(&j, "time", c->time_unix_s);
		json_known(&j, "elapsed_s", c->elapsed_s);
		json_target(&j, &c->target);
		put_families(&j, c);
		json_known_count(&j, "native_gone", c->gone);
		put_threads(&j, c);
		put_classes(&j, c);
		put_growth(&j, c);
		json_real(&j, "growth_per_min", c->growth_per_min);
		json_text(&j, "refused", c->refused[0] ? c->refused : NULL);
		json_known(&j, "read_ms", c->read_ms);
		json_close(&j, '}');
		json_end_line(&j);
	}
}
