/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The screen while processes come and go: what keys opened, and what is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "golden.h"
#include "screen/browser.h"

#define PROCESSES 3

struct shown {
	struct view_request request;
	struct browser *browser;
	struct canvas canvas;
	struct buf text;
	struct sample samples[PROCESSES];
};

static void begin(struct shown *s)
{
	static const char *const names[PROCESSES] = {"Alpha", "Beta", "Gamma"};

	*s = (struct shown){.request = {.rows = -1, .depth = 64, .width = -1}};
	for (int i = 0; i < PROCESSES; i++) {
		init_leaks(&s->samples[i]);
		s->samples[i].report.target.pid = 100 + i;
		s->samples[i].report.target.main = names[i];
	}
	assert_int_equal(browser_new(&s->request, NULL, &s->browser), 0);
	assert_int_equal(canvas_resize(&s->canvas, 24, 100), 0);
}

static void end(struct shown *s)
{
	browser_free(s->browser);
	canvas_free(&s->canvas);
	buf_free(&s->text);
}

/* A bit for each process; of all at that time. */
static void give(struct shown *s, unsigned which, double elapsed_s)
{
	const struct report *reports[PROCESSES];
	size_t n = 0;

	for (int i = 0; i < PROCESSES; i++) {
		s->samples[i].report.elapsed_s = elapsed_s;
		if (which >> i & 1)
			reports[n++] = &s->samples[i].report;
	}
	assert_int_equal(browser_reports(s->browser, reports, n), 0);
}

static void ends(struct shown *s, int i, enum end_reason reason)
{
	struct report last = s->samples[i].report;

	last.final = true;
	last.end_reason = reason;
	browser_ended(s->browser, &last);
}

static void press(struct shown *s, uint32_t code)
{
	browser_key(s->browser, &(struct key){.code = code});
}

static const char *screen(struct shown *s)
{
	s->text.n = 0;
	assert_int_equal(browser_draw(s->browser, &s->canvas), 0);
	canvas_text(&s->canvas, &s->text);
	return s->text.p;
}

#define expect_on_screen(s, what)                                                                            \
	do {                                                                                                 \
		if (!strstr(screen(s), what))                                                                \
			fail_msg("no %s:\n%s", what, (s)->text.p);                                           \
	} while (0)
#define expect_not_on_screen(s, what)                                                                        \
	do {                                                                                                 \
		if (strstr(screen(s), what))                                                                 \
			fail_msg("%s:\n%s", what, (s)->text.p);                                              \
	} while (0)

/* From the overview, in which they are in whatever order. */
static void open_process(struct shown *s, const char *head)
{
	for (int i = 0; i < PROCESSES; i++) {
		press(s, KEY_OF_HOME);
		for (int k = 0; k < i; k++)
			press(s, KEY_OF_DOWN);
		press(s, KEY_OF_ENTER);
		if (strstr(screen(s), head))
			return;
		press(s, KEY_OF_ESCAPE);
	}
	fail_msg("no %s:\n%s", head, s->text.p);
}

/* An opened process ends: back to those that are left, with its panel, and it is told. */
static void test_opened_of_three(void **state)
{
	struct shown s;

	(void)state;
	begin(&s);
	give(&s, 7, 1);
	expect_on_screen(&s, "jnitrace: 3 processes");
	open_process(&s, "jnitrace 100 Alpha");
	press(&s, KEY_OF_ENTER);
	expect_on_screen(&s, "Stack, innermost first");
	ends(&s, 0, END_EXITED);
	give(&s, 6, 2);
	expect_on_screen(&s, "jnitrace: 2 processes");
	expect_on_screen(&s, "PID 100 (Alpha) exited");
	expect_on_screen(&s, "PROCESS");
	expect_not_on_screen(&s, "Stack, innermost first");
	press(&s, KEY_OF_DOWN);
	expect_on_screen(&s, "2 of 2 by pid");
	/* One that nobody looks at, and after which there is one: it is told, and its own screen follows. */
	press(&s, KEY_OF_ENTER);
	ends(&s, strstr(screen(&s), "Gamma") ? 2 : 1, END_EXECED);
	give(&s, strstr(screen(&s), "Gamma") ? 2 : 4, 3);
	expect_on_screen(&s, "runs another program now");
	expect_on_screen(&s, "SITE\n");
	end(&s);
}

/* Two processes: the one that is left has its own screen, and its own curve. */
static void test_opened_of_two(void **state)
{
	struct shown s;

	(void)state;
	begin(&s);
	for (int i = 1; i < 9; i++)
		give(&s, 3, i);
	open_process(&s, "jnitrace 100 Alpha");
	ends(&s, 0, END_EXITED);
	give(&s, 2, 9);
	expect_on_screen(&s, "jnitrace 101 Beta");
	expect_on_screen(&s, "PID 100 (Alpha) exited");
	expect_not_on_screen(&s, "\xe2\x96\x88"); /* nothing has changed: no curve falls from the highest */
	/* What comes later is not mixed with it. */
	give(&s, 6, 10);
	expect_on_screen(&s, "jnitrace 101 Beta");
	press(&s, KEY_OF_ESCAPE);
	press(&s, KEY_OF_ESCAPE);
	expect_on_screen(&s, "jnitrace: 2 processes");
	expect_on_screen(&s, "PROCESS");
	end(&s);
}

/* Nobody looks at the one that ends: it is told when one is left, and not of many. */
static void test_overview(void **state)
{
	struct shown s;

	(void)state;
	begin(&s);
	give(&s, 7, 1);
	ends(&s, 0, END_EXITED);
	give(&s, 6, 2);
	expect_not_on_screen(&s, "exited");
	ends(&s, 1, END_OVER_BUDGET);
	give(&s, 4, 3);
	expect_on_screen(&s, "PID 101 (Beta) was left: its probes cost more than the budget");
	ends(&s, 2, END_EXITED);
	give(&s, 0, 4);
	expect_on_screen(&s, "PID 102 (Gamma) exited");
	end(&s);
}

/* What is no regular expression filters nothing: Enter does not take it. */
static void test_filter(void **state)
{
	struct shown s;

	(void)state;
	begin(&s);
	give(&s, 1, 1);
	press(&s, '/');
	press(&s, '[');
	press(&s, KEY_OF_ENTER);
	expect_on_screen(&s, "/[  is no regular expression yet");
	press(&s, '@');
	press(&s, ']');
	expect_on_screen(&s, "/[@]  0 of 3 rows");
	press(&s, KEY_OF_ENTER);
	expect_on_screen(&s, "Enter open");
	press(&s, '/');
	press(&s, '[');
	press(&s, KEY_OF_ESCAPE);
	expect_on_screen(&s, "1 of 3 by site");
	end(&s);
}

/* The panel of families says what its keys do there. */
static void test_families(void **state)
{
	struct shown s;

	(void)state;
	begin(&s);
	give(&s, 1, 1);
	browser_set_families(s.browser, 1U << FAMILY_GLOBAL | 1U << FAMILY_WEAK, 1U << FAMILY_GLOBAL);
	press(&s, 'e');
	expect_on_screen(&s, "Families: space");
	expect_on_screen(&s, "space switch  Enter do it  Esc leave them");
	expect_not_on_screen(&s, "pause");
	end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_opened_of_three), cmocka_unit_test(test_opened_of_two),
	    cmocka_unit_test(test_overview),        cmocka_unit_test(test_filter),
	    cmocka_unit_test(test_families),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
