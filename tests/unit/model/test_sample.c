/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Is an estimate as often within its error as it says, whatever is true? */
#include "model/sample.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/util.h"

/* Of so many handles k are followed with this probability. */
static double chance(uint64_t k, uint64_t handles, uint64_t one_in)
{
	double p = 1 / (double)one_in, n = (double)handles, x = (double)k;

	return exp(lgamma(n + 1) - lgamma(x + 1) - lgamma(n - x + 1) + x * log(p) + (n - x) * log1p(-p));
}

static double is_within(uint64_t handles, uint64_t one_in)
{
	double sum = 0;

	for (uint64_t k = 0; k <= handles; k++) {
		uint64_t estimate = k * one_in,
			 off = estimate > handles ? estimate - handles : handles - estimate;

		sum += off <= sample_error(estimate, one_in) ? chance(k, handles, one_in) : 0;
	}
	return sum;
}

static void test_an_error_holds(void **state)
{
	static const uint64_t one_in[] = {2, 3, 5, 10, 100, 1000};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(one_in); i++)
		for (uint64_t handles = 0; handles < 3000; handles += 1 + handles / 20)
			assert_true(is_within(handles, one_in[i]) >= SAMPLE_CONFIDENCE);
}

static void test_what_is_exact_has_none(void **state)
{
	struct buf b = {0};

	(void)state;
	assert_int_equal(sample_error(1000, 0), 0);
	assert_int_equal(sample_error(1000, 1), 0);
	sample_put_error(&b, 1000, 0);
	assert_int_equal(b.n, 0);
	sample_put_error(&b, 0, 10); /* none was followed: a few may be there */
	assert_string_equal(b.p, " +-35");
	buf_free(&b);
}

static bool can(struct catalog *c, const char *name, struct func_row more)
{
	int f = catalog_add_family(c, &(struct family_row){.name = name, .kind = KIND_PAIR});
	struct func_row acquire = {.name = "take",
				   .api = "test",
				   .operation = OP_ACQUIRE,
				   .family = (enum family_id)f,
				   .finalizer = HANDLE_NONE};

	assert_true(f >= 0 && catalog_add_func(c, &acquire) >= 0);
	more.name = "more";
	more.api = "test";
	more.family = (enum family_id)f;
	assert_true(catalog_add_func(c, &more) >= 0);
	return sample_families(c, ~0U) >> f & 1;
}

static void test_what_can_be_sampled(void **state)
{
	struct catalog *c;

	(void)state;
	assert_int_equal(sample_families(&jni_catalog, ~0U), 0);
	assert_int_equal(catalog_new(&c), 0);
	assert_true(can(c, "a", (struct func_row){.operation = OP_RELEASE}));
	assert_true(can(c, "b", (struct func_row){.operation = OP_REPLACE}));
	assert_false(can(c, "c", (struct func_row){.operation = OP_UNREF}));
	assert_false(can(c, "d", (struct func_row){.operation = OP_RELEASE, .at_address = true}));
	assert_false(can(
	    c, "e", (struct func_row){.operation = OP_ACQUIRE, .finalizer = HANDLE_NONE, .counted = true}));
	assert_false(can(c, "f", (struct func_row){.operation = OP_ACQUIRE, .finalizer = HANDLE_NONE + 1}));
	catalog_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_an_error_holds),
	    cmocka_unit_test(test_what_is_exact_has_none),
	    cmocka_unit_test(test_what_can_be_sampled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
