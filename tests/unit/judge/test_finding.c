/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What scripts know a finding by stays as it is, whatever is said of it; findings of one kind, put together
 * by library. */
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

static struct frame one = {.symbol = "one", .module = "liba.so", .build_id = "aa"};
static struct frame two = {.symbol = "two", .module = "liba.so", .build_id = "aa"};
static struct frame other = {.symbol = "other", .module = "libb.so"};

static struct report_finding at(enum finding_kind kind, struct frame *frame, uint64_t id, uint64_t count,
				double s)
{
	return (struct report_finding){
	    .kind = kind,
	    .id = id,
	    .count = count,
	    .first_s = s,
	    .last_s = s + 1,
	    .stack = {.known = frame != NULL, .frames = {frame, frame != NULL, 1}},
	};
}

static void test_by_library(void **state)
{
	struct report_finding v[] = {
	    at(FINDING_WEAK_AS_STRONG, &one, 1, 3, 5),    at(FINDING_DOUBLE_DELETE, &one, 2, 3, 5),
	    at(FINDING_WEAK_AS_STRONG, &other, 3, 50, 6), at(FINDING_WEAK_AS_STRONG, &two, 4, 7, 2),
	    at(FINDING_WEAK_AS_STRONG, &one, 5, 4, 9),    at(FINDING_WEAK_AS_STRONG, NULL, 6, 1, 1),
	    at(FINDING_DOUBLE_DELETE, &two, 7, 1, 1),     at(FINDING_WEAK_AS_STRONG, NULL, 8, 1, 1),
	};
	struct report r = {0};

	(void)state;
	r.findings.v = v;
	r.findings.n = sizeof(v) / sizeof(v[0]);
	findings_group(&r, FINDING_WEAK_AS_STRONG);
	assert_int_equal(r.findings.n, 6);
	assert_int_equal(v[0].count, 14);
	assert_string_equal(v[0].stack.frames.v[0].symbol, "two");
	assert_true(v[0].first_s == 2 && v[0].last_s == 10);
	assert_non_null(strstr(v[0].text, "liba.so does so at 3 call sites"));
	assert_int_equal(v[1].id, 2);
	assert_int_equal(v[2].count, 50);
	assert_string_equal(v[2].text, "");
	assert_int_equal(v[3].id, 6);
	assert_int_equal(v[4].id, 7);
	assert_int_equal(v[5].id, 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_ids_are_of_words),
	    cmocka_unit_test(test_ids_differ),
	    cmocka_unit_test(test_by_library),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
