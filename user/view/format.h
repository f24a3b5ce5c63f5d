/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the tool can write. A format is one file and one row of export/formats.c; whatever depends on the
 * format is said in its row, so that nobody else asks which one it is.
 */
#ifndef JNITRACE_FORMAT_H
#define JNITRACE_FORMAT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/util.h"
#include "model/report.h"
#include "view/view_opts.h"

struct census;
struct probes_info;
struct comparison;
struct diagnosis;
struct fleet;

/* What a format must be given, beside what all have: it takes time to read. */
#define FORMAT_CLASSES 1U /* the class of each outstanding reference */
#define FORMAT_THREADS 2U /* the threads of every JVM, not only of a single one (census) */

struct format {
	const char *name, *help;
	unsigned needs;
	bool screen; /* on a terminal it is drawn live, and keys are read */
	bool losses; /* it shows what was lost: not to be said on stderr, too */
	bool binary; /* no text: not for a terminal */
	bool at_end; /* one document of the last report of each target, not one for each interval */

	/*
	 * One output is begin, reports any number of times, end. *state is the format's own, NULL at first:
	 * what it keeps from one report to the next, as a table of strings that all share. Reports live until
	 * the call returns. Out of memory: out->failed.
	 */
	void (*begin)(void **state, struct buf *out); /* NULL: nothing stands before the first report */
	void (*reports)(void *state, struct buf *out, const struct report *const *reports, size_t n,
			const struct view_opts *o);
	/* at_end: of each interval, for what is told of the way to the end; NULL: nothing. */
	void (*note)(void *state, const struct report *const *reports, size_t n);
	/* Beside note: a copy of a state that was only noted until now, NULL without memory; a target ends
	 * and will not be reported again. */
	void *(*copy)(const void *state);
	void (*forget)(void *state, const struct report_target *t);
	void (*end)(void *state, struct buf *out); /* frees state; NULL: nothing stands behind the last */

	/* jnitrace census, probes, doctor and fleet diff; NULL: not in this format. */
	void (*census)(struct buf *out, const struct census *const *items, size_t n,
		       const struct view_opts *o);
	void (*probes)(struct buf *out, const struct probes_info *p, const struct view_opts *o);
	void (*doctor)(struct buf *out, const struct diagnosis *d, const struct view_opts *o);
	void (*fleet)(struct buf *out, const struct fleet *f, const struct view_opts *o);
	/* jnitrace diff: all of it at once; neither begin nor end is called. Likewise. */
	void (*diff)(struct buf *out, const struct comparison *const *v, size_t n, const struct view_opts *o);
};

#endif
