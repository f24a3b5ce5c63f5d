/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Reports as NDJSON for scripts, schema jnitrace/1: see docs/json.md. Unknown is null; nothing that
 * belongs to the schema is ever left out.
 */
#include <math.h>
#include <stdio.h>
#include <time.h>

#include "columns.h"
#include "json_out.h"
#include "views.h"

/* "2026-01-31T12:00:00.123Z" */
static json_t *time_utc(double unix_s)
{
	char text[64];
	double ms = floor(unix_s * 1000 + 0.5);
	struct tm tm;
	time_t t;

	if (!(ms >= 0 && ms < 2.5e14)) /* to the year 9892: four digits */
		return json_null();
	t = (time_t)(ms / 1000);
	if (!gmtime_r(&t, &tm))
		return json_null();
	snprintf(text, sizeof(text), "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", tm.tm_year + 1900, tm.tm_mon + 1,
		 tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, (int)(ms - (double)t * 1000));
	return json_string(text);
}

static json_t *calls_object(struct json_out *j, const struct report *r)
{
	json_t *calls = json_object();

	for (size_t i = 0; i < NR_FUNCS; i++)
		if (r->probed[i])
			json_put(j, calls, jni_func_names[i], json_count(r->calls[i]));
	return calls;
}

static json_t *families_object(struct json_out *j, const struct report *r)
{
	json_t *families = json_object();

	for (size_t i = 0; i < NR_FAMILIES; i++) {
		const struct report_family *f = &r->families[i];
		json_t *family;

		if (!f->traced)
			continue;
		family = json_object();
		json_put(j, family, "acquired", json_count(f->acquired));
		json_put(j, family, "released", json_count(f->released));
		json_put(j, family, "outstanding", json_count(f->outstanding));
		json_put(j, family, "released_untracked", json_count(f->released_untracked));
		json_put(j, family, "vm_total", f->vm_total >= 0 ? json_integer(f->vm_total) : json_null());
		json_put(j, families, jni_family_names[i], family);
	}
	return families;
}

static const char *frame_type_name(enum frame_type type)
{
	switch (type) {
	case FRAME_JAVA:
		return "java";
	case FRAME_VM:
		return "vm";
	default:
		return "native";
	}
}

static json_t *frame_object(struct json_out *j, const struct frame *f)
{
	json_t *frame = json_object();

	json_put(j, frame, "type", json_string(frame_type_name(f->type)));
	json_put(j, frame, "symbol", json_text(f->symbol));
	json_put(j, frame, "module", json_text(f->module));
	json_put(j, frame, "offset", json_hex(f->offset));
	json_put(j, frame, "build_id", json_text(f->build_id));
	json_put(j, frame, "file", json_text(f->file));
	json_put(j, frame, "line", f->line > 0 ? json_integer(f->line) : json_null());
	json_put(j, frame, "inlined", json_boolean(f->inlined));
	return frame;
}

static json_t *stack_array(struct json_out *j, const struct report_site *s, const struct view_opts *o)
{
	json_t *stack = json_array();

	for (size_t i = 0; i < s->frames.n && o->stacks != STACKS_NONE; i++)
		json_append(j, stack, frame_object(j, &s->frames.v[i]));
	return stack;
}

static json_t *site_object(struct json_out *j, const struct report_site *s, const struct view_opts *o)
{
	json_t *site = json_object();
	const char *truncated = s->truncated;
	bool known = s->func < NR_FUNCS;

	if (s->no_stack && !truncated)
		truncated = "the stack was not kept";
	json_put(j, site, "id", json_sprintf("%016llx", (unsigned long long)s->id));
	json_put(j, site, "family", json_text(known ? jni_family_names[jni_funcs[s->func].family] : NULL));
	json_put(j, site, "function", json_text(known ? jni_func_names[s->func] : NULL));
	json_put(j, site, "acquired", json_count(s->acquired));
	json_put(j, site, "released", json_count(s->released));
	json_put(j, site, "outstanding", json_count(s->outstanding));
	json_put(j, site, "outstanding_bytes", json_null());
	json_put(j, site, "oldest_s", json_known(s->oldest_s));
	json_put(j, site, "rate_per_s", json_signed(s->rate_per_s));
	json_put(j, site, "acquired_per_s", json_known(s->acquired_per_s));
	json_put(j, site, "classes", json_null());
	json_put(j, site, "stack", stack_array(j, s, o));
	json_put(j, site, "truncated", json_text(truncated));
	return site;
}

static json_t *sites_array(struct json_out *j, const struct report *r, const struct view_opts *o)
{
	json_t *sites = json_array();

	for (size_t i = 0; i < r->sites.n; i++)
		json_append(j, sites, site_object(j, &r->sites.v[i], o));
	return sites;
}

static json_t *drops_object(struct json_out *j, const struct report *r)
{
	json_t *drops = json_object();

	for (size_t i = 0; i < NR_DROPS; i++)
		json_put(j, drops, drop_rows[i].name, json_count(r->drops[i]));
	return drops;
}

static json_t *overhead_object(struct json_out *j, const struct report *r)
{
	json_t *overhead = json_object();

	json_put(j, overhead, "probes", json_count(r->nr_probes));
	json_put(j, overhead, "events", json_count(r->events));
	json_put(j, overhead, "events_per_s", json_known(r->events_per_s));
	json_put(j, overhead, "probe_cost_ns_per_event", json_known(r->probe_cost_ns_per_event));
	json_put(j, overhead, "target_cpu_pct", json_known(r->target_cpu_pct));
	json_put(j, overhead, "self_cpu_pct", json_known(r->self_cpu_pct));
	json_put(j, overhead, "map_bytes", json_count(r->map_bytes));
	return overhead;
}

static void put_report(struct buf *out, const struct report *r, const struct view_opts *o)
{
	struct json_out j = {.record = json_object()};

	json_put(&j, j.record, "schema", json_string(JSON_SCHEMA));
	json_put(&j, j.record, "time", time_utc(r->time_unix_s));
	json_put(&j, j.record, "elapsed_s", json_known(r->elapsed_s));
	json_put(&j, j.record, "final", json_boolean(r->final));
	json_put(&j, j.record, "end_reason", json_text(r->end_reason));
	json_put(&j, j.record, "target", json_target(&j, &r->target));
	json_put(&j, j.record, "calls", calls_object(&j, r));
	json_put(&j, j.record, "families", families_object(&j, r));
	json_put(&j, j.record, "sites", sites_array(&j, r, o));
	json_put(&j, j.record, "findings", json_array());
	json_put(&j, j.record, "drops", drops_object(&j, r));
	json_put(&j, j.record, "overhead", overhead_object(&j, r));
	json_line(&j, out);
}

void view_json(struct buf *out, const struct report *const *reports, size_t n, const struct view_opts *o)
{
	for (size_t i = 0; i < n; i++)
		put_report(out, reports[i], o);
}
