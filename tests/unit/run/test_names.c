/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What a launcher's arguments run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "run/names.h"

#define EXPECT(args, main)                                                                                   \
	do {                                                                                                 \
		char got[32];                                                                                \
		names_main_of(args, sizeof(args), got, sizeof(got));                                         \
		assert_string_equal(got, main);                                                              \
	} while (0)

static void test_main_of(void **state)
{
	(void)state;
	EXPECT("java\0com.acme.Main\0-x\0y", "com.acme.Main");
	EXPECT("/usr/bin/java\0-Xmx1g\0-cp\0a.jar:b.jar\0-Dx=y\0Main", "Main");
	EXPECT("java\0-classpath\0a\0-p\0b\0--add-modules\0c\0a.B", "a.B");
	EXPECT("java\0-jar\0/opt/acme/app.jar\0arg", "app.jar");
	EXPECT("java\0-ea\0-jar\0app.jar", "app.jar");
	EXPECT("java\0-m\0acme.server/com.acme.Main", "com.acme.Main");
	EXPECT("java\0--module\0acme.server", "acme.server");
	EXPECT("java\0--class-path=a\0Main", "Main");
	EXPECT("java\0a\033[2J", "a?[2J");
}

/* Arguments are the target's own memory: they may say anything, or stop anywhere. */
static void test_hostile(void **state)
{
	char got[32], args[] = "java\0-cp\0x\0-jar\0a.jar";

	(void)state;
	EXPECT("", "");
	EXPECT("java", "");
	EXPECT("java\0-cp", "");
	EXPECT("java\0-cp\0x", "");
	EXPECT("java\0-jar", "");
	EXPECT("java\0-Xmx1g", "");
	EXPECT("java\0a/", "");
	EXPECT("java\0com.acme.AVeryLongNameThatDoesNotFitIntoIt", "com.acme.AVeryLongNameThatDoesN");
	for (size_t n = 0; n < sizeof(args) - 1; n++) {
		names_main_of(args, n, got, sizeof(got));
		assert_string_equal(got, "");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_main_of),
	    cmocka_unit_test(test_hostile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
