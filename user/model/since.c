/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What happened between two reports. See since.h. */
#include "model/since.h"

/* Counters do not go down; in a recording that lies they may. */
static void take(uint64_t *from, uint64_t n)
{
	*from -= n < *from ? n : *from;
}

static void take_all(uint64_t *from, const uint64_t *then, size_t n)
{
	for (size_t i = 0; i < n; i++)
		take(&from[i], then[i]);
}

static void since_family(struct report_family *f, const struct report_family *then)
{
	take(&f->acquired, then->acquired);
	take(&f->released, then->released);
	take(&f->released_untracked, then->released_untracked);
	take(&f->died, then->died);
}

static void since_pins(struct report_pins *p, const struct report_pins *then)
{
	take(&p->copied, then->copied);
	take(&p->direct, then->direct);
	take(&p->copy_unknown, then->copy_unknown);
	take(&p->committed, then->committed);
	take(&p->aborted, then->aborted);
	take(&p->nested, then->nested);
	take(&p->inner, then->inner);
	take(&p->holds, then->holds);
	take(&p->hold_ns, then->hold_ns);
	take(&p->cpu_wait_ns, then->cpu_wait_ns);
	take_all(p->hold, then->hold, JT_HOLD_BUCKETS);
}

static void since_threads(const struct report_site *s, const struct report_site *then)
{
	struct report_thread *v = (struct report_thread *)s->threads.v;

	for (size_t i = 0; i < s->threads.n; i++)
		for (size_t k = 0; k < then->threads.n; k++) {
			const struct report_thread *t = &then->threads.v[k];

			if (t->tid != v[i].tid || t->start_ns != v[i].start_ns)
				continue;
			take(&v[i].acquired, t->acquired);
			take(&v[i].released, t->released);
		}
}

static const struct report_site *site_of(const struct report *r, const struct report_site *s, size_t hint)
{
	if (hint < r->sites.n && r->sites.v[hint].id == s->id && r->sites.v[hint].func == s->func)
		return &r->sites.v[hint];
	for (size_t i = 0; i < r->sites.n; i++)
		if (r->sites.v[i].id == s->id && r->sites.v[i].func == s->func)
			return &r->sites.v[i];
	return NULL;
}

/* false: nothing happened there, and nothing is there. */
static bool since_site(struct report_site *s, const struct report_site *then, double seconds)
{
	double was = then ? (double)then->outstanding : 0;
	struct report_thread *threads = (struct report_thread *)s->threads.v;

	for (size_t i = 0; i < s->threads.n; i++)
		threads[i].paced = false; /* of another time */
	if (then) {
		take(&s->acquired, then->acquired);
		take(&s->released, then->released);
		take(&s->died, then->died);
		since_threads(s, then);
		if (s->pins && then->pins)
			since_pins((struct report_pins *)s->pins, then->pins);
	}
	if (seconds > 0) {
		s->rate_per_s = ((double)s->outstanding - was) / seconds;
		s->acquired_per_s = (double)s->acquired / seconds;
	}
	return s->acquired || s->released || s->outstanding;
}

static void since_sites(struct report *r, const struct report *then, double seconds)
{
	size_t kept = 0;

	for (size_t i = 0; i < r->sites.n; i++) {
		struct report_site *s = &r->sites.v[i];

		if (since_site(s, site_of(then, s, i), seconds))
			r->sites.v[kept++] = *s;
	}
	r->sites.n = kept;
}

/* Leaks are judged by all that was seen of them, so that their counts are a state. */
static void since_findings(struct report *r, const struct report *then)
{
	size_t kept = 0;

	for (size_t i = 0; i < r->findings.n; i++) {
		struct report_finding *f = &r->findings.v[i];

		for (size_t k = 0; k < then->findings.n && !finding_is_leak(f->kind); k++)
			if (then->findings.v[k].id == f->id && then->findings.v[k].kind == f->kind)
				take(&f->count, then->findings.v[k].count);
		if (f->count)
			r->findings.v[kept++] = *f;
	}
	r->findings.n = kept;
}

void report_since(struct report *r, const struct report *then)
{
	double seconds = r->elapsed_s - then->elapsed_s;

	take_all(r->calls, then->calls, NR_ALL_FUNCS);
	for (size_t i = 0; i < NR_FAMILIES; i++)
		since_family(&r->families[i], &then->families[i]);
	take(&r->check.calls, then->check.calls);
	take(&r->stacks.complete, then->stacks.complete);
	take(&r->stacks.incomplete, then->stacks.incomplete);
	take_all(r->stacks.reasons, then->stacks.reasons, NR_ENDS);
	take_all(r->drops, then->drops, NR_DROPS);
	take(&r->events, then->events);
	since_sites(r, then, seconds);
	since_findings(r, then);
	r->elapsed_s = seconds;
	r->events_per_s = seconds > 0 ? (double)r->events / seconds : 0;
}
