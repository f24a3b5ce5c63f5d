/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A census that is watched: which of its figures are said to grow. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "base/util.h"
#include "judge/census_watch.h"

#define SECONDS 60

enum { PILES_UP, STEADY, NEW, NR_THREADS };

/* One thread makes 500 local references a second, one always has 40; a class begins to leak after 3 s. */
static void fill(struct census *c, struct census_thread *threads, struct census_class *classes, int t)
{
	threads[PILES_UP] = (struct census_thread){.tid = 10, .local_refs = 500 * t};
	threads[STEADY] = (struct census_thread){.tid = 11, .local_refs = 40};
	/* A number that several threads have one after the other, each with more than the one before. */
	threads[NEW] = (struct census_thread){.tid = 12, .local_refs = t % 10 == 9 ? 0 : 30 * (t / 10)};
	classes[0] = (struct census_class){.table = VM_GLOBAL, .name = "held", .count = 100};
	classes[1] = (struct census_class){.table = VM_GLOBAL, .name = "leaks", .count = (uint64_t)t - 3};
	*c = (struct census){.elapsed_s = t,
			     .refs = {200 + (uint64_t)t, 5},
			     .refs_known = true,
			     .threads_known = true,
			     .native_attached = 2,
			     .classes_known = true};
	c->threads.v = threads;
	c->threads.n = t % 10 == 9 ? NR_THREADS - 1 : NR_THREADS;
	c->classes.v = classes;
	c->classes.n = t > 3 ? 2 : 1;
	for (size_t i = 0; i < c->threads.n; i++)
		c->local_refs += threads[i].local_refs;
}

static void test_all_that_grows_is_told_within_a_minute(void **state)
{
	struct census_thread threads[NR_THREADS];
	struct census_class classes[2];
	struct census_watch *w;
	struct census c;

	(void)state;
	assert_int_equal(census_watch_new(&w), 0);
	for (int t = 0; t <= SECONDS; t++) {
		fill(&c, threads, classes, t);
		assert_int_equal(census_watch_add(w, &c), 0);
	}
	census_watch_judge(w, 1000, &c);
	assert_true(c.growth[VM_GLOBAL].alarm && !c.growth[VM_WEAK].alarm);
	assert_true(classes[1].growth.alarm && !classes[0].growth.alarm);
	assert_true(c.local_growth.alarm);
	assert_true(threads[PILES_UP].growth.alarm && threads[PILES_UP].growth.known);
	assert_false(threads[STEADY].growth.alarm);
	assert_false(threads[NEW].growth.alarm);
	assert_false(c.attached_growth.alarm);
	/* The limit is one of references in a table. */
	assert_true(c.growth[VM_GLOBAL].limit_s > 0 && c.local_growth.limit_s < 0);
	census_watch_free(w);
}

/* Of a table that has 500 and, from a time on, ten more each second; judged each second, or at the end alone.
 */
static struct growth growth_of_table(int seconds, int from, bool each)
{
	struct census_watch *w;
	struct census c = {.refs_known = true, .native_attached = -1};

	assert_int_equal(census_watch_new(&w), 0);
	for (int t = 0; t <= seconds; t++) {
		c.elapsed_s = t;
		c.refs[VM_GLOBAL] = 500 + 10 * (uint64_t)(t > from ? t - from : 0);
		assert_int_equal(census_watch_add(w, &c), 0);
		if (each || t == seconds)
			census_watch_judge(w, 0, &c);
	}
	census_watch_free(w);
	return c.growth[VM_GLOBAL];
}

/* Its figure is made more seldom, and is no less true; that it moves is told as soon as of any other. */
static void test_a_table_that_never_moves(void **state)
{
	const struct growth now = growth_of_table(1000, 1000, true),
			    alone = growth_of_table(1000, 1000, false),
			    half = growth_of_table(500, 1000, false);
	const struct growth moves = growth_of_table(1000 + 1000 / 16 + 2, 1000, true);

	(void)state;
	assert_true(now.known && !now.alarm);
	assert_int_equal(now.samples, alone.samples);
	assert_true(now.span_s == alone.span_s);
	assert_true(fabs(now.per_min) <= now.error_per_min);
	assert_true(now.error_per_min >= alone.error_per_min &&
		    now.error_per_min <= 1.1 * half.error_per_min);
	assert_true(moves.per_min > 10 * now.error_per_min);
}

/* Threads that come by the thousand leave nothing behind. */
static void test_threads_that_end_are_forgotten(void **state)
{
	struct census_thread t = {0};
	struct census_watch *w;
	struct census c = {.threads_known = true, .native_attached = -1};

	(void)state;
	assert_int_equal(census_watch_new(&w), 0);
	c.threads.v = &t;
	c.threads.n = 1;
	for (int i = 0; i < 10000; i++) {
		t = (struct census_thread){.tid = 100 + i, .local_refs = i};
		c.elapsed_s = i;
		c.local_refs = i % 7;
		assert_int_equal(census_watch_add(w, &c), 0);
	}
	census_watch_judge(w, 0, &c);
	assert_true(!t.growth.alarm && c.local_growth.known && !c.local_growth.alarm);
	census_watch_free(w);
}

/* A figure that is shared says the same as one that was made. */
static void test_flat_counts_share_a_figure(void **state)
{
	static const double begins_s[] = {10, 10, 30, 10}, counts[] = {5, 7000, 5, 5};
	static const size_t nr_samples[] = {8, 8, 8, 12};
	struct flat flat = {0};

	(void)state;
	for (size_t k = 0; k < ARRAY_LEN(counts); k++) {
		struct samples s = {.n = nr_samples[k]};
		struct growth made, shared;

		for (size_t i = 0; i < s.n; i++) {
			s.t_s[i] = begins_s[k] + (double)(i * i + 3 * i);
			s.count[i] = counts[k];
		}
		forecast(&s, 0, &made);
		forecast_flat(&flat, &s, &shared);
		assert_true(shared.known && shared.samples == s.n && shared.limit_s < 0);
		assert_true(shared.per_min == made.per_min && shared.error_per_min == made.error_per_min &&
			    shared.span_s == made.span_s);
		assert_int_equal(flat.n, s.n);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_table_that_never_moves),
	    cmocka_unit_test(test_all_that_grows_is_told_within_a_minute),
	    cmocka_unit_test(test_flat_counts_share_a_figure),
	    cmocka_unit_test(test_threads_that_end_are_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
