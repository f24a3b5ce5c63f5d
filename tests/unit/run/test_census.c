/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A census of what is no JVM. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <unistd.h>

#include "run/census.h"

static void test_no_jvm(void **state)
{
	struct census_vm *vm = NULL;
	struct error err = {0};
	const char *kind;

	(void)state;
	assert_true(census_open(1 << 22, NULL, "/none", NULL, &vm, &kind, &err) < 0);
	assert_int_equal(err.exit_code, EXIT_NO_TARGET);
	err = (struct error){0};
	assert_int_equal(census_open(getpid(), NULL, "/none", NULL, &vm, &kind, &err),
			 -EAGAIN); /* it is young */
	assert_string_equal(kind, "?");
	assert_null(vm);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_no_jvm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
