/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Text and numbers as they stand in the cells of a terminal. See cells.h. */
#include "view/cells.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define FLOW_WIDTH 80
#define ELLIPSIS   "\xe2\x80\xa6"
#define SHORT_TEXT 512 /* bytes; longer text is cleaned on the heap */

/* One character of text that text_clean has made valid UTF-8; returns its bytes. */
static size_t next_char(const char *s, uint32_t *c)
{
	const unsigned char *p = (const unsigned char *)s;
	size_t len = p[0] < 0x80 ? 1 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;

	*c = len == 1 ? p[0] : p[0] & (0x7f >> len);
	for (size_t i = 1; i < len; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return i;
		*c = *c << 6 | (p[i] & 0x3f);
	}
	return len;
}

/*
 * Cells per character, the same in every locale. From Unicode's EastAsianWidth.txt (W and F) and the
 * combining marks of the scripts seen in identifiers, by block.
 */
static const struct {
	uint32_t first, last;
	int cells;
} char_widths[] = {
    {0x0300, 0x036f, 0},   {0x0483, 0x0489, 0},   {0x0591, 0x05bd, 0},   {0x064b, 0x065f, 0},
    {0x1100, 0x115f, 2},   {0x1ab0, 0x1aff, 0},   {0x1dc0, 0x1dff, 0},   {0x200b, 0x200d, 0},
    {0x20d0, 0x20ff, 0},   {0x2e80, 0x303e, 2},   {0x3041, 0xa4cf, 2},   {0xac00, 0xd7a3, 2},
    {0xf900, 0xfaff, 2},   {0xfe00, 0xfe0f, 0},   {0xfe20, 0xfe2f, 0},   {0xfe30, 0xfe6f, 2},
    {0xfeff, 0xfeff, 0},   {0xff00, 0xff60, 2},   {0xffe0, 0xffe6, 2},   {0x1f300, 0x1f64f, 2},
    {0x1f680, 0x1f6ff, 2}, {0x1f900, 0x1f9ff, 2}, {0x20000, 0x3fffd, 2}, {0xe0100, 0xe01ef, 0},
};

static int char_width(uint32_t c)
{
	if (c < char_widths[0].first)
		return 1;
	for (size_t i = 0; i < ARRAY_LEN(char_widths); i++)
		if (c >= char_widths[i].first && c <= char_widths[i].last)
			return char_widths[i].cells;
	return 1;
}

/* Characters that reorder or break a line on screen: a name must not make a row read as another one. */
static bool reorders(uint32_t c)
{
	return c == 0x061c || c == 0x200e || c == 0x200f || (c >= 0x2028 && c <= 0x202e) ||
	       (c >= 0x2066 && c <= 0x2069);
}

static int text_width(const char *s)
{
	int width = 0;
	uint32_t c;

	for (; *s; width += char_width(c))
		s += next_char(s, &c);
	return width;
}

/* Foreign text, cleaned. Free with free_clean(). */
struct clean {
	char room[SHORT_TEXT], *p;
};

/* false: out of memory; then nothing is left of it. */
static bool clean(struct clean *c, const char *s, size_t n)
{
	bool whole;
	uint32_t ch;
	char *to;

	c->p = n < sizeof(c->room) ? c->room : malloc(n + 1);
	whole = c->p != NULL;
	if (!whole) {
		c->p = c->room;
		n = 0;
	}
	text_clean(c->p, n + 1, s, n);
	to = c->p;
	for (const char *from = c->p; *from;) {
		size_t len = next_char(from, &ch);

		if (reorders(ch))
			*to++ = '?';
		else
			for (size_t i = 0; i < len; i++)
				*to++ = from[i];
		from += len;
	}
	*to = '\0';
	return whole;
}

static void free_clean(struct clean *c)
{
	if (c->p != c->room)
		free(c->p);
}

int cells_width(const char *s, size_t n)
{
	struct clean text;
	int width;

	clean(&text, s, n);
	width = text_width(text.p);
	free_clean(&text);
	return width;
}

static void spaces(struct buf *out, int n)
{
	if (n > 0)
		buf_printf(out, "%*s", n, "");
}

/* How many bytes take at most so many cells, and how many they take. */
static size_t fitting(const char *text, int most, int *cells)
{
	size_t used = 0;
	uint32_t c;

	*cells = 0;
	while (text[used]) {
		size_t len = next_char(text + used, &c);

		if (*cells + char_width(c) > most)
			break;
		*cells += char_width(c);
		used += len;
	}
	return used;
}

/* Clean text in at most width cells. */
static void put_cut(struct buf *out, const char *text, int width, enum cells_align align, bool pad)
{
	int full = text_width(text), cells;
	size_t used;

	if (full <= width) {
		spaces(out, align == CELLS_RIGHT ? width - full : 0);
		buf_add(out, text, strlen(text));
		spaces(out, align == CELLS_LEFT && pad ? width - full : 0);
		return;
	}
	if (width <= 0)
		return;
	used = fitting(text, width - 1, &cells);
	spaces(out, align == CELLS_RIGHT ? width - 1 - cells : 0);
	buf_add(out, text, used);
	buf_add(out, ELLIPSIS, strlen(ELLIPSIS));
	spaces(out, align == CELLS_LEFT && pad ? width - 1 - cells : 0);
}

/* Likewise, both ends of it. */
static void put_ends(struct buf *out, const char *text, int width, bool pad)
{
	int full = text_width(text), head, skipped;
	size_t used, tail;

	if (full <= width || width < 3) {
		put_cut(out, text, width, CELLS_LEFT, pad);
		return;
	}
	used = fitting(text, (width - 1) / 2, &head);
	/* What does not fit behind the ellipsis; a wide character may leave one cell more. */
	tail = used + fitting(text + used, full - (width - 1), &skipped);
	while (head + 1 + text_width(text + tail) > width) {
		uint32_t c;

		tail += next_char(text + tail, &c);
	}
	buf_add(out, text, used);
	buf_add(out, ELLIPSIS, strlen(ELLIPSIS));
	buf_add(out, text + tail, strlen(text + tail));
	spaces(out, pad ? width - head - 1 - text_width(text + tail) : 0);
}

void cells_put(struct buf *out, const char *s, size_t n, int width, enum cells_align align, bool pad)
{
	struct clean text;

	out->failed |= !clean(&text, s, n);
	put_cut(out, text.p, width, align, pad);
	free_clean(&text);
}

void cells_put_ends(struct buf *out, const char *s, size_t n, int width, bool pad)
{
	struct clean text;

	out->failed |= !clean(&text, s, n);
	put_ends(out, text.p, width, pad);
	free_clean(&text);
}

void cells_put_tail(struct buf *out, const char *s, size_t n, int width, bool pad)
{
	struct clean text;
	int full, skipped;
	size_t from;

	out->failed |= !clean(&text, s, n);
	full = text_width(text.p);
	if (full <= width || width < 2) {
		put_cut(out, text.p, width, CELLS_LEFT, pad);
	} else {
		from = fitting(text.p, full - (width - 1), &skipped);
		while (text_width(text.p + from) > width - 1) {
			uint32_t c;

			from += next_char(text.p + from, &c);
		}
		buf_add(out, ELLIPSIS, strlen(ELLIPSIS));
		buf_add(out, text.p + from, strlen(text.p + from));
		spaces(out, pad ? width - 1 - text_width(text.p + from) : 0);
	}
	free_clean(&text);
}

void cells_puts(struct buf *out, const char *s, int width)
{
	if (s)
		cells_put(out, s, strlen(s), width, CELLS_LEFT, false);
}

/* Cells after which a line is full. */
static int full_at(const struct flow *f)
{
	return f->width >= CELLS_UNCUT / 2 ? FLOW_WIDTH : f->width;
}

static void add_piece(struct flow *f, const char *separator, const char *s, size_t n)
{
	int separator_width = f->col > 0 ? cells_width(separator, strlen(separator)) : 0;
	int piece = cells_width(s, n);

	if (f->col > 0 && f->col + separator_width + piece > full_at(f)) {
		buf_add(f->out, "\n", 1);
		spaces(f->out, f->indent);
		f->col = f->indent;
	} else if (f->col > 0) {
		buf_add(f->out, separator, strlen(separator));
		f->col += separator_width;
	}
	if (piece > f->width - f->col)
		piece = f->width - f->col;
	cells_put(f->out, s, n, piece, CELLS_LEFT, false);
	f->col += piece;
}

static void add_words(struct flow *f, const char *separator, const char *s, size_t n)
{
	size_t start = 0;

	for (size_t i = 0; i <= n; i++) {
		if (i < n && s[i] != ' ')
			continue;
		if (i > start) {
			add_piece(f, separator, s + start, i - start);
			separator = " ";
		}
		start = i + 1;
	}
}

void flow_add(struct flow *f, const char *separator, const char *s, size_t n)
{
	if (cells_width(s, n) > full_at(f) - f->indent)
		add_words(f, separator, s, n);
	else
		add_piece(f, separator, s, n);
}

void flow_words(struct flow *f, const char *s, size_t n)
{
	add_words(f, " ", s, n);
}

void flow_end(struct flow *f)
{
	buf_add(f->out, "\n", 1);
	f->col = 0;
}

void fmt_rate(struct buf *out, double per_s)
{
	double size = fabs(per_s) < 5e-7 ? 0 : fabs(per_s);
	const char *sign = size == 0 ? "" : per_s > 0 ? "+" : "-";

	if (!isfinite(per_s)) {
		buf_printf(out, "?");
		return;
	}
	buf_printf(out, "%s", sign);
	if (size == 0)
		buf_printf(out, "0");
	else if (size < 0.0005 || size >= 1e15)
		buf_printf(out, "%.1g", size);
	else if (size < 0.095)
		buf_printf(out, "%.3f", size);
	else if (size < 999.95)
		buf_printf(out, "%.1f", size);
	else
		fmt_count(out, (uint64_t)(size + 0.5));
	buf_printf(out, "/s");
}

void fmt_age(struct buf *out, double s)
{
	unsigned long long t;

	if (!(s >= 0)) {
		buf_printf(out, "-");
		return;
	}
	if (s < 59.95) {
		buf_printf(out, "%.1fs", s);
		return;
	}
	t = s < 1e12 ? (unsigned long long)(s + 0.5) : 1000000000000ULL;
	if (t < 3600)
		buf_printf(out, "%llum%02llus", t / 60, t % 60);
	else if (t < 86400)
		buf_printf(out, "%lluh%02llum", t / 3600, t / 60 % 60);
	else
		buf_printf(out, "%llud%02lluh", t / 86400, t / 3600 % 24);
}

void fmt_bytes(struct buf *out, uint64_t n)
{
	static const char *const units[] = {"B", "KB", "MB", "GB", "TB", "PB", "EB"};
	double v = (double)n;
	size_t unit = 0;

	while (v >= 1023.95 && unit + 1 < ARRAY_LEN(units)) {
		v /= 1024;
		unit++;
	}
	buf_printf(out, unit == 0 ? "%.0f %s" : "%.1f %s", v, units[unit]);
}

void fmt_time(struct buf *out, double unix_s)
{
	double ms = floor(unix_s * 1000 + 0.5);
	struct tm tm;
	time_t t;

	if (!(ms >= 0 && ms < 2.5e14)) /* the year has four digits */
		return;
	t = (time_t)(ms / 1000);
	gmtime_r(&t, &tm);
	buf_printf(out, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
		   tm.tm_hour, tm.tm_min, tm.tm_sec, (int)(ms - (double)t * 1000));
}
