/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A table from two words to a number: what was put in is found, and nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/hash.h"

static void test_empty(void **state)
{
	struct hash h = {0};

	(void)state;
	assert_int_equal(hash_find(&h, 0, 0), 0);
	hash_free(&h);
}

static void test_many(void **state)
{
	struct hash h = {0};

	(void)state;
	for (uint32_t i = 1; i <= 10000; i++) { /* keys that differ in either word, zero among them */
		assert_int_equal(hash_set(&h, i - 1, 0, i), 0);
		assert_int_equal(hash_set(&h, 0, (uint64_t)i << 40, i + 20000), 0);
	}
	assert_int_equal(h.n, 20000);
	assert_true(h.nr_slots >= 2 * h.n);
	for (uint32_t i = 1; i <= 10000; i++) {
		assert_int_equal(hash_find(&h, i - 1, 0), i);
		assert_int_equal(hash_find(&h, 0, (uint64_t)i << 40), i + 20000);
		assert_int_equal(hash_find(&h, i, i), 0);
	}
	hash_free(&h);
	assert_int_equal(hash_find(&h, 1, 0), 0);
}

static void test_replaced(void **state)
{
	struct hash h = {0};

	(void)state;
	assert_int_equal(hash_set(&h, 7, 8, 1), 0);
	assert_int_equal(hash_set(&h, 7, 8, 2), 0);
	assert_int_equal(h.n, 1);
	assert_int_equal(hash_find(&h, 7, 8), 2);
	assert_int_equal(hash_find(&h, 8, 7), 0);
	hash_free(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_empty),
	    cmocka_unit_test(test_many),
	    cmocka_unit_test(test_replaced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
