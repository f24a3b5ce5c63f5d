/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Growth of a sampled count, and when it alarms. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>

#include "base/util.h"
#include "judge/history_room.h"
#include "judge/verdicts.h"

static uint64_t noise_state;

/* Pseudorandom in [0, n). */
static double noise(double n)
{
	noise_state = noise_state * 6364136223846793005ULL + 1442695040888963407ULL;
	return (double)(noise_state >> 33) / (double)(1ULL << 31) * n;
}

static void add(struct history *h, double t_s, double count)
{
	struct reading r = {.t_s = t_s, .outstanding = (uint64_t)count};

	assert_int_equal(history_judge(h, &r), 0);
}

static struct history with_few_bins(void)
{
	return (struct history){.bins = calloc(HISTORY_FEW_BINS, sizeof(struct bin)),
				.cap = HISTORY_FEW_BINS};
}

/* Seconds until the first alarm of a count that is sampled each second; -1: none in that time. */
static double first_alarm(struct history h, double (*count)(double t_s), double for_s)
{
	double at = -1;

	for (double t = 0; t <= for_s && at < 0; t++) {
		add(&h, t, floor(count(t)));
		if (h.rise.on)
			at = t;
	}
	history_free(&h);
	return at;
}

static double steady_leak(double t)
{
	return 1000 + t;
}

static double noisy_leak(double t)
{
	return 1000 + t + noise(12);
}

static double flat(double t)
{
	(void)t;
	return 5000;
}

static double bounded(double t)
{
	(void)t;
	return 5000 + noise(1000);
}

static double wave(double t)
{
	return 5000 + 500 * sin(t / 4) + noise(50);
}

static double sawtooth(double t)
{
	return 5000 + fmod(t, 20) * 30 + noise(10);
}

static double step(double t)
{
	return t < 10 ? 1000 : 3000 + noise(20);
}

static double warm_up(double t)
{
	return 5000 * (1 - exp(-t / 3)) + noise(20);
}

static double shrinking(double t)
{
	return 100000 - 3 * t;
}

static void test_a_leak_is_seen_within_a_minute(void **state)
{
	double at;

	(void)state;
	at = first_alarm((struct history){0}, steady_leak, 60);
	assert_true(at >= 30 && at <= 60);
	for (noise_state = 1; noise_state < 200; noise_state = noise_state % 1000 + 17) {
		uint64_t seed = noise_state;

		at = first_alarm((struct history){0}, noisy_leak, 90);
		if (at < 0)
			fail_msg("seed %llu", (unsigned long long)seed);
		noise_state = seed;
	}
}

static void test_what_is_bounded_raises_no_alarm(void **state)
{
	double (*const counts[])(double) = {flat, bounded, wave, sawtooth, step, warm_up, shrinking};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(counts); i++)
		for (uint64_t seed = 1; seed <= 20; seed++) {
			double at;

			noise_state = seed * 7919;
			at = first_alarm((struct history){0}, counts[i], 3600);
			if (at >= 0)
				fail_msg("count %zu, seed %llu: alarm after %g s", i,
					 (unsigned long long)seed, at);
		}
}

static void test_line_and_forecast(void **state)
{
	struct history h = {0};
	struct growth g;

	(void)state;
	history_growth(&h, 100, NULL, &g);
	assert_false(g.known);
	assert_true(g.limit_s == -1);
	for (int t = 0; t < 100; t++)
		add(&h, t * 2, 100 + t);
	history_growth(&h, 0, NULL, &g);
	assert_true(g.known && fabs(g.per_min - 30) < 0.01 && g.error_per_min < 1);
	assert_true(g.limit_s == -1);
	history_growth(&h, 299, NULL, &g);
	assert_true(fabs(g.limit_s - 200) < 2);
	assert_true(g.limit_soonest_s <= g.limit_s && g.limit_s <= g.limit_latest_s);
	history_growth(&h, 150, NULL, &g);
	assert_true(g.limit_s == 0);
	/* thinned out, it keeps its span and its line */
	for (int t = 100; t < 5000; t++)
		add(&h, t * 2, 100 + t);
	assert_true(h.n <= HISTORY_BINS);
	history_growth(&h, 0, NULL, &g);
	assert_true(fabs(g.per_min - 30) < 0.01 && g.alarm);
	assert_true(g.span_s == 4999 * 2);
	history_free(&h);
}

/* All its memory it has from the beginning. With few bins it finds the same. */
static void test_few_bins(void **state)
{
	double (*const counts[])(double) = {flat, bounded, wave, sawtooth, step, warm_up, shrinking};
	struct history whole = {0}, few = with_few_bins();
	const struct bin *of_whole, *of_few = few.bins;

	(void)state;
	add(&whole, 0, 1000);
	add(&few, 0, 1000);
	of_whole = whole.bins;
	assert_int_equal(whole.cap, HISTORY_BINS);
	for (int t = 1; t < 50000; t++) {
		add(&whole, t, steady_leak(t));
		add(&few, t, steady_leak(t));
		assert_true(whole.bins == of_whole && whole.n <= whole.cap && few.bins == of_few &&
			    few.n <= few.cap);
	}
	assert_true(few.rise.on && whole.rise.on);
	assert_true(few.bins[0].t_s < 50000 / BINS_EACH && few.bins[few.n - 1].t_s > 45000);
	history_free(&whole);
	history_free(&few);
	assert_true(first_alarm(with_few_bins(), steady_leak, 60) >= 30);
	for (size_t i = 0; i < ARRAY_LEN(counts); i++)
		for (uint64_t seed = 1; seed <= 5; seed++) {
			noise_state = seed * 7919;
			assert_true(first_alarm(with_few_bins(), counts[i], 3600) < 0);
		}
	assert_true(sizeof(struct history) + HISTORY_BINS * sizeof(struct bin) <= 8600);
	assert_true(sizeof(struct history) + HISTORY_FEW_BINS * sizeof(struct bin) <= 2700);
}

/* As many are there as sites, taken or not; who takes first has whole ones. */
static void test_room(void **state)
{
	enum { SITES = HISTORIES_WHOLE + 3 };
	struct history *taken[SITES], *again;
	struct history_room room = {0};

	(void)state;
	assert_null(history_room_take(&room));
	for (int i = 0; i < SITES; i++)
		assert_int_equal(history_room_enter(&room), 0);
	assert_int_equal(room.whole, HISTORIES_WHOLE);
	for (int i = 0; i < SITES; i++) {
		taken[i] = history_room_take(&room);
		assert_int_equal(taken[i]->cap, i < HISTORIES_WHOLE ? HISTORY_BINS : HISTORY_FEW_BINS);
		add(taken[i], 1, i);
	}
	assert_null(history_room_take(&room));
	/* One leaves, one comes: it begins anew. */
	history_room_leave(&room, taken[0]);
	assert_int_equal(history_room_enter(&room), 0);
	again = history_room_take(&room);
	assert_true(again && again->cap == HISTORY_BINS && again->readings == 0 && again->n == 0);
	add(again, 0, 5);
	assert_int_equal(again->peak, 5);
	history_room_leave(&room, again);
	for (int i = 1; i < SITES; i++)
		history_room_leave(&room, taken[i]);
	assert_int_equal(room.whole, 0);
	assert_null(room.all);
	assert_null(room.few);
}

static void test_shrinking_never_reaches_the_limit(void **state)
{
	struct history h = {0};
	struct growth g;

	(void)state;
	for (int t = 0; t < 50; t++)
		add(&h, t, 1000 - t);
	history_growth(&h, 5000, NULL, &g);
	assert_true(isinf(g.limit_s) && isinf(g.limit_latest_s));
	history_free(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_leak_is_seen_within_a_minute),
	    cmocka_unit_test(test_what_is_bounded_raises_no_alarm),
	    cmocka_unit_test(test_line_and_forecast),
	    cmocka_unit_test(test_few_bins),
	    cmocka_unit_test(test_room),
	    cmocka_unit_test(test_shrinking_never_reaches_the_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
