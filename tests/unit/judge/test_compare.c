/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Two reports compared: what is matched by id, what by names, and what counts as a change. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

#include "judge/compare.h"

#define MOST 8
struct side {
	struct report report;
	struct report_site sites[MOST];
	struct report_finding findings[MOST];
	struct frame frames[2 * MOST];
	size_t nr_frames;
};

static void init(struct side *s)
{
	*s = (struct side){.report = {.catalog = &jni_catalog, .elapsed_s = 10}};
	s->report.sites.v = s->sites;
	s->report.findings.v = s->findings;
}

static struct frame *add_frame(struct side *s, const char *symbol, uint64_t offset)
{
	struct frame *f = &s->frames[s->nr_frames++];

	*f = (struct frame){.symbol = symbol, .module = "liba.so", .offset = offset};
	return f;
}

/* Called from symbol at offset; the id is made of the offset, as that of a build is. */
static struct report_site *add(struct side *s, const char *symbol, uint64_t offset, uint64_t outstanding)
{
	struct report_site *site = &s->sites[s->report.sites.n++];

	*site = (struct report_site){.id = offset,
				     .func = FUNC_NewGlobalRef,
				     .acquired = outstanding,
				     .outstanding = outstanding,
				     .frames = {add_frame(s, symbol, offset), 1, 1}};
	return site;
}

static struct report_finding *add_finding(struct side *s, enum finding_kind kind, uint64_t offset,
					  uint64_t count)
{
	struct report_finding *f = &s->findings[s->report.findings.n++];

	*f = (struct report_finding){.kind = kind,
				     .id = offset,
				     .count = count,
				     .func = FUNC_DeleteGlobalRef,
				     .stack = {true, {add_frame(s, "drop", offset), 1, 1}, NULL}};
	return f;
}

static struct comparison compare(const struct side *a, const struct side *b, enum per per)
{
	struct comparison c;

	assert_int_equal(compare_reports(a ? &a->report : NULL, b ? &b->report : NULL, per, &c), 0);
	return c;
}

static void expect(const struct compared *is, enum change change, enum matched how, int64_t delta,
		   bool growth)
{
	assert_string_equal(change_names[is->change], change_names[change]);
	assert_int_equal(is->matched, how);
	assert_int_equal(is->delta, delta);
	assert_int_equal(is->growth, growth);
}

static void test_of_one_build(void **state)
{
	struct comparison c;
	struct side a, b;

	(void)state;
	init(&a);
	init(&b);
	add(&a, "grows", 1, 5);
	add(&a, "stays", 2, 7);
	add(&a, "shrinks", 3, 9);
	add(&a, "goes", 4, 2);
	add(&b, "comes", 5, 3);
	add(&b, "shrinks", 3, 1);
	add(&b, "stays", 2, 7);
	add(&b, "grows", 1, 105);
	c = compare(&a, &b, PER_RUN);
	assert_int_equal(c.sites.n, 5);
	expect(&c.sites.v[0].is, CHANGE_GROWN, MATCHED_ID, 100, true);
	expect(&c.sites.v[1].is, CHANGE_NEW, MATCHED_NOT, 3, true);
	expect(&c.sites.v[2].is, CHANGE_SAME, MATCHED_ID, 0, false);
	expect(&c.sites.v[3].is, CHANGE_GONE, MATCHED_NOT, -2, false);
	expect(&c.sites.v[4].is, CHANGE_SHRUNK, MATCHED_ID, -8, false);
	assert_ptr_equal(c.sites.v[0].a, &a.sites[0]);
	assert_ptr_equal(c.sites.v[0].b, &b.sites[3]);
	assert_null(c.sites.v[1].a);
	assert_null(c.sites.v[3].b);
	assert_true(compare_fails(&c, FAIL_ON_GROWTH) && compare_fails(&c, FAIL_ON_NEW));
	assert_false(compare_fails(&c, FAIL_ON_NEW_FINDING));
	comparison_free(&c);
	c = compare(&b, &b, PER_RUN);
	for (size_t i = 0; i < c.sites.n; i++)
		expect(&c.sites.v[i].is, CHANGE_SAME, MATCHED_ID, 0, false);
	assert_false(compare_fails(&c, FAIL_ON_GROWTH) || compare_fails(&c, FAIL_ON_NEW));
	comparison_free(&c);
}

/* Of a sample, what chance alone may make is no change: neither growth, nor a site that A does not have. */
static void test_of_a_sample(void **state)
{
	struct comparison c;
	struct side a, b;

	(void)state;
	init(&a);
	init(&b);
	a.report.families[FAMILY_GLOBAL].one_in = b.report.families[FAMILY_GLOBAL].one_in = 10;
	add(&a, "grows", 1, 1000); /* +- 205 */
	add(&a, "stays", 2, 1000);
	add(&a, "goes", 3, 20);
	add(&b, "comes", 4, 20);   /* +- 49 */
	add(&b, "stays", 2, 1240); /* +- 226 */
	add(&b, "grows", 1, 1400);
	c = compare(&a, &b, PER_RUN);
	assert_int_equal(c.sites.n, 4);
	expect(&c.sites.v[0].is, CHANGE_GROWN, MATCHED_ID, 400, true);
	for (size_t i = 1; i < 4; i++)
		assert_true(c.sites.v[i].is.change == CHANGE_SAME && !c.sites.v[i].is.growth);
	comparison_free(&c);
	a.report.families[FAMILY_GLOBAL].one_in = b.report.families[FAMILY_GLOBAL].one_in = 0;
	c = compare(&a, &b, PER_RUN);
	expect(&c.sites.v[1].is, CHANGE_GROWN, MATCHED_ID, 240, true);
	assert_true(compare_fails(&c, FAIL_ON_NEW));
	comparison_free(&c);
}

/* Another build: offsets move, names stay. Places in one function are told apart by their order. */
static void test_of_two_builds(void **state)
{
	struct comparison c;
	struct side a, b;

	(void)state;
	init(&a);
	init(&b);
	add(&a, "twice", 0x20, 40);
	add(&a, "twice", 0x10, 2);
	add(&a, "once", 0x30, 5);
	add(&b, "once", 0x130, 5);
	add(&b, "twice", 0x110, 2);
	add(&b, "twice", 0x120, 41);
	c = compare(&a, &b, PER_RUN);
	assert_int_equal(c.sites.n, 3);
	expect(&c.sites.v[0].is, CHANGE_GROWN, MATCHED_NAMES, 1, true);
	assert_int_equal(c.sites.v[0].b->id, 0x120);
	expect(&c.sites.v[1].is, CHANGE_SAME, MATCHED_NAMES, 0, false);
	expect(&c.sites.v[2].is, CHANGE_SAME, MATCHED_NAMES, 0, false);
	comparison_free(&c);
	/* One place more of the same names: which is the new one nobody knows. */
	add(&b, "twice", 0x128, 100);
	c = compare(&a, &b, PER_RUN);
	assert_int_equal(c.sites.n, 2);
	expect(&c.sites.v[0].is, CHANGE_GROWN, MATCHED_NAMES, 101, true);
	assert_true(c.sites.v[0].nr_a == 2 && c.sites.v[0].nr_b == 3);
	assert_int_equal(c.sites.v[0].b->id, 0x128);
	comparison_free(&c);
}

/* Below a Java method, in so many functions more. */
static struct report_site *add_deep(struct side *s, const char *method, const char *symbol, size_t between,
				    uint64_t offset, uint64_t outstanding)
{
	struct report_site *site = add(s, symbol, offset, outstanding);

	for (size_t i = 0; i < between; i++)
		add_frame(s, "between", offset + 0x1000);
	add_frame(s, method, 0)->type = FRAME_JAVA;
	site->frames.n = site->frames.cap = 2 + between;
	return site;
}

/* The compiler has left out frames. Of one build that is another stack. */
static void test_of_other_frames(void **state)
{
	struct report_library of_a[] = {{.module = "liba.so", .build_id = "aa"}};
	struct report_library of_b[] = {{.module = "liba.so", .build_id = "bb"}};
	struct comparison c;
	struct side a, b;

	(void)state;
	init(&a);
	init(&b);
	add_deep(&a, "A.one", "hold", 0, 0x10, 5);
	add_deep(&a, "A.two", "hold", 0, 0x10 + 1, 7);
	add_deep(&a, "A.one", "same", 1, 0x20, 3);
	add_deep(&b, "A.two", "hold", 1, 0x110, 7);
	add_deep(&b, "A.one", "hold", 1, 0x111, 6);
	add_deep(&b, "A.one", "same", 1, 0x120, 3);
	c = compare(&a, &b, PER_RUN);
	assert_int_equal(c.sites.n, 5);
	comparison_free(&c);
	a.report.libraries.v = of_a;
	b.report.libraries.v = of_b;
	a.report.libraries.n = b.report.libraries.n = 1;
	c = compare(&a, &b, PER_RUN);
	assert_int_equal(c.modules.n, 1);
	assert_int_equal(c.sites.n, 3);
	expect(&c.sites.v[0].is, CHANGE_GROWN, MATCHED_CALLER, 1, true);
	assert_int_equal(c.sites.v[0].b->id, 0x111);
	expect(&c.sites.v[1].is, CHANGE_SAME, MATCHED_CALLER, 0, false);
	expect(&c.sites.v[2].is, CHANGE_SAME, MATCHED_NAMES, 0, false);
	comparison_free(&c);
}

/* A call of another function, or of the same from elsewhere, is another site. */
static void test_names_differ(void **state)
{
	struct comparison c;
	struct side a, b;

	(void)state;
	init(&a);
	init(&b);
	add(&a, "here", 1, 5);
	add(&b, "here", 2, 5)->func = FUNC_NewWeakGlobalRef;
	add(&b, "there", 3, 5);
	c = compare(&a, &b, PER_RUN);
	assert_int_equal(c.sites.n, 3);
	comparison_free(&c);
	c = compare(NULL, &b, PER_RUN);
	assert_int_equal(c.sites.n, 2);
	expect(&c.sites.v[0].is, CHANGE_NEW, MATCHED_NOT, 5, true);
	comparison_free(&c);
	c = compare(&a, NULL, PER_SECOND);
	expect(&c.sites.v[0].is, CHANGE_GONE, MATCHED_NOT, -5, false);
	comparison_free(&c);
}

/* Twice the time, or twice the calls, may have twice as many. */
static void test_scaled(void **state)
{
	struct comparison c;
	struct side a, b;

	(void)state;
	init(&a);
	init(&b);
	b.report.elapsed_s = 20;
	add(&a, "leaks", 1, 50);
	add(&b, "leaks", 1, 101)->acquired = 200;
	c = compare(&a, &b, PER_RUN);
	expect(&c.sites.v[0].is, CHANGE_GROWN, MATCHED_ID, 51, true);
	comparison_free(&c);
	c = compare(&a, &b, PER_SECOND);
	expect(&c.sites.v[0].is, CHANGE_GROWN, MATCHED_ID, 1, true);
	comparison_free(&c);
	c = compare(&a, &b, PER_CALL);
	expect(&c.sites.v[0].is, CHANGE_SHRUNK, MATCHED_ID, -99, false);
	comparison_free(&c);
	b.sites[0].outstanding = 100;
	c = compare(&a, &b, PER_SECOND);
	expect(&c.sites.v[0].is, CHANGE_SAME, MATCHED_ID, 0, false);
	comparison_free(&c);
}

/* What comes and goes is not what it is at one moment; a new verdict counts whatever the numbers are. */
static void test_verdicts(void **state)
{
	struct report_site *sa, *sb;
	struct comparison c;
	struct side a, b;

	(void)state;
	init(&a);
	init(&b);
	sa = add(&a, "cache", 1, 4);
	sb = add(&b, "cache", 1, 9);
	sa->verdict = (struct report_verdict){.kind = VERDICT_CLEAN};
	sb->verdict = (struct report_verdict){.kind = VERDICT_BOUNDED};
	c = compare(&a, &b, PER_RUN);
	expect(&c.sites.v[0].is, CHANGE_SAME, MATCHED_ID, 5, false);
	comparison_free(&c);
	sa->verdict.survivors = 300;
	sb->verdict.survivors = 700;
	a.report.families[FAMILY_GLOBAL].one_in = b.report.families[FAMILY_GLOBAL].one_in = 100;
	c = compare(&a, &b, PER_RUN); /* 3 and 7 of those that are followed */
	assert_true(c.sites.v[0].is.change == CHANGE_SAME && !c.sites.v[0].is.growth);
	comparison_free(&c);
	a.report.families[FAMILY_GLOBAL].one_in = b.report.families[FAMILY_GLOBAL].one_in = 0;
	sa->verdict.survivors = 3;
	sb->verdict.survivors = 7;
	c = compare(&a, &b, PER_RUN);
	expect(&c.sites.v[0].is, CHANGE_GROWN, MATCHED_ID, 5, true);
	comparison_free(&c);
	sb->verdict = (struct report_verdict){.kind = VERDICT_GROWING};
	sb->outstanding = 2;
	c = compare(&a, &b, PER_RUN);
	expect(&c.sites.v[0].is, CHANGE_GROWN, MATCHED_ID, -2, true);
	comparison_free(&c);
	sa->verdict = sb->verdict;
	c = compare(&a, &b, PER_RUN);
	expect(&c.sites.v[0].is, CHANGE_SHRUNK, MATCHED_ID, -2, false);
	comparison_free(&c);
	sb->life_unknown = true;
	c = compare(&a, &b, PER_RUN);
	expect(&c.sites.v[0].is, CHANGE_SAME, MATCHED_ID, 0, false);
	assert_true(c.sites.v[0].is.unknown);
	comparison_free(&c);
}

static void test_findings(void **state)
{
	struct comparison c;
	struct side a, b;

	(void)state;
	init(&a);
	init(&b);
	add_finding(&a, FINDING_DOUBLE_DELETE, 1, 5);
	add_finding(&b, FINDING_DOUBLE_DELETE, 2, 5);
	c = compare(&a, &b, PER_RUN);
	assert_int_equal(c.findings.n, 1);
	expect(&c.findings.v[0].is, CHANGE_SAME, MATCHED_NAMES, 0, false);
	assert_false(compare_fails(&c, FAIL_ON_NEW_FINDING));
	comparison_free(&c);
	add_finding(&b, FINDING_KIND_MISMATCH, 2, 1);
	c = compare(&a, &b, PER_RUN);
	assert_int_equal(c.findings.n, 2);
	expect(&c.findings.v[0].is, CHANGE_NEW, MATCHED_NOT, 1, true);
	assert_true(compare_fails(&c, FAIL_ON_NEW_FINDING) && compare_fails(&c, FAIL_ON_NEW));
	assert_false(compare_fails(&c, FAIL_ON_GROWTH));
	comparison_free(&c);
}

static void test_classes(void **state)
{
	static const struct report_class one[] = {{.name = "a.A", .outstanding = 3},
						  {.name = "a.B", .outstanding = 2}};
	static const struct report_class two[] = {{.name = "a.C", .outstanding = 1},
						  {.name = "a.A", .outstanding = 5}};
	struct comparison c;
	struct side a, b;

	(void)state;
	init(&a);
	init(&b);
	add(&a, "f", 1, 5);
	add(&b, "f", 1, 6);
	c = compare(&a, &b, PER_RUN);
	assert_false(c.classes_known);
	comparison_free(&c);
	a.sites[0].classes.v = one;
	b.sites[0].classes.v = two;
	a.sites[0].classes.n = b.sites[0].classes.n = 2;
	a.sites[0].classes.known = b.sites[0].classes.known = true;
	c = compare(&a, &b, PER_RUN);
	assert_true(c.classes_known);
	assert_int_equal(c.classes.n, 3);
	assert_string_equal(c.classes.v[0].name, "a.A");
	expect(&c.classes.v[0].is, CHANGE_GROWN, MATCHED_NAMES, 2, true);
	assert_string_equal(c.classes.v[1].name, "a.C");
	expect(&c.classes.v[1].is, CHANGE_NEW, MATCHED_NOT, 1, true);
	expect(&c.classes.v[2].is, CHANGE_GONE, MATCHED_NOT, -2, false);
	comparison_free(&c);
}

static void test_modules(void **state)
{
	struct report_library one = {.module = "liba.so", .build_id = "aa"},
			      two = {.module = "liba.so", .build_id = "bb"};
	struct comparison c;
	struct side a, b;

	(void)state;
	init(&a);
	init(&b);
	a.report.libraries.v = &one;
	b.report.libraries.v = &two;
	a.report.libraries.n = b.report.libraries.n = 1;
	c = compare(&a, &b, PER_RUN);
	assert_int_equal(c.modules.n, 1);
	assert_string_equal(c.modules.v[0].build_id_b, "bb");
	comparison_free(&c);
	c = compare(&a, &a, PER_RUN);
	assert_int_equal(c.modules.n, 0);
	comparison_free(&c);
}

/* A recording that lies: one id many times, numbers beyond all measure. */
static void test_hostile(void **state)
{
	struct comparison c;
	struct side a, b;

	(void)state;
	init(&a);
	init(&b);
	a.report.elapsed_s = NAN;
	add(&a, "f", 1, 0);
	add(&a, "f", 1, UINT64_MAX);
	add(&b, NULL, 1, UINT64_MAX);
	add(&b, NULL, 2, UINT64_MAX);
	add(&b, NULL, 3, UINT64_MAX)->frames.n = 0;
	for (enum per per = 0; per < NR_PER; per++) {
		c = compare(&a, &b, per);
		assert_true(c.sites.n >= 3);
		comparison_free(&c);
		c = compare(&b, &a, per);
		comparison_free(&c);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_of_one_build), cmocka_unit_test(test_of_two_builds),
	    cmocka_unit_test(test_of_a_sample),  cmocka_unit_test(test_of_other_frames),
	    cmocka_unit_test(test_names_differ), cmocka_unit_test(test_scaled),
	    cmocka_unit_test(test_verdicts),     cmocka_unit_test(test_findings),
	    cmocka_unit_test(test_classes),      cmocka_unit_test(test_modules),
	    cmocka_unit_test(test_hostile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
