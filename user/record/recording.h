/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The reader of recordings (docs/recording.md). Whatever is in the file, it takes bounded memory and says in
 * one line what is wrong with it. Nothing else is looked at: no process, no library.
 */
#ifndef JNITRACE_RECORDING_H
#define JNITRACE_RECORDING_H

#include "base/util.h"
#include "model/report.h"
#include "record/recorder.h"

struct recording;

/*
 * A recording from its start. fd: of a file; not owned, and its place is neither used nor moved, so that
 * several may read it. name: for errors. limit_bytes: what may be kept. keep_ended: targets stay in
 * recording_last() when they are gone. -errno with err.
 */
int recording_open(int fd, const char *name, uint64_t limit_bytes, bool keep_ended, struct recording **out,
		   struct error *err);
void recording_close(struct recording *r);

/* What the numbers of functions and families mean. Lives as long as r. */
const struct catalog *recording_catalog(const struct recording *r);
/* The options that it was made with, how many. Live as long as r. */
size_t recording_options(const struct recording *r, const struct recording_option **out);

/* The version of jnitrace that wrote it; NULL: not said. Lives as long as r. */
const char *recording_made_by(const struct recording *r);

/* Go on to the next moment. 1: there is one; 0: that was the last; -errno with err, and then no more. */
int recording_next(struct recording *r, struct error *err);
/* Has the run that was recorded come to its end? Known once recording_next() returned 0. */
bool recording_is_whole(const struct recording *r);
/* Of the moment: seconds since attach to the first target; how many before it were left out. */
double recording_at_s(const struct recording *r);
uint64_t recording_skipped(const struct recording *r);
/* How much of the file was read until then, 0 to 1, about: it may grow. */
double recording_part(const struct recording *r);

/*
 * The reports of the moment, as the run had them in order, and the last ones until then of all targets, those
 * that are oldest first. They may be changed and sorted, and
 * live until the next call for this recording. How many, or -ENOMEM.
 */
int recording_reports(struct recording *r, struct report ***out);
int recording_last(struct recording *r, struct report ***out);

/*
 * A moment to come back to: where the recording is, with all that it says then. Of one that keeps what has
 * ended; valid until it is closed.
 */
struct recording_mark;
/* Of where it is now, behind a moment; or of where another one is. 0 or -ENOMEM. */
int recording_mark(const struct recording *r, struct recording_mark **out);
int recording_mark_copy(const struct recording_mark *m, struct recording_mark **out);
void recording_mark_free(struct recording_mark *m);
/* Bytes that it takes, about. */
uint64_t recording_mark_bytes(const struct recording_mark *m);
/* Be there again: recording_next() goes on from it. 0 or -ENOMEM, and then it is where it was. */
int recording_go(struct recording *r, const struct recording_mark *m);
/*
 * As recording_last() then. They live as long as the mark, and may be changed and sorted. How many, or
 * -ENOMEM.
 */
int recording_mark_reports(struct recording_mark *m, struct report ***out);

#endif
