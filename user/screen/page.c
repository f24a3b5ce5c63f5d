/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Lines of text. See page.h. */
#include "screen/page.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "view/cells.h"

#define GAP       2
#define MOST_TEXT 4096 /* bytes of one line */

void page_clear(struct page *p)
{
	p->text.n = 0;
	p->lines.n = 0;
	p->failed = false;
}

void page_free(struct page *p)
{
	buf_free(&p->text);
	free(p->lines.v);
	*p = (struct page){0};
}

static struct page_line *add_line(struct page *p, const char *s, size_t n, unsigned style)
{
	struct page_line *line = VEC_ADD(&p->lines);

	if (!line) {
		p->failed = true;
		return NULL;
	}
	*line = (struct page_line){.at = p->text.n, .n = n, .style = style};
	buf_add(&p->text, s, n);
	p->failed |= p->text.failed;
	return line;
}

void page_text(struct page *p, unsigned style, struct buf *text)
{
	size_t start = 0;

	p->failed |= text->failed;
	for (size_t i = 0; i < text->n; i++) {
		if (text->p[i] != '\n')
			continue;
		add_line(p, text->p + start, i - start, style);
		start = i + 1;
	}
	if (start < text->n)
		add_line(p, text->p + start, text->n - start, style);
	buf_free(text);
}

/* A label, and behind it text in as many lines as it needs. */
static void add_item(struct page *p, int split, const char *label, unsigned style, const char *text)
{
	struct flow f = {.width = p->width, .indent = split, .col = split - 1};
	struct buf out = {0};
	size_t first = p->lines.n;

	f.out = &out;
	buf_printf(&out, "%-*s", split - 1, label);
	flow_words(&f, text, strlen(text));
	flow_end(&f);
	page_text(p, style, &out);
	for (size_t i = first; i < p->lines.n; i++) {
		p->lines.v[i].split = split;
		p->lines.v[i].left = STYLE_DIM;
	}
}

void page_add(struct page *p, unsigned style, const char *fmt, ...)
{
	char text[MOST_TEXT];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	add_line(p, text, strlen(text), style);
}

void page_item(struct page *p, int split, const char *label, unsigned style, const char *fmt, ...)
{
	char text[MOST_TEXT], line[MOST_TEXT];
	va_list ap;
	struct page_line *added;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (p->width > 2 * split) {
		add_item(p, split, label, style, text);
		return;
	}
	snprintf(line, sizeof(line), "%-*s%.*s", split, label, MOST_TEXT - 64, text);
	added = add_line(p, line, strlen(line), style);
	if (added) {
		added->split = split;
		added->left = STYLE_DIM;
	}
}

/* The line that begins at *at, and where the next one does; false: there is none. */
static bool take_line(const struct buf *text, size_t *at, const char **line, size_t *n)
{
	const char *end;

	if (*at >= text->n)
		return false;
	*line = text->p + *at;
	end = memchr(*line, '\n', text->n - *at);
	*n = end ? (size_t)(end - *line) : text->n - *at;
	*at += *n + 1;
	return true;
}

void page_columns(struct page *p, struct buf *texts, size_t n, int width, unsigned style)
{
	size_t at[4] = {0};
	bool some = true;

	while (some) {
		struct buf line = {0};

		some = false;
		for (size_t i = 0; i < n && i < ARRAY_LEN(at); i++) {
			const char *part = "";
			size_t bytes = 0;
			bool there = take_line(&texts[i], &at[i], &part, &bytes);

			some |= there;
			cells_put(&line, part, bytes, width, CELLS_LEFT, i + 1 < n);
			if (i + 1 < n)
				buf_printf(&line, "%*s", GAP, "");
		}
		if (some)
			page_text(p, style, &line);
		buf_free(&line);
	}
	for (size_t i = 0; i < n; i++)
		buf_free(&texts[i]);
}

void page_draw(const struct page *p, struct canvas *c, int row, int rows, int top)
{
	for (int i = 0; i < rows && top + i >= 0 && (size_t)(top + i) < p->lines.n; i++) {
		const struct page_line *line = &p->lines.v[top + i];
		int width = c->columns;

		canvas_put(c, row + i, 0, width, p->text.p + line->at, line->n, CUT_END, line->style);
		for (int k = 0; k < line->split && k < width; k++)
			c->v[(row + i) * c->columns + k].style = (uint8_t)line->left;
	}
}
