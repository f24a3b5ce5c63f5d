/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The formats for other programs, and what every row of the table of formats must keep to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "export/formats.h"
#include "golden.h"

static void test_folded(void **state)
{
	struct view_opts o = plain;
	struct buf out = {0};
	struct sample s;

	(void)state;
	init_hostile(&s);
	write_all(format_find("folded"), &s, &o, &out);
	expect_golden("folded.txt", &out);
	o.stacks = STACKS_JAVA;
	write_all(format_find("folded"), &s, &o, &out);
	expect_golden("folded-java.txt", &out);
	o.stacks = STACKS_MIXED;
	s.report.count_only = true;
	write_all(format_find("folded"), &s, &o, &out);
	expect_golden("folded-count-only.txt", &out);
}

static void test_csv(void **state)
{
	struct buf out = {0};
	struct sample s;

	(void)state;
	init_hostile(&s);
	write_all(format_find("csv"), &s, &plain, &out);
	expect_golden("sites.csv", &out);
	s.report.count_only = true;
	write_all(format_find("csv"), &s, &plain, &out);
	expect_golden("sites-count-only.csv", &out);
}

/* The fields of each record, by RFC 4180: quoted ones may hold commas, quotes twice, and no record is cut. */
static void test_csv_records(void **state)
{
	size_t fields = 1, records = 0, wanted = 0;
	bool quoted = false;
	struct buf out = {0};
	struct sample s;

	(void)state;
	init_hostile(&s);
	write_all(format_find("csv"), &s, &plain, &out);
	for (const char *c = out.p; *c; c++) {
		quoted ^= *c == '"';
		fields += !quoted && *c == ',';
		if (quoted || *c != '\n')
			continue;
		assert_int_equal(c[-1], '\r');
		wanted = wanted ?: fields;
		assert_int_equal(fields, wanted);
		fields = 1;
		records++;
	}
	assert_false(quoted);
	assert_int_equal(records, 1 + 2 * s.report.sites.n);
	buf_free(&out);
}

/* Of nothing, and of several targets at once, every format makes something that ends its lines. */
static void test_every_format(void **state)
{
	struct sample a, b;
	const struct report *const reports[] = {&a.report, &b.report};

	(void)state;
	for (size_t i = 0; i < nr_formats; i++) {
		const struct format *f = &formats[i];
		struct buf one = {0}, two = {0};
		void *kept = NULL;

		assert_ptr_equal(format_find(f->name), f);
		assert_non_null(f->help);
		init_sample(&a);
		write_all(f, &a, &plain, &one);
		assert_true(f->binary || !one.n || one.p[one.n - 1] == '\n');
		init_leaks(&a);
		init_hostile(&b);
		a.report.final = b.report.final = true;
		if (f->begin)
			f->begin(&kept, &two);
		f->reports(kept, &two, reports, 2, &plain);
		if (f->end)
			f->end(kept, &two);
		assert_true(two.n > one.n);
		if (!f->binary) {
			assert_true(two.p[two.n - 1] == '\n');
			assert_int_equal(strlen(two.p), two.n);
		}
		buf_free(&one);
		buf_free(&two);
	}
	assert_null(format_find("html5"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_folded),
	    cmocka_unit_test(test_csv),
	    cmocka_unit_test(test_csv_records),
	    cmocka_unit_test(test_every_format),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
