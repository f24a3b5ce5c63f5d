/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the last reports of all targets come to: the exit code, of a run and of its recording alike. */
#ifndef JNITRACE_OUTCOME_H
#define JNITRACE_OUTCOME_H

#include "model/report.h"
#include "run/options.h"

struct outcome {       /* start zeroed */
	bool reported; /* there was one */
	uint64_t losses;
	bool failed_on; /* there was a finding that --fail-on asks for; */
	double more_s;  /* or so much more time would tell whether there is one; 0: it is told */
};
/*
 * By the last report of a target: what was said on the way and taken back does not count. Losses that the
 * format does not show are said on stderr.
 */
void outcome_add(struct outcome *out, const struct options *o, const struct report *last);
/* Says on stderr why it is EXIT_TOO_SHORT. */
enum exit_code outcome_code(const struct outcome *out, const struct options *o);

#endif
