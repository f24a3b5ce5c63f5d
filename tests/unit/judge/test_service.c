/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Names of services by rules. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "judge/service.h"

static void test_names(void **state)
{
	const char *const rules[] = {"billing=com\\.acme\\.bill",
				     "shop-\\2=-Dstage=(test|live).*/([a-z]+)\\.jar", "=no",
				     "\\1\\3=(x+)(y+)?(z)?$"};
	const char *const bad[] = {"=no", "name", "name=", "name=(", "=", ""};
	struct service_rules *r = NULL;
	char name[16];

	(void)state;
	assert_int_equal(service_rules_new(rules, 2, &r, NULL), 0);
	assert_string_equal(service_name(r, "java -cp x com.acme.bill.Main", name, sizeof(name)), "billing");
	assert_string_equal(service_name(r, "java -Dstage=live -jar /opt/cart.jar", name, sizeof(name)),
			    "shop-cart");
	assert_string_equal(service_name(r, "java com-acme-bill", name, sizeof(name)), "");
	assert_string_equal(service_name(r, NULL, name, sizeof(name)), "");
	/* cut to its room, and clean */
	assert_string_equal(service_name(r, "-Dstage=test /abcdefghijklmnopqrst.jar", name, sizeof(name)),
			    "shop-abcdefghij");
	service_rules_free(r);
	/* a group that did not take part is nothing */
	assert_int_equal(service_rules_new(rules + 3, 1, &r, NULL), 0);
	assert_string_equal(service_name(r, "axx", name, sizeof(name)), "xx");
	assert_string_equal(service_name(r, "axyz", name, sizeof(name)), "xz");
	service_rules_free(r);
	assert_int_equal(service_rules_new(NULL, 0, &r, NULL), 0);
	assert_string_equal(service_name(r, "java", name, sizeof(name)), "");
	service_rules_free(r);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct error err = {0};

		assert_true(service_rules_new(&bad[i], 1, &r, &err) < 0);
		assert_int_equal(err.exit_code, EXIT_USAGE);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_names)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
