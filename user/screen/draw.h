/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The parts of the screen. Each draws what the browser looks at into lines of a canvas. */
#ifndef JNITRACE_SCREEN_DRAW_H
#define JNITRACE_SCREEN_DRAW_H

#include "screen/state.h"

/* The head; returns how many lines it took, at most so many. */
int draw_head(const struct browser *b, struct canvas *c, int most);
/* The table, and below it what is known of the chosen row. */
void draw_table(struct browser *b, struct canvas *c, int row, int rows);
/* Which column to sort by, step columns to the right of the one that is sorted by now, round and round. */
const struct column *list_sort_beside(const struct browser *b, int step);
/*
 * Which column to sort by, by its header, or how that begins; NULL: none. The headers of all that it may be
 * are appended to names.
 */
const struct column *list_sort_named(const struct browser *b, const char *name, struct buf *names);
/* What is known of a site: all of it. */
void page_of_site(struct page *p, const struct browser *b, const struct report *r,
		  const struct report_site *s, int columns);
/* In few lines, with so many frames, and those that tell it from others; with a graph where there is room. */
void page_of_site_brief(struct page *p, const struct browser *b, const struct report *r,
			const struct row *row, int frames, int room, int columns);
/* The same of a row that is no site; key: of its curve. */
void page_of_row(struct page *p, const struct browser *b, const struct row *r, struct row_key key, int room,
		 int columns);
void page_of_findings(struct page *p, const struct browser *b, int columns);

/* A curve in one line of so many cells: eight heights. */
void draw_spark(struct canvas *c, int row, int column, const float *points, int n, unsigned style);
/* "GROWING", "in 35s", "clean", ...; and how it looks. */
unsigned put_verdict(struct buf *out, const struct report_verdict *v, bool count_only);
unsigned verdict_style(enum site_verdict verdict);

#endif
