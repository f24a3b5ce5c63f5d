/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Verdicts of sites whose history is made up: each reference is born and dies as a model says. */
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
#include "view/json.h"
#include "view/table.h"
#include "view/text.h"

/* What was said of a model in the course of time. */
struct told {
	struct report_verdict last;
	double first_s, last_off_s; /* when it was first said to grow, -1: never; when it last was not */
	double longest_s;           /* that it was said to grow in one go */
	int changes;                /* from growing to not */
};

/* Frees m. */
static struct told judge(struct model *m, double seconds, double every_s, bool ages)
{
	struct told told = {.first_s = -1};
	struct history h = {0};
	double since_s = -1;
	struct reading *r;
	size_t n;

	r = model_read(m, seconds, every_s, ages, &n);
	for (size_t i = 0; i < n; i++) {
		if (!h.readings && !r[i].outstanding)
			continue;
		assert_int_equal(history_judge(&h, &r[i]), 0);
		if (h.rise.on) {
			told.first_s = told.first_s < 0 ? r[i].t_s : told.first_s;
			since_s = since_s < 0 ? r[i].t_s : since_s;
			told.longest_s = fmax(told.longest_s, r[i].t_s - since_s);
		} else {
			told.changes += since_s >= 0;
			since_s = -1;
			told.last_off_s = r[i].t_s;
		}
	}
	history_verdict(&h, NULL, &told.last);
	history_free(&h);
	free(r);
	model_free(m);
	return told;
}

static struct told judge_shape(const struct shape *s, uint64_t seed, double seconds, bool ages)
{
	struct model *m = model_new(seed);

	s->make(m, seconds);
	return judge(m, seconds, 1, ages);
}

static const struct shape *shape(const struct shape *of, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(of[i].name, name))
			return &of[i];
	fail_msg("no shape %s", name);
	return NULL;
}

static const struct shape *leak(const char *name)
{
	return shape(leak_shapes, nr_leak_shapes, name);
}

static struct model *line(double from, double to, double per_s)
{
	struct model *m = model_new(1);

	for (double t = from; t < to; t += 1 / per_s)
		birth(m, t, NEVER);
	return m;
}

/* What is said of the time until growth can be told is kept, however often it is read. */
static void test_time_until_growth_is_told(void **state)
{
	static const double every_s[] = {0.1, 1, 3, 10};

	(void)state;
	for (size_t k = 0; k < ARRAY_LEN(every_s); k++) {
		struct model *m = line(0, 400, 1);
		struct history h = {0};
		struct report_verdict v = {.ready_in_s = -1};
		double ready_s = 0, last_s = INFINITY;
		struct reading *r;
		size_t n, i;

		r = model_read(m, 400, every_s[k], true, &n);
		for (i = 0; i < n && v.kind != VERDICT_GROWING; i++) {
			if (!r[i].outstanding)
				continue;
			history_judge(&h, &r[i]);
			history_verdict(&h, NULL, &v);
			if (h.readings == 3) /* as soon as the interval is known */
				ready_s = r[i].t_s + v.ready_in_s;
			assert_true(h.readings <= 3 || v.kind == VERDICT_GROWING ||
				    v.ready_in_s <= last_s + 1e-3);
			last_s = v.ready_in_s;
		}
		assert_true(v.kind == VERDICT_GROWING && v.ready_in_s == 0);
		if (fabs(r[i - 1].t_s - ready_s) > 2 * fmax(every_s[k], 1))
			fail_msg("every %g s: told after %g s, said was %g s", every_s[k], r[i - 1].t_s,
				 ready_s);
		history_free(&h);
		free(r);
		model_free(m);
	}
}

/* One a second is told within the first minute, fifty by 15 s; and never taken back. */
static void test_leaks_are_told_soon(void **state)
{
	static const struct {
		const char *name;
		double by_s;
	} cases[] = {{"1 a second", 60},
		     {"50 a second", 15},
		     {"1 a second, short lives", 60},
		     {"20 a minute at random", 120},
		     {"1 a second at random", 75},
		     {"faster and faster", 90}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		for (uint64_t seed = 1; seed <= 10; seed++) {
			struct told told = judge_shape(leak(cases[i].name), seed, 300, true);

			if (told.first_s < 0 || told.first_s > cases[i].by_s ||
			    told.last.kind != VERDICT_GROWING)
				fail_msg("%s, seed %d: told at %g s", cases[i].name, (int)seed, told.first_s);
			assert_true(told.last.confidence >= CONFIDENCE_MEDIUM);
		}
}

/* A steady leak is said to grow from the first time on: at any length of the run, and for a day. */
static void test_a_steady_leak_stays_told(void **state)
{
	static const double per_s[] = {0.2, 1, 5};

	(void)state;
	for (int ages = 0; ages < 2; ages++)
		for (size_t i = 0; i < ARRAY_LEN(per_s); i++) {
			struct told told = judge(line(0, 3000, per_s[i]), 3000, 1, ages);

			if (told.changes || told.first_s < 0)
				fail_msg("%g a second, ages %d: told at %g s, taken back %d times", per_s[i],
					 ages, told.first_s, told.changes);
			assert_true(told.last.confidence == CONFIDENCE_HIGH);
			assert_true(fabs(told.last.per_min - per_s[i] * 60) <
				    fmax(0.1, told.last.error_per_min));
		}
}

/* What was seen until now, to go on from by itself. */
static struct history copy(const struct history *h)
{
	struct history c = *h;

	c.bins = malloc(h->cap * sizeof(*c.bins));
	assert_non_null(c.bins);
	memcpy(c.bins, h->bins, h->n * sizeof(*c.bins));
	if (h->floors) {
		c.floors = malloc(NR_AGES * sizeof(*c.floors));
		assert_non_null(c.floors);
		memcpy(c.floors, h->floors, NR_AGES * sizeof(*c.floors));
	}
	return c;
}

/* What a run says that ends now: its last reading comes a moment later. */
static void check_end(const struct history *until, const struct reading *now, const char *what)
{
	struct history h = copy(until);
	struct reading last = *now;
	struct report_verdict v;
	struct growth g;

	last.t_s += 0.05;
	memcpy(last.kept, last.survivors, sizeof(last.kept));
	assert_int_equal(history_judge(&h, &last), 0);
	history_verdict(&h, NULL, &v);
	history_growth(&h, 0, NULL, &g);
	if (v.kind != VERDICT_GROWING || !g.alarm)
		fail_msg("%s: not told at the end of %g s", what, now->t_s);
	history_free(&h);
}

/* However long a run is, from the moment on when a leak of 1 a second is told at the latest. */
static void test_no_length_of_a_run_loses_a_steady_leak(void **state)
{
	static const struct {
		const char *name;
		bool ages;
		double from_s;
	} cases[] = {{"1 a second", true, 51},
		     {"1 a second", false, 51},
		     {"50 a second", true, 16},
		     {"1 a second, short lives", true, 52},
		     {"1 a second, lives of 10 s", true, 240}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct model *m = model_new(3);
		struct history h = {0};
		struct reading *r;
		size_t n;

		leak(cases[i].name)->make(m, 1801);
		r = model_read(m, 1801, 1, cases[i].ages, &n);
		for (size_t k = 0; k < n; k++) {
			if (!h.readings && !r[k].outstanding)
				continue;
			assert_int_equal(history_judge(&h, &r[k]), 0);
			if (r[k].t_s >= cases[i].from_s)
				check_end(&h, &r[k], cases[i].name);
		}
		history_free(&h);
		free(r);
		model_free(m);
	}
}

/* Under a churn of 100 a second that lives 10 s; a wave; a sawtooth; one of ten sessions. */
static void test_leaks_under_others_are_told(void **state)
{
	static const char *const names[] = {
	    "1 a second, lives of 10 s", "18 a minute, wave", "20 a minute, sawtooth",
	    "a tenth of sessions",       "20 each 20 s",      "1 a second from 300 s on"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		int late = 0;

		for (uint64_t seed = 1; seed <= 10; seed++) {
			struct told told = judge_shape(leak(names[i]), seed, 1500, true);

			if (told.last.kind != VERDICT_GROWING)
				fail_msg("%s, seed %d: not told at the end", names[i], (int)seed);
			/* Seen from its end it was told for the last time by then. */
			late += told.last_off_s > 1.5 * leak(names[i])->told_s;
		}
		if (late > 1)
			fail_msg("%s: %d of 10 are late or taken back", names[i], late);
	}
}

/* What stays the same for long and then goes is told apart as soon as it shows, and what was not known is
 * said. */
static void test_long_lives_are_doubted(void **state)
{
	const struct shape *lives = shape(long_shapes, nr_long_shapes, "lives of 300 s");
	struct told told = judge_shape(lives, 1, 290, true);
	struct buf words = {0};

	(void)state;
	assert_int_equal(told.last.kind, VERDICT_GROWING);
	assert_int_equal(told.last.confidence, CONFIDENCE_MEDIUM);
	verdict_not_known(&words, &told.last);
	assert_string_equal(
	    words.p, "it would look the same if each were released after 4 minutes, or if a cache were "
		     "still filling");
	buf_free(&words);
	told = judge_shape(lives, 1, 330, true);
	assert_int_not_equal(told.last.kind, VERDICT_GROWING);
	assert_true(told.last.slowed);
	/* A cache that is 95 % full. */
	told = judge_shape(shape(long_shapes, nr_long_shapes, "cache of 120 s"), 3, 360, true);
	assert_int_not_equal(told.last.kind, VERDICT_GROWING);
}

static void test_other_shapes(void **state)
{
	struct told told = judge_shape(shape(fine_shapes, nr_fine_shapes, "sawtooth"), 1, 590, true);
	struct model *m;

	(void)state;
	assert_int_equal(told.last.kind, VERDICT_BOUNDED);
	assert_true(told.first_s < 0);

	m = model_new(2);
	for (int i = 0; i < 1000; i++) /* of 1000 keys, asked for at random, each is kept once */
		birth(m, exponential(m, 15), NEVER);
	told = judge(m, 300, 1, true);
	assert_int_equal(told.last.kind, VERDICT_CACHED);

	m = model_new(3);
	for (int i = 0; i < 7; i++)
		birth(m, 1 + i / 10.0, NEVER);
	told = judge(m, 30, 1, true);
	assert_int_equal(told.last.kind, VERDICT_CACHED);
	assert_int_equal(told.last.confidence, CONFIDENCE_LOW);

	m = model_new(4);
	for (int i = 0; i < 1000; i++)
		birth(m, 10 + i / 1000.0, i < 900 ? 10 : NEVER);
	told = judge(m, 60, 1, true);
	assert_int_equal(told.last.kind, VERDICT_BURST);

	m = model_new(5);
	for (int i = 0; i < 100; i++)
		birth(m, i / 10.0, 0.3);
	told = judge(m, 60, 1, true);
	assert_int_equal(told.last.kind, VERDICT_CLEAN);
	assert_int_equal(told.last.confidence, CONFIDENCE_MEDIUM);
}

/* Growth of its own figure and `bounded` do not go together. */
static void test_bounded_does_not_contradict_its_figure(void **state)
{
	(void)state;
	for (size_t i = 0; i < nr_leak_shapes; i++)
		for (int seconds = 60; seconds <= 600; seconds += 60) {
			struct told told = judge_shape(&leak_shapes[i], 7, seconds, true);

			if (told.last.kind == VERDICT_BOUNDED &&
			    told.last.per_min > 2 * told.last.error_per_min)
				fail_msg("%s after %d s: bounded, and %g +- %g", leak_shapes[i].name, seconds,
					 told.last.per_min, told.last.error_per_min);
		}
}

static void test_too_early_is_unknown(void **state)
{
	struct model *m = model_new(6);
	struct report_verdict v;
	struct history h = {0};
	struct told told;

	(void)state;
	history_verdict(&h, NULL, &v);
	assert_int_equal(v.kind, VERDICT_UNKNOWN);
	assert_true(isnan(v.per_min));
	poisson(m, 0, 9, 10, NEVER);
	told = judge(m, 9, 1, true);
	assert_int_equal(told.last.kind, VERDICT_UNKNOWN);
	assert_true(told.last.ready_in_s > 30);
}

/* However long and however often it is read, a history keeps its size and its beginning. */
static void test_history_is_bounded(void **state)
{
	struct history h = {0};
	struct report_verdict v;

	(void)state;
	for (int i = 1; i < 1000000; i++) {
		double t = i / 20.0;
		struct reading r = {
		    .t_s = t, .acquired = (uint64_t)t, .outstanding = (uint64_t)t, .ages_known = true};

		for (int a = 0; a < NR_AGES; a++)
			r.survivors[a] = r.kept[a] =
			    t > survivor_ages_s[a] ? (uint64_t)(t - survivor_ages_s[a]) : 0;
		if (i % 1000 == 0)
			assert_int_equal(history_judge(&h, &r), 0);
		else
			assert_int_equal(history_add(&h, &r), 0);
		assert_true(h.n <= HISTORY_BINS);
	}
	assert_true(h.bins[0].t_s < 50000 / BINS_EACH && h.bins[h.n - 1].t_s > 45000);
	history_verdict(&h, NULL, &v);
	assert_int_equal(v.kind, VERDICT_GROWING);
	assert_true(fabs(v.per_min - 60) < 0.1);
	assert_int_equal(v.survivors, 49994);
	history_free(&h);
}

static enum site_verdict of_library(const struct report *r, size_t i)
{
	const char *name = library_verdict(&r->libraries.v[i]);

	return !name ? VERDICT_UNKNOWN : strcmp(name, "growing") ? VERDICT_CLEAN : VERDICT_GROWING;
}

/* What dies by itself says nothing of a library, nor does a monitor. */
static void test_libraries(void **state)
{
	enum { A, B, C, D, E };
	struct frame frames[] = {[A] = {.type = FRAME_NATIVE, .module = "a"},
				 [B] = {.type = FRAME_NATIVE, .module = "b"},
				 [C] = {.type = FRAME_NATIVE, .module = "c"},
				 [D] = {.type = FRAME_NATIVE, .module = "d"},
				 [E] = {.type = FRAME_NATIVE, .module = "e"}};
	struct report_site sites[] = {
	    {.func = FUNC_NewGlobalRef, .verdict.kind = VERDICT_BOUNDED, .frames = {.v = &frames[A], .n = 1}},
	    {.func = FUNC_FindClass, .verdict.kind = VERDICT_CLEAN, .frames = {.v = &frames[A], .n = 1}},
	    {.func = FUNC_MonitorEnter, .verdict.kind = VERDICT_CLEAN, .frames = {.v = &frames[A], .n = 1}},
	    {.func = FUNC_GetStringUTFChars,
	     .verdict.kind = VERDICT_GROWING,
	     .frames = {.v = &frames[B], .n = 1}},
	    {.func = FUNC_NewGlobalRef, .verdict.kind = VERDICT_UNKNOWN, .frames = {.v = &frames[B], .n = 1}},
	    {.func = FUNC_GetStringUTFChars,
	     .verdict.kind = VERDICT_UNKNOWN,
	     .frames = {.v = &frames[C], .n = 1}},
	    {.func = FUNC_NewGlobalRef, .verdict.kind = VERDICT_CLEAN, .frames = {.v = &frames[C], .n = 1}},
	    {.func = FUNC_FindClass, .verdict.kind = VERDICT_UNKNOWN, .frames = {.v = &frames[D], .n = 1}},
	    {.func = FUNC_NewGlobalRef, .verdict.kind = VERDICT_CLEAN, .frames = {.v = &frames[E], .n = 1}},
	    {.func = FUNC_MonitorEnter, .verdict.kind = VERDICT_GROWING, .frames = {.v = &frames[E], .n = 1}},
	    {.func = FUNC_AttachCurrentThread,
	     .verdict.kind = VERDICT_UNKNOWN,
	     .frames = {.v = &frames[E], .n = 1}},
	};
	struct report r = {.catalog = &jni_catalog, .sites = {.v = sites, .n = ARRAY_LEN(sites)}};

	(void)state;
	assert_int_equal(verdicts_sum_up(&r), 0);
	assert_int_equal(r.libraries.n, 5);
	assert_int_equal(of_library(&r, A), VERDICT_CLEAN);
	assert_int_equal(of_library(&r, B), VERDICT_GROWING);
	assert_int_equal(of_library(&r, C), VERDICT_UNKNOWN);
	assert_int_equal(of_library(&r, D), VERDICT_UNKNOWN);
	assert_int_equal(of_library(&r, E), VERDICT_GROWING);
	assert_int_equal(r.libraries.v[A].sites, 3);
	free(r.libraries.v);
}

/* A second of one that holds a hundred, and more from then on: so many a second. */
static void grow(struct history *h, int t, int from, int per_s)
{
	int n = 100 + (t > from ? (t - from) * per_s : 0);
	struct reading r = {.t_s = t, .acquired = n, .outstanding = n, .ages_known = true};

	for (int a = 0; a < NR_AGES; a++)
		r.survivors[a] = r.kept[a] = t > survivor_ages_s[a] ? 100 : 0;
	if (t - 5 > from)
		r.survivors[0] = r.kept[0] = 100 + (t - 5 - from) * per_s;
	assert_int_equal(history_judge(h, &r), 0);
}

/* Of many sites not all have their figures made at once; but who is found to grow has one. */
static void test_figures_have_turns(void **state)
{
	struct figures none = {0, .first = true}, one = {1, .first = true}, old = {0};
	struct report_verdict v;
	struct history h = {0};
	double before;

	(void)state;
	for (int t = 0; t < 40; t++)
		grow(&h, t, 100, 0);
	history_verdict(&h, &none, &v);
	assert_true(isnan(v.per_min));
	history_verdict(&h, &one, &v);
	assert_false(isnan(v.per_min));
	assert_int_equal(one.left, 0);
	before = v.error_per_min;
	for (int t = 40; t < 80; t++)
		grow(&h, t, 100, 0);
	history_verdict(&h, &one, &v);
	assert_true(v.error_per_min == before);
	history_verdict(&h, NULL, &v);
	assert_true(v.error_per_min < before);
	for (int t = 80; t < 200; t++)
		grow(&h, t, 100, 5);
	history_verdict(&h, &none, &v);
	assert_int_equal(v.kind, VERDICT_GROWING);
	assert_true(v.per_min > 250);
	history_free(&h);
	/* where nobody waits for keys each has its first one */
	for (int t = 0; t < 40; t++)
		grow(&h, t, 100, 0);
	history_verdict(&h, &old, &v);
	assert_false(isnan(v.per_min));
	history_free(&h);
}

/* A call that goes on holds something at that moment: the verdict is no other for it. */
static void test_clean_does_not_flicker(void **state)
{
	struct report_verdict v;
	struct history h = {0};

	(void)state;
	for (int t = 0; t < 90; t++) {
		struct reading r = {
		    .t_s = t, .acquired = 1000 * (t + 1), .outstanding = (t + 1) % 3, .ages_known = true};

		r.released = r.acquired - r.outstanding;
		assert_int_equal(history_judge(&h, &r), 0);
		history_verdict(&h, NULL, &v);
		if (t >= 12)
			assert_int_equal(v.kind, VERDICT_CLEAN);
	}
	/* What stays is another matter. */
	for (int t = 90; t < 100; t++) {
		struct reading r = {
		    .t_s = t, .acquired = 1000 * (t + 1), .outstanding = 2, .ages_known = true};

		r.survivors[0] = r.kept[0] = t >= 95 ? 2 : 0;
		r.released = r.acquired - r.outstanding;
		assert_int_equal(history_judge(&h, &r), 0);
	}
	history_verdict(&h, NULL, &v);
	assert_int_not_equal(v.kind, VERDICT_CLEAN);
	history_free(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_time_until_growth_is_told),
	    cmocka_unit_test(test_leaks_are_told_soon),
	    cmocka_unit_test(test_a_steady_leak_stays_told),
	    cmocka_unit_test(test_no_length_of_a_run_loses_a_steady_leak),
	    cmocka_unit_test(test_leaks_under_others_are_told),
	    cmocka_unit_test(test_long_lives_are_doubted),
	    cmocka_unit_test(test_other_shapes),
	    cmocka_unit_test(test_bounded_does_not_contradict_its_figure),
	    cmocka_unit_test(test_too_early_is_unknown),
	    cmocka_unit_test(test_history_is_bounded),
	    cmocka_unit_test(test_libraries),
	    cmocka_unit_test(test_clean_does_not_flicker),
	    cmocka_unit_test(test_figures_have_turns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
