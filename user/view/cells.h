/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Text and numbers as they stand in the cells of a terminal. */
#ifndef JNITRACE_CELLS_H
#define JNITRACE_CELLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/util.h"

/* A width in which everything has room: nothing is cut. Flowing text fills 80 cells then. */
#define CELLS_UNCUT 1000000000

enum cells_align { CELLS_LEFT, CELLS_RIGHT };

/* How many cells the text takes when printed by cells_put: wide characters take two, accents none. */
int cells_width(const char *s, size_t n);
/*
 * Print n bytes of foreign text, cleaned for a terminal, in at most width cells: longer text ends in
 * an ellipsis, shorter text is aligned to the right or, when pad is set, filled up on the right.
 */
void cells_put(struct buf *out, const char *s, size_t n, int width, enum cells_align align, bool pad);
/* The same for a string (NULL: nothing), without padding. */
void cells_puts(struct buf *out, const char *s, int width);
/*
 * The same of a name, to the left: when it is cut then in the middle. How a name ends tells most, and it
 * begins like those of its package.
 */
void cells_put_ends(struct buf *out, const char *s, size_t n, int width, bool pad);

/* The same, but its end stays. */
void cells_put_tail(struct buf *out, const char *s, size_t n, int width, bool pad);

/*
 * Text that fills lines up to width cells; a piece that does not fit goes to the next line, behind
 * indent blanks. A piece wider than a line is put word by word, a word wider than a line is cut.
 */
struct flow {
	struct buf *out;
	int width, indent;
	int col; /* cells used of this line */
};
void flow_add(struct flow *f, const char *separator, const char *s, size_t n);
/* Every word is a piece. */
void flow_words(struct flow *f, const char *s, size_t n);
void flow_end(struct flow *f);

/* Per second, with its sign: +99.8/s, 0/s, -1,234/s; not a number: "?". */
void fmt_rate(struct buf *out, double per_s);
/* Seconds: 4.2s, 3m12s, 2h05m, 5d03h; negative or not a number: "-". */
void fmt_age(struct buf *out, double s);
/* Seconds since 1970 as 2026-01-31T12:00:00.123Z, rounded; nothing before 1970 and after the year 9892. */
void fmt_time(struct buf *out, double unix_s);
/* 0 B, 512 B, 1.5 KB, 45.2 MB (units of 1024). */
void fmt_bytes(struct buf *out, uint64_t n);

#endif
