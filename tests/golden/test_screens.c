/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What is shown where there is little room, much, or none to care for: see test_views.c for the rest. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "golden.h"
#include "view/cells.h"
#include "view/table.h"

static void test_view_opts(void **state)
{
	struct view_request o = {.rows = -1, .depth = 64, .width = -1};
	struct view_opts v;

	(void)state;
	setenv("TERM", "xterm", 1);
	unsetenv("NO_COLOR");
	view_opts_init(&v, &o, 132, 50, VIEW_LIVE);
	assert_int_equal(v.width, 132);
	assert_int_equal(v.height, 50);
	assert_int_equal(v.rows, 0);
	assert_true(v.color);
	view_opts_init(&v, &o, 40, 50, VIEW_LAST);
	assert_int_equal(v.width, 40);
	assert_int_equal(v.height, 0);
	assert_int_equal(v.rows, 20);
	setenv("NO_COLOR", "", 1);
	view_opts_init(&v, &o, 80, 24, VIEW_LIVE);
	assert_true(v.color);
	setenv("NO_COLOR", "1", 1);
	view_opts_init(&v, &o, 80, 24, VIEW_LIVE);
	assert_false(v.color);
	unsetenv("NO_COLOR");
	setenv("TERM", "dumb", 1);
	view_opts_init(&v, &o, 80, 24, VIEW_LIVE);
	assert_false(v.color);
	setenv("TERM", "xterm", 1);
	view_opts_init(&v, &o, 0, 0, VIEW_LAST);
	assert_false(v.color);
	o.rows = 0;
	o.depth = 2;
	view_opts_init(&v, &o, 0, 0, VIEW_LAST);
	assert_int_equal(v.rows, 0);
	assert_int_equal(v.stack_frames, 2);
	o.depth = 64;
	o.all = true;
	view_opts_init(&v, &o, 0, 0, VIEW_LAST);
	assert_int_equal(v.stack_frames, 64);
	o.all = false;
	/* Stacks once, at the end, and then whole. */
	view_opts_init(&v, &o, 0, 0, VIEW_INTERVAL);
	assert_int_equal(v.stack_frames, 0);
	view_opts_init(&v, &o, 0, 0, VIEW_LAST);
	assert_int_equal(v.stack_frames, 64);
}

/* Into a file nothing is cut, unless it is asked for. */
static void test_width(void **state)
{
	struct view_request o = {.rows = -1, .depth = 64, .width = -1};
	struct view_opts v;

	(void)state;
	unsetenv("COLUMNS");
	view_opts_init(&v, &o, 0, 0, VIEW_LAST);
	assert_int_equal(v.width, CELLS_UNCUT);
	view_opts_init(&v, &o, -1, 0, VIEW_LAST); /* a terminal that does not tell */
	assert_int_equal(v.width, 80);
	view_opts_init(&v, &o, 3, 0, VIEW_LAST);
	assert_int_equal(v.width, VIEW_MIN_WIDTH);
	setenv("COLUMNS", "200", 1);
	view_opts_init(&v, &o, 0, 0, VIEW_LAST);
	assert_int_equal(v.width, 200);
	view_opts_init(&v, &o, -1, 0, VIEW_LAST);
	assert_int_equal(v.width, 200);
	view_opts_init(&v, &o, 132, 0, VIEW_LAST); /* the terminal knows better */
	assert_int_equal(v.width, 132);
	setenv("COLUMNS", "20x", 1);
	view_opts_init(&v, &o, 0, 0, VIEW_LAST);
	assert_int_equal(v.width, CELLS_UNCUT);
	setenv("COLUMNS", "200", 1);
	o.width = 100;
	view_opts_init(&v, &o, 132, 0, VIEW_LAST);
	assert_int_equal(v.width, 100);
	o.width = 0;
	view_opts_init(&v, &o, 132, 0, VIEW_LAST);
	assert_int_equal(v.width, CELLS_UNCUT);
	unsetenv("COLUMNS");
}

/* Two callers of one function, told apart by a frame that is far outside, and what is of the program itself.
 */
static void init_twins(struct sample *s, struct frame frames[3][9])
{
	static const struct frame common[] = {
	    {.type = FRAME_NATIVE,
	     .symbol = "acme::Registry::add",
	     .module = "libthumb.so",
	     .offset = 0x16bd},
	    {.type = FRAME_NATIVE,
	     .symbol = "acme::Decoder<int>::start",
	     .module = "libthumb.so",
	     .offset = 0x18a6},
	    {.type = FRAME_NATIVE,
	     .symbol = "Java_ThumbCache_open",
	     .module = "libthumb.so",
	     .offset = 0x128c},
	    {.type = FRAME_JAVA, .symbol = "jdk.internal.Reflect.invoke", .file = "Reflect.java", .line = 7},
	    {.type = FRAME_JAVA,
	     .symbol = "com.acme.ThumbCache.decode",
	     .file = "ThumbCache.java",
	     .line = 8},
	    {.type = FRAME_JAVA, .symbol = "java.util.Map.forEach", .file = "Map.java", .line = 3},
	    {.type = FRAME_JAVA, .symbol = "com.acme.pay.Server.work", .file = "Server.java"},
	    {.type = FRAME_JAVA, .symbol = "java.lang.Thread.run", .file = "Thread.java", .line = 840},
	    {.type = FRAME_VM, .symbol = "thread_native_entry", .module = "libjvm.so", .offset = 0x123},
	};
	static const struct report_class listeners[] = {
	    {.name = "com.acme.imaging.ThumbCache$Listener", .outstanding = 355},
	    {.name = "java.lang.Class", .outstanding = 1}};
	static const struct report_before before[] = {
	    {.family = FAMILY_GLOBAL, .class = "com.acme.imaging.ThumbCache$Listener", .outstanding = 1672},
	    {.family = FAMILY_GLOBAL, .class = "java.lang.Thread", .outstanding = 2}};

	init_sample(s);
	trace(s, FUNC_NewGlobalRef, 1070715);
	s->report.families[FAMILY_GLOBAL].before_known = true;
	s->report.before.v = before;
	s->report.before.n = ARRAY_LEN(before);
	for (int i = 0; i < 3; i++) {
		struct report_site *site = add_site(s, FUNC_NewGlobalRef, i ? 1000 : 356, i ? 1000 : 0);

		memcpy(frames[i], common, sizeof(common));
		frames[i][6].line = i ? 24 : 25;
		site->frames = (struct frames){frames[i], ARRAY_LEN(common), ARRAY_LEN(common)};
		site->verdict.kind = i ? VERDICT_CLEAN : VERDICT_GROWING;
		site->classes.v = listeners;
		site->classes.n = i ? 0 : ARRAY_LEN(listeners);
		site->classes.known = true;
	}
	frames[2][0].symbol = "acme::Registry::other";
}

static void test_twins(void **state)
{
	struct frame frames[3][9];
	struct view_opts o = plain;
	struct sample s;

	(void)state;
	init_twins(&s, frames);
	o.stack_frames = 3;
	expect_table("twins-80.txt", &s, &o);
	o.width = CELLS_UNCUT;
	o.stack_frames = 0;
	expect_table("twins-interval.txt", &s, &o);
	o.stack_frames = 128;
	expect_table("twins-final.txt", &s, &o);
	/* The screen is filled with frames. */
	o.width = 120;
	for (o.height = 10; o.height < 40; o.height++) {
		const struct report *const reports[] = {&s.report};
		struct buf out = {0};

		o.stack_frames = 3;
		view_table(&out, reports, 1, &o);
		if (o.height < 34 && view_lines(&out, 0) < o.height - 6)
			fail_msg("%d lines on a screen of %d:\n%s", view_lines(&out, 0), o.height, out.p);
		assert_in_range(view_lines(&out, 0), 1, o.height);
		assert_non_null(strstr(out.p, "Server.java:25"));
		buf_free(&out);
	}
	o.height = 24;
	expect_table("twins-height.txt", &s, &o);
}

/* On a small screen cells are cut, not lines, and there are rows. */
static void test_small_screens(void **state)
{
	struct frame frames[3][9];
	struct view_opts o = plain;
	struct sample s;

	(void)state;
	init_twins(&s, frames);
	for (o.width = VIEW_MIN_WIDTH; o.width < 132; o.width++)
		for (o.height = 0; o.height < 30; o.height += 6) {
			const struct report *const reports[] = {&s.report};
			struct buf out = {0};

			view_table(&out, reports, 1, &o);
			expect_width(&out, o.width);
			assert_non_null(strstr(out.p, "\n        356"));
			if (o.height > 5)
				assert_in_range(view_lines(&out, 0), 1, o.height + 1);
			buf_free(&out);
		}
	o.height = 8;
	o.width = 40;
	expect_table("small-40x8.txt", &s, &o);
	o.height = 12;
	o.width = 60;
	expect_table("small-60x12.txt", &s, &o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_view_opts),
	    cmocka_unit_test(test_width),
	    cmocka_unit_test(test_twins),
	    cmocka_unit_test(test_small_screens),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
