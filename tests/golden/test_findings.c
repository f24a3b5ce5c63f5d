/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Verdicts and findings in the views, as test_views.c tests the rest. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "golden.h"
#include "judge/verdicts.h"

/* One site of each verdict, and what that says of the libraries. */
static void test_verdicts(void **state)
{
	static const char *const modules[] = {"libleaky.so", "libclean.so", "libclean.so",
					      "libclean.so", "libleaky.so", "libleaky.so"};
	struct view_opts wide = plain;
	struct report_site *site;
	struct sample s;

	(void)state;
	init_sample(&s);
	trace(&s, FUNC_NewGlobalRef, 1000);
	for (int i = 0; i < NR_VERDICTS; i++) {
		site = add_site(&s, FUNC_NewGlobalRef, 100 + i, i == VERDICT_CLEAN ? 101 : 10);

		add_frame(site, "caller", "caller.c", 10 + i)->module = modules[i];
		site->verdict = (struct report_verdict){.kind = i,
							.confidence = i % 3,
							.per_min = i ? 10.5 * i : NAN,
							.error_per_min = i ? 0.25 : NAN,
							.span_s = 61,
							.survivors = 50};
	}
	/* A native method that left no frame: what is behind its Java frames is not what called. */
	site = add_site(&s, FUNC_NewGlobalRef, 90, 0);
	add_frame(site, "Leaky.add", "Leaky.java", 0)->type = FRAME_JAVA;
	site->frames.v[0].module = NULL;
	add_frame(site, "start_thread", NULL, 0)->module = "libc.so.6";
	site->verdict = (struct report_verdict){
	    .kind = VERDICT_GROWING, .per_min = 9, .error_per_min = 1, .span_s = 61, .same_life_s = 61};
	assert_int_equal(verdicts_sum_up(&s.report), 0);
	assert_int_equal(report_sort(&s.report, NULL), 0);
	expect_table("verdicts-80.txt", &s, &plain);
	wide.width = 132;
	expect_table("verdicts-132.txt", &s, &wide);
	expect_records("verdicts.json", &s, &plain);
	s.sites[0].verdict.kind = VERDICT_CLEAN;
	s.report.sites.n = 1;
	assert_int_equal(verdicts_sum_up(&s.report), 0);
	expect_table("verdicts-clean.txt", &s, &plain);
	/* It takes time, and it is said how much: until then, or that it was too short. */
	s.sites[0].verdict = (struct report_verdict){.ready_in_s = 33.2};
	assert_int_equal(verdicts_sum_up(&s.report), 0);
	expect_table("verdicts-wait.txt", &s, &plain);
	s.report.final = true;
	expect_table("verdicts-short.txt", &s, &plain);
	free(s.report.libraries.v);
}

/* Every kind; in the first all is known, in the last nothing. */
static void test_findings(void **state)
{
	struct report_finding findings[NR_FINDINGS + 1] = {0};
	struct report_holding now[] = {{.tid = 4711, .ms = 12.5}};
	struct report_stalled stalled[] = {
	    {.tid = 4712, .name = "worker-1", .times = 3, .ms = 3000.25, .max_ms = 2900, .own_ms = 3000}};
	const struct report_held held = {
	    .pins = {.direct = 20,
		     .inner = 2,
		     .holds = 17,
		     .hold_ns = 4e9,
		     .cpu_waits_known = true,
		     .hold = {[12] = 16, [22] = 1}},
	    .max_ms = 3021.5,
	    .own_ms = 3020.25,
	    .collector_waits = 1,
	    .calls_inside = 5,
	    .now = {now, 1, 1},
	    .stalled = {stalled, 1, 1},
	};
	struct view_opts o = plain;
	struct sample s;

	(void)state;
	init_leaks(&s);
	for (size_t i = 0; i <= NR_FINDINGS; i++) {
		enum finding_kind kind = i < NR_FINDINGS ? i : FINDING_DOUBLE_DELETE;

		findings[i] = (struct report_finding){.kind = kind, .id = 0xfeed0000 + i, .count = 1};
		findings[i].func = FUNC_NONE;
		findings[i].first_s = findings[i].last_s = -1;
		snprintf(findings[i].text, sizeof(findings[i].text), "%s %s", finding_rows[kind].wrong,
			 finding_rows[kind].todo);
	}
	findings[0].count = 1234;
	findings[0].func = FUNC_DeleteGlobalRef;
	findings[0].first_s = 3;
	findings[0].last_s = 11.5;
	findings[0].handle = 0x7f65a4031c98;
	findings[0].doubt = "calls were missed";
	findings[0].stack = (struct report_stack){true, s.sites[0].frames, s.sites[0].truncated};
	findings[0].acquire = (struct report_stack){true, s.sites[1].frames, NULL};
	findings[0].release = (struct report_stack){true, {0}, "the stack could not be kept"};
	findings[FINDING_HELD_CRITICAL].held = &held;
	s.report.findings.v = findings;
	s.report.findings.n = NR_FINDINGS + 1;
	o.rows = NR_FINDINGS + 1;
	expect_table("findings-80.txt", &s, &o);
	o.width = 132;
	o.color = true;
	expect_table("findings-132.txt", &s, &o);
	o = plain;
	o.height = 24;
	expect_table("findings-height.txt", &s, &o);
	expect_records("findings.json", &s, &plain);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_verdicts),
	    cmocka_unit_test(test_findings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
