/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Class names in fewer words: readable, and those that look alike are told apart. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "screen/class_names.h"

static void expect(void (*put)(struct buf *out, const char *name, unsigned parts), const char *name,
		   unsigned parts, const char *want)
{
	struct buf out = {0};

	put(&out, name, parts);
	assert_string_equal(out.p ? out.p : "", want);
	buf_free(&out);
}

static void test_words(void **state)
{
	(void)state;
	expect(class_tail, "com.acme.ThumbCache$Listener", 1, "Listener");
	expect(class_tail, "com.acme.ThumbCache$Listener", 2, "ThumbCache$Listener");
	expect(class_tail, "com.acme.ThumbCache$Listener", 3, "acme.ThumbCache$Listener");
	expect(class_tail, "com.acme.ThumbCache$Listener", 9, "com.acme.ThumbCache$Listener");
	expect(class_short, "com.acme.ThumbCache$Listener", 1, "ThumbCache$Listener");
	expect(class_short, "com.acme.ThumbCache$Listener", 3, "acme.ThumbCache$Listener");
	expect(class_short, "byte[]", 1, "byte[]");
	expect(class_tail, "java.lang.String[][]", 1, "String[][]");
	/* What is named by a number alone says nothing. */
	expect(class_tail, "com.acme.Server$1", 1, "Server$1");
	expect(class_tail, "com.acme.Server$1$2", 1, "Server$1$2");
	expect(class_tail, "com.acme.Server$1Local", 1, "Server$1Local");
	expect(class_tail, "a.Server$$Lambda$14/0x00007f00c8000a18", 1,
	       "Server$$Lambda$14/0x00007f00c8000a18");
	expect(class_tail, "a.Server$$Lambda/0x00007f00c8000a18", 1, "Server$$Lambda/0x00007f00c8000a18");
	expect(class_tail, "jdk.proxy2.$Proxy7", 1, "$Proxy7");
	/* Whatever a process says. */
	expect(class_tail, "", 1, "");
	expect(class_tail, "$", 1, "$");
	expect(class_tail, "a.", 1, "a.");
	expect(class_tail, "....", 1, "....");
	expect(class_tail, "$$$", 2, "$$$");
}

static void test_told_apart(void **state)
{
	struct row rows[] = {
	    {.class = "com.acme.a.Cache$Entry"},
	    {.class = "com.acme.b.Cache$Entry"},
	    {.class = "com.acme.b.Cache$Entry"}, /* of another function */
	    {.class = "com.acme.b.Store$Entry"},
	    {.class = "com.acme.Page"},
	    {.class = "Page"},
	    {.class = "java.lang.Class", .of.name = "x.Page"},
	    {.class = NULL},
	    {.class = "other.Alone"},
	};
	static const uint8_t want[] = {3, 3, 3, 2, 2, 2, 1, 0, 1};
	struct class_parts parts[ARRAY_LEN(rows)] = {0};

	(void)state;
	assert_int_equal(class_parts_find(&(struct rows){.v = rows, .n = ARRAY_LEN(rows)}, parts), 0);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(parts[i].class, want[i]);
	assert_int_equal(parts[6].of, 2);
	assert_int_equal(class_parts_find(&(struct rows){0}, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_words),
	    cmocka_unit_test(test_told_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
