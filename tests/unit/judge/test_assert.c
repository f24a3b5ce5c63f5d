/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What an assertion says of a report, what of it is not known, and what is silenced. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
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

/* --- where an error is ---------------------------------------------------------------------------- */

#define MAX_WORDS 16
/* The words of expressions that are right; each is an error as soon as it is missing or another one. */
static const char *const right[][MAX_WORDS] = {
    {"global", ".", "outstanding", "<=", "7"},
    {"weak", ".", "acquired", ">", "0", "&&", "local", ".", "released", "!=", "12"},
    {"site", "(", "'lib*.so'", ")", ".", "released", "<", "18446744073709551615"},
    {"class", "(", "\"com.acme.*\"", ")", ".", "outstanding", "==", "0"},
    {"findings", "(", "'double-delete'", ")", "==", "0", "&&", "drops", "==", "0"},
    {"drops", "(", "\"start_missed\"", ")", ">=", "1", "&&", "leak", ".", "growing", "==", "0"},
};
static const char *const blanks[] = {"", " ", "\t  "};

/* n words with a blank before each; returns where the last begins, from 1. */
static size_t put_words(char *out, size_t cap, const char *const *word, size_t n, const char *blank,
			const char *instead)
{
	size_t used = 0, column = 1;

	out[0] = 0;
	for (size_t i = 0; i < n; i++) {
		const char *w = i == n - 1 && instead ? instead : word[i];

		used += (size_t)snprintf(out + used, cap - used, "%s", blank);
		column = used + 1;
		used += (size_t)snprintf(out + used, cap - used, "%s", w);
		assert_true(used < cap);
	}
	return column;
}

static void assert_column(const char *text, size_t column)
{
	struct assertion a;
	char why[ASSERT_MAX_WHY] = "";
	size_t got = 0;

	if (!assert_parse(text, &jni_catalog, &a, &got, why) || got != column || !*why)
		fail_msg("'%s': column %zu, not %zu: %s", text, got, column, why);
}

/* May the expression end before this word, or may another stand there? */
static bool ends_before(const char *const *word, size_t i)
{
	return i && !strcmp(word[i], "&&");
}

static bool is_optional(const char *const *word, size_t i)
{
	return i && !strcmp(word[i], "(") &&
	       (!strcmp(word[i - 1], "findings") || !strcmp(word[i - 1], "drops"));
}

/* Every word of each replaced by one that is none, and the text cut off before it, with blanks of all kinds.
 */
static void test_columns(void **state)
{
	(void)state;
	for (size_t e = 0; e < ARRAY_LEN(right); e++)
		for (size_t b = 0; b < ARRAY_LEN(blanks); b++)
			for (size_t i = 0; i < MAX_WORDS && right[e][i]; i++) {
				struct assertion a;
				char text[256], why[ASSERT_MAX_WHY];
				size_t column =
				    put_words(text, sizeof(text), right[e], i + 1, blanks[b], "$");

				assert_column(text, column);
				/* Cut off: what is missing would stand at the end, behind blanks that are
				 * there. */
				text[column - 1] = 0;
				if (!ends_before(right[e], i))
					assert_column(text, column);
				put_words(text, sizeof(text), right[e], i + 1, blanks[b], NULL);
				if (!right[e][i + 1] || ends_before(right[e], i + 1))
					assert_int_equal(assert_parse(text, &jni_catalog, &a, &column, why),
							 0);
				else if (!is_optional(right[e], i + 1))
					assert_column(text, strlen(text) + 1);
			}
}

/* Words of the right kind, but none that is known: the column is theirs, in a text that of what is quoted. */
static void test_columns_of_names(void **state)
{
	static const struct {
		const char *text;
		size_t column;
	} wrong[] = {
	    {"globals.outstanding==0", 1},
	    {"global.outstandings==0", 8},
	    {"leak.grown==0", 6},
	    {"findings('double-deletes')==0", 11},
	    {"findings( \"\")==0", 12},
	    {"drops(\t'start')==0", 9},
	    {"class('x').released==0", 11},
	    {"site('x').gone==0", 11},
	    {"site(\"x').outstanding==0", 6},
	    {"global.outstanding==0 && && drops==0", 26},
	    {"global.outstanding==0 || drops==0", 23},
	    {"global.outstanding==0x1", 22},
	    {"global.outstanding==18446744073709551616", 21},
	    {"check.outstanding==0", 1},
	};
	char many[17 * 12 + 1] = "drops==0", text[ASSERT_MAX_TEXT + 32];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		assert_column(wrong[i].text, wrong[i].column);
	for (int i = 1; i < ASSERT_MAX_TERMS; i++)
		strcat(many, "&&drops==0");
	assert_column(strcat(many, "&&drops==0"), ASSERT_MAX_TERMS * 10 + 1);
	snprintf(text, sizeof(text), "site('%0*d').outstanding==0", ASSERT_MAX_TEXT, 0);
	assert_column(text, 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_values),       cmocka_unit_test(test_what_is_not_known),
	    cmocka_unit_test(test_suppressions), cmocka_unit_test(test_patterns),
	    cmocka_unit_test(test_columns),      cmocka_unit_test(test_columns_of_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
