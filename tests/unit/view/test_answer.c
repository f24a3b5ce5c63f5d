/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* When will it hurt, and why. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "view/answer.h"

/* A site that grows by 300 a minute, and another one by 60. */
struct leaking {
	struct report_site sites[3];
	struct report report;
	const struct report *reports[1];
};

static void make(struct leaking *l, struct vm_limit limit)
{
	*l = (struct leaking){
	    .sites =
		{
		    {.func = FUNC_NewGlobalRef,
		     .outstanding = 50,
		     .verdict = {.kind = VERDICT_GROWING, .per_min = 60, .error_per_min = NAN}},
		    {.func = FUNC_NewGlobalRef,
		     .outstanding = 500,
		     .verdict = {.kind = VERDICT_GROWING, .per_min = 300, .error_per_min = NAN}},
		    {.func = FUNC_NewWeakGlobalRef,
		     .outstanding = 9,
		     .verdict = {.kind = VERDICT_GROWING, .per_min = 9, .error_per_min = NAN}},
		},
	    .report = {.catalog = &jni_catalog, .target.vm = "ART"},
	};
	l->report.sites.v = l->sites;
	l->report.sites.n = ARRAY_LEN(l->sites);
	l->report.families[FAMILY_GLOBAL] =
	    (struct report_family){.traced = true, .vm_total = 1000, .limit = limit};
	l->report.families[FAMILY_WEAK] =
	    (struct report_family){.traced = true, .vm_total = -1, .outstanding = 9, .before_attach = 1};
	l->reports[0] = &l->report;
}

static void expect(const struct leaking *l, const char *when, const char *why, const char *in_answer)
{
	struct buf b = {0}, reason = {0}, answer = {0};

	assert_int_equal(view_forecast(&b, &l->report, &l->sites[1]), *when != 0);
	view_limit(&reason, &l->report, &l->sites[1]);
	assert_string_equal(b.p ?: "", when);
	assert_string_equal(reason.p ?: "", why);
	assert_int_equal(view_answer(&answer, l->reports, 1), ANSWER_LEAK);
	assert_non_null(strstr(answer.p, in_answer));
	buf_free(&b);
	buf_free(&reason);
	buf_free(&answer);
}

static void test_a_limit(void **state)
{
	struct leaking l;

	(void)state;
	/* 50,200 more, at 360 a minute. */
	make(&l, (struct vm_limit){.known = true, .most = 51200, .then = "it aborts", .slot_bytes = 16});
	expect(&l, "51,200 in 2h19m",
	       "ART has room for 51,200 global references, 1,000 are taken; beyond that it aborts",
	       "+300/min of +369/min in all, 51,200 in 2h19m; 3/3 sites");
	/* It has been passed: of another count than ours. */
	l.report.families[FAMILY_GLOBAL].vm_total = 60000;
	expect(&l, "51,200 in 0.0s",
	       "ART has room for 51,200 global references, 60,000 are taken; beyond that it aborts",
	       ", 51,200 in 0.0s;");
}

static void test_a_limit_of_each_thread(void **state)
{
	struct leaking l;

	(void)state;
	make(&l, (struct vm_limit){.known = true, .most = 800, .per_thread = true});
	expect(&l, "800 in 1m00s", "ART has room for 800 global references in each thread, 500 are taken",
	       ", 800 in 1m00s;");
}

static void test_no_limit(void **state)
{
	struct leaking l;

	(void)state;
	make(&l, (struct vm_limit){.known = true, .slot_bytes = 8});
	expect(&l, "168.8 KB/h + objects",
	       "ART has no limit of global references, each takes 8 bytes, all 7.8 KB; how large their "
	       "objects are is not known",
	       "+300/min of +369/min in all, 168.8 KB/h + objects; 3/3 sites");
	make(&l, (struct vm_limit){.known = true});
	expect(&l, "", "ART has no limit of global references", "+300/min of +369/min in all; 3/3 sites");
}

/* Nothing is invented. */
static void test_unknown(void **state)
{
	struct leaking l;

	(void)state;
	make(&l, (struct vm_limit){0});
	expect(&l, "", "", "+300/min of +369/min in all; 3/3 sites");
}

static void expect_answer(const struct leaking *l, enum answer_kind kind, const char *text)
{
	struct buf b = {0};

	assert_int_equal(view_answer(&b, l->reports, 1), kind);
	assert_string_equal(b.p ?: "", text);
	buf_free(&b);
}

/* All of them become so. */
static void judge(struct leaking *l, enum site_verdict kind, uint64_t held, double ready_in_s, double span_s)
{
	for (size_t i = 0; i < ARRAY_LEN(l->sites); i++) {
		l->sites[i].outstanding = held;
		l->sites[i].verdict = (struct report_verdict){.kind = kind,
							      .per_min = NAN,
							      .error_per_min = NAN,
							      .ready_in_s = ready_in_s,
							      .span_s = span_s};
	}
}

/* What is not known is never said to be clean. */
static void test_what_is_owed(void **state)
{
	struct leaking l;

	(void)state;
	make(&l, (struct vm_limit){0});
	judge(&l, VERDICT_UNKNOWN, 5, 34.2, 11);
	expect_answer(&l, ANSWER_WAIT, "judging, 35 s more");
	l.report.final = true;
	expect_answer(&l, ANSWER_WAIT, "not judged: 35 s more would tell");
	judge(&l, VERDICT_UNKNOWN, 0, 34.2, 11);
	expect_answer(&l, ANSWER_WAIT, "not judged: 35 s more would tell");
	judge(&l, VERDICT_UNKNOWN, 5, 0, 60);
	expect_answer(&l, ANSWER_UNCLEAR, "3 of 3 sites grow, but not steadily: needs more time");
	judge(&l, VERDICT_UNKNOWN, 5, NAN, 0);
	expect_answer(&l, ANSWER_UNCLEAR, "3 of 3 sites hold some, not judged yet");
	judge(&l, VERDICT_BOUNDED, 5, 0, 60);
	expect_answer(&l, ANSWER_CLEAN, "nothing grows: 3 sites, 3 still hold 15, seen for 1m00s");
	/* A new site is owed a verdict as long as it holds something. */
	l.sites[1].verdict = (struct report_verdict){.ready_in_s = 20};
	expect_answer(&l, ANSWER_WAIT, "not judged: 20 s more would tell");
	l.sites[1].outstanding = 0;
	expect_answer(&l, ANSWER_CLEAN, "nothing grows: 3 sites, 2 still hold 10, seen for 1m00s");
	l.report.sites.n = 0;
	expect_answer(&l, ANSWER_IDLE, "nothing acquired since attach");
}

/* Whose it is: of who called, or of who had acquired what was misused otherwise; of a script its line. */
static void test_whose(void **state)
{
	struct frame native = {.module = "libcodec.so", .symbol = "codec::Text::read(int)"};
	struct frame script = {.type = FRAME_SCRIPT, .symbol = "preview", .file = "gallery.rb", .line = 7};
	struct report_finding freed = {.kind = FINDING_WRONG_DEALLOCATOR, .count = 3};
	struct leaking l;

	(void)state;
	make(&l, (struct vm_limit){0});
	l.sites[1].frames = (struct frames){.v = &script, .n = 1};
	expect(&l, "", "", "preview gallery.rb:7 +300/min of +369/min in all; 3/3 sites; NewGlobalRef");
	judge(&l, VERDICT_BOUNDED, 5, 0, 60);
	l.report.findings.v = &freed;
	l.report.findings.n = 1;
	expect_answer(&l, ANSWER_MISUSE, "wrong-deallocator 3 times; no leak known");
	freed.acquire = (struct report_stack){.known = true, .frames = {.v = &native, .n = 1}};
	expect_answer(&l, ANSWER_MISUSE,
		      "wrong-deallocator 3 times of libcodec.so Text::read; no leak known");
	freed.stack = (struct report_stack){.known = true, .frames = {.v = &script, .n = 1}};
	expect_answer(&l, ANSWER_MISUSE, "wrong-deallocator 3 times by preview gallery.rb:7; no leak known");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_limit),      cmocka_unit_test(test_a_limit_of_each_thread),
	    cmocka_unit_test(test_no_limit),     cmocka_unit_test(test_unknown),
	    cmocka_unit_test(test_what_is_owed), cmocka_unit_test(test_whose),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
