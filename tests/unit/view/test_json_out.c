/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Numbers are written without printf(3): as it would have written them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "view/json_out.h"

/* What printf makes of it, with a point. */
static void expect_real(double d)
{
	double rounded = fabs(d) < 1e9 ? round(d * 1e6) / 1e6 + 0.0 : d;
	struct buf out = {0};
	struct json_out j = {.out = &out};
	char expected[64];

	expected[0] = '[';
	snprintf(expected + 1, sizeof(expected) - 8, "%.15g", rounded);
	strcat(expected, strpbrk(expected, ".e") ? "]" : ".0]");
	json_open(&j, NULL, '[');
	json_real(&j, NULL, d);
	json_close(&j, ']');
	json_end_line(&j);
	assert_int_equal(strncmp(out.p, expected, strlen(expected)), 0);
	buf_free(&out);
}

static void test_reals(void **state)
{
	static const double some[] = {0,    -0.0,  1e-7,     4e-7,      6e-7,      1e-6,    9.9e-5, 9.95e-5,
				      1e-4, 0.1,   0.123456, 0.1234565, 0.5,       0.99999, 1,      1.000001,
				      10,   1e6,   1e8,      999999999, 1e9,       1e12,    1e15,   1e17,
				      1e22, 1e300, 1 / 3.0,  2 / 3.0,   1e9 - 1e-6};
	uint64_t random = 1;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(some); i++) {
		expect_real(some[i]);
		expect_real(-some[i]);
	}
	for (int i = 0; i < 20000; i++) {
		random = mix64(random + 1);
		expect_real(((double)random - 9.2e18) / pow(10, 8 + i % 16));
	}
}

static void test_counts(void **state)
{
	uint64_t n = 0;
	char digits[DECIMAL_BYTES], expected[DECIMAL_BYTES];

	(void)state;
	for (int i = 0; i < 64; i++, n = n * 2 + (uint64_t)(i % 3 == 0)) {
		snprintf(expected, sizeof(expected), "%llu", (unsigned long long)n);
		assert_int_equal(decimal(n, digits), strlen(expected));
		assert_string_equal(digits, expected);
	}
	assert_int_equal(decimal(UINT64_MAX, digits), 20);
	assert_string_equal(digits, "18446744073709551615");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_counts),
	    cmocka_unit_test(test_reals),
	};

	return cmocka_run_group_tests_name("json_out", tests, NULL, NULL);
}
