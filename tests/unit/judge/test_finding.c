/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What scripts know a finding by stays as it is, whatever is said of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/util.h"
#include "judge/finding.h"

/* Published ids: a change of these is a change for every script that keeps them. */
static void test_ids_are_of_words(void **state)
{
	const uint64_t ids[3] = {1, 2, 3};
	const char *word = "DOUBLE_DELETE";

	(void)state;
	assert_int_equal(finding_id(FINDING_DOUBLE_DELETE, ids),
			 fnv64(fnv64(FNV64_INIT, word, strlen(word)), ids, sizeof(ids)));
	assert_int_equal(finding_id(FINDING_DOUBLE_DELETE, ids), 0x219558b0721726faULL);
}

/* Kinds that share a name are told apart, and so are sites. */
static void test_ids_differ(void **state)
{
	const uint64_t ids[3] = {1, 2, 3}, others[3] = {1, 2, 4};

	(void)state;
	for (int a = 0; a < NR_FINDINGS; a++) {
		for (int b = 0; b < a; b++)
			assert_int_not_equal(finding_id(a, ids), finding_id(b, ids));
		assert_int_not_equal(finding_id(a, ids), finding_id(a, others));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_ids_are_of_words),
	    cmocka_unit_test(test_ids_differ),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
