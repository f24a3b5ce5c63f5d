/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A text of lines with a meaning each, longer than a screen. */
#ifndef JNITRACE_PAGE_H
#define JNITRACE_PAGE_H

#include "base/util.h"
#include "screen/canvas.h"

struct page {      /* start zeroed */
	int width; /* cells, for items: longer ones take several lines; 0: no limit */
	struct buf text;
	struct {
		struct page_line {
			size_t at, n; /* in text */
			unsigned style;
			int split; /* cells that belong to its left part, styled on their own; 0: none */
			unsigned left;
		} * v;
		size_t n, cap;
	} lines;
	bool failed; /* out of memory */
};
void page_clear(struct page *p);
void page_free(struct page *p);
/* A line. */
void page_add(struct page *p, unsigned style, const char *fmt, ...) JT_PRINTF(3, 4);
/* "Label    text", the label in split cells. */
void page_item(struct page *p, int split, const char *label, unsigned style, const char *fmt, ...)
    JT_PRINTF(5, 6);
/* Lines of a text, which is freed. */
void page_text(struct page *p, unsigned style, struct buf *text);
/* Texts of several columns side by side, of so many cells each and two between them; all are freed. */
void page_columns(struct page *p, struct buf *texts, size_t n, int width, unsigned style);
/* Lines from top on, into rows of the canvas. */
void page_draw(const struct page *p, struct canvas *c, int row, int rows, int top);

#endif
