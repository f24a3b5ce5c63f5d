/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Files that are asked for at the screen. See write_now.h. */
#include "run/write_now.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "export/formats.h"
#include "view/cells.h"

#define GRACE_MS    150  /* for a disk that takes nothing, once a signal asks to end */
#define PERMISSIONS 0600 /* it names classes, files and users */
#define RECORDING   ".jtr"
#define MOST_NOTED  256 /* targets: a history takes some 170 KB */

static const struct {
	const char *suffix, *format;
} suffixes[] = {
    {".html", "html"}, {".pb.gz", "pprof"}, {".folded", "folded"}, {".json", "json"}, {".csv", "csv"},
};

static bool ends_in(const char *name, const char *suffix)
{
	size_t n = strlen(name), k = strlen(suffix);

	return n > k && !strcmp(name + n - k, suffix);
}

static void make_document(const struct write_now *w, const struct format *format,
			  const struct report *const *reports, size_t n, struct buf *out)
{
	struct view_opts v;
	void *state = NULL;

	view_opts_init(&v, w->request, 0, 0, VIEW_LAST);
	for (size_t i = 0; i < n; i++)
		v.count_only |= reports[i]->count_only;
	if (format == w->page && w->noted)
		state = format->copy(w->noted);
	if (format->begin && !state)
		format->begin(&state, out);
	format->reports(state, out, reports, n, &v);
	if (format->end)
		format->end(state, out);
}

/* A part of a document is none: it is taken away again. 0 or -errno. */
static int write_new_file(const char *name, const struct buf *text, int stop_fd)
{
	int fd = io_new_output(name, PERMISSIONS), rc;

	if (fd < 0)
		return fd;
	rc = io_write(fd, text->p, text->n, stop_fd, GRACE_MS);
	if (close(fd) && !rc)
		rc = -errno;
	if (rc)
		unlink(name);
	return rc;
}

static void write_document(struct write_now *w, struct browser *b, const char *name,
			   const struct format *format, struct buf *told)
{
	size_t n;
	const struct report *const *reports = browser_shown(b, &n);
	struct buf text = {0};
	int rc;

	if (!n) {
		buf_printf(told, "not written: there is no report yet");
		return;
	}
	make_document(w, format, reports, n, &text);
	rc = text.failed ? -ENOMEM : write_new_file(name, &text, w->stop_fd);
	if (rc) {
		buf_printf(told, "not written: %s: %s", name, strerror(-rc));
	} else {
		buf_printf(told, "written: %s (%s, ", name, format->name);
		fmt_bytes(told, text.n);
		buf_printf(told, ")");
	}
	buf_free(&text);
}

static void begin_or_end(struct write_now *w, const char *name, struct buf *told)
{
	struct error err = {0};

	if (!w->o) {
		buf_printf(told, "not written: this is a recording already");
	} else if (write_now_records(w) && strcmp(name, w->name) != 0) {
		buf_printf(told, "not begun: %s is being recorded; w and its name end it", w->name);
	} else if (write_now_records(w)) {
		buf_printf(told, "%s: %s%s", write_now_end(w, &err) ? "not ended" : "recorded", name,
			   err.why);
	} else if (record_file_new(&w->recording, w->o, name, w->stop_fd, &err)) {
		buf_printf(told, "not recorded: %s: %s", name, err.why);
		record_file_close(&w->recording);
	} else {
		snprintf(w->name, sizeof(w->name), "%s", name);
		buf_printf(told, "recording from now on: %s; w and this name end it", name);
	}
}

void write_now(struct write_now *w, struct browser *b)
{
	const char *name = browser_file(b);
	const struct format *format = NULL;
	struct buf told = {0};

	for (size_t i = 0; i < ARRAY_LEN(suffixes); i++)
		if (ends_in(name, suffixes[i].suffix))
			format = format_find(suffixes[i].format);
	if (ends_in(name, RECORDING))
		begin_or_end(w, name, &told);
	else if (format)
		write_document(w, b, name, format, &told);
	else
		buf_printf(&told, "not written: %s: nothing is known that ends so", name);
	browser_tell(b, told.p && !told.failed ? told.p : "not written: out of memory");
	buf_free(&told);
}

void write_now_note(struct write_now *w, const struct report *const *reports, size_t n)
{
	struct buf none = {0};

	if (n > MOST_NOTED)
		return;
	for (size_t i = 0; i < ARRAY_LEN(suffixes) && !w->page; i++) {
		const struct format *format = format_find(suffixes[i].format);

		if (format && format->copy)
			w->page = format;
	}
	if (!w->page)
		return;
	if (!w->noted)
		w->page->begin(&w->noted, &none);
	for (size_t i = 0; i < n && w->noted; i++) {
		if (reports[i]->final && w->o) /* it is shown no more */
			w->page->forget(w->noted, &reports[i]->target);
		else
			w->page->note(w->noted, &reports[i], 1);
	}
}

bool write_now_records(const struct write_now *w)
{
	return w->recording.recorder;
}

void write_now_record(struct write_now *w, struct browser *b, const struct report *const *reports, size_t n)
{
	struct error err = {0};
	struct buf told = {0};

	if (!record_file_write(&w->recording, reports, n, &err))
		return;
	buf_printf(&told, "the recording ends: %s: %s", w->name, err.why);
	if (told.p)
		browser_tell(b, told.p);
	buf_free(&told);
	record_file_close(&w->recording);
}

int write_now_end(struct write_now *w, struct error *err)
{
	int rc = record_file_end(&w->recording, err);

	record_file_close(&w->recording);
	return rc;
}

void write_now_close(struct write_now *w)
{
	struct buf none = {0};

	if (w->noted)
		w->page->end(w->noted, &none);
	buf_free(&none);
	w->noted = NULL;
	record_file_close(&w->recording);
}
