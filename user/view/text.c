/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Pieces of text that several views are made of. See text.h. */
#include "view/text.h"

#include <string.h>

#include "view/cells.h"
#include "view/columns.h"

void view_style(struct buf *out, const struct view_opts *o, const char *code)
{
	if (o->color)
		buf_printf(out, "%s", code);
}

void view_flow(struct flow *f, const char *separator, struct buf *piece)
{
	if (piece->n > 0)
		flow_add(f, separator, piece->p, piece->n);
	f->out->failed |= piece->failed;
	buf_free(piece);
}

int view_lines(const struct buf *b, size_t from)
{
	int lines = 0;

	for (size_t i = from; i < b->n; i++)
		lines += b->p[i] == '\n';
	return lines;
}

void view_warning(struct buf *out, struct buf *text, const struct view_opts *o, int width)
{
	struct flow f = {.out = out, .width = width, .indent = INDENT};

	view_style(out, o, WARNING);
	if (!text->failed)
		flow_words(&f, text->p, text->n);
	view_style(out, o, PLAIN);
	flow_end(&f);
	out->failed |= text->failed;
	buf_free(text);
}

bool frame_is_shown(const struct frame *f, enum stacks_shown stacks)
{
	switch (stacks) {
	case STACKS_NONE:
		return false;
	case STACKS_JAVA:
		return frame_is_managed(f);
	case STACKS_NATIVE:
		return !frame_is_managed(f);
	default:
		return true;
	}
}

static void put_indented(struct buf *out, struct buf *line, int width)
{
	buf_printf(out, "%*s", 2 * INDENT, "");
	if (line->p)
		cells_puts(out, line->p, width - 2 * INDENT);
	buf_add(out, "\n", 1);
	out->failed |= line->failed;
	buf_free(line);
}

/* "symbol file:line (module+0x11e3)"; what is known of it. */
static void put_frame(struct buf *out, const struct frame *f, int width)
{
	struct buf line = {0}, where = {0};

	frame_location(&where, f);
	if (f->later)
		buf_printf(&where, "%s(line pending)", where.n > 0 ? " " : "");
	if (f->inlined)
		buf_printf(&where, "%s(inlined)", where.n > 0 ? " " : "");
	if (f->tail_call)
		buf_printf(&where, "%s(tail call)", where.n > 0 ? " " : "");
	if (f->symbol && f->module)
		buf_printf(&where, "%s(%s+0x%llx)", where.n > 0 ? " " : "", f->module,
			   (unsigned long long)f->offset);
	frame_name(&line, f);
	if (where.n > 0 && line.p) {
		struct buf name = line;
		int name_width = width - 2 * INDENT - 1 - cells_width(where.p, where.n);

		line = (struct buf){0};
		cells_put_ends(&line, name.p, name.n, name_width > width / 3 ? name_width : width / 3, false);
		buf_printf(&line, " %s", where.p);
		buf_free(&name);
	}
	line.failed |= where.failed;
	buf_free(&where);
	put_indented(out, &line, width);
}

/* Whose managed frames say nothing of who calls: the JDK's, Node.js's own. */
static bool is_of_runtime(const struct frame *f)
{
	static const char *const packages[] = {"java.", "javax.", "jdk.", "sun.", "com.sun."};

	if (f->type == FRAME_SCRIPT)
		return f->file && !strncmp(f->file, "node:", strlen("node:"));
	for (size_t i = 0; f->symbol && i < ARRAY_LEN(packages); i++)
		if (!strncmp(f->symbol, packages[i], strlen(packages[i])))
			return true;
	return false;
}

static size_t first_of_program(const struct frames *frames)
{
	for (size_t i = 0; i < frames->n; i++)
		if (frame_is_managed(&frames->v[i]) && !is_of_runtime(&frames->v[i]))
			return i;
	return frames->n;
}

static void put_gap(struct buf *out, size_t n, int width)
{
	struct buf line = {0};

	buf_printf(&line, ELLIPSIS " %zu more", n);
	put_indented(out, &line, width);
}

void view_frames(struct buf *out, const struct frames *frames, const char *truncated, const size_t *differs,
		 const struct view_opts *o, int width)
{
	size_t most = o->stack_frames > 0 ? (size_t)o->stack_frames : 0, gap = 0, shown = 0;
	size_t program = most ? first_of_program(frames) : frames->n, left_out = 0;
	struct buf line = {0};

	if (o->stacks == STACKS_NONE || (most == 0 && !differs))
		return;
	for (size_t i = 0; i < frames->n; i++) {
		if (!frame_is_shown(&frames->v[i], o->stacks))
			continue;
		if (shown++ >= most && i != program && !(differs && (i == differs[0] || i == differs[1]))) {
			left_out = i;
			gap++;
			continue;
		}
		if (gap == 1 && most > 0) /* it takes no more than the line that says so */
			put_frame(out, &frames->v[left_out], width);
		else if (gap > 0 && most > 0)
			put_gap(out, gap, width);
		gap = 0;
		put_frame(out, &frames->v[i], width);
	}
	if (most == 0)
		return;
	if (gap > 1) {
		put_gap(out, gap, width);
		return;
	}
	if (gap == 1)
		put_frame(out, &frames->v[left_out], width);
	if (truncated) {
		buf_printf(&line, "[ends here: %s]", truncated);
		put_indented(out, &line, width);
	}
}

const char *library_verdict(const struct report_library *l)
{
	if (l->verdicts[VERDICT_GROWING])
		return site_verdict_names[VERDICT_GROWING];
	for (int v = VERDICT_UNKNOWN + 1; v < NR_VERDICTS && !l->verdicts[VERDICT_UNKNOWN]; v++)
		if (l->verdicts[v])
			return site_verdict_names[VERDICT_CLEAN];
	return NULL;
}
