/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "screen/output.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/io.h"
#include "view/text.h"

#define GRACE_MS 100 /* for a reader that takes nothing, once a signal asks to end */

static int write_error(struct error *err, int rc)
{
	return error_set(err, rc, EXIT_FAILED, "write the output",
			 rc == -EPIPE ? "its reader has gone" : "choose another --output", "%s",
			 rc == -EINTR ? "interrupted, and nobody reads it" : strerror(-rc));
}

/* Write text and free it. 0 or -errno. */
static int write_text(struct output *out, struct buf *text)
{
	int rc = text->failed ? -ENOMEM : 0;

	if (!rc && fflush(out->file))
		rc = -errno;
	rc = rc ?: io_write(fileno(out->file), text->p, text->n, out->stop_fd, GRACE_MS);
	buf_free(text);
	return rc;
}

/* 0 or -errno. */
static int open_file(struct output *out, const char *path)
{
	int fd = io_open_output(path, 0666, out->stop_fd);

	out->file = fd < 0 ? NULL : fdopen(fd, "w");
	if (fd >= 0 && !out->file)
		close(fd);
	return fd < 0 ? fd : out->file ? 0 : -ENOMEM;
}

/* A terminal that cannot be drawn on is as good as a printer. 0 or -ENOMEM. */
static int open_terminal(struct output *out, bool keys)
{
	char why[128] = "";
	int rc = terminal_open(out->file, keys, &out->terminal, why);

	if (rc && rc != -ENOMEM) {
		warn("%s: plain tables, as with --batch", why[0] ? why : "the terminal is not known");
		return 0;
	}
	return rc ?: messages_begin(out->terminal, &out->messages);
}

int output_open(struct output *out, const struct view_request *r, bool repeats, bool keys, int stop_fd,
		struct error *err)
{
	struct buf begin = {0};
	int rc;

	/* A reader that went away, and a file that may not be so large, are errors of write(). */
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	out->stop_fd = stop_fd;
	out->file = stdout;
	rc = r->output ? open_file(out, r->output) : 0;
	if (rc)
		return error_set(err, rc, EXIT_FAILED, "write the output", "choose another --output",
				 "%s: %s", r->output,
				 rc == -EINTR ? "interrupted, and nobody reads it" : strerror(-rc));
	if (r->format->binary && isatty(fileno(out->file)))
		return error_set(err, -EINVAL, EXIT_USAGE, "write the output", "name a file: -o FILE",
				 "%s is no text, and this is a terminal", r->format->name);
	out->format = r->format;
	if (r->format->begin) {
		r->format->begin(&out->state, &begin);
		rc = write_text(out, &begin);
	}
	if (!rc && repeats && !r->batch && r->format->screen && isatty(fileno(out->file)))
		rc = open_terminal(out, keys);
	return rc ? write_error(err, rc) : 0;
}

int output_end(struct output *out, struct error *err)
{
	struct buf end = {0};
	int rc = 0;

	if (out->format && out->format->end) {
		out->format->end(out->state, &end);
		rc = write_text(out, &end);
	}
	out->format = NULL;
	return rc ? write_error(err, rc) : 0;
}

void output_close(struct output *out)
{
	struct buf unwritten = {0};

	if (out->format && out->format->end) /* after an error: a whole document would be a lie */
		out->format->end(out->state, &unwritten);
	buf_free(&unwritten);
	if (out->terminal)
		terminal_leave(out->terminal);
	messages_end(out->messages);
	out->messages = NULL;
	terminal_close(out->terminal);
	out->terminal = NULL;
	canvas_free(&out->canvas);
	if (out->drawn.n)
		write_text(out, &out->drawn);
	buf_free(&out->drawn);
	if (out->file && out->file != stdout)
		fclose(out->file);
	out->file = NULL;
}

static struct winsize size_of(const struct output *out)
{
	struct winsize w = {0};

	if (isatty(fileno(out->file)))
		ioctl(fileno(out->file), TIOCGWINSZ, &w);
	return w;
}

void output_view_opts(const struct output *out, const struct view_request *r, bool last, struct view_opts *v)
{
	struct winsize w = size_of(out);

	int width = w.ws_col ? w.ws_col : isatty(fileno(out->file)) ? -1 : 0;

	view_opts_init(v, r, width, w.ws_row, last ? VIEW_LAST : out->terminal ? VIEW_LIVE : VIEW_INTERVAL);
}

static int make_canvas(struct output *out)
{
	int rows, columns;

	terminal_size(out->terminal, &rows, &columns);
	out->canvas.ascii = terminal_is_ascii(out->terminal);
	if (rows != out->canvas.rows || columns != out->canvas.columns)
		return canvas_resize(&out->canvas, rows, columns);
	canvas_clear(&out->canvas);
	return 0;
}

/* The codes of view/text.h are the only ones in a view: foreign text is cleaned. */
static unsigned style_of(const char **p, size_t *n)
{
	static const struct {
		const char *code;
		unsigned style;
	} codes[] = {{BOLD, STYLE_BOLD}, {WARNING, STYLE_ALARM}, {PLAIN, STYLE_PLAIN}};

	for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
		size_t k = strlen(codes[i].code);

		if (*n >= k && !memcmp(*p, codes[i].code, k)) {
			*p += k;
			*n -= k;
			return codes[i].style;
		}
	}
	(*p)++;
	(*n)--;
	return STYLE_PLAIN;
}

/* A line of a view, from a style on; returns the one that it ends with. */
static unsigned place_line(struct canvas *c, int row, const char *p, size_t n, unsigned style)
{
	int column = 0;

	while (n > 0) {
		const char *code = memchr(p, '\033', n);
		size_t k = code ? (size_t)(code - p) : n;

		if (k)
			column += canvas_put(c, row, column, c->columns - column, p, k, CUT_END, style);
		p += k;
		n -= k;
		if (n > 0)
			style = style_of(&p, &n);
	}
	return style;
}

static int draw_text(struct output *out)
{
	const char *p = out->drawn.p, *end = p + out->drawn.n;
	unsigned style = STYLE_PLAIN;
	int rc = make_canvas(out);

	for (int row = 0; !rc && p < end && row < out->canvas.rows; row++) {
		const char *eol = memchr(p, '\n', (size_t)(end - p)) ?: end;

		style = place_line(&out->canvas, row, p, (size_t)(eol - p), style);
		p = eol + (eol < end);
	}
	return rc ?: terminal_show(out->terminal, &out->canvas);
}

int output_write(struct output *out, struct buf *view, bool last, struct error *err)
{
	int rc = view->failed ? -ENOMEM : 0;

	if (!rc && out->terminal && !last) {
		buf_free(&out->drawn);
		out->drawn = *view;
		*view = (struct buf){0};
		rc = draw_text(out);
		return rc ? write_error(err, rc) : 0;
	}
	if (out->terminal) {
		terminal_leave(out->terminal);
		messages_print(out->messages);
		buf_free(&out->drawn);
	}
	rc = write_text(out, view);
	return rc ? write_error(err, rc) : 0;
}

int output_draw(struct output *out, struct browser *b, struct error *err)
{
	char line[512];
	int rc = make_canvas(out);

	if (messages_newest(out->messages, line, sizeof(line)))
		browser_tell(b, line);
	rc = rc ?: browser_draw(b, &out->canvas);
	rc = rc ?: terminal_show(out->terminal, &out->canvas);
	return rc ? write_error(err, rc) : 0;
}
