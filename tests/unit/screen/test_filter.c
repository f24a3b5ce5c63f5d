/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What a person types to find rows: it may be wrong, but never take long. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "screen/filter.h"

static bool finds(const char *text, const char *in)
{
	struct filter f = {.on = false};
	struct buf b = {0};
	bool found;

	for (const char *p = text; *p; p++)
		filter_type(&f, (uint32_t)*p);
	buf_printf(&b, "%s", in);
	found = f.on && !f.bad && filter_passes(&f, &b);
	buf_free(&b);
	filter_free(&f);
	return found;
}

static bool is_refused(const char *text)
{
	struct filter f = {.on = false};
	bool bad;

	for (const char *p = text; *p; p++)
		filter_type(&f, (uint32_t)*p);
	bad = f.on && f.bad;
	filter_free(&f);
	return bad;
}

static void test_expressions(void **state)
{
	(void)state;
	assert_true(finds("regi.*ADD", "libthumb.so Registry::add"));
	assert_true(finds("^a{2,3}$", "aaa"));
	assert_false(finds("^a{2,3}$", "aaaa"));
	assert_true(finds("\\\\1", "\\1"));
	assert_true(finds("\\{1000}", "{1000}"));
	assert_true(finds("[{]300", "{300"));
	assert_true(finds("[]{]3", "]3"));
	assert_true(finds("[^[:alpha:]]{8}", "12345678"));
}

/* Those that a matcher tries all ways for, or that it makes copies of copies for, would take minutes. */
static void test_what_takes_long_is_refused(void **state)
{
	static const char *const all[] = {"(.*)(.*)(.*)\\1\\2\\3x#",
					  "(a)\\9",
					  "((a{1,99}){1,99}){1,99}",
					  "a{256}",
					  "a{1,99999999999999999999}",
					  "[{]*(.*)(.*)\\1\\2x#",
					  "[[:alpha:]{](.*)\\1",
					  "(",
					  "[",
					  "a{1,2"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		if (!is_refused(all[i]))
			print_message("%s\n", all[i]);
		assert_true(is_refused(all[i]));
	}
}

/* What was opened is shown by its name, which is no expression; what is typed then begins anew. */
static void test_of_a_row(void **state)
{
	struct filter f = {.on = false};
	struct buf b = {0};

	(void)state;
	filter_set_row(&f, "a(b\033[1m");
	assert_true(f.on && f.of_row && !f.bad);
	assert_null(strchr(f.text, 033));
	assert_true(filter_passes(&f, &b));
	filter_clear(&f);
	assert_false(f.on || f.of_row);
	filter_free(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_expressions),
	    cmocka_unit_test(test_what_takes_long_is_refused),
	    cmocka_unit_test(test_of_a_row),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
