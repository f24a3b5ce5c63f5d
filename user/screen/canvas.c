/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Cells. See canvas.h. */
#include "screen/canvas.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#define ELLIPSIS   0x2026
#define MOST_BYTES 4096 /* of one text; names are shorter, and nothing longer can be seen */

/* How this program's own signs are shown where there is ASCII alone. */
static const struct {
	uint32_t sign;
	char ascii;
} plain_signs[] = {
    {0x2026, '~'}, {0x00b7, '-'}, {0x2500, '-'}, {0x2502, '|'}, {0x2191, '^'}, {0x2193, 'v'},
    {0x2190, '<'}, {0x2192, '>'}, {0x2581, '_'}, {0x2582, '.'}, {0x2583, ':'}, {0x2584, '-'},
    {0x2585, '='}, {0x2586, '+'}, {0x2587, '*'}, {0x2588, '#'}, {0x25b6, '>'}, {0x25cf, '*'},
};

int canvas_resize(struct canvas *c, int rows, int columns)
{
	struct cell *v;

	if (rows < 1 || columns < 1 || rows > 10000 || columns > 10000)
		return -EINVAL;
	v = calloc((size_t)rows * (size_t)columns, sizeof(*v));
	if (!v)
		return -ENOMEM;
	free(c->v);
	c->v = v;
	c->rows = rows;
	c->columns = columns;
	canvas_clear(c);
	return 0;
}

void canvas_clear(struct canvas *c)
{
	for (int i = 0; i < c->rows * c->columns; i++)
		c->v[i] = (struct cell){.c = ' '};
	c->cursor_row = -1;
}

void canvas_free(struct canvas *c)
{
	free(c->v);
	*c = (struct canvas){0};
}

/* One character of text that text_clean() has made valid; returns its bytes. */
static size_t decode(const char *s, uint32_t *c)
{
	const unsigned char *p = (const unsigned char *)s;
	size_t len = p[0] < 0x80 ? 1 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;

	*c = len == 1 ? p[0] : p[0] & (0x7fU >> len);
	for (size_t i = 1; i < len; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return i;
		*c = *c << 6 | (p[i] & 0x3f);
	}
	return len;
}

static uint32_t as_ascii(uint32_t ch)
{
	for (size_t i = 0; i < ARRAY_LEN(plain_signs); i++)
		if (plain_signs[i].sign == ch)
			return (uint32_t)plain_signs[i].ascii;
	return ch < 0x7f ? ch : '?';
}

/* Characters that reorder or break a line: a name must not make a row read as another one. */
static bool reorders(uint32_t c)
{
	return c == 0x061c || (c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
	       (c >= 0x2060 && c <= 0x206f) || c == 0xfeff || (c >= 0xfff9 && c <= 0xfffb) ||
	       (c >= 0xe0000 && c <= 0xe007f);
}

/*
 * What stands for a character, and how many cells the terminal's library gives it: 0 for a mark on the one
 * before. What the library does not know is shown as '?'.
 */
static uint32_t shown(const struct canvas *c, uint32_t ch, int *width)
{
	*width = 1;
	if (c->ascii)
		return as_ascii(ch);
	if (ch < 0x7f && ch >= 0x20)
		return ch;
	if (reorders(ch))
		return '?';
	*width = wcwidth((wchar_t)ch);
	if (*width >= 0 && *width <= 2)
		return ch;
	*width = 1;
	return '?';
}

/* Text as it will be in cells. */
struct glyphs {
	struct cell v[MOST_BYTES];
	size_t n;
	int width; /* of all */
};

static int width_of(const struct cell *v, size_t i, size_t n)
{
	return i + 1 < n && !v[i + 1].c ? 2 : 1;
}

static void add_glyph(struct glyphs *g, const struct canvas *c, uint32_t from)
{
	int width;
	uint32_t ch = shown(c, from, &width);

	if (width == 0 && g->n) { /* wide characters end with their right half */
		struct cell *base = &g->v[g->n - 1 - (!g->v[g->n - 1].c && g->n > 1)];

		for (int i = 0; i < CELL_MARKS; i++)
			if (!base->marks[i]) {
				base->marks[i] = ch;
				break;
			}
		return;
	}
	if (width == 0)
		return; /* a mark on nothing */
	if (g->n + (size_t)width > ARRAY_LEN(g->v))
		return;
	g->v[g->n++] = (struct cell){.c = ch};
	if (width == 2)
		g->v[g->n++] = (struct cell){.c = 0};
	g->width += width;
}

static void make_glyphs(struct glyphs *g, const struct canvas *c, const char *s, size_t n)
{
	char clean[MOST_BYTES];

	g->n = 0;
	g->width = 0;
	text_clean(clean, sizeof(clean), s, n);
	for (const char *at = clean; *at;) {
		uint32_t ch;

		at += decode(at, &ch);
		add_glyph(g, c, ch);
	}
}

/* Glyphs from..to into cells; returns the next column. A wide character that would be cut is left out. */
static int place(struct canvas *c, int row, int column, int end, const struct glyphs *g, size_t from,
		 size_t to, unsigned style)
{
	for (size_t i = from; i < to; i++) {
		int width = width_of(g->v, i, g->n);

		if (!g->v[i].c)
			continue;
		if (column + width > end)
			break;
		for (int k = 0; k < width; k++) {
			struct cell *cell = &c->v[row * c->columns + column + k];

			*cell = g->v[i + (size_t)k];
			cell->style = (uint8_t)style;
		}
		column += width;
	}
	return column;
}

static int place_ellipsis(struct canvas *c, int row, int column, unsigned style)
{
	c->v[row * c->columns + column] =
	    (struct cell){.c = c->ascii ? as_ascii(ELLIPSIS) : ELLIPSIS, .style = (uint8_t)style};
	return column + 1;
}

int canvas_put(struct canvas *c, int row, int column, int width, const char *s, size_t n, enum cut cut,
	       unsigned style)
{
	struct glyphs g;
	int begin = column, end;
	size_t head, tail;

	if (row < 0 || row >= c->rows || column < 0 || column >= c->columns || width <= 0 || !s)
		return 0;
	end = width < c->columns - column ? column + width : c->columns;
	make_glyphs(&g, c, s, n);
	if (g.width <= end - column)
		return place(c, row, column, end, &g, 0, g.n, style) - begin;
	width = end - column - 1;
	head = cut == CUT_END ? (size_t)width : cut == CUT_MIDDLE ? (size_t)width / 2 : 0;
	tail = cut == CUT_END ? 0 : (size_t)width - head;
	column = place(c, row, column, begin + (int)head, &g, 0, head, style);
	column = place_ellipsis(c, row, column, style);
	return place(c, row, column, end, &g, g.n - tail, g.n, style) - begin;
}

int canvas_puts(struct canvas *c, int row, int column, int width, const char *s, unsigned style)
{
	return s ? canvas_put(c, row, column, width, s, strlen(s), CUT_END, style) : 0;
}

int canvas_put_buf(struct canvas *c, int row, int column, int width, struct buf *text, unsigned style)
{
	int used = text->p ? canvas_put(c, row, column, width, text->p, text->n, CUT_END, style) : 0;

	buf_free(text);
	return used;
}

void canvas_fill(struct canvas *c, int row, int column, int width, uint32_t ch, unsigned style)
{
	if (row < 0 || row >= c->rows || column < 0)
		return;
	for (int i = column; i < column + width && i < c->columns; i++)
		c->v[row * c->columns + i] =
		    (struct cell){.c = c->ascii ? as_ascii(ch) : ch, .style = (uint8_t)style};
}

void canvas_mark(struct canvas *c, int row, int column, int width, unsigned style)
{
	if (row < 0 || row >= c->rows || column < 0)
		return;
	for (int i = column; i < column + width && i < c->columns; i++)
		c->v[row * c->columns + i].style |= (uint8_t)style;
}

int canvas_width(const struct canvas *c, const char *s, size_t n)
{
	struct glyphs g;

	make_glyphs(&g, c, s, n);
	return g.width;
}

static void put_utf8(struct buf *out, uint32_t c)
{
	char s[4];

	if (c < 0x80) {
		s[0] = (char)c;
		buf_add(out, s, 1);
	} else if (c < 0x800) {
		s[0] = (char)(0xc0 | c >> 6);
		s[1] = (char)(0x80 | (c & 0x3f));
		buf_add(out, s, 2);
	} else if (c < 0x10000) {
		s[0] = (char)(0xe0 | c >> 12);
		s[1] = (char)(0x80 | (c >> 6 & 0x3f));
		s[2] = (char)(0x80 | (c & 0x3f));
		buf_add(out, s, 3);
	} else {
		s[0] = (char)(0xf0 | c >> 18);
		s[1] = (char)(0x80 | (c >> 12 & 0x3f));
		s[2] = (char)(0x80 | (c >> 6 & 0x3f));
		s[3] = (char)(0x80 | (c & 0x3f));
		buf_add(out, s, 4);
	}
}

void canvas_text(const struct canvas *c, struct buf *out)
{
	for (int row = 0; row < c->rows; row++) {
		const struct cell *line = &c->v[row * c->columns];
		int n = c->columns;

		while (n > 0 && line[n - 1].c == ' ')
			n--;
		for (int i = 0; i < n; i++) {
			if (!line[i].c)
				continue;
			put_utf8(out, line[i].c);
			for (int k = 0; k < CELL_MARKS && line[i].marks[k]; k++)
				put_utf8(out, line[i].marks[k]);
		}
		buf_add(out, "\n", 1);
	}
}
