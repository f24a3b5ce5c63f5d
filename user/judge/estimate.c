/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "judge/estimate.h"

/* Of counts that are up to 2^63 - 1 in a recording. */
static void times(uint64_t *n, uint64_t by)
{
	if (__builtin_mul_overflow(*n, by, n) || *n > INT64_MAX)
		*n = INT64_MAX;
}

static void estimate_verdict(struct report_verdict *v, uint64_t one_in)
{
	v->per_min *= (double)one_in;
	v->error_per_min *= (double)one_in;
	times(&v->survivors, one_in);
	/* Of those that are not followed some may stay. */
	if (v->kind == VERDICT_CLEAN || v->kind == VERDICT_BOUNDED)
		v->confidence = CONFIDENCE_LOW;
}

void estimate_site(struct report_site *s, struct report_thread *threads, uint64_t one_in, unsigned most_level)
{
	uint64_t bytes = s->outstanding_bytes > 0 ? (uint64_t)s->outstanding_bytes : 0;

	if (one_in > 1 || most_level)
		estimate_verdict(&s->verdict, one_in << most_level);
	if (one_in <= 1)
		return;
	times(&s->acquired, one_in);
	times(&s->released, one_in);
	times(&s->outstanding, one_in);
	times(&bytes, one_in);
	if (s->outstanding_bytes > 0)
		s->outstanding_bytes = (int64_t)bytes;
	s->rate_per_s *= (double)one_in;
	s->recent_per_s *= (double)one_in;
	s->acquired_per_s *= (double)one_in;
	for (size_t i = 0; i < s->threads.n; i++) {
		times(&threads[i].acquired, one_in);
		times(&threads[i].released, one_in);
		times(&threads[i].outstanding, one_in);
	}
}

void estimate_totals(const struct snapshot *snapshot, const struct catalog *catalog, uint32_t sampled,
		     struct report_family families[NR_FAMILIES])
{
	for (int f = 0; f < NR_FAMILIES; f++)
		if (sampled >> f & 1)
			families[f].acquired = families[f].released = families[f].outstanding = 0;
	for (size_t i = 0; i < snapshot->sites.n && sampled; i++) {
		const struct snapshot_site *s = &snapshot->sites.v[i];
		enum family_id family = func_family(catalog, s->func);

		if (!(sampled >> family & 1))
			continue;
		families[family].acquired += s->acquired << s->level;
		families[family].released += s->released << s->level;
		families[family].outstanding += (s->acquired - s->unpaired) << s->level;
	}
}

void estimate_family(struct report_family *f, uint64_t one_in, unsigned level, unsigned most_level)
{
	if (one_in << most_level <= 1)
		return;
	f->one_in = one_in << most_level;
	f->one_in_now = one_in << level;
	times(&f->acquired, one_in);
	times(&f->released, one_in);
	times(&f->outstanding, one_in);
	f->released_untracked = 0;
}
