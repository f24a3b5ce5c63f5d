/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* jnitrace top: trace until the targets are gone or the user has enough. */
#ifndef JNITRACE_CMD_TOP_H
#define JNITRACE_CMD_TOP_H

#include "base/util.h"
#include "run/options.h"
#include "run/trace_use.h"

/* Like cmd_top(), but for what use decides; of reports only the last of each target are written. */
enum exit_code trace_run(const struct options *o, const struct trace_use *use, struct error *err);
/* Returns the exit code; err is set unless that is 0, of losses or of findings. */
enum exit_code cmd_top(const struct options *o, struct error *err);

#endif
