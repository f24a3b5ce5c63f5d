/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Verdicts on pins: critical sections that are held for long, arrays that were only ever committed. */
#include "judge/findings_pins.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"

static struct report_held *held_new(struct report *r)
{
	struct report_held **place = VEC_ADD(&r->held);

	if (!place)
		return NULL;
	*place = calloc(1, sizeof(**place));
	if (!*place)
		r->held.n--;
	return *place;
}

static bool is_of_site(const struct findings_input *in, uint32_t number, uint64_t id)
{
	const struct named_site *site = named_site_of(in->names, number);

	return site && site->id == id;
}

/* Sections that are held now. */
static int add_now(const struct findings_input *in, uint64_t id, struct report_held *h)
{
	const struct snapshot *s = in->snapshot;

	for (size_t i = 0; i < s->criticals.n; i++) {
		const struct critical *c = &s->criticals.v[i].critical;
		struct report_holding *now;
		double own_ms;

		if (!is_of_site(in, c->site, id))
			continue;
		now = VEC_ADD(&h->now);
		if (!now)
			return -ENOMEM;
		now->tid = c->tid;
		now->ms = s->monotonic_ns > c->start_ns ? (double)(s->monotonic_ns - c->start_ns) / 1e6 : 0;
		own_ms = s->cpu_waits ? (double)s->criticals.v[i].own_ns / 1e6 : now->ms;
		h->max_ms = fmax(h->max_ms, now->ms);
		h->own_ms = fmax(h->own_ms, own_ms); /* of a thread that has just ended: -1 */
	}
	return 0;
}

static struct report_stalled *stalled_of(struct report_held *h, uint32_t tid, const char *comm)
{
	struct report_stalled *st = NULL;

	for (size_t i = 0; i < h->stalled.n && !st; i++)
		if (h->stalled.v[i].tid == tid)
			st = &h->stalled.v[i];
	if (st)
		return st;
	st = VEC_ADD(&h->stalled);
	if (st) {
		st->tid = tid;
		text_clean(st->name, sizeof(st->name), comm, strnlen(comm, JT_COMM_BYTES));
	}
	return st;
}

/* more: its tid and name are not used. */
static int add_stall(struct report_held *h, uint32_t tid, const char *comm, const struct report_stalled *more)
{
	struct report_stalled *st = stalled_of(h, tid, comm);

	if (!st)
		return -ENOMEM;
	st->times += more->times;
	st->ms += more->ms;
	st->own_ms += more->own_ms;
	st->max_ms = fmax(st->max_ms, more->max_ms);
	return 0;
}

static int compare_stalled(const void *a, const void *b)
{
	const struct report_stalled *x = a, *y = b;

	if (x->ms != y->ms)
		return x->ms < y->ms ? 1 : -1;
	return x->tid < y->tid ? -1 : x->tid > y->tid;
}

/* Who waited while sections were held, and who waits for those held now. */
static int add_stalled(const struct findings_input *in, uint64_t id, struct report_held *h)
{
	const struct snapshot *s = in->snapshot;
	double held_ms = 0;
	int rc = 0;

	for (size_t i = 0; i < s->stalled.n && !rc; i++) {
		const struct snapshot_stalled *st = &s->stalled.v[i];
		const struct report_stalled more = {
		    .times = st->stalled.times,
		    .ms = (double)st->stalled.ns / 1e6,
		    .own_ms = (double)st->stalled.own_ns / 1e6,
		    .max_ms = (double)st->stalled.max_ns / 1e6,
		};

		if (is_of_site(in, st->key.site, id))
			rc = add_stall(h, st->key.tid, st->stalled.comm, &more);
	}
	for (size_t i = 0; i < h->now.n; i++)
		held_ms = h->now.v[i].ms > held_ms ? h->now.v[i].ms : held_ms;
	for (size_t i = 0; i < s->stalls.n && held_ms > 0 && !rc; i++) {
		double ms = (double)(int64_t)(s->monotonic_ns - s->stalls.v[i].since_ns) / 1e6;

		if (ms <= 0)
			continue;
		ms = fmin(ms, held_ms);
		rc = add_stall(h, s->stalls.v[i].tid, s->stalls.v[i].comm,
			       &(struct report_stalled){.times = 1, .ms = ms, .max_ms = ms});
	}
	if (h->stalled.n > 1)
		qsort(h->stalled.v, h->stalled.n, sizeof(*h->stalled.v), compare_stalled);
	return rc;
}

static void add_calls_inside(const struct findings_input *in, uint64_t id, struct report_held *h)
{
	const struct snapshot *s = in->snapshot;

	for (size_t i = 0; i < s->findings.n; i++)
		if (s->findings.v[i].key.kind == FINDING_CALL_IN_CRITICAL &&
		    is_of_site(in, s->findings.v[i].key.acquire_site, id))
			h->calls_inside += s->findings.v[i].f.count;
}

/* "3021.4 ms", "17.3 us" */
struct duration {
	char text[32];
};
static struct duration duration(double ms)
{
	struct duration d;

	snprintf(d.text, sizeof(d.text), ms < 1 ? "%.1f us" : "%.1f ms", ms < 1 ? ms * 1e3 : ms);
	return d;
}

#define NOTEWORTHY       0.1 /* a share of the time that is told */
#define WORTH_TELLING_MS 1

/* "The longest of 17 took 3021.4 ms. worker-1 (TID 7) waited 2998.0 ms for a collection meanwhile." */
static void tell(const struct report_held *h, struct report_finding *f)
{
	const struct report_stalled *most = h->stalled.v;
	char s[256];

	if (f->count == 1)
		snprintf(s, sizeof(s), h->now.n ? "It is held for %s now." : "It took %s.",
			 duration(h->max_ms).text);
	else
		snprintf(s, sizeof(s), "The longest of %llu took %s%s.", (unsigned long long)f->count,
			 duration(h->max_ms).text, h->now.n ? ", and not all have ended" : "");
	finding_add_text(f, s);
	if (h->max_ms - h->own_ms > NOTEWORTHY * h->max_ms) {
		snprintf(s, sizeof(s),
			 "Without the time that its thread got no CPU, or was stopped by the VM, the longest "
			 "took %s at least.",
			 duration(h->own_ms).text);
		finding_add_text(f, s);
	}
	if (h->pins.inner) {
		snprintf(s, sizeof(s), "What was got inside, %llu time%s, is part of it.",
			 (unsigned long long)h->pins.inner, h->pins.inner == 1 ? "" : "s");
		finding_add_text(f, s);
	}
	if (h->stalled.n && most->ms >= WORTH_TELLING_MS) {
		snprintf(s, sizeof(s), "%s (TID %u)%s waited %s for a collection meanwhile.",
			 most->name[0] ? most->name : "A thread", most->tid,
			 h->stalled.n > 1 ? ", longest of several," : "", duration(most->ms).text);
		finding_add_text(f, s);
	}
	if (h->collector_waits == 0)
		finding_add_text(f, "Nobody waited: this collector does not wait for critical sections.");
	if (h->no_stalled) {
		snprintf(s, sizeof(s), "Who waited is not known: %s.", h->no_stalled);
		finding_add_text(f, s);
	}
}

/*
 * Held for long, or entered so often that a thread spends its time with waiting: that one waits now and then
 * for a moment is what critical sections cost. A section that lasts because its thread gets no CPU, or
 * because the VM stops it on its way into a nested one, is no fault of the program's.
 */
#define MUCH_WAITING 0.01 /* of the time */
static bool is_held_badly(const struct findings_input *in, const struct report *r,
			  const struct report_held *h)
{
	double much_ms = MUCH_WAITING * r->elapsed_s * 1e3, hold_ms = in->hold_s * 1e3;

	if (h->own_ms >= hold_ms)
		return true;
	for (size_t i = 0; i < h->stalled.n; i++)
		if (h->stalled.v[i].own_ms >= hold_ms && h->stalled.v[i].own_ms >= much_ms)
			return true;
	return false;
}

static int judge_site(const struct findings_input *in, const struct report_site *site, struct report *r)
{
	const uint64_t ids[3] = {site->id};
	struct report_held *h = held_new(r);
	struct report_finding f = {
	    .kind = FINDING_HELD_CRITICAL,
	    .id = finding_id(FINDING_HELD_CRITICAL, ids),
	    .func = site->func,
	    .first_s = -1,
	    .last_s = -1,
	    .held = h,
	    .stack = {true, site->frames, site->truncated},
	};
	int rc;

	if (!h)
		return -ENOMEM;
	h->pins = *site->pins;
	h->max_ms = (double)h->pins.max_hold_ns / 1e6;
	h->own_ms = h->pins.cpu_waits_known ? (double)h->pins.max_own_ns / 1e6 : h->max_ms;
	h->no_stalled = in->no_waits;
	h->collector_waits = in->collector_waits;
	rc = add_now(in, site->id, h);
	rc = rc ?: add_stalled(in, site->id, h);
	if (rc || !is_held_badly(in, r, h))
		return rc;
	add_calls_inside(in, site->id, h);
	f.count = h->pins.holds + h->now.n;
	finding_set_text(in, &f);
	tell(h, &f);
	return finding_add(r, &f);
}

/* Sections that began before attach: where is not known, nor how long before. */
static int judge_before(const struct findings_input *in, struct report *r)
{
	const uint64_t ids[3] = {0};
	struct report_finding f = {.kind = FINDING_HELD_CRITICAL,
				   .id = finding_id(FINDING_HELD_CRITICAL, ids),
				   .func = FUNC_NONE,
				   .last_s = -1};
	struct report_held *h = NULL;
	char s[256];

	for (size_t i = 0; in->inside && i < in->inside->n; i++) {
		const struct vm_inside *t = &in->inside->v[i];
		struct report_holding *now;

		if (t->until_s < in->hold_s)
			continue;
		if (!h) {
			h = held_new(r);
			if (!h)
				return -ENOMEM;
			finding_set_text(in, &f);
			finding_add_text(&f,
					 "Where it began was not seen: that was before jnitrace attached.");
		}
		now = t->left ? NULL : VEC_ADD(&h->now);
		if (!t->left && !now)
			return -ENOMEM;
		if (now)
			*now = (struct report_holding){(uint32_t)t->tid, t->until_s * 1e3};
		h->max_ms = fmax(h->max_ms, t->until_s * 1e3);
		f.count++;
		snprintf(s, sizeof(s), "%s (TID %d) %s inside for %.1f s since then.",
			 t->name[0] ? t->name : "A thread", (int)t->tid, t->left ? "was" : "has been",
			 t->until_s);
		finding_add_text(&f, s);
	}
	if (!h)
		return 0;
	h->own_ms = h->max_ms;
	h->no_stalled = in->no_waits;
	h->collector_waits = in->collector_waits;
	f.held = h;
	return finding_add(r, &f);
}

static int judge_committed(const struct findings_input *in, const struct pin *p, struct report *r)
{
	struct report_finding f = {
	    .kind = FINDING_COMMITTED_ONLY, .count = 1, .func = FUNC_NONE, .first_s = -1, .last_s = -1};
	uint64_t ids[3] = {0};

	ids[1] = finding_site(in, p->site, &f.acquire, NULL);
	f.func = p->func + 1; /* its Release: the row behind its Get */
	f.id = finding_id(f.kind, ids);
	f.doubt = finding_doubt(r, f.kind);
	finding_set_text(in, &f);
	return finding_add(r, &f);
}

int findings_of_pins(const struct findings_input *in, struct report *r)
{
	const struct snapshot *s = in->snapshot;
	int rc = 0;

	for (size_t i = 0; i < r->sites.n && !rc; i++)
		if (r->sites.v[i].pins && func_kind(r->catalog, r->sites.v[i].func) == KIND_CRITICAL)
			rc = judge_site(in, &r->sites.v[i], r);
	rc = rc ?: judge_before(in, r);
	/* While it runs the last release may still come. */
	for (size_t i = 0; i < s->pins.n && in->exited && !rc; i++)
		if (s->pins.v[i].pin.committed)
			rc = judge_committed(in, &s->pins.v[i].pin, r);
	return rc;
}
