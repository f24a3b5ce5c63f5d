/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The page of families while a switch is under way, which takes as long as reading files does: keys are taken
 * meanwhile. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "golden.h"
#include "screen/browser.h"

#define GLOBAL (1U << FAMILY_GLOBAL)
#define WEAK   (1U << FAMILY_WEAK)

static enum wish press(struct browser *b, uint32_t code)
{
	return browser_key(b, &(struct key){.code = code});
}

/* The line of weak ones. */
static char *weak_line(struct browser *b, struct canvas *c)
{
	struct buf text = {0};
	char *line = NULL, *rest;

	assert_int_equal(browser_draw(b, c), 0);
	canvas_text(c, &text);
	for (char *at = strtok_r(text.p, "\n", &rest); at && !line; at = strtok_r(NULL, "\n", &rest))
		if (strstr(at, "] weak"))
			line = strdup(at);
	buf_free(&text);
	assert_non_null(line);
	return line;
}

static void expect_weak(struct browser *b, struct canvas *c, const char *box, const char *state)
{
	char *line = weak_line(b, c);

	if (!strstr(line, box) || strcmp(strchr(line, 'k') + 1 + strspn(strchr(line, 'k') + 1, " "), state))
		fail_msg("%s", line);
	free(line);
}

static void test_while_a_switch_is_under_way(void **state)
{
	static struct sample s;
	const struct report *reports[] = {&s.report};
	const struct view_request request = {.rows = -1, .depth = 64, .width = -1};
	struct canvas c = {0};
	struct browser *b;

	(void)state;
	init_leaks(&s);
	assert_int_equal(canvas_resize(&c, 40, 132), 0);
	assert_int_equal(browser_new(&request, NULL, &b), 0);
	browser_set_families(b, GLOBAL | WEAK, GLOBAL);
	assert_int_equal(browser_reports(b, reports, 1), 0);
	press(b, 'e');
	expect_weak(b, &c, "[ ]", "off");
	press(b, 'w');
	expect_weak(b, &c, "[x]", "off -> on with Enter");
	assert_int_equal(press(b, KEY_OF_ENTER), WISH_SWITCH);
	browser_set_families(b, GLOBAL | WEAK,
			     GLOBAL); /* of a report that was being made when the key came */
	assert_int_equal(browser_take_families(b), GLOBAL | WEAK);

	/* Opened again before it is done, the page has what it will be, and a letter turns that round. */
	press(b, 'e');
	expect_weak(b, &c, "[x]", "off -> on in a moment");
	assert_int_equal(press(b, KEY_OF_ENTER), WISH_DRAW);
	press(b, 'e');
	press(b, 'w');
	expect_weak(b, &c, "[ ]", "off -> on in a moment -> off with Enter");
	browser_set_families(b, GLOBAL | WEAK, GLOBAL | WEAK);
	expect_weak(b, &c, "[ ]", "traced -> off with Enter");
	assert_int_equal(press(b, KEY_OF_ENTER), WISH_SWITCH);
	assert_int_equal(browser_take_families(b), GLOBAL);

	/* What could not be switched is as it was. */
	browser_set_families(b, GLOBAL | WEAK, GLOBAL | WEAK);
	press(b, 'e');
	expect_weak(b, &c, "[x]", "traced");
	browser_free(b);
	canvas_free(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_while_a_switch_is_under_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
