/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What is to be on a terminal, as plain data: cells of one character each, with a meaning that the terminal
 * gives a colour. Foreign text is cleaned here: no control character, nothing that reorders or breaks a line,
 * no invalid UTF-8 ever stands in a cell, and no text leaves the cells that it was given.
 */
#ifndef JNITRACE_CANVAS_H
#define JNITRACE_CANVAS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/util.h"

/* What a cell means; how it looks is the terminal's affair. */
enum style {
	STYLE_PLAIN,
	STYLE_DIM,   /* of no concern now */
	STYLE_BOLD,  /* heads, names */
	STYLE_GOOD,  /* nothing is wrong */
	STYLE_NOTE,  /* worth a look */
	STYLE_ALARM, /* wrong */
	STYLE_KEY,   /* a key that can be pressed */
	STYLE_BAR,   /* heads of tables, lines between parts */
	STYLE_GRAPH, /* curves */
	STYLE_MASK = 15,
	STYLE_CHOSEN = 16, /* added to one of the others: the row that is selected */
};

#define CELL_MARKS 2 /* combining marks that one cell keeps */
struct cell {
	uint32_t c;                 /* 0: the right half of a wide character */
	uint32_t marks[CELL_MARKS]; /* 0: none */
	uint8_t style;
};
struct canvas {
	struct cell *v; /* rows * columns, line by line */
	int rows, columns;
	bool ascii; /* the terminal has no other characters: all others are shown as such */
	/* Where a person types; row -1: nowhere. */
	int cursor_row, cursor_column;
};

/* All blank. 0 or -ENOMEM; then it is as it was. */
int canvas_resize(struct canvas *c, int rows, int columns);
void canvas_clear(struct canvas *c);
void canvas_free(struct canvas *c);

/* Where to cut what is too long: at its end, in the middle (both ends of a name tell most), at its begin. */
enum cut { CUT_END, CUT_MIDDLE, CUT_BEGIN };
/*
 * Foreign text of n bytes into at most width cells from this one on, which an ellipsis tells when it is cut.
 * What is beyond the canvas is left out. Returns how many cells it took.
 */
int canvas_put(struct canvas *c, int row, int column, int width, const char *s, size_t n, enum cut cut,
	       unsigned style);
/* The same of a string (NULL: nothing), cut at its end. */
int canvas_puts(struct canvas *c, int row, int column, int width, const char *s, unsigned style);
/* The same of a text that was put together, which is freed. */
int canvas_put_buf(struct canvas *c, int row, int column, int width, struct buf *text, unsigned style);
/* One character (of this program's) again and again. */
void canvas_fill(struct canvas *c, int row, int column, int width, uint32_t ch, unsigned style);
/* Add STYLE_CHOSEN, or the like, to cells that are there. */
void canvas_mark(struct canvas *c, int row, int column, int width, unsigned style);
/* How many cells a text takes. */
int canvas_width(const struct canvas *c, const char *s, size_t n);

/* A canvas as lines of UTF-8 without trailing blanks: for tests. */
void canvas_text(const struct canvas *c, struct buf *out);

#endif
