/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Names of classes, as the VM keeps them and as people read them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "runtime/hotspot/klass.h"

static void expect_name(const char *symbol, const char *want)
{
	char name[256];
	bool ok = class_name_decode(symbol, strlen(symbol), name, sizeof(name));

	if (ok != (want != NULL) || (ok && strcmp(name, want) != 0))
		fail_msg("%s: %s", symbol, ok ? name : "refused");
}

static void test_class_names(void **state)
{
	(void)state;
	expect_name("java/lang/String", "java.lang.String");
	expect_name("A", "A");
	expect_name("a/b/Outer$Inner", "a.b.Outer$Inner");
	expect_name("[B", "byte[]");
	expect_name("[[J", "long[][]");
	expect_name("[Ljava/lang/String;", "java.lang.String[]");
	expect_name("[[[La/B;", "a.B[][][]");
	expect_name("A$$Lambda+0x00007f8", "A$$Lambda/0x00007f8");
	expect_name("a/\xc3\xa4", "a.\xc3\xa4");
	expect_name("", NULL);
	expect_name("[", NULL);
	expect_name("[V", NULL);
	expect_name("[L;", NULL);
	expect_name("[Ljava/lang/String", NULL);
	expect_name("java.lang.String", NULL);
	expect_name("java//lang", NULL);
	expect_name("/a", NULL);
	expect_name("a/", NULL);
	expect_name("a\033[2J", NULL);
	expect_name("a;b", NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_class_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
