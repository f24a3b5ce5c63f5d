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
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

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
		history_verdict(&h, NULL, &v);
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

/* Of one kind of growth that was seen for so long: of the growth [0] and of when the limit is reached [1]. */
struct intervals {
	double held[2], width[2];
};

static void measure_forecast(const struct growing *g, size_t seen, int histories, struct intervals *out)
{
	size_t n = seen * 9, far = 0;
	double *count = calloc(n, sizeof(*count)), held[2] = {0, 0}, width[2] = {0, 0};

	for (int k = 0; k < histories; k++) {
		struct model *m = model_new(g->seed + (uint64_t)k * 7 + seen);
		double per_min = g->make(m, count, seen, n), limit, grown = 0, at;
		struct history h = {0};
		struct growth told;
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
		history_growth(&h, limit, NULL, &told);
		held[0] += told.known && fabs(told.per_min - per_min) <= told.error_per_min;
		width[0] += told.error_per_min / per_min;
		/* Between two readings it goes straight. */
		at = (double)(when - seen) +
		     (when < n ? (limit - count[when - 1]) / (count[when] - count[when - 1]) : 1);
		held[1] += told.known && at >= told.limit_soonest_s && at <= told.limit_latest_s;
		if (isfinite(told.limit_latest_s)) {
			width[1] += (told.limit_latest_s - told.limit_soonest_s) / at;
			far++;
		}
		history_free(&h);
		model_free(m);
	}
	*out = (struct intervals){{held[0] / histories, held[1] / histories},
				  {width[0] / histories, width[1] / (far ? (double)far : 1)}};
	free(count);
}

/* Of kinds of growth that forecast.c was fitted to; and of others. */
#define HELD_LEAST   0.93
#define HELD_MOST    0.97
#define UNSEEN_LEAST 0.92
#define UNSEEN_MOST  0.98

static const size_t seen[] = {60, 120, 300};

/* --- a part of the table, held against what is promised --- */

#define HISTORIES       40
#define COUNT_HISTORIES 20 /* where only counts are known; */
#define COUNT_LEAKS     6  /* these take longer */
#define COUNT_SECONDS   300
#define FORECASTS       300

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
					    "20 a minute at random", "1 a second, short lives"};

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

static const struct shape *shape(const struct shape *of, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(of[i].name, name))
			return &of[i];
	fail_msg("no shape %s", name);
	return NULL;
}

/* Under a hundred a second that live 10 s: half of them by 5 minutes (looks_s[6]), all by 10. */
static void test_a_leak_under_churn_is_told_by_counts(void **state)
{
	struct rates r;

	(void)state;
	measure(shape(leak_shapes, nr_leak_shapes, "1 a second, lives of 10 s"), false, COUNT_HISTORIES,
		SECONDS, &r);
	if (r.growing[6] < 0.4 || r.growing[7] < 0.95)
		fail_msg("%.1f %% after 5 minutes, %.1f %% after 10", 100 * r.growing[6], 100 * r.growing[7]);
}

/* What settles with a time constant of two minutes is no leak to counts alone, once it shows. */
static void test_what_settles_is_not_told_for_long(void **state)
{
	static const struct {
		const char *name;
		double after_3, after_5, after_10; /* minutes: shares at most */
	} cases[] = {{"cache of 120 s", 0.25, 0.05, 0}, {"lives of 120 s", 0.75, 0.2, 0.15}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct rates r;

		measure(shape(long_shapes, nr_long_shapes, cases[i].name), false, HISTORIES, SECONDS, &r);
		if (r.growing[5] > cases[i].after_3 || r.growing[6] > cases[i].after_5 ||
		    r.growing[7] > cases[i].after_10)
			fail_msg("%s: %.1f %% after 3 minutes, %.1f %% after 5, %.1f %% after 10",
				 cases[i].name, 100 * r.growing[5], 100 * r.growing[6], 100 * r.growing[7]);
	}
}

/* All spans together, as each has few; so few may hold in one of a hundred more or less by chance. */
static void check_intervals(const struct growing *shapes, size_t n, double least, double most)
{
	for (size_t i = 0; i < n; i++) {
		double sum[2] = {0, 0};

		for (size_t k = 0; k < ARRAY_LEN(seen); k++) {
			struct intervals r;

			measure_forecast(&shapes[i], seen[k], FORECASTS, &r);
			for (int w = 0; w < 2; w++)
				sum[w] += r.held[w] / ARRAY_LEN(seen);
		}
		for (int w = 0; w < 2; w++)
			if (sum[w] < least - 0.01 || sum[w] > most + 0.01)
				fail_msg("%s: growth %.1f %%, limit %.1f %%", shapes[i].name, 100 * sum[0],
					 100 * sum[1]);
	}
}

static void test_intervals_hold(void **state)
{
	(void)state;
	check_intervals(growing_shapes, nr_growing_shapes, HELD_LEAST, HELD_MOST);
}

/* Other parameters and seeds than those that the forecast was fitted to. */
static void test_intervals_hold_of_unseen_growth(void **state)
{
	(void)state;
	check_intervals(unseen_shapes, nr_unseen_shapes, UNSEEN_LEAST, UNSEEN_MOST);
}

/* --- the table --- */

/* One row. */
struct job {
	const struct shape *shape;
	const struct growing *growing;
	bool ages;
	size_t seen;
	struct rates rates;
	struct intervals intervals;
};
/* In memory that processes share: each takes the next one that nobody has. */
struct jobs {
	size_t n, next;
	struct job v[128];
};

static void work(struct jobs *jobs, int histories)
{
	for (;;) {
		size_t i = __atomic_fetch_add(&jobs->next, 1, __ATOMIC_RELAXED);
		struct job *j = &jobs->v[i];

		if (i >= jobs->n)
			return;
		if (j->shape)
			measure(j->shape, j->ages, histories, SECONDS, &j->rates);
		else
			measure_forecast(j->growing, j->seen, histories * 5 / 2, &j->intervals);
	}
}

/* As many processes as there are processors. */
static bool run(struct jobs *jobs, int histories)
{
	long processes = sysconf(_SC_NPROCESSORS_ONLN);
	bool well = true;
	int status;

	for (long i = 0; i < processes; i++)
		if (fork() == 0) {
			work(jobs, histories);
			_exit(0);
		}
	while (wait(&status) > 0)
		well &= status == 0;
	return well;
}

static void add_shapes(struct jobs *jobs, const struct shape *shapes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		for (int ages = 1; ages >= 0; ages--)
			jobs->v[jobs->n++] = (struct job){.shape = &shapes[i], .ages = ages};
}

static void add_growth(struct jobs *jobs, const struct growing *shapes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < ARRAY_LEN(seen); k++)
			jobs->v[jobs->n++] = (struct job){.growing = &shapes[i], .seen = seen[k]};
}

static const char times[] = "15 s | 30 s | 45 s | 1 min | 2 min | 3 min | 5 min | 10 min";

static void print_times(const struct job *j)
{
	printf("| %s | %s |", j->shape->name, j->ages ? "ages" : "counts");
	for (size_t k = 0; k < LOOKS; k++)
		printf(" %.1f |", 100 * j->rates.growing[k]);
}

/* Each prints n rows from j on; true: all is as promised. */
static bool print_fine(const struct job *j, size_t n)
{
	bool kept = true;

	printf("\n## What is fine\n\n| shape | known | %s | most at a look (when) | longest held |\n", times);
	printf("|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n");
	for (; n-- > 0; j++) {
		print_times(j);
		printf(" %.1f (%.0f s) | %.0f s |\n", 100 * j->rates.most, j->rates.most_s,
		       j->rates.longest_s);
		kept &= is_fine(&j->rates, 0.01);
	}
	return kept;
}

static void print_long(const struct job *j, size_t n)
{
	printf("\n## What looks like a leak for as long as it lasts\n\n"
	       "| shape | known | %s | longest held | most after it showed (from) |\n",
	       times);
	printf("|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n");
	for (; n-- > 0; j++) {
		print_times(j);
		printf(" %.0f s | %.1f (%.0f s) |\n", j->rates.longest_s, 100 * j->rates.after,
		       1.5 * j->shape->told_s);
	}
}

static bool print_leaks(const struct job *j, size_t n)
{
	bool kept = true;

	printf("\n## Leaks\n\n| shape | known | %s | told by (then) | taken back later | bounded, high |\n",
	       times);
	printf("|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n");
	for (; n-- > 0; j++) {
		print_times(j);
		printf(" %.1f (%.0f s) | %.1f | %.1f |\n", 100 * j->rates.told, j->shape->told_s,
		       100 * j->rates.lost, 100 * j->rates.bounded);
		kept &= is_told(j->shape, j->ages, &j->rates);
	}
	return kept;
}

static bool print_forecasts(const char *head, const struct job *j, size_t n, double least, double most)
{
	bool kept = true;

	printf("\n## %s\n\n| growth | seen for | limit within the interval | its width | growth within +- "
	       "| its width |\n|---|---:|---:|---:|---:|---:|\n",
	       head);
	for (; n-- > 0; j++) {
		const struct intervals *r = &j->intervals;

		printf("| %s | %zu s | %.1f %% | %.0f %% | %.1f %% | %.0f %% |\n", j->growing->name, j->seen,
		       100 * r->held[1], 100 * r->width[1], 100 * r->held[0], 100 * r->width[0]);
		for (int w = 0; w < 2; w++)
			kept &= r->held[w] >= least && r->held[w] <= most;
	}
	return kept;
}

static bool print_table(int histories)
{
	struct jobs *jobs =
	    mmap(NULL, sizeof(*jobs), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	size_t fine = 2 * nr_fine_shapes, others = 2 * nr_long_shapes, leaks = 2 * nr_leak_shapes,
	       fitted = ARRAY_LEN(seen) * nr_growing_shapes, unseen = ARRAY_LEN(seen) * nr_unseen_shapes;
	const struct job *j = jobs->v;
	bool kept;

	if (jobs == MAP_FAILED)
		return false;
	add_shapes(jobs, fine_shapes, nr_fine_shapes);
	add_shapes(jobs, long_shapes, nr_long_shapes);
	add_shapes(jobs, leak_shapes, nr_leak_shapes);
	add_growth(jobs, growing_shapes, nr_growing_shapes);
	add_growth(jobs, unseen_shapes, nr_unseen_shapes);
	kept = run(jobs, histories);
	kept &= print_fine(j, fine);
	print_long(j += fine, others);
	kept &= print_leaks(j += others, leaks);
	kept &= print_forecasts("Forecasts", j += leaks, fitted, HELD_LEAST, HELD_MOST);
	kept &= print_forecasts("Forecasts of other growth", j + fitted, unseen, UNSEEN_LEAST, UNSEEN_MOST);
	if (!kept)
		fprintf(stderr, "not all is as promised\n");
	munmap(jobs, sizeof(*jobs));
	return kept;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_what_is_fine_is_no_leak),
	    cmocka_unit_test(test_leaks_are_told),
	    cmocka_unit_test(test_leaks_are_told_by_counts),
	    cmocka_unit_test(test_a_leak_under_churn_is_told_by_counts),
	    cmocka_unit_test(test_what_settles_is_not_told_for_long),
	    cmocka_unit_test(test_intervals_hold),
	    cmocka_unit_test(test_intervals_hold_of_unseen_growth),
	};

	if (argc > 1)
		return print_table(atoi(argv[1])) ? 0 : 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
