/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Interned strings: one copy of each, whose pointer stays. */
#include "base/strset.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#define NR_STRINGS 5000

static void test_one_copy_each(void **state)
{
	struct strset set = {0};
	const char *first[NR_STRINGS];
	char text[32];

	(void)state;
	for (int i = 0; i < NR_STRINGS; i++) {
		snprintf(text, sizeof(text), "string %d", i);
		first[i] = strset_add(&set, text);
		assert_string_equal(first[i], text);
		assert_ptr_not_equal(first[i], text);
	}
	assert_int_equal(set.n, NR_STRINGS);
	for (int i = 0; i < NR_STRINGS; i++) {
		snprintf(text, sizeof(text), "string %d", i);
		assert_ptr_equal(strset_add(&set, text), first[i]);
	}
	assert_int_equal(set.n, NR_STRINGS);
	assert_string_equal(strset_add(&set, ""), "");
	strset_free(&set);
	assert_int_equal(set.n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_one_copy_each)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
