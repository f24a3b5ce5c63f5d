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
	size_t reports, sites, growing, waiting, waiting_held, unclear, unjudged, held;
	uint64_t held_refs;
	double per_min;              /* of all that grows */
	size_t wrong[NR_SEVERITIES]; /* findings, but of leaks: */
	bool some_judged, final;
	double ready_in_s; /* the nearest verdict */
	double seen_s;     /* the longest that a verdict rests on */
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
	s->held_refs = add_capped(s->held_refs, site->outstanding);
	s->seen_s = fmax(s->seen_s, isfinite(v->span_s) ? v->span_s : 0);
	if (v->kind == VERDICT_GROWING) {
		s->growing++;
		s->per_min += growth_of(site);
		if (!s->worst || growth_of(site) > growth_of(s->worst)) {
			s->worst = site;
			s->of = r;
		}
	} else if (v->kind == VERDICT_UNKNOWN && v->ready_in_s > 0) {
		s->waiting_held += site->outstanding > 0;
		s->waiting++;
		s->ready_in_s = s->waiting == 1 ? v->ready_in_s : fmin(s->ready_in_s, v->ready_in_s);
		if (site->rate_per_s > 0 && (!s->fastest || site->rate_per_s > s->fastest->rate_per_s))
			s->fastest = site;
	} else if (v->kind == VERDICT_UNKNOWN) {
		s->unclear += site->outstanding && v->span_s > 0;
		s->unjudged += site->outstanding && !(v->span_s > 0);
	} else {
		s->some_judged = true;
	}
}

static void add_finding(struct summary *s, const struct report_finding *f)
{
	int severity = finding_rows[f->kind].severity;

	if (finding_is_leak(f->kind)) /* told by the sites that grow */
		return;
	s->wrong[severity]++;
	s->first[severity] = s->first[severity] ?: f;
}

static struct summary sum_up(const struct report *const *reports, size_t n)
{
	struct summary s = {.reports = n, .final = n > 0};

	for (size_t i = 0; i < n; i++) {
		const struct report *r = reports[i];

		s.count_only |= r->count_only;
		s.final &= r->final;
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
	if (!f->module && f->file) { /* a script's */
		buf_printf(out, " ");
		frame_location(out, f);
	}
}

/* Those of a family that count for its limit. */
static uint64_t held_by(const struct report_family *f, const struct report_site *site)
{
	uint64_t n = f->vm_total >= 0 ? (uint64_t)f->vm_total : add_capped(f->outstanding, f->before_attach);

	return f->limit.per_thread ? site->outstanding : n;
}

/* How fast all that grows of a site's family does, where that is what its limit counts. */
static double growth_beside(const struct report *r, const struct report_site *site, bool per_thread)
{
	enum family_id family = func_family(r->catalog, site->func);
	double per_min = 0;

	for (size_t i = 0; i < r->sites.n && !per_thread; i++)
		if (r->sites.v[i].verdict.kind == VERDICT_GROWING &&
		    func_family(r->catalog, r->sites.v[i].func) == family)
			per_min += growth_of(&r->sites.v[i]);
	return per_thread ? growth_of(site) : per_min;
}

bool view_forecast(struct buf *out, const struct report *r, const struct report_site *site)
{
	const struct report_family *f = &r->families[func_family(r->catalog, site->func)];
	uint64_t now = held_by(f, site);
	double per_min = growth_beside(r, site, f->limit.per_thread);

	if (!f->limit.known || !(per_min > 0) || !(f->limit.most || f->limit.slot_bytes))
		return false;
	if (f->limit.most) {
		fmt_count(out, f->limit.most);
		buf_printf(out, " in ");
		fmt_age(out, now < f->limit.most ? (double)(f->limit.most - now) / per_min * 60 : 0);
	} else {
		fmt_bytes(out, (uint64_t)fmin(per_min * 60 * f->limit.slot_bytes + 0.5, 1e18));
		buf_printf(out, "/h + objects");
	}
	return true;
}

void view_limit(struct buf *out, const struct report *r, const struct report_site *site)
{
	enum family_id family = func_family(r->catalog, site->func);
	const struct vm_limit *l = &r->families[family].limit;
	const char *vm = r->target.vm ?: "the VM";
	uint64_t now = held_by(&r->families[family], site);

	if (!l->known)
		return;
	if (l->most) {
		buf_printf(out, "%s has room for ", vm);
		fmt_count(out, l->most);
		buf_printf(out, " %s references%s, ", family_name(r->catalog, family),
			   l->per_thread ? " in each thread" : "");
		fmt_count(out, now);
		buf_printf(out, " are taken%s%s", l->then ? "; beyond that " : "", l->then ?: "");
		return;
	}
	buf_printf(out, "%s has no limit of %s references", vm, family_name(r->catalog, family));
	if (!l->slot_bytes)
		return;
	buf_printf(out, ", each takes %u bytes, all ", l->slot_bytes);
	fmt_bytes(out, now * l->slot_bytes);
	buf_printf(out, "; how large their objects are is not known");
}

/* ", 51,200 in 2h44m" */
static void put_when(struct buf *out, const struct summary *s)
{
	struct buf when = {0};

	if (view_forecast(&when, s->of, s->worst) && when.p)
		buf_printf(out, ", %s", when.p);
	out->failed |= when.failed;
	buf_free(&when);
}

static void put_leak(struct buf *out, const struct summary *s)
{
	const struct report_verdict *v = &s->worst->verdict;

	if (s->reports > 1)
		buf_printf(out, "PID %d: ", s->of->target.pid);
	put_owner(out, &s->worst->frames);
	if (v->per_min > 0 && isfinite(v->per_min)) {
		buf_printf(out, " +");
		fmt_figure(out, v->per_min);
		buf_printf(out, "/min");
		if (isfinite(v->error_per_min)) {
			buf_printf(out, " (+-");
			fmt_figure(out, v->error_per_min);
			buf_printf(out, ")");
		}
		if (s->growing > 1) {
			buf_printf(out, " of +");
			fmt_figure(out, s->per_min);
			buf_printf(out, "/min in all");
		}
	}
	put_when(out, s);
	buf_printf(out, "; %zu/%zu site%s; ", s->growing, s->sites, s->sites == 1 ? "" : "s");
	if (s->worst->classes.n)
		name_short(out, s->worst->classes.v[0].name, 1);
	else
		buf_printf(out, "%s", func_name(s->of->catalog, s->worst->func) ?: "?");
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
	} else if (f->acquire.known && f->acquire.frames.n) {
		buf_printf(out, " of ");
		put_owner(out, &f->acquire.frames);
	}
	if (more)
		buf_printf(out, ", and %zu more", more);
	buf_printf(out, "; no leak known");
}

static void put_wait(struct buf *out, const struct summary *s)
{
	buf_printf(out, s->final ? "not judged: %.0f s more would tell" : "judging, %.0f s more",
		   ceil(s->ready_in_s));
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
	if (s->held) {
		buf_printf(out, ", %zu still hold%s ", s->held, s->held == 1 ? "s" : "");
		fmt_count(out, s->held_refs);
	}
	if (s->seen_s > 0) {
		buf_printf(out, ", seen for ");
		fmt_age(out, s->seen_s);
	}
}

static void put_unclear(struct buf *out, const struct summary *s)
{
	size_t n = s->unclear ? s->unclear : s->unjudged;

	buf_printf(out, "%zu of %zu site%s %s", n, s->sites, s->sites == 1 ? "" : "s",
		   s->unclear ? "grow" : "hold");
	buf_printf(out, s->unclear ? "%s, but not steadily: needs more time" : "%s some, not judged yet",
		   n == 1 ? "s" : "");
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
	/* New ones that hold nothing come all the time, and tell nothing. */
	if (s.waiting_held || (s.waiting && !s.some_judged)) {
		put_wait(out, &s);
		return ANSWER_WAIT;
	}
	if (s.unclear || s.unjudged) {
		put_unclear(out, &s);
		return ANSWER_UNCLEAR;
	}
	if (!s.sites) {
		buf_printf(out, "nothing acquired since attach");
		return ANSWER_IDLE;
	}
	put_clean(out, &s);
	return ANSWER_CLEAN;
}
