/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Cells of a terminal: no foreign text leaves those that it was given, and none is more than a character. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "screen/canvas.h"
#include "screen/filter.h"
#include "screen/page.h"
#include "screen/trends.h"

#define COLUMNS 20

static void expect_row(struct canvas *c, const char *text, int width, enum cut cut, const char *want)
{
	struct buf got = {0};

	canvas_clear(c);
	canvas_put(c, 0, 2, width, text, strlen(text), cut, STYLE_PLAIN);
	canvas_text(c, &got);
	*strchr(got.p, '\n') = '\0';
	assert_string_equal(got.p, want);
	buf_free(&got);
}

static void test_cut(void **state)
{
	struct canvas c = {0};

	(void)state;
	assert_int_equal(canvas_resize(&c, 1, COLUMNS), 0);
	expect_row(&c, "abc", 5, CUT_END, "  abc");
	expect_row(&c, "abcdefgh", 5, CUT_END, "  abcd…");
	expect_row(&c, "abcdefgh", 5, CUT_MIDDLE, "  ab…gh");
	expect_row(&c, "abcdefgh", 5, CUT_BEGIN, "  …efgh");
	expect_row(&c, "abcdefgh", 1, CUT_MIDDLE, "  …");
	expect_row(&c, "abcdefgh", 0, CUT_END, "");
	expect_row(&c, "漢字漢字", 8, CUT_END, "  漢字漢字");
	expect_row(&c, "漢字漢字", 7, CUT_END, "  漢字漢…");
	expect_row(&c, "漢字漢字", 6, CUT_END, "  漢字…"); /* no half of a character */
	expect_row(&c,
		   "e\xcc\x81"
		   "f",
		   5, CUT_END,
		   "  e\xcc\x81"
		   "f");
	expect_row(&c, "a very long text that has no room at all", 40, CUT_END, "  a very long text …");
	c.ascii = true;
	expect_row(&c, "abcdefgh", 5, CUT_END, "  abcd~");
	expect_row(&c, "a漢→b", 5, CUT_END, "  a?>b");
	canvas_free(&c);
}

static void test_hostile(void **state)
{
	struct canvas c = {0};

	(void)state;
	assert_int_equal(canvas_resize(&c, 1, COLUMNS), 0);
	expect_row(&c, "a\033[2Jb", 10, CUT_END, "  a?[2Jb");
	expect_row(&c, "a\nb\tc\rd", 10, CUT_END, "  a?b?c?d");
	expect_row(&c,
		   "a\xe2\x80\xae"
		   "b",
		   10, CUT_END, "  a?b"); /* right-to-left override */
	expect_row(&c,
		   "a\xe2\x80\x8b\xef\xbb\xbf"
		   "b",
		   10, CUT_END, "  a??b"); /* of no width */
	expect_row(&c,
		   "a\xc2\x9b"
		   "2J",
		   10, CUT_END, "  a?2J"); /* CSI in one character */
	expect_row(&c,
		   "a\xff\xc0\xaf\xed\xa0\x80"
		   "b",
		   10, CUT_END, "  a??????b"); /* no UTF-8 */
	expect_row(&c,
		   "\xcc\x81"
		   "a",
		   10, CUT_END, "  a"); /* a mark on nothing */
	canvas_free(&c);
}

/* Whatever the bytes are, cells beside those that were given stay blank, and a cell is a character of its
 * width. */
static void test_random(void **state)
{
	struct canvas c = {0};
	char text[64];

	(void)state;
	srandom(1);
	assert_int_equal(canvas_resize(&c, 1, COLUMNS), 0);
	for (int i = 0; i < 200000; i++) {
		size_t n = (size_t)random() % sizeof(text);
		int width = (int)(random() % 12);

		for (size_t k = 0; k < n; k++)
			text[k] = (char)(random() % 3 ? 0x80 | random() : random());
		canvas_clear(&c);
		assert_in_range(canvas_put(&c, 0, 4, width, text, n, (enum cut)(i % 3), STYLE_PLAIN), 0,
				width);
		for (int k = 0; k < COLUMNS; k++) {
			if (k < 4 || k >= 4 + width)
				assert_int_equal(c.v[k].c, ' ');
			assert_true(c.v[k].c == 0 || (c.v[k].c >= ' ' && c.v[k].c != 0x7f &&
						      !(c.v[k].c >= 0x80 && c.v[k].c < 0xa0)));
			if (c.v[k].c == 0)
				assert_int_equal(wcwidth((wchar_t)c.v[k - 1].c), 2);
			else
				assert_int_equal(wcwidth((wchar_t)c.v[k].c),
						 k + 1 < COLUMNS && !c.v[k + 1].c ? 2 : 1);
		}
	}
	canvas_free(&c);
}

static void test_trends(void **state)
{
	struct trends t = {0};
	float points[10];

	(void)state;
	assert_false(trends_curve(&t, 1, 1, 10, points, 10));
	for (int i = 0; i <= 100000; i += 1 + i / 100) {
		assert_true(trends_go_to(&t, i));
		assert_int_equal(trends_add(&t, 1, 1, i), 0);
		if (i >= 50000)
			assert_int_equal(trends_add(&t, 2, 1, 7), 0);
	}
	assert_false(trends_go_to(&t, 5)); /* it was there before */
	assert_true(trends_curve(&t, 1, 1, t.last_s, points, 10));
	for (int i = 0; i < 10; i++)
		assert_true(points[i] > 0.8 * (double)(i + 1) * t.last_s / 10 && points[i] <= t.last_s);
	assert_true(trends_curve(&t, 1, 1, t.last_s / 2, points, 10)); /* only until then */
	assert_true(points[9] < 0.52 * t.last_s);
	assert_true(trends_curve(&t, 2, 1, t.last_s, points, 10));
	assert_true(points[0] != points[0] && points[9] == 7);
	trends_free(&t);
}

static void test_filter(void **state)
{
	struct filter f = {0};
	struct buf text = {0};

	(void)state;
	buf_printf(&text, "libthumb.so acme::Registry::add");
	assert_true(filter_passes(&f, &text));
	for (const char *c = "registry|x("; *c; c++)
		filter_type(&f, (uint32_t)*c);
	assert_true(f.bad && filter_passes(&f, &text));
	filter_erase(&f);
	assert_true(!f.bad && filter_passes(&f, &text));
	filter_clear(&f);
	filter_type(&f, 0x6f22);
	assert_string_equal(f.text, "漢");
	assert_false(filter_passes(&f, &text));
	filter_erase(&f);
	assert_string_equal(f.text, "");
	for (int i = 0; i < 300; i++)
		filter_type(&f, 'z');
	assert_true(strlen(f.text) < FILTER_BYTES && !filter_passes(&f, &text));
	filter_free(&f);
	buf_free(&text);
}

static void test_page(void **state)
{
	struct page p = {.width = 20};
	struct canvas c = {0};
	struct buf texts[2] = {{0}}, got = {0};

	(void)state;
	assert_int_equal(canvas_resize(&c, 5, COLUMNS), 0);
	page_item(&p, 5, "key", STYLE_PLAIN, "words that take two lines");
	buf_printf(&texts[0], "left\nmore\n");
	buf_printf(&texts[1], "right\n");
	page_columns(&p, texts, 2, 9, STYLE_PLAIN);
	page_draw(&p, &c, 0, 5, 0);
	canvas_text(&c, &got);
	assert_string_equal(got.p, "key  words that take\n     two lines\nleft       right\nmore\n\n");
	buf_free(&got);
	page_free(&p);
	canvas_free(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_cut),    cmocka_unit_test(test_hostile), cmocka_unit_test(test_random),
	    cmocka_unit_test(test_trends), cmocka_unit_test(test_filter),  cmocka_unit_test(test_page),
	};

	if (!setlocale(LC_CTYPE, "C.UTF-8"))
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
