/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What probes may take: a storm is over it at once, what stays below never is, what is a little above some
 * time later. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "judge/allowance.h"

/* Seconds until 1 % of a CPU is exceeded by what takes so much of one, looked at 50 times a second; 0: never,
 * in an hour. */
static double over_after_s(double takes)
{
	struct allowance a = allowance_begin(0.01, 0);

	for (uint64_t look = 1; look <= 50 * 3600; look++)
		if (!allowance_take(&a, takes * 20e6, look * 20000000))
			return (double)look / 50;
	return 0;
}

static void test_storm(void **state)
{
	(void)state;
	assert_true(over_after_s(4) == 0.02); /* four threads that do nothing else */
	assert_true(over_after_s(1) <= 0.06);
}

static void test_share(void **state)
{
	(void)state;
	assert_true(over_after_s(0) == 0 && over_after_s(0.0099) == 0);
	assert_true(over_after_s(0.02) > 4.5 && over_after_s(0.02) < 5.5);
	assert_true(over_after_s(0.011) > 45 && over_after_s(0.011) < 55);
}

/* What was not taken for an hour is not there to be taken at once. */
static void test_nothing_is_saved_up(void **state)
{
	struct allowance a = allowance_begin(0.01, 0);

	(void)state;
	assert_true(allowance_take(&a, 0, 3600ULL * 1000000000));
	assert_true(allowance_take(&a, 40e6, 3601ULL * 1000000000));
	assert_false(allowance_take(&a, 40e6, 3601ULL * 1000000000));
	assert_true(allowance_take(&a, 0, 3610ULL * 1000000000)); /* by then it was earned */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_storm),
	    cmocka_unit_test(test_share),
	    cmocka_unit_test(test_nothing_is_saved_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
