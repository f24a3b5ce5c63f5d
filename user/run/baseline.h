/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What a JVM has that those of the same name had not in an earlier recording. */
#ifndef JNITRACE_BASELINE_H
#define JNITRACE_BASELINE_H

#include "base/util.h"
#include "model/report.h"

struct baseline; /* opaque */

/* name: a recording, of which the last reports count. 0, or -errno with err. */
int baseline_new(const char *name, uint64_t limit_bytes, struct baseline **out, struct error *err);
void baseline_free(struct baseline *b);

/* They belong to the report. Start zeroed. */
struct news {
	struct {
		const struct report_site **v;
		size_t n, cap;
	} sites; /* more outstanding than before, or growing now */
	struct {
		const struct report_finding **v;
		size_t n, cap;
	} findings;
	size_t likes; /* JVMs of this name in the recording; 0: all is new */
};
/*
 * Where the recording has several JVMs of the name, as those that a test runner forks, nothing counts that
 * one of them had. 0 or -ENOMEM; to be freed in either case.
 */
int baseline_compare(const struct baseline *b, const struct report *r, struct news *out);
void news_free(struct news *n);

#endif
