/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a person at the screen has written into files: what is shown now, in the format that the name of the
 * file says, and recordings from now on. No file that was there is touched. What fails is told and ends
 * nothing.
 */
#ifndef JNITRACE_WRITE_NOW_H
#define JNITRACE_WRITE_NOW_H

#include "run/record_file.h"
#include "screen/browser.h"

struct write_now { /* start zeroed but for these: */
	const struct view_request *request;
	const struct options *o; /* NULL: what is looked at is a recording, of which none is made */
	int stop_fd;             /* see io_write() */

	struct record_file recording; /* that was begun so */
	char name[256];               /* of it */
	const struct format *page; /* of what came before, the format that shows it; NULL: not yet, or none */
	void *noted;               /* its state */
};
/* The browser wishes to: write what it shows, begin or end a recording, and tell it what came of that. */
void write_now(struct write_now *w, struct browser *b);
/* Is a recording on? */
bool write_now_records(const struct write_now *w);
/* Reports of an interval, unsorted, for that recording. When it cannot be written that is told, and its end.
 */
void write_now_record(struct write_now *w, struct browser *b, const struct report *const *reports, size_t n);
/* What a page will say of the way until now. Out of memory: it begins later. */
void write_now_note(struct write_now *w, const struct report *const *reports, size_t n);
/* The run has ended well. -errno with err. */
int write_now_end(struct write_now *w, struct error *err);
void write_now_close(struct write_now *w);

#endif
