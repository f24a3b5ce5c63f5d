/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* When the agent traces a JVM: growth once and then not for a while, a schedule that hosts share out,
 * requests at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/util.h"
#include "judge/suspicion.h"

static const struct window_rules rules = {.rest_s = 600, .spread_s = 30};

static void test_growth_opens_one_and_rests(void **state)
{
	struct suspicion s = suspicion_begin(0.5, 1000);

	(void)state;
	assert_int_equal(suspicion_due(&s, &rules, 1e6), WINDOW_NONE);
	suspicion_grows(&s, true, 1010);
	suspicion_grows(&s, true, 1020); /* it is the first time that counts */
	assert_int_equal(suspicion_due(&s, &rules, 1024.9), WINDOW_NONE);
	assert_int_equal(suspicion_due(&s, &rules, 1025), WINDOW_GROWTH);
	suspicion_opened(&s, 1025);
	suspicion_ended(&s, 1055);
	assert_int_equal(suspicion_due(&s, &rules, 1654.9), WINDOW_NONE);
	assert_int_equal(suspicion_due(&s, &rules, 1655), WINDOW_GROWTH);
	suspicion_grows(&s, false, 1656);
	assert_int_equal(suspicion_due(&s, &rules, 1e6), WINDOW_NONE);
}

static void test_growth_that_stops_before_its_turn_opens_none(void **state)
{
	struct suspicion s = suspicion_begin(0.9, 0);

	(void)state;
	suspicion_grows(&s, true, 10);
	suspicion_grows(&s, false, 20);
	suspicion_grows(&s, true, 30);
	assert_int_equal(suspicion_due(&s, &rules, 56.9), WINDOW_NONE);
	assert_int_equal(suspicion_due(&s, &rules, 57), WINDOW_GROWTH);
}

/* How many windows a day, and the first of them, of a JVM with this place. */
static size_t windows_of_a_day(double share, double *first_s)
{
	const struct window_rules hourly = {.every_s = 3600};
	struct suspicion s = suspicion_begin(share, 100);
	size_t n = 0;

	for (double now_s = 100; now_s < 100 + 86400; now_s += 10) {
		if (suspicion_due(&s, &hourly, now_s) != WINDOW_SCHEDULE)
			continue;
		if (!n++)
			*first_s = now_s;
		suspicion_opened(&s, now_s);
		suspicion_ended(&s, now_s + 30);
	}
	return n;
}

static void test_each_once_in_its_time_and_not_all_at_once(void **state)
{
	double first_s = 0;

	(void)state;
	for (int i = 0; i < 10; i++) {
		assert_int_equal(windows_of_a_day(i / 10.0, &first_s), 24);
		assert_true(first_s >= (i ? i * 360 : 3600) && first_s < (i ? i * 360 : 3600) + 10);
	}
}

static void test_who_asks_does_not_wait(void **state)
{
	struct suspicion s = suspicion_begin(0.9, 0);

	(void)state;
	suspicion_grows(&s, true, 1);
	s.asked = true;
	assert_int_equal(suspicion_due(&s, &rules, 2), WINDOW_REQUEST);
	suspicion_opened(&s, 2);
	suspicion_ended(&s, 3);
	assert_int_equal(suspicion_due(&s, &rules, 300),
			 WINDOW_NONE); /* which was not growth's own, and says as much */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_growth_opens_one_and_rests),
	    cmocka_unit_test(test_growth_that_stops_before_its_turn_opens_none),
	    cmocka_unit_test(test_each_once_in_its_time_and_not_all_at_once),
	    cmocka_unit_test(test_who_asks_does_not_wait),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
