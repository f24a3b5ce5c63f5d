/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Monitors and threads that pile up, threads that attach again and again, and who detaches for whom. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/util.h"
#include "judge/aggregate.h"
#include "judge/findings.h"
#include "judge/history_room.h"

#define TICKS_PER_S 10
#define PER_S       5

/* Numbers of call sites, each with a name of its own. */
enum { NOWHERE, MONITOR, ATTACH, DETACH, BY_LIBC, NR_NUMBERS };
static const enum func_id funcs[NR_NUMBERS] = {
    [MONITOR] = FUNC_MonitorEnter,
    [ATTACH] = FUNC_AttachCurrentThread,
    [DETACH] = FUNC_DetachCurrentThread,
    [BY_LIBC] = FUNC_DetachCurrentThread,
};
static struct frame frames[NR_NUMBERS] = {
    [MONITOR] = {.type = FRAME_NATIVE, .symbol = "lock", .module = "libmine.so"},
    [ATTACH] = {.type = FRAME_NATIVE, .symbol = "attach", .module = "libmine.so"},
    [DETACH] = {.type = FRAME_NATIVE, .symbol = "detach", .module = "libother.so"},
    [BY_LIBC] = {.type = FRAME_NATIVE, .symbol = "__nptl_deallocate_tsd", .module = "libc.so.6"},
};

struct world {
	struct snapshot snapshot;
	uint32_t position[NR_NUMBERS];
	struct named_site named[NR_NUMBERS - 1];
	struct site_name by_number[NR_NUMBERS];
	struct named_sites names;
	struct target_counts counts;
	struct history_room histories;
	struct aggregate *aggregate;
	struct report report;
};

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	for (uint32_t i = 1; i < NR_NUMBERS; i++) {
		w->by_number[i].named = i;
		w->named[i - 1] =
		    (struct named_site){.id = 100 + i, .func = funcs[i], .frames = {&frames[i], 1, 1}};
	}
	w->names = (struct named_sites){w->named, NR_NUMBERS - 1, NR_NUMBERS - 1, w->by_number, NR_NUMBERS};
	w->snapshot.nr_index = NR_NUMBERS;
	w->snapshot.position = w->position;
	w->snapshot.tick_s = 1.0 / TICKS_PER_S;
	w->report.catalog = &jni_catalog;
	assert_int_equal(aggregate_new(&jni_catalog, &w->histories, &w->aggregate), 0);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	snapshot_free(&w->snapshot);
	aggregate_free(w->aggregate);
	assert_int_equal(w->histories.whole, 0);
	findings_free(&w->report);
	free(w->report.sites.v);
	free(w->report.libraries.v);
	free(w);
	return 0;
}

static void add_site(struct world *w, uint32_t number, uint64_t acquired, uint64_t released)
{
	struct snapshot_site *s = VEC_ADD(&w->snapshot.sites);

	assert_non_null(s);
	*s = (struct snapshot_site){
	    .index = number, .func = funcs[number], .acquired = acquired, .released = released};
	w->position[number] = (uint32_t)w->snapshot.sites.n;
}

/* Held since then, in seconds. */
static void add_held(struct world *w, uint32_t number, double s)
{
	struct snapshot_held *h = VEC_ADD(&w->snapshot.held);

	assert_non_null(h);
	*h = (struct snapshot_held){number, 1000 + (uint32_t)(s * TICKS_PER_S)};
}

static void report(struct world *w, int t)
{
	const struct aggregate_input in = {.snapshot = &w->snapshot,
					   .counts = &w->counts,
					   .names = &w->names,
					   .families = 1U << FAMILY_MONITOR | 1U << FAMILY_THREAD,
					   .elapsed_s = t};
	const struct findings_input findings = {.names = &w->names, .snapshot = &w->snapshot, .hold_s = 1};

	w->snapshot.now_tick = 1000 + (uint32_t)t * TICKS_PER_S;
	assert_int_equal(aggregate_update(w->aggregate, &in, &w->report), 0);
	assert_int_equal(findings_update(&findings, &w->report), 0);
}

/* Each second some are entered, and of the attached threads as many, of which all but the last few go. */
static void play(struct world *w, int seconds, uint64_t kept)
{
	for (int t = 1; t <= seconds; t++) {
		uint64_t n = (uint64_t)t * PER_S, gone = kept && n > kept ? n - kept : 0;

		w->snapshot.sites.n = w->snapshot.held.n = 0;
		add_site(w, MONITOR, n, gone);
		add_site(w, ATTACH, n, gone);
		for (uint64_t i = gone; i < n; i++) {
			add_held(w, MONITOR, (double)i / PER_S);
			add_held(w, ATTACH, (double)i / PER_S);
		}
		report(w, t);
	}
}

static void test_what_piles_up(void **state)
{
	struct world *w = *state;
	bool told[2] = {false};

	play(w, 60, 0);
	assert_int_equal(w->report.libraries.n, 1);
	assert_int_equal(w->report.libraries.v[0].verdicts[VERDICT_GROWING], 2);
	assert_int_equal(w->report.findings.n, 2);
	for (size_t i = 0; i < 2; i++) {
		const struct report_finding *f = &w->report.findings.v[i];
		bool monitor = f->kind == FINDING_MONITOR_LEAK;

		assert_true(monitor || f->kind == FINDING_THREAD_LEAK);
		assert_string_equal(finding_rows[f->kind].name, "leak");
		assert_int_equal(f->count, 60 * PER_S);
		assert_non_null(strstr(f->text, monitor ? "MonitorExit" : "Detach"));
		assert_non_null(strstr(f->text, " 300 per minute (+-"));
		assert_ptr_equal(f->stack.frames.v, &frames[monitor ? MONITOR : ATTACH]);
		told[monitor] = true;
	}
	assert_true(told[0] && told[1]);
}

static void test_what_comes_and_goes(void **state)
{
	struct world *w = *state;

	play(w, 120, 12);
	assert_int_equal(w->report.findings.n, 0);
	assert_int_equal(w->report.libraries.v[0].verdicts[VERDICT_BOUNDED], 2);
}

static void test_churn(void **state)
{
	static const struct {
		uint64_t again, most, most_all, span_s;
		double per_s;                    /* 0: no finding */
	} cases[] = {{500, 500, 500, 0, 500},    /* all within a moment */
		     {5000, 600, 600, 10, 500},  /* for long */
		     {1000, 21, 21, 50, 20},     /* slowly */
		     {5000, 10, 500, 10, 500},   /* a pool of fifty */
		     {49, 49, 49, 0, 0},         /* once */
		     {100000, 19, 49, 9000, 0}}; /* now and then, by many threads */
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct snapshot_churn *c = VEC_ADD(&w->snapshot.churns);
		const struct report_finding *f;

		assert_non_null(c);
		*c = (struct snapshot_churn){ATTACH,
					     {.again = cases[i].again,
					      .pairs = cases[i].again / 2,
					      .ns = cases[i].again / 2 * 80000,
					      .first_ns = 7000000000,
					      .last_ns = 7000000000 + cases[i].span_s * 1000000000,
					      .most = cases[i].most,
					      .most_all = cases[i].most_all}};
		report(w, 1);
		assert_int_equal(w->report.findings.n, cases[i].per_s > 0);
		if (cases[i].per_s > 0) {
			f = &w->report.findings.v[0];
			assert_int_equal(f->count, cases[i].again);
			assert_true(f->per_s == cases[i].per_s);
			assert_float_equal(f->cost_ms_per_s, cases[i].per_s * 0.08, 1e-9);
			assert_non_null(strstr(f->text, ": 80.0 us each time"));
		}
		w->snapshot.churns.n = 0;
	}
}

static void test_foreign_detach(void **state)
{
	struct world *w = *state;

	for (uint32_t by = DETACH; by <= BY_LIBC; by++) {
		struct snapshot_finding *f = VEC_ADD(&w->snapshot.findings);

		assert_non_null(f);
		*f = (struct snapshot_finding){
		    .key = {.kind = FINDING_FOREIGN_DETACH, .site = by, .acquire_site = ATTACH},
		    .f = {.count = 3}};
	}
	report(w, 1);
	assert_int_equal(w->report.findings.n, 1);
	assert_ptr_equal(w->report.findings.v[0].stack.frames.v, &frames[DETACH]);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_what_piles_up),
	    TEST(test_what_comes_and_goes),
	    TEST(test_churn),
	    TEST(test_foreign_detach),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
