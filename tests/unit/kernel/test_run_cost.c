/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What a run takes is told by sums in which nobody else had a turn. */
#include "kernel/run_cost.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define RUN   500     /* nanoseconds, of a run */
#define SLICE 3000000 /* of somebody else's turn */

static void expect(const struct run_cost *c, double ns)
{
	assert_float_equal(run_cost_ns(c), ns, 1e-6);
}

static void test_a_turn_of_others_is_none_of_it(void **state)
{
	struct run_cost c = {0};

	(void)state;
	expect(&c, -1);
	assert_false(run_cost_add(&c, 0, 0));
	expect(&c, -1);
	/* nothing else is known yet */
	assert_true(run_cost_add(&c, 30000ULL * RUN + 20ULL * SLICE, 30000));
	expect(&c, (30000.0 * RUN + 20.0 * SLICE) / 30000);
	for (int i = 0; i < 100; i++) {
		assert_false(run_cost_add(&c, 600 * RUN, 600));
		assert_true(run_cost_add(&c, 600 * RUN + SLICE, 600));
		assert_true(run_cost_add(&c, 30000ULL * RUN + 20ULL * SLICE, 30000));
		expect(&c, RUN);
	}
	/* a short turn, as of who reads the sums, in each third */
	for (int i = 0; i < 100; i++)
		run_cost_add(&c, 600 * RUN + (i % 3 ? 0 : 100000), 600);
	expect(&c, RUN);
}

static void test_few_runs_tell_nothing_unless_they_take_long(void **state)
{
	struct run_cost c = {0};

	(void)state;
	run_cost_add(&c, 100 * RUN, 100);
	for (int i = 0; i < 100; i++)
		run_cost_add(&c, 2 * RUN * 7, 7);
	expect(&c, RUN);
	c = (struct run_cost){0};
	for (int i = 0; i < 7; i++)
		assert_false(run_cost_add(&c, 4 * 80000, 4));
	assert_true(run_cost_add(&c, 4 * 80000 + SLICE, 4));
	expect(&c, 80000);
}

static void test_what_is_new_counts(void **state)
{
	struct run_cost c = {0};

	(void)state;
	for (int i = 0; i < 100; i++)
		run_cost_add(&c, 600 * RUN, 600);
	for (int i = 0; i < 4; i++)
		run_cost_add(&c, 600 * RUN * 2, 600);
	expect(&c, 2 * RUN);
	run_cost_forget(&c);
	expect(&c, c.ns); /* of before, as long as nothing else is known: as of one run */
	assert_true(c.ns > RUN && c.ns < 2 * RUN);
	run_cost_add(&c, 600 * RUN / 5, 600);
	expect(&c, RUN / 5.0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_turn_of_others_is_none_of_it),
	    cmocka_unit_test(test_few_runs_tell_nothing_unless_they_take_long),
	    cmocka_unit_test(test_what_is_new_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
