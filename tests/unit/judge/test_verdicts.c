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
#include "judge/verdicts.h"
#include "view/json.h"
#include "view/table.h"
#include "view/text.h"

#define MAX_REFS 100000
#define NEVER    1e9

/* References in the order of their birth. */
struct model {
	double born[MAX_REFS], dies[MAX_REFS];
	size_t n;
	uint64_t seed;
};

static double uniform(struct model *s)
{
	s->seed = s->seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (double)(s->seed >> 11) / (double)(1ULL << 53);
}

static double exponential(struct model *s, double mean)
{
	return -mean * log(1 - uniform(s));
}

static struct model *new_model(uint64_t seed)
{
	struct model *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	s->seed = seed;
	return s;
}

static void birth(struct model *s, double at, double life)
{
	assert_true(s->n < MAX_REFS);
	s->born[s->n] = at;
	s->dies[s->n++] = at + life;
}

/* Born at random, so many a second, from..to; life: the mean, NEVER: for ever. */
static void poisson(struct model *s, double from, double to, double per_s, double life)
{
	for (double t = from + exponential(s, 1 / per_s); t < to; t += exponential(s, 1 / per_s))
		birth(s, t, life == NEVER ? NEVER : exponential(s, life));
}

static struct reading read_at(const struct model *s, double t, double last_t)
{
	struct reading r = {.t_s = t};

	for (size_t i = 0; i < s->n; i++) {
		if (s->born[i] > t)
			continue;
		r.acquired++;
		if (s->dies[i] <= t)
			r.released++;
		for (int a = 0; a < NR_AGES && s->dies[i] > t; a++) {
			r.survivors[a] += t - s->born[i] > survivor_ages_s[a];
			r.kept[a] += last_t - s->born[i] > survivor_ages_s[a];
		}
	}
	r.outstanding = r.acquired - r.released;
	return r;
}

/* The verdict after so long; *alarm_s: when it was first said to grow, or -1. Frees s. */
static struct report_verdict judge(struct model *s, double seconds, double interval, double *alarm_s)
{
	struct report_verdict v = {0};
	struct history h = {0};
	bool seen = false;

	*alarm_s = -1;
	for (double t = interval; t <= seconds; t += interval) {
		struct reading r = read_at(s, t, t - interval);

		seen |= r.acquired > 0;
		if (!seen)
			continue;
		history_add(&h, &r);
		history_verdict(&h, &v);
		if (v.kind == VERDICT_GROWING && *alarm_s < 0)
			*alarm_s = t;
	}
	free(s);
	return v;
}

/* What is said of the time until growth can be told is kept: whatever the interval, it is told then. */
static void test_time_until_growth_is_told(void **state)
{
	static const double intervals[] = {0.1, 1, 3, 10};

	(void)state;
	for (size_t k = 0; k < ARRAY_LEN(intervals); k++) {
		struct model *s = new_model(1);
		struct history h = {0};
		struct report_verdict v = {.ready_in_s = -1};
		double t = 0, told_s = 0, last_s = INFINITY;

		for (int i = 0; i < 4000; i++)
			birth(s, i / 10.0, NEVER);
		while (v.kind != VERDICT_GROWING) {
			struct reading r = read_at(s, t + intervals[k], t);

			t += intervals[k];
			assert_true(t < 400);
			history_add(&h, &r);
			history_verdict(&h, &v);
			if (h.n == 3) /* as soon as the interval is known */
				told_s = t + v.ready_in_s;
			assert_true(v.ready_in_s <= last_s + 1e-3 || h.n < 3);
			last_s = v.ready_in_s;
		}
		assert_true(v.ready_in_s == 0);
		if (fabs(t - told_s) > 2 * fmax(intervals[k], 1))
			fail_msg("every %g s: told after %g s, said was %g s", intervals[k], t, told_s);
		free(s);
	}
}

/* One a second is an alarm within about a minute, whatever else the site does. */
static void test_leaks_are_found_soon(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 20; seed++) {
		struct model *s = new_model(seed);
		struct report_verdict v;
		double alarm_s;

		for (int t = 0; t < 300; t++)
			birth(s, t + 0.5, NEVER);
		if (seed > 10)
			poisson(s, 0, 300, 100, 0.5); /* and a hundred that come and go */
		v = judge(s, 300, 1, &alarm_s);
		assert_int_equal(v.kind, VERDICT_GROWING);
		assert_int_equal(v.confidence, CONFIDENCE_HIGH);
		assert_true(alarm_s >= 40 && alarm_s <= 65);
		assert_true(fabs(v.per_min - 60) < 1);
	}
	for (uint64_t seed = 1; seed <= 20; seed++) { /* at random, one in three seconds */
		struct model *s = new_model(seed);
		struct report_verdict v;
		double alarm_s;

		poisson(s, 0, 300, 1 / 3.0, NEVER);
		v = judge(s, 300, 1, &alarm_s);
		assert_int_equal(v.kind, VERDICT_GROWING);
		assert_true(alarm_s <= 120);
		assert_true(fabs(v.per_min - 20) < 10);
	}
	for (uint64_t seed = 1; seed <= 20; seed++) { /* among fifty that live for ten seconds each */
		struct model *s = new_model(seed);
		struct report_verdict v;
		double alarm_s;

		for (int t = 0; t < 300; t++)
			birth(s, t + 0.5, NEVER);
		poisson(s, 0, 300, 5, 10);
		v = judge(s, 300, 1, &alarm_s);
		assert_int_equal(v.kind, VERDICT_GROWING);
		assert_true(alarm_s > 0 && alarm_s <= 240);
	}
}

/* A hundred runs of ten minutes each, looked at every second: not one alarm. */
static void test_bounded_is_no_leak(void **state)
{
	static const double lives[] = {0.5, 3, 10};
	int sure = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= 99; seed++) {
		struct model *s = new_model(seed);
		double life = lives[seed % 3], alarm_s;
		struct report_verdict v;

		poisson(s, 0, 600, 5, life);
		v = judge(s, 600, 1, &alarm_s);
		if (alarm_s >= 0)
			fail_msg("seed %d life %g: alarm at %g s", (int)seed, life, alarm_s);
		sure += v.kind == VERDICT_BOUNDED || v.kind == VERDICT_CLEAN;
	}
	assert_true(sure >= 90); /* the others are not said to be anything */
}

/* Emptied again and again; a cache that fills to its bound; what was there once and is kept, or not. */
static void test_other_shapes(void **state)
{
	struct model *s = new_model(1);
	struct report_verdict v;
	double alarm_s;

	(void)state;
	for (double t = 0; t < 600; t += 0.2) /* let go every 20 s */
		birth(s, t, 20 - fmod(t, 20));
	v = judge(s, 590, 1, &alarm_s);
	assert_int_equal(v.kind, VERDICT_BOUNDED);
	assert_true(alarm_s < 0);

	s = new_model(2);
	for (int i = 0; i < 1000; i++) /* of 1000 keys, asked for at random, each is kept once */
		birth(s, exponential(s, 15), NEVER);
	v = judge(s, 300, 1, &alarm_s);
	assert_int_equal(v.kind, VERDICT_CACHED);
	assert_true(alarm_s < 0);

	s = new_model(3);
	for (int i = 0; i < 7; i++)
		birth(s, 1 + i / 10.0, NEVER);
	v = judge(s, 30, 1, &alarm_s);
	assert_int_equal(v.kind, VERDICT_CACHED);
	assert_int_equal(v.confidence, CONFIDENCE_LOW);

	s = new_model(4);
	for (int i = 0; i < 1000; i++)
		birth(s, 10 + i / 1000.0, i < 900 ? 10 : NEVER);
	v = judge(s, 60, 1, &alarm_s);
	assert_int_equal(v.kind, VERDICT_BURST);

	s = new_model(5);
	for (int i = 0; i < 100; i++)
		birth(s, i / 10.0, 0.3);
	v = judge(s, 60, 1, &alarm_s);
	assert_int_equal(v.kind, VERDICT_CLEAN);
	assert_int_equal(v.confidence, CONFIDENCE_MEDIUM);
}

static void test_too_early_is_unknown(void **state)
{
	struct history h = {0};
	struct model *s = new_model(6);
	struct report_verdict v;
	double alarm_s;

	(void)state;
	history_verdict(&h, &v);
	assert_int_equal(v.kind, VERDICT_UNKNOWN);
	assert_true(isnan(v.per_min));
	poisson(s, 0, 9, 100, NEVER);
	v = judge(s, 9, 1, &alarm_s);
	assert_int_equal(v.kind, VERDICT_UNKNOWN);
}

/* However long and however often it is read, a history keeps its size and its beginning. */
static void test_history_is_bounded(void **state)
{
	struct history h = {0};
	struct report_verdict v;

	(void)state;
	for (int i = 1; i < 1000000; i++) {
		double t = i / 20.0;
		struct reading r = {.t_s = t, .acquired = (uint64_t)t, .outstanding = (uint64_t)t};

		for (int a = 0; a < NR_AGES; a++)
			r.survivors[a] = r.kept[a] =
			    t > survivor_ages_s[a] ? (uint64_t)(t - survivor_ages_s[a]) : 0;
		history_add(&h, &r);
		assert_true(h.n <= HISTORY_MAX);
	}
	assert_true(h.t_s[0] < 1 && h.t_s[h.n - 1] > 45000);
	history_verdict(&h, &v);
	assert_int_equal(v.kind, VERDICT_GROWING);
	assert_true(fabs(v.per_min - 60) < 0.1);
	assert_int_equal(v.survivors, 49994);
}

static enum site_verdict of_library(const struct report *r, size_t i)
{
	const char *name = library_verdict(&r->libraries.v[i]);

	return !name ? VERDICT_UNKNOWN : strcmp(name, "growing") ? VERDICT_CLEAN : VERDICT_GROWING;
}

/* What dies by itself says nothing of a library, nor does a monitor. */
static void test_libraries(void **state)
{
	enum { A, B, C, D };
	struct frame frames[] = {[A] = {.type = FRAME_NATIVE, .module = "a"},
				 [B] = {.type = FRAME_NATIVE, .module = "b"},
				 [C] = {.type = FRAME_NATIVE, .module = "c"},
				 [D] = {.type = FRAME_NATIVE, .module = "d"}};
	struct report_site sites[] = {
	    {.func = FUNC_NewGlobalRef, .verdict.kind = VERDICT_BOUNDED, .frames = {.v = &frames[A], .n = 1}},
	    {.func = FUNC_FindClass, .verdict.kind = VERDICT_UNKNOWN, .frames = {.v = &frames[A], .n = 1}},
	    {.func = FUNC_MonitorEnter, .verdict.kind = VERDICT_UNKNOWN, .frames = {.v = &frames[A], .n = 1}},
	    {.func = FUNC_GetStringUTFChars,
	     .verdict.kind = VERDICT_GROWING,
	     .frames = {.v = &frames[B], .n = 1}},
	    {.func = FUNC_NewGlobalRef, .verdict.kind = VERDICT_UNKNOWN, .frames = {.v = &frames[B], .n = 1}},
	    {.func = FUNC_GetStringUTFChars,
	     .verdict.kind = VERDICT_UNKNOWN,
	     .frames = {.v = &frames[C], .n = 1}},
	    {.func = FUNC_NewGlobalRef, .verdict.kind = VERDICT_CLEAN, .frames = {.v = &frames[C], .n = 1}},
	    {.func = FUNC_FindClass, .verdict.kind = VERDICT_UNKNOWN, .frames = {.v = &frames[D], .n = 1}},
	};
	struct report r = {.catalog = &jni_catalog, .sites = {.v = sites, .n = ARRAY_LEN(sites)}};

	(void)state;
	assert_int_equal(verdicts_sum_up(&r), 0);
	assert_int_equal(r.libraries.n, 4);
	assert_int_equal(of_library(&r, A), VERDICT_CLEAN);
	assert_int_equal(of_library(&r, B), VERDICT_GROWING);
	assert_int_equal(of_library(&r, C), VERDICT_UNKNOWN);
	assert_int_equal(of_library(&r, D), VERDICT_UNKNOWN);
	assert_int_equal(r.libraries.v[A].sites, 3);
	free(r.libraries.v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_time_until_growth_is_told),
	    cmocka_unit_test(test_leaks_are_found_soon),
	    cmocka_unit_test(test_bounded_is_no_leak),
	    cmocka_unit_test(test_other_shapes),
	    cmocka_unit_test(test_too_early_is_unknown),
	    cmocka_unit_test(test_history_is_bounded),
	    cmocka_unit_test(test_libraries),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
