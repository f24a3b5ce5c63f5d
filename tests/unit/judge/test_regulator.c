/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What is done when probes take more than they may: one of more handles is followed while that helps, and
 * less when there is room again; what can never be borne ends at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/util.h"
#include "judge/regulator.h"

#define LOOK_NS 20000000ULL /* from look to look */
#define SHARE   0.01

/* Looked at 50 times a second. */
struct world {
	struct regulator r;
	uint64_t now_ns;
	double traps, rest; /* shares of a CPU; the latter of what is followed at level 0 */
	unsigned changes;
};

static struct world begin(double traps, double rest, unsigned levels)
{
	return (struct world){regulator_begin(SHARE, levels, 0), 0, traps, rest, 0};
}

/* false: over. */
static bool live(struct world *w, double seconds)
{
	uint64_t end_ns = w->now_ns + (uint64_t)(seconds * 1e9);

	while (w->now_ns < end_ns) {
		double least_ns = w->traps * (double)LOOK_NS,
		       ns = least_ns + w->rest / (1U << w->r.level) * (double)LOOK_NS;

		w->now_ns += LOOK_NS;
		/* what a call takes is known some time later */
		switch (regulator_take(&w->r, ns, least_ns, w->now_ns - w->r.changed_ns > 5 * LOOK_NS,
				       w->now_ns)) {
		case REGULATED_OVER:
			return false;
		case REGULATED_CHANGED:
			w->changes++;
			break;
		default:
			break;
		}
	}
	return true;
}

static void test_doubles_while_it_helps(void **state)
{
	struct world w = begin(0.005, 0.03, JT_SAMPLE_LEVELS);

	(void)state;
	assert_true(live(&w, 30));
	assert_int_equal(w.r.level, 3); /* 0.005 + 0.03 / 8 is the first below 0.01 */
	assert_true(live(&w, 300));
	assert_int_equal(w.r.level, 3);
	assert_int_equal(w.changes, 3);
}

/* A storm is over at its first look; what is a little too much at every level, at the last one. */
static void test_what_is_not_to_be_borne(void **state)
{
	struct world storm = begin(4, 1, JT_SAMPLE_LEVELS), traps = begin(0.02, 0.005, JT_SAMPLE_LEVELS),
		     rest = begin(0.0099, 0.4, JT_SAMPLE_LEVELS), exact = begin(0.005, 0.015, 1);

	(void)state;
	assert_false(live(&storm, 0.02));
	assert_false(live(&traps, 6)); /* of the traps alone, as if there were nothing else */
	assert_false(live(&rest, 60));
	assert_int_equal(rest.r.level, JT_SAMPLE_LEVELS - 1);
	assert_false(live(&exact, 6));
	assert_int_equal(exact.changes, 0);
}

static void test_below_nothing_changes(void **state)
{
	struct world w = begin(0.005, 0.0049, JT_SAMPLE_LEVELS);

	(void)state;
	assert_true(live(&w, 600));
	assert_int_equal(w.changes, 0);
}

/* A level each 10 s, once there is room. */
static void test_goes_back(void **state)
{
	struct world w = begin(0.005, 0.03, JT_SAMPLE_LEVELS);

	(void)state;
	assert_true(live(&w, 30));
	w.traps = w.rest = 0;
	assert_true(live(&w, 3 * REGULATOR_WAIT_S + 1));
	assert_int_equal(w.r.level, 0);
	assert_int_equal(w.changes, 6);
	assert_true(live(&w, 600));
	assert_int_equal(w.changes, 6);
}

/* Nothing is gone back that would be too much again: what each level takes is known. */
static void test_no_flicker(void **state)
{
	struct world w = begin(0.004, 0.008, JT_SAMPLE_LEVELS);

	(void)state;
	assert_true(
	    live(&w, 3600)); /* level 0 takes 0.012, level 1 0.008: 0.8 of what is allowed, and no less */
	assert_int_equal(w.r.level, 1);
	assert_int_equal(w.changes, 1);
	w.traps = 0.0026;
	w.rest = 0.0052; /* in level 0: 0.0078 */
	assert_true(live(&w, 3600));
	assert_int_equal(w.r.level, 0);
	assert_int_equal(w.changes, 2);
}

/* Load that comes and goes: what was gone back in vain is not again for longer and longer. */
static void test_in_vain(void **state)
{
	struct world w = begin(0.005, 0.03, JT_SAMPLE_LEVELS);

	(void)state;
	for (int i = 0; i < 60; i++) { /* half an hour */
		w.traps = i % 2 ? 0 : 0.005;
		w.rest = i % 2 ? 0 : 0.03;
		assert_true(live(&w, 30));
	}
	printf("%u changes\n", w.changes);
	assert_true(w.changes <= 40); /* 6 in each minute, if it waited for 10 s each time */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_doubles_while_it_helps),
	    cmocka_unit_test(test_what_is_not_to_be_borne),
	    cmocka_unit_test(test_below_nothing_changes),
	    cmocka_unit_test(test_goes_back),
	    cmocka_unit_test(test_no_flicker),
	    cmocka_unit_test(test_in_vain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
