/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The writer of recordings: reports in, bytes of a file out (docs/recording.md). It owns no file. What it
 * says once it keeps: memory is in proportion to the sites of all targets.
 */
#ifndef JNITRACE_RECORDER_H
#define JNITRACE_RECORDER_H

#include <stddef.h>

#include "base/util.h"
#include "model/report.h"

#define RECORDING_VERSION     1
#define RECORDING_MAX_OPTIONS 16
/* An option that reports of the recording have, too, unless told otherwise: as on a command line. */
struct recording_option {
	const char *name, *value; /* value NULL: a flag */
};

struct recorder;

/*
 * A recording of one run. catalog: outlives it. bytes_per_hour: where reports would take more, some are left
 * out, and counted; 0: none are. 0 or -ENOMEM.
 */
int recorder_new(const struct catalog *catalog, const struct recording_option *options, size_t n,
		 uint64_t bytes_per_hour, struct recorder **out);
/* Append what stands before the first report. 0 or -ENOMEM. */
int recorder_begin(struct recorder *r, struct buf *out);
/*
 * Append reports of one moment, unsorted, to out, from which they can be read at once. A last report is never
 * left out, and takes no part in later ones. 0 or -ENOMEM.
 */
int recorder_reports(struct recorder *r, const struct report *const *reports, size_t n, struct buf *out);
/* The run is over. 0 or -ENOMEM. */
int recorder_end(struct recorder *r, struct buf *out);
void recorder_free(struct recorder *r);

#endif
