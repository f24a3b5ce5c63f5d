/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* One line that says it all. See answer.h. */
#include "view/answer.h"

#include <math.h>
#include <string.h>

#include "view/cells.h"
#include "view/columns.h"

const char *const answer_words[NR_ANSWERS] = {
    [ANSWER_LEAK] = "LEAK", [ANSWER_MISUSE] = "MISUSE",   [ANSWER_WARNING] = "WARNING",
    [ANSWER_WAIT] = "WAIT", [ANSWER_UNCLEAR] = "UNCLEAR", [ANSWER_COUNTS] = "COUNTS",
    [ANSWER_IDLE] = "IDLE", [ANSWER_CLEAN] = "CLEAN",
};

/* Where a name's part begins: behind '.', '/' or "::", not in what stands in brackets. */
static bool begins_part(const char *name, size_t i)
{
	return i > 0 && (name[i - 1] == '.' || name[i - 1] == '/' ||
			 (i > 1 && name[i - 1] == ':' && name[i - 2] == ':'));
}

void name_short(struct buf *out, const char *name, int parts)
{
	size_t n = strlen(name), end = n, from, depth = 0;

	/* Without parameters: "f(int)", not "(anonymous namespace)::f". */
	for (size_t i = 1; i < n && end == n; i++)
		if (name[i] == '(' && (name[i - 1] != ':' && name[i - 1] != ' '))
			end = i;
	from = end;
	for (size_t i = end; i-- > 0 && parts > 0;) {
		depth += name[i] == '>' || name[i] == ')';
		depth -= (name[i] == '<' || name[i] == '(') && depth > 0;
		if (depth == 0 && (i == 0 || begins_part(name, i))) {
			from = i;
			parts--;
		}
	}
	buf_add(out, name + from, end - from);
}

/* What was found, over all targets. */
struct summary {
	size_t reports, sites, growing, waiting, unclear, held;
	size_t wrong[NR_SEVERITIES]; /* findings, but of leaks: */
	uint64_t grown;              /* outstanding at sites that grow */
	double per_min;              /* of those together */
	double ready_in_s;           /* the nearest verdict */
	double seen_s;               /* the longest that a verdict rests on */
	bool count_only;
	const struct report *of; /* whose is: */
	const struct report_site *worst, *fastest;
	const struct report_finding *first[NR_SEVERITIES]; /* of these */
};

static double growth_of(const struct report_site *s)
{
	return isfinite(s->verdict.per_min) && s->verdict.per_min > 0
		   ? s->verdict.per_min
		   : 60 * fmax(0, isfinite(s->recent_per_s) ? s->recent_per_s : 0);
}

static void add_site(struct summary *s, const struct report *r, const struct report_site *site)
{
	const struct report_verdict *v = &site->verdict;

	s->sites++;
	s->held += site->outstanding > 0;
	s->seen_s = fmax(s->seen_s, isfinite(v->span_s) ? v->span_s : 0);
	if (v->kind == VERDICT_GROWING) {
		s->growing++;
		s->grown = add_capped(s->grown, site->outstanding);
		s->per_min += growth_of(site);
		if (!s->worst || growth_of(site) > growth_of(s->worst)) {
			s->worst = site;
			s->of = r;
		}
	} else if (v->kind == VERDICT_UNKNOWN && v->ready_in_s > 0) {
		s->waiting++;
		s->ready_in_s = s->waiting == 1 ? v->ready_in_s : fmin(s->ready_in_s, v->ready_in_s);
		if (site->rate_per_s > 0 && (!s->fastest || site->rate_per_s > s->fastest->rate_per_s))
			s->fastest = site;
	} else if (v->kind == VERDICT_UNKNOWN && site->outstanding && v->span_s > 0) {
		s->unclear++;
	}
}

/* Leaks are told by the sites that grow. */
static bool is_leak(enum finding_kind kind)
{
	return kind == FINDING_LEAK || kind == FINDING_MONITOR_LEAK || kind == FINDING_THREAD_LEAK;
}

static void add_finding(struct summary *s, const struct report_finding *f)
{
	int severity = finding_rows[f->kind].severity;

	if (is_leak(f->kind))
		return;
	s->wrong[severity]++;
	s->first[severity] = s->first[severity] ?: f;
}

static struct summary sum_up(const struct report *const *reports, size_t n)
{
	struct summary s = {.reports = n};

	for (size_t i = 0; i < n; i++) {
		const struct report *r = reports[i];

		s.count_only |= r->count_only;
		for (size_t k = 0; k < r->sites.n; k++)
			add_site(&s, r, &r->sites.v[k]);
		for (size_t k = 0; k < r->findings.n; k++)
			add_finding(&s, &r->findings.v[k]);
	}
	return s;
}

/* "libthumb.so Registry::add" */
static void put_owner(struct buf *out, const struct frames *frames)
{
	const struct frame *f = frames_caller(frames);

	if (!f) {
		buf_printf(out, "a site without a stack");
		return;
	}
	if (f->module)
		buf_printf(out, "%s ", f->module);
	if (f->symbol)
		name_short(out, f->symbol, 2);
	else
		buf_printf(out, "+0x%llx", (unsigned long long)f->offset);
}

/* ", 100,000 in 5h30m": the next round number that is far from now. */
static void put_forecast(struct buf *out, uint64_t now, double per_min)
{
	uint64_t mark = 10000;

	while (mark < 10 * now && mark < 1000000000000ULL)
		mark *= 10;
	if (!(per_min > 0))
		return;
	buf_printf(out, ", ");
	fmt_count(out, mark);
	buf_printf(out, " in ");
	fmt_age(out, (double)(mark - now) / per_min * 60);
}

static void put_leak(struct buf *out, const struct summary *s)
{
	const struct report_verdict *v = &s->worst->verdict;

	if (s->reports > 1)
		buf_printf(out, "PID %d: ", s->of->target.pid);
	put_owner(out, &s->worst->frames);
	if (isfinite(v->per_min)) {
		buf_printf(out, " +");
		fmt_figure(out, v->per_min);
		buf_printf(out, "/min");
	}
	if (isfinite(v->error_per_min)) {
		buf_printf(out, " (+-");
		fmt_figure(out, v->error_per_min);
		buf_printf(out, ")");
	}
	put_forecast(out, s->grown, s->per_min);
	buf_printf(out, "; %zu/%zu site%s", s->growing, s->sites, s->sites == 1 ? "" : "s");
	if (s->worst->classes.n) {
		buf_printf(out, "; ");
		name_short(out, s->worst->classes.v[0].name, 1);
	}
}

static void put_misuse(struct buf *out, const struct summary *s, int severity)
{
	const struct report_finding *f = s->first[severity];
	size_t more = s->wrong[SEVERITY_ERROR] + s->wrong[SEVERITY_WARNING] - 1;

	buf_printf(out, "%s ", finding_rows[f->kind].name);
	fmt_count(out, f->count);
	buf_printf(out, " time%s", f->count == 1 ? "" : "s");
	if (f->stack.known && f->stack.frames.n) {
		buf_printf(out, " by ");
		put_owner(out, &f->stack.frames);
	}
	if (more)
		buf_printf(out, ", and %zu more", more);
	buf_printf(out, "; no leak known");
}

static void put_wait(struct buf *out, const struct summary *s)
{
	buf_printf(out, "judging, %.0f s more", ceil(s->ready_in_s));
	if (!s->fastest)
		return;
	buf_printf(out, "; fastest: ");
	put_owner(out, &s->fastest->frames);
	buf_printf(out, " ");
	fmt_rate(out, s->fastest->rate_per_s);
}

static void put_clean(struct buf *out, const struct summary *s)
{
	buf_printf(out, "nothing grows: %zu site%s", s->sites, s->sites == 1 ? "" : "s");
	if (s->held)
		buf_printf(out, ", %zu still hold%s some", s->held, s->held == 1 ? "s" : "");
	if (s->seen_s > 0) {
		buf_printf(out, ", seen for ");
		fmt_age(out, s->seen_s);
	}
}

enum answer_kind view_answer(struct buf *out, const struct report *const *reports, size_t n)
{
	struct summary s = sum_up(reports, n);

	if (s.growing) {
		put_leak(out, &s);
		return ANSWER_LEAK;
	}
	if (s.wrong[SEVERITY_ERROR]) {
		put_misuse(out, &s, SEVERITY_ERROR);
		return ANSWER_MISUSE;
	}
	if (s.wrong[SEVERITY_WARNING]) {
		put_misuse(out, &s, SEVERITY_WARNING);
		return ANSWER_WARNING;
	}
	if (s.count_only) {
		buf_printf(out, "releases are not traced (--count-only): who acquires, not who leaks");
		return ANSWER_COUNTS;
	}
	if (s.waiting) {
		put_wait(out, &s);
		return ANSWER_WAIT;
	}
	if (s.unclear) {
		buf_printf(out, "%zu of %zu site%s grow%s, but not steadily: needs more time", s.unclear,
			   s.sites, s.sites == 1 ? "" : "s", s.unclear == 1 ? "s" : "");
		return ANSWER_UNCLEAR;
	}
	if (!s.sites) {
		buf_printf(out, "nothing acquired since attach");
		return ANSWER_IDLE;
	}
	put_clean(out, &s);
	return ANSWER_CLEAN;
}
