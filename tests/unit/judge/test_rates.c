/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * How often is a verdict wrong, and how often does an interval hold? Without arguments a part of the table,
 * held against what is promised; with a number of histories the table of docs/verdicts.md.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "shapes.h"

static const double looks_s[] = {15, 30, 45, 60, 120, 180, 300, 600};
#define LOOKS   ARRAY_LEN(looks_s)
#define SECONDS 600

/* Of one shape, over all its histories. */
struct rates {
	double growing[LOOKS]; /* share at these times */
	double most, most_s;   /* at any time, in the tenth of a minute around it */
	double after;          /* most, at any time after told_s and half as long again */
	double longest_s;      /* that it was said without a break */
	double lost;           /* share that was told and taken back, after told_s */
	double told;           /* share that was growing at told_s */
	double bounded;        /* share bounded with high confidence at the end */
};

/* seconds: SECONDS at the most; later looks find none that grows. */
static void measure(const struct shape *s, bool ages, int histories, int seconds, struct rates *out)
{
	static double at[SECONDS + 1];
	int rest = 0;

	memset(at, 0, sizeof(at));
	*out = (struct rates){.most = 0};
	for (int k = 0; k < histories; k++) {
		struct model *m = model_new((uint64_t)k + 1);
		struct history h = {0};
		struct report_verdict v = {0};
		struct reading *r;
		double since = -1;
		bool was = false, lost = false;
		size_t n;

		s->make(m, seconds);
		r = model_read(m, seconds, 1, ages, &n);
		for (size_t i = 0; i < n; i++) {
			if (!h.readings && !r[i].outstanding)
				continue;
			history_judge(&h, &r[i]);
			at[i + 1] += h.rise.on;
			if (h.rise.on && since < 0)
				since = r[i].t_s;
			if (h.rise.on)
				out->longest_s = fmax(out->longest_s, r[i].t_s - since);
			else
				since = -1;
			lost |= was && !h.rise.on && r[i].t_s > s->told_s;
			was = h.rise.on;
			out->told += r[i].t_s == s->told_s && h.rise.on;
		}
		history_verdict(&h, &v);
		out->bounded += v.kind == VERDICT_BOUNDED && v.confidence == CONFIDENCE_HIGH;
		rest += lost;
		history_free(&h);
		free(r);
		model_free(m);
	}
	for (int t = 1; t <= seconds; t++) {
		if (at[t] / histories > out->most) {
			out->most = at[t] / histories;
			out->most_s = t;
		}
		if (t > s->told_s * 1.5)
			out->after = fmax(out->after, at[t] / histories);
	}
	for (size_t i = 0; i < LOOKS; i++)
		out->growing[i] = at[(int)looks_s[i]] / histories;
	out->lost = (double)rest / histories;
	out->told /= histories;
	out->bounded /= histories;
}

/* What is promised: of what is fine at most one in a hundred at any look, none for a minute. */
static bool is_fine(const struct rates *r, double at_most)
{
	return r->most <= at_most && r->longest_s < 60;
}

/* One a second within the first minute, 50 a second by 15 s where ages are known; none is bounded then. */
static bool is_told(const struct shape *s, bool ages, const struct rates *r)
{
	bool told = true;

	if (strcmp(s->name, "1 a second") == 0)
		told = r->growing[3] == 1 && r->lost == 0;
	else if (strcmp(s->name, "50 a second") == 0)
		told = r->growing[ages ? 0 : 3] == 1 && r->lost == 0;
	else if (ages)
		told = r->told >= 0.8 && r->growing[LOOKS - 1] >= 0.9;
	return told && (r->bounded <= 0.01 || !ages);
}

/* true: all is as promised. */
static bool print_rates(const struct shape *shapes, size_t n, int histories, char kind)
{
	bool kept = true;

	for (size_t i = 0; i < n; i++)
		for (int ages = 1; ages >= 0; ages--) {
			bool good = true;
			struct rates r;

			/* Where only counts are known what grows takes long to judge. */
			measure(&shapes[i], ages, ages || kind == 'f' ? histories : histories / 4, SECONDS,
				&r);
			printf("| %s | %s |", shapes[i].name, ages ? "ages" : "counts");
			for (size_t k = 0; k < LOOKS; k++)
				printf(" %.1f |", 100 * r.growing[k]);
			if (kind == 'l')
				printf(" %.1f (%.0f s) | %.1f | %.1f |\n", 100 * r.told, shapes[i].told_s,
				       100 * r.lost, 100 * r.bounded);
			else if (kind == 'f')
				printf(" %.1f (%.0f s) | %.0f s |\n", 100 * r.most, r.most_s, r.longest_s);
			else
				printf(" %.0f s | %.1f (%.0f s) |\n", r.longest_s, 100 * r.after,
				       1.5 * shapes[i].told_s);
			fflush(stdout);
			good = kind == 'f'   ? is_fine(&r, 0.01)
			       : kind == 'l' ? is_told(&shapes[i], ages, &r)
					     : true;
			if (!good)
				fprintf(stderr, "%s, %s: not as promised\n", shapes[i].name,
					ages ? "ages" : "counts");
			kept &= good;
		}
	return kept;
}

static void measure_forecast(const struct growing *g, size_t seen, int histories, double held[2],
			     double width[2])
{
	size_t n = seen * 9, far = 0;
	double *count = calloc(n, sizeof(*count));

	held[0] = held[1] = width[0] = width[1] = 0;
	for (int k = 0; k < histories; k++) {
		struct model *m = model_new((uint64_t)k * 7 + seen);
		double per_min = g->make(m, count, seen, n), limit, grown = 0, at;
		struct history h = {0};
		struct growth out;
		size_t when = 0;

		for (size_t i = 0; i < seen; i++) {
			struct reading r = {.t_s = (double)i + 1, .outstanding = (uint64_t)count[i]};

			history_add(&h, &r);
			grown = fmax(grown, count[i] - count[0]);
		}
		/* A quarter to twice what it has grown until now is missing. */
		limit = count[seen - 1] + ceil(grown * (0.25 + 1.75 * uniform(m)));
		for (when = seen; when < n && count[when] < limit; when++)
			;
		history_growth(&h, limit, &out);
		held[0] += out.known && fabs(out.per_min - per_min) <= out.error_per_min;
		width[0] += out.error_per_min / per_min;
		/* Between two readings it goes straight. */
		at = (double)(when - seen) +
		     (when < n ? (limit - count[when - 1]) / (count[when] - count[when - 1]) : 1);
		held[1] += out.known && at >= out.limit_soonest_s && at <= out.limit_latest_s;
		if (isfinite(out.limit_latest_s)) {
			width[1] += (out.limit_latest_s - out.limit_soonest_s) / at;
			far++;
		}
		history_free(&h);
		model_free(m);
	}
	held[0] /= histories;
	held[1] /= histories;
	width[0] /= histories;
	width[1] /= far ? (double)far : 1;
	free(count);
}

#define HELD_LEAST 0.93
#define HELD_MOST  0.97

static const size_t seen[] = {60, 120, 300};

static bool print_forecasts(int histories)
{
	bool kept = true;

	for (size_t i = 0; i < nr_growing_shapes; i++)
		for (size_t k = 0; k < ARRAY_LEN(seen); k++) {
			double held[2], width[2];

			measure_forecast(&growing_shapes[i], seen[k], histories, held, width);
			printf("| %s | %zu s | %.1f %% | %.0f %% | %.1f %% | %.0f %% |\n",
			       growing_shapes[i].name, seen[k], 100 * held[1], 100 * width[1], 100 * held[0],
			       100 * width[0]);
			fflush(stdout);
			for (int w = 0; w < 2; w++)
				if (held[w] < HELD_LEAST || held[w] > HELD_MOST) {
					fprintf(stderr, "%s, %zu s: not as promised\n",
						growing_shapes[i].name, seen[k]);
					kept = false;
				}
		}
	return kept;
}

/* --- a part of the table, held against what is promised --- */

#define HISTORIES       40
#define COUNT_HISTORIES 20 /* where only counts are known; */
#define COUNT_LEAKS     4  /* these take longer */
#define COUNT_SECONDS   300

static void test_what_is_fine_is_no_leak(void **state)
{
	(void)state;
	for (size_t i = 0; i < nr_fine_shapes; i++)
		for (int ages = 0; ages < 2; ages++) {
			int histories = ages ? HISTORIES : COUNT_HISTORIES;
			struct rates r;

			measure(&fine_shapes[i], ages, histories, ages ? SECONDS : COUNT_SECONDS, &r);
			/* One in a hundred at any look: of so few one by chance. */
			if (!is_fine(&r, 1.5 / histories))
				fail_msg("%s, ages %d: %.1f %% at %.0f s, held for %.0f s",
					 fine_shapes[i].name, ages, 100 * r.most, r.most_s, r.longest_s);
		}
}

static void test_leaks_are_told(void **state)
{
	(void)state;
	for (size_t i = 0; i < nr_leak_shapes; i++) {
		struct rates r;

		measure(&leak_shapes[i], true, HISTORIES, SECONDS, &r);
		if (!is_told(&leak_shapes[i], true, &r))
			fail_msg("%s: %.1f %% after %.0f s, bounded in %.1f %%", leak_shapes[i].name,
				 100 * r.told, leak_shapes[i].told_s, 100 * r.bounded);
	}
}

/* Where only counts are known: within a minute or two, and for good. */
static void test_leaks_are_told_by_counts(void **state)
{
	static const char *const names[] = {"1 a second", "50 a second", "1 a second at random",
					    "1 a second, short lives"};

	(void)state;
	for (size_t i = 0; i < nr_leak_shapes; i++)
		for (size_t k = 0; k < ARRAY_LEN(names); k++) {
			struct rates r;

			if (strcmp(leak_shapes[i].name, names[k]) != 0)
				continue;
			measure(&leak_shapes[i], false, COUNT_LEAKS, COUNT_SECONDS, &r);
			if (!is_told(&leak_shapes[i], false, &r) || r.growing[4] < 0.9 || r.lost > 0.3)
				fail_msg("%s: %.1f %% after 2 minutes, taken back %.1f %%",
					 leak_shapes[i].name, 100 * r.growing[4], 100 * r.lost);
		}
}

/* All spans together, as each has few. */
static void test_intervals_hold(void **state)
{
	(void)state;
	for (size_t i = 0; i < nr_growing_shapes; i++) {
		double sum[2] = {0, 0}, held[2], width[2];

		for (size_t k = 0; k < ARRAY_LEN(seen); k++) {
			measure_forecast(&growing_shapes[i], seen[k], 3 * HISTORIES, held, width);
			sum[0] += held[0] / ARRAY_LEN(seen);
			sum[1] += held[1] / ARRAY_LEN(seen);
		}
		for (int w = 0; w < 2; w++)
			if (sum[w] < HELD_LEAST - 0.01 || sum[w] > HELD_MOST + 0.01)
				fail_msg("%s: growth %.1f %%, limit %.1f %%", growing_shapes[i].name,
					 100 * sum[0], 100 * sum[1]);
	}
}

/* true: all is as promised. */
static bool print_table(int histories, const char *parts)
{
	bool kept = true;
	const char *times = "15 s | 30 s | 45 s | 1 min | 2 min | 3 min | 5 min | 10 min";

	if (strchr(parts, 'f')) {
		printf("\n## What is fine\n\n| shape | known | %s | most at a look (when) | longest held |\n",
		       times);
		printf("|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n");
		kept &= print_rates(fine_shapes, nr_fine_shapes, histories, 'f');
	}
	if (strchr(parts, 's')) {
		printf("\n## What looks like a leak for as long as it lasts\n\n"
		       "| shape | known | %s | longest held | most after it showed (from) |\n",
		       times);
		printf("|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n");
		kept &= print_rates(long_shapes, nr_long_shapes, histories, 's');
	}
	if (strchr(parts, 'l')) {
		printf("\n## Leaks\n\n| shape | known | %s | told by (then) | taken back later | bounded, "
		       "high |\n",
		       times);
		printf("|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n");
		kept &= print_rates(leak_shapes, nr_leak_shapes, histories, 'l');
	}
	if (strchr(parts, 'g')) {
		printf("\n## Forecasts\n\n| growth | seen for | limit within the interval | its width | "
		       "growth within +- "
		       "| its width |\n|---|---:|---:|---:|---:|---:|\n");
		kept &= print_forecasts(histories * 5 / 2);
	}
	return kept;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_what_is_fine_is_no_leak),
	    cmocka_unit_test(test_leaks_are_told),
	    cmocka_unit_test(test_leaks_are_told_by_counts),
	    cmocka_unit_test(test_intervals_hold),
	};

	if (argc > 1) {
		return print_table(atoi(argv[1]), argc > 2 ? argv[2] : "fslg") ? 0 : 1;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
