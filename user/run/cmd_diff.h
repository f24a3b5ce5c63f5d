/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* jnitrace diff: what has changed from one recording to another, or from one moment to another. */
#ifndef JNITRACE_CMD_DIFF_H
#define JNITRACE_CMD_DIFF_H

#include "run/options.h"

/* Returns the exit code; err is set where there is more to say. */
enum exit_code cmd_diff(const struct options *o, struct error *err);

#endif
