/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* One page for a browser, with all that it needs inside: that of export/page/, and what was seen as JSON. */
#ifndef JNITRACE_HTML_H
#define JNITRACE_HTML_H

#include "base/util.h"
#include "model/report.h"
#include "view/view_opts.h"

/*
 * Nothing is written before the end. Of reports on the way the history is kept: how much was outstanding, of
 * each family and of the first sites. The last report of each target is in the page as view_json() has it.
 */
void html_begin(void **state, struct buf *out);
void html_note(void *state, const struct report *const *reports, size_t n);
void html_reports(void *state, struct buf *out, const struct report *const *reports, size_t n,
		  const struct view_opts *o);
/* See struct format. */
void *html_copy(const void *state);
void html_forget(void *state, const struct report_target *t);
void html_end(void *state, struct buf *out);

#endif
