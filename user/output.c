/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "output.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define CLEAR "\033[H\033[J"

static int write_error(struct error *err, int rc)
{
	return error_set(err, rc, EXIT_FAILED, "write the output", "choose another --output", "%s",
			 strerror(-rc));
}

int output_open(struct output *out, const struct options *o, bool repeats, struct error *err)
{
	out->file = o->output ? fopen(o->output, "we") : stdout;
	if (!out->file)
		return error_set(err, -errno, EXIT_FAILED, "write the output", "choose another --output",
				 "%s: %s", o->output, strerror(errno));
	out->screen = repeats && !o->batch && o->format == FORMAT_TABLE && isatty(fileno(out->file));
	return 0;
}

void output_close(struct output *out)
{
	if (out->file && out->file != stdout)
		fclose(out->file);
	out->file = NULL;
}

void output_view_opts(const struct output *out, const struct options *o, struct view_opts *v)
{
	struct winsize w = {0};

	if (isatty(fileno(out->file)))
		ioctl(fileno(out->file), TIOCGWINSZ, &w);
	view_opts_init(v, o, w.ws_col, w.ws_row, out->screen);
}

int output_write(struct output *out, struct buf *view, bool last, struct error *err)
{
	int rc = view->failed ? -ENOMEM : 0;

	if (!rc && out->screen && !last)
		fputs(CLEAR, out->file);
	if (!rc && ((view->n && fwrite(view->p, view->n, 1, out->file) != 1) || fflush(out->file)))
		rc = -errno;
	buf_free(view);
	return rc ? write_error(err, rc) : 0;
}
