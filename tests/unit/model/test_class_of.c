/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Classes behind objects of java.lang.Class, one of several loaders put together. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "model/report.h"

static void test_one_row_for_a_name(void **state)
{
	/* the same loader twice, as two sites of one stack tell it; two classes of loaders; an unknown one */
	struct report_of v[] = {
	    {"B", "L", 7, 0, 1},  {"A", "L", 2, 0, 10},   {"A", "L", 1, 0, 20}, {"C", "L", 1, 0, 5},
	    {"A", "L", 2, 0, 30}, {"C", "K", 3, 0, 6},    {"D", "L", 9, 0, 2},  {"D", NULL, 0, 0, 1},
	    {"B", "L", 7, 0, 1},  {"int", NULL, 0, 0, 4},
	};
	size_t n = class_of_group(v, sizeof(v) / sizeof(v[0]));

	(void)state;
	assert_int_equal(n, 5);
	assert_string_equal(v[0].name, "A");
	assert_int_equal(v[0].count, 60);
	assert_int_equal(v[0].loaders, 2);
	assert_int_equal(v[0].loader_id, 0);
	assert_string_equal(v[0].loader, "L");
	assert_string_equal(v[1].name, "C");
	assert_int_equal(v[1].loaders, 2);
	assert_null(v[1].loader);
	assert_string_equal(v[2].name, "int");
	assert_int_equal(v[2].loaders, 0);
	assert_string_equal(v[3].name, "D");
	assert_int_equal(v[3].loaders, 0);
	assert_null(v[3].loader);
	assert_string_equal(v[4].name, "B");
	assert_int_equal(v[4].count, 2);
	assert_int_equal(v[4].loaders, 1);
	assert_int_equal(v[4].loader_id, 7);
	assert_int_equal(class_of_group(NULL, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_one_row_for_a_name)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
