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

static void measure(const struct shape *s, bool ages, int histories, struct rates *out)
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

		s->make(m, SECONDS);
		r = model_read(m, SECONDS, 1, ages, &n);
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
	for (int t = 1; t <= SECONDS; t++) {
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

static void print_rates(const struct shape *shapes, size_t n, int histories, char kind)
{
	for (size_t i = 0; i < n; i++)
		for (int ages = 1; ages >= 0; ages--) {
			struct rates r;

			measure(&shapes[i], ages, histories, &r);
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
		}
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

			history_judge(&h, &r);
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

static void print_forecasts(int histories)
{
	static const size_t seen[] = {60, 120, 300};

	for (size_t i = 0; i < nr_growing_shapes; i++)
		for (size_t k = 0; k < ARRAY_LEN(seen); k++) {
			double held[2], width[2];

			measure_forecast(&growing_shapes[i], seen[k], histories, held, width);
			printf("| %s | %zu s | %.1f %% | %.0f %% | %.1f %% | %.0f %% |\n",
			       growing_shapes[i].name, seen[k], 100 * held[1], 100 * width[1], 100 * held[0],
			       100 * width[0]);
			fflush(stdout);
		}
}

/* --- a part of the table, held against what is promised --- */

#define HISTORIES 40

static void test_what_is_fine_is_no_leak(void **state)
{
	(void)state;
	for (size_t i = 0; i < nr_fine_shapes; i++)
		for (int ages = 0; ages < 2; ages++) {
			struct rates r;

			measure(&fine_shapes[i], ages, HISTORIES, &r);
			/* One in a hundred at any look: of forty none or, by chance, one or two. */
			if (r.most * HISTORIES > 2.5 || r.longest_s >= 60)
				fail_msg("%s, ages %d: %.1f %% at %.0f s, held for %.0f s",
					 fine_shapes[i].name, ages, 100 * r.most, r.most_s, r.longest_s);
		}
}

static void test_leaks_are_told(void **state)
{
	(void)state;
	for (size_t i = 0; i < nr_leak_shapes; i++) {
		struct rates r;

		measure(&leak_shapes[i], true, HISTORIES, &r);
		if (r.told < 0.85 || r.growing[LOOKS - 1] < 0.9 || r.bounded > 0)
			fail_msg("%s: %.1f %% after %.0f s, bounded in %.1f %%", leak_shapes[i].name,
				 100 * r.told, leak_shapes[i].told_s, 100 * r.bounded);
	}
}

static void test_intervals_hold(void **state)
{
	(void)state;
	for (size_t i = 0; i < nr_growing_shapes; i++) {
		double held[2], width[2];

		measure_forecast(&growing_shapes[i], 120, 3 * HISTORIES, held, width);
		if (held[0] < 0.88 || held[1] < 0.88)
			fail_msg("%s: growth %.1f %%, limit %.1f %%", growing_shapes[i].name, 100 * held[0],
				 100 * held[1]);
	}
}

static void print_table(int histories, const char *parts)
{
	const char *times = "15 s | 30 s | 45 s | 1 min | 2 min | 3 min | 5 min | 10 min";

	if (strchr(parts, 'f')) {
		printf("\n## What is fine\n\n| shape | known | %s | most at a look (when) | longest held |\n",
		       times);
		printf("|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n");
		print_rates(fine_shapes, nr_fine_shapes, histories, 'f');
	}
	if (strchr(parts, 's')) {
		printf("\n## What looks like a leak for as long as it lasts\n\n"
		       "| shape | known | %s | longest held | most after it showed (from) |\n",
		       times);
		printf("|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n");
		print_rates(long_shapes, nr_long_shapes, histories, 's');
	}
	if (strchr(parts, 'l')) {
		printf("\n## Leaks\n\n| shape | known | %s | told by (then) | taken back later | bounded, "
		       "high |\n",
		       times);
		printf("|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n");
		print_rates(leak_shapes, nr_leak_shapes, histories, 'l');
	}
	if (strchr(parts, 'g')) {
		printf("\n## Forecasts\n\n| growth | seen for | limit within the interval | its width | "
		       "growth within +- "
		       "| its width |\n|---|---:|---:|---:|---:|---:|\n");
		print_forecasts(histories);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_what_is_fine_is_no_leak),
	    cmocka_unit_test(test_leaks_are_told),
	    cmocka_unit_test(test_intervals_hold),
	};

	if (argc > 1) {
		print_table(atoi(argv[1]), argc > 2 ? argv[2] : "fslg");
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
