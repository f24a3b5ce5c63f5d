/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* All findings of a report. See findings.h. */
#include "judge/findings.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "judge/findings_pins.h"

/* Seconds since attach. A tick is coarse. */
static double when(const struct findings_input *in, const struct report *r, uint32_t tick)
{
	double s = r->elapsed_s - (uint32_t)(in->snapshot->now_tick - tick) * in->snapshot->tick_s;

	return s < 0 ? 0 : s > r->elapsed_s ? r->elapsed_s : s;
}

static void make(const struct findings_input *in, const struct report *r, const struct snapshot_finding *s,
		 struct report_finding *out)
{
	uint64_t ids[3];

	*out = (struct report_finding){
	    .kind = s->key.kind,
	    .count = s->f.count,
	    .func = FUNC_NONE,
	    .first_s = when(in, r, s->f.first_tick),
	    .last_s = when(in, r, s->f.last_tick),
	    .handle = s->f.handle,
	};
	ids[0] = finding_site(in, s->key.site, &out->stack, &out->func);
	ids[1] = finding_site(in, s->key.acquire_site, &out->acquire, NULL);
	ids[2] = finding_site(in, s->key.release_site, &out->release, NULL);
	out->id = finding_id(out->kind, ids);
	out->doubt = finding_doubt(r, out->kind);
	finding_set_text(in, out);
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

/* A site whose references pile up is found by its history, not by a probe. */
static int add_leak(const struct report_site *s, struct report *r)
{
	const struct finding_row *row = &finding_rows[FINDING_LEAK];
	struct report_finding f;
	struct buf unknown = {0}, pace = {0};

	if (s->verdict.kind != VERDICT_GROWING)
		return 0;
	f = (struct report_finding){
	    .kind = FINDING_LEAK,
	    .id = finding_id(FINDING_LEAK, (const uint64_t[3]){s->id}),
	    .count = s->outstanding,
	    .func = s->func,
	    .first_s = s->oldest_s < 0 || s->oldest_s > r->elapsed_s ? -1 : r->elapsed_s - s->oldest_s,
	    .last_s = -1,
	    .stack = {!s->no_stack, s->frames, s->truncated},
	    .acquire = {!s->no_stack, s->frames, s->truncated},
	    .doubt = finding_doubt(r, FINDING_LEAK),
	};
	verdict_not_known(&unknown, &s->verdict);
	fmt_figure(&pace, s->verdict.per_min);
	buf_printf(&pace, " per minute (+-");
	fmt_figure(&pace, fmax(s->verdict.error_per_min, 0.1));
	buf_printf(&pace, ") for %.0f s, ", s->verdict.same_life_s);
	fmt_count(&pace, s->outstanding);
	snprintf(f.text, sizeof(f.text), "%s %s are outstanding. %s Confidence is %s: %s.", row->wrong,
		 pace.p ?: "", row->todo, confidence_names[s->verdict.confidence], unknown.p ?: "");
	buf_free(&unknown);
	buf_free(&pace);
	return finding_add(r, &f);
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
		rc = finding_add(r, &f);
	}
	for (size_t i = 0; i < r->sites.n && !rc; i++)
		rc = add_leak(&r->sites.v[i], r);
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
