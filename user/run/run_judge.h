/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What jnitrace run learns of its JVMs, held against its assertions and a baseline, and told. */
#ifndef JNITRACE_RUN_JUDGE_H
#define JNITRACE_RUN_JUDGE_H

#include "base/util.h"
#include "model/report.h"
#include "run/options.h"

struct run_judge; /* opaque */

/* Reads the assertions, the file of suppressions, and the baseline. 0, or -errno with err. */
int run_judge_new(const struct options *o, struct run_judge **out, struct error *err);
void run_judge_free(struct run_judge *j);
bool run_judge_needs_classes(const struct run_judge *j);
/* Open the files that results are to be written to. 0, or -errno with err. */
int run_judge_open(struct run_judge *j, struct error *err);
/* The last report of a JVM. 0 or -ENOMEM. */
int run_judge_take(struct run_judge *j, const struct report *r);
/* Something else that makes all numbers doubtful: a text that lives as long as j. */
void run_judge_doubt(struct run_judge *j, const char *why);
/* Judge, tell on stderr, and write the files. The exit code: 0, EXIT_ASSERT, or EXIT_FAILED with err. */
enum exit_code run_judge_end(struct run_judge *j, struct error *err);

#endif
