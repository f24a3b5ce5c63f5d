/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* All findings of a report. See findings.h. */
#include "judge/findings.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "judge/findings_pins.h"
#include "judge/findings_threads.h"
#include "model/sample.h"

/* Seconds since attach. A tick is coarse. */
static double when(const struct findings_input *in, const struct report *r, uint32_t tick)
{
	double s = r->elapsed_s - (uint32_t)(in->snapshot->now_tick - tick) * in->snapshot->tick_s;

	return s < 0 ? 0 : s > r->elapsed_s ? r->elapsed_s : s;
}

static void put_thread(struct report_finding_thread *out, uint32_t tid, const char *name)
{
	out->tid = tid;
	text_clean(out->name, sizeof(out->name), name,
		   strnlen(name, sizeof((struct finding_detail){0}.name)));
}

/* "The thread 4711 (worker) uses that of the thread 4700 (java)." */
static void add_threads(struct report_finding *f)
{
	char text[256];
	int n = snprintf(text, sizeof(text), "Thread %u (%s) uses that of ", f->caller.tid,
			 f->caller.name[0] ? f->caller.name : "unnamed");

	if (f->owner.tid && f->owner.name[0])
		snprintf(text + n, sizeof(text) - (size_t)n, "thread %u (%s).", f->owner.tid, f->owner.name);
	else if (f->owner.tid)
		snprintf(text + n, sizeof(text) - (size_t)n, "thread %u.", f->owner.tid);
	else
		snprintf(text + n, sizeof(text) - (size_t)n, "a thread that is not known.");
	finding_add_text(f, text);
}

static void add_detail(const struct report *r, const struct finding_detail *d, struct report_finding *f)
{
	char text[256];

	if (f->kind == FINDING_WRONG_ENV && d->tid) {
		put_thread(&f->caller, d->tid, d->name);
		put_thread(&f->owner, d->owner_tid ?: d->owner_tid_inside, d->owner_name);
		add_threads(f);
	}
	if (f->kind != FINDING_PENDING_EXCEPTION || d->func >= NR_ALL_FUNCS ||
	    !func_name(r->catalog, d->func))
		return;
	f->thrown_by = d->func;
	snprintf(text, sizeof(text), "%s left it pending.", func_name(r->catalog, d->func));
	finding_add_text(f, text);
	if (!f->acquire.known)
		finding_add_text(f, "Where that was called is shown when it happens again.");
}

static void make(const struct findings_input *in, const struct report *r, const struct snapshot_finding *s,
		 struct report_finding *out)
{
	enum func_id acquired_by = FUNC_NONE;
	uint64_t ids[3];

	*out = (struct report_finding){
	    .kind = s->key.kind,
	    .count = s->f.count,
	    .func = FUNC_NONE,
	    .first_s = when(in, r, s->f.first_tick),
	    .last_s = when(in, r, s->f.last_tick),
	    .handle = s->f.handle,
	    .local_refs = s->f.most,
	};
	ids[0] = finding_site(in, s->key.site, &out->stack, &out->func);
	/* who frees them calls no function that is traced */
	ids[1] = finding_site(in, s->key.acquire_site, &out->acquire,
			      out->kind == FINDING_WRONG_DEALLOCATOR ? &out->func : &acquired_by);
	ids[2] = finding_site(in, s->key.release_site, &out->release, NULL);
	if (out->kind == FINDING_PENDING_EXCEPTION)
		ids[1] = 0; /* one for each call, whoever threw */
	out->id = finding_id(out->kind, ids);
	out->site_id = ids[0];
	out->doubt = finding_doubt(r, out->kind);
	finding_set_text(in, out);
	if (out->kind == FINDING_STALE_USE && out->acquire.known &&
	    func_family(r->catalog, acquired_by) == FAMILY_LOCAL)
		finding_add_text(out, "Where it was acquired is where its slot was last given out: slots of "
				      "local references are used again, so this may be an earlier one.");
	add_detail(r, &s->detail, out);
}

static int compare(const void *a, const void *b)
{
	const struct report_finding *x = a, *y = b;
	int severity = (int)finding_rows[x->kind].severity - (int)finding_rows[y->kind].severity;

	if (severity)
		return severity;
	if (x->count != y->count)
		return x->count < y->count ? 1 : -1;
	return x->id < y->id ? -1 : x->id > y->id;
}

static void findings_clear(struct report *r)
{
	for (size_t i = 0; i < r->held.n; i++) {
		free(r->held.v[i]->now.v);
		free(r->held.v[i]->stalled.v);
		free(r->held.v[i]);
	}
	r->findings.n = r->held.n = 0;
}

static enum finding_kind leak_kind(const struct catalog *catalog, enum func_id func)
{
	switch (func_kind(catalog, func)) {
	case KIND_MONITOR:
		return FINDING_MONITOR_LEAK;
	case KIND_THREAD:
		return FINDING_THREAD_LEAK;
	default:
		return FINDING_LEAK;
	}
}

static void add_estimate(struct report_finding *f, uint64_t outstanding, uint64_t one_in)
{
	char text[192];

	snprintf(text, sizeof(text),
		 "Numbers are estimates: one handle in %llu is followed, and what is outstanding is true to "
		 "+-%llu.",
		 (unsigned long long)one_in, (unsigned long long)sample_error(outstanding, one_in));
	finding_add_text(f, text);
}

/* A site whose references pile up is found by its history, not by a probe. */
static int add_leak(const struct report_site *s, struct report *r)
{
	enum finding_kind kind = leak_kind(r->catalog, s->func);
	const struct finding_row *row = &finding_rows[kind];
	struct report_finding f;
	struct buf unknown = {0}, pace = {0};

	if (s->verdict.kind != VERDICT_GROWING)
		return 0;
	f = (struct report_finding){
	    .kind = kind,
	    .id = finding_id(kind, (const uint64_t[3]){s->id}),
	    .count = s->outstanding,
	    .func = s->func,
	    .first_s = s->oldest_s < 0 || s->oldest_s > r->elapsed_s ? -1 : r->elapsed_s - s->oldest_s,
	    .last_s = -1,
	    .stack = {!s->no_stack, s->frames, s->truncated},
	    .acquire = {!s->no_stack, s->frames, s->truncated},
	    .doubt = finding_doubt(r, kind),
	};
	verdict_not_known(&unknown, &s->verdict);
	fmt_figure(&pace, s->verdict.per_min);
	buf_printf(&pace, " per minute (+-");
	fmt_figure(&pace, fmax(s->verdict.error_per_min, 0.1));
	buf_printf(&pace, ") for %.0f s, ", s->verdict.same_life_s);
	fmt_count(&pace, s->outstanding);
	snprintf(f.text, sizeof(f.text), "%s %s are outstanding. %s Confidence is %s: %s.", row->wrong,
		 pace.p ?: "", row->todo, confidence_names[s->verdict.confidence], unknown.p ?: "");
	if (report_one_in(r, s->func))
		add_estimate(&f, s->outstanding, report_one_in(r, s->func));
	buf_free(&unknown);
	buf_free(&pace);
	return finding_add(r, &f);
}

/* --- local references --- */

/* Frames whose pushes are known to be without an end by what the VM holds, not by a probe. */
static int add_left(const struct findings_input *in, struct report *r)
{
	int rc = 0;

	for (size_t i = 0; in->left && i < in->left->n && !rc; i++) {
		const struct left_frame *left = &in->left->v[i];
		struct snapshot_finding s = {
		    .key = {.kind = FINDING_UNPOPPED_FRAME, .site = left->site},
		    .f = {left->count, 0, left->locals, left->first_tick, left->last_tick},
		};
		struct report_finding f;

		if (!left->count)
			continue;
		make(in, r, &s, &f);
		rc = finding_add(r, &f);
	}
	return rc;
}

/* "There are 1,400 now, 500 more each second: 1,801,400 in an hour." */
static void put_course(struct buf *out, const struct report *r, const struct report_finding *f)
{
	const struct report_site *s = NULL;
	double per_s, in_hour;
	bool growing;

	for (size_t i = 0; i < r->sites.n && !s; i++)
		if (f->site_id && r->sites.v[i].id == f->site_id)
			s = &r->sites.v[i];
	if (!s || s->life_unknown || !s->outstanding) {
		buf_printf(out, " It has returned.");
		return;
	}
	growing = s->verdict.kind == VERDICT_GROWING;
	per_s = growing ? s->verdict.per_min / 60 : s->recent_per_s;
	in_hour = (double)s->outstanding + per_s * 3600;
	buf_printf(out, " It goes on: %llu are alive now", (unsigned long long)s->outstanding);
	if (isnan(per_s) || per_s <= 0) {
		buf_printf(out, per_s <= 0 ? ", and they do not get more." : ".");
		return;
	}
	buf_printf(out, ", ");
	fmt_figure(out, per_s);
	buf_printf(out, " more each second");
	if (growing) {
		buf_printf(out, " (+-");
		fmt_figure(out, s->verdict.error_per_min / 60);
		buf_printf(out, ")");
	}
	buf_printf(out, ": at this pace ");
	fmt_figure(out, in_hour);
	buf_printf(out, " in an hour.");
}

static void tell_locals(const struct findings_input *in, const struct report *r, struct report_finding *f)
{
	struct buf more = {0};

	if (f->kind == FINDING_UNPOPPED_FRAME) {
		buf_printf(&more, "%llu frame%s: %llu local reference%s below are still alive.",
			   (unsigned long long)f->count, f->count == 1 ? "" : "s",
			   (unsigned long long)f->local_refs, f->local_refs == 1 ? "" : "s");
	} else {
		buf_printf(
		    &more,
		    "Up to %llu at once in one call, where %llu need not be asked for (--local-capacity).",
		    (unsigned long long)f->local_refs, (unsigned long long)in->local_capacity);
		put_course(&more, r, f);
	}
	if (!more.failed)
		finding_add_text(f, more.p);
	buf_free(&more);
}

int findings_update(const struct findings_input *in, struct report *r)
{
	const struct snapshot *s = in->snapshot;
	struct report_finding f;
	int rc = 0;

	findings_clear(r);
	for (size_t i = 0; i < s->findings.n && !rc; i++) {
		if (s->findings.v[i].key.kind >= NR_FINDINGS)
			continue;
		make(in, r, &s->findings.v[i], &f);
		if (!finding_is_passed_on(&f) && !finding_is_system_own(&f))
			rc = finding_add(r, &f);
	}
	rc = rc ?: add_left(in, r);
	for (size_t i = 0; i < r->findings.n && !rc; i++)
		if (finding_has_locals(r->findings.v[i].kind))
			tell_locals(in, r, &r->findings.v[i]);
	findings_group(r, FINDING_WEAK_AS_STRONG);
	for (size_t i = 0; i < r->sites.n && !rc; i++)
		rc = add_leak(&r->sites.v[i], r);
	for (size_t i = 0; i < s->churns.n && !rc; i++)
		rc = finding_of_churn(in, &s->churns.v[i], r);
	rc = rc ?: findings_of_pins(in, r);
	if (r->findings.n > 1)
		qsort(r->findings.v, r->findings.n, sizeof(*r->findings.v), compare);
	return rc;
}

void findings_free(struct report *r)
{
	findings_clear(r);
	free(r->findings.v);
	free(r->held.v);
}
