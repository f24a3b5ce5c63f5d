/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Verdicts of call sites. See verdicts.h. */
#include "judge/verdicts.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "base/util.h"
#include "judge/series.h"

#define SPACING_S    0.9  /* between readings that are kept, at first */
#define EARLY_S      10.0 /* nothing is said of a site that was seen for less */
#define ENOUGH_S     40.0 /* that it does not grow is said after this */
#define ENOUGH       24   /* readings */
#define SURE_S       120.0
#define SLOWING      0.4  /* growth of the later half against that of the earlier: a cache that fills up */
#define MORTALITY    0.25 /* of survivors, at the most: how many die for each new one */
#define BURST_FACTOR 4    /* peak against the mean */

const double survivor_ages_s[NR_AGES] = {5, 30, 180};

static void thin_out(struct history *h)
{
	for (size_t i = 0; i < h->n; i += 2) {
		h->t_s[i / 2] = h->t_s[i];
		for (int a = 0; a < NR_AGES; a++) {
			h->survivors[a][i / 2] = h->survivors[a][i];
			h->deaths[a][i / 2] = h->deaths[a][i];
		}
	}
	h->n = (h->n + 1) / 2;
	h->spacing_s *= 2;
}

void history_add(struct history *h, const struct reading *r)
{
	if (!h->readings) {
		h->first_s = r->t_s;
		h->spacing_s = SPACING_S;
	}
	if (!h->readings || r->acquired > h->acquired)
		h->last_acquired_s = r->t_s;
	h->last_s = r->t_s;
	h->readings++;
	h->sum_outstanding += (double)r->outstanding;
	h->acquired = r->acquired;
	h->released = r->released;
	h->outstanding = r->outstanding;
	if (r->outstanding > h->peak)
		h->peak = r->outstanding;
	for (int a = 0; a < NR_AGES; a++) {
		if (h->last_survivors[a] > r->kept[a])
			h->last_deaths[a] += h->last_survivors[a] - r->kept[a];
		h->last_survivors[a] = r->survivors[a];
	}
	if (h->n > 0 && r->t_s - h->t_s[h->n - 1] < h->spacing_s)
		return;
	if (h->n == HISTORY_MAX)
		thin_out(h);
	h->t_s[h->n] = (float)r->t_s;
	for (int a = 0; a < NR_AGES; a++) {
		h->survivors[a][h->n] = (float)r->survivors[a];
		h->deaths[a][h->n] = (float)h->last_deaths[a];
	}
	h->n++;
}

/*
 * Does the later half of the time tell of a cache that fills up, or of references that only live long? Then
 * the growth flattens, or survivors die nearly as fast as there are new ones.
 */
static bool settles(const struct history *h, int age, size_t first)
{
	const float *s = h->survivors[age], *d = h->deaths[age];
	size_t last = h->n - 1, middle = first;
	float died, came;

	while (h->t_s[middle] - h->t_s[first] < h->t_s[last] - h->t_s[middle])
		middle++;
	died = d[last] - d[middle];
	came = s[last] - s[middle] + died;
	return s[last] - s[middle] < SLOWING * (s[middle] - s[first]) || died > MORTALITY * came;
}

/* Do the survivors of this age grow? */
static bool grows(const struct history *h, int age, struct growth *out)
{
	struct series s = {.n = 0};
	size_t first = 0;

	*out = (struct growth){.span_s = 0};
	/* Before that none can have survived. */
	while (first < h->n && h->t_s[first] - h->first_s < survivor_ages_s[age])
		first++;
	/* Most sites have none: a line through nothing is not worth the time. */
	if (first == h->n || h->survivors[age][h->n - 1] <= h->survivors[age][first])
		return false;
	for (size_t i = first; i < h->n; i++)
		series_add(&s, h->t_s[i], h->survivors[age][i]);
	series_growth(&s, 0, out);
	return out->alarm && !settles(h, age, first);
}

/* Of a site that does not grow and has references outstanding. */
static enum site_verdict shape_of(const struct history *h, const struct growth *g)
{
	double seen_s = h->last_s - h->first_s, quiet_s = h->last_s - h->last_acquired_s;
	double mean = h->sum_outstanding / (double)h->readings;

	if (quiet_s >= EARLY_S && quiet_s >= seen_s / 2)
		return h->outstanding < h->peak / 2 ? VERDICT_BURST : VERDICT_CACHED;
	if (seen_s < ENOUGH_S || h->n < ENOUGH)
		return VERDICT_UNKNOWN;
	if ((double)h->peak > BURST_FACTOR * mean && h->outstanding < h->peak / 2)
		return VERDICT_BURST;
	/* Upwards, but not steadily: more time will tell. */
	return g->known && g->per_min > 2 * g->error_per_min ? VERDICT_UNKNOWN : VERDICT_BOUNDED;
}

/* Growth is seen when there are enough readings of survivors, over long enough. Not a number: how often there
 * is one is not known yet. */
static double ready_in(const struct history *h)
{
	double seen_s = h->last_s - h->first_s, gap_s = h->n > 1 ? seen_s / (double)(h->n - 1) : NAN;
	double by_time_s = survivor_ages_s[0] + ENOUGH_S - seen_s;
	double by_number_s = h->n < ENOUGH ? survivor_ages_s[0] + (ENOUGH - (double)h->n) * gap_s : 0;

	return isnan(gap_s) ? NAN : fmax(0, fmax(by_time_s, by_number_s));
}

void history_verdict(const struct history *h, struct report_verdict *out)
{
	double seen_s = h->last_s - h->first_s;
	bool growing = false;
	struct growth g;

	for (int age = 0; age < NR_AGES && !growing; age++)
		growing = grows(h, age, &g);
	if (!growing)
		grows(h, 0, &g);
	*out = (struct report_verdict){
	    .per_min = g.known ? g.per_min : NAN,
	    .error_per_min = g.known ? g.error_per_min : NAN,
	    .span_s = seen_s,
	    .ready_in_s = ready_in(h),
	    .survivors = h->last_survivors[0],
	};
	if (!h->readings || seen_s < EARLY_S)
		return;
	out->kind = growing ? VERDICT_GROWING : h->outstanding ? shape_of(h, &g) : VERDICT_CLEAN;
	out->confidence = seen_s >= SURE_S     ? CONFIDENCE_HIGH
			  : seen_s >= ENOUGH_S ? CONFIDENCE_MEDIUM
					       : CONFIDENCE_LOW;
}

/*
 * Who made the call: the innermost module outside the VM. Unknown when a native method left no frame and its
 * function could not be proven: what is behind its Java frames has not made it.
 */
static const char *library_of(const struct report_site *s)
{
	for (size_t i = 0; i < s->frames.n && s->frames.v[i].type != FRAME_JAVA; i++)
		if (s->frames.v[i].type == FRAME_NATIVE && s->frames.v[i].module)
			return s->frames.v[i].module;
	return NULL;
}

static struct report_library *library(struct report *r, const char *module)
{
	struct report_library *l;

	for (size_t i = 0; i < r->libraries.n; i++)
		if (r->libraries.v[i].module && module ? !strcmp(r->libraries.v[i].module, module)
						       : r->libraries.v[i].module == module)
			return &r->libraries.v[i];
	l = VEC_ADD(&r->libraries);
	if (l)
		l->module = module;
	return l;
}

bool verdicts_judge(const struct catalog *catalog, enum jni_func_id func)
{
	return func_kind(catalog, func) == KIND_REFERENCE || func_is_pin(catalog, func);
}

int verdicts_sum_up(struct report *r)
{
	memset(r->verdicts, 0, sizeof(r->verdicts));
	r->libraries.n = 0;
	for (size_t i = 0; i < r->sites.n; i++) {
		const struct report_site *s = &r->sites.v[i];
		struct report_library *l = library(r, library_of(s));

		if (!l)
			return -ENOMEM;
		l->sites++;
		l->outstanding += s->outstanding;
		if (!verdicts_judge(r->catalog, s->func))
			continue;
		r->verdicts[s->verdict.kind]++;
		l->verdicts[s->verdict.kind]++;
	}
	return 0;
}
