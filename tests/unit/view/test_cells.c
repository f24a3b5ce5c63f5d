/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Text and numbers as they stand in a terminal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "view/cells.h"

static void expect_text(struct buf *b, const char *want)
{
	assert_string_equal(b->p, want);
	buf_free(b);
}

static void test_numbers(void **state)
{
	static const struct {
		double n;
		const char *rate, *age;
	} rows[] = {
	    {0, "0/s", "0.0s"},
	    {0.00001, "+1e-05/s", "0.0s"},
	    {0.05, "+0.050/s", "0.1s"},
	    {4.24, "+4.2/s", "4.2s"},
	    {59.96, "+60.0/s", "1m00s"},
	    {99.83, "+99.8/s", "1m40s"},
	    {192.4, "+192.4/s", "3m12s"},
	    {999.96, "+1,000/s", "16m40s"},
	    {3599.7, "+3,600/s", "1h00m"},
	    {7505.3, "+7,505/s", "2h05m"},
	    {86400, "+86,400/s", "1d00h"},
	    {-1234567, "-1,234,567/s", "-"},
	    {NAN, "?", "-"},
	};
	struct buf b = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		fmt_rate(&b, rows[i].n);
		expect_text(&b, rows[i].rate);
		fmt_age(&b, rows[i].n);
		expect_text(&b, rows[i].age);
	}
	fmt_count(&b, 0);
	expect_text(&b, "0");
	fmt_count(&b, 999);
	expect_text(&b, "999");
	fmt_count(&b, 1000);
	expect_text(&b, "1,000");
	fmt_count(&b, UINT64_MAX);
	expect_text(&b, "18,446,744,073,709,551,615");
	fmt_figure(&b, -0.04);
	expect_text(&b, "0");
	fmt_figure(&b, -3.14);
	expect_text(&b, "-3.1");
	fmt_figure(&b, 1234.5);
	expect_text(&b, "1,235");
	fmt_figure(&b, INFINITY);
	expect_text(&b, "?");
	fmt_bytes(&b, 1023);
	expect_text(&b, "1023 B");
	fmt_bytes(&b, 1024);
	expect_text(&b, "1.0 KB");
	fmt_bytes(&b, (1 << 20) - 1);
	expect_text(&b, "1.0 MB");
	fmt_bytes(&b, UINT64_MAX);
	expect_text(&b, "16.0 EB");
}

static void test_cells(void **state)
{
	struct buf b = {0};

	(void)state;
	for (int width = 1; width < 12; width++) {
		cells_put(&b, "a\xe5\xad\x97\xe5\xad\x97z\xe5\xad\x97", 11, width, CELLS_LEFT, true);
		assert_int_equal(cells_width(b.p, b.n), width);
		buf_free(&b);
		cells_put(&b, "\xe5\xad\x97\xe5\xad\x97", 6, width, CELLS_RIGHT, false);
		assert_int_equal(cells_width(b.p, b.n), width);
		buf_free(&b);
	}
	cells_put(&b, "abcdef", 6, 4, CELLS_LEFT, true);
	expect_text(&b, "abc\xe2\x80\xa6");
	cells_put(&b, "abc", 3, 4, CELLS_RIGHT, true);
	expect_text(&b, " abc");
	cells_put(&b, "abc", 3, 3, CELLS_LEFT, true);
	expect_text(&b, "abc");
	cells_put(&b, "a\x1b\xe2\x80\xae\x80z", 7, 9, CELLS_LEFT, false);
	expect_text(&b, "a???z");
}

static void test_ends(void **state)
{
	struct buf b = {0};

	(void)state;
	for (int width = 1; width < 12; width++) {
		cells_put_ends(&b, "a\xe5\xad\x97\xe5\xad\x97z\xe5\xad\x97", 11, width, true);
		assert_int_equal(cells_width(b.p, b.n), width);
		buf_free(&b);
	}
	cells_put_ends(&b, "GetPrimitiveArrayCritical", 25, 16, false);
	expect_text(&b, "GetPrim\xe2\x80\xa6"
			"Critical");
	cells_put_ends(&b, "GetPrimitiveArrayCritical", 25, 25, false);
	expect_text(&b, "GetPrimitiveArrayCritical");
	cells_put_ends(&b, "a\x1b[2Jbcdefgh\n", 13, 7, false);
	expect_text(&b, "a?[\xe2\x80\xa6gh?");
	cells_put_ends(&b, "abc", 3, 5, true);
	expect_text(&b, "abc  ");
}

static void test_flow(void **state)
{
	struct buf b = {0};
	struct flow f = {.out = &b, .width = 10, .indent = 2};

	(void)state;
	flow_add(&f, "-", "abc", 3);
	flow_add(&f, "-", "defghi", 6);
	flow_add(&f, "-", "j", 1);
	flow_add(&f, "-", "one two three", 13);
	flow_end(&f);
	flow_words(&f, " 123456789012  x ", 17);
	flow_end(&f);
	expect_text(&b, "abc-defghi\n  j-one\n  two\n  three\n123456789\xe2\x80\xa6\n  x\n");
	/* the second of three lines is cut behind its indent */
	flow_add(&f, " ", "a", 1);
	flow_add(&f, " ", "1234567890", 10);
	flow_end(&f);
	expect_text(&b, "a\n  1234567\xe2\x80\xa6\n");
}

/* Where nothing is to be cut: prose fills 80 cells, and a name stays whole however long it is. */
static void test_uncut(void **state)
{
	struct buf b = {0};
	struct flow f = {.out = &b, .width = CELLS_UNCUT, .indent = 2};
	char name[5000];

	(void)state;
	memset(name, 'n', sizeof(name));
	cells_put(&b, name, sizeof(name), CELLS_UNCUT, CELLS_LEFT, false);
	assert_int_equal(b.n, sizeof(name));
	cells_put_ends(&b, name, sizeof(name), CELLS_UNCUT, false);
	assert_int_equal(b.n, 2 * sizeof(name));
	assert_int_equal(cells_width(name, sizeof(name)), sizeof(name));
	buf_free(&b);
	flow_add(&f, " ", name, 70);
	flow_add(&f, " ", name, 20);
	flow_add(&f, " ", name, sizeof(name));
	flow_end(&f);
	assert_int_equal(strcspn(b.p, "\n"), 70);
	assert_int_equal(strlen(b.p), 71 + 23 + 2 + sizeof(name) + 1);
	assert_null(strstr(b.p, "\xe2\x80\xa6"));
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_numbers), cmocka_unit_test(test_cells), cmocka_unit_test(test_ends),
	    cmocka_unit_test(test_flow),    cmocka_unit_test(test_uncut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
