/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* How fast each thread's part of a site grows: of late, and at the end over the whole run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "judge/thread_pace.h"

static double rate(struct report_thread *t, struct thread_pace *p, double elapsed_s, uint64_t outstanding)
{
	t->outstanding = outstanding;
	thread_paces(t, p, 1, elapsed_s, false, 1);
	return t->rate_per_s;
}

static void test_of_late(void **state)
{
	struct report_thread t = {0};
	struct thread_pace p = thread_pace_begin(0, 0);

	(void)state;
	assert_true(rate(&t, &p, 0, 7) == 0); /* no time has passed */
	for (int s = 1; s <= 60; s++)
		assert_true(rate(&t, &p, s, 10 * (uint64_t)s) == 10);
	for (int s = 61; s <= 90; s++) /* it has stopped */
		assert_true(rate(&t, &p, s, 600) <= 10);
	for (int s = 91; s <= 120; s++) /* and that is known after two parts of its time */
		assert_true(rate(&t, &p, s, 600) == 0);
	for (int s = 121; s <= 180; s++)
		rate(&t, &p, s, 600 - 5 * ((uint64_t)s - 120));
	assert_true(t.rate_per_s == -5 && t.paced);
}

static void test_at_the_end(void **state)
{
	struct report_thread t = {0};
	struct thread_pace p = thread_pace_begin(0, 0);

	(void)state;
	for (int s = 1; s <= 60; s++)
		rate(&t, &p, s, 600);
	assert_true(t.rate_per_s == 0);
	thread_paces(&t, &p, 1, 60, true, 1);
	assert_true(t.rate_per_s == 10);
}

/* What is of no thread was there before threads were told apart; one that comes later has had less time. */
static void test_that_came_later(void **state)
{
	struct report_thread t[2] = {{.outstanding = 100}, {.outstanding = 40}};
	struct thread_pace p[2] = {thread_pace_begin(100, 20), thread_pace_begin(0, 20)};

	(void)state;
	thread_paces(t, p, 2, 24, false, 1);
	assert_true(t[0].rate_per_s == 0 && t[1].rate_per_s == 10);
	thread_paces(t, p, 2, 24, false, 8); /* one in eight is followed */
	assert_true(t[0].rate_per_s == 0 && t[1].rate_per_s == 80);
}

static void test_not_known(void **state)
{
	struct report_thread t = {.outstanding = 40, .life_unknown = true};
	struct thread_pace p = thread_pace_begin(0, 0);

	(void)state;
	thread_paces(&t, &p, 1, 10, false, 1);
	assert_false(t.paced);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_of_late),
	    cmocka_unit_test(test_at_the_end),
	    cmocka_unit_test(test_that_came_later),
	    cmocka_unit_test(test_not_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
