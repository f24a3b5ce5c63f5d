/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Comma-separated values. See csv.h. */
#include "export/csv.h"

#include <math.h>
#include <string.h>

#include "model/sample.h"
#include "view/class_of.h"
#include "view/columns.h"

#define EOL       "\r\n" /* RFC 4180, 2.1 */
#define MAX_FIELD 2048

struct line {
	const struct report *report;
	const struct report_site *site;
};

static void put_count(struct buf *out, bool known, uint64_t n)
{
	if (known)
		buf_printf(out, "%llu", (unsigned long long)n);
}

/* To a millionth. What is no number is unknown. */
static void put_real(struct buf *out, bool known, double d)
{
	if (known && isfinite(d))
		buf_printf(out, "%.15g", fabs(d) < 1e9 ? round(d * 1e6) / 1e6 + 0.0 : d);
}

/*
 * Foreign text. Spreadsheets take a field that begins like a formula for one (CWE-1236): an apostrophe before
 * it says that it is text.
 */
static void put_text(struct buf *out, const char *s)
{
	char clean[MAX_FIELD];

	if (!s || !*s)
		return;
	text_clean(clean, sizeof(clean), s, strlen(s));
	buf_printf(out, "\"%s", strchr("=+-@", clean[0]) ? "'" : "");
	for (const char *c = clean; *c; c++)
		buf_printf(out, *c == '"' ? "\"\"" : "%c", *c);
	buf_printf(out, "\"");
}

static bool paired(const struct line *l)
{
	return !l->report->count_only;
}

static bool life_known(const struct line *l)
{
	return paired(l) && !l->site->life_unknown;
}

static const struct func_row *func_row(const struct line *l)
{
	return &l->report->catalog->funcs[l->site->func];
}

static void put_family(struct buf *out, const struct line *l)
{
	put_text(out, family_name(l->report->catalog, func_row(l)->family));
}

static void put_frame(struct buf *out, const struct line *l,
		      void (*part)(struct buf *out, const struct frame *f))
{
	const struct frame *f = site_frame(l->site);
	struct buf text = {0};

	if (f)
		part(&text, f);
	put_text(out, text.p);
	out->failed |= text.failed;
	buf_free(&text);
}

static void put_module(struct buf *out, const struct frame *f)
{
	buf_printf(out, "%s", f->module ? f->module : "");
}

static void put_build_id(struct buf *out, const struct frame *f)
{
	buf_printf(out, "%s", f->build_id ? f->build_id : "");
}

static void put_class(struct buf *out, const struct line *l)
{
	put_text(out, l->site->classes.n ? l->site->classes.v[0].name : NULL);
}

static void put_class_of(struct buf *out, const struct line *l)
{
	const struct report_class *c = l->site->classes.n ? &l->site->classes.v[0] : NULL;
	struct buf text = {0};

	if (c && c->of.n)
		view_class_of(&text, &c->of.v[0]);
	put_text(out, text.p);
	out->failed |= text.failed;
	buf_free(&text);
}

#define FIELD(name, call)                                                                                    \
	static void name(struct buf *out, const struct line *l)                                              \
	{                                                                                                    \
		call;                                                                                        \
	}
FIELD(f_time, fmt_time(out, l->report->time_unix_s))
FIELD(f_elapsed, put_real(out, true, l->report->elapsed_s))
FIELD(f_final, buf_printf(out, "%d", l->report->final))
FIELD(f_pid, buf_printf(out, "%d", l->report->target.pid))
FIELD(f_comm, put_text(out, l->report->target.comm))
FIELD(f_id, buf_printf(out, "%016llx", (unsigned long long)l->site->id))
FIELD(f_family, put_family(out, l))
FIELD(f_function, put_text(out, func_row(l)->name))
FIELD(f_acquired, put_count(out, true, l->site->acquired))
FIELD(f_released, put_count(out, paired(l), l->site->released))
FIELD(f_outstanding, put_count(out, life_known(l), l->site->outstanding))
FIELD(f_bytes, put_count(out, l->site->outstanding_bytes >= 0, (uint64_t)l->site->outstanding_bytes))
FIELD(f_oldest, put_real(out, l->site->oldest_s >= 0, l->site->oldest_s))
FIELD(f_rate, put_real(out, paired(l), l->site->rate_per_s))
FIELD(f_acquired_rate, put_real(out, l->site->acquired_per_s >= 0, l->site->acquired_per_s))
FIELD(f_verdict, put_text(out, site_verdict_names[l->site->verdict.kind]))
FIELD(f_growth, put_real(out, true, l->site->verdict.per_min))
FIELD(f_class, put_class(out, l))
FIELD(f_class_of, put_class_of(out, l))
FIELD(f_site, put_frame(out, l, frame_name))
FIELD(f_location, put_frame(out, l, frame_location))
FIELD(f_module, put_frame(out, l, put_module))
FIELD(f_build_id, put_frame(out, l, put_build_id))

FIELD(f_one_in, put_count(out, true, report_one_in(l->report, l->site->func) ?: 1))
FIELD(f_error, put_count(out, life_known(l),
			 sample_error(l->site->outstanding, report_one_in(l->report, l->site->func))))

/* The fields, a row each. New ones come last: readers may count. */
static const struct {
	const char *name;
	void (*put)(struct buf *out, const struct line *l);
} fields[] = {
    {"time", f_time},
    {"elapsed_s", f_elapsed},
    {"final", f_final},
    {"pid", f_pid},
    {"comm", f_comm},
    {"id", f_id},
    {"family", f_family},
    {"function", f_function},
    {"acquired", f_acquired},
    {"released", f_released},
    {"outstanding", f_outstanding},
    {"outstanding_bytes", f_bytes},
    {"oldest_s", f_oldest},
    {"rate_per_s", f_rate},
    {"acquired_per_s", f_acquired_rate},
    {"verdict", f_verdict},
    {"growth_per_min", f_growth},
    {"class", f_class}, /* of most of the outstanding */
    {"site", f_site},
    {"location", f_location},
    {"module", f_module},
    {"build_id", f_build_id},
    {"class_of", f_class_of}, /* of java.lang.Class: which, of most of them */
    {"sampled_one_in", f_one_in},
    {"outstanding_error", f_error},
};

void csv_begin(void **state, struct buf *out)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		buf_printf(out, "%s%s", i ? "," : "", fields[i].name);
	buf_printf(out, EOL);
}

void csv_reports(void *state, struct buf *out, const struct report *const *reports, size_t n,
		 const struct view_opts *o)
{
	(void)state;
	(void)o;
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < reports[i]->sites.n; k++) {
			const struct line l = {reports[i], &reports[i]->sites.v[k]};

			for (size_t f = 0; f < ARRAY_LEN(fields); f++) {
				buf_printf(out, "%s", f ? "," : "");
				fields[f].put(out, &l);
			}
			buf_printf(out, EOL);
		}
}

/* --- comparisons --------------------------------------------------------------------------------- */

struct pair {
	const struct comparison *in;
	const struct compared *is;
	const struct compared_class *class; /* NULL: of a site */
	struct line a, b, any;              /* site NULL: none; any: that of B, or else of A */
};

static void put_pid(struct buf *out, const struct report *r)
{
	if (r)
		buf_printf(out, "%d", r->target.pid);
}

static void put_delta(struct buf *out, const struct compared *is)
{
	if (!is->unknown)
		buf_printf(out, "%lld", (long long)is->delta);
}

static void put_if(struct buf *out, const struct line *l, void (*put)(struct buf *out, const struct line *l))
{
	if (l->site)
		put(out, l);
}

#define PAIR(name, call)                                                                                     \
	static void name(struct buf *out, const struct pair *p)                                              \
	{                                                                                                    \
		call;                                                                                        \
	}
PAIR(p_pid_a, put_pid(out, p->in->a.report))
PAIR(p_pid_b, put_pid(out, p->in->b.report))
PAIR(p_change, put_text(out, change_names[p->is->change]))
PAIR(p_matched, put_text(out, matched_names[p->is->matched]))
PAIR(p_number_a, put_count(out, !p->is->unknown, p->is->a))
PAIR(p_number_b, put_count(out, !p->is->unknown, p->is->b))
PAIR(p_delta, put_delta(out, p->is))
PAIR(p_verdict_a, put_if(out, &p->a, f_verdict))
PAIR(p_verdict_b, put_if(out, &p->b, f_verdict))
PAIR(p_id_a, put_if(out, &p->a, f_id))
PAIR(p_id_b, put_if(out, &p->b, f_id))
PAIR(p_build_id_a, put_if(out, &p->a, f_build_id))
PAIR(p_build_id_b, put_if(out, &p->b, f_build_id))
PAIR(p_family, put_family(out, &p->any))
PAIR(p_function, f_function(out, &p->any))
PAIR(p_class, f_class(out, &p->any))
PAIR(p_site, f_site(out, &p->any))
PAIR(p_location, f_location(out, &p->any))
PAIR(p_module, f_module(out, &p->any))
PAIR(p_class_family, put_text(out, p->class->family))
PAIR(p_class_name, put_text(out, p->class->name))

struct pair_field {
	const char *name;
	void (*put)(struct buf *out, const struct pair *p);
};
static const struct pair_field of_sites[] = {
    {"pid_a", p_pid_a},
    {"pid_b", p_pid_b},
    {"change", p_change},
    {"matched", p_matched},
    {"outstanding_a", p_number_a},
    {"outstanding_b", p_number_b},
    {"delta", p_delta},
    {"verdict_a", p_verdict_a},
    {"verdict_b", p_verdict_b},
    {"id_a", p_id_a},
    {"id_b", p_id_b},
    {"family", p_family},
    {"function", p_function},
    {"class", p_class},
    {"site", p_site},
    {"location", p_location},
    {"module", p_module},
    {"build_id_a", p_build_id_a},
    {"build_id_b", p_build_id_b},
};
static const struct pair_field of_classes[] = {
    {"pid_a", p_pid_a},
    {"pid_b", p_pid_b},
    {"change", p_change},
    {"outstanding_a", p_number_a},
    {"outstanding_b", p_number_b},
    {"delta", p_delta},
    {"family", p_class_family},
    {"class", p_class_name},
};

/* p NULL: the header line. */
static void put_pair(struct buf *out, const struct pair *p, const struct pair_field *fields_of, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		buf_printf(out, "%s%s", i ? "," : "", p ? "" : fields_of[i].name);
		if (p)
			fields_of[i].put(out, p);
	}
	buf_printf(out, EOL);
}

static void put_diff_sites(struct buf *out, const struct comparison *c)
{
	for (size_t i = 0; i < c->sites.n; i++) {
		const struct compared_site *s = &c->sites.v[i];
		struct pair p = {.in = c, .is = &s->is, .a = {c->a.report, s->a}, .b = {c->b.report, s->b}};

		p.any = s->b ? p.b : p.a;
		put_pair(out, &p, of_sites, ARRAY_LEN(of_sites));
	}
}

static void put_diff_classes(struct buf *out, const struct comparison *c)
{
	for (size_t i = 0; i < c->classes.n; i++) {
		const struct pair p = {.in = c, .is = &c->classes.v[i].is, .class = &c->classes.v[i]};

		put_pair(out, &p, of_classes, ARRAY_LEN(of_classes));
	}
}

void csv_diff(struct buf *out, const struct comparison *const *v, size_t n, const struct view_opts *o)
{
	bool by_class = o->group_by == GROUP_CLASS;

	if (by_class)
		put_pair(out, NULL, of_classes, ARRAY_LEN(of_classes));
	else
		put_pair(out, NULL, of_sites, ARRAY_LEN(of_sites));
	for (size_t i = 0; i < n; i++)
		if (by_class)
			put_diff_classes(out, v[i]);
		else
			put_diff_sites(out, v[i]);
}
