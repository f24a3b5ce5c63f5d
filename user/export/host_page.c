/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The agent's page. See host_page.h. */
#include "export/host_page.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "export/page_parts.h"
#include "view/json_out.h"

/* In the page: what a browser can draw and a person can read. */
#define MAX_JVMS     500 /* the fastest growing first */
#define MAX_SITES    10  /* of a JVM, those that hold most */
#define MAX_FINDINGS 20  /* of a JVM */

static const enum family_id families[NR_VM_TABLES] = {FAMILY_GLOBAL, FAMILY_WEAK};

static void put_numbers(struct json_out *j, const char *key, const double *v, size_t n)
{
	json_open(j, key, '[');
	for (size_t i = 0; i < n; i++)
		json_real(j, NULL, v[i]);
	json_close(j, ']');
}

static void put_table(struct json_out *j, const struct host_page *p, const struct census *c, enum vm_table t)
{
	const struct growth *g = &c->growth[t];
	struct curve curve;

	p->curve(c, t, &curve);
	json_open(j, family_name(&jni_catalog, families[t]), '{');
	json_known_count(j, "references", c->refs_known ? (int64_t)(c->refs[t] & INT64_MAX) : -1);
	json_real(j, "per_min", g->known ? g->per_min : NAN);
	json_bool(j, "growing", g->known && g->alarm);
	json_known(j, "limit_s", g->known ? g->limit_s : -1);
	put_numbers(j, "elapsed_s", curve.t_s, curve.n);
	put_numbers(j, "points", curve.count, curve.n);
	json_close(j, '}');
}

/* How a site is called: as in the page of the report, where its stack is. */
static void put_site(struct json_out *j, const struct report *r, const struct report_site *s)
{
	const struct frame *f = frames_caller(&s->frames);

	json_open(j, NULL, '{');
	json_id(j, "id", s->id);
	json_text(j, "symbol", f ? f->symbol : NULL);
	json_text(j, "module", f ? f->module : NULL);
	json_text(j, "file", f ? f->file : NULL);
	json_known_count(j, "line", f && f->line ? f->line : -1);
	json_text(j, "function", func_name(r->catalog, s->func));
	json_text(j, "class", s->classes.known && s->classes.n ? s->classes.v[0].name : NULL);
	json_known_count(j, "outstanding",
			 s->life_unknown || r->count_only ? -1 : (int64_t)(s->outstanding & INT64_MAX));
	json_count(j, "acquired", s->acquired);
	json_text(j, "verdict", site_verdict_names[s->verdict.kind]);
	json_real(j, "per_min", s->verdict.per_min);
	json_close(j, '}');
}

static int by_outstanding(const void *a, const void *b)
{
	const struct report_site *x = *(const struct report_site *const *)a,
				 *y = *(const struct report_site *const *)b;

	if (x->outstanding != y->outstanding)
		return x->outstanding < y->outstanding ? 1 : -1;
	return x->id < y->id ? -1 : x->id > y->id;
}

static void put_sites(struct json_out *j, const struct report *r)
{
	const struct report_site **most = r && r->sites.n ? calloc(r->sites.n, sizeof(const void *)) : NULL;
	size_t n = most ? r->sites.n : 0;

	for (size_t i = 0; i < n; i++)
		most[i] = &r->sites.v[i];
	if (n > 1)
		qsort(most, n, sizeof(*most), by_outstanding);
	json_open(j, "sites", '[');
	for (size_t i = 0; i < n && i < MAX_SITES; i++)
		put_site(j, r, most[i]);
	json_close(j, ']');
	json_count(j, "sites_in_all", r ? r->sites.n : 0);
	j->out->failed |= r && r->sites.n && !most;
	free(most);
}

static void put_findings(struct json_out *j, const struct report *r)
{
	json_open(j, "findings", '[');
	for (size_t i = 0; r && i < r->findings.n && i < MAX_FINDINGS; i++) {
		const struct report_finding *f = &r->findings.v[i];

		json_open(j, NULL, '{');
		json_text(j, "kind", finding_rows[f->kind].name);
		json_text(j, "severity", finding_severity_names[finding_rows[f->kind].severity]);
		json_count(j, "count", f->count);
		json_text(j, "function", f->func == FUNC_NONE ? NULL : func_name(r->catalog, f->func));
		if (f->site_id)
			json_id(j, "site", f->site_id);
		else
			json_null(j, "site");
		json_text(j, "text", f->text);
		json_close(j, '}');
	}
	json_close(j, ']');
	json_count(j, "findings_in_all", r ? r->findings.n : 0);
}

static void put_jvm(struct json_out *j, const struct host_page *p, const struct census *c)
{
	const struct window *w = window_of(p->seen, &c->target);

	json_open(j, NULL, '{');
	json_target(j, &c->target);
	json_text(j, "refused", c->refused[0] ? c->refused : NULL);
	json_open(j, "tables", '{');
	for (int t = 0; t < NR_VM_TABLES; t++)
		put_table(j, p, c, (enum vm_table)t);
	json_close(j, '}');
	json_window(j, w);
	put_sites(j, w ? w->report : NULL);
	put_findings(j, w ? w->report : NULL);
	json_close(j, '}');
}

static void put_host(struct json_out *j, const struct host_page *p)
{
	const struct agent_seen *seen = p->seen;
	size_t shown = seen->nr_jvms < MAX_JVMS ? seen->nr_jvms : MAX_JVMS;

	json_open(j, NULL, '{');
	json_time(j, "time", p->self->round_unix_s);
	json_real(j, "every_s", p->every_s);
	json_real(j, "cpu_s", p->self->cpu_s);
	json_count(j, "resident_bytes", p->self->resident_bytes);
	json_count(j, "windows_open", p->self->windows_open);
	json_count(j, "windows_waiting", p->self->windows_waiting);
	json_count(j, "left_out", seen->nr_jvms - shown);
	json_open(j, "jvms", '[');
	for (size_t i = 0; i < shown; i++)
		put_jvm(j, p, seen->jvms[i]);
	json_close(j, ']');
	json_close(j, '}');
	json_end_line(j);
}

bool host_page_write(struct buf *out, const struct host_page *p)
{
	struct buf host = {0};
	struct json_out j = {.out = &host};

	if (!page_begin(out))
		return false;
	put_host(&j, p);
	buf_printf(out, "{\"jnitrace\":\"%s\",\"targets\":[],\"host\":", JNITRACE_VERSION);
	page_data(out, host.p ?: "", host.n);
	buf_printf(out, "}");
	page_end(out);
	out->failed |= host.failed;
	buf_free(&host);
	return true;
}
