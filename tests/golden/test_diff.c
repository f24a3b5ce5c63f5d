/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Comparisons of reports made by hand, in every format that has them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "export/formats.h"
#include "golden.h"
#include "judge/compare.h"
#include "view/diff.h"

static struct sample a, b;
static struct report_finding of_a[1], of_b[2];
static struct frame place = {
    .symbol = "Java_Leaky_drop", .module = "libleaky.so", .offset = 0x1999, .file = "leaky.c", .line = 77};

static void set(struct report_site *s, uint64_t id, uint64_t outstanding, enum site_verdict verdict)
{
	s->id = id;
	s->outstanding = outstanding;
	s->verdict.kind = verdict;
}

static struct report_finding finding(enum finding_kind kind, uint64_t id, uint64_t count)
{
	return (struct report_finding){
	    .kind = kind,
	    .id = id,
	    .count = count,
	    .func = FUNC_DeleteGlobalRef,
	    .first_s = 1,
	    .last_s = 2,
	    .stack = {.known = true, .frames = {&place, 1, 1}},
	};
}

/* A, and B of another build: one site grown, one shrunk, one gone, one new, two the same; two findings new.
 */
static void init(bool other_build)
{
	static struct report_library one = {.module = "libleaky.so",
					    .build_id = "00112233445566778899aabbccddeeff00112233"};
	static struct report_library two = {.module = "libleaky.so",
					    .build_id = "99112233445566778899aabbccddeeff00112233"};
	static const struct report_class were[] = {{.name = "java.lang.String", .outstanding = 1197}};
	static const struct report_class are[] = {{.name = "java.lang.String", .outstanding = 4200},
						  {.name = "com.acme.Order", .outstanding = 300}};
	struct report_site *s;

	init_leaks(&a);
	init_leaks(&b);
	set(&a.sites[2], 0x10, 1197, VERDICT_BOUNDED);
	set(&b.sites[2], other_build ? 0x910 : 0x10, 4500, VERDICT_GROWING);
	set(&a.sites[0], 0x20, 602, VERDICT_CACHED);
	set(&b.sites[0], other_build ? 0x920 : 0x20, 2, VERDICT_CACHED);
	set(&a.sites[1], 0x30, 0, VERDICT_CLEAN);
	set(&b.sites[1], other_build ? 0x930 : 0x30, 0, VERDICT_CLEAN);
	s = add_site(&a, FUNC_NewGlobalRef, 8, 0);
	set(s, 0x40, 8, VERDICT_CACHED);
	add_frame(s, "Java_Leaky_old", "/src/demo/leaky.c", 91);
	s = add_site(&b, FUNC_NewGlobalRef, 31, 0);
	set(s, 0x50, 31, VERDICT_UNKNOWN);
	add_frame(s, "Java_Leaky_fresh", "/src/demo/leaky.c", 95);
	add_frame(s, "com.acme.Main.main", "Main.java", 3)->type = FRAME_JAVA;
	a.sites[2].classes.v = were;
	a.sites[2].classes.n = 1;
	b.sites[2].classes.v = are;
	b.sites[2].classes.n = 2;
	a.sites[2].classes.known = b.sites[2].classes.known = true;
	for (size_t i = 0; other_build && i < b.report.sites.n; i++)
		b.frames[i][0].offset += 0x100;
	b.report.elapsed_s = 24.008;
	b.report.target.pid = 4321;
	a.report.libraries.v = &one;
	b.report.libraries.v = other_build ? &two : &one;
	a.report.libraries.n = b.report.libraries.n = 1;
	of_a[0] = finding(FINDING_DOUBLE_DELETE, 7, 3);
	of_b[0] = finding(FINDING_DOUBLE_DELETE, other_build ? 8 : 7, 3);
	of_b[1] = finding(FINDING_KIND_MISMATCH, 9, 1);
	a.report.findings.v = of_a;
	a.report.findings.n = 1;
	b.report.findings.v = of_b;
	b.report.findings.n = 2;
}

static void expect_diff(const char *name, const char *format, enum per per, const struct view_opts *o)
{
	const struct comparison *list[1];
	struct comparison c;
	struct buf out = {0};

	assert_int_equal(compare_reports(&a.report, &b.report, per, &c), 0);
	c.a.file = "old.jtr";
	c.b.file = "new.jtr";
	c.a.version = c.b.version = "0.1.0";
	list[0] = &c;
	format_find(format)->diff(&out, list, 1, o);
	if (!strcmp(format, "table"))
		expect_width(&out, o->width);
	expect_golden(name, &out);
	comparison_free(&c);
}

static void test_table(void **state)
{
	struct view_opts o = plain;

	(void)state;
	init(false);
	expect_diff("diff-80.txt", "table", PER_RUN, &o);
	a.report.families[FAMILY_GLOBAL].one_in = b.report.families[FAMILY_GLOBAL].one_in = 10;
	expect_diff("diff-sampled.txt", "table", PER_RUN, &o);
	init(true);
	expect_diff("diff-builds-80.txt", "table", PER_RUN, &o);
	o.all = true;
	o.width = 132;
	expect_diff("diff-builds-132.txt", "table", PER_SECOND, &o);
	o.group_by = GROUP_CLASS;
	o.rows = 1;
	expect_diff("diff-class.txt", "table", PER_RUN, &o);
}

static void test_narrow(void **state)
{
	struct view_opts o = plain;

	(void)state;
	init(true);
	for (o.width = VIEW_MIN_WIDTH + 30; o.width < 90; o.width++) {
		const struct comparison *list[1];
		struct comparison c;
		struct buf out = {0};

		assert_int_equal(compare_reports(&a.report, &b.report, PER_CALL, &c), 0);
		list[0] = &c;
		view_diff_table(&out, list, 1, &o);
		expect_width(&out, o.width);
		buf_free(&out);
		comparison_free(&c);
	}
}

static void test_one_side(void **state)
{
	struct comparison c, d;
	const struct comparison *list[] = {&c, &d};
	struct buf out = {0};

	(void)state;
	init(false);
	assert_int_equal(compare_reports(NULL, &b.report, PER_RUN, &c), 0);
	assert_int_equal(compare_reports(&a.report, NULL, PER_RUN, &d), 0);
	view_diff_table(&out, list, 2, &plain);
	expect_golden("diff-one-side.txt", &out);
	for (size_t i = 0; i < nr_formats; i++)
		if (formats[i].diff) {
			formats[i].diff(&out, list, 2, &plain);
			assert_false(out.failed);
			buf_free(&out);
		}
	comparison_free(&c);
	comparison_free(&d);
}

static void test_for_programs(void **state)
{
	struct view_opts o = plain;

	(void)state;
	init(true);
	expect_diff("diff.json", "json", PER_SECOND, &o);
	expect_diff("diff.csv", "csv", PER_RUN, &o);
	o.group_by = GROUP_CLASS;
	expect_diff("diff-class.csv", "csv", PER_RUN, &o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_table),
	    cmocka_unit_test(test_narrow),
	    cmocka_unit_test(test_one_side),
	    cmocka_unit_test(test_for_programs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
