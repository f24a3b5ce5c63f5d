/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What an assertion says of a report, what of it is not known, and what is silenced. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/util.h"
#include "judge/assert.h"

static struct frame ours = {.symbol = "Java_Foo_make", .module = "libfoo.so", .path = "/app/libfoo.so"};
static struct frame jdks = {
    .symbol = "JNU_ClassString", .module = "libjava.so", .path = "/jdk/lib/libjava.so"};
static const struct report_class classes[] = {{.name = "com.acme.A", .outstanding = 2},
					      {.name = "java.lang.String", .outstanding = 1}};

struct fixture {
	struct report_site site[2];
	struct report r;
};

static void make(struct fixture *f)
{
	*f = (struct fixture){0};
	f->site[0] = (struct report_site){.func = FUNC_NewGlobalRef,
					  .acquired = 5,
					  .released = 2,
					  .outstanding = 3,
					  .frames = {&ours, 1, 1},
					  .verdict = {.kind = VERDICT_GROWING},
					  .classes = {classes, 2, true}};
	f->site[1] = (struct report_site){
	    .func = FUNC_NewGlobalRef, .acquired = 1, .outstanding = 1, .frames = {&jdks, 1, 1}};
	f->r.catalog = &jni_catalog;
	f->r.target.library = "/jdk/lib/server/vm.so";
	f->r.sites.v = f->site;
	f->r.sites.n = 2;
	f->r.families[FAMILY_GLOBAL] =
	    (struct report_family){.traced = true, .acquired = 7, .released = 2, .outstanding = 5};
}

static enum assert_result judge(struct fixture *f, const char *text, struct suppressions *s)
{
	struct assertion a;
	char why[ASSERT_MAX_WHY];
	size_t column;

	if (assert_parse(text, &jni_catalog, &a, &column, why))
		fail_msg("%s: column %zu: %s", text, column, why);
	for (size_t i = 0; i < a.n; i++) {
		struct assert_part p;

		assert_part(&a.term[i], &f->r, s, &p);
		assert_add(&a.term[i], &p);
	}
	return assert_judge(&a);
}

/* Of 5 in the totals one is the JDK's own, and one has no site: that counts. */
static void test_values(void **state)
{
	struct fixture f;

	(void)state;
	make(&f);
	assert_int_equal(judge(&f, "global.outstanding==4", NULL), ASSERT_HOLDS);
	assert_int_equal(judge(&f, "global.acquired==6 && global.released==2", NULL), ASSERT_HOLDS);
	assert_int_equal(judge(&f, "site(\"libfoo.so\").outstanding==3", NULL), ASSERT_HOLDS);
	assert_int_equal(judge(&f, "site('/app/*').acquired == 5", NULL), ASSERT_HOLDS);
	assert_int_equal(judge(&f, "site('libjava.so').outstanding>=1", NULL), ASSERT_HOLDS);
	assert_int_equal(judge(&f, "class('com.acme.*').outstanding<3", NULL), ASSERT_HOLDS);
	assert_int_equal(judge(&f, "class('com.acme.*').outstanding!=2", NULL), ASSERT_FAILS);
	assert_int_equal(judge(&f, "leak.growing>1", NULL), ASSERT_FAILS);
	assert_int_equal(judge(&f, "drops==0 && findings==0", NULL), ASSERT_HOLDS);
}

static void test_what_is_not_known(void **state)
{
	struct fixture f;

	(void)state;
	make(&f);
	assert_int_equal(judge(&f, "local.outstanding==0", NULL), ASSERT_NOT_KNOWN);
	assert_int_equal(judge(&f, "local.outstanding==0 && global.outstanding==0", NULL), ASSERT_FAILS);
	f.site[0].classes.known = false;
	assert_int_equal(judge(&f, "class('x').outstanding==0", NULL), ASSERT_NOT_KNOWN);
	f.r.drops[DROP_STACKS_FULL] = 1;
	assert_int_equal(judge(&f, "site('x').outstanding==0", NULL), ASSERT_NOT_KNOWN);
	assert_int_equal(judge(&f, "global.outstanding==4", NULL), ASSERT_HOLDS);
	f.r.drops[DROP_START_MISSED] = 1;
	assert_int_equal(judge(&f, "global.outstanding==4", NULL), ASSERT_NOT_KNOWN);
	assert_int_equal(judge(&f, "drops==2", NULL), ASSERT_HOLDS);
	assert_int_equal(judge(&f, "drops('start_missed')==1", NULL), ASSERT_HOLDS);
}

static void test_suppressions(void **state)
{
	static const char text[] = "# of others\n\n  leak:libfoo.so \nleak:never*;Java_*\ndouble-delete:*\n";
	struct suppressions *s = NULL;
	struct suppression_used used;
	struct fixture f;
	const char *why;
	size_t line;

	(void)state;
	make(&f);
	assert_int_equal(suppressions_parse(text, strlen(text), &s, &line, &why), 0);
	assert_int_equal(judge(&f, "site('libfoo.so').outstanding==0 && global.outstanding==1", s),
			 ASSERT_HOLDS);
	suppressions_count(s, &f.r);
	assert_true(suppression_used(s, 0, &used));
	assert_string_equal(used.text, "leak:libfoo.so");
	assert_int_equal(used.line, 3);
	assert_int_equal(used.references, 3);
	assert_true(suppression_used(s, 1, &used));
	assert_int_equal(used.sites + used.findings, 0);
	assert_true(suppression_used(s, 2, &used));
	assert_false(suppression_used(s, 3, &used));
	suppressions_free(s);
	assert_int_equal(suppressions_parse("leak:a\nleek:b\n", 14, &s, &line, &why), -22);
	assert_int_equal(line, 2);
	assert_int_equal(suppressions_parse("leak:a;;b", 9, &s, &line, &why), -22);
}

static void test_patterns(void **state)
{
	(void)state;
	assert_true(pattern_matches("*", ""));
	assert_true(pattern_matches("a*b*c", "aXbYbZc"));
	assert_false(pattern_matches("a*b*c", "aXbYbZ"));
	assert_false(pattern_matches("", "a"));
	assert_false(pattern_matches("a", ""));
	assert_true(pattern_matches("lib*.so", "libx.so.so"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_values),
	    cmocka_unit_test(test_what_is_not_known),
	    cmocka_unit_test(test_suppressions),
	    cmocka_unit_test(test_patterns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
