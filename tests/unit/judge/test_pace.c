/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* How often something is done: as wished while it is cheap, and never more than its share of a CPU in the
 * long run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "judge/pace.h"

/* CPU time taken in an hour by what takes so much each time, wished every 10 s; *n: how often. */
static double taken_s(double share, double each_s, int *n)
{
	struct pace p = pace_begin(0, 0);
	double now_s = 0, cpu_s = 0;

	for (*n = 0; now_s < 3600; ++*n) {
		cpu_s += each_s;
		now_s += pace_wait(&p, share, 10, now_s, cpu_s);
	}
	return cpu_s;
}

static void test_cheap(void **state)
{
	int n;

	(void)state;
	taken_s(0.01, 0.0999, &n);
	assert_int_equal(n, 360);
}

static void test_dear(void **state)
{
	int n;

	(void)state;
	assert_true(taken_s(0.01, 0.5, &n) <= 36 + PACE_SAVED_S + 0.5);
	assert_true(n > 60 && n < 76);
	assert_true(taken_s(0.01, 100, &n) <= 200);
}

/* A beginning that takes more than what was saved is waited for until that is made up for, and no longer. */
static void test_beginning(void **state)
{
	struct pace p = pace_begin(0, 0);
	double wait_s;

	(void)state;
	wait_s = pace_wait(&p, 0.01, 10, 0, 1.25);
	assert_true(wait_s > 24.99 && wait_s < 25.01);
	assert_true(pace_wait(&p, 0.01, 10, 25, 1.3) == 10);
}

/* What is dear once is made up for, and then all is as before. */
static void test_once(void **state)
{
	struct pace p = pace_begin(0, 0);

	(void)state;
	assert_true(pace_wait(&p, 0.01, 10, 0, 0) == 10);
	assert_true(pace_wait(&p, 0.01, 10, 0, 3) == 300);
	assert_true(pace_wait(&p, 0.01, 10, 300, 3) == 10);
	assert_true(pace_wait(&p, 0.01, 10, 310, 3.09) == 10);
}

/* What costs the same each time is done at even distances, once half of what was saved is used up. */
static void test_even(void **state)
{
	struct pace p = pace_begin(0, 0);
	double now_s = 0, cpu_s = 0, wait_s = 0;
	int even = 0;

	(void)state;
	for (int i = 0; i < 1060; i++) {
		now_s += wait_s;
		cpu_s += 0.02;
		wait_s = pace_wait(&p, 0.01, 1, now_s, cpu_s);
		assert_true(wait_s < 2.01);
		even += i >= 60 && wait_s > 1.99;
	}
	assert_true(even >= 990);
}

static void test_no_share(void **state)
{
	struct pace p = pace_begin(0, 0);

	(void)state;
	assert_true(pace_wait(&p, 0, 10, 0, 1e6) == 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_cheap), cmocka_unit_test(test_dear), cmocka_unit_test(test_beginning),
	    cmocka_unit_test(test_once),  cmocka_unit_test(test_even), cmocka_unit_test(test_no_share),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
